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

_NO_DEFERRAL: Final = "where no deferral is known"

STUCK: Final = Table(
    "STUCK",
    "one recipient that a message of the queue still has to reach, and why it was not reached yet",
    (
        _QUEUE,
        _NUMBER,
        QUEUE_RECIPIENTS["channel"],
        QUEUE_RECIPIENTS["address"],
        QUEUE_RECIPIENTS["domain"],
        QUEUE_MESSAGES["sender"],
        QUEUE_MESSAGES["age_s"],
        QUEUE_RECIPIENTS["next_retry"],
        Column("deferrals", "int64", "deferrals of this recipient in the log", NEVER, "DELIVERIES", "deliveries"),
        Column("last_at", "datetime64[ns, UTC]", "when it was deferred last", _NO_DEFERRAL, "DELIVERIES"),
        Column("reason", "str", "reason of that, with marks for what differs each time", _NO_DEFERRAL, "DELIVERIES"),
        Column("text", "str", "the same as it was logged", _NO_DEFERRAL, "DELIVERIES"),
        Column(
            "confidence",
            "str",
            "certain: number, birth, size and sender agree, or likely: one of them is not told or was changed",
            _NO_DEFERRAL,
            "the join of MESSAGES by queue, number and lifetime",
        ),
        Column("note", "str", "why no reason is known, or why it is only likely", 'never: "" for nothing', "the join"),
    ),
    key=("queue", "message_number", "channel", "address"),
)
"""The rows are in the order of QUEUE_RECIPIENTS; recipients that are done are left out."""

STUCK_REASONS: Final = Table(
    "STUCK_REASONS",
    "one reason for which recipients wait",
    (
        Column("reason", "str", "the reason, or why none is known", NEVER, "STUCK"),
        Column("is_known", "bool", "it is what the log says, no guess and no gap", NEVER, "STUCK"),
        Column("recipients", "int64", "recipients that wait for it", NEVER, "STUCK", "recipients"),
        Column("likely", "int64", "of these, those that are likely only", NEVER, "STUCK", "recipients"),
        Column("messages", "int64", "messages of these", NEVER, "STUCK", "messages"),
        Column("domains", "int64", "domains of these", NEVER, "STUCK", "domains"),
        Column("oldest_age_s", "Int64", "age of the oldest of these messages", "where no age is known", "STUCK", "s"),
        Column("next_retry", "datetime64[ns, UTC]", "the earliest next retry", "without one", "STUCK"),
        Column("last_at", "datetime64[ns, UTC]", "the last deferral", _NO_DEFERRAL, "STUCK"),
        Column("example", "str", "the text of one", _NO_DEFERRAL, "STUCK"),
    ),
    key=("reason", "is_known"),
)
"""The reason of the most recipients comes first; what is not known stands behind what is."""

QUEUES: Final = Table(
    "QUEUES",
    "one queue, looked at as a whole",
    (
        _QUEUE,
        Column("messages", "int64", "messages in any state", NEVER, "QUEUE_MESSAGES", "messages"),
        Column("writing", "int64", "of these, S2 and S3: qmail-queue is not done", NEVER, "QUEUE_MESSAGES", "messages"),
        Column("waiting", "int64", "of these, S4: todo-proc has not taken them", NEVER, "QUEUE_MESSAGES", "messages"),
        Column("delivering", "int64", "of these, S5: preprocessed", NEVER, "QUEUE_MESSAGES", "messages"),
        Column("broken", "int64", "of these, in no state", NEVER, "QUEUE_MESSAGES", "messages"),
        Column("bouncing", "int64", "of these, with a bounce that is being collected", NEVER, "bounce", "messages"),
        Column("to_do", "int64", "recipients that are not done", NEVER, "QUEUE_MESSAGES", "recipients"),
        Column("size_bytes", "int64", "size of the messages", NEVER, "QUEUE_MESSAGES", "octets"),
        Column("oldest_age_s", "Int64", "age of the oldest", "where no age is known", "QUEUE_MESSAGES", "s"),
        Column("anomalies", "int64", "rules that are broken", NEVER, "QUEUE_ANOMALIES", "rules"),
        Column("holder_pid", "Int64", "process of qmail-send that holds the queue; 0 = one that cannot be seen",
               "where nobody holds it, or it cannot be told", "/proc/locks"),
        Column("free_bytes", "int64", "room left on its disk for a plain user", NEVER, "statvfs", "octets"),
        Column("free_inodes", "Int64", "files that can still be made there", "where the file system has no limit",
               "statvfs", "inodes"),
    ),
    key=("queue",),
)  # fmt: skip
"""The rows are in the order of the queues."""

QUEUE_TABLES: Final = (QUEUE_MESSAGES, QUEUE_RECIPIENTS, QUEUE_ANOMALIES, QSHAPE, STUCK, STUCK_REASONS, QUEUES)
"""Every table of a snapshot."""
