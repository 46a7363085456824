"""The sums of a log, piece by piece: what `overall` is made of, in memory that does not grow with the log.

    totals = sum((totals_of_joined(one) for one in join_blocks(read_blocks(path))), Totals())
    totals.frame()                                   # the table OVERALL, as `overall(log.deliveries, log.messages)`

Rule 1: sums are whole numbers (times in nanoseconds), so that pieces in any order, on any machine, give the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs import join_codes as joins
from indimail_kit.logs.kernel_codes import NO_TIME, OUTCOMES
from indimail_kit.tables.frames import shape_frame
from indimail_kit.tables.log_answers import OVERALL
from indimail_kit.tables.schemas import DELIVERIES, MESSAGES, require

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from indimail_kit.logs.join import JoinedBlock

    Array = np.ndarray[Any, Any]

_S: Final = 10**9
"""Nanoseconds of a second (unit: ns)."""

_COUNTS: Final = ("successes", "failures", "deferrals")
"""In the order of OUTCOMES."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over deliveries and messages; `+` adds those of two pieces.

    Attributes:
        messages: Messages that ended.
        recipients: Their recipients, done or failed.
        message_attempts: Delivery attempts for them.
        message_bytes: Their size (unit: octets).
        success_bytes: Their size times recipients with success (unit: octets).
        qtime_ns: Their time in the queue (unit: ns).
        qtimes: Of how many of them that is known.
        successes: Attempts that ended so.
        failures: Attempts that ended so.
        deferrals: Attempts that ended so.
        ddelay_ns: Birth to success (unit: ns).
        ddelays: Of how many successes that is known.
        xdelay_ns: Time of the attempts (unit: ns).
        xdelays: Of how many attempts that is known.
        open_messages: Messages in the queue at the end of the log.
        open_attempts: Attempts under way at the end of the log.
        cut_attempts: Attempts whose start or end the log does not show.
        first_ns: First birth (unit: ns since 1970), or None.
        last_ns: Last end (unit: ns since 1970), or None.
    """

    messages: int = 0
    recipients: int = 0
    message_attempts: int = 0
    message_bytes: int = 0
    success_bytes: int = 0
    qtime_ns: int = 0
    qtimes: int = 0
    successes: int = 0
    failures: int = 0
    deferrals: int = 0
    ddelay_ns: int = 0
    ddelays: int = 0
    xdelay_ns: int = 0
    xdelays: int = 0
    open_messages: int = 0
    open_attempts: int = 0
    cut_attempts: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    def __add__(self, other: Totals) -> Totals:
        """Return the totals of both pieces."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in _SUMMED}
        firsts = [one for one in (self.first_ns, other.first_ns) if one is not None]
        lasts = [one for one in (self.last_ns, other.last_ns) if one is not None]
        return Totals(**sums, first_ns=min(firsts, default=None), last_ns=max(lasts, default=None))

    def frame(self) -> pd.DataFrame:
        """Return the table OVERALL, one row."""
        import pandas as pd

        attempts = self.successes + self.failures + self.deferrals
        span_s = math.nan if self.first_ns is None or self.last_ns is None else (self.last_ns - self.first_ns) / _S
        row: dict[str, Any] = {name: getattr(self, name) for name in _SUMMED if name in OVERALL.names} | {
            "attempts": attempts,
            "attempts_per_message": _mean(self.message_attempts, self.messages),
            "qtime_mean_s": _mean(self.qtime_ns, self.qtimes) / _S,
            "ddelay_s": self.ddelay_ns / _S,
            "ddelay_mean_s": _mean(self.ddelay_ns, self.ddelays) / _S,
            "xdelay_s": self.xdelay_ns / _S,
            "xdelay_mean_s": _mean(self.xdelay_ns, self.xdelays) / _S,
            "first_at": pd.NaT if self.first_ns is None else pd.Timestamp(self.first_ns, tz="UTC"),
            "last_at": pd.NaT if self.last_ns is None else pd.Timestamp(self.last_ns, tz="UTC"),
            "span_s": span_s,
            "concurrency": self.xdelay_ns / _S / span_s if span_s > 0 else math.nan,
        }
        return shape_frame(
            OVERALL, {name: pd.array([value], dtype=OVERALL.dtypes[name]) for name, value in row.items()}
        )


_SUMMED: Final = tuple(name for name in Totals.__slots__ if name not in ("first_ns", "last_ns"))


def totals_of_frames(deliveries: pd.DataFrame, messages: pd.DataFrame) -> Totals:
    """Return the totals of DELIVERIES and MESSAGES.

    Raises:
        SchemaError: A column is missing.
    """
    require(deliveries, DELIVERIES, "outcome", "queued_at", "started_at", "ended_at", "is_open")
    names = ("sender", "message_bytes", *_COUNTS, "queued_at", "ended_at", "end_event", "is_open")
    require(messages, MESSAGES, *names)
    outcome = deliveries["outcome"]
    codes = outcome.map({name: code for code, name in enumerate(OUTCOMES)}).fillna(-1).to_numpy("int64")
    is_completed = (messages["end_event"].notna() & messages["sender"].notna()).to_numpy()
    return _of_deliveries(
        codes,
        deliveries["is_open"].to_numpy(),
        *(_ns(deliveries[name]) for name in ("queued_at", "started_at", "ended_at")),
    ) + _of_messages(
        is_completed,
        messages["is_open"].to_numpy(),
        messages["message_bytes"].fillna(0).to_numpy("int64"),
        messages[list(_COUNTS)].to_numpy("int64"),
        *(_ns(messages[name]) for name in ("queued_at", "ended_at")),
    )


def totals_of_joined(joined: JoinedBlock) -> Totals:
    """Return the totals of a piece of a log, as the log engine joins it: no text is made, so this takes no time."""
    import numpy as np

    rows, lives = joined.deliveries, joined.messages
    is_completed = (lives[:, joins.M_END_EVENT] >= 0) & (lives[:, joins.M_SENDER] >= 0)
    return _of_deliveries(
        rows[:, joins.D_OUTCOME],
        rows[:, joins.D_IS_OPEN] > 0,
        *(rows[:, column] for column in (joins.D_QUEUED, joins.D_STARTED, joins.D_ENDED)),
    ) + _of_messages(
        is_completed,
        lives[:, joins.M_IS_OPEN] > 0,
        np.maximum(lives[:, joins.M_BYTES], 0),
        lives[:, joins.M_COUNTS : joins.M_COUNTS + len(OUTCOMES)],
        *(lives[:, column] for column in (joins.M_QUEUED, joins.M_ENDED)),
    )


def _of_deliveries(outcome: Array, is_open: Array, queued: Array, started: Array, ended: Array) -> Totals:
    """Return the totals of deliveries; outcome is a position in OUTCOMES or -1, times are in ns."""
    has_outcome = outcome >= 0
    ddelay_ns, ddelays = _elapsed(queued, ended, outcome == OUTCOMES.index("success"))
    xdelay_ns, xdelays = _elapsed(started, ended, has_outcome)
    counts = {name: int((outcome == code).sum()) for code, name in enumerate(_COUNTS)}
    return Totals(
        **counts,
        ddelay_ns=ddelay_ns,
        ddelays=ddelays,
        xdelay_ns=xdelay_ns,
        xdelays=xdelays,
        open_attempts=int(is_open.sum()),
        cut_attempts=int(((started == NO_TIME) | (~has_outcome & ~is_open)).sum()),
        first_ns=_edge(queued[has_outcome], first=True),
        last_ns=_edge(ended[has_outcome], first=False),
    )


def _of_messages(
    is_completed: Array, is_open: Array, size: Array, counts: Array, queued: Array, ended: Array
) -> Totals:
    """Return the totals of messages; the counts are columns in the order of OUTCOMES, times are in ns."""
    size, counts = size[is_completed], counts[is_completed]
    successes, failures = counts[:, 0], counts[:, 1]
    qtime_ns, qtimes = _elapsed(queued, ended, is_completed)
    return Totals(
        messages=int(is_completed.sum()),
        recipients=int((successes + failures).sum()),
        message_attempts=int(counts.sum()),
        message_bytes=int(size.sum()),
        success_bytes=int((size * successes).sum()),
        qtime_ns=qtime_ns,
        qtimes=qtimes,
        open_messages=int(is_open.sum()),
        first_ns=_edge(queued[is_completed], first=True),
        last_ns=_edge(ended[is_completed], first=False),
    )


def _elapsed(earlier: Array, later: Array, is_counted: Array) -> tuple[int, int]:
    """Return the time between, added up over what is counted and known (unit: ns), and how many these are."""
    known = is_counted & (earlier != NO_TIME) & (later != NO_TIME)
    lengths = later[known] - earlier[known]
    # seconds and the rest apart: a million messages of a week are more nanoseconds than 64 bits hold
    return int((lengths // _S).sum()) * _S + int((lengths % _S).sum()), int(known.sum())


def _edge(times: Array, *, first: bool) -> int | None:
    """Return the first or the last of the times that are known."""
    known = times[times != NO_TIME]
    if not len(known):
        return None
    return int(known.min() if first else known.max())


def _ns(times: pd.Series[pd.Timestamp]) -> Array:
    """Return times as whole numbers (unit: ns since 1970), NO_TIME for null."""
    return times.dt.tz_localize(None).to_numpy("datetime64[ns]").astype("int64")


def _mean(total: int, count: int) -> float:
    return total / count if count else math.nan
