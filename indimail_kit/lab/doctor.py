"""What is on this machine, and what the lessons can do with it. Looking changes nothing.

Rule 1: a part that is missing is said with what to do about it; a part that is there is said with its version.
Rule 2: what a lesson needs stands in LESSONS and nowhere else; a new notebook gets a row there.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from indimail_kit.errors import MissingPartError
from indimail_kit.lab.service_files import find_programs
from indimail_kit.qhpsi.clamd_conf import find_clamd
from indimail_kit.qhpsi.sample_plugin import find_compiler

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

_PYTHON: Final = (3, 11)
_PACKAGES: Final = {
    "pandas": "needed",
    "pyClamd": "needed",
    "aiosmtpd": "the lab",
    "SQLAlchemy": "the lab",
    "yara-python": "the embedded scanner",
    "anywidget": "the notebooks",
    "ipywidgets": "the notebooks",
    "jupyterlab": "the notebooks",
    "matplotlib": "the charts of logs",
}
_EVERYWHERE: Final = tuple((name,) for name in _PACKAGES if name not in ("yara-python", "matplotlib"))


@dataclass(frozen=True, slots=True)
class Wish:
    """A part that a lesson is better with.

    Attributes:
        part: Name of its check.
        with_it: What the lesson then does.
        without: What it does instead.
    """

    part: str
    with_it: str
    without: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What a lesson needs.

    Attributes:
        notebook: Its file name.
        parts: Names of checks; of each group one must be there.
        wishes: Parts that it does without.
    """

    notebook: str
    parts: tuple[tuple[str, ...], ...]
    wishes: tuple[Wish, ...]


_SCANNER: Final = Wish("clamd", "a real clamd scans", "the embedded scanner takes clamd's place")
_NO_SERVER: Final = Wish("jupyterlab", "no server has to run for it", "")
"""Of a lesson that reads; JupyterLab it has anyway."""
_ALONE: Final = Wish("jupyterlab", "no program has to run beside its kernel", "")
"""Of a lesson whose lab has the embedded scanner."""

LESSONS: Final = (
    Needs("00_start_here.ipynb", (*_EVERYWHERE, ("clamd", "yara-python")), (_SCANNER,)),
    Needs("01_auth.ipynb", (*_EVERYWHERE, ("yara-python",)), (_ALONE,)),
    Needs(
        "02_qhpsi.ipynb",
        (*_EVERYWHERE, ("yara-python",), ("clamd",), ("clamdscan",), ("services",)),
        (
            Wish(
                "C compiler",
                "clamd runs under supervise, the sample plugin is compiled",
                "clamd runs under supervise, and looks instead of the sample plugin",
            ),
        ),
    ),
    Needs("03_queue.ipynb", (*_EVERYWHERE, ("yara-python",)), (_ALONE,)),
    Needs("04_logs.ipynb", (*_EVERYWHERE, ("matplotlib",)), (_NO_SERVER,)),
    Needs("05_follow_one_message.ipynb", (*_EVERYWHERE, ("clamd",)), (_SCANNER,)),
    Needs(
        "06_trouble.ipynb",
        (*_EVERYWHERE, ("yara-python",), ("clamd",), ("clamdscan",), ("services",)),
        (Wish("clamd", "every server can be broken", ""),),
    ),
    Needs(
        "10_admin.ipynb",
        (*_EVERYWHERE, ("yara-python",)),
        (Wish("jupyterlab", "your server, or a demonstration server that needs no process", ""),),
    ),
)
"""Each notebook with what it needs, in the order of the lessons."""

_QUEUE_BASE: Final = "/var/indimail/queue"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        state: ok, warn (works with less), missing.
        finding: What was found.
        remedy: What to do about it, or "".
    """

    name: str
    state: Literal["ok", "warn", "missing"]
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a lesson can do here.

    Attributes:
        name: File name of the notebook.
        is_ready: Whether it runs.
        finding: With what, or why not.
    """

    name: str
    is_ready: bool
    finding: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that `examine` found.

    Attributes:
        checks: In the order in which a person asks.
        lessons: One per notebook.
    """

    checks: tuple[Check, ...]
    lessons: tuple[Lesson, ...]

    @property
    def is_ready(self) -> bool:
        """Say whether every lesson runs."""
        return all(lesson.is_ready for lesson in self.lessons)

    def as_document(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {
            "ok": self.is_ready,
            "checks": [
                {"name": c.name, "state": c.state, "finding": c.finding, "remedy": c.remedy} for c in self.checks
            ],
            "lessons": [
                {"name": lesson.name, "ready": lesson.is_ready, "finding": lesson.finding} for lesson in self.lessons
            ],
        }


def examine(environ: Mapping[str, str] | None = None) -> Report:
    """Look at Python, packages, clamd, the queue, rights and JupyterLab."""
    environ = os.environ if environ is None else environ
    packages = (_package(name, purpose) for name, purpose in _PACKAGES.items())
    programs = (_clamd(), _clamdscan(), _daemontools(), _compiler(environ))
    checks = (_python(), *packages, *programs, _queue(environ), _temporary(environ), _rights())
    there = frozenset(check.name for check in checks if check.state == "ok")
    return Report(checks, tuple(_lesson(needs, there) for needs in LESSONS))


def _lesson(needs: Needs, there: AbstractSet[str]) -> Lesson:
    """Say whether a lesson runs with the parts that are there."""
    missing = [" or ".join(group) for group in needs.parts if there.isdisjoint(group)]
    if missing:
        return Lesson(needs.notebook, is_ready=False, finding="needs " + ", ".join(missing))
    ways = (wish.with_it if wish.part in there else wish.without for wish in needs.wishes)
    return Lesson(needs.notebook, is_ready=True, finding="; ".join(ways))


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _PYTHON:
        return Check("Python", "missing", version, "Install Python 3.11 or newer.")
    return Check("Python", "ok", version)


def _package(name: str, purpose: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(
            name, "missing", f"not installed ({purpose})", "pip install 'indimail-kit[lab,widgets]', or make lab"
        )


def _clamd() -> Check:
    path = find_clamd()
    if path is None:
        return Check(
            "clamd", "warn", "not installed; the embedded scanner is used", "apt-get install clamav-daemon clamdscan"
        )
    try:
        result = subprocess.run([str(path), "--version"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("clamd", "warn", f"{path} does not start: {error}", "apt-get install --reinstall clamav-daemon")
    version = result.stdout.decode("utf-8", "backslashreplace").strip().split("/")[0]
    return Check("clamd", "ok", f"{version or 'version unknown'} at {path}")


def _clamdscan() -> Check:
    path = shutil.which("clamdscan")
    if path is None:
        return Check(
            "clamdscan", "warn", "not installed; --scanner command cannot be used", "apt-get install clamdscan"
        )
    return Check("clamdscan", "ok", path)


def _daemontools() -> Check:
    try:
        programs = find_programs()
    except MissingPartError as error:
        return Check("services", "warn", f"{error.part} missing; clamd cannot be supervised", error.remedy)
    left_out = "" if programs.freshclam is not None else ", no freshclam"
    return Check("services", "ok", f"supervise at {programs.supervise}{left_out}")


def _compiler(environ: Mapping[str, str]) -> Check:
    path = find_compiler(environ.get("PATH"))
    if path is None:
        return Check("C compiler", "warn", "none; the sample plugin stays uncompiled", "apt-get install gcc libc6-dev")
    return Check("C compiler", "ok", path)


def _queue(environ: Mapping[str, str]) -> Check:
    base = Path(environ.get("QUEUEDIR") or environ.get("QUEUE_BASE") or _QUEUE_BASE)
    try:
        is_directory = stat.S_ISDIR(base.stat().st_mode)
        names = sorted(path.name for path in base.iterdir()) if is_directory else []
    except FileNotFoundError:
        return Check("queue", "ok", f"no {base} on this host; the lab makes its own")
    except OSError as error:
        return Check(
            "queue", "warn", f"{base}: {error.strerror}", "Look at it as root or as a member of the group qmail."
        )
    queues = [name for name in names if name.startswith(("queue", "slowq", "nqueue"))]
    return Check("queue", "ok", f"{base}: {', '.join(queues) or 'no queue in it'}")


def _temporary(environ: Mapping[str, str]) -> Check:
    directory = Path(environ.get("TMPDIR") or "/tmp")  # noqa: S108 - looked at, not written
    if not os.access(directory, os.W_OK | os.X_OK):
        return Check(
            "temporary files", "missing", f"{directory} cannot be written", "Set TMPDIR to a directory of your own."
        )
    free = shutil.disk_usage(directory).free
    state: Literal["ok", "warn"] = "ok" if free > 100 * 2**20 else "warn"
    return Check(
        "temporary files", state, f"{free // 2**20} MiB free in {directory}", "" if state == "ok" else "Make room."
    )


def _rights() -> Check:
    if os.geteuid() == 0:
        return Check("rights", "warn", "you are root; the lab does not need it", "A plain user is enough and safer.")
    return Check("rights", "ok", f"user {os.geteuid()}; nothing here needs root")
