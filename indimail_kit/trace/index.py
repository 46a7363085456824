"""A log, to be asked by message, by session and by scan.

Rule 1: built on the tables EVENTS, DELIVERIES and MESSAGES alone, so that it does not matter how a log was read.
Rule 2: all times are those of qmail-send's host: what another clock is ahead is taken off here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.tables import DELIVERIES, EVENTS, MESSAGES
from indimail_kit.trace.clocks import NS, ClockName, Clocks
from indimail_kit.trace.records import Key, Life, Line, Mail, Scan, Session, cleaned, values_of

if TYPE_CHECKING:
    import pandas as pd

    from indimail_kit.logs import Log

HOLE_STARTS: Final = 4
"""Deliveries in a row whose start is not in the log: so many are no single lost lines, a piece of the log is missing
(unit: deliveries)."""

_SILENCE_NS: Final = 1300 * NS
"""A session that says nothing for longer is another one of the same pid: qmail-smtpd gives up after 1200 s
(timeoutsmtpd; unit: ns)."""

_TODO_NS: Final = 5 * NS
"""Longest time from todo-proc's line about the todo file to the next line of the same message (unit: ns)."""

_ENDS: Final = ("tcpserver_sigchild", "tcpserver_end")


class LogIndex:
    """One log, to be asked by message, session and scan.

    Attributes:
        lives: In the order of their first lines.
        sessions: In the order of their first lines.
        scans: In the order of the log.
        holes: Where a piece of qmail-send's log is missing: queue and the time of the line behind it.
        send_start_ns: Time of the first line of qmail-send (unit: ns since 1970), None without one.
        bounced_by: qp of a bounce -> lives whose bounce it is.
        by_qp: qp -> lives that have it.
        name: What was read.
    """

    def __init__(self, log: Log, clocks: Clocks) -> None:
        events, deliveries, messages = log.events, log.deliveries, log.messages
        for table, frame in ((EVENTS, events), (DELIVERIES, deliveries), (MESSAGES, messages)):
            table.check(frame)
        self.name = log.name
        self._clocks = clocks
        self._columns = {name: values_of(events, name) for name in _COLUMNS}
        self._by_number: dict[Key, list[int]] = defaultdict(list)
        self._order()
        self.lives = [*self._lives(messages, deliveries)]
        self._fill()
        self.scans = [*self._scans()]
        self.sessions = self._sessions()
        self.holes = [*self._holes(deliveries)]
        sends = (self._columns["time"][position] for position in self._sends)
        self.send_start_ns = next((time for time in sends if time is not None), None)
        self.bounced_by: dict[int, list[Life]] = defaultdict(list)
        self.by_qp: dict[int, list[Life]] = defaultdict(list)
        for life in self.lives:
            if life.bounce_qp is not None:
                self.bounced_by[life.bounce_qp].append(life)
            if life.qp is not None:
                self.by_qp[life.qp].append(life)

    def line(self, position: int) -> Line:
        """Return a line."""
        time, kind, text, file, number = (self._columns[name][position] for name in _LINE)
        clock: ClockName | None = "session" if kind.startswith(_SMTP) else "scan" if kind.startswith("clamd") else None
        return Line(time if clock is None else self._clocks.told(clock, time), kind, text, file, number)

    def lines_of(self, life: Life) -> Iterator[int]:
        """Yield the positions of a life's own lines, those of its deliveries apart; its todo file's line first."""
        positions = self._by_number.get(life.key, [])
        kinds = self._columns["kind"]
        first = bisect_left(positions, life.first_event)
        if first and self._is_todo_of(positions[first - 1], life):
            yield positions[first - 1]
        if positions[first : first + 1] != [life.first_event]:  # slowq-send's "new msg" names no queue
            yield life.first_event
        last = life.end_event if life.end_event is not None else self._next_start(life)
        for position in positions[first : bisect_right(positions, last)]:
            if kinds[position] != "starting_delivery":
                yield position

    def _is_todo_of(self, position: int, life: Life) -> bool:
        """Say whether the line before a life's first is that of its todo file."""
        then_ns, first_ns = self._columns["time"][position], self._columns["time"][life.first_event]
        is_soon = then_ns is None or first_ns is None or first_ns - then_ns <= _TODO_NS
        return is_soon and bool(self._columns["kind"][position] == "todo_file")

    def merged_at(self, life: Life) -> int | None:
        """Return the position at which another message begins within a life, because the log lost ends and beginnings.

        A second todo file shows it; and a line of todo-proc that names another sender or size than "info msg" shows
        that the life was two from its first line on.
        """
        kinds = self._columns["kind"]
        first = None
        for position in self.lines_of(life):
            first = position if first is None else first
            if kinds[position] == "todo_recipient" and not self._agrees(life, position):
                return first
            if kinds[position] == "todo_file" and position > life.first_event:
                return position
        return None

    def _agrees(self, life: Life, position: int) -> bool:
        """Say whether a line of todo-proc names sender and size of a life."""
        size, sender = (self._columns[name][position] for name in ("message_bytes", "sender"))
        is_same_sender = (
            life.sender is None or sender is None or cleaned(sender.removeprefix("<>")) == cleaned(life.sender)
        )
        return is_same_sender and size in (None, life.message_bytes)

    def _next_start(self, life: Life) -> int:
        """Return the position before which a life without an end has its last line."""
        following = self._following.get((life.key, life.lifetime))
        if following is None:
            return len(self._columns["kind"])
        positions = self._by_number.get(life.key, [])
        at = bisect_left(positions, following)
        before = positions[at - 1] if at else -1
        is_its_todo = before > life.first_event and self._columns["kind"][before] == "todo_file"
        return (before if is_its_todo else following) - 1

    def _order(self) -> None:
        """Note which lines are whose program's."""
        self._sends: list[int] = []
        self._smtps: list[int] = []
        self._clamds: list[int] = []
        columns = self._columns
        for position, kind in enumerate(columns["kind"]):
            if kind.startswith(_SMTP):
                self._smtps.append(position)
            elif kind.startswith("clamd_scan"):
                self._clamds.append(position)
            elif not kind.startswith(("clam", "fresh", "unknown")):
                self._sends.append(position)
                number = columns["message_number"][position]
                if number is not None:
                    self._by_number[columns["queue"][position], number].append(position)

    def _lives(self, messages: pd.DataFrame, deliveries: pd.DataFrame) -> Iterator[Life]:
        """Yield the lives."""
        rows: dict[tuple[str, int, int], list[Any]] = defaultdict(list)
        for row in _begun(deliveries, DELIVERIES.names):
            if row.message_number is not None:
                rows[row.queue, row.message_number, row.lifetime].append(row)
        previous: dict[Key, Life] = {}
        self._following: dict[tuple[Key, int], int] = {}
        times = self._columns["time"]
        for row in sorted(_rows(messages, MESSAGES.names), key=lambda one: int(one.first_event)):
            own = rows.get((row.queue, row.message_number, row.lifetime), [])
            first_ns = row.queued_at if row.queued_at is not None else times[row.first_event]
            has_birth = row.queued_at is not None or self._columns["kind"][row.first_event] in ("new_msg", "info_msg")
            known = [first_ns, row.ended_at, *(one.started_at for one in own), *(one.ended_at for one in own)]
            life = Life(
                row.queue, row.message_number, row.lifetime, self, row.qp, row.sender, row.message_bytes,
                row.recipient_count, first_ns, has_birth, row.ended_at,
                max((one for one in known if one is not None), default=None), row.is_open, row.first_event,
                row.end_event, row.bounce_qp, deliveries=own, previous=previous.get((row.queue, row.message_number)),
            )  # fmt: skip
            if life.previous is not None:
                self._following[life.key, life.previous.lifetime] = life.first_event
            previous[life.key] = life
            yield life

    def _fill(self) -> None:
        """Fill what the lines of todo-proc say of the lives: recipients; sender and size where "info msg" is lost."""
        columns = self._columns
        for life in self.lives:
            for position in self.lines_of(life):
                if columns["kind"][position] == "todo_recipient":
                    life.listed.add(columns["recipient"][position] or "")
                    if life.message_bytes is None:
                        life.message_bytes = columns["message_bytes"][position]
                    if life.sender is None and columns["sender"][position] is not None:
                        life.sender = columns["sender"][position].removeprefix("<>")

    def _scans(self) -> Iterator[Scan]:
        """Yield the scans."""
        columns = self._columns
        for position in self._clamds:
            yield Scan(
                self, position, self._clocks.told("scan", columns["time"][position]), columns["queue"][position],
                columns["message_number"][position], columns["kind"][position],
                columns["label_kind"][position] == "clamav",
            )  # fmt: skip

    def _sessions(self) -> list[Session]:
        """Return the sessions, each pid's lines cut where its process ended or begins anew."""
        sessions: list[Session] = []
        current: dict[int, Session] = {}
        for position in self._smtps:
            pid, kind = self._columns["pid"][position], self._columns["kind"][position]
            if pid is None or kind == "tcpserver_start":
                continue
            time = self._clocks.told("session", self._columns["time"][position])
            session = current.get(pid)
            is_silent = session is not None and (time or 0) - (session.end_ns or 0) > _SILENCE_NS
            if session is None or is_silent or kind == "tcpserver_pid":
                session = current[pid] = Session(pid, self, has_start=kind == "tcpserver_pid", start_ns=time)
                sessions.append(session)
            session.lines.append(position)
            session.end_ns = time if time is not None else session.end_ns
            if kind in ("smtpd_accepted", "smtpd_refused"):
                self._add_mail(session, position, time)
            if kind in _ENDS:
                del current[pid]
        return sessions

    def _add_mail(self, session: Session, position: int, time: int | None) -> None:
        """Add a line of a recipient to the mail that it belongs to, or begin a mail."""
        columns = self._columns
        is_accepted = columns["kind"][position] == "smtpd_accepted"
        sender, recipient = columns["sender"][position] or "", columns["recipient"][position] or ""
        size, qp = columns["message_bytes"][position], columns["qp"][position]
        mail = session.mails[-1] if session.mails else None
        same = mail is not None and (mail.is_accepted, mail.sender, mail.message_bytes, mail.qp) == (
            is_accepted, sender, size, qp,
        )  # fmt: skip
        if mail is None or not same or recipient in mail.recipients:
            session.mails.append(Mail(session, is_accepted, sender, [recipient], size, qp, [position], time))
        else:
            mail.recipients.append(recipient)
            mail.lines.append(position)

    def _holes(self, deliveries: pd.DataFrame) -> Iterator[tuple[str, int]]:
        """Yield where many deliveries in a row have no start: a piece of the log is missing."""
        last: dict[str, tuple[int, int]] = {}
        for row in _begun(deliveries, ("queue", "run", "delivery_number", "started_at", "start_event")):
            if row.started_at is None:
                continue
            run, number = last.get(row.queue, (row.run, row.delivery_number - 1 if not row.run else 0))
            expected = number + 1 if run == row.run else 1
            last[row.queue] = (row.run, row.delivery_number)
            if not expected <= row.delivery_number < expected + HOLE_STARTS:
                yield row.queue, row.started_at

    def has_hole(self, queue: str, from_ns: int, to_ns: int) -> bool:
        """Say whether a piece of qmail-send's log of this queue may be missing in a time, found at its end."""
        return any(name == queue and from_ns < hole_ns <= to_ns for name, hole_ns in self.holes)


_SMTP: Final = ("smtpd_", "tcpserver_")
_LINE: Final = ("time", "kind", "text", "file", "line_number")
_COLUMNS: Final = (
    *_LINE, "queue", "message_number", "pid", "sender", "recipient", "message_bytes", "qp", "label_kind",
)  # fmt: skip
"""Columns of EVENTS that are needed."""


def _rows(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[Any]:
    """Yield the rows of a table with plain values, cells as attributes."""
    for cells in zip(*(values_of(frame, name) for name in names), strict=True):
        yield SimpleNamespace(**dict(zip(names, cells, strict=True)))


def _begun(deliveries: pd.DataFrame, names: Sequence[str]) -> list[Any]:
    """Return the deliveries whose start is in the log, in the order of their starts."""
    rows = (one for one in _rows(deliveries, names) if one.start_event is not None)
    return sorted(rows, key=lambda one: int(one.start_event))
