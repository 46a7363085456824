"""Notebook 04 as a learner meets it: in JupyterLab, in Chromium; one page for all claims."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]


@pytest.fixture(scope="module")
def lesson(open_notebook):
    """Give the notebook, every cell run."""
    return open_notebook("notebooks/04_logs.ipynb")


@pytest.fixture(scope="module")
def explorer(lesson, in_thread):
    """Give section 4's explorer; JupyterLab draws it when it comes near the screen."""

    def find():
        view = lesson.page.locator(".ik-journey:not(.ik-static)").filter(has=lesson.page.locator(".ik-log-bars")).first
        view.scroll_into_view_if_needed()
        view.locator(".ik-log-row").first.wait_for()
        return view

    return in_thread(find)


def messages(view) -> int:
    """Return how many messages the filters leave."""
    text = view.get_by_role("button", name=re.compile("^messages")).inner_text()
    return int(text.split()[-1].replace(",", ""))


def test_every_cell_of_the_lesson_runs(lesson):
    """No cell fails, nothing is written to standard error."""
    outputs = [output for cell in lesson.cells() for output in cell["outputs"]]
    bad = [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]

    assert (bad, [cell["source"] for cell in lesson.cells() if not cell["count"]]) == ([], [])


def test_the_brush_over_some_hours_leaves_their_mail(explorer):
    """Section 4's task: pulled over some hours, the tables have what happened then, and fewer messages than before."""
    everything = messages(explorer)
    bars = explorer.locator(".ik-log-bars")
    box = bars.bounding_box()
    begin, end = ({"x": box["width"] * share, "y": box["height"] / 2} for share in (0.3, 0.4))
    bars.drag_to(bars, source_position=begin, target_position=end)
    explorer.locator(".ik-log-chosen").wait_for()
    first, last = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", explorer.locator(".ik-log-chosen").inner_text())
    begun = explorer.locator("td.ik-log-c-moment .ik-log-value").all_inner_texts()

    assert 0 < messages(explorer) < everything
    assert first < last
    assert begun
    assert all(time < last for time in begun)


def test_a_row_opens_to_its_raw_lines(lesson, explorer):
    """From a number in a table back to the octets: the lines of one message, each with file and octet."""
    row = explorer.locator(".ik-log-row").first
    number = row.locator("td.ik-log-c-number .ik-log-value").inner_text()
    row.focus()
    lesson.page.keyboard.press("Enter")
    explorer.locator(".ik-log-panel").wait_for()
    raw = explorer.locator(".ik-log-raw").all_inner_texts()

    assert raw
    assert all(re.match(r"@[0-9a-f]{24} ", line) for line in raw)
    assert f"new msg {number} " in raw[0]
    assert len(explorer.locator(".ik-log-place").all_inner_texts()) == len(raw)


def test_the_chart_is_drawn_with_its_words(lesson):
    """A picture that has been decoded, its words and its numbers."""
    chart = lesson.page.locator(".ik-log-chart").first
    chart.scroll_into_view_if_needed()
    picture = chart.locator("img:visible")

    assert picture.evaluate("node => node.decode().then(() => node.naturalWidth)") > 100
    assert "99 % by" in picture.get_attribute("alt")


def test_nothing_of_the_lesson_leaves_the_machine(lesson):
    """No errors of the page, no request off loopback, no dialog."""
    assert (lesson.console_errors, lesson.outside, lesson.dialogs) == ([], [], [])
