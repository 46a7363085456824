"""qmail-queue's input: the message on fd 0, the envelope on fd 1 (which is read, not written), and who is behind them.

Source: IndiMail indimail-mta-x/qmail-queue.c `main()`, `tcpgetremoteip()`; qmail-queue(8).

Rule 1: a descriptor is read only as far as the program reads it: whoever calls may keep the envelope open.
Rule 2: a descriptor that was opened is closed, whatever fails.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from indimail_kit.envelope import look_at_envelope
from indimail_kit.mailqueue.received import UNKNOWN_IP

_BLOCK_BYTES: Final = 1 << 16
"""Octets that are read at once (unit: octets)."""


def read_message(fd: int) -> Iterator[bytes]:
    """Yield the message in pieces.

    Raises:
        OSError: It cannot be read.
    """
    while piece := os.read(fd, _BLOCK_BYTES):
        yield piece


def read_envelope(fd: int) -> bytes:
    """Return the envelope up to its final NUL, its end, or the octet at which it is refused.

    Raises:
        OSError: It cannot be read.
    """
    octets, offset, is_decided = bytearray(), 0, False
    while not is_decided and (piece := os.read(fd, _BLOCK_BYTES)):
        octets += piece
        offset, is_decided = look_at_envelope(octets, offset)
    return bytes(octets)


def as_file(fd: int, mode: str, *, buffering: int = -1) -> BinaryIO:
    """Make a file of a descriptor, or close it: `os.fdopen` leaves it open when it fails.

    Raises:
        OSError: The system does not say what the descriptor is.
    """
    try:
        return cast("BinaryIO", os.fdopen(fd, mode, buffering))
    except BaseException:
        os.close(fd)
        raise


def drain(fd: int) -> int:
    """Read a descriptor to its end, throw away what it holds, and return how much that was (unit: octets)."""
    return sum(map(len, read_message(fd)))


def peer_ip(*fds: int) -> str | None:
    """Return the address at the other end of the first socket among descriptors, None when there is no socket.

    Source:
        qmail-queue.c `tcpgetremoteip()`: a socket without an IP address counts too, and a closed descriptor ends the
        search.
    """
    for fd in fds:
        try:
            is_socket = stat.S_ISSOCK(os.fstat(fd).st_mode)
        except OSError:
            return None
        if is_socket and (address := _peer_of(fd)) is not None:
            return address
    return None


def _peer_of(fd: int) -> str | None:
    """Return the address at the other end of a socket, None when nobody is there."""
    import socket  # takes a few milliseconds, and a drop-in is started for each mail

    try:
        with socket.socket(fileno=os.dup(fd)) as peer:
            return str(peer.getpeername()[0]) if peer.family in (socket.AF_INET, socket.AF_INET6) else UNKNOWN_IP
    except OSError:
        return None
