"""The mechanisms as one table: what each sends, what the server must keep, what a listener can do with it.

Source: RFC 4422 (SASL), the RFC in each row; IndiMail smtpd.c `authcmds` and the EHLO line, libqmail authmethods.h
(fd-3 numbers), qmail-smtpd(8) (``DISABLE_…`` variables).

Rule 1: whoever asks "which mechanisms are there" asks this table.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from indimail_kit.auth import cram, digest_md5, framing, login, plain, scram, xoauth2
from indimail_kit.errors import SaslError

if TYPE_CHECKING:
    from indimail_kit.auth.authority import Authority, Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client knows of itself.

    Attributes:
        authcid: Who it is.
        passwd: Its password, or its bearer token.
        authzid: Whom it wants to act for, "" for itself.
        host: The server's name, "" for what its challenge says (DIGEST-MD5).
        nonce: The client's nonce, "" to have one drawn (DIGEST-MD5, SCRAM).
    """

    authcid: str
    passwd: str = field(repr=False)
    authzid: str = ""
    host: str = ""
    nonce: str = ""


Step = Callable[[bytes], bytes]
"""One turn of a client: challenge octets -> response octets."""

Dialogue = Generator[bytes, bytes, "Judgement"]
"""The server's side: yields challenge octets, is sent response octets, returns the judgement or raises SaslError."""


def _needs_nothing() -> bool:
    return True


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
        serve: Server's side; its arguments are the challenge of the exchange (b"" where the mechanism has none) and
            the authority.
        steps: Client's side, turn by turn.
        new_challenge: Makes a challenge for one exchange from the host and the time (unit: s since 1970, or None), or
            None where the mechanism has none. For SCRAM it is the server's part of the nonce.
        has_library: Says whether the library it needs is installed.
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
    serve: Callable[[bytes, Authority], Dialogue] = field(repr=False)
    steps: Callable[[Credentials], tuple[Step, ...]] = field(repr=False)
    new_challenge: Callable[[str, int | None], bytes] | None = field(default=None, repr=False)
    has_library: Callable[[], bool] = field(default=_needs_nothing, repr=False)

    @property
    def needs_challenge(self) -> bool:
        """Say whether each exchange needs a challenge of its own."""
        return self.new_challenge is not None

    @property
    def is_available(self) -> bool:
        """Say whether this Python can do it (CRAM-RIPEMD needs a hash that some OpenSSL leave out, SCRAM scramp)."""
        return (not self.hash_name or cram.is_available(self.hash_name)) and self.has_library()


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


def _digest_steps(credentials: Credentials) -> tuple[Step, ...]:
    sent: list[digest_md5.DigestResponse] = []

    def respond(challenge: bytes) -> bytes:
        response = digest_md5.respond(
            challenge,
            authcid=credentials.authcid,
            passwd=credentials.passwd,
            host=credentials.host,
            cnonce=credentials.nonce,
        )
        sent.append(response)
        return digest_md5.encode_response(response)

    def check(challenge: bytes) -> bytes:
        if not digest_md5.is_rspauth(challenge, sent[0], passwd=credentials.passwd):
            raise SaslError("rspauth, the server's own proof")
        return b""

    return respond, check


def _scram_steps(credentials: Credentials, *, hash_name: str) -> tuple[Step, ...]:
    client = scram.ScramClient(
        authcid=credentials.authcid, passwd=credentials.passwd, hash_name=hash_name, nonce=credentials.nonce
    )
    return client.first, client.final, client.check


def _xoauth2_steps(credentials: Credentials) -> tuple[Step, ...]:
    message = xoauth2.encode_message(authcid=credentials.authcid, token=credentials.passwd)
    return (lambda _challenge: message, lambda _reason: b"")


def _cram_challenge(host: str, unix_s: int | None) -> bytes:
    return cram.make_challenge(host=host, unix_s=unix_s)


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

_SCRAM_ROWS: Final = (
    ("SCRAM-SHA-1", "sha1", "RFC 5802", 11, "DISABLE_SCRAM_SHA1"),
    ("SCRAM-SHA-256", "sha256", "RFC 7677", 12, "DISABLE_SCRAM_SHA256"),
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
    Mechanism(
        name="XOAUTH2",
        source="Google, OAuth 2.0 mechanism; RFC 7628 for its successor",
        is_client_first=True,
        takes_initial_response=True,
        on_wire="user and bearer token, in Base64",
        is_secret_on_wire=True,
        server_stores="nothing; it asks the identity provider",
        can_listener_log_in=True,
        can_listener_guess=False,
        hash_name="",
        fd3_method=17,
        disable_variable="DISABLE_OAUTH2",
        serve=xoauth2.serve,
        steps=_xoauth2_steps,
        new_challenge=lambda host, _unix_s: xoauth2.make_challenge(host=host),
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
            new_challenge=_cram_challenge,
        )
        for name, hash_name, source, fd3_method, variable in _CRAM_ROWS
    ),
    Mechanism(
        name="DIGEST-MD5",
        source="RFC 2831, obsoleted by RFC 6331",
        is_client_first=False,
        takes_initial_response=False,
        on_wire="nonces of both sides; the user, and digests of password and nonces from both",
        is_secret_on_wire=False,
        server_stores="the clear password, or a hash of user, realm and password that is as good as it",
        can_listener_log_in=False,
        can_listener_guess=True,
        hash_name="md5",
        fd3_method=10,
        disable_variable="DISABLE_DIGEST_MD5",
        serve=digest_md5.serve,
        steps=_digest_steps,
        new_challenge=lambda host, _unix_s: digest_md5.make_challenge(host=host),
    ),
    *(
        Mechanism(
            name=name,
            source=source,
            is_client_first=True,
            takes_initial_response=True,
            on_wire="nonces of both sides, salt and count; the user, and proofs from both",
            is_secret_on_wire=False,
            server_stores="salt, count and two keys, with which nobody can log in",
            can_listener_log_in=False,
            can_listener_guess=True,
            hash_name=hash_name,
            fd3_method=fd3_method,
            disable_variable=variable,
            serve=partial(scram.serve, hash_name=hash_name),
            steps=partial(_scram_steps, hash_name=hash_name),
            new_challenge=lambda _host, _unix_s: scram.make_challenge(),
            has_library=scram.is_available,
        )
        for name, hash_name, source, fd3_method, variable in _SCRAM_ROWS
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


SECURE_AUTH: Final = "SECURE_AUTH"
"""Variable that refuses a secret on the wire without TLS. Source: qmail-smtpd(8)."""


def must_be_encrypted(name: str, environ: Mapping[str, str], *, has_tls: bool) -> bool:
    """Say whether a mechanism is refused (538) until TLS has begun.

    Example:
        >>> must_be_encrypted("PLAIN", {"SECURE_AUTH": "1"}, has_tls=False)
        True
    """
    row = find_mechanism(name)
    return row is not None and row.is_secret_on_wire and SECURE_AUTH in environ and not has_tls


def offered_mechanisms(environ: Mapping[str, str], *, has_tls: bool = False) -> tuple[str, ...]:
    """Return the names for the EHLO line, in its order.

    Source:
        qmail-smtpd(8), ``DISABLE_…`` and SECURE_AUTH. A variable that is there but empty counts, as env_get() has it.

    Deviation:
        qmail-smtpd only hides what ``DISABLE_…`` names and still takes it; whoever plays it strictly refuses it with
        504.

    Example:
        >>> offered_mechanisms({"SECURE_AUTH": "1"})[:2]
        ('CRAM-MD5', 'CRAM-SHA1')
    """
    return tuple(
        name
        for name in available_mechanisms()
        if MECHANISMS[name].disable_variable not in environ and not must_be_encrypted(name, environ, has_tls=has_tls)
    )
