"""``queue overview``: all queues at a glance: how much, in which states, how old, who works on them, how much room."""

from __future__ import annotations

from pathlib import Path

import click

from indimail_kit.cli.output import json_option, note, print_json, print_table
from indimail_kit.cli.queue_place import opened, place_options


@click.command("overview")
@place_options
@json_option
def overview_verb(place: Path | None, split: int | None, as_json: bool) -> None:
    """Show each queue as a whole: messages by state, the oldest, what is wrong, qmail-send, and the room on the disk.

    Nothing changes by it: who holds a queue is seen in /proc, its lock is not opened.
    """
    from dataclasses import asdict

    from indimail_kit.admin.overview import look_at_queues

    seen = look_at_queues(opened(place, split))
    if as_json:
        print_json([asdict(one) for one in seen.queues])
        return
    texts = ("queue", "qmail-send", "room")
    heads = [(name, "left" if name in texts else "right") for name in seen.columns]
    print_table(heads, [[(cell, "") for cell in row] for row in seen.rows])
    for sentence in seen.sentences:
        note(sentence)
