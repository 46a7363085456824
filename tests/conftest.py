"""What tests of several rooms share: a raw SMTP client that says exactly what it is told, and tables of counts.

Tests about crashes carry the marker ``crash``. They ask `crash_size` how much to do: "short" in `make test` (a sample,
always the same one), "full" in `make crash` (everything, minutes); and they hand what they counted to `crash_counts`,
which prints it in tables behind pytest's own report.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, get_args

import hypothesis
import pytest

from indimail_kit.lab import Lab

hypothesis.settings.register_profile("kit", deadline=None)
hypothesis.settings.load_profile("kit")  # speed is measured in tests/bench, never in a test: machines are shared

CrashSize = Literal["short", "full"]
"""How much the crash tests do: variable INDIMAIL_KIT_CRASH."""

CrashCounts = Callable[[str, Sequence[Sequence[object]]], None]
"""Takes a title and the rows of a table, the heading first: numbers to the right, text to the left."""

CRASH_TABLES: pytest.StashKey[list[tuple[str, Sequence[Sequence[object]]]]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "crash: breaks something on purpose and counts what was left; see `make crash`")


@pytest.fixture(scope="session")
def crash_size() -> CrashSize:
    """Say how much to do: "short" unless INDIMAIL_KIT_CRASH is "full"."""
    size = os.environ.get("INDIMAIL_KIT_CRASH", "short")
    assert size in get_args(CrashSize), f"INDIMAIL_KIT_CRASH is one of {get_args(CrashSize)}"
    return "full" if size == "full" else "short"


@pytest.fixture(scope="session")
def crash_counts(pytestconfig: pytest.Config) -> CrashCounts:
    """Return a function that prints a table of counts behind pytest's report."""
    tables = pytestconfig.stash.setdefault(CRASH_TABLES, [])
    return lambda title, rows: tables.append((title, rows))


def format_table(rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a table: columns as wide as their widest cell, numbers to the right."""
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    is_number = [any(isinstance(row[place], int | float) for row in rows) for place in range(len(widths))]
    sides = [str.rjust if number else str.ljust for number in is_number]
    return [
        "  ".join(side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True)).rstrip()
        for row in cells
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the crash tests counted."""
    for title, rows in sorted(config.stash.get(CRASH_TABLES, []), key=lambda table: table[0]):
        terminalreporter.write_sep("-", title)
        for line in format_table(rows):
            terminalreporter.write_line(line)


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
