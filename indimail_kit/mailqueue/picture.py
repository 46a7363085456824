"""A picture of queues that may be alive: every message, its recipients, and what is wrong.

Source: indimail-mta-internals(7) section 2; facts, section 1.

Note for maintainers: the quick reader (`walk`) takes what is usual into columns; the slow one (`check`) looks at what
is left, until two looks are alike. So the picture is not of one moment, but each message in it is as it was at one.

Rule 1: reading changes nothing, follows no link, and opens nothing below lock/. tcpto, which lies there, is read only
if somebody names its path.
Rule 2: nothing disappears: a message that breaks a rule is a row and an anomaly, a file of no message an anomaly.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.envelope import Recipient
from indimail_kit.errors import FormatError
from indimail_kit.mailqueue.beneath import names_below, open_below, opened_queue
from indimail_kit.mailqueue.check import explain_stray, look_until_settled
from indimail_kit.mailqueue.check_tree import TreeCheck
from indimail_kit.mailqueue.columns import BOUNCING, HAS_SENDER, UNSAID, Columns, Part
from indimail_kit.mailqueue.layout import QueueLayout, find_owners
from indimail_kit.mailqueue.ratelimit import RateLimit, decode_ratelimit
from indimail_kit.mailqueue.rows import STATES, QueueRows, SnapshotRows
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.mailqueue.tcpto import TimeoutRecord
from indimail_kit.mailqueue.violations import Violation
from indimail_kit.mailqueue.walkers import opened_walk, walk_queue
from indimail_kit.wiring import html_of, provider

if TYPE_CHECKING:
    from indimail_kit.mailqueue.snapshot import MessageFiles

MAX_RATELIMIT_BYTES: Final = 4096
"""Octets that are read of a file in ratelimit (unit: octets); it holds four short fields."""


@dataclass(frozen=True, slots=True)
class QueuePicture:
    """What one queue shows.

    Attributes:
        layout: The queue.
        columns: Its messages.
        anomalies: What is wrong with its files.
        ratelimits: The files of ratelimit.
    """

    layout: QueueLayout
    columns: Columns = field(repr=False)
    anomalies: tuple[Violation, ...] = field(repr=False)
    ratelimits: tuple[RateLimit, ...] = field(repr=False, default=())


@dataclass(frozen=True)
class Snapshot:
    """A picture of queues.

    Attributes:
        taken_ns: When it was begun (unit: ns since 1970).
        queues: What each queue shows.
        tcpto: Hosts that did not answer; empty unless a path was given.
        messages: The messages, one queue after the other, each made when it is asked for.
    """

    taken_ns: int
    queues: tuple[QueuePicture, ...]
    tcpto: tuple[TimeoutRecord, ...] = ()
    messages: SnapshotRows = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the sequence of messages."""
        rows = [QueueRows(one.layout, one.columns, one.anomalies, self.taken_ns) for one in self.queues]
        object.__setattr__(self, "messages", SnapshotRows(rows))

    def __repr__(self) -> str:
        """Return what it shows, in one line."""
        queues = ", ".join(f"{one.layout.name}: {len(one.columns)}" for one in self.queues)
        return f"<Snapshot: {len(self.messages)} messages ({queues}), {len(self.anomalies)} anomalies>"

    def _repr_html_(self) -> str:
        """Return the repr, escaped; for a notebook."""
        return html_of(self)

    @property
    def anomalies(self) -> tuple[Violation, ...]:
        """Return what is wrong, queue by queue."""
        return tuple(anomaly for one in self.queues for anomaly in one.anomalies)

    @property
    def ratelimits(self) -> tuple[tuple[str, RateLimit], ...]:
        """Return name of the queue and rate limit, for every file of ratelimit."""
        return tuple((one.layout.name, limit) for one in self.queues for limit in one.ratelimits)

    def frame(self) -> Any:
        """Return the messages as a DataFrame: `tables.messages`."""
        return provider("queue_messages_frame")(self)


def take_picture(layout: QueueLayout, *, now_ns: int, processes: int | None = None) -> QueuePicture:
    """Look at one queue.

    Args:
        layout: The queue.
        now_ns: Time (unit: ns since 1970).
        processes: See `walkers.walk_queue`.

    Raises:
        QueueError: Exit code 61: the queue cannot be opened.
    """
    owners = find_owners()
    with opened_queue(layout) as queue_fd:
        part = walk_queue(layout, queue_fd, now_ns=now_ns, owners=owners, processes=processes)
        tree = TreeCheck(layout, queue_fd, now_s=now_ns // 10**9, owners=owners)
        anomalies = [*_settle(tree, part)]
        ratelimits = tuple(_ratelimits(tree, anomalies))
    return QueuePicture(layout, part.columns, tuple(anomalies), ratelimits)


def stream_picture(layout: QueueLayout, *, now_ns: int) -> Iterator[QueuePicture]:
    """Look at one queue, sub-directory by sub-directory; the last picture is of what lies beside them.

    Raises:
        QueueError: Exit code 61: the queue cannot be opened.
    """
    owners = find_owners()
    with opened_queue(layout) as queue_fd:
        tree = TreeCheck(layout, queue_fd, now_s=now_ns // 10**9, owners=owners)
        with opened_walk(layout, queue_fd, now_ns=now_ns, owners=owners) as (walk, _):
            for number in range(layout.split):
                part = walk.part(number)
                yield QueuePicture(layout, part.columns, tuple(_settle(tree, part)))
            yield QueuePicture(layout, walk.top.columns, tuple(_settle(tree, walk.top)))


def count_messages(layout: QueueLayout) -> int:
    """Count the names in mess, without a look at any file.

    Raises:
        QueueError: Exit code 61: the queue cannot be opened.
    """
    count = 0
    with opened_queue(layout) as queue_fd:
        for path in layout.directories("mess"):
            try:
                count += len(names_below(path, queue_fd))
            except OSError:
                continue  # not there, or not for us: `snapshot` says so
    return count


def _settle(tree: TreeCheck, part: Part) -> Iterator[Violation]:
    """Look slowly at what is odd, add its rows, and yield what is wrong."""
    for path, reason in part.unread:
        yield tree.violation(path, "unreadable", f"{path} cannot be read: {reason}")
    for path in part.strays:
        yield from explain_stray(tree, path)
    hidden = {path for path, _ in part.unread}
    for number in part.odd:
        files, found = look_until_settled(tree, number)
        yield from (one for one in found if not (one.rule == "unreadable" and _is_below(one.path, hidden)))
        if files.state is not QueueState.S1 or found:
            _add_row(part.columns, files)


def _is_below(path: str, directories: Iterable[str]) -> bool:
    """Say whether a path lies in one of some directories."""
    return any(path.startswith(f"{directory}/") for directory in directories)


def _add_row(columns: Columns, files: MessageFiles) -> None:
    """Add a message that was looked at slowly."""
    mess, info, local, remote = map(files.file, ("mess", "info", "local", "remote"))
    sender = None if files.records is None else files.records.sender
    is_queued = files.file("todo") is not None and files.records is not None
    todo = files.records.recipients if is_queued and files.records is not None else ()
    columns.add(
        files.message_number,
        STATES[files.state] if files.state is not None else 0,
        (BOUNCING if files.file("bounce") is not None else 0) | (HAS_SENDER if sender is not None else 0),
        mess.size_bytes if mess is not None else UNSAID,
        info.mtime_ns if info is not None else UNSAID,
        mess.mtime_ns if mess is not None else UNSAID,
        (sender or b"") + b"\0",
        _channel([Recipient(address, is_done=False) for address in todo], UNSAID),
        _channel(() if is_queued else files.local, local.mtime_ns if local is not None else UNSAID),
        _channel(() if is_queued else files.remote, remote.mtime_ns if remote is not None else UNSAID),
    )


def _channel(recipients: Iterable[Recipient], mtime_ns: int) -> tuple[int, bytes, int]:
    """Return number of records, octets and mtime of a channel, as the columns take them."""
    records = [(b"D" if one.is_done else b"T") + one.address + b"\0" for one in recipients]
    return len(records), b"".join(records), mtime_ns


def _ratelimits(tree: TreeCheck, anomalies: list[Violation]) -> Iterator[RateLimit]:
    """Yield the files of ratelimit; what cannot be read is noted."""
    try:
        names = sorted(names_below("ratelimit", tree.queue_fd))
    except OSError:
        return  # only slowq has it
    for name in names:
        path = f"ratelimit/{name}"
        try:
            yield decode_ratelimit(name, _read_small(path, tree.queue_fd))
        except FileNotFoundError:
            continue
        except (OSError, FormatError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            anomalies.append(tree.violation(path, "unreadable", f"{path} cannot be read: {reason}"))


def _read_small(path: str, queue_fd: int) -> bytes:
    """Return the first octets of a file."""
    fd = open_below(path, queue_fd)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise FormatError("a regular file")
        return os.read(fd, MAX_RATELIMIT_BYTES)
    finally:
        os.close(fd)
