"""The quick look at a queue: sub-directory after sub-directory into columns of numbers and joined octets.

Source: Linux open(2), getdents(2). A hundred thousand messages are a million system calls: each here has a reason.

Note for maintainers: messages that are plainly queued (S4) or preprocessed (S5), all files as usual, are taken as they
are; all others go into `odd`, and the slow reader, which knows the whole grammar and all rules, looks at them again. So
this module must never take something odd for usual; the other way round costs time only. A message that is being
written is odd too: it may have gone on between two looks.

Rule 1: nothing but `columns` and a little of the standard library is imported: `main` is the helper on the second core,
and starts in some ten milliseconds.
Rule 2: every file is opened by one name in an open directory, with O_NOFOLLOW | O_NONBLOCK, only if the directory calls
it a regular file, and is asked again when it is open. Nothing below lock/ is ever named here.
Rule 3: a file that vanished was not there; whether that makes sense is for the slow reader to say.
"""

from __future__ import annotations

import marshal
import os
import re
import sys

from indimail_kit.mailqueue.columns import BOUNCING, HAS_SENDER, UNSAID, Columns, Part

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import Self

    Names = dict[str, int]
    Usual = dict[str, tuple[int, tuple[int, int] | None, int]]

KINDS = ("mess", "intd", "todo", "info", "local", "remote", "bounce")
"""As `layout.KINDS`; a test holds them together."""

MAX_RECORDS_BYTES = 1 << 24
"""A longer file of records is odd (unit: octets): 16 MiB are half a million recipients."""

MAX_NUMBER = 2**63
"""Message numbers lie below: the columns have 64 bits with a sign."""

_FIRST_READ = 4096
"""Octets that are asked for at first (unit: octets); nearly every file of records is shorter."""

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_INFO = re.compile(rb"F([^\0]*\0)(?:e[^\0]*\0)?(?:h[^\0]*\0)?")
_TODO = re.compile(rb"u[0-9]{1,20}\0p[0-9]{1,20}\0F([^\0]*\0)((?:T[^\0]*\0)*)(?:e[^\0]*\0)?(?:h[^\0]*\0)?")
_CHANNEL = re.compile(rb"(?:[TD][^\0]*\0)*")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")


class Walk:
    """Looks at the sub-directories of one queue; a context manager.

    Attributes:
        top: What lies beside the sub-directories.
    """

    def __init__(self, queue_fd: int, split: int, split_kinds: tuple[str, ...], usual: Usual) -> None:
        """Take a descriptor of the queue, its shape, and kind -> (mode and type, owner or None, latest mtime)."""
        self.top = Part()
        self._queue_fd = queue_fd
        self._split = split
        self._split_kinds = split_kinds
        self._usual = usual
        self._flags = dict.fromkeys(KINDS, _FLAGS | getattr(os, "O_NOATIME", 0))
        self._fds: dict[str, int] = {}
        self._flat: dict[str, dict[int, Names]] = {}

    def __enter__(self) -> Self:
        """Open the directory of each kind, and list it."""
        for kind in KINDS:
            self._fds[kind] = self._open_directory(kind, kind, self._queue_fd, self.top)
            places = self._flat[kind] = {}
            for name, inode in self._names(kind, self._fds[kind], self.top).items():
                if kind in self._split_kinds:
                    if not (name.isascii() and name.isdigit() and str(int(name)) == name and int(name) < self._split):
                        self.top.strays.append(f"{kind}/{name}")
                elif _is_number(name):
                    places.setdefault(int(name) % self._split, {})[name] = inode
                else:
                    self.top.strays.append(f"{kind}/{name}")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the directories."""
        for fd in self._fds.values():
            if fd >= 0:
                os.close(fd)

    def part(self, number: int, part: Part | None = None) -> Part:
        """Look at one sub-directory of every kind, and add what it shows to a part, or to a new one."""
        part = Part() if part is None else part
        unread_before = len(part.unread)
        fds = self._fds.copy()
        try:
            for kind in self._split_kinds:
                fds[kind] = self._open_directory(str(number), kind, self._fds[kind], part, f"{kind}/{number}")
            listed: dict[str, Names] = {}
            for kind in KINDS:
                listed[kind] = self._listed(kind, number, fds[kind], part, listed.get("mess", {}))
            names = sorted(set().union(*listed.values()), key=int)
            is_blind = len(part.unread) > unread_before or bool(self.top.unread)  # what cannot be listed may be there
            part.odd += map(int, names) if is_blind else self._take(names, listed, fds, part.columns)
        finally:
            for kind in self._split_kinds:
                if fds[kind] >= 0 and fds[kind] != self._fds[kind]:
                    os.close(fds[kind])
        return part

    def _open_directory(self, name: str, kind: str, dir_fd: int, part: Part, path: str = "") -> int:
        """Return a descriptor; -1 if the directory is not there, or cannot be opened, which is noted."""
        if dir_fd < 0:
            return -1
        try:
            return self._open(name, kind, dir_fd, os.O_DIRECTORY)
        except FileNotFoundError:
            return -1
        except OSError as error:
            part.unread.append((path or name, error.strerror or "no reason given"))
            return -1

    def _open(self, name: str, kind: str, dir_fd: int, flags: int = 0) -> int:
        """Open without touching the access time, if we may."""
        try:
            return os.open(name, self._flags[kind] | flags, dir_fd=dir_fd)
        except PermissionError:
            self._flags[kind] = _FLAGS  # somebody else's: so are the files in it
            return os.open(name, _FLAGS | flags, dir_fd=dir_fd)

    def _names(self, path: str, fd: int, part: Part) -> Names:
        """Return name -> inode number of what a directory holds, as its entries say; -1 for what is no regular file."""
        if fd < 0:
            return {}
        try:
            with os.scandir(fd) as entries:
                return {one.name: one.inode() if one.is_file(follow_symlinks=False) else -1 for one in entries}
        except OSError as error:
            part.unread.append((path, error.strerror or "no reason given"))
            return {}

    def _listed(self, kind: str, number: int, fd: int, part: Part, known: Names) -> Names:
        """Return the names of messages in a sub-directory; what is known needs no proof."""
        if kind not in self._split_kinds:
            return self._flat[kind].get(number, {})
        names = self._names(f"{kind}/{number}", fd, part)
        for name in names.keys() - known.keys():
            if not _is_number(name) or int(name) % self._split != number:
                part.strays.append(f"{kind}/{number}/{name}")
                del names[name]
        return names

    def _take(self, names: list[str], listed: dict[str, Names], fds: dict[str, int], columns: Columns) -> list[int]:
        """Add the usual messages to the columns, and return the numbers of the others."""
        mess, intd, todo, info, local, remote, bounce = listed.values()
        irregular = {name for kind in listed.values() if -1 in kind.values() for name in kind if kind[name] < 0}
        odd: list[int] = []
        for name in names:
            is_usual = False
            try:
                if name not in mess or name in irregular:
                    pass
                elif name in todo:
                    if name in intd and not (name in info or name in local or name in remote or name in bounce):
                        is_usual = self._take_queued(name, intd[name], fds, columns)
                elif name in info and name not in intd:
                    flags = HAS_SENDER | BOUNCING if name in bounce else HAS_SENDER
                    is_usual = self._take_preprocessed(name, name in local, name in remote, flags, fds, columns)
            except OSError:
                pass
            if not is_usual:
                odd.append(int(name))
        return odd

    def _take_queued(self, name: str, intd_inode: int, fds: dict[str, int], columns: Columns) -> bool:
        """Add a message in S4: mess, intd and todo, and nothing of S5 yet."""
        mess = self._look_at_mess(name, fds["mess"])
        todo, octets = self._read(name, fds["todo"], "todo", 2)
        match = _TODO.fullmatch(octets)
        if mess is None or todo is None or todo.st_ino != intd_inode or match is None:
            return False
        sender, records = match.groups()
        recipients = (records.count(b"\0"), records, UNSAID)
        columns.add(
            int(name), 4, HAS_SENDER, mess.st_size, UNSAID, mess.st_mtime_ns, sender, recipients, _NO_FILE, _NO_FILE
        )
        return True

    def _take_preprocessed(
        self, name: str, has_local: bool, has_remote: bool, flags: int, fds: dict[str, int], columns: Columns
    ) -> bool:
        """Add a message in S5: mess and info, local and remote if they are there."""
        mess = self._look_at_mess(name, fds["mess"])
        info, octets = self._read(name, fds["info"], "info", 1)
        match = _INFO.fullmatch(octets)
        if mess is None or info is None or match is None:
            return False
        if flags & BOUNCING and self._look(name, fds["bounce"], "bounce") is None:
            return False
        local = remote = _NO_FILE
        if has_local:
            status, octets = self._read(name, fds["local"], "local", 1)
            if status is None or not _CHANNEL.fullmatch(octets):
                return False
            local = (octets.count(b"\0"), octets, status.st_mtime_ns)
        if has_remote:
            status, octets = self._read(name, fds["remote"], "remote", 1)
            if status is None or not _CHANNEL.fullmatch(octets):
                return False
            remote = (octets.count(b"\0"), octets, status.st_mtime_ns)
        birth = info.st_mtime_ns
        columns.add(int(name), 5, flags, mess.st_size, birth, mess.st_mtime_ns, match[1], _NO_FILE, local, remote)
        return True

    def _look_at_mess(self, name: str, fd: int) -> os.stat_result | None:
        """Return the status of a mess file if it is usual; it is never opened."""
        status = self._look(name, fd, "mess")
        return status if status is not None and status.st_ino == int(name) and status.st_size > 0 else None

    def _look(self, name: str, fd: int, kind: str) -> os.stat_result | None:
        """Return the status of a file that stays closed, if type, mode, links, time and owner are usual."""
        mode, owner, latest_ns = self._usual[kind]
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        is_usual = (
            status.st_mode == mode
            and status.st_nlink == 1
            and status.st_mtime_ns <= latest_ns
            and (owner is None or (status.st_uid, status.st_gid) == owner)
        )
        return status if is_usual else None

    def _read(self, name: str, dir_fd: int, kind: str, links: int) -> tuple[os.stat_result | None, bytes]:
        """Return status and octets of a file if type, mode, links, time, owner and length are usual, else None."""
        mode, owner, latest_ns = self._usual[kind]
        fd = os.open(name, self._flags[kind], dir_fd=dir_fd)
        try:
            status = os.fstat(fd)
            if (
                status.st_mode != mode
                or status.st_nlink != links
                or status.st_mtime_ns > latest_ns
                or (owner is not None and (status.st_uid, status.st_gid) != owner)
            ):
                return None, b""
            octets = os.read(fd, _FIRST_READ)
            if len(octets) == _FIRST_READ:
                octets += _read_on(fd)
                if len(octets) > MAX_RECORDS_BYTES:
                    return None, b""
            return status, octets
        finally:
            os.close(fd)


_NO_FILE = (0, b"", UNSAID)
"""A channel without a file."""


def _is_number(name: str) -> bool:
    """Say whether a name is a message number that the columns can hold."""
    return _NUMBER.fullmatch(name) is not None and int(name) < MAX_NUMBER


def _read_on(fd: int) -> bytes:
    """Return the rest of a file, up to one octet more than is allowed."""
    pieces, left = [], MAX_RECORDS_BYTES + 1 - _FIRST_READ
    while left > 0 and (piece := os.read(fd, min(left, 1 << 20))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def main() -> None:
    """Look at the sub-directories that standard input names, and write what they show to standard output."""
    numbers, *shape = marshal.load(sys.stdin.buffer)  # noqa: S302 (from the process that started us)
    whole = Part()
    with Walk(*shape) as walk:
        for number in numbers:
            walk.part(number, whole)
    for piece in whole.pack():  # one by one: the whole of it need not be there twice
        marshal.dump(piece, sys.stdout.buffer)
