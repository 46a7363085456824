"""qmail-queue's exit codes against qmail.h, qmail.c and the recorded calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indimail_kit import exitcodes
from indimail_kit.exitcodes import EXIT_CODES, custom_error, exit_code

DATA = Path(__file__).parent / "data" / "indimail"
RECORDED_RCS = sorted(
    {case["rc"] for case in json.loads((DATA / "queue" / "qmail-queue-exit-codes.json").read_text())}
    | {case["rc"] for case in json.loads((DATA / "qhpsi" / "qhpsi-cases.json").read_text())}
)

REPLIES = {
    11: "554 qq envelope address too long (#5.1.3)",
    31: "554 qq mail server permanently rejected message (#5.3.0)",
    33: "554 qq message contains virus (#5.7.1)",
    41: "451 qq trouble duplicating file descriptors (#4.3.0)",
    50: "451 qq unable to get privilege to run virus scanner (#4.3.0)",
    53: "451 qq write error or disk full (#4.3.0)",
    54: "451 qq read error (#4.3.0)",
    61: "451 qq trouble in home directory (#4.3.0)",
    62: "451 qq unable to access mess file (#4.3.0)",
    64: "451 qq trouble syncing message to disk (#4.3.0)",
    65: "451 qq trouble creating files in intd. (#4.3.0)",
    66: "451 qq trouble linking todofn to intdfn (#4.3.0)",
    67: "451 qq trouble linking messfn to pidfn (#4.3.0)",
    69: "451 qq trouble syncing dir to disk (#4.3.0)",
    70: "451 qq trouble with pid file (#4.3.0)",
    77: "451 qq unable to run QHPSI scanner (#4.3.0)",
    79: "451 qq envelope format error (#4.3.0)",
    81: "451 qq internal bug (#4.3.0)",
    83: "451 qq temporary problem (#4.3.0)",
    91: "451 qq internal bug (#4.3.0)",
    115: "554 qq envelope address too long (#5.1.3)",
    123: "451 qq crashed (#4.3.0)",
}
"""Exit code -> reply of qmail-smtpd. Source: qmail.c `qmail_close()`; D is 554, Z is 451."""


@pytest.mark.parametrize(("number", "reply"), REPLIES.items())
def test_reply_is_that_of_qmail_c(number: int, reply: str) -> None:
    """The SMTP client reads the words of IndiMail."""
    assert exit_code(number).smtp_reply == reply


@pytest.mark.parametrize(
    ("number", "is_permanent"),
    [(0, False), (10, False), (11, True), (40, True), (41, False), (114, False), (115, True), (116, False)],
)
def test_permanent_are_11_to_40_and_115(number: int, is_permanent: bool) -> None:
    """Both sides of each limit of qmail.h `perm_error()`."""
    assert exit_code(number).is_permanent is is_permanent


@pytest.mark.parametrize(
    ("number", "reply"),
    [(36, "554 qq permanent problem (#5.3.0)"), (99, "451 qq temporary problem (#4.3.0)")],
)
def test_number_without_a_meaning_is_a_problem_of_its_range(number: int, reply: str) -> None:
    """The default branch of `qmail_close()`."""
    assert exit_code(number).smtp_reply == reply


def test_success_is_250() -> None:
    """Exit code 0 is no error."""
    assert exit_code(0).reply_code == 250


@pytest.mark.parametrize("number", RECORDED_RCS)
def test_every_recorded_exit_code_has_a_name(number: int) -> None:
    """What the real programs answered is in the table."""
    assert EXIT_CODES[number].name != "unknown"


@pytest.mark.parametrize("row", EXIT_CODES.values(), ids=lambda row: str(row.number))
def test_enhanced_code_fits_the_reply_code(row: exitcodes.ExitCode) -> None:
    """A 554 carries a #5, a 451 a #4, as RFC 3463 section 2 wants; three old texts carry none."""
    expected = {554: "(#5.", 451: "(#4.", 250: "ok"}[row.reply_code]
    assert expected in row.reply_text or row.number == exitcodes.UNLINK_INTD


@pytest.mark.parametrize("name", [name for name in dir(exitcodes) if name.isupper() and name != "EXIT_CODES"])
def test_every_named_code_is_in_the_table(name: str) -> None:
    """A constant of the module stands for a row."""
    value = getattr(exitcodes, name)
    assert name.startswith("_") or value in EXIT_CODES


@pytest.mark.parametrize(
    ("number", "kind", "detail", "text"),
    [
        (33, "", "", "Zqmail-queue: qhpsi: message contains virus (#4.3.0)"),
        (53, "mess", "disk full", "Zqmail-queue: trouble writing message: disk full (#4.3.0)"),
        (53, "intd", "", "Zqmail-queue: trouble writing envelope (#4.3.0)"),
        (54, "mess", "", "Zqmail-queue: trouble reading message (#4.3.0)"),
        (99, "", "", "Zqmail-queue: unknown (#4.3.0)"),
    ],
)
def test_custom_error_is_always_temporary(number: int, kind: str, detail: str, text: str) -> None:
    """Z and 4.3.0 for a virus too: the real program's own bug, recorded."""
    assert custom_error(number, kind=kind, detail=detail) == text
