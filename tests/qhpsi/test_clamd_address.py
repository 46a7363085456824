"""Tests of clamd_address.py."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.errors import ScanError
from indimail_kit.qhpsi.clamd_address import (
    Address,
    ClamdAddress,
    Deadline,
    TcpAddress,
    UnixAddress,
    clamd_address,
    parse_address,
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/run/clamd.sock", UnixAddress(Path("/run/clamd.sock"))),
        (Path("clamd.sock"), UnixAddress(Path("clamd.sock"))),
        ("localhost:3310", UnixAddress(Path("localhost:3310"))),
        (("127.0.0.1", 3310), TcpAddress("127.0.0.1", 3310)),
        (("av.example.com", 1), TcpAddress("av.example.com", 1)),
        (("::1", 65535), TcpAddress("::1", 65535)),
        (TcpAddress("h", 1), TcpAddress("h", 1)),
    ],
    ids=repr,
)
def test_address_is_a_path_or_host_and_port(address: Address, expected: ClamdAddress) -> None:
    """Text and Path are a socket's path, a pair is host and port."""
    assert clamd_address(address) == expected


@pytest.mark.parametrize(
    "address", ["", ("", 3310), ("h", 0), ("h", 65536), ("h", "3310"), ("h",), ("h", 1, 2), None, 3310, b"/run/s"]
)
def test_what_is_no_address_is_refused(address: Any) -> None:
    """The error says what was given and what was expected."""
    with pytest.raises(ScanError, match=r"expected a socket's path, or \(host, port\)"):
        clamd_address(address)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:3310", TcpAddress("127.0.0.1", 3310)),
        ("localhost:3310", TcpAddress("localhost", 3310)),
        ("[::1]:3310", TcpAddress("::1", 3310)),
        ("./localhost:3310", UnixAddress(Path("localhost:3310"))),
        ("/run/clamd.sock", UnixAddress(Path("/run/clamd.sock"))),
        ("clamd.sock", UnixAddress(Path("clamd.sock"))),
        (":3310", UnixAddress(Path(":3310"))),
        ("a:b", UnixAddress(Path("a:b"))),
        ("a:²", UnixAddress(Path("a:²"))),
    ],
)
def test_typed_address_is_read(text: str, expected: ClamdAddress) -> None:
    """HOST:PORT is TCP; a slash, or no number behind the colon, makes it a path."""
    assert parse_address(text) == expected


def test_typed_port_has_its_limits() -> None:
    """A port that cannot be is an error and not a path."""
    with pytest.raises(ScanError, match="port of 1 … 65535"):
        parse_address("localhost:70000")


@pytest.mark.parametrize(
    ("address", "text", "passes_descriptors", "sees_our_files"),
    [
        (UnixAddress(Path("/run/s")), "/run/s", True, True),
        (TcpAddress("127.0.0.1", 1), "127.0.0.1:1", False, True),
        (TcpAddress("127.9.9.9", 1), "127.9.9.9:1", False, True),
        (TcpAddress("::1", 1), "[::1]:1", False, True),
        (TcpAddress("localhost", 1), "localhost:1", False, True),
        (TcpAddress("192.0.2.1", 1), "192.0.2.1:1", False, False),
        (TcpAddress("av.example.com", 1), "av.example.com:1", False, False),
        (TcpAddress("localhost.example.com", 1), "localhost.example.com:1", False, False),
    ],
    ids=str,
)
def test_address_knows_what_it_can(
    address: ClamdAddress, text: str, passes_descriptors: bool, sees_our_files: bool
) -> None:
    """Descriptors travel over Unix sockets only; paths mean the same only on this machine."""
    assert (str(address), address.passes_descriptors, address.sees_our_files) == (
        text,
        passes_descriptors,
        sees_our_files,
    )


@pytest.fixture
def listener() -> Any:
    """A TCP socket that listens on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_name_of_a_host_is_looked_up(listener: socket.socket) -> None:
    """Whichever of its addresses listens is taken: localhost may be ::1 first."""
    deadline = Deadline(5.0, time.monotonic_ns)

    with TcpAddress("localhost", listener.getsockname()[1]).connect(deadline) as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_port_where_nobody_listens_is_refused(listener: socket.socket) -> None:
    """The system's own reason comes through."""
    port = listener.getsockname()[1]
    listener.close()

    with pytest.raises(ConnectionRefusedError):
        TcpAddress("127.0.0.1", port).connect(Deadline(5.0, time.monotonic_ns))


@pytest.mark.parametrize("host", ["no such host", "x" * 300, "a..b", "\udcff"])
def test_impossible_host_is_an_os_error(host: str) -> None:
    """Names that cannot be looked up are told like any other failure of the net."""
    with pytest.raises(OSError, match=r".+"):
        TcpAddress(host, 3310).connect(Deadline(5.0, time.monotonic_ns))


def test_slow_look_up_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that is silent costs the time limit and no more."""
    is_over = threading.Event()

    def slow(_host: str, _port: int, *, flags: int = 0, **_: object) -> list[Any]:
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        is_over.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        TcpAddress("slow.example.com", 3310).connect(Deadline(0.05, time.monotonic_ns))
    waited = time.monotonic() - start
    is_over.set()

    assert 0.05 <= waited < 5.0


def test_host_without_an_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty answer of the look-up is not a connection."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: [])

    with pytest.raises(OSError, match="empty has no address"):
        TcpAddress("empty", 1).connect(Deadline(1.0, time.monotonic_ns))


def test_deadline_counts_down_and_then_raises() -> None:
    """What is left is what the clock says; nothing left is TimeoutError."""
    ticks = itertools.chain([0, 400_000_000], itertools.repeat(1_000_000_000))
    deadline = Deadline(1.0, lambda: next(ticks))

    assert deadline.left_s() == 0.6
    with pytest.raises(TimeoutError):
        deadline.left_s()
