"""Whose is a message in the queue? Events of qmail-send find their way back to the session that the mail came from.

Note for maintainers: a queue number is used again as soon as its message is gone, and a session may have ended long
before its mail is delivered.

Rule 1: a bounce belongs to the session of the mail that it returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indimail_kit.delivery.send import SendEvent
    from indimail_kit.lab.session import SessionRecord


class InFlight:
    """The messages that wait in the lab's queues, each with its session."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, int], SessionRecord] = {}
        self._bounces: dict[int, SessionRecord] = {}

    def add(self, queue: str, message_number: int, record: SessionRecord) -> None:
        """Note that a session's mail is queued now."""
        self._records[queue, message_number] = record

    def hear(self, event: SendEvent) -> None:
        """Hand an event of qmail-send to the session whose mail, or whose bounce, it is; to nobody if it is unknown."""
        key = (event.queue, event.message_number)
        if event.kind == "info_msg" and event.qp in self._bounces:
            self._records[key] = self._bounces.pop(event.qp)
        record = self._records.get(key)
        if record is None:
            return
        if event.kind == "bounce":
            self._bounces[event.qp] = record
        elif event.kind == "end_msg":
            self._records.pop(key, None)
        record.emit(event.unix_ns, "send", event)
