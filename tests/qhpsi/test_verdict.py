"""Tests of verdict.py."""

from __future__ import annotations

from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict


def test_there_are_four_verdicts() -> None:
    """A scan ends in one of four ways, as INTERFACE lists them for `scan --json`."""
    assert [verdict.value for verdict in Verdict] == ["CLEAN", "INFECTED", "NOT_SCANNED", "ERROR"]


def test_row_has_the_columns_of_the_interface() -> None:
    """`scan --json` gets path, verdict, signature, scanner, milliseconds and reason."""
    answer = ScanAnswer(Verdict.NOT_SCANNED, "", "ClamAV 1.4.6", 1_500_000, "too long", b"raw")

    assert answer.as_row("a.eml") == {
        "path": "a.eml",
        "verdict": "NOT_SCANNED",
        "signature": "",
        "scanner": "ClamAV 1.4.6",
        "elapsed_ms": 1.5,
        "reason": "too long",
    }


def test_raw_reply_is_not_in_the_repr() -> None:
    """A scanner's output may be long and hostile; the repr stays one short line."""
    assert "hostile" not in repr(ScanAnswer(Verdict.ERROR, raw=b"hostile\n" * 1000))
