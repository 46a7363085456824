"""Each kind of message taken apart: which octets are what, and which sentence says so. One function a kind.

Source: RFC 4616 section 2 (PLAIN), draft-murchison-sasl-login-00, RFC 2195 section 2 (CRAM), RFC 2831 section 2.1
(DIGEST-MD5), RFC 5802 section 7 (SCRAM), RFC 7628 section 3.1 (OAUTHBEARER), Google's XOAUTH2 protocol.

Rule 1: every octet gets a role; what does not follow the grammar is one field, and from a client it is secret.
Rule 2: a user is shown only where it can be told from a password: people mix them up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from indimail_kit.auth.annotate_model import Field

PLAIN: Final = "RFC 4616 section 2"
LOGIN: Final = "draft-murchison-sasl-login-00"
CRAM: Final = "RFC 2195 section 2"
DIGEST: Final = "RFC 2831 section 2.1"
SCRAM: Final = "RFC 5802 section 7"
XOAUTH2: Final = "Google XOAUTH2 protocol"
OAUTHBEARER: Final = "RFC 7628 section 3.1"

Fields = tuple[Field, ...]

_ADDRESS: Final = re.compile(rb"[^\s@\x00-\x1f\"'<>,;:]+@[^\s@\x00-\x1f\"'<>,;:]+\.?[^\s@\x00-\x1f\"'<>,;:]*")
_CHALLENGE: Final = re.compile(rb"(<)([0-9]+)(\.)([0-9]+)(@)([^<>@\s]+)(>)")
_CHALLENGE_ROLES: Final = (
    "separator", "challenge pid", "separator", "challenge time", "separator", "challenge host", "separator",
)  # fmt: skip
_HEX: Final = re.compile(rb"[0-9A-Fa-f]+")
_DIGEST_FIELD: Final = re.compile(rb"([A-Za-z0-9_-]+)(=)(\"(?:[^\"\\]|\\.)*\"|[^,\"]*)(,[ \t]*|$)", re.DOTALL)
_SCRAM_FIELD: Final = re.compile(rb"([a-z])(=)([^,]*)(,|$)", re.DOTALL)
_GS2: Final = re.compile(rb"((?:[ny]|p=[A-Za-z0-9.-]+),)(?:(a=)([^,]*))?(,)")
_XOAUTH2: Final = re.compile(rb"(user=)([^\x01]*)(\x01)(auth=)([A-Za-z]+ )?([^\x01]*)(\x01\x01)")
_OAUTHBEARER_PAIR: Final = re.compile(rb"([a-z]+=)([^\x01]*)(\x01)")

SCRAM_ROLES: Final = {
    b"n": "user", b"r": "nonce", b"s": "salt", b"i": "iteration count", b"c": "channel binding", b"p": "client proof",
    b"v": "server signature", b"e": "server error", b"m": "extension", b"a": "authzid",
}  # fmt: skip
"""Attribute of a SCRAM message -> role. Source: RFC 5802 section 5.1."""

DIGEST_ROLES: Final = {
    b"username": "user", b"authzid": "authzid", b"realm": "realm", b"nonce": "nonce", b"cnonce": "cnonce",
    b"nc": "nonce count", b"qop": "qop", b"digest-uri": "digest-uri", b"response": "digest", b"rspauth": "digest",
    b"algorithm": "algorithm", b"charset": "charset", b"maxbuf": "maxbuf", b"cipher": "cipher", b"stale": "stale",
}  # fmt: skip
"""Directive of a DIGEST-MD5 message -> role. Source: RFC 2831 sections 2.1.1 to 2.1.3."""

_SECRET_ROLES: Final = frozenset({"client proof", "server signature", "digest", "token", "password"})


def looks_like_address(octets: bytes) -> bool:
    """Say whether octets are ``local@domain`` and nothing else.

    Example:
        >>> looks_like_address(b"postmaster@example.com"), looks_like_address(b"pass")
        (True, False)
    """
    return len(octets) <= 320 and _ADDRESS.fullmatch(octets) is not None


def is_swapped(user: bytes, passwd: bytes) -> bool:
    """Say whether the two look as if they had changed places."""
    return looks_like_address(passwd.strip()) and not looks_like_address(user.strip())


def _sequence(pieces: list[tuple[bytes | None, str]], source: str) -> Fields:
    """Return fields that follow each other; empty pieces get none."""
    fields: list[Field] = []
    at = 0
    for piece, role in pieces:
        if piece:
            fields.append(Field(at, at + len(piece), role, source, is_secret=role in _SECRET_ROLES))
            at += len(piece)
    return tuple(fields)


def _unknown(octets: bytes, source: str, role: str = "not understood") -> Fields:
    """Return everything as one secret field."""
    return (Field(0, len(octets), role, source, is_secret=True),) if octets else ()


def plain_fields(octets: bytes) -> Fields:
    """Take a PLAIN message apart."""
    parts = octets.split(b"\0")
    if len(parts) == 4 and not parts[3]:  # a C string sent with its end
        head = plain_fields(octets[:-1])
        return (*head, Field(len(octets) - 1, len(octets), "NUL", "one too many: RFC 4616 section 2"))
    if len(parts) == 3 and parts[1] and parts[2] and not is_swapped(parts[1], parts[2]):
        authzid, user, passwd = parts
        return _sequence(
            [(authzid, "authzid"), (b"\0", "NUL"), (user, "user"), (b"\0", "NUL"), (passwd, "password")], PLAIN
        )
    if len(parts) == 2 and parts[1] and looks_like_address(parts[0]) and not looks_like_address(parts[1]):
        return _sequence([(parts[0], "user"), (b"\0", "NUL"), (parts[1], "password")], PLAIN)
    fields: list[Field] = []
    at = 0
    for index, part in enumerate(parts):
        if index:
            fields.append(Field(at, at + 1, "NUL", PLAIN))
            at += 1
        if part:
            fields.append(Field(at, at + len(part), "user or password", PLAIN, is_secret=True))
            at += len(part)
    return tuple(fields)


def login_user_fields(octets: bytes) -> Fields:
    """Take LOGIN's first answer; it is hidden later if it turns out to be the password."""
    return (Field(0, len(octets), "user", LOGIN),) if octets else ()


def login_passwd_fields(octets: bytes) -> Fields:
    """Take LOGIN's second answer."""
    return (Field(0, len(octets), "password", LOGIN, is_secret=True),) if octets else ()


def prompt_fields(octets: bytes) -> Fields:
    """Take LOGIN's question."""
    return (Field(0, len(octets), "prompt", LOGIN),) if octets else ()


def cram_challenge_fields(octets: bytes) -> Fields:
    """Take a challenge ``<pid.time@host>`` apart; other servers write other things between the brackets."""
    match = _CHALLENGE.fullmatch(octets)
    if match is None:
        return (Field(0, len(octets), "challenge", CRAM),) if octets else ()
    return _sequence(list(zip(match.groups(), _CHALLENGE_ROLES, strict=True)), CRAM)


def split_cram(octets: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (user, blank, digest); RFC 2195 allows blanks in the user, so a digest at the end decides."""
    user, blank, digest = octets.rpartition(b" ")
    if blank and user and len(digest) >= 32 and _HEX.fullmatch(digest):
        return user, blank, digest
    return octets.partition(b" ")


def cram_response_fields(octets: bytes) -> Fields:
    """Take a CRAM response apart; the digest is as good as a hash of the password."""
    user, blank, digest = split_cram(octets)
    if not blank or not user or not _HEX.fullmatch(digest):
        return _unknown(octets, CRAM)
    return _sequence([(user, "user"), (blank, "separator"), (digest, "digest")], CRAM)


def digest_fields(octets: bytes) -> Fields:
    """Take a DIGEST-MD5 challenge, response or rspauth apart."""
    fields: list[Field] = []
    at = 0
    text = octets.removesuffix(b"\0")  # IndiMail sends rspauth with the NUL of its C string
    while at < len(text):
        match = _DIGEST_FIELD.match(text, at)
        if match is None or match.end() == at:
            return _unknown(octets, DIGEST)
        name, equals, value, comma = match.groups()
        role = DIGEST_ROLES.get(name.lower(), "directive")
        is_secret = role in _SECRET_ROLES or role == "directive"
        for piece, its_role, hides in (
            (name, "directive name", False), (equals, "separator", False), (value, role, is_secret),
            (comma, "separator", False),
        ):  # fmt: skip
            if piece:
                fields.append(Field(at, at + len(piece), its_role, DIGEST, is_secret=hides))
                at += len(piece)
    if len(text) < len(octets):
        fields.append(Field(len(text), len(octets), "NUL", "IndiMail's addition; not in RFC 2831"))
    return tuple(fields)


def scram_fields(octets: bytes) -> Fields:
    """Take any of the four SCRAM messages apart."""
    header = _GS2.match(octets)
    fields: list[Field] = []
    at = 0
    if header is not None:
        flag, name, authzid, comma = header.groups()
        named = [(flag, "gs2-header"), (name, "attribute name"), (authzid, "authzid"), (comma, "gs2-header")]
        fields += _sequence(named if name else [(header[0], "gs2-header")], SCRAM)
        at = header.end()
    while at < len(octets):
        match = _SCRAM_FIELD.match(octets, at)
        if match is None:
            return _unknown(octets, SCRAM)
        name, equals, value, comma = match.groups()
        role = SCRAM_ROLES.get(name, "extension")
        for piece, its_role in ((name + equals, "attribute name"), (value, role), (comma, "separator")):
            if piece:
                hides = its_role in _SECRET_ROLES or its_role == "extension"
                fields.append(Field(at, at + len(piece), its_role, SCRAM, is_secret=hides))
                at += len(piece)
    return tuple(fields)


def xoauth2_fields(octets: bytes) -> Fields:
    """Take the XOAUTH2 initial response apart."""
    match = _XOAUTH2.fullmatch(octets)
    if match is None:
        return _unknown(octets, XOAUTH2)
    roles = ("attribute name", "user", "control-A", "attribute name", "auth scheme", "token", "control-A")
    return _sequence(list(zip(match.groups(), roles, strict=True)), XOAUTH2)


def oauthbearer_fields(octets: bytes) -> Fields:
    """Take the OAUTHBEARER initial response apart."""
    header = _GS2.match(octets)
    if header is None or octets[header.end() : header.end() + 1] != b"\x01":
        return _unknown(octets, OAUTHBEARER)
    flag, name, authzid, comma = header.groups()
    pieces: list[tuple[bytes | None, str]] = [
        (flag, "gs2-header"),
        (name, "attribute name"),
        (authzid, "user"),
        (comma, "gs2-header"),
        (b"\x01", "control-A"),
    ]
    at = header.end() + 1
    while at < len(octets) - 1:
        match = _OAUTHBEARER_PAIR.match(octets, at)
        if match is None:
            return _unknown(octets, OAUTHBEARER)
        role = "token" if match[1] == b"auth=" else "value"
        pieces += [(match[1], "attribute name"), (match[2], role), (match[3], "control-A")]
        at = match.end()
    return _sequence([*pieces, (octets[at:], "control-A")], OAUTHBEARER)


def error_fields(octets: bytes) -> Fields:
    """Take a server's JSON that says why a token was refused."""
    return (Field(0, len(octets), "server error", XOAUTH2),) if octets else ()


def empty_fields(octets: bytes) -> Fields:
    """Take an answer that should be empty."""
    return _unknown(octets, "RFC 4954 section 4", "unexpected")


def unknown_fields(octets: bytes) -> Fields:
    """Take an answer of which nothing is known."""
    return _unknown(octets, "RFC 4954 section 4", "response")


def unknown_challenge_fields(octets: bytes) -> Fields:
    """Take a question of which nothing is known."""
    return (Field(0, len(octets), "challenge", "RFC 4954 section 4"),) if octets else ()


KINDS: Final[dict[str, Callable[[bytes], Fields]]] = {
    "plain": plain_fields,
    "login user": login_user_fields,
    "login passwd": login_passwd_fields,
    "prompt": prompt_fields,
    "cram challenge": cram_challenge_fields,
    "cram response": cram_response_fields,
    "digest challenge": digest_fields,
    "digest response": digest_fields,
    "rspauth": digest_fields,
    "scram client-first": scram_fields,
    "scram server-first": scram_fields,
    "scram client-final": scram_fields,
    "scram server-final": scram_fields,
    "xoauth2": xoauth2_fields,
    "oauthbearer": oauthbearer_fields,
    "token error": error_fields,
    "empty": empty_fields,
    "response": unknown_fields,
    "challenge": unknown_challenge_fields,
}
"""Kind of message -> the function that takes it apart."""


# Kind -> what its octets look like; the first that fits, for a text without a dialogue around it.
_LOOKS: Final = (
    ("prompt", re.compile(rb"(?:user ?name|user|login|password|passwd)[:\0 ]*", re.IGNORECASE)),
    ("token error", re.compile(rb"\{.*\}", re.DOTALL)),
    ("cram challenge", re.compile(rb"<[^<>]*>")),
    ("scram client-first", re.compile(rb"(?:[ny]|p=[A-Za-z0-9.-]+),[^,]*,(?:n=|m=).*", re.DOTALL)),
    ("oauthbearer", re.compile(rb"[ny],a=[^,]*,\x01.*", re.DOTALL)),
    ("scram server-first", re.compile(rb"r=[^,]+,s=[^,]+,i=[0-9]+.*", re.DOTALL)),
    ("scram client-final", re.compile(rb"c=[^,]+,r=[^,]+,.*p=.*", re.DOTALL)),
    ("scram server-final", re.compile(rb"[ve]=[^,]+.*", re.DOTALL)),
    ("xoauth2", re.compile(rb"user=.*auth=.*", re.DOTALL)),
    ("rspauth", re.compile(rb"rspauth=.*", re.DOTALL)),
    ("digest response", re.compile(rb"(?:.*[, ])?username=\".*response=.*", re.DOTALL)),
    ("digest challenge", re.compile(rb"(?:.*[, ])?nonce=\".*", re.DOTALL)),
    ("cram response", re.compile(rb"\S+ (?:[0-9A-Fa-f]{32,128})")),
    ("plain", re.compile(rb"[^\0]*\0[^\0]+\0[^\0]+\0?")),
)

_LOOK_BYTES: Final = 12288
"""How much of a message is looked at (unit: octets): RFC 4954's longest line."""

SERVER_KINDS: Final = frozenset(
    {"prompt", "token error", "cram challenge", "scram server-first", "scram server-final", "rspauth",
     "digest challenge", "challenge"}
)  # fmt: skip
"""Kinds that a server sends."""


def guess_kind(octets: bytes) -> str:
    """Say what octets are by their look alone; "" when nothing fits.

    Example:
        >>> guess_kind(b"<20137.1267585100@indimail.org>"), guess_kind(b"pass")
        ('cram challenge', '')
    """
    return next((kind for kind, pattern in _LOOKS if pattern.fullmatch(octets, 0, _LOOK_BYTES)), "")
