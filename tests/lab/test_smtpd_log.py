"""The log of the SMTP service is IndiMail's, line for line, and reads back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from indimail_kit import logs
from indimail_kit.lab import Lab


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Run a lab through an accepted, a refused, an unauthorised and a relayed mail; return the log without labels."""
    with Lab(scanner="embedded", queue_count=1) as lab:
        lab.send()
        lab.send(attach="eicar", reject_virus=1)
        lab.send(passwd="wrong")
        lab.send(mechanism="", recipient="x@elsewhere.example")
        path = lab.directory / "log" / "smtpd.25" / "current"
        return [line.partition(b" ")[2].decode() for line in path.read_bytes().splitlines()]


# Forms as recorded in tests/data/indimail/logs/smtpd-2530-auth.tai64n.log and facts; numbers are any.
SMTPD = r"qmail-smtpd: pid \d+ from 127\.0\.0\.1 "
MAIL = (
    r"HELO <client\.example\.com> MAIL from <ann@example\.com> RCPT <bob@example\.com>"
    r" AUTH <ann@example\.com: AUTH CRAM-MD5: local-rcpt> Size: \d+ TLS=No"
)
FORMS = {
    "accepted": SMTPD + " " + MAIL,
    "virus": SMTPD + r"qq message contains virus \(#5\.7\.1\) \(permanent\): " + MAIL + r" qp \d+",
    "login": SMTPD + r" AUTH USER \[ann@example\.com\] status=\[1\] AUTH Unknown  TLS=No auth failure",
    "relay": SMTPD + r"Invalid RELAY client: MAIL from <ann@example\.com> RCPT <x@elsewhere\.example>",
    "ok": r"tcpserver: ok \d+ mx\.example\.com\[127\.0\.0\.1\]25 \[127\.0\.0\.1\]:\d+:maxperip=50",
    "session": r"tcpserver: status: 1/50 un-encrypted session, pid=\d+, IP 127\.0\.0\.1",
    "end": r"tcpserver: status: 0/50 sigchild, pid=\d+",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_line_has_the_recorded_form(lines: list[str], form: str) -> None:
    """Exactly as the real programs write it."""
    assert [line for line in lines if re.fullmatch(form, line)]


def test_every_line_reads_back(lines: list[str]) -> None:
    """The kit's own reader knows each line."""
    assert [line for line in lines if logs.parse_line(line.encode()).kind == "unknown"] == []


def test_line_cannot_be_forged_through_helo(make_lab: Callable[..., Lab], connect: Callable) -> None:
    """What a client calls itself stays within its line."""
    lab = make_lab()
    client = connect(lab)
    client.say(b"HELO x\r@400000004b9da2f03b424bb4 tcpserver: ok 1 forged")
    client.say("MAIL FROM:<ann@example.com>")
    client.say("RCPT TO:<bob@example.com>")
    client.say("DATA")
    client.say("Subject: x\r\n\r\nhi\r\n.")
    text = (lab.directory / "log" / "smtpd.25" / "current").read_bytes()
    assert not [line for line in text.split(b"\n") if line.endswith(b"forged") and b" HELO <" not in line]
