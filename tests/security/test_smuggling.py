"""Attack: SMTP smuggling. A mail within a mail, behind an end of data that only one of two servers sees.

Source: CVE-2023-51764, CVE-2023-51765, CVE-2023-51766, CVE-2024-27305; "SMTP smuggling" of SEC Consult, and smtpsmug's
forms; our own mixes with CR CR LF and NUL.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from indimail_kit.lab import Lab
from indimail_kit.lab.second_host import SecondHost
from indimail_kit.lab.smtp_data import DataDecoder

FORMS = {
    "LF . LF": b"\n.\n",
    "LF . CR LF": b"\n.\r\n",
    "CR LF . LF": b"\r\n.\n",
    "CR . CR": b"\r.\r",
    "CR . CR LF": b"\r.\r\n",
    "CR LF . CR": b"\r\n.\r",
    "CR . LF": b"\r.\n",
    "LF . CR": b"\n.\r",
    "LF LF . CR LF": b"\n\n.\r\n",
    "LF LF . LF LF": b"\n\n.\n\n",
    "CR CR LF . CR CR LF": b"\r\r\n.\r\r\n",
    "CR LF . CR CR LF": b"\r\n.\r\r\n",
    "CR CR LF . CR LF": b"\r\r\n.\r\n",
    "CR LF NUL . CR LF": b"\r\n\0.\r\n",
    "CR LF . NUL CR LF": b"\r\n.\0\r\n",
    "CR LF NUL LF . CR LF": b"\r\n\0\n.\r\n",
    "CR NUL LF . CR LF": b"\r\0\n.\r\n",
    "LF CR . LF CR": b"\n\r.\n\r",
}
"""End of data in forms that are none: only CR LF . CR LF is one."""

SMUGGLED = (
    b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nI was never sent\r\n.\r\n"
)
"""What rides behind it."""

TRUE_ENDS = {"CR CR LF . CR LF": b"\r\r\n.\r\n"}
"""Forms that hold the true end of data: a CR before CR LF is text for every server alike, so nothing is smuggled."""

CASES = [pytest.param(octets, id=name) for name, octets in FORMS.items() if name not in TRUE_ENDS]


def conversation(form: bytes) -> bytes:
    """Return what the attacker sends at once: one mail, whose text holds another."""
    opening = b"EHLO attacker.example\r\nMAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n"
    return opening + b"Subject: outer\r\n\r\nhello" + form + SMUGGLED + b"QUIT\r\n"


def replies(address: tuple[str, int], octets: bytes) -> list[bytes]:
    """Say it, hang up, and return the lines that came back."""
    with socket.create_connection(address, timeout=10) as client:
        said = b""
        try:
            client.sendall(octets)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(65536):
                said += piece
        except ConnectionResetError:
            pass
    return said.splitlines()


def test_at_least_fourteen_forms_are_tried() -> None:
    """The issue asks for fourteen."""
    assert len(CASES) >= 14
    assert len(set(FORMS.values())) == len(FORMS)


@pytest.mark.parametrize("step", [0, 1, 3], ids=["at once", "octet by octet", "in threes"])
@pytest.mark.parametrize("form", CASES)
def test_smuggled_end_of_data_is_none_for_the_decoder(form: bytes, step: int) -> None:
    """The octets behind the form are never left over as commands."""
    decoder = DataDecoder(max_bytes=100_000)
    octets = b"hello" + form + SMUGGLED
    pieces = [octets[at : at + step] for at in range(0, len(octets), step)] if step else [octets]
    for piece in pieces:
        if decoder.feed(piece):
            break

    assert (decoder.is_done and b"evil" in decoder.rest, b"MAIL FROM" in decoder.rest) == (False, False)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Run a lab."""
    with Lab(seed=1, scanner="embedded", queue_count=1) as running:
        yield running


def arrived(lab: Lab) -> list[bytes]:
    """Return the mails in all mailboxes and queues of a lab."""
    files = [path for path in Path(lab.directory).rglob("*") if path.is_file() and path.parent.name in ("new", "cur")]
    files += [path for path in Path(lab.queue_base).rglob("mess/*/*") if path.is_file()]
    return [path.read_bytes() for path in files]


@pytest.mark.parametrize("form", CASES)
def test_smuggled_mail_is_never_taken_by_qmail_smtpd(lab: Lab, form: bytes) -> None:
    """No second 250 behind DATA, no mail from the smuggled sender, nothing in any mailbox that begins with it."""
    said = replies((lab.host, lab.port), conversation(form))
    lab.send()  # everything before it has been delivered

    assert len([line for line in said if line.startswith(b"354")]) == 1
    assert [mail for mail in arrived(lab) if b"evil@example.com" in mail.split(b"\n\n")[0]] == []


@pytest.mark.parametrize("form", CASES)
def test_smuggled_mail_is_never_taken_by_the_second_host(form: bytes, tmp_path: Path) -> None:
    """aiosmtpd, which plays the other host, sees one mail at most, and it is the outer one."""
    host = SecondHost(tmp_path / "Maildir")
    host.start()
    try:
        replies(host.address, conversation(form))
        senders = [mail.sender for mail in host.mails]
    finally:
        host.stop()

    assert senders in ([], ["ann@example.com"])


def test_true_end_of_data_is_still_one() -> None:
    """The same attack with CR LF . CR LF is two mails, and both arrive, so the tests above can fail."""
    with Lab(seed=1, scanner="embedded", queue_count=1) as lab:
        said = replies((lab.host, lab.port), conversation(b"\r\n.\r\n"))
        lab.send()
        smuggled = [mail for mail in arrived(lab) if b"evil@example.com" in mail.split(b"\n\n")[0]]

    assert len([line for line in said if line.startswith(b"354")]) == 2
    assert len(smuggled) == 1
