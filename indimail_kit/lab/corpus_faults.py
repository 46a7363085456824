"""What can be wrong with a message of a queue: each fault is made on purpose, under its name.

Source: the list of anomalies in the facts; queue-fix's and qmail-clean's work.

Rule 1: a fault spoils one preprocessed message and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.states import OSSIFIED_S

Fault = Callable[[QueueLayout, int, int], None]
"""(layout, message number, Unix second) -> spoils the message."""

_DAY_S: Final = 86400


def _inode_differs(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Give mess a new inode, as a copy does."""
    mess = layout.path("mess", number)
    copy = mess.with_name("copy")
    copy.write_bytes(mess.read_bytes())
    copy.chmod(0o644)
    copy.replace(mess)


def _wrong_split(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Put info into the next sub-directory."""
    path = layout.path("info", number)
    path.rename(path.parent.parent / str((number + 1) % layout.split) / path.name)


def _ossified(layout: QueueLayout, number: int, now_s: int) -> None:
    """Leave nothing but an old mess."""
    _remove(layout, number, "info", "local", "remote", "bounce")
    old_s = now_s - OSSIFIED_S - _DAY_S
    os.utime(layout.path("mess", number), (old_s, old_s))


def _intd_without_todo(layout: QueueLayout, number: int, now_s: int) -> None:
    """Leave an old mess and an old intd: qmail-queue died before the link."""
    _ossified(layout, number, now_s)
    intd = layout.path("intd", number)
    intd.write_bytes(b"u0\0p1\0Fann@example.com\0Tbob@example.com\0")
    old_s = now_s - OSSIFIED_S - _DAY_S
    os.utime(intd, (old_s, old_s))


def _todo_without_mess(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Leave a todo alone."""
    _remove(layout, number, "mess", "info", "local", "remote", "bounce")
    layout.path("todo", number).write_bytes(b"u0\0p1\0Fann@example.com\0Tbob@example.com\0")


def _info_without_mess(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Take the message away and leave its envelope."""
    _remove(layout, number, "mess")


def _unknown_file(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Put a file that no program writes beside mess."""
    layout.path("mess", number).with_name(f"{number}.bak").write_bytes(b"somebody was careful\n")


def _unknown_record(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Add a record of an unknown letter to info."""
    _append(layout.path("info", number), b"Zwho knows\0")


def _cut_record(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Cut the NUL off info."""
    _append(layout.path("info", number), b"Z")


def _unknown_recipient(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Add a recipient that is neither to do nor done."""
    _append(_channel_file(layout, number), b"Xbob@example.com\0")


def _wrong_mode(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Let everybody read and write info."""
    layout.path("info", number).chmod(0o666)


def _future(layout: QueueLayout, number: int, now_s: int) -> None:
    """Let the message be born tomorrow."""
    os.utime(layout.path("info", number), (now_s + _DAY_S, now_s + _DAY_S))


def _symlink(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Make a link to elsewhere of info."""
    path = layout.path("info", number)
    path.unlink()
    path.symlink_to("/etc/hostname")


def _fifo(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Make a FIFO of the channel file: who opens it might wait for ever."""
    path = _channel_file(layout, number)
    path.unlink()
    os.mkfifo(path)


def _all_done(layout: QueueLayout, number: int, _now_s: int) -> None:
    """Mark every recipient as done and keep the file."""
    path = _channel_file(layout, number)
    octets = path.read_bytes()
    path.write_bytes(b"".join(b"D" + record[1:] + b"\0" for record in octets.split(b"\0")[:-1]))


FAULTS: Final[Mapping[str, Fault]] = {
    "inode-differs": _inode_differs,
    "wrong-split": _wrong_split,
    "ossified": _ossified,
    "intd-without-todo": _intd_without_todo,
    "todo-without-mess": _todo_without_mess,
    "info-without-mess": _info_without_mess,
    "unknown-file": _unknown_file,
    "unknown-record": _unknown_record,
    "cut-record": _cut_record,
    "unknown-recipient": _unknown_recipient,
    "wrong-mode": _wrong_mode,
    "time-in-the-future": _future,
    "symlink": _symlink,
    "fifo": _fifo,
    "all-done": _all_done,
}
"""Name -> what makes it."""


def _channel_file(layout: QueueLayout, number: int) -> Path:
    """Return the local file of a message, else the remote one."""
    local = layout.path("local", number)
    return local if local.exists() else layout.path("remote", number)


def _remove(layout: QueueLayout, number: int, *kinds: str) -> None:
    """Remove files that may be there."""
    for kind in kinds:
        layout.path(kind, number).unlink(missing_ok=True)


def _append(path: Path, octets: bytes) -> None:
    """Add octets to a file; its time stays."""
    status = path.stat()
    with path.open("ab") as file:
        file.write(octets)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
