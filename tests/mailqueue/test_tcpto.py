"""The table of hosts that did not answer, beside a recorded one."""

from __future__ import annotations

import dataclasses
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.errors import FormatError
from indimail_kit.mailqueue.tcpto import IPV4, IPV6, RECORD_BYTES, TimeoutRecord, decode, encode, encode_record

RECORDED = Path(__file__).parent.parent / "data" / "indimail" / "queue" / "mixed-queue2.tar"


def recorded_table() -> bytes:
    """Return lock/tcpto of the recorded queue, of which qmail-tcpto said "127.0.0.1 … # recent timeouts: 1"."""
    with tarfile.open(RECORDED) as archive:
        name = next(name for name in archive.getnames() if name.endswith("lock/tcpto"))
        file = archive.extractfile(name)
        assert file is not None
        return file.read()


def test_recorded_table_reads_as_qmail_tcpto_read_it() -> None:
    """One host, once, ten seconds before qmail-tcpto printed it."""
    assert decode(recorded_table()) == (TimeoutRecord(0, "127.0.0.1", 1, 1795357310),)


def test_recorded_table_is_written_octet_for_octet() -> None:
    """Encoding gives back the 2048 octets of the real program."""
    assert encode(decode(recorded_table())) == recorded_table()


def test_ipv6_address_fills_the_sixteen_octets() -> None:
    """Family 10, the address from octet 16 to the end of the record."""
    record = TimeoutRecord(2, "2001:db8::7", 10, 1, IPV6)
    octets = encode([record], count=3)

    assert (octets[64], octets[68], octets[80:96].hex()) == (10, 10, "20010db8000000000000000000000007")
    assert decode(octets) == (record,)


def test_empty_table_has_no_records() -> None:
    """A new queue's table, and one of no length."""
    assert (decode(bytes(2048)), decode(b"")) == ((), ())


@pytest.mark.parametrize("length", [1, 31, 33, 2047])
def test_table_that_ends_within_a_record_is_an_error(length: int) -> None:
    """The error says where the broken record begins."""
    with pytest.raises(FormatError, match="records of 32 octets") as caught:
        decode(bytes(length))
    assert caught.value.offset == length // 32 * 32


def test_unknown_family_is_kept() -> None:
    """A record that is not understood is shown with its octets, and written back as it was."""
    octets = bytes([99, 0, 0, 0, 3]) + bytes(11) + bytes(range(16))
    records = decode(octets)

    assert records == (TimeoutRecord(0, bytes(range(16)).hex(), 3, 0, 99),)
    assert encode(records, count=1) == octets


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "localhost"},
        {"address": "::1"},
        {"timeouts": 256},
        {"last_s": 2**32},
        {"last_s": -1},
        {"family": 0, "address": ""},
    ],
    ids=["a name", "another family", "count", "time", "before 1970", "no family"],
)
def test_value_without_room_is_refused(changes: dict[str, object]) -> None:
    """What a record cannot hold is not written."""
    record = dataclasses.replace(TimeoutRecord(0, "192.0.2.1", 1, 1), **changes)  # type: ignore[arg-type]  # by name
    with pytest.raises(ValueError, match=r"address|count|family"):
        encode_record(record)


@pytest.mark.parametrize("positions", [(0, 0), (64,), (-1,)], ids=["twice", "behind the end", "before the start"])
def test_position_outside_of_the_table_is_refused(positions: tuple[int, ...]) -> None:
    """No record overwrites another one, or lies outside."""
    with pytest.raises(ValueError, match="positions from 0 to 63"):
        encode(TimeoutRecord(position, "192.0.2.1", 1, 1) for position in positions)


@given(st.binary(max_size=4 * RECORD_BYTES))
def test_any_octets_are_records_or_an_error(octets: bytes) -> None:
    """Whatever lies in the file, decode answers."""
    try:
        records = decode(octets)
    except FormatError:
        assert len(octets) % RECORD_BYTES
    else:
        assert [record.position for record in records] == [
            start // 32 for start in range(0, len(octets), 32) if octets[start]
        ]


@given(
    st.builds(
        TimeoutRecord,
        position=st.integers(0, 63),
        address=st.ip_addresses(v=4).map(str),
        timeouts=st.integers(0, 10),
        last_s=st.integers(0, 2**32 - 1),
        family=st.just(IPV4),
    )
)
def test_what_was_written_is_read_back(record: TimeoutRecord) -> None:
    """decode(encode(x)) == x."""
    assert decode(encode([record])) == (record,)
