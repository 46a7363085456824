"""``queue show N``: all that the files of one message say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from indimail_kit.cli.output import json_option, print_json, print_pairs, print_table
from indimail_kit.cli.queue_list import iso
from indimail_kit.cli.queue_place import opened, place_options
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.mailqueue import MessageFiles, QueueFile, QueueLayout, Violation

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,19}")

_RECORD_KINDS: Final = ("intd", "todo", "info", "local", "remote")
"""Kinds of files that are rows of records."""

_LETTERS: Final = {
    "u": "user id of who queued it",
    "p": "qp, process id of qmail-queue",
    "F": "sender",
    "T": "recipient to do",
    "D": "recipient done",
    "e": "header lines to put on top",
    "h": "header lines for the environment",
}
"""Letter of a record -> what it is."""


def _number(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    """Return a message number; usage error for anything but its digits."""
    if _NUMBER.fullmatch(text) is None or int(text) >= 1 << 64:
        raise click.BadParameter(f"{visible(text)} is no message number: digits, without a leading zero")
    return int(text)


@click.command("show")
@click.argument("number", metavar="N", callback=_number)
@place_options
@json_option
def show_verb(number: int, place: Path | None, split: int | None, as_json: bool) -> None:
    """Show message N: each of its files with inode, links, mode and times, its records, its header; nothing changes."""
    from indimail_kit.errors import QueueError
    from indimail_kit.exitcodes import MESS_FILE
    from indimail_kit.mailqueue import QueueState

    queues = opened(place, split)
    for layout in queues.layouts:
        files, violations = _look(layout, number)
        if files.state is not QueueState.S1 or files.unread:
            document = _document(layout, files, violations)
            (print_json if as_json else _print_for_people)(document)
            return
    names = ", ".join(layout.name for layout in queues.layouts)
    raise QueueError(f"message {number} is not in {names}", exit_code=MESS_FILE)


def _look(layout: QueueLayout, number: int) -> tuple[MessageFiles, tuple[Violation, ...]]:
    """Return the files of a message, envelopes to their end, and what is wrong with them."""
    import time

    from indimail_kit.mailqueue.beneath import opened_queue
    from indimail_kit.mailqueue.check import ENVELOPES_ONLY, look_until_settled
    from indimail_kit.mailqueue.check_tree import TreeCheck
    from indimail_kit.mailqueue.layout import find_owners
    from indimail_kit.mailqueue.snapshot import MAX_CONTENT_BYTES

    sizes = ENVELOPES_ONLY | dict.fromkeys(("mess", "bounce"), MAX_CONTENT_BYTES)
    with opened_queue(layout) as queue_fd:
        tree = TreeCheck(layout, queue_fd, now_s=int(time.time()), owners=find_owners())
        return look_until_settled(tree, number, max_bytes=sizes)


def _document(layout: QueueLayout, files: MessageFiles, violations: tuple[Violation, ...]) -> dict[str, Any]:
    """Return a message as JSON has it."""
    return {
        "queue": files.queue,
        "message_number": files.message_number,
        "state": None if files.state is None else files.state.name,
        "meaning": "no state has these files" if files.state is None else files.state.value,
        "path": str(layout.path("mess", files.message_number)),
        "birth": iso(files.birth_ns),
        "files": [_file_document(layout, file) for file in files.files],
        "header": _header(files.file("mess")),
        "anomalies": [{"path": one.path, "rule": one.rule, "text": one.text, "why": one.why} for one in violations],
    }


def _file_document(layout: QueueLayout, file: QueueFile) -> dict[str, Any]:
    """Return a file as JSON has it."""
    from indimail_kit.tables.frames import as_text

    is_records = file.kind in _RECORD_KINDS
    return {
        "kind": file.kind,
        "path": str(layout.directory / file.path),
        "is_regular": file.is_regular,
        "inode": file.inode,
        "links": file.links,
        "mode": f"{file.mode:04o}",
        "uid": file.uid,
        "gid": file.gid,
        "size_bytes": file.size_bytes,
        "mtime": iso(file.mtime_ns),
        "atime": iso(file.atime_ns),
        "ctime": iso(file.ctime_ns),
        "is_truncated": file.is_truncated,
        "records": [as_text(record) for record in _records(file.content)] if is_records else None,
        "content": as_text(file.content) if file.kind == "bounce" else None,
    }


def _records(octets: bytes) -> list[bytes]:
    """Return the records of a file, also one at its end that has no NUL."""
    records = octets.split(b"\0")
    return records if records[-1] else records[:-1]


def _header(mess: QueueFile | None) -> list[str]:
    """Return the lines of the header, as far as they were read."""
    from indimail_kit.tables.frames import as_text

    if mess is None:
        return []
    header, _, _ = mess.content.partition(b"\n\n")
    return (as_text(header) or "").split("\n") if header else []


def _print_for_people(document: dict[str, Any]) -> None:
    """Print a message in blocks: what it is, its files, their records, the header, what is wrong."""
    click.echo(f"message {document['message_number']} in {visible(document['queue'])}")
    state = f"{document['state'] or 'none'}: {document['meaning']}"
    print_pairs([("state", state), ("born", document["birth"] or "not preprocessed"), ("file", document["path"])])
    click.echo()
    columns = [("file", "left"), ("inode", "right"), ("links", "right"), ("mode", "left"), ("owner", "left")]
    columns += [("octets", "right"), *((name, "left") for name in ("mtime", "atime", "ctime"))]
    names = ("inode", "links", "mode", "owner", "size_bytes", "mtime", "atime", "ctime")
    rows = [one | {"owner": f"{one['uid']}:{one['gid']}"} for one in document["files"]]
    print_table(columns, [[(one["kind"], ""), *((str(one[name]), "") for name in names)] for one in rows])
    for file in document["files"]:
        _print_records(file)
    if document["header"]:
        click.echo("\nheader")
        for line in document["header"]:
            click.echo(f"  {visible(line, kept=chr(9))}")
    for anomaly in document["anomalies"]:
        click.echo(f"\n! {visible(anomaly['text'])}\n  {anomaly['why']}")


def _print_records(file: dict[str, Any]) -> None:
    """Print what a file says."""
    cut = " (the beginning)" if file["is_truncated"] else ""
    if file["records"]:
        click.echo(f"\n{file['kind']}{cut}")
        print_pairs([(f"{one[:1]}  {_LETTERS.get(one[:1], 'not known')}", one[1:]) for one in file["records"]])
    if file["content"]:
        click.echo(f"\n{file['kind']}{cut}")
        for line in file["content"].rstrip("\n").split("\n"):
            click.echo(f"  {visible(line)}")
