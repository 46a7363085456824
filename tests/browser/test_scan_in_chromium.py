"""The widgets of QHPSI as a person meets them: in JupyterLab, in Chromium, with the real lab and the real clamd."""

from __future__ import annotations

import base64
import time

import pytest

from indimail_kit.qhpsi import eicar

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]

CANARY = "private-canary-4711"

LAB = "import indimail_kit as kit\n\nlab = kit.lab.Lab(seed=1).start()"

CELLS = {
    "scan": (LAB, "panel = kit.widgets.ScanPanel(lab)\npanel"),
    "policy": ("import indimail_kit as kit", "kit.widgets.PolicyExplorer()"),
    "delivered": (LAB, f"kit.widgets.DeliveredView(lab.send(attach='eicar-base64', body='{CANARY}'))"),
}
"""Notebook -> its cells; one view each, since JupyterLab draws only what is on the screen."""

SIZES = [
    pytest.param({"height": 1500}, id="light"),
    pytest.param({"height": 1500, "is_dark": True}, id="dark"),
    pytest.param({"width": 900, "height": 1500}, id="900 px"),
    pytest.param({"width": 360, "height": 1500}, id="360 px"),
]

DROP = """(zone, [name, octets]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([new Uint8Array(octets)], name, {type: 'message/rfc822'}));
  for (const type of ['dragenter', 'dragover', 'drop'])
    zone.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: carried}));
}"""
"""Drop a file as a hand does; a browser has no other way to be asked for it."""

HUGE = """zone => {
  const carried = new DataTransfer();
  carried.items.add(new File([new Uint8Array(6 * 2 ** 20)], 'huge.eml'));
  zone.dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: carried}));
}"""


@pytest.fixture(scope="module")
def scan(open_view, in_thread):
    """Give the panel's notebook and view."""
    return in_thread(open_view, "scan")


@pytest.fixture
def panel(scan, in_thread):
    """Give the panel, nothing dropped, REJECTVIRUS=0."""

    def fresh():
        view = scan[1]
        if view.locator(".ik-drop.ik-full").count():
            view.get_by_role("button", name="take it away").click()
            view.locator(".ik-drop:not(.ik-full)").wait_for()
        view.get_by_role("button", name="0 · mark it").click()
        view.get_by_text("REJECTVIRUS=0", exact=True).wait_for()
        return view

    return in_thread(fresh)


def drop(view, name: str, octets: bytes) -> None:
    """Drop a mail and wait until the panel holds it."""
    view.locator(".ik-drop").evaluate(DROP, [name, list(octets)])
    view.locator(".ik-drop.ik-full").get_by_text(f"{len(octets):,} octets").wait_for()


def send(view, press=None) -> str:
    """Press Send, wait until this mail is in the list, and return the sentence."""
    newest = int((view.locator("button.ik-show").all_inner_texts() or ["0"])[-1])
    (press or view.get_by_role("button", name="Send", exact=True).click)()
    view.get_by_role("button", name=f"Show scan {newest + 1} again").wait_for()
    return view.locator(".ik-scan .ik-status").inner_text()


def mail(text: str = "hello") -> bytes:
    """Return a mail with the test virus in it."""
    return f"From: ann@example.com\nSubject: {text}\n\n{text}\n".encode() + eicar() + b"\n"


def test_a_dropped_eicar_mail_is_refused_seen_and_read(panel):
    """Drop, 1 · refuse, Send: 554 is said, the way lights up to "refused", four claims stand beside it."""
    drop(panel, "suspect.eml", mail())
    panel.get_by_role("button", name="1 · refuse").click()
    panel.get_by_text("REJECTVIRUS=1", exact=True).wait_for()

    said = send(panel)

    lit = panel.locator(".ik-leaf.ik-lit").inner_text()
    claims = panel.locator(".ik-claim").all_inner_texts()
    assert ("554 qq message contains virus (#5.7.1)" in said, "refused" in lit, len(claims)) == (True, True, 4)
    assert (claims[0], "FOUND" in claims[1], claims[2], "(permanent)" in claims[3]) == (
        "554 qq message contains virus (#5.7.1)",
        True,
        "none: nothing is in the queue",
        True,
    )


def test_a_claim_opens_to_its_raw_material(panel):
    """The reply's dialogue is there, the mail left out of it, and a command to copy."""
    drop(panel, "suspect.eml", mail())
    send(panel)
    panel.locator(".ik-card summary").first.click()

    raw = panel.locator(".ik-card").first.inner_text()
    assert ("S: 354 go ahead" in raw, "(the mail, 5 lines)" in raw, "swaks" in raw, "copy" in raw) == (True,) * 4


def test_everything_goes_by_keyboard(panel):
    """The file chooser, a switch, Send, and the arrows of the tree."""
    # `press` gives the focus in the same moment: JupyterLab takes it a while after a click.
    with panel.page.expect_file_chooser() as opened:
        panel.get_by_role("button", name="choose a file …").press("Enter")
    opened.value.set_files({"name": "key.eml", "mimeType": "message/rfc822", "buffer": mail()})
    panel.locator(".ik-drop.ik-full").get_by_text("key.eml").wait_for()
    panel.get_by_role("button", name="2 · swallow").press("Space")
    panel.get_by_text("REJECTVIRUS=2", exact=True).wait_for()
    said = send(panel, press=lambda: panel.get_by_role("button", name="Send", exact=True).press("Enter"))
    panel.get_by_role("treeitem").first.focus()
    heard = []
    for key in ("ArrowDown", "End", "Home"):
        panel.page.keyboard.press(key)
        heard.append(panel.page.evaluate("document.activeElement.getAttribute('aria-label')"))

    assert (said.startswith("swallowed ∅"), heard[0][:12], heard[2][:12]) == (True, "unscanned: n", "Is FASTQUEUE")
    assert "This mail: no." in heard[2]


@pytest.mark.parametrize(
    ("trouble", "leaf"), [("clamd does not run", "later"), ("the reply says OK, but not of what", "later")]
)
def test_a_scanner_in_trouble_never_says_clean(panel, trouble, leaf):
    """A clamd that is down, or lies: 451, and the way ends at "no verdict"."""
    panel.get_by_label("trouble", exact=True).select_option(label=trouble)
    said = send(panel)
    panel.get_by_label("trouble", exact=True).select_option(label="none")

    assert ("451 qq unable to run QHPSI scanner" in said, leaf in panel.locator(".ik-leaf.ik-lit").inner_text()) == (
        True,
        True,
    )


def test_a_mail_that_is_too_large_is_said(panel):
    """Six million octets: what, how much, what to do instead."""
    panel.locator(".ik-drop").evaluate(HUGE)
    panel.locator(".ik-scan .ik-status").get_by_text("indimail-kit scan FILE").wait_for()

    assert panel.locator(".ik-drop.ik-full").count() == 0


def test_four_million_octets_can_be_dropped(panel):
    """What is under the limit comes through the browser's connection whole."""
    octets = b"Subject: big\n\n" + (b"y" * 75 + b"\n") * 52_000
    carried = {"name": "big.eml", "mimeType": "message/rfc822", "buffer": octets}
    panel.locator("input[type=file]").set_input_files(carried)
    panel.locator(".ik-drop.ik-full").get_by_text(f"{len(octets):,} octets").wait_for()

    assert send(panel).startswith("clean ✓")


def test_a_dropped_mail_is_in_no_saved_notebook(panel, jupyter, saved_text):
    """Saved with the widgets' state: neither a word of the mail nor the name of its file, raw or encoded."""
    drop(panel, f"{CANARY}.eml", mail(CANARY))
    send(panel)
    saved = saved_text(panel.page, jupyter.root / "scan.ipynb")

    forms = (CANARY, base64.b64encode(CANARY.encode()).decode(), CANARY.encode().hex())
    assert ("(the mail, 5 lines)" in saved, [form for form in forms if form in saved]) == (True, [])


def test_a_hostile_name_stays_text(panel, scan):
    """Markup and control characters in a file's name are seen as text; nothing runs."""
    drop(panel, '"><img src=x onerror=alert(1)>\u202egnp', mail())

    held = panel.locator(".ik-held").inner_text()
    assert ("<img src=x onerror=alert(1)><U+202E>gnp" in held, panel.locator("img").count(), scan[0].dialogs) == (
        True,
        0,
        [],
    )


@pytest.mark.parametrize("options", [*SIZES, pytest.param({"width": 1030, "height": 1500}, id="1030 px")])
def test_the_panel_can_be_read_everywhere(options, open_view, hard_to_read, picture_folder):
    """Nothing leaves the view's width, and every text has a contrast of at least 4.5 to its ground."""
    opened, view = open_view("scan", **options)
    drop(view, "suspect.eml", mail())
    view.get_by_role("button", name="1 · refuse").click()
    send(view)
    view.page.mouse.move(2, 2)
    time.sleep(0.3)
    view.screenshot(path=picture_folder / f"scan-{'-'.join(map(str, options.values()))}.png")

    assert (hard_to_read(view), opened.console_errors, opened.outside) == (([], False), [], [])


@pytest.fixture(scope="module")
def policy(open_view, in_thread):
    """Give the explorer."""
    return in_thread(open_view, "policy")[1]


def test_the_table_is_walked_by_keyboard(policy):
    """Arrows move, Enter opens the reasons, Esc closes them and the focus stays."""
    policy.get_by_role("gridcell").first.focus()
    for key in ("ArrowRight", "Enter"):
        policy.page.keyboard.press(key)
    policy.locator(".ik-panel").get_by_text("554 qq message contains virus").wait_for()
    label = policy.page.evaluate("document.activeElement.getAttribute('aria-label')")
    policy.page.keyboard.press("Escape")
    policy.locator(".ik-panel").wait_for(state="detached")

    after = policy.page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert (label, after) == (
        label,
        "exit code = QHPSIRC, REJECTVIRUS=1: refused, 554 qq message contains virus (#5.7.1)",
    )


def test_a_switch_changes_cells_and_says_which(policy):
    """One click: two cells, their new word, and the variable beside the switch."""
    policy.get_by_label("send viruses to the postmaster").check()
    policy.get_by_text("VIRUSFORWARD=postmaster@example.com", exact=True).wait_for()
    policy.locator(".ik-status").get_by_text("2 cells of 36 changed").wait_for()
    changed = policy.locator(".ik-cell.ik-changed .ik-word").all_inner_texts()
    policy.get_by_label("send viruses to the postmaster").uncheck()

    assert changed == ["forwarded", "forwarded"]


@pytest.mark.parametrize("options", SIZES)
def test_the_table_can_be_read_everywhere(options, open_view, hard_to_read, picture_folder):
    """Nothing leaves the view's width, and every text has a contrast of at least 4.5 to its ground."""
    opened, view = open_view("policy", **options)
    view.get_by_role("gridcell").nth(1).click()
    view.locator(".ik-panel").wait_for()
    view.page.mouse.move(2, 2)
    view.screenshot(path=picture_folder / f"policy-{'-'.join(map(str, options.values()))}.png")

    assert (hard_to_read(view), opened.console_errors, opened.outside) == (([], False), [], [])


def test_before_and_after_are_seen(open_view, jupyter, saved_text):
    """Each added line has its author; the mail itself is shown on wish and in no saved notebook."""
    _, view = open_view("delivered")
    authors = view.locator(".ik-by").all_inner_texts()
    view.get_by_role("button", name="show the mail itself").click()
    view.locator("pre").first.get_by_text(CANARY).wait_for()
    saved = saved_text(view.page, jupyter.root / "delivered.ipynb")

    state = saved.partition('"widgets"')[2]
    assert (authors, "X-QHPSI: Virus found" in state, CANARY in state) == (
        ["qmail-local", "qmail-local", "qmail-queue", "qmail-queue", "qmail-smtpd"],
        True,
        False,
    )


@pytest.mark.parametrize("options", SIZES)
def test_before_and_after_can_be_read_everywhere(options, open_view, hard_to_read, picture_folder):
    """Nothing leaves the view's width, and every text has a contrast of at least 4.5 to its ground."""
    opened, view = open_view("delivered", **options)
    view.locator(".ik-by").first.wait_for()
    view.screenshot(path=picture_folder / f"delivered-{'-'.join(map(str, options.values()))}.png")

    assert (hard_to_read(view), opened.console_errors, opened.outside) == (([], False), [], [])
