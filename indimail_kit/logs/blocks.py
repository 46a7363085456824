"""Log files -> blocks of whole lines, as octets.

Source: multilog(8) for directories: ``@label.s`` and ``@label.u`` in the order of their labels, then ``current``.

Rule 1: every octet of a file is in one block, in order; a block ends with a line's end or with its file.
Rule 2: memory does not grow with the file: of an over-long line the first 64 KiB are kept, the rest is counted.
Rule 3: a log is opened for reading and nothing else.
Rule 4: what was read before a fault is given out before the fault is raised.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

from indimail_kit.errors import FormatError, MissingPartError

MAX_LINE_BYTES: Final = 64 * 1024
"""Most octets of a line that are kept (unit: octets). qmail-send's longest report is 10,000. Source: THREATS, "Regex
blow-up on logs"."""

BLOCK_BYTES: Final = 512 * 1024
"""Usual size of a block (unit: octets): its columns stay in the processor's cache."""

_PACKED_BYTES: Final = 128 * 1024
"""Compressed octets that are read at once."""

Source = bytes | str | os.PathLike[str]
"""A log: octets, a file (plain, .gz or .zst), or a directory of multilog's."""


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Lines of one file that follow each other.

    Attributes:
        file: Where they are from, "" for octets in memory.
        byte_offset: First octet of the block in the file, after decompression.
        octets: The lines with their ends.
        skipped_bytes: Octets of the first line that were left out behind its first 64 KiB.
        is_first: Whether the file begins here.
    """

    file: str
    byte_offset: int
    octets: memoryview
    skipped_bytes: int
    is_first: bool


def log_files(directory: Path) -> tuple[Path, ...]:
    """Return the files of a multilog directory, oldest first."""
    old = sorted(path for path in directory.iterdir() if path.name.startswith("@") and path.suffix in (".s", ".u"))
    current = directory / "current"
    return (*old, current) if current.is_file() else tuple(old)


def read_raw_blocks(*sources: Source, block_bytes: int = BLOCK_BYTES) -> Iterator[RawBlock]:
    """Yield the blocks of logs in the order given.

    Raises:
        FormatError: A directory holds no log, or a compressed file is damaged.
        MissingPartError: A file is compressed in a way that cannot be read here.
        OSError: A file cannot be read.
    """
    for source in sources:
        if isinstance(source, bytes):
            yield from blocks_of(io.BytesIO(source), "", block_bytes)
            continue
        path = Path(source)
        files = log_files(path) if path.is_dir() else (path,)
        if not files:
            raise FormatError("a multilog directory with `current` or `@*.s`", source=str(path))
        for part in files:
            with _opened(part) as file:
                yield from blocks_of(file, str(part), block_bytes)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, through its decompression if its name asks for one."""
    with path.open("rb", buffering=0) as file:
        if path.suffix == ".gz":
            import gzip  # most logs are plain

            with gzip.GzipFile(fileobj=cast("IO[bytes]", file)) as unpacked:
                yield cast("IO[bytes]", unpacked)
        elif path.suffix == ".zst":
            yield cast("IO[bytes]", _ZstdFile(file, path))
        else:
            yield cast("IO[bytes]", file)


class _ZstdFile:
    """The decompressed octets of a .zst file; unlike zstandard's own reader it notices that the end is missing."""

    def __init__(self, file: Any, path: Path) -> None:
        try:
            import zstandard
        except ImportError:
            what_to_do = f"Install it (pip install 'indimail-kit[logs]'), or decompress the file: zstd -d {path.name}"
            raise MissingPartError("a reader for .zst files", what_to_do) from None
        self._new_frame = zstandard.ZstdDecompressor().decompressobj
        self._error = zstandard.ZstdError
        self._frame: Any = None
        self._file = file
        self._packed = b""
        self._octets = b""

    def readinto1(self, room: memoryview) -> int:
        """Put some octets into the room; 0 at the end. EOFError: the file is damaged or ends too early."""
        while not self._octets:
            if not self._packed:
                self._packed = self._file.read(_PACKED_BYTES)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError
                return 0
            self._frame = self._frame or self._new_frame()
            try:
                self._octets = self._frame.decompress(self._packed)
            except self._error as error:
                raise EOFError from error
            self._packed = b""
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        size = min(len(room), len(self._octets))
        room[:size] = self._octets[:size]
        self._octets = self._octets[size:]
        return size


def _fault(error: Exception, name: str) -> Exception:
    """Return what to raise for a fault of a decompressor."""
    if isinstance(error, OSError) and error.errno is not None:
        return error  # the system's own words
    kind = "zstd" if name.endswith(".zst") else "gzip"
    return FormatError(f"a whole {kind} file", source=name)


def _fill(file: IO[bytes], room: memoryview, name: str) -> tuple[int, Exception | None]:
    """Read until the room is full or the file ends; return how much was read, and the fault that stopped it."""
    import zlib

    read = getattr(file, "readinto1", None) or cast("Any", file).readinto
    count = 0
    while count < len(room):
        try:
            got = read(room[count:])
        except (OSError, EOFError, zlib.error) as error:
            return count, _fault(error, name)
        if not got:
            break
        count += got
    return count, None


def _last_end(octets: memoryview, size: int) -> int:
    """Return the position behind the last line end, 0 if there is none."""
    behind = size
    while behind > 0:
        begin = max(0, behind - MAX_LINE_BYTES)
        found = bytes(octets[begin:behind]).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        behind = begin
    return 0


def blocks_of(file: IO[bytes], name: str, block_bytes: int) -> Iterator[RawBlock]:
    """Yield the blocks of one open file."""
    rest, offset, skipped = b"", 0, 0
    is_first = True
    fault: Exception | None = None
    while fault is None:
        room = memoryview(bytearray(len(rest) + block_bytes))
        room[: len(rest)] = rest
        got, fault = _fill(file, room[len(rest) :], name)
        size = len(rest) + got
        if not got:
            break
        cut = _last_end(room, size)
        if not cut:  # a line that is longer than the block: keep its beginning
            rest = bytes(room[: min(size, MAX_LINE_BYTES)])
            skipped += size - len(rest)
            continue
        rest = bytes(room[cut:size])
        head = room[:cut]
        if skipped:
            # The first line was cut before; what follows of it goes too.
            end = bytes(head).index(b"\n")
            kept = min(end, MAX_LINE_BYTES)
            skipped += end - kept
            head = memoryview(bytes(head[:kept]) + bytes(head[end:]))
        yield RawBlock(name, offset, head.toreadonly(), skipped, is_first)
        is_first = False
        offset += len(head) + skipped
        skipped = 0
        if len(rest) > MAX_LINE_BYTES:
            skipped = len(rest) - MAX_LINE_BYTES
            rest = rest[:MAX_LINE_BYTES]
    if rest:
        yield RawBlock(name, offset, memoryview(rest), skipped, is_first)
    if fault is not None:
        raise fault
