"""Tapes for a lesson: the real qmail-queue and the real qmail-send of the kit, recorded in a queue of a moment.

Each lesson is recorded once with each sync policy, so that a widget can switch between them without touching a disk.

Rule 1: what is on a tape was done by the kit's own code on a real disk; the queue is removed afterwards.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from indimail_kit.delivery import LocalDelivery, Report, create_maildir
from indimail_kit.delivery.events import Delivery
from indimail_kit.delivery.recording import record_delivery
from indimail_kit.envelope import Envelope
from indimail_kit.lab.mail import compose
from indimail_kit.mailqueue.enqueue import enqueue
from indimail_kit.mailqueue.layout import create_queue
from indimail_kit.mailqueue.recorder import record_enqueue
from indimail_kit.mailqueue.tape import Tape
from indimail_kit.mailqueue.values import SYNC_NAMES, SyncName, SyncPolicy

TITLES: Final = ("a mail comes in", "a mail goes out", "a mail comes back")
"""The lessons: qmail-queue; todo-proc and qmail-send with one recipient here and one elsewhere; a bounce."""

SENDER: Final = b"ann@example.com"

RECIPIENTS: Final = (b"bob@example.com", b"carol@example.net")
"""One lives here, one elsewhere."""

STRANGER: Final = b"nobody@example.com"
"""Has no mailbox."""

_START_NS: Final = 1_268_622_054 * 10**9
"""When the lessons happen (unit: ns since 1970): the day of the tutorial of 2010."""

_TICK_NS: Final = 137_000_000
"""Time between two looks at the clock (unit: ns)."""

_QP: Final = 5104
"""Long-term queue identifier of the mail."""

_SPLIT: Final = 23
"""Sub-directories, as plain qmail has them: a look at all of them after each step takes an eighth of 151's time."""

_UID: Final = 1000
"""User that called qmail-queue."""

_CLIENT: Final = {"TCPREMOTEIP": "192.0.2.77", "TCPREMOTEHOST": "client.example.com"}
"""Where the mail comes from."""

_HOST: Final = "mx.example.com"


def record_lesson_tapes(seed: int = 1) -> dict[tuple[str, str], Tape]:
    """Record the lessons: (title, name of the sync policy) -> tape; what `widgets.QueueTimeMachine` takes.

    Args:
        seed: Chooses the words of the mail; the numbers of the messages are inode numbers and differ each time.

    Returns:
        A tape for each of TITLES with each of SYNC_NAMES, in that order.

    Raises:
        QueueError: The temporary directory has no room for a queue.
    """
    lessons: tuple[Callable[[Path, SyncPolicy, bytes], Tape], ...] = (_comes_in, _goes_out, _comes_back)
    mail = _mail(seed)
    tapes: dict[tuple[str, str], Tape] = {}
    for title, lesson in zip(TITLES, lessons, strict=True):
        for name in SYNC_NAMES:
            with tempfile.TemporaryDirectory(prefix="ik-tape-") as place:
                tapes[title, name] = lesson(Path(place), _policy(name), mail)
    return tapes


def _policy(name: SyncName) -> SyncPolicy:
    """Return a sync policy as it is without any variable set."""
    return SyncPolicy.named(name, {})


def _mail(seed: int) -> bytes:
    """Return the mail, with LF line ends as qmail-queue gets it."""
    random = Random(seed)  # noqa: S311 - a mail that anybody may read
    words = ("queue", "inode", "trigger", "link", "directory", "journal", "mailbox", "bounce", "record", "disk")
    lines = [" ".join(random.choices(words, k=8)).capitalize() + "." for _ in range(12)]
    octets = compose(
        sender=SENDER.decode(),
        recipient=RECIPIENTS[0].decode(),
        subject=f"Lesson {seed}",
        body="\n".join(lines),
        attach="none",
        date=datetime.fromtimestamp(_START_NS // 10**9, tz=UTC),
        message_id=f"<{random.getrandbits(64):016x}@example.com>",
    )
    return octets.replace(b"\r\n", b"\n")


def _clock() -> Callable[[], int]:
    """Return a clock that goes on at each look."""
    ticks = itertools.count(_START_NS, _TICK_NS)
    return lambda: next(ticks)


def _comes_in(place: Path, sync: SyncPolicy, mail: bytes) -> Tape:
    """Record qmail-queue."""
    return record_enqueue(
        mail,
        Envelope(SENDER, RECIPIENTS),
        layout=create_queue(place / "queue1", split=_SPLIT),
        sync=sync,
        environ=_CLIENT,
        qp=_QP,
        uid=_UID,
        invoked_from="network",
        host=_HOST,
        clock=_clock(),
        title=TITLES[0],
    )


def _goes_out(place: Path, sync: SyncPolicy, mail: bytes) -> Tape:
    """Record a delivery to both recipients."""
    return _delivery(place, sync, mail, RECIPIENTS, title=TITLES[1])


def _comes_back(place: Path, sync: SyncPolicy, mail: bytes) -> Tape:
    """Record a delivery that fails, so that the sender is told."""
    return _delivery(place, sync, mail, (RECIPIENTS[0], STRANGER), title=TITLES[2])


def _delivery(place: Path, sync: SyncPolicy, mail: bytes, recipients: tuple[bytes, ...], *, title: str) -> Tape:
    """Record how a queued mail is delivered."""
    layout, clock = create_queue(place / "queue1", split=_SPLIT), _clock()
    queued = enqueue(
        mail,
        Envelope(SENDER, recipients),
        layout=layout,
        environ=_CLIENT,
        qp=_QP,
        uid=_UID,
        invoked_from="network",
        host=_HOST,
        clock=clock,
    )
    here = ("ann@example.com", "bob@example.com")
    users = {address: create_maildir(place / "users" / address) for address in here}
    local = LocalDelivery(locals={"example.com"}, users=users, host=_HOST)
    pids = itertools.count(_QP + 1)
    return record_delivery(
        layout,
        local=local,
        sync=sync,
        clock=clock,
        remote=_accept,
        next_pid=lambda: next(pids),
        message_number=queued.message_number,
        title=title,
    )


def _accept(_delivery: Delivery) -> Report:
    """Answer for the other host: it takes every mail."""
    return Report("success", b"192.0.2.25 accepted message./Remote host said: 250 ok\n")
