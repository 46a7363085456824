"""What is said in an AUTH exchange: the server's replies and challenges, the client's command, and how it all ended.

Source: RFC 4954 sections 4 and 6; IndiMail smtpd.c `smtp_auth()`, `authenticate()` and the err_…() functions (texts,
letter for letter).

Note for maintainers: a strict server says one line a turn. The real one at times says two, or hangs up, or hangs up
without a word; a `Reply` can say so, and whoever sends replies sends all its `lines` and then looks at `hangs_up`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.auth import framing
from indimail_kit.errors import SaslError


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that ends an exchange.

    Attributes:
        code: Reply code; 0 for a server that hangs up without a word.
        text: Text behind it, with the enhanced code as IndiMail writes it.
        more: Replies that follow unasked, which only a server with a fault has.
        hangs_up: Whether the server closes the connection then.
    """

    code: int
    text: str
    more: tuple[Reply, ...] = ()
    hangs_up: bool = False

    @property
    def line(self) -> str:
        """Return the first line as sent, without its end; "" for a server that says nothing."""
        return f"{self.code} {self.text}" if self.code else ""

    @property
    def lines(self) -> tuple[str, ...]:
        """Return every line as sent, without its end.

        Example:
            >>> Reply(501, "auth exchange cancelled (#5.0.0)", more=(Reply(454, "temporary"),)).lines
            ('501 auth exchange cancelled (#5.0.0)', '454 temporary')
        """
        first = (self.line,) if self.code else ()
        return first + tuple(line for reply in self.more for line in reply.lines)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A ``334`` reply: the server asks, the client answers.

    Attributes:
        octets: The challenge before Base64.
    """

    octets: bytes

    code = 334

    @property
    def line(self) -> str:
        """Return the line as sent, without its end; there is a blank even before an empty challenge."""
        return f"{self.code} {framing.encode_base64(self.octets)}"

    @property
    def lines(self) -> tuple[str, ...]:
        """Return every line as sent, without its end: one."""
        return (self.line,)


@dataclass(frozen=True, slots=True)
class AuthResult:
    """How an exchange ended; for the server's eyes, since the client is not told the reason.

    Attributes:
        ok: Whether the client is who it says.
        authcid: Who it said it is, "" when the exchange did not get so far.
        mechanism: Name as registered, "" for an unknown one (a client that mixes things up may put its secret there).
        reason: Why not, as a noun phrase; "" when ok.
        can_relay: Whether mail to other hosts is taken; always False when not ok.
    """

    ok: bool
    authcid: str
    mechanism: str
    reason: str = ""
    can_relay: bool = False


ACCEPTED: Final = Reply(235, "ok, go ahead (#2.0.0)")
ALREADY_AUTHENTICATED: Final = Reply(503, "you're already authenticated (#5.5.0)")
CANCELLED: Final = Reply(501, "auth exchange cancelled (#5.0.0)")
CRASHED: Final = Reply(451, "Sorry, there is a problem with my child and I can't auth (#4.3.0)")
ENCRYPTION_REQUIRED: Final = Reply(538, "Encryption required for requested authentication mechanism (#5.7.11)")
FAILED: Final = Reply(535, "authorization failure (#5.7.8)")
IN_TRANSACTION: Final = Reply(503, "no auth during mail transaction (#5.5.0)")
LINE_TOO_LONG: Final = Reply(500, "authentication exchange line is too long (#5.5.6)")
MALFORMED: Final = Reply(501, "malformed auth input (#5.5.4)")
NOT_AVAILABLE: Final = Reply(503, "auth not available (#5.3.3)")
OUT_OF_MEMORY: Final = Reply(451, "Sorry, I ran out of memory (#4.3.0)", hangs_up=True)
REQUIRED: Final = Reply(530, "authentication required (#5.7.1)")
TEMPORARY: Final = Reply(454, "temporary authentication failure (#4.3.0)")
UNIMPLEMENTED: Final = Reply(504, "auth type unimplemented (#5.5.1)")

SILENCE: Final = Reply(0, "", hangs_up=True)
"""The connection closes without a reply."""

REPLIES: Final = (
    ACCEPTED,
    ALREADY_AUTHENTICATED,
    CANCELLED,
    CRASHED,
    ENCRYPTION_REQUIRED,
    FAILED,
    IN_TRANSACTION,
    LINE_TOO_LONG,
    MALFORMED,
    NOT_AVAILABLE,
    OUT_OF_MEMORY,
    REQUIRED,
    TEMPORARY,
    UNIMPLEMENTED,
)
"""Every reply to AUTH. Source: IndiMail smtpd.c; LINE_TOO_LONG is RFC 4954's, qmail-smtpd takes lines of any length."""

_COMMAND: Final = re.compile(rb"([^ ]*) *(.*)", re.DOTALL)
_REPLY: Final = re.compile(rb"([2-5][0-9]{2})(?:[ -](.*))?", re.DOTALL)


class EndExchangeError(Exception):
    """A server's side ends with this reply; it never leaves the room.

    Attributes:
        reply: What the client hears.
        reason: Why, as a noun phrase.
        authcid: Who the client said it is, "" when that is not known.
    """

    def __init__(self, reply: Reply, reason: str, authcid: str = "") -> None:
        self.reply = reply
        self.reason = reason
        self.authcid = authcid
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class AuthCommand:
    """The argument of AUTH.

    Attributes:
        mechanism: Name as the client wrote it, "" when it is missing; by mistake it may be a secret.
        initial_response: Text behind it, still in Base64, or None.
    """

    mechanism: str = field(repr=False)
    initial_response: bytes | None = field(repr=False)


def parse_auth(argument: bytes) -> AuthCommand:
    """Read what follows the word AUTH, without the line end; every text is some command.

    Source:
        smtpd.c `smtp_auth()`: the first blank ends the name, the rest without leading blanks is the initial response.

    Example:
        >>> parse_auth(b"plain AHRpbQB0YW5zdGFhZnRhbnN0YWFm").mechanism
        'plain'
    """
    match = _COMMAND.fullmatch(framing.strip_line_end(argument).lstrip(b" "))
    name, rest = match.groups() if match is not None else (b"", b"")
    return AuthCommand(name.decode("ascii", "replace"), rest or None)


def parse_reply(line: bytes) -> Reply:
    r"""Read one reply line.

    Raises:
        SaslError: It does not begin with a reply code from 200 to 599 and a blank or hyphen.

    Example:
        >>> parse_reply(b"235 ok, go ahead (#2.0.0)\r\n").text
        'ok, go ahead (#2.0.0)'
    """
    match = _REPLY.fullmatch(framing.strip_line_end(line))
    if match is None:
        raise SaslError("a reply code from 200 to 599 and a text")
    return Reply(int(match[1]), (match[2] or b"").decode("utf-8", "backslashreplace"))
