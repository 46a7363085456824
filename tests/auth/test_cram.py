"""CRAM: digests of RFCs 2195, 2202, 2286 and 4231, of the real qmail-smtpd's sessions, of smtplib and of openssl."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import smtplib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth import cram
from indimail_kit.auth.cram import CramResponse
from indimail_kit.errors import MissingPartError, SaslError

FD3 = Path(__file__).parent.parent / "data" / "indimail" / "auth" / "checkpassword-fd3.jsonl"

JEFE = {
    "md5": "750c783e6ab0b503eaa86e310a5db738",
    "sha1": "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
    "sha224": "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
    "sha256": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    "sha384": "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
    "sha512": "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
    "caeab1a34d4a6b4b636e070a38bce737",
    "ripemd160": "dda6c0213a485a9e24f4742064a7f033b43c4069",
}
"""HMAC of "what do ya want for nothing?" with the key "Jefe": RFC 2202, RFC 2286, RFC 4231, test case 2."""

needs_ripemd = pytest.mark.skipif(not cram.is_available("ripemd160"), reason="this OpenSSL leaves RIPEMD-160 out")
EVERY_HASH = [pytest.param(name, marks=needs_ripemd if name == "ripemd160" else ()) for name in cram.HASH_NAMES]


def recorded_responses() -> list[object]:
    """Return (challenge, digest, fd-3 method, checker's exit code) for each CRAM login that a real checker judged."""
    rows = [json.loads(line) for line in FD3.read_text().splitlines()]
    fields = [[*bytes.fromhex(row["hex"]).split(b"\0"), row["rc"]] for row in rows]
    return [
        pytest.param(challenge, digest.decode(), method[0], rc, id=f"{challenge.decode()}-{rc}")
        for _user, challenge, digest, method, _end, rc in (row for row in fields if len(row) == 6)
        if 3 <= int.from_bytes(method[:1]) <= 9
    ]


@pytest.mark.parametrize("hash_name", EVERY_HASH)
def test_digest_is_that_of_the_hmac_rfcs(hash_name: str) -> None:
    """The HMAC test vectors hold for each hash."""
    assert cram.digest(b"what do ya want for nothing?", passwd="Jefe", hash_name=hash_name) == JEFE[hash_name]


def test_response_is_that_of_rfc_2195() -> None:
    """The exchange of RFC 2195 section 2 holds."""
    challenge = base64.b64encode(b"<1896.697170952@postoffice.reston.mci.net>").decode()
    response = cram.respond(challenge, authcid="tim", passwd="tanstaaftanstaaf")
    assert response == "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"


@pytest.mark.parametrize(("challenge", "digest", "method", "rc"), recorded_responses())
@needs_ripemd
def test_verdict_is_that_of_the_recorded_checker(challenge: bytes, digest: str, method: int, rc: int) -> None:
    """Each recorded response is right or wrong as the real checker said; upper-case digits are wrong."""
    hash_name = cram.HASH_NAMES[method - 3]
    response = CramResponse(authcid="test@local.test", digest=digest)
    is_right = cram.verify(challenge=challenge, response=response, passwd="secret", hash_name=hash_name)
    assert is_right is (rc == 0)


def test_recorded_responses_were_all_found() -> None:
    """Every CRAM login of the recording is tested: seven hashes, and right and wrong ones of CRAM-MD5."""
    assert len(recorded_responses()) == 11


@given(st.binary(max_size=60), st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1, max_size=80))
def test_response_is_that_of_smtplib(octets: bytes, passwd: str) -> None:
    """Python's own client gives the same response to any challenge, also with a password longer than the block."""
    client = smtplib.SMTP()
    client.user, client.password = "tim", passwd
    ours = cram.encode_response(octets, authcid="tim", passwd=passwd)
    assert ours.decode() == client.auth_cram_md5(octets)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the program openssl is not installed")
@pytest.mark.parametrize("hash_name", ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"])
def test_digest_is_that_of_openssl(hash_name: str) -> None:
    """The program openssl gives the same HMAC of the seed's challenge."""
    challenge = b"<20137.1267585100@indimail.org>"
    command = ["openssl", "dgst", f"-{hash_name}", "-hmac", "pass"]
    printed = subprocess.run(command, input=challenge, capture_output=True, check=True).stdout
    assert cram.digest(challenge, passwd="pass", hash_name=hash_name) == printed.split()[-1].decode()


def test_seeds_challenge_can_be_replayed() -> None:
    """A given process number, time and host make the seed's own challenge."""
    challenge = cram.make_challenge(pid=20137, unix_s=1267585100, host="indimail.org")
    assert challenge == base64.b64decode("PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg==")


def test_numbers_that_are_not_given_come_from_the_source() -> None:
    """Missing parts are drawn from the source, below 2**64 each."""
    limits: list[int] = []

    def source(limit: int) -> int:
        limits.append(limit)
        return len(limits)

    assert cram.make_challenge(host="a", source=source) == b"<1.2@a>"
    assert limits == [2**64, 2**64]


def test_challenges_do_not_repeat() -> None:
    """A thousand challenges from `secrets` are a thousand different ones."""
    assert len({cram.make_challenge(host="a") for _ in range(1000)}) == 1000


def test_replayed_response_answers_no_other_challenge() -> None:
    """A response that was heard opens none of 1,000 fresh challenges."""
    old = cram.make_challenge(host="a")
    heard = cram.decode_response(cram.encode_response(old, authcid="tim", passwd="tanstaaftanstaaf"))
    fresh = [cram.make_challenge(host="a") for _ in range(1000)]
    verdicts = [cram.verify(challenge=new, response=heard, passwd="tanstaaftanstaaf") for new in fresh]
    assert not any(verdicts)


@pytest.mark.parametrize("host", ["", "a b", "a>b", "<a", "a\n", "ä"])
def test_host_that_would_break_the_challenge_is_refused(host: str) -> None:
    """A host with blanks, brackets, control characters or beyond ASCII raises SaslError."""
    with pytest.raises(SaslError):
        cram.make_challenge(host=host, pid=1, unix_s=1)


def test_negative_number_is_refused() -> None:
    """A challenge has no negative numbers."""
    with pytest.raises(SaslError):
        cram.make_challenge(host="a", pid=-1)


@pytest.mark.parametrize(
    ("octets", "response"),
    [
        (b"tim abc", CramResponse(authcid="tim", digest="abc")),
        (b"tim  abc", CramResponse(authcid="tim", digest="abc")),
        (b"tim abc def", CramResponse(authcid="tim", digest="abc def")),
    ],
)
def test_first_blank_ends_the_user(octets: bytes, response: CramResponse) -> None:
    """The user ends at the first blank and blanks before the digest go, as auth_cram() has it."""
    assert cram.decode_response(octets) == response


@pytest.mark.parametrize(
    "octets", [b"", b" ", b"tim", b"tim ", b" abc", b"nospace", b"t\0m abc", b"tim \xff", b"\xff abc"]
)
def test_response_without_user_and_digest_is_refused(octets: bytes) -> None:
    """A missing user, blank or digest, a NUL, or octets that are not UTF-8 raise SaslError."""
    with pytest.raises(SaslError):
        cram.decode_response(octets)


@given(st.binary(max_size=40))
def test_any_octets_are_a_response_or_refused(octets: bytes) -> None:
    """Whatever comes: a user that it begins with, or SaslError and nothing else."""
    assert octets.startswith(user_of(octets))


def user_of(octets: bytes) -> bytes:
    """Return the user of a response, b"" where it is refused."""
    try:
        return cram.decode_response(octets).authcid.encode()
    except SaslError:
        return b""


def test_digest_beyond_ascii_is_wrong_and_no_error() -> None:
    """A digest that could not be compared as ASCII is just wrong."""
    response = CramResponse(authcid="tim", digest="ä" * 32)
    assert not cram.verify(challenge=b"<1.1@a>", response=response, passwd="x")


@pytest.mark.parametrize("challenge", ["!", "PDE", "\ud800"])
def test_challenge_that_is_no_base64_is_refused(challenge: str) -> None:
    """The client answers no challenge that it cannot read."""
    with pytest.raises(SaslError):
        cram.respond(challenge, authcid="tim", passwd="x")


@pytest.mark.parametrize(
    ("authcid", "passwd"), [("", "x"), ("tim", ""), ("t\0", "x"), ("tim", "x\0"), ("tim", "\ud800")]
)
def test_fields_that_cannot_be_sent_are_refused(authcid: str, passwd: str) -> None:
    """Empty fields, NUL and lone surrogates raise SaslError."""
    with pytest.raises(SaslError):
        cram.encode_response(b"<1.1@a>", authcid=authcid, passwd=passwd)


def test_unknown_hash_is_refused() -> None:
    """A hash that no CRAM mechanism has raises SaslError."""
    with pytest.raises(SaslError, match="ripemd160"):
        cram.digest(b"x", passwd="x", hash_name="sha3_256")


def test_hash_that_openssl_leaves_out_is_named_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hashlib has no RIPEMD-160, MissingPartError names it, and is_available says no."""

    def unsupported(*_arguments: object, **_options: object) -> None:
        raise ValueError("unsupported hash type")

    monkeypatch.setattr(hashlib, "new", unsupported)
    monkeypatch.setattr("hmac.digest", unsupported)
    with pytest.raises(MissingPartError, match="ripemd160"):
        cram.digest(b"x", passwd="x", hash_name="ripemd160")
    assert not cram.is_available("ripemd160")
