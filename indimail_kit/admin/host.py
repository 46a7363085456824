"""Examine a host: what is configured, what runs, what is wrong, and what to look at next. Nothing changes by it.

Source: the modules ``host_…``, one for each part of a host.

Rule 1: what cannot be looked at is said; it is never taken for "nothing is wrong".
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.admin.host_clamd import find_confs, look_at_clamd
from indimail_kit.admin.host_control import Controls, look_at_control
from indimail_kit.admin.host_findings import Fact, Finding, Fine, Told, Urgency
from indimail_kit.admin.host_listeners import told_of_listeners, told_of_routes
from indimail_kit.admin.host_logs import LogLook, find_logs, look_at_log, told_of_silence
from indimail_kit.admin.host_places import SERVICE, HostPlaces, places_of_host
from indimail_kit.admin.host_queue import LIFETIME_S, tell_of_queues
from indimail_kit.admin.host_services import ServiceLook, log_directory, look_at_services
from indimail_kit.counting import counted
from indimail_kit.visible import visible
from indimail_kit.wiring import html_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_ORDER: Final = list(Urgency)
_AREAS: Final = ("services", "clamd", "control", "queue", "logs")
"""Causes stand above what comes of them, and that above what the logs say of it."""


@dataclass(frozen=True, slots=True)
class HostReport:
    """What was found on a host.

    Attributes:
        places: Where it was looked.
        findings: What is wrong, the most urgent first.
        facts: What is configured and what runs.
        fine: What was looked at and is as it should be.
    """

    places: HostPlaces
    findings: tuple[Finding, ...]
    facts: tuple[Fact, ...] = field(repr=False)
    fine: tuple[Fine, ...] = field(repr=False)

    def __repr__(self) -> str:
        """Return how much of each urgency there is."""
        counts = [f"{len(self.of(one))} {one.name.lower()}" for one in Urgency if self.of(one)]
        return f"<HostReport: {', '.join(counts) or 'nothing wrong'}, {counted(len(self.fine), 'thing')} fine>"

    def _repr_html_(self) -> str:
        return html_of(self)

    @property
    def is_fine(self) -> bool:
        """Say whether nothing is wrong; what could not be looked at is not fine, a note is."""
        return not any(one.urgency is not Urgency.NOTE for one in self.findings)

    @property
    def is_seen(self) -> bool:
        """Say whether everything could be looked at."""
        return not self.of(Urgency.UNKNOWN)

    def of(self, urgency: Urgency) -> tuple[Finding, ...]:
        """Return the findings of an urgency."""
        return tuple(one for one in self.findings if one.urgency is urgency)

    def as_document(self) -> dict[str, Any]:
        """Return it for ``--json``.

        Keys: ok; findings (urgency now, soon, unknown or note; key, area, subject, text, why, look: command lines,
        lesson: the notebook), the most urgent first; configured and running (area, name, text); fine (area, text).
        """
        return {
            "ok": self.is_fine,
            "findings": [
                {
                    "urgency": one.urgency.name.lower(),
                    "key": one.key,
                    "area": one.area,
                    "subject": one.subject,
                    "text": one.text,
                    "why": one.why,
                    "look": list(one.look),
                    "lesson": one.lesson,
                }
                for one in self.findings
            ],
            "configured": [_row(one) for one in self.facts if one.side == "configured"],
            "running": [_row(one) for one in self.facts if one.side == "running"],
            "fine": [{"area": one.area, "text": one.text} for one in self.fine],
        }

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """Return it for a person: what kind of line, and the line, with hidden characters written out.

        Findings come first, then what is fine in one line, then the facts. The kinds are the urgencies' names in lower
        case, why, look, lesson, fine, side and fact.
        """
        lines: list[tuple[str, str]] = []
        for one in self.findings:
            word = one.urgency.name.lower()
            lines += [(word, f"{SIGNS[one.urgency]} {word}: {one.text}"), ("why", f"  {one.why}")]
            lines += [("look", f"  → {command}") for command in one.look]
            lines.append(("lesson", f"  lesson {one.lesson}"))
        if self.fine:
            lines.append(("fine", f"✓ fine: {'; '.join(one.text for one in self.fine)}"))
        for side in ("configured", "running"):
            facts = [("fact", f"  {one.name}: {one.text}") for one in self.facts if one.side == side]
            lines += [("side", side), *facts] if facts else []
        return tuple((kind, visible(text)) for kind, text in lines)

    @property
    def text(self) -> str:
        """Return the lines for a person."""
        return "\n".join(text for _, text in self.lines)


SIGNS: Final = {Urgency.NOW: "✕", Urgency.SOON: "!", Urgency.UNKNOWN: "?", Urgency.NOTE: "·"}
"""Urgency -> the sign that stands beside its word."""


def _row(one: Fact) -> dict[str, str]:
    return {"area": one.area, "name": one.name, "text": one.text}


def examine_host(
    places: HostPlaces | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    now_ns: int | None = None,
    proc: Path = Path("/proc"),
) -> HostReport:
    """Look at a host, or at a lab, which looks like one.

    Args:
        places: Where to look; those of IndiMail on this host that exist if not given.
        environ: QUEUEDIR, QUEUE_BASE and CONTROLDIR are read for that; this process's own if not given.
        now_ns: Time (unit: ns since 1970); the clock's if not given.
        proc: Where the process information is mounted.

    Example::

        report = examine_host(places_of_lab(lab.directory))
        print(report.text)
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    places = places_of_host(os.environ if environ is None else environ) if places is None else places
    told: list[Told] = []
    controls: Controls | None = None
    if places.control is not None:
        controls, some = look_at_control(places.control, service=places.services or SERVICE)
        told += some
    numbers = {} if controls is None else controls.numbers
    services: list[ServiceLook] = []
    if places.services is not None:
        services, some = look_at_services(
            places.services, now_ns=now_ns, queue=places.queue, has_supervise=places.has_supervise
        )
        told += some
        if places.has_supervise:
            told += told_of_listeners(services, proc=proc)
    if controls is not None:
        told += told_of_routes(controls.lines.get("smtproutes", ()), services, proc=proc)
    for conf in find_confs(services, places.clamd):
        told += look_at_clamd(
            conf, now_ns=now_ns, databytes=numbers.get("databytes", 0), service=_clamd_service(services)
        )
    logs = _logs(places, services, now_ns, told)
    if places.queue is not None:
        lifetime_s = numbers.get("queuelifetime", LIFETIME_S)
        births: list[int] = []
        told += tell_of_queues(
            places.queue,
            now_ns=now_ns,
            lifetime_s=lifetime_s,
            proc=proc,
            logs={one.directory: one.log for one in logs if one.log is not None},
            service=places.services or SERVICE,
            births_ns=births,
            split=places.split,
        )
        told += told_of_silence(logs, max(births, default=None))
    findings = sorted((one for one in told if isinstance(one, Finding)), key=_rank)
    return HostReport(
        places,
        tuple(dict.fromkeys(findings)),
        tuple(one for one in told if isinstance(one, Fact)),
        tuple(one for one in told if isinstance(one, Fine)),
    )


def _rank(finding: Finding) -> tuple[int, int]:
    """Return the place of a finding: by urgency, then by area."""
    return _ORDER.index(finding.urgency), _AREAS.index(finding.area)


def _clamd_service(services: Iterable[ServiceLook]) -> Path:
    """Return the directory of the service clamd: the one that is here, else where it usually is."""
    return next((one.directory for one in services if one.name == "clamd"), SERVICE / "clamd")


def _logs(places: HostPlaces, services: Iterable[ServiceLook], now_ns: int, told: list[Told]) -> list[LogLook]:
    """Look at the logs of the places, and at those that the services' log scripts name."""
    named = [path for one in services if (path := log_directory(one)) is not None]
    directories, some = find_logs(places.logs)
    told += some
    looks = []
    for directory in dict.fromkeys([*directories, *named]):
        look, some = look_at_log(directory, now_ns=now_ns, queue=places.queue)
        looks.append(look)
        told += some
    return looks
