"""A case as a value: a small server that is broken, what its people say, how it is judged, hinted at and repaired.

Note for maintainers: texts are templates of ``{name}``s, filled from the facts of the case (what was drawn from its
seed, and what `spoil` wrote down) and from where it lies, see `case_site.Site.text`.

Rule 1: whoever judges looks at the server as it is now; how it was repaired is nobody's business.
Rule 2: a solution is what a person could type: verbs of the kit, svc, an editor; nothing that only Python reaches.
"""

from __future__ import annotations

import random
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.control.supervise import read_service, send_control
from indimail_kit.errors import LabError
from indimail_kit.visible import visible
from indimail_kit.wiring import provider

if TYPE_CHECKING:
    from indimail_kit.lab.case_site import Site
    from indimail_kit.lab.lab import Lab

_PATIENCE_S: Final = 60.0
"""Longest that a command of a solution may take (unit: s)."""


_WIDTH: Final = 84
"""Where a line is broken for people (unit: characters)."""


def wrapped(text: str, *, indent: int = 0) -> str:
    """Return a text broken into lines for a person; long words, such as paths, stay whole."""
    return textwrap.fill(
        visible(text, kept="\n"), _WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip


def lines_html(text: str) -> str:
    """Return a text of several lines as HTML, through the one escaping door."""
    return str(provider("tag")("pre", provider("block")(text)))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a grader looked at.

    Attributes:
        is_good: Whether it is as it should be.
        text: What was seen, a sentence.
    """

    is_good: bool
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Grade:
    """How a case stands.

    Attributes:
        findings: What was looked at, in order.
        elapsed_s: From the start of the case to its solution, or to now (unit: s).
        hints_given: Hints that were asked for.
    """

    findings: tuple[Finding, ...]
    elapsed_s: float
    hints_given: int

    @property
    def is_solved(self) -> bool:
        """Say whether all is as it should be."""
        return bool(self.findings) and all(finding.is_good for finding in self.findings)

    @property
    def title(self) -> str:
        """Return the grade in one line: solved or not, the clock, the hints."""
        minutes, seconds = divmod(int(self.elapsed_s), 60)
        hints = f"{self.hints_given} hint{'' if self.hints_given == 1 else 's'}"
        return f"{'Solved' if self.is_solved else 'Not solved yet'} · {minutes} min {seconds} s · {hints}"

    def __repr__(self) -> str:
        """Return the title, and a line for each finding."""
        lines = [f"  {'✓' if finding.is_good else '✕'} {finding.text}" for finding in self.findings]
        return "\n".join((visible(self.title), *(wrapped(line, indent=4) for line in lines)))

    def _repr_html_(self) -> str:
        return lines_html(repr(self))


# --- what a solution is made of -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kit:
    """A verb of the kit.

    Attributes:
        arguments: What follows ``indimail-kit``.
        stdin: Standard input; a password.
        note: What a person must know besides, as a comment of the shell.
    """

    arguments: tuple[str, ...]
    stdin: str = field(default="", repr=False)
    note: str = ""

    @property
    def command(self) -> str:
        """Return what a person types."""
        return f"indimail-kit {shlex.join(self.arguments)}" + (f"  # {self.note}" if self.note else "")

    def do(self) -> None:
        """Run it.

        Raises:
            LabError: Its exit code is not 0, or it took too long.
        """
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "indimail_kit", *self.arguments],
                input=self.stdin, capture_output=True, text=True, timeout=_PATIENCE_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise LabError(f"no end within {_PATIENCE_S:g} s: {self.command}") from error
        if ended.returncode:
            said = (ended.stderr or ended.stdout).strip().splitlines()[-1:] or ["nothing was said"]
            raise LabError(f"exit code {ended.returncode} of {self.command}: {said[0]}")


@dataclass(frozen=True, slots=True)
class Svc:
    """``svc``: tell supervise something."""

    options: str
    directory: Path

    @property
    def command(self) -> str:
        """Return what a person types."""
        return shlex.join(["svc", self.options, str(self.directory)])

    def do(self) -> None:
        """Do it; supervise obeys a moment later.

        Raises:
            SuperviseError: It is no service, or no supervise runs there.
        """
        send_control(read_service(self.directory, run_directories=()), self.options.removeprefix("-"))


@dataclass(frozen=True, slots=True)
class Edit:
    """An editor: a file gets another text.

    Attributes:
        path: The file.
        text: What it shall be.
        what: What is changed, a phrase behind the name of the file.
    """

    path: Path
    text: str = field(repr=False)
    what: str

    @property
    def command(self) -> str:
        """Return what a person does."""
        return f"edit {self.path}: {self.what}"

    def do(self) -> None:
        """Write the file."""
        self.path.write_text(self.text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Remove:
    """rm: a file goes."""

    path: Path

    @property
    def command(self) -> str:
        """Return what a person types."""
        return shlex.join(["rm", str(self.path)])

    def do(self) -> None:
        """Remove it."""
        self.path.unlink()


Deed = Kit | Svc | Edit | Remove
"""One step of a solution; each has `command`, and `do`."""


# --- a case ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One broken server.

    Attributes:
        name: Its short name, for trainers; it may tell what is wrong.
        title: What is wrong in a few words, for trainers.
        complaint: What people say; a template.
        truth: What is wrong and why, a few sentences; a template.
        hints: From where to look to what to do; templates.
        lesson: The notebook that explains it.
        spoil: Breaks a lab that runs and makes the symptoms; may add to the facts.
        grade: Looks at the server; yields what it finds.
        solve: Returns the reference solution.
        draw: Returns the facts that the seed decides.
        lab: What the lab is started with, besides seed and directory.
        conditions: What holds in this case and cannot be seen with a tool, a sentence; a template, or "".
    """

    name: str
    title: str
    complaint: str
    truth: str
    hints: tuple[str, ...]
    lesson: str
    spoil: Callable[[Lab, dict[str, str]], None] = field(repr=False)
    grade: Callable[[Site], Iterator[Finding]] = field(repr=False)
    solve: Callable[[Site], Iterable[Deed]] = field(repr=False)
    draw: Callable[[random.Random], dict[str, str]] = field(repr=False)
    lab: Mapping[str, Any] = field(default_factory=dict, repr=False)
    conditions: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return which parts of the machine it needs besides Python, by the names that ``doctor`` has for them."""
        if self.lab.get("supervised"):
            return ("clamd", "services")
        return ("clamd", "clamdscan") if self.lab.get("scanner") == "clamd" else ("yara-python",)

    def facts(self, seed: int) -> dict[str, str]:
        """Return what the seed decides, the same at each call."""
        return self.draw(random.Random(f"{self.name}/{seed}"))  # noqa: S311 - the same again on wish


def good(text: str) -> Finding:
    """Return what is as it should be."""
    return Finding(True, text)


def bad(text: str) -> Finding:
    """Return what is not as it should be."""
    return Finding(False, text)
