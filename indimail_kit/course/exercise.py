"""An exercise as a value: how it is drawn for a learner, judged, hinted at and solved.

Rule 1: `solve` knows no more than the learner: it works from what is given, not from what was drawn.
"""

from __future__ import annotations

import hashlib
import random
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from indimail_kit.course.feedback import Grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """An exercise's values for one learner.

    Attributes:
        given: What the learner sees, by name.
        right: The right answer.
        traps: Wrong answer -> the sentence for that mistake; for answers that are texts.
    """

    given: Mapping[str, object]
    right: object = field(repr=False)
    traps: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """One exercise.

    Attributes:
        number: Lesson and exercise, as "01.2".
        grade: How much of it is the learner's own.
        title: A few words for the table of progress.
        goal: What to do.
        reason: Why a right answer is right.
        way: How the answer is found, for the solution.
        hints: From a nudge to nearly all of it.
        draw: Makes the values.
        solve: Works out the answer from what is given.
        judge: Returns the sentence for a mistake, or None when the answer is right; raises for no answer whatever.
        is_live: Whether the answer is a server that runs: `Classroom.start_case` starts it, and `solve` gives nothing.
    """

    number: str
    grade: Grade
    title: str
    goal: str
    reason: str
    way: str
    hints: tuple[str, ...]
    draw: Callable[[random.Random], Drawn]
    solve: Callable[[Mapping[str, object]], object]
    judge: Callable[[Drawn, object], str | None]
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class Learner:
    """Who works through the course.

    Attributes:
        name: As given; "" for nobody in particular.
        seed: What the values of the exercises are drawn from.
    """

    name: str
    seed: int

    def draw(self, exercise: Exercise) -> Drawn:
        """Return the values of an exercise, the same at each call."""
        return exercise.draw(random.Random(f"{self.seed}/{exercise.number}"))  # noqa: S311 - the same again on wish


def learner_named(name: str) -> Learner:
    """Return a learner; capitals, blanks around the name and forms of Unicode make no difference.

    Example:
        >>> learner_named("Ann ").seed == learner_named("ann").seed
        True
    """
    key = unicodedata.normalize("NFKC", name).strip().casefold()
    return Learner(name.strip(), int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest()[:8], "big"))
