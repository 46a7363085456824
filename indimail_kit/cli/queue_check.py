"""``queue check``: which rules a queue breaks, each with the reason why it matters; nothing changes by it."""

from __future__ import annotations

import shlex
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from indimail_kit.cli.output import EXIT_FAILED, EXIT_FOUND, console, json_option, note, print_json
from indimail_kit.cli.queue_place import opened, place_options
from indimail_kit.counting import counted
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from indimail_kit.mailqueue import Violation

_SHOWN: Final = 5
"""Violations of one rule that are shown of a queue without --all (unit: violations)."""

_WIDTH: Final = 100
"""Widest line of an explanation (unit: characters)."""


@click.command("check")
@place_options
@click.option("--all", "shows_all", is_flag=True, help="Show every single one, not only the first few of a kind.")
@json_option
def check_verb(place: Path | None, split: int | None, shows_all: bool, as_json: bool) -> None:
    """Check the invariants of a queue, or of all queues of a base; nothing changes by it.

    It may be in use: messages that come, go or are being written are no fault. Owners are checked where IndiMail's
    users exist. Exit code 1 if something is wrong, 3 if a queue cannot be looked at.
    """
    from indimail_kit.mailqueue import check_queue
    from indimail_kit.mailqueue.layout import find_owners

    queues = opened(place, split)
    now_s = int(time.time())
    owners = find_owners() or None
    document: list[dict[str, Any]] = []
    count = 0
    for layout in queues.layouts:
        found = list(check_queue(layout, now_s=now_s, owners=owners))
        count += len(found)
        document += map(_row, found)
        if found and not as_json:
            _print(str(layout.directory), found, shows_all=shows_all)
    if as_json:
        print_json(document)
    elif count:
        where = "" if place is None else f" --queue {shlex.quote(str(place))}"
        found_text = f"{counted(count, 'thing')} wrong in {counted(len(queues.layouts), 'queue')}."
        note(f"{found_text} What repairs it: indimail-kit queue repair{where}")
    else:
        click.echo(f"Nothing is wrong in {counted(len(queues.layouts), 'queue')}.")
    if queues.refused:
        raise SystemExit(EXIT_FAILED)
    if count:
        raise SystemExit(EXIT_FOUND)


def _row(violation: Violation) -> dict[str, Any]:
    """Return what ``--json`` says of a violation."""
    return {
        "queue": violation.queue,
        "path": violation.path,
        "rule": violation.rule,
        "text": violation.text,
        "message_number": violation.message_number,
    }


def _print(queue: str, found: Iterable[Violation], *, shows_all: bool) -> None:
    """Print what is wrong with a queue, rule by rule: why it matters, then where."""
    from rich.text import Text

    by_rule: dict[str, list[Violation]] = {}
    for violation in found:
        by_rule.setdefault(violation.rule, []).append(violation)
    screen = console()
    screen.print(Text(visible(queue), style="bold"))
    for rule, violations in by_rule.items():
        count = f" · {len(violations)}" if len(violations) > 1 else ""
        screen.print(Text(f"  ✕ {rule}{count}", style="bold red"))
        width = min(screen.width, _WIDTH)
        why = textwrap.fill(violations[0].why, width, initial_indent="    ", subsequent_indent="    ")
        screen.print(Text(why, style="dim"))
        shown = violations if shows_all else violations[:_SHOWN]
        for violation in shown:
            screen.print(Text(f"    - {visible(violation.text)}"), soft_wrap=True)
        if len(shown) < len(violations):
            screen.print(Text(f"    … and {len(violations) - len(shown)} more: add --all", style="dim"))
