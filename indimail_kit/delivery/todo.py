"""todo-proc's share of the loop: look into todo, preprocess one message a time, and say so.

Source: IndiMail todo-proc.c `todo_scan()`, `todo_do()`, `comm_info()`, `log_stat()`.

Rule 1: a message that gives trouble is left alone for a while, so that it cannot fill the log, and the others go on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from indimail_kit.delivery.events import as_text
from indimail_kit.delivery.journal import Journal, QueueJournal, one_word
from indimail_kit.delivery.preprocess import Preprocessed, preprocess
from indimail_kit.delivery.scan import scan_numbers
from indimail_kit.delivery.schedule import SYSTEM_FAILURE_S, TODO_SCAN_S
from indimail_kit.delivery.settings import SendSettings
from indimail_kit.errors import QueueError
from indimail_kit.mailqueue.layout import QueueLayout


class TodoProc:
    """Preprocesses the messages of one queue.

    Attributes:
        pid: Process id in the log.
        next_due_s: When todo is looked into even if nobody pulls the trigger (unit: s since 1970).
    """

    def __init__(self, layout: QueueLayout, *, settings: SendSettings, journal: Journal) -> None:
        self.pid = settings.next_pid()
        self.next_due_s = 0
        self._layout = layout
        self._settings = settings
        self._journal = QueueJournal(journal, layout)
        self._routing = settings.local.routing
        self._scan: Iterator[tuple[str, int]] | None = None
        self._is_wanted = True
        self._skipped: dict[int, tuple[int, int]] = {}

    def adopt(self, settings: SendSettings) -> None:
        """Go by other settings from the next message on."""
        self._settings = settings
        self._routing = settings.local.routing

    def say_start(self) -> None:
        """Write the line with which todo-proc begins."""
        self._journal.say(
            "todo_start",
            severity="info",
            todo_program="todo-proc",
            pid=self.pid,
            queue_directory=one_word(str(self._layout.directory)),
            split=self._layout.split,
            chunk=1,
            bigtodo="yes" if self._layout.has_bigtodo else "no",
            has_queue=False,
        )

    def say_quit(self) -> None:
        """Write that qmail-send is ending and takes todo-proc with it."""
        self._journal.say("todo_ordered_to_quit", severity="alert", todo_program="todo-proc", pid=self.pid)

    def want(self) -> None:
        """Look into todo at the next step: the trigger was pulled."""
        self._is_wanted = True

    def is_due(self, now_s: int) -> bool:
        """Say whether `step` has something to do."""
        return self._scan is not None or self._is_wanted or now_s >= self.next_due_s

    def step(self, now_s: int) -> tuple[int, Preprocessed] | None:
        """Preprocess the next message of this look into todo; None at its end, or when the message gave trouble."""
        if self._scan is None:
            self._is_wanted = False
            self.next_due_s = now_s + TODO_SCAN_S
            self._scan = scan_numbers(self._layout, "todo", on_trouble=self._journal.cannot_list)
        for directory, message_number in self._scan:
            if not self._is_skipped(message_number, now_s):
                done = self._preprocess(directory, message_number, now_s)
                return None if done is None else (message_number, done)
        self._scan = None
        return None

    def _is_skipped(self, message_number: int, now_s: int) -> bool:
        """Say whether this very file gave trouble a moment ago."""
        due_s, mtime_ns = self._skipped.get(message_number, (0, 0))
        if now_s < due_s:
            with suppress(OSError):
                if os.lstat(self._layout.path("todo", message_number)).st_mtime_ns == mtime_ns:
                    self.next_due_s = min(self.next_due_s, due_s)
                    return True
        self._skipped.pop(message_number, None)
        return False

    def _skip(self, message_number: int, now_s: int) -> None:
        with suppress(OSError):
            mtime_ns = os.lstat(self._layout.path("todo", message_number)).st_mtime_ns
            self._skipped[message_number] = (now_s + SYSTEM_FAILURE_S, mtime_ns)
            self.next_due_s = min(self.next_due_s, now_s + SYSTEM_FAILURE_S)

    def _preprocess(self, directory: str, message_number: int, now_s: int) -> Preprocessed | None:
        own_directory = self._layout.parent("todo", message_number)
        is_wrong = directory != own_directory
        self._journal.say(
            "todo_file",
            severity="warn" if is_wrong else "info",
            todo_program="todo-proc",
            subdirectory=directory,
            directory=own_directory,
            message_number=message_number,
            wrong_split=is_wrong,
        )
        if is_wrong:
            return None
        try:
            done = preprocess(
                self._layout,
                message_number,
                routing=self._routing,
                clock=self._settings.clock,
                sync=self._settings.sync,
                on_step=self._settings.on_step,
            )
        except QueueError as error:
            self._journal.warn(str(error), message_number=message_number, program="todo-proc")
            self._skip(message_number, now_s)
            return None
        self._say_new(message_number, done)
        return done

    def _say_new(self, message_number: int, done: Preprocessed) -> None:
        records = done.records
        sender, qp = records.sender or b"", records.pid or 0
        about = {"sender": as_text(sender), "qp": qp}
        self._journal.say("new_msg", message_number=message_number, about=about)
        self._journal.say(
            "info_msg",
            message_number=message_number,
            message_bytes=done.message_bytes,
            sender=sender,
            qp=qp,
            uid=records.uid or 0,
            about=about,
        )
        for route, recipient in zip(done.routes, records.recipients, strict=True):
            self._journal.say(
                "todo_recipient",
                channel=route.channel,
                raw_sender=sender,
                raw_recipient=recipient or b"<>",
                message_number=message_number,
                message_bytes=done.message_bytes,
                todo_mode="opendir",
                about={**about, "recipient": as_text(recipient), "channel": route.channel},
            )
