"""The queue's tables and its shape as a person meets them: in JupyterLab, in Chromium, on demo queues on disk."""

from __future__ import annotations

import time

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]

QUEUES = """import tempfile
from pathlib import Path

import indimail_kit as kit
from indimail_kit.lab.corpus import make_queue

base = Path(tempfile.mkdtemp(dir=Path.cwd())) / "queue"
faults = ["inode-differs", "unknown-record", "cut-record", "wrong-mode", "todo-without-mess", "unknown-file"]
make_queue(base / "queue1", messages=80, seed=1, faults=faults)
make_queue(base / "queue2", messages=40, seed=2)
make_queue(base / "slowq", messages=0)"""

HOSTILE = """
layout = make_queue(base / "queue3", messages=0).layout
mess = layout.directory / "pid" / "1"
mess.write_bytes(b"Subject: <img src=x onerror=alert(1)>\\x1b[2J\\n\\nx\\n")
number = mess.stat().st_ino
layout.path("mess", number).parent.mkdir(exist_ok=True)
mess.rename(layout.path("mess", number))
layout.path("info", number).write_bytes(b"F<script>alert(1)</script>@example.com\\0Xwhat\\0eX-One: 1\\nX-Two: 2\\n\\0")
many = b"".join(b"Tuser%d@example.com\\0" % count for count in range(9_000))
local = b"T\\x1b]8;;x\\x07\\xe2\\x80\\xae@example.com\\0Dm\\xc3\\xbcller@example.com\\0T\\xff\\xfe\\x00"
layout.path("local", number).write_bytes(local + b"T" + b"a" * 3000 + b"\\0" + many)
layout.path("remote", number).write_bytes(b"Tbob@example.net\\0Tcut@exam")
layout.path("bounce", number).write_bytes(b"<b>bob@example.net</b>:\\n\\x9b31mno\\n")"""
"""A message that is hostile in every file."""

CELLS = {
    "hostile": (
        QUEUES + HOSTILE,
        "browser = kit.widgets.QueueBrowser(base, queue='queue3', opened=f'queue3/{number}')\nbrowser",
    ),
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
def browser(open_view, in_thread):
    """Give the browser's notebook and view."""
    return in_thread(open_view, "queue", height=1400, permissions=["clipboard-read", "clipboard-write"])


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


def test_a_filter_is_typed_and_dropped(tables):
    """Part of an address leaves its messages; the button beside brings all of them back."""
    tables.get_by_placeholder("part of sender or recipient").press_sequentially("host7")
    tables.locator(".ik-status", has_text=" fit; ").wait_for()
    senders = tables.locator("td.ik-queue-c-address .ik-queue-value").all_inner_texts()
    tables.locator(".ik-queue-clear").click()
    tables.locator(".ik-queue-clear").wait_for(state="hidden")

    assert senders
    assert all("host7" in sender for sender in senders)
    assert tables.locator(".ik-queue-row").count() == 25


def test_a_badge_explains_itself_by_keyboard(tables):
    """The arrow goes from the row to its badge, Enter tells the reason, Esc takes it away and stays there."""
    tables.get_by_label("only with anomalies").check()
    row = tables.locator(".ik-queue-row", has=tables.page.locator("button", has_text="inode-differs"))
    row.focus()
    tables.page.keyboard.press("ArrowRight")
    tables.page.keyboard.press("Enter")
    reason = tables.locator(".ik-queue-because")
    reason.wait_for()
    said = reason.inner_text()
    tables.page.keyboard.press("Escape")
    reason.wait_for(state="detached")

    assert ("differs from its name" in said, "qmail knows a message by the inode number" in said) == (True, True)
    assert "inode-differs" in tables.page.evaluate("document.activeElement.textContent")


def test_keys_turn_the_page_and_the_focus_goes_along(tables):
    """PgDn on a row shows the next page, with the focus on a row of it."""
    tables.locator(".ik-queue-row").first.focus()
    first = focused(tables)
    tables.page.keyboard.press("PageDown")
    tables.locator(".ik-numbers", has_text="page 2 of").wait_for()
    second = focused(tables)
    tables.page.keyboard.press("PageUp")
    tables.locator(".ik-numbers", has_text="page 1 of").wait_for()

    assert (second.startswith("queue"), first != second) == (True, True)


def test_a_refresh_keeps_the_opened_message(tables):
    """A new picture is taken beside; the message stays open, and the picture says that it is new."""
    tables.locator(".ik-queue-row").nth(2).click()
    heading = tables.locator(".ik-queue-panel [role=heading]").first
    heading.wait_for()
    before, taken = heading.inner_text(), tables.locator(".ik-queue-taken").inner_text().partition(",")[0]
    time.sleep(1.1)
    tables.get_by_role("button", name="refresh").click()
    tables.page.wait_for_function(
        "taken => !document.querySelector('.ik-queue-taken').textContent.startsWith(taken)", arg=taken
    )

    assert (heading.inner_text(), tables.locator(".ik-queue-row.ik-queue-open").count()) == (before, 1)


def test_the_command_is_copied(tables):
    """One press, and the command that shows the same message is in the clipboard."""
    tables.locator(".ik-queue-row").first.click()
    panel = tables.locator(".ik-queue-panel")
    panel.get_by_role("button", name="copy").click()
    panel.get_by_role("button", name="copied").wait_for()
    copied = tables.page.evaluate("navigator.clipboard.readText()")

    assert copied.startswith("indimail-kit queue show ")
    assert copied == panel.locator(".ik-command code").inner_text()


def test_the_mail_is_in_no_saved_notebook(tables, jupyter, saved_text):
    """Its header is shown on wish; saved with the widgets' state, the notebook has not a word of it."""
    tables.locator(".ik-queue-row").first.click()
    tables.get_by_role("button", name="show the mail's header").click()
    tables.locator(".ik-queue-mail pre", has_text="Subject: message").wait_for()
    saved = saved_text(tables.page, jupyter.root / "queue.ipynb")

    assert ("Its files" in saved, "Subject: message" in saved) == (True, False)


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


@pytest.mark.parametrize("options", SIZES)
def test_a_hostile_message_can_be_read_and_does_nothing(options, open_view, hard_to_read, picture_folder):
    """Markup, control characters, 8-bit, unknown and cut records, thousands of them: seen, named, counted."""
    opened, view = open_view("hostile", **options)
    view.locator(".ik-queue-panel").wait_for()
    view.get_by_role("button", name="show the mail's header").click()
    text = view.locator(".ik-queue-panel").inner_text()
    view.page.mouse.move(2, 2)
    view.screenshot(path=picture_folder / f"hostile-{'-'.join(map(str, options.values()))}.png")

    said = (
        "<script>alert(1)</script>@example.com",
        "letter X",
        "in UTF-8: müller@example.com",
        "more records are not shown",
    )
    assert [one for one in (*said, "Only its first 65,536", "its NUL is missing") if one not in text] == []
    assert (view.locator("img, script").count(), opened.dialogs, opened.outside) == (0, [], [])
    assert hard_to_read(view) == ([], False)


@pytest.mark.parametrize("options", SIZES)
def test_the_queues_can_be_read_everywhere(options, open_view, hard_to_read, picture_folder):
    """Every queue in numbers, and below it what belongs to no message; a row opens to its messages."""
    opened, view = open_view("queue", **options)
    view.get_by_role("button", name="queues").click()
    view.locator(".ik-queue-anomaly", has_text="unknown-file").locator("summary").click()
    view.page.mouse.move(2, 2)
    view.screenshot(path=picture_folder / f"queues-{'-'.join(map(str, options.values()))}.png")
    readable = hard_to_read(view)
    view.locator(".ik-queue-row", has_text="queue2").click()
    view.get_by_role("columnheader", name="sender").wait_for(state="attached")

    assert (readable, opened.console_errors, opened.outside) == (([], False), [], [])
    assert set(view.locator("td.ik-queue-c-queue .ik-queue-value").all_inner_texts()) == {"queue2"}


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
