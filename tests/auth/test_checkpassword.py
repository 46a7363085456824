"""fd 3, byte for byte: what qmail-smtpd wrote is read, judged and written again."""

from __future__ import annotations

import hmac
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth.authority import TableAuthority
from indimail_kit.auth.checkpassword import (
    MAX_BYTES,
    decode_fields,
    judge_fields,
    make_fields,
    read_input,
    success_environment,
)
from indimail_kit.auth.stored import NO_RELAY, NO_SMTP, Account
from indimail_kit.errors import AccountError, SaslError

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "indimail" / "auth" / "checkpassword-fd3.jsonl")
    .read_text()
    .splitlines()
]
ROWS = [(bytes.fromhex(row["hex"]), row["rc"], row.get("want")) for row in RECORDED]
IDS = [str(number) for number in range(len(ROWS))]

ACCOUNTS = {
    "test@local.test": Account(address="test@local.test", pw_passwd="{CRAM}secret,"),
    "norelay@local.test": Account(address="norelay@local.test", pw_passwd="{CRAM}secret,", pw_gid=NO_RELAY),
    "nosmtp@local.test": Account(address="nosmtp@local.test", pw_passwd="{CRAM}secret,", pw_gid=NO_SMTP),
    "idle@local.test": Account(address="idle@local.test", pw_passwd="{CRAM}secret,", is_active=False),
}


def lookup(authcid: str) -> Account | None:
    """Find an account; the recording's "tempfail" is the user whose table does not answer."""
    if authcid == "tempfail@local.test":
        raise AccountError("a user table that does not answer")
    return ACCOUNTS.get(authcid)


AUTHORITY = TableAuthority(lookup)


@pytest.mark.parametrize("octets", [row[0] for row in ROWS], ids=IDS)
def test_recorded_octets_come_back(octets: bytes) -> None:
    """Every recorded row, the shifted and the broken ones too, is read and written again without a change."""
    assert decode_fields(octets).encode() == octets


@pytest.mark.parametrize(("octets", "rc", "want"), ROWS, ids=IDS)
def test_verdict_is_the_recorded_one(octets: bytes, rc: int, want: str | None) -> None:
    """Our module exits as the recorded checker did, and has the recorded rspauth for a right DIGEST-MD5."""
    planned = {2: 1, 5: 1}  # the recorded checker exited so for users made for it; here nobody knows them
    try:
        answer = judge_fields(decode_fields(octets), AUTHORITY).answer
    except AccountError:
        assert rc == 111
        return
    assert answer.exit_code == planned.get(rc, rc)
    assert bool(answer.rspauth) is (rc == 0 and want is not None)


def test_rspauth_is_the_recorded_one() -> None:
    """The digest that our module writes on fd 6 is what the recorded server then sent."""
    octets = next(row[0] for row in ROWS if row[2] is not None and row[1] == 0)
    rspauth = judge_fields(decode_fields(octets), AUTHORITY).answer.rspauth
    assert rspauth == b"ee3a703b71fd488a4aeeaea391e4339e"


@pytest.mark.parametrize(
    ("octets", "user", "second", "third", "method"),
    [
        (b"u\0p\0\0\x01\0", b"u", b"p", b"", 1),
        (b"u\0p\0t\0", b"u", b"p", b"t", 0),
        (b"u\0p\0t", b"u", b"p", b"t", 0),
        (b"u\0\0\0", b"u", b"", b"", 0),
        (b"\0\0\0\x05", b"", b"", b"", 5),
    ],
)
def test_fields_are_divided_as_vchkpass_does(
    octets: bytes, user: bytes, second: bytes, third: bytes, method: int
) -> None:
    """Three NULs, the last of which may be missing; the octet behind it is the method."""
    fields = decode_fields(octets)
    assert (fields.user, fields.second, fields.third, fields.method) == (user, second, third, method)


@pytest.mark.parametrize("octets", [b"", b"u", b"u\0", b"u\0p", b"u\0p\0", b"\0", b"u\0" + b"p" * 509 + b"\0\0"])
def test_what_vchkpass_calls_misuse_is_refused(octets: bytes) -> None:
    """Missing fields and more than 512 octets raise SaslError (exit 2)."""
    with pytest.raises(SaslError):
        decode_fields(octets)


@pytest.mark.parametrize("length", range(len(ROWS[9][0])))
def test_truncated_octets_never_get_in(length: int) -> None:
    """A recorded CRAM-MD5 cut anywhere is misuse or wrong, but for the final NUL, which nobody reads."""
    octets = ROWS[9][0]
    try:
        exit_code = judge_fields(decode_fields(octets[:length]), AUTHORITY).answer.exit_code
    except SaslError:
        exit_code = 2
    tells_enough = length >= octets.rindex(b"\0", 0, -1)  # without a method every CRAM hash is tried, as in pw_comp.c
    assert exit_code == (0 if tells_enough else exit_code)
    assert tells_enough or exit_code in {1, 2}


@given(st.binary(max_size=600))
def test_any_octets_come_back_or_are_misuse(octets: bytes) -> None:
    """Whatever stands on fd 3, it is read without loss or refused, and never lets anybody in."""
    try:
        fields = decode_fields(octets)
    except SaslError:
        return
    assert fields.encode() == octets
    assert judge_fields(fields, TableAuthority(lambda _authcid: None)).answer.exit_code == 1


@pytest.mark.parametrize("method", [3, 0])
def test_digest_without_its_method_is_tried_with_all(method: int) -> None:
    """As in pw_comp.c method 0 means any CRAM hash."""
    digest = hmac.new(b"secret", b"<1.1@h>", "sha256" if not method else "md5").hexdigest().encode()
    fields = make_fields(b"test@local.test", b"<1.1@h>", digest, method=method)
    assert judge_fields(fields, AUTHORITY).answer.exit_code == 0


def test_method_that_is_unknown_is_wrong() -> None:
    """A fourth field that no module knows lets nobody in, and the next module is asked."""
    verdict = judge_fields(make_fields(b"test@local.test", b"secret", b"x", method=99), AUTHORITY)
    assert (verdict.answer.exit_code, verdict.is_final) == (1, False)


@pytest.mark.parametrize(
    ("user", "passwd", "exit_code", "is_final"),
    [
        (b"test@local.test", b"secret", 0, True),
        (b"test@local.test", b"wrong", 1, False),
        (b"nobody@local.test", b"secret", 1, False),
        (b"norelay@local.test", b"secret", 3, True),
        (b"nosmtp@local.test", b"secret", 1, True),
        (b"idle@local.test", b"secret", 1, True),
        (b"\xff@local.test", b"secret", 1, False),
    ],
)
@pytest.mark.parametrize("is_classic", [False, True])
def test_exit_codes(user: bytes, passwd: bytes, exit_code: int, *, is_final: bool, is_classic: bool) -> None:
    """0 right, 3 right without relay, 1 wrong; who is known and shut out is not handed on to the next module."""
    fields = make_fields(user, passwd, b"timestamp") if is_classic else make_fields(user, passwd, method=2)
    verdict = judge_fields(fields, AUTHORITY, is_classic=is_classic)
    assert (verdict.answer.exit_code, verdict.is_final) == (exit_code, is_final)


def test_classic_octets_are_djbs() -> None:
    """Three fields, each ended by NUL (checkpwd interface)."""
    assert make_fields(b"u", b"p", b"Y123456").encode() == b"u\0p\0Y123456\0"


@pytest.mark.parametrize(("count", "is_read"), [(MAX_BYTES, True), (MAX_BYTES + 1, False)])
def test_input_has_at_most_512_octets(count: int, *, is_read: bool) -> None:
    """512 octets are read, one more is refused; the descriptor is closed afterwards in the first case."""
    reader, writer = os.pipe()
    os.write(writer, b"x" * count)
    os.close(writer)
    try:
        octets = read_input(reader)
    except SaslError:
        octets = b""
    assert (len(octets) == count) is is_read
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)


def test_missing_descriptor_is_misuse() -> None:
    """Where the descriptor is not open SaslError is raised."""
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(SaslError, match="descriptor"):
        read_input(reader)


@pytest.mark.parametrize(("extra", "expected"), [(None, "userdb_uid userdb_gid"), ("x", "userdb_uid userdb_gid x")])
def test_environment_is_indimails(extra: str | None, expected: str) -> None:
    """HOME, userdb_uid, userdb_gid and EXTRA are set as vchkpass does; the rest stays."""
    environ = {"PATH": "/bin"} | ({"EXTRA": extra} if extra else {})
    made = success_environment(environ, Account(address="a@b", pw_passwd="", pw_dir="/mail/a"), "a@b")
    assert made == {
        "PATH": "/bin",
        "USER": "a@b",
        "HOME": "/mail/a",
        "userdb_uid": "indimail",
        "userdb_gid": "indimail",
        "EXTRA": expected,
    }


def test_trouble_with_reading_is_the_systems(tmp_path: Path) -> None:
    """A descriptor that cannot be read is an OSError, not misuse."""
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(IsADirectoryError):
            read_input(directory)
    finally:
        os.close(directory)
