"""``scan``: a verdict for each file."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indimail_kit.cli.output import (
    EXIT_FAILED,
    EXIT_FOUND,
    SIGNS,
    STYLES,
    json_option,
    note,
    print_json,
    print_table,
    progress,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from indimail_kit.qhpsi import ClamdClient, ScanAnswer, Scanner


def scanner_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--scanner``, ``--socket`` and ``--qhpsi`` to a verb."""
    scanner = click.option(
        "--scanner",
        type=click.Choice(["auto", "clamd", "embedded", "command"]),
        default="auto",
        show_default=True,
        help="auto: a private clamd with the teaching signatures where clamd is installed, else the embedded rules.",
    )
    socket = click.option(
        "--socket",
        metavar="PATH|HOST:PORT",
        help="Ask the clamd behind this socket instead (its own signatures). HOST:PORT is TCP: the files travel there "
        "unencrypted.",
    )
    text = click.option(
        "--qhpsi", "command_text", help="With --scanner command: the QHPSI value to run. Default $QHPSI."
    )
    return scanner(socket(text(command)))


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@scanner_options
@json_option
def scan(files: tuple[Path, ...], scanner: str, socket: str | None, command_text: str | None, as_json: bool) -> None:
    """Tell of each file whether the scanner finds something.

    Exit code 1 if any is infected, 3 if any could not be scanned. A file is called clean only if the scanner said so;
    and if a clamd did, only if it also finds the EICAR test file.
    """
    from indimail_kit.qhpsi import ClamdClient

    with _scanner(scanner, socket, command_text) as ask:
        answers = _ask_clamd(ask, files) if isinstance(ask, ClamdClient) else _ask_each(ask, files)
    if as_json:
        print_json([answer.as_row(str(path)) for path, answer in answers])
    else:
        _print(answers)
    verdicts = {answer.verdict.name for _, answer in answers}
    if "INFECTED" in verdicts:
        raise SystemExit(EXIT_FOUND)
    if verdicts - {"CLEAN"}:
        raise SystemExit(EXIT_FAILED)


def _ask_each(ask: Scanner, files: tuple[Path, ...]) -> list[tuple[Path, ScanAnswer]]:
    """Ask about one file after the other."""
    return [(path, ask(path)) for path in progress(files, total=len(files), what="scanning")]


def _ask_clamd(client: ClamdClient, files: tuple[Path, ...]) -> list[tuple[Path, ScanAnswer]]:
    """Ask about all files at once, as fast as clamd can; the answers in the order of the files."""
    from indimail_kit import qhpsi
    from indimail_kit.qhpsi.canary import believed

    scans = progress(client.scan_many(files), total=len(files), what="scanning")
    answers = {scanned.number: scanned.answer for scanned in scans}
    if any(answer.verdict is qhpsi.Verdict.CLEAN for answer in answers.values()):
        proof = client.scan_stream(qhpsi.eicar())
        answers = {number: believed(answer, proof) for number, answer in answers.items()}
    return [(path, answers[number]) for number, path in enumerate(files)]


def _print(answers: list[tuple[Path, ScanAnswer]]) -> None:
    from indimail_kit.qhpsi import Verdict

    rows = []
    for path, answer in answers:
        name = answer.verdict.name
        what = answer.signature or answer.reason
        rows.append(
            [
                (f"{SIGNS[name]} {answer.verdict.words}", STYLES[name]),
                (str(path), ""),
                (what, ""),
                (f"{answer.elapsed_ns / 1e6:.1f} ms", "dim"),
            ]
        )
    print_table([("verdict", "left"), ("file", "left"), ("what", "left"), ("time", "right")], rows)
    if len(answers) > 1:
        counts = Counter(answer.verdict for _, answer in answers)
        note(f"{len(answers):,} files: " + ", ".join(f"{counts[one]:,} {one.words}" for one in Verdict if counts[one]))
    note(f"Scanner: {answers[0][1].scanner}")


@contextlib.contextmanager
def _scanner(choice: str, socket: str | None, command_text: str | None) -> Iterator[Scanner]:
    """Give the scanner that was asked for; a private clamd ends with the block."""
    import os

    from indimail_kit import qhpsi
    from indimail_kit.errors import MissingPartError
    from indimail_kit.qhpsi.clamd_address import parse_address
    from indimail_kit.qhpsi.clamd_conf import find_clamd
    from indimail_kit.qhpsi.clamd_daemon import ClamdDaemon

    if socket is not None:
        yield qhpsi.ClamdClient(parse_address(socket))
    elif choice == "command":
        text = command_text if command_text is not None else os.environ.get("QHPSI", "")
        if not text:
            raise MissingPartError(
                "a command", "Give it with --qhpsi or in $QHPSI, for example '/usr/bin/clamdscan --fdpass --quiet %s'."
            )
        environ = {**os.environ, "QHPSI": text}
        yield qhpsi.command(qhpsi.QhpsiConfig.from_environ(environ), environ)
    elif choice == "embedded" or (choice == "auto" and find_clamd() is None):
        if choice == "auto":
            note("No clamd here: the embedded scanner with the teaching rules is used.")
        yield qhpsi.embedded()
    else:
        with ClamdDaemon() as daemon:
            yield qhpsi.clamd(daemon.socket_path)


@contextlib.contextmanager
def believing_scanner(choice: str, socket: str | None, command_text: str | None) -> Iterator[Scanner]:
    """Give the scanner that was asked for; a clamd's CLEAN counts only while it finds EICAR."""
    from indimail_kit import qhpsi
    from indimail_kit.qhpsi.canary import CanaryScanner

    with _scanner(choice, socket, command_text) as ask:
        if isinstance(ask, qhpsi.ClamdClient):
            yield CanaryScanner(ask, functools.partial(ask.scan_stream, qhpsi.eicar()))
        else:
            yield ask
