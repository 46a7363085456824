"""The lab's second host, talked to by clients that are not ours: smtplib and swaks."""

from __future__ import annotations

import shutil
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from indimail_kit.lab.second_host import SecondHost, Stage
from indimail_kit.lab.shown import dialogue

MAIL = b"Subject: hi\r\n\r\n.dot\r\n"
FAR = "far@example.org"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SecondHost]:
    """Run a second host."""
    second = SecondHost(tmp_path / "Maildir")
    second.start()
    yield second
    second.stop()


@pytest.fixture
def client(host: SecondHost) -> Iterator[smtplib.SMTP]:
    """Connect with smtplib."""
    with smtplib.SMTP(*host.address, local_hostname="client.example", timeout=10) as connected:
        yield connected


def test_mail_is_kept_as_it_came_and_in_a_maildir(client: smtplib.SMTP, host: SecondHost) -> None:
    """The octets of the wire without doubled dots, and a file with LF and two lines more."""
    client.sendmail("ann@example.com", [FAR, "too@example.org"], MAIL)
    mail = host.mails[0]

    assert (mail.sender, mail.recipients, mail.octets) == ("ann@example.com", (FAR, "too@example.org"), MAIL)
    assert mail.path.parent == host.maildir / "new"
    head = b"Return-Path: <ann@example.com>\nDelivered-To: far@example.org\nDelivered-To: too@example.org\n"
    assert mail.path.read_bytes() == head + b"Subject: hi\n\n.dot\n"


def test_null_sender_is_the_empty_text(client: smtplib.SMTP, host: SecondHost) -> None:
    """Aiosmtpd calls it "<>"."""
    client.sendmail("", [FAR], MAIL)
    assert host.mails[0].sender == ""


def test_every_octet_of_a_session_is_recorded(client: smtplib.SMTP, host: SecondHost) -> None:
    """Both directions, in order."""
    client.sendmail("ann@example.com", [FAR], MAIL)
    client.quit()

    said = dialogue(host.sessions[0].chunks).splitlines()
    assert said[:2] == ["S: 220 mx.example.org ESMTP", "C: ehlo client.example"]
    assert said[said.index("C: ..dot") + 1] == "C: ."
    assert said[-2:] == ["C: quit", "S: 221 Bye"]


@pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed")
def test_swaks_delivers(host: SecondHost) -> None:
    """A client that nobody here wrote."""
    argv = ["swaks", "--server", "{}:{}".format(*host.address), "--from", "ann@example.com", "--to", FAR]
    done = subprocess.run([*argv, "--body", "from swaks"], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout
    assert host.mails[0].octets.count(b"\r\nfrom swaks\r\n") == 1


@pytest.mark.parametrize("stage", ["ehlo", "mail", "rcpt", "data", "message"])
def test_host_says_what_it_was_told_to(client: smtplib.SMTP, host: SecondHost, stage: Stage) -> None:
    """Once, at that stage; afterwards it is as before, and has taken one mail only."""
    host.say("550 5.7.1 not today", stage=stage, times=1)
    client.ehlo_or_helo_if_needed()
    refused = False
    try:
        client.sendmail("ann@example.com", [FAR], MAIL)
    except smtplib.SMTPException as error:
        refused = "not today" in str(error)
    client.rset()
    if stage != "ehlo":
        client.sendmail("ann@example.com", [FAR], MAIL)

    assert refused is (stage != "ehlo")
    assert len(host.mails) == 1
    assert "S: 550 5.7.1 not today" in dialogue(host.sessions[0].chunks).splitlines()


def test_reply_may_be_for_one_recipient_only(client: smtplib.SMTP, host: SecondHost) -> None:
    """The others are accepted; capital letters make no difference."""
    host.say("450 4.7.1 greylisted", recipient="Grey@example.org")
    refused = client.sendmail("ann@example.com", ["grey@example.org", FAR], MAIL)

    assert refused == {"grey@example.org": (450, b"4.7.1 greylisted")}
    assert host.mails[0].recipients == (FAR,)


def test_newest_wish_counts_first(client: smtplib.SMTP, host: SecondHost) -> None:
    """Two replies for one stage, each once."""
    host.say("451 older", stage="mail", times=1)
    host.say("452 newer", stage="mail", times=1)
    client.ehlo()

    assert [client.mail("a@example.com")[0] for _ in range(3)] == [452, 451, 250]


@pytest.mark.parametrize("reply", ["", "250", "ok", "250-two\r\n250 lines", "99 short", "250 a\nb"])
def test_reply_that_is_none_is_refused(host: SecondHost, reply: str) -> None:
    """A lesson's typing error is told at once."""
    with pytest.raises(ValueError, match="a reply like"):
        host.say(reply)


def test_mail_is_taken_before_the_host_dies(client: smtplib.SMTP, host: SecondHost) -> None:
    """It hangs up behind the dot: the client cannot know, and the mail is there."""
    host.hang_up()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.sendmail("ann@example.com", [FAR], MAIL)

    assert len(host.mails) == 1


def test_mails_can_be_waited_for(client: smtplib.SMTP, host: SecondHost) -> None:
    """One is there at once, a second one never comes."""
    client.sendmail("ann@example.com", [FAR], MAIL)

    assert host.wait_for_mails(1, 10)
    assert not host.wait_for_mails(2, 0.01)


def test_silent_session_ends_when_the_host_behaves_again(client: smtplib.SMTP, host: SecondHost) -> None:
    """What was silent hangs up."""
    host.fall_silent(stage="mail")
    client.ehlo()
    client.putcmd("MAIL FROM:<ann@example.com>")
    assert host.wait_for_silence(10)
    host.behave()

    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.getreply()


def test_refused_and_ignored_connections_come_back(host: SecondHost) -> None:
    """Refused at once; ignored until the client has had enough; and on the same port again."""
    host.refuse_connections()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(host.address, timeout=5)

    host.ignore_connections()
    with pytest.raises(TimeoutError):
        socket.create_connection(host.address, timeout=0.1)

    host.behave()
    with smtplib.SMTP(*host.address, timeout=5) as again:
        assert again.noop()[0] == 250


def test_size_is_offered_on_wish(host: SecondHost) -> None:
    """A host without SIZE must not get the parameter."""
    host.has_size = False
    with smtplib.SMTP(*host.address, timeout=5) as client:
        client.ehlo()
        assert "size" not in client.esmtp_features


def test_host_listens_on_loopback_only(host: SecondHost) -> None:
    """Promise 8."""
    assert host.address[0] == "127.0.0.1"


@pytest.mark.parametrize("stage", ["greeting", "rcpt"])
def test_stop_ends_silent_sessions(tmp_path: Path, stage: Stage) -> None:
    """Nothing hangs, and a second stop does nothing."""
    second = SecondHost(tmp_path / "Maildir")
    second.start()
    second.fall_silent(stage=stage)
    with socket.create_connection(second.address, timeout=5) as client:
        client.sendall(b"EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<far@example.org>\r\n")
        assert second.wait_for_silence(5)  # or it would be stopped before it has read a word
        second.stop()
        second.stop()
        client.settimeout(5)
        try:
            rest = client.recv(65536)
        except ConnectionResetError:
            rest = b""
    assert b"250 2.1.5" not in rest
