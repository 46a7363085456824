"""``queue repair``: a plan for what ``queue check`` finds, or for one message; done only with --apply and a yes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from indimail_kit.cli.output import EXIT_FAILED, EXIT_FOUND, complain, json_option, note
from indimail_kit.cli.plans import apply_options, offer
from indimail_kit.cli.queue_place import opened, place_options

if TYPE_CHECKING:
    from indimail_kit.admin.plan import Plan
    from indimail_kit.admin.queue_messages import Refusal
    from indimail_kit.mailqueue import QueueLayout


_LONG: Final = 5
"""Steps that a person counts at a glance (unit: steps)."""


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
    refused: list[Refusal] = []
    if wished:
        plan, layouts = _plan_one(queues.layouts, *wished[0])
    else:
        plan, refused, layouts = _plan_all(queues.layouts)
    held = _held(layouts)
    if applies and held:
        for text in held:
            complain(text)
        raise SystemExit(EXIT_FAILED)
    more = _summary(plan) + (f"\n\n{refusals_text(refused)}" if refused else "")
    rows = [
        {
            "command": "",
            "text": one.violation.text,
            "cannot_undo": "",
            "changes": False,
            "done": False,
            "problem": one.reason,
        }
        for one in refused
    ]
    offer(plan, applies=applies, says_yes=says_yes, as_json=as_json, more=more, more_rows=rows)
    for text in held:
        note(text)
    if refused:
        raise SystemExit(EXIT_FOUND)


def _plan_all(layouts: tuple[QueueLayout, ...]) -> tuple[Plan, list[Refusal], list[QueueLayout]]:
    """Return the plan for all queues, what is refused, and the queues that it changes."""
    from indimail_kit.admin.plan import join
    from indimail_kit.admin.queue_plan import plan_queue_repair
    from indimail_kit.mailqueue.layout import find_owners

    now_s, owners = int(time.time()), find_owners() or None
    repairs = [plan_queue_repair(layout, now_s=now_s, owners=owners) for layout in layouts]
    title = repairs[0].plan.title if len(repairs) == 1 else f"Repair {len(repairs)} queues"
    refused = [one for repair in repairs for one in repair.refused]
    changed = [repair.layout for repair in repairs if repair.plan.steps]
    return join(title, (repair.plan for repair in repairs)), refused, changed


def _plan_one(layouts: tuple[QueueLayout, ...], wish: str, number: int) -> tuple[Plan, list[QueueLayout]]:
    """Return the plan for one message, in the queue that has it."""
    from indimail_kit.admin import queue_plan
    from indimail_kit.errors import QueueError

    if number < 1:
        raise click.UsageError(f"{number} is no message number.")
    found: list[tuple[Plan, QueueLayout]] = []
    problems: list[QueueError] = []
    for layout in layouts:
        try:
            if wish == "expire":
                plan = queue_plan.plan_expire(layout, number, now_s=int(time.time()))
            else:
                make = {
                    "trash": queue_plan.plan_trash,
                    "hold": queue_plan.plan_hold,
                    "release": queue_plan.plan_release,
                }[wish]
                plan = make(layout, number)
            found.append((plan, layout))
        except QueueError as error:
            problems.append(error)
    if not found:
        raise problems[0]
    if len(found) > 1:
        places = ", ".join(str(layout.directory) for _, layout in found)
        raise click.UsageError(f"Message {number} is in more than one queue; choose with --queue: {places}")
    return found[0][0], [found[0][1]]


def _summary(plan: Plan) -> str:
    """Return what a long plan comes to, to be read just before the question."""
    from indimail_kit.admin.queue_words import summary

    if len(plan) <= _LONG:
        return ""
    lasting = sum(bool(step.cannot_undo) for step in plan.steps)
    said = f"{lasting} step(s) cannot be undone" if lasting else "all of it can be undone"
    return f"\n\nIn all {len(plan)} steps: {summary(step.deed for step in plan.steps)}; {said}."


def _held(layouts: list[QueueLayout]) -> list[str]:
    """Return what to say of the queues that somebody holds."""
    from indimail_kit.admin.queue_holder import find_holder, holder_text

    holders = [(layout.directory, find_holder(layout.directory)) for layout in layouts]
    return [holder_text(directory, pid) for directory, pid in holders if pid is not None]
