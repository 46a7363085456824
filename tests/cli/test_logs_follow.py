"""``logs follow``: what it prints, for people and for programs, and where it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main

LINES = b"@400000004b9da2f03b424bb4 new msg 660188\n@400000004b9da2f106a1e234 delivery 6: success: did_1+0+0/\n"


def run(*words: str | Path) -> Result:
    """Run a verb of the group."""
    return CliRunner().invoke(main, ["logs", *map(str, words)])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a directory with a log of two lines."""
    directory = tmp_path / "log"
    directory.mkdir()
    (directory / "current").write_bytes(LINES)
    return directory


def test_a_program_gets_one_object_a_line(log: Path) -> None:
    """The columns of the table of events that the line fills."""
    done = run("follow", log, "--all", "--once", "--json")
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.exit_code == 0
    assert first == {
        "time": "2010-03-15T03:00:54.994200500Z", "kind": "new_msg", "program": "qmail-send", "queue": "", "run": 0,
        "message_number": 660188, "text": "new msg 660188", "label_kind": "tai64n", "file": str(log / "current"),
        "line_number": 1, "byte_offset": 0, "line_bytes": 40, "is_whole": True,
    }  # fmt: skip
    assert (second["delivery_number"], second["outcome"], second["report"]) == (6, "success", "did_1+0+0/")


def test_a_person_gets_time_kind_and_text(log: Path) -> None:
    """What a line holds cannot steer the terminal."""
    (log / "current").write_bytes(LINES[:41] + b"\x1b[31mred\n")
    done = run("follow", log, "--all", "--once")
    assert done.stdout.splitlines() == [
        "2010-03-15 03:00:54.994  new_msg             new msg 660188",
        f"{'':23}  unknown             \\x1b[31mred",
    ]


def test_without_all_only_what_comes_from_now_on_is_shown(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line comes while it waits; Ctrl-C is no fault."""

    def sleep(_seconds: float) -> None:
        if (log / "current").stat().st_size > len(LINES):
            raise KeyboardInterrupt
        with (log / "current").open("ab") as file:
            file.write(b"end msg 660188\n")

    monkeypatch.setattr("time.sleep", sleep)
    done = run("follow", log, "--json")
    assert [json.loads(line)["kind"] for line in done.stdout.splitlines()] == ["end_msg"]
    assert done.exit_code == 0


def test_a_position_goes_on_there_and_says_what_is_lost(log: Path, tmp_path: Path) -> None:
    """Three runs: everything, what is new, and a file that is gone."""
    where = tmp_path / "position"
    words = ("follow", log, "--all", "--once", "--json", "--position", where)
    assert len(run(*words).stdout.splitlines()) == 2
    with (log / "current").open("ab") as file:
        file.write(b"new msg 2\n")
    assert [json.loads(line)["text"] for line in run(*words).stdout.splitlines()] == ["new msg 2"]
    (log / "current").write_bytes(b"new msg 3\n" * 20)
    lost, *rest = map(json.loads, run(*words).stdout.splitlines())
    assert (lost["notice"], len(rest)) == ("lost", 20)


def test_a_loss_is_said_to_a_person_on_standard_error(log: Path, tmp_path: Path) -> None:
    """The log's own lines stay alone on standard output."""
    where = tmp_path / "position"
    run("follow", log, "--all", "--once", "--position", where)
    (log / "current").write_bytes(b"new msg 3\n" * 20)
    done = run("follow", log, "--all", "--once", "--position", where)
    assert "the file in which to go on is gone" in done.stderr
    assert len(done.stdout.splitlines()) == 20


def test_a_wrong_position_file_is_a_sentence(log: Path, tmp_path: Path) -> None:
    """Nothing is guessed, and nothing is overwritten."""
    (tmp_path / "position").write_text("shopping list")
    done = run("follow", log, "--position", tmp_path / "position")
    assert done.exit_code == 3
    assert "expected a position in a log" in done.stderr
    assert (tmp_path / "position").read_text() == "shopping list"


def test_a_directory_without_a_log_is_said_so(tmp_path: Path) -> None:
    """Who mistook the directory does not wait for ever in silence."""
    done = run("follow", tmp_path, "--once")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no log of multilog's (current or @*.s)" in done.stderr
