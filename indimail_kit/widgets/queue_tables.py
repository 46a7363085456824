"""A picture of queues as tables to choose from: filters, order, pages. Values in, values out; no widget.

Half a million messages stay here, as columns; what goes to a browser is one page of rows.

Rule 1: the tables are those of `indimail_kit.tables`; this module chooses rows and never changes one.
Rule 2: a filter that fits nothing gives an empty page, not an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from indimail_kit import tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from indimail_kit.mailqueue.picture import Snapshot
    from indimail_kit.mailqueue.violations import Violation

Side = Literal["recipient", "sender"]
"""Whose domain."""

NO_STATE: Final = "none"
"""The state of files that prove none."""

STATE_NAMES: Final = ("S2", "S3", "S4", "S5", NO_STATE)
"""States that a message of a queue can have."""

AGES: Final = {
    "": (0, None),
    "new": (0, 300),
    "5min": (300, None),
    "1h": (3600, None),
    "12h": (43_200, None),
    "1d": (86_400, None),
    "36h": (129_600, None),
    "7d": (604_800, None),
}
"""Name of a choice -> youngest and oldest age (unit: s); None for no end."""

ORDERS: Final = ("oldest", "youngest", "largest", "recipients", "number")
"""What can come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What to show.

    Attributes:
        queue: Name of a queue; "" for all.
        state: One of STATE_NAMES; "" for all.
        text: Part of the sender or of a recipient, in any case; "" for all.
        only_anomalies: Only messages with which something is wrong.
        min_age_s: Youngest age (unit: s).
        max_age_s: Age from which on a message is too old (unit: s); None for no end.
        domain: Domain of `side`; None for all. "" is an empty sender's, or an address without one.
        side: Whose domain.
        is_counted: Only what qshape counts: what has an age, and of recipients those still to do.
    """

    queue: str = ""
    state: str = ""
    text: str = ""
    only_anomalies: bool = False
    min_age_s: float = 0
    max_age_s: float | None = None
    domain: str | None = None
    side: Side = "recipient"
    is_counted: bool = False

    def at(self, cell: Filters) -> Filters:
        """Return these filters, narrowed to the domain and the ages of a cell of qshape."""
        ends = [end for end in (self.max_age_s, cell.max_age_s) if end is not None]
        return replace(
            self,
            domain=cell.domain,
            side=cell.side,
            is_counted=cell.is_counted,
            min_age_s=max(self.min_age_s, cell.min_age_s),
            max_age_s=min(ends, default=None),
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the filters leave, in order.

    Attributes:
        messages: Positions in the table of messages.
        recipients: Positions in the table of recipients.
    """

    messages: NDArray[np.intp]
    recipients: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class QueueSummary:
    """One queue in numbers.

    Attributes:
        messages: How many.
        states: How many in each of STATE_NAMES.
        size_bytes: Of all their mess files (unit: octets).
        oldest_s: Age of the oldest (unit: s); None when no age is known.
        rules: (rule, count, why) of what is wrong, most frequent first.
    """

    messages: int
    states: tuple[int, ...]
    size_bytes: int
    oldest_s: float | None
    rules: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class QueueTables:
    """A picture as tables.

    Attributes:
        messages: One row a message, see `tables.messages`.
        recipients: One row a recipient, see `tables.recipients`.
        owner: For each recipient, the position of its message.
        domains: For each message, the domain of its sender.
        violations: Queue and number -> what is wrong with the message.
        is_odd: For each message, whether something is wrong with it.
        loose: What is wrong and belongs to no message of the picture.
        names: The queues, in their order.
        summary: Name of a queue -> its numbers.
        taken_ns: When the picture was taken (unit: ns since 1970).
        qshape: Whose domain -> domain × age, see `tables.qshape`.
    """

    messages: pd.DataFrame = field(repr=False)
    recipients: pd.DataFrame = field(repr=False)
    owner: NDArray[np.intp] = field(repr=False)
    domains: pd.Series[Any] = field(repr=False)
    violations: Mapping[tuple[str, int], tuple[Violation, ...]] = field(repr=False)
    is_odd: NDArray[np.bool_] = field(repr=False)
    loose: tuple[Violation, ...] = field(repr=False)
    names: tuple[str, ...]
    summary: Mapping[str, QueueSummary] = field(repr=False)
    taken_ns: int
    qshape: Callable[[Side], pd.DataFrame] = field(repr=False)

    @property
    def count(self) -> int:
        """Return how many messages there are."""
        return len(self.messages)

    def choose(self, filters: Filters, order: str = "oldest") -> Chosen:
        """Return the messages and recipients that the filters leave.

        Args:
            filters: What to show.
            order: One of ORDERS; equal ones by queue and number.
        """
        table, people = self.messages, self.recipients
        keep = np.ones(len(table), dtype=bool)
        shown = np.ones(len(people), dtype=bool)
        if filters.queue:
            keep &= _mask(table["queue"] == filters.queue)
        if filters.state:
            state = table["state"]
            keep &= _mask(state.isna()) if filters.state == NO_STATE else _mask(state == filters.state)
        if filters.only_anomalies:
            keep &= self.is_odd
        if filters.min_age_s > 0 or filters.max_age_s is not None or filters.is_counted:
            age = table["age_s"].to_numpy(dtype=float, na_value=np.nan)
            low = filters.min_age_s or -np.inf
            # A message whose age nobody knows fits no age; one from the future is the youngest.
            keep &= (age >= low) & (age < (np.inf if filters.max_age_s is None else filters.max_age_s))
        if filters.text:
            by_sender = _contains(table["sender"], filters.text)
            by_recipient = _contains(people["address"], filters.text)
            keep &= by_sender | self._owned_by(by_recipient)
            shown &= by_recipient | by_sender[self.owner]
        if filters.domain is not None and filters.side == "sender":
            keep &= _mask(self.domains == filters.domain)
        if filters.domain is not None and filters.side == "recipient":
            shown &= _mask(people["domain"] == filters.domain)
        if filters.is_counted and filters.side == "recipient":
            shown &= ~_mask(people["done"])
        if filters.side == "recipient" and (filters.is_counted or filters.domain is not None):
            keep &= self._owned_by(shown)
        positions = self._ordered(np.flatnonzero(keep), order)
        return Chosen(positions, self._recipients_of(positions, keep, shown))

    def violations_of(self, queue: str, number: int) -> tuple[Violation, ...]:
        """Return what is wrong with a message."""
        return self.violations.get((queue, number), ())

    def position_in(self, chosen: Chosen, queue: str, number: int) -> int | None:
        """Return at which place a message stands among the chosen ones, None when it is not among them."""
        table = self.messages
        (found,) = np.nonzero(_mask((table["message_number"] == number) & (table["queue"] == queue)))
        places = np.flatnonzero(np.isin(chosen.messages, found))
        return int(places[0]) if len(places) else None

    def _owned_by(self, people: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which messages have at least one of these recipients."""
        has = np.zeros(len(self.messages), dtype=bool)
        has[self.owner[people]] = True
        return has

    def _ordered(self, positions: NDArray[np.intp], order: str) -> NDArray[np.intp]:
        """Return positions in an order; what has no value stands last."""
        if order == "number":
            return positions
        name, sign = {"oldest": ("age_s", -1), "youngest": ("age_s", 1), "largest": ("size_bytes", -1)}.get(
            order, ("recipients", -1)
        )
        values = self.messages[name].to_numpy(dtype=float, na_value=np.nan)[positions] * sign
        return positions[np.argsort(values, kind="stable")]

    def _recipients_of(
        self, positions: NDArray[np.intp], keep: NDArray[np.bool_], shown: NDArray[np.bool_]
    ) -> NDArray[np.intp]:
        """Return the recipients of the chosen messages, in the order of those."""
        people = np.flatnonzero(shown & keep[self.owner])
        rank = np.empty(len(self.messages), dtype=np.intp)
        rank[positions] = np.arange(len(positions))
        return people[np.argsort(rank[self.owner[people]], kind="stable")]


def _mask(series: Any) -> NDArray[np.bool_]:
    """Return a comparison as booleans; what is not known does not fit."""
    return np.asarray(series.to_numpy(dtype=bool, na_value=False))


def _contains(series: pd.Series[Any], text: str) -> NDArray[np.bool_]:
    """Return which texts have a part, in any case."""
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character: no text of a table has it, and Arrow would refuse to look
        return np.zeros(len(series), dtype=bool)
    return _mask(series.str.contains(text, case=False, regex=False, na=False))


def read_tables(picture: Snapshot, names: Sequence[str]) -> QueueTables:
    """Make the tables of a picture; the slow part of a refresh, for a thread of its own.

    Args:
        picture: What `Queues.snapshot` returned.
        names: The queues, in their order.
    """
    frames = (tables.messages(picture), tables.recipients(picture))
    return join_tables(
        *frames,
        picture.anomalies,
        names=names,
        taken_ns=picture.taken_ns,
        qshape=cache(lambda side: tables.qshape(picture, by=side)),
    )


def join_tables(
    messages: pd.DataFrame,
    recipients: pd.DataFrame,
    anomalies: Sequence[Violation],
    *,
    names: Sequence[str],
    taken_ns: int,
    qshape: Callable[[Side], pd.DataFrame],
) -> QueueTables:
    """Bring messages, their recipients and what is wrong with them together; see `QueueTables`."""
    by_message: dict[tuple[str, int], list[Violation]] = {}
    for one in anomalies:
        by_message.setdefault((one.queue, one.message_number), []).append(one)
    is_odd = (messages["anomalies"] > 0).to_numpy()
    odd = messages[is_odd]
    shown = set(zip(odd["queue"], odd["message_number"].tolist(), strict=True))
    return QueueTables(
        messages=messages,
        recipients=recipients,
        owner=np.repeat(np.arange(len(messages)), messages["recipients"]),
        domains=_domains(messages["sender"]),
        violations={key: tuple(found) for key, found in by_message.items()},
        is_odd=is_odd,
        loose=tuple(one for one in anomalies if (one.queue, one.message_number) not in shown),
        names=tuple(names),
        summary=_summaries(messages, anomalies, names),
        taken_ns=taken_ns,
        qshape=qshape,
    )


def _domains(senders: pd.Series[Any]) -> pd.Series[Any]:
    """Return what stands behind the last @, in lower case; "" where there is none."""
    codes, values = pd.factorize(senders, use_na_sentinel=True)
    names = np.array([*(str(one).rpartition("@")[2].lower() if "@" in one else "" for one in values), ""], dtype=object)
    return pd.Series(names[codes])


def _summaries(messages: pd.DataFrame, anomalies: Sequence[Violation], names: Sequence[str]) -> dict[str, QueueSummary]:
    """Return the numbers of each queue, of empty ones too."""
    found: dict[str, Counter[str]] = {name: Counter() for name in names}
    why = {}
    for one in anomalies:
        found.setdefault(one.queue, Counter())[one.rule] += 1
        why[one.rule] = one.why
    summaries = {}
    for name in names:
        own = messages[_mask(messages["queue"] == name)]
        states = own["state"].value_counts()
        known = tuple(int(states.get(state, 0)) for state in STATE_NAMES[:-1])
        oldest = own["age_s"].max()
        summaries[name] = QueueSummary(
            messages=len(own),
            states=(*known, len(own) - sum(known)),
            size_bytes=int(own["size_bytes"].sum()),
            oldest_s=None if pd.isna(oldest) else float(oldest),
            rules=tuple((rule, count, why[rule]) for rule, count in found[name].most_common()),
        )
    return summaries
