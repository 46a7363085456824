"""How many lines were written when: the bars under the brush. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from indimail_kit.widgets.log_tables import NOT_A_TIME
from indimail_kit.widgets.queue_words import age_text, count_text, moment_text

if TYPE_CHECKING:
    from indimail_kit.widgets.log_tables import Ints


@dataclass(frozen=True, slots=True)
class Bars:
    """How many lines were written when.

    Attributes:
        start_ns: When the first bar begins (unit: ns since 1970).
        width_ns: What each bar covers (unit: ns).
        counts: Lines of each bar.
        unstamped: Lines without a time.
    """

    start_ns: int
    width_ns: int
    counts: tuple[int, ...]
    unstamped: int

    @property
    def end_ns(self) -> int:
        """Return when the last bar ends (unit: ns since 1970)."""
        return self.start_ns + self.width_ns * len(self.counts)

    def rate(self, count: int) -> float:
        """Return lines per minute of a bar with so many lines."""
        return count * 60e9 / self.width_ns

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Return what the bars from one to another cover, both counted from 0 and both included."""
        return self.start_ns + first * self.width_ns, self.start_ns + (last + 1) * self.width_ns

    def covering(self, span: tuple[int, int] | None) -> tuple[int, int]:
        """Return first and last bar that a span touches; (-1, -1) for no span, or one beside all bars."""
        if span is None or span[1] <= self.start_ns or span[0] >= self.end_ns:
            return -1, -1
        first = max(0, (span[0] - self.start_ns) // self.width_ns)
        last = min(len(self.counts) - 1, (span[1] - 1 - self.start_ns) // self.width_ns)
        return first, last


MAX_BARS: Final = 120
"""Most bars of a brush."""

_SECOND: Final = 10**9
_WIDTHS_S: Final = (1, 5, 15, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)


def bars_of(times: Ints, span: tuple[int, int] | None = None) -> Bars:
    """Count lines over time, in at most MAX_BARS bars whose width a clock has.

    Args:
        times: When each line was written (unit: ns since 1970); NOT_A_TIME without a stamp.
        span: What the bars are to cover; everything if not given.
    """
    stamped = times[times != NOT_A_TIME]
    unstamped = len(times) - len(stamped)
    if span is not None:
        stamped = stamped[(stamped >= span[0]) & (stamped < span[1])]
    if not len(stamped):
        return Bars(0, 60 * _SECOND, (), unstamped)
    first, last = (int(stamped.min()), int(stamped.max())) if span is None else (span[0], span[1] - 1)
    width = next((one * _SECOND for one in _WIDTHS_S if _bar_count(first, last, one * _SECOND) <= MAX_BARS), 0)
    if not width:
        width = _WIDTHS_S[-1] * _SECOND
        while _bar_count(first, last, width) > MAX_BARS:
            width *= 2
    start = first // width * width
    places = (stamped - start) // width
    counts = np.bincount(places, minlength=_bar_count(first, last, width))
    return Bars(start, width, tuple(counts.tolist()), unstamped)


def _bar_count(first: int, last: int, width: int) -> int:
    return last // width - first // width + 1


def bars_document(bars: Bars) -> dict[str, Any]:
    """Return what the brush draws: the height of each bar, and its words."""
    most = max(bars.counts, default=0)
    return {
        "heights": [round(100 * count / most) if count < most else 100 for count in bars.counts],
        "labels": [_bar_label(bars, place, count) for place, count in enumerate(bars.counts)],
        "starts": [moment_text(bars.span(place, place)[0]) for place in range(len(bars.counts))],
        "ends": [moment_text(bars.span(place, place)[1]) for place in range(len(bars.counts))],
        "caption": bars_sentence(bars),
    }


def _bar_label(bars: Bars, place: int, count: int) -> str:
    return f"{moment_text(bars.span(place, place)[0])} UTC: {bars.rate(count):,.4g} lines per minute"


def bars_sentence(bars: Bars) -> str:
    """Return what the bars are, in words."""
    loose = f" {count_text(bars.unstamped, 'line')} without a stamp." if bars.unstamped else ""
    if not bars.counts:
        return f"No line with a stamp.{loose}"
    most = max(bars.counts)
    return (
        f"Lines per minute; each bar is {age_text(bars.width_ns / 1e9)}; the highest is {bars.rate(most):,.4g}, at "
        f"{moment_text(bars.span(bars.counts.index(most), 0)[0])} UTC.{loose}"
    )
