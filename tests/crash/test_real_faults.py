"""Faults that nobody simulates: a file system that is really full, limits of the system, SIGKILL at any moment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.crash

WRONG = ("lost", "refused but queued", "broken", "wrong exit code", "never ends", "raised")

Count = Callable[[str, dict[str, Any]], list[str]]


@pytest.fixture
def count(crash_counts: Callable[..., None]) -> Count:
    """Return a function that prints a table and returns what is wrong."""

    def show(title: str, result: dict[str, Any]) -> list[str]:
        names = list(dict.fromkeys(name for row in result["table"].values() for name, value in row.items() if value))
        columns = ["cases", *(name for name in (*names, *WRONG) if name != "cases")]
        columns = list(dict.fromkeys(columns))
        rows = [[row, *(counts.get(name, 0) for name in columns)] for row, counts in result["table"].items()]
        crash_counts(title, [("where", *columns), *rows])
        return [text for text in result["details"] if text.partition(":")[0] in WRONG]

    return show


@pytest.fixture
def in_namespace() -> tuple[str, ...]:
    """Return the words with which a program may mount something that nobody else sees."""
    words = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--mount", "--map-root-user")
    test = 'mount -t tmpfs -o size=64k tmpfs "$0" && umount "$0"'
    may = shutil.which("unshare") and subprocess.run([*words, "sh", "-c", test, "/tmp"], capture_output=True)
    if not may or may.returncode:
        assert "CI" not in os.environ, "in CI nothing is skipped"
        pytest.skip("no root and no user namespace: nothing can be mounted here")
    return words


def test_full_file_system_loses_nothing(
    tmp_path: Path, run_program: Callable[..., str], in_namespace: tuple[str, ...], crash_size: str, count: Count
) -> None:
    """A tmpfs with 0, 1, 2 … pages or names left, for each way to queue and to deliver; then there is room again."""
    result = json.loads(run_program("real_faults.py", "full", tmp_path, crash_size, in_front=in_namespace))
    rows = result["table"].values()

    assert count(f"a file system that is really full ({crash_size})", result) == []
    assert sum(row.get("refused", 0) for row in rows) > 0
    assert sum(row.get("acknowledged", 0) for row in rows) > 0


def test_limit_on_the_size_of_files_loses_nothing(
    tmp_path: Path,
    run_program: Callable[..., str],
    fast_directory: Callable[[], Path],
    crash_size: str,
    count: Count,
) -> None:
    """RLIMIT_FSIZE from 0 upwards: every write is cut somewhere, the log's too."""
    result = json.loads(run_program("real_faults.py", "limit", fast_directory(), crash_size))

    assert count(f"files that may not grow (RLIMIT_FSIZE, {crash_size})", result) == []
    assert result["table"]["enqueue"]["refused"] > 0


def test_sigkill_at_any_moment_loses_nothing(
    run_program: Callable[..., str], fast_directory: Callable[[], Path], crash_size: str, count: Count
) -> None:
    """One child queues as fast as it can, another delivers; both are killed after a random while, again and again."""
    result = json.loads(run_program("real_faults.py", "killed", fast_directory(), crash_size))

    assert count(f"SIGKILL of real children at random moments ({crash_size})", result) == []
    assert result["table"]["killed at random"]["messages"] > 0
