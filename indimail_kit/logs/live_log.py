"""A log that is being written, as tables that grow: what `follow` gives line by line, as a `Log`.

    live = LiveLog("/var/log/indimail/deliver.25")
    live.update()                       # what has come since; () where nothing went wrong
    live.log.deliveries                 # the same tables as of `logs.read`

Rule 1: the log is the one that `logs.read` gives of the same lines: every line once, with its file and octet.
Rule 2: memory grows with the lines: who follows a busy server for days begins anew now and then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from indimail_kit.logs.blocks import RawBlock
from indimail_kit.logs.columns import EventBlock
from indimail_kit.logs.engine import Numbering, scan_block
from indimail_kit.logs.event import Event
from indimail_kit.logs.follow import Follower, Notice
from indimail_kit.logs.log import Log

BLOCK_LINES: Final = 4096
"""Most lines of a block; so many are read with one call of the kernel."""


class LiveLog:
    """Follows a log of multilog's and keeps what came.

    Attributes:
        directory: Where multilog writes.
        log: All lines that came so far.
    """

    def __init__(self, directory: str | os.PathLike[str], *, from_end: bool = False, utc_offset_s: int = 0) -> None:
        """Begin with the oldest line, or with what is logged from now on.

        Args:
            directory: Where multilog writes.
            from_end: Whether the lines that are there already are left out.
            utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).
        """
        self.directory = Path(directory)
        self._follower = Follower(self.directory, from_end=from_end, utc_offset_s=utc_offset_s)
        self._numbering = Numbering(utc_offset_s=utc_offset_s)
        self._behind: tuple[str, int] | None = None
        self.log = Log((), str(self.directory))

    def update(self) -> tuple[Notice, ...]:
        """Take what was logged since the last call; return what no line tells: files gone unread, or emptied.

        Raises:
            OSError: The directory or a file cannot be read; the next call tries again.
        """
        events: list[Event] = []
        notices: list[Notice] = []
        try:
            for item in self._follower.poll():
                events.append(item) if isinstance(item, Event) else notices.append(item)
        finally:
            if events:
                self.log = Log((*self.log.blocks, *self._blocks(events)), str(self.directory))
        return tuple(notices)

    def _blocks(self, events: list[Event]) -> Iterator[EventBlock]:
        """Yield the lines as blocks of columns."""
        for some in _stretches(events):
            first, numbering = some[0], self._numbering
            if (first.file, first.byte_offset) != self._behind:  # another file, or the same one from its beginning
                numbering.file_index += 1
                numbering.line_number = first.line_number
            octets = b"".join(event.line + (b"\n" if event.is_whole else b"") for event in some)
            skipped = first.line_bytes - len(first.line)
            raw = RawBlock(first.file, first.byte_offset, memoryview(octets), skipped, is_first=False)
            yield numbering.finish(raw, scan_block(raw, compiled=False), compiled=False)
            self._behind = (first.file, some[-1].byte_offset + some[-1].line_bytes + 1)

    def close(self) -> None:
        """Close the file that is followed; what came stays."""
        self._follower.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Return one line: where, and how much came."""
        return f"<LiveLog of {self.directory}: {len(self.log):,} lines so far>"


def _stretches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Yield lines that follow each other in one file; one that was cut begins a stretch of its own."""
    some: list[Event] = []
    for event in events:
        last = some[-1] if some else None
        is_next = last is not None and (last.file, last.byte_offset + last.line_bytes + 1) == (
            event.file,
            event.byte_offset,
        )
        is_cut = event.line_bytes > len(event.line)
        if some and (not is_next or is_cut or len(some) == BLOCK_LINES or not some[-1].is_whole):
            yield some
            some = []
        some.append(event)
    if some:
        yield some
