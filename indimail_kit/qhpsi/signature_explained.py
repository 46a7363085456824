"""What the fields of a signature mean, as values that show themselves in a terminal and in a notebook.

Source: ClamAV manual, "Extended signature format", "Target Types", "Logical signatures", "Hash-based Signatures".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from indimail_kit.qhpsi.signatures import MARKER_MINIMUM
from indimail_kit.visible import visible
from indimail_kit.wiring import provider

HASHED_BYTES: Final = 'ClamAV manual, "Hash-based Signatures"'
TARGET: Final = 'ClamAV manual, "Target Types"'
OFFSET: Final = 'ClamAV manual, "Extended signature format"'
PATTERN: Final = 'ClamAV manual, "Body-based Signature Content Format"'
EXPRESSION: Final = 'ClamAV manual, "Logical signatures"'
SUBSIGNATURE: Final = EXPRESSION
"""Where the meaning of a field stands."""


@dataclass(frozen=True, slots=True)
class SignatureField:
    """One field of a signature.

    Attributes:
        name: What the field is called.
        value: As it stands in the line.
        meaning: What clamd does with it, as a phrase.
        source: Where that stands.
    """

    name: str
    value: str
    meaning: str
    source: str


NAME: Final = SignatureField(
    "name",
    "",
    'what clamd prints, with ".UNOFFICIAL" behind it for a signature that is not ClamAV\'s own',
    'ClamAV manual, "Signature Names"',
)
"""The field that every kind of signature has."""


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of file.

    Attributes:
        name: Our short name.
        meaning: What it is, as a phrase.
    """

    name: str
    meaning: str


TARGETS: Final = {
    0: Target("any", "any file"),
    1: Target("program-pe", "a program for Windows (PE)"),
    2: Target("ole2", "a document of old Office (OLE2)"),
    3: Target("html", "HTML, in lower case and with single blanks"),
    4: Target("mail", "a mail, as it lies in the queue: its encoded parts are files of their own"),
    5: Target("image", "an image"),
    6: Target("program-elf", "a program for Linux (ELF)"),
    7: Target("text", "ASCII text, in lower case and with single blanks"),
    9: Target("program-macho", "a program for macOS (Mach-O)"),
    10: Target("pdf", "a PDF document"),
    11: Target("flash", "a Flash film"),
    12: Target("java", "a Java class"),
}
"""Number -> kind of file. clamd 1.4.6 loads 8 and anything above 12, too, and never finds such a signature."""

COLUMNS: Final = ("field", "value", "meaning", "source")
"""Columns of an explanation."""

_SHOWN: Final = 40
"""Characters of a value that a terminal shows."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A signature's line, field by field.

    Attributes:
        database: Kind of database file: hdb, hsb, ndb, ldb.
        line: The line.
        fields: Its fields, in the order of the line.
        evidence: Fixed octets that a file must hold to be found (unit: octets); None for a hash.
    """

    database: str
    line: str
    fields: tuple[SignatureField, ...]
    evidence: int | None = None

    @property
    def sentence(self) -> str:
        """Say how sure a finding is."""
        if self.evidence is None:
            return f"A line for a .{self.database} file: it finds this file and no other."
        sure = f"A line for a .{self.database} file: a file must hold {self.evidence} fixed octets to be found."
        return sure if self.evidence >= MARKER_MINIMUM else f"{sure} So few stand in innocent files by chance."

    def __repr__(self) -> str:
        """Return a table for a terminal."""
        rows = [
            (one.name, one.value if len(one.value) <= _SHOWN else one.value[: _SHOWN - 1] + "…", one.meaning)
            for one in self.fields
        ]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = (f"{name:{widths[0]}}  {value:{widths[1]}}  {meaning}" for name, value, meaning in rows)
        return "\n".join(visible(line) for line in (self.sentence, *lines))

    def _repr_html_(self) -> str:
        rows = [(one.name, one.value, one.meaning, one.source) for one in self.fields]
        return str(provider("grid_html")(self.sentence, COLUMNS, rows))
