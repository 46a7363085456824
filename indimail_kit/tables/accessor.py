"""``frame.qmail``: the questions of a table, as methods of the table itself.

    log.deliveries.qmail.deferral_reasons()
    log.deliveries.qmail.overall(log.messages)
    log.events.qmail.sessions()

Rule 1: each method is one call of the function of that name; the answers are told there.
Rule 2: pandas learns of it when the kit makes its first table; before that, ``register()`` tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.errors import SchemaError
from indimail_kit.tables import event_frames, questions_logs_mail, questions_logs_reasons, questions_logs_smtp
from indimail_kit.tables import questions_logs_time as times
from indimail_kit.tables.frames import text_frame
from indimail_kit.tables.log_answers import LOG_ANSWERS
from indimail_kit.tables.log_schemas import LOG_TABLES
from indimail_kit.tables.queue_schemas import QUEUE_TABLES
from indimail_kit.tables.schemas import TABLES, Table

if TYPE_CHECKING:
    import pandas as pd

_KNOWN: Final = (*TABLES, *LOG_TABLES, *QUEUE_TABLES, *LOG_ANSWERS)


class QmailAccessor:
    """The questions of a table of the kit.

    Attributes:
        table: The shape that the frame has.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self.table = _table_of(frame)

    def __repr__(self) -> str:
        """Return one line: which table, and how long."""
        return f"<{self.table.name}: {len(self._frame):,} rows, each {self.table.row}>"

    def columns(self) -> pd.DataFrame:
        """Return what each column means: name, dtype, unit, meaning, when it is null, where it comes from."""
        names = ("name", "dtype", "unit", "meaning", "null", "source")
        return text_frame(names, [[str(getattr(column, name)) for name in names] for column in self.table.columns])

    def status(self) -> pd.DataFrame:
        """EVENTS -> the table STATUS."""
        return event_frames.status_frame(self._frame)

    def scans(self) -> pd.DataFrame:
        """EVENTS -> the table SCANS."""
        return event_frames.scans_frame(self._frame)

    def sessions(self) -> pd.DataFrame:
        """EVENTS -> the table SESSIONS."""
        return event_frames.sessions_frame(self._frame)

    def auth_attempts(self) -> pd.DataFrame:
        """EVENTS -> the table AUTH_ATTEMPTS."""
        return event_frames.auth_frame(self._frame)

    def overall(self, messages: pd.DataFrame) -> pd.DataFrame:
        """DELIVERIES, with MESSAGES -> how much mail there was, how it ended, how long it took."""
        return questions_logs_mail.overall(self._frame, messages)

    def delay_percentiles(self, *, percents: Sequence[float] = questions_logs_mail.PERCENTS) -> pd.DataFrame:
        """DELIVERIES -> how long successful deliveries took."""
        return questions_logs_mail.delay_percentiles(self._frame, percents=percents)

    def by_sender(self, messages: pd.DataFrame) -> pd.DataFrame:
        """DELIVERIES, with MESSAGES -> who sent how much."""
        return questions_logs_mail.by_sender(self._frame, messages)

    def by_uid(self, messages: pd.DataFrame) -> pd.DataFrame:
        """DELIVERIES, with MESSAGES -> which user of this host queued how much."""
        return questions_logs_mail.by_uid(self._frame, messages)

    def by_recipient(self) -> pd.DataFrame:
        """DELIVERIES -> who received how much."""
        return questions_logs_mail.by_recipient(self._frame)

    def by_host(self) -> pd.DataFrame:
        """DELIVERIES -> which domains received how much."""
        return questions_logs_mail.by_host(self._frame)

    def deferral_reasons(self, *, as_written: bool = False) -> pd.DataFrame:
        """DELIVERIES -> why deliveries were deferred."""
        return questions_logs_reasons.deferral_reasons(self._frame, as_written=as_written)

    def failure_reasons(self, *, as_written: bool = False) -> pd.DataFrame:
        """DELIVERIES -> why deliveries failed for ever."""
        return questions_logs_reasons.failure_reasons(self._frame, as_written=as_written)

    def success_reasons(self, *, as_written: bool = False) -> pd.DataFrame:
        """DELIVERIES -> how deliveries succeeded."""
        return questions_logs_reasons.success_reasons(self._frame, as_written=as_written)

    def message_rate(self, *, every: str = "1min") -> pd.DataFrame:
        """MESSAGES -> how many messages came and ended, span by span."""
        return times.message_rate(self._frame, every=every)

    def queue_at(self, deliveries: pd.DataFrame, time: object) -> pd.DataFrame:
        """MESSAGES, with DELIVERIES -> what was in the queue at a moment."""
        return times.queue_at(self._frame, deliveries, time)

    def gaps(self, *, longer_than: str = "5min", column: str = "") -> pd.DataFrame:
        """Any table with times -> when nothing came for long; without a column, the table's first column of times."""
        first = next((one.name for one in self.table.columns if one.dtype.startswith("datetime64")), "time")
        return times.gaps(self._frame, longer_than=longer_than, column=column or first)

    def concurrency(self, *, every: str = "1min") -> pd.DataFrame:
        """STATUS -> how many deliveries were under way at the same time, span by span."""
        return times.concurrency(self._frame, every=every)

    def virus_rate(self, *, every: str | None = None) -> pd.DataFrame:
        """SCANS -> how much is infected."""
        return questions_logs_smtp.virus_rate(self._frame, every=every)

    def signatures(self) -> pd.DataFrame:
        """SCANS -> which signatures were found."""
        return questions_logs_smtp.signatures(self._frame)

    def auth_failures(self, *, min_strangers: int = questions_logs_smtp.MIN_STRANGERS) -> pd.DataFrame:
        """AUTH_ATTEMPTS -> from which addresses AUTH failed, and who guesses passwords."""
        return questions_logs_smtp.auth_failures(self._frame, min_strangers=min_strangers)


def register() -> None:
    """Give every DataFrame the attribute `qmail`; a second call changes nothing."""
    import pandas as pd

    if not hasattr(pd.DataFrame, "qmail"):
        accessor: Any = pd.api.extensions.register_dataframe_accessor("qmail")
        accessor(QmailAccessor)


def _table_of(frame: pd.DataFrame) -> Table:
    """Return the biggest table whose columns the frame has.

    Raises:
        SchemaError: There is none.
    """
    names = set(frame.columns)
    fitting = [table for table in _KNOWN if names.issuperset(table.names)]
    if not fitting:
        raise SchemaError("a frame without the columns of any table of the kit; expected EVENTS, DELIVERIES or another")
    return max(fitting, key=lambda table: len(table.columns))
