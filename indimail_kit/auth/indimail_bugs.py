"""The faults of IndiMail's qmail-smtpd, for whoever wants to meet them before his clients do.

Source: recorded dialogues of indimail-mta 3.1 (tests/data/indimail/auth); smtpd.c `authgetl()`, `auth_login()`,
`auth_plain()`, `auth_cram()`, `auth_digest_md5()`, `auth_scram()`; libqmail base64sub.c `b64decode()`.

The faults: a second reply 454 after each 501 and after a checker that crashed; anything taken for Base64, and a
negative length for a lack of memory; a silent end of the connection after a wrong DIGEST-MD5; two replies 535 after a
malformed SCRAM message; JSON without one of its quotation marks; C strings, which end at a NUL.

Rule 1: off by default; nothing else in the room knows of these faults.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from indimail_kit.auth import digest_md5, replies, scram, xoauth2
from indimail_kit.auth.cram import CramProof, CramResponse
from indimail_kit.auth.dialect import Dialect
from indimail_kit.auth.login import PASSWORD_PROMPT, USERNAME_PROMPT, LoginMessages
from indimail_kit.auth.mechanisms import MECHANISMS
from indimail_kit.auth.plain import PlainMessage
from indimail_kit.auth.replies import EndExchangeError, Reply
from indimail_kit.errors import SaslError

if TYPE_CHECKING:
    from indimail_kit.auth.authority import Authority, Judgement
    from indimail_kit.auth.mechanisms import Dialogue

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_VALUES: Final = {octet: value for value, octet in enumerate(_ALPHABET)}
_PAD: Final = ord("=")


def decode_base64(text: bytes) -> bytes:
    """Decode as libqmail does: groups of four, what is not in the alphabet counts for nothing, a rest is dropped.

    Raises:
        EndExchangeError: There is more padding than text; qmail-smtpd then asks for a negative length and gives up.

    Example:
        >>> decode_base64(b"!!!notb64").hex(), decode_base64(b"abc")
        ('000027a2d6fa', b'')
    """
    body = text.rstrip(b"=")
    padding = len(text) - len(body)
    groups = len(text) // 4
    length = groups * 3 - padding
    if length < 0:
        raise EndExchangeError(replies.OUT_OF_MEMORY, "more padding than text")
    decoded = b"".join(_group(text[4 * number : 4 * number + 4]) for number in range(groups))
    return decoded[:length]


def _group(text: bytes) -> bytes:
    """Return the three octets of a group; a character that does not count shifts nothing."""
    value = 0
    for octet in text:
        if octet in _VALUES or octet == _PAD:
            value = (value << 6) + _VALUES.get(octet, 0)
    return value.to_bytes(3, "big")


def _text(octets: bytes) -> str:
    """Return a C string: up to the first NUL, whatever its octets."""
    return octets.partition(b"\0")[0].decode("utf-8", "surrogateescape")


_MALFORMED: Final = "user and password that are not empty"


def serve_login(_challenge: bytes, authority: Authority) -> Generator[bytes, bytes, Judgement]:
    """Play the server of LOGIN: NULs stay in both, and move the fields that the checker then reads."""
    user = yield USERNAME_PROMPT
    passwd = yield PASSWORD_PROMPT
    if not user or not passwd:
        raise SaslError(_MALFORMED)
    first, second = (user + b"\0" + passwd + b"\0").split(b"\0")[:2]
    return authority.judge(LoginMessages(authcid=_text(first), passwd=_text(second)))


def serve_plain(_challenge: bytes, authority: Authority) -> Generator[bytes, bytes, Judgement]:
    """Play the server of PLAIN: what is behind a third NUL is dropped."""
    octets = yield b""
    _authzid, user, passwd, *_rest = [*octets.split(b"\0"), b"", b""]
    if not user or not passwd:
        raise SaslError(_MALFORMED)
    return authority.judge(PlainMessage(authcid=_text(user), passwd=_text(passwd)))


def serve_cram(challenge: bytes, authority: Authority, *, hash_name: str) -> Generator[bytes, bytes, Judgement]:
    """Play the server of CRAM: the response ends at a NUL."""
    user, _blank, rest = _text((yield challenge)).partition(" ")
    digest = rest.lstrip(" ")
    if not user or not digest:
        raise SaslError(_MALFORMED)
    proof = CramProof(response=CramResponse(authcid=user, digest=digest), challenge=challenge, hash_name=hash_name)
    return authority.judge(proof)


def serve_digest_md5(challenge: bytes, authority: Authority) -> Generator[bytes, bytes, Judgement]:
    """Play the server of DIGEST-MD5: rspauth has a NUL, any answer to it will do; a wrong digest ends in silence."""
    response = digest_md5.decode_response((yield challenge))
    if response.nonce != digest_md5.decode_challenge(challenge).nonce:
        raise SaslError("the nonce of this challenge")
    judgement = authority.judge(response)
    if not judgement.ok:
        raise EndExchangeError(replies.SILENCE, judgement.reason, judgement.authcid)
    yield b"rspauth=" + judgement.server_proof + b"\0"
    return judgement


def serve_scram(challenge: bytes, authority: Authority, *, hash_name: str) -> Generator[bytes, bytes, Judgement]:
    """Play the server of SCRAM: a first message is looked at by its first two octets, then libgsasl has it."""
    dialogue = scram.serve(challenge, authority, hash_name=hash_name)
    octets = yield next(dialogue)
    fault = _scram_fault(octets)
    if fault is not None:
        raise EndExchangeError(replace(fault, more=(replies.FAILED,)), "a malformed SCRAM message")
    try:
        return (yield from _go_on(dialogue, octets))
    except SaslError:
        pass
    raise EndExchangeError(replies.FAILED, "a malformed SCRAM message")


def _go_on(dialogue: Dialogue, octets: bytes) -> Dialogue:
    """Give the first message to a dialogue that waits for it, and go on with it."""
    try:
        challenge = dialogue.send(octets)
        while True:
            challenge = dialogue.send((yield challenge))
    except StopIteration as stop:
        judgement: Judgement = stop.value
    return judgement


def _scram_fault(octets: bytes) -> Reply | None:
    """Return the reply to a first message that qmail-smtpd itself refuses."""
    if octets[:1] == b"p":
        return Reply(535, "client requires channel binding, but server doesn't support (#5.7.4)")
    if octets[:2] not in {b"n,", b"y,"}:
        return Reply(535, "535 malformed SCRAM message (#5.7.1)")
    return None


def serve_xoauth2(challenge: bytes, authority: Authority) -> Generator[bytes, bytes, Judgement]:
    """Play the server of XOAUTH2: its JSON lacks a quotation mark."""
    return (yield from xoauth2.serve(challenge.replace(b'"schemes":"', b'"schemes":'), authority))


def _serve(name: str, hash_name: str) -> Callable[[bytes, Authority], Dialogue]:
    """Return the faulty server's side of a mechanism."""
    if name.startswith("CRAM-"):
        return partial(serve_cram, hash_name=hash_name)
    if name.startswith("SCRAM-"):
        return partial(serve_scram, hash_name=hash_name)
    return _SINGLE[name]


_SINGLE: Final[dict[str, Callable[[bytes, Authority], Dialogue]]] = {
    "LOGIN": serve_login,
    "PLAIN": serve_plain,
    "XOAUTH2": serve_xoauth2,
    "DIGEST-MD5": serve_digest_md5,
}

INDIMAIL_BUGS: Final = Dialect(
    "IndiMail's qmail-smtpd, faults included",
    decode_base64,
    replies={
        reply: replace(reply, more=(replies.TEMPORARY,))
        for reply in (replies.MALFORMED, replies.CANCELLED, replies.CRASHED)
    },
    serve={name: _serve(name, row.hash_name) for name, row in MECHANISMS.items()},
    takes_no_initial_response=frozenset(name for name in MECHANISMS if name.startswith("SCRAM-")),
    knows_empty_response=False,
)
"""qmail-smtpd of indimail-mta 3.1, as recorded."""
