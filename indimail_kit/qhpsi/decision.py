"""What qmail-queue does after a scan: configuration, size and exit code in, action and its meaning out; pure.

The way to an action is in decision_tree.py; here are its end and what follows from it.

Source: IndiMail indimail-mta-x/qmail-queue.c `qhpsiprog()` and `main()`, decision for decision; checked against the
recorded calls (data/indimail/qhpsi).

Note for maintainers: QHPSIRC is compared before QHPSIRN, so ``QHPSIRC=0`` makes every clean mail a virus. The manual
qmail-queue(8) names the header values "infected" and "clean"; the program writes "Virus found" and "clean".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from indimail_kit import exitcodes
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.decision_tree import SCANNER, action_of, path_of
from indimail_kit.qhpsi.decision_tree import ScanAction as ScanAction
from indimail_kit.qhpsi.decision_tree import verdict_of as verdict_of

HEADER_CLEAN: Final = b"X-QHPSI: clean\n"
"""Text of the e record for a clean message. Source: qmail-queue.c `qhpsiprog()`."""

HEADER_INFECTED: Final = b"X-QHPSI: Virus found\n"
"""Text of the e record for an infected message. Source: qmail-queue.c `qhpsiprog()`."""


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


def is_scanned(config: QhpsiConfig, *, message_bytes: int) -> bool:
    """Say whether qmail-queue asks the scanner at all.

    Args:
        config: The QHPSI variables.
        message_bytes: Size of the mess file, Received line included.
    """
    way = path_of(config, message_bytes=message_bytes, scanner_rc=None)
    return any(step.node.key == SCANNER for step in way)


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
    return action_of(path_of(config, message_bytes=message_bytes, scanner_rc=scanner_rc))


def outcome(action: ScanAction, config: QhpsiConfig) -> Outcome:
    """Tell what an action means: exit code, header, recipients."""
    if action is ScanAction.FORWARD:
        return Outcome(exitcodes.OK, HEADER_INFECTED, forward_to=config.virus_forward)
    return OUTCOMES[action]
