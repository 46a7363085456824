"""Where a recipient lives, and how addresses are written into headers: pure functions on bytes.

Source: IndiMail todo-proc.c `rewrite()`, qmail-send.c `senderadd()` and `stripvdomprepend()`, libqmail quote.c.

Rule 1: addresses are bytes from the envelope and may hold anything but NUL; a newline never reaches a header.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from indimail_kit.delivery.schedule import Channel

_ATOM_OCTETS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~.")
"""Octets that need no quotes in a local part. Source: RFC 5322 section 3.2.3 (atext and the dot)."""

_ESCAPED: Final = frozenset(b'\r\n"\\')
"""Octets that need a backslash within quotes. Source: libqmail quote.c."""

VERP_END: Final = b"-@[]"
"""End of a sender that wants a different return path for each recipient. Source: qmail-send(8)."""


class Route(NamedTuple):
    """What todo-proc writes for one recipient: the channel and the rewritten address."""

    channel: Channel
    address: bytes


def _key(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").lower()


@dataclass(frozen=True, slots=True)
class Routing:
    """The control files that decide between local and remote.

    Attributes:
        locals: control/locals: domains whose mailboxes are here.
        virtual_domains: control/virtualdomains: address, domain, ".suffix" or "" -> prefix; no prefix means remote.
        percent_hack: control/percenthack: domains for which user%host@domain means user@host.
        default_host: control/envnoathost: host of an address without one.
    """

    locals: Collection[str]
    virtual_domains: Mapping[str, str] = field(default_factory=dict)
    percent_hack: Collection[str] = ()
    default_host: str = "localhost"

    def rewrite(self, address: bytes) -> Route:
        """Return the way of one recipient of the envelope.

        Example:
            >>> Routing(locals={"example.com"}).rewrite(b"bob@example.com")
            Route(channel='local', address=b'bob@example.com')
            >>> Routing(locals={"example.com"}).rewrite(b"bob@example.net").channel
            'remote'
        """
        if b"@" not in address:
            address += b"@" + self.default_host.encode()
        address = self._undo_percent_hack(address)
        host = address.rpartition(b"@")[2]
        if host.lower() in {_key(domain) for domain in self.locals}:
            return Route("local", address)
        prefix = self._virtual_prefix(address)
        if prefix:
            return Route("local", prefix.encode() + b"-" + address)
        return Route("remote", address)

    def strip_prefix(self, address: bytes) -> bytes:
        """Return a local recipient without the prefix of its virtual domain, as people know it."""
        host = address.rpartition(b"@")[2]
        prefix = self._virtual_prefix(b"@" + host).encode() + b"-"
        return address.removeprefix(prefix) if len(prefix) > 1 else address

    def _undo_percent_hack(self, address: bytes) -> bytes:
        hacked = {_key(domain) for domain in self.percent_hack}
        local, _, host = address.rpartition(b"@")
        while host.lower() in hacked and b"%" in local:
            local, _, host = local.rpartition(b"%")
        return local + b"@" + host

    def _virtual_prefix(self, address: bytes) -> str:
        """Return the prefix of the first entry that fits: address, domain, its suffixes from the longest, then ""."""
        known = {_key(name): prefix for name, prefix in self.virtual_domains.items()}
        lowered = address.lower()
        start_of_host = lowered.rfind(b"@") + 1
        places = [0, start_of_host]
        places += [place for place in range(start_of_host, len(lowered)) if lowered[place] == ord(".")]
        places.append(len(lowered))
        for place in places:
            prefix = known.get(lowered[place:])
            if prefix is not None:
                return prefix
        return ""


def quote_address(address: bytes) -> bytes:
    r"""Write an address for a header: the local part in quotes where it needs them, a newline as an underscore.

    Source:
        libqmail quote.c `quote2()`; qmail-local.c (newline -> _ in Return-Path and Delivered-To).

    Example:
        >>> quote_address(b'sp ace@example.com')
        b'"sp ace"@example.com'
    """
    local, at, host = address.rpartition(b"@")
    if not at:
        local, host = address, b""
    return (_quote_local_part(local) + at + host).replace(b"\n", b"_").replace(b"\r", b"_")


def _quote_local_part(local: bytes) -> bytes:
    is_atom = set(local) <= _ATOM_OCTETS and not local.startswith(b".") and not local.endswith(b".")
    if not local or (is_atom and b".." not in local):
        return local
    escaped = b"".join(b"\\%c" % octet if octet in _ESCAPED else b"%c" % octet for octet in local)
    return b'"' + escaped + b'"'


def sender_for(sender: bytes, recipient: bytes) -> bytes:
    """Return the return path for one recipient: only a sender that ends in -@[] differs from recipient to recipient.

    Source:
        qmail-send.c `senderadd()`: owner-@host-@[] and recip@reciphost give owner-recip=reciphost@host.

    Example:
        >>> sender_for(b"list-@example.com-@[]", b"bob@example.net")
        b'list-bob=example.net@example.com'
    """
    if not sender.endswith(VERP_END):
        return sender
    list_name, at, list_host = sender[: -len(VERP_END)].rpartition(b"@")
    box, recipient_at, host = recipient.rpartition(b"@")
    if not at or not recipient_at:
        return sender
    return list_name + box + b"=" + host + b"@" + list_host
