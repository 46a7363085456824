"""The columns of a block's table and the codes that stand in them: plain numbers, because compiled code reads them.

Rule 1: a row is a line; -1 is null, except where a column says otherwise.
Rule 2: a span is two columns, first octet and the one behind the last, in the block's octets; -1, -1 is null.
"""

from __future__ import annotations

from typing import Final

START: Final = 0
"""First octet of the line in the block."""
END: Final = 1
"""Octet behind its last one, without the line's end."""
TEXT: Final = 2
"""First octet behind the stamp."""
UNIX_NS: Final = 3
"""Time of the stamp (unit: ns since 1970); NO_TIME without one."""
LABEL: Final = 4
"""Kind of the stamp: position in `labels.LABEL_KINDS`."""
KIND: Final = 5
"""Kind of the line: position in `columns.KIND_NAMES`."""
RUN: Final = 6
"""Run of qmail-send, see `event.Event.run`."""
QUEUE: Final = 7
"""Queue: position in the block's list of names."""
MESSAGE: Final = 8
"""Number of the message."""
DELIVERY: Final = 9
"""Number of the delivery."""
CHANNEL: Final = 10
"""Position in CHANNELS."""
OUTCOME: Final = 11
"""Position in OUTCOMES."""
BYTES: Final = 12
"""Size of the message (unit: octets)."""
QP: Final = 13
"""Long-term queue identifier."""
UID: Final = 14
"""User id."""
PID: Final = 15
"""Process id that the line names."""
LOCAL_USED: Final = 16
"""Local deliveries under way; in an "extra" line the successes so far."""
LOCAL_MAX: Final = 17
"""Most local deliveries at once; in an "extra" line the deferrals so far."""
REMOTE_USED: Final = 18
"""Remote deliveries under way; in an "extra" line the failures so far."""
REMOTE_MAX: Final = 19
"""Most remote deliveries at once."""
SENDER: Final = 20
"""Span of the envelope sender (two columns)."""
RECIPIENT: Final = 22
"""Span of the envelope recipient (two columns)."""
REPORT: Final = 24
"""Span of the report (two columns)."""
COLUMNS: Final = 26
"""Number of columns."""

NO_TIME: Final = -(2**63)
"""A time that is null: what numpy reads as "not a time"."""

CHANNELS: Final = ("local", "remote")
"""Codes of the channels."""

OUTCOMES: Final = ("success", "failure", "deferral")
"""Codes of the outcomes."""

# The kinds that the kernels know by number; the others follow them in `columns.KIND_NAMES`.
UNKNOWN: Final = 0
STATUS: Final = 1
NEW_MSG: Final = 2
INFO_MSG: Final = 3
STARTING: Final = 4
ENDED: Final = 5
MANGLED: Final = 6
END_MSG: Final = 7
BOUNCE_MSG: Final = 8
TODO_RECIPIENT: Final = 9
TODO_FILE: Final = 10
EXTRA: Final = 11
SEND_START: Final = 12
SEND_EXIT: Final = 13
SCHEDULER_QUEUE: Final = 14
SCHEDULER_EXIT: Final = 15

KERNEL_KINDS: Final = (
    "unknown", "status", "new_msg", "info_msg", "starting_delivery", "delivery", "delivery_mangled", "end_msg",
    "bounce_msg", "todo_recipient", "todo_file", "extra", "send_start", "send_exit", "scheduler_queue",
    "scheduler_exit",
)  # fmt: skip
"""Names of the kinds above, each at its number."""

UNREAD: Final = -2
"""KIND of a line that the kernel leaves to the grammar."""

NO_RUN: Final = -1
"""RUN of a line that belongs to no run of qmail-send."""
TO_COUNT: Final = -3
"""RUN of a line whose run is still to be counted."""

ISO: Final = 1
"""LABEL of tai64nlocal's stamps, which are in local time."""
