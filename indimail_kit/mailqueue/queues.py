"""Which queues there are: one queue, or a base with queue1 … N, slowq and nqueue.

Source: IndiMail indimail-mta-x/qmulti.c, qscheduler.c, queue-fix.c; facts, "Which queue".

Rule 1: only directories are looked at, and nothing is opened below lock/.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import CHDIR
from indimail_kit.mailqueue.layout import QueueLayout, detect_layout
from indimail_kit.mailqueue.multi import QUEUE_BASE
from indimail_kit.wiring import html_of

SPECIAL_QUEUES: Final = ("slowq", "nqueue")
"""Queues of a base beside the numbered ones: for slowq-send, and for mail that a spam filter has to see."""

_NUMBERED: Final = re.compile(r"queue([0-9]|[1-9][0-9]{1,8})")
"""Name of a numbered queue."""


@dataclass(frozen=True, slots=True)
class Queues:
    """One or more queues, to be looked at.

    Attributes:
        place: What was opened: a queue, or a base.
        layouts: The queues: queue1 … N in the order of their numbers, then slowq, nqueue.
    """

    place: Path
    layouts: tuple[QueueLayout, ...]

    def _repr_html_(self) -> str:
        """Return the repr, escaped; for a notebook."""
        return html_of(self)

    def layout(self, name: str) -> QueueLayout:
        """Return the queue of a name.

        Raises:
            QueueError: Exit code 61: there is none.
        """
        for layout in self.layouts:
            if layout.name == name:
                return layout
        raise QueueError(f"no queue {name} at {self.place}", exit_code=CHDIR)


def open_queues(place: str | os.PathLike[str], split: int | None = None) -> Queues:
    """Find the queues at a place; read-only, and nothing is kept open.

    Args:
        place: A queue (it has a directory mess), or a base with queue1 … N, slowq, nqueue.
        split: Number of sub-directories; what the directories show if not given (unit: directories).

    Raises:
        QueueError: Exit code 61: no queue there. 62: a queue whose mess has no sub-directories 0 … n-1.
    """
    directory = Path(place)
    if (directory / "mess").is_dir():
        return Queues(directory, (_layout(directory, split),))
    layouts = tuple(_layout(directory / name, split) for name in _names_of_queues(directory))
    if not layouts:
        raise QueueError(f"no queue at {directory}: neither a directory mess nor one named queue1", exit_code=CHDIR)
    return Queues(directory, layouts)


def default_place(environ: Mapping[str, str]) -> Path:
    """Return where the queues are when nobody says it: QUEUEDIR, else QUEUE_BASE, else /var/indimail/queue."""
    return Path(environ.get("QUEUEDIR") or environ.get("QUEUE_BASE") or QUEUE_BASE)


def _layout(directory: Path, split: int | None) -> QueueLayout:
    """Return the layout of a queue, with the split that a person knows better."""
    if split is None:
        return detect_layout(directory)
    has_bigtodo = (directory / "todo" / "0").is_dir()
    return QueueLayout(directory, split, has_bigtodo)


def _names_of_queues(base: Path) -> list[str]:
    """Return the names of the queues below a base, in their order."""
    try:
        with os.scandir(base) as entries:
            names = {entry.name for entry in entries if (base / entry.name / "mess").is_dir()}
    except OSError as error:
        raise QueueError(f"no queue at {base}: {error.strerror}", exit_code=CHDIR) from error
    numbered = sorted((int(match[1]), name) for name in names if (match := _NUMBERED.fullmatch(name)))
    return [*(name for _, name in numbered), *(name for name in SPECIAL_QUEUES if name in names)]
