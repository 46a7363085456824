"""A trace as HTML that needs no kernel: the story as a time line, its gaps, and the other messages that fit. Pure.

Rule 1: the rows are those of the widget, made by the same functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import EMPTY, Html, tag
from indimail_kit.widgets.pages import cell_html, table_html
from indimail_kit.widgets.trace_rows import (
    CHIPS,
    STORY,
    TracePage,
    TraceRow,
    candidates_page,
    confidence_text,
    story_page,
)

if TYPE_CHECKING:
    from indimail_kit.trace import Trace

TITLE: Final = "One message"


def trace_html(trace: Trace) -> Html:
    """Return what `TraceView` shows of a trace as HTML that needs no kernel.

    Args:
        trace: What `trace.message`, `trace.qp`, `trace.address` or a `Tracer` returned.
    """
    others = candidates_html(trace) if trace.others else EMPTY
    return standalone(heading_html(TITLE, trace.question), story_html(trace), others, label=TITLE)


def story_html(trace: Trace) -> Html:
    """Return the story of one message."""
    said = tag("p", str(trace.message), cls="ik-trace-who")
    return tag("div", said, verdict_html(trace), _table_html(story_page(trace, 1)), cls="ik-trace")


def verdict_html(trace: Trace) -> Html:
    """Return how sure the story is, and why."""
    chip = tag("span", confidence_text(trace.confidence), cls=f"ik-chip {CHIPS[trace.confidence]}")
    return tag("p", chip, tag("span", trace.reason, cls="ik-trace-reason"), cls="ik-trace-verdict")


def candidates_html(trace: Trace, number: int = 1) -> Html:
    """Return a page of the messages that fit a question."""
    return _table_html(candidates_page(trace.candidates, number))


def _table_html(page: TracePage) -> Html:
    cls = "ik-trace-table" if page.columns is STORY else "ik-trace-table ik-trace-choice"
    return table_html(page, lambda row: _cells_html(row, page), columns=page.columns, cls=cls)


def _cells_html(row: TraceRow, page: TracePage) -> Iterable[Html]:
    for cell, column in zip(row.cells, page.columns, strict=True):
        made = cell_html(cell, column, label="ik-trace-label", value="ik-trace-value")
        if column[1] == "ik-trace-c-text" and row.why:
            made = tag("td", _value_html(cell.text, cell.hover), tag("p", row.why, cls="ik-trace-why"), cls=column[1])
        elif column[1] == "ik-trace-c-time" and row.day:
            day = tag("p", row.day, cls="ik-trace-day")
            made = tag("td", day, _value_html(cell.text, cell.hover), cls=column[1])
        yield made


def _value_html(shown: str, hover: str) -> Html:
    """Return a cell's text, with what is seen on hover."""
    title = {"title": hover} if hover else {}
    return tag("span", shown, cls="ik-trace-value", **title)
