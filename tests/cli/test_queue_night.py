"""``queue overview``, ``queue stuck`` and ``queue scan``: what an administrator asks at night."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import create_queue
from indimail_kit.qhpsi import eicar

RECORDED = Path(__file__).parents[1] / "data" / "indimail"
LOG = RECORDED / "logs" / "send-single-queue1.tai64n.log.gz"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a recorded queue, and let the clock stand at its moment."""
    monkeypatch.setattr("time.time_ns", lambda: 1_795_356_350 * 10**9)
    with tarfile.open(RECORDED / "queue" / "s5-deferred-and-bounce-queue1.tar") as archive:
        archive.extractall(tmp_path, filter="fully_trusted")  # noqa: S202 (our own recordings)
    return tmp_path / "queue1"


def run(*words: str | Path) -> Result:
    """Run a verb of the group."""
    return CliRunner().invoke(main, ["queue", *map(str, words)])


def test_overview_gives_a_row_for_each_queue(tmp_path: Path) -> None:
    """The same numbers for people and for programs."""
    make_queue(tmp_path / "queue1", messages=12, split=5)
    create_queue(tmp_path / "queue2", split=5)
    rows = json.loads(run("overview", "--queue", tmp_path, "--json").stdout)
    done = run("overview", "--queue", tmp_path)

    assert [(row["queue"], row["messages"], row["holder_pid"]) for row in rows] == [
        ("queue1", 12, None),
        ("queue2", 0, None),
    ]
    assert (done.exit_code, "not running" in done.stdout, "12 messages in 2 queues" in done.stderr) == (
        0,
        True,
        True,
    )


def test_stuck_tells_the_reasons_of_a_recorded_queue(tree: Path) -> None:
    """By reason, and recipient by recipient."""
    by_reason = json.loads(run("stuck", "--queue", tree, "--split", "151", "--log", LOG, "--json").stdout)
    each = json.loads(run("stuck", "--queue", tree, "--split", "151", "--log", LOG, "--each", "--json").stdout)

    assert [(row["recipients"], row["messages"], row["is_known"]) for row in by_reason] == [(2, 2, True)] * 2
    assert [(row["address"], row["text"]) for row in each if row["channel"] == "local"] == [
        ("defer@local.test", "temporary trouble/")
    ] * 2


def test_stuck_is_readable(tree: Path) -> None:
    """Reasons on standard output, the sum on standard error."""
    words = ("stuck", "--queue", tree, "--split", "151", "--log", LOG)
    done, each = run(*words), run(*words, "--each")

    assert ("temporary trouble/" in done.stdout, "4 recipients waiting, the reason of 4 is known" in done.stderr) == (
        True,
        True,
    )
    assert each.stdout.count("grey1@remote.test") >= 2


def test_stuck_without_a_log_says_what_is_missing(tree: Path) -> None:
    """No reason is made up."""
    done = run("stuck", "--queue", tree, "--split", "151")

    assert ("no reason known: no log was given" in done.stdout, "give --log" in done.stderr) == (True, True)


@pytest.mark.parametrize(("octets", "word", "code"), [(b"\nhi\n", "CLEAN", 0), (b"\n" + eicar(), "INFECTED", 1)])
def test_scan_says_the_verdict_of_a_message_by_its_number(tmp_path: Path, octets: bytes, word: str, code: int) -> None:
    """In the base's queue that has it; the exit code says whether it is infected."""
    create_queue(tmp_path / "queue1", split=3)
    layout = create_queue(tmp_path / "queue2", split=3)
    new = layout.directory / "pid" / "new"
    new.write_bytes(octets)
    number = new.stat().st_ino
    new.rename(layout.path("mess", number))
    layout.path("info", number).write_bytes(b"Fann@example.com\0")
    done = run("scan", str(number), "--queue", tmp_path, "--scanner", "embedded")
    rows = json.loads(run("scan", str(number), "--queue", tmp_path, "--scanner", "embedded", "--json").stdout)

    assert (done.exit_code, word in done.stdout) == (code, True)
    assert [(row["path"], row["verdict"], row["has_left"]) for row in rows] == [
        (f"queue2/mess/{number % 3}/{number}", word, False)
    ]


def test_scan_of_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A sentence and exit code 3."""
    create_queue(tmp_path / "queue1", split=3)
    done = run("scan", "5", "--queue", tmp_path, "--scanner", "embedded")

    assert (done.exit_code, "no message 5" in done.stderr) == (3, True)
