"""Cases about the scanner: clamd that does not run, that looks at too little, or a QHPSI that does not reach it.

Source: the seed text of 2010 (the file ``down``, QHPSI in the variables directory); clamd.conf(5), clamdscan(1);
IndiMail qmail-queue.c `qhpsiprog()` (words, ``%s``).

Rule 1: mail that arrives unscanned is no solution: each grader sends the test virus, too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from indimail_kit.lab.case import Case, Deed, Finding, Kit, bad, good
from indimail_kit.lab.places import DOMAIN, SMTPD, USERS

if TYPE_CHECKING:
    from indimail_kit.lab.case_site import Site
    from indimail_kit.lab.lab import Lab

_LESSON: Final = "02_qhpsi.ipynb"
_PEOPLE: Final = USERS[1:]


def draw_people(rng: random.Random) -> dict[str, str]:
    """Draw who complains and with whom he writes, as ``user`` and ``other``, with their addresses."""
    user, other = rng.sample(_PEOPLE, 2)
    return {"user": user, "address": f"{user}@{DOMAIN}", "other": other, "other_address": f"{other}@{DOMAIN}"}


def look_at_scan(site: Site, *, body: str = "Nothing bad in here.") -> Iterator[Finding]:
    """Try the server with a clean mail and with the test virus: both must arrive, each with its mark."""
    facts = site.facts
    clean = site.send(sender=facts["address"], recipient=facts["other_address"], body=body)
    if not clean.is_taken:
        yield bad(f"A mail from {facts['user']} to {facts['other']} is answered with: {clean.reply}")
    elif clean.path is None:
        yield bad(f"A mail from {facts['user']} to {facts['other']} was taken, and has not arrived.")
    elif clean.scan != "clean":
        yield bad(f"The mail arrives, and its header has {_marked(clean.scan)}; it should be marked as clean.")
    else:
        yield good(f"A mail from {facts['user']} to {facts['other']} arrives, marked as clean.")
    infected = site.send(sender=facts["address"], recipient=facts["other_address"], attach="eicar", body=body)
    if infected.is_taken and infected.path is not None and infected.scan != "Virus found":
        yield bad(f"A mail with the test virus arrives, and its header has {_marked(infected.scan)}: nobody found it.")
    elif infected.is_taken and infected.path is not None:
        yield good("A mail with the test virus is marked as infected.")
    elif infected.reply.startswith("554"):
        yield good("A mail with the test virus is refused.")
    else:
        yield bad(f"A mail with the test virus is not looked at: {infected.reply}")


def _marked(scan: str) -> str:
    return f"X-QHPSI: {scan}" if scan else "no X-QHPSI line"


# --- clamd does not run ---------------------------------------------------------------------------------------------


def _spoil_down(lab: Lab, facts: dict[str, str]) -> None:
    (lab.services.path("clamd") / "down").touch()
    lab.services.down("clamd")
    for _ in range(2):
        lab.send(sender=facts["address"], recipient=facts["other_address"])


def _grade_down(site: Site) -> Iterator[Finding]:
    clamd = site.service("clamd")
    if clamd.is_up:
        yield good("clamd is up.")
    else:
        yield bad(f"The service clamd is {clamd.state}.")
    if clamd.is_normally_up:
        yield good("clamd starts by itself after a restart of the host: there is no file down.")
    else:
        yield bad("The file down is there: after the next restart of the host clamd will be down again.")
    site.wait_for_clamd()
    yield from look_at_scan(site)


def _solve_down(site: Site) -> Iterator[Deed]:
    yield Kit(("service", "up", str(site.places.services / "clamd"), "--apply", "--yes"))


CLAMD_DOWN: Final = Case(
    name="clamd-down",
    title="clamd does not run, and is to stay down",
    complaint="{user} says: since this morning I cannot send any mail. My program keeps it in the outbox and tries"
    " again.",
    truth="clamd does not run, and a file down in its service directory keeps it so. Without its scanner qmail-queue"
    " takes no mail: it exits with 77, and qmail-smtpd answers 451.",
    hints=(
        (
            "What does the server answer to {user}? The log of qmail-smtpd has the reply: indimail-kit logs events"
            " {SMTPD_LOG}"
        ),
        (
            "451 qq unable to run QHPSI scanner: which program is the scanner, and does it run?"
            " indimail-kit service status {SERVICES}/clamd"
        ),
        "Down is one thing; that it stays down is another. Is there a file {SERVICES}/clamd/down?",
        "indimail-kit service up {SERVICES}/clamd --apply removes the file and starts clamd.",
    ),
    lesson=_LESSON,
    spoil=_spoil_down,
    grade=_grade_down,
    solve=_solve_down,
    draw=draw_people,
    lab={"scanner": "clamd", "supervised": True},
)

# --- QHPSI names a program that is not there -------------------------------------------------------------------------

_OLD_PLACES: Final = ("/usr/local/bin/clamdscan", "/opt/clamav/bin/clamdscan", "/usr/local/clamav/bin/clamdscan")


def _draw_path(rng: random.Random) -> dict[str, str]:
    return {**draw_people(rng), "old_path": rng.choice(_OLD_PLACES)}


def _spoil_path(lab: Lab, facts: dict[str, str]) -> None:
    program, _, rest = facts["qhpsi"].partition(" ")
    facts["program"] = program
    lab.set_variable("QHPSI", f"{facts['old_path']} {rest}")
    for _ in range(2):
        lab.send(sender=facts["address"], recipient=facts["other_address"])


def set_qhpsi(site: Site) -> Kit:
    """Return how QHPSI gets the value that works here."""
    service = str(site.places.services / SMTPD)
    return Kit(("service", "set", service, "QHPSI", site.facts["qhpsi"], "--no-restart", "--apply", "--yes"))


def _solve_qhpsi(site: Site) -> Iterator[Deed]:
    yield set_qhpsi(site)


QHPSI_PATH: Final = Case(
    name="qhpsi-path",
    title="QHPSI names a program that is not there",
    complaint="{user} says: after last night's upgrade no mail leaves my outbox. {other} has the same.",
    truth="QHPSI names {old_path}, and no such program is there: since the upgrade clamdscan is {program}. The scanner"
    " cannot be started, qmail-queue exits with 77, and qmail-smtpd answers 451. clamd itself is well.",
    hints=(
        "What does the server answer? indimail-kit logs events {SMTPD_LOG}",
        "The scanner is not run. Which command is it? cat {VARIABLES}/QHPSI",
        (
            "indimail-kit qhpsi explain --clear --look --envdir {VARIABLES} reads QHPSI word by word, and looks whether"
            " the program is on this machine."
        ),
        (
            "Where is clamdscan now? Write its path: indimail-kit service set {SMTPD} QHPSI '{program} …' --no-restart"
            " --apply; what stands behind the path stays as it is."
        ),
    ),
    lesson=_LESSON,
    spoil=_spoil_path,
    grade=look_at_scan,
    solve=_solve_qhpsi,
    draw=_draw_path,
    lab={"scanner": "clamd"},
)

CASES: Final = (CLAMD_DOWN, QHPSI_PATH)
"""All of them."""
