"""The columns of the answers to an administrator's questions of a log; as `schemas`, whose rules hold here too.

The words are qmailanalog's and qmail-log(5)'s: xdelay is the time of an attempt, from its start to its end; ddelay the
time from the message's birth ("new msg") to the end of an attempt; qtime the time of a message in the queue.
"""

from __future__ import annotations

from typing import Final

from indimail_kit.tables.log_schemas import AUTH_ATTEMPTS, SESSIONS
from indimail_kit.tables.schemas import DELIVERIES, MESSAGES, NEVER, Column, Table

_D: Final = "DELIVERIES"
_M: Final = "MESSAGES"

_ATTEMPTS: Final = Column("attempts", "int64", "attempts that ended", NEVER, f"{_D}; qmailanalog: tries", "deliveries")
_SUCCESSES: Final = Column("successes", "int64", "of them, successes", NEVER, _D, "deliveries")
_FAILURES: Final = Column("failures", "int64", "of them, failures for ever", NEVER, _D, "deliveries")
_DEFERRALS: Final = Column("deferrals", "int64", "of them, deferrals", NEVER, _D, "deliveries")
_XDELAY: Final = Column("xdelay_s", "float64", "time of the attempts, added up", NEVER, _D, "s")
_SUCCESS_BYTES: Final = Column(
    "success_bytes", "int64", "size times recipients that had success", NEVER, "qmailanalog: sbytes", "octets"
)
_FIRST: Final = Column("first_at", "datetime64[ns, UTC]", "the first one", "without a stamp", "the log")
_LAST: Final = Column("last_at", "datetime64[ns, UTC]", "the last one", "without a stamp", "the log")
_BUCKET: Final = Column("time", "datetime64[ns, UTC]", "beginning of the span", NEVER, "the question")

OVERALL: Final = Table(
    "OVERALL",
    "one log as a whole",
    (
        Column("messages", "int64", "messages that ended", NEVER, "zoverall: completed messages", "messages"),
        Column("recipients", "int64", "recipients of these, done or failed", NEVER, "zoverall", "recipients"),
        Column("message_attempts", "int64", "delivery attempts for these messages", NEVER, "zoverall", "deliveries"),
        Column(
            "attempts_per_message", "float64", "delivery attempts for each of these", "without messages", "zoverall"
        ),
        Column("message_bytes", "int64", "size of these messages", NEVER, "zoverall", "octets"),
        _SUCCESS_BYTES,
        Column("qtime_mean_s", "float64", "time of these in the queue, mean", "without messages", "zoverall", "s"),
        _ATTEMPTS,
        _SUCCESSES,
        _FAILURES,
        _DEFERRALS,
        Column("ddelay_s", "float64", "birth to success, added up", NEVER, "zoverall", "s"),
        Column("ddelay_mean_s", "float64", "birth to success, mean", "without successes", "zoverall", "s"),
        _XDELAY,
        Column("xdelay_mean_s", "float64", "time of an attempt, mean", "without attempts", "zoverall", "s"),
        Column("first_at", "datetime64[ns, UTC]", "first birth", "where there is none", "zoverall"),
        Column(
            "last_at", "datetime64[ns, UTC]", "last end of an attempt or message", "where there is none", "zoverall"
        ),
        Column("span_s", "float64", "from first_at to last_at", "where one is missing", "zoverall", "s"),
        Column(
            "concurrency", "float64", "attempts at the same time, mean: xdelay_s / span_s", "without a span", "zoverall"
        ),
        Column("open_messages", "int64", "messages in the queue at the end of the log", NEVER, _M, "messages"),
        Column("open_attempts", "int64", "attempts under way at the end of the log", NEVER, _D, "deliveries"),
        Column("cut_attempts", "int64", "attempts whose start or end the log does not show", NEVER, _D, "deliveries"),
    ),
    key=(),
)
"""One row."""

DELAYS: Final = Table(
    "DELAYS",
    "one share of the successful deliveries, the fastest first",
    (
        Column("percent", "float64", "the share", NEVER, "the question", "%"),
        Column(
            "done_by_s", "float64", "all of these had ended so long after birth", "without successes", "zddist", "s"
        ),
        Column("mean_s", "float64", "mean of their ddelay", "without successes", "zddist", "s"),
        Column("deliveries", "int64", "how many these are", NEVER, _D, "deliveries"),
    ),
    key=("percent",),
)
"""The rows are in the order of the question."""

REASONS: Final = Table(
    "REASONS",
    "one reason for which deliveries ended",
    (
        Column("reason", "str", "what the delivery programs said, with marks for what differs each time", NEVER, _D),
        Column("deliveries", "int64", "how many ended so", NEVER, "zdeferrals: del", "deliveries"),
        _XDELAY,
        Column("messages", "int64", "messages of these deliveries", NEVER, _D, "messages"),
        Column("hosts", "int64", "domains of their recipients", NEVER, _D, "domains"),
        Column("texts", "int64", "different texts that are this reason", NEVER, _D, "texts"),
        _FIRST,
        _LAST,
        Column("example", "str", "the first of these texts", NEVER, _D),
    ),
    key=("reason",),
)
"""The reason of the most deliveries comes first."""

_SENT: Final = (
    Column("messages", "int64", "messages that ended", NEVER, "zsenders: mess", "messages"),
    Column("message_bytes", "int64", "size of these", NEVER, "zsenders: bytes", "octets"),
    _SUCCESS_BYTES,
    Column("recipient_bytes", "int64", "size times recipients", NEVER, "zsenders: rbytes", "octets"),
    Column("recipients", "int64", "recipients of these, done or failed", NEVER, "zsenders: recips", "recipients"),
    Column("attempts", "int64", "delivery attempts for these", NEVER, "zsenders: tries", "deliveries"),
    Column("xdelay_s", "float64", "time of all attempts, of open messages too", NEVER, "zsenders: xdelay", "s"),
)

SENDERS: Final = Table(
    "SENDERS",
    "one sender, as one user of this host",
    (MESSAGES["uid"], MESSAGES["sender"], *_SENT),
    key=("uid", "sender"),
)
"""The sender of the most messages comes first; senders in lower case."""

UIDS: Final = Table("UIDS", "one user of this host who queued mail", (MESSAGES["uid"], *_SENT), key=("uid",))
"""The user of the most messages comes first."""

_RECEIVED: Final = (
    _ATTEMPTS,
    _SUCCESSES,
    _FAILURES,
    _DEFERRALS,
    _SUCCESS_BYTES,
    _XDELAY,
    Column("xdelay_mean_s", "float64", "time of an attempt, mean", "without one that is whole", "zrxdelay: avg", "s"),
    Column("ddelay_mean_s", "float64", "birth to success, mean", "without successes", _D, "s"),
)

RECIPIENTS: Final = Table(
    "RECIPIENTS",
    "one recipient of a channel",
    (DELIVERIES["channel"], DELIVERIES["recipient"], *_RECEIVED),
    key=("channel", "recipient"),
)
"""The recipient of the most attempts comes first; recipients in lower case."""

HOSTS: Final = Table(
    "HOSTS",
    "one domain of recipients, local ones too",
    (
        Column("host", "str", 'what follows the last @, in lower case; "" without one', "without a start", "recipient"),
        Column("recipients", "int64", "different recipients", NEVER, _D, "recipients"),
        *_RECEIVED,
    ),
    key=("host",),
)
"""The host of the most attempts comes first."""

CONCURRENCY: Final = Table(
    "CONCURRENCY",
    "one span of time of one queue",
    (
        _BUCKET,
        Column("queue", "str", "name of the queue", NEVER, "STATUS"),
        Column("local_mean", "float64", "local deliveries under way, mean over time", NEVER, "STATUS", "deliveries"),
        Column("local_peak", "int64", "most of them at once", NEVER, "STATUS", "deliveries"),
        Column("local_max", "int64", "how many may be, at the end of the span", NEVER, "STATUS", "deliveries"),
        Column("remote_mean", "float64", "remote deliveries under way, mean over time", NEVER, "STATUS", "deliveries"),
        Column("remote_peak", "int64", "most of them at once", NEVER, "STATUS", "deliveries"),
        Column("remote_max", "int64", "how many may be, at the end of the span", NEVER, "STATUS", "deliveries"),
    ),
    key=("queue", "time"),
)
"""Queue by queue, in the order of time, without a hole between the first and the last status line of a queue."""

QUEUE_AT: Final = Table(
    "QUEUE_AT",
    "one message that was in the queue at a moment, as far as the log tells",
    (
        *(
            MESSAGES[name]
            for name in ("queue", "message_number", "lifetime", "sender", "qp", "message_bytes", "queued_at")
        ),
        Column("age_s", "float64", "time since its birth", "without queued_at", _M, "s"),
        MESSAGES["recipient_count"],
        Column("done", "int64", "recipients with success or failure by then", NEVER, _D, "recipients"),
        Column("deferrals", "int64", "deferrals by then", NEVER, _D, "deliveries"),
        Column("under_way", "int64", "attempts under way at that moment", NEVER, _D, "deliveries"),
        Column("is_certain", "bool", "the log shows its birth, and its end or that it is still there", NEVER, _M),
    ),
    key=("queue", "message_number", "lifetime"),
)
"""The oldest comes first; those without a birth before all others."""

RATE: Final = Table(
    "RATE",
    "one span of time",
    (
        _BUCKET,
        Column("queued", "int64", "messages that came", NEVER, _M, "messages"),
        Column("queued_bytes", "int64", "size of these", NEVER, _M, "octets"),
        Column("ended", "int64", "messages that ended", NEVER, _M, "messages"),
        Column(
            "waiting", "int64", "messages that have come and not ended, at the end of the span", NEVER, _M, "messages"
        ),
    ),
    key=("time",),
)
"""In the order of time, without a hole: a span in which nothing came is a row of zeros."""

GAPS: Final = Table(
    "GAPS",
    "a time in which nothing came",
    (
        Column("from_at", "datetime64[ns, UTC]", "the last one before", NEVER, "the log"),
        Column("to_at", "datetime64[ns, UTC]", "the first one after", NEVER, "the log"),
        Column("gap_s", "float64", "time between them", NEVER, "the log", "s"),
    ),
    key=("from_at",),
)
"""The longest comes first."""

VIRUS_RATE: Final = Table(
    "VIRUS_RATE",
    "one span of time, or the whole log",
    (
        Column("time", "datetime64[ns, UTC]", "beginning of the span", "without a stamp", "the question"),
        Column("scans", "int64", "scans that clamd tells of", NEVER, "SCANS", "scans"),
        Column("clean", "int64", "of them, clean", NEVER, "SCANS", "scans"),
        Column("infected", "int64", "of them, infected", NEVER, "SCANS", "scans"),
        Column("errors", "int64", "of them, neither: nobody knows", NEVER, "SCANS", "scans"),
        Column(
            "infected_share",
            "float64",
            "infected / (clean + infected)",
            "where no clean scan is in the table (clamd without LogClean), or no scan in the span",
            "SCANS",
        ),
    ),
    key=("time",),
)
"""In the order of time."""

SIGNATURES: Final = Table(
    "SIGNATURES",
    "one signature that was found",
    (
        Column("signature", "str", "its name", NEVER, "SCANS"),
        Column("scans", "int64", "how often it was found", NEVER, "SCANS", "scans"),
        _FIRST,
        _LAST,
    ),
    key=("signature",),
)
"""The most frequent comes first."""

GUESSES: Final = Table(
    "GUESSES",
    "one address from which AUTH failed",
    (
        AUTH_ATTEMPTS["remote_ip"],
        Column("wrong_passwords", "int64", "attempts with a wrong password", NEVER, "AUTH_ATTEMPTS", "attempts"),
        Column("users", "int64", "different users of these", NEVER, "AUTH_ATTEMPTS", "users"),
        Column(
            "strangers",
            "int64",
            "of these users, those who never sent mail after AUTH from here",
            NEVER,
            "AUTH_ATTEMPTS",
        ),
        Column("errors", "int64", "AUTH refused, broken off, or not checked", NEVER, "AUTH_ATTEMPTS", "attempts"),
        Column("sessions", "int64", "connections with failures", NEVER, "AUTH_ATTEMPTS", "sessions"),
        Column("logins", "int64", "sessions that sent mail after AUTH", NEVER, "AUTH_ATTEMPTS", "sessions"),
        Column("is_guessing", "bool", "as many strangers as the question asks for, or more", NEVER, "the question"),
        _FIRST,
        _LAST,
        Column("examples", "str", "the first five of the users", NEVER, SESSIONS["auth_user"].source),
    ),
    key=("remote_ip",),
)
"""Who guesses comes first, then who failed most."""

LOG_ANSWERS: Final = (
    OVERALL, DELAYS, REASONS, SENDERS, UIDS, RECIPIENTS, HOSTS, CONCURRENCY, QUEUE_AT, RATE, GAPS, VIRUS_RATE,
    SIGNATURES, GUESSES,
)  # fmt: skip
"""Every answer."""
