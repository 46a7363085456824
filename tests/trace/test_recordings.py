"""Recorded sessions: the reply that names the qp, and passwords that stay masked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indimail_kit import logs, trace
from indimail_kit.auth.transcript import WireChunk
from indimail_kit.errors import TraceError
from indimail_kit.lab.session import SessionRecord
from indimail_kit.tai64 import to_tai64n
from indimail_kit.trace.recordings import SessionFile

DATA = Path(__file__).parents[1] / "data" / "indimail"
NS = 10**9
PASSWORD = "AHRlc3RAbG9jYWwudGVzdABzZWNyZXQ="


@pytest.fixture(scope="module")
def dialogue():
    """The recorded dialogue whose mail got qp 5219, as lines with S: and C:."""
    turns = json.loads((DATA / "auth" / "transcripts-mail.json").read_text())["relay with auth + mail"]
    return "".join(f"{turn[:3]}{line}\n" for turn in turns for line in turn[3:].split("\n"))


@pytest.fixture(scope="module")
def log():
    """qmail-send's log of the same hour."""
    return logs.read(DATA / "logs" / "send-for-smtpd.tai64n.log.gz")


def test_a_pasted_session_is_joined_by_the_qp_of_its_reply(dialogue, log, tmp_path):
    """The reply names second and qp; the mail itself is not repeated."""
    (tmp_path / "session.txt").write_text(dialogue)
    told = trace.qp(5219, logs=[log], recordings=trace.read_sessions(tmp_path / "session.txt"))
    session = told.of("session")

    assert ({one.confidence for one in session}, session[-1].text, session[0].text[:6]) == (
        {"certain"},
        "S: 250 ok 1795357221 qp 5219",
        "S: 220",
    )
    assert [one.text for one in session if "Subject" in one.text or PASSWORD in one.text] == []
    assert "C: AUTH PLAIN ****" in [one.text for one in session]


def test_recordio_has_pids_and_times(dialogue, log, tmp_path):
    """Every line has its own time then."""
    lines = [line for line in dialogue.split("\n") if line]
    recorded = [
        b"%b 5217 %b %b \n"
        % (to_tai64n((1795357221 * 1000 + at) * 10**6), b"<" if line[0] == "C" else b">", line[3:].encode())
        for at, line in enumerate(lines)
    ]
    (tmp_path / "current").write_bytes(b"".join(recorded))
    sessions = trace.read_sessions(tmp_path / "current")
    session = trace.qp(5219, logs=[log], recordings=sessions).of("session")

    assert ([one.pid for one in sessions], session[0].unix_ns, session[-1].text) == (
        [5217],
        1795357221 * NS,
        "S: 250 ok 1795357221 qp 5219",
    )


def test_a_session_alone_is_a_story_too(dialogue, tmp_path):
    """Nothing of qmail-send: that is the gap."""
    (tmp_path / "session.txt").write_text(dialogue)
    told = trace.address("y1@other.test", recordings=trace.read_sessions(tmp_path / "session.txt"))

    assert (told.message.qp, told.confidence) == (5219, "likely")
    assert told.gaps == ("queue: no evidence: no log of qmail-send that was given names its qp at that time",)


def test_the_same_qp_a_day_later_is_another_session(log):
    """A pid is used again: time decides."""
    chunk = WireChunk((1795357221 + 86_400) * NS, "server", b"250 ok 1795443621 qp 5219\r\n")
    told = trace.qp(5219, logs=[log], recordings=[SessionFile(0, (chunk,))])

    assert told.of("session") == ()


def test_a_file_without_a_dialogue_is_refused(tmp_path):
    """Clear words."""
    (tmp_path / "notes.txt").write_text("nothing to see\n")

    with pytest.raises(TraceError, match=r"no SMTP dialogue in .*notes\.txt"):
        trace.read_sessions(tmp_path / "notes.txt")


def test_a_session_of_the_lab_is_a_recording(log):
    """Its record has the shape that is asked for: pid and chunks with times."""
    record = SessionRecord(pid=5217, peer=("127.0.0.1", 40000), started_ns=0)
    at_ns = 1795357221 * NS
    record.record(at_ns, "client", b"MAIL FROM:<test@local.test>\r\nRCPT TO:<alice@local.test>\r\nDATA\r\n")
    record.record(at_ns, "server", b"354 go ahead\r\n")
    record.record(at_ns, "client", b"Subject: secret\r\n\r\n.\r\n")
    record.record(at_ns + NS // 2, "server", b"250 ok 1795357221 qp 5219\r\n")

    assert [one.text for one in trace.qp(5219, logs=[log], recordings=[record]).of("session")] == [
        "C: MAIL FROM:<test@local.test>",
        "C: RCPT TO:<alice@local.test>",
        "C: DATA",
        "S: 354 go ahead",
        "C: .",
        "S: 250 ok 1795357221 qp 5219",
    ]
