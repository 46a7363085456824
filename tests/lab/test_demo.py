"""The demo mails: what happened is judged by what should have happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from indimail_kit.lab import CASES, Lab, run_demo
from indimail_kit.lab.demo import run_case


@pytest.mark.parametrize("scanner", ["embedded", "clamd", "command"])
def test_every_demo_mail_ends_as_it_should(make_lab: Callable[..., Lab], scanner: str) -> None:
    """All cases, with each scanner; the embedded one and clamd agree on all of them."""
    lab = make_lab(scanner=scanner, queue_count=2)
    journeys = run_demo(lab)
    assert [(journey.case, journey.expected) for journey in journeys if not journey.is_expected] == []
    assert len(journeys) == len(CASES) == len({case.name for case in CASES})
    named = {journey.signature for journey in journeys if journey.verdict == "INFECTED"}
    assert named == ({""} if scanner == "command" else named - {""})
    assert ("ClamAV" in lab.scanner_name) is (scanner != "embedded")


def test_wrong_end_is_not_called_right(make_lab: Callable[..., Lab]) -> None:
    """A case whose expectation is wrong comes out as not expected: the judge can say no."""
    lab = make_lab()
    case = replace(CASES[0], expected=replace(CASES[0].expected, delivered_to="bob@example.com Quarantine"))
    assert run_case(lab, case).is_expected is False


def test_scanner_runs_again_after_the_case_that_stops_it(make_lab: Callable[..., Lab]) -> None:
    """A case leaves the lab as it found it."""
    lab = make_lab()
    stopped = next(case for case in CASES if case.is_scanner_stopped)
    assert run_case(lab, stopped).is_expected
    assert lab.send().verdict == "CLEAN"
