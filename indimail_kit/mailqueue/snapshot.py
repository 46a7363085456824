"""A picture of a message in a queue that may be alive: read only, and nothing of it changes by being looked at.

Source: indimail-mta-internals(7) section 2 (files and states); Linux open(2) for the flags.

Note for maintainers: files come and go while we look. A file that vanishes is a file that does not exist; the picture
is of several moments, so a state that INTERNALS does not know is an anomaly to show, not an error.

Rule 1: nothing is written, locked, or opened below lock/; O_NOATIME leaves the access time where the system lets us.
Rule 2: no symbolic link is followed below the queue, and only regular files are read (a FIFO would be woken).
Rule 3: what is odd is kept and named in `violations`, never dropped.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from indimail_kit.envelope import QueueRecords, Recipient, decode_recipients, decode_records
from indimail_kit.errors import EnvelopeError
from indimail_kit.mailqueue.beneath import NUMBER, names_below, open_below, opened_queue
from indimail_kit.mailqueue.check_message import check_kinds, check_message
from indimail_kit.mailqueue.layout import KINDS, QueueLayout
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.mailqueue.violations import Violation
from indimail_kit.wiring import html_of

MAX_CONTENT_BYTES: Final = 1 << 16
"""Octets that are kept of one file (unit: octets)."""


@dataclass(frozen=True, slots=True)
class QueueFile:
    """One file of a message.

    Attributes:
        kind: One of KINDS.
        path: Relative to the queue ("mess/16/660188").
        inode: Inode number.
        links: Number of hard links.
        size_bytes: Size (unit: octets).
        mode: Permission bits.
        uid: Owner.
        gid: Group.
        mtime_ns: When the content was last changed (unit: ns since 1970).
        atime_ns: When it was last read, as it stood before we looked (unit: ns since 1970).
        ctime_ns: When inode or content last changed: links, mode, owner (unit: ns since 1970).
        content: The first octets, at most MAX_CONTENT_BYTES.
        is_truncated: Whether the file is longer than `content`.
        is_regular: False for a link, directory or FIFO, which is not read.
    """

    kind: str
    path: str
    inode: int
    links: int
    size_bytes: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    atime_ns: int
    ctime_ns: int
    content: bytes = field(repr=False)
    is_truncated: bool = False
    is_regular: bool = True


@dataclass(frozen=True, slots=True)
class MessageFiles:
    """All that the queue says about one message.

    Attributes:
        queue: Name of the queue.
        message_number: Number of the message.
        files: The files that exist, in the order of KINDS.
        state: S1 … S5; None when no state has these files.
        records: What todo says, else intd, else info; None when there is none or it cannot be read.
        local: Recipients of the local channel; empty without a local file.
        remote: Recipients of the remote channel; empty without a remote file.
        unread: What exists and could not be looked at: path and reason.
        violations: Which rules it breaks, those about time and owners apart; see `check_message`.
    """

    queue: str
    message_number: int
    files: tuple[QueueFile, ...]
    state: QueueState | None
    records: QueueRecords | None
    local: tuple[Recipient, ...]
    remote: tuple[Recipient, ...]
    unread: tuple[tuple[str, str], ...] = ()
    violations: tuple[Violation, ...] = ()

    def _repr_html_(self) -> str:
        """Return the repr, escaped; for a notebook."""
        return html_of(self)

    def file(self, kind: str) -> QueueFile | None:
        """Return the file of a kind, None when it does not exist."""
        return next((file for file in self.files if file.kind == kind), None)

    @property
    def anomalies(self) -> tuple[str, ...]:
        """Return what is odd, as phrases for a person."""
        return tuple(violation.text for violation in self.violations)

    @property
    def birth_ns(self) -> int | None:
        """Return when the message was preprocessed (mtime of info; unit: ns since 1970), None before that."""
        info = self.file("info")
        return None if info is None else info.mtime_ns


def read_message(layout: QueueLayout, message_number: int) -> MessageFiles:
    """Look at the files of one message.

    Args:
        layout: The queue.
        message_number: Number of the message; one that is not in the queue gives state S1 without files.

    Raises:
        QueueError: Exit code 61: the queue cannot be opened. 62: a number that is no inode number.
    """
    with opened_queue(layout) as queue_fd:
        message = look_at_message(layout, message_number, queue_fd)
    return replace(message, violations=check_message(layout, message, now_s=None))


def look_at_message(
    layout: QueueLayout, message_number: int, queue_fd: int, *, max_bytes: Mapping[str, int] | None = None
) -> MessageFiles:
    """Look at the files of one message of a queue that is open; nothing is said about rules.

    Args:
        layout: The queue.
        message_number: Number of the message.
        queue_fd: Descriptor of the queue directory.
        max_bytes: Kind -> octets that are kept of its file, if not MAX_CONTENT_BYTES; 0 leaves the file closed.

    Raises:
        QueueError: Exit code 62: a number that is no inode number.
    """
    limits = max_bytes or {}
    unread: list[tuple[str, str]] = []
    looks = [
        look_at_file(kind, layout.relative(kind, message_number), queue_fd, limits.get(kind, MAX_CONTENT_BYTES), unread)
        for kind in KINDS
    ]
    files = tuple(file for file in looks if file is not None)
    by_kind = {file.kind: file for file in files}
    return MessageFiles(
        queue=layout.name,
        message_number=message_number,
        files=files,
        state=check_kinds(by_kind.keys())[0],
        records=_records(by_kind),
        local=_recipients(by_kind.get("local")),
        remote=_recipients(by_kind.get("remote")),
        unread=tuple(unread),
    )


def list_messages(layout: QueueLayout) -> tuple[int, ...]:
    """List the numbers of the messages that have at least one file in its place, in rising order.

    Raises:
        QueueError: Exit code 61: the queue cannot be opened.
    """
    numbers: set[int] = set()
    with opened_queue(layout) as queue_fd:
        for kind in KINDS:
            for index, path in enumerate(layout.directories(kind)):
                remainder = index if layout.is_split(kind) else None
                with suppress(OSError):  # not there, or not for us
                    numbers.update(_numbers(names_below(path, queue_fd), remainder, layout.split))
    return tuple(sorted(numbers))


def look_at_file(
    kind: str, path: str, queue_fd: int, max_content_bytes: int, unread: list[tuple[str, str]]
) -> QueueFile | None:
    """Look at one file.

    Args:
        kind: One of KINDS.
        path: Relative to the queue; it need not be the place of its kind.
        queue_fd: Descriptor of the queue directory.
        max_content_bytes: Octets that are kept; 0 leaves the file closed.
        unread: Gets path and reason when it exists and cannot be looked at.

    Returns:
        The file; None when it does not exist, vanished meanwhile, or cannot be looked at.
    """
    try:
        status = os.stat(path, dir_fd=queue_fd, follow_symlinks=False)
        content = b""
        if stat.S_ISREG(status.st_mode) and max_content_bytes:
            status, content = _read_content(path, queue_fd, max_content_bytes)
    except FileNotFoundError:
        return None
    except OSError as error:
        unread.append((path, error.strerror or "no reason given"))
        return None
    is_regular = stat.S_ISREG(status.st_mode)
    return QueueFile(
        kind=kind,
        path=path,
        inode=status.st_ino,
        links=status.st_nlink,
        size_bytes=status.st_size,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime_ns=status.st_mtime_ns,
        atime_ns=status.st_atime_ns,
        ctime_ns=status.st_ctime_ns,
        content=content,
        is_truncated=is_regular and len(content) < status.st_size,
        is_regular=is_regular,
    )


def _read_content(path: str, queue_fd: int, max_content_bytes: int) -> tuple[os.stat_result, bytes]:
    """Return status and first octets of a file that was regular a moment ago."""
    fd = open_below(path, queue_fd)
    try:
        status = os.fstat(fd)
        # Not more than there is: the system makes room for all that is asked for.
        size_bytes = min(max_content_bytes, status.st_size) if stat.S_ISREG(status.st_mode) else 0
        return status, os.read(fd, size_bytes) if size_bytes else b""
    finally:
        os.close(fd)


def _records(by_kind: dict[str, QueueFile]) -> QueueRecords | None:
    """Return the records of todo, intd or info, whichever exists first."""
    file = next((by_kind[kind] for kind in ("todo", "intd", "info") if kind in by_kind), None)
    if file is None or not _is_whole(file):
        return None
    try:
        return decode_records(file.content)
    except EnvelopeError:  # check_message says it
        return None


def _recipients(file: QueueFile | None) -> tuple[Recipient, ...]:
    """Return the recipients of a channel."""
    if file is None or not _is_whole(file):
        return ()
    try:
        return decode_recipients(file.content)
    except EnvelopeError:  # check_message says it
        return ()


def _is_whole(file: QueueFile) -> bool:
    """Say whether the content can be decoded; half of a longer file is not guessed at."""
    return file.is_regular and not file.is_truncated


def _numbers(names: Iterable[str], remainder: int | None, split: int) -> Iterator[int]:
    """Yield the message numbers among the names of a directory that are in their right place."""
    for name in names:
        if NUMBER.fullmatch(name) and (remainder is None or int(name) % split == remainder):
            yield int(name)
