"""The mechanisms as one table: what each sends, what the server must keep, what a listener can do with it.

Source: RFC 4422 (SASL), the RFC in each row; IndiMail smtpd.c `authcmds` and the EHLO line, libqmail authmethods.h
(fd-3 numbers), qmail-smtpd(8) (DISABLE_… variables).

Rule 1: whoever asks "which mechanisms are there" asks this table.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from indimail_kit.auth import cram, framing, login, plain

if TYPE_CHECKING:
    from indimail_kit.auth.stored import Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client knows of itself.

    Attributes:
        authcid: Who it is.
        passwd: Its password.
        authzid: Whom it wants to act for, "" for itself.
    """

    authcid: str
    passwd: str = field(repr=False)
    authzid: str = ""


Step = Callable[[bytes], bytes]
"""One turn of a client: challenge octets -> response octets."""

Dialogue = Generator[bytes, bytes, "Proof"]
"""The server's side: yields challenge octets, is sent response octets, returns the proof or raises SaslError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One row of the table.

    Attributes:
        name: As registered, or as IndiMail announces it.
        source: RFC or draft.
        is_client_first: Whether the client begins, so that a client should send an initial response.
        takes_initial_response: Whether the server uses an initial response (LOGIN does, though its server begins).
        on_wire: What goes over the wire, for a person.
        is_secret_on_wire: Whether the password itself does.
        server_stores: What the server must keep.
        can_listener_log_in: Whether someone who heard the exchange can log in with it later.
        can_listener_guess: Whether someone who heard it can try passwords offline, unseen.
        hash_name: Hash function, "" for none.
        fd3_method: The method octet on a checkpassword module's fd 3.
        disable_variable: Environment variable that hides the mechanism from EHLO.
        serve: Server's side; its argument is the challenge of the exchange (b"" where the mechanism has none).
        steps: Client's side, turn by turn.
    """

    name: str
    source: str
    is_client_first: bool
    takes_initial_response: bool
    on_wire: str
    is_secret_on_wire: bool
    server_stores: str
    can_listener_log_in: bool
    can_listener_guess: bool
    hash_name: str
    fd3_method: int
    disable_variable: str
    serve: Callable[[bytes], Dialogue] = field(repr=False)
    steps: Callable[[Credentials], tuple[Step, ...]] = field(repr=False)

    @property
    def needs_challenge(self) -> bool:
        """Say whether each exchange needs a challenge of its own."""
        return bool(self.hash_name)

    @property
    def is_available(self) -> bool:
        """Say whether this Python can do it (CRAM-RIPEMD needs a hash that some OpenSSL leave out)."""
        return not self.hash_name or cram.is_available(self.hash_name)


def _plain_steps(credentials: Credentials) -> tuple[Step, ...]:
    message = plain.encode_message(authcid=credentials.authcid, passwd=credentials.passwd, authzid=credentials.authzid)
    return (lambda _challenge: message,)


def _login_steps(credentials: Credentials) -> tuple[Step, ...]:
    answers = login.encode(authcid=credentials.authcid, passwd=credentials.passwd)
    user, passwd = (framing.decode_base64(answer.encode("ascii")) for answer in answers)
    return (lambda _challenge: user, lambda _challenge: passwd)


def _cram_steps(credentials: Credentials, *, hash_name: str) -> tuple[Step, ...]:
    return (
        lambda challenge: cram.encode_response(
            challenge, authcid=credentials.authcid, passwd=credentials.passwd, hash_name=hash_name
        ),
    )


# name, hash, source, fd-3 method, variable that hides it: the order is that of the EHLO line.
_CRAM_ROWS: Final = (
    ("CRAM-MD5", "md5", "RFC 2195", 3, "DISABLE_CRAM_MD5"),
    ("CRAM-SHA1", "sha1", "RFC 2195 with HMAC-SHA-1 (IndiMail)", 4, "DISABLE_CRAM_SHA1"),
    ("CRAM-SHA224", "sha224", "RFC 2195 with HMAC-SHA-224 (IndiMail)", 5, "DISABLE_CRAM_SHA224"),
    ("CRAM-SHA256", "sha256", "RFC 2195 with HMAC-SHA-256 (IndiMail)", 6, "DISABLE_CRAM_SHA256"),
    ("CRAM-SHA384", "sha384", "RFC 2195 with HMAC-SHA-384 (IndiMail)", 7, "DISABLE_CRAM_SHA384"),
    ("CRAM-SHA512", "sha512", "RFC 2195 with HMAC-SHA-512 (IndiMail)", 8, "DISABLE_CRAM_SHA512"),
    ("CRAM-RIPEMD", "ripemd160", "RFC 2195 with HMAC-RIPEMD-160 (IndiMail)", 9, "DISABLE_CRAM_RIPEMD"),
)

_ROWS: Final = (
    Mechanism(
        name="LOGIN",
        source="draft-murchison-sasl-login-00",
        is_client_first=False,
        takes_initial_response=True,
        on_wire="user and password, in Base64",
        is_secret_on_wire=True,
        server_stores="anything that a password can be checked against; a hash is enough",
        can_listener_log_in=True,
        can_listener_guess=False,
        hash_name="",
        fd3_method=1,
        disable_variable="DISABLE_AUTH_LOGIN",
        serve=login.serve,
        steps=_login_steps,
    ),
    Mechanism(
        name="PLAIN",
        source="RFC 4616",
        is_client_first=True,
        takes_initial_response=True,
        on_wire="authzid, user and password, in Base64",
        is_secret_on_wire=True,
        server_stores="anything that a password can be checked against; a hash is enough",
        can_listener_log_in=True,
        can_listener_guess=False,
        hash_name="",
        fd3_method=2,
        disable_variable="DISABLE_AUTH_PLAIN",
        serve=plain.serve,
        steps=_plain_steps,
    ),
    *(
        Mechanism(
            name=name,
            source=source,
            is_client_first=False,
            takes_initial_response=False,
            on_wire="the challenge; the user and a digest of challenge and password",
            is_secret_on_wire=False,
            server_stores="the clear password",
            can_listener_log_in=False,
            can_listener_guess=True,
            hash_name=hash_name,
            fd3_method=fd3_method,
            disable_variable=variable,
            serve=partial(cram.serve, hash_name=hash_name),
            steps=partial(_cram_steps, hash_name=hash_name),
        )
        for name, hash_name, source, fd3_method, variable in _CRAM_ROWS
    ),
)

MECHANISMS: Final = {row.name: row for row in _ROWS}
"""Name -> row, in the order of qmail-smtpd's EHLO line; a listener need not guess where he heard the password."""


def find_mechanism(name: str) -> Mechanism | None:
    """Return the row of a name in any case, or None when there is none.

    Example:
        >>> find_mechanism("cram-md5").source
        'RFC 2195'
    """
    return MECHANISMS.get(name.upper())


def available_mechanisms() -> tuple[str, ...]:
    """Return the names that this Python can do, in the order of the EHLO line."""
    return tuple(name for name, row in MECHANISMS.items() if row.is_available)
