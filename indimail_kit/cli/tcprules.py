"""``tcprules``: what applies to a client, and the cdb that tcpserver reads."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from indimail_kit.cli.output import EXIT_FOUND, json_option, print_json
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.control.rule_notes import RuleNote
    from indimail_kit.control.tcprules import Match, Rules

_MAX_SHOWN: Final = 20
"""Notes and ignored lines that are printed for people; the rest are counted."""

_STANDARD_INPUT: Final = Path("-")


@click.group()
def tcprules() -> None:
    """Rules by client address: tcp.smtp and tcp.smtp.cdb."""


@tcprules.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("ip", metavar="IP")
@click.option("--info", default="", help="TCPREMOTEINFO, what the client's identd said.")
@click.option("--host", default="", help="TCPREMOTEHOST, the client's name in DNS.")
@json_option
def check(file: Path, ip: str, info: str, host: str, as_json: bool) -> None:
    """Tell what applies to the client IP by the rules in FILE, a text or a cdb.

    Prints what tcprulescheck prints, then why: the addresses that were looked up, in order, lines that do nothing, and
    what is surprising about the rules. FILE is only read. Exit code 0 if the client is let in, 1 if it is turned away,
    3 if the rules cannot be read.
    """
    from indimail_kit.control.rule_notes import note_rules

    _check_ip(ip)
    rules = _read(file)
    match = rules.find(ip, info=info, host=host)
    tried = [key.decode("utf-8", "surrogateescape") for key in rules.tried_keys(ip, info=info, host=host)]
    notes = note_rules(rules)
    if as_json:
        print_json(
            {
                "rule": match.rule,
                "action": match.action,
                "environment": _plain(match.environment),
                "unset": [_utf8(name) for name in match.unset],
                "default": match.is_default,
                "line": match.line_number,
                "tried": [_utf8(key) for key in tried],
                "ignored": [{"line": line.line_number, "text": _utf8(line.text)} for line in rules.ignored],
                "notes": _note_rows(notes),
            }
        )
    else:
        _print_match(match, rules, tried)
        _print_surprises(rules, notes)
    if match.action == "deny":
        raise SystemExit(EXIT_FOUND)


@tcprules.command("compile")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("cdb", type=click.Path(path_type=Path))
@json_option
def compile_(file: Path, cdb: Path, as_json: bool) -> None:
    """Write the rules of the text FILE into CDB, in one step, as tcprules does.

    If the text has an error nothing is written and the old cdb stays in force. A link, or a file that is no cdb, is
    never replaced.
    """
    from indimail_kit.control.cdb import write_cdb
    from indimail_kit.control.rule_notes import note_rules

    rules = _read(file)
    if rules.is_cdb:
        raise click.UsageError(f"{visible(str(file))} is a cdb already; compile wants the text, then the cdb")
    octet_count = write_cdb(rules, cdb)
    notes = note_rules(rules)
    if as_json:
        print_json(
            {
                "cdb": _utf8(str(cdb)),
                "records": len(rules.records),
                "octets": octet_count,
                "ignored": [{"line": line.line_number, "text": _utf8(line.text)} for line in rules.ignored],
                "notes": _note_rows(notes),
            }
        )
        return
    click.echo(f"{visible(str(cdb))}: {_count(len(rules.records), 'record')}, {octet_count:,} octets")
    _print_surprises(rules, notes)


@tcprules.command("show")
@click.argument("cdb", type=click.Path(path_type=Path))
@json_option
def show(cdb: Path, as_json: bool) -> None:
    """Print the text that compiles to CDB; a range is one line for each number, comments are lost."""
    from indimail_kit.control.cdb import format_rules
    from indimail_kit.control.tcprules import match_of

    rules = _read(cdb)
    if as_json:
        print_json(
            [
                {
                    "rule": _utf8(match.rule),
                    "action": match.action,
                    "environment": _plain(match.environment),
                    "unset": [_utf8(name) for name in match.unset],
                }
                for match in map(match_of, rules.records)
            ]
        )
        return
    octets = format_rules(rules)
    if sys.stdout.isatty():
        click.echo(visible(octets.decode("utf-8", "surrogateescape"), kept="\n"), nl=False)
    else:  # for `> tcp.smtp`: the very octets, whatever they are
        sys.stdout.buffer.write(octets)


def _read(file: Path) -> Rules:
    """Read a text or a cdb; ``-`` is standard input."""
    from indimail_kit.control.cdb import decode_rules, open_rules
    from indimail_kit.control.tcprules import MAX_RULES_BYTES

    if file != _STANDARD_INPUT:
        return open_rules(file)
    octets = sys.stdin.buffer.read(MAX_RULES_BYTES + 1)
    return decode_rules(octets, source="standard input")


def _check_ip(ip: str) -> None:
    """Refuse what is no address: with it every client would get the rule of everybody."""
    try:
        ipaddress.ip_address(ip)
    except ValueError:
        raise click.BadParameter(f"{visible(ip)} is no IPv4 or IPv6 address", param_hint="IP") from None


def _print_match(match: Match, rules: Rules, tried: list[str]) -> None:
    """Print what tcprulescheck prints, and how it came about."""
    for line in match.lines():
        click.echo(visible(line))
    where = f", line {match.line_number}" if match.line_number is not None else ""
    kind = "cdb" if rules.is_cdb else "text"
    click.echo(f"\nFrom {visible(rules.source)} ({kind}, {_count(len(rules.records), 'record')}){where}.")
    click.echo("Looked up in this order, the first that is there counts:")
    found = None if match.is_default else len(tried) - 1
    for label, is_found in _collapsed(tried, found):
        click.echo(f"  {visible(label)}{'   <- this one' if is_found else ''}")
    if match.is_default:
        click.echo("None is there: who has no rule is let in.")


def _collapsed(tried: list[str], found: int | None) -> list[tuple[str, bool]]:
    """Return the keys for people: the many keys of network bits that were not there are one line."""
    shown: list[tuple[str, bool]] = []
    bits = 0
    for number, key in enumerate(tried):
        if key[:1] in ("_", "^") and number != found:
            bits += 1
            continue
        if bits:
            shown.append((_bits_label(bits), False))
            bits = 0
        shown.append((key or '"" (everybody)', number == found))
    return [*shown, (_bits_label(bits), False)] if bits else shown


def _bits_label(count: int) -> str:
    """Return what stands for keys of network bits."""
    return f"({count} keys of network bits, which tcprules never writes)"


def _print_surprises(rules: Rules, notes: tuple[RuleNote, ...]) -> None:
    """Print the lines that do nothing, and what is surprising about the others."""
    lines = [f"line {line.line_number} does nothing: neither :allow nor :deny: {line.text}" for line in rules.ignored]
    for note in notes:
        where = f"line {note.line_number} ({note.rule})" if note.line_number is not None else f"({note.rule})"
        lines.append(f"{where} {note.text}")
    if lines:
        click.echo("\nTo know about these rules:")
    for line in lines[:_MAX_SHOWN]:
        click.echo(f"  ! {visible(line)}")
    if len(lines) > _MAX_SHOWN:
        click.echo(f"  … and {len(lines) - _MAX_SHOWN} more; --json has them all")


def _note_rows(notes: tuple[RuleNote, ...]) -> list[dict[str, object]]:
    """Return notes as --json says them."""
    return [{"rule": _utf8(note.rule), "line": note.line_number, "text": _utf8(note.text)} for note in notes]


def _plain(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment as JSON can hold it."""
    return {_utf8(name): _utf8(value) for name, value in environment.items()}


def _utf8(text: str) -> str:
    r"""Write octets that are not UTF-8 out, as \xff: JSON cannot hold them."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _count(number: int, noun: str) -> str:
    """Return "1 record" or "2 records"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
