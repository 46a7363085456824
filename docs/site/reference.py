"""The pages of the Python interface: each room, each module that it hands on, each public name; from the docstrings.

Rule 1: a list is taken from where the product has it; nothing is said a second time here.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from types import ModuleType
from typing import Final

from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer

import indimail_kit as kit

CORE: Final = ("envelope", "errors", "exitcodes", "tai64", "visible")
"""Modules below all rooms."""


def public_names(module: ModuleType) -> tuple[str, ...]:
    """Return the public names of a module: its ``__all__``, or what it defines itself."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return tuple(listed)
    own = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }
    return tuple(sorted(own | {name for name in documented_constants(module) if not name.startswith("_")}))


def documented_constants(module: ModuleType) -> dict[str, str]:
    """Return constant -> the text below it, as the source of the module has them."""
    try:
        docs = ModuleAnalyzer.for_module(module.__name__).find_attr_docs()
    except PycodeError:
        return {}
    return {name: "\n".join(lines) for (owner, name), lines in docs.items() if not owner}


def origin(module: ModuleType, name: str) -> ModuleType:
    """Return the module that a name comes from, through every module that hands it on."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and any(name in (one.name, one.asname) for one in node.names):
            return origin(importlib.import_module(node.module or ""), name)
    return module


def text_of_constant(room: ModuleType, name: str) -> str:
    """Return the text of a constant, from where it comes from."""
    row = getattr(getattr(room, name), "row", "")
    told = f"A table with one row for {row}; its columns are in :doc:`columns`." if row else ""
    return documented_constants(origin(room, name)).get(name, told)


def directive(room: ModuleType, name: str) -> list[str]:
    """Return the lines that document one public name of a room."""
    value = getattr(room, name)
    path = f"{room.__name__}.{name}"
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        return [f".. auto{kind}:: {path}", "   :members:", ""]
    if inspect.isroutine(value):
        return [f".. autofunction:: {path}", ""]
    text = [f"   {line}" if line else "" for line in text_of_constant(room, name).splitlines()]
    return [f".. py:data:: {name}", f"   :module: {room.__name__}", "", *text, ""]


def heading(text: str, line: str = "=") -> list[str]:
    """Return a heading in reStructuredText."""
    return [text, line * len(text), ""]


def module_page(path: str) -> dict[str, str]:
    """Return the page of a room or module, and one for each module that it hands on by name."""
    module = importlib.import_module(path)
    names = public_names(module)
    short = path.removeprefix("indimail_kit.")
    handed_on = [name for name in names if inspect.ismodule(getattr(module, name))]
    lines = [*heading(short), f".. automodule:: {path}", "   :no-members:", ""]
    listed = [f":py:obj:`~{path}.{name}`" for name in names if name not in handed_on]
    lines += [f"Names: {', '.join(listed)}.", ""] if listed else []
    pages: dict[str, str] = {}
    if handed_on:
        for name in handed_on:
            pages |= module_page(getattr(module, name).__name__)
        lines += [*heading("Modules", "-"), ".. toctree::", "   :maxdepth: 1", "   :titlesonly:", ""]
        lines += [f"   {short}.{name}" for name in handed_on] + [""]
    for title, want in (("Functions", inspect.isroutine), ("Classes", inspect.isclass), ("Constants", _is_constant)):
        found = [name for name in names if name not in handed_on and want(getattr(module, name))]
        if found:
            lines += heading(title, "-")
            for name in found:
                lines += directive(module, name)
    return pages | {f"reference/{short}": "\n".join(lines)}


def _is_constant(value: object) -> bool:
    return not (inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value))


def api_pages() -> dict[str, str]:
    """Return a page for each room and core module, and the list of them."""
    pages: dict[str, str] = {}
    for name in (*kit.ROOMS, *CORE):
        pages |= module_page(f"indimail_kit.{name}")
    return pages
