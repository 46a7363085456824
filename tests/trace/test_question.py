"""Questions as a person types them."""

from __future__ import annotations

import pytest

from indimail_kit.errors import TraceError
from indimail_kit.trace import Question, parse_question

AT_NS = 1_795_356_720_000_000_000


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("660188", Question(message_number=660188)),
        (" msg 660188 ", Question(message_number=660188)),
        ("660188 in queue2 life 3", Question(message_number=660188, queue="queue2", lifetime=3)),
        ("qp 6543", Question(qp=6543)),
        ("QP6543, 2026-11-22 14:12", Question(qp=6543, at_ns=AT_NS)),
        ("bob@example.com", Question(address="bob@example.com")),
        (
            "bob@example.com, 2026-11-22T15:12+01:00 ± 60 s",
            Question(address="bob@example.com", at_ns=AT_NS, within_s=60),
        ),
        ("we ird, one@local.test", Question(address="we ird, one@local.test")),
    ],
)
def test_a_question_is_read(text, question):
    """Number, qp or address; queue and life of a number; a time behind a comma, and how far off."""
    assert parse_question(text) == question


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'a message number as in "660188"'),
        ("bob", '"bob" is no question: a message number'),
        ("0", '"0" is no question'),
        ("bob@example.com, 2026-13-22", "2026-13-22 is no time such as"),
        ("\x1b[2J\u202e", r'"\x1b[2J<U+202E>" is no question'),
        ("a@" * 600, "a question of 1,200 characters; at most 1,000"),
    ],
)
def test_what_is_no_question_is_said_so(text, said):
    """The sentence names what stands there, made visible, and what was expected."""
    with pytest.raises(TraceError) as caught:
        parse_question(text)

    assert said in str(caught.value)


def test_a_question_is_asked(seed_log):
    """By each of the three, with the same answer."""
    from indimail_kit.trace import Tracer

    tracer = Tracer(logs=[seed_log])
    told = [parse_question(text).ask(tracer) for text in ("660188", "qp 3223", "MAILSTORE@indimail.org")]

    assert len({(one.message, one.evidence) for one in told}) == 1
