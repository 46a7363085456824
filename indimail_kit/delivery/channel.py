"""The local and remote files of a message: who still has to get it. Reading them, and marking one recipient as done.

Source: IndiMail qmail-send.c `pass_dochan()`, `markdone()`; qmail's INTERNALS section 5 (DONE, NOT DONE).

Rule 1: a mark is one octet, written in place; the file is never rewritten.
Rule 2: a file that breaks its grammar keeps its good records before the fault, and is kept itself.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from indimail_kit.errors import FormatError
from indimail_kit.mailqueue.descriptors import as_file


@dataclass(frozen=True, slots=True)
class Mark:
    """One record.

    Attributes:
        address: The recipient.
        is_done: D instead of T.
        position: Place of the letter in the file (unit: octets from the start).
    """

    address: bytes
    is_done: bool
    position: int


@dataclass(frozen=True, slots=True)
class ChannelFile:
    """What a local or remote file says.

    Attributes:
        marks: Its records up to the first fault.
        fault: What is wrong behind them, as a phrase for the log, or "".
    """

    marks: tuple[Mark, ...]
    fault: str = ""


def decode_marks(octets: bytes) -> ChannelFile:
    r"""Read a local or remote file.

    Example:
        >>> decode_marks(b"Dann@local.test\0Tbob@local.test\0").marks[1]
        Mark(address=b'bob@local.test', is_done=False, position=16)
    """
    marks: list[Mark] = []
    position = 0
    while position < len(octets):
        end = octets.find(b"\0", position)
        if end < 0:
            return ChannelFile(tuple(marks), "unfinished record")
        letter = octets[position : position + 1]
        if letter not in (b"T", b"D"):
            return ChannelFile(tuple(marks), "unknown record type")
        marks.append(Mark(octets[position + 1 : end], letter == b"D", position))
        position = end + 1
    return ChannelFile(tuple(marks))


def mark_done(path: Path, position: int) -> None:
    """Turn the T at a position into D.

    Raises:
        OSError: The file cannot be opened or written.
        FormatError: There is no T or D at the position: somebody changed the file.
    """
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.pread(fd, 1, position) not in (b"T", b"D"):
            raise FormatError("T or D", offset=position)
        os.pwrite(fd, b"D", position)
    finally:
        os.close(fd)


def open_regular(path: Path) -> int:
    """Open a file of the queue for reading, never through a symbolic link, never a directory or a pipe.

    Raises:
        OSError: It is not there, cannot be opened, or is no regular file.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        is_regular = stat.S_ISREG(os.fstat(fd).st_mode)
    except BaseException:
        os.close(fd)
        raise
    if not is_regular:
        os.close(fd)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return fd


def read_whole(path: Path) -> bytes:
    """Return a file of the queue.

    Raises:
        OSError: It is not there, cannot be read, or is no regular file.
    """
    with as_file(open_regular(path), "rb") as file:
        return file.read()
