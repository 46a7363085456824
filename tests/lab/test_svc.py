"""svc -d and svc -u on the SMTP service, as the seed does it after a change of a variable."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from indimail_kit.errors import LabError
from indimail_kit.lab import Lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Run a lab."""
    with Lab(seed=1, scanner="embedded") as one:
        yield one


@pytest.fixture
def listening(lab: Lab) -> Iterator[Lab]:
    """Give the lab, and leave it listening."""
    yield lab
    lab.svc("-u", "qmail-smtpd.25")


def test_a_service_that_is_down_takes_nobody(listening):
    """After svc -d a client cannot connect, and the journey says so."""
    listening.svc("-d", "qmail-smtpd.25")
    journey = listening.send()

    assert (journey.smtp_reply, "Connection refused" in journey.station("auth").sentence) == ("", True)


def test_after_svc_u_the_same_port_takes_mail(listening):
    """Down, a second time down, up, a second time up."""
    port = listening.port
    for options in ("-d", "-d", "-u", "-u"):
        listening.svc(options, "qmail-smtpd.25")

    assert (listening.port, listening.send().smtp_reply[:3]) == (port, "250")


def test_a_session_that_is_on_goes_on(listening, connect):
    """Svc -d ends tcpserver, not the qmail-smtpd of a client that is talking."""
    client = connect(listening)
    listening.svc("-d", "qmail-smtpd.25")

    assert client.say("NOOP")[:3] == "250"


def test_a_port_that_somebody_took_is_told(listening):
    """Between down and up another program may listen there."""
    listening.svc("-d", "qmail-smtpd.25")
    with socket.create_server(("127.0.0.1", listening.port)), pytest.raises(LabError, match="port"):
        listening.svc("-u", "qmail-smtpd.25")


def test_another_option_is_refused(listening):
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="-d, -u"):
        listening.svc("-x", "qmail-smtpd.25")


def test_a_service_that_is_not_here_is_told(listening):
    """Clamd is a service only in a supervised lab."""
    with pytest.raises(LabError, match="no supervised services"):
        listening.svc("-u", "clamd")


def test_a_stopped_lab_obeys_nobody():
    """A lab that does not run has no service."""
    lab = Lab(seed=1, scanner="embedded").start()
    server = lab._running().server
    lab.stop()

    with pytest.raises(LabError, match="stopped"):
        server.obey("-u")
