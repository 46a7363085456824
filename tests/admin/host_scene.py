"""A healthy mail host of files, to be spoilt by tests: a held queue, a service that is up, control files, a log."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from indimail_kit.admin import HostPlaces, HostReport, examine_host
from indimail_kit.control.envdir import write_variable
from indimail_kit.delivery.lock import QueueLock
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue.layout import QueueLayout, create_queue
from indimail_kit.mailqueue.queues import Queues
from indimail_kit.mailqueue.rows import MessageRow
from indimail_kit.tai64 import to_tai64n

NOW_S = 1_795_400_000
NOW_NS = NOW_S * 10**9


class Host:
    """A healthy host of files: a queue that is held, a service that is up, control files, a log.

    Attributes:
        directory: Where it lies.
        layout: Its queue.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.layout = create_queue(directory / "queue" / "queue1", split=5)
        self.locks = [QueueLock(self.layout)]
        self.ends: list[int] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.control.mkdir()
        for name, text in {"me": "mx.example.com", "locals": "example.com", "rcpthosts": "example.com"}.items():
            (self.control / name).write_text(f"{text}\n")
        (self.control / "tcp.smtp").write_text("127.:allow\n:allow\n")
        self.scanner = directory / "scanner"
        self.scanner.write_text("#!/bin/sh\n")
        self.scanner.chmod(0o755)
        self.variables.mkdir(parents=True)
        self.set(QHPSI=f"{self.scanner} %s")
        (self.service / "run").write_text("#!/bin/sh\n")
        self.supervise()
        self.log.mkdir(parents=True)
        self.write_log(b"info msg 1: bytes 10 from <ann@example.com> qp 1 uid 1 queue1")

    @property
    def control(self) -> Path:
        return self.directory / "control"

    @property
    def service(self) -> Path:
        return self.directory / "service" / f"qmail-smtpd.{self.port}"

    @property
    def variables(self) -> Path:
        return self.service / "variables"

    @property
    def log(self) -> Path:
        return self.directory / "log" / "deliver.25"

    @property
    def places(self) -> HostPlaces:
        return HostPlaces(self.directory / "queue", self.directory / "service", self.control, (self.directory / "log",))

    def set(self, **values: str | None) -> None:
        """Write variables of the service."""
        for name, value in values.items():
            write_variable(self.variables, name, value)

    def supervise(self, *, pid: int = 4711, want: bytes = b"u", paused: bool = False) -> None:
        """Let it seem as if a supervise held the service."""
        place = self.service / "supervise"
        place.mkdir(exist_ok=True)
        label = bytes.fromhex(to_tai64n(NOW_NS - 7200 * 10**9)[1:].decode())
        (place / "status").write_bytes(label + pid.to_bytes(4, "little") + bytes([paused]) + want)
        for name in ("ok", "control"):
            if not (place / name).exists():
                os.mkfifo(place / name)
                self.ends.append(os.open(place / name, os.O_RDONLY | os.O_NONBLOCK))

    def write_log(self, *lines: bytes, name: str = "deliver.25", end_s: int = 60) -> None:
        """Write a log whose last line is so many seconds old, a second between two lines."""
        directory = self.directory / "log" / name
        directory.mkdir(exist_ok=True)
        first_ns = NOW_NS - (end_s + len(lines) - 1) * 10**9
        stamped = [to_tai64n(first_ns + at * 10**9) + b" " + line + b"\n" for at, line in enumerate(lines)]
        (directory / "current").write_bytes(b"".join(stamped))

    def fill(self, *faults: str, messages: int = 30) -> None:
        """Replace the queue by one with messages."""
        self.release()
        self.layout = make_queue(
            self.directory / "queue" / "queue2", messages=messages, split=5, now_s=NOW_S, faults=faults
        ).layout
        self.locks = [QueueLock(self.layout), QueueLock(QueueLayout(self.directory / "queue" / "queue1", 5))]

    def release(self) -> None:
        """Let the queue go."""
        while self.locks:
            self.locks.pop().close()

    def layout_messages(self) -> Sequence[MessageRow]:
        """Return the messages of the queue."""
        return Queues(self.layout.directory, (self.layout,)).snapshot(now_ns=NOW_NS).messages

    def examine(self) -> HostReport:
        """Look at it."""
        return examine_host(self.places, now_ns=NOW_NS)

    def close(self) -> None:
        """Give everything back."""
        self.release()
        self.listener.close()
        for end in self.ends:
            os.close(end)
