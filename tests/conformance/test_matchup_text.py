"""The real matchup's answers, octet for octet: what it printed, and what it handed to its next run."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from indimail_kit.logs import read_blocks
from indimail_kit.logs.matchup_text import MatchupPrinter, matchup_text
from indimail_kit.logs.speed import has_compiler

LOGS = Path(__file__).parents[1] / "data" / "indimail" / "logs"
NAMES = sorted(path.name.removesuffix(".matchup.gz") for path in LOGS.glob("*.matchup.gz"))
WAYS = [
    pytest.param(False, id="as it is"),
    pytest.param(True, id="compiled", marks=pytest.mark.skipif(not has_compiler(), reason="needs the extra logs")),
]


@pytest.mark.parametrize("compiled", WAYS)
@pytest.mark.parametrize("block_bytes", [1 << 20, 5000])
@pytest.mark.parametrize("name", NAMES)
def test_the_text_is_the_real_matchups(name: str, block_bytes: int, compiled: bool) -> None:
    """Rows, lines that it does not know, and their order, whatever the blocks; then what it writes to descriptor 5."""
    printer = MatchupPrinter()
    blocks = read_blocks(LOGS / f"{name}.tai64n.log.gz", compiled=compiled, block_bytes=block_bytes)
    text = b"".join(printer.feed(block) for block in blocks)
    printer.finish()
    assert text.splitlines() == gzip.decompress((LOGS / f"{name}.matchup.gz").read_bytes()).splitlines()
    assert text == gzip.decompress((LOGS / f"{name}.matchup.gz").read_bytes())
    assert b"".join(printer.pending()) == (LOGS / f"{name}.matchup-pending").read_bytes()


@pytest.mark.parametrize("cut", [5, 60, 100, 150])
def test_two_runs_with_what_was_left_over_print_what_one_run_prints(cut: int) -> None:
    """The log is rotated in the middle: open messages and deliveries go on in the next file."""
    lines = gzip.decompress((LOGS / "send-for-smtpd.tai64n.log.gz").read_bytes()).splitlines(keepends=True)
    printer = MatchupPrinter()
    first = b"".join(matchup_text(b"".join(lines[:cut]), printer=printer))
    second = b"".join(matchup_text(b"".join(lines[cut:]), pending_in=b"".join(printer.pending())))
    assert (first + second).splitlines() == b"".join(matchup_text(b"".join(lines))).splitlines()


def test_a_last_line_without_an_end_is_not_read() -> None:
    """As the real one: it may not be whole."""
    assert b"".join(matchup_text(b"1.000000000 what?\n1.000000000 wh")) == b"? 1.000000000 what?\n"
