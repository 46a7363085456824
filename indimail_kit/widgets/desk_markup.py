"""The overview of a server's queues as HTML. Pure.

Rule 1: every element comes through the door in `indimail_kit.widgets.html`.
"""

from __future__ import annotations

from typing import Final

from indimail_kit.admin.overview import Overview
from indimail_kit.widgets.html import Html, join, tag
from indimail_kit.widgets.markup import command_html
from indimail_kit.widgets.pages import Cell, cell_html
from indimail_kit.widgets.queue_words import moment_text

_TEXTS: Final = ("queue", "qmail-send", "room")
"""Columns whose cells are words; the others are numbers."""


def overview_html(seen: Overview) -> Html:
    """Return what a person should know first, and a row for each queue."""
    told = tag("ul", *(tag("li", sentence) for sentence in seen.sentences), cls="ik-summaries")
    head = tag("tr", *(tag("th", name, cls=_class(name), scope="col") for name in seen.columns))
    rows = [tag("tr", *(_cell(name, cell) for name, cell in zip(seen.columns, row, strict=True))) for row in seen.rows]
    caption = tag("caption", f"Queues at {moment_text(seen.taken_ns)} UTC")
    table = tag("table", caption, tag("thead", head), tag("tbody", *rows), cls="ik-table ik-log-table ik-desk-table")
    return join([told, table, command_html(f"indimail-kit queue overview --queue {seen.place}")])


def _cell(name: str, text: str) -> Html:
    return cell_html(Cell(text), (name, _class(name)), label="ik-log-label", value="ik-log-value")


def _class(name: str) -> str:
    return "ik-c-names" if name in _TEXTS else "ik-c-count"
