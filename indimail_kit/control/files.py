"""How the files of this room are read and replaced: a bounded beginning, and never a half-written file.

Rule 1: a reader never waits for anybody, and never reads more than it was told.
Rule 2: a writer makes a new file beside the old one and renames it; whoever reads sees the old one or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path
from typing import Final

_READ_BYTES: Final = 2**16
"""Most octets asked for in one call (unit: octets); a small file does not need room for the limit."""


def read_beginning(path: str | Path, limit_bytes: int) -> bytes:
    """Return the octets of a file up to one more than a limit, without waiting for anybody.

    Raises:
        OSError: The file cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        octets = bytearray()
        while len(octets) <= limit_bytes:
            part = file.read(min(limit_bytes + 1 - len(octets), _READ_BYTES))
            if part is None:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            if not part:
                break
            octets += part
    return bytes(octets)


def replace_file(target: Path, octets: bytes, *, mode: int) -> None:
    """Put a file in place of another one, durably.

    Raises:
        OSError: It cannot be written: the old file is as it was, and nothing is left beside it. Or the new file is
            there and the directory cannot be synced.
        ValueError: No file can have this name.
    """
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".new", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(target)
    except (OSError, ValueError):
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_directory(target.parent)


def problem_of(error: OSError | ValueError) -> str:
    """Return what the system said of a file."""
    return (isinstance(error, OSError) and error.strerror) or "a name that no file can have"


def _sync_directory(directory: Path) -> None:
    """Make the new name durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
