"""A trace as text, table, JSON and HTML; hostile text in each."""

from __future__ import annotations

import pytest

from indimail_kit import trace
from indimail_kit.trace.story import EVIDENCE, iso, weakest

HOSTILE = "\x1b[31m<script>alert(1)</script>\u202ecod.exe@example.com"


@pytest.fixture
def hostile(write_log):
    """The story of a message whose recipient is an attack."""
    return trace.message(
        5,
        logs=[
            write_log(
                (0, "new msg 5 queue1"),
                (0, "info msg 5: bytes 9 from <a@example.com> qp 7 uid 0 queue1"),
                (1, f"starting delivery 1.1: msg 5 to local {HOSTILE} queue1"),
            )
        ],
    )


def test_hostile_text_cannot_steer_a_terminal(hostile):
    """Every control and direction character is written out, in each line and in the repr."""
    assert [line for line in (*hostile.lines(), repr(hostile)) if not line.isprintable()] == []


def test_hostile_text_cannot_leave_its_html(hostile):
    """Markup in a log line is text."""
    assert ("<script" in hostile._repr_html_(), "&lt;script&gt;" in hostile._repr_html_()) == (False, True)


def test_the_repr_is_one_line(seed_log):
    """What was asked, and how sure the answer is."""
    assert repr(trace.message(660188, logs=[seed_log])) == (
        "<Trace of message 660188: possible, 6 pieces of evidence, 1 gaps, 0 others>"
    )


def test_the_table_has_the_columns_of_its_schema(seed_log):
    """With rows and without, as everywhere."""
    frame = trace.message(660188, logs=[seed_log]).frame()

    EVIDENCE.check(frame)
    assert frame["source"].tolist() == ["scan", "queue", "queue", "delivery", "delivery", "queue"]


def test_the_document_has_the_names_of_the_interface(seed_log):
    """message, evidence with six fields and the reason, confidence, gaps; others only if there are any."""
    document = trace.message(660188, logs=[seed_log]).document()

    assert sorted(document) == ["confidence", "evidence", "gaps", "message", "reason"]
    assert sorted(document["evidence"][0]) == ["confidence", "file", "line", "reason", "source", "text", "time"]


@pytest.mark.parametrize(
    ("confidences", "answer"),
    [
        ([], "certain"),
        (["certain"], "certain"),
        (["likely", "certain"], "likely"),
        (["possible", "likely"], "possible"),
    ],
)
def test_a_chain_is_as_sure_as_its_weakest_link(confidences, answer):
    """From none to three."""
    assert weakest(confidences) == answer


@pytest.mark.parametrize(
    ("unix_ns", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (2**62 * 10**9, f"{2**62}.000 s since 1970"),
    ],
)
def test_a_time_is_told_in_utc_with_milliseconds(unix_ns, text):
    """Also one that no calendar has."""
    assert iso(unix_ns) == text


def test_a_message_that_was_chosen_is_as_sure_as_its_own_story(write_log):
    """Two that fit are possible; the one that is meant has the confidence of its weakest link again."""
    texts = ("new msg 5", "info msg 5: bytes 9 from <a@b.c> qp 7 uid 0", "end msg 5")
    lines = [(second, text) for second in (0, 100) for text in texts]
    told = trace.message(5, logs=[write_log(*lines)])

    assert [(one.confidence, one.alone().confidence) for one in told.candidates] == [("possible", "likely")] * 2
    assert (told.alone().others, told.alone().reason) == ((), told.gaps[0])
