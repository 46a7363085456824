"""One line, read."""

from __future__ import annotations

import pytest

from indimail_kit.logs.event import Event
from indimail_kit.logs.grammar import parse_line

NUMBERS = (
    "message_number", "delivery_number", "message_bytes", "qp", "uid", "pid",
    "local_used", "local_max", "remote_used", "remote_max",
)  # fmt: skip
WORDS = ("channel", "outcome", "remote_ip", "signature", "severity")
OCTETS = ("sender", "recipient", "report", "path")


@pytest.mark.parametrize("name", [*NUMBERS, *WORDS, *OCTETS, "program", "run"])
def test_what_an_unknown_line_does_not_say_is_none(name: str) -> None:
    """Nothing is guessed."""
    assert getattr(parse_line(b"what is this?"), name) is None


def test_an_unknown_line_names_no_queue() -> None:
    """The queue is half of a key and therefore never None."""
    assert parse_line(b"what is this?").queue == ""


def test_the_text_is_the_line_behind_its_stamp() -> None:
    """Stamp and text together are the line."""
    event = parse_line(b"@400000004b9da2f03b424bb4 new msg 660188")
    assert (event.text, event.line[: event.text_start]) == (b"new msg 660188", b"@400000004b9da2f03b424bb4 ")


@pytest.mark.parametrize(
    ("line", "queue"),
    [
        (b"new msg 5 queue12", "queue12"),
        (b"new msg 5", ""),
        (b"info: qmail-send: pid 1: /var/indimail/queue/slowq/: ratelimit=ON, conf split=151", "slowq"),
        (b"info: qmail-send: pid 1: queue: ratelimit=OFF, conf split=23", "queue"),
        (b"/var/indimail/queue/nqueue/mess/26/1745435: OK", "nqueue"),
        (b" queue1remote deliveries resumed", "queue1"),
    ],
    ids=["named", "not named", "directory", "relative directory", "path", "glued"],
)
def test_the_queue_is_what_the_line_names(line: bytes, queue: str) -> None:
    """By its name, its directory, a path inside it, or the name glued to the line."""
    assert parse_line(line).queue == queue


@pytest.mark.parametrize(
    ("line", "sender", "recipient"),
    [
        (b"info msg 5: bytes 9 from <> qp 7 uid 0 queue1", b"", None),
        (b"info msg 5: bytes 9 from a@b qp 7 uid 0", b"a@b", None),
        (b"remote: <> <> 5 9 bytes queue1 mqueue mode", b"", b""),
        (b"starting delivery 1: msg 5 to local caf\xe9@x queue1", None, b"caf\xe9@x"),
    ],
    ids=["bounce", "2010", "empty in todo-proc", "octets that are not UTF-8"],
)
def test_an_address_is_octets_and_an_empty_one_is_no_null(
    line: bytes, sender: bytes | None, recipient: bytes | None
) -> None:
    """The empty sender is a bounce's; None is "not said"."""
    event = parse_line(line)
    assert (event.sender, event.recipient) == (sender, recipient)


def test_events_are_values() -> None:
    """Equal lines give equal events."""
    assert parse_line(b"new msg 5 queue1") == parse_line(b"new msg 5 queue1")


def test_an_event_without_anything_is_an_unknown_line() -> None:
    """The defaults describe a line in memory."""
    assert (Event(b"x").kind, Event(b"x").text, Event(b"x").file) == ("unknown", b"x", "")
