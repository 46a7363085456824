"""The widgets' scripts: whole modules that make no markup. Every script of the folder is looked at, new ones too."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from indimail_kit.widgets.html import style_classes
from indimail_kit.widgets.scripts import COMMON, script

SCRIPTS = sorted(path.name for path in files("indimail_kit.widgets").iterdir() if path.name.endswith(".js"))
WIDGETS = [name for name in SCRIPTS if name != COMMON]

SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|srcdoc|DOMParser|setHTML|eval\(|"
    r"new Function|import\(|fetch\(|XMLHttpRequest|WebSocket|\.href|\.src\b|setTimeout\(['\"]"
)


def read(name: str) -> str:
    """Return a script's own text."""
    return (files("indimail_kit.widgets") / name).read_text(encoding="utf-8")


def test_the_common_part_stands_before_the_script():
    """A widget's script is one module: what all share, then its own."""
    assert script("rail.js") == read(COMMON) + "\n" + read("rail.js")


def test_a_script_that_is_none_is_refused():
    """A name that is no file of the folder is an error."""
    with pytest.raises(FileNotFoundError):
        script("none.js")


@pytest.mark.parametrize("name", WIDGETS)
def test_nothing_of_the_common_part_is_written_again(name):
    """A script that names one of the common functions or constants anew would be a second copy, and no module."""
    names = re.findall(r"^(?:const|function) (\w+)", script(name), re.MULTILINE)

    assert (len(names) > 5, sorted({one for one in names if names.count(one) > 1})) == (True, [])


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_make_no_markup_and_ask_for_nothing(name):
    """Our scripts write text and labels; no sink for markup, code or addresses is in them."""
    assert SINKS.findall(read(name)) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_use_only_classes_of_the_style_sheet(name):
    """A class in a script is in style.css, too."""
    assert set(re.findall(r"ik-[a-z0-9-]+", read(name))) - style_classes() == set()
