"""What a server's replies mean for AUTH, and what is wrong with where a command stands: two tables.

Source: RFC 4954 sections 4 and 6 (codes), RFC 5321 section 4.2; IndiMail smtpd.c (texts, letter for letter, and its
known faults); Google's and Microsoft's replies to basic authentication.

Rule 1: the first row that fits speaks; a reply that no row knows gets no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from indimail_kit.auth.annotate_model import Exchange, Message
from indimail_kit.auth.annotate_walk import Reply

PLACES: Final = {
    "mechanism forgotten": (
        "The name of a mechanism is missing, or unknown: AUTH LOGIN, AUTH PLAIN … (RFC 4954 section 4). What stands"
        " in its place is hidden, since it may be a secret."
    ),
    "twice": "AUTH a second time: after 235 the session is logged in, and every further AUTH gets 503 (RFC 4954 section"
    " 4).",
    "in a mail": "AUTH between MAIL and the end of the mail (RFC 4954 section 4). Log in before MAIL, or RSET.",
    "after HELO": (
        "The client said HELO. AUTH is an extension and needs EHLO (RFC 4954 section 3); qmail-smtpd takes it"
        " anyway, others do not."
    ),
    "without EHLO": (
        "No EHLO came before AUTH. RFC 4954 section 3 wants it; qmail-smtpd takes AUTH anyway, others answer 503."
    ),
    "not offered": (
        "The server's reply to EHLO does not name this mechanism. IndiMail only hides what DISABLE_… switches off;"
        " others answer 504."
    ),
    "nothing offered": (
        "The server offers no AUTH at all in its reply to EHLO: perhaps only after STARTTLS, or on port 587, or its"
        " qmail-smtpd was started without hostname and checkpassword."
    ),
}
"""Where AUTH stood wrong -> what to say. The names are those of `annotate_walk`."""


@dataclass(frozen=True, slots=True)
class ReplyRule:
    """A row.

    Attributes:
        name: Short, for the summary; "" for a reply that is no mistake.
        pattern: Of code and text.
        sentence: The verdict.
        verb: Only where this is answered, "" for anything.
        fits: A further condition.
    """

    name: str
    pattern: re.Pattern[str]
    sentence: str
    verb: str = ""
    fits: Callable[[Reply], bool] = lambda _reply: True


def _row(
    name: str,
    pattern: str,
    sentence: str,
    verb: str = "",
    fits: Callable[[Reply], bool] = lambda _reply: True,
) -> ReplyRule:
    return ReplyRule(name, re.compile(pattern, re.IGNORECASE | re.DOTALL), sentence, verb, fits)


def _is_crash(reply: Reply) -> bool:
    return reply.exchange is not None and any(one.kind == "equals" for one in reply.exchange.messages)


RULES: Final = (
    _row(
        "a second reply",
        r"454 .*",
        "A second reply that nothing asked for: a known fault of IndiMail's qmail-smtpd, which sends 454 after"
        " each 501 and after a checker that crashed. A client that waits for one reply a command is out of step"
        " from here on.",
        fits=lambda reply: not reply.verb and reply.last_code in (501, 451),
    ),
    _row("the greeting", r"220.*", "The server's greeting.", "greeting"),
    _row(
        "TLS wanted",
        r"538.*|530 .*(?:starttls|tls).*|503 .*(?:starttls|tls).*|534 .*encryption.*",
        "The server wants TLS first: on an unencrypted connection this mechanism would show the password to"
        " everybody. Use STARTTLS, or port 465 (IndiMail: SECURE_AUTH).",
    ),
    _row(
        "application password wanted",
        r"53[45].*(?:application-specific|app password|InvalidSecondFactor).*",
        "The account has two factors: the server wants an application password instead of the usual one.",
    ),
    _row(
        "basic authentication switched off",
        r"535.*(?:5\.7\.139|basic auth|SmtpClientAuthentication is disabled).*",
        "The server has switched off logging in with a password (basic authentication); it wants XOAUTH2.",
    ),
    _row(
        "AUTH twice",
        r"503.*(?:already|duplicate).*",
        "The session is logged in already; a second AUTH is refused (RFC 4954 section 4).",
    ),
    _row("AUTH in a mail", r"503.*transaction.*", "No AUTH between MAIL and the end of the mail (RFC 4954 section 4)."),
    _row(
        "AUTH not available",
        r"503.*(?:not available|not enabled|unavailable|not supported).*",
        "The server does no AUTH here. IndiMail: qmail-smtpd was started without hostname and checkpassword;"
        " others: only after STARTTLS, or on port 587.",
    ),
    _row("EHLO missing", r"503.*(?:ehlo|helo|polite).*", "The server wants EHLO before anything else.", "AUTH"),
    _row("AUTH refused here", r"503.*", "AUTH is not possible at this point of the session.", "AUTH"),
    _row(
        "mechanism unknown",
        r"504.*",
        "The server does not know this mechanism; the reply to EHLO lists those that it has.",
        "AUTH",
    ),
    _row(
        "cancelled",
        r"501.*cancel.*",
        "The client gave up with *, and the server confirms it (RFC 4954 section 4).",
        "AUTH",
    ),
    _row("", r"501.*", "The server could not read the answer: its Base64 or its form is wrong.", "AUTH"),
    _row(
        "AUTH PLAIN = crashes",
        r"451.*memory.*",
        '"=" as initial response of PLAIN: IndiMail\'s qmail-smtpd runs out of memory and'
        " closes the connection, a known fault. PLAIN has no empty answer anyway.",
        "AUTH",
        _is_crash,
    ),
    _row(
        "checker failed",
        r"451.*child.*",
        "The program that checks passwords crashed, or could not be started: a problem of the server.",
        "AUTH",
    ),
    _row(
        "password change needed",
        r"432.*",
        "The password must first be set anew for this mechanism (RFC 4954 section 6).",
        "AUTH",
    ),
    _row(
        "mechanism too weak",
        r"534.*",
        "The server takes no mechanism as weak as this one for the user (RFC 4954 section 6).",
        "AUTH",
    ),
    _row("too many errors", r"421.*", "The server closes the connection: too many failures, or too long a silence."),
    _row(
        "temporary failure",
        r"4[0-9]{2}.*",
        "A temporary failure: the server could not ask its user table. Nothing is said about the"
        " password; try again later, and look at the server's log.",
        "AUTH",
    ),
    _row(
        "too long",
        r"500.*",
        "The line was too long for the server (RFC 4954 section 4: at least 12288 octets must be taken).",
        "AUTH",
    ),
    _row("login required", r"530.*", "The server takes mail only after AUTH (RFC 4954 section 6)."),
    _row(
        "relaying needs a login",
        r"55[034].*(?:relay|without auth|rcpthosts).*",
        "Mail to other hosts is taken only from who has logged in: this session has not, or its account may not"
        " relay (IndiMail: NO_RELAY).",
    ),
    _row(
        "a command after the exchange",
        r"50[02].*",
        "The server took the line for a command: the exchange was over already, or had not begun.",
        "?",
    ),
    _row(
        "out of step",
        r".*",
        "A reply that nothing here asked for: client and server are out of step, or a line is missing in the record.",
        fits=lambda reply: not reply.verb,
    ),
)
"""The rows, the more particular first. 235 and 535 are told in `annotate_verdicts`, which knows of the password."""


def judge_reply(reply: Reply) -> str:
    """Say what a reply means; returns the name of what is wrong, "" for nothing."""
    text = f"{reply.code} {reply.text}"
    for row in RULES:
        if (not row.verb or row.verb == reply.verb) and row.pattern.fullmatch(text) and row.fits(reply):
            reply.draft.say(row.sentence)
            return row.name if row.name != "the greeting" else ""
    return ""


def judge_place(exchange: Exchange) -> None:
    """Say at the AUTH command what is wrong with where it stands."""
    command = exchange.command
    if command is None:
        return
    for name in exchange.found:
        command.say(PLACES.get(name, ""))


def judge_framing(message: Message, exchange: Exchange) -> None:
    """Say what is special about ``=``, ``*``, a command within the exchange and an initial response for CRAM."""
    row = _FRAMING.get((message.kind, message.is_initial)) or _FRAMING.get((message.kind, None))
    if message.is_initial and exchange.mechanism.startswith(("CRAM", "DIGEST")):
        row = _EARLY
    if row is None:
        return
    name, sentence = row
    message.draft.say(sentence)
    if name:
        exchange.found.append(name)


_EARLY: Final = (
    "initial response where the server begins",
    (
        "An initial response for a mechanism in which the server begins: RFC 4954 section 4 has it refused. IndiMail's"
        " qmail-smtpd ignores it and sends its challenge."
    ),
)
_FRAMING: Final = {
    ("equals", True): ("", '"=" is an initial response of no octets at all (RFC 4954 section 4).'),
    ("equals", False): (
        '"=" after 334',
        '"=" stands for nothing only behind AUTH. After 334 an empty answer is an empty line (RFC 4954 section 4).',
    ),
    ("cancel", None): ("cancelled", '"*" cancels the exchange (RFC 4954 section 4).'),
    ("command", None): (
        "a command in the exchange",
        (
            'A command, but after 334 the server takes every line for an answer. "*" ends the exchange first (RFC'
            " 4954 section 4)."
        ),
    ),
    ("late", None): (
        "",
        (
            "The exchange was over already: the server takes this line for a command. Hidden, since it is probably an"
            " answer that came too late."
        ),
    ),
}
