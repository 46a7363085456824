"""Does somebody work on this queue? Seen in /proc, by the inode of lock/sendmutex, which is never opened.

Source: proc(5), "/proc/locks"; IndiMail qmail-send.c `main()` (the lock is taken by flock or lockf and kept).

Note for maintainers: the kernel numbers files in /proc/locks by the device of the file system, which stat() does not
tell for btrfs and some layered file systems. Where no mount has stat's device, the inode number alone has to do: better
one refusal too many. Locks of another PID namespace (a container's host) are not shown to us.

Rule 1: lstat and /proc only; nothing below lock/ is opened.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from indimail_kit.errors import MissingPartError

_LOCK: Final = re.compile(rb"\d+:\s+(?:FLOCK|POSIX|OFDLCK)\s+\S+\s+\S+\s+(-?\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s")
"""A line of /proc/locks about a lock that is held (not waited for): pid, major and minor in hexadecimal, inode."""

_MOUNT: Final = re.compile(r"^\d+ \d+ (\d+:\d+) ", re.MULTILINE)


def find_holder(queue: Path, *, proc: Path = Path("/proc")) -> int | None:
    """Return the process that holds a queue, None when nobody does.

    Args:
        queue: The queue directory.
        proc: Where the process information is mounted.

    Returns:
        Process id; 0 when a lock has no process, or when it is a process that we cannot see.

    Raises:
        MissingPartError: It cannot be told, for there is no /proc/locks.
    """
    try:
        status = os.lstat(queue / "lock" / "sendmutex")
    except OSError:
        return _opener(queue, proc)
    try:
        locks = (proc / "locks").read_bytes()
        mounts = (proc / "self" / "mountinfo").read_text(errors="surrogateescape")
    except OSError as error:
        remedy = "Without it nobody can see whether qmail-send works on the queue, so nothing is changed."
        raise MissingPartError(str(error.filename), remedy) from error
    device = (os.major(status.st_dev), os.minor(status.st_dev))
    is_shown = f"{device[0]}:{device[1]}" in _MOUNT.findall(mounts)
    for pid, major, minor, inode in _LOCK.findall(locks):
        if int(inode) == status.st_ino and (not is_shown or (int(major, 16), int(minor, 16)) == device):
            return max(int(pid), 0)
    return None if stat.S_ISREG(status.st_mode) else _opener(queue, proc)


def holder_text(queue: Path, pid: int) -> str:
    """Return what to say of a queue that is held."""
    who = f"process {pid}" if pid else "a process that cannot be seen from here"
    return f"qmail-send holds {queue.name} ({who} has lock/sendmutex): stop it first, for example with svc -d"


def _opener(queue: Path, proc: Path) -> int | None:
    """Return a process that has the removed sendmutex of a queue still open; processes of others may be unseen."""
    wanted = f"{queue.resolve()}/lock/sendmutex"
    for process in proc.glob("[0-9]*"):
        with suppress(OSError):
            for link in (process / "fd").iterdir():
                with suppress(OSError):
                    if str(link.readlink()).removesuffix(" (deleted)") == wanted:
                        return int(process.name)
    return None
