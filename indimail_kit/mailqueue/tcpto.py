"""lock/tcpto: hosts that did not answer, as qmail-remote remembers them. Octets only; its caller may open the file.

64 records of 32 octets: the family of the address at 0, the number of timeouts at 4, the second of the last one at 8
(four octets, little-endian), the address from 16 (4 or 16 octets). A record whose family is 0 was never used.

Source: IndiMail tcpto.c (`struct tcpto` in a comment), tcpto.h; recorded queue mixed-queue2; qmail-tcpto(8).

Rule 1: octets in, values out, and back; nothing here opens a file.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from indimail_kit.errors import FormatError

RECORD_BYTES: Final = 32
"""Size of a record (unit: octets). Source: tcpto.c."""

RECORD_COUNT: Final = 64
"""Records of a table. Source: tcpto.h TCPTO_BUFSIZ."""

MAX_TIMEOUTS: Final = 10
"""Highest count of timeouts. Source: tcpto.c `tcpto_err()`."""

IPV4: Final = 2
IPV6: Final = 10
"""Families: AF_INET and AF_INET6 of Linux."""

_LENGTHS: Final = {IPV4: 4, IPV6: 16}
_RECORD: Final = struct.Struct("<B3xB3xI4x16s")


@dataclass(frozen=True, slots=True)
class TimeoutRecord:
    """One host that did not answer.

    Attributes:
        position: Place in the table, counted from 0.
        address: The host, as people write it; of an unknown family its 16 octets in hexadecimal digits.
        timeouts: How often in a row it did not answer, at most MAX_TIMEOUTS; 0 when it has answered since.
        last_s: When it last did not (unit: s since 1970).
        family: IPV4, IPV6, or a number that is not known here.
    """

    position: int
    address: str
    timeouts: int
    last_s: int
    family: int = IPV4


def decode(octets: bytes) -> tuple[TimeoutRecord, ...]:
    """Return the records of a table that were ever used, in its order.

    Raises:
        FormatError: The table ends within a record.

    Example:
        >>> decode(bytes.fromhex("0200000001000000 7efa026b00000000 7f000001" + "00" * 12))
        (TimeoutRecord(position=0, address='127.0.0.1', timeouts=1, last_s=1795357310, family=2),)
    """
    if len(octets) % RECORD_BYTES:
        raise FormatError(f"records of {RECORD_BYTES} octets", offset=len(octets) - len(octets) % RECORD_BYTES)
    records = []
    for position, (family, timeouts, last_s, place) in enumerate(_RECORD.iter_unpack(octets)):
        if family:
            records.append(TimeoutRecord(position, _address(family, place), timeouts, last_s, family))
    return tuple(records)


def _address(family: int, place: bytes) -> str:
    length = _LENGTHS.get(family)
    return place.hex() if length is None else str(ipaddress.ip_address(place[:length]))


def encode(records: Iterable[TimeoutRecord], *, count: int = RECORD_COUNT) -> bytes:
    """Write a whole table.

    Args:
        records: Each with another position; the rest of the table was never used.
        count: Records of the table.

    Raises:
        ValueError: Two records of one position, or a value that no record has room for.
    """
    table = bytearray(count * RECORD_BYTES)
    taken: set[int] = set()
    for record in records:
        if record.position in taken or not 0 <= record.position < count:
            raise ValueError(f"positions from 0 to {count - 1}, each once")
        taken.add(record.position)
        start = record.position * RECORD_BYTES
        table[start : start + RECORD_BYTES] = encode_record(record)
    return bytes(table)


def encode_record(record: TimeoutRecord) -> bytes:
    """Write one record.

    Raises:
        ValueError: The address is none, or of another family; a number is too large.
    """
    if record.family in _LENGTHS:
        place = ipaddress.ip_address(record.address).packed
        if len(place) != _LENGTHS[record.family]:
            raise ValueError(f"an address of family {record.family}")
    else:
        place = bytes.fromhex(record.address)
    if not (0 < record.family < 256 and 0 <= record.timeouts <= 255 and 0 <= record.last_s < 2**32) or len(place) > 16:
        raise ValueError("a family and a count of one octet, a time of four, an address of sixteen")
    return _RECORD.pack(record.family, record.timeouts, record.last_s, place)
