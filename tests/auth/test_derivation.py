"""The steps of HMAC: RFC 2104's and RFC 2195's own examples, the seed's numbers, Python's hmac as the judge."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth import cram
from indimail_kit.auth.derivation import derive_cram
from indimail_kit.errors import SaslError

SEED = b"<20137.1267585100@indimail.org>"
HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")


def md5(octets: bytes) -> bytes:
    """Return MD5."""
    return hashlib.new("md5", octets, usedforsecurity=False).digest()


def test_seed_exchange_is_derived() -> None:
    """HMAC-MD5("pass", the seed's challenge) is the seed's digest, and its response the seed's line."""
    derivation = derive_cram(SEED, "pass")
    assert derivation.digest == "cee8397ab123a0d4f3a7fddbb9cb8719"
    assert (
        derivation.response("postmaster@example.com")
        == "cG9zdG1hc3RlckBleGFtcGxlLmNvbSBjZWU4Mzk3YWIxMjNhMGQ0ZjNhN2ZkZGJiOWNiODcxOQ=="
    )


def test_challenge_may_be_the_base64_of_the_wire() -> None:
    """A text is what stands behind 334."""
    assert derive_cram("PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg==", "pass") == derive_cram(SEED, "pass")


def test_rfc_2195_example() -> None:
    """RFC 2195 section 3: tim, tanstaaftanstaaf."""
    derivation = derive_cram(b"<1896.697170952@postoffice.reston.mci.net>", "tanstaaftanstaaf")
    assert derivation.message("tim") == b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_blocks_are_those_of_rfc_2104() -> None:
    """The key is filled with NULs to 64 octets; ipad is 36 repeated, opad 5c repeated."""
    derivation = derive_cram(SEED, "pass")
    assert derivation.key_block == b"pass" + bytes(60)
    assert derivation.ipad_block == bytes([0x70 ^ 0x36, 0x61 ^ 0x36, 0x73 ^ 0x36, 0x73 ^ 0x36]) + b"\x36" * 60
    assert derivation.opad_block == bytes([0x70 ^ 0x5C, 0x61 ^ 0x5C, 0x73 ^ 0x5C, 0x73 ^ 0x5C]) + b"\x5c" * 60


def test_inner_and_outer_are_hashes_of_the_blocks() -> None:
    """Each hash can be made again from the values before it."""
    derivation = derive_cram(SEED, "pass")
    assert derivation.inner_digest == md5(derivation.ipad_block + SEED)
    assert derivation.outer_digest == md5(derivation.opad_block + derivation.inner_digest)


@pytest.mark.parametrize(("length", "is_hashed"), [(63, False), (64, False), (65, True)])
def test_key_is_hashed_only_beyond_a_block(length: int, is_hashed: bool) -> None:
    """64 octets fit, 65 do not."""
    derivation = derive_cram(SEED, "k" * length)
    assert derivation.is_key_hashed is is_hashed
    assert derivation.digest == hmac.digest(b"k" * length, SEED, "md5").hex()


def test_hashed_key_is_a_step_of_its_own() -> None:
    """The view shows the hashing where it happens, and only there."""
    assert "hashed key" in [step.name for step in derive_cram(SEED, "k" * 65).steps()]
    assert "hashed key" not in [step.name for step in derive_cram(SEED, "k" * 64).steps()]


@pytest.mark.parametrize(("hash_name", "block_bytes"), list(zip(HASHES, (64, 64, 64, 64, 128, 128), strict=True)))
def test_block_has_the_hash_functions_length(hash_name: str, block_bytes: int) -> None:
    """64 octets, and 128 for SHA-384 and SHA-512 (FIPS 180-4)."""
    assert len(derive_cram(SEED, "pass", hash_name).key_block) == block_bytes


@given(st.text(min_size=1), st.binary(), st.sampled_from(HASHES))
def test_digest_is_hmac(passwd: str, challenge: bytes, hash_name: str) -> None:
    """Any password, challenge and hash: Python's hmac gives the same."""
    passwd = passwd.replace("\0", "") or "x"
    assert derive_cram(challenge, passwd, hash_name).digest == cram.digest(
        challenge, passwd=passwd, hash_name=hash_name
    )
    assert derive_cram(challenge, passwd, hash_name).digest == hmac.digest(passwd.encode(), challenge, hash_name).hex()


def test_steps_are_in_the_order_of_the_computation() -> None:
    """Names of the rows, in order; the last is what is sent."""
    steps = derive_cram(SEED, "pass").steps()
    assert [step.name for step in steps] == [
        "challenge",
        "key",
        "key block",
        "ipad block",
        "opad block",
        "inner digest",
        "outer digest",
        "digest",
    ]
    assert steps[-1].octets == b"cee8397ab123a0d4f3a7fddbb9cb8719"


FAULTS = {
    "empty password": (SEED, "", "md5"),
    "NUL in the password": (SEED, "pa\0ss", "md5"),
    "lone surrogate": (SEED, "pa\ud800", "md5"),
    "challenge not Base64": ("!!!", "pass", "md5"),
    "unknown hash": (SEED, "pass", "md4"),
}


@pytest.mark.parametrize(("challenge", "passwd", "hash_name"), FAULTS.values(), ids=FAULTS)
def test_fault_is_a_sasl_error(challenge: bytes | str, passwd: str, hash_name: str) -> None:
    """What cannot be derived is a SaslError that quotes nothing."""
    with pytest.raises(SaslError) as caught:
        derive_cram(challenge, passwd, hash_name)
    assert "pa" not in str(caught.value).replace("password", "").replace("passwd", "").replace("padding", "")


def test_user_must_not_be_empty() -> None:
    """A response needs a user."""
    with pytest.raises(SaslError):
        derive_cram(SEED, "pass").response("")


def test_no_block_is_in_a_repr() -> None:
    """Neither the derivation's repr nor its steps' have the password or anything made from it."""
    derivation = derive_cram(SEED, "zitronenfalter")
    shown = repr(derivation) + repr(derivation.steps())
    blocks = (derivation.key, derivation.ipad_block, derivation.opad_block, derivation.inner_digest)
    assert [form for block in blocks for form in (repr(block)[2:12], block.hex()[:12]) if form in shown] == []
