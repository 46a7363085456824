"""multilog's directory as it turns its files over: which file comes after one that was read.

multilog renames a full `current` to `previous` and begins a new `current`; then `previous` gets its name `@label.s` by
a second link, or a processor writes `processed` from it, which gets the name instead, and `previous` goes. A `current`
that was not closed well becomes `@label.u` at the next start. The oldest names are removed when there are too many.

Source: multilog(8); IndiMail daemontools-x/multilog.c `fullcurrent()`, `startprocessor()`, `finish()`, `restart()`.

Rule 1: a file is known by its inode, not by its name, as long as it is there.
Rule 2: two looks that are alike in a row: a file that gets another name during one look cannot be missed by both.
Rule 3: where it cannot be proved that nothing is missing, `Choice.is_gap` says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_LOOKS: Final = 200
"""Looks before it is given up for now, because the directory changes faster than it can be read."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file of the directory at the moment of a look."""

    name: str
    inode: int


@dataclass(frozen=True, slots=True)
class Look:
    """The log files of a directory at one moment.

    Attributes:
        named: Closed files with their last names, oldest first.
        previous: A closed file that has no such name yet.
        current: The file that is written.
        is_processing: Whether a processor's file waits for its name.
    """

    named: tuple[Place, ...]
    previous: Place | None
    current: Place | None
    is_processing: bool

    @property
    def chain(self) -> tuple[Place, ...]:
        """Return all files to be read, oldest first."""
        rest = (place for place in (self.previous, self.current) if place is not None)
        return (*self.named, *rest)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a file stands among the names, so that it is found again when its inode is gone.

    Attributes:
        newest: The file's own name, or the newest name when it was last seen without one; "" if there was none.
        ahead: Files without a name that will get theirs before this one.
        after: The next name behind the file's own, "" if there was none: while it is there, nothing is missing.
    """

    newest: str = ""
    ahead: int = 0
    after: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to read next.

    Attributes:
        place: The file, or None if there is none yet.
        mark: Where it stands.
        is_gap: Whether files may have been removed before they were read.
    """

    place: Place | None
    mark: Mark
    is_gap: bool = False


def _look_once(directory: Path) -> Look:
    places: dict[str, Place] = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            is_named = entry.name.startswith("@") and entry.name.endswith((".s", ".u"))
            if is_named or entry.name in ("previous", "processed", "current"):
                places[entry.name] = Place(entry.name, entry.inode())
    previous, processed, current = (places.pop(name, None) for name in ("previous", "processed", "current"))
    named = tuple(place for _, place in sorted(places.items()))
    inodes = {place.inode for place in named}
    if previous is not None and previous.inode in inodes:
        previous = None  # it has its name already
    return Look(named, previous, current, processed is not None and processed.inode not in inodes)


def look(directory: Path) -> Look | None:
    """Return the log files of a directory; None if it changes too fast just now, or a file waits for its name.

    Raises:
        OSError: The directory cannot be read.
    """
    before = _look_once(directory)
    for _ in range(MAX_LOOKS):
        now = _look_once(directory)
        # A processor's file whose original is gone gets its name at once; until then a file is missing in the chain.
        is_between = now.is_processing and now.previous is None
        if now == before and not is_between:
            return now
        before = now
    return None


def look_anyway(directory: Path) -> Look:
    """Return the log files of a directory, even if it does not hold still or a processor has left a file behind.

    Raises:
        OSError: The directory cannot be read.
    """
    return look(directory) or _look_once(directory)


def newest_of(seen: Look) -> str:
    """Return the name of the file that was closed last, "" for none: it changes with each turn."""
    return seen.named[-1].name if seen.named else ""


def newest_name(directory: Path) -> str:
    """Return the same as it is now.

    Raises:
        OSError: The directory cannot be read.
    """
    return newest_of(_look_once(directory))


def mark_of(seen: Look, place: Place) -> Mark:
    """Return where a file of this look stands among the names."""
    newest = newest_of(seen)
    if place == seen.current:
        return Mark(newest, int(seen.previous is not None or seen.is_processing))
    if place == seen.previous:
        return Mark(newest)
    return Mark(place.name, after=next((one.name for one in seen.named if one.name > place.name), ""))


def choose_next(seen: Look, inode: int, mark: Mark, is_read: Callable[[Place], bool | None]) -> Choice:
    """Return which file comes after one that was read.

    Args:
        seen: The directory now.
        inode: The file that was read.
        mark: Where it stood.
        is_read: Whether a file begins before the last line that was read, None if it has no stamps; asked only where
            names prove nothing.
    """
    chain = seen.chain
    for position, place in enumerate(chain):
        if place.inode == inode:
            after = chain[position + 1] if position + 1 < len(chain) else None
            return Choice(after, mark_of(seen, after or place))
    return _choose_by_name(seen, mark, is_read)


def _choose_by_name(seen: Look, mark: Mark, is_read: Callable[[Place], bool | None]) -> Choice:
    """Return what comes after a file whose inode is gone: a processor replaced it, or it was removed."""
    new = [place for place in seen.named if place.name > mark.newest]
    waiting, is_gap = 0, False
    names = {place.name for place in seen.named}
    if mark.after in names:
        unread = [place for place in new if place.name >= mark.after]
    elif mark.newest in names or (not mark.newest and not (new and is_read(new[0]) is False)):
        # The oldest files go first, and an older one than ours is there, or none was there before ours: the next names
        # are those we know of.
        known = mark.ahead + 1
        waiting = max(0, known - len(new))
        unread = new[known:]
        is_gap = not mark.newest and bool(new) and is_read(new[0]) is None
    else:
        unread = list(new)
        while unread and is_read(unread[0]):
            del unread[0]
        is_gap = bool(mark.newest or new) and len(unread) == len(new)
    rest = [*unread, *(place for place in (seen.previous, seen.current) if place is not None)]
    if not rest:
        return Choice(None, mark, is_gap)
    found = mark_of(seen, rest[0])
    if rest[0] == seen.current:
        found = Mark(found.newest, max(found.ahead, waiting))
    return Choice(rest[0], found, is_gap)
