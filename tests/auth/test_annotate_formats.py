"""Variants of the formats: time stamps, TLS marks, trimmed blanks, pieces; always the same dialogue."""

from __future__ import annotations

import base64

import pytest

from indimail_kit.auth.annotate import explain

PLAIN = "AHRpbQB0YW5zdGFhZnRhbnN0YWFm"
DIALOGUE = [
    ("server", "220 mx"),
    ("client", "EHLO c"),
    ("server", "250-mx"),
    ("server", "250 AUTH PLAIN"),
    ("client", f"AUTH PLAIN {PLAIN}"),
    ("server", "235 ok"),
    ("client", "QUIT"),
    ("server", "221 bye"),
]


def written(client: str, server: str, end: str = "") -> str:
    """Return the dialogue with these marks."""
    return "\n".join(f"{client if who == 'client' else server}{text}{end}" for who, text in DIALOGUE) + "\n"


TAI = "@400000006b03f0103717f354"
FORMATS = {
    "swaks": ("swaks", written(" -> ", "<-  ")),
    "swaks under TLS": ("swaks", written(" ~> ", "<~  ")),
    "swaks with errors": ("swaks", written(" -> ", "<** ")),
    "swaks with TLS errors": ("swaks", written("*~> ", "<~* ")),
    "swaks, leading blanks lost": ("swaks", written("-> ", "<- ")),
    "curl": ("curl -v", written("> ", "< ", "\r")),
    "msmtp": ("msmtp", written("--> ", "<-- ", "\r")),
    "recordio": ("recordio", written("77 < ", "77 > ", "\r ")),
    "recordio, blanks at the ends lost": ("recordio", written("77 < ", "77 > ")),
    "recordio with labels": ("recordio", written(f"{TAI} 77 < ", f"{TAI} 77 > ", "\r ")),
    "recordio, labels made readable": (
        "recordio",
        written("2026-11-23 07:49:26.924841 77 < ", "2026-11-23 07:49:26.924841 77 > "),
    ),
    "recordio's add-on with the host": (
        "recordio",
        written("recordio: pid 7: h:10.0.0.1 < ", "recordio: pid 7: h:10.0.0.1 > "),
    ),
    "C and S": ("C:/S:", written("C: ", "S: ")),
    "small letters": ("C:/S:", written("c: ", "s: ")),
    "words": ("C:/S:", written("Client: ", "Server: ")),
    "telnet": ("telnet", written("", "")),
    "telnet, CR": ("telnet", written("", "", "\r\r")),
    "smtplib": ("smtplib", written("send: '", "reply: b'", "\\r\\n'")),
    "aiosmtpd": (
        "aiosmtpd",
        written("INFO:mail.log:('::1', 5, 0, 0) >> b'", "DEBUG:mail.log:('::1', 5, 0, 0) << b'", "'"),
    ),
}


@pytest.mark.parametrize(("name", "text"), FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_same_dialogue(name: str, text: str) -> None:
    """Whoever wrote it down, the steps are the same."""
    explanation = explain(text, show_secrets=True)
    assert (explanation.format, [(step.direction, step.raw) for step in explanation.steps]) == (name, DIALOGUE)


@pytest.mark.parametrize("text", [text for _, text in FORMATS.values()], ids=FORMATS)
def test_octets_are_read_like_text(text: str) -> None:
    """A file is read as octets, and means the same."""
    assert explain(text.encode()) == explain(text)


def test_sessions_of_recordio_are_kept_apart() -> None:
    """Two clients at once: each reply belongs to the command of its own session."""
    lines = [line for pid in (7, 8) for line in written(f"{pid} < ", f"{pid} > ").splitlines()]
    mixed = [line for pair in zip(lines[:8], lines[8:], strict=True) for line in pair]
    explanation = explain("\n".join(mixed))
    assert explanation.summary == ("line 9, PLAIN as tim: accepted.", "line 10, PLAIN as tim: accepted.")


def test_line_that_recordio_cut_is_joined() -> None:
    """A plus sign at the end says that the line goes on; the step has the number of its first piece."""
    text = "7 > 220 mx \n7 < AUTH PL+\n8 > 220 other \n7 < AIN AHRpbQB0YW5z+\n7 < dGFhZnRhbnN0YWFm \n7 > 235 ok "
    steps = explain(text, show_secrets=True).steps
    assert [(step.line, step.raw) for step in steps] == [
        (1, "220 mx"),
        (2, f"AUTH PLAIN {PLAIN}"),
        (3, "220 other"),
        (6, "235 ok"),
    ]


def test_line_that_never_ends_is_kept() -> None:
    """The log ends in the middle of a line."""
    assert [step.raw for step in explain("7 > 220 mx \n7 < EHLO cl+").steps] == ["220 mx", "EHLO cl"]


def test_octets_beyond_ascii_survive_smtplib() -> None:
    r"""A ``\xc3\xa4`` in a literal is the letter it stands for; a lone ``\xe4`` is kept visible."""
    steps = explain("send: 'EHLO c\\r\\n'\nreply: b'250 sch\\xc3\\xb6n \\xe4\\r\\n'\n").steps
    assert steps[1].raw == "250 sch\u00f6n \\xe4"


def test_several_lines_in_one_literal_are_several_steps() -> None:
    """A mail is sent in one piece."""
    text = "send: 'DATA\\r\\n'\n"
    text += "reply: b'354 go ahead\\r\\n'\nsend: b'Subject: x\\r\\n\\r\\nhello\\r\\n.\\r\\n'\nreply: b'250 ok\\r\\n'"
    assert [step.raw for step in explain(text).steps][2:] == ["Subject: x", "", "hello", ".", "250 ok"]


def test_tls_by_starttls_is_understood() -> None:
    """The 220 that answers STARTTLS is no greeting, and what was offered before is forgotten."""
    text = (
        "<-  220 mx\n -> EHLO c\n<-  250-STARTTLS\n<-  250 AUTH PLAIN\n -> STARTTLS\n<-  220 ready\n"
        "=== TLS started with cipher TLSv1.3:TLS_AES_256_GCM_SHA384:256\n ~> EHLO c\n<~  250 AUTH PLAIN\n"
        f" ~> AUTH PLAIN {PLAIN}\n<~  235 ok\n"
    )
    explanation = explain(text)
    assert explanation.summary == ("line 10, PLAIN as tim: accepted.",)
    assert "STARTTLS was offered and not used" not in explanation.as_text()


def test_empty_answer_in_a_telnet_paste_is_an_answer() -> None:
    """A blank line between 334 and a reply was typed; other blank lines are the paste's."""
    steps = explain("auth plain\n334 \n\n501 malformed auth input (#5.5.4)\n\nquit\n221 bye\n").steps
    assert [(step.line, step.direction) for step in steps] == [
        (1, "client"), (2, "server"), (3, "client"), (4, "server"), (5, "note"), (6, "client"), (7, "server"),
    ]  # fmt: skip


def test_mail_in_a_telnet_paste_is_the_clients() -> None:
    """Between 354 and the dot every line was typed, blank ones too."""
    steps = explain("data\n354 go ahead\nSubject: x\n\n% not a prompt\n.\n250 ok\nquit\n221 bye\n").steps
    assert {step.direction for step in steps[2:6]} == {"client"}


def test_blanks_around_an_answer_have_a_role() -> None:
    """Blanks before and behind the Base64 are told as such."""
    step = explain("C: AUTH PLAIN\nS: 334 \nC:  AHRpbQB0YW5z \nS: 535 no", show_secrets=True).steps[2]
    assert [(part.role, part.text) for part in step.parts] == [
        ("white space", " "),
        ("NUL", "\0"),
        ("user", "tim"),
        ("NUL", "\0"),
        ("password", "tans"),
        ("white space", " "),
    ]


def test_dialogue_without_replies_is_read() -> None:
    """Only what was typed: commands are known by their words."""
    explanation = explain(f"EHLO c\nAUTH PLAIN {PLAIN}\n")
    assert (explanation.format, explanation.summary) == ("telnet", ("line 2, PLAIN as tim: no reply to it here.",))


def test_dialogue_that_begins_in_the_middle_is_read() -> None:
    """The first line is a 334: the mechanism shows by its challenge."""
    text = "S: 334 PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg==\n"
    text += "C: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\nS: 535 no"
    assert explain(text).summary[0].startswith("line 2, CRAM-MD5 as tim: refused")


@pytest.mark.parametrize("text", ["\udcff\ud800", "S: 220 \ud800\udcff\nC: AUTH PLAIN \udcff\ud800\nS: 535 \ud800"])
def test_lone_surrogates_are_no_problem(text: str) -> None:
    """Text that no encoding can write is shown with escapes."""
    explanation = explain(text, show_secrets=True)
    assert "\ud800" not in explanation.as_text() + repr(explanation.as_document())


OAUTHBEARER = {
    "RFC 7628": (
        "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmT\x01\x01",
        "token",
    ),
    "no control-A": ("n,a=user@example.com,auth=Bearer x", "not understood"),
    "a field out of form": ("n,a=user@example.com,\x01!\x01auth=Bearer x\x01\x01", "not understood"),
}


@pytest.mark.parametrize(("message", "role"), OAUTHBEARER.values(), ids=OAUTHBEARER)
def test_oauthbearer_is_taken_apart(message: str, role: str) -> None:
    """RFC 7628 section 4's example, and what breaks its grammar."""
    step = explain(f"AUTH OAUTHBEARER {base64.b64encode(message.encode()).decode()}").steps[0]
    assert role in {part.role for part in step.parts}
