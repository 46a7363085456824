"""ClamAV's hexadecimal patterns: octets, and the holes between them.

Source: ClamAV manual, "Body-based Signature Content Format"; what clamd 1.4.6 refuses to load was tried, line by line.

Rule 1: what clamd takes and then never finds (``{9-2}``) is refused like what it does not take.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from indimail_kit.errors import FormatError

STRETCH_MINIMUM: Final = 2
"""Octets in a row that each stretch between two gaps must hold (unit: octets), or clamd does not load its database."""

SHOWN_OCTETS: Final = 24
"""Octets of a stretch that an explanation shows (unit: octets); a marker never stands in it as a whole."""

_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_NIBBLE: Final = re.compile(r"[0-9a-fA-F]\?|\?[0-9a-fA-F]")
_CHOICE: Final = re.compile(r"!?\(([0-9a-fA-F?]+(?:\|[0-9a-fA-F?]+)*)\)")
_BOUNDARY: Final = re.compile(r"!?\(([BLW])\)")
_COUNTS: Final = re.compile(r"([0-9]{1,6})?(-)?([0-9]{1,6})?")

BOUNDARIES: Final = {
    "B": "a word boundary: an octet that is neither letter nor digit, or an end of the file",
    "L": "a line boundary: CR, LF, or an end of the file",
    "W": "an octet that is neither letter nor digit",
}
"""Letter in parentheses -> what stands there. Source: ClamAV manual, "Character classes"."""


@dataclass(frozen=True, slots=True)
class PatternPart:
    """One piece of a pattern.

    Attributes:
        text: As it stands in the signature.
        meaning: What it matches, as a phrase.
        kind: "octets", "hole" (a fixed number of octets, each of many), or "gap" (any number of octets, within limits).
        fixed: The octets that must be there, b"" for a hole or gap.
    """

    text: str
    meaning: str
    kind: str
    fixed: bytes = b""


def describe_octets(octets: bytes) -> str:
    """Return octets for a person: in quotes where they are printable ASCII, else in hexadecimal; long ones cut.

    Example:
        >>> describe_octets(b"Dear customer")
        '"Dear customer"'
    """
    shown = octets[:SHOWN_OCTETS]
    more = "…" if len(octets) > SHOWN_OCTETS else ""
    if all(0x20 <= octet <= 0x7E for octet in shown):
        return f'"{shown.decode("ascii")}{more}"'
    return shown.hex(" ") + more


def _octets(text: str) -> PatternPart:
    octets = bytes.fromhex(text)
    return PatternPart(text, f"{len(octets)} octets: {describe_octets(octets)}", "octets", octets)


def _nibble(text: str) -> PatternPart:
    half = f"its low half is {text[1]}" if text[0] == "?" else f"its high half is {text[0]}"
    return PatternPart(text, f"one octet of which {half}", "hole")


def _choice(text: str, offset: int) -> PatternPart:
    choices = text.strip("!()").split("|")
    for choice in choices:
        if len(choice) % 2:
            raise FormatError("two hexadecimal digits for each octet of a choice", offset=offset)
    shown = " or ".join(describe_octets(bytes.fromhex(one)) if "?" not in one else one for one in choices)
    if text.startswith("!"):
        if len({len(choice) for choice in choices}) != 1:
            raise FormatError("choices of one length behind !", offset=offset)
        return PatternPart(text, f"neither {shown}" if len(choices) > 1 else f"not {shown}", "hole")
    return PatternPart(text, shown, "hole")


def _boundary(text: str) -> PatternPart:
    meaning = BOUNDARIES[text.strip("!()")]
    return PatternPart(text, f"no place with {meaning}" if text.startswith("!") else meaning, "hole")


def _counted(text: str, offset: int) -> PatternPart:
    """Read ``{n}``, ``{-n}``, ``{n-}``, ``{n-m}`` and the same in square brackets."""
    match = _COUNTS.fullmatch(text[1:-1])
    least, dash, most = match.groups() if match else (None, None, None)
    if (least or most) is None or (text[0] == "[" and not (least and most)):
        raise FormatError("a count such as {4}, {-8}, {4-} or {4-8}, or [4-8]", offset=offset)
    if dash is None:
        return PatternPart(text, f"any {least} octets", "gap")
    if least and most and int(least) > int(most):
        raise FormatError("a count whose first number is not above the second", offset=offset)
    ranges = {(True, True): f"{least} to {most}", (False, True): f"at most {most}", (True, False): f"at least {least}"}
    return PatternPart(text, f"any {ranges[least is not None, most is not None]} octets", "gap")


def _part_at(text: str, position: int) -> PatternPart:
    """Return the part that begins at a position."""
    for pattern, make in ((_HEX, _octets), (_NIBBLE, _nibble), (_BOUNDARY, _boundary)):
        if match := pattern.match(text, position):
            return make(match.group())
    if text.startswith("??", position):
        return PatternPart("??", "any octet", "hole")
    if text[position] == "*":
        return PatternPart("*", "any number of octets, none too", "gap")
    if match := _CHOICE.match(text, position):
        return _choice(match.group(), position)
    closing = {"{": "}", "[": "]"}.get(text[position], "")
    end = text.find(closing, position) if closing else -1
    if end > 0:
        return _counted(text[position : end + 1], position)
    raise FormatError("two hexadecimal digits, ??, a?, ?a, *, {…}, […], (…|…) or !(…)", offset=position)


def parse_pattern(text: str) -> tuple[PatternPart, ...]:
    """Read the hexadecimal part of a signature.

    Args:
        text: The pattern as it stands in a .ndb line, or as one subsignature of a .ldb line.

    Raises:
        FormatError: It breaks the grammar, or clamd would refuse it; `offset` counts characters.

    Example:
        >>> [part.meaning for part in parse_pattern("44656172{2-8}637573746f6d6572")]
        ['4 octets: "Dear"', 'any 2 to 8 octets', '8 octets: "customer"']
    """
    if not text:
        raise FormatError("a pattern of hexadecimal digits", offset=0)
    parts: list[PatternPart] = []
    position = 0
    while position < len(text):
        parts.append(_part_at(text, position))
        position += len(parts[-1].text)
    _require_stretches(parts)
    return tuple(parts)


def _require_stretches(parts: Iterable[PatternPart]) -> None:
    """Refuse what clamd refuses: a gap without two octets in a row on both sides."""
    stretches = [[0]]
    for part in parts:
        if part.kind != "gap":
            stretches[-1].append(len(part.fixed))
        elif not part.text.startswith("["):
            stretches.append([0])
    if any(max(lengths) < STRETCH_MINIMUM for lengths in stretches):
        raise FormatError(f"at least {STRETCH_MINIMUM} octets in a row on each side of a gap")


def fixed_count(parts: Iterable[PatternPart]) -> int:
    """Return how many octets of a pattern are fixed: what chance must hit (unit: octets)."""
    return sum(len(part.fixed) for part in parts)
