"""Is the scanner fit? What the logs of clamd and freshclam say of database, reloads, updates and scans.

Source: ClamAV freshclam/freshclam.c, clamd/server-th.c; the seed's logs of 2010; the recorded logs `clamd/*.log`.

Note for maintainers: ClamAV's own log files stamp the local time of day and name no zone; multilog's labels are UTC.
Which zone is meant nobody can read from the log: the caller says it, and the answer repeats it. In the hour that a
clock set back has twice, the first is meant.

Rule 1: what the log does not say is None, never 0: no freshclam line is not "no failures".
Rule 2: a line is counted as often as it holds entries: "Download failed" glues a second one on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any, Final

from indimail_kit.logs.clamav_runs import FreshclamRun, Reload, freshclam_runs, reloads_of
from indimail_kit.logs.event import UNKNOWN, Event
from indimail_kit.visible import visible
from indimail_kit.wiring import provider

_NS: Final = 10**9
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

SILENCE_S: Final = 24 * 3600.0
"""Longest time without a success of freshclam that is no gap (unit: s); freshclam looks 12 or 24 times a day."""

SCANS: Final = {"clamd_scan_ok": "CLEAN", "clamd_scan_found": "INFECTED", "clamd_scan_error": "ERROR"}
"""Kind of event -> verdict. Clean scans are logged with LogClean only."""

_PROGRAMS: Final = ("clamd", "freshclam", "clamav")
_COUNTS: Final = frozenset({"clamd_loaded", "clamd_reloaded", "freshclam_total"})
_DATABASES: Final = frozenset({"freshclam_updated", "freshclam_up_to_date"})


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without any success of freshclam.

    Attributes:
        start_unix_ns: The success before it, or freshclam's first line (unit: ns since 1970).
        end_unix_ns: The success after it, or the moment of the question.
        is_open: Whether it goes on at the moment of the question.
    """

    start_unix_ns: int
    end_unix_ns: int
    is_open: bool

    @property
    def seconds(self) -> float:
        """Return how long it is (unit: s)."""
        return (self.end_unix_ns - self.start_unix_ns) / _NS


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """One file of the database, as freshclam saw it last.

    Attributes:
        name: The file: "daily.cld".
        version: Its version: "10574", "custom database".
        signature_count: Its signatures, or None where freshclam does not say.
        changed_unix_ns: When it became new (unit: ns since 1970); None = not within these logs.
        seen_unix_ns: When freshclam spoke of it last.
    """

    name: str
    version: str
    signature_count: int | None
    changed_unix_ns: int | None
    seen_unix_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClamavHealth:
    """What the logs say, at one moment.

    Attributes:
        at_unix_ns: The moment (unit: ns since 1970); None where no line has a time.
        zone: Zone in which times without one were read.
        zoneless_count: Lines with such a time.
        line_count: Lines of clamd and freshclam, and unknown ones.
        unknown_count: Lines that no form fits.
        databases: Each file of the database, in the order in which freshclam spoke of it first.
        signature_count: What clamd or freshclam counted last, or None.
        last_success_unix_ns: End of freshclam's last run without a failure, or None.
        last_change_unix_ns: When a database became new last, or None.
        runs: freshclam's runs, oldest first.
        reloads: clamd's reloads, oldest first.
        gaps: Times without a success of freshclam that are longer than the limit.
        error_count: Errors of both programs, glued entries too.
        warning_count: Warnings of both.
        scans: Verdict -> scans in the log.
    """

    at_unix_ns: int | None
    zone: str
    zoneless_count: int
    line_count: int
    unknown_count: int
    databases: tuple[DatabaseState, ...]
    signature_count: int | None
    last_success_unix_ns: int | None
    last_change_unix_ns: int | None
    runs: tuple[FreshclamRun, ...] = field(repr=False)
    reloads: tuple[Reload, ...] = field(repr=False)
    gaps: tuple[Gap, ...]
    error_count: int
    warning_count: int
    scans: Mapping[str, int]

    @property
    def database_age_s(self) -> float | None:
        """Return the time since a database became new (unit: s), None where the logs do not show it."""
        return self._since(self.last_change_unix_ns)

    @property
    def success_age_s(self) -> float | None:
        """Return the time since freshclam's last success (unit: s), None without one."""
        return self._since(self.last_success_unix_ns)

    @property
    def failed_in_a_row(self) -> int:
        """Return how many of freshclam's last runs failed one after the other."""
        count = 0
        for run in reversed(self.runs):
            if run.outcome != "failed":
                break
            count += 1
        return count

    @property
    def longest_reload_s(self) -> float | None:
        """Return the longest time from a reload's first line to its end (unit: s), None without a whole one."""
        return max((one.seconds for one in self.reloads if one.seconds is not None), default=None)

    @property
    def runs_frame(self) -> Any:
        """Return freshclam's runs as a DataFrame."""
        return provider("freshclam_runs_frame")(self.runs)

    @property
    def reloads_frame(self) -> Any:
        """Return clamd's reloads as a DataFrame."""
        return provider("clamd_reloads_frame")(self.reloads)

    def _since(self, unix_ns: int | None) -> float | None:
        return None if unix_ns is None or self.at_unix_ns is None else (self.at_unix_ns - unix_ns) / _NS

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """Return question and answer, for a person."""
        failed = sum(run.outcome == "failed" for run in self.runs)
        kept = sum(one.outcome == "failed" for one in self.reloads)
        zoneless = f"; {self.zoneless_count:,} of {self.line_count:,} lines name no zone and were read as {self.zone}"
        return (
            ("asked about", _time(self.at_unix_ns) + (zoneless if self.zoneless_count else "")),
            ("database", ", ".join(_database(one) for one in self.databases) or "freshclam names none"),
            ("signatures", "not in these logs" if self.signature_count is None else f"{self.signature_count:,}"),
            ("database became new", _ago(self.last_change_unix_ns, self.database_age_s)),
            ("freshclam's last success", _ago(self.last_success_unix_ns, self.success_age_s)),
            ("freshclam's runs", f"{len(self.runs)}, {failed} failed, the last {self.failed_in_a_row} in a row"
             if self.runs else "none in these logs"),
            ("without a success", "; ".join(_gap(one) for one in self.gaps) or "no gap"),
            ("clamd's reloads", f"{len(self.reloads)}, {kept} failed, the longest {_seconds(self.longest_reload_s)}"
             if self.reloads else "none in these logs"),
            ("errors and warnings", f"{self.error_count:,} and {self.warning_count:,}"),
            ("scans", ", ".join(f"{count:,} {verdict}" for verdict, count in self.scans.items()) or "none logged"),
            ("lines not understood", f"{self.unknown_count:,} of {self.line_count:,}"),
        )  # fmt: skip

    def __repr__(self) -> str:
        """Return the answers as a table for a terminal."""
        width = max(len(question) for question, _ in self.rows)
        return "\n".join(visible(f"{question:{width}}  {answer}") for question, answer in self.rows)

    def _repr_html_(self) -> str:
        return str(provider("grid_html")("Is the scanner fit?", ("question", "answer"), self.rows))


def _time(unix_ns: int | None) -> str:
    if unix_ns is None:
        return "no time in these logs"
    return (_EPOCH + timedelta(microseconds=unix_ns // 1000)).strftime("%Y-%m-%d %H:%M:%S UTC")


def _seconds(seconds: float | None) -> str:
    """Return a time span in its handiest unit."""
    if seconds is None:
        return "unknown"
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _ago(unix_ns: int | None, age_s: float | None) -> str:
    return "not in these logs" if unix_ns is None else f"{_time(unix_ns)}, {_seconds(age_s)} before"


def _gap(gap: Gap) -> str:
    return f"{_seconds(gap.seconds)} from {_time(gap.start_unix_ns)}" + (", going on" if gap.is_open else "")


def _database(one: DatabaseState) -> str:
    count = "" if one.signature_count is None else f" ({one.signature_count:,} signatures)"
    return f"{one.name} version {one.version}{count}"


def _zoned(event: Event, zone: tzinfo | None) -> Event:
    """Return an event whose time, read as UTC, was the time of day in a zone."""
    if zone is None or event.unix_ns is None or event.label_kind != "clamav":
        return event
    seconds, rest = divmod(event.unix_ns, _NS)
    local = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=zone)
    unix_s = (local.astimezone(UTC) - _EPOCH) // timedelta(seconds=1)
    return Event(
        line=event.line, text_start=event.text_start, form=event.form, fields=event.fields,
        label_kind=event.label_kind, unix_ns=unix_s * _NS + rest, file=event.file, line_number=event.line_number,
        byte_offset=event.byte_offset, line_bytes=event.line_bytes, is_whole=event.is_whole, run=event.run,
    )  # fmt: skip


def clamav_health(
    events: Iterable[Event], *, at_unix_ns: int | None = None, zone: tzinfo | None = None, silence_s: float = SILENCE_S
) -> ClamavHealth:
    """Say what the logs of clamd and freshclam show.

    Args:
        events: The lines of one or both, each program's in the order of its log, as `logs.read` gives them.
        at_unix_ns: The moment of the question (unit: ns since 1970); None = the last time in the logs.
        zone: Zone of times that name none; None = UTC, or what `logs.read` was told. Do not give both.
        silence_s: Time without a success of freshclam that counts as a gap (unit: s).

    Example:
        >>> from indimail_kit.logs.engine import read_events
        >>> clamav_health(read_events(b"Database correctly reloaded (728651 signatures)")).signature_count
        728651
    """
    ours = [_zoned(event, zone) for event in events if event.kind == UNKNOWN or event.program in _PROGRAMS]
    times = [event.unix_ns for event in ours if event.unix_ns is not None]
    at_ns = max(times, default=None) if at_unix_ns is None else at_unix_ns
    runs = freshclam_runs(ours)
    databases = _databases(ours)
    changed = [one.changed_unix_ns for one in databases if one.changed_unix_ns is not None]
    successes = [
        run.end_unix_ns for run in runs if run.outcome in ("updated", "current") and run.end_unix_ns is not None
    ]
    counts = [event.number("signature_count") for event in ours if event.form and event.form.name in _COUNTS]
    said = Counter(severity for event in ours for severity in severities(event))
    scans = Counter(SCANS[event.kind] for event in ours if event.kind in SCANS)
    return ClamavHealth(
        at_unix_ns=at_ns,
        zone="UTC" if zone is None else str(zone),
        zoneless_count=sum(event.label_kind == "clamav" for event in ours),
        line_count=len(ours),
        unknown_count=sum(event.kind == UNKNOWN for event in ours),
        databases=databases,
        signature_count=counts[-1] if counts else None,
        last_success_unix_ns=max(successes, default=None),
        last_change_unix_ns=max(changed, default=None),
        runs=runs,
        reloads=reloads_of(ours),
        gaps=_gaps(runs, successes, at_ns, silence_s),
        error_count=said["error"],
        warning_count=said["warning"],
        scans={verdict: scans[verdict] for verdict in SCANS.values() if scans[verdict]},
    )


_GLUED: Final = re.compile(rb" [A-Z][a-z]{2} [A-Z][a-z]{2} +[0-9]{1,2} [0-9:]{8} [0-9]{4} -> (ERROR|WARNING): ")
_GLUED_SEVERITY: Final = {b"ERROR": "error", b"WARNING": "warning"}


def severities(event: Event) -> tuple[str, ...]:
    """Return how bad each entry of a line is; freshclam glues a second entry behind "Download failed"."""
    if event.severity is None:
        return ()
    if event.kind != "clamav_error":
        return (event.severity,)
    return (event.severity, *(_GLUED_SEVERITY[word] for word in _GLUED.findall(event.text)))


def _databases(events: Sequence[Event]) -> tuple[DatabaseState, ...]:
    """Return what freshclam said last of each file of the database."""
    states: dict[str, DatabaseState] = {}
    for event in events:
        name, version = event.octets("database"), event.octets("database_version")
        if event.kind not in _DATABASES or name is None or version is None:
            continue
        key = name.decode("ascii")
        before = states.get(key)
        count = event.number("signature_count")
        same = before is not None and before.version == version.decode("ascii", "backslashreplace")
        states[key] = DatabaseState(
            key,
            version.decode("ascii", "backslashreplace"),
            before.signature_count if before and same and count is None else count,
            event.unix_ns if event.kind == "freshclam_updated" else before.changed_unix_ns if before else None,
            event.unix_ns,
        )
    return tuple(states.values())


def _gaps(
    runs: Sequence[FreshclamRun], successes: Sequence[int], at_ns: int | None, silence_s: float
) -> tuple[Gap, ...]:
    """Return the times between successes that are longer than the limit, the one until now included."""
    begins = [run.start_unix_ns for run in runs if run.start_unix_ns is not None]
    if at_ns is None or not begins:
        return ()
    marks = sorted((begins[0], *(one for one in successes if one <= at_ns)))
    gaps = [Gap(one, other, is_open=False) for one, other in pairwise(marks)]
    gaps.append(Gap(marks[-1], at_ns, is_open=True))
    return tuple(gap for gap in gaps if gap.seconds > silence_s)
