"""What TraceView looks at: sources made into a Tracer, their place in words, and the command that asks the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from indimail_kit.logs.log import Log
from indimail_kit.mailqueue import Queues, open_queues
from indimail_kit.trace import LogExtract, Tracer, read_log
from indimail_kit.trace.story import iso
from indimail_kit.widgets.queue_words import count_text

if TYPE_CHECKING:
    from indimail_kit.trace import ClockName, Recording
    from indimail_kit.trace.question import Question

LogSource = Log | LogExtract | bytes | str | os.PathLike[str]
"""A log, or what `trace.read_log` takes."""

QueueSource = Queues | str | os.PathLike[str]
"""Queues, or what `open_queues` takes."""


def make_tracer(
    logs: Iterable[LogSource],
    queues: QueueSource | None,
    mails: Iterable[str | os.PathLike[str]],
    recordings: Iterable[Recording],
    ahead_s: Mapping[ClockName, float] | None,
) -> Tracer:
    """Read what is given as a path, and make a tracer of all.

    Raises:
        FormatError: A directory holds no log.
        OSError: A file cannot be read.
        QueueError: A queue cannot be opened.
        TraceError: See `Tracer`.
    """
    return Tracer(
        logs=[one if isinstance(one, Log | LogExtract) else read_log(one) for one in logs],
        queues=queues if queues is None or isinstance(queues, Queues) else open_queues(queues),
        mails=mails,
        recordings=recordings,
        ahead_s=ahead_s,
    )


def place_text(tracer: Tracer) -> str:
    """Return what is looked at, in words."""
    parts = []
    if tracer.logs:
        parts.append(f"{count_text(len(tracer.logs), 'log')}, {count_text(sum(map(len, tracer.logs)), 'line')}")
    if tracer.queues is not None:
        parts.append(f"queues at {tracer.queues.place}")
    if tracer.mails:
        parts.append("1 mailbox" if len(tracer.mails) == 1 else f"{len(tracer.mails):,} mailboxes")
    if tracer.has_recordings:
        parts.append("recorded sessions")
    if tracer.unread:
        parts.append(f"{count_text(len(tracer.unread), 'mail')} could not be read")
    return " · ".join(parts) or "nothing to look at: give logs, queues, mails or recordings"


def command_text(tracer: Tracer, question: Question) -> str:
    """Return the command that asks the same in a terminal; "" where none can: a log is in memory alone.

    Recorded sessions that a lab holds are no files; without them the command tells all but their lines.
    """
    places: list[str] = []
    for log in tracer.logs:
        files = log.name.split(", ")
        if not all(name and Path(name).exists() for name in files):
            return ""
        places += files
    words = ["indimail-kit", "trace"]
    if question.qp is not None:
        words += ["--qp", str(question.qp)]
    elif question.message_number is not None:
        words.append(str(question.message_number))
    for place in places:
        words += ["--log", place]
    if tracer.queues is not None:
        words += ["--queue", str(tracer.queues.place)]
    for mail in tracer.mails:
        words += ["--mail", str(mail)]
    words += ["--in", question.queue] if question.queue else []
    words += ["--life", str(question.lifetime)] if question.lifetime is not None else []
    if question.at_ns is not None:
        words += ["--at", iso(question.at_ns) or "", "--within", f"{question.within_s:g}"]
    for clock, seconds in tracer.ahead_s.items():
        words += ["--clock", f"{clock}={seconds:+g}"]
    # An address may begin with a dash.
    return join([*words, *(["--", question.address] if question.address else [])])
