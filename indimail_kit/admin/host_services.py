"""Look at the services of a host: does each run, and what do its variables say about scanning, relaying and room.

Source: svstat(8), supervise(8), envdir(8), qmail-queue(8), qmail-multi(8).

Rule 1: nobody is told anything; see `control.supervise` for what reading a service means.
Rule 2: values of variables are not shown, but for those of QHPSI, which hold no secrets.
"""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indimail_kit.admin.host_findings import Fact, Finding, Fine, Told, span_text
from indimail_kit.admin.host_scanning import argv_of, told_of_scanning
from indimail_kit.control.envdir import read_envdir
from indimail_kit.control.files import read_beginning
from indimail_kit.control.supervise import Service, read_service
from indimail_kit.errors import EnvdirError, QueueError, SuperviseError
from indimail_kit.mailqueue.multi import check_free_space

MAX_SERVICES: Final = 500
"""Services that are looked at (unit: services); a directory with more is none of services."""

MAX_RUN_BYTES: Final = 1 << 16
"""Octets of a run script that are read (unit: octets)."""

_DENIED: Final = os.strerror(errno.EACCES)
_NS: Final = 10**9


@dataclass(slots=True)
class ServiceLook:
    """One service directory, as far as it could be looked at.

    Attributes:
        directory: The directory.
        environment: What its variables set; empty without any.
        has_variables: Whether it has a directory ``variables`` that could be read.
        argv: What QHPSI hands to qhpsi, file name included; empty without QHPSI.
        run_words: The words of its run script and of its log's; to find clamd's configuration and the log.
        is_up: Whether it runs; False where nobody knows.
    """

    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    has_variables: bool = False
    argv: tuple[str, ...] = ()
    run_words: tuple[str, ...] = ()
    is_up: bool = False

    @property
    def name(self) -> str:
        """Return its name."""
        return self.directory.name


def look_at_services(
    directory: Path, *, now_ns: int, queue: Path | None, has_supervise: bool = True
) -> tuple[list[ServiceLook], list[Told]]:
    """Return the services of a directory, and what is to be told of them.

    Args:
        directory: Where svscan looks: /service.
        now_ns: Time (unit: ns since 1970).
        queue: Where the mail is, to compare its room with MIN_FREE; None to leave that out.
        has_supervise: Whether a directory without a supervise is a fault.
    """
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        look = (f"ls -la {shlex.quote(str(directory))}",)
        return [], [Finding("no-services", "services", str(directory), f"{directory}: {error.strerror}", look)]
    looks: list[ServiceLook] = []
    told: list[Told] = []
    if len(names) > MAX_SERVICES:
        text = f"{directory} holds {len(names):,} entries; only the first {MAX_SERVICES} were looked at"
        told.append(Finding("no-services", "services", str(directory), text))
    for name in names[:MAX_SERVICES]:
        path = directory / name
        if not os.path.isdir(path):  # noqa: PTH112 - a loop of links is no directory, and no error
            if os.path.islink(path):  # noqa: PTH114
                text = f"{path} is a link that leads to no directory"
                told.append(
                    Finding("service-unreadable", "services", name, text, (f"ls -la {shlex.quote(str(path))}",))
                )
            continue
        one = ServiceLook(path, run_words=(*_words(path / "run"), *_words(path / "log" / "run")))
        looks.append(one)
        told += _state(one, now_ns=now_ns, has_supervise=has_supervise)
        told += _variables(one, queue)
    told.append(
        Fact("configured", "services", "services", f"{directory}: {', '.join(one.name for one in looks) or 'none'}")
    )
    if not any(isinstance(one, Finding) for one in told):
        told.append(Fine("services", f"{len(looks)} service{'' if len(looks) == 1 else 's'}"))
    return looks, told


# --- does it run ----------------------------------------------------------------------------------------------------


def _state(look_at: ServiceLook, *, now_ns: int, has_supervise: bool) -> Iterator[Told]:
    """Tell whether a service and its log run."""
    path = look_at.directory
    for directory in (path, path / "log"):
        is_log = directory.name == "log" and directory != path
        if is_log and not os.path.isdir(directory):  # noqa: PTH112
            continue
        if not has_supervise and not os.path.lexists(directory / "supervise"):
            continue  # in a lab: played by the lab itself
        look = (f"indimail-kit service status {shlex.quote(str(directory))}",)
        try:
            service = read_service(directory)
        except SuperviseError as error:
            key = "service-unreadable" if _DENIED in error.expected else "service-unsupervised"
            yield Finding(key, "services", directory.name, f"{directory}: expected {error.expected}", look)
            continue
        look_at.is_up = look_at.is_up or (not is_log and bool(service.is_up))
        yield from _judge(service, look, now_ns)


def _judge(service: Service, look: tuple[str, ...], now_ns: int) -> Iterator[Told]:
    """Tell what a service does, and whether that is what it should."""
    status = service.status
    if status is None:
        text = f"{service.name}: no supervise runs in {service.directory}"
        yield Finding("service-unsupervised", "services", service.name, text, look)
        return
    lasting = span_text(status.elapsed_ns(now_ns) / _NS)
    pid = f", pid {status.service_pid}" if status.service_pid else ""
    yield Fact("running", "services", service.name, f"{service.state} for {lasting}{pid}")
    directory = shlex.quote(str(service.directory))
    if not service.is_as_it_should_be or not status.is_up:
        remarks = "; ".join(service.remarks)
        text = f"{service.name} is {service.state} for {lasting}" + (f" ({remarks})" if remarks else "")
        plan = f"indimail-kit service up {directory}"
        is_on_purpose = service.is_as_it_should_be
        key = "service-down-on-purpose" if is_on_purpose else "service-down"
        yield Finding(key, "services", service.name, text, (plan, *look))
    elif not service.is_normally_up:
        text = f"{service.name} is up, and has a file down"
        yield Finding("service-not-kept", "services", service.name, text, (f"rm {directory}/down",))


# --- what it is told ------------------------------------------------------------------------------------------------


def _variables(look: ServiceLook, queue: Path | None) -> Iterator[Told]:
    """Tell what the variables of a service say."""
    directory = look.directory / "variables"
    if not os.path.lexists(directory):
        return
    try:
        result = read_envdir(directory)
    except EnvdirError as error:
        key = "variables-unreadable" if _DENIED in error.expected else "variables-refused"
        where = f"{error.source}: " if error.source else ""
        text = f"{where}expected {error.expected}"
        yield Finding(key, "services", look.name, text, (f"ls -la {shlex.quote(str(directory))}",))
        return
    look.environment = result.environment
    look.has_variables = True
    yield from _scanning(look)
    is_smtpd = "smtpd" in look.name
    if is_smtpd and "RELAYCLIENT" in look.environment:
        text = f"{directory}/RELAYCLIENT is set for every client of {look.name}"
        yield Finding(
            "open-relay", "services", look.name, text, (f"indimail-kit service set {look.directory} RELAYCLIENT",)
        )
    if queue is not None:
        yield from _base(look, queue)
        yield from _room(look, queue)


def _scanning(look: ServiceLook) -> Iterator[Told]:
    """Tell what QHPSI and its fellows do."""
    if "QHPSI" not in look.environment:
        if "smtpd" in look.name:
            yield Fact("configured", "services", look.name, "no QHPSI: mail is not scanned, unless tcp.smtp sets it")
        return
    look.argv = argv_of(look.environment)
    yield Fact("configured", "services", look.name, f"QHPSI={look.environment['QHPSI']}")
    variables = shlex.quote(str(look.directory / "variables"))
    commands = (f"cat {variables}/QHPSI", f"indimail-kit qhpsi explain --look --envdir {variables}")
    yield from told_of_scanning(look.environment, area="services", subject=look.name, look=commands)


def _base(look: ServiceLook, queue: Path) -> Iterator[Told]:
    """Tell of a service that queues somewhere else than where it was looked."""
    base = look.environment.get("QUEUE_BASE", "")
    if not base or "smtpd" not in look.name:
        return
    places = {os.path.realpath(queue), os.path.dirname(os.path.realpath(queue))}  # noqa: PTH120 - the base of a queue
    if os.path.realpath(base) not in places:
        text = f"{look.name} queues into {base}, and {queue} was looked at"
        yield Finding("other-base", "services", look.name, text, (f"indimail-kit doctor --queue {shlex.quote(base)}",))


def _room(look: ServiceLook, queue: Path) -> Iterator[Told]:
    """Tell when qmail-multi finds less room than MIN_FREE."""
    try:
        check_free_space(queue, look.environment)
    except QueueError as error:
        text = f"{look.name}: {error} ({look.environment['MIN_FREE']} octets) at {queue}"
        commands = (f"df -h {shlex.quote(str(queue))}", f"cat {shlex.quote(str(look.directory))}/variables/MIN_FREE")
        yield Finding("disk-full", "services", look.name, text, commands)


# --- run scripts ----------------------------------------------------------------------------------------------------


def _words(path: Path) -> tuple[str, ...]:
    """Return the words of a run script; none of one that cannot be read, or that is no script."""
    try:
        octets = read_beginning(path, MAX_RUN_BYTES)
        text = octets.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    words: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        try:
            words += shlex.split(line, comments=True)
        except ValueError:  # a quote that goes on in the next line
            words += line.split()
    return tuple(words)


def log_directory(look: ServiceLook) -> Path | None:
    """Return where the log script of a service lets multilog write, None where it does not say it in plain words."""
    words = list(look.run_words)
    for at, word in enumerate(words):
        if word.rpartition("/")[2] != "multilog":
            continue
        for argument in words[at + 1 :]:
            if argument.startswith("/") and "$" not in argument:
                return Path(argument)
    return None
