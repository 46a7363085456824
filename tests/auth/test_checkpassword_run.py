"""Running a module: the descriptors, the exit codes, the end of one that does not end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.auth import checkpassword_run
from indimail_kit.auth.checkpassword import ModuleAnswer, make_fields
from indimail_kit.auth.checkpassword_run import ModuleAuthority, run_module
from indimail_kit.auth.plain import PlainMessage
from indimail_kit.auth.smtp_auth import ClientExchange, Reply, ServerExchange
from indimail_kit.errors import AccountError, SaslError

OCTETS = make_fields(b"tim", b"tanstaaftanstaaf", method=2).encode()
Module = Callable[[str], list[str]]


@pytest.fixture
def module(tmp_path: Path) -> Module:
    """Return a maker of shell scripts that are modules."""

    def make(script: str) -> list[str]:
        path = tmp_path / "module"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        return [str(path), "/bin/false"]

    return make


@pytest.mark.parametrize("exit_code", [0, 1, 2, 3, 5, 111])
def test_exit_code_is_told(module: Module, exit_code: int) -> None:
    """Whatever the module exits with is its answer."""
    assert run_module(module(f"exit {exit_code}"), OCTETS) == ModuleAnswer(exit_code)


def test_module_reads_the_fields_on_fd_3_and_writes_on_fd_6(module: Module, tmp_path: Path) -> None:
    """What was given stands on descriptor 3; what is written on 6 comes back; the arguments hold no secret."""
    answer = run_module(module(f'cat <&3 >{tmp_path}/seen; echo "$@" >{tmp_path}/argv; printf 0123 >&6'), OCTETS)
    assert ((tmp_path / "seen").read_bytes(), (tmp_path / "argv").read_text()) == (OCTETS, "/bin/false\n")
    assert answer == ModuleAnswer(0, b"0123")


def test_module_has_its_descriptors_and_none_of_ours(module: Module, tmp_path: Path) -> None:
    """0 and 1 are /dev/null, 3 and 6 are pipes; what is open here is not open there."""
    ours = os.open(tmp_path, os.O_RDONLY)
    try:
        run_module(
            module(f'for fd in /proc/$$/fd/*; do echo "${{fd##*/}} $(readlink $fd)"; done >{tmp_path}/fds'), OCTETS
        )
    finally:
        os.close(ours)
    targets = dict(line.split(" ", 1) for line in (tmp_path / "fds").read_text().splitlines() if " " in line)
    assert (targets["0"], targets["3"][:5], targets["6"][:5]) == ("/dev/null", "pipe:", "pipe:")
    assert str(tmp_path) not in targets.values()


def test_environment_is_what_is_given(module: Module, tmp_path: Path) -> None:
    """The module has the environment that was asked for, and no other."""
    run_module(module(f"/usr/bin/env >{tmp_path}/env"), OCTETS, environ={"TCPREMOTEIP": "127.0.0.1"})
    seen = (tmp_path / "env").read_text().split()
    assert {line for line in seen if not line.startswith(("PWD=", "_=", "SHLVL="))} == {"TCPREMOTEIP=127.0.0.1"}


def test_module_that_does_not_read_is_no_error(module: Module) -> None:
    """A module may end before its fields are written."""
    assert run_module(module("exec 3<&-; exit 1"), OCTETS).exit_code == 1


def test_module_that_is_killed_has_no_exit_code(module: Module) -> None:
    """A signal is a crash."""
    assert run_module(module("kill -SEGV $$"), OCTETS).exit_code is None


def test_module_that_does_not_end_is_killed_with_its_children(module: Module, tmp_path: Path) -> None:
    """After the time-out neither the module nor what it started is there."""
    begun = time.monotonic()
    answer = run_module(module(f"sleep 60 & echo $! >{tmp_path}/child; wait"), OCTETS, timeout_s=0.3)
    assert (answer.exit_code, time.monotonic() - begun < 5) == (None, True)
    child = Path("/proc") / (tmp_path / "child").read_text().strip()
    deadline = time.monotonic() + 5
    while child.exists() and "Z" not in (child / "stat").read_text().split()[2] and time.monotonic() < deadline:
        os.sched_yield()
    assert not child.exists() or "Z" in (child / "stat").read_text().split()[2]


def test_module_that_leaves_a_child_behind_is_not_waited_for(module: Module) -> None:
    """A child that keeps fd 6 open does not hold the answer up."""
    begun = time.monotonic()
    assert run_module(module("sleep 3 & exit 0"), OCTETS).exit_code == 0
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("argv", [["/no/such/program"], [], ["/bin/true", "a\0b"]])
def test_module_that_cannot_be_run_is_an_account_error(argv: list[str]) -> None:
    """A missing program, none at all, and an impossible argument raise AccountError."""
    with pytest.raises(AccountError, match="cannot be run"):
        run_module(argv, OCTETS)


@pytest.fixture
def ignored_children() -> Iterator[None]:
    """The system throws the ends of our children away."""
    old = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, old)


@pytest.mark.usefixtures("ignored_children")
def test_module_is_not_run_where_nobody_would_see_its_end(module: Module, tmp_path: Path) -> None:
    """Started by a program that ignores SIGCHLD: a clear error, and no module is asked."""
    with pytest.raises(AccountError, match="SIGCHLD is ignored"):
        run_module(module(f"touch {tmp_path}/ran"), OCTETS)

    assert not (tmp_path / "ran").exists()


@pytest.mark.usefixtures("ignored_children")
@pytest.mark.parametrize("script", ["sleep 0.2", "exit 0"])
def test_end_that_is_lost_is_no_right_password(monkeypatch: pytest.MonkeyPatch, module: Module, script: str) -> None:
    """SIGCHLD may be ignored by code that is not Python's: a module that ended unseen has not said yes."""
    monkeypatch.setattr(signal, "getsignal", lambda _number: signal.SIG_DFL)

    with pytest.raises(AccountError, match="SIGCHLD is ignored"):
        run_module(module(script), OCTETS)


@pytest.mark.usefixtures("ignored_children")
def test_end_that_is_lost_before_it_is_watched_is_no_right_password(
    monkeypatch: pytest.MonkeyPatch, module: Module
) -> None:
    """The module has ended, and its end is thrown away, before anybody looks."""
    watch = os.pidfd_open

    def late(process_id: int) -> int:
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(process_id, 0)
        return watch(process_id)

    monkeypatch.setattr(os, "pidfd_open", late)
    monkeypatch.setattr(signal, "getsignal", lambda _number: signal.SIG_DFL)

    with pytest.raises(AccountError, match="SIGCHLD is ignored"):
        run_module(module("exit 0"), OCTETS)


def test_more_than_512_octets_are_not_given(module: Module) -> None:
    """The interface has a limit."""
    with pytest.raises(SaslError):
        run_module(module("exit 0"), b"x" * 513)


def test_no_descriptor_is_left_open(module: Module) -> None:
    """Twenty runs later as many descriptors are open as before."""
    argv = module("exit 0")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        run_module(argv, OCTETS)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("script", "line", "can_relay"),
    [
        ("exit 0", "235 ok, go ahead (#2.0.0)", True),
        ("exit 3", "235 ok, go ahead (#2.0.0)", False),
        ("exit 1", "535 authorization failure (#5.7.8)", False),
        ("exit 2", "535 authorization failure (#5.7.8)", False),
        ("exit 111", "454 temporary authentication failure (#4.3.0)", False),
        ("exit 5", "451 Sorry, there is a problem with my child and I can't auth (#4.3.0)", False),
        ("kill -ABRT $$", "451 Sorry, there is a problem with my child and I can't auth (#4.3.0)", False),
    ],
)
def test_exchange_asks_the_module(module: Module, script: str, line: str, *, can_relay: bool) -> None:
    """An exchange with a module for its authority replies as qmail-smtpd does to each exit code."""
    server = ServerExchange("PLAIN", authority=ModuleAuthority(module(script), mechanism="PLAIN"))
    client = ClientExchange("PLAIN", authcid="tim", passwd="tanstaaftanstaaf")
    reply = server.start(client.start().encode())
    assert (reply.line, server.result.can_relay, server.result.authcid) == (line, can_relay, "tim")


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN", "CRAM-MD5", "CRAM-SHA256", "DIGEST-MD5", "XOAUTH2"])
def test_module_has_the_mechanisms_number(module: Module, tmp_path: Path, mechanism: str) -> None:
    """The fourth field is the method octet of the mechanism in use."""
    numbers = {"LOGIN": 1, "PLAIN": 2, "CRAM-MD5": 3, "CRAM-SHA256": 6, "DIGEST-MD5": 10, "XOAUTH2": 17}
    authority = ModuleAuthority(module(f"cat <&3 >{tmp_path}/seen; exit 1"), mechanism=mechanism)
    server = ServerExchange(mechanism, authority=authority, host="mx1.example.com")
    client = ClientExchange(mechanism, authcid="tim", passwd="secret")
    initial = client.start()
    answer = server.start(None if initial is None else initial.encode())
    while not isinstance(answer, Reply):
        answer = server.feed(client.feed(answer.line.removeprefix("334 ")).encode())
    seen = (tmp_path / "seen").read_bytes()
    assert (seen[:4], seen[-3:]) == (b"tim\0", bytes((0, numbers[mechanism], 0)))


def test_xoauth2_fields_are_shifted_as_recorded(module: Module, tmp_path: Path) -> None:
    """The recorded server doubled the NULs, and so do we: a module reads an empty second field."""
    authority = ModuleAuthority(module(f"cat <&3 >{tmp_path}/seen"), mechanism="XOAUTH2")
    server = ServerExchange("XOAUTH2", authority=authority)
    server.start(ClientExchange("XOAUTH2", authcid="test@local.test", passwd="secret").start().encode())
    assert (tmp_path / "seen").read_bytes() == b"test@local.test\0\0secret\0\0\0\x11\0"


def test_scram_is_not_given_to_a_module(module: Module) -> None:
    """Without a table SCRAM is a temporary failure, and the module is not run."""
    authority = ModuleAuthority(module("exit 0"), mechanism="SCRAM-SHA-256")
    server = ServerExchange("SCRAM-SHA-256", authority=authority, challenge=b"x")
    client = ClientExchange("SCRAM-SHA-256", authcid="tim", passwd="x")
    first = server.start(client.start().encode())
    assert server.feed(client.feed(first.line.removeprefix("334 ")).encode()).code == 454


def test_fields_that_are_too_long_are_wrong(module: Module) -> None:
    """A password that does not fit into 512 octets is wrong, and the module is not run."""
    authority = ModuleAuthority(module("exit 0"), mechanism="PLAIN")
    assert not authority.judge(PlainMessage(authcid="tim", passwd="x" * 512)).ok


def test_module_does_not_outlive_an_interruption(
    module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever interrupts the wait, the module is killed before it is passed on."""

    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpassword_run.select, "select", interrupt)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_module(module("exec sleep 60"), OCTETS)
    assert time.monotonic() - begun < 5


def test_module_that_writes_too_much_is_read_no_further(module: Module) -> None:
    """33 octets of fd 6 are read; the rest is nobody's business."""
    assert run_module(module("printf %064d 0 >&6"), OCTETS).rspauth == b"0" * 33
