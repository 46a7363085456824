"""``queue repair``: a plan for what ``queue check`` finds, or for one message; done only with --apply and a yes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from indimail_kit.cli.output import EXIT_FAILED, EXIT_FOUND, complain, json_option, note
from indimail_kit.cli.plans import apply_options, offer
from indimail_kit.cli.queue_place import opened, place_options

if TYPE_CHECKING:
    from indimail_kit.admin.queue_wish import QueueWish
    from indimail_kit.mailqueue import QueueLayout


@click.command("repair")
@place_options
@click.option("--trash", type=int, metavar="N", help="Instead: move message N into the queue's trash; nobody is told.")
@click.option("--hold", type=int, metavar="N", help="Instead: put message N beside the queue, out of qmail's sight.")
@click.option("--release", type=int, metavar="N", help="Instead: bring message N back that was held.")
@click.option("--expire", type=int, metavar="N", help="Instead: back-date message N, so that its sender gets a bounce.")
@apply_options
@json_option
def repair_verb(
    place: Path | None,
    split: int | None,
    trash: int | None,
    hold: int | None,
    release: int | None,
    expire: int | None,
    applies: bool,
    says_yes: bool,
    as_json: bool,
) -> None:
    """Plan to repair what queue check finds, each step as a command, with what cannot be undone.

    What cannot be repaired is named with the reason. With --apply it asks, then does it, step by step, and stops where
    things have changed; never while qmail-send holds the queue. Files that nobody knows are put beside the queue, into
    QUEUE.found, and held messages into QUEUE.held. Exit code 1 if something is left that cannot be repaired or you say
    no, 3 if a step failed or the queue is in use.
    """
    from indimail_kit.admin.queue_messages import refusals_text

    queues = opened(place, split)
    wishes = {"trash": trash, "hold": hold, "release": release, "expire": expire}
    wished = [(wish, number) for wish, number in wishes.items() if number is not None]
    if len(wished) > 1:
        raise click.UsageError("One of --trash, --hold, --release and --expire at a time.")
    planned = _planned(queues.layouts, wished)
    held = planned.holders()
    if applies and held:
        for text in held:
            complain(text)
        raise SystemExit(EXIT_FAILED)
    said = (planned.summary, refusals_text(planned.refused) if planned.refused else "")
    more = "".join(f"\n\n{text}" for text in said if text)
    rows = [
        {
            "command": "",
            "text": one.violation.text,
            "cannot_undo": "",
            "changes": False,
            "done": False,
            "problem": one.reason,
        }
        for one in planned.refused
    ]
    offer(planned.plan, applies=applies, says_yes=says_yes, as_json=as_json, more=more, more_rows=rows)
    for text in held:
        note(text)
    if planned.refused:
        raise SystemExit(EXIT_FOUND)


def _planned(layouts: tuple[QueueLayout, ...], wished: list[tuple[str, int]]) -> QueueWish:
    """Return the plan for all queues, or for the one message that was named."""
    from indimail_kit.admin.queue_wish import plan_repairs, plan_wishes

    now_s = int(time.time())
    if not wished:
        return plan_repairs(layouts, now_s=now_s)
    [(wish, number)] = wished
    if number < 1:
        raise click.UsageError(f"{number} is no message number.")
    found = plan_wishes(layouts, number, wish=wish, now_s=now_s)
    if len(found) > 1:
        places = ", ".join(str(layout.directory) for one in found for layout in one.layouts)
        raise click.UsageError(f"Message {number} is in more than one queue; choose with --queue: {places}")
    return found[0]
