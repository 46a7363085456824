"""Domain × age as a grid of numbers with their weight: what QueueShape draws. Pure, without Jupyter.

Source: Postfix qshape(1): ages in doubling buckets, most frequent domains first, their sum above.

Rule 1: the numbers are those of `tables.qshape`; this module orders, weighs and names them.
Rule 2: colour is never the only sign: every cell has its number, and a cell without messages a dot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.tables.queue_schemas import BUCKET_NAMES, BUCKETS_MIN
from indimail_kit.visible import visible
from indimail_kit.widgets.html import Html, tag
from indimail_kit.widgets.queue_tables import Filters, Side
from indimail_kit.widgets.queue_words import age_text, count_text

if TYPE_CHECKING:
    import pandas as pd

MAX_DOMAINS: Final = 20
"""Most domains that have a row; the others are one row more."""

LEVELS: Final = 6
"""Steps of the scale of colours above nothing."""

ALL: Final = -1
"""Number of the column that counts all ages."""

NOUNS: Final[dict[Side, str]] = {"recipient": "recipient", "sender": "message"}
"""Whose domain -> what is counted."""


@dataclass(frozen=True, slots=True)
class ShapeRow:
    """One row of the grid.

    Attributes:
        domain: None for the row of all domains.
        counts: How many in each bucket.
    """

    domain: str | None
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Return how many at all ages."""
        return sum(self.counts)

    @property
    def name(self) -> str:
        """Return what stands in front of the row."""
        if self.domain is None:
            return "all domains"
        return visible(self.domain) or "(no domain)"


@dataclass(frozen=True, slots=True)
class Shape:
    """A queue's shape.

    Attributes:
        side: Whose domain.
        edges_s: Where each bucket begins (unit: s); the last one has no end.
        rows: All domains together, then the most frequent ones.
        domains: How many domains there are.
    """

    side: Side
    edges_s: tuple[int, ...]
    rows: tuple[ShapeRow, ...]
    domains: int

    def row(self, domain: str | None) -> ShapeRow | None:
        """Return the row of a domain; None when it has none."""
        return next((row for row in self.rows if row.domain == domain), None)

    def ends(self, bucket: int) -> tuple[int, int | None]:
        """Return where a bucket begins and ends (unit: s); ALL is everything."""
        if bucket == ALL:
            return 0, None
        ends = [*self.edges_s[1:], None]
        return self.edges_s[bucket], ends[bucket]

    def ages(self, bucket: int) -> str:
        """Return the ages of a bucket in words."""
        low, high = self.ends(bucket)
        if bucket == ALL:
            return "any age"
        return f"{age_text(low)} and older" if high is None else f"{age_text(low)} to {age_text(high)}"

    def heading(self, bucket: int) -> str:
        """Return the heading of a column, in minutes as qshape has it."""
        low, high = self.ends(bucket)
        if bucket == ALL:
            return "all"
        return f"{low // 60}+" if high is None else f"{low // 60}–{high // 60}"

    def words(self, domain: str | None, bucket: int) -> str:
        """Return a cell in words."""
        name = "all domains" if domain is None else visible(domain) or "no domain"
        return f"{self.side}s at {name}, {self.ages(bucket)}"

    def filters(self, domain: str | None, bucket: int) -> Filters:
        """Return the filters that leave exactly what a cell counts."""
        low, high = self.ends(bucket)
        return Filters(domain=domain, side=self.side, min_age_s=low, max_age_s=high, is_counted=True)


def shape_of(frame: pd.DataFrame, side: Side) -> Shape:
    """Return the shape of a picture, the most frequent domains first; `frame` is the answer of `tables.qshape`."""
    counts = frame[list(BUCKET_NAMES)].to_numpy(dtype="int64")
    first = zip(frame["domain"][:MAX_DOMAINS], counts[:MAX_DOMAINS].tolist(), strict=True)
    rows = [ShapeRow(domain, tuple(row)) for domain, row in first]
    everything = ShapeRow(None, tuple(counts.sum(axis=0).tolist()))
    return Shape(side, (0, *(60 * minutes for minutes in BUCKETS_MIN)), (everything, *rows), len(frame))


def level_of(count: int, most: int) -> int:
    """Return the step of colour of a number, on a logarithmic scale: 0 for none, LEVELS for the largest."""
    if count <= 0 or most <= 0:
        return 0
    return 1 + round((LEVELS - 1) * math.log(count) / math.log(most)) if most > 1 else LEVELS


def shape_document(shape: Shape) -> dict[str, Any]:
    """Return what the browser draws, as texts and steps only."""
    buckets = range(ALL, len(shape.edges_s))
    most = max((count for row in shape.rows[1:] for count in row.counts), default=0)
    noun = NOUNS[shape.side]
    rows = []
    for row in shape.rows:
        cells = []
        for bucket in buckets:
            count = row.total if bucket == ALL else row.counts[bucket]
            # A sum has no colour of its own: it would outshine what it is the sum of.
            level = 0 if bucket == ALL or row.domain is None else level_of(count, most)
            label = f"{row.name}, {shape.ages(bucket)}: {count_text(count, noun)}"
            cells.append({"text": f"{count:,}" if count else "·", "level": level, "label": label})
        rows.append({"name": row.name, "cells": cells})
    heads = [[shape.heading(bucket), shape.ages(bucket)] for bucket in buckets]
    return {"heads": heads, "rows": rows, "left": left_text(shape), "corner": "domain · age in min"}


def left_text(shape: Shape) -> str:
    """Return what is said of the domains without a row; "" when all have one."""
    left = shape.domains - (len(shape.rows) - 1)
    if left <= 0:
        return ""
    counted = shape.rows[0].total - sum(row.total for row in shape.rows[1:])
    return f"{count_text(left, 'more domain')} with {count_text(counted, NOUNS[shape.side])} in all."


def shape_sentence(shape: Shape) -> str:
    """Return the shape in a sentence."""
    everything, *rest = shape.rows
    noun = NOUNS[shape.side]
    if not everything.total:
        return f"No {noun} waits: the queue is empty."
    first = rest[0]
    old = everything.counts[-1]
    waits = f"; {count_text(old, noun)} older than {age_text(shape.edges_s[-1])}" if old else ""
    at = count_text(shape.domains, "domain")
    return f"{count_text(everything.total, noun)} at {at}, most at {first.name}: {first.total:,}{waits}."


def shape_html(shape: Shape) -> Html:
    """Return the grid as a table that needs no kernel."""
    document = shape_document(shape)
    heads = [tag("th", text, scope="col", title=title) for text, title in document["heads"]]
    head = tag("tr", tag("th", document["corner"], scope="col"), *heads)
    rows = [tag("tr", tag("th", row["name"], scope="row"), *map(_cell_html, row["cells"])) for row in document["rows"]]
    caption = tag("caption", shape_sentence(shape))
    return tag("table", caption, tag("thead", head), tag("tbody", *rows), cls="ik-table ik-queue-heat")


def _cell_html(cell: dict[str, Any]) -> Html:
    return tag("td", cell["text"], cls=f"ik-queue-cell ik-queue-heat-{cell['level']}", title=cell["label"])
