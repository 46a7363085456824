"""clamd and freshclam as real services of daemontools: the seed's steps, and nothing that stays behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.errors import LabError, MissingPartError, ScanError
from indimail_kit.lab import Lab, Services, service_files
from indimail_kit.lab import services as services_module
from indimail_kit.lab.service_files import LESSON_SIGNATURE, Programs, ServicePlaces, find_programs, freshclam_config
from indimail_kit.qhpsi import Signature, Verdict, eicar

pytestmark = pytest.mark.skipif(
    os.environ.get("CI") != "true" and not (shutil.which("svscan") and shutil.which("freshclam")),
    reason="daemontools or freshclam is not installed",
)

LATER = Signature("IndiMailKit.Lesson.Later", b"X-INDIMAIL-KIT-" + b"A-SECOND-LESSON-MARKER")


def until(true: Callable[[], bool], *, timeout_s: float = 30.0) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def family(directory: Path | str) -> list[str]:
    """Return the command lines of all processes that work in a directory or name it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            place = str((process / "cwd").readlink())
        except OSError:
            continue
        if str(directory) in words or place.startswith(str(directory)):
            found.append(words)
    return found


@pytest.fixture(scope="module")
def running() -> Iterator[Services]:
    """Run services of which clamd is up."""
    with Services(down=("freshclam",)) as services:
        yield services


@pytest.fixture
def own() -> Iterator[Services]:
    """Run services as they are at first: both down."""
    with Services() as services:
        yield services


def verdict_on(services: Services, octets: bytes) -> Verdict:
    """Return what clamd says."""
    return services.client.scan_stream(octets).verdict


# --- the seed, step by step -----------------------------------------------------------------------------------------


def test_both_are_down_at_first_as_indimail_installs_them(own: Services) -> None:
    """A file down in each; supervise and multilog run already."""
    assert [(one.name, one.state, one.is_normally_up) for one in own.statuses()] == [
        ("clamd", "down", False),
        ("freshclam", "down", False),
    ]
    assert own.status("clamd/log").state == "up"
    assert "clamd down, freshclam down" in repr(own)


def test_the_seeds_commands_with_the_real_svc(own: Services) -> None:
    """Rm down, svc -u, tail current, svc -d: the commands of 2010, by daemontools' own programs."""
    service = own.service_directory
    (service / "freshclam" / "down").unlink()
    (service / "clamd" / "down").unlink()
    subprocess.run(["svc", "-u", service / "clamd", service / "freshclam"], check=True)
    own.wait_until("clamd", "up")
    own.wait_until("freshclam", "up")
    until(lambda: verdict_on(own, eicar()) is Verdict.INFECTED)
    until(lambda: any(b"FOUND" in line for line in own.log_lines("clamd")))

    lines = own.log_lines("clamd")
    assert all(re.match(rb"@[0-9a-f]{24} ", line) for line in lines)
    texts = [line[26:].decode() for line in lines]
    assert "Archive support enabled." in texts
    assert any(re.fullmatch(r"Limits: Recursion level limit set to \d+\.", text) for text in texts)

    subprocess.run(["svc", "-d", service / "clamd"], check=True)
    own.wait_until("clamd", "down")
    assert verdict_on(own, eicar()) is Verdict.ERROR
    until(lambda: b"--- Stopped at" in b"\n".join(own.log_lines("clamd")))


def test_freshclam_brings_new_signatures_and_tells_clamd(own: Services) -> None:
    """What is on the mirror is found after freshclam's run, and not before; svc -a makes it look again."""
    own.up("clamd")
    assert verdict_on(own, LESSON_SIGNATURE.marker) is Verdict.CLEAN
    own.up("freshclam")
    until(lambda: verdict_on(own, LESSON_SIGNATURE.marker) is Verdict.INFECTED)
    own.offer_signatures([LESSON_SIGNATURE, LATER])
    own.svc("-a", "freshclam")
    until(lambda: verdict_on(own, LATER.marker) is Verdict.INFECTED)
    until(lambda: own.log("freshclam").kinds["freshclam_updated"] == 2)
    assert own.log("freshclam").kinds["unknown"] == 0
    assert any(b"Database correctly reloaded (5 signatures)" in line for line in own.log_lines("clamd"))


def test_a_line_that_never_comes_is_told(running: Services) -> None:
    """Waiting for a kind of line ends with a sentence that names it."""
    with pytest.raises(LabError, match="clamd has logged no new_msg after"):
        running.wait_for_log("clamd", "new_msg", timeout_s=0.1)


def test_every_line_of_the_live_log_is_understood(running: Services) -> None:
    """What multilog wrote of clamd's start is read without an unknown line, each with its moment."""
    log = running.log("clamd")
    assert (len(log) > 20, log.unknown) == (True, ())
    assert {event.label_kind for event in log.events_list} == {"tai64n"}


def test_freshclam_asks_nobody() -> None:
    """Its database is a file of this machine, the DNS is off, and the mirror it must name is loopback."""
    places = ServicePlaces(Path("/tmp/x"))
    addresses = re.findall(r"\w+://\S+", freshclam_config(places))
    assert addresses == ["file:///tmp/x/freshclam/mirror/lesson.ndb", "http://127.0.0.1:9"]
    assert {"--no-dns", "--update-db=custom"} < set(service_files._FRESHCLAM_OPTIONS)


def test_clamd_that_dies_is_started_again(running: Services) -> None:
    """That is what supervise is for."""
    before = running.status("clamd").status
    assert before is not None
    assert before.service_pid is not None
    os.kill(before.service_pid, signal.SIGKILL)
    until(lambda: (now := running.status("clamd").status) is not None and now.service_pid not in (None, before.pid))
    running.wait_until("clamd", "up")
    assert verdict_on(running, eicar()) is Verdict.INFECTED


def test_paused_clamd_is_seen_and_goes_on(running: Services) -> None:
    """Svc -p and -c, and what status says of it."""
    running.svc("-p", "clamd")
    until(lambda: running.status("clamd").state == "paused")
    running.svc("-c", "clamd")
    until(lambda: running.status("clamd").state == "up")
    assert running.client.ping()


# --- nothing stays behind -------------------------------------------------------------------------------------------


def test_nothing_is_left_after_the_end() -> None:
    """svscan, supervise, multilog, clamd and freshclam have ended, the directory is gone."""
    with Services(down=()) as services:
        directory = services.directory
        names = " ".join(family(directory))
    assert all(name in names for name in ("svscan", "supervise", "multilog", "clamd", "freshclam"))
    assert (family(directory), directory.exists(), services.is_running, services.pid) == ([], False, False, None)


def test_stopped_services_keep_their_log_and_start_again() -> None:
    """After stop the log can be read; start brings everything back in the same place."""
    services = Services(down=("freshclam",))
    services.start()
    services.stop()
    assert family(services.directory) == []
    lines = services.log_lines("clamd")
    assert "not started" in repr(services)
    assert b"Socket file removed." in lines[-1]
    assert services.start().start().client.ping()
    services.close()
    services.close()
    with pytest.raises(LabError, match="closed"):
        services.start()


OWNER = """
import os, sys, time
from indimail_kit.lab import Services
services = Services(down=()).start()
{more}
print(services.directory, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("", id="alone"),
        pytest.param("os.fork() or time.sleep(600)", id="with a fork that lives on"),
        pytest.param("services.svc('-p', 'clamd')", id="with a clamd that is paused"),
    ],
)
def test_nothing_outlives_a_killed_owner(more: str) -> None:
    """SIGKILL of the owner, who can clear up nothing: the whole family ends all the same."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(more=more)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert owner.stdout is not None
    directory = owner.stdout.readline().strip()
    assert len(family(directory)) >= 6
    owner.kill()
    owner.wait()
    until(lambda: family(directory) == [])
    if more.startswith("os.fork"):
        os.killpg(owner.pid, signal.SIGKILL)
    owner.stdout.close()
    shutil.rmtree(directory)


def test_end_of_a_fork_is_not_the_end_of_the_services(running: Services) -> None:
    """A child process that ends has only a copy of what must be given back."""
    pid = os.fork()
    if pid == 0:
        running._finalizer()
        os._exit(0)
    os.waitpid(pid, 0)
    assert running.client.ping()


def test_killed_guard_leaves_nothing_either() -> None:
    """Somebody kills the guard: svscan ends with it, and the supervises are told to end one by one."""
    services = Services(down=("freshclam",)).start()
    assert services.pid is not None
    os.kill(services.pid, signal.SIGKILL)
    until(lambda: not services.is_running)
    services.close()
    assert family(services.directory) == []


# --- what is missing or wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hidden", "remedy"), [("supervise", "apt-get install daemontools"), ("clamd", "clamav-daemon")]
)
def test_missing_part_says_what_to_install(monkeypatch: pytest.MonkeyPatch, hidden: str, remedy: str) -> None:
    """Without daemontools or clamd there are no services, and the error says what helps."""
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name == hidden else found(name, path=path))
    with pytest.raises(MissingPartError, match=remedy):
        find_programs()


def test_without_freshclam_there_is_no_such_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is left out rather than pretended."""
    whole = find_programs()
    less = Programs(whole.svscan, whole.supervise, whole.multilog, whole.clamd, None)
    monkeypatch.setattr(services_module, "find_programs", lambda: less)
    with Services() as services:
        assert services.names == ("clamd",)
        with pytest.raises(LabError, match="no service 'freshclam'"):
            services.svc("-u", "freshclam")


def test_svscan_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error quotes what was printed, and nothing is left."""
    whole = find_programs()
    broken = Programs(Path("/nonexistent/svscan"), whole.supervise, whole.multilog, whole.clamd, whole.freshclam)
    monkeypatch.setattr(services_module, "find_programs", lambda: broken)
    services = Services()
    with pytest.raises(LabError, match="/nonexistent/svscan: No such file"):
        services.start()
    services.close()


@pytest.mark.parametrize("name", ["with blank", "long" * 30])
def test_directory_that_cannot_hold_a_socket_is_refused(tmp_path: Path, name: str) -> None:
    """Too long a path, or white space in it, which clamd.conf cannot hold."""
    with pytest.raises(ScanError, match="no socket possible"):
        Services(tmp_path / name)


# --- the lab with a supervised clamd --------------------------------------------------------------------------------


def test_mail_is_refused_for_now_while_clamd_is_down(make_lab: Callable[..., Lab]) -> None:
    """Svc -d: 451; svc -u: 250 again. The commands go through the lab's own /service."""
    lab = make_lab(scanner="clamd", supervised=True)
    service = lab.directory / "service"
    assert lab.send().smtp_reply.startswith("250")
    subprocess.run(["svc", "-d", service / "clamd"], check=True)
    lab.services.wait_until("clamd", "down")
    assert lab.send().smtp_reply.startswith("451")
    subprocess.run(["svc", "-u", service / "clamd"], check=True)
    lab.services.wait_until("clamd", "up")
    assert lab.send().smtp_reply.startswith("250")
    lab.stop_scanner()
    assert lab.send().smtp_reply.startswith("451")
    lab.start_scanner()
    assert lab.send(attach="eicar").verdict == "INFECTED"


def test_clamdscan_reaches_a_clamd_that_supervise_started_again(make_lab: Callable[..., Lab]) -> None:
    """Each start makes a new socket: after svc -d and -u clamdscan could not open it, and mail stayed at 451."""
    lab = make_lab(scanner="command", supervised=True)
    lab.services.down("clamd")
    lab.services.up("clamd")
    assert lab.send().smtp_reply.startswith("250")


def test_lab_gives_its_services_back(tmp_path: Path) -> None:
    """In a directory that is kept no link to the services stays, and nothing runs."""
    with Lab(scanner="clamd", supervised=True, directory=tmp_path, queue_count=1) as lab:
        directory = lab.services.directory
        assert (tmp_path / "service" / "freshclam").resolve() == directory / "service" / "freshclam"
    assert family(directory) == []
    assert [path.name for path in (tmp_path / "service").iterdir()] == ["qmail-smtpd.25"]


def test_lab_without_services_says_how_to_get_them() -> None:
    """The error names the arguments."""
    with pytest.raises(LabError, match="supervised=True"):
        _ = Lab(scanner="embedded").services


def test_embedded_scanner_cannot_be_supervised() -> None:
    """It is no process that supervise could watch."""
    with pytest.raises(LabError, match="only clamd"):
        Lab(scanner="embedded", supervised=True)
