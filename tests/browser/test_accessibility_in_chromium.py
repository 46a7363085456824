"""Every widget as aids for people meet it: axe, bundled and offline, over our nodes in JupyterLab in Chromium.

One notebook shows all widgets, each with its form without a kernel above it; each is looked at by itself, light, dark
and at 200 % zoom, which halves the width.
"""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.base import AXE_SCRIPT

import indimail_kit.widgets as room

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser_thread")]

START = """import tempfile
from pathlib import Path

from IPython.display import HTML, display

import indimail_kit as kit
from indimail_kit.lab.corpus import make_queue

root = Path(tempfile.mkdtemp(dir=Path.cwd()))
places = kit.lab.make_logs(120, seed=1).write(root)
make_queue(root / "queue" / "queue1", messages=40, seed=1, faults=["inode-differs", "wrong-mode", "unknown-file"])
lab = kit.lab.Lab(seed=1).start()
log = kit.logs.read(places["send"])
picture = kit.mailqueue.open_queues(root / "queue").snapshot()
asked = str(int(log.messages.message_number.iloc[0]))"""

SHOW = """view = kit.widgets.{source}
static = view.static_html() if hasattr(view, "static_html") else ""
display(HTML('<div class="static-{name}">' + static + "</div>"))
view.add_class("live-{name}")"""
"""The form without a kernel, and the view itself."""

VIEWS = {
    "AdminDesk": "AdminDesk()",
    "AuthExplorer": "AuthExplorer()",
    "CasePanel": "CasePanel('06.3')",
    "ConcurrencyChart": "ConcurrencyChart(log)",
    "DelayChart": "DelayChart(log)",
    "DeliveredView": "DeliveredView(lab.send(attach='eicar-base64'))",
    "Eavesdropper": "Eavesdropper()",
    "JourneyView": "JourneyView(lab)",
    "LiveLogExplorer": "LiveLogExplorer(places['send'], every_s=60)",
    "LogExplorer": "LogExplorer(places['send'], view='reasons')",
    "PlanPanel": "PlanPanel(root / 'queue')",
    "PolicyExplorer": "PolicyExplorer()",
    "QueueBrowser": "QueueBrowser(root / 'queue')",
    "QueueScanPanel": "QueueScanPanel(root / 'queue')",
    "QueueShape": "QueueShape(root / 'queue')",
    "QueueTimeMachine": "QueueTimeMachine(kit.lab.record_lesson_tapes())",
    "ReasonChart": "ReasonChart(log)",
    "ScanPanel": "ScanPanel(lab)",
    "SmtpConsole": "SmtpConsole(lab)",
    "StuckMail": "StuckMail(picture, log)",
    "TraceView": "TraceView(logs=[log], asked=asked)",
}
"""Widget -> how it is made, with something in it."""

CHANGE_THEME = """async theme => {
  await window.jupyterapp.commands.execute('apputils:change-theme', {theme});
  for (const light = String(theme.endsWith('Light')); document.body.dataset.jpThemeLight !== light;)
    await new Promise(requestAnimationFrame);
}"""
"""JupyterLab's own command; the page says when it is done."""

FORMS = ("live", "static")
"""With a kernel, and without."""

AXE = """async classes => {
  const include = classes.map(one => '.' + one);
  const options = {resultTypes: ['violations'], elementRef: true, rules: {region: {enabled: false}}};
  const {violations} = await axe.run({include}, options);
  const below = (one, node) => node.element.closest('.' + one) !== null;
  return Object.fromEntries(classes.map(one => [one, violations
    .map(({impact, id, nodes}) => [impact, id, nodes.filter(node => below(one, node)).map(node => node.html)])
    .filter(([, , nodes]) => nodes.length)]));
}"""
"""What axe finds below the first nodes of classes. Landmarks of the page (rule "region") are JupyterLab's."""


def is_widget(name: str) -> bool:
    """Say whether a public name is a class that is shown."""
    return isinstance(getattr(room, name), type)


@pytest.fixture(scope="module")
def page(open_notebook, write_notebook, in_thread):
    """Give the page with every widget, each below a node of its own class."""
    cells = [SHOW.format(name=name, source=source) for name, source in VIEWS.items()]

    def opened():
        page = open_notebook(write_notebook("everything", START, *cells), height=2000).page
        for name in VIEWS:
            view = page.locator(f".live-{name}").first
            view.wait_for()
            view.scroll_into_view_if_needed()
        page.evaluate(AXE_SCRIPT)
        return page

    return in_thread(opened)


@pytest.fixture(scope="module", params=["Light", "Dark"])
def themed(request, page, in_thread):
    """Give the same page in each theme."""
    in_thread(page.evaluate, CHANGE_THEME, f"JupyterLab {request.param}")
    return page


@pytest.fixture(scope="module")
def findings(themed, in_thread):
    """Give class -> what axe found below it, from one look at all of them."""
    return in_thread(themed.evaluate, AXE, [f"{form}-{name}" for name in VIEWS for form in FORMS])


def test_every_widget_is_looked_at():
    """A new widget gets its place in this module."""
    assert sorted(VIEWS) == [name for name in sorted(room.__all__) if is_widget(name)]


def test_axe_sees_a_fault(themed):
    """A field without a name and a picture without words are found: the tests below can fail."""
    themed.evaluate("document.body.insertAdjacentHTML('beforeend', '<p class=faulty><input><img src=x></p>')")
    found = themed.evaluate(AXE, ["faulty"])["faulty"]
    themed.evaluate("document.querySelector('.faulty').remove()")

    assert {name for _, name, _ in found} == {"image-alt", "label"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing(findings, name, form):
    """No violation of any weight in our nodes: names, roles, contrast, order, what is focusable."""
    found = findings[f"{form}-{name}"]

    assert found == [], json.dumps(found, indent=1)


def test_at_twice_the_size_nothing_leaves_its_width(themed, hard_to_read):
    """At 200 % zoom a window of 1,280 pixels is 640 wide: every view fits, and no text gets faint."""
    themed.set_viewport_size({"width": 640, "height": 2000})
    found = {name: hard_to_read(themed.locator(f".live-{name}").first) for name in VIEWS}
    themed.set_viewport_size({"width": 1280, "height": 2000})

    assert found == dict.fromkeys(VIEWS, ([], False))
