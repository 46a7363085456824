"""Do deeds to a queue: each looks again whether things are as planned, and nothing is done while somebody holds it.

Source: Linux link(2), rename(2), open(2) for O_PATH; IndiMail queue-fix.c.

Note for maintainers: files of a message are moved by new names first and old names last, with the disk told in between.
Whenever that is interrupted, mess has its info or todo under one number at least, so qmail-clean does not take it for
left behind; the same plan, made again, goes on where it stopped. A plain rename of mess or of info alone would not do.

Rule 1: no link is followed in any part of a path, and what a step is about is known by its inode.
Rule 2: nothing below lock/ is opened; modes and times are set through an O_PATH descriptor, which opens nothing.
Rule 3: nothing is overwritten: a target must be free, or be the same file already.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from indimail_kit.admin.queue_deeds import (
    MakeDirectory,
    MakeLockFile,
    Move,
    MoveFiles,
    MoveThing,
    RemoveDirectory,
    RemoveFiles,
    RemoveLockFile,
    SetMode,
    SetOwner,
    SetTime,
    found_directory,
    is_outside,
)
from indimail_kit.admin.queue_holder import find_holder, holder_text
from indimail_kit.mailqueue.layout import LOCK_FILES

_PLACE: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE: Final = 0o700


class _ChangedError(Exception):
    """Things are not as they were planned; the text says what."""


def _doer(do: Callable[[Any, int], None]) -> Callable[[Any, float], str]:
    """Return a doer: it refuses while the queue is held, opens the queue, and returns what was wrong."""

    def doing(deed: Any, _wait_s: float) -> str:
        holder = find_holder(deed.queue)
        if holder is not None:
            return holder_text(deed.queue, holder)
        queue_fd = os.open(deed.queue, _PLACE)
        try:
            do(deed, queue_fd)
        except _ChangedError as changed:
            return str(changed)
        finally:
            os.close(queue_fd)
        return ""

    return doing


@contextmanager
def _parent(queue_fd: int, path: str) -> Iterator[tuple[int, str]]:
    """Give a descriptor of the directory of a path, and the last part; no link is followed on the way."""
    *parents, name = path.split("/")
    fd = os.dup(queue_fd)
    try:
        for parent in parents:
            child = os.open(parent, _PLACE, dir_fd=fd)
            os.close(fd)
            fd = child
        yield fd, name
    finally:
        os.close(fd)


def _lstat(queue_fd: int, path: str) -> os.stat_result | None:
    """Return what is at a path, None for nothing."""
    try:
        with _parent(queue_fd, path) as (fd, name):
            return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _require(queue_fd: int, path: str, inode: int) -> os.stat_result:
    """Return what is at a path if it is the file of the plan."""
    status = _lstat(queue_fd, path)
    if status is None or status.st_ino != inode:
        raise _ChangedError(f"{path} is {'gone' if status is None else 'another file'}; the plan saw inode {inode}")
    return status


def _require_free(queue_fd: int, path: str) -> None:
    if _lstat(queue_fd, path) is not None:
        raise _ChangedError(f"{path} is there already; nothing is overwritten")


def _make_parents(queue_fd: int, path: str) -> None:
    """Make the directories on the way to a path outside of qmail's, with the owner of the queue."""
    owner = os.stat(queue_fd)
    parts = path.split("/")[:-1]
    for end in range(1, len(parts) + 1):
        with _parent(queue_fd, "/".join(parts[:end])) as (fd, name):
            if name == "..":
                continue
            with suppress(FileExistsError):
                os.mkdir(name, _PRIVATE, dir_fd=fd)
                if os.geteuid() == 0:
                    made = os.open(name, _PLACE, dir_fd=fd)  # a directory, whatever has its name by now
                    try:
                        os.chown(f"/proc/self/fd/{made}", owner.st_uid, owner.st_gid)
                    finally:
                        os.close(made)


# --- messages -------------------------------------------------------------------------------------------------------


def _move_files(deed: MoveFiles, queue_fd: int) -> None:
    for move in deed.moves:
        if not stat.S_ISREG(_require(queue_fd, move.source, move.inode).st_mode):
            raise _ChangedError(f"{move.source} is no regular file any more")
        target = _lstat(queue_fd, move.target) if not is_outside(move.target) else None
        if target is not None and not (move.has_target and target.st_ino == move.inode):
            raise _ChangedError(f"{move.target} is there already; nothing is overwritten")
    made: list[Move] = []
    try:
        for move in deed.moves:
            if is_outside(move.target):
                _make_parents(queue_fd, move.target)
            if _link(queue_fd, move):
                made.append(move)
    except BaseException:
        for move in made:
            with suppress(OSError):
                _unlink(queue_fd, move.target)
        raise
    for directory in sorted({move.target.rpartition("/")[0] for move in deed.moves}):
        _sync(queue_fd, directory)
    for move in reversed(deed.moves):
        if not move.keeps_source:
            _require(queue_fd, move.source, move.inode)
            _unlink(queue_fd, move.source)
    for move in deed.moves:
        if is_outside(move.source):
            with suppress(OSError), _parent(queue_fd, move.source.rpartition("/")[0]) as (fd, name):
                os.rmdir(name, dir_fd=fd)  # if nothing else is in it


def _link(queue_fd: int, move: Move) -> bool:
    """Give a file its new name, and say whether that was needed."""
    with _parent(queue_fd, move.source) as (from_fd, old), _parent(queue_fd, move.target) as (to_fd, new):
        try:
            os.link(old, new, src_dir_fd=from_fd, dst_dir_fd=to_fd, follow_symlinks=False)
        except FileExistsError:
            _require(queue_fd, move.target, move.inode)
            return False
        if os.stat(new, dir_fd=to_fd, follow_symlinks=False).st_ino != move.inode:
            os.unlink(new, dir_fd=to_fd)
            raise _ChangedError(f"{move.source} was exchanged at this moment")
    return True


def _unlink(queue_fd: int, path: str) -> None:
    with _parent(queue_fd, path) as (fd, name):
        os.unlink(name, dir_fd=fd)


def _sync(queue_fd: int, path: str) -> None:
    """Put the names in a directory on the disk."""
    with _parent(queue_fd, f"{path}/.") as (fd, _):
        real = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(real)
    finally:
        os.close(real)


def _remove_files(deed: RemoveFiles, queue_fd: int) -> None:
    for path, inode in deed.files:
        if int(_require(queue_fd, path, inode).st_atime) >= deed.accessed_before_s:
            raise _ChangedError(f"{path} was touched since the plan was made")
    number = str(deed.message_number)
    for kind in ("info", "todo") if deed.message_number else ():
        known = {path.split("/")[0]: path for path, _ in deed.files}["mess"]
        part = known.split("/")[1:-1]
        for path in ("/".join((kind, *part, number)), f"{kind}/{number}"):
            if _lstat(queue_fd, path) is not None:
                raise _ChangedError(f"{path} is there: the message is queued")
    for path, _ in deed.files:
        _unlink(queue_fd, path)


# --- things, directories, lock/ -------------------------------------------------------------------------------------


def _move_thing(deed: MoveThing, queue_fd: int) -> None:
    _require(queue_fd, deed.source, deed.inode)
    if is_outside(deed.target):
        _make_parents(queue_fd, deed.target)
    _require_free(queue_fd, deed.target)
    with _parent(queue_fd, deed.source) as (from_fd, old), _parent(queue_fd, deed.target) as (to_fd, new):
        os.rename(old, new, src_dir_fd=from_fd, dst_dir_fd=to_fd)


def _make_directory(deed: MakeDirectory, queue_fd: int) -> None:
    _require_free(queue_fd, deed.path)
    with _parent(queue_fd, deed.path) as (fd, name):
        os.mkdir(name, deed.mode & _PRIVATE, dir_fd=fd)
    status = _lstat(queue_fd, deed.path)
    inode = status.st_ino if status is not None else 0
    _change(queue_fd, deed.path, inode, lambda place: os.chmod(place, deed.mode))  # noqa: PTH101 (a descriptor's name)
    if deed.owner is not None:
        uid, gid = deed.owner
        _change(queue_fd, deed.path, inode, lambda place: os.chown(place, uid, gid))


def _remove_directory(deed: RemoveDirectory, queue_fd: int) -> None:
    with _parent(queue_fd, deed.path) as (fd, name):
        os.rmdir(name, dir_fd=fd)


def _make_lock_file(deed: MakeLockFile, queue_fd: int) -> None:
    path = f"lock/{deed.name}"
    _require_free(queue_fd, path)
    form, size_bytes, mode = next(row[1:4] for row in LOCK_FILES if row[0] == deed.name)
    place = f"{found_directory(Path(deed.queue))}/new-{deed.name}"
    _make_parents(queue_fd, place)
    with _parent(queue_fd, place) as (fd, new), _parent(queue_fd, path) as (lock_fd, name):
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=fd)  # of a time when this was interrupted
        if form == stat.S_IFIFO:
            os.mkfifo(new, mode, dir_fd=fd)
        else:
            descriptor = os.open(new, _NEW, mode, dir_fd=fd)
            os.ftruncate(descriptor, size_bytes)
            os.close(descriptor)
        inode = os.stat(new, dir_fd=fd, follow_symlinks=False).st_ino
        _change(queue_fd, place, inode, lambda known: os.chmod(known, mode))  # noqa: PTH101 (a descriptor's name)
        if deed.owner is not None:
            uid, gid = deed.owner
            _change(queue_fd, place, inode, lambda known: os.chown(known, uid, gid))
        os.rename(new, name, src_dir_fd=fd, dst_dir_fd=lock_fd)


def _remove_lock_file(deed: RemoveLockFile, queue_fd: int) -> None:
    path = f"lock/{deed.name}"
    form = next(row[1] for row in LOCK_FILES if row[0] == deed.name)
    status = _lstat(queue_fd, path)
    if status is None or stat.S_IFMT(status.st_mode) != form:
        raise _ChangedError(f"{path} is not what was made")
    _unlink(queue_fd, path)


# --- attributes -----------------------------------------------------------------------------------------------------


def _change(queue_fd: int, path: str, inode: int, change: Callable[[str], None]) -> None:
    """Change an attribute of exactly this file: through a descriptor that opens nothing and cannot be exchanged."""
    with _parent(queue_fd, path) as (parent_fd, name):
        fd = os.open(name or ".", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
    try:
        if os.fstat(fd).st_ino != inode:
            raise _ChangedError(f"{path} is another file; the plan saw inode {inode}")
        change(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def _set_mode(deed: SetMode, queue_fd: int) -> None:
    status = _require(queue_fd, deed.path, deed.inode)
    if stat.S_ISLNK(status.st_mode) or stat.S_IMODE(status.st_mode) != deed.before:
        raise _ChangedError(f"{deed.path} has another mode than planned: {stat.S_IMODE(status.st_mode):o}")
    _change(queue_fd, deed.path, deed.inode, lambda place: os.chmod(place, deed.mode))  # noqa: PTH101 (as above)


def _set_owner(deed: SetOwner, queue_fd: int) -> None:
    status = _require(queue_fd, deed.path, deed.inode)
    if (status.st_uid, status.st_gid) != deed.before:
        raise _ChangedError(f"{deed.path} belongs to somebody else than planned: {status.st_uid}:{status.st_gid}")
    uid, gid = deed.owner
    _change(queue_fd, deed.path, deed.inode, lambda place: os.chown(place, uid, gid))


def _set_time(deed: SetTime, queue_fd: int) -> None:
    status = _require(queue_fd, deed.path, deed.inode)
    if status.st_mtime_ns != deed.before_ns:
        raise _ChangedError(f"{deed.path} was written since the plan was made")
    times = (status.st_atime_ns, deed.mtime_ns)
    _change(queue_fd, deed.path, deed.inode, lambda place: os.utime(place, ns=times))


QUEUE_DOERS: Final[dict[type, Callable[[Any, float], str]]] = {
    MoveFiles: _doer(_move_files),
    MoveThing: _doer(_move_thing),
    RemoveFiles: _doer(_remove_files),
    MakeDirectory: _doer(_make_directory),
    RemoveDirectory: _doer(_remove_directory),
    SetMode: _doer(_set_mode),
    SetOwner: _doer(_set_owner),
    SetTime: _doer(_set_time),
    MakeLockFile: _doer(_make_lock_file),
    RemoveLockFile: _doer(_remove_lock_file),
}
"""Kind of deed -> what does it."""
