"""qmail-multi: which of the queues takes the message, and whether its disk has room.

Source: IndiMail indimail-mta-x/getqueue.c `queueNo_from_env()`, qmulti.c `getfreespace()`, qmail-queue.c `main()`,
libqmail getEnvConfig.c; qmail-multi(8). Not "seconds modulo count", as older manuals say: the choice is random.

Rule 1: environment and randomness are parameters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import CONFIG, WRITE
from indimail_kit.mailqueue.layout import SPLIT, QueueLayout, create_queue, detect_layout
from indimail_kit.mailqueue.received import scan_number

if TYPE_CHECKING:
    from random import Random

QUEUE_BASE: Final = Path("/var/indimail/queue")
"""Where the queues are unless QUEUE_BASE says otherwise. Source: qmail.h, conf-queue."""

QUEUE_COUNT: Final = 10
"""Number of queues unless QUEUE_COUNT says otherwise. Source: qmail.h."""

QUEUE_START: Final = 1
"""Number of the first queue unless QUEUE_START says otherwise. Source: qmail.h."""

_MIB: Final = 1024 * 1024


def choose_queue(environ: Mapping[str, str], *, random: Random, base_default: Path = QUEUE_BASE) -> Path:
    """Choose the directory of the queue for one message.

    Args:
        environ: QUEUEDIR (that one), else QUEUE_BASE, QUEUE_START and QUEUE_COUNT.
        random: Source of the choice; every queue is as likely as every other.
        base_default: Base when QUEUE_BASE is not set (control/queue_base).

    Raises:
        QueueError: Exit code 55: QUEUE_COUNT or QUEUE_START is not a number, or there are no queues.

    Deviation:
        The real program crashes when QUEUE_COUNT is 0 (division by zero) and takes garbage for a number.
    """
    if "QUEUEDIR" in environ:
        return Path(environ["QUEUEDIR"])
    count = _number(environ, "QUEUE_COUNT", QUEUE_COUNT, at_least=1)
    start = _number(environ, "QUEUE_START", QUEUE_START, at_least=0)
    base = Path(environ["QUEUE_BASE"]) if "QUEUE_BASE" in environ else base_default
    return base / f"queue{start + random.randrange(count)}"


def create_queues(base: Path, *, count: int, start: int = QUEUE_START, split: int = SPLIT) -> tuple[QueueLayout, ...]:
    """Make new empty queues base/queueN for N = start … start + count - 1.

    Raises:
        QueueError: See `layout.create_queue`.
    """
    return tuple(create_queue(Path(base) / f"queue{start + index}", split=split) for index in range(count))


def layout_from_environ(
    directory: Path, environ: Mapping[str, str], *, auto_split: int = SPLIT, auto_bigtodo: bool = True
) -> QueueLayout:
    """Return the layout that qmail-queue takes a queue to have: it believes the environment and looks at nothing.

    Args:
        directory: The queue.
        environ: BIGTODO and CONFSPLIT, which can only lower the split.
        auto_split: The split that was compiled in (conf-split).
        auto_bigtodo: Whether intd and todo are split when BIGTODO does not say it.
    """
    split = scan_number(environ.get("CONFSPLIT", "")) or auto_split
    has_bigtodo = scan_number(environ["BIGTODO"]) != 0 if "BIGTODO" in environ else auto_bigtodo
    return QueueLayout(Path(directory), min(split, auto_split), has_bigtodo)


def find_layout(directory: Path, environ: Mapping[str, str]) -> QueueLayout:
    """Return the layout of a queue that may be plain qmail's: what its directories show takes the place of conf-split.

    A directory that is no queue gets IndiMail's layout; the first step in it says what is wrong.

    Raises:
        QueueError: Exit code 61 or 62: it is there and cannot be read, so that its layout is not known.
    """
    try:
        found = detect_layout(directory)
    except QueueError as error:
        if isinstance(error.__cause__, OSError):
            raise
        return layout_from_environ(directory, environ)
    return layout_from_environ(directory, environ, auto_split=found.split, auto_bigtodo=found.has_bigtodo)


def check_free_space(directory: Path, environ: Mapping[str, str]) -> None:
    """Refuse a message when the disk of the queue has less than MIN_FREE octets.

    Raises:
        QueueError: Exit code 53: too little room. 55: the file system cannot be asked.

    Source:
        qmulti.c `getfreespace()`: both sides are cut to whole MiB.
    """
    if "MIN_FREE" not in environ:
        return
    try:
        status = os.statvfs(directory)
    except OSError as error:
        raise QueueError(f"no file system at {directory}: {error.strerror}", exit_code=CONFIG) from error
    if status.f_bavail * status.f_frsize // _MIB < scan_number(environ["MIN_FREE"]) // _MIB:
        raise QueueError("less room than MIN_FREE", exit_code=WRITE)


def _number(environ: Mapping[str, str], name: str, default: int, *, at_least: int) -> int:
    """Return a variable as a number."""
    text = environ.get(name, str(default))
    if re.fullmatch(r"[0-9]{1,9}", text) is None or int(text) < at_least:
        raise QueueError(f"{name} that is no number of queues", exit_code=CONFIG)
    return int(text)
