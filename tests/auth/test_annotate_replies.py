"""What a reply means and where a command may not stand: IndiMail's recorded dialogues, then other servers' texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indimail_kit.auth.annotate import explain
from indimail_kit.auth.annotate_replies import PLACES, RULES

DATA = Path(__file__).parent.parent / "data" / "indimail" / "auth" / "transcripts.json"
RECORDED: dict[str, list[str]] = json.loads(DATA.read_text())
RULE_SENTENCES = {row.name: row.sentence for row in RULES}
PLAIN = "AHBvc3RtYXN0ZXJAZXhhbXBsZS5jb20AcGFzcw=="


def recorded(name: str) -> str:
    """Return a recorded dialogue of a real IndiMail as text."""
    return "\n".join(line.replace("      <-- second reply", "") for line in RECORDED[name])


def verdicts(dialogue: str) -> str:
    """Return all verdicts."""
    return "\n".join(step.verdict for step in explain(dialogue).steps)


SECOND_REPLIES = (
    "LOGIN empty user",
    "PLAIN malformed one field",
    "PLAIN cancel",
    "CRAM-MD5 no space",
    "checkpassword crash",
)


@pytest.mark.parametrize("name", SECOND_REPLIES)
def test_second_reply_is_indimails_fault(name: str) -> None:
    """The 454 behind a 501 or a crash is told as the server's known fault, not as the client's."""
    assert "A second reply that nothing asked for: a known fault of IndiMail's qmail-smtpd" in verdicts(recorded(name))


CLEAN = ("LOGIN ok", "PLAIN ok", "CRAM-MD5 ok", "DIGEST-MD5 ok", "AUTH no arg", "2531 SECURE_AUTH no TLS: AUTH PLAIN")


@pytest.mark.parametrize("name", CLEAN)
def test_no_second_reply_is_seen_where_there_is_none(name: str) -> None:
    """A dialogue in step is not called out of step."""
    assert "out of step" not in verdicts(recorded(name))


TOLD = {
    "SECURE_AUTH": ("TLS wanted", recorded("2531 SECURE_AUTH no TLS: AUTH PLAIN")),
    "no checkpassword": ("AUTH not available", recorded("2532 no checkpassword")),
    "unknown mechanism": ("mechanism unknown", recorded("unknown mechanism")),
    "cancelled": ("cancelled", recorded("PLAIN cancel")),
    "AUTH PLAIN =": ("AUTH PLAIN = crashes", recorded("PLAIN initial = sign")),
    "checker exits 111": ("temporary failure", recorded("checkpassword exit 111")),
    "checker crashes": ("checker failed", recorded("checkpassword crash")),
    "AUTH twice": (
        "AUTH twice",
        f"C: AUTH PLAIN {PLAIN}\nS: 235 ok\nC: AUTH LOGIN\nS: 503 you're already authenticated (#5.5.0)",
    ),
    "AUTH in a mail": (
        "AUTH in a mail",
        (
            "C: EHLO c\nS: 250 AUTH LOGIN\nC: MAIL FROM:<a@b>\nS: 250 ok\nC: AUTH LOGIN\n"
            "S: 503 no auth during mail transaction"
            " (#5.5.0)"
        ),
    ),
    "EHLO first": ("EHLO missing", "S: 220 mx\nC: AUTH LOGIN\nS: 503 5.5.1 Error: send HELO/EHLO first"),
    "not here": ("AUTH refused here", "C: AUTH LOGIN\nS: 503 bad sequence"),
    "Google's two factors": (
        "application password wanted",
        f"C: AUTH PLAIN {PLAIN}\nS: 534-5.7.9 Application-specific password required.\nS: 534 5.7.9 learn more",
    ),
    "Microsoft's basic authentication": (
        "basic authentication switched off",
        f"C: AUTH PLAIN {PLAIN}\nS: 535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
    ),
    "password transition": (
        "password change needed",
        "C: AUTH CRAM-MD5\nS: 432 4.7.12 A password transition is needed",
    ),
    "weak mechanism": ("mechanism too weak", "C: AUTH LOGIN\nS: 534 5.7.9 Authentication mechanism is too weak"),
    "line too long": (
        "too long",
        "C: AUTH PLAIN\nS: 334 \nC: AAAA\nS: 500 5.5.6 authentication exchange line is too long",
    ),
    "REQUIREAUTH": (
        "login required",
        "C: EHLO c\nS: 250 AUTH LOGIN\nC: MAIL FROM:<a@b>\nS: 530 authentication required (#5.7.1)",
    ),
    "relaying": (
        "relaying needs a login",
        (
            "C: RCPT TO:<a@b>\n"
            "S: 553 sorry, that domain isn't allowed to be relayed thru this MTA without authentication #5.7.1"
        ),
    ),
    "thrown out": ("too many errors", "C: AUTH LOGIN\nS: 421 too many errors"),
    "command after the exchange": (
        "a command after the exchange",
        (
            "S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\n"
            "S: 501 auth exchange cancelled (#5.0.0)\nC: cGFzcw==\n"
            "S: 502 command not recognized"
        ),
    ),
    "a reply too many": ("out of step", "S: 220 mx\nC: EHLO c\nS: 250 AUTH LOGIN\nS: 250 ok"),
    "a second reply": ("a second reply", recorded("PLAIN cancel")),
    "greeting": ("the greeting", "S: 220 mx"),
    "malformed": ("", recorded("PLAIN malformed one field")),
}
"""Situation -> (name of the row, dialogue)."""


@pytest.mark.parametrize(("name", "dialogue"), TOLD.values(), ids=TOLD)
def test_reply_is_told(name: str, dialogue: str) -> None:
    """The verdict has the sentence of the reply's row."""
    assert RULE_SENTENCES[name] in verdicts(dialogue)


def test_every_row_of_the_replies_has_a_case() -> None:
    """No row is without a dialogue that reaches it."""
    assert set(RULE_SENTENCES) - {name for name, _ in TOLD.values()} == set()


PLACED = {
    "name forgotten, Base64 in its place": (
        "mechanism forgotten",
        f"C: AUTH {PLAIN}\nS: 504 auth type unimplemented (#5.5.1)",
    ),
    "twice": ("twice", f"C: AUTH PLAIN {PLAIN}\nS: 235 ok\nC: AUTH LOGIN\nS: 503 already"),
    "in a mail": ("in a mail", "C: MAIL FROM:<a@b>\nS: 250 ok\nC: AUTH LOGIN\nS: 503 no auth during mail transaction"),
    "after HELO": ("after HELO", "S: 220 mx\nC: HELO c\nS: 250 mx\nC: AUTH LOGIN\nS: 503 not now"),
    "without EHLO": ("without EHLO", "S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6"),
    "not offered": ("not offered", "C: EHLO c\nS: 250-mx\nS: 250 AUTH LOGIN PLAIN\nC: AUTH CRAM-MD5\nS: 504 no"),
    "nothing offered": ("nothing offered", "C: EHLO c\nS: 250-mx\nS: 250 STARTTLS\nC: AUTH LOGIN\nS: 503 no"),
}


@pytest.mark.parametrize(("name", "dialogue"), PLACED.values(), ids=PLACED)
def test_wrong_place_of_auth_is_told(name: str, dialogue: str) -> None:
    """The AUTH command's own verdict says what is wrong with where it stands."""
    assert PLACES[name] in verdicts(dialogue)


def test_every_place_has_a_case() -> None:
    """No place is without a dialogue."""
    assert set(PLACES) == {name for name, _ in PLACED.values()}


FRAMED = {
    "= after 334": ("stands for nothing only behind AUTH", "C: AUTH PLAIN\nS: 334 \nC: =\nS: 501 malformed"),
    "= behind AUTH": ("is an initial response of no octets", "C: AUTH PLAIN =\nS: 501 malformed"),
    "* cancels": ('"*" cancels the exchange', recorded("PLAIN cancel")),
    "QUIT at the 334": ("after 334 the server takes every line for an answer", recorded("LOGIN bad base64")),
    "initial response for CRAM": (
        "qmail-smtpd ignores it and sends its challenge",
        recorded("CRAM-MD5 with initial response"),
    ),
    "AUTH=LOGIN": ("is what some servers announce", "S: 220 mx\nC: AUTH=LOGIN\nS: 502 no"),
    "answer after the exchange": (
        "The exchange was over already: the server takes this line for a command",
        "S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: x\nS: 501 malformed auth input (#5.5.4)\nC: cGFzcw==",
    ),
    "STARTTLS offered, not used": (
        "STARTTLS was offered and not used",
        f"C: EHLO c\nS: 250-STARTTLS\nS: 250 AUTH PLAIN\nC: AUTH PLAIN {PLAIN}\nS: 235 ok",
    ),
    "token refused": ("The server refuses the token and says why, in JSON", recorded("XOAUTH2 wrong")),
}
"""Situation -> (piece of the sentence, dialogue)."""


@pytest.mark.parametrize(("fragment", "dialogue"), FRAMED.values(), ids=FRAMED)
def test_framing_of_rfc_4954_is_told(fragment: str, dialogue: str) -> None:
    """``=``, ``*``, commands within an exchange, early and late answers have their sentence."""
    assert fragment in verdicts(dialogue)


def test_connection_closed_after_digest_md5_is_told() -> None:
    """IndiMail closes without a reply when a DIGEST-MD5 password is wrong; the summary says so."""
    (sentence,) = explain(recorded("DIGEST-MD5 wrong")).summary
    assert "closes the connection without a reply when a DIGEST-MD5 password is wrong" in sentence


def test_out_of_order_reply_is_not_taken_for_the_login() -> None:
    """A mail after a login, whose text curl does not show, keeps replies and commands in step."""
    dialogue = "> DATA\n< 354 go ahead\n} [19 bytes data]\n< 250 ok\n> QUIT\n< 221 bye"
    assert "out of step" not in verdicts(dialogue)


OUTCOMES = {
    "LOGIN ok": "accepted.",
    "CRAM-SHA512 ok": "accepted.",
    "DIGEST-MD5 ok": "accepted.",
    "PLAIN wrong": "refused; the octets do not tell why.",
    "CRAM-MD5 wrong": "refused; the octets do not tell why.",
    "CRAM-MD5 upper case hex": "refused. Seen: digest in upper case.",
}


@pytest.mark.parametrize(("name", "end"), OUTCOMES.items(), ids=OUTCOMES)
def test_recorded_dialogue_ends_as_it_did(name: str, end: str) -> None:
    """The summary of a recorded dialogue says how IndiMail ended it."""
    (sentence,) = explain(recorded(name)).summary
    assert sentence.endswith(end)


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_line_is_a_step(name: str) -> None:
    """No line of a recorded dialogue disappears."""
    text = recorded(name)
    assert [step.line for step in explain(text).steps] == list(range(1, text.count("\n") + 2))
