"""SCRAM: the exchanges of RFC 5802 and RFC 7677, stored keys, and the same work for everybody."""

from __future__ import annotations

import base64
import hashlib
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indimail_kit.auth import scram
from indimail_kit.auth.mechanisms import MECHANISMS
from indimail_kit.auth.scram import (
    ScramClient,
    decode_client_first,
    decode_keys,
    encode_keys,
    keys_of,
    make_keys,
)
from indimail_kit.auth.smtp_auth import ClientExchange, Reply, ServerExchange
from indimail_kit.auth.stored import Account
from indimail_kit.errors import AccountError, MissingPartError, SaslError

RFC = {
    "SCRAM-SHA-1": {
        "salt": "QSXCR+Q6sek8bf92",
        "client_nonce": "fyko+d2lbbFgONRv9qkxdawL",
        "server_nonce": "3rfcNHYJY1ZVvWVs7j",
        "client_first": b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        "server_first": b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "client_final": b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "server_final": b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    },
    "SCRAM-SHA-256": {
        "salt": "W22ZaJ0SNY7soEsUEjb6gQ==",
        "client_nonce": "rOprNGfwEbeRWgbNEkqO",
        "server_nonce": "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "client_first": b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        "server_first": b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "client_final": b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "server_final": b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    },
}
"""RFC 5802 section 5 and RFC 7677 section 3: user "user", password "pencil"."""


def b64(octets: bytes) -> bytes:
    """Return Base64 by the standard library."""
    return base64.b64encode(octets)


def account_of(mechanism: str, *, stored: bool = True) -> Account:
    """Return the RFC's user, with stored keys or with the clear password."""
    salt = base64.b64decode(RFC[mechanism]["salt"])
    keys = make_keys("pencil", hash_name=MECHANISMS[mechanism].hash_name, salt=salt)
    kept = {"pw_passwd": "*", "scram": encode_keys(keys)} if stored else {"pw_passwd": "{CRAM}pencil,"}
    return Account(address="user", **kept)


@pytest.mark.parametrize("mechanism", RFC)
def test_server_says_what_the_rfc_says(mechanism: str) -> None:
    """With the RFC's keys and nonce, server-first and server-final are the RFC's, and the client is in."""
    example = RFC[mechanism]
    server = ServerExchange(
        mechanism, lookup=lambda _user: account_of(mechanism), challenge=example["server_nonce"].encode()
    )
    first = server.start(b64(example["client_first"]))
    final = server.feed(b64(example["client_final"]))
    assert (first.octets, final.octets) == (example["server_first"], example["server_final"])
    assert server.feed(b"").line == "235 ok, go ahead (#2.0.0)"


@pytest.mark.parametrize("mechanism", RFC)
def test_client_says_what_the_rfc_says(mechanism: str) -> None:
    """With the RFC's nonce, client-first and client-final are the RFC's; the server's proof is taken."""
    example = RFC[mechanism]
    client = ClientExchange(mechanism, authcid="user", passwd="pencil", nonce=example["client_nonce"])
    said = [client.start(), client.feed(b64(example["server_first"])), client.feed(b64(example["server_final"]))]
    assert said == [b64(example["client_first"]).decode(), b64(example["client_final"]).decode(), ""]


@pytest.mark.parametrize("mechanism", RFC)
def test_client_does_not_believe_a_server_without_the_key(mechanism: str) -> None:
    """A server-final with another signature is answered with ``*``."""
    client = ClientExchange(mechanism, authcid="user", passwd="pencil", nonce=RFC[mechanism]["client_nonce"])
    client.start()
    client.feed(b64(RFC[mechanism]["server_first"]))
    assert (client.feed(b64(b"v=" + b64(b"x" * 20))), client.reason.startswith("a malformed")) == ("*", True)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize(("passwd", "code"), [("pencil", 235), ("Pencil", 535)])
@pytest.mark.parametrize("mechanism", RFC)
def test_keys_or_clear_password_will_do(mechanism: str, passwd: str, code: int, *, stored: bool) -> None:
    """The server checks from stored keys, or makes them from the clear password."""
    account = account_of(mechanism, stored=stored)
    assert played(ServerExchange(mechanism, lookup=lambda _user: account), mechanism, passwd).code == code


def played(server: ServerExchange, mechanism: str, passwd: str, authcid: str = "user") -> Reply:
    """Let our client talk to a server until the reply."""
    client = ClientExchange(mechanism, authcid=authcid, passwd=passwd)
    answer = server.start(client.start().encode())
    while not isinstance(answer, Reply):
        answer = server.feed(client.feed(answer.line.removeprefix("334 ")).encode())
    return answer


@pytest.mark.parametrize("pw_passwd", ["$6$saltstring$hash", "*", ""])
def test_user_without_keys_does_not_get_in(pw_passwd: str) -> None:
    """Where neither keys nor a clear password are kept, every proof is wrong."""
    account = Account(address="user", pw_passwd=pw_passwd)
    server = ServerExchange("SCRAM-SHA-256", lookup=lambda _user: account)
    assert played(server, "SCRAM-SHA-256", "pencil").code == 535


@pytest.mark.parametrize("account", [None, account_of("SCRAM-SHA-256"), account_of("SCRAM-SHA-256", stored=False)])
def test_same_work_whoever_asks(account: Account | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One derivation for an unknown user, for stored keys and for a clear password."""
    made: list[int] = []
    real = hashlib.pbkdf2_hmac

    def pbkdf2_hmac(name: str, passwd: bytes, salt: bytes, count: int) -> bytes:
        made.append(count)
        return real(name, passwd, salt, count)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", pbkdf2_hmac)
    keys_of(account, authcid="user", hash_name="sha256")
    assert made == [4096]


def test_unknown_user_has_a_salt_of_his_own_that_stays() -> None:
    """Asked twice, an unknown user has the same salt; another has another, of the same length as a real one."""
    first, again, other = (keys_of(None, authcid=name, hash_name="sha256").salt for name in ("a", "a", "b"))
    assert (first == again, first == other, len(first)) == (True, False, len(make_keys("x").salt))


def test_keys_are_stored_as_indimail_does() -> None:
    """The example of get_scram_secrets.c is read, with and without what stands behind the keys."""
    stored = (
        "{SCRAM-SHA-256}4096,GppkE9F92zRciuyk,n9boN+EV/P7i+Uxn063JLcppQnyOrIktX81FCy8iibk=,"
        "cVjrqEdR7DuGDAwKMLrn6YOp5Z4w7zOBjrxo+1mGmfE="
    )
    keys = decode_keys(stored)
    derived = make_keys("pass", salt=keys.salt, iteration_count=keys.iteration_count)
    assert (derived, encode_keys(keys)) == (keys, stored)
    assert decode_keys(f"{stored}:86e346:pass,$1$GsamfuEK$eSxzR6dswY.kaNTtPNi5c1") == keys


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{SCRAM-SHA-256}",
        "{SCRAM-SHA-256}4096,GppkE9F92zRciuyk,eA==,eA==",
        "{SCRAM-SHA-256}0,GppkE9F92zRciuyk," + "A" * 43 + "=," + "A" * 43 + "=",
        "{SCRAM-SHA-256}9999999,GppkE9F92zRciuyk," + "A" * 43 + "=," + "A" * 43 + "=",
        "{SCRAM-SHA-256}4096,eA==," + "A" * 43 + "=," + "A" * 43 + "=",
        "{SCRAM-SHA-512}4096,GppkE9F92zRciuyk," + "A" * 43 + "=," + "A" * 43 + "=",
        "{SCRAM-SHA-256}4096,Gpp,n9b,cVj",
    ],
)
def test_stored_keys_that_are_none_are_refused(text: str) -> None:
    """Wrong lengths, counts and characters raise AccountError."""
    with pytest.raises(AccountError):
        decode_keys(text)


def test_stored_keys_that_cannot_be_read_are_temporary() -> None:
    """A broken row is 454, with the user in the result."""
    account = Account(address="user", pw_passwd="*", scram="{SCRAM-SHA-256}broken")
    server = ServerExchange("SCRAM-SHA-256", lookup=lambda _user: account)
    reply = server.start(b64(b"n,,n=user,r=abc"))
    assert (reply.line, server.result.authcid) == ("454 temporary authentication failure (#4.3.0)", "user")


@pytest.mark.parametrize(
    ("octets", "authcid"),
    [
        (b"n,,n=user,r=abc", "user"),
        (b"y,,n=user,r=abc", "user"),
        (b"n,a=other,n=user,r=abc", "user"),
        (b"p=tls-unique,,n=user,r=abc", "user"),
        (b"n,,n=a=2Cb=3Dc,r=abc,x=ext", "a,b=c"),
        ("n,,n=jürgen,r=abc".encode(), "jürgen"),
    ],
)
def test_client_first_is_taken_apart(octets: bytes, authcid: str) -> None:
    """Header, user and nonce of RFC 5802's grammar."""
    message = decode_client_first(octets)
    assert (message.authcid, message.nonce, message.gs2_header) == (authcid, "abc", octets.partition(b"n=")[0].decode())


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"n",
        b"q,,n=x,r=y",
        b"n,n=user,r=abc",
        b"n,,r=abc,n=user",
        b"n,,n=,r=abc",
        b"n,,n=user,r=",
        b"n,,n=us=er,r=abc",
        b"n,,n=us=2cer,r=abc",
        b"n,,n=\xff,r=abc",
        b"n,,n=user,r=a bc",
    ],
)
def test_client_first_that_is_none_is_malformed(octets: bytes) -> None:
    """What breaks the grammar raises SaslError, and is 501."""
    with pytest.raises(SaslError):
        decode_client_first(octets)
    assert ServerExchange("SCRAM-SHA-256", lookup=lambda _user: None).start(b64(octets) or b"=").code == 501


@pytest.mark.parametrize("octets", [b"p=tls-unique,,n=user,r=abc", b"n,a=other,n=user,r=abc", b"n,,n=user,r=abc,m=x"])
def test_what_scramp_cannot_do_is_malformed(octets: bytes) -> None:
    """Channel binding without TLS, an authzid and a mandatory extension are refused."""
    assert ServerExchange("SCRAM-SHA-256", lookup=lambda _user: None).start(b64(octets)).code == 501


@pytest.mark.parametrize(
    "final",
    [
        b"",
        b"QUIT",
        b"c=biws,r=other,p=eA==",
        b"c=eSws,r={nonce},p=eA==",
        b"c=biws,r={nonce}",
        b"\xff",
        b"c=!,r={nonce},p=x",
    ],
)
def test_client_final_that_is_none_is_malformed(final: bytes) -> None:
    """Another nonce, another header, a missing proof, octets that are not UTF-8: 501."""
    server = ServerExchange("SCRAM-SHA-256", lookup=lambda _user: None, challenge=b"xyz")
    server.start(b64(b"n,,n=user,r=abc"))
    assert server.feed(b64(final.replace(b"{nonce}", b"abcxyz"))).code == 501


@pytest.mark.parametrize("proof", [b"eA==", b64(b"x" * 32)])
def test_wrong_proof_is_a_wrong_password(proof: bytes) -> None:
    """A proof of any length that is not the right one is 535."""
    server = ServerExchange("SCRAM-SHA-256", lookup=lambda _u: account_of("SCRAM-SHA-256"), challenge=b"xyz")
    server.start(b64(b"n,,n=user,r=abc"))
    assert server.feed(b64(b"c=biws,r=abcxyz,p=" + proof)).code == 535


def test_octets_after_the_servers_proof_are_malformed() -> None:
    """server-final is answered with an empty line, and nothing else."""
    example = RFC["SCRAM-SHA-1"]
    server = ServerExchange(
        "SCRAM-SHA-1", lookup=lambda _u: account_of("SCRAM-SHA-1"), challenge=example["server_nonce"].encode()
    )
    server.start(b64(example["client_first"]))
    server.feed(b64(example["client_final"]))
    assert server.feed(b"eA==").code == 501


def test_proof_heard_once_opens_no_second_session() -> None:
    """Replayed against 1,000 fresh exchanges, the RFC's messages are accepted 0 times."""
    example = RFC["SCRAM-SHA-1"]
    account = account_of("SCRAM-SHA-1")
    exchanges = [ServerExchange("SCRAM-SHA-1", lookup=lambda _user: account) for _ in range(1000)]
    for exchange in exchanges:
        exchange.start(b64(example["client_first"]))
    assert {exchange.feed(b64(example["client_final"])).code for exchange in exchanges} == {501}


@pytest.mark.parametrize(
    "server_first",
    [
        b"",
        b"r=other,s=QSXCR+Q6sek8bf92,i=4096",
        b"r=abc,s=QSXCR+Q6sek8bf92,i=4096",
        b"r=abcx,s=QSXCR+Q6sek8bf92,i=4095",
        b"r=abcx,s=QSXCR+Q6sek8bf92,i=1000001",
        b"r=abcx,s=QSXCR+Q6sek8bf92,i=999999999",
        b"r=abcx,s=eA==,i=4096",
        b"r=abcx,s=!!!!,i=4096",
        b"e=unknown-user",
        b"r=abcx,s=QSXCR+Q6sek8bf92",
        b"\xff",
    ],
)
def test_server_first_that_is_none_is_refused(server_first: bytes) -> None:
    """Another nonce, a weak salt or count, or a count that would take minutes, raise SaslError at once."""
    client = ScramClient(authcid="user", passwd="pencil", hash_name="sha256", nonce="abc")
    client.first(b"")
    with pytest.raises(SaslError):
        client.final(server_first)


@pytest.mark.parametrize(
    ("authcid", "passwd", "nonce"),
    [
        ("", "x", ""),
        ("x", "", ""),
        ("\u0007", "x", ""),
        ("x", "\u0007", ""),
        ("x", "\u00ad", "a,b"),
        ("\ud800", "x", ""),
    ],
)
def test_client_that_cannot_work_is_refused_at_once(authcid: str, passwd: str, nonce: str) -> None:
    """What is empty, what SASLprep forbids, and a nonce with a comma raise SaslError."""
    with pytest.raises(SaslError):
        ScramClient(authcid=authcid, passwd=passwd, hash_name="sha256", nonce=nonce)


def test_passwords_are_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """SASLprep: the Roman numeral four and its letters are one password (RFC 4013)."""
    salt = b"123456789012"
    assert make_keys("\u2168", salt=salt) == make_keys("IX", salt=salt)


def test_clear_password_that_saslprep_forbids_opens_nothing() -> None:
    """A stored clear password that no SCRAM client can send is like none."""
    account = Account(address="user", pw_passwd="{CRAM}\u0007,")
    server = ServerExchange("SCRAM-SHA-256", lookup=lambda _user: account)
    assert played(server, "SCRAM-SHA-256", "pencil").code == 535


def test_missing_scramp_is_named_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without scramp MissingPartError says how to install it."""
    monkeypatch.setitem(sys.modules, "scramp", None)
    with pytest.raises(MissingPartError, match="pip install"):
        make_keys("x")


def test_no_module_is_asked_for_scram() -> None:
    """qmail-smtpd calls no checkpassword module for SCRAM."""
    with pytest.raises(MissingPartError):
        scram.ScramProof(authcid="x", is_right=True).fd3_fields()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=3))
def test_any_octets_end_in_a_reply(lines: list[bytes]) -> None:
    """Whatever a client sends, it hears 334, 501 or 535, and never gets in."""
    server = ServerExchange("SCRAM-SHA-256", lookup=lambda _user: None)
    codes = [server.start().code, *(server.feed(b64(line)).code for line in lines if server.result is None)]
    assert set(codes) <= {334, 501, 535}


@pytest.mark.parametrize("length", range(len(RFC["SCRAM-SHA-256"]["client_final"])))
def test_truncated_client_final_never_gets_in(length: int) -> None:
    """The RFC's message cut anywhere is malformed or a wrong proof."""
    example = RFC["SCRAM-SHA-256"]
    account = account_of("SCRAM-SHA-256")
    server = ServerExchange("SCRAM-SHA-256", lookup=lambda _user: account, challenge=example["server_nonce"].encode())
    server.start(b64(example["client_first"]))
    assert server.feed(b64(example["client_final"][:length])).code in {501, 535}


@pytest.mark.parametrize("length", range(len(RFC["SCRAM-SHA-256"]["server_first"])))
def test_truncated_server_first_is_answered_or_refused(length: int) -> None:
    """The RFC's server-first cut anywhere gives a client-final with the full nonce, or ``*``."""
    example = RFC["SCRAM-SHA-256"]
    client = ClientExchange("SCRAM-SHA-256", authcid="user", passwd="pencil", nonce=example["client_nonce"])
    client.start()
    said = client.feed(b64(example["server_first"][:length]))
    assert said == "*" or example["server_nonce"].encode() in base64.b64decode(said)
