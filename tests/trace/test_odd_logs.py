"""Logs as they come: without stamps, empty, in any order, with lines that somebody forged or lost."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit import logs, trace
from indimail_kit.errors import TraceError
from indimail_kit.tai64 import to_tai64n

NUMBERS = st.sampled_from([5, 6])
ENVELOPE = "MAIL from <a@example.com> RCPT <b@example.com> AUTH <> Size: 9 TLS=No"
TEMPLATES = (
    "new msg {n} queue1",
    "info msg {n}: bytes 9 from <a@example.com> qp {n} uid 0 queue1",
    "info: todo-proc: queue1: subdir=todo/5 fn=todo/5/{n}",
    "local: a@example.com b@example.com {n} 9 bytes queue1 opendir mode",
    "starting delivery {n}.1: msg {n} to local b@example.com queue1",
    "delivery {n}.1: success: did_1+0+0/ queue1",
    "delivery {n}.1: deferral: later/ queue1",
    "bounce msg {n} qp 6 queue1",
    "end msg {n} qmail-send: queue1",
    "new msg {n}",
    "info: qmail-send: pid 9: /var/indimail/queue/queue1: ratelimit=OFF, loglock=disabled, conf split=151",
    "/var/indimail/queue/queue1/mess/5/{n}: OK",
    "/var/indimail/queue/queue1/mess/5/{n}: Eicar-Test-Signature FOUND",
    "instream(local): OK",
    "tcpserver: pid {n} from 192.0.2.1",
    "tcpserver: status: 0/30 startup, pid={n}, TLS=disabled, use sql=NO",
    f"qmail-smtpd: pid {{n}} from 192.0.2.1  HELO <h> {ENVELOPE}",
    f"qmail-smtpd: pid {{n}} from 192.0.2.1 qq full (#4.3.0) (temporary): HELO <h> {ENVELOPE} qp {{n}}",
    "tcpserver: status: 0/30 sigchild, pid={n}",
    "no line of anybody {n}",
)
LINES = st.lists(st.tuples(st.sampled_from(TEMPLATES), NUMBERS, st.one_of(st.none(), st.integers(0, 40))), max_size=40)


@given(LINES)
def test_any_lines_in_any_order_give_stories_or_a_clear_refusal(drawn):
    """No exception but TraceError; and each piece of evidence is a line of the log, word for word."""
    lines = [
        (b"" if at is None else to_tai64n((1_268_622_000 + at) * 10**9) + b" ") + template.format(n=number).encode()
        for template, number, at in drawn
    ]
    tracer = trace.Tracer(logs=[logs.read(b"".join(line + b"\n" for line in lines))])
    stories = []
    for ask in (
        lambda: tracer.message(5),
        lambda: tracer.qp(6),
        lambda: tracer.address("b@example.com", at_ns=1_268_622_010 * 10**9),
    ):
        with suppress(TraceError):
            stories += ask().candidates

    told = [one for story in stories for one in story.evidence]
    assert [one for one in told if not lines[one.line_number - 1].endswith(one.text.encode())] == []
    assert [story for story in stories if not (list(story.lines()) and story.evidence)] == []


def test_a_log_without_stamps_has_a_story_without_times():
    """Lines are joined by their order then, scans not at all; and that is said."""
    told = trace.message(
        5,
        logs=[
            logs.read(
                b"/var/indimail/queue/queue1/mess/5/5: OK\nnew msg 5 queue1\n"
                b"info msg 5: bytes 9 from <a@b> qp 7 uid 0 queue1\nend msg 5 qmail-send: queue1\n"
            )
        ],
    )

    assert ([one.unix_ns for one in told.evidence], told.of("scan")) == ([None] * 3, ())
    assert "scan: cannot be joined: the log has no time of message 5" in told.gaps
    assert [gap for gap in told.gaps if "birth" in gap] == []


def test_nothing_at_all_is_refused_in_words():
    """A tracer without anything."""
    with pytest.raises(TraceError, match="no evidence of qp 7 in nothing: no log, queue or mailbox was given"):
        trace.qp(7)


def test_scans_alone_are_possible_and_nothing_more(write_log):
    """A number that only clamd names: nobody can tell whose file it was."""
    path = "/var/indimail/queue/queue1/mess/5/5"
    told = trace.message(5, logs=[write_log((0, f"{path}: OK"), (9, f"{path}: OK"))])

    assert ([one.confidence for one in told.evidence], told.message.queue) == (["possible", "possible"], "queue1")
    assert told.gaps == ("queue: no log of qmail-send that was given tells of it, and no queue",)


def test_what_is_under_way_and_what_never_began_are_gaps(write_log):
    """One delivery without an end, one recipient without a delivery, no end of the message."""
    told = trace.message(
        5,
        logs=[
            write_log(
                (0, "new msg 5 queue1"),
                (0, "info msg 5: bytes 9 from <a@example.com> qp 7 uid 0 queue1"),
                (0, "local: a@example.com b@example.com 5 9 bytes queue1 opendir mode"),
                (0, "remote: a@example.com c@example.net 5 9 bytes queue1 opendir mode"),
                (1, "starting delivery 1.1: msg 5 to local b@example.com queue1"),
            )
        ],
    )

    assert [gap for gap in told.gaps if gap.startswith("delivery")] == [
        "delivery: the one to b@example.com is under way at the end of the log",
        "delivery: no evidence of one to c@example.net",
    ]


def test_a_bounce_that_is_not_in_the_queue_is_a_gap(write_log):
    """The line "bounce msg" names its qp, and no message has it."""
    told = trace.message(
        5,
        logs=[
            write_log(
                (0, "new msg 5 queue1"),
                (0, "info msg 5: bytes 9 from <a@example.com> qp 7 uid 0 queue1"),
                (1, "bounce msg 5 qp 8 queue1"),
                (1, "end msg 5 qmail-send: queue1"),
            )
        ],
    )

    assert "bounce: no evidence of its bounce, qp 8, in the queue" in told.gaps


def test_a_life_whose_beginning_is_cut_off_is_possible_for_an_earlier_time(write_log):
    """The number may have been another message's before the log begins."""
    log = write_log(
        (100, "starting delivery 9.1: msg 5 to local b@example.com queue1"),
        (101, "delivery 9.1: success: did_1+0+0/ queue1"),
        (101, "end msg 5 qmail-send: queue1"),
    )
    at_ns = trace.message(5, logs=[log]).message.began_ns - 90 * 10**9
    told = trace.message(5, logs=[log], at_ns=at_ns)

    assert (told.confidence, told.reason) == (
        "possible",
        "its birth is not in the log: it may have been another message's number then",
    )


def test_a_line_that_a_sender_forged_is_no_evidence(write_log):
    """An address with a line of qmail-send in it stays inside its own line."""
    told = trace.message(
        5,
        logs=[
            write_log(
                (0, "new msg 5 queue1"),
                (0, "info msg 5: bytes 9 from <x_end_msg_6_qmail-send:_queue1@example.com> qp 7 uid 0 queue1"),
            )
        ],
    )

    assert len(told.evidence) == 2
    with pytest.raises(TraceError):
        trace.message(6, logs=[write_log((0, "new msg 5 queue1"), (0, "info msg 5: bytes 9 from <end msg 6> qp 7"))])


def test_more_than_twenty_others_are_counted(write_log):
    """The text stays short; table and JSON have all of them."""
    lines = [
        line
        for at in range(30)
        for line in (
            (at, "new msg 5 queue1"),
            (at, f"info msg 5: bytes 9 from <a@example.com> qp {at + 1} uid 0 queue1"),
            (at + 0.5, "end msg 5 qmail-send: queue1"),
        )
    ]
    told = trace.message(5, logs=[write_log(*lines)])

    assert ([*told.lines()][-1], len(told.document()["others"])) == ("  … and 9 more", 29)


def test_a_long_log_is_cut_only_when_somebody_asks() -> None:
    """An administrator's desk has a tracer ready for every log, and many a night nobody asks it."""

    class Untouchable:
        name = "a log"

        @property
        def blocks(self) -> object:
            raise AssertionError("read before a question")

    tracer = trace.Tracer(logs=[Untouchable()])

    with pytest.raises(AssertionError, match="before a question"):
        tracer.message(5)
