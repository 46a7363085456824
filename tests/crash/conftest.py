"""The programs beside this file are run, not imported: they fork, and the process of the tests must not."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

collect_ignore_glob = ["[!tc]*.py"]
"""Programs and their parts, which `--doctest-modules` would import where they do not find each other."""

RunProgram = Callable[..., str]


@pytest.fixture(scope="session")
def run_program() -> RunProgram:
    """Return a function that runs a program of this directory and returns what it prints."""

    def run(name: str, *arguments: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, str(HERE / name), *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def fast_directory() -> Path | None:
    """Return a directory in memory, where an fsync costs nothing; None to take what pytest gives."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else None


@pytest.fixture(scope="session")
def queue_reader() -> ModuleType:
    """Return the reader of queues that knows nothing of the kit."""
    specification = importlib.util.spec_from_file_location("queue_reader", HERE / "queue_reader.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["queue_reader"] = module  # its dataclasses look themselves up
    specification.loader.exec_module(module)
    return module
