"""Broken servers: unsolved at first and after half a repair, solved after the reference solution."""

from __future__ import annotations

import json
import os
import re
import string
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from indimail_kit import tables
from indimail_kit.admin import examine_host, places_of_lab
from indimail_kit.cli import main
from indimail_kit.errors import FormatError, LabError
from indimail_kit.lab import open_case, start_case
from indimail_kit.lab.case import Case
from indimail_kit.lab.cases import CASES, RunningCase, find_case
from indimail_kit.lab.places import DEMO_PASSWORD
from indimail_kit.mailqueue import open_queues

Start = Callable[[str], RunningCase]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Return a function that starts a case; all are stopped at the end, at once: clamd takes its time to end."""
    running: list[RunningCase] = []

    def begin(name: str) -> RunningCase:
        running.append(start_case(name, seed=5, directory=tmp_path_factory.mktemp("case")))
        return running[-1]

    yield begin
    threads = [threading.Thread(target=case.stop) for case in running]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def half_clamd_down(case: RunningCase) -> None:
    """Start clamd and leave the file down."""
    case.lab.services.up("clamd")


def half_no_scan(case: RunningCase) -> None:
    """Let mail flow, unscanned."""
    case.lab.set_variable("QHPSI", None)


def half_no_scan_of_large_mail(case: RunningCase) -> None:
    """Let large mail flow, unscanned."""
    case.lab.set_variable("QHPSIMAXSIZE", "10000")


def undo_no_scan_of_large_mail(case: RunningCase) -> None:
    """Take it back: the reference solution does not know of it."""
    case.lab.set_variable("QHPSIMAXSIZE", None)


def half_placeholder(case: RunningCase) -> None:
    """Add the %s that is missing; the command still scans nothing."""
    case.lab.set_variable("QHPSI", f"{case.lab.variable('QHPSI')} %s")


def half_new_password(case: RunningCase) -> None:
    """Set the password once more, and store what was stored: a hash."""
    with case.site.accounts() as users:
        users.passwd(case.state.facts["address"], DEMO_PASSWORD)


def half_whole_network(case: RunningCase) -> None:
    """Turn the whole network away, with honest people in it."""
    rules = case.site.places.rules
    rules.write_text(f"{case.state.facts['net']}:deny\n{rules.read_text()}")


def undo_whole_network(case: RunningCase) -> None:
    """Take the rule for the network out again."""
    rules = case.site.places.rules
    rules.write_text(rules.read_text().removeprefix(f"{case.state.facts['net']}:deny\n"))


def half_some_room(case: RunningCase) -> None:
    """Make room for a short mail."""
    os.truncate(case.queue_base / case.state.facts["junk"], 2**20 - 10_000)


def half_no_relay(case: RunningCase) -> None:
    """Let the server refuse its own mail: it no longer goes in a circle, and still does not arrive."""
    case.site.places.rules.write_text("127.:allow\n:deny\n")


HALF: dict[str, tuple[Callable[[RunningCase], None], str]] = {
    "clamd-down": (half_clamd_down, "The file down is there"),
    "clamd-limit": (half_no_scan_of_large_mail, "no X-QHPSI line"),
    "qhpsi-path": (half_no_scan, "no X-QHPSI line"),
    "qhpsi-words": (half_placeholder, "nobody found it"),
    "no-clear-password": (half_new_password, "with CRAM-MD5: 535"),
    "password-guessing": (half_whole_network, "where honest people are"),
    "disk-full": (half_some_room, "A longer mail"),
    "mail-loop": (half_no_relay, "this very server listens"),
}
"""Case -> what somebody does who has seen half of it, and what the grader still says."""


SEEN_BY_DOCTOR = {
    "clamd-down": ("clamd-silent", "No such file"),
    "clamd-limit": ("clamd-limit", "MaxFileSize is"),
    "qhpsi-path": ("scan-refuses", "clamdscan: No such file"),
    "qhpsi-words": ("scan-passes", "Several words and no %s"),
    "no-clear-password": ("logins-mixed", "and got in, too"),
    "password-guessing": ("guessing", "(10 users, 30 times)"),
    "disk-full": ("base-stranger", "(1,048,576 octets)"),
    "mail-loop": ("mail-loops", "too many hops"),
}
"""Case -> the finding of doctor that names the cause, or leads to it: its kind, and words of it."""


LESSON_ELSEWHERE = {"mail-loop": {"03_queue.ipynb"}, "password-guessing": {"04_logs.ipynb"}}
"""Case -> its lesson, where doctor names another one: a circle is found in the log, a guesser concerns logins."""


UNDO: dict[str, Callable[[RunningCase], None]] = {
    "clamd-limit": undo_no_scan_of_large_mail,
    "password-guessing": undo_whole_network,
}
"""Case -> how the half repair is taken back, where the reference solution would leave its harm."""


@pytest.mark.parametrize("name", sorted(HALF))
def test_case_is_unsolved_then_half_repaired_then_solved(start: Start, name: str) -> None:
    """The grader looks at the server: broken (doctor sees it), half repaired, repaired by the reference solution."""
    case = start(name)
    half, still = HALF[name]
    key, words = SEEN_BY_DOCTOR[name]
    seen = [one for one in examine_host(places_of_lab(case.directory)).findings if one.key == key]
    assert words in " ".join(one.text for one in seen)
    assert case.case.lesson in {one.lesson for one in seen} | LESSON_ELSEWHERE.get(name, set())
    assert not case.grade().is_solved
    half(case)
    halfway = case.grade()
    assert not halfway.is_solved
    assert still in " ".join(finding.text for finding in halfway.findings if not finding.is_good)
    UNDO.get(name, lambda _case: None)(case)
    case.solve()
    assert case.grade().is_solved, case.grade()
    stopped_s = case.elapsed_s
    assert case.elapsed_s == stopped_s, "the clock goes on"


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_case_has_what_a_trainer_needs(case: Case) -> None:
    """Each has at least three hints, of which one names a command; a lesson; and the same facts for the same seed."""
    assert len(case.hints) >= 3
    assert any("indimail-kit " in hint for hint in case.hints)
    assert case.lesson.endswith(".ipynb")
    assert case.facts(7) == case.facts(7)
    assert any(case.facts(seed) != case.facts(7) for seed in range(20))
    assert all(text.endswith((".", "?")) for text in (case.complaint, case.truth))


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_complaint_does_not_tell_what_is_wrong(case: Case) -> None:
    """People say what they see; the names of parts of the server are not theirs."""
    complaint = case.complaint.format_map(case.facts(7))  # nothing but what is drawn
    words = {word.strip(string.punctuation).lower() for word in complaint.split()}
    assert not words & {"clamd", "clamdscan", "qhpsi", "smtproutes", "tcprules", "trigger", "split", "inode"}


def test_who_guesses_is_found_by_the_kits_own_question(start: Start) -> None:
    """The log has one address that guesses, and an honest one that only mistyped."""
    case = start("password-guessing")
    failures = tables.questions.auth_failures(case.log("smtpd").events.qmail.auth_attempts())
    guessing = dict(zip(failures.remote_ip, failures.is_guessing, strict=True))
    facts = case.state.facts
    assert guessing == {facts["guesser"]: True, facts["neighbour"]: False}


def test_waiting_mail_that_is_thrown_away_is_no_solution(start: Start) -> None:
    """Room on the disk is not all: a grader that missed the mail of other people would teach how to lose it."""
    case = start("disk-full")
    layout = open_queues(case.queue_base).layouts[0]
    number = int(case.state.facts["waiting"].split()[0])
    for kind in ("mess", "info", "remote"):
        layout.path(kind, number).unlink()
    case.solve()
    grade = case.grade()
    assert [finding.text for finding in grade.findings if not finding.is_good] == [
        f"Mail that waited in the queue is gone: message {number}."
    ]


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_commands_in_hints_exist(case: Case) -> None:
    """Whoever types what a hint says meets a verb of the kit, and options that this verb has."""
    asked = [part for hint in case.hints for part in re.split(r"indimail-kit ", hint)[1:]]
    unknown = [part for part in asked if not is_command(part)]
    assert (bool(asked), unknown) == (True, [])


def is_command(text: str) -> bool:
    """Say whether a text begins with a verb of the kit and names only options of that verb, in its first sentence."""
    command: click.Command = main
    words = text.split()
    while isinstance(command, click.Group) and words and words[0].strip(".,:;") in command.commands:
        command = command.commands[words.pop(0).strip(".,:;")]
    known = {option for parameter in command.params for option in parameter.opts}
    options = set(re.findall(r"(?<!\S)--[a-z-]+", re.split(r"[.:;?] ", text)[0]))
    return not isinstance(command, click.Group) and options <= known


def test_every_case_is_tried_here_or_beside() -> None:
    """A new case needs a test that breaks, half repairs and repairs it: its name stands in a module of these tests."""
    texts = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_case*.py"))
    assert [name for name in CASES if f'"{name}"' not in texts] == []


def test_unknown_case_says_which_there_are() -> None:
    """The error lists the names."""
    with pytest.raises(LabError, match="clamd-down"):
        find_case("clamd-up")


def test_case_needs_a_directory_of_its_own(tmp_path: Path) -> None:
    """A directory that holds something is not touched."""
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(LabError, match="something in it"):
        start_case("qhpsi-path", directory=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "indimail-kit case 1"}', '{"format": "indimail-kit case 1", "name": 5}', "[" * 10_000],
)
def test_spoilt_file_is_an_error(tmp_path: Path, text: str) -> None:
    """Whatever stands in case.json: a sentence, no traceback."""
    (tmp_path / "case.json").write_text(text)
    with pytest.raises(FormatError, match="case start"):
        open_case(tmp_path)


@pytest.mark.parametrize("verb", ["hint", "truth", "grade"])
def test_facts_that_are_missing_are_an_error(tmp_path: Path, verb: str) -> None:
    """A case.json from which somebody took the facts: a sentence from each verb, and no traceback."""
    state = {"name": "disk-full", "seed": 1, "host": "127.0.0.1", "port": 9, "started_ns": 0, "facts": {}}
    (tmp_path / "case.json").write_text(json.dumps({"format": "indimail-kit case 1", **state}))
    said = case_verb(verb, str(tmp_path))
    assert said.exception is None or isinstance(said.exception, SystemExit)
    assert said.exit_code in (0, 1, 3)


def test_directory_without_a_case_is_an_error(tmp_path: Path) -> None:
    """The error says how one is started."""
    with pytest.raises(LabError, match="case start NAME"):
        open_case(tmp_path)


def case_verb(*arguments: str) -> Result:
    """Give ``indimail-kit case …``."""
    return CliRunner().invoke(main, ["case", *arguments])


def test_case_is_hinted_at_and_graded_by_another_process(tmp_path: Path) -> None:
    """One process runs the server; another asks for hints, grades it, reads the truth, repairs, and sees it gone."""
    directory = str(tmp_path / "case")
    argv = [sys.executable, "-m", "indimail_kit", "case", "start", "disk-full", "--keep", directory, "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        lines = list(iter(server.stdout.readline, "}\n"))
        about = json.loads("".join(lines) + "}")
        try:
            assert (about["directory"], "disk-full" in "".join(lines)) == (directory, False)
            hints = [json.loads(case_verb("hint", directory, "--json").stdout)["hint"] for _ in range(2)]
            assert [hint[:12] for hint in hints] == ["Hint 1 of 4:", "Hint 2 of 4:"]
            before = case_verb("grade", directory, "--json")
            assert (before.exit_code, json.loads(before.stdout)["solved"]) == (1, False)
            told = json.loads(case_verb("truth", directory, "--json").stdout)
            assert told["case"] == "disk-full"
            subprocess.run(told["solution"][0].split(), check=True)
            after = case_verb("grade", directory)
            assert (after.exit_code, after.stdout.splitlines()[0][:6]) == (0, "Solved"), after.stdout
            assert after.stdout.splitlines()[0].endswith("2 hints")
        finally:
            server.terminate()
    gone = case_verb("grade", directory)
    assert (gone.exit_code, gone.stderr) == (1, "")
    assert "is the process that started this case still there?" in " ".join(gone.stdout.split())


def test_case_verbs_tell_a_person(start: Start) -> None:
    """Without --json: lines to read; the list has every case."""
    case = start("disk-full")
    directory = str(case.directory)
    assert case_verb("hint", directory).stdout.startswith("Hint 1 of 4: ")
    assert case_verb("truth", directory).stdout.splitlines()[-1] == f"  rm {case.queue_base / case.state.facts['junk']}"
    listed = case_verb("list").stdout
    assert [name for name in CASES if name not in listed] == []
    assert [row["case"] for row in json.loads(case_verb("list", "--json").stdout)] == list(CASES)
    nowhere = case_verb("grade", str(case.queue_base))
    assert (nowhere.exit_code, "no case in" in nowhere.stderr) == (3, True)
