"""One page of a queue's tables as words: what a browser is sent, and the same as HTML. Pure.

Rule 1: never more than PAGE_ROWS rows, whatever the queue holds.
Rule 2: every text is made visible before it leaves: addresses of a queue are hostile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from indimail_kit.mailqueue.states import QueueState
from indimail_kit.visible import visible
from indimail_kit.widgets.html import Html, tag
from indimail_kit.widgets.pages import PAGE_ROWS, Cell, Columns, Page, address_cell, cell_html, cut, known, table_html
from indimail_kit.widgets.queue_markup import state_class
from indimail_kit.widgets.queue_words import STATE_MARKS, age_text, count_text, local_text, moment_text, size_text

if TYPE_CHECKING:
    from indimail_kit.mailqueue.violations import Violation
    from indimail_kit.widgets.queue_tables import Chosen, QueueTables

View = Literal["queues", "messages", "recipients"]
"""What a table shows."""

VIEWS: Final[tuple[View, ...]] = ("queues", "messages", "recipients")
"""Every view, from the whole to its parts."""

MAX_BADGES: Final = 2
"""Badges in a row, one a rule; an opened message has all."""

COLUMNS: Final[dict[View, Columns]] = {
    "queues": (
        ("queue", "ik-queue-c-queue"),
        ("messages", "ik-queue-c-count"),
        ("S2", "ik-queue-c-count"),
        ("S3", "ik-queue-c-count"),
        ("S4", "ik-queue-c-count"),
        ("S5", "ik-queue-c-count"),
        ("no state", "ik-queue-c-count"),
        ("size", "ik-queue-c-count"),
        ("oldest", "ik-queue-c-age"),
        ("anomalies", "ik-queue-c-badges"),
    ),
    "messages": (
        ("queue", "ik-queue-c-queue"),
        ("number", "ik-queue-c-number"),
        ("state", "ik-queue-c-state"),
        ("age", "ik-queue-c-age"),
        ("size", "ik-queue-c-count"),
        ("sender", "ik-queue-c-address"),
        ("to do", "ik-queue-c-done"),
        ("anomalies", "ik-queue-c-badges"),
    ),
    "recipients": (
        ("queue", "ik-queue-c-queue"),
        ("number", "ik-queue-c-number"),
        ("channel", "ik-queue-c-channel"),
        ("recipient", "ik-queue-c-address"),
        ("", "ik-queue-c-done"),
        ("next try (UTC)", "ik-queue-c-moment"),
        ("anomalies", "ik-queue-c-badges"),
    ),
}
"""View -> heading and class of each column; the last one holds badges."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        id: What the row is, unique within its view.
        key: What it opens: "queue1/660188", or the name of a queue.
        cells: All cells but the badges.
        badges: (rule, text, why) of each badge.
        more: What is said of badges that are left out; "" for none.
    """

    id: str
    key: str
    cells: tuple[Cell, ...]
    badges: tuple[tuple[str, str, str], ...] = ()
    more: str = ""

    @property
    def label(self) -> str:
        """Return the row as a screen reader says it."""
        said = ", ".join(cell.text for cell in self.cells)
        wrong = ", ".join(f"{rule}: {text}" for rule, text, _ in self.badges)
        return f"{said}; {wrong}" if wrong else said

    def as_document(self) -> dict[str, Any]:
        """Return what the browser draws, as texts only."""
        return {
            "id": visible(self.id),
            "key": visible(self.key),
            "cells": [cell.as_document() for cell in self.cells],
            "badges": [[visible(one) for one in badge] for badge in self.badges],
            "more": self.more,
            "label": visible(self.label),
        }


QueuePage = Page[Row]
"""One page of a view."""


def page_of(tables: QueueTables, chosen: Chosen, view: View, number: int = 1) -> QueuePage:
    """Return one page.

    Args:
        tables: The picture.
        chosen: What the filters leave.
        view: What to show; the queues are always all shown.
        number: Which page, from 1; a number beyond the last is the last.
    """
    if view == "queues":
        rows = tuple(_queue_row(tables, name) for name in tables.names)
        return Page(view, COLUMNS[view], rows, 1, 1, len(rows), "There is no queue.")
    positions = chosen.messages if view == "messages" else chosen.recipients
    here, number, pages = cut(positions, number)
    make = _message_row if view == "messages" else _recipient_row
    rows = tuple(make(tables, int(position)) for position in here)
    noun = view.removesuffix("s")
    empty = f"No {noun} fits these filters." if tables.count else "The queue is empty. A mail that is sent fills it."
    return Page(view, COLUMNS[view], rows, number, pages, len(positions), empty)


def chosen_sentence(tables: QueueTables, chosen: Chosen) -> str:
    """Return what the filters leave in a sentence: how many, how many with anomalies, and what else is wrong."""
    found, odd = len(chosen.messages), int(tables.is_odd[chosen.messages].sum())
    there = count_text(tables.count, "message")
    fit = there if found == tables.count else f"{found:,} of {there} fit"
    wrong = f"{count_text(odd, 'message')} with anomalies" if odd else "no message with anomalies"
    stray = len(tables.loose)
    loose = f" {count_text(stray, 'more thing')} wrong in no message: see queues." if stray else ""
    return f"{fit}; {wrong}.{loose}"


def page_holding(tables: QueueTables, chosen: Chosen, key: str) -> int | None:
    """Return the page of messages on which an opened message stands, None when the filters leave it out."""
    queue, _, number = key.rpartition("/")
    if not number.isdecimal():
        return None
    place = tables.position_in(chosen, queue, int(number))
    return None if place is None else place // PAGE_ROWS + 1


def _badges(tables: QueueTables, queue: str, number: int) -> tuple[tuple[tuple[str, str, str], ...], str]:
    by_rule: dict[str, list[Violation]] = {}
    for one in tables.violations_of(queue, number):
        by_rule.setdefault(one.rule, []).append(one)
    badges = []
    for rule, found in by_rule.items():
        again = f", and {len(found) - 1} more like it" if len(found) > 1 else ""
        badges.append((rule, f"{found[0].text}{again}", found[0].why))
    left = len(badges) - MAX_BADGES
    return tuple(badges[:MAX_BADGES]), f"+{left}" if left > 0 else ""


def _queue_row(tables: QueueTables, name: str) -> Row:
    one = tables.summary[name]
    cells = (
        Cell(name),
        Cell(f"{one.messages:,}"),
        *(Cell(f"{count:,}" if count else "–") for count in one.states),
        Cell(size_text(one.size_bytes)),
        Cell("–" if one.oldest_s is None else age_text(one.oldest_s)),
    )
    rules = [(rule, count_text(count, "case"), why) for rule, count, why in one.rules]
    left = len(rules) - MAX_BADGES
    return Row(name, name, cells, tuple(rules[:MAX_BADGES]), f"+{left}" if left > 0 else "")


def _message_row(tables: QueueTables, position: int) -> Row:
    row = tables.messages.iloc[position]
    queue, number = str(row["queue"]), int(row["message_number"])
    state, age_s, size = known(row["state"]) or "", known(row["age_s"]), known(row["size_bytes"])
    birth = known(row["birth"])
    count, done = int(known(row["recipients"]) or 0), int(known(row["done"]) or 0)
    key = f"{queue}/{number}"
    cells = (
        Cell(queue),
        Cell(str(number)),
        Cell(f"{STATE_MARKS[state]} {state or 'no state'}", _meaning(state), cls=state_class(state)),
        Cell("–", "not preprocessed yet") if age_s is None else Cell(age_text(age_s), _moment(birth)),
        Cell("–" if size is None else size_text(int(size))),
        address_cell(known(row["sender"])),
        Cell(f"{count - done:,} of {count:,}"),
    )
    return Row(key, key, cells, *_badges(tables, queue, number))


def _meaning(state: str) -> str:
    return QueueState[state].value if state else "no state of qmail has these files"


def _moment(time: Any) -> str:
    return "" if time is None else local_text(int(time.value))


def _recipient_row(tables: QueueTables, position: int) -> Row:
    row = tables.recipients.iloc[position]
    queue, number = str(row["queue"]), int(row["message_number"])
    retry = known(row["next_retry"])
    key = f"{queue}/{number}"
    cells = (
        Cell(queue),
        Cell(str(number)),
        Cell(str(known(row["channel"]) or "–")),
        address_cell(known(row["address"])),
        Cell("✓ done" if bool(row["done"]) else "to do"),
        Cell("–")
        if retry is None
        else Cell(moment_text(int(retry.value)), f"{local_text(int(retry.value))}; as of the last stop of qmail-send"),
    )
    return Row(f"{key}#{position}", key, cells, *_badges(tables, queue, number))


def page_html(page: QueuePage) -> Html:
    """Return a page as a table that needs no kernel."""
    return table_html(page, lambda row: _cells_html(row, page.columns), columns=page.columns, cls="ik-queue-table")


def _cells_html(row: Row, columns: Columns) -> list[Html]:
    cells = [
        cell_html(cell, column, label="ik-queue-label", value="ik-queue-value")
        for cell, column in zip(row.cells, columns, strict=False)
    ]
    badges = [
        tag("span", f"⚠ {rule}", cls="ik-chip ik-queue-badge", title=f"{text}. {why}") for rule, text, why in row.badges
    ]
    cells.append(tag("td", *badges, row.more, cls=columns[-1][1]))
    return cells
