"""What a view that sends mail needs of a lab; `indimail_kit.lab.Lab` is one, and so is a test's scripted one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from indimail_kit.lab.journey import Journey, Station


class SendsMail(Protocol):
    """A lab that takes mail and keeps the journeys."""

    @property
    def users(self) -> tuple[str, ...]:
        """Addresses with a mailbox."""

    @property
    def scanner_name(self) -> str:
        """The scanner in words."""

    @property
    def is_running(self) -> bool:
        """Whether the lab takes mail."""

    @property
    def journeys(self) -> list[Journey]:
        """Every journey so far."""

    def send(self, *, on_station: Callable[[Station], None] | None = None, **order: Any) -> Journey:
        """Send one mail; `on_station` is called from other threads."""
