"""The pictures of a log: what they say, what they draw, and that strangers' words stay words."""

from __future__ import annotations

import pandas as pd
import pytest

from indimail_kit import lab, logs
from indimail_kit.errors import LabError
from indimail_kit.tables import questions
from indimail_kit.widgets import ConcurrencyChart, DelayChart, ReasonChart
from indimail_kit.widgets.log_charts import (
    DURATIONS,
    MAX_REASONS,
    THEMES,
    concurrency_figure,
    concurrency_frame,
    delay_figure,
    label_text,
    reason_figure,
    reason_label,
    reasons_frame,
)

CHARTS = (DelayChart, ConcurrencyChart, ReasonChart)


@pytest.fixture(scope="module")
def log():
    """Give a seeded day."""
    return logs.read(lab.make_logs(120, seed=4).send)


def light(colour: str) -> float:
    """Return the relative luminance of a colour. Source: WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_has_pictures_words_and_numbers(chart, log, strangers, tmp_path):
    """Four SVGs, words for who does not see them, a table; saved as PNG and SVG."""
    view = chart(log)

    assert [one.startswith("<?xml") and "</svg>" in one for one in view.pictures] == [True] * 4
    assert (len(set(view.pictures)), len(view.rows) > 0, len(view.frame()) >= len(view.rows)) == (4, True, True)
    assert (strangers(view.static_html()), repr(view).endswith(view.alt), len(view.alt) > 40) == ([], True, True)
    assert view.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert view.save(tmp_path / "a.svg").read_text() == view.pictures[0]
    assert view.static_html().count("<img ") == 1
    with pytest.raises(LabError, match=r"\.png or \.svg"):
        view.save(tmp_path / "a.exe")


@pytest.mark.parametrize("chart", CHARTS)
def test_an_empty_log_is_drawn_too(chart):
    """Empty axes, and a sentence that says so."""
    view = chart(logs.read(b""))

    assert (view.alt.startswith("No "), view.rows, len(view.pictures)) == (True, [], 4)


def test_the_numbers_are_those_of_the_questions(log):
    """Percentiles, and reasons of both outcomes."""
    assert DelayChart(log).frame().equals(questions.delay_percentiles(log.deliveries))
    reasons = ReasonChart(log).frame()
    assert reasons["deliveries"].sum() == log.deliveries["outcome"].isin(["deferral", "failure"]).sum() > 0


def test_the_limits_of_all_queues_are_added_up(log):
    """Three queues with 10 local and 20 remote deliveries each."""
    frame = ConcurrencyChart(log).frame()

    assert (frame["local_max"].max(), frame["remote_max"].max()) == (30, 60)


@pytest.mark.parametrize("is_narrow", [False, True])
def test_axes_speak_in_units_and_whole_numbers(log, is_narrow):
    """A delay is milliseconds, minutes or hours, and no power of ten."""
    drawn = (
        delay_figure(log.deliveries, is_narrow=is_narrow),
        concurrency_figure(concurrency_frame(log.events), is_narrow=is_narrow),
    )
    for figure in drawn:
        figure.draw_without_rendering()
    delay, concurrency = (figure.axes[0] for figure in drawn)
    delays = [label.get_text() for label in delay.get_xticklabels()]

    assert {"1 s", "1 min", "1 h"} <= set(delays) if is_narrow else delays == list(DURATIONS.values())
    assert {"1", "10"} <= {label.get_text() for label in concurrency.get_yticklabels()}


@pytest.mark.parametrize("seconds", [0, 700, 70_000, 200_000, 20_000_000, 60_000_000, 140_000_000])
def test_a_log_of_any_length_is_drawn_to_its_end(seconds):
    """One status line is a span of ten minutes, and no warning of matplotlib's; years are drawn too."""
    line = b"status: local 1/10 remote 2/20 queue1\n"
    octets = b"".join(b"%d.000000000 %b" % (1_700_000_000 + at, line) for at in {0, seconds})
    frame = concurrency_frame(logs.read(octets).events, every="10min" if seconds < 10**6 else "1D")
    every = pd.Timedelta("10min" if seconds < 10**6 else "1D")
    for is_narrow in (False, True):
        figure = concurrency_figure(frame, is_narrow=is_narrow)
        figure.draw_without_rendering()
        first, last = figure.axes[0].lines[0].get_xdata()[[0, -1]]
        assert last - first == frame["time"].iloc[-1] - frame["time"].iloc[0] + every


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_colours_can_be_told_from_their_ground(theme):
    """Text 4.5, what is drawn 3."""
    for colour, least in ((theme.text, 4.5), (theme.series[0], 3), (theme.series[1], 3)):
        high, low = sorted((light(colour), light(theme.ground)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= least


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        (
            "From: <address> RCPT: <address> <ip> does not like it./Remote host said: 451 4.7.1 greylisted/Bye./",
            "451 4.7.1 greylisted",
        ),
        ("Sorry, no mailbox here by that name. (#5.1.1)/", "Sorry, no mailbox here by that name. (#5.1.1)"),
        ("Remote host said: ", ""),
    ],
    ids=["the other host's words", "our own", "it said nothing"],
)
def test_a_label_says_what_differs(reason, label):
    """Two reasons once had one label, since reports begin alike and were cut at their end."""
    assert reason_label(reason, 58) == label


def test_hostile_reasons_are_drawn_as_text(payloads):
    """Markup, formulas, control characters and other scripts: no exception, no warning, at most ten bars."""
    words = [*payloads, "$x^2$", "\\frac{", "$$", "\u202e\u05d0\u4e2d", "a" * 5000]
    lines = []
    for number, one in enumerate(words, 1):
        report = one.encode("utf-8", "surrogatepass").replace(b" ", b"_").replace(b"\n", b"_")
        lines += [
            b"starting delivery %d: msg 7 to remote a@example.com queue1" % number,
            b"delivery %d: failure: %b queue1" % (number, report),
        ]
    octets = b"".join(b"@400000004b9d888d06072d6e %b\n" % line for line in lines)
    frame = reasons_frame(logs.read(octets).deliveries)
    for first in range(0, len(frame), MAX_REASONS):
        figure = reason_figure(frame.iloc[first:])
        figure.draw_without_rendering()
        assert len(figure.axes[0].patches) <= MAX_REASONS
    assert all(label_text(one, 58).isascii() for one in frame["reason"])
