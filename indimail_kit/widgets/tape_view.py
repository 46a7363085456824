"""A tape as drawers with files: what lies where after a step, what that step changed, and what is on the disk. Pure.

Source: qmail's INTERNALS sections 2 to 5; `mailqueue.tape`.

Rule 1: facts are the tape's and `mailqueue.durability`'s; this module compares two images and chooses words.
Rule 2: a name in none of the drawers is shown all the same, in a drawer of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from indimail_kit.mailqueue.states import QueueState
from indimail_kit.mailqueue.step_text import kind_of
from indimail_kit.mailqueue.tape import EXIT, Durable, FileImage, QueueImage, Tape
from indimail_kit.visible import visible

PURPOSES: Final = {
    "pid": "a name that nobody else has, for a moment",
    "mess": "the message",
    "intd": "the envelope, while it is written",
    "todo": "the envelope of a queued message",
    "info": "the sender; its time is the birth",
    "local": "recipients who live here",
    "remote": "recipients elsewhere",
    "bounce": "what the sender must be told",
}
"""Drawer -> what lies in it; always all of them, in this order. Source: qmail's INTERNALS section 2."""

MAILBOXES: Final = "mailboxes"
"""The drawer of delivered mail; only on a tape that has some."""

ELSEWHERE: Final = "elsewhere"
"""The drawer of names that no other drawer has; only where there are such."""

_MORE: Final = {MAILBOXES: "mail in Maildirs", ELSEWHERE: "names that no kind of queue file has"}

MARKS: Final = {"new": "new", "gone": "removed", "changed": "changed", "synced": "on disk now"}
"""Kind of change -> the word on the file, where numbers do not say it better."""

CLASSES: Final = {
    "new": "ik-tape-new",
    "gone": "ik-tape-ghost",
    "changed": "ik-tape-changed",
    "synced": "ik-tape-synced",
    "": "",
}
"""Kind of change -> class of the file."""

STATES: Final = tuple({"name": state.name, "meaning": state.value} for state in QueueState)
"""The five states, for the lamps."""


@dataclass(frozen=True, slots=True)
class FileCard:
    """One name in a drawer.

    Attributes:
        path: Relative to the queue; that of a mailbox begins with its address.
        inode: Inode number.
        links: Names that the file has, this one among them; 0 when this name has just been removed.
        size_bytes: Size (unit: octets).
        durable_bytes: Octets that are surely on the disk (unit: octets).
        is_name_durable: Whether the name is surely on the disk.
        change: What the step did: "new", "gone", "changed", "synced" or "".
        what: The change in words, "" for none.
    """

    path: str
    inode: int
    links: int
    size_bytes: int
    durable_bytes: int
    is_name_durable: bool
    change: str
    what: str

    @property
    def key(self) -> str:
        """Return the path as a text that any screen and any notebook can hold."""
        return visible(self.path)

    @property
    def name(self) -> str:
        """Return the path without the drawer: "16/660188"."""
        kind, slash, rest = self.path.partition("/")
        return visible(rest if slash and kind in PURPOSES else self.path)

    @property
    def is_there(self) -> bool:
        """Say whether the name is still there."""
        return self.change != "gone"

    @property
    def facts(self) -> tuple[str, ...]:
        """Return what there is to say: inode and links, octets, name."""
        if not self.is_there:
            return (f"inode {self.inode}",)
        links = f"{self.links} link{'s' * (self.links > 1)}"
        size = f"{self.size_bytes:,} B, {self.durable_bytes:,} on the disk"
        return f"inode {self.inode} · {links}", size, f"name on the disk: {'yes ●' if self.is_name_durable else 'no ○'}"

    @property
    def percent(self) -> int:
        """Return how much of it is surely on the disk (unit: percent); an empty file has nothing there."""
        return 100 * self.durable_bytes // self.size_bytes if self.size_bytes else 0

    def as_document(self) -> dict[str, Any]:
        """Return what a script draws."""
        return {
            "key": self.key,
            "name": self.name,
            "change": self.what,
            "cls": CLASSES[self.change],
            "is_there": self.is_there,
            "facts": list(self.facts),
            "percent": self.percent,
            "label": f"{self.key}: {', '.join(filter(None, (self.what, *self.facts)))}",
        }


@dataclass(frozen=True, slots=True)
class Drawer:
    """One directory of the queue, and what lies in it after a step.

    Attributes:
        kind: "pid", one of KINDS, MAILBOXES or ELSEWHERE.
        files: Its files by name; a name that this step removed is among them.
    """

    kind: str
    files: tuple[FileCard, ...]

    @property
    def purpose(self) -> str:
        """Return what lies in such a drawer."""
        return {**PURPOSES, **_MORE}[self.kind]

    @property
    def count(self) -> int:
        """Return how many names are there."""
        return sum(file.is_there for file in self.files)

    def as_document(self) -> dict[str, Any]:
        """Return what a script draws."""
        count = self.count
        said = f"{count} file{'s' * (count > 1)}" if count else "empty"
        return {
            "kind": self.kind,
            "mark": "▣" if count else "▢",
            "purpose": self.purpose,
            "is_wide": self.kind in _MORE,
            "files": [file.as_document() for file in self.files],
            "label": f"{self.kind}, {self.purpose}: {said}",
        }


def drawers(tape: Tape, number: int) -> tuple[Drawer, ...]:
    """Return what lies where after a step of a tape.

    Args:
        tape: The tape.
        number: The step; 0 is before the first.

    Returns:
        The eight drawers of a queue in their order, even when empty; after them MAILBOXES when the tape delivers, and
        ELSEWHERE when there is a name that no drawer has.

    Raises:
        QueueError: No such step.
    """
    has_mailboxes = any(image.mailboxes for image in (tape.before, *(step.image for step in tape.steps)))
    mailboxes = {*tape.image(number).mailboxes, *tape.image(max(number - 1, 0)).mailboxes}
    return _sorted_in(_cards(tape, number), mailboxes, has_mailboxes=has_mailboxes)


def disk_drawers(live: QueueImage, disk: QueueImage) -> tuple[Drawer, ...]:
    """Return what a crash left, in drawers: a name that did not survive is shown as lost.

    Args:
        live: What was there before the crash.
        disk: What is there after it.
    """
    return _sorted_in(disk_cards(live, disk), {*live.mailboxes, *disk.mailboxes})


def disk_cards(live: QueueImage, disk: QueueImage) -> list[FileCard]:
    """Return a card for each name that was there before a crash or is there after it, by name.

    Args:
        live: What was there before the crash; its sizes are the cards'.
        disk: What is there after it: that much is on the disk.
    """
    was, there = live.names, disk.names
    cards = []
    for path in sorted({*was, *there}):
        old, file = was.get(path), there.get(path)
        if file is None:
            cards.append(FileCard(path, was[path].inode, 0, len(was[path].content), 0, False, "gone", "lost"))
            continue
        size = len(file.content if old is None else old.content)
        whole = old is not None and file.content == old.content
        kept = 0 if is_zeros(file.content) and not whole else len(file.content)
        what = _left(file, old)
        cards.append(FileCard(path, file.inode, disk.links(path), size, kept, True, "changed" if what else "", what))
    return cards


def _left(file: FileImage, old: FileImage | None) -> str:
    """Return what is wrong with a file after a crash, "" for nothing."""
    if old is None:
        return "still there"
    if file.content == old.content:
        return ""
    if len(file.content) != len(old.content):
        return f"{len(file.content):,} of {len(old.content):,} B"
    return "zeros" if is_zeros(file.content) else "as before the last change"


def is_zeros(octets: bytes) -> bool:
    """Say whether a file has its length and none of its octets.

    Example:
        >>> is_zeros(bytes(3)), is_zeros(b""), is_zeros(b"u0")
        (True, False, False)
    """
    return bool(octets) and not any(octets)


def _sorted_in(
    cards: Iterable[FileCard], mailboxes: Collection[str], *, has_mailboxes: bool = False
) -> tuple[Drawer, ...]:
    """Return drawers with cards in them: the eight in their order, and others where there is something for them."""
    by_kind: dict[str, list[FileCard]] = {kind: [] for kind in PURPOSES}
    if has_mailboxes or mailboxes:
        by_kind[MAILBOXES] = []
    for card in cards:
        kind = MAILBOXES if card.path in mailboxes else card.path.partition("/")[0]
        by_kind.setdefault(kind if kind in by_kind else ELSEWHERE, []).append(card)
    return tuple(Drawer(kind, tuple(files)) for kind, files in by_kind.items())


def _cards(tape: Tape, number: int) -> Iterator[FileCard]:
    """Yield a card for each name that is there, and for each that the step removed, by name."""
    now, before = tape.image(number), tape.image(max(number - 1, 0))
    durable, was_durable = tape.durable(number), tape.durable(max(number - 1, 0))
    there, old = now.names, before.names
    for path in sorted({*there, *old}):
        file = there.get(path)
        if file is None:
            yield FileCard(path, old[path].inode, 0, len(old[path].content), 0, False, "gone", MARKS["gone"])
            continue
        octets = durable.octets.get(file.inode, 0)
        change, what = _change(path, file, now, before)
        if not change and _is_safer(path, file, durable, was_durable):
            change, what = "synced", MARKS["synced"]
        links = now.links(path)
        yield FileCard(path, file.inode, links, len(file.content), octets, path in durable.names, change, what)


def _change(path: str, file: FileImage, now: QueueImage, before: QueueImage) -> tuple[str, str]:
    """Return what a step did to a name that is there: kind of change, and words."""
    old = before.names.get(path)
    if old is None or old.inode != file.inode:
        return "new", MARKS["new"]
    grown = len(file.content) - len(old.content)
    if grown:
        return "changed", f"{grown:+,} B"
    links, had = now.links(path), before.links(path)
    if links != had:
        return "changed", f"links {had} → {links}"
    return ("changed", MARKS["changed"]) if file != old else ("", "")


def _is_safer(path: str, file: FileImage, durable: Durable, before: Durable) -> bool:
    """Say whether more of a file, or its name, is on the disk than before."""
    has_more = durable.octets.get(file.inode, 0) > before.octets.get(file.inode, 0)
    return has_more or (path in durable.names and path not in before.names)


def call_text(tape: Tape, number: int) -> str:
    """Return a step as call and path: "link todo/16/660188"; before the first step that nothing was done.

    Raises:
        QueueError: No such step.
    """
    tape.image(number)
    if not number:
        return "before the first step"
    step = tape.steps[number - 1]
    return "the answer" if step.call == EXIT else visible(f"{step.call} {step.path}")


def step_sentence(tape: Tape, number: int) -> str:
    """Return a step as a sentence to be read aloud: where, what, why, and the state of the message.

    Raises:
        QueueError: No such step.
    """
    call = call_text(tape, number)
    text = tape.steps[number - 1].text if number else "Nothing has been done so far."
    return visible(f"Step {number} of {len(tape)}, {call}: {text} {state_sentence(tape, number)}")


def state_sentence(tape: Tape, number: int) -> str:
    """Return the state of the tape's message after a step, as a sentence.

    Raises:
        QueueError: No such step.
    """
    state = tape.state(number)
    return f"State {state.name}: {state.value}." if state else "No state has these files."


def others_sentence(tape: Tape, image: QueueImage) -> str:
    """Return the states of the other messages in the queue, for example of a bounce; "" for none.

    Args:
        tape: The tape.
        image: What is in the queue.
    """
    found = []
    for other in image.numbers():
        if other != tape.message_number:
            state = image.state(tape.layout, other)
            found.append(f"{other}, {f'{state.name}: {state.value}' if state else 'no state has its files'}")
    return f"Beside it in the queue: message {'; message '.join(found)}." if found else ""


def same_place(old: Tape, number: int, new: Tape) -> int:
    """Return the step of another tape that stands where a step of this one stands.

    The steps are compared by call and kind of file; a step that the other tape has not, for example an fsync, gives way
    to the one before it.

    Args:
        old: The tape that was shown.
        number: Its step.
        new: The tape that is shown now.

    Raises:
        QueueError: No such step.
    """
    old.image(number)
    there = [(step.call, kind_of(step.path)) for step in new.steps]
    done = [(step.call, kind_of(step.path)) for step in old.steps[:number]]
    while done:
        last = done[-1]
        places = [place for place, step in enumerate(there, 1) if step == last]
        if places:
            return places[min(done.count(last), len(places)) - 1]
        done.pop()
    return 0


def client_sentence(tape: Tape, number: int) -> str:
    """Return what the client knows after a step.

    Raises:
        QueueError: No such step.
    """
    if tape.acknowledged(number):
        return "The client has its 250: the mail is ours."
    return "The client has no answer yet: it still keeps the mail."
