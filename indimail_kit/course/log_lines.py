"""Log lines for the exercises of lessons 04 and 05: written by the grammar, letter for letter as the programs do.

Source: `logs.grammar`, whose table writes the lab's own log as well; qmail-log(5).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.logs.grammar import format_line
from indimail_kit.logs.template import GivenValue
from indimail_kit.tai64 import to_tai64n

NS: Final = 10**9

_UID: Final = 5
"""User that calls qmail-queue."""

_DAYS: Final = (14_600, 20_600)
"""Days since 1970 between which logs lie."""


def draw_time_ns(rng: random.Random) -> int:
    """Return a time by day (unit: ns since 1970), so that an hour before and after is the same date."""
    return (rng.randrange(*_DAYS) * 86_400 + rng.randrange(4 * 3_600, 20 * 3_600)) * NS + rng.randrange(NS)


@dataclass(slots=True)
class LogWriter:
    """Writes lines in the order of time.

    Attributes:
        rng: Draws the pauses.
        now_ns: Time of the next line (unit: ns since 1970).
        lines: What was written.
    """

    rng: random.Random
    now_ns: int
    lines: list[str] = field(default_factory=list)

    def say(self, form: str, **fields: GivenValue) -> int:
        """Write a line a moment later and return its time (unit: ns since 1970)."""
        return self.say_at(self.now_ns + self.rng.randrange(1_000, 400_000_000), form, **fields)

    def say_at(self, unix_ns: int, form: str, **fields: GivenValue) -> int:
        """Write a line at a time (unit: ns since 1970) and return it."""
        self.now_ns = unix_ns
        self.lines.append(f"{to_tai64n(self.now_ns).decode()} {format_line(form, **fields).decode()}")
        return self.now_ns

    def wait(self, seconds: int) -> None:
        """Let time go by."""
        self.now_ns += seconds * NS

    def queued(self, number: int, sender: str, qp: int) -> int:
        """Write that a message is in the queue; return the time of ``info msg``."""
        self.say("new_msg", message_number=number)
        message_bytes = self.rng.randrange(400, 9_000)
        return self.say("info_msg", message_number=number, message_bytes=message_bytes, sender=sender, qp=qp, uid=_UID)

    def begins(self, delivery: int, number: int, recipient: str) -> int:
        """Write that a delivery begins."""
        return self.say(
            "starting_delivery",
            delivery_number=delivery,
            message_number=number,
            channel=channel_of(recipient),
            recipient=recipient,
        )

    def ends(self, delivery: int, outcome: str, report: str) -> int:
        """Write how a delivery ended."""
        return self.say("delivery", delivery_number=delivery, outcome=outcome, report=report)

    @property
    def text(self) -> str:
        """Return the log."""
        return "\n".join(self.lines)


def channel_of(recipient: str) -> str:
    """Return the channel of an address: example.com lives here."""
    return "local" if recipient.endswith("@example.com") else "remote"


def join_lines(lines: Iterable[str]) -> bytes:
    """Return lines as the octets of a log."""
    return "".join(f"{line}\n" for line in lines).encode()
