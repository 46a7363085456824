"""The administrator's notebook as a page without code, in Chromium: no code is seen, all of it lives."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]

DARK = "async () => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"


@pytest.fixture(scope="module")
def shown(jupyter, in_thread, load_tool, tmp_path_factory) -> Iterator[object]:
    """Give the page, every cell run: the real verb, in a process of its own, on the demonstration server."""
    tool, token, port = load_tool("jupyterlab_in_chromium"), secrets.token_hex(16), 0
    home = tmp_path_factory.mktemp("page")
    port = tool._free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {name: value for name, value in os.environ.items() if name not in ("QUEUEDIR", "QUEUE_BASE")}
    environment |= {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "JUPYTER_DATA_DIR": str(home)}
    command = [
        sys.executable, "-m", "indimail_kit", "notebook", "--page", "10_admin", "--no-browser", f"--port={port}",
        f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True", "--ServerApp.port_retries=0",
        "--ServerApp.shutdown_no_activity_timeout=3600",
    ]  # fmt: skip

    def open_it(stack: contextlib.ExitStack) -> object:
        context = jupyter.browser.new_context(viewport={"width": 1280, "height": 1000})
        stack.callback(context.close)
        page = context.new_page()
        page.set_default_timeout(20_000)
        opened = tool.OpenNotebook(page)
        opened._watch()
        page.goto(f"{address}/?token={token}")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        tool.evaluate_within_limit(page, tool._READY, what="opening the page")
        opened.run_all()
        return opened

    with (home / "log").open("wb") as log, contextlib.ExitStack() as stack:
        server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            tool._wait_until_up(server, address, token, home / "log")
            yield in_thread(open_it, stack)
        finally:
            in_thread(stack.close)
            server.terminate()
            server.wait(40)


@pytest.fixture(scope="module")
def load_tool():
    """Give the loader of tools."""
    from tests.browser import conftest

    return conftest.load_tool


def views(shown):
    """Return the living views, in the order of the page."""
    return shown.page.locator(".ik-journey:not(.ik-static)")


def view_of(shown, title):
    """Return the view with this name."""
    return views(shown).filter(has=shown.page.locator(".ik-name", has_text=title)).first


def test_page_is_one_document_without_code(shown):
    """Its own address, no editor, no line of code; what stands there is text and views."""
    page = shown.page
    text = page.inner_text(".jp-Notebook")

    assert "/doc/tree/notebooks/10_admin.ipynb" in page.url
    assert [word for word in ("import ", "kit.", "desk.") if word in text] == []
    assert page.locator(".cm-editor:visible, .jp-Placeholder:visible, .jp-InputPrompt:visible").count() == 0
    assert [cell["outputs"] for cell in shown.cells() if any(one.get("ename") for one in cell["outputs"])] == []


def test_by_keyboard_from_a_reason_to_the_story_of_a_message(shown):
    """Enter on a reason shows who waits, Enter on a row chooses: trace, scan and plans are about that message."""
    stuck, trace = view_of(shown, "Stuck mail"), view_of(shown, "One message")
    stuck.scroll_into_view_if_needed()
    stuck.locator(".ik-log-row").first.focus()
    shown.page.keyboard.press("Enter")
    stuck.locator(".ik-log-row:focus", has_text="choose").wait_for()
    shown.page.keyboard.press("ArrowDown")
    shown.page.keyboard.press("Enter")
    second = stuck.locator(".ik-log-row").nth(1)
    number = second.locator(".ik-log-c-number .ik-log-value").inner_text()

    expect(second).to_have_attribute("aria-selected", "true")
    expect(view_of(shown, "Scan a message that waits").locator("input")).to_have_value(re.compile(f"/{number}$"))
    expect(view_of(shown, "Plans").locator("input[type=text]")).to_have_value(re.compile(f"/{number}$"))
    expect(trace.locator("input").first).to_have_value(re.compile(f"^{number} in "))
    trace.locator(".ik-chip", has_text="certain").first.wait_for()


def test_scan_is_a_word_and_a_sign(shown):
    """Of the chosen message."""
    scan = view_of(shown, "Scan a message that waits")
    scan.get_by_role("button", name="Scan").click()
    scan.locator(".ik-chip").wait_for()

    assert scan.locator(".ik-chip").inner_text() in ("CLEAN ✓", "INFECTED ✕")


def test_plan_is_done_after_a_yes_and_only_then(shown):
    """Read, ticked and done by keyboard; the button cannot be pressed before."""
    plans, page = view_of(shown, "Plans"), shown.page
    plans.scroll_into_view_if_needed()
    plans.get_by_role("button", name="Make a plan").focus()
    page.keyboard.press("Enter")
    plans.locator(".ik-status", has_text="Read, tick").wait_for()
    before = plans.get_by_role("button", name="Do it").is_disabled()
    plans.locator("input[type=checkbox]").focus()
    page.keyboard.press("Space")
    plans.locator("button:not([disabled])", has_text="Do it").wait_for()
    plans.get_by_role("button", name="Do it").focus()
    page.keyboard.press("Enter")
    plans.locator(".ik-status.ik-good").wait_for()

    assert (before, plans.locator(".ik-chip", has_text="✓ done").count()) == (True, 2)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_views_can_be_read(shown, theme, hard_to_read):
    """Contrast, and nothing beside the page, in both themes."""
    if theme == "dark":
        shown.page.evaluate(DARK)
        shown.page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    names = ("A mail server, looked at", "Stuck mail", "Scan a message that waits", "Plans")

    assert {name: hard_to_read(view_of(shown, name)) for name in names} == dict.fromkeys(names, ([], False))


def test_views_fit_a_narrow_window(shown, hard_to_read):
    """About 360 pixels for a view; a number keeps its name when the table has no headings."""
    shown.page.set_viewport_size({"width": 460, "height": 1000})
    names = ("A mail server, looked at", "Stuck mail", "Scan a message that waits", "Plans")
    found = {name: hard_to_read(view_of(shown, name))[1] for name in names}
    width = view_of(shown, "Plans").bounding_box()["width"]
    is_named = view_of(shown, "A mail server").locator(".ik-log-label", has_text="recipients to do").first.is_visible()
    shown.page.set_viewport_size({"width": 1280, "height": 1000})

    assert (found, width < 400, is_named) == (dict.fromkeys(names, False), True, True)


def test_nothing_leaves_the_machine(shown):
    """No request outside, no dialog, no error in the console."""
    assert (shown.outside, shown.dialogs, shown.console_errors) == ([], [], [])


def test_own_notebook_is_as_it_was():
    """The page is a copy."""
    notebook = Path(__file__).parents[2] / "notebooks" / "10_admin.ipynb"

    assert '"outputs": []' in notebook.read_text(encoding="utf-8")
