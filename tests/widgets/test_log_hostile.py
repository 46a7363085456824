"""More than ten thousand hostile strings, in every place of a log, through every verb of `logs`, table and picture.

`make test` takes a sample in which each payload occurs; `make sweep` (INDIMAIL_KIT_SWEEP=full)
takes all of them.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from indimail_kit import logs
from indimail_kit.cli import main
from indimail_kit.cli.logs_report import VIEWS as REPORT_VIEWS
from indimail_kit.logs.matchup_text import matchup_text
from indimail_kit.logs.redact import Redactor, redact_lines
from indimail_kit.tables import questions
from indimail_kit.visible import is_hidden
from indimail_kit.widgets import ConcurrencyChart, DelayChart, LiveLogExplorer, LogExplorer, ReasonChart
from indimail_kit.widgets.log_pages import VIEWS

SAMPLE = 74
"""Of how many strings `make test` takes one: so each payload occurs once, and each breaker before some of them."""

CONTROLS = (
    "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)])),
    "".join(chr(0xDC00 + octet) for octet in range(0x80, 0x100)),
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    "\x1b[2J\x1b]0;title\x07\x1b]8;;http://192.0.2.1/\x1b\\x\x9b31m\x1bP1$q\x1b\\",
)
"""All control characters, all octets above ASCII alone, what turns the writing, and sequences that terminals obey."""

STAMP = b"@400000004b9d888d%08x "

SMTPD = b"qmail-smtpd: pid 7 from 192.0.2.7  "

FORMS = (
    b"new msg %(n)d %(word)b",
    b"new msg %(n)d queue1",
    b"info msg %(n)d: bytes 9 from <%(word)b> qp 1 uid 2 queue1",
    b"local: %(text)b %(text)b %(n)d 9 bytes queue1 opendir mode",
    b"starting delivery %(n)d: msg %(n)d to remote %(word)b@%(word)b queue1",
    b"delivery %(n)d: %(outcome)b: %(word)b/ queue1",
    b"bounce processor sender <%(word)b> recipient <%(word)b> messfn <mess/1/2> bouncefn <bounce/2> exit=1 queue1",
    b"status: local 1/10 remote 1/20 %(word)b",
    b"warn: qmail-send: queue1: %(text)b",
    b"alert: %(text)b",
    b"%(text)b",
    SMTPD + b"HELO <%(text)b> MAIL from <%(text)b> RCPT <%(text)b> AUTH <%(word)b> Size: 9 TLS=No",
    SMTPD + b"AUTH USER [%(text)b] status=[1] AUTH Unknown  TLS=No auth failure",
    b"tcpserver: ok 7 %(word)b[192.0.2.1]25 %(word)b[192.0.2.7]:999:maxperip=20",
    b"/var/indimail/queue/queue1/mess/1/%(n)d: %(text)b FOUND",
    b"/tmp/%(text)b: OK",
    b"WARNING: %(text)b",
)  # fmt: skip
"""Lines with a hostile string wherever somebody else's words can stand."""

OUTCOMES = (b"success", b"deferral", b"failure")


def octets_of(text: str) -> bytes:
    """Return the octets of a string, lone surrogates as the octets that they stand for where they can."""
    return b"".join(
        one.encode("utf-8", "surrogateescape" if "\udc80" <= one <= "\udcff" else "surrogatepass") for one in text
    )


def hostile_lines(strings: Sequence[str]) -> Iterator[bytes]:
    """Yield the lines of a log; every second message ends."""
    for number, one in enumerate(strings, 1):
        text = octets_of(one).replace(b"\n", b"/")
        fields = {b"n": number, b"text": text, b"word": text.replace(b" ", b"_"), b"outcome": OUTCOMES[number % 3]}
        for form in FORMS:
            yield STAMP % number + form % fields + b"\n"
        if number % 2:
            yield STAMP % number + b"end msg %d qmail-send: queue1\n" % number


@pytest.fixture(scope="module")
def strings(hostile_strings: tuple[str, ...]) -> tuple[str, ...]:
    """Give the strings that are tried."""
    is_full = os.environ.get("INDIMAIL_KIT_SWEEP") == "full"
    return (*CONTROLS, *(hostile_strings if is_full else hostile_strings[::SAMPLE]))


@pytest.fixture(scope="module")
def directory(strings: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory of multilog's with the hostile log."""
    place = tmp_path_factory.mktemp("hostile")
    (place / "current").write_bytes(b"".join(hostile_lines(strings)))
    return place


@pytest.fixture(scope="module")
def log(directory: Path) -> logs.Log:
    """Give the log, read."""
    return logs.read(directory)


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, str]]:
    """Give a function that runs a verb with a terminal as output and errors, and returns what the terminal got.

    The terminal is a real one (a pseudoterminal) that can no colours, so that every escape that arrives is the log's.
    """
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str | Path) -> tuple[str, str]:
        said: list[bytes] = [b"", b""]
        ends = [os.openpty() for _ in said]
        threads = []
        for place, (screen, program) in enumerate(ends):
            tty.setraw(program)  # or it would add carriage returns of its own
            threads.append(threading.Thread(target=_collect, args=(screen, said, place)))
            threads[-1].start()
        with monkeypatch.context() as patch:
            for name, (_, program) in zip(("stdout", "stderr"), ends, strict=True):
                patch.setattr(sys, name, os.fdopen(program, "w", encoding="utf-8", newline=""))
            try:
                main(["logs", *map(str, words)], standalone_mode=False)
            finally:
                sys.stdout.close()
                sys.stderr.close()
                for thread in threads:
                    thread.join()
                for screen, _ in ends:
                    os.close(screen)
        return said[0].decode("utf-8"), said[1].decode("utf-8")

    return run


def _collect(screen: int, said: list[bytes], place: int) -> None:
    """Read what a terminal gets until nobody writes any more."""
    parts = []
    while True:
        try:
            parts.append(os.read(screen, 1 << 16))
        except OSError:  # Linux tells so that the other end is closed
            break
    said[place] = b"".join(parts)


def hidden(text: str) -> set[str]:
    """Return the characters that would steer a terminal."""
    return {one for one in set(text) if is_hidden(one, kept="\n")}


def test_the_strings_are_enough(
    strings: tuple[str, ...], hostile_strings: tuple[str, ...], payloads: tuple[str, ...], log: logs.Log
) -> None:
    """Ten thousand and more in the long form, every payload in the short one; no line disappears."""
    assert len(hostile_strings) > 10_000
    assert [payload for payload in payloads if not any(payload in one for one in strings)] == []
    assert len(log) == len(strings) * len(FORMS) + (len(strings) + 1) // 2


@pytest.mark.parametrize("view", REPORT_VIEWS)
def test_a_report_is_harmless_on_a_terminal(view: str, directory: Path, on_terminal: Any) -> None:
    """Every view, all rows, for people and as JSON: 0 characters that steer the terminal."""
    words = ["report", directory, "--view", view]
    told = [on_terminal(*words, "--top", "0"), on_terminal(*words, "--json")]
    if view in ("deferrals", "failures", "successes"):
        told.append(on_terminal(*words, "--as-written"))
    assert [hidden(part) for parts in told for part in parts] == [set()] * (2 * len(told))
    assert json.loads(told[1][0])["view"] == view


@pytest.mark.parametrize("table", ["events", "deliveries", "messages"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_rows_are_harmless_on_a_terminal(
    table: str, form: str, directory: Path, on_terminal: Any, log: logs.Log
) -> None:
    """As many rows as lines, deliveries, messages; 0 characters that steer the terminal."""
    out, errors = on_terminal("events", directory, "--table", table, "--format", form)
    assert (hidden(out), hidden(errors)) == (set(), set())
    assert len(out.splitlines()) >= len(getattr(log, table))


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["for people", "JSON"])
def test_following_is_harmless_on_a_terminal(more: list[str], directory: Path, on_terminal: Any, log: logs.Log) -> None:
    """Every line of the log on one line of the terminal; with --json each is an object that says the same."""
    out, errors = on_terminal("follow", directory, "--all", "--once", *more)
    assert (hidden(out), hidden(errors)) == (set(), set())
    assert out.count("\n") == len(log)
    if more:
        objects = [json.loads(line) for line in out.splitlines()]
        assert [one["text"] for one in objects] == log.events["text"].tolist()


def test_matchup_is_harmless_on_a_terminal_and_keeps_its_octets_in_a_pipe(
    directory: Path, on_terminal: Any, strings: tuple[str, ...], tmp_path: Path
) -> None:
    """Lines that matchup does not know are passed on by it as they are: to a program, not to a terminal."""
    out, errors = on_terminal("matchup", directory, "--pending-out", tmp_path / "pending")
    octets = b"".join(matchup_text(directory))
    assert CliRunner().invoke(main, ["logs", "matchup", str(directory)]).stdout_bytes == octets
    assert (hidden(out), hidden(errors)) == (set(), set())
    assert out.count("\n") == octets.count(b"\n") > len(strings)
    assert (tmp_path / "pending").stat().st_size > 0


def test_nothing_hostile_is_left_in_a_redacted_log(directory: Path, on_terminal: Any, log: logs.Log) -> None:
    """As many lines as before, of letters, digits and the programs' own signs."""
    out, errors = on_terminal("redact", directory)
    assert (hidden(out), hidden(errors)) == (set(), set())
    assert out.count("\n") == len(log)
    assert not any(
        word in out.lower() for word in ("script", "iframe", "onerror", "javascript", "onload", "expression")
    )
    assert out.isascii()


def test_words_about_a_log_are_harmless(log: logs.Log) -> None:
    """What Python shows of a log, its lines, its pairs."""
    told = [
        repr(log),
        repr(log.matched.messages[:400]),
        repr(log.matched.deliveries[:400]),
        *map(repr, log.events_list),
    ]
    assert set().union(*map(hidden, told)) == set()


def test_a_logs_own_html_has_no_element_of_a_stranger(log: logs.Log, strangers: Any) -> None:
    """The log, and the health of a scanner drawn from it."""
    assert strangers(log._repr_html_()) == []
    health = logs.clamav_health(log.events_list)
    assert strangers(health._repr_html_()) == []


TABLES = ("events", "deliveries", "messages")
ANSWERS = {
    "overall": lambda log: questions.overall(log.deliveries, log.messages),
    "delays": lambda log: questions.delay_percentiles(log.deliveries),
    "deferrals": lambda log: questions.deferral_reasons(log.deliveries),
    "failures": lambda log: questions.failure_reasons(log.deliveries),
    "successes": lambda log: questions.success_reasons(log.deliveries),
    "senders": lambda log: questions.by_sender(log.deliveries, log.messages),
    "uids": lambda log: questions.by_uid(log.deliveries, log.messages),
    "recipients": lambda log: questions.by_recipient(log.deliveries),
    "hosts": lambda log: questions.by_host(log.deliveries),
    "status": lambda log: log.events.qmail.status(),
    "sessions": lambda log: log.events.qmail.sessions(),
    "auth": lambda log: questions.auth_failures(log.events.qmail.auth_attempts()),
    "scans": lambda log: log.events.qmail.scans(),
    "signatures": lambda log: log.events.qmail.scans().qmail.signatures(),
} | {name: (lambda log, name=name: getattr(log, name)) for name in TABLES}  # fmt: skip
"""Name -> a table of the log, or an answer."""

FRAME_TAGS = {"div", "style", "table", "thead", "tbody", "tr", "th", "td", "p"}
FRAME_ATTRIBUTES = {"border", "class", "style", "scoped"}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_table_in_a_notebook_has_only_elements_of_a_table(name: str, log: logs.Log, parse: Any) -> None:
    """Each table and each answer as pandas shows it: nothing of the log becomes an element or attribute."""
    frame = ANSWERS[name](log)
    assert len(frame)
    frame = frame.select_dtypes(["str", "object"]) if name in TABLES else frame  # numbers have nothing hostile
    frame = frame.iloc[:: 1 + len(frame) // 40_000]  # each string stands in seventeen lines
    rows, columns = frame.shape
    elements = parse(frame.to_html(max_rows=None, notebook=True)).elements
    assert {tag for tag, _ in elements} <= FRAME_TAGS
    assert {attribute for _, has in elements for attribute in has} <= FRAME_ATTRIBUTES
    assert sum(tag == "td" for tag, _ in elements) == rows * columns


@pytest.mark.parametrize("view", VIEWS)
def test_the_explorer_has_no_element_of_a_stranger(view: str, log: logs.Log, strangers: Any) -> None:
    """Pages of a view without a kernel, every fourth with a row opened, its words, and all that a browser is sent."""
    explorer = LogExplorer(log, view=view)
    assert explorer.rows is not None
    found: list[str] = []
    pages = explorer.rows.pages  # test_log_tables has every page of every view; here stands what is around them
    for count, page in enumerate(range(1, pages + 1, max(1, pages // 40))):
        explorer.page = page
        explorer.opened = explorer.rows.rows[0].key if count % 4 == 0 else ""
        found += strangers(explorer.static_html())
        assert hidden(repr(explorer) + json.dumps(explorer.rows.as_document(), ensure_ascii=False)) == set()
    explorer.close()
    assert found == []


def test_the_live_explorer_has_no_element_of_a_stranger(directory: Path, log: logs.Log, strangers: Any) -> None:
    """The same log, followed: its words, its first page and an opened row."""
    explorer = LiveLogExplorer(directory, view="unknown")
    assert len(explorer.log or ()) == len(log)
    assert explorer.rows is not None
    explorer.opened = explorer.rows.rows[0].key
    assert strangers(explorer.static_html()) == []
    assert hidden(repr(explorer) + json.dumps(explorer.rows.as_document(), ensure_ascii=False)) == set()
    explorer.close()


@pytest.mark.parametrize("chart", [DelayChart, ConcurrencyChart, ReasonChart])
def test_a_chart_has_no_element_of_a_stranger(chart: Any, log: logs.Log, strangers: Any) -> None:
    """Its form without a kernel, its words and its numbers."""
    view = chart(log)
    assert strangers(view.static_html()) == []
    assert hidden("".join([view.alt, repr(view), *(cell for row in view.rows for cell in row)])) == set()


def test_a_redacted_log_is_the_same_in_the_long_form(strings: tuple[str, ...]) -> None:
    """No line is lost between the writer of a log and the redactor, whatever it says."""
    lines = list(hostile_lines(strings))
    redactor = Redactor()
    assert len(list(redact_lines(b"".join(lines), redactor=redactor))) == len(lines) == redactor.done.lines
