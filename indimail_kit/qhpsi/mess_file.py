"""Open the message of a scan: a regular file, read-only, without waiting on it.

Note for maintainers: clamd answers ``NAME: OK`` for a symbolic link that it does not follow (ClamAV 1.4.6 with its
default FollowFileSymlinks no), and a FIFO would hold a scanner up for ever. So whoever scans looks first at what it
is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NotAFileError(OSError):
    """The path leads to something that is not a regular file."""


def open_regular(path: str | bytes | Path) -> tuple[int, int]:
    """Return a read-only descriptor of a regular file and its size (unit: octets); the caller closes it.

    Raises:
        NotAFileError: It is a directory, FIFO, socket or device.
        OSError: It cannot be opened.
    """
    # O_NONBLOCK: opening a FIFO must not wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        return descriptor, _size_of_regular(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise


def _size_of_regular(status: os.stat_result) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise NotAFileError("not a regular file")
    return status.st_size


@contextmanager
def open_message(path: str | bytes | Path) -> Iterator[tuple[int, int]]:
    """Give what `open_regular` returns, and close it afterwards."""
    descriptor, size = open_regular(path)
    try:
        yield descriptor, size
    finally:
        os.close(descriptor)


def describe(error: OSError) -> str:
    """Return the reason of a failed system call, without the path that the caller knows already."""
    return error.strerror or str(error) or type(error).__name__
