"""Hosts that are damaged at random: whatever lies where a queue, a service, a log should be, doctor says sentences."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FAULTS = ("wrong-split", "inode-differs", "ossified", "unknown-file", "cut-record", "fifo", "symlink", "unknown-record")
TEXTS = ("0", "a:b", "@4000", ":allow", "x y z", "-1", "²", "\u202e", "")


def _load(name: str) -> Any:
    """Load a module that lies beside this one: in importlib mode no other way finds it."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


scene = _load("host_scene")


def write(octets: Callable[[random.Random], bytes]) -> Callable[[Path, random.Random], None]:
    """Return what gives a plain file other octets, and leaves everything else."""

    def damage(path: Path, rng: random.Random) -> None:
        if path.is_file():
            path.write_bytes(octets(rng))

    return damage


def instead(make: Callable[[Path], object]) -> Callable[[Path, random.Random], None]:
    """Return what puts something else in the place of a file or directory."""

    def damage(path: Path, _rng: random.Random) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        make(path)

    return damage


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "random octets": write(lambda rng: rng.randbytes(rng.randrange(3000))),
    "NULs": write(lambda rng: bytes(rng.randrange(50))),
    "a huge file": write(lambda _rng: b"x" * 2_000_000),
    "odd lines": write(lambda rng: "\n".join(rng.choices(TEXTS, k=20)).encode()),
    "a FIFO": instead(os.mkfifo),
    "a directory": instead(Path.mkdir),
    "a link to itself": instead(lambda path: path.symlink_to(path.name)),
    "nothing": instead(lambda _path: None),
    "other rights": lambda path, rng: path.chmod(rng.randrange(0o1000)),
    "another time": lambda path, rng: os.utime(path, ns=(rng.randrange(2**62), rng.randrange(2**62))),
}


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 30))])
def test_damaged_host_is_told_of_in_sentences(tmp_path: Path, seed: int) -> None:
    """No traceback and no hang; the report can be printed and written. Two hundred and fifty seeds were tried once."""
    rng = random.Random(seed)  # noqa: S311 - the same again
    host = scene.Host(tmp_path)
    host.fill(*rng.sample(FAULTS, 2), messages=25)
    places = [path for path in sorted(tmp_path.rglob("*")) if path.parent.name not in ("lock", "supervise")]
    for path in rng.sample(places, 4):
        if os.path.lexists(path):
            with contextlib.suppress(OSError):
                DAMAGES[rng.choice(list(DAMAGES))](path, rng)
    try:
        report = host.examine()
    finally:
        host.close()

    assert [line for line in report.text.splitlines() if not line.isprintable()] == []
    assert json.loads(json.dumps(report.as_document()))["ok"] is report.is_fine
