"""Cases about mail to other hosts: a relay that has moved, and a channel that was shut for a maintenance.

Source: qmail-remote(8) (smtproutes), qmail-send(8) (concurrencyremote, SIGALRM, SIGHUP); qmail-log(5).

Rule 1: what waits must go out, not away: each grader looks into the mailbox of the other host.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from indimail_kit.lab.case import Case, Deed, Edit, Finding, Remove, Svc, bad, good
from indimail_kit.lab.case_looks import look_at_new_mail, look_at_queue, queue_mail
from indimail_kit.lab.cases_scanner import draw_people
from indimail_kit.lab.places import FAR_DOMAIN, SEND, Places
from indimail_kit.mailqueue.queues import open_queues
from indimail_kit.qhpsi.clamd_conf import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from indimail_kit.lab.case_site import Site
    from indimail_kit.lab.lab import Lab

_STILL_S: Final = 1.0
"""When nothing has gone out for so long, nothing will (unit: s)."""

_GOING_OUT_S: Final = 3.0
"""How long a grader waits for a mail of its own (unit: s)."""

_BACKLOG: Final = 12
"""Mails that wait for the host that has moved: enough for doctor to speak of a backlog."""


def _arrived(directory: Path) -> int:
    """Count the mails in the second host's mailbox."""
    return sum(1 for _ in (directory / "new").iterdir()) if (directory / "new").is_dir() else 0


def _look_at_far_mail(site: Site, count: int) -> Iterator[Finding]:
    """Look whether the mail that waited is at the other host, and whether a new one goes there."""
    there = site.places.second_maildir
    while (waits := _waits(site)) and site.wait_for(lambda: _waits(site) < waits, _STILL_S):
        pass
    if waits := _waits(site):
        yield bad(f"Mail for {FAR_DOMAIN} still waits in the queue: {waits}.")
    elif _arrived(there) < count:
        yield bad(f"Of {count} mails that waited for {FAR_DOMAIN}, {_arrived(there)} have arrived there.")
    else:
        yield good(f"The mail that waited for {FAR_DOMAIN} is there.")
    if waits:
        return
    probe = site.send(sender=site.facts["address"], recipient=site.facts["friend"], timeout_s=_GOING_OUT_S)
    if probe.path is not None and probe.path.is_relative_to(there):
        yield good(f"A new mail to {site.facts['friend']} arrives.")
    else:
        yield bad(f"A new mail to {site.facts['friend']} does not arrive: {probe.reply or 'no reply'}")


def _waits(site: Site) -> int:
    """Count the recipients of the other domain that wait."""
    rows = open_queues(site.places.queue_base).snapshot().messages
    far = f"@{FAR_DOMAIN}".encode()
    return sum(one.address.endswith(far) and not one.is_done for row in rows for one in row.recipients)


def _draw_friend(rng: random.Random) -> dict[str, str]:
    friend = rng.choice(("friend", "sales", "library", "kate", "omar"))
    return {**draw_people(rng), "friend": f"{friend}@{FAR_DOMAIN}"}


# --- the relay has moved ----------------------------------------------------------------------------------------------


def _spoil_backlog(lab: Lab, facts: dict[str, str]) -> None:
    lab.supervise_send()
    places = Places(lab.directory)
    host, port = lab.second_host.address
    facts["new"] = f"{host}:{port}"
    facts["old"] = f"{host}:{free_port()}"
    places.routes.write_text(f"{FAR_DOMAIN}:{facts['old']}\n", encoding="utf-8")
    for number in range(_BACKLOG):
        lab.send(sender=facts["address"], recipient=facts["friend"], subject=f"Order {number}")


def _grade_backlog(site: Site) -> Iterator[Finding]:
    yield from look_at_queue(site)
    yield from _look_at_far_mail(site, _BACKLOG)
    yield from look_at_new_mail(site)


def _solve_backlog(site: Site) -> Iterator[Deed]:
    yield Edit(site.places.routes, f"{FAR_DOMAIN}:{site.facts['new']}\n", f"the new relay, {site.facts['new']}")
    yield Svc("-a", site.places.services / SEND)


BACKLOG: Final = Case(
    name="backlog",
    title="a relay has moved: its mail is deferred, and the backlog grows",
    complaint="{user} says: {friend} has no orders of mine since this morning. I get no error. The administrators over"
    " there say: our relay has moved, and we wrote its new place to everybody last week.",
    truth="control/smtproutes still names {old} for " + FAR_DOMAIN + ". Nobody listens there, so each delivery is"
    " deferred, and with each attempt the next one is later. New mail joins the backlog. After the change SIGALRM makes"
    " qmail-send try all of it at once; without it the last mails go out after hours.",
    hints=(
        "Where do the mails wait, and since when? indimail-kit queue shape --queue {QUEUE}",
        "Why? indimail-kit logs report {SEND_LOG} --view deferrals, and --view hosts.",
        "Which way does mail for this domain take? cat {ROUTES}; is somebody there? The new place is {new}.",
        (
            "Write "
            + FAR_DOMAIN
            + ":{new} into {ROUTES}; it is read for each delivery. Then tell qmail-send to try now:"
            " svc -a {SEND}. And look: indimail-kit queue list --queue {QUEUE}"
        ),
    ),
    lesson="04_logs.ipynb",
    spoil=_spoil_backlog,
    grade=_grade_backlog,
    solve=_solve_backlog,
    draw=_draw_friend,
    lab={"second_host": True},
    conditions="The letter of last week says: the relay of " + FAR_DOMAIN + " listens at {new} now.",
)

# --- a channel that was shut ------------------------------------------------------------------------------------------

_SHUT: Final = 3
"""Mails that wait for the channel."""


def _spoil_shut(lab: Lab, facts: dict[str, str]) -> None:
    lab.supervise_send()
    places = Places(lab.directory)
    (places.control / "concurrencyremote").write_text("0\n", encoding="utf-8")
    lab.svc("-h", SEND)
    # Until a mail from before the HUP is through, nobody knows that qmail-send has read its files.
    lab.send(sender=facts["address"], recipient=facts["other_address"])
    for number in range(_SHUT):
        queue_mail(lab, sender=facts["address"], recipient=facts["friend"], subject=f"Letter {number}")


def _grade_shut(site: Site) -> Iterator[Finding]:
    path = site.places.control / "concurrencyremote"
    text = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    if text and not (text.isdigit() and int(text)):
        yield bad(f"{path} says {text!r}: after its next start qmail-send delivers nothing to other hosts.")
    else:
        yield good("The control files let qmail-send deliver to other hosts.")
    yield from look_at_queue(site)
    yield from _look_at_far_mail(site, _SHUT)
    yield from look_at_new_mail(site)


def _solve_shut(site: Site) -> Iterator[Deed]:
    yield Remove(site.places.control / "concurrencyremote")
    yield Svc("-h", site.places.services / SEND)


CHANNEL_SHUT: Final = Case(
    name="channel-shut",
    title="concurrencyremote is 0: nothing goes to other hosts",
    complaint="{user} says: after the maintenance at night my letters to {friend} do not arrive. Mail to colleagues is"
    " there at once, and nobody has got an error.",
    truth="control/concurrencyremote is 0, left from the maintenance: qmail-send starts no remote delivery at all. So"
    " there is no deferral and no reason in the log; only the lines status: … remote 0/0 tell it. The file is read at"
    " the start and after SIGHUP.",
    hints=(
        "Are the letters in the queue? indimail-kit queue list --queue {QUEUE}. Was a delivery ever tried?",
        (
            "No starting delivery … to remote in indimail-kit logs events {SEND_LOG}. What do the lines that begin with"
            " status: say of remote?"
        ),
        "Who says how many remote deliveries there may be at once? indimail-kit doctor --control {CONTROL}",
        (
            "Write another number than 0 into {CONTROL}/concurrencyremote, or remove it (then it is 20), and let"
            " qmail-send read it: svc -h {SEND}. Then indimail-kit queue list --queue {QUEUE}"
        ),
    ),
    lesson="03_queue.ipynb",
    spoil=_spoil_shut,
    grade=_grade_shut,
    solve=_solve_shut,
    draw=_draw_friend,
    lab={"second_host": True},
)

CASES: Final = (BACKLOG, CHANNEL_SHUT)
"""All of them."""
