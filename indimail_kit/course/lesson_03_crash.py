"""Lesson 03, the exercise about crashes: what becomes of a mail.

Source: qmail's INTERNALS section 3; conf-sync; `mailqueue.crash`, which a test asks for every case.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple

from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_choices, text_of
from indimail_kit.course.lesson_03_places import draw_number

CRASHES: Final[Mapping[str, str]] = {
    "process": "qmail-queue is killed (SIGKILL), the machine goes on",
    "ordered": "the power fails; the file system has an ordered journal",
    "unordered": "the power fails; the disk writes names in any order",
}
"""Model of a crash -> what happens."""

SYNCS: Final[Mapping[str, str]] = {
    "safe": "fsync of files and directories",
    "qmail": "fsync of files only",
    "indimail": "no fsync at all",
}
"""Setting -> what it means."""

MOMENTS: Final[Mapping[str, str]] = {
    "mess": "right behind the link to mess",
    "intd": "right behind the write to intd",
    "todo": "right behind the link to todo, before qmail-queue ends",
    "exit": "after qmail-queue has ended with 0 and the client has its 250",
}
"""When -> in words."""

FATES: Final[Mapping[str, str]] = {
    "again": "the client has no 250 and sends again; what is left is cleaned up: it comes once",
    "twice": "it may be queued, and the client has no 250 and sends again: it may come twice",
    "kept": "the client has its 250, and the mail is in the queue whatever the disk did",
    "lost": "the client has its 250, and the mail may be gone",
}
"""What a learner writes -> what it means."""

_NOT_THIS: Final[Mapping[str, str]] = {
    "again": "there is a todo file by then, or the client has its 250 and will not send again.",
    "twice": "either nobody finds it in todo, or the client has its 250 and will not send again.",
    "kept": "the client has no 250 yet, or a name is not on the disk yet that the mail needs.",
    "lost": "nobody was promised anything yet, or everything that it needs is there after this crash.",
}
"""Wrong fate -> what speaks against it."""


class Crash(NamedTuple):
    """One crash."""

    model: str
    sync: str
    moment: str

    @property
    def fate(self) -> str:
        """Return what becomes of the mail, at worst."""
        if self.moment in ("mess", "intd"):
            return "again"
        if self.moment == "todo":
            return "twice"
        return "kept" if self.model == "process" or self.sync == "safe" else "lost"


EARLY: Final = tuple(Crash(*parts) for parts in itertools.product(CRASHES, SYNCS, ("mess", "intd", "todo")))
"""Crashes before the client hears anything."""

LATE: Final = tuple(Crash(*parts) for parts in itertools.product(CRASHES, SYNCS, ("exit",)))
"""Crashes behind the promise."""

_LETTERS: Final = ("A", "B", "C")


def _draw_crashes(rng: random.Random) -> Drawn:
    kept = [crash for crash in LATE if crash.fate == "kept"]
    lost = [crash for crash in LATE if crash.fate == "lost"]
    crashes = [rng.choice(EARLY), rng.choice(kept), rng.choice(lost)]
    rng.shuffle(crashes)
    given: dict[str, object] = {"message": f"mess/…/{draw_number(rng)}"}
    for letter, (model, sync, moment) in zip(_LETTERS, crashes, strict=True):
        given[letter] = f"{SYNCS[sync]}; {MOMENTS[moment]}: {CRASHES[model]}"
    given["fates"] = "\n".join(f"{name:<5}  {meaning}" for name, meaning in FATES.items())
    return Drawn(given=given, right={letter: crash.fate for letter, crash in zip(_LETTERS, crashes, strict=True)})


def _solve_crashes(given: Mapping[str, object]) -> dict[str, str]:
    told = {f"{SYNCS[crash.sync]}; {MOMENTS[crash.moment]}: {CRASHES[crash.model]}": crash for crash in (*EARLY, *LATE)}
    return {letter: told[text_of(given, letter)].fate for letter in _LETTERS}


CRASH: Final = Exercise(
    number="03.10",
    grade=Grade.FIND_OUT,
    title="what becomes of the mail",
    goal="Three crashes while a message is being queued. What becomes of the mail, at worst? Answer with a dictionary,"
    " one of the fates for A, B and C.",
    reason="Right, all three. Until the link to todo nothing was promised, so nothing can be lost; from the 250 on,"
    " only what is on the disk counts, and a name is on the disk when its directory is.",
    way="Ask in this order: has the client its 250? Is todo/N there? And is everything that it needs on the disk?",
    hints=(
        "First: has the client heard 250? If not, it keeps its mail and sends again, and nothing can be lost.",
        "A killed process takes nothing with it that is written: the system keeps it. A power failure does.",
        "fsync of a file keeps its octets, not its name. The name is in the directory, which has an fsync of its own.",
    ),
    draw=_draw_crashes,
    solve=_solve_crashes,
    judge=partial(judge_choices, FATES, lambda _letter, choice: _NOT_THIS[choice]),
)
