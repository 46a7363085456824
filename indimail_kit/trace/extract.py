"""What a trace needs of a log: numbers and times as columns, addresses once each, and the lines packed.

A trace asks a log of millions of lines for a few of them. So no line is kept as a value: what the joins need are
columns of numbers, and a line that is told is read again, by the grammar, from octets that were packed while they went
by. They are kept and not sought in the file, because multilog may have turned it meanwhile.

Rule 1: one reader of lines and one join: the engine's blocks and `Joiner`; nothing is parsed here.
Rule 2: no clock is judged here: times are those of the lines.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from indimail_kit.logs import Joiner, read_blocks
from indimail_kit.logs import join_codes as joins
from indimail_kit.logs import kernel_codes as codes
from indimail_kit.logs.blocks import MAX_LINE_BYTES, Source
from indimail_kit.logs.columns import KIND_NAMES, EventBlock, QueueNames, read_event
from indimail_kit.logs.event import UNKNOWN, Event
from indimail_kit.logs.labels import LABEL_KINDS
from indimail_kit.tables import as_text
from indimail_kit.trace.ordered import NO_TIME, NOTHING
from indimail_kit.trace.records import Line, cleaned
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.logs import JoinedBlock, Log
    from indimail_kit.trace.ordered import Array

KIND: Final = {kind: code for code, kind in enumerate(KIND_NAMES)}
"""Kind -> code."""

SESSION_KINDS: Final = ("smtpd_", "tcpserver_")
"""How the kinds of a session's lines begin."""

_SEND, _SESSION, _SCAN = 1, 2, 3
_UNPACKED_PAGES: Final = 8
"""Pages that are kept as octets while lines are told (unit: pages)."""


def _family(kind: str) -> int:
    """Return whose lines are of a kind."""
    if kind.startswith(SESSION_KINDS):
        return _SESSION
    if kind.startswith("clamd_scan"):
        return _SCAN
    return 0 if kind.startswith(("clam", "fresh", UNKNOWN)) else _SEND


_FAMILIES: Final = np.array([_family(kind) for kind in KIND_NAMES], dtype=np.int8)
_MAIL_KINDS: Final = (KIND["smtpd_accepted"], KIND["smtpd_refused"])


class Texts:
    """Addresses, each once, with a number that stays; NOTHING is none."""

    def __init__(self) -> None:
        self._codes: dict[bytes, int] = {}
        self._octets: list[bytes] = []

    def __len__(self) -> int:
        """Return the number of different texts."""
        return len(self._octets)

    def codes_of(self, values: Iterable[bytes | None]) -> Array:
        """Return the numbers of texts; new ones get the next."""
        known = self._codes
        found = [NOTHING if one is None else known[one] if one in known else self._new(one) for one in values]
        return np.array(found, dtype=np.int32)

    def _new(self, octets: bytes) -> int:
        """Enter octets; those that are the same as text are the same."""
        normal = (as_text(octets) or "").encode()
        code = self._codes.get(normal)
        if code is None:
            code = self._codes[normal] = len(self._octets)
            self._octets.append(normal)
        if normal != octets:
            self._codes[octets] = code
        return code

    def text(self, code: int) -> str | None:
        """Return a text."""
        return None if code < 0 else self._octets[code].decode()

    @cached_property
    def cleaned(self) -> tuple[dict[str, int], Array]:
        """Return number of each text that can be compared, and code -> that number; asked when all was entered."""
        numbers: dict[str, int] = {}
        found = [numbers.setdefault(cleaned(one.decode()), len(numbers)) for one in self._octets]
        return numbers, np.array(found, dtype=np.int64)

    def cleaned_of(self, texts: Array) -> Array:
        """Return the numbers by which texts can be compared, NOTHING for none."""
        _, found = self.cleaned
        return np.where(texts < 0, NOTHING, np.append(found, NOTHING)[texts])

    def cleaned_code(self, text: str) -> int:
        """Return the number of a text that can be compared, NOTHING if it does not occur."""
        return self.cleaned[0].get(text, NOTHING)


@dataclass(frozen=True, slots=True)
class _Page:
    """The lines of a block, packed.

    Attributes:
        packed: The octets, as zlib packs them.
        file: Where they are from.
        first_line_number: Line of the first in its file.
        block_offset: The first octet in the file, after decompression.
        skipped_bytes: Octets of the first line that were not kept.
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).
    """

    packed: bytes = field(repr=False)
    file: str
    first_line_number: int
    block_offset: int
    skipped_bytes: int
    utc_offset_s: int


@dataclass(slots=True)
class Columns:
    """Columns of one kind of rows while they are gathered: name -> arrays of blocks."""

    names: tuple[str, ...]
    parts: list[tuple[Array, ...]] = field(default_factory=list, repr=False)

    def add(self, *columns: Array) -> None:
        """Add the rows of a block, each column in the smallest numbers that hold it."""
        if len(columns[0]):
            self.parts.append(tuple(_narrow(column) for column in columns))

    def together(self) -> dict[str, Array]:
        """Return the columns, and forget the parts."""
        columns = zip(*self.parts, strict=True) if self.parts else ((np.empty(0, np.int64),) for _ in self.names)
        found = {name: np.concatenate(parts) for name, parts in zip(self.names, columns, strict=True)}
        self.parts.clear()
        return found


def _narrow(column: Array) -> Array:
    """Return a copy of a column in numbers of 16, 32 or 64 bits."""
    low, high = int(column.min()), int(column.max())
    for dtype in (np.int16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return column.astype(dtype)
    return column.astype(np.int64)


class LogExtract:
    """What a trace needs of a log.

    Args:
        blocks: The lines.
        name: What is read, for people.
        is_packed: Whether the lines are packed, because nobody else keeps the blocks.

    Attributes:
        name: What was read.
        unknown_count: Lines that no form fits.
        texts: The addresses in it.
        queues: Code -> name of a queue.
        lines: Lines of qmail-send and todo-proc with a message number: position, time, kind, queue, number.
        todo: Of them, what todo-proc says of a recipient: position, sender, recipient, bytes.
        session_lines: Lines of qmail-smtpd and tcpserver: position, time, kind, pid, sender, recipient, bytes, qp.
        scans: Lines of clamd about files: position, time, kind, queue, number, label.
        deliveries: Deliveries whose start is there, in that order.
        messages: Lives of message numbers, in the order of their first lines.
        send_start_ns: Time of the first line of qmail-send (unit: ns since 1970), None without one.
    """

    def __init__(self, blocks: Iterable[EventBlock], name: str = "", *, is_packed: bool = True) -> None:
        self.name = name
        self.unknown_count, self._count = 0, 0
        self.texts = Texts()
        self.send_start_ns: int | None = None
        self._names = QueueNames()
        self._pages: list[_Page | EventBlock] = []
        self._firsts: list[int] = []
        self._unpacked: OrderedDict[int, tuple[bytes, Array]] = OrderedDict()
        lines = Columns(("position", "time", "kind", "queue", "number"))
        todo = Columns(("position", "sender", "recipient", "bytes"))
        sessions = Columns(("position", "time", "kind", "pid", "sender", "recipient", "bytes", "qp"))
        scans = Columns(("position", "time", "kind", "queue", "number", "label"))
        deliveries, messages = Columns((*_DELIVERY, "recipient")), Columns((*_MESSAGE, "sender"))
        joiner = Joiner()
        for block in blocks:
            if not len(block):
                continue
            self._keep(block, is_packed=is_packed)
            families = _FAMILIES[block.kind]
            self._take_lines(block, families, lines, todo)
            self._take_session(block, families, sessions)
            self._take_scans(block, families, scans)
            self._take_joined(joiner.feed(block), deliveries, messages)
        self._take_joined(joiner.finish(), deliveries, messages)
        self.queues = tuple(self._names.names)
        self.lines, self.todo, self.session_lines = lines.together(), todo.together(), sessions.together()
        self.scans = scans.together()
        self.deliveries = _ordered(deliveries.together(), "start_event")
        self.messages = _ordered(messages.together(), "first_event")

    def __len__(self) -> int:
        """Return the number of lines."""
        return self._count

    def __repr__(self) -> str:
        """Return one line: what was read and how much of it is understood."""
        what = f" of {visible(self.name)}" if self.name else ""
        return f"<LogExtract{what}: {len(self):,} lines, {self.unknown_count:,} of them unknown>"

    def _keep(self, block: EventBlock, *, is_packed: bool) -> None:
        """Keep the lines of a block."""
        self._firsts.append(self._count)
        self._count += len(block)
        self.unknown_count += int(np.count_nonzero(block.kind == codes.UNKNOWN))
        if is_packed:
            packed = zlib.compress(block.octets, 1)
            self._pages.append(
                _Page(
                    packed, block.file, block.first_line_number, block.block_offset, block.skipped_bytes,
                    block.utc_offset_s,
                )
            )  # fmt: skip
        else:
            self._pages.append(block)

    def _queue_codes(self, names: Iterable[str], column: Array) -> Array:
        """Return the codes of queues here for those of a block."""
        return np.array([*map(self._names.code, names), NOTHING], dtype=np.int64)[column]

    def _take_lines(self, block: EventBlock, families: Array, lines: Columns, todo: Columns) -> None:
        """Take the lines of qmail-send and todo-proc."""
        rows = np.flatnonzero(families == _SEND)
        if self.send_start_ns is None:
            self.send_start_ns = next((time for time in block.unix_ns[rows].tolist() if time != NO_TIME), None)
        table = block.table[rows]
        is_own = table[:, codes.MESSAGE] >= 0
        rows, table = rows[is_own], table[is_own]
        queues = self._queue_codes(block.queues, table[:, codes.QUEUE])
        first = self._firsts[-1]
        lines.add(rows + first, table[:, codes.UNIX_NS], table[:, codes.KIND], queues, table[:, codes.MESSAGE])
        rows = rows[table[:, codes.KIND] == codes.TODO_RECIPIENT]
        texts = (self.texts.codes_of(block.octets_of(name, rows)) for name in ("sender", "recipient"))
        todo.add(rows + first, *texts, block.table[rows, codes.BYTES])

    def _take_session(self, block: EventBlock, families: Array, sessions: Columns) -> None:
        """Take the lines of qmail-smtpd and tcpserver."""
        rows = np.flatnonzero(families == _SESSION)
        if not len(rows):
            return
        is_mail = np.isin(block.kind[rows], _MAIL_KINDS)
        texts = []
        for name in ("sender", "recipient"):
            column = np.full(len(rows), NOTHING, dtype=np.int32)
            column[is_mail] = self.texts.codes_of(one or b"" for one in block.octets_of(name, rows[is_mail]))
            texts.append(column)
        table = block.table[rows]
        sessions.add(
            rows + self._firsts[-1], table[:, codes.UNIX_NS], table[:, codes.KIND], table[:, codes.PID], *texts,
            table[:, codes.BYTES], table[:, codes.QP],
        )  # fmt: skip

    def _take_scans(self, block: EventBlock, families: Array, scans: Columns) -> None:
        """Take the lines of clamd about files."""
        rows = np.flatnonzero(families == _SCAN)
        table = block.table[rows]
        queues = self._queue_codes(block.queues, table[:, codes.QUEUE])
        scans.add(
            rows + self._firsts[-1], table[:, codes.UNIX_NS], table[:, codes.KIND], queues, table[:, codes.MESSAGE],
            table[:, codes.LABEL],
        )  # fmt: skip

    def _take_joined(self, joined: JoinedBlock, deliveries: Columns, messages: Columns) -> None:
        """Take what the join finished."""
        rows = joined.deliveries[joined.deliveries[:, joins.D_START_EVENT] >= 0]
        recipients = self.texts.codes_of(joined.octets_of(rows, joins.D_RECIPIENT))
        rows[:, joins.D_QUEUE] = self._queue_codes(joined.queues, rows[:, joins.D_QUEUE])
        deliveries.add(*(rows[:, column] for column in _DELIVERY.values()), recipients)
        rows = joined.messages.copy()
        senders = self.texts.codes_of(joined.octets_of(rows, joins.M_SENDER))
        rows[:, joins.M_QUEUE] = self._queue_codes(joined.queues, rows[:, joins.M_QUEUE])
        messages.add(*(rows[:, column] for column in _MESSAGE.values()), senders)

    def line(self, position: int) -> Line:
        """Return a line."""
        at = bisect_right(self._firsts, position) - 1
        page, row = self._pages[at], position - self._firsts[at]
        if isinstance(page, EventBlock):
            start, end, text, time, _, kind = page.table[row, : codes.KIND + 1].tolist()
            octets = bytes(page.octets[text : min(end, start + MAX_LINE_BYTES)])
            told_ns = None if time == NO_TIME else time
            return Line(told_ns, KIND_NAMES[kind], as_text(octets) or "", page.file, page.first_line_number + row)
        event = self.event(position)
        return Line(event.unix_ns, event.kind, as_text(event.text) or "", event.file, event.line_number)

    def event(self, position: int) -> Event:
        """Return a line with its octets and its place in its file, as the grammar reads it."""
        at = bisect_right(self._firsts, position) - 1
        page, row = self._pages[at], position - self._firsts[at]
        if isinstance(page, EventBlock):
            line, line_bytes, offset = page.line(row), int(page.line_bytes[row]), int(page.byte_offset[row])
        else:
            octets, ends = self._page(at, page)
            start, end = int(ends[row - 1]) + 1 if row else 0, int(ends[row])
            line = octets[start : min(end, start + MAX_LINE_BYTES)]
            line_bytes = end - start + (0 if row else page.skipped_bytes)
            offset = page.block_offset + start + (page.skipped_bytes if row else 0)
        return read_event(
            line, line_bytes=line_bytes, byte_offset=offset, file=page.file, line_number=page.first_line_number + row,
            utc_offset_s=page.utc_offset_s,
        )  # fmt: skip

    def positions_of(self, file: str, line_number: int) -> Iterator[int]:
        """Yield the positions of a line of a file; several, where octets that were in memory have no name."""
        for page, first, behind in zip(self._pages, self._firsts, [*self._firsts[1:], self._count], strict=True):
            row = line_number - page.first_line_number
            if page.file == file and 0 <= row < behind - first:
                yield first + row

    def _page(self, at: int, page: _Page) -> tuple[bytes, Array]:
        """Return the octets of a page and where its lines end."""
        if at not in self._unpacked:
            octets = zlib.decompress(page.packed)
            ends = np.flatnonzero(np.frombuffer(octets, dtype=np.uint8) == ord("\n"))
            self._unpacked[at] = octets, np.append(ends, len(octets))
            while len(self._unpacked) > _UNPACKED_PAGES:
                self._unpacked.popitem(last=False)
        self._unpacked.move_to_end(at)
        return self._unpacked[at]


_DELIVERY: Final = {
    "queue": joins.D_QUEUE, "run": joins.D_RUN, "delivery_number": joins.D_NUMBER, "number": joins.D_MESSAGE,
    "lifetime": joins.D_LIFETIME, "channel": joins.D_CHANNEL, "started": joins.D_STARTED, "ended": joins.D_ENDED,
    "outcome": joins.D_OUTCOME, "is_open": joins.D_IS_OPEN, "start_event": joins.D_START_EVENT,
    "end_event": joins.D_END_EVENT,
}  # fmt: skip
_MESSAGE: Final = {
    "queue": joins.M_QUEUE, "number": joins.M_NUMBER, "lifetime": joins.M_LIFETIME, "bytes": joins.M_BYTES,
    "qp": joins.M_QP, "recipient_count": joins.M_RECIPIENTS, "queued": joins.M_QUEUED, "ended": joins.M_ENDED,
    "bounce_qp": joins.M_BOUNCE_QP, "is_open": joins.M_IS_OPEN, "first_event": joins.M_FIRST_EVENT,
    "end_event": joins.M_END_EVENT,
}  # fmt: skip
COARSE_LABEL: Final = LABEL_KINDS.index("clamav")
"""Code of a stamp that is a whole second."""


def _ordered(columns: dict[str, Array], name: str) -> dict[str, Array]:
    """Return columns in the order of one of them."""
    order = np.argsort(columns[name], kind="stable")
    return {one: column[order] for one, column in columns.items()}


def extract_of(log: Log) -> LogExtract:
    """Return what a trace needs of a log that is in memory; its lines stay where they are."""
    return LogExtract(log.blocks, log.name, is_packed=False)


def read_log(*sources: Source, utc_offset_s: int = 0) -> LogExtract:
    r"""Read logs for traces alone, in a fifth of the memory that `logs.read` needs: files, directories, octets.

    Args:
        sources: What to read, oldest first; see `logs.read`.
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).

    Raises:
        FormatError: A directory holds no log.
        MissingPartError: A file is compressed in a way that cannot be read here.
        OSError: A file cannot be read.

    Example:
        >>> log = read_log(b"new msg 5\ninfo msg 5: bytes 9 from <a@b> qp 7 uid 0\nend msg 5\n")
        >>> len(log), log.line(2).kind
        (3, 'end_msg')
    """
    name = ", ".join("octets" if isinstance(source, bytes) else os.fspath(source) for source in sources)
    return LogExtract(read_blocks(*sources, utc_offset_s=utc_offset_s), name)
