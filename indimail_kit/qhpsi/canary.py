"""A scanner that must find EICAR before its "clean" counts.

clamd with an empty or old database answers OK to everything, and nothing in that answer shows it. So the miners' way:
a bird that must sing. Each CLEAN is followed by a scan of the EICAR test file; a scanner that does not find it has not
looked at the mail either.

Source: ours; clamd 1.4.6 with a database that holds a comment only says "Loaded 0 signatures." and OK.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from indimail_kit.qhpsi.verdict import ScanAnswer, Scanner, Verdict

DEAD_CANARY: Final = "the scanner does not find the EICAR test file: its database is empty or old"
"""Reason of an answer that does not count."""


@dataclass(frozen=True, slots=True)
class CanaryScanner:
    """Ask a scanner, and believe its CLEAN only while it finds EICAR; a `Scanner`.

    Attributes:
        scanner: Who is asked.
        canary: Lets the same scanner look at EICAR.
    """

    scanner: Scanner
    canary: Callable[[], ScanAnswer]

    def __call__(self, path: Path) -> ScanAnswer:
        """Scan a file."""
        answer = self.scanner(path)
        if answer.verdict is not Verdict.CLEAN:
            return answer
        proof = self.canary()
        return replace(believed(answer, proof), elapsed_ns=answer.elapsed_ns + proof.elapsed_ns)


def believed(answer: ScanAnswer, proof: ScanAnswer) -> ScanAnswer:
    """Return a scanner's answer as far as its answer to EICAR lets it count: a CLEAN without that is an ERROR."""
    if answer.verdict is not Verdict.CLEAN or proof.verdict is Verdict.INFECTED:
        return answer
    reason = DEAD_CANARY if proof.verdict is Verdict.CLEAN else f"EICAR test: {proof.reason}"
    return replace(answer, verdict=Verdict.ERROR, reason=reason)
