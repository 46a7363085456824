"""CRAM-MD5 and its relatives: the password keys an HMAC of the server's challenge and is never sent.

Source: RFC 2195 section 2 (challenge and response), RFC 2104 (HMAC); IndiMail smtpd.c `auth_cram()` and pw_comp.c,
which do the same with SHA-1, SHA-224, SHA-256, SHA-384, SHA-512 and RIPEMD-160.

Note for maintainers: the digest is compared as text, so upper-case hexadecimal digits are wrong, as in pw_comp.c.

Rule 1: a challenge that a client can guess can be answered before it is given: take the parts from `secrets`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from indimail_kit.auth import framing
from indimail_kit.errors import MissingPartError, SaslError

if TYPE_CHECKING:
    from indimail_kit.auth.authority import Authority, Judgement
    from indimail_kit.auth.stored import Account

HASH_NAMES: Final = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "ripemd160")
"""Names of the hash functions, as hashlib has them, in the order of qmail-smtpd's EHLO line."""

_GRAMMAR: Final = "a user, a blank and a digest, in UTF-8 without NUL"
_HOST: Final = re.compile(r"[!-;=?-~]+")  # printable ASCII without blank, "<" and ">"
_RANDOM_LIMIT: Final = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class CramResponse:
    """A client's response.

    Attributes:
        authcid: Who the client is.
        digest: The HMAC in hexadecimal digits, as sent; with the challenge it allows to guess the password offline.
    """

    authcid: str
    digest: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CramProof:
    """A response with the challenge that it answers.

    Attributes:
        authcid: Who the client is.
        response: What it sent.
        challenge: What it was asked, with the angle brackets.
        hash_name: One of HASH_NAMES.
    """

    response: CramResponse
    challenge: bytes
    hash_name: str

    @property
    def authcid(self) -> str:
        """Return the user that the client says it is."""
        return self.response.authcid

    def matches(self, account: Account) -> bool:
        """Say whether the digest was made with the account's clear password; without one it never was."""
        passwd = account.passwd
        is_right = verify(
            challenge=self.challenge, response=self.response, passwd=passwd or "", hash_name=self.hash_name
        )
        return is_right and bool(passwd)

    def answer(self, _account: Account) -> bytes:
        """Return nothing: the server proves nothing."""
        return b""

    def fd3_fields(self) -> tuple[bytes, bytes]:
        """Return the challenge and the digest."""
        return self.challenge, self.response.digest.encode("utf-8", "surrogateescape")


def is_available(hash_name: str) -> bool:
    """Say whether this Python can compute the hash; RIPEMD-160 is missing where OpenSSL leaves it out."""
    with suppress(ValueError):
        hashlib.new(hash_name, usedforsecurity=False)
        return True
    return False


def digest(challenge: bytes, *, passwd: str, hash_name: str = "md5") -> str:
    """Return the HMAC of a challenge in lower-case hexadecimal digits.

    Args:
        challenge: Octets with the angle brackets, after Base64.
        passwd: The clear password; its UTF-8 octets are the key.
        hash_name: One of HASH_NAMES.

    Raises:
        SaslError: The password holds a lone surrogate, or the hash is none of HASH_NAMES.
        MissingPartError: This Python lacks the hash.

    Example:
        >>> digest(b"<20137.1267585100@indimail.org>", passwd="pass")
        'cee8397ab123a0d4f3a7fddbb9cb8719'
    """
    if hash_name not in HASH_NAMES:
        raise SaslError(f"one of the hash names {', '.join(HASH_NAMES)}")
    key = framing.encode_utf8(passwd, expected="a password in UTF-8")
    try:
        return hmac.digest(key, challenge, hash_name).hex()
    except ValueError:
        pass
    raise MissingPartError(
        f"the hash {hash_name}", "Use a Python whose OpenSSL has it (RIPEMD-160 is in its legacy provider)."
    )


def respond(challenge: str | bytes, *, authcid: str, passwd: str, hash_name: str = "md5") -> str:
    """Return the client's response in Base64.

    Args:
        challenge: The Base64 text behind ``334``.
        authcid: The user.
        passwd: The clear password.
        hash_name: One of HASH_NAMES.

    Raises:
        SaslError: The challenge is not Base64, or a field is empty or holds NUL or a lone surrogate.
        MissingPartError: This Python lacks the hash.

    Example:
        >>> respond("PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg==", authcid="postmaster@example.com", passwd="pass")
        'cG9zdG1hc3RlckBleGFtcGxlLmNvbSBjZWU4Mzk3YWIxMjNhMGQ0ZjNhN2ZkZGJiOWNiODcxOQ=='
    """
    text = challenge if isinstance(challenge, bytes) else framing.encode_utf8(challenge, expected="Base64")
    octets = framing.decode_base64(text)
    return framing.encode_base64(encode_response(octets, authcid=authcid, passwd=passwd, hash_name=hash_name))


def encode_response(challenge: bytes, *, authcid: str, passwd: str, hash_name: str = "md5") -> bytes:
    """Return the octets of a response, before Base64; see `respond`."""
    if not authcid or not passwd:
        raise SaslError("a user and a password that are not empty")
    framing.encode_field(passwd, name="passwd")
    user = framing.encode_field(authcid, name="authcid")
    return user + b" " + digest(challenge, passwd=passwd, hash_name=hash_name).encode("ascii")


def decode_response(octets: bytes) -> CramResponse:
    """Read a response, after Base64: the first blank ends the user.

    Raises:
        SaslError: User or digest is missing, or there is a NUL, or octets that are not UTF-8.

    Deviation:
        RFC 2195 allows blanks in the user; qmail-smtpd ends it at the first one, and so do we.

    Example:
        >>> decode_response(b"tim b913a602c7eda7a495b4e6e7334d3890").authcid
        'tim'
    """
    user, _blank, rest = octets.partition(b" ")
    sent = rest.lstrip(b" ")
    if not user or not sent or b"\0" in octets:
        raise SaslError(_GRAMMAR)
    authcid, digest_text = (framing.decode_utf8(part, expected=_GRAMMAR) for part in (user, sent))
    return CramResponse(authcid=authcid, digest=digest_text)


def verify(*, challenge: bytes, response: CramResponse, passwd: str, hash_name: str = "md5") -> bool:
    """Say whether a response answers this challenge with this password, in constant time.

    Raises:
        SaslError: See `digest`.
        MissingPartError: This Python lacks the hash.
    """
    right = digest(challenge, passwd=passwd, hash_name=hash_name)
    return hmac.compare_digest(right.encode("ascii"), response.digest.encode("utf-8", "surrogatepass"))


def make_challenge(
    *,
    host: str,
    pid: int | None = None,
    unix_s: int | None = None,
    source: Callable[[int], int] = secrets.randbelow,
) -> bytes:
    """Return a challenge ``<pid.time@host>``; the numbers that are not given are drawn.

    Args:
        host: Name of the server.
        pid: Process number, or None to draw one below 2**64.
        unix_s: Time (unit: s since 1970), or None to draw one below 2**64.
        source: Gives a number below its argument.

    Raises:
        SaslError: The host is not printable ASCII without blanks and angle brackets, or a number is negative.

    Deviation:
        qmail-smtpd uses its true process number and the time, which a client can guess; RFC 2195 asks for random
        digits.

    Example:
        >>> make_challenge(pid=20137, unix_s=1267585100, host="indimail.org")
        b'<20137.1267585100@indimail.org>'
    """
    if not _HOST.fullmatch(host):
        raise SaslError("a host name in printable ASCII without blanks and angle brackets")
    first, second = (source(_RANDOM_LIMIT) if number is None else number for number in (pid, unix_s))
    if first < 0 or second < 0:
        raise SaslError("numbers that are not negative")
    return f"<{first}.{second}@{host}>".encode("ascii")


def serve(challenge: bytes, authority: Authority, *, hash_name: str) -> Generator[bytes, bytes, Judgement]:
    """Play the server: give the challenge, hear the response."""
    octets = yield challenge
    return authority.judge(CramProof(response=decode_response(octets), challenge=challenge, hash_name=hash_name))
