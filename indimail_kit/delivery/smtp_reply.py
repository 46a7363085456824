"""The words of SMTP without a socket: replies read octet by octet, and a mail made ready for the wire.

Source: RFC 5321 sections 4.2 and 4.5.2; IndiMail qmail-remote.c `smtpcode()`, `blast()`, `ehlo()`.

Rule 1: no I/O; the other side is a stranger, and whatever it says is a reply or a `ReplyError`.
Rule 2: of the mail only its line ends and leading dots are touched; every other octet travels as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

TEXT_MAX_OCTETS: Final = 5000
"""How much of a reply is kept (unit: octets). Source: qmail-remote.c HUGESMTPTEXT."""

REPLY_MAX_OCTETS: Final = 1 << 20
"""Longest reply that is read to its end (unit: octets); the real program reads for ever."""

TEMPORARY: Final = 400
"""Code of a reply that is none. Source: qmail-remote.c `smtpcode()`."""

_CODE_DIGITS: Final = 3
_LOWEST_CODE: Final = 200


class ReplyError(Exception):
    """A reply without an end."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other host said.

    Attributes:
        code: The three digits of its first line; 400 when they are no code, or no blank or hyphen follows.
        text: Its lines with their codes, without CR, each with its LF; at most TEXT_MAX_OCTETS of it.
    """

    code: int
    text: bytes

    @property
    def keywords(self) -> frozenset[bytes]:
        """Return the service extensions that a reply to EHLO names, in upper case."""
        words = (line[4:].split(None, 1)[:1] for line in self.text.split(b"\n")[1:])
        return frozenset(word[0].partition(b"=")[0].upper() for word in words if word)


class ReplyReader:
    r"""Reads replies, whole or in pieces; what comes behind a reply is the beginning of the next one.

    Example:
        >>> reader = ReplyReader()
        >>> reader.feed(b"250-mx.example.org\r\n250 SI"), reader.feed(b"ZE\r\n221 ")
        (None, Reply(code=250, text=b'250-mx.example.org\n250 SIZE\n'))
    """

    def __init__(self) -> None:
        self._octets = bytearray()
        self._searched = 0
        self._line_start = 0

    def feed(self, octets: bytes = b"") -> Reply | None:
        """Take octets; return the next reply if it is whole.

        Raises:
            ReplyError: More than REPLY_MAX_OCTETS without an end.
        """
        self._octets += octets
        while (end := self._octets.find(b"\n", self._searched)) >= 0:
            hyphen = self._line_start + _CODE_DIGITS
            if end <= hyphen or self._octets[hyphen] != ord("-"):
                return self._take(end + 1)
            self._line_start = self._searched = end + 1
        self._searched = len(self._octets)
        if self._searched > REPLY_MAX_OCTETS:
            raise ReplyError("a reply without an end")
        return None

    def _take(self, end: int) -> Reply:
        text = bytes(self._octets[:end]).replace(b"\r", b"")
        del self._octets[:end]
        self._searched = self._line_start = 0
        digits, behind = text[:_CODE_DIGITS], text[_CODE_DIGITS : _CODE_DIGITS + 1]
        code = int(digits) if digits.isdigit() else 0
        is_code = code >= _LOWEST_CODE and behind in (b" ", b"-")
        return Reply(code if is_code else TEMPORARY, text[:TEXT_MAX_OCTETS])


class WireData:
    r"""A mail on its way to the wire: LF becomes CR LF, a dot that begins a line becomes two.

    Attributes:
        is_whole: Whether the last line that was encoded had its end; also true before the first.

    Example:
        >>> b"".join(WireData().encode([b"a\n.", b"b\n"]))
        b'a\r\n..b\r\n'
    """

    def __init__(self) -> None:
        self.is_whole = True

    def encode(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the mail for the wire, a piece for each piece; the dot that ends it is not among them."""
        for part in parts:
            if part:
                dot = b"." if self.is_whole and part.startswith(b".") else b""
                self.is_whole = part.endswith(b"\n")
                yield dot + part.replace(b"\n.", b"\n..").replace(b"\n", b"\r\n")


def wire_size(parts: Iterable[bytes]) -> tuple[int, bool]:
    """Return the size of a mail as RFC 1870 counts it, and whether its last line has its end.

    The size is that of the octets with CR LF line ends, without the doubled dots and the last dot (unit: octets).
    """
    octets, last = 0, b"\n"
    for part in parts:
        octets += len(part) + part.count(b"\n")
        last = part[-1:] or last
    return octets, last == b"\n"
