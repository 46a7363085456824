"""Addresses are read as leniently as qmail-smtpd reads them, and no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.lab.smtp_address import MAX_ADDRESS_BYTES, parse_address, parse_size


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        (b"FROM:<a@b>", b"a@b"),
        (b"FROM:<>", b""),
        (b"FROM:<a@b", b"a@b"),  # recorded: `MAIL FROM:<a@b` is answered 250
        (b"FROM: a@b", b"a@b"),
        (b"FROM:a@b SIZE=1", b"a@b"),
        (b'FROM:<"a b"@c>', b"a b@c"),
        (b"FROM:<a\\@b@c>", b"a@b@c"),
        (b"FROM:<@x,@y:a@b>", b"a@b"),
        (b'FROM:<"a>b"@c>', b"a>b@c"),
        (b"", None),
        (b"FROM", None),
        (b"FROM:", None),
        (b"FROM:<a\0@b>", None),
    ],
    ids=repr,
)
def test_address_as_qmail_smtpd_reads_it(argument: bytes, address: bytes | None) -> None:
    """Each form gives qmail-smtpd's address, or None where it says 555."""
    assert parse_address(argument) == address


@pytest.mark.parametrize(("length", "is_read"), [(MAX_ADDRESS_BYTES - 1, True), (MAX_ADDRESS_BYTES, False)])
def test_both_sides_of_the_length_limit(length: int, is_read: bool) -> None:
    """900 octets with the final NUL are the most, as addrparse() counts."""
    assert (parse_address(b"FROM:<" + b"a" * length + b">") is not None) is is_read


@given(st.binary(max_size=100))
def test_any_octets_give_an_address_or_none(argument: bytes) -> None:
    """No input raises, and no address holds a NUL."""
    address = parse_address(argument)
    assert address is None or b"\0" not in address


@pytest.mark.parametrize(
    ("argument", "size"),
    [
        (b"FROM:<a@b> SIZE=123", 123),
        (b"FROM:<a@b> BODY=8BITMIME size=7", 7),
        (b"FROM:<a@b> SIZE=x", None),
        (b"FROM:<SIZE=5>", None),
    ],
    ids=repr,
)
def test_size_parameter(argument: bytes, size: int | None) -> None:
    """SIZE= counts only behind the address."""
    assert parse_size(argument) == size
