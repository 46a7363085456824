"""DelayChart, ConcurrencyChart, ReasonChart: a log's pictures, each with its words, its numbers and its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anywidget
import traitlets as t

from indimail_kit.errors import LabError
from indimail_kit.tables import questions
from indimail_kit.visible import visible
from indimail_kit.widgets import log_charts as charts
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.grid import grid_table
from indimail_kit.widgets.html import picture, style_sheet, tag
from indimail_kit.widgets.log_pages import duration_text
from indimail_kit.widgets.scripts import script
from indimail_kit.widgets.static_view import StaticView

if TYPE_CHECKING:
    import os

    import pandas as pd

    from indimail_kit.logs.log import Log

MAX_ROWS: Final = 12
"""Most rows of numbers below a picture; `frame()` has all."""

_FORMATS: Final = (".png", ".svg")


class LogChart(StaticView, anywidget.AnyWidget):
    """A picture of a log in four forms: light and dark, wide and narrow; the page shows the one that fits.

    Attributes:
        title: What it is.
        alt: The picture in words.
        pictures: Light, dark, light and narrow, dark and narrow, each as SVG.
        heads: Names of the columns of numbers.
        rows: The numbers.
    """

    _esm = script("log_chart.js")
    _css = style_sheet()

    title = t.Unicode("").tag(sync=True)
    alt = t.Unicode("").tag(sync=True)
    pictures = t.List(t.Unicode()).tag(sync=True)
    heads = t.List(t.Unicode()).tag(sync=True)
    rows = t.List(t.List(t.Unicode())).tag(sync=True)

    def __init__(self, log: Log, **traits: Any) -> None:
        """Draw a log.

        Args:
            log: What `logs.read` returned.
            traits: Other traits.

        Raises:
            MissingPartError: matplotlib is not installed.
        """
        self._log = log
        self._frame = self._answer(log)
        heads, rows = self._numbers()
        super().__init__(
            title=self._TITLE,
            alt=visible(self._words()),
            heads=heads,
            rows=[[visible(cell) for cell in row] for row in rows[:MAX_ROWS]],
            pictures=[
                charts.figure_octets(self.figure(theme, is_narrow=is_narrow), "svg").decode()
                for is_narrow in (False, True)
                for theme in ("light", "dark")
            ],
            **traits,
        )

    _TITLE = ""

    def __repr__(self) -> str:
        """Return the picture in words."""
        return f"{type(self).__name__}: {self.alt}"

    def static_html(self) -> str:
        """Return picture, words and numbers as HTML that needs no kernel, nor a browser that shows widgets."""
        drawn = picture(charts.figure_octets(self.figure(), "png"), self.alt, cls="ik-log-still")
        numbers = grid_table("the numbers", self.heads, self.rows)
        return str(standalone(heading_html(self.title), drawn, tag("p", self.alt), numbers, label=self.title))

    def frame(self) -> pd.DataFrame:
        """Return the numbers of the picture."""
        return self._frame

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save the picture for a report, light and wide, and return where it is.

        Args:
            path: A name that ends in .png or .svg.

        Raises:
            LabError: It ends in something else.
            OSError: The file cannot be written.
        """
        place = Path(path)
        if place.suffix not in _FORMATS:
            raise LabError(f"a name that ends in .png or .svg instead of {place.name}")
        place.write_bytes(charts.figure_octets(self.figure(), place.suffix[1:]))
        return place

    def figure(self, theme: str = "light", *, is_narrow: bool = False) -> Any:
        """Return the picture as matplotlib's Figure."""
        raise NotImplementedError

    def _answer(self, log: Log) -> pd.DataFrame:
        raise NotImplementedError

    def _numbers(self) -> tuple[list[str], list[list[str]]]:
        raise NotImplementedError

    def _words(self) -> str:
        raise NotImplementedError


class DelayChart(LogChart):
    """How long deliveries took from birth to success; `tables.questions.delay_percentiles` has the numbers."""

    _TITLE = "How long deliveries took"

    def figure(self, theme: str = "light", *, is_narrow: bool = False) -> Any:
        """Return the picture as matplotlib's Figure."""
        return charts.delay_figure(self._log.deliveries, theme, is_narrow=is_narrow)

    def _answer(self, log: Log) -> pd.DataFrame:
        return questions.delay_percentiles(log.deliveries)

    def _numbers(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [f"{row.percent:g} %", duration_text(float(str(row.done_by_s))), f"{row.deliveries:,}"]
            for row in self._frame.dropna().itertuples()
        ]
        return ["share", "done by", "deliveries"], rows

    def _words(self) -> str:
        known = self._frame.dropna()
        if not len(known):
            return "No delivery succeeded in this log."
        told = ", ".join(
            f"{row.percent:g} % by {duration_text(float(str(row.done_by_s)))}" for row in known.itertuples()
        )
        return f"Share of the successful deliveries over time from birth, local and remote. All together: {told}."


class ConcurrencyChart(LogChart):
    """How many deliveries ran at once, and how many may; `tables.questions.concurrency` has each queue's numbers."""

    _TITLE = "Deliveries at the same time"

    def figure(self, theme: str = "light", *, is_narrow: bool = False) -> Any:
        """Return the picture as matplotlib's Figure."""
        return charts.concurrency_figure(self._frame, theme, is_narrow=is_narrow)

    def _answer(self, log: Log) -> pd.DataFrame:
        return charts.concurrency_frame(log.events)

    def _numbers(self) -> tuple[list[str], list[list[str]]]:
        busiest = self._frame.assign(both=self._frame["local_mean"] + self._frame["remote_mean"])
        rows = [
            [
                f"{row.time:%Y-%m-%d %H:%M}",
                f"{row.local_mean:.2f} of {row.local_max}",
                f"{row.remote_mean:.2f} of {row.remote_max}",
            ]
            for row in busiest.sort_values("both", ascending=False, kind="stable").head(MAX_ROWS).itertuples()
        ]
        return ["busiest from (UTC)", "local, mean", "remote, mean"], rows

    def _words(self) -> str:
        if not len(self._frame):
            return "No status line in this log."
        most = {one: self._frame.iloc[int(self._frame[f"{one}_mean"].argmax())] for one in ("local", "remote")}
        told = "; ".join(
            f"{one} at most {row[f'{one}_mean']:.2f} of {row[f'{one}_max']} at {row['time']:%Y-%m-%d %H:%M} UTC"
            for one, row in most.items()
        )
        return f"Deliveries at once, means of ten minutes over all queues: {told}."


class ReasonChart(LogChart):
    """Why deliveries were deferred or failed; `tables.questions.reasons` has the numbers of each outcome."""

    _TITLE = "Why deliveries did not succeed"

    def figure(self, theme: str = "light", *, is_narrow: bool = False) -> Any:
        """Return the picture as matplotlib's Figure."""
        return charts.reason_figure(self._frame, theme, is_narrow=is_narrow)

    def _answer(self, log: Log) -> pd.DataFrame:
        return charts.reasons_frame(log.deliveries)

    def _numbers(self) -> tuple[list[str], list[list[str]]]:
        rows = [[str(row.outcome), f"{row.deliveries:,}", str(row.reason)] for row in self._frame.itertuples()]
        return ["outcome", "deliveries", "reason"], rows

    def _words(self) -> str:
        if not len(self._frame):
            return "No delivery was deferred or failed."
        first = self._frame.iloc[0]
        return (
            f"{len(self._frame):,} reasons, the most frequent first. In front: {first['outcome']}, "
            f"{first['deliveries']:,} deliveries, {charts.label_text(first['reason'], 120)}"
        )
