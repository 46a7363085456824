"""What makes times differ: clocks of other hosts, header dates that are 27 s early, lines that change places.

Source: IndiMail libqmail datetime_tai(), caltime_utc() with /etc/indimail/leapsecs.dat; multilog(8); recorded queue
trees, whose Received lines are 27 s older than their files.

Note for maintainers: qmail-send's clock is the one that everything is told by. multilog stamps a line when it reads it,
and two programs' logs are read by two multilogs, so lines of the same moment may be some milliseconds out of order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final, Literal, get_args

from indimail_kit.errors import TraceError
from indimail_kit.visible import visible

ClockName = Literal["session", "scan", "mail"]
"""Whose clock: qmail-smtpd's host, the scanner's, the host of the mailbox."""

NS: Final = 10**9

LEAP_SECONDS: Final = 27
"""What IndiMail's header dates are early where leapsecs.dat is installed (unit: s)."""

JITTER_NS: Final = NS // 10
"""How far lines of two logs, written at one moment, may be out of order (unit: ns)."""

DATE_ERROR_NS: Final = 2 * NS
"""How far a header date, a whole second, and the clock of a file may differ (unit: ns)."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """How the clocks of the hosts stand.

    Attributes:
        ahead_s: Clock -> seconds that it is ahead of qmail-send's host's; 0 for one that is not named (unit: s).
    """

    ahead_s: Mapping[ClockName, float] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Refuse a clock that nobody has.

        Raises:
            TraceError: A name or number that is none.
        """
        for name, seconds in self.ahead_s.items():
            if name not in get_args(ClockName):
                raise TraceError(f"no clock named {name}: {', '.join(get_args(ClockName))}")
            if not abs(seconds) < 10**9:  # also false for NaN
                raise TraceError(f"a clock {name} that is {seconds} s ahead")

    def told(self, name: ClockName, unix_ns: int | None) -> int | None:
        """Return a time of that clock as qmail-send's host would tell it."""
        return None if unix_ns is None else unix_ns - round(self.ahead_s.get(name, 0.0) * NS)


def parse_date(text: str) -> int | None:
    """Return a header date as Unix nanoseconds, None for anything that is no date.

    Example:
        >>> parse_date("Sun, 22 Nov 2026 14:14:00 +0000")
        1795356840000000000
    """
    try:
        return round(parsedate_to_datetime(text).timestamp()) * NS
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def parse_moment(text: str) -> int:
    """Return a time that a person wrote (unit: ns since 1970); without a zone it is UTC.

    Raises:
        TraceError: It is no time such as 2010-03-15T03:00:54Z.

    Example:
        >>> parse_moment("2010-03-15 03:00:54")
        1268622054000000000
    """
    try:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise TraceError(f"{visible(text)} is no time such as 2010-03-15T03:00:54Z") from error
    return round(seconds * 10**6) * 1000


def header_delay(date_ns: int, unix_ns: int) -> tuple[int, bool]:
    """Return how long after a header date a time is, and whether the date is taken to be 27 s early.

    A date that is 27 s off, give or take its second, is taken for the quirk and not for a delay.

    Args:
        date_ns: Date of a Received line (unit: ns since 1970).
        unix_ns: Time by a clock that is right (unit: ns since 1970).

    Example:
        >>> header_delay(0, 27 * NS), header_delay(0, 3 * NS)
        ((0, True), (3000000000, False))
    """
    delay_ns = unix_ns - date_ns
    is_early = abs(delay_ns - LEAP_SECONDS * NS) <= DATE_ERROR_NS
    return (delay_ns - LEAP_SECONDS * NS if is_early else delay_ns), is_early


def measure_ahead_s(
    scans: Iterable[tuple[tuple[str, int], int]], births: Mapping[tuple[str, int], Sequence[int]]
) -> float | None:
    """Estimate how far the scanner's clock is ahead, from the numbers that both logs name.

    For each scan the time to each birth of its number is counted in seconds; the commonest is the offset, if it stands
    out. None if it does not, or if there are too few.

    Args:
        scans: Number (with its queue) and time of each scan (unit: ns since 1970).
        births: Number (with its queue) -> when messages of it were preprocessed, in order (unit: ns since 1970).
    """
    seconds: Counter[int] = Counter()
    total = 0
    for key, unix_ns in scans:
        times = births.get(key, ())
        first = bisect_left(times, unix_ns - _SEARCH_NS)
        last = bisect_left(times, unix_ns + _SEARCH_NS)
        found = {(unix_ns - time_ns) // NS for time_ns in times[first:last]}
        seconds.update(found)
        total += bool(found)
    if total < MIN_SCANS:
        return None
    # A scan is a moment before the birth, so two neighbouring seconds may share it.
    sums = ((seconds[one] + seconds[one + 1], one) for one in tuple(seconds))
    count, second = max(sums)
    return float(second + 1) if 2 * count > total else None


WITHIN_S: Final = 300
"""How far from the time that a person names a message may be (unit: s)."""

MIN_SCANS: Final = 5
"""Fewer scans than these tell nothing of a clock (unit: scans)."""

_SEARCH_NS: Final = 3600 * NS
"""Offsets that are looked for (unit: ns)."""
