"""A learner among the exercises: no answer raises, no feedback tells, a teacher decides about solutions."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indimail_kit import course
from indimail_kit.course import EXERCISES, SOLUTIONS_VARIABLE, Classroom
from indimail_kit.course.feedback import State
from indimail_kit.errors import FormatError

NUMBERS = [exercise.number for exercise in EXERCISES]
STILL = [exercise.number for exercise in EXERCISES if not exercise.is_live]


class Rude(str):
    """A text that refuses everything."""

    __slots__ = ()

    def __eq__(self, other):
        raise RuntimeError

    def __hash__(self):
        raise RuntimeError

    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize("number", STILL)
def test_a_solution_is_right_in_its_room(room, number):
    """The way that a learner goes: task, solution, check."""
    assert room.check(number, room.solution(number).answer).is_right


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("answer", [Rude("x"), object(), Rude, 1e400, {1: 2}, "\ud800", "x" * 99_999, b"\xff", True])
def test_nonsense_never_raises(room, number, answer):
    """A wrong type, a lone surrogate, something that refuses to be compared: wrong, and that is all."""
    assert room.check(number, answer).state is State.WRONG


@pytest.mark.parametrize("number", [None, 7, "", "99.9", "1.1", object(), "x" * 500, b"\xff"], ids=str)
@pytest.mark.parametrize("ask", ["check", "hint", "solution"])
def test_a_wrong_number_gets_the_list(room, ask, number):
    """Who mistypes the number is told which there are."""
    arguments = {"check": (number, "x")}.get(ask, (number,))

    assert "there are 01.1, 01.2" in repr(getattr(room, ask)(*arguments)).replace("\n", " ")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(number=st.sampled_from(NUMBERS), answer=st.text() | st.binary() | st.lists(st.text()))
def test_a_feedback_does_not_hold_the_answer(room, number, answer):
    """Whatever is answered, the right text is not in what comes back."""
    right = room.learner.draw(next(one for one in EXERCISES if one.number == number)).right

    assert str(right) not in repr(room.check(number, answer))


def test_an_open_place_is_no_attempt(room):
    """A notebook that runs from top to bottom leaves the table empty."""
    states = [room.check(number, "…").state for number in NUMBERS]

    assert (set(states), sum(row.record.attempts for row in room.progress().rows)) == ({State.OPEN}, 0)


def test_hints_get_stronger_and_the_last_one_stays(room):
    """Four times asked: the first, the second, the third, the third."""
    assert [room.hint("01.1").level for _ in range(4)] == [1, 2, 3, 3]


@pytest.mark.parametrize(("level", "given"), [(1, 1), (3, 3), (0, 1), (-5, 1), (99, 3), (None, 1), ("2", 1)])
def test_a_hint_of_a_level(room, level, given):
    """A level that is none becomes the nearest, and nonsense the next one."""
    assert room.hint("01.1", level).level == given


def test_a_teacher_can_switch_solutions_off(room):
    """By a call: no answer, a sentence; and on again."""
    off = room.solutions_allowed(False), room.solution("01.1").answer
    on = room.solutions_allowed(True), room.solution("01.1").answer is None

    assert (off, on) == ((False, None), (True, False))


@pytest.mark.parametrize("value", ["0", "off", "No", " FALSE "])
def test_the_variable_wins(value):
    """A learner cannot switch on what the teacher's environment has switched off."""
    room = Classroom(EXERCISES, environ={SOLUTIONS_VARIABLE: value})

    assert (room.solutions_allowed(True), room.solution("01.1").answer) == (False, None)


@pytest.mark.parametrize("value", ["1", "on", ""])
def test_another_value_of_the_variable_changes_nothing(value):
    """Solutions are on unless somebody says off."""
    assert Classroom(EXERCISES, environ={SOLUTIONS_VARIABLE: value}).solution("01.1").answer is not None


def test_the_table_tells_what_happened(room):
    """A wrong answer, a hint, the solution, the right answer: all in the row, and nothing in the next."""
    room.check("01.1", "wrong")
    room.hint("01.1")
    room.check("01.1", room.solution("01.1").answer)

    assert room.progress().table()[:2] == (
        {"exercise": "01.1", "grade": "◯", "title": "encode a user", "done": True, "attempts": 2, "hints": 1,
         "solution seen": True},
        {"exercise": "01.2", "grade": "◐", "title": "repair a Base64", "done": False, "attempts": 0, "hints": 0,
         "solution seen": False},
    )  # fmt: skip


def test_what_was_right_stays_right(room):
    """Who tries something else afterwards loses nothing; a solution looked at afterwards does not count."""
    answer = room.solution("01.2").answer
    room.begin(learner="bob")
    room.begin(learner="ann")
    room.check("01.2", answer)
    room.check("01.2", "something else")
    room.solution("01.2")
    record = room.progress().rows[1].record

    assert (record.is_right, record.has_seen_solution, record.attempts) == (True, False, 2)


def test_another_learner_begins_anew(room):
    """A name of its own: other values, an empty table; the same name goes on."""
    room.check("01.1", room.solution("01.1").answer)
    same, other = room.begin(learner="Ann"), room.begin(learner="bob")

    assert (same.right_count, other.right_count) == (1, 0)


def test_a_neighbours_answer_is_wrong(room):
    """Values differ from learner to learner."""
    answer = room.solution("01.6").answer
    room.begin(learner="bob")

    assert room.check("01.6", answer).state is State.WRONG


def test_progress_is_saved_and_resumed(room, tmp_path):
    """Another kernel goes on where this one ended."""
    room.check("01.1", room.solution("01.1").answer)
    room.hint("01.3")
    path = room.progress().save(tmp_path / "progress.json")
    other = Classroom(EXERCISES, environ={})

    assert other.resume(path) == room.progress()


def test_a_saved_file_has_no_answer(room, tmp_path):
    """It can be handed in: no right and no wrong answer is in it."""
    answer = room.solution("01.1").answer
    room.check("01.1", answer)
    room.check("01.1", "my own secret")
    text = room.progress().save(tmp_path / "progress.json").read_text(encoding="utf-8")

    assert (answer in text, "secret" in text, '"ann"' in text) == (False, False, True)


def test_a_broken_file_changes_nothing(room, tmp_path):
    """The table in memory stays when the file is none of ours."""
    room.check("01.1", "wrong")
    path = tmp_path / "broken.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(FormatError):
        room.resume(path)

    assert (room.learner.name, room.progress().rows[0].record.attempts) == ("ann", 1)


def test_an_unknown_task_is_a_key_error(room):
    """`task` gives values to go on with, so here a wrong number is an error."""
    with pytest.raises(KeyError):
        room.task("99.1")


def test_the_room_of_the_kernel_has_the_same_verbs():
    """`course.check` is a method of one classroom."""
    assert (course.check("01.1", "…").state, course.task("01.1").number) == (State.OPEN, "01.1")


def test_the_course_needs_neither_jupyter_nor_pandas():
    """It is read from a plain terminal, too, and starts quickly."""
    heavy = "{'IPython', 'ipywidgets', 'pandas', 'numpy', 'sqlalchemy'}"
    code = f"import sys, indimail_kit.course; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert result.stdout.strip() == "[]"


def test_progress_of_one_lesson_shows_that_lesson(room, tmp_path):
    """The table of lesson 02 has its rows only; what is saved has everything."""
    room.check("01.5", 7)
    room.check("02.5", "x")
    shown = room.progress("02")
    again = Classroom(EXERCISES, environ={}).resume(shown.save(tmp_path / "p.json"))

    assert (
        {row.number[:2] for row in shown.shown},
        sum(row.record.attempts for row in shown.shown),
        sum(row.record.attempts for row in again.rows),
    ) == ({"02"}, 1, 2)
