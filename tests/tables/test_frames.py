"""Values -> DataFrames."""

from __future__ import annotations

import pandas as pd
import pytest

from indimail_kit.logs import ClamavHealth, clamav_health, match, read, read_events
from indimail_kit.tables.frames import (
    as_text,
    build_frame,
    clamd_reloads_frame,
    deliveries_frame,
    events_frame,
    freshclam_runs_frame,
    messages_frame,
)
from indimail_kit.tables.schemas import CLAMD_RELOADS, DELIVERIES, EVENTS, FRESHCLAM_RUNS, MESSAGES, Table

LOG = (
    b"@400000004b9da2f03b424bb4 new msg 660188\n"
    b"@400000004b9da2f03b426324 info msg 660188: bytes 2794 from fogcreek_xxx@response.whatcounts.com qp 3223 uid 555\n"
    b"@400000004b9da2f03b42c0e4 starting delivery 6: msg 660188 to local mailstore@indimail.org\n"
    b"@400000004b9da2f03b42dc3c status: local 1/10 remote 0/20\n"
    b"@400000004b9da2f106a1e234 delivery 6: success: did_1+0+0/\n"
    b"@400000004b9da2f1091e676c status: local 0/10 remote 0/20\n"
    b"@400000004b9da2f1091fa3d4 end msg 660188\n"
)  # fmt: skip
"""The seed's seven lines."""

UPDATES = (
    b"@400000004b9da03510c3485c daily.cld updated (version: 10574, sigs: 24611, f-level: 44, builder: ccordes)\n"
    b"ERROR: Update failed.\n"
    b"@400000004b9da2a3206deb04 Reading databases from /var/indimail/share/clamd\n"
    b"@400000004b9da2a70489facc Database correctly reloaded (728651 signatures)\n"
    b"@400000004b9da2a80489facc Reading databases from /var/indimail/share/clamd\n"
)
"""Lines of freshclam and clamd; one has no stamp, and the last reload no end."""


def _health() -> ClamavHealth:
    return clamav_health(read_events(UPDATES))


MAKERS = [
    pytest.param(EVENTS, events_frame, lambda: read(LOG).events, id="events"),
    pytest.param(DELIVERIES, deliveries_frame, lambda: read(LOG).deliveries, id="deliveries"),
    pytest.param(MESSAGES, messages_frame, lambda: read(LOG).messages, id="messages"),
    pytest.param(
        FRESHCLAM_RUNS,
        freshclam_runs_frame,
        lambda: clamav_health(read_events(UPDATES)).runs_frame,
        id="freshclam runs",
    ),
    pytest.param(
        CLAMD_RELOADS,
        clamd_reloads_frame,
        lambda: clamav_health(read_events(UPDATES)).reloads_frame,
        id="clamd reloads",
    ),
]


@pytest.mark.parametrize(("table", "maker", "filled"), MAKERS)
def test_the_empty_table_has_the_shape_of_a_full_one(table: Table, maker: object, filled: object) -> None:
    """Columns, their order, dtypes and kind of index."""
    empty, full = maker([]), filled()  # type: ignore[operator]  # parameters
    assert len(full) > 0
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)
    assert type(empty.index) is type(full.index) is pd.RangeIndex


@pytest.mark.parametrize(("table", "maker", "filled"), MAKERS)
def test_a_table_has_the_shape_of_its_schema(table: Table, maker: object, filled: object) -> None:
    """No more, no less, in the same order."""
    frame = filled()  # type: ignore[operator]  # a parameter
    table.check(frame)
    assert tuple(frame.columns) == table.names
    assert not frame.duplicated(list(table.key)).any()


def test_the_seeds_lines_are_one_message_and_one_delivery() -> None:
    """The values that stand in the seed text."""
    log = read(LOG)
    message, delivery = log.messages.iloc[0], log.deliveries.iloc[0]
    assert (message["message_number"], message["lifetime"], message["qp"], message["uid"]) == (660188, 1, 3223, 555)
    assert (message["message_bytes"], message["sender"]) == (2794, "fogcreek_xxx@response.whatcounts.com")
    assert (message["successes"], message["failures"], message["deferrals"], message["is_open"]) == (1, 0, 0, False)
    assert message["queued_at"] == pd.Timestamp("2010-03-15 03:00:54.994206500Z")
    assert (delivery["delivery_number"], delivery["channel"]) == (6, "local")
    assert (delivery["recipient"], delivery["outcome"]) == ("mailstore@indimail.org", "success")
    assert delivery["ended_at"] - delivery["started_at"] == pd.Timedelta(117_042_000, "ns")


def test_one_row_for_each_line_with_its_numbers_and_nulls() -> None:
    """A line fills the columns that it speaks of and no others."""
    events = read(LOG).events
    status = events.iloc[3]
    assert list(events["kind"].value_counts().sort_index().items()) == [
        ("delivery", 1), ("end_msg", 1), ("info_msg", 1), ("new_msg", 1), ("starting_delivery", 1), ("status", 2),
    ]  # fmt: skip
    assert tuple(status[["local_used", "local_max", "remote_used", "remote_max"]]) == (1, 10, 0, 20)
    assert events["message_number"].isna().tolist() == [False, False, False, True, True, True, False]
    assert events["sender"].isna().tolist() == [True, False, True, True, True, True, True]
    assert events["queue"].tolist() == [""] * 7


def test_a_line_without_a_stamp_has_no_time() -> None:
    """NaT, and the table keeps its dtype."""
    events = read(b"new msg 1\n@4000000400000000000000aa new msg 2\n").events
    assert events["time"].isna().all()
    assert events["label_kind"].tolist() == ["none", "tai64n"]
    EVENTS.check(events)


def test_an_empty_sender_is_no_null() -> None:
    """A bounce has the sender "", a message older than the log has none."""
    log = read(b"info msg 1: bytes 2 from <> qp 3 uid 4\nstarting delivery 1: msg 2 to local a@b\n")
    assert log.messages["sender"].fillna("(null)").tolist() == ["", "(null)"]


def test_octets_that_are_not_utf8_are_kept_readable() -> None:
    """Neither lost nor a surrogate that a file or a browser would choke on."""
    events = read(b"caf\xe9 \xc3\xa9\n").events
    assert events["text"].tolist() == ["caf\\xe9 é"]
    assert events["text"].iloc[0].encode("utf-8")


@pytest.mark.parametrize(
    ("value", "text"), [(b"a", "a"), (b"\xff\xc3\xa9", "\\xffé"), (b"", ""), ("é", "é"), (None, None)]
)
def test_octets_become_text_in_one_place(value: bytes | str | None, text: str | None) -> None:
    """And None stays None."""
    assert as_text(value) == text


def test_any_iterable_of_values_will_do() -> None:
    """A generator is read once."""
    frame = events_frame(event for event in read_events(LOG))
    assert len(frame) == 7


def test_positions_are_rows_of_events() -> None:
    """A row of a table opens to its raw lines."""
    log = read(LOG)
    delivery = log.deliveries.iloc[0]
    lines = log.events["text"].iloc[[delivery["start_event"], delivery["end_event"]]].tolist()
    assert lines == [
        "starting delivery 6: msg 660188 to local mailstore@indimail.org",
        "delivery 6: success: did_1+0+0/",
    ]
    assert build_frame(MESSAGES, match(log.events_list).messages)["end_event"].tolist() == [6]
