"""tcp.smtp: rules by client address, and the look-up that tcpserver does with them.

Source: IndiMail ucspi-tcp-x tcprules.c `main()`, `doaddressdata()` (text -> records), rules.c `doit()` (look-up),
tcprulescheck.c `found()` (what a record says); facts recorded in tests/data/indimail/tcprules.

Note for maintainers: the text is read as the C program reads it, oddities included, because an administrator needs to
know what a rule does, not what it should do:

* the address ends at the first ``:`` that ``allow`` or ``deny`` follows, so IPv6 addresses need no brackets;
* a line with a colon but without ``:allow`` or ``:deny`` is dropped without a word (it is in `Rules.ignored` here);
* a line of blanks only is fatal (111), an empty one is not;
* a blank before a variable's name belongs to the name; the quote around a value may be any character;
* a quote is one octet: of a typographic one in UTF-8 (three octets) the first alone is taken, and the line is refused;
* ``10.0.0.250-260`` stops at 255; ``10.0.0.0/8`` is stored as it stands and matches nobody;
* no rule at all means: allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from indimail_kit.control.rule_keys import candidate_keys, encode_text
from indimail_kit.errors import RulesError

Action = Literal["allow", "deny"]
"""What tcpserver does with the connection."""

BAD_LINE: Final = 100
"""tcprules' exit code for a line it cannot parse. Source: tcprules.c `die_bad()`."""

NO_COLON: Final = 111
"""tcprules' exit code for a line without a colon. Source: tcprules.c `main()`."""

MAX_OCTET: Final = 255
"""Where a range of addresses ends at the latest. Source: tcprules.c `doaddressdata()`."""

MAX_RULES_BYTES: Final = 16 * 2**20
"""Largest text and largest cdb that is read or made (unit: octets); ours, against files without an end."""

POINTERS_BYTES: Final = 2048
"""What a cdb begins with: 256 pairs of position and length (unit: octets). Source: cdb.txt of D. J. Bernstein."""

RECORD_BYTES: Final = 24
"""What a record needs in a cdb beside key and value: two lengths and two slots (unit: octets). Source: cdb.txt."""

_ULONG: Final = 2**64
"""scan_ulong() wraps around here."""

_DIGITS: Final = re.compile(rb"[0-9]*")
_ACTION: Final = re.compile(rb":(?=deny|allow)")


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
        line_number: Line of the text, counted from 1; None for a record that was read from a cdb.
        quotes: The octets that stood around the values, in order; a cdb does not keep them.
    """

    key: bytes
    octets: bytes = field(repr=False)
    line_number: int | None = None
    quotes: bytes = b""


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
        line_number: Line of the rule; None when no rule matched, or when it is in a cdb.
    """

    rule: str
    action: Action
    changes: tuple[Change, ...] = field(default=(), repr=False)
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
        is_cdb: Whether that was a cdb; it knows no lines.
    """

    records: tuple[Record, ...]
    ignored: tuple[IgnoredLine, ...] = ()
    source: str = ""
    is_cdb: bool = False
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
            rules.c `doit()`; see `rule_keys.candidate_keys` for the order.
        """
        record = self._first.get(self.tried_keys(ip, info=info, host=host)[-1])
        return DEFAULT_MATCH if record is None else match_of(record)

    def tried_keys(self, ip: str, *, info: str = "", host: str = "") -> tuple[bytes, ...]:
        """Return the keys that a look-up tries, in order; the last one is the match, if there is one."""
        tried: list[bytes] = []
        for key in candidate_keys(ip, info=info, host=host):
            tried.append(key)
            if key in self._first:
                break
        return tuple(tried)


def parse_rules(text: str | bytes, *, source: str = "") -> Rules:
    """Read the text of a rule file as tcprules does.

    Raises:
        RulesError: tcprules would refuse the text; exit_code and line_number say how and where.

    Example:
        >>> parse_rules('127.:allow,RELAYCLIENT=""').find("127.0.0.1").environment
        {'RELAYCLIENT': ''}
    """
    octets = encode_text(text, source)
    if len(octets) > MAX_RULES_BYTES:
        raise RulesError(f"a text of at most {MAX_RULES_BYTES} octets", source=source)
    records: list[Record] = []
    ignored: list[IgnoredLine] = []
    room_bytes = MAX_RULES_BYTES - POINTERS_BYTES
    for line_number, whole in enumerate(octets.split(b"\n"), start=1):
        if not whole or whole.startswith(b"#"):
            continue
        line = whole.rstrip(b" \t")
        try:
            parsed = _parse_line(line)
            if parsed is None:
                ignored.append(IgnoredLine(line_number, _decode(line)))
                continue
            for key in _expand(parsed.address):
                room_bytes = _room_left(room_bytes - RECORD_BYTES - len(key) - len(parsed.octets))
                records.append(Record(key, parsed.octets, line_number, parsed.quotes))
        except RulesError as error:
            raise RulesError(
                error.expected, exit_code=error.exit_code, line_number=line_number, source=source
            ) from None
    return Rules(tuple(records), tuple(ignored), source)


def _decode(octets: bytes) -> str:
    """Decode as Python decodes an environment."""
    return octets.decode("utf-8", "surrogateescape")


def _room_left(room_bytes: int) -> int:
    """Refuse rules that need more room in a cdb than there is."""
    if room_bytes < 0:
        raise RulesError(f"rules whose cdb has at most {MAX_RULES_BYTES} octets")
    return room_bytes


class _ParsedLine(NamedTuple):
    """A rule before its address is expanded."""

    address: bytes
    octets: bytes
    quotes: bytes


def _parse_line(line: bytes) -> _ParsedLine | None:
    """Return what one line says; None when tcprules drops it."""
    if b":" not in line:
        raise RulesError("a colon on a line that is not empty", exit_code=NO_COLON)
    colon = _ACTION.search(line)
    if colon is None:
        return None
    is_denied = line.startswith(b"deny", colon.end())
    octets, quotes = bytearray(b"D\0" if is_denied else b""), bytearray()
    at = colon.end() + len("deny" if is_denied else "allow")
    while at < len(line):
        at = _parse_change(line, at, octets, quotes)
    return _ParsedLine(line[: colon.start()], bytes(octets), bytes(quotes))


def _parse_change(line: bytes, at: int, octets: bytearray, quotes: bytearray) -> int:
    """Read one ``,NAME="value"`` or ``,!NAME``; add what the record keeps of it, and return where the rest begins."""
    if not line.startswith(b",", at):
        raise RulesError(_typographic(quotes) or "a comma behind allow, deny or a value")
    comma = line.find(b",", at + 1)
    comma = comma if comma >= 0 else len(line)
    equals = line.find(b"=", at + 1, comma)
    name = line[at + 1 : comma if equals < 0 else equals]
    if equals < 0:
        if not name.startswith(b"!") or len(name) < 2:
            raise RulesError('NAME="value" or !NAME behind a comma')
        octets += b"-" + name[1:] + b"\0"
        return comma
    quote = line[equals + 1 : equals + 2]
    end = line.find(quote, equals + 2) if quote else -1
    quotes += quote
    if end < 0:
        raise RulesError(_typographic(quotes) or "a value between two equal quotes")
    octets += b"+" + name + b"=" + line[equals + 2 : end] + b"\0"
    return end + 1


def _typographic(quotes: bytes | bytearray) -> str:
    """Say what is wrong when the quote around the last value was an octet of a typographic one, else ""."""
    if not quotes or quotes[-1] < 0x80:
        return ""
    return (
        "a plain ' or \" around each value; the quote here is typographic, as web pages print it, and tcprules takes "
        f"its first octet (0x{quotes[-1]:02x}) alone for the quote"
    )


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


def match_of(record: Record) -> Match:
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
