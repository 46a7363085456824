"""CasePanel: a server is started, hinted at, repaired and graded by its buttons; whatever fails is a sentence."""

from __future__ import annotations

import pytest

from indimail_kit import course
from indimail_kit.lab import start_case
from indimail_kit.widgets import CasePanel


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A server with a user whose password CRAM cannot use."""
    with start_case("no-clear-password", seed=3, directory=tmp_path_factory.mktemp("case")) as running:
        yield running


def test_buttons_tell_a_hint_and_a_grade(case):
    """A hint is shown and counted, a server that is broken is told what is wrong, one that is well that it is."""
    view = CasePanel(case)
    view.hint_button.click()
    view.grade_button.click()
    before = view.status.tone, view.grade.is_solved, "✕ " in view.panel.value
    case.solve()
    view.grade_button.click()

    assert (view.hints[0][:12], view.hints[0] in view.panel.value.replace("&#x27;", "'")) == ("Hint 1 of 4:", True)
    assert before == ("ik-bad", False, True)
    assert (view.status.tone, view.status.sentence[:6], "✕ " in view.panel.value) == ("ik-good", "Solved", False)
    assert view.grade.hints_given == 1


def test_it_says_what_people_say_and_where_the_server_is(case):
    """Complaint, port, directory and logs are there; in the static view, too, and the name of the case is not."""
    view = CasePanel(case)
    told = view.static_html()

    assert [part in told for part in (case.complaint, str(case.smtp[1]), str(case.directory), "log of smtpd")] == [
        True
    ] * 4
    assert ("no-clear-password" in told, "no-clear-password" in repr(view)) == (False, False)


def test_an_exercise_starts_when_its_button_is_pressed():
    """Nothing runs before; a view that is made again has the server that runs."""
    course.begin(learner="learner 4")
    try:
        view = CasePanel("06.4")
        before = view.case, view.hint_button.disabled, view.grade_button.disabled
        view.start_button.click()
        again = CasePanel("06.4")

        assert before == (None, True, True)
        assert (view.case is course.running_case("06.4"), again.case is view.case) == (True, True)
        assert (view.hint_button.disabled, view.status.sentence) == (
            False,
            "It runs. Look, repair, and let it be graded.",
        )
        assert course.task("06.4")["people say"].split() == view.case.complaint.split()
    finally:
        course.begin(learner="")


def test_a_server_that_has_ended_is_told():
    """Grade and places of a server that was stopped: sentences, no exception."""
    stopped = start_case("no-clear-password", seed=3)
    view = CasePanel(stopped)
    stopped.stop()
    view.grade_button.click()

    assert (view.status.tone, "Nothing was done: no case in" in view.status.sentence) == ("ik-bad", True)
    assert "This server has ended." in view.panel.value


def test_an_exercise_without_a_server_has_no_panel():
    """A number that is none, or whose answer is a value."""
    for number in ("01.1", "99.9"):
        with pytest.raises(KeyError):
            CasePanel(number)


def test_it_can_be_used_from_python(case):
    """Without a click: grade_now waits and returns the grade."""
    view = CasePanel(case)

    assert (view.grade_now() is view.grade, view.status.busy) == (True, False)
