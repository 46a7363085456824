"""The examination of a host: each test spoils one thing of a healthy one, and exactly that is found."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import socket
import stat
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.admin import HostPlaces, HostReport, Urgency, examine_host, places_of_host, places_of_lab
from indimail_kit.admin.host_clamd import find_confs, look_at_clamd, read_clamd_conf, signatures_unix_ns
from indimail_kit.admin.host_findings import KINDS, Finding, span_text
from indimail_kit.admin.host_logs import find_logs, read_tail
from indimail_kit.admin.host_queue import told_of_room
from indimail_kit.admin.host_services import ServiceLook, log_directory
from indimail_kit.errors import EnvdirError, MissingPartError, QueueError, SuperviseError
from indimail_kit.lab import Lab
from indimail_kit.lab.corpus import make_queue
from indimail_kit.lab.places import Places
from indimail_kit.mailqueue.check import check_queue

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests" / "data" / "indimail"


def _load(name: str) -> Any:
    """Load a module that lies beside this one: in importlib mode no other way finds it."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


scene = _load("host_scene")
NOW_S, NOW_NS = scene.NOW_S, scene.NOW_NS
Host = Any
"""`host_scene.Host`; a module that is loaded by its path has no types."""


@pytest.fixture(autouse=True)
def roomy_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the disk is free, whatever it is on the machine that runs the tests."""
    half = os.statvfs_result((4096, 4096, 2**24, 2**23, 2**23, 2**20, 2**19, 2**19, 0, 255, 0))
    monkeypatch.setattr(os, "statvfs", lambda _place: half)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Make a healthy host."""
    made = scene.Host(tmp_path)
    yield made
    made.close()


def keys(report: HostReport) -> list[str]:
    """Return the kinds of what was found, notes apart, each once."""
    return sorted({one.key for one in report.findings if one.urgency is not Urgency.NOTE})


def found(report: HostReport, key: str) -> Finding:
    """Return the first finding of a kind."""
    return next(one for one in report.findings if one.key == key)


# --- healthy --------------------------------------------------------------------------------------------------------


def test_nothing_is_wrong_with_a_healthy_host(host: Host) -> None:
    """No finding at all, a line of what is fine, and facts on both sides."""
    report = host.examine()

    assert (report.findings, report.is_fine, report.is_seen) == ((), True, True)
    assert {one.area for one in report.fine} == {"queue", "control", "services", "logs"}
    assert {one.side for one in report.facts} == {"configured", "running"}


def test_nothing_is_wrong_with_a_lab_that_runs(tmp_path: Path) -> None:
    """A lab looks like a host; with its mail delivered, there is nothing to find."""
    with Lab(seed=1, scanner="embedded", directory=tmp_path, queue_count=2) as lab:
        lab.send()
        report = examine_host(places_of_lab(lab.directory))

    assert [one.text for one in report.findings] == []


def test_places_of_a_lab_are_where_the_lab_has_them(tmp_path: Path) -> None:
    """Two modules that do not import each other name the same directories."""
    theirs = Places(tmp_path)
    ours = places_of_lab(tmp_path)

    assert (ours.queue, ours.services, ours.control) == (theirs.queue_base, theirs.services, theirs.control)
    assert ours.logs == (theirs.send_log.parent,)


def test_a_machine_without_a_mail_host_has_no_places(tmp_path: Path) -> None:
    """Nothing of IndiMail is here, so there is nothing to examine, and nothing is wrong."""
    places = places_of_host({"QUEUE_BASE": str(tmp_path / "none"), "CONTROLDIR": str(tmp_path / "none")})

    assert (places.queue, places.control) == (None, None)
    assert examine_host(HostPlaces()).findings == ()


# --- one thing spoilt -----------------------------------------------------------------------------------------------


def spoil_trigger(host: Host) -> None:
    (host.layout.directory / "lock" / "trigger").chmod(0o600)


def spoil_split(host: Host) -> None:
    host.fill("wrong-split")


def spoil_inode(host: Host) -> None:
    host.fill("inode-differs")


def spoil_mode(host: Host) -> None:
    host.fill("wrong-mode")


def spoil_holder(host: Host) -> None:
    host.fill(messages=1)
    host.release()


def spoil_todo(host: Host) -> None:
    (host.layout.directory / "mess" / "0" / "x").write_bytes(b"mail\n")
    number = (host.layout.directory / "mess" / "0" / "x").stat().st_ino
    for kind in ("mess", "intd"):
        path = host.layout.path(kind, number)
        if kind == "mess":
            (host.layout.directory / "mess" / "0" / "x").rename(path)
        else:
            path.write_bytes(b"u1\0p1\0Fann@example.com\0Tbob@example.com\0")
        path.chmod(0o644)
        os.utime(path, (NOW_S - 3000, NOW_S - 3000))
    host.layout.path("todo", number).hardlink_to(host.layout.path("intd", number))


def remove(name: str) -> Callable[[Host], None]:
    """Return what removes a control file."""
    return lambda host: (host.control / name).unlink()


def control(name: str, octets: bytes) -> Callable[[Host], None]:
    """Return what writes a control file."""

    def write(host: Host) -> None:
        (host.control / name).write_bytes(octets)

    return write


def variable(**values: str) -> Callable[[Host], None]:
    """Return what sets variables of the service."""
    return lambda host: host.set(**values)


def log(*lines: bytes, name: str = "deliver.25", end_s: int = 60) -> Callable[[Host], None]:
    """Return what writes a log."""
    return lambda host: host.write_log(*lines, name=name, end_s=end_s)


def loop(host: Host) -> None:
    (host.control / "locals").unlink()
    (host.control / "locals").symlink_to("locals")


def stale_rules(host: Host) -> None:
    from indimail_kit.control.cdb import open_rules, write_cdb

    write_cdb(open_rules(host.control / "tcp.smtp"), host.control / "tcp.smtp.cdb")
    os.utime(host.control / "tcp.smtp.cdb", (NOW_S - 7200, NOW_S - 7200))
    os.utime(host.control / "tcp.smtp", (NOW_S - 3600, NOW_S - 3600))


def deliveries(count: int, outcome: bytes, report: bytes) -> tuple[bytes, ...]:
    """Return the lines of messages whose delivery ended so."""
    lines: list[bytes] = []
    for number in range(1, count + 1):
        lines += [
            b"new msg %d queue1" % number,
            b"info msg %d: bytes 10 from <ann@example.com> qp %d uid 1 queue1" % (number, number),
            b"starting delivery %d: msg %d to remote bob@example.net queue1" % (number, number),
            b"delivery %d: %s: %s queue1" % (number, outcome, report),
        ]
    return tuple(lines)


def finished(host: Host) -> None:
    """Let a supervise be gone."""
    os.close(host.ends.pop(0))


def down_on_purpose(host: Host) -> None:
    """Let a service be down, and stay so."""
    host.supervise(pid=0, want=b"d")
    (host.service / "down").touch()


def shut_queue(host: Host) -> None:
    """Put a queue beside the other one whose mess has no sub-directories."""
    (host.directory / "queue" / "queue9" / "mess").mkdir(parents=True)


REFUSED = b"CNAME_lookup_failed_temporarily._(#4.4.3)/"
PUT_OFF = (
    b"qmail-smtpd: pid 5301 from 127.0.0.1 %s (temporary): HELO <x> MAIL from <a@example.com> RCPT <b@example.com>"
    b" AUTH <local-rcpt> Size: 555 TLS=No qp 5303"
)
TAKEN = (
    b"qmail-smtpd: pid 99 from 203.0.113.9  HELO <x> MAIL from <ann@example.com> RCPT <b@example.com>"
    b" AUTH <ann@example.com: AUTH PLAIN> Size: 338 TLS=No"
)
SLIP = b"qmail-smtpd: pid 98 from 203.0.113.9  AUTH USER [ann@example.com] status=[1] AUTH Unknown  TLS=No auth failure"
FRESHCLAM = (
    b"ClamAV update process started at Mon Nov 23 08:24:01 2026",
    b"ERROR: Update failed.",
)
GUESSES = tuple(
    b"qmail-smtpd: pid %d from 203.0.113.66  AUTH USER [u%d] status=[1] AUTH Unknown  TLS=No auth failure" % (at, at)
    for at in range(8)
)

SPOILS: dict[str, tuple[Callable[[Host], None], str, str]] = {
    "trigger without rights": (spoil_trigger, "trigger", "lock/trigger has mode 600"),
    "file in a wrong sub-directory": (spoil_split, "queue-broken", "wrong-split"),
    "copied queue": (spoil_inode, "queue-broken", "inode-differs"),
    "file with a wrong mode": (spoil_mode, "queue-odd", "wrong-mode"),
    "no qmail-send": (spoil_holder, "nobody-delivers", "no qmail-send holds it"),
    "todo that nobody reads": (spoil_todo, "not-preprocessed", "for 50 min"),
    "no me": (remove("me"), "control-me", "missing or empty"),
    "empty me": (control("me", b"\n"), "control-me", "missing or empty"),
    "no rcpthosts": (remove("rcpthosts"), "open-relay", "every domain"),
    "binary rcpthosts": (control("rcpthosts", b"\x7fELF\x01\0\0"), "control-binary", "rcpthosts"),
    "locals in a loop": (loop, "control-unreadable", "locals"),
    "local domain that is not taken": (control("locals", b"example.com\na.example\n"), "domain-refused", "a.example"),
    "virtual domain that is not taken": (control("virtualdomains", b"v.example:v\n"), "domain-refused", "v.example"),
    "concurrencyremote 0": (control("concurrencyremote", b"0\n"), "no-concurrency", "concurrencyremote is 0"),
    "concurrencylocal a word": (control("concurrencylocal", b"many\n"), "not-a-number", "'many'"),
    "holdremote": (control("holdremote", b"1\n"), "held", "holdremote is 1"),
    "queuelifetime of an hour": (control("queuelifetime", b"3600\n"), "short-lifetime", "1 h"),
    "rules that do not compile": (control("tcp.smtp", b"no colon\n"), "rules-refused", "line 1"),
    "rules that deny everybody": (control("tcp.smtp", b"127.:deny\n:deny\n"), "rules-deny-all", "every rule denies"),
    "rules that let everybody relay": (control("tcp.smtp", b':allow,RELAYCLIENT=""\n'), "open-relay", "192.0.2.1"),
    "rules newer than their cdb": (stale_rules, "rules-stale", "1 h"),
    "service down": (lambda host: host.supervise(pid=0), "service-down", "is down"),
    "service paused": (lambda host: host.supervise(paused=True), "service-down", "is paused"),
    "scanner that is not there": (variable(QHPSI="/nowhere/scanner %s"), "scan-refuses", "/nowhere/scanner"),
    "scanner without the file name": (variable(QHPSI="/bin/true --quiet"), "scan-passes", "no %s"),
    "REJECTVIRUS that is no number": (variable(REJECTVIRUS="yes"), "scan-passes", "'yes'"),
    "fast queue": (variable(FASTQUEUE="1"), "scan-passes", "FASTQUEUE"),
    "RELAYCLIENT for all": (variable(RELAYCLIENT=""), "open-relay", "RELAYCLIENT"),
    "directory among the variables": (lambda host: (host.variables / "D").mkdir(), "variables-refused", "D"),
    "log without rights": (lambda host: host.log.chmod(0o555), "log-shut", "mode 555"),
    "log without current": (lambda host: (host.log / "current").unlink(), "log-missing", "current is not there"),
    "clock ahead": (log(b"new msg 1 queue1", end_s=-7200), "clock-ahead", "2 h ahead"),
    "deferrals": (log(*deliveries(9, b"deferral", REFUSED)), "deferrals", "9 of 9"),
    "mail loop": (log(*deliveries(1, b"failure", b"This_message_is_looping:_it_already_has_my_Delivered-To_line.")),
                  "mail-loops", "looping"),
    "backlog": (log(*deliveries(12, b"deferral", REFUSED)), "backlog", "12 messages came, 0 left"),
    "complaint of qmail-send": (log(b"new msg 1 queue1", b"alert: qmail-send: queue1: unable to append to bounce"),
                                "send-complains", "unable to append"),
    "password guessing": (log(*GUESSES, name="smtpd.25"), "guessing", "203.0.113.66 (8 users, 8 times)"),
    "login that fails": (log(*(GUESSES[0].replace(b"[u0]", b"[ann]"),) * 4, name="smtpd.25"), "logins-fail", "ann"),
    "many passwords for few": (log(*(SLIP,) * 12, name="smtpd.25"), "guessing", "(1 user, 12 times)"),
    "login that fails in one program": (log(SLIP, SLIP, TAKEN, name="smtpd.25"), "logins-mixed", "and got in, too"),
    "scanner that gives no verdict": (log(PUT_OFF % b"qq unable to run QHPSI scanner (#4.3.0)", name="smtpd.25"),
                                      "scanner-fails", "QHPSI scanner"),
    "queue that takes nothing": (log(PUT_OFF % b"qq write error or disk full (#4.3.0)", name="smtpd.25"),
                                 "queue-refuses", "disk full"),
    "updates that fail": (log(*FRESHCLAM * 4, name="freshclam"), "freshclam-fails", "times in a row"),
    "lines of nobody": (log(b"new msg 1 queue1", b"what is this?"), "lines-unknown", "1 of 2"),
    "log of last week": (log(b"new msg 1 queue1", end_s=700_000), "log-quiet", "no line for 8 days"),
    "log that is a directory": (lambda host: (host.log / "current").unlink() or (host.log / "current").mkdir(),
                                "log-unreadable", "current"),
    "service that nobody watches": (finished, "service-unsupervised", "no supervise runs"),
    "service for today only": (lambda host: (host.service / "down").touch(), "service-not-kept", "has a file down"),
    "service that is down on purpose": (down_on_purpose, "service-down-on-purpose", "is down"),
    "service that leads nowhere": (lambda host: (host.directory / "service" / "x").symlink_to("y"),
                                   "service-unreadable", "leads to no directory"),
    "service without a listener": (lambda host: host.listener.close(), "nobody-listens", "nobody listens"),
    "services that are gone": (lambda host: (host.directory / "service").rename(host.directory / "was"),
                               "no-services", "No such file"),
    "size above which nothing is scanned": (variable(QHPSIMAXSIZE="1000"), "scan-note", "QHPSIMAXSIZE"),
    "line without a colon": (control("virtualdomains", b"v.example\n"), "bad-line", "v.example"),
    "queue without sub-directories": (shut_queue, "queue-shut", "mess without sub-directories"),
    "copy of a queue beside it": (lambda host: (host.directory / "queue" / "old.tar").write_bytes(b"x" * 9999),
                                  "base-stranger", "old.tar (9,999 octets)"),
    "mail near its end": (lambda host: (host.fill(messages=60), control("queuelifetime", b"300000\n")(host)),
                          "expires", "80% of the queue lifetime"),
    "mail that waits": (lambda host: host.fill(messages=60), "stuck", "recipients waiting longer than 1 h"),
    "queue that is no queue": (lambda host: remove_tree(host.layout.directory), "no-queue", "no queue at"),
    "scanner of a rule that is not there": (control("tcp.smtp", b':allow,QHPSI="/nowhere/scanner %s"\n'),
                                            "scan-refuses", "tcp.smtp rule :"),
    "service that queues elsewhere": (variable(QUEUE_BASE="/elsewhere"), "other-base", "queues into /elsewhere"),
    "network without its dot": (control("tcp.smtp", b"192.168:deny\n:allow\n"), "rule-note", "no dot at the end"),
    "route to nobody": (control("smtproutes", b"a.example:127.0.0.1:1\nb.example:192.0.2.1:1\n"),
                        "route-dead", "sends a.example to 127.0.0.1:1,"),
    "route to itself": (lambda host: control("smtproutes", b":127.0.0.1:%d\n" % host.port)(host),
                        "route-circle", "sends everything to"),
    "scan that fails": (log(b"/q/mess/1/7: Access denied. ERROR", name="clamd"), "scans-fail", "Access denied"),
}  # fmt: skip


COMPANIONS = {"stuck", "not-preprocessed", "expires", "deferrals", "backlog"}
"""What a fault of the queue brings with it: mail that waits."""


@pytest.mark.parametrize("name", SPOILS)
def test_what_is_spoilt_is_found_and_nothing_else(host: Host, name: str) -> None:
    """The finding names the cause, and the text of the report holds it; one fault is one kind of finding."""
    spoil, key, text = SPOILS[name]
    spoil(host)
    report = host.examine()

    assert text in " ".join(one.text for one in report.findings if one.key == key)
    assert (report.is_fine, text in report.text) == (KINDS[key].urgency is Urgency.NOTE, True)
    assert set(keys(report)) - {key} <= COMPANIONS


def test_queues_that_nobody_holds_are_told_at_once(host: Host) -> None:
    """Three queues without their qmail-send are one thing that is wrong, not three."""
    host.fill(messages=2)
    make_queue(host.directory / "queue" / "queue3", messages=3, split=5, now_s=NOW_S)
    host.release()
    told = [one.text for one in host.examine().findings if one.key == "nobody-delivers"]

    assert told == ["5 messages in queue2, queue3, and no qmail-send holds them"]


def test_causes_stand_above_what_comes_of_them(host: Host) -> None:
    """Of one urgency: the service, then the queue, then the log."""
    host.supervise(pid=0)
    host.fill("inode-differs")
    host.write_log(PUT_OFF % b"qq write error or disk full (#4.3.0)", name="smtpd.25")

    areas = [one.area for one in host.examine().of(Urgency.NOW)]

    assert list(dict.fromkeys(areas)) == ["services", "queue", "logs"]


def test_worst_comes_first(host: Host) -> None:
    """What refuses mail now stands above what will be trouble, and that above a note."""
    host.set(REJECTVIRUS="yes", QHPSIMAXSIZE="1000")
    host.log.chmod(0o555)
    urgencies = [one.urgency for one in host.examine().findings]

    assert urgencies == sorted(urgencies, key=list(Urgency).index)
    assert set(urgencies) == {Urgency.NOW, Urgency.SOON, Urgency.NOTE}


def test_stuck_mail_is_told_with_the_reason_of_the_log(host: Host) -> None:
    """Why a recipient waits stands in qmail-send's log; message and recipient join the two."""
    host.fill(messages=60)
    remote = [
        (message.message_number, one.address)
        for message in host.layout_messages()
        for one in message.recipients
        if one.channel == "remote" and not one.is_done and (message.age_s or 0) > 3600
    ]
    number, address = remote[0]
    host.write_log(
        b"new msg %d queue2" % number,
        b"starting delivery 1: msg %d to remote %s queue2" % (number, address),
        b"delivery 1: deferral: " + REFUSED + b" queue2",
    )

    assert "The log says why: CNAME lookup failed temporarily" in found(host.examine(), "stuck").text


def test_log_that_ends_before_the_newest_message_is_silent(host: Host) -> None:
    """qmail-send has preprocessed a message and logged nothing of it: the log is not written any more."""
    host.fill(messages=30)
    host.write_log(b"new msg 1 queue1", end_s=80_000)

    assert "before the newest message" in found(host.examine(), "log-silent").text


# --- the queues -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tree", sorted(path.stem for path in (RECORDED / "queue").glob("*.tar")))
def test_recorded_queues_are_told_of(tmp_path: Path, tree: str) -> None:
    """The real program's queues: nobody holds them here, and what lies in them is told."""
    with tarfile.open(RECORDED / "queue" / f"{tree}.tar") as archive:
        name = archive.getnames()[0].split("/")[0]
        archive.extractall(tmp_path, filter="fully_trusted")  # noqa: S202 - our own recordings
    report = examine_host(HostPlaces(queue=tmp_path / name, split=151), now_ns=NOW_NS)

    assert "nobody-delivers" in keys(report)


@pytest.mark.parametrize(
    ("free", "inodes", "expected"),
    [
        (50, 500, []),
        (5, 500, ["disk-fills"]),
        (0, 500, ["disk-full"]),
        (50, 0, ["disk-full"]),
        (50, 50, ["disk-fills"]),
    ],
    ids=["room", "little room", "no room", "no inodes", "few inodes"],
)
def test_room_is_told_by_octets_and_by_inodes(free: int, inodes: int, expected: list[str]) -> None:
    """A disk can be full of files, too; half is room enough, a twentieth is not."""
    told = told_of_room(
        Path("/q"), free_bytes=free * 2**30, total_bytes=100 * 2**30, free_inodes=inodes, total_inodes=1000
    )

    assert [one.key for one in told if isinstance(one, Finding)] == expected


def test_less_room_than_min_free_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """qmail-multi refuses mail long before the disk is full: MIN_FREE says when."""
    host.set(MIN_FREE="1000000000")
    real = os.statvfs(host.directory)
    half = os.statvfs_result((4096, 4096, 400_000, 200_000, 200_000, 1000, 900, 900, *real[8:]))
    monkeypatch.setattr(os, "statvfs", lambda _place: half)
    finding = found(host.examine(), "disk-full")

    assert (finding.area, "MIN_FREE (1000000000 octets)" in finding.text) == ("services", True)


def test_queue_is_judged_as_queue_check_judges_it(host: Host) -> None:
    """The quick look and the slow one see the same faults, those of directories and of lock/ too."""
    host.fill("wrong-split", "inode-differs", "ossified", "unknown-file", "cut-record", "fifo", messages=40)
    spoil_trigger(host)
    (host.layout.directory / "bounce").chmod(0o777)
    (host.layout.directory / "remote" / "3").rename(host.layout.directory / "remote" / "33")
    slow = {(one.rule, one.path) for one in check_queue(host.layout, now_s=NOW_S)}
    report = host.examine()
    told = {one.text.partition(":")[0].partition(",")[0] for one in report.findings if one.subject == "queue2"}

    assert {rule for rule, _path in slow} - told == set()


def test_file_system_without_a_count_of_inodes_is_not_judged_by_it() -> None:
    """Btrfs says 0 of 0 inodes."""
    told = told_of_room(Path("/q"), free_bytes=2**40, total_bytes=2**41, free_inodes=0, total_inodes=0)

    assert [one for one in told if isinstance(one, Finding)] == []


# --- clamd ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def played_clamd(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that starts a clamd that knows PING and VERSION, and gives its configuration."""
    listeners: list[socket.socket] = []

    def start(version: str) -> Path:
        path = tmp_path / "clamd.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    question = client.recv(100)
                    client.sendall((b"PONG" if b"PING" in question else version.encode()) + question[-1:])

        threading.Thread(target=serve, daemon=True).start()
        (tmp_path / "clamd.conf").write_text(f"# ours\nLocalSocket {path}\nMaxFileSize 50M\n")
        return tmp_path / "clamd.conf"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize(
    ("days", "expected"),
    [(1, []), (3, ["signatures-ageing"]), (30, ["signatures-old"])],
    ids=["fresh", "3 days", "old"],
)
def test_age_of_signatures_is_told(played_clamd: Callable[[str], Path], days: int, expected: list[str]) -> None:
    """Clamd's VERSION says of which day its signatures are."""
    conf = played_clamd("ClamAV 1.4.6/27432/Mon Nov 23 08:24:01 2026")
    made_ns = signatures_unix_ns("ClamAV 1.4.6/27432/Mon Nov 23 08:24:01 2026") or 0
    told = look_at_clamd(conf, now_ns=made_ns + days * 86_400 * 10**9)

    assert [one.key for one in told if isinstance(one, Finding)] == expected


def test_limits_below_what_is_taken_are_told(played_clamd: Callable[[str], Path]) -> None:
    """MaxFileSize 50M is fine alone; with databytes of 60 MB mail passes that nobody looked into."""
    conf = played_clamd("ClamAV 1.4.6")
    fine = [one for one in look_at_clamd(conf, now_ns=NOW_NS) if isinstance(one, Finding)]
    beyond = [one for one in look_at_clamd(conf, now_ns=NOW_NS, databytes=60_000_000) if isinstance(one, Finding)]

    assert (fine, [(one.key, one.subject) for one in beyond]) == ([], [("clamd-limit", "MaxFileSize")])


def test_clamd_that_is_gone_is_silent(tmp_path: Path) -> None:
    """A socket that nobody listens on, a configuration that is not there, one that names nothing."""
    conf = tmp_path / "clamd.conf"
    conf.write_text(f"LocalSocket {tmp_path}/none\n")
    empty = tmp_path / "empty.conf"
    empty.write_text("Example\n")
    told = [[one.key for one in look_at_clamd(path, now_ns=0) if isinstance(one, Finding)]
            for path in (conf, tmp_path / "nowhere.conf", empty)]  # fmt: skip

    assert told == [["clamd-silent"], ["clamd-silent"], ["clamd-conf"]]


def test_clamd_on_another_host_is_not_asked(tmp_path: Path) -> None:
    """The examination leaves this machine alone with its network: it says so instead."""
    conf = tmp_path / "clamd.conf"
    conf.write_text("TCPSocket 3310\nTCPAddr 192.0.2.7\n")
    (finding,) = [one for one in look_at_clamd(conf, now_ns=0) if isinstance(one, Finding)]

    assert (finding.key, "was not asked" in finding.text) == ("clamd-conf", True)


def test_clamd_of_qhpsi_is_the_one_that_is_asked(host: Host, tmp_path: Path) -> None:
    """QHPSI's -c names the configuration; when nothing answers there, that is the finding."""
    (tmp_path / "clamd.conf").write_text(f"LocalSocket {tmp_path}/none\n")
    clamdscan = tmp_path / "clamdscan"
    clamdscan.write_text("#!/bin/sh\n")
    clamdscan.chmod(0o755)
    host.set(QHPSI=f"{clamdscan} -c {tmp_path}/clamd.conf --fdpass --quiet %s")

    assert keys(host.examine()) == ["clamd-silent"]


def test_configurations_are_found_in_commands_only() -> None:
    """Clamd's own -c, clamdscan's --config-file; another program's -c means something else."""
    looks = [
        ServiceLook(Path("/service/clamd"), run_words=("exec", "/usr/sbin/clamd", "-c", "/etc/a.conf")),
        ServiceLook(Path("/service/smtpd"), argv=("/usr/bin/clamdscan", "--config-file=/etc/b.conf")),
        ServiceLook(Path("/service/x"), run_words=("sh", "-c", "/etc/c.conf")),
    ]

    assert find_confs(looks, None) == (Path("/etc/a.conf"), Path("/etc/b.conf"))
    assert find_confs(looks, Path("/etc/d.conf")) == (Path("/etc/d.conf"),)


def test_limits_are_read_with_their_units(tmp_path: Path) -> None:
    """K, M and G as clamd.conf(5) has them; 0 is no limit, and what is no size leaves the default."""
    conf = tmp_path / "clamd.conf"
    conf.write_text("MaxFileSize 25M\nMaxScanSize 0\nStreamMaxLength many\n")
    read = read_clamd_conf(conf)

    assert [read.limit(name) for name in ("MaxFileSize", "MaxScanSize", "StreamMaxLength")] == [
        25 * 2**20, None, 100 * 2**20,
    ]  # fmt: skip


# --- logs and run scripts -------------------------------------------------------------------------------------------


def test_log_is_where_multilog_is_told(tmp_path: Path) -> None:
    """The word behind multilog that is a path; one with a variable in it is nobody's guess."""
    plain = ServiceLook(tmp_path, run_words=("exec", "setuidgid", "qmaill", "multilog", "t", "s100000", "/var/log/x"))
    shell = ServiceLook(tmp_path, run_words=("exec", "multilog", "t", "$LOGDIR"))

    assert (log_directory(plain), log_directory(shell)) == (Path("/var/log/x"), None)


def test_logs_are_found_in_a_directory_of_logs(tmp_path: Path) -> None:
    """A directory with current is one; else what lies in it; a missing one is told."""
    (tmp_path / "logs" / "a").mkdir(parents=True)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "current").touch()
    directories, told = find_logs([tmp_path / "logs", tmp_path / "one", tmp_path / "none"])

    assert directories == [tmp_path / "logs" / "a", tmp_path / "one"]
    assert [one.key for one in told if isinstance(one, Finding)] == ["log-missing"]


def test_end_of_a_long_log_begins_with_a_whole_line(tmp_path: Path) -> None:
    """A cut line would be one that nobody understands."""
    path = tmp_path / "current"
    path.write_bytes(b"first line\nsecond line\nthird\n")

    assert (read_tail(path, 13), read_tail(path)) == (b"third\n", path.read_bytes())


# --- bad input ------------------------------------------------------------------------------------------------------

ODD: dict[str, Callable[[Host], object]] = {
    "control is a file": lambda host: (remove_tree(host.control), host.control.write_text("x")),
    "control file is a directory": lambda host: (host.control / "smtproutes").mkdir(),
    "control file is a FIFO": lambda host: os.mkfifo(host.control / "virtualdomains"),
    "control file of a megabyte": lambda host: (host.control / "virtualdomains").write_bytes(b"x" * (2 << 20)),
    "rules are random octets": lambda host: (host.control / "tcp.smtp").write_bytes(bytes(range(256)) * 9),
    "service is a link to itself": lambda host: (host.directory / "service" / "x").symlink_to("x"),
    "service is a file": lambda host: (host.directory / "service" / "x").write_text("x"),
    "status of nonsense": lambda host: (host.service / "supervise" / "status").write_bytes(b"nonsense"),
    "variable of nonsense": lambda host: (host.variables / "QHPSI").write_bytes(bytes(range(256))),
    "run script of nonsense": lambda host: (host.service / "run").write_bytes(b"'\xff\0multilog"),
    "log is a FIFO": lambda host: ((host.log / "current").unlink(), os.mkfifo(host.log / "current")),
    "log of nonsense": lambda host: (host.log / "current").write_bytes(bytes(range(256)) * 50),
    "log in a loop of links": lambda host: (host.directory / "log" / "x").symlink_to("x"),
    "queue is a file": lambda host: (remove_tree(host.directory / "queue"), (host.directory / "queue").write_text("x")),
    "queue in a loop": lambda host: (
        remove_tree(host.directory / "queue"), (host.directory / "queue").symlink_to("queue"),
    ),
    "todo is a file": lambda host: (remove_tree(host.layout.directory / "todo"),
                                    (host.layout.directory / "todo").write_text("x")),
}  # fmt: skip
"""What -> how it is made. None of it may be more than a sentence."""


def remove_tree(path: Path) -> None:
    """Remove a directory with all in it."""
    import shutil

    shutil.rmtree(path)


@pytest.mark.parametrize("name", ODD)
def test_odd_input_is_a_sentence(host: Host, name: str) -> None:
    """No traceback, and the report can be printed and written as a document."""
    ODD[name](host)
    report = host.examine()

    assert len(report.text.splitlines()) > 1
    assert len(report.as_document()["findings"]) == len(report.findings)


def test_long_line_of_a_log_is_told_by_its_beginning(host: Host) -> None:
    """A report may have ten thousand octets; the administrator has a screen."""
    host.write_log(b"new msg 1 queue1", b"alert: qmail-send: queue1: " + b"x" * 5000)

    assert len(found(host.examine(), "send-complains").text) < 300


def test_text_of_a_log_cannot_steer_the_terminal(host: Host) -> None:
    """An escape sequence in a delivery report is written out."""
    host.write_log(*deliveries(9, b"deferral", b"\x1b[31mred"))

    assert "\x1b" not in host.examine().text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_parts_are_unknown_and_not_fine(host: Host) -> None:
    """What this user may not look at is said, never taken for healthy."""
    for path in (host.variables, host.log, host.layout.directory):
        path.chmod(0)
    try:
        report = host.examine()
    finally:
        for path in (host.variables, host.log, host.layout.directory):
            path.chmod(0o755)

    assert (report.is_seen, report.is_fine) == (False, False)
    assert {one.area for one in report.of(Urgency.UNKNOWN)} == {"services", "logs", "queue"}


def refuse(monkeypatch: pytest.MonkeyPatch, module: str, name: str, error: Exception) -> None:
    """Let a function of the examination meet what root never meets."""

    def refused(*_: object, **__: object) -> object:
        raise error

    monkeypatch.setattr(f"indimail_kit.admin.{module}.{name}", refused)


DENIED = os.strerror(errno.EACCES)
UNSEEN: dict[str, tuple[str, str, Exception]] = {
    "variables-unreadable": ("host_services", "read_envdir", EnvdirError(f"a directory that can be read ({DENIED})")),
    "service-unreadable": (
        "host_services",
        "read_service",
        SuperviseError(f"a status file that can be read ({DENIED})"),
    ),
    "queue-unreadable": ("host_queue", "open_queues", PermissionError(errno.EACCES, DENIED)),
    "holder-unknown": ("host_queue", "find_holder", MissingPartError("/proc/locks", "Mount /proc.")),
    "control-unreadable": ("host_control", "read_control", QueueError("unable to read configuration", exit_code=55)),
    "log-unreadable": ("host_logs", "read_tail", PermissionError(errno.EACCES, DENIED)),
}
"""Kind of finding -> what meets a user who may not look: module, function, its error."""


@pytest.mark.parametrize("key", UNSEEN)
def test_what_may_not_be_looked_at_is_unknown(host: Host, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """As for a user who is not root: the finding is of the urgency "unknown", and nothing is called fine."""
    refuse(monkeypatch, *UNSEEN[key])
    report = host.examine()

    assert key in {one.key for one in report.of(Urgency.UNKNOWN)}
    assert (report.is_seen, report.is_fine) == (False, False)


def test_every_kind_of_finding_is_spoilt_by_a_test() -> None:
    """A kind that no test of this module brings about may never come."""
    here = {key for _spoil, key, _text in SPOILS.values()} | set(UNSEEN)
    elsewhere = {
        "clamd-silent", "clamd-conf", "clamd-limit", "signatures-old", "signatures-ageing", "disk-fills", "disk-full",
        "log-silent",
    }  # fmt: skip

    assert set(KINDS) - here - elsewhere == set()


# --- promises -------------------------------------------------------------------------------------------------------


def picture(directory: Path) -> dict[str, tuple[object, ...]]:
    """Return content, mtime, mode and links of everything in a directory."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        is_file = stat.S_ISREG(status.st_mode)
        content = hashlib.sha256(path.read_bytes()).hexdigest() if is_file else ""
        found[str(path)] = (content, status.st_mtime_ns, status.st_mode, status.st_nlink, status.st_ino)
    return found


def test_examination_changes_nothing(host: Host) -> None:
    """Content, mtime, mode, links and inode of every file stay, also of a queue with faults."""
    host.fill("wrong-split", "inode-differs", "wrong-mode", "ossified")
    before = picture(host.directory)
    host.examine()

    assert picture(host.directory) == before


def test_examination_opens_nothing_below_lock(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds a queue is seen in /proc/locks alone."""
    host.fill()
    opened: list[str] = []
    real = os.open

    def watching(path: object, *args: object, **options: object) -> int:
        opened.append(os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else "")
        return real(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", watching)
    host.examine()

    assert opened
    assert [path for path in opened if "lock" in path.split("/")[-2:]] == []


@pytest.mark.parametrize("key", KINDS)
def test_every_kind_of_finding_has_its_lesson(key: str) -> None:
    """The notebook that explains it exists, and the reason is a sentence."""
    kind = KINDS[key]

    assert (ROOT / "notebooks" / kind.lesson).is_file()
    assert kind.why.endswith((".", "?"))


def test_finding_of_an_unknown_kind_is_a_bug() -> None:
    """A finding that no table explains cannot be made."""
    with pytest.raises(ValueError, match="not in the table"):
        Finding("strange", "queue", "x", "y")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (90_000, "25 h"), (-5, "0 s")]
)
def test_spans_are_told_in_their_handiest_unit(seconds: int, text: str) -> None:
    """Hours up to two days, then days."""
    assert span_text(seconds) == text
