"""Lines of ClamAV's text databases, read back into signatures.

Source: ClamAV manual, "Hash-based Signatures", "Extended signature format", "Logical signatures".

Rule 1: a line of a kind that is not read here (regular expressions, macros, byte comparisons, image hashes) is refused
by name, never half understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from indimail_kit.errors import FormatError
from indimail_kit.qhpsi.signature_builder import (
    BodySignature,
    BuiltSignature,
    HashSignature,
    LogicalSignature,
    Subsignature,
)

LINE_LIMIT: Final = 65_536
"""Longest line that is read (unit: characters); ours."""

_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_FUNCTIONALITY: Final = re.compile(r"[0-9]{1,4}")
_OTHER_KINDS: Final = {
    "/": "a regular expression",
    "${": "a macro",
    "fuzzy_img#": "an image hash",
    "#": "a byte comparison",
}
"""What a subsignature of another kind holds -> what it is."""


def _number(text: str, what: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise FormatError(f"{what} as a decimal number")
    return int(text)


def _fields(line: str, separator: str, counts: range, form: str) -> list[str]:
    fields = line.split(separator)
    if len(fields) not in counts:
        raise FormatError(form)
    return fields


def _check_levels(levels: list[str]) -> None:
    """Functionality levels behind the fields say which clamd loads the line; they change nothing else."""
    if any(_FUNCTIONALITY.fullmatch(level) is None for level in levels):
        raise FormatError("functionality levels as decimal numbers behind the fields")


def _hash(line: str) -> HashSignature:
    digest, size, name, *levels = _fields(line, ":", range(3, 6), "digest:size:name")
    _check_levels(levels)
    if size == "*" and not levels:
        raise FormatError("the functionality level 73 behind a size of *")
    return HashSignature(name, digest, None if size == "*" else _number(size, "the size"))


def _body(line: str) -> BodySignature:
    name, target, offset, pattern, *levels = _fields(line, ":", range(4, 7), "name:target:offset:pattern")
    _check_levels(levels)
    return BodySignature(name, _number(target, "the target"), offset, pattern)


def _subsignature(text: str) -> Subsignature:
    for sign, kind in _OTHER_KINDS.items():
        if sign in text:
            raise FormatError(f"a subsignature of octets, not {kind}")
    rest, separator, modifiers = text.partition("::")
    if separator and not modifiers:
        raise FormatError("modifiers behind ::")
    offset, colon, pattern = rest.rpartition(":")
    return Subsignature(pattern, offset if colon else "*", modifiers)


def _logical(line: str) -> LogicalSignature:
    form = "name;target description;expression;subsignatures"
    name, description, expression, *texts = _fields(line, ";", range(4, 68), form)
    keywords: dict[str, str] = {}
    for pair in description.split(","):
        keyword, colon, value = pair.partition(":")
        if not colon or keyword not in ("Engine", "Target") or keyword in keywords:
            raise FormatError("Engine and Target, each once, in the target description")
        keywords[keyword] = value
    if "Target" not in keywords or list(keywords) != sorted(keywords):
        raise FormatError("Target in the target description, and Engine before it if at all")
    return LogicalSignature(
        name,
        _number(keywords["Target"], "the target"),
        expression,
        tuple(_subsignature(text) for text in texts),
        keywords.get("Engine", ""),
    )


READERS: Final[dict[str, Callable[[str], BuiltSignature]]] = {
    "hdb": _hash,
    "hsb": _hash,
    "ndb": _body,
    "ldb": _logical,
}
"""Kind of database file -> how its lines are read."""


def parse_signature(line: str, database: str) -> BuiltSignature:
    """Read one line of a database.

    Args:
        line: The line without its end.
        database: Kind of database file: hdb, hsb, ndb or ldb.

    Raises:
        FormatError: The line breaks the grammar, clamd would refuse it, or it is of a kind that is not read here.

    Example:
        >>> parse_signature("Lesson.Body:4:*:4465617220637573746f6d6572", "ndb").target
        4
    """
    reader = READERS.get(database)
    if reader is None:
        raise FormatError(f"a kind of database: {', '.join(READERS)}")
    if len(line) > LINE_LIMIT:
        raise FormatError(f"a line of at most {LINE_LIMIT} characters")
    return reader(line)


def parse_database(text: str, database: str, *, source: str = "") -> tuple[BuiltSignature, ...]:
    """Read a whole text database; lines that begin with ``#`` are comments.

    Raises:
        FormatError: A line is bad, or empty (clamd refuses that, too); it says which one.
    """
    signatures = []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        if line.startswith("#"):
            continue
        try:
            signatures.append(parse_signature(line.removesuffix("\r"), database))
        except FormatError as error:
            raise FormatError(error.expected, offset=error.offset, line_number=number, source=source) from None
    return tuple(signatures)
