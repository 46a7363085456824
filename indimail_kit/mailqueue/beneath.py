"""Look below a queue directory without leaving it, waking anybody, or leaving a trace.

Source: Linux open(2) for the flags.

Rule 1: read only, O_NONBLOCK (a FIFO must not hang us), O_NOATIME where the system lets us.
Rule 2: no symbolic link is followed below the queue, in no part of a path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import CHDIR
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.quiet import open_quietly

NUMBER: Final = re.compile(r"[1-9][0-9]{0,19}")
"""Name of a file that belongs to a message."""

_LOOK: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def opened_queue(layout: QueueLayout) -> AbstractContextManager[int]:
    """Give a descriptor of the queue directory.

    Raises:
        QueueError: Exit code 61: it cannot be opened.
    """
    return opened_directory(layout.directory, what="queue")


@contextmanager
def opened_directory(directory: Path, *, what: str) -> Iterator[int]:
    """Give a descriptor of a directory; `what` it is stands in the error.

    Raises:
        QueueError: Exit code 61: it cannot be opened.
    """
    try:
        fd = open_quietly(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise QueueError(f"no {what} at {directory}: {error.strerror}", exit_code=CHDIR) from error
    try:
        yield fd
    finally:
        os.close(fd)


def open_below(path: str, queue_fd: int, flags: int = 0) -> int:
    """Open a path of the queue for reading, without following a link in any of its parts.

    Raises:
        OSError: It is not there, is a link, or may not be read.
    """
    *parents, name = path.split("/")
    fd = queue_fd
    try:
        for parent in parents:
            child = open_quietly(parent, _LOOK | os.O_DIRECTORY, fd)
            if fd != queue_fd:
                os.close(fd)
            fd = child
        return open_quietly(name, _LOOK | flags, fd)
    finally:
        if fd != queue_fd:
            os.close(fd)


def names_below(path: str, queue_fd: int) -> list[str]:
    """Return the names in a directory of the queue, in no order.

    Raises:
        OSError: It is not there, is no directory, or may not be read.
    """
    fd = open_below(path, queue_fd, os.O_DIRECTORY)
    try:
        return os.listdir(fd)  # noqa: PTH208 (a descriptor, not a path)
    finally:
        os.close(fd)
