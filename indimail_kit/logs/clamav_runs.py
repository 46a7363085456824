"""The lines of freshclam and clamd, put together: one run of freshclam, one reload of clamd.

Source: ClamAV freshclam/freshclam.c; clamd/server-th.c (reload); the recorded logs `clamd/*.log`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from indimail_kit.logs.event import Event

_NS: Final = 10**9

RunOutcome = Literal["updated", "current", "failed", "open"]
"""How a run of freshclam ended: something became new, nothing had to, an error, or the log does not say."""

ReloadOutcome = Literal["loaded", "failed", "open"]
"""How a reload ended: new signatures, the old ones kept, or the log does not say."""

_SEPARATOR: Final = "freshclam_separator"
_RUN_STARTED: Final = "freshclam_started"
_UPDATED: Final = "freshclam_updated"
_CURRENT: Final = "freshclam_up_to_date"
_REQUESTS: Final = frozenset({"clamd_forced_reload", "clamd_reading"})
_SELF_CHECK: Final = "clamd_self_check"
_FORCING: Final = b"orcing reload"


@dataclass(frozen=True, slots=True)
class FreshclamRun:
    """One time that freshclam looked for new signatures.

    Attributes:
        run_number: Counted from 1 in the order of the log.
        start_unix_ns: Its first line (unit: ns since 1970), or None.
        end_unix_ns: Its last line, or None.
        outcome: How it ended.
        updated: Files that became new.
        error_count: Lines that tell an error.
        warning_count: Lines that tell a warning.
        last_error: The last error's text, or b"".
        is_clamd_notified: Whether clamd was told.
    """

    run_number: int
    start_unix_ns: int | None
    end_unix_ns: int | None
    outcome: RunOutcome
    updated: tuple[str, ...] = ()
    error_count: int = 0
    warning_count: int = 0
    last_error: bytes = b""
    is_clamd_notified: bool = False

    @property
    def is_success(self) -> bool:
        """Say whether the database was current at its end."""
        return self.outcome in ("updated", "current")

    @property
    def updated_files(self) -> str:
        """Return the files that became new, with blanks between."""
        return " ".join(self.updated)


@dataclass(frozen=True, slots=True)
class Reload:
    """One time that clamd read its signatures anew while it ran.

    Attributes:
        reload_number: Counted from 1 in the order of the log.
        start_unix_ns: "forcing reload" or "Reading databases" (unit: ns since 1970), or None.
        end_unix_ns: The line that told the end, or None.
        outcome: How it ended.
        signature_count: Signatures that it has now, or None.
    """

    reload_number: int
    start_unix_ns: int | None
    end_unix_ns: int | None
    outcome: ReloadOutcome
    signature_count: int | None = None

    @property
    def seconds(self) -> float | None:
        """Return how long it took (unit: s), None where a time is missing."""
        if self.start_unix_ns is None or self.end_unix_ns is None:
            return None
        return (self.end_unix_ns - self.start_unix_ns) / _NS


def _name(event: Event) -> str:
    return event.form.name if event.form else ""


def freshclam_runs(events: Iterable[Event]) -> tuple[FreshclamRun, ...]:
    """Return freshclam's runs, oldest first; a log that begins in the middle of one begins with it."""
    runs: list[list[Event]] = []
    owners: dict[str, str | None] = {}
    for event in events:
        # "ERROR: …" does not say whose it is: it belongs to the program that wrote the line before it in its file.
        if event.program in ("clamd", "freshclam"):
            owners[event.file] = event.program
        if event.program not in ("freshclam", "clamav") or owners.get(event.file, "freshclam") != "freshclam":
            continue
        name = _name(event)
        has_begun = bool(runs) and any(_name(one) == _RUN_STARTED for one in runs[-1])
        if not runs or name == _SEPARATOR or (name == _RUN_STARTED and has_begun):
            runs.append([])
        runs[-1].append(event)
    whole = (lines for lines in runs if any(_name(line) != _SEPARATOR for line in lines))
    return tuple(_run(number, lines) for number, lines in enumerate(whole, start=1))


def _run(number: int, lines: list[Event]) -> FreshclamRun:
    times = [line.unix_ns for line in lines if line.unix_ns is not None]
    updated = [line.octets("database") for line in lines if line.kind == _UPDATED]
    errors = [line for line in lines if line.severity == "error"]
    is_current = any(line.kind == _CURRENT for line in lines)
    outcome: RunOutcome = "failed" if errors else "updated" if updated else "current" if is_current else "open"
    return FreshclamRun(
        number,
        times[0] if times else None,
        times[-1] if times else None,
        outcome,
        tuple(dict.fromkeys(name.decode("ascii") for name in updated if name is not None)),
        len(errors),
        sum(line.severity == "warning" for line in lines),
        errors[-1].text if errors else b"",
        any(_name(line) == "freshclam_notified" for line in lines),
    )


def _is_request(event: Event) -> bool:
    return _name(event) in _REQUESTS or (_name(event) == _SELF_CHECK and _FORCING in event.text)


def reloads_of(events: Iterable[Event]) -> tuple[Reload, ...]:
    """Return clamd's reloads, oldest first; the first reading after a start is none."""
    reloads: list[Reload] = []
    begun: Event | None = None
    for event in events:
        if event.kind == "clamd_reload_failed" or _name(event) == "clamd_reloaded":
            if begun is None and event.kind == "clamd_reload_failed":
                continue  # the second line of one failure
            outcome: ReloadOutcome = "failed" if event.kind == "clamd_reload_failed" else "loaded"
            start_ns = begun.unix_ns if begun is not None else None
            reloads.append(Reload(len(reloads) + 1, start_ns, event.unix_ns, outcome, event.number("signature_count")))
            begun = None
        elif event.kind == "clamd_started" or _name(event) == "clamd_loaded":
            begun = None
        elif begun is None and _is_request(event):
            begun = event
    if begun is not None:
        reloads.append(Reload(len(reloads) + 1, begun.unix_ns, None, "open"))
    return tuple(reloads)
