"""Small files from somebody else's hands: regular ones only, and never more than a limit.

Rule 1: nothing here waits: a FIFO or a device is refused, not read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from indimail_kit.errors import FormatError


def read_small_file(path: str | Path, *, max_bytes: int, expected: str) -> bytes:
    """Return a file's octets.

    Args:
        path: The file; a link is followed.
        max_bytes: A larger file is refused before it is read (unit: octets).
        expected: What the file should be, for the error.

    Raises:
        FormatError: It is no regular file, or larger.
        OSError: It cannot be opened or read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FormatError(expected, source=str(path))
    with os.fdopen(fd, "rb") as file:
        octets = file.read(max_bytes + 1)
    if len(octets) > max_bytes:
        raise FormatError(expected, source=str(path))
    return octets
