"""What learners hand in, for the trainer: a row for each file, how far each one is, and what its signature says.

Rule 1: a file that is damaged, or none of ours, is a row with its name and the reason; it never stops the others.
Rule 2: names come from strangers: shown with hidden characters written out, and cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indimail_kit.course.class_key import SignatureState, judge_signature, read_class_key
from indimail_kit.course.exercise import learner_named
from indimail_kit.course.lessons import EXERCISES
from indimail_kit.course.markup import sentence_html
from indimail_kit.course.progress import NOTHING, Record, read_progress
from indimail_kit.errors import FormatError
from indimail_kit.visible import visible

MAX_NAME_CHARACTERS: Final = 40
"""What is shown of a name (unit: characters)."""

_NUMBERS: Final = tuple(exercise.number for exercise in EXERCISES)
LESSONS: Final = tuple(dict.fromkeys(number.partition(".")[0] for number in _NUMBERS))
"""The lessons with exercises, in order."""


@dataclass(frozen=True, slots=True)
class HandIn:
    """A file that was handed in.

    Attributes:
        path: The file.
        learner: The name in it; whoever wrote the file chose it.
        records: Exercise -> what happened with it; exercises that this kit does not have are among them.
        signature: What its signature is worth.
        notes: What a trainer should know of it, a sentence each.
        problem: Why it cannot be read, "" when it can.
    """

    path: Path
    learner: str = ""
    records: Mapping[str, Record] = field(default_factory=dict, repr=False)
    signature: SignatureState = SignatureState.NONE
    notes: tuple[str, ...] = ()
    problem: str = ""

    @property
    def is_bad(self) -> bool:
        """Say whether the file is damaged or its signature wrong."""
        return bool(self.problem) or self.signature is SignatureState.WRONG

    def right_count(self, lesson: str) -> int:
        """Return how many exercises of a lesson are done."""
        return sum(self.records.get(number, NOTHING).is_right for number in _of_lesson(lesson))

    def as_document(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "file": str(self.path),
            "learner": self.learner,
            "lessons": {
                lesson: {
                    "right": self.right_count(lesson),
                    "exercises": len(_of_lesson(lesson)),
                    "answers": sum(record.attempts for record in self._records_of(lesson)),
                    "hints": sum(record.hints for record in self._records_of(lesson)),
                    "solutions_seen": sum(record.has_seen_solution for record in self._records_of(lesson)),
                }
                for lesson in LESSONS
            },
            "signature": self.signature.value,
            "notes": list(self.notes),
            "problem": self.problem,
        }

    def _records_of(self, lesson: str) -> tuple[Record, ...]:
        return tuple(self.records.get(number, NOTHING) for number in _of_lesson(lesson))


@dataclass(frozen=True, slots=True, repr=False)
class HandIns:
    """All files that were handed in.

    Attributes:
        files: In the order in which they were named.
        key_name: Eight digits of the class's key, "" when nothing was checked.
    """

    files: tuple[HandIn, ...]
    key_name: str = ""

    @property
    def has_bad(self) -> bool:
        """Say whether a file is damaged or a signature wrong."""
        return any(one.is_bad for one in self.files)

    def table(self) -> tuple[Mapping[str, str], ...]:
        """Return a row for each file, for a DataFrame: learner, each lesson as "7/10", signature, remarks, file."""
        return tuple(
            {
                "learner": shown(one.learner),
                **{
                    lesson: "" if one.problem else f"{one.right_count(lesson)}/{len(_of_lesson(lesson))}"
                    for lesson in LESSONS
                },
                "signature": "" if one.problem else one.signature.value,
                "remarks": visible("; ".join(filter(None, (one.problem, *one.notes)))),
                "file": visible(str(one.path)),
            }
            for one in self.files
        )

    def __repr__(self) -> str:
        """Return a line for all, and a line for each file."""
        return f"{self._title()}\n{self._text()}".rstrip("\n")

    def _repr_html_(self) -> str:
        return sentence_html(self._title(), "", code=self._text())

    def _title(self) -> str:
        counts = Counter("damaged" if one.problem else one.signature.value for one in self.files)
        words = ("good", "none", "wrong", "not checked", "damaged")
        told = ", ".join(f"{word}: {counts[word]}" for word in words if counts[word])
        key = f", key {visible(self.key_name)}" if self.key_name else ""
        return f"{len(self.files)} handed in{key}" + (f" (signature {told})" if told else "")

    def _text(self) -> str:
        rows = self.table()
        heads = ("learner", *LESSONS, "signature", "remarks", "file")
        lines = [heads, *(tuple(visible(row[head]) for head in heads) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )


def read_hand_in(paths: str | Path | Iterable[str | Path], *, class_key_file: str | Path | None = None) -> HandIns:
    """Read what learners handed in.

    Args:
        paths: Files of ``course.progress().save``; of a directory all ``*.json`` in it, by name.
        class_key_file: The class's key, to check the signatures; None to check none.

    Raises:
        FormatError: The key is none.
        OSError: The key cannot be read.
    """
    key = None if class_key_file is None else read_class_key(class_key_file)
    given: Sequence[str | Path] = [paths] if isinstance(paths, str | Path) else list(paths)
    files = [file for path in map(Path, given) for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    read = []
    for file in files:
        try:
            saved = read_progress(file)
        except FormatError as error:
            read.append(HandIn(file, problem=f"expected {error.expected}"))
            continue
        except OSError as error:
            read.append(HandIn(file, problem=error.strerror or "cannot be read"))
            continue
        state, why = judge_signature(saved.document, key)
        unknown = len(saved.records.keys() - set(_NUMBERS))
        notes = (
            why,
            "went on from a file without a good signature" if saved.goes_on_unsigned else "",
            f"exercises that this kit does not have: {unknown}" if unknown else "",
        )
        read.append(HandIn(file, saved.learner, saved.records, state, tuple(filter(None, notes))))
    return HandIns(tuple(_with_doubles(read)), key.name if key else "")


def _with_doubles(files: Sequence[HandIn]) -> Iterable[HandIn]:
    """Yield the files; one whose learner has handed in more than one says so."""
    seeds = [None if one.problem else learner_named(one.learner).seed for one in files]
    counts = Counter(seeds)
    for one, seed in zip(files, seeds, strict=True):
        count = 0 if seed is None else counts[seed]
        note = (f"{count} files with this name",) if count > 1 else ()
        yield HandIn(one.path, one.learner, one.records, one.signature, (*one.notes, *note), one.problem)


def _of_lesson(lesson: str) -> tuple[str, ...]:
    return tuple(number for number in _NUMBERS if number.startswith(f"{lesson}."))


def shown(name: str) -> str:
    r"""Return a learner's name for a screen.

    Example:
        >>> shown("ann\x1b[31m"), len(shown("x" * 500))
        ('ann\\x1b[31m', 40)
    """
    text = visible(name[: MAX_NAME_CHARACTERS + 1])
    return text if len(text) <= MAX_NAME_CHARACTERS else text[: MAX_NAME_CHARACTERS - 1] + "…"
