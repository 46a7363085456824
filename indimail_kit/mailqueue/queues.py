"""Which queues there are (one queue, or a base with queue1 … N, slowq and nqueue), and a look at all of them.

Source: IndiMail indimail-mta-x/qmulti.c, qscheduler.c, queue-fix.c; facts, "Which queue".

Rule 1: reading changes nothing, and opens nothing below lock/ but a tcpto whose path is given.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indimail_kit.errors import FormatError, QueueError
from indimail_kit.exitcodes import CHDIR
from indimail_kit.mailqueue import tcpto
from indimail_kit.mailqueue.layout import TCPTO_BYTES, QueueLayout, detect_layout
from indimail_kit.mailqueue.multi import QUEUE_BASE
from indimail_kit.mailqueue.picture import Snapshot, count_messages, stream_picture, take_picture
from indimail_kit.mailqueue.quiet import entries_of, open_quietly
from indimail_kit.mailqueue.tcpto import TimeoutRecord
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
        refused: Queues of the base that cannot be looked at: name and reason.
    """

    place: Path
    layouts: tuple[QueueLayout, ...]
    refused: tuple[tuple[str, str], ...] = ()

    def _repr_html_(self) -> str:
        """Return the repr, escaped; for a notebook."""
        return html_of(self)

    def snapshot(
        self,
        *,
        now_ns: int | None = None,
        processes: int | None = None,
        tcpto_paths: Iterable[str | os.PathLike[str]] = (),
    ) -> Snapshot:
        """Look at all messages; nothing changes by it, and nothing below lock/ is opened unless you name it.

        Args:
            now_ns: Time (unit: ns since 1970); the clock's if not given.
            processes: How many processes may look at a big queue; as many as there are cores, up to four, if not given.
            tcpto_paths: Files of hosts that did not answer, each read because it is named here.

        Raises:
            QueueError: Exit code 61: a queue cannot be opened.
            FormatError: A file of `tcpto_paths` is no table of hosts.
            OSError: A file of `tcpto_paths` cannot be read.
        """
        now_ns = time.time_ns() if now_ns is None else now_ns
        pictures = tuple(take_picture(layout, now_ns=now_ns, processes=processes) for layout in self.layouts)
        hosts = tuple(record for path in tcpto_paths for record in read_tcpto(path))
        return Snapshot(now_ns, pictures, hosts)

    def stream(self, *, now_ns: int | None = None) -> Iterator[Snapshot]:
        """Yield small snapshots, one for each sub-directory of each queue, so that the first rows come at once.

        Raises:
            QueueError: Exit code 61: a queue cannot be opened.
        """
        now_ns = time.time_ns() if now_ns is None else now_ns
        for layout in self.layouts:
            for picture in stream_picture(layout, now_ns=now_ns):
                yield Snapshot(now_ns, (picture,))

    def count(self) -> dict[str, int]:
        """Return queue -> number of messages, by the names in mess alone.

        Raises:
            QueueError: Exit code 61: a queue cannot be opened.
        """
        return {layout.name: count_messages(layout) for layout in self.layouts}

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
    layouts: list[QueueLayout] = []
    refused: list[tuple[str, str]] = []
    for name in _names_of_queues(directory):
        try:
            layouts.append(_layout(directory / name, split))
        except QueueError as error:
            refused.append((name, str(error)))
    if not layouts:
        reason = refused[0][1] if refused else "neither a directory mess nor one named queue1"
        raise QueueError(f"no queue at {directory}: {reason}", exit_code=CHDIR)
    return Queues(directory, tuple(layouts), tuple(refused))


def read_tcpto(path: str | os.PathLike[str]) -> tuple[TimeoutRecord, ...]:
    """Read a table of hosts that somebody named; the only reader of a file that may lie below lock/.

    Raises:
        FormatError: It is no regular file, or ends within a record.
        OSError: It cannot be read.
    """
    fd = open_quietly(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise FormatError("a regular file", source=os.fspath(path))
        return tcpto.decode(os.read(fd, TCPTO_BYTES))
    finally:
        os.close(fd)


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
        with entries_of(base) as entries:
            names = {entry.name for entry in entries if (base / entry.name / "mess").is_dir()}
    except OSError as error:
        raise QueueError(f"no queue at {base}: {error.strerror}", exit_code=CHDIR) from error
    numbered = sorted((int(match[1]), name) for name in names if (match := _NUMBERED.fullmatch(name)))
    return [*(name for _, name in numbered), *(name for name in SPECIAL_QUEUES if name in names)]
