"""Broken servers: unsolved at first and after half a repair, solved after the reference solution."""

from __future__ import annotations

import json
import string
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.errors import FormatError, LabError
from indimail_kit.lab import open_case, start_case
from indimail_kit.lab.case import Case
from indimail_kit.lab.cases import CASES, RunningCase, find_case

Start = Callable[[str], RunningCase]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Return a function that starts a case; all are stopped at the end, at once: clamd takes its time to end."""
    running: list[RunningCase] = []

    def begin(name: str) -> RunningCase:
        running.append(start_case(name, seed=5))
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


HALF: dict[str, tuple[Callable[[RunningCase], None], str]] = {
    "clamd-down": (half_clamd_down, "The file down is there"),
    "qhpsi-path": (half_no_scan, "no X-QHPSI line"),
}
"""Case -> what somebody does who has seen half of it, and what the grader still says."""


@pytest.mark.parametrize("name", sorted(HALF))
def test_case_is_unsolved_then_half_repaired_then_solved(start: Start, name: str) -> None:
    """The grader looks at the server: broken, half repaired, and repaired as the reference solution says."""
    case = start(name)
    half, still = HALF[name]
    assert not case.grade().is_solved
    half(case)
    halfway = case.grade()
    assert not halfway.is_solved
    assert still in " ".join(finding.text for finding in halfway.findings if not finding.is_good)
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
    words = {word.strip(string.punctuation).lower() for word in case.complaint.split()}
    assert not words & {"clamd", "clamdscan", "qhpsi", "smtproutes", "tcprules", "trigger", "split", "inode"}


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


def test_directory_without_a_case_is_an_error(tmp_path: Path) -> None:
    """The error says how one is started."""
    with pytest.raises(LabError, match="case start NAME"):
        open_case(tmp_path)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``indimail-kit case …``."""
    return subprocess.run([sys.executable, "-m", "indimail_kit", "case", *arguments], capture_output=True, text=True)


def test_case_is_hinted_at_and_graded_by_another_process(tmp_path: Path) -> None:
    """One terminal runs the server; another asks for hints, grades it, reads the truth, and repairs."""
    directory = tmp_path / "case"
    argv = [sys.executable, "-m", "indimail_kit", "case", "start", "clamd-down", "--keep", str(directory), "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines: list[str] = []
        while not lines or lines[-1] != "}\n":
            lines.append(server.stdout.readline())
        about = json.loads("".join(lines))
        try:
            assert about["directory"] == str(directory)
            hints = [json.loads(run("hint", str(directory), "--json").stdout)["hint"] for _ in range(2)]
            assert [hint[:12] for hint in hints] == ["Hint 1 of 4:", "Hint 2 of 4:"]
            before = run("grade", str(directory), "--json")
            assert (before.returncode, json.loads(before.stdout)["solved"]) == (1, False)
            told = json.loads(run("truth", str(directory), "--json").stdout)
            assert told["case"] == "clamd-down"
            subprocess.run([sys.executable, "-m", *told["solution"][0].replace("-", "_", 1).split()], check=True)
            after = run("grade", str(directory))
            assert (after.returncode, after.stdout.splitlines()[0][:6]) == (0, "Solved"), after.stdout
            assert after.stdout.splitlines()[0].endswith("2 hints")
        finally:
            server.terminate()
    gone = run("grade", str(directory))
    assert (gone.returncode, gone.stderr) == (1, "")
    assert "Not solved yet" in gone.stdout
