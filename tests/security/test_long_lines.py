"""Attack: a log line that makes a regular expression try every way of reading it.

Source: table of threats, "Regex blow-up on logs": a line of 1 MB, and twice the line takes twice the time.
"""

from __future__ import annotations

import time

import pytest

from indimail_kit.logs.engine import MAX_LINE_BYTES
from indimail_kit.logs.grammar import FORMS, parse_line

FILLERS = (
    b"a",
    b" ",
    b"<",
    b">",
    b"@",
    b": ",
    b"msg 1 ",
    b"1",
    b"/",
    b"(",
    b"\xff",
    b"<a@b> ",
    b"qp 1 uid 2 ",
    b"a:b ",
)
"""What a line is filled up with."""


def lines(form_name: str, size: int) -> list[bytes]:
    """Return lines that begin as this form does, go on with each filler, and end so that the form does not fit."""
    example = (FORMS[form_name].example or FORMS[form_name].template).encode()
    half = example[: len(example) // 2]
    return [
        (opening + filler * (size // len(filler) + 1))[:size] + b"\x01"
        for opening in (half, example)
        for filler in FILLERS
    ]


@pytest.mark.parametrize("name", FORMS)
def test_hostile_line_ends_as_an_event(name: str) -> None:
    """The longest line that is read, of every filler behind every opening, is one event; nothing hangs."""
    events = [parse_line(line) for line in lines(name, MAX_LINE_BYTES)]

    assert [event.line_bytes for event in events] == [MAX_LINE_BYTES + 1] * len(events)


def test_twice_the_line_takes_about_twice_the_time(sweep_size: str) -> None:
    """In the time of this process, over all forms: ten times the line takes at most thirty times as long."""
    taken = {}
    for size in (MAX_LINE_BYTES // 10, MAX_LINE_BYTES):
        made = [line for name in FORMS for line in lines(name, size)][:: 1 if sweep_size == "full" else 25]
        begun_ns = time.process_time_ns()
        for line in made:
            parse_line(line)
        taken[size] = (time.process_time_ns() - begun_ns) / len(made)
    small, large = taken.values()
    print(f"{large / 10**6:.2f} ms for a line of {MAX_LINE_BYTES:,} octets, {large / small:.1f} times that of a tenth")

    assert large / small < 30
