"""The faults one by one; whole dialogues are in tests/conformance/test_auth_vectors.py."""

from __future__ import annotations

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth import framing
from indimail_kit.auth.indimail_bugs import decode_base64
from indimail_kit.auth.mechanisms import MECHANISMS
from indimail_kit.auth.replies import OUT_OF_MEMORY, SILENCE, EndExchangeError, Reply
from indimail_kit.auth.smtp_auth import ClientExchange, ServerExchange
from indimail_kit.auth.stored import Account

TIM = Account(address="tim", pw_passwd="{CRAM}tanstaaftanstaaf,")


def b64(octets: bytes) -> bytes:
    """Return Base64 by the standard library."""
    return base64.b64encode(octets)


def server(mechanism: str, initial_response: bytes | None = None) -> tuple[ServerExchange, Reply]:
    """Return a faulty server that has begun, and its first answer."""
    exchange = ServerExchange(
        mechanism,
        lookup=lambda authcid: TIM if authcid == "tim" else None,
        initial_response=initial_response,
        challenge=b"<1.1@h>" if mechanism.startswith("CRAM") else None,
        indimail_bugs=True,
    )
    return exchange, exchange.start()


@given(st.binary(max_size=40))
def test_right_base64_is_decoded_rightly(octets: bytes) -> None:
    """For Base64 that is none, the faulty decoder does what the strict one does."""
    assert decode_base64(b64(octets)) == framing.decode_base64(b64(octets)) == octets


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        (b"!!!notb64", bytes.fromhex("000027a2d6fa")),
        (b"abc", b""),
        (b"QUIT", bytes.fromhex("414213")),
        (b"abcd=", b"i\xb7"),
        (b"ab=c", bytes.fromhex("69b01c")),
        (b"", b""),
    ],
)
def test_garbage_is_decoded_as_recorded(text: bytes, octets: bytes) -> None:
    """The first three are what the recorded server wrote on fd 3; the others follow b64decode()."""
    assert decode_base64(text) == octets


@pytest.mark.parametrize("text", [b"=", b"====", b"a=", b"ab="])
def test_too_much_padding_is_a_lack_of_memory(text: bytes) -> None:
    """A negative length: 451, and the connection closes."""
    exchange, _challenge = server("PLAIN")
    assert exchange.feed(text) == OUT_OF_MEMORY


@given(st.binary(max_size=40))
def test_any_line_is_decoded_or_a_lack_of_memory(text: bytes) -> None:
    """Whatever arrives is taken for Base64."""
    assert decoded_or_reply(text) is OUT_OF_MEMORY or len(decoded_or_reply(text)) <= len(text) * 3 // 4


def decoded_or_reply(text: bytes) -> bytes | Reply:
    """Return what the decoder gives, or the reply with which it ends the exchange."""
    try:
        return decode_base64(text)
    except EndExchangeError as end:
        return end.reply


@pytest.mark.parametrize("mechanism", [name for name in MECHANISMS if MECHANISMS[name].is_available])
def test_cancelling_is_answered_twice(mechanism: str) -> None:
    """501 and 454 follow a single ``*``, whatever the mechanism."""
    exchange, _challenge = server(mechanism)
    assert [line[:3] for line in exchange.feed(b"*").lines] == ["501", "454"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\0tim\0tanstaaftanstaaf", 235),
        (b"zid\0tim\0tanstaaftanstaaf\0more", 235),
        (b"\0tim\0", 501),
        (b"tim", 501),
        (b"\0\xff\0x", 535),
    ],
)
def test_plain_is_read_as_c_strings(message: bytes, code: int) -> None:
    """What is behind a third NUL is dropped, octets that are not UTF-8 are somebody unknown."""
    _exchange, answer = server("PLAIN", b64(message))
    assert answer.code == code


def test_nul_in_a_login_moves_the_fields() -> None:
    """A user with NUL ends there for the checker, and the password begins behind it, as on the recorded fd 3."""
    exchange, _prompt = server("LOGIN", b64(b"tim\0tanstaaftanstaaf"))
    assert exchange.feed(b64(b"ignored")).code == 235


@pytest.mark.parametrize("tail", [b"", b"\0anything"])
def test_cram_response_ends_at_a_nul(tail: bytes) -> None:
    """The digest is a C string."""
    digest = hmac.new(b"tanstaaftanstaaf", b"<1.1@h>", "md5").hexdigest().encode()
    exchange, _challenge = server("CRAM-MD5")
    assert exchange.feed(b64(b"tim  " + digest + tail)).code == 235


def test_wrong_digest_md5_is_answered_with_silence() -> None:
    """The connection closes without a word; the strict server says 535."""
    exchange, challenge = server("DIGEST-MD5")
    nonce = challenge.octets.split(b'nonce="')[1].partition(b'"')[0].decode()
    text = f'username="tim",realm="localhost",nonce="{nonce}",cnonce="c",nc=00000001,qop=auth,digest-uri="smtp/h",'
    answer = exchange.feed(b64((text + "response=" + "0" * 32).encode()))
    assert (answer, answer.lines, answer.line, exchange.result.reason) == (SILENCE, (), "", "a wrong password")


@pytest.mark.parametrize(
    ("first", "begin"),
    [
        (b"q,,n=x,r=y", "535 535 malformed SCRAM message (#5.7.1)"),
        (b"n", "535 535 malformed SCRAM message (#5.7.1)"),
        (b"p=tls-unique,,n=x,r=y", "535 client requires channel binding"),
    ],
)
def test_malformed_scram_is_answered_twice(first: bytes, begin: str) -> None:
    """The fault by name, and then 535 like any failure."""
    exchange, _challenge = server("SCRAM-SHA-256")
    lines = exchange.feed(b64(first)).lines
    assert (lines[0].startswith(begin), lines[1:]) == (True, ("535 authorization failure (#5.7.8)",))


def test_scram_works_and_takes_no_initial_response() -> None:
    """The initial response is not looked at; a right client gets in all the same."""
    exchange, answer = server("SCRAM-SHA-256", b"!!!")
    client = ClientExchange("SCRAM-SHA-256", authcid="tim", passwd="tanstaaftanstaaf", sends_initial_response=False)
    client.start()
    while not isinstance(answer, Reply):
        answer = exchange.feed(client.feed(answer.line.removeprefix("334 ")).encode())
    assert answer.code == 235


def test_bugs_are_off_by_default() -> None:
    """Without the switch one reply follows a cancellation."""
    exchange = ServerExchange("PLAIN", lookup=lambda _authcid: None)
    exchange.start()
    assert len(exchange.feed(b"*").lines) == 1


@given(
    st.sampled_from([name for name in MECHANISMS if MECHANISMS[name].is_available]),
    st.lists(st.binary(max_size=40), max_size=4),
)
def test_any_lines_end_in_a_reply_of_the_recorded_server(mechanism: str, lines: list[bytes]) -> None:
    """Whatever a client sends, nobody gets in, and every code is one that qmail-smtpd has."""
    exchange = ServerExchange(mechanism, lookup=lambda _authcid: None, indimail_bugs=True)
    codes = [exchange.start().code, *(exchange.feed(line).code for line in lines if exchange.result is None)]
    assert set(codes) <= {0, 334, 451, 500, 501, 535}


def test_digest_with_another_nonce_is_malformed() -> None:
    """A response to somebody else's challenge is 501, and 454 behind it."""
    exchange, _challenge = server("DIGEST-MD5")
    text = b'username="tim",realm="h",nonce="x",cnonce="c",nc=00000001,qop=auth,digest-uri="smtp/h",response='
    assert [line[:3] for line in exchange.feed(b64(text + b"0" * 32)).lines] == ["501", "454"]
