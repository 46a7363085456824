"""tests/bench/bench_memory.py: what it counts. The measurement is `make bench`; its figures are in docs/binder.md."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOLDS_50_MB = """
import sys
held = bytearray(b"x" * 50_000_000)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """Import the script, which is in no package."""
    spec = importlib.util.spec_from_file_location("bench_memory", ROOT / "tests" / "bench" / "bench_memory.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["bench_memory"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_grandchild_counts_and_a_stranger_does_not(tool):
    """A shell's child that holds 50 MB is in the sum of the shell, and the tests themselves are not."""
    argv = ["/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", HOLDS_50_MB]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        family = tool.below(shell.pid, tool.parents())
        held = sum(map(tool.pss_bytes, family))
        shell.communicate(b"")

    assert (50 <= held / tool.MB <= 90, os.getpid() in family, len(family)) == (True, False, 2)


def test_a_process_that_is_gone_counts_nothing(tool):
    """Between listing and reading a process may end."""
    with subprocess.Popen(["/bin/true"]) as ended:
        ended.wait()

    assert (tool.pss_bytes(ended.pid), tool.name_of(ended.pid)) == (0, "")
