"""How ages, sizes, times, modes and owners of queue files are written. Pure, without Jupyter.

Source: LOOK, "Calm": units with every number, times in UTC with the local time on hover.
"""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from typing import Final

from indimail_kit.widgets.html import Html, tag

_STEPS: Final = ((86_400, "d", 3600, "h", 10), (3600, "h", 60, "min", 24), (60, "min", 1, "s", 10))
"""From this age on (unit: s): its unit, the finer one beside it, and from how many on the finer one does not matter."""

STATE_MARKS: Final = {"S1": "○", "S2": "◔", "S3": "◑", "S4": "◕", "S5": "●", "": "?"}
"""State -> its mark: a moon that grows with what is there; a question mark for files that prove no state."""


def count_text(count: int, noun: str) -> str:
    """Return a number with its noun: "1 message", "2 messages"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def age_text(age_s: float) -> str:
    """Return an age with its units, the two largest that matter: "2 d 3 h"; what lies ahead is said so."""
    if age_s < 0:
        return f"in {age_text(-age_s)}"
    whole = int(age_s)
    for unit_s, unit, finer_s, finer, enough in _STEPS:
        if whole >= unit_s:
            rest = whole % unit_s // finer_s
            return f"{whole // unit_s} {unit}" + (f" {rest} {finer}" if rest and whole < enough * unit_s else "")
    return f"{whole} s"


def size_text(size_bytes: int) -> str:
    """Return a size with its unit."""
    if size_bytes < 10_000:
        return f"{size_bytes:,} B"
    return f"{size_bytes / 1024:,.0f} KiB" if size_bytes < 10_000 * 1024 else f"{size_bytes / 1024**2:,.0f} MiB"


def moment(unix_ns: int) -> datetime | None:
    """Return a time in UTC to the second, None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(unix_ns // 10**9, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def moment_text(unix_ns: int) -> str:
    """Return date and time of day in UTC."""
    when = moment(unix_ns)
    return f"{unix_ns // 10**9} s" if when is None else when.isoformat(" ").removesuffix("+00:00")


def local_text(unix_ns: int) -> str:
    """Return a time in UTC and here, for a hover."""
    when = moment(unix_ns)
    if when is None:
        return "a time that no calendar has, in seconds since 1970"
    try:
        here = when.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    except (ValueError, OverflowError):
        return f"{moment_text(unix_ns)} UTC"
    return f"{moment_text(unix_ns)} UTC, here {here}"


def moment_html(unix_ns: int) -> Html:
    """Return date and time of day in UTC; the local time is the title."""
    when = moment(unix_ns)
    if when is None:
        return tag("span", moment_text(unix_ns), title=local_text(unix_ns))
    iso = when.isoformat().replace("+00:00", "Z")
    return tag("time", moment_text(unix_ns), datetime=iso, title=local_text(unix_ns))


def mode_html(mode: int, *, is_regular: bool) -> Html:
    """Return permission bits in octal; the letters of ls are the title."""
    letters = stat.filemode(mode | stat.S_IFREG) if is_regular else "no regular file"
    return tag("span", f"{mode:04o}", title=letters)
