"""Whom the scanner runs as, and how it gets a message that this user cannot reach: a program that is not trusted.

Source: IndiMail qhpsi.c: setuid qscand, no supplementary groups; path_resolution(7), acl(5).

Note for maintainers: /dev/fd/0 would be a name without a copy, but clamdscan (ClamAV 1.4.6) does not follow the link
and says ``/dev/fd/0: OK`` with exit code 0: a virus would be clean. So what is handed over is always a real file.

Rule 1: as root nothing foreign is run as root, unless the caller says so with ``run_as=None``.
Rule 2: the copy belongs to root and the scanner may only read it; it is gone when the scan is over.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indimail_kit.qhpsi.private_dir import make_private_directory

NOT_ROOT: Final = ":not-root"
"""`run_as`: as root one of SCAN_USERS, else as we are. No user's name: it holds a colon."""

SCAN_USERS: Final = ("qscand", "nobody")
"""IndiMail's user for scanners, else the system's user without rights."""

_OVERFLOW: Final = 65_534
"""The number of nobody where no user bears it. Source: /proc/sys/kernel/overflowuid."""

_READ, _SEARCH = 4, 1


@dataclass(frozen=True, slots=True)
class ScanUser:
    """A user without supplementary groups.

    Attributes:
        name: The name.
        uid: The user's number.
        gid: The number of the user's own group.
    """

    name: str
    uid: int
    gid: int


def scan_user(run_as: str | None = NOT_ROOT) -> ScanUser | None:
    """Return whom to become; None = stay who we are.

    Args:
        run_as: A user's name, NOT_ROOT, or None.

    Raises:
        KeyError: There is no such user.
    """
    if run_as is None or (run_as == NOT_ROOT and os.geteuid() != 0):
        return None
    import pwd

    if run_as != NOT_ROOT:
        entry = pwd.getpwnam(run_as)
        return ScanUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in SCAN_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ScanUser(name, entry.pw_uid, entry.pw_gid)
    return ScanUser(str(_OVERFLOW), _OVERFLOW, _OVERFLOW)


def _may(user: ScanUser, path: str, wanted: int) -> bool:
    """Say whether the mode of one file or directory lets the user; an access list is taken as a no."""
    status = os.stat(path)  # noqa: PTH116 - called for each directory above the message
    if "system.posix_acl_access" in os.listxattr(path):
        return False
    shift = 6 if status.st_uid == user.uid else 3 if status.st_gid == user.gid else 0
    return status.st_mode >> shift & wanted == wanted


def can_read(user: ScanUser, path: Path) -> bool:
    """Say whether a user can reach and read a file, as far as the modes tell."""
    names = {os.path.abspath(path), os.path.realpath(path)}  # noqa: PTH100 - also the way through a link
    directories = {str(parent) for name in names for parent in Path(name).parents}
    try:
        return _may(user, str(path), _READ) and all(_may(user, name, _SEARCH) for name in directories)
    except OSError:
        return False


@contextmanager
def copy_for(user: ScanUser, descriptor: int, name: str) -> Iterator[Path]:
    """Give a copy of a message that the user can read and nobody else, and remove it afterwards.

    Args:
        user: The scanner's user.
        descriptor: The message, open for reading.
        name: Name of the copy.
    """
    import shutil

    directory, lock = make_private_directory("ik-scan-")
    try:
        copy = directory / name
        target = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, stat.S_IRUSR)
        try:
            offset = 0
            # In the kernel: the message does not pass through Python.
            while sent := os.sendfile(target, descriptor, offset, 1 << 30):
                offset += sent
            os.fchown(target, -1, user.gid)
            os.fchmod(target, 0o440)
        finally:
            os.close(target)
        os.chown(directory, -1, user.gid)
        directory.chmod(0o710)
        yield copy
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)
