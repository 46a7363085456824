"""Attack: another host talks to the lab. Nothing listens where it could reach it, and nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .listeners import descendants, is_loopback, listeners, living

EVERYBODY = "0.0.0.0"  # noqa: S104 - nothing of ours listens there; a test makes sure that it would be seen
HERE = Path(__file__).parent
NEEDS_CLAMD = pytest.mark.skipif(
    not any(map(shutil.which, ("clamd", "/usr/sbin/clamd"))), reason="clamd is not installed"
)
NEEDS_SUPERVISE = pytest.mark.skipif(shutil.which("supervise") is None, reason="daemontools are not installed")

LABS = [
    pytest.param({"scanner": "embedded"}, id="embedded scanner"),
    pytest.param({"scanner": "clamd"}, id="clamd", marks=NEEDS_CLAMD),
    pytest.param({"scanner": "clamd", "supervised": True}, id="supervised", marks=[NEEDS_CLAMD, NEEDS_SUPERVISE]),
    pytest.param({"scanner": "embedded", "starttls": True, "second_host": True}, id="STARTTLS and a second host"),
]


def gone(pids: list[int], *, within_s: float = 20.0) -> list[int]:
    """Wait until processes have ended, and return those that have not."""
    deadline = time.monotonic() + within_s
    while living(pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return living(pids)


@pytest.mark.parametrize("kind", LABS)
def test_lab_listens_on_loopback_only_and_leaves_nobody_behind(kind: dict[str, object]) -> None:
    """Every listening socket of the lab and of all that it started is on loopback; after its end all are gone."""
    argv = [sys.executable, HERE / "lab_that_listens.py", json.dumps(kind)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        family = descendants(process.pid)
        found = listeners(family)
        process.communicate(timeout=60)

    assert ("tcp", "127.0.0.1", port) in found
    assert [one for one in found if not is_loopback(one[1])] == []
    assert gone(family) == []


@pytest.mark.parametrize("kind", LABS[1:3])
def test_killed_lab_leaves_nobody_behind(kind: dict[str, object]) -> None:
    """Killed without a word, it takes clamd, supervise and every listener with it."""
    argv = [sys.executable, HERE / "lab_that_listens.py", json.dumps(kind)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        family = descendants(process.pid)
        process.kill()

    assert gone(family) == []


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Give a socket that listens where everybody can reach it, for an instant."""
    with socket.socket() as one:
        one.bind((EVERYBODY, 0))
        one.listen()
        yield one


def test_listener_for_everybody_would_be_seen(listener: socket.socket) -> None:
    """The look at the kernel's tables sees a socket that is not on loopback, so the tests above can fail."""
    found = listeners([os.getpid()])

    assert ("tcp", EVERYBODY, listener.getsockname()[1]) in found
    assert not is_loopback(EVERYBODY)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        (EVERYBODY, False),
        ("::", False),
        ("192.0.2.1", False),
    ],
)
def test_loopback_is_told_from_the_rest(address: str, expected: bool) -> None:
    """The wildcard addresses are not loopback."""
    assert is_loopback(address) is expected
