"""One message as a person follows it: in JupyterLab, in Chromium, by keyboard; a seeded day of a server on disk."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]

DAY = """import tempfile
from pathlib import Path

import indimail_kit as kit

root = Path(tempfile.mkdtemp(dir=Path.cwd()))
places = kit.lab.make_logs(150, seed=1).write(root)
number = int(kit.logs.read(places['send']).messages.message_number.mode()[0])"""

HOSTILE = """import indimail_kit as kit

bad = "<script>alert(1)</script>\\x1b[2J\\u202e" + "a" * 900
evidence = [
    kit.trace.Evidence(
        source=source, unix_ns=place * 10**17, text=bad, file="", line_number=0, confidence=sure, reason=bad
    )
    for place, (source, sure) in enumerate(zip(("session", "scan", "queue"), kit.trace.CONFIDENCES))
]
message = kit.trace.TracedMessage(queue=bad, message_number=7, qp=1, sender=bad, recipients=(bad, bad))
gaps = ("delivery: " + bad,)
trace = kit.trace.Trace(
    question=bad, message=message, confidence="possible", reason=bad, evidence=tuple(evidence), gaps=gaps
)
view = kit.widgets.TraceView(asked=bad)
view.trace = trace
view.chosen, view.opened = 0, "e1"
view"""
"""A story in which every text is hostile."""

CELLS = {
    "trace": (DAY, "view = kit.widgets.TraceView(logs=places.values())\nview"),
    "hostile-trace": (HOSTILE,),
}

SIZES = [
    pytest.param({"width": 640, "height": 2600, "is_dark": True}, id="dark, as at 200 %"),
    pytest.param({"width": 360, "height": 4200}, id="360 px"),
]


@pytest.fixture(scope="module")
def tracer(open_view, in_thread):
    """Give the notebook and view of the day."""
    return in_thread(open_view, "trace", height=1500, permissions=["clipboard-read", "clipboard-write"])


def ask(view, text, said):
    """Type a question, and wait for what is said."""
    field = view.get_by_label("ask for")
    field.fill(text)
    field.press("Enter")
    view.locator(".ik-status", has_text=re.compile(said)).wait_for()


def focused(view) -> str:
    """Return the label of what has the focus."""
    return view.page.evaluate("document.activeElement.getAttribute('aria-label')")


def used_again(view) -> str:
    """Return a number that several messages had: all numbers of such a day are few."""
    for number in ("662188", "664188", "666188"):
        ask(view, "somebody", "is no question")  # so that what is said next is said of the number
        ask(view, number, "fit|evidence|No answer(?!.*is no question)")
        if "messages fit" in view.locator(".ik-status").inner_text():
            return number
    raise AssertionError("no number was used twice")


def test_a_message_is_found_and_opened_by_keyboard(tracer):
    """Enter asks, arrows move, Enter chooses and opens; Esc closes the octets, then the story; the focus stays."""
    opened, view = tracer
    number = used_again(view)
    view.locator(".ik-trace-row").first.focus()
    view.page.keyboard.press("ArrowDown")
    label = focused(view)
    view.page.keyboard.press("Enter")
    view.get_by_role("button", name=re.compile("^‹ all")).wait_for()
    view.page.keyboard.press("ArrowDown")
    row = focused(view)
    view.page.keyboard.press("Enter")
    view.locator(".ik-panel").wait_for()
    raw, place = view.locator(".ik-log-raw").inner_text(), view.locator(".ik-log-place").inner_text()
    view.page.keyboard.press("Escape")
    view.locator(".ik-panel").wait_for(state="detached")
    same = focused(view)
    view.page.keyboard.press("Escape")
    view.get_by_role("columnheader", name="recipient").wait_for()

    assert (number in label, "certain" in row, same == row) == (True, True, True)
    assert (raw.startswith("@4000"), bool(re.search(r" · line [\d,]+ · octet [\d,]+ · ", place))) == (True, True)
    assert view.page.evaluate("document.activeElement.className").startswith("ik-trace-row")
    assert (opened.console_errors, opened.outside) == ([], [])


def test_the_command_is_copied_and_a_question_that_is_none_is_said(tracer):
    """The clipboard has what a terminal takes; a wrong question is a sentence, and the field keeps it."""
    _opened, view = tracer
    number = used_again(view)
    view.locator(".ik-command:visible > .ik-copy").click()
    view.get_by_text("copied ✓").wait_for()
    copied = view.page.evaluate("navigator.clipboard.readText()")
    ask(view, "somebody", "No answer: .somebody. is no question")

    assert re.fullmatch(rf"indimail-kit trace {number}( --log /\S+)+", copied)
    assert view.get_by_label("ask for").input_value() == "somebody"
    assert view.locator(".ik-trace-row, .ik-trace-verdict:visible").count() == 0


def test_no_saved_notebook_has_a_line_of_it(tracer, jupyter, saved_text):
    """Rows and octets come as messages: saved with the widgets' state, the notebook has them in no state."""
    _opened, view = tracer
    used_again(view)
    view.locator(".ik-trace-row").first.click()
    view.get_by_role("button", name=re.compile("^‹ all")).wait_for()
    view.locator(".ik-trace-row").first.click()
    raw = view.locator(".ik-log-raw").inner_text()
    saved = saved_text(view.page, jupyter.root / "trace.ipynb")

    assert (raw.startswith("@4"), raw.split()[0] in saved) == (True, False)


@pytest.mark.parametrize("options", SIZES)
def test_a_hostile_story_can_be_read_and_does_nothing(options, open_view, hard_to_read, picture_folder):
    """Markup and control characters in every place: seen, never run; nothing leaves the width or fades."""
    opened, view = open_view("hostile-trace", **options)
    view.locator(".ik-trace-inside .ik-panel").wait_for()
    view.page.mouse.move(2, 2)
    view.screenshot(path=picture_folder / f"trace-{'-'.join(map(str, options.values()))}.png")
    text = view.inner_text()

    assert ("<script>alert(1)</script>" in text, "\\x1b[2J<U+202E>" in text) == (True, True)
    assert (view.locator("img, script").count(), opened.dialogs, opened.outside) == (0, [], [])
    assert (hard_to_read(view), opened.console_errors) == (([], False), [])
