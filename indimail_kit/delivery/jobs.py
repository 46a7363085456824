"""What qmail-send keeps in memory about one channel of one queue: what waits, what is being read, what is under way.

Source: IndiMail qmail-send.c `struct job`, `struct del`.

Rule 1: values that the loop in `queuerun` changes; nothing here decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from indimail_kit.delivery.agenda import Agenda
from indimail_kit.delivery.channel import Mark
from indimail_kit.delivery.schedule import Channel
from indimail_kit.delivery.spawn import Spawn
from indimail_kit.envelope import QueueRecords


@dataclass(slots=True)
class Job:
    """One attempt at all recipients of one channel of one message (qmail-send.c `struct job`)."""

    message_number: int
    channel: Channel
    records: QueueRecords
    retry_s: int
    is_last: bool
    marks: Iterator[Mark]
    fault: str
    references: int = 1
    todo_count: int = 0
    has_hit_end: bool = False


@dataclass(slots=True)
class Lane:
    """One channel of the queue.

    Attributes:
        agenda: Messages that wait for their next attempt.
        spawn: Does the deliveries.
        reading: The job whose recipients are being read, or None.
        flying: Delivery number -> its job and record.
    """

    agenda: Agenda
    spawn: Spawn
    reading: Job | None = None
    flying: dict[int, tuple[Job, Mark]] = field(default_factory=dict)
