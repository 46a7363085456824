"""A log that is read once and not kept: for a report, the lines need not stay in memory.

Rule 1: each method reads the whole log; afterwards `lines`, `unknown_lines` and `last_ns` are those of what it read.
Rule 2: the tables are the same as those of `logs.read`; a test compares them.
Rule 3: what was read before a fault is an answer too, and `fault` says that it is not of the whole log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.errors import KitError
from indimail_kit.logs import join_codes as joins
from indimail_kit.logs.blocks import Source
from indimail_kit.logs.columns import KIND_NAMES, EventBlock
from indimail_kit.logs.engine import read_blocks
from indimail_kit.logs.event import UNKNOWN
from indimail_kit.logs.join import join_blocks
from indimail_kit.logs.kernel_codes import OUTCOMES
from indimail_kit.tables.event_frames import STATUS_NUMBERS
from indimail_kit.tables.frames import events_frame, shape_frame
from indimail_kit.tables.log_delays import delays_of, success_delays
from indimail_kit.tables.log_frames import (
    Cells,
    delivery_cells,
    delivery_columns_frame,
    frame_of_cells,
    message_cells,
    message_columns_frame,
)
from indimail_kit.tables.log_moment import MESSAGE_LIFE, deliveries_of, lives_of, lost_numbers, may_be_there
from indimail_kit.tables.log_schemas import STATUS
from indimail_kit.tables.log_totals import Totals, totals_of_joined
from indimail_kit.tables.questions_logs_mail import (
    RECEIVED_KEYS,
    RECEIVED_OF_DELIVERIES,
    SENT_KEYS,
    SENT_OF_DELIVERIES,
    SENT_OF_MESSAGES,
    add_up,
    received_sums,
    sent_sums,
)
from indimail_kit.tables.schemas import DELIVERIES, MESSAGES

if TYPE_CHECKING:
    import pandas as pd

_STATUS: Final = KIND_NAMES.index("status")
_UNKNOWN: Final = KIND_NAMES.index(UNKNOWN)
_MANY_ROWS: Final = 20_000
_PART_ROWS: Final = 10_000

Names = Sequence[str]


class LogReading:
    """Logs that are read from their beginning to their end each time that a table is asked for.

    Attributes:
        lines: Lines read.
        unknown_lines: Of them, those that no form fits.
        last_ns: Time of the latest line (unit: ns since 1970), or None without a stamp.
        fault: What stopped the reading after some lines, None for nothing; before the first line it is raised.
    """

    def __init__(self, *sources: Source, threads: int = 1) -> None:
        self._sources = sources
        self._threads = threads
        self._forget()

    def _forget(self) -> None:
        self.lines = self.unknown_lines = 0
        self.last_ns: int | None = None
        self.fault: KitError | OSError | None = None

    def _blocks(self) -> Iterator[EventBlock]:
        """Yield the blocks and count what passes."""
        self._forget()
        try:
            for block in read_blocks(*self._sources, threads=self._threads):
                self.lines += len(block)
                self.unknown_lines += int((block.kind == _UNKNOWN).sum())
                if len(block) and (latest := int(block.unix_ns.max())) > (self.last_ns or 0):
                    self.last_ns = latest
                yield block
        except (KitError, OSError) as error:
            if not self.lines:
                raise
            self.fault = error

    def totals(self) -> Totals:
        """Return the sums of the log, in memory that does not grow with it."""
        totals = Totals()
        for joined in join_blocks(self._blocks()):
            totals += totals_of_joined(joined)
        return totals

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return DELIVERIES and MESSAGES."""
        joined = list(join_blocks(self._blocks()))
        return delivery_columns_frame(joined), message_columns_frame(joined)

    def delays(self, percents: Sequence[float]) -> pd.DataFrame:
        """Return the table DELAYS, in memory that does not grow with the log."""
        return delays_of(map(success_delays, join_blocks(self._blocks())), percents)

    def of_moment(self, unix_ns: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame, int]:
        """Return all that the log tells of the messages that were, or may have been, in the queue at a moment.

        The log is read three times, so that nothing is kept of the other messages.

        Args:
            unix_ns: The moment (unit: ns since 1970); None: the log's last line, 1970 for a log without stamps.

        Returns:
            Rows of DELIVERIES and MESSAGES from which `questions.queue_at` tells the same as from all of them, in the
            order of these tables; and the moment.
        """
        import numpy as np

        lost = np.unique(np.concatenate([lost_numbers(joined) for joined in join_blocks(self._blocks())]))
        moment_ns = (self.last_ns or 0) if unix_ns is None else unix_ns
        kept: list[Cells] = []
        lives: list[Any] = []
        for joined in join_blocks(self._blocks()):  # of a block itself nothing is kept
            part = replace(joined, messages=may_be_there(joined, moment_ns, lost))
            kept.append(message_cells(part))
            lives.append(lives_of(part.messages, MESSAGE_LIFE))
        messages, known = frame_of_cells(MESSAGES, kept), np.unique(np.concatenate(lives))
        cells = [delivery_cells(deliveries_of(joined, known)) for joined in join_blocks(self._blocks())]
        deliveries = frame_of_cells(DELIVERIES, cells)
        began = deliveries["start_event"].fillna(deliveries["end_event"])
        return (
            deliveries.iloc[began.argsort(kind="stable")].reset_index(drop=True),
            messages.sort_values("first_event", kind="stable", ignore_index=True),
            moment_ns,
        )

    def _parts(self, of_deliveries: Names, of_messages: Names) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Yield these columns of DELIVERIES and MESSAGES in parts, in the order in which they ended."""
        deliveries: list[Cells] = []
        messages: list[Cells] = []
        rows = 0

        def part() -> tuple[pd.DataFrame, pd.DataFrame]:
            return frame_of_cells(DELIVERIES, deliveries), frame_of_cells(MESSAGES, messages)

        for joined in join_blocks(self._blocks()):
            deliveries.append(delivery_cells(joined, of_deliveries))
            messages.append(message_cells(joined, of_messages))
            rows += len(joined.deliveries) + len(joined.messages)
            if rows >= _PART_ROWS:
                yield part()
                deliveries, messages, rows = [], [], 0
        if deliveries:
            yield part()

    def sent(self) -> pd.DataFrame:
        """Return the sums of `questions_logs_mail.sent_sums`; memory grows with users and senders only."""
        parts = self._parts(SENT_OF_DELIVERIES, SENT_OF_MESSAGES)
        return _added_up((sent_sums(*part) for part in parts), SENT_KEYS)

    def received(self) -> pd.DataFrame:
        """Return the sums of `questions_logs_mail.received_sums`; memory grows with recipients only."""
        parts = self._parts(RECEIVED_OF_DELIVERIES, ["is_open"])
        return _added_up((received_sums(deliveries) for deliveries, _ in parts), RECEIVED_KEYS)

    def ended(self, outcome: str, *columns: str) -> pd.DataFrame:
        """Return these columns of the DELIVERIES with this outcome, in the order in which they began."""
        wanted = list(dict.fromkeys((*columns, "start_event", "end_event")))
        code = OUTCOMES.index(outcome)
        cells = [
            delivery_cells(replace(one, deliveries=one.deliveries[one.deliveries[:, joins.D_OUTCOME] == code]), wanted)
            for one in join_blocks(self._blocks())
        ]
        whole = frame_of_cells(DELIVERIES, cells)[wanted]
        began = whole["start_event"].fillna(whole["end_event"])
        return whole.iloc[began.argsort(kind="stable")].reset_index(drop=True)

    def lives(self, *columns: str) -> pd.DataFrame:
        """Return these columns of MESSAGES, in the order of their first lines."""
        wanted = list(dict.fromkeys((*columns, "first_event")))
        cells = [message_cells(joined, wanted) for joined in join_blocks(self._blocks())]
        return frame_of_cells(MESSAGES, cells)[wanted].sort_values("first_event", kind="stable", ignore_index=True)

    def status(self) -> pd.DataFrame:
        """Return the table STATUS."""
        import numpy as np

        columns: dict[str, list[Any]] = {name: [] for name in STATUS.names}
        for block in self._blocks():
            rows = np.flatnonzero(block.kind == _STATUS)
            columns["time"].append(block.unix_ns[rows])
            columns["queue"].append(np.array(block.queues, dtype=object)[block.queue[rows]])
            columns["event"].append(rows + block.first_position)
            for name in STATUS_NUMBERS:
                columns[name].append(np.maximum(block.numbers(name)[rows], 0))
        empty: dict[str, Any] = {"queue": np.zeros(0, dtype=object)}
        whole = {
            name: np.concatenate([*parts, empty.get(name, np.zeros(0, dtype="int64"))])
            for name, parts in columns.items()
        }
        whole["time"] = _times(whole["time"])
        return shape_frame(STATUS, whole)

    def events(self, *prefixes: str) -> pd.DataFrame:
        """Return the rows of EVENTS whose kind begins so ("smtpd_", "clamd_scan"); the index is their row in EVENTS.

        Lines that the log engine reads without the grammar (deliveries and what belongs to them) are not among them.
        """
        found = [
            (block.first_position + row, event)
            for block in self._blocks()
            for row, event in sorted(block.others.items())
            if event.kind.startswith(prefixes)
        ]
        frame = events_frame([event for _, event in found])
        frame.index = _index([position for position, _ in found])
        return frame


def _added_up(parts: Iterable[pd.DataFrame], keys: list[str]) -> pd.DataFrame:
    """Return the sums of all pieces; they are added up whenever they have become twice as many rows."""
    kept: list[pd.DataFrame] = []
    limit = _MANY_ROWS
    for part in parts:
        kept.append(part)
        if sum(map(len, kept)) > limit:
            kept = [add_up(kept, keys)]
            limit = max(_MANY_ROWS, 2 * len(kept[0]))
    return add_up(kept, keys)


def _times(unix_ns: Any) -> Any:
    import pandas as pd

    return pd.DatetimeIndex(unix_ns.view("datetime64[ns]"), tz="UTC")


def _index(positions: list[int]) -> Any:
    import pandas as pd

    return pd.Index(positions, dtype="int64")
