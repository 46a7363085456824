"""Do a plan: show it, ask, check before each step, stop at the first failure, and say what was done.

Source: svc(8), supervise(8).

Note for maintainers: supervise is told by its own octet in ``supervise/control`` and not by the program svc. It is the
same octet; it works for IndiMail's supervise below /run/svscan and for djb's alike, needs no daemontools of the right
kind in PATH, never waits for a supervise that does not read, and tells us what went wrong (svc exits 0 then).

Rule 1: nothing is done without a yes, and only True is a yes.
Rule 2: each step looks again whether things are as the plan saw them; what has changed meanwhile stops it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from indimail_kit.admin.plan import CreateFile, Plan, RemoveFile, Step, Tell, WriteVariable
from indimail_kit.admin.queue_run import QUEUE_DOERS
from indimail_kit.admin.services import read_variable
from indimail_kit.control.envdir import write_octets
from indimail_kit.control.supervise import read_service, send_control
from indimail_kit.errors import KitError, SuperviseError
from indimail_kit.visible import visible

WAIT_S: Final = 10.0
"""How long a service may take to come up or go down after a command (unit: s)."""

_LOOK_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Report:
    """How a plan went.

    Attributes:
        plan: The plan.
        is_confirmed: Whether somebody said yes; a plan without steps needs no yes.
        done: The steps that were done.
        problem: Why the next step was not, "" when all were done or nothing was to be.
    """

    plan: Plan
    is_confirmed: bool
    done: tuple[Step, ...]
    problem: str = ""

    @property
    def not_done(self) -> tuple[Step, ...]:
        """Return the steps that were not done; the first one is where it stopped."""
        return self.plan.steps[len(self.done) :]

    @property
    def is_done(self) -> bool:
        """Say whether everything is as planned."""
        return self.is_confirmed and not self.not_done

    def undo_plan(self) -> Plan:
        """Return the plan that takes back what was done."""
        return Plan(self.plan.title, self.done).undone()

    @property
    def text(self) -> str:
        """Return what happened, for a person."""
        if not self.is_confirmed:
            return "Nothing was done."
        if not self.problem:
            return "\n".join([*(f"done      {step.command}" for step in self.done), f"Done: {self.plan.title}."])
        failed, *left = self.not_done
        return "\n".join(
            [
                *(f"done      {step.command}" for step in self.done),
                f"FAILED    {failed.command}",
                f"          {self.problem}",
                *(f"not done  {step.command}" for step in left),
            ]
        )


def run_plan(
    plan: Plan,
    *,
    confirm: Callable[[str], bool],
    wait_s: float = WAIT_S,
    on_step: Callable[[Step], object] = lambda _step: None,
) -> Report:
    """Show a plan and do it after a yes.

    Args:
        plan: What to do.
        confirm: Is given the plan's text, shows it, and returns True for yes; everything else is no.
        wait_s: How long a service may take to come up or go down (unit: s).
        on_step: Is told each step when it is done.
    """
    if plan.steps and confirm(plan.text) is not True:
        return Report(plan, is_confirmed=False, done=())
    done: list[Step] = []
    for step in plan.steps:
        try:
            problem = DOERS[type(step.deed)](step.deed, wait_s)
        except KitError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
        if problem:
            return Report(plan, is_confirmed=True, done=tuple(done), problem=visible(problem))
        done.append(step)
        on_step(step)
    return Report(plan, is_confirmed=True, done=tuple(done))


def _remove_file(deed: RemoveFile, _wait_s: float) -> str:
    status = deed.path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size:
        return f"{deed.path} is no empty file any more"
    deed.path.unlink()
    return ""


def _create_file(deed: CreateFile, _wait_s: float) -> str:
    os.close(os.open(deed.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
    return ""


def _write_variable(deed: WriteVariable, _wait_s: float) -> str:
    if read_variable(deed.directory, deed.name) != deed.before:
        return f"{deed.directory / deed.name} has changed since the plan was made"
    write_octets(deed.directory, deed.name, deed.octets)
    return ""


def _tell(deed: Tell, wait_s: float) -> str:
    send_control(read_service(deed.directory), deed.command)
    if _becomes(deed, wait_s):
        return ""
    return f"supervise was told, but after {wait_s:g} s {deed.directory} is not {deed.then}; look at its log"


def _becomes(deed: Tell, wait_s: float) -> bool:
    """Wait until a service is up or down, and supervise wants it so: one that is about to end is not up."""
    deadline = time.monotonic() + wait_s
    while True:
        with contextlib.suppress(SuperviseError):  # supervise writes the file at this moment
            service = read_service(deed.directory)
            is_wanted = deed.command == "c" or (service.status is not None and service.status.want == deed.then)
            if service.state == deed.then and is_wanted:
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_S)


DOERS: Final[dict[type, Callable[[Any, float], str]]] = {
    RemoveFile: _remove_file,
    CreateFile: _create_file,
    WriteVariable: _write_variable,
    Tell: _tell,
    **QUEUE_DOERS,
}
"""Kind of deed -> what does it: it checks, does, and returns what was wrong, "" for nothing."""
