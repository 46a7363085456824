"""The stamp at the start of a line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.logs.labels import LABEL_KINDS, MAX_UNIX_NS, MIN_UNIX_NS, split_label

SECOND = 10**9
SEED_NS = 1_268_622_054_994_200_500
"""2010-03-15 03:00:54.994200500 UTC: the seed's "new msg 660188", worked out in the facts."""


@pytest.mark.parametrize(
    ("stamp", "kind", "unix_ns"),
    [
        (b"@400000004b9da2f03b424bb4 ", "tai64n", SEED_NS),
        (b"@400000006b02fa2f30424d2c ", "tai64n", 1_795_357_221_809_651_500),
        (b"2010-03-15 03:00:54.994200500 ", "iso", SEED_NS),
        (b"2010-03-15T03:00:54.994200500Z ", "iso", SEED_NS),
        (b"2010-03-15T08:30:54.994200500+05:30 ", "iso", SEED_NS),
        (b"2010-03-14T19:00:54.9942005-0800 ", "iso", SEED_NS),
        (b"2010-03-15 03:00:54,994 ", "iso", SEED_NS - 200_500),
        (b"2010-03-15 03:00:54 ", "iso", SEED_NS - 994_200_500),
        (b"1268622054.994200500 ", "unix", SEED_NS),
        (b"1268622054.994200 ", "splogger", SEED_NS - 500),
        (b"Mar 15 08:30:54 mx1 qmail: 1268622054.994200 ", "splogger", SEED_NS - 500),
        (b"Mar  5 08:30:54 mx1 qmail[77]: 1268622054.994200 ", "splogger", SEED_NS - 500),
        (b"Mon Mar 15 03:00:54 2010 -> ", "clamav", SEED_NS - 994_200_500),
        (b"", "none", None),
    ],
    ids=[
        "multilog",
        "multilog, recorded",
        "tai64nlocal",
        "Zulu",
        "India",
        "California",
        "comma",
        "no fraction",
        "matchup",
        "splogger alone",
        "splogger behind syslog",
        "splogger behind syslog, one-digit day",
        "ClamAV",
        "no stamp",
    ],
)
def test_every_kind_of_stamp_gives_its_moment_and_ends_before_the_text(
    stamp: bytes, kind: str, unix_ns: int | None
) -> None:
    """The moment of the recorded label is the one that the real matchup printed."""
    label = split_label(stamp + b"new msg 660188")
    assert (label.kind, label.unix_ns, label.end) == (kind, unix_ns, len(stamp))
    assert kind in LABEL_KINDS


@pytest.mark.parametrize(
    "line",
    [
        b"@400000004b9da2f03b424bb new msg 1",
        b"@400000004B9DA2F03B424BB4 new msg 1",
        b"@400000004b9da2f03b9aca00 new msg 1",
        b"@400000004b9da2f03b424bb4new msg 1",
        b"2010-13-15 03:00:54.994200500 new msg 1",
        b"2010-03-15 24:00:54 new msg 1",
        b"2010-03-15 03:00:54new msg 1",
        b"Mon Mrz 15 03:00:54 2010 -> x",
        b"Mon Feb 30 03:00:54 2010 -> x",
        b"1268622054.9942 new msg 1",
        b"new msg 1 @400000004b9da2f03b424bb4",
        b" @400000004b9da2f03b424bb4 new msg 1",
    ],
    ids=[
        "short label",
        "upper case",
        "10**9 ns",
        "no blank",
        "month 13",
        "hour 24",
        "glued",
        "German month",
        "30 February",
        "four digits",
        "stamp at the end",
        "blank in front",
    ],
)
def test_what_is_not_exactly_a_stamp_is_text(line: bytes) -> None:
    """A wrong stamp is kept as text, not read as some other moment."""
    label = split_label(line)
    assert (label.kind, label.unix_ns, label.end) == ("none", None, 0)


def test_a_label_without_text_is_a_label() -> None:
    """An empty line under multilog is a label and a blank, or a label alone."""
    assert split_label(b"@400000004b9da2f03b424bb4").end == 25


def test_local_time_is_moved_by_the_given_offset() -> None:
    """tai64nlocal and ClamAV write local time without saying the zone."""
    india_s = 5 * 3600 + 30 * 60
    label = split_label(b"2010-03-15 08:30:54.994200500 new msg 1", utc_offset_s=india_s)
    scan = split_label(b"Mon Mar 15 08:30:54 2010 -> x", utc_offset_s=india_s)
    assert (label.unix_ns, scan.unix_ns) == (SEED_NS, SEED_NS - 994_200_500)


def test_a_stamp_that_names_its_zone_is_not_moved() -> None:
    """The offset is for stamps without a zone only."""
    assert split_label(b"2010-03-15T03:00:54.994200500Z x", utc_offset_s=3600).unix_ns == SEED_NS


def test_a_moment_outside_of_the_column_has_no_time_and_keeps_its_kind() -> None:
    """datetime64[ns] ends in 2262; the line is kept."""
    far = split_label(b"@4000000400000000000000aa new msg 1")
    assert (far.kind, far.unix_ns, far.end) == ("tai64n", None, 26)


@given(st.datetimes(min_value=datetime(1678, 1, 1), max_value=datetime(2261, 12, 31)), st.integers(0, 999))  # noqa: DTZ001  # naive is what isoformat() needs here
def test_iso_stamps_of_any_moment_are_read_as_python_writes_them(moment: datetime, ns: int) -> None:
    """The oracle is datetime's own isoformat()."""
    stamp = moment.isoformat(timespec="microseconds").encode() + b"%03dZ " % ns
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    unix_ns = (since.days * 86400 + since.seconds) * SECOND + since.microseconds * 1000 + ns
    assert split_label(stamp + b"x").unix_ns == unix_ns


@given(st.binary())
def test_any_octets_have_a_label_or_none(line: bytes) -> None:
    """Nothing raises, and the text is what is left of the line."""
    label = split_label(line)
    assert label.kind in LABEL_KINDS
    assert 0 <= label.end <= len(line)
    assert label.unix_ns is None or MIN_UNIX_NS <= label.unix_ns <= MAX_UNIX_NS
