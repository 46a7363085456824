"""A log on many machines: the same engine and the same join, block by block over Dask.

    from dask.distributed import Client
    log = read("/var/log/indimail/deliver.25", scheduler=Client("scheduler:8786"))
    log.kinds, len(log)                 # added up on the cluster
    log.deliveries, log.messages        # Dask DataFrames, rows in the order in which they ended
    log.events

Each part of a file is read where there is room; a line belongs to the part in which it begins. What goes on from part
to part (queues and runs numbered, open messages and deliveries) travels along the chain of parts as one small value, so
that the rows are those of one machine, and every step can be done again: a worker that dies costs time and no row.

Rule 1: a step is a function of its arguments: it changes none of them, and the file must not change below its size.
Rule 2: every worker sees the files under the same names.
Rule 3: nothing of Dask's is imported before a cluster is given; pandas is asked for by name (`wiring`).
"""

from __future__ import annotations

import io
import operator
import os
import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from indimail_kit.errors import FormatError, MissingPartError
from indimail_kit.logs import kernel_codes as codes
from indimail_kit.logs.blocks import BLOCK_BYTES, RawBlock, Source, blocks_of, log_files, read_raw_blocks
from indimail_kit.logs.columns import KIND_NAMES, EventBlock
from indimail_kit.logs.engine import Numbering, scan_block
from indimail_kit.logs.event import UNKNOWN, Event
from indimail_kit.logs.grammar import FORMS
from indimail_kit.logs.join import JoinedBlock, Joiner
from indimail_kit.logs.speed import compile_bytes, has_compiler
from indimail_kit.visible import visible
from indimail_kit.wiring import html_of, provider

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PART_BYTES: Final = 16 * 1024 * 1024
"""Usual size of a part (unit: octets); as columns it is about four times as big."""

KEPT_EVERY: Final = 16
"""Of so many states that go on from part to part one is kept; a lost chain goes on from there (unit: parts)."""

_SEEK_BYTES: Final = 64 * 1024
"""Octets that are looked through at once for a line's end."""

_PACKED_ENDS: Final = (".gz", ".zst")
"""Files that can only be read from their beginning: one part each."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a log: the lines that begin in it.

    Attributes:
        file: Where it is, "" for octets.
        begin: First octet.
        end: Octet behind the last one; None for a whole compressed file.
        size: Size of the file when the parts were made; what is behind it is not read.
        octets: The log itself, if it is no file.
    """

    file: str
    begin: int = 0
    end: int | None = None
    size: int = 0
    octets: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PackedBlock:
    """A block of lines that can be sent: what `EventBlock` holds, as far as it does not depend on the lines before.

    Attributes:
        table: As in EventBlock; queues and runs are numbered within the block.
        octets: The lines.
        queues: Code in the column QUEUE -> name.
        others: Row, form's name, fields, start of the text, kind of stamp, time of each line that the grammar read.
        file: Where the lines are from, "" for octets.
        byte_offset: First octet of the block in the file, after decompression.
        skipped_bytes: Octets of the first line that were not kept.
        is_first: Whether the file begins here.
        is_whole: Whether the last line has an end.
    """

    table: NDArray[np.int64] = field(repr=False)
    octets: bytes = field(repr=False)
    queues: tuple[str, ...]
    others: tuple[tuple[int, str, dict[str, Any], int, str, int | None], ...] = field(repr=False)
    file: str
    byte_offset: int
    skipped_bytes: int
    is_first: bool
    is_whole: bool

    def kinds(self) -> Counter[str]:
        """Return how many lines of each kind there are."""
        return Counter(KIND_NAMES[code] for code in self.table[:, codes.KIND].tolist())


def plan_parts(*sources: Source, part_bytes: int = PART_BYTES) -> tuple[Part, ...]:
    """Cut logs into parts.

    Raises:
        FormatError: A directory holds no log.
        OSError: A file is not there.
    """
    parts: list[Part] = []
    for source in sources:
        if isinstance(source, bytes):
            parts.append(Part("", octets=source))
            continue
        path = Path(source)
        files = log_files(path) if path.is_dir() else (path,)
        if not files:
            raise FormatError("a multilog directory with `current` or `@*.s`", source=str(path))
        for file in files:
            size = file.stat().st_size
            if file.suffix in _PACKED_ENDS:
                parts.append(Part(str(file), size=size))
                continue
            parts += (
                Part(str(file), begin, min(begin + part_bytes, size), size) for begin in range(0, size, part_bytes)
            )
    return tuple(parts)


class _Stretch(io.RawIOBase):
    """A stretch of a file, as a file."""

    def __init__(self, fd: int, begin: int, end: int) -> None:
        self._fd, self._at, self._end = fd, begin, end

    def readinto(self, room: Any) -> int:
        """Fill the room as far as there is something."""
        octets = os.pread(self._fd, min(len(room), self._end - self._at), self._at)
        room[: len(octets)] = octets
        self._at += len(octets)
        return len(octets)


def _line_begin(fd: int, wanted: int, size: int) -> int:
    """Return where the first line begins at an octet or behind it; the size if none does."""
    at = wanted - 1
    while 0 <= at < size:
        octets = os.pread(fd, min(_SEEK_BYTES, size - at), at)
        if not octets:
            break
        found = octets.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(octets)
    return 0 if wanted <= 0 else size


def _raw_blocks(part: Part) -> Iterator[RawBlock]:
    """Yield the lines that begin in a part."""
    if part.octets is not None or part.end is None:
        yield from read_raw_blocks(part.octets if part.octets is not None else part.file)
        return
    fd = os.open(part.file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_size < part.size:
            raise FormatError(f"a file of at least {part.size} octets, as when its parts were made", source=part.file)
        begin, end = (_line_begin(fd, wanted, part.size) for wanted in (part.begin, part.end))
        for raw in blocks_of(cast("IO[bytes]", _Stretch(fd, begin, end)), part.file, BLOCK_BYTES):
            yield replace(raw, byte_offset=raw.byte_offset + begin, is_first=raw.is_first and begin == 0)
    finally:
        os.close(fd)


def read_part(part: Part, *, compiled: bool, utc_offset_s: int) -> tuple[PackedBlock, ...]:
    """Read a part: everything that needs nothing of the lines before."""
    return tuple(_pack(raw, compiled=compiled, utc_offset_s=utc_offset_s) for raw in _raw_blocks(part))


def _pack(raw: RawBlock, *, compiled: bool, utc_offset_s: int) -> PackedBlock:
    block = Numbering(utc_offset_s=utc_offset_s).finish(raw, scan_block(raw, compiled=compiled), compiled=compiled)
    others = tuple(
        (row, event.form.name if event.form else "", dict(event.fields), event.text_start, event.label_kind,
         event.unix_ns)
        for row, event in block.others.items()
    )  # fmt: skip
    return PackedBlock(
        block.table, bytes(raw.octets), tuple(block.queues), others, raw.file, raw.byte_offset, raw.skipped_bytes,
        raw.is_first, block.is_whole,
    )  # fmt: skip


def place(packed: PackedBlock, numbering: Numbering, *, compiled: bool) -> EventBlock:
    """Return the block as it stands behind the lines before it; the numbering goes on."""
    import numpy as np

    if packed.is_first:
        numbering.file_index += 1
        numbering.line_number = 1
    table = packed.table.copy()
    queue_codes = np.array([numbering.queues.code(name) for name in packed.queues], dtype=np.int64)
    table[:, codes.QUEUE] = queue_codes[table[:, codes.QUEUE]]
    table[table[:, codes.RUN] >= 0, codes.RUN] = codes.TO_COUNT
    numbering.count_runs(table, compiled=compiled)
    others: dict[int, Event] = {}
    block = EventBlock(
        table, memoryview(packed.octets), numbering.queues.names, others, packed.file, numbering.file_index,
        numbering.position, numbering.line_number, packed.byte_offset, packed.skipped_bytes, packed.is_whole, compiled,
        numbering.utc_offset_s,
    )  # fmt: skip
    offsets, sizes = block.byte_offset, block.line_bytes
    for row, form_name, fields, text_start, label_kind, unix_ns in packed.others:
        run = int(table[row, codes.RUN])
        others[row] = Event(
            line=block.line(row), text_start=text_start, form=FORMS[form_name] if form_name else None, fields=fields,
            label_kind=label_kind, unix_ns=unix_ns, file=packed.file, line_number=numbering.line_number + row,
            byte_offset=int(offsets[row]), line_bytes=int(sizes[row]),
            is_whole=packed.is_whole or row < len(table) - 1, run=run if run >= 0 else None,
        )  # fmt: skip
    numbering.position += len(table)
    numbering.line_number += len(table)
    return block


State = bytes
"""What goes on from part to part, pickled: `Numbering`, and for the join `Joiner`. Octets: nobody can change them."""


def first_state(*, utc_offset_s: int, is_joined: bool) -> State:
    """Return what is known before the first line."""
    return pickle.dumps((Numbering(utc_offset_s=utc_offset_s), Joiner() if is_joined else None))


def _placed(state: State, blocks: Sequence[PackedBlock], *, compiled: bool) -> tuple[Numbering, Any, list[EventBlock]]:
    numbering, joiner = pickle.loads(state)  # noqa: S301 - made by first_state, or by a step on this cluster
    return numbering, joiner, [place(packed, numbering, compiled=compiled) for packed in blocks]


def join_part(
    state: State, blocks: Sequence[PackedBlock], *, compiled: bool
) -> tuple[State, list[JoinedBlock], Counter[str]]:
    """Return what is known behind a part, what was finished in it, and how many lines of each kind it holds."""
    numbering, joiner, placed = _placed(state, blocks, compiled=compiled)
    joined = [_sendable(joiner.feed(block)) for block in placed]
    kinds = sum((packed.kinds() for packed in blocks), Counter())
    return pickle.dumps((numbering, joiner)), joined, kinds


def join_rest(state: State) -> tuple[State, list[JoinedBlock], Counter[str]]:
    """Return the deliveries and messages that are still open behind the last part."""
    _, joiner = pickle.loads(state)  # noqa: S301 - made by first_state, or by a step on this cluster
    return b"", [_sendable(joiner.finish())], Counter()


def _sendable(joined: JoinedBlock) -> JoinedBlock:
    return replace(joined, octets=cast("memoryview", bytes(joined.octets)), queues=tuple(joined.queues))


def finished_frames(step: tuple[State, list[JoinedBlock], Counter[str]]) -> tuple[Any, Any, Counter[str]]:
    """Return the deliveries and messages that were finished in a step as DataFrames, and the kinds of its lines."""
    return provider("delivery_columns_frame")(step[1]), provider("message_columns_frame")(step[1]), step[2]


def number_part(state: State, blocks: Sequence[PackedBlock], *, compiled: bool) -> State:
    """Return what is known behind a part, without a join."""
    return pickle.dumps((_placed(state, blocks, compiled=compiled)[0], None))


def events_of_part(state: State, blocks: Sequence[PackedBlock], *, compiled: bool) -> Any:
    """Return the lines of a part as a DataFrame."""
    return provider("event_columns_frame")(_placed(state, blocks, compiled=compiled)[2])


@dataclass(frozen=True, eq=False)
class ClusterLog:
    """A log that is read on a cluster; work begins with the first question, and results stay there.

    Attributes:
        client: The cluster.
        parts: The stretches of the log.
        name: What was read, for people.
        compiled: Whether the kernels are compiled.
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).
    """

    client: Any = field(repr=False)
    parts: tuple[Part, ...] = field(repr=False)
    name: str = ""
    compiled: bool = False
    utc_offset_s: int = 0

    def _submit(self, function: Any, *arguments: Any, **options: Any) -> Any:
        return self.client.submit(function, *arguments, **options, pure=False)

    def _read(self, part: Part) -> Any:
        return self._submit(read_part, part, compiled=self.compiled, utc_offset_s=self.utc_offset_s)

    @cached_property
    def _joined(self) -> tuple[list[Any], list[Any]]:
        """Return futures of what each part gives, and of what is open behind the last; and of some states.

        Nothing else is held: blocks and other states are forgotten by the cluster as soon as nobody needs them.
        """
        results, kept = [], []
        state = self._submit(first_state, utc_offset_s=self.utc_offset_s, is_joined=True)
        for index, part in enumerate(self.parts):
            step = self._submit(join_part, state, self._read(part), compiled=self.compiled)
            state = self._submit(operator.itemgetter(0), step)
            results.append(self._submit(finished_frames, step))
            if index % KEPT_EVERY == KEPT_EVERY - 1:
                kept.append(state)
        results.append(self._submit(finished_frames, self._submit(join_rest, state)))
        return results, kept

    def _table(self, futures: list[Any], wish: str) -> Any:
        import dask.dataframe

        return dask.dataframe.from_delayed(futures, meta=provider(wish)(()), verify_meta=True)

    def _of_results(self, index: int) -> list[Any]:
        return [self._submit(operator.itemgetter(index), result) for result in self._joined[0]]

    @cached_property
    def deliveries(self) -> Any:
        """Return the Dask DataFrame `schemas.DELIVERIES`: one partition a part, and one of what is still open."""
        return self._table(self._of_results(0), "delivery_columns_frame")

    @cached_property
    def messages(self) -> Any:
        """Return the Dask DataFrame `schemas.MESSAGES`: one partition a part, and one of what is still open."""
        return self._table(self._of_results(1), "message_columns_frame")

    @cached_property
    def events(self) -> Any:
        """Return the Dask DataFrame `schemas.EVENTS`: one partition a part; every line, so a big one."""
        futures = []
        state = self._submit(first_state, utc_offset_s=self.utc_offset_s, is_joined=False)
        for part in self.parts:
            blocks = self._read(part)
            futures.append(self._submit(events_of_part, state, blocks, compiled=self.compiled))
            state = self._submit(number_part, state, blocks, compiled=self.compiled)
        return self._table(futures or [self._submit(provider("event_columns_frame"), ())], "event_columns_frame")

    @cached_property
    def kinds(self) -> Counter[str]:
        """Return how many lines of each kind there are, added up part by part."""
        return sum(self.client.gather(self._of_results(2)), Counter())

    def __len__(self) -> int:
        """Return the number of lines."""
        return self.kinds.total()

    def __repr__(self) -> str:
        """Return one line: what is read, in how many parts; nothing is waited for."""
        what = f" of {visible(self.name)}" if self.name else ""
        return f"<ClusterLog{what}: {len(self.parts):,} parts>"

    def _repr_html_(self) -> str:
        return html_of(self)

    @property
    def unknown_count(self) -> int:
        """Return the number of lines that no form fits."""
        return self.kinds[UNKNOWN]


def read_on_cluster(
    *sources: Source, scheduler: Any, utc_offset_s: int = 0, part_bytes: int = PART_BYTES, name: str = ""
) -> ClusterLog:
    """Read logs on a cluster.

    Args:
        sources: Files that every worker sees under these names (plain, .gz or .zst), multilog directories, or octets.
        scheduler: A `dask.distributed.Client`.
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).
        part_bytes: Size of the parts (unit: octets). A compressed file is one part.
        name: What is read, for people.

    Raises:
        FormatError: A directory holds no log.
        MissingPartError: Dask is not installed with what this needs.
        OSError: A file is not there.
        TypeError: The scheduler is something else.
    """
    try:
        import dask.dataframe  # noqa: F401 - needs more packages than the rest of Dask: better said now
        from dask.distributed import Client
    except ImportError as error:
        raise MissingPartError(f"the package {error.name}", "Install it: pip install 'indimail-kit[cluster]'") from None
    if not isinstance(scheduler, Client):
        raise TypeError(f"a dask.distributed.Client expected, not {type(scheduler).__name__}")
    parts = plan_parts(*sources, part_bytes=part_bytes)
    size = sum(part.size if part.begin == 0 else 0 for part in parts)
    return ClusterLog(scheduler, parts, name, has_compiler() and size >= compile_bytes(), utc_offset_s)
