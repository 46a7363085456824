"""DIGEST-MD5: both examples of RFC 2831, its grammar, and nothing but a reply for any octets."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth import digest_md5
from indimail_kit.auth.digest_md5 import (
    DigestResponse,
    decode_challenge,
    decode_response,
    digest,
    encode_response,
    is_rspauth,
    make_challenge,
    make_nonce,
    parse_directives,
    respond,
)
from indimail_kit.auth.smtp_auth import ClientExchange, ServerExchange
from indimail_kit.auth.stored import Account
from indimail_kit.errors import SaslError

IMAP_CHALLENGE = b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8'
IMAP_RESPONSE = (
    b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,'
    b'cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",'
    b"response=d388dad90d4bbd760a152321f2143af7,qop=auth"
)
ACAP_CHALLENGE = b'realm="elwood.innosoft.com",nonce="OA9BSXrbuRhWay",qop="auth",algorithm=md5-sess,charset=utf-8'
ACAP_RESPONSE = (
    b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA9BSXrbuRhWay",nc=00000001,'
    b'cnonce="OA9BSuZWMSpW8m",digest-uri="acap/elwood.innosoft.com",'
    b"response=6084c6db3fede7352c551284490fd0fc,qop=auth"
)
EXAMPLES = {
    "imap": (IMAP_CHALLENGE, IMAP_RESPONSE, b"rspauth=ea40f60335c427b5527b84dbabcdfffd"),
    "acap": (ACAP_CHALLENGE, ACAP_RESPONSE, b"rspauth=2f0b3d7c3c2e486600ef710726aa2eae"),
}
"""RFC 2831 section 4: both sessions of "chris" with the password "secret"."""

CHRIS = Account(address="chris", pw_passwd="{CRAM}secret,")


@pytest.mark.parametrize("service", EXAMPLES)
def test_client_answers_as_in_the_rfc(service: str) -> None:
    """Given challenge, user, password and cnonce of the examples, our directives are those of the RFC, in any order."""
    challenge, response, _rspauth = EXAMPLES[service]
    cnonce = decode_response(response).cnonce
    ours = respond(challenge, authcid="chris", passwd="secret", cnonce=cnonce, service=service)
    assert parse_directives(encode_response(ours)) == parse_directives(response)


@pytest.mark.parametrize("service", EXAMPLES)
def test_server_believes_the_rfc_and_answers_as_it(service: str) -> None:
    """The responses of the examples match the password, and rspauth is the RFC's."""
    _challenge, response, rspauth = EXAMPLES[service]
    proof = decode_response(response)
    assert (proof.matches(CHRIS), b"rspauth=" + proof.answer(CHRIS)) == (True, rspauth)


@pytest.mark.parametrize("suffix", [b"", b"\0"])
def test_client_knows_the_servers_proof(suffix: bytes) -> None:
    """Rspauth is checked; qmail-smtpd's NUL behind it is allowed."""
    proof = decode_response(IMAP_RESPONSE)
    right, wrong = EXAMPLES["imap"][2] + suffix, EXAMPLES["acap"][2] + suffix
    assert (is_rspauth(right, proof, passwd="secret"), is_rspauth(wrong, proof, passwd="secret")) == (True, False)


def test_challenge_has_the_recorded_form() -> None:
    """Realm, nonce, qop and algorithm stand as in qmail-smtpd's challenge, and the nonce is new each time."""
    nonces = {decode_challenge(make_challenge(host="mx1.indikit.test")).nonce for _ in range(50)}
    lengths = {len(base64.b64decode(nonce)) for nonce in nonces}
    assert (len(nonces), lengths) == (50, {40})
    assert make_challenge(host="h", nonce="n") == b'realm="h",nonce="n",qop="auth",algorithm=md5-sess'


@pytest.mark.parametrize("host", ["", 'a"b', "a\\b", "a b", "ä"])
def test_host_that_would_break_the_challenge_is_refused(host: str) -> None:
    """What needs quoting is not put into a challenge."""
    with pytest.raises(SaslError):
        make_challenge(host=host)


def test_nonce_is_hexadecimal_digits_in_base64() -> None:
    """The nonce has qmail-smtpd's form."""
    assert base64.b64decode(make_nonce(source=bytes)) == b"00" * 20


def server(account: Account | None = CHRIS, *, challenge: bytes = IMAP_CHALLENGE) -> ServerExchange:
    """Return an exchange that has begun."""
    exchange = ServerExchange("DIGEST-MD5", lookup=lambda _authcid: account, challenge=challenge)
    exchange.start()
    return exchange


def smtp_response(**changes: str) -> bytes:
    """Return the right response to IMAP_CHALLENGE for smtp, changed afterwards."""
    right = respond(IMAP_CHALLENGE, authcid="chris", passwd="secret", cnonce="c")
    return base64.b64encode(encode_response(replace(right, **changes)))


def test_right_digest_is_answered_with_a_proof_and_235() -> None:
    """After rspauth the client says nothing, and is in."""
    exchange = server()
    proof = exchange.feed(smtp_response())
    assert (proof.octets[:8], exchange.feed(b"").code) == (b"rspauth=", 235)


def test_proof_is_answered_with_nothing() -> None:
    """Octets in the answer to rspauth are malformed (RFC 4954: an empty response)."""
    exchange = server()
    exchange.feed(smtp_response())
    assert exchange.feed(b"eA==").code == 501


@pytest.mark.parametrize("account", [None, replace(CHRIS, pw_passwd="{CRAM}other,"), replace(CHRIS, pw_passwd="*")])
def test_wrong_digest_gets_no_proof(account: Account | None) -> None:
    """Unknown user, other password, no clear password: 535 at once, nothing that tells them apart."""
    assert server(account).feed(smtp_response()).line == "535 authorization failure (#5.7.8)"


def test_digest_of_the_empty_password_opens_nothing() -> None:
    """Where no clear password is kept, a response made with an empty one is wrong."""
    blank = respond(IMAP_CHALLENGE, authcid="chris", passwd="secret", cnonce="c")
    forged = replace(blank, response=digest(blank, passwd=""))
    exchange = server(replace(CHRIS, pw_passwd="*"))
    assert exchange.feed(base64.b64encode(encode_response(forged))).code == 535


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "other"},
        {"realm": "other"},
        {"digest_uri": "imap/elwood.innosoft.com"},
        {"nc": "00000002"},
        {"qop": "auth-int"},
        {"response": "D388DAD90D4BBD760A152321F2143AF7"},
        {"response": "d388"},
        {"authcid": ""},
        {"cnonce": ""},
    ],
)
def test_response_that_is_not_to_this_challenge_is_malformed(changes: dict[str, str]) -> None:
    """Another nonce, realm, service, count or protection, upper-case digits, an empty field: 501."""
    assert server().feed(smtp_response(**changes)).code == 501


def test_response_heard_once_opens_no_second_session() -> None:
    """Replayed against 1,000 fresh exchanges, a response is accepted 0 times."""
    heard = smtp_response()
    exchanges = [ServerExchange("DIGEST-MD5", lookup=lambda _authcid: CHRIS, host="h") for _ in range(1000)]
    for exchange in exchanges:
        exchange.start()
    assert [exchange.feed(heard).code for exchange in exchanges] == [501] * 1000


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"nonce=x",
        b'algorithm=md5-sess,qop="auth"',
        b"nonce=x,algorithm=md5",
        b'nonce=x,algorithm=md5-sess,qop="auth-int"',
        b"nonce=x,nonce=y,algorithm=md5-sess",
        b"nonce=x,algorithm=md5-sess,charset=latin-1",
        b'nonce="x,algorithm=md5-sess',
        b"nonce=x algorithm=md5-sess",
        b"nonce=x,algorithm=md5-sess,realm=\xff",
        b"nonce=" + b"x" * 2048 + b",algorithm=md5-sess",
    ],
)
def test_challenge_that_is_none_is_refused(challenge: bytes) -> None:
    """Missing, doubled and foreign directives, and more than 2048 octets, raise SaslError."""
    with pytest.raises(SaslError):
        respond(challenge, authcid="chris", passwd="secret")


def test_challenge_without_realm_is_answered_without_one() -> None:
    """The realm may be missing; digest-uri then has the host that the client knows."""
    ours = respond(b"nonce=x,algorithm=md5-sess", authcid="u", passwd="p", host="mx1.example.com", cnonce="c")
    assert (ours.realm, ours.digest_uri, b"realm" in encode_response(ours)) == ("", "smtp/mx1.example.com", False)


@pytest.mark.parametrize(("authcid", "passwd"), [("", "x"), ("x", ""), ("a\0b", "x"), ("x", "\ud800")])
def test_user_that_cannot_be_sent_is_refused(authcid: str, passwd: str) -> None:
    """An empty field, NUL or a lone surrogate raises SaslError."""
    with pytest.raises(SaslError):
        respond(IMAP_CHALLENGE, authcid=authcid, passwd=passwd)


def test_user_outside_of_latin1_needs_utf8() -> None:
    """Without charset=utf-8 in the challenge only ISO 8859-1 can be written."""
    ours = respond(b"nonce=x,algorithm=md5-sess", authcid="łukasz", passwd="p", cnonce="c")
    with pytest.raises(SaslError):
        encode_response(ours)


def test_latin1_user_is_hashed_as_latin1_in_either_charset() -> None:
    """RFC 2831 section 2.1.2.1: what ISO 8859-1 can write is hashed so, even when it was sent in UTF-8."""
    example = DigestResponse(authcid="jürgen", realm="r", nonce="n", cnonce="c", digest_uri="smtp/r")
    assert digest(example, passwd="x") == digest(replace(example, is_utf8=True), passwd="x")


def test_authzid_and_integrity_are_hashed() -> None:
    """Authzid goes into A1 and a qop other than auth into A2, so both change the digest."""
    example = DigestResponse(authcid="u", realm="r", nonce="n", cnonce="c", digest_uri="smtp/r")
    changed = [example, replace(example, authzid="z"), replace(example, qop="auth-int")]
    assert len({digest(response, passwd="x") for response in changed}) == 3


field = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


@given(authcid=field, realm=field, authzid=st.one_of(st.just(""), field))
def test_response_comes_back(authcid: str, realm: str, authzid: str) -> None:
    """Whatever user, realm and authzid, quotation marks and backslashes included, decoding undoes encoding."""
    response = DigestResponse(
        authcid=authcid,
        realm=realm,
        nonce="n",
        cnonce="c",
        digest_uri="smtp/h",
        response="0" * 32,
        authzid=authzid,
        is_utf8=True,
    )
    assert decode_response(encode_response(response)) == response


@given(st.binary(max_size=80))
def test_any_octets_are_a_response_or_malformed(octets: bytes) -> None:
    """Whatever arrives, the decoders give a value or SaslError."""
    assert outcome(decode_response, octets) in {"value", "SaslError"}
    assert outcome(decode_challenge, octets) in {"value", "SaslError"}


def outcome(decode: object, octets: bytes) -> str:
    """Return what came of decoding."""
    try:
        decode(octets)
    except SaslError:
        return "SaslError"
    return "value"


@pytest.mark.parametrize("length", range(len(IMAP_RESPONSE)))
def test_truncated_response_is_never_another_right_one(length: int) -> None:
    """The RFC's response cut anywhere is malformed, or still the RFC's (the last directive is the default)."""
    try:
        decoded = decode_response(IMAP_RESPONSE[:length])
    except SaslError:
        return
    assert decoded == decode_response(IMAP_RESPONSE)


@pytest.mark.parametrize("length", range(len(IMAP_CHALLENGE)))
def test_truncated_challenge_is_read_or_refused(length: int) -> None:
    """The RFC's challenge cut anywhere gives a challenge with its nonce, or SaslError."""
    nonce = "OA6MG9tEQGm2hh"
    try:
        nonce = decode_challenge(IMAP_CHALLENGE[:length]).nonce
    except SaslError:
        return
    assert nonce == "OA6MG9tEQGm2hh"


def test_over_long_response_is_refused() -> None:
    """More than 4096 octets are not read (RFC 2831 section 2.1.2)."""
    long_one = IMAP_RESPONSE.replace(b"chris", b"c" * digest_md5.MAX_RESPONSE_BYTES)
    with pytest.raises(SaslError, match="at most 4096"):
        decode_response(long_one)


def test_two_realms_in_a_response_are_malformed() -> None:
    """A challenge may offer several realms, a response has one."""
    with pytest.raises(SaslError, match="one realm"):
        decode_response(IMAP_RESPONSE + b',realm="other"')


def test_client_does_not_believe_a_server_without_the_password() -> None:
    """A wrong rspauth is answered with ``*``."""
    client = ClientExchange("DIGEST-MD5", authcid="chris", passwd="secret")
    client.start()
    client.feed(base64.b64encode(IMAP_CHALLENGE))
    assert (client.feed(base64.b64encode(b"rspauth=" + b"0" * 32)), "rspauth" in client.reason) == ("*", True)
