"""Which files a log is in, opened for reading one after the other, decompressed.

Source: multilog(8) for directories: ``@label.s`` and ``@label.u`` in the order of their labels, then ``current``.

Rule 1: a log is opened for reading and nothing else.
Rule 2: a directory is looked at anew before each of its files, so that what multilog turns over meanwhile is not lost;
the end is what `current` was when it was opened.
Rule 3: a file that another one replaces is read to its own end; one that is cut while it is read is said to be.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

from indimail_kit.errors import FormatError, MissingPartError
from indimail_kit.logs.rotation import MAX_LOOKS, Look, look_anyway

_PACKED_BYTES: Final = 128 * 1024
"""Compressed octets that are read at once."""

Source = bytes | str | os.PathLike[str]
"""A log: octets, a file (plain, .gz or .zst), or a directory of multilog's."""


@dataclass(frozen=True, slots=True)
class Told(os.PathLike[str]):
    """A path of which somebody wants to know how far it has been read; a source like any other.

    Attributes:
        path: The file or directory.
        tell: Takes how many octets were read from the disk just now.
    """

    path: Path
    tell: Callable[[int], None]

    def __fspath__(self) -> str:
        return str(self.path)


def log_files(directory: Path) -> tuple[Path, ...]:
    """Return the files of a multilog directory, oldest first."""
    old = sorted(path for path in directory.iterdir() if path.name.startswith("@") and path.suffix in (".s", ".u"))
    current = directory / "current"
    return (*old, current) if current.is_file() else tuple(old)


def open_logs(source: str | os.PathLike[str]) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the files of a log with their names, each open until the next one is asked for.

    Raises:
        FormatError: A directory holds no log, or a file was cut while it was read.
        MissingPartError: A file is compressed in a way that cannot be read here.
        OSError: A file cannot be opened.
    """
    tell = source.tell if isinstance(source, Told) else None
    path = Path(source)
    if path.is_dir():
        yield from _open_directory(path, tell)
        return
    with _opened(path, tell) as (raw, file):
        yield str(path), file
        _check_length(raw, path)


def _open_directory(directory: Path, tell: Callable[[int], None] | None) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the files of a directory that may be turned over meanwhile."""
    newest, has_any, tries = "", False, 0
    while True:
        seen = look_anyway(directory)
        closed = [place for place in seen.named if place.name > newest]
        for place in closed:
            newest, has_any = place.name, True
            with _opened(directory / place.name, tell) as (raw, file):
                yield str(directory / place.name), file
                _check_length(raw, directory / place.name)
        if closed:
            continue  # that took its time
        with ExitStack() as stack:
            last = _open_last(stack, directory, seen, tell)
            if last is None:
                tries += 1
                if tries == MAX_LOOKS:
                    raise FormatError("a multilog directory that holds still for a moment", source=str(directory))
                continue
            for path, raw, file in last:
                yield str(path), file
                _check_length(raw, path)
        if not (has_any or last):
            raise FormatError("a multilog directory with `current` or `@*.s`", source=str(directory))
        return


def _open_last(
    stack: ExitStack, directory: Path, seen: Look, tell: Callable[[int], None] | None
) -> list[tuple[Path, io.FileIO, IO[bytes]]] | None:
    """Open the files without a final name, oldest first; None if they are no longer what was seen."""
    places = [place for place in (seen.previous, seen.current) if place is not None]
    opened = []
    try:
        for place in places:
            path = directory / place.name
            opened.append((path, *stack.enter_context(_opened(path, tell))))
    except FileNotFoundError:
        return None
    is_same = [os.fstat(raw.fileno()).st_ino for _, raw, _ in opened] == [place.inode for place in places]
    return opened if is_same and look_anyway(directory) == seen else None


def _check_length(raw: io.FileIO, path: Path) -> None:
    """Raise FormatError if a file is shorter now than what was read of it."""
    status = os.fstat(raw.fileno())
    if stat.S_ISREG(status.st_mode) and status.st_size < raw.tell():
        told = f"a file that nobody cuts while it is read; its first {raw.tell():,} octets were read"
        raise FormatError(told, source=str(path))


class _Counted(io.FileIO):
    """A file that tells how much is read of it."""

    def __init__(self, path: str, tell: Callable[[int], None]) -> None:
        super().__init__(path)
        self._tell = tell

    def read(self, size: int | None = -1, /) -> bytes:
        """Return some octets."""
        octets = super().read(-1 if size is None else size)
        self._tell(len(octets or b""))
        return octets or b""

    def readinto(self, room: Any, /) -> int:
        """Put some octets into the room."""
        size = super().readinto(room) or 0
        self._tell(size)
        return size


@contextmanager
def _opened(path: Path, tell: Callable[[int], None] | None) -> Iterator[tuple[io.FileIO, IO[bytes]]]:
    """Open a file as it is, and through its decompression if its name asks for one."""
    with io.FileIO(str(path)) if tell is None else _Counted(str(path), tell) as raw:
        if path.suffix == ".gz":
            import gzip  # most logs are plain

            with gzip.GzipFile(fileobj=cast("IO[bytes]", raw)) as unpacked:
                yield raw, cast("IO[bytes]", unpacked)
        elif path.suffix == ".zst":
            yield raw, cast("IO[bytes]", _ZstdFile(raw, path))
        else:
            yield raw, cast("IO[bytes]", raw)


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
