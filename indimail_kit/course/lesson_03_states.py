"""Lesson 03, exercises about states: what a set of files proves, and which sets prove that something is broken.

Source: indimail-mta-internals(7) section 2.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from functools import partial
from typing import Final

from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_choices, judge_letters, text_of
from indimail_kit.course.lesson_02_setting import SPLIT
from indimail_kit.course.lesson_03_places import LETTERS, draw_number
from indimail_kit.errors import QueueError
from indimail_kit.mailqueue.layout import KINDS
from indimail_kit.mailqueue.states import PATTERNS, QueueState, state_of

Kinds = tuple[str, ...]


def sets_of(state: QueueState | None) -> tuple[Kinds, ...]:
    """Return the sets of files that prove a state, or that no state has."""
    found = []
    for size in range(len(KINDS) + 1):
        for kinds in itertools.combinations(KINDS, size):
            try:
                proved: QueueState | None = state_of(kinds)
            except QueueError:
                proved = None
            if proved is state:
                found.append(kinds)
    return tuple(found)


def _paths(kinds: Kinds, number: int) -> str:
    """Return the files as find prints them."""
    return "  ".join(f"bounce/{number}" if kind == "bounce" else f"{kind}/{number % SPLIT}/{number}" for kind in kinds)


def _kinds(paths: str) -> Kinds:
    return tuple(path.partition("/")[0] for path in paths.split())


# --- 03.6: which state ------------------------------------------------------------------------------------------

CHOICES: Final[Mapping[str, str]] = {state.name.lower(): state.value for state in QueueState}
"""What a learner writes -> what it means."""

_MESSAGES: Final = ("A", "B", "C")


def _draw_states(rng: random.Random) -> Drawn:
    states = [state for state in QueueState if state is not QueueState.S1]
    given: dict[str, object] = {}
    right: dict[str, str] = {}
    for letter, state in zip(_MESSAGES, rng.sample(states, len(_MESSAGES)), strict=True):
        given[letter] = _paths(rng.choice(sets_of(state)), draw_number(rng))
        right[letter] = state.name.lower()
    given["states"] = "\n".join(f"{name}  {meaning}" for name, meaning in CHOICES.items())
    return Drawn(given=given, right=right)


def _solve_states(given: Mapping[str, object]) -> dict[str, str]:
    return {letter: state_of(_kinds(text_of(given, letter))).name.lower() for letter in _MESSAGES}


def _not_this_state(given: Mapping[str, object], letter: str, choice: str) -> str:
    """Say which file speaks against a state, without naming the right one."""
    kinds = _kinds(text_of(given, letter))
    pattern = PATTERNS[QueueState[choice.upper()]]
    for kind, sign in zip(KINDS, pattern, strict=True):
        if sign == "-" and kind in kinds:
            return f"there is a file in {kind}, and that state has none."
        if sign == "+" and kind not in kinds:
            return f"that state has a file in {kind}, and there is none."
    return "look at each of the seven kinds of files again."


STATES: Final = Exercise(
    number="03.6",
    grade=Grade.REPEAT,
    title="which state",
    goal="These are the files of three messages, found in one moment. In which state is each? Answer with a dictionary,"
    " one of the states for A, B and C.",
    reason="Right, all three. No file says in which state a message is: the set of its files does, and each step of"
    " qmail changes that set by one call that happens wholly or not at all.",
    way="mailqueue.state_of({'mess', …}) looks into PATTERNS: + must be there, - must not, ? may.",
    hints=(
        "todo decides first: while it is there, the message is queued, and nothing else about it counts.",
        "Without todo: is there an info file? Then it is preprocessed. If not, is there intd?",
        "mailqueue.state_of takes the set of kinds, such as {'mess', 'intd'}.",
    ),
    draw=_draw_states,
    solve=_solve_states,
    judge=lambda drawn, answer: judge_choices(CHOICES, partial(_not_this_state, drawn.given), drawn, answer),
)

# --- 03.7: which are broken -------------------------------------------------------------------------------------

_BROKEN: Final = 3


def _draw_broken(rng: random.Random) -> Drawn:
    letters = list(LETTERS)
    rng.shuffle(letters)
    broken = sorted(letters[:_BROKEN])
    bad, good = sets_of(None), [kinds for state in list(QueueState)[1:] for kinds in sets_of(state)]
    given = {letter: _paths(rng.choice(bad if letter in broken else good), draw_number(rng)) for letter in LETTERS}
    return Drawn(given=given, right=frozenset(broken))


def _solve_broken(given: Mapping[str, object]) -> set[str]:
    bad = sets_of(None)
    return {letter for letter in LETTERS if _kinds(text_of(given, letter)) in bad}


def _judge_broken(drawn: Drawn, answer: object) -> str | None:
    return judge_letters(
        LETTERS,
        drawn,
        answer,
        wrong=lambda letter: f"{letter} is in order: one of the states has exactly these files.",
        missing="These are broken, but one is missing. Hold each of the six against the patterns of the states.",
        is_wanted_any="Not all of them: some have the files of a state.",
    )


BROKEN: Final = Exercise(
    number="03.7",
    grade=Grade.FIND_OUT,
    title="which are broken",
    goal="Six messages of a queue in which nobody works at the moment. Which of them are in no state at all? Answer"
    " with the set of their letters.",
    reason="Right. Of the 128 sets that seven kinds of files can make, few are states; every other one has a cause that"
    " is not qmail: a disk that lost something, a backup, a hand.",
    way="mailqueue.state_of raises QueueError for a set that no state has.",
    hints=(
        "Without mess there is no message: whatever is left then is broken.",
        "local, remote and bounce belong to a message that has info, or that todo-proc is working on.",
        "Three are broken. mailqueue.PATTERNS has a line for each state: + must be there, - must not, ? may.",
    ),
    draw=_draw_broken,
    solve=_solve_broken,
    judge=_judge_broken,
)
