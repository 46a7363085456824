"""The envelope codec against recorded calls and files of the real programs."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit import exitcodes
from indimail_kit.envelope import (
    MAX_ADDRESS_BYTES,
    Envelope,
    QueueRecords,
    Recipient,
    check_envelope,
    decode_envelope,
    decode_recipients,
    decode_records,
    decode_sender,
    encode_envelope,
    encode_recipients,
    encode_records,
)
from indimail_kit.errors import EnvelopeError

QUEUE = Path(__file__).parent / "data" / "indimail" / "queue"
ADDRESS = st.binary(max_size=MAX_ADDRESS_BYTES - 1).map(lambda octets: octets.replace(b"\0", b"?"))
TEXT = st.binary(max_size=80).map(lambda octets: octets.replace(b"\0", b"?"))
WHOLE = b"Fann@local.test\0Talice@local.test\0Tbob@local.test\0\0"


def raw_files(kinds: tuple[str, ...]) -> list[bytes]:
    """Return the octets of every recorded file of some kinds."""
    files = []
    for listing in sorted(QUEUE.glob("*.raw.txt")):
        lines = listing.read_text(encoding="ascii").splitlines()
        files += [
            ast.literal_eval(octets)
            for head, octets in zip(lines[::2], lines[1::2], strict=True)
            if head.split("/")[1] in kinds
        ]
    return files


RECORDS = raw_files(("intd", "todo", "info"))
CHANNELS = raw_files(("local", "remote"))
CALLS = [
    case
    for case in json.loads((QUEUE / "qmail-queue-exit-codes.json").read_text(encoding="ascii"))
    if not case["env"] and case["prog"].endswith("/qmail-queue") and len(case["envelope"]) < 80
]
"""Recorded calls that differ in the envelope only (the listing cuts long envelopes off)."""


def exit_code_of(octets: bytes) -> int:
    """Return the exit code for an envelope."""
    try:
        decode_envelope(octets)
    except EnvelopeError as error:
        return error.exit_code
    return 0


@pytest.mark.parametrize(
    "call", [call for call in CALLS if call["case"] != "fd 0 closed"], ids=lambda call: call["case"]
)
def test_envelope_gets_the_exit_code_of_the_real_program(call: dict[str, object]) -> None:
    """The recorded calls of qmail-queue are the oracle."""
    assert exit_code_of(str(call["envelope"]).encode("latin-1")) == call["rc"]


@pytest.mark.parametrize(("address_bytes", "exit_code"), [(1002, 0), (1003, 11), (1004, 11)])
def test_sender_of_1003_octets_is_too_long(address_bytes: int, exit_code: int) -> None:
    """Both sides of the limit, as recorded."""
    assert exit_code_of(b"F" + b"a" * address_bytes + b"\0Tc@d\0\0") == exit_code


@pytest.mark.parametrize(("address_bytes", "exit_code"), [(1002, 0), (1003, 11)])
def test_recipient_of_1003_octets_is_too_long(address_bytes: int, exit_code: int) -> None:
    """Both sides of the limit, as recorded."""
    assert exit_code_of(b"Fa@b\0T" + b"a" * address_bytes + b"\0\0") == exit_code


@pytest.mark.parametrize(("address_bytes", "exit_code"), [(1002, 54), (1003, 11)])
def test_length_is_told_before_the_end_of_file(address_bytes: int, exit_code: int) -> None:
    """The program gives up at the 1003rd octet and never sees that the file ends there."""
    assert exit_code_of(b"F" + b"a" * address_bytes) == exit_code


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_envelope_that_was_cut_is_a_read_error(length: int) -> None:
    """At every length below the whole: 54."""
    assert exit_code_of(WHOLE[:length]) == 54


def test_whole_envelope_has_its_parts() -> None:
    """Sender and recipients in order."""
    assert decode_envelope(WHOLE) == Envelope(b"ann@local.test", (b"alice@local.test", b"bob@local.test"))


@pytest.mark.parametrize("junk", [b"\0", b"T", b"junk", b"Fx@y\0\0"])
def test_octets_behind_the_final_nul_are_not_looked_at(junk: bytes) -> None:
    """Recorded as "trailing bytes after end"."""
    assert decode_envelope(WHOLE + junk) == decode_envelope(WHOLE)


def test_q_ends_an_envelope_too() -> None:
    """An odd door of qmail-queue.c: Q in the place of the final NUL."""
    assert decode_envelope(b"Fa@b\0Tc@d\0Q") == Envelope(b"a@b", (b"c@d",))


def test_error_says_where_the_record_is_wrong() -> None:
    """The offset is that of the record that is neither F nor T."""
    with pytest.raises(EnvelopeError) as caught:
        decode_envelope(b"Fa@b\0Tc@d\0X\0")
    assert (caught.value.exit_code, caught.value.offset) == (79, 10)


def test_sender_is_read_with_the_place_behind_it() -> None:
    """What a swallowed message needs."""
    assert decode_sender(WHOLE) == (b"ann@local.test", 16)


@given(st.builds(Envelope, ADDRESS, st.lists(ADDRESS, max_size=4).map(tuple)))
def test_every_envelope_comes_back(envelope: Envelope) -> None:
    """decode(encode(x)) == x."""
    assert decode_envelope(encode_envelope(envelope)) == envelope


@given(st.binary(max_size=200))
def test_any_octets_give_an_envelope_or_the_error(octets: bytes) -> None:
    """Only 54, 79 and 11 come out of octets that are no envelope."""
    assert exit_code_of(octets) in {0, 11, 54, 79}


@given(st.binary(max_size=60).map(lambda octets: b"Fa@b\0" + octets))
def test_any_octets_behind_a_sender_give_an_envelope_or_the_error(octets: bytes) -> None:
    """The recipients are as safe as the sender."""
    assert exit_code_of(octets) in {0, 11, 54, 79}


@pytest.mark.parametrize(
    ("envelope", "exit_code"),
    [
        (Envelope(b"a" * 1003, ()), 11),
        (Envelope(b"", (b"b", b"a" * 1003)), 11),
        (Envelope(b"a\0b", ()), 79),
        (Envelope(b"", (b"a\0Tevil@example.com",)), 79),
    ],
    ids=["long sender", "long recipient", "NUL in sender", "recipient that hides a second one"],
)
def test_envelope_that_could_not_be_read_back_is_refused(envelope: Envelope, exit_code: int) -> None:
    """A NUL in an address would add recipients."""
    with pytest.raises(EnvelopeError) as caught:
        check_envelope(envelope)
    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize("octets", RECORDS, ids=range(len(RECORDS)))
def test_recorded_records_come_back_octet_for_octet(octets: bytes) -> None:
    """intd, todo and info files of the real programs."""
    assert encode_records(decode_records(octets)) == octets


def test_recorded_records_have_no_unknown_one() -> None:
    """All of u p F T e h are understood."""
    assert {decode_records(octets).unknown for octets in RECORDS} == {()}


@pytest.mark.parametrize("octets", CHANNELS, ids=range(len(CHANNELS)))
def test_recorded_channel_file_comes_back_octet_for_octet(octets: bytes) -> None:
    """Channel files of the real programs: T or D, address, NUL."""
    rebuilt = b"".join(b"%c%b\0" % (b"TD"[r.is_done], r.address) for r in decode_recipients(octets))
    assert rebuilt == octets


def test_info_has_neither_uid_nor_pid() -> None:
    """Recorded info file with e and h records."""
    assert decode_records(b"Fbob@local.test\0eX-Extra: 1\n\0hSubject: hi\n\0") == QueueRecords(
        sender=b"bob@local.test", header=b"X-Extra: 1\n", environment_header=b"Subject: hi\n"
    )


def test_empty_file_has_no_records() -> None:
    """Recorded in S3: the intd file is 0 octets until the envelope is complete."""
    assert decode_records(b"") == QueueRecords()


@pytest.mark.parametrize("length", [1, 2, 8, 30])
def test_records_that_were_cut_are_refused(length: int) -> None:
    """The last record must have its NUL."""
    with pytest.raises(EnvelopeError) as caught:
        decode_records(b"u0\0p4305\0Fann@local.test\0Talice@local.test\0"[:length])
    assert (caught.value.exit_code, caught.value.offset) == (54, length)


@pytest.mark.parametrize(
    "record",
    [b"", b"Xyz", b"u", b"ux", b"u-1", b"u" + b"9" * 5000, b"p\xb2", b"Fsecond@example.com"],
    ids=["empty", "unknown letter", "no uid", "uid text", "uid sign", "uid of 5000 digits", "other digit", "second F"],
)
def test_record_that_is_not_understood_is_kept(record: bytes) -> None:
    """Nothing disappears: it stays in `unknown`, and the others are read."""
    records = decode_records(b"Fa@b\0" + record + b"\0Tc@d\0")
    assert (records.sender, records.recipients, records.unknown) == (b"a@b", (b"c@d",), (record,))


@given(
    st.builds(
        QueueRecords,
        uid=st.none() | st.integers(0, 2**32),
        pid=st.none() | st.integers(0, 2**32),
        sender=st.none() | ADDRESS,
        recipients=st.lists(ADDRESS, max_size=4).map(tuple),
        header=TEXT,
        environment_header=TEXT,
    )
)
def test_all_records_come_back(records: QueueRecords) -> None:
    """decode(encode(x)) == x."""
    assert decode_records(encode_records(records)) == records


@given(st.lists(st.binary(max_size=20).map(lambda octets: octets.replace(b"\0", b"?")), max_size=8))
def test_no_record_is_lost(parts: list[bytes]) -> None:
    """Any row of records: as many come out as went in, and the second reading gives the same."""
    octets = b"".join(part + b"\0" for part in parts)
    records = decode_records(octets)
    again = encode_records(records)
    assert (decode_records(again), again.count(b"\0")) == (records, len(parts) - empty_headers(parts))


def empty_headers(parts: list[bytes]) -> int:
    """Count the first empty e and h records: an empty header is no header."""
    firsts = [next((part for part in parts if part[:1] == kind), b"") for kind in (b"e", b"h")]
    return sum(first in (b"e", b"h") for first in firsts)


@pytest.mark.parametrize(
    "records",
    [
        QueueRecords(sender=b"a\0Tevil@example.com"),
        QueueRecords(recipients=(b"a\0b",)),
        QueueRecords(header=b"X: \0\n"),
        QueueRecords(environment_header=b"\0"),
        QueueRecords(unknown=(b"X\0",)),
    ],
    ids=["sender", "recipient", "header", "environment header", "unknown"],
)
def test_nul_within_a_record_is_refused(records: QueueRecords) -> None:
    """It would forge the next record."""
    with pytest.raises(EnvelopeError) as caught:
        encode_records(records)
    assert caught.value.exit_code == 79


def test_new_channel_file_has_nobody_done() -> None:
    """encode_recipients writes T records."""
    addresses = (b"ann@local.test", b"", b"x y@local.test")
    assert decode_recipients(encode_recipients(addresses)) == tuple(Recipient(address, False) for address in addresses)


def test_nul_within_a_recipient_is_refused() -> None:
    """It would forge the next recipient."""
    with pytest.raises(EnvelopeError):
        encode_recipients([b"a\0Tevil@example.com"])


@pytest.mark.parametrize(
    ("octets", "exit_code", "offset"),
    [(b"Ta\0Xb\0", 79, 3), (b"Ta\0\0", 79, 3), (b"Ta\0Tb", 54, 5)],
    ids=["unknown letter", "empty record", "cut"],
)
def test_channel_file_that_is_broken_is_refused_with_its_place(octets: bytes, exit_code: int, offset: int) -> None:
    """T or D, and a NUL at the end."""
    with pytest.raises(EnvelopeError) as caught:
        decode_recipients(octets)
    assert (caught.value.exit_code, caught.value.offset) == (exit_code, offset)


@given(st.binary(max_size=100))
def test_any_octets_give_recipients_or_the_error(octets: bytes) -> None:
    """Nothing but EnvelopeError comes out."""
    try:
        recipients = decode_recipients(octets)
    except EnvelopeError:
        return
    assert len(recipients) == octets.count(b"\0")


@pytest.mark.parametrize(("octets", "name"), [(b"", "READ"), (b"X", "ENVELOPE"), (b"F" + b"a" * 1003, "TOO_LONG")])
def test_exit_codes_are_those_of_the_table(octets: bytes, name: str) -> None:
    """The codec may not import the table; the numbers are the same."""
    assert exit_code_of(octets) == getattr(exitcodes, name)
