"""What happened when."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indimail_kit.errors import SchemaError
from indimail_kit.logs import Log, read
from indimail_kit.tables import status_frame
from indimail_kit.tables.log_answers import CONCURRENCY, GAPS, QUEUE_AT, RATE
from indimail_kit.tables.questions import concurrency, gaps, message_rate, queue_at
from indimail_kit.tables.questions_logs_time import MAX_SPANS, moment_of, span_ns

START_S = 1_700_000_040
"""A full minute (unit: s since 1970)."""


def log_of(*lines: tuple[float, bytes]) -> Log:
    """Read lines, each with its second behind START_S."""
    return read(b"".join(b"%d.%09d %s\n" % (START_S + int(at), round(at % 1 * 1e9), line) for at, line in lines))


def at(second: float) -> pd.Timestamp:
    """Return a moment so many seconds behind START_S."""
    return pd.Timestamp(START_S, unit="s", tz="UTC") + pd.Timedelta(seconds=second)


# --- concurrency ------------------------------------------------------------------------------------------------------


def test_concurrency_is_a_mean_over_time() -> None:
    """Four deliveries for fifteen seconds of a minute are one; what is under way is carried into the next minute."""
    log = log_of(
        (0, b"status: local 0/10 remote 0/20"),
        (30, b"status: local 4/10 remote 0/20"),
        (45, b"status: local 0/10 remote 3/20"),
        (150, b"status: local 0/10 remote 0/25"),
    )
    found = concurrency(status_frame(log.events), every="1min")
    columns = ["local_mean", "local_peak", "remote_mean", "remote_peak", "remote_max"]
    assert found["time"].tolist() == [at(0), at(60), at(120)]
    assert found[columns].to_numpy().tolist() == [[1.0, 4, 0.75, 3, 20], [0.0, 0, 3.0, 3, 20], [0.0, 0, 3.0, 3, 25]]


def test_concurrency_of_each_queue_has_its_own_rows(three_queues: Log) -> None:
    """No hole between the first and the last line of a queue; the peak is that of the lines."""
    status = status_frame(three_queues.events)
    found = concurrency(status, every="10s")
    CONCURRENCY.check(found)
    assert found["queue"].unique().tolist() == ["queue1", "queue2", "queue3"]
    steps = found.groupby("queue")["time"].diff().dropna().unique()
    assert list(steps) == [pd.Timedelta("10s")]
    peaks = found.groupby("queue")[["local_peak", "remote_peak"]].max()
    lines = status.groupby("queue")[["local_used", "remote_used"]].max()
    assert peaks.to_numpy().tolist() == lines.to_numpy().tolist()
    assert (found["local_mean"] <= found["local_peak"]).all()


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 20)), min_size=2, max_size=20))
@settings(max_examples=60)
def test_spans_hold_the_same_time_of_work_whatever_their_length(lines: list[tuple[int, int]]) -> None:
    """Mean times covered length, added up, is the area below the steps; ten seconds or a minute do not matter."""
    lines = sorted(lines, key=lambda line: line[0])
    events = log_of(*((second, b"status: local %d/20 remote 0/20" % used) for second, used in lines)).events
    area = sum(used * (later - second) for (second, used), (later, _) in pairwise(lines))
    sums = []
    for length in (10, 60):
        found = concurrency(status_frame(events), every=f"{length}s")
        begins = (found["time"] - at(0)).dt.total_seconds()
        covered = (begins + length).clip(upper=lines[-1][0]) - begins.clip(lower=lines[0][0])
        sums.append((found["local_mean"] * covered).sum())
    assert sums == pytest.approx([area, area])


# --- the queue as of a moment -----------------------------------------------------------------------------------------

STORY = (
    (0, b"starting delivery 1: msg 4 to local old@example.com"),
    (5, b"delivery 1: deferral: later/"),
    (10, b"new msg 5"),
    (10, b"info msg 5: bytes 100 from <a@example.com> qp 70 uid 500"),
    (11, b"starting delivery 2: msg 5 to local b@example.com"),
    (12, b"starting delivery 3: msg 5 to remote c@example.net"),
    (14, b"delivery 2: success: did_1+0+0/"),
    (16, b"delivery 3: deferral: later/"),
    (20, b"starting delivery 4: msg 5 to remote c@example.net"),
    (22, b"delivery 4: success: ok/"),
    (22, b"end msg 5"),
    (30, b"end msg 4"),
    (40, b"new msg 5"),
    (40, b"info msg 5: bytes 7 from <z@example.com> qp 71 uid 500"),
)
"""Message 4 is older than the log; number 5 is used twice, and its second life is open at the end."""


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (-1, [[4, 1, 0, 0, 0, False]]),
        (3, [[4, 1, 0, 0, 1, False]]),
        (13, [[4, 1, 0, 1, 0, False], [5, 1, 0, 0, 2, True]]),
        (16, [[4, 1, 0, 1, 0, False], [5, 1, 1, 1, 0, True]]),
        (21, [[4, 1, 0, 1, 0, False], [5, 1, 1, 1, 1, True]]),
        (25, [[4, 1, 0, 1, 0, False]]),
        (35, []),
        (45, [[5, 2, 0, 0, 0, True]]),
    ],
)
def test_the_queue_of_a_moment_is_known_from_the_log(second: float, expected: list[list[object]]) -> None:
    """Who waits, how many recipients are done, what is under way; each life of a number for itself."""
    log = log_of(*STORY)
    found = queue_at(log.messages, log.deliveries, at(second))
    QUEUE_AT.check(found)
    names = ["message_number", "lifetime", "done", "deferrals", "under_way", "is_certain"]
    assert found[names].to_numpy().tolist() == expected


def test_a_message_has_its_age_of_that_moment() -> None:
    """Seconds since its birth; unknown where the log does not show that."""
    log = log_of(*STORY)
    ages = queue_at(log.messages, log.deliveries, at(13))["age_s"]
    assert ages.isna().tolist() == [True, False]
    assert ages[1] == 3.0


def test_a_lost_end_holds_until_the_number_is_used_again() -> None:
    """A message whose end msg is not in the log was gone when its number came again; until then nobody knows."""
    log = log_of((0, b"new msg 5"), (9, b"new msg 5"), (20, b"end msg 5"))
    found = [
        queue_at(log.messages, log.deliveries, at(second))[["lifetime", "is_certain"]].to_numpy().tolist()
        for second in (5, 15, 25)
    ]
    assert found == [[[1, False]], [[2, True]], []]


def test_the_queue_agrees_with_the_rate(three_queues: Log) -> None:
    """As many messages are there at the end of a span as came and did not end."""
    rate = message_rate(three_queues.messages, every="10s")
    for time, waiting in zip(rate["time"], rate["waiting"], strict=True):
        moment = time + pd.Timedelta("10s") - pd.Timedelta(1, "ns")
        assert len(queue_at(three_queues.messages, three_queues.deliveries, moment)) == waiting


def test_the_queue_of_nothing_is_empty(three_queues: Log) -> None:
    """An empty log gives the same columns and dtypes."""
    full = queue_at(three_queues.messages, three_queues.deliveries, "2026-11-22T14:09:00Z")
    empty = queue_at(three_queues.messages[:0], three_queues.deliveries[:0], "2026-11-22T14:09:00Z")
    assert (len(full), len(empty)) == (85, 0)
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)


@pytest.mark.parametrize("text", ["yesterday evening", "2026-11-22 14:09:00", "", None, object()])
def test_a_moment_without_a_zone_is_refused(text: object) -> None:
    """What is no moment, or could be any of two dozen, is told."""
    with pytest.raises(SchemaError, match="with its zone"):
        moment_of(text)


def test_a_moment_of_another_zone_is_the_same_moment() -> None:
    """India's clock is five and a half hours ahead."""
    assert moment_of("2010-03-15T08:30:54+05:30") == pd.Timestamp("2010-03-15T03:00:54Z")


# --- rate and gaps ----------------------------------------------------------------------------------------------------


def test_a_span_without_mail_is_a_row_of_zeros() -> None:
    """Hole in the world, row in the table; a message older than the log waits from the beginning."""
    log = log_of(*STORY)
    found = message_rate(log.messages, every="10s")
    RATE.check(found)
    assert found[["queued", "queued_bytes", "ended", "waiting"]].to_numpy().tolist() == [
        [1, 100, 0, 2],
        [0, 0, 1, 1],
        [0, 0, 1, 0],
        [1, 7, 0, 1],
    ]


def test_no_message_is_lost_between_spans(three_queues: Log) -> None:
    """The spans hold every message and every end once."""
    found = message_rate(three_queues.messages, every="7s")
    assert (found["queued"].sum(), found["ended"].sum(), found["waiting"].iloc[-1]) == (1367, 1367, 0)
    assert found["queued_bytes"].sum() == 4084372


def test_gaps_are_told_longest_first(three_queues: Log) -> None:
    """Times without a new message, in the recorded log the retries' pauses."""
    found = gaps(three_queues.messages, longer_than="5s")
    GAPS.check(found)
    births = three_queues.messages["queued_at"].sort_values()
    lengths = [length for length in births.diff().dt.total_seconds() if length > 5]
    assert len(lengths) == 3
    assert found["gap_s"].tolist() == sorted(lengths, reverse=True)
    assert ((found["to_at"] - found["from_at"]).dt.total_seconds() == found["gap_s"]).all()


def test_gaps_of_lines_show_a_log_that_is_not_whole() -> None:
    """Any column of times can be asked."""
    log = log_of((0, b"new msg 1"), (400, b"end msg 1"), (410, b"new msg 2"))
    assert gaps(log.events, column="time")["gap_s"].tolist() == [400.0]
    with pytest.raises(SchemaError, match="without the column started_at"):
        gaps(log.events, column="started_at")


def test_answers_about_time_have_their_shape_without_rows(three_queues: Log) -> None:
    """Columns and dtypes of empty answers are those of full ones."""
    messages, status = three_queues.messages, status_frame(three_queues.events)
    for full, empty in (
        (message_rate(messages), message_rate(messages[:0])),
        (gaps(messages), gaps(messages[:0])),
        (concurrency(status), concurrency(status[:0])),
    ):
        pd.testing.assert_series_equal(empty.dtypes, full.dtypes)
        assert empty.empty


@pytest.mark.parametrize("text", ["", "a while", "-5min", "0s", "5 fortnights"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    """The text is quoted, and a right one shown."""
    with pytest.raises(SchemaError, match=r"expected one as 30s, 5min or 1h"):
        span_ns(text)


def test_too_many_spans_are_refused() -> None:
    """A stamp of 1970 among those of today does not fill the memory."""
    log = log_of((-START_S, b"new msg 1"), (0, b"new msg 2"))
    with pytest.raises(SchemaError, match=f"expected {MAX_SPANS:,} at most"):
        message_rate(log.messages, every="1s")
