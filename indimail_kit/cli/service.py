"""``service``: does it run, since when, is that as it should be; and plans to change it.

Rule 1: a plan is shown, and done only with --apply and a yes.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from indimail_kit.cli.output import EXIT_FAILED, EXIT_FOUND, json_option, print_json, print_table
from indimail_kit.cli.plans import apply_options, offer
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.control.supervise import Service

_SPANS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
"""Length (unit: s) -> its sign, longest first."""


@click.group()
def service() -> None:
    """Services under supervise: their state, and plans to change it."""


@service.command("status")
@click.argument("directories", metavar="DIR…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--svstat", is_flag=True, help="Print what the svstat that belongs to each supervise prints instead.")
@json_option
def status(directories: tuple[Path, ...], svstat: bool, as_json: bool) -> None:
    """Tell of each service directory whether the service runs, since when, and what supervise is told.

    Reads djb's and Debian's status files (18 octets) and IndiMail's (21), and changes nothing. Exit code 1 if a service
    is not as it should be (down though it starts by itself, paused, about to change, without a supervise), 3 if a
    directory is no service or cannot be read.
    """
    from indimail_kit.errors import SuperviseError

    now_ns = time.time_ns()
    found: list[tuple[Path, Service | None, str]] = []
    for directory in directories:
        try:
            found.append((directory, _read(directory), ""))
        except SuperviseError as error:
            found.append((directory, None, f"expected {error.expected}"))
    if as_json:
        print_json([_row(*one) for one in found])
    elif svstat:
        _print_svstat(found, now_ns)
    else:
        _print(found, now_ns)
    if any(one is None for _, one, _ in found):
        raise SystemExit(EXIT_FAILED)
    if any(one is not None and not one.is_as_it_should_be for _, one, _ in found):
        raise SystemExit(EXIT_FOUND)


def _read(directory: Path) -> Service:
    """Read a service; the part of the library is loaded when the verb runs."""
    from indimail_kit.control.supervise import read_service

    return read_service(directory)


def _row(directory: Path, found: Service | None, problem: str) -> dict[str, Any]:
    """Return what ``--json`` says of one directory; nobody's guess stands for what is not known."""
    status = found.status if found is not None else None
    return {
        "service": str(directory),
        "up": found.is_up if found is not None else None,
        "pid": status.service_pid if status is not None else None,
        "since": _iso(status.since_ns) if status is not None else None,
        "paused": status.is_paused if status is not None else None,
        "want": (status.want or "once") if status is not None else None,
        "normally_up": found.is_normally_up if found is not None else None,
        "flavour": status.flavour if status is not None else None,
        "problem": problem,
    }


def _print(found: list[tuple[Path, Service | None, str]], now_ns: int) -> None:
    """Print a table: the state first, then what an administrator should know about it."""
    columns = [("", "left"), ("service", "left"), ("state", "left"), ("for", "right"), ("since (UTC)", "left")]
    rows = []
    for directory, one, problem in found:
        if one is None:
            rows.append([("!", "bold yellow"), (str(directory), ""), ("?", "yellow"), *[("", "")] * 3, (problem, "")])
            continue
        status = one.status
        sign, style = ("✓", "green") if one.is_as_it_should_be else ("✕", "bold red")
        lasting = _span(status.elapsed_ns(now_ns) // 10**9) if status is not None else ""
        since = _iso(status.since_ns)[:19].replace("T", " ") if status is not None else ""
        pid = str(status.service_pid or "–") if status is not None else ""
        rows.append(
            [
                (sign, style),
                (str(directory), ""),
                (one.state, style),
                (lasting, ""),
                (since, "dim"),
                (pid, ""),
                ("; ".join(one.remarks), ""),
            ]
        )
    print_table([*columns, ("pid", "right"), ("to know", "left")], rows)


def _print_svstat(found: list[tuple[Path, Service | None, str]], now_ns: int) -> None:
    """Print the line of the svstat that belongs to each supervise; Debian's where there is none."""
    from indimail_kit.control.supervise import FLAVOURS
    from indimail_kit.control.svstat import format_debian, format_indimail

    for directory, one, problem in found:
        if one is None:
            click.echo(visible(f"{directory}: {problem}"), err=True)
            continue
        is_indimail = one.status is not None and one.status.flavour == FLAVOURS[21]
        click.echo(visible((format_indimail if is_indimail else format_debian)(one, now_ns=now_ns)))


def _iso(unix_ns: int) -> str:
    """Return a moment in ISO 8601, UTC, to the microsecond."""
    moment = datetime.fromtimestamp(unix_ns // 10**9, UTC).replace(microsecond=unix_ns // 1000 % 10**6)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _span(seconds: int) -> str:
    """Return a length of time in its largest unit: ``3 min``."""
    length, sign = next(((length, sign) for length, sign in _SPANS if seconds >= length), _SPANS[-1])
    return f"{seconds // length} {sign}"


# --- plans ----------------------------------------------------------------------------------------------------------


@service.command("up")
@click.argument("directories", metavar="DIR…", nargs=-1, required=True, type=click.Path(path_type=Path))
@apply_options
@json_option
def up(directories: tuple[Path, ...], applies: bool, says_yes: bool, as_json: bool) -> None:
    """Plan to bring services up, now and after each start of supervise: rm down, svc -u."""
    from indimail_kit.admin import plan_service_up
    from indimail_kit.admin.plan import join

    offer(
        join("Bring up", [plan_service_up(one) for one in directories]),
        applies=applies,
        says_yes=says_yes,
        as_json=as_json,
    )


@service.command("down")
@click.argument("directories", metavar="DIR…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--for-good", is_flag=True, help="Make a file down too, so that it stays down when supervise starts.")
@apply_options
@json_option
def down(directories: tuple[Path, ...], for_good: bool, applies: bool, says_yes: bool, as_json: bool) -> None:
    """Plan to take services down: svc -d."""
    from indimail_kit.admin import plan_service_down
    from indimail_kit.admin.plan import join

    plans = [plan_service_down(one, for_good=for_good) for one in directories]
    offer(join("Take down", plans), applies=applies, says_yes=says_yes, as_json=as_json)


@service.command("set")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("name")
@click.argument("value", required=False)
@click.option("--no-restart", is_flag=True, help="Leave the service as it runs; it sees the value at its next start.")
@apply_options
@json_option
def set_variable(
    directory: Path, name: str, value: str | None, no_restart: bool, applies: bool, says_yes: bool, as_json: bool
) -> None:
    """Plan to give a service's variable another value, and to start it anew.

    The file is DIR/variables/NAME. Without VALUE it is removed.
    """
    from indimail_kit.admin import plan_variable

    offer(
        plan_variable(directory, name, value, restarts=not no_restart),
        applies=applies,
        says_yes=says_yes,
        as_json=as_json,
    )
