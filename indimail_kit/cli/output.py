"""What all verbs print with: tables for people, one JSON document for programs.

Rule 1: text from mail, files or logs is made visible before it reaches the terminal; rich gets Text objects, never
markup.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from indimail_kit.visible import is_hidden, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import Console

T = TypeVar("T")
"""Whatever is passed on."""

EXIT_FOUND: Final = 1
"""Exit code: something was found (infected, a journey that went wrong)."""

EXIT_FAILED: Final = 3
"""Exit code: something needed is missing or failed."""

SIGNS: Final = {"CLEAN": "✓", "INFECTED": "✕", "NOT_SCANNED": "?", "ERROR": "!"}
"""Verdict -> the sign that stands beside its word everywhere."""

STYLES: Final = {"CLEAN": "green", "INFECTED": "bold red", "NOT_SCANNED": "yellow", "ERROR": "bold yellow"}
"""Verdict -> colour on a terminal; never the only sign."""


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json`` to a verb."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output, nothing else.")(
        command
    )


def json_text(document: object, *, indent: int | None = 2) -> str:
    r"""Return one JSON document in which every character that would steer a terminal is an escape; it says the same.

    An octet of a file name that is no UTF-8 is an escape too, as of a lone surrogate.

    Example:
        >>> json_text("\u202egnp.exe", indent=None)
        '"\\u202egnp.exe"'
    """
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1] if is_hidden(character, kept="\n") else character


def print_json(document: object) -> None:
    """Print one JSON document."""
    click.echo(json_text(document))


def complain(text: str) -> None:
    """Say on standard error what is wrong."""
    click.echo(f"indimail-kit: {visible(text)}", err=True)


def fault_text(error: Exception) -> str:
    """Return what went wrong, and with which file, in a sentence without its end."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def note(text: str) -> None:
    """Say on standard error what is going on."""
    click.echo(visible(text), err=True)


def progress(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    """Pass the steps on, with a bar on standard error if that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    if not sys.stderr.isatty():
        yield from steps
        return
    screen = Console(stderr=True, highlight=False, markup=False, emoji=False)
    yield from track(steps, description=what, total=total, console=screen, transient=True)


def console() -> Console:
    """Return a console for standard output: colour only on a terminal, wide enough in a pipe."""
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    return Console(highlight=False, markup=False, emoji=False, width=None if is_terminal else 160)


def print_table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[tuple[str, str]]]) -> None:
    """Print a table.

    Args:
        columns: (heading, "left" | "right") for each column.
        rows: For each row (text, rich style) for each column.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    screen = console()
    cells = [[(visible(text), style) for text, style in row] for row in rows]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for (heading, side), width in zip(columns, _widths(columns, cells, screen.width), strict=True):
        table.add_column(heading, justify="right" if side == "right" else "left", overflow="fold", width=width)
    for row in cells:
        table.add_row(*(Text(text, style=style) for text, style in row))
    screen.print(table)


_BETWEEN: Final = 3
"""Blanks between two columns of a table (unit: characters)."""

_MIN_TEXT: Final = 10
"""Least width of a column of text, where numbers keep theirs (unit: characters)."""


def _widths(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[tuple[str, str]]], room: int
) -> list[int | None]:
    """Return the widths of columns; None for what rich may choose.

    Where a table does not fit, texts and headings are folded and numbers and times stay whole; then times may be cut
    into date and time of day; if there is no room for that either, everything is folded.
    """
    cells = [[row[place][0] for row in rows] for place in range(len(columns))]
    headings = [heading for heading, _ in columns]
    gaps = _BETWEEN * (len(columns) - 1)
    natural = [max(map(len, (heading, *column))) for heading, column in zip(headings, cells, strict=True)]
    free: list[int | None] = [None] * len(columns)
    if sum(natural) + gaps <= room:
        return free
    words = [[word for cell in column for word in cell.split()] for column in cells]
    for whole in (cells, words):
        widths = [
            max(map(len, (*heading.split(), *column, ""))) if side == "right" else None
            for (heading, side), column in zip(columns, whole, strict=True)
        ]
        if sum(_MIN_TEXT if width is None else width for width in widths) + gaps <= room:
            return widths
    return free


def print_pairs(pairs: Iterable[tuple[str, str]], *, indent: int = 2) -> None:
    """Print label and value pairs in two aligned columns."""
    rows = [(label, visible(value)) for label, value in pairs]
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        click.echo(f"{' ' * indent}{label:<{width}}  {value}")
