"""What the cases about queues and ways share: mail that stays in the queue, qmail-send stopped and started, and looks.

Rule 1: a look ends as soon as it knows; only what should come is waited for, and not long.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from indimail_kit.control.supervise import read_service, send_control
from indimail_kit.errors import LabError
from indimail_kit.lab.case import Deed, Finding, Kit, bad, good
from indimail_kit.lab.client import send_mail
from indimail_kit.lab.mail import compose
from indimail_kit.lab.places import DEMO_PASSWORD, HOST, SEND, Places
from indimail_kit.mailqueue.check import check_queue
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.queues import open_queues
from indimail_kit.mailqueue.snapshot import list_messages

if TYPE_CHECKING:
    from indimail_kit.lab.case_site import Site
    from indimail_kit.lab.lab import Lab

_TIMEOUT_S: Final = 10.0
_STEP_S: Final = 0.01
ARRIVAL_S: Final = 1.5
"""How long a grader waits for a mail that nothing should hold up (unit: s)."""

_SHOWN: Final = 3


def queue_mail(lab: Lab, *, sender: str, recipient: str, subject: str) -> int:
    """Send a mail that stays in the queue, and return its number."""
    message_id = f"<{uuid.uuid4().hex}@{HOST}>"
    mail = compose(
        sender=sender, recipient=recipient, subject=subject, body="Please read this today.", attach="none",
        date=datetime.now(UTC), message_id=message_id,
    )  # fmt: skip
    send_mail(
        address=(lab.host, lab.port), sender=sender, recipient=recipient, mail=mail, mechanism="CRAM-MD5",
        authcid=sender, passwd=DEMO_PASSWORD, timeout_s=_TIMEOUT_S, on_port=lambda _port: None,
        on_reply=lambda _stage, _reply: None,
    )  # fmt: skip
    layout = the_queue(lab.queue_base)
    for number in list_messages(layout):
        # By what it says: the number may be that of a mail which has just left the queue.
        with contextlib.suppress(OSError):
            if message_id.encode() in layout.path("mess", number).read_bytes():
                return number
    raise LabError("a mail that should wait in the queue did not")


def the_queue(base: Path) -> QueueLayout:
    """Return the one queue of a case."""
    return open_queues(base).layouts[0]


def stop_send(site: Site) -> Kit:
    """Return how qmail-send is stopped."""
    return Kit(("service", "down", str(site.places.services / SEND), "--apply", "--yes"))


def start_send(site: Site) -> Kit:
    """Return how qmail-send is started."""
    return Kit(("service", "up", str(site.places.services / SEND), "--apply", "--yes"))


def solve_by_repair(site: Site) -> Iterator[Deed]:
    """Stop qmail-send, let the kit repair the queue, start qmail-send."""
    yield stop_send(site)
    yield Kit(("queue", "repair", "--queue", str(site.places.queue_base), "--apply", "--yes"))
    yield start_send(site)


def look_at_queue(site: Site) -> Iterator[Finding]:
    """Look whether the queue is whole, and whether somebody delivers from it."""
    found = list(check_queue(the_queue(site.places.queue_base), now_s=int(time.time())))
    for one in found[:_SHOWN]:
        yield bad(f"The queue is not as it should be: {one.text}.")
    if len(found) > _SHOWN:
        yield bad(f"And {len(found) - _SHOWN} more like it.")
    if not found:
        yield good("The queue breaks no rule.")
    send = site.service(SEND)
    yield good("qmail-send is up.") if send.is_up else bad(f"The service {SEND} is {send.state}.")


def look_at_arrivals(site: Site, *, recipient: str, subjects: list[str]) -> Iterator[Finding]:
    """Look whether mail that waited has arrived."""
    inbox = site.places.maildir(recipient) / "new"

    def missing() -> list[str]:
        texts = [path.read_bytes() for path in inbox.iterdir()]
        return [one for one in subjects if not any(f"\nSubject: {one}\n".encode() in text for text in texts)]

    site.wait_for(lambda: not missing(), ARRIVAL_S)
    if lost := missing():
        yield bad(f"Mail that was accepted has not arrived: {', '.join(lost)}.")
    else:
        yield good("The mail that waited has arrived.")


def look_at_waiting(site: Site) -> Iterator[Finding]:
    """Look whether the mail that must wait still waits: its recipients are in the queue."""
    rows = open_queues(site.places.queue_base).snapshot().messages
    waiting = {one.address.decode() for row in rows for one in row.recipients if not one.is_done}
    if lost := sorted(set(site.facts["waiting"].split()) - waiting):
        yield bad(f"Mail that waited for another host is gone: {', '.join(lost)}.")
    else:
        yield good("The mail that waits for another host still waits.")


def look_at_new_mail(site: Site) -> Iterator[Finding]:
    """Try the server with a mail."""
    probe = site.send(sender=site.facts["address"], recipient=site.facts["other_address"], timeout_s=ARRIVAL_S)
    if probe.path is not None:
        yield good(f"A new mail from {site.facts['user']} to {site.facts['other']} arrives at once.")
    elif probe.is_taken:
        yield bad(f"A new mail from {site.facts['user']} to {site.facts['other']} was taken, and does not arrive.")
    else:
        yield bad(f"A new mail from {site.facts['user']} to {site.facts['other']}: {probe.reply or 'no reply'}")


def tell_send(lab: Lab, letter: Literal["u", "d"]) -> None:
    """Start or stop the qmail-send of a lab, as svc does, and wait until it is so.

    Raises:
        LabError: It did not become so in time.
    """
    directory = Places(lab.directory).services / SEND
    send_control(read_service(directory, run_directories=()), letter)
    deadline = time.monotonic() + _TIMEOUT_S
    while read_service(directory, run_directories=()).is_up is not (letter == "u"):
        if time.monotonic() > deadline:
            raise LabError(f"qmail-send did not obey svc -{letter}")
        time.sleep(_STEP_S)
