"""When qmail-remote leaves a host alone that did not answer: the rules, and the table of a queue that is ours.

After two timeouts at least two minutes apart the host is not tried for an hour and some minutes; an answer forgives.

Source: IndiMail tcpto.c `tcpto()`, `tcpto_err()`; qmail-tcpto(8); recorded queue mixed-queue2.

Rule 1: lock/tcpto is opened only by a `TimeoutTable`, and only qmail-send, who holds the queue, has one.
Rule 2: a table that cannot be read or written says nothing and keeps no mail back, as in the real program.
"""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from indimail_kit.errors import FormatError
from indimail_kit.mailqueue.tcpto import (
    IPV4,
    IPV6,
    MAX_TIMEOUTS,
    RECORD_BYTES,
    RECORD_COUNT,
    TimeoutRecord,
    decode,
    encode_record,
)

MIN_BACKOFF_S: Final = 3600
"""Shortest rest of a host (unit: s). Source: qmail-remote.c MIN_PENALTY."""

MAX_TOLERANCE_S: Final = 120
"""Timeouts within this time of the last one do not count (unit: s). Source: qmail-remote.c MAX_TOLERANCE."""

_ENOUGH: Final = 2
"""Timeouts that make a host rest. Source: tcpto.c `tcpto()`."""

_MAX_SPREAD: Final = 31
_AGE_BONUS_S: Final = 1024
"""What one timeout more is worth when the table is full (unit: s). Source: tcpto.c `tcpto_err()`."""

_PATH: Final = Path("lock") / "tcpto"
_threads = threading.Lock()


def is_resting(
    records: Sequence[TimeoutRecord], address: str, *, now_s: int, min_backoff_s: int = MIN_BACKOFF_S, spread: int = 0
) -> bool:
    """Say whether a host is not to be tried now.

    Args:
        records: The table.
        address: The host.
        now_s: Time (unit: s since 1970).
        min_backoff_s: Shortest rest (unit: s); a negative one is taken exactly, without the addition of `spread`.
        spread: From 0 to 31; makes the rest 240 to 2224 s longer, so that not everybody comes back at once. The real
            program takes the last five bits of its process number.

    Source:
        tcpto.c `tcpto()`.

    Example:
        >>> record = TimeoutRecord(0, "127.0.0.1", 2, 1000)
        >>> [is_resting([record], "127.0.0.1", now_s=1000 + age_s) for age_s in (3839, 3840)]
        [True, False]
    """
    addition_s = ((60 + (spread & _MAX_SPREAD)) << 6) - MIN_BACKOFF_S if min_backoff_s > 0 else 0
    rest_s = abs(min_backoff_s) + addition_s
    record = _find(records, address)
    return record is not None and record.timeouts >= _ENOUGH and now_s - record.last_s < rest_s


def after_timeout(
    records: Sequence[TimeoutRecord],
    address: str,
    *,
    now_s: int,
    max_tolerance_s: int = MAX_TOLERANCE_S,
    count: int = RECORD_COUNT,
) -> TimeoutRecord | None:
    """Return the record to write after a host did not answer; None when this timeout does not count.

    Args:
        records: The table.
        address: The host.
        now_s: Time (unit: s since 1970).
        max_tolerance_s: A timeout so soon after the last one does not count (unit: s).
        count: Records that the table has room for.

    Source:
        tcpto.c `tcpto_err()`: a new host takes the first free record, else the one that is oldest.
    """
    stamp_s = now_s % 2**32  # the file has room for four octets
    record = _find(records, address)
    if record is not None:
        if record.timeouts and now_s < record.last_s + max_tolerance_s:
            return None
        return replace(record, timeouts=min(record.timeouts + 1, MAX_TIMEOUTS), last_s=stamp_s)
    taken = {record.position: record for record in records if record.timeouts}
    free = (position for position in range(count) if position not in taken)
    position = next(free, None)
    if position is None:
        if not taken:
            return None  # a table without room for one record
        oldest = min(taken.values(), key=lambda old: (old.last_s + old.timeouts * _AGE_BONUS_S, old.position))
        position = oldest.position
    return TimeoutRecord(position, address, 1, stamp_s, IPV6 if ":" in address else IPV4)


def after_answer(records: Sequence[TimeoutRecord], address: str) -> TimeoutRecord | None:
    """Return the record to write after a host answered; None when nothing was held against it."""
    record = _find(records, address)
    return replace(record, timeouts=0) if record is not None and record.timeouts else None


def _find(records: Sequence[TimeoutRecord], address: str) -> TimeoutRecord | None:
    return next((record for record in records if record.address == address), None)


class TimeoutTable:
    """lock/tcpto of a queue that this process holds; safe to use from several threads."""

    def __init__(self, queue_directory: Path) -> None:
        self._path = queue_directory / _PATH

    def is_resting(self, address: str, *, now_s: int, min_backoff_s: int = MIN_BACKOFF_S, spread: int = 0) -> bool:
        """Say whether a host is not to be tried now."""
        resting: list[bool] = []

        def look(records: tuple[TimeoutRecord, ...], _count: int) -> None:
            resting.append(is_resting(records, address, now_s=now_s, min_backoff_s=min_backoff_s, spread=spread))

        self._visit(look)
        return resting == [True]

    def timed_out(self, address: str, *, now_s: int, max_tolerance_s: int = MAX_TOLERANCE_S) -> None:
        """Remember that a host did not answer."""
        self._visit(
            lambda records, count: after_timeout(
                records, address, now_s=now_s, max_tolerance_s=max_tolerance_s, count=count
            )
        )

    def answered(self, address: str) -> None:
        """Forgive a host that answered."""
        self._visit(lambda records, _count: after_answer(records, address))

    def _visit(self, deed: Callable[[tuple[TimeoutRecord, ...], int], TimeoutRecord | None]) -> None:
        """Read the table under its lock and write the one record that a deed gives back."""
        with _threads, suppress(OSError, FormatError):
            fd = os.open(self._path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    return
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                octets = os.pread(fd, RECORD_COUNT * RECORD_BYTES, 0)
                count = len(octets) // RECORD_BYTES
                record = deed(decode(octets[: count * RECORD_BYTES]), count)
                if record is not None:
                    os.pwrite(fd, encode_record(record), record.position * RECORD_BYTES)
            finally:
                os.close(fd)
