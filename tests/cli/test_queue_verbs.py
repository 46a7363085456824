"""``queue create`` and ``queue inject``: what they make, say and answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main
from indimail_kit.mailqueue import detect_layout, list_messages, read_message


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's mail has a say."""
    for name in ("QUEUEDIR", "QUEUE_BASE", "QUEUE_COUNT", "QUEUE_START", "QHPSI", "REJECTVIRUS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CONTROLDIR", "/nonexistent")


def run(*words: str | Path, text: bytes = b"Subject: hi\n\nbody\n", **environ: str) -> Result:
    """Run a verb of the group."""
    return CliRunner().invoke(main, ["queue", *map(str, words)], input=text, env=environ)


@pytest.mark.parametrize(
    ("options", "split", "has_bigtodo"),
    [((), 151, True), (("--split", "23", "--no-bigtodo"), 23, False)],
    ids=["IndiMail", "qmail"],
)
def test_create_makes_the_queue_of_either_program(
    tmp_path: Path, options: tuple[str, ...], split: int, has_bigtodo: bool
) -> None:
    """The shape is found again from the directories, and the second time changes nothing."""
    first, second = (run("create", tmp_path / "queue1", *options, "--json") for _ in range(2))
    layout = detect_layout(tmp_path / "queue1")
    assert (first.exit_code, second.exit_code, json.loads(first.stdout)) == (
        0,
        0,
        {"queue": str(tmp_path / "queue1"), "split": split},
    )
    assert (layout.split, layout.has_bigtodo) == (split, has_bigtodo)


def test_create_refuses_a_queue_of_another_shape(tmp_path: Path) -> None:
    """More sub-directories beside the old ones would make a queue in which half of the mail is not found."""
    run("create", tmp_path / "queue1", "--split", "5")
    again = run("create", tmp_path / "queue1", "--split", "7")
    assert (again.exit_code, "split 5, with bigtodo" in again.stderr, detect_layout(tmp_path / "queue1").split) == (
        3,
        True,
        5,
    )


def test_create_refuses_a_directory_that_is_something_else(tmp_path: Path) -> None:
    """Somebody's home does not become a queue by a slip of the hand."""
    (tmp_path / "letters").mkdir()
    refused = run("create", tmp_path)
    assert (refused.exit_code, sorted(path.name for path in tmp_path.iterdir())) == (3, ["letters"])


@pytest.mark.parametrize("place", ["queues", "queues/queue1"], ids=["base", "queue"])
def test_inject_queues_a_message(tmp_path: Path, place: str) -> None:
    """In a queue, or in one of those below a base."""
    run("create", tmp_path / "queues" / "queue1", "--split", "3")
    words = ("--sender", "ann@local.test", "--recipient", "bob@local.test", "--recipient", "eve@local.test")
    done = run("inject", *words, "--queue", tmp_path / place, "--json")
    layout = detect_layout(tmp_path / "queues" / "queue1")
    (number,) = list_messages(layout)
    todo = read_message(layout, number).file("todo")
    assert (done.exit_code, json.loads(done.stdout)) == (
        0,
        {"exit_code": 0, "name": "ok", "reply": "250 ok", "queue": "queue1", "message_number": number},
    )
    assert todo is not None
    assert todo.content.endswith(b"\0Fann@local.test\0Tbob@local.test\0Teve@local.test\0")


@pytest.mark.parametrize(
    ("environ", "exit_code", "name"),
    [
        ({"QHPSI": "/bin/false %s", "REJECTVIRUS": "1"}, 1, "virus"),
        ({"QHPSI": "/no/such"}, 3, "QHPSI scanner"),
        ({"QUEUEDIR": "/nonexistent"}, 3, "chdir to queue"),
    ],
)
def test_inject_says_why_a_message_is_not_queued(
    tmp_path: Path, environ: dict[str, str], exit_code: int, name: str
) -> None:
    """Exit code 1 for good, 3 for now; the name and the reply of qmail-queue's own exit code."""
    run("create", tmp_path / "queue1", "--split", "3")
    environ = {"QUEUEDIR": str(tmp_path / "queue1")} | environ
    done = run("inject", "--sender", "", "--recipient", "b@x", "--json", **environ)
    document = json.loads(done.stdout)
    assert (done.exit_code, document["name"], document["queue"]) == (exit_code, name, None)


def test_inject_tells_a_person_too(tmp_path: Path) -> None:
    """Label and value; the reason of a refusal."""
    run("create", tmp_path / "queue1", "--split", "3")
    words = ("--sender", "a@b", "--recipient", "x" * 1003, "--queue", tmp_path / "queue1")
    done = run("inject", *words)
    assert (done.exit_code, "address too long" in done.stdout, "at most 1002 octets" in done.stdout) == (1, True, True)
