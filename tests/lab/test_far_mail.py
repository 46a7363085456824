"""A lab with a second host: mail that leaves, is refused, waits, and comes back."""

from __future__ import annotations

import shutil
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.errors import LabError
from indimail_kit.lab import Lab
from indimail_kit.lab.journey import StationState
from indimail_kit.lab.places import DEMO_PASSWORD, SEND

FAR = "far@example.org"


@pytest.fixture(scope="module")
def started() -> Iterator[Lab]:
    """Run a lab with a second host."""
    with Lab(seed=1, scanner="embedded", queue_count=1, second_host=True) as running:
        yield running


@pytest.fixture
def lab(started: Lab) -> Iterator[Lab]:
    """Return the lab; its second host behaves again afterwards."""
    yield started
    started.second_host.behave()


def test_mail_for_elsewhere_goes_to_the_second_host(lab: Lab) -> None:
    """All stations are green, and the last one shows the other host's dialogue and mail."""
    journey = lab.send(recipient=FAR, subject="over there")
    inbox = journey.station("inbox")

    assert journey.delivered_to == "host of example.org"
    assert {station.state for station in journey.stations} == {StationState.DONE}
    assert [block.title for block in inbox.raw] == [
        "the SMTP dialogue with mx.example.org",
        "the mail as mx.example.org has it",
    ]
    assert "C: RCPT TO:<far@example.org>" in inbox.raw[0].text
    assert b"X-QHPSI: clean\r\nReceived: " in lab.second_host.mails[-1].octets[:60]


@pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed")
def test_mail_of_a_real_client_goes_all_the_way(lab: Lab) -> None:
    """Swaks logs in at the lab, and the second host gets what swaks sent, under the lab's own header lines."""
    host = lab.second_host
    before = len(host.mails)
    login = ["--auth", "CRAM-MD5", "--auth-user", "ann@example.com", "--auth-password", DEMO_PASSWORD]
    mail = ["--from", "ann@example.com", "--to", FAR, "--body", ".a dot\n..two\n"]
    argv = ["swaks", "--server", f"{lab.host}:{lab.port}", *login, *mail]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert host.wait_for_mails(before + 1, 10)

    octets = host.mails[-1].octets
    assert octets.startswith(b"X-QHPSI: clean\r\nReceived: indimail-mta queue ")
    assert b"\r\n.a dot\r\n..two\r\n" in octets


def test_refusal_comes_back_with_the_hosts_words(lab: Lab) -> None:
    """The bounce in ann's Inbox quotes what the other host said."""
    lab.second_host.say("550 5.1.1 sorry, nobody of that name", recipient="ghost@example.org")
    journey = lab.send(recipient="ghost@example.org")
    bounce = journey.station("inbox").raw[0].text

    assert (journey.delivered_to, journey.station("inbox").summary) == ("bounce to ann@example.com", "bounced")
    assert "<ghost@example.org>:\n" in bounce
    assert "127.0.0.1 does not like recipient.\nRemote host said: 550 5.1.1 sorry, nobody of that name\n" in bounce


def test_greylisted_mail_waits_and_arrives_after_alrm(lab: Lab) -> None:
    """Deferred at the first attempt; "retry now" brings it over."""
    host = lab.second_host
    before = len(host.mails)
    host.say("451 4.7.1 greylisted, try again later", recipient="grey@example.org", times=1)
    journey = lab.send(recipient="grey@example.org")
    assert journey.delivered_to == "deferred"
    assert "S: 451 4.7.1 greylisted, try again later" in journey.station("inbox").raw[0].text
    assert len(journey.station("inbox").raw) == 1

    lab.svc("-a", SEND)
    assert host.wait_for_mails(before + 1, 10)
    assert host.mails[-1].recipients == ("grey@example.org",)


def test_service_obeys_a_and_h_only(lab: Lab) -> None:
    """Other options of svc are none for a qmail-send that runs in this process."""
    with pytest.raises(ValueError, match="one of -a, -h for the qmail-send of a lab"):
        lab.svc("-t", SEND)


def test_hup_makes_another_domain_local(lab: Lab) -> None:
    """After `svc -h` a domain that was added to control/locals is delivered here: nobody has that mailbox."""
    path = lab.directory / "control" / "locals"
    path.write_text(path.read_text() + "here.example\n")
    lab.svc("-h", SEND)

    journey = lab.send(recipient="nobody@here.example")
    assert journey.delivered_to == "bounce to ann@example.com"
    assert "no mailbox here by that name" in journey.station("inbox").raw[0].text


def test_other_domains_have_no_route(lab: Lab) -> None:
    """Only example.org is over there."""
    journey = lab.send(recipient="friend@elsewhere.example")
    assert ("report", "CNAME_lookup_failed_temporarily._(#4.4.3)/") in journey.station("send").facts


def test_routes_can_be_edited_while_the_lab_runs(lab: Lab) -> None:
    """As on a real host: qmail-remote reads control/smtproutes for each mail; what is not loopback is deferred."""
    routes = lab.directory / "control" / "smtproutes"
    old = routes.read_text()
    routes.write_text(old + f"sub.example.org:127.0.0.1:{lab.second_host.address[1]}\nfar.example:192.0.2.1\n")

    assert lab.send(recipient="x@sub.example.org").delivered_to == "host of sub.example.org"
    report = dict(lab.send(recipient="x@far.example").station("send").facts)["report"]
    assert report == "Sorry,_mail_leaves_here_for_loopback_addresses_only,_and_192.0.2.1_is_none._(#4.4.4)/"


def test_lab_without_a_second_host_says_so(make_lab: Callable[..., Lab]) -> None:
    """The error names the way to get one."""
    with pytest.raises(LabError, match=r"Lab\(second_host=True\)"):
        _ = make_lab().second_host


def test_lab_stops_while_the_second_host_is_silent(tmp_path: Path, make_lab: Callable[..., Lab]) -> None:
    """A mail is under way and nobody answers: it is deferred, the lab stops at once, and the mail is in the queue."""
    lab = make_lab(second_host=True, directory=tmp_path)
    lab.second_host.fall_silent(stage="data")
    with smtplib.SMTP(lab.host, lab.port, timeout=30) as client:
        client.login("ann@example.com", DEMO_PASSWORD)
        client.sendmail("ann@example.com", [FAR], b"Subject: hi\r\n\r\nhi\r\n")
    assert lab.second_host.wait_for_silence(30)
    lab.stop()

    log = (tmp_path / "log" / "deliver.25" / "current").read_text()
    assert (
        "deferral: From:_<ann@example.com>_RCPT:_<far@example.org>_Connected_to_127.0.0.1_but_connection_died." in log
    )
    assert log.rstrip().endswith("exiting")
    assert len([*(tmp_path / "queue" / "queue1" / "remote").rglob("[0-9]*/[0-9]*")]) == 1


def test_kept_directory_keeps_its_other_routes(tmp_path: Path, make_lab: Callable[..., Lab]) -> None:
    """The route to the second host gets its new port; a line that somebody wrote stays."""
    first = make_lab(second_host=True, directory=tmp_path)
    routes = first.directory / "control" / "smtproutes"
    routes.write_text(routes.read_text() + "other.example:127.0.0.9\n")
    first.stop()
    second = make_lab(second_host=True, directory=tmp_path)

    port = second.second_host.address[1]
    assert routes.read_text() == f"example.org:127.0.0.1:{port}\nother.example:127.0.0.9\n"
