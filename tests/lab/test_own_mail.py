"""A mail of a person's own goes through the lab octet for octet, and what comes of it is known before and after."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.lab import Lab
from indimail_kit.qhpsi import ScanAction, eicar

HEADER = b"From: ann@example.com\nTo: bob@example.com\nSubject: own\n\n"


def stored(path: str) -> bytes:
    """Return the delivered mail."""
    return Path(path).read_bytes()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b".\n..\n.a\n\n.\n", id="dots"),
        pytest.param(b"\xff\xfe\x80 caf\xc3\xa9\n", id="any octets"),
        pytest.param(b"no line end", id="no line end"),
        pytest.param(b"a\rb\n", id="a bare CR"),
        pytest.param(b"From me\n>From you\n", id="From lines"),
        pytest.param(b"x" * 90_000 + b"\n", id="a long line"),
    ],
)
def test_every_octet_arrives(lab: Lab, body: bytes) -> None:
    """Dots are doubled and undoubled, nothing is encoded; only a missing last line end is added."""
    arrival = lab.send(message=HEADER + body).arrival

    assert arrival is not None
    sent = HEADER + body
    assert stored(arrival.path).endswith(b"\n" + sent + b"\n" * (not sent.endswith(b"\n")))
    assert (arrival.is_unchanged, arrival.folder, arrival.recipient) == (True, "Inbox", "bob@example.com")


def test_a_mail_that_is_the_virus_alone_is_refused(lab: Lab) -> None:
    """EICAR as a whole mail, REJECTVIRUS=1: 554, the report and the log line say why, nothing arrives."""
    journey = lab.send(message=eicar(), reject_virus=1)
    lab.set_variable("REJECTVIRUS", "0")

    assert journey.report is not None
    assert (journey.smtp_reply, journey.report.action, journey.arrival) == (
        "554 qq message contains virus (#5.7.1)",
        ScanAction.BOUNCE,
        None,
    )
    assert "qq message contains virus (#5.7.1) (permanent)" in journey.log_lines[-1]
    assert journey.message_bytes > len(eicar())


def test_the_journey_knows_its_variables(lab: Lab) -> None:
    """What applied to this mail is kept with it, though the policy changes afterwards."""
    journey = lab.send(message=HEADER, reject_virus=2)
    lab.set_variable("REJECTVIRUS", "0")

    assert dict(journey.variables)["REJECTVIRUS"] == "2"


@pytest.mark.parametrize("filling", [0, 4_000_000], ids=["small", "4 MB behind it"])
def test_a_bare_lf_is_a_journey(lab: Lab, filling: int) -> None:
    """Mixed line ends go out as they are; the server says so and hangs up, and the journey has the reply."""
    journey = lab.send(
        message=b"Subject: a\r\n\r\nbare\nline\r\n" + b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * (filling // 78)
    )

    assert (journey.smtp_reply, journey.arrival, journey.message_number) == (
        "451 Sorry, I received Bare LF. (#4.6.0)",
        None,
        0,
    )


@pytest.mark.parametrize(
    ("octets", "reply"),
    [(b"a\0b\n", "554 sorry, NUL octets"), (b"x" * 100_001 + b"\n", "554 sorry, a line is longer")],
    ids=["NUL", "too long a line"],
)
def test_what_no_server_takes_is_a_journey(lab: Lab, octets: bytes, reply: str) -> None:
    """The server's reply, not an exception."""
    assert lab.send(message=HEADER + octets).smtp_reply.startswith(reply)


def test_the_rule_that_chose_the_folder_is_told(lab: Lab) -> None:
    """An infected mail lies in Quarantine, and the seed's filter is named."""
    arrival = lab.send(message=HEADER + eicar() + b"\n", reject_virus=0).arrival

    assert arrival is not None
    assert arrival.rule is not None
    assert (arrival.folder, arrival.rule.filter_name, arrival.rule.emailid) == (
        "Quarantine",
        "virusFilter",
        "prefilt@example.com",
    )


def test_a_bounce_is_not_the_mail(lab: Lab) -> None:
    """What lies in the sender's Inbox is another mail: there is no before and after."""
    assert lab.send(message=HEADER, recipient="nobody@example.com").arrival is None
