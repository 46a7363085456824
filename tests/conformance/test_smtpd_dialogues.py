"""The recorded dialogues of qmail-smtpd, sent to the lab line by line: every reply is the recorded one.

Left out, with the reason: mechanisms that the lab does not have yet, TLS, and dialogues of a checkpassword that
misbehaves (a program's exit code, not the table's answer). What differs on purpose stands in DIFFERENCES.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.lab import Lab
from indimail_kit.qhpsi import eicar

DATA = Path(__file__).parents[1] / "data" / "indimail" / "auth"
RECORDED = {
    **json.loads((DATA / "transcripts.json").read_text()),
    **json.loads((DATA / "transcripts-mail.json").read_text()),
}

REPLAYED = [
    *("LOGIN ok", "LOGIN initial response ok", "PLAIN ok", "PLAIN initial response ok", "PLAIN authzid", "PLAIN wrong"),
    *("PLAIN malformed one field", "PLAIN cancel", "CRAM-MD5 ok", "CRAM-MD5 wrong", "CRAM-MD5 upper case hex"),
    *("CRAM-SHA1 ok", "CRAM-SHA224 ok", "CRAM-SHA256 ok", "CRAM-SHA384 ok", "CRAM-SHA512 ok", "CRAM-RIPEMD ok"),
    *("CRAM-MD5 with initial response", "CRAM-MD5 no space", "unknown mechanism", "AUTH no arg", "AUTH in transaction"),
    *("relay without auth", "relay with auth + mail", "mail without auth, AUTH= param", "bad sequence"),
    *("DATA QHPSI reject virus", "DATA QHPSI scanner error", "DATA QHPSI accept virus", "DATA QHPSI clean"),
    *("2536 REQUIREAUTH", "checkpassword exit 3 (no relay)"),
]

VARIABLES = {
    "DATA QHPSI reject virus": {"REJECTVIRUS": "1", "RELAYCLIENT": ""},
    "DATA QHPSI scanner error": {"QHPSI": "/no/such/scanner", "RELAYCLIENT": ""},
    "DATA QHPSI accept virus": {"RELAYCLIENT": ""},
    "DATA QHPSI clean": {"RELAYCLIENT": ""},
    "2536 REQUIREAUTH": {"REQUIREAUTH": "1", "OLD_CLIENT": "1"},
}
"""What the recording's server had in its environment."""

DIFFERENCES = {
    "      <-- second reply": "IndiMail sends a second reply after 501; we send one",
}
"""Mark of a recorded line that we do not send -> why."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Run a lab that has the recording's users and domain."""
    with Lab(queue_count=1) as running:
        accounts = running._parts.service._accounts
        accounts.add("test@local.test", "secret")
        accounts.add("norelay@local.test", "secret", pw_gid=0x20)
        running._parts.service._local_domains = frozenset({"local.test"})
        running._parts.service.greeting = "mx1.indikit.test ESMTP"
        yield running


@pytest.fixture
def service(lab: Lab) -> Iterator[Lab]:
    """Give the lab with the variables as they were, whatever a case sets."""
    before = {path.name: path.read_text().strip() for path in (lab._places.variables).iterdir()}
    yield lab
    for path in lab._places.variables.iterdir():
        lab.set_variable(path.name, before.get(path.name))
    lab._parts.service.challenge_source = None


def normal(line: str) -> str:
    """Take time, qp and date out of a reply."""
    line = re.sub(r"^250 ok \d+ qp \d+$", "250 ok TIME qp PID", line)
    return re.sub(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$", "DATE", line)


def steps(dialogue: list[str]) -> Iterator[tuple[bytes | None, list[str]]]:
    """Yield what the client sends (None at the start) and the replies that were recorded."""
    sent: bytes | None = None
    replies: list[str] = []
    for line in dialogue:
        if any(line.endswith(mark) for mark in DIFFERENCES):
            continue
        if line.startswith("C: "):
            yield sent, replies
            text = line[3:].replace("{EICAR}", eicar().decode())
            sent, replies = text.encode() + b"\r\n", []
        elif line.startswith("S: "):
            replies.append(normal(line[3:]))
    yield sent, replies


@pytest.mark.parametrize("case", REPLAYED)
def test_recorded_dialogue(service: Lab, connect: Callable, case: str) -> None:
    """The same lines get the same replies."""
    for name, value in VARIABLES.get(case, {}).items():
        service.set_variable(name, value)
    dialogue = RECORDED[case]
    if case.startswith("CRAM"):
        recorded_challenge = next(line for line in dialogue if line.startswith("S: 334 "))
        service._parts.service.challenge_source = lambda: b64decode(recorded_challenge.removeprefix("S: 334 "))
    client = connect(service)
    for sent, recorded in steps(dialogue):
        heard = [client.greeting]
        if sent is not None:
            client.send(sent)
            heard = [line for _ in range(sum(line[3:4] == " " for line in recorded)) for line in client.replies()]
        if sent is not None and sent.startswith(b"EHLO"):
            assert [line[:9] for line in heard if "AUTH" in line] == [line[:9] for line in recorded if "AUTH" in line]
            assert (heard[0], heard[-1]) == (recorded[0], recorded[-1])
            assert set(recorded) - set(heard) == {line for line in recorded if line.startswith("250-AUTH")}
        else:
            assert [normal(line) for line in heard] == recorded
