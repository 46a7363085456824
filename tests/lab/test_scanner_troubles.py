"""A scanner in trouble never lets a mail through, and the lab is well again afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from indimail_kit.errors import LabError
from indimail_kit.lab import Lab
from indimail_kit.lab.lying_clamd import cut_at
from indimail_kit.lab.scanner_troubles import LIES, TROUBLES, Trouble, TroubleKind

REASONS = {
    "down": "clamd: No such file or directory",
    "killed": "connection broken in mid-stream",
    "slow": "no answer within 0.5 s",
    "over-file-limit": "beyond clamd's limits: Heuristics.Limits.Exceeded.MaxFileSize",
    "over-stream-limit": "longer than clamd's StreamMaxLength",
    "stale": "the scanner does not find the EICAR test file: its database is empty or old",
    "empty": "the scanner does not find the EICAR test file: its database is empty or old",
    "cut": "reply cut off: fd[",
    "twice": "more than one reply: ",
    "garbled": "unknown reply: ",
    "nameless": "unknown reply: OK",
}
NOT_SCANNED = {"over-file-limit", "over-stream-limit"}
OK_REPLY_BYTES = len(b"fd[12]: OK\0")


@pytest.fixture(scope="module")
def lab(clamd_lab: Lab) -> Lab:
    """A lab that asks a real clamd by its socket."""
    return clamd_lab


def test_every_trouble_is_tried_here() -> None:
    """The list of this test is the list of the lab."""
    assert set(REASONS) == set(TROUBLES)


@pytest.mark.parametrize("attach", ["none", "eicar"])
@pytest.mark.parametrize("kind", TROUBLES)
def test_mail_is_refused_for_now_and_never_called_clean(lab: Lab, kind: TroubleKind, attach: str) -> None:
    """Infected or not: 451, exit code 77, nothing queued, no header; and afterwards the scanner works as before."""
    with lab.scanner_trouble(kind) as trouble:
        journey = lab.send(attach=attach)
    after = [lab.send(attach=one).verdict for one in ("none", "eicar")]

    assert trouble is TROUBLES[kind]
    assert journey.smtp_reply == "451 qq unable to run QHPSI scanner (#4.3.0)"
    assert journey.report.exit_code == 77
    assert journey.verdict == ("NOT_SCANNED" if kind in NOT_SCANNED else "ERROR")
    assert journey.report.answer.reason.startswith(REASONS[kind])
    assert (journey.header, journey.qp, journey.folder) == ("", 0, "")
    assert after == ["CLEAN", "INFECTED"]


@pytest.mark.parametrize("length", range(OK_REPLY_BYTES))
def test_reply_cut_at_any_octet_is_not_clean(lab: Lab, length: int) -> None:
    """Of "fd[12]: OK" every beginning is an error, also the one that lacks the final NUL only."""
    with lab.scanner_trouble("cut", lie=cut_at(length)):
        journey = lab.send()

    assert (journey.verdict, journey.report.exit_code) == ("ERROR", 77)


def test_whole_reply_through_the_socket_in_front_is_believed(lab: Lab) -> None:
    """The liar that does not lie: what it passes on is right, so the lies are what the tests above see."""
    with lab.scanner_trouble("cut", lie=lambda reply: reply):
        verdicts = [lab.send(attach=one).verdict for one in ("none", "eicar")]

    assert verdicts == ["CLEAN", "INFECTED"]


def test_scanner_is_well_again_after_an_error_in_the_middle(lab: Lab) -> None:
    """A cell that fails inside the block does not leave the lab broken."""
    with pytest.raises(ZeroDivisionError), lab.scanner_trouble("slow"):
        1 / 0  # noqa: B018 - the error is what is wanted

    assert lab.send(attach="eicar").verdict == "INFECTED"


def test_unknown_trouble_lists_what_there_is(lab: Lab) -> None:
    """The error names every kind."""
    with pytest.raises(LabError, match="down, killed, slow"), lab.scanner_trouble("tired"):
        pass


def test_embedded_scanner_can_only_be_down(make_lab: Callable[..., Lab]) -> None:
    """Without clamd the other troubles say what they need; down works, and back."""
    lab = make_lab(scanner="embedded")
    needed = r'"slow" needs a lab that asks clamd by its socket: Lab\(scanner="clamd"\)'
    with pytest.raises(LabError, match=needed), lab.scanner_trouble("slow"):
        pass
    with lab.scanner_trouble("down"):
        refused = lab.send().smtp_reply

    assert refused == "451 qq unable to run QHPSI scanner (#4.3.0)"
    assert lab.send().verdict == "CLEAN"


def test_lab_that_runs_a_command_asks_nobody_else(make_lab: Callable[..., Lab]) -> None:
    """With clamdscan as a process a mail there is no one to put in its place."""
    lab = make_lab(scanner="command")
    with pytest.raises(LabError, match="no scanner is asked directly"), lab.asking(lambda _: None):
        pass


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_trouble_is_told_in_words(trouble: Trouble) -> None:
    """What, how, and when it happens on a real host; and honestly, whether it is a lie of ours."""
    assert all((trouble.title, trouble.how, trouble.real_world))
    assert trouble.is_real == (trouble.kind not in LIES)
    assert trouble.title in trouble._repr_html_().replace("&#x27;", "'")


def test_clamd_log_of_the_lab_is_read(lab: Lab) -> None:
    """Every line is understood, restarts and reloads and refused databases too."""
    lab.send(attach="eicar")

    log = lab.clamd_log()

    assert [event.text for event in log.unknown] == []
    assert log.kinds["clamd_scan_found"] >= 1


def test_lab_without_clamd_has_no_log_of_it(make_lab: Callable[..., Lab]) -> None:
    """The error says why."""
    with pytest.raises(LabError, match="no clamd of its own"):
        make_lab(scanner="embedded").clamd_log()
