"""Which messages have a file of a kind: a look into the split directories.

Source: IndiMail readsubdir.c.

Rule 1: a name is a number as the programs write it, or it is no message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Final

from indimail_kit.mailqueue.layout import QueueLayout

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}")


def scan_numbers(
    layout: QueueLayout, kind: str, *, on_trouble: Callable[[str], None] = lambda _directory: None
) -> Iterator[tuple[str, int]]:
    """Yield directory and message number of each file of a kind, numbers rising within a directory.

    Args:
        layout: The queue.
        kind: One of `layout.KINDS`.
        on_trouble: Told each directory that could not be read.
    """
    for directory in layout.directories(kind):
        try:
            with os.scandir(layout.directory / directory) as entries:
                names = [entry.name for entry in entries]
        except OSError:
            on_trouble(directory)
            continue
        yield from ((directory, number) for number in sorted(int(name) for name in names if _NUMBER.fullmatch(name)))
