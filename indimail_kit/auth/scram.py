"""SCRAM-SHA-1 and SCRAM-SHA-256: both sides prove that they know the password, and neither says it.

Source: RFC 5802 sections 3, 5 and 7 (the exchange, the grammar), RFC 7677 (SHA-256); IndiMail smtpd.c `auth_scram()`,
libqmail get_scram_secrets.c (how keys are stored). The computation is scramp's.

Note for maintainers: server-final goes out as one more 334, which the client answers with an empty line (RFC 4954
section 4: no data in 235). scramp takes no authzid, so such a client is malformed here; qmail-smtpd ignores it.

Rule 1: the same work whoever asks: one derivation of keys for a user with keys, with a clear password, and unknown.
Rule 2: no error of scramp is passed on: it may carry what was sent.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

from indimail_kit.auth import framing
from indimail_kit.errors import AccountError, MissingPartError, SaslError

if TYPE_CHECKING:
    from indimail_kit.auth.authority import Authority, Judgement
    from indimail_kit.auth.stored import Account

_T = TypeVar("_T")

MECHANISM_NAMES: Final = {"sha1": "SCRAM-SHA-1", "sha256": "SCRAM-SHA-256"}
"""Hash, as hashlib names it -> mechanism."""

ITERATION_COUNT: Final = 4096
"""Iterations of keys made here (unit: 1). Source: RFC 5802 section 5.1, RFC 7677 section 4; so does gsasl."""

MAX_ITERATION_COUNT: Final = 1_000_000
"""Most iterations that are computed for a peer (unit: 1; half a second); no server stops a client for minutes."""

SALT_BYTES: Final = 16
"""Length of a salt made here (unit: octets)."""

_NONCE_BYTES: Final = 18
_CLIENT_FIRST: Final = re.compile(rb"([ny]|p=[-.0-9A-Za-z]+),(a=[^,]+)?,(n=([^,]+),r=([!-+\--~]+)(?:,.*)?)", re.DOTALL)
_SERVER_FIRST: Final = re.compile(rb"r=[!-+\--~]+,s=[0-9A-Za-z/+=]+,i=([1-9][0-9]{0,8})(?:,.*)?", re.DOTALL)
_STORED: Final = re.compile(
    r"\{(SCRAM-SHA-(?:1|256))\}([1-9][0-9]{0,6}),([0-9A-Za-z/+=]+),([0-9A-Za-z/+=]+),([0-9A-Za-z/+=]+)(?:[:,].*)?",
    re.DOTALL,
)
_KEY_BYTES: Final = {"SCRAM-SHA-1": 20, "SCRAM-SHA-256": 32}
_DECOY_SECRET: Final = secrets.token_bytes(32)
"""Makes the salts of unknown users, so that asking twice gives the same answer; new with each process."""

_CLIENT_GRAMMAR: Final = "a SCRAM client-first message: n,,n=user,r=nonce"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScramKeys:
    """What a server keeps: enough to check a client, not enough to be one.

    Attributes:
        mechanism: SCRAM-SHA-1 or SCRAM-SHA-256.
        iteration_count: Iterations (unit: 1).
        salt: Salt.
        stored_key: Hash of the client's key.
        server_key: The server's key.
    """

    mechanism: str
    iteration_count: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFirst:
    """The client's first message, taken apart.

    Attributes:
        gs2_header: Channel-binding flag, authzid and both commas.
        authcid: The user, ``=2C`` and ``=3D`` undone.
        nonce: The client's nonce.
    """

    gs2_header: str
    authcid: str
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScramProof:
    """A client's proof, which the exchange has checked already.

    Attributes:
        authcid: The user.
        is_right: Whether the proof was right.
    """

    authcid: str
    is_right: bool

    def matches(self, _account: Account) -> bool:
        """Say whether the proof was right."""
        return self.is_right

    def answer(self, _account: Account) -> bytes:
        """Return nothing: server-final is the exchange's."""
        return b""

    def fd3_fields(self) -> tuple[bytes, bytes]:
        """Raise: qmail-smtpd checks SCRAM itself."""
        raise MissingPartError("a checkpassword module for SCRAM", "Use the user table: qmail-smtpd asks no module.")


def is_available() -> bool:
    """Say whether scramp is installed."""
    from importlib.util import find_spec

    return find_spec("scramp") is not None


def _scramp() -> Any:
    try:
        return import_module("scramp")
    except ImportError:
        raise MissingPartError("scramp", "Install it with: pip install 'indimail-kit[lab]'.") from None


def make_keys(
    passwd: str,
    *,
    hash_name: str = "sha256",
    salt: bytes | None = None,
    iteration_count: int = ITERATION_COUNT,
) -> ScramKeys:
    """Derive the keys of a password.

    Raises:
        SaslError: The password is empty after SASLprep or holds what SASLprep forbids; or salt or count are too small.
        MissingPartError: scramp is not installed.

    Example:
        >>> keys = make_keys("pencil", hash_name="sha1", salt=framing.decode_base64(b"QSXCR+Q6sek8bf92"))
        >>> framing.encode_base64(keys.stored_key)
        '6dlGYMOdZcOPutkcNY8U2g7vK9Y='
    """
    name = MECHANISM_NAMES[hash_name]
    mechanism = _scramp().ScramMechanism(name)
    salt_octets = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    made = _quietly(
        lambda: mechanism.make_auth_info(passwd, iteration_count=iteration_count, salt=salt_octets),
        expected="a password that SASLprep takes, a salt from 12 octets and a count from 4096",
    )
    return ScramKeys(mechanism=name, iteration_count=made[3], salt=made[0], stored_key=made[1], server_key=made[2])


def encode_keys(keys: ScramKeys) -> str:
    """Return the stored form ``{SCRAM-SHA-256}count,salt,stored-key,server-key``."""
    parts = (framing.encode_base64(part) for part in (keys.salt, keys.stored_key, keys.server_key))
    return f"{{{keys.mechanism}}}{keys.iteration_count},{','.join(parts)}"


def decode_keys(text: str) -> ScramKeys:
    """Read the stored form; a clear password or a crypt(3) hash behind it is left alone.

    Raises:
        AccountError: The text is no such form, or a part has an impossible length.
    """
    match = _STORED.fullmatch(text)
    if match is not None:
        with suppress(SaslError):
            salt, stored_key, server_key = (framing.decode_base64(part.encode()) for part in match.group(3, 4, 5))
            count, size = int(match[2]), _KEY_BYTES[match[1]]
            if len(salt) >= 12 and len(stored_key) == len(server_key) == size and 4096 <= count <= MAX_ITERATION_COUNT:
                return ScramKeys(
                    mechanism=match[1],
                    iteration_count=count,
                    salt=salt,
                    stored_key=stored_key,
                    server_key=server_key,
                )
    raise AccountError("stored SCRAM keys that cannot be read")


def keys_of(account: Account | None, *, authcid: str, hash_name: str) -> ScramKeys:
    """Return the keys to check a user with: stored ones, else made from the clear password, else keys that fit nobody.

    Raises:
        AccountError: The stored keys cannot be read.
        MissingPartError: scramp is not installed.
    """
    name = MECHANISM_NAMES[hash_name]
    clear = account.passwd if account is not None else None
    salt = hmac.digest(_DECOY_SECRET, f"{name} {authcid}".encode("utf-8", "surrogatepass"), "sha256")[:SALT_BYTES]
    nobodys = secrets.token_hex()
    try:
        made = make_keys(clear or nobodys, hash_name=hash_name, salt=salt)
    except SaslError:  # SASLprep forbids this password, so no client can send it either
        made = make_keys(nobodys, hash_name=hash_name, salt=salt)
    for text in (account.scram, account.pw_passwd) if account is not None else ():
        if text.startswith(f"{{{name}}}"):
            return decode_keys(text)
    return made


def decode_client_first(octets: bytes) -> ClientFirst:
    """Read client-first, after Base64.

    Raises:
        SaslError: It breaks RFC 5802's grammar, or is not UTF-8.

    Example:
        >>> decode_client_first(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL").authcid
        'user'
    """
    match = _CLIENT_FIRST.fullmatch(octets)
    if match is None or b"=" in match[4].replace(b"=2C", b"").replace(b"=3D", b""):
        raise SaslError(_CLIENT_GRAMMAR)
    user = framing.decode_utf8(match[4].replace(b"=2C", b",").replace(b"=3D", b"="), expected=_CLIENT_GRAMMAR)
    header = framing.decode_utf8(octets[: match.start(3)], expected=_CLIENT_GRAMMAR)
    return ClientFirst(gs2_header=header, authcid=user, nonce=match[5].decode("ascii"))


def make_challenge(*, source: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
    """Return the server's part of the nonce, drawn anew for each exchange."""
    return framing.encode_base64(source(_NONCE_BYTES)).encode("ascii")


def serve(challenge: bytes, authority: Authority, *, hash_name: str) -> Generator[bytes, bytes, Judgement]:
    """Play the server: hear client-first, give salt and count, hear the proof, give one's own.

    Args:
        challenge: The server's part of the nonce.
        authority: Has the accounts.
        hash_name: "sha1" or "sha256".
    """
    octets = yield b""
    authcid = decode_client_first(octets).authcid
    keys = keys_of(authority.find(authcid), authcid=authcid, hash_name=hash_name)
    server = (
        _scramp()
        .ScramMechanism(MECHANISM_NAMES[hash_name])
        .make_server(
            lambda _user: (keys.salt, keys.stored_key, keys.server_key, keys.iteration_count),
            s_nonce=challenge.decode("ascii"),
        )
    )
    text = framing.decode_utf8(octets, expected=_CLIENT_GRAMMAR)
    _quietly(lambda: server.set_client_first(text), expected=f"{_CLIENT_GRAMMAR}, without authzid and channel binding")
    final = framing.decode_utf8((yield server.get_server_first().encode()), expected="a SCRAM client-final message")
    judgement = authority.judge(ScramProof(authcid=authcid, is_right=_is_right(server, final)))
    if judgement.ok:
        end = yield server.get_server_final().encode()
        if end:
            raise SaslError("an empty answer to SCRAM's server-final message")
    return judgement


def _is_right(server: Any, final: str) -> bool:
    """Give client-final to scramp; a wrong proof is False, a broken message raises SaslError."""
    code = ""
    try:
        server.set_client_final(final)
    except _scramp().ScramException as error:
        code = error.server_error.value if error.server_error is not None else "other-error"
    if code not in {"", "invalid-proof"}:
        raise SaslError("a SCRAM client-final message that goes with this exchange: c=biws,r=nonce,p=proof")
    return not code


class ScramClient:
    """The client's side, turn by turn.

    Args:
        authcid: The user.
        passwd: The clear password.
        hash_name: "sha1" or "sha256".
        nonce: The client's nonce, "" to have one drawn.

    Raises:
        SaslError: User or password are empty or hold what SASLprep forbids, or the nonce is none.
        MissingPartError: scramp is not installed.
    """

    def __init__(self, *, authcid: str, passwd: str, hash_name: str, nonce: str = "") -> None:
        if not authcid or not passwd:
            raise SaslError("a user and a password that are not empty")
        module = _scramp()
        drawn = nonce or make_challenge().decode("ascii")
        self._client = _quietly(
            lambda: module.ScramClient([MECHANISM_NAMES[hash_name]], authcid, passwd, c_nonce=drawn),
            expected="a user, a password and a nonce that SCRAM takes",
        )

    def first(self, _challenge: bytes) -> bytes:
        """Return client-first."""
        return str(_quietly(self._client.get_client_first, expected="the first turn")).encode()

    def final(self, challenge: bytes) -> bytes:
        """Hear server-first, return client-final.

        Raises:
            SaslError: The message is broken, has another nonce, or asks for too many iterations.
        """
        expected = f"a SCRAM server-first message: r=nonce,s=salt,i=count, at most {MAX_ITERATION_COUNT}"
        match = _SERVER_FIRST.fullmatch(challenge)
        if match is None or int(match[1]) > MAX_ITERATION_COUNT:
            raise SaslError(expected)
        text = framing.decode_utf8(challenge, expected=expected)
        _quietly(lambda: self._client.set_server_first(text), expected=expected)
        return str(_quietly(self._client.get_client_final, expected=expected)).encode()

    def check(self, challenge: bytes) -> bytes:
        """Hear server-final, return the empty answer.

        Raises:
            SaslError: The server did not prove that it knows the password.
        """
        expected = "a SCRAM server-final message with the right v=signature"
        text = framing.decode_utf8(challenge, expected=expected)
        _quietly(lambda: self._client.set_server_final(text), expected=expected)
        return b""


def _quietly(work: Callable[[], _T], *, expected: str) -> _T:
    """Run a step of scramp; what it raises becomes a SaslError that says only what was expected."""
    problem = _scramp().ScramException
    try:
        return work()
    except (problem, ValueError, KeyError, TypeError):
        pass  # left behind here: it may carry what was sent
    raise SaslError(expected)
