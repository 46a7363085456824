"""qmail-remote's side of an SMTP session: greet, offer the mail to one or several recipients, say how it went.

Source: RFC 5321; RFC 1870 (SIZE); IndiMail qmail-remote.c `smtp()`, `quit()`, `dropped()`; the recorded reports of
send-for-smtpd and send-single-queue1.

Note for maintainers: smtplib is not used, because it rewrites bare CR and LF of a mail and does not tell a connection
that died before the last dot from one that died behind it; see docs/decisions/0013-own-smtp-client.md.

Rule 1: the mail travels octet for octet; line ends and leading dots are all that changes.
Rule 2: each reply and each piece has its time limit: a host that is silent or slow for ever ends in a deferral.
Rule 3: after a read error the last dot is never sent: nobody gets half a mail.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from indimail_kit.delivery.routing import quote_address
from indimail_kit.delivery.smtp_reply import Reply, ReplyError, ReplyReader, WireData

Letter = Literal["K", "Z", "D"]
"""How the session ended: accepted, later, never."""

RecipientLetter = Literal["r", "s", "h"]
"""What became of one recipient: accepted, later, never."""

ACCEPTED: Final = 250
GREETING: Final = 220
PERMANENT: Final = 500
TEMPORARY: Final = 400

PARTIAL_LINE: Final = b"SMTP cannot transfer messages with partial final lines. (#5.6.2)\n"
NO_MESSAGE: Final = b"Unable to read message. (#4.3.0)\n"
"""Texts of IndiMail's qmail-remote.c."""

_REPLY_OCTETS: Final = 4096


@dataclass(frozen=True, slots=True)
class RemoteReport:
    """What qmail-remote writes on its standard output.

    Attributes:
        recipients: Letter and text of each recipient that was offered, in order.
        letter: How the session ended.
        text: Text about the session; ends with a newline.
        is_host_at_fault: Whether the host is to be remembered as one that does not answer.
    """

    recipients: tuple[tuple[RecipientLetter, bytes], ...]
    letter: Letter
    text: bytes
    is_host_at_fault: bool = False


class ConnectionDiedError(Exception):
    """The other host went away, was silent for too long, or sent a reply without an end."""


class NextHostError(Exception):
    """The greeting was a temporary refusal: another host should be tried (RFC 5321 section 3.1)."""


class Wire:
    """A connection with a time limit for each reply and each piece.

    Attributes:
        was_whole: Whether the last dot was on its way: what dies now may have been delivered.
    """

    def __init__(self, connection: socket.socket, *, timeout_s: float) -> None:
        self.was_whole = False
        self._connection = connection
        self._timeout_s = timeout_s
        self._reader = ReplyReader()

    def read_reply(self) -> Reply:
        """Return the next reply.

        Raises:
            ConnectionDiedError: There is none, or it does not end in time.
        """
        ends_s = time.monotonic() + self._timeout_s
        try:
            reply = self._reader.feed()
            while reply is None:
                left_s = ends_s - time.monotonic()
                if left_s <= 0:
                    raise ConnectionDiedError
                self._connection.settimeout(left_s)
                octets = self._connection.recv(_REPLY_OCTETS)
                if not octets:
                    raise ConnectionDiedError
                reply = self._reader.feed(octets)
        except (OSError, ReplyError) as error:
            raise ConnectionDiedError from error
        return reply

    def send(self, octets: bytes) -> None:
        """Send octets.

        Raises:
            ConnectionDiedError: They were not taken in time.
        """
        try:
            self._connection.settimeout(self._timeout_s)
            self._connection.sendall(octets)
        except OSError as error:
            raise ConnectionDiedError from error

    def ask(self, command: bytes) -> Reply:
        """Send a command and return its reply.

        Raises:
            ConnectionDiedError: As `send` and `read_reply`.
        """
        self.send(command + b"\r\n")
        return self.read_reply()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What is to be sent.

    Attributes:
        sender: Envelope sender.
        recipients: Envelope recipients, at least one.
        size: Size on the wire as SIZE has it (unit: octets), see `smtp_reply.wire_size`.
        parts: Gives the pieces of the mail. What it raises as OSError is a deferral.
    """

    sender: bytes
    recipients: Sequence[bytes]
    size: int
    parts: Callable[[], Iterable[bytes]]


def outsafe(octets: bytes) -> bytes:
    """Return an address for a report: what is no visible ASCII becomes a question mark.

    Source:
        qmail-remote.c `outsafe()`.
    """
    return bytes(octet if 33 <= octet <= 126 else ord("?") for octet in octets)


def converse(wire: Wire, mail: Mail, *, address: str, helo_host: str, max_tolerance_s: int) -> RemoteReport:
    """Play a whole session.

    Args:
        wire: The connection, fresh.
        mail: What to send.
        address: The other host, for the report.
        helo_host: Our name.
        max_tolerance_s: Named in the report of a host that hangs up instead of greeting.

    Raises:
        NextHostError: The host does not want to talk to us now.
    """
    host = address.encode()
    session = _Session(wire, mail, host, helo_host)
    try:
        return session.play()
    except ConnectionDiedError:
        remark = b""
        if wire.was_whole:
            remark = b"Possible duplicate! "
        elif session.is_in_greeting:
            remark = b"Will try alternate MX. tcpto interval %d " % max_tolerance_s
        text = b"Connected to %b but connection died. %b(#4.4.2)\n" % (host, remark)
        return RemoteReport(tuple(session.offered), "Z", text, session.is_in_greeting)


class _Session:
    def __init__(self, wire: Wire, mail: Mail, host: bytes, helo_host: str) -> None:
        self.wire = wire
        self.mail = mail
        self.host = host
        self.helo_host = helo_host.encode()
        self.is_in_greeting = True
        self.offered: list[tuple[RecipientLetter, bytes]] = []

    def play(self) -> RemoteReport:
        reply = self.wire.read_reply()
        self.is_in_greeting = False
        if TEMPORARY <= reply.code < PERMANENT:
            raise NextHostError
        if reply.code != GREETING:
            letter: Letter = "D" if PERMANENT <= reply.code < PERMANENT + 100 else "Z"
            return self._quit(letter, b"Connected to ", b" but greeting failed", reply)
        has_size = self._say_hello()
        if isinstance(has_size, RemoteReport):
            return has_size
        return self._offer(has_size=has_size)

    def _say_hello(self) -> bool | RemoteReport:
        """Say EHLO, or HELO where that is unknown; return whether SIZE is understood, or the report of a refusal."""
        reply = self.wire.ask(b"EHLO " + self.helo_host)
        keywords = reply.keywords
        if reply.code >= PERMANENT:
            reply, keywords = self.wire.ask(b"HELO " + self.helo_host), frozenset()
        if reply.code == ACCEPTED:
            return b"SIZE" in keywords
        refused = b" but my name -->%b<-- was rejected :(" % self.helo_host
        return self._quit(_refusal(reply), b"Connected to ", refused, reply)

    def _offer(self, *, has_size: bool) -> RemoteReport:
        mail = self.mail
        sender = quote_address(mail.sender)
        size = b" SIZE=%d" % mail.size if has_size else b""
        reply = self.wire.ask(b"MAIL FROM:<" + sender + b">" + size)
        if reply.code >= TEMPORARY:
            return self._quit(_refusal(reply), b"Connected to ", b" but sender was rejected", reply)
        for recipient in mail.recipients:
            address = quote_address(recipient)
            reply = self.wire.ask(b"RCPT TO:<" + address + b">")
            who = b"From: <%b> RCPT: <%b> " % (outsafe(sender), outsafe(address))
            if reply.code < TEMPORARY:
                self.offered.append(("r", who))
            else:
                refused = who + self.host + b" does not like recipient.\n" + _said(reply)
                self.offered.append(("h" if reply.code >= PERMANENT else "s", refused))
        if not any(letter == "r" for letter, _text in self.offered):
            self._hang_up()
            return RemoteReport(tuple(self.offered), "D", b"Giving up on " + self.host + b".\n")
        reply = self.wire.ask(b"DATA")
        if reply.code >= TEMPORARY:
            return self._quit(_refusal(reply), b"", b" failed on DATA command", reply)
        return self._send_mail()

    def _send_mail(self) -> RemoteReport:
        data = WireData()
        try:
            for piece in data.encode(self.mail.parts()):
                self.wire.send(piece)
        except OSError:
            return RemoteReport(tuple(self.offered), "Z", NO_MESSAGE)
        if not data.is_whole:
            return RemoteReport(tuple(self.offered), "D", PARTIAL_LINE)
        self.wire.was_whole = True
        reply = self.wire.ask(b".")
        self.wire.was_whole = False
        if reply.code >= TEMPORARY:
            return self._quit(_refusal(reply), b"", b" failed after I sent the message", reply)
        return self._quit("K", b"", b" accepted message - Protocol SMTP", reply)

    def _quit(self, letter: Letter, before: bytes, behind: bytes, reply: Reply) -> RemoteReport:
        """End the session without waiting for the answer to QUIT."""
        self._hang_up()
        return RemoteReport(tuple(self.offered), letter, before + self.host + behind + b".\n" + _said(reply))

    def _hang_up(self) -> None:
        try:
            self.wire.send(b"QUIT\r\n")
        except ConnectionDiedError:
            return  # its answer would not have been waited for either


def _refusal(reply: Reply) -> Letter:
    """Return for how long a refusal holds."""
    return "D" if reply.code >= PERMANENT else "Z"


def _said(reply: Reply) -> bytes:
    """Return the other host's words; a NUL would end the report."""
    return b"Remote host said: " + reply.text.replace(b"\0", b"?") if reply.text else b""
