"""How far a log has been read, on a terminal: a bar on standard error for the long verbs of ``logs``.

Rule 1: the bar counts what is read from the disk, so that a compressed log and a plain one end alike.
Rule 2: no terminal, no bar; and none where rows roll over the same screen.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from indimail_kit.logs.files import Source


MIN_BYTES: Final = 4 << 20
"""Least length of a log with a bar (unit: octets); a shorter one is read before anybody has seen it."""


@contextmanager
def told(files: Sequence[str | Path], *, has_rows: bool = False) -> Iterator[list[Source]]:
    """Give the sources to read, and show how much of them has been read.

    Args:
        files: Files, multilog directories, or "-" for standard input, of which nobody knows how long it is.
        has_rows: Whether rows are printed on standard output while the log is read.
    """
    names = ["/dev/stdin" if str(file) == "-" else str(file) for file in files]
    is_seen = sys.stderr.isatty() and not (has_rows and sys.stdout.isatty())
    size = _size(names) if is_seen else 0
    if size < MIN_BYTES:
        yield list(names)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from indimail_kit.logs.files import Told

    screen = Console(stderr=True, highlight=False, markup=False, emoji=False)
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("reading", total=size)
        yield [Told(Path(name), lambda octets: bar.advance(task, octets)) for name in names]


def _size(names: Sequence[str]) -> int:
    """Return how much there is to read (unit: octets), 0 if nobody knows; what cannot be read is said later."""
    from indimail_kit.logs.files import log_files

    size = 0
    try:
        for name in names:
            path = Path(name)
            if not (path.is_dir() or path.is_file()):
                return 0
            size += sum(part.stat().st_size for part in (log_files(path) if path.is_dir() else (path,)))
    except OSError:
        return 0
    return size
