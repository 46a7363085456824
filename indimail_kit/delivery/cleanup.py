"""What qmail-clean removes: files of messages that never came into the queue and are older than 36 hours.

A crash of qmail-queue, or of qmail-send at the very end of a message, leaves it in S2 or S3, where nobody looks at it.

Source: IndiMail qmail-send.c `cleanup_do()`, qmail-clean.c `cleanuppid()`; qmail's INTERNALS section 6.

Rule 1: only what `is_ossified` says is removed, and only where neither info nor todo exists. Where that cannot be seen
    nothing is removed: it could be a message that waits to be delivered.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from indimail_kit.delivery.scan import scan_numbers
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.states import OSSIFIED_S

CLEANUP_S: Final = 76431
"""Pause between two clean-ups (unit: s). Source: qmail-send.c SLEEP_CLEANUP."""


def is_ossified(*, access_s: int, now_s: int) -> bool:
    """Say whether a file was last touched longer ago than any qmail-queue lives."""
    return now_s > access_s + OSSIFIED_S


def clean_up(
    layout: QueueLayout, *, now_s: int, tell: Callable[[str, str, int], None] = lambda _call, _path, _number: None
) -> tuple[str, ...]:
    """Remove what ossified in pid, mess and intd.

    Args:
        layout: The queue.
        now_s: Time (unit: s since 1970).
        tell: Told each removal: "unlink", the path, the message number (0 for pid files).

    Returns:
        The removed paths, relative to the queue, in the order of removal.
    """
    removed: list[str] = []
    for path, message_number in (*_old_pid_files(layout, now_s), *_old_messages(layout, now_s)):
        with suppress(OSError):
            (layout.directory / path).unlink()
            removed.append(path)
            tell("unlink", path, message_number)
    return tuple(removed)


def _old_pid_files(layout: QueueLayout, now_s: int) -> Iterator[tuple[str, int]]:
    try:
        with os.scandir(layout.directory / "pid") as entries:
            names = sorted(entry.name for entry in entries)
    except OSError:
        return
    for name in names:
        with suppress(OSError):
            access_s = int((layout.directory / "pid" / name).stat(follow_symlinks=False).st_atime)
            if is_ossified(access_s=access_s, now_s=now_s):
                yield f"pid/{name}", 0


def _old_messages(layout: QueueLayout, now_s: int) -> Iterator[tuple[str, int]]:
    for directory, message_number in scan_numbers(layout, "mess"):
        path = layout.path("mess", message_number)
        if directory != layout.parent("mess", message_number):
            continue
        try:
            is_old = is_ossified(access_s=int(path.stat(follow_symlinks=False).st_atime), now_s=now_s)
        except OSError:
            continue
        if is_old and all(_is_missing(layout, kind, message_number) for kind in ("info", "todo")):
            yield layout.relative("intd", message_number), message_number
            yield layout.relative("mess", message_number), message_number


def _is_missing(layout: QueueLayout, kind: str, message_number: int) -> bool:
    """Say whether a message surely has no file of a kind; an error is no answer."""
    try:
        os.lstat(layout.path(kind, message_number))
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False
