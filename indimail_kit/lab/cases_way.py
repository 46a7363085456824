"""Cases about room and ways: a disk that is full, and mail that goes in a circle.

Source: IndiMail qmail-queue.c (exit code 53), qmail-smtpd.c MAXHOPS, qmail-remote(8) about smtproutes.

Rule 1: what waits in the queue is somebody's mail: a repair that loses it is none.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from indimail_kit.delivery.smtproutes import SmtpRoutes
from indimail_kit.errors import LabError
from indimail_kit.lab.case import Case, Deed, Edit, Finding, Remove, bad, good
from indimail_kit.lab.case_site import Site
from indimail_kit.lab.cases_scanner import draw_people
from indimail_kit.lab.places import DOMAIN, FAR_DOMAIN, Places
from indimail_kit.lab.small_disk import SmallDisk
from indimail_kit.mailqueue.check import check_queue
from indimail_kit.mailqueue.queues import open_queues

if TYPE_CHECKING:
    from indimail_kit.lab.lab import Lab

# --- the disk of the queue is full ------------------------------------------------------------------------------------

_JUNK_BYTES: Final = 2**20
"""Size of what fills the disk (unit: octets)."""

_LEFT_BYTES: Final = 100
"""Room that is left at first (unit: octets): no mail is that short."""

_NEEDED: Final = "Line of a report.\n" * 10_000
"""A text that a mail server must have room for: 180,000 octets."""

_WAITING: Final = 2


def _draw_disk(rng: random.Random) -> dict[str, str]:
    month, day = rng.randrange(1, 11), rng.randrange(1, 29)
    name = rng.choice(("queue1-before-upgrade", "queue-copy", "queue-backup"))
    return {**draw_people(rng), "junk": f"{name}-2026-{month:02d}-{day:02d}.tar"}


def _spoil_disk(lab: Lab, facts: dict[str, str]) -> None:
    numbers = [
        lab.send(sender=facts["address"], recipient=f"friend{number}@far.example").message_number
        for number in range(_WAITING)
    ]
    if 0 in numbers:
        raise LabError("a mail that should wait in the queue did not")
    facts["waiting"] = " ".join(map(str, numbers))
    (lab.queue_base / facts["junk"]).write_bytes(b"\0" * _JUNK_BYTES)
    size_bytes = SmallDisk(lab.queue_base, 0).used_bytes() + _LEFT_BYTES
    facts["disk_bytes"] = str(size_bytes)
    lab.limit_disk(size_bytes)
    for _ in range(2):
        lab.send(sender=facts["address"], recipient=facts["other_address"])


def _grade_disk(site: Site) -> Iterator[Finding]:
    facts = site.facts
    for what, body in (("short", "Hello."), ("longer", _NEEDED)):
        probe = site.send(sender=facts["address"], recipient=facts["other_address"], body=body)
        if probe.path is not None:
            yield good(f"A {what} mail from {facts['user']} to {facts['other']} arrives.")
        else:
            yield bad(f"A {what} mail from {facts['user']} to {facts['other']}: {probe.reply or 'no reply'}")
    queues = open_queues(site.places.queue_base)
    there = {row.message_number for row in queues.snapshot().messages}
    lost = [number for number in map(int, facts["waiting"].split()) if number not in there]
    if lost:
        yield bad(f"Mail that waited in the queue is gone: message {', '.join(map(str, lost))}.")
    else:
        yield good("The mails that waited in the queue still wait there.")
    broken = [one for layout in queues.layouts for one in check_queue(layout, now_s=int(time.time()))]
    for one in broken[:3]:
        yield bad(f"The queue is damaged: {one.path}: {one.text}")


def _solve_disk(site: Site) -> Iterator[Deed]:
    yield Remove(site.places.queue_base / site.facts["junk"])


DISK_FULL: Final = Case(
    name="disk-full",
    title="the disk of the queue is full",
    complaint="{user} says: nothing goes out any more, not even one line. My program says something about a write error"
    " at your side.",
    truth="The partition of the queue is full: somebody left {junk} in it. qmail-queue cannot write and exits with 53,"
    " qmail-smtpd answers 451. The mails that wait there are small, and are not what fills it.",
    hints=(
        "What is the reply, in full? indimail-kit logs events {SMTPD_LOG}",
        "451 qq write error or disk full: how full is it, and of what? Largest last: du -ab {QUEUE} | sort -n | tail",
        (
            "What belongs into a queue, and what does not? indimail-kit queue list --queue {QUEUE} shows the mail that"
            " waits; its files stay. A copy of a queue has no business beside the queue."
        ),
        "rm {QUEUE}/{junk}, or better: move it to another disk. Then indimail-kit queue check --queue {QUEUE}",
    ),
    lesson="03_queue.ipynb",
    spoil=_spoil_disk,
    grade=_grade_disk,
    solve=_solve_disk,
    draw=_draw_disk,
    conditions="The queue has a partition of its own, of {disk_bytes} octets; du -sb {QUEUE} says how many are used.",
)

# --- mail goes in a circle --------------------------------------------------------------------------------------------

FEW_HOPS: Final = 8
"""Received lines that a mail from here to the second host may have; a circle gives it dozens."""

_LOOP_S: Final = 20.0
_STEP_S: Final = 0.02


def _spoil_loop(lab: Lab, facts: dict[str, str]) -> None:
    places = Places(lab.directory)
    facts["route"] = places.routes.read_text(encoding="utf-8").strip()
    facts["circle"] = f"{lab.host}:{lab.port}"
    places.routes.write_text(
        f"# {FAR_DOMAIN} moves to the new relay, 127.0.0.1:{lab.port}. Before it was\n#{facts['route']}\n"
        f"{FAR_DOMAIN}:{facts['circle']}\n",
        encoding="utf-8",
    )
    places.rules.write_text('# Programs of this host may send anywhere.\n127.:allow,RELAYCLIENT=""\n:deny\n')
    inbox = places.maildir(facts["address"]) / "new"
    lab.send(sender=facts["address"], recipient=facts["friend"])
    deadline = time.monotonic() + _LOOP_S
    while not any(inbox.iterdir()):
        if time.monotonic() > deadline:
            raise LabError("a mail that should go in a circle did not come back")
        time.sleep(_STEP_S)


def _grade_loop(site: Site) -> Iterator[Finding]:
    facts = site.facts
    relay = SmtpRoutes.parse(site.places.routes.read_text(encoding="utf-8")).find(FAR_DOMAIN.encode())
    if relay is not None and (relay.host, relay.port) == site.address:
        yield bad(f"Mail for {FAR_DOMAIN} is sent to {relay.host}:{relay.port}, where this very server listens.")
        return
    probe = site.send(sender=facts["address"], recipient=facts["friend"])
    hops = probe.octets.partition(b"\n\n")[0].count(b"\nReceived:")
    if probe.path is None and probe.is_taken:
        yield bad(f"A mail from {facts['user']} to {facts['friend']} was taken, and does not arrive at the other host.")
    elif probe.path is None:
        yield bad(f"A mail from {facts['user']} to {facts['friend']}: {probe.reply or 'no reply'}")
    elif not probe.path.is_relative_to(site.places.second_maildir):
        yield bad(f"A mail from {facts['user']} to {facts['friend']} ends here, not at the other host.")
    elif hops > FEW_HOPS:
        yield bad(f"A mail to {facts['friend']} arrives after {hops} hops.")
    else:
        yield good(f"A mail from {facts['user']} to {facts['friend']} arrives at the other host, straight.")
    near = site.send(sender=facts["address"], recipient=facts["other_address"])
    if near.path is not None:
        yield good(f"Mail to {facts['other']} arrives as before.")
    else:
        yield bad(f"A mail from {facts['user']} to {facts['other']}: {near.reply or 'it has not arrived'}")


def _solve_loop(site: Site) -> Iterator[Deed]:
    yield Edit(site.places.routes, f"{site.facts['route']}\n", f"the route {site.facts['route']} again")


def _draw_loop(rng: random.Random) -> dict[str, str]:
    friend = rng.choice(("friend", "sales", "library", "kate", "omar"))
    return {**draw_people(rng), "friend": f"{friend}@{FAR_DOMAIN}"}


MAIL_LOOP: Final = Case(
    name="mail-loop",
    title="mail for another domain goes in a circle",
    complaint="{user} says: my mails to {friend} all come back after a moment, with a long English text. Mail to"
    " colleagues is fine.",
    truth="control/smtproutes sends mail for " + FAR_DOMAIN + " to {circle}, and that is this server. It takes the mail"
    " again, because its own address may relay, and again sends it to itself, until a hundred hops are counted: 554,"
    " and a bounce.",
    hints=(
        "What does the text say that comes back? It lies in {DIR}/mail/" + DOMAIN + "/{user}/Maildir/new",
        (
            "Too many hops: which hosts has the mail seen? Count the Received lines in the bounce, and look who they"
            " name. Or indimail-kit trace {friend} --log {SEND_LOG} --log {SMTPD_LOG}"
        ),
        (
            "The mail goes out and comes in here. Which host is asked for this domain? cat {ROUTES}; and which port"
            " does this server listen on? {PORT}"
        ),
        "Write the old route into {ROUTES} again: {route}. It is read for each mail.",
    ),
    lesson="03_queue.ipynb",
    spoil=_spoil_loop,
    grade=_grade_loop,
    solve=_solve_loop,
    draw=_draw_loop,
    lab={"second_host": True},
)

CASES: Final = (DISK_FULL, MAIL_LOOP)
"""All of them."""
