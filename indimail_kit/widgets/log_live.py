"""LiveLogExplorer: a log that multilog is writing, to look through while it grows."""

from __future__ import annotations

import asyncio
import os
import threading
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

import traitlets as t

from indimail_kit.errors import LabError
from indimail_kit.logs.live_log import LiveLog
from indimail_kit.widgets.log_bars import bars_of
from indimail_kit.widgets.log_explorer import LogExplorer
from indimail_kit.widgets.log_source import ReadLog
from indimail_kit.widgets.log_tables import read_tables
from indimail_kit.widgets.runner import running_loop

if TYPE_CHECKING:
    from indimail_kit.logs.follow import Notice
    from indimail_kit.widgets.log_source import Source
    from indimail_kit.widgets.log_tables import LogTables

EVERY_S: Final = 2.0
"""Pause between two looks at the log (unit: s)."""


class LiveLogExplorer(LogExplorer):
    """A log that is being written: every line once, over every turn of multilog's files; filters and rows stay.

    In a notebook it looks by itself; elsewhere `refresh` looks.

    Attributes:
        notices: What no line tells: files that were gone before they were read, or emptied.
    """

    def __init__(
        self, directory: str | os.PathLike[str], *, from_end: bool = False, every_s: float = EVERY_S, **traits: Any
    ) -> None:
        """Follow a log.

        Args:
            directory: Where multilog writes.
            from_end: Whether the lines that are there already are left out.
            every_s: Pause between two looks (unit: s).
            traits: Other traits, those of LogExplorer.

        Raises:
            OSError: The directory cannot be read.
        """
        self.notices: tuple[Notice, ...] = ()
        self._live = LiveLog(directory, from_end=from_end)
        self._taking = threading.Lock()
        super().__init__()
        self.refresh()
        for name, value in traits.items():
            setattr(self, name, value)
        loop = running_loop()
        self._watching = None if loop is None else loop.create_task(self._watch(every_s))

    def refresh(self) -> bool:
        """Take what was logged since the last look; tell whether something was.

        Raises:
            OSError: The directory or a file cannot be read; the next look tries again.
        """
        return self._show_more(self._take())

    def read(self, *_sources: Source) -> None:
        """Refuse: this view has its log.

        Raises:
            LabError: Always.
        """
        raise LabError("a LogExplorer for another log; this one follows its own")

    def close(self) -> None:
        """Stop looking, close the view and forget the log."""
        if self._watching is not None:
            self._watching.cancel()
        self._live.close()
        super().close()

    def _take(self) -> ReadLog | None:
        """Read what came; None for nothing. For any thread."""
        with self._taking:
            before = self._live.log
            self.notices += self._live.update()
            if self._live.log is before and self._read is not None:
                return None
            told = "".join(f" · {notice.text}" for notice in self.notices[-1:])
            return ReadLog(read_tables(self._live.log), f"{self._live.directory} · live{told}")

    async def _watch(self, every_s: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(every_s)
            try:
                self._show_more(await loop.run_in_executor(None, self._take))
            except OSError as error:
                self.grid.say(f"Not read just now: {error.filename}: {error.strerror}.", "ik-bad")

    def _show_more(self, read: ReadLog | None) -> bool:
        """Show a log that grew; what is chosen and opened stays."""
        if read is None:
            return False
        if self._read is None:
            self._show(read)
            return True
        page, opened, before = self.page, self.opened, self._read.tables
        self._read, self._bars = read, bars_of(read.tables.times)
        self.reason = _same_reason(before, read.tables, self.reason)
        if opened.startswith("r"):
            code = _same_reason(before, read.tables, int(opened[1:]))
            opened = f"r{code}" if code >= 0 else ""
        self._chosen = read.tables.choose(self.filters)
        self._draw()
        self.page = page
        if opened != self.opened:
            self.opened = opened
        elif opened:
            self._on_opened(t.Bunch(new=opened))
        return True

    def _command(self) -> str:
        return f"indimail-kit logs follow {quote(str(self._live.directory))}"

    def _on_files(self, _files: list[tuple[str, bytes]]) -> None:
        self.grid.say("Not taken: this view follows its own log. Another LogExplorer takes files.", "ik-bad")


def _same_reason(before: LogTables, after: LogTables, code: int) -> int:
    """Return the number that a reason has now, -1 for none; new reasons of another outcome may stand before it."""
    reason = before.reason_of(code)
    wanted = None if reason is None else (reason.outcome, reason.text)
    return next((one.code for one in after.reasons if (one.outcome, one.text) == wanted), -1)
