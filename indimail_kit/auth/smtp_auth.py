"""One AUTH exchange, both sides, as state machines without I/O.

Source: RFC 4954 section 4; IndiMail smtpd.c `smtp_auth()`, `authgetl()` (replies, letter for letter).

Note for maintainers: qmail-smtpd has faults of its own here (a second reply after each 501, garbage taken for Base64, a
dropped connection after ``AUTH PLAIN =``). This module answers as the program means to; what a server does
differently is a `Dialect`, and with `indimail_bugs` an exchange has qmail-smtpd's faults. Whoever sends the answers
sends all their `lines` and closes the connection where a reply `hangs_up`.

Rule 1: no clock and no socket; a challenge is given, or drawn from `secrets`. One exchange has one challenge.
Rule 2: unknown user and wrong password take the same path and get the same reply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indimail_kit.auth import framing
from indimail_kit.auth.authority import Authority as Authority
from indimail_kit.auth.authority import Judgement, Lookup, TableAuthority
from indimail_kit.auth.dialect import STRICT as STRICT
from indimail_kit.auth.dialect import Dialect as Dialect
from indimail_kit.auth.indimail_bugs import INDIMAIL_BUGS as INDIMAIL_BUGS
from indimail_kit.auth.mechanisms import Credentials, find_mechanism
from indimail_kit.auth.replies import ACCEPTED as ACCEPTED
from indimail_kit.auth.replies import ALREADY_AUTHENTICATED as ALREADY_AUTHENTICATED
from indimail_kit.auth.replies import CANCELLED as CANCELLED
from indimail_kit.auth.replies import CRASHED as CRASHED
from indimail_kit.auth.replies import ENCRYPTION_REQUIRED as ENCRYPTION_REQUIRED
from indimail_kit.auth.replies import FAILED as FAILED
from indimail_kit.auth.replies import IN_TRANSACTION as IN_TRANSACTION
from indimail_kit.auth.replies import LINE_TOO_LONG as LINE_TOO_LONG
from indimail_kit.auth.replies import MALFORMED as MALFORMED
from indimail_kit.auth.replies import NOT_AVAILABLE as NOT_AVAILABLE
from indimail_kit.auth.replies import OUT_OF_MEMORY as OUT_OF_MEMORY
from indimail_kit.auth.replies import REPLIES as REPLIES
from indimail_kit.auth.replies import REQUIRED as REQUIRED
from indimail_kit.auth.replies import SILENCE as SILENCE
from indimail_kit.auth.replies import TEMPORARY as TEMPORARY
from indimail_kit.auth.replies import UNIMPLEMENTED as UNIMPLEMENTED
from indimail_kit.auth.replies import AuthCommand as AuthCommand
from indimail_kit.auth.replies import AuthResult as AuthResult
from indimail_kit.auth.replies import Challenge as Challenge
from indimail_kit.auth.replies import EndExchangeError
from indimail_kit.auth.replies import Reply as Reply
from indimail_kit.auth.replies import parse_auth as parse_auth
from indimail_kit.auth.replies import parse_reply as parse_reply
from indimail_kit.errors import AccountError, MissingPartError, SaslError

if TYPE_CHECKING:
    from indimail_kit.auth.mechanisms import Dialogue
    from indimail_kit.auth.stored import Account, Proof


class ServerExchange:
    """The server's side of one AUTH exchange.

    Args:
        mechanism: Name in any case.
        lookup: Address -> account, or None for an unknown user. May raise AccountError: the reply is then 454.
        challenge: Octets of the challenge with its angle brackets (CRAM), the directives (DIGEST-MD5) or the server's
            part of the nonce (SCRAM); None to have one made from the next two.
        initial_response: Text behind the mechanism, still in Base64, None or b"" for none.
        host: Name of the server in a challenge that is made.
        unix_s: Time in a CRAM challenge that is made (unit: s since 1970), or None for a random number.
        dialect: What this server does in its own way.
        indimail_bugs: Short for the dialect INDIMAIL_BUGS.
        authority: Who decides instead of `lookup`; for instance a checkpassword module.

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
        lookup: Lookup | None = None,
        challenge: bytes | None = None,
        initial_response: bytes | None = None,
        host: str = "localhost",
        unix_s: int | None = None,
        dialect: Dialect = STRICT,
        indimail_bugs: bool = False,
        authority: Authority | None = None,
    ) -> None:
        row = find_mechanism(mechanism)
        self.mechanism = row.name if row is not None else ""
        self.result: AuthResult | None = None
        self._authority = _Remembering(authority or TableAuthority(lookup or _nobody))
        self._dialect = INDIMAIL_BUGS if indimail_bugs else dialect
        self._initial_response = initial_response
        self._row = row if row is not None and row.is_available else None
        self._dialogue: Dialogue | None = None
        if challenge is None and self._row is not None and self._row.new_challenge is not None:
            challenge = self._row.new_challenge(host, unix_s)
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
        serve = self._dialect.serve.get(row.name, row.serve)
        self._dialogue = serve(self._challenge, self._authority)
        first = next(self._dialogue)
        text = self._initial_response if initial_response is None else initial_response
        if not text or not row.takes_initial_response or row.name in self._dialect.takes_no_initial_response:
            return Challenge(first)
        is_empty = text == framing.EMPTY_RESPONSE and self._dialect.knows_empty_response
        return self._hear(self._dialogue, b"" if is_empty else text)

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
        except (AccountError, MissingPartError) as error:
            return self._end(TEMPORARY, f"a user table that could not be asked: {error}", self._authority.authcid)
        except EndExchangeError as end:
            return self._end(end.reply, end.reason, end.authcid)
        except StopIteration as stop:
            judgement: Judgement = stop.value
        if not judgement.ok:
            return self._end(FAILED, judgement.reason, judgement.authcid)
        self.result = AuthResult(
            ok=True, authcid=judgement.authcid, mechanism=self.mechanism, can_relay=judgement.can_relay
        )
        return ACCEPTED

    def _end(self, reply: Reply, reason: str, authcid: str = "") -> Reply:
        self.result = AuthResult(ok=False, authcid=authcid, mechanism=self.mechanism, reason=reason)
        return self._dialect.replies.get(reply, reply)


class _Remembering:
    """An authority that remembers for whom it was asked last, so that the log has the user when it fails."""

    def __init__(self, authority: Authority) -> None:
        self.authcid = ""
        self._authority = authority

    def find(self, authcid: str) -> Account | None:
        """Remember the user and ask."""
        self.authcid = authcid
        return self._authority.find(authcid)

    def judge(self, proof: Proof) -> Judgement:
        """Remember the user and ask."""
        self.authcid = proof.authcid
        return self._authority.judge(proof)


def _nobody(_authcid: str) -> None:
    """Find nobody."""


class ClientExchange:
    """The client's side of one AUTH exchange.

    Args:
        mechanism: Name in any case.
        authcid: Who the client is.
        passwd: Its password; for XOAUTH2 its bearer token.
        authzid: Whom it wants to act for (PLAIN).
        sends_initial_response: Whether it puts its first message behind AUTH; None for the mechanism's habit.
        host: Name of the server, "" for what its challenge says (DIGEST-MD5).
        nonce: The client's nonce, "" to have one drawn (DIGEST-MD5, SCRAM).

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
        host: str = "",
        nonce: str = "",
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
        credentials = Credentials(authcid=authcid, passwd=passwd, authzid=authzid, host=host, nonce=nonce)
        self._steps = iter(row.steps(credentials))

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
            self._steps = iter(())  # whoever cancelled has nothing more to say
            self.reason = f"a malformed challenge: {error}"
            return framing.CANCEL.decode("ascii")
