"""Tests of clamd_session.py and clamd_channel.py with a real clamd, over its Unix socket and over TCP."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indimail_kit.qhpsi import ClamdClient, ClamdDaemon, ScannedFile, clamd
from indimail_kit.qhpsi.clamd_address import clamd_address
from indimail_kit.qhpsi.clamd_session import GATHER_NS, Pool, gather_ns
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

MANY = 120


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Files of many sizes; of each three, two have a signature of their own: path -> its name, or ""."""
    directory = tmp_path_factory.mktemp("signed")
    source = random.Random(1)  # noqa: S311 - contents, not secrets
    names = {}
    for number in range(MANY):
        path = directory / f"{number}"
        path.write_bytes(source.randbytes(source.choice([10, 500, 4_000, 60_000])))
        names[path] = f"Kit.Number-{number}.UNOFFICIAL" if number % 3 else ""
    return names


@pytest.fixture(scope="module")
def signing_clamd(signed: dict[Path, str]) -> Iterator[tuple[ClamdDaemon, ClamdClient]]:
    """A clamd that knows these signatures, and its client over TCP."""
    with ClamdDaemon(options={"StreamMaxLength": "200K"}, has_tcp=True) as daemon:
        daemon.stop()
        lines = [
            f"{hashlib.md5(octets).hexdigest()}:{len(octets)}:{name.removesuffix('.UNOFFICIAL')}\n"  # noqa: S324 - clamd's form
            for path, name in signed.items()
            if name and (octets := path.read_bytes())
        ]
        (daemon.directory / "db" / "numbers.hdb").write_text("".join(lines))
        daemon.start()
        assert daemon.tcp_port is not None
        yield daemon, clamd(("127.0.0.1", daemon.tcp_port))


def found(answers: Iterator[ScannedFile]) -> dict[int, tuple[Verdict, str]]:
    """Return number -> verdict and signature; twice the same number is an error."""
    result: dict[int, tuple[Verdict, str]] = {}
    for scanned in answers:
        assert scanned.number not in result
        result[scanned.number] = (scanned.answer.verdict, scanned.answer.signature)
    return result


def expected(names: list[str]) -> dict[int, tuple[Verdict, str]]:
    """Return what `found` must give."""
    return {number: (Verdict.INFECTED if name else Verdict.CLEAN, name) for number, name in enumerate(names)}


def in_session(client: ClamdClient, paths: list[Path], in_flight: int) -> Iterator[ScannedFile]:
    """Scan in a session that ends afterwards."""
    with client.session(in_flight=in_flight) as session:
        yield from session.scan_many(paths)


WAYS: dict[str, Callable[[ClamdClient, list[Path]], Iterator[ScannedFile]]] = {
    "many": lambda client, paths: client.scan_many(paths),
    "many, one connection": lambda client, paths: client.scan_many(paths, connections=1),
    "many, three connections": lambda client, paths: client.scan_many(paths, connections=3),
    "session": lambda client, paths: in_session(client, paths, 8),
    "session, 30 in flight": lambda client, paths: in_session(client, paths, 30),
    "session, one in flight": lambda client, paths: in_session(client, paths, 1),
}


@pytest.mark.parametrize("is_tcp", [False, True], ids=["unix", "tcp"])
@pytest.mark.parametrize("way", WAYS)
def test_every_file_gets_the_answer_that_is_its_own(
    signing_clamd: tuple[ClamdDaemon, ClamdClient], signed: dict[Path, str], way: str, is_tcp: bool
) -> None:
    """With a signature a file, no answer goes to another file, however many are in flight and in whatever order."""
    daemon, tcp = signing_clamd
    client = tcp if is_tcp else daemon.client

    assert found(WAYS[way](client, list(signed))) == expected(list(signed.values()))


def test_answers_come_in_clamds_order(signing_clamd: tuple[ClamdDaemon, ClamdClient], signed: dict[Path, str]) -> None:
    """A large file in front holds nobody up: the numbers are not in the order of the paths."""
    paths = sorted(signed, key=lambda path: -path.stat().st_size)

    numbers = [scanned.number for scanned in signing_clamd[0].client.scan_many(paths)]

    assert sorted(numbers) == list(range(MANY))
    assert numbers != sorted(numbers)


def test_paths_come_back_as_they_were_given(clamd: ClamdDaemon, mess: Callable[[str], Path]) -> None:
    """Path, text and octets are all names of files, the same one twice included."""
    path = mess("eicar")
    paths = [path, str(path), os.fsencode(path), path]

    answers = sorted(clamd.client.scan_many(paths), key=lambda scanned: scanned.number)

    assert [scanned.path for scanned in answers] == paths
    assert {scanned.answer.verdict for scanned in answers} == {Verdict.INFECTED}


def test_no_path_gives_no_answer(clamd: ClamdDaemon) -> None:
    """Nothing to scan is nothing yielded."""
    assert list(clamd.client.scan_many([])) == []


@pytest.mark.parametrize("path", ["/etc/passwd", b"/etc/passwd", Path("/etc/passwd")], ids=repr)
def test_one_path_instead_of_several_is_a_mistake(clamd: ClamdDaemon, path: str) -> None:
    """A text is not scanned letter by letter."""
    with pytest.raises(TypeError, match="expected several paths, not one"):
        list(clamd.client.scan_many(path))


@pytest.mark.parametrize("is_tcp", [False, True], ids=["unix", "tcp"])
def test_bad_paths_do_not_disturb_the_others(
    signing_clamd: tuple[ClamdDaemon, ClamdClient], signed: dict[Path, str], tmp_path: Path, is_tcp: bool
) -> None:
    """Missing files and directories among good ones have their own answers; nobody else's changes."""
    client = signing_clamd[1] if is_tcp else signing_clamd[0].client
    mixed = [other for path in list(signed)[:30] for other in (path, tmp_path / "none", tmp_path)]

    answers = sorted(in_session(client, mixed, 8), key=lambda scanned: scanned.number)

    reasons = [scanned.answer.reason for scanned in answers]
    assert reasons == ["", "message: No such file or directory", "not a regular file"] * 30
    assert [s.answer.verdict for s in answers[1:3]] == [Verdict.ERROR, Verdict.NOT_SCANNED]
    assert [s.answer.signature for s in answers[::3]] == list(signed.values())[:30]


def test_stream_over_the_limit_costs_its_neighbours_nothing(
    signing_clamd: tuple[ClamdDaemon, ClamdClient], signed: dict[Path, str], tmp_path: Path
) -> None:
    """Clamd ends a whole session for one stream over StreamMaxLength; so a stream has its session for itself."""
    large = tmp_path / "large"
    large.write_bytes(b"x" * 300_000)
    paths = [other for path in list(signed)[:20] for other in (path, large)]

    answers = sorted(signing_clamd[1].scan_many(paths, connections=2), key=lambda scanned: scanned.number)

    assert {s.answer.reason for s in answers[1::2]} == {"longer than clamd's StreamMaxLength"}
    assert [s.answer.signature for s in answers[::2]] == list(signed.values())[:20]
    assert {s.answer.verdict for s in answers[1::2]} == {Verdict.NOT_SCANNED}


@pytest.mark.parametrize(("length", "verdict"), [(204_800, Verdict.CLEAN), (204_801, Verdict.NOT_SCANNED)])
def test_stream_limit_over_tcp_counts_on_both_sides(
    signing_clamd: tuple[ClamdDaemon, ClamdClient], tmp_path: Path, length: int, verdict: Verdict
) -> None:
    """Exactly StreamMaxLength is scanned; one octet more is not."""
    path = tmp_path / "edge"
    path.write_bytes(b"x" * length)

    assert signing_clamd[1].scan_file(path).verdict is verdict


def test_files_travel_over_tcp_as_streams_and_the_answer_says_so(
    signing_clamd: tuple[ClamdDaemon, ClamdClient], mess: Callable[[str], Path]
) -> None:
    """No descriptor goes over TCP; scanner tells which command took its place."""
    answer = signing_clamd[1](mess("eicar-zip"))

    assert answer.verdict is Verdict.INFECTED
    assert answer.scanner == f"{signing_clamd[0].version} (over TCP: files by INSTREAM)"
    assert answer.raw.startswith(b"stream: ")


def test_all_verbs_work_over_tcp(signing_clamd: tuple[ClamdDaemon, ClamdClient], mess: Callable[[str], Path]) -> None:
    """PING, VERSION, STATS, RELOAD, SCAN and INSTREAM do not mind the kind of socket."""
    client = signing_clamd[1]

    assert (client.ping(), client.reload(), client.thread_limit()) == (True, "RELOADING", 10)
    assert client.version() == signing_clamd[0].client.version()
    assert client.scan_path(mess("eicar")).verdict is Verdict.INFECTED
    assert client.scan_stream(mess("clean").read_bytes()).verdict is Verdict.CLEAN


def test_path_is_not_scanned_by_a_clamd_elsewhere(mess: Callable[[str], Path]) -> None:
    """Another host has another file of this name; nobody is asked."""
    answer = clamd_elsewhere().scan_path(mess("eicar"))

    assert (answer.verdict, answer.reason) == (Verdict.NOT_SCANNED, "SCAN of a path: clamd is elsewhere")


def clamd_elsewhere() -> ClamdClient:
    """Return a client of a host that does not exist."""
    return ClamdClient(("192.0.2.1", 3310))


def test_empty_file_is_scanned_over_tcp(signing_clamd: tuple[ClamdDaemon, ClamdClient], tmp_path: Path) -> None:
    """No chunk but the end."""
    (tmp_path / "empty").touch()

    assert signing_clamd[1].scan_file(tmp_path / "empty").verdict is Verdict.CLEAN


def test_session_is_a_scanner_for_several_threads(
    signing_clamd: tuple[ClamdDaemon, ClamdClient], signed: dict[Path, str]
) -> None:
    """Eight threads on one session: each gets its own answer, also while one of them scans many."""
    with signing_clamd[0].client.session(in_flight=3) as session, ThreadPoolExecutor(8) as pool:
        many = pool.submit(lambda: found(session.scan_many(list(signed))))
        signatures = [answer.signature for answer in pool.map(session, signed)]

    assert signatures == list(signed.values())
    assert many.result() == expected(list(signed.values()))


def test_session_can_be_asked_while_it_scans_many(
    signing_clamd: tuple[ClamdDaemon, ClamdClient], signed: dict[Path, str]
) -> None:
    """Between two answers the caller may ask for another scan."""
    paths = list(signed)
    with signing_clamd[0].client.session() as session:
        pairs = [(scanned.number, session.scan(paths[1]).signature) for scanned in session.scan_many(paths[:20])]

    assert sorted(pairs) == [(number, "Kit.Number-1.UNOFFICIAL") for number in range(20)]


def test_caller_who_stops_early_leaves_the_session_usable(
    signing_clamd: tuple[ClamdDaemon, ClamdClient], signed: dict[Path, str]
) -> None:
    """Answers that nobody fetched do not go to the next question."""
    paths = list(signed)
    with signing_clamd[0].client.session() as session:
        for _ in range(5):
            next(session.scan_many(paths))
        answers = [session.scan(path).signature for path in paths[:10]]

    assert answers == [signed[path] for path in paths[:10]]


def test_closed_session_answers_error(clamd: ClamdDaemon, mess: Callable[[str], Path]) -> None:
    """After close nothing is opened again, and nothing is clean."""
    with clamd.client.session() as session:
        before = session.scan(mess("clean"))
    after = [session.scan(mess("clean")), *(s.answer for s in session.scan_many([mess("clean")]))]

    assert before.verdict is Verdict.CLEAN
    assert [(answer.verdict, answer.reason) for answer in after] == [(Verdict.ERROR, "session closed")] * 2


def test_session_that_clamd_ended_is_opened_again(mess: Callable[[str], Path]) -> None:
    """Clamd ends a session that has nothing to do, and a restarted clamd knows none: the next scan opens a new one."""
    verdicts: list[ScanAnswer] = []
    with ClamdDaemon() as daemon, daemon.client.session() as session:
        for _ in range(3):
            verdicts.append(session.scan(mess("eicar")))
            daemon.stop()
            daemon.start()

    assert [answer.verdict for answer in verdicts] == [Verdict.INFECTED] * 3


@pytest.mark.parametrize(("connections", "in_flight"), [(0, 1), (-1, 1), (1, 0)])
def test_pool_of_nothing_is_a_mistake(clamd: ClamdDaemon, connections: int, in_flight: int) -> None:
    """At least one connection and one scan in flight."""
    with pytest.raises(ValueError, match="at least one connection and one scan in flight"):
        clamd.client._pool(connections=connections, in_flight=in_flight)


def test_paths_are_taken_as_they_are_needed(clamd: ClamdDaemon, mess: Callable[[str], Path]) -> None:
    """An endless list of paths is no problem: only those in flight are taken."""
    taken: list[int] = []
    path = mess("clean")  # written once: clamd ends itself when a file gets shorter while it looks

    def endless() -> Iterator[Path]:
        while True:
            taken.append(1)
            yield path

    answers = clamd.client.scan_many(endless(), connections=2)
    fetched = [next(answers) for _ in range(50)]
    answers.close()  # type: ignore[attr-defined]  # it is a generator

    assert {scanned.answer.verdict for scanned in fetched} == {Verdict.CLEAN}
    assert 50 < len(taken) <= 50 + 2 * 4


def test_many_scans_leave_no_descriptor(
    signing_clamd: tuple[ClamdDaemon, ClamdClient], signed: dict[Path, str], tmp_path: Path
) -> None:
    """Whether ended, stopped early or failed, in pools and sessions, over either socket."""
    paths = [*signed, tmp_path, tmp_path / "none"]
    clients = (signing_clamd[0].client, signing_clamd[1], ClamdClient(tmp_path / "no.sock"))
    before = len(list(Path("/proc/self/fd").iterdir()))

    for client in clients:
        assert len(list(client.scan_many(paths))) == len(paths)
        early = client.scan_many(paths)
        next(early)
        early.close()  # type: ignore[attr-defined]  # it is a generator
        with client.session() as session:
            next(session.scan_many(paths))

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_large_file_goes_over_tcp_whole(tmp_path: Path) -> None:
    """Eight megabytes do not fit in the socket at once; clamd gets all of them, in order."""
    path = tmp_path / "large"
    octets = random.Random(2).randbytes(8_000_000)  # noqa: S311 - contents, not secrets
    path.write_bytes(octets)
    with ClamdDaemon(has_tcp=True) as daemon:
        daemon.stop()
        line = f"{hashlib.md5(octets).hexdigest()}:{len(octets)}:Kit.Large\n"  # noqa: S324 - clamd's form
        (daemon.directory / "db" / "large.hdb").write_text(line)
        daemon.start()
        answer = clamd(("127.0.0.1", daemon.tcp_port or 0)).scan_file(path)

    assert (answer.verdict, answer.signature) == (Verdict.INFECTED, "Kit.Large.UNOFFICIAL")


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        (b"and more", Verdict.NOT_SCANNED, "message changed while it was sent"),
        (b"", Verdict.ERROR, "message could not be sent: became shorter while it was sent"),
    ],
    ids=["longer", "shorter"],
)
def test_message_that_changes_while_it_is_sent_is_not_clean(
    signing_clamd: tuple[ClamdDaemon, ClamdClient],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: bytes,
    verdict: Verdict,
    reason: str,
) -> None:
    """What clamd got was not the whole message, or not the one that lies there now."""
    path = tmp_path / "message"
    path.write_bytes(b"harmless")
    sendfile = os.sendfile

    def changing(*arguments: int) -> int:
        path.write_bytes(b"harmless" + change if change else b"")
        return sendfile(*arguments)

    monkeypatch.setattr(os, "sendfile", changing)
    answer = signing_clamd[1].scan_file(path)

    assert (answer.verdict, answer.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("gap_ns", "open_count", "pause_ns"),
    [
        pytest.param(300_000.0, 20, 1_500_000, id="half of those that wait"),
        pytest.param(300_000.0, 10, 0, id="nobody waits"),
        pytest.param(300_000.0, 4, 0, id="sessions with nothing to do"),
        pytest.param(10_000.0, 20, 0, id="too short to be worth it"),
        pytest.param(900_000_000.0, 20, GATHER_NS, id="slow scans"),
        pytest.param(0.0, 20, 0, id="nothing known yet"),
    ],
)
def test_answers_gather_only_while_clamd_has_more_to_do(gap_ns: float, open_count: int, pause_ns: int) -> None:
    """No pause that leaves a thread of clamd without work, and none that is felt."""
    assert gather_ns(gap_ns, open_count=open_count, connections=10) == pause_ns


@pytest.mark.parametrize(("in_flight", "is_paused"), [(1, False), (8, True)])
def test_pool_pauses_with_several_in_flight_and_loses_nothing(
    clamd: ClamdDaemon, mess: Callable[[str], Path], in_flight: int, is_paused: bool
) -> None:
    """With a clock that runs a millisecond at each look: the pauses are short, and each file has its answer."""
    pauses: list[float] = []
    pool = Pool(
        clamd_address(clamd.socket_path), connections=1, in_flight=in_flight, timeout_s=120,
        clock_ns=itertools.count(0, 1_000_000).__next__, name=lambda _reply: "", pause=pauses.append,
    )  # fmt: skip
    answers = found(pool.scan_many([mess("clean"), mess("eicar")] * 20))
    pool.close()

    assert sorted(answers) == list(range(40))
    assert [answers[number][0] for number in (0, 1)] == [Verdict.CLEAN, Verdict.INFECTED]
    assert (bool(pauses), all(0 < pause <= GATHER_NS / 10**9 for pause in pauses)) == (is_paused, True)
