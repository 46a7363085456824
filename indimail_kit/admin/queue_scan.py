"""Scan one message of a live queue by its number: a copy is made, the scanner sees the copy, the queue sees nothing.

::

    scan = scan_queued(queues.layout("queue1"), 660188, scanner=kit.qhpsi.clamd("/run/clamd.sock"))
    print(scan)                                     # INFECTED ✕: Eicar-Test-Signature in mess/16/660188 …

Source: INTERNALS section 2 (mess is written once, its name is its inode); Linux open(2).

Rule 1: the queue is read through `mailqueue.beneath`: no link is followed, nothing but a regular file is opened, the
access time stays; the scanner never gets a path into the queue.
Rule 2: CLEAN only if the scanner said so of the whole message: what is being written, or too long, is NOT SCANNED.
Rule 3: the verdict is about the file that was open, and says so when the number is another one's by now.
"""

from __future__ import annotations

import operator
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import MESS_FILE
from indimail_kit.mailqueue.beneath import open_below, opened_queue
from indimail_kit.qhpsi.private_dir import PrivateHoldings
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict
from indimail_kit.visible import visible
from indimail_kit.wiring import html_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from indimail_kit.mailqueue.layout import QueueLayout
    from indimail_kit.mailqueue.queues import Queues
    from indimail_kit.qhpsi.verdict import Scanner

MAX_COPY_BYTES: Final = 1 << 30
"""Largest message that is copied (unit: octets)."""

_BLOCK_BYTES: Final = 1 << 20
_PREFIX: Final = "indimail-kit-scan-"


@dataclass(frozen=True, slots=True)
class QueuedScan:
    """What a scanner says of a message that lies in a queue.

    Attributes:
        queue: Name of the queue.
        message_number: Its number.
        path: Its mess file, below the queue.
        size_bytes: How much was scanned, the Received line included (unit: octets).
        answer: The scanner's answer.
        has_left: Whether the message had left the queue when the answer came.
    """

    queue: str
    message_number: int
    path: str
    size_bytes: int
    answer: ScanAnswer
    has_left: bool = False

    @property
    def sentence(self) -> str:
        """Return it in words."""
        verdict, what = self.answer.verdict, self.answer.signature or self.answer.reason
        told = f": {what}" if what else ""
        left = " It has left the queue meanwhile." if self.has_left else ""
        who = f" by {self.answer.scanner}" if self.answer.scanner else ""
        where = f"{self.queue}/{self.path}, {self.size_bytes:,} octets{who}"
        return visible(f"{verdict.mark} {verdict.words}{told} ({where}).{left}")

    def __repr__(self) -> str:
        """Return the sentence."""
        return f"<QueuedScan: {self.sentence}>"

    def _repr_html_(self) -> str:
        return html_of(self)


def scan_queued(
    layout: QueueLayout, message_number: int, *, scanner: Scanner, directory: Path | None = None
) -> QueuedScan:
    """Scan a message of a queue; the queue is only read, and the scanner is shown a copy.

    Args:
        layout: The queue.
        message_number: The message.
        scanner: Who is asked, see `indimail_kit.qhpsi`.
        directory: Where the copy is made; a private directory if not given. The copy is gone afterwards.

    Returns:
        The answer; nothing is raised for a scan that failed.

    Raises:
        QueueError: There is no such message, or the number is that of no inode.
    """
    message_number = operator.index(message_number)  # a cell of a table is a number of numpy's
    path = layout.relative("mess", message_number)
    with opened_queue(layout) as queue_fd:
        try:
            fd = open_below(path, queue_fd)
        except FileNotFoundError:
            raise QueueError(f"no message {message_number} in {layout.directory}", exit_code=MESS_FILE) from None
        except OSError as error:
            return _not_scanned(layout, message_number, path, f"{path}: {error.strerror}", verdict=Verdict.ERROR)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return _not_scanned(layout, message_number, path, f"{path} is no regular file")
            if status.st_size > MAX_COPY_BYTES:
                return _not_scanned(layout, message_number, path, f"longer than {MAX_COPY_BYTES:,} octets")
            is_whole = _is_written(layout, message_number, queue_fd)
            answer, size_bytes = _scan_copy(fd, message_number, scanner, directory)
            if answer.verdict is Verdict.CLEAN and not (is_whole and size_bytes == os.fstat(fd).st_size):
                return _not_scanned(layout, message_number, path, "it may be being written at this moment")
            return QueuedScan(layout.name, message_number, path, size_bytes, answer, _has_left(path, queue_fd, status))
        finally:
            os.close(fd)


def scan_each(
    queues: Queues, messages: Iterable[tuple[str, int]], *, scanner: Scanner, directory: Path | None = None
) -> list[QueuedScan]:
    """Scan messages of queues that are alive; one that has left meanwhile is told as such, and is not clean.

    Args:
        queues: The queues.
        messages: Queue and number of each; one that is named twice is scanned once.
        scanner: Who is asked.
        directory: Where the copies are made, one after the other; a private directory if not given.

    Raises:
        QueueError: There is no such queue, or a number is that of no inode.
    """
    scans: list[QueuedScan] = []
    for name, number in dict.fromkeys((name, operator.index(number)) for name, number in messages):
        layout = queues.layout(name)
        path = layout.relative("mess", number)
        try:
            scans.append(scan_queued(layout, number, scanner=scanner, directory=directory))
        except QueueError:
            gone = ScanAnswer(Verdict.NOT_SCANNED, reason="it is not in the queue any more")
            scans.append(QueuedScan(name, number, path, 0, gone, has_left=True))
    return scans


def _scan_copy(fd: int, message_number: int, scanner: Scanner, directory: Path | None) -> tuple[ScanAnswer, int]:
    """Copy an open message, let the scanner look at the copy, and return its answer and the size of the copy."""
    holdings = PrivateHoldings(os.getpid())
    try:
        copy = holdings.settle_in(directory, prefix=_PREFIX) / f"mess-{message_number}"
        size_bytes = 0
        try:
            size_bytes = _copy(fd, copy)
            return scanner(copy), size_bytes
        except OSError as error:
            return ScanAnswer(Verdict.ERROR, reason=f"the copy: {error.strerror}"), size_bytes
        except Exception as error:  # a scanner that breaks its promise not to raise must not look clean either
            return ScanAnswer(Verdict.ERROR, reason=f"scanner raised {type(error).__name__}: {error}"), size_bytes
        finally:
            copy.unlink(missing_ok=True)
    finally:
        holdings.give_back_directory()


def _copy(fd: int, target: Path) -> int:
    """Copy what a descriptor reads into a new file, and return its size (unit: octets)."""
    size_bytes = 0
    target_fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(target_fd, "wb") as file:
        while size_bytes <= MAX_COPY_BYTES and (block := os.read(fd, _BLOCK_BYTES)):
            size_bytes += file.write(block)
    return size_bytes


def _is_written(layout: QueueLayout, message_number: int, queue_fd: int) -> bool:
    """Say whether mess is whole: qmail-queue makes intd only behind it (S3 and later)."""
    for kind in ("intd", "todo", "info"):
        with suppress(OSError):
            os.stat(layout.relative(kind, message_number), dir_fd=queue_fd, follow_symlinks=False)
            return True
    return False


def _has_left(path: str, queue_fd: int, seen: os.stat_result) -> bool:
    """Say whether the name is gone, or another file's by now."""
    try:
        status = os.stat(path, dir_fd=queue_fd, follow_symlinks=False)
    except OSError:
        return True
    return (status.st_ino, status.st_mtime_ns) != (seen.st_ino, seen.st_mtime_ns)


def _not_scanned(
    layout: QueueLayout, message_number: int, path: str, reason: str, *, verdict: Verdict = Verdict.NOT_SCANNED
) -> QueuedScan:
    return QueuedScan(layout.name, message_number, path, 0, ScanAnswer(verdict, reason=reason))
