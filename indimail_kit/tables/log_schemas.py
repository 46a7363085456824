"""The columns of the tables that are drawn from EVENTS (status lines, scans, SMTP sessions); `schemas`' rules hold."""

from __future__ import annotations

from typing import Final

from indimail_kit.tables.schemas import EVENTS, NEVER, Column, Table

_TIME: Final = EVENTS["time"]
_QUEUE: Final = EVENTS["queue"]
_EVENT: Final = Column("event", "int64", "the line", NEVER, "the reader", "row of EVENTS")
_STATUS: Final = 'the line "status:" (qmail-send.c)'
_CLAMD: Final = "clamd's lines (clamd/scanner.c)"
_SMTPD: Final = "qmail-smtpd's lines (smtpd.c)"
_TCPSERVER: Final = "tcpserver's lines (tcpserver.c)"

STATUS: Final = Table(
    "STATUS",
    "one status line of qmail-send: how many deliveries are under way from here on",
    (
        _TIME,
        _QUEUE,
        Column("local_used", "int64", "local deliveries under way", NEVER, _STATUS, "deliveries"),
        Column("local_max", "int64", "most local deliveries at once", NEVER, _STATUS, "deliveries"),
        Column("remote_used", "int64", "remote deliveries under way", NEVER, _STATUS, "deliveries"),
        Column("remote_max", "int64", "most remote deliveries at once", NEVER, _STATUS, "deliveries"),
        _EVENT,
    ),
    key=("event",),
)
"""The rows are in the order of the log. A status line of a form that lacks a number counts 0 there."""

SCANS: Final = Table(
    "SCANS",
    "one file or stream that clamd tells of",
    (
        _TIME,
        Column("path", "str", "what was scanned", "where the line does not say it", _CLAMD),
        Column("queue", "str", "queue whose message it was", NEVER + ': "" for other paths', "the path"),
        Column(
            "message_number",
            "Int64",
            "number of the message; the number may have been another message's, too",
            "for other paths",
            "the path",
        ),
        Column("verdict", "str", "CLEAN, INFECTED or ERROR", NEVER, "OK, FOUND, ERROR at the end of the line"),
        Column("signature", "str", "name of the signature found", "unless INFECTED", _CLAMD),
        _EVENT,
    ),
    key=("event",),
)
"""The rows are in the order of the log. clamd tells of clean files only with LogClean."""

SESSIONS: Final = Table(
    "SESSIONS",
    "one connection of an SMTP client: what tcpserver and qmail-smtpd say of one process, from its start to its end",
    (
        Column("pid", "int64", "process id, used again by later sessions", NEVER, "tcpserver, qmail-smtpd"),
        Column("pid_lifetime", "int64", "which session of this pid in the log, counted from 1", NEVER, "the reader"),
        Column("remote_ip", "str", "address of the client", "where no line of the session says it", _TCPSERVER),
        Column(
            "started_at",
            "datetime64[ns, UTC]",
            "when the client connected",
            "where the log does not show the start",
            'the line "pid" (tcpserver.c)',
        ),
        Column(
            "ended_at",
            "datetime64[ns, UTC]",
            "when the process ended",
            "while it runs, or where the log does not show the end",
            'the lines "sigchild" and "end" (tcpserver.c)',
        ),
        Column("is_denied", "bool", "tcpserver's rules kept the client out", NEVER, 'the line "deny" (tcpserver.c)'),
        Column("tls", "str", "version of TLS, or No", "where no line of the session says it", _SMTPD),
        Column("auth_user", "str", "who the client said it is; the last one", "where none was named", _SMTPD),
        Column(
            "auth_result",
            "str",
            "success, wrong_password (exit 1 or 2 of the checker) or error (refused, broken off, nobody could check);"
            " success if any attempt had it, else the last one. A login without a message is not logged",
            "without AUTH",
            _SMTPD,
        ),
        Column("wrong_passwords", "int64", "AUTH attempts with a wrong password", NEVER, _SMTPD, "attempts"),
        Column("accepted", "int64", "recipients of messages that qmail-queue took", NEVER, _SMTPD, "recipients"),
        Column(
            "refused",
            "int64",
            "recipients of messages that qmail-queue did not take (a virus, a full disk)",
            NEVER,
            _SMTPD,
            "recipients",
        ),
        Column(
            "rejected",
            "int64",
            "commands turned down before a message was taken: no relay, a domain without DNS, a list of those denied,"
            " too big, banned content",
            NEVER,
            _SMTPD,
            "commands",
        ),
        Column(
            "qp",
            "Int64",
            "process id of the qmail-queue that refused; the last one. Of accepted messages the log does not tell it",
            "where nothing was refused",
            _SMTPD,
        ),
        Column("first_event", "int64", "its first line", NEVER, "the reader", "row of EVENTS"),
        Column("last_event", "int64", "its last line", NEVER, "the reader", "row of EVENTS"),
    ),
    key=("pid", "pid_lifetime"),
)
"""The rows are in the order of the sessions' first lines."""

AUTH_ATTEMPTS: Final = Table(
    "AUTH_ATTEMPTS",
    "one AUTH that failed, or one user of a session that sent a message after AUTH",
    (
        _TIME,
        Column("pid", "int64", "process id of qmail-smtpd", NEVER, _SMTPD),
        Column("pid_lifetime", "int64", "which session of this pid, see SESSIONS", NEVER, "the reader"),
        Column("remote_ip", "str", "address of the client", NEVER, _SMTPD),
        Column("auth_user", "str", 'who the client said it is; "" where the mechanism does not tell', NEVER, _SMTPD),
        Column("auth_result", "str", "success, wrong_password or error, see SESSIONS", NEVER, _SMTPD),
        _EVENT,
    ),
    key=("event",),
)
"""The rows are in the order of the log."""

LOG_TABLES: Final = (STATUS, SCANS, SESSIONS, AUTH_ATTEMPTS)
"""Every table that is drawn from EVENTS."""
