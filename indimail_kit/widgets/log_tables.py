"""A log as tables to choose from: filters that fit messages, deliveries, reasons and lines. Values in, values out.

Rule 1: the tables are those of a `Log`; this module chooses rows and never changes one.
Rule 2: a filter that fits nothing gives an empty page, not an error.
Rule 3: choosing works on numpy arrays that were made once; it reads no file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from indimail_kit.logs.event import UNKNOWN
from indimail_kit.tables.questions_logs_reasons import normal_reason, plain_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from indimail_kit.logs.log import Log

    Ints = NDArray[np.int64]
    Positions = NDArray[np.intp]
    Mask = NDArray[np.bool_]

OUTCOMES: Final = ("success", "deferral", "failure", "open", "cut")
"""How a delivery can have ended: the log's three words; under way at its end; without a start or an end in it."""

REASON_OUTCOMES: Final = ("deferral", "failure")
"""Outcomes that have a reason."""

NOT_A_TIME: Final = np.iinfo(np.int64).min
_FOR_EVER: Final = np.iinfo(np.int64).max
_KEY: Final = ["queue", "message_number", "lifetime"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What to show.

    Attributes:
        span: First and last moment, the last one left out (unit: ns since 1970); None for all times.
        text: Part of a sender or recipient, in any case; "" for all.
        outcome: One of OUTCOMES; "" for all.
        reason: Number of a reason, see `LogTables.reasons`; -1 for all.
        message: Row of a message; -1 for all.
    """

    span: tuple[int, int] | None = None
    text: str = ""
    outcome: str = ""
    reason: int = -1
    message: int = -1


@dataclass(frozen=True, slots=True)
class Reason:
    """Why deliveries of one outcome did not succeed.

    Attributes:
        code: Its number.
        outcome: "deferral" or "failure".
        text: What was said, with what differs each time left out.
    """

    code: int
    outcome: str
    text: str


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How often a reason was given, among what the filters leave.

    Attributes:
        reason: The reason.
        deliveries: How many.
        messages: How many messages these are of.
        first_ns: When the first of them ended (unit: ns since 1970); NOT_A_TIME without a stamp.
        last_ns: When the last of them ended.
    """

    reason: Reason
    deliveries: int
    messages: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the filters leave.

    Attributes:
        messages: Rows of the table of messages, in its order.
        deliveries: Rows of the table of deliveries, in its order.
        reasons: Why deliveries did not succeed, the most frequent first; all that the other filters leave.
        unknown: Positions of the lines that no form fits.
    """

    messages: Positions
    deliveries: Positions
    reasons: tuple[ReasonCount, ...]
    unknown: Positions


@dataclass(frozen=True, eq=False)
class LogTables:
    """A log with what choosing needs.

    Attributes:
        log: The log.
        events: Its table EVENTS; the row number is the line's position.
        messages: Its table MESSAGES.
        deliveries: Its table DELIVERIES.
        times: When each line was written (unit: ns since 1970); NOT_A_TIME without a stamp.
        unknown: Positions of the lines that no form fits.
        owner: For each delivery the row of its message, -1 where the log does not tell.
        outcomes: For each delivery the place of its outcome in OUTCOMES.
        reason_codes: For each delivery the number of its reason, -1 for none.
        reasons: Every reason, in the order of their numbers.
        message_spans: When each message began and ended to be in the queue (unit: ns since 1970).
        delivery_spans: When each delivery began and ended.
    """

    log: Log = field(repr=False)
    events: pd.DataFrame = field(repr=False)
    messages: pd.DataFrame = field(repr=False)
    deliveries: pd.DataFrame = field(repr=False)
    times: Ints = field(repr=False)
    unknown: Positions = field(repr=False)
    owner: Positions = field(repr=False)
    outcomes: NDArray[np.int8] = field(repr=False)
    reason_codes: Positions = field(repr=False)
    reasons: tuple[Reason, ...] = field(repr=False)
    message_spans: tuple[Ints, Ints] = field(repr=False)
    delivery_spans: tuple[Ints, Ints] = field(repr=False)

    @property
    def count(self) -> int:
        """Return how many lines there are."""
        return len(self.events)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Return the files that the lines are from, in their order; "" for octets in memory."""
        return tuple(str(name) for name in pd.unique(self.events["file"]))

    @cached_property
    def _senders(self) -> _Words:
        return _Words(self.messages["sender"])

    @cached_property
    def _recipients(self) -> _Words:
        return _Words(self.deliveries["recipient"])

    def choose(self, filters: Filters) -> Chosen:
        """Return what the filters leave."""
        keep = np.ones(len(self.messages), dtype=bool)
        tried = np.ones(len(self.deliveries), dtype=bool)
        strange = np.ones(len(self.unknown), dtype=bool)
        if filters.message >= 0:
            keep &= np.arange(len(keep)) == filters.message
            tried &= self.owner == filters.message
            strange[:] = False
        if filters.span is not None:
            keep &= _overlaps(self.message_spans, filters.span)
            tried &= _overlaps(self.delivery_spans, filters.span)
            at = self.times[self.unknown]
            strange &= (at >= filters.span[0]) & (at < filters.span[1])
        if filters.text:
            by_sender, by_recipient = self._senders.having(filters.text), self._recipients.having(filters.text)
            keep &= by_sender | self._owning(by_recipient)
            tried &= by_recipient | self._of_owner(by_sender)
            wanted = filters.text.casefold()
            lines = self.events["text"].to_numpy(dtype=object)[self.unknown]
            strange &= np.fromiter((wanted in str(line).casefold() for line in lines), bool, len(lines))
        if filters.outcome:
            tried &= self.outcomes == OUTCOMES.index(filters.outcome)
        reasons = self._counted(np.flatnonzero(tried & (self.reason_codes >= 0)))
        if filters.reason >= 0:
            tried &= self.reason_codes == filters.reason
        if filters.outcome or filters.reason >= 0:
            keep &= self._owning(tried)
            strange[:] = False
        return Chosen(np.flatnonzero(keep), np.flatnonzero(tried), reasons, self.unknown[strange])

    def reason_of(self, code: int) -> Reason | None:
        """Return a reason by its number, None for a number that none has."""
        return self.reasons[code] if 0 <= code < len(self.reasons) else None

    def lines_of_message(self, row: int) -> Positions:
        """Return the positions of a message's lines: those with its number in its lifetime, and its deliveries'."""
        one = self.messages.iloc[row]
        first = int(one["first_event"])
        last = len(self.events) - 1 if pd.isna(one["end_event"]) else int(one["end_event"])
        stretch = self.events.iloc[first : last + 1]
        named = (stretch["message_number"] == one["message_number"]).to_numpy(dtype=bool, na_value=False)
        named &= (stretch["queue"] == one["queue"]).to_numpy(dtype=bool)
        own = first + np.flatnonzero(named)
        if pd.isna(one["end_event"]):
            own = own[own < self._next_life(row, len(self.events))]
        ends = self.lines_of_deliveries(np.flatnonzero(self.owner == row))
        return np.union1d(own, ends).astype(np.intp)

    def _next_life(self, row: int, end: int) -> int:
        """Return where the next life of the message's number begins, `end` when there is none."""
        one, rest = self.messages.iloc[row], self.messages.iloc[row + 1 :]
        same = rest[(rest["message_number"] == one["message_number"]) & (rest["queue"] == one["queue"])]
        return int(same["first_event"].iloc[0]) if len(same) else end

    def lines_of_deliveries(self, rows: Positions) -> Positions:
        """Return the positions of the lines of deliveries: start and end, as far as the log has them."""
        some = self.deliveries.iloc[rows]
        ends = [some[name].dropna().to_numpy(dtype=np.intp) for name in ("start_event", "end_event")]
        return np.unique(np.concatenate(ends)).astype(np.intp)

    def _owning(self, deliveries: Mask) -> Mask:
        """Return which messages have at least one of these deliveries."""
        has = np.zeros(len(self.messages) + 1, dtype=bool)
        has[self.owner[deliveries]] = True
        return has[:-1]

    def _of_owner(self, messages: Mask) -> Mask:
        """Return which deliveries are of these messages."""
        return np.append(messages, False)[self.owner]

    def _counted(self, rows: Positions) -> tuple[ReasonCount, ...]:
        codes, owner, ended = self.reason_codes[rows], self.owner[rows], self.delivery_spans[1][rows]
        counts = np.bincount(codes, minlength=len(self.reasons))
        pairs = np.unique(np.stack([codes, owner], axis=1)[owner >= 0], axis=0) if len(rows) else np.empty((0, 2), int)
        messages = np.bincount(pairs[:, 0], minlength=len(self.reasons))
        first = np.full(len(self.reasons), _FOR_EVER)
        last = np.full(len(self.reasons), NOT_A_TIME)
        stamped = ended != NOT_A_TIME
        np.minimum.at(first, codes[stamped], ended[stamped])
        np.maximum.at(last, codes[stamped], ended[stamped])
        first[first == _FOR_EVER] = NOT_A_TIME
        order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
        return tuple(
            ReasonCount(self.reasons[code], int(counts[code]), int(messages[code]), int(first[code]), int(last[code]))
            for code in order.tolist()
        )


class _Words:
    """A column of texts, each different one kept once."""

    def __init__(self, texts: pd.Series[Any]) -> None:
        codes, values = pd.factorize(texts)
        self._codes = codes
        self._values = [str(value).casefold() for value in values]

    def having(self, part: str) -> Mask:
        """Return which texts have a part, in any case; a missing one has none."""
        wanted = part.casefold()
        return np.array([*(wanted in value for value in self._values), False], dtype=bool)[self._codes]


def _overlaps(spans: tuple[Ints, Ints], span: tuple[int, int]) -> Mask:
    begins, ends = spans
    return np.asarray((begins != NOT_A_TIME) & (begins < span[1]) & (ends >= span[0]))


def _ns(times: pd.Series[Any]) -> Ints:
    """Return times as integers (unit: ns since 1970); NOT_A_TIME for a missing one."""
    return np.asarray(times.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]").view(np.int64))


def _spans(begins: Ints, ends: Ints, is_open: Mask) -> tuple[Ints, Ints]:
    """Return when things began and ended; what is open has no end, of what was cut off the known moment counts."""
    known = np.where(begins == NOT_A_TIME, ends, begins)
    return known, np.where(ends != NOT_A_TIME, ends, np.where(is_open, _FOR_EVER, known))


def read_tables(log: Log) -> LogTables:
    """Make the tables of a log; the slow part, for a thread of its own."""
    events, deliveries, messages = log.events, log.deliveries, log.messages
    times = _ns(events["time"])
    outcomes = _outcomes(deliveries)
    codes, reasons = _reasons(deliveries["report"], outcomes)
    first = messages["first_event"].to_numpy(dtype=np.intp)
    queued = _ns(messages["queued_at"])
    queued = np.where(queued == NOT_A_TIME, times[first], queued)
    started, ended = _ns(deliveries["started_at"]), _ns(deliveries["ended_at"])
    return LogTables(
        log=log,
        events=events,
        messages=messages,
        deliveries=deliveries,
        times=times,
        unknown=np.flatnonzero((events["kind"] == UNKNOWN).to_numpy(dtype=bool)),
        owner=_owners(deliveries, messages),
        outcomes=outcomes,
        reason_codes=codes,
        reasons=reasons,
        message_spans=_spans(queued, _ns(messages["ended_at"]), messages["is_open"].to_numpy(dtype=bool)),
        delivery_spans=_spans(started, ended, deliveries["is_open"].to_numpy(dtype=bool)),
    )


def _owners(deliveries: pd.DataFrame, messages: pd.DataFrame) -> Positions:
    numbered = messages[_KEY].astype({"lifetime": "Int64", "message_number": "Int64"})
    joined = deliveries[_KEY].merge(numbered.assign(row=np.arange(len(messages))), on=_KEY, how="left")
    return np.asarray(joined["row"].fillna(-1).to_numpy(dtype=np.intp))


def _outcomes(deliveries: pd.DataFrame) -> NDArray[np.int8]:
    codes = np.full(len(deliveries), OUTCOMES.index("cut"), dtype=np.int8)
    codes[deliveries["is_open"].to_numpy(dtype=bool)] = OUTCOMES.index("open")
    for code, name in enumerate(OUTCOMES[:3]):
        codes[(deliveries["outcome"] == name).to_numpy(dtype=bool, na_value=False)] = code
    return codes


def _reasons(reports: pd.Series[Any], outcomes: NDArray[np.int8]) -> tuple[Positions, tuple[Reason, ...]]:
    """Return for each delivery the number of its reason, and the reasons; each different report is looked at once."""
    codes = np.full(len(reports), -1, dtype=np.intp)
    found: list[Reason] = []
    for outcome in REASON_OUTCOMES:
        rows = np.flatnonzero(outcomes == OUTCOMES.index(outcome))
        texts, values = pd.factorize(reports.iloc[rows].fillna(""))
        names, different = pd.factorize(
            np.array([normal_reason(plain_text(str(value))) for value in values], dtype=object)
        )
        if len(rows):
            codes[rows] = names[texts] + len(found)
        found += [Reason(len(found) + place, outcome, str(text)) for place, text in enumerate(different)]
    return codes, tuple(found)
