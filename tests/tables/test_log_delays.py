"""Delays that wait in a file: the same answers as of all delays in memory and in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.errors import SchemaError
from indimail_kit.logs import Log
from indimail_kit.tables import log_delays, questions
from indimail_kit.tables.log_delays import delays_of
from indimail_kit.tables.log_reading import LogReading
from indimail_kit.tables.questions_logs_mail import distribution

THREE_QUEUES = Path(__file__).parents[1] / "data/indimail/logs/qscheduler-static-3queues.tai64n.log.gz"
PERCENTS = (0.1, 50.0, 99.0, 100.0)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few delays in memory at once, in few drawers."""
    monkeypatch.setattr(log_delays, "CHUNK", 7)
    monkeypatch.setattr(log_delays, "_DRAWERS", 5)


@pytest.mark.usefixtures("small_chunks")
@given(st.lists(st.lists(st.one_of(st.integers(-3, 3), st.integers(-(10**15), 10**15)), max_size=30), max_size=8))
def test_answers_are_those_of_all_delays_in_order(parts: list[list[int]]) -> None:
    """Equal delays, clocks that went back, parts without any."""
    whole = np.sort(np.array([one for part in parts for one in part], dtype="int64")) / 10**9
    answer = delays_of([np.array(part, dtype="int64") for part in parts], PERCENTS)
    pd.testing.assert_frame_equal(answer, distribution(whole, PERCENTS), rtol=1e-9, atol=1e-6)
    assert answer["done_by_s"].equals(distribution(whole, PERCENTS)["done_by_s"])


@pytest.mark.usefixtures("small_chunks")
def test_a_log_that_is_not_kept_gives_the_same_delays(three_queues: Log) -> None:
    """Those of `delay_percentiles` of its table."""
    kept = questions.delay_percentiles(three_queues.deliveries, percents=PERCENTS)
    pd.testing.assert_frame_equal(LogReading(THREE_QUEUES).delays(PERCENTS), kept)
    assert kept["deliveries"].max() > 100


def test_a_percent_out_of_range_is_said_so() -> None:
    """As of delays in memory."""
    with pytest.raises(SchemaError, match="above 0 and up to 100"):
        LogReading(b"new msg 5\n").delays([101.0])
