"""The first look at a server's queues: how much lies there, in which states, how old, who works on it, how much room.

::

    seen = look_at_queues(open_queues("/var/indimail/queue"))
    print(seen.text)

Source: INTERNALS section 2 (states); proc(5), "/proc/locks"; statvfs(3).

Rule 1: looking changes nothing, and nothing below lock/ is opened: who holds a queue is seen in /proc.
Rule 2: what cannot be told is said so, never left out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indimail_kit.admin.queue_holder import find_holder
from indimail_kit.counting import counted
from indimail_kit.errors import MissingPartError
from indimail_kit.tables.frames import build_frame
from indimail_kit.tables.queue_frames import messages as messages_frame
from indimail_kit.tables.queue_schemas import QUEUES
from indimail_kit.visible import visible
from indimail_kit.wiring import provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from indimail_kit.mailqueue.picture import QueuePicture, Snapshot
    from indimail_kit.mailqueue.queues import Queues

LOW_BYTES: Final = 100 << 20
"""Less room than this is worth a word (unit: octets)."""

LOW_INODES: Final = 10_000
"""Fewer files than this that can still be made are worth a word (unit: inodes)."""

_COLUMNS: Final = (
    "queue", "messages", "being written", "wait for todo-proc", "being delivered", "recipients to do", "oldest",
    "wrong", "qmail-send", "room",
)  # fmt: skip
_IDLE: Final = "not running"
_UNTOLD: Final = "cannot be told"
_SILENT: Final = {
    _IDLE: "No qmail-send is seen at work on",
    _UNTOLD: "It cannot be told whether qmail-send works on",
}
"""Who holds a queue -> what is said of queues with mail."""
_MILLION: Final = 10**6
_SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SIZES: Final = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@dataclass(frozen=True, slots=True)
class QueueLook:
    """One queue as a whole; the attributes are the columns of `tables.QUEUES`.

    Attributes:
        queue: Name of the queue.
        messages: Messages in any state.
        writing: Of these, S2 and S3.
        waiting: Of these, S4.
        delivering: Of these, S5.
        broken: Of these, in no state.
        bouncing: Of these, with a bounce that is being collected.
        to_do: Recipients that are not done.
        size_bytes: Size of the messages (unit: octets).
        oldest_age_s: Age of the oldest (unit: s), None without one.
        anomalies: Rules that are broken.
        holder_pid: Process that holds the queue, 0 for one that cannot be seen, None for nobody.
        free_bytes: Room left on its disk (unit: octets).
        free_inodes: Files that can still be made, None without a limit.
        holder: Who holds it, in words.
    """

    queue: str
    messages: int
    writing: int
    waiting: int
    delivering: int
    broken: int
    bouncing: int
    to_do: int
    size_bytes: int
    oldest_age_s: int | None
    anomalies: int
    holder_pid: int | None
    free_bytes: int
    free_inodes: int | None
    holder: str


@dataclass(frozen=True, slots=True)
class Overview:
    """All queues of a place.

    Attributes:
        place: Where they are.
        taken_ns: When the picture was taken (unit: ns since 1970).
        queues: One look for each.
        refused: Queues that cannot be looked at: name and reason.
    """

    place: Path
    taken_ns: int
    queues: tuple[QueueLook, ...]
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return what a person should know first, the worst last."""
        return tuple(map(visible, self._sentences()))

    def _sentences(self) -> Iterator[str]:
        total = sum(one.messages for one in self.queues)
        oldest = max((one.oldest_age_s for one in self.queues if one.oldest_age_s is not None), default=None)
        age = f", the oldest {span_text(oldest)} old" if oldest is not None else ""
        to_do = sum(one.to_do for one in self.queues)
        mail = f"{counted(total, 'message')} in {counted(len(self.queues), 'queue')}"
        yield f"{mail}{age}; {counted(to_do, 'recipient')} to do."
        if backlog := sum(one.waiting for one in self.queues):
            yield f"{counted(backlog, 'message')} not yet taken up by todo-proc; if that lasts, it stands still."
        for holder, words in _SILENT.items():
            if silent := [one.queue for one in self.queues if one.messages and one.holder == holder]:
                yield f"{words} {', '.join(silent)}."
        for one in self.queues:
            if one.free_bytes < LOW_BYTES or (one.free_inodes is not None and one.free_inodes < LOW_INODES):
                yield f"{one.queue}: little room, {_room(one)}."
        if wrong := sum(one.anomalies for one in self.queues):
            yield f"{counted(wrong, 'thing')} wrong: see the check, then the plan of a repair."
        for name, reason in self.refused:
            yield f"{name} cannot be looked at: {reason}."

    @property
    def rows(self) -> list[list[str]]:
        """Return a row of texts for each queue, under `_COLUMNS`."""
        return [
            [
                visible(one.queue),
                f"{one.messages:,}",
                f"{one.writing:,}",
                f"{one.waiting:,}",
                f"{one.delivering:,}",
                f"{one.to_do:,}",
                span_text(one.oldest_age_s),
                f"{one.anomalies:,}",
                one.holder,
                _room(one),
            ]
            for one in self.queues
        ]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the headings of `rows`."""
        return _COLUMNS

    @property
    def text(self) -> str:
        """Return the sentences, a line each."""
        return "\n".join(self.sentences)

    def frame(self) -> pd.DataFrame:
        """Return the table `tables.QUEUES`."""
        return build_frame(QUEUES, self.queues)

    def __repr__(self) -> str:
        """Return the first sentence."""
        return f"<Overview of {visible(str(self.place))}: {self.sentences[0]}>"

    def _repr_html_(self) -> str:
        return str(provider("grid_html")(self.text.replace("\n", " "), self.columns, self.rows))


def look_at_queues(queues: Queues, *, picture: Snapshot | None = None, proc: Path = Path("/proc")) -> Overview:
    """Look at queues as a whole.

    Args:
        queues: What `open_queues` returned.
        picture: What `queues.snapshot()` returned; one is taken if not given.
        proc: Where the process information is mounted.

    Raises:
        QueueError: Exit code 61: a queue cannot be opened.
        OSError: A disk does not tell how much room it has.
    """
    picture = queues.snapshot() if picture is None else picture
    frame = messages_frame(picture)
    looks = tuple(_look(one, frame[frame["queue"] == one.layout.name], proc) for one in picture.queues)
    return Overview(queues.place, picture.taken_ns, looks, queues.refused)


def _look(one: QueuePicture, frame: pd.DataFrame, proc: Path) -> QueueLook:
    directory = one.layout.directory
    states = frame["state"]
    room = os.statvfs(directory)
    pid, holder = _holder(directory, proc)
    ages = frame["age_s"].dropna()
    return QueueLook(
        queue=one.layout.name,
        messages=len(frame),
        writing=int(states.isin(["S2", "S3"]).sum()),
        waiting=int((states == "S4").sum()),
        delivering=int((states == "S5").sum()),
        broken=int(states.isna().sum()),
        bouncing=int(frame["bouncing"].sum()),
        to_do=int((frame["recipients"] - frame["done"]).sum()),
        size_bytes=int(frame["size_bytes"].fillna(0).sum()),
        oldest_age_s=int(ages.max()) if len(ages) else None,
        anomalies=len(one.anomalies),
        holder_pid=pid,
        free_bytes=room.f_bavail * room.f_frsize,
        free_inodes=room.f_favail if room.f_files else None,
        holder=holder,
    )


def _holder(directory: Path, proc: Path) -> tuple[int | None, str]:
    """Return who holds a queue: its process, and the same in words."""
    try:
        pid = find_holder(directory, proc=proc)
    except MissingPartError:
        return None, _UNTOLD
    if pid is None:
        return None, _IDLE
    if not pid:
        return 0, "runs, its process cannot be seen"
    try:
        name = (proc / str(pid) / "comm").read_text(errors="backslashreplace").strip()
    except OSError:
        name = "a process"
    return pid, visible(f"{name}, pid {pid}")


def _room(one: QueueLook) -> str:
    inodes = "" if one.free_inodes is None else f", {count_text(one.free_inodes)} files"
    return f"{size_text(one.free_bytes)}{inodes}"


def span_text(seconds: int | None) -> str:
    """Return a length of time, short.

    Example:
        >>> span_text(7300), span_text(None)
        ('2 h', '-')
    """
    if seconds is None:
        return "-"
    length, name = next((row for row in _SPANS if abs(seconds) >= 2 * row[0]), (1, "s"))
    return f"{seconds // length} {name}"


def count_text(count: int) -> str:
    """Return a number, short when it is large.

    Example:
        >>> count_text(9_999), count_text(14_999_631)
        ('9,999', '15.0 million')
    """
    return f"{count:,}" if count < _MILLION else f"{count / _MILLION:,.1f} million"


def size_text(octets: int) -> str:
    """Return a size, short.

    Example:
        >>> size_text(3 << 30), size_text(12)
        ('3.0 GiB', '12 B')
    """
    length, name = next((row for row in _SIZES if octets >= row[0]), (1, "B"))
    return f"{octets / length:.1f} {name}" if length > 1 else f"{octets} B"
