"""A socket in front of a real clamd that spoils its replies: for failures that the real part cannot be asked for.

Everything a client sends, passed descriptors included, goes to clamd as it is; only what clamd says of a scan is
changed on the way back.

Rule 1: the lies here spoil; none of them turns a finding into a whole "OK" of the name that was asked about.
"""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

Lie = Callable[[bytes], bytes]
"""A scan's whole reply -> the octets that the client gets before the connection is closed."""

_CHUNK_BYTES: Final = 65_536
_SCAN_MARK: Final = b": "


def cut_at(length: int) -> Lie:
    """Return the lie that ends after so many octets; below 0 counts from the end."""
    return lambda reply: reply[:length]


def garbled(reply: bytes) -> bytes:
    """Return the reply with the high bit of each octet but the last set."""
    return bytes(octet | 0x80 for octet in reply[:-1]) + reply[-1:]


def twice(reply: bytes) -> bytes:
    """Return the reply two times."""
    return reply * 2


def nameless(_reply: bytes) -> bytes:
    """Return an OK that says not of what."""
    return b"OK\0"


class LyingClamd:
    """The socket and its thread; a context manager.

    Attributes:
        socket_path: Where the client connects.
    """

    def __init__(self, socket_path: Path, clamd_socket: Path, lie: Lie) -> None:
        self.socket_path = socket_path
        self._clamd_socket = str(clamd_socket)
        self._lie = lie
        self._listener = socket.socket(socket.AF_UNIX)
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> LyingClamd:
        """Listen."""
        self.socket_path.unlink(missing_ok=True)
        self._listener.bind(str(self.socket_path))
        self._listener.listen(16)
        self._threads.append(threading.Thread(target=self._serve, name="lying clamd", daemon=True))
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        """End every connection and remove the socket."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5.0)
        self._listener.close()
        self.socket_path.unlink(missing_ok=True)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._relay, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _relay(self, client: socket.socket) -> None:
        """Carry one connection in both directions until either side has had enough."""
        with client, socket.socket(socket.AF_UNIX) as clamd, contextlib.suppress(OSError):
            clamd.connect(self._clamd_socket)
            reply = b""
            while True:
                ready, _, _ = select.select([client, clamd], [], [])
                if client in ready and not _pass_on(client, clamd):
                    return
                if clamd not in ready:
                    continue
                octets = clamd.recv(_CHUNK_BYTES)
                reply += octets
                if _SCAN_MARK in reply and reply.endswith(b"\0"):
                    client.sendall(self._lie(reply))
                    return
                if reply.endswith((b"\n", b"\0")):
                    client.sendall(reply)
                    reply = b""
                if not octets:
                    return


def _pass_on(client: socket.socket, clamd: socket.socket) -> bool:
    """Hand octets and descriptors of the client to clamd; False at its end."""
    octets, descriptors, _, _ = socket.recv_fds(client, _CHUNK_BYTES, 4)
    try:
        if descriptors:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
            clamd.sendmsg([octets], ancillary)
        elif octets:
            clamd.sendall(octets)
        return bool(octets)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
