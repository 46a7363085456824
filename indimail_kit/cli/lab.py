"""``lab run`` and ``lab serve``: the whole journey in a terminal."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from indimail_kit.cli.output import EXIT_FOUND, SIGNS, STYLES, json_option, note, print_json, print_pairs, print_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from indimail_kit.lab import Lab
    from indimail_kit.lab.journey import Journey


def _lab_options(command: Callable[..., Any]) -> Callable[..., Any]:
    keep = click.option(
        "--keep", type=click.Path(path_type=Path, file_okay=False), help="Work in this directory and leave it there."
    )
    seed = click.option("--seed", type=int, help="Fix every choice (queue, message ids), to get the same run again.")
    scanner = click.option(
        "--scanner",
        type=click.Choice(["auto", "clamd", "embedded", "command"]),
        default="auto",
        show_default=True,
        help="auto: clamd where there is one. command: clamdscan as a process a mail, as the seed text configures it.",
    )
    return keep(seed(scanner(command)))


@click.group()
def lab() -> None:
    """A small IndiMail in one directory, on loopback, without root."""


@lab.command("run")
@_lab_options
@json_option
def run(keep: Path | None, seed: int | None, scanner: Any, as_json: bool) -> None:
    """Send the demo mails through every station and say whether what happened is what should.

    Exit code 1 if one journey differs.
    """
    from indimail_kit.lab import Lab
    from indimail_kit.lab.demo import run_demo

    with Lab(directory=keep, seed=seed, scanner=scanner) as server:
        if not as_json:
            note(f"Scanner: {server.scanner_name}")
        journeys = run_demo(server, on_journey=None if as_json else _progress())
        document = {
            "ok": all(journey.is_expected for journey in journeys),
            "scanner": server.scanner_name,
            "messages": [journey.as_row() for journey in journeys],
        }
        directory = server.directory
    if as_json:
        print_json(document)
    else:
        _print_journeys(journeys)
        if keep is not None:
            click.echo(f"\nEverything is still in {directory}")
    if not document["ok"]:
        raise SystemExit(EXIT_FOUND)


def _progress() -> Callable[[Journey], None] | None:
    """Return something that shows each finished case on a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        return None
    return lambda journey: note(f"  {'ok ' if journey.is_expected else 'NO '} {journey.case}")


def _print_journeys(journeys: list[Journey]) -> None:
    columns = [
        ("", "left"),
        ("case", "left"),
        ("reply", "left"),
        ("verdict", "left"),
        ("queue", "left"),
        ("number", "right"),
        ("ended", "left"),
    ]
    rows = []
    for journey in journeys:
        sign = f"{SIGNS[journey.verdict]} {journey.verdict}" if journey.verdict else "–"
        good = journey.is_expected
        rows.append(
            [
                ("ok" if good else "NO", "green" if good else "bold red"),
                (journey.case, ""),
                (journey.smtp_reply, ""),
                (sign, STYLES.get(journey.verdict, "dim")),
                (journey.queue or "–", ""),
                (str(journey.message_number or "–"), ""),
                (journey.delivered_to or "–", ""),
            ]
        )
    print_table(columns, rows)
    wrong = [journey for journey in journeys if not journey.is_expected]
    for journey in wrong:
        click.echo(f"\n{journey.case}: expected {journey.expected}")
    click.echo(f"\n{len(journeys) - len(wrong)} of {len(journeys)} journeys went as they should.")


@lab.command("serve")
@_lab_options
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default="any free one", help="Port on 127.0.0.1."
)
@click.option(
    "--supervised", is_flag=True, help="clamd and freshclam as services of daemontools: svc and svstat work on them."
)
@click.option(
    "--reject-virus", type=click.Choice(["0", "1", "2"]), default="0", show_default=True, help="The lab's REJECTVIRUS."
)
@json_option
def serve(
    keep: Path | None, seed: int | None, scanner: Any, port: int, supervised: bool, reject_virus: str, as_json: bool
) -> None:
    """Keep the lab up and say how to talk to it; Ctrl-C ends it."""
    from indimail_kit.lab import Lab

    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    with Lab(directory=keep, seed=seed, scanner=scanner, port=port, supervised=supervised) as server:
        server.set_variable("REJECTVIRUS", reject_virus)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, on_signal)
        if as_json:
            print_json(server.describe())
        else:
            _print_served(server)
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            stop.wait()
    note("The lab has stopped.")


def _print_served(server: Lab) -> None:
    about = server.describe()
    click.echo("The lab is up.")
    print_pairs(
        [
            ("host, port", f"{about['host']} {about['port']}"),
            ("users", ", ".join(about["users"])),
            ("password", f"{about['password']}   (for every demo user)"),
            ("mechanisms", " ".join(about["mechanisms"])),
            ("scanner", about["scanner"]),
            ("directory", about["directory"]),
        ]
    )
    click.echo("\nTalk to it:")
    for command in about["commands"]:
        click.echo(f"  {command}")
    click.echo(
        f"\nSwitches are files (envdir), for example:\n  echo 1 > {about['variables']}/REJECTVIRUS\n\nCtrl-C ends it."
    )
