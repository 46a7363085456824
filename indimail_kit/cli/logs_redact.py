"""``logs redact``: a log that can be shown to others."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import click

from indimail_kit.cli.logs_reading import told
from indimail_kit.cli.output import note
from indimail_kit.counting import counted

_DAY_S = 86_400


@click.command("redact", short_help="A log that can be shared: other names, the same numbers.")
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@click.option(
    "--key-file",
    "key_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the key in FILE (made if it is not there), so that the same names get the same pseudonyms next time.",
)
@click.option("--shift-days", type=click.IntRange(-40_000, 40_000), default=0, help="Move all times by so many days.")
def redact_verb(files: tuple[str, ...], key_file: Path | None, shift_days: int) -> None:
    """Write logs anew so that they can be shared: other names for people and machines, nothing of what strangers wrote.

    Each name gets one pseudonym everywhere, so that a message can still be followed and senders and domains counted.
    Message numbers, deliveries, times, sizes and codes stay. Of a line that nobody understands only the length is told.
    FILE is a file (plain, .gz or .zst), multilog's directory, or - for standard input; several are one log, oldest
    first. Whoever has the key can try out which name is behind a pseudonym: keep it to yourself.
    """
    from indimail_kit.logs.redact import Redactor, redact_lines

    redactor = Redactor(None if key_file is None else _key(key_file), shift_s=shift_days * _DAY_S)
    output = sys.stdout.buffer
    with told(files, has_rows=True) as sources:
        for line in redact_lines(*sources, redactor=redactor):
            output.write(line)
    output.flush()
    done = redactor.done
    gone = done.unknown + done.withheld
    rest = f"; of {gone:,} only the length is told, because nobody knows what they say" if gone else ""
    note(f"{counted(done.lines, 'line')} redacted{rest}")


def _key(path: Path) -> bytes:
    """Return the key of a file; make it if it is not there."""
    from indimail_kit.logs.pseudonyms import KEY_BYTES

    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return path.read_bytes().strip()
    key = secrets.token_hex(KEY_BYTES).encode()
    with os.fdopen(fd, "wb") as file:
        file.write(key + b"\n")
    return key
