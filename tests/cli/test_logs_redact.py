"""``logs redact``: what it writes, and what it does with its key."""

from __future__ import annotations

import gzip
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main

LINES = (
    b"@400000004b9da2f03b424bb4 info msg 660188: bytes 9 from <ann@example.com> qp 3223 uid 555\n"
    b"@400000004b9da2f106a1e234 starting delivery 6: msg 660188 to local ann@example.com\n"
    b"who is ann?\n"
)


def run(*words: str | Path) -> Result:
    """Run the verb."""
    return CliRunner().invoke(main, ["logs", "redact", *map(str, words)])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log of three lines, one of which nobody understands."""
    path = tmp_path / "log"
    path.write_bytes(LINES)
    return path


def test_the_log_goes_to_standard_output_and_the_count_to_standard_error(log: Path) -> None:
    """Names are gone, the same name is the same, and an unknown line is a length."""
    done = run(log)
    first, second, third = done.stdout_bytes.splitlines()
    assert done.exit_code == 0
    assert b"ann" not in done.stdout_bytes
    assert first.partition(b"<")[2].partition(b">")[0] == second.rpartition(b" ")[2]
    assert third == b"redacted: 11 octets"
    assert done.stderr.startswith("3 lines redacted; of 1 only the length is told")


def test_a_key_file_gives_the_same_names_again(log: Path, tmp_path: Path) -> None:
    """It is made for its owner alone; without one every run has its own names."""
    key = tmp_path / "key"
    first, second = run(log, "--key-file", key), run(log, "--key-file", key)
    assert first.stdout_bytes == second.stdout_bytes != run(log).stdout_bytes
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text().strip() not in first.output


def test_a_key_that_can_be_guessed_is_refused(log: Path, tmp_path: Path) -> None:
    """An empty file is no key."""
    (tmp_path / "key").write_bytes(b"\n")
    done = run(log, "--key-file", tmp_path / "key")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "a key of at least 16 octets" in done.stderr


def test_times_move_by_days(log: Path) -> None:
    """All by the same."""
    assert run(log, "--shift-days", "1").stdout_bytes.startswith(b"@400000004b9ef4703b424bb4 info msg 660188")


def test_several_logs_are_one(log: Path, tmp_path: Path) -> None:
    """Compressed ones and directories of multilog's too."""
    (tmp_path / "old.gz").write_bytes(gzip.compress(LINES))
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "current").write_bytes(LINES)
    assert len(run(tmp_path / "old.gz", tmp_path / "dir", log).stdout_bytes.splitlines()) == 9


def test_standard_input_is_read_through_a_pipe(log: Path) -> None:
    """As in a pipeline."""
    command = [sys.executable, "-m", "indimail_kit", "logs", "redact", "-"]
    done = subprocess.run(command, input=LINES, capture_output=True, timeout=60, check=True)
    assert len(done.stdout.splitlines()) == 3


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    """Exit code 3, and which file."""
    done = run(tmp_path / "nothing")
    assert done.exit_code == 3
    assert "nothing: No such file or directory" in done.stderr
