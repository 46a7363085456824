"""Log files -> events: every line one event, with its file and its place in the file.

Source: multilog(8) for directories: ``@label.s`` and ``@label.u`` in the order of their labels, then ``current``.

Rule 1: lines read == events; a last line without an end is an event too, and marked.
Rule 2: the engine reads octets; what a line says is known to `grammar` alone.
Rule 3: memory does not grow with the file: events are yielded as they are read, and of an over-long line the first 64
KiB are kept.
Rule 4: a log is opened for reading and nothing else.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, cast

from indimail_kit.errors import FormatError, MissingPartError
from indimail_kit.logs.event import Event
from indimail_kit.logs.grammar import read_text
from indimail_kit.logs.labels import split_label

MAX_LINE_BYTES: Final = 64 * 1024
"""Most octets of a line that are kept (unit: octets). qmail-send's longest report is 10,000. Source: THREATS, "Regex
blow-up on logs"."""

RUN_PROGRAMS: Final = frozenset({"qmail-send", "slowq-send", "qmta-send", "todo-proc", "qmail-todo"})
"""Programs whose lines belong to a run of qmail-send."""

Source = bytes | str | os.PathLike[str]
"""A log: octets, a file (plain or .gz), or a directory of multilog's."""

Line = tuple[bytes, int, bool]
"""A line without its end, cut at the limit; its true length; whether it has an end."""


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


def log_files(directory: Path) -> tuple[Path, ...]:
    """Return the files of a multilog directory, oldest first."""
    old = sorted(path for path in directory.iterdir() if path.name.startswith("@") and path.suffix in (".s", ".u"))
    current = directory / "current"
    return (*old, current) if current.is_file() else tuple(old)


def _parts(source: Source) -> Iterator[tuple[str, Iterator[Line]]]:
    """Yield the name and the lines of each part of a log."""
    if isinstance(source, bytes):
        yield "", _lines(io.BytesIO(source))
        return
    path = Path(source)
    files = log_files(path) if path.is_dir() else (path,)
    if not files:
        raise FormatError("a multilog directory with `current` or `@*.s`", source=str(path))
    for part in files:
        if part.suffix == ".zst":
            raise MissingPartError("a reader for .zst files", f"Decompress it first: zstd -d {part.name}")
        with part.open("rb") as file:
            yield str(part), _gzip_lines(file, str(part)) if part.suffix == ".gz" else _lines(file)


def _gzip_lines(file: IO[bytes], name: str) -> Iterator[Line]:
    import gzip  # most logs are plain
    import zlib

    with gzip.GzipFile(fileobj=file) as unpacked:
        try:
            yield from _lines(cast("IO[bytes]", unpacked))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FormatError("a whole gzip file", source=name) from error


def _lines(file: IO[bytes]) -> Iterator[Line]:
    """Yield the lines of an open file."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        if line.endswith(b"\n"):
            yield line[:-1], len(line) - 1, True
            continue
        length = len(line)
        is_whole = False
        while not is_whole and (rest := file.readline(MAX_LINE_BYTES)):
            is_whole = rest.endswith(b"\n")
            length += len(rest) - is_whole
        yield line[:MAX_LINE_BYTES], length, is_whole


def read_events(*sources: Source, utc_offset_s: int = 0) -> Iterator[Event]:
    r"""Yield the events of logs, one for each line, in the order given.

    Args:
        sources: Octets, files (plain or .gz) or multilog directories. Runs are counted across them: give them oldest
            first.
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).

    Raises:
        FormatError: A directory holds no log, or a .gz file is damaged; what was read before has been yielded.
        MissingPartError: A file is compressed in a way that cannot be read here.
        OSError: A file cannot be read; what was read before has been yielded.

    Example:
        >>> [event.kind for event in read_events(b"new msg 660188\nend msg 660188\n?")]
        ['new_msg', 'end_msg', 'unknown']
    """
    counter = RunCounter()
    for source in sources:
        for name, lines in _parts(source):
            yield from _events(name, lines, counter, utc_offset_s)


def _events(name: str, lines: Iterable[Line], counter: RunCounter, utc_offset_s: int) -> Iterator[Event]:
    offset = 0
    for line_number, (line, length, is_whole) in enumerate(lines, start=1):
        label = split_label(line, utc_offset_s=utc_offset_s)
        # Of a line that was cut nobody can tell what it says: its end may change everything.
        form, fields = read_text(line[label.end :]) if length == len(line) else (None, {})
        event = Event(
            line=line,
            text_start=label.end,
            form=form,
            fields=fields,
            label_kind=label.kind,
            unix_ns=label.unix_ns,
            file=name,
            line_number=line_number,
            byte_offset=offset,
            line_bytes=length,
            is_whole=is_whole,
        )
        run = counter.run_of(event)
        if run is not None:
            object.__setattr__(event, "run", run)  # still ours: nobody else has seen the event yet
        yield event
        offset += length + is_whole
