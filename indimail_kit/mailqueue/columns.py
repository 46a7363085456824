"""Messages of a queue as columns: a row costs its text and some seventy octets, and goes through a pipe as it is.

Rule 1: values only; nothing but `array` is imported, see `walk`.
"""

from __future__ import annotations

from array import array

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self

UNSAID = -(2**63)
"""Stands for a number that is not known; what numpy reads as "not a time"."""

BOUNCING, HAS_SENDER = 1, 2
"""Bits of `flags`."""


class Columns:
    """Rows of messages, column by column.

    Attributes:
        numbers: Message numbers.
        states: 2 … 5 for S2 … S5, 0 for none of them.
        flags: BOUNCING, HAS_SENDER.
        sizes: Size of mess, or UNSAID (unit: octets).
        births: mtime of info, or UNSAID (unit: ns since 1970).
        arrivals: mtime of mess, or UNSAID (unit: ns since 1970).
        todo_counts: Number of recipients that todo names; so for the other channels.
        local_retries: mtime of local, or UNSAID (unit: ns since 1970); so for remote.
        senders: One after the other, each with a NUL; without a sender the NUL alone.
        todo_records: The records T of todo, one after the other; of the other channels the whole files.
    """

    ARRAYS = (
        ("numbers", "q"), ("states", "b"), ("flags", "b"), ("sizes", "q"), ("births", "q"), ("arrivals", "q"),
        ("todo_counts", "i"), ("local_counts", "i"), ("local_retries", "q"), ("remote_counts", "i"),
        ("remote_retries", "q"),
    )  # fmt: skip
    OCTETS = ("senders", "todo_records", "local_records", "remote_records")
    __slots__ = (*(name for name, _ in ARRAYS), *OCTETS)

    numbers: array[int]
    states: array[int]
    flags: array[int]
    sizes: array[int]
    births: array[int]
    arrivals: array[int]
    todo_counts: array[int]
    local_counts: array[int]
    local_retries: array[int]
    remote_counts: array[int]
    remote_retries: array[int]
    senders: bytearray
    todo_records: bytearray
    local_records: bytearray
    remote_records: bytearray

    def __init__(self) -> None:
        for name, typecode in self.ARRAYS:
            setattr(self, name, array(typecode))
        for name in self.OCTETS:
            setattr(self, name, bytearray())

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.numbers)

    def add(
        self, number: int, state: int, flags: int, size: int, birth: int, arrival: int, sender: bytes,
        todo: tuple[int, bytes, int], local: tuple[int, bytes, int], remote: tuple[int, bytes, int],
    ) -> None:  # fmt: skip
        """Add a row: the sender with its NUL, and for each channel number of records, octets, mtime."""
        self.numbers.append(number)
        self.states.append(state)
        self.flags.append(flags)
        self.sizes.append(size)
        self.births.append(birth)
        self.arrivals.append(arrival)
        self.senders += sender
        self.todo_counts.append(todo[0])
        self.todo_records += todo[1]
        self.local_counts.append(local[0])
        self.local_records += local[1]
        self.local_retries.append(local[2])
        self.remote_counts.append(remote[0])
        self.remote_records += remote[1]
        self.remote_retries.append(remote[2])

    def extend(self, other: Columns) -> None:
        """Add the rows of other columns."""
        for name in self.__slots__:
            getattr(self, name).extend(getattr(other, name))

    def pack(self) -> tuple[Any, ...]:
        """Return the columns as marshal takes them."""
        return tuple(getattr(self, name) for name in self.__slots__)

    @classmethod
    def unpack(cls, pieces: Iterator[Any]) -> Self:
        """Return the columns that were packed; as many pieces are taken as there are columns."""
        columns = cls()
        for name, _ in cls.ARRAYS:
            getattr(columns, name).frombytes(next(pieces))
        for name in cls.OCTETS:
            getattr(columns, name).extend(next(pieces))
        return columns


class Part:
    """What one sub-directory of a queue shows.

    Attributes:
        columns: The usual messages.
        odd: Numbers of messages to look at slowly.
        strays: Paths of what is no file of a message, or is not in its place.
        unread: Directories that cannot be listed: path and reason.
    """

    __slots__ = ("columns", "odd", "strays", "unread")

    def __init__(self) -> None:
        self.columns = Columns()
        self.odd: list[int] = []
        self.strays: list[str] = []
        self.unread: list[tuple[str, str]] = []

    def extend(self, other: Part) -> None:
        """Add what another sub-directory shows."""
        self.columns.extend(other.columns)
        self.odd += other.odd
        self.strays += other.strays
        self.unread += other.unread

    def pack(self) -> tuple[Any, ...]:
        """Return it in pieces, for a pipe."""
        return *self.columns.pack(), self.odd, self.strays, self.unread

    @classmethod
    def unpack(cls, pieces: Iterator[Any]) -> Self:
        """Return the part that was packed."""
        part = cls()
        part.columns = Columns.unpack(pieces)
        part.odd, part.strays, part.unread = pieces
        return part


PIECES = len(Part().pack())
"""Number of pieces that a part is packed into."""
