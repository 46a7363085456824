"""A broken server as a person meets it: in JupyterLab, in Chromium, by keyboard."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]

CELLS = ("import indimail_kit as kit", 'kit.widgets.CasePanel("06.4")')


@pytest.fixture(scope="module")
def opened(write_notebook, open_notebook):
    """Give a notebook with the panel of an exercise."""
    return open_notebook(write_notebook("case", *CELLS), width=900)


def press(view, name: str, *, until: str) -> None:
    """Press a button by keyboard and wait for what the live region then says."""
    view.get_by_role("button", name=name, exact=True).focus()
    view.page.keyboard.press("Enter")
    view.locator(".ik-status").get_by_text(until).first.wait_for()


def test_a_server_is_started_hinted_at_and_graded_by_keyboard(opened, hard_to_read):
    """Start, Hint, Grade: each says what happened; the finding stands below, readable, and nothing leaves the width."""
    view = opened.page.locator(".ik-journey:not(.ik-static)")
    view.scroll_into_view_if_needed()
    press(view, "Start", until="It runs.")
    press(view, "Hint", until="Hint 1 of 4:")
    press(view, "Grade", until="Not solved yet")

    assert view.locator(".ik-panel .ik-status.ik-bad").first.inner_text().startswith("✕ ")
    assert view.get_by_role("button", name="Start anew").count() == 1
    assert hard_to_read(view) == ([], False)
