"""A Base64 text as people type it: what it says, what is wrong with it, which character carries which octet.

Source: RFC 4954 section 4 (a client's answer is Base64, ``=`` is an empty initial response, ``*`` cancels); RFC 4648
sections 3.2, 3.3, 3.5 and 4 (padding, foreign characters, spare bits), section 5 (the URL-safe alphabet).

Note for maintainers: qmail-smtpd decodes anything: foreign characters count as zero bits, the length is not checked.
So a text that RFC 4954 answers with 501 ends there as a wrong user or password, 535.

Rule 1: what was meant is found by undoing one known fault after another, each under its name; a text that is then
still no Base64 is not guessed at.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.auth.framing import MAX_LINE_BYTES

_STRICT: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_QUOTES: Final = {
    '"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u201e": "\u201c", "\u2018": "\u2019", "\xab": "\xbb",
    "<": ">", "[": "]", "{": "}", "(": ")",
}  # fmt: skip
_BLANKS: Final = " \t\u00a0\u200b\ufeff"
_PERCENT: Final = {"%3d": "=", "%2b": "+", "%2f": "/"}
_GLUED: Final = re.compile(r"[A-Za-z0-9+/]+={1,2}[A-Za-z0-9+/]+={0,2}")
_BASE64_CHARACTER: Final = re.compile(r"[A-Za-z0-9+/]*")

Characters = list[tuple[str, int]]
"""Characters with their positions in the text."""


@dataclass(frozen=True, slots=True)
class Base64View:
    """What a text says.

    Attributes:
        octets: What was meant; None when it is no Base64.
        positions: Where the characters stand that carry bits, in order.
        faults: Names of what was wrong, see `FAULTS`; () for RFC 4954's grammar.
    """

    octets: bytes | None = field(repr=False)
    positions: tuple[int, ...]
    faults: tuple[str, ...]


def _strip_quotes(characters: Characters) -> Characters:
    """Take one pair of quotation marks or brackets off."""
    if len(characters) >= 2 and _QUOTES.get(characters[0][0]) == characters[-1][0]:
        return characters[1:-1]
    return characters


def _drop_blanks(characters: Characters) -> Characters:
    """Take white space out."""
    return [one for one in characters if one[0] not in _BLANKS]


def _undo_percent(characters: Characters) -> Characters:
    """Turn ``%3D`` back into ``=``, also ``%2B`` and ``%2F``."""
    text = "".join(one for one, _ in characters)
    if "%" not in text:
        return characters
    result: Characters = []
    at = 0
    while at < len(characters):
        plain = _PERCENT.get(text[at : at + 3].lower())
        result.append((plain, characters[at][1]) if plain is not None else characters[at])
        at += 3 if plain is not None else 1
    return result


def _undo_url_safe(characters: Characters) -> Characters:
    """Turn the URL-safe alphabet into the one of RFC 4648 section 4."""
    return [({"-": "+", "_": "/"}.get(one, one), at) for one, at in characters]


def _fix_padding(characters: Characters) -> Characters:
    """Put the padding right where the characters before it can be Base64."""
    text = "".join(one for one, _ in characters)
    bare = text.rstrip("=")
    if len(bare) % 4 == 1 or not bare or not _BASE64_CHARACTER.fullmatch(bare):
        return characters
    end = characters[-1][1] + 1
    return [*characters[: len(bare)], *[("=", end)] * (-len(bare) % 4)]


FAULTS: Final[dict[str, Callable[[Characters], Characters]]] = {
    "quotation marks": _strip_quotes,
    "white space": _drop_blanks,
    "percent-encoded": _undo_percent,
    "URL-safe alphabet": _undo_url_safe,
    "padding": _fix_padding,
}
"""Fault -> what undoes it, in the order in which they are undone. Faults that cannot be undone: see `examine`."""


def examine(text: str) -> Base64View:
    """Say what a text means and what is wrong with it; every text has an answer.

    Returns:
        Faults beside those of `FAULTS`: "spare bits" (RFC 4648 section 3.5), "two texts" (Base64 glued to Base64),
        "cut off" (a length that no Base64 has), "not Base64".

    Example:
        >>> examine("cGFzcw==").octets, examine("cGFzcw").faults
        (b'pass', ('padding',))
    """
    if _STRICT.fullmatch(text):
        octets = base64.b64decode(text)
        count = (len(octets) * 8 + 5) // 6
        spare = () if base64.b64encode(octets).decode() == text else ("spare bits",)
        return Base64View(octets, tuple(range(count)), spare)
    if len(text) > MAX_LINE_BYTES:
        return Base64View(None, (), ("not Base64",))
    characters: Characters = [(one, at) for at, one in enumerate(text)]
    faults: list[str] = []
    for name, undo in FAULTS.items():
        undone = undo(characters)
        if [one for one, _ in undone] != [one for one, _ in characters]:
            faults.append(name)
            characters = undone
    meant = "".join(one for one, _ in characters)
    if meant and meant != text and _STRICT.fullmatch(meant):
        octets = base64.b64decode(meant)
        count = (len(octets) * 8 + 5) // 6
        return Base64View(octets, tuple(at for _, at in characters[:count]), tuple(faults))
    if _GLUED.fullmatch(text) and "=" in text.rstrip("="):
        return Base64View(None, (), ("two texts",))
    bare = text.rstrip("=")
    if len(bare) >= 5 and len(bare) % 4 == 1 and _BASE64_CHARACTER.fullmatch(bare):
        return Base64View(None, (), ("cut off",))
    return Base64View(None, (), ("not Base64",))


def wire_range(positions: tuple[int, ...], start: int, end: int) -> tuple[int, int]:
    """Return from where to where the characters stand that carry octets start … end.

    Example:
        >>> wire_range(tuple(range(6)), 1, 2)  # the second octet is in the second and third character
        (1, 3)
    """
    first, last = start * 8 // 6, (end * 8 + 5) // 6
    if not positions:
        return 0, 0
    if first >= len(positions):
        return positions[-1] + 1, positions[-1] + 1
    return positions[first], (positions[last - 1] + 1 if last > first else positions[first])
