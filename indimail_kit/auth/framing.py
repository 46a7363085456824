"""RFC 4954 framing: Base64, ``=`` for an empty initial response, ``*`` to cancel, the longest line.

Source: RFC 4954 section 4 (framing) and RFC 4648 section 4 (alphabet); IndiMail smtpd.c `authgetl()`.

Note for maintainers: qmail-smtpd takes anything for Base64 and decodes ``!!!notb64`` to garbage. This module takes
exactly the grammar; a laxer decoder is another `Dialect` of smtp_auth.

Rule 1: right Base64 happens here and nowhere else in the room; the faulty one is in `indimail_bugs`.
Rule 2: no exception quotes or carries the octets, not even as its context: they hold a password.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Final

from indimail_kit.errors import SaslError

CANCEL: Final = b"*"
"""The line with which a client gives up. Source: RFC 4954 section 4."""

EMPTY_RESPONSE: Final = b"="
"""An initial response of zero octets. Source: RFC 4954 section 4."""

MAX_LINE_BYTES: Final = 12288
"""Longest line of an exchange that must be taken (unit: octets, line end included). Source: RFC 4954 section 4."""

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_PADDING: Final = (b"", b"=", b"==")


def encode_base64(octets: bytes) -> str:
    """Return the Base64 text of octets, padded, in one line.

    Example:
        >>> encode_base64(b"pass")
        'cGFzcw=='
    """
    return base64.b64encode(octets).decode("ascii")


def decode_base64(text: bytes) -> bytes:
    """Decode one Base64 text, accepting exactly what `encode_base64` can give.

    Raises:
        SaslError: A character outside of the alphabet (its offset is told, not the character), a wrong length or
            padding, or bits that are not zero before the padding.

    Example:
        >>> decode_base64(b"cGFzcw==")
        b'pass'
    """
    padding = text.lstrip(_ALPHABET)
    if padding not in _PADDING:
        raise SaslError("Base64 characters, then at most two '='", offset=len(text) - len(padding))
    if len(text) % 4:
        raise SaslError("Base64 in groups of four characters", offset=len(text) - len(text) % 4)
    octets = base64.b64decode(text)
    if base64.b64encode(octets) != text:
        raise SaslError("zero bits before the Base64 padding", offset=len(text) - len(padding) - 1)
    return octets


def encode_utf8(text: str, *, expected: str) -> bytes:
    """Return the UTF-8 octets of a text; a lone surrogate raises SaslError(expected)."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass  # left behind here: it has the text, and an error raised here would carry it as its context
    raise SaslError(expected)


def decode_utf8(octets: bytes, *, expected: str) -> str:
    """Return the text of UTF-8 octets; other octets raise SaslError(expected)."""
    with suppress(UnicodeDecodeError):
        return octets.decode()
    raise SaslError(expected)


def encode_field(text: str, *, name: str) -> bytes:
    """Return the UTF-8 octets of a user, password or authzid.

    Raises:
        SaslError: A NUL or a lone surrogate is in it.
    """
    expected = f"UTF-8 without NUL in the {name}"
    octets = encode_utf8(text, expected=expected)
    if b"\0" in octets:
        raise SaslError(expected)
    return octets


def strip_line_end(line: bytes) -> bytes:
    r"""Remove one CR LF or LF, as `authgetl()` does.

    Example:
        >>> strip_line_end(b"cGFzcw==\r\n")
        b'cGFzcw=='
    """
    return line.removesuffix(b"\n").removesuffix(b"\r")
