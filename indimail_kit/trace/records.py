"""What a log is cut into so that it can be joined: lives of message numbers, SMTP sessions with their mails, scans.

Rule 1: values only; all times are those of qmail-send's host.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from indimail_kit.logs.fields import cleaned as cleaned

if TYPE_CHECKING:
    from indimail_kit.trace.index import LogIndex

Key = tuple[str, int]
"""Queue and message number."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log.

    Attributes:
        unix_ns: Its time by qmail-send's clock (unit: ns since 1970), or None.
        kind: Kind of statement.
        text: The line without its stamp.
        file: Where it stands.
        line_number: Line in that file.
    """

    unix_ns: int | None
    kind: str
    text: str
    file: str
    line_number: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery whose start is in the log, as DELIVERIES has it.

    Attributes:
        delivery_number: Number of the delivery.
        channel: local or remote.
        recipient: As logged, or None.
        outcome: success, failure or deferral; None without an end.
        is_open: Whether it is under way at the end of the log.
        started_at: When it began (unit: ns since 1970), or None.
        ended_at: When it ended (unit: ns since 1970), or None.
        start_event: Position of its first line.
        end_event: Position of its last line, or None.
    """

    delivery_number: int
    channel: str | None
    recipient: str | None
    outcome: str | None
    is_open: bool
    started_at: int | None
    ended_at: int | None
    start_event: int
    end_event: int | None


@dataclass(slots=True, eq=False)
class Life:
    """One life of a message number.

    Attributes:
        row: Which life of the log it is.
        queue: Name of the queue, "" where the log names none.
        message_number: The number.
        lifetime: Which life it is.
        log: The log that tells of it.
        qp: Long-term queue identifier, or None.
        sender: As logged, or None.
        message_bytes: Size (unit: octets), or None.
        recipient_count: Recipients that todo-proc listed, or None.
        born_ns: When it was preprocessed, or its first line, or None without stamps.
        has_birth: Whether the log shows its birth.
        ended_ns: When it left the queue, or None.
        last_ns: The last time at which the log tells of it.
        is_open: Whether it is in the queue at the end of the log.
        first_event: Position of its first line.
        end_event: Position of its last line, or None.
        bounce_qp: qp of its bounce, or None.
        listed: Recipients that todo-proc listed.
        deliveries: Its deliveries, in the order of their starts.
    """

    row: int
    queue: str
    message_number: int
    lifetime: int
    log: LogIndex = field(repr=False)
    qp: int | None
    sender: str | None
    message_bytes: int | None
    recipient_count: int | None
    born_ns: int | None
    has_birth: bool
    ended_ns: int | None
    last_ns: int | None
    is_open: bool
    first_event: int
    end_event: int | None
    bounce_qp: int | None
    listed: set[str] = field(default_factory=set)
    deliveries: list[Attempt] = field(default_factory=list, repr=False)

    @property
    def key(self) -> Key:
        """Return queue and number."""
        return self.queue, self.message_number

    @property
    def previous(self) -> Life | None:
        """Return the life before, of the same number in the same queue."""
        return self.log.previous_of(self)

    @property
    def recipients(self) -> set[str]:
        """Return every recipient that the log names, once, as todo-proc wrote it if it did."""
        listed = {cleaned(one) for one in self.listed}
        tried = (one.recipient or "" for one in self.deliveries)
        return self.listed | {one for one in tried if cleaned(one) not in listed}

    @property
    def window_start_ns(self) -> int | None:
        """Return since when the number can have been this message's; None if the log does not tell."""
        return None if self.previous is None else self.previous.last_ns


@dataclass(slots=True, eq=False)
class Mail:
    """One mail of an SMTP session, as qmail-smtpd logs it: one line for each recipient.

    Attributes:
        session: The session.
        is_accepted: Whether qmail-queue took it.
        sender: Envelope sender.
        recipients: Envelope recipients.
        message_bytes: Size (unit: octets), or None.
        qp: Long-term queue identifier; the log tells it of a refused mail only.
        lines: Positions of its lines.
        unix_ns: Time of the first (unit: ns since 1970), or None.
    """

    session: Session
    is_accepted: bool
    sender: str
    recipients: list[str]
    message_bytes: int | None
    qp: int | None
    lines: list[int]
    unix_ns: int | None


@dataclass(slots=True, eq=False)
class Session:
    """One SMTP session.

    Attributes:
        pid: Process of qmail-smtpd.
        log: The log that tells of it.
        lines: Positions of its lines.
        mails: Its mails.
        has_start: Whether the log shows its beginning.
        start_ns: Time of its first line (unit: ns since 1970), or None.
        end_ns: Time of its last line (unit: ns since 1970), or None.
    """

    pid: int
    log: LogIndex = field(repr=False)
    lines: list[int] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list, repr=False)
    has_start: bool = False
    start_ns: int | None = None
    end_ns: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One file that clamd looked at.

    Attributes:
        log: The log that tells of it.
        position: Position of its line.
        unix_ns: When clamd answered (unit: ns since 1970), or None.
        queue: Queue of the file, "" for a file outside of a queue.
        message_number: Number in the path; None for a file outside of a queue.
        kind: clamd_scan_ok, clamd_scan_found or clamd_scan_error.
        is_coarse: Whether its stamp is a whole second, as in ClamAV's own log files: up to a second too early.
    """

    log: LogIndex = field(repr=False)
    position: int
    unix_ns: int | None
    queue: str
    message_number: int | None
    kind: str
    is_coarse: bool = False
