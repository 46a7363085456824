"""A table of text for a notebook, as HTML that stands alone: what a value of a lower room shows itself with.

Rule 1: cells are text and go through the one escaping door.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from indimail_kit.widgets.html import Html, join, style_element, tag


def grid_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """Return a table with a caption, the names of its columns, and its rows, as part of a view."""
    head = tag("tr", *(tag("th", name, scope="col") for name in heads))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    return tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body), cls="ik-table")


def grid_html(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """Return the same as HTML that stands alone."""
    table = grid_table(caption, heads, rows)
    return join([style_element(), tag("article", table, cls="ik-journey ik-static", aria_label=caption)])
