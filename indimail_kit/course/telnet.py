"""Typing at a server, line by line, as with telnet: the plain function beside the console widget.

Rule 1: a dialogue is printed with its secrets masked, unless a person asks for them.
Rule 2: it talks to a lab and to nothing else.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Protocol

from indimail_kit.auth.redact import format_dialogue
from indimail_kit.auth.transcript import Direction, WireChunk
from indimail_kit.course.markup import lines_html

MAX_LINE_BYTES: Final = 65_536
"""Longest line of a reply that is read (unit: octets)."""

_GOODBYES: Final = (b"221", b"421")
"""Codes after which the server hangs up. Source: RFC 5321 section 4.2.3."""


class Listening(Protocol):
    """What a lab says of itself."""

    @property
    def host(self) -> str:
        """Return the address."""

    @property
    def port(self) -> int:
        """Return the port."""


@dataclass(frozen=True, slots=True, repr=False)
class Typed:
    """A dialogue that was typed.

    Attributes:
        chunks: What went over the wire, a line each; `annotate.explain` takes them as they are.
    """

    chunks: tuple[WireChunk, ...] = field(repr=False)

    @property
    def reply(self) -> str:
        """Return the last line that the server said to the last line that was typed."""
        said = [chunk.octets for chunk in self.chunks if chunk.direction == "server"]
        return said[-1].decode("utf-8", "backslashreplace").strip() if said else ""

    @property
    def client_lines(self) -> tuple[str, ...]:
        """Return what was typed, secrets and all: what somebody who listened could type again."""
        return tuple(
            chunk.octets.decode("utf-8", "surrogateescape").rstrip("\r\n")
            for chunk in self.chunks
            if chunk.direction == "client"
        )

    def text(self, *, shows_secrets: bool = False) -> str:
        """Return the dialogue, ``C:`` or ``S:`` before each line, with its secrets masked or not."""
        return format_dialogue(self.chunks, shows_secrets=shows_secrets)

    def __repr__(self) -> str:
        """Return the dialogue with its secrets masked."""
        return self.text()

    def _repr_html_(self) -> str:
        return lines_html(self.text())


def type_lines(lab: Listening, *lines: str, timeout_s: float = 10.0, clock: Callable[[], int] = time.time_ns) -> Typed:
    """Connect, type the lines one after the other, each after the reply to the one before, and hang up.

    Args:
        lab: Where to connect.
        lines: What to type, without line ends.
        timeout_s: Longest wait for a reply (unit: s).
        clock: Time (unit: ns since 1970).

    Returns:
        What was said, up to where the server hung up.

    Raises:
        OSError: There is no connection.
        ValueError: A line holds a line end: type one line at a time.
    """
    octets = [line.encode("utf-8", "surrogateescape") + b"\r\n" for line in lines]
    if any(line.count(b"\n") > 1 or b"\r" in line[:-2] for line in octets):
        raise ValueError("a line without a line end in it")
    chunks: list[WireChunk] = []
    with (
        socket.create_connection((lab.host, lab.port), timeout=timeout_s) as connection,
        connection.makefile("rb") as replies,
        contextlib.suppress(ConnectionError),
    ):
        chunks.extend(WireChunk(clock(), who, line) for who, line in _talk(connection, replies, octets))
    return Typed(tuple(chunks))


def _talk(connection: socket.socket, replies: BinaryIO, lines: list[bytes]) -> Iterator[tuple[Direction, bytes]]:
    """Yield (who, line); within a mail the server is silent until the dot."""
    last = b""
    for reply in _reply(replies):
        last = reply
        yield "server", reply
    is_mail = False
    for line in lines:
        connection.sendall(line)
        yield "client", line
        is_mail = is_mail and line != b".\r\n"
        if is_mail:
            continue
        last = b""
        for reply in _reply(replies):
            last = reply
            yield "server", reply
        if not last or last.startswith(_GOODBYES):
            return
        is_mail = last.startswith(b"354")
    with contextlib.suppress(OSError):
        connection.sendall(b"QUIT\r\n")


def _reply(replies: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of one reply; none when the server has hung up."""
    while line := replies.readline(MAX_LINE_BYTES):
        yield line
        if line[3:4] != b"-":
            return
