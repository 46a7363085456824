"""The lines of qscheduler, which starts a qmail-send for each queue and stops them.

Source: IndiMail qscheduler.c `start_send()`, `sigterm()`, `main()`; recorded logs qscheduler-static-3queues.

Rule 1: lines only; `send` does what they say.
"""

from __future__ import annotations

from collections.abc import Sequence

from indimail_kit.delivery.journal import Journal, one_word
from indimail_kit.delivery.queuerun import QueueRun
from indimail_kit.logs.template import GivenValue


def say_start(journal: Journal, pid: int, runs: Sequence[QueueRun]) -> None:
    """Write that qscheduler begins, and starts each queue."""
    first = runs[0].layout
    digits = first.name[len(first.name.rstrip("0123456789")) :]
    journal.say(
        "scheduler_start",
        {
            "severity": "info",
            "pid": pid,
            "scheduler_mode": "static",
            "queue_start": int(digits or "1"),
            "queue_count": len(runs),
            "split": first.split,
        },
        queue="",
    )
    for run in runs:
        directory = one_word(str(run.layout.directory))
        fields: dict[str, GivenValue] = {"severity": "info", "pid": run.pid, "queue_directory": directory}
        journal.say("scheduler_queue", fields | {"queue_change": "started"}, queue=run.layout.name)


def say_stop(journal: Journal, pid: int, runs: Sequence[QueueRun]) -> None:
    """Write that qscheduler got TERM and hands it on."""
    fields: dict[str, GivenValue] = {"severity": "alert", "program": "qscheduler", "pid": pid, "signal": "TERM"}
    journal.say("signal", fields, queue="")
    for run in runs:
        directory = one_word(str(run.layout.directory))
        fields = {"severity": "info", "signal": "TERM", "pid": run.pid, "queue_directory": directory}
        journal.say("scheduler_signal", fields, queue=run.layout.name)


def say_exit(journal: Journal, pid: int) -> None:
    """Write that qscheduler ended."""
    journal.say("scheduler_exit", {"severity": "info", "pid": pid}, queue="")
