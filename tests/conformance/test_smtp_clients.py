"""Real clients against the lab: swaks, curl, smtplib log in, are refused, and send mail that ends where it should."""

from __future__ import annotations

import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from indimail_kit.lab import Lab
from indimail_kit.qhpsi import eicar

MECHANISMS = ("LOGIN", "PLAIN", "CRAM-MD5")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Run a lab with the best scanner there is: clamd wherever it is installed."""
    with Lab(queue_count=2) as running:
        yield running


@pytest.fixture
def virus(tmp_path: Path) -> Path:
    """Return a file that holds the test virus, put together now."""
    path = tmp_path / "eicar.com"
    path.write_bytes(eicar())
    return path


def needs(program: str) -> str:
    """Return the path of a client, or skip where it cannot be had; in CI it must be there."""
    import os

    path = shutil.which(program)
    if path is None:
        assert not os.environ.get("CI"), f"{program} is installed by make test"
        pytest.skip(f"{program} is not installed; make test installs it where it may")
    return path


def swaks(lab: Lab, mechanism: str, password: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run swaks as a person would."""
    return subprocess.run(
        [
            *(
                needs("swaks"),
                "--server",
                f"{lab.host}:{lab.port}",
                "--from",
                "ann@example.com",
                "--to",
                "bob@example.com",
            ),
            *("--auth", mechanism, "--auth-user", "ann@example.com", "--auth-password", password, *more),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_swaks_logs_in_and_sends(lab: Lab, mechanism: str) -> None:
    """235, then 250 ok … qp …."""
    result = swaks(lab, mechanism, "pass")
    assert result.returncode == 0, result.stdout
    assert "<~  235 ok, go ahead (#2.0.0)" in result.stdout.replace("<-", "<~")
    assert " 250 ok " in result.stdout
    assert " qp " in result.stdout


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_swaks_is_refused(lab: Lab, mechanism: str) -> None:
    """A wrong password gets 535 and no mail is sent."""
    result = swaks(lab, mechanism, "wrong")
    assert result.returncode == 28  # swaks(1): error processing auth
    assert "535 authorization failure (#5.7.8)" in result.stdout


def test_swaks_with_the_test_virus_is_refused(lab: Lab, virus: Path) -> None:
    """REJECTVIRUS=1 and an infected attachment: 554 at the end of DATA."""
    lab.set_variable("REJECTVIRUS", "1")
    result = swaks(lab, "CRAM-MD5", "pass", "--attach", f"@{virus}")
    lab.set_variable("REJECTVIRUS", "0")
    assert "235 ok, go ahead (#2.0.0)" in result.stdout
    assert "554 qq message contains virus (#5.7.1)" in result.stdout


def msmtp(lab: Lab, mechanism: str, password: str) -> subprocess.CompletedProcess[str]:
    """Run msmtp as a person would; it is the client that knows SCRAM."""
    return subprocess.run(
        [
            *(needs("msmtp"), "--file=/dev/null", "--host", lab.host, f"--port={lab.port}", "--tls=off", "--debug"),
            *(f"--auth={mechanism.lower()}", "--user=ann@example.com", f"--passwordeval=echo {password}"),
            *("--from=ann@example.com", "bob@example.com"),
        ],
        input="Subject: from msmtp\n\nhello\n",
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"])
def test_msmtp_logs_in_and_sends(lab: Lab, mechanism: str) -> None:
    """The client checks the server's signature of SCRAM too, and the mail is queued."""
    result = msmtp(lab, mechanism, "pass")
    assert result.returncode == 0, result.stderr
    assert f"AUTH {mechanism}" in result.stdout
    assert " qp " in result.stdout


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5"])
def test_msmtp_is_refused(lab: Lab, mechanism: str) -> None:
    """A wrong password: 535, and sysexits' EX_NOPERM."""
    result = msmtp(lab, mechanism, "wrong")
    assert (result.returncode, "535 authorization failure (#5.7.8)" in result.stdout) == (77, True)


def curl(lab: Lab, mechanism: str, password: str, mail: Path) -> subprocess.CompletedProcess[str]:
    """Run curl as a person would."""
    url = f"smtp://{lab.host}:{lab.port}"
    return subprocess.run(
        [
            *(
                needs("curl"),
                "--silent",
                "--show-error",
                "--verbose",
                "--url",
                url,
                "--login-options",
                f"AUTH={mechanism}",
            ),
            *("--user", f"ann@example.com:{password}", "--mail-from", "ann@example.com"),
            *("--mail-rcpt", "bob@example.com", "--upload-file", str(mail)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """Return a small mail in a file."""
    path = tmp_path / "mail"
    path.write_bytes(b"Subject: from curl\r\n\r\nhello\r\n")
    return path


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_curl_logs_in_and_sends(lab: Lab, mechanism: str, mail: Path) -> None:
    """Curl is content and heard the qp."""
    result = curl(lab, mechanism, "pass", mail)
    assert result.returncode == 0, result.stderr
    assert " qp " in result.stderr


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_curl_is_refused(lab: Lab, mechanism: str, mail: Path) -> None:
    """Curl says that the login was denied."""
    result = curl(lab, mechanism, "wrong", mail)
    assert result.returncode == 67  # curl(1): the user name, password, or similar was not accepted
    assert "535 authorization failure (#5.7.8)" in result.stderr


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_smtplib_logs_in_and_sends(lab: Lab, mechanism: str) -> None:
    """Python's own client with Python's own mechanisms."""
    with smtplib.SMTP(lab.host, lab.port, timeout=20) as client:
        client.ehlo()
        client.user, client.password = "ann@example.com", "pass"
        method = {"LOGIN": client.auth_login, "PLAIN": client.auth_plain, "CRAM-MD5": client.auth_cram_md5}[mechanism]
        assert client.auth(mechanism, method) == (235, b"ok, go ahead (#2.0.0)")
        assert client.sendmail("ann@example.com", ["bob@example.com"], b"Subject: x\r\n\r\nhello\r\n") == {}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_smtplib_is_refused(lab: Lab, mechanism: str) -> None:
    """A wrong password is an SMTPAuthenticationError with 535."""
    with smtplib.SMTP(lab.host, lab.port, timeout=20) as client:
        client.ehlo()
        client.user, client.password = "ann@example.com", "wrong"
        method = {"LOGIN": client.auth_login, "PLAIN": client.auth_plain, "CRAM-MD5": client.auth_cram_md5}[mechanism]
        with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
            client.auth(mechanism, method)
