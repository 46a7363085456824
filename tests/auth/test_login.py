"""LOGIN: two prompts, two answers."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth import login
from indimail_kit.auth.login import LoginMessages
from indimail_kit.errors import SaslError

fields = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


def test_prompts_are_those_of_the_recorded_server() -> None:
    """The prompts are the octets behind qmail-smtpd's two 334 replies."""
    prompts = [login.USERNAME_PROMPT, login.PASSWORD_PROMPT]
    assert prompts == [base64.b64decode(text) for text in ("VXNlcm5hbWU6", "UGFzc3dvcmQ6")]


def test_answers_of_the_seed_encode() -> None:
    """The two Base64 texts of the seed's tutorial are those we make."""
    answers = login.encode(authcid="postmaster@example.com", passwd="pass")
    assert answers == ("cG9zdG1hc3RlckBleGFtcGxlLmNvbQ==", "cGFzcw==")


@given(authcid=fields, passwd=fields)
def test_what_is_encoded_is_decoded(authcid: str, passwd: str) -> None:
    """Decoding undoes encoding, for any text without NUL."""
    user, secret = (base64.b64decode(answer) for answer in login.encode(authcid=authcid, passwd=passwd))
    assert login.decode(user, secret) == LoginMessages(authcid=authcid, passwd=passwd)


@pytest.mark.parametrize(
    ("user", "passwd"), [(b"", b"x"), (b"x", b""), (b"a\0b", b"x"), (b"x", b"a\0b"), (b"\xff", b"x"), (b"x", b"\xff")]
)
def test_answers_that_are_empty_or_no_text_are_refused(user: bytes, passwd: bytes) -> None:
    """An empty answer, a NUL, or octets that are not UTF-8 raise SaslError."""
    with pytest.raises(SaslError):
        login.decode(user, passwd)


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_any_octets_are_answers_or_refused(user: bytes, passwd: bytes) -> None:
    """Whatever comes: the two texts, or SaslError and nothing else."""
    assert texts_of(user, passwd) in {(user, passwd), None}


def texts_of(user: bytes, passwd: bytes) -> tuple[bytes, bytes] | None:
    """Return both answers as decoded and encoded again, or None where they are refused."""
    try:
        messages = login.decode(user, passwd)
    except SaslError:
        return None
    return messages.authcid.encode(), messages.passwd.encode()


@pytest.mark.parametrize(("authcid", "passwd"), [("", "x"), ("x", ""), ("a\0", "x"), ("x", "a\0"), ("\ud800", "x")])
def test_fields_that_cannot_be_sent_are_refused(authcid: str, passwd: str) -> None:
    """Empty fields, NUL and lone surrogates raise SaslError before anything is sent."""
    with pytest.raises(SaslError):
        login.encode(authcid=authcid, passwd=passwd)
