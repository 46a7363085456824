"""A log that is read once, and the sums of its pieces."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indimail_kit.lab.demo_logs import DemoLogs
from indimail_kit.logs import Log, join_blocks, read, read_blocks
from indimail_kit.tables import questions
from indimail_kit.tables.event_frames import auth_frame, scans_frame, sessions_frame, status_frame
from indimail_kit.tables.log_reading import LogReading
from indimail_kit.tables.log_totals import Totals, totals_of_frames, totals_of_joined
from indimail_kit.tables.questions_logs_mail import hosts_of, recipients_of, senders_of, uids_of

THREE_QUEUES = Path(__file__).parents[1] / "data/indimail/logs/qscheduler-static-3queues.tai64n.log.gz"


def test_the_tables_are_those_of_a_log_that_is_kept(three_queues: Log) -> None:
    """Deliveries, messages and status lines, cell for cell."""
    reading = LogReading(THREE_QUEUES)
    deliveries, messages = reading.tables()
    pd.testing.assert_frame_equal(deliveries, three_queues.deliveries)
    pd.testing.assert_frame_equal(messages, three_queues.messages)
    pd.testing.assert_frame_equal(reading.status(), status_frame(three_queues.events))
    assert (reading.lines, reading.unknown_lines) == (18016, 0)
    assert pd.Timestamp(reading.last_ns, tz="UTC") == three_queues.events["time"].max()


@pytest.mark.parametrize("block_bytes", [1 << 14, 4 << 20])
def test_sums_of_pieces_are_answers_about_the_whole(
    block_bytes: int, three_queues: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Senders, users, recipients and hosts, whatever the pieces are and however often they are added up."""
    monkeypatch.setattr("indimail_kit.tables.log_reading._MANY_ROWS", 10)
    monkeypatch.setattr(
        "indimail_kit.tables.log_reading.read_blocks",
        lambda *sources, threads: read_blocks(*sources, threads=threads, block_bytes=block_bytes),
    )
    reading, deliveries, messages = LogReading(THREE_QUEUES), three_queues.deliveries, three_queues.messages
    sent, received = reading.sent(), reading.received()
    pd.testing.assert_frame_equal(senders_of(sent), questions.by_sender(deliveries, messages))
    pd.testing.assert_frame_equal(uids_of(sent), questions.by_uid(deliveries, messages))
    pd.testing.assert_frame_equal(recipients_of(received), questions.by_recipient(deliveries))
    pd.testing.assert_frame_equal(hosts_of(received), questions.by_host(deliveries))


def test_columns_of_deliveries_and_messages_are_those_of_the_whole(three_queues: Log) -> None:
    """Only what a question needs is kept, in the order of the whole tables."""
    reading, deliveries = LogReading(THREE_QUEUES), three_queues.deliveries
    deferred = deliveries[deliveries["outcome"] == "deferral"].reset_index(drop=True)
    names = ["outcome", "report", "recipient", "ended_at"]
    pd.testing.assert_frame_equal(reading.ended("deferral", *names)[names], deferred[names])
    names = ["queued_at", "sender", "is_open"]
    pd.testing.assert_frame_equal(reading.lives(*names)[names], three_queues.messages[names])


def test_what_is_kept_for_a_moment_says_the_same_of_it(three_queues: Log) -> None:
    """Before the log, at moments of it, behind it; and far fewer rows are kept."""
    times = three_queues.events["time"]
    moments = pd.date_range(times.min() - pd.Timedelta("1min"), times.max() + pd.Timedelta("1min"), periods=7)
    reading, most = LogReading(THREE_QUEUES), 0
    for moment in moments.as_unit("ns"):
        deliveries, messages, unix_ns = reading.of_moment(moment.value)
        kept = questions.queue_at(messages, deliveries, moment)
        whole = questions.queue_at(three_queues.messages, three_queues.deliveries, moment)
        pd.testing.assert_frame_equal(kept, whole)
        most = max(most, len(messages))
        assert unix_ns == moment.value
    assert 0 < most < len(three_queues.messages) / 2


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=40), st.integers(-1, 41))
@settings(max_examples=80)
def test_what_is_kept_of_any_log_says_the_same(lines: list[tuple[bool, int]], second: int) -> None:
    """Numbers used again before their end, deliveries that outlive their message, lines without a stamp."""
    forms = (
        b"new msg 5", b"info msg 5: bytes 9 from <a@x> qp 7 uid 0", b"starting delivery %d: msg 5 to local b@x",
        b"delivery %d: deferral: later/", b"end msg 5", b"new msg 6",
    )  # fmt: skip
    octets = b"".join(
        (b"%d.000000000 " % at if is_stamped else b"")
        + (forms[form] % at if b"%" in forms[form] else forms[form])
        + b"\n"
        for at, (is_stamped, form) in enumerate(lines)
    )
    log, moment = read(octets), pd.Timestamp(second, unit="s", tz="UTC").as_unit("ns")
    deliveries, messages, _ = LogReading(octets).of_moment(moment.value)
    whole = questions.queue_at(log.messages, log.deliveries, moment)
    pd.testing.assert_frame_equal(questions.queue_at(messages, deliveries, moment), whole)


def test_lines_of_other_programs_are_those_of_a_log_that_is_kept(day: DemoLogs) -> None:
    """Sessions, AUTH attempts and scans are the same, their lines' numbers too."""
    sources = (day.send, day.smtpd, day.clamd)
    events, reading = read(*sources).events, LogReading(*sources)
    smtp = reading.events("smtpd_", "tcpserver_")
    pd.testing.assert_frame_equal(sessions_frame(smtp), sessions_frame(events))
    pd.testing.assert_frame_equal(auth_frame(smtp), auth_frame(events))
    pd.testing.assert_frame_equal(scans_frame(reading.events("clamd_scan")), scans_frame(events))
    assert reading.lines == len(events)


def test_every_reading_counts_anew() -> None:
    """Unknown lines and lines are those of the last reading."""
    reading = LogReading(b"something else\nnew msg 5\n")
    reading.totals()
    reading.tables()
    assert (reading.lines, reading.unknown_lines, reading.last_ns) == (2, 1, None)


@pytest.mark.parametrize("method", ["totals", "tables", "status", "events"])
def test_nothing_to_read_is_no_error(method: str) -> None:
    """An empty log gives empty tables."""
    reading = LogReading(b"")
    getattr(reading, method)()
    assert reading.lines == 0


@pytest.mark.parametrize("block_bytes", [1 << 14, 4 << 20])
def test_pieces_add_up_to_the_whole(block_bytes: int, three_queues: Log) -> None:
    """However a log is cut, its totals are those of the whole tables, and so is the answer."""
    pieces = [totals_of_joined(one) for one in join_blocks(read_blocks(THREE_QUEUES, block_bytes=block_bytes))]
    whole = totals_of_frames(three_queues.deliveries, three_queues.messages)
    assert sum(pieces, Totals()) == whole
    assert sum(reversed(pieces), Totals()) == whole
    pd.testing.assert_frame_equal(
        sum(pieces, Totals()).frame(), questions.overall(three_queues.deliveries, three_queues.messages)
    )


_LINES = st.sampled_from(
    [
        b"new msg 5",
        b"info msg 5: bytes 100 from <a@example.com> qp 70 uid 500",
        b"starting delivery 1: msg 5 to local b@example.com",
        b"starting delivery 2: msg 6 to remote c@example.net",
        b"delivery 1: success: did_1+0+0/",
        b"delivery 2: deferral: later/",
        b"delivery 2: failure: no/",
        b"delivery 2: report mangled, will defer",
        b"end msg 5",
        b"info: qmail-send: pid 7: /var/indimail/queue/queue1: ratelimit=OFF, loglock=disabled, conf split=151",
        b"?",
    ]
)


@given(st.lists(st.tuples(st.booleans(), _LINES), max_size=30))
@settings(max_examples=80)
def test_totals_of_any_log_are_those_of_its_tables(lines: list[tuple[bool, bytes]]) -> None:
    """Starts, ends and births missing or twice, lines with and without a stamp."""
    octets = b"".join(
        (b"%d.000000000 " % (1_700_000_000 + second) if is_stamped else b"") + line + b"\n"
        for second, (is_stamped, line) in enumerate(lines)
    )
    log = read(octets)
    assert LogReading(octets).totals() == totals_of_frames(log.deliveries, log.messages)


def test_a_long_time_does_not_overflow() -> None:
    """A million messages of a week each are more nanoseconds than 64 bits hold."""
    week = 7 * 86_400
    log = read(
        b"0.000000000 new msg 5\n0.000000000 info msg 5: bytes 1 from <a@b> qp 1 uid 0\n%d.000000000 end msg 5\n" % week
    )
    messages = pd.concat([log.messages] * 1000, ignore_index=True)
    totals = totals_of_frames(log.deliveries, pd.concat([messages] * 100, ignore_index=True))
    assert totals.qtime_ns == 100_000 * week * 10**9 > 2**63
    assert totals.frame()["qtime_mean_s"][0] == week
