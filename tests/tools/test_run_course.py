"""tools/run_course.py, behind `make course`: what it fills in, and that a wrong notebook or solution makes it fail.

Short notebooks of two exercises go through real kernels; all notebooks of the course go through `make course`.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from indimail_kit.course import EXERCISES
from indimail_kit.course.exercise import learner_named

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FIRST, SECOND = EXERCISES[:2]

BEGIN = 'from indimail_kit import course\ncourse.begin(learner="your name")'
START = 'task = course.task("{number}")\nanswer = "…"\ncourse.check("{number}", answer)'


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """Import the script, which is in no package."""
    spec = importlib.util.spec_from_file_location("run_course", ROOT / "tools" / "run_course.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["run_course"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_notebook(path: Path, *sources: str) -> Path:
    """Write a notebook of code cells."""
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources]), path)
    return path


def start(number: str) -> str:
    """Return the start cell of an exercise."""
    return START.format(number=number)


# --- what is filled in ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_exercise_has_its_place_in_its_notebook(tool, path):
    """Each exercise of the lesson is asked, and its solution can be written into the start cell as a learner would."""
    notebook = nbformat.read(path, as_version=4)
    wanted = {one.number: one for one in EXERCISES if one.number.startswith(f"{path.stem[:2]}.")}

    findings = tool.solved(notebook, name=path.name, exercises=wanted, learner=learner_named("ann"))

    assert (findings, set(tool.exercise_places(notebook))) == ([], set(wanted))


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ('answer = "…"\ncourse.check("01.1", answer)', "answer = 7\ncourse.check(\"01.1\", answer)"),
        ('ä = "ö"; answer = {"A": "…",\n "B": "…"}  # yours\ncourse.check("01.1", answer)',
         'ä = "ö"; answer = 7  # yours\ncourse.check("01.1", answer)'),
        ('course.check("01.1", {"…"})', 'course.check("01.1", 7)'),
    ],
    ids=["a text", "two lines behind other characters", "in the check itself"],
)  # fmt: skip
def test_the_answer_goes_where_the_learner_writes_it(tool, source, filled):
    """The place for the answer is written anew, and nothing else of the cell."""
    assert tool.answered(source, "7") == filled


@pytest.mark.parametrize("source", ['course.check("01.1", answer)', 'course.check("01.1")'])
def test_a_start_cell_without_a_place_is_told(tool, source):
    """A cell in which nobody can write an answer is a fault of the notebook."""
    with pytest.raises(ValueError, match="0 places for an answer"):
        tool.answered(source, "7")


@pytest.mark.parametrize(
    ("answer", "text"),
    [(frozenset({"B", "A"}), "{'A', 'B'}"), ({"A": "x"}, "{'A': 'x'}"), (7, "7")],
    ids=["names", "choices", "a number"],
)
def test_an_answer_is_written_as_a_learner_writes_it(tool, answer, text):
    """A literal, the same in every run."""
    assert tool.answer_text(answer) == text


def test_an_answer_that_nobody_can_write_is_told(tool):
    """A solution that is an object of the package is none that a learner could give."""
    with pytest.raises(ValueError, match="object, which no learner can write"):
        tool.answer_text(object())


# --- what fails -----------------------------------------------------------------------------------------------------


def test_a_wrong_solution_fails_and_is_named(tool, tmp_path, capsys):
    """The good one counts, the wrong one is told with notebook, cell, exercise and what the check said; exit code 1."""
    path = write_notebook(tmp_path / "01_short.ipynb", BEGIN, start("01.1"), start("01.2"))
    wrong = replace(SECOND, solve=lambda given: given["sent"])

    exit_code = tool.main([str(path)], exercises=(FIRST, wrong))

    *rows, finding = capsys.readouterr().out.splitlines()
    assert (exit_code, rows[-1].split()[0], rows[-1].split()[-1]) == (1, "01_short.ipynb", "1/2")
    assert finding.startswith("01_short.ipynb, cell 3, 01.2: the reference solution is not right: ❌ 01.2 ")


def test_an_exercise_that_is_right_unanswered_fails(tool, tmp_path, capsys):
    """A start cell that holds the answer teaches nothing; one that the notebook forgot is told, too."""
    right = FIRST.solve(learner_named("your name").draw(FIRST).given)
    given_away = start("01.1").replace('"…"', repr(right))
    path = write_notebook(tmp_path / "01_short.ipynb", BEGIN, given_away)

    exit_code = tool.main([str(path)], exercises=(FIRST, SECOND))

    assert (exit_code, capsys.readouterr().out.splitlines()[2:]) == (
        1,
        [
            "01_short.ipynb, cell 2, 01.1: right, though nobody has answered it",
            "01_short.ipynb, 01.2: the notebook does not ask it",
        ],
    )


def test_a_cell_that_fails_and_one_that_warns_are_named(tool, tmp_path, capsys):
    """What a learner would see as a traceback is a line; a warning is told, too: he can do nothing about it."""
    path = write_notebook(
        tmp_path / "00_short.ipynb", 'import sys\nprint("mind the gap", file=sys.stderr)', '{}["a\\x1b[31m"]'
    )

    exit_code = tool.main([str(path)])

    assert (exit_code, capsys.readouterr().out.splitlines()[2:]) == (
        1,
        [
            "00_short.ipynb, cell 1: on standard error: mind the gap",
            "00_short.ipynb, cell 2: KeyError: 'a\\x1b[31m'",
        ],
    )


def test_a_notebook_that_is_not_there_is_wrong_usage(tool, tmp_path, capsys):
    """Its name is said, and nothing runs."""
    with pytest.raises(SystemExit) as ended:
        tool.main([str(tmp_path / "none.ipynb")])

    assert (ended.value.code, "none.ipynb" in capsys.readouterr().err) == (2, True)
