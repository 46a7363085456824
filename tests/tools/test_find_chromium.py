"""tools/find-chromium: a browser that tests can drive, or the reason why there is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

WORKS = "#!/bin/sh\necho Chromium 130.0\n"
IS_BROKEN = "#!/bin/sh\nexit 1\n"
POINTS_TO_SNAP = "#!/bin/sh\nexec /snap/bin/chromium\n"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory that is the whole PATH, without any browser."""
    directory = tmp_path / "programs"
    directory.mkdir()
    for name in ("bash", "grep", "head", "readlink", "sh", "timeout", "tr"):
        (directory / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    return directory


def add(programs: Path, name: str, script: str) -> str:
    """Put a browser there; return its path."""
    (programs / name).write_text(script, encoding="utf-8")
    (programs / name).chmod(0o755)
    return str(programs / name)


def find(programs: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the search."""
    argv = [ROOT / "tools" / "find-chromium"]
    environment = {"PATH": str(programs), **environment}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"])
def test_usual_names_are_found(programs: Path, name: str) -> None:
    """Debian's, the older, and Google's names all do."""
    path = add(programs, name, WORKS)

    ended = find(programs)

    assert (ended.returncode, ended.stdout) == (0, f"{path}\n")


def test_first_that_works_is_taken(programs: Path) -> None:
    """A broken browser does not hide a good one."""
    add(programs, "chromium", IS_BROKEN)
    path = add(programs, "google-chrome", WORKS)

    assert find(programs).stdout == f"{path}\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param(IS_BROKEN, "does not start", id="broken"),
        pytest.param(POINTS_TO_SNAP, "only a pointer to a snap", id="Ubuntu's package"),
    ],
)
def test_useless_browser_is_refused_with_the_reason(programs: Path, script: str, reason: str) -> None:
    """What cannot be driven is not offered; standard error says which one and why."""
    path = add(programs, "chromium-browser", script)

    ended = find(programs)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"{path}: {reason}" in ended.stderr


def test_snap_itself_is_refused(programs: Path, tmp_path: Path) -> None:
    """A snap's command is a link to `snap`, which cannot read the tests' files below /tmp."""
    snap = tmp_path / "snap"
    snap.write_text(WORKS, encoding="utf-8")
    snap.chmod(0o755)
    (programs / "chromium").symlink_to(snap)

    assert "chromium: a snap." in find(programs).stderr


def test_named_browser_is_the_only_one_tried(programs: Path, tmp_path: Path) -> None:
    """INDIMAIL_KIT_CHROMIUM is obeyed: no other browser takes the place of one that is not there."""
    add(programs, "chromium", WORKS)

    ended = find(programs, INDIMAIL_KIT_CHROMIUM=str(tmp_path / "absent"))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "absent: no such program" in ended.stderr


def test_none_at_all_is_said(programs: Path) -> None:
    """Without any browser the answer names the way to give one."""
    ended = find(programs)

    assert ended.returncode == 1
    assert "INDIMAIL_KIT_CHROMIUM=PATH names one" in ended.stderr
