r"""How many mails a domain may get in slowq: the octets of ratelimit/DOMAIN <-> four fields.

Source: a file written by IndiMail's slowq-send and drate (facts, section 1). drate(1) says "four lines"; the real file
has NULs, and one or two stray octets behind the last one.

Rule 1: codec only; the stray octets are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from indimail_kit.errors import FormatError

_FIELDS: Final = 4
"""rate, count, start, last."""

_MAX_DIGITS: Final = 20
"""Digits of the largest 64-bit number (unit: digits)."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One file of the directory ratelimit.

    Attributes:
        domain: Name of the file.
        rate: The rate as it was set ("3/60": three mails in sixty seconds).
        count: Mails counted since `start_s` (unit: mails).
        start_s: When counting began (unit: s since 1970).
        last_s: When the last mail was counted (unit: s since 1970).
        stray: Octets behind the four fields.
    """

    domain: str
    rate: str
    count: int
    start_s: int
    last_s: int
    stray: bytes = b""


def decode_ratelimit(domain: str, octets: bytes) -> RateLimit:
    r"""Read the octets of a ratelimit file.

    Raises:
        FormatError: There are not four fields, each with its NUL, or one of the last three is no number.

    Example:
        >>> decode_ratelimit("example.com", b"3/60\x002\x001795357310\x001795357312\x00\xdc\x00").count
        2
    """
    rate, *rest = octets.split(b"\0", _FIELDS)
    if len(rest) != _FIELDS:
        raise FormatError("four fields, each with a NUL behind it", offset=len(octets))
    if not all(field.isdigit() and len(field) <= _MAX_DIGITS for field in rest[:-1]):
        raise FormatError("three numbers behind the rate", offset=len(rate) + 1)
    count, start_s, last_s = map(int, rest[:-1])
    return RateLimit(domain, rate.decode("utf-8", "backslashreplace"), count, start_s, last_s, rest[-1])


def encode_ratelimit(limit: RateLimit) -> bytes:
    """Write the octets of a ratelimit file, stray ones included.

    Raises:
        FormatError: The rate has a NUL, or a number is negative.
    """
    if "\0" in limit.rate or min(limit.count, limit.start_s, limit.last_s) < 0:
        raise FormatError("a rate without NUL, and numbers that are not negative")
    return b"%b\0%d\0%d\0%d\0" % (limit.rate.encode(), limit.count, limit.start_s, limit.last_s) + limit.stray
