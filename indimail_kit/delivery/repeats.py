"""What a qmail-send that died may have done twice by the next one: looked up before the new one begins.

A recipient is marked as done *after* the delivery. Who dies in between leaves a T behind, and the next qmail-send
delivers again. The queue alone cannot tell; two witnesses can:

    the log       a delivery that began and has no end was under way; one that ended well is not marked
    the mailbox   a file there is, octet for octet, what would be delivered

Source: qmail's INTERNALS section 5 and "Reliability"; IndiMail qmail-send.c `del_dochan()`, `injectbounce()`; the real
program looks at neither witness and says nothing.

Rule 1: reading only; whatever is found changes nothing about what is delivered.
Rule 2: nothing is claimed without a witness: what no log tells of is counted as not known.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from indimail_kit.delivery.channel import ChannelFile, decode_marks, read_whole
from indimail_kit.delivery.ending import read_info
from indimail_kit.delivery.events import Delivery, as_text
from indimail_kit.delivery.local import LocalDelivery, delivery_head
from indimail_kit.delivery.routing import sender_for
from indimail_kit.delivery.scan import scan_numbers
from indimail_kit.delivery.schedule import CHANNELS, Channel
from indimail_kit.envelope import QueueRecords
from indimail_kit.errors import FormatError, KitError
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.event import Event
from indimail_kit.logs.fields import logsafe
from indimail_kit.logs.matchup import Delivery as LoggedDelivery
from indimail_kit.logs.matchup import Matched, Message, match
from indimail_kit.mailqueue.layout import QueueLayout

SAME_BIRTH_S: Final = 10
"""How far the log's "info msg" and the mtime of the info file may lie apart for one message (unit: s): numbers are used
again."""

MAX_LOG_OCTETS: Final = 16 * 2**20
"""How much of the log is read, from its end (unit: octets): the longest that multilog can be told to keep in a file."""

_MAX_FOREIGN: Final = 10_000
"""Messages of which no log tells that are looked at; the others are counted."""

_MAX_MAILS: Final = 10_000
"""Files of a mailbox that are looked at."""

_PIECE_OCTETS: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Repeat:
    """One recipient, or one bounce, that comes twice or may do so.

    Attributes:
        queue: Name of the queue.
        message_number: Number of the message.
        channel: Local, remote, or "bounce".
        recipient: Who gets it twice, as it stands in the queue; "" for a bounce.
        is_sure: Whether a witness saw it delivered; else it was only under way.
        witness: What the witness says, as a phrase: "the log says it was delivered", "it lies in …".
    """

    queue: str
    message_number: int
    channel: Channel | Literal["bounce"]
    recipient: str
    is_sure: bool
    witness: str

    @property
    def remark(self) -> str:
        """Return the sentence for the log."""
        what = "its bounce" if self.channel == "bounce" else f"to {self.channel} {as_text(logsafe(self._octets()))}"
        return f"msg {self.message_number} {what} {'comes' if self.is_sure else 'may come'} twice: {self.witness}"

    def _octets(self) -> bytes:
        return self.recipient.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class LookBack:
    """What can be known of the qmail-send before this one.

    Attributes:
        repeats: What comes twice, or may.
        unknown_count: Recipients who wait and of whose message no log tells; behind 10,000 such messages, messages.
    """

    repeats: tuple[Repeat, ...] = ()
    unknown_count: int = 0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A preprocessed message of which something may be left to do."""

    number: int
    records: QueueRecords
    files: dict[Channel, ChannelFile]
    has_bounce: bool


def look_back(layouts: Sequence[QueueLayout], *, local: LocalDelivery, log_path: Path) -> tuple[LookBack, ...]:
    """Find out what the next qmail-send will do again; one answer for each queue.

    Of a message that the log knows, and that was only ever deferred, nothing is read but its time.

    Args:
        layouts: The queues; nobody works on them.
        local: Who lives here: their mailboxes are witnesses.
        log_path: The log as it was when the last qmail-send ended; one that is not there or damaged tells nothing.
    """
    numbers = [[number for _directory, number in scan_numbers(layout, "info")] for layout in layouts]
    matched = _read_log(log_path) if any(numbers) else Matched((), ())
    return tuple(
        _look_back(layout, own, _Told(matched, layout.name), local)
        for layout, own in zip(layouts, numbers, strict=True)
    )


class _Told:
    """What the log tells of one queue.

    Attributes:
        lives: Number of a message -> its newest life.
        attempts: Number and lifetime of a message -> its deliveries, in order.
    """

    def __init__(self, matched: Matched, queue: str) -> None:
        self.lives = {message.message_number: message for message in matched.messages if message.queue == queue}
        self.attempts: dict[tuple[int | None, int | None], list[LoggedDelivery]] = {}
        for delivery in matched.deliveries:
            if delivery.queue == queue:
                self.attempts.setdefault((delivery.message_number, delivery.lifetime), []).append(delivery)


def _look_back(layout: QueueLayout, numbers: Iterable[int], told: _Told, local: LocalDelivery) -> LookBack:
    repeats: list[Repeat] = []
    unknown_count = foreign_count = 0
    for number in numbers:
        life, logged = told.lives.get(number), None
        if life is not None and _is_same(life, layout.path("info", number)):
            logged = told.attempts.get((number, life.lifetime), [])
            if life.bounce_qp is None and all(one.outcome == "deferral" for one in logged):
                continue
        else:
            foreign_count += 1
            if foreign_count > _MAX_FOREIGN:
                unknown_count += 1
                continue
        message = _read_message(layout, number)
        if message is None:
            continue
        for channel, file in message.files.items():
            for address, is_sure, witness in _suspects(channel, file, logged):
                path = _mailbox_copy(layout, message, channel, address, local) if not is_sure else ""
                if path:
                    is_sure, witness = True, f"it lies in {path}"
                if witness:
                    who = address.decode("utf-8", "surrogateescape")
                    repeats.append(Repeat(layout.name, number, channel, who, is_sure, witness))
                else:
                    unknown_count += 1
        if message.has_bounce and life is not None and logged is not None and life.bounce_qp is not None:
            witness = f"the log says it was queued as qp {life.bounce_qp}"
            repeats.append(Repeat(layout.name, number, "bounce", "", True, witness))
    return LookBack(tuple(repeats), unknown_count)


def _read_message(layout: QueueLayout, number: int) -> _Waiting | None:
    """Return a message in S5; None for one that is in S4 still, or that cannot be read."""
    if os.path.lexists(layout.path("todo", number)):
        return None  # nothing of it was delivered yet
    with suppress(OSError, FormatError):
        records, _birth_s = read_info(layout, number)
        files: dict[Channel, ChannelFile] = {}
        for channel in CHANNELS:
            with suppress(FileNotFoundError):
                files[channel] = decode_marks(read_whole(layout.path(channel, number)))
        return _Waiting(number, records, files, os.path.lexists(layout.path("bounce", number)))
    return None


def _read_log(path: Path) -> Matched:
    """Return what the end of the log tells."""
    events: list[Event] = []
    with suppress(OSError, KitError):
        if path.is_file():  # a log that is a pipe would be waited for
            with path.open("rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - MAX_LOG_OCTETS)
                file.seek(start)
                octets = file.read(MAX_LOG_OCTETS)
            events.extend(read_events(octets.partition(b"\n")[2] if start else octets))
    return match(events)


def _is_same(life: Message, info: Path) -> bool:
    """Say whether the log's newest message of a number is the one in the queue."""
    queued_ns = life.queued_ns
    if not life.is_open or queued_ns is None:
        return False
    with suppress(OSError):
        return abs(queued_ns - info.lstat().st_mtime_ns) <= SAME_BIRTH_S * 10**9
    return False


def _suspects(
    channel: Channel, file: ChannelFile, logged: list[LoggedDelivery] | None
) -> Iterator[tuple[bytes, bool, str]]:
    """Yield address, certainty and witness of recipients without a mark; no witness where no log tells.

    The same address may stand there several times: the log's ends are counted against the marks.
    """
    marked = Counter(mark.address for mark in file.marks if mark.is_done)
    for mark in file.marks:
        if mark.is_done:
            continue
        if logged is None:
            yield mark.address, False, ""
            continue
        own = [one for one in logged if one.channel == channel and one.recipient == logsafe(mark.address)]
        ended = [one for one in own if one.outcome in ("success", "failure")]
        if len(ended) > marked[mark.address]:
            marked[mark.address] += 1  # stands for the mark that is missing
            how = "was delivered" if ended[-1].outcome == "success" else "failed, and the sender may have been told"
            yield mark.address, True, f"the log says it {how}"
        elif own and own[-1].outcome is None:
            yield mark.address, False, "it was under way when qmail-send ended"


def _mailbox_copy(
    layout: QueueLayout, message: _Waiting, channel: Channel, address: bytes, local: LocalDelivery
) -> str:
    """Return the path of a file in the recipient's mailbox that is what would be delivered, or ""."""
    emailid = local.routing.strip_prefix(address).decode("utf-8", "surrogateescape").lower()
    maildir = local.users.get(emailid) if channel == "local" else None
    if maildir is None:
        return ""
    mess_path = layout.path("mess", message.number)
    records = message.records
    head = delivery_head(
        Delivery(
            layout.name, message.number, 0, channel, sender_for(records.sender or b"", address), address, b"", b"",
            mess_path,
        )
    )  # fmt: skip
    head += records.header
    with suppress(OSError):
        size = len(head) + mess_path.stat().st_size
        for path in islice(_mails(maildir), _MAX_MAILS):
            with suppress(OSError):
                if path.stat().st_size == size and _is_copy(path, head, mess_path):
                    return str(path)
    return ""


def _mails(maildir: Path) -> Iterator[Path]:
    """Yield the mails of a mailbox and its folders."""
    for place in (maildir, *sorted(maildir.glob(".[!.]*"))):
        for name in ("new", "cur"):
            with suppress(OSError):
                yield from (place / name).iterdir()


def _is_copy(path: Path, head: bytes, mess_path: Path) -> bool:
    """Say whether a file is the head and the message, octet for octet."""
    with path.open("rb") as mail, mess_path.open("rb") as message:
        if mail.read(len(head)) != head:
            return False
        while True:
            piece = message.read(_PIECE_OCTETS)
            if mail.read(_PIECE_OCTETS) != piece:
                return False
            if not piece:
                return True
