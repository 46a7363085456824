"""Pictures of a log: how long deliveries took, how many ran at once, why they did not succeed. Drawn by matplotlib.

Source: Okabe and Ito, "Color Universal Design" (2008), for the colours.

Rule 1: matplotlib is imported when a picture is drawn, and without its global state (pyplot).
Rule 2: colour is never the only sign: lines have a style, bars a hatch, both a word.
Rule 3: text of a log is shown as it is, never as a formula; what the font does not have is written out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.errors import MissingPartError
from indimail_kit.tables import questions
from indimail_kit.visible import visible

if TYPE_CHECKING:
    import pandas as pd

MAX_REASONS: Final = 10
"""Most reasons in a picture; the table has all."""

MAX_POINTS: Final = 400
"""Most points of a line."""

DURATIONS: Final = {
    0.001: "1 ms", 0.01: "10 ms", 0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h",
    36_000: "10 h", 345_600: "4 d",
}  # fmt: skip
"""Marks of an axis of time, and their words; in a narrow picture every second one."""

_LABEL: Final = {True: 30, False: 58}
_ASCII_END: Final = 0x7F


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a picture.

    Attributes:
        ground: Behind everything.
        text: Letters and axes.
        grid: Lines of the grid.
        series: What is drawn, the first and the second of two.
    """

    ground: str
    text: str
    grid: str
    series: tuple[str, str]


THEMES: Final = {
    "light": Theme("#ffffff", "#212121", "#d9d9d9", ("#0072b2", "#d55e00")),
    "dark": Theme("#111111", "#eeeeee", "#444444", ("#56b4e9", "#e69f00")),
}
"""Name -> colours; the series are Okabe and Ito's."""


def reasons_frame(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Return why deliveries were deferred or failed: `questions.reasons` of both, with the outcome before it."""
    import pandas as pd

    parts = [questions.reasons(deliveries, one).assign(outcome=one) for one in ("deferral", "failure")]
    both = pd.concat(parts, ignore_index=True).sort_values("deliveries", ascending=False, kind="stable")
    return both[["outcome", *both.columns.drop("outcome")]].reset_index(drop=True)


def concurrency_frame(events: pd.DataFrame, *, every: str = "10min") -> pd.DataFrame:
    """Return deliveries at the same time over all queues: means added up, and what is allowed.

    Args:
        events: The table EVENTS.
        every: Length of a span as pandas writes it.

    Raises:
        SchemaError: `every` is no length of time, or the spans are too many.
    """
    import pandas as pd

    table = questions.concurrency(events.qmail.status(), every=every)
    names = ["local_mean", "local_max", "remote_mean", "remote_max"]
    if not len(table):
        return table[["time", *names]]
    wide: Any = table.pivot(index="time", columns="queue", values=names).ffill()  # a status line holds until the next
    sums = pd.DataFrame({name: wide[name].sum(axis=1) for name in names})
    return sums.astype({"local_max": "int64", "remote_max": "int64"}).reset_index()


def delays_s(deliveries: pd.DataFrame, channel: str) -> Any:
    """Return how long successful deliveries of a channel took from the message's birth, sorted (unit: s)."""
    some = deliveries[(deliveries["outcome"] == "success") & (deliveries["channel"] == channel)]
    return (some["ended_at"] - some["queued_at"]).dt.total_seconds().dropna().sort_values().to_numpy("float64")


def new_figure(theme: Theme, *, is_narrow: bool, height: float = 3.4) -> Any:
    """Return an empty figure and its axes.

    Raises:
        MissingPartError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPartError("pictures", "Install matplotlib (pip install 'indimail-kit[widgets]')") from None
    figure = Figure(figsize=(3.4 if is_narrow else 8.0, height), facecolor=theme.ground, layout="constrained")
    axes = figure.add_subplot(facecolor=theme.ground)
    axes.tick_params(colors=theme.text, labelsize=8 if is_narrow else 10)
    axes.grid(color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color(theme.grid)
    return figure, axes


def _finish(axes: Any, theme: Theme, *, x: str, y: str, has_legend: bool) -> None:
    axes.set_xlabel(x, color=theme.text)
    axes.set_ylabel(y, color=theme.text)
    if has_legend:
        axes.legend(facecolor=theme.ground, edgecolor=theme.grid, labelcolor=theme.text, fontsize=9)


def delay_figure(deliveries: pd.DataFrame, theme: str = "light", *, is_narrow: bool = False) -> Any:
    """Draw which share of the successful deliveries had ended after which time, by channel."""
    import numpy as np

    colours = THEMES[theme]
    figure, axes = new_figure(colours, is_narrow=is_narrow)
    has_line = False
    for channel, colour, style in zip(("local", "remote"), colours.series, ("-", "--"), strict=True):
        delays = delays_s(deliveries, channel)
        if not len(delays):
            continue
        places = np.unique(np.linspace(0, len(delays) - 1, MAX_POINTS).astype(int))
        shares = 100 * (places + 1) / len(delays)
        axes.step(np.maximum(delays[places], 1e-3), shares, style, where="post", color=colour, lw=2, label=channel)
        has_line = True
    axes.set_xscale("log")
    axes.set_ylim(0, 102)
    first, last = axes.get_xlim()
    axes.set_xticks(list(DURATIONS)[is_narrow :: 1 + is_narrow], list(DURATIONS.values())[is_narrow :: 1 + is_narrow])
    axes.set_xticks([], minor=True)
    axes.set_xlim(first, last)
    _finish(axes, colours, x="time from birth to success", y="deliveries (%)", has_legend=has_line)
    return figure


def concurrency_figure(table: pd.DataFrame, theme: str = "light", *, is_narrow: bool = False) -> Any:
    """Draw deliveries at the same time, and how many are allowed; `table` is from `concurrency_frame`."""
    figure, axes = new_figure(THEMES[theme], is_narrow=is_narrow)
    from matplotlib import dates

    dating: Any = dates  # untyped
    colours = THEMES[theme]
    times = _with_end(table["time"].dt.tz_localize(None).to_numpy())
    for channel, colour, style in zip(("local", "remote"), colours.series, ("-", "--"), strict=True):
        if len(times):
            means, limits = ([*one, one.iloc[-1]] for one in (table[f"{channel}_mean"], table[f"{channel}_max"]))
            axes.step(times, means, style, where="post", color=colour, lw=2, label=channel)
            axes.step(times, limits, ":", where="post", color=colour, lw=1.5, label=f"{channel} limit")
    if len(times):
        axes.set_xlim(times[0], times[-1])
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.set_major_formatter(lambda value, _place: f"{value:,g}")
        # with so few ticks at least, one of matplotlib's intervals fits any length, and it has nothing to warn of
        locator = dating.AutoDateLocator(minticks=2 if is_narrow else 3, maxticks=5 if is_narrow else 9)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dating.ConciseDateFormatter(locator))
    axes.set_ylim(bottom=0)
    _finish(axes, colours, x="time (UTC)", y="deliveries at once", has_legend=len(times) > 0)
    return figure


def _with_end(times: Any) -> Any:
    """Return the begins of spans with the end of the last one, so that it has a length in a picture too."""
    import numpy as np

    if not len(times):
        return times
    every = times[1] - times[0] if len(times) > 1 else np.timedelta64(10, "m")
    return np.append(times, times[-1] + every)


def reason_figure(table: pd.DataFrame, theme: str = "light", *, is_narrow: bool = False) -> Any:
    """Draw the most frequent reasons as bars, deferrals hatched; `table` is from `reasons_frame`."""
    colours = THEMES[theme]
    some = table.head(MAX_REASONS).iloc[::-1]
    figure, axes = new_figure(colours, is_narrow=is_narrow, height=1.4 + 0.42 * max(1, len(some)))
    from matplotlib.patches import Patch

    look = {"deferral": (colours.series[0], "///"), "failure": (colours.series[1], "")}
    places = list(range(len(some)))
    for place, outcome, count in zip(places, some["outcome"], some["deliveries"], strict=True):
        colour, hatch = look[outcome]
        axes.barh(place, count, color=colour, hatch=hatch, edgecolor=colours.ground)
        axes.text(count, place, f" {count:,}", color=colours.text, va="center", fontsize=9)
    axes.set_yticks(places)
    labels = axes.set_yticklabels([reason_label(one, _LABEL[is_narrow]) for one in some["reason"]])
    for label in labels:
        label.set_parse_math(False)
    axes.margins(x=0.15)
    _finish(axes, colours, x="deliveries", y="", has_legend=False)
    if len(some):
        handles = [Patch(facecolor=c, hatch=h, edgecolor=colours.ground, label=name) for name, (c, h) in look.items()]
        axes.legend(handles=handles, loc="lower right", facecolor=colours.ground, labelcolor=colours.text, fontsize=9)
    return figure


def reason_label(reason: str, most: int) -> str:
    """Return a reason as a picture can show it: what the other host said, if it spoke.

    Reports begin alike and differ there; the numbers beside the picture have the whole.
    """
    _, spoke, said = reason.partition("Remote host said: ")
    return label_text(said.partition("/")[0] if spoke else reason.removesuffix("/"), most)


def label_text(text: str, most: int) -> str:
    """Return a text as a picture can show it: short, on one line, ASCII; other characters are written out."""
    plain = "".join(one if ord(one) < _ASCII_END else f"<U+{ord(one):04X}>" for one in visible(text[:most]))
    return plain if len(plain) <= most and len(text) <= most else plain[: most - 3] + "..."


def figure_octets(figure: Any, file_format: str) -> bytes:
    """Return a figure as SVG or PNG; the same figure gives the same octets."""
    import io

    import matplotlib as mpl

    file = io.BytesIO()
    metadata = {"Date": None} if file_format == "svg" else {}
    with mpl.rc_context({"svg.hashsalt": "indimail-kit"}):
        figure.savefig(file, format=file_format, dpi=150, metadata=metadata)
    return file.getvalue()
