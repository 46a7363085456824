"""CRAM step by step: how password and challenge become the digest, as values that a table or a picture is drawn from.

Source: RFC 2104 section 2 (HMAC), RFC 2195 section 2 (the response); the seed text's example, with the password "pass".

Note for maintainers: `cram.digest` computes the same in one call; a test holds the two against each other.

Rule 1: every block holds the password in one form or another, so no block is in a repr.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.auth import cram, framing
from indimail_kit.errors import MissingPartError, SaslError

IPAD: Final = 0x36
"""What each octet of the key block is XORed with for the inner hash. Source: RFC 2104 section 2."""

OPAD: Final = 0x5C
"""The same for the outer hash. Source: RFC 2104 section 2."""


@dataclass(frozen=True, slots=True)
class DerivationStep:
    """One row of the view.

    Attributes:
        name: What is made: "key block", "inner digest" …
        formula: How, in words of RFC 2104.
        octets: The result.
        source: The sentence behind it.
        is_secret: Whether who has it can answer challenges as the user.
    """

    name: str
    formula: str
    octets: bytes = field(repr=False)
    source: str = "RFC 2104 section 2"
    is_secret: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CramDerivation:
    """Every value on the way from password and challenge to the digest.

    Attributes:
        hash_name: One of `cram.HASH_NAMES`.
        block_bytes: Block length of the hash (unit: octets): 64, and 128 for SHA-384 and SHA-512.
        challenge: Octets of the challenge, with the angle brackets.
        key: The password's UTF-8 octets.
        is_key_hashed: Whether the key was longer than a block, so that its hash is the key.
        short_key: The key that goes into the block: `key`, or its hash.
        key_block: The short key, filled up with NULs to a block.
        ipad_block: Key block XOR 0x36.
        opad_block: Key block XOR 0x5c.
        inner_digest: hash(ipad_block + challenge).
        outer_digest: hash(opad_block + inner_digest).
    """

    hash_name: str
    block_bytes: int
    challenge: bytes
    key: bytes = field(repr=False)
    is_key_hashed: bool
    short_key: bytes = field(repr=False)
    key_block: bytes = field(repr=False)
    ipad_block: bytes = field(repr=False)
    opad_block: bytes = field(repr=False)
    inner_digest: bytes = field(repr=False)
    outer_digest: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """Return the digest as it is sent: lower-case hexadecimal digits."""
        return self.outer_digest.hex()

    def message(self, authcid: str) -> bytes:
        """Return the octets of the response: user, blank, digest.

        Raises:
            SaslError: The user is empty, or holds NUL or a lone surrogate.
        """
        if not authcid:
            raise SaslError("a user that is not empty")
        return framing.encode_field(authcid, name="authcid") + b" " + self.digest.encode("ascii")

    def response(self, authcid: str) -> str:
        """Return the response in Base64, as it is sent."""
        return framing.encode_base64(self.message(authcid))

    def steps(self) -> tuple[DerivationStep, ...]:
        """Return the rows of the view, in the order in which they are computed."""
        name = self.hash_name.upper()
        shortened = (
            (
                DerivationStep(
                    "hashed key", f"{name}(password), since it is longer than {self.block_bytes} octets", self.short_key
                ),
            )
            if self.is_key_hashed
            else ()
        )
        return (
            DerivationStep(
                "challenge", "the 334 line, after Base64", self.challenge, "RFC 2195 section 2", is_secret=False
            ),
            DerivationStep("key", "the password in UTF-8", self.key, "RFC 2195 section 2"),
            *shortened,
            DerivationStep("key block", f"the key, filled with NULs to {self.block_bytes} octets", self.key_block),
            DerivationStep("ipad block", f"key block XOR 0x{IPAD:02x}", self.ipad_block),
            DerivationStep("opad block", f"key block XOR 0x{OPAD:02x}", self.opad_block),
            DerivationStep("inner digest", f"{name}(ipad block, challenge)", self.inner_digest, is_secret=False),
            DerivationStep("outer digest", f"{name}(opad block, inner digest)", self.outer_digest, is_secret=False),
            DerivationStep(
                "digest",
                "the outer digest in lower-case hexadecimal digits",
                self.digest.encode("ascii"),
                "RFC 2195 section 2",
                is_secret=False,
            ),
        )


def derive_cram(challenge: str | bytes, passwd: str, hash_name: str = "md5") -> CramDerivation:
    """Compute the digest of a CRAM response and keep every step.

    Args:
        challenge: Octets with the angle brackets; or a text, which is the Base64 behind 334.
        passwd: The clear password.
        hash_name: One of `cram.HASH_NAMES`.

    Raises:
        SaslError: The password is empty, holds NUL or a lone surrogate, the text is not Base64, or the hash is none of
            the names.
        MissingPartError: This Python lacks the hash.

    Example:
        >>> derive_cram(b"<20137.1267585100@indimail.org>", "pass").digest
        'cee8397ab123a0d4f3a7fddbb9cb8719'
    """
    if hash_name not in cram.HASH_NAMES:
        raise SaslError(f"one of the hash names {', '.join(cram.HASH_NAMES)}")
    if not passwd:
        raise SaslError("a password that is not empty")
    if not cram.is_available(hash_name):
        raise MissingPartError(f"the hash {hash_name}", "Use a Python whose OpenSSL has it.")
    octets = challenge if isinstance(challenge, bytes) else _from_base64(challenge)
    key = framing.encode_field(passwd, name="passwd")
    block_bytes = hashlib.new(hash_name, usedforsecurity=False).block_size
    is_hashed = len(key) > block_bytes
    short_key = _hash(hash_name, key) if is_hashed else key
    key_block = short_key.ljust(block_bytes, b"\0")
    ipad_block = bytes(octet ^ IPAD for octet in key_block)
    opad_block = bytes(octet ^ OPAD for octet in key_block)
    inner_digest = _hash(hash_name, ipad_block + octets)
    return CramDerivation(
        hash_name=hash_name,
        block_bytes=block_bytes,
        challenge=octets,
        key=key,
        is_key_hashed=is_hashed,
        short_key=short_key,
        key_block=key_block,
        ipad_block=ipad_block,
        opad_block=opad_block,
        inner_digest=inner_digest,
        outer_digest=_hash(hash_name, opad_block + inner_digest),
    )


def _from_base64(text: str) -> bytes:
    return framing.decode_base64(framing.encode_utf8(text, expected="Base64"))


def _hash(hash_name: str, octets: bytes) -> bytes:
    return hashlib.new(hash_name, octets, usedforsecurity=False).digest()
