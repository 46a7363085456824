"""What repairs the queue around the messages: directories, what does not belong there, pid/ and lock/.

Source: IndiMail queue-fix.c `check_dirs()`; qmail-clean.c `cleanuppid()`.

Rule 1: planning reads and changes nothing; below lock/ only lstat is asked.
Rule 2: what nobody knows is moved beside the queue, never deleted.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from indimail_kit.admin.queue_deeds import (
    MakeDirectory,
    MakeLockFile,
    MoveThing,
    QueueDeed,
    RemoveFiles,
    SetMode,
    SetOwner,
    found_directory,
)
from indimail_kit.admin.queue_messages import REASONS, Refusal, free_path
from indimail_kit.mailqueue.layout import DIRECTORIES, LOCK_FILES, QUEUE_MODE, QueueLayout
from indimail_kit.mailqueue.states import OSSIFIED_S
from indimail_kit.mailqueue.violations import Violation

_LINK: Final = "It is a symbolic link, and what it leads to may hold mail: look there, then put a directory here."
_GONE: Final = "It is gone by now: run the check again."

_ORDER: Final = (
    "not-directory",
    "missing-directory",
    "lock-file",
    "wrong-owner",
    "wrong-mode",
    "ossified",
    "unreadable",
)
"""Rules that this module repairs, in the order of the deeds."""

_MODES: Final = {name: mode for name, mode, _owner in DIRECTORIES}
_OWNERS: Final = {name: owner for name, _mode, owner in DIRECTORIES}
_LOCK_OWNERS: Final = {row[0]: row[4] for row in LOCK_FILES}


class PlaceRepair:
    """Plans for the places of one queue.

    Attributes:
        layout: The queue, its directory without symbolic links.
        now_s: Time (unit: s since 1970).
        owners: User of IndiMail -> (uid, gid); empty leaves owners alone.
        refused: What is left alone so far.
    """

    def __init__(self, layout: QueueLayout, *, now_s: int, owners: Mapping[str, tuple[int, int]]) -> None:
        self.layout = layout
        self.now_s = now_s
        self.owners = owners
        self.refused: list[Refusal] = []
        self._taken: set[str] = set()

    def plan(self, violations: Iterable[Violation]) -> list[QueueDeed]:
        """Return the deeds for violations that are no message's, directories first."""
        deeds: list[QueueDeed] = []
        known = [one for one in violations if not one.message_number and one.rule in _ORDER]
        for violation in sorted(known, key=lambda one: _ORDER.index(one.rule)):
            if violation.path.startswith("lock/"):
                deeds += self._lock_file(violation)
            else:
                deeds += self._place(violation)
        return deeds

    def strangers(self, violations: Iterable[Violation]) -> Iterator[MoveThing]:
        """Yield what puts unknown files and directories aside."""
        for violation in violations:
            if violation.rule in ("unknown-file", "unknown-directory"):
                yield from self._put_aside(violation)

    def _place(self, violation: Violation) -> Iterator[QueueDeed]:
        queue, path = self.layout.directory, violation.path
        top = path.split("/")[0]
        mode = QUEUE_MODE if path == "." else _MODES.get(top, QUEUE_MODE)
        owner = self.owners.get("qmailq" if path == "." else _OWNERS.get(top, ""))
        status = self._lstat(violation)
        if violation.rule == "missing-directory":
            yield from self._make(path)
        elif status is None:
            pass
        elif violation.rule == "wrong-mode":
            yield SetMode(queue, path, status.st_ino, mode, stat.S_IMODE(status.st_mode))
        elif violation.rule == "wrong-owner" and owner is not None:
            yield SetOwner(queue, path, status.st_ino, owner, (status.st_uid, status.st_gid))
        elif violation.rule == "ossified":
            yield RemoveFiles(queue, ((path, status.st_ino),), 0, self.now_s - OSSIFIED_S)
        elif violation.rule == "not-directory" and not stat.S_ISLNK(status.st_mode):
            yield from self._put_aside(violation)
            yield from self._make(path)
        else:
            self.refused.append(Refusal(violation, REASONS["unreadable"] if violation.rule == "unreadable" else _LINK))

    def _make(self, path: str) -> Iterator[QueueDeed]:
        """Yield what makes a directory with all that queue-fix makes in it."""
        top = path.split("/")[0]
        parts = list(self.layout.directories(top)) if path == top and self.layout.is_split(top) else []
        for one in (path, *parts):
            yield MakeDirectory(self.layout.directory, one, _MODES[top], self.owners.get(_OWNERS[top]))
        if path == "lock":
            for name, owner in _LOCK_OWNERS.items():
                yield MakeLockFile(self.layout.directory, name, self.owners.get(owner))

    def _lock_file(self, violation: Violation) -> Iterator[QueueDeed]:
        """Yield what makes a file of lock/ anew; the old one is put aside, once for all that is wrong with it."""
        name = violation.path.removeprefix("lock/")
        if violation.path in self._taken:
            return
        self._taken.add(violation.path)
        if violation.rule == "unreadable":
            self.refused.append(Refusal(violation, REASONS["unreadable"]))
            return
        if os.path.lexists(self.layout.directory / violation.path):
            yield from self._put_aside(violation)
        yield MakeLockFile(self.layout.directory, name, self.owners.get(_LOCK_OWNERS[name]))

    def _put_aside(self, violation: Violation) -> Iterator[MoveThing]:
        status = self._lstat(violation)
        if status is not None:
            queue = self.layout.directory
            target = free_path(queue, f"{found_directory(queue)}/{violation.path}")
            yield MoveThing(queue, violation.path, target, status.st_ino)

    def _lstat(self, violation: Violation) -> os.stat_result | None:
        """Return what lstat tells; None when there is nothing, which is refused unless that is the fault."""
        try:
            return (self.layout.directory / violation.path).lstat()
        except OSError:
            if violation.rule != "missing-directory":
                self.refused.append(
                    Refusal(violation, _GONE if violation.rule != "unreadable" else REASONS["unreadable"])
                )
            return None
