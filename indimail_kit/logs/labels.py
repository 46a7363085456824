"""The time stamp at the start of a log line: which kind it is, and when.

Source: multilog(8) and tai64n(8) (``@`` and 24 digits), tai64nlocal(8) (date and time of day), splogger(8) (seconds and
microseconds behind syslog's own stamp), matchup(1) (seconds and nanoseconds), ClamAV shared/output.c (ctime and
``->``).

Note for maintainers: only what stands at the very start of the physical line is a stamp. Text that looks like one
further on is
text: it may come from a sender who wants to forge a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from indimail_kit.errors import Tai64Error
from indimail_kit.tai64 import LABEL_BYTES, from_tai64n

LABEL_KINDS: Final = ("tai64n", "iso", "splogger", "unix", "clamav", "none")
"""The kinds of stamp."""

_NS: Final = 10**9
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

MIN_UNIX_NS: Final = -(2**63) + 1
"""First moment that a column of datetime64[ns] can hold (unit: ns since 1970): 1677-09-21."""

MAX_UNIX_NS: Final = 2**63 - 1
"""Last moment that a column of datetime64[ns] can hold (unit: ns since 1970): 2262-04-11."""


@dataclass(frozen=True, slots=True)
class Label:
    """The stamp of one line.

    Attributes:
        kind: One of LABEL_KINDS.
        unix_ns: The moment (unit: ns since 1970); None without a stamp, or outside 1677 … 2262.
        end: Where the text begins (unit: octets).
    """

    kind: str
    unix_ns: int | None
    end: int


NO_LABEL: Final = Label("none", None, 0)
"""A line without a stamp."""

_ISO: Final = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?:(Z)|([+-])(\d\d):?(\d\d))?(?: |$)"
)
_SPLOGGER: Final = re.compile(
    rb"(?:[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d [!-~]{1,255} [!-~]{1,64}: )?(\d{1,11})\.(\d{6}) "
)
_UNIX: Final = re.compile(rb"(\d{1,11})\.(\d{9}) ")
_CLAMAV: Final = re.compile(rb"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4}) -> ?")
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), start=1
    )
}


def _label(kind: str, unix_ns: int, end: int) -> Label:
    return Label(kind, unix_ns if MIN_UNIX_NS <= unix_ns <= MAX_UNIX_NS else None, end)


def _civil_ns(moment: datetime) -> int:
    """Return the nanoseconds since 1970 of a moment without a fraction."""
    return (moment - _UNIX_EPOCH) // timedelta(seconds=1) * _NS


def _tai64n(line: bytes, _zone_s: int) -> Label | None:
    label, blank = line[:LABEL_BYTES], line[LABEL_BYTES : LABEL_BYTES + 1]
    if blank not in (b" ", b""):
        return None
    try:
        return _label("tai64n", from_tai64n(label), LABEL_BYTES + len(blank))
    except Tai64Error:
        return None


def _iso(line: bytes, zone_s: int) -> Label | None:
    match = _ISO.match(line)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.group(1, 2, 3, 4, 5, 6))
    fraction, zulu, sign, hours, minutes = match.group(7, 8, 9, 10, 11)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    if sign:
        zone_s = (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == b"-" else 1)
    elif zulu:
        zone_s = 0
    return _label("iso", _civil_ns(moment) - zone_s * _NS + int((fraction or b"").ljust(9, b"0")), match.end())


def _splogger(line: bytes, _zone_s: int) -> Label | None:
    match = _SPLOGGER.match(line)
    return match and _label("splogger", int(match[1]) * _NS + int(match[2]) * 1000, match.end())


def _unix(line: bytes, _zone_s: int) -> Label | None:
    match = _UNIX.match(line)
    return match and _label("unix", int(match[1]) * _NS + int(match[2]), match.end())


def _clamav(line: bytes, zone_s: int) -> Label | None:
    match = _CLAMAV.match(line)
    if match is None or match[1] not in _MONTHS:
        return None
    day, hour, minute, second, year = (int(part) for part in match.group(2, 3, 4, 5, 6))
    try:
        moment = datetime(year, _MONTHS[match[1]], day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return _label("clamav", _civil_ns(moment) - zone_s * _NS, match.end())


_READERS: Final[tuple[Callable[[bytes, int], Label | None], ...]] = (_iso, _unix, _splogger, _clamav)


def split_label(line: bytes, *, utc_offset_s: int = 0) -> Label:
    """Return the stamp of a line.

    Args:
        line: The physical line without its end.
        utc_offset_s: Local time minus UTC for stamps that name no zone: tai64nlocal's and ClamAV's (unit: s).

    Example:
        >>> split_label(b"@400000004b9da2f03b424bb4 new msg 660188")
        Label(kind='tai64n', unix_ns=1268622054994200500, end=26)
    """
    if line.startswith(b"@"):
        return _tai64n(line, utc_offset_s) or NO_LABEL
    for reader in _READERS:
        label = reader(line, utc_offset_s)
        if label is not None:
            return label
    return NO_LABEL
