"""The room of the trace: one message across SMTP session, scan, queue, deliveries and mailbox, and how sure that is.

Place in the mail's journey: behind `tables`, before the lab and the widgets: here the rooms become one instrument::

    trace = message(660188, logs=[log], queues=queues)      # -> Trace
    trace.confidence, trace.evidence, trace.gaps            # certain | likely | possible, with reasons; what is missing
    trace.others                                            # the other messages that fit the question

- `tracer`: `Tracer`, which is asked by number, qp or address; `question`: what a person types; `story`: its answer
- `extract`: what is needed of a log, in a fifth of its memory (`read_log`); `index`, `sessions`, `scans`, `records`: a
  log cut into lives, sessions and scans, over columns in order (`ordered`); `files`, `recordings`: queues, mailboxes,
  recorded sessions
- `joins`: which scan and which session belong to a life; `telling`, `telling_others`: the stories; `clocks`: why times
  differ

Rule 1: every join is by (queue, number, lifetime), by qp and time, or by sender, size, recipients and time, never by
a number alone; what may be another message's is told as such.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.trace.clocks import ClockName as ClockName
from indimail_kit.trace.question import Question as Question
from indimail_kit.trace.question import parse_question as parse_question
from indimail_kit.trace.recordings import Recording as Recording
from indimail_kit.trace.recordings import read_sessions as read_sessions
from indimail_kit.trace.story import CONFIDENCES as CONFIDENCES
from indimail_kit.trace.story import EVIDENCE as EVIDENCE
from indimail_kit.trace.story import Confidence as Confidence
from indimail_kit.trace.story import Evidence as Evidence
from indimail_kit.trace.story import Trace as Trace
from indimail_kit.trace.story import TracedMessage as TracedMessage

if TYPE_CHECKING:
    from indimail_kit.logs import Log
    from indimail_kit.mailqueue import Queues
    from indimail_kit.trace.extract import LogExtract as LogExtract
    from indimail_kit.trace.extract import read_log as read_log
    from indimail_kit.trace.tracer import Tracer as Tracer

_HOMES: Final = {"LogExtract": "extract", "Tracer": "tracer", "read_log": "extract"}
"""Public name -> its module, which needs numpy and is imported when the name is first asked for."""

__all__ = [
    "CONFIDENCES",
    "EVIDENCE",
    "ClockName",
    "Confidence",
    "Evidence",
    "LogExtract",
    "Question",
    "Recording",
    "Trace",
    "TracedMessage",
    "Tracer",
    "address",
    "message",
    "parse_question",
    "qp",
    "read_log",
    "read_sessions",
]


def __getattr__(name: str) -> Any:
    """Import what needs numpy when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'indimail_kit.trace' has no attribute {name!r}")
    return getattr(importlib.import_module(f"indimail_kit.trace.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)


def message(
    message_number: int,
    *,
    logs: Iterable[Log | LogExtract] = (),
    queues: Queues | None = None,
    mails: Iterable[str | os.PathLike[str]] = (),
    recordings: Iterable[Recording] = (),
    ahead_s: Mapping[ClockName, float] | None = None,
    queue: str = "",
    lifetime: int | None = None,
    at_ns: int | None = None,
    within_s: float = 300,
) -> Trace:
    r"""Trace a message by its number; for the arguments see `Tracer` and `Tracer.message`.

    Raises:
        TraceError: Nothing tells of such a message.

    Example:
        >>> from indimail_kit import logs
        >>> log = logs.read(b"new msg 5\ninfo msg 5: bytes 9 from <a@b> qp 7 uid 0\nend msg 5\n")
        >>> message(5, logs=[log]).message.qp
        7
    """
    from indimail_kit.trace.tracer import Tracer

    tracer = Tracer(logs=logs, queues=queues, mails=mails, recordings=recordings, ahead_s=ahead_s)
    return tracer.message(message_number, queue=queue, lifetime=lifetime, at_ns=at_ns, within_s=within_s)


def qp(
    number: int,
    *,
    logs: Iterable[Log | LogExtract] = (),
    queues: Queues | None = None,
    mails: Iterable[str | os.PathLike[str]] = (),
    recordings: Iterable[Recording] = (),
    ahead_s: Mapping[ClockName, float] | None = None,
    at_ns: int | None = None,
    within_s: float = 300,
) -> Trace:
    """Trace a message by its qp; for the arguments see `Tracer` and `Tracer.qp`.

    Raises:
        TraceError: Nothing tells of such a message.
    """
    from indimail_kit.trace.tracer import Tracer

    tracer = Tracer(logs=logs, queues=queues, mails=mails, recordings=recordings, ahead_s=ahead_s)
    return tracer.qp(number, at_ns=at_ns, within_s=within_s)


def address(
    address_text: str,
    *,
    logs: Iterable[Log | LogExtract] = (),
    queues: Queues | None = None,
    mails: Iterable[str | os.PathLike[str]] = (),
    recordings: Iterable[Recording] = (),
    ahead_s: Mapping[ClockName, float] | None = None,
    at_ns: int | None = None,
    within_s: float = 300,
) -> Trace:
    """Trace the messages from or to an address; for the arguments see `Tracer` and `Tracer.address`.

    Raises:
        TraceError: Nothing tells of such a message.
    """
    from indimail_kit.trace.tracer import Tracer

    tracer = Tracer(logs=logs, queues=queues, mails=mails, recordings=recordings, ahead_s=ahead_s)
    return tracer.address(address_text, at_ns=at_ns, within_s=within_s)
