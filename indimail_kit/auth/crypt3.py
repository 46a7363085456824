"""crypt(3): the hashes of /etc/shadow and of pw_passwd, made and checked.

Source: crypt(5); Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512" (2008); libqmail in_crypt.c, mkpasswd.c.

Note for maintainers: Python lost its crypt module with 3.13. libpass (the kept fork of passlib, and imported under that
name) computes the hashes in Python; why this one: docs/decisions/0005-auth-libraries.md.

Rule 1: libpass is imported when a hash is made or checked, never with this module.
Rule 2: no error carries a password or a hash; those of libpass do, so they end here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from indimail_kit.errors import AccountError, MissingPartError

ROUNDS: Final = 5000
"""Rounds of a hash that is made here (unit: 1); the number that crypt(3) takes when none is given."""

MAX_ROUNDS: Final = 1_000_000
"""Most rounds that a stored hash may ask for (unit: 1; half a second); a row must not stop the server."""

MAX_PASSWD_BYTES: Final = 1024
"""Longest password that is hashed (unit: octets); a longer one is wrong. The work grows with the length."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One method of crypt(3).

    Attributes:
        name: Its name in libpass.
        pattern: What its hashes look like.
        hash_bytes: Length of a hash made here with a salt of 16 characters (unit: octets), 0 if none is made.
    """

    name: str
    pattern: re.Pattern[str]
    hash_bytes: int


SHA512: Final = Scheme("sha512_crypt", re.compile(r"\$6\$(?:rounds=(\d+)\$)?[^$:]{0,16}\$[./0-9A-Za-z]{86}"), 106)
SHA256: Final = Scheme("sha256_crypt", re.compile(r"\$5\$(?:rounds=(\d+)\$)?[^$:]{0,16}\$[./0-9A-Za-z]{43}"), 63)
MD5: Final = Scheme("md5_crypt", re.compile(r"\$1\$[^$:]{0,8}\$[./0-9A-Za-z]{22}"), 0)
DES: Final = Scheme("des_crypt", re.compile(r"[./0-9A-Za-z]{13}"), 0)

SCHEMES: Final = (SHA512, SHA256, MD5, DES)
"""What is checked here; the first two are made as well. yescrypt and bcrypt need a C library that is not asked for."""

_OTHER: Final = re.compile(r"\$(?:y|gy|7|2[abxy]?|sha1|md5|3)[$,].*", re.DOTALL)

_DUMMY: Final = (
    "$6$nobodyhasthisone$7RvU0tWb0OUVJMKhPbL4GwZ4Ljlzq9bDQvKQ0uTqBsLvb2JQaZtZ1aW2zYVwrnU0n0qF0nPZb0yJbTjnFmZJm/"
)
"""Looks like a hash; stands where there is none, so that the same work is done."""


@cache
def _handler(name: str) -> Any:
    """Return libpass's handler of a scheme."""
    try:
        module = import_module("passlib.hash")
    except ImportError:
        raise MissingPartError("libpass", "Install it with: pip install 'indimail-kit[lab]'.") from None
    return getattr(module, name)


def make_hash(passwd: str, *, scheme: Scheme = SHA512, salt: str | None = None, rounds: int = ROUNDS) -> str:
    """Return the hash of a password.

    Args:
        passwd: The clear password.
        scheme: SHA512 or SHA256.
        salt: At most 16 characters of ``./0-9A-Za-z``, or None to have 16 drawn.
        rounds: From 1000 on (unit: 1).

    Raises:
        AccountError: The password is too long or holds NUL, or the salt or the rounds are impossible.
        MissingPartError: libpass is not installed.

    Source:
        The example is from Drepper's own list of test vectors.

    Example:
        >>> make_hash("Hello world!", salt="saltstring")[:40]
        '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8'
    """
    octets = _octets(passwd)
    if octets is None:
        raise AccountError(f"a password longer than {MAX_PASSWD_BYTES} octets, or with NUL")
    options: dict[str, object] = {"rounds": rounds} if salt is None else {"rounds": rounds, "salt": salt}
    handler = _handler(scheme.name)
    try:
        return str(handler.using(**options).hash(octets))
    except (TypeError, ValueError):
        pass  # left behind here: the library's error may quote what it was given
    raise AccountError("a salt or a number of rounds that crypt(3) does not take")


def check_hash(passwd: str, crypted: str) -> bool:
    """Say whether a hash was made from this password.

    Args:
        passwd: The clear password.
        crypted: The stored hash; "" for none, for which the same work is done in vain.

    Raises:
        AccountError: The stored text is no hash, or asks for too many rounds.
        MissingPartError: libpass is not installed, or cannot do this kind of hash.
    """
    scheme = _scheme_of(crypted or _DUMMY)
    octets = _octets(passwd)
    is_right = bool(_handler(scheme.name).verify(octets if octets is not None else b"", crypted or _DUMMY))
    return is_right and crypted != "" and octets is not None


def _scheme_of(crypted: str) -> Scheme:
    """Return the scheme of a hash."""
    for scheme in SCHEMES:
        match = scheme.pattern.fullmatch(crypted)
        if match is None:
            continue
        rounds = match[1] if match.re.groups else None
        if rounds is not None and not (len(rounds) <= 9 and 1000 <= int(rounds) <= MAX_ROUNDS and rounds[0] != "0"):
            raise AccountError(f"a stored hash whose number of rounds is not from 1000 to {MAX_ROUNDS}")
        return scheme
    if _OTHER.fullmatch(crypted):
        raise MissingPartError(
            "a library for this kind of crypt(3) hash",
            "Store the password again with `indimail-kit accounts passwd`, or let PAM check it (checkpassword --pam).",
        )
    raise AccountError("a stored hash that is none of crypt(3)'s")


def _octets(passwd: str) -> bytes | None:
    """Return the octets of a password, None for one that no hash can have."""
    octets = passwd.encode("utf-8", "surrogatepass")
    return octets if b"\0" not in octets and len(octets) <= MAX_PASSWD_BYTES else None
