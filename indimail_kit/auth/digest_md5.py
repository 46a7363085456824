"""DIGEST-MD5: HTTP's digest for mail; both sides prove that they know the password.

Source: RFC 2831 section 2.1 (the messages, the hashes), obsoleted by RFC 6331, which says why; IndiMail smtpd.c
`auth_digest_md5()`, libqmail digest_md5.c.

Note for maintainers: the hash of user, realm and password is as good as the password itself, for whoever stores or
steals it. Only qop "auth" is here; "auth-int" and "auth-conf" would change the connection afterwards.

Rule 1: the nonce of each exchange is new; nc is always 00000001, for nobody comes back with an old one.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from hashlib import md5
from typing import TYPE_CHECKING, Final

from indimail_kit.auth import framing
from indimail_kit.errors import SaslError

if TYPE_CHECKING:
    from indimail_kit.auth.authority import Authority, Judgement
    from indimail_kit.auth.stored import Account

NONCE_BYTES: Final = 20
"""Octets that are drawn for a nonce (unit: octets); qmail-smtpd hashes its process number and the time."""

MAX_CHALLENGE_BYTES: Final = 2048
"""Longest challenge (unit: octets). Source: RFC 2831 section 2.1.1; a response has at most 4096."""

MAX_RESPONSE_BYTES: Final = 4096
"""Longest response (unit: octets). Source: RFC 2831 section 2.1.2."""

_DIRECTIVE: Final = re.compile(
    rb"[ \t\r\n]*([!#$%&'*+.0-9A-Z^_`a-z|~-]+)[ \t]*=[ \t]*"
    rb"(?:\"((?:[^\"\\]|\\.)*)\"|([!#$%&'*+./0-9:@A-Z^_`a-z|~=-]+))[ \t\r\n]*(?:,|$)",
    re.DOTALL,
)
"""One directive. A token is a little wider than RFC 2616's: IndiMail and many clients leave out quotation marks."""

_GRAMMAR: Final = "directives of RFC 2831, separated by commas"
_HEX: Final = re.compile(r"[0-9a-f]{32}")
_REPEATABLE: Final = {"realm", "auth-param"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestChallenge:
    """The server's challenge.

    Attributes:
        realms: Realms to choose from, perhaps none.
        nonce: The server's nonce.
        is_utf8: Whether user and password may be sent in UTF-8.
    """

    realms: tuple[str, ...]
    nonce: str
    is_utf8: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestResponse:
    """The client's response; the user's proof.

    Attributes:
        authcid: The user.
        realm: The realm, "" when none was sent.
        nonce: The server's nonce, sent back.
        cnonce: The client's nonce.
        nc: How often the nonce was used, eight hexadecimal digits.
        qop: Quality of protection.
        digest_uri: Service and host, such as ``smtp/mx1.example.com``.
        response: The digest, 32 hexadecimal digits in lower case.
        authzid: Whom the client wants to act for, "" for itself.
        is_utf8: Whether the client wrote in UTF-8.
    """

    authcid: str
    realm: str
    nonce: str
    cnonce: str
    nc: str = "00000001"
    qop: str = "auth"
    digest_uri: str
    response: str = field(default="", repr=False)
    authzid: str = ""
    is_utf8: bool = False

    def matches(self, account: Account) -> bool:
        """Say whether the digest was made with the account's clear password; without one it never was."""
        passwd = account.passwd
        right = digest(self, passwd=passwd or "")
        return hmac.compare_digest(right.encode("ascii"), self.response.encode("utf-8", "replace")) and bool(passwd)

    def answer(self, account: Account) -> bytes:
        """Return rspauth, the server's own digest."""
        return digest(self, passwd=account.passwd or "", is_server=True).encode("ascii")

    def fd3_fields(self) -> tuple[bytes, bytes]:
        """Return the digest, and the directives as lines."""
        lines = {"digest-uri": self.digest_uri, "nc": self.nc, "nonce": self.nonce, "cnonce": self.cnonce}
        lines |= {"qop": self.qop, "realm": self.realm}
        text = "\n".join(f"{name}={value}" for name, value in lines.items())
        return self.response.encode("ascii", "replace"), text.encode("utf-8", "surrogateescape")


def parse_directives(octets: bytes) -> dict[str, tuple[bytes, ...]]:
    r"""Read ``name=value,name="value"``; the values of each name in order, without quotation marks.

    Raises:
        SaslError: The octets are not such a list, or a name that may stand once stands twice.

    Example:
        >>> parse_directives(b'realm="a \\"b\\"",qop=auth')
        {'realm': (b'a "b"',), 'qop': (b'auth',)}
    """
    found: dict[str, tuple[bytes, ...]] = {}
    at = 0
    while at < len(octets) or not found:
        match = _DIRECTIVE.match(octets, at)
        if match is None:
            raise SaslError(_GRAMMAR, offset=at)
        name = match[1].decode("ascii").lower()
        if name in found and name not in _REPEATABLE:
            raise SaslError(f"{_GRAMMAR}, each name once", offset=at)
        value = match[3] if match[2] is None else re.sub(rb"\\(.)", rb"\1", match[2], flags=re.DOTALL)
        found[name] = (*found.get(name, ()), value)
        at = match.end()
    return found


def make_nonce(*, source: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return a nonce in the form of qmail-smtpd's: hexadecimal digits, in Base64."""
    return framing.encode_base64(source(NONCE_BYTES).hex().encode("ascii"))


def make_challenge(*, host: str, nonce: str | None = None) -> bytes:
    r"""Return a challenge as qmail-smtpd writes it.

    Args:
        host: The realm.
        nonce: The nonce, or None to have one drawn.

    Raises:
        SaslError: Host or nonce hold a quotation mark, a backslash or something that is not printable ASCII.

    Example:
        >>> make_challenge(host="mx1.example.com", nonce="OA6MG9tEQGm2hh")
        b'realm="mx1.example.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess'
    """
    text = make_nonce() if nonce is None else nonce
    if not re.fullmatch(r"[!#-\[\]-~]+", host) or not re.fullmatch(r"[!#-\[\]-~]+", text):
        raise SaslError("a host and a nonce in printable ASCII without quotation marks and backslashes")
    return f'realm="{host}",nonce="{text}",qop="auth",algorithm=md5-sess'.encode("ascii")


def decode_challenge(octets: bytes) -> DigestChallenge:
    """Read a challenge, after Base64.

    Raises:
        SaslError: It breaks RFC 2831's grammar, is too long, lacks the nonce, or has no qop "auth" or algorithm
            "md5-sess".
    """
    if len(octets) > MAX_CHALLENGE_BYTES:
        raise SaslError(f"a challenge of at most {MAX_CHALLENGE_BYTES} octets")
    directives = parse_directives(octets)
    is_utf8 = _charset(directives)
    one = _values(directives, is_utf8=True)
    offered = {text.strip().lower() for text in one.get("qop", "auth").split(",")}
    if not one.get("nonce") or one.get("algorithm", "").lower() != "md5-sess" or "auth" not in offered:
        raise SaslError('a DIGEST-MD5 challenge with a nonce, algorithm=md5-sess and qop="auth"')
    realms = tuple(framing.decode_utf8(text, expected=_GRAMMAR) for text in directives.get("realm", ()))
    return DigestChallenge(realms=realms, nonce=one["nonce"], is_utf8=is_utf8)


def digest(response: DigestResponse, *, passwd: str, is_server: bool = False) -> str:
    """Return the digest that goes with a response, in lower-case hexadecimal digits.

    Args:
        response: Whose `response` field does not count.
        passwd: The clear password.
        is_server: Whether rspauth is wanted, the server's digest.

    Source:
        RFC 2831 section 2.1.2.1; section 2.1.3 for rspauth.

    Example:
        >>> example = DigestResponse(
        ...     authcid="chris", realm="elwood.innosoft.com", nonce="OA6MG9tEQGm2hh", cnonce="OA6MHXh6VqTrRk",
        ...     digest_uri="imap/elwood.innosoft.com", is_utf8=True)
        >>> digest(example, passwd="secret"), digest(example, passwd="secret", is_server=True)
        ('d388dad90d4bbd760a152321f2143af7', 'ea40f60335c427b5527b84dbabcdfffd')
    """
    who = b":".join(_hashed(text, is_utf8=response.is_utf8) for text in (response.authcid, response.realm, passwd))
    a1 = _md5(who) + b":" + _octets(response.nonce) + b":" + _octets(response.cnonce)
    if response.authzid:
        a1 += b":" + _octets(response.authzid)
    a2 = b":" if is_server else b"AUTHENTICATE:"
    a2 += _octets(response.digest_uri) + (b":" + b"0" * 32 if response.qop != "auth" else b"")
    middle = (response.nonce, response.nc, response.cnonce, response.qop)
    text = b":".join((_md5(a1).hex().encode(), *map(_octets, middle), _md5(a2).hex().encode()))
    return _md5(text).hex()


def encode_response(response: DigestResponse) -> bytes:
    """Return the octets of a response, before Base64, in the order in which most clients write it.

    Raises:
        SaslError: A field holds NUL or a lone surrogate, or cannot be written in the charset.
    """
    quoted = (
        ("username", response.authcid),
        ("realm", response.realm),
        ("nonce", response.nonce),
        ("cnonce", response.cnonce),
    )
    parts = [_quote(name, text, is_utf8=response.is_utf8) for name, text in quoted if text or name != "realm"]
    parts += [f"nc={response.nc}".encode(), f"qop={response.qop}".encode()]
    parts += [
        _quote("digest-uri", response.digest_uri, is_utf8=response.is_utf8),
        f"response={response.response}".encode(),
    ]
    if response.authzid:
        parts.append(_quote("authzid", response.authzid, is_utf8=True))
    if response.is_utf8:
        parts.append(b"charset=utf-8")
    return b",".join(parts)


def decode_response(octets: bytes) -> DigestResponse:
    """Read a response, after Base64.

    Raises:
        SaslError: It breaks RFC 2831's grammar, is too long, or lacks a directive that must be there.
    """
    if len(octets) > MAX_RESPONSE_BYTES:
        raise SaslError(f"a response of at most {MAX_RESPONSE_BYTES} octets")
    directives = parse_directives(octets)
    if len(directives.get("realm", ())) > 1:
        raise SaslError("one realm in a response")
    is_utf8 = _charset(directives)
    one = _values(directives, is_utf8=is_utf8)
    needed = ("username", "nonce", "cnonce", "nc", "digest-uri", "response")
    missing = [name for name in needed if not one.get(name)]
    if missing or not _HEX.fullmatch(one["response"]) or one.get("qop", "auth") != "auth" or one["nc"] != "00000001":
        raise SaslError(f"a DIGEST-MD5 response with {', '.join(needed)}; nc=00000001, qop=auth, lower-case digits")
    return DigestResponse(
        authcid=one["username"],
        realm=one.get("realm", ""),
        nonce=one["nonce"],
        cnonce=one["cnonce"],
        digest_uri=one["digest-uri"],
        response=one["response"],
        authzid=one.get("authzid", ""),
        is_utf8=is_utf8,
    )


def respond(
    challenge: bytes, *, authcid: str, passwd: str, host: str = "", cnonce: str = "", service: str = "smtp"
) -> DigestResponse:
    """Answer a challenge.

    Args:
        challenge: Octets after Base64.
        authcid: The user.
        passwd: The clear password.
        host: The server's name in digest-uri, "" for the realm's.
        cnonce: The client's nonce, "" to have one drawn.
        service: Service in digest-uri.

    Raises:
        SaslError: The challenge is malformed, or user or password are empty or cannot be sent.
    """
    asked = decode_challenge(challenge)
    if not authcid or not passwd:
        raise SaslError("a user and a password that are not empty")
    for name, text in (("authcid", authcid), ("passwd", passwd)):
        framing.encode_field(text, name=name)
    realm = asked.realms[0] if asked.realms else ""
    blank = DigestResponse(
        authcid=authcid,
        realm=realm,
        nonce=asked.nonce,
        cnonce=cnonce or make_nonce(),
        digest_uri=f"{service}/{host or realm or 'localhost'}",
        is_utf8=asked.is_utf8,
    )
    fields = {name: getattr(blank, name) for name in blank.__slots__ if name != "response"}
    return DigestResponse(**fields, response=digest(blank, passwd=passwd))


def is_rspauth(challenge: bytes, response: DigestResponse, *, passwd: str) -> bool:
    """Say whether a server's last challenge proves that it knows the password; IndiMail's NUL behind it is allowed."""
    right = b"rspauth=" + digest(response, passwd=passwd, is_server=True).encode("ascii")
    return hmac.compare_digest(challenge.removesuffix(b"\0"), right)


def serve(challenge: bytes, authority: Authority) -> Generator[bytes, bytes, Judgement]:
    """Play the server: give the challenge, hear the response, prove oneself, hear an empty answer."""
    response = decode_response((yield challenge))
    asked = decode_challenge(challenge)
    is_for_us = response.digest_uri.lower().startswith("smtp/") and response.realm in (asked.realms or ("",))
    if response.nonce != asked.nonce or not is_for_us:
        raise SaslError("a response to this challenge, with its nonce and realm and a digest-uri of smtp/")
    judgement = authority.judge(response)
    if judgement.ok:
        end = yield b"rspauth=" + judgement.server_proof
        if end:
            raise SaslError("an empty answer to rspauth")
    return judgement


def _charset(directives: Mapping[str, tuple[bytes, ...]]) -> bool:
    """Say whether charset=utf-8 is there; another charset raises SaslError."""
    charset = directives.get("charset")
    if charset is not None and charset[0].lower() != b"utf-8":
        raise SaslError("no charset but utf-8")
    return charset is not None


def _values(directives: Mapping[str, tuple[bytes, ...]], *, is_utf8: bool) -> dict[str, str]:
    """Return the first value of each name as text; without charset it is ISO 8859-1, which every octet is."""
    if not is_utf8:
        return {name: values[0].decode("latin-1") for name, values in directives.items()}
    return {name: framing.decode_utf8(values[0], expected="directives in UTF-8") for name, values in directives.items()}


def _hashed(text: str, *, is_utf8: bool) -> bytes:
    """Return the octets that are hashed: ISO 8859-1 where it has all characters, else UTF-8 (section 2.1.2.1)."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass") if is_utf8 else text.encode("utf-8", "replace")


def _quote(name: str, text: str, *, is_utf8: bool) -> bytes:
    """Return name="text"."""
    expected = "text that the charset of the challenge can write"
    octets = framing.encode_utf8(text, expected=expected)
    if not is_utf8:
        if any(ord(char) > 255 for char in text):
            raise SaslError(expected)
        octets = text.encode("latin-1")
    return name.encode() + b'="' + re.sub(rb'(["\\])', rb"\\\1", octets) + b'"'


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _md5(octets: bytes) -> bytes:
    return md5(octets, usedforsecurity=False).digest()
