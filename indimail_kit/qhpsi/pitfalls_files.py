"""Pitfalls that only this machine's files can tell of: is the program here, and can it be run?

Source: IndiMail indimail-mta-x/qhpsi.c (execvp, execv, dlopen); execve(2).

Rule 1: files are looked at and never opened for writing, run or loaded.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from indimail_kit.qhpsi.config import PLUGIN_PREFIX
from indimail_kit.qhpsi.pitfalls import Danger, Pitfall, Scene
from indimail_kit.qhpsi.pitfalls_command import INSTALLED_PLUGINS, PLUGIN_HOME

_EXECUTABLE: Final = 0o111


def look_at_files(scene: Scene, *, home: Path = Path(PLUGIN_HOME), cwd: Path | None = None) -> tuple[Pitfall, ...]:
    """Return what is wrong with the program or the plugins that QHPSI names.

    Args:
        scene: The variables, read.
        home: The directory in which PLUGINDIR lies.
        cwd: The queue's directory, for names that are relative to it; None = they are not looked for.
    """
    if scene.config.is_plugin:
        return _look_at_plugins(scene, home)
    if not scene.argv or not scene.argv[0] or scene.argv[0].startswith(PLUGIN_PREFIX):
        return ()
    problem = _program_problem(scene, cwd)
    return (Pitfall("cannot-run", Danger.REFUSES, ("QHPSI",), f"{problem}: every mail gets 451."),) if problem else ()


def _program_problem(scene: Scene, cwd: Path | None) -> str:
    """Say why qhpsi could not run the program, or ""."""
    name = scene.argv[0]
    if "/" not in name and not name.startswith("."):
        import shutil

        search = scene.environ.get("PATH", os.defpath)
        return "" if shutil.which(name, path=search) else f"{name} is not in PATH ({search})"
    if not name.startswith("/"):
        if cwd is None:
            return ""
        name = str(cwd / name)
    try:
        mode = os.stat(name).st_mode  # noqa: PTH116 - a name may hold what Path would fold
    except (OSError, ValueError) as error:
        return f"{name}: {getattr(error, 'strerror', None) or error}"
    if not stat.S_ISREG(mode):
        return f"{name} is not a file"
    return "" if mode & _EXECUTABLE else f"{name} is not executable"


def _look_at_plugins(scene: Scene, home: Path) -> tuple[Pitfall, ...]:
    """Say which plugins are not where qhpsi looks for them."""
    directory = scene.config.plugin_dir
    if "/" in directory:
        return ()
    missing = [name for name in scene.arguments if name and "/" not in name and not (home / directory / name).is_file()]
    return tuple(_missing_plugin(home / directory / name, Path(INSTALLED_PLUGINS, name)) for name in missing)


def _missing_plugin(path: Path, installed: Path) -> Pitfall:
    hint = f" It is in {installed.parent}, where qhpsi does not look: copy it." if installed.is_file() else ""
    text = f"{path} does not exist: qhpsi ends with 57 and every mail gets 451.{hint}"
    return Pitfall("plugin-place", Danger.REFUSES, ("QHPSI", "PLUGINDIR"), text)
