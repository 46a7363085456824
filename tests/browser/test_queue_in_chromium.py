"""The queue's tables and its shape as a person meets them: in JupyterLab, in Chromium, on demo queues on disk."""

from __future__ import annotations

import time

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]

QUEUES = """import tempfile
from pathlib import Path

import indimail_kit as kit
from indimail_kit.lab.corpus import make_queue

base = Path(tempfile.mkdtemp()) / "queue"
faults = ["inode-differs", "unknown-record", "cut-record", "wrong-mode", "todo-without-mess", "unknown-file"]
make_queue(base / "queue1", messages=80, seed=1, faults=faults)
make_queue(base / "queue2", messages=40, seed=2)
make_queue(base / "slowq", messages=0)"""

CELLS = {
    "shape": (QUEUES, "shape = kit.widgets.QueueShape(base)\nshape"),
    "queue": (QUEUES, "browser = kit.widgets.QueueBrowser(base)\nbrowser"),
}
"""Notebook -> its cells; one view each, since JupyterLab draws only what is on the screen."""

SIZES = [
    pytest.param({"height": 2200}, id="light"),
    pytest.param({"height": 2200, "is_dark": True}, id="dark"),
    pytest.param({"width": 360, "height": 4200}, id="360 px"),
]


@pytest.fixture(scope="module")
def open_view(open_notebook, write_notebook):
    """Give a function that opens the notebook of a view and returns both."""
    names = {name: write_notebook(name, *cells) for name, cells in CELLS.items()}

    def open_it(name, **options):
        opened = open_notebook(names[name], **options)
        view = opened.page.locator(".ik-journey:not(.ik-static)").first
        view.wait_for()
        view.scroll_into_view_if_needed()
        return opened, view

    return open_it


@pytest.fixture(scope="module")
def browser(open_view, in_thread):
    """Give the browser's notebook and view."""
    return in_thread(open_view, "queue", height=1400)


@pytest.fixture
def tables(browser, in_thread):
    """Give the tables, all filters dropped, nothing opened, messages shown."""

    def fresh():
        view = browser[1]
        if view.locator(".ik-queue-clear").is_visible():
            view.locator(".ik-queue-clear").click()
            view.locator(".ik-queue-clear").wait_for(state="hidden")
        view.get_by_role("button", name="messages").click()
        view.get_by_role("columnheader", name="sender").wait_for()
        if view.locator(".ik-queue-panel").count():
            view.locator(".ik-queue-open").first.click()
            view.locator(".ik-queue-panel").wait_for(state="detached")
        return view

    return in_thread(fresh)


def focused(view) -> str:
    """Return what a screen reader says of the element with the focus."""
    return view.page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")


def test_a_message_opens_by_keyboard(tables):
    """Arrows move from row to row, Enter opens the message's seven files, Esc closes it and the focus stays."""
    tables.get_by_role("row").nth(1).focus()
    first = focused(tables)
    tables.page.keyboard.press("ArrowDown")
    second = focused(tables)
    tables.page.keyboard.press("Enter")
    panel = tables.locator(".ik-queue-panel")
    panel.wait_for()
    queue, number = second.split(", ")[:2]
    heading = panel.get_by_role("heading").first.inner_text()
    files = panel.locator(".ik-queue-files tbody tr").count()
    tables.page.keyboard.press("Escape")
    panel.wait_for(state="detached")

    assert (first != second, heading.startswith(f"{number} in {queue}"), files) == (True, True, 7)
    assert focused(tables) == second


@pytest.mark.parametrize("options", SIZES)
def test_the_tables_can_be_read_everywhere(options, open_view, hard_to_read, picture_folder):
    """Nothing leaves the view's width, and every text has a contrast of at least 4.5 to its ground."""
    opened, view = open_view("queue", **options)
    view.get_by_label("only with anomalies").check()
    view.locator("button.ik-queue-badge", has_text="inode-differs").wait_for()
    row = view.locator(".ik-queue-row", has=view.page.locator("button", has_text="unknown-record"))
    row.locator("td").nth(1).click()
    view.locator(".ik-queue-panel").wait_for()
    view.locator("button.ik-queue-badge", has_text="inode-differs").click()
    view.locator(".ik-queue-because").wait_for()
    view.get_by_role("button", name="show the mail's header").click()
    view.locator(".ik-queue-mail pre").wait_for()
    view.page.mouse.move(2, 2)
    time.sleep(0.3)
    view.screenshot(path=picture_folder / f"queue-{'-'.join(map(str, options.values()))}.png")

    assert (hard_to_read(view), opened.console_errors, opened.outside) == (([], False), [], [])


@pytest.fixture(scope="module")
def shape(open_view, in_thread):
    """Give the heat map's view."""
    return in_thread(open_view, "shape", height=1600)[1]


def test_a_cell_of_the_heat_map_filters(shape):
    """Arrows move through the grid, Enter opens a cell: as many rows as its number, Esc closes."""
    shape.get_by_role("gridcell").first.focus()
    shape.page.keyboard.press("ArrowDown")
    label = focused(shape)
    shape.page.keyboard.press("Enter")
    shape.locator(".ik-queue-browser").wait_for()
    shape.locator(".ik-queue-chosen").wait_for()
    total = int(label.rpartition(": ")[2].split()[0].replace(",", ""))
    where = shape.locator(".ik-queue-pager .ik-numbers").inner_text()
    shape.page.keyboard.press("Escape")
    shape.locator(".ik-queue-browser").wait_for(state="hidden")

    assert f" of {total:,} " in where


@pytest.mark.parametrize("options", SIZES)
def test_the_heat_map_can_be_read_everywhere(options, open_view, hard_to_read, picture_folder):
    """Nothing leaves the view's width, and every text has a contrast of at least 4.5 to its ground."""
    opened, view = open_view("shape", **options)
    view.get_by_role("gridcell").nth(11).click()
    view.locator(".ik-queue-chosen").wait_for()
    view.page.mouse.move(2, 2)
    time.sleep(0.3)
    view.screenshot(path=picture_folder / f"shape-{'-'.join(map(str, options.values()))}.png")

    assert (hard_to_read(view), opened.console_errors, opened.outside) == (([], False), [], [])
