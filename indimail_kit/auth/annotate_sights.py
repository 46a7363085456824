"""What can be seen in a message: the questions that the table of mistakes asks. Predicates only.

Rule 1: a sight looks at the octets and at nothing that only the password or the reply could tell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from indimail_kit.auth import annotate_parts as parts
from indimail_kit.auth import framing
from indimail_kit.auth.annotate_base64 import examine
from indimail_kit.auth.annotate_model import Exchange, Message

TEXTS: Final = ("login user", "login passwd", "plain")
"""Kinds of message that hold what people typed."""

MAX_FD3_BYTES: Final = 512
"""What a checkpassword module reads from fd 3 (unit: octets). Source: IndiMail vchkpass.c, facts on fd 3."""

WRAP_LENGTHS: Final = (60, 64, 72, 76)
"""Where programs cut Base64 (unit: characters): uuencode, PEM, some editors, MIME and coreutils' base64."""

Sight = Callable[[Message, Exchange], bool]
"""A question about a message in its exchange."""

_SEPARATED: Final = re.compile(rb"[^@\x00:;,| \t\r\n]+@[^@\x00:;,| \t\r\n]+[:;,| \t\r\n][^\x00]+|[^\x00:@]+:[^\x00@]+")
_APP_PASSWORD: Final = re.compile(rb"[a-z]{4} [a-z]{4} [a-z]{4} [a-z]{4}")
_LITERAL: Final = re.compile(rb"\\(?:n|r|t|0{1,3}|x[0-9a-fA-F]{2})")
_ENTITY: Final = re.compile(rb"&(?:amp|lt|gt|quot|apos|#[0-9]+);")
_EDITING: Final = re.compile(r"[\x08\x7f\x1b]")
_BRACKETED: Final = re.compile(rb"(?:^|\0)(?:<[^\0<>@]+@[^\0<>]+>|mailto:)")
_BOTH: Final = re.compile(rb"[^\s:@\0]+@[^\s:@\0]+:[^\0]+")
_HEX_DIGEST: Final = re.compile(rb"[0-9A-Fa-f]+")
INVISIBLE: Final = "\u00a0\u200b\u200c\u200d\u2060\ufeff\u202f\u2007\u00ad"
TYPOGRAPHIC: Final = "\u2018\u2019\u201c\u201d\u201e\u2013\u2014\u2026\u2032\u2033"
_QUOTES: Final = (b'"', b"'", b"`")


def as_text(octets: bytes) -> str | None:
    """Return UTF-8 octets as text, None for others."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return None


def ends(message: Message) -> list[bytes]:
    """Return the parts of a message that people type: user and password."""
    return message.octets.split(b"\0") if message.kind == "plain" else [message.octets]


def is_utf16(octets: bytes) -> bool:
    """Say whether every second octet is NUL, as in UTF-16 of plain letters."""
    body = octets.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    if len(body) < 4 or len(body) % 2:
        return False
    odd, even = body[1::2], body[::2]
    # PLAIN's own NULs are a NUL pair in UTF-16, so the other half may have a few of them.
    return (not odd.strip(b"\0") and even.count(0) <= 2 and any(even)) or (
        not even.strip(b"\0") and odd.count(0) <= 2 and any(odd)
    )


def is_other_charset(octets: bytes) -> bool:
    """Say whether octets are no UTF-8, yet mostly letters, as in Latin-1."""
    ascii_count = sum(1 for one in octets if 0x20 <= one < 0x7F or one == 0)
    return as_text(octets) is None and not is_utf16(octets) and ascii_count * 10 >= len(octets) * 6


def is_typed(message: Message, _exchange: Exchange) -> bool:
    """Say whether it looks like a text that was typed without Base64."""
    if "not Base64" in message.faults:
        return not is_literal_token(message)
    if message.draft.octets is None or message.faults or message.kind not in TEXTS:
        return False
    octets = message.octets
    return as_text(octets) is None and not is_utf16(octets) and not is_other_charset(octets)


def is_literal_token(message: Message) -> bool:
    r"""Say whether a token without Base64 has ``\0`` written out."""
    return "\\0" in message.token


def is_double(message: Message, _exchange: Exchange) -> bool:
    """Say whether it is Base64 of Base64 of a text."""
    text = as_text(message.octets.strip())
    if text is None or len(text) < 8:
        return False
    view = examine(text)
    inner = view.octets
    if inner is None or view.faults or not inner:
        return False
    decoded = as_text(inner)
    has_mark = text.endswith("=") or b"\0" in inner or parts.looks_like_address(inner)
    return has_mark and decoded is not None and all(one.isprintable() or one == "\0" for one in decoded)


def is_mojibake(message: Message, _exchange: Exchange) -> bool:
    """Say whether UTF-8 was taken for Latin-1 and encoded once more."""
    text = as_text(message.octets)
    if text is None or text.isascii():
        return False
    try:
        again = text.encode("latin-1").decode()
    except ValueError:
        return False
    return len(again) < len(text)


def has(characters: str) -> Sight:
    """Return the question whether one of some characters is in it."""
    wanted = set(characters)
    return lambda message, _exchange: not wanted.isdisjoint(as_text(message.octets) or "")


def fault(name: str) -> Sight:
    """Return the question whether the Base64 has a fault."""
    return lambda message, _exchange: name in message.faults


def is_quoted(message: Message, _exchange: Exchange) -> bool:
    """Say whether a part begins and ends with a quotation mark."""
    return any(len(one) >= 2 and one[:1] == one[-1:] and one[:1] in _QUOTES for one in ends(message))


def no_domain(message: Message, exchange: Exchange) -> bool:
    """Say whether a user that was refused is no whole address."""
    is_refused = exchange.reply_code not in (0, 235)
    user = message.user
    return is_refused and bool(user) and "@" not in user and "%40" not in user


def is_swapped(message: Message, exchange: Exchange) -> bool:
    """Say whether user and password look as if they had changed places."""
    if message.kind == "plain":
        pieces = message.octets.split(b"\0")[:3]
        return len(pieces) >= 2 and bool(pieces[-2]) and parts.is_swapped(pieces[-2], pieces[-1])
    users = [one.octets for one in exchange.messages if one.kind == "login user"]
    return message.kind == "login passwd" and bool(users) and parts.is_swapped(users[-1], message.octets)


def is_same(message: Message, exchange: Exchange) -> bool:
    """Say whether both answers are the same."""
    users = [one.octets for one in exchange.messages if one.kind == "login user"]
    return message.kind == "login passwd" and bool(message.octets) and message.octets in users


def nul_count(message: Message) -> int:
    """Return how many NULs a message has, not counting those of UTF-16."""
    octets = message.octets
    return 0 if is_utf16(octets) or message.draft.octets is None else octets.count(b"\0")


def lacks_first_nul(message: Message, _exchange: Exchange) -> bool:
    """Say whether PLAIN begins with the user."""
    pieces = message.octets.split(b"\0")
    return nul_count(message) == 1 and all(pieces) and pieces[0][0] >= 0x20


def lacks_second_nul(message: Message, _exchange: Exchange) -> bool:
    """Say whether PLAIN has no NUL behind the user."""
    return nul_count(message) == 1 and message.octets.startswith(b"\0") and len(message.octets) > 1


def has_separator(message: Message, _exchange: Exchange) -> bool:
    """Say whether something else stands where PLAIN has NUL."""
    octets = message.octets.strip()
    return nul_count(message) == 0 and as_text(octets) is not None and _SEPARATED.fullmatch(octets) is not None


def has_no_nul(message: Message, exchange: Exchange) -> bool:
    """Say whether PLAIN has no NUL for no reason that another row tells."""
    octets = message.octets
    others = (has_separator, is_double, is_literal, is_typed)
    is_other = any(finds(message, exchange) for finds in others) or is_octal(message, exchange)
    return bool(octets) and message.draft.octets is not None and b"\0" not in octets and not is_other


def is_octal(message: Message, _exchange: Exchange) -> bool:
    """Say whether a control character stands where PLAIN begins with NUL."""
    octets = message.octets
    return bool(octets) and 0 < octets[0] < 0x20 and octets[0] != 1 and nul_count(message) <= 1


def is_literal(message: Message, _exchange: Exchange) -> bool:
    """Say whether an escape was sent as its characters."""
    return _LITERAL.search(message.octets) is not None


def is_empty_part(message: Message, _exchange: Exchange) -> bool:
    """Say whether user or password of PLAIN is empty."""
    pieces = message.octets.split(b"\0")
    return nul_count(message) == 2 and (not pieces[1] or not pieces[2]) and not is_swapped(message, _exchange)


def is_too_long(message: Message, exchange: Exchange) -> bool:
    """Say whether user and password are more than a checkpassword module reads."""
    passwd = message.secret
    user = message.user or exchange.user
    return passwd is not None and len(user.encode("utf-8", "replace")) + len(passwd) + 5 > MAX_FD3_BYTES


def acts_for_other(message: Message, _exchange: Exchange) -> bool:
    """Say whether the authzid is another than the user."""
    pieces = message.octets.split(b"\0")
    return len(pieces) == 3 and bool(pieces[0]) and pieces[0] != pieces[1]


def is_echo_option(message: Message, _exchange: Exchange) -> bool:
    """Say whether an option of `echo` became text."""
    return message.octets.startswith((b"-n ", b"-e ", b"-ne ", b"-en "))


def is_decomposed(message: Message, _exchange: Exchange) -> bool:
    """Say whether an accent stands apart from its letter."""
    text = as_text(message.octets)
    return text is not None and not text.isascii() and unicodedata.normalize("NFC", text) != text


def is_plain_in_login(message: Message, _exchange: Exchange) -> bool:
    """Say whether an answer to LOGIN has NULs inside."""
    return not is_utf16(message.octets) and b"\0" in message.octets.strip(b"\0")


def is_bad_bearer(message: Message, _exchange: Exchange) -> bool:
    """Say whether a token message has no octet 1."""
    octets = message.octets
    return octets.startswith(b"user=") and b"\x01" not in octets


def lacks_bearer(message: Message, _exchange: Exchange) -> bool:
    """Say whether the word Bearer is missing."""
    match = re.search(rb"auth=([^\x01]*)", message.octets)
    return match is not None and not match[1].lower().startswith(b"bearer ")


def is_challenge(message: Message, exchange: Exchange) -> bool:
    """Say whether the server's challenge came back."""
    return bool(message.octets) and any(message.octets == octets for octets, _, _ in exchange.challenges)


def is_wrapped(message: Message, exchange: Exchange) -> bool:
    """Say whether the Base64 goes on in the next line."""
    if len(message.token) not in WRAP_LENGTHS or message.token.endswith("="):
        return False
    number = message.draft.line.number
    return any(one.kind in ("late", "response") and one.draft.line.number > number for one in exchange.messages)


def ends_with_newline(message: Message, _exchange: Exchange) -> bool:
    """Say whether a part ends in LF."""
    return any(one.endswith(b"\n") and not one.endswith(b"\r\n") for one in ends(message))


def ends_with_cr(message: Message, _exchange: Exchange) -> bool:
    """Say whether a part ends in CR or CR LF."""
    return any(one.endswith((b"\r", b"\r\n")) for one in ends(message))


def has_escape(message: Message, exchange: Exchange) -> bool:
    """Say whether an escape was sent as its characters, in Base64 or without."""
    return is_literal(message, exchange) or (message.draft.octets is None and is_literal_token(message))


def has_bom(message: Message, _exchange: Exchange) -> bool:
    """Say whether a part begins with UTF-8's byte order mark."""
    return any(one.startswith(b"\xef\xbb\xbf") for one in ends(message))


def has_editing_keys(message: Message, _exchange: Exchange) -> bool:
    """Say whether backspace, delete or escape was typed."""
    if _EDITING.search(message.token):
        return True
    text = as_text(message.octets)
    return message.kind in TEXTS and text is not None and _EDITING.search(text) is not None


def has_entity(message: Message, _exchange: Exchange) -> bool:
    """Say whether an entity of HTML stands in it."""
    return _ENTITY.search(message.octets) is not None


def has_blanks_around(message: Message, exchange: Exchange) -> bool:
    """Say whether a part begins or ends with a blank."""
    return not is_echo_option(message, exchange) and any(one != one.strip(b" ") for one in ends(message))


def has_app_password(message: Message, _exchange: Exchange) -> bool:
    """Say whether the password has the form of an application password, blanks included."""
    return _APP_PASSWORD.fullmatch(message.secret or b"") is not None


def has_percent_user(message: Message, _exchange: Exchange) -> bool:
    """Say whether the user's @ is written %40."""
    return "%40" in message.user or (message.kind == "login user" and b"%40" in message.octets)


def has_bracketed_user(message: Message, _exchange: Exchange) -> bool:
    """Say whether the user stands in angle brackets or behind mailto:."""
    return _BRACKETED.search(message.octets) is not None


def is_both_in_one(message: Message, _exchange: Exchange) -> bool:
    """Say whether an answer is ``user@domain:password``."""
    return _BOTH.fullmatch(message.octets.strip()) is not None


def is_empty(message: Message, _exchange: Exchange) -> bool:
    """Say whether the answer is empty."""
    return message.draft.octets == b"" and not message.faults


def has_many_nuls(message: Message, _exchange: Exchange) -> bool:
    """Say whether there are more than two NULs."""
    return nul_count(message) > 2


def is_lone_digest(message: Message, _exchange: Exchange) -> bool:
    """Say whether a CRAM answer is a hexadecimal number and nothing else."""
    octets = message.octets.strip()
    return len(octets) >= 32 and _HEX_DIGEST.fullmatch(octets) is not None


def is_upper_digest(message: Message, _exchange: Exchange) -> bool:
    """Say whether the digest has capital letters."""
    digest = parts.split_cram(message.octets.strip())[2]
    return bool(message.user) and digest != digest.lower()


def is_odd_digest(message: Message, _exchange: Exchange) -> bool:
    """Say whether something else than a hexadecimal number stands behind the user."""
    return not message.user and b" " in message.octets.strip() and not is_utf16(message.octets)


def is_single_word(message: Message, exchange: Exchange) -> bool:
    """Say whether a CRAM answer has no blank."""
    octets = message.octets.strip()
    is_word = bool(octets) and b" " not in octets and not is_utf16(octets)
    return is_word and not is_lone_digest(message, exchange)


def is_utf16_text(message: Message, _exchange: Exchange) -> bool:
    """Say whether it is UTF-16."""
    return is_utf16(message.octets)


def is_old_charset(message: Message, _exchange: Exchange) -> bool:
    """Say whether it is in an old character set."""
    return is_other_charset(message.octets)


def is_too_long_line(message: Message, _exchange: Exchange) -> bool:
    """Say whether the line is longer than a server must take."""
    return len(message.token) > framing.MAX_LINE_BYTES
