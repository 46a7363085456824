"""The one door through which qmail-send speaks: every line goes to the log and to whoever watches, in this order.

Source: `logs.grammar` (the forms), IndiMail qsutil.c `slog()`.

Rule 1: mail goes on whatever happens to its log: a full disk loses lines, which are counted, and never a delivery.
Rule 2: a watcher that raises is remembered, not obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from indimail_kit.delivery.events import EventKind, SendEvent
from indimail_kit.logs.grammar import format_line
from indimail_kit.logs.template import GivenValue
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue.layout import QueueLayout

_KINDS: Final[Mapping[str, EventKind]] = {
    "scheduler_start": "started",
    "scheduler_queue": "started",
    "send_start": "started",
    "todo_start": "started",
    "todo_file": "todo",
    "new_msg": "new_msg",
    "info_msg": "info_msg",
    "todo_recipient": "recipient",
    "starting_delivery": "start",
    "delivery": "delivery",
    "delivery_mangled": "delivery",
    "status": "status",
    "bounce_msg": "bounce",
    "bounce_discarded": "discarded",
    "end_msg": "end_msg",
    "deliveries_held": "status",
    "deliveries_resumed": "status",
    "signal": "signal",
    "scheduler_signal": "signal",
    "todo_ordered_to_quit": "signal",
    "send_exit": "stopped",
    "scheduler_exit": "stopped",
    "warn_queue": "warning",
    "alert_queue": "warning",
}
"""Form of the line -> what it tells."""

_MAX_ERRORS: Final = 100
"""Watchers' errors that are kept."""

_NOT_A_WORD: Final = re.compile(rb"[^!-~]")


class Journal:
    """Writes lines and tells watchers.

    Attributes:
        lost_lines: Lines that could not be written.
        watcher_errors: What watchers raised, the oldest first, at most 100.
    """

    def __init__(
        self, log: LogWriter, *, clock: Callable[[], int], on_event: Callable[[SendEvent], None] | None = None
    ) -> None:
        self.lost_lines = 0
        self.watcher_errors: list[Exception] = []
        self._log = log
        self._clock = clock
        self._on_event = on_event

    def say(self, form_name: str, fields: Mapping[str, GivenValue], **about: Any) -> None:
        """Write one line and tell about it.

        Args:
            form_name: Name of a form of `logs.grammar`.
            fields: Its fields.
            **about: What the SendEvent says besides `unix_ns`, `kind` and `line`; `queue` is needed.
        """
        now_ns = self._clock()
        line = _format(form_name, fields)
        try:
            self._log.write(line, now_ns)
        except (OSError, ValueError):
            self.lost_lines += 1
        if self._on_event is None:
            return
        try:
            self._on_event(SendEvent(unix_ns=now_ns, kind=_KINDS[form_name], line=line, **about))
        except Exception as error:
            if len(self.watcher_errors) < _MAX_ERRORS:
                self.watcher_errors.append(error)

    def warn(
        self, queue: str, remark: str, *, program: str = "qmail-send", is_alert: bool = False, **about: Any
    ) -> None:
        """Write a line "warn: program: queue: remark", or "alert: …"."""
        form_name = "alert_queue" if is_alert else "warn_queue"
        self.say(form_name, {"program": program, "queue": queue, "remark": remark}, queue=queue, **about)


class QueueJournal:
    """The journal of one queue: every line ends with its name, every event carries it."""

    def __init__(self, journal: Journal, layout: QueueLayout) -> None:
        self._journal = journal
        self._layout = layout
        self._name = layout.name

    def say(
        self, form_name: str, *, about: Mapping[str, Any] | None = None, has_queue: bool = True, **fields: GivenValue
    ) -> None:
        """Write one line and tell about it.

        Args:
            form_name: Name of a form of `logs.grammar`.
            about: What the SendEvent says besides what stands in the line.
            has_queue: Whether the form has a field for the queue's name.
            **fields: The other fields of the form.
        """
        told: dict[str, Any] = {"queue": self._name, **(about or {})}
        if fields.get("message_number"):
            told.setdefault("message_number", fields["message_number"])
        self._journal.say(form_name, {**fields, "queue": self._name} if has_queue else fields, **told)

    def warn(
        self, template: str, kind: str = "", message_number: int = 0, *, program: str = "qmail-send", **about: Any
    ) -> None:
        """Write a warning about a file of a message; its path takes the place of "{}"."""
        path = self._layout.relative(kind, message_number) if kind else ""
        told = {"message_number": message_number, **about}
        self._journal.warn(self._name, template.replace("{}", path), program=program, **told)

    def alert(self, remark: str, message_number: int = 0) -> None:
        """Write a line "alert: qmail-send: queue: remark"."""
        self._journal.warn(self._name, remark, is_alert=True, message_number=message_number)

    def cannot_list(self, directory: str) -> None:
        """Write that a directory cannot be read."""
        self.alert(f"unable to opendir {directory}; will try again later")


def one_word(text: str | bytes) -> bytes:
    """Return a path or a queue's name as one word of a log line: what is no visible ASCII becomes an underscore."""
    return _NOT_A_WORD.sub(b"_", text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))


def _format(form_name: str, fields: Mapping[str, GivenValue]) -> bytes:
    """Return the line; a value that cannot stand in its field becomes one word, or else only its field is named."""
    try:
        return format_line(form_name, **fields)
    except ValueError:
        pass  # a sender with a blank, a queue below a directory with one
    words = {name: one_word(value) if isinstance(value, str | bytes) else value for name, value in fields.items()}
    try:
        return format_line(form_name, **words)
    except ValueError as error:  # a number that no log has room for
        return format_line("warn_program", program="qmail-send", remark=f"no line {form_name}: {error}")
