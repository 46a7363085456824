r"""The columns of every table: name, dtype, unit, meaning, when it is null, where it comes from. Said once, here.

Rule 1: a name means the same in every table, and the same as the field of that name in `logs.fields`.
Rule 2: a table without rows has the same columns and dtypes as one with rows.
Rule 3: `queue` is never null, because it is half of a key: it is "" where a log names no queue (2010, plain qmail).
Rule 4: times are datetime64[ns, UTC]; whole numbers that may be missing are Int64; text is pandas' str, octets that are
not UTF-8 written as
    ``\xNN``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from indimail_kit.errors import SchemaError

if TYPE_CHECKING:
    import pandas as pd

Dtype = Literal["datetime64[ns, UTC]", "str", "int64", "Int64", "float64", "bool"]
"""The dtypes in use; only datetime64, str, Int64 and float64 (NaN) can be null."""

NEVER: Final = "never"
"""Null rule of a column that is always filled."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Name in the table.
        dtype: pandas' name of its type.
        meaning: One phrase for a person.
        null: When it is null; "never" if it is not.
        source: Line, field or program it comes from.
        unit: Unit of a number, or "".
        attribute: Attribute of the value that the cell is from; the name unless given.
    """

    name: str
    dtype: Dtype
    meaning: str
    null: str
    source: str
    unit: str = ""
    attribute: str = ""

    def __post_init__(self) -> None:
        """Give the attribute its default."""
        object.__setattr__(self, "attribute", self.attribute or self.name)


@dataclass(frozen=True, slots=True)
class Table:
    """The shape of one table.

    Attributes:
        name: Name of the table.
        row: What one row is.
        columns: In the order of the table.
        key: Columns that together tell one row from every other.
    """

    name: str
    row: str
    columns: tuple[Column, ...] = field(repr=False)
    key: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def dtypes(self) -> Mapping[str, Dtype]:
        """Return column -> dtype."""
        return {column.name: column.dtype for column in self.columns}

    def __getitem__(self, name: str) -> Column:
        """Return a column by its name; KeyError if there is none."""
        return {column.name: column for column in self.columns}[name]

    def check(self, frame: pd.DataFrame) -> None:
        """Raise SchemaError unless the frame has every column with its dtype; more columns are no fault."""
        for column in self.columns:
            if column.name not in frame.columns:
                raise SchemaError(f"a table of {self.name} without the column {column.name}")
            dtype = str(frame[column.name].dtype)
            if dtype != column.dtype:
                raise SchemaError(f"{self.name}.{column.name} of dtype {dtype} instead of {column.dtype}")


def require(frame: pd.DataFrame, table: Table, *names: str) -> None:
    """Raise SchemaError unless the frame has these columns of a table; more columns, and fewer others, are no fault."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise SchemaError(f"a table of {table.name} without the column {missing[0]}")


_UNSAID: Final = "where the line does not say it"
_NO_INFO: Final = 'where the log has no "info msg" line of the message'
_NO_START: Final = 'where the log has no "starting delivery" line of the delivery'
_SEND_START: Final = 'the line "starting delivery" (qmail-send.c del_start())'
_SEND_END: Final = 'the line "delivery" (qmail-send.c del_dochan())'
_INFO: Final = 'the line "info msg" (todo-proc.c comm_info())'
_END_MSG: Final = 'the line "end msg" (qmail-send.c messdone())'

_QUEUE: Final = Column(
    "queue", "str", "name of the queue", NEVER + ': "" where no line names it', "end of qmail-send's lines"
)
_LIFETIME: Final = (
    "which life of this message number in this queue, counted from 1 in the order of the log: numbers are inodes and"
    " are used again"
)
_RUN: Final = (
    "starts of the queue's qmail-send that the log shows up to here; 0 = it was running when the log begins;"
    " delivery numbers are unique within a run"
)

EVENTS: Final = Table(
    "EVENTS",
    "one line of a log, unknown lines included",
    (
        Column(
            "time",
            "datetime64[ns, UTC]",
            "when the line was written",
            "without a stamp, or outside 1677 … 2262",
            "stamp at the start of the line",
            attribute="unix_ns",
        ),
        Column("kind", "str", "what the line states; unknown if no form fits", NEVER, "logs.grammar.FORMS"),
        Column(
            "program",
            "str",
            "program that wrote the line",
            "for unknown lines, and where no form tells",
            "line or form",
        ),
        Column(
            "severity", "str", "alert, error, warning or info", "where the line claims none", "first word of the line"
        ),
        _QUEUE,
        Column(
            "run", "Int64", _RUN, "for lines of other programs than qmail-send and todo-proc", "counted while reading"
        ),
        Column(
            "message_number",
            "Int64",
            "number of the message: the inode of mess/N",
            _UNSAID,
            "line, or the path scanned",
        ),
        Column("delivery_number", "Int64", "number of the delivery within its run", _UNSAID, "qmail-send's lines"),
        Column("channel", "str", "local or remote", _UNSAID, "qmail-send's and todo-proc's lines"),
        Column(
            "sender",
            "str",
            'envelope sender; "" is the sender of a bounce',
            _UNSAID,
            "info msg, local:, remote:, qmail-smtpd",
        ),
        Column("recipient", "str", "envelope recipient", _UNSAID, "starting delivery, local:, remote:, qmail-smtpd"),
        Column(
            "message_bytes", "Int64", "size of the message", _UNSAID, "info msg, local:, remote:, qmail-smtpd", "octets"
        ),
        Column(
            "qp",
            "Int64",
            "long-term queue identifier; in bounce msg the bounce's",
            _UNSAID,
            "info msg, bounce msg, qmail-smtpd",
        ),
        Column("uid", "Int64", "user id of who queued the message", _UNSAID, "info msg"),
        Column(
            "pid", "Int64", "process id that the line names", _UNSAID, "start and exit lines, qmail-smtpd, tcpserver"
        ),
        Column("outcome", "str", "success, failure or deferral", _UNSAID, _SEND_END),
        Column("report", "str", "what the delivery program said, as qmail-send logs it", _UNSAID, _SEND_END),
        Column("local_used", "Int64", "local deliveries under way", _UNSAID, "status", "deliveries"),
        Column("local_max", "Int64", "most local deliveries at once", _UNSAID, "status", "deliveries"),
        Column("remote_used", "Int64", "remote deliveries under way", _UNSAID, "status", "deliveries"),
        Column("remote_max", "Int64", "most remote deliveries at once", _UNSAID, "status", "deliveries"),
        Column("remote_ip", "str", "address of the client", _UNSAID, "qmail-smtpd, tcpserver"),
        Column("path", "str", "what was scanned", _UNSAID, "clamd"),
        Column("signature", "str", "name of the signature found", _UNSAID, "clamd"),
        Column("text", "str", "the line without its stamp; of an over-long line the first 64 KiB", NEVER, "line"),
        Column(
            "label_kind", "str", "kind of the stamp: tai64n, iso, splogger, unix, clamav or none", NEVER, "logs.labels"
        ),
        Column("file", "str", "file that the line is from", NEVER + ': "" for octets in memory', "the reader"),
        Column("line_number", "int64", "line in that file, counted from 1", NEVER, "the reader"),
        Column(
            "byte_offset",
            "int64",
            "first octet of the line in that file, after decompression",
            NEVER,
            "the reader",
            "octets",
        ),
        Column(
            "line_bytes", "int64", "length of the line with its stamp, without its end", NEVER, "the reader", "octets"
        ),
        Column("is_whole", "bool", "the line has an end; the last one of a growing file may not", NEVER, "the reader"),
    ),
    key=("file", "byte_offset"),
)
"""Every line of a log is one row, in the order of the log: the row number is the line's position among all that was
read."""

_POSITION: Final = "row of EVENTS"

DELIVERIES: Final = Table(
    "DELIVERIES",
    "one attempt to deliver to one recipient; an attempt whose start or end is not in the log is a row too",
    (
        _QUEUE,
        Column("run", "int64", _RUN, NEVER, "counted while reading"),
        Column(
            "delivery_number", "int64", "number of the delivery within its run", NEVER, "starting delivery, delivery"
        ),
        Column("message_number", "Int64", "number of the message", _NO_START, _SEND_START),
        Column("lifetime", "Int64", _LIFETIME, _NO_START, "new msg, end msg"),
        Column("channel", "str", "local or remote", _NO_START, _SEND_START),
        Column("recipient", "str", "envelope recipient, cleaned as qmail-send logs it", _NO_START, _SEND_START),
        Column("sender", "str", 'envelope sender of the message; "" for a bounce', _NO_INFO, _INFO),
        Column("qp", "Int64", "long-term queue identifier of the message", _NO_INFO, _INFO),
        Column("uid", "Int64", "user id of who queued the message", _NO_INFO, _INFO),
        Column("message_bytes", "Int64", "size of the message", _NO_INFO, _INFO, "octets"),
        Column(
            "queued_at",
            "datetime64[ns, UTC]",
            "when the message was preprocessed: matchup's birth",
            'where the log has no "new msg" or "info msg" line of the message',
            _INFO,
            attribute="queued_ns",
        ),
        Column(
            "started_at",
            "datetime64[ns, UTC]",
            "when the attempt began",
            _NO_START,
            _SEND_START,
            attribute="started_ns",
        ),
        Column(
            "ended_at",
            "datetime64[ns, UTC]",
            "when the attempt ended",
            "while it is under way, or cut off by qmail-send's exit",
            _SEND_END,
            attribute="ended_ns",
        ),
        Column(
            "outcome",
            "str",
            "success, failure or deferral",
            "while it is under way, or cut off by qmail-send's exit",
            _SEND_END,
        ),
        Column(
            "report", "str", "what the delivery program said, as qmail-send logs it", "without an outcome", _SEND_END
        ),
        Column(
            "is_open", "bool", "under way at the end of the log", NEVER, "no end, and the same qmail-send still runs"
        ),
        Column("start_event", "Int64", "line of the start", _NO_START, "the reader", _POSITION),
        Column("end_event", "Int64", "line of the end", "without an end in the log", "the reader", _POSITION),
    ),
    key=("queue", "run", "delivery_number"),
)
"""The rows are in the order in which the attempts began. Waiting time = ended_at - queued_at; time of the attempt =
ended_at - started_at. What a row tells of its message is what the log had told when the attempt ended."""

MESSAGES: Final = Table(
    "MESSAGES",
    'one life of a message number in a queue, from "new msg" to "end msg", as far as the log shows it',
    (
        _QUEUE,
        Column(
            "message_number", "int64", "number of the message: the inode of mess/N", NEVER, "every line of the message"
        ),
        Column("lifetime", "int64", _LIFETIME, NEVER, "new msg, end msg"),
        Column("sender", "str", 'envelope sender, cleaned as qmail-send logs it; "" for a bounce', _NO_INFO, _INFO),
        Column("qp", "Int64", "long-term queue identifier", _NO_INFO, _INFO),
        Column("uid", "Int64", "user id of who queued it", _NO_INFO, _INFO),
        Column("message_bytes", "Int64", "size of the message", _NO_INFO, _INFO, "octets"),
        Column(
            "recipient_count",
            "Int64",
            "recipients that todo-proc listed",
            "where the log has no such lines (2010, plain qmail)",
            "the lines local: and remote: (todo-proc.c log_stat())",
            "recipients",
        ),
        Column(
            "queued_at",
            "datetime64[ns, UTC]",
            "when it was preprocessed: matchup's birth",
            'where the log has no "new msg" or "info msg" line of the message',
            _INFO,
            attribute="queued_ns",
        ),
        Column(
            "ended_at",
            "datetime64[ns, UTC]",
            "when it left the queue",
            "while it is open, or where the log lost its end",
            _END_MSG,
            attribute="ended_ns",
        ),
        Column("successes", "int64", "deliveries that succeeded", NEVER, _SEND_END, "deliveries"),
        Column("failures", "int64", "deliveries that failed for ever", NEVER, _SEND_END, "deliveries"),
        Column("deferrals", "int64", "deliveries that were deferred", NEVER, _SEND_END, "deliveries"),
        Column(
            "bounce_qp",
            "Int64",
            "long-term queue identifier of its bounce",
            "without a bounce",
            'the line "bounce msg"',
        ),
        Column("is_open", "bool", "in the queue at the end of the log", NEVER, 'no "end msg" yet, and no later life'),
        Column("first_event", "int64", "its first line", NEVER, "the reader", _POSITION),
        Column("end_event", "Int64", 'its "end msg" line', "without an end in the log", "the reader", _POSITION),
    ),
    key=("queue", "message_number", "lifetime"),
)
"""The rows are in the order of the messages' first lines."""

_FRESHCLAM: Final = "freshclam's lines (freshclam/freshclam.c)"
_RELOAD: Final = "clamd's lines (clamd/server-th.c)"
_STARTED: Final = Column(
    "started_at", "datetime64[ns, UTC]", "its first line", "without a stamp", "the log", attribute="start_unix_ns"
)
_ENDED: Final = Column(
    "ended_at", "datetime64[ns, UTC]", "its last line", "without a stamp or an end", "the log", attribute="end_unix_ns"
)

FRESHCLAM_RUNS: Final = Table(
    "FRESHCLAM_RUNS",
    "one time that freshclam looked for new signatures",
    (
        Column("run_number", "int64", "counted from 1 in the order of the log", NEVER, "the reader"),
        _STARTED,
        _ENDED,
        Column("outcome", "str", "updated, current, failed, or open where the log does not say", NEVER, _FRESHCLAM),
        Column("updated_files", "str", "files that became new", NEVER, _FRESHCLAM),
        Column("error_count", "int64", "lines that tell an error", NEVER, _FRESHCLAM, "lines"),
        Column("warning_count", "int64", "lines that tell a warning", NEVER, _FRESHCLAM, "lines"),
        Column("last_error", "str", "the last of its errors", NEVER, _FRESHCLAM),
        Column("is_clamd_notified", "bool", "clamd was told of it", NEVER, _FRESHCLAM),
    ),
    key=("run_number",),
)
"""The rows are in the order of the log."""

CLAMD_RELOADS: Final = Table(
    "CLAMD_RELOADS",
    "one time that clamd read its signatures anew while it ran",
    (
        Column("reload_number", "int64", "counted from 1 in the order of the log", NEVER, "the reader"),
        _STARTED,
        _ENDED,
        Column("outcome", "str", "loaded, failed, or open where the log does not say", NEVER, _RELOAD),
        Column("signature_count", "Int64", "signatures that it has now", "without success", _RELOAD, "signatures"),
    ),
    key=("reload_number",),
)
"""The rows are in the order of the log."""

TABLES: Final = (EVENTS, DELIVERIES, MESSAGES, FRESHCLAM_RUNS, CLAMD_RELOADS)
"""Every table."""
