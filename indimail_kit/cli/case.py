"""``case``: broken servers to practise on, started in one terminal and repaired from another."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from indimail_kit.cli.output import EXIT_FOUND, json_option, note, print_json, print_pairs, print_table
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from indimail_kit.lab.cases import OpenCase


@click.group()
def case() -> None:
    """Broken servers to practise on: start one, look, repair, and let it be graded."""


_directory = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))


@case.command("list")
@json_option
def list_cases(as_json: bool) -> None:
    """List the cases, for trainers: what is wrong in each stands here."""
    from indimail_kit.lab.cases import CASES

    if as_json:
        print_json(
            [
                {"case": one.name, "title": one.title, "needs": list(one.needs), "lesson": one.lesson}
                for one in CASES.values()
            ]
        )
        return
    columns = [("case", "left"), ("what is wrong", "left"), ("lesson", "left"), ("needs", "left")]
    print_table(
        columns,
        [
            [(one.name, "bold"), (one.title, ""), (one.lesson, "dim"), (", ".join(one.needs), "dim")]
            for one in CASES.values()
        ],
    )


@case.command("start")
@click.argument("name")
@click.option("--seed", type=int, default=1, show_default=True, help="Decides who complains and what else differs.")
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Work in this new directory and leave it there."
)
@json_option
def start(name: str, seed: int, keep: Path | None, as_json: bool) -> None:
    """Start a broken server, say what its people complain about, and keep it up; Ctrl-C ends it."""
    from indimail_kit.lab.cases import start_case

    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    with start_case(name, seed=seed, directory=keep) as running:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, on_signal)
        if as_json:
            print_json(_about(running))
        else:
            _print_started(running)
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            stop.wait()
    note("The server has stopped.")


def _about(opened: OpenCase) -> dict[str, Any]:
    """Return what a person needs who works on a case."""
    from indimail_kit.lab.places import DEMO_PASSWORD

    host, port = opened.smtp
    return {
        "complaint": opened.complaint,
        "conditions": opened.conditions,
        "directory": str(opened.directory),
        "host": host,
        "port": port,
        "password": DEMO_PASSWORD,
        "queue": str(opened.queue_base),
        "services": str(opened.site.places.services),
        "logs": {name: str(path) for name, path in opened.logs.items()},
    }


def _print_started(opened: OpenCase) -> None:
    about = _about(opened)
    click.echo(visible(about["complaint"]))
    if about["conditions"]:
        click.echo(visible(about["conditions"]))
    click.echo()
    print_pairs(
        [
            ("directory", about["directory"]),
            ("SMTP", f"{about['host']} {about['port']}"),
            ("password", f"{about['password']}   (of every user)"),
            ("queue", about["queue"]),
            ("services", about["services"]),
            *((f"log of {name}", path) for name, path in about["logs"].items()),
        ]
    )
    click.echo(
        f"\nIn another terminal:\n  indimail-kit case hint {about['directory']}\n"
        f"  indimail-kit case grade {about['directory']}\n\nCtrl-C ends it."
    )


@case.command("hint")
@_directory
@json_option
def hint(directory: Path, as_json: bool) -> None:
    """Give the next hint of a case that was started in DIR."""
    from indimail_kit.lab.cases import open_case

    text = open_case(directory).hint()
    if as_json:
        print_json({"hint": text})
    else:
        click.echo(visible(text))


@case.command("grade")
@_directory
@json_option
def grade(directory: Path, as_json: bool) -> None:
    """Look at the server of a case and say whether it is well; exit code 1 if not."""
    from indimail_kit.lab.cases import open_case

    found = open_case(directory).grade()
    if as_json:
        print_json(
            {
                "solved": found.is_solved,
                "elapsed_s": round(found.elapsed_s, 3),
                "hints": found.hints_given,
                "findings": [{"ok": one.is_good, "text": one.text} for one in found.findings],
            }
        )
    else:
        for line in repr(found).splitlines():
            click.echo(visible(line))
    if not found.is_solved:
        raise SystemExit(EXIT_FOUND)


@case.command("truth")
@_directory
@json_option
def truth(directory: Path, as_json: bool) -> None:
    """Tell what is wrong in a case, and what repairs it. Nothing is done."""
    from indimail_kit.lab.cases import open_case

    opened = open_case(directory)
    commands = [deed.command for deed in opened.solution()]
    if as_json:
        print_json(
            {"case": opened.case.name, "truth": opened.truth(), "lesson": opened.case.lesson, "solution": commands}
        )
        return
    click.echo(visible(opened.truth()))
    click.echo("\nWhat repairs it:")
    for command in commands:
        click.echo(f"  {visible(command)}")
