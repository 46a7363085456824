"""Other names for the people and machines of a log: the same name always gets the same other name.

Keyed (HMAC-SHA-256): without the key nobody can try out whether a name stands behind a pseudonym; with the same key the
same pseudonyms come again, so that two logs of two days still fit together.

Source: RFC 2104 (HMAC); RFC 2606 (example); RFC 3849 (2001:db8::/32); RFC 1112 section 4 (240.0.0.0/4 is nobody's).

Rule 1: upper and lower case are one name, as for matchup(1).
Rule 2: a pseudonym can stand wherever the name stood: its octets are a-z, 0-9, ".", "@", ":", "[" and "]".
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.errors import FormatError

KEY_BYTES: Final = 32
"""Length of a new key (unit: octets)."""

MIN_KEY_BYTES: Final = 16
"""Shortest key that is taken (unit: octets)."""

_DIGEST_BYTES: Final = 10
"""Octets of the HMAC that make a name: among a million names two are alike with a chance of one in a trillion."""

_KEPT_ADDRESSES: Final = frozenset({b"", b"#@[]"})
"""Addresses that are nobody's: the sender of a bounce and of a double bounce. Source: qmail-send.c injectbounce()."""

_CACHE_SIZE: Final = 500_000
"""Most pseudonyms that are kept ready."""


@dataclass(slots=True)
class Pseudonyms:
    """What gives names other names.

    Attributes:
        key: The secret; at least 16 octets.

    Raises:
        FormatError: The key is too short.

    Example:
        >>> names = Pseudonyms(b"a key for this example only")
        >>> names.address(b"Ann@Example.com") == names.address(b"ann@example.com")
        True
        >>> names.host(b"example.com") == names.address(b"ann@example.com").partition(b"@")[2]
        True
    """

    key: bytes = field(repr=False)
    _known: dict[tuple[str, bytes], bytes] = field(default_factory=dict, repr=False)
    _taken: dict[bytes, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse a key that could be guessed."""
        if len(self.key) < MIN_KEY_BYTES:
            raise FormatError(f"a key of at least {MIN_KEY_BYTES} octets")

    def digest(self, what: str, name: bytes) -> bytes:
        """Return the HMAC of a name of some kind."""
        return hmac.digest(self.key, what.encode() + b"\0" + name, "sha256")

    def _name(self, what: str, name: bytes) -> bytes:
        """Return a letter for the kind, and 16 letters and digits."""
        lower = name.lower()
        known = self._known.get((what, lower))
        if known is None:
            if len(self._known) >= _CACHE_SIZE:
                self._known.clear()
            digest = base64.b32encode(self.digest(what, lower)[:_DIGEST_BYTES]).lower()
            known = self._known[what, lower] = what[:1].encode() + digest
        return known

    def user(self, user: bytes) -> bytes:
        """Return the pseudonym of a user: of an address if it is one, else of its part before the ``@``."""
        return self.address(user) if b"@" in user or not user else self._name("user", user)

    def address(self, address: bytes) -> bytes:
        """Return the pseudonym of an address: its two parts apart; nobody's addresses stay."""
        if address in _KEPT_ADDRESSES:
            return address
        local, at, domain = address.rpartition(b"@")
        if not at:
            return self._name("user", domain)
        return (self._name("user", local) if local else b"") + at + self.host(domain)

    def host(self, host: bytes) -> bytes:
        """Return the pseudonym of a host or a domain: of the address in it if it is one, in brackets or without."""
        inner = host[1:-1] if host[:1] == b"[" and host[-1:] == b"]" else None
        if host == b"" or inner == b"":
            return host
        bare = host if inner is None else inner
        tag, bare = (bare[:5], bare[5:]) if bare[:5].lower() == b"ipv6:" else (b"", bare)
        if _parsed(bare) is not None:
            given = tag + self.ip(bare)
            return given if inner is None else b"[" + given + b"]"
        return self._name("domain", host.rstrip(b".") or host) + b".example"

    def part(self, name: bytes) -> bytes:
        """Return the pseudonym of a part of a path, or of another bare name."""
        return self._name("part", name)

    def ip(self, address: bytes) -> bytes:
        """Return the pseudonym of an IP address, of the same version; what is none gets a host's."""
        parsed = _parsed(address)
        if parsed is None:
            return self.host(address) if address else b""
        if isinstance(parsed, ipaddress.IPv4Address):
            return self._ip4(parsed)
        if parsed.ipv4_mapped is not None:
            return b"::ffff:" + self._ip4(parsed.ipv4_mapped)
        packed = b"\x20\x01\x0d\xb8" + self.digest("ip6", parsed.packed)[:12]
        return str(ipaddress.IPv6Address(packed)).encode()

    def _ip4(self, address: ipaddress.IPv4Address) -> bytes:
        """Return one of the 2**28 addresses from 240.0.0.0 on; no two in one run get the same."""
        wanted = address.packed
        known = self._known.get(("ip4", wanted))
        tries = 0
        while known is None:
            digest = self.digest("ip4", wanted + bytes([tries]) if tries else wanted)
            candidate = str(ipaddress.IPv4Address(bytes([digest[0] | 0xF0]) + digest[1:4])).encode()
            if self._taken.setdefault(candidate, wanted) == wanted:
                known = self._known["ip4", wanted] = candidate
            tries += 1
        return known


def _parsed(address: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address.decode("ascii"))
    except ValueError:
        return None
