r"""checkpassword: what qmail-smtpd writes on fd 3, and what a module makes of it.

Source: IndiMail smtpd.c `authenticate()` (writing), vchkpass.c `main()` and libqmail pw_comp.c, digest_md5.c
(reading, judging, fd 6); https://cr.yp.to/checkpwd/interface.html for the classic form.

Note for maintainers: IndiMail's form has a fourth field, the method, and is not the classic one::

    user \0 password             \0                 \0 METHOD \0        LOGIN, PLAIN
    user \0 challenge            \0 digest          \0 METHOD \0        CRAM-…
    user \0 digest               \0 name=value lines \0 METHOD \0       DIGEST-MD5
    user \0 password             \0 timestamp       \0                  classic

qmail-smtpd writes a NUL that a client sent as it is, which moves the fields, and XOAUTH2's fields are shifted by one;
whatever was written is read back and written again without a change.

Rule 1: at most 512 octets, on fd 3 and nowhere else; no shell.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.auth import cram
from indimail_kit.auth.authority import UNKNOWN_USER, WRONG_PASSWD, Authority
from indimail_kit.auth.cram import CramProof, CramResponse
from indimail_kit.auth.digest_md5 import DigestResponse
from indimail_kit.auth.mechanisms import MECHANISMS
from indimail_kit.auth.plain import PlainMessage
from indimail_kit.auth.stored import Account, Proof
from indimail_kit.errors import SaslError

MAX_BYTES: Final = 512
"""Most octets on fd 3 (unit: octets). Source: vchkpass.c AUTH_SIZE; the classic interface has the same."""

INPUT_FD: Final = 3
"""Where the module reads."""

RSPAUTH_FD: Final = 6
"""Where the module writes DIGEST-MD5's rspauth, 32 hexadecimal digits. Source: digest_md5.c."""

EXIT_OK: Final = 0
"""Right; mail is relayed."""

EXIT_WRONG: Final = 1
"""Wrong password or user."""

EXIT_MISUSE: Final = 2
"""The module was not called as it should be; for qmail-smtpd a wrong password."""

EXIT_NO_RELAY: Final = 3
"""Right, but mail to other hosts is refused."""

EXIT_TEMPORARY: Final = 111
"""The module could not find out."""

_METHOD_HASHES: Final = {row.fd3_method: row.hash_name for name, row in MECHANISMS.items() if name.startswith("CRAM-")}
_DIGEST_METHOD: Final = MECHANISMS["DIGEST-MD5"].fd3_method
_GRAMMAR: Final = f"a user, a NUL, a second and a third field, at most {MAX_BYTES} octets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What stands on fd 3.

    Attributes:
        user: The user.
        second: Password, challenge or digest.
        third: Nothing, digest, directives or a timestamp.
        tail: The NUL that ends the third field, the method and what follows; b"" when even the NUL is missing.
    """

    user: bytes
    second: bytes = field(repr=False)
    third: bytes = field(default=b"", repr=False)
    tail: bytes = field(default=b"\0", repr=False)

    @property
    def method(self) -> int:
        """Return the method octet, 0 when there is none."""
        return self.tail[1] if len(self.tail) > 1 else 0

    def encode(self) -> bytes:
        r"""Return the octets for fd 3.

        Raises:
            SaslError: They are more than 512.

        Example:
            >>> make_fields(b"test@local.test", b"secret", method=1).encode()
            b'test@local.test\x00secret\x00\x00\x01\x00'
        """
        octets = self.user + b"\0" + self.second + b"\0" + self.third + self.tail
        if len(octets) > MAX_BYTES:
            raise SaslError(_GRAMMAR)
        return octets


def make_fields(user: bytes, second: bytes, third: bytes = b"", *, method: int | None = None) -> Fields:
    """Return the fields of IndiMail's form, or without a method those of the classic one."""
    return Fields(user=user, second=second, third=third, tail=b"\0" if method is None else bytes((0, method, 0)))


def decode_fields(octets: bytes) -> Fields:
    """Read what stands on fd 3, as a module does.

    Raises:
        SaslError: More than 512 octets, or fewer than two NULs with something behind each.
    """
    first = octets.find(b"\0")
    second = octets.find(b"\0", first + 1)
    if len(octets) > MAX_BYTES or first < 0 or second < 0 or second + 1 == len(octets):
        raise SaslError(_GRAMMAR)
    third = octets.find(b"\0", second + 1)
    end = third if third >= 0 else len(octets)
    return Fields(
        user=octets[:first], second=octets[first + 1 : second], third=octets[second + 1 : end], tail=octets[end:]
    )


@dataclass(frozen=True, slots=True)
class ModuleAnswer:
    """What a module says.

    Attributes:
        exit_code: See EXIT_…; None when it was killed by a signal or did not end in time.
        rspauth: What it wrote on fd 6.
    """

    exit_code: int | None
    rspauth: bytes = field(default=b"", repr=False)


def proofs_of(fields: Fields, *, is_classic: bool = False) -> tuple[Proof, ...]:
    """Return what the fields may prove; more than one only where a digest comes without its method.

    Source:
        vchkpass.c and pw_comp.c: without a third field the second is a password, whatever the method.
    """
    authcid = fields.user.decode("utf-8", "surrogateescape")
    if is_classic or not fields.third:
        return (PlainMessage(authcid=authcid, passwd=fields.second.decode("utf-8", "surrogateescape")),)
    if fields.method == _DIGEST_METHOD:
        return (_digest_response(authcid, fields),)
    hash_names = cram.HASH_NAMES if not fields.method else filter(None, [_METHOD_HASHES.get(fields.method)])
    response = CramResponse(authcid=authcid, digest=fields.third.decode("utf-8", "surrogateescape"))
    return tuple(
        CramProof(response=response, challenge=fields.second, hash_name=name)
        for name in hash_names
        if cram.is_available(name)
    )


def _digest_response(authcid: str, fields: Fields) -> DigestResponse:
    """Read the lines of DIGEST-MD5; a missing one is empty, and the digest then wrong."""
    lines = fields.third.decode("utf-8", "surrogateescape").split("\n")
    values = {name: value for name, _equals, value in (line.partition("=") for line in lines)}
    return DigestResponse(
        authcid=authcid,
        realm=values.get("realm", ""),
        nonce=values.get("nonce", ""),
        cnonce=values.get("cnonce", ""),
        nc=values.get("nc", ""),
        qop=values.get("qop", ""),
        digest_uri=values.get("digest-uri", ""),
        response=fields.second.decode("ascii", "replace"),
        authzid=values.get("authzid", ""),
        is_utf8=True,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a module of ours found out.

    Attributes:
        answer: Exit code and rspauth.
        is_final: Whether the next module of the chain is not asked: the user is right, or known and shut out.
        authcid: The user.
        reason: Why not, "" when right.
    """

    answer: ModuleAnswer
    is_final: bool
    authcid: str
    reason: str = ""


def judge_fields(fields: Fields, authority: Authority, *, is_classic: bool = False) -> Verdict:
    """Judge what stands on fd 3, as vchkpass does.

    Raises:
        AccountError: The table does not answer.
        MissingPartError: Something is missing here that the comparison needs.
    """
    authcid = fields.user.decode("utf-8", "surrogateescape")
    reason = "a method that this module does not know"
    for proof in proofs_of(fields, is_classic=is_classic):
        judgement = authority.judge(proof)
        if judgement.ok:
            exit_code = EXIT_OK if judgement.can_relay else EXIT_NO_RELAY
            return Verdict(ModuleAnswer(exit_code, judgement.server_proof), is_final=True, authcid=authcid)
        reason = judgement.reason
        if reason not in {UNKNOWN_USER, WRONG_PASSWD}:
            return Verdict(ModuleAnswer(EXIT_WRONG), is_final=True, authcid=authcid, reason=reason)
    return Verdict(ModuleAnswer(EXIT_WRONG), is_final=False, authcid=authcid, reason=reason)


def read_input(fd: int = INPUT_FD) -> bytes:
    """Read all that stands on fd 3, and close it.

    Raises:
        SaslError: There is no such descriptor, or there are more than 512 octets.
        OSError: Reading failed.
    """
    octets = b""
    try:
        while len(octets) <= MAX_BYTES and (more := os.read(fd, MAX_BYTES + 1 - len(octets))):
            octets += more
    except OSError as error:
        if error.errno == errno.EBADF:
            raise SaslError(f"an open descriptor {fd}") from None
        raise
    os.close(fd)
    if len(octets) > MAX_BYTES:
        raise SaslError(_GRAMMAR)
    return octets


def success_environment(environ: Mapping[str, str], account: Account | None, authcid: str) -> dict[str, str]:
    """Return the environment of the program that a classic module runs.

    Source:
        vchkpass.c with NATIVE_CHECKPASSWORD; USER is the classic interface's.
    """
    extra = environ.get("EXTRA")
    return {
        **environ,
        "USER": authcid,
        "HOME": account.pw_dir if account is not None else "",
        "userdb_uid": "indimail",
        "userdb_gid": "indimail",
        "EXTRA": "userdb_uid userdb_gid" + (f" {extra}" if extra else ""),
    }
