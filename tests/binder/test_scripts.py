"""binder/postBuild and binder/start, run here with a stand-in for what only a Binder image has."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A conda prefix whose Python only writes down what it was asked."""
    python = tmp_path / "prefix" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n', encoding="utf-8")
    python.chmod(0o755)
    return tmp_path / "prefix"


def post_build(prefix: Path, repository: Path) -> None:
    """Run postBuild as Binder does: in the repository."""
    shutil.copytree(ROOT / "binder", repository / "binder", symlinks=True)
    environment = {"PATH": "/usr/bin:/bin", "NB_PYTHON_PREFIX": str(prefix)}
    subprocess.run(["./binder/postBuild"], cwd=repository, env=environment, check=True, timeout=20)


def test_post_build_installs_the_kit_without_its_dependencies(prefix: Path, tmp_path: Path) -> None:
    """The conda file has brought the dependencies; pip must not bring them again."""
    post_build(prefix, tmp_path / "repository")

    (call,) = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert call == "-m pip install --no-deps --no-cache-dir --editable ."


def test_post_build_gives_jupyterlab_our_settings(prefix: Path, tmp_path: Path) -> None:
    """overrides.json lies where JupyterLab of that prefix looks for it."""
    post_build(prefix, tmp_path / "repository")

    installed = prefix / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    assert json.loads(installed.read_text(encoding="utf-8")) == json.loads(
        (ROOT / "binder" / "overrides.json").read_text(encoding="utf-8")
    )


def test_start_becomes_the_command() -> None:
    """It ends as the server's own process, arguments untouched, exit code kept."""
    argv = [ROOT / "binder" / "start", "sh", "-c", 'printf "%s|" "$@"; exit 7', "sh", "two words", "*"]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)

    assert (ended.stdout, ended.returncode) == ("two words|*|", 7)


@pytest.mark.parametrize("path", ["/usr/bin:/bin", "/usr/bin:/usr/sbin:/bin"])
def test_start_lets_clamd_be_found(path: str) -> None:
    """/usr/sbin is on the PATH of everything that runs in Binder, once."""
    argv = [ROOT / "binder" / "start", "sh", "-c", 'echo "$PATH"; umask']
    ended = subprocess.run(argv, env={"PATH": path}, capture_output=True, text=True, timeout=20, check=True)

    directories, umask = ended.stdout.split()
    assert directories.split(":").count("/usr/sbin") == 1
    assert int(umask, 8) == 0o077
