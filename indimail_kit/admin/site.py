"""Where a server is, for whoever looks after it: queues, logs, clamd, clocks; from the environment or from a form.

::

    site = Site.from_environ(os.environ)
    site.queues(), site.log(), site.scanner()

====================== =============================================================================================
variable               meaning
====================== =============================================================================================
QUEUEDIR, QUEUE_BASE   a queue, or a base with queue1 …; /var/indimail/queue if neither is set
INDIMAIL_KIT_SPLIT     sub-directories of mess; found from the directories if not set
INDIMAIL_KIT_LOGS      logs: files or multilog directories, with colons between them
INDIMAIL_KIT_CLAMD     clamd's socket, or HOST:PORT; without it the built-in scanner with its few teaching rules
INDIMAIL_KIT_CLOCKS    how far clocks are ahead of qmail-send's, in seconds: ``scan=+2.5 session=-1``
====================== =============================================================================================

Rule 1: the environment is a parameter; nothing is read before it is asked for.
Rule 2: reading changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from indimail_kit import logs as logs_room
from indimail_kit import qhpsi
from indimail_kit.errors import FormatError
from indimail_kit.mailqueue.queues import Queues, default_place, open_queues
from indimail_kit.qhpsi.canary import CanaryScanner
from indimail_kit.qhpsi.clamd_address import parse_address
from indimail_kit.trace.clocks import ClockName, Clocks
from indimail_kit.visible import visible
from indimail_kit.wiring import html_of

if TYPE_CHECKING:
    from indimail_kit.logs import Log
    from indimail_kit.qhpsi.verdict import Scanner

SPLIT: Final = "INDIMAIL_KIT_SPLIT"
LOGS: Final = "INDIMAIL_KIT_LOGS"
CLAMD: Final = "INDIMAIL_KIT_CLAMD"
CLOCKS: Final = "INDIMAIL_KIT_CLOCKS"
_NAMED: Final = ("QUEUEDIR", "QUEUE_BASE", LOGS)
"""Variables of which one says that a server is meant."""

_MOST_SPLIT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Site:
    """A server.

    Attributes:
        queue_base: A queue, or a base with queue1 ….
        logs: Its logs; empty without one.
        split: Sub-directories of mess, None to find them.
        clamd: clamd's socket or HOST:PORT, "" for the built-in scanner.
        ahead_s: Clock -> how far it is ahead of qmail-send's (unit: s).
    """

    queue_base: Path
    logs: tuple[Path, ...] = ()
    split: int | None = None
    clamd: str = ""
    ahead_s: Mapping[ClockName, float] = field(default_factory=dict)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Site:
        """Return the server that the variables name.

        Raises:
            FormatError: A split or a clock is none.
            TraceError: A clock that nobody has.
        """
        return cls(
            default_place(environ),
            split_paths(environ.get(LOGS, "")),
            parse_split(environ.get(SPLIT, "")),
            environ.get(CLAMD, "").strip(),
            parse_clocks(environ.get(CLOCKS, "")),
        )

    @staticmethod
    def is_named(environ: Mapping[str, str]) -> bool:
        """Say whether the variables name a server, or one is at IndiMail's own place."""
        try:
            return any(environ.get(name) for name in _NAMED) or default_place(environ).is_dir()
        except OSError:  # it is there, and not for us: that is worth a sentence, not a demonstration
            return True

    def queues(self) -> Queues:
        """Return its queues.

        Raises:
            QueueError: There is none.
        """
        return open_queues(self.queue_base, self.split)

    def log(self) -> Log | None:
        """Read its logs as one; None without logs.

        Raises:
            FormatError: A directory holds no log.
            MissingPartError: A log is compressed in a way that cannot be read here.
            OSError: A log cannot be read.
        """
        return logs_room.read(*self.logs) if self.logs else None

    def scanner(self) -> Scanner:
        """Return who scans: its clamd, whose CLEAN counts only while it finds EICAR; else the built-in scanner.

        Raises:
            ScanError: The address of clamd is none.
        """
        if not self.clamd:
            return qhpsi.embedded()
        client = qhpsi.ClamdClient(parse_address(self.clamd))
        return CanaryScanner(client, partial(client.scan_stream, qhpsi.eicar()))

    @property
    def scanner_name(self) -> str:
        """Return who scans, for a person."""
        return f"clamd at {self.clamd}" if self.clamd else "the built-in scanner with a few teaching rules, no clamd"

    def __repr__(self) -> str:
        """Return it in words."""
        told = ", ".join(map(str, self.logs)) or "none"
        return visible(f"<Site: queues at {self.queue_base}, logs: {told}, scanner: {self.scanner_name}>")

    def _repr_html_(self) -> str:
        return html_of(self)


def split_paths(text: str) -> tuple[Path, ...]:
    """Return paths that are written with colons between them; empty ones are left out."""
    return tuple(Path(part).expanduser() for part in text.split(os.pathsep) if part.strip())


def parse_split(text: str) -> int | None:
    """Return a split, None for an empty text.

    Raises:
        FormatError: It is no number, or none that a queue can have.
    """
    if not text.strip():
        return None
    if not (text.strip().isascii() and text.strip().isdecimal()) or not 1 <= int(text[:9]) <= _MOST_SPLIT:
        raise FormatError(f"a split of 1 to {_MOST_SPLIT:,} sub-directories", source=SPLIT)
    return int(text)


def parse_clocks(text: str) -> dict[ClockName, float]:
    """Return clock -> seconds of a text such as ``scan=+2.5 session=-1``.

    Raises:
        FormatError: A part is no clock with seconds.
        TraceError: A clock that nobody has.

    Example:
        >>> parse_clocks("scan=+2.5 session=-1")
        {'scan': 2.5, 'session': -1.0}
    """
    found: dict[ClockName, float] = {}
    for part in text.split():
        name, _, seconds = part.partition("=")
        try:
            found[cast("ClockName", name)] = float(seconds)
        except ValueError:
            raise FormatError("clocks such as scan=+2.5 session=-1 (seconds)", source=CLOCKS) from None
    Clocks(found)
    return found
