"""``queue list``, ``queue show`` and ``queue shape``: what they print, for people and for programs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main
from indimail_kit.cli import queue_list as list_module
from indimail_kit.lab.corpus import DemoQueue, make_queue
from indimail_kit.mailqueue import QueueState, create_queue, open_queues
from indimail_kit.mailqueue.walk import Walk
from indimail_kit.tables import as_text

NOVEMBER_S = 1_795_356_840
"""Sun, 22 Nov 2026 14:14:00 UTC."""


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No queue of this machine has a say."""
    for name in ("QUEUEDIR", "QUEUE_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DemoQueue:
    """Return a small queue with two faults, and let the clock stand at its moment."""
    monkeypatch.setattr("time.time_ns", lambda: NOVEMBER_S * 10**9)
    faults = ["time-in-the-future", "wrong-mode"]
    return make_queue(tmp_path / "queue1", messages=40, split=5, seed=3, now_s=NOVEMBER_S, faults=faults)


def run(*words: str | Path, **environ: str) -> Result:
    """Run a verb of the group."""
    return CliRunner().invoke(main, ["queue", *map(str, words)], env=environ)


# --- list -------------------------------------------------------------------------------------------------------------


def test_list_gives_programs_one_object_for_each_message(demo: DemoQueue, tmp_path: Path) -> None:
    """The keys and values of the contract."""
    done = run("list", "--queue", tmp_path, "--json")
    rows = {row["message_number"]: row for row in json.loads(done.stdout)}
    expected: dict[int, dict[str, Any]] = {}
    for row in open_queues(tmp_path).snapshot(now_ns=NOVEMBER_S * 10**9).messages:
        expected[row.message_number] = {
            "queue": "queue1",
            "message_number": row.message_number,
            "state": row.state and row.state.name,
            "split_directory": row.message_number % 5,
            "size_bytes": row.size_bytes,
            "sender": as_text(row.sender),
            "birth": list_module.iso(row.birth_ns),
            "age_s": row.age_s,
            "bouncing": row.is_bouncing,
            "recipients": [
                {
                    "channel": one.channel,
                    "address": as_text(one.address),
                    "done": one.is_done,
                    "next_retry": None if one.is_done else list_module.iso(one.next_retry_ns),
                }
                for one in row.recipients
            ],
            "anomalies": [one.text for one in row.anomalies],
        }
    assert (done.exit_code, rows) == (0, expected)
    assert sum(bool(row["anomalies"]) for row in rows.values()) == 2


def test_list_gives_people_one_line_for_each_message(demo: DemoQueue) -> None:
    """Under a head, with what is wrong below its message, and the sum on standard error."""
    done = run("list", "--queue", demo.layout.directory)
    head, *lines = done.stdout.splitlines()
    messages = [line for line in lines if not line.startswith("         !")]
    assert (done.exit_code, head.split()[:3], len(messages)) == (0, ["queue", "message", "state"], 40)
    number = demo.faults["wrong-mode"]
    (place,) = [index for index, line in enumerate(lines) if f" {number} ! S5" in line]
    assert lines[place + 1].strip() == f"! info/{number % 5}/{number} has mode 666, not 600"
    assert done.stderr.splitlines()[-1].startswith("40 messages in 1 queue, 2 things wrong:")


def test_line_of_a_message_says_who_waits_and_for_how_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Size, age, how many are to do, the next retry, sender and the first one who waits."""
    queue = make_queue(tmp_path / "queue1", messages=4, split=1, seed=3, now_s=NOVEMBER_S)
    number = next(row.message_number for row in open_queues(tmp_path).snapshot().messages if row.state is QueueState.S5)
    birth, retry = NOVEMBER_S - 7200, NOVEMBER_S + 60
    for kind, octets, mtime in (
        ("mess", b"x" * 2048, birth),
        ("info", b"Fann@example.com\0", birth),
        ("local", b"Dcarl@local.test\0Tbob@local.test\0Teve@local.test\0", retry),
        ("remote", b"", retry),
        ("bounce", b"<carl@local.test>:\nno\n\n", birth),
    ):
        path = queue.layout.path(kind, number)
        path.write_bytes(octets)
        path.chmod(0o644 if kind == "mess" else 0o600)
        os.utime(path, (mtime, mtime))
    monkeypatch.setattr("time.time_ns", lambda: NOVEMBER_S * 10**9)
    (line,) = [line for line in run("list", "--queue", tmp_path).stdout.splitlines() if f" {number} " in line]
    shown = " ".join(line.split()[2:])
    assert shown == "B S5 2.0K 2 h 2 of 3 60 s <ann@example.com> → <bob@local.test> and 1 more"


def test_rows_are_printed_before_the_next_directory_is_looked_at(
    demo: DemoQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the rest takes: here it fails, and what was seen is there."""
    looked: list[int] = []
    real_part = Walk.part

    def part_or_failure(walk: Walk, number: int) -> Any:
        if looked:
            raise OSError(5, "Input/output error")
        looked.append(number)
        return real_part(walk, number)

    monkeypatch.setattr(Walk, "part", part_or_failure)
    done = run("list", "--queue", demo.layout.directory)
    first = [number for number in demo.numbers if number % 5 == 0]
    assert done.exit_code == 3
    assert all(f" {number} " in done.stdout for number in first)


def test_list_of_an_empty_queue_is_an_empty_list(tmp_path: Path) -> None:
    """And no error."""
    create_queue(tmp_path / "queue1", split=2)
    done = run("list", "--queue", tmp_path, "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])


def test_hostile_address_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """An escape sequence and a change of direction in sender and recipient are written out."""
    queue = make_queue(tmp_path / "queue1", messages=4, split=1, now_s=NOVEMBER_S)
    number = next(row.message_number for row in open_queues(tmp_path).snapshot().messages if row.state is QueueState.S5)
    for kind, letter in (("info", b"F"), ("local", b"T")):
        path = queue.layout.path(kind, number)
        path.write_bytes(letter + b"\x1b[2J\xe2\x80\xae\xff@example.com\0")
        path.chmod(0o600)
    for words in (("list",), ("show", str(number))):
        done = run(*words, "--queue", tmp_path)
        assert "\x1b" not in done.stdout + done.stderr
        assert "\u202e" not in done.stdout
        assert "\\x1b[2J<U+202E>\\xff@example.com" in done.stdout


@pytest.mark.parametrize("verb", [("list",), ("show", "4711"), ("shape",)], ids=lambda words: words[0])
@pytest.mark.parametrize("name", ["QUEUEDIR", "QUEUE_BASE"])
def test_queue_is_that_of_the_environment_when_none_is_given(tmp_path: Path, verb: tuple[str, ...], name: str) -> None:
    """And a place without a queue is said, with its path."""
    missing = run(*verb, **{name: str(tmp_path)})
    assert (missing.exit_code, f"no queue at {tmp_path}" in missing.stderr) == (3, True)


def test_queue_that_cannot_be_looked_at_hides_no_other(tmp_path: Path) -> None:
    """It is named, with the reason."""
    make_queue(tmp_path / "queue1", messages=4, split=2, now_s=NOVEMBER_S)
    (tmp_path / "queue2" / "mess").mkdir(parents=True)
    done = run("list", "--queue", tmp_path, "--json")
    assert (len(json.loads(done.stdout)), "queue2 is left out: mess without" in done.stderr) == (4, True)


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("shape",), ("shape", "--json")], ids=" ".join)
def test_part_of_a_queue_that_cannot_be_looked_at_is_said(
    demo: DemoQueue, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """What could be is shown, and the exit code is that of a failure: a short list must not look like a short queue."""
    info = demo.layout.directory / "info"
    info.rename(tmp_path / "elsewhere")
    info.symlink_to(tmp_path / "elsewhere")
    done = run(*words, "--queue", demo.layout.directory)
    assert done.exit_code == 3
    assert "queue1: info cannot be read: " in done.stderr
    assert done.stdout.strip() != ""


def test_split_of_a_person_wins(demo: DemoQueue) -> None:
    """Half of the messages are then in the wrong place, and are told as such."""
    done = run("list", "--queue", demo.layout.directory, "--split", "3")
    assert "wrong" in done.stderr


# --- show -------------------------------------------------------------------------------------------------------------


def test_show_tells_programs_all_of_a_message(demo: DemoQueue) -> None:
    """Files with inode, links, mode and times; records; header; what is wrong and why."""
    number = demo.faults["wrong-mode"]
    shown = json.loads(run("show", str(number), "--queue", demo.layout.directory, "--json").stdout)
    info = demo.layout.path("info", number)
    (file,) = [file for file in shown["files"] if file["kind"] == "info"]
    assert (shown["queue"], shown["message_number"], shown["state"], shown["meaning"]) == (
        "queue1",
        number,
        "S5",
        "preprocessed",
    )
    assert (file["path"], file["inode"], file["links"], file["mode"]) == (str(info), info.stat().st_ino, 1, "0666")
    assert [record[0] for record in file["records"]][:1] == ["F"]
    assert shown["header"][0].startswith("Received: indimail-mta queue ")
    assert [anomaly["rule"] for anomaly in shown["anomalies"]] == ["wrong-mode"]


def test_show_tells_people_all_of_a_message(demo: DemoQueue) -> None:
    """Each block has its name, and a record what its letter means."""
    number = demo.faults["wrong-mode"]
    text = run("show", str(number), "--queue", demo.layout.directory).stdout
    assert text.startswith(f"message {number} in queue1\n  state  S5: preprocessed\n")
    for part in ("\ninfo\n  F  sender ", "\nheader\n  Received: ", f"\n! info/{number % 5}/{number} has mode 666"):
        assert part in text


def test_show_reads_the_list_of_recipients_to_its_end(tmp_path: Path) -> None:
    """A mailing list has thousands; none of them is cut off, and none is told as odd."""
    queue = make_queue(tmp_path / "queue1", messages=4, split=1, seed=3)
    number = next(row.message_number for row in open_queues(tmp_path).snapshot().messages if row.state is QueueState.S5)
    path = queue.layout.path("local", number)
    path.write_bytes(b"".join(b"Tuser%05d@example.com\0" % one for one in range(5000)))
    path.chmod(0o600)
    shown = json.loads(run("show", str(number), "--queue", tmp_path, "--json").stdout)
    (local,) = [file for file in shown["files"] if file["kind"] == "local"]
    assert (len(local["records"]), local["is_truncated"], shown["anomalies"]) == (5000, False, [])


def test_show_says_when_a_message_is_not_there(demo: DemoQueue) -> None:
    """With the queues that were looked through."""
    done = run("show", "9", "--queue", demo.layout.directory)
    assert (done.exit_code, done.stderr) == (3, "indimail-kit: message 9 is not in queue1\n")


@pytest.mark.parametrize(
    "number", ["0", "007", "+7", "1_0", "../../etc/passwd", "²", " 7", "18446744073709551616"], ids=repr
)
def test_queue_number_cannot_leave_the_queue(demo: DemoQueue, number: str) -> None:
    """Digits without a leading zero, below 2**64; anything else is wrong usage."""
    done = run("show", number, "--queue", demo.layout.directory)
    assert (done.exit_code, "is no message number" in done.stderr) == (2, True)


# --- shape ------------------------------------------------------------------------------------------------------------


def test_shape_gives_programs_buckets_and_counts(demo: DemoQueue) -> None:
    """One bucket more than limits; the totals are the sums."""
    shape = json.loads(run("shape", "--queue", demo.layout.directory, "--json").stdout)
    waiting = sum(
        not one.is_done for row in open_queues(demo.layout.directory).snapshot().messages for one in row.recipients
    )
    assert shape["buckets_min"] == [5, 10, 20, 40, 80, 160, 320, 640, 1280]
    assert {len(row["counts"]) for row in shape["rows"]} == {10}
    assert all(sum(row["counts"]) == row["total"] for row in shape["rows"])
    assert sum(row["total"] for row in shape["rows"]) == waiting


def test_shape_gives_people_a_table_with_the_sum_on_top(demo: DemoQueue) -> None:
    """Then the domain with the most; bounces have none."""
    lines = run("shape", "--queue", demo.layout.directory, "--by", "sender").stdout.splitlines()
    assert lines[0].split() == ["domain", "total", *["5", "10", "20", "40", "80", "160", "320", "640", "1280", "1280+"]]
    assert lines[2].split()[0] == "all"


def test_shape_of_an_empty_queue_has_no_rows(tmp_path: Path) -> None:
    """And no error, for people and for programs."""
    create_queue(tmp_path / "queue1", split=2)
    assert json.loads(run("shape", "--queue", tmp_path, "--json").stdout)["rows"] == []
    assert run("shape", "--queue", tmp_path).exit_code == 0
