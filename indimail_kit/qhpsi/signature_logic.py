"""The expression of a logical signature: which of its parts must be found, how often.

Source: ClamAV manual, "Logical signatures"; clamd 1.4.6 was asked which expressions it loads.

Deviation: ``0&1|2`` without parentheses is loaded by clamd, but the manual does not say what it means; here it is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from indimail_kit.errors import FormatError

SUBSIGNATURE_LIMIT: Final = 64
"""Most subsignatures of one signature. Source: ClamAV manual, "Logical signatures"."""

DEPTH_LIMIT: Final = 30
"""Parentheses within each other that are read; ours, so that a hostile line cannot exhaust the stack."""

_TOKEN: Final = re.compile(r"(?P<number>[0-9]{1,6})|(?P<operator>[&|()=<>,])")


@dataclass(frozen=True, slots=True)
class Logic:
    """What an expression demands.

    Attributes:
        meaning: As a phrase: "0 and 1", "2 at least 3 times".
        indexes: The subsignatures that it names.
        evidence: The fewest fixed octets that a file must hold to fulfil it (unit: octets).
    """

    meaning: str
    indexes: frozenset[int]
    evidence: int


class _Reader:
    """Reads one expression from left to right."""

    def __init__(self, text: str, fixed: Sequence[int]) -> None:
        self.text = text
        self.fixed = fixed
        self.position = 0

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def take(self, kind: str, expected: str) -> str:
        match = _TOKEN.match(self.text, self.position)
        if match is None or match[kind] is None:
            raise FormatError(expected, offset=self.position)
        self.position = match.end()
        return match[kind]

    def whole(self, depth: int = 0) -> Logic:
        """Read operands that are joined by one operator."""
        operands = [self.operand(depth)]
        operator = self.peek() if self.peek() in ("&", "|") else ""
        while operator and self.peek() in ("&", "|"):
            if self.peek() != operator:
                raise FormatError("parentheses where & and | stand side by side", offset=self.position)
            self.position += 1
            operands.append(self.operand(depth))
        if len(operands) == 1:
            return operands[0]
        joined = " and " if operator == "&" else " or "
        combine = sum if operator == "&" else min
        return Logic(
            joined.join(f"({one.meaning})" if " " in one.meaning else one.meaning for one in operands),
            frozenset().union(*(one.indexes for one in operands)),
            combine(one.evidence for one in operands),
        )

    def operand(self, depth: int) -> Logic:
        """Read a number or an expression in parentheses, with its count if it has one."""
        if self.peek() != "(":
            index = int(self.take("number", "a subsignature's number or an opening parenthesis"))
            if index >= len(self.fixed):
                raise FormatError(f"a subsignature's number below {len(self.fixed)}", offset=self.position)
            return self.counted(Logic(str(index), frozenset({index}), self.fixed[index]))
        if depth >= DEPTH_LIMIT:
            raise FormatError(f"at most {DEPTH_LIMIT} parentheses within each other", offset=self.position)
        self.position += 1
        inner = self.whole(depth + 1)
        if self.peek() != ")":
            raise FormatError("a closing parenthesis", offset=self.position)
        if len(inner.indexes) < 2:
            raise FormatError("parentheses around more than one subsignature", offset=self.position)
        self.position += 1
        return self.counted(inner)

    def counted(self, inner: Logic) -> Logic:
        """Read ``=n``, ``>n``, ``<n`` and a second number behind a comma."""
        sign = self.peek()
        if sign not in ("=", ">", "<"):
            return inner
        self.position += 1
        count = int(self.take("number", "how often, as a number"))
        different = 0
        if self.peek() == ",":
            self.position += 1
            different = int(self.take("number", "how many different subsignatures, as a number"))
        times, least = {
            "=": ("never" if count == 0 else f"exactly {count} times", count),
            ">": (f"more than {count} times", count + 1),
            "<": (f"fewer than {count} times", 0),
        }[sign]
        what = f"({inner.meaning})" if " " in inner.meaning else inner.meaning
        kinds = f", of {different} different ones" if different else ""
        return Logic(f"{what} {times}{kinds}", inner.indexes, inner.evidence * least)


def parse_logic(text: str, fixed: Sequence[int]) -> Logic:
    """Read the expression of a logical signature.

    Args:
        text: For example ``(0|1)&2``.
        fixed: Fixed octets of each subsignature.

    Raises:
        FormatError: It breaks the grammar, or a subsignature is not named in it; `offset` counts characters.

    Example:
        >>> parse_logic("(0|1)&2", [16, 20, 16])
        Logic(meaning='(0 or 1) and 2', indexes=frozenset({0, 1, 2}), evidence=32)
    """
    if not 1 <= len(fixed) <= SUBSIGNATURE_LIMIT:
        raise FormatError(f"1 to {SUBSIGNATURE_LIMIT} subsignatures")
    reader = _Reader(text, fixed)
    logic = reader.whole()
    if reader.position != len(text):
        raise FormatError("&, | or the end of the expression", offset=reader.position)
    unnamed = sorted(set(range(len(fixed))) - logic.indexes)
    if unnamed:
        raise FormatError(f"each subsignature in the expression; {unnamed[0]} is not")
    return logic
