"""``logs matchup`` and ``logs events``: what they write, and what they say when they cannot."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main
from indimail_kit.logs import read
from indimail_kit.tables import schemas

LOGS = Path(__file__).parents[1] / "data" / "indimail" / "logs"
LOG = LOGS / "send-for-smtpd.tai64n.log.gz"
PROGRAM = [sys.executable, "-m", "indimail_kit", "logs", "matchup"]


def run(*words: str | Path) -> Result:
    """Run a verb of the group."""
    return CliRunner().invoke(main, ["logs", *map(str, words)])


def test_matchup_prints_what_the_real_one_prints(tmp_path: Path) -> None:
    """And what is still open goes where it is asked for."""
    result = run("matchup", LOG, "--pending-out", tmp_path / "pending")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes == gzip.decompress((LOGS / "send-for-smtpd.matchup.gz").read_bytes())
    assert (tmp_path / "pending").read_bytes() == (LOGS / "send-for-smtpd.matchup-pending").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["pending"]


def test_matchup_goes_on_with_what_was_left_over(tmp_path: Path) -> None:
    """Two files, two runs, the rows of one."""
    lines = gzip.decompress(LOG.read_bytes()).splitlines(keepends=True)
    for name, part in (("a", lines[:80]), ("b", lines[80:])):
        (tmp_path / name).write_bytes(b"".join(part))
    first = run("matchup", tmp_path / "a", "--pending-out", tmp_path / "p").stdout_bytes
    second = run("matchup", "--pending-in", tmp_path / "p", tmp_path / "b").stdout_bytes
    assert first + second == gzip.decompress((LOGS / "send-for-smtpd.matchup.gz").read_bytes())


def test_matchup_reads_standard_input_and_writes_descriptor_5(tmp_path: Path) -> None:
    """Used as matchup is used: `matchup <log 5>pending`."""
    (tmp_path / "log").write_bytes(gzip.decompress(LOG.read_bytes()))
    command = ["/bin/sh", "-c", '"$@" --fd5 <log 5>pending', "sh", *PROGRAM]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == gzip.decompress((LOGS / "send-for-smtpd.matchup.gz").read_bytes())
    assert (tmp_path / "pending").read_bytes() == (LOGS / "send-for-smtpd.matchup-pending").read_bytes()


@pytest.mark.parametrize("verb", ["events", "report", "redact", "matchup"])
def test_a_dash_is_standard_input(verb: str) -> None:
    """`zcat old.gz | indimail-kit logs … -`, as all verbs have it."""
    command = [*PROGRAM[:-1], verb, "-"]
    result = subprocess.run(command, input=b"new msg 5 queue1\nwhat?\n", capture_output=True, timeout=60, check=False)
    assert (result.returncode, b"Traceback" in result.stderr) == (0, False)
    assert result.stdout


@pytest.mark.parametrize("table", ["events", "deliveries", "messages"])
def test_rows_of_csv_and_json_are_those_of_the_table(table: str) -> None:
    """The same rows, in the order of the lines for events, of their ends for the others."""
    frame = getattr(read(LOG), table)
    rows = list(csv.DictReader(io.StringIO(run("events", LOG, "--table", table).stdout)))
    objects = [
        json.loads(line) for line in run("events", LOG, "--table", table, "--format", "json").stdout.splitlines()
    ]
    shape = getattr(schemas, table.upper())
    assert list(rows[0]) == list(objects[0]) == list(shape.names)
    assert len(rows) == len(objects) == len(frame)
    for name in ("queue", "message_number"):
        said = sorted("" if value is None else str(value) for value in (one[name] for one in objects))
        assert sorted(row[name] for row in rows) == said
    assert [one["queue"] for one in objects] == frame["queue"].tolist() or table != "events"


def test_an_empty_log_gives_a_head_line(tmp_path: Path) -> None:
    """A program that reads it finds its columns."""
    (tmp_path / "log").write_bytes(b"")
    assert run("events", tmp_path / "log").stdout == ",".join(schemas.EVENTS.names) + "\n"


def test_parquet_goes_to_a_file_only(tmp_path: Path) -> None:
    """Wrong use is said at once."""
    assert run("events", LOG, "--format", "parquet").exit_code == 2


def test_a_truncated_log_is_said_after_what_could_be_read(tmp_path: Path) -> None:
    """The rows stand, the exit code is 3, and there is no traceback."""
    path = tmp_path / "log.gz"
    path.write_bytes(LOG.read_bytes()[:-200])
    result = run("matchup", path)
    assert result.exit_code == 3
    assert result.stdout_bytes.startswith(b"? @4000")
    assert "expected a whole gzip file" in result.stderr


def test_a_missing_log_is_one_sentence(tmp_path: Path) -> None:
    """The system's own words say which file."""
    result = run("matchup", tmp_path / "nothing")
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert "nothing" in result.stderr
