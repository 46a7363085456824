"""Demo queues from a seed: as a busy server's queue looks at one moment, small enough for a lesson or big as a bad day.

Source: facts, section 1 (formats, recorded trees); `delivery.schedule` for the retry times.

Note for maintainers: numbers are inode numbers, so two queues of one seed differ in them and agree in all else.
Most messages of a queue are preprocessed and wait for a slow host; a few are new, a few are being written.

Rule 1: `plan_messages` is pure; `make_queue` writes what it says, straight into a new queue.
Rule 2: nothing wakes anybody: the trigger is not pulled.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, Literal

from indimail_kit.delivery.schedule import CHANNEL_SKIP, LIFETIME_S, Channel
from indimail_kit.envelope import QueueRecords, Recipient, encode_records
from indimail_kit.errors import LabError
from indimail_kit.lab.corpus_faults import FAULTS
from indimail_kit.mailqueue.layout import SPLIT, QueueLayout, create_queue, find_owners
from indimail_kit.mailqueue.ratelimit import RateLimit, encode_ratelimit
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.mailqueue.tcpto import IPV6, TimeoutRecord
from indimail_kit.mailqueue.tcpto import encode as encode_tcpto

Size = Literal["small", "lesson", "big"]
"""How much."""

SIZES: Final[Mapping[Size, int]] = {"small": 60, "lesson": 600, "big": 100_000}
"""Size -> messages."""

_STATE_WEIGHTS: Final = {QueueState.S5: 970, QueueState.S4: 25, QueueState.S3: 2, QueueState.S2: 3}
"""State -> messages of a thousand."""

_LOCAL_DOMAIN: Final = "local.test"
_REMOTE_DOMAINS: Final = ("example.com", "example.net", "example.org", *(f"dest{n}.example.org" for n in range(400)))
"""The first ones get most of the mail, as big providers do."""

_USERS: Final = 20_000
"""Names before the @ (unit: users)."""

_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """One message of a plan.

    Attributes:
        state: S2 … S5.
        sender: Envelope sender; empty for a bounce.
        local: Recipients of this machine.
        remote: The others.
        birth_s: When it was preprocessed, or came if it is not yet (unit: s since 1970).
        retries_s: Channel -> next retry; only channels that have a recipient left (unit: s since 1970).
        size_bytes: Size of the mess file (unit: octets); 0 for one that is being written.
        header: Header lines of the ``e`` record.
        environment_header: Header lines of the ``h`` record.
        bounce: Octets of the bounce file; empty for none.
        qp: Long-term queue identifier.
    """

    state: QueueState
    sender: bytes
    local: tuple[Recipient, ...]
    remote: tuple[Recipient, ...]
    birth_s: int
    retries_s: Mapping[Channel, int]
    size_bytes: int
    header: bytes
    environment_header: bytes
    bounce: bytes
    qp: int


@dataclass(frozen=True, slots=True)
class DemoQueue:
    """A queue that was made.

    Attributes:
        layout: Where it is.
        numbers: Message numbers, in the order of the plan.
        faults: Name of a fault -> number of the message that has it.
        now_s: The moment that the queue shows (unit: s since 1970).
    """

    layout: QueueLayout
    numbers: tuple[int, ...]
    faults: Mapping[str, int]
    now_s: int


def plan_messages(messages: int, *, seed: int, now_s: int) -> Iterator[DemoMessage]:
    """Yield what the messages of a queue are; the same seed gives the same messages.

    The first four are one of each state, so that the smallest queue shows all of them.
    """
    random = Random(seed)  # noqa: S311 (a picture, no secret)
    states, weights = list(_STATE_WEIGHTS), list(_STATE_WEIGHTS.values())
    for index in range(messages):
        state = states[index] if index < len(states) else random.choices(states, weights)[0]
        yield _plan_message(random, state, 4000 + index, now_s)


def make_queue(
    directory: Path,
    *,
    messages: int | Size = "lesson",
    seed: int = 1,
    split: int = SPLIT,
    bigtodo: bool = True,
    now_s: int | None = None,
    faults: Iterable[str] = (),
) -> DemoQueue:
    """Make a new queue and fill it with messages in all states.

    Args:
        directory: The queue; it must not exist, or be empty.
        messages: How many, or the name of a size.
        seed: Decides everything but the numbers.
        split: Number of sub-directories (unit: directories).
        bigtodo: Whether intd and todo are split as well.
        now_s: The moment that the queue shows (unit: s since 1970); the clock's if not given.
        faults: Names in `corpus_faults.FAULTS`; each spoils one preprocessed message, from the last one backwards.

    Raises:
        LabError: Something is there already, a fault has no such name, or there are not enough messages for the faults.
        QueueError: The queue cannot be made.
    """
    directory = Path(directory)
    if directory.exists() and any(directory.iterdir()):
        raise LabError(f"no demo queue at {directory}: it is not empty")
    now_s = int(time.time()) if now_s is None else now_s
    count = messages if isinstance(messages, int) else SIZES[messages]
    layout = create_queue(directory, split=split, bigtodo=bigtodo)
    plan = plan_messages(count, seed=seed, now_s=now_s)
    whole: list[int] = []
    numbers = tuple(write_messages(layout, plan, whole))
    _write_memories(layout, now_s)
    spoilt: dict[str, int] = {}
    for name in faults:
        if name not in FAULTS:
            raise LabError(f"no fault of the name {name}; there are {', '.join(FAULTS)}")
        if not whole:
            raise LabError("more faults than preprocessed messages")
        spoilt[name] = whole.pop()
        FAULTS[name](layout, spoilt[name], now_s)
    return DemoQueue(layout, numbers, spoilt, now_s)


def write_messages(layout: QueueLayout, plan: Iterable[DemoMessage], whole: list[int] | None = None) -> Iterator[int]:
    """Write messages into a queue and yield their numbers, in the order of the plan.

    Args:
        layout: The queue.
        plan: The messages.
        whole: Gets the numbers of those that are preprocessed.
    """
    return _Writer(layout).write(plan, [] if whole is None else whole)


def _plan_message(random: Random, state: QueueState, qp: int, now_s: int) -> DemoMessage:
    """Return one message."""
    # Half of what waits is younger than an hour, a few percent are days old: the quadratic schedule makes it so.
    age_s = min(int(random.paretovariate(0.6) * 600), LIFETIME_S - _HOUR_S)
    if state is not QueueState.S5:
        age_s = random.randrange(1, 60)
    birth_s = now_s - age_s
    local, remote = _recipients(random) if state in (QueueState.S4, QueueState.S5) else ((), ())
    bounce = b""
    if state is QueueState.S5:
        local, remote = _done(random, local), _done(random, remote)
        gone = [recipient.address for recipient in (*local, *remote) if recipient.is_done]
        if gone and random.random() < 0.25:
            bounce = b"<%b>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n" % gone[0]
    named: tuple[tuple[Channel, tuple[Recipient, ...]], ...] = (("local", local), ("remote", remote))
    return DemoMessage(
        state=state,
        sender=_sender(random),
        local=local,
        remote=remote,
        birth_s=birth_s,
        retries_s={
            channel: _next_retry_s(channel, birth_s, now_s)
            for channel, recipients in named
            if state is QueueState.S5 and any(not one.is_done for one in recipients)
        },
        size_bytes=0 if state is QueueState.S2 else min(int(random.lognormvariate(7.6, 1.0)) + 300, 60_000),
        header=b"X-QHPSI: clean\n" if random.random() < 0.3 else b"",
        environment_header=b"Subject: hi\n" if random.random() < 0.05 else b"",
        bounce=bounce,
        qp=qp,
    )


def _sender(random: Random) -> bytes:
    """Return an envelope sender; a few are bounces, fewer are double bounces."""
    if random.random() < 0.03:
        return b"" if random.random() < 0.9 else b"#@[]"
    return b"user%05d@host%d.example.com" % (random.randrange(_USERS), random.randrange(400))


def _recipients(random: Random) -> tuple[tuple[Recipient, ...], tuple[Recipient, ...]]:
    """Return local and remote recipients; four of five messages have one."""
    count = 1 if random.random() < 0.8 else random.randrange(2, 8)
    local: list[Recipient] = []
    remote: list[Recipient] = []
    for _ in range(count):
        is_local = random.random() < 0.3
        domain = _LOCAL_DOMAIN if is_local else _REMOTE_DOMAINS[int(len(_REMOTE_DOMAINS) * random.random() ** 4)]
        address = b"user%05d@%b" % (random.randrange(_USERS), domain.encode())
        (local if is_local else remote).append(Recipient(address, is_done=False))
    return tuple(local), tuple(remote)


def _done(random: Random, recipients: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
    """Return the recipients with some of them done; the last one waits, for a file without such a one is removed."""
    early = (Recipient(one.address, random.random() < 0.5) for one in recipients[:-1])
    return (*early, *recipients[-1:])


def _next_retry_s(channel: Channel, birth_s: int, now_s: int) -> int:
    """Return when qmail-send tries again if it tried on time all along: the first (skip n)**2 after now."""
    skip, attempt = CHANNEL_SKIP[channel], 1
    while birth_s + (skip * attempt) ** 2 <= now_s:
        attempt += 1
    return birth_s + (skip * attempt) ** 2


_BODY: Final = b"".join(b"Line %d of a message that waits in a queue of the lab.\n" % line for line in range(1200))
"""Text that the bodies are cut from (unit: octets)."""


class _Writer:
    """Writes messages into a queue, a directory descriptor for all."""

    def __init__(self, layout: QueueLayout) -> None:
        self._layout = layout
        owners = find_owners() if os.geteuid() == 0 else {}
        self._qmailq = owners.get("qmailq")
        self._qmails = owners.get("qmails")

    def write(self, plan: Iterable[DemoMessage], whole: list[int]) -> Iterator[int]:
        """Write the messages, yield their numbers, and note those that are preprocessed."""
        queue_fd = os.open(self._layout.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for message in plan:
                number = self._write_message(queue_fd, message)
                if message.state is QueueState.S5:
                    whole.append(number)
                yield number
        finally:
            os.close(queue_fd)

    def _write_message(self, queue_fd: int, message: DemoMessage) -> int:
        """Write the files of one message and return its number."""
        birth_s, relative = message.birth_s, self._layout.relative
        number = self._put(queue_fd, "pid/new", _mess_octets(message), birth_s, 0o644, self._qmailq)
        os.rename("pid/new", relative("mess", number), src_dir_fd=queue_fd, dst_dir_fd=queue_fd)
        if message.state in (QueueState.S3, QueueState.S4):
            octets = b"" if message.state is QueueState.S3 else _todo_octets(message)
            self._put(queue_fd, relative("intd", number), octets, birth_s, 0o644, self._qmailq)
        if message.state is QueueState.S4:
            os.link(relative("intd", number), relative("todo", number), src_dir_fd=queue_fd, dst_dir_fd=queue_fd)
        if message.state is QueueState.S5:
            info = QueueRecords(
                sender=message.sender, header=message.header, environment_header=message.environment_header
            )
            self._put(queue_fd, relative("info", number), encode_records(info), birth_s, 0o600, self._qmails)
            self._put_channel(queue_fd, "local", number, message.local, message.retries_s)
            self._put_channel(queue_fd, "remote", number, message.remote, message.retries_s)
            if message.bounce:
                self._put(queue_fd, relative("bounce", number), message.bounce, birth_s, 0o600, self._qmails)
        return number

    def _put_channel(
        self,
        queue_fd: int,
        channel: Channel,
        number: int,
        recipients: tuple[Recipient, ...],
        retries_s: Mapping[Channel, int],
    ) -> None:
        """Write a local or remote file if the channel has recipients."""
        if recipients:
            octets = b"".join(b"%b%b\0" % (b"D" if one.is_done else b"T", one.address) for one in recipients)
            path = self._layout.relative(channel, number)
            self._put(queue_fd, path, octets, retries_s[channel], 0o600, self._qmails)

    def _put(
        self, queue_fd: int, path: str, octets: bytes, mtime_s: int, mode: int, owner: tuple[int, int] | None
    ) -> int:
        """Write one file and return its inode number."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=queue_fd)
        try:
            if octets:
                os.write(fd, octets)
            os.fchmod(fd, mode)  # whatever the umask is
            if owner is not None:
                os.fchown(fd, *owner)
            os.utime(fd, (mtime_s, mtime_s))
            return os.fstat(fd).st_ino
        finally:
            os.close(fd)


def _mess_octets(message: DemoMessage) -> bytes:
    """Return a mess file of the planned size."""
    if not message.size_bytes:
        return b""
    date = time.strftime("%d %b %Y %H:%M:%S +0000", time.gmtime(message.birth_s))
    head = (
        b"Received: indimail-mta queue %d by host lab.example.com\n (invoked by uid 0); %b\n"
        b"From: <%b>\nSubject: message %d of the lab\n\n"
    ) % (message.qp, date.encode(), message.sender, message.qp)
    body = _BODY * (message.size_bytes // len(_BODY) + 1)
    return (head + body)[: message.size_bytes - 1] + b"\n"


def _todo_octets(message: DemoMessage) -> bytes:
    """Return an intd file; todo is the same one."""
    recipients = (*message.local, *message.remote)
    return encode_records(
        QueueRecords(
            uid=0,
            pid=message.qp,
            sender=message.sender,
            recipients=tuple(recipient.address for recipient in recipients),
            header=message.header,
            environment_header=message.environment_header,
        )
    )


def _write_memories(layout: QueueLayout, now_s: int) -> None:
    """Write what the programs remember beside the messages: hosts that time out, and rates."""
    hosts = [TimeoutRecord(n, f"192.0.2.{10 + n}", 1 + n, now_s - 300 * n) for n in range(4)]
    hosts.append(TimeoutRecord(4, "2001:db8::25", 2, now_s, IPV6))
    (layout.directory / "lock" / "tcpto").write_bytes(encode_tcpto(hosts))
    limits = layout.directory / "ratelimit"
    limits.mkdir(mode=0o750)
    for index, domain in enumerate(("example.com", "example.net")):
        limit = RateLimit(domain, "3/60", index + 1, now_s - 40, now_s - 5, b"\xdc\0")
        (limits / domain).write_bytes(encode_ratelimit(limit))
