"""The words of deeds to a queue: the command that a person would type, what it does, what cannot be undone.

Source: ln(1), mv(1), install(1), touch(1), mkfifo(1) of GNU coreutils.

Rule 1: pure; a name from a queue reaches the command quoted, so that a copied line does only what it says, and the
words made visible, so that no name looks like a line of the plan.
"""

from __future__ import annotations

import shlex
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from indimail_kit.admin.queue_deeds import (
    PARKING,
    MakeDirectory,
    MakeLockFile,
    MoveFiles,
    MoveThing,
    RemoveDirectory,
    RemoveFiles,
    RemoveLockFile,
    SetMode,
    SetOwner,
    SetTime,
    is_outside,
)
from indimail_kit.mailqueue.layout import LOCK_FILES
from indimail_kit.visible import visible

Words = tuple[str, str, str]
"""Command, what it does, what cannot be undone."""


def quoted(path: str) -> str:
    r"""Return a path as one word of a shell.

    Example:
        >>> quoted("mess/3/a b"), quoted("a\nb")
        ("'mess/3/a b'", "$'a\\012b'")
    """
    if path.isprintable():
        return shlex.quote(f"./{path}" if path.startswith("-") else path)
    octets = path.encode("utf-8", "surrogateescape")
    return "$'" + "".join(chr(one) if one in _PLAIN else f"\\{one:03o}" for one in octets) + "'"


_PLAIN: Final = frozenset(range(0x20, 0x7F)) - set(b"\\'")
"""Octets that stand for themselves between $' and '."""


def _in_queue(deed: Any, commands: Iterable[str]) -> str:
    return " && ".join((f"cd {quoted(str(deed.queue))}", *commands))


def _move_files(deed: MoveFiles) -> Words:
    new = sorted({one.target.rpartition("/")[0] for one in deed.moves if is_outside(one.target)})
    old = [quoted(one.source) for one in reversed(deed.moves) if not one.keeps_source]
    commands = (
        *((f"mkdir -p {' '.join(map(quoted, new))}",) if new else ()),
        *(f"ln {quoted(one.source)} {quoted(one.target)}" for one in deed.moves if not one.has_target),
        *(("sync", f"rm {' '.join(old)}") if old else ()),
    )
    return _in_queue(deed, commands), _MOVES[deed.purpose](deed), _LASTING.get(deed.purpose, "")


def _files(deed: MoveFiles) -> str:
    count = len(deed.moves)
    return f"{count} files" if count != 1 else "1 file"


def _kinds(deed: MoveFiles) -> str:
    kinds = list(dict.fromkeys(one.target.rpartition("/")[2] for one in deed.moves))
    return " and ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1])))


def _target(deed: MoveFiles) -> str:
    return deed.moves[0].target.rpartition("/")[0]


def _rename_text(deed: MoveFiles) -> str:
    new = deed.moves[0].target.rpartition("/")[2]
    if int(new) >= PARKING:
        return f"Message {deed.message_number} becomes {new} for a while, to make room: {_files(deed)}."
    return f"Message {deed.message_number} becomes {new}, the inode number of its mess file: {_files(deed)}."


_LASTING: Final = {"requeue": "once qmail-send runs, a recipient who has got it already gets it again."}
"""Purpose -> what of it nothing brings back."""

_MOVES: Final[dict[str, Callable[[MoveFiles], str]]] = {
    "rename": _rename_text,
    "place": lambda deed: f"Message {deed.message_number} comes where its number leads: {_files(deed)}.",
    "requeue": lambda deed: f"Message {deed.message_number} is queued again: its envelope in intd becomes todo.",
    "trash": lambda deed: (
        f"Message {deed.message_number} leaves the queue for {_target(deed)}: {_files(deed)}. Nobody is told."
    ),
    "hold": lambda deed: (
        f"Message {deed.message_number} waits in {_target(deed)}, where qmail does not see it: {_files(deed)}."
    ),
    "release": lambda deed: f"Message {deed.message_number} comes back into the queue: {_files(deed)}.",
    "found": lambda deed: f"{_kinds(deed)} of message {deed.message_number}: to {_target(deed)}; nothing is deleted.",
    "return": lambda deed: f"Back to where it was: {_files(deed)} of message {deed.message_number}.",
}


def _move_thing(deed: MoveThing) -> Words:
    parent = deed.target.rpartition("/")[0]
    commands = (
        *((f"mkdir -p {quoted(parent)}",) if is_outside(deed.target) else ()),
        f"mv -nT {quoted(deed.source)} {quoted(deed.target)}",
    )
    return (
        _in_queue(deed, commands),
        f"{visible(deed.source)} goes to {visible(deed.target)}; nothing of it is deleted.",
        "",
    )


def _remove_files(deed: RemoveFiles) -> Words:
    command = _in_queue(deed, (f"rm {' '.join(quoted(path) for path, _ in deed.files)}",))
    if not deed.message_number:
        return command, "What qmail-queue left behind is removed, as qmail-clean does it.", "the removal."
    text = f"Message {deed.message_number}, which was never queued, is removed, as qmail-clean does it."
    return command, text, "the removal. Its sender was not told that it was accepted, and still has it."


def _owner(owner: tuple[int, int] | None) -> str:
    return f" -o {owner[0]} -g {owner[1]}" if owner is not None else ""


def _make_directory(deed: MakeDirectory) -> Words:
    command = _in_queue(deed, (f"install -d -m {deed.mode:o}{_owner(deed.owner)} {quoted(deed.path)}",))
    return command, f"The directory {deed.path} is there again, empty.", ""


def _remove_directory(deed: RemoveDirectory) -> Words:
    return _in_queue(deed, (f"rmdir {quoted(deed.path)}",)), f"The empty directory {deed.path} goes.", ""


def _set_mode(deed: SetMode) -> Words:
    command = _in_queue(deed, (f"chmod {deed.mode:o} {quoted(deed.path)}",))
    return command, f"{deed.path} gets mode {deed.mode:o}; now it has {deed.before:o}.", ""


def _set_owner(deed: SetOwner) -> Words:
    uid, gid = deed.owner
    command = _in_queue(deed, (f"chown -h {uid}:{gid} {quoted(deed.path)}",))
    return command, f"{deed.path} belongs to {uid}:{gid}; now it is {deed.before[0]}:{deed.before[1]}.", ""


def _set_time(deed: SetTime) -> Words:
    seconds, rest = divmod(deed.mtime_ns, 10**9)
    command = _in_queue(deed, (f"touch -hm -d @{seconds}.{rest:09d} {quoted(deed.path)}",))
    shown = f"{deed.path} is of {_moment(deed.mtime_ns)}; now it is of {_moment(deed.before_ns)}."
    if not deed.expires:
        return command, shown, ""
    text = f"{shown} qmail-send tries the message once more, and then gives it up."
    return command, text, "once qmail-send runs, the sender gets a bounce for whoever is not reached."


def _moment(unix_ns: int) -> str:
    try:
        return datetime.fromtimestamp(unix_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"second {unix_ns // 10**9}"


_SUMMARIES: Final[dict[str, str]] = {
    "rename": "message renamed to its inode",
    "place": "message put where its number leads",
    "requeue": "message queued again",
    "trash": "message thrown away",
    "hold": "message held",
    "release": "message brought back",
    "found": "files of a message put aside",
    "return": "interrupted move taken back",
    "MoveThing": "stranger put aside",
    "RemoveFiles": "left-over removed",
    "MakeDirectory": "directory made",
    "RemoveDirectory": "directory removed",
    "SetMode": "mode set",
    "SetOwner": "owner set",
    "SetTime": "time set",
    "MakeLockFile": "file of lock/ made anew",
    "RemoveLockFile": "file of lock/ removed",
}
"""Purpose, or kind of deed without one -> what one of it is."""


def summary(deeds: Iterable[object]) -> str:
    """Return how many deeds there are of each kind, the most frequent first, for a person.

    Example:
        >>> from pathlib import Path
        >>> summary([MakeDirectory(Path("/q"), "pid", 0o700)])
        '1 × directory made'
    """
    counted = Counter(deed.purpose if isinstance(deed, MoveFiles) else type(deed).__name__ for deed in deeds)
    return ", ".join(f"{count} × {_SUMMARIES[name]}" for name, count in counted.most_common())


def _make_lock_file(deed: MakeLockFile) -> Words:
    form, size_bytes, mode = next(row[1:4] for row in LOCK_FILES if row[0] == deed.name)
    path = quoted(f"lock/{deed.name}")
    made = f"mkfifo -m {mode:o} {path}" if form == stat.S_IFIFO else f"install -m {mode:o} /dev/null {path}"
    commands = [made]
    if size_bytes:
        commands.append(f"truncate -s {size_bytes} {path}")
    if deed.owner is not None:
        commands.append(f"chown -h {deed.owner[0]}:{deed.owner[1]} {path}")
    text = f"lock/{deed.name} is made anew, as queue-fix makes it."
    if size_bytes:
        text += " It starts empty: which hosts do not answer is learnt again."
    return _in_queue(deed, commands), text, ""


def _remove_lock_file(deed: RemoveLockFile) -> Words:
    path = f"lock/{deed.name}"
    return _in_queue(deed, (f"rm {quoted(path)}",)), f"{path} goes, to make room for the one that was there.", ""


QUEUE_WORDS: Final[dict[type, Callable[[Any], Words]]] = {
    MoveFiles: _move_files,
    MoveThing: _move_thing,
    RemoveFiles: _remove_files,
    MakeDirectory: _make_directory,
    RemoveDirectory: _remove_directory,
    SetMode: _set_mode,
    SetOwner: _set_owner,
    SetTime: _set_time,
    MakeLockFile: _make_lock_file,
    RemoveLockFile: _remove_lock_file,
}
"""Kind of deed -> its words."""
