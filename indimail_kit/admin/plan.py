"""A plan: steps that a person can read, type himself, refuse, and mostly undo. Pure: nothing is read or done here.

Source: svc(8), supervise(8), envdir(8); the seed text of 2010 (rm down, svc -u; echo 1 > REJECTVIRUS, svc -d, svc -u).

Note for maintainers: a step is a *deed* (a value that says what to do) and the words for people. `step_of` gives a deed
its words, `inverse_of` the deed that undoes it, and `run.DOERS` does it. A new kind of deed needs an entry in each;
those of a queue have theirs in `queue_deeds`, `queue_words` and `queue_run`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from indimail_kit.admin.queue_deeds import QUEUE_INVERSES, QueueDeed
from indimail_kit.admin.queue_words import QUEUE_WORDS
from indimail_kit.control.envdir import decode_value
from indimail_kit.control.supervise import Service, ServiceStatus
from indimail_kit.errors import SuperviseError


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Remove an empty file; one with content is somebody's, and stays."""

    path: Path


@dataclass(frozen=True, slots=True)
class CreateFile:
    """Make an empty file that is not there yet."""

    path: Path


@dataclass(frozen=True, slots=True)
class WriteVariable:
    """Give a variable of an envdir another value.

    Attributes:
        directory: The envdir.
        name: The variable.
        octets: What its file shall be; None removes it.
        before: What its file is now; None without a file.
    """

    directory: Path
    name: str
    octets: bytes | None
    before: bytes | None


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell supervise something, and wait until it is so.

    Attributes:
        directory: The service directory.
        command: svc's letter.
        then: The state to wait for.
        rereads: Whether it is a part of a new start by which the service reads what was written before.
    """

    directory: Path
    command: Literal["u", "d", "c"]
    then: Literal["up", "down"]
    rereads: bool = False


Deed = RemoveFile | CreateFile | WriteVariable | Tell | QueueDeed
"""Everything that a step can do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan.

    Attributes:
        deed: What is done.
        command: The same as a person would type it.
        text: What it does, a sentence.
        cannot_undo: What of it nothing brings back, a sentence; "" when the step can be undone.
        changes: Whether it changes anything.
    """

    deed: Deed
    command: str
    text: str
    cannot_undo: str = ""
    changes: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall be done, in order.

    Attributes:
        title: What it is for, without a full stop.
        steps: The steps; none when everything is already so.
    """

    title: str
    steps: tuple[Step, ...]

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.steps)

    @property
    def text(self) -> str:
        """Return the plan for a person: the command of each step, what it does, what cannot be undone."""
        if not self.steps:
            return f"{self.title}: nothing to do, it is so already."
        lines = [f"{self.title}:"]
        for number, step in enumerate(self.steps, start=1):
            lines += [f"  {number}. {step.command}", f"     {step.text}"]
            if step.cannot_undo:
                lines.append(f"     Cannot be undone: {step.cannot_undo}")
        return "\n".join(lines)

    def undone(self) -> Plan:
        """Return the plan that takes this one back, last step first, but a new start after what it shall read.

        What nothing brings back is left out.
        """
        inverses = [inverse for step in reversed(self.steps) if (inverse := inverse_of(step.deed)) is not None]
        inverses.sort(key=lambda deed: isinstance(deed, Tell) and deed.rereads)
        return Plan(f"Undo: {self.title}", tuple(map(step_of, inverses)))


def join(title: str, plans: Iterable[Plan]) -> Plan:
    """Return the plans as one, in their order."""
    return Plan(title, tuple(step for plan in plans for step in plan.steps))


# --- services -------------------------------------------------------------------------------------------------------


def service_up(service: Service) -> Plan:
    """Return how a service comes up and stays so: ``rm down``, ``svc -u``, as in the seed text.

    Raises:
        SuperviseError: No supervise runs there, so nobody would start it.
    """
    status = _require_status(service)
    deeds: list[Deed] = [] if service.is_normally_up else [RemoveFile(service.directory / "down")]
    if status.is_paused:
        deeds.append(Tell(service.directory, "c", "up"))
    if not status.is_up or status.want != "up":
        deeds.append(Tell(service.directory, "u", "up"))
    return Plan(f"Bring {service.directory} up", tuple(map(step_of, deeds)))


def service_down(service: Service, *, for_good: bool = False) -> Plan:
    """Return how a service goes down: ``svc -d``.

    Args:
        service: The service.
        for_good: Make a file ``down``, so that it stays down when supervise starts again.

    Raises:
        SuperviseError: No supervise runs there, so nobody would stop it.
    """
    status = _require_status(service)
    deeds: list[Deed] = [CreateFile(service.directory / "down")] if for_good and service.is_normally_up else []
    if status.is_up or status.want != "down":
        deeds.append(Tell(service.directory, "d", "down"))
    return Plan(f"Take {service.directory} down", tuple(map(step_of, deeds)))


def variable(service: Service, name: str, octets: bytes | None, *, before: bytes | None, restarts: bool = True) -> Plan:
    """Return how a service gets another value of a variable: ``echo VALUE > variables/NAME``, ``svc -d``, ``svc -u``.

    Args:
        service: The service, with a directory ``variables``.
        name: The variable.
        octets: What its file shall be (`control.envdir.encode_value`); None removes it.
        before: What its file is now; None without a file.
        restarts: Stop and start a service that is up: it reads its variables when it starts.

    Raises:
        SuperviseError: It shall be started anew, and no supervise runs there.
    """
    deeds: list[Deed] = []
    if octets != before:
        deeds.append(WriteVariable(service.directory / "variables", name, octets, before))
        if restarts and _require_status(service).is_up:
            deeds += [Tell(service.directory, "d", "down", True), Tell(service.directory, "u", "up", True)]
    what = f"Set {name} of {service.directory}" if octets is not None else f"Remove {name} of {service.directory}"
    return Plan(what, tuple(map(step_of, deeds)))


def _require_status(service: Service) -> ServiceStatus:
    """Return what supervise says."""
    if service.status is None:
        raise SuperviseError("a supervise that runs, to start or stop the service", source=str(service.directory))
    return service.status


# --- words and inverses, one entry for each kind of deed -------------------------------------------------------------


def step_of(deed: Deed) -> Step:
    """Return a deed with its words."""
    if type(deed) in QUEUE_WORDS:
        return Step(deed, *QUEUE_WORDS[type(deed)](deed))
    return _WORDS[type(deed)](deed)


def inverse_of(deed: Deed) -> Deed | None:
    """Return the deed that takes another one back, None when nothing does."""
    inverse: Deed | None = (_INVERSES | QUEUE_INVERSES)[type(deed)](deed)
    return inverse


def _remove_words(deed: RemoveFile) -> Step:
    return Step(deed, f"rm {_quoted(deed.path)}", "From now on it comes up when supervise starts.")


def _create_words(deed: CreateFile) -> Step:
    return Step(deed, f"touch {_quoted(deed.path)}", "From now on it stays down when supervise starts.")


def _write_words(deed: WriteVariable) -> Step:
    path = _quoted(deed.directory / deed.name)
    was = f"now it is {_value_text(deed.before)}"
    if deed.octets is None:
        return Step(deed, f"rm {path}", f"{deed.name} is no longer set here; {was}.")
    return Step(deed, f"{_printing(deed.octets)} > {path}", f"{deed.name} becomes {_value_text(deed.octets)}; {was}.")


def _printing(octets: bytes) -> str:
    """Return the command that prints these octets: echo, where every shell's echo does; nothing for nothing."""
    text = octets.decode("utf-8", "surrogateescape")
    line = text.removesuffix("\n")
    if text.endswith("\n") and line.isprintable() and not line.startswith("-") and "\\" not in line:
        return f"echo {shlex.quote(line)}" if line else "echo"
    escaped = "".join(chr(octet) if chr(octet) in _PLAIN else f"\\{octet:03o}" for octet in octets)
    # A hyphen in front would be an option of printf.
    escaped = f"\\{ord('-'):03o}{escaped[1:]}" if escaped.startswith("-") else escaped
    return f"printf {shlex.quote(escaped)}" if octets else ":"


def _value_text(octets: bytes | None) -> str:
    """Return what the file of a variable means, for a person."""
    if octets is None:
        return "not set here"
    value = decode_value(octets)
    return "unset by an empty file" if value is None else repr(value)


_PLAIN: Final = frozenset(chr(code) for code in range(0x20, 0x7F)) - set("\\%")
"""What printf prints as it stands."""

_TOLD: Final = {
    "u": ("supervise starts it, and starts it again whenever it ends.", ""),
    "d": (
        "supervise sends it SIGTERM and does not start it again.",
        "what it is doing at this moment; its clients see the connection break.",
    ),
    "c": ("supervise sends it SIGCONT: it goes on.", ""),
}
"""svc's letter -> what happens, and what of it cannot be undone."""


def _tell_words(deed: Tell) -> Step:
    text, cannot_undo = _TOLD[deed.command]
    return Step(deed, f"svc -{deed.command} {_quoted(deed.directory)}", text, cannot_undo)


def _tell_inverse(deed: Tell) -> Tell:
    if deed.command == "d":
        return Tell(deed.directory, "u", "up", deed.rereads)
    return Tell(deed.directory, "d", "down", deed.rereads)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


_WORDS: Final[dict[type, Callable[[Any], Step]]] = {
    RemoveFile: _remove_words,
    CreateFile: _create_words,
    WriteVariable: _write_words,
    Tell: _tell_words,
}

_INVERSES: Final[dict[type, Callable[[Any], Deed | None]]] = {
    RemoveFile: lambda deed: CreateFile(deed.path),
    CreateFile: lambda deed: RemoveFile(deed.path),
    WriteVariable: lambda deed: WriteVariable(deed.directory, deed.name, deed.before, deed.octets),
    Tell: _tell_inverse,
}
