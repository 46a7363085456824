"""``queue list`` and ``queue shape``: what waits, message by message or domain by age.

Rule 1: the first row comes as soon as the first sub-directory has been looked at, however big the queue is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from indimail_kit.cli.output import EXIT_FAILED, json_option, json_text, note, print_json, print_table
from indimail_kit.cli.queue_place import opened, place_options
from indimail_kit.counting import counted
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from indimail_kit.mailqueue import MessageRow, Queues, Snapshot

_S: Final = 10**9
"""Nanoseconds of a second (unit: ns)."""

_HEAD: Final = "queue      message   state   size     age    to do     next  sender → to do"
"""Stands above the columns of `_lines`."""

_SPANS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SIZES: Final = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


@click.command("list")
@place_options
@json_option
def list_verb(place: Path | None, split: int | None, as_json: bool) -> None:
    """List the messages of a queue, or of all queues of a base, one a row; nothing changes by it.

    B: a bounce is being collected. !: something is wrong with it, told in the line below. The size is the message's,
    the age counts from when it was preprocessed. A retry is that of the last stop of qmail-send, which keeps later ones
    in its memory. Exit code 3 when part of a queue could not be looked at.
    """
    queues = opened(place, split)
    is_seen = (_print_json_rows if as_json else _print_rows)(queues)
    if not is_seen:
        raise SystemExit(EXIT_FAILED)


@click.command("shape")
@place_options
@click.option(
    "--by",
    type=click.Choice(["recipient", "sender"]),
    default="recipient",
    show_default=True,
    help="Whose domain: recipients that wait, or senders of messages.",
)
@json_option
def shape_verb(place: Path | None, split: int | None, by: Any, as_json: bool) -> None:
    """Show which domains a queue waits for, and for how long: a row for each domain, a column for each age.

    A column counts what is younger than its minutes and in no column before.
    """
    from indimail_kit.tables import qshape
    from indimail_kit.tables.queue_schemas import BUCKET_NAMES, BUCKETS_MIN

    picture = opened(place, split).snapshot()
    shape = qshape(picture, by=by)
    rows = [(str(row[0]), int(row[1]), [int(count) for count in row[2:]]) for row in shape.itertuples(index=False)]
    if as_json:
        found = [{"domain": domain, "total": total, "counts": counts} for domain, total, counts in rows]
        print_json({"buckets_min": list(BUCKETS_MIN), "rows": found})
    else:
        _print_shape(rows, BUCKET_NAMES)
    if not _say_unreadable(picture):
        raise SystemExit(EXIT_FAILED)


def _print_shape(rows: Sequence[tuple[str, int, list[int]]], buckets: Sequence[str]) -> None:
    """Print the shape for a person, the sum of all domains on top."""
    sums = [sum(counts) for counts in zip(*(counts for _, _, counts in rows), strict=True)] or [0] * len(buckets)
    columns = [("domain", "left"), *((name, "right") for name in ("total", *buckets))]
    table = [("all", sum(sums), sums), *((domain or "(no domain)", total, counts) for domain, total, counts in rows)]
    print_table(
        columns,
        [[(domain, ""), *((str(number or "·"), "") for number in (total, *counts))] for domain, total, counts in table],
    )


def _say_unreadable(picture: Snapshot) -> bool:
    """Say which directories could not be looked at, and return whether there was none."""
    unreadable = [one for one in picture.anomalies if one.rule == "unreadable" and not one.message_number]
    for one in unreadable:
        note(f"{one.queue}: {_plain(one.text)}")
    return not unreadable


def _print_rows(queues: Queues) -> bool:
    """Print the rows for a person, and return whether everything could be looked at."""
    click.echo(_HEAD)
    messages = anomalies = 0
    is_seen = True
    for piece in queues.stream():
        messages += len(piece.messages)
        anomalies += len(piece.anomalies)
        for line in _lines(piece):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        is_seen = _say_unreadable(piece) and is_seen
    wrong = f", {counted(anomalies, 'thing')} wrong: indimail-kit queue check tells more" if anomalies else ""
    note(f"{counted(messages, 'message')} in {counted(len(queues.layouts), 'queue')}{wrong}")
    return is_seen


def _lines(piece: Snapshot) -> Iterator[str]:
    """Yield the lines of a piece."""
    for row in piece.messages:
        to_do = [one for one in row.recipients if not one.is_done]
        retries = [one.next_retry_ns for one in to_do if one.next_retry_ns is not None]
        signs = "!" if row.anomalies else "B" if row.is_bouncing else ""
        fields = (
            f"{visible(row.queue):<8} {row.message_number:>9} {signs:1} {row.state.name if row.state else '?':<5}"
            f" {_size(row.size_bytes):>6} {_span(row.age_s):>7} {f'{len(to_do)} of {len(row.recipients)}':>8}"
            f" {_retry(min(retries, default=None), piece.taken_ns):>8}  {_address(row.sender)}"
        )
        more = f" and {len(to_do) - 1} more" if len(to_do) > 1 else ""
        yield f"{fields} → {_address(to_do[0].address)}{more}" if to_do else fields
        for anomaly in row.anomalies:
            yield f"{'':8} ! {_text(anomaly.text)}"


def _print_json_rows(queues: Queues) -> bool:
    """Print one JSON list, a message a line, and return whether everything could be looked at."""
    separator, is_seen = "[\n", True
    for piece in queues.stream():
        for row in piece.messages:
            sys.stdout.write(separator + json_text(_document(row), indent=None))
            separator = ",\n"
        sys.stdout.flush()
        is_seen = _say_unreadable(piece) and is_seen
    click.echo("[]" if separator == "[\n" else "\n]")
    return is_seen


def _document(row: MessageRow) -> dict[str, Any]:
    """Return a message as JSON has it."""
    from indimail_kit.tables.frames import as_text

    return {
        "queue": row.queue,
        "message_number": row.message_number,
        "state": None if row.state is None else row.state.name,
        "split_directory": row.split_directory,
        "size_bytes": row.size_bytes,
        "sender": as_text(row.sender),
        "birth": iso(row.birth_ns),
        "age_s": row.age_s,
        "bouncing": row.is_bouncing,
        "recipients": [
            {
                "channel": one.channel,
                "address": as_text(one.address),
                "done": one.is_done,
                "next_retry": None if one.is_done else iso(one.next_retry_ns),
            }
            for one in row.recipients
        ],
        "anomalies": [_plain(anomaly.text) for anomaly in row.anomalies],
    }


def iso(unix_ns: int | None) -> str | None:
    """Return a time in ISO 8601, UTC, to the second.

    Example:
        >>> iso(1_795_356_840 * 10**9)
        '2026-11-22T14:14:00Z'
    """
    import datetime

    if unix_ns is None:
        return None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (epoch + datetime.timedelta(seconds=unix_ns // _S)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(text: str) -> str:
    r"""Return a text that may hold a file name, with octets that are no UTF-8 as \xNN."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _text(text: str) -> str:
    """Return a text for the terminal."""
    return visible(_plain(text))


def _address(address: bytes | None) -> str:
    """Return an address for the terminal."""
    return "-" if address is None else f"<{visible(address.decode('utf-8', 'backslashreplace'))}>"


def _span(seconds: int | None) -> str:
    """Return a length of time, short."""
    if seconds is None:
        return "-"
    length, name = next((row for row in _SPANS if abs(seconds) >= 2 * row[0]), (1, "s"))
    return f"{seconds // length} {name}"


def _size(octets: int | None) -> str:
    """Return a size, short."""
    if octets is None:
        return "-"
    for length, name in _SIZES:
        if octets >= length:
            return f"{octets / length:.1f}{name}"
    return str(octets)


def _retry(unix_ns: int | None, now_ns: int) -> str:
    """Return how long it is to a retry."""
    if unix_ns is None:
        return "-"
    return "due" if unix_ns <= now_ns else _span(-(-(unix_ns - now_ns) // _S))
