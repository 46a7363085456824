"""Messages that are files: in a queue, and delivered in a Maildir; what their headers say of where they come from.

Source: IndiMail qmail-queue.c `receivedfmt()`; maildir(5); recorded mess files and delivered mails.

Rule 1: reading changes nothing, follows no link, and takes the beginning of a file only.
Rule 2: only the topmost Received line is our own host's; what is below it, the sender may have invented.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indimail_kit.errors import TraceError
from indimail_kit.mailqueue import MessageFiles, Queues, QueueState, read_message
from indimail_kit.mailqueue.quiet import entries_of, open_quietly
from indimail_kit.tables import as_text
from indimail_kit.trace.clocks import Clocks, parse_date

MAX_HEAD_BYTES: Final = 1 << 16
"""What is read of a delivered mail (unit: octets)."""

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:((?:.|\n[ \t])*)\n?")
_RECEIVED: Final = re.compile(rb"\s*indimail-mta queue ([0-9]{1,19})\b[^;]*;\s*([^;]*)", re.DOTALL)
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Head:
    """The top of a message: what our own host put there.

    Attributes:
        qp: Process of qmail-queue in the topmost Received line; None if that is no line of qmail-queue's.
        date_ns: Its date, perhaps 27 s early (unit: ns since 1970); None without.
        received: That line, unfolded; "" without.
        delivered_to: Delivered-To, "" without.
        qhpsi: X-QHPSI, None without; of a header above the Received line only.
    """

    qp: int | None = None
    date_ns: int | None = None
    received: str = ""
    delivered_to: str = ""
    qhpsi: str | None = None


def read_head(octets: bytes) -> Head:
    r"""Read the header down to the topmost Received line.

    Example:
        >>> read_head(b"X-QHPSI: clean\nReceived: indimail-mta queue 7 by host vm\n (invoked by uid 0); today\n").qp
        7
    """
    names: dict[bytes, str] = {}
    for found in _fields(octets.replace(b"\r\n", b"\n")):
        name, value = found[1].lower(), found[2].replace(b"\n", b"")
        if name == b"received":
            queued = _RECEIVED.fullmatch(value)
            text = as_text(b"Received:" + value) or ""
            qp = None if queued is None else int(queued[1])
            date_ns = None if queued is None else parse_date(queued[2].decode("ascii", "replace"))
            return Head(qp, date_ns, text, names.get(b"delivered-to", ""), names.get(b"x-qhpsi"))
        names.setdefault(name, (as_text(value) or "").strip())
    return Head()


def top_of(octets: bytes) -> bytes:
    r"""Return the octets down to the end of the topmost Received line; of a header without one, the whole header.

    Example:
        >>> top_of(b"Delivered-To: b@c\nReceived: by x\n (y)\nSubject: z\n\nbody")
        b'Delivered-To: b@c\nReceived: by x\n (y)\n'
    """
    end = 0
    for found in _fields(octets):
        end = found.end()
        if found[1].lower() == b"received":
            break
    return octets[:end]


def _fields(octets: bytes) -> Iterator[re.Match[bytes]]:
    """Yield the fields of a header from the top on, to what is none."""
    position = 0
    while (found := _FIELD.match(octets, position)) is not None:
        yield found
        position = found.end()


@dataclass(frozen=True, slots=True)
class DeliveredMail:
    """A mail in a mailbox.

    Attributes:
        path: Its file.
        head: What stands on top of it.
        unix_ns: When it was written, by the clock of qmail-send's host (unit: ns since 1970).
        size_bytes: Its size (unit: octets).
    """

    path: Path
    head: Head = field(repr=False)
    unix_ns: int
    size_bytes: int


def read_mails(
    places: Iterable[str | os.PathLike[str]], clocks: Clocks, unread: list[tuple[Path, str]]
) -> Iterator[DeliveredMail]:
    """Read the mails of Maildirs, their folders included, and mails that are named themselves.

    Args:
        places: Maildirs and mails.
        clocks: How the clocks stand.
        unread: Gets path and reason of what is there and cannot be read.

    Raises:
        TraceError: A place is neither a file nor a Maildir.
        OSError: A place cannot be read.
    """
    for place in map(Path, places):
        paths = [place] if place.is_file() else [*_maildir(place)]
        for path in paths:
            mail = _read_mail(path, clocks, unread)
            if mail is not None:
                yield mail


def _maildir(place: Path) -> Iterator[Path]:
    """Yield the files of a Maildir and of its folders."""
    if not (place / "new").is_dir() and not (place / "cur").is_dir():
        raise TraceError(f"neither a mail nor a Maildir at {place}: no directory new")
    with entries_of(place) as entries:
        folders = sorted(one.name for one in entries if one.name.startswith(".") and one.is_dir(follow_symlinks=False))
    for folder in (place, *(place / name for name in folders)):
        for name in ("new", "cur"):
            try:
                with entries_of(folder / name) as entries:
                    names = sorted(one.name for one in entries)
            except (FileNotFoundError, NotADirectoryError):
                continue
            yield from (folder / name / one for one in names)


def _read_mail(path: Path, clocks: Clocks, unread: list[tuple[Path, str]]) -> DeliveredMail | None:
    """Read the top of a mail; None when it has gone meanwhile or cannot be read."""
    try:
        fd = open_quietly(path, _OPEN_FLAGS)
    except FileNotFoundError:
        return None  # read, moved or removed by its owner meanwhile
    except OSError as error:
        is_link = error.errno == errno.ELOOP
        unread.append((path, "a link, which is not followed" if is_link else error.strerror or "no reason given"))
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            unread.append((path, "no regular file"))
            return None
        octets = os.read(fd, MAX_HEAD_BYTES)
    finally:
        os.close(fd)
    told_ns = clocks.told("mail", status.st_mtime_ns)
    return DeliveredMail(path, read_head(octets), told_ns or 0, status.st_size)


@dataclass(frozen=True, slots=True)
class QueuedFiles:
    """A message in a queue now.

    Attributes:
        files: Its files.
        directory: Directory of the queue.
        head: What stands on top of mess.
    """

    files: MessageFiles
    directory: Path
    head: Head = field(repr=False)

    @property
    def qp(self) -> int | None:
        """Return its long-term queue identifier, from the Received line or from todo."""
        return self.head.qp

    @property
    def sender(self) -> str | None:
        """Return its sender as text."""
        return as_text(self.files.records.sender) if self.files.records is not None else None

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return its recipients as text."""
        todo = self.files.records.recipients if self.files.records is not None else ()
        channels = (one.address for one in (*self.files.local, *self.files.remote))
        return tuple(as_text(one) or "" for one in (*todo, *channels))


class QueueFiles:
    """Queues, to be asked for a message; each is looked at once."""

    def __init__(self, queues: Queues | None) -> None:
        self.queues = queues
        self._seen: dict[tuple[str, int], QueuedFiles | None] = {}

    def of(self, queue: str, message_number: int) -> list[QueuedFiles]:
        """Return what is in the queue under this number now; of every queue if none is named."""
        layouts = () if self.queues is None else self.queues.layouts
        found = []
        for layout in layouts:
            if queue not in ("", layout.name):
                continue
            key = (layout.name, message_number)
            if key not in self._seen:
                files = read_message(layout, message_number)
                mess = files.file("mess")
                head = Head() if mess is None else read_head(mess.content)
                is_there = files.state is not QueueState.S1 and files.files
                self._seen[key] = QueuedFiles(files, layout.directory, head) if is_there else None
            one = self._seen[key]
            if one is not None:
                found.append(one)
        return found

    def numbers(self) -> Iterator[tuple[str, int]]:
        """Yield queue and number of every message that is in the queues."""
        if self.queues is not None:
            for row in self.queues.snapshot().messages:
                yield row.queue, row.message_number
