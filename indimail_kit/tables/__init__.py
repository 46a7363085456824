"""The room of the tables: what happened to the mail, as DataFrames.

Place in the mail's journey: behind `logs`, before `trace` and the widgets. pandas starts here; the columns, their
dtypes, units and null rules are said once, in `schemas` and `queue_schemas`; `frames` makes the tables of logs,
`queue_frames` those of a snapshot, `event_frames` draws status lines, scans and SMTP sessions from EVENTS; `questions`
answers an administrator's, and ``frame.qmail`` asks them of a table.
"""

from __future__ import annotations

from indimail_kit.tables import questions as questions
from indimail_kit.tables.event_frames import auth_frame as auth_frame
from indimail_kit.tables.event_frames import scans_frame as scans_frame
from indimail_kit.tables.event_frames import sessions_frame as sessions_frame
from indimail_kit.tables.event_frames import status_frame as status_frame
from indimail_kit.tables.frames import as_text as as_text
from indimail_kit.tables.frames import build_frame as build_frame
from indimail_kit.tables.frames import deliveries_frame as deliveries_frame
from indimail_kit.tables.frames import events_frame as events_frame
from indimail_kit.tables.frames import messages_frame as messages_frame
from indimail_kit.tables.log_schemas import AUTH_ATTEMPTS as AUTH_ATTEMPTS
from indimail_kit.tables.log_schemas import SCANS as SCANS
from indimail_kit.tables.log_schemas import SESSIONS as SESSIONS
from indimail_kit.tables.log_schemas import STATUS as STATUS
from indimail_kit.tables.questions import qshape as qshape
from indimail_kit.tables.queue_frames import anomalies as anomalies
from indimail_kit.tables.queue_frames import messages as messages
from indimail_kit.tables.queue_frames import recipients as recipients
from indimail_kit.tables.queue_schemas import QSHAPE as QSHAPE
from indimail_kit.tables.queue_schemas import QUEUE_ANOMALIES as QUEUE_ANOMALIES
from indimail_kit.tables.queue_schemas import QUEUE_MESSAGES as QUEUE_MESSAGES
from indimail_kit.tables.queue_schemas import QUEUE_RECIPIENTS as QUEUE_RECIPIENTS
from indimail_kit.tables.queue_schemas import QUEUE_TABLES as QUEUE_TABLES
from indimail_kit.tables.queue_schemas import QUEUES as QUEUES
from indimail_kit.tables.queue_schemas import STUCK as STUCK
from indimail_kit.tables.queue_schemas import STUCK_REASONS as STUCK_REASONS
from indimail_kit.tables.schemas import DELIVERIES as DELIVERIES
from indimail_kit.tables.schemas import EVENTS as EVENTS
from indimail_kit.tables.schemas import MESSAGES as MESSAGES
from indimail_kit.tables.schemas import TABLES as TABLES
from indimail_kit.tables.schemas import Column as Column
from indimail_kit.tables.schemas import Table as Table
from indimail_kit.tables.tapes import CRASHES as CRASHES
from indimail_kit.tables.tapes import TAPE as TAPE
from indimail_kit.tables.tapes import crash_frame as crash_frame
from indimail_kit.tables.tapes import tape_frame as tape_frame

__all__ = [
    "AUTH_ATTEMPTS",
    "CRASHES",
    "DELIVERIES",
    "EVENTS",
    "MESSAGES",
    "QSHAPE",
    "QUEUES",
    "QUEUE_ANOMALIES",
    "QUEUE_MESSAGES",
    "QUEUE_RECIPIENTS",
    "QUEUE_TABLES",
    "SCANS",
    "SESSIONS",
    "STATUS",
    "STUCK",
    "STUCK_REASONS",
    "TABLES",
    "TAPE",
    "Column",
    "Table",
    "anomalies",
    "as_text",
    "auth_frame",
    "build_frame",
    "crash_frame",
    "deliveries_frame",
    "events_frame",
    "messages",
    "messages_frame",
    "qshape",
    "questions",
    "recipients",
    "scans_frame",
    "sessions_frame",
    "status_frame",
    "tape_frame",
]
