"""How the numbers of a report are written for a person: lengths of time, sizes, times of day.

Rule 1: a number that is missing is a dash, never a 0.
"""

from __future__ import annotations

from typing import Any, Final

OVERALL_WORDS: Final = (
    (
        "Time",
        {"first_at": "first message", "last_at": "last end", "span_s": "span"},
    ),
    (
        "Messages that ended",
        {
            "messages": "messages",
            "recipients": "recipients",
            "message_attempts": "delivery attempts",
            "attempts_per_message": "attempts for a message",
            "message_bytes": "size",
            "success_bytes": "size times recipients with success",
            "qtime_mean_s": "time in the queue, mean",
        },
    ),
    (
        "Delivery attempts",
        {
            "attempts": "attempts",
            "successes": "successes",
            "failures": "failures",
            "deferrals": "deferrals",
            "ddelay_s": "birth to success, added up",
            "ddelay_mean_s": "birth to success, mean",
            "xdelay_s": "time of attempts, added up",
            "xdelay_mean_s": "time of an attempt, mean",
            "concurrency": "attempts at the same time, mean",
        },
    ),
    (
        "At the end of the log",
        {
            "open_messages": "messages in the queue",
            "open_attempts": "attempts under way",
            "cut_attempts": "attempts without a start or an end",
        },
    ),
)
"""Heading, and column of OVERALL -> words for it."""

_SPANS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))
_SIZES: Final = ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


def shown(cell: Any, column: str) -> str:
    """Return a cell of a column as a person reads it.

    Example:
        >>> shown(4638047, "message_bytes"), shown(0.0891, "ddelay_mean_s"), shown(True, "is_certain")
        ('4.4M', '0.089 s', 'yes')
    """
    import pandas as pd

    if pd.isna(cell):
        return "–"
    if column.endswith("_bytes"):
        return size(int(cell))
    if column.endswith("_s"):
        return span(float(cell))
    if column.endswith("_share"):
        return f"{cell * 100:.3g} %"
    if isinstance(cell, pd.Timestamp):
        return f"{cell:%Y-%m-%d %H:%M:%S}"
    if column.startswith("is_"):
        return "yes" if cell else "no"
    if column in ("pid", "uid", "qp", "message_number"):
        return str(cell)
    if isinstance(cell, str):
        return cell if cell or column != "sender" else "<>"
    return f"{int(cell):,}" if float(cell).is_integer() else f"{cell:.4g}"


def span(seconds: float) -> str:
    """Return a length of time: milliseconds below a minute, above that the two biggest units.

    Example:
        >>> span(0.0891), span(100.9), span(93_600)
        ('0.089 s', '1 min 41 s', '1 d 2 h')
    """
    if seconds < 60:
        return f"{seconds:.3f} s"
    left = round(seconds)
    parts: list[tuple[int, str]] = []
    for length, name in (*_SPANS, (1, "s")):
        if left >= length or parts:
            parts.append((left // length, name))
            left %= length
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count)


def size(octets: int) -> str:
    """Return a size, short.

    Example:
        >>> size(999), size(4_638_047)
        ('999', '4.4M')
    """
    for length, name in _SIZES:
        if octets >= length:
            return f"{octets / length:.1f}{name}"
    return str(octets)
