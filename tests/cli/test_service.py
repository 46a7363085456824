"""``service status``: a table for people, a document for programs, svstat's own line on wish."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main
from indimail_kit.tai64 import to_tai64n

SINCE_NS = 1_795_000_000_123_456_500
KEYS = {"service", "up", "pid", "since", "paused", "want", "normally_up", "flavour", "problem"}


def run(*words: str | Path) -> Result:
    """Run the verb in this process."""
    return CliRunner().invoke(main, ["service", *map(str, words)])


def make_service(directory: Path, *, want: bytes = b"u", tail: bytes = b"") -> list[int]:
    """Make a service that a supervise seems to hold; the descriptors are its ends."""
    (directory / "supervise").mkdir(parents=True)
    (directory / "run").touch()
    label = bytes.fromhex(to_tai64n(SINCE_NS)[1:].decode())
    (directory / "supervise" / "status").write_bytes(label + (4711).to_bytes(4, "little") + b"\0" + want + tail)
    ends = []
    for name in ("ok", "control"):
        os.mkfifo(directory / "supervise" / name)
        ends.append(os.open(directory / "supervise" / name, os.O_RDONLY | os.O_NONBLOCK))
    return ends


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Path]:
    """Make one service of each supervise, and one without."""
    ends = make_service(tmp_path / "debian") + make_service(tmp_path / "indimail", want=b"d", tail=b"\0\0\0")
    (tmp_path / "idle").mkdir()
    (tmp_path / "idle" / "run").touch()
    yield tmp_path
    for end in ends:
        os.close(end)


def test_status_of_a_service_that_is_up(services: Path) -> None:
    """Exit 0, and the contract's keys."""
    result = run("status", "--json", services / "debian")
    (row,) = json.loads(result.output)
    assert (result.exit_code, set(row)) == (0, KEYS)
    assert [row[key] for key in ("up", "pid", "since", "paused", "want", "problem")] == [
        True, 4711, "2026-11-18T11:06:40.123456Z", False, "up", "",
    ]  # fmt: skip


def test_service_that_is_down_though_it_should_run_is_found(services: Path) -> None:
    """Exit 1; the pid in IndiMail's status is supervise's, so it is not shown as the service's."""
    result = run("status", "--json", services / "indimail")
    (row,) = json.loads(result.output)
    assert (result.exit_code, row["up"], row["pid"], row["flavour"]) == (1, False, None, "IndiMail 21 bytes")


def test_service_without_a_supervise_is_unknown(services: Path) -> None:
    """Whether it runs is not guessed: null, and exit 1."""
    result = run("status", "--json", services / "idle")
    (row,) = json.loads(result.output)
    assert (result.exit_code, row["up"], row["want"]) == (1, None, None)


def test_one_bad_directory_does_not_hide_the_others(services: Path) -> None:
    """Every directory has its row; exit 3 says that one could not be read."""
    result = run("status", services / "debian", services / "none", services / "idle")
    assert result.exit_code == 3
    assert "✓" in result.output
    assert "expected a service directory" in result.output
    assert "no supervise runs here" in result.output


def test_svstat_prints_the_line_of_each_ones_own_program(services: Path) -> None:
    """Debian's form for 18 octets, IndiMail's for 21."""
    result = run("status", "--svstat", services / "debian", services / "indimail", services / "none")
    assert f"{services}/debian: up (pid 4711) " in result.output
    assert " seconds spid 4711 \n" in result.output
    assert f"{services}/none: expected a service directory" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_length_of_time_is_told_in_its_largest_unit(seconds: int, text: str) -> None:
    """Both sides of a limit."""
    from indimail_kit.cli.service import _span

    assert _span(seconds) == text


def test_hostile_name_is_shown_harmless(tmp_path: Path) -> None:
    """Escape sequences in a directory's name do not reach the terminal."""
    directory = tmp_path / "\x1b[2J"
    ends = make_service(directory)
    for words in ((), ("--svstat",)):
        assert "\x1b[2J" not in run("status", *words, directory).output
    for end in ends:
        os.close(end)
