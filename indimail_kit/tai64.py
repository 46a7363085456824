"""TAI64N labels <-> Unix nanoseconds.

Source: libtai's external TAI64N format; IndiMail libqmail tai.h (`tai_unix()`), daemontools tai64nlocal.c.

Note for maintainers: real TAI runs ahead of UTC by a number of leap seconds that changes. DJB's programs and IndiMail's
multilog, tai64n, tai64nlocal and matchup use a fixed 10 s instead, and so do we. Another rule is a parameter.
"""

from __future__ import annotations

import re
from typing import Final

from indimail_kit.errors import Tai64Error

DJB_OFFSET_S: Final = 10
"""Seconds that DJB's programs add to Unix time (unit: s). Source: IndiMail daemontools-x/tai64nlocal.c."""

_EPOCH: Final = 2**62
"""TAI64 second 1970-01-01 00:00:00 TAI (unit: s). Source: libtai, TAI64 labels."""

LABEL_BYTES: Final = 25
"""Length of an external TAI64N label (unit: octets)."""

_LABEL: Final = re.compile(rb"@([0-9a-f]{16})([0-9a-f]{8})")
_NS: Final = 10**9


def from_tai64n(label: bytes, *, offset_s: int = DJB_OFFSET_S) -> int:
    """Convert an external TAI64N label to Unix nanoseconds.

    Args:
        label: "@" and 24 lower-case hexadecimal digits.
        offset_s: TAI minus UTC to assume (unit: s).

    Raises:
        Tai64Error: The label has another form, or 10**9 or more nanoseconds.

    Example:
        >>> from_tai64n(b"@400000004b9da2f03b424bb4")
        1268622054994200500
    """
    match = _LABEL.fullmatch(label)
    if match is None:
        raise Tai64Error("'@' and 24 lower-case hexadecimal digits")
    seconds, nanoseconds = (int(group, 16) for group in match.groups())
    if nanoseconds >= _NS:
        raise Tai64Error("nanoseconds below 10**9", offset=17)
    return (seconds - _EPOCH - offset_s) * _NS + nanoseconds


def to_tai64n(unix_ns: int, *, offset_s: int = DJB_OFFSET_S) -> bytes:
    """Convert Unix nanoseconds to an external TAI64N label of 25 octets.

    Raises:
        Tai64Error: The time lies outside of 0 … 2**63 TAI64 seconds.

    Example:
        >>> to_tai64n(1268622054994200500)
        b'@400000004b9da2f03b424bb4'
    """
    seconds, nanoseconds = divmod(unix_ns, _NS)
    label_s = seconds + _EPOCH + offset_s
    if not 0 <= label_s < 2**63:
        raise Tai64Error("a time within TAI64's 0 … 2**63 seconds")
    return b"@%016x%08x" % (label_s, nanoseconds)
