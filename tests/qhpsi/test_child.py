"""Tests of child.py: the children are small shell scripts."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from indimail_kit.qhpsi.child import EXEC_FAILED, OUTPUT_LIMIT, ChildEnd, run_child
from indimail_kit.qhpsi.scan_user import scan_user

ENVIRON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


def run(script: str, *, timeout_s: float = 20.0, **options: object) -> ChildEnd:
    """Run a shell script as the child."""
    return run_child(["/bin/sh", "-c", script], environ=ENVIRON, timeout_s=timeout_s, **options)  # type: ignore[arg-type]


def has_ended(process_id: int) -> bool:
    """Wait until a process that is no child of ours has ended; False after five seconds."""
    import select

    try:
        descriptor = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 5.0)[0])
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("exit_code", [0, 1, 2, 77, 255])
def test_exit_code_comes_through(exit_code: int) -> None:
    """Every exit code is the program's own."""
    assert run(f"exit {exit_code}") == ChildEnd(exit_code)


def test_both_outputs_are_kept_in_order() -> None:
    """Standard output and standard error end up in one text, in the order of writing."""
    assert run("echo one; echo two >&2; echo three").output == b"one\ntwo\nthree\n"


def test_output_is_bounded() -> None:
    """A chatty program does not block and does not fill memory: 64 KiB are kept."""
    end = run("yes | head -c 3000000; exit 3")

    assert (end.exit_code, len(end.output)) == (3, OUTPUT_LIMIT)


def test_endless_output_ends_at_the_time_limit() -> None:
    """A program that writes for ever is killed like one that is silent."""
    end = run("yes", timeout_s=0.2)

    assert (end.exit_code, end.signal_number, end.problem) == (None, 0, "no answer within 0.2 s; killed")


def test_standard_input_is_empty() -> None:
    """The program reads end of file at once."""
    assert run("cat; echo end").output == b"end\n"


def test_nothing_is_inherited() -> None:
    """Even a descriptor that is marked inheritable stays here: no message handle, no envelope pipe."""
    here, there = os.pipe()
    os.set_inheritable(there, True)
    try:
        end = run("ls /proc/self/fd")
    finally:
        os.close(here)
        os.close(there)

    # 3 is the directory that ls reads.
    assert end.output.split() == [b"0", b"1", b"2", b"3"]


def test_environment_is_exactly_what_was_given() -> None:
    """Nothing of our own environment reaches the program."""
    end = run_child(["/usr/bin/env"], environ={"QHPSI": "x y", "A": "1"}, timeout_s=20.0)

    assert sorted(end.output.splitlines()) == [b"A=1", b"QHPSI=x y"]


def test_umask_is_that_of_qmail_queue() -> None:
    """The recorded scanner ran with umask 033."""
    assert run("umask").output == b"0033\n"


def test_signal_is_told_from_an_exit_code() -> None:
    """A program that a signal ends has no exit code."""
    assert run("kill -SEGV $$") == ChildEnd(None, int(signal.SIGSEGV))


def test_time_limit_kills_the_whole_group(tmp_path: Path) -> None:
    """Children of the program die with it."""
    end = run(f"sleep 600 & echo $! > {tmp_path}/pid; wait", timeout_s=0.3)

    assert end.problem == "no answer within 0.3 s; killed"
    assert has_ended(int((tmp_path / "pid").read_text()))


def test_left_over_children_are_killed(tmp_path: Path) -> None:
    """A program that ends and leaves a child behind which holds its output neither delays us nor survives."""
    end = run(f"sleep 600 & echo $! > {tmp_path}/pid; echo done; exit 5")

    assert end == ChildEnd(5, output=b"done\n")
    assert has_ended(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (["/no/such/scanner"], "No such file or directory"),
        (["no-such-scanner-in-path"], "No such file or directory"),
        (["/etc/passwd"], "Permission denied"),
        (["/"], "Permission denied"),
        (["/bin/sh", "a\0b"], "embedded null byte"),
    ],
)
def test_program_that_cannot_start_is_75(argv: list[str], what: str) -> None:
    """What cannot be started ends as qhpsi would say it, with the reason."""
    end = run_child(argv, environ=ENVIRON, timeout_s=20.0)

    assert (end.exit_code, end.problem) == (EXEC_FAILED, f"{argv[0]} could not be started: {what}")


def test_missing_directory_is_75(tmp_path: Path) -> None:
    """A queue directory that is gone is a failed start."""
    assert run("exit 0", cwd=tmp_path / "none").exit_code == EXEC_FAILED


def test_program_runs_in_the_directory(tmp_path: Path) -> None:
    """The working directory is the given one."""
    assert run("pwd -P", cwd=tmp_path).output == os.fsencode(tmp_path.resolve()) + b"\n"


def test_end_that_nobody_can_see_is_not_an_end_with_0() -> None:
    """Started by a program that ignores SIGCHLD, the kit called every message clean: Popen turns the loss into 0."""
    old = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        end = run("exit 1")
    finally:
        signal.signal(signal.SIGCHLD, old)

    assert (end.exit_code, "SIGCHLD is ignored" in end.problem) == (EXEC_FAILED, True)


def test_end_that_is_lost_while_it_runs_is_not_an_end_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGCHLD may be ignored by code that is not Python's: the system is asked whether there is an end to be seen."""
    monkeypatch.setattr(signal, "getsignal", lambda _number: signal.SIG_DFL)
    old = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        end = run("sleep 0.2; exit 1")
    finally:
        signal.signal(signal.SIGCHLD, old)

    assert (end.exit_code, "SIGCHLD is ignored" in end.problem) == (None, True)


def test_end_that_is_lost_before_it_is_watched_is_not_an_end_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner that ended, and whose end the system threw away, before anybody looked broke off with a traceback."""
    watch = os.pidfd_open

    def late(process_id: int) -> int:
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(process_id, 0)
        return watch(process_id)

    monkeypatch.setattr(signal, "getsignal", lambda _number: signal.SIG_DFL)
    monkeypatch.setattr(os, "pidfd_open", late)
    old = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        end = run("exit 0")
    finally:
        signal.signal(signal.SIGCHLD, old)

    assert (end.exit_code, "SIGCHLD is ignored" in end.problem) == (None, True)


@needs_root
def test_another_user_has_no_further_groups() -> None:
    """As root, the program becomes the user and his group and nothing else."""
    user = scan_user("nobody")
    assert user is not None

    end = run("id -u; id -g; id -G", user=user)

    assert end.output.split() == [b"%d" % number for number in (user.uid, user.gid, user.gid)]


def test_program_gets_no_new_privileges() -> None:
    """A setuid program that the child runs stays without its rights; we ourselves are as before."""
    assert b"NoNewPrivs:\t1" in run("grep NoNewPrivs /proc/self/status").output
    assert "NoNewPrivs:\t0" in Path("/proc/self/status").read_text(encoding="ascii")


def test_crash_leaves_no_core_file() -> None:
    """A core file would be a copy of the mail."""
    assert run("sleep 0.05; ulimit -c").output == b"0\n"


def test_standard_input_is_what_was_given(tmp_path: Path) -> None:
    """A descriptor can be handed over as standard input."""
    (tmp_path / "m").write_bytes(b"hello")
    with (tmp_path / "m").open("rb") as message:
        assert run("cat", stdin=message.fileno()).output == b"hello"


def test_no_descriptor_is_left_behind() -> None:
    """A hundred runs, good and bad, leave as many descriptors as there were."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for script in ("exit 0", "kill -9 $$") * 50:
        run(script)
    run_child(["/no/such/scanner"], environ=ENVIRON, timeout_s=1.0)

    assert len(list(Path("/proc/self/fd").iterdir())) == before
