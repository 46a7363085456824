"""The parts of doctor's examination one by one: ports, places, run scripts, what a log says without complaining."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from indimail_kit.admin import Finding, HostPlaces, examine_host, host_clamd, places_of_host
from indimail_kit.admin.host_clamd import find_confs, look_at_clamd
from indimail_kit.admin.host_control import look_at_control
from indimail_kit.admin.host_findings import Fact, Told
from indimail_kit.admin.host_listeners import listening_ports, told_of_listeners, told_of_routes
from indimail_kit.admin.host_logs import find_logs, look_at_log
from indimail_kit.admin.host_queue import tell_of_queues
from indimail_kit.admin.host_scanning import argv_of, told_of_scanning
from indimail_kit.admin.host_services import MAX_SERVICES, ServiceLook, look_at_services
from indimail_kit.errors import QueueError
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue.layout import create_queue
from indimail_kit.tai64 import to_tai64n

NOW_S = 1_795_400_000
NOW_NS = NOW_S * 10**9

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   1: 0100007F:024B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0
   2: 0100007F:0035 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0
"""
"""Port 25 for everybody, 587 for this host only, and a connection that is no listener."""


@pytest.fixture(autouse=True)
def roomy_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the disk is free, whatever it is on the machine that runs the tests."""
    half = os.statvfs_result((4096, 4096, 2**24, 2**23, 2**23, 2**20, 2**19, 2**19, 0, 255, 0))
    monkeypatch.setattr(os, "statvfs", lambda _place: half)


def keys(told: list[Told]) -> list[str]:
    """Return the kinds of the findings."""
    return [one.key for one in told if isinstance(one, Finding)]


def facts(told: list[Told]) -> list[str]:
    """Return the texts of the facts."""
    return [one.text for one in told if isinstance(one, Fact)]


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Return a /proc with a table of connections."""
    (tmp_path / "proc" / "net").mkdir(parents=True)
    (tmp_path / "proc" / "net" / "tcp").write_text(TCP)
    return tmp_path / "proc"


# --- ports ----------------------------------------------------------------------------------------------------------


def test_listeners_are_read_from_proc(proc: Path) -> None:
    """Port -> whether others than this host get there; a connection is no listener."""
    assert listening_ports(proc) == {25: True, 587: False}


def test_without_proc_nobody_knows_who_listens(tmp_path: Path) -> None:
    """Then nothing is said of ports, rather than that nobody listens."""
    looks = [ServiceLook(Path("/service/qmail-smtpd.26"), is_up=True)]

    assert listening_ports(tmp_path) is None
    assert list(told_of_listeners(looks, proc=tmp_path)) == []
    assert list(told_of_routes(["a.example:127.0.0.1:26"], looks, proc=tmp_path)) == []


def test_ports_of_mail_are_a_fact(proc: Path) -> None:
    """With their names, and whether only this host gets there."""
    assert facts(list(told_of_listeners([], proc=proc))) == ["25 (smtp), 587 (submission, this host only)"]


def test_service_is_missed_on_its_port_only_while_it_is_up(proc: Path) -> None:
    """One that is down was told of already; one without a port in its name is nobody's guess."""
    looks = [
        ServiceLook(Path("/service/qmail-smtpd.26"), is_up=True),
        ServiceLook(Path("/service/qmail-smtpd.27"), is_up=False),
        ServiceLook(Path("/service/qmail-send.25"), is_up=True),
        ServiceLook(Path("/service/qmail-smtpd.25"), is_up=True),
    ]
    told = [one.subject for one in told_of_listeners(looks, proc=proc) if isinstance(one, Finding)]

    assert told == ["qmail-smtpd.26"]


def test_routes_to_other_hosts_are_not_judged(proc: Path) -> None:
    """Only what /proc can tell of; a route without a port goes to port 25."""
    lines = ["a.example:192.0.2.1:1", "b.example:localhost", "c.example:127.0.0.1:587", "d.example:127.0.0.1:588"]
    told = [one.text for one in told_of_routes(lines, [], proc=proc)]

    assert told == ["smtproutes sends d.example to 127.0.0.1:588, where nobody listens"]


# --- places and control ---------------------------------------------------------------------------------------------


def test_place_that_cannot_be_looked_at_is_a_place(tmp_path: Path) -> None:
    """A queue behind a loop of links, or a door that is shut, is no host without a queue."""
    (tmp_path / "loop").symlink_to("loop")

    assert places_of_host({"QUEUE_BASE": str(tmp_path / "loop" / "queue")}).queue == tmp_path / "loop" / "queue"


def test_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    """read_control says "not there" of it, and the administrator thinks that it is."""
    (tmp_path / "me").write_text("mx.example.com\n")
    (tmp_path / "rcpthosts").symlink_to("moved")
    controls, told = look_at_control(tmp_path)

    assert (keys(told), "rcpthosts" in controls.lines) == (["control-unreadable"], False)


def test_more_domains_in_a_cdb_are_not_guessed(tmp_path: Path) -> None:
    """With morercpthosts.cdb a domain that rcpthosts does not name may well be taken."""
    for name, text in {"me": "mx", "rcpthosts": "a.example", "locals": "b.example", "morercpthosts.cdb": ""}.items():
        (tmp_path / name).write_text(f"{text}\n")

    assert keys(look_at_control(tmp_path)[1]) == []


def test_suffix_in_rcpthosts_takes_its_domains(tmp_path: Path) -> None:
    """``.example`` takes a.example, and not example itself. Source: rcpthosts.c."""
    for name, text in {"me": "mx", "rcpthosts": ".example", "locals": "a.example\nexample"}.items():
        (tmp_path / name).write_text(f"{text}\n")
    told = look_at_control(tmp_path)[1]

    assert [one.subject for one in told if isinstance(one, Finding)] == ["example"]


# --- services and scanning ------------------------------------------------------------------------------------------


def test_directory_of_hundreds_is_no_directory_of_services(tmp_path: Path) -> None:
    """What was given by mistake is looked at in part, and said."""
    for number in range(MAX_SERVICES + 2):
        (tmp_path / f"{number:04}").touch()
    looks, told = look_at_services(tmp_path, now_ns=NOW_NS, queue=None)

    assert (looks, keys(told)) == ([], ["no-services"])


def test_smtpd_without_a_scanner_is_a_fact(tmp_path: Path) -> None:
    """Many hosts scan nothing, or by a rule of tcp.smtp: no fault, and good to know."""
    (tmp_path / "qmail-smtpd.25" / "variables").mkdir(parents=True)
    _, told = look_at_services(tmp_path, now_ns=NOW_NS, queue=None, has_supervise=False)

    assert (keys(told), facts(told)[0]) == ([], "no QHPSI: mail is not scanned, unless tcp.smtp sets it")


def test_run_script_with_a_quote_over_two_lines_is_read_by_words(tmp_path: Path) -> None:
    """A line that shlex refuses is cut at its blanks: clamd's configuration is still found."""
    (tmp_path / "clamd").mkdir()
    (tmp_path / "clamd" / "run").write_text("#!/bin/sh\nexec sh -c 'umask 2\n/usr/sbin/clamd -c /etc/x.conf'\n")
    looks, _ = look_at_services(tmp_path, now_ns=NOW_NS, queue=None, has_supervise=False)

    assert looks[0].run_words[-3:] == ("/usr/sbin/clamd", "-c", "/etc/x.conf'")


def test_nothing_is_said_of_scanning_without_a_scanner() -> None:
    """No QHPSI, no arguments, no pitfalls."""
    environ = {"REJECTVIRUS": "yes"}

    assert argv_of(environ) == ()
    assert list(told_of_scanning(environ, area="services", subject="x", look=())) == []


def test_clamdscan_without_a_configuration_asks_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the places of distributions those that are there."""
    (tmp_path / "clamd.conf").touch()
    monkeypatch.setattr(host_clamd, "CONFIGS", (tmp_path / "clamd.conf", tmp_path / "scan.conf"))
    looks = [ServiceLook(Path("/service/x"), argv=("/usr/bin/clamdscan", "mess/1/7"))]

    assert find_confs(looks, None) == (tmp_path / "clamd.conf",)


def test_clamd_over_tcp_is_found_by_its_port(tmp_path: Path) -> None:
    """TCPSocket without TCPAddr is this host; nobody listens on port 1."""
    (tmp_path / "clamd.conf").write_text("TCPSocket 1\nAlertExceedsMax yes\nMaxFileSize 1K\n")
    told = list(look_at_clamd(tmp_path / "clamd.conf", now_ns=NOW_NS))

    assert (keys(told), facts(told)) == (["clamd-limit", "clamd-silent"], [f"{tmp_path}/clamd.conf → 127.0.0.1:1"])


# --- logs -----------------------------------------------------------------------------------------------------------


def write_log(path: Path, *lines: bytes) -> Path:
    """Write a log of a minute ago."""
    path.write_bytes(b"".join(to_tai64n(NOW_NS - 60 * 10**9) + b" " + line + b"\n" for line in lines))
    return path


def test_log_may_be_a_file(tmp_path: Path) -> None:
    """A file is a log by itself."""
    path = write_log(tmp_path / "send.log", b"new msg 1 queue1")
    look, told = look_at_log(path, now_ns=NOW_NS)

    assert find_logs([path]) == ([path], [])
    assert (look.is_send, look.tail, facts(told)) == (True, f"tail {path}", ["last line 1 min ago"])


def test_empty_log_is_a_fact(tmp_path: Path) -> None:
    """Nothing was logged yet; that alone is no fault."""
    (tmp_path / "log").touch()

    assert facts(look_at_log(tmp_path / "log", now_ns=NOW_NS)[1]) == ["empty"]


def test_log_without_times_is_told(tmp_path: Path) -> None:
    """Somebody has taken the stamps away: nothing can be said about when."""
    (tmp_path / "log").write_bytes(b"new msg 1 queue1\n")

    assert keys(look_at_log(tmp_path / "log", now_ns=NOW_NS)[1]) == ["lines-unknown"]


def test_viruses_that_were_refused_are_a_fact(tmp_path: Path) -> None:
    """554 for a virus is what the scanner is for."""
    line = (
        b"qmail-smtpd: pid 5301 from 127.0.0.1 qq message contains virus (#5.7.1) (permanent): HELO <x> MAIL from"
        b" <a@example.com> RCPT <b@example.com> AUTH <local-rcpt> Size: 555 TLS=No qp 5303"
    )
    told = look_at_log(write_log(tmp_path / "log", line), now_ns=NOW_NS)[1]

    assert (keys(told), facts(told)[1]) == ([], "mail for 1 recipient refused for good: viruses")


def test_freshclam_that_fails_now_and_then_is_fine(tmp_path: Path) -> None:
    """Two failures and a success: the mirror was slow."""
    told = look_at_log(write_log(tmp_path / "log", b"ERROR: Update failed.", b"daily.cld updated (version: 1)"),
                       now_ns=NOW_NS)[1]  # fmt: skip

    assert "freshclam-fails" not in keys(told)


# --- queues and the report ------------------------------------------------------------------------------------------


def test_one_queue_alone_may_be_looked_at(tmp_path: Path) -> None:
    """What lies beside its directories belongs to queue check; there is no base with strangers."""
    layout = create_queue(tmp_path / "queue1", split=3)

    assert keys(list(tell_of_queues(layout.directory, now_ns=NOW_NS))) == []


def test_what_repair_puts_beside_a_queue_is_no_stranger(tmp_path: Path) -> None:
    """queue1.held and queue1.found are ours."""
    create_queue(tmp_path / "queue1", split=3)
    for name in ("queue1.held", "queue1.found"):
        (tmp_path / name).mkdir()

    assert keys(list(tell_of_queues(tmp_path, now_ns=NOW_NS))) == []


def test_report_is_one_line_and_escaped_in_a_notebook(tmp_path: Path) -> None:
    """How much of each urgency; the HTML form holds no markup of its own."""
    make_queue(tmp_path / "queue1", messages=20, split=7, now_s=NOW_S, faults=["inode-differs"])
    report = examine_host(HostPlaces(queue=tmp_path), now_ns=NOW_NS)

    assert repr(report) == "<HostReport: 3 now, 1 soon, 1 thing fine>"
    assert "&lt;HostReport" in report._repr_html_()
    assert repr(examine_host(HostPlaces(), now_ns=NOW_NS)) == "<HostReport: nothing wrong, 0 things fine>"


def test_queue_that_vanishes_while_it_is_looked_at_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk of the queue is taken away: a sentence, and the rest is looked at."""
    create_queue(tmp_path / "queue1", split=3)

    def gone(_place: object) -> os.statvfs_result:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "statvfs", gone)

    assert keys(list(tell_of_queues(tmp_path, now_ns=NOW_NS))) == ["queue-unreadable"]


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    """Let something that the look at queues calls meet an error."""

    def refused(*_: object, **__: object) -> object:
        raise error

    monkeypatch.setattr(name, refused)


SHUT = PermissionError(13, "Permission denied", "lock/sendmutex")
REFUSALS: dict[str, tuple[str, Exception, str]] = {
    "queue that is shut after it was found": (
        "indimail_kit.admin.host_queue.Queues.snapshot", QueueError("no queue", exit_code=61), "queue-unreadable",
    ),
    "lock that may not be looked at": ("indimail_kit.admin.host_queue.find_holder", SHUT, "holder-unknown"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_queue_that_cannot_be_looked_at_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A sentence instead of a guess, and nobody is said to wait."""
    create_queue(tmp_path / "queue1", split=3)
    place, error, key = REFUSALS[name]
    refuse(monkeypatch, place, error)

    assert keys(list(tell_of_queues(tmp_path, now_ns=NOW_NS))) == [key]


def test_queue_without_the_right_to_enter_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No queue, because of the rights: that is not "no queue"."""
    error = QueueError("no queue at /q: Permission denied", exit_code=61)
    error.__cause__ = SHUT
    refuse(monkeypatch, "indimail_kit.admin.host_queue.open_queues", error)

    assert keys(list(tell_of_queues(tmp_path, now_ns=NOW_NS))) == ["queue-unreadable"]


def test_names_in_another_code_are_told(tmp_path: Path) -> None:
    """Latin-1 in locals fits no domain."""
    for name, octets in {"me": b"mx", "rcpthosts": b"a.example", "locals": b"m\xfcller.example"}.items():
        (tmp_path / name).write_bytes(octets + b"\n")

    assert keys(look_at_control(tmp_path)[1]) == ["control-binary"]


def test_clamd_may_be_given_by_its_socket(tmp_path: Path) -> None:
    """Without a configuration there are no limits to tell of; nobody answers here."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        told = list(look_at_clamd(tmp_path / "s", now_ns=NOW_NS))

    assert (keys(told), facts(told)) == (["clamd-silent"], [str(tmp_path / "s")])
