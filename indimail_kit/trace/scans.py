"""The scans of a log, as rows of numbers; one is made a value when a story asks for it, and is the same one then."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from indimail_kit.logs.columns import KIND_NAMES
from indimail_kit.trace.clocks import NS
from indimail_kit.trace.extract import COARSE_LABEL, KIND, LogExtract
from indimail_kit.trace.ordered import NO_TIME, Rows, or_none
from indimail_kit.trace.records import Scan

if TYPE_CHECKING:
    from indimail_kit.trace.index import LogIndex
    from indimail_kit.trace.ordered import Array

_CLEAN: Final = KIND["clamd_scan_ok"]


class ScanTable:
    """The scans of a log.

    Args:
        index: The log, with its clocks.
        extract: The same log.
        times: Times of its scans by qmail-send's clock.
    """

    def __init__(self, index: LogIndex, extract: LogExtract, times: Array) -> None:
        self._index, self._extract, self._times = index, extract, times
        self._made: dict[int, Scan] = {}

    @property
    def has_times(self) -> bool:
        """Say whether there is a scan whose time is known."""
        return bool((self._times != NO_TIME).any())

    @cached_property
    def _by_number(self) -> Rows:
        return Rows(self._extract.scans["number"])

    def of_number(self, message_number: int) -> list[Scan]:
        """Return the scans of a number, in every queue, in the order of the log."""
        return self._scans(self._by_number.of(message_number).tolist())

    def bad(self, from_ns: int, to_ns: int) -> list[Scan]:
        """Return the scans of a queue's files in which something was found, or that failed, within a time.

        Args:
            from_ns: First time (unit: ns since 1970); a whole second that may be later is within.
            to_ns: Last time.
        """
        scans = self._extract.scans
        is_in = (self._times + NS > from_ns) & (self._times <= to_ns) & (self._times != NO_TIME)
        return self._scans(np.flatnonzero(is_in & (scans["kind"] != _CLEAN) & (scans["number"] >= 0)).tolist())

    def clean(self) -> tuple[tuple[str, ...], Array, Array, Array]:
        """Return names of queues, and queue, number and time of each scan of a queue's file that found nothing."""
        scans = self._extract.scans
        rows = np.flatnonzero((scans["kind"] == _CLEAN) & (scans["number"] >= 0) & (self._times != NO_TIME))
        return self._extract.queues, scans["queue"][rows], scans["number"][rows], self._times[rows]

    def _scans(self, rows: Iterable[int]) -> list[Scan]:
        """Return scans by their rows."""
        return [self._made.get(row) or self._scan(row) for row in rows]

    def _scan(self, row: int) -> Scan:
        """Make a scan."""
        one = {name: int(column[row]) for name, column in self._extract.scans.items()}
        number = one["number"]
        scan = self._made[row] = Scan(
            self._index, one["position"], or_none(int(self._times[row])), self._extract.queues[one["queue"]],
            None if number < 0 else number, KIND_NAMES[one["kind"]], one["label"] == COARSE_LABEL,
        )  # fmt: skip
        return scan
