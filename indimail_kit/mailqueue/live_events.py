"""What names that come and go in a queue mean: a ledger of what is there, and an event in words for each change.

Source: qmail's INTERNALS sections 2 to 6; inotify(7).

Note for maintainers: qmail-queue writes the message through the descriptor that it opened as pid/…, so Linux reports
the write under that name, which is gone by then. The ledger joins the two names when only one pid file was waiting for
its number; with several at once it does not guess, and the event has no number.

Rule 1: pure; `live` looks and listens.
Rule 2: what is told twice (by the look at the start and by inotify) becomes one event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue.beneath import NUMBER
from indimail_kit.mailqueue.layout import KINDS, QueueLayout
from indimail_kit.mailqueue.states import QueueState, state_of
from indimail_kit.visible import visible

WATCHED: Final = ("pid", *KINDS)
"""Kinds of directories that are looked at; lock is not one of them."""

_GOING: Final = ("intd", "todo", "local", "remote", "bounce", "info", "mess")
"""Kinds in the order in which the files of a message go."""

_BITS: Final = {kind: 1 << index for index, kind in enumerate(KINDS)}
"""Kind -> its bit in the ledger."""


class LiveChange(Enum):
    """What happened; the value is what to say about it."""

    APPEARED = "a name appeared"
    WENT = "a name went"
    CHANGED = "octets were written"
    TIMES = "times, mode or owner were set"
    OVERFLOW = "events were lost"
    ENDED = "a directory cannot be watched any more"


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One change of a queue, seen from outside.

    Attributes:
        unix_ns: When it was read (unit: ns since 1970); it happened before.
        queue: Name of the queue; "" when all of them are meant.
        change: What happened.
        kind: One of WATCHED; "" when no file is meant.
        path: Relative to the queue; for a write to a new message that of its mess file, if its number is known.
        message_number: Number of the message, 0 where there is none or it is not known.
        state: State of the message after it; None when no state has its files, or none is meant.
        is_inferred: Whether it was found by comparing two looks: when, and how often, is not known then.
        text: One sentence for a person.
    """

    unix_ns: int
    queue: str
    change: LiveChange
    kind: str = ""
    path: str = ""
    message_number: int = 0
    state: QueueState | None = None
    is_inferred: bool = False
    text: str = ""


SENTENCES: Final = {
    (LiveChange.APPEARED, "pid"): "A qmail-queue begins.",
    (LiveChange.WENT, "pid"): "A qmail-queue has its number and gives up the name in pid.",
    (LiveChange.CHANGED, "pid"): "A message is written; which one is not known, several began at once.",
    (LiveChange.APPEARED, "mess"): "Message {number} has its number, and is being written.",
    (LiveChange.CHANGED, "mess"): "Octets of message {number} are written.",
    (LiveChange.WENT, "mess"): "Message {number} is gone; its number may be given again.",
    (LiveChange.APPEARED, "intd"): "The envelope of message {number} is being written.",
    (LiveChange.CHANGED, "intd"): "The envelope of message {number} is written.",
    (LiveChange.WENT, "intd"): "The name in intd goes.",
    (LiveChange.APPEARED, "todo"): "Message {number} is queued.",
    (LiveChange.CHANGED, "todo"): "The envelope of message {number} is changed while it is queued.",
    (LiveChange.WENT, "todo"): "Message {number} is preprocessed.",
    (LiveChange.APPEARED, "info"): "todo-proc notes the sender of message {number}.",
    (LiveChange.CHANGED, "info"): "The sender of message {number} is written.",
    (LiveChange.TIMES, "info"): "The birth of message {number} is set.",
    (LiveChange.WENT, "info"): "Message {number} has ended.",
    (LiveChange.APPEARED, "local"): "todo-proc notes the recipients of message {number} who live here.",
    (LiveChange.CHANGED, "local"): "The recipients here of message {number} are written, or one is marked as done.",
    (LiveChange.TIMES, "local"): "The time of the next attempt here is set for message {number}.",
    (LiveChange.WENT, "local"): "All recipients here of message {number} are done.",
    (LiveChange.APPEARED, "remote"): "todo-proc notes the recipients of message {number} elsewhere.",
    (
        LiveChange.CHANGED,
        "remote",
    ): "The recipients elsewhere of message {number} are written, or one is marked as done.",
    (LiveChange.TIMES, "remote"): "The time of the next attempt elsewhere is set for message {number}.",
    (LiveChange.WENT, "remote"): "All recipients elsewhere of message {number} are done.",
    (LiveChange.APPEARED, "bounce"): "A recipient of message {number} failed: the sender will be told.",
    (LiveChange.CHANGED, "bounce"): "What the sender of message {number} will be told is written.",
    (LiveChange.WENT, "bounce"): "The sender of message {number} is told: the bounce is queued.",
}
"""Change and kind -> sentence."""

_INFERRED: Final = " (Found by looking: when it happened is not known.)"


@dataclass(frozen=True, slots=True)
class Stamp:
    """How a file looked: enough to see that it was written.

    Attributes:
        size_bytes: Its size (unit: octets).
        mtime_ns: Time of last change (unit: ns since 1970).
    """

    size_bytes: int
    mtime_ns: int


Look = Mapping[str, Stamp | None]
"""Path relative to the queue -> how it looked, None where only the name was read."""


class Ledger:
    """What is in one queue, as far as it was seen.

    Attributes:
        layout: The queue.
    """

    def __init__(self, layout: QueueLayout, look: Look) -> None:
        """Begin with a look."""
        self.layout = layout
        self._kinds: dict[int, int] = {}
        self._others: set[str] = set()
        self._waiting: list[str] = []
        self._joined: dict[str, int] = {}
        self._stamps: dict[str, Stamp] = {}
        for path in look:
            self._note(path)
        self._waiting.clear()  # a name in pid that was there before may be years old
        self._remember(look)

    def tell(self, change: LiveChange, path: str, unix_ns: int, *, is_inferred: bool = False) -> LiveEvent | None:
        """Return the event for a change of a path, and note it; None when it was told before."""
        if change is LiveChange.APPEARED and not self._note(path):
            return None
        if change is LiveChange.WENT and not self._forget(path):
            return None
        number = self._number(path)
        if change is LiveChange.CHANGED and path in self._joined:
            number = self._joined[path]
            path = self.layout.relative("mess", number)
        kind = path.split("/")[0]
        return LiveEvent(
            unix_ns=unix_ns,
            queue=self.layout.name,
            change=change,
            kind=kind,
            path=path,
            message_number=number,
            state=self.state(number) if number else None,
            is_inferred=is_inferred,
            text=self._text(change, kind, path, number) + _INFERRED * is_inferred,
        )

    def compare(self, look: Look, unix_ns: int) -> Iterator[LiveEvent]:
        """Yield the events that lead from what was known to what a look shows."""
        known = set(self._paths())
        gone = sorted(known - look.keys(), key=lambda path: _rank(path, _GOING))
        came = sorted(look.keys() - known, key=lambda path: _rank(path, KINDS))
        changes = [(LiveChange.WENT, path) for path in gone]
        changes += [(LiveChange.APPEARED, path) for path in came]
        changes += [(LiveChange.CHANGED, path) for path in sorted(known & look.keys()) if self._is_other(path, look)]
        self._remember(look)
        for change, path in changes:
            event = self.tell(change, path, unix_ns, is_inferred=True)
            if event is not None:
                yield event

    def state(self, message_number: int) -> QueueState | None:
        """Return the state of a message; None when no state has its files."""
        bits = self._kinds.get(message_number, 0)
        try:
            return state_of([kind for kind, bit in _BITS.items() if bits & bit])
        except QueueError:
            return None

    def _number(self, path: str) -> int:
        """Return the number of the message whose file has its place at a path, 0 for any other."""
        kind, _, name = path.split("/")[0], *path.rpartition("/")[1:]
        if kind not in _BITS or not NUMBER.fullmatch(name) or int(name) >= 1 << 64:
            return 0
        return int(name) if self.layout.relative(kind, int(name)) == path else 0

    def _note(self, path: str) -> bool:
        """Note a name that came; say whether it is new."""
        kind, number = path.split("/")[0], self._number(path)
        if not number:
            is_new = path not in self._others
            self._others.add(path)
            if is_new and kind == "pid":
                self._waiting.append(path)
            return is_new
        bits = self._kinds.get(number, 0)
        self._kinds[number] = bits | _BITS[kind]
        if kind == "mess" and not bits & _BITS[kind]:
            if len(self._waiting) == 1:
                self._joined[self._waiting[0]] = number
            self._waiting.clear()  # the next ones begin anew: what is not joined stays unknown
        return not bits & _BITS[kind]

    def _forget(self, path: str) -> bool:
        """Note a name that went; say whether it was there."""
        kind, number = path.split("/")[0], self._number(path)
        if not number:
            was_there = path in self._others
            self._others.discard(path)
            if path in self._waiting:
                self._waiting.remove(path)
            return was_there
        bits = self._kinds.get(number, 0)
        self._kinds[number] = bits & ~_BITS[kind]
        if not self._kinds[number]:
            del self._kinds[number]
        if kind == "mess":
            self._joined = {name: joined for name, joined in self._joined.items() if joined != number}
        return bool(bits & _BITS[kind])

    def _paths(self) -> Iterator[str]:
        """Yield the names that are known."""
        yield from self._others
        for number, bits in self._kinds.items():
            for kind, bit in _BITS.items():
                if bits & bit:
                    yield self.layout.relative(kind, number)

    def _remember(self, look: Look) -> None:
        self._stamps = {path: stamp for path, stamp in look.items() if stamp is not None}

    def _is_other(self, path: str, look: Look) -> bool:
        """Say whether a file was written between two looks that saw more than its name."""
        old, new = self._stamps.get(path), look[path]
        return old is not None and new is not None and old != new

    def _text(self, change: LiveChange, kind: str, path: str, number: int) -> str:
        """Return the sentence of an event."""
        sentence = SENTENCES.get((change, kind)) if number or kind == "pid" else None
        if sentence is None:
            where = f"message {number}, {kind}" if number else visible(path)
            return f"{where}: {change.value}."
        return sentence.format(number=number)


def _rank(path: str, order: Iterable[str]) -> tuple[int, str]:
    """Return where a path comes among others: by the kind of its file."""
    kinds = ("pid", *order)
    kind = path.split("/")[0]
    return (kinds.index(kind) if kind in kinds else len(kinds), path)
