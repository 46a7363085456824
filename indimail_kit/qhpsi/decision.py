"""What qmail-queue does after a scan: configuration, size and exit code in, action out; pure.

Source: IndiMail indimail-mta-x/qmail-queue.c `qhpsiprog()` and `main()`, decision for decision; checked against the
recorded calls (data/indimail/qhpsi).

Note for maintainers: QHPSIRC is compared before QHPSIRN, so ``QHPSIRC=0`` makes every clean mail a virus. The manual
qmail-queue(8) names the header values "infected" and "clean"; the program writes "Virus found" and "clean".
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from indimail_kit import exitcodes
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.verdict import Verdict

HEADER_CLEAN: Final = b"X-QHPSI: clean\n"
"""Text of the e record for a clean message. Source: qmail-queue.c `qhpsiprog()`."""

HEADER_INFECTED: Final = b"X-QHPSI: Virus found\n"
"""Text of the e record for an infected message. Source: qmail-queue.c `qhpsiprog()`."""


class ScanAction(enum.Enum):
    """What qmail-queue does with the message."""

    SKIP = "no scan, no header"
    ACCEPT_CLEAN = "queue, marked clean"
    ACCEPT_INFECTED = "queue, marked infected"
    FORWARD = "queue for VIRUSFORWARD instead of the recipients, marked infected"
    BOUNCE = "refuse for good"
    BLACKHOLE = "say ok and drop"
    TEMPFAIL = "refuse for now: the scanner gave no verdict"
    CRASHED = "refuse for now: a signal ended the scanner"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action means for the queue and the client.

    Attributes:
        exit_code: qmail-queue's exit code; 0 = go on.
        header: Text for the e record, b"" for none.
        is_swallowed: Remove the message and answer 0 (unless QUARANTINE keeps it, which only the queue knows).
        forward_to: Address that replaces the recipients, or "".
    """

    exit_code: int
    header: bytes = b""
    is_swallowed: bool = False
    forward_to: str = ""


OUTCOMES: Final = {
    ScanAction.SKIP: Outcome(exitcodes.OK),
    ScanAction.ACCEPT_CLEAN: Outcome(exitcodes.OK, HEADER_CLEAN),
    ScanAction.ACCEPT_INFECTED: Outcome(exitcodes.OK, HEADER_INFECTED),
    ScanAction.BLACKHOLE: Outcome(exitcodes.OK, HEADER_INFECTED, is_swallowed=True),
    ScanAction.BOUNCE: Outcome(exitcodes.VIRUS),
    ScanAction.TEMPFAIL: Outcome(exitcodes.QHPSI),
    ScanAction.CRASHED: Outcome(exitcodes.CRASHED),
}
"""Action -> outcome; FORWARD needs the address and is made in `outcome`."""

_REJECTION: Final = {0: ScanAction.ACCEPT_INFECTED, 2: ScanAction.BLACKHOLE}
"""REJECTVIRUS -> action for an infected message; every other number refuses."""


def is_scanned(config: QhpsiConfig, *, message_bytes: int) -> bool:
    """Say whether qmail-queue asks the scanner at all.

    Args:
        config: The QHPSI variables.
        message_bytes: Size of the mess file, Received line included.
    """
    if not config.is_enabled:
        return False
    if config.min_bytes and message_bytes < config.min_bytes:
        return False
    return not (config.max_bytes and message_bytes > config.max_bytes)


def verdict_of(config: QhpsiConfig, scanner_rc: int) -> Verdict:
    """Read a program's exit code: QHPSIRC first, then QHPSIRN, anything else is an error."""
    if scanner_rc == config.infected_rc:
        return Verdict.INFECTED
    return Verdict.CLEAN if scanner_rc == config.clean_rc else Verdict.ERROR


def decide(config: QhpsiConfig, *, message_bytes: int, scanner_rc: int | None) -> ScanAction:
    """Follow qhpsiprog() in qmail-queue.c, decision for decision.

    Args:
        config: The QHPSI variables.
        message_bytes: Size of the mess file, Received line included.
        scanner_rc: The scanner's exit code; None when a signal ended it.

    Example:
        >>> decide(QhpsiConfig("/usr/bin/clamdscan %s", reject_virus=1), message_bytes=250, scanner_rc=1)
        <ScanAction.BOUNCE: 'refuse for good'>
    """
    if not is_scanned(config, message_bytes=message_bytes):
        return ScanAction.SKIP
    if scanner_rc is None:
        return ScanAction.CRASHED
    verdict = verdict_of(config, scanner_rc)
    if verdict is Verdict.CLEAN:
        return ScanAction.ACCEPT_CLEAN
    if verdict is Verdict.ERROR:
        return ScanAction.TEMPFAIL
    action = _REJECTION.get(config.reject_virus, ScanAction.BOUNCE)
    # VIRUSFORWARD saves the message from the black hole, but not from refusal.
    return ScanAction.FORWARD if config.virus_forward and action is not ScanAction.BOUNCE else action


def outcome(action: ScanAction, config: QhpsiConfig) -> Outcome:
    """Tell what an action means: exit code, header, recipients."""
    if action is ScanAction.FORWARD:
        return Outcome(exitcodes.OK, HEADER_INFECTED, forward_to=config.virus_forward)
    return OUTCOMES[action]
