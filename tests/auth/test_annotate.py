"""Real sessions explained: whose paste it is, what each octet is, how each login ended; and what no text can break."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth.annotate import Explanation, Step, explain
from indimail_kit.auth.transcript import WireChunk

DIALOGUES = Path(__file__).parent.parent / "data" / "dialogues"
USER = "postmaster@example.com"
PLAIN = "RFC 4616 section 2"
CRAM = "RFC 2195 section 2"

SESSIONS = {
    "swaks-login.txt": ("swaks", [("LOGIN", "accepted.")]),
    "swaks-plain.txt": ("swaks", [("PLAIN", "accepted.")]),
    "swaks-cram-md5.txt": ("swaks", [("CRAM-MD5", "accepted.")]),
    "swaks-cram-md5-mail.txt": ("swaks", [("CRAM-MD5", "accepted.")]),
    "swaks-raw-text.txt": ("swaks", [("CRAM-MD5", "accepted.")]),
    "swaks-login-wrong.txt": ("swaks", [("LOGIN", "refused; the octets do not tell why.")]),
    "swaks-digest-md5.txt": ("swaks", [("DIGEST-MD5", "ended with 501: a DIGEST-MD5 response out of form.")]),
    "curl-login.txt": ("curl -v", [("LOGIN", "accepted.")]),
    "curl-plain.txt": ("curl -v", [("PLAIN", "accepted.")]),
    "curl-cram-md5.txt": ("curl -v", [("CRAM-MD5", "accepted.")]),
    "curl-digest-md5.txt": ("curl -v", [("DIGEST-MD5", "accepted.")]),
    "curl-refused.txt": (
        "curl -v",
        [("DIGEST-MD5", "ended with 501: cancelled."), ("CRAM-MD5", "refused; the octets do not tell why.")],
    ),
    "msmtp-scram-sha-1.txt": ("msmtp", [("SCRAM-SHA-1", "accepted.")]),
    "msmtp-scram-sha-256.txt": ("msmtp", [("SCRAM-SHA-256", "accepted.")]),
    "msmtp-refused.txt": ("msmtp", [("SCRAM-SHA-256", "refused; the octets do not tell why.")]),
    "smtplib-login.txt": ("smtplib", [("LOGIN", "accepted.")]),
    "smtplib-plain.txt": ("smtplib", [("PLAIN", "accepted.")]),
    "smtplib-cram-md5.txt": ("smtplib", [("CRAM-MD5", "accepted.")]),
    "smtplib-refused-debuglevel2.txt": (
        "smtplib",
        [(name, "refused; the octets do not tell why.") for name in ("CRAM-MD5", "PLAIN", "LOGIN")],
    ),
    "telnet-login.txt": ("telnet", [("LOGIN", "accepted.")]),
    "telnet-plain.txt": ("telnet", [("PLAIN", "accepted.")]),
    "telnet-cram.txt": ("telnet", [("CRAM-MD5", "accepted.")]),
    "telnet-login-newline.txt": ("telnet", [("LOGIN", "refused. Seen: newline at the end.")]),
    "telnet-login-clear.txt": ("telnet", [("LOGIN", "ended with 501: typed in clear.")]),
    "nc-plain.txt": ("telnet", [("PLAIN", "accepted.")]),
    "recordio-four-sessions.log": (
        "recordio",
        [
            ("PLAIN", "refused; the octets do not tell why."),
            ("LOGIN", "accepted."),
            ("CRAM-MD5", "accepted."),
            ("PLAIN", "accepted."),
        ],
    ),
    "aiosmtpd-debug.txt": (
        "aiosmtpd",
        [
            ("LOGIN", "accepted. (an answer of the client is not in this record)"),
            ("PLAIN", "accepted. (masked in the record)"),
            ("PLAIN", "no reply to it here. (masked in the record)"),
        ],
    ),
    "seed-tutorial.txt": (
        "telnet",
        [
            (name, "accepted. What was seen on the way did no harm here: without EHLO.")
            for name in ("LOGIN", "PLAIN", "CRAM-MD5")
        ],
    ),
}
"""File -> (format, [(mechanism, how it ended)]); how they ended is what the programs themselves show."""


def read(name: str) -> Explanation:
    """Explain a recorded session."""
    return explain((DIALOGUES / name).read_bytes())


def only(steps: tuple[Step, ...], direction: str, begin: str) -> Step:
    """Return the one step of a side that begins so."""
    (step,) = [one for one in steps if one.direction == direction and one.raw.startswith(begin)]
    return step


@pytest.mark.parametrize("name", SESSIONS)
def test_paste_is_recognised(name: str) -> None:
    """The format of every recorded session is found by its look alone."""
    assert read(name).format == SESSIONS[name][0]


@pytest.mark.parametrize("name", SESSIONS)
def test_each_login_ends_as_it_did(name: str) -> None:
    """The summary has one sentence a login: which mechanism, and how the server ended it."""
    summary = read(name).summary
    found = [(one.split(", ")[1].split(":")[0].split(" as ")[0], one.split(": ", 1)[1]) for one in summary]
    assert found == SESSIONS[name][1]


@pytest.mark.parametrize("name", SESSIONS)
def test_no_line_disappears(name: str) -> None:
    """Each line of the file is a step, or a piece of one that recordio cut."""
    count = (DIALOGUES / name).read_bytes().count(b"\n")
    cut = {"recordio-four-sessions.log": {72, 81}}.get(name, set())
    assert {step.line for step in read(name).steps} | cut == set(range(1, count + 1))


def test_every_recorded_session_is_tested() -> None:
    """No file of the directory is left out."""
    names = {path.name for path in DIALOGUES.iterdir()} - {"README.md", "swaks-plain-plaintext.txt"}
    assert names == set(SESSIONS)


def rows(step: Step) -> list[tuple[int, int, str, str, str]]:
    """Return the parts of a step as tuples."""
    return [(part.start, part.end, part.role, part.text, part.source) for part in step.parts]


def test_every_octet_of_plain_has_its_role() -> None:
    """The seed's AUTH PLAIN: each octet, with its range in the decoded line, its role and its source."""
    explanation = explain("auth plain AHBvc3RtYXN0ZXJAZXhhbXBsZS5jb20AcGFzcw==\n235 ok", show_secrets=True)
    step = explanation.steps[0]
    assert step.decoded == f"auth plain \0{USER}\0pass"
    assert rows(step) == [
        (0, 4, "command", "auth", "RFC 4954 section 4"),
        (4, 5, "separator", " ", "RFC 4954 section 4"),
        (5, 10, "mechanism", "plain", "RFC 4616"),
        (10, 11, "separator", " ", "RFC 4954 section 4"),
        (11, 12, "NUL", "\0", PLAIN),
        (12, 34, "user", USER, PLAIN),
        (34, 35, "NUL", "\0", PLAIN),
        (35, 39, "password", "pass", PLAIN),
    ]


def test_every_octet_of_a_challenge_has_its_role() -> None:
    """The seed's challenge: process, time, host, and the punctuation between."""
    step = only(read("seed-tutorial.txt").steps, "server", "334 PDIw")
    assert [(part.role, part.text) for part in step.parts] == [
        ("reply code", "334"),
        ("separator", " "),
        ("separator", "<"),
        ("challenge pid", "20137"),
        ("separator", "."),
        ("challenge time", "1267585100"),
        ("separator", "@"),
        ("challenge host", "indimail.org"),
        ("separator", ">"),
    ]
    assert "2010-03-03 02:58:20 UTC" in step.verdict


def test_cram_response_is_taken_apart() -> None:
    """The seed's response: the user, a blank, the digest of the tutorial."""
    text = "334 PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg==\n"
    text += "cG9zdG1hc3RlckBleGFtcGxlLmNvbSBjZWU4Mzk3YWIxMjNhMGQ0ZjNhN2ZkZGJiOWNiODcxOQ==\n235 ok\n"
    step = explain(text, show_secrets=True).steps[1]
    assert rows(step) == [
        (0, 22, "user", USER, CRAM),
        (22, 23, "separator", " ", CRAM),
        (23, 55, "digest", "cee8397ab123a0d4f3a7fddbb9cb8719", CRAM),
    ]


def test_wire_characters_of_each_octet_are_told() -> None:
    """Six bits a character: octets 1 to 3 ("tim") are bits 8 to 31, so characters 1 to 5; neighbours share one."""
    step = explain("AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm", show_secrets=True).steps[0]
    found = {(part.role, part.text): step.raw[part.wire_start : part.wire_end] for part in step.parts}
    assert found["NUL", "\0"] == "QB"  # the later one of the two: octet 4, bits 32 to 39
    assert found["user", "tim"] == "HRpbQ"
    assert found["password", "tanstaaftanstaaf"] == "B0YW5zdGFhZnRhbnN0YWFm"  # octet 5 on, from bit 40


ROLES = {
    "msmtp-scram-sha-256.txt": {
        "gs2-header", "user", "nonce", "salt", "iteration count", "channel binding", "client proof", "server signature",
    },
    "curl-digest-md5.txt": {
        "realm", "nonce", "qop", "algorithm", "user", "cnonce", "nonce count", "digest-uri", "digest",
    },
    "swaks-login.txt": {"prompt", "user", "password"},
}  # fmt: skip


@pytest.mark.parametrize("name", ROLES)
def test_fields_of_each_mechanism_are_named(name: str) -> None:
    """Every field that the mechanism's RFC names is found in a real session."""
    found = {part.role for step in read(name).steps for part in step.parts}
    assert ROLES[name] - found == set()


def test_xoauth2_is_taken_apart() -> None:
    """Google's own example: user, control-A, scheme, token, two control-A."""
    message = b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"
    token = base64.b64encode(message).decode()
    step = explain(f"AUTH XOAUTH2 {token}", show_secrets=True).steps[0]
    assert [(part.role, part.text) for part in step.parts][4:] == [
        ("attribute name", "user="),
        ("user", "someuser@example.com"),
        ("control-A", "\x01"),
        ("attribute name", "auth="),
        ("auth scheme", "Bearer "),
        ("token", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"),
        ("control-A", "\x01\x01"),
    ]


def test_parts_cover_the_decoded_line() -> None:
    """Parts follow each other without a gap, so that every octet has one role."""
    steps = [step for name in SESSIONS for step in read(name).steps if step.parts]
    gaps = [
        step.line for step in steps if [part.end for part in step.parts[:-1]] != [part.start for part in step.parts[1:]]
    ]
    assert gaps == []
    assert [step.line for step in steps if step.parts[-1].end != len(step.decoded.encode())] == []


def test_parts_say_what_stands_there() -> None:
    """A part's range in the decoded line is its text, masked or not."""
    parts = [(step, part) for name in SESSIONS for step in read(name).steps for part in step.parts]
    assert [
        part.role for step, part in parts if step.decoded.encode()[part.start : part.end] != part.text.encode()
    ] == []


def test_recording_of_the_lab_is_explained() -> None:
    """Chunks, cut anywhere, are the lines that they make together."""
    chunks = [
        WireChunk(1, "server", b"220 mx\r\n"),
        WireChunk(2, "client", b"AUTH PL"),
        WireChunk(3, "client", b"AIN AHRpbQB0YW5zdGFh"),
        WireChunk(4, "client", b"ZnRhbnN0YWFm\r\nQUIT\r\n"),
        WireChunk(5, "server", b"235 ok, go ahead (#2.0.0)\r\n221 bye\r\n"),
    ]
    explanation = explain(chunks)
    assert explanation.format == "recording"
    assert [(step.direction, step.raw) for step in explanation.steps] == [
        ("server", "220 mx"),
        ("client", "AUTH PLAIN AHRpbQ****"),
        ("client", "QUIT"),
        ("server", "235 ok, go ahead (#2.0.0)"),
        ("server", "221 bye"),
    ]


TOKENS = {
    "AHRpbQB0YW5zdGFhZnRhbnN0YWFm": ["NUL", "user", "NUL", "password"],
    "PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg==": [
        "separator", "challenge pid", "separator", "challenge time", "separator", "challenge host", "separator",
    ],
    "biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=": [
        "gs2-header", "attribute name", "user", "separator", "attribute name", "nonce",
    ],
    "cG9zdG1hc3RlckBleGFtcGxlLmNvbQ==": ["user"],
    "cGFzcw==": ["password"],
    "VXNlcm5hbWU6": ["prompt"],
}  # fmt: skip


@pytest.mark.parametrize(("token", "roles"), TOKENS.items(), ids=TOKENS)
def test_lone_base64_is_told_by_its_look(token: str, roles: list[str]) -> None:
    """Base64 without a dialogue: what can be told by its look is told."""
    explanation = explain(token)
    assert explanation.format == "Base64 only"
    assert [part.role for part in explanation.steps[0].parts] == roles


def test_challenge_and_response_alone_are_held_together() -> None:
    """Two tokens under each other, challenge and response: with the password it is said whether the digest is right."""
    tokens = (
        "PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg==\n"
        "cG9zdG1hc3RlckBleGFtcGxlLmNvbSBjZWU4Mzk3YWIxMjNhMGQ0ZjNhN2ZkZGJiOWNiODcxOQ==\n"
    )
    verdict = explain(tokens, passwd_of=lambda _user: "pass").steps[1].verdict
    assert verdict.startswith("The digest is right for the password given.")


def test_text_without_a_dialogue_is_notes() -> None:
    """Prose is kept line for line, as notes, and hidden."""
    explanation = explain("Dear all,\nthe password is sesame.\n")
    assert explanation.format == "no dialogue"
    assert [(step.line, step.direction, step.raw) for step in explanation.steps] == [
        (1, "note", "****"),
        (2, "note", "****"),
    ]


def test_empty_text_has_no_steps() -> None:
    """Nothing gives nothing."""
    assert explain("") == Explanation((), "no dialogue")


def test_document_has_exactly_the_agreed_keys() -> None:
    """`auth explain --json` is what INTERFACE says."""
    document = read("swaks-plain.txt").as_document()
    assert {key for step in document for key in step} == {"line", "direction", "raw", "decoded", "parts", "verdict"}
    parts = [part for step in document for part in step["parts"]]  # type: ignore[attr-defined]
    assert {key for part in parts for key in part} == {"start", "end", "role", "text", "source"}
    assert {step["direction"] for step in document} == {"client", "server", "note"}


def test_repr_is_one_line() -> None:
    """The repr says how much there is, and no octet of it."""
    assert repr(read("swaks-plain.txt")) == "Explanation(swaks, steps: 16, logins: 1)"


@given(st.text() | st.binary())
def test_no_text_breaks_it(text: str | bytes) -> None:
    """Any text, any octets: an explanation, printable, with a step for each line."""
    explanation = explain(text)
    explanation.as_text().encode()
    assert repr(explanation.as_document())


WORDS = st.sampled_from(
    ["S: ", "C: ", "<- ", " -> ", "<~ ", "> ", "< ", "7 > ", "7 < ", "--> ", "send: '", "reply: b'", "220 mx", "250 ",
     "250-AUTH ", "334 ", "235 ok", "535 no", "501 x", "454 y", "AUTH ", "LOGIN", "PLAIN ", "CRAM-MD5", "DIGEST-MD5",
     "SCRAM-SHA-256", "XOAUTH2 ", "EHLO c", "DATA", "354 go", ".", "*", "=", "\n", "\r\n", "\n", "+\n", " \n", "'\n",
     "AHRpbQB0YW5zdGFhZnRhbnN0YWFm", "PDFAYj4=", "VXNlcm5hbWU6", "UGFzc3dvcmQ6", "cGFzcw==", "cj1hLHM9YixpPTE=",
     "biwsbj1hLHI9Yg==", "Yz1iaXdzLHI9YSxwPWI=", "dXNlcj0BYXV0aD0BAQ==", "\udcff", "\ud800", "\0", "\x1b[31m", "\u00e9"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=40))
def test_no_dialogue_breaks_it(words: list[str]) -> None:
    """Pieces of dialogues in any order: an explanation that can be printed and written, also with a password."""
    for show_secrets in (False, True):
        explanation = explain("".join(words), passwd_of=lambda _user: "pass\u00fc", show_secrets=show_secrets)
        explanation.as_text().encode()
        repr(explanation.as_document()).encode()


@pytest.mark.parametrize("name", ["swaks-cram-md5.txt", "recordio-four-sessions.log", "seed-tutorial.txt"])
def test_cut_anywhere_it_is_explained(name: str) -> None:
    """A paste that ends in the middle of anything is explained as far as it goes."""
    octets = (DIALOGUES / name).read_bytes()
    ends = range(1, len(octets), 7)
    behind = [octets[:end].count(b"\n") - explain(octets[:end]).steps[-1].line for end in ends]
    assert max(behind) <= 1  # the last line may be a piece of the one before
