"""What repo2docker makes of binder/: read from the Dockerfile that it prints, no docker needed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rendering(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The Dockerfile for the files that repo2docker looks at, and what repo2docker says about them."""
    repository = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / "binder", repository / "binder", symlinks=True)
    shutil.copy(ROOT / "environment.yml", repository)
    argv = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    ended = subprocess.run(argv, cwd=repository, capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout + ended.stderr, ended.stdout


def test_environment_is_the_one_of_the_root() -> None:
    """binder/environment.yml is a relative link, so that there is one list and not two."""
    link = ROOT / "binder" / "environment.yml"

    assert link.is_symlink()
    assert str(link.readlink()) == "../environment.yml"


def test_conda_builds_it(rendering: tuple[str, str]) -> None:
    """The conda build pack takes it, with our environment file: without that file Python would be repo2docker's own."""
    everything, dockerfile = rendering

    assert "Building conda environment" in everything
    assert '--file "binder/environment.yml"' in dockerfile


def test_python_is_the_pinned_one(rendering: tuple[str, str]) -> None:
    """The server's and the kernel's Python is the one that environment.yml pins."""
    everything, dockerfile = rendering
    (pin,) = re.findall(r"^  - python=(\S+)$", (ROOT / "environment.yml").read_text(encoding="utf-8"), re.MULTILINE)

    assert f"python={pin}" in everything
    assert "ENV KERNEL_PYTHON_PREFIX=${NB_PYTHON_PREFIX}" in dockerfile


def test_apt_packages_are_installed(rendering: tuple[str, str]) -> None:
    """The scanner and the SMTP clients of the lessons come from the distribution."""
    (line,) = re.findall(r"apt-get install --yes --no-install-recommends (clam[^&]+) &&", rendering[1])

    assert line.split() == ["clamav-daemon", "clamdscan", "curl", "daemontools", "swaks"]


def test_scripts_are_run(rendering: tuple[str, str]) -> None:
    """Binder runs postBuild once in the image, start at each start."""
    assert "RUN ./binder/postBuild" in rendering[1]
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in rendering[1]


def test_ordinary_user_runs_the_server(rendering: tuple[str, str]) -> None:
    """The last USER of the image is not root."""
    assert re.findall(r"^USER (\S+)$", rendering[1], re.MULTILINE)[-1] == "${NB_USER}"
