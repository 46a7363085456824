"""``doctor`` with a mail host: what it prints and answers, and which parts its options choose."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main
from indimail_kit.lab import Lab
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue.layout import create_queue


@pytest.fixture(autouse=True)
def roomy_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the disk is free, whatever it is on the machine that runs the tests."""
    half = os.statvfs_result((4096, 4096, 2**24, 2**23, 2**23, 2**20, 2**19, 2**19, 0, 255, 0))
    monkeypatch.setattr(os, "statvfs", lambda _place: half)


def run(*words: str | Path) -> Result:
    """Run the verb in this process."""
    return CliRunner().invoke(main, ["doctor", *map(str, words)])


def test_lab_that_runs_is_fine(tmp_path: Path) -> None:
    """``--lab`` names all its parts; exit 0, and the text begins with the good news."""
    with Lab(seed=1, scanner="embedded", directory=tmp_path, queue_count=1) as lab:
        lab.send()
        result = run("--lab", tmp_path)

    assert result.exit_code == 0
    assert result.stdout.startswith("Nothing is wrong with what was looked at.\n✓ fine:")
    assert "  me: mx.example.com\n" in result.stdout


def test_part_that_is_named_goes_before_that_of_the_lab(tmp_path: Path) -> None:
    """A queue of one's own with the lab's other directories."""
    create_queue(tmp_path / "mine" / "queue1", split=3)
    document = json.loads(run("--lab", tmp_path, "--queue", tmp_path / "mine", "--json").stdout)

    assert any(one["text"].startswith(f"{tmp_path}/mine: queue1") for one in document["host"]["configured"])


def test_broken_queue_is_exit_1_with_what_to_do(tmp_path: Path) -> None:
    """Sign, word, sentence, reason, command, lesson; nothing of this machine's packages."""
    made = make_queue(tmp_path / "queue1", messages=20, split=7, faults=["inode-differs"])
    result = run("--queue", tmp_path)

    assert result.exit_code == 1
    assert "✕ now: inode-differs: " in result.stdout
    assert f"  → indimail-kit queue repair --queue {made.layout.directory}\n" in result.stdout
    assert ("  lesson 03_queue.ipynb\n" in result.stdout, "pandas" in result.stdout) == (True, False)


def test_document_has_the_keys_of_the_contract(tmp_path: Path) -> None:
    """One JSON document; every finding with urgency, reason, commands and lesson."""
    make_queue(tmp_path / "queue1", messages=20, split=7, faults=["wrong-split"])
    document = json.loads(run("--queue", tmp_path, "--json").stdout)

    assert set(document) == {"ok", "host"}
    assert set(document["host"]) == {"ok", "findings", "configured", "running", "fine"}
    assert {frozenset(one) for one in document["host"]["findings"]} == {
        frozenset({"urgency", "key", "area", "subject", "text", "why", "look", "lesson"})
    }
    assert document["ok"] is False


def test_part_that_is_not_there_is_exit_3(tmp_path: Path) -> None:
    """Nobody can say that it is well; the sentence names the place."""
    result = run("--queue", tmp_path / "none")

    assert result.exit_code == 3
    assert f"? unknown: no queue at {tmp_path}/none" in result.stdout


@pytest.mark.parametrize("option", ["--queue", "--service", "--control", "--log", "--clamd", "--lab"])
def test_each_part_that_is_missing_is_a_sentence(tmp_path: Path, option: str) -> None:
    """No option ends in a traceback, whatever it names."""
    result = run(option, tmp_path / "none")

    assert (result.exit_code in (1, 3), f"{tmp_path}/none" in result.output) == (True, True)
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_host_of_this_machine_is_examined_beside_the_lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where IndiMail's queue is, ``doctor`` alone tells of it too; where nothing is, the document says null."""
    make_queue(tmp_path / "queue1", messages=5, split=7)
    monkeypatch.setenv("CONTROLDIR", str(tmp_path / "none"))
    monkeypatch.setenv("QUEUE_BASE", str(tmp_path))
    there = json.loads(run("--json").stdout)
    monkeypatch.setenv("QUEUE_BASE", str(tmp_path / "none"))
    nowhere = json.loads(run("--json").stdout)

    assert [one["key"] for one in there["host"]["findings"]][:1] == ["nobody-delivers"]
    assert (set(there) == set(nowhere), nowhere["host"]) == (True, None)


def test_text_for_this_machine_has_its_host_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the parts and the lessons, then the mail host; exit 1, for the host has a fault."""
    make_queue(tmp_path / "queue1", messages=5, split=7)
    monkeypatch.setenv("CONTROLDIR", str(tmp_path / "none"))
    monkeypatch.setenv("QUEUE_BASE", str(tmp_path))
    result = run()

    assert result.exit_code == 1
    assert result.stdout.index("00_start_here.ipynb") < result.stdout.index("✕ now: 5 messages in queue1")


def test_lesson_that_cannot_run_is_exit_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark stands before the lesson, with what it needs."""
    monkeypatch.setenv("CONTROLDIR", str(tmp_path / "none"))
    monkeypatch.setenv("QUEUE_BASE", str(tmp_path / "none"))
    monkeypatch.setattr("indimail_kit.lab.doctor.find_clamd", lambda: None)
    result = run()

    assert (result.exit_code, " ✕ 02_qhpsi.ipynb: needs clamd" in result.stdout) == (3, True)
