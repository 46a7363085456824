"""Put a mail into a Maildir: tmp, fsync, link to new. Nobody ever sees half a mail, and a crash loses none.

Source: https://cr.yp.to/proto/maildir.html; Maildir++ (https://www.courier-mta.org/imap/README.maildirquota.html) for
folders; IndiMail maildir_deliver.c.

Rule 1: a name is used once: time, microseconds, process, a counter of this process, host.
Rule 2: what fails leaves nothing behind in tmp, as far as the disk lets us.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from indimail_kit.errors import FilterError
from indimail_kit.mailqueue.descriptors import as_file
from indimail_kit.mailqueue.values import SAFE, SyncPolicy

DIRECTORIES: Final = ("tmp", "new", "cur")
"""Sub-directories of a Maildir and of each of its folders."""

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600

FOLDER_MARK: Final = "maildirfolder"
"""Empty file that says: this is a folder of the Maildir above. Source: Maildir++."""

_TRIES: Final = 3
"""How often another name is tried when one is taken. Source: maildir_deliver.c."""

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_counter = itertools.count(1)


def create_maildir(maildir: Path) -> Path:
    """Make a Maildir, with its parents; what is there already stays as it is."""
    for name in DIRECTORIES:
        (maildir / name).mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
    return maildir


def folder_path(maildir: Path, folder: str) -> Path:
    """Return the directory of a folder: the Maildir itself for "Inbox", else ".Name" in it.

    Raises:
        FilterError: The name could leave the Maildir.
    """
    if folder.lower() == "inbox":
        return maildir
    if not folder or folder.startswith(".") or "/" in folder or "\0" in folder:
        raise FilterError("a folder name that does not begin with a dot and holds no slash")
    return maildir / f".{folder}"


def create_folder(maildir: Path, folder: str) -> Path:
    """Make a Maildir++ folder in an existing Maildir.

    Raises:
        FilterError: The name could leave the Maildir.
        OSError: The Maildir is not there or cannot be written.
    """
    path = folder_path(maildir, folder)
    if path != maildir and not (path / DIRECTORIES[-1]).is_dir():
        # Its last part is missing: a folder that an error left half made is finished.
        path.mkdir(DIRECTORY_MODE, exist_ok=True)
        (path / FOLDER_MARK).touch(FILE_MODE)
        for name in DIRECTORIES:
            (path / name).mkdir(DIRECTORY_MODE, exist_ok=True)
    return path


def unique_name(*, unix_ns: int, pid: int, count: int, host: str) -> str:
    r"""Return the name of a mail.

    Example:
        >>> unique_name(unix_ns=1268622054994200500, pid=3223, count=1, host="mx.example.com")
        '1268622054.M994200P3223Q1.mx.example.com'
    """
    seconds, rest_ns = divmod(unix_ns, 10**9)
    safe_host = host.replace("/", "\\057").replace(":", "\\072")
    return f"{seconds}.M{rest_ns // 1000:06d}P{pid}Q{count}.{safe_host}"


def deliver_mail(
    maildir: Path,
    parts: Iterable[bytes],
    *,
    host: str,
    clock: Callable[[], int],
    sync: SyncPolicy = SAFE,
    on_call: Callable[[str, str], None] | None = None,
) -> Path:
    """Write a mail into a Maildir or a folder of one; return its path in new.

    Args:
        maildir: A directory with tmp and new.
        parts: The mail in pieces.
        host: Name of this machine.
        clock: Gives the time for the name (unit: ns since 1970).
        sync: Whether the mail, and its name in new, must be on the disk.
        on_call: Told each step that was done: its name and the path.

    Raises:
        OSError: Something failed; nothing is in new.
    """
    tell = on_call or (lambda _call, _path: None)
    fd, name = _open_new(maildir / "tmp", host=host, clock=clock)
    tmp_path, new_path = maildir / "tmp" / name, maildir / "new" / name
    directory_fd = -1
    try:
        tell("open", str(tmp_path))
        with as_file(fd, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            tell("write", str(tmp_path))
            if sync.files:
                os.fsync(file.fileno())
                tell("fsync", str(tmp_path))
        if sync.directories:  # opened before the link: where that fails, there is nothing in new yet
            directory_fd = os.open(maildir / "new", _DIRECTORY)
        os.link(tmp_path, new_path, follow_symlinks=False)
        tell("link", str(new_path))
        if sync.directories:
            _sync_new(directory_fd, new_path)
            tell("fsyncdir", str(maildir / "new"))
    except BaseException:
        with suppress(OSError):
            tmp_path.unlink()
        raise
    finally:
        if directory_fd >= 0:
            _close(directory_fd)
    with suppress(OSError):  # a second name in tmp does no harm; readers remove it after 36 hours
        tmp_path.unlink()
    tell("unlink", str(tmp_path))
    return new_path


def sync_directory(path: Path) -> None:
    """Bring the names in a directory to the disk.

    Raises:
        OSError: It cannot be opened or synced.
    """
    fd = os.open(path, _DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        _close(fd)


def _sync_new(directory_fd: int, new_path: Path) -> None:
    """Bring the name of a mail to the disk, or take it back: the mail will be delivered again."""
    try:
        os.fsync(directory_fd)
    except OSError:
        with suppress(OSError):  # a reader was quicker, or the disk refuses everything
            new_path.unlink()
        raise


def _close(fd: int) -> None:
    """Close a directory; whatever the answer is, the descriptor is gone, and what had to be on the disk is there."""
    with suppress(OSError):
        os.close(fd)


def _open_new(tmp: Path, *, host: str, clock: Callable[[], int]) -> tuple[int, str]:
    """Open a new file; return its descriptor and name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    tries = 0
    while True:
        name = unique_name(unix_ns=clock(), pid=os.getpid(), count=next(_counter), host=host)
        try:
            return os.open(tmp / name, flags, FILE_MODE), name
        except FileExistsError:
            tries += 1
            if tries == _TRIES:
                raise
