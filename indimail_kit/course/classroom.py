"""A learner among the exercises: begin, task, check, hint, solution, progress.

Rule 1: a wrong answer, a wrong number, nonsense: each gets a sentence, none an exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indimail_kit.course.answers import as_text, is_unanswered
from indimail_kit.course.class_key import (
    CLASS_KEY_VARIABLE,
    ClassKey,
    SignatureState,
    judge_signature,
    read_class_key,
)
from indimail_kit.course.exercise import Exercise, Learner, learner_named
from indimail_kit.course.feedback import Feedback, Hint, Solution, State, Task
from indimail_kit.course.progress import NOTHING, Progress, Record, Row, read_progress
from indimail_kit.errors import LabError

if TYPE_CHECKING:
    from indimail_kit.lab.cases import RunningCase

SOLUTIONS_VARIABLE: Final = "INDIMAIL_KIT_SOLUTIONS"
"""Environment variable with which a teacher switches the solutions off: 0, no or off."""

_OFF: Final = frozenset({"0", "no", "off", "false"})


class Classroom:
    """One learner, all exercises, and what happened so far."""

    def __init__(self, exercises: Sequence[Exercise], *, environ: Mapping[str, str]) -> None:
        """Open the room for nobody in particular.

        Args:
            exercises: In the order of the lessons.
            environ: Environment; SOLUTIONS_VARIABLE is read at each use, CLASS_KEY_VARIABLE until a key was read.
        """
        self._exercises = {exercise.number: exercise for exercise in exercises}
        self._environ = environ
        self._are_solutions_allowed = True
        self._learner = learner_named("")
        self._records: dict[str, Record] = {}
        self._class_key: ClassKey | None = None
        self._goes_on_unsigned = False
        self._cases: dict[str, RunningCase] = {}

    def begin(self, learner: str = "", *, class_key_file: str | Path | None = None) -> Progress:
        """Say who learns; each name gets values of its own. Another name begins with an empty table.

        Args:
            learner: The name.
            class_key_file: File with the class's key, to sign what is saved; else CLASS_KEY_VARIABLE names it.

        Raises:
            FormatError: The file holds no key.
            OSError: It cannot be read.
        """
        if class_key_file is not None:
            self._class_key = read_class_key(class_key_file)
        beginner = learner_named(learner)
        if beginner.seed != self._learner.seed:
            self._records = {}
            self._goes_on_unsigned = False
            while self._cases:
                self._cases.popitem()[1].stop()
        self._learner = beginner
        return self.progress()

    def resume(self, path: str | Path) -> Progress:
        """Go on where a saved file ends; in a class with a key, it is noted when that file has no good signature.

        Raises:
            FormatError: The file is none of ours, or the class's key is none.
            OSError: One of the two cannot be read.
        """
        key = self._key()
        saved = read_progress(path)
        is_good = judge_signature(saved.document, key)[0] is SignatureState.GOOD
        self._learner = learner_named(saved.learner)
        self._records = {number: record for number, record in saved.records.items() if number in self._exercises}
        self._goes_on_unsigned = key is not None and (saved.goes_on_unsigned or not is_good)
        return self.progress()

    @property
    def learner(self) -> Learner:
        """Return who learns."""
        return self._learner

    def task(self, number: str) -> Task:
        """Return an exercise with this learner's values.

        Raises:
            KeyError: There is no such exercise.
        """
        exercise = self._exercises[number]
        return Task(number, exercise.grade, exercise.goal, self._learner.draw(exercise).given)

    def check(self, number: str, answer: object) -> Feedback:
        """Judge an answer; the feedback never holds the right one."""
        exercise = self._find(number)
        if exercise is None:
            return Feedback(_shown(number), State.OPEN, self._which())
        if is_unanswered(answer):
            return Feedback(exercise.number, State.OPEN, "There is no answer yet. Write yours, and run the cell again.")
        mistake = exercise.judge(self._learner.draw(exercise), answer)
        record = self._record(exercise)
        is_right = mistake is None
        self._records[exercise.number] = replace(
            record, attempts=record.attempts + 1, is_right=record.is_right or is_right
        )
        if mistake is None:
            return Feedback(exercise.number, State.RIGHT, exercise.reason)
        return Feedback(exercise.number, State.WRONG, mistake)

    def hint(self, number: str, level: int | None = None) -> Hint:
        """Return the next hint, or the one of a level (counted from 1); the last one stays."""
        exercise = self._find(number)
        if exercise is None:
            return Hint(_shown(number), 0, 0, self._which())
        record = self._record(exercise)
        count = len(exercise.hints)
        wanted = level if type(level) is int else record.hints + 1
        given = max(1, min(wanted, count))
        self._records[exercise.number] = replace(record, hints=max(record.hints, given))
        return Hint(exercise.number, given, count, exercise.hints[given - 1])

    def solution(self, number: str) -> Solution:
        """Return the answer and the way to it, unless a teacher has switched solutions off."""
        exercise = self._find(number)
        if exercise is None:
            return Solution(_shown(number), None, self._which())
        if not self._shows_solutions():
            return Solution(exercise.number, None, "The solutions are switched off. A hint may help, or a neighbour.")
        case = self._cases.get(exercise.number)
        if exercise.is_live and case is None:
            return Solution(exercise.number, None, f'Start the server first: course.start_case("{exercise.number}")')
        self._note_solution(exercise)
        if case is not None:
            return Solution(exercise.number, [deed.command for deed in case.solution()], exercise.way)
        return Solution(exercise.number, exercise.solve(self._learner.draw(exercise).given), exercise.way)

    def start_case(self, number: str) -> RunningCase:
        """Start the server of an exercise, in place of one that runs for it already; it ends with this process.

        Raises:
            KeyError: There is no such exercise, or its answer is no server.
            LabError: The server did not start.
            MissingPartError: A part that it needs is not installed.
        """
        from indimail_kit.course.lesson_06_cases import drawn_case
        from indimail_kit.lab.cases import start_case

        exercise = self._exercises[number]
        if not exercise.is_live:
            raise KeyError(number)
        if (before := self._cases.pop(number, None)) is not None:
            before.stop()
        name, seed = drawn_case(self._learner.draw(exercise))
        self._cases[number] = start_case(name, seed=seed)
        return self._cases[number]

    def running_case(self, number: str) -> RunningCase | None:
        """Return the server of an exercise that `start_case` started, None for none."""
        return self._cases.get(number)

    def repaired(self, number: str) -> RunningCase:
        """Do on the server of an exercise what its reference solution says, and return it; for a trainer who shows it.

        Raises:
            KeyError: There is no such exercise, or its answer is no server.
            LabError: The solutions are switched off, or a step failed.
        """
        exercise = self._exercises[number]
        if not self._shows_solutions():
            raise LabError("the solutions are switched off")
        case = self._cases.get(number) or self.start_case(number)
        self._note_solution(exercise)
        case.solve()
        return case

    def _note_solution(self, exercise: Exercise) -> None:
        record = self._record(exercise)
        self._records[exercise.number] = replace(
            record, has_seen_solution=record.has_seen_solution or not record.is_right
        )

    def solutions_allowed(self, is_allowed: bool) -> bool:
        """Switch the solutions on or off; returns what holds now (the variable wins when it says off)."""
        self._are_solutions_allowed = bool(is_allowed)
        return self._shows_solutions()

    def progress(self, lesson: str = "") -> Progress:
        """Return how far the learner is; of one lesson ("01") if it is named, and all of it is saved all the same.

        Raises:
            FormatError: The class's key is none.
            OSError: It cannot be read.
        """
        rows = tuple(
            Row(number, exercise.grade.value, exercise.title, self._record(exercise))
            for number, exercise in self._exercises.items()
        )
        shown = (as_text(lesson) or "").strip()
        return Progress(self._learner.name, rows, shown, self._key(), self._goes_on_unsigned)

    def _key(self) -> ClassKey | None:
        """Return the class's key, if it has one."""
        path = self._environ.get(CLASS_KEY_VARIABLE, "")
        if self._class_key is None and path:
            self._class_key = read_class_key(path)
        return self._class_key

    def _find(self, number: object) -> Exercise | None:
        return self._exercises.get((as_text(number) or "").strip())

    def _record(self, exercise: Exercise) -> Record:
        return self._records.get(exercise.number, NOTHING)

    def _shows_solutions(self) -> bool:
        return self._are_solutions_allowed and self._environ.get(SOLUTIONS_VARIABLE, "").strip().lower() not in _OFF

    def _which(self) -> str:
        return f"There is no such exercise; there are {', '.join(self._exercises)}."


def _shown(number: object) -> str:
    """Return what was given as a number, if it is short enough to be shown."""
    text = as_text(number) or ""
    return text if text.isprintable() and len(text) <= 8 else "?"
