"""qmail-send as a process, with real signals."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from indimail_kit.delivery.maildir import create_maildir
from indimail_kit.delivery.process import MailboxTree, main
from indimail_kit.envelope import Envelope
from indimail_kit.lab.second_host import SecondHost
from indimail_kit.mailqueue.enqueue import enqueue
from indimail_kit.mailqueue.layout import QueueLayout

if TYPE_CHECKING:
    from tests.delivery.conftest import House

ROOT = Path(__file__).parents[2]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SecondHost]:
    """Run a second host."""
    second = SecondHost(tmp_path / "second" / "Maildir")
    second.start()
    yield second
    second.stop()


class Running:
    """A qmail-send in another process, and the lines of its log as they come."""

    def __init__(self, house: House, host: SecondHost) -> None:
        self.layout: QueueLayout = house.layout
        self.mail = house.directory / "mail"
        self.control = house.directory / "control"
        self.control.mkdir()
        (self.control / "me").write_text("mx.example.com\n")
        (self.control / "locals").write_text("example.com\n")
        (self.control / "smtproutes").write_text("example.org:{}:{}\n".format(*host.address))
        create_maildir(self.mail / "example.com" / "bob" / "Maildir")
        self.log = house.directory / "process-log" / "current"
        places = ["--control", self.control, "--mail", self.mail, "--log", self.log.parent]
        program = [sys.executable, "-m", "indimail_kit.delivery", house.layout.directory]
        self.argv = [str(word) for word in (*program, *places)]
        tail = ["tail", "-n", "+1", "-F", str(self.log)]
        self.tail = subprocess.Popen(tail, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.started: list[subprocess.Popen[Any]] = [self.tail]

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process."""
        self.process = subprocess.Popen(self.argv, cwd=ROOT)
        self.started.append(self.process)
        return self.process

    def put(self, recipient: bytes) -> None:
        """Queue a message; the trigger wakes the process."""
        enqueue(b"Subject: hi\n\n", Envelope(b"bob@example.com", (recipient,)), layout=self.layout, environ={})

    def wait_for(self, words: str) -> str:
        """Return the next line with these words."""
        lines: IO[str] | None = self.tail.stdout
        assert lines is not None
        return next(line[26:].rstrip("\n") for line in lines if words in line)

    def ended(self, number: int) -> str:
        """Return the line with which a delivery ends."""
        while not (line := self.wait_for(f"delivery {number}: ")).startswith("delivery "):
            pass  # the line with which it starts
        return line

    def end(self) -> None:
        """End what still runs."""
        for process in self.started:
            process.kill()
            process.communicate()


@pytest.fixture
def running(house: House, host: SecondHost) -> Iterator[Running]:
    """Start a qmail-send."""
    started = Running(house, host)
    started.start()
    started.wait_for("status: local 0/20 remote 0/20 queue1")
    yield started
    started.end()


def test_signals_do_what_svc_asks_for(running: Running, host: SecondHost) -> None:
    """ALRM retries, HUP rereads, TERM ends with 0; local and remote mail arrive meanwhile."""
    host.say("451 4.7.1 greylisted", times=1)
    running.put(b"bob@example.com")
    assert running.ended(1).startswith("delivery 1: success: did_1+0+0/")
    running.put(b"far@example.org")
    assert running.ended(2).startswith("delivery 2: deferral: ")

    running.process.send_signal(signal.SIGALRM)
    assert running.wait_for("got ALRM").endswith("got ALRM: queue1")
    assert running.ended(3).startswith("delivery 3: success: From:_<bob@example.com>_RCPT:_<far@")

    (running.control / "concurrencyremote").write_text("3\n")
    running.process.send_signal(signal.SIGHUP)
    assert running.wait_for("remote 0/3") == "status: local 0/20 remote 0/3 queue1"

    running.process.send_signal(signal.SIGTERM)
    assert running.wait_for("exiting").endswith(" queue1 exiting")
    assert running.process.wait(30) == 0
    assert len([*(running.mail / "example.com" / "bob" / "Maildir" / "new").iterdir()]) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_term_waits_for_deliveries_under_way(running: Running, host: SecondHost, number: signal.Signals) -> None:
    """The other host is silent; the process ends only when it has hung up, and the recipient is deferred."""
    host.fall_silent(stage="data")
    running.put(b"far@example.org")
    assert host.wait_for_silence(30)
    running.process.send_signal(number)
    running.wait_for("got TERM")
    host.behave()

    assert running.ended(1).startswith("delivery 1: deferral: ")
    assert running.process.wait(30) == 0


@pytest.mark.skipif(shutil.which("supervise") is None, reason="daemontools is not installed")
def test_real_svc_drives_it_under_real_supervise(house: House, host: SecondHost) -> None:
    """`svc -a` tries again now, `svc -d` ends it in order; supervise starts it from a run script, as on a real host."""
    running = Running(house, host)
    service = house.directory / "qmail-send.25"
    service.mkdir()
    run = service / "run"
    run.write_text(f"#!/bin/sh\ncd {ROOT} && exec {shlex.join(running.argv)}\n")
    run.chmod(0o755)
    supervise = subprocess.Popen(["supervise", str(service)])
    try:
        running.wait_for("status: local 0/20 remote 0/20 queue1")
        host.say("451 4.7.1 greylisted", times=1)
        running.put(b"far@example.org")
        assert running.ended(1).startswith("delivery 1: deferral: ")
        subprocess.run(["svc", "-a", str(service)], check=True)
        assert running.ended(2).startswith("delivery 2: success: ")

        subprocess.run(["svc", "-dx", str(service)], check=True)
        assert running.wait_for("exiting").endswith(" queue1 exiting")
        assert supervise.wait(30) == 0
    finally:
        subprocess.run(["svc", "-kdx", str(service)], stderr=subprocess.DEVNULL)
        supervise.wait(30)
        running.end()


def test_second_process_on_a_queue_is_refused(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 111, and the words of the real one."""
    places = ["--control", running.control, "--mail", running.mail, "--log", running.log.parent / "other"]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    assert main([*map(str, [running.layout.directory, *places])]) == 111
    assert capsys.readouterr().err == "qmail-send: queue1: cannot start: instance already running\n"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_missing_queue_and_broken_control_file_are_told(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, exit code 111."""
    control = house.directory / "control"
    control.mkdir()
    places = ["--control", str(control), "--mail", str(house.directory), "--log", str(house.directory / "other")]

    assert main([str(house.directory / "none"), *places]) == 111
    (control / "queuelifetime").write_text("a week\n")
    assert main([str(house.layout.directory), *places]) == 111
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("qmail-send: no queue at ")
    assert second == "qmail-send: a number in control/queuelifetime"


def test_mailboxes_are_directories(tmp_path: Path) -> None:
    """DOMAIN/USER/Maildir, found by address; iteration names them all."""
    bob = create_maildir(tmp_path / "example.com" / "bob" / "Maildir")
    ann = create_maildir(tmp_path / "example.net" / "ann" / "Maildir")
    (tmp_path / "example.com" / "nobody").mkdir()
    tree = MailboxTree(tmp_path)

    assert dict(tree) == {"bob@example.com": bob, "ann@example.net": ann}
    assert (len(tree), tree.get("nobody@example.com"), tree.get("bob@example.net")) == (2, None, None)


@pytest.mark.parametrize(
    "address", ["", "@", "bob", "../bob@example.com", "..@example.com", "bob@..", "a/b@example.com", "b\0b@example.com"]
)
def test_address_cannot_leave_the_tree(tmp_path: Path, address: str) -> None:
    """A hostile recipient finds no mailbox outside."""
    create_maildir(tmp_path / "Maildir")
    create_maildir(tmp_path / "mail" / "example.com" / "bob" / "Maildir")
    create_maildir(tmp_path / "mail" / "Maildir")

    assert MailboxTree(tmp_path / "mail").get(address) is None


def test_program_tells_its_use(capsys: pytest.CaptureFixture[str]) -> None:
    """--help names the three directories."""
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert [word for word in ("BASE", "--control", "--mail", "--log") if word not in told] == []
