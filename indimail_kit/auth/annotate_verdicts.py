"""The verdict on an exchange: what each message says, whether it was accepted, and what remains as the cause.

Source: RFC 4954 sections 4 and 6; IndiMail smtpd.c (one reply for every cause of a refusal, after a pause of 5 s) and
vchkpass.c (what an account may lack).

Rule 1: never a guess: where several causes fit, all are named; where none is seen, it says which remain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from indimail_kit.auth import annotate_parts as parts
from indimail_kit.auth import framing
from indimail_kit.auth.annotate_mistakes import find_mistakes
from indimail_kit.auth.annotate_model import Draft, Exchange, Field, Message
from indimail_kit.auth.annotate_proof import check_exchange
from indimail_kit.auth.annotate_replies import judge_framing, judge_place
from indimail_kit.visible import visible

_CHALLENGE: Final = re.compile(rb"<([0-9]{1,20})\.([0-9]{1,12})@([^<>@\s]+)>")
_LAST_TIME: Final = 253402300799
"""The last second of the year 9999 (unit: s since 1970), after which dates cannot be written."""

_SIMPLE_USER: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")

_SAID: Final = {
    "plain": "Authzid (mostly empty), user and password in one message, divided by NULs.",
    "login user": "The user, in Base64.",
    "login passwd": "The password, in Base64: encoded, not encrypted.",
    "cram response": "The user and a digest of challenge and password; the password itself is not in it.",
    "digest response": "The user, and a digest of password, realm and both nonces.",
    "scram client-first": "The user and the client's nonce; no proof yet.",
    "scram client-final": "The client's proof that it knows the password, bound to both nonces.",
    "xoauth2": "The user and a bearer token: whoever has the token can log in until it expires.",
    "oauthbearer": "The user and a bearer token: whoever has the token can log in until it expires.",
    "empty": "An empty answer, as it should be.",
}
"""Kind of message -> what a well-formed one says."""

_ASKED: Final = {
    "digest challenge": "The server's nonce and realm, for the digest.",
    "rspauth": "The server's own digest: it knows the password as well. The client answers with an empty line.",
    "scram server-first": "Both nonces, the salt and the number of iterations.",
    "scram server-final": "The server's signature: it knows the password's key. The client answers with an empty line.",
    "token error": (
        "The server refuses the token and says why, in JSON. The client must answer with an empty line; only then comes"
        " the 535."
    ),
}
"""Kind of challenge -> what it says."""

_HASH_ONLY: Final = ("CRAM", "DIGEST", "SCRAM")
_CLEAR: Final = ("LOGIN", "PLAIN", "XOAUTH2", "OAUTHBEARER")


def judge_challenge(draft: Draft, octets: bytes, kind: str) -> None:
    """Say what a 334 asks."""
    if draft.octets is None:
        draft.say("This 334 has no Base64 behind it, as RFC 4954 section 4 wants: the server's fault.")
    elif kind == "cram challenge":
        draft.say(_describe_challenge(octets))
    elif kind == "prompt":
        draft.say("The server asks for the password." if b"pass" in octets.lower() else "The server asks for the user.")
    elif kind in _ASKED:
        draft.say(_ASKED[kind])
    elif not octets:
        draft.say("The server waits for the client's message.")


def _describe_challenge(octets: bytes) -> str:
    match = _CHALLENGE.fullmatch(octets)
    if match is None:
        return "The challenge: the digest is made over all of it, angle brackets included."
    seconds = int(match[2])
    when = ""
    if 10**8 < seconds <= _LAST_TIME:
        when = f" ({datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC)"
    return (
        f"The challenge, good for one answer: process {int(match[1])}, time {seconds}{when}, host"
        f" {match[3].decode('ascii', 'backslashreplace')}."
    )


def judge_exchange(exchange: Exchange) -> str:
    """Say all that is to say about an exchange, at its steps; returns the sentence for the summary."""
    judge_place(exchange)
    is_right = check_exchange(exchange)
    for message in exchange.messages:
        judge_framing(message, exchange)
        rows = find_mistakes(message, exchange)
        for row in rows:
            message.draft.say(row.sentence)
            exchange.found.append(row.name)
        if message.kind == "login user" and message.draft.octets is None and message.user:
            message.draft.say(f"In Base64 it is {framing.encode_base64(_octets(message.user))}.")
        if not rows and is_right is not False and message.kind in _SAID and _is_well_formed(message):
            message.draft.say(_SAID[message.kind])
    hide_doubtful_user(exchange)
    _judge_wire(exchange)
    if any(kind == "token error" for _, _, kind in exchange.challenges):
        exchange.found.append("the token was refused")
    if exchange.is_record_silent:
        exchange.found.append(_SILENT)
    outcome = _outcome(exchange, is_right)
    remarks = [one for one in dict.fromkeys(exchange.found) if one in _REMARKS]
    remark = f" ({'; '.join(remarks)})" if remarks else ""
    if exchange.reply is not None:
        exchange.reply.say(_writable(outcome.long))
    return _writable(f"{_who(exchange)}: {outcome.short}{remark}")


def _writable(text: str) -> str:
    """Return a text without lone surrogates, which cannot be printed."""
    return text.encode("utf-8", "backslashreplace").decode()


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_well_formed(message: Message) -> bool:
    roles = {one.role for one in message.draft.fields}
    is_odd = roles & {"not understood", "user or password", "not Base64", "masked in the record"}
    return not is_odd and (bool(message.draft.fields) or message.kind == "empty")


def hide_doubtful_user(exchange: Exchange) -> None:
    """Mask LOGIN's first answer where it could be the password."""
    users = [message for message in exchange.messages if message.kind == "login user"]
    passwds = [message.octets for message in exchange.messages if message.kind == "login passwd"]
    for message in users:
        octets = message.octets.strip()
        is_address = parts.looks_like_address(octets)
        is_followed = bool(passwds) and not parts.looks_like_address(passwds[-1].strip())
        is_user = is_address or (is_followed and _SIMPLE_USER.fullmatch(octets) is not None)
        if message.draft.octets and (not is_user or octets in passwds):
            message.draft.fields = (Field(0, len(message.octets), "user or password", parts.LOGIN, is_secret=True),)
            message.user = ""


def _judge_wire(exchange: Exchange) -> None:
    """Say where a password went over an unencrypted wire although it need not."""
    is_clear = exchange.mechanism in _CLEAR and bool(exchange.messages)
    if is_clear and exchange.is_tls_offered and not exchange.has_tls and exchange.command is not None:
        exchange.command.say(
            "STARTTLS was offered and not used: everybody on the way could read the password, since"
            " Base64 hides nothing."
        )


def _who(exchange: Exchange) -> str:
    line = exchange.command.line.number if exchange.command is not None else None
    if line is None:
        line = exchange.messages[0].draft.line.number if exchange.messages else 0
    return f"line {line}, {exchange.mechanism or 'AUTH'}" + (f" as {visible(exchange.user)}" if exchange.user else "")


_HARMLESS: Final = frozenset({"acts for another user", "without EHLO", "after HELO", "not offered", "spare bits"})
"""Mistakes that IndiMail lets pass, so that they explain no refusal of its."""

_SILENT: Final = "an answer of the client is not in this record"
_REMARKS: Final = frozenset({_SILENT, "masked in the record"})
"""What the record lacks; no mistake of anybody's."""

_PERHAPS_MEANT: Final = frozenset(
    {
        "user without its domain",
        "blanks around",
        "typographic character",
        "invisible character",
        "accent apart from its letter",
        "quotation marks in the text",
        "HTML entity",
        "UTF-8 encoded twice",
        "the same text twice",
        "application password with blanks",
        "escape written out",
        "percent-encoded user",
    }
)
"""Sights that may be meant so: they explain a refusal, and leave room for other causes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an exchange ended.

    Attributes:
        short: For the summary, as the end of a sentence.
        long: For the step with the reply; "" when its own row says enough.
    """

    short: str
    long: str = ""


def _outcome(exchange: Exchange, is_right: bool | None) -> Outcome:
    """Say how an exchange ended and why."""
    causes = [one for one in dict.fromkeys(exchange.found) if one not in _REMARKS]
    code = exchange.reply_code
    if code == 235:
        user = f" as {visible(exchange.user)}" if exchange.user else ""
        seen = f" What was seen on the way did no harm here: {'; '.join(causes)}." if causes else ""
        return Outcome(f"accepted.{seen}", f"Accepted: logged in{user} with {exchange.mechanism or 'AUTH'}.{seen}")
    if code == 0:
        return Outcome(_without_reply(exchange, causes, is_right))
    if code == 535:
        return _refused(exchange, causes, is_right)
    return Outcome(f"ended with {code}{': ' + _joined(causes) if causes else ''}.")


def _joined(causes: list[str]) -> str:
    return "; ".join(causes)


def _list(causes: list[str]) -> str:
    if len(causes) == 1:
        return f"Seen: {causes[0]}."
    return f"Several things were seen, and each may be the cause: {_joined(causes)}."


def _without_reply(exchange: Exchange, causes: list[str], is_right: bool | None) -> str:
    seen = f" {_list(causes)}" if causes else ""
    if is_right:
        seen += " The password is the right one."
    if exchange.mechanism == "DIGEST-MD5" and exchange.messages:
        seen += " IndiMail's qmail-smtpd closes the connection without a reply when a DIGEST-MD5 password is wrong."
    return f"no reply to it here.{seen}"


def _refused(exchange: Exchange, causes: list[str], is_right: bool | None) -> Outcome:
    strong = [cause for cause in causes if cause not in _HARMLESS]
    needs_clear = exchange.mechanism.startswith(_HASH_ONLY)
    if is_right:
        keeps = (
            ", or it keeps only a hash of the password, from which it cannot check"
            f" {exchange.mechanism} (IndiMail: vpasswd -e keeps the clear one)"
        )
        why = (
            "the password is right. Then the account is inactive or may not use SMTP (IndiMail: NO_SMTP), or the"
            f" server asks another user table{keeps if needs_clear else ''}."
        )
        return Outcome(f"refused although {why}", f"Refused although {why}")
    others = "a wrong password, an unknown user or an inactive account"
    if needs_clear:
        others = "a wrong password, an unknown user, an inactive account or no clear password kept for it"
    if strong:
        seen = _list(strong)
        if _PERHAPS_MEANT.issuperset(strong):
            seen += f" If it is not that, there remain {others}."
        return Outcome(f"refused. {seen}", f"Refused. {seen}")
    weak = f" (Seen as well: {_joined(causes)}.)" if causes else ""
    form = "The" if exchange.is_record_silent else "The form is in order, so the"
    return Outcome(
        f"refused; the octets do not tell why.{weak}",
        f"Refused. {form} octets do not tell why: {others}. A server says the same to all of them; its log may say"
        f" more.{weak}",
    )
