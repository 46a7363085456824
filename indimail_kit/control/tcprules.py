"""tcp.smtp: rules by client address, and the look-up that tcpserver does with them.

Source: IndiMail ucspi-tcp-x tcprules.c `main()`, `doaddressdata()` (text -> records), rules.c `doit()` (look-up),
tcprulescheck.c `found()` (what a record says); facts recorded in tests/data/indimail/tcprules.

Note for maintainers: the text is read as the C program reads it, oddities included, because an administrator needs to
know what a rule does, not what it should do:

* the address ends at the first ``:`` that ``allow`` or ``deny`` follows, so IPv6 addresses need no brackets;
* a line with a colon but without ``:allow`` or ``:deny`` is dropped without a word (it is in `Rules.ignored` here);
* a line of blanks only is fatal (111), an empty one is not;
* a blank before a variable's name belongs to the name; the quote around a value may be any character;
* ``10.0.0.250-260`` stops at 255; ``10.0.0.0/8`` is stored as it stands and matches nobody;
* no rule at all means: allowed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from indimail_kit.errors import RulesError

Action = Literal["allow", "deny"]
"""What tcpserver does with the connection."""

BAD_LINE: Final = 100
"""tcprules' exit code for a line it cannot parse. Source: tcprules.c `die_bad()`."""

NO_COLON: Final = 111
"""tcprules' exit code for a line without a colon. Source: tcprules.c `main()`."""

MAX_OCTET: Final = 255
"""Where a range of addresses ends at the latest. Source: tcprules.c `doaddressdata()`."""

_ULONG: Final = 2**64
"""scan_ulong() wraps around here."""

_DIGITS: Final = re.compile(rb"[0-9]*")
_ACTION: Final = re.compile(rb":(?=deny|allow)")
_IPV4_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz123456"
_IPV6_FIRST_LETTER: Final = 0x60


class Change(NamedTuple):
    """One thing that a rule does to the environment; value is None where the variable is unset."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the cdb that tcprules would write.

    Attributes:
        key: The address as it is looked up.
        octets: ``D`` NUL for deny, ``+NAME=value`` NUL, ``-NAME`` NUL.
        line_number: Line of the text, counted from 1.
    """

    key: bytes
    octets: bytes
    line_number: int


@dataclass(frozen=True, slots=True)
class IgnoredLine:
    """A line that tcprules drops without a word.

    Attributes:
        line_number: Counted from 1.
        text: The line without its end.
    """

    line_number: int
    text: str


@dataclass(frozen=True, slots=True)
class Match:
    """What applies to a client.

    Attributes:
        rule: The address of the rule; "" for the rule of everybody, "default" when there was none.
        action: Whether the connection is taken.
        changes: What happens to the environment, in order.
        is_default: Whether no rule matched.
        line_number: Line of the rule, None when no rule matched.
    """

    rule: str
    action: Action
    changes: tuple[Change, ...] = ()
    is_default: bool = False
    line_number: int | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that are set in the end."""
        final = {change.name: change.value for change in self.changes}
        return {name: value for name, value in final.items() if value is not None}

    @property
    def unset(self) -> tuple[str, ...]:
        """Return the variables that are unset in the end, in order."""
        final = {change.name: change.value for change in self.changes}
        return tuple(name for name, value in final.items() if value is None)

    def lines(self) -> tuple[str, ...]:
        """Return what tcprulescheck prints, line by line."""
        if self.is_default:
            return ("default:", "allow connection")
        changes = (
            f"unset environment variable {name}" if value is None else f"set environment variable {name}={value}"
            for name, value in self.changes
        )
        return (f"rule {self.rule}:", *changes, f"{self.action} connection")


DEFAULT_MATCH: Final = Match("default", "allow", is_default=True)
"""What applies when no rule does. Source: tcprulescheck.c `main()`."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one file.

    Attributes:
        records: In the order of the file; for a key that is there twice the first one counts.
        ignored: Lines that do nothing, though they look like rules.
        source: File they come from, or "".
    """

    records: tuple[Record, ...]
    ignored: tuple[IgnoredLine, ...] = ()
    source: str = ""
    _first: dict[bytes, Record] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the records."""
        object.__setattr__(self, "_first", {record.key: record for record in reversed(self.records)})

    def find(self, ip: str, *, info: str = "", host: str = "") -> Match:
        """Tell what applies to a client.

        Args:
            ip: TCPREMOTEIP.
            info: TCPREMOTEINFO, "" when it is not known.
            host: TCPREMOTEHOST, "" when it is not known.

        Source:
            rules.c `doit()`; see `candidate_keys` for the order.
        """
        for key in candidate_keys(ip, info=info, host=host):
            record = self._first.get(key)
            if record is not None:
                return _match(record)
        return DEFAULT_MATCH


def parse_rules(text: str | bytes, *, source: str = "") -> Rules:
    """Read the text of a rule file as tcprules does.

    Raises:
        RulesError: tcprules would refuse the text; exit_code and line_number say how and where.

    Example:
        >>> parse_rules('127.:allow,RELAYCLIENT=""').find("127.0.0.1").environment
        {'RELAYCLIENT': ''}
    """
    records: list[Record] = []
    ignored: list[IgnoredLine] = []
    for line_number, whole in enumerate(_encode(text, source).split(b"\n"), start=1):
        if not whole or whole.startswith(b"#"):
            continue
        line = whole.rstrip(b" \t")
        try:
            address, octets = _parse_line(line)
            keys = tuple(_expand(address)) if address is not None else ()
        except RulesError as error:
            raise RulesError(
                error.expected, exit_code=error.exit_code, line_number=line_number, source=source
            ) from None
        if address is None:
            ignored.append(IgnoredLine(line_number, _decode(line)))
        records += [Record(key, octets, line_number) for key in keys]
    return Rules(tuple(records), tuple(ignored), source)


def candidate_keys(ip: str, *, info: str = "", host: str = "") -> Iterator[bytes]:
    """Yield the keys that are looked up for a client, the first match wins.

    info@IP, info@=host, the expanded IPv6 address, the address as given, =host, IPv4 prefixes that end in a dot
    from the longest, network bits, =.domain from the longest, =, and last the empty key.

    Deviation:
        For an address that is none, and for IPv6 network bits when the host is known, rules.c reads leftover memory;
        here these keys are left out.
    """
    address, who, name = (_encode(part, "") for part in (ip, info, host))
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


def _encode(text: str | bytes, source: str) -> bytes:
    if isinstance(text, bytes):
        return text
    with suppress(UnicodeEncodeError):
        return text.encode("utf-8", "surrogateescape")
    raise RulesError("text without lone surrogates", source=source)


def _decode(octets: bytes) -> str:
    """Decode as Python decodes an environment."""
    return octets.decode("utf-8", "surrogateescape")


def _parse_line(line: bytes) -> tuple[bytes | None, bytes]:
    """Return address and record of one line; no address when tcprules drops the line."""
    if b":" not in line:
        raise RulesError("a colon on a line that is not empty", exit_code=NO_COLON)
    colon = _ACTION.search(line)
    if colon is None:
        return None, b""
    is_denied = line.startswith(b"deny", colon.end())
    octets = b"D\0" if is_denied else b""
    rest = line[colon.end() + len("deny" if is_denied else "allow") :]
    while rest:
        change, rest = _parse_change(rest)
        octets += change
    return line[: colon.start()], octets


def _parse_change(text: bytes) -> tuple[bytes, bytes]:
    """Read one ``,NAME="value"`` or ``,!NAME``; return what the record keeps of it and the text behind it."""
    if not text.startswith(b","):
        raise RulesError("a comma behind allow, deny or a value")
    comma, equals = _index(text, b","), _index(text, b"=")
    if equals >= comma:
        name = text[1:comma]
        if not name.startswith(b"!") or len(name) < 2:
            raise RulesError('NAME="value" or !NAME behind a comma')
        return b"-" + name[1:] + b"\0", text[comma:]
    quote = text[equals + 1 : equals + 2]
    end = text.find(quote, equals + 2) if quote else -1
    if end < 0:
        raise RulesError("a value between two equal quotes")
    return b"+" + text[1 : equals + 1] + text[equals + 2 : end] + b"\0", text[end + 1 :]


def _index(text: bytes, char: bytes) -> int:
    """Return where a character stands behind the first octet, or the length of the text."""
    at = text.find(char, 1)
    return at if at >= 0 else len(text)


def _expand(address: bytes) -> Iterator[bytes]:
    """Yield the keys of an address: one, or one for each number of a range."""
    if b"-" not in address or b"=" in address or b"@" in address:
        yield address
        return
    before, _hyphen, after = address.partition(b"-")
    head, dot, bottom = before.rpartition(b".")
    top, rest_dot, rest = after.partition(b".")
    for number in range(_number(bottom), min(_number(top), MAX_OCTET) + 1):
        yield head + dot + b"%d" % number + rest_dot + rest


def _number(text: bytes) -> int:
    """Read a number as getnum() does: an empty one is 0, and a NUL ends it."""
    digits = text.partition(b"\0")[0]
    if not _DIGITS.fullmatch(digits):
        raise RulesError("digits on both sides of the hyphen")
    value = 0
    for digit in digits:
        value = (value * 10 + digit - 0x30) % _ULONG
    return value


def _match(record: Record) -> Match:
    """Say what a record means; nothing behind D counts."""
    changes: list[Change] = []
    action: Action = "allow"
    for part in record.octets.split(b"\0")[:-1]:
        if part.startswith(b"D"):
            action = "deny"
            break
        name, _equals, value = _decode(part[1:]).partition("=")
        if part.startswith(b"+"):
            changes.append(Change(name, value))
        elif part.startswith(b"-"):
            changes.append(Change(_decode(part[1:]), None))
    return Match(_decode(record.key), action, tuple(changes), line_number=record.line_number)


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
