"""The programs beside this file are run, not imported: they fork, and the process of the tests must not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

collect_ignore_glob = ["[!tc]*.py"]
"""Programs and their parts, which `--doctest-modules` would import where they do not find each other."""

PATIENCE_S = 1200
"""How long a program may take on a busy machine (unit: s); `make crash` tells pytest's own limit the same."""

RunProgram = Callable[..., str]


@pytest.fixture(scope="session")
def run_program() -> RunProgram:
    """Return a function that runs a program of this directory and returns what it prints."""

    def run(name: str, *arguments: str | Path, in_front: Sequence[str] = ()) -> str:
        done = subprocess.run(
            [*in_front, sys.executable, str(HERE / name), *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def fast_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """Return a function that makes a directory in memory, where an fsync costs nothing, if there is such a place."""
    memory = Path("/dev/shm")
    made: list[Path] = []

    def make() -> Path:
        if memory.is_dir() and os.access(memory, os.W_OK):
            made.append(Path(tempfile.mkdtemp(prefix="ik-crash-", dir=memory)))
            return made[-1]
        return tmp_path_factory.mktemp("crash")

    yield make
    for directory in made:
        shutil.rmtree(directory, ignore_errors=True)


def load(name: str) -> ModuleType:
    """Import a module of this directory that forks nothing."""
    specification = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # its dataclasses look themselves up
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def queue_reader() -> ModuleType:
    """Return the reader of queues that knows nothing of the kit."""
    return load("queue_reader")


@pytest.fixture(scope="session")
def kernel() -> ModuleType:
    """Return the reader of what strace says."""
    return load("kernel")
