"""A case that was started: what of it lies on the disk, so that hints and grades may be asked for by any process.

::

    DIR/case.json      name, seed, port, when it began, hints that were given, what was drawn
    DIR/control …      its server, see `places`

Rule 1: the file is read anew for each question and replaced as a whole.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from indimail_kit.errors import FormatError, KitError, LabError
from indimail_kit.lab.case import Case, Deed, Finding, Grade, bad, lines_html, wrapped
from indimail_kit.lab.case_site import NoAnswerError, Site
from indimail_kit.lab.lab import Lab
from indimail_kit.lab.places import SMTPD
from indimail_kit.logs.log import Log, read
from indimail_kit.mailqueue.values import INDIMAIL
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.lab.services import Services

FILE_NAME: Final = "case.json"
"""Name of the file."""

FORMAT: Final = "indimail-kit case 1"
"""First field of the file."""

MAX_FILE_BYTES: Final = 1_000_000
"""A larger file is none of ours (unit: octets)."""

_EXPECTED: Final = "a file written by `indimail-kit case start`"

_RUN: Final = """\
#!/bin/sh
# What runs this service on a real host. Here the process that started the case plays it, and reads variables/ and
# the rules anew for each connection.
exec 2>&1
exec envdir variables tcpserver -v -R -H -x control/tcp.smtp.cdb 0 25 qmail-smtpd
"""
"""The run script of the played SMTP service, so that ``indimail-kit service set`` knows it as one."""


SETTINGS: Final[Mapping[str, Any]] = {"scanner": "embedded", "queue_count": 1, "queue_split": 23, "sync": INDIMAIL}
"""What the lab of a case is started with, where the case says nothing else: quick to make, quick to remove."""


@dataclass(frozen=True, slots=True)
class CaseState:
    """What the file holds.

    Attributes:
        name: Name of the case.
        seed: What its facts were drawn from.
        host: Where its server listens.
        port: Its port.
        started_ns: When it began (unit: ns since 1970).
        hints_given: How many.
        solved_ns: When a grade first said "solved" (unit: ns since 1970); 0 before.
        facts: What was drawn or written down.
    """

    name: str
    seed: int
    host: str
    port: int
    started_ns: int
    hints_given: int = 0
    solved_ns: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)


def write_state(directory: Path, state: CaseState) -> None:
    """Write the file, in place of an older one."""
    fresh = directory / f".{FILE_NAME}.new"
    fresh.write_text(json.dumps({"format": FORMAT, **asdict(state)}, indent=2) + "\n", encoding="utf-8")
    fresh.replace(directory / FILE_NAME)


def read_state(directory: Path) -> CaseState:
    """Read the file.

    Raises:
        LabError: There is none: no case was started here.
        FormatError: It is none of ours.
        OSError: It cannot be read.
    """
    path = directory / FILE_NAME
    try:
        octets = path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else b""
    except (FileNotFoundError, NotADirectoryError) as error:
        remedy = f"`indimail-kit case start NAME --keep {directory}` starts one"
        raise LabError(f"no case in {directory}; {remedy}") from error
    try:
        document = json.loads(octets)
        if document.pop("format") != FORMAT:
            raise FormatError(_EXPECTED, source=str(path))
        state = CaseState(**document)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise FormatError(_EXPECTED, source=str(path)) from error
    if not _is_sound(state):
        raise FormatError(_EXPECTED, source=str(path))
    return state


def _is_sound(state: CaseState) -> bool:
    numbers = (state.seed, state.port, state.started_ns, state.hints_given, state.solved_ns)
    return (
        all(type(number) is int for number in numbers)
        and all(type(text) is str for text in (state.name, state.host))
        and state.hints_given >= 0
        and type(state.facts) is dict
        and all(type(text) is str for pair in state.facts.items() for text in pair)
    )


class OpenCase:
    """A case that was started, here or by another process.

    Attributes:
        case: What it is.
        directory: Its server's directory.
    """

    def __init__(self, case: Case, directory: Path, *, clock: Callable[[], int] = time.time_ns) -> None:
        self.case = case
        self.directory = directory
        self._clock = clock

    @property
    def state(self) -> CaseState:
        """Return what the file says now."""
        return read_state(self.directory)

    @property
    def site(self) -> Site:
        """Return its server, seen from outside."""
        state = self.state
        return Site(self.directory, (state.host, state.port), state.facts)

    @property
    def complaint(self) -> str:
        """Return what people say."""
        return self.site.text(self.case.complaint)

    @property
    def conditions(self) -> str:
        """Return what holds here and cannot be seen with a tool, or ""."""
        return self.site.text(self.case.conditions)

    @property
    def smtp(self) -> tuple[str, int]:
        """Return host and port of its SMTP service."""
        return self.site.address

    @property
    def queue_base(self) -> Path:
        """Return the directory of its queues."""
        return self.site.places.queue_base

    @property
    def logs(self) -> dict[str, Path]:
        """Return its log directories by name: smtpd, deliver, and clamd where it is supervised."""
        places = self.site.places
        found = {"smtpd": places.smtpd_log, "deliver": places.send_log}
        if "clamd_log" in self.state.facts:
            found["clamd"] = Path(self.state.facts["clamd_log"])
        return found

    def log(self, name: str) -> Log:
        """Return a log as events: "smtpd", "deliver" or "clamd".

        Raises:
            LabError: There is no such log here.
        """
        if name not in self.logs:
            raise LabError(f"no log {name!r} here; there are {', '.join(self.logs)}")
        return read(self.logs[name])

    @property
    def elapsed_s(self) -> float:
        """Return the time from its start to its solution, or to now (unit: s)."""
        state = self.state
        return max(0, (state.solved_ns or self._clock()) - state.started_ns) / 10**9

    def hint(self) -> str:
        """Return the next hint; behind the last one the last one again."""
        state = self.state
        hints = self.case.hints
        number = min(state.hints_given, len(hints) - 1)
        if state.hints_given < len(hints):
            write_state(self.directory, replace(state, hints_given=state.hints_given + 1))
        return f"Hint {number + 1} of {len(hints)}: {self.site.text(hints[number])}"

    def grade(self) -> Grade:
        """Look at the server as it is now, with a mail to try it where that proves something."""
        findings = self._look()
        state = self.state
        grade = Grade(findings, self.elapsed_s, state.hints_given)
        if grade.is_solved and not state.solved_ns:
            write_state(self.directory, replace(state, solved_ns=self._clock()))
        return grade

    def _look(self) -> tuple[Finding, ...]:
        """Return what the grader finds; what keeps it from looking is a finding, too."""
        findings: list[Finding] = []
        try:
            findings += self.case.grade(self.site)
        except NoAnswerError as error:
            findings.append(bad(f"{str(error).capitalize()}: is the process that started this case still there?"))
        except (KitError, OSError) as error:
            findings.append(bad(f"Something cannot be looked at: {visible(str(error))}"))
        except Exception as error:  # a server may be broken in ways that nobody foresaw
            findings.append(bad(f"Something cannot be looked at: {type(error).__name__}: {visible(str(error))}"))
        return tuple(findings)

    def truth(self) -> str:
        """Return what is wrong here, and which notebook explains it."""
        return f"{self.site.text(self.case.truth)} More: {self.case.lesson}."

    def solution(self) -> tuple[Deed, ...]:
        """Return the reference solution; nothing of it is done.

        Raises:
            FormatError: A fact is missing: somebody has changed case.json.
            OSError: A file that it would change is not there.
        """
        try:
            return tuple(self.case.solve(self.site))
        except KeyError as error:
            raise FormatError(f"a fact {error}", source=str(self.directory / FILE_NAME)) from error

    def solve(self) -> None:
        """Do what the reference solution says, step by step; each sees what the one before it did.

        Raises:
            LabError: A step failed.
        """
        for deed in self.case.solve(self.site):
            deed.do()

    def __repr__(self) -> str:
        """Return what people say, and where the server is; not the name, which may tell too much."""
        try:
            host, port = self.smtp
            lines = [self.complaint, *([self.conditions] if self.conditions else [])]
        except (KitError, OSError):
            return "A case whose server has ended."
        where = f"SMTP {host} {port} · {self.directory}"
        return "\n".join(wrapped(visible(line)) for line in (*lines, where))

    def _repr_html_(self) -> str:
        return lines_html(repr(self))


class RunningCase(OpenCase):
    """A case whose server this process runs; a context manager.

    Attributes:
        lab: Its server.
    """

    def __init__(self, case: Case, lab: Lab, *, clock: Callable[[], int]) -> None:
        super().__init__(case, lab.directory, clock=clock)
        self.lab = lab

    @property
    def services(self) -> Services | None:
        """Return clamd and freshclam under supervise; None in a case without them."""
        with contextlib.suppress(LabError):
            return self.lab.services
        return None

    def stop(self) -> None:
        """End the server, and remove its directory if it was made for it; a second call does nothing."""
        self.lab.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()


def begin(case: Case, *, seed: int, directory: Path | None, clock: Callable[[], int] = time.time_ns) -> RunningCase:
    """Start a case.

    Args:
        case: Which.
        seed: Decides its facts.
        directory: Where to work and what to keep; None for a temporary directory, removed at the end.
        clock: Gives the time (unit: ns since 1970).

    Raises:
        LabError: The directory holds something already, or the server did not start.
        MissingPartError: A part that it needs is not installed.
        OSError: The directory cannot be written.
    """
    if directory is not None and directory.exists() and any(directory.iterdir()):
        raise LabError(f"a case needs a new or empty directory, and {directory} has something in it")
    settings: dict[str, Any] = {**SETTINGS, **case.lab}
    lab = Lab(seed=seed, directory=directory, **settings)
    try:
        lab.start()
        facts = case.facts(seed) | _facts_of(lab)
        (lab.directory / "service" / SMTPD / "run").write_text(_RUN, encoding="utf-8")
        case.spoil(lab, facts)
        write_state(lab.directory, CaseState(case.name, seed, lab.host, lab.port, clock(), facts=facts))
        return RunningCase(case, lab, clock=clock)
    except BaseException:
        lab.stop()
        raise


def _facts_of(lab: Lab) -> dict[str, str]:
    """Return what a grader must know of a lab and cannot find in its directory."""
    facts = {"qhpsi": lab.qhpsi}
    with contextlib.suppress(LabError):
        services = lab.services
        facts |= {
            "clamd_socket": str(services.socket_path), "clamd_conf": str(services.config_path),
            "clamd_log": str(services.log_path("clamd").parent),
        }  # fmt: skip
    return facts
