"""The room of widgets as a whole."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import indimail_kit
from indimail_kit import widgets

PACKAGE = Path(indimail_kit.__file__).parent
MARKUP = re.compile(
    r"</?(?:a|b|i|p|br|div|span|pre|table|tr|td|th|ul|ol|li|h[1-6]|code|style|script|img|details|summary|svg)\b[^<>]*/?>"
)


def texts_of(path: Path) -> list[str]:
    """Return the string constants of a module, its docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        node.body[0].value for node in ast.walk(tree) if isinstance(node, documented) and ast.get_docstring(node)
    }
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [node.value for node in constants if node not in docstrings]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_markup_is_made_behind_the_door_only(path):
    """No module but the door has markup in a text, so nothing can be glued together beside it."""
    # An address in angle brackets, as in a log line, is no markup.
    found = [text for text in texts_of(path) if any("@" not in tag for tag in MARKUP.findall(text))]

    assert found == [] or path == PACKAGE / "widgets" / "html.py"


@pytest.mark.parametrize("module", ["indimail_kit.widgets", "indimail_kit.widgets.markup"])
def test_html_needs_no_jupyter(module):
    """The room and its HTML import neither ipywidgets nor IPython nor pandas."""
    script = (
        f"import sys, {module}; print([name for name in ('ipywidgets', 'IPython', 'pandas') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "[]\n"


def test_public_names_are_there():
    """Each name of __all__ can be had, and dir lists them."""
    assert ([name for name in widgets.__all__ if not callable(getattr(widgets, name))], dir(widgets)) == (
        [],
        widgets.__all__,
    )


def test_another_name_is_an_attribute_error():
    """A misspelt widget says so."""
    with pytest.raises(AttributeError, match="no attribute 'JourneyVeiw'"):
        _ = widgets.JourneyVeiw


@pytest.mark.parametrize("view", [name for name in widgets.__all__ if name[0].isupper()])
def test_readme_and_the_room_tell_of_every_view(view):
    """A view that exists is in the README's table, and in the first words of the room."""
    readme = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")

    assert (f"| `{view}(" in readme, f"`{view}`" in widgets.__doc__) == (True, True)
