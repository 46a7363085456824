"""A page of a table: where it stands, what is cut out, and what a browser is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from indimail_kit.widgets.html import tag
from indimail_kit.widgets.pages import PAGE_ROWS, Cell, Page, cell_html, cut, known, table_html

COLUMNS = (("name", "ik-numbers"), ("", "ik-more"))


@dataclass(frozen=True)
class Row:
    """A row of one cell."""

    cell: Cell

    def as_document(self) -> dict[str, Any]:
        return {"cells": [self.cell.as_document()]}


def page(*texts, number=1, pages=1, total=None):
    """Return a page of these texts."""
    rows = tuple(Row(Cell(text)) for text in texts)
    return Page("things", COLUMNS, rows, number, pages, len(rows) if total is None else total, "There is nothing.")


@pytest.mark.parametrize(
    ("count", "number", "rows", "at", "pages"),
    [
        (0, 1, 0, 1, 1),
        (1, 1, 1, 1, 1),
        (PAGE_ROWS, 1, PAGE_ROWS, 1, 1),
        (PAGE_ROWS + 1, 1, PAGE_ROWS, 1, 2),
        (PAGE_ROWS + 1, 2, 1, 2, 2),
        (PAGE_ROWS + 1, 99, 1, 2, 2),
        (PAGE_ROWS + 1, 0, PAGE_ROWS, 1, 2),
    ],
)
def test_a_page_is_cut_out(count, number, rows, at, pages):
    """Both sides of the limit; a number beyond the ends is the end."""
    here, where, of = cut(range(count), number)

    assert (len(here), where, of) == (rows, at, pages)


def test_a_page_says_which_rows_it_has():
    """The second of two pages."""
    assert page("a", "b", number=2, pages=2, total=27).where == "26–27 of 27 · page 2 of 2"


def test_an_empty_page_says_so_and_is_nowhere():
    """No rows: no place, one sentence, in the document and without a kernel."""
    empty = page()
    shown = table_html(empty, lambda _row: [], columns=COLUMNS, cls="ik-queue-table")

    assert (empty.as_document()["where"], empty.as_document()["empty"], "There is nothing." in str(shown)) == (
        "",
        "There is nothing.",
        True,
    )


def test_hostile_text_stays_text():
    """A control character is made visible in the document; markup is escaped in the table."""
    hostile = page("<b>\x1b[2J")
    shown = str(
        table_html(
            hostile,
            lambda row: [cell_html(row.cell, COLUMNS[0], label="ik-queue-label", value="ik-queue-value"), tag("td")],
            columns=COLUMNS,
            cls="ik-queue-table",
        )
    )

    assert (hostile.as_document()["rows"][0]["cells"][0][0], "<b>" in shown, "things: 1–1 of 1" in shown) == (
        "<b>\\x1b[2J",
        False,
        True,
    )


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT], ids=repr)
def test_what_is_missing_is_none(missing):
    """Each way in which a table says that it does not know."""
    assert (known(missing), known(""), known(0)) == (None, "", 0)
