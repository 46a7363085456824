"""Open without a trace: the access time stays as it was, where the system lets us.

Source: Linux open(2), O_NOATIME: for owners and root.

Note for maintainers: the age of a message that was never queued is told by access times (qmail-clean.c), and who looks
at a directory changes the directory's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_NOATIME: Final = getattr(os, "O_NOATIME", 0)


def open_quietly(path: str | os.PathLike[str], flags: int, dir_fd: int | None = None) -> int:
    """Open without touching the access time if we may, else as everybody.

    Raises:
        OSError: It cannot be opened.
    """
    try:
        return os.open(path, flags | _NOATIME, dir_fd=dir_fd)
    except PermissionError:
        return os.open(path, flags, dir_fd=dir_fd)


@contextmanager
def entries_of(directory: str | os.PathLike[str]) -> Iterator[Iterator[os.DirEntry[str]]]:
    """Give the entries of a directory; they can be asked for their type as long as this lasts.

    Raises:
        OSError: It cannot be listed.
    """
    fd = open_quietly(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(fd) as entries:
            yield entries
    finally:
        os.close(fd)
