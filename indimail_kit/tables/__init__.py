"""The room of the tables: what happened to the mail, as DataFrames.

Place in the mail's journey: behind `logs`, before `trace` and the widgets. pandas starts here; the columns, their
dtypes, units and null rules are said once, in `schemas`, and `frames` makes the tables.
"""

from __future__ import annotations

from indimail_kit.tables.frames import as_text as as_text
from indimail_kit.tables.frames import build_frame as build_frame
from indimail_kit.tables.frames import deliveries_frame as deliveries_frame
from indimail_kit.tables.frames import events_frame as events_frame
from indimail_kit.tables.frames import messages_frame as messages_frame
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
    "CRASHES",
    "DELIVERIES",
    "EVENTS",
    "MESSAGES",
    "TABLES",
    "TAPE",
    "Column",
    "Table",
    "as_text",
    "build_frame",
    "crash_frame",
    "deliveries_frame",
    "events_frame",
    "messages_frame",
    "tape_frame",
]
