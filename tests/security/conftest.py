"""What the security sweep shares: how much to do, and the characters that steer a terminal.

`make test` does a short form, always the same one; `make sweep` sets INDIMAIL_KIT_SWEEP to "full" and does all of it.

Source: table of threats, checks: 65 control characters, 9 of direction, 200 sequences; 10,000 sessions; 500 ids.
"""

from __future__ import annotations

import itertools
import os
import unicodedata
from collections.abc import Sequence
from typing import Literal, get_args

import pytest

SweepSize = Literal["short", "full"]
"""How much the sweep does: variable INDIMAIL_KIT_SWEEP."""

CONTROLS = tuple(chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)))
"""The 65 control characters of C0, DEL and C1."""

DIRECTIONS = tuple(chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
"""The nine characters that change the direction of text."""

_INTRODUCERS = ("\x1b[", "\x9b", "\x1b]", "\x9d", "\x1bP", "\x90", "\x1b_", "\x1b^")
_BODIES = (
    *("2J", "H", "31m", "?1049h", "6n", "21t", "1;1r", "5i", "?25l", "999;999H"),
    *("0;title\x07", "52;c;cm0=\x07", "8;;http://evil.example/\x07", "4;1;?\x07", "50;?\x1b\\", "1337;File=:\x07"),
    *("+q544e\x1b\\", '$q"p\x1b\\', "0;1|17/ab\x9c", "X\u202eevil", "!p", "c", "\x00", "\x18", "\x1a"),
)
SEQUENCES = tuple(opening + body for opening, body in itertools.product(_INTRODUCERS, _BODIES))
"""200 sequences that terminals obey: clear, move, answer back, write a title or the clipboard, run a link."""


@pytest.fixture(scope="session")
def sweep_size() -> SweepSize:
    """Say how much to do: "short" unless INDIMAIL_KIT_SWEEP is "full"."""
    size = os.environ.get("INDIMAIL_KIT_SWEEP", "short")
    assert size in get_args(SweepSize), f"INDIMAIL_KIT_SWEEP is one of {get_args(SweepSize)}"
    return "full" if size == "full" else "short"


def steering(text: str, *, kept: Sequence[str] = ("\n",)) -> list[str]:
    """Return the characters of a text that would steer a screen: controls, directions, and what nobody can see."""
    return sorted({
        one for one in text if one not in kept and unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    })  # fmt: skip
