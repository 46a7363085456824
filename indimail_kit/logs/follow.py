r"""Follow a log of multilog's while it is written and turned over: every line once, in order.

    follower = Follower("/var/log/indimail/deliver.25", position=Position.load("where"))
    for item in follower.poll():        # ends when there is no more for now
        ...                             # an Event, or a Notice of what could not be had
    follower.position.save("where")

Source: multilog(8); see `rotation` for what it does to its files.

Rule 1: the events are those that `read_events` gives of the same files, runs included.
Rule 2: a line is given out when its end is there; what a closed file ends with is given out as it is and marked.
Rule 3: the position is that of the first line not given out: who saves it behind each event loses and repeats nothing.
Rule 4: what is lost is said (`Notice`), never passed over; a log is opened for reading and nothing else.

Note for maintainers: lines of a file that a processor replaced before it was read are read as the processor left them.
A clock that was set back gives later files earlier names: multilog itself then removes the wrong ones.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indimail_kit.logs.blocks import MAX_LINE_BYTES
from indimail_kit.logs.columns import read_event
from indimail_kit.logs.engine import RunCounter
from indimail_kit.logs.event import Event
from indimail_kit.logs.labels import split_label
from indimail_kit.logs.position import Position as Position
from indimail_kit.logs.rotation import Choice, Look, Mark, Place, choose_next, look, mark_of, newest_name, newest_of

CHUNK_BYTES: Final = 256 * 1024
"""Octets that are read at once."""

HEAD_BYTES: Final = 64
"""First octets of a file that tell it from another one with the same inode: its first label is among them."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened to the log that no line tells.

    Attributes:
        kind: "gap": files may have been removed unread, or lines may come again: nothing tells; "truncated": the file
            became shorter; "lost": the file in which to go on is gone, with what was not read of it.
        text: A sentence for a person.
        file: Which file, or directory.
    """

    kind: str
    text: str
    file: str


class _MovedError(Exception):
    """A file has another name since the look: look again."""


class _Tail:
    """One open file: its lines from some octet on, as far as they have an end."""

    def __init__(self, fd: int, path: str, *, offset: int = 0, line_number: int = 1) -> None:
        self.fd = fd
        self.path = path
        self.inode = os.fstat(fd).st_ino
        self.offset = offset
        self.line_number = line_number
        self._octets = b""
        self._begin = 0
        self._skipped = 0

    def close(self) -> None:
        os.close(self.fd)

    @property
    def _read_to(self) -> int:
        return self.offset + len(self._octets) - self._begin + self._skipped

    def is_truncated(self) -> bool:
        """Say whether the file is shorter than what was read of it."""
        return os.fstat(self.fd).st_size < self._read_to

    def rewind(self) -> None:
        """Begin again at the first octet."""
        self.offset, self.line_number = 0, 1
        self._octets, self._begin, self._skipped = b"", 0, 0

    def head(self) -> bytes:
        """Return the first octets of the file, none that was not given out."""
        return os.pread(self.fd, min(HEAD_BYTES, self.offset), 0)

    def next_line(self, *, is_closed: bool = False) -> dict[str, Any] | None:
        """Return the next line with its place; None if its end is not there yet.

        Args:
            is_closed: Nobody writes the file any more: its last line is given out without an end.
        """
        while True:
            end = self._octets.find(b"\n", self._begin)
            if end >= 0:
                return self._taken(end, is_whole=True)
            chunk = os.pread(self.fd, CHUNK_BYTES, self._read_to)
            if not chunk:
                is_rest = is_closed and len(self._octets) > self._begin
                return self._taken(len(self._octets), is_whole=False) if is_rest else None
            rest = self._octets[self._begin :]
            self._skipped += max(0, len(rest) - MAX_LINE_BYTES)
            self._octets, self._begin = rest[:MAX_LINE_BYTES] + chunk, 0

    def _taken(self, end: int, *, is_whole: bool) -> dict[str, Any]:
        size = end - self._begin + self._skipped
        line = {
            "line": self._octets[self._begin : min(end, self._begin + MAX_LINE_BYTES)],
            "line_bytes": size,
            "file": self.path,
            "line_number": self.line_number,
            "byte_offset": self.offset,
            "is_whole": is_whole,
        }
        self.offset += size + is_whole
        self._begin = end + is_whole
        self._skipped = 0
        self.line_number += 1
        return line


class Follower:
    """A log that is being written.

    Attributes:
        directory: multilog's directory.
        position: Where to go on; None before the first file was there.
    """

    def __init__(
        self, directory: str | os.PathLike[str], *, position: Position | None = None, from_end: bool = False,
        utc_offset_s: int = 0,
    ) -> None:  # fmt: skip
        """Begin at a position; without one at the oldest line, or behind the newest (`from_end`)."""
        self.directory = Path(directory)
        self._utc_offset_s = utc_offset_s
        self._from_end = from_end
        self._resume = position
        self._tail: _Tail | None = None
        self._behind = position
        self._mark = Mark() if position is None else Mark(position.newest, position.ahead, position.after)
        self._last_ns = None if position is None else position.unix_ns
        self._runs = RunCounter() if position is None else RunCounter(dict(position.runs), dict(position.last_numbers))

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the position stays."""
        if self._tail is not None:
            self._resume = self.position
            self._tail.close()
            self._tail = None

    @property
    def position(self) -> Position | None:
        """Return where to go on."""
        if self._tail is None:
            return self._resume
        # Of an empty file only the inode is known, which may be another file's tomorrow: the file before says where.
        is_known = self._tail.offset > 0 or (self._behind is None and self._from_end)
        return self._position(self._tail, is_done=False) if is_known else self._behind

    def _position(self, tail: _Tail, *, is_done: bool) -> Position:
        head = tail.head()
        return Position(
            inode=tail.inode, offset=tail.offset, line_number=tail.line_number,
            head=hashlib.sha256(head).hexdigest(), head_bytes=len(head),
            newest=self._mark.newest, ahead=self._mark.ahead, after=self._mark.after, is_done=is_done,
            unix_ns=self._last_ns, runs=dict(self._runs.runs),
            last_numbers=dict(self._runs.last_numbers),
        )  # fmt: skip

    def poll(self) -> Iterator[Event | Notice]:
        """Yield what was logged since the last call; ends when there is no more for now.

        Who stops early goes on with the next line at the next call.

        Raises:
            OSError: The directory or a file cannot be read; the next call tries again.
        """
        while True:
            if self._tail is None:
                yield from self._begin()
            if self._tail is None:
                return
            yield from self._lines(is_closed=False)
            seen = look(self.directory)
            if seen is None:
                return
            if seen.current is not None and seen.current.inode == self._tail.inode:
                self._mark = mark_of(seen, seen.current)
                return
            # Nobody writes our file any more: multilog had written everything before it renamed it.
            try:
                choice = choose_next(seen, self._tail.inode, self._mark, self._is_read)
            except _MovedError:
                continue
            if choice.place is None:
                return
            yield from self._lines(is_closed=True)
            if self._go_to(choice, seen) and choice.is_gap:  # if not, it has another name by now: look again
                yield self._gap()

    def _lines(self, *, is_closed: bool) -> Iterator[Event | Notice]:
        tail = self._tail
        assert tail is not None  # noqa: S101 - for the type checker; poll() has opened it
        if tail.is_truncated():
            tail.rewind()
            yield Notice("truncated", "the file became shorter; it is read from its beginning", tail.path)
        while (line := tail.next_line(is_closed=is_closed)) is not None:
            event = read_event(utc_offset_s=self._utc_offset_s, **line)
            run = self._runs.run_of(event)
            if run is not None:
                object.__setattr__(event, "run", run)  # still ours: nobody else has seen the event yet
            if event.unix_ns is not None:
                self._last_ns = event.unix_ns
            yield event

    def _begin(self) -> Iterator[Notice]:
        """Open the first file: that of the position, the oldest, or the newest."""
        seen = look(self.directory)
        if seen is None or not seen.chain:
            return
        if self._resume is None:
            place = seen.chain[-1 if self._from_end else 0]
            if self._go_to(Choice(place, mark_of(seen, place)), seen) and self._from_end and self._tail is not None:
                self._tail.offset, self._tail.line_number = _last_end(self._tail.fd)
            return
        yield from self._find_again(seen, self._resume)

    def _find_again(self, seen: Look, wanted: Position) -> Iterator[Notice]:
        place = next((place for place in seen.chain if place.inode == wanted.inode), None)
        if place is not None:
            fd = self._open(place)
            if fd is None:
                return  # it has another name by now: the next poll finds it
            head = os.pread(fd, wanted.head_bytes, 0)
            if len(head) == wanted.head_bytes and hashlib.sha256(head).hexdigest() == wanted.head:
                path = str(self.directory / place.name)
                self._tail = _Tail(fd, path, offset=wanted.offset, line_number=wanted.line_number)
                self._mark = mark_of(seen, place)
                return
            os.close(fd)  # another file has its inode now, or it was written anew
        try:
            choice = choose_next(seen, -1, self._mark, self._is_read)
        except _MovedError:
            return
        if choice.place is not None and self._go_to(choice, seen):
            if not wanted.is_done:
                yield Notice(
                    "lost", "the file in which to go on is gone, with what it may still have held", self._where()
                )
            if choice.is_gap:
                yield self._gap()

    def _open(self, place: Place) -> int | None:
        """Open a file; None if it has another name by now, or is gone."""
        try:
            fd = os.open(self.directory / place.name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        if os.fstat(fd).st_ino != place.inode:
            os.close(fd)
            return None
        return fd

    def _go_to(self, choice: Choice, seen: Look) -> bool:
        """Go on with the file that was chosen from a look; tell whether it is still the one."""
        fd = None if choice.place is None else self._open(choice.place)
        if fd is None or choice.place is None:
            return False
        if choice.place not in seen.named and newest_name(self.directory) != newest_of(seen):
            # A file of another turn can have the inode that was seen: that of a processed file is free at once.
            os.close(fd)
            return False
        if self._tail is not None:
            if self._tail.offset:
                self._behind = self._position(self._tail, is_done=True)
            self._tail.close()
        self._tail = _Tail(fd, str(self.directory / choice.place.name))
        self._mark = choice.mark
        return True

    def _is_read(self, place: Place) -> bool | None:
        """Say whether a file begins before the last line that was read; None if its lines have no stamps."""
        if self._last_ns is None:
            return None
        fd = self._open(place)
        if fd is None:
            raise _MovedError
        try:
            first = os.pread(fd, 4 * HEAD_BYTES, 0).partition(b"\n")[0]
        finally:
            os.close(fd)
        unix_ns = split_label(first, utc_offset_s=self._utc_offset_s).unix_ns
        # Not "or equal": a clock may stand still for some lines, and a line that comes twice is better than a lost one.
        return None if unix_ns is None else unix_ns < self._last_ns

    def _where(self) -> str:
        return str(self.directory)

    def _gap(self) -> Notice:
        return Notice(
            "gap",
            "files may have been removed before they were read; nothing tells whether lines are missing",
            self._where(),
        )


def _last_end(fd: int) -> tuple[int, int]:
    """Return the octet behind the last line end of a file, and the number of the line that begins there."""
    offset, behind, line_number = 0, 0, 1
    while chunk := os.pread(fd, CHUNK_BYTES, offset):
        found = chunk.rfind(b"\n")
        behind = offset + found + 1 if found >= 0 else behind
        line_number += chunk.count(b"\n")
        offset += len(chunk)
    return behind, line_number
