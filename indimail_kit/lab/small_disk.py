"""A small disk for the queues of a lab: mail that has no room gets ENOSPC, as a partition of its own would give it.

Source: IndiMail qmail-queue.c: a write that fails is exit code 53; qmail.c: "qq write error or disk full (#4.3.0)".

Deviation:
    Only what qmail-queue writes is counted against the room. A real partition has none for qmail-send's files either,
    and needs root to be made; this one is the sum of what lies in a directory: ``du -sb`` plays ``df``.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import WRITE


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A directory that may hold so much and no more.

    Attributes:
        directory: The directory.
        size_bytes: What its files may have together (unit: octets).
    """

    directory: Path
    size_bytes: int

    def used_bytes(self) -> int:
        """Return what ``du -sb`` says: the sizes of all files and directories in it, links once (unit: octets).

        Nothing is opened and no link followed; what goes while we look counts nothing.
        """
        places = ((Path(parent), names) for parent, _, names in os.walk(self.directory))
        paths = (path for parent, names in places for path in (parent, *(parent / name for name in names)))
        return sum(_sizes(paths).values())

    def require(self, octets: int) -> None:
        """Refuse what has no room (unit: octets).

        Raises:
            QueueError: Exit code 53.
        """
        if self.used_bytes() + octets > self.size_bytes:
            text = os.strerror(errno.ENOSPC)
            raise QueueError(f"write: {text}", exit_code=WRITE, path="mess") from OSError(errno.ENOSPC, text)


def _sizes(paths: Iterable[Path]) -> dict[tuple[int, int], int]:
    """Return device and inode -> size (unit: octets)."""
    sizes = {}
    for path in paths:
        with contextlib.suppress(OSError):
            found = path.lstat()
            sizes[found.st_dev, found.st_ino] = found.st_size
    return sizes
