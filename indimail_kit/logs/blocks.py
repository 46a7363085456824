"""Log files -> blocks of whole lines, as octets.

Rule 1: every octet of a file is in one block, in order; a block ends with a line's end or with its file.
Rule 2: memory does not grow with the file: of an over-long line the first 64 KiB are kept, the rest is counted.
Rule 3: what was read before a fault is given out before the fault is raised.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final, cast

from indimail_kit.errors import FormatError
from indimail_kit.logs.files import Source, log_files, open_logs

__all__ = ["BLOCK_BYTES", "MAX_LINE_BYTES", "RawBlock", "Source", "blocks_of", "log_files", "read_raw_blocks"]

MAX_LINE_BYTES: Final = 64 * 1024
"""Most octets of a line that are kept (unit: octets). qmail-send's longest report is 10,000. Source: THREATS, "Regex
blow-up on logs"."""

BLOCK_BYTES: Final = 512 * 1024
"""Usual size of a block (unit: octets): its columns stay in the processor's cache."""


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


def read_raw_blocks(*sources: Source, block_bytes: int = BLOCK_BYTES) -> Iterator[RawBlock]:
    """Yield the blocks of logs in the order given.

    Raises:
        FormatError: A directory holds no log, a compressed file is damaged, or a file was cut while it was read.
        MissingPartError: A file is compressed in a way that cannot be read here.
        OSError: A file cannot be read.
    """
    for source in sources:
        if isinstance(source, bytes):
            yield from blocks_of(io.BytesIO(source), "", block_bytes)
            continue
        for name, file in open_logs(source):
            yield from blocks_of(file, name, block_bytes)


def _fault(error: Exception, name: str, read_bytes: int) -> Exception:
    """Return what to raise for a fault of the disk or of a decompressor; it says how much was read before."""
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, f"{error.strerror}; {read_bytes:,} octets were read before", name)
    kind = "zstd" if name.endswith(".zst") else "gzip"
    return FormatError(f"a whole {kind} file; {read_bytes:,} octets of its log were read before", source=name)


def _fill(file: IO[bytes], room: memoryview) -> tuple[int, Exception | None]:
    """Read until the room is full or the file ends; return how much was read, and the fault that stopped it."""
    import zlib

    read = getattr(file, "readinto1", None) or cast("Any", file).readinto
    count = 0
    while count < len(room):
        try:
            got = read(room[count:])
        except (OSError, EOFError, zlib.error) as error:
            return count, error
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
        got, fault = _fill(file, room[len(rest) :])
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
        raise _fault(fault, name, offset + skipped + len(rest))
