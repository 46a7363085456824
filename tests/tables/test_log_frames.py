"""Columns of the log engine as DataFrames: the same tables as single values give."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from indimail_kit.logs import match, read, read_events
from indimail_kit.tables import schemas
from indimail_kit.tables.frames import deliveries_frame, events_frame, messages_frame

RECORDED = Path(__file__).parents[1] / "data" / "indimail"
SOURCES: list[bytes | Path] = [
    *sorted((RECORDED / "logs").glob("*.log*")),
    RECORDED / "clamd" / "clamd.log",
    b"",
    b"what?\xff\n@400000004b9da2f03b424bb4 delivery 1: report mangled, will defer\n\n" + b"x" * 70_000 + b"\nnew msg 5",
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: one.name if isinstance(one, Path) else f"{len(one)} octets")
def test_the_tables_are_those_of_single_values(source: bytes | Path) -> None:
    """Cell for cell and dtype for dtype, from the grammar's events and the values made of them."""
    log, events = read(source), list(read_events(source))
    matched = match(events)
    pd.testing.assert_frame_equal(log.events, events_frame(events))
    pd.testing.assert_frame_equal(log.deliveries, deliveries_frame(matched.deliveries))
    pd.testing.assert_frame_equal(log.messages, messages_frame(matched.messages))
    schemas.EVENTS.check(log.events)
    schemas.DELIVERIES.check(log.deliveries)
    schemas.MESSAGES.check(log.messages)


def test_the_events_of_a_log_are_the_grammars() -> None:
    """For those who want values."""
    path = RECORDED / "logs" / "send-odd-lines-queue1.tai64n.log.gz"
    assert list(read(path).events_list) == list(read_events(path))
