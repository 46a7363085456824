"""The counts of the crash tests are printed behind pytest's report, in a table that people can read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TEST = """
import pytest

@pytest.mark.crash
def test_counts(crash_size, crash_counts):
    crash_counts("Counts of " + crash_size, [("fault", "cases", "lost"), ("EIO", 1234, 0), ("killed before", 5, 0)])
"""


@pytest.mark.parametrize("size", ["short", "full"])
def test_counts_are_printed_as_a_table(tmp_path: Path, size: str) -> None:
    """Title, heading, text to the left, numbers to the right."""
    (tmp_path / "conftest.py").write_text(Path(__file__).with_name("conftest.py").read_text())
    (tmp_path / "test_one.py").write_text(TEST)
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "markers=crash: counts",
        str(tmp_path),
    ]

    done = subprocess.run(
        argv, cwd=tmp_path, env=os.environ | {"INDIMAIL_KIT_CRASH": size}, capture_output=True, text=True, timeout=60
    )

    wanted = ["fault          cases  lost", "EIO            1,234     0", "killed before      5     0"]
    title, *table = done.stdout.partition("---")[2].splitlines()[:4]
    assert (f" Counts of {size} " in title, table) == (True, wanted)


def test_unknown_size_is_an_error(tmp_path: Path) -> None:
    """A misspelt size must not run the short form as if nothing were wrong."""
    (tmp_path / "conftest.py").write_text(Path(__file__).with_name("conftest.py").read_text())
    (tmp_path / "test_one.py").write_text(TEST)
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "markers=crash: counts",
        str(tmp_path),
    ]

    done = subprocess.run(
        argv, cwd=tmp_path, env=os.environ | {"INDIMAIL_KIT_CRASH": "ful"}, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, "INDIMAIL_KIT_CRASH is one of" in done.stdout) == (1, True)
