"""One SMTP session as the lab sees it: who, which rules, every octet with its time, what became of it. Values only.

Rule 1: the octets are raw here and hold passwords; whatever leaves this module for people goes through `auth.redact`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.auth.transcript import WireChunk
from indimail_kit.control.tcprules import Match


@dataclass(frozen=True, slots=True)
class Applied:
    """What applies to a client: the rule found and the environment that qmail-smtpd then has.

    Attributes:
        match: The rule of tcp.smtp.
        environment: All variables: the service's, tcpserver's own, the rule's, control files that stand in.
        origin: Variable -> "variables/NAME", "tcpserver", "tcp.smtp rule X (line N)" or "control/NAME".
    """

    match: Match
    environment: Mapping[str, str]
    origin: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpdLimits:
    """What one client may use.

    Attributes:
        message_bytes: Largest mail (unit: octets; IndiMail's databytes).
        command_bytes: Longest command line (unit: octets).
        auth_bytes: Longest line of an AUTH exchange (unit: octets; RFC 4954 section 4).
        recipients: Most recipients of one mail.
        connections: Most sessions at once.
        auth_tries: Failed logins before the session ends.
        idle_s: Longest silence (unit: s; IndiMail's timeoutsmtpd has 1200).
        session_s: Longest session (unit: s).
    """

    message_bytes: int = 10 * 2**20
    command_bytes: int = 2048
    auth_bytes: int = 12288
    recipients: int = 100
    connections: int = 50
    auth_tries: int = 5
    idle_s: float = 300.0
    session_s: float = 3600.0


MAX_SESSION_BYTES: Final = 16 * 2**20
"""Recorded octets kept of one session (unit: octets); what comes after is counted, not kept."""


@dataclass(slots=True)
class SessionRecord:
    """The recording of one session.

    Attributes:
        pid: Process number that the played qmail-smtpd has.
        peer: Address and port of the client.
        started_ns: When the connection was made (unit: ns since 1970).
        applied: Rules and environment; None until they were looked up.
        chunks: Every octet in both directions with its time.
        dropped_bytes: Octets that were not kept, see MAX_SESSION_BYTES.
        events: What happened, as (time in ns, name, value) in order.
        listener: Called with each event as it happens, from the thread in which it happens.
    """

    pid: int
    peer: tuple[str, int]
    started_ns: int
    applied: Applied | None = None
    chunks: list[WireChunk] = field(default_factory=list, repr=False)
    dropped_bytes: int = 0
    events: list[tuple[int, str, object]] = field(default_factory=list, repr=False)
    listener: Callable[[int, str, object], None] | None = field(default=None, repr=False)
    _kept_bytes: int = 0

    def record(self, unix_ns: int, direction: str, octets: bytes) -> None:
        """Keep octets that went over the wire; direction is "client" or "server"."""
        room = MAX_SESSION_BYTES - self._kept_bytes
        kept = octets if len(octets) <= room else octets[:room]
        self.dropped_bytes += len(octets) - len(kept)
        self._kept_bytes += len(kept)
        if kept:
            self.chunks.append(WireChunk(unix_ns, "client" if direction == "client" else "server", kept))

    def emit(self, unix_ns: int, name: str, value: object = None) -> None:
        """Note that something happened and tell the listener."""
        self.events.append((unix_ns, name, value))
        listener = self.listener
        if listener is not None:
            listener(unix_ns, name, value)


@dataclass(slots=True)
class Transaction:
    """One mail on its way in: what AUTH, EHLO, MAIL, RCPT and DATA said.

    Attributes:
        sender: Envelope sender.
        recipients: Envelope recipients.
        message: The mail with LF line ends, as it goes to qmail-queue.
        authcid: Who logged in, or "".
        mechanism: How, or "".
        helo: What the client called itself.
        is_esmtp: Whether it said EHLO.
        tls_version: "TLSv1.3" when the session is encrypted, "" when not.
    """

    sender: bytes
    recipients: list[bytes] = field(default_factory=list)
    message: bytes = field(default=b"", repr=False)
    authcid: str = ""
    mechanism: str = ""
    helo: str = ""
    is_esmtp: bool = False
    tls_version: str = ""
