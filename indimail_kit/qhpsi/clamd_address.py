"""Where clamd listens, and how to get a connection there before time is up.

Source: clamd.conf(5) LocalSocket, TCPSocket, TCPAddr; unix(7); getaddrinfo(3).

Note for maintainers: clamd's TCP port has neither password nor encryption. The kit itself never names one. Who gives
a host other than the own machine sends his mail there in the clear, and should know the net in between.

Rule 1: connecting, names included, ends at the deadline. getaddrinfo(3) knows none, so it runs in a thread that is
left behind when it is too slow.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from indimail_kit.errors import ScanError

if TYPE_CHECKING:
    import socket

Address: TypeAlias = str | Path | tuple[str, int]
"""A Unix socket's path, or the host and port of a TCP socket."""

LAST_PORT: Final = 65_535
"""Highest TCP port. Source: RFC 9293 section 3.1."""

_RETRY_S: Final = 0.001
"""Wait between two attempts while clamd's queue of connections is full (unit: s); nothing tells when it is not."""


class Deadline:
    """The moment at which time is up, for all steps of a request together."""

    __slots__ = ("_clock_ns", "_end_ns")

    def __init__(self, timeout_s: float, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._end_ns = clock_ns() + int(timeout_s * 10**9)

    def left_s(self) -> float:
        """Return what is left (unit: s).

        Raises:
            TimeoutError: Nothing is left.
        """
        left_ns = self._end_ns - self._clock_ns()
        if left_ns <= 0:
            raise TimeoutError("time is up")
        return left_ns / 10**9


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """clamd's LocalSocket.

    Attributes:
        path: Where it is.
        passes_descriptors: An open file can travel to clamd (FILDES).
        sees_our_files: A path means the same file there as here (SCAN).
    """

    path: Path
    passes_descriptors = True
    sees_our_files = True

    def __str__(self) -> str:
        return str(self.path)

    def connect(self, deadline: Deadline) -> socket.socket:
        """Return a connection; a full queue of waiting connections is waited for."""
        import socket

        connection = socket.socket(socket.AF_UNIX)
        try:
            while True:
                connection.settimeout(deadline.left_s())
                try:
                    connection.connect(os.fspath(self.path))
                except BlockingIOError:
                    time.sleep(_RETRY_S)
                else:
                    return connection
        except BaseException:
            connection.close()
            raise


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """clamd's TCPAddr and TCPSocket.

    Attributes:
        host: Name or number.
        port: Port, 1 … 65535.
        passes_descriptors: False: no file travels over TCP.
        sees_our_files: Only a clamd on this machine has our files.
    """

    host: str
    port: int
    passes_descriptors = False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def sees_our_files(self) -> bool:
        """Say whether the host is this machine by its very name."""
        import ipaddress

        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def connect(self, deadline: Deadline) -> socket.socket:
        """Return a connection to the first of the host's addresses that takes it."""
        import socket

        problem: OSError | None = None
        for family, kind, protocol, _, where in _look_up(self.host, self.port, deadline):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(deadline.left_s())
                connection.connect(where)
                # The last short piece of a stream must not wait for an acknowledgement.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except BaseException as error:
                connection.close()
                if not isinstance(error, OSError) or isinstance(error, TimeoutError):
                    raise
                problem = error
            else:
                return connection
        raise problem or OSError(f"{self.host} has no address")


ClamdAddress: TypeAlias = UnixAddress | TcpAddress
"""Either; both have `connect`, `passes_descriptors` and `sees_our_files`."""


def _look_up(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Return getaddrinfo's rows for a host: numbers at once, names until the deadline."""
    import queue
    import socket
    import threading

    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):  # UnicodeError: a name that IDNA cannot write
        found: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            found.put(error if isinstance(error, OSError) else OSError(f"{host}: not a host name"))

    threading.Thread(target=look_up, name="clamd look-up", daemon=True).start()
    try:
        result = found.get(timeout=deadline.left_s())
    except queue.Empty:
        raise TimeoutError("time is up") from None
    if isinstance(result, OSError):
        raise result
    return result


def clamd_address(address: Address | ClamdAddress) -> ClamdAddress:
    """Return the address as one of the two kinds.

    Raises:
        ScanError: It is neither a path nor a host with a port.

    Example:
        >>> str(clamd_address("/run/clamd.sock")), str(clamd_address(("::1", 3310)))
        ('/run/clamd.sock', '[::1]:3310')
    """
    if isinstance(address, UnixAddress | TcpAddress):
        return address
    if isinstance(address, str | Path) and str(address):
        return UnixAddress(Path(address))
    match address:
        case (str(host), int(port)) if host and 0 < port <= LAST_PORT:
            return TcpAddress(host, port)
    raise ScanError(f"clamd at {address!r}: expected a socket's path, or (host, port) with a port of 1 … {LAST_PORT}")


def parse_address(text: str) -> ClamdAddress:
    """Read what a person types: ``HOST:PORT`` for TCP, anything else (and all with a slash) is a socket's path.

    Raises:
        ScanError: The port is none.

    Example:
        >>> parse_address("[::1]:3310"), parse_address("./clamd:1")
        (TcpAddress(host='::1', port=3310), UnixAddress(path=PosixPath('clamd:1')))
    """
    host, colon, port = text.rpartition(":")
    if "/" in text or not colon or not host or not (port.isascii() and port.isdigit()):
        return clamd_address(text)
    return clamd_address((host.removeprefix("[").removesuffix("]"), int(port)))
