r"""The argument of MAIL and RCPT -> an address, as leniently as qmail-smtpd.

Source: qmail-smtpd.c `addrparse()`: an address in angle brackets, or the rest behind the colon up to a blank; a
source route
is dropped; quotes and backslashes are taken away; more than 900 octets are a syntax error; the closing bracket may
be missing.
"""

from __future__ import annotations

from typing import Final

MAX_ADDRESS_BYTES: Final = 900
"""Longest address (unit: octets). Source: qmail-smtpd.c addrparse(), which counts the final NUL too."""


def parse_address(argument: bytes) -> bytes | None:
    r"""Return the address, or None where qmail-smtpd answers ``555 syntax error in address``.

    Example:
        >>> parse_address(b"FROM:<ann@example.com> SIZE=10")
        b'ann@example.com'
        >>> parse_address(b"FROM: ann@example.com")
        b'ann@example.com'
        >>> parse_address(b"TO:<@relay.example:bob@example.com>")
        b'bob@example.com'
        >>> parse_address(b"") is None
        True
    """
    start = argument.find(b"<")
    if start >= 0:
        terminator = ord(">")
        text = argument[start + 1 :]
    else:
        terminator = ord(" ")
        text = argument.partition(b":")[2]
        if not text:
            return None
        text = text.lstrip(b" ")
    if text.startswith(b"@"):
        text = text.partition(b":")[2]
    if b"\0" in text:
        return None
    address = bytearray()
    is_escaped = is_quoted = False
    for octet in text:
        if is_escaped:
            address.append(octet)
            is_escaped = False
        elif not is_quoted and octet == terminator:
            break
        elif octet == 0x5C:
            is_escaped = True
        elif octet == 0x22:
            is_quoted = not is_quoted
        else:
            address.append(octet)
    if len(address) + 1 > MAX_ADDRESS_BYTES:
        return None
    return bytes(address)


def parse_size(argument: bytes) -> int | None:
    """Return the number of a ``SIZE=`` parameter of MAIL, or None (RFC 1870)."""
    for word in argument.rpartition(b">")[2].split():
        if word[:5].upper() == b"SIZE=" and word[5:].isdigit() and len(word) < 25:
            return int(word[5:])
    return None
