"""``logs report``: an administrator's questions of a log, one view each.

Rule 1: a view is a row of `VIEWS`: which question, and which columns a person sees; programs get all of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from indimail_kit.cli.logs_reading import told
from indimail_kit.cli.logs_words import OVERALL_WORDS, shown
from indimail_kit.cli.output import (
    EXIT_FAILED,
    complain,
    fault_text,
    json_option,
    note,
    print_json,
    print_pairs,
    print_table,
)
from indimail_kit.counting import counted

if TYPE_CHECKING:
    import pandas as pd

    from indimail_kit.tables.log_reading import LogReading

TOP: Final = 20
"""Rows that a person sees unless others are asked for."""

THREADS: Final = 4
"""Most blocks of a log that are read at once; where the join is the slower part, more do not pay."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options ask for.

    Attributes:
        every: Length of a span.
        at: A moment.
        is_as_written: Whether reasons stay as they are written.
        percents: Shares of the deliveries (unit: %).
    """

    every: str
    at: str
    is_as_written: bool
    percents: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class View:
    """One view of a report.

    Attributes:
        title: What it is, above the rows.
        answer: The log and the wish -> the answer.
        columns: Column -> heading, for a person; the others are left out.
        nothing: What is said when there is no row.
    """

    title: str
    answer: Callable[[LogReading, Wish], pd.DataFrame] = field(repr=False)
    columns: Mapping[str, str]
    nothing: str = "nothing of that kind in this log"


def _questions() -> Any:
    """Return the questions; pandas is imported with the first of them."""
    from indimail_kit.tables import questions

    return questions


def _mail() -> Any:
    """Return the questions whose answers add up; pandas is imported with the first of them."""
    from indimail_kit.tables import questions_logs_mail

    return questions_logs_mail


def _sessions(log: LogReading) -> Any:
    return log.events("smtpd_", "tcpserver_").qmail


def _scans(log: LogReading) -> Any:
    return log.events("clamd_scan").qmail.scans().qmail


_RATE_COLUMNS: Final = ("queued_at", "ended_at", "message_bytes", "is_open")
_REASON_COLUMNS: Final = (
    "outcome", "report", "queue", "message_number", "lifetime", "recipient", "started_at", "ended_at",
)  # fmt: skip
_REASONS: Final = {
    "deliveries": "deliveries",
    "xdelay_s": "time",
    "messages": "messages",
    "hosts": "hosts",
    "reason": "reason",
}
_SENT: Final = {
    "messages": "messages",
    "message_bytes": "size",
    "recipients": "recipients",
    "attempts": "attempts",
    "xdelay_s": "time",
}
_RECEIVED: Final = {
    "attempts": "attempts",
    "successes": "success",
    "failures": "failure",
    "deferrals": "deferral",
    "success_bytes": "size",
    "xdelay_mean_s": "an attempt",
    "ddelay_mean_s": "to success",
}


def _queue_at(log: LogReading, wish: Wish) -> Any:
    """Return the queue of the moment, or of the last line; of 1970 for a log without stamps."""
    import pandas as pd

    from indimail_kit.tables.questions_logs_time import moment_of

    moment = moment_of(wish.at) if wish.at else None
    deliveries, messages, unix_ns = log.of_moment(None if moment is None else moment.value)
    return _questions().queue_at(messages, deliveries, moment or pd.Timestamp(unix_ns, tz="UTC"))


def _reasons_view(outcome: str, title: str) -> View:
    return View(
        title,
        lambda log, wish: _questions().reasons(
            log.ended(outcome, *_REASON_COLUMNS), outcome, as_written=wish.is_as_written
        ),
        _REASONS,
        f"no {outcome} in this log",
    )


VIEWS: Final[dict[str, View]] = {
    "overall": View("", lambda log, _wish: log.totals().frame(), {}),
    "delays": View(
        "How long successful deliveries took, from the message's birth; the fastest first",
        lambda log, wish: log.delays(wish.percents),
        {"percent": "%", "done_by_s": "done by", "mean_s": "mean", "deliveries": "deliveries"},
    ),
    "deferrals": _reasons_view("deferral", "Why deliveries were deferred"),
    "failures": _reasons_view("failure", "Why deliveries failed for ever"),
    "successes": _reasons_view("success", "How deliveries succeeded"),
    "senders": View(
        "Who sent",
        lambda log, _wish: _mail().senders_of(log.sent()),
        {**_SENT, "uid": "uid", "sender": "sender"},
    ),
    "uids": View(
        "Which users of this host queued",
        lambda log, _wish: _mail().uids_of(log.sent()),
        {**_SENT, "uid": "uid"},
    ),
    "recipients": View(
        "Who received",
        lambda log, _wish: _mail().recipients_of(log.received()),
        {**_RECEIVED, "channel": "channel", "recipient": "recipient"},
    ),
    "hosts": View(
        "Where to",
        lambda log, _wish: _mail().hosts_of(log.received()),
        {**_RECEIVED, "recipients": "recipients", "host": "host"},
    ),
    "concurrency": View(
        "Deliveries at the same time",
        lambda log, wish: _questions().concurrency(log.status(), every=wish.every),
        {
            "time": "from",
            "queue": "queue",
            "local_mean": "local",
            "local_peak": "most",
            "local_max": "of",
            "remote_mean": "remote",
            "remote_peak": "most",
            "remote_max": "of",
        },
        "no status line in this log",
    ),
    "rate": View(
        "Messages that came and ended",
        lambda log, wish: _questions().message_rate(log.lives(*_RATE_COLUMNS), every=wish.every),
        {"time": "from", "queued": "came", "queued_bytes": "size", "ended": "ended", "waiting": "waiting"},
    ),
    "gaps": View(
        "When no message came for long",
        lambda log, wish: _questions().gaps(log.lives("queued_at"), longer_than=wish.every),
        {"from_at": "from", "to_at": "to", "gap_s": "length"},
        "no such gap",
    ),
    "queue": View(
        "What was in the queue",
        _queue_at,
        {
            "queue": "queue",
            "message_number": "message",
            "message_bytes": "size",
            "age_s": "age",
            "done": "done",
            "recipient_count": "of",
            "deferrals": "deferrals",
            "under_way": "under way",
            "is_certain": "certain",
            "sender": "sender",
        },
        "the queue was empty, as far as this log tells",
    ),
    "auth": View(
        "From where AUTH failed; guesses first",
        lambda log, _wish: _sessions(log).auth_attempts().qmail.auth_failures(),
        {
            "is_guessing": "guessing",
            "remote_ip": "address",
            "wrong_passwords": "wrong passwords",
            "users": "users",
            "errors": "other errors",
            "logins": "logins",
            "first_at": "first",
            "last_at": "last",
            "examples": "users tried",
        },
        "no AUTH failed in this log",
    ),
    "sessions": View(
        "SMTP connections",
        lambda log, _wish: _sessions(log).sessions(),
        {
            "started_at": "from",
            "pid": "pid",
            "remote_ip": "address",
            "auth_user": "user",
            "auth_result": "AUTH",
            "accepted": "accepted",
            "refused": "refused",
            "rejected": "rejected",
            "tls": "TLS",
        },
        "no SMTP connection in this log",
    ),
    "viruses": View(
        "What clamd found",
        lambda log, wish: _scans(log).virus_rate(every=wish.every),
        {
            "time": "from",
            "scans": "scans",
            "clean": "clean",
            "infected": "infected",
            "errors": "errors",
            "infected_share": "infected share",
        },
        "no scan in this log",
    ),
    "signatures": View(
        "Which signatures were found",
        lambda log, _wish: _scans(log).signatures(),
        {"scans": "scans", "first_at": "first", "last_at": "last", "signature": "signature"},
        "nothing infected in this log",
    ),
}
"""Name -> view, in the order of the help."""


@click.command("report", short_help="How much mail, how long, why not, who: a view for each question.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--view", metavar="VIEW", type=click.Choice(list(VIEWS)), default="overall", show_default=True,
    help=f"Which question: {', '.join(VIEWS)}.",
)  # fmt: skip
@click.option("--top", type=click.IntRange(0), default=TOP, show_default=True, help="Rows to show; 0 shows all.")
@click.option(
    "--every", default="1h", show_default=True, help="Length of a span, or least length of a gap: 30s, 5min, 1h, 1D."
)
@click.option(
    "--at", default="", help="The moment of the view queue, as 2026-11-22T14:09:00Z; the log's end if not given."
)
@click.option("--as-written", is_flag=True, help="Reasons letter for letter, as qmailanalog has them.")
@click.option(
    "--percent",
    "percents",
    type=float,
    multiple=True,
    help="A share for the view delays, above 0 and up to 100; again for more.",
)
@json_option
def report_verb(
    files: tuple[str, ...],
    view: str,
    top: int,
    every: str,
    at: str,
    as_written: bool,
    percents: tuple[float, ...],
    as_json: bool,
) -> None:
    """Answer an administrator's questions of logs: qmailanalog's, and some more.

    FILE is a log, plain, .gz or .zst, a multilog directory, or - for standard input. The views up to queue are about
    qmail-send's log, auth and sessions about qmail-smtpd's, viruses and signatures about clamd's. Reasons that differ
    in addresses and numbers only are one: such words are shown as <address>, <ip>, <n>.
    """
    from indimail_kit.tables.log_reading import LogReading
    from indimail_kit.tables.questions_logs_mail import PERCENTS

    wish = Wish(every, at, as_written, percents or PERCENTS)
    with told([name for name in files if name != "-"]) as paths:
        rest = iter(paths)
        sources = [sys.stdin.buffer.read() if name == "-" else next(rest) for name in files]
        log = LogReading(*sources, threads=min(THREADS, os.cpu_count() or 1))
        table = VIEWS[view].answer(log, wish)
    if as_json:
        fault = {} if log.fault is None else {"fault": fault_text(log.fault)}
        counts = {"lines": log.lines, "unknown_lines": log.unknown_lines}
        print_json({"view": view, **counts, **fault, **_document(view, table)})
    else:
        (_print_overall if view == "overall" else _print_rows)(VIEWS[view], table, top)
        strange = f", {log.unknown_lines:,} of them of no known form: see logs events" if log.unknown_lines else ""
        note(f"{counted(log.lines, 'line')}{strange}; times are UTC")
    if log.fault is not None:
        complain(f"{fault_text(log.fault)}. This is about the {counted(log.lines, 'line')} before that.")
        sys.exit(EXIT_FAILED)


def _document(view: str, table: pd.DataFrame) -> dict[str, Any]:
    """Return an answer as JSON has it."""
    columns = {name: [plain(cell) for cell in table[name]] for name in table.columns}
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return rows[0] if view == "overall" else {"rows": rows}


def plain(cell: Any) -> Any:
    """Return a cell as JSON has it: times in ISO 8601, UTC; null for what is missing."""
    import pandas as pd

    if pd.isna(cell):
        return None
    if isinstance(cell, pd.Timestamp):
        return cell.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return cell.item() if hasattr(cell, "item") else cell


def _print_overall(_view: View, table: pd.DataFrame, _top: int) -> None:
    row = table.iloc[0]
    if not any(row[name] for name in ("messages", "attempts", "open_messages", "open_attempts", "cut_attempts")):
        note(
            "No line of qmail-send about mail in it. For qmail-smtpd's log there are --view auth and --view sessions,"
            " for clamd's --view viruses and --view signatures."
        )
        return
    for heading, words in OVERALL_WORDS:
        click.echo(heading)
        print_pairs([(label, shown(row[name], name)) for name, label in words.items()])


def _print_rows(view: View, table: pd.DataFrame, top: int) -> None:
    if table.empty:
        click.echo(f"{view.title}: {view.nothing}")
        return
    rows = table.head(top) if top else table
    texts = [name for name in view.columns if str(table[name].dtype) == "str"]
    sides = [(heading, "left" if name in texts else "right") for name, heading in view.columns.items()]
    cells = [rows[name].map(lambda cell, name=name: shown(cell, name), na_action=None) for name in view.columns]
    click.echo(view.title)
    print_table(sides, [[(text, "") for text in line] for line in zip(*cells, strict=True)])
    if len(rows) < len(table):
        note(f"{counted(len(table) - len(rows), 'more row')}: --top 0 shows all, --json too")
