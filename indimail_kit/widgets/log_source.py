"""What LogExplorer looks at: paths, octets, dropped files or a Log, read into tables; for a thread of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from indimail_kit import logs
from indimail_kit.errors import KitError, LabError
from indimail_kit.logs.log import Log
from indimail_kit.widgets.log_drop import drop_text
from indimail_kit.widgets.log_tables import read_tables
from indimail_kit.widgets.queue_words import count_text

if TYPE_CHECKING:
    from indimail_kit.widgets.log_pages import View
    from indimail_kit.widgets.log_tables import LogTables

Source = Log | bytes | str | os.PathLike[str]
"""What can be looked at."""

_REPORTS: Final[dict[View, str]] = {
    "messages": "overall",
    "deliveries": "recipients",
    "reasons": "deferrals",
    "unknown": "overall",
}
"""View -> the view of `logs report` that tells of the same, where it is not the first one."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadLog:
    """A log that was read.

    Attributes:
        tables: The log as tables.
        place: What was read, in words.
        names: What to call octets that were read from memory.
        is_private: Whether nothing of it may stay in a notebook.
        paths: What was read from disk.
    """

    tables: LogTables
    place: str
    names: tuple[str, ...] = ()
    is_private: bool = False
    paths: tuple[str, ...] = ()

    def command(self, view: View) -> str:
        """Return the command that shows the same in a terminal; "" for a log that is in memory."""
        if not self.paths:
            return ""
        return f"indimail-kit logs report --view {_REPORTS.get(view, 'overall')} {' '.join(map(quote, self.paths))}"


def moment_ns(moment: Any) -> int:
    """Return a time as pandas.Timestamp takes it (unit: ns since 1970); without a zone it is UTC.

    Raises:
        ValueError: It is no time.
    """
    import pandas as pd

    when = pd.Timestamp(moment)
    if pd.isna(when):
        raise ValueError("a time")
    return int((when.tz_localize("UTC") if when.tzinfo is None else when).as_unit("ns").value)


def read_sources(sources: Sequence[Source], files: list[tuple[str, bytes]] | None = None) -> ReadLog:
    """Read a log, and make what choosing needs; the slow work.

    Args:
        sources: One `Log`, or what `logs.read` takes.
        files: Names and octets of dropped files, which are the sources then.

    Raises:
        FormatError: A directory holds no log, or nothing of a compressed file can be read.
        LabError: A Log beside other sources.
        OSError: Nothing can be read.
    """
    if len(sources) == 1 and isinstance(sources[0], Log):
        log = sources[0]
        return ReadLog(read_tables(log), log.name or "a log")
    if any(isinstance(one, Log) for one in sources):
        raise LabError("one Log, or files, directories and octets")
    given = [one for one in sources if not isinstance(one, Log)]
    log, fault = _read_what_is_there(given)
    tables = read_tables(log)
    if files is not None:
        return ReadLog(tables, drop_text(files) + fault, tuple(name for name, _ in files), is_private=True)
    paths = tuple(str(Path(one)) for one in given if not isinstance(one, bytes))
    if len(paths) < len(given):
        return ReadLog(tables, count_text(len(given), "log") + ", in memory" + fault)
    more = f" and {count_text(len(paths) - 3, 'more place')}" if len(paths) > 3 else ""
    place = f"{', '.join(paths[:3])}{more} · {count_text(len(tables.files), 'file')}{fault}"
    return ReadLog(tables, place, paths=paths)


def _read_what_is_there(sources: Sequence[bytes | str | os.PathLike[str]]) -> tuple[Log, str]:
    """Return a log up to its end or to what stopped the reading, and what is to be said of that; "" for nothing."""
    blocks: list[logs.EventBlock] = []
    fault = ""
    try:
        blocks.extend(logs.read_blocks(*sources))
    except (KitError, OSError) as error:
        if not blocks:
            raise
        fault = f" · not all of it: {error}"
    return Log(tuple(blocks)), fault
