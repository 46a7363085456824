"""What can be done to a queue: deeds as values, each with all that must still be so when it is done, and its inverse.

Source: IndiMail queue-fix.c, qmail-rm.c, qmail-clean.c (what they do); qmail's INTERNALS.

Note for maintainers: all paths are relative to the queue. What leaves the queue goes into ``trash/`` (as with
qmail-rm), or beside the queue: ``../queue1.held/`` for what shall come back, ``../queue1.found/`` for what nobody knew.

Rule 1: values only; `queue_words` says them, `queue_run` does them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

Purpose = Literal["rename", "place", "requeue", "trash", "hold", "release", "found", "return"]
"""Why files of a message are moved."""

PARKING: Final = 4 * 10**18
"""First number for messages that have to make room for a moment; no file system gives such inode numbers."""


@dataclass(frozen=True, slots=True)
class Move:
    """One file of a message to another name.

    Attributes:
        source: Where it is.
        target: Where it shall be.
        inode: Which file it is.
        has_target: Whether the target is there already, as another name of the same file.
        keeps_source: Whether the old name stays.
    """

    source: str
    target: str
    inode: int
    has_target: bool = False
    keeps_source: bool = False


@dataclass(frozen=True, slots=True)
class MoveFiles:
    """Give the files of one message other names: all new names first, then the old ones go.

    Attributes:
        queue: The queue directory.
        message_number: The message.
        moves: In the order of the new names: mess first; the file that makes it known to qmail (info, todo) last.
        purpose: Why.
    """

    queue: Path
    message_number: int
    moves: tuple[Move, ...]
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class MoveThing:
    """Move something that qmail does not know; a directory with all that is in it.

    Attributes:
        queue: The queue directory.
        source: Where it is.
        target: Where it shall be; nothing may be there.
        inode: What it is.
    """

    queue: Path
    source: str
    target: str
    inode: int


@dataclass(frozen=True, slots=True)
class RemoveFiles:
    """Remove files for good.

    Attributes:
        queue: The queue directory.
        files: Path and inode of each, in the order of removal.
        message_number: The message in S2 or S3 that they are; 0 for pid files.
        accessed_before_s: They must not have been touched since (unit: s since 1970).
    """

    queue: Path
    files: tuple[tuple[str, int], ...]
    message_number: int
    accessed_before_s: int


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """Make a directory that is missing.

    Attributes:
        queue: The queue directory.
        path: The directory.
        mode: Permission bits.
        owner: uid and gid; None leaves it to who makes it.
    """

    queue: Path
    path: str
    mode: int
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class RemoveDirectory:
    """Remove a directory that is empty; the fields are those of MakeDirectory."""

    queue: Path
    path: str
    mode: int
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class SetMode:
    """Give a file or directory other permission bits.

    Attributes:
        queue: The queue directory.
        path: What.
        inode: Which file it is.
        mode: What they shall be.
        before: What they are.
    """

    queue: Path
    path: str
    inode: int
    mode: int
    before: int


@dataclass(frozen=True, slots=True)
class SetOwner:
    """Give a file or directory to somebody.

    Attributes:
        queue: The queue directory.
        path: What.
        inode: Which file it is.
        owner: uid and gid that it shall have.
        before: uid and gid that it has.
    """

    queue: Path
    path: str
    inode: int
    owner: tuple[int, int]
    before: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SetTime:
    """Change when a file was last written: birth of a message (info), next retry (local, remote).

    Attributes:
        queue: The queue directory.
        path: What.
        inode: Which file it is.
        mtime_ns: What it shall be (unit: ns since 1970).
        before_ns: What it is (unit: ns since 1970).
        expires: Whether it is done so that qmail-send gives the message up.
    """

    queue: Path
    path: str
    inode: int
    mtime_ns: int
    before_ns: int
    expires: bool = False


@dataclass(frozen=True, slots=True)
class MakeLockFile:
    """Make a file of lock/ anew: it is made beside the queue and moved in, so nothing below lock/ is opened.

    Attributes:
        queue: The queue directory.
        name: One of `layout.LOCK_FILES`.
        owner: uid and gid; None leaves it to who makes it.
    """

    queue: Path
    name: str
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class RemoveLockFile:
    """Remove a file of lock/ that `MakeLockFile` made; the fields are the same."""

    queue: Path
    name: str
    owner: tuple[int, int] | None = None


QueueDeed = (
    MoveFiles
    | MoveThing
    | RemoveFiles
    | MakeDirectory
    | RemoveDirectory
    | SetMode
    | SetOwner
    | SetTime
    | MakeLockFile
    | RemoveLockFile
)
"""Everything that can be done to a queue."""

_RETURNS: Final[dict[Purpose, Purpose]] = {"hold": "release", "release": "hold", "trash": "return", "found": "return"}
"""Purpose -> the purpose of the way back, where it is another one."""


def held_directory(queue: Path) -> str:
    """Return where messages of a queue are held, relative to it."""
    return f"../{queue.name}.held"


def found_directory(queue: Path) -> str:
    """Return where things go that did not belong into a queue, relative to it."""
    return f"../{queue.name}.found"


def is_outside(path: str) -> bool:
    """Say whether a path is in none of the directories of qmail: trash, held, found."""
    return path.startswith(("../", "trash/"))


def _move_back(move: Move) -> Move:
    return Move(move.target, move.source, move.inode, has_target=move.keeps_source, keeps_source=move.has_target)


def _moves_back(deed: MoveFiles) -> MoveFiles:
    moves = tuple(map(_move_back, deed.moves))
    return replace(deed, moves=moves, purpose=_RETURNS.get(deed.purpose, deed.purpose))


QUEUE_INVERSES: Final[dict[type, Callable[[Any], QueueDeed | None]]] = {
    MoveFiles: _moves_back,
    MoveThing: lambda deed: MoveThing(deed.queue, deed.target, deed.source, deed.inode),
    RemoveFiles: lambda _deed: None,
    MakeDirectory: lambda deed: RemoveDirectory(deed.queue, deed.path, deed.mode, deed.owner),
    RemoveDirectory: lambda deed: MakeDirectory(deed.queue, deed.path, deed.mode, deed.owner),
    SetMode: lambda deed: replace(deed, mode=deed.before, before=deed.mode),
    SetOwner: lambda deed: replace(deed, owner=deed.before, before=deed.owner),
    SetTime: lambda deed: replace(deed, mtime_ns=deed.before_ns, before_ns=deed.mtime_ns, expires=False),
    MakeLockFile: lambda deed: RemoveLockFile(deed.queue, deed.name, deed.owner),
    RemoveLockFile: lambda deed: MakeLockFile(deed.queue, deed.name, deed.owner),
}
"""Kind of deed -> what takes it back; None for what nothing brings back."""
