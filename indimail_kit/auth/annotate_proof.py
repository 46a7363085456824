"""What can be said of password and digest: against the password where it is known, against the challenge always.

Source: RFC 2195 section 2, RFC 2104 (CRAM); RFC 2831 section 2.1.2.1 (DIGEST-MD5); RFC 5802 section 3 (SCRAM).

Rule 1: right and wrong are said only where the password is known; otherwise it is said that it is not.
Rule 2: a wrong one is held against known ways to go wrong, each a row of a table; none fitting is said as well.
Rule 3: digests are compared with `hmac.compare_digest`, and no sentence repeats a secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import re
import unicodedata
import urllib.parse
from collections.abc import Callable
from typing import Final

from indimail_kit.auth import annotate_parts as parts
from indimail_kit.auth import digest_md5
from indimail_kit.auth.annotate_model import Exchange, Message
from indimail_kit.auth.mechanisms import find_mechanism
from indimail_kit.errors import SaslError

MAX_ITERATION_COUNT: Final = 100_000
"""Most iterations that are computed here for SCRAM (unit: 1; a tenth of a second)."""

_DIGITS: Final = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
"""Length of a digest in hexadecimal digits -> hash; RIPEMD-160 has 40 as well."""

_SHELL_WORD: Final = re.compile(r"\$\w*|!\S*|#.*|`[^`]*`|\\(.)")
_TO_ASCII: Final = str.maketrans("\u2018\u2019\u201c\u201d\u201e\u2013\u2014\u00a0\u202f", '\'\'"""--  ')

_SENT: Final = (
    ("the right one but for blanks, line ends or quotation marks around it",
     lambda sent, right: sent.strip(" \t\r\n\"'`\u00a0\u200b\ufeff") == right),
    ("the right one in the wrong case", lambda sent, right: sent.casefold() == right.casefold()),
    ("the right one with typographic characters", lambda sent, right: sent.translate(_TO_ASCII) == right),
    ("the right one with another form of the same accents",
     lambda sent, right: unicodedata.normalize("NFC", sent) == unicodedata.normalize("NFC", right)),
    ("the right one with escapes of HTML", lambda sent, right: html.unescape(sent) == right),
    ("the right one, percent-encoded", lambda sent, right: urllib.parse.unquote(sent) == right),
    ("the right one in Base64, so that it was encoded twice",
     lambda sent, right: sent == base64.b64encode(_octets(right)).decode()),
    ("what a shell has made of the right one ($, !, #, ` and \\ mean something there)",
     lambda sent, right: right != _SHELL_WORD.sub(r"\1", right) and sent == _SHELL_WORD.sub(r"\1", right)),
    ("only the beginning of the right one", lambda sent, right: bool(sent) and right.startswith(sent)),
    ("the right one and something more", lambda sent, right: sent.startswith(right)),
)  # fmt: skip
"""(what was sent, how it shows) for a password that is not the right one."""

_CHARSETS: Final = ("latin-1", "cp1252", "cp850", "utf-16-le", "utf-16-be", "utf-16")

_Wrong = Callable[[bytes, bytes, bytes, str], bytes]
_WRONG_DIGESTS: Final[tuple[tuple[str, _Wrong], ...]] = (
    ("over the Base64 of the challenge; it must be decoded first",
     lambda key, _octets, text, name: hmac.digest(key, text, name)),
    ("with key and data exchanged: the password is the key, the challenge the data",
     lambda key, octets, _text, name: hmac.digest(octets, key, name)),
    ("as the plain hash of challenge and password; CRAM wants HMAC (RFC 2104)",
     lambda key, octets, _text, name: hashlib.new(name, octets + key, usedforsecurity=False).digest()),
    ("as the plain hash of password and challenge; CRAM wants HMAC (RFC 2104)",
     lambda key, octets, _text, name: hashlib.new(name, key + octets, usedforsecurity=False).digest()),
    ("as the plain hash of the password, without the challenge",
     lambda key, _octets, _text, name: hashlib.new(name, key, usedforsecurity=False).digest()),
    ("with a newline at the end of the password (`echo` without -n)",
     lambda key, octets, _text, name: hmac.digest(key + b"\n", octets, name)),
    ("with a carriage return and newline at the end of the password",
     lambda key, octets, _text, name: hmac.digest(key + b"\r\n", octets, name)),
    ("with a newline at the end of the challenge",
     lambda key, octets, _text, name: hmac.digest(key, octets + b"\n", name)),
    ("over the challenge without its angle brackets; they belong to it",
     lambda key, octets, _text, name: hmac.digest(key, octets.strip(b"<>"), name)),
    ("with the hash of the password as key; the clear password is the key",
     lambda key, octets, _text, name: hmac.digest(
         hashlib.new(name, key, usedforsecurity=False).hexdigest().encode(), octets, name)),
    ("with Base64 of the password as key; the clear password is the key",
     lambda key, octets, _text, name: hmac.digest(base64.b64encode(key), octets, name)),
)  # fmt: skip
"""(how the digest was made, the function that makes it so) for a digest that is not the right one."""


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def check_password(message: Message, exchange: Exchange) -> bool | None:
    """Hold a password that was sent against the right one; say what is wrong with it."""
    right, sent = exchange.passwd, message.secret
    if right is None or sent is None:
        return None
    if hmac.compare_digest(sent, _octets(right)):
        message.draft.say("The password is the one given.")
        return True
    for charset in _CHARSETS:
        if sent == right.encode(charset, "replace") and not right.isascii():
            _wrong(message, exchange, f"the right one in {charset.upper()} instead of UTF-8")
            return False
    text = sent.decode("utf-8", "backslashreplace")
    what = next((name for name, shows in _SENT if shows(text, right)), "")
    if text and text == (message.user or exchange.user):
        what = "the user instead of the password"
    _wrong(message, exchange, what)
    return False


def _wrong(message: Message, exchange: Exchange, what: str) -> None:
    message.draft.say(f"This is not the password given: it is {what}." if what else "This is not the password given.")
    exchange.found.append(f"the password sent is {what}" if what else "another password than the one given")


def check_cram(message: Message, exchange: Exchange) -> bool | None:
    """Hold a CRAM response against the challenge."""
    _user, _blank, sent = parts.split_cram(message.octets.strip())
    digest = sent.lower()
    challenge = exchange.challenge("cram challenge")
    if not message.user:
        return None
    row = find_mechanism(exchange.mechanism)
    hash_name = row.hash_name if row is not None else "md5"
    if len(digest) != _length(hash_name):
        other = _DIGITS.get(len(digest), "")
        hint = f", as many as {other.upper()} has" if other else ""
        _digest_wrong(
            message, exchange, f"has {len(digest)} digits{hint}; {exchange.mechanism} wants {_length(hash_name)}"
        )
        return False
    if exchange.repeats_line:
        _digest_wrong(
            message, exchange,
            f"was sent before, in line {exchange.repeats_line}, to another challenge: an old answer is not right again",
        )  # fmt: skip
        return False
    if exchange.passwd is None or challenge is None:
        return None
    if row is not None and not row.is_available:
        return None
    return _compare_cram(message, exchange, digest, challenge, hash_name)


def _compare_cram(message: Message, exchange: Exchange, digest: bytes, challenge: bytes, hash_name: str) -> bool | None:
    key = _octets(exchange.passwd or "")
    if hmac.compare_digest(digest, _hex(hmac.digest(key, challenge, hash_name))):
        message.draft.say("The digest is right for the password given.")
        return digest in message.octets  # in lower case
    wire = next(text for octets, text, _kind in reversed(exchange.challenges) if octets == challenge)
    for how, make in _WRONG_DIGESTS:
        if hmac.compare_digest(digest, _hex(make(key, challenge, wire.encode("utf-8", "replace"), hash_name))):
            _digest_wrong(message, exchange, f"was made {how}")
            return False
    for octets, number in exchange.earlier:
        if octets != challenge and hmac.compare_digest(digest, _hex(hmac.digest(key, octets, hash_name))):
            _digest_wrong(message, exchange, f"answers the challenge of line {number}, an older one")
            return False
    for charset in _CHARSETS:
        other = (exchange.passwd or "").encode(charset, "replace")
        if other != key and hmac.compare_digest(digest, _hex(hmac.digest(other, challenge, hash_name))):
            _digest_wrong(message, exchange, f"was made with the password in {charset.upper()} instead of UTF-8")
            return False
    message.draft.say("The digest is not right for the password given.")
    exchange.found.append("another password than the one given")
    return False


def _digest_wrong(message: Message, exchange: Exchange, what: str) -> None:
    message.draft.say(f"The digest {what}.")
    exchange.found.append(f"the digest {what}")


def _hex(octets: bytes) -> bytes:
    return octets.hex().encode()


def _length(hash_name: str) -> int:
    return 40 if hash_name == "ripemd160" else hashlib.new(hash_name, usedforsecurity=False).digest_size * 2


def check_digest_md5(message: Message, exchange: Exchange) -> bool | None:
    """Hold a DIGEST-MD5 response against challenge and password."""
    try:
        response = digest_md5.decode_response(message.octets)
    except SaslError:
        if message.octets:
            message.draft.say("This does not follow the grammar of a DIGEST-MD5 response (RFC 2831 section 2.1.2).")
            exchange.found.append("a DIGEST-MD5 response out of form")
        return None
    challenge = exchange.challenge("digest challenge")
    if challenge is not None and _octets(response.nonce) not in challenge:
        message.draft.say("The nonce is not the one of this challenge: an old answer, or one for another session.")
        exchange.found.append("a nonce of another challenge")
        return False
    if exchange.passwd is None:
        return None
    right = digest_md5.digest(response, passwd=exchange.passwd)
    is_right = hmac.compare_digest(right, response.response)
    message.draft.say(f"The digest is {'' if is_right else 'not '}right for the password given.")
    if not is_right:
        exchange.found.append("another password (or realm) than the one given")
    return is_right


def _scram_attributes(octets: bytes) -> dict[bytes, bytes]:
    return {one[:1]: one[2:] for one in octets.split(b",") if one[1:2] == b"="}


def check_scram(message: Message, exchange: Exchange) -> bool | None:
    """Hold SCRAM's last answer against the messages before it and the password."""
    server_first = exchange.challenge("scram server-first")
    first = next((one.octets for one in exchange.messages if one.kind == "scram client-first"), b"")
    if server_first is None or message.kind != "scram client-final" or not first:
        return None
    server, final = _scram_attributes(server_first), _scram_attributes(message.octets)
    if final.get(b"r", b"") != server.get(b"r"):
        message.draft.say("The nonce is not the one that the server gave; the client must send it back as it is.")
        exchange.found.append("a nonce of another exchange")
        return False
    header = re.match(rb"(?:[ny]|p=[^,]*),[^,]*,", first)
    binding = header[0] if header is not None else b""
    if binding[:1] in b"ny" and final.get(b"c") != base64.b64encode(binding):
        message.draft.say('c= is not the gs2-header of the first message in Base64 (biws for "n,,").')
        exchange.found.append("a wrong channel binding")
        return False
    if exchange.passwd is None:
        return None
    without_proof, _, proof = message.octets.partition(b",p=")
    auth_message = b",".join((first[len(binding) :], server_first, without_proof))
    is_right = _scram_proof(exchange, server, auth_message, proof)
    if is_right is None:
        return None
    message.draft.say(f"The proof is {'' if is_right else 'not '}right for the password given.")
    if not is_right:
        exchange.found.append("another password than the one given")
    return is_right


def _scram_proof(exchange: Exchange, server: dict[bytes, bytes], auth_message: bytes, proof: bytes) -> bool | None:
    """Compute RFC 5802's ClientProof; None when that is not possible."""
    name = "sha256" if "256" in exchange.mechanism else "sha512" if "512" in exchange.mechanism else "sha1"
    try:
        salt, sent = base64.b64decode(server.get(b"s", b"")), base64.b64decode(proof)
        count = int(server.get(b"i", b"0"))
    except (binascii.Error, ValueError):
        return None
    if not salt or not 0 < count <= MAX_ITERATION_COUNT:
        return None
    passwd = _octets(unicodedata.normalize("NFKC", exchange.passwd or ""))
    salted = hashlib.pbkdf2_hmac(name, passwd, salt, count)
    client_key = hmac.digest(salted, b"Client Key", name)
    signature = hmac.digest(hashlib.new(name, client_key).digest(), auth_message, name)
    right = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
    return hmac.compare_digest(right, sent)


_CHECKS: Final[dict[str, Callable[[Message, Exchange], bool | None]]] = {
    "plain": check_password,
    "login passwd": check_password,
    "cram response": check_cram,
    "digest response": check_digest_md5,
    "scram client-final": check_scram,
}
"""Kind of message -> the function that holds it against challenge and password."""


def check_exchange(exchange: Exchange) -> bool | None:
    """Say whether the proof of an exchange is right; None when that cannot be told."""
    answers = [
        _CHECKS[message.kind](message, exchange)
        for message in exchange.messages
        if message.kind in _CHECKS and "masked" not in message.faults
    ]
    return answers[-1] if answers else None
