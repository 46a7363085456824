"""Signatures for clamd, built from octets or read from a line, with each field explained.

Three kinds, as in ClamAV's own databases: the hash of a whole file (.hdb, .hsb), octets in its body (.ndb), several
of them joined by a condition (.ldb)::

    body_signature("Lesson.Body", b"Dear customer, ", "{2-8}", b"invoice attached")
    logical_signature("Lesson.Logic", b"Dear customer", b"invoice attached", expression="0&1", target="mail")
    hash_signature("Lesson.Hash", attachment)

Source: ClamAV manual, "Hash-based Signatures", "Extended signature format", "Logical signatures"; clamd 1.4.6 was
asked, line by line, what it loads.

Note for maintainers: of a text clamd also looks through a copy in lower case and with single blanks, whatever the
target: a pattern in small letters is found in capitals, too.

Rule 1: one line that clamd cannot read makes it refuse the whole database: at its start it ends, at a RELOAD it keeps
the old signatures and says so in its log only. So nothing is built here that clamd does not load.
Rule 2: clamd loads a line with an unknown target, and then never finds it. That is refused too.
Rule 3: what the builders make has at least MARKER_MINIMUM fixed octets; what is read from a foreign line may have
fewer, and its explanation says so.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from indimail_kit.errors import FormatError
from indimail_kit.qhpsi.signature_explained import (
    EXPRESSION,
    HASHED_BYTES,
    NAME,
    OFFSET,
    PATTERN,
    SUBSIGNATURE,
    TARGET,
    TARGETS,
    Explained,
    SignatureField,
)
from indimail_kit.qhpsi.signature_logic import Logic, parse_logic
from indimail_kit.qhpsi.signature_pattern import PatternPart, fixed_count, parse_pattern
from indimail_kit.qhpsi.signatures import MARKER_MINIMUM

Algorithm = Literal["md5", "sha1", "sha256"]
"""Hash functions that clamd compares."""

ALGORITHMS: Final[dict[int, Algorithm]] = {32: "md5", 40: "sha1", 64: "sha256"}
"""Hexadecimal digits of a digest -> hash function. Source: ClamAV manual, "Hash-based Signatures"."""

_NAME: Final = re.compile(r"[!-9<-~]{1,255}")
_DIGEST: Final = re.compile(r"[0-9a-fA-F]+")
_OFFSET: Final = re.compile(
    r"\*|(?:(?P<plain>[0-9]{1,10}|EOF-[0-9]{1,10})|(?P<program>EP[+-][0-9]{1,10}|S[0-9]{1,5}\+[0-9]{1,10}|SE[0-9]{1,5}|SL\+[0-9]{1,10}))"
    r"(?:,[0-9]{1,10})?"
)
_PROGRAM_TARGETS: Final = frozenset({1, 6, 9})
_LOWERED_TARGETS: Final = frozenset({3, 7})
_MODIFIERS: Final = re.compile(r"[iwfa]{1,4}")


def _require_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise FormatError("a signature name of printable ASCII without blank, colon and semicolon")


def _target_number(target: int | str) -> int:
    """Return a target's number, given by number or by name."""
    numbers = {known.name: number for number, known in TARGETS.items()}
    number = numbers.get(target, -1) if isinstance(target, str) else target
    if number not in TARGETS:
        raise FormatError(f"a target: {', '.join(f'{number} ({known.name})' for number, known in TARGETS.items())}")
    return number


def _require_offset(offset: str, target: int) -> None:
    match = _OFFSET.fullmatch(offset)
    if match is None:
        raise FormatError("an offset: *, n, EOF-n, EP+n, Sx+n, SEx or SL+n, with ,n behind it for a range")
    if match["program"] and target not in _PROGRAM_TARGETS:
        raise FormatError("an offset from the entry point or a section for programs only (targets 1, 6, 9)")


def _require_findable(parts: tuple[PatternPart, ...], target: int) -> None:
    if target in _LOWERED_TARGETS and any(part.fixed != part.fixed.lower() for part in parts):
        raise FormatError(f"no capital letters for target {target}: clamd compares the text in lower case")


@dataclass(frozen=True, slots=True)
class HashSignature:
    """The digest of a whole file, or of a whole part that clamd took out of a mail or an archive.

    Attributes:
        name: As clamd prints it, without ".UNOFFICIAL".
        digest: Hexadecimal.
        size_bytes: Size of the file (unit: octets); None = any.

    Raises:
        FormatError: A field breaks its grammar.
    """

    name: str
    digest: str
    size_bytes: int | None

    def __post_init__(self) -> None:
        _require_name(self.name)
        if _DIGEST.fullmatch(self.digest) is None or len(self.digest) not in ALGORITHMS:
            raise FormatError("a digest of 32, 40 or 64 hexadecimal digits (MD5, SHA-1, SHA-256)")
        if self.size_bytes is not None and self.size_bytes < 1:
            raise FormatError("a size above 0, or * for any")

    @property
    def algorithm(self) -> Algorithm:
        """Return the hash function, which the length of the digest tells."""
        return ALGORITHMS[len(self.digest)]

    @property
    def database(self) -> str:
        """Return the kind of database file: hdb for MD5, hsb for SHA."""
        return "hdb" if self.algorithm == "md5" else "hsb"

    @property
    def line(self) -> str:
        """Return the line for the database; without a size it needs the functionality level 73."""
        size = "*" if self.size_bytes is None else str(self.size_bytes)
        return f"{self.digest}:{size}:{self.name}" + (":73" if self.size_bytes is None else "")

    def explain(self) -> Explained:
        """Say what each field means."""
        size = "any size" if self.size_bytes is None else f"{self.size_bytes:,} octets; others are not hashed at all"
        fields = (
            SignatureField("digest", self.digest, f"{self.algorithm} of the whole file: one octet more or less, and"
                           " it is not found", HASHED_BYTES),
            SignatureField("size", "*" if self.size_bytes is None else str(self.size_bytes), size, HASHED_BYTES),
            SignatureField("name", self.name, NAME.meaning, NAME.source),
        )  # fmt: skip
        return Explained(self.database, self.line, fields)


@dataclass(frozen=True, slots=True)
class BodySignature:
    """Octets in the body of a file.

    Attributes:
        name: As clamd prints it, without ".UNOFFICIAL".
        target: Number of the kind of file, see `TARGETS`.
        offset: Where the octets must begin.
        pattern: The octets in hexadecimal, with ClamAV's wildcards.
        parts: The pattern, taken apart.

    Raises:
        FormatError: A field breaks its grammar, or the signature could never be found.
    """

    name: str
    target: int
    offset: str
    pattern: str
    parts: tuple[PatternPart, ...] = field(init=False, repr=False, compare=False)
    database = "ndb"

    def __post_init__(self) -> None:
        _require_name(self.name)
        _target_number(self.target)
        _require_offset(self.offset, self.target)
        object.__setattr__(self, "parts", parse_pattern(self.pattern))
        _require_findable(self.parts, self.target)

    @property
    def line(self) -> str:
        """Return the line for a .ndb file."""
        return f"{self.name}:{self.target}:{self.offset}:{self.pattern}"

    @property
    def evidence(self) -> int:
        """Return how many octets are fixed (unit: octets)."""
        return fixed_count(self.parts)

    def explain(self) -> Explained:
        """Say what each field means, and each piece of the pattern."""
        fields = (
            SignatureField("name", self.name, NAME.meaning, NAME.source),
            SignatureField("target", str(self.target), TARGETS[self.target].meaning, TARGET),
            SignatureField("offset", self.offset, _offset_meaning(self.offset), OFFSET),
            *(SignatureField("pattern", part.text, part.meaning, PATTERN) for part in self.parts),
        )
        return Explained(self.database, self.line, fields, self.evidence)


@dataclass(frozen=True, slots=True)
class Subsignature:
    """One part of a logical signature.

    Attributes:
        pattern: The octets in hexadecimal, with ClamAV's wildcards.
        offset: Where they must begin.
        modifiers: Letters behind ``::``: i either case, w whole words, f fullword, a ASCII.
        parts: The pattern, taken apart.
    """

    pattern: str
    offset: str = "*"
    modifiers: str = ""
    parts: tuple[PatternPart, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", parse_pattern(self.pattern))
        if self.modifiers and _MODIFIERS.fullmatch(self.modifiers) is None:
            raise FormatError("modifiers of the letters i, w, f and a")

    @property
    def text(self) -> str:
        """Return it as it stands in the line."""
        offset = "" if self.offset == "*" else f"{self.offset}:"
        return offset + self.pattern + (f"::{self.modifiers}" if self.modifiers else "")


@dataclass(frozen=True, slots=True)
class LogicalSignature:
    """Several subsignatures, and the condition that joins them.

    Attributes:
        name: As clamd prints it, without ".UNOFFICIAL".
        target: Number of the kind of file, see `TARGETS`.
        expression: The condition: numbers of subsignatures, ``&``, ``|``, ``=n``, ``>n``, ``<n``, parentheses.
        subsignatures: What the numbers stand for, from 0.
        engine: "least-most" functionality level, or "".
        logic: The expression, taken apart.

    Raises:
        FormatError: A field breaks its grammar, or the signature could never be found.
    """

    name: str
    target: int
    expression: str
    subsignatures: tuple[Subsignature, ...]
    engine: str = ""
    logic: Logic = field(init=False, repr=False, compare=False)
    database = "ldb"

    def __post_init__(self) -> None:
        _require_name(self.name)
        _target_number(self.target)
        if self.engine and re.fullmatch(r"[0-9]{1,4}-[0-9]{1,4}", self.engine) is None:
            raise FormatError("a range of functionality levels such as 51-255")
        for one in self.subsignatures:
            _require_offset(one.offset, self.target)
            _require_findable(one.parts, self.target)
        fixed = [fixed_count(one.parts) for one in self.subsignatures]
        object.__setattr__(self, "logic", parse_logic(self.expression, fixed))

    @property
    def line(self) -> str:
        """Return the line for a .ldb file."""
        engine = f"Engine:{self.engine}," if self.engine else ""
        texts = ";".join(one.text for one in self.subsignatures)
        return f"{self.name};{engine}Target:{self.target};{self.expression};{texts}"

    @property
    def evidence(self) -> int:
        """Return the fewest fixed octets that fulfil the condition (unit: octets)."""
        return self.logic.evidence

    def explain(self) -> Explained:
        """Say what each field means, and each subsignature."""
        levels = (SignatureField("Engine", self.engine, "functionality levels of clamd that load it", TARGET),)
        fields = (
            SignatureField("name", self.name, NAME.meaning, NAME.source),
            *(levels if self.engine else ()),
            SignatureField("Target", str(self.target), TARGETS[self.target].meaning, TARGET),
            SignatureField("expression", self.expression, f"found when: {self.logic.meaning}", EXPRESSION),
            *(
                SignatureField(f"subsignature {number}", one.text, _subsignature_meaning(one), SUBSIGNATURE)
                for number, one in enumerate(self.subsignatures)
            ),
        )
        return Explained(self.database, self.line, fields, self.evidence)


BuiltSignature: TypeAlias = HashSignature | BodySignature | LogicalSignature
"""What the builders make."""


def _offset_meaning(offset: str) -> str:
    """Say where a signature must begin."""
    place, _, shift = offset.partition(",")
    behind = f", or up to {shift} octets behind" if shift else ""
    if place == "*":
        return "anywhere in the file"
    if place.startswith("EOF-"):
        return f"{place[4:]} octets before the end of the file{behind}"
    if place.isdigit():
        return ("at the first octet of the file" if place == "0" else f"{place} octets behind the start") + behind
    return f"from a program's entry point (EP) or section (S): {place}{behind}"


def _subsignature_meaning(one: Subsignature) -> str:
    letters = {"i": "in either case", "w": "two octets a letter", "f": "as whole words", "a": "one octet a letter"}
    where = "" if one.offset == "*" else f", {_offset_meaning(one.offset)}"
    return ", then ".join(part.meaning for part in one.parts) + where + "".join(
        f", {letters[letter]}" for letter in one.modifiers
    )  # fmt: skip


def _pattern(parts: tuple[bytes | str, ...]) -> str:
    """Return a pattern: octets become hexadecimal, text is ClamAV's own notation."""
    if not parts:
        raise FormatError("octets to look for")
    return "".join(part.hex() if isinstance(part, bytes) else part for part in parts)


def _require_evidence(signature: BodySignature | LogicalSignature) -> None:
    if signature.evidence < MARKER_MINIMUM:
        raise FormatError(
            f"at least {MARKER_MINIMUM} fixed octets that a file must hold to be found, not {signature.evidence};"
            " shorter ones stand in innocent files by chance"
        )


def hash_signature(
    name: str, octets: bytes, *, algorithm: Algorithm = "md5", is_any_size: bool = False
) -> HashSignature:
    """Build the signature of one file.

    Args:
        name: As clamd is to print it.
        octets: The whole file, for an attachment as it is after decoding.
        algorithm: "md5" for a .hdb line, "sha1" or "sha256" for a .hsb line.
        is_any_size: Whether the line names no size; clamd must then hash everything.

    Raises:
        FormatError: No octets, a name that breaks the grammar, or an unknown hash function.

    Example:
        >>> hash_signature("Lesson.Hash", b"an attachment").line
        '424754bacd1626c6b8dcd5fa56f9f4de:13:Lesson.Hash'
    """
    if algorithm not in ALGORITHMS.values():
        raise FormatError(f"a hash function: {', '.join(ALGORITHMS.values())}")
    if not octets:
        raise FormatError("at least one octet to hash")
    digest = hashlib.new(algorithm, octets, usedforsecurity=False).hexdigest()
    return HashSignature(name, digest, None if is_any_size else len(octets))


def body_signature(name: str, *parts: bytes | str, target: int | str = 0, offset: str = "*") -> BodySignature:
    """Build the signature of octets in a body.

    Args:
        name: As clamd is to print it.
        parts: Octets (bytes), and between them ClamAV's own notation (text): ``"{2-8}"``, ``"*"``, ``"??"``.
        target: Kind of file, by number or name, see `TARGETS`.
        offset: Where the octets must begin.

    Raises:
        FormatError: Too few fixed octets, a field that breaks its grammar, or a signature that is never found.

    Example:
        >>> body_signature("Lesson.Body", b"Dear customer", "{2-8}", b"invoice").line
        'Lesson.Body:0:*:4465617220637573746f6d6572{2-8}696e766f696365'
    """
    signature = BodySignature(name, _target_number(target), offset, _pattern(parts))
    _require_evidence(signature)
    return signature


def logical_signature(
    name: str, *subsignatures: bytes | str | Subsignature, expression: str = "", target: int | str = 0
) -> LogicalSignature:
    """Build a signature of several parts.

    Args:
        name: As clamd is to print it.
        subsignatures: Octets, ClamAV's own notation (text), or `Subsignature` values.
        expression: The condition; "" = all of them.
        target: Kind of file, by number or name, see `TARGETS`.

    Raises:
        FormatError: Too little must be found, a field breaks its grammar, or the signature is never found.

    Example:
        >>> logical_signature("Lesson.Logic", b"Dear customer", b"invoice").line
        'Lesson.Logic;Target:0;0&1;4465617220637573746f6d6572;696e766f696365'
    """
    parts = tuple(one if isinstance(one, Subsignature) else Subsignature(_pattern((one,))) for one in subsignatures)
    condition = expression or "&".join(str(number) for number in range(len(parts)))
    signature = LogicalSignature(name, _target_number(target), condition, parts)
    _require_evidence(signature)
    return signature
