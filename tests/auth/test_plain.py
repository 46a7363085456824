"""PLAIN messages as RFC 4616 has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth import plain
from indimail_kit.auth.plain import PlainMessage
from indimail_kit.errors import SaslError

fields = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"\0tim\0tanstaaftanstaaf", PlainMessage(authcid="tim", passwd="tanstaaftanstaaf")),
        (b"Ursel\0Kurt\0xipj3plmq", PlainMessage(authzid="Ursel", authcid="Kurt", passwd="xipj3plmq")),
    ],
    ids=["tim", "Kurt for Ursel"],
)
def test_messages_of_rfc_4616_encode_and_decode(octets: bytes, message: PlainMessage) -> None:
    """The examples of RFC 4616 section 4 hold in both directions."""
    encoded = plain.encode_message(authcid=message.authcid, passwd=message.passwd, authzid=message.authzid)
    assert (plain.decode(octets), encoded) == (message, octets)


def test_message_of_rfc_4954_encodes() -> None:
    """The initial response of the example in RFC 4954 section 4.1 is the one we make."""
    assert plain.encode(authzid="test", authcid="test", passwd="1234") == "dGVzdAB0ZXN0ADEyMzQ="


def test_message_of_the_seed_encodes() -> None:
    """The Base64 text of the seed's tutorial is the one we make."""
    encoded = plain.encode(authcid="postmaster@example.com", passwd="pass")
    assert encoded == "AHBvc3RtYXN0ZXJAZXhhbXBsZS5jb20AcGFzcw=="


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\0",
        b"\0\0",
        b"tim",
        b"\0tim",
        b"\0tim\0",
        b"\0\0pass",
        b"tim\0pass",
        b"\0tim\0pass\0",
        b"\0tim\0pa\xffss",
    ],
)
def test_message_without_three_parts_is_refused(octets: bytes) -> None:
    """A missing part, one too many, an empty user or password, or octets that are not UTF-8 raise SaslError."""
    with pytest.raises(SaslError):
        plain.decode(octets)


@pytest.mark.parametrize("length", range(len(b"z\0tim\0pass") + 1))
def test_message_cut_anywhere_is_refused_or_a_shorter_password(length: int) -> None:
    """A message cut at any octet is refused, unless only the password got shorter."""
    octets = b"z\0tim\0pass"[:length]
    expected = octets[6:] if length > 6 else b"refused"
    assert passwd_of(octets) == expected


def passwd_of(octets: bytes) -> bytes:
    """Return the password of a message, or b"refused"."""
    try:
        return plain.decode(octets).passwd.encode()
    except SaslError:
        return b"refused"


@given(st.binary(max_size=40))
def test_any_octets_are_a_message_or_refused(octets: bytes) -> None:
    """Whatever comes: a password of the message, or SaslError and nothing else."""
    assert passwd_of(octets) in {octets.rpartition(b"\0")[2], b"refused"}


@given(authzid=fields, authcid=fields.filter(bool), passwd=fields.filter(bool))
def test_what_is_encoded_is_decoded(authzid: str, authcid: str, passwd: str) -> None:
    """Decoding undoes encoding, for any text without NUL."""
    octets = plain.encode_message(authzid=authzid, authcid=authcid, passwd=passwd)
    assert plain.decode(octets) == PlainMessage(authzid=authzid, authcid=authcid, passwd=passwd)


@pytest.mark.parametrize(
    ("authcid", "passwd", "authzid"),
    [
        ("", "pass", ""),
        ("tim", "", ""),
        ("t\0m", "pass", ""),
        ("tim", "p\0", ""),
        ("tim", "pass", "\0"),
        ("\ud800", "x", ""),
    ],
)
def test_fields_that_cannot_be_sent_are_refused(authcid: str, passwd: str, authzid: str) -> None:
    """Empty users and passwords, NUL and lone surrogates raise SaslError before anything is sent."""
    with pytest.raises(SaslError):
        plain.encode(authcid=authcid, passwd=passwd, authzid=authzid)
