"""The columns of the tables that a snapshot of queues gives; as `schemas`, whose rules hold here too."""

from __future__ import annotations

from typing import Final

from indimail_kit.tables.schemas import NEVER, Column, Table

_QUEUE: Final = Column("queue", "str", "name of the queue", NEVER, "its directory")
_NUMBER: Final = Column(
    "message_number", "int64", "number of the message: the inode of mess/N", NEVER, "name of its files"
)
_NO_FILE: Final = "where no file tells it (yet)"

QUEUE_MESSAGES: Final = Table(
    "QUEUE_MESSAGES",
    "one message of a snapshot",
    (
        _QUEUE,
        _NUMBER,
        Column("state", "str", "S2, S3, S4 or S5", "where no state has its files", "which files exist"),
        Column("split_directory", "int64", "sub-directory of mess", NEVER, "number modulo split"),
        Column("size_bytes", "Int64", "size of the message", "without a mess file", "size of mess", "octets"),
        Column("sender", "str", 'envelope sender; "" is the sender of a bounce', _NO_FILE, "record F of todo or info"),
        Column("birth", "datetime64[ns, UTC]", "when it was preprocessed", "before that", "mtime of info"),
        Column("age_s", "Int64", "time since birth, or since mess was written", "without mess and info", "mtimes", "s"),
        Column("bouncing", "bool", "a bounce is being collected", NEVER, "bounce/N exists"),
        Column("recipients", "int64", "recipients, done ones included", NEVER, "todo, local, remote", "recipients"),
        Column("done", "int64", "recipients delivered, or failed for good", NEVER, "records D", "recipients"),
        Column(
            "next_retry",
            "datetime64[ns, UTC]",
            "the earliest retry of its channels",
            "without a recipient to do, or not preprocessed",
            "mtime of local and remote",
        ),
        Column("anomalies", "int64", "rules that it breaks", NEVER, "mailqueue.check_message", "rules"),
    ),
    key=("queue", "message_number"),
)
"""The rows are in the order of the snapshot: queue by queue, sub-directory by sub-directory."""

QUEUE_RECIPIENTS: Final = Table(
    "QUEUE_RECIPIENTS",
    "one recipient of a message of a snapshot",
    (
        _QUEUE,
        _NUMBER,
        Column("channel", "str", "todo, local or remote", NEVER, "the file that names it"),
        Column("address", "str", "envelope recipient", NEVER, "records T and D"),
        Column("domain", "str", 'what follows the last @, in lower case; "" without one', NEVER, "the address"),
        Column("done", "bool", "delivered, or failed for good", NEVER, "record D"),
        Column(
            "next_retry",
            "datetime64[ns, UTC]",
            "next retry as of the last stop of qmail-send; while that runs, when the file was last written",
            "when done, or not preprocessed",
            "mtime of local or remote (qmail-send.c pqfinish())",
        ),
        Column(
            "following_retry",
            "datetime64[ns, UTC]",
            "the retry after that, if it comes as soon as it may: birth + (square root of age + 10 or 20)**2",
            "as next_retry",
            "qmail-send.c nextretry()",
        ),
    ),
    key=("queue", "message_number", "channel", "address"),
)
"""The rows are in the order of the messages; an address that a file names twice is two rows."""

QUEUE_ANOMALIES: Final = Table(
    "QUEUE_ANOMALIES",
    "one rule that a file of a queue breaks",
    (
        _QUEUE,
        Column("message_number", "Int64", "number of the message", "where it is no message's", "name of the file"),
        Column("path", "str", "the file, below the queue directory", NEVER, "the snapshot"),
        Column("rule", "str", "name of the rule", NEVER, "mailqueue.violations.RULES"),
        Column("text", "str", "what it is in this case", NEVER, "mailqueue.check_message"),
        Column("why", "str", "why it matters and what happens next", NEVER, "mailqueue.violations.RULES"),
    ),
    key=("queue", "path", "rule"),
)
"""The rows are in the order of the snapshot."""

BUCKETS_MIN: Final = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
"""Upper ends of the age buckets (unit: min); the last bucket has none. Source: Postfix qshape(1)."""

BUCKET_NAMES: Final = (*map(str, BUCKETS_MIN), f"{BUCKETS_MIN[-1]}+")
"""Names of the columns of the age buckets."""

QSHAPE: Final = Table(
    "QSHAPE",
    "one domain, with what waits for it by age",
    (
        Column("domain", "str", 'domain of recipient or sender; "" without one, bounces among them', NEVER, "address"),
        Column("total", "int64", "recipients to do, or messages by sender", NEVER, "the snapshot"),
        *(
            Column(name, "int64", f"of them, younger than {name} minutes and in no bucket before", NEVER, "age")
            for name in BUCKET_NAMES[:-1]
        ),
        Column(BUCKET_NAMES[-1], "int64", f"of them, of {BUCKETS_MIN[-1]} minutes or older", NEVER, "age"),
    ),
    key=("domain",),
)
"""The domain with the most comes first."""

QUEUE_TABLES: Final = (QUEUE_MESSAGES, QUEUE_RECIPIENTS, QUEUE_ANOMALIES, QSHAPE)
"""Every table of a snapshot."""
