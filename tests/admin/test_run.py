"""A plan is done only after a yes, step by step, and stops where things are not as they were seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit import admin
from indimail_kit.admin.plan import CreateFile, Deed, Plan, RemoveFile, Tell, WriteVariable, step_of
from indimail_kit.admin.run import run_plan
from indimail_kit.admin.services import plan_service_down, plan_service_up, plan_variable, read_variable
from indimail_kit.control.supervise import read_service, send_control
from indimail_kit.errors import EnvdirError, SuperviseError

needs_daemontools = pytest.mark.skipif(
    os.environ.get("CI") != "true" and shutil.which("supervise") is None, reason="daemontools is not installed"
)


def yes(_text: str) -> bool:
    """Say yes."""
    return True


def plan_of(*deeds: Deed) -> Plan:
    """Return a plan of these deeds."""
    return Plan("Test", tuple(map(step_of, deeds)))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Path]:
    """Run Debian's supervise on a service with variables that is down at first; end both."""
    directory = tmp_path / "demo"
    (directory / "variables").mkdir(parents=True)
    (directory / "variables" / "REJECTVIRUS").write_bytes(b"0\n")
    (directory / "down").touch()
    run = directory / "run"
    run.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\nexec sleep 1000\n".replace("env >", "envdir variables env >"))
    run.chmod(0o755)
    with subprocess.Popen(["supervise", str(directory)]) as process:
        deadline = time.monotonic() + 10
        while not (directory / "supervise").exists() or not read_service(directory).is_supervised:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield directory
        send_control(read_service(directory), "cdx")
        process.wait(10)


# --- the yes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [False, None, 1, "yes"])
def test_only_true_is_a_yes(tmp_path: Path, answer: object) -> None:
    """Whatever else the question returns, nothing is done."""
    report = run_plan(plan_of(CreateFile(tmp_path / "down")), confirm=lambda _text: answer)  # type: ignore[arg-type,return-value]  # wrong on purpose
    assert (report.is_confirmed, report.done, report.is_done, report.text) == (False, (), False, "Nothing was done.")
    assert not (tmp_path / "down").exists()


def test_the_question_shows_the_whole_plan(tmp_path: Path) -> None:
    """Who is asked sees every step."""
    asked: list[str] = []
    plan = plan_of(CreateFile(tmp_path / "down"))
    run_plan(plan, confirm=lambda text: bool(asked.append(text)))
    assert asked == [plan.text]


def test_plan_without_steps_asks_nobody() -> None:
    """There is nothing to say yes to."""
    report = run_plan(plan_of(), confirm=lambda _text: pytest.fail("asked"))
    assert (report.is_done, report.text) == (True, "Done: Test.")


# --- steps ----------------------------------------------------------------------------------------------------------


def test_stops_at_the_first_failure_and_says_what_was_done(tmp_path: Path) -> None:
    """Done, failed and not done are told apart; what was done can be taken back."""
    plan = plan_of(CreateFile(tmp_path / "a"), RemoveFile(tmp_path / "gone"), CreateFile(tmp_path / "b"))
    report = run_plan(plan, confirm=yes)
    assert (report.done, report.not_done) == (plan.steps[:1], plan.steps[1:])
    assert report.text.splitlines() == [
        f"done      touch {tmp_path}/a",
        f"FAILED    rm {tmp_path}/gone",
        f"          {tmp_path}/gone: No such file or directory",
        f"not done  touch {tmp_path}/b",
    ]
    assert run_plan(report.undo_plan(), confirm=yes).is_done
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["link", "full", "directory"])
def test_down_that_is_somebodys_file_is_not_removed(tmp_path: Path, kind: str) -> None:
    """Only an empty plain file is removed: everything else could not be brought back."""
    path = tmp_path / "down"
    {
        "link": lambda: path.symlink_to("x"),
        "full": lambda: path.write_text("why it is down"),
        "directory": path.mkdir,
    }[kind]()
    report = run_plan(plan_of(RemoveFile(path)), confirm=yes)
    assert "no empty file any more" in report.problem
    assert os.path.lexists(path)


def test_file_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    """What somebody made meanwhile is his."""
    (tmp_path / "down").symlink_to(tmp_path / "elsewhere")
    assert "File exists" in run_plan(plan_of(CreateFile(tmp_path / "down")), confirm=yes).problem
    assert not (tmp_path / "elsewhere").exists()


def test_variable_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """The plan said what it is now; somebody else was quicker."""
    (tmp_path / "A").write_bytes(b"2\n")
    report = run_plan(plan_of(WriteVariable(tmp_path, "A", b"1\n", b"0\n")), confirm=yes)
    assert "has changed since the plan was made" in report.problem
    assert (tmp_path / "A").read_bytes() == b"2\n"


@pytest.mark.parametrize("before", [None, b"", b"\n", b"0\n", b"old\nsecond line\n", b"no line end"])
def test_variable_comes_back_octet_for_octet(tmp_path: Path, before: bytes | None) -> None:
    """Whatever a person had written, undoing brings exactly that back."""
    if before is not None:
        (tmp_path / "A").write_bytes(before)
    report = run_plan(plan_of(WriteVariable(tmp_path, "A", b"1\n", before)), confirm=yes)
    assert (report.is_done, (tmp_path / "A").read_bytes()) == (True, b"1\n")
    assert run_plan(report.undo_plan(), confirm=yes).is_done
    assert read_variable(tmp_path, "A") == before


def test_supervise_that_has_gone_stops_the_plan(tmp_path: Path) -> None:
    """No supervise at the time of the deed: said, not waited for."""
    (tmp_path / "run").touch()
    assert "a supervise that runs" in run_plan(plan_of(Tell(tmp_path, "u", "up")), confirm=yes).problem


# --- planning by looking --------------------------------------------------------------------------------------------


def test_variable_of_a_service_without_variables_is_refused(tmp_path: Path) -> None:
    """The error says which directory is missing."""
    (tmp_path / "run").touch()
    with pytest.raises(EnvdirError, match=r"variables: expected a directory"):
        plan_variable(tmp_path, "A", "1")


@pytest.mark.parametrize(("name", "value"), [("A=B", "1"), ("../x", "1"), (".A", "1"), ("A", "ends with blank ")])
def test_impossible_variable_is_refused_before_anything_is_read(tmp_path: Path, name: str, value: str) -> None:
    """A name with a slash would leave the directory."""
    (tmp_path / "run").touch()
    (tmp_path / "variables").mkdir()
    with pytest.raises(EnvdirError):
        plan_variable(tmp_path, name, value)


@pytest.mark.parametrize("kind", ["fifo", "directory", "link"])
def test_variable_that_is_no_plain_file_is_refused(tmp_path: Path, kind: str) -> None:
    """A FIFO would make us wait, a link lead us away."""
    path = tmp_path / "A"
    {"fifo": lambda: os.mkfifo(path), "directory": path.mkdir, "link": lambda: path.symlink_to("/etc/passwd")}[kind]()
    with pytest.raises(EnvdirError, match="plain file"):
        read_variable(tmp_path, "A")


def test_unreadable_variable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's reason is in the error."""
    (tmp_path / "A").write_bytes(b"1\n")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(EnvdirError, match="Permission denied"):
        read_variable(tmp_path, "A")


@pytest.mark.parametrize("make", [plan_service_up, plan_service_down])
def test_plan_for_what_is_no_service_is_refused(tmp_path: Path, make: Callable[[Path], Plan]) -> None:
    """An empty directory is none."""
    with pytest.raises(SuperviseError, match="service directory"):
        make(tmp_path)


# --- the real supervise ---------------------------------------------------------------------------------------------


@needs_daemontools
def test_planning_changes_nothing(service: Path) -> None:
    """After three plans the directory is as before, and the service still down."""
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in service.rglob("*"))
    plan_service_up(service)
    plan_service_down(service)
    plan_variable(service, "REJECTVIRUS", "1")
    assert sorted((str(path), path.lstat().st_mtime_ns) for path in service.rglob("*")) == before
    assert read_service(service).state == "down"


@needs_daemontools
def test_service_comes_up_and_goes_down_again(service: Path) -> None:
    """The seed's commands, done: down is removed, the service runs; undone, all is as before."""
    report = run_plan(admin.plan_service_up(service), confirm=yes)
    assert (report.is_done, read_service(service).is_as_it_should_be, (service / "down").exists()) == (
        True,
        True,
        False,
    )
    assert run_plan(report.undo_plan(), confirm=yes).is_done
    assert (read_service(service).state, (service / "down").exists()) == ("down", True)


@needs_daemontools
def test_service_sees_its_new_variable(service: Path) -> None:
    """Echo 1 > variables/REJECTVIRUS, svc -d, svc -u: a new process with the new value."""
    assert run_plan(admin.plan_service_up(service), confirm=yes).is_done
    before = read_service(service).status
    report = run_plan(admin.plan_variable(service, "REJECTVIRUS", "1"), confirm=yes)
    after = read_service(service).status
    assert report.is_done
    assert before is not None
    assert after is not None
    assert before.pid != after.pid
    deadline = time.monotonic() + 10
    while "REJECTVIRUS=1" not in (service.parent / "seen").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@needs_daemontools
def test_paused_service_goes_on(service: Path) -> None:
    """The plan continues it; supervise's own word for paused."""
    assert run_plan(admin.plan_service_up(service), confirm=yes).is_done
    send_control(read_service(service), "p")
    deadline = time.monotonic() + 10
    while read_service(service).state != "paused":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert run_plan(admin.plan_service_up(service), confirm=yes).is_done
    assert read_service(service).state == "up"


@needs_daemontools
def test_service_that_does_not_come_up_is_a_failure(service: Path) -> None:
    """Supervise was told, but the state did not come: said with where to look."""
    plan = plan_of(Tell(service, "d", "up"))
    report = run_plan(plan, confirm=yes, wait_s=0.1)
    assert "look at its log" in report.problem
    assert not report.is_done


@needs_daemontools
def test_half_written_status_is_read_again(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """IndiMail's supervise writes the file in place: one that is just being written is no failure."""
    from indimail_kit.admin import run

    answers = iter([None, SuperviseError("u, d or NUL for what is wanted")])

    def read(directory: Path) -> object:
        answer = next(answers, None)
        if answer is not None:
            raise answer
        return read_service(directory)

    monkeypatch.setattr(run, "read_service", read)
    assert run_plan(admin.plan_service_up(service), confirm=yes).is_done
