"""One page of a log's tables as words: what a browser is sent, and the same as HTML. Pure.

Rule 1: never more than PAGE_ROWS rows, whatever the log holds.
Rule 2: every text is made visible before it leaves: a log quotes whoever spoke to the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd

from indimail_kit.tables.questions_logs_reasons import plain_text
from indimail_kit.visible import visible
from indimail_kit.widgets.html import Html
from indimail_kit.widgets.log_tables import NOT_A_TIME, OUTCOMES, Chosen, LogTables, ReasonCount
from indimail_kit.widgets.pages import (
    MAX_CHARACTERS,
    Cell,
    Columns,
    Page,
    address_cell,
    cell_html,
    cut,
    known,
    table_html,
)
from indimail_kit.widgets.queue_words import age_text, count_text, local_text, moment_text, size_text

View = Literal["messages", "deliveries", "reasons", "unknown"]
"""What a table shows."""

VIEWS: Final[tuple[View, ...]] = ("messages", "deliveries", "reasons", "unknown")

VIEW_WORDS: Final[dict[View, str]] = {
    "messages": "messages",
    "deliveries": "deliveries",
    "reasons": "reasons",
    "unknown": "unknown lines",
}
"""View -> its name for a person."""

LETTERS: Final[dict[View, str]] = {"messages": "m", "deliveries": "d", "reasons": "r", "unknown": "u"}
"""View -> first letter of what opens a row of it."""

SIGNS: Final = {
    "success": ("✓", "success", "ik-clean"),
    "deferral": ("↻", "deferral", "ik-not-scanned"),
    "failure": ("✕", "failure", "ik-failed"),
    "open": ("…", "under way", "ik-working"),
    "cut": ("?", "not told", "ik-none"),
}
"""Outcome -> mark, word and class of its chip."""

MAX_TEXT: Final = 110
"""Longest report or line in a row (unit: characters); an opened row has the whole."""

COLUMNS: Final[dict[View, Columns]] = {
    "messages": (
        ("queue", "ik-log-c-queue"),
        ("number", "ik-log-c-number"),
        ("queued (UTC)", "ik-log-c-moment"),
        ("sender", "ik-log-c-address"),
        ("size", "ik-log-c-count"),
        ("deliveries", "ik-log-c-done"),
        ("in the queue", "ik-log-c-age"),
        ("", "ik-log-c-only"),
    ),
    "deliveries": (
        ("delivery", "ik-log-c-number"),
        ("started (UTC)", "ik-log-c-moment"),
        ("channel", "ik-log-c-queue"),
        ("recipient", "ik-log-c-address"),
        ("outcome", "ik-log-c-outcome"),
        ("after", "ik-log-c-age"),
        ("report", "ik-log-c-text"),
        ("", "ik-log-c-only"),
    ),
    "reasons": (
        ("outcome", "ik-log-c-outcome"),
        ("reason", "ik-log-c-text"),
        ("deliveries", "ik-log-c-count"),
        ("share", "ik-log-c-count"),
        ("messages", "ik-log-c-count"),
        ("first (UTC)", "ik-log-c-moment"),
        ("last (UTC)", "ik-log-c-moment"),
        ("", "ik-log-c-only"),
    ),
    "unknown": (
        ("time (UTC)", "ik-log-c-moment"),
        ("file", "ik-log-c-queue"),
        ("offset", "ik-log-c-number"),
        ("line", "ik-log-c-text"),
        ("", "ik-log-c-only"),
    ),
}
"""View -> heading and class of each column; the last one holds the button that filters by the row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        key: What it opens: "m17" is the message of row 17.
        cells: All cells but the button.
        only: What the button says that leaves only what belongs to the row; "" for no button.
    """

    key: str
    cells: tuple[Cell, ...]
    only: str = ""

    def as_document(self) -> dict[str, Any]:
        """Return what the browser draws, as texts only."""
        return {
            "key": self.key,
            "cells": [cell.as_document() for cell in self.cells],
            "only": self.only,
            "label": visible(", ".join(cell.text for cell in self.cells)),
        }


LogPage = Page[Row]
"""One page of a view."""


def page_of(tables: LogTables, chosen: Chosen, view: View, number: int = 1) -> LogPage:
    """Return one page.

    Args:
        tables: The log.
        chosen: What the filters leave.
        view: What to show.
        number: Which page, from 1; a number beyond the last is the last.
    """
    views: dict[View, Any] = {
        "messages": chosen.messages,
        "deliveries": chosen.deliveries,
        "reasons": chosen.reasons,
        "unknown": chosen.unknown,
    }
    found = views[view]
    here, number, pages = cut(found, number)
    if view == "messages":
        rows = tuple(_message_row(tables, int(row)) for row in here)
    elif view == "deliveries":
        rows = tuple(_delivery_row(tables, int(row)) for row in here)
    elif view == "reasons":
        total = sum(one.deliveries for one in chosen.reasons)
        rows = tuple(_reason_row(one, total) for one in here)
    else:
        rows = tuple(_unknown_row(tables, int(position)) for position in here)
    return Page(VIEW_WORDS[view], COLUMNS[view], rows, number, pages, len(found), _empty(tables, view))


def _empty(tables: LogTables, view: View) -> str:
    if not tables.count:
        return "The log has no line."
    if view == "unknown":
        return "No line here is unknown." if len(tables.unknown) else "Every line is understood."
    if view == "reasons":
        return "No delivery here was deferred or failed."
    here = tables.messages if view == "messages" else tables.deliveries
    return f"None of the {view} fits these filters." if len(here) else f"qmail-send tells of no {view} in this log."


def counts_of(chosen: Chosen) -> dict[str, str]:
    """Return how many rows each view has."""
    numbers = (len(chosen.messages), len(chosen.deliveries), len(chosen.reasons), len(chosen.unknown))
    return {view: f"{number:,}" for view, number in zip(VIEWS, numbers, strict=True)}


def chosen_sentence(tables: LogTables, chosen: Chosen) -> str:
    """Return what the filters leave in a sentence."""
    messages, deliveries = len(chosen.messages), len(chosen.deliveries)
    if messages == len(tables.messages) and deliveries == len(tables.deliveries):
        return f"{count_text(messages, 'message')} and {_deliveries(deliveries)}: everything."
    of_all = f"{len(tables.messages):,} and {len(tables.deliveries):,}"
    return f"{count_text(messages, 'message')} and {_deliveries(deliveries)} of {of_all} fit."


def _deliveries(count: int) -> str:
    return "1 delivery" if count == 1 else f"{count:,} deliveries"


def understood_text(lines: int, unknown: int) -> str:
    """Return how much of a log is understood: lines, unknown ones, and their share to two digits that say something."""
    if not lines:
        return "0 lines"
    if not unknown:
        return f"{count_text(lines, 'line')} · all understood"
    share = 100 * unknown / lines
    percent = f"{share:.2f}" if share >= 0.01 else f"{share:.1g}" if share >= 0.0001 else "less than 0.0001"
    return f"{count_text(lines, 'line')} · {lines - unknown:,} understood · {unknown:,} unknown ({percent} %)"


def text_cell(text: str | None, *, most: int = MAX_TEXT) -> Cell:
    """Return a report or a line, cut at its end when it is long."""
    if text is None:
        return Cell("–")
    shown = visible(text[: 4 * MAX_TEXT])
    return Cell(shown) if len(shown) <= most else Cell(f"{shown[: most - 1]}…", shown[: 4 * MAX_TEXT])


def moment_cell(unix_ns: int) -> Cell:
    """Return a moment in UTC, with the local time on hover."""
    return Cell("–", "no stamp") if unix_ns == NOT_A_TIME else Cell(moment_text(unix_ns), local_text(unix_ns))


def outcome_cell(code: int) -> Cell:
    """Return an outcome as a chip."""
    mark, word, cls = SIGNS[OUTCOMES[code]]
    return Cell(f"{mark} {word}", "", cls)


def duration_text(duration_s: float) -> str:
    """Return how long something took, with its unit; short ones in milliseconds."""
    if 0 <= duration_s < 10:
        return f"{duration_s * 1000:,.0f} ms" if duration_s < 1 else f"{duration_s:.1f} s"
    return age_text(duration_s)


def _duration_cell(begin_ns: int, end: Any, *, is_open: bool) -> Cell:
    if end is None or begin_ns == NOT_A_TIME:
        return Cell("still" if is_open else "–", "at the end of the log" if is_open else "the log does not tell")
    return Cell(duration_text((int(end.value) - begin_ns) / 1e9), f"until {moment_text(int(end.value))} UTC")


def _message_row(tables: LogTables, row: int) -> Row:
    one = tables.messages.iloc[row]
    size = known(one["message_bytes"])
    begin = int(tables.message_spans[0][row])
    parts = ((int(one["successes"]), "✓"), (int(one["failures"]), "✕"), (int(one["deferrals"]), "↻"))
    told = " ".join(f"{count:,} {mark}" for count, mark in parts if count)
    words = ", ".join(f"{count:,} {name}" for (count, _), name in zip(parts, _PARTS, strict=True))
    cells = (
        Cell(str(one["queue"]) or "–"),
        Cell(str(int(one["message_number"])), f"life {int(one['lifetime'])} of this number"),
        moment_cell(begin),
        address_cell(known(one["sender"])),
        Cell("–" if size is None else size_text(int(size))),
        Cell(told or "none", words),
        _duration_cell(begin, known(one["ended_at"]), is_open=bool(one["is_open"])),
    )
    return Row(f"m{row}", cells, "only this message")


_PARTS: Final = ("successes", "failures", "deferrals")


def _delivery_row(tables: LogTables, row: int) -> Row:
    one = tables.deliveries.iloc[row]
    begin = int(tables.delivery_spans[0][row])
    queued = known(one["queued_at"])
    since = NOT_A_TIME if queued is None else int(queued.value)
    code = int(tables.outcomes[row])
    cells = (
        Cell(f"{one['queue']} {int(one['delivery_number'])}".strip(), f"run {int(one['run'])} of qmail-send"),
        moment_cell(begin),
        Cell(str(known(one["channel"]) or "–")),
        address_cell(known(one["recipient"])),
        outcome_cell(code),
        _duration_cell(since, known(one["ended_at"]), is_open=OUTCOMES[code] == "open"),
        text_cell(None if pd.isna(one["report"]) else plain_text(str(one["report"]))),
    )
    return Row(f"d{row}", cells, "its message" if tables.owner[row] >= 0 else "")


def _reason_row(one: ReasonCount, total: int) -> Row:
    cells = (
        outcome_cell(OUTCOMES.index(one.reason.outcome)),
        text_cell(one.reason.text or "(no text)", most=2 * MAX_TEXT),
        Cell(f"{one.deliveries:,}"),
        Cell(f"{100 * one.deliveries / total:.1f} %"),
        Cell(f"{one.messages:,}"),
        moment_cell(one.first_ns),
        moment_cell(one.last_ns),
    )
    return Row(f"r{one.reason.code}", cells, "only this reason")


def _unknown_row(tables: LogTables, position: int) -> Row:
    one = tables.events.iloc[position]
    file = str(one["file"])
    shown = visible(file.rpartition("/")[2] or "–")
    cells = (
        moment_cell(int(tables.times[position])),
        Cell(shown if len(shown) <= MAX_CHARACTERS else f"{shown[: MAX_CHARACTERS - 1]}…", file),
        Cell(f"{int(one['byte_offset']):,}"),
        text_cell(str(one["text"])),
    )
    return Row(f"u{position}", cells)


def page_html(page: LogPage) -> Html:
    """Return a page as a table that needs no kernel: all columns but the buttons."""
    columns = page.columns[:-1]
    return table_html(page, lambda row: _cells_html(row, columns), columns=columns, cls="ik-log-table")


def _cells_html(row: Row, columns: Columns) -> list[Html]:
    return [
        cell_html(cell, column, label="ik-log-label", value="ik-log-value")
        for cell, column in zip(row.cells, columns, strict=True)
    ]
