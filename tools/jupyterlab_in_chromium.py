"""JupyterLab in Chromium, the stable way: one server and one browser, notebooks run through JupyterLab's own commands.

Used by tests/browser and by tools/screenshots.py. Own HOME and configuration, loopback only; nothing of the user's.

Source: facts/ENVIRONMENT, "JupyterLab in Chromium": waiting for "idle" is flaky; awaiting the command is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

_CHROMIUM_ARGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_FIND_CHROMIUM: Final = Path(__file__).with_name("find-chromium")
_START_S: Final = 60.0
_STOP_S: Final = 40.0
_STEP_MS: Final = 20_000
_LONG_MS: Final = 120_000

_READY: Final = """async () => {
  const app = window.jupyterapp; await app.restored;
  const panel = app.shell.currentWidget;
  await panel.context.ready; await panel.sessionContext.ready; await panel.sessionContext.session.kernel.info;
}"""
_RUN_ALL: Final = "async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
_LIMITED: Final = """async () => {
  const error = new Error('%(what)s took more than %(limit)d ms');
  const late = new Promise((_, reject) => setTimeout(() => reject(error), %(limit)d));
  await Promise.race([late, (%(call)s)()]);
}"""
_COLLAPSE: Final = "async () => { await window.jupyterapp.commands.execute('application:toggle-left-area'); }"
_CELLS: Final = """() => window.jupyterapp.shell.currentWidget.content.widgets
  .filter(cell => cell.model.type === 'code').map(cell => {
    const outputs = [];
    for (let k = 0; k < cell.model.outputs.length; k++) outputs.push(cell.model.outputs.get(k).toJSON());
    return {source: cell.model.sharedModel.source, count: cell.model.executionCount, outputs};
  })"""


@dataclass(frozen=True, slots=True)
class OpenNotebook:
    """A notebook in a tab, its kernel ready.

    Attributes:
        page: The tab.
        console_errors: Texts of console errors so far.
        outside: Addresses asked for that are not on loopback.
        dialogs: Texts of alerts and the like.
    """

    page: Page
    console_errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def run_all(self) -> None:
        """Run every cell; return when the last has run."""
        evaluate_within_limit(self.page, _RUN_ALL, what="running all cells")

    def cells(self) -> list[dict[str, Any]]:
        """Return source, execution count and outputs of each code cell."""
        cells: list[dict[str, Any]] = self.page.evaluate(_CELLS)
        return cells

    def close_left_area(self) -> None:
        """Give the notebook the whole width."""
        self.page.evaluate(_COLLAPSE)

    def _watch(self) -> None:
        self.page.on(
            "console", lambda message: self.console_errors.append(message.text) if message.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        self.page.on("request", lambda request: None if _is_local(request.url) else self.outside.append(request.url))
        # A lambda: playwright leaves a mark on the object of a bound method, and this one is frozen.
        self.page.on("dialog", lambda dialog: self._dismiss(dialog))  # noqa: PLW0108

    def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


def evaluate_within_limit(page: Page, call: str, *, what: str) -> None:
    """Await a call in the page; an error, not a wait for ever, when it does not come back."""
    page.evaluate(_LIMITED % {"what": what, "limit": _LONG_MS, "call": call})


def find_chromium() -> Path:
    """Return the distribution's Chromium; the one that playwright would download cannot be had everywhere.

    Raises:
        FileNotFoundError: There is none that can be driven; the text says why.
    """
    found = subprocess.run([_FIND_CHROMIUM], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise FileNotFoundError(found.stderr.strip())
    return Path(found.stdout.strip())


def _is_local(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in {"data", "blob", "about"} or parts.hostname in {"127.0.0.1", "localhost"}


@dataclass(frozen=True, slots=True)
class JupyterInChromium:
    """A running server and a running browser.

    Attributes:
        root: Directory that the server shows.
        home: HOME of the server.
        address: The server's address with its port.
        token: Its token.
        browser: The browser.
    """

    root: Path
    home: Path
    address: str
    token: str = field(repr=False)
    browser: Browser

    @contextlib.contextmanager
    def open(
        self,
        notebook: str,
        *,
        width: int = 1280,
        height: int = 900,
        is_dark: bool = False,
        scale: float = 1,
        **options: Any,
    ) -> Iterator[OpenNotebook]:
        """Open a notebook, relative to the root, in a fresh browser profile and wait for its kernel.

        Args:
            notebook: Path below the root.
            width: Width of the window (unit: CSS pixels).
            height: Height of the window (unit: CSS pixels).
            is_dark: Whether JupyterLab takes its dark theme.
            scale: Device pixels of one CSS pixel.
            options: More for playwright's `new_context`.
        """
        self._set_theme(is_dark=is_dark)
        viewport = {"width": width, "height": height}
        context = self.browser.new_context(viewport=viewport, device_scale_factor=scale, **options)
        try:
            yield self._open_in(context, notebook)
        finally:
            self._end_sessions()
            context.close()

    def _open_in(self, context: BrowserContext, notebook: str) -> OpenNotebook:
        page = context.new_page()
        page.set_default_timeout(_STEP_MS)
        opened = OpenNotebook(page)
        opened._watch()
        page.goto(f"{self.address}/lab/workspaces/{secrets.token_hex(4)}/tree/{quote(notebook)}?token={self.token}")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        evaluate_within_limit(page, _READY, what="opening the notebook")
        return opened

    def _set_theme(self, *, is_dark: bool) -> None:
        folder = self.home / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        theme = {"theme": "JupyterLab Dark" if is_dark else "JupyterLab Light"}
        (folder / "themes.jupyterlab-settings").write_text(json.dumps(theme), encoding="utf-8")

    def _end_sessions(self) -> None:
        for session in json.loads(self._ask("GET", "/api/sessions")):
            self._ask("DELETE", f"/api/sessions/{session['id']}")

    def _ask(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(f"{self.address}{path}", method=method)  # noqa: S310 - our own http address
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own http address
            octets: bytes = answer.read()
        return octets


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _write_settings(directory: Path) -> None:
    directory.mkdir(parents=True)
    settings = {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
        # Two tabs of one notebook: what one saves by itself, the other asks about in a dialog that nobody answers.
        "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    }
    (directory / "overrides.json").write_text(json.dumps(settings), encoding="utf-8")


def _wait_until_up(server: subprocess.Popen[bytes], address: str, token: str, log: Path) -> None:
    end_s = time.monotonic() + _START_S
    while time.monotonic() < end_s and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/api/status?token={token}", timeout=2).close()  # noqa: S310 - our own
            return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-4000:]}")


@contextlib.contextmanager
def _jupyter(root: Path, home: Path, token: str) -> Iterator[str]:
    """Start JupyterLab and yield its address; stop it at the end."""
    _write_settings(home / "app-settings")
    port = _free_port()
    environment = dict(
        os.environ, HOME=str(home), JUPYTER_CONFIG_DIR=str(home / "config"), IPYTHONDIR=str(home / "ipython")
    )
    environment |= {"JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}
    options = [
        "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True",
        f"--LabApp.app_settings_dir={home / 'app-settings'}",
        # An owner that is killed cannot stop it: then it ends by itself. Not too soon: between two
        # modules of the browser's tests, in a random order among all others, nothing happens for minutes.
        "--ServerApp.shutdown_no_activity_timeout=3600", "--MappingKernelManager.cull_idle_timeout=600",
    ]  # fmt: skip
    log = home / "jupyter.log"
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "jupyterlab", *options]
        server = subprocess.Popen(
            command, env=environment, cwd=root, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            _wait_until_up(server, address, token, log)
            yield address
        finally:
            server.terminate()
            try:
                server.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@contextlib.contextmanager
def jupyter_in_chromium(root: Path) -> Iterator[JupyterInChromium]:
    """Start JupyterLab on a directory and Chromium beside it; stop both at the end."""
    from playwright.sync_api import sync_playwright

    home = Path(tempfile.mkdtemp(prefix="ik-jupyter-"))
    token = secrets.token_hex(16)
    try:
        with _jupyter(root, home, token) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=str(find_chromium()), headless=True, args=list(_CHROMIUM_ARGS)
            )
            try:
                yield JupyterInChromium(root, home, address, token, browser)
            finally:
                browser.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)
