"""PLAIN: authzid NUL authcid NUL passwd, in one message.

Source: RFC 4616 section 2; IndiMail smtpd.c `auth_plain()`.

Note for maintainers: qmail-smtpd drops the authzid without a look, and so do we: the user is always the authcid.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from indimail_kit.auth import framing
from indimail_kit.auth.sent_password import SentPassword
from indimail_kit.errors import SaslError

if TYPE_CHECKING:
    from indimail_kit.auth.authority import Authority, Judgement

_GRAMMAR: Final = "three UTF-8 parts separated by NUL: authzid, authcid, passwd; the last two not empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainMessage(SentPassword):
    """The three parts of a PLAIN message.

    Attributes:
        authzid: Whom the client wants to act for, "" for itself.
        authcid: Who the client is.
        passwd: The password, as it went over the wire.
    """

    authzid: str = ""
    authcid: str
    passwd: str = field(repr=False)


def encode_message(*, authcid: str, passwd: str, authzid: str = "") -> bytes:
    r"""Return the octets of a PLAIN message, before Base64.

    Raises:
        SaslError: authcid or passwd is empty, or a part holds NUL or a lone surrogate.

    Example:
        >>> encode_message(authcid="tim", passwd="tanstaaftanstaaf")
        b'\x00tim\x00tanstaaftanstaaf'
    """
    if not authcid or not passwd:
        raise SaslError("a user and a password that are not empty")
    parts = (("authzid", authzid), ("authcid", authcid), ("passwd", passwd))
    return b"\0".join(framing.encode_field(part, name=name) for name, part in parts)


def encode(*, authcid: str, passwd: str, authzid: str = "") -> str:
    """Return the client's message in Base64, as it goes behind ``AUTH PLAIN``.

    Raises:
        SaslError: See `encode_message`.

    Example:
        >>> encode(authcid="postmaster@example.com", passwd="pass")
        'AHBvc3RtYXN0ZXJAZXhhbXBsZS5jb20AcGFzcw=='
    """
    return framing.encode_base64(encode_message(authcid=authcid, passwd=passwd, authzid=authzid))


def decode(octets: bytes) -> PlainMessage:
    r"""Read a PLAIN message, after Base64.

    Raises:
        SaslError: Not three UTF-8 parts, or authcid or passwd is empty.

    Deviation:
        qmail-smtpd also takes octets behind a third NUL (and drops them) and octets that are not UTF-8.

    Example:
        >>> decode(b"\0tim\0tanstaaftanstaaf").authcid
        'tim'
    """
    parts = octets.split(b"\0")
    if len(parts) != 3:
        raise SaslError(_GRAMMAR)
    authzid, authcid, passwd = (framing.decode_utf8(part, expected=_GRAMMAR) for part in parts)
    if not authcid or not passwd:
        raise SaslError(_GRAMMAR)
    return PlainMessage(authzid=authzid, authcid=authcid, passwd=passwd)


def serve(_challenge: bytes, authority: Authority) -> Generator[bytes, bytes, Judgement]:
    """Play the server: say nothing, hear the message."""
    return authority.judge(decode((yield b"")))
