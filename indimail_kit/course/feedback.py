"""What a learner is told: feedback, a hint, a solution, a task. Values with a text, and the same text as HTML.

Rule 1: a feedback never holds the answer, right or wrong; only a solution does.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from indimail_kit.course.markup import sentence_html
from indimail_kit.visible import visible

WIDTH: Final = 96
"""Where sentences are broken (unit: characters)."""


class State(Enum):
    """How an answer was judged; the value is its sign."""

    RIGHT = "✅"
    WRONG = "❌"
    OPEN = "☐"


class Grade(Enum):
    """How much of an exercise is the learner's own; the value is its sign."""

    REPEAT = "◯"
    CHANGE = "◐"
    FIND_OUT = "●"


def wrapped(sentence: str, *, indent: str = "") -> str:
    """Return a sentence broken into lines; blanks in quoted commands stay, hidden characters are written out."""
    shown = visible(sentence, kept="\n")
    lines = textwrap.wrap(shown, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, repr=False)
class Feedback:
    """What a check says.

    Attributes:
        number: The exercise, as "01.2".
        state: Right, wrong or not answered yet.
        sentence: The reason, or what this mistake is.
    """

    number: str
    state: State
    sentence: str

    @property
    def is_right(self) -> bool:
        """Say whether the exercise is done."""
        return self.state is State.RIGHT

    def __repr__(self) -> str:
        """Return the sign, the number and the sentence."""
        return wrapped(f"{self.state.value} {self.number}  {self.sentence}")

    def _repr_html_(self) -> str:
        return sentence_html(f"{self.state.value} {self.number}", self.sentence)


@dataclass(frozen=True, slots=True, repr=False)
class Hint:
    """One of the hints of an exercise.

    Attributes:
        number: The exercise.
        level: Which hint, counted from 1; 0 when there is none.
        count: How many there are.
        sentence: What it says.
    """

    number: str
    level: int
    count: int
    sentence: str

    def __repr__(self) -> str:
        """Return the level and the sentence."""
        return wrapped(f"{self._lead} {self.sentence}")

    @property
    def _lead(self) -> str:
        return f"💡 {self.number}" + (f" hint {self.level} of {self.count}:" if self.level else "")

    def _repr_html_(self) -> str:
        return sentence_html(self._lead, self.sentence)


@dataclass(frozen=True, slots=True, repr=False)
class Solution:
    """An answer, and the way to it.

    Attributes:
        number: The exercise.
        answer: What `check` accepts; None when solutions are switched off.
        sentence: How it is found, or why it is not shown.
    """

    number: str
    answer: object
    sentence: str

    def __repr__(self) -> str:
        """Return the answer and the way to it."""
        return wrapped(f"🔑 {self.number}  {self.sentence}") + (f"\n    {self._shown}" if self._shown else "")

    def _repr_html_(self) -> str:
        return sentence_html(f"🔑 {self.number}", self.sentence, code=self._shown)

    @property
    def _shown(self) -> str:
        return "" if self.answer is None else visible(repr(self.answer))


@dataclass(frozen=True, slots=True, repr=False)
class Task:
    """An exercise as one learner gets it; ``task["user"]`` is one of its values.

    Attributes:
        number: The exercise.
        grade: How much of it is the learner's own.
        goal: What to do, in one or two sentences.
        given: The values, by name.
    """

    number: str
    grade: Grade
    goal: str
    given: Mapping[str, object] = field(default_factory=dict)

    def __getitem__(self, name: str) -> object:
        """Return a value by its name; KeyError for another one."""
        return self.given[name]

    def __repr__(self) -> str:
        """Return the goal and the values, a line each; a session stands below its name."""
        return wrapped(f"{self.grade.value} {self.number}  {self.goal}") + f"\n{self._values()}"

    def _repr_html_(self) -> str:
        return sentence_html(f"{self.grade.value} {self.number}", self.goal, code=self._values().strip("\n"))

    def _values(self) -> str:
        width = max((len(name) for name, value in self.given.items() if not _is_long(value)), default=0)
        return "\n".join(_shown(name, value, width) for name, value in self.given.items())


def _is_long(value: object) -> bool:
    """Tell whether a value stands below its name."""
    return isinstance(value, tuple) or (isinstance(value, str) and "\n" in value)


def _shown(name: str, value: object, width: int) -> str:
    """Return one value with its name."""
    name = visible(name)
    if isinstance(value, str) and "\n" in value:
        return f"\n  {name}:\n" + textwrap.indent(visible(value, kept="\n"), "    ")
    if isinstance(value, tuple):
        return f"  {name}:\n" + wrapped(", ".join(value), indent="    ")
    return f"  {name:<{width}}  {visible(str(value))}"
