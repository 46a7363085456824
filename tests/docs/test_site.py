"""The built documentation: whole, true to the code, and without a request to anybody."""

from __future__ import annotations

import importlib
import inspect
import posixpath
import re
import tempfile
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import click
import pytest
from sphinx.util.inventory import InventoryFile

import indimail_kit as kit
from indimail_kit.cli import main
from indimail_kit.logs.grammar import FORMS
from indimail_kit.tables.queue_schemas import QUEUE_TABLES
from indimail_kit.tables.schemas import TABLES

from .conftest import HTML, ROOT, Site

WITHOUT_EXAMPLE_YET = 3
"""Verbs that may still wait for their example in docs/site/examples.py, so that a new verb stops nobody's work."""

CORE = ("envelope", "errors", "exitcodes", "tai64", "visible")


def verbs(group: click.Group, prefix: str = "") -> list[str]:
    """Return the words of all verbs."""
    found = []
    for name, command in group.commands.items():
        found += verbs(command, f"{prefix}{name} ") if isinstance(command, click.Group) else [f"{prefix}{name}"]
    return found


def public_names(module: ModuleType) -> list[str]:
    """Return the full public names of a room and of the modules that it hands on."""
    names = []
    for name in module.__all__:
        value = getattr(module, name)
        inside = inspect.ismodule(value) and hasattr(value, "__all__")
        names += [value.__name__ if inspect.ismodule(value) else f"{module.__name__}.{name}"]
        names += public_names(value) if inside else []
    return names


def words_of(tree: object) -> str:
    """Return the text of a page."""
    return "".join(tree.itertext())  # type: ignore[attr-defined]


def test_site_is_built_without_a_warning(site: Site) -> None:
    """Every warning of Sphinx is an error, so a broken reference or docstring ends the build."""
    assert (site.said.returncode, site.said.stderr) == (0, "")


@pytest.mark.parametrize("room", kit.ROOMS)
def test_every_public_name_is_documented(site: Site, room: str) -> None:
    """What a room lists in `__all__` has its place in the reference."""
    inventory = InventoryFile.loads((site.directory / "objects.inv").read_bytes(), uri="")
    documented = {name for kind in inventory.data if kind.startswith("py:") for name in inventory.data[kind]}

    assert set(public_names(importlib.import_module(f"indimail_kit.{room}"))) - documented == set()


@pytest.mark.parametrize("room", [*kit.ROOMS, *CORE])
def test_no_public_name_is_without_a_word(site: Site, room: str) -> None:
    """Each name of the reference has at least a sentence below it."""
    entries = site.pages[f"reference/{room}.html"].iterfind(f".//{HTML}dl")  # type: ignore[attr-defined]
    own = [one for one in entries if "py" in (one.get("class") or "").split()]
    silent = [
        one.find(f"{HTML}dt").get("id")
        for one in own
        if not "".join(words_of(text) for text in one.findall(f"{HTML}dd")).strip()
    ]

    assert own
    assert silent == []


def test_every_verb_has_its_section_and_its_options(site: Site) -> None:
    """The page of the command line has each verb, and nearly each an output or the reason why none is shown."""
    page = site.pages["reference/commands.html"]
    sections = {
        one.find(f"{HTML}h2").text: words_of(one)
        for one in page.iter(f"{HTML}section")  # type: ignore[attr-defined]
        if one.find(f"{HTML}h2") is not None
    }

    silent = [
        name
        for name, text in sections.items()
        if f"$ indimail-kit {name}" not in text and "No output is shown." not in text
    ]

    assert list(sections) == verbs(main)
    assert len(silent) <= WITHOUT_EXAMPLE_YET, silent


@pytest.mark.parametrize("table", [*TABLES, *QUEUE_TABLES], ids=lambda table: table.name)
def test_every_column_of_a_table_is_told(site: Site, table: object) -> None:
    """Each column stands in the page of the tables with its meaning."""
    text = words_of(site.pages["reference/columns.html"])

    assert [one.name for one in table.columns if one.name not in text or one.meaning not in text] == []  # type: ignore[attr-defined]


def test_every_form_of_log_line_is_told(site: Site) -> None:
    """Each form stands in the page of the log lines as the grammar has it."""
    text = words_of(site.pages["reference/log_lines.html"])

    assert FORMS
    assert [form.name for form in FORMS.values() if form.template not in text or form.meaning not in text] == []


def test_every_page_of_docs_and_every_notebook_is_there(site: Site) -> None:
    """What stands in docs/ and notebooks/ is read on the site too."""
    written = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    pages = [
        path.relative_to(ROOT).with_suffix(".html").as_posix().removeprefix("docs/").replace("README", "index")
        for path in written
    ]

    assert set(pages) - set(site.pages) == set()


def test_reading_asks_nothing_from_outside(site: Site) -> None:
    """No page loads a script, style, picture or letter from anywhere but the site itself."""
    loads = ("script", "img", "iframe", "source", "video", "audio", "embed", "object", "input")
    resources = [
        (name, address)
        for name, page in site.pages.items()
        for node in page.iter()  # type: ignore[attr-defined]
        for attribute in ("src", "srcset", "data", "poster")
        if isinstance(node.tag, str) and node.tag.removeprefix(HTML) in loads and (address := node.get(attribute))
    ]
    links = [
        (name, node.get("href"))
        for name, page in site.pages.items()
        for node in page.iter(f"{HTML}link")  # type: ignore[attr-defined]
    ]
    fetches = [
        (path.name, found.decode())
        for path in [*site.directory.rglob("*.css"), *site.directory.rglob("*.js")]
        for found in re.findall(
            rb"(?:url\(|@import|fetch\(|importScripts\()\s*[\"']?(?:https?:)?//[^\s)]*", path.read_bytes()
        )
    ]

    assert resources
    assert [one for one in resources + links if re.match(r"\w+:|//", one[1]) and not one[1].startswith("data:")] == []
    assert fetches == []


def test_every_link_within_the_site_leads_somewhere(site: Site) -> None:
    """Each link to a page finds the page, and the place in it if it names one."""
    ids = {
        name: {node.get("id") for node in page.iter() if node.get("id")}  # type: ignore[attr-defined]
        for name, page in site.pages.items()
    }
    dead = []
    for name, page in site.pages.items():
        for node in page.iter(f"{HTML}a"):  # type: ignore[attr-defined]
            path, _, place = unquote(node.get("href", "")).partition("#")
            if re.match(r"\w+:", path):
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
            if target not in ids or (place and place not in ids[target]):
                dead.append((name, node.get("href")))

    assert dead == []


def test_site_names_no_place_of_the_machine(site: Site) -> None:
    """Neither the working copy, nor the home, nor the temporary directory of the build stands on a page."""
    places = re.compile("|".join(re.escape(f"{one}/") for one in (ROOT, Path.home(), site.directory.parent)))
    built = re.compile(re.escape(tempfile.gettempdir()) + r"/(?:tmp|ik-)\w+")
    texts = {path.name: path.read_text(encoding="utf-8") for path in site.directory.rglob("*.html")}

    assert [name for name, text in texts.items() if places.search(text) or built.search(text)] == []
