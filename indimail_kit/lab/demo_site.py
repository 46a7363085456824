"""A server at noon, in trouble: three queues on the disk, and the logs that tell how each message came to lie there.

A host does not answer since nine, another one defers everybody once, a few messages are not taken up yet, one lies as
after a careless copy, and one has a virus that nobody's signatures knew when it came. Queue and log are of one day: the
numbers in the log are the inodes on the disk.

Source: `demo_logs` (the day), `corpus` (how a queue is written).

Note for maintainers: a number is an inode, so the day is played twice: first to see which mails wait at noon; then,
these written, once more with their numbers.

Rule 1: everything is below the given directory; the clock is a parameter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from indimail_kit.delivery.schedule import CHANNELS, Channel, next_retry_s
from indimail_kit.envelope import Recipient
from indimail_kit.errors import LabError
from indimail_kit.lab.corpus import DemoMessage, write_messages
from indimail_kit.lab.corpus_faults import FAULTS
from indimail_kit.lab.demo_logs import logs_of, play
from indimail_kit.lab.demo_world import NS, Mail, channel_of
from indimail_kit.mailqueue.layout import QueueLayout, create_queue
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.qhpsi.signatures import eicar

QUEUES: Final = 3
"""How many queues there are."""

MESSAGES: Final = 900
"""Mails of a whole day."""

FAULTS_AT_NOON: Final = ("wrong-mode", "inode-differs")
"""What is wrong with the last messages of the first queue."""

_NOON_S: Final = 12 * 3600
_UNTAKEN: Final = 2
"""Messages that todo-proc has not taken up."""


@dataclass(frozen=True, slots=True)
class DemoSite:
    """A server that was made.

    Attributes:
        queue_base: Where queue1 … are.
        logs: Name of a log -> its multilog directory: send, smtpd, clamd.
        infected: Queue and number of the message with the virus.
        mails: What the day did to each mail that waits, in the order of its number's first use.
        now_s: The moment (unit: s since 1970).
    """

    queue_base: Path
    logs: Mapping[str, Path]
    infected: tuple[str, int]
    mails: tuple[Mail, ...] = field(repr=False)
    now_s: int

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables that point an administrator's notebook at it, see `admin.Site.from_environ`."""
        return {"QUEUE_BASE": str(self.queue_base), "INDIMAIL_KIT_LOGS": os.pathsep.join(map(str, self.logs.values()))}


def make_site(directory: str | os.PathLike[str], *, seed: int = 1, now_s: int | None = None) -> DemoSite:
    """Make a server at noon.

    Args:
        directory: Where; it must not exist, or be empty.
        seed: Decides everything but the numbers.
        now_s: The moment, noon there (unit: s since 1970); the clock's if not given.

    Raises:
        LabError: Something is there already.
        QueueError: A queue cannot be made.
    """
    place = Path(directory)
    if place.exists() and any(place.iterdir()):
        raise LabError(f"no demo server at {place}: it is not empty")
    now_s = int(time.time()) if now_s is None else now_s
    start_s = now_s - _NOON_S
    first = play(MESSAGES, seed=seed, queues=QUEUES, start_s=start_s, length_s=_NOON_S, is_silent=True)
    waiting = [index for index, mail in enumerate(first.mails) if mail.queued_ns and not mail.ended_ns]
    layouts = {f"queue{number}": create_queue(place / "queue" / f"queue{number}") for number in range(1, QUEUES + 1)}
    numbers = _write(layouts, [(index, first.mails[index]) for index in waiting], now_s)
    logs = logs_of(play(MESSAGES, seed=seed, queues=QUEUES, start_s=start_s, length_s=_NOON_S, numbers=numbers))
    mails = tuple(logs.mails[index] for index in waiting)
    _write_untaken(layouts["queue2"], seed, now_s)
    infected = max(mails, key=lambda mail: mail.message_bytes)
    _infect(layouts[infected.queue], infected)
    healthy = [mail.message_number for mail in mails if mail.queue == "queue1" and mail is not infected]
    for name, number in zip(FAULTS_AT_NOON, reversed(healthy), strict=False):
        FAULTS[name](layouts["queue1"], number, now_s)
    return DemoSite(place / "queue", logs.write(place / "log"), (infected.queue, infected.message_number), mails, now_s)


def _write(layouts: Mapping[str, QueueLayout], waiting: list[tuple[int, Mail]], now_s: int) -> dict[int, int]:
    """Write the mails that wait, and return place among all mails -> number."""
    numbers: dict[int, int] = {}
    for name, layout in layouts.items():
        own = [(index, mail) for index, mail in waiting if mail.queue == name]
        written = write_messages(layout, (_message(mail, now_s) for _, mail in own))
        numbers |= dict(zip((index for index, _ in own), written, strict=True))
    return numbers


def _message(mail: Mail, now_s: int) -> DemoMessage:
    """Return a mail as its files are."""
    birth_s = mail.queued_ns // NS
    by_channel = {channel: tuple(_recipients(mail, channel)) for channel in CHANNELS}
    return DemoMessage(
        state=QueueState.S5,
        sender=mail.sender.encode(),
        local=by_channel["local"],
        remote=by_channel["remote"],
        birth_s=birth_s,
        retries_s={channel: next_retry_s(birth_s=birth_s, now_s=now_s, channel=channel) for channel in CHANNELS},
        size_bytes=mail.message_bytes,
        header=b"X-QHPSI: clean\n",
        environment_header=b"",
        bounce=b"",
        qp=mail.qp,
    )


def _recipients(mail: Mail, channel: Channel) -> Iterator[Recipient]:
    for address in mail.recipients:
        if channel_of(address) == channel:
            yield Recipient(address.encode(), is_done=mail.outcomes.get(address) in ("success", "failure"))


def _write_untaken(layout: QueueLayout, seed: int, now_s: int) -> None:
    """Write messages that were queued a moment ago."""
    random = Random(seed)  # noqa: S311 - a picture, no secret
    plan = (
        DemoMessage(
            state=QueueState.S4, sender=b"user1@example.com", local=(), birth_s=now_s - 20 + number,
            remote=(Recipient(b"user%d@example.net" % random.randrange(40), is_done=False),), retries_s={},
            size_bytes=900, header=b"", environment_header=b"", bounce=b"", qp=31_000 + number,
        )
        for number in range(_UNTAKEN)
    )  # fmt: skip
    list(write_messages(layout, plan))


def _infect(layout: QueueLayout, mail: Mail) -> None:
    """Put the EICAR test text at the end of a mail, its size and times kept."""
    path, octets = layout.path("mess", mail.message_number), eicar()
    with path.open("r+b") as file:
        file.truncate(mail.message_bytes - len(octets) - 1)
        file.seek(0, os.SEEK_END)
        file.write(octets + b"\n")
    os.utime(path, (mail.queued_ns // NS, mail.queued_ns // NS))
