"""LOGIN: the server asks twice, the client answers with user and password.

Source: draft-murchison-sasl-login-00 (there is no RFC); IndiMail smtpd.c `auth_login()`.

Note for maintainers: an initial response, where the client sends one, is the user.
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

USERNAME_PROMPT: Final = b"Username:"
"""The first challenge; ``VXNlcm5hbWU6`` on the wire."""

PASSWORD_PROMPT: Final = b"Password:"
"""The second challenge; ``UGFzc3dvcmQ6`` on the wire."""

_GRAMMAR: Final = "a user and a password in UTF-8 without NUL, not empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginMessages(SentPassword):
    """The two answers of a LOGIN client.

    Attributes:
        authcid: Who the client is.
        passwd: The password, as it went over the wire.
    """

    authcid: str
    passwd: str = field(repr=False)


def encode(*, authcid: str, passwd: str) -> tuple[str, str]:
    """Return the client's two answers in Base64.

    Raises:
        SaslError: One is empty, or holds NUL or a lone surrogate.

    Example:
        >>> encode(authcid="postmaster@example.com", passwd="pass")
        ('cG9zdG1hc3RlckBleGFtcGxlLmNvbQ==', 'cGFzcw==')
    """
    if not authcid or not passwd:
        raise SaslError(_GRAMMAR)
    user, secret = framing.encode_field(authcid, name="authcid"), framing.encode_field(passwd, name="passwd")
    return framing.encode_base64(user), framing.encode_base64(secret)


def decode(user: bytes, passwd: bytes) -> LoginMessages:
    """Read the two answers, after Base64.

    Raises:
        SaslError: One is empty, or holds NUL, or is not UTF-8.

    Deviation:
        qmail-smtpd reads each answer up to its first NUL and takes octets that are not UTF-8.
    """
    if not user or not passwd or b"\0" in user + passwd:
        raise SaslError(_GRAMMAR)
    authcid, secret = (framing.decode_utf8(octets, expected=_GRAMMAR) for octets in (user, passwd))
    return LoginMessages(authcid=authcid, passwd=secret)


def serve(_challenge: bytes, authority: Authority) -> Generator[bytes, bytes, Judgement]:
    """Play the server: ask for the user, ask for the password, judge both only then."""
    user = yield USERNAME_PROMPT
    passwd = yield PASSWORD_PROMPT
    return authority.judge(decode(user, passwd))
