"""One JupyterLab and one Chromium for all browser tests, in a thread of their own.

Playwright keeps an event loop running in the thread that uses it. In pytest's own thread that would be felt by every
other test (`asyncio.run` refuses), so fixtures and tests of this folder run in one thread beside it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

THREAD = "browser"
"""Name of the thread that uses Playwright."""

ROOT = Path(__file__).parent.parent.parent

SMALL = (
    "import indimail_kit as kit\n\nlab = kit.lab.Lab(seed=1).start()",
    "view = kit.widgets.JourneyView(lab)\nview",
)
"""The cells of a notebook that shows the view and nothing else."""

SAVE = """async () => {
  const commands = window.jupyterapp.commands;
  const state = '@jupyter-widgets/jupyterlab-manager:saveWidgetState';
  if (!commands.isToggled(state)) await commands.execute(state);
  await commands.execute('docmanager:save');
}"""
"""Save the notebook with its widgets' state. The command for that is a toggle, so it is only ever switched on."""


TOO_WIDE = """view => Math.max(...[...view.querySelectorAll('*')]
  .filter(node => !node.closest('pre, .ik-log, .ik-bytes') && node.getClientRects().length)
  .filter(node => getComputedStyle(node).position !== 'absolute')
  .map(node => node.getBoundingClientRect().right)) - view.getBoundingClientRect().right"""

FAINT = """view => {
  const channels = colour => { const [r, g, b, a] = colour.match(/[\\d.]+/g).map(Number);
    return colour.startsWith('color(') ? [r * 255, g * 255, b * 255, a] : [r, g, b, a]; };
  const linear = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = node => { for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (/^(rgb|color)\\(/.test(colour) && !/^color.* \\/ /.test(colour)) return channels(colour); }
    return [255, 255, 255]; };
  return [...view.querySelectorAll('*')]
    .filter(node => [...node.childNodes].some(one => one.nodeType === 3 && one.textContent.trim()))
    .filter(node => node.getClientRects().length && getComputedStyle(node).visibility === 'visible')
    .filter(node => !node.disabled && !node.closest('select, .ik-file'))
    .map(node => { const [a, b] = [light(channels(getComputedStyle(node).color)), light(ground(node))];
      return [node.className || node.tagName, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]; })
    .filter(([, ratio]) => ratio < 4.5);
}"""
"""Every text of a view whose contrast to its ground is below 4.5."""


def load_tool(name: str) -> ModuleType:
    """Import a module of tools/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def browser_thread() -> Iterator[ThreadPoolExecutor]:
    """Give the thread in which everything of the browser happens."""
    with ThreadPoolExecutor(1, thread_name_prefix=THREAD) as thread:
        yield thread


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test of this folder in the browser's thread."""
    if pyfuncitem.get_closest_marker("browser") is None:
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    thread: ThreadPoolExecutor = pyfuncitem.funcargs["browser_thread"]
    thread.submit(pyfuncitem.obj, **arguments).result()
    return True


@pytest.fixture(scope="session")
def in_thread(browser_thread: ThreadPoolExecutor) -> Callable[..., Any]:
    """Give a function that calls another one in the browser's thread."""

    def run(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # A test that asks from within that thread would wait for itself for ever.
        if threading.current_thread().name.startswith(THREAD):
            return call(*args, **kwargs)
        return browser_thread.submit(call, *args, **kwargs).result()

    return run


@pytest.fixture(scope="session")
def jupyter(in_thread: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Give a JupyterLab in Chromium on a copy of the notebooks."""
    tool = load_tool("jupyterlab_in_chromium")
    try:
        tool.find_chromium()
    except FileNotFoundError as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))
    root = tmp_path_factory.mktemp("jupyter")
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    cells = [nbformat.v4.new_code_cell(source) for source in SMALL]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), root / "small.ipynb")
    stack = contextlib.ExitStack()
    try:
        yield in_thread(stack.enter_context, tool.jupyter_in_chromium(root))
    finally:
        in_thread(stack.close)


@pytest.fixture(scope="module")
def open_notebook(jupyter: Any, in_thread: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Give a function that opens a notebook and runs all its cells; each stays open until its module's tests are done.

    Fifty open pages, each with its kernel, once made the last ones so slow that tests ran out of time.
    """
    stack = contextlib.ExitStack()

    def open_it(name: str, **options: Any) -> Any:
        opened = stack.enter_context(jupyter.open(name, **options))
        opened.close_left_area()
        opened.run_all()
        return opened

    try:
        yield lambda name, **options: in_thread(open_it, name, **options)
    finally:
        in_thread(stack.close)


@pytest.fixture(scope="module")
def start_here(open_notebook: Callable[..., Any]) -> Any:
    """Give the first notebook, every cell run."""
    return open_notebook("notebooks/00_start_here.ipynb", permissions=["clipboard-read", "clipboard-write"])


@pytest.fixture(scope="module")
def small(open_notebook: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function that opens the small notebook."""
    return lambda **options: open_notebook("small.ipynb", **options)


@pytest.fixture(scope="session")
def screenshots() -> ModuleType:
    """Give the tool that makes the pictures."""
    return load_tool("screenshots")


@pytest.fixture
def picture_folder(tmp_path: Path) -> Path:
    """Give the folder for pictures; INDIMAIL_KIT_SCREENSHOTS names one that is kept."""
    folder = Path(os.environ.get("INDIMAIL_KIT_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def saved_text() -> Callable[[Any, Path], str]:
    """Give the function that saves a page's notebook with its widget state and returns the file's text."""
    evaluate_within_limit = load_tool("jupyterlab_in_chromium").evaluate_within_limit

    def save(page: Any, path: Path) -> str:
        evaluate_within_limit(page, SAVE, what="saving the notebook")
        text = path.read_text(encoding="utf-8")
        assert "application/vnd.jupyter.widget-state+json" in text, "saved without the widgets' state"
        return text

    return save


@pytest.fixture(scope="session")
def hard_to_read() -> Callable[[Any], tuple[list[Any], bool]]:
    """Give the function that returns a view's faint texts, and whether something leaves its width."""
    return lambda view: (view.evaluate(FAINT), view.evaluate(TOO_WIDE) > 1)


@pytest.fixture(scope="session")
def write_notebook(jupyter: Any) -> Callable[..., str]:
    """Give the function that writes a notebook of some cells and returns its name."""

    def write(name: str, *sources: str) -> str:
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), jupyter.root / f"{name}.ipynb")
        return f"{name}.ipynb"

    return write


@pytest.fixture(scope="module")
def open_view(
    request: pytest.FixtureRequest, open_notebook: Callable[..., Any], write_notebook: Callable[..., str]
) -> Callable[..., Any]:
    """Give a function that opens the notebook of a view, one of the module's CELLS, and returns both."""
    names = {name: write_notebook(name, *cells) for name, cells in request.module.CELLS.items()}

    def open_it(name: str, **options: Any) -> Any:
        opened = open_notebook(names[name], **options)
        view = opened.page.locator(".ik-journey:not(.ik-static)").first
        view.wait_for()
        view.scroll_into_view_if_needed()
        return opened, view

    return open_it
