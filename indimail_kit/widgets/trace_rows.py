"""The rows of TraceView: the story of one message as a time line with its gaps; several messages to choose from.

Source: LOOK, the sketch of TraceView. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from indimail_kit.trace.story import SIGNS as SHAPES
from indimail_kit.trace.story import SOURCES, Confidence, Evidence, Trace, iso
from indimail_kit.visible import visible
from indimail_kit.widgets.pages import Cell, Columns, Page, address_cell, cut
from indimail_kit.widgets.queue_words import local_text, moment_text

STORY_ROWS: Final = 100
"""Rows of a story's page."""

MAX_TEXT: Final = 300
"""Longest line in a row (unit: characters); an opened row has the whole."""

CHIPS: Final[dict[Confidence, str]] = {
    "certain": "ik-trace-certain",
    "likely": "ik-trace-likely",
    "possible": "ik-trace-possible",
}
"""Confidence -> class of its chip: its outline."""

STORY: Final[Columns] = (
    ("time (UTC)", "ik-trace-c-time"),
    ("source", "ik-trace-c-source"),
    ("what it says", "ik-trace-c-text"),
    ("how sure", "ik-trace-c-sure"),
)
"""Columns of a story."""

CANDIDATES: Final[Columns] = (
    ("first seen (UTC)", "ik-trace-c-time"),
    ("message", "ik-trace-c-message"),
    ("sender", "ik-trace-c-address"),
    ("recipient", "ik-trace-c-address"),
    ("its story", "ik-trace-c-sure"),
)
"""Columns of the messages that fit."""

NO_TIME: Final = "———"
"""What stands for a time that nothing tells."""


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One row.

    Attributes:
        key: "e3" is the fourth piece of evidence, "g0" a gap, "c2" the third message that fits.
        cells: Its cells.
        why: Why it is not certain; "" for what is, and for what is no evidence.
        day: The day that begins with this row; "" if none does.
    """

    key: str
    cells: tuple[Cell, ...]
    why: str = ""
    day: str = ""

    @property
    def is_gap(self) -> bool:
        """Say whether it is a gap, which cannot be opened."""
        return self.key.startswith("g")

    def as_document(self) -> dict[str, Any]:
        """Return what the browser draws, as texts only."""
        cells = [cell.as_document() for cell in self.cells]
        said = ", ".join(shown for shown, _, _ in cells)
        return {
            "key": self.key,
            "cells": cells,
            "label": said + (f", {visible(self.why)}" if self.why else ""),
            "why": visible(self.why),
            "day": self.day,
            "gap": self.is_gap,
        }


TracePage = Page[TraceRow]
"""A page of a story, or of messages to choose from."""


def confidence_text(confidence: Confidence) -> str:
    """Return a confidence as shape, letter and word: ``● C certain``."""
    return f"{SHAPES[confidence]} {confidence[0].upper()} {confidence}"


def confidence_cell(confidence: Confidence) -> Cell:
    """Return a confidence as a chip."""
    return Cell(confidence_text(confidence), "", CHIPS[confidence])


def story_rows(trace: Trace) -> tuple[TraceRow, ...]:
    """Return the story of one message: its evidence in the order of time, each gap where its station is missing."""
    rows: list[TraceRow] = []
    day = ""
    for key, told in _in_order(trace):
        if isinstance(told, str):
            rows.append(_gap_row(key, told))
            continue
        now = (iso(told.unix_ns) or "")[:10] if told.unix_ns is not None else ""
        rows.append(_evidence_row(key, told, now if now != day else ""))
        day = now or day
    return tuple(rows)


def _in_order(trace: Trace) -> Iterator[tuple[str, Evidence | str]]:
    """Yield evidence and gaps; a gap stands before the first evidence of a later station, else at the end."""
    gaps = sorted(enumerate(trace.gaps), key=lambda one: _station(one[1]))
    for number, one in enumerate(trace.evidence):
        place = SOURCES.index(one.source)
        while gaps and _station(gaps[0][1]) < place:
            at, gap = gaps.pop(0)
            yield f"g{at}", gap
        yield f"e{number}", one
    yield from ((f"g{at}", gap) for at, gap in gaps)


def _station(gap: str) -> int:
    """Return the place of a gap's station on the journey."""
    name = gap.partition(": ")[0]
    places: dict[str, int] = {source: place for place, source in enumerate(SOURCES)}
    return places.get(name, len(SOURCES))


def _evidence_row(key: str, one: Evidence, day: str) -> TraceRow:
    cells = (time_cell(one.unix_ns), Cell(one.source), long_cell(one.text), confidence_cell(one.confidence))
    return TraceRow(key, cells, "" if one.confidence == "certain" else one.reason, day)


def _gap_row(key: str, gap: str) -> TraceRow:
    name, _, text = gap.partition(": ")
    return TraceRow(
        key, (Cell(NO_TIME, "no time: nothing tells"), Cell(name), Cell(text), Cell("– gap", "", "ik-none"))
    )


def time_cell(unix_ns: int | None) -> Cell:
    """Return the time of day in UTC to the millisecond; date and local time on hover."""
    if unix_ns is None:
        return Cell(NO_TIME, "no time: it stands in no stamp")
    text = iso(unix_ns) or ""
    return Cell(text[11:23] if text.endswith("Z") else text, local_text(unix_ns))


def long_cell(text: str) -> Cell:
    """Return a line, cut at its end when it is long."""
    shown = visible(text[:MAX_TEXT])
    return Cell(shown) if len(text) <= MAX_TEXT else Cell(f"{shown}…", f"{len(text):,} characters; open the row")


def candidate_row(number: int, trace: Trace) -> TraceRow:
    """Return a message that fits, with how sure its own story is."""
    one = trace.message
    name = "not queued" if one.message_number is None else f"{one.queue or 'queue ?'} {one.message_number}"
    hover = ", ".join(
        [*([f"life {one.lifetime}"] if one.lifetime else []), *([f"qp {one.qp}"] if one.qp is not None else [])]
    )
    first = one.recipients[0] if one.recipients else None
    more = f" + {len(one.recipients) - 1}" if len(one.recipients) > 1 else ""
    recipient = address_cell(first)
    when = one.began_ns
    cells = (
        Cell(NO_TIME) if when is None else Cell(moment_text(when), local_text(when)),
        Cell(name, hover),
        address_cell(one.sender),
        Cell(recipient.text + more, recipient.hover),
        confidence_cell(trace.alone().confidence),
    )
    return TraceRow(f"c{number}", cells)


def story_page(trace: Trace, number: int) -> TracePage:
    """Return a page of a story."""
    rows = story_rows(trace)
    here, number, pages = cut(rows, number, size=STORY_ROWS)
    empty = "Nothing tells of it."
    return Page("The story", STORY, tuple(here), number, pages, len(rows), empty, STORY_ROWS)


def candidates_page(candidates: Sequence[Trace], number: int) -> TracePage:
    """Return a page of the messages that fit."""
    here, number, pages = cut(range(len(candidates)), number)
    rows = tuple(candidate_row(place, candidates[place]) for place in here)
    caption = "Messages that fit"
    return Page(caption, CANDIDATES, rows, number, pages, len(candidates), "No message fits.")


def story_sentence(trace: Trace) -> str:
    """Return in a sentence what a story has: evidence by confidence, and gaps."""
    kinds: Sequence[Confidence] = sorted((one.confidence for one in trace.evidence), key=list(CHIPS).index)
    counts = ", ".join(f"{len([*group])} {kind}" for kind, group in groupby(kinds))
    gaps = "no gap" if not trace.gaps else "1 gap" if len(trace.gaps) == 1 else f"{len(trace.gaps)} gaps"
    pieces = "1 piece" if len(trace.evidence) == 1 else f"{len(trace.evidence)} pieces"
    return f"{pieces} of evidence ({counts}), {gaps}."
