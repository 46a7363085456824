"""Attack: clients that say anything and hang up anywhere. The lab neither hangs, nor breaks, nor grows."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

SESSIONS = {"short": 600, "full": 10_000}
"""Sessions of the sweep."""
WARM_UP = 150
"""Sessions before memory is looked at: modules, caches and the pool of threads come with the first ones."""
MAX_GROWTH_BYTES = 20 * 2**20
"""What the lab may grow by (unit: octets)."""
CLIENTS = 8
"""Clients at the same time."""

WORDS = (
    b"EHLO x\r\n",
    b"HELO \xff\xfe\r\n",
    b"MAIL FROM:<ann@example.com>\r\n",
    b"MAIL FROM:<>\r\n",
    b"MAIL FROM:<\r\n",
    b"RCPT TO:<bob@example.com>\r\n",
    b"RCPT TO:<a@[127.0.0.1]>\r\n",
    b"RCPT TO:<%%nobody@@>\r\n",
    b"DATA\r\n",
    b".\r\n",
    b"Subject: x\r\n\r\nhello\r\n.\r\n",
    b"\n.\n",
    b"\r\n.\n",
    b"AUTH PLAIN\r\n",
    b"AUTH PLAIN AHRpbQB0aW0=\r\n",
    b"AUTH CRAM-MD5\r\n",
    b"AUTH SCRAM-SHA-256\r\n",
    b"AUTH LOGIN\r\n",
    b"AUTH NONE =\r\n",
    b"*\r\n",
    b"=\r\n",
    b"biwsbj0scj0=\r\n",
    b"!!!!\r\n",
    b"dGlt\r\n",
    b"STARTTLS\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"VRFY x\r\n",
    b"HELP\r\n",
    b"NOOP\r\n",
    b"RSET\r\n",
    b"QUIT\r\n",
    b"\x00\xff\r\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"BDAT 10 LAST\r\n",
    b"XCLIENT NAME=x\r\n",
    b"GET / HTTP/1.1\r\n",
    b"x" * 500,
    b"A" * 3000 + b"\r\n",
    b"x" * 30_000 + b"\r\n",
    b"RCPT TO:<" + b"a" * 900 + b"@example.com>\r\n",
)
"""What a client may say next, in any order."""


@dataclass
class Target:
    """A lab in another process.

    Attributes:
        process: The process.
        port: Where it listens.
    """

    process: subprocess.Popen[str]
    port: int = 0

    def ask(self, question: str) -> object:
        """Ask the process, and return what it says."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{question}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def target() -> Iterator[Target]:
    """Run a lab in a process of its own."""
    argv = [sys.executable, str(Path(__file__).with_name("lab_under_fire.py"))]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        one = Target(process)
        one.port = one.ask("state")["port"]  # type: ignore[index]
        yield one
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


def talk(port: int, seed: int) -> str:
    """Say a random session; return how it ended: "answered", "hung up" by the server, or "hung"."""
    rng = random.Random(seed)  # noqa: S311 - the same nonsense each time
    with socket.create_connection(("127.0.0.1", port), timeout=15) as client:
        said = b"".join(rng.choices(WORDS, k=rng.randrange(1, 14)))
        leaves_at_once = rng.random() < 0.4
        try:
            client.sendall(said[: rng.randrange(1, len(said) + 1)] if leaves_at_once else said)
            if leaves_at_once:
                return "answered"
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError):
            return "hung up"
        except TimeoutError:
            return "hung"
    return "answered"


def test_random_sessions_neither_hang_nor_break_nor_fill_the_memory(target: Target, sweep_size: str) -> None:
    """Every session ends, no exception is unforeseen, memory grows by less than 20 MB, and mail goes through after."""
    count = SESSIONS[sweep_size]
    with ThreadPoolExecutor(CLIENTS) as pool:
        ends = list(pool.map(talk, [target.port] * WARM_UP, range(WARM_UP)))
        before = target.ask("state")
        ends += pool.map(talk, [target.port] * count, range(WARM_UP, WARM_UP + count))
    after = target.ask("state")
    deadline = time.monotonic() + 20
    while after["sessions"] and time.monotonic() < deadline:  # type: ignore[index]
        after = target.ask("state")
    growth = after["resident_bytes"] - before["resident_bytes"]  # type: ignore[index]
    print(f"{len(ends)} sessions: {ends.count('hung')} hung; memory grew by {growth / 2**20:.1f} MiB")

    assert (len(ends), ends.count("hung")) == (WARM_UP + count, 0)
    assert (after["faults"], after["sessions"]) == ([], 0)  # type: ignore[index]
    assert growth < MAX_GROWTH_BYTES
    assert target.ask("mail") == "Inbox"
