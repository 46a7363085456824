"""clamd in trouble, real and played: never a wrong CLEAN, always 77 and `451 qq unable to run QHPSI scanner`."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.exitcodes import exit_code
from indimail_kit.qhpsi import ClamdClient, ClamdDaemon, QhpsiConfig, clamd, eicar, scan_message
from indimail_kit.qhpsi.canary import CanaryScanner
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

POLICY = QhpsiConfig("/usr/bin/clamdscan %s --quiet --no-summary", reject_virus=1)

REFUSAL = (77, "451 qq unable to run QHPSI scanner (#4.3.0)")
"""What qmail-smtpd answers when the scan failed."""

VIRUS = (33, "554 qq message contains virus (#5.7.1)")
"""What it answers for a virus with REJECTVIRUS=1."""


def ends(path: Path, scanner: Callable[[Path], ScanAnswer]) -> tuple[int, str]:
    """Return qmail-queue's exit code and the SMTP reply."""
    code = scan_message(path, config=POLICY, scanner=scanner).exit_code
    return code, exit_code(code).smtp_reply


def by_session(client: ClamdClient) -> Callable[[Path], ScanAnswer]:
    """Return a scanner that scans in a session, among others."""

    def scan(path: Path) -> ScanAnswer:
        answers = sorted(client.scan_many([path] * 3, connections=1), key=lambda scanned: scanned.number)
        assert {scanned.answer.verdict for scanned in answers} == {answers[0].answer.verdict}
        return answers[0].answer

    return scan


WAYS: dict[str, Callable[[ClamdClient], Callable[[Path], ScanAnswer]]] = {
    "scan_file": lambda client: client.scan_file,
    "scan_path": lambda client: client.scan_path,
    "scan_stream": lambda client: lambda path: client.scan_stream(path.read_bytes()),
    "scan_many": by_session,
}


# ---- a real clamd ----


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_clamd_that_is_gone_is_a_refusal(mess: Callable[[str], Path], way: str, end: str) -> None:
    """Stopped or killed, with or without a socket left behind: the mail is refused for now, infected or not."""
    with ClamdDaemon() as daemon:
        before = ends(mess("eicar"), WAYS[way](daemon.client))
        getattr(daemon, end)()
        after = [ends(mess(name), WAYS[way](daemon.client)) for name in ("clean", "eicar")]

    assert (before, after) == (VIRUS, [REFUSAL, REFUSAL])


@pytest.mark.parametrize("way", ["scan_file", "scan_many"])
def test_clamd_killed_at_many_moments_of_slow_scans(
    tmp_path: Path, eicar_octets: bytes, attachment: Any, way: str
) -> None:
    """Killed 0 … 90 ms after the question, while it works on a large file: a virus or a refusal, never accepted."""
    path = tmp_path / "large"
    path.write_bytes(attachment(os.urandom(3_000_000) + eicar_octets))
    ended = set()
    with ClamdDaemon() as daemon:
        for delay_ms in range(0, 100, 10):
            daemon.start()
            killer = threading.Timer(delay_ms / 1000, daemon.kill)
            killer.start()
            # Each file of scan_many has its own end: some may be answered before clamd dies.
            scanned = [s.answer for s in daemon.client.scan_many([path] * 4)] if way == "scan_many" else []
            ended |= {ends(path, lambda _path, answer=answer: answer) for answer in scanned}  # type: ignore[misc]
            ended |= set() if scanned else {ends(path, daemon.client)}
            killer.join()

    assert REFUSAL in ended
    assert ended <= {REFUSAL, VIRUS}


@pytest.mark.slow
def test_clamd_that_restarts_under_a_long_list_is_never_wrong(tmp_path: Path, eicar_octets: bytes) -> None:
    """Killed and started again four times under 600 scans: each answer is the file's own or ERROR."""
    paths = [tmp_path / f"{number}" for number in range(600)]
    for number, path in enumerate(paths):
        path.write_bytes(eicar_octets if number % 2 else b"%d\n" % number)
    wrong = []
    counts = dict.fromkeys(Verdict, 0)
    with ClamdDaemon() as daemon:
        for count, scanned in enumerate(daemon.client.scan_many(paths)):
            counts[scanned.answer.verdict] += 1
            right = {Verdict.ERROR, Verdict.INFECTED if scanned.number % 2 else Verdict.CLEAN}
            wrong += [] if scanned.answer.verdict in right else [scanned]
            if count in (50, 150, 250, 350):
                daemon.kill()
                daemon.start()

    assert wrong == []
    assert sum(counts.values()) == 600
    assert counts[Verdict.CLEAN] > 0
    assert counts[Verdict.INFECTED] > 0


def test_reload_under_many_scans_is_never_wrong(mess: Callable[[str], Path]) -> None:
    """RELOAD between the answers of one list: every infected file is found, every clean one is clean."""
    paths = [mess("eicar"), mess("clean")] * 60
    with ClamdDaemon() as daemon:
        verdicts = {}
        for scanned in daemon.client.scan_many(paths):
            verdicts[scanned.number] = scanned.answer.verdict
            if len(verdicts) % 20 == 0:
                daemon.client.reload()

    assert [verdicts[number] for number in range(120)] == [Verdict.INFECTED, Verdict.CLEAN] * 60


@pytest.mark.parametrize("is_tcp", [False, True], ids=["unix", "tcp"])
def test_one_thread_is_enough(mess: Callable[[str], Path], is_tcp: bool) -> None:
    """With MaxThreads 1 there is one connection, and every answer is right."""
    paths = [mess("eicar"), mess("clean")] * 20
    with ClamdDaemon(options={"MaxThreads": "1"}, has_tcp=True) as daemon:
        client = clamd(("127.0.0.1", daemon.tcp_port or 0)) if is_tcp else daemon.client
        limit = client.thread_limit()
        answers = sorted(client.scan_many(paths), key=lambda scanned: scanned.number)

    assert limit == 1
    assert [scanned.answer.verdict for scanned in answers] == [Verdict.INFECTED, Verdict.CLEAN] * 20


@pytest.mark.parametrize("way", WAYS)
def test_clamd_without_signatures_is_a_refusal_where_eicar_is_asked_for(mess: Callable[[str], Path], way: str) -> None:
    """With an empty database clamd itself says OK to a virus; only the EICAR test tells, and then it is 77."""
    with ClamdDaemon(has_teaching_signatures=False) as daemon:
        scan = WAYS[way](daemon.client)
        itself = scan(mess("eicar")).verdict
        ended = ends(mess("eicar"), CanaryScanner(scan, lambda: daemon.client.scan_stream(eicar())))

    assert (itself, ended) == (Verdict.CLEAN, REFUSAL)


@pytest.mark.parametrize("way", ["scan_stream", "tcp"])
def test_mail_over_stream_max_length_is_a_refusal(tmp_path: Path, eicar_octets: bytes, way: str) -> None:
    """A virus behind the limit is neither clean nor found: 77. clamdscan --stream lets it through."""
    path = tmp_path / "long"
    path.write_bytes(b"x" * 150_000 + eicar_octets)
    with ClamdDaemon(options={"StreamMaxLength": "100K"}, has_tcp=True) as daemon:
        client = clamd(("127.0.0.1", daemon.tcp_port or 0)) if way == "tcp" else daemon.client
        ended = ends(path, client if way == "tcp" else WAYS[way](client))

    assert ended == REFUSAL


# ---- a session that misbehaves ----


class FakeSession:
    """A server that takes FILDES questions of one session after the other and answers with given octets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.replies: list[bytes] = []
        self.expected_count = 3
        self.holds = False
        self.connection_count = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(16)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """End the thread and close every socket."""
        self._is_over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, contextlib.suppress(OSError):
                    self.connection_count += 1
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        """Take the questions, answer, and either close or wait until the other side does."""
        question = b""
        while question.count(b"zFILDES\0\0") < self.expected_count:
            octets, descriptors, _, _ = socket.recv_fds(connection, 4096, 8)
            for descriptor in descriptors:
                os.close(descriptor)
            question += octets
            if not octets or question.endswith(b"\n"):
                break
        if question.startswith(b"nVERSION"):
            connection.sendall(b"Fake 1.0\n")
            return
        for octets in self.replies:
            connection.sendall(octets)
        if self.holds:
            connection.settimeout(10)
            connection.recv(1)


@pytest.fixture
def fake_session() -> Iterator[FakeSession]:
    """A server that says what the test wants."""
    directory = Path(tempfile.mkdtemp(prefix="ik-fake-", dir="/tmp"))
    server = FakeSession(directory / "s")
    yield server
    server.close()
    shutil.rmtree(directory)


C, V, N, E = Verdict.CLEAN, Verdict.INFECTED, Verdict.NOT_SCANNED, Verdict.ERROR

OK = b"%d: fd[10]: OK\0"

SESSIONS: dict[str, tuple[bytes, list[Verdict]]] = {
    "in order": (OK % 1 + OK % 2 + OK % 3, [C, C, C]),
    "out of order": (OK % 3 + b"1: fd[9]: Eicar FOUND\0" + OK % 2, [V, C, C]),
    "nothing": (b"", [E, E, E]),
    "one missing": (OK % 1 + OK % 3, [C, E, C]),
    "all missing but one": (OK % 2, [E, C, E]),
    "number 0": (OK % 0 + OK % 1 + OK % 2 + OK % 3, [E, E, E]),
    "number 4": (OK % 4, [E, E, E]),
    "number 4 after the others": (OK % 1 + OK % 2 + OK % 3 + OK % 4, [E, E, E]),
    "number twice": (OK % 1 + OK % 1 + OK % 2, [E, E, E]),
    "found, then OK": (b"1: fd[9]: Eicar FOUND\0" + OK % 1 + OK % 2 + OK % 3, [E, E, E]),
    "OK, then found": (OK % 1 + b"1: fd[9]: Eicar FOUND\0" + OK % 2 + OK % 3, [E, E, E]),
    "negative number": (b"-1: fd[10]: OK\0", [E, E, E]),
    "number with a zero in front": (b"01: fd[10]: OK\0", [E, E, E]),
    "number with a blank": (b" 1: fd[10]: OK\0", [E, E, E]),
    "number in hexadecimal": (b"0x1: fd[10]: OK\0", [E, E, E]),
    "number of other digits": ("\u0661: fd[10]: OK\0".encode(), [E, E, E]),
    "huge number": (b"99999999999: fd[10]: OK\0", [E, E, E]),
    "no number": (b"fd[10]: OK\0", [E, E, E]),
    "number alone": (b"1: \0", [E, E, E]),
    "no name": (b"1: OK\0" + OK % 2 + OK % 3, [E, C, C]),
    "another name": (b"1: /etc/passwd: OK\0" + OK % 2 + OK % 3, [E, C, C]),
    "name of a stream": (b"1: stream: OK\0" + OK % 2 + OK % 3, [E, C, C]),
    "two numbers": (b"1: 2: fd[10]: OK\0" + OK % 2 + OK % 3, [E, C, C]),
    "OK in lower case": (b"1: fd[10]: ok\0" + OK % 2 + OK % 3, [E, C, C]),
    "OK and a line end": (b"1: fd[10]: OK\n\0" + OK % 2 + OK % 3, [E, C, C]),
    "line ends instead of NUL": (b"1: fd[10]: OK\n2: fd[11]: OK\n3: fd[12]: OK\n", [E, E, E]),
    "last one cut": (OK % 1 + OK % 2 + b"3: fd[10]: OK", [C, C, E]),
    "last one cut in its number": (OK % 1 + OK % 2 + b"3", [C, C, E]),
    "an empty reply": (OK % 1 + b"\0" + OK % 2, [E, E, E]),
    "ERROR": (b"1: Can't allocate memory ERROR\0" + OK % 2 + OK % 3, [E, C, C]),
    "no descriptor": (b"1: No file descriptor received. ERROR\0", [E, E, E]),
    "limit": (b"1: fd[9]: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0" + OK % 2 + OK % 3, [N, C, C]),
    "read time-out": (b"COMMAND READ TIMED OUT\n", [E, E, E]),
    "read time-out behind an answer": (OK % 1 + b"COMMAND READ TIMED OUT\n", [C, E, E]),
    "unknown command": (b"UNKNOWN COMMAND\0", [E, E, E]),
    "an answer to PING": (b"1: PONG\0" + OK % 2 + OK % 3, [E, C, C]),
    "an HTTP server": (b"HTTP/1.1 200 OK\r\n\r\n", [E, E, E]),
    "an SMTP server": (b"220 mx1.example.com ESMTP\r\n", [E, E, E]),
    "endless": (b"1: fd[10]: " + b"x" * 200_000, [E, E, E]),
    "NULs": (b"\0" * 100, [E, E, E]),
    "octets that are no text": (bytes(range(255, 0, -1)) + b"\0", [E, E, E]),
    "escape sequence": (b"1: fd[10]: \x1b[32mOK\0" + OK % 2 + OK % 3, [E, C, C]),
}
"""Title -> what clamd says to three questions of a session before it closes, and the verdicts that follow from it."""


def verdicts_of(server: FakeSession, path: Path) -> list[Verdict]:
    """Ask three questions in one session, without asking any of them again; return the verdicts in order."""
    from indimail_kit.qhpsi import clamd_session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clamd_session, "TRIES", 1)
        with ClamdClient(server.path, timeout_s=5.0).session() as session:
            answers = sorted(session.scan_many([path] * 3), key=lambda scanned: scanned.number)
    return [scanned.answer.verdict for scanned in answers]


def test_table_of_sessions_is_long_enough() -> None:
    """At least forty rows."""
    assert len(SESSIONS) >= 40


@pytest.mark.parametrize("title", SESSIONS)
def test_session_has_its_verdicts(fake_session: FakeSession, mess: Callable[[str], Path], title: str) -> None:
    """Foreign, doubled, missing, cut and garbled replies: 0 wrong CLEAN."""
    octets, verdicts = SESSIONS[title]
    fake_session.replies = [octets]

    assert verdicts_of(fake_session, mess("clean")) == verdicts


@pytest.mark.parametrize("length", range(len(OK % 1) * 3))
def test_session_cut_at_every_octet_is_clean_only_where_it_is_whole(
    fake_session: FakeSession, mess: Callable[[str], Path], length: int
) -> None:
    """As many are CLEAN as replies came whole, and the others are ERROR."""
    fake_session.replies = [(OK % 2 + OK % 1 + OK % 3)[:length]]
    whole = length // len(OK % 1)

    assert verdicts_of(fake_session, mess("clean")) == [[E, E, E], [E, C, E], [C, C, E]][whole]


def test_session_that_comes_octet_by_octet_is_read(fake_session: FakeSession, mess: Callable[[str], Path]) -> None:
    """Where the octets are parted does not matter."""
    octets = OK % 2 + b"1: fd[9]: Eicar FOUND\0" + OK % 3
    fake_session.replies = [octets[index : index + 1] for index in range(len(octets))]

    assert verdicts_of(fake_session, mess("clean")) == [V, C, C]


def test_lost_scans_are_asked_three_times_and_then_an_error(
    fake_session: FakeSession, mess: Callable[[str], Path]
) -> None:
    """A clamd that always hangs up is an ERROR in the end, not an endless loop."""
    fake_session.expected_count = 1

    answers = [scanned.answer for scanned in ClamdClient(fake_session.path).scan_many([mess("clean")], connections=1)]

    assert [(a.verdict, a.reason) for a in answers] == [(Verdict.ERROR, "clamd ended the session")]
    assert fake_session.connection_count == 3


def test_server_that_lies_is_not_asked_again(fake_session: FakeSession, mess: Callable[[str], Path]) -> None:
    """A reply to a question that was not asked: nothing more is believed."""
    fake_session.expected_count = 1
    fake_session.replies = [OK % 7]

    answers = [scanned.answer for scanned in ClamdClient(fake_session.path).scan_many([mess("clean")], connections=1)]

    assert [a.reason for a in answers] == ["reply to no question of this session: 7: fd[10]: OK"]
    assert fake_session.connection_count == 1


def test_silent_session_ends_at_the_time_limit(fake_session: FakeSession, mess: Callable[[str], Path]) -> None:
    """Questions without an answer are ERROR when their time is up, and the answers before stay."""
    fake_session.replies = [OK % 2]
    fake_session.holds = True

    with ClamdClient(fake_session.path, timeout_s=0.3).session() as session:
        answers = sorted(session.scan_many([mess("clean")] * 3), key=lambda scanned: scanned.number)

    assert [scanned.answer.verdict for scanned in answers] == [E, C, E]
    assert {scanned.answer.reason for scanned in answers} == {"", "no answer within 0.3 s"}


@pytest.mark.parametrize("reply", [b"1: stream: OK\0", b"1: stream: Eicar FOUND\0", b"stream: OK\0", b""], ids=repr)
def test_answer_before_the_whole_stream_is_never_clean(tmp_path: Path, reply: bytes) -> None:
    """Over TCP a server that says OK after the first octets did not see the mail."""
    path = tmp_path / "large"
    path.write_bytes(b"x" * 20_000_000)

    def serve(listener: socket.socket) -> None:
        for _ in range(3):  # a scan that was lost is asked three times
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(reply)
                    connection.settimeout(10)
                    connection.recv(1 << 16)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        ended = ends(path, clamd(listener.getsockname()))

    assert ended == REFUSAL


def test_more_questions_than_the_socket_takes_wait_their_turn(
    fake_session: FakeSession, mess: Callable[[str], Path]
) -> None:
    """With 600 in flight the socket is full before the server reads; all are asked in the end, each once."""
    fake_session.expected_count = 600
    fake_session.replies = [b"".join(OK % number for number in range(600, 0, -1))]

    with ClamdClient(fake_session.path, timeout_s=30).session(in_flight=600) as session:
        answers = list(session.scan_many([mess("clean")] * 600))

    assert [scanned.number for scanned in answers] == list(range(599, -1, -1))
    assert {scanned.answer.verdict for scanned in answers} == {C}


def test_session_that_nobody_accepts_ends_at_the_time_limit(
    tmp_path: Path, mess: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clamd whose queue of connections stays full costs the time limit, and then it is a refusal."""
    monkeypatch.chdir(tmp_path)  # a name of one letter is short enough for a socket
    path = mess("clean")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind("s")
        listener.listen(0)
        first.connect("s")
        with ClamdClient("s", timeout_s=0.1).session() as session:
            answer = session.scan(path)

    assert (answer.verdict, answer.reason) == (E, "no answer within 0.1 s")
