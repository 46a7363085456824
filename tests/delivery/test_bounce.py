"""What senders are told."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.bounce import BouncePlan, BounceSettings, bounce_block, plan_bounce, render_bounce

SETTINGS = BounceSettings("mx1.indikit.test")


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        pytest.param(b"ann@a.test", BouncePlan("single", b"", b"ann@a.test", b"ann@a.test"), id="a person"),
        pytest.param(b"", BouncePlan("double", b"#@[]", b"postmaster@mx1.indikit.test", b""), id="a bounce"),
        pytest.param(b"#@[]", BouncePlan("triple", b"", b"", b"#@[]"), id="a double bounce"),
        pytest.param(
            b"carol@local.test-@[]",
            BouncePlan("single", b"", b"carol@local.test", b"carol@local.test"),
            id="a variable return path",
        ),
    ],
)
def test_bounce_goes_to_the_sender_the_postmaster_or_nobody(sender: bytes, expected: BouncePlan) -> None:
    """qmail-send(8); the recorded log shows each of the four."""
    assert plan_bounce(sender, settings=SETTINGS) == expected


@pytest.mark.parametrize(
    ("double_bounce_to", "recipient"),
    [
        pytest.param("root", b"root@mx1.indikit.test", id="a user"),
        pytest.param("root@a.test", b"root@a.test", id="an address"),
        pytest.param("@a.test", b"", id="nobody"),
    ],
)
def test_double_bounces_go_where_the_control_file_says(double_bounce_to: str, recipient: bytes) -> None:
    """An address that begins with "@" throws double bounces away, as the recorded "double bounce: discarding" did."""
    plan = plan_bounce(b"", settings=BounceSettings("mx1.indikit.test", double_bounce_to=double_bounce_to))

    assert (plan.rank, plan.recipient, plan.is_discarded) == ("double", recipient, not recipient)


def test_paragraphs_are_those_of_the_real_program(recorded: Callable[[str], dict[str, bytes]]) -> None:
    """A recorded bounce file, block for block."""
    remote_report = (
        b"From: <ann@local.test> RCPT: <reject1@remote.test> 127.0.0.1 does not like recipient.\n"
        b"Remote host said: 550 5.1.1 sorry, no mailbox here by that name\nGiving up on 127.0.0.1.\n"
    )
    ours = bounce_block(b"fail@local.test", b"no way\n") + bounce_block(b"reject1@remote.test", remote_report)

    assert ours == recorded("s5-deferred-and-bounce-queue1")["bounce/1704474"]


@pytest.mark.parametrize(
    ("report", "block"),
    [
        pytest.param(b"", b"<a@b>:\n\n", id="no reason"),
        pytest.param(b"no newline", b"<a@b>:\nno newline\n\n", id="no newline"),
        pytest.param(b"a\n\nb\n", b"<a@b>:\na\n/b\n\n", id="an empty line"),
        pytest.param(b"a\n\n\nb\n", b"<a@b>:\na\n//b\n\n", id="two empty lines"),
    ],
)
def test_empty_line_in_a_reason_cannot_end_its_paragraph(report: bytes, block: bytes) -> None:
    """qmail-send.c addbounce(): a newline behind a newline becomes "/"."""
    assert bounce_block(b"a@b", report) == block


@given(recipient=st.binary(max_size=20), report=st.binary(max_size=60))
def test_block_is_always_one_paragraph(recipient: bytes, report: bytes) -> None:
    """Whatever a remote host says, exactly one empty line ends the block."""
    block = bounce_block(recipient.replace(b"\0", b""), report.replace(b"\0", b""))

    assert block.index(b"\n\n") == len(block) - 2


def paragraphs(bounce: bytes) -> list[bytes]:
    """Split the body of a bounce as a QSBMF reader does, up to and with the paragraph that begins with a dash."""
    body = bounce.partition(b"\n\n")[2]
    first, *others = body.split(b"\n\n")
    end = next(place for place, text in enumerate(others) if text.startswith(b"-"))
    return [first, *others[: end + 1]]


def rendered(sender: bytes = b"ann@a.test", message: bytes = b"Subject: hi\n\nbody\n", **options: bool) -> bytes:
    """Write a bounce about two recipients."""
    blocks = bounce_block(b"x@y.test", b"no way\n") + bounce_block(b"z@y.test", b"full\n")
    plan = plan_bounce(sender, settings=SETTINGS)
    return render_bounce(plan, settings=SETTINGS, unix_s=1795356840, blocks=blocks, message=message, **options)


@pytest.mark.parametrize("sender", [b"ann@a.test", b""], ids=["single", "double"])
def test_bounce_has_the_form_of_qsbmf(sender: bytes) -> None:
    """A paragraph "Hi. This is the …", one a recipient, one with a dash, then the message."""
    bounce = rendered(sender)
    first, one, two, last = paragraphs(bounce)

    assert first.startswith(b"Hi. This is the qmail-send program at mx1.indikit.test.\n")
    assert (one, two) == (b"<x@y.test>:\nno way", b"<z@y.test>:\nfull")
    assert re.fullmatch(rb"--- [^\n]+", last)
    assert bounce.endswith(b"\n\nReturn-Path: <" + sender + b">\nSubject: hi\n\nbody\n")


def test_header_of_a_bounce_is_complete() -> None:
    """RFC 5322 wants Date and From; the date is the UTC time of the clock."""
    assert rendered().partition(b"\n\n")[0] == (
        b"Date: Sun, 22 Nov 2026 14:14:00 +0000\n"
        b"From: MAILER-DAEMON@mx1.indikit.test\n"
        b"To: ann@a.test\n"
        b"Subject: failure notice"
    )


def test_sender_with_a_newline_cannot_forge_a_header_of_the_bounce() -> None:
    """The address stays on its line."""
    header = rendered(b"ann\nBcc: all@b.test@a.test").partition(b"\n\n")[0]

    assert [line.partition(b":")[0] for line in header.split(b"\n")] == [b"Date", b"From", b"To", b"Subject"]


def test_cut_copy_says_so() -> None:
    """A copy that is not whole ends with a line about it."""
    assert rendered(is_cut=True).startswith(rendered())
    assert rendered(is_cut=True).endswith(b"left out here.\n")
