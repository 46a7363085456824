"""``logs report``: what it prints, for people and for programs."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main
from indimail_kit.cli.logs_report import VIEWS
from indimail_kit.cli.logs_words import OVERALL_WORDS, shown
from indimail_kit.lab.demo_logs import DemoLogs, make_logs
from indimail_kit.tables.log_answers import OVERALL
from indimail_kit.visible import is_hidden

RECORDED = Path(__file__).parents[1] / "data" / "indimail" / "logs"
THREE_QUEUES = RECORDED / "qscheduler-static-3queues.tai64n.log.gz"


@pytest.fixture(scope="module")
def day() -> DemoLogs:
    """A made day."""
    return make_logs(200, seed=3)


def run(*words: str | Path, octets: bytes = b"") -> Result:
    """Run the verb."""
    return CliRunner().invoke(main, ["logs", "report", *map(str, words)], input=octets)


def document(*words: str | Path, octets: bytes = b"") -> Any:
    """Run the verb and read its JSON."""
    done = run(*words, "--json", octets=octets)
    assert (done.exit_code, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_overall_gives_programs_the_numbers_of_zoverall() -> None:
    """Keys are the columns of OVERALL, beside what was read."""
    found = document(THREE_QUEUES)
    assert set(found) == {"view", "lines", "unknown_lines", *OVERALL.names}
    names = ("view", "lines", "unknown_lines", "messages", "recipients", "attempts", "success_bytes", "first_at")
    assert [found[name] for name in names] == [
        "overall", 18016, 0, 1367, 2267, 2446, 4638047, "2026-11-22T14:08:23.748Z",
    ]  # fmt: skip
    assert round(found["concurrency"], 5) == 1.81878


def test_overall_gives_people_every_number_once() -> None:
    """All columns have words; thousands are parted and lengths of time have units."""
    lines = run(THREE_QUEUES).stdout.splitlines()
    assert sorted(name for _, words in OVERALL_WORDS for name in words) == sorted(OVERALL.names)
    assert "  messages                            1,367" in lines
    assert "  span           1 min 41 s" in lines
    assert "  birth to success, mean           0.089 s" in lines


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "overall"])
def test_every_view_has_rows_for_people_and_programs(view: str, day: DemoLogs, tmp_path: Path) -> None:
    """A day of all three logs: the same number of rows in both forms, and each heading."""
    files = []
    for name in ("send", "smtpd", "clamd"):
        files.append(tmp_path / name)
        files[-1].write_bytes(getattr(day, name))
    words = [*files, "--view", view, "--at", "2010-03-15T11:00:00Z", "--every", "10min"]
    rows = document(*words)["rows"]
    done = run(*words, "--top", "0")
    assert done.exit_code == 0
    assert rows
    assert set(VIEWS[view].columns) <= set(rows[0])
    heading = done.stdout.partition("───")[0]
    assert all(word in heading for word in " ".join(VIEWS[view].columns.values()).split())
    assert done.stdout.startswith(VIEWS[view].title)


@pytest.mark.parametrize("view", list(VIEWS))
def test_an_empty_log_is_no_error(view: str) -> None:
    """Nothing to tell is told, for people and for programs."""
    done = run("-", "--view", view)
    assert (done.exit_code, done.exception) == (0, None)
    assert document("-", "--view", view)["lines"] == 0


def test_reasons_are_one_or_as_written() -> None:
    """Four reasons, or thirty-two texts as qmailanalog has them."""
    assert len(document(THREE_QUEUES, "--view", "deferrals")["rows"]) == 4
    assert len(document(THREE_QUEUES, "--view", "deferrals", "--as-written")["rows"]) == 32


def test_only_the_first_rows_are_shown_and_the_rest_is_counted() -> None:
    """--top bounds what a person sees, not what a program gets."""
    done = run(THREE_QUEUES, "--view", "senders", "--top", "3")
    assert len(done.stdout.splitlines()) == 3 + 3
    assert "39 more rows" in done.stderr
    assert len(document(THREE_QUEUES, "--view", "senders", "--top", "3")["rows"]) == 42


def test_the_queue_of_a_moment() -> None:
    """--at asks the past; without it the end of the log."""
    assert len(document(THREE_QUEUES, "--view", "queue", "--at", "2026-11-22T14:09:00Z")["rows"]) == 85
    assert document(THREE_QUEUES, "--view", "queue")["rows"] == []
    assert "empty" in run(THREE_QUEUES, "--view", "queue").stdout


def test_percents_are_the_askers() -> None:
    """--percent again and again."""
    rows = document(THREE_QUEUES, "--view", "delays", "--percent", "10", "--percent", "99.5")["rows"]
    assert [(row["percent"], row["deliveries"]) for row in rows] == [(10, 174), (99.5, 1731)]


def test_standard_input_is_a_log() -> None:
    """`-` reads what comes; nothing else does."""
    assert document("-", octets=gzip.decompress(THREE_QUEUES.read_bytes()))["messages"] == 1367


def test_what_was_read_before_a_fault_is_answered_and_the_fault_said(tmp_path: Path) -> None:
    """A truncated file, or a second one that is not there: the numbers so far, a sentence, exit code 3."""
    path = tmp_path / "log.gz"
    path.write_bytes(THREE_QUEUES.read_bytes()[:-60_000])
    done = run(path)
    assert (done.exit_code, done.stdout.startswith("Time\n")) == (3, True)
    said = re.search(
        r"log\.gz: expected a whole gzip file; ([\d,]+) octets of its log were read before\."
        r" This is about the ([\d,]+) lines before that",
        done.stderr,
    )
    assert said is not None
    octets, lines = (int(number.replace(",", "")) for number in said.groups())
    whole = gzip.decompress(THREE_QUEUES.read_bytes())
    assert (0 < octets < len(whole), lines) == (True, whole[:octets].count(b"\n") + 1)
    done = run(THREE_QUEUES, tmp_path / "nothing", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["messages"], "nothing: No such file" in found["fault"]) == (3, 1367, True)


HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202e\x9b31m<script>"


@pytest.mark.parametrize("view", ["failures", "senders", "recipients", "hosts", "queue"])
@pytest.mark.parametrize("more", [[], ["--as-written"]], ids=["", "as written"])
def test_text_of_a_log_cannot_steer_the_terminal(view: str, more: list[str]) -> None:
    """Escapes, bidirectional marks and C1 controls in addresses and reports are written out."""
    octets = HOSTILE.encode()
    log = (
        b"1700000000.000000000 new msg 5\n"
        b"1700000000.000000000 info msg 5: bytes 9 from <%b@%b> qp 7 uid 0\n"
        b"1700000000.000000000 starting delivery 1: msg 5 to remote %b@%b\n"
        b"1700000001.000000000 delivery 1: failure: %b/\n"
        b"1700000002.000000000 new msg 6\n"
        b"1700000002.000000000 info msg 6: bytes 9 from <%b@x> qp 7 uid 0\n"
        b"1700000003.000000000 end msg 5\n"
    ) % ((octets,) * 6)
    done = run("-", "--view", view, *more, octets=log)
    assert done.exit_code == 0
    assert not any(is_hidden(character, kept="\n") for character in done.output)
    assert "\\x1b[2j" in done.stdout.replace("\n", "").replace(" ", "").lower()


def test_a_log_of_another_kind_is_told_so() -> None:
    """Who asks clamd's log for mail hears which views there are."""
    done = run("-", octets=b"/a/b: OK\n")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "--view viruses" in done.stderr


def test_unknown_lines_are_counted() -> None:
    """Nothing disappears."""
    assert document("-", octets=b"something else\nnew msg 5\n")["unknown_lines"] == 1
    assert "1 of them of no known form" in run("-", octets=b"something else\nnew msg 5\n").stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["/nowhere/current"], 3, "No such file", id="no file"),
        pytest.param(["-", "--view", "queue", "--at", "yesterday"], 3, "with its zone", id="no moment"),
        pytest.param(["-", "--view", "rate", "--every", "soon"], 3, "30s, 5min or 1h", id="no length"),
        pytest.param(["-", "--view", "delays", "--percent", "101"], 3, "above 0 and up to 100", id="percent"),
        pytest.param(["-", "--view", "weather"], 2, "Invalid value for '--view'", id="no view"),
        pytest.param([], 2, "Missing argument", id="no log"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(words: list[str], code: int, said: str) -> None:
    """What, and what was expected; never a traceback."""
    done = run(*words)
    assert done.exit_code == code
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("cell", "column", "text"),
    [
        (float("nan"), "xdelay_mean_s", "–"),
        (None, "auth_user", "–"),
        ("", "sender", "<>"),
        (0, "message_bytes", "0"),
        (1024, "message_bytes", "1.0K"),
        (59.9994, "age_s", "59.999 s"),
        (60, "age_s", "1 min"),
        (90_061, "age_s", "1 d 1 h"),
        (7200, "age_s", "2 h"),
        (0.00733, "infected_share", "0.733 %"),
        (1704475, "message_number", "1704475"),
        (1704475, "attempts", "1,704,475"),
        (2.0, "attempts_per_message", "2"),
    ],
)
def test_cells_are_written_for_people(cell: object, column: str, text: str) -> None:
    """Units by the column's name; what is missing is a dash."""
    assert shown(cell, column) == text
