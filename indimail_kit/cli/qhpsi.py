"""``qhpsi explain``: what this server would do with a message, and why.

Rule 1: nothing is run, and of the environment only the variables that qmail-queue reads are shown.
"""

from __future__ import annotations

import shlex
import shutil
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from indimail_kit.cli.output import json_option, print_json, print_table
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.control import AppliedEnvironment
    from indimail_kit.qhpsi import Explanation

SIGNAL_WORD: Final = "signal"
"""What stands for an exit code when a signal ends the scanner."""


class _ScannerExit(click.ParamType[str]):
    """An exit code, or the word "signal"."""

    name = "N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it is if it can be understood."""
        text = str(value)
        if text == SIGNAL_WORD or (text.isascii() and text.isdigit() and int(text) < 256):
            return text
        return self.fail(f"a number from 0 to 255 or the word {SIGNAL_WORD} is wanted, not {text!r}", param, ctx)


@click.group()
def qhpsi() -> None:
    """Virus scanning by qmail-queue (QHPSI)."""


@qhpsi.command("explain")
@click.option(
    "--size",
    metavar="BYTES",
    type=click.IntRange(min=0),
    default=4096,
    show_default=True,
    help="Size of the message, Received line included.",
)
@click.option(
    "--scanner-exit",
    type=_ScannerExit(),
    help=f"How the scanner ends: its exit code, or {SIGNAL_WORD}. Default: clean, and a table of what else can be.",
)
@click.option(
    "--envdir",
    "variables",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The service's variables directory, on top of this environment.",
)
@click.option(
    "--rules",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="tcp.smtp (text or .cdb), on top of that; needs --ip.",
)
@click.option("--ip", metavar="IP", default="", help="The client's address, for --rules.")
@click.option("--info", metavar="TEXT", default="", help="TCPREMOTEINFO of the client, for --rules.")
@click.option("--host", metavar="NAME", default="", help="TCPREMOTEHOST of the client, for --rules.")
@click.option(
    "--control",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The control directory, whose files stand in for variables (quarantine).",
)
@click.option("--clear", is_flag=True, help="Leave the environment of this process out.")
@click.option("--look", "is_looking", is_flag=True, help="Look whether the program or plugins are on this machine.")
@json_option
def explain_verb(
    size: int,
    scanner_exit: str | None,
    variables: Path | None,
    rules: Path | None,
    ip: str,
    info: str,
    host: str,
    control: Path | None,
    clear: bool,
    is_looking: bool,
    as_json: bool,
) -> None:
    """Tell what qmail-queue would do with a message here: settings, arguments, steps, reply, and what is wrong.

    The variables are those of this process, of --envdir, of the client's rule in --rules and of --control, in this
    order; the later one wins, and each is shown with where it comes from. Nothing is run.
    """
    from indimail_kit.qhpsi import explain

    if bool(rules) != bool(ip):
        raise click.UsageError("--rules and --ip go together: a rule is looked up for a client")
    if (info or host) and not rules:
        raise click.UsageError("--info and --host belong to --rules")
    applied = _applied(variables, rules, ip, info, host, control, clear=clear)
    explanation = explain(
        applied.environment,
        message_bytes=size,
        scanner_rc=None if scanner_exit == SIGNAL_WORD else int(scanner_exit or _clean_code(applied)),
        origins={**applied.origins, **{name: f"unset by {who}" for name, who in applied.unset.items()}},
        is_looking=is_looking,
    )
    client = _client(applied, ip)
    if as_json:
        print_json({**explanation.as_document(), "client": client})
        return
    _print(explanation, client, is_asked=scanner_exit is not None)


def _clean_code(applied: AppliedEnvironment) -> int:
    """Return the exit code of a scanner that finds nothing."""
    from indimail_kit.qhpsi import QhpsiConfig

    return QhpsiConfig.from_environ(applied.environment).clean_rc


def _applied(
    variables: Path | None, rules: Path | None, ip: str, info: str, host: str, control: Path | None, *, clear: bool
) -> AppliedEnvironment:
    """Put the environment together from its sources."""
    import os

    from indimail_kit.control import what_applies

    return what_applies(
        environ={} if clear else os.environ,
        variables=variables,
        rules=rules,
        control=control,
        ip=ip,
        info=info,
        host=host,
    )


def _client(applied: AppliedEnvironment, ip: str) -> str:
    """Say which rule applies to the client, or ""."""
    match = applied.match
    if match is None:
        return ""
    line = f" (line {match.line_number})" if match.line_number is not None else ""
    rule = "no rule" if match.is_default else f"rule {match.rule or ':'}{line}"
    return f"{ip}: {rule}, {'let in' if match.action == 'allow' else 'turned away, so no mail comes from it'}"


def _print(explanation: Explanation, client: str, *, is_asked: bool) -> None:
    """Print it for people: the settings, the steps, the end; the warnings last, where they are seen."""
    if client:
        _print_paragraph(f"Client {client}")
        click.echo()
    rows = [
        [
            (one.name, "" if one.is_set else "dim"),
            (one.value or ("(empty)" if one.is_set else "–"), "" if one.is_set else "dim"),
            (one.origin or "default", "" if one.is_set else "dim"),
        ]
        for one in explanation.variables
    ]
    print_table([("variable", "left"), ("value", "left"), ("from", "left")], rows)
    click.echo()
    if explanation.argv:
        _print_paragraph(f"Arguments: {shlex.join(explanation.argv)}")
        click.echo()
    for number, step in enumerate(explanation.steps, start=1):
        _print_paragraph(step, begin=f"{number:2}. ")
    if explanation.endings and not is_asked:
        click.echo()
        _print_endings(explanation)
    if explanation.warnings:
        click.echo()
        _print_warnings(explanation)


def _print_endings(explanation: Explanation) -> None:
    """Print what each way for the scanner to end leads to."""
    rows = [
        [(one.scanner, ""), (one.action.value, ""), (str(one.exit_code), ""), (one.smtp_reply, "")]
        for one in explanation.endings
    ]
    columns = [("scanner ends with", "left"), ("what is done", "left"), ("exit code", "right"), ("reply", "left")]
    print_table(columns, rows)


def _print_warnings(explanation: Explanation) -> None:
    """Print the pitfalls under what they lead to, worst first."""
    seen = None
    for one in explanation.warnings:
        if one.danger is not seen:
            seen = one.danger
            click.secho(
                f"! Warning: {one.danger.value}", bold=True, fg="red" if one is explanation.warnings[0] else None
            )
        _print_paragraph(one.text, begin="  - ")


def _print_paragraph(text: str, *, begin: str = "") -> None:
    """Print a text in lines that fit the terminal."""
    width = min(shutil.get_terminal_size((120, 24)).columns, 120)
    for line in _wrapped(visible(text), width, begin):
        click.echo(line)


def _wrapped(text: str, width: int, begin: str) -> Iterable[str]:
    """Break a text; long words, such as paths, stay whole."""
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=begin,
        subsequent_indent=" " * len(begin),
        break_long_words=False,
        break_on_hyphens=False,
    )
