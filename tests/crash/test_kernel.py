"""The real program under strace, killed and hindered by the kernel itself; and what the grid's wrapper would miss."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="strace is a program for Linux"),
]

CASES = (
    *("enqueue", "enqueue, no sync", "enqueue, bad envelope", "program qmail-queue", "two mailboxes"),
    *("mailbox and bounce", "double bounce", "folder and forward", "deferred, then too old"),
)
WRONG = ("lost", "refused but queued", "broken", "wrong exit code", "never ends", "missed")
COUNTED = ("cases", "killed", "acknowledged", "refused", *WRONG, "left over")


@pytest.mark.parametrize("case", CASES)
def test_wrapper_sees_the_calls_that_the_kernel_sees(
    case: str, tmp_path: Path, run_program: Callable[..., str], kernel: ModuleType
) -> None:
    """The same calls on the same names in the same order: no call of enqueue or delivery escapes the faults."""
    wrapped = json.loads(run_program("grid.py", "once", tmp_path / "wrapped", case, "wrapped"))
    (tmp_path / "traced").mkdir()
    traced = json.loads(run_program("kernel_grid.py", "calls", tmp_path / "traced", case))

    assert kernel.simplify(wrapped) == traced


def test_program_under_the_kernels_faults(
    tmp_path: Path, run_program: Callable[..., str], crash_size: str, crash_counts: Callable[..., None]
) -> None:
    """Nothing acknowledged is lost, nothing refused is queued, each exit code is right, each fault fell where meant."""
    result: dict[str, Any] = json.loads(run_program("kernel_grid.py", "grid", tmp_path, crash_size))
    rows = [[kind, *(row.get(name, 0) for name in COUNTED)] for kind, row in result["table"].items()]
    sums = ["all", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True))]
    title = f"the real program under strace: {len(result['calls'])} system calls ({crash_size})"
    crash_counts(title, [("fault", *COUNTED), *rows, sums])

    assert [text for text in result["details"] if text.partition(":")[0] in WRONG] == []
    assert sums[1] == len(range(0, len(result["calls"]) * len(rows), 1 if crash_size == "full" else 17))
    assert [row[0] for row in rows if row[1] == 0] == []
