"""The teaching signatures: one table for clamd (.ndb) and for the embedded scanner (YARA rules).

EICAR is the only "virus" of the kit; two harmless markers of our own show that a scanner finds what its database
says, and nothing else. All are put together from halves when they are used, so that no scanner flags the repository.

Source: eicar.org, "Anti-Malware Testfile" (68 octets); ClamAV manual, "Body-based Signature Content Format"
(``Name:Target:Offset:Hex``).

Note for maintainers: a short marker is found in random Base64 (four octets were, when this was measured); below
MARKER_MINIMUM a signature is refused. clamd gives the names back with ".UNOFFICIAL" behind them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from indimail_kit.errors import FormatError

MARKER_MINIMUM: Final = 16
"""Shortest marker (unit: octets)."""

DATABASE_STEM: Final = "indimail-kit"
"""Name of our files in clamd's DatabaseDirectory, before the dot."""

DATABASES: Final = ("hdb", "hsb", "ndb", "ldb")
"""Kinds of text database that we write: behind the dot."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class DatabaseLine(Protocol):
    """One signature for clamd, of whatever kind."""

    @property
    def name(self) -> str:
        """Return the name that clamd prints, without ".UNOFFICIAL"."""

    @property
    def database(self) -> str:
        """Return the kind of database file, one of DATABASES."""

    @property
    def line(self) -> str:
        """Return the line in that file."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A name, and the octets that prove it.

    Attributes:
        name: As clamd prints it, without ".UNOFFICIAL".
        marker: Octets to look for, anywhere in a file.

    Raises:
        FormatError: The name has other characters than letters, digits, dot, underscore and hyphen, or the marker is
        too short.
    """

    name: str
    marker: bytes = field(repr=False)
    database = "ndb"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise FormatError("a signature name of letters, digits, dot, underscore and hyphen")
        if len(self.marker) < MARKER_MINIMUM:
            raise FormatError(f"a marker of at least {MARKER_MINIMUM} octets")

    @property
    def line(self) -> str:
        """Return the line for a .ndb file: any file type (0), any offset (*)."""
        return f"{self.name}:0:*:{self.marker.hex()}"

    def yara_rule(self, number: int) -> str:
        """Return the YARA rule number `number`; the name travels as meta data, for a rule's name allows no dots."""
        digits = self.marker.hex(" ")
        return (
            f'rule teaching_{number} {{ meta: signature = "{self.name}" '
            f"strings: $marker = {{ {digits} }} condition: $marker }}"
        )


def eicar() -> bytes:
    """Return the EICAR test file: 68 harmless octets that every scanner is to find.

    Example:
        >>> len(eicar())
        68
    """
    return rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def _ours(letter: bytes) -> bytes:
    """Return one of our own markers."""
    return b"X-INDIMAIL-KIT-" + b"HARMLESS-TEACHING-MARKER-" + letter


def teaching_signatures() -> tuple[Signature, ...]:
    """Return EICAR and our two harmless ones."""
    return (
        Signature("IndiMailKit.Eicar-Test-Signature", eicar()),
        Signature("IndiMailKit.Teaching.Alpha", _ours(b"ALPHA")),
        Signature("IndiMailKit.Teaching.Beta", _ours(b"BETA")),
    )


def write_database(directory: Path, signatures: Iterable[DatabaseLine]) -> tuple[Path, ...]:
    """Write clamd's database, one file for each kind of signature; ours that are not needed any more are removed.

    Args:
        directory: clamd's DatabaseDirectory; it must exist.
        signatures: What clamd is to find. Without any, a file with a comment only: clamd does not start without a
            database, and takes this one for one.

    Returns:
        The files; RELOAD makes a running clamd read them.
    """
    lines: dict[str, list[str]] = {}
    for signature in signatures:
        lines.setdefault(signature.database, []).append(signature.line)
    written = []
    for kind in DATABASES:
        path = directory / f"{DATABASE_STEM}.{kind}"
        # clamd calls an empty file malformed and loads nothing at all.
        texts = lines.get(kind, [] if lines or kind != "ndb" else ["# no signatures"])
        if not texts:
            path.unlink(missing_ok=True)
            continue
        # A new file under the old name: clamd never reads half a line.
        fresh = directory / f".{path.name}.new"
        fresh.write_text("".join(f"{text}\n" for text in texts), encoding="ascii")
        written.append(fresh.replace(path))
    return tuple(written)


def yara_rules(extra: Iterable[Signature] = ()) -> str:
    """Return the text of the YARA rules made from the same table."""
    signatures = (*teaching_signatures(), *extra)
    return "\n".join(signature.yara_rule(number) for number, signature in enumerate(signatures))
