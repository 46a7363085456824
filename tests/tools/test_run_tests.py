"""`tools/run-tests`: two halves side by side that fail together, with the real pytest and coverage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parent.parent.parent / "tools" / "run-tests"

SETTINGS = """[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = ["-p", "no:randomly", "-p", "no:cacheprovider"]

[tool.coverage.run]
branch = true
source = ["mail"]
"""

PACKAGE = """def is_queued(is_linked: bool) -> bool:
    if is_linked:
        return True
    return False
"""

TEST = """from mail import is_queued

def test_{name}():
    assert {claim}
"""


def run(
    folder: Path, *arguments: str, linked: str = "True", unlinked: str = "False"
) -> subprocess.CompletedProcess[str]:
    """Run the tool in a small project whose two tests cover all of its package, and one of them half of it."""
    files = {
        "pyproject.toml": SETTINGS,
        "mail.py": PACKAGE,
        "tests/test_mail.py": TEST.format(name="linked", claim=f"is_queued({linked})"),
        "tests/browser/test_page.py": TEST.format(name="not_linked", claim=f"is_queued(False) is {unlinked}"),
        ".venv/bin/python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / ".venv/bin/python").chmod(0o755)
    (folder / "tools").mkdir()
    tool = shutil.copy2(TOOL, folder / "tools")
    # What the coverage of the kit's own run left in the environment would measure the wrong project.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    return subprocess.run(
        [tool, *arguments],
        env=environment | {"PYTHONPATH": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_halves_are_covered_together(tmp_path):
    """Each half reaches a part of the package; added up nothing is missing, and the end is good."""
    ended = run(tmp_path)

    assert (ended.returncode, ended.stdout.count(" 1 passed in ")) == (0, 2)
    assert "100%" in ended.stdout.split("=== coverage")[1]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"unlinked": "True"}, "failed: tests in the browser", id="in the browser"),
        pytest.param({"linked": "0 > 1"}, "failed: tests outside the browser", id="outside"),
    ],
)
def test_a_failure_in_either_half_is_a_failure(tmp_path, values, said):
    """One failed test anywhere fails the run, and the last lines say in which half to look."""
    ended = run(tmp_path, **values)

    assert (ended.returncode, said in ended.stdout.splitlines()) == (1, True)
    assert "1 failed" in ended.stdout


def test_too_little_coverage_is_a_failure(tmp_path):
    """All tests pass, but half of the package was not reached."""
    ended = run(tmp_path, linked="False) is (False")

    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (1, "failed: coverage")


def test_a_part_of_the_tests_is_one_run(tmp_path):
    """With arguments there are no halves, and no least coverage that a part cannot have."""
    ended = run(tmp_path, "tests/test_mail.py")

    assert (ended.returncode, " 1 passed in " in ended.stdout, "=== coverage" in ended.stdout) == (
        0,
        True,
        False,
    )
