"""How far a learner is: a table in memory, and a file if the learner wants one, signed if the class has a key.

Rule 1: no answer and no value of an exercise is in it, so that a file can be handed in or shared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indimail_kit.course.class_key import ClassKey, signed
from indimail_kit.course.markup import sentence_html
from indimail_kit.course.small_file import read_small_file
from indimail_kit.errors import FormatError
from indimail_kit.visible import visible

FORMAT: Final = "indimail-kit progress 1"
"""First field of the file."""

MAX_FILE_BYTES: Final = 1_000_000
"""A larger file is none of ours (unit: octets)."""

_EXPECTED: Final = "a file written by progress().save()"


@dataclass(frozen=True, slots=True)
class Record:
    """What happened with one exercise.

    Attributes:
        attempts: Answers that were checked.
        hints: Highest level of hint that was given.
        is_right: Whether it was ever answered right.
        has_seen_solution: Whether the solution was shown before that.
    """

    attempts: int = 0
    hints: int = 0
    is_right: bool = False
    has_seen_solution: bool = False


NOTHING: Final = Record()
"""An exercise that nobody has looked at."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: an exercise and what happened with it."""

    number: str
    grade: str
    title: str
    record: Record


@dataclass(frozen=True, slots=True, repr=False)
class Progress:
    """How far a learner is.

    Attributes:
        learner: The name, "" for nobody in particular.
        rows: All exercises, in order.
        lesson: The lesson that is shown, as "01"; "" for all of them.
        class_key: What a saved file is signed with, None for no signature.
        goes_on_unsigned: Whether it went on, in a class with a key, from a file without a good signature.
    """

    learner: str
    rows: tuple[Row, ...]
    lesson: str = ""
    class_key: ClassKey | None = field(default=None, repr=False)
    goes_on_unsigned: bool = False

    @property
    def shown(self) -> tuple[Row, ...]:
        """Return the rows of the lesson, or all of them."""
        return tuple(row for row in self.rows if row.number.startswith(f"{self.lesson}." if self.lesson else ""))

    @property
    def right_count(self) -> int:
        """Return how many of the exercises shown are done."""
        return sum(row.record.is_right for row in self.shown)

    def table(self) -> tuple[Mapping[str, object], ...]:
        """Return the rows shown as dictionaries, for a DataFrame or a file."""
        return tuple(
            {
                "exercise": row.number,
                "grade": row.grade,
                "title": row.title,
                "done": row.record.is_right,
                "attempts": row.record.attempts,
                "hints": row.record.hints,
                "solution seen": row.record.has_seen_solution,
            }
            for row in self.shown
        )

    def __repr__(self) -> str:
        """Return a line for the whole and a line for each exercise."""
        return "\n".join((self._title(), *(f"  {line}" for line in self._lines())))

    def _repr_html_(self) -> str:
        return sentence_html(self._title(), "", code="\n".join(self._lines()))

    def _lines(self) -> tuple[str, ...]:
        width = max((len(row.title) for row in self.shown), default=0)
        return tuple(
            f"{_sign(row.record)} {row.number:<5} {row.grade} {row.title:<{width}}  {_told(row.record)}".rstrip()
            for row in self.shown
        )

    def _title(self) -> str:
        who = f"{visible(self.learner)}: " if self.learner else ""
        return f"{who}{self.right_count} of {len(self.shown)} exercises done"

    def save(self, path: str | Path) -> Path:
        """Write a file that `course.resume` reads, and a trainer: signed in a class with a key. Returns its path.

        Raises:
            OSError: It cannot be written.
        """
        records = {row.number: _as_document(row.record) for row in self.rows if row.record != NOTHING}
        document: dict[str, object] = {"format": FORMAT, "learner": self.learner, "exercises": records}
        if self.goes_on_unsigned:
            document["goes_on_unsigned"] = True
        if self.class_key is not None:
            document = signed(document, self.class_key)
        target = Path(path)
        target.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        return target


def _sign(record: Record) -> str:
    return "✅" if record.is_right else "❌" if record.attempts else "☐ "


def _told(record: Record) -> str:
    parts = (
        (record.attempts, f"answers: {record.attempts}"),
        (record.hints, f"hints: {record.hints}"),
        (record.has_seen_solution, "solution seen"),
    )
    return ", ".join(text for is_told, text in parts if is_told)


def _as_document(record: Record) -> dict[str, object]:
    return {
        "attempts": record.attempts,
        "hints": record.hints,
        "right": record.is_right,
        "solution_seen": record.has_seen_solution,
    }


@dataclass(frozen=True, slots=True)
class SavedProgress:
    """What a file of progress holds.

    Attributes:
        learner: The name in it.
        records: Exercise -> what happened with it.
        goes_on_unsigned: Whether it says that it went on from a file without a good signature.
        document: All of it, as it was read, for its signature.
    """

    learner: str
    records: Mapping[str, Record]
    goes_on_unsigned: bool = False
    document: Mapping[str, object] = field(default_factory=dict, repr=False)


def read_progress(path: str | Path) -> SavedProgress:
    """Read a file of progress; its signature is not looked at.

    Raises:
        FormatError: The file is none of ours.
        OSError: It cannot be read.
    """
    source = str(path)
    octets = read_small_file(path, max_bytes=MAX_FILE_BYTES, expected=_EXPECTED)
    try:
        document = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise FormatError(_EXPECTED, source=source) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FormatError(_EXPECTED, source=source)
    learner, exercises = document.get("learner"), document.get("exercises")
    goes_on = document.get("goes_on_unsigned", False)
    if not isinstance(learner, str) or not isinstance(exercises, dict) or type(goes_on) is not bool:
        raise FormatError(_EXPECTED, source=source)
    records = {number: _read_record(record, source=source) for number, record in exercises.items()}
    return SavedProgress(learner, records, goes_on, document)


def _read_record(document: object, *, source: str) -> Record:
    if not isinstance(document, dict):
        raise FormatError(_EXPECTED, source=source)
    attempts, hints = document.get("attempts"), document.get("hints")
    is_right, has_seen = document.get("right"), document.get("solution_seen")
    if (
        type(attempts) is not int
        or type(hints) is not int
        or min(attempts, hints) < 0
        or type(is_right) is not bool
        or type(has_seen) is not bool
    ):
        raise FormatError(_EXPECTED, source=source)
    return Record(attempts, hints, is_right, has_seen)
