"""One AUTH exchange, both sides, as state machines without I/O.

Source: RFC 4954 section 4; IndiMail smtpd.c `smtp_auth()`, `authgetl()` (replies, letter for letter).

Note for maintainers: qmail-smtpd has faults of its own here (a second reply after each 501, garbage taken for Base64, a
dropped connection after ``AUTH PLAIN =``). This module answers as the program means to; what a server does
differently on purpose is a `Dialect`.

Rule 1: no clock and no socket; a challenge is given, or drawn from `secrets`.
Rule 2: unknown user and wrong password take the same path and get the same reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from indimail_kit.auth import cram, framing
from indimail_kit.auth.mechanisms import Credentials, find_mechanism
from indimail_kit.auth.stored import Account
from indimail_kit.errors import AccountError, MissingPartError, SaslError

if TYPE_CHECKING:
    from indimail_kit.auth.mechanisms import Dialogue
    from indimail_kit.auth.stored import Proof


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that ends an exchange.

    Attributes:
        code: Reply code.
        text: Text behind it, with the enhanced code as IndiMail writes it.
    """

    code: int
    text: str

    @property
    def line(self) -> str:
        """Return the line as sent, without its end."""
        return f"{self.code} {self.text}"


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
ENCRYPTION_REQUIRED: Final = Reply(538, "Encryption required for requested authentication mechanism (#5.7.11)")
FAILED: Final = Reply(535, "authorization failure (#5.7.8)")
IN_TRANSACTION: Final = Reply(503, "no auth during mail transaction (#5.5.0)")
LINE_TOO_LONG: Final = Reply(500, "authentication exchange line is too long (#5.5.6)")
MALFORMED: Final = Reply(501, "malformed auth input (#5.5.4)")
NOT_AVAILABLE: Final = Reply(503, "auth not available (#5.3.3)")
REQUIRED: Final = Reply(530, "authentication required (#5.7.1)")
TEMPORARY: Final = Reply(454, "temporary authentication failure (#4.3.0)")
UNIMPLEMENTED: Final = Reply(504, "auth type unimplemented (#5.5.1)")

REPLIES: Final = (
    ACCEPTED,
    ALREADY_AUTHENTICATED,
    CANCELLED,
    ENCRYPTION_REQUIRED,
    FAILED,
    IN_TRANSACTION,
    LINE_TOO_LONG,
    MALFORMED,
    NOT_AVAILABLE,
    REQUIRED,
    TEMPORARY,
    UNIMPLEMENTED,
)
"""Every reply to AUTH. Source: IndiMail smtpd.c; LINE_TOO_LONG is RFC 4954's, qmail-smtpd takes lines of any length."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one server does in its own way.

    Attributes:
        name: For people.
        decode_base64: Octets of a line -> octets meant; raises SaslError.
    """

    name: str
    decode_base64: Callable[[bytes], bytes]


STRICT: Final = Dialect("strict", framing.decode_base64)
"""RFC 4954 to the letter."""

_NOBODY: Final = Account(address="", pw_passwd="{CRAM}nobody has this password,")  # noqa: S106 - it opens nothing
"""Stands for an unknown user, so that the comparison is made all the same; what it says does not count."""

_COMMAND: Final = re.compile(rb"([^ ]*) *(.*)", re.DOTALL)
_REPLY: Final = re.compile(rb"([2-5][0-9]{2})(?:[ -](.*))?", re.DOTALL)


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
        >>> parse_reply(b"235 ok, go ahead (#2.0.0)\r\n")
        Reply(code=235, text='ok, go ahead (#2.0.0)')
    """
    match = _REPLY.fullmatch(framing.strip_line_end(line))
    if match is None:
        raise SaslError("a reply code from 200 to 599 and a text")
    return Reply(int(match[1]), (match[2] or b"").decode("utf-8", "backslashreplace"))


class ServerExchange:
    """The server's side of one AUTH exchange.

    Args:
        mechanism: Name in any case.
        lookup: Address -> account, or None for an unknown user. May raise AccountError: the reply is then 454.
        challenge: Octets of the challenge with its angle brackets, or None to have one made from the next two.
        initial_response: Text behind the mechanism, still in Base64, None or b"" for none.
        host: Name of the server in a challenge that is made.
        unix_s: Time in a challenge that is made (unit: s since 1970), or None for a random number.
        dialect: What this server does in its own way.

    Attributes:
        mechanism: Name as registered, "" when it is unknown.
        result: How it ended; None while it goes on.

    Deviation:
        RFC 4954 refuses an initial response where the server begins; qmail-smtpd ignores it (CRAM), and so do we.

    Example:
        >>> exchange = ServerExchange("PLAIN", lookup=lambda address: None)
        >>> exchange.start().line
        '334 '
        >>> exchange.feed(b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm").line
        '535 authorization failure (#5.7.8)'
    """

    def __init__(
        self,
        mechanism: str,
        *,
        lookup: Callable[[str], Account | None],
        challenge: bytes | None = None,
        initial_response: bytes | None = None,
        host: str = "localhost",
        unix_s: int | None = None,
        dialect: Dialect = STRICT,
    ) -> None:
        row = find_mechanism(mechanism)
        self.mechanism = row.name if row is not None else ""
        self.result: AuthResult | None = None
        self._lookup = lookup
        self._dialect = dialect
        self._initial_response = initial_response
        self._row = row if row is not None and row.is_available else None
        self._dialogue: Dialogue | None = None
        if challenge is None and row is not None and row.needs_challenge:
            challenge = cram.make_challenge(host=host, unix_s=unix_s)
        self._challenge = challenge or b""

    def start(self, initial_response: bytes | None = None) -> Reply | Challenge:
        """Begin; the answer is the first challenge or, after an initial response, perhaps the reply.

        Args:
            initial_response: As in the constructor, where it may be left out.

        Raises:
            SaslError: The exchange was begun before.
        """
        if self._dialogue is not None or self.result is not None:
            raise SaslError("one start of an exchange")
        row = self._row
        if row is None:
            return self._end(UNIMPLEMENTED, "a mechanism that is not here")
        self._dialogue = row.serve(self._challenge)
        first = next(self._dialogue)
        text = self._initial_response if initial_response is None else initial_response
        if not text or not row.takes_initial_response:
            return Challenge(first)
        return self._hear(self._dialogue, b"" if text == framing.EMPTY_RESPONSE else text)

    def feed(self, line: bytes) -> Reply | Challenge:
        """Take the client's next line, with or without its end.

        Raises:
            SaslError: The exchange has not begun, or is over.
        """
        if self._dialogue is None or self.result is not None:
            raise SaslError("an exchange that goes on")
        text = framing.strip_line_end(line)
        if text == framing.CANCEL:
            return self._end(CANCELLED, "the client's wish")
        if len(line) > framing.MAX_LINE_BYTES:
            return self._end(LINE_TOO_LONG, "a line that is too long")
        return self._hear(self._dialogue, text)

    def _hear(self, dialogue: Dialogue, text: bytes) -> Reply | Challenge:
        """Give one response to the mechanism."""
        try:
            return Challenge(dialogue.send(self._dialect.decode_base64(text)))
        except SaslError as error:
            return self._end(MALFORMED, f"a malformed response: {error}")
        except StopIteration as stop:
            proof: Proof = stop.value
        return self._judge(proof)

    def _judge(self, proof: Proof) -> Reply:
        """Compare the proof with the table; the comparison is made for an unknown user as well."""
        authcid = proof.authcid
        try:
            account = self._lookup(authcid)
            is_right = proof.matches(account if account is not None else _NOBODY)
        except (AccountError, MissingPartError) as error:
            return self._end(TEMPORARY, f"a user table that could not be asked: {error}", authcid)
        if account is None:
            return self._end(FAILED, "an unknown user", authcid)
        if not is_right:
            return self._end(FAILED, "a wrong password", authcid)
        if not account.is_active:
            return self._end(FAILED, "an inactive account", authcid)
        if not account.can_smtp:
            return self._end(FAILED, "an account without SMTP", authcid)
        self.result = AuthResult(ok=True, authcid=authcid, mechanism=self.mechanism, can_relay=account.can_relay)
        return ACCEPTED

    def _end(self, reply: Reply, reason: str, authcid: str = "") -> Reply:
        self.result = AuthResult(ok=False, authcid=authcid, mechanism=self.mechanism, reason=reason)
        return reply


class ClientExchange:
    """The client's side of one AUTH exchange.

    Args:
        mechanism: Name in any case.
        authcid: Who the client is.
        passwd: Its password.
        authzid: Whom it wants to act for (PLAIN).
        sends_initial_response: Whether it puts its first message behind AUTH; None for the mechanism's habit.

    Attributes:
        mechanism: Name as registered.
        reason: Why the client cancelled, "" if it did not.

    Raises:
        SaslError: The mechanism is unknown, or takes no initial response, or user or password cannot be sent with it.

    Example:
        >>> exchange = ClientExchange("LOGIN", authcid="postmaster@example.com", passwd="pass")
        >>> exchange.start(), exchange.feed(b"VXNlcm5hbWU6"), exchange.feed(b"UGFzc3dvcmQ6")
        (None, 'cG9zdG1hc3RlckBleGFtcGxlLmNvbQ==', 'cGFzcw==')
    """

    def __init__(
        self,
        mechanism: str,
        *,
        authcid: str,
        passwd: str,
        authzid: str = "",
        sends_initial_response: bool | None = None,
    ) -> None:
        row = find_mechanism(mechanism)
        if row is None:
            raise SaslError("the name of a mechanism of the kit")
        if sends_initial_response and not row.takes_initial_response:
            raise SaslError("a mechanism that takes an initial response")
        self.mechanism = row.name
        self.reason = ""
        wish = sends_initial_response
        self._sends_initial_response = row.is_client_first if wish is None else wish
        self._steps = iter(row.steps(Credentials(authcid=authcid, passwd=passwd, authzid=authzid)))

    def start(self) -> str | None:
        """Return the initial response in Base64, or None when the client waits for the server.

        The command is then ``AUTH NAME RESPONSE`` or ``AUTH NAME``.
        """
        if not self._sends_initial_response:
            return None
        return framing.encode_base64(next(self._steps)(b"")) or framing.EMPTY_RESPONSE.decode("ascii")

    def feed(self, challenge: bytes | str) -> str:
        """Return the line that answers a 334, without its end; ``*`` when there is no answer.

        Args:
            challenge: The text behind ``334`` and its blank.

        Raises:
            MissingPartError: This Python lacks the hash.
        """
        text = challenge if isinstance(challenge, bytes) else challenge.encode("utf-8", "surrogatepass")
        step = next(self._steps, None)
        if step is None:
            self.reason = "a challenge after the last answer"
            return framing.CANCEL.decode("ascii")
        try:
            return framing.encode_base64(step(framing.decode_base64(framing.strip_line_end(text).strip(b" "))))
        except SaslError as error:
            self.reason = f"a malformed challenge: {error}"
            return framing.CANCEL.decode("ascii")
