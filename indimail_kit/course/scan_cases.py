"""Scans for two exercises of lesson 02: settings with an end to foretell, and refusals with a cause to find.

Source: recorded calls of IndiMail's qmail-queue (tests/data/indimail/qhpsi); what clamdscan 1.4.6 and clamd say.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from indimail_kit import exitcodes
from indimail_kit.course.lesson_02_setting import SEED_QHPSI
from indimail_kit.qhpsi.decision import ScanAction

ENDS: Final[Mapping[str, str]] = {
    "clean": "250, queued, X-QHPSI: clean",
    "marked": "250, queued, X-QHPSI: Virus found",
    "bare": "250, queued, no header",
    "gone": "250, thrown away",
    "554": "refused for good",
    "451": "refused for now",
}
"""What a learner writes -> what the client hears and what happens."""

END_OF: Final = {
    ScanAction.SKIP: "bare",
    ScanAction.ACCEPT_CLEAN: "clean",
    ScanAction.ACCEPT_INFECTED: "marked",
    ScanAction.FORWARD: "marked",
    ScanAction.BOUNCE: "554",
    ScanAction.BLACKHOLE: "gone",
    ScanAction.TEMPFAIL: "451",
    ScanAction.CRASHED: "451",
}
"""What qmail-queue does -> what a learner writes."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting and one scan.

    Attributes:
        make: Draws the variables besides QHPSI, the message's size (unit: octets) and the scanner's exit code.
        look: What decides here, for a learner who says something else.
        traps: Likely wrong end -> the sentence for it.
    """

    make: Callable[[random.Random], tuple[Mapping[str, str], int, int]]
    look: str
    traps: Mapping[str, str]


def _size(rng: random.Random) -> int:
    return rng.randrange(2_000, 50_000)


SETTINGS: Final = (
    Setting(
        lambda rng: ({"REJECTVIRUS": rng.choice(("yes", "on", "true"))}, _size(rng), 1),
        "REJECTVIRUS is read as a number, and a word without digits is 0.",
        {"554": "REJECTVIRUS is read as a number. How many digits has this word?"},
    ),
    Setting(
        lambda rng: ({"REJECTVIRUS": str(rng.randrange(3, 9))}, _size(rng), 1),
        "0 accepts, 2 swallows. What does the manual say of any other number?",
        {"gone": "Only 2 swallows, not this number.", "marked": "Only 0 accepts, not this number."},
    ),
    Setting(
        lambda rng: ({"REJECTVIRUS": "2"}, _size(rng), 1),
        "Exit code 1 is a virus, and REJECTVIRUS is 2.",
        {"554": "2 is not a harder 1: nobody hears of a refusal.", "marked": "The mail is not kept at all."},
    ),
    Setting(
        lambda rng: ({"REJECTVIRUS": "2", "VIRUSFORWARD": "viruses@example.com"}, _size(rng), 1),
        "VIRUSFORWARD saves a mail that would be swallowed, and gives it to another.",
        {"gone": "It would be gone, if VIRUSFORWARD did not name somebody who gets it."},
    ),
    Setting(
        lambda rng: ({"REJECTVIRUS": "1", "VIRUSFORWARD": "viruses@example.com"}, _size(rng), 1),
        "REJECTVIRUS 1 refuses; VIRUSFORWARD does not help against that.",
        {"marked": "A refused mail is forwarded to nobody, whatever VIRUSFORWARD says."},
    ),
    Setting(
        lambda rng: ({"REJECTVIRUS": rng.choice("012")}, _size(rng), 2),
        "Exit code 2 is neither QHPSIRC nor QHPSIRN. What does it mean for clamdscan?",
        {
            "marked": "Exit code 2 is no virus: clamdscan says with it that it could not scan.",
            "554": "Exit code 2 is no virus: clamdscan says with it that it could not scan.",
            "clean": "Nobody has scanned it. What is not known is never clean.",
        },
    ),
    Setting(
        lambda rng: ({"QHPSIRN": "2", "REJECTVIRUS": "1"}, _size(rng), 2),
        "QHPSIRN is 2 here, and the scanner ended with 2.",
        {"451": "Usually, yes. But somebody has set QHPSIRN to 2: a scanner that fails now passes for a good one."},
    ),
    Setting(
        lambda rng: ({"QHPSIRC": "0", "REJECTVIRUS": "1"}, _size(rng), 0),
        "QHPSIRC is compared first, and it is 0 here.",
        {"clean": "QHPSIRC is compared before QHPSIRN, and both are 0 here."},
    ),
    Setting(
        lambda rng: ({"QHPSIRC": str(code := rng.randrange(10, 40)), "REJECTVIRUS": "1"}, _size(rng), code),
        "The scanner ended with QHPSIRC, whatever number that is.",
        {"451": "This scanner has a code of its own for a virus, and QHPSIRC says which."},
    ),
    Setting(
        lambda rng: ({"QHPSIMAXSIZE": str(rng.randrange(1_000, 1_900)), "REJECTVIRUS": "1"}, _size(rng), 1),
        "Compare the size with QHPSIMAXSIZE. Was the scanner asked at all?",
        {
            "554": "The message is larger than QHPSIMAXSIZE, so nobody asked the scanner.",
            "clean": "No scan leaves no header. Only a scan makes X-QHPSI.",
        },
    ),
    Setting(
        lambda rng: ({"QHPSIMINSIZE": str(rng.randrange(60_000, 90_000))}, _size(rng), 1),
        "Compare the size with QHPSIMINSIZE. Was the scanner asked at all?",
        {"marked": "The message is smaller than QHPSIMINSIZE, so nobody asked the scanner."},
    ),
    Setting(
        lambda rng: ({"FASTQUEUE": "1", "REJECTVIRUS": "1"}, _size(rng), 1),
        "FASTQUEUE is on. Who is asked then?",
        {"554": "FASTQUEUE is read before anything else, and then nobody asks the scanner."},
    ),
    Setting(
        lambda rng: ({"REJECTVIRUS": rng.choice(("1", "2"))}, _size(rng), 0),
        "Exit code 0 is QHPSIRN, and REJECTVIRUS is about infected mail only.",
        {"554": "REJECTVIRUS is about infected mail only.", "gone": "REJECTVIRUS is about infected mail only."},
    ),
)
"""What is asked for; three of them for each learner."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a mail heard 451.

    Attributes:
        name: What a learner writes.
        meaning: The cause, in a few words.
        evidence: Mess file -> what an administrator finds, besides the reply.
        proof: Words of reply or evidence that no other cause has.
        not_this: The sentence for a learner who takes it for this, where it is another.
        exit_code: qmail-queue's, which makes the reply.
    """

    name: str
    meaning: str
    evidence: Callable[[str], tuple[str, ...]]
    proof: str
    not_this: str
    exit_code: int = exitcodes.QHPSI

    def story(self, mess: str) -> str:
        """Return what a learner gets to see."""
        return "\n".join((exitcodes.exit_code(self.exit_code).smtp_reply, *self.evidence(mess)))


def _set(qhpsi: str, *lines: str) -> tuple[str, ...]:
    """Return the setting and what was found."""
    return (f'QHPSI="{qhpsi}"', *lines)


CAUSES: Final = (
    Cause(
        "down", "clamd is not running",
        lambda _mess: _set(
            SEED_QHPSI,
            "ERROR: Could not connect to clamd on LocalSocket /var/run/clamav/clamd.ctl: No such file or directory",
            "exit code of the scanner: 2",
        ),
        "Could not connect",
        "clamd was there, or nobody tried to reach it.",
    ),
    Cause(
        "rights", "clamd may not read the mess file",
        lambda mess: _set(
            SEED_QHPSI,
            f"/var/indimail/queue/queue1/{mess}: File path check failure: Permission denied. ERROR",
            "exit code of the scanner: 2",
        ),
        "Permission denied",
        "Nobody was denied anything there.",
    ),
    Cause(
        "program", "the program that QHPSI names is not there",
        lambda _mess: _set(
            "/usr/bin/clamscand %s --quiet --no-summary", "qhpsi: fatal: execv failed: file does not exist"
        ),
        "execv failed",
        "No program was missing there: look at what qhpsi or the scanner said.",
    ),
    Cause(
        "empty", "QHPSI is set, and empty",
        lambda _mess: _set(""),
        'QHPSI=""',
        "Something stands in its QHPSI.",
    ),
    Cause(
        "codes", "QHPSIRC and QHPSIRN are another scanner's",
        lambda _mess: _set(SEED_QHPSI, 'QHPSIRC="13" QHPSIRN="10"', "exit code of the scanner: 0"),
        "QHPSIRC=",
        "Nobody has changed which exit codes count there.",
    ),
    Cause(
        "killed", "a signal ended the scanner",
        lambda _mess: _set(SEED_QHPSI, "the scanner wrote nothing, and has no exit code"),
        "qq crashed",
        "Its reply is another one: a scanner that a signal ended makes qmail-queue exit with 123.",
        exitcodes.CRASHED,
    ),
    Cause(
        "plugin", "the plugin is not in PLUGINDIR",
        lambda _mess: _set(
            "plugin: generic.so",
            "qhpsi: fatal: dlopen: /var/indimail/plugins/generic.so: /var/indimail/plugins/generic.so: cannot open"
            " shared object file: No such file or directory",
        ),
        "dlopen",
        "There is no plugin in its QHPSI: that would begin with plugin:.",
    ),
)  # fmt: skip
"""The causes, in the order in which a learner sees them. What programs say is as recorded, or as clamdscan says it."""
