"""A small house with one queue, three users, a log, a clock that stands still, and qmail-send."""

from __future__ import annotations

import ast
import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.delivery import LocalDelivery, QmailSend, SendEvent, create_maildir
from indimail_kit.delivery.events import Delivery
from indimail_kit.envelope import Envelope
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue.enqueue import enqueue
from indimail_kit.mailqueue.layout import QueueLayout, create_queue
from indimail_kit.mailqueue.values import INDIMAIL, Queued

RECORDED = Path(__file__).parent.parent / "data" / "indimail"

NOVEMBER_S = 1_795_356_840
"""Sun, 22 Nov 2026 14:14:00 UTC."""

USERS = ("ann", "bob", "postmaster")
"""Mailboxes at example.com."""


class Clock:
    """A clock that goes on only when told to."""

    def __init__(self, now_s: int = NOVEMBER_S) -> None:
        self.now_ns = now_s * 10**9

    def __call__(self) -> int:
        return self.now_ns

    @property
    def now_s(self) -> int:
        return self.now_ns // 10**9

    def advance(self, seconds: int) -> None:
        self.now_ns += seconds * 10**9


class House:
    """Everything that a mail needs from the queue to the mailbox."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.directory = directory
        self.clock = clock
        self.layout = create_queue(directory / "queue1", split=3)
        self.users = {f"{user}@example.com": create_maildir(directory / user / "Maildir") for user in USERS}
        self.filters: dict[str, Any] = {}
        self.log = LogWriter(directory / "log", clock)
        self.events: list[SendEvent] = []
        self.pids = itertools.count(5000)
        self.sends: list[QmailSend] = []

    def local(self, **changes: Any) -> LocalDelivery:
        options: dict[str, Any] = {"locals": {"example.com"}, "users": self.users, "filters": self.filters}
        return LocalDelivery(**(options | {"host": "example.com"} | changes))

    def send(self, *layouts: QueueLayout, **options: Any) -> QmailSend:
        """Return a qmail-send that syncs nothing and writes no numbers of queues, unless told otherwise."""
        settings: dict[str, Any] = {
            "local": self.local(),
            "log": self.log,
            "clock": self.clock,
            "on_event": self.events.append,
            "qident": False,
            "next_pid": lambda: next(self.pids),
            "sync": INDIMAIL,
        }
        self.sends.append(QmailSend(layouts or (self.layout,), **(settings | options)))
        return self.sends[-1]

    def put(
        self,
        *recipients: bytes,
        sender: bytes = b"ann@example.com",
        message: bytes = b"Subject: hi\n\nbody\n",
        layout: QueueLayout | None = None,
        environ: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Queued:
        """Put a message into the queue."""
        settings: dict[str, Any] = {
            "qp": next(self.pids),
            "uid": 0,
            "host": "vm",
            "clock": self.clock,
            "sync": INDIMAIL,
        }
        where = layout or self.layout
        envelope = Envelope(sender, recipients)
        return enqueue(message, envelope, layout=where, environ=environ or {}, **(settings | options))

    def mails(self, user: str, folder: str = "") -> list[bytes]:
        """Return the new mails of a user, the oldest first."""
        directory = self.users[f"{user}@example.com"] / folder / "new"
        return [path.read_bytes() for path in sorted(directory.iterdir())] if directory.is_dir() else []

    def lines(self) -> list[str]:
        """Return the lines of the log without their labels."""
        return [line[26:] for line in self.log.path.read_text("utf-8", "backslashreplace").splitlines()]

    def left(self, layout: QueueLayout | None = None) -> list[str]:
        """Return the files in a queue, without lock."""
        directory = (layout or self.layout).directory
        files = (path for path in directory.rglob("*") if path.is_file() and path.parent.name != "lock")
        return sorted(str(path.relative_to(directory)) for path in files)

    def write(self, kind: str, message_number: int, octets: bytes) -> Path:
        """Write a file of the queue, at the time of the clock."""
        path = self.layout.path(kind, message_number)
        path.write_bytes(octets)
        os.utime(path, ns=(self.clock.now_ns, self.clock.now_ns))
        return path


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands on a day in November 2026."""
    return Clock()


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> Iterator[House]:
    """Return an empty house; its qmail-sends are stopped and its log is closed at the end."""
    built = House(tmp_path, clock)
    yield built
    for send in built.sends:
        send.stop()
    built.log.close()


@pytest.fixture
def delivery(house: House) -> Callable[..., Delivery]:
    """Return a function that makes a delivery of a message file to bob."""
    path = house.directory / "message"
    path.write_bytes(b"Subject: hi\n\nbody\n")
    base: dict[str, Any] = {
        "queue": "queue1",
        "message_number": 7,
        "delivery_number": 1,
        "channel": "local",
        "sender": b"ann@example.com",
        "recipient": b"bob@example.com",
        "header": b"",
        "environment_header": b"",
        "mess_path": path,
    }
    return lambda **changes: Delivery(**(base | changes))


def recorded_files(name: str) -> dict[str, bytes]:
    """Return path below the queue -> octets of a recorded queue tree."""
    text = (RECORDED / "queue" / f"{name}.raw.txt").read_text()
    pairs = re.findall(r"^== [^/\n]+/(\S+)\n(b.*)$", text, re.MULTILINE)
    return {path: ast.literal_eval(octets) for path, octets in pairs}


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], dict[str, bytes]]:
    """Return a function that reads the files of a recorded queue tree."""
    return recorded_files


@pytest.fixture
def limited_file_size() -> Callable[[int], AbstractContextManager[None]]:
    """Return a block in which every file ends at a size, as on a full disk.

    The limit is the whole process's: pytest's own report goes to a file in CI, and must not meet it.
    """
    import resource

    @contextmanager
    def limited(octets: int) -> Iterator[None]:
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (octets, old[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)

    return limited


@pytest.fixture
def unreadable() -> Callable[[Path], None]:
    """Return a function that makes a path unusable for root too: a symbolic link to itself takes its place."""

    def replace(path: Path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(path.name)

    return replace
