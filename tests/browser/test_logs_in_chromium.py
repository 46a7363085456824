"""A log as a person meets it: in JupyterLab, in Chromium, a seeded day of a server on disk."""

from __future__ import annotations

import re
import time

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]

DAY = """import tempfile
from pathlib import Path

import indimail_kit as kit

root = Path(tempfile.mkdtemp(dir=Path.cwd()))
places = kit.lab.make_logs(300, seed=1).write(root)"""

HOSTILE = """
stamp = b"@400000004b9d888d06072d6e "
reports = [b"<img_src=x_onerror=alert(1)>_\\x1b[2J_$x^2$/", b"\\xe2\\x80\\xae" + b"a" * 9000]
reports.append(b"\\x9b31m_<script>alert(1)</script>")
lines = [b"<script>alert(1)</script> \\x1b]8;;x\\x07 is no line of qmail", b"x" * 70_000, b"\\xff\\xfe\\x00"]
lines += [b"new msg 7 queue1", b"info msg 7: bytes 9 from <<b>x</b>@example.com> qp 1 uid 2 queue1"]
for number, report in enumerate(reports, 1):
    lines.append(b"starting delivery 1.%d: msg 7 to remote <i>%d</i>@example.org queue1" % (number, number))
    lines.append(b"delivery 1.%d: %b: %b queue1" % (number, (b"deferral", b"failure")[number % 2], report))
place = root / "<b>hostile"
place.write_bytes(b"".join(stamp + line + b"\\n" for line in lines))"""
"""A log that is hostile wherever somebody else's words stand."""

LIVE = """
(Path.cwd() / "live").mkdir()
(Path.cwd() / "live" / "current").write_bytes(b"new msg 7 queue1\\n")"""

CELLS = {
    "log": (DAY, "view = kit.widgets.LogExplorer(places['send'])\nview"),
    "live": (DAY + LIVE, "view = kit.widgets.LiveLogExplorer(Path.cwd() / 'live', every_s=0.2)\nview"),
    "empty": (DAY, "view = kit.widgets.LogExplorer()\nview"),
    "hostile-log": (DAY + HOSTILE, "view = kit.widgets.LogExplorer(place, view='reasons', opened='r0')\nview"),
}
"""Notebook -> its cells; one view each, since JupyterLab draws only what is on the screen."""

SIZES = [
    pytest.param({"height": 2200}, id="light"),
    pytest.param({"height": 2200, "is_dark": True}, id="dark"),
    pytest.param({"width": 360, "height": 4200}, id="360 px"),
]


@pytest.fixture(scope="module")
def explorer(open_view, in_thread):
    """Give the explorer's notebook and view."""
    return in_thread(open_view, "log", height=1500, permissions=["clipboard-read", "clipboard-write"])


@pytest.fixture
def log(explorer, in_thread):
    """Give the view, all filters dropped, nothing opened, messages shown."""

    def fresh():
        view = explorer[1]
        view.get_by_role("button", name=re.compile("^messages")).click()
        view.get_by_role("columnheader", name="sender").wait_for()
        if view.locator(".ik-log-clear").is_visible():
            view.locator(".ik-log-clear").click()
            view.locator(".ik-log-clear").wait_for(state="hidden")
        if view.locator(".ik-log-panel").count():
            view.locator(".ik-log-row").first.focus()
            view.page.keyboard.press("Escape")
            view.locator(".ik-log-panel").wait_for(state="detached")
        return view

    return in_thread(fresh)


def said(view) -> str:
    """Return what the live region says."""
    return view.locator(".ik-log-explorer > .ik-status").inner_text()


def messages(view) -> int:
    """Return how many messages the filters leave."""
    text = view.get_by_role("button", name=re.compile("^messages")).inner_text()
    return int(text.split()[-1].replace(",", ""))


def test_a_row_opens_to_its_raw_lines_by_keyboard(log):
    """Arrows move from row to row, Enter opens its lines with file and octet, Esc closes and the focus stays."""
    log.locator(".ik-log-row").first.focus()
    log.page.keyboard.press("ArrowDown")
    label = log.page.evaluate("document.activeElement.getAttribute('aria-label')")
    number = label.split(", ")[1]
    log.page.keyboard.press("Enter")
    log.locator(".ik-log-panel").wait_for()
    raw = log.locator(".ik-log-raw").all_inner_texts()
    places = log.locator(".ik-log-place").all_inner_texts()
    log.page.keyboard.press("Escape")
    log.locator(".ik-log-panel").wait_for(state="detached")

    assert all(line.startswith("@40000000") for line in raw)
    assert (f"new msg {number} " in raw[0], f"end msg {number} " in raw[-1]) == (True, True)
    assert all(re.fullmatch(r"/.*/deliver\.25/current · octet [\d,]+ · \w+", place) for place in places)
    assert log.page.evaluate("document.activeElement.getAttribute('aria-label')") == label


def test_the_brush_is_moved_by_keyboard(log):
    """Its edges are sliders: arrows move them, the tables follow, Esc drops it."""
    everything = messages(log)
    first = log.get_by_role("slider", name="From")
    first.focus()
    for _ in range(4):
        log.page.keyboard.press("PageUp")
    log.locator(".ik-log-chosen").wait_for()
    value, some = first.get_attribute("aria-valuetext"), messages(log)
    log.page.keyboard.press("Escape")
    log.locator(".ik-log-chosen").wait_for(state="detached")

    assert (value.endswith(" UTC"), 0 < some < everything, messages(log)) == (True, True, everything)


def test_the_brush_is_drawn_with_the_mouse(log):
    """A drag over the bars chooses a time; every row on the page overlaps it."""
    box = log.locator(".ik-log-bars").bounding_box()
    middle = box["y"] + box["height"] / 2
    log.page.mouse.move(box["x"] + box["width"] * 0.40, middle)
    log.page.mouse.down()
    log.page.mouse.move(box["x"] + box["width"] * 0.50, middle, steps=5)
    log.page.mouse.up()
    log.locator(".ik-log-chosen").wait_for()
    first, last = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", log.locator(".ik-log-chosen").inner_text())
    log.get_by_role("button", name=re.compile("^deliveries")).click()
    log.get_by_role("columnheader", name="recipient").wait_for()
    starts = log.locator("td.ik-log-c-moment .ik-log-value").all_inner_texts()

    assert ("2010-03-15 09:00:00" < first < last < "2010-03-15 13:00:00", len(starts) > 5) == (True, True)
    assert all(start < last for start in starts)


def test_a_reason_filters_the_other_tables(log):
    """The button of a reason leaves its deliveries, and their messages; dropping it brings all back."""
    everything = messages(log)
    log.get_by_role("button", name=re.compile("^reasons")).click()
    log.get_by_role("columnheader", name="share").wait_for()
    row = log.locator(".ik-log-row").first
    count = row.locator("td.ik-log-c-count .ik-log-value").first.inner_text()
    row.focus()
    log.page.keyboard.press("ArrowRight")
    log.page.keyboard.press("Enter")
    log.get_by_role("columnheader", name="recipient").wait_for()
    where = log.locator(".ik-queue-pager .ik-numbers").inner_text()
    outcomes = set(log.locator(".ik-log-row .ik-chip").all_inner_texts())
    some = messages(log)
    log.locator(".ik-log-chosen").click()
    log.locator(".ik-log-chosen").wait_for(state="detached")

    assert (f" of {count} " in where, len(outcomes), 0 < some < everything) == (True, 1, True)
    assert messages(log) == everything


def test_an_address_is_typed(log):
    """Part of an address leaves what has it; the button clears."""
    log.get_by_placeholder("part of sender or recipient").press_sequentially("grey.example.org")
    log.locator(".ik-status", has_text=" fit.").wait_for()
    log.get_by_role("button", name=re.compile("^deliveries")).click()
    log.get_by_role("columnheader", name="recipient").wait_for()
    addresses = log.locator("td.ik-log-c-address .ik-log-value").all_inner_texts()

    assert addresses
    assert all(address.endswith("@grey.example.org") for address in addresses)


def test_keys_turn_the_page(log):
    """PgDn on a row shows the next page, with the focus on a row of it."""
    log.locator(".ik-log-row").first.focus()
    log.page.keyboard.press("PageDown")
    log.locator(".ik-numbers", has_text="page 2 of").wait_for()

    assert log.page.evaluate("document.activeElement.className").startswith("ik-log-row")


def test_no_saved_notebook_has_a_line_of_it(log, jupyter, saved_text):
    """The rows and raw lines come as messages: saved with the widgets' state, the notebook has them in no state."""
    log.locator(".ik-log-row").first.click()
    log.locator(".ik-log-panel").wait_for()
    raw = log.locator(".ik-log-raw").first.inner_text()
    saved = saved_text(log.page, jupyter.root / "log.ipynb")

    assert (raw.startswith("@4"), raw.split()[0] in saved) == (True, False)


@pytest.mark.parametrize("options", SIZES)
def test_the_log_can_be_read_everywhere(options, open_view, hard_to_read, picture_folder):
    """Nothing leaves the view's width, and every text has a contrast of at least 4.5 to its ground."""
    opened, view = open_view("log", **options)
    view.get_by_role("slider", name="From").focus()
    for _ in range(4):
        view.page.keyboard.press("PageUp")
    view.locator(".ik-log-chosen").wait_for()
    unreadable = []
    for name, heading in (("deliveries", "recipient"), ("reasons", "share"), ("messages", "sender")):
        view.get_by_role("button", name=re.compile(f"^{name}")).click()
        view.get_by_role("columnheader", name=heading).wait_for(state="attached")
        view.locator(".ik-log-row td").nth(9).click()
        view.locator(".ik-log-panel").wait_for()
        view.page.mouse.move(2, 2)
        time.sleep(0.3)
        view.screenshot(path=picture_folder / f"log-{name}-{'-'.join(map(str, options.values()))}.png")
        unreadable.append(hard_to_read(view))

    assert (unreadable, opened.console_errors, opened.outside) == ([([], False)] * 3, [], [])


@pytest.mark.parametrize("options", SIZES)
def test_a_hostile_log_can_be_read_and_does_nothing(options, open_view, hard_to_read, picture_folder):
    """Markup, control characters, 8-bit and endless lines: seen, cut and counted, never run."""
    opened, view = open_view("hostile-log", **options)
    view.locator(".ik-log-panel").wait_for()
    text = view.inner_text()
    first = hard_to_read(view)
    view.get_by_role("button", name=re.compile("^unknown lines \\d")).click()
    view.get_by_role("columnheader", name="offset").wait_for(state="attached")
    view.locator(".ik-log-row td.ik-log-c-text").nth(1).click()
    view.locator(".ik-log-note").wait_for()
    view.page.mouse.move(2, 2)
    view.screenshot(path=picture_folder / f"log-hostile-{'-'.join(map(str, options.values()))}.png")

    assert "<img src=x onerror=alert(" in text
    assert "70,026 octets; the first 2,000 characters are shown" in view.inner_text()
    assert (view.locator("img, script").count(), opened.dialogs, opened.outside) == (0, [], [])
    assert (first, hard_to_read(view)) == (([], False), ([], False))


def test_files_are_dropped(open_view, jupyter, saved_text, tmp_path):
    """A log that is chosen goes to the kernel in pieces, is read and shown; nothing of it is in a saved notebook."""
    path = tmp_path / "current"
    line = b"@400000004b9d888d06072d6e info msg 9: bytes 5 from <canary-%d@example.com> qp 1 uid 2 queue1\n"
    path.write_bytes(b"".join(line % number for number in range(30_000)))
    assert path.stat().st_size > 2 * 2**20
    opened, view = open_view("empty")
    view.locator("input[type=file]").set_input_files(path)
    view.get_by_role("columnheader", name="sender").wait_for()
    view.locator(".ik-log-row").first.click()
    view.locator(".ik-log-panel").wait_for()
    raw = view.locator(".ik-log-raw").first.inner_text()
    saved = saved_text(opened.page, jupyter.root / "empty.ipynb")

    assert "30,000 lines" in view.locator(".ik-place").first.inner_text()
    assert ("canary" in raw, "canary" in saved, view.locator(".ik-command:visible").count()) == (True, False, 0)
    assert (opened.console_errors, opened.outside) == ([], [])


def test_a_log_that_grows_grows_on_the_page(open_view, jupyter):
    """New lines come by themselves; the opened row stays open with its new lines, and the focus where it was."""
    opened, view = open_view("live")
    view.locator(".ik-log-row").first.focus()
    view.page.keyboard.press("Enter")
    view.locator(".ik-log-panel").wait_for()
    label = view.page.evaluate("document.activeElement.className")
    with (jupyter.root / "live" / "current").open("ab") as file:
        file.write(b"end msg 7 qmail-send: queue1\nnew msg 8 queue1\n")
    view.get_by_role("button", name="messages 2").wait_for()
    view.locator(".ik-log-raw", has_text="end msg 7").wait_for()

    assert view.locator(".ik-log-raw").all_inner_texts() == ["new msg 7 queue1", "end msg 7 qmail-send: queue1"]
    assert view.page.evaluate("document.activeElement.className") == label
    assert (opened.console_errors, opened.outside) == ([], [])


@pytest.mark.parametrize("options", SIZES)
@pytest.mark.parametrize("chart", ["DelayChart", "ConcurrencyChart", "ReasonChart"])
def test_a_chart_can_be_read_everywhere(chart, options, write_notebook, open_notebook, hard_to_read, picture_folder):
    """One picture of the four is shown, it has words and fits; the numbers unfold."""
    name = write_notebook(chart, DAY, f"kit.widgets.{chart}(kit.logs.read(places['send']))")
    opened = open_notebook(name, **options)
    view = opened.page.locator(".ik-log-chart").first
    view.wait_for()
    view.scroll_into_view_if_needed()
    view.locator("summary").click()
    picture = view.locator("img:visible")
    width = picture.evaluate("node => node.decode().then(() => node.naturalWidth)")
    view.screenshot(path=picture_folder / f"{chart}-{'-'.join(map(str, options.values()))}.png")

    assert (picture.count(), width > 100, len(picture.get_attribute("alt")) > 40) == (1, True, True)
    assert (hard_to_read(view), opened.console_errors, opened.outside) == (([], False), [], [])
