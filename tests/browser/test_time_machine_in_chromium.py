"""QueueTimeMachine as a person meets it: in JupyterLab, in Chromium, on tapes of real code on a real disk."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]

CELLS = (
    "import indimail_kit as kit\nfrom indimail_kit.lab.tapes import record_lesson_tapes",
    "machine = kit.widgets.QueueTimeMachine(record_lesson_tapes())\nmachine",
)

SIZES = [
    pytest.param({"height": 2600}, id="light"),
    pytest.param({"height": 2600, "is_dark": True}, id="dark"),
    pytest.param({"width": 360, "height": 5600}, id="360 px"),
]

COMES_IN, COMES_BACK = "a mail comes in", "a mail comes back"


@pytest.fixture(scope="module")
def open_machine(open_notebook, write_notebook):
    """Give a function that opens the notebook and returns it with the view."""
    name = write_notebook("time-machine", *CELLS)

    def open_it(**options):
        opened = open_notebook(name, **options)
        view = opened.page.locator(".ik-journey:not(.ik-static)").first
        view.locator(".ik-tape-notch").first.wait_for()
        view.scroll_into_view_if_needed()
        return opened, view

    return open_it


@pytest.fixture(scope="module")
def notebook(open_machine, in_thread):
    """Give the notebook and the view."""
    return in_thread(open_machine)


@pytest.fixture
def machine(notebook, in_thread):
    """Give the view as it is at first: before the first step, nothing crashed, safe, the program is killed."""

    def fresh():
        view = notebook[1]
        view.page.keyboard.press("Escape")
        set_up(view, sync="files + directories", model="the program is killed")
        press(view, "Home", at=0)
        return view

    return in_thread(fresh)


def set_up(view, *, sync: str, model: str, title: str = COMES_IN) -> None:
    """Set the switches by clicks."""
    if view.get_by_role("button", name="undo the crash").count():
        view.get_by_role("button", name="undo the crash").click()
        view.get_by_role("button", name="crash here").wait_for()
    view.get_by_label("tape", exact=True).select_option(title)
    for name in (sync, model):
        button = view.get_by_role("button", name=name)
        button.click()
        view.locator("button[aria-pressed=true]").filter(has_text=name).wait_for()


def slider(view):
    """Return the slider."""
    return view.get_by_role("slider")


def press(view, *keys: str, at: int) -> None:
    """Press keys on the slider and wait until it is at a step and the sentence says so."""
    slider(view).focus()
    for key in keys:
        view.page.keyboard.press(key)
    view.locator(".ik-status").get_by_text(re.compile(rf"\b[Ss]tep {at} of ")).wait_for()


def lit(view) -> str:
    """Return the state whose lamp is lit."""
    return view.locator(".ik-tape-lit strong").inner_text()


def files_in(view, kind: str) -> list[str]:
    """Return the names in a drawer."""
    drawer = view.locator(".ik-tape-drawer").filter(has=view.page.get_by_text(kind, exact=True))
    return drawer.locator(".ik-tape-file:not(.ik-tape-ghost) .ik-tape-path").all_inner_texts()


def test_the_slider_moves_by_keyboard(machine):
    """Arrows, Page Down, End and Home: files appear, states light up, and a screen reader hears the step."""
    press(machine, "ArrowRight", "ArrowRight", at=2)
    seen = [(len(files_in(machine, "pid")), lit(machine))]
    press(machine, "PageUp", at=7)
    seen.append((len(files_in(machine, "intd")), lit(machine)))
    press(machine, "End", "ArrowLeft", at=14)
    seen.append((len(files_in(machine, "todo")), lit(machine)))
    heard = slider(machine).get_attribute("aria-valuetext")
    press(machine, "Home", at=0)

    assert (seen, heard[:35]) == ([(1, "S1"), (1, "S3"), (1, "S4")], "step 14 of 15, trigger lock/trigger")
    assert (lit(machine), machine.locator(".ik-tape-drawers .ik-tape-file").count()) == ("S1", 0)


def test_the_buttons_and_the_steps_move_too(machine):
    """One on, one back, and a click on a step."""
    machine.get_by_role("button", name="one step on").click()
    machine.locator(".ik-status").get_by_text("Step 1 of 15").wait_for()
    machine.locator(".ik-tape-notch").nth(9).click()
    machine.locator(".ik-status").get_by_text("Step 9 of 15").wait_for()
    machine.get_by_role("button", name="one step back").click()
    machine.locator(".ik-status").get_by_text("Step 8 of 15").wait_for()

    assert machine.locator(".ik-tape-count").inner_text() == "8 of 15"


def test_a_crash_is_shown_and_undone_by_keyboard(machine):
    """Enter on "crash here": what is left and who does what; it follows the slider; Esc takes it back."""
    press(machine, *["ArrowRight"] * 11, at=11)
    machine.get_by_role("button", name="crash here").focus()
    machine.page.keyboard.press("Enter")
    machine.locator(".ik-tape-crashed").get_by_text("qmail-clean removes it").wait_for()
    said = [machine.locator(".ik-status").inner_text()]
    press(machine, "ArrowRight", at=12)
    machine.locator(".ik-tape-crashed").get_by_text("todo-proc finds").wait_for()
    said.append(machine.locator(".ik-status").inner_text())
    machine.page.keyboard.press("Escape")
    machine.locator(".ik-tape-crashed").wait_for(state="detached")
    focused = machine.page.evaluate("document.activeElement.textContent")

    assert (": nothing ○. " in said[0], ": twice ② " in said[1].replace(".", " "), focused) == (
        True,
        True,
        "crash here",
    )


def test_a_disk_opens_to_its_raw_records(machine):
    """The possible disk is unfolded: the records of the envelope with their letters, the mail as it is."""
    press(machine, "End", at=15)
    machine.get_by_role("button", name="crash here").click()
    machine.locator(".ik-tape-outcomes summary").first.click()
    opened = machine.locator(".ik-tape-outcomes details[open]").first
    opened.get_by_text("envelope sender").first.wait_for()

    raw = opened.inner_text()
    assert [
        text for text in ("ann@example.com", "carol@example.net", "Subject: Lesson 1", "inode") if text not in raw
    ] == []


def test_each_possible_disk_can_be_put_into_the_drawers(machine):
    """The worst first; the buttons go on, and a number in the list below jumps to its disk."""
    set_up(machine, sync="none (IndiMail", model="power loss, any disk")
    press(machine, "End", at=11)
    machine.get_by_role("button", name="crash here").click()
    machine.get_by_text("disk 1 of ", exact=False).wait_for()
    seen = [(machine.locator(".ik-tape-verdict .ik-chip").inner_text(), lit(machine), files_in(machine, "todo"))]
    machine.get_by_role("button", name="the next disk").focus()
    machine.page.keyboard.press("Enter")
    machine.get_by_text("disk 2 of ", exact=False).wait_for()
    machine.locator("button.ik-tape-show").last.click()
    machine.locator(".ik-tape-verdict .ik-chip.ik-tape-kept").wait_for()
    seen.append(
        (machine.locator(".ik-tape-verdict .ik-chip").inner_text(), lit(machine), len(files_in(machine, "todo")))
    )

    assert seen == [("LOST ✕", "S3", []), ("kept ✓", "S4", 1)]


def test_switches_change_the_verdict(machine):
    """Behind the answer: kept with all synced; lost without, when the power fails; kept again when only killed."""
    press(machine, "End", at=15)
    machine.get_by_role("button", name="crash here").click()
    said = []
    for name, verdict in (
        ("power loss, any disk", "kept ✓"),
        ("none (IndiMail", "LOST ✕"),
        ("the program is killed", "kept ✓"),
        ("power loss, ordered", "LOST ✕"),
        ("files (qmail)", "LOST ✕"),
    ):
        machine.get_by_role("button", name=name).click()
        machine.locator(f".ik-tape-crashed .ik-heading .ik-chip:text-is('{verdict}')").wait_for()
        machine.locator("button[aria-pressed=true]").filter(has_text=name).wait_for()
        said.append(machine.locator(".ik-tape-notch").last.inner_text())
    machine.get_by_label("Every change of a directory").check()
    machine.locator(".ik-tape-crashed .ik-heading .ik-chip:text-is('kept ✓')").wait_for()
    machine.get_by_label("Every change of a directory").uncheck()

    assert said == ["✓", "✕", "✓", "✕", "✕"]


def test_a_file_opens_and_follows_the_slider(machine):
    """A click on a file in a drawer shows its octets at that step, the next step its next octets."""
    press(machine, *["ArrowRight"] * 7, at=7)
    machine.locator(".ik-tape-drawer").filter(has_text="intd").locator(".ik-tape-file").click()
    machine.locator(".ik-panel").get_by_text("It is empty").wait_for()
    press(machine, "ArrowRight", at=8)
    machine.locator(".ik-panel").get_by_text("bob@example.com").wait_for()
    machine.page.keyboard.press("Escape")

    machine.locator(".ik-panel").wait_for(state="detached")
    assert machine.locator(".ik-tape-file[aria-pressed=true]").count() == 0


def test_another_tape_is_chosen_by_its_title(machine, picture_folder):
    """A delivery: the channels fill, and the mail is in a mailbox."""
    machine.get_by_label("tape", exact=True).select_option(COMES_BACK)
    machine.locator(".ik-tape-wide").wait_for()
    press(machine, "End", at=machine.locator(".ik-tape-notch").count() - 1)
    machine.locator(".ik-tape-notch").nth(33).click()
    machine.locator(".ik-status").get_by_text("Step 33 of ").wait_for()
    machine.get_by_text("Beside it in the queue: message").wait_for()
    machine.screenshot(path=picture_folder / "machine-bounce.png")

    assert (lit(machine), files_in(machine, "mailboxes")[0][:19]) == ("S5", "bob@example.com/new")


def test_reduced_motion_is_kept(open_machine):
    """Who asks for no motion gets none: no file slides in, no bar grows."""
    _, view = open_machine(reduced_motion="reduce")
    press(view, *["ArrowRight"] * 4, at=4)
    motion = """node => [getComputedStyle(node).animationName,
      getComputedStyle(node.querySelector('.ik-tape-fill')).transitionDuration]"""

    assert view.locator("button.ik-tape-file.ik-tape-new").evaluate(motion) == ["none", "0s"]


@pytest.mark.parametrize("options", SIZES)
def test_the_machine_can_be_read_everywhere(options, open_machine, hard_to_read, picture_folder):
    """Nothing leaves the view's width, and every text has a contrast of at least 4.5 to its ground."""
    opened, view = open_machine(**options)
    name = "-".join(map(str, options.values()))
    press(view, *["ArrowRight"] * 12, at=12)
    view.locator(".ik-tape-file").first.click()
    view.locator(".ik-panel").wait_for()
    view.page.mouse.move(2, 2)
    view.screenshot(path=picture_folder / f"machine-{name}.png")
    calm = hard_to_read(view)
    view.page.keyboard.press("Escape")
    set_up(view, sync="none (IndiMail", model="power loss, any disk")
    press(view, "End", at=11)
    view.get_by_role("button", name="crash here").click()
    view.locator(".ik-tape-crashed").wait_for()
    view.locator(".ik-legend summary").first.click()
    for number in range(2):
        view.locator(".ik-tape-outcomes summary").nth(number).click()
    view.get_by_role("button", name="the next disk").click()
    view.get_by_text("disk 2 of ", exact=False).wait_for()
    view.page.mouse.move(2, 2)
    view.screenshot(path=picture_folder / f"crashed-{name}.png")

    assert (calm, hard_to_read(view), opened.console_errors, opened.outside) == (([], False), ([], False), [], [])
