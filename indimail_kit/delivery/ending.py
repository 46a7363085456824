"""The end of a message: bounce what failed, then S5 -> S2 -> S1.

Order of steps: append to bounce/N (at each failure) … inject the bounce -> remove bounce/N -> remove info -> remove
intd (if a crash left one) -> remove mess.

Source: IndiMail qmail-send.c `addbounce()`, `injectbounce()`, `messdone()`; qmail-clean.c; qmail's INTERNALS section 5.

Rule 1: bounce/N is removed only after the bounce is queued: it may be sent twice after a crash, but is never lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from indimail_kit.delivery.bounce import MAX_COPY_OCTETS, BouncePlan, bounce_block, plan_bounce, render_bounce
from indimail_kit.delivery.channel import read_whole
from indimail_kit.delivery.events import as_text
from indimail_kit.delivery.journal import Journal, QueueJournal
from indimail_kit.delivery.maildir import sync_directory
from indimail_kit.delivery.schedule import CHANNELS
from indimail_kit.delivery.settings import SendSettings
from indimail_kit.envelope import Envelope, QueueRecords, decode_records
from indimail_kit.errors import EnvelopeError, KitError
from indimail_kit.mailqueue.enqueue import enqueue
from indimail_kit.mailqueue.layout import QueueLayout

_BOUNCE_MODE: Final = 0o600
"""Mode of a bounce file. Source: recorded queue trees."""


def read_info(layout: QueueLayout, message_number: int) -> tuple[QueueRecords, int]:
    """Return the records of an info file and the birth of the message (unit: s since 1970).

    Raises:
        OSError: It cannot be read.
        EnvelopeError: It is not finished, or has no sender.
    """
    path = layout.path("info", message_number)
    records = decode_records(read_whole(path))
    if records.sender is None:
        raise EnvelopeError("a sender", exit_code=0)
    return records, path.stat().st_mtime_ns // 10**9


class Ending:
    """Ends the messages of one queue."""

    def __init__(self, layout: QueueLayout, *, settings: SendSettings, journal: Journal) -> None:
        self._layout = layout
        self._settings = settings
        self._journal = QueueJournal(journal, layout)

    def adopt(self, settings: SendSettings) -> None:
        """Go by other settings from now on."""
        self._settings = settings

    def add_bounce(self, message_number: int, recipient: bytes, report: bytes) -> bool:
        """Append the paragraph about a recipient to the bounce file; say whether it is there."""
        path = self._layout.path("bounce", message_number)
        block = bounce_block(self._settings.local.routing.strip_prefix(recipient), report)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, _BOUNCE_MODE)
            try:
                _append(fd, block)
                self._tell("write", "bounce", message_number)
                if self._settings.sync.files:
                    os.fsync(fd)
                    self._tell("fsync", "bounce", message_number)
            finally:
                os.close(fd)
            if self._settings.sync.directories:
                # before the mark: a power loss must not leave a recipient done whose failure nobody tells
                sync_directory(path.parent)
                self._settings.tell_step("fsyncdir", "bounce", message_number)
        except OSError:
            remark = "unable to append to bounce message; HELP! will try again later"
            self._journal.alert(remark, message_number)
            return False
        return True

    def end(self, message_number: int) -> bool:
        """End a message that has no recipient left; say whether it is gone or needs nothing more.

        Source:
            qmail-send.c `messdone()`.
        """
        kind = "info"
        try:
            for kind in (*CHANNELS, "todo"):
                if self._exists(kind, message_number):
                    return True  # a false alarm: somebody still has to get it
            kind = "info"
            if not self._exists(kind, message_number):
                return True
        except OSError:
            return self._later("unable to stat", kind, message_number)
        if not self._inject_bounce(message_number):
            return False
        self._journal.say("end_msg", message_number=message_number, send_program="qmail-send")
        for kind in ("info", "intd", "mess"):
            try:
                self._layout.path(kind, message_number).unlink(missing_ok=True)
            except OSError:
                if kind == "info":
                    return self._later("unable to unlink", kind, message_number)
                self._journal.warn("qmail-clean unable to clean up {}", kind, message_number)
                return True
            self._tell("unlink", kind, message_number)
        return True

    def enqueue(self, message: bytes | Iterable[bytes], sender: bytes, recipient: bytes, *, is_bounce: bool) -> int:
        """Queue a bounce or a forwarded message in this queue; return its qp.

        Raises:
            QueueError: qmail-queue refuses it.
        """
        qp = self._settings.next_pid()
        enqueue(
            message,
            Envelope(sender, (recipient,)),
            layout=self._layout,
            environ=self._settings.environ,
            qp=qp,
            invoked_from="bounce" if is_bounce else "uid",
            host=self._settings.local.host,
            clock=self._settings.clock,
            sync=self._settings.sync,
            on_step=self._settings.on_step,
        )
        return qp

    def _exists(self, kind: str, message_number: int) -> bool:
        try:
            os.lstat(self._layout.path(kind, message_number))
        except FileNotFoundError:
            return False
        return True

    def _tell(self, call: str, kind: str, message_number: int) -> None:
        self._settings.tell_step(call, self._layout.relative(kind, message_number), message_number)

    def _later(self, what: str, kind: str, message_number: int) -> bool:
        self._journal.warn(f"{what} {{}}; will try again later", kind, message_number)
        return False

    def _inject_bounce(self, message_number: int) -> bool:
        """Tell the sender what failed, if anything did; say whether bounce/N is gone."""
        path = self._layout.path("bounce", message_number)
        kind = "info"
        try:
            records, _birth_s = read_info(self._layout, message_number)
            kind = "bounce"
            blocks = read_whole(path)
        except FileNotFoundError:
            return kind == "bounce" or self._later("trouble opening", kind, message_number)
        except (OSError, EnvelopeError):
            return self._later("trouble reading", kind, message_number)
        if not blocks:  # a crash or a full disk came between making the file and the first paragraph: nobody failed
            return self._remove_bounce(message_number)
        plan = plan_bounce(records.sender or b"", settings=self._settings.bounce)
        if plan.is_discarded:
            self._journal.say("bounce_discarded", bounce_rank=plan.rank, message_number=message_number)
        elif not self._send_bounce(plan, message_number, blocks):
            return False
        return self._remove_bounce(message_number)

    def _remove_bounce(self, message_number: int) -> bool:
        try:
            self._layout.path("bounce", message_number).unlink(missing_ok=True)
        except OSError:
            return self._later("unable to unlink", "bounce", message_number)
        self._tell("unlink", "bounce", message_number)
        return True

    def _send_bounce(self, plan: BouncePlan, message_number: int, blocks: bytes) -> bool:
        try:
            with self._layout.path("mess", message_number).open("rb") as file:
                copy = file.read(MAX_COPY_OCTETS + 1)
            message = render_bounce(
                plan,
                settings=self._settings.bounce,
                unix_s=self._settings.now_s(),
                blocks=blocks,
                message=copy[:MAX_COPY_OCTETS],
                is_cut=len(copy) > MAX_COPY_OCTETS,
            )
            qp = self.enqueue(message, plan.sender, plan.recipient, is_bounce=True)
        except (OSError, KitError):
            self._journal.warn("trouble injecting bounce message, will try later", message_number=message_number)
            return False
        about = {"qp": qp, "sender": as_text(plan.sender), "recipient": as_text(plan.recipient)}
        self._journal.say("bounce_msg", message_number=message_number, qp=qp, about=about)
        return True


def _append(fd: int, octets: bytes) -> None:
    """Append everything or nothing: what a full disk cut off is taken back.

    Raises:
        OSError: It could not be written.
    """
    start = os.lseek(fd, 0, os.SEEK_END)
    try:
        while octets:
            octets = octets[os.write(fd, octets) :]
    except OSError:
        os.ftruncate(fd, start)
        raise
