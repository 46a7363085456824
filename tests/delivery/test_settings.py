"""Settings of qmail-send."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from indimail_kit.delivery.bounce import BounceSettings
from indimail_kit.delivery.events import Delivery, Report
from indimail_kit.delivery.settings import SendSettings, defer_remote
from indimail_kit.mailqueue.values import Step

if TYPE_CHECKING:
    from tests.delivery.conftest import House


def test_remote_mail_is_deferred_while_nobody_can_take_it(delivery: Callable[..., Delivery]) -> None:
    """A deferral with qmail-remote's own words for "no answer from the DNS"."""
    report = defer_remote(delivery(channel="remote"))

    assert report == Report("deferral", b"CNAME lookup failed temporarily. (#4.4.3)\n")


def test_steps_are_told_with_their_time(house: House) -> None:
    """To the watcher, if there is one."""
    steps: list[Step] = []
    base = {"local": house.local(), "clock": house.clock, "next_pid": lambda: 1, "bounce": BounceSettings("vm")}

    SendSettings(**base, on_step=steps.append).tell_step("mark", "local/1/7", 7)  # type: ignore[arg-type]
    SendSettings(**base).tell_step("mark", "local/1/7", 7)  # type: ignore[arg-type]

    assert steps == [Step("mark", "local/1/7", house.clock.now_ns, 7)]
