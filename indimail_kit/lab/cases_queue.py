"""Cases about the queue itself: copied, moved into other sub-directories, with leftovers, with a trigger that is none.

Source: indimail-mta-internals(7); IndiMail queue-fix.c, qmail-clean.c, trigger.c.

Note for maintainers: nothing here depends on who we are. A trigger without rights stops every user but root, so the
file that stands in its place is no FIFO either: that stops root, too.

Rule 1: mail that waits is somebody's mail: each grader looks whether it is still there, or has arrived.
Rule 2: a queue is repaired only while nobody works on it; so qmail-send can be stopped here, see `PlayedSupervise`.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indimail_kit.lab.case import Case, Finding, bad, good
from indimail_kit.lab.case_looks import (
    look_at_arrivals,
    look_at_new_mail,
    look_at_queue,
    look_at_waiting,
    queue_mail,
    solve_by_repair,
    tell_send,
    the_queue,
)
from indimail_kit.lab.cases_scanner import draw_people
from indimail_kit.mailqueue.layout import KINDS, QueueLayout

if TYPE_CHECKING:
    from indimail_kit.lab.case_site import Site
    from indimail_kit.lab.lab import Lab

_LESSON: Final = "03_queue.ipynb"
_NOWHERE: Final = "far.example"
"""A domain whose mail waits: this host has no way to it."""


def _draw_subjects(rng: random.Random) -> dict[str, str]:
    numbers = rng.sample(range(100, 1000), 2)
    return {**draw_people(rng), "subjects": ";".join(f"Report {number}" for number in numbers)}


def _leave_waiting(lab: Lab, facts: dict[str, str], count: int) -> None:
    """Let mail wait for a host that cannot be reached."""
    recipients = [f"friend{number}@{_NOWHERE}" for number in range(count)]
    for recipient in recipients:
        lab.send(sender=facts["address"], recipient=recipient)
    facts["waiting"] = " ".join(recipients)


def _queue_subjects(lab: Lab, facts: dict[str, str]) -> list[int]:
    """Send the mail that shall arrive; qmail-send is down."""
    return [
        queue_mail(lab, sender=facts["address"], recipient=facts["other_address"], subject=subject)
        for subject in facts["subjects"].split(";")
    ]


def _grade_all(site: Site) -> Iterator[Finding]:
    findings = list(look_at_queue(site))
    yield from findings
    yield from look_at_waiting(site)
    if not all(one.is_good for one in findings):
        return  # what follows would only wait
    yield from look_at_arrivals(site, recipient=site.facts["other_address"], subjects=site.facts["subjects"].split(";"))
    yield from look_at_new_mail(site)


# --- a queue that was copied -----------------------------------------------------------------------------------------


def _spoil_copied(lab: Lab, facts: dict[str, str]) -> None:
    lab.supervise_send()
    _leave_waiting(lab, facts, 2)
    tell_send(lab, "d")
    numbers = _queue_subjects(lab, facts)
    facts["number"] = str(numbers[0])
    directory = the_queue(lab.queue_base).directory
    old = directory.rename(directory.with_name("old"))
    _copy_as_cp_does(old, directory)
    shutil.rmtree(old)


def _copy_as_cp_does(source: Path, target: Path) -> None:
    """Copy a queue as ``cp -a`` does: hard links, times and FIFOs are kept; only the inode numbers are others."""
    copies: dict[int, Path] = {}
    target.mkdir()
    for path in sorted(source.rglob("*")):
        copy, status = target / path.relative_to(source), path.lstat()
        if path.is_dir():
            copy.mkdir()
        elif path.is_fifo():
            os.mkfifo(copy)
        elif status.st_ino in copies:
            copy.hardlink_to(copies[status.st_ino])
        else:
            shutil.copyfile(path, copy)
            copies[status.st_ino] = copy
        shutil.copystat(path, copy)
    for path in (source, *(path for path in source.rglob("*") if path.is_dir())):
        shutil.copystat(path, target / path.relative_to(source))


QUEUE_COPIED: Final = Case(
    name="queue-copied",
    title="the queue was copied: files have other inode numbers",
    complaint="{user}, who was on duty last night, says: I moved the mail that waits to the new disk, with cp -a, every"
    " file is there. Since then I have not dared to start the delivery again. {other} asks where the reports are.",
    truth="Each mess file is named after its inode number, and a copy has another one: message {number} lies in a file"
    " with a number that does not belong to it. A new mail may get that very name, and two messages become one. The"
    " queue must be renamed before qmail-send starts: queue-fix, or indimail-kit queue repair.",
    hints=(
        "Is anything wrong with what was copied? indimail-kit queue check --queue {QUEUE}",
        (
            "inode-differs: look at one message: indimail-kit queue show {number} --queue {QUEUE}, and ls -i of its"
            " mess file. Why does a copy do that? Is qmail-send down? indimail-kit service status {SEND}"
        ),
        "indimail-kit queue repair --queue {QUEUE} shows a plan: every file of a message gets another name.",
        (
            "While qmail-send is down: indimail-kit queue repair --queue {QUEUE} --apply. Then indimail-kit service up"
            " {SEND} --apply"
        ),
    ),
    lesson=_LESSON,
    spoil=_spoil_copied,
    grade=_grade_all,
    solve=solve_by_repair,
    draw=_draw_subjects,
)

# --- files in other sub-directories -----------------------------------------------------------------------------------

_OTHER_SPLIT: Final = 7
"""The split of the queue that the files come from (unit: directories)."""


def _spoil_split(lab: Lab, facts: dict[str, str]) -> None:
    lab.supervise_send()
    _leave_waiting(lab, facts, 1)
    tell_send(lab, "d")
    layout = the_queue(lab.queue_base)
    numbers = _queue_subjects(lab, facts)
    facts["number"] = str(numbers[0])
    for number in numbers:
        # Of a number that both splits put into one directory the next one is taken: nothing was moved right.
        part = number % _OTHER_SPLIT
        part += part == number % layout.split
        for kind in filter(layout.is_split, KINDS):
            path = layout.path(kind, number)
            if path.exists():
                path.rename(layout.directory / kind / str(part) / path.name)
    tell_send(lab, "u")


WRONG_SPLIT: Final = Case(
    name="wrong-split",
    title="files lie in the sub-directories of another split",
    complaint="{other} says: two reports of {user} never came. {user} says: they went out before the change of servers,"
    " without an error. What is written today arrives.",
    truth="The files of these messages lie where a queue of another size has them: message {number} not in the"
    " sub-directory that its number leads to (number modulo 23). todo-proc sees the file, finds it in the wrong place,"
    " and leaves it.",
    hints=(
        (
            "Are the reports in the queue? indimail-kit queue list --queue {QUEUE}. What does qmail-send say? The end"
            " of indimail-kit logs events {SEND_LOG}"
        ),
        "indimail-kit queue check --queue {QUEUE} tells which rule is broken. Reckon: {number} modulo 23.",
        (
            "A queue is changed only while qmail-send is down: indimail-kit service down {SEND} --apply. Then"
            " indimail-kit queue repair --queue {QUEUE} shows what would be moved."
        ),
        "indimail-kit queue repair --queue {QUEUE} --apply, then indimail-kit service up {SEND} --apply",
    ),
    lesson=_LESSON,
    spoil=_spoil_split,
    grade=_grade_all,
    solve=solve_by_repair,
    draw=_draw_subjects,
)

# --- leftovers of a power cut -----------------------------------------------------------------------------------------


def _draw_orphans(rng: random.Random) -> dict[str, str]:
    return {**draw_people(rng), "hours": str(rng.randrange(38, 56)), "count": str(rng.randrange(3, 6))}


def _spoil_orphans(lab: Lab, facts: dict[str, str]) -> None:
    lab.supervise_send()
    _leave_waiting(lab, facts, 1)
    layout = the_queue(lab.queue_base)
    old_s = int(time.time()) - int(facts["hours"]) * 3600
    orphans = [_unfinished(layout, facts, number, old_s) for number in range(int(facts["count"]))]
    facts["number"] = str(orphans[0])
    facts["writing"] = str(_unfinished(layout, facts, 0, None))


def _unfinished(layout: QueueLayout, facts: dict[str, str], serial: int, at_s: int | None) -> int:
    """Make what a qmail-queue leaves that did not come to the end: mess and intd, no todo; return its number."""
    written = layout.directory / "pid" / f"case.{serial}"
    written.write_text(f"From: {facts['address']}\nSubject: Half a mail\n\nThis was not acc", encoding="ascii")
    number = written.stat().st_ino
    mess, intd = (layout.path(kind, number) for kind in ("mess", "intd"))
    written.rename(mess)
    intd.write_bytes(f"u0\0p1\0F{facts['address']}\0T{facts['other_address']}\0".encode())
    for path in (mess, intd):
        path.chmod(0o644)
        if at_s is not None:
            os.utime(path, (at_s, at_s))
    return number


def _grade_orphans(site: Site) -> Iterator[Finding]:
    findings = list(look_at_queue(site))
    yield from findings
    yield from look_at_waiting(site)
    layout = the_queue(site.places.queue_base)
    writing = int(site.facts["writing"])
    if all(layout.path(kind, writing).exists() for kind in ("mess", "intd")):
        yield good("The mail that is being written at this moment was left alone.")
    else:
        yield bad(
            f"Message {writing} is gone or torn: somebody is just sending it, and will be told that it was taken."
        )
    if all(one.is_good for one in findings):
        yield from look_at_new_mail(site)


ORPHANS: Final = Case(
    name="orphans",
    title="leftovers of a power cut: messages in S3 that never came into the queue",
    complaint="{user} looks after the monitoring and says: {hours} hours ago the power failed. Since then there are"
    " always {count} files too many under mess, however quiet it is. Is that mail that somebody waits for?",
    truth="{count} messages are in S3: mess and intd, and no todo. qmail-queue had not come to its end when the power"
    " failed, so no client was told that they were accepted, and each has sent again. Nobody will ever deliver them."
    " qmail-clean removes them when they are older than 36 hours, at its next round; there are 21 hours between two."
    " Message {writing} is in S3, too,"
    " but a minute old: somebody is sending it.",
    hints=(
        "Which states are the messages in? indimail-kit queue list --queue {QUEUE}",
        (
            "indimail-kit queue show {number} --queue {QUEUE}: mess and intd, no todo. Was the client told 250? See"
            " the states in lesson 03. And what does indimail-kit queue check --queue {QUEUE} say?"
        ),
        (
            "Not all that is in S3 is old: message {writing} is being written now. By which time does qmail-clean"
            " judge, and who changes that time by looking? So remove nothing by hand."
        ),
        (
            "indimail-kit service down {SEND} --apply, indimail-kit queue repair --queue {QUEUE} --apply (what goes,"
            " goes into trash/), indimail-kit service up {SEND} --apply"
        ),
    ),
    lesson=_LESSON,
    spoil=_spoil_orphans,
    grade=_grade_orphans,
    solve=solve_by_repair,
    draw=_draw_orphans,
)

# --- a trigger that is none -------------------------------------------------------------------------------------------


def _spoil_trigger(lab: Lab, facts: dict[str, str]) -> None:
    lab.supervise_send()
    _leave_waiting(lab, facts, 1)
    trigger = the_queue(lab.queue_base).directory / "lock" / "trigger"
    trigger.unlink()
    trigger.write_bytes(b"")
    trigger.chmod(0o600)
    _queue_subjects(lab, facts)


TRIGGER: Final = Case(
    name="trigger",
    title="lock/trigger has the rights of nobody, and is no FIFO",
    complaint="{user} says: since the backup was restored, mail to {other} in the next room takes up to half an hour."
    " It does arrive, and nothing is ever refused.",
    truth="lock/trigger is a plain file of mode 600: the restored backup kept no FIFO. qmail-queue wakes todo-proc by"
    " it, and now wakes nobody, so new mail waits in todo (S4) until qmail-send looks by itself, every 25 minutes. A"
    " qmail-send that is started anew would not even start.",
    hints=(
        "Where does the mail wait meanwhile? Send one, then indimail-kit queue list --queue {QUEUE}: which state?",
        (
            "S4: accepted, and nobody has looked into todo. Who is to wake todo-proc, and by which file?"
            " indimail-kit queue check --queue {QUEUE}"
        ),
        (
            "lock/trigger must be a FIFO that everybody may write (mode 622). qmail-send has the old one open, so a new"
            " file alone does not help: it must be down while the file is made."
        ),
        (
            "indimail-kit service down {SEND} --apply, indimail-kit queue repair --queue {QUEUE} --apply, indimail-kit"
            " service up {SEND} --apply"
        ),
    ),
    lesson=_LESSON,
    spoil=_spoil_trigger,
    grade=_grade_all,
    solve=solve_by_repair,
    draw=_draw_subjects,
)

CASES: Final = (QUEUE_COPIED, WRONG_SPLIT, ORPHANS, TRIGGER)
"""All of them."""
