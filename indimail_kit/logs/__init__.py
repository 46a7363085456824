"""The room of the logs: the trace that a message leaves, written letter for letter and read back.

Place in the mail's journey: behind `delivery`, before `tables`. qmail-send, todo-proc, qmail-smtpd, tcpserver, clamd
and freshclam say what happened in lines of text; here every line becomes an event, and the events become deliveries and
messages::

    log = read("/var/log/indimail/deliver.25")      # a multilog directory, a file, octets
    log.events, log.deliveries, log.messages        # DataFrames, see indimail_kit.tables.schemas

- `grammar`: the one table of line forms, `format_line`, `parse_line`; `send_forms`, `smtp_forms`, `clamav` hold its
  parts
- `template`, `fields`: the small language of the forms, and what may stand in a field
- `labels`: the stamp at the start of a line
- `blocks`: files -> blocks of octets; `engine`: blocks -> columns (`kernel`, `columns`) or events; `speed`: how fast
- `join`: blocks -> deliveries and messages as columns (`join_kernel`); `matchup`: as values; `log`: all together
- `cluster`: the same on many machines, over Dask
- `follow`: a log that is being written, over every turn of multilog's files (`rotation`, `position`); `live_log`: the
  same as tables that grow
- `files`: which files a log is in, opened one after the other
- `redact`: logs that can be shared; `pseudonyms` for names, `redact_words` for free text
- `clamav_health`: whether the scanner's database, reloads and updates are in order; `clamav_runs` beside it
- `writer`: the file `current` as multilog writes it
"""

from __future__ import annotations

from indimail_kit.logs.clamav_health import ClamavHealth as ClamavHealth
from indimail_kit.logs.clamav_health import clamav_health as clamav_health
from indimail_kit.logs.columns import EventBlock as EventBlock
from indimail_kit.logs.engine import read_blocks as read_blocks
from indimail_kit.logs.engine import read_events as read_events
from indimail_kit.logs.event import UNKNOWN as UNKNOWN
from indimail_kit.logs.event import Event as Event
from indimail_kit.logs.fields import logsafe as logsafe
from indimail_kit.logs.follow import Follower as Follower
from indimail_kit.logs.follow import Notice as Notice
from indimail_kit.logs.grammar import FORMS as FORMS
from indimail_kit.logs.grammar import KINDS as KINDS
from indimail_kit.logs.grammar import format_event as format_event
from indimail_kit.logs.grammar import format_line as format_line
from indimail_kit.logs.grammar import parse_line as parse_line
from indimail_kit.logs.join import JoinedBlock as JoinedBlock
from indimail_kit.logs.join import Joiner as Joiner
from indimail_kit.logs.join import join_blocks as join_blocks
from indimail_kit.logs.labels import split_label as split_label
from indimail_kit.logs.live_log import LiveLog as LiveLog
from indimail_kit.logs.log import Log as Log
from indimail_kit.logs.log import read as read
from indimail_kit.logs.matchup import Delivery as Delivery
from indimail_kit.logs.matchup import Matched as Matched
from indimail_kit.logs.matchup import Message as Message
from indimail_kit.logs.matchup import match as match
from indimail_kit.logs.position import Position as Position
from indimail_kit.logs.redact import Redactor as Redactor
from indimail_kit.logs.redact import redact_lines as redact_lines
from indimail_kit.logs.template import Form as Form
from indimail_kit.logs.writer import LogWriter as LogWriter

__all__ = [
    "FORMS",
    "KINDS",
    "UNKNOWN",
    "ClamavHealth",
    "Delivery",
    "Event",
    "EventBlock",
    "Follower",
    "Form",
    "JoinedBlock",
    "Joiner",
    "LiveLog",
    "Log",
    "LogWriter",
    "Matched",
    "Message",
    "Notice",
    "Position",
    "Redactor",
    "clamav_health",
    "format_event",
    "format_line",
    "join_blocks",
    "logsafe",
    "match",
    "parse_line",
    "read",
    "read_blocks",
    "read_events",
    "redact_lines",
    "split_label",
]
