"""Hidden characters written out, for terminals and for HTML alike.

Source: THREATS (terminal escapes); Unicode Standard Annex 9 (bidirectional text).
"""

from __future__ import annotations

import unicodedata


def is_hidden(character: str, *, kept: str = "") -> bool:
    """Tell whether a character would steer the screen instead of being seen on it."""
    return not (character.isprintable() or character in kept or unicodedata.category(character) == "Zs")


def _name_of(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"<U+{code:04X}>"


def visible(text: str, *, kept: str = "") -> str:
    r"""Return the text with every hidden character written out.

    Args:
        text: Any text, lone surrogates included.
        kept: Characters that stay as they are, for example a newline in a block.

    Example:
        >>> visible("\x1b[31mred \u202egnp.exe")
        '\\x1b[31mred <U+202E>gnp.exe'
    """
    if text.isprintable():
        return text
    return "".join(_name_of(one) if is_hidden(one, kept=kept) else one for one in text)
