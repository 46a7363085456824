"""Where to go on in a log that is followed, as a value that is kept in a file.

Rule 1: a position that is not right in every field is refused: where to go on is not guessed.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from indimail_kit.errors import FormatError


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where to go on: the first line that was not given out.

    Attributes:
        inode: The file.
        offset: Octet in it.
        line_number: Line in it, counted from 1.
        head: SHA-256 of its first octets, in hexadecimal digits.
        head_bytes: How many octets that is.
        newest: See `rotation.Mark`.
        ahead: See `rotation.Mark`.
        after: See `rotation.Mark`.
        is_done: Whether the file was closed and read to its end: it goes on with the first line of the next file.
        unix_ns: Time of the last line that had a stamp (unit: ns since 1970), or None.
        runs: Queue -> runs of its qmail-send so far.
        last_numbers: Queue -> its last delivery number.
    """

    inode: int
    offset: int
    line_number: int
    head: str
    head_bytes: int
    newest: str
    ahead: int
    after: str
    is_done: bool
    unix_ns: int | None
    runs: dict[str, int] = field(default_factory=dict)
    last_numbers: dict[str, int] = field(default_factory=dict)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, whole or not at all."""
        target = Path(path)
        beside = target.with_name(f".{target.name}.new")
        beside.write_text(json.dumps(asdict(self)) + "\n", encoding="ascii")
        beside.replace(target)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Position | None:
        """Read it from a file; None if there is none yet.

        Raises:
            FormatError: The file holds something else.
        """
        try:
            octets = Path(path).read_bytes()
        except FileNotFoundError:
            return None
        return cls.from_json(octets, source=str(path))

    @classmethod
    def from_json(cls, octets: bytes | str, *, source: str = "") -> Position:
        """Read it from JSON.

        Raises:
            FormatError: It is something else.
        """
        problem = FormatError("a position in a log, as it was saved", source=source)
        try:
            found = cls(**json.loads(octets))
            is_right = all(_fits(getattr(found, name), kind) for name, kind in cls.__annotations__.items())
        except (ValueError, TypeError, RecursionError):
            raise problem from None
        if not is_right or not found.line_number:
            raise problem
        return found


def _fits(value: object, kind: str) -> bool:
    """Say whether a value from JSON is of a field's kind."""
    if kind == "dict[str, int]":
        return isinstance(value, dict) and all(_fits(number, "int") for number in value.values())
    if kind == "int | None":
        return value is None or type(value) is int
    if kind == "int":
        return type(value) is int and value >= 0
    return type(value).__name__ == kind
