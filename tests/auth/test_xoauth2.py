"""XOAUTH2: Google's example, and a server that refuses with a reason."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth import xoauth2
from indimail_kit.auth.smtp_auth import ClientExchange, ServerExchange
from indimail_kit.auth.stored import Account
from indimail_kit.errors import SaslError

GOOGLE = (
    "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cB"
    "AQ=="
)
TOKEN = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"
"""The example of Google's "OAuth 2.0 mechanism"."""

ACCOUNT = Account(address="someuser@example.com", pw_passwd=f"{{CRAM}}{TOKEN},")


def test_message_is_googles() -> None:
    """User and token of Google's example give Google's Base64, and come back from it."""
    message = xoauth2.decode(base64.b64decode(GOOGLE))
    assert (xoauth2.encode(authcid=message.authcid, token=message.token), message.token) == (GOOGLE, TOKEN)


def test_client_sends_it_at_once_and_gives_in() -> None:
    """The message goes behind AUTH; the reason of a refusal is answered with an empty line."""
    client = ClientExchange("XOAUTH2", authcid="someuser@example.com", passwd=TOKEN)
    assert (client.start(), client.feed("e30=")) == (GOOGLE, "")


@pytest.mark.parametrize("account", [None, ACCOUNT])
def test_server_refuses_every_token_with_a_reason(account: Account | None) -> None:
    """No table can check a token, also not one that looks like a password of its: 334 with JSON, then 535."""
    server = ServerExchange("XOAUTH2", lookup=lambda _authcid: account, host="mx1.example.com")
    reason = json.loads(server.start(GOOGLE.encode()).octets)
    assert (reason["status"], reason["scope"]) == ("401", "https://mx1.example.com/")
    assert server.feed(b"").line == "535 authorization failure (#5.7.8)"


@pytest.mark.parametrize(
    ("authcid", "token"), [("", "x"), ("a\x01b", "x"), ("a\0b", "x"), ("a", ""), ("a", "x y"), ("a", "é")]
)
def test_what_cannot_be_sent_is_refused(authcid: str, token: str) -> None:
    """An empty user, octets 0 and 1, and a token with blanks raise SaslError."""
    with pytest.raises(SaslError):
        xoauth2.encode(authcid=authcid, token=token)


@pytest.mark.parametrize("length", range(len(base64.b64decode(GOOGLE))))
def test_truncated_message_is_malformed(length: int) -> None:
    """Google's message cut anywhere raises SaslError."""
    with pytest.raises(SaslError):
        xoauth2.decode(base64.b64decode(GOOGLE)[:length])


@given(st.binary(max_size=60))
def test_any_octets_are_refused_or_malformed(octets: bytes) -> None:
    """Whatever a client sends, it does not get in."""
    server = ServerExchange("XOAUTH2", lookup=lambda _authcid: ACCOUNT)
    answer = server.start(base64.b64encode(octets) or b"=")
    last = server.feed(b"") if server.result is None else answer
    assert last.code in {501, 535}


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x01"), min_size=1),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
)
def test_message_comes_back(authcid: str, token: str) -> None:
    """Decoding undoes encoding."""
    message = xoauth2.decode(xoauth2.encode_message(authcid=authcid, token=token))
    assert (message.authcid, message.token) == (authcid, token)


def test_server_proves_nothing() -> None:
    """There is nothing that a server could prove to whoever sent a token."""
    assert xoauth2.decode(base64.b64decode(GOOGLE)).answer(ACCOUNT) == b""
