"""What a scanner says of one message: four verdicts and the answer around them; values only, no I/O.

Source: ours. The kit's promise (ARCHITECTURE section 3): a scan ends in CLEAN, INFECTED, NOT_SCANNED or ERROR, and
only a scanner that said in so many words that it found nothing makes CLEAN.

Rule 1: `Verdict.CLEAN` is never a default value.
Rule 2: a `Scanner` does not raise for a scan that failed; it answers NOT_SCANNED or ERROR with the reason.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from indimail_kit.wiring import html_of


class Verdict(enum.Enum):
    """How a scan ended."""

    CLEAN = "CLEAN"
    """The scanner looked at all of it and found nothing."""

    INFECTED = "INFECTED"
    """The scanner found a signature."""

    NOT_SCANNED = "NOT_SCANNED"
    """The scanner works, but did not look at all of it: a limit, a form it cannot open, not a file."""

    ERROR = "ERROR"
    """The scanner could not be asked, did not answer, or answered something that is not understood."""

    @property
    def words(self) -> str:
        """Return it as a person reads it: "NOT SCANNED"."""
        return self.value.replace("_", " ")

    @property
    def mark(self) -> str:
        """Return the sign that stands beside the word, a shape of its own for each."""
        return {"CLEAN": "✓", "INFECTED": "✕", "NOT_SCANNED": "?", "ERROR": "!"}[self.value]


@dataclass(frozen=True, slots=True)
class ScanAnswer:
    """One scanner's answer for one message.

    Attributes:
        verdict: How the scan ended.
        signature: Name of the signature found, or "".
        scanner: Who looked: "ClamAV 1.4.6", "embedded (YARA 4.5.4, 3 teaching rules)", or the program's name.
        elapsed_ns: Time from the question to the answer (unit: ns).
        reason: Why it is not CLEAN or INFECTED, as a noun phrase, or "".
        raw: The scanner's own reply or output, cut at 64 KiB.
        scanner_rc: Exit code of a scanner that is a program; None for others and for one that a signal ended.
        signal_number: Signal that ended the program, 0 for none.
        argv: What was run, the file name that it was given included; empty for a scanner that is no program.
        user: Whom it was run as; "" = as we are.
    """

    verdict: Verdict
    signature: str = ""
    scanner: str = ""
    elapsed_ns: int = 0
    reason: str = ""
    raw: bytes = field(default=b"", repr=False)
    scanner_rc: int | None = None
    signal_number: int = 0
    argv: tuple[str, ...] = ()
    user: str = ""

    def _repr_html_(self) -> str:
        """Return the repr, escaped; for a notebook."""
        return html_of(self)

    def as_row(self, path: str) -> dict[str, str | float]:
        """Return the row of `scan --json` (INTERFACE: `scan FILE…`)."""
        return {
            "path": path,
            "verdict": self.verdict.value,
            "signature": self.signature,
            "scanner": self.scanner,
            "elapsed_ms": self.elapsed_ns / 10**6,
            "reason": self.reason,
        }


Scanner: TypeAlias = Callable[[Path], ScanAnswer]
"""Anything that can be asked about a file."""


def visible(octets: bytes) -> str:
    r"""Decode a scanner's octets for a text field; octets that are not UTF-8 stay readable as ``\xNN``.

    Example:
        >>> visible(b"caf\xc3\xa9 \xff")
        'café \\xff'
    """
    return octets.decode("utf-8", "backslashreplace")
