"""What an administrator should know about rules that tcprules takes without a word.

Source: IndiMail ucspi-tcp-x tcprules.c `doaddressdata()`, rules.c `doit()`; tests/data/indimail/tcprules/odd-lines.txt.

Rule 1: a note never quotes a value; it may be a password.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from indimail_kit.control.tcprules import Record, Rules, match_of

_PREFIX_WITHOUT_DOT: Final = re.compile(r"\d{1,3}(\.\d{1,3}){0,2}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USUAL_QUOTES: Final = b"\"'/|#%+~^*;:."


@dataclass(frozen=True, slots=True)
class RuleNote:
    """Something that a rule does or fails to do, though it looks otherwise.

    Attributes:
        rule: The address of the rule, ":" for that of everybody.
        line_number: Its line, None for a cdb.
        text: What there is to know.
    """

    rule: str
    line_number: int | None
    text: str


def note_rules(rules: Rules) -> tuple[RuleNote, ...]:
    """Tell what is surprising about rules, in their order.

    Example:
        >>> from indimail_kit.control.tcprules import parse_rules
        >>> [note.text for note in note_rules(parse_rules("192.168:deny"))]
        ['no dot at the end: it matches nobody; the network is written 192.168.']
    """
    first: dict[bytes, Record] = {}
    notes: dict[RuleNote, None] = {}
    for record in rules.records:
        rule = match_of(record).rule or ":"
        texts = [*_address_notes(rule), *_change_notes(record)]
        earlier = first.setdefault(record.key, record)
        if earlier is not record:
            where = f"line {earlier.line_number} has" if earlier.line_number is not None else "an earlier record has"
            texts.append(f"it counts for nothing: {where} the same address")
        notes.update(dict.fromkeys(RuleNote(rule, record.line_number, text) for text in texts))
    return tuple(notes)


def _address_notes(rule: str) -> Iterator[str]:
    """Yield what there is to know about an address."""
    if rule != rule.strip():
        yield "a blank belongs to the address: it matches nobody"
    elif "*" in rule:
        yield "* is no wildcard: it matches nobody; a network ends in a dot, a domain begins with =."
    elif rule.endswith("@"):
        yield "nothing is behind @: it matches nobody"
    elif "=" in rule or "@" in rule or rule == ":":
        return
    elif "/" in rule:
        yield "/ makes no network: it is kept as it stands and matches nobody; a network ends in a dot"
    elif _PREFIX_WITHOUT_DOT.fullmatch(rule):
        yield f"no dot at the end: it matches nobody; the network is written {rule}."
    elif rule.endswith(":") and not _is_ipv6(rule):
        yield "IPv6 addresses match whole only: as a prefix it matches nobody"


def _change_notes(record: Record) -> Iterator[str]:
    """Yield what there is to know about the variables of a rule."""
    if record.octets.startswith(b"D\0") and len(record.octets) > len(b"D\0"):
        yield "what is behind deny counts for nothing"
    for name, value in match_of(record).changes:
        if not _NAME.fullmatch(name):
            yield f"the variable is named {name!r}: blanks and signs belong to the name"
        strange = sorted({one for one in value or "" if not one.isascii()})
        if strange:
            names = ", ".join(_name_of(one) for one in strange[:3])
            yield f"the value of {name} holds characters outside ASCII ({names}): pasted from a web page?"
    for quote in sorted(set(record.quotes) - set(_USUAL_QUOTES)):
        shown = f"the letter {chr(quote)!r}" if 0x20 < quote < 0x7F else f"octet 0x{quote:02x}"
        yield f"the quote around a value is {shown}: tcprules takes any octet, people expect ' or \""


def _name_of(character: str) -> str:
    """Return a character's name; an octet that is not UTF-8 has a number only."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"octet 0x{code - 0xDC00:02x}"
    return unicodedata.name(character, f"U+{code:04X}")


def _is_ipv6(text: str) -> bool:
    """Say whether a text is a whole IPv6 address."""
    with suppress(ValueError):
        ipaddress.IPv6Address(text)
        return True
    return False
