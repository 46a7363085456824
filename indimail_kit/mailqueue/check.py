"""Is this queue as it should be? One walk through a queue, the invariants of each message on the way.

Source: indimail-mta-internals(7); IndiMail queue-fix.c; readsubdir.c.

Note for maintainers: the queue lives while we look. A message that breaks a rule is looked at again, and only what two
looks see alike is said: qmail makes its steps in an order in which no two looks can see the same impossible thing.

Rule 1: reading changes nothing, follows no link, and opens nothing below lock/.
Rule 2: one sub-directory after the other, so that memory does not grow with the queue.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from typing import Final

from indimail_kit.mailqueue.beneath import NUMBER, opened_queue
from indimail_kit.mailqueue.check_message import check_kinds as check_kinds
from indimail_kit.mailqueue.check_message import check_message as check_message
from indimail_kit.mailqueue.check_tree import Look, TreeCheck
from indimail_kit.mailqueue.layout import KINDS, QueueLayout
from indimail_kit.mailqueue.snapshot import MessageFiles, look_at_message
from indimail_kit.mailqueue.violations import Violation

__all__ = ["check_kinds", "check_message", "check_queue"]

_ENVELOPE_BYTES: Final = 1 << 26
"""Octets of an envelope that are decoded (unit: octets); 64 MiB are more than a million recipients."""

ENVELOPES_ONLY: Final = {kind: 0 if kind in ("mess", "bounce") else _ENVELOPE_BYTES for kind in KINDS}
"""Kind -> octets to read: mail and bounces are nobody's business here."""

_LOOKS: Final = 5
"""How often a message is looked at before it counts as being worked on (unit: looks)."""


def check_queue(
    layout: QueueLayout, *, now_s: int, owners: Mapping[str, tuple[int, int]] | None = None
) -> Iterator[Violation]:
    """Yield which rules a queue and its messages break; a healthy one yields nothing, also while it works.

    Args:
        layout: The queue.
        now_s: Time (unit: s since 1970).
        owners: User of IndiMail -> (uid, gid), see `layout.find_owners`; None leaves out the rule about owners.

    Raises:
        QueueError: Exit code 61: the queue cannot be opened.
    """
    with opened_queue(layout) as queue_fd:
        tree = TreeCheck(layout, queue_fd, now_s=now_s, owners=owners or {})
        yield from tree.directories()
        yield from tree.pid_files()
        yield from tree.lock_files()
        flat: dict[int, set[int]] = {}
        for kind in KINDS:
            if layout.is_split(kind):
                yield from _astray(tree, kind)
            else:
                for number in (yield from _numbers(tree, kind, None)):
                    flat.setdefault(number % layout.split, set()).add(number)
        for remainder in range(layout.split):
            numbers = flat.pop(remainder, set())
            for kind in filter(layout.is_split, KINDS):
                numbers.update((yield from _numbers(tree, f"{kind}/{remainder}", remainder)))
            for number in sorted(numbers):
                yield from look_until_settled(tree, number)[1]


def look_until_settled(
    tree: TreeCheck, number: int, *, max_bytes: Mapping[str, int] = ENVELOPES_ONLY
) -> tuple[MessageFiles, tuple[Violation, ...]]:
    """Return the files of a message and what is wrong with it, seen twice alike; nothing wrong needs one look."""
    before: tuple[tuple[object, ...], ...] | None = None
    for _ in range(_LOOKS):
        files = look_at_message(tree.layout, number, tree.queue_fd, max_bytes=max_bytes)
        found = check_message(tree.layout, files, now_s=tree.now_s, owners=tree.owners)
        if not found or _picture(files) == before:
            return files, found
        before = _picture(files)
    return files, ()  # it is another one at each look: somebody works on it


def _picture(files: MessageFiles) -> tuple[tuple[object, ...], ...]:
    """Return what must stay the same between two looks."""
    return (
        *((file.kind, file.inode, file.links, file.size_bytes, file.ctime_ns) for file in files.files),
        files.unread,
    )


def _numbers(tree: TreeCheck, path: str, remainder: int | None) -> Look[set[int]]:
    """Return the numbers in a directory that are in their place, and say what else is there."""
    kind, numbers = path.partition("/")[0], set()
    for name in (yield from tree.names(path)):
        number = _number(name)
        if number is None:
            yield from tree.stranger(f"{path}/{name}")
        elif remainder is None or number % tree.layout.split == remainder:
            numbers.add(number)
        else:
            yield from _wrong_split(tree, kind, f"{path}/{name}", number)
    return numbers


def _astray(tree: TreeCheck, kind: str) -> Iterator[Violation]:
    """Say which files of messages lie beside the sub-directories, or in those of a larger split."""
    for name in (yield from tree.names(kind)):
        number = _number(name)
        if number is not None and number >= tree.layout.split:
            yield from _astray_one(tree, kind, name, number)


def _astray_one(tree: TreeCheck, kind: str, name: str, number: int) -> Iterator[Violation]:
    """Say what a number beside the sub-directories is, and what lies in it if it is a directory."""
    path = f"{kind}/{name}"
    status = yield from tree.look(path)
    if status is None:
        return
    if not stat.S_ISDIR(status.st_mode):
        yield from _wrong_split(tree, kind, path, number)
        return
    yield from tree.stranger(path)
    for inner in (yield from tree.names(path)):
        if (inner_number := _number(inner)) is not None:
            yield from _wrong_split(tree, kind, f"{path}/{inner}", inner_number)


def explain_stray(tree: TreeCheck, path: str) -> Iterator[Violation]:
    """Say what something is that lies in the directory of a kind and is no message's file in its place."""
    kind, *_, name = path.split("/")
    number = _number(name)
    if number is None or tree.layout.parent(kind, number) == path.rpartition("/")[0]:
        yield from tree.stranger(path)
    elif path.count("/") == 1:
        yield from _astray_one(tree, kind, name, number)
    else:
        yield from _wrong_split(tree, kind, path, number)


def _wrong_split(tree: TreeCheck, kind: str, path: str, number: int) -> Iterator[Violation]:
    """Say that a file lies where its number does not lead, unless it is gone."""
    if (yield from tree.look(path)) is not None:
        split = tree.layout.split
        text = f"{path} belongs into {tree.layout.parent(kind, number)} ({number} modulo {split} = {number % split})"
        yield tree.violation(path, "wrong-split", text, number)


def _number(name: str) -> int | None:
    """Return the message number that a name is, None when it is none."""
    if NUMBER.fullmatch(name) is None or int(name) >= 1 << 64:
        return None
    return int(name)
