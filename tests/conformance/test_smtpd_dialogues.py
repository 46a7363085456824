"""The recorded dialogues of qmail-smtpd, sent to the lab line by line: every reply is the recorded one.

The lab has `indimail_bugs` on: second replies and hang-ups are those of the real program. Left out, each with its
reason, are the dialogues in NOT_REPLAYED.
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

NOT_REPLAYED = {
    "checkpassword exit 111": "a module's exit code; tests/conformance/test_auth_vectors.py has it",
    "checkpassword exit 2": "a module's exit code; tests/conformance/test_auth_vectors.py has it",
    "checkpassword crash": "a module's end; tests/conformance/test_auth_vectors.py has it",
    "2532 no checkpassword": "a server without AUTH; the lab always has its user table",
    "SCRAM-SHA-1 start": "its salt is the recorded user table's; tests/conformance/test_auth_vectors.py has it",
    "2531 SECURE_AUTH no TLS: AUTH PLAIN": "a server with STARTTLS; tests/lab/test_tls.py has the same",
    "LOGIN bad base64 2": "the recorder had gone before the second reply came",
}
"""Dialogue -> why it is not replayed here."""

# The first recording of a mail was made without DNS, so every MAIL failed; transcripts-mail.json has the same again.
REPLAYED = [title for title in RECORDED if title not in NOT_REPLAYED]

VARIABLES = {
    "DATA QHPSI reject virus": {"REJECTVIRUS": "1", "RELAYCLIENT": ""},
    "DATA QHPSI scanner error": {"QHPSI": "/no/such/scanner", "RELAYCLIENT": ""},
    "DATA QHPSI accept virus": {"RELAYCLIENT": ""},
    "DATA QHPSI clean": {"RELAYCLIENT": ""},
    "2536 REQUIREAUTH": {"REQUIREAUTH": "1", "OLD_CLIENT": "1"},
}
"""What the recording's server had in its environment."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Run a lab that has the recording's users and domain."""
    with Lab(queue_count=1, indimail_bugs=True) as running:
        accounts = running._parts.service._accounts
        accounts.add("test@local.test", "secret")
        accounts.add("norelay@local.test", "secret", pw_gid=0x20)
        running._parts.service._local_domains = frozenset({"local.test"})
        running._parts.service.host = "mx1.indikit.test"
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
        line = line.partition("      <-- second reply")[0]
        if line.startswith("C: "):
            yield sent, replies
            text = line[3:].replace("{EICAR}", eicar().decode())
            sent, replies = text.encode() + b"\r\n", []
        elif line.startswith("S: "):
            replies.append(normal(line[3:]))
    yield sent, replies


def challenge_of(dialogue: list[str]) -> bytes | None:
    """Return the recorded challenge, or the server's part of SCRAM's nonce; None where there is none to give."""
    lines = [line for line in dialogue if line[:3] in {"C: ", "S: "}]
    begin = next((number for number, line in enumerate(lines) if line.startswith("C: AUTH")), 0)
    lines = lines[begin:]
    if lines[0].startswith("C: AUTH SCRAM-") and lines[3].startswith("S: 334 "):
        nonces = [b64decode(line.rpartition(" ")[2]).partition(b"r=")[2] for line in lines[2:4]]
        return nonces[1].partition(b",")[0].removeprefix(nonces[0])
    is_made_before = lines[0].startswith(("C: AUTH CRAM-", "C: AUTH DIGEST-"))
    return b64decode(lines[1].removeprefix("S: 334 ")) if is_made_before else None


@pytest.mark.parametrize("case", REPLAYED)
def test_recorded_dialogue(service: Lab, connect: Callable, case: str) -> None:
    """The same lines get the same replies."""
    for name, value in VARIABLES.get(case, {}).items():
        service.set_variable(name, value)
    dialogue = RECORDED[case]
    service._parts.service.challenge_source = lambda _mechanism: challenge_of(dialogue)
    client = connect(service)
    for sent, recorded in steps(dialogue):
        heard = [client.greeting]
        if sent is not None:
            client.send(sent)
            heard = [line for _ in range(sum(line[3:4] == " " for line in recorded)) for line in client.replies()]
        if "<EOF>" in recorded:
            assert client.is_hung_up()
            return
        if sent is not None and sent.startswith(b"EHLO"):
            assert [line[:9] for line in heard if "AUTH" in line] == [line[:9] for line in recorded if "AUTH" in line]
            assert [line for line in heard if not line.startswith(("250-AUTH", "250-SIZE"))] == [
                line for line in recorded if not line.startswith("250-AUTH")
            ]
        else:
            assert [normal(line) for line in heard] == recorded


@pytest.mark.parametrize("case", ["LOGIN ok", "2536 REQUIREAUTH"])
def test_mechanisms_are_offered_as_recorded(service: Lab, connect: Callable, case: str) -> None:
    """The AUTH lines of EHLO are the recorded ones, name for name and in order."""
    for name, value in VARIABLES.get(case, {}).items():
        service.set_variable(name, value)
    client = connect(service)
    client.send(b"EHLO client.test\r\n")
    heard = [line for line in client.replies() if line.startswith("250-AUTH")]
    assert heard == [line[3:] for line in RECORDED[case] if line.startswith("S: 250-AUTH")]
