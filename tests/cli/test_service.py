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


# --- plans ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ready(services: Path) -> Path:
    """Return a service with variables and a file down; its supervise takes commands but starts nothing."""
    (services / "debian" / "down").touch()
    (services / "debian" / "variables").mkdir()
    return services / "debian"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["up"], "rm {0}/down"),
        (["down"], "svc -d {0}"),
        (["set", "REJECTVIRUS", "1"], "echo 1 > {0}/variables/REJECTVIRUS"),
    ],
)
def test_plan_is_shown_and_nothing_is_done(ready: Path, words: list[str], command: str) -> None:
    """Without --apply a plan is only words."""
    result = run(words[0], ready, *words[1:])
    assert result.exit_code == 0
    assert command.format(ready) in result.stdout
    assert "Nothing was done. Add --apply" in result.stderr
    assert (ready / "down").exists()
    assert list((ready / "variables").iterdir()) == []


def test_apply_without_a_terminal_needs_a_yes(ready: Path) -> None:
    """A script cannot be asked: wrong usage, and nothing is done."""
    result = run("up", ready, "--apply")
    assert (result.exit_code, (ready / "down").exists()) == (2, True)
    assert "--yes" in result.stderr


def test_apply_with_yes_does_it_and_says_how_to_take_it_back(ready: Path) -> None:
    """Each step is told, and the way back."""
    result = run("up", ready, "--apply", "--yes")
    assert (result.exit_code, (ready / "down").exists()) == (0, False)
    assert f"done      rm {ready}/down" in result.stdout
    assert f"To take it back: touch {ready}/down" in result.stderr


@pytest.mark.parametrize(("typed", "exit_code", "stays"), [("y\n", 0, False), ("n\n", 1, True), ("\n", 1, True)])
def test_person_is_asked(ready: Path, monkeypatch: pytest.MonkeyPatch, typed: str, exit_code: int, stays: bool) -> None:
    """On a terminal the plan is shown and a yes is needed; Enter is no."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _self: True, raising=False)
    result = CliRunner().invoke(main, ["service", "up", str(ready), "--apply"], input=typed)
    assert (result.exit_code, (ready / "down").exists()) == (exit_code, stays)
    assert "Do it? [y/N]" in result.stderr


def test_plan_as_a_document(ready: Path) -> None:
    """A list of steps; --apply --yes says how far it came."""
    (step,) = json.loads(run("up", ready, "--json").stdout)
    assert step == {
        "command": f"rm {ready}/down",
        "text": "From now on it comes up when supervise starts.",
        "cannot_undo": "",
        "changes": True,
        "done": False,
        "problem": "",
    }
    result = run("set", ready, "A", "1", "--no-restart", "--apply", "--yes", "--json")
    assert [step["done"] for step in json.loads(result.stdout)] == [True]


def test_failed_step_is_exit_3(ready: Path) -> None:
    """The step that failed says why, and the rest was not done."""
    (ready / "down").write_text("somebody's note", encoding="utf-8")
    result = run("up", ready, "--apply", "--yes", "--json")
    (step,) = json.loads(result.stdout)
    assert (result.exit_code, step["done"], "no empty file" in step["problem"]) == (3, False, True)


def test_nothing_to_do_is_said(services: Path) -> None:
    """A service that is up already: no question, exit 0."""
    for more in ((), ("--apply",)):
        result = run("up", services / "debian", *more)
        assert (result.exit_code, "nothing to do" in result.stdout) == (0, True)


def test_plan_for_a_service_without_a_supervise_says_why_not(services: Path) -> None:
    """Exit 3 and a sentence, not a traceback."""
    result = run("up", services / "idle")
    assert (result.exit_code, "a supervise that runs" in result.stderr) == (3, True)


def test_hostile_name_is_shown_harmless(tmp_path: Path) -> None:
    """Escape sequences in a directory's name do not reach the terminal."""
    directory = tmp_path / "\x1b[2J"
    ends = make_service(directory)
    for words in ((), ("--svstat",)):
        assert "\x1b[2J" not in run("status", *words, directory).output
    for end in ends:
        os.close(end)
