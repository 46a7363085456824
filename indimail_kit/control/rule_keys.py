"""The keys under which a client's rule is looked up, in order.

Source: IndiMail ucspi-tcp-x rules.c `doit()`, ip4_bit.c, ip6.c; facts recorded in tests/data/indimail/tcprules.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from indimail_kit.errors import RulesError

MAX_CLIENT_BYTES: Final = 4096
"""Longest address, info or host that is looked up (unit: octets); ours, a name of DNS has 255."""

_IPV4_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz123456"
_IPV6_FIRST_LETTER: Final = 0x60


def candidate_keys(ip: str, *, info: str = "", host: str = "") -> Iterator[bytes]:
    """Yield the keys that are looked up for a client, the first match wins.

    info@IP, info@=host, the expanded IPv6 address, the address as given, =host, IPv4 prefixes that end in a dot
    from the longest, network bits, =.domain from the longest, =, and last the empty key.

    Raises:
        RulesError: One of them is longer than MAX_CLIENT_BYTES, or holds lone surrogates.

    Deviation:
        For an address that is none, and for IPv6 network bits when the host is known, rules.c reads leftover memory;
        here these keys are left out.
    """
    address, who, name = (encode_text(part) for part in (ip, info, host))
    if max(map(len, (address, who, name))) > MAX_CLIENT_BYTES:
        raise RulesError(f"an address, info and host of at most {MAX_CLIENT_BYTES} octets each")
    is_ipv6 = b":" in address
    expanded = _expanded_ipv6(ip) if is_ipv6 else None
    if who:
        yield who + b"@" + ((expanded or b"") if is_ipv6 else address)
        if name:
            yield who + b"@=" + name
    if expanded is not None:
        yield expanded
    yield address
    if name:
        yield b"=" + name
    if not is_ipv6:
        yield from _ipv4_prefixes(address)
    yield from _network_bits(ip, is_ipv6=is_ipv6, is_host_known=bool(name))
    if name:
        yield from (b"=" + name[at:] for at in range(len(name)) if name[at : at + 1] == b".")
        yield b"="
    yield b""


def encode_text(text: str | bytes, source: str = "") -> bytes:
    """Return the octets of a text, those that are not UTF-8 as they were.

    Raises:
        RulesError: It holds lone surrogates.
    """
    if isinstance(text, bytes):
        return text
    with suppress(UnicodeEncodeError):
        return text.encode("utf-8", "surrogateescape")
    raise RulesError("text without lone surrogates", source=source)


def _expanded_ipv6(ip: str) -> bytes | None:
    """Return the address with all its digits, as ip6_expandaddr() writes it, or None when it is none."""
    with suppress(ValueError):
        return ipaddress.IPv6Address(ip).packed.hex(":", 2).encode("ascii")
    return None


def _ipv4_prefixes(address: bytes) -> Iterator[bytes]:
    """Yield the beginnings of an address that end in a dot, the longest first."""
    for length in range(len(address), 0, -1):
        if address[length - 1 : length] == b".":
            yield address[:length]


def _network_bits(ip: str, *, is_ipv6: bool, is_host_known: bool) -> Iterator[bytes]:
    """Yield the keys of the networks around an address, the smallest first.

    A bit that is set is a letter, so that the cdb hash spreads: for IPv4 by its place, for IPv6 by how many were set
    before. tcprules writes no such keys; other programs do.
    """
    with suppress(ValueError):
        bits = bytearray()
        if not is_ipv6:
            packed = int(ipaddress.IPv4Address(ip))
            bits += bytes(_IPV4_LETTERS[at] if packed >> (31 - at) & 1 else 0x30 for at in range(32))
        elif not is_host_known:
            packed, letter = int(ipaddress.IPv6Address(ip)), _IPV6_FIRST_LETTER
            for at in range(128):
                is_set = packed >> (127 - at) & 1
                bits.append(letter if is_set else 0x30)
                letter += is_set
        mark = b"^" if is_ipv6 else b"_"
        yield from (mark + bytes(bits[:length]) for length in range(len(bits), 1, -1))
