"""One message of a queue, opened: its files, what is wrong with them, its mail's header. Reads, changes nothing.

Source: indimail-mta-internals(7) section 2.

Rule 1: the queue is read through `indimail_kit.mailqueue` only, which opens nothing below lock/ and follows no link.
Rule 2: a number is used again at once, so whoever reads a message twice asks `is_same_mail`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from indimail_kit.mailqueue.check import check_message
from indimail_kit.mailqueue.snapshot import MessageFiles, read_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from indimail_kit.mailqueue.layout import QueueLayout
    from indimail_kit.mailqueue.violations import Violation

MAX_HEADER_BYTES: Final = 16_384
"""Octets of a mail's header that are shown (unit: octets)."""


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """A message as it was when somebody looked.

    Attributes:
        layout: Its queue.
        files: Its files, records and recipients.
        violations: What is wrong with it.
        seen_ns: When we looked (unit: ns since 1970).
        owners: uid -> name of the owners of its files, where the system has a name.
    """

    layout: QueueLayout
    files: MessageFiles
    violations: tuple[Violation, ...]
    seen_ns: int
    owners: tuple[tuple[int, str], ...] = ()

    @property
    def key(self) -> str:
        """Return queue and number: "queue1/660188"."""
        return f"{self.files.queue}/{self.files.message_number}"

    @property
    def is_there(self) -> bool:
        """Say whether the queue had at least one file of it."""
        return bool(self.files.files)


def open_message(
    layout: QueueLayout, message_number: int, *, now_ns: int, known: Iterable[Violation] = ()
) -> OpenedMessage:
    """Look at one message, its violations among it.

    Args:
        layout: Its queue.
        message_number: Its number; one that has left the queue gives a message without files.
        now_ns: The time (unit: ns since 1970).
        known: What a look at the whole queue has found of it, for example a file in another directory.

    Raises:
        QueueError: The queue cannot be opened, or the number is that of no inode.
    """
    files = read_message(layout, message_number)
    found = {(one.path, one.rule): one for one in known}
    found |= {(one.path, one.rule): one for one in check_message(layout, files, now_s=now_ns // 10**9)}
    owners = {file.uid: name for file in files.files if (name := _user(file.uid))}
    return OpenedMessage(layout, files, tuple(found.values()), now_ns, tuple(owners.items()))


@functools.lru_cache(maxsize=256)
def _user(uid: int) -> str:
    """Return a user's name, "" where there is none."""
    import pwd  # reads the user data base: only here

    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return ""


def is_same_mail(before: MessageFiles, after: MessageFiles) -> bool:
    """Say whether a number still stands for the same mail: a mess file is written once, so its time tells."""
    first, second = before.file("mess"), after.file("mess")
    if first is None or second is None:
        return (first is None) == (second is None)
    return first.inode == second.inode and (first.mtime_ns == second.mtime_ns or first.size_bytes < second.size_bytes)


def mail_header(files: MessageFiles) -> tuple[str, str]:
    """Return the header of the mail as text, and a word on what is not shown.

    The text is ASCII or UTF-8; octets that are neither stay as lone surrogates, which every view writes out.
    """
    mess = files.file("mess")
    if mess is None:
        return "", "There is no mess file, so there is no mail."
    if not mess.is_regular:
        return "", "mess is no regular file, so it was not opened."
    end = _header_end(mess.content)
    octets = mess.content if end is None else mess.content[:end]
    shown = octets[:MAX_HEADER_BYTES]
    if len(shown) < len(octets) or (end is None and mess.is_truncated):
        note = f"The first {len(shown):,} octets; the header goes on."
    elif end is None:
        note = "No empty line ends the header: the mail has no body, or is still being written."
    else:
        note = f"The header: {len(octets):,} of {mess.size_bytes:,} octets. The body is not shown."
    return shown.decode("utf-8", "surrogateescape"), note


def _header_end(octets: bytes) -> int | None:
    """Return where the header ends, None when no empty line is there."""
    if octets[:1] == b"\n" or octets[:2] == b"\r\n":
        return 0
    ends = [at + 1 for mark in (b"\n\n", b"\n\r\n") if (at := octets.find(mark)) >= 0]
    return min(ends, default=None)
