"""One page of a table: what QueueBrowser, LogExplorer and TraceView send a browser, whatever its rows are. Pure.

Rule 1: never more rows than a page has, PAGE_ROWS if nothing else is said.
Rule 2: every text is made visible before it leaves: addresses and reports are hostile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import pandas as pd

from indimail_kit.visible import visible
from indimail_kit.widgets.html import Html, tag

PAGE_ROWS: Final = 25
"""Rows of a page."""

MAX_CHARACTERS: Final = 52
"""Longest address in a row (unit: characters); longer ones are shortened in the middle, the whole on hover."""

Columns = tuple[tuple[str, str], ...]
"""Heading and class of each column."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a row.

    Attributes:
        text: What is seen.
        hover: What is seen on hover; "" for nothing.
        cls: Class of a chip; "" for plain text.
    """

    text: str
    hover: str = ""
    cls: str = ""

    def as_document(self) -> list[str]:
        """Return what the browser draws."""
        return [visible(self.text), visible(self.hover), self.cls]


class PageRow(Protocol):
    """What a row of a page can do."""

    def as_document(self) -> dict[str, Any]:
        """Return what the browser draws, as texts only."""
        ...


R = TypeVar("R", bound=PageRow)


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page of a view.

    Attributes:
        caption: Name of the view for a person.
        columns: Its columns.
        rows: At most `size`.
        number: Which page, from 1.
        pages: How many there are, at least 1.
        total: Rows of all pages.
        empty: What to say when there is no row.
        size: Most rows of a page.
    """

    caption: str
    columns: Columns
    rows: tuple[R, ...]
    number: int
    pages: int
    total: int
    empty: str
    size: int = PAGE_ROWS

    @property
    def where(self) -> str:
        """Return which rows these are."""
        first = (self.number - 1) * self.size + 1
        return f"{first:,}–{first + len(self.rows) - 1:,} of {self.total:,} · page {self.number:,} of {self.pages:,}"

    def as_document(self) -> dict[str, Any]:
        """Return what the browser draws, as texts only."""
        return {
            "caption": self.caption,
            "columns": [list(column) for column in self.columns],
            "rows": [row.as_document() for row in self.rows],
            "page": self.number,
            "pages": self.pages,
            "where": self.where if self.rows else "",
            "empty": self.empty,
        }


def cut(found: Sequence[Any] | Any, number: int, *, size: int = PAGE_ROWS) -> tuple[Any, int, int]:
    """Cut one page out of what was found.

    Args:
        found: A sequence or an array.
        number: Which page, from 1; a number beyond the last is the last.
        size: Most rows of a page.

    Returns:
        What is on the page, its number, and how many pages there are, at least 1.

    Example:
        >>> cut(range(30), 9)
        (range(25, 30), 2, 2)
    """
    pages = max(1, -(-len(found) // size))
    number = max(1, min(number, pages))
    return found[(number - 1) * size : number * size], number, pages


def known(value: Any) -> Any:
    """Return a value of a table, None for one that is missing."""
    return None if pd.isna(value) else value


def address_cell(address: str | None) -> Cell:
    """Return an address, shortened in the middle when it is long; an empty one is a bounce's sender."""
    if address is None:
        return Cell("–", "not known")
    if not address:
        return Cell("(empty)", "an empty sender: a bounce")
    shown = visible(address)
    if len(shown) <= MAX_CHARACTERS:
        return Cell(shown)
    half = (MAX_CHARACTERS - 1) // 2
    return Cell(f"{shown[:half]}…{shown[-half:]}", shown)


def table_html(page: Page[R], cells: Callable[[R], Iterable[Html]], *, columns: Columns, cls: str) -> Html:
    """Return a page as a table that needs no kernel.

    Args:
        page: The page.
        cells: Gives the cells of a row.
        columns: The columns to show.
        cls: Class of the table.
    """
    if not page.rows:
        return tag("p", page.empty, cls="ik-empty")
    head = tag("tr", *(tag("th", name, cls=place, scope="col") for name, place in columns))
    rows = [tag("tr", *cells(row)) for row in page.rows]
    caption = tag("caption", f"{page.caption}: {page.where}")
    return tag("table", caption, tag("thead", head), tag("tbody", *rows), cls=f"ik-table {cls}")


def cell_html(cell: Cell, column: tuple[str, str], *, label: str, value: str) -> Html:
    """Return a cell, with the name of its column for a narrow page.

    Args:
        cell: The cell.
        column: Heading and class of its column.
        label: Class of the name.
        value: Class of a plain text; a chip has its own.
    """
    name, place = column
    hover = {"title": cell.hover} if cell.hover else {}
    shown = tag("span", cell.text, cls=f"ik-chip {cell.cls}" if cell.cls else value, **hover)
    return tag("td", tag("span", name, cls=label, aria_hidden="true"), shown, cls=place)
