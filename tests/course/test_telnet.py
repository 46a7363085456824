"""Typing at the lab: what goes over the wire is recorded, and printed with its secrets masked."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from indimail_kit.auth import annotate
from indimail_kit.course import type_lines
from indimail_kit.lab import Lab

CHALLENGE = b"<20137.1267585100@indimail.org>"


@pytest.fixture(scope="module")
def lab():
    """A lab that gives the seed's challenge."""
    with Lab(seed=1, scanner="embedded", challenge=CHALLENGE) as one:
        yield one


SEED = {
    "LOGIN": ("auth login", "cG9zdG1hc3RlckBleGFtcGxlLmNvbQ==", "cGFzcw=="),
    "PLAIN": ("auth plain AHBvc3RtYXN0ZXJAZXhhbXBsZS5jb20AcGFzcw==",),
    "CRAM-MD5": (
        "auth cram-md5",
        "cG9zdG1hc3RlckBleGFtcGxlLmNvbSBjZWU4Mzk3YWIxMjNhMGQ0ZjNhN2ZkZGJiOWNiODcxOQ==",
    ),
}
"""The seed text's three sessions."""

PROMPTS = {
    "LOGIN": ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"],
    "PLAIN": [],
    "CRAM-MD5": ["334 PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg=="],
}
"""What the seed text's server asks."""


@pytest.mark.parametrize("name", SEED)
def test_the_seeds_sessions_succeed(lab, name):
    """Byte for byte: the seed's lines, the seed's prompts, the seed's 235."""
    typed = type_lines(lab, *SEED[name])
    said = [chunk.octets.decode().strip() for chunk in typed.chunks if chunk.direction == "server"]

    assert (said[1:], typed.reply) == ([*PROMPTS[name], "235 ok, go ahead (#2.0.0)"], "235 ok, go ahead (#2.0.0)")


@pytest.mark.parametrize("name", SEED)
def test_secrets_are_masked_unless_asked_for(lab, name):
    """In the repr and in HTML; the learner may ask for the text as it was typed."""
    typed = type_lines(lab, *SEED[name])
    secret = SEED[name][-1].split()[-1]

    assert (secret in repr(typed), secret in typed._repr_html_(), secret in typed.text(shows_secrets=True)) == (
        False,
        False,
        True,
    )


@pytest.mark.parametrize("name", SEED)
def test_what_was_typed_can_be_typed_again(lab, name):
    """What a listener has is what the client sent."""
    assert type_lines(lab, *SEED[name]).client_lines == SEED[name]


def test_the_recording_can_be_explained(lab):
    """The explainer takes the chunks as they are."""
    explanation = annotate.explain(type_lines(lab, "helo me", *SEED["PLAIN"]).chunks)

    assert "PLAIN as postmaster@example.com: accepted" in explanation.summary[0]


def test_a_whole_mail_can_be_typed(lab):
    """Within the text the server is silent; after the dot it speaks again; after quit it hangs up."""
    lines = (
        "ehlo me",
        *SEED["PLAIN"],
        "mail from:<postmaster@example.com>",
        "rcpt to:<bob@example.com>",
        "data",
        "Subject: typed",
        "",
        "Hello",
        ".",
        "quit",
        "never typed",
    )
    typed = type_lines(lab, *lines)
    said = [chunk.octets[:3].decode() for chunk in typed.chunks if chunk.direction == "server"]

    assert (said[-6:], typed.client_lines) == (["235", "250", "250", "354", "250", "221"], lines[:-1])


@pytest.mark.parametrize("line", ["noop\nquit", "noop\r", "\n"])
def test_a_line_with_a_line_end_is_refused(lab, line):
    """One line would be two commands, as in an injection."""
    with pytest.raises(ValueError, match="without a line end"):
        type_lines(lab, line)


def test_no_connection_is_an_error():
    """A lab that has stopped is told apart from one that is silent."""
    with pytest.raises(OSError, match="refused"):
        type_lines(SimpleNamespace(host="127.0.0.1", port=1), "noop")
