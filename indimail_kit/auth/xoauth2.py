"""XOAUTH2: a bearer token instead of a password, in one message.

Source: Google, "OAuth 2.0 mechanism" for IMAP, POP and SMTP (the form of the messages); RFC 7628 registers its
successor OAUTHBEARER; IndiMail smtpd.c `auth_xoauth2()`.

Note for maintainers: only the identity provider can say whether a token is good, so this server refuses every one, as
a qmail-smtpd whose checkers know passwords does: first 334 with a reason in JSON, then, whatever the client says, 535.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from indimail_kit.auth import framing
from indimail_kit.errors import SaslError

if TYPE_CHECKING:
    from indimail_kit.auth.authority import Authority, Judgement
    from indimail_kit.auth.stored import Account

_GRAMMAR: Final = "user=NAME, octet 1, auth=Bearer TOKEN, octet 1, octet 1"
_MESSAGE: Final = re.compile(rb"user=([^\x00\x01]+)\x01auth=bearer ([!-~]+)\x01\x01", re.IGNORECASE)
_TOKEN: Final = re.compile(r"[!-~]+")  # RFC 6750 section 2.1 has fewer; providers send any printable ones


@dataclass(frozen=True, slots=True, kw_only=True)
class XOauth2Message:
    """The client's one message.

    Attributes:
        authcid: Who the client is.
        token: The bearer token: whoever has it may act for the user until it expires.
    """

    authcid: str
    token: str = field(repr=False)

    def matches(self, _account: Account) -> bool:
        """Say no: no table here can check a token."""
        return False

    def answer(self, _account: Account) -> bytes:
        """Return nothing: the server proves nothing."""
        return b""

    def fd3_fields(self) -> tuple[bytes, bytes]:
        """Return what qmail-smtpd writes: the fields shift by one, so that a module reads an empty second one."""
        return b"", self.token.encode("ascii") + b"\0\0"


def encode_message(*, authcid: str, token: str) -> bytes:
    r"""Return the octets of the message, before Base64.

    Raises:
        SaslError: The user is empty or holds octet 0 or 1, or the token is not printable ASCII without blanks.

    Example:
        >>> encode_message(authcid="someuser@example.com", token="vF9dft4qmT")
        b'user=someuser@example.com\x01auth=Bearer vF9dft4qmT\x01\x01'
    """
    user = framing.encode_field(authcid, name="authcid")
    if not user or b"\x01" in user or not _TOKEN.fullmatch(token):
        raise SaslError(_GRAMMAR)
    return b"user=%b\x01auth=Bearer %b\x01\x01" % (user, token.encode("ascii"))


def encode(*, authcid: str, token: str) -> str:
    """Return the message in Base64, as it goes behind ``AUTH XOAUTH2``."""
    return framing.encode_base64(encode_message(authcid=authcid, token=token))


def decode(octets: bytes) -> XOauth2Message:
    """Read the message, after Base64.

    Raises:
        SaslError: It breaks the grammar, or the user is not UTF-8.
    """
    match = _MESSAGE.fullmatch(octets)
    if match is None:
        raise SaslError(_GRAMMAR)
    return XOauth2Message(authcid=framing.decode_utf8(match[1], expected=_GRAMMAR), token=match[2].decode("ascii"))


def make_challenge(*, host: str) -> bytes:
    """Return the reason of the refusal, in JSON.

    Deviation:
        qmail-smtpd forgets a quotation mark, see `indimail_bugs`.

    Example:
        >>> make_challenge(host="mx1.example.com")
        b'{"status":"401","schemes":"bearer mac","scope":"https://mx1.example.com/"}'
    """
    reason = {"status": "401", "schemes": "bearer mac", "scope": f"https://{host}/"}
    return json.dumps(reason, separators=(",", ":")).encode("ascii")


def serve(challenge: bytes, authority: Authority) -> Generator[bytes, bytes, Judgement]:
    """Play the server: say nothing, hear the message, give the reason, hear an empty answer, refuse."""
    message = decode((yield b""))
    judgement = authority.judge(message)
    if not judgement.ok:
        yield challenge
    return judgement
