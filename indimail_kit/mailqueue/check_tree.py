"""The queue around the messages: its directories, what does not belong there, pid/ and lock/.

Source: IndiMail queue-fix.c `check_dirs()` (places, modes, owners); qmail-clean.c `cleanuppid()`; qmail's tcpto.h.

Rule 1: below lock/ nothing is opened, not even the directory listed: lstat tells enough.
Rule 2: read only; what cannot be looked at is said.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Generator, Iterator, Mapping
from typing import Final, TypeVar

from indimail_kit.mailqueue.beneath import NUMBER, names_below
from indimail_kit.mailqueue.layout import DIRECTORIES, LOCK_FILES, QUEUE_MODE, QueueLayout
from indimail_kit.mailqueue.states import OSSIFIED_S
from indimail_kit.mailqueue.violations import Violation

T = TypeVar("T")
"""What a look gives, beside the violations that it yields."""

Look = Generator[Violation, None, T]
"""Yields violations and returns (``yield from``) what it saw."""

OPTIONAL_DIRECTORIES: Final = ("trash", "ratelimit")
"""Directories that a queue may have: of qmail-rm and of slowq-send. What is in them is theirs."""

QMAIL_TCPTO_BYTES: Final = 1024
"""Size of lock/tcpto in qmail 1.03: 64 records of 16 octets (unit: octets). Source: qmail's tcpto.h."""

PID_NAME: Final = re.compile(r"[1-9][0-9]*\.[0-9]+\.[0-9]+")
"""Name of a file in pid/: PID.UNIXTIME.SEQ."""

FORMS: Final = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""Type of a file -> its name."""


class TreeCheck:
    """Looks at the directories of one queue.

    Attributes:
        layout: The queue.
        queue_fd: Descriptor of its directory.
        now_s: Time (unit: s since 1970).
        owners: User of IndiMail -> (uid, gid); empty leaves out the rule about owners.
    """

    def __init__(
        self, layout: QueueLayout, queue_fd: int, *, now_s: int, owners: Mapping[str, tuple[int, int]]
    ) -> None:
        self.layout = layout
        self.queue_fd = queue_fd
        self.now_s = now_s
        self.owners = owners

    def violation(self, path: str, rule: str, text: str, message_number: int = 0) -> Violation:
        """Return a violation of this queue."""
        return Violation(self.layout.name, path, rule, text, message_number)

    def directories(self) -> Iterator[Violation]:
        """Check that each directory is there, and nothing beside them."""
        yield from self._attributes(".", os.fstat(self.queue_fd), QUEUE_MODE, "qmailq")
        top = {name for name, _mode, _owner in DIRECTORIES}
        yield from self._strangers(".", top | set(OPTIONAL_DIRECTORIES))
        for name, mode, owner in DIRECTORIES:
            if not (yield from self._directory(name, mode, owner)) or not self.layout.is_split(name):
                continue
            for part in self.layout.directories(name):
                yield from self._directory(part, mode, owner)
            yield from self._strangers(name, {str(number) for number in range(self.layout.split)})

    def pid_files(self) -> Iterator[Violation]:
        """Check that what lies in pid/ is qmail-queue's and not left behind."""
        for name in (yield from self.names("pid")):
            path = f"pid/{name}"
            status = yield from self.look(path)
            if status is None:
                continue
            age_s = self.now_s - int(status.st_atime)
            if not PID_NAME.fullmatch(name) or not stat.S_ISREG(status.st_mode):
                yield self._stranger(path, status)
            elif age_s > OSSIFIED_S:
                yield self.violation(path, "ossified", f"{path} was left behind {age_s // 3600} hours ago")

    def lock_files(self) -> Iterator[Violation]:
        """Check what lies in lock/, by lstat only."""
        lock = yield from self.look("lock")
        if lock is None or not stat.S_ISDIR(lock.st_mode):
            return
        for name, form, size_bytes, mode, owner in LOCK_FILES:
            path = f"lock/{name}"
            status = yield from self.look(path)
            if status is None:
                yield self.violation(path, "lock-file", f"{path} is missing")
            elif stat.S_IFMT(status.st_mode) != form:
                text = f"{path} is {_form(status)}, not {FORMS[form]}"
                yield self.violation(path, "lock-file", text)
            else:
                sizes = (size_bytes,) if self.layout.has_bigtodo else (size_bytes, QMAIL_TCPTO_BYTES)
                if name == "tcpto" and status.st_size not in sizes:
                    text = f"{path} has {status.st_size} octets, not {size_bytes}"
                    yield self.violation(path, "lock-file", text)
                yield from self._attributes(path, status, mode, owner)

    def names(self, path: str) -> Look[list[str]]:
        """Return the sorted names in a directory; say when it cannot be read.

        That it is missing, or no directory, is said by `directories`.
        """
        try:
            return sorted(names_below(path, self.queue_fd))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            status = yield from self.look(path)
            if status is not None and stat.S_ISDIR(status.st_mode):
                yield self.unreadable(path, error)
            return []

    def look(self, path: str) -> Look[os.stat_result | None]:
        """Return what lstat tells, None for nothing there (any more); say when it cannot be told."""
        try:
            return os.stat(path, dir_fd=self.queue_fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            yield self.unreadable(path, error)
            return None

    def unreadable(self, path: str, error: OSError) -> Violation:
        """Say that something could not be looked at."""
        return self.violation(path, "unreadable", f"{path} cannot be read: {error.strerror}")

    def stranger(self, path: str) -> Iterator[Violation]:
        """Say that something does not belong there, unless it is gone."""
        status = yield from self.look(path)
        if status is not None:
            yield self._stranger(path, status)

    def _stranger(self, path: str, status: os.stat_result) -> Violation:
        if stat.S_ISDIR(status.st_mode):
            return self.violation(path, "unknown-directory", f"{path} is a directory that no queue has")
        return self.violation(path, "unknown-file", f"{path} is {_form(status)} that qmail does not know")

    def _strangers(self, path: str, known: set[str]) -> Iterator[Violation]:
        """Yield what is in a directory and does not belong there; a number is a message's file, see `check`."""
        for name in (yield from self.names(path)):
            if name not in known and not (path != "." and NUMBER.fullmatch(name)):
                yield from self.stranger(name if path == "." else f"{path}/{name}")

    def _directory(self, path: str, mode: int, owner: str) -> Look[bool]:
        """Check one directory and return whether it is there."""
        try:
            status = os.stat(path, dir_fd=self.queue_fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            yield self.violation(path, "missing-directory", f"{path} is missing")
            return False
        except OSError as error:
            yield self.unreadable(path, error)
            return False
        if not stat.S_ISDIR(status.st_mode):
            yield self.violation(path, "not-directory", f"{path} is {_form(status)}, not a directory")
            return False
        yield from self._attributes(path, status, mode, owner)
        return True

    def _attributes(self, path: str, status: os.stat_result, mode: int, owner: str) -> Iterator[Violation]:
        """Check mode and owner."""
        if stat.S_IMODE(status.st_mode) != mode:
            text = f"{path} has mode {stat.S_IMODE(status.st_mode):o}, not {mode:o}"
            yield self.violation(path, "wrong-mode", text)
        if owner in self.owners and (status.st_uid, status.st_gid) != self.owners[owner]:
            uid, gid = self.owners[owner]
            text = f"{path} belongs to {status.st_uid}:{status.st_gid}, not to {owner}:qmail ({uid}:{gid})"
            yield self.violation(path, "wrong-owner", text)


def _form(status: os.stat_result) -> str:
    """Return what something is, for a person."""
    return FORMS.get(stat.S_IFMT(status.st_mode), "something")
