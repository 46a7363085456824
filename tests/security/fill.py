"""Make a value of any type of ours, with the same text wherever a text can stand.

Rule 1: a type that cannot be filled is an error that names the field, never a value left out.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import types
import typing
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, Union, get_args, get_origin

_PLAIN: dict[Any, Any] = {
    int: 7,
    float: 1.5,
    bool: True,
    object: None,
    type(None): None,
    Any: None,
    datetime: datetime(2026, 11, 22, tzinfo=UTC),
}


VALID: dict[tuple[str, str], Any] = {
    ("Finding", "key"): "no-queue",
    ("Violation", "rule"): "wrong-mode",
    **{("FilterRule", name): "bob@example.com" for name in ("emailid", "filter_name", "keyword", "destination")},
    ("FilterRule", "bounce_action"): "0",
}
"""Class and field -> a value that the class checks: one of a closed set, or a text that must be short."""

_open: list[Any] = []
"""The dataclasses that are being filled: one within itself is left out where a collection may be empty."""


class CannotFillError(TypeError):
    """A type that `fill` does not know."""


def fill(kind: Any, text: str) -> Any:
    """Return a value of a type: every text is `text`, every collection has one element, every choice is its first."""
    if kind in (str, typing.LiteralString):
        return text
    if kind is bytes:
        return text.encode("utf-8", "surrogatepass")
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, typing.TypeVar):
        return text
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is typing.Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return fill(next(one for one in arguments if one is not type(None)), text)
    if origin is tuple and arguments[0] in _open:
        return ()
    if origin is tuple:
        return tuple(fill(one, text) for one in arguments if one is not Ellipsis)
    if origin in (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection):
        return [fill(arguments[0], text)]
    if origin in (set, frozenset):
        return frozenset({fill(arguments[0], text)})
    if origin in (dict, collections.abc.Mapping, types.MappingProxyType):
        return {fill(arguments[0], text): fill(arguments[1], text)}
    if origin is typing.Annotated or origin is typing.Final or origin is typing.ClassVar:
        return fill(arguments[0], text)
    if origin in (collections.abc.Callable, type):
        return lambda *_arguments, **_named: text
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return Path(text.replace("\0", ""))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    if dataclasses.is_dataclass(kind):
        return filled(kind, text)
    raise CannotFillError(f"{kind!r}")


def filled(kind: Any, text: str) -> Any:
    """Return a dataclass whose every field is filled."""
    hints = typing.get_type_hints(kind, localns=_names_of(kind))
    values = {}
    _open.append(kind)
    try:
        for field in dataclasses.fields(kind):
            if (kind.__name__, field.name) in VALID:
                values[field.name] = VALID[kind.__name__, field.name]
            elif field.init:
                values[field.name] = fill(hints[field.name], text)
    except CannotFillError as error:
        raise CannotFillError(f"{kind.__name__}.{field.name}: {error}") from None
    finally:
        _open.pop()
    return kind(**values)


def _names_of(kind: Any) -> dict[str, Any]:
    """Return the names that the module of a class imports for its types only."""
    import ast
    import importlib
    import inspect
    import sys

    names: dict[str, Any] = {}
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[kind.__module__]))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            module = importlib.import_module(node.module)
            names |= {
                one.asname or one.name: getattr(module, one.name) for one in node.names if hasattr(module, one.name)
            }
    return names
