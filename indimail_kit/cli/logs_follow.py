"""``logs follow``: a log of multilog's, live, over every turn of its files."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from indimail_kit.cli.output import json_option, json_text, note
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.logs import Event
    from indimail_kit.logs.follow import Notice

_NS: Final = 10**9


@click.command("follow", short_help="A log live, while multilog writes it.")
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--all", "is_all", is_flag=True, help="Begin with the oldest line, not with what is logged from now on.")
@click.option(
    "--position",
    "where",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Go on where FILE says, and keep it up to date: after a restart no line is missing.",
)
@click.option("--once", is_flag=True, help="Stop when there is nothing more for now.")
@click.option("--interval", type=click.FloatRange(0.05, 3600), default=0.5, show_default=True, metavar="SECONDS")
@json_option
def follow_verb(directory: Path, is_all: bool, where: Path | None, once: bool, interval: float, as_json: bool) -> None:
    """Follow the log in DIR, where multilog writes it; each line once, in order, whatever multilog does to its files.

    With --json one object a line: the columns of `schemas.EVENTS` that the line fills; or "notice", "text" and "file"
    where something could not be had. Ctrl-C ends it. The position is saved after each look: who kills it hard may see
    the lines of the last look again.
    """
    from indimail_kit.logs.files import log_files
    from indimail_kit.logs.follow import Follower, Position

    position = None if where is None else Position.load(where)
    if not log_files(directory):
        note(f"{directory}: no log of multilog's (current or @*.s)" + ("" if once else "; waiting for one"))
    elif not once and sys.stderr.isatty():
        note(f"{directory}: {'all lines' if is_all or position else 'what comes from now on'}; Ctrl-C ends it")
    with Follower(directory, position=position, from_end=not is_all) as follower:
        try:
            while True:
                for item in follower.poll():
                    _print_json(item) if as_json else _print(item)
                sys.stdout.flush()
                position = follower.position
                if where is not None and position is not None:
                    position.save(where)
                if once:
                    return
                time.sleep(interval)
        except KeyboardInterrupt:
            position = follower.position
            if where is not None and position is not None:
                position.save(where)


def _iso(unix_ns: int) -> str:
    """Return a moment with all its digits."""
    seconds, rest = divmod(unix_ns, _NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _print_json(item: Event | Notice) -> None:
    """Print one object on one line."""
    from indimail_kit.logs.follow import Notice

    row = {"notice": item.kind, "text": item.text, "file": item.file} if isinstance(item, Notice) else _row(item)
    click.echo(json_text(row, indent=None))


def _row(event: Event) -> dict[str, Any]:
    """Return the columns that a line fills."""
    from indimail_kit.tables.frames import as_text
    from indimail_kit.tables.schemas import EVENTS

    row: dict[str, Any] = {}
    for column in EVENTS.columns:
        value = getattr(event, column.attribute or column.name)
        if value is not None:
            row[column.name] = _iso(value) if column.attribute == "unix_ns" else as_text(value)
    return row


def _print(item: Event | Notice) -> None:
    """Print a line for a person; what no line tells goes to standard error."""
    from indimail_kit.logs.follow import Notice
    from indimail_kit.tables.frames import as_text

    if isinstance(item, Notice):
        note(f"{item.file}: {item.text}")
        return
    moment = "" if item.unix_ns is None else _iso(item.unix_ns)[:23].replace("T", " ")
    click.echo(f"{moment:23}  {item.kind:18}  {visible(as_text(item.text) or '')}")
