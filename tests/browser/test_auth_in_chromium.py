"""The widgets of AUTH as a person meets them: in JupyterLab, in Chromium, with the real lab."""

from __future__ import annotations

import base64
import hashlib
import time

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]

CANARY = "canary-4711"

CELLS = {
    "console": (
        "import indimail_kit as kit\n\nlab = kit.lab.Lab(seed=1, scanner='embedded').start()",
        "kit.widgets.SmtpConsole(lab)",
    ),
    "explorer": ("import indimail_kit as kit", "kit.widgets.AuthExplorer()"),
    "listener": ("import indimail_kit as kit", "kit.widgets.Eavesdropper()"),
    "other-login": ("import indimail_kit as kit", "kit.widgets.Eavesdropper()"),
}
"""Notebook -> its cells; one view each, since JupyterLab draws only what is on the screen."""

WIDEST = """view => Math.max(...[...view.querySelectorAll('*')]
  .filter(node => !node.closest('pre, .ik-log, .ik-bytes') && node.getClientRects().length)
  .filter(node => getComputedStyle(node).position !== 'absolute')
  .map(node => node.getBoundingClientRect().right)) - view.getBoundingClientRect().right"""

CONTRASTS = """view => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = node => { for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (/^rgb\\(/.test(colour)) return channels(colour); } return [255, 255, 255]; };
  const texts = '.ik-name, .ik-who, .ik-said, .ik-status, .ik-hint, .ik-caption, .ik-verdict, .ik-input, ' +
    '.ik-row-note, .ik-letter, .ik-char, .ik-hex, .ik-says, .ik-numbers, button, td, th';
  return [...view.querySelectorAll(texts)]
    .filter(node => node.textContent.trim() && node.getClientRects().length)
    .map(node => { const [a, b] = [light(channels(getComputedStyle(node).color)), light(ground(node))];
      return [node.className || node.tagName, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]; });
}"""

SIZES = [
    pytest.param({}, id="light"),
    pytest.param({"is_dark": True}, id="dark"),
    pytest.param({"width": 360, "height": 800}, id="360 px"),
]


def b64(text: str) -> str:
    """Return Base64 as `openssl base64` has it; not the kit's own."""
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def open_auth(jupyter, open_notebook):
    """Give a function that opens the notebook of a widget, every cell run."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for name, sources in CELLS.items():
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), jupyter.root / f"{name}.ipynb")
    return lambda name, **options: open_notebook(f"{name}.ipynb", **options)


@pytest.fixture(scope="module")
def console_notebook(open_auth):
    """Give the console's notebook."""
    return open_auth("console")


@pytest.fixture(scope="module")
def explorer_notebook(open_auth):
    """Give the explorer's notebook."""
    return open_auth("explorer")


@pytest.fixture(scope="module")
def listener_notebook(open_auth):
    """Give the listener's notebook."""
    return open_auth("listener")


def view_of(opened, part: str):
    """Return the view around a part of a widget."""
    view = opened.page.locator(".ik-journey:not(.ik-static)").filter(has=opened.page.locator(part))
    view.scroll_into_view_if_needed()
    return view


def type_line(view, text: str, *, until: str) -> None:
    """Type a line with the keyboard and wait for what the live region then says."""
    view.get_by_label("your line, Enter sends it").focus()
    view.page.keyboard.type(text)
    view.page.keyboard.press("Enter")
    view.locator(".ik-terminal .ik-status").get_by_text(until).wait_for()


def log_in(view, user: str, passwd: str, *, until: str = "235:") -> None:
    """Connect and play AUTH LOGIN by keyboard."""
    view.get_by_role("button", name="onnect").focus()
    view.page.keyboard.press("Enter")
    view.locator(".ik-terminal .ik-status").get_by_text("220:").wait_for()
    type_line(view, "auth login", until="334:")
    type_line(view, b64(user), until="334:")
    view.locator(".ik-log .ik-server").get_by_text("UGFzc3dvcmQ6").wait_for()
    type_line(view, b64(passwd), until=until)


@pytest.fixture
def console(console_notebook, in_thread):
    """Give the console."""
    return in_thread(view_of, console_notebook, ".ik-console")


def test_auth_login_is_typed_by_hand(console):
    """As in a telnet: auth login, the user, the password, each in Base64; then 235 in the log, and read aloud."""
    log_in(console, "ann@example.com", "pass")

    said = console.locator(".ik-log .ik-said").all_inner_texts()
    assert (said[1], said[-1], b64("pass") in said) == ("auth login", "235 ok, go ahead (#2.0.0)", True)


def test_the_console_explains(console):
    """One press, and a sentence tells who logged in; the password is masked."""
    log_in(console, "ann@example.com", "pass")
    console.get_by_role("button", name="explain what just happened").click()
    console.locator(".ik-panel").get_by_text("LOGIN as ann@example.com: accepted").wait_for()

    assert b64("pass") not in console.locator(".ik-panel").inner_text()


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("\\0tim\\0tanstaaftanstaaf", b"\0tim\0tanstaaftanstaaf"),
        ("postmaster@example.com", b"postmaster@example.com"),
        ("a\\\\b", b"a\\b"),
        ("\\xff", b"\xff"),
        ("é", "é".encode()),
    ],
    ids=["RFC 4616", "the seed's user", "backslash", "an octet", "UTF-8"],
)
def test_base64_both_ways(console, text, encoded):
    """The side panel turns text into Base64 and back, with NUL typed as a backslash and a nought."""
    fields = [console.locator(".ik-f-text input"), console.locator(".ik-f-base64 input")]
    fields[0].fill(text)
    made = fields[1].input_value()
    fields[0].fill("")
    fields[1].fill(made)

    assert (made, fields[0].input_value()) == (base64.b64encode(encoded).decode(), text)


def test_the_console_keeps_no_typed_secret(console, jupyter, saved_text):
    """A notebook saved with its widget state holds no form of a password that was typed and explained."""
    log_in(console, "ann@example.com", CANARY, until="535:")
    console.get_by_role("button", name="explain what just happened").click()
    console.locator(".ik-panel").wait_for()
    saved = saved_text(console.page, jupyter.root / "console.ipynb")

    octets = CANARY.encode()
    forms = (CANARY, b64(CANARY), octets.hex(), hashlib.md5(octets, usedforsecurity=False).hexdigest())
    assert ("535 authorization failure" in saved, [form for form in forms if form in saved]) == (True, [])


@pytest.mark.parametrize("options", SIZES)
def test_the_console_can_be_read_everywhere(options, open_auth, picture_folder):
    """Nothing leaves the view's width, and every text has a contrast of at least 4.5 to its ground."""
    opened = open_auth("console", **options)
    view = view_of(opened, ".ik-console")
    log_in(view, "ann@example.com", "pass")
    view.get_by_role("button", name="explain what just happened").click()
    view.locator(".ik-panel").wait_for()
    view.locator(".ik-f-text input").fill("\\0tim\\0tanstaaftanstaaf")
    view.page.mouse.move(2, 2)
    time.sleep(0.3)
    view.screenshot(path=picture_folder / f"console-{'-'.join(map(str, options.values())) or 'light'}.png")
    faint = [(name, ratio) for name, ratio in view.evaluate(CONTRASTS) if ratio < 4.5]

    assert (faint, view.evaluate(WIDEST) <= 1, opened.console_errors) == ([], True, [])


@pytest.fixture
def explorer(explorer_notebook, in_thread):
    """Give the explorer with the seed's login, masked."""

    def fresh():
        found = view_of(explorer_notebook, ".ik-explorer")
        found.locator(".ik-fields").get_by_label("mechanism", exact=True).select_option("CRAM-MD5")
        found.locator(".ik-fields").get_by_label("user", exact=True).fill("postmaster@example.com")
        found.get_by_role("button", name="undo edits").click()
        found.locator(".ik-status").get_by_text("CRAM-MD5 as postmaster@example.com: accepted").wait_for()
        if found.get_by_role("button", name="hide secrets").count():
            found.get_by_role("button", name="hide secrets").click()
        found.get_by_role("button", name="show secrets").wait_for()
        return found

    return in_thread(fresh)


def row_of(view, name: str):
    """Return a row by its name."""
    return view.locator(".ik-row").filter(has=view.page.locator(".ik-row-name").get_by_text(name, exact=True))


def show(view) -> None:
    """Show what is masked."""
    view.get_by_role("button", name="show secrets").click()
    view.get_by_label("send instead").first.wait_for()


def test_a_byte_says_what_it_is(explorer):
    """The focus on a byte of the challenge reads its role and the RFC; arrows move on, Home and End jump."""
    row_of(explorer, "server says").first.locator(".ik-byte").nth(5).focus()
    said = [explorer.locator(".ik-says").inner_text()]
    for key in ("ArrowRight", "End", "Home"):
        explorer.page.keyboard.press(key)
        said.append(explorer.locator(".ik-says").inner_text())

    assert [text.partition(":")[0] for text in said] == [f"byte {at} of 35" for at in (6, 7, 35, 1)]
    assert ("2 0x32" in said[0], "challenge pid, RFC 2195 section 2" in said[0]) == (True, True)


def test_the_explorer_masks_until_asked(explorer):
    """Nothing that the password had a part in is seen before the button, the seed's digest after it."""
    before = explorer.inner_text()
    show(explorer)
    digest = "".join(row_of(explorer, "digest").locator(".ik-char").all_inner_texts())

    assert ("cee8397a" in before, digest) == (False, "cee8397ab123a0d4f3a7fddbb9cb8719")


def test_a_spoilt_byte_is_refused(explorer):
    """One other character in the Base64 answer, and the verdict says so at once."""
    show(explorer)
    field = explorer.get_by_label("send instead").last
    wrong = b64("postmaster@example.com cee8397ab123a0d4f3a7fddbb9cb8710")
    field.fill(wrong)

    explorer.locator(".ik-status").get_by_text("refused").wait_for()
    assert explorer.get_by_label("send instead").last.input_value() == wrong


def test_the_explorer_keeps_no_typed_secret(explorer, jupyter, saved_text):
    """A notebook saved while a typed password is shown holds no form of it."""
    explorer.locator(".ik-fields").get_by_label("password", exact=True).fill(CANARY)
    explorer.page.keyboard.press("Tab")
    show(explorer)
    shown = "".join(row_of(explorer, "key").locator(".ik-char").all_inner_texts())
    saved = saved_text(explorer.page, jupyter.root / "explorer.ipynb")
    explorer.locator(".ik-fields").get_by_label("password", exact=True).fill("")
    explorer.page.keyboard.press("Tab")

    octets = CANARY.encode()
    forms = (CANARY, b64(CANARY), octets.hex(), hashlib.md5(octets, usedforsecurity=False).hexdigest())
    assert (shown, "SEED" in saved or "20137" in saved, [form for form in forms if form in saved]) == (CANARY, True, [])


@pytest.mark.parametrize("options", SIZES)
def test_the_explorer_can_be_read_everywhere(options, open_auth, picture_folder):
    """Nothing leaves the view's width, and every text has a contrast of at least 4.5 to its ground."""
    opened = open_auth("explorer", **options)
    view = view_of(opened, ".ik-explorer")
    view.locator(".ik-byte").first.wait_for()
    view.screenshot(path=picture_folder / f"masked-{'-'.join(map(str, options.values())) or 'light'}.png")
    show(view)
    row_of(view, "server says").first.locator(".ik-byte").nth(5).focus()
    time.sleep(0.3)
    view.screenshot(path=picture_folder / f"explorer-{'-'.join(map(str, options.values())) or 'light'}.png")
    faint = [(name, ratio) for name, ratio in view.evaluate(CONTRASTS) if ratio < 4.5]

    assert (faint, view.evaluate(WIDEST) <= 1, opened.console_errors) == ([], True, [])


@pytest.fixture
def listener(listener_notebook, in_thread):
    """Give the listener."""
    return in_thread(view_of, listener_notebook, ".ik-attack")


def test_the_attack_is_seen(listener):
    """One press, the bar fills, and the seed's password is found in the list."""
    listener.get_by_role("button", name="try 10,000 words").focus()
    listener.page.keyboard.press("Enter")
    listener.locator(".ik-status").get_by_text("Trying").wait_for()
    listener.locator(".ik-status").get_by_text("Found: “pass”").wait_for()

    bar = listener.get_by_role("progressbar")
    assert (bar.get_attribute("aria-valuemax"), int(bar.get_attribute("aria-valuenow")) > 1000) == ("10000", True)


def test_a_good_password_is_not_found(open_auth, jupyter, saved_text):
    """A typed password that is in no list stays unfound, and no form of it is saved."""
    listener = view_of(open_auth("other-login"), ".ik-attack")  # what is typed here stays: not the others' notebook
    listener.locator("input[type=password]").fill(CANARY)
    listener.page.keyboard.press("Tab")
    listener.get_by_role("button", name="try 10,000 words").click()
    listener.locator(".ik-status").get_by_text("Not found: none of 10,000 words").wait_for()
    digest = listener.locator(".ik-attack .ik-client .ik-said").inner_text().split(" ")[1]
    saved = saved_text(listener.page, jupyter.root / "other-login.ipynb")

    assert (len(digest), [form for form in (CANARY, b64(CANARY), digest) if form in saved]) == (32, [])


@pytest.mark.parametrize("options", SIZES)
def test_the_listener_can_be_read_everywhere(options, open_auth, picture_folder):
    """Nothing leaves the view's width, and every text has a contrast of at least 4.5 to its ground."""
    opened = open_auth("listener", **options)
    view = view_of(opened, ".ik-attack")
    view.get_by_role("button", name="try 10,000 words").click()
    view.locator(".ik-status").get_by_text("Found:").wait_for()
    view.screenshot(path=picture_folder / f"listener-{'-'.join(map(str, options.values())) or 'light'}.png")
    faint = [(name, ratio) for name, ratio in view.evaluate(CONTRASTS) if ratio < 4.5]

    assert (faint, view.evaluate(WIDEST) <= 1, opened.console_errors) == ([], True, [])
