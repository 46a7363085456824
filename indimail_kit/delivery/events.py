"""What travels inside qmail-send: one delivery to do, how it ended, and what is told to those who watch.

Source: IndiMail qmail-send.c `comm_write()` (what a spawn gets), `del_dochan()` (what it answers), qmail-log(5).

Rule 1: values only, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from indimail_kit.delivery.schedule import Channel
from indimail_kit.delivery.vfilter import FilterRule

Outcome = Literal["success", "failure", "deferral"]
"""K, D and Z of a delivery report."""

REPORT_MAX_OCTETS: Final = 10000
"""Longest report (unit: octets). Source: qmail-send.c REPORTMAX."""

EventKind = Literal[
    "started",
    "todo",
    "new_msg",
    "info_msg",
    "recipient",
    "start",
    "status",
    "delivery",
    "bounce",
    "discarded",
    "end_msg",
    "signal",
    "warning",
    "stopped",
]
"""What a log line of qmail-send tells."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt for one recipient.

    Attributes:
        queue: Name of the queue.
        message_number: Number of the message.
        delivery_number: Number of this attempt since qmail-send started.
        channel: Local or remote.
        sender: Envelope sender, with the recipient in it when it is a variable one (VERP).
        recipient: As it stands in the local or remote file.
        header: Header lines of the e record, to be put on top.
        environment_header: Header lines of the h record.
        mess_path: The message.
        queue_directory: Directory of the queue, whose lock/tcpto qmail-remote keeps; None for a delivery without one.
    """

    queue: str
    message_number: int
    delivery_number: int
    channel: Channel
    sender: bytes
    recipient: bytes
    header: bytes
    environment_header: bytes
    mess_path: Path
    queue_directory: Path | None = None


@dataclass(frozen=True, slots=True)
class Report:
    r"""How a delivery ended.

    Attributes:
        outcome: Delivered, never, or later.
        text: What to log and, after a failure, to tell the sender; ends with a newline ("did 1+0+0\n").
        path: The file in a Maildir, or None.
        folder: "Inbox", the folder's name, or "".
        rule: The filter that chose the folder, or None.
    """

    outcome: Outcome
    text: bytes
    path: Path | None = None
    folder: str = ""
    rule: FilterRule | None = None


Deliver = Callable[[Delivery], Report]
"""What does a delivery: qmail-local or qmail-remote. It may take time; what it raises counts as a mangled report."""


@dataclass(frozen=True, slots=True)
class SendEvent:
    """One line of qmail-send's log, taken apart.

    Attributes:
        unix_ns: When (unit: ns since 1970); the label of the line.
        kind: What the line tells.
        queue: Name of the queue, "" for a line of qscheduler.
        message_number: Number of the message, or 0.
        qp: Long-term queue identifier: of the message (info_msg), of the bounce (bounce), or 0.
        sender: Envelope sender, or "".
        delivery_number: Number of the attempt, or 0.
        channel: "local", "remote" or "".
        recipient: Recipient without the prefix of a virtual domain; of a bounce, who gets it; or "".
        outcome: "success", "failure", "deferral" or "".
        report: The reason as logged ("did_1+0+0/").
        path: The file in a Maildir, or None.
        folder: "Inbox", the folder's name, or "".
        rule: The filter that chose the folder, or None.
        line: The line without its label and its end.
    """

    unix_ns: int
    kind: EventKind
    queue: str
    message_number: int = 0
    qp: int = 0
    sender: str = ""
    delivery_number: int = 0
    channel: str = ""
    recipient: str = ""
    outcome: str = ""
    report: str = ""
    path: Path | None = None
    folder: str = ""
    rule: FilterRule | None = None
    line: bytes = b""


def as_text(octets: bytes) -> str:
    """Return an address for people: UTF-8, other octets as backslash escapes."""
    return octets.decode("utf-8", "backslashreplace")
