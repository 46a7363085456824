"""``trace``: one message across SMTP session, scan, queue, deliveries and mailbox; how sure, and what is missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from indimail_kit.cli.logs_reading import told
from indimail_kit.cli.output import json_option, note, print_json
from indimail_kit.cli.queue_place import opened
from indimail_kit.counting import counted
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.trace.clocks import ClockName

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,19}")
_CLOCK: Final = re.compile(r"(session|scan|mail)=([+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?)")


def _time(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """Return a time in ns since 1970; usage error for anything that is none."""
    from indimail_kit.errors import TraceError
    from indimail_kit.trace.clocks import parse_moment

    try:
        return None if text is None else parse_moment(text)
    except TraceError as error:
        raise click.BadParameter(str(error)) from error


def _clocks(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, float]:
    """Return clock -> seconds; usage error for anything else."""
    found = [_CLOCK.fullmatch(text) for text in texts]
    for text, match in zip(texts, found, strict=True):
        if match is None:
            raise click.BadParameter(
                f"{visible(text)} is no clock such as scan=+2.5: session, scan or mail, and seconds"
            )
    return {match[1]: float(match[2]) for match in found if match is not None}


@click.command("trace")
@click.argument("question", metavar="N|ADDRESS", required=False)
@click.option("--qp", type=click.IntRange(1, 1 << 63), help="Long-term queue identifier: the process of qmail-queue.")
@click.option("--queue", "place", type=click.Path(path_type=Path), help="A queue, or a base with queue1 …; read-only.")
@click.option("--split", type=click.IntRange(1, 100_000), help="Sub-directories of mess; found if not given.")
@click.option(
    "--log", "logs", type=click.Path(path_type=Path), multiple=True, help="A log: file, .gz, multilog directory."
)
@click.option("--mail", "mails", type=click.Path(path_type=Path), multiple=True, help="A Maildir, or a delivered mail.")
@click.option(
    "--session",
    "sessions",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A recorded SMTP session: recordio, swaks, telnet ….",
)
@click.option("--at", "at_ns", callback=_time, metavar="TIME", help="When it was, ISO 8601; UTC without a zone.")
@click.option(
    "--within", "within_s", type=click.FloatRange(0, 10**7), default=300, show_default=True, help="Seconds around --at."
)
@click.option("--in", "name", default="", metavar="QUEUE", help="Name of the queue, for a number.")
@click.option("--life", "lifetime", type=click.IntRange(1), help="Which life of a number is meant.")
@click.option(
    "--clock", "ahead_s", callback=_clocks, multiple=True, metavar="WHOSE=SECONDS",
    help="How far a clock is ahead of qmail-send's: session, scan or mail.",
)  # fmt: skip
@click.option(
    "--utc-offset",
    "utc_offset_s",
    type=click.IntRange(-86_400, 86_400),
    default=0,
    help="Local time minus UTC, in seconds, for clamd's own stamps.",
)
@json_option
def trace(
    question: str | None, qp: int | None, place: Path | None, split: int | None, logs: tuple[Path, ...],
    mails: tuple[Path, ...], sessions: tuple[Path, ...], at_ns: int | None, within_s: float, name: str,
    lifetime: int | None, ahead_s: dict[ClockName, float], utc_offset_s: int, as_json: bool,
) -> None:  # fmt: skip
    """Trace message number N, the messages of an ADDRESS, or the message with --qp, through all that may tell of it.

    Give the logs of qmail-send, qmail-smtpd and clamd, each with --log, and older files before newer ones. Each line is
    certain (●), likely (◐) or possible (○), with the reason; what nothing tells of has a line of its own. Several
    messages that fit are all told: a number is used again and again. Exit code 3 when nothing tells of such a message.
    """
    from indimail_kit.trace import Question, Tracer, read_log, read_sessions

    if (question is None) == (qp is None):
        raise click.UsageError("one of N, ADDRESS and --qp is needed")
    if question is not None and _NUMBER.fullmatch(question) is None and "@" not in question:
        raise click.UsageError(f"{visible(question)} is neither a message number nor an address")
    if not logs and place is None and not mails and not sessions:
        raise click.UsageError("nothing to look at: --log, --queue, --mail or --session")
    with told(logs) as sources:
        log = [read_log(*sources, utc_offset_s=utc_offset_s)] if logs else []
    tracer = Tracer(
        logs=log, queues=None if place is None else opened(place, split), mails=mails,
        recordings=[one for path in sessions for one in read_sessions(path)], ahead_s=ahead_s
    )  # fmt: skip
    for unknown in (one for one in log if one.unknown_count):
        note(f"{counted(unknown.unknown_count, 'line')} of the logs fit no form, not looked at")
    for path, reason in tracer.unread:
        note(f"{path} is left out: {reason}")
    is_number = question is not None and _NUMBER.fullmatch(question) is not None
    found = Question(
        message_number=int(question or 0) if is_number else None, qp=qp, address="" if is_number else question or "",
        queue=name, lifetime=lifetime, at_ns=at_ns, within_s=within_s,
    ).ask(tracer)  # fmt: skip
    if as_json:
        print_json(found.document())
    else:
        for line in found.lines():
            click.echo(line)
