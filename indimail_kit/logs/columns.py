"""A block of lines as columns: one row a line, numbers as arrays, text as spans of octets.

The kernel fills the rows of the frequent lines; every other line is read by the grammar here, and its row filled from
the event. So the columns of a row are what the grammar says, whoever wrote them.

Rule 1: lines in == rows out; the row's file, place and length are those of the line.
Rule 2: numpy is imported when a block is made, pandas never.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs import kernel_codes as codes
from indimail_kit.logs.blocks import MAX_LINE_BYTES
from indimail_kit.logs.event import Event
from indimail_kit.logs.grammar import KINDS, read_text
from indimail_kit.logs.labels import LABEL_KINDS, split_label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KIND_NAMES: Final = tuple(dict.fromkeys((*codes.KERNEL_KINDS, *KINDS)))
"""Code in the column KIND -> kind."""

RUN_PROGRAMS: Final = frozenset({"qmail-send", "slowq-send", "qmta-send", "todo-proc", "qmail-todo"})
"""Programs whose lines belong to a run of qmail-send."""

PROGRAM_OF_KIND: Final = {"todo_recipient": "todo-proc", "todo_file": "todo-proc"}
"""Program of the lines that the kernel reads, where it is not qmail-send."""

SEVERITY_OF_KIND: Final = {"todo_file": "info"}
"""Severity of the lines that the kernel reads, where they claim one."""

MANGLED_REPORT: Final = b"report_mangled"
"""Report of a line of the kind "delivery_mangled", which holds none. Source: matchup.c delivery()."""

NUMBERS: Final = {
    "run": codes.RUN,
    "message_number": codes.MESSAGE,
    "delivery_number": codes.DELIVERY,
    "message_bytes": codes.BYTES,
    "qp": codes.QP,
    "uid": codes.UID,
    "pid": codes.PID,
    "local_used": codes.LOCAL_USED,
    "local_max": codes.LOCAL_MAX,
    "remote_used": codes.REMOTE_USED,
    "remote_max": codes.REMOTE_MAX,
}
"""Attribute of an event -> column; -1 is null."""

SPANS: Final = {"sender": codes.SENDER, "recipient": codes.RECIPIENT, "report": codes.REPORT}
"""Attribute of an event -> first of two columns; -1 is null."""

_CODED: Final = {"channel": (codes.CHANNEL, codes.CHANNELS), "outcome": (codes.OUTCOME, codes.OUTCOMES)}
_PROGRAMS: Final = tuple(PROGRAM_OF_KIND.get(kind, "qmail-send") for kind in KIND_NAMES)
_SEVERITIES: Final = tuple(SEVERITY_OF_KIND.get(kind) for kind in KIND_NAMES)
_KIND_CODES: Final = {kind: code for code, kind in enumerate(KIND_NAMES)}
_LABEL_CODES: Final = {kind: code for code, kind in enumerate(LABEL_KINDS)}
_EXTRA: Final = {"successes": codes.LOCAL_USED, "deferrals": codes.LOCAL_MAX, "failures": codes.REMOTE_USED}


@dataclass(frozen=True, slots=True)
class EventBlock:
    """Lines that follow each other in one file, as columns.

    Attributes:
        table: int64, shape (lines, `kernel_codes.COLUMNS`).
        octets: The lines; spans are positions in it.
        queues: Code in the column QUEUE -> name; 0 is "".
        others: Row -> event of each line that the grammar read.
        file: Where the lines are from, "" for octets in memory.
        file_index: Which of the files read, counted from 0.
        first_position: Position of the first line among all that was read.
        first_line_number: Its line in the file, counted from 1.
        block_offset: Its first octet in the file, after decompression.
        skipped_bytes: Octets of the first line that were not kept.
        is_whole: Whether the last line has an end.
        is_compiled: Whether this log is read by compiled kernels.
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).
    """

    table: NDArray[np.int64] = field(repr=False)
    octets: memoryview = field(repr=False)
    queues: Sequence[str]
    others: Mapping[int, Event] = field(repr=False)
    file: str
    file_index: int
    first_position: int
    first_line_number: int
    block_offset: int
    skipped_bytes: int
    is_whole: bool
    is_compiled: bool = False
    utc_offset_s: int = 0

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.table)

    def numbers(self, name: str) -> NDArray[np.int64]:
        """Return a column of numbers by the name of the event's attribute; -1 is null."""
        column = self.table[:, NUMBERS[name]]
        if name.startswith(("local_", "remote_")):
            column = column.copy()
            column[self.table[:, codes.KIND] == codes.EXTRA] = -1  # holds what the join needs
        return column

    @property
    def unix_ns(self) -> NDArray[np.int64]:
        """Return the times (unit: ns since 1970); the smallest int64 is null."""
        return self.table[:, codes.UNIX_NS]

    @property
    def kind(self) -> NDArray[np.int64]:
        """Return the kinds as positions in KIND_NAMES."""
        return self.table[:, codes.KIND]

    @property
    def queue(self) -> NDArray[np.int64]:
        """Return the queues as positions in `queues`."""
        return self.table[:, codes.QUEUE]

    @property
    def byte_offset(self) -> NDArray[np.int64]:
        """Return the first octet of each line in its file."""
        offsets = self.table[:, codes.START] + self.block_offset
        offsets[1:] += self.skipped_bytes
        return offsets

    @property
    def line_bytes(self) -> NDArray[np.int64]:
        """Return the true length of each line without its end (unit: octets)."""
        sizes = self.table[:, codes.END] - self.table[:, codes.START]
        sizes[:1] += self.skipped_bytes
        return sizes

    def line(self, row: int) -> bytes:
        """Return the octets of a line without its end; the first 64 KiB of a longer one."""
        start, end = self.table[row, codes.START : codes.END + 1]
        return bytes(self.octets[start : min(end, start + MAX_LINE_BYTES)])

    def words(self, name: str) -> list[str | None]:
        """Return channel, outcome, program or severity of each line; None where the line says nothing of it."""
        if name in _CODED:
            column, names = _CODED[name]
            values = [names[code] if code >= 0 else None for code in self.table[:, column].tolist()]
        else:
            known = _PROGRAMS if name == "program" else _SEVERITIES
            values = [known[code] for code in self.kind.tolist()]
        for row, event in self.others.items():
            values[row] = getattr(event, name)
        return values

    def octets_of(self, name: str, rows: NDArray[np.int64] | None = None) -> list[bytes | None]:
        """Return the octets of sender, recipient or report of each line; None where the line says nothing of it.

        Args:
            name: Which of the three.
            rows: The lines that are wanted; all if not given.
        """
        column = SPANS[name]
        octets = bytes(self.octets)
        table = self.table if rows is None else self.table[rows]
        values = [octets[start:end] if start >= 0 else None for start, end in table[:, column : column + 2].tolist()]
        if self.others:
            for place, row in enumerate(range(len(self)) if rows is None else rows.tolist()):
                if row in self.others:
                    values[place] = getattr(self.others[row], name)
        return values

    def events(self) -> Iterable[Event]:
        """Yield the lines as events, every one read by the grammar."""
        offsets, sizes = self.byte_offset.tolist(), self.line_bytes.tolist()
        runs = self.table[:, codes.RUN].tolist()
        for row in range(len(self)):
            event = self.others.get(row) or read_event(
                self.line(row),
                file=self.file,
                line_number=self.first_line_number + row,
                byte_offset=offsets[row],
                line_bytes=sizes[row],
                is_whole=self.is_whole or row < len(self) - 1,
                utc_offset_s=self.utc_offset_s,
            )
            if runs[row] >= 0:
                object.__setattr__(event, "run", runs[row])  # ours: the grammar has just made it
            yield event


def read_event(line: bytes, *, line_bytes: int, utc_offset_s: int = 0, **place: Any) -> Event:
    """Return the event of a line of a log.

    Args:
        line: Its octets, cut at 64 KiB.
        line_bytes: Its true length (unit: octets).
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).
        place: file, line_number, byte_offset, is_whole.
    """
    label = split_label(line, utc_offset_s=utc_offset_s)
    # Of a line that was cut nobody can tell what it says: its end may change everything.
    form, fields = read_text(line[label.end :]) if line_bytes == len(line) else (None, {})
    return Event(
        line=line, text_start=label.end, form=form, fields=fields, label_kind=label.kind, unix_ns=label.unix_ns,
        line_bytes=line_bytes, **place,
    )  # fmt: skip


class QueueNames:
    """The names of all queues that were seen, each with a number that stays."""

    def __init__(self) -> None:
        self.names: list[str] = [""]
        self._codes: dict[str, int] = {"": 0}

    def code(self, name: str) -> int:
        """Return the number of a name; a new name gets the next one."""
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = len(self.names)
            self.names.append(name)
        return code


def fill_row(row: Any, event: Event, queues: QueueNames) -> None:
    """Fill the row of a line that the grammar read; START and END stand there already."""
    row[codes.TEXT] = row[codes.START] + event.text_start
    row[codes.UNIX_NS] = codes.NO_TIME if event.unix_ns is None else event.unix_ns
    row[codes.LABEL] = _LABEL_CODES[event.label_kind]
    row[codes.KIND] = _KIND_CODES[event.kind]
    row[codes.RUN] = codes.TO_COUNT if event.program in RUN_PROGRAMS else codes.NO_RUN
    row[codes.QUEUE] = queues.code(event.queue)
    if not event.fields and event.form is None:
        return
    for name in ("message_number", "delivery_number", "message_bytes", "qp", "uid", "pid"):
        _put(row, NUMBERS[name], getattr(event, name))
    for name in ("local_used", "local_max", "remote_used", "remote_max"):
        _put(row, NUMBERS[name], event.number(name))
    if event.channel is not None:
        row[codes.CHANNEL] = codes.CHANNELS.index(event.channel)
    if event.outcome is not None:
        row[codes.OUTCOME] = codes.OUTCOMES.index(event.outcome)
    for name, column in SPANS.items():
        value = getattr(event, name)
        begin = -1 if value is None else event.line.find(value)
        if begin >= 0:
            row[column] = row[codes.START] + begin
            row[column + 1] = row[column] + len(value)
    if event.kind == "extra":
        for name, column in _EXTRA.items():
            _put(row, column, event.number(name))
    if event.kind == "scheduler_queue":
        row[codes.OUTCOME] = event.octets("queue_change") != b"started"


def block_of(events: Iterable[Event]) -> EventBlock:
    """Return events that were read one by one as a block; their runs stay as they are."""
    import numpy as np

    others = dict(enumerate(events))
    queues = QueueNames()
    rows = [[-1] * codes.COLUMNS for _ in others]
    start = 0
    for index, event in others.items():
        rows[index][codes.START], rows[index][codes.END] = start, start + len(event.line)
        fill_row(rows[index], event, queues)
        rows[index][codes.RUN] = codes.NO_RUN if event.run is None else event.run
        start += len(event.line)
    table = np.array(rows, dtype=np.int64).reshape(len(rows), codes.COLUMNS)
    octets = memoryview(b"".join(event.line for event in others.values()))
    return EventBlock(table, octets, queues.names, others, "", 0, 0, 1, 0, 0, is_whole=True)


def _put(row: Any, column: int, value: int | None) -> None:
    if value is not None:
        row[column] = value
