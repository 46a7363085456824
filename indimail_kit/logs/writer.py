"""Write a log as multilog does: every line with a TAI64N label, in the file `current` of a directory.

Source: multilog(8) with the action ``t``; IndiMail daemontools-x/multilog.c.

Rule 1: one line, one write(2) with O_APPEND: lines of several threads or processes never mix.
Rule 2: the caller's clock stamps the line, so that tests and replays decide what time it is.

Deviation:
    The file is never rotated (multilog starts a new one at 99,999 octets): the lab's log is one lesson long.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from indimail_kit.tai64 import to_tai64n

CURRENT: Final = "current"
"""Name of the file that multilog writes."""

FILE_MODE: Final = 0o644
"""Mode of the file while it is written. Source: multilog.c `fullcurrent()` makes it 744 when it is closed."""

_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW

_BLOCK_BYTES: Final = 64 * 1024


class LogWriter:
    """An open log; safe to use from several threads.

    Attributes:
        directory: Where the log is; made if it is not there.
        path: The file that is written.
    """

    def __init__(self, directory: Path, clock: Callable[[], int] = time.time_ns) -> None:
        self.directory = directory
        self.path = directory / CURRENT
        self._clock = clock
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self.path, _FLAGS, FILE_MODE)
        os.fchmod(self._fd, FILE_MODE)

    def write(self, line: bytes, unix_ns: int | None = None) -> bytes:
        r"""Write one line and return it as it stands in the file.

        Args:
            line: The text without its end. A line end inside becomes ``/``: a line cannot forge another one.
            unix_ns: Its time (unit: ns since 1970); the clock's time unless given.

        Raises:
            ValueError: The log is closed.
            OSError: The disk is full; nothing of the line is in the file.
        """
        with self._lock:
            if self._fd < 0:
                raise ValueError("the log is closed")
            label = to_tai64n(self._clock() if unix_ns is None else unix_ns)
            stamped = b"%s %s\n" % (label, line.replace(b"\n", b"/"))
            _write_all(self._fd, stamped)
            return stamped

    def tail(self, count: int) -> tuple[bytes, ...]:
        """Return the last lines of the file, without their ends, oldest first."""
        return tail_lines(self.path, count)

    def close(self) -> None:
        """Close the file; closing twice is no fault."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LogWriter({str(self.path)!r})"


def _write_all(fd: int, octets: bytes) -> None:
    """Append everything or nothing: half a line on a full disk is taken back, so that the next line stands alone."""
    size = os.fstat(fd).st_size
    try:
        while octets:
            octets = octets[os.write(fd, octets) :]
    except OSError:
        os.ftruncate(fd, size)
        raise


def tail_lines(path: Path, count: int) -> tuple[bytes, ...]:
    """Return the last `count` lines of a file, without their ends, reading from the end only as far as needed."""
    if count <= 0:
        return ()
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        octets = b""
        while position and octets.count(b"\n") <= count:
            step = min(_BLOCK_BYTES, position)
            position -= step
            file.seek(position)
            octets = file.read(step) + octets
    lines = octets.split(b"\n")
    return tuple((lines[:-1] if lines[-1] == b"" else lines)[-count:])
