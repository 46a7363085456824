"""Where the files of a queue are: (kind, message number, split) <-> path; a new empty queue; the layout of an old one.

Source: IndiMail indimail-mta-x/queue-fix.c (directories, modes, owners), fmtqfn.c (names), conf-split; facts from a
real tree.

Note for maintainers: the number of a message is the inode number of its mess file, the sub-directory is the number
modulo the split. IndiMail splits intd and todo too (BIGTODO=1, its default); plain qmail does not. bounce is never
split.

Rule 1: a path is built from integers and from the names in KINDS only, so no text from outside can leave the queue.
Rule 2: nothing here opens a file below lock/: opening the trigger changes what qmail-send sees.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import CHDIR, MESS_FILE
from indimail_kit.mailqueue.quiet import entries_of

KINDS: Final = ("mess", "intd", "todo", "info", "local", "remote", "bounce")
"""The kinds of files that one message may have, in the order of INTERNALS."""

SPLIT: Final = 151
"""Sub-directories of a split directory (unit: directories). Source: IndiMail conf-split."""

TCPTO_BYTES: Final = 2048
"""Size of lock/tcpto: 64 records of 32 octets (unit: octets). Source: tcpto.h `TCPTO_BUFSIZ`."""

_MAX_NUMBER: Final = 2**64
"""Inode numbers lie below."""

_SPLIT_KINDS: Final = frozenset(("mess", "info", "local", "remote"))
"""Kinds that every qmail splits."""

_BIGTODO_KINDS: Final = frozenset(("intd", "todo"))
"""Kinds that are split with BIGTODO only."""


@dataclass(frozen=True, slots=True)
class QueueLayout:
    """The shape of one queue.

    Attributes:
        directory: The queue, for example /var/indimail/queue/queue1.
        split: Number of sub-directories (unit: directories).
        has_bigtodo: Whether intd and todo are split as well.
    """

    directory: Path
    split: int = SPLIT
    has_bigtodo: bool = True

    def __post_init__(self) -> None:
        """Refuse a split that cannot divide."""
        if self.split < 1:
            raise QueueError("a split below 1", exit_code=MESS_FILE)

    @property
    def name(self) -> str:
        """Return the name that the logs give the queue ("queue1")."""
        return self.directory.name

    def is_split(self, kind: str) -> bool:
        """Say whether the files of a kind lie in sub-directories."""
        return kind in _SPLIT_KINDS or (self.has_bigtodo and kind in _BIGTODO_KINDS)

    def relative(self, kind: str, message_number: int) -> str:
        """Return the path below the queue directory.

        Raises:
            QueueError: The kind is not in KINDS, or the number is not that of an inode.

        Example:
            >>> QueueLayout(Path("queue1")).relative("mess", 660188)
            'mess/16/660188'
        """
        if kind not in KINDS:
            raise QueueError("a kind of file that no queue has", exit_code=MESS_FILE)
        if type(message_number) is not int or not 0 < message_number < _MAX_NUMBER:
            raise QueueError("a message number that is no inode number", exit_code=MESS_FILE)
        return f"{self.parent(kind, message_number)}/{message_number}"

    def parent(self, kind: str, message_number: int) -> str:
        """Return the directory of a file below the queue directory ("mess/16", or "bounce")."""
        return f"{kind}/{message_number % self.split}" if self.is_split(kind) else kind

    def path(self, kind: str, message_number: int) -> Path:
        """Return the path of a file.

        Raises:
            QueueError: The kind is not in KINDS, or the number is not that of an inode.
        """
        return self.directory / self.relative(kind, message_number)

    def directories(self, kind: str) -> Iterator[str]:
        """Yield the directories below the queue that hold the files of a kind."""
        return (f"{kind}/{number}" for number in range(self.split)) if self.is_split(kind) else iter((kind,))


DIRECTORIES: Final = (
    ("pid", 0o700, "qmailq"),
    ("mess", 0o750, "qmailq"),
    ("intd", 0o700, "qmailq"),
    ("todo", 0o750, "qmailq"),
    ("info", 0o700, "qmails"),
    ("local", 0o700, "qmails"),
    ("remote", 0o700, "qmails"),
    ("bounce", 0o700, "qmails"),
    ("lock", 0o750, "qmailq"),
)
"""Directory -> mode and owner; the group is qmail. The sub-directories are like their parent. Source: queue-fix.c."""

QUEUE_MODE: Final = 0o750
"""Mode of the queue directory itself; its owner is qmailq. Source: queue-fix.c."""

FILE_MODES: Final = {kind: 0o644 if kind in ("mess", "intd", "todo") else 0o600 for kind in KINDS}
"""Kind -> mode of its files. Source: recorded queue trees."""

OWNERS: Final = {name: owner for name, _mode, owner in DIRECTORIES}
"""Directory -> owner of it and of the files in it, lock/ apart; the group is qmail. Source: queue-fix.c."""

LOCK_FILES: Final = (
    ("sendmutex", stat.S_IFREG, 0, 0o600, "qmails"),
    ("tcpto", stat.S_IFREG, TCPTO_BYTES, 0o644, "qmailr"),
    ("trigger", stat.S_IFIFO, 0, 0o622, "qmails"),
)
"""Name below lock/, type, size (unit: octets), mode, owner; the group is qmail. Source: queue-fix.c."""


def create_queue(directory: Path, *, split: int = SPLIT, bigtodo: bool = True) -> QueueLayout:
    """Make a new empty queue as queue-fix makes it; what is there already stays as it is.

    Args:
        directory: The queue; its parents are made as well.
        split: Number of sub-directories (unit: directories).
        bigtodo: Whether intd and todo are split as well.

    Raises:
        QueueError: Exit code 61: the directory cannot be made, or something else has its name.

    Source:
        queue-fix.c `check_dirs()`. Owners are set only when we are root and the users of IndiMail exist.
    """
    layout = QueueLayout(Path(directory), split, bigtodo)
    try:
        layout.directory.mkdir(parents=True, exist_ok=True)
        owners = _owners()
        _settle(layout.directory, QUEUE_MODE, owners, "qmailq")
        for name, mode, owner in DIRECTORIES:
            _make_directory(layout.directory / name, mode, owners, owner)
            for part in layout.directories(name):
                _make_directory(layout.directory / part, mode, owners, owner)
        _make_lock_files(layout.directory / "lock", owners)
    except OSError as error:
        raise QueueError(f"no queue at {directory}: {error.strerror}", exit_code=CHDIR) from error
    return layout


def detect_layout(directory: Path) -> QueueLayout:
    """Tell the split and BIGTODO of an existing queue from its directories.

    Raises:
        QueueError: Exit code 61: no such directory. 62: mess has no sub-directories 0 … n-1, and no other kind has.
            Either, with the system's error as its cause: what is there cannot be read, so nobody knows the layout.
    """
    directory = Path(directory)
    try:
        is_directory = directory.is_dir()
    except OSError as error:
        raise QueueError(f"no queue at {directory}: {error.strerror}", exit_code=CHDIR) from error
    if not is_directory:
        raise QueueError(f"no queue at {directory}", exit_code=CHDIR)
    split = _find_split(directory, ("mess", "info", "local", "remote"))
    if split == 0:
        raise QueueError("mess without sub-directories 0, 1, 2 …", exit_code=MESS_FILE, path="mess")
    return QueueLayout(directory, split, _find_split(directory, ("todo", "intd")) > 0)


def _find_split(directory: Path, kinds: tuple[str, ...]) -> int:
    """Return the split that the first directory shows which has one; 0 when none has.

    Raises:
        QueueError: Exit code 62: none that is there can be read. A guess would put mail where nobody looks for it.
    """
    trouble: OSError | None = None
    has_seen = False
    for kind in kinds:
        try:
            split = _count_splits(directory / kind)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            trouble = error
            continue
        has_seen = True
        if split:
            return split
    if trouble is not None and not has_seen:
        text = f"unable to read {' or '.join(kinds)} in {directory}: {trouble.strerror}"
        raise QueueError(text, exit_code=MESS_FILE, path=kinds[0]) from trouble
    return 0


def _count_splits(directory: Path) -> int:
    """Return n when the sub-directories with numeric names are 0 … n-1, else 0."""
    with entries_of(directory) as entries:
        names = {
            entry.name for entry in entries if _is_plain_number(entry.name) and entry.is_dir(follow_symlinks=False)
        }
    return len(names) if names == {str(number) for number in range(len(names))} else 0


def _owners() -> dict[str, tuple[int, int]]:
    """Return the users to give files to; empty when we may not or cannot."""
    return find_owners() if os.geteuid() == 0 else {}


def _is_plain_number(name: str) -> bool:
    """Say whether a name is a number as the programs write it."""
    return name.isascii() and name.isdigit()


def find_owners() -> dict[str, tuple[int, int]]:
    """Return user -> (uid, gid of qmail) of the users that queues belong to; empty where IndiMail is not installed."""
    import grp  # both read the user data base: not everybody needs them
    import pwd

    try:
        gid = grp.getgrnam("qmail").gr_gid
        return {user: (pwd.getpwnam(user).pw_uid, gid) for user in ("qmailq", "qmails", "qmailr")}
    except KeyError:
        return {}


def _make_directory(path: Path, mode: int, owners: dict[str, tuple[int, int]], owner: str) -> None:
    """Make one directory unless it is there."""
    if not path.is_dir():
        path.mkdir()
        _settle(path, mode, owners, owner)


def _make_lock_files(lock: Path, owners: dict[str, tuple[int, int]]) -> None:
    """Make sendmutex, tcpto and the trigger unless they are there; none of them is opened when it exists."""
    for name, form, size_bytes, mode, owner in LOCK_FILES:
        path = lock / name
        if path.exists():
            continue
        if form == stat.S_IFIFO:
            os.mkfifo(path)
        else:
            path.write_bytes(bytes(size_bytes))
        _settle(path, mode, owners, owner)


def _settle(path: Path, mode: int, owners: dict[str, tuple[int, int]], owner: str) -> None:
    """Set mode (whatever the umask is) and owner."""
    path.chmod(mode)
    if owner in owners:
        os.chown(path, *owners[owner])
