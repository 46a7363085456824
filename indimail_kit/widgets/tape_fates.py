"""What a crash may leave, ready to be shown: a sign for each verdict, and the disks that are alike put together. Pure.

Rule 1: which disks there may be and what becomes of them is `mailqueue.crash`'s; this module sorts, counts and chooses
    signs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from indimail_kit.mailqueue.crash import CrashModel, CrashState, CrashVerdict, crash_states
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.mailqueue.tape import Tape
from indimail_kit.widgets.signs import Sign

_LOOKS: Final = {
    CrashVerdict.LOST: ("LOST", "✕", "ik-tape-lost"),
    CrashVerdict.BROKEN: ("broken", "!", "ik-tape-broken"),
    CrashVerdict.GONE: ("nothing", "○", "ik-tape-gone"),
    CrashVerdict.DUPLICATE: ("twice", "②", "ik-tape-twice"),
    CrashVerdict.KEPT: ("kept", "✓", "ik-tape-kept"),
}

VERDICT_SIGNS: Final = {
    verdict: Sign(*_LOOKS[verdict], f"{verdict.value[0].upper()}{verdict.value[1:]}.")
    for verdict in reversed(CrashVerdict)
}
"""Verdict -> its sign, the worst first."""

MODELS: Final[Mapping[CrashModel, tuple[str, str]]] = {
    "process": ("the program is killed", "The program is killed and the system lives on: all that was done is there."),
    "ordered": (
        "power loss, ordered journal",
        "The power fails; names are kept in order, as by ext4: the last may be missing, and octets not synced.",
    ),
    "unordered": (
        "power loss, any disk",
        "The power fails on the weakest disk that is allowed: what was not synced is there or not, each for itself.",
    ),
}
"""Persistence model -> what a crash is, for the switch, and in a sentence."""

LIMIT: Final = 256
"""Most different disks that are looked at behind one step (unit: disks); `crash_states` looks at more."""

DIRSYNC: Final = "Every change of a directory waits for the disk."
"""What synchronous directories add to a power loss."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Disks of which the same is true.

    Attributes:
        verdict: The verdict.
        state: The state of the message on them, None when no state has these files.
        text: What is left, and what happens next.
        disks: The disks.
    """

    verdict: CrashVerdict
    state: QueueState | None
    text: str
    disks: tuple[CrashState, ...]


@dataclass(frozen=True, slots=True)
class Fate:
    """What a crash behind one step of a tape may mean.

    Attributes:
        number: The step; 0 is before the first.
        model: The persistence model.
        outcomes: What may be, the worst first.
        left_out: Combinations that were not looked at, because there are too many.
    """

    number: int
    model: CrashModel
    outcomes: tuple[Outcome, ...]
    left_out: int

    @property
    def counts(self) -> dict[CrashVerdict, int]:
        """Return verdict -> number of different disks, the worst first; those that cannot be are left out."""
        found = Counter[CrashVerdict]()
        for outcome in self.outcomes:
            found[outcome.verdict] += len(outcome.disks)
        return dict(found)

    @property
    def disks(self) -> int:
        """Return how many different disks there may be."""
        return sum(self.counts.values())

    @property
    def all_disks(self) -> tuple[CrashState, ...]:
        """Return the disks, the worst first."""
        return tuple(disk for outcome in self.outcomes for disk in outcome.disks)

    @property
    def worst(self) -> CrashVerdict:
        """Return the worst that may be."""
        return self.outcomes[0].verdict

    @property
    def sign(self) -> Sign:
        """Return the sign of the worst."""
        return VERDICT_SIGNS[self.worst]


def crash_fate(tape: Tape, number: int, model: CrashModel, *, synchronous_directories: bool = False) -> Fate:
    """Return what a crash behind a step may mean: the disks of `crash_states`, those that are alike together.

    Args:
        tape: The tape.
        number: The step; 0 is before the first.
        model: What survives.
        synchronous_directories: Whether every change of a directory waits for the disk.

    Raises:
        QueueError: No such step.
    """
    found = crash_states(tape, number, model, synchronous_directories=synchronous_directories, limit=LIMIT)
    alike: dict[tuple[CrashVerdict, QueueState | None, str], list[CrashState]] = {}
    for disk in found:
        alike.setdefault((disk.verdict, disk.state, disk.text), []).append(disk)
    order = list(VERDICT_SIGNS)
    outcomes = [Outcome(*key, tuple(disks)) for key, disks in alike.items()]
    outcomes.sort(key=lambda outcome: order.index(outcome.verdict))
    return Fate(number, model, tuple(outcomes), found.left_out)


def crash_table(tape: Tape, model: CrashModel, *, synchronous_directories: bool = False) -> tuple[Fate, ...]:
    """Return what a crash may mean before the first step and behind each: the marks on the slider, as values.

    Args:
        tape: The tape.
        model: What survives.
        synchronous_directories: Whether every change of a directory waits for the disk.
    """
    return tuple(
        crash_fate(tape, number, model, synchronous_directories=synchronous_directories)
        for number in range(len(tape) + 1)
    )
