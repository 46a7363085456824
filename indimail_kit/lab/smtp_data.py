r"""The DATA phase's octets -> the message: dot-unstuffing, end of data, bare LF, size. No I/O.

Source: RFC 5321 section 4.5.2; qmail-smtpd.c `blast()`: a line of one dot ends the mail; a leading dot is taken away;
CR LF becomes LF; a LF without CR is refused at once and ends the session ("smuggled" ends of data never work); a
CR without LF stays in the mail.

Deviation: NUL octets and lines over a limit are refused by us, although qmail-smtpd takes both.

Rule 1: fed whole or octet by octet, the answer is the same.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

END: Final = b"\r\n.\r\n"
"""End of data after at least one line."""

MAX_LINE_BYTES: Final = 100_000
"""Longest line we take, its end included (unit: octets). Ours; RFC 5321 section 4.5.3.1.6 asks for at least 1000."""

_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_STUFFED: Final = re.compile(rb"\r\n\.(?!\r)")


class DataFault(Enum):
    """Why a mail is refused while it is read; the value is the reply."""

    BARE_LF = "451 Sorry, I received Bare LF. (#4.6.0)"
    NUL = "554 sorry, NUL octets are not accepted here (#5.6.0)"
    LONG_LINE = "554 sorry, a line is longer than 100000 octets (#5.6.0)"
    TOO_BIG = "552 sorry, that message size exceeds my databytes limit (#5.3.4)"


class DataDecoder:
    """Collects the octets behind ``354`` until the end of data.

    Attributes:
        is_done: Whether the end of data was seen.
        fault: The first fault, or None. BARE_LF ends the session at once; the others are answered at the end of data.
        rest: Octets behind the end of data (pipelined commands).
    """

    def __init__(self, *, max_bytes: int) -> None:
        self.is_done = False
        self.fault: DataFault | None = None
        self.rest = b""
        self._max_bytes = max_bytes
        # The CR LF in front stands for the one that ended the DATA command: a line of one dot may come first.
        self._octets = bytearray(b"\r\n")
        self._searched = 0
        self._dropped = 0

    def feed(self, octets: bytes) -> bool:
        """Take octets from the wire; return True when no more are wanted (end of data, or a bare LF)."""
        start = len(self._octets)
        self._octets += octets
        end = self._octets.find(END, max(0, self._searched))
        stop = len(self._octets) if end < 0 else end + len(END)
        if _BARE_LF.search(self._octets, max(0, start - 1), stop):
            self.fault = DataFault.BARE_LF
            self._octets.clear()
            return True
        if end >= 0:
            self.rest = bytes(self._octets[stop:])
            del self._octets[end + 2 :]
            self.is_done = True
            self._check_limits()
            return True
        self._searched = len(self._octets) - len(END) + 1
        self._check_limits()
        return False

    def _check_limits(self) -> None:
        """Note the first broken limit and keep only what the search for the end still needs."""
        if self.fault is None and len(self._octets) - 2 > self._max_bytes:
            self.fault = DataFault.TOO_BIG
        if self.fault is not None and not self.is_done:
            dropped = len(self._octets) - len(END)
            if dropped > 0:
                del self._octets[:dropped]
                self._searched = 0

    def message(self) -> bytes:
        """Return the message with LF line ends, dots unstuffed; b"" when a fault was found."""
        if self.fault is None:
            octets = bytes(self._octets)
            if b"\0" in octets:
                self.fault = DataFault.NUL
            elif len(octets) > MAX_LINE_BYTES and _longest_line(octets) > MAX_LINE_BYTES:
                self.fault = DataFault.LONG_LINE
            else:
                return _STUFFED.sub(b"\r\n", octets).replace(b"\r\n", b"\n")[1:]
        return b""


def _longest_line(octets: bytes) -> int:
    """Return the length of the longest line, its end included."""
    return max(len(line) for line in octets.split(b"\n")) + 1


def count_hops(message: bytes) -> int:
    """Count the Received and Delivered-To lines of a message's header, as qmail-smtpd does against loops."""
    header, _, _ = message.partition(b"\n\n")
    return sum(1 for line in header.split(b"\n") if line[:8].lower() == b"received" or line[:9].lower() == b"delivered")
