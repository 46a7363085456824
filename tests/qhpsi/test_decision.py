"""Tests of decision.py; the recorded calls are in tests/conformance/test_qhpsi_decisions.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.decision import Outcome, ScanAction, decide, is_scanned, outcome, verdict_of
from indimail_kit.qhpsi.verdict import Verdict

SCAN = "/usr/bin/clamdscan %s"


@pytest.mark.parametrize(
    ("config", "scanner_rc", "action"),
    [
        (QhpsiConfig(SCAN), 0, ScanAction.ACCEPT_CLEAN),
        (QhpsiConfig(SCAN), 1, ScanAction.ACCEPT_INFECTED),
        (QhpsiConfig(SCAN, reject_virus=1), 1, ScanAction.BOUNCE),
        (QhpsiConfig(SCAN, reject_virus=2), 1, ScanAction.BLACKHOLE),
        (QhpsiConfig(SCAN, reject_virus=3), 1, ScanAction.BOUNCE),
        (QhpsiConfig(SCAN, reject_virus=-1), 1, ScanAction.BOUNCE),
        (QhpsiConfig(SCAN, reject_virus=1), 0, ScanAction.ACCEPT_CLEAN),
        (QhpsiConfig(SCAN, virus_forward="a@b"), 1, ScanAction.FORWARD),
        (QhpsiConfig(SCAN, virus_forward="a@b", reject_virus=2), 1, ScanAction.FORWARD),
        (QhpsiConfig(SCAN, virus_forward="a@b", reject_virus=1), 1, ScanAction.BOUNCE),
        (QhpsiConfig(SCAN, virus_forward="a@b"), 0, ScanAction.ACCEPT_CLEAN),
        (QhpsiConfig(SCAN), 2, ScanAction.TEMPFAIL),
        (QhpsiConfig(SCAN), 77, ScanAction.TEMPFAIL),
        (QhpsiConfig(SCAN), None, ScanAction.CRASHED),
        (QhpsiConfig(SCAN, infected_rc=0), 0, ScanAction.ACCEPT_INFECTED),
        (QhpsiConfig(SCAN, infected_rc=13), 1, ScanAction.TEMPFAIL),
        (QhpsiConfig(SCAN, clean_rc=2), 0, ScanAction.TEMPFAIL),
        (QhpsiConfig(None), 1, ScanAction.SKIP),
        (QhpsiConfig(SCAN, is_fast_queue=True), 1, ScanAction.SKIP),
    ],
)
def test_action_follows_the_table(config: QhpsiConfig, scanner_rc: int | None, action: ScanAction) -> None:
    """Every row of qhpsiprog() in qmail-queue.c gives its action."""
    assert decide(config, message_bytes=250, scanner_rc=scanner_rc) is action


@pytest.mark.parametrize(
    ("min_bytes", "max_bytes", "message_bytes", "expected"),
    [
        (0, 0, 0, True),
        (100, 0, 99, False),
        (100, 0, 100, True),
        (0, 100, 100, True),
        (0, 100, 101, False),
        (100, 100, 100, True),
        (200, 100, 150, False),
    ],
)
def test_size_limits_count_on_both_sides(min_bytes: int, max_bytes: int, message_bytes: int, expected: bool) -> None:
    """A message of exactly the limit is scanned; one octet beyond it is not."""
    config = QhpsiConfig(SCAN, min_bytes=min_bytes, max_bytes=max_bytes)

    assert is_scanned(config, message_bytes=message_bytes) is expected


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (ScanAction.SKIP, Outcome(0, b"", False, "")),
        (ScanAction.ACCEPT_CLEAN, Outcome(0, b"X-QHPSI: clean\n", False, "")),
        (ScanAction.ACCEPT_INFECTED, Outcome(0, b"X-QHPSI: Virus found\n", False, "")),
        (ScanAction.FORWARD, Outcome(0, b"X-QHPSI: Virus found\n", False, "virusadm@example.com")),
        (ScanAction.BLACKHOLE, Outcome(0, b"X-QHPSI: Virus found\n", True, "")),
        (ScanAction.BOUNCE, Outcome(33, b"", False, "")),
        (ScanAction.TEMPFAIL, Outcome(77, b"", False, "")),
        (ScanAction.CRASHED, Outcome(123, b"", False, "")),
    ],
)
def test_every_action_has_its_meaning(action: ScanAction, expected: Outcome) -> None:
    """Exit code, header, swallowing and forwarding are those of the recorded calls."""
    assert outcome(action, QhpsiConfig(SCAN, virus_forward="virusadm@example.com")) == expected


def test_no_action_is_without_meaning() -> None:
    """The table of outcomes is complete."""
    assert all(isinstance(outcome(action, QhpsiConfig(SCAN)), Outcome) for action in ScanAction)


@given(
    infected_rc=st.integers(-1, 255),
    clean_rc=st.integers(-1, 255),
    reject_virus=st.integers(-2, 5),
    scanner_rc=st.none() | st.integers(0, 255),
    size=st.integers(0, 1000),
)
def test_clean_needs_the_clean_exit_code(
    infected_rc: int, clean_rc: int, reject_virus: int, scanner_rc: int | None, size: int
) -> None:
    """Whatever is configured, a message is marked clean only after exactly QHPSIRN, and never after QHPSIRC."""
    config = QhpsiConfig(SCAN, infected_rc, clean_rc, 0, 0, reject_virus)

    action = decide(config, message_bytes=size, scanner_rc=scanner_rc)

    assert (action is ScanAction.ACCEPT_CLEAN) is (scanner_rc == clean_rc != infected_rc)


def test_infected_code_is_compared_first() -> None:
    """QHPSIRC=0 makes every clean mail a virus, as in the program."""
    assert verdict_of(QhpsiConfig(SCAN, infected_rc=0, clean_rc=0), 0) is Verdict.INFECTED
