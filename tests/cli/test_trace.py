"""The verb trace: three questions, text for a person, JSON for a program, and clear refusals."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from indimail_kit.cli import logs_reading, main

LOGS = Path(__file__).parents[1] / "data" / "indimail" / "logs"
SEND = str(LOGS / "send-for-smtpd.tai64n.log.gz")
CLAMD = str(LOGS.parent / "clamd" / "clamd.log")


def trace(*arguments: str):
    """Run the verb."""
    return CliRunner().invoke(main, ["trace", *arguments])


def test_json_has_message_evidence_confidence_and_gaps() -> None:
    """One document; every piece of evidence says where it stands and how sure it is."""
    document = json.loads(trace("1704475", "--log", SEND, "--log", CLAMD, "--json").stdout)

    scan = document["evidence"][0]
    assert (document["message"]["qp"], document["confidence"], len(document["gaps"])) == (5726, "likely", 1)
    assert (scan["source"], scan["time"], scan["text"], scan["file"], scan["line"], scan["confidence"]) == (
        "scan",
        "2026-11-22T14:20:46.000Z",
        "/var/indimail/queue/queue1/mess/138/1704475: OK",
        CLAMD,
        64,
        "certain",
    )


def test_text_tells_the_story_line_by_line() -> None:
    """The question, how sure, the message, its lines with their signs, what is missing."""
    lines = trace("--qp", "5219", "--log", SEND).stdout.splitlines()

    assert lines[0].startswith("qp 5219    confidence: likely: session: no evidence")
    assert lines[1:5] == [
        "  queue3 1737243, life 1, qp 5219: test@local.test → alice@local.test and 1 more",
        "  2026-11-22",
        "  14:20:21.809  queue     ● info: todo-proc: queue3: subdir=todo/139 fn=todo/139/1737243",
        "  14:20:21.809  queue     ● new msg 1737243 queue3",
    ]
    assert lines[-1] == "  ———           scan      no evidence: no log of a scanner was given"


def test_several_messages_of_an_address_are_all_told() -> None:
    """None of them is told as the one that is meant."""
    document = json.loads(trace("y1@other.test", "--log", SEND, "--json").stdout)

    assert (document["confidence"], [one["message"]["qp"] for one in document["others"]]) == ("possible", [5219])


def test_a_time_chooses_among_the_messages_of_an_address() -> None:
    """Only what was there within the seconds given."""
    document = json.loads(
        trace("y1@other.test", "--log", SEND, "--at", "2026-11-22T15:20:21+01:00", "--within", "5", "--json").stdout
    )

    assert (document["message"]["qp"], "others" in document) == (5219, False)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["--log", SEND], 2, "one of N, ADDRESS and --qp is needed"),
        (["5", "--qp", "7", "--log", SEND], 2, "one of N, ADDRESS and --qp is needed"),
        (["five", "--log", SEND], 2, "five is neither a message number nor an address"),
        (["5"], 2, "nothing to look at: --log, --queue, --mail or --session"),
        (["5", "--log", SEND, "--at", "noon"], 2, "noon is no time such as 2010-03-15T03:00:54Z"),
        (["5", "--log", SEND, "--clock", "moon=1"], 2, "moon=1 is no clock such as scan=+2.5"),
        (["5", "--log", SEND], 3, "no evidence of message 5 in"),
        (["5", "--log", "/nonexistent"], 3, "No such file or directory"),
        (["5", "--mail", str(LOGS)], 3, "neither a mail nor a Maildir"),
    ],
    ids=[
        "no question",
        "two questions",
        "no number",
        "no place",
        "no time",
        "no clock",
        "unknown",
        "no log",
        "no mail",
    ],
)
def test_bad_input_is_a_sentence_and_an_exit_code(arguments, exit_code, message) -> None:
    """Never a traceback."""
    result = trace(*arguments)

    assert (result.exit_code, message in result.stderr, "Traceback" in result.stderr) == (exit_code, True, False)


def test_hostile_text_is_made_visible(tmp_path) -> None:
    """An escape in a delivery's report cannot steer the terminal."""
    log = tmp_path / "current.gz"
    log.write_bytes(
        gzip.compress(
            b"new msg 5\ninfo msg 5: bytes 9 from <a@b> qp 7 uid 0\nstarting delivery 1: msg 5 to local \x1b[31mx@y\n"
        )
    )
    result = trace("5", "--log", str(log))

    assert ("\x1b" in result.stdout, "\\x1b[31mx@y" in result.stdout) == (False, True)


def test_a_clock_that_was_told_is_taken_off() -> None:
    """The scanner's host is an hour ahead: its scan is a second before the message all the same."""
    document = json.loads(
        trace(
            "1704475", "--log", SEND, "--log", CLAMD, "--clock", "scan=-3600", "--utc-offset", "3600", "--json"
        ).stdout
    )

    assert [one["time"] for one in document["evidence"] if one["source"] == "scan"] == ["2026-11-22T14:20:46.000Z"]


class Terminal(io.StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def test_a_long_log_has_a_bar_on_a_terminal(monkeypatch, capsys) -> None:
    """It goes while the logs are read; the story follows on standard output."""
    monkeypatch.setattr(logs_reading, "MIN_BYTES", 1)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())

    main(["trace", "--qp", "5219", "--log", SEND], standalone_mode=False)

    assert ("reading" in terminal.getvalue(), terminal.getvalue().endswith("\x1b[2K")) == (True, True)
    assert capsys.readouterr().out.startswith("qp 5219    confidence")


def test_there_is_no_bar_in_a_pipe(monkeypatch) -> None:
    """What a program gets has no trace of it."""
    monkeypatch.setattr(logs_reading, "MIN_BYTES", 1)

    assert trace("--qp", "5219", "--log", SEND).stderr == ""


def test_a_log_that_tells_nothing_is_named(monkeypatch) -> None:
    """By its path, whoever counts how far it has been read."""
    monkeypatch.setattr(logs_reading, "MIN_BYTES", 1)
    monkeypatch.setattr(sys, "stderr", Terminal())

    with logs_reading.told([SEND]) as sources:
        from indimail_kit.trace import read_log

        assert (read_log(*sources).name, len(sources)) == (SEND, 1)
