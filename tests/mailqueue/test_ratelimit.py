"""ratelimit files: four fields with their NULs, and stray octets that are kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.errors import FormatError
from indimail_kit.mailqueue.ratelimit import RateLimit, decode_ratelimit, encode_ratelimit

NUMBERS = st.integers(0, 2**63 - 1)


def test_file_with_stray_octets_is_read() -> None:
    """As seen on the real machine: dc 00 behind the last field."""
    octets = b"3/60\x002\x001795357310\x001795357312\x00\xdc\x00"
    assert decode_ratelimit("example.com", octets) == RateLimit(
        "example.com", "3/60", 2, 1_795_357_310, 1_795_357_312, b"\xdc\0"
    )


@pytest.mark.parametrize(
    "octets",
    [b"", b"3/60", b"3/60\0002\0001\0001", b"3/60\0two\0001\0001\0", b"3/60\n2\n1\n1\n", b"3/60\0-2\0001\0001\0"],
    ids=["nothing", "the rate alone", "no last NUL", "a word", "the lines of the manual page", "a sign"],
)
def test_other_octets_are_refused(octets: bytes) -> None:
    """What is not understood is no rate."""
    with pytest.raises(FormatError):
        decode_ratelimit("example.com", octets)


@given(st.text("0123456789/", max_size=9), NUMBERS, NUMBERS, NUMBERS, st.binary(max_size=2))
def test_what_is_written_is_read_back(rate: str, count: int, start_s: int, last_s: int, stray: bytes) -> None:
    """Stray octets included."""
    limit = RateLimit("example.com", rate, count, start_s, last_s, stray)
    assert decode_ratelimit("example.com", encode_ratelimit(limit)) == limit


@pytest.mark.parametrize("limit", [RateLimit("d", "3\0", 0, 0, 0), RateLimit("d", "3", -1, 0, 0)], ids=["NUL", "sign"])
def test_what_cannot_be_read_back_is_not_written(limit: RateLimit) -> None:
    """A NUL in the rate, a negative number."""
    with pytest.raises(FormatError):
        encode_ratelimit(limit)
