"""Tests of clamd_client.py: a real clamd where it can be asked, a fake one for what it cannot be asked to do."""

from __future__ import annotations

import itertools
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.errors import ScanError
from indimail_kit.qhpsi import ClamdClient, ClamdDaemon
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

REPLIES = json.loads(Path(__file__).with_name("replies.json").read_text(encoding="utf-8"))

WAYS = ["scan_file", "scan_path", "scan_stream"]


def ask(client: ClamdClient, way: str, path: Path) -> ScanAnswer:
    """Scan a file in one of the three ways."""
    return client.scan_stream(path.read_bytes()) if way == "scan_stream" else getattr(client, way)(path)


# ---- the real clamd ----


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("clean", Verdict.CLEAN),
        ("eicar", Verdict.INFECTED),
        ("eicar-base64", Verdict.INFECTED),
        ("eicar-zip", Verdict.INFECTED),
    ],
)
def test_mail_has_its_verdict(
    clamd: ClamdDaemon, mess: Callable[[str], Path], way: str, name: str, verdict: Verdict
) -> None:
    """The test virus is found plain, in Base64 and in a zip file, by descriptor, by path and by stream."""
    answer = ask(clamd.client, way, mess(name))

    assert (answer.verdict, answer.reason) == (verdict, "")
    assert answer.signature == ("IndiMailKit.Eicar-Test-Signature.UNOFFICIAL" if verdict is Verdict.INFECTED else "")
    assert answer.scanner == clamd.version
    assert answer.elapsed_ns > 0
    assert answer.scanner_rc is None


HOSTILE_NAMES = [
    b"a: OK",
    b": OK",
    b"x: Eicar FOUND",
    b"new\nline",
    b"cr\rtab\t",
    b"\xff\xfe not UTF-8",
    "grüße 请".encode(),
    b" leading and trailing ",
    b"-option",
    b"%s;$(id)|`id`",
    b"a" * 200,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=repr)
@pytest.mark.parametrize("way", ["scan_file", "scan_path"])
@pytest.mark.parametrize("is_infected", [False, True])
def test_hostile_name_does_not_change_the_verdict(
    clamd: ClamdDaemon, tmp_path: Path, eicar_octets: bytes, name: bytes, way: str, is_infected: bool
) -> None:
    """Colons, line ends, octets that are not UTF-8 in a name: the verdict is the content's."""
    path = os.fsencode(tmp_path) + b"/" + name
    Path(os.fsdecode(path)).write_bytes(eicar_octets if is_infected else b"harmless")

    answer = getattr(clamd.client, way)(path)

    assert answer.verdict is (Verdict.INFECTED if is_infected else Verdict.CLEAN)


@pytest.mark.parametrize("way", ["scan_file", "scan_path"])
def test_symbolic_link_leads_to_the_virus(
    clamd: ClamdDaemon, tmp_path: Path, mess: Callable[[str], Path], way: str
) -> None:
    """Clamd answers OK for a link that it does not follow; here the link is followed first."""
    link = tmp_path / "link"
    link.symlink_to(mess("eicar"))

    assert getattr(clamd.client, way)(link).verdict is Verdict.INFECTED


def test_clamd_itself_says_ok_for_a_link(clamd: ClamdDaemon, tmp_path: Path, mess: Callable[[str], Path]) -> None:
    """The trap that scan_path walks around is real."""
    link = tmp_path / "link"
    link.symlink_to(mess("eicar"))

    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(clamd.socket_path))
        raw.sendall(b"zSCAN " + os.fsencode(link) + b"\0")
        assert raw.recv(4096) == os.fsencode(link) + b": OK\0"


@pytest.mark.parametrize("way", ["scan_file", "scan_path"])
def test_what_is_no_file_is_not_scanned(clamd: ClamdDaemon, tmp_path: Path, way: str) -> None:
    """A directory and a FIFO are NOT_SCANNED, and nobody waits for them."""
    os.mkfifo(tmp_path / "fifo")

    answers = [getattr(clamd.client, way)(path) for path in (tmp_path, tmp_path / "fifo")]

    assert [(a.verdict, a.reason) for a in answers] == [(Verdict.NOT_SCANNED, "not a regular file")] * 2


@pytest.mark.parametrize("way", ["scan_file", "scan_path"])
def test_missing_message_is_an_error(clamd: ClamdDaemon, tmp_path: Path, way: str) -> None:
    """A file that is gone is an ERROR that says so."""
    answer = getattr(clamd.client, way)(tmp_path / "none")

    assert (answer.verdict, answer.reason) == (Verdict.ERROR, "message: No such file or directory")


@pytest.mark.parametrize("chunks", [[], [b""], [b"", b"x", b""]], ids=repr)
def test_empty_chunks_do_not_end_the_stream(clamd: ClamdDaemon, chunks: list[bytes], eicar_octets: bytes) -> None:
    """An empty stream is clean; an empty chunk before the virus does not hide it."""
    assert clamd.client.scan_stream(iter(chunks)).verdict is Verdict.CLEAN
    assert clamd.client.scan_stream([*chunks, eicar_octets]).verdict is Verdict.INFECTED


def test_stream_of_many_chunks_is_one_file(clamd: ClamdDaemon, eicar_octets: bytes) -> None:
    """A virus cut into single octets is found."""
    assert clamd.client.scan_stream(eicar_octets[i : i + 1] for i in range(68)).verdict is Verdict.INFECTED


@pytest.fixture(scope="module")
def small_clamd() -> Iterator[ClamdDaemon]:
    """A clamd with low limits."""
    with ClamdDaemon(options={"StreamMaxLength": "100K", "MaxFileSize": "200K"}) as daemon:
        yield daemon


@pytest.mark.parametrize("piece_bytes", [1_000, 50_000, 10_000_000])
def test_stream_over_the_limit_is_not_scanned(small_clamd: ClamdDaemon, piece_bytes: int, eicar_octets: bytes) -> None:
    """Beyond StreamMaxLength the verdict is NOT_SCANNED, whatever the chunks; clamdscan --stream says clean there."""
    octets = b"x" * 102_400 + eicar_octets
    chunks = [octets[i : i + piece_bytes] for i in range(0, len(octets), piece_bytes)]

    answer = small_clamd.client.scan_stream(chunks)

    assert (answer.verdict, answer.reason) == (Verdict.NOT_SCANNED, "longer than clamd's StreamMaxLength")


@pytest.mark.parametrize(("length", "verdict"), [(102_400, Verdict.CLEAN), (102_401, Verdict.NOT_SCANNED)])
def test_stream_limit_counts_on_both_sides(small_clamd: ClamdDaemon, length: int, verdict: Verdict) -> None:
    """Exactly StreamMaxLength is scanned; one octet more is not."""
    assert small_clamd.client.scan_stream(b"x" * length).verdict is verdict


def test_long_stream_over_the_limit_is_not_scanned(small_clamd: ClamdDaemon) -> None:
    """Clamd hangs up in the middle of five megabytes; its word is still read."""
    assert small_clamd.client.scan_stream([b"x" * 65_536] * 80).verdict is Verdict.NOT_SCANNED


@pytest.mark.parametrize("way", ["scan_file", "scan_path"])
def test_file_over_the_limit_is_not_scanned(small_clamd: ClamdDaemon, tmp_path: Path, way: str) -> None:
    """A file beyond MaxFileSize is neither clean nor a virus."""
    path = tmp_path / "big"
    path.write_bytes(b"x" * 300_000)

    answer = getattr(small_clamd.client, way)(path)

    assert (answer.verdict, answer.signature) == (Verdict.NOT_SCANNED, "")
    assert answer.reason == "beyond clamd's limits: Heuristics.Limits.Exceeded.MaxFileSize"


def test_threads_do_not_mix_their_replies(clamd: ClamdDaemon, mess: Callable[[str], Path]) -> None:
    """One client in eight threads: 400 scans, every second one infected, every verdict right."""
    paths = [mess("clean"), mess("eicar")] * 200

    with ThreadPoolExecutor(8) as pool:
        verdicts = [answer.verdict for answer in pool.map(clamd.client, paths)]

    assert verdicts == [Verdict.CLEAN, Verdict.INFECTED] * 200


def test_no_descriptor_is_left_behind(clamd: ClamdDaemon, tmp_path: Path, mess: Callable[[str], Path]) -> None:
    """Scans of all kinds, good and bad, leave as many descriptors as there were."""
    paths = [mess("clean"), mess("eicar"), tmp_path / "none", tmp_path]
    absent = ClamdClient(tmp_path / "no.sock")
    clamd.client(paths[0])
    before = len(list(Path("/proc/self/fd").iterdir()))

    for path, client, way in itertools.product(paths, (clamd.client, absent), ("scan_file", "scan_path")):
        getattr(client, way)(path)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_administration_is_pyclamds(clamd: ClamdDaemon) -> None:
    """PING, VERSION, STATS and RELOAD work over a connection each."""
    client = ClamdClient(str(clamd.socket_path))

    assert client.ping() is True
    assert client.version().startswith("ClamAV ")
    assert client.stats().startswith("POOLS: ")
    assert client.stats().endswith("END")
    assert client.reload() == "RELOADING"


# ---- a real clamd that dies ----


@pytest.mark.parametrize("dies_before_chunk", [0, 1, 2, 10, 39])
def test_clamd_killed_in_mid_stream_is_an_error(eicar_octets: bytes, dies_before_chunk: int) -> None:
    """A clamd that is killed between two chunks leaves an ERROR; pyclamd says clean there."""
    with ClamdDaemon() as daemon:

        def chunks() -> Iterator[bytes]:
            yield eicar_octets
            for number in range(40):
                if number == dies_before_chunk:
                    daemon.kill()
                yield b"x" * 10_000

        answer = daemon.client.scan_stream(chunks())

    assert (answer.verdict, answer.signature) == (Verdict.ERROR, "")


def test_clamd_killed_while_it_scans_is_never_clean(tmp_path: Path, eicar_octets: bytes, attachment: Any) -> None:
    """Killed at twelve moments of a scan that takes a while, clamd leaves INFECTED or ERROR, at least once ERROR."""
    path = tmp_path / "large"
    path.write_bytes(attachment(os.urandom(3_000_000) + eicar_octets))
    verdicts = []
    with ClamdDaemon() as daemon:
        for delay_ms in range(0, 60, 5):
            daemon.start()
            killer = threading.Timer(delay_ms / 1000, daemon.kill)
            killer.start()
            verdicts.append(daemon.client(path).verdict)
            killer.join()

    assert Verdict.ERROR in verdicts
    assert set(verdicts) <= {Verdict.ERROR, Verdict.INFECTED}


def test_stopped_clamd_is_an_error_and_comes_back(mess: Callable[[str], Path]) -> None:
    """Without clamd every scan is an ERROR; after a new start the same client works."""
    with ClamdDaemon() as daemon:
        path = mess("eicar")
        daemon.stop()
        down = [ask(daemon.client, way, path) for way in WAYS]
        daemon.kill()
        daemon.start()
        up = [ask(daemon.client, way, path) for way in WAYS]

    assert [answer.verdict for answer in down] == [Verdict.ERROR] * 3
    assert down[0].reason == "clamd: No such file or directory"
    assert [answer.verdict for answer in up] == [Verdict.INFECTED] * 3


def test_killed_clamd_leaves_a_dead_socket(mess: Callable[[str], Path]) -> None:
    """The socket of a killed clamd is still there; asking it is an ERROR."""
    with ClamdDaemon() as daemon:
        daemon.kill()
        answer = daemon.client(mess("clean"))

    assert (answer.verdict, answer.reason) == (Verdict.ERROR, "clamd: Connection refused")


def test_clamd_that_reloads_meanwhile_stays_right(mess: Callable[[str], Path]) -> None:
    """Scans around reloads are right, each of them."""
    path = mess("eicar")
    with ClamdDaemon(options={"MaxThreads": "2"}) as daemon:
        verdicts = []
        for _ in range(5):
            daemon.client.reload()
            verdicts.append(daemon.client(path).verdict)

    assert verdicts == [Verdict.INFECTED] * 5


# ---- a server that misbehaves ----


@pytest.mark.parametrize("way", ["scan_file", "scan_stream"])
@pytest.mark.parametrize(("title", "reply", "verdict"), REPLIES, ids=[row[0] for row in REPLIES])
def test_reply_over_a_socket_has_its_verdict(
    fake_clamd: Any, mess: Callable[[str], Path], title: str, reply: str, verdict: str, way: str
) -> None:
    """The table of replies, sent by a server that then closes: 0 wrong CLEAN."""
    name = b"stream" if way == "scan_stream" else b"fd[10]"
    fake_clamd.reply = reply.encode("latin-1").replace(b"NAME", name)

    answer = ask(ClamdClient(fake_clamd.path), way, mess("eicar"))

    assert answer.verdict.value == verdict
    assert answer.raw == fake_clamd.reply


@pytest.mark.parametrize("read_limit", [0, 1, 5, 9, 10, 13, 14, 50, 100])
def test_server_that_hangs_up_before_the_end_is_never_clean(
    fake_clamd: Any, mess: Callable[[str], Path], read_limit: int
) -> None:
    """A server that reads some octets, says OK and closes did not see the whole message."""
    fake_clamd.read_limit = read_limit
    fake_clamd.reply = b"stream: OK\0"

    answer = ClamdClient(fake_clamd.path).scan_stream([mess("eicar").read_bytes(), b"x" * 2_000_000])

    assert answer.verdict is Verdict.ERROR


def test_endless_reply_is_an_error(fake_clamd: Any, mess: Callable[[str], Path]) -> None:
    """A reply without end is cut off at 64 KiB."""
    fake_clamd.reply = b"fd[1]: " + b"x" * 200_000

    answer = ClamdClient(fake_clamd.path)(mess("clean"))

    assert (answer.verdict, answer.reason) == (Verdict.ERROR, "clamd: reply of more than 65536 octets")


def test_silence_ends_at_the_time_limit(fake_clamd: Any, mess: Callable[[str], Path]) -> None:
    """A clamd that never answers is an ERROR after the time limit, once, not five times."""
    fake_clamd.is_silent = True

    answer = ClamdClient(fake_clamd.path, timeout_s=0.4)(mess("clean"))

    assert (answer.verdict, answer.reason) == (Verdict.ERROR, "no answer within 0.4 s")
    assert 0.4 <= answer.elapsed_ns / 10**9 < 2.0


def test_time_limit_is_for_all_of_it(fake_clamd: Any) -> None:
    """The clock runs from connect to the last octet: many quick steps together can be too slow."""
    fake_clamd.reply = b"stream: OK\0"
    ticks = itertools.count(0, 300_000_000)
    client = ClamdClient(fake_clamd.path, timeout_s=2.0, clock_ns=lambda: next(ticks))

    answer = client.scan_stream([b"x"] * 10)

    assert (answer.verdict, answer.reason) == (Verdict.ERROR, "no answer within 2 s")


def test_full_queue_of_connections_ends_at_the_time_limit(
    tmp_path: Path, mess: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clamd that accepts nobody is waited for, and then an ERROR."""
    monkeypatch.chdir(tmp_path)  # a name of one letter is short enough for a socket
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect("s")
            answer = ClamdClient("s", timeout_s=0.1)(mess("clean"))

    assert (answer.verdict, answer.reason) == (Verdict.ERROR, "no answer within 0.1 s")


def test_too_long_socket_path_is_an_error(tmp_path: Path, mess: Callable[[str], Path]) -> None:
    """A path that no socket can have is an ERROR like any other."""
    answer = ClamdClient(tmp_path / ("x" * 120))(mess("clean"))

    assert (answer.verdict, answer.reason) == (Verdict.ERROR, "clamd: AF_UNIX path too long")


@pytest.mark.parametrize("verb", ["ping", "version", "stats", "reload"])
def test_administration_without_clamd_says_so(tmp_path: Path, verb: str) -> None:
    """Where nobody listens, the verbs raise ScanError with the path and the system's reason."""
    with pytest.raises(ScanError, match=r"^clamd at .*none: No such file or directory$"):
        getattr(ClamdClient(Path(os.path.relpath(tmp_path)) / "none"), verb)()


@pytest.mark.parametrize(
    ("verb", "reply", "reason"),
    [
        ("ping", b"", "no reply"),
        ("ping", b"PON", "reply cut off"),
        ("ping", b"PANG\n", "PANG"),
        ("stats", b"POOLS: 1\n\nSTATE", "reply cut off"),
        ("reload", b"NO\n", "clamd did not reload: NO"),
    ],
)
def test_wrong_answers_to_administration_are_errors(fake_clamd: Any, verb: str, reply: bytes, reason: str) -> None:
    """PING is answered by PONG, RELOAD by RELOADING, and each line has its end."""
    fake_clamd.reply = reply

    with pytest.raises(ScanError, match=reason):
        getattr(ClamdClient(fake_clamd.path), verb)()


def test_version_is_asked_once(fake_clamd: Any, mess: Callable[[str], Path]) -> None:
    """The scanner's name comes from VERSION after the first scan that worked."""
    fake_clamd.reply = b"fd[10]: OK\0"
    client = ClamdClient(fake_clamd.path)

    names = [client(mess("clean")).scanner for _ in range(3)]

    assert names == ["Fake 1.0"] * 3
    assert fake_clamd.questions.count(b"nVERSION\n") == 1


def test_failing_scan_does_not_ask_for_the_version(fake_clamd: Any, mess: Callable[[str], Path]) -> None:
    """A clamd in trouble is not asked a second question."""
    answer = ClamdClient(fake_clamd.path)(mess("clean"))

    assert (answer.scanner, fake_clamd.questions) == ("ClamAV", [b"zFILDES\0\0"])
