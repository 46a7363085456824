"""JourneyView as a person meets it: in JupyterLab, in Chromium, with the real lab and the real scanner."""

from __future__ import annotations

import base64
import hashlib
import time

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]

CANARY = "canary-4711"

LIVE = ".ik-journey:not(.ik-static)"
"""The widget; the notebook has the same classes in HTML without a kernel, too."""

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)>\x1b[31m\u202egnp'

WIDEST = """view => Math.max(...[...view.querySelectorAll('*')]
  .filter(node => !node.closest('pre') && node.getClientRects().length)
  .filter(node => getComputedStyle(node).position !== 'absolute')
  .map(node => node.getBoundingClientRect().right)) - view.getBoundingClientRect().right"""

CONTRASTS = """view => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = node => { for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (/^rgb\\(/.test(colour)) return channels(colour); } return [255, 255, 255]; };
  const texts = '.ik-title, .ik-summary, .ik-question, .ik-time, .ik-status, .ik-place, .ik-pre, dt, dd, td';
  return [...view.querySelectorAll(texts)]
    .filter(node => node.textContent.trim() && node.getClientRects().length)
    .map(node => { const [a, b] = [light(channels(getComputedStyle(node).color)), light(ground(node))];
      return [node.className || node.tagName, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]; });
}"""

WATCH = """() => { const rail = document.querySelector('.ik-rail'); const seen = window.ikSeen = {};
  const look = () => { const lit = rail.querySelectorAll('.ik-station:not(.ik-waiting)').length;
    if (lit > 0) seen.first ??= performance.now() - seen.start;
    if (!rail.querySelector('.ik-busy') && lit === 7) seen.last ??= performance.now() - seen.start; };
  const send = [...document.querySelectorAll('.ik-journey button')].find(b => b.textContent.trim() === 'Send');
  send.addEventListener('click', () => {
    seen.start = performance.now(); delete seen.first; delete seen.last;
    setTimeout(() => new MutationObserver(look).observe(rail, {subtree: true, childList: true, attributes: true}), 0);
  }, {capture: true, once: true}); }"""


RECORD = """() => { window.ikOrder = []; const rail = document.querySelector('.ik-rail');
  const look = () => window.ikOrder.push([...rail.querySelectorAll('.ik-station')]
    .map(station => station.classList.contains('ik-waiting') ? 0 : 1).join(''));
  new MutationObserver(look).observe(rail, {subtree: true, attributes: true}); }"""


def send(view, press=None) -> str:
    """Press Send, wait until this mail is in the table and the rail is still, and return the sentence."""
    newest = int((view.locator("button.ik-show").all_inner_texts() or ["0"])[-1])
    (press or view.get_by_role("button", name="Send", exact=True).click)()
    view.get_by_role("button", name=f"Show message {newest + 1} on the rail").wait_for()
    view.locator(".ik-bar:not(.ik-busy)").wait_for(state="attached")
    return view.locator(".ik-status").inner_text()


def fill(view, **fields: str) -> None:
    """Type into fields by their labels."""
    for label, text in fields.items():
        view.locator(".ik-form").get_by_label(label.rstrip("_"), exact=True).fill(text)


def reset(view) -> None:
    """Bring the form back to a clean mail and close the opened station."""
    fill(view, from_="ann@example.com", to="bob@example.com", subject="Lunch", text="At noon?")
    view.get_by_label("attach the test virus").uncheck()
    view.get_by_role("button", name="0 · mark it").click()
    view.get_by_label("use the demo password").check()
    view.locator(".ik-form").press("Escape")


@pytest.fixture
def view(start_here, in_thread):
    """Give the view in the first notebook, its form as new."""
    found = start_here.page.locator(LIVE)
    in_thread(reset, found)
    return found


def test_every_cell_runs(start_here):
    """A newcomer runs all cells and sees no error and nothing on standard error."""
    outputs = [output for cell in start_here.cells() for output in cell["outputs"]]
    bad = [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]

    assert (bad, [cell["source"] for cell in start_here.cells() if not cell["count"]]) == ([], [])


def test_a_virus_is_typed_sent_and_found(view):
    """Type recipient and text, tick the virus, click Send; read INFECTED, "Virus found", Quarantine."""
    fill(view, to="carol@example.com", subject="Invoice", text="Please see below.")
    view.get_by_label("attach the test virus").check()

    said = send(view)
    view.locator("button.ik-station").nth(3).click()

    view.locator(".ik-panel").get_by_text("X-QHPSI: Virus found").first.wait_for()
    shown = view.locator("button.ik-station").nth(3).inner_text()
    row = view.locator(".ik-table tbody tr").last.inner_text()
    assert (said.startswith("INFECTED ✕"), "INFECTED" in shown, "✕" in shown, "Quarantine" in row, "carol@" in row) == (
        True,
    ) * 5


def test_a_refused_virus_is_in_no_queue(view):
    """REJECTVIRUS=1: the client hears 554, the later stations are skipped, the table has no number."""
    view.get_by_label("attach the test virus").check()
    view.get_by_role("button", name="1 · refuse").click()

    said = send(view)

    skipped = view.locator("button.ik-station.ik-skipped").count()
    assert ("554 qq message contains virus (#5.7.1)" in said, skipped) == (True, 3)


def test_a_clean_mail_arrives(view):
    """The other end of the lesson: CLEAN ✓, in the Inbox."""
    said = send(view)

    assert (said.startswith("CLEAN ✓"), "folder Inbox of bob@example.com" in said) == (True, True)


def test_everything_works_by_keyboard(view):
    """Tab order is reading order; Space ticks, Enter sends and opens, arrows move, Esc closes and keeps the focus."""
    view.locator(".ik-form").get_by_label("from", exact=True).focus()
    visited = []
    for _ in range(14):
        visited.append(
            view.page.evaluate("document.activeElement.closest('[class*=ik-f-]')?.className.match(/ik-f-[a-z-]+/)[0]")
        )
        view.page.keyboard.press("Tab")
    view.get_by_label("attach the test virus").focus()
    view.page.keyboard.press("Space")
    view.get_by_role("button", name="Send", exact=True).focus()
    said = send(view, press=lambda: view.page.keyboard.press("Enter"))
    focus_stays = view.page.evaluate("document.activeElement.textContent")
    view.page.keyboard.press("Tab")
    for key in ("End", "ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter"):
        view.page.keyboard.press(key)
    view.locator(".ik-panel").get_by_text("SCAN — is it safe?").wait_for()
    opened = view.page.evaluate("document.activeElement.getAttribute('aria-expanded')")
    view.page.keyboard.press("Escape")
    view.locator(".ik-hint").wait_for()
    closed = view.page.evaluate("document.activeElement.getAttribute('aria-expanded')")

    order = list(dict.fromkeys(name for name in visited if name))
    expected = [
        "sender",
        "mechanism",
        "demo-password",
        "recipient",
        "subject",
        "body",
        "infected",
        "reject-virus",
        "send-button",
    ]
    assert order == [f"ik-f-{name}" for name in expected]
    assert (said[:10], focus_stays, opened, closed) == ("INFECTED ✕", "Send", "true", "false")


def test_keys_on_a_station_do_not_reach_the_notebook(view):
    """Two d delete a cell in JupyterLab, a adds one, m turns one into text; on a button of ours they do nothing."""
    cells = "() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.id + cell.model.type)"
    before = view.page.evaluate(cells)
    view.locator("button.ik-station").first.focus()
    for key in ("d", "d", "x", "a", "b", "m"):
        view.page.keyboard.press(key)

    assert view.page.evaluate(cells) == before


def test_the_first_station_lights_up_at_once(view):
    """The first station within 0.3 s of the click, the journey within 2 s; the best of three, for busy machines."""
    times = []
    for _ in range(3):
        view.page.evaluate(WATCH)
        send(view)
        times.append(view.page.evaluate("() => [window.ikSeen.first, window.ikSeen.last]"))
    print(f"first station, whole journey (ms): {times}")

    assert (min(first for first, _ in times) < 300, min(last for _, last in times) < 2000) == (True, True)


def test_stations_light_up_one_after_the_other(view):
    """The eye can follow: at no moment a later station is done while an earlier one waits."""
    view.page.evaluate(RECORD)

    send(view)

    pictures = view.page.evaluate("() => [...new Set(window.ikOrder)]")
    assert ([picture for picture in pictures if "01" in picture], len(pictures) >= 7) == ([], True)


def test_the_live_region_stays_and_speaks(view):
    """A screen reader hears the sentence: one lasting element with role status whose text changes."""
    view.page.evaluate("() => { window.ikStatus = document.querySelector('.ik-status'); }")

    send(view)

    same = view.page.evaluate(
        "() => window.ikStatus === document.querySelector('.ik-status') && window.ikStatus.isConnected"
    )
    assert (same, view.get_by_role("status").filter(has_text="All in").count()) == (True, 1)


def test_a_wrong_password_is_typed_and_refused(view):
    """The field opens on wish, its text is used once, the field is empty afterwards."""
    view.get_by_label("use the demo password").uncheck()
    field = view.locator(".ik-form").get_by_label("password", exact=True)
    field.fill("tanstaaftanstaaf")

    said = send(view)

    assert ("535 authorization failure (#5.7.8)" in said, field.input_value()) == (True, "")


@pytest.mark.parametrize("is_sent", [False, True], ids=["typed only", "typed and sent"])
def test_password_is_never_in_a_saved_notebook(is_sent, view, jupyter, saved_text):
    """A notebook saved with its widget state holds no form of a typed password, not even before it was sent."""
    view.get_by_label("use the demo password").uncheck()
    view.locator(".ik-form").get_by_label("password", exact=True).fill(CANARY)
    view.page.keyboard.press("Tab")
    (send if is_sent else str)(view)
    saved = saved_text(view.page, jupyter.root / "notebooks" / "00_start_here.ipynb")

    octets = CANARY.encode()
    forms = (
        CANARY,
        base64.b64encode(octets).decode(),
        octets.hex(),
        hashlib.md5(octets, usedforsecurity=False).hexdigest(),
    )
    assert ("JourneyView" in saved, [form for form in forms if form in saved]) == (True, [])


def test_a_row_of_the_table_shows_its_mail_again(view):
    """The number in the table brings an earlier mail back to the rail."""
    view.get_by_label("attach the test virus").check()
    send(view)
    number = view.locator("button.ik-show").last.inner_text()
    view.get_by_label("attach the test virus").uncheck()
    send(view)

    view.get_by_role("button", name=f"Show message {number} on the rail").click()

    view.locator(".ik-status").get_by_text("INFECTED ✕").wait_for()
    assert view.locator("button.ik-station.ik-infected").count() == 1


def test_a_command_is_copied(view):
    """One press on the button, and the command is in the clipboard."""
    send(view)
    view.locator("button.ik-station").nth(2).click()
    row = view.locator(".ik-panel .ik-command").first
    row.get_by_role("button").click()
    row.get_by_text("copied ✓").wait_for()

    assert view.page.evaluate("() => navigator.clipboard.readText()") == row.locator("code").inner_text()


def test_hostile_mail_stays_text(view, start_here):
    """Markup and control characters in subject, text and address are seen as text, in every station; nothing runs."""
    fill(view, subject=HOSTILE, text=HOSTILE, to=f"{HOSTILE}@example.com")

    send(view)
    texts = []
    for index in range(7):
        view.locator("button.ik-station").nth(index).click()
        view.locator("button.ik-station.ik-open").nth(0).wait_for()
        view.locator(f".ik-panel[aria-label^='Station {index + 1} ']").wait_for()
        texts.append(view.locator(".ik-panel").inner_text())

    added = view.locator("img, script, svg:not(.jp-icon3), iframe, a, form").count()
    assert (added, start_here.dialogs, "<img src=x onerror=alert(1)>" in "".join(texts)) == (0, [], True)


def test_nothing_goes_wrong_and_nothing_leaves(view, start_here):
    """No console error, no request beyond loopback, no dialog, for all that was done in this notebook."""
    send(view)

    assert (start_here.console_errors, start_here.outside, start_here.dialogs) == ([], [], [])


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="light"),
        pytest.param({"is_dark": True}, id="dark"),
        pytest.param({"width": 360, "height": 800}, id="360 px"),
        pytest.param({"width": 760, "is_dark": True}, id="760 px, dark"),
    ],
)
def test_it_can_be_read_everywhere(options, small, tmp_path):
    """Nothing leaves the view's width, and every text has a contrast of at least 4.5 to its ground."""
    opened = small(**options)
    view = opened.page.locator(LIVE)
    view.get_by_label("attach the test virus").check()
    send(view)
    view.locator("button.ik-station").nth(3).click()
    view.locator(".ik-panel").wait_for()
    view.page.mouse.move(2, 2)
    time.sleep(0.3)
    faint = [(name, ratio) for name, ratio in view.evaluate(CONTRASTS) if ratio < 4.5]
    assert (faint, view.evaluate(WIDEST) <= 1, opened.console_errors) == ([], True, [])


def test_no_motion_for_who_asks_for_none(small):
    """With prefers-reduced-motion nothing runs and nothing fades; the stations come at once."""
    view = small(reduced_motion="reduce").page.locator(LIVE)
    view.page.evaluate("() => document.querySelector('.ik-bar').classList.add('ik-busy')")
    animation = view.page.evaluate("() => getComputedStyle(document.querySelector('.ik-bar'), '::after').animationName")
    fade = view.page.evaluate("() => getComputedStyle(document.querySelector('.ik-station')).transitionDuration")

    assert (animation, fade, send(view)[:7]) == ("none", "0s", "CLEAN ✓")


def test_the_picture_of_the_readme(open_notebook, screenshots, picture_folder):
    """The picture of the README is this notebook: an infected mail, its scan opened."""
    opened = open_notebook(screenshots.NOTEBOOK, **screenshots.WINDOW)
    picture = picture_folder / "journey.png"

    said = screenshots.take_journey(opened, picture)

    found = (said.startswith("INFECTED ✕"), picture.read_bytes()[:8], picture.stat().st_size > 40_000)
    assert found == (True, b"\x89PNG\r\n\x1a\n", True)
