"""A log that is read for traces alone: the same answers, of a fraction of the memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from indimail_kit import logs, trace
from indimail_kit.lab import make_logs
from indimail_kit.tai64 import to_tai64n
from indimail_kit.trace.extract import Texts, extract_of, read_log
from indimail_kit.trace.ordered import NO_TIME, Pairs, Rows, place

ODD = (
    b"@400000006b01a2f03b424bb4 new msg 5 queue1\n"
    b"@400000006b01a2f03b424bb4 info msg 5: bytes 9 from <caf\xe9@b> qp 7 uid 0 queue1\n"
    b"no line of anybody \xff\n"
    b"\n"
    b"Mon Mar 15 03:00:54 2010 -> /var/indimail/queue/queue1/mess/5/5: OK\n"
    b"2010-03-15 03:00:54.25 delivery 1: success: " + b"x" * 70_000 + b"\n"
    b"@400000006b01a2f03b424bb4 end msg 5 qmail-send: queue1"
)


@pytest.fixture(scope="module")
def day():
    """A day with numbers and pids that are used again."""
    return make_logs(120, seed=3, queues=2, max_pid=3000)


@pytest.mark.parametrize("utc_offset_s", [0, 3600])
def test_each_line_is_told_as_the_table_of_events_has_it(utc_offset_s):
    """Packed or not: time, kind, text and place; of a line that was cut, its first 64 KiB."""
    log = logs.read(ODD, utc_offset_s=utc_offset_s)
    events = log.events

    for extract in (extract_of(log), read_log(ODD, utc_offset_s=utc_offset_s)):
        lines = [extract.line(position) for position in range(len(extract))]

        assert [(line.kind, line.text, line.line_number) for line in lines] == [
            *zip(events["kind"], events["text"], events["line_number"], strict=True)
        ]
        times = [np.datetime64("NaT") if line.unix_ns is None else np.datetime64(line.unix_ns, "ns") for line in lines]
        assert np.array_equal(np.array(times), events["time"].to_numpy("datetime64[ns]"), equal_nan=True)
        assert extract.unknown_count == len(log.unknown)

        found = [extract.event(position) for position in range(len(extract))]
        for name in ("byte_offset", "line_bytes", "line_number"):
            assert [getattr(one, name) for one in found] == events[name].tolist()
        assert [[*extract.positions_of("", number)] for number in (0, 1, len(log), len(log) + 1)] == [
            [], [0], [len(log) - 1], [],
        ]  # fmt: skip


def test_a_packed_log_gives_the_same_stories(day):
    """By number, by qp and by address, with everything that else fits."""
    octets = (day.send, day.smtpd, day.clamd)
    whole, packed = trace.Tracer(logs=map(logs.read, octets)), trace.Tracer(logs=map(read_log, octets))

    for mail in day.mails[::7]:
        for ask in ("message", "qp", "address"):
            asked = {"message": mail.message_number, "qp": mail.qp, "address": mail.recipients[0]}[ask]
            assert getattr(packed, ask)(asked).document() == getattr(whole, ask)(asked).document()


def test_the_lines_are_not_kept_as_they_were(day):
    """What stays is less than the log's own octets; a log in memory is several times them."""
    octets = day.send * 20
    read_log(octets)  # what is imported is not the log's
    tracemalloc.start()
    try:
        extract = read_log(octets)
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (len(extract), kept_bytes < len(octets)) == (octets.count(b"\n"), True)


def test_a_log_that_is_turned_meanwhile_is_told_as_it_was(tmp_path):
    """A file may be renamed and begun anew before anybody asks: the lines were kept."""
    current = tmp_path / "current"
    current.write_bytes(b"new msg 5\ninfo msg 5: bytes 9 from <a@b> qp 7 uid 0\nend msg 5\n")
    tracer = trace.Tracer(logs=[read_log(tmp_path)])
    current.write_bytes(b"something else\n" * 3)

    assert [one.text for one in tracer.message(5).evidence][::2] == ["new msg 5", "end msg 5"]


def test_a_log_without_lines_is_one():
    """Nothing tells of anything in it, and its name is said."""
    extract = read_log(b"")

    assert (len(extract), repr(extract)) == (0, "<LogExtract of octets: 0 lines, 0 of them unknown>")
    with pytest.raises(trace.tracer.TraceError, match="no evidence of message 5 in octets"):
        trace.message(5, logs=[extract])


def test_a_log_of_the_first_second_of_1970_is_told():
    """Its times are small numbers, and so is what is far from them; a message without times beside it."""
    lines = (
        b"new msg %d queue1",
        b"info msg %d: bytes 9 from <a@b> qp 7 uid 0 queue1",
        b"end msg %d qmail-send: queue1",
    )
    octets = b"".join(to_tai64n(at) + b" " + line % 5 + b"\n" for at, line in enumerate(lines))
    octets += b"".join(line % 6 + b"\n" for line in lines)

    for log in (logs.read(octets), read_log(octets)):
        tracer = trace.Tracer(logs=[log])
        assert [(one.message.began_ns, one.message.ended_ns) for one in tracer.qp(7).candidates] == [
            (1, 2),
            (None, None),
        ]
        assert tracer.qp(7, at_ns=10**9).message.message_number == 5


@pytest.mark.parametrize("number", [-(10**30), -(2**31) - 1, 2**31, 2**63, 10**20])
def test_numbers_that_no_column_holds_are_found_nowhere(number):
    """And are compared as what they are, not as what is left of them in 32 bits."""
    column = np.array([-(2**31), 0, 2**31 - 1], dtype=np.int32)

    assert (place(column, number), len(Rows(column).of(number)), Pairs(1, column).code(0, number)) == (
        0 if number < 0 else 3,
        0,
        -1,
    )


def test_rows_of_a_value_come_by_their_times():
    """Nulls are found nowhere; the first one not before a time is found for many at once."""
    rows = Rows(np.array([7, 5, 7, -1, 7]), np.array([30, 10, 20, 0, 40]))

    assert (rows.of(7).tolist(), rows.between(7, 20, 30).tolist(), rows.of(-1).tolist()) == ([2, 0, 4], [2, 0], [])
    asked = np.array([7, 7, 5, 6, 5]), np.array([21, 41, 10, 0, 11])
    assert rows.first_times(*asked).tolist() == [30, NO_TIME, 10, NO_TIME, NO_TIME]


def test_octets_that_are_one_text_are_one_address():
    """As the tables show them: an octet that is not UTF-8 is written out."""
    texts = Texts()

    assert texts.codes_of([b"caf\xe9", None, b"caf\\xe9", b"B@C", b"b@c"]).tolist() == [0, -1, 0, 1, 2]
    assert texts.cleaned_of(np.array([1, 2, -1])).tolist() == [1, 1, -1]
