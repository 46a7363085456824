"""Tests of canary.py: a scanner that does not find EICAR is not believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.qhpsi import ClamdDaemon, eicar
from indimail_kit.qhpsi.canary import DEAD_CANARY, CanaryScanner
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

CLEAN = ScanAnswer(Verdict.CLEAN, scanner="x", elapsed_ns=2)
FOUND = ScanAnswer(Verdict.INFECTED, "Eicar", scanner="x", elapsed_ns=3)
BROKEN = ScanAnswer(Verdict.ERROR, scanner="x", elapsed_ns=4, reason="no answer")


@pytest.mark.parametrize(
    ("proof", "verdict", "reason", "elapsed_ns"),
    [
        (FOUND, Verdict.CLEAN, "", 5),
        (CLEAN, Verdict.ERROR, DEAD_CANARY, 4),
        (BROKEN, Verdict.ERROR, "EICAR test: no answer", 6),
    ],
    ids=["sings", "dead", "gone"],
)
def test_clean_counts_only_while_eicar_is_found(
    proof: ScanAnswer, verdict: Verdict, reason: str, elapsed_ns: int
) -> None:
    """A scanner that calls EICAR clean, or cannot be asked about it, has called nothing clean."""
    answer = CanaryScanner(lambda _: CLEAN, lambda: proof)(Path("mail"))

    assert (answer.verdict, answer.reason, answer.elapsed_ns) == (verdict, reason, elapsed_ns)


@pytest.mark.parametrize("answer", [FOUND, BROKEN], ids=["infected", "error"])
def test_every_other_answer_stands(answer: ScanAnswer) -> None:
    """What is not CLEAN needs no proof, and none is asked for."""

    def nobody() -> ScanAnswer:
        raise AssertionError

    assert CanaryScanner(lambda _: answer, nobody)(Path("mail")) is answer


def test_real_clamd_without_signatures_is_not_believed(tmp_path: Path) -> None:
    """Clamd says OK to EICAR when its database is empty; with its signatures back, clean is clean again."""
    mail = tmp_path / "mail"
    mail.write_bytes(b"Subject: x\n\nhello\n")
    with ClamdDaemon() as clamd:
        scanner = CanaryScanner(clamd.client, lambda: clamd.client.scan_stream(eicar()))
        known = clamd.signatures
        verdicts = [scanner(mail).verdict]
        clamd.use_signatures(())
        verdicts.append(scanner(mail).verdict)
        clamd.use_signatures(known)
        verdicts.append(scanner(mail).verdict)

    assert verdicts == [Verdict.CLEAN, Verdict.ERROR, Verdict.CLEAN]
