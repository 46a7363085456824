"""TAI64N labels against the seed, libtai's page and IndiMail's tai64nlocal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.errors import Tai64Error
from indimail_kit.tai64 import LABEL_BYTES, from_tai64n, to_tai64n

NS = 10**9
SEED_LABEL = b"@400000004b9da2f03b424bb4"
"""Label of "new msg 660188" in the seed text."""

SEED_NS = int(datetime(2010, 3, 15, 3, 0, 54, tzinfo=UTC).timestamp()) * NS + 994_200_500
"""What IndiMail's tai64nlocal prints for it with TZ=UTC: 2010-03-15 03:00:54.994200500."""

MAX_UNIX_NS = (2**63 - 2**62 - 10) * NS - 1
"""Last time that TAI64 can write with the fixed 10 s."""


def test_label_of_the_seed_is_the_time_that_tai64nlocal_prints() -> None:
    """The fixed 10 s of DJB's programs is taken off."""
    assert from_tai64n(SEED_LABEL) == SEED_NS


def test_time_of_the_seed_is_the_label_that_multilog_wrote() -> None:
    """The way back gives the same octets."""
    assert to_tai64n(SEED_NS) == SEED_LABEL


def test_example_of_the_tai64_page_with_the_true_offset() -> None:
    """Libtai's page: 400000002a2b2c2d is 1992-06-02 08:07:09 TAI = 08:06:43 UTC, when TAI was 26 s ahead."""
    moment = datetime(1992, 6, 2, 8, 6, 43, tzinfo=UTC)
    assert from_tai64n(b"@400000002a2b2c2d00000000", offset_s=26) == int(moment.timestamp()) * NS


def test_unix_time_zero_is_ten_seconds_after_the_tai_epoch() -> None:
    """DJB's programs write 1970-01-01 00:00:00 UTC as 2**62 + 10."""
    assert to_tai64n(0) == b"@400000000000000a00000000"


@given(st.integers(min_value=-(2**62 + 10) * NS, max_value=MAX_UNIX_NS))
def test_every_time_comes_back(unix_ns: int) -> None:
    """decode(encode(x)) == x over the whole range."""
    label = to_tai64n(unix_ns)
    assert (len(label), from_tai64n(label)) == (LABEL_BYTES, unix_ns)


@given(st.integers(min_value=0, max_value=2**60), st.integers(min_value=0, max_value=2**60))
def test_labels_sort_as_times_do(one_ns: int, other_ns: int) -> None:
    """Sorting lines of a log by label sorts them by time."""
    assert (to_tai64n(one_ns) < to_tai64n(other_ns)) == (one_ns < other_ns)


@given(st.binary(max_size=40))
def test_any_octets_give_a_time_or_the_error(octets: bytes) -> None:
    """Nothing but Tai64Error comes out of octets that are no label."""
    try:
        unix_ns = from_tai64n(octets)
    except Tai64Error:
        return
    assert to_tai64n(unix_ns) == octets


@pytest.mark.parametrize("length", range(LABEL_BYTES))
def test_truncated_label_is_refused(length: int) -> None:
    """A label that was cut is no label."""
    with pytest.raises(Tai64Error, match="24 lower-case hexadecimal digits"):
        from_tai64n(SEED_LABEL[:length])


@pytest.mark.parametrize(
    "label",
    [
        pytest.param(SEED_LABEL + b" ", id="trailing blank"),
        pytest.param(SEED_LABEL + b"\n", id="trailing newline"),
        pytest.param(SEED_LABEL.upper(), id="upper case"),
        pytest.param(SEED_LABEL[1:], id="no at sign"),
        pytest.param(b"@" + b"g" * 24, id="no hexadecimal digits"),
        pytest.param("@٤00000004b9da2f03b424bb4".encode(), id="digits of another script"),
    ],
)
def test_what_is_almost_a_label_is_refused(label: bytes) -> None:
    """Permissive slicing would read it as a date."""
    with pytest.raises(Tai64Error):
        from_tai64n(label)


def test_last_nanosecond_of_a_second_is_read() -> None:
    """999 999 999 is the largest part of a second."""
    assert from_tai64n(b"@400000000000000a3b9ac9ff") == 999_999_999


def test_a_whole_second_of_nanoseconds_is_refused_with_its_place() -> None:
    """10**9 nanoseconds break the format, at octet 17."""
    with pytest.raises(Tai64Error) as caught:
        from_tai64n(b"@400000000000000a3b9aca00")
    assert caught.value.offset == 17


@pytest.mark.parametrize("unix_ns", [-(2**62 + 10) * NS - 1, MAX_UNIX_NS + 1], ids=["before", "after"])
def test_time_outside_of_tai64_is_refused(unix_ns: int) -> None:
    """Both ends of the range are kept."""
    with pytest.raises(Tai64Error):
        to_tai64n(unix_ns)
