"""An exchange of AUTH: each way through it, on both sides."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth import cram, framing, smtp_auth
from indimail_kit.auth.mechanisms import MECHANISMS, Mechanism
from indimail_kit.auth.smtp_auth import (
    AuthResult,
    Challenge,
    ClientExchange,
    Dialect,
    Reply,
    ServerExchange,
    parse_auth,
    parse_reply,
)
from indimail_kit.auth.stored import Account
from indimail_kit.errors import SaslError

Lookup = Callable[[str], Account | None]
CHALLENGE = b"<20137.1267585100@indimail.org>"
AVAILABLE = [name for name, row in MECHANISMS.items() if row.is_available and name != "XOAUTH2"]
"""Those with which somebody can log in here."""

ONE_MESSAGE = [name for name in AVAILABLE if name in {"LOGIN", "PLAIN"} or name.startswith("CRAM-")]
"""Those whose server proves nothing in return."""


def b64(text: str) -> bytes:
    """Return Base64 octets by the standard library."""
    return base64.b64encode(text.encode())


def plain_response(authcid: str, passwd: str) -> bytes:
    """Return a PLAIN message in Base64."""
    return b64(f"\0{authcid}\0{passwd}")


def played(server: ServerExchange, client: ClientExchange) -> Reply:
    """Let a server and a client talk until the reply."""
    initial = client.start()
    answer = server.start(None if initial is None else initial.encode())
    for _turn in range(5):
        if isinstance(answer, Reply):
            return answer
        answer = server.feed(client.feed(answer.line.removeprefix("334 ")).encode() + b"\r\n")
    raise AssertionError("the exchange does not end")


@pytest.mark.parametrize("sends_initial_response", [False, None])
@pytest.mark.parametrize("mechanism", AVAILABLE)
def test_client_and_server_understand_each_other(
    lookup: Lookup, mechanism: str, *, sends_initial_response: bool | None
) -> None:
    """The right password gets 235 with every mechanism, with and without an initial response."""
    server = ServerExchange(mechanism, lookup=lookup, host="indimail.org")
    client = ClientExchange(
        mechanism, authcid="tim", passwd="tanstaaftanstaaf", sends_initial_response=sends_initial_response
    )
    reply = played(server, client)
    assert (reply.line, server.result) == (
        "235 ok, go ahead (#2.0.0)",
        AuthResult(ok=True, authcid="tim", mechanism=mechanism, can_relay=True),
    )


@pytest.mark.parametrize(
    ("authcid", "passwd", "reason"),
    [
        ("tim", "wrong", "a wrong password"),
        ("nobody@example.com", "pass", "an unknown user"),
        ("nobody@example.com", "nobody has this password", "an unknown user"),
        ("idle@example.com", "pass", "an inactive account"),
        ("idle@example.com", "wrong", "a wrong password"),
        ("nosmtp@example.com", "pass", "an account without SMTP"),
    ],
)
@pytest.mark.parametrize("mechanism", AVAILABLE)
def test_every_refusal_looks_the_same_to_the_client(
    lookup: Lookup, mechanism: str, authcid: str, passwd: str, reason: str
) -> None:
    """Wrong password, unknown, inactive or barred user: the same reply; only the result knows why."""
    server = ServerExchange(mechanism, lookup=lookup)
    reply = played(server, ClientExchange(mechanism, authcid=authcid, passwd=passwd))
    assert (reply.line, server.result) == (
        "535 authorization failure (#5.7.8)",
        AuthResult(ok=False, authcid=authcid, mechanism=mechanism, reason=reason),
    )


@pytest.mark.parametrize("mechanism", ONE_MESSAGE)
def test_unknown_user_costs_the_same_comparison(mechanism: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a user who is not there a password is compared or a digest computed all the same (user enumeration)."""
    made: list[str] = []
    real_digest, real_has_passwd = cram.digest, Account.has_passwd

    def digest(challenge: bytes, *, passwd: str, hash_name: str = "md5") -> str:
        made.append("comparison")
        return real_digest(challenge, passwd=passwd, hash_name=hash_name)

    def has_passwd(account: Account, passwd: str) -> bool:
        made.append("comparison")
        return real_has_passwd(account, passwd)

    client = ClientExchange(mechanism, authcid="nobody", passwd="x")
    initial = client.start()
    server = ServerExchange(mechanism, lookup=lambda _authcid: None, challenge=CHALLENGE)
    answer = server.start(None if initial is None else initial.encode())
    lines = [client.feed(text) for text in texts_after(answer, mechanism)]
    monkeypatch.setattr(cram, "digest", digest)
    monkeypatch.setattr(Account, "has_passwd", has_passwd)
    server = ServerExchange(mechanism, lookup=lambda _authcid: None, challenge=CHALLENGE)
    server.start(None if initial is None else initial.encode())
    for line in lines:
        server.feed(line.encode())
    assert made == ["comparison"]


def texts_after(answer: Reply | Challenge, mechanism: str) -> list[str]:
    """Return the challenges that a client of this mechanism has still to answer."""
    prompts = {"LOGIN": ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"], "PLAIN": []}
    return prompts.get(mechanism, [answer.line.removeprefix("334 ")])


def test_user_without_a_name_is_malformed(lookup: Lookup) -> None:
    """An empty user gets as far as no look-up."""
    server = ServerExchange("PLAIN", lookup=lookup)
    assert server.start(plain_response("", "x")).line == "501 malformed auth input (#5.5.4)"


def test_user_without_relay_is_in_but_may_not_relay(lookup: Lookup) -> None:
    """NO_RELAY: 235, and the result says that mail to other hosts is not taken."""
    server = ServerExchange("PLAIN", lookup=lookup)
    reply = server.start(plain_response("norelay@example.com", "pass"))
    assert (reply.line, server.result) == (
        "235 ok, go ahead (#2.0.0)",
        AuthResult(ok=True, authcid="norelay@example.com", mechanism="PLAIN", can_relay=False),
    )


@pytest.mark.parametrize("authcid", ["broken@example.com", "hashed@example.com"])
def test_table_that_cannot_answer_is_temporary(lookup: Lookup, authcid: str) -> None:
    """A table that does not answer, or a hash that cannot be computed here, is 454 and never 535."""
    server = ServerExchange("PLAIN", lookup=lookup)
    assert server.start(plain_response(authcid, "pass")).line == "454 temporary authentication failure (#4.3.0)"
    assert server.result is not None
    assert (server.result.ok, server.result.authcid) == (False, authcid)


@pytest.mark.parametrize("pw_passwd", ["$6$salt$hash", "*", "{CRAM},"], ids=["crypt", "locked", "empty"])
@pytest.mark.parametrize("mechanism", [name for name in AVAILABLE if name.startswith("CRAM")])
def test_digest_of_the_empty_password_opens_nothing(mechanism: str, pw_passwd: str) -> None:
    """Where no clear password is kept, CRAM is refused, also a response that was made with an empty one."""
    account = Account(address="tim", pw_passwd=pw_passwd)
    server = ServerExchange(mechanism, lookup=lambda _authcid: account, challenge=CHALLENGE)
    server.start()
    digest = hmac.new(b"", CHALLENGE, MECHANISMS[mechanism].hash_name).hexdigest()
    assert server.feed(b64(f"tim {digest}")).code == 535


@pytest.mark.parametrize("mechanism", ["GSSAPI", "", "SCRAM-SHA-512"])
def test_unknown_mechanism_is_504(lookup: Lookup, mechanism: str) -> None:
    """A mechanism that is not in the table is refused, and what was asked for is not kept: it may be a secret."""
    server = ServerExchange(mechanism, lookup=lookup)
    assert server.start(b"abc").line == "504 auth type unimplemented (#5.5.1)"
    assert server.result == AuthResult(ok=False, authcid="", mechanism="", reason="a mechanism that is not here")


def test_mechanism_without_its_hash_is_504(lookup: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this Python lacks the hash, the mechanism is not here."""
    monkeypatch.setattr(Mechanism, "is_available", property(lambda _row: False))
    assert ServerExchange("CRAM-RIPEMD", lookup=lookup).start().line == "504 auth type unimplemented (#5.5.1)"


@pytest.mark.parametrize(
    ("mechanism", "lines"),
    [
        ("LOGIN", [b"!!!notb64"]),
        ("LOGIN", [b"**"]),
        ("LOGIN", [b64("tim"), b"abc"]),
        ("LOGIN", [b"", b64("x")]),
        ("LOGIN", [b64("tim"), b""]),
        ("PLAIN", [b64("tim")]),
        ("PLAIN", [b64("\0tim\0")]),
        ("PLAIN", [b""]),
        ("PLAIN", [b"="]),
        ("CRAM-MD5", [b64("nospace")]),
        ("CRAM-MD5", [b64("tim ")]),
        ("CRAM-MD5", [b"ab=c"]),
    ],
)
def test_malformed_answer_is_501(lookup: Lookup, mechanism: str, lines: list[bytes]) -> None:
    """Bad Base64, missing parts and empty fields end with 501, each at the step where IndiMail judges."""
    server = ServerExchange(mechanism, lookup=lookup)
    server.start()
    answers = [server.feed(line) for line in lines]
    assert [answer.code for answer in answers] == [334] * (len(lines) - 1) + [501]
    assert answers[-1].line == "501 malformed auth input (#5.5.4)"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_initial_response_of_zero_octets(lookup: Lookup, mechanism: str) -> None:
    """``=`` is an empty initial response: malformed for PLAIN, an empty user for LOGIN, ignored by CRAM."""
    answer = ServerExchange(mechanism, lookup=lookup, challenge=CHALLENGE, initial_response=b"=").start()
    expected = {
        "PLAIN": "501 malformed auth input (#5.5.4)",
        "LOGIN": "334 UGFzc3dvcmQ6",
        "CRAM-MD5": "334 PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg==",
    }
    assert answer.line == expected[mechanism]


@pytest.mark.parametrize("initial_response", [None, b""])
def test_no_text_behind_the_mechanism_is_no_initial_response(lookup: Lookup, initial_response: bytes | None) -> None:
    """``AUTH PLAIN`` and ``AUTH PLAIN `` with a blank are asked for their message."""
    assert ServerExchange("PLAIN", lookup=lookup).start(initial_response).line == "334 "


@pytest.mark.parametrize("mechanism", AVAILABLE)
def test_star_cancels(lookup: Lookup, mechanism: str) -> None:
    """A single ``*`` ends the exchange with 501, and only a single one."""
    server = ServerExchange(mechanism, lookup=lookup)
    server.start()
    assert server.feed(b"*\r\n").line == "501 auth exchange cancelled (#5.0.0)"
    assert server.result == AuthResult(ok=False, authcid="", mechanism=mechanism, reason="the client's wish")


@pytest.mark.parametrize(("extra", "code"), [(0, 501), (1, 500)])
def test_line_may_be_as_long_as_the_rfc_says(lookup: Lookup, extra: int, code: int) -> None:
    """12288 octets with the line end are taken (and here malformed), one more is too long."""
    server = ServerExchange("PLAIN", lookup=lookup)
    server.start()
    line = b"A" * (framing.MAX_LINE_BYTES - 2 + extra) + b"\r\n"
    assert server.feed(line).code == code


def test_exchange_is_begun_once_and_ends_once(lookup: Lookup) -> None:
    """Feeding before the start or after the end, and a second start, raise SaslError."""
    server = ServerExchange("PLAIN", lookup=lookup)
    with pytest.raises(SaslError):
        server.feed(b"x")
    server.start()
    with pytest.raises(SaslError):
        server.start()
    server.feed(b"*")
    with pytest.raises(SaslError):
        server.feed(b"x")
    with pytest.raises(SaslError):
        server.start()


def test_challenge_is_made_when_none_is_given(lookup: Lookup) -> None:
    """Without a challenge there is a fresh one with the host and time given, and no two are alike."""
    challenges = {
        ServerExchange("CRAM-MD5", lookup=lookup, host="indimail.org", unix_s=1267585100).start().octets
        for _ in range(100)
    }
    assert len(challenges) == 100
    assert all(octets.endswith(b".1267585100@indimail.org>") for octets in challenges)


def test_response_that_was_heard_opens_no_second_session(lookup: Lookup) -> None:
    """The same response to the next session's challenge is a wrong password (replay)."""
    client = ClientExchange("CRAM-MD5", authcid="tim", passwd="tanstaaftanstaaf")
    first, second = (ServerExchange("CRAM-MD5", lookup=lookup) for _ in range(2))
    heard = client.feed(first.start().line.removeprefix("334 ")).encode()
    second.start()
    assert (first.feed(heard).code, second.feed(heard).code) == (235, 535)


def test_laxer_server_is_another_dialect(lookup: Lookup) -> None:
    """What a server takes for Base64 is exchangeable; the states are the same."""
    lax = Dialect("lax", lambda text: base64.b64decode(text + b"=" * (-len(text) % 4)))
    server = ServerExchange("LOGIN", lookup=lookup, dialect=lax)
    assert server.start(b64("tim").rstrip(b"=")).line == "334 UGFzc3dvcmQ6"


@given(st.sampled_from(["LOGIN", "PLAIN", "CRAM-MD5"]), st.lists(st.binary(max_size=40), max_size=4))
def test_any_lines_end_in_a_reply(mechanism: str, lines: list[bytes]) -> None:
    """Whatever a client sends, it hears 334, 500, 501 or 535, and never gets in."""
    assert set(codes_of(mechanism, lines)) <= {334, 500, 501, 535}


def codes_of(mechanism: str, lines: list[bytes]) -> list[int]:
    """Return the codes that a client hears who is nobody and sends these lines until the end."""
    server = ServerExchange(mechanism, lookup=lambda _authcid: None)
    return [server.start().code, *(server.feed(line).code for line in lines if server.result is None)]


@given(
    st.sampled_from(["LOGIN", "PLAIN", "CRAM-MD5"]), st.lists(st.binary(max_size=40).map(base64.b64encode), max_size=3)
)
def test_any_octets_in_base64_end_in_a_reply(mechanism: str, lines: list[bytes]) -> None:
    """Whatever is in the Base64, the client hears 334, 501 or 535, and never gets in."""
    assert set(codes_of(mechanism, lines)) <= {334, 501, 535}


@pytest.mark.parametrize("length", range(len(plain_response("postmaster@example.com", "pass"))))
def test_truncated_response_never_gets_in(lookup: Lookup, length: int) -> None:
    """The seed's PLAIN message cut anywhere is malformed or a wrong password."""
    reply = ServerExchange("PLAIN", lookup=lookup).start(
        plain_response("postmaster@example.com", "pass")[:length] or b"="
    )
    assert reply.code in {501, 535}


@pytest.mark.parametrize(
    ("argument", "mechanism", "initial_response"),
    [
        (b"LOGIN", "LOGIN", None),
        (b"PLAIN abc", "PLAIN", b"abc"),
        (b"  plain   abc\r\n", "plain", b"abc"),
        (b"PLAIN a b", "PLAIN", b"a b"),
        (b"PLAIN =", "PLAIN", b"="),
        (b"PLAIN  ", "PLAIN", None),
        (b"", "", None),
        (b"\xff", "�", None),
    ],
)
def test_argument_of_auth_is_divided_at_the_first_blank(
    argument: bytes, mechanism: str, initial_response: bytes | None
) -> None:
    """Name and initial response are read as smtp_auth() reads them."""
    command = parse_auth(argument)
    assert (command.mechanism, command.initial_response) == (mechanism, initial_response)


@given(st.binary(max_size=40))
def test_any_argument_of_auth_can_be_read(argument: bytes) -> None:
    """Every argument is some command, with a name without blanks."""
    assert " " not in parse_auth(argument).mechanism


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"235 ok, go ahead (#2.0.0)\r\n", Reply(235, "ok, go ahead (#2.0.0)")),
        (b"334 ", Reply(334, "")),
        (b"250-HELP", Reply(250, "HELP")),
        (b"535", Reply(535, "")),
        (b"535 \xff", Reply(535, "\\xff")),
    ],
)
def test_reply_line_is_read(line: bytes, reply: Reply) -> None:
    """Code and text of a reply line, last or not."""
    assert parse_reply(line) == reply


@pytest.mark.parametrize("line", [b"", b"ok", b"99 x", b"600 x", b"2350", b"23\xb5 x"])
def test_line_that_is_no_reply_is_refused(line: bytes) -> None:
    """A line without a reply code raises SaslError."""
    with pytest.raises(SaslError):
        parse_reply(line)


def test_replies_have_the_enhanced_code_at_the_end() -> None:
    """Each reply to AUTH ends in (#x.y.z) whose class is that of its code, but for the 501 that is nobody's fault."""
    ends = {reply.line: (reply.code // 100, reply.text.rpartition("(#")[2]) for reply in smtp_auth.REPLIES}
    assert [line for line, (kind, code) in ends.items() if not code.startswith(f"{kind}.")] == []


def test_client_that_cannot_read_the_challenge_cancels() -> None:
    """A challenge that is not Base64 is answered with ``*``, and the reason is kept."""
    client = ClientExchange("CRAM-MD5", authcid="tim", passwd="x")
    client.start()
    assert (client.feed(b"!!!\r\n"), client.reason.startswith("a malformed challenge")) == ("*", True)


@pytest.mark.parametrize("mechanism", AVAILABLE)
def test_client_that_is_asked_once_too_often_cancels(mechanism: str) -> None:
    """After its last answer a client says ``*``: it has nothing more to give."""
    client = ClientExchange(mechanism, authcid="tim", passwd="x")
    client.start()
    answers = [client.feed(b64("?").decode()) for _ in range(3)]
    assert (answers[-1], client.reason) == ("*", "a challenge after the last answer")


@pytest.mark.parametrize("challenge", ["\ud800", "é", b"\xff"])
def test_client_survives_any_challenge(challenge: str | bytes) -> None:
    """A challenge that is no text is malformed like any other."""
    client = ClientExchange("CRAM-MD5", authcid="tim", passwd="x")
    client.start()
    assert client.feed(challenge) == "*"


def test_client_may_send_the_user_of_login_at_once() -> None:
    """LOGIN has an initial response when the caller wants one."""
    client = ClientExchange("login", authcid="tim", passwd="x", sends_initial_response=True)
    assert (client.start(), client.feed("UGFzc3dvcmQ6")) == ("dGlt", "eA==")


def test_client_acts_for_another_with_plain() -> None:
    """The authzid goes into the PLAIN message (RFC 4616 section 4)."""
    client = ClientExchange("PLAIN", authcid="Kurt", passwd="xipj3plmq", authzid="Ursel")
    assert client.start() == b64("Ursel\0Kurt\0xipj3plmq").decode()


@pytest.mark.parametrize(
    ("mechanism", "authcid", "passwd", "sends_initial_response"),
    [
        ("GSSAPI", "tim", "x", None),
        ("CRAM-MD5", "tim", "x", True),
        ("PLAIN", "", "x", None),
        ("LOGIN", "tim", "", None),
        ("PLAIN", "tim", "a\0b", None),
    ],
)
def test_client_that_cannot_work_is_refused_at_once(
    mechanism: str, authcid: str, passwd: str, *, sends_initial_response: bool | None
) -> None:
    """An unknown mechanism, an initial response where there is none, and unsendable fields raise SaslError."""
    with pytest.raises(SaslError):
        ClientExchange(mechanism, authcid=authcid, passwd=passwd, sends_initial_response=sends_initial_response)
