"""Which scan and which session are a message's: each case in which a join by number, or by time, would be wrong."""

from __future__ import annotations

import pytest

from indimail_kit import trace
from indimail_kit.errors import TraceError

PATH = "/var/indimail/queue/queue1/mess/16/660188"


def life(at: float, qp: int, *, sender: str = "ann@example.com", recipient: str = "bob@example.com", ends: float = 0.5):
    """The lines of one message 660188 of 900 octets in queue1, preprocessed at a second and gone soon after."""
    return [
        (at, "info: todo-proc: queue1: subdir=todo/16 fn=todo/16/660188"),
        (at, "new msg 660188 queue1"),
        (at, f"info msg 660188: bytes 900 from <{sender}> qp {qp} uid 555 queue1"),
        (at, f"local: {sender or '<>'} {recipient} 660188 900 bytes queue1 opendir mode"),
        (at, f"starting delivery {qp}.1: msg 660188 to local {recipient} queue1"),
        (at + ends, f"delivery {qp}.1: success: did_1+0+0/ queue1"),
        (at + ends, "end msg 660188 qmail-send: queue1"),
    ]


def session(
    at: float, pid: int, *, sender: str = "ann@example.com", recipient: str = "bob@example.com", size: int = 900
):
    """The lines of an SMTP session of a second in which a mail is accepted."""
    envelope = f"MAIL from <{sender}> RCPT <{recipient}> AUTH <local-rcpt> Size: {size}"
    return [
        (at - 0.5, f"tcpserver: pid {pid} from 192.0.2.7"),
        (at, f"qmail-smtpd: pid {pid} from 192.0.2.7  HELO <h> {envelope} TLS=No"),
        (at + 0.5, f"tcpserver: status: 0/30 sigchild, pid={pid}"),
    ]


def tracer_of(write_log, *parts, **options):
    """A tracer of lines in the order of time; lines of one moment stay in the order given."""
    lines = sorted((line for part in parts for line in part), key=lambda line: line[0])
    return trace.Tracer(logs=[write_log(*lines)], **options)


def scans_of(told):
    """Confidence of each scan that a story has."""
    return [one.confidence for one in told.of("scan")]


def test_the_scan_right_before_a_message_is_its_own(write_log):
    """Same queue and number, a moment before, and the number was nobody else's."""
    told = tracer_of(write_log, life(10, 1), [(29.9, f"{PATH}: OK")], life(30, 2)).qp(2)

    assert scans_of(told) == ["certain"]


def test_the_scan_of_an_earlier_life_is_a_gap(write_log):
    """The sketch of LOOK: nothing in this lifetime, and the earlier one is named."""
    told = tracer_of(write_log, [(9.9, f"{PATH}: OK")], life(10, 1), life(30, 2)).qp(2)

    assert (scans_of(told), told.gaps[-1].partition(" in this lifetime ")[::2]) == (
        [],
        (
            "scan: no evidence: the scanner's log has nothing for 660188",
            "(the one at 2010-03-15T03:00:09.900Z belongs to an earlier message)",
        ),
    )


@pytest.mark.parametrize(
    ("before_s", "confidence"),
    [(2, "certain"), (2.1, "likely"), (10, "likely"), (10.1, "possible"), (1500, "possible")],
)
def test_the_longer_ago_a_scan_the_less_sure(write_log, before_s, confidence):
    """Both sides of each limit: qmail-queue links todo right behind the scan."""
    told = tracer_of(write_log, life(0, 1), [(2000 - before_s, f"{PATH}: OK")], life(2000, 2)).qp(2)

    assert scans_of(told) == [confidence]


def test_a_scan_longer_ago_than_a_message_can_wait_is_none(write_log):
    """todo-proc looks at todo every 1500 s at the latest."""
    told = tracer_of(write_log, life(0, 1), [(499, f"{PATH}: OK")], life(2000, 2)).qp(2)

    assert scans_of(told) == []


def test_a_refused_mail_before_makes_it_less_sure(write_log):
    """Two scans of the number within two seconds: the later one is likely, the earlier one is said."""
    told = tracer_of(
        write_log, life(10, 1), [(29, f"{PATH}: Eicar-Test-Signature FOUND"), (29.9, f"{PATH}: OK")], life(30, 2)
    ).qp(2)

    assert scans_of(told) == ["likely"]
    assert [gap.partition(" (")[0] for gap in told.gaps if "refused" in gap] == [
        "scan: the one at 2010-03-15T03:00:29.000Z has the same number"
    ]


def test_a_virus_before_a_queued_message_is_likely_at_most(write_log):
    """It was refused, perhaps, and this one not scanned."""
    told = tracer_of(write_log, life(10, 1), [(29.9, f"{PATH}: Eicar-Test-Signature FOUND")], life(30, 2)).qp(2)

    assert scans_of(told) == ["likely"]


def test_a_scan_outside_of_the_session_is_doubted(write_log):
    """The session began behind the scan: the file was another's then."""
    told = tracer_of(write_log, life(10, 1), [(28.5, f"{PATH}: OK")], session(29.9, 77), life(30, 2)).qp(2)

    assert (scans_of(told), "not within its SMTP session" in told.of("scan")[0].reason) == (["likely"], True)


def test_whole_seconds_of_clamd_are_not_taken_for_exact(write_log):
    """ClamAV's own stamps are whole seconds: of two messages within one nobody can tell whose the scan is."""
    from indimail_kit import logs

    clamd = logs.read(b"Mon Mar 15 03:00:30 2010 -> " + PATH.encode() + b": OK\n")
    send = write_log(*life(10, 1), *life(30.2, 2, ends=0.1), *life(31.4, 3))
    told = trace.Tracer(logs=[send, clamd]).qp(2)

    assert (scans_of(told), "whole second" in told.of("scan")[0].reason) == (["likely"], True)


def test_a_clock_that_is_ahead_is_taken_off(write_log):
    """The scanner's host is 7.5 s ahead, and the tracer is told."""
    parts = (life(10, 1), [(37.4, f"{PATH}: OK")], life(30, 2))

    assert [scans_of(tracer_of(write_log, *parts, ahead_s=ahead).qp(2)) for ahead in ({}, {"scan": 7.5})] == [
        [],
        ["certain"],
    ]


def test_a_clock_that_nobody_told_of_is_noticed(write_log):
    """Most scans are not followed by their message: nothing is certain, and the offset is said."""
    lives = [line for number in range(1, 9) for line in life(100 * number, number)]
    scans = [(100 * number + 40 - 0.1, f"{PATH}: OK") for number in range(1, 9)]
    told = tracer_of(write_log, lives, scans).qp(5)

    assert scans_of(told) == ["possible"]
    assert told.gaps[-1].endswith("the clocks differ; the scanner's clock seems to be +40 s ahead of what was told")


def test_a_clock_that_is_a_little_behind_is_noticed(write_log):
    """No scan is less than half a second before its message: likely at most, and the offset is said."""
    lives = [line for number in range(1, 31) for line in life(100 * number, number)]
    scans = [(100 * number - 0.5, f"{PATH}: OK") for number in range(1, 31)]
    told = tracer_of(write_log, lives, scans).qp(5)

    assert scans_of(told) == ["likely"]
    assert told.gaps[-1].endswith("the scanner's clock may be -0.5 s ahead of what was told")


def test_two_messages_in_one_lifetime_are_seen_by_sender_and_size(write_log):
    """The log lost the end of one and the beginning of the other: todo-proc's lines do not agree with "info msg"."""
    first = [line for line in life(10, 1, sender="eve@example.com")[:-1] if not line[1].startswith("info msg")]
    second = [line for line in life(30, 2) if not line[1].startswith(("new msg", "info: todo"))]
    told = tracer_of(write_log, first, second).message(660188)

    assert (told.confidence, [one.confidence for one in told.evidence][1:]) == ("possible", ["possible"] * 9)


def test_a_hole_in_the_log_makes_what_is_behind_it_less_sure(write_log):
    """Deliveries 2 to 8 are missing: the number may have been another message's in between."""
    start = life(10, 1)[:-2]
    end = [
        (400, "starting delivery 9.1: msg 660188 to local bob@example.com queue1"),
        (401, "delivery 9.1: success: did_1+0+0/ queue1"),
        (401, "end msg 660188 qmail-send: queue1"),
    ]
    told = tracer_of(write_log, start, end).message(660188)

    assert [one.confidence for one in told.evidence] == ["certain"] * 5 + ["likely"] * 3


def test_an_end_that_the_log_lost_is_seen(write_log):
    """A second todo file within a lifetime: what follows may be another message's."""
    first = life(10, 1)[:-1]
    second = [line for line in life(30, 2) if not line[1].startswith(("new msg", "info msg"))]
    told = tracer_of(write_log, first, second).message(660188)

    assert ([one.confidence for one in told.evidence], told.confidence) == (
        ["certain"] * 6 + ["possible"] * 5,
        "possible",
    )
    assert "queue: the log lost an end: a second message of this number begins within this lifetime" in told.gaps


def test_a_session_is_joined_by_sender_size_recipients_and_time(write_log):
    """qmail-smtpd's line of an accepted mail has neither number nor qp."""
    told = tracer_of(write_log, session(29.9, 77), life(30, 2), session(40, 78, size=901)).qp(2)

    assert [(one.text.split(" from ")[0], one.confidence) for one in told.of("session")] == [
        ("tcpserver: pid 77", "certain"),
        ("qmail-smtpd: pid 77", "certain"),
        ("tcpserver: status: 0/30 sigchild, pid=77", "certain"),
    ]


def test_two_equal_mails_at_once_are_both_possible(write_log):
    """Same sender, size and recipient in the same second: nobody can tell which session is whose."""
    told = tracer_of(write_log, session(29.8, 77), session(29.9, 78), life(30, 2)).qp(2)

    assert {one.confidence for one in told.of("session")} == {"possible"}


def test_one_mail_for_two_equal_messages_is_possible(write_log):
    """The other's session was lost: the one that is left may be either's."""
    told = tracer_of(write_log, session(29.9, 77), life(30, 2), life(31, 3)).qp(2)

    assert {one.confidence for one in told.of("session")} == {"possible"}


def test_a_pid_that_is_used_again_is_another_session(write_log):
    """The lines of the earlier session with the same pid are not the message's."""
    told = tracer_of(write_log, session(5, 77, size=5), session(29.9, 77), life(30, 2)).qp(2)

    assert [one.unix_ns % 10**11 // 10**8 for one in told.of("session")] == [294, 299, 304]


def test_a_bounce_from_another_host_has_a_session(write_log):
    """An empty sender alone does not make it a bounce of our own."""
    told = tracer_of(write_log, session(29.9, 77, sender=""), life(30, 2, sender="")).qp(2)

    assert [one.confidence for one in told.of("session")] == ["certain"] * 3


def test_a_bounce_of_our_own_is_joined_with_its_message(write_log):
    """By the qp that "bounce msg" names; it has no session, and that is no gap."""
    parent = [*life(10, 1)[:-1], (10.6, "bounce msg 660188 qp 2 queue1"), life(10.1, 1)[-1]]
    bounce = [
        (at, text.replace("660188", "660189")) for at, text in life(10.7, 2, sender="", recipient="ann@example.com")
    ]
    tracer = tracer_of(write_log, parent, bounce)

    assert [one.text for one in tracer.qp(2).of("bounce")] == ["bounce msg 660188 qp 2 queue1"]
    assert [one.text for one in tracer.qp(1).of("bounce")] == ["bounce msg 660188 qp 2 queue1", "new msg 660189 queue1"]
    assert [gap for gap in tracer.qp(2).gaps if gap.startswith("session")] == []


def test_a_refused_mail_is_told_by_its_qp(write_log):
    """It has no number; the scan within its session is likely its own."""
    lines = session(29.9, 77)
    refused = lines[1][1].replace("  HELO", " qq message contains virus (#5.7.1) (permanent): HELO") + " qp 4711"
    found = [(29.8, f"{PATH}: Eicar-Test-Signature FOUND")]
    told = tracer_of(write_log, life(10, 1), [lines[0], (29.9, refused), lines[2]], found).qp(4711)

    assert (told.message.message_number, scans_of(told), told.message.sender) == (None, ["likely"], "ann@example.com")


def test_an_accepted_mail_without_a_message_is_told_by_its_address(write_log):
    """The client heard 250, and qmail-send's log has nothing of it: that is the story."""
    told = tracer_of(write_log, session(29.9, 77)).address("BOB@example.com")

    assert told.gaps == ('queue: no evidence: no "new msg" of this sender, size and recipient at that time',)


def test_a_number_with_many_lives_is_told_with_all_of_them(write_log):
    """The latest first; none of them is the one that was meant for sure."""
    told = tracer_of(write_log, life(10, 1), life(30, 2), life(50, 3)).message(660188)

    assert ([one.message.qp for one in told.candidates], {one.confidence for one in told.candidates}) == (
        [3, 2, 1],
        {"possible"},
    )


def test_a_life_or_a_time_chooses(write_log):
    """Each way to say which one is meant leads to one story."""
    tracer = tracer_of(write_log, life(10, 1), life(3000, 2), life(9000, 3))
    at_ns = tracer.qp(2).message.began_ns

    assert [
        (told.message.qp, told.others)
        for told in (tracer.message(660188, lifetime=2), tracer.message(660188, at_ns=at_ns, queue="queue1"))
    ] == [(2, ()), (2, ())]


def test_a_qp_that_is_used_again_is_told_apart_by_time(write_log):
    """A qp is a pid; the time is that of the reply which names it, however long the older message waits."""
    waiting = [(at, text.replace("660188", "660190")) for at, text in life(10, 7, ends=9000)]
    tracer = tracer_of(write_log, waiting, life(3000, 7))
    at_ns = tracer.message(660188).message.began_ns

    assert (len(tracer.qp(7).candidates), tracer.qp(7, at_ns=at_ns).message.message_number) == (2, 660188)
    assert tracer.qp(7, at_ns=at_ns).others == ()


def test_nothing_known_is_an_error_that_says_where_was_looked(write_log):
    """No guess, and no empty story."""
    with pytest.raises(TraceError, match="no evidence of message 7 in octets"):
        tracer_of(write_log, life(10, 1)).message(7)


@pytest.mark.parametrize("ahead_s", [{"moon": 1.0}, {"scan": float("nan")}, {"scan": 1e10}])
def test_a_clock_that_nobody_has_is_refused(ahead_s):
    """A name or number that is none."""
    with pytest.raises(TraceError, match="clock"):
        trace.Tracer(ahead_s=ahead_s)
