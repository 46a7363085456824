"""What all verbs that change a real system share: the plan is shown; --apply asks, does it, and tells how it went.

Rule 1: nothing is done without --apply and a yes; without a terminal the yes is --yes.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from indimail_kit.cli.output import EXIT_FAILED, EXIT_FOUND, note, print_json
from indimail_kit.counting import counted
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from indimail_kit.admin.plan import Plan

_ON_ONE_LINE: Final = 3
"""Steps of a way back that are told on one line (unit: steps)."""


def apply_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--apply`` and ``--yes`` to a verb."""
    apply = click.option(
        "--apply", "applies", is_flag=True, help="Ask, and after a yes do it. Without it nothing is done."
    )
    yes = click.option("--yes", "says_yes", is_flag=True, help="With --apply: do not ask (where there is no terminal).")
    return apply(yes(command))


def offer(
    plan: Plan,
    *,
    applies: bool,
    says_yes: bool,
    as_json: bool,
    more: str = "",
    more_rows: Sequence[dict[str, Any]] = (),
) -> None:
    """Show a plan; with --apply ask, do it, and tell how it went.

    Args:
        plan: What to do.
        applies: Whether it shall be done.
        says_yes: Whether the yes was said beforehand.
        as_json: Whether to print a document.
        more: What to say behind the plan, for a person.
        more_rows: The same for a program.
    """
    from indimail_kit.admin.run import run_plan

    if applies and not says_yes and plan.steps and not sys.stdin.isatty():
        raise click.UsageError("No terminal to ask at: read the plan without --apply, then add --yes.")
    if not applies:
        if as_json:
            print_json([*steps_document(plan, done=0, problem=""), *more_rows])
        else:
            click.echo(visible(plan.text + more, kept="\n"))
            if plan.steps:
                note("Nothing was done. Add --apply to do it.")
        return

    def confirm(text: str) -> bool:
        click.echo(visible(text + more, kept="\n"), err=as_json)
        return says_yes or click.confirm("Do it?", default=False, err=True)

    report = run_plan(plan, confirm=confirm)
    if as_json:
        print_json([*steps_document(plan, done=len(report.done), problem=report.problem), *more_rows])
    else:
        click.echo(visible(report.text if plan.steps else plan.text + more, kept="\n"))
    if report.done:
        _tell_way_back([step.command for step in report.undo_plan().steps], len(report.done))
    if report.problem:
        raise SystemExit(EXIT_FAILED)
    if not report.is_confirmed:
        raise SystemExit(EXIT_FOUND)


def steps_document(plan: Plan, *, done: int, problem: str) -> list[dict[str, Any]]:
    """Return what ``--json`` says of a plan, and of how far it came."""
    return [
        {
            "command": step.command,
            "text": step.text,
            "cannot_undo": step.cannot_undo,
            "changes": step.changes,
            "done": number < done,
            "problem": problem if number == done else "",
        }
        for number, step in enumerate(plan.steps)
    ]


def _tell_way_back(commands: list[str], done_count: int) -> None:
    """Say how what was done is taken back: on one line, or a line for each command."""
    if not commands:
        note("It cannot be taken back.")
    elif len(commands) <= _ON_ONE_LINE:
        note("To take it back: " + "; ".join(commands))
    else:
        note("To take it back, in this order:")
        for command in commands:
            note(f"  {command}")
    if commands and len(commands) < done_count:
        note(f"{counted(done_count - len(commands), 'step')} cannot be taken back.")
