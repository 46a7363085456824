"""``logs matchup``: what the program matchup prints, for qmailanalog's scripts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from indimail_kit.cli.logs_reading import told
from indimail_kit.visible import visible


@click.command("matchup", short_help="The rows of matchup(1), for the scripts of qmailanalog.")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--pending-in", metavar="FILE", type=click.Path(path_type=Path), help="What an earlier run left over, read first."
)
@click.option(
    "--pending-out", metavar="FILE", type=click.Path(path_type=Path), help="Where to write what is still open."
)
@click.option("--fd5", is_flag=True, help="Write what is still open to descriptor 5, as matchup does: 5>pending.")
def matchup_verb(files: tuple[Path, ...], pending_in: Path | None, pending_out: Path | None, fd5: bool) -> None:
    """Pair the lines of qmail-send's logs, and print the rows that matchup prints, octet for octet.

    FILE is a log (plain, .gz or .zst) or a multilog directory, oldest first; without one, standard input. A row is `d`
    for a delivery and `m` for a message; `?` is a line that matchup does not know. The rows are for zoverall, zddist
    and the other scripts of qmailanalog. On a terminal, characters that would steer it are written out.
    """
    from indimail_kit.logs.matchup_text import MatchupPrinter, matchup_text

    if fd5:
        os.fstat(5)  # not there: said at once, not after the whole log
    printer = MatchupPrinter()
    out = sys.stdout.buffer
    is_seen = sys.stdout.isatty()
    threads = min(2, len(os.sched_getaffinity(0)))
    with told(files or ("-",), has_rows=True) as sources:
        for text in matchup_text(*sources, pending_in=pending_in, threads=threads, printer=printer):
            out.write(visible(str(text, "utf-8", "backslashreplace"), kept="\n").encode() if is_seen else text)
    out.flush()
    pending = b"".join(printer.pending())
    if pending_out is not None:
        # A run that is cut short must not leave half of it: the next run would count wrong.
        new = pending_out.with_name(pending_out.name + ".new")
        new.write_bytes(pending)
        new.replace(pending_out)
    if fd5:
        with open(5, "wb", closefd=False) as descriptor:
            descriptor.write(pending)
