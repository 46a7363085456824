"""supervise for a service that this process plays: its FIFOs and status file, so that svc and svstat work on it.

Source: supervise(8), svc(8); the status file of daemontools 0.76 (`control.supervise`).

Note for maintainers: qmail-send of a lab is a thread. With this beside it anybody, in any process, can stop and start
it as on a real host: ``svc -d DIR``, ``indimail-kit service up DIR --apply``. A service that ends, or does not start,
while it shall be up, is started again every half second, as supervise does every second.

Rule 1: the FIFOs are ours; whoever writes nonsense into them is not answered.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import struct
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from indimail_kit.errors import KitError
from indimail_kit.tai64 import to_tai64n

AGAIN_S: Final = 0.5
"""Pause before a service that shall be up is started again (unit: s)."""

SEND_RUN: Final = """\
#!/bin/sh
# What runs this service on a real host. Here the process of the lab plays it.
exec 2>&1
exec envdir variables qscheduler
"""
"""The run script of the played qmail-send, for people."""

_STATUS: Final = struct.Struct("<IBc")
_READ_BYTES: Final = 64


class PlayedSupervise:
    """Watch over a service that this process plays.

    Attributes:
        directory: The service directory; `run` and ``supervise`` are made in it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        run: str,
        start: Callable[[], object],
        stop: Callable[[], object],
        is_up: Callable[[], bool],
        signals: Mapping[str, Callable[[], object]],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Make the directory and begin; the service stays as it is.

        Args:
            directory: The service directory.
            run: Text of its run script, for people.
            start: Starts it; KitError or OSError when it cannot.
            stop: Ends it.
            is_up: Whether it runs.
            signals: svc's letter -> what it means for the service.
            clock: Gives the time (unit: ns since 1970).

        Raises:
            OSError: The directory cannot be written.
        """
        self.directory = directory
        self._start, self._stop, self._is_up, self._signals, self._clock = start, stop, is_up, signals, clock
        self._want = b"u" if is_up() else b"d"
        self._said: tuple[bool, bytes] | None = None
        self._place = directory / "supervise"
        self._place.mkdir(parents=True, exist_ok=True)
        if not (directory / "run").exists():
            (directory / "run").write_text(run, encoding="utf-8")
            (directory / "run").chmod(0o755)
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._fds = [self._wake_reader, self._wake_writer, self._open_fifo("ok")]
        self._control = self._open_fifo("control")
        # A writing end of our own: without it the FIFO would be at its end whenever nobody writes.
        self._fds += [self._control, os.open(self._place / "control", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)]
        self._is_closing = False
        self._say()
        self._thread = threading.Thread(target=self._watch, name="ik-supervise", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Go away and leave the service as it is; a second call does nothing."""
        if self._is_closing:
            return
        self._is_closing = True
        os.write(self._wake_writer, b"\0")
        self._thread.join()
        while self._fds:
            os.close(self._fds.pop())

    def _open_fifo(self, name: str) -> int:
        path = self._place / name
        if not path.exists():
            os.mkfifo(path, 0o600)
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def _watch(self) -> None:
        """Take commands until `close`."""
        with selectors.DefaultSelector() as selector:
            for descriptor in (self._control, self._wake_reader):
                selector.register(descriptor, selectors.EVENT_READ)
            while not self._is_closing:
                self._keep_up()
                selector.select(AGAIN_S)
                with contextlib.suppress(BlockingIOError):
                    for letter in os.read(self._control, _READ_BYTES).decode("latin-1"):
                        self._obey(letter)

    def _obey(self, letter: str) -> None:
        """Do what a letter of svc says."""
        if letter == "u":
            self._want = b"u"
        elif letter == "d":
            self._want = b"d"
            self._stop()
        elif letter == "t" and self._is_up():
            self._stop()
        elif letter in self._signals and self._is_up():
            self._signals[letter]()
        self._keep_up()

    def _keep_up(self) -> None:
        """Start what shall be up, and write down how it is."""
        if self._want == b"u" and not self._is_up():
            self._stop()  # a service that ended by itself gives back what it held
            with contextlib.suppress(KitError, OSError):
                self._start()
        self._say()

    def _say(self) -> None:
        """Write the status file when something is new."""
        state = (self._is_up(), self._want)
        if state == self._said:
            return
        self._said = state
        label = bytes.fromhex(to_tai64n(self._clock())[1:].decode("ascii"))
        fresh = self._place / "status.new"
        fresh.write_bytes(label + _STATUS.pack(os.getpid() if state[0] else 0, 0, state[1]))
        fresh.replace(self._place / "status")
