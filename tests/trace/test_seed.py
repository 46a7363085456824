"""The trap of the text of 2010: clamd's line for 660188 is 73 s older than "new msg 660188"."""

from __future__ import annotations

from indimail_kit import trace


def test_a_scan_long_before_is_possible_and_not_the_same_for_sure(seed_log):
    """The number may have been another message's at 02:59:41; the story says so and is no surer than that."""
    told = trace.message(660188, logs=[seed_log])
    (scan,) = told.of("scan")

    assert (scan.confidence, told.confidence) == ("possible", "possible")
    assert 'same number, 74 s before "new msg"; the number may have been another message\'s then' in scan.reason


def test_the_lines_of_the_message_itself_are_certain(seed_log):
    """Six lines of qmail-send without the status lines, in their order."""
    told = trace.message(660188, logs=[seed_log])

    assert [(one.source, one.line_number, one.confidence) for one in told.evidence if one.source != "scan"] == [
        ("queue", 2, "certain"),
        ("queue", 3, "certain"),
        ("delivery", 4, "certain"),
        ("delivery", 6, "certain"),
        ("queue", 8, "certain"),
    ]


def test_what_is_missing_is_said(seed_log):
    """There is no log of qmail-smtpd in the text."""
    told = trace.message(660188, logs=[seed_log])

    assert told.gaps == ("session: no evidence: no log of qmail-smtpd and no recorded session was given",)


def test_number_address_and_qp_lead_to_the_same_story(seed_log):
    """Three questions, one message."""
    tracer = trace.Tracer(logs=[seed_log])
    stories = [tracer.message(660188), tracer.address("mailstore@indimail.org"), tracer.qp(3223)]

    assert len({(one.message, one.evidence, one.gaps) for one in stories}) == 1
