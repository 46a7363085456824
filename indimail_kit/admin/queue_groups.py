"""Which files belong to one message, whatever names they have: by the inode of mess, not by the name.

Source: qmail's INTERNALS section 2 (number = inode of mess); IndiMail queue-fix.c.

Note for maintainers: a copy gives every mess another inode; a renaming that was interrupted leaves two names for some
files. Both become one group: the files of a message, and the number that they should all have.

Rule 1: files are put together only when mess tells so, or when they are the same inode; nothing is paired by guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import READ
from indimail_kit.mailqueue.check_message import check_kinds
from indimail_kit.mailqueue.layout import KINDS, QueueLayout
from indimail_kit.mailqueue.snapshot import MessageFiles, QueueFile, look_at_file, look_at_message
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.mailqueue.violations import Violation

_MAX_BYTES: Final = {kind: 0 if kind in ("mess", "bounce") else 1 << 26 for kind in KINDS}
"""Kind -> octets to read."""


@dataclass(slots=True)
class Group:
    """The files of one message.

    Attributes:
        number: The number that they should have.
        files: All names of all files, in no order.
        names: Numbers that they have now.
        unread: What exists and could not be looked at.
    """

    number: int
    files: list[QueueFile] = field(default_factory=list)
    names: set[int] = field(default_factory=set)
    unread: list[tuple[str, str]] = field(default_factory=list)

    def of(self, kind: str) -> list[QueueFile]:
        """Return the names of one kind of file."""
        return [file for file in self.files if file.kind == kind]

    def clash(self) -> str:
        """Return the kind of which there are two different files, "" for none."""
        return next((kind for kind in KINDS if len({(f.inode, f.is_regular) for f in self.of(kind)}) > 1), "")

    def message(self, layout: QueueLayout, without: Iterable[QueueFile] = ()) -> MessageFiles:
        """Return the message as it will be, with one file for each kind, and as many links as qmail would see."""
        gone = {id(file) for file in without}
        left = [file for file in self.files if id(file) not in gone]
        first = {kind: next((file for file in left if file.kind == kind), None) for kind in KINDS}
        kept = [file for file in first.values() if file is not None]
        files = tuple(replace(file, links=_links(file, self.files, kept)) for file in kept)
        state, _, _ = check_kinds({file.kind for file in files})
        return MessageFiles(layout.name, self.number, files, state, None, (), (), tuple(self.unread))


def _links(file: QueueFile, names: list[QueueFile], left: list[QueueFile]) -> int:
    """Return how many names a file has when each kind has one."""
    known = sum(other.inode == file.inode for other in names)
    kept = sum(other.inode == file.inode for other in left)
    return file.links - known + kept


def find_groups(layout: QueueLayout, queue_fd: int, violations: Iterable[Violation]) -> dict[int, Group]:
    """Return the messages that have something to do with violations, by the number that they should have."""
    astray: dict[int, list[str]] = {}
    for violation in violations:
        if violation.message_number:
            paths = astray.setdefault(violation.message_number, [])
            if violation.rule == "wrong-split":
                paths.append(violation.path)
    groups: dict[int, Group] = {}
    orphans: list[Group] = []
    for name, paths in sorted(astray.items()):
        one = _look(layout, queue_fd, name, paths)
        if one.number == name and not any(file.is_regular for file in one.of("mess")):
            orphans.append(one)
            continue
        _merge(groups, one)
        if one.number not in astray:
            _merge(groups, _look(layout, queue_fd, one.number, []), only_number=one.number)
    for one in orphans:
        _adopt(groups, one)
    return groups


def look_at_name(layout: QueueLayout, queue_fd: int, number: int) -> list[QueueFile]:
    """Return the files that have a number and lie in their place.

    Raises:
        QueueError: One of them cannot be looked at.
    """
    found = look_at_message(layout, number, queue_fd, max_bytes=_MAX_BYTES)
    for path, reason in found.unread:
        raise QueueError(f"{path} cannot be read: {reason}", exit_code=READ, path=path)
    return list(found.files)


def _look(layout: QueueLayout, queue_fd: int, name: int, paths: Iterable[str]) -> Group:
    """Return all files of a name, and the number that the inode of its mess gives them."""
    found = look_at_message(layout, name, queue_fd, max_bytes=_MAX_BYTES)
    unread = list(found.unread)
    strays = (look_at_file(path.split("/")[0], path, queue_fd, 1 << 26, unread) for path in paths)
    files = [*found.files, *(file for file in strays if file is not None)]
    number = next((file.inode for file in files if file.kind == "mess" and file.is_regular), name)
    return Group(number, files, {name} if files else set(), unread)


def _merge(groups: dict[int, Group], one: Group, *, only_number: int | None = None) -> None:
    """Put the files of a name to those of the same message; of a stranger (`only_number`) only if it is the same."""
    if only_number is not None and (one.number != only_number or not one.of("mess")):
        return
    group = groups.setdefault(one.number, Group(one.number))
    group.files += one.files
    group.names |= one.names
    group.unread += one.unread


def _adopt(groups: dict[int, Group], one: Group) -> None:
    """Put files without a mess to the message that has their number, if that makes it whole; else they stay alone."""
    group = groups.get(one.number)
    if group is None:
        groups[one.number] = one
        return
    together = Group(one.number, [*group.files, *one.files])
    state, _, _ = check_kinds({file.kind for file in together.files})
    alone, _, _ = check_kinds({file.kind for file in group.files})
    same = {file.inode for file in group.files}
    is_part = all(file.inode in same for file in one.files)
    is_rest = alone not in (QueueState.S4, QueueState.S5) and state in (QueueState.S4, QueueState.S5)
    if not together.clash() and (is_part or is_rest):
        _merge(groups, one)
    else:
        groups[-one.number] = one  # its files only take up the names; see `queue_plan`
