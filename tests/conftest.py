"""What tests of several rooms share: a raw SMTP client that says exactly what it is told."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import hypothesis
import pytest

from indimail_kit.lab import Lab

hypothesis.settings.register_profile("kit", deadline=None)
hypothesis.settings.load_profile("kit")  # speed is measured in tests/bench, never in a test: machines are shared


class RawClient:
    """Sends octets as they are and reads replies line by line."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.connection = socket.create_connection(address, timeout=10)
        self._reader = self.connection.makefile("rb")

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self.connection.sendall(octets)

    def reply(self) -> str:
        """Return the last line of the next reply; "" when the server hung up."""
        return self.replies()[-1]

    def replies(self) -> list[str]:
        """Return all lines of the next reply."""
        lines = []
        while True:
            line = self._reader.readline().decode("utf-8", "backslashreplace").rstrip("\r\n")
            lines.append(line)
            if line[3:4] != "-":
                return lines

    def say(self, line: str | bytes) -> str:
        """Send one line and return the last line of its reply."""
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return self.reply()

    def is_hung_up(self) -> bool:
        """Say whether the server has closed the connection and left nothing unread."""
        try:
            return self._reader.read(1) == b""
        except ConnectionResetError:  # something of ours was unread when the server hung up
            return True

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()
        self.connection.close()


@pytest.fixture
def connect() -> Iterator[Callable[[Lab], RawClient]]:
    """Return a function that connects to a lab and reads the greeting."""
    clients: list[RawClient] = []

    def open_client(lab: Lab) -> RawClient:
        client = RawClient((lab.host, lab.port))
        clients.append(client)
        client.greeting = client.reply()
        return client

    yield open_client
    for client in clients:
        client.close()
