"""``doctor``: what is here, what is missing, what each lesson needs; and of a mail host what is wrong with it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from indimail_kit.cli.output import EXIT_FAILED, EXIT_FOUND, console, json_option, print_json

if TYPE_CHECKING:
    from indimail_kit.admin import HostPlaces, HostReport
    from indimail_kit.lab.doctor import Report

_STYLES: Final = {
    "now": "bold red",
    "soon": "yellow",
    "unknown": "bold yellow",
    "note": "",
    "why": "dim",
    "look": "cyan",
    "lesson": "dim",
    "fine": "green",
    "side": "bold",
    "fact": "dim",
}
"""Kind of line -> its style on a terminal; the sign and the word say the same."""

_PATH: Final = click.Path(path_type=Path)


@click.command()
@click.option("--queue", metavar="DIR", type=_PATH, help="A queue, or a base with queue1 …")
@click.option("--split", type=click.IntRange(1, 100_000), help="Sub-directories of mess, info, local, remote.")
@click.option("--service", "services", metavar="DIR", type=_PATH, help="The directory of the services: /service.")
@click.option("--control", metavar="DIR", type=_PATH, help="The control files: /etc/indimail/control.")
@click.option(
    "--log", "logs", metavar="DIR", type=_PATH, multiple=True, help="A log, or a directory of logs; may be repeated."
)
@click.option("--clamd", metavar="FILE", type=_PATH, help="clamd.conf, or clamd's socket; else as QHPSI says.")
@click.option("--lab", metavar="DIR", type=_PATH, help="The directory of a lab (lab serve --keep DIR): all of these.")
@json_option
def doctor(
    queue: Path | None,
    split: int | None,
    services: Path | None,
    control: Path | None,
    logs: tuple[Path, ...],
    clamd: Path | None,
    lab: Path | None,
    as_json: bool,
) -> None:
    """Say what works, what does not, and what to do about it. Nothing is changed.

    Without options: this machine, what each lesson needs, and the mail host where IndiMail is installed. With options
    only that host, or the parts of it that are named: queues, services, control files, logs, clamd.

    Exit code 1 if something is wrong with the host, 3 if a lesson cannot run here or a part could not be looked at.
    """
    given = _places(queue, split, services, control, logs, clamd, lab)
    if given is None:
        _examine_here(as_json=as_json)
        return
    from indimail_kit.admin import examine_host

    host = examine_host(given)
    if as_json:
        print_json({"ok": host.is_fine, "host": host.as_document()})
    else:
        _print_host(host)
    _leave(host)


def _places(
    queue: Path | None,
    split: int | None,
    services: Path | None,
    control: Path | None,
    logs: tuple[Path, ...],
    clamd: Path | None,
    lab: Path | None,
) -> HostPlaces | None:
    """Return what the options name, None for nothing; a single option goes before the lab's place of it."""
    if lab is None and not (queue or services or control or logs or clamd):
        return None
    from indimail_kit.admin import HostPlaces, places_of_lab
    from indimail_kit.errors import LabError

    if lab is not None and not lab.is_dir():
        raise LabError(f"no lab in {lab}; `indimail-kit lab serve --keep {lab}` makes one")
    places = HostPlaces() if lab is None else places_of_lab(lab)
    named: dict[str, Any] = {
        "queue": queue,
        "split": split,
        "services": services,
        "control": control,
        "logs": logs,
        "clamd": clamd,
    }
    return replace(places, **{name: value for name, value in named.items() if value})


def _examine_here(*, as_json: bool) -> None:
    """Look at this machine, and at the host if IndiMail is here."""
    from indimail_kit.lab.doctor import examine

    report = examine()
    host = _host_here()
    if as_json:
        document = report.as_document()
        document["host"] = None if host is None else host.as_document()
        print_json(document)
    else:
        _print_machine(report)
        if host is not None:
            click.echo()
            _print_host(host)
    if not report.is_ready:
        raise SystemExit(EXIT_FAILED)
    if host is not None:
        _leave(host)


def _host_here() -> HostReport | None:
    """Examine this host; None where there is nothing of a mail host."""
    from indimail_kit.admin import examine_host, places_of_host

    places = places_of_host(os.environ)
    return None if places.is_empty else examine_host(places)


def _leave(host: HostReport) -> None:
    """End with the code that says what was found."""
    if not host.is_seen:
        raise SystemExit(EXIT_FAILED)
    if not host.is_fine:
        raise SystemExit(EXIT_FOUND)


def _print_host(host: HostReport) -> None:
    """Print what was found, the most urgent first."""
    from rich.text import Text

    out = console()
    if not host.findings:
        out.print(Text("Nothing is wrong with what was looked at.", style="green"))
    for kind, line in host.lines:
        out.print(Text(line, style=_STYLES[kind]), soft_wrap=True)


def _print_machine(report: Report) -> None:
    """Print what is on this machine, and what each lesson can do with it."""
    from rich.text import Text

    from indimail_kit.visible import visible

    out = console()
    width = max(len(check.name) for check in report.checks)
    for check in report.checks:
        mark, style = {"ok": ("✓", "green"), "warn": ("?", "yellow"), "missing": ("✕", "bold red")}[check.state]
        out.print(Text.assemble((f" {mark} ", style), f"{check.name:<{width}}  ", visible(check.finding)))
        if check.remedy:
            out.print(Text(f"   {'':<{width}}  → {visible(check.remedy)}", style="dim"))
    out.print()
    for lesson in report.lessons:
        out.print(Text(f" {'✓' if lesson.is_ready else '✕'} {lesson.name}: {visible(lesson.finding)}"))
