"""Notebook 03 as a learner meets it: in JupyterLab, in Chromium, with the real lab."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]


@pytest.fixture(scope="module")
def lesson(open_notebook):
    """Give the notebook, every cell run."""
    return open_notebook("notebooks/03_queue.ipynb")


def view_with(lesson, part: str):
    """Return the view that has a part; JupyterLab draws it when it comes near the screen."""
    view = lesson.page.locator(".ik-journey:not(.ik-static)").filter(has=lesson.page.locator(part)).first
    view.scroll_into_view_if_needed()
    return view


def test_every_cell_of_the_lesson_runs(lesson):
    """No cell fails, nothing is written to standard error."""
    outputs = [output for cell in lesson.cells() for output in cell["outputs"]]
    bad = [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]

    assert (bad, [cell["source"] for cell in lesson.cells() if not cell["count"]]) == ([], [])


def test_the_waiting_mail_opens_to_its_files(lesson):
    """Section 2: the browser shows the one mail; Enter opens it, and its remote file is there to be read."""
    view = view_with(lesson, ".ik-queue-row")
    view.get_by_role("row").nth(1).focus()
    lesson.page.keyboard.press("Enter")
    panel = view.locator(".ik-queue-panel")
    panel.wait_for()

    assert [
        kind for kind in ("mess", "info", "remote") if kind not in panel.locator(".ik-queue-files").inner_text()
    ] == []


def test_the_slider_moves_and_a_crash_is_shown(lesson):
    """Section 6: behind the promise nothing is lost when the program is killed; without fsync a power failure does."""
    view = view_with(lesson, ".ik-tape-notch")
    view.get_by_role("slider").focus()
    lesson.page.keyboard.press("End")
    view.get_by_role("button", name="crash here").click()
    verdict = view.locator(".ik-tape-crashed .ik-heading .ik-chip")
    verdict.get_by_text("kept").wait_for()
    view.get_by_role("button", name="none (IndiMail").click()
    view.get_by_role("button", name="power loss, any disk").click()
    verdict.get_by_text("LOST").wait_for()

    assert view.locator(".ik-tape-lit strong").count() == 1


def test_nothing_of_the_lesson_leaves_the_machine(lesson):
    """No errors of the page, no request off loopback, no dialog."""
    assert (lesson.console_errors, lesson.outside, lesson.dialogs) == ([], [], [])
