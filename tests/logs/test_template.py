"""The language of the forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.logs.template import Form, GivenValue, as_octets, split_template

STATUS = Form(
    "status",
    "status: local {local_used}/{local_max}« {local_held}»« {queue}»",
    "How many.",
    "test",
)
START = Form(
    "start",
    "start {delivery_number}«.{queue_number}»: msg {message_number} to {channel} {recipient}« {queue}»",
    "A start.",
    "test",
)
END = Form("end", "end {message_number}« {send_program}: {queue}»", "An end.", "test", kind="ended")


def test_a_template_splits_into_fixed_and_optional_parts() -> None:
    """The marks « and » are no part of the line."""
    parts = split_template("new msg {message_number}« {queue}»")
    assert [(part.is_optional, [piece.octets or piece.field_name for piece in part.pieces]) for part in parts] == [
        (False, [b"new msg ", "message_number"]),
        (True, [b" ", "queue"]),
    ]


def test_a_template_may_begin_with_an_optional_part() -> None:
    """Then no part before it is empty."""
    assert [part.is_optional for part in split_template("«{queue} »end")] == [True, False]


def test_kind_is_the_name_unless_given() -> None:
    """Several forms of one statement share a kind."""
    assert (STATUS.kind, END.kind) == ("status", "ended")


@pytest.mark.parametrize(
    ("form", "line", "fields"),
    [
        (STATUS, b"status: local 0/20", {"local_used": 0, "local_max": 20}),
        (
            STATUS,
            b"status: local 1/20 (held) queue1",
            {"local_used": 1, "local_max": 20, "local_held": True, "queue": b"queue1"},
        ),
        (
            START,
            b"start 1.3: msg 7 to local a@b queue3",
            {
                "delivery_number": 1,
                "queue_number": 3,
                "message_number": 7,
                "channel": b"local",
                "recipient": b"a@b",
                "queue": b"queue3",
            },
        ),
        (
            START,
            b"start 1: msg 7 to remote ",
            {"delivery_number": 1, "message_number": 7, "channel": b"remote", "recipient": b""},
        ),
        (END, b"end 5 qmail-send: queue1", {"message_number": 5, "send_program": b"qmail-send", "queue": b"queue1"}),
        (END, b"end 5", {"message_number": 5}),
    ],
    ids=["no option", "flag", "both options", "no option, empty recipient", "pair", "no pair"],
)
def test_one_template_reads_and_writes(form: Form, line: bytes, fields: dict[str, GivenValue]) -> None:
    """Reading a line and writing its fields gives the line."""
    assert form.parse(line) == fields
    assert form.format(fields) == line


@pytest.mark.parametrize(
    "line",
    [
        b"status: local 0/20 ",
        b" status: local 0/20",
        b"status: local 0/20\n",
        b"status: local /20",
        b"Status: local 0/20",
        b"",
    ],
)
def test_a_form_accepts_exactly_its_grammar(line: bytes) -> None:
    """No blank more, no digit less."""
    assert STATUS.parse(line) is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"local_used": 1}, "needs local_max"),
        ({"local_used": 1, "local_max": None}, "needs local_max"),
        ({"local_used": 1, "local_max": 2, "remote_used": 3}, "no fields"),
        ({"local_used": "1", "local_max": 2}, "a number expected for local_used"),
        ({"local_used": True, "local_max": 2}, "a number expected for local_used"),
        ({"local_used": 1, "local_max": 2, "queue": 3}, "text or octets"),
    ],
    ids=["missing", "None", "unknown", "text for a number", "bool for a number", "number for text"],
)
def test_a_wrong_call_is_a_type_error(fields: dict[str, GivenValue], words: str) -> None:
    """The message names the field."""
    with pytest.raises(TypeError, match=words):
        STATUS.format(fields)


def test_half_an_optional_part_is_a_type_error() -> None:
    """A queue without its program must not silently vanish from "end msg"."""
    with pytest.raises(TypeError, match="needs send_program"):
        END.format({"message_number": 5, "queue": "queue1"})


@pytest.mark.parametrize(
    "fields",
    [
        {"local_used": -1, "local_max": 2},
        {"local_used": 10**18, "local_max": 2},
        {"local_used": 1, "local_max": 2, "queue": "queue 1"},
        {"local_used": 1, "local_max": 2, "queue": ""},
        {"local_used": 1, "local_max": 2, "queue": "queue\n1"},
    ],
    ids=["negative", "too long", "blank", "empty", "line end"],
)
def test_a_value_that_cannot_stand_in_its_field_is_a_value_error(fields: dict[str, GivenValue]) -> None:
    """What is written can be read again."""
    with pytest.raises(ValueError, match="cannot stand in the field"):
        STATUS.format(fields)


def test_zero_is_given_and_false_is_not() -> None:
    """0 deliveries is a number; a flag that is False is not written."""
    assert STATUS.format({"local_used": 0, "local_max": 0, "local_held": False}) == b"status: local 0/0"


@given(st.binary())
def test_any_recipient_is_written_on_one_line_and_read_again(octets: bytes) -> None:
    """Hostile octets in an address change neither the number of lines nor the other fields."""
    line = START.format(
        {"delivery_number": 1, "message_number": 2, "channel": "local", "recipient": octets, "queue": "q"}
    )
    fields = START.parse(line)
    assert b"\n" not in line
    assert fields is not None
    assert {name: fields[name] for name in ("delivery_number", "message_number", "queue")} == {
        "delivery_number": 1,
        "message_number": 2,
        "queue": b"q",
    }


def test_text_becomes_utf8_and_a_surrogate_its_octet() -> None:
    """File names that are not UTF-8 reach Python with surrogates."""
    assert (as_octets("é"), as_octets("\udcff"), as_octets(b"\xff")) == (b"\xc3\xa9", b"\xff", b"\xff")
