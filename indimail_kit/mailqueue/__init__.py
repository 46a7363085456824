"""Queueing: where a message waits, between qmail-smtpd (or qmail-inject) and qmail-send.

On the way of a mail this is the room after the rules and around the scan: `enqueue` is qmail-queue, `choose_queue` is
qmail-multi, `read_message` looks at what lies in a queue without changing anything.

    client ──► auth ──► control ──► qhpsi ──► **mailqueue** ──► delivery ──► logs ──► …
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.mailqueue.check import check_message as check_message
from indimail_kit.mailqueue.check import check_queue as check_queue
from indimail_kit.mailqueue.enqueue import enqueue as enqueue
from indimail_kit.mailqueue.enqueue import plan_records as plan_records
from indimail_kit.mailqueue.layout import KINDS as KINDS
from indimail_kit.mailqueue.layout import SPLIT as SPLIT
from indimail_kit.mailqueue.layout import QueueLayout as QueueLayout
from indimail_kit.mailqueue.layout import create_queue as create_queue
from indimail_kit.mailqueue.layout import detect_layout as detect_layout
from indimail_kit.mailqueue.multi import QUEUE_BASE as QUEUE_BASE
from indimail_kit.mailqueue.multi import check_free_space as check_free_space
from indimail_kit.mailqueue.multi import choose_queue as choose_queue
from indimail_kit.mailqueue.multi import create_queues as create_queues
from indimail_kit.mailqueue.multi import layout_from_environ as layout_from_environ
from indimail_kit.mailqueue.picture import Snapshot as Snapshot
from indimail_kit.mailqueue.queues import Queues as Queues
from indimail_kit.mailqueue.queues import open_queues as open_queues
from indimail_kit.mailqueue.rows import MessageRow as MessageRow
from indimail_kit.mailqueue.rows import RecipientRow as RecipientRow
from indimail_kit.mailqueue.snapshot import MessageFiles as MessageFiles
from indimail_kit.mailqueue.snapshot import QueueFile as QueueFile
from indimail_kit.mailqueue.snapshot import list_messages as list_messages
from indimail_kit.mailqueue.snapshot import read_message as read_message
from indimail_kit.mailqueue.states import PATTERNS as PATTERNS
from indimail_kit.mailqueue.states import QueueState as QueueState
from indimail_kit.mailqueue.states import state_of as state_of
from indimail_kit.mailqueue.values import INDIMAIL as INDIMAIL
from indimail_kit.mailqueue.values import QMAIL as QMAIL
from indimail_kit.mailqueue.values import SAFE as SAFE
from indimail_kit.mailqueue.values import Queued as Queued
from indimail_kit.mailqueue.values import QueueScan as QueueScan
from indimail_kit.mailqueue.values import ScanOutcome as ScanOutcome
from indimail_kit.mailqueue.values import Step as Step
from indimail_kit.mailqueue.values import SyncPolicy as SyncPolicy
from indimail_kit.mailqueue.violations import RULES as RULES
from indimail_kit.mailqueue.violations import Violation as Violation

if TYPE_CHECKING:
    from indimail_kit.mailqueue.crash import CRASH_MODELS as CRASH_MODELS
    from indimail_kit.mailqueue.crash import CrashState as CrashState
    from indimail_kit.mailqueue.crash import CrashVerdict as CrashVerdict
    from indimail_kit.mailqueue.crash import crash_counts as crash_counts
    from indimail_kit.mailqueue.crash import crash_states as crash_states
    from indimail_kit.mailqueue.live import LiveEvent as LiveEvent
    from indimail_kit.mailqueue.live import LiveQueues as LiveQueues
    from indimail_kit.mailqueue.recorder import record_enqueue as record_enqueue
    from indimail_kit.mailqueue.tape import Tape as Tape

_LATER: Final = {
    "crash": ("CRASH_MODELS", "CrashState", "CrashVerdict", "crash_counts", "crash_states"),
    "live": ("LiveEvent", "LiveQueues"),
    "recorder": ("record_enqueue",),
    "tape": ("Tape",),
}
"""Module of this room -> the public names that are imported when they are first asked for: a drop-in for qmail-queue
is started for each mail, and needs none of them."""

__all__ = [
    "CRASH_MODELS",
    "INDIMAIL",
    "KINDS",
    "PATTERNS",
    "QMAIL",
    "QUEUE_BASE",
    "RULES",
    "SAFE",
    "SPLIT",
    "CrashState",
    "CrashVerdict",
    "LiveEvent",
    "LiveQueues",
    "MessageFiles",
    "MessageRow",
    "QueueFile",
    "QueueLayout",
    "QueueScan",
    "QueueState",
    "Queued",
    "Queues",
    "RecipientRow",
    "ScanOutcome",
    "Snapshot",
    "Step",
    "SyncPolicy",
    "Tape",
    "Violation",
    "check_free_space",
    "check_message",
    "check_queue",
    "choose_queue",
    "crash_counts",
    "crash_states",
    "create_queue",
    "create_queues",
    "detect_layout",
    "enqueue",
    "layout_from_environ",
    "list_messages",
    "open_queues",
    "plan_records",
    "read_message",
    "record_enqueue",
    "state_of",
]


def __getattr__(name: str) -> Any:
    """Import a public name, or its module, when it is first asked for."""
    for module_name, names in _LATER.items():
        if name in (module_name, *names):
            module = importlib.import_module(f"indimail_kit.mailqueue.{module_name}")
            return module if name == module_name else getattr(module, name)
    raise AttributeError(f"module 'indimail_kit.mailqueue' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
