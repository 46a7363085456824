"""A private directory in /tmp that does not outlive its owner for long.

Who is killed cannot clear up. So each directory holds a lock that the system gives back when its owner is gone, and
whoever makes the next directory removes those whose lock is free.

Source: flock(2), mkdtemp(3).

Rule 1: a directory is removed only if it is ours (name, user), holds a lock file, and the lock could be taken.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PARENT: Final = Path("/tmp")  # noqa: S108 - mkdtemp makes the name, mode 700
"""Short, and the only place where Ubuntu's AppArmor profile lets clamd write."""

_LOCK: Final = "owner.lock"


@dataclass(slots=True)
class PrivateHoldings:
    """A private directory and its lock, as what must be given back.

    Attributes:
        owner_pid: Whose it is; a fork of the owner has only a copy of this.
        directory: The directory, or None.
        lock: The descriptor that holds its lock, or None.
    """

    owner_pid: int
    directory: Path | None = None
    lock: int | None = None

    @property
    def is_ours(self) -> bool:
        """Say whether this process is the owner."""
        return os.getpid() == self.owner_pid

    def settle_in(self, directory: Path | None, *, prefix: str) -> Path:
        """Return the caller's directory, which stays; or a new private one, which is then held."""
        if directory is None:
            directory, self.lock = make_private_directory(prefix)
            self.directory = directory
        return directory.absolute()

    def give_back_directory(self) -> None:
        """Remove the directory and give the lock up; a second call does nothing."""
        if self.directory is not None:
            _remove(self.directory)
            self.directory = None
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def make_private_directory(prefix: str, *, parent: Path = PARENT) -> tuple[Path, int]:
    """Make a directory of mode 700 and hold its lock; remove those of owners that are gone.

    Args:
        prefix: Begin of the name; only directories with the same one are looked at.
        parent: Where to make it.

    Returns:
        The directory, and the descriptor that holds the lock; closing it gives the directory up.
    """
    import fcntl
    import tempfile

    sweep(prefix, parent=parent)
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    fresh = directory / f".{_LOCK}"
    descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    # Under its name only when it is held: a sweeper never finds a free lock of a living owner.
    fresh.rename(directory / _LOCK)
    return directory, descriptor


def sweep(prefix: str, *, parent: Path = PARENT) -> tuple[Path, ...]:
    """Remove the directories whose owners are gone, and return them."""
    gone = []
    for directory in parent.glob(f"{prefix}*"):
        # Somebody else may sweep or end at the same moment.
        with contextlib.suppress(OSError):
            if _is_ours(directory) and (descriptor := _take_lock(directory)) is not None:
                try:
                    _remove(directory)
                finally:
                    os.close(descriptor)
                gone.append(directory)
    return tuple(gone)


def _remove(directory: Path) -> None:
    """Remove a directory, its lock last: who is killed over it leaves what the next one finds and removes."""
    import shutil

    with contextlib.suppress(OSError):
        for path in directory.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != _LOCK:
                path.unlink(missing_ok=True)
    shutil.rmtree(directory, ignore_errors=True)


def _is_ours(directory: Path) -> bool:
    """Say whether it is a directory of this user, and no link to one."""
    status = directory.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _take_lock(directory: Path) -> int | None:
    """Take the lock of a directory whose owner is gone; None while he is there."""
    import fcntl

    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
