"""Our exchanges against the seed's tutorial and the recorded qmail-smtpd, line by line.

Where we differ on purpose, the difference is written down below with both sides and its reason; no dialogue of these
mechanisms is left out.
"""

from __future__ import annotations

import base64
import json
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path

import pytest

from indimail_kit.auth import cram, digest_md5, plain, scram
from indimail_kit.auth.checkpassword_run import ModuleAuthority
from indimail_kit.auth.mechanisms import MECHANISMS
from indimail_kit.auth.redact import redact
from indimail_kit.auth.smtp_auth import (
    Authority,
    AuthResult,
    Challenge,
    ClientExchange,
    Reply,
    ServerExchange,
    parse_auth,
)
from indimail_kit.auth.stored import NO_RELAY, Account
from indimail_kit.auth.transcript import WireChunk
from indimail_kit.errors import AccountError

TRANSCRIPTS = Path(__file__).parent.parent / "data" / "indimail" / "auth" / "transcripts.json"
RECORDED: dict[str, list[str]] = json.loads(TRANSCRIPTS.read_text())

RECORDED_SALT = b64decode("XOmxRsVwPpc2RnLG")
"""The salt of the recorded SCRAM dialogue's user."""

ACCOUNTS = {
    "postmaster@example.com": Account(address="postmaster@example.com", pw_passwd="{CRAM}pass,"),
    "test@local.test": Account(
        address="test@local.test",
        pw_passwd="{CRAM}secret,",
        scram=scram.encode_keys(scram.make_keys("secret", hash_name="sha1", salt=RECORDED_SALT)),
    ),
    "norelay@local.test": Account(address="norelay@local.test", pw_passwd="{CRAM}secret,", pw_gid=NO_RELAY),
}
"""The seed's user, and those whom the checker of the recording knew."""


def lookup(authcid: str) -> Account | None:
    """Find an account; the recording's "tempfail" is the user for whom the checker exited 111."""
    if authcid == "tempfail@local.test":
        raise AccountError("a user table that does not answer")
    return ACCOUNTS.get(authcid)


# -- the seed ------------------------------------------------------------------------------------------------------

SEED = {
    "AUTH LOGIN": [
        "auth login",
        "334 VXNlcm5hbWU6",
        "cG9zdG1hc3RlckBleGFtcGxlLmNvbQ==",
        "334 UGFzc3dvcmQ6",
        "cGFzcw==",
        "235 ok, go ahead (#2.0.0)",
    ],
    "AUTH PLAIN": ["auth plain AHBvc3RtYXN0ZXJAZXhhbXBsZS5jb20AcGFzcw==", "235 ok, go ahead (#2.0.0)"],
    "AUTH CRAM-MD5": [
        "auth cram-md5",
        "334 PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg==",
        "cG9zdG1hc3RlckBleGFtcGxlLmNvbSBjZWU4Mzk3YWIxMjNhMGQ0ZjNhN2ZkZGJiOWNiODcxOQ==",
        "235 ok, go ahead (#2.0.0)",
    ],
}
"""The three exchanges of "Authenticated SMTP tutorial", 5 March 2010, as typed and answered."""

SEED_CHALLENGE = cram.make_challenge(pid=20137, unix_s=1267585100, host="indimail.org")


def answers_to(
    lines: list[str], challenge: bytes | None, *, indimail_bugs: bool = False, authority: Authority | None = None
) -> tuple[list[Challenge | Reply], AuthResult | None]:
    """Play the server for a client that says these lines; return its answers, and how it ended."""
    command = parse_auth(lines[0].encode()[len("AUTH") :])
    server = ServerExchange(
        command.mechanism,
        lookup=lookup,
        challenge=challenge,
        host="mx1.indikit.test",
        indimail_bugs=indimail_bugs,
        authority=authority,
    )
    answers = [server.start(command.initial_response)]
    answers += [server.feed(line.encode() + b"\r\n") for line in lines[1:] if server.result is None]
    return answers, server.result


def replies_to(lines: list[str], challenge: bytes | None) -> tuple[list[str], AuthResult | None]:
    """Return what a strict server says to these lines, and how it ended."""
    answers, result = answers_to(lines, challenge)
    return [line for answer in answers for line in answer.lines], result


@pytest.mark.parametrize("dialogue", SEED.values(), ids=SEED)
def test_server_answers_as_in_the_seed(dialogue: list[str]) -> None:
    """The lines that the seed's client typed get the replies that the seed's server gave, byte for byte."""
    heard, _result = replies_to(dialogue[0::2], SEED_CHALLENGE)
    assert heard == dialogue[1::2]


@pytest.mark.parametrize("dialogue", SEED.values(), ids=SEED)
def test_client_types_as_in_the_seed(dialogue: list[str]) -> None:
    """Given the seed's user and password, our client sends what the seed's author typed, byte for byte."""
    client = ClientExchange(
        parse_auth(dialogue[0].encode()[4:]).mechanism, authcid="postmaster@example.com", passwd="pass"
    )
    initial = client.start()
    typed = [f"auth {client.mechanism.lower()}" + (f" {initial}" if initial is not None else "")]
    typed += [client.feed(line.removeprefix("334 ")) for line in dialogue[1::2] if line.startswith("334")]
    assert typed == dialogue[0::2]


def test_functions_of_the_interface_give_the_texts_of_the_seed() -> None:
    """plain.encode and cram.respond, which replace the seed's base64 calls and its lost script, give its texts."""
    user = {"authcid": "postmaster@example.com", "passwd": "pass"}
    texts = (plain.encode(**user), cram.respond(SEED["AUTH CRAM-MD5"][1].removeprefix("334 "), **user))
    assert texts == (SEED["AUTH PLAIN"][0].removeprefix("auth plain "), SEED["AUTH CRAM-MD5"][2])


# -- the recorded qmail-smtpd ----------------------------------------------------------------------------------------

MALFORMED, CANCELLED = "501 malformed auth input (#5.5.4)", "501 auth exchange cancelled (#5.0.0)"
TEMPORARY, FAILED = "454 temporary authentication failure (#4.3.0)", "535 authorization failure (#5.7.8)"

SECOND_REPLY = "IndiMail sends a second reply, 454, after each 501: client and server are out of step from then on"
OK = "235 ok, go ahead (#2.0.0)"
BAD_JSON, GOOD_JSON = (
    "334 " + base64.b64encode(text.encode()).decode()
    for text in (
        '{"status":"401","schemes":bearer mac","scope":"https://mx1.indikit.test/"}',
        '{"status":"401","schemes":"bearer mac","scope":"https://mx1.indikit.test/"}',
    )
)
JSON_REASON = "IndiMail forgets a quotation mark"
GARBAGE = (
    "IndiMail decodes what is not Base64 to garbage and goes on; we refuse it where it stands (RFC 4954 section 4)"
)


@dataclass(frozen=True)
class Difference:
    """Where we answer otherwise than the recorded server, on purpose.

    Attributes:
        recorded: The replies that the recorded server gave, from the first that differs.
        ours: The replies that we give in their place.
        reason: Why.
    """

    recorded: list[str]
    ours: list[str]
    reason: str


DIFFERENCES = {
    "LOGIN empty user": Difference([TEMPORARY], [], SECOND_REPLY),
    "LOGIN bad base64": Difference(["334 UGFzc3dvcmQ6", FAILED], [MALFORMED], GARBAGE),
    "LOGIN bad base64 2": Difference(["334 UGFzc3dvcmQ6", MALFORMED], [MALFORMED], GARBAGE),
    "PLAIN malformed one field": Difference([TEMPORARY], [], SECOND_REPLY),
    "PLAIN initial = sign": Difference(
        ["451 Sorry, I ran out of memory (#4.3.0)", "<EOF>"],
        [MALFORMED],
        "IndiMail dies of an empty initial response; RFC 4954 section 4 has it, and PLAIN finds it malformed",
    ),
    "PLAIN cancel": Difference([TEMPORARY], [], SECOND_REPLY),
    "CRAM-MD5 with initial response": Difference([TEMPORARY], [], SECOND_REPLY),
    "CRAM-MD5 no space": Difference([TEMPORARY], [], SECOND_REPLY),
    "DIGEST-MD5 ok": Difference(
        ["334 cnNwYXV0aD1lZTNhNzAzYjcxZmQ0ODhhNGFlZWFlYTM5MWU0MzM5ZQA=", OK],
        ["334 cnNwYXV0aD1lZTNhNzAzYjcxZmQ0ODhhNGFlZWFlYTM5MWU0MzM5ZQ==", OK],
        "IndiMail sends the NUL that ends its C string behind rspauth",
    ),
    "DIGEST-MD5 wrong": Difference(
        ["<EOF>", "<EOF>"], [FAILED], "IndiMail waits for the digest that a refused client does not get, and dies of it"
    ),
    "XOAUTH2 ok": Difference([BAD_JSON, FAILED], [GOOD_JSON, FAILED], JSON_REASON),
    "XOAUTH2 wrong": Difference([BAD_JSON, FAILED], [GOOD_JSON, FAILED], JSON_REASON),
    "SCRAM-SHA-1 start": Difference(
        [FAILED], [MALFORMED], "a message that is none is malformed (RFC 4954 section 4), not a wrong password"
    ),
    "SCRAM-SHA-256 malformed": Difference(
        ["535 535 malformed SCRAM message (#5.7.1)", FAILED], [MALFORMED], "IndiMail answers twice, and 535 within 535"
    ),
}

FAMILIES = ("LOGIN", "PLAIN", "CRAM-", "DIGEST-", "XOAUTH2", "SCRAM-")
OTHERS = ("unknown mechanism", "AUTH no arg", "checkpassword exit 111", "checkpassword exit 2")
REPLAYED = [title for title in RECORDED if title.startswith(FAMILIES) or title in OTHERS]
UNAVAILABLE = {"CRAM-RIPEMD ok"} - {f"{name} ok" for name, row in MECHANISMS.items() if row.is_available}


def exchange_of(title: str) -> list[str]:
    """Return the lines of a dialogue from AUTH up to what follows its end, without the recorder's remarks."""
    lines = [line.partition("      <-- second reply")[0] for line in RECORDED[title] if line[:3] in {"C: ", "S: "}]
    begin = next(number for number, line in enumerate(lines) if line.startswith("C: AUTH"))
    return [line for line in lines[begin:] if not line.startswith("S: 221 ")]


def challenge_of(lines: list[str]) -> bytes | None:
    """Return the recorded challenge, or the server's part of SCRAM's nonce; None where there is none to give."""
    if lines[0].startswith("C: AUTH SCRAM-") and lines[3].startswith("S: 334 "):
        nonces = [base64.b64decode(line.rpartition(" ")[2]).partition(b"r=")[2] for line in lines[2:4]]
        return nonces[1].partition(b",")[0].removeprefix(nonces[0])
    first = lines[1].removeprefix("S: 334 ")
    is_made_before = lines[0].startswith(("C: AUTH CRAM-", "C: AUTH DIGEST-")) and first != lines[1]
    return base64.b64decode(first) if is_made_before else None


def test_every_dialogue_of_these_mechanisms_is_replayed() -> None:
    """The recording has 29 dialogues of these mechanisms, and each known difference is one of them."""
    assert len([title for title in REPLAYED if title.startswith(FAMILIES)]) == 29
    assert set(OTHERS) | set(DIFFERENCES) <= set(REPLAYED)


@pytest.mark.parametrize("title", REPLAYED)
def test_server_answers_as_recorded(title: str) -> None:
    """Our replies are those of the recorded server, letter for letter, or differ exactly as written down."""
    if title in UNAVAILABLE:
        pytest.skip("this OpenSSL leaves RIPEMD-160 out")
    lines = exchange_of(title)
    recorded = [line[3:] for line in lines if line.startswith("S: ")]
    known = DIFFERENCES.get(title, Difference([], [], ""))
    same = recorded[: len(recorded) - len(known.recorded)]
    heard, _result = replies_to([line[3:] for line in lines if line.startswith("C: ")], challenge_of(lines))
    assert (heard, recorded) == (same + known.ours, same + known.recorded)


LATE_REPLIES = {"LOGIN bad base64 2": [TEMPORARY]}
"""Replies that came when the recorder had gone: it took the first for the answer to its QUIT."""


@pytest.mark.parametrize("title", REPLAYED)
def test_server_with_the_bugs_answers_exactly_as_recorded(title: str) -> None:
    """With indimail_bugs every dialogue is the recorded one, letter for letter, second replies and hang-ups too."""
    if title in UNAVAILABLE:
        pytest.skip("this OpenSSL leaves RIPEMD-160 out")
    lines = exchange_of(title)
    said = [line[3:] for line in lines if line.startswith("S: ")]
    recorded = [line for line in said if line != "<EOF>"]
    typed = [line[3:] for line in lines if line.startswith("C: ")]
    answers, _result = answers_to(typed, challenge_of(lines), indimail_bugs=True)
    heard = [line for answer in answers for line in answer.lines]
    assert heard == recorded + LATE_REPLIES.get(title, [])
    assert isinstance(answers[-1], Reply)
    assert answers[-1].hangs_up is ("<EOF>" in said)


@pytest.mark.parametrize(("indimail_bugs", "count"), [(True, 2), (False, 1)])
def test_checker_that_crashes_is_answered_as_recorded(tmp_path: Path, *, indimail_bugs: bool, count: int) -> None:
    """A module that is killed by a signal: 451, and with the bugs the recorded 454 behind it."""
    module = tmp_path / "crash"
    module.write_text("#!/bin/sh\nkill -SEGV $$\n")
    module.chmod(0o700)
    lines = exchange_of("checkpassword crash")
    recorded = [line[3:] for line in lines if line.startswith("S: ")]
    authority = ModuleAuthority([str(module), "/bin/true"], mechanism="PLAIN")
    answers, _result = answers_to([lines[0][3:]], None, indimail_bugs=indimail_bugs, authority=authority)
    assert list(answers[0].lines) == recorded[:count]


def test_digest_client_sends_as_recorded() -> None:
    """Our directives are the recorded ones, but for charset=utf-8: the recorded challenge does not offer it."""
    lines = exchange_of("DIGEST-MD5 ok")
    client = ClientExchange("DIGEST-MD5", authcid="test@local.test", passwd="secret", nonce="cnonce123")
    client.start()
    sent = base64.b64decode(client.feed(lines[1].removeprefix("S: 334 ")))
    recorded = base64.b64decode(lines[2].removeprefix("C: "))
    assert (sent + b",charset=utf-8", client.feed(lines[3].removeprefix("S: 334 "))) == (recorded, "")
    assert digest_md5.decode_response(sent).response == digest_md5.decode_response(recorded).response


TYPED = [title for title in REPLAYED if title.endswith(" ok") and not title.startswith(("DIGEST-", "XOAUTH2"))]


@pytest.mark.parametrize("title", TYPED)
def test_client_sends_as_recorded(title: str) -> None:
    """Given the recording's user and password, our client sends the recorded lines to the recorded challenges."""
    if title in UNAVAILABLE:
        pytest.skip("this OpenSSL leaves RIPEMD-160 out")
    lines = [line for line in exchange_of(title) if line != "C: QUIT"]
    mechanism, has_initial = parse_auth(lines[0][len("C: AUTH") :].encode()).mechanism, lines[0].count(" ") == 3
    client = ClientExchange(mechanism, authcid="test@local.test", passwd="secret", sends_initial_response=has_initial)
    initial = client.start()
    sent = [f"C: AUTH {mechanism}" + (f" {initial}" if initial is not None else "")]
    sent += [f"C: {client.feed(line.removeprefix('S: 334 '))}" for line in lines if line.startswith("S: 334 ")]
    assert sent == [line for line in lines if line.startswith("C: ")]


def test_authzid_is_dropped_as_recorded() -> None:
    """A client that acts for another is who its authcid says, as in the recorded 235."""
    lines = exchange_of("PLAIN authzid")
    heard, result = replies_to([lines[0][3:]], None)
    assert (heard, result.authcid) == (["235 ok, go ahead (#2.0.0)"], "test@local.test")


def test_user_without_relay_is_accepted_as_recorded() -> None:
    """Where the checker exited 3 the recorded server said 235 and then refused to relay; so our result says."""
    lines = exchange_of("checkpassword exit 3 (no relay)")
    heard, result = replies_to([lines[0][3:]], None)
    assert (heard[0], result.can_relay) == (lines[1][3:], False)


@pytest.mark.parametrize("title", REPLAYED)
def test_redacted_recording_has_no_password(title: str) -> None:
    """After redaction neither the recording's password nor any Base64 of it is left on the client's side."""
    sides = {"C": "client", "S": "server"}
    chunks = [WireChunk(at, sides[line[0]], line[3:].encode() + b"\r\n") for at, line in enumerate(exchange_of(title))]
    shown = b"".join(chunk.octets for chunk in redact(chunks) if chunk.direction == "client")
    assert [form for form in (b"secret", b"c2VjcmV0", b"zZWNyZXQ", b"dGVzdEBsb2Nh") if form in shown] == []
