r"""POSIX extended regular expressions in linear time, for vfilter's comparison "RegExp".

Source: POSIX.1-2017, XBD 9.4 (extended regular expressions); IndiMail libqmail matchregex(): REG_EXTENDED | REG_ICASE,
any place of the text.

Why not `re`: the keyword comes from a user and the text from a stranger, and a backtracking matcher can be made to run
for ages by the two together. Here the expression becomes a small machine whose states are all followed at once, so that
the time is states x octets, and both are limited.

Rule 1: what this module does not do the same way as the C library it refuses, with FilterError: back references,
collating symbols, and a backslash before a letter or digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from indimail_kit.errors import FilterError

MAX_PATTERN_OCTETS: Final = 255
"""Longest expression (unit: octets). The keyword column has 64."""

MAX_STATES: Final = 1000
"""Largest machine, reached only by nested counts such as (a{99}){99}."""

MAX_DEPTH: Final = 50
"""Deepest nesting of round brackets."""

MAX_COUNT: Final = 255
"""Largest number within { }. Source: POSIX _POSIX_RE_DUP_MAX."""

_ALL: Final = (1 << 256) - 1
_COUNTED: Final = {ord("*"): (0, None), ord("+"): (1, None), ord("?"): (0, 1)}


def _mask(octets: bytes) -> int:
    mask = 0
    for octet in octets:
        mask |= 1 << octet
    return mask


_LOWER: Final = bytes(range(ord("a"), ord("z") + 1))
_UPPER: Final = bytes(range(ord("A"), ord("Z") + 1))
_DIGIT: Final = b"0123456789"
_PUNCT: Final = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

_CLASSES: Final = {
    b"alpha": _mask(_LOWER + _UPPER),
    b"lower": _mask(_LOWER),
    b"upper": _mask(_UPPER),
    b"digit": _mask(_DIGIT),
    b"alnum": _mask(_LOWER + _UPPER + _DIGIT),
    b"xdigit": _mask(_DIGIT + b"abcdefABCDEF"),
    b"space": _mask(b" \t\n\v\f\r"),
    b"blank": _mask(b" \t"),
    b"punct": _mask(_PUNCT),
    b"print": _mask(bytes(range(32, 127))),
    b"graph": _mask(bytes(range(33, 127))),
    b"cntrl": _mask(bytes(range(32)) + b"\x7f"),
}


@dataclass(frozen=True, slots=True)
class _Octet:
    """One octet out of a set (256 bits)."""

    mask: int


@dataclass(frozen=True, slots=True)
class _Anchor:
    """The start or the end of the text."""

    is_end: bool


@dataclass(frozen=True, slots=True)
class _Sequence:
    """One part after the other; no part matches the empty text."""

    parts: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """One of several parts."""

    parts: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    """A part, least to most times; most None is without end."""

    part: _Node
    least: int
    most: int | None


_Node = _Octet | _Anchor | _Sequence | _Choice | _Repeat


def _fold(mask: int) -> int:
    """Add the other case of every letter in the set."""
    shift = ord("a") - ord("A")
    return mask | (mask & _CLASSES[b"upper"]) << shift | (mask & _CLASSES[b"lower"]) >> shift


class _Parser:
    """Recursive descent over the octets of one expression."""

    def __init__(self, pattern: bytes) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0

    def error(self, expected: str) -> FilterError:
        return FilterError(expected, offset=self.at)

    def peek(self) -> int:
        """Return the next octet, or -1 at the end."""
        return self.pattern[self.at] if self.at < len(self.pattern) else -1

    def choice(self) -> _Node:
        parts = [self.sequence()]
        while self.peek() == ord("|"):
            self.at += 1
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else _Choice(tuple(parts))

    def sequence(self) -> _Node:
        parts: list[_Node] = []
        while (octet := self.peek()) != -1 and octet != ord("|") and not (octet == ord(")") and self.depth):
            parts.append(self.repeat())
        return parts[0] if len(parts) == 1 else _Sequence(tuple(parts))

    def repeat(self) -> _Node:
        if self.peek() in b"*+?{":
            raise self.error("something to repeat")
        node = self.atom()
        while (octet := self.peek()) in _COUNTED or octet == ord("{"):
            if isinstance(node, _Anchor):
                raise self.error("something to repeat")
            least, most = self.interval() if octet == ord("{") else _COUNTED[octet]
            self.at += 1
            node = _Repeat(node, least, most)
        return node

    def interval(self) -> tuple[int, int | None]:
        """Read {m}, {m,}, {,n} or {m,n}; stop on the closing brace."""
        end = self.pattern.find(b"}", self.at)
        low, comma, high = self.pattern[self.at + 1 : max(end, self.at)].partition(b",")
        is_number = all(text == b"" or (text.isdigit() and int(text) <= MAX_COUNT) for text in (low, high))
        if end < 0 or not is_number or not (low or comma):
            raise self.error(f"a count within {{ }} of at most {MAX_COUNT}")
        least = int(low or b"0")
        most = int(high) if high else (None if comma else least)
        if most is not None and most < least:
            raise self.error("a count within { } that does not fall")
        self.at = end
        return least, most

    def atom(self) -> _Node:
        octet = self.peek()
        self.at += 1
        if octet == ord("("):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise self.error(f"at most {MAX_DEPTH} brackets within each other")
            inside = self.choice()
            if self.peek() != ord(")"):
                raise self.error("a closing bracket")
            self.depth -= 1
            self.at += 1
            return inside
        if octet == ord("["):
            return _Octet(_fold(self.bracket()))
        if octet in b"^$":
            return _Anchor(is_end=octet == ord("$"))
        if octet == ord("."):
            return _Octet(_ALL & ~1)
        if octet == ord("\\"):
            octet = self.peek()
            self.at += 1
            if octet == -1 or chr(octet).isalnum() or octet in b"<>'`":
                raise self.error("a special character after the backslash")
        return _Octet(_fold(1 << octet))

    def bracket(self) -> int:
        """Read a bracket expression behind its "["; return the set."""
        is_negated = self.peek() == ord("^")
        self.at += is_negated
        mask = 0
        is_first = True
        while (octet := self.peek()) != ord("]") or is_first:
            is_first = False
            if octet == -1:
                raise self.error("a closing square bracket")
            if octet == ord("[") and self.pattern[self.at + 1 : self.at + 2] in (b":", b".", b"="):
                mask |= self.named_class()
            else:
                mask |= self.range()
        self.at += 1
        return _ALL & ~_fold(mask) & ~1 if is_negated else mask

    def named_class(self) -> int:
        end = self.pattern.find(b":]", self.at + 2)
        name = self.pattern[self.at + 2 : max(end, self.at + 2)]
        if self.pattern[self.at + 1] != ord(":") or name not in _CLASSES:
            raise self.error("a character class such as [:alpha:]")
        self.at = end + 2
        return _CLASSES[name]

    def range(self) -> int:
        low = self.peek()
        self.at += 1
        if self.peek() != ord("-") or self.pattern[self.at + 1 : self.at + 2] in (b"", b"]"):
            return 1 << low
        high = self.pattern[self.at + 1]
        if high == ord("[") and self.pattern[self.at + 2 : self.at + 3] in (b":", b".", b"="):
            raise self.error("a range between two characters")
        if high < low:
            raise self.error("a range that does not fall")
        self.at += 2
        return (1 << (high + 1)) - (1 << low)


class Ere:
    """A compiled expression.

    Attributes:
        pattern: The expression.

    Example:
        >>> Ere(b"^(virus|worm) found$").is_found(b"Virus found")
        True
    """

    __slots__ = ("_anchors", "_masks", "_next", "_start", "_steps", "pattern")

    def __init__(self, pattern: bytes) -> None:
        """Compile an expression.

        Raises:
            FilterError: The expression breaks the grammar, is too long, or asks for what Rule 1 refuses.
        """
        if len(pattern) > MAX_PATTERN_OCTETS or b"\0" in pattern:
            raise FilterError(f"a regular expression without NUL of at most {MAX_PATTERN_OCTETS} octets")
        self.pattern = pattern
        self._masks: dict[int, int] = {}
        self._anchors: dict[int, bool] = {}
        self._next: list[tuple[int, ...]] = [()]  # state 0: found
        self._steps = 0
        parser = _Parser(pattern)
        self._start = self._emit(parser.choice(), 0)

    def _add(self, *targets: int) -> int:
        if len(self._next) >= MAX_STATES:
            raise FilterError("a regular expression with smaller counts")
        self._next.append(targets)
        return len(self._next) - 1

    def _emit(self, node: _Node, then: int) -> int:
        """Build the states of a node in front of `then`; return the first."""
        self._steps += 1
        if self._steps > 4 * MAX_STATES:  # counts of the empty text make steps without states
            raise FilterError("a regular expression with smaller counts")
        match node:
            case _Octet(mask=mask):
                state = self._add(then)
                self._masks[state] = mask
                return state
            case _Anchor(is_end=is_end):
                state = self._add(then)
                self._anchors[state] = is_end
                return state
            case _Sequence(parts=parts):
                for part in reversed(parts):
                    then = self._emit(part, then)
                return then
            case _Choice(parts=parts):
                return self._add(*[self._emit(part, then) for part in parts])
        return self._emit_repeat(node.part, node.least, node.most, then)

    def _emit_repeat(self, part: _Node, least: int, most: int | None, then: int) -> int:
        if most is None:
            loop = self._add()
            self._next[loop] = (self._emit(part, loop), then)
            then = loop
        else:
            for _ in range(most - least):
                then = self._add(self._emit(part, then), then)
        for _ in range(least):
            then = self._emit(part, then)
        return then

    def _follow(self, states: list[int], *, is_start: bool, is_end: bool) -> set[int]:
        """Return all states reachable without reading an octet."""
        reached: set[int] = set()
        while states:
            state = states.pop()
            if state in reached:
                continue
            reached.add(state)
            if state in self._masks:
                continue
            if state in self._anchors and not (is_end if self._anchors[state] else is_start):
                continue
            states.extend(self._next[state])
        return reached

    def is_found(self, text: bytes) -> bool:
        """Say whether the expression matches anywhere in the text; letters count in either case."""
        current = self._follow([self._start], is_start=True, is_end=not text)
        for place, octet in enumerate(text, start=1):
            if 0 in current:
                return True
            moved = [
                self._next[state][0] for state in current if state in self._masks and self._masks[state] >> octet & 1
            ]
            current = self._follow([*moved, self._start], is_start=False, is_end=place == len(text))
        return 0 in current
