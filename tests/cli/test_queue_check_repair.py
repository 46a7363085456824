"""``queue check`` and ``queue repair``: what they print, ask, do and answer."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main
from indimail_kit.delivery.lock import QueueLock
from indimail_kit.lab.corpus import DemoQueue, make_queue
from indimail_kit.mailqueue import RULES


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's mail has a say."""
    for name in ("QUEUEDIR", "QUEUE_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def spoilt(tmp_path: Path) -> DemoQueue:
    """Return a queue with three faults: two to repair, one to refuse."""
    return make_queue(
        tmp_path / "queue1", messages=30, split=7, faults=("wrong-mode", "inode-differs", "unknown-record")
    )


@pytest.fixture
def healthy(tmp_path: Path) -> DemoQueue:
    """Return a queue without faults."""
    return make_queue(tmp_path / "queue1", messages=10, split=7)


def run(*words: str | Path, text: str = "", **environ: str) -> Result:
    """Run a verb of the group."""
    return CliRunner().invoke(main, ["queue", *map(str, words)], input=text, env=environ)


def modes(made: DemoQueue) -> dict[str, tuple[int, int]]:
    """Return inode and mode of each file."""
    return {
        str(path.relative_to(made.layout.directory)): (path.lstat().st_ino, path.lstat().st_mode)
        for path in made.layout.directory.rglob("*")
    }


# --- check ----------------------------------------------------------------------------------------------------------


def test_check_of_a_healthy_queue_says_so(healthy: DemoQueue) -> None:
    """Exit 0."""
    result = run("check", "--queue", healthy.layout.directory)
    assert (result.exit_code, result.stdout) == (0, "Nothing is wrong in 1 queue.\n")


def test_check_says_what_is_wrong_and_why_it_matters(spoilt: DemoQueue) -> None:
    """Exit 1; each rule once, with its reason and its cases."""
    result = run("check", "--queue", spoilt.layout.directory.parent)
    words = " ".join(result.stdout.split())
    assert result.exit_code == 1
    assert all(f"✕ {rule} {RULES[rule]} - " in words for rule in ("wrong-mode", "inode-differs", "unknown-record"))
    assert f"info/{spoilt.faults['wrong-mode'] % 7}/{spoilt.faults['wrong-mode']} has mode 666, not 600" in words
    assert "3 things wrong in 1 queue" in result.stderr


def test_check_gives_a_document(spoilt: DemoQueue) -> None:
    """The contract's keys; nothing else on standard output."""
    result = run("check", "--json", "--queue", spoilt.layout.directory)
    rows = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (1, "")
    assert {row["rule"] for row in rows} == {"wrong-mode", "inode-differs", "unknown-record"}
    assert [set(row) for row in rows] == [{"queue", "path", "rule", "text", "message_number"}] * 3


def test_check_of_a_healthy_queue_gives_an_empty_document(healthy: DemoQueue) -> None:
    """Exit 0."""
    result = run("check", "--json", "--queue", healthy.layout.directory)
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_check_shows_a_few_of_many_and_all_on_wish(healthy: DemoQueue) -> None:
    """A queue that was copied has as many faults as messages; nobody reads 50,000 lines."""
    for number in range(9):
        (healthy.layout.directory / "mess" / "0" / f"x{number}").touch()
    few, everything = (run("check", "--queue", healthy.layout.directory, *more) for more in ((), ("--all",)))
    assert ("unknown-file · 9" in few.stdout, "… and 4 more: add --all" in few.stdout) == (True, True)
    assert (few.stdout.count("    - "), everything.stdout.count("    - ")) == (5, 9)


def test_hostile_name_does_not_reach_the_terminal(healthy: DemoQueue) -> None:
    """An escape sequence in a file name is made visible."""
    (healthy.layout.directory / "mess" / "0" / "\x1b[2J").touch()
    shown = [run(verb, "--queue", healthy.layout.directory).output for verb in ("check", "repair")]
    assert ["\x1b" in text for text in shown] == [False, False]


def test_name_that_is_no_utf_8_is_told(healthy: DemoQueue) -> None:
    """As an escape in the document, which stays UTF-8; a command has its octet."""
    os.close(os.open(os.fsencode(healthy.layout.directory / "bounce") + b"/\xff", os.O_CREAT | os.O_WRONLY))
    found, planned = (run(verb, "--json", "--queue", healthy.layout.directory) for verb in ("check", "repair"))
    assert json.loads(found.stdout_bytes.decode("utf-8"))[0]["path"] == "bounce/\udcff"
    assert "bounce/\\377" in json.loads(planned.stdout_bytes.decode("utf-8"))[0]["command"]


@pytest.mark.parametrize("verb", ["check", "repair"])
def test_missing_queue_is_3(tmp_path: Path, verb: str) -> None:
    """The message says where it was looked for."""
    result = run(verb, "--queue", tmp_path)
    assert (result.exit_code, str(tmp_path) in result.stderr) == (3, True)


def test_queue_that_cannot_be_looked_at_is_3(tmp_path: Path, healthy: DemoQueue) -> None:
    """The others are checked all the same."""
    (tmp_path / "queue2" / "mess").mkdir(parents=True)
    result = run("check", "--queue", healthy.layout.directory.parent)
    assert (result.exit_code, "queue2 is left out" in result.stderr, "Nothing is wrong" in result.stdout) == (
        3,
        True,
        True,
    )


def test_environment_says_which_queue(spoilt: DemoQueue) -> None:
    """QUEUEDIR, as for the programs."""
    assert run("check", QUEUEDIR=str(spoilt.layout.directory)).exit_code == 1


# --- repair ---------------------------------------------------------------------------------------------------------


def test_repair_shows_a_plan_and_does_nothing(spoilt: DemoQueue) -> None:
    """Commands, words, what is refused and why; exit 1, as something is refused."""
    before = modes(spoilt)
    result = run("repair", "--queue", spoilt.layout.directory)
    assert (result.exit_code, modes(spoilt) == before) == (1, True)
    assert f"chmod 600 info/{spoilt.faults['wrong-mode'] % 7}/{spoilt.faults['wrong-mode']}" in result.stdout
    assert "Not repaired:" in result.stdout
    assert "could lose a recipient" in result.stdout
    assert "Nothing was done. Add --apply to do it." in result.stderr


def test_repair_gives_a_document(spoilt: DemoQueue) -> None:
    """Steps, then what is refused: without a command, and with the problem."""
    rows = json.loads(run("repair", "--json", "--queue", spoilt.layout.directory).stdout)
    assert [bool(row["command"]) for row in rows] == [True, True, False]
    assert [set(row) for row in rows] == [{"command", "text", "cannot_undo", "changes", "done", "problem"}] * 3
    assert "could lose a recipient" in rows[2]["problem"]


def test_repair_of_a_healthy_queue_has_nothing_to_do(healthy: DemoQueue) -> None:
    """Exit 0, with and without --apply; nobody is asked."""
    for more in ((), ("--apply",)):
        result = run("repair", "--queue", healthy.layout.directory, *more)
        assert (result.exit_code, "nothing to do" in result.stdout) == (0, True)


def test_repair_needs_a_terminal_or_a_yes(spoilt: DemoQueue) -> None:
    """Without either nothing is done."""
    before = modes(spoilt)
    result = run("repair", "--queue", spoilt.layout.directory, "--apply")
    assert (result.exit_code, modes(spoilt) == before, "--yes" in result.stderr) == (2, True, True)


@pytest.mark.parametrize(("typed", "is_done"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_repair_asks(spoilt: DemoQueue, monkeypatch: pytest.MonkeyPatch, typed: str, is_done: bool) -> None:
    """On a terminal the plan is shown and a yes is needed; Enter is no."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _self: True, raising=False)
    before = modes(spoilt)
    result = run("repair", "--queue", spoilt.layout.directory, "--apply", text=typed)
    assert ("Do it?" in result.stderr, modes(spoilt) != before, result.exit_code) == (True, is_done, 1)


def test_repair_does_it_and_says_how_to_take_it_back(spoilt: DemoQueue) -> None:
    """Afterwards the check knows only what was refused."""
    result = run("repair", "--queue", spoilt.layout.directory, "--apply", "--yes")
    left = json.loads(run("check", "--json", "--queue", spoilt.layout.directory).stdout)
    assert (result.exit_code, [row["rule"] for row in left]) == (1, ["unknown-record"])
    assert "To take it back: cd " in result.stderr


def test_repair_of_a_base_is_one_plan(tmp_path: Path) -> None:
    """All queues, one yes."""
    for name in ("queue1", "queue2"):
        make_queue(tmp_path / name, messages=10, split=7, faults=("wrong-mode",))
    result = run("repair", "--queue", tmp_path, "--apply", "--yes")
    assert (result.exit_code, result.stdout.count("done  "), "Done: Repair 2 queues." in result.stdout) == (0, 2, True)


def test_repair_is_refused_while_somebody_holds_the_queue(spoilt: DemoQueue) -> None:
    """Exit 3 before anything is asked; the plan alone is shown, with a warning."""
    lock = QueueLock(spoilt.layout)
    try:
        before = modes(spoilt)
        shown = run("repair", "--queue", spoilt.layout.directory)
        applied = run("repair", "--queue", spoilt.layout.directory, "--apply", "--yes")
    finally:
        lock.close()
    assert (shown.exit_code, applied.exit_code, modes(spoilt) == before) == (1, 3, True)
    for result in (shown, applied):
        assert f"qmail-send holds queue1 (process {os.getpid()} has lock/sendmutex)" in result.stderr


def test_way_back_of_many_steps_is_a_list(tmp_path: Path) -> None:
    """A line for each command, and how many steps have none."""
    made = make_queue(
        tmp_path / "queue1",
        messages=30,
        split=7,
        faults=("wrong-mode", "inode-differs", "wrong-split", "unknown-file", "ossified"),
    )
    result = run("repair", "--queue", made.layout.directory, "--apply", "--yes")
    assert (result.exit_code, result.stderr.count("\n  cd ")) == (0, 4)
    assert "In all" not in result.stdout
    assert "1 step cannot be taken back." in result.stderr


def test_long_plan_is_summed_up_before_the_question(healthy: DemoQueue) -> None:
    """How many steps of each kind, and how many cannot be undone."""
    directory = healthy.layout.directory
    for name in ("a", "b", "c", "d"):
        (directory / name).touch()
    (directory / "pid").chmod(0o755)
    (directory / "lock" / "trigger").unlink()
    result = run("repair", "--queue", directory)
    assert (
        "In all 6 steps: 4 × stranger put aside, 1 × file of lock/ made anew, 1 × mode set; all of it can be undone."
    ) in result.stdout


def test_what_cannot_be_taken_back_is_said(tmp_path: Path) -> None:
    """A plan of removals alone has no way back."""
    made = make_queue(tmp_path / "queue1", messages=10, split=7, faults=("ossified",))
    result = run("repair", "--queue", made.layout.directory, "--apply", "--yes")
    assert "Cannot be undone: the removal." in result.stdout
    assert "It cannot be taken back." in result.stderr


# --- one message ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", ["--trash", "--hold"])
def test_message_goes_out_of_the_queue(healthy: DemoQueue, wish: str) -> None:
    """And is nobody's fault afterwards."""
    number = healthy.numbers[0]
    result = run("repair", "--queue", healthy.layout.directory, wish, str(number), "--apply", "--yes")
    assert (result.exit_code, healthy.layout.path("mess", number).exists()) == (0, False)
    assert run("check", "--queue", healthy.layout.directory).exit_code == 0


def test_held_message_comes_back(healthy: DemoQueue) -> None:
    """As it was."""
    before, number = modes(healthy), str(healthy.numbers[0])
    for wish in ("--hold", "--release"):
        assert run("repair", "--queue", healthy.layout.directory, wish, number, "--apply", "--yes").exit_code == 0
    assert modes(healthy) == before


def test_expiring_says_that_the_bounce_cannot_be_undone(healthy: DemoQueue) -> None:
    """Before the yes."""
    result = run("repair", "--queue", healthy.layout.directory, "--expire", str(healthy.numbers[0]))
    assert (result.exit_code, "the sender gets a bounce" in result.stdout) == (0, True)


def test_message_that_is_not_there_is_3(healthy: DemoQueue) -> None:
    """With its number."""
    result = run("repair", "--queue", healthy.layout.directory, "--hold", "4711000")
    assert (result.exit_code, "no message 4711000" in result.stderr) == (3, True)


@pytest.mark.parametrize("words", [("--hold", "1", "--trash", "1"), ("--hold", "0"), ("--hold", "-1")])
def test_wrong_wish_is_2(healthy: DemoQueue, words: tuple[str, ...]) -> None:
    """One wish at a time, about a message number."""
    assert run("repair", "--queue", healthy.layout.directory, *words).exit_code == 2


def test_number_in_two_queues_must_be_chosen(tmp_path: Path, healthy: DemoQueue) -> None:
    """A copied queue has the same numbers: which one is meant?"""
    number = healthy.numbers[0]
    other = make_queue(tmp_path / "queue2", messages=5, split=7)
    other.layout.path("mess", other.numbers[0]).rename(other.layout.path("mess", number))
    result = run("repair", "--queue", tmp_path, "--hold", str(number))
    assert (result.exit_code, "choose with --queue" in result.stderr) == (2, True)
