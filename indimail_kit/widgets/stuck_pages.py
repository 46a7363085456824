"""Stuck mail as pages: reasons, and who waits; what a browser is sent, and the same as HTML. Pure.

Rule 1: never more than PAGE_ROWS rows, whatever the queue holds.
Rule 2: every text is made visible before it leaves: addresses and reports are hostile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from indimail_kit.widgets.html import Html
from indimail_kit.widgets.log_pages import MAX_TEXT, LogPage, Row, page_html, text_cell
from indimail_kit.widgets.pages import Cell, Columns, Page, address_cell, cut, known
from indimail_kit.widgets.queue_words import age_text, local_text, moment_text

if TYPE_CHECKING:
    import pandas as pd

View = Literal["reasons", "recipients"]
VIEWS: Final[tuple[View, View]] = ("reasons", "recipients")

COLUMNS: Final[dict[View, Columns]] = {
    "reasons": (
        ("known", "ik-log-c-outcome"),
        ("why it waits", "ik-log-c-text"),
        ("recipients", "ik-log-c-count"),
        ("messages", "ik-log-c-count"),
        ("domains", "ik-log-c-count"),
        ("oldest", "ik-log-c-age"),
        ("last deferral (UTC)", "ik-log-c-moment"),
        ("", "ik-log-c-only"),
    ),
    "recipients": (
        ("queue", "ik-log-c-age"),
        ("number", "ik-log-c-number"),
        ("age", "ik-log-c-age"),
        ("to", "ik-log-c-address"),
        ("deferrals", "ik-log-c-count"),
        ("sure", "ik-log-c-outcome"),
        ("why it waits", "ik-log-c-text"),
        ("", "ik-log-c-only"),
    ),
}
"""View -> heading and class of each column; the last one holds the row's button."""

_SURE: Final = {
    "certain": Cell("● certain", "number, birth, size and sender agree", "ik-clean"),
    "likely": Cell("◐ likely", "", "ik-not-scanned"),
    None: Cell("? not known", "", "ik-none"),
}
"""Confidence -> its chip."""


def page_of(reasons: pd.DataFrame, waiting: pd.DataFrame, view: View, number: int = 1) -> LogPage:
    """Return one page.

    Args:
        reasons: The table STUCK_REASONS.
        waiting: The table STUCK, or the rows of one reason.
        view: What to show.
        number: Which page, from 1; a number beyond the last is the last.
    """
    table = reasons if view == "reasons" else waiting
    here, number, pages = cut(range(len(table)), number)
    make = _reason_row if view == "reasons" else _recipient_row
    rows = tuple(make(place, table.iloc[place]) for place in here)
    return Page(view, COLUMNS[view], rows, number, pages, len(table), "Nobody waits in this queue.")


def static_page_html(page: LogPage) -> Html:
    """Return a page as a table that needs no kernel."""
    return page_html(page)


def _reason_row(place: int, one: pd.Series[Any]) -> Row:
    is_known = bool(one["is_known"])
    likely = int(one["likely"])
    chip = Cell("✓ told", f"{likely:,} of them only likely" if likely else "by the log", "ik-clean")
    cells = (
        chip if is_known else _SURE[None],
        text_cell(str(one["reason"]), most=2 * MAX_TEXT),
        Cell(f"{int(one['recipients']):,}"),
        Cell(f"{int(one['messages']):,}"),
        Cell(f"{int(one['domains']):,}"),
        _age_cell(one["oldest_age_s"]),
        _time_cell(one["last_at"]),
    )
    return Row(f"r{place}", cells, "who waits")


def _recipient_row(_place: int, one: pd.Series[Any]) -> Row:
    sure, note = known(one["confidence"]), str(one["note"])
    chip = _SURE[sure]
    cells = (
        Cell(str(one["queue"])),
        Cell(str(int(one["message_number"]))),
        _age_cell(one["age_s"]),
        address_cell(str(one["address"])),
        Cell(f"{int(one['deferrals']):,}"),
        Cell(chip.text, note or chip.hover, chip.cls),
        text_cell(known(one["text"]) or note),
    )
    return Row(f"{one['queue']}/{int(one['message_number'])}", cells, "choose")


def _age_cell(seconds: Any) -> Cell:
    return Cell("–", "not known") if known(seconds) is None else Cell(age_text(float(seconds)))


def _time_cell(moment: Any) -> Cell:
    if known(moment) is None:
        return Cell("–")
    return Cell(moment_text(int(moment.value)), local_text(int(moment.value)))
