"""Watch queues while they work: each name that comes, goes or is written, as an event in words.

Listening is inotify through inotify_simple (docs/decisions/0016-inotify.md); where it cannot be had, or the limit of
watches is reached, the queues are looked at again and again, which is said in `text`.

What is not seen: fsync, reading, the trigger (nothing below lock/ is touched), the time at which a thing happened, and
several like changes in a row, which Linux tells as one. A queue with 151 sub-directories needs 908 watches, of which
Linux keeps about 1 KiB each.

Source: inotify(7).

Rule 1: read only: a watch, and a look at names, change nothing; no file is opened, and nothing below lock/ is watched.
Rule 2: events that were lost are told, and a fresh look is taken: what is said about the present is true again.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import CHDIR
from indimail_kit.mailqueue.beneath import names_below, open_below, opened_queue
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.live_events import WATCHED, Ledger, Look, Stamp
from indimail_kit.mailqueue.live_events import LiveChange as LiveChange
from indimail_kit.mailqueue.live_events import LiveEvent as LiveEvent

POLL_S: Final = 1.0
"""Pause between two looks where there is no inotify (unit: s)."""

MAX_STAMPS: Final = 10_000
"""Most files of a queue whose size and time are read at each look; of more only the names are (unit: files)."""

_MISSING: Final = "inotify_simple is not installed (pip install 'indimail-kit[lab]')"

_LIMITS: Final = {
    errno.ENOSPC: "the limit of watches is reached (fs.inotify.max_user_watches)",
    errno.EMFILE: "the limit of listeners is reached (fs.inotify.max_user_instances)",
    errno.ENOSYS: "this system has no inotify",
}
"""errno -> why inotify cannot be used."""


class LiveQueues:
    """Queues that are watched.

    Attributes:
        layouts: The queues.
        watch_count: Watched directories; 0 where they are looked at again and again.
        unwatched: Directories that could not be watched or looked into, with the reason, as "queue1/todo/3: …".
        reason: Why there is no inotify; "" when there is.
    """

    def __init__(
        self,
        layouts: QueueLayout | Sequence[QueueLayout],
        *,
        use_inotify: bool = True,
        clock: Callable[[], int] = time.time_ns,
        sleep: Callable[[float], None] = time.sleep,
        poll_s: float = POLL_S,
    ) -> None:
        """Begin to watch.

        Args:
            layouts: The queues.
            use_inotify: Whether inotify may be used; without it the queues are looked at.
            clock: Gives the time (unit: ns since 1970).
            sleep: Waits between two looks (unit: s).
            poll_s: Pause between two looks (unit: s).

        Raises:
            QueueError: Exit code 61: a queue cannot be entered, or none of its directories can be read.
        """
        self.layouts = (layouts,) if isinstance(layouts, QueueLayout) else tuple(layouts)
        self.watch_count = 0
        self.reason = "" if use_inotify else "it was not wanted"
        self._clock, self._sleep, self._poll_s = clock, sleep, poll_s
        self._inotify: Any = None
        self._places: dict[int, tuple[QueueLayout, str]] = {}
        self._trouble: dict[str, str] = {}
        try:
            if use_inotify:
                self._listen()
            # after the watches: what happens meanwhile is told by one of them, or by both, and never by none
            self._ledgers = {layout: Ledger(layout, self._look(layout)) for layout in self.layouts}
        except BaseException:
            self.close()
            raise

    @property
    def is_polling(self) -> bool:
        """Say whether the queues are looked at again and again."""
        return self._inotify is None

    @property
    def unwatched(self) -> tuple[str, ...]:
        """Return the directories that could not be looked into, with the reason."""
        return tuple(f"{place}: {reason}" for place, reason in sorted(self._trouble.items()))

    @property
    def text(self) -> str:
        """Return how the queues are watched, in a sentence for a person."""
        more = f" {len(self._trouble)} directories cannot be looked into." if self._trouble else ""
        if self.is_polling:
            return (
                f"Looked at every {self._poll_s:g} s, since {self.reason}; what comes and goes between is missed.{more}"
            )
        return f"{self.watch_count} directories are watched.{more}"

    def fileno(self) -> int:
        """Return a descriptor for select(); -1 where the queues are looked at again and again."""
        return -1 if self._inotify is None else int(self._inotify.fileno())

    def read(self, timeout_s: float = 0.0) -> tuple[LiveEvent, ...]:
        """Return what happened since the last time, in order.

        Args:
            timeout_s: How long to wait when nothing did (unit: s).
        """
        if self._inotify is not None:
            events = self._inotify.read(timeout=max(0, round(timeout_s * 1000)))
            return tuple(self._events(events, self._clock()))
        waits = max(0, round(timeout_s / self._poll_s))
        found = self._poll()
        while not found and waits:
            self._sleep(self._poll_s)
            waits -= 1
            found = self._poll()
        return found

    def close(self) -> None:
        """Stop watching."""
        inotify, self._inotify = self._inotify, None
        if inotify is not None:
            inotify.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join(layout.name for layout in self.layouts)
        return f"LiveQueues({names}; {'polling' if self.is_polling else f'{self.watch_count} watches'})"

    # -- listening -----------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Watch each directory, or say why not."""
        try:
            from inotify_simple import INotify
        except ImportError:
            self.reason = _MISSING
            return
        try:
            self._inotify = INotify()
            for layout in self.layouts:
                with opened_queue(layout) as queue_fd:
                    for path in _directories(layout):
                        self._watch(layout, path, queue_fd)
        except OSError as error:
            self.close()
            self._places.clear()
            self.reason = _LIMITS.get(error.errno or 0, f"inotify failed: {error.strerror}")
        self.watch_count = len(self._places)

    def _watch(self, layout: QueueLayout, path: str, queue_fd: int) -> None:
        """Watch one directory, which no symbolic link leads to; one that is not there is left out."""
        try:
            fd = open_below(path, queue_fd, os.O_DIRECTORY)
        except OSError as error:
            self._note_trouble(layout, path, error)
            return
        try:
            number = self._inotify.add_watch(f"/proc/self/fd/{fd}", _mask())
        finally:
            os.close(fd)
        self._places[number] = (layout, path)

    def _events(self, raw_events: Sequence[Any], unix_ns: int) -> Iterator[LiveEvent]:
        """Yield the events that inotify's records mean."""
        from inotify_simple import flags

        changes = (
            (flags.CREATE | flags.MOVED_TO, LiveChange.APPEARED),
            (flags.DELETE | flags.MOVED_FROM, LiveChange.WENT),
            (flags.MODIFY, LiveChange.CHANGED),
            (flags.ATTRIB, LiveChange.TIMES),
        )
        for raw in raw_events:
            if raw.mask & flags.Q_OVERFLOW:
                yield from self._recover(unix_ns)
                continue
            layout, directory = self._places.get(raw.wd, (None, ""))
            if layout is None:
                continue  # of a directory whose end was told already
            if raw.mask & flags.IGNORED:
                del self._places[raw.wd]
                self.watch_count = len(self._places)
                text = f"{directory} is gone: what happens there is not seen any more."
                yield LiveEvent(unix_ns, layout.name, LiveChange.ENDED, directory.split("/")[0], directory, text=text)
                continue
            for bits, change in changes:
                if raw.mask & bits:
                    event = self._ledgers[layout].tell(change, f"{directory}/{raw.name}", unix_ns)
                    if event is not None:
                        yield event

    def _recover(self, unix_ns: int) -> Iterator[LiveEvent]:
        """Say that events were lost, and take a fresh look."""
        text = "More happened than Linux keeps for us: events were lost. A fresh look was taken."
        yield LiveEvent(unix_ns, "", LiveChange.OVERFLOW, text=text)
        yield from self._poll()

    # -- looking -------------------------------------------------------------------------------------------------

    def _poll(self) -> tuple[LiveEvent, ...]:
        """Look at all the queues, and return what is other than before."""
        return tuple(
            event
            for layout, ledger in self._ledgers.items()
            for event in ledger.compare(self._look(layout), self._clock())
        )

    def _look(self, layout: QueueLayout) -> Look:
        """Read the names in a queue, and size and time of the files when there are few."""
        names: dict[str, Stamp | None] = {}
        readable = 0
        with opened_queue(layout) as queue_fd:
            for directory in _directories(layout):
                try:
                    names.update((f"{directory}/{name}", None) for name in names_below(directory, queue_fd))
                    readable += 1
                except OSError as error:
                    self._note_trouble(layout, directory, error)
            if not readable:
                raise QueueError(f"no readable directory in {layout.directory}", exit_code=CHDIR)
            if self.is_polling and len(names) <= MAX_STAMPS:
                for path in names:
                    with suppress(OSError):  # gone meanwhile
                        status = os.stat(path, dir_fd=queue_fd, follow_symlinks=False)
                        names[path] = Stamp(status.st_size, status.st_mtime_ns)
        return names

    def _note_trouble(self, layout: QueueLayout, path: str, error: OSError) -> None:
        self._trouble[f"{layout.name}/{path}"] = error.strerror or "cannot be opened"


def _directories(layout: QueueLayout) -> Iterator[str]:
    """Yield the directories of a queue that are watched; lock is none of them."""
    for kind in WATCHED:
        yield from layout.directories(kind)


def _mask() -> int:
    """Return what is watched in a directory: names that come or go, octets, times and modes."""
    from inotify_simple import flags

    names = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO
    return int(names | flags.MODIFY | flags.ATTRIB | flags.ONLYDIR)
