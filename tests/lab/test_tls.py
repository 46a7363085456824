"""STARTTLS with the lab's own certificate, and what depends on an encrypted session."""

from __future__ import annotations

import smtplib
import socket
import ssl
import stat
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.errors import MissingPartError
from indimail_kit.lab import Lab
from indimail_kit.lab.tls import AUTHORITY, SERVER_CERTIFICATE, make_certificate, server_context

PLAIN_ANN = b64encode(b"\0ann@example.com\0pass").decode()


@pytest.fixture(scope="module")
def tls_lab() -> Iterator[Lab]:
    """Run a lab that offers STARTTLS."""
    with Lab(scanner="embedded", queue_count=1, starttls=True) as running:
        yield running


def client_context(lab: Lab) -> ssl.SSLContext:
    """Return settings of a client that trusts the lab and nobody else."""
    return ssl.create_default_context(cafile=lab.directory / "control" / AUTHORITY)


def test_session_is_encrypted_and_verified(tls_lab: Lab) -> None:
    """A client that checks the certificate and the name logs in and sends; the log tells the version."""
    with smtplib.SMTP("localhost", tls_lab.port, timeout=10) as client:
        client.ehlo()
        assert client.has_extn("starttls")
        client.starttls(context=client_context(tls_lab))
        client.ehlo()
        assert not client.has_extn("starttls")
        client.login("ann@example.com", "pass")
        client.sendmail("ann@example.com", ["bob@example.com"], b"Subject: x\r\n\r\nhello\r\n")
        version = client.sock.version()
    log = (tls_lab.directory / "log" / "smtpd.25" / "current").read_text()
    assert f" TLS={version}\n" in log


def test_recording_holds_the_dialogue_in_clear(tls_lab: Lab) -> None:
    """Behind STARTTLS the recording has what was said, not what was encrypted."""
    records = []
    service = tls_lab._parts.service
    open_session = service.open_session
    service.open_session = lambda peer: records.append(open_session(peer)) or records[-1]
    try:
        with smtplib.SMTP("localhost", tls_lab.port, timeout=10) as client:
            us = client.sock.getsockname()
            client.starttls(context=client_context(tls_lab))
            client.noop()
    finally:
        service.open_session = open_session
    # By its port: on a busy machine the server may only now take a connection that another test made and left.
    (record,) = [record for record in records if record.peer == us]
    said = b"".join(chunk.octets for chunk in record.chunks if chunk.direction == "client")
    assert b"STARTTLS\r\nnoop\r\n" in said


def test_client_that_ends_tls_leaves_no_warning(tls_lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """A client ends TLS without QUIT: the server ends it too, and nothing is written into the owner's log."""
    with caplog.at_level("WARNING"), smtplib.SMTP("localhost", tls_lab.port, timeout=10) as client:
        client.starttls(context=client_context(tls_lab))
        client.noop()
        client.sock.unwrap().close()  # returns when the server has answered the end
        client.close()

    assert [record.getMessage() for record in caplog.records] == []


def test_commands_injected_before_the_handshake_are_dropped(tls_lab: Lab, connect: Callable) -> None:
    """CVE-2011-0411: what rides behind STARTTLS in the same packet is not answered inside TLS."""
    client = connect(tls_lab)
    client.say("EHLO x")
    client.send(b"STARTTLS\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.com>\r\n")
    assert client.reply() == "220 Ready to start TLS (#5.7.0)"
    context = client_context(tls_lab)
    with context.wrap_socket(client.connection, server_hostname="localhost") as encrypted:
        encrypted.settimeout(10)
        encrypted.sendall(b"RCPT TO:<bob@example.com>\r\n")
        assert encrypted.recv(1000) == b"503 MAIL first (#5.5.1)\r\n"


def test_login_does_not_survive_starttls(tls_lab: Lab) -> None:
    """RFC 3207: what was known before the handshake is forgotten."""
    with smtplib.SMTP("localhost", tls_lab.port, timeout=10) as client:
        client.login("ann@example.com", "pass")
        client.starttls(context=client_context(tls_lab))
        client.ehlo()
        assert client.login("bob@example.com", "pass")[0] == 235


def test_nonsense_instead_of_a_handshake_ends_the_session(tls_lab: Lab, connect: Callable) -> None:
    """A client that does not speak TLS is dropped; the server goes on and says so in its log."""
    client = connect(tls_lab)
    client.say("STARTTLS")
    client.send(b"this is not TLS\r\n" * 10)
    client.connection.settimeout(10)
    while client.connection.recv(1000):
        pass
    deadline = time.monotonic() + 10
    path = tls_lab.directory / "log" / "smtpd.25" / "current"
    while "TLS handshake failed" not in path.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "TLS handshake failed" in path.read_text()
    assert tls_lab.send().folder == "Inbox"
    assert tls_lab._parts.service.faults == []


def test_starttls_is_unknown_where_there_is_no_certificate(lab: Lab, connect: Callable) -> None:
    """Without the switch the command does not exist."""
    assert connect(lab).say("STARTTLS") == "502 command STARTTLS not recognized (#5.5.2)"


def test_secure_auth_refuses_secrets_in_clear(tls_lab: Lab, connect: Callable) -> None:
    """Recorded: with SECURE_AUTH a PLAIN in clear gets 538; CRAM is offered; behind TLS PLAIN works."""
    tls_lab.set_variable("SECURE_AUTH", "1")
    try:
        client = connect(tls_lab)
        client.send(b"EHLO x\r\n")
        offered = next(line for line in client.replies() if "AUTH" in line).split()
        assert ("PLAIN" in offered, "LOGIN" in offered, "CRAM-MD5" in offered) == (False, False, True)
        refusal = "538 Encryption required for requested authentication mechanism (#5.7.11)"
        assert client.say(f"AUTH PLAIN {PLAIN_ANN}") == refusal
        assert (
            " AUTH Unknown status=[-2] TLS=No auth failure"
            in (tls_lab.directory / "log" / "smtpd.25" / "current").read_text()
        )
        with smtplib.SMTP("localhost", tls_lab.port, timeout=10) as encrypted:
            encrypted.starttls(context=client_context(tls_lab))
            encrypted.ehlo()
            assert encrypted.docmd("AUTH", f"PLAIN {PLAIN_ANN}")[0] == 235
    finally:
        tls_lab.set_variable("SECURE_AUTH", None)


def test_disabled_mechanism_is_hidden_but_works(make_lab: Callable, connect: Callable) -> None:
    """Recorded: DISABLE_AUTH_PLAIN only takes the name from EHLO."""
    lab = make_lab()
    lab.set_variable("DISABLE_AUTH_PLAIN", "1")
    client = connect(lab)
    client.send(b"EHLO x\r\n")
    offered = next(line for line in client.replies() if "AUTH" in line).split()
    assert "PLAIN" not in offered
    assert client.say(f"AUTH PLAIN {PLAIN_ANN}") == "235 ok, go ahead (#2.0.0)"


@pytest.mark.parametrize(("penalty", "at_least_s"), [("1", 1.0), ("nonsense", 0.0)])
def test_penalty_is_configurable(make_lab: Callable, connect: Callable, penalty: str, at_least_s: float) -> None:
    """PENALTY seconds pass before 535; a value that is no number leaves the lab's own (none)."""
    lab = make_lab()
    lab.set_variable("PENALTY", penalty)
    client = connect(lab)
    wrong = b64encode(b"\0ann@example.com\0wrong").decode()
    start = time.monotonic()
    assert client.say(f"AUTH PLAIN {wrong}") == "535 authorization failure (#5.7.8)"
    assert time.monotonic() - start >= at_least_s


def test_certificate_is_private_and_made_once(tmp_path: Path) -> None:
    """The key's file is for the owner only; a second start keeps it."""
    path = make_certificate(tmp_path, host="mx.example.com")
    first = path.read_bytes()
    assert (path.name, stat.S_IMODE(path.stat().st_mode)) == (SERVER_CERTIFICATE, 0o600)
    assert make_certificate(tmp_path, host="mx.example.com").read_bytes() == first
    assert server_context(path).minimum_version is ssl.TLSVersion.TLSv1_2


def test_missing_trustme_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "trustme", None)
    with pytest.raises(MissingPartError, match=r"trustme is missing\. Install it with"):
        make_certificate(tmp_path, host="mx.example.com")


def test_plain_socket_is_still_loopback_only(tls_lab: Lab) -> None:
    """TLS changes nothing about where the lab listens."""
    with socket.create_connection((tls_lab.host, tls_lab.port), timeout=10) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"
