"""Columns that are asked by value: put in order once, and searched.

Rule 1: nothing is kept for a row but numbers; rows of one value come in their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from indimail_kit.logs.kernel_codes import NO_TIME as NO_TIME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    """A column of whole numbers of any width, or of truth."""

NOTHING: Final = -1
"""No row, no number, no code."""


def or_none(unix_ns: int) -> int | None:
    """Return a time, None for NO_TIME."""
    return None if unix_ns == NO_TIME else unix_ns


def place(ordered: Array, number: int, side: Literal["left", "right"] = "left") -> int:
    """Return where a number stands in an ordered column, which is searched as it is and not copied first."""
    limits = np.iinfo(ordered.dtype)
    if not limits.min <= number <= limits.max:
        return 0 if number < limits.min else len(ordered)
    return int(np.searchsorted(ordered, ordered.dtype.type(number), side))


class Rows:
    """Rows by the value of a column.

    Args:
        values: The column; a row with NOTHING is found nowhere.
        times: Rows of one value are in the order of these, and may be asked by them; in their own order if not given.
        are_wanted: Which rows are found at all.

    Example:
        >>> Rows(np.array([7, 5, 7])).of(7).tolist()
        [0, 2]
    """

    def __init__(
        self,
        values: Array,
        times: Array | None = None,
        are_wanted: Array | None = None,
    ) -> None:
        is_row = values != NOTHING if are_wanted is None else (values != NOTHING) & are_wanted
        rows = np.flatnonzero(is_row)
        keys = (values[rows],) if times is None else (times[rows], values[rows])
        order = np.lexsort(keys)
        self._rows = rows[order].astype(np.int32 if len(values) < 1 << 31 else np.int64)
        self._values = values[self._rows]
        self._times = None if times is None else times[self._rows]

    def of(self, value: int) -> Array:
        """Return the rows with a value."""
        return self._rows[place(self._values, value) : place(self._values, value, "right")]

    def between(self, value: int, from_ns: int, to_ns: int) -> Array:
        """Return the rows with a value and a time within a span, both ends included."""
        times = self.times_of(value)
        return self.of(value)[place(times, from_ns) : place(times, to_ns, "right")]

    def times_of(self, value: int) -> Array:
        """Return the times of the rows with a value, in order."""
        if self._times is None:
            raise ValueError("rows without times")
        times: Array = self._times[place(self._values, value) : place(self._values, value, "right")]
        return times

    def first_times(self, values: Array, times: Array) -> Array:
        """Return for each pair the time of the first row with that value that is not before that time, or NO_TIME."""
        if self._times is None:
            raise ValueError("rows without times")
        if not len(self._times):
            return np.full(len(values), NO_TIME)
        ranks = np.unique(self._times)
        distinct, dense = np.unique(self._values, return_inverse=True)
        places = dense * (len(ranks) + 1) + np.searchsorted(ranks, self._times)
        wanted = np.minimum(np.searchsorted(distinct, values), len(distinct) - 1)
        at = np.searchsorted(places, wanted * (len(ranks) + 1) + np.searchsorted(ranks, times))
        found = np.minimum(at, len(places) - 1)
        is_there = (at < len(places)) & (self._values[found] == values)
        return np.where(is_there, self._times[found], NO_TIME)

    def has(self, values: Array) -> Array:
        """Say for each value whether a row has it."""
        found: Array = np.isin(values, self._values)
        return found

    @property
    def span(self) -> tuple[int, int] | None:
        """Return the first and the last time of all rows, None without rows."""
        if self._times is None or not len(self._times):
            return None
        return int(self._times.min()), int(self._times.max())


class Pairs:
    """One number for each pair of a small code and a number that may be anything.

    Args:
        width: How many codes there are.
        numbers: The numbers that occur.

    Example:
        >>> pairs = Pairs(2, np.array([5, 660188]))
        >>> pairs.code(1, 660188), pairs.code(1, 7)
        (3, -1)
    """

    def __init__(self, width: int, numbers: Array) -> None:
        self._width, self._numbers = width, np.unique(numbers)

    def code(self, code: int, number: int | None) -> int:
        """Return the number of a pair, NOTHING if its code or number does not occur; no number is one, too."""
        wanted = NOTHING if number is None else number
        at = place(self._numbers, wanted)
        is_there = at < len(self._numbers) and self._numbers[at] == wanted and 0 <= code < self._width
        return at * self._width + code if is_there else NOTHING

    def codes(self, codes: Array, numbers: Array) -> Array:
        """Return the numbers of pairs, NOTHING where the code or the number does not occur."""
        if not len(self._numbers):
            return np.full(len(numbers), NOTHING)
        at = np.minimum(np.searchsorted(self._numbers, numbers), len(self._numbers) - 1)
        is_there = (self._numbers[at] == numbers) & (codes >= 0) & (codes < self._width)
        return np.where(is_there, at * self._width + codes, NOTHING)
