"""The one table of line forms."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indimail_kit.logs.event import UNKNOWN
from indimail_kit.logs.fields import FIELDS
from indimail_kit.logs.grammar import FORMS, KINDS, format_event, format_line, parse_line, read_text
from indimail_kit.logs.template import Form, GivenValue

WITH_EXAMPLE = [form for form in FORMS.values() if form.example]
LABEL = b"@400000004b9da2f03b424bb4 "


def named(form: Form) -> str:
    """Return the name of a form, for test ids."""
    return form.name


@pytest.mark.parametrize("form", WITH_EXAMPLE, ids=named)
def test_an_example_is_read_as_its_form_and_written_as_it_was(form: Form) -> None:
    """Examples are lines of the seed and of the recorded logs."""
    line = form.example.encode()
    found, fields = read_text(line)
    assert found is form
    assert form.format(fields) == line


@pytest.mark.parametrize("form", FORMS.values(), ids=named)
def test_every_form_has_its_sentence_and_its_source(form: Form) -> None:
    """The table is the documentation."""
    assert re.fullmatch(r".+\.", form.meaning)
    assert form.source


def test_no_form_is_called_unknown() -> None:
    """That word is for what is left when no form fits."""
    assert UNKNOWN not in KINDS


@pytest.mark.parametrize(
    ("form_name", "fields", "line"),
    [
        (
            "info_msg",
            {"message_number": 1704474, "message_bytes": 177, "sender": b"", "qp": 4305, "uid": 0, "queue": "queue1"},
            b"info msg 1704474: bytes 177 from <> qp 4305 uid 0 queue1",
        ),
        (
            "info_msg",
            {"message_number": 1, "message_bytes": 2, "sender": "a b%\n\xe9@c", "qp": 3, "uid": 4},
            b"info msg 1: bytes 2 from <a_b_/__@c> qp 3 uid 4",
        ),
        (
            "todo_recipient",
            {
                "channel": "local",
                "raw_sender": b"",
                "raw_recipient": b"sp ace@local.test",
                "message_number": 1704485,
                "message_bytes": 177,
                "queue": "queue1",
                "todo_mode": "opendir",
            },
            b"local: <> sp ace@local.test 1704485 177 bytes queue1 opendir mode",
        ),
        (
            "starting_delivery",
            {
                "delivery_number": 9,
                "message_number": 1704485,
                "channel": "local",
                "recipient": b"sp ace@local.test",
                "queue": "queue1",
            },
            b"starting delivery 9: msg 1704485 to local sp_ace@local.test queue1",
        ),
        (
            "delivery",
            {
                "delivery_number": 2,
                "queue_number": 3,
                "outcome": "failure",
                "queue": "queue3",
                "report": b"Sorry, no mailbox here by that name. (#5.1.1)\n",
            },
            b"delivery 2.3: failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/ queue3",
        ),
        ("delivery_mangled", {"delivery_number": 7, "queue": "q1"}, b"delivery 7: report mangled, will defer: q1"),
        (
            "status",
            {"local_used": 1, "local_max": 20, "remote_used": 0, "remote_max": 20, "queue": "slowq", "delayed_jobs": 1},
            b"status: local 1/20 remote 0/20 delayed jobs=1 slowq",
        ),
        (
            "status",
            {
                "local_used": 0,
                "local_max": 20,
                "local_held": True,
                "remote_used": 0,
                "remote_max": 20,
                "remote_held": True,
                "queue": "queue1",
                "exitasap": True,
            },
            b"status: local 0/20 (held) remote 0/20 (held) queue1 exitasap",
        ),
        ("bounce_msg", {"message_number": 480, "qp": 6055, "queue": "queue1"}, b"bounce msg 480 qp 6055 queue1"),
        (
            "bounce_discarded",
            {"bounce_rank": "double", "message_number": 1704486, "queue": "queue1"},
            b"double bounce: discarding bounce/1704486 queue1",
        ),
        (
            "end_msg",
            {"message_number": 1766991, "send_program": "slowq-send", "queue": "slowq"},
            b"end msg 1766991 slowq-send: slowq",
        ),
        (
            "send_start",
            {
                "severity": "info",
                "send_program": "qmail-send",
                "pid": 4840,
                "queue_directory": "/var/indimail/queue/queue1",
                "ratelimit": "OFF",
                "loglock": "disabled",
                "split": 151,
            },
            b"info: qmail-send: pid 4840: /var/indimail/queue/queue1: ratelimit=OFF, loglock=disabled, conf split=151",
        ),
        (
            "send_exit",
            {"severity": "info", "send_program": "qmail-send", "pid": 4840, "queue": "queue1"},
            b"info: qmail-send: pid 4840 queue1 exiting",
        ),
        (
            "signal",
            {"severity": "alert", "program": "qmail-send", "pid": 4840, "signal": "TERM", "queue": "queue1"},
            b"alert: qmail-send: pid 4840 got TERM: queue1",
        ),
        (
            "alert_queue",
            {"program": "qmail-send", "queue": "queue1", "remark": "oh no! lost spawn connection! dying..."},
            b"alert: qmail-send: queue1: oh no! lost spawn connection! dying...",
        ),
    ],
)
def test_lines_are_written_letter_for_letter(form_name: str, fields: dict[str, GivenValue], line: bytes) -> None:
    """The lines are those of the recorded logs (line-shapes.txt) or follow from qmail-send.c del_status()."""
    assert format_line(form_name, **fields) == line


def test_a_form_that_is_not_there_is_a_key_error() -> None:
    """A programmer's error, found at once."""
    with pytest.raises(KeyError):
        format_line("starting delivery")


@pytest.mark.parametrize("form", WITH_EXAMPLE, ids=named)
def test_the_first_word_finds_what_trying_all_forms_finds(form: Form) -> None:
    """The index by first words is a shortcut and changes nothing."""
    line = form.example.encode()
    assert read_text(line)[0] is next(one for one in FORMS.values() if one.parse(line) is not None)


@given(st.data())
@settings(max_examples=300)
def test_any_damaged_line_is_one_event_and_keeps_its_octets(data: st.DataObject) -> None:
    """Octets put in, taken out or changed: no exception, nothing lost, and what is read can be written again."""
    line = bytearray(LABEL + data.draw(st.sampled_from(WITH_EXAMPLE)).example.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(line)))
        line[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    octets = bytes(line).replace(b"\n", b"")
    event = parse_line(octets)
    assert (event.line, event.line_bytes, event.is_whole) == (octets, len(octets), False)
    assert format_event(event) == event.text
    assert octets.endswith(event.text)


@given(st.binary().filter(lambda octets: b"\n" not in octets))
def test_any_octets_are_one_event(octets: bytes) -> None:
    """Whatever a log holds."""
    assert parse_line(octets + b"\n").line == octets


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"new msg",
        b"new msg 12x",
        b"new msg 1 queue 1",
        b"new msg 0012 queue1",
        b"new msg 1234567890123456789",
        b"delivery 1: done: did_1+0+0/",
        b"delivery 1: success: did 1+0+0/ queue1",
        b"starting delivery 1: msg 2 to nowhere a@b queue1",
        b"status: local 1/ remote 0/20 queue1",
        b"info msg 5: bytes 9 from a@b",
        b"\xff\xfe\x00",
        b"NEW MSG 5",
        b" new msg 5",
    ],
)
def test_a_line_that_no_form_fits_is_unknown_and_kept(line: bytes) -> None:
    """Nearly right is not right."""
    event = parse_line(LABEL + line)
    assert (event.kind, event.text, event.fields) == (UNKNOWN, line, {})
    assert format_event(event) == line


@pytest.mark.parametrize(
    ("line", "kind", "sender"),
    [
        (
            LABEL + b"info msg 5: bytes 9 from <x@y>@400000004b9da2f03b424bb4_end_msg_6_queue1> qp 7 uid 0 queue1",
            "info_msg",
            b"x@y>@400000004b9da2f03b424bb4_end_msg_6_queue1",
        ),
        (
            LABEL + b"local: @400000004b9da2f03b424bb4 end msg 6 5 9 bytes queue1 opendir mode",
            "todo_recipient",
            b"@400000004b9da2f03b424bb4",
        ),
    ],
    ids=["cleaned address", "raw address"],
)
def test_a_forged_stamp_inside_an_address_stays_in_the_address(line: bytes, kind: str, sender: bytes) -> None:
    """Only what stands at the start of the physical line is a stamp."""
    event = parse_line(line)
    assert (event.kind, event.sender, event.message_number) == (kind, sender, 5)
    assert event.unix_ns == 1_268_622_054_994_200_500


@pytest.mark.parametrize(
    ("line", "kind", "queue", "glued"),
    [
        (b" queue1remote deliveries temporarily held", "deliveries_held", "queue1", b"queue1"),
        (b" queue1remote deliveries resumed", "deliveries_resumed", "queue1", b"queue1"),
        (b" queue1alert: todo-proc: pid 9723 got HUP: queue1", "signal", "queue1", b"queue1"),
        (b" queue1starting delivery 14: msg 1704475 to local a@b queue2", "starting_delivery", "queue2", b"queue1"),
        (b" queue1status: local 1/20 remote 0/20 queue1", "status", "queue1", b"queue1"),
    ],
)
def test_a_line_glued_to_the_queue_name_of_the_line_before_is_recognised(
    line: bytes, kind: str, queue: str, glued: bytes
) -> None:
    """A real bug of qmail-send: "held" and "resumed" end before the queue's name; three of the lines are recorded."""
    event = parse_line(LABEL + line)
    assert (event.kind, event.queue, event.octets("glued_queue")) == (kind, queue, glued)
    assert format_event(event) == line


def test_a_line_end_is_not_part_of_the_line() -> None:
    """With and without, the event is the same but for the mark."""
    whole, half = parse_line(b"new msg 5\n"), parse_line(b"new msg 5")
    assert (whole.line, whole.is_whole, half.is_whole) == (half.line, True, False)


def _repeats(tree: object) -> list[tuple[object, int]]:
    """Return every unbounded repetition in a parsed regular expression with its depth of repetition."""
    found: list[tuple[object, int]] = []

    def walk(node: object, depth: int) -> None:
        match node:
            case (operator, (low, high, inner)) if str(operator) in ("MAX_REPEAT", "MIN_REPEAT"):
                is_loop = int(high) > 1
                if is_loop:
                    found.append((low, depth))
                walk(inner, depth + is_loop)
            case (_, argument):
                walk(argument, depth)
            case _ if hasattr(node, "__iter__") and not isinstance(node, str | bytes):
                for one in node:
                    walk(one, depth)

    walk(tree, 0)
    return found


@pytest.mark.parametrize("form", FORMS.values(), ids=named)
def test_no_form_repeats_a_repetition(form: Form, parsed_expression: Callable[[bytes], object]) -> None:
    """Nested repetitions are what makes a regular expression explode on a hostile line."""
    assert [depth for _low, depth in _repeats(parsed_expression(form.pattern.pattern)) if depth > 0] == []


ANYTHING = b"/a: b> c] d< e(f\x00\xff ERROR"
"""Octets that only a field which takes nearly anything accepts."""


@pytest.mark.parametrize("form", FORMS.values(), ids=named)
def test_a_form_has_one_field_of_any_octets_besides_the_last(form: Form) -> None:
    """Two of them before the end would make the time grow with the square of a hostile line's length.

    This is how a line of 32,000 colons once took seven seconds.
    """
    pieces = [piece.field_name for part in form.parts for piece in part.pieces]
    wide = [name for name in pieces[:-1] if name and re.fullmatch(FIELDS[name].pattern, ANYTHING, re.DOTALL)]
    assert len(wide) <= 1
