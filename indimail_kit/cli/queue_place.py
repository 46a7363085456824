"""Which queues a verb of ``queue`` looks at: ``--queue`` and ``--split``, the same for all of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indimail_kit.cli.output import note

if TYPE_CHECKING:
    from collections.abc import Callable

    from indimail_kit.mailqueue import Queues


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--queue`` and ``--split`` to a verb."""
    place = click.option(
        "--queue",
        "place",
        type=click.Path(path_type=Path),
        help="A queue, or a base with queue1 …; $QUEUEDIR, $QUEUE_BASE or /var/indimail/queue if not given.",
    )
    split = click.option(
        "--split",
        type=click.IntRange(1, 100_000),
        help="Sub-directories of mess, info, local, remote; found from the directories if not given.",
    )
    return place(split(command))


def opened(place: Path | None, split: int | None) -> Queues:
    """Return the queues at a place, and say which of them cannot be looked at.

    Raises:
        QueueError: There is none.
    """
    from indimail_kit.mailqueue import open_queues
    from indimail_kit.mailqueue.queues import default_place

    queues = open_queues(default_place(os.environ) if place is None else place, split)
    for name, reason in queues.refused:
        note(f"{name} is left out: {reason}")
    return queues
