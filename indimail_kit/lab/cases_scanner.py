"""Cases about the scanner: clamd that does not run, that looks at too little, or a QHPSI that does not reach it.

Source: the seed text of 2010 (the file ``down``, QHPSI in the variables directory); clamd.conf(5), clamdscan(1);
IndiMail qmail-queue.c `qhpsiprog()` (words, ``%s``).

Rule 1: mail that arrives unscanned is no solution: each grader sends the test virus, too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indimail_kit.lab.case import Case, Deed, Edit, Finding, Kit, bad, good
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

# --- QHPSI scans nothing ---------------------------------------------------------------------------------------------


def _spoil_words(lab: Lab, facts: dict[str, str]) -> None:
    words = facts["qhpsi"].split(" ")
    facts["wrong"] = " ".join([*words[: words.index("-c") + 2], "--ping", facts["tries"]])
    lab.set_variable("QHPSI", facts["wrong"])
    lab.send(sender=facts["other_address"], recipient=facts["address"], attach="eicar", subject="Photo")
    lab.send(sender=facts["address"], recipient=facts["other_address"])


QHPSI_WORDS: Final = Case(
    name="qhpsi-words",
    title="QHPSI has several words and no %s: everything is clean",
    complaint="{user} says: {other} sent me the harmless test virus, to see whether we are protected. It lies in my"
    " Inbox, and its header says X-QHPSI: clean.",
    truth="QHPSI is {wrong}: the command of the monitoring, which asks clamd whether it is there. It has several words"
    " and no %s, so it is told no file; it ends with 0 while clamd answers, and 0 means clean. Every mail passes.",
    hints=(
        "Does clamd see the mail at all? And which command does qmail-queue run? cat {VARIABLES}/QHPSI",
        (
            "indimail-kit qhpsi explain --clear --envdir {VARIABLES} says what becomes of each word, and warns. What"
            " does --ping of clamdscan do?"
        ),
        (
            "The command must scan, and be told what: clamdscan with --fdpass and --quiet instead of --ping, and %s"
            " where the file name belongs. Configuration and path are right."
        ),
        "indimail-kit service set {SMTPD} QHPSI '{qhpsi}' --no-restart --apply",
    ),
    lesson=_LESSON,
    spoil=_spoil_words,
    grade=look_at_scan,
    solve=_solve_qhpsi,
    draw=lambda rng: {**draw_people(rng), "tries": str(rng.randrange(2, 9))},
    lab={"scanner": "clamd"},
)

# --- clamd looks only at small mail ----------------------------------------------------------------------------------

_LARGE: Final = "Line of a large report.\n" * 16_000
"""A text beyond every limit that is drawn, and far below clamd's own."""

LIMITS: Final = ("MaxFileSize", "MaxScanSize")
"""The options of clamd.conf that are set too low."""


def _draw_limit(rng: random.Random) -> dict[str, str]:
    return {**draw_people(rng), "limit": f"{rng.randrange(20, 200)}K"}


def _spoil_limit(lab: Lab, facts: dict[str, str]) -> None:
    conf = lab.services.config_path
    lines = [f"{name} {facts['limit']}\n" for name in LIMITS]
    conf.write_text(conf.read_text(encoding="utf-8") + "".join(lines), encoding="utf-8")
    lab.services.down("clamd")
    lab.services.up("clamd")
    for body in ("Hello.", _LARGE):
        lab.send(sender=facts["address"], recipient=facts["other_address"], body=body)


def _grade_limit(site: Site) -> Iterator[Finding]:
    clamd = site.service("clamd")
    yield good("clamd is up.") if clamd.is_up else bad(f"The service clamd is {clamd.state}.")
    site.wait_for_clamd()
    yield from look_at_scan(site, body=_LARGE)


def _solve_limit(site: Site) -> Iterator[Deed]:
    conf = Path(site.facts["clamd_conf"])
    lines = conf.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = "".join(line for line in lines if line.split(" ")[0] not in LIMITS)
    yield Edit(conf, kept, f"without the lines {' and '.join(LIMITS)}, so that clamd's own limits hold")
    yield Kit(("service", "down", str(site.places.services / "clamd"), "--apply", "--yes"))
    yield Kit(("service", "up", str(site.places.services / "clamd"), "--apply", "--yes"))


CLAMD_LIMIT: Final = Case(
    name="clamd-limit",
    title="clamd is over its limit: large mail is not looked at",
    complaint="{user} says: short mails to {other} go out, but my report with the tables stays in the outbox, since the"
    " server was tuned last week.",
    truth="clamd.conf has MaxFileSize {limit} and MaxScanSize {limit}. What is longer clamd does not look at, and says"
    " so (AlertExceedsMax yes); without a verdict qmail-queue refuses for now, with 451. Without AlertExceedsMax clamd"
    " would say OK, and a large virus would pass.",
    hints=(
        "What is different about the mail that stays? indimail-kit logs events {SMTPD_LOG} has reply and size of each.",
        "The scanner gives no verdict on large mail. Its own log has the reason: tail {clamd_log}/current",
        (
            "Heuristics.Limits.Exceeded.MaxFileSize: an option of {clamd_conf} is lower than the mail is long. Leave"
            " AlertExceedsMax as it is: it tells of mail that nobody looked at."
        ),
        (
            "Take the lines MaxFileSize and MaxScanSize out of {clamd_conf}, then start clamd anew: indimail-kit"
            " service down {SERVICES}/clamd --apply, and the same with up. Or svc -t {SERVICES}/clamd"
        ),
    ),
    lesson=_LESSON,
    spoil=_spoil_limit,
    grade=_grade_limit,
    solve=_solve_limit,
    draw=_draw_limit,
    lab={"scanner": "clamd", "supervised": True},
)

CASES: Final = (CLAMD_DOWN, CLAMD_LIMIT, QHPSI_PATH, QHPSI_WORDS)
"""All of them."""
