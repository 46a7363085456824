"""When qmail-send tries again, and when it gives up: pure arithmetic on seconds.

Source: IndiMail qmail-send.c `nextretry()`, `squareroot()`, `chanskip[]`, `pass_dochan()`; control/queuelifetime.

The distance between two attempts grows with the age of the message, so that a young message is tried often and an old
one rarely: the n-th attempt of a remote recipient is (20 n)**2 seconds after birth, of a local one (10 n)**2.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from typing import Final, Literal

Channel = Literal["local", "remote"]
"""Way of a recipient: a Maildir of this machine, or SMTP."""

CHANNELS: Final[tuple[Channel, Channel]] = ("local", "remote")
"""The channels in the order in which qmail-send serves them."""

CHANNEL_SKIP: Final[dict[Channel, int]] = {"local": 10, "remote": 20}
"""Step of the quadratic schedule (unit: square root of a second). Source: qmail-send.c `chanskip[]`."""

LIFETIME_S: Final = 604800
"""Age at which a deferral becomes a failure (unit: s). Source: qmail-send.c `lifetime`, control/queuelifetime."""

SYSTEM_FAILURE_S: Final = 123
"""Pause after a file could not be read or removed (unit: s). Source: qmail-send.c SLEEP_SYSFAIL."""

TODO_SCAN_S: Final = 1500
"""Pause between two looks into todo when nobody pulls the trigger (unit: s). Source: todo-proc.c SLEEP_TODO."""


def next_retry_s(*, birth_s: int, now_s: int, channel: Channel) -> int:
    """Return the Unix second of the next attempt.

    Args:
        birth_s: mtime of the info file.
        now_s: Time of the attempt that is beginning now; one before birth counts as birth.
        channel: Local deliveries are tried four times as often as remote ones.

    Source:
        qmail-send.c `nextretry()`.

    Example:
        >>> next_retry_s(birth_s=1000, now_s=1000, channel="local")
        1100
        >>> next_retry_s(birth_s=1000, now_s=1000, channel="remote")
        1400
    """
    root = isqrt(max(0, now_s - birth_s)) + CHANNEL_SKIP[channel]
    return birth_s + root * root


def is_too_old(*, birth_s: int, now_s: int, lifetime_s: int = LIFETIME_S) -> bool:
    """Say whether an attempt that begins now is the last one: its deferral counts as a failure."""
    return now_s > birth_s + lifetime_s


def attempt_ages_s(channel: Channel, *, lifetime_s: int = LIFETIME_S) -> Iterator[int]:
    """Yield the age of the message at each attempt, the last one included, if every attempt is deferred (unit: s)."""
    age_s = 0
    while True:
        yield age_s
        if is_too_old(birth_s=0, now_s=age_s, lifetime_s=lifetime_s):
            return
        age_s = next_retry_s(birth_s=0, now_s=age_s, channel=channel)
