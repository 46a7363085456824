"""Logs -> blocks of columns, and the grammar's own reading of them, event by event.

Rule 1: lines read == rows == events; a last line without an end is one too, and marked.
Rule 2: the engine reads octets; what a line says is known to `grammar` alone, and `kernel` is held to it by a test.
Rule 3: memory does not grow with the log: a block is forgotten when its reader lets go of it.
Rule 4: runs and queues are numbered in the order of the lines, whatever was read ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs import kernel_codes as codes
from indimail_kit.logs.ahead import work_ahead
from indimail_kit.logs.blocks import BLOCK_BYTES, RawBlock, read_raw_blocks
from indimail_kit.logs.blocks import MAX_LINE_BYTES as MAX_LINE_BYTES
from indimail_kit.logs.blocks import Source as Source
from indimail_kit.logs.blocks import log_files as log_files
from indimail_kit.logs.columns import RUN_PROGRAMS, EventBlock, QueueNames, fill_row, read_event
from indimail_kit.logs.event import Event
from indimail_kit.logs.kernel import MAX_NAMES, NAME_OCTETS
from indimail_kit.logs.speed import compile_bytes, has_compiler, kernels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KERNEL: Final = "indimail_kit.logs.kernel"
"""Module of the kernel that reads lines."""

RUN_KERNEL: Final = "indimail_kit.logs.kernel_runs"
"""Module of the kernel that counts runs."""

Scanned = tuple["NDArray[np.int64]", list[str], bool, int]
"""Table, names of the queues in it, whether the last line has an end, how many lines are UNREAD."""

_USUAL_LINE: Final = 70
"""Length of a line, a little below the usual mean (unit: octets)."""


def new_table(raw: RawBlock) -> NDArray[np.int64]:
    """Return room for the rows of a block, if its lines are not short.

    It is made in the reader's thread: what other threads allocate goes back to the system each time, and the page
    faults would cost more than the second thread gains.
    """
    import numpy as np

    return np.empty((len(raw.octets) // _USUAL_LINE + 1, codes.COLUMNS), dtype=np.int64)


def scan_block(raw: RawBlock, table: NDArray[np.int64] | None = None, *, compiled: bool) -> Scanned:
    """Read the frequent lines of a block; the others are UNREAD. Needs nothing of the blocks before it.

    Args:
        raw: The block.
        table: Room for its rows, as of `new_table`; if it is None or too small, another is made here.
        compiled: Whether the kernel is compiled.
    """
    import numpy as np

    octets = np.frombuffer(raw.octets, dtype=np.uint8)
    ends = np.flatnonzero(octets == 10)
    is_whole = bool(len(octets) and octets[-1] == 10)
    if len(octets) and not is_whole:
        ends = np.append(ends, len(octets))
    if table is None or len(table) < len(ends):
        table = np.empty((len(ends), codes.COLUMNS), dtype=np.int64)
    table = table[: len(ends)]
    names = np.zeros((MAX_NAMES, NAME_OCTETS), dtype=np.uint8)
    name_sizes = np.zeros(MAX_NAMES, dtype=np.int64)
    scan = kernels(KERNEL, compiled=compiled).scan
    if compiled:
        table.fill(-1)
        unread = scan(octets, ends, table, names, name_sizes)
    else:
        rows = [[-1] * codes.COLUMNS for _ in range(len(ends))]  # a list's cells are quicker to fill than an array's
        unread = scan(bytes(raw.octets), ends.tolist(), rows, names, name_sizes)
        table[:] = np.array(rows, dtype=np.int64).reshape(table.shape)
    if raw.skipped_bytes:
        unread += int(table[0, codes.KIND] != codes.UNREAD)
        table[0, codes.KIND :] = -1
        table[0, codes.KIND] = codes.UNREAD
    found = [names[code, :size].tobytes().decode("ascii") for code, size in enumerate(name_sizes.tolist()) if size]
    return table, ["", *found], is_whole, unread


class Numbering:
    """What goes on from block to block: queues, runs, positions."""

    def __init__(self, *, utc_offset_s: int) -> None:
        self.queues = QueueNames()
        self.runs: Any = None
        self.utc_offset_s = utc_offset_s
        self.position = 0
        self.line_number = 1
        self.file_index = -1

    def finish(self, raw: RawBlock, scanned: Scanned, *, compiled: bool) -> EventBlock:
        """Return the block: other lines read by the grammar, queues and runs numbered."""
        import numpy as np

        table, names, is_whole, unread = scanned
        if raw.is_first:
            self.file_index += 1
            self.line_number = 1
        queue_codes = [self.queues.code(name) for name in names]
        if queue_codes != list(range(len(names))):
            table[:, codes.QUEUE] = np.array(queue_codes, dtype=np.int64)[table[:, codes.QUEUE]]
        if self.utc_offset_s:
            table[table[:, codes.LABEL] == codes.ISO, codes.UNIX_NS] -= self.utc_offset_s * 10**9
        others: dict[int, Event] = {}
        block = EventBlock(
            table, raw.octets, self.queues.names, others, raw.file, self.file_index, self.position, self.line_number,
            raw.byte_offset, raw.skipped_bytes, is_whole, compiled, self.utc_offset_s,
        )  # fmt: skip
        rows = np.flatnonzero(table[:, codes.KIND] == codes.UNREAD).tolist() if unread else []
        offsets, sizes = (block.byte_offset, block.line_bytes) if unread else ((), ())
        for row in rows:
            event = others[row] = read_event(
                block.line(row),
                utc_offset_s=self.utc_offset_s,
                file=raw.file,
                line_number=self.line_number + row,
                byte_offset=int(offsets[row]),
                line_bytes=int(sizes[row]),
                is_whole=is_whole or row < len(table) - 1,
            )
            fill_row(table[row], event, self.queues)
        self.count_runs(table, compiled=compiled)
        for row, event in others.items():
            if table[row, codes.RUN] >= 0:
                object.__setattr__(event, "run", int(table[row, codes.RUN]))  # nobody else has seen the event yet
        self.position += len(table)
        self.line_number += len(table)
        return block

    def count_runs(self, table: Any, *, compiled: bool) -> None:
        """Fill the column RUN where it is TO_COUNT."""
        import numpy as np

        grown = np.zeros((len(self.queues.names), 2), dtype=np.int64)
        if self.runs is not None:
            grown[: len(self.runs)] = self.runs
        self.runs = grown
        kernels(RUN_KERNEL, compiled=compiled).count_runs(table, self.runs)


def _look_ahead(raws: Iterator[RawBlock]) -> tuple[Iterator[RawBlock], bool]:
    """Return the same blocks, and whether there are so many octets that compiled kernels pay."""
    first: list[RawBlock] = []
    fault: Exception | None = None
    size, limit = 0, compile_bytes()
    while has_compiler() and size < limit and fault is None:
        try:
            first.append(next(raws))
        except StopIteration:
            break
        except Exception as error:
            fault = error
        else:
            size += len(first[-1].octets)

    def again() -> Iterator[RawBlock]:
        while first:
            yield first.pop(0)
        if fault is not None:
            raise fault
        yield from raws

    return again(), size >= limit


def read_blocks(
    *sources: Source, utc_offset_s: int = 0, block_bytes: int = BLOCK_BYTES, threads: int = 1,
    compiled: bool | None = None,
) -> Iterator[EventBlock]:  # fmt: skip
    r"""Yield the lines of logs as blocks of columns, in the order given.

    Args:
        sources: Octets, files (plain, .gz or .zst) or multilog directories. Runs are counted across them: give them
            oldest first.
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).
        block_bytes: Size of a block (unit: octets).
        threads: How many work at once, the caller's among them: it does what must be done in order, and so joins while
            the others read ahead. More than one pays with the compiled kernels only.
        compiled: Whether the kernels are compiled; None: if numba is installed and the log is large.

    Raises:
        FormatError: A directory holds no log, or a compressed file is damaged; what was read before has been yielded.
        MissingPartError: A file is compressed in a way that cannot be read here.
        OSError: A file cannot be read; what was read before has been yielded.

    Example:
        >>> sum(len(block) for block in read_blocks(b"new msg 660188\nend msg 660188\n?"))
        3
    """
    numbering = Numbering(utc_offset_s=utc_offset_s)
    raws: Iterator[RawBlock] = read_raw_blocks(*sources, block_bytes=block_bytes)
    if compiled is None:
        raws, compiled = _look_ahead(raws)
    kernels(KERNEL, compiled=compiled)  # once, before threads ask for them at the same time
    works = (partial(_raw_and_scanned, raw, new_table(raw), compiled=compiled) for raw in raws)
    for raw, scanned in work_ahead(works, threads):
        yield numbering.finish(raw, scanned, compiled=compiled)
        del raw, scanned  # only the reader keeps a block


def _raw_and_scanned(raw: RawBlock, table: NDArray[np.int64], *, compiled: bool) -> tuple[RawBlock, Scanned]:
    return raw, scan_block(raw, table, compiled=compiled)


_EVENT_BLOCK_BYTES: Final = 256 * 1024
"""Size of the blocks of which events are made one by one (unit: octets)."""


@dataclass(slots=True)
class RunCounter:
    """Counts the starts of each queue's qmail-send.

    A run begins with the line that qmail-send logs at its start. Where there is no such line (plain qmail logs none,
    and a log may have lost it) a delivery number that does not grow tells it: within one run each delivery has a higher
    number than the last.

    Attributes:
        runs: Queue -> runs that began so far.
        last_numbers: Queue -> number of the last delivery started in this run.
    """

    runs: dict[str, int] = field(default_factory=dict)
    last_numbers: dict[str, int] = field(default_factory=dict)

    def run_of(self, event: Event) -> int | None:
        """Return the run that the line belongs to, None for a line of no run."""
        if event.program not in RUN_PROGRAMS:
            return None
        queue = event.queue
        number = event.delivery_number if event.kind == "starting_delivery" else None
        if event.kind == "send_start" or (number is not None and number <= self.last_numbers.get(queue, 0)):
            self.runs[queue] = self.runs.get(queue, 0) + 1
            self.last_numbers.pop(queue, None)
        if number is not None:
            self.last_numbers[queue] = number
        return self.runs.get(queue, 0)


def read_events(*sources: Source, utc_offset_s: int = 0) -> Iterator[Event]:
    r"""Yield the lines of logs as events, every one read by the grammar, in the order given.

    For single values and for what has no columns (clamd, freshclam, smtpd); a large log is read with `read_blocks`.

    Args:
        sources: Octets, files (plain, .gz or .zst) or multilog directories. Runs are counted across them: give them
            oldest first.
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).

    Raises:
        FormatError: A directory holds no log, or a compressed file is damaged; what was read before has been yielded.
        MissingPartError: A file is compressed in a way that cannot be read here.
        OSError: A file cannot be read; what was read before has been yielded.

    Example:
        >>> [event.kind for event in read_events(b"new msg 660188\nend msg 660188\n?")]
        ['new_msg', 'end_msg', 'unknown']
    """
    counter = RunCounter()
    line_number = 1
    for raw in read_raw_blocks(*sources, block_bytes=_EVENT_BLOCK_BYTES):
        line_number = 1 if raw.is_first else line_number
        start, octets = 0, bytes(raw.octets)
        while start < len(octets):
            end = octets.find(b"\n", start)
            is_whole = end >= 0
            end = end if is_whole else len(octets)
            skipped = raw.skipped_bytes if start == 0 else 0
            event = read_event(
                octets[start : min(end, start + MAX_LINE_BYTES)],
                utc_offset_s=utc_offset_s,
                file=raw.file,
                line_number=line_number,
                byte_offset=raw.byte_offset + start + (raw.skipped_bytes if start else 0),
                line_bytes=end - start + skipped,
                is_whole=is_whole,
            )
            run = counter.run_of(event)
            if run is not None:
                object.__setattr__(event, "run", run)  # still ours: nobody else has seen the event yet
            yield event
            line_number += 1
            start = end + 1
