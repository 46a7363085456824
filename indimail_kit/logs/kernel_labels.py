"""The stamps of frequent lines, read octet by octet: a part of `kernel`, whose rules hold here too.

Source: `labels`, which reads all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs.kernel_codes import ISO, NO_TIME

if TYPE_CHECKING:
    Octets = Any  # of a block: an array when compiled, bytes when not

FAILED: Final = -1
"""Position behind something that is not there."""

_NS: Final = 10**9
_MAX_SECONDS: Final = 9 * 10**9
_TAI64N, _SPLOGGER, _UNIX, _NONE = 0, 2, 3, 5
_BLANK: Final = 32
_DIGITS: Final = bytes(b"0123456789abcdef".find(octet) & 0xFF for octet in range(256))
_DAYS_BEFORE: Final = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)
"""Days of a year before each month that is no leap year."""


def hex_at(octets: Octets, at: int) -> int:
    """Read eight lower-case hexadecimal digits; FAILED if they are not."""
    value, seen = 0, 0
    for index in range(at, at + 8):
        digit = _DIGITS[octets[index]]  # no branch: half of the digits would be guessed wrong
        value = value * 16 + digit
        seen |= digit
    return value if seen < 16 else FAILED


def digits_at(octets: Octets, at: int, count: int) -> int:
    """Read so many decimal digits; FAILED if they are not."""
    value, seen = 0, 0
    for index in range(at, at + count):
        digit = _DIGITS[octets[index]]
        value = value * 10 + digit
        seen = max(seen, digit)
    return value if seen < 10 else FAILED


def civil_at(octets: Octets, at: int) -> int:
    """Read tai64nlocal's ``2010-03-15 08:30:54.994200500``, a blank behind it; return its time, NO_TIME if it is none.

    The time is that of UTC; the offset of local time is taken off where all of them are at hand.
    """
    year, month, day = digits_at(octets, at, 4), digits_at(octets, at + 5, 2), digits_at(octets, at + 8, 2)
    hour, minute, second = digits_at(octets, at + 11, 2), digits_at(octets, at + 14, 2), digits_at(octets, at + 17, 2)
    nanoseconds = digits_at(octets, at + 20, 9)
    signs = octets[at + 4] == 45 and octets[at + 7] == 45 and octets[at + 10] == 32 and octets[at + 13] == 58
    signs = signs and octets[at + 16] == 58 and octets[at + 19] == 46 and octets[at + 29] == 32
    if not (signs and 1970 <= year <= 2199 and 1 <= month <= 12 and day >= 1 and 0 <= hour <= 23):
        return NO_TIME
    if not (0 <= minute <= 59 and 0 <= second <= 59 and nanoseconds >= 0):
        return NO_TIME
    is_leap = int(year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    if day > _DAYS_BEFORE[month] - _DAYS_BEFORE[month - 1] + (is_leap if month == 2 else 0):
        return NO_TIME
    days = 365 * (year - 1970) + (year - 1969) // 4 - (year - 1901) // 100 + (year - 1601) // 400
    days += _DAYS_BEFORE[month - 1] + (is_leap if month > 2 else 0) + day - 1
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * _NS + nanoseconds


def label_at(octets: Octets, start: int, end: int) -> tuple[int, int, int]:
    """Read the stamp; return its kind, its time and the position of the text, FAILED for a stamp of another sort.

    Source: `labels.split_label`; multilog's labels of 1970 … 2106, tai64nlocal's, splogger's and matchup's stamps,
    or none.
    """
    if start == end:
        return _NONE, NO_TIME, FAILED
    if octets[start] == 64:
        if end - start < 27 or octets[start + 25] != _BLANK or hex_at(octets, start + 1) != 0x40000000:
            return _NONE, NO_TIME, FAILED
        seconds, nanoseconds = hex_at(octets, start + 9), hex_at(octets, start + 17)
        if seconds < 0 or not 0 <= nanoseconds < _NS:
            return _NONE, NO_TIME, FAILED
        return _TAI64N, (seconds - 10) * _NS + nanoseconds, start + 26
    if 97 <= octets[start] <= 122:
        return _NONE, NO_TIME, start
    if end - start > 30 and octets[start + 4] == 45:
        unix_ns = civil_at(octets, start)
        return ISO, unix_ns, FAILED if unix_ns == NO_TIME else start + 30
    at, seconds = start, 0
    while at < end and 48 <= octets[at] <= 57 and at - start < 10:
        seconds = seconds * 10 + octets[at] - 48
        at += 1
    if at == start or at >= end or octets[at] != 46 or seconds > _MAX_SECONDS:
        return _NONE, NO_TIME, FAILED
    begin, fraction, at = at + 1, 0, at + 1
    while at < end and 48 <= octets[at] <= 57 and at - begin < 9:
        fraction = fraction * 10 + octets[at] - 48
        at += 1
    if at >= end or octets[at] != _BLANK:
        return _NONE, NO_TIME, FAILED
    if at - begin == 9:
        return _UNIX, seconds * _NS + fraction, at + 1
    if at - begin == 6:
        return _SPLOGGER, seconds * _NS + fraction * 1000, at + 1
    return _NONE, NO_TIME, FAILED
