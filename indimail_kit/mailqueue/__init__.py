"""Queueing: where a message waits, between qmail-smtpd (or qmail-inject) and qmail-send.

On the way of a mail this is the room after the rules and around the scan: `enqueue` is qmail-queue, `choose_queue` is
qmail-multi, `read_message` looks at what lies in a queue without changing anything.

    client ──► auth ──► control ──► qhpsi ──► **mailqueue** ──► delivery ──► logs ──► …
"""

from __future__ import annotations

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

__all__ = [
    "INDIMAIL",
    "KINDS",
    "PATTERNS",
    "QMAIL",
    "QUEUE_BASE",
    "RULES",
    "SAFE",
    "SPLIT",
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
    "Violation",
    "check_free_space",
    "check_message",
    "check_queue",
    "choose_queue",
    "create_queue",
    "create_queues",
    "detect_layout",
    "enqueue",
    "layout_from_environ",
    "list_messages",
    "open_queues",
    "plan_records",
    "read_message",
    "state_of",
]
