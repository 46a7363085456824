"""What the parts of qmail-send have in common: its settings, told once.

Source: IndiMail qmail-send.c `getcontrols()`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.delivery.bounce import BounceSettings
from indimail_kit.delivery.events import Deliver, Delivery, Report
from indimail_kit.delivery.local import LocalDelivery
from indimail_kit.delivery.schedule import LIFETIME_S, Channel
from indimail_kit.mailqueue.values import SAFE, Step, SyncPolicy

CONCURRENCY: Final = 20
"""control/concurrencylocal and concurrencyremote as IndiMail's default queues show them in the recorded logs."""

NO_DNS: Final = Report("deferral", b"CNAME lookup failed temporarily. (#4.4.3)\n")
"""Report about a domain that nobody can find: there is no DNS. Source: qmail-remote.c `temp_dnscanon()`."""


def defer_remote(_delivery: Delivery) -> Report:
    """Defer a remote delivery: what happens while nobody gives a way to other hosts."""
    return NO_DNS


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSettings:
    """Settings of one qmail-send.

    Attributes:
        local: Who lives here.
        remote: Delivers to other hosts.
        remote_threads: Most remote deliveries at once in threads; 0 does them one after the other.
        bounce: The control files about bounces.
        clock: Gives the time (unit: ns since 1970).
        next_pid: Gives process ids: for the log, and as qp of bounces and forwarded messages.
        lifetime_s: control/queuelifetime.
        concurrency: Most deliveries at once for each channel.
        held: Channels in which nothing new is started.
        has_queue_number: Whether delivery numbers carry the queue's number, as under qscheduler.
        sync: What must be on the disk before a step counts as done.
        environ: Environment of the qmail-queue for bounces and forwarded messages.
        on_step: Told each step on the disk that was done.
    """

    local: LocalDelivery
    clock: Callable[[], int]
    next_pid: Callable[[], int]
    bounce: BounceSettings
    remote: Deliver = defer_remote
    remote_threads: int = 0
    lifetime_s: int = LIFETIME_S
    concurrency: Mapping[Channel, int] = field(default_factory=lambda: {"local": CONCURRENCY, "remote": CONCURRENCY})
    held: frozenset[Channel] = frozenset()
    has_queue_number: bool = True
    sync: SyncPolicy = SAFE
    environ: Mapping[str, str] = field(default_factory=dict)
    on_step: Callable[[Step], None] | None = None

    def now_s(self) -> int:
        """Return the time in whole seconds since 1970."""
        return self.clock() // 10**9

    def tell_step(self, call: str, path: str, message_number: int) -> None:
        """Tell about a step that was done."""
        if self.on_step is not None:
            self.on_step(Step(call, path, self.clock(), message_number))
