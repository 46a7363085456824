"""The lines on top of a message against recorded mess files."""

from __future__ import annotations

import email.utils
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.mailqueue.received import EnvironmentHeaders, format_date, format_received, is_fast_queue, scan_number

DATA = Path(__file__).parent.parent / "data" / "indimail"
NOVEMBER_S = 1_795_356_840
"""Sun, 22 Nov 2026 14:14:00 UTC."""

QHPSI_CASES = [case for case in json.loads((DATA / "qhpsi" / "qhpsi-cases.json").read_text()) if case["files"]]


def received(
    *, invoked_from: str = "uid", uid: int = 0, qp: int = 4305, unix_s: int = NOVEMBER_S, **environ: str
) -> str:
    """Return the lines as text."""
    lines = format_received(
        qp=qp, uid=uid, host="vm", unix_s=unix_s, environ=environ, invoked_from=invoked_from  # type: ignore[arg-type]
    )  # fmt: skip
    return lines.decode()


@pytest.mark.parametrize("case", QHPSI_CASES, ids=lambda case: f"{case['case']}-{case['message']}")
def test_received_line_is_that_of_the_recorded_file(case: dict[str, dict[str, str]]) -> None:
    """Octet for octet, at the time that the recorded line tells."""
    mess = next(text for path, text in case["files"].items() if path.startswith("mess/"))
    line = mess[: mess.index("\n", mess.index("\n") + 1) + 1]
    date = email.utils.parsedate_to_datetime(line.rpartition("; ")[2])
    assert received(qp=int(str(case["pid"])), unix_s=int(date.timestamp())) == line


@given(st.integers(0, 253_402_300_799))
def test_date_is_that_of_the_standard_library(unix_s: int) -> None:
    """Independent program: email.utils, for every second up to the year 9999."""
    assert format_date(unix_s).decode() == email.utils.formatdate(unix_s).replace("-0000", "+0000")


TEXTS = [
    ({"invoked_from": "alias"}, " by host vm\n (invoked by alias); "),
    ({"invoked_from": "bounce"}, " by host vm\n (invoked for bounce); "),
    ({"uid": 1008}, " by host vm\n (invoked by uid 1008); "),
    ({"TCPREMOTEIP": "192.0.2.7"}, " by host vm\n (invoked from network 192.0.2.7, by uid 0); "),
    ({"TCPREMOTEIP": "192.0.2.7", "invoked_from": "bounce"}, " by host vm\n (invoked for bounce); "),
    ({"invoked_from": "network"}, " by host vm\n (invoked from network ?.?.?.?, by uid 0); "),
    ({"invoked_from": "network", "TCPREMOTEIP": "::1"}, " by host vm\n (invoked from network ::1, by uid 0); "),
    ({"HOSTNAME": "mx1.example.com"}, " by host mx1.example.com\n (invoked by uid 0); "),
    ({"HIDE_HOST": "1"}, "(invoked by uid 0); "),
    ({"HIDE_HOST": ""}, "(invoked by uid 0); "),
    ({"HIDE_HOST": "1", "TCPREMOTEIP": "192.0.2.7"}, "(invoked from network, by uid 0); "),
    ({"HIDE_HOST": "1", "invoked_from": "network"}, "(invoked by uid 0); "),
]


@pytest.mark.parametrize(("options", "text"), TEXTS, ids=[str(options) for options, _ in TEXTS])
def test_caller_and_host_are_told_as_in_qmail_queue_c(options: dict[str, str], text: str) -> None:
    """The branches of receivedfmt()."""
    expected = f"Received: indimail-mta queue 4305{text}Sun, 22 Nov 2026 14:14:00 +0000\n"
    assert received(**options) == expected  # type: ignore[arg-type]  # options and variables in one table


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"ORIGINIPFIELD": "1", "RELAYCLIENT": ""}, "X-Originating-IP: 192.0.2.7"),
        ({"ORIGINIPFIELD": "1", "TCPREMOTEINFO": "ann"}, "X-Originating-IP: 192.0.2.7"),
        ({"ORIGINIPFIELD": "1"}, ""),
        ({"ORIGINIPFIELD": "0", "RELAYCLIENT": ""}, ""),
        ({"ORIGINIPFIELD": "", "RELAYCLIENT": ""}, ""),
        ({"RELAYCLIENT": ""}, ""),
        ({"ORIGINIPFIELD": "1", "RELAYCLIENT": "", "FASTQUEUE": "1"}, ""),
    ],
    ids=str,
)
def test_originating_ip_is_written_for_clients_that_may_relay(environ: dict[str, str], line: str) -> None:
    """ORIGINIPFIELD, and RELAYCLIENT or TCPREMOTEINFO."""
    assert received(TCPREMOTEIP="192.0.2.7", **environ).split("\n", 2)[2] == (line and line + "\n")


def test_originating_ip_needs_an_ip() -> None:
    """Without TCPREMOTEIP there is nothing to write."""
    assert received(ORIGINIPFIELD="1", RELAYCLIENT="").count("\n") == 2


@pytest.mark.parametrize(
    ("text", "is_fast"), [("1005", True), ("1", True), ("-1", True), ("0", False), ("", False), ("yes", False)]
)
def test_fastqueue_is_a_number_other_than_zero(text: str, is_fast: bool) -> None:
    """scan_int() of the variable."""
    assert is_fast_queue({"FASTQUEUE": text}) is is_fast


def test_without_fastqueue_nothing_is_left_out() -> None:
    """The variable is not set."""
    assert is_fast_queue({}) is False


@pytest.mark.parametrize(("text", "number"), [("12", 12), ("12x", 12), ("", 0), ("x1", 0), (" 1", 0), ("٣", 0)])
def test_number_is_read_as_scan_ulong_reads_it(text: str, number: int) -> None:
    """Leading digits only, else 0."""
    assert scan_number(text) == number


HEADERS = b"""From: ann@local.test
SUBJECT: hi
\tthere
To: bob@local.test
Subject-Extra: 1
X-Empty:

Subject: in the body
"""


def picked(names: list[str], message: bytes = HEADERS, *, step: int = 0) -> bytes:
    """Return the h record of a message fed in pieces of `step` octets, or whole."""
    headers = EnvironmentHeaders(names)
    for start in range(0, len(message), step or len(message) or 1):
        headers.feed(message[start : start + (step or len(message))])
    return headers.finish()


def test_header_named_in_envheaders_is_copied_as_recorded() -> None:
    """control/envheaders held "Subject"; the recorded h record is the line with its newline."""
    assert picked(["Subject"], b"From: ann@local.test\nTo: alice@local.test\nSubject: hi\n\nbody\n") == b"Subject: hi\n"


@pytest.mark.parametrize("step", [0, 1, 2, 7, 1000])
def test_names_match_as_prefixes_in_any_case_with_their_continuation_lines(step: int) -> None:
    """As case_diffb() over the length of the name does, in pieces of any size; the body is not looked at."""
    assert picked(["subject"], step=step) == b"SUBJECT: hi\n\tthere\nSubject-Extra: 1\n"


@pytest.mark.parametrize(
    ("names", "record"),
    [
        ([], b""),
        ([""], b""),
        (["X-Empty"], b"X-Empty:\n"),
        (["From", "To"], b"From: ann@local.test\nTo: bob@local.test\n"),
        (["Bcc"], b""),
        (["from:4"], b"From: ann@local.test\n"),
        (["from:3"], b""),
        (["subject:14"], b"SUBJECT: hi\n\tthere\nSubject-Extra: 1\n"),
        (["subject:13"], b"SUBJECT: hi\nSubject-Extra: 1\n"),
    ],
    ids=str,
)
def test_envheaders_say_what_is_copied(names: list[str], record: bytes) -> None:
    """NAME:N counts the name and the continuation lines, as qmail-queue.c does."""
    assert picked(names) == record


@pytest.mark.parametrize(
    "message",
    [b"no header line\nSubject: hi\n", b"\nSubject: hi\n", b" \t\nSubject: hi\n", b"b\xc3\xa4d: x\nSubject: hi\n"],
    ids=["text", "empty line", "blank line", "8-bit name"],
)
def test_header_ends_at_the_first_line_that_is_none(message: bytes) -> None:
    """Nothing after it is copied."""
    assert picked(["Subject"], message) == b""


def test_message_that_ends_within_its_header_is_read_to_the_end() -> None:
    """The last line needs no newline."""
    assert picked(["Subject"], b"Subject: hi") == b"Subject: hi"


def test_nul_in_a_header_cannot_forge_a_record() -> None:
    """It would end the h record and start another."""
    assert picked(["Subject"], b"Subject: a\0Tevil@example.com\n\n") == b"Subject: aTevil@example.com\n"


def test_endless_header_is_not_collected() -> None:
    """After 1 MiB the search stops; the message itself is queued all the same."""
    headers = EnvironmentHeaders(["Subject"])
    for _ in range(40):
        headers.feed(b"X-Fill: " + b"x" * 65_526 + b"\n")
    headers.feed(b"Subject: too late\n")
    assert headers.finish() == b""
