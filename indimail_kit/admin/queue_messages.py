"""What repairs the messages of a queue: for each group of files the deeds, or the reason why there are none.

Source: IndiMail queue-fix.c (renames), qmail-clean.c (what is left behind); todo-proc.c, qmail-send.c (what they need).

Rule 1: planning reads and changes nothing.
Rule 2: what a file said and says no more is not made up: such a message is refused, with the reason.
Rule 3: nothing is deleted but what qmail-clean deletes; all else is put aside.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from indimail_kit.admin.queue_deeds import (
    Move,
    MoveFiles,
    MoveThing,
    Purpose,
    QueueDeed,
    RemoveFiles,
    SetMode,
    SetOwner,
    SetTime,
    found_directory,
    held_directory,
)
from indimail_kit.admin.queue_groups import Group
from indimail_kit.envelope import decode_records
from indimail_kit.errors import EnvelopeError
from indimail_kit.mailqueue.check_message import check_kinds, check_message
from indimail_kit.mailqueue.layout import FILE_MODES, KINDS, OWNERS, QueueLayout
from indimail_kit.mailqueue.snapshot import MessageFiles, QueueFile
from indimail_kit.mailqueue.states import OSSIFIED_S, QueueState
from indimail_kit.mailqueue.violations import Violation
from indimail_kit.visible import visible

LINK_ORDER: Final = ("mess", "intd", "local", "remote", "bounce", "info", "todo")
"""Order of new names; old names go in the other one. What makes a message known to qmail comes last, and goes first."""

SUPERFLUOUS: Final[Mapping[str, tuple[str, ...]]] = {
    "intd-without-todo": ("intd",),
    "bounce-before-info": ("bounce",),
    "two-envelopes": ("intd",),
}
"""Rule -> the kind of file that can be put aside without any loss: qmail needs it no more, or makes it again."""

REASONS: Final = {
    "without-info": "The sender is lost with info, and nobody can make it up. If you know it, write info by hand; "
    "else put the message into the trash, or hold it.",
    "extra-link": "The other name is outside of the queue's messages: find it with find -xdev -inum, and see who made "
    "it.",
    "empty-mess": "The text is lost and nobody can make it up. Expire it, and the sender gets a bounce; or put it into "
    "the trash.",
    "no-sender": "The sender is lost, and nobody can make it up. Look at the message, then hold it or put it into the "
    "trash.",
    "unknown-record": "What the record means is not known, and leaving it out could lose a recipient. Look at the "
    "message, then hold it or put it into the trash.",
    "unfinished-record": "What was cut off is not known, and half an address could be somebody else's. Look at the "
    "message, then hold it or put it into the trash.",
    "unreadable": "It must be readable first: run this as root or as the owner of the queue, and again where a "
    "directory was repaired.",
    "not-regular": "Without this file the message is not whole. Look where it came from, and put a plain file there.",
}
"""Rule -> why it is not repaired."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that is wrong and not repaired.

    Attributes:
        violation: What is wrong.
        reason: Why it is left alone, and what to do about it.
    """

    violation: Violation
    reason: str


def refusals_text(refused: Iterable[Refusal]) -> str:
    """Return what is left alone, for a person: each reason once, "" for nothing."""
    by_reason: dict[str, list[str]] = {}
    for one in refused:
        by_reason.setdefault(one.reason, []).append(f"  - {one.violation.queue}: {visible(one.violation.text)}")
    if not by_reason:
        return ""
    parts = (line for reason, texts in by_reason.items() for line in (*texts, f"    {reason}"))
    return "\n".join(("Not repaired:", *parts))


@dataclass(slots=True)
class Repair:
    """What to do for one group of files.

    Attributes:
        group: The files.
        deeds: What to do before names change: attributes, and what is put aside.
        moves: Names that change, in LINK_ORDER; none if all are right.
        removals: What to do at the end.
        refused: What is left alone.
    """

    group: Group
    deeds: list[QueueDeed] = field(default_factory=list)
    moves: tuple[Move, ...] = ()
    removals: list[QueueDeed] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


class MessageRepair:
    """Plans for the messages of one queue.

    Attributes:
        layout: The queue, its directory without symbolic links.
        now_s: Time (unit: s since 1970).
        owners: User of IndiMail -> (uid, gid); empty leaves owners alone.
        keeps_old: Whether what was left behind is put aside instead of removed, for there are files without a mess.
    """

    def __init__(
        self,
        layout: QueueLayout,
        *,
        now_s: int,
        owners: Mapping[str, tuple[int, int]],
        violations: Iterable[Violation] = (),
    ) -> None:
        self.layout = layout
        self.now_s = now_s
        self.owners = owners
        self._by_number: dict[int, list[Violation]] = {}
        for one in violations:
            self._by_number.setdefault(one.message_number, []).append(one)
        self._places = tuple(place_of(layout.directory, purpose) for purpose in ("trash", "hold", "found"))
        self.keeps_old = any(
            one.rule in ("without-mess", "todo-without-mess") for found in self._by_number.values() for one in found
        )

    def plan(self, group: Group) -> Repair:
        """Return what repairs a message."""
        repair = Repair(group)
        if group.unread:
            self.refuse(repair, REASONS["unreadable"])
        elif clash := group.clash():
            paths = " and ".join(file.path for file in group.of(clash))
            self.refuse(repair, f"{paths} are two files, and which one is right cannot be told: look at both.")
        else:
            if self._resume(repair):
                return repair
            aside = [file for file in group.files if not file.is_regular]
            if aside and not self._is_whole_without(group, aside):
                self.refuse(repair, REASONS["not-regular"])
                return repair
            for file in aside:
                target = free_path(self.layout.directory, f"{found_directory(self.layout.directory)}/{file.path}")
                repair.deeds.append(MoveThing(self.layout.directory, file.path, target, file.inode))
            self._settle_kinds(repair, aside)
            self._finish(repair, aside)
        return repair

    def refuse(self, repair: Repair, reason: str, *rules: str) -> None:
        """Leave what was found of a message alone: all of it, or what breaks certain rules."""
        for violation in (one for name in sorted(repair.group.names) for one in self._by_number.get(name, ())):
            if not rules or violation.rule in rules:
                repair.refused.append(Refusal(violation, reason))

    def put_away(self, purpose: Purpose, files: list[QueueFile], message_number: int) -> MoveFiles:
        """Return the deed that puts files of a message aside."""
        base = free_path(self.layout.directory, f"{place_of(self.layout.directory, purpose)}/{message_number}")
        first = {(file.kind): file for file in files}
        moves = (
            Move(file.path, f"{base}/{file.kind}", file.inode, has_target=file is not first[file.kind])
            for kind in LINK_ORDER
            for file in sorted(files, key=lambda file: file is not first[file.kind])
            if file.kind == kind
        )
        return MoveFiles(self.layout.directory, message_number, tuple(moves), purpose)

    def _resume(self, repair: Repair) -> bool:
        """Take back a move out of the queue that was interrupted, or end it; say whether nothing is left to do."""
        group = repair.group
        for base in (f"{place}/{name}" for place in self._places for name in sorted(group.names)):
            outside = {file.kind: self._inode(f"{base}/{file.kind}") for file in group.files}
            both = [file for file in group.files if file.is_regular and outside[file.kind] == file.inode]
            if not both:
                continue
            if group.message(self.layout).state in (QueueState.S4, QueueState.S5):
                back = (Move(f"{base}/{file.kind}", file.path, file.inode, has_target=True) for file in both)
                repair.deeds.append(MoveFiles(self.layout.directory, min(group.names), tuple(back), "return"))
                group.files = [replace(file, links=file.links - (file in both)) for file in group.files]
            elif len(both) == len(group.files):
                on = (Move(file.path, f"{base}/{file.kind}", file.inode, has_target=True) for file in both)
                moves = tuple(sorted(on, key=lambda move: LINK_ORDER.index(move.target.rpartition("/")[2])))
                repair.deeds.append(MoveFiles(self.layout.directory, min(group.names), moves, "found"))
                return True
        return False

    def _inode(self, path: str) -> int:
        """Return the inode of what is at a path, 0 for nothing."""
        try:
            return (self.layout.directory / path).lstat().st_ino
        except OSError:
            return 0

    def _is_whole_without(self, group: Group, aside: list[QueueFile]) -> bool:
        """Say whether nothing is lost when what is no file goes: qmail writes it anew, or nothing is left of it."""
        message = group.message(self.layout, aside)
        is_written_anew = message.state is QueueState.S4
        is_extra = message.state is not None and {file.kind for file in aside} <= {"intd", "bounce"}
        return not message.files or is_written_anew or is_extra

    def _settle_kinds(self, repair: Repair, aside: list[QueueFile]) -> None:
        """Put aside what can go without loss, adding it to `aside`; all of it when there is no mess."""
        group = repair.group
        while True:
            message = group.message(self.layout, aside)
            _, rule, _ = check_kinds({file.kind for file in message.files})
            intd, todo = message.file("intd"), message.file("todo")
            if not rule and intd is not None and todo is not None and intd.inode != todo.inode:
                rule = "two-envelopes"
            if rule in ("intd-without-todo", "without-info") and self._requeue(repair, message):
                return
            gone = KINDS if rule in ("without-mess", "todo-without-mess") else SUPERFLUOUS.get(rule, ())
            files = [file for file in group.files if file.is_regular and file.kind in gone and file not in aside]
            if not files:
                return
            repair.deeds.append(self.put_away("found", files, min(group.names)))
            aside += files

    def _requeue(self, repair: Repair, message: MessageFiles) -> bool:
        """Queue a message again by its envelope in intd, if its recipients are nowhere else; say whether it is so."""
        intd = message.file("intd")
        if intd is None or (message.file("info") and (message.file("local") or message.file("remote"))):
            return False
        try:
            records = decode_records(intd.content)
        except EnvelopeError:
            return False
        if intd.is_truncated or records.sender is None or not records.recipients or records.unknown:
            return False
        name = min(repair.group.names)
        move = Move(intd.path, self.layout.relative("todo", name), intd.inode, keeps_source=True)
        repair.deeds.append(MoveFiles(self.layout.directory, name, (move,), "requeue"))
        repair.group.files.append(replace(intd, kind="todo", path=move.target))
        return True

    def _finish(self, repair: Repair, aside: list[QueueFile]) -> None:
        """Plan for what is left of a message: attributes, names, and what was never queued."""
        message = repair.group.message(self.layout, aside)
        found = check_message(self.layout, message, now_s=self.now_s, owners=self.owners)
        if any(violation.rule == "ossified" for violation in found):
            repair.removals.append(self._removal(repair.group, message))
            return
        touched: set[tuple[str, int]] = set()
        for violation in found:
            file = next(file for file in message.files if file.path == violation.path)
            is_shared = any(other.rule == "extra-link" and other.path == file.path for other in found)
            deed = None if is_shared else self._attribute(violation.rule, file, message)
            if deed is None and violation.rule not in REASONS:
                repair.refused.append(Refusal(violation, "It has another name that nobody knows: see to that first."))
            elif deed is None:
                repair.refused.append(Refusal(violation, REASONS[violation.rule]))
            elif (violation.rule, file.inode) not in touched:  # intd and todo are one file
                touched.add((violation.rule, file.inode))
                repair.deeds.append(deed)
        if any(refused.violation.rule == "without-info" for refused in repair.refused):
            self.refuse(repair, "First see to the missing info.", "inode-differs", "wrong-split")
        else:
            repair.moves = tuple(
                self.moves_to(repair.group, repair.group.number, {file.kind for file in message.files})
            )

    def _removal(self, group: Group, message: MessageFiles) -> QueueDeed:
        files = [file for file in group.files if file.is_regular]
        mess = message.file("mess")
        if self.keeps_old and mess is not None and mess.size_bytes:
            return self.put_away("found", files, min(group.names))
        ordered = sorted(files, key=lambda file: file.kind == "mess")
        return RemoveFiles(
            self.layout.directory,
            tuple((file.path, file.inode) for file in ordered),
            min(group.names),
            self.now_s - OSSIFIED_S,
        )

    def _attribute(self, rule: str, file: QueueFile, message: MessageFiles) -> QueueDeed | None:
        """Return the deed that gives a file the right mode, owner or time; None for another rule."""
        queue = self.layout.directory
        if rule == "wrong-mode":
            return SetMode(queue, file.path, file.inode, FILE_MODES[file.kind], file.mode)
        if rule == "wrong-owner":
            return SetOwner(queue, file.path, file.inode, self.owners[OWNERS[file.kind]], (file.uid, file.gid))
        if rule == "in-future":
            mess = message.file("mess")
            now_ns = self.now_s * 10**9
            is_birth = file.kind == "info" and mess is not None and mess.mtime_ns <= now_ns
            return SetTime(
                queue, file.path, file.inode, mess.mtime_ns if is_birth and mess is not None else now_ns, file.mtime_ns
            )
        return None

    def moves_to(self, group: Group, number: int, kinds: set[str]) -> Iterator[Move]:
        """Yield the moves that bring all files of these kinds to one number."""
        for kind in LINK_ORDER:
            names = [file for file in group.of(kind) if file.is_regular] if kind in kinds else []
            target = self.layout.relative(kind, number) if names else ""
            has_target = any(file.path == target for file in names)
            for file in names:
                if file.path != target:
                    yield Move(file.path, target, file.inode, has_target=has_target)
                    has_target = True


_PLACES: Final[Mapping[str, Callable[[Path], str]]] = {"trash": lambda _queue: "trash", "hold": held_directory}


def place_of(queue: Path, purpose: str) -> str:
    """Return where files go for a purpose, relative to the queue."""
    return _PLACES.get(purpose, found_directory)(queue)


def free_path(queue: Path, path: str) -> str:
    """Return a path where nothing is: itself, or with a number behind it."""
    number = 1
    candidate = path
    while os.path.lexists(queue / candidate):
        number += 1
        candidate = f"{path}.{number}"
    return candidate
