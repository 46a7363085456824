"""Lesson 06: stations and proofs by hand, and servers that are started, repaired and graded as a learner does it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from indimail_kit.course import EXERCISES, SOLUTIONS_VARIABLE, Classroom
from indimail_kit.course.exercise import learner_named
from indimail_kit.course.feedback import State
from indimail_kit.course.lesson_06_cases import CASES as LIVE
from indimail_kit.course.lesson_06_cases import drawn_case
from indimail_kit.course.lesson_06_method import EVIDENCE, NO_PROOFS, STATIONS
from indimail_kit.errors import LabError
from indimail_kit.exitcodes import EXIT_CODES

BY_NUMBER = {exercise.number: exercise for exercise in EXERCISES}
NUMBERS = [exercise.number for exercise in LIVE]
NAMES = [f"learner {number}" for number in range(40)]


def drawn(number, name="ann"):
    """Return the values of an exercise for a learner."""
    return learner_named(name).draw(BY_NUMBER[number])


def judged(number, answer, name="ann"):
    """Return what is said to an answer."""
    return BY_NUMBER[number].judge(drawn(number, name), answer)


# --- method -----------------------------------------------------------------------------------------------------------


def test_each_reply_of_qmail_queue_is_one_of_its_own():
    """06.1: a reply with qq is, letter for letter, one of the table of exit codes."""
    replies = {code.smtp_reply for code in EXIT_CODES.values()}
    asked = [text.removeprefix("S: ") for texts in EVIDENCE.values() for text in texts if " qq " in text]

    assert ([text for text in asked if text not in replies], len(asked) >= 4) == ([], True)


@pytest.mark.parametrize("choice", STATIONS)
def test_a_wrong_station_is_told_what_would_be_seen_there(choice):
    """06.1: the first letter with a wrong station gets a sentence about that station."""
    values = drawn("06.1")
    letter = next(letter for letter, station in values.right.items() if station != choice)
    right_before = {one: values.right[one] for one in values.right}

    assert judged("06.1", {**right_before, letter: choice}).startswith(f"{letter}: ")


@pytest.mark.parametrize("name", NAMES[:10])
def test_each_thing_that_proves_less_has_its_reason(name):
    """06.2: whoever takes one of them hears what it leaves open."""
    values = drawn("06.2", name)
    said = {letter: judged("06.2", values.right | {letter}, name) for letter in "ABCDEF" if letter not in values.right}

    assert [
        text for letter, text in said.items() if not text.startswith(f"{letter} proves less: ") or len(text) < 40
    ] == []


def test_every_reason_is_asked_somewhere():
    """06.2: over many learners nothing that looks like a proof is left out."""
    shown = " ".join(str(value) for name in NAMES for value in drawn("06.2", name).given.values())
    beginnings = [text.partition("{")[0] for text in NO_PROOFS if text.partition("{")[0]]

    assert [text for text in beginnings if text not in shown] == []


# --- servers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def live() -> Iterator[Classroom]:
    """A classroom whose servers end with the module."""
    classroom = Classroom(EXERCISES, environ={})
    classroom.begin(learner="learner 4")
    yield classroom
    classroom.begin(learner="somebody else")


@pytest.mark.parametrize("number", ["06.4", "06.5"])
def test_a_server_is_repaired_by_the_commands_of_its_solution(live, number):
    """Start, wrong, solution, right: as a learner goes; whatever else is the case, tests/lab has it for every case."""
    case = live.start_case(number)
    before = live.check(number, case)
    commands = live.solution(number).answer
    after = live.check(number, live.repaired(number))

    assert (before.state, bool(commands), after.state) == (State.WRONG, True, State.RIGHT), (before, after)


def test_a_server_that_runs_is_replaced_by_the_next_start(live):
    """Starting again gives a server that is broken in the same way; the old one has ended."""
    first = live.start_case("06.4")
    second = live.start_case("06.4")

    assert (first.lab.is_running, second.lab.is_running, second.complaint) == (False, True, drawn_complaint("06.4"))
    assert "has ended" in live.check("06.4", first).sentence


def drawn_complaint(number):
    """Return what the people of this learner's server say."""
    return " ".join(drawn(number, "learner 4").given["people say"].split())


def test_the_server_of_another_exercise_does_not_count(live):
    """What was repaired for one exercise is no answer to another."""
    assert "another exercise" in live.check("06.5", live.start_case("06.4")).sentence


def test_another_learner_ends_the_servers():
    """A name begins with an empty table, and with no server of the one before."""
    room = Classroom(EXERCISES, environ={})
    room.begin(learner="ann")
    case = room.start_case("06.4")
    room.begin(learner="bob")

    assert case.lab.is_running is False


@pytest.mark.parametrize("answer", ["repaired", 7, None.__class__, {"server": 1}])
@pytest.mark.parametrize("number", NUMBERS)
def test_an_answer_that_is_no_server_is_told_how(number, answer):
    """Whatever is given in its place."""
    assert "course.start_case" in judged(number, answer)


@pytest.mark.parametrize("number", NUMBERS)
def test_every_server_of_a_list_is_drawn_for_somebody(number):
    """Neighbours have different servers."""
    assert len({drawn_case(drawn(number, name))[0] for name in NAMES}) >= 2


def test_solutions_that_are_off_repair_nothing():
    """A teacher's no holds for `repaired`, too, and before a server is started there is nothing to show."""
    room = Classroom(EXERCISES, environ={SOLUTIONS_VARIABLE: "off"})
    with pytest.raises(LabError, match="switched off"):
        room.repaired("06.4")

    assert (
        Classroom(EXERCISES, environ={}).solution("06.4").sentence
        == 'Start the server first: course.start_case("06.4")'
    )


@pytest.mark.parametrize("number", ["01.1", "06.1", "99.9"])
@pytest.mark.parametrize("ask", ["start_case", "repaired"])
def test_an_exercise_without_a_server_has_none_to_start(room, ask, number):
    """A number that is none, or whose answer is a value."""
    with pytest.raises(KeyError):
        getattr(room, ask)(number)
