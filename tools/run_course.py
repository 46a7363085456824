"""Run every notebook twice, each time from a fresh kernel: as it is, and with every exercise answered: ``make course``.

The second time the start cell of an exercise gets the answer of its reference solution, written as a learner would
write it, for the values that this learner's name draws; `course.check` in the kernel has to call it right. The first
time nothing may be right yet. Whatever goes wrong is told with notebook, cell and exercise.

Exit codes: 0 all is well; 1 something is not, and the lines below the table say what; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets.config import Config

from indimail_kit.course import EXERCISES
from indimail_kit.course.exercise import Exercise, Learner, learner_named
from indimail_kit.visible import visible

NOTEBOOKS: Final = Path(__file__).resolve().parent.parent / "notebooks"
CELL_TIMEOUT_S: Final = 120
"""How long one cell may take (unit: s)."""

ASK: Final = """
import json as _json
from indimail_kit import course as _course
print(_json.dumps([[row["exercise"], row["done"]] for row in _course.progress("{lesson}").table()]))
"""
"""The cell behind the last one: what the kernel's own classroom says of each exercise of the lesson."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        notebook: Name of the file.
        cell: Number of the cell, counted from 1 as a reader counts; 0 for the notebook as a whole.
        exercise: As "01.2", or "".
        text: What it is.
    """

    notebook: str
    cell: int
    exercise: str
    text: str

    def __str__(self) -> str:
        """Return where and what."""
        where = [self.notebook] + [f"cell {self.cell}"] * bool(self.cell) + [self.exercise] * bool(self.exercise)
        return f"{', '.join(where)}: {visible(self.text)}"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a notebook.

    Attributes:
        elapsed_s: From the start of the kernel to the last cell (unit: s).
        done: Exercise -> whether the kernel's classroom calls it right; without those it does not know.
        findings: What went wrong on the way.
        is_whole: Whether the last cell was reached.
    """

    elapsed_s: float
    done: Mapping[str, bool]
    findings: tuple[Finding, ...]
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """Both runs of a notebook: a row of the table, and what is wrong.

    Attributes:
        name: Name of the file.
        cells: How many cells it has.
        median_lines: Median length of its code cells (unit: lines).
        median_words: Median length of its text cells (unit: words).
        unanswered_s: Time of the first run (unit: s).
        solved_s: Time of the second run (unit: s).
        right: Exercises that are right in the second run.
        exercises: All exercises of the lesson.
        findings: What is wrong.
    """

    name: str
    cells: int
    median_lines: float
    median_words: float
    unanswered_s: float
    solved_s: float
    right: int
    exercises: int
    findings: tuple[Finding, ...]


# --- answering ------------------------------------------------------------------------------------------------------


def answer_text(answer: object) -> str:
    """Return an answer as a learner would write it: a literal of Python.

    Raises:
        ValueError: It cannot be written as one.
    """
    text = (
        f"{{{', '.join(sorted(map(repr, answer)))}}}"
        if isinstance(answer, set | frozenset) and answer
        else repr(answer)
    )
    try:
        is_the_same = ast.literal_eval(text) == answer
    except (ValueError, SyntaxError):
        is_the_same = False
    if not is_the_same:
        raise ValueError(f"the solution is {type(answer).__name__}, which no learner can write into a cell")
    return text


def checked_exercise(source: str) -> str:
    """Return the number of the exercise that a cell checks, "" for none."""
    return next((call.args[0].value for call in _calls(source, "check") if _is_text(call.args[:1])), "")  # type: ignore[attr-defined]


def answered(source: str, text: str) -> str:
    """Return a start cell with an answer in the place for it.

    Args:
        source: Its last line is ``course.check("01.1", answer)``.
        text: The answer, as Python.

    Raises:
        ValueError: There is no place for an answer, or more than one.
    """
    (check,) = _calls(source, "check")
    if len(check.args) == 2 and isinstance(check.args[1], ast.Name):
        places = [
            node.value
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Assign)
            and [target.id for target in node.targets if isinstance(target, ast.Name)] == [check.args[1].id]
        ]
    else:
        places = check.args[1:]
    if len(places) != 1:
        raise ValueError(f"{len(places)} places for an answer instead of one")
    return _replaced(source, places[0], text)


def named(source: str, learner: str) -> str:
    """Return a cell in which this learner begins."""
    for call in _calls(source, "begin"):
        for keyword in call.keywords:
            if keyword.arg == "learner":
                return _replaced(source, keyword.value, repr(learner))
    return source


def _calls(source: str, name: str) -> list[ast.Call]:
    """Return the calls of ``course.NAME`` in a cell."""
    return [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "course"
    ]


def _is_text(nodes: Sequence[ast.expr]) -> bool:
    return bool(nodes) and isinstance(nodes[0], ast.Constant) and isinstance(nodes[0].value, str)


def _replaced(source: str, node: ast.expr, text: str) -> str:
    """Return the source with a node written anew; the parser counts octets of UTF-8, not characters."""
    lines = source.encode().splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    assert node.end_lineno is not None and node.end_col_offset is not None  # noqa: S101, PT018 - parsed, not made
    begin = starts[node.lineno - 1] + node.col_offset
    end = starts[node.end_lineno - 1] + node.end_col_offset
    octets = source.encode()
    return (octets[:begin] + text.encode() + octets[end:]).decode()


def exercise_places(notebook: Any) -> dict[str, int]:
    """Return exercise -> the number of the cell that checks it, counted from 1."""
    cells = [(number, cell.source) for number, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code"]
    return {exercise: number for number, source in cells if (exercise := checked_exercise(source))}


# --- running --------------------------------------------------------------------------------------------------------


def run(notebook: Any, *, path: Path, lesson: str) -> Run:
    """Run a notebook in a fresh kernel, and ask the kernel's classroom at the end."""
    notebook.cells.append(nbformat.v4.new_code_cell(ASK.format(lesson=lesson)))
    place = [0]

    def note(cell: object, cell_index: int) -> None:
        del cell
        place[0] = cell_index

    started_s = time.monotonic()
    fault = ""
    with tempfile.TemporaryDirectory(prefix="indimail-kit-") as sockets:
        client = NotebookClient(
            notebook,
            config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
            kernel_name="python3",
            timeout=CELL_TIMEOUT_S,
            resources={"metadata": {"path": str(path.parent)}},
            on_cell_start=note,
        )
        try:
            client.execute()
        except CellExecutionError as error:
            fault = f"{error.ename}: {error.evalue}"
        except CellTimeoutError:
            fault = f"not done after {CELL_TIMEOUT_S} s"
        except DeadKernelError:
            fault = "the kernel died"
    elapsed_s = time.monotonic() - started_s
    findings = tuple(_complaints(notebook, path.name))
    if fault:
        return Run(elapsed_s, {}, (*findings, Finding(path.name, place[0] + 1, "", fault)), is_whole=False)
    done = dict(json.loads(notebook.cells[-1].outputs[-1]["text"]))
    return Run(elapsed_s, done, findings)


def _complaints(notebook: Any, name: str) -> Iterator[Finding]:
    """Yield what the cells wrote to standard error: a warning that no learner can do anything about."""
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                yield Finding(name, number, "", f"on standard error: {output['text'].strip().splitlines()[-1]}")


def solved(notebook: Any, *, name: str, exercises: Mapping[str, Exercise], learner: Learner) -> list[Finding]:
    """Answer every exercise of a notebook in its place; return what could not be answered."""
    findings = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        cell.source = named(cell.source, learner.name)
        number = checked_exercise(cell.source)
        if not number:
            continue
        if number not in exercises:
            findings.append(Finding(name, index + 1, number, "there is no such exercise in the package"))
            continue
        exercise = exercises[number]
        try:
            # The answer of a live exercise is a server, which the kernel itself starts and repairs.
            text = (
                f"course.repaired({number!r})"
                if exercise.is_live
                else answer_text(exercise.solve(learner.draw(exercise).given))
            )
            cell.source = answered(cell.source, text)
        except ValueError as error:
            findings.append(Finding(name, index + 1, number, str(error)))
    return findings


def examine(path: Path, *, exercises: Sequence[Exercise], learner: Learner) -> Report:
    """Run a notebook unanswered and solved, and compare with what should be."""
    lesson = path.stem[:2]
    wanted = {one.number: one for one in exercises if one.number.startswith(f"{lesson}.")}
    plain, filled = nbformat.read(path, as_version=4), nbformat.read(path, as_version=4)
    lines = [len(cell.source.splitlines()) for cell in plain.cells if cell.cell_type == "code"]
    words = [len(cell.source.split()) for cell in plain.cells if cell.cell_type == "markdown"]
    cells, places = len(plain.cells), exercise_places(plain)
    unanswerable = solved(filled, name=path.name, exercises=wanted, learner=learner)
    first = run(plain, path=path, lesson=lesson)
    # What does not run as it is does not run with answers either, and need not be told twice.
    second = run(filled, path=path, lesson=lesson) if first.is_whole else Run(0.0, {}, ())
    findings = [*unanswerable, *first.findings, *(one for one in second.findings if one not in first.findings)]
    findings += [
        Finding(path.name, places.get(number, 0), number, "right, though nobody has answered it")
        for number, is_done in first.done.items()
        if is_done
    ]
    findings += [
        Finding(path.name, places.get(number, 0), number, _why(filled, places.get(number, 0)))
        for number in wanted
        if number in second.done and not second.done[number]
    ]
    return Report(
        path.name,
        cells,
        statistics.median(lines or [0]),
        statistics.median(words or [0]),
        first.elapsed_s,
        second.elapsed_s,
        sum(second.done.get(number, False) for number in wanted),
        len(wanted),
        tuple(findings),
    )


def _why(notebook: Any, place: int) -> str:
    """Return what the check said of the reference solution."""
    if not place:
        return "the notebook does not ask it"
    told = [output["data"].get("text/plain", "") for output in notebook.cells[place - 1].outputs if "data" in output]
    return "the reference solution is not right: " + " ".join((told or ["no feedback"])[-1].split())


# --- telling --------------------------------------------------------------------------------------------------------

HEADING: Final = ("notebook", "cells", "lines", "words", "unanswered", "solved", "right")


def table(reports: Sequence[Report]) -> str:
    """Return a row for each notebook; lines and words are medians of the code and the text cells."""
    rows = [
        (
            one.name, str(one.cells), f"{one.median_lines:g}", f"{one.median_words:g}",
            f"{one.unanswered_s:.1f} s", f"{one.solved_s:.1f} s", f"{one.right}/{one.exercises}",
        )
        for one in reports
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(HEADING, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if column else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (HEADING, *rows)
    )


def main(argv: Sequence[str] | None = None, *, exercises: Sequence[Exercise] = EXERCISES) -> int:
    """Run the notebooks that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="all of notebooks/ if none is named"
    )
    parser.add_argument("--learner", default="a learner", help="whose values the exercises have (%(default)s)")
    asked = parser.parse_args(argv)
    paths = asked.notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    if missing := [str(path) for path in paths if not path.is_file()]:
        parser.error(f"no such notebook: {', '.join(missing)}")
    reports = []
    for path in paths:
        print(f"{path.name} …", file=sys.stderr, flush=True)  # noqa: T201 - this is a script
        reports.append(examine(path, exercises=exercises, learner=learner_named(asked.learner)))
    print(table(reports))  # noqa: T201
    findings = [finding for one in reports for finding in one.findings]
    for finding in findings:
        print(finding)  # noqa: T201
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
