"""What the tests of the logs share: recorded logs of a real IndiMail, and a way to write a log in one line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from indimail_kit.logs.engine import read_events
from indimail_kit.logs.event import Event

RECORDED = Path(__file__).parents[1] / "data" / "indimail"


@pytest.fixture
def recorded() -> Callable[[str], bytes]:
    """Return a reader of the recorded answers: relative path -> octets, decompressed."""

    def read(name: str) -> bytes:
        path = RECORDED / name
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()

    return read


@pytest.fixture
def recorded_path() -> Callable[[str], Path]:
    """Return a finder of the recorded files."""
    return RECORDED.joinpath


@pytest.fixture
def events_of() -> Callable[..., list[Event]]:
    """Return a reader of lines: each argument one line, stamped one second after the last."""

    def read(*lines: bytes) -> list[Event]:
        stamped = (b"%d.000000000 %s\n" % (1_700_000_000 + second, line) for second, line in enumerate(lines))
        return list(read_events(b"".join(stamped)))

    return read


@pytest.fixture
def parsed_expression() -> Callable[[bytes], object]:
    """Return Python's own parser of regular expressions, which gives the tree that the matcher works on."""
    from re import _parser  # type: ignore[attr-defined]  # private, but the only tree there is

    return lambda pattern: _parser.parse(pattern.decode("latin-1"))
