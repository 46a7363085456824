"""``queue scan``: what a scanner says of a message that lies in a queue, by its number."""

from __future__ import annotations

from pathlib import Path

import click

from indimail_kit.cli.output import EXIT_FAILED, EXIT_FOUND, json_option, print_json
from indimail_kit.cli.queue_place import opened, place_options
from indimail_kit.cli.scan import believing_scanner, scanner_options


@click.command("scan")
@click.argument("message_number", metavar="N", type=click.IntRange(1, 2**64 - 1))
@place_options
@scanner_options
@json_option
def scan_verb(
    message_number: int,
    place: Path | None,
    split: int | None,
    scanner: str,
    socket: str | None,
    command_text: str | None,
    as_json: bool,
) -> None:
    """Scan message N of a queue, or of each queue of a base that has it; nothing of the queue changes by it.

    The scanner sees a copy, never a path of the queue. Exit code 1 if it is infected, 3 if it could not be scanned.
    """
    from indimail_kit.admin.queue_scan import scan_queued
    from indimail_kit.errors import QueueError

    layouts = opened(place, split).layouts
    found, problems = [], []
    with believing_scanner(scanner, socket, command_text) as ask:
        for layout in layouts:
            try:
                found.append(scan_queued(layout, message_number, scanner=ask))
            except QueueError as error:
                problems.append(error)
    if not found:
        raise problems[0]
    if as_json:
        print_json(
            [
                one.answer.as_row(f"{one.queue}/{one.path}") | {"size_bytes": one.size_bytes, "has_left": one.has_left}
                for one in found
            ]
        )
    else:
        for one in found:
            click.echo(one.sentence)
    verdicts = {one.answer.verdict.name for one in found}
    if "INFECTED" in verdicts:
        raise SystemExit(EXIT_FOUND)
    if verdicts - {"CLEAN"}:
        raise SystemExit(EXIT_FAILED)
