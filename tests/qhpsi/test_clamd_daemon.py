"""Tests of clamd_daemon.py and of start_child.py, which clamd starts through."""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyclamd
import pytest

from indimail_kit.errors import FormatError, MissingPartError, ScanError
from indimail_kit.qhpsi import ClamdDaemon, Signature, clamd_conf, eicar, find_clamd
from indimail_kit.qhpsi import clamd_daemon as module
from indimail_kit.qhpsi.clamd_conf import LESSON_OPTIONS, config_text
from indimail_kit.qhpsi.signature_builder import body_signature, hash_signature, logical_signature
from indimail_kit.qhpsi.verdict import Verdict

ROOT = Path(__file__).parents[2]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


def ends(process_id: int) -> bool:
    """Wait until a process has ended; False after ten seconds."""
    try:
        descriptor = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10.0)[0])
    finally:
        os.close(descriptor)


# ---- life ----


def test_clamd_is_up_when_start_returns(clamd: ClamdDaemon) -> None:
    """It answers, has a process of ours, and stays small with the teaching database (under 40 MB)."""
    assert clamd.is_running
    assert clamd.client.ping()
    assert clamd.version.startswith("ClamAV ")
    assert Path(f"/proc/{clamd.pid}/comm").read_text() == "clamd\n"
    assert 1_000_000 < clamd.rss_bytes < 40_000_000


def test_its_files_are_for_nobody_else(clamd: ClamdDaemon) -> None:
    """Directory and socket are the owner's alone."""
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (clamd.directory, clamd.socket_path)]

    assert modes == [0o700, 0o600]


def test_real_clamdscan_can_use_it(clamd: ClamdDaemon, mess: Callable[[str], Path]) -> None:
    """The distribution's clamdscan finds the test virus with our clamd.conf."""
    program = shutil.which("clamdscan")
    assert program is not None, "clamdscan is not installed"

    codes = [
        subprocess.run(
            [program, "-c", str(clamd.config_path), "--fdpass", "--quiet", "--no-summary", str(mess(name))], check=False
        ).returncode
        for name in ("clean", "eicar", "eicar-base64", "eicar-zip")
    ]

    assert codes == [0, 1, 1, 1]


def test_log_tells_time_path_and_verdict(clamd: ClamdDaemon, mess: Callable[[str], Path]) -> None:
    """The log has clean files too, and the hash of an infected one, in the recorded form."""
    for name in ("clean", "eicar"):
        clamd.client(mess(name))

    lines = clamd.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    clean, infected = (next(line for line in lines if f"{mess(name)}: " in line) for name in ("clean", "eicar"))
    assert clean.endswith(f" -> {mess('clean')}: OK")
    assert f" -> {mess('eicar')}: IndiMailKit.Eicar-Test-Signature.UNOFFICIAL(" in infected


def test_stop_and_start_keep_the_paths(mess: Callable[[str], Path]) -> None:
    """After stop nothing runs, the log is there, and start brings it back under the same socket."""
    with ClamdDaemon() as daemon:
        first_pid, socket_path = daemon.pid, daemon.socket_path
        daemon.stop()
        daemon.stop()
        assert (daemon.pid, daemon.is_running, daemon.rss_bytes) == (None, False, 0)
        assert daemon.log_path.exists()
        daemon.start()
        second_pid = daemon.pid
        daemon.start()

        assert daemon.client(mess("eicar")).verdict is Verdict.INFECTED
        assert (daemon.pid, daemon.socket_path) == (second_pid, socket_path)
        assert second_pid != first_pid


def test_close_leaves_nothing() -> None:
    """Process and directory are gone; a second close does no harm, a start is refused."""
    daemon = ClamdDaemon()
    daemon.start()
    process_id = daemon.pid
    daemon.close()
    daemon.close()

    assert process_id is not None
    assert ends(process_id)
    assert not daemon.directory.exists()
    with pytest.raises(ScanError, match="closed"):
        daemon.start()


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory whose path is short enough for a socket."""
    path = Path("/tmp") / f"ik-test-{os.getpid()}"
    path.mkdir()
    yield path
    shutil.rmtree(path)


def test_given_directory_stays(short_directory: Path) -> None:
    """A directory that the caller owns is used and left, with its log."""
    with ClamdDaemon(short_directory) as daemon:
        assert daemon.client.ping()

    assert (short_directory / "clamd.log").exists()
    assert not (short_directory / "clamd.sock").exists()


@pytest.mark.parametrize("name", ["a b", 'a"b', "x" * 100])
def test_directory_without_room_for_a_socket_is_refused(short_directory: Path, name: str) -> None:
    """White space, quotes and long paths are refused before anything is made."""
    with pytest.raises(ScanError, match="no socket possible"):
        ClamdDaemon(short_directory / name)

    assert list(short_directory.iterdir()) == []


def test_frozen_clamd_is_silent_and_thaws() -> None:
    """A frozen clamd takes the connection and does not answer; thawed it answers; frozen it can still be stopped."""
    with ClamdDaemon(scan_timeout_s=0.2) as daemon:
        daemon.freeze()
        frozen = daemon.client.scan_stream(b"x")
        daemon.thaw()
        daemon.client.timeout_s = 10.0
        thawed = daemon.client.scan_stream(b"x")
        daemon.freeze()
        daemon.stop()
        daemon.thaw()

    assert (frozen.verdict, frozen.reason) == (Verdict.ERROR, "no answer within 0.2 s")
    assert thawed.verdict is Verdict.CLEAN


def test_stop_ends_only_our_own(clamd: ClamdDaemon) -> None:
    """Another clamd goes on when one is stopped or killed."""
    for end in (ClamdDaemon.stop, ClamdDaemon.kill):
        with ClamdDaemon() as daemon:
            end(daemon)

    assert clamd.client.ping()


def test_config_holds_what_was_asked_for(tmp_path: Path) -> None:
    """Options of the caller win, a user is named only where one is wanted."""
    text = config_text(tmp_path, {"MaxThreads": "2", "LogClean": "no"})

    assert f"LocalSocket {tmp_path}/clamd.sock\n" in text
    assert "MaxThreads 2\n" in text
    assert "LogClean no\n" in text
    assert "LogClean yes" not in text
    assert "User" not in text
    assert config_text(tmp_path, {}, user="nobody").endswith("User nobody\n")


# ---- signatures ----


def test_three_signatures_are_loaded_and_found(clamd: ClamdDaemon) -> None:
    """Clamd says that it loaded three, and finds each of them by its name."""
    from indimail_kit.qhpsi import teaching_signatures

    found = [clamd.client.scan_stream(b"x\n" + s.marker + b"\n").signature for s in teaching_signatures()]

    assert found == [f"{s.name}.UNOFFICIAL" for s in teaching_signatures()]
    assert b"Loaded 3 signatures." in clamd.log_path.read_bytes()


def test_signatures_can_be_added_while_it_runs() -> None:
    """A lesson's signature is found when add_signatures returns, time after time, and after a new start too."""
    first, second, third = (Signature(f"Lesson.{n}", f"a marker of the lesson {n}".encode()) for n in range(3))
    with ClamdDaemon(extra_signatures=[first]) as daemon:
        before = [daemon.client.scan_stream(s.marker).verdict for s in (first, second)]
        daemon.add_signatures([second])
        daemon.add_signatures([third])
        after = [daemon.client.scan_stream(s.marker).signature for s in (first, second, third)]
        daemon.stop()
        daemon.add_signatures([])
        daemon.start()
        again = [daemon.client.scan_stream(s.marker).signature for s in (first, second, third)]

    assert before == [Verdict.INFECTED, Verdict.CLEAN]
    assert after == again == [f"Lesson.{n}.UNOFFICIAL" for n in range(3)]


def test_every_kind_of_signature_can_be_added() -> None:
    """Hash, body and logic come live together, and clamd counts them."""
    octets = b"an attachment of the lesson, decoded"
    added = [
        hash_signature("Lesson.Md5", octets),
        hash_signature("Lesson.Sha", octets + b"!", algorithm="sha256"),
        body_signature("Lesson.Body", b"Dear customer", "{2-8}", b"invoice"),
        logical_signature("Lesson.Logic", b"wire transfer", b"confidential"),
    ]
    mails = (octets, octets + b"!", b"Dear customer, your invoice", b"confidential: a wire transfer")
    with ClamdDaemon() as daemon:
        count = daemon.add_signatures(added)
        found = [daemon.client.scan_stream(mail).signature for mail in mails]

    assert count == 7
    assert found == [f"{signature.name}.UNOFFICIAL" for signature in added]


def test_whole_database_can_be_replaced() -> None:
    """A stale database knows what it knows: EICAR is not in it, and clamd says OK."""
    with ClamdDaemon() as daemon:
        count = daemon.use_signatures([Signature("Lesson.Only", b"a marker of the lesson")])
        verdicts = [daemon.client.scan_stream(octets).verdict for octets in (b"a marker of the lesson", eicar())]

    assert (count, verdicts) == (1, [Verdict.INFECTED, Verdict.CLEAN])


@dataclass(frozen=True)
class BadLine:
    """A line that clamd does not load; the builders would not make it."""

    line: str = "Lesson.Bad:0:*:4"
    name: str = "Lesson.Bad"
    database: str = "ndb"


def test_database_that_clamd_refuses_is_told_and_taken_back() -> None:
    """Clamd answers RELOADING and keeps the old signatures: the caller hears why, and the next reload is good again."""
    with ClamdDaemon() as daemon:
        with pytest.raises(ScanError, match=r"^clamd kept its old database: .*Malformed"):
            daemon.add_signatures([BadLine()])
        assert daemon.add_signatures([Signature("Lesson.Good", b"a marker of the lesson")]) == 4
        assert daemon.client.scan_stream(b"a marker of the lesson").signature == "Lesson.Good.UNOFFICIAL"


def test_reload_that_takes_too_long_is_an_error() -> None:
    """Where the reload does not end in time, the caller learns of it."""
    with ClamdDaemon() as daemon:
        daemon.log_path = daemon.directory / "nowhere"
        with pytest.raises(ScanError, match=r"^clamd: no new database within 0 s after RELOAD$"):
            daemon.reload(timeout_s=0)


def test_rotated_log_is_read_from_its_beginning() -> None:
    """Clamd begins a new log at its size limit; the end of a reload is found there, too."""
    with ClamdDaemon(options={"LogFileMaxSize": "1K"}) as daemon:
        counts = [daemon.reload() for _ in range(20)]

    assert counts == [3] * 20


def test_clamd_without_signatures_says_ok_to_everything() -> None:
    """It starts with a database that holds a comment only, and EICAR is OK: a scan cannot tell that it is worthless."""
    with ClamdDaemon(has_teaching_signatures=False) as daemon:
        verdict = daemon.client.scan_stream(eicar()).verdict
        assert b"Loaded 0 signatures." in daemon.log_path.read_bytes()

    assert verdict is Verdict.CLEAN


# ---- options ----


def test_it_listens_on_loopback_if_asked() -> None:
    """With a port, PING is answered there, on 127.0.0.1 only; without one there is none."""
    with ClamdDaemon(has_tcp=True) as daemon:
        with socket.create_connection(("127.0.0.1", daemon.tcp_port or 0), timeout=5) as connection:
            connection.sendall(b"zPING\0")
            assert connection.recv(64) == b"PONG\0"
        assert f"TCP: Bound to [127.0.0.1]:{daemon.tcp_port}".encode() in daemon.log_path.read_bytes()
    assert ClamdDaemon().tcp_port is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"MaxThreads\nFoo": "1"}, "an option's name"),
        ({"maxThreads": "1"}, "an option's name"),
        ({"MaxThreads": "1\nUser root"}, "one line of printable ASCII for MaxThreads"),
        ({"MaxThreads": ""}, "one line of printable ASCII for MaxThreads"),
        ({"TCPSocket": "3310"}, "TCPAddr 127.0.0.1 beside TCPSocket"),
        ({"TCPSocket": "3310", "TCPAddr": "0.0.0.0"}, "TCPAddr 127.0.0.1 beside TCPSocket"),  # noqa: S104 - refused
    ],
    ids=["line end in name", "small name", "line end in value", "no value", "tcp anywhere", "tcp everywhere"],
)
def test_option_that_would_break_out_is_refused(options: dict[str, str], expected: str) -> None:
    """An option cannot bring a second line into clamd.conf, nor open clamd to the network."""
    with pytest.raises(FormatError, match=f"^clamd.conf: expected {expected}"):
        ClamdDaemon(options=options)


def test_every_option_of_the_lessons_is_taken() -> None:
    """Clamd starts with each option that is explained, and shows the limits in its log."""
    values = dict.fromkeys(LESSON_OPTIONS, "yes") | {
        "StreamMaxLength": "1M", "MaxFileSize": "1M", "MaxScanSize": "2M", "MaxScanTime": "1000", "MaxThreads": "2",
    }  # fmt: skip
    with ClamdDaemon(options=values) as daemon:
        log = daemon.log_path.read_bytes()

    assert b"Limits: File size limit set to 1048576 bytes." in log
    assert b"Limits: Global time limit set to 1000 milliseconds." in log


# ---- what can go wrong at the start ----


def test_clamd_is_found_outside_of_path(tmp_path: Path) -> None:
    """/usr/sbin is looked into even where PATH does not name it."""
    assert find_clamd(str(tmp_path)) == find_clamd() is not None


def test_no_clamd_anywhere_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither PATH nor the usual places have it, there is none."""
    monkeypatch.setattr(clamd_conf, "SEARCH_PATH", (str(tmp_path),))

    assert find_clamd(str(tmp_path)) is None


def test_program_that_is_gone_is_told() -> None:
    """A clamd that was removed in the meantime is a failed start with the system's reason."""
    message = r"^clamd: ended with exit code 75: /no/such/clamd: No such file or directory$"
    with unstarted(Path("/no/such/clamd")) as daemon, pytest.raises(ScanError, match=message):
        daemon.start()


def test_without_an_interpreter_clamd_is_started_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python does not know its own program, clamd runs without the death signal, and stop ends it."""
    monkeypatch.setattr(sys, "executable", "")
    with ClamdDaemon() as daemon:
        process_id = daemon.pid
        assert daemon.client.ping()

    assert process_id is not None
    assert ends(process_id)


def test_program_without_interpreter_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, started directly."""
    monkeypatch.setattr(sys, "executable", "")
    message = r"^clamd could not be started: No such file or directory$"
    with unstarted(Path("/no/such/clamd")) as daemon, pytest.raises(ScanError, match=message):
        daemon.start()


def test_clamd_of_path_comes_first(tmp_path: Path) -> None:
    """A clamd in PATH wins."""
    (tmp_path / "clamd").write_text("#!/bin/sh\n", encoding="ascii")
    (tmp_path / "clamd").chmod(0o755)

    assert find_clamd(str(tmp_path)) == tmp_path / "clamd"


def test_missing_clamd_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without clamd the error names the package."""
    monkeypatch.setattr(module, "find_clamd", lambda: None)

    with pytest.raises(MissingPartError, match=r"^clamd is missing\. Install it: apt-get install .*clamav-daemon\.$"):
        ClamdDaemon()


def fake_program(directory: Path, script: str) -> Path:
    """Write a program that is no clamd."""
    path = directory / "clamd"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    path.chmod(0o755)
    return path


@contextmanager
def unstarted(program: Path | None, **options: str) -> Iterator[ClamdDaemon]:
    """Give a daemon that is not started, and close it afterwards."""
    daemon = ClamdDaemon(clamd=program, options=options)
    try:
        yield daemon
    finally:
        daemon.close()


def test_clamd_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    """A start that fails says with which exit code and with which last words."""
    program = fake_program(tmp_path, "echo first; echo ERROR: no database >&2; exit 3")

    with unstarted(program) as daemon:
        with pytest.raises(ScanError, match=r"^clamd: ended with exit code 3: first / ERROR: no database$"):
            daemon.start()
        assert daemon.pid is None


def test_silent_clamd_is_ended(tmp_path: Path) -> None:
    """A program that never answers is given up and killed."""
    program = fake_program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 600")

    with unstarted(program) as daemon:
        with pytest.raises(ScanError, match=r"^clamd: no PONG within 0\.3 s: nothing printed$"):
            daemon.start(timeout_s=0.3)
        assert ends(int((tmp_path / "pid").read_text()))


def test_bad_option_is_told() -> None:
    """Clamd's own complaint about its configuration reaches the caller."""
    with unstarted(None, NoSuchOption="yes") as daemon, pytest.raises(ScanError, match="NoSuchOption"):
        daemon.start()


# ---- owner and clamd ----

OWNER = """
import os, sys, threading
from indimail_kit.qhpsi import ClamdDaemon
daemon = ClamdDaemon()
thread = threading.Thread(target=daemon.start)  # the thread that starts it ends
thread.start()
thread.join()
{then}
daemon.client.ping()
print(daemon.pid, daemon.directory, flush=True)
sys.stdin.read()
"""


OWNER_ENVIRON = {
    "PATH": "/usr/bin:/bin",
    "PYTHONPATH": f"{ROOT}:{Path(pyclamd.__file__).parents[1]}",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Owner:
    """Another Python process that owns a clamd."""

    def __init__(self, then: str = "", *, python: str = sys.executable, **options: Any) -> None:
        self.process = subprocess.Popen(
            [python, "-c", OWNER.format(then=then)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=OWNER_ENVIRON,
            cwd="/",
            text=True,
            **options,
        )
        words = self.process.stdout.readline().split()
        self.clamd_pid, self.directory = int(words[0]), Path(words[1])

    def __enter__(self) -> Owner:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()
        shutil.rmtree(self.directory, ignore_errors=True)


def test_clamd_vanishes_when_its_owner_is_killed() -> None:
    """Kill -9 of the owner ends clamd, although the thread that started it had ended long before."""
    with Owner() as owner:
        assert Path(f"/proc/{owner.clamd_pid}/comm").read_text() == "clamd\n"
        owner.process.send_signal(signal.SIGKILL)

        assert ends(owner.clamd_pid)


def test_clamd_vanishes_when_its_owner_ends() -> None:
    """An owner that forgets to stop it leaves neither process nor directory."""
    with Owner() as owner:
        owner.process.stdin.close()
        owner.process.stdin = None

        assert owner.process.wait() == 0
        assert ends(owner.clamd_pid)
        assert not owner.directory.exists()


def test_fork_of_the_owner_does_not_end_it() -> None:
    """A forked child that ends in an orderly way leaves its parent's clamd alone."""
    with Owner("child = os.fork()\nif child == 0: sys.exit(0)\nos.waitpid(child, 0)") as owner:
        # The owner has pinged it after the fork ended.
        assert Path(f"/proc/{owner.clamd_pid}/comm").read_text() == "clamd\n"


def test_interrupt_of_the_terminal_does_not_reach_clamd() -> None:
    """Clamd has a session of its own: Ctrl-C is for the owner, which then stops it."""
    with Owner() as owner:
        assert os.getsid(owner.clamd_pid) == owner.clamd_pid


def test_dropped_daemon_ends() -> None:
    """A daemon object that nobody holds any more takes its process with it."""
    daemon = ClamdDaemon()
    daemon.start()
    process_id = daemon.pid
    del daemon

    assert process_id is not None
    assert ends(process_id)


def can_import(python: str, **identity: Any) -> bool:
    """Say whether a user can run an interpreter and import the room with it."""
    try:
        command = [python, "-c", "import pyclamd, indimail_kit.qhpsi"]
        ended = subprocess.run(command, env=OWNER_ENVIRON, cwd="/", stderr=subprocess.DEVNULL, check=False, **identity)
    except PermissionError:
        return False
    return ended.returncode == 0


@needs_root
def test_plain_user_can_run_it() -> None:
    """Without root, clamd runs as that user, in a directory of his."""
    entry = pwd.getpwnam("nobody")
    identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    python = next((p for p in (sys.executable, "/usr/bin/python3") if can_import(p, **identity)), None)
    if python is None:
        pytest.skip("no interpreter of this system lets the user nobody import this working copy")

    with Owner(python=python, **identity) as owner:
        assert Path(f"/proc/{owner.clamd_pid}").stat().st_uid == entry.pw_uid


@needs_root
def test_root_can_scan_what_only_root_may_read(clamd: ClamdDaemon, mess: Callable[[str], Path]) -> None:
    """Clamd of a root-owned lab stays root and reads a queue file of mode 600 by its path as well."""
    path = mess("eicar")
    path.chmod(0o600)

    assert [clamd.client.scan_file(path).verdict, clamd.client.scan_path(path).verdict] == [Verdict.INFECTED] * 2


@needs_root
def test_other_user_reads_by_descriptor_what_he_may_not_open(tmp_path: Path, mess: Callable[[str], Path]) -> None:
    """Clamd as nobody: a descriptor works, a path does not, as on a real IndiMail host."""
    path = mess("eicar")
    path.chmod(0o600)
    with ClamdDaemon(user="nobody") as daemon:
        owner = Path(f"/proc/{daemon.pid}").stat().st_uid
        answers = [daemon.client.scan_file(path), daemon.client.scan_path(path)]

    assert owner == pwd.getpwnam("nobody").pw_uid
    assert [answer.verdict for answer in answers] == [Verdict.INFECTED, Verdict.ERROR]
