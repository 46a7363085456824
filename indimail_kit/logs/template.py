"""The small language in which the forms of log lines are written: one template both reads and writes a line.

A template is the line itself, with ``{field}`` where a value stands and ``«…»`` around a part that may be missing::

    starting delivery {delivery_number}«.{queue_number}»: msg {message_number} to {channel} {recipient}« {queue}»

It becomes a regular expression (to read) and a list of pieces (to write), so that reading and writing cannot disagree.

Rule 1: the expression is anchored at both ends; an optional part holds no other optional part.
Rule 2: what is written never holds a line end: one call, one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from indimail_kit.logs.fields import FIELDS, FieldKind

FieldValue = int | bytes | bool
"""A field's value: a number, octets, or True for a flag that is there."""

GivenValue = int | bytes | str | bool | None
"""What a caller may hand over for a field; None and False leave its optional part away."""

_TOKEN: Final = re.compile(r"\{(?P<field>[a-z_0-9]+)\}|(?P<mark>[«»])|(?P<text>[^{«»]+)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a template: fixed octets, or a field.

    Attributes:
        octets: The fixed octets, b"" for a field.
        field_name: Name of the field, "" for fixed octets.
    """

    octets: bytes = b""
    field_name: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Pieces that are there or missing together.

    Attributes:
        pieces: In the order of the line.
        is_optional: Whether the part may be missing.
    """

    pieces: tuple[Piece, ...]
    is_optional: bool


@cache
def split_template(template: str) -> tuple[Part, ...]:
    """Split a template into its parts.

    Example:
        >>> [part.is_optional for part in split_template("new msg {message_number}« {queue}»")]
        [False, True]
    """
    parts: list[Part] = []
    pieces: list[Piece] = []
    for token in _TOKEN.finditer(template):
        if token["mark"]:
            if pieces:
                parts.append(Part(tuple(pieces), is_optional=token["mark"] == "»"))
            pieces = []
        elif token["field"]:
            pieces.append(Piece(field_name=token["field"]))
        else:
            pieces.append(Piece(octets=token["text"].encode()))
    if pieces:
        parts.append(Part(tuple(pieces), is_optional=False))
    return tuple(parts)


def as_octets(value: GivenValue) -> bytes:
    """Return a text or octets as octets; surrogates (undecodable file names) become the octets that they stand for."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    raise TypeError(f"text or octets expected, not {type(value).__name__}")


def _encode(name: str, value: GivenValue, *, is_clean: bool) -> bytes:
    """Return the octets of a field as the program would log them."""
    kind = FIELDS[name]
    if kind.kind is FieldKind.FLAG:
        return kind.word
    if kind.kind is FieldKind.NUMBER:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"a number expected for {name}, not {type(value).__name__}")
        octets = b"%d" % value
    else:
        octets = kind.write(as_octets(value) if is_clean else kind.clean(as_octets(value)))
    if re.fullmatch(kind.pattern, octets, re.DOTALL) is None:
        raise ValueError(f"{octets!r} cannot stand in the field {name}")
    return octets


def _decode(name: str, octets: bytes) -> FieldValue:
    kind = FIELDS[name]
    if kind.kind is FieldKind.NUMBER:
        return int(octets)
    return True if kind.kind is FieldKind.FLAG else kind.read(octets)


@dataclass(frozen=True, slots=True)
class Form:
    """One form of log line.

    Attributes:
        name: Name of the form; unique.
        template: The line in the language of this module.
        meaning: One sentence for a person.
        source: The program's file and function, or the recorded log, that the form is from.
        kind: Kind of the event; several forms of one statement (2010, today) share it. The name unless given.
        program: Program that writes such lines, where the line does not say it itself.
        example: A line of this form from the seed or a recorded log, or "" where there is none.
        implied: Fields that every such line states by being of this form.
    """

    name: str
    template: str
    meaning: str
    source: str
    kind: str = ""
    program: str = ""
    example: str = ""
    implied: Mapping[str, FieldValue] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Give the kind its default."""
        object.__setattr__(self, "kind", self.kind or self.name)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return the parts of the template."""
        return split_template(self.template)

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """Return the regular expression of the template, anchored when used with fullmatch."""
        return _pattern(self.template)

    @property
    def field_names(self) -> tuple[str, ...]:
        """Return the names of the fields in the order of the line."""
        return tuple(piece.field_name for part in self.parts for piece in part.pieces if piece.field_name)

    def parse(self, text: bytes) -> dict[str, FieldValue] | None:
        """Return the fields of a line of this form, or None for another line."""
        match = _pattern(self.template).fullmatch(text)
        if match is None:
            return None
        return {name: _decode(name, octets) for name, octets in match.groupdict().items() if octets is not None}

    def format(self, values: Mapping[str, GivenValue], *, is_clean: bool = False) -> bytes:
        """Return the line for these values, without its end.

        Args:
            values: Field -> value.
            is_clean: The values were read from a line, so that nothing is left to clean.

        Raises:
            TypeError: A field is missing, unknown, or has a value of the wrong type.
            ValueError: A value cannot stand in its field (a queue name with a blank, a negative number).
        """
        unknown = set(values) - set(self.field_names)
        if unknown:
            raise TypeError(f"{self.name} has no fields {sorted(unknown)}")
        return b"".join(self._written(values, is_clean=is_clean))

    def _written(self, values: Mapping[str, GivenValue], *, is_clean: bool) -> Iterable[bytes]:
        for part in self.parts:
            names = [piece.field_name for piece in part.pieces if piece.field_name]
            absent = [name for name in names if values.get(name) is None or values[name] is False]
            if part.is_optional and absent == names:
                continue
            if absent:
                raise TypeError(f"{self.name} needs {absent[0]}")
            for piece in part.pieces:
                name = piece.field_name
                yield _encode(name, values[name], is_clean=is_clean) if name else piece.octets


@cache
def _pattern(template: str) -> re.Pattern[bytes]:
    """Compile a template when it is first needed: all of them at once would make the import slow."""
    expressions = (
        (part, b"".join(_piece_expression(piece) for piece in part.pieces)) for part in split_template(template)
    )
    return re.compile(b"".join(b"(?:%s)?" % one if part.is_optional else one for part, one in expressions), re.DOTALL)


def _piece_expression(piece: Piece) -> bytes:
    if not piece.field_name:
        return re.escape(piece.octets)
    return b"(?P<%s>%s)" % (piece.field_name.encode(), FIELDS[piece.field_name].pattern)
