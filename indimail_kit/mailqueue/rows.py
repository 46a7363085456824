"""Messages of a snapshot one by one, made from the columns when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal, overload

from indimail_kit.counting import counted
from indimail_kit.mailqueue.columns import BOUNCING, HAS_SENDER, UNSAID, Columns
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.wiring import html_of

if TYPE_CHECKING:
    from indimail_kit.mailqueue.violations import Violation

STATES: Final = {state: int(state.name[1:]) for state in QueueState}
"""State -> its number in the columns; 0 stands for none."""

_STATE_OF: Final = {number: state for state, number in STATES.items()}

RowChannel = Literal["todo", "local", "remote"]
"""Where a recipient is named: in todo as long as the message is not preprocessed."""


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """One recipient of a message.

    Attributes:
        channel: todo, local or remote.
        address: Envelope recipient.
        is_done: Delivered, or failed for good.
        next_retry_ns: mtime of the channel's file, which qmail-send sets to the next retry when it stops; None in todo
            (unit: ns since 1970).
    """

    channel: RowChannel
    address: bytes
    is_done: bool
    next_retry_ns: int | None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message of a snapshot.

    Attributes:
        queue: Name of the queue.
        message_number: Number of the message.
        state: S2 … S5; None when no state has its files.
        split_directory: Sub-directory of mess.
        size_bytes: Size of mess; None when there is none (unit: octets).
        sender: Envelope sender; None when no file tells it yet.
        birth_ns: When it was preprocessed (mtime of info); None before that (unit: ns since 1970).
        age_s: Seconds since birth, or since mess was written if it has none; None without a mess (unit: s).
        is_bouncing: Whether a bounce is being collected.
        recipients: Its recipients: of todo, local, remote.
        anomalies: Which rules it breaks.
    """

    queue: str
    message_number: int
    state: QueueState | None
    split_directory: int
    size_bytes: int | None
    sender: bytes | None
    birth_ns: int | None
    age_s: int | None
    is_bouncing: bool
    recipients: tuple[RecipientRow, ...]
    anomalies: tuple[Violation, ...] = ()

    def _repr_html_(self) -> str:
        """Return the repr, escaped; for a notebook."""
        return html_of(self)


class QueueRows(Sequence[MessageRow]):
    """The messages of one queue.

    Args:
        layout: The queue.
        columns: Its messages.
        anomalies: What is wrong with it.
        now_ns: Time of the snapshot (unit: ns since 1970).
    """

    def __init__(self, layout: QueueLayout, columns: Columns, anomalies: Iterable[Violation], now_ns: int) -> None:
        self._layout = layout
        self._columns = columns
        self._anomalies = anomalies
        self._now_ns = now_ns
        self._texts: _Texts | None = None

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self._columns)

    @overload
    def __getitem__(self, index: int) -> MessageRow: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[MessageRow, ...]: ...
    def __getitem__(self, index: int | slice) -> MessageRow | tuple[MessageRow, ...]:
        """Return a message, or several."""
        if isinstance(index, slice):
            return tuple(self[one] for one in range(*index.indices(len(self))))
        if self._texts is None:
            self._texts = _Texts(self._columns, self._anomalies)
        return self._row(range(len(self))[index], self._texts)

    def _row(self, index: int, texts: _Texts) -> MessageRow:
        """Return the message at a place."""
        columns, number = self._columns, self._columns.numbers[index]
        flags, since_ns = columns.flags[index], columns.births[index]
        if since_ns == UNSAID:
            since_ns = columns.arrivals[index]
        return MessageRow(
            queue=self._layout.name,
            message_number=number,
            state=_STATE_OF.get(columns.states[index]),
            split_directory=number % self._layout.split,
            size_bytes=_said(columns.sizes[index]),
            sender=texts.senders[index] if flags & HAS_SENDER else None,
            birth_ns=_said(columns.births[index]),
            age_s=None if since_ns == UNSAID else (self._now_ns - since_ns) // 10**9,
            is_bouncing=bool(flags & BOUNCING),
            recipients=tuple(texts.recipients(index)),
            anomalies=texts.anomalies.get(number, ()),
        )


class SnapshotRows(Sequence[MessageRow]):
    """The messages of several queues, one queue after the other."""

    def __init__(self, queues: Sequence[QueueRows]) -> None:
        self._queues = queues

    def __len__(self) -> int:
        """Return the number of messages."""
        return sum(map(len, self._queues))

    def __iter__(self) -> Iterator[MessageRow]:
        """Yield the messages."""
        for rows in self._queues:
            yield from rows

    @overload
    def __getitem__(self, index: int) -> MessageRow: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[MessageRow, ...]: ...
    def __getitem__(self, index: int | slice) -> MessageRow | tuple[MessageRow, ...]:
        """Return a message, or several."""
        if isinstance(index, slice):
            return tuple(self[one] for one in range(*index.indices(len(self))))
        place = range(len(self))[index]
        for rows in self._queues:
            if place < len(rows):
                return rows[place]
            place -= len(rows)
        raise IndexError("no such message")  # pragma: no cover  # range() has raised it

    def __repr__(self) -> str:
        """Return how many there are."""
        return f"<{counted(len(self), 'message')} in {counted(len(self._queues), 'queue')}>"


class _Texts:
    """The texts of columns, cut into those of the messages; and the anomalies by message."""

    def __init__(self, columns: Columns, anomalies: Iterable[Violation]) -> None:
        self.senders = bytes(columns.senders).split(b"\0")
        self.anomalies: dict[int, tuple[Violation, ...]] = {}
        for one in anomalies:
            if one.message_number:
                self.anomalies[one.message_number] = (*self.anomalies.get(one.message_number, ()), one)
        self._channels: list[tuple[RowChannel, list[bytes], list[int], Sequence[int] | None]] = [
            ("todo", *_cut(columns.todo_records, columns.todo_counts), None),
            ("local", *_cut(columns.local_records, columns.local_counts), columns.local_retries),
            ("remote", *_cut(columns.remote_records, columns.remote_counts), columns.remote_retries),
        ]

    def recipients(self, index: int) -> Iterator[RecipientRow]:
        """Yield the recipients of a message."""
        for channel, records, starts, retries in self._channels:
            retry_ns = None if retries is None else _said(retries[index])
            for record in records[starts[index] : starts[index + 1]]:
                yield RecipientRow(channel, record[1:], record[:1] == b"D", retry_ns)


def _cut(octets: bytearray, counts: Sequence[int]) -> tuple[list[bytes], list[int]]:
    """Return the records, and where those of each message start."""
    return bytes(octets).split(b"\0"), list(accumulate(counts, initial=0))


def _said(value: int) -> int | None:
    """Return a number of the columns, None for one that is not known."""
    return None if value == UNSAID else value
