"""No secret of a dialogue is left after redaction, however it was cut, pipelined or mistyped; the rest stays."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth import framing
from indimail_kit.auth.redact import MASK, format_dialogue, redact, redact_line
from indimail_kit.auth.transcript import WireChunk

DATA = Path(__file__).parent.parent / "data" / "indimail" / "auth"
DIALOGUES = {
    f"{path.stem}: {title}": lines
    for path in (DATA / "transcripts.json", DATA / "transcripts-mail.json")
    for title, lines in json.loads(path.read_text()).items()
}
"""Every recorded dialogue."""

USER, CANARY = "postmaster@example.com", "zitronenfalter"
B64_USER, B64_CANARY = (base64.b64encode(text.encode()) for text in (USER, CANARY))


def chunks_of(*lines: str) -> list[WireChunk]:
    """Return a recording from lines that begin with ``C: `` or ``S: ``."""
    sides = {"C": "client", "S": "server"}
    return [WireChunk(at, sides[line[0]], line[3:].encode() + b"\r\n") for at, line in enumerate(lines)]


def octets_of(chunks: object, direction: str) -> bytes:
    """Return all that one side sent."""
    return b"".join(chunk.octets for chunk in chunks if chunk.direction == direction)


def recorded(title: str) -> list[WireChunk]:
    """Return a recorded dialogue as chunks; remarks of the recorder are left out."""
    lines = [line.partition("      <-- second reply")[0] for line in DIALOGUES[title] if line[:3] in {"C: ", "S: "}]
    return chunks_of(*lines)


@pytest.mark.parametrize("title", DIALOGUES)
def test_recorded_dialogue_keeps_its_replies_and_loses_its_secrets(title: str) -> None:
    """Each reply stays letter for letter; no answer to a 334 and no initial response is left but ``*``."""
    chunks = recorded(title)
    shown = redact(chunks)
    lines = octets_of(chunks, "client").split(b"\r\n")
    answers = {
        after.octets.strip()
        for before, after in pairwise(chunks)
        if before.octets.startswith(b"334") and after.direction == "client"
    }
    initial = {line.split(b" ", 2)[2] for line in lines if line.startswith(b"AUTH ") and line.count(b" ") == 2}
    left = set(octets_of(shown, "client").split(b"\r\n"))
    assert octets_of(shown, "server") == octets_of(chunks, "server")
    assert not (answers | initial) - {b"*", b""} & {word for line in left for word in line.split(b" ")}


@pytest.mark.parametrize(
    "title", [title for title in DIALOGUES if not any("C: AUTH" in line for line in DIALOGUES[title])]
)
def test_dialogue_without_auth_stays_as_it_is(title: str) -> None:
    """Where nobody logs in nothing is masked, mails included."""
    assert redact(recorded(title)) == tuple(recorded(title))


SESSIONS = {
    "LOGIN": [
        "C: AUTH LOGIN",
        "S: 334 VXNlcm5hbWU6",
        f"C: {B64_USER.decode()}",
        "S: 334 UGFzc3dvcmQ6",
        "C: {}",
        "S: 235 ok",
    ],
    "LOGIN, user at once": [f"C: AUTH LOGIN {B64_USER.decode()}", "S: 334 UGFzc3dvcmQ6", "C: {}", "S: 535 no"],
    "PLAIN": ["C: AUTH PLAIN {}", "S: 235 ok", "C: MAIL FROM:<a@example.com>"],
    "PLAIN, later": ["C: AUTH PLAIN", "S: 334 ", "C: {}", "S: 235 ok"],
    "lower case, blanks": ["C:   auth  plain   {}", "S: 235 ok"],
    "no mechanism": ["C: AUTH {}", "S: 504 auth type unimplemented (#5.5.1)"],
    "glued": ["C: AUTHPLAIN {}", "S: 502 command AUTHPLAIN {} not recognized (#5.5.2)"],
    "two words": ["C: AUTH LOGIN someone {}", "S: 501 malformed auth input (#5.5.4)"],
    "pipelined": [
        "C: EHLO a",
        "C: AUTH LOGIN",
        f"C: {B64_USER.decode()}",
        "C: {}",
        "S: 250 ok",
        "S: 334 VXNl",
        "S: 535 no",
    ],
    "typed on after the end": ["C: AUTH LOGIN", "S: 504 no", "C: {}", "S: 502 command {} not recognized (#5.5.2)"],
    "wrong prompt": [
        "C: AUTH LOGIN",
        "S: 334 VXNlcm5hbWU6",
        "C: !!",
        "S: 501 malformed",
        "C: {}",
        "S: 502 command {} no",
    ],
    "unfinished": ["C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", "C: {}"],
    "second try": ["C: AUTH PLAIN x", "S: 535 no", "C: AUTH PLAIN {}", "S: 235 ok"],
    "timeout": ["C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", "S: 451 timeout", "C: {}"],
}
"""Where people and programs put a secret; {} is its place."""

SECRETS = {
    "raw": CANARY,
    "Base64": B64_CANARY.decode(),
    "PLAIN": base64.b64encode(f"\0{USER}\0{CANARY}".encode()).decode(),
    "hex": CANARY.encode().hex(),
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("session", SESSIONS.values(), ids=SESSIONS)
def test_secret_is_masked_wherever_it_was_typed(session: list[str], secret: str) -> None:
    """A secret in any of these places, in any form, is neither in a client's line nor repeated by the server."""
    chunks = chunks_of(*(line.replace("{}", secret) for line in session))
    shown = redact(chunks)
    assert secret.encode() not in octets_of(shown, "client") + octets_of(shown, "server")


@pytest.mark.parametrize("session", SESSIONS.values(), ids=SESSIONS)
def test_user_is_masked_with_the_password(session: list[str]) -> None:
    """The user in an answer is part of the answer and goes with it."""
    shown = redact(chunks_of(*(line.replace("{}", B64_CANARY.decode()) for line in session)))
    assert B64_USER not in octets_of(shown, "client")


def test_word_that_smtp_knows_is_a_command_after_the_end() -> None:
    """After a failed exchange a known command is shown: the one place where a password such as "help" would be too."""
    shown = redact(chunks_of("C: AUTH LOGIN", "S: 504 no", "C: HELP", "S: 214 see", "C: MAILFROM:<a@example.com>"))
    assert octets_of(shown, "client") == b"AUTH LOGIN\r\nHELP\r\nMAILFROM:<a@example.com>\r\n"


def test_exchange_masks_even_known_commands() -> None:
    """Within an exchange every line is an answer, whatever it looks like."""
    shown = redact(chunks_of("C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", "C: QUIT", "S: 535 no"))
    assert octets_of(shown, "client") == b"AUTH LOGIN\r\n****\r\n"


def test_cancelling_and_what_follows_success_are_shown() -> None:
    """``*`` is no secret, and after 235 the session is shown again."""
    lines = ["C: AUTH PLAIN", "S: 334 ", "C: *", "S: 501 auth exchange cancelled (#5.0.0)"]
    lines += ["C: AUTH PLAIN x", "S: 235 ok", "C: GARBAGE", "C: MAIL FROM:<a@example.com>"]
    shown = octets_of(redact(chunks_of(*lines)), "client")
    assert shown == b"AUTH PLAIN\r\n*\r\nAUTH PLAIN ****\r\nGARBAGE\r\nMAIL FROM:<a@example.com>\r\n"


def test_empty_answer_looks_like_any_other() -> None:
    """Not even that a password was empty is told."""
    shown = redact(chunks_of("C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", "C: ", "S: 334 UGFzc3dvcmQ6", "C: eA=="))
    assert octets_of(shown, "client") == b"AUTH LOGIN\r\n****\r\n****\r\n"


def test_mail_that_talks_about_auth_stays_whole() -> None:
    """Lines of a message are no commands: nothing in it is masked, and what follows is read as before."""
    lines = [
        "C: DATA",
        "S: 354 go ahead",
        "C: AUTH PLAIN abcdef",
        "C: more",
        "C: .",
        "S: 250 ok",
        "C: AUTH PLAIN abcdef",
    ]
    shown = octets_of(redact(chunks_of(*lines)), "client")
    assert shown == b"DATA\r\nAUTH PLAIN abcdef\r\nmore\r\n.\r\nAUTH PLAIN ****\r\n"


def test_a_mail_of_many_lines_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the dialogue is read line by line; a mail of a million lines costs one search for its dot."""
    read = []
    monkeypatch.setattr(framing, "strip_line_end", lambda line: read.append(line) or line.rstrip(b"\r\n"))
    before = chunks_of("C: MAIL FROM:<>", "S: 250 ok", "C: DATA", "S: 354 go ahead")
    mail = [WireChunk(0, "client", b"AUTH PLAIN AAAA\r\n" * 50_000)] * 20
    after = chunks_of("C: .", "S: 250 ok", "C: AUTH PLAIN AAAA", "S: 235 ok")

    shown = redact([*before, *mail, *after])

    assert (len(read), shown[4:-4], shown[-2].octets) == (8, tuple(mail), b"AUTH PLAIN ****\r\n")


@pytest.mark.parametrize("dot", ["\r\n.\r\n", "\n.\n", "\r\n..\r\n.\r\n", "\r\n.\r\r\n.\r\n"])
def test_dialogue_goes_on_behind_the_dot(dot: str) -> None:
    """A line of one dot ends the mail, whatever its line end; a dot with something else in its line does not."""
    mail = WireChunk(0, "client", f"AUTH PLAIN AAAA{dot}AUTH PLAIN BBBB\r\n".encode())

    shown = redact([*chunks_of("C: DATA", "S: 354 go ahead"), mail])

    assert shown[-1].octets == f"AUTH PLAIN AAAA{dot}AUTH PLAIN ****\r\n".encode()


def test_354_that_nobody_asked_for_opens_no_message() -> None:
    """A server cannot have a password shown by saying 354 within an exchange."""
    shown = redact(chunks_of("C: AUTH LOGIN", "S: 354 go ahead", f"C: {CANARY}"))
    assert CANARY.encode() not in octets_of(shown, "client")


SESSION = SESSIONS["LOGIN"] + ["C: MAIL FROM:<a@example.com>", "S: 250 ok"]


@given(st.lists(st.integers(1, 40), max_size=60))
def test_cutting_of_the_recording_changes_nothing(sizes: list[int]) -> None:
    """However TCP cut the octets, both sides read the same after redaction, and no octet of a secret is left."""
    whole = chunks_of(*(line.replace("{}", B64_CANARY.decode()) for line in SESSION))
    shown = redact(cut(whole, sizes))
    assert octets_of(shown, "client") == b"AUTH LOGIN\r\n****\r\n****\r\nMAIL FROM:<a@example.com>\r\n"
    assert octets_of(shown, "server") == octets_of(whole, "server")


def cut(chunks: list[WireChunk], sizes: list[int]) -> list[WireChunk]:
    """Cut the chunks into pieces of the given sizes; the rest stays whole."""
    left, pieces = iter(sizes), []
    for chunk in chunks:
        at = 0
        while at < len(chunk.octets):
            size = next(left, len(chunk.octets))
            pieces.append(WireChunk(chunk.unix_ns, chunk.direction, chunk.octets[at : at + size]))
            at += size
    return pieces


def test_number_of_chunks_does_not_tell_the_length() -> None:
    """Two secrets of different length, typed octet by octet, leave the same number of chunks."""
    shown = [
        redact(cut(chunks_of(*(line.replace("{}", secret) for line in SESSION)), [1] * 500))
        for secret in ("ab", "abcdefgh")
    ]
    assert len(shown[0]) == len(shown[1])


@given(st.lists(st.tuples(st.sampled_from(["client", "server"]), st.binary(max_size=20)), max_size=12))
def test_any_recording_can_be_redacted_twice(recording: list[tuple[str, bytes]]) -> None:
    """Any octets can be redacted, and what is masked stays masked in the same way."""
    chunks = [WireChunk(at, direction, octets) for at, (direction, octets) in enumerate(recording)]
    once = redact(chunks)
    assert octets_of(redact(once), "client") == octets_of(once, "client")


def test_empty_chunk_stays() -> None:
    """A chunk that was recorded empty is no secret and stays."""
    assert redact([WireChunk(0, "client", b"")]) == (WireChunk(0, "client", b""),)


def test_times_and_directions_stay() -> None:
    """A masked chunk keeps its time and direction."""
    assert redact([WireChunk(7, "client", b"AUTH PLAIN abc\r\n")]) == (WireChunk(7, "client", b"AUTH PLAIN ****\r\n"),)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"AUTH PLAIN AHRpbQB0YW5z\r\n", b"AUTH PLAIN ****\r\n"),
        (b"auth plain AHRpbQB0YW5z", b"auth plain ****"),
        (b"AUTH AHRpbQB0YW5z\n", b"AUTH ****\n"),
        (b"AUTH LOGIN\r\n", b"AUTH LOGIN\r\n"),
        (b"MAIL FROM:<a@example.com> AUTH=<>\r\n", b"MAIL FROM:<a@example.com> AUTH=<>\r\n"),
        (b"", b""),
    ],
)
def test_one_line_loses_its_initial_response(line: bytes, shown: bytes) -> None:
    """redact_line masks what follows the mechanism and keeps everything else."""
    assert redact_line(line) == shown


def test_dialogue_as_text_is_masked_and_shows_control_characters() -> None:
    """The text form masks by default and makes escapes of what a terminal would obey."""
    chunks = chunks_of("S: 220 \x1b[2J\u202e", "C: AUTH PLAIN abc")
    assert format_dialogue(chunks) == "S: 220 \\x1b[2J\\u202e\nC: AUTH PLAIN ****"


def test_secrets_are_shown_only_when_asked_for() -> None:
    """With shows_secrets the text form is complete."""
    chunks = [*chunks_of("C: AUTH PLAIN abc"), WireChunk(9, "server", b"\xff")]
    assert format_dialogue(chunks, shows_secrets=True) == "C: AUTH PLAIN abc\nS: \\xff"


def test_longer_of_two_echoes_is_masked_whole() -> None:
    """Where one masked text begins like another, nothing of the longer one is left in a reply."""
    lines = [
        "C: AUTH LOGIN",
        "S: 334 VXNlcm5hbWU6",
        "C: abcd",
        "S: 334 UGFzc3dvcmQ6",
        "C: abcdef",
        "S: 535 abcdef abcd",
    ]
    assert octets_of(redact(chunks_of(*lines)), "server").endswith(b"535 **** ****\r\n")


def test_short_answer_is_not_looked_for_in_replies() -> None:
    """A masked text below four octets is too common to be taken for an echo."""
    shown = redact(chunks_of("C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", "C: o", "S: 501 malformed auth input (#5.5.4)"))
    assert octets_of(shown, "server").endswith(b"501 malformed auth input (#5.5.4)\r\n")


def test_mask_is_what_stands_for_a_secret() -> None:
    """The mask has a constant length."""
    assert MASK == b"****"


def test_password_typed_before_auth_is_masked_on_wish() -> None:
    """A line that SMTP does not know may be anything: for what is kept it is masked, in the server's echo too."""
    chunks = chunks_of("C: EHLO me", "S: 250 HELP", f"C: {CANARY}", f"S: 502 command {CANARY} not recognized (#5.5.2)")
    kept = format_dialogue(chunks, masks_unknown=True)
    assert kept == "C: EHLO me\nS: 250 HELP\nC: ****\nS: 502 command **** not recognized (#5.5.2)"
    assert CANARY in format_dialogue(chunks)


def test_mail_and_known_commands_stay_when_the_unknown_is_masked() -> None:
    """Only commands are doubted: a mail's text is none."""
    said = [
        "C: MAIL FROM:<a@b>",
        "S: 250 ok",
        "C: DATA",
        "S: 354 go ahead",
        "C: hello there",
        "C: .",
        "S: 250 ok",
        "C: QUIT",
    ]
    assert format_dialogue(chunks_of(*said), masks_unknown=True) == "\n".join(said)
