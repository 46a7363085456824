"""Events -> deliveries and messages."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.logs.engine import read_events
from indimail_kit.logs.event import Event
from indimail_kit.logs.matchup import Delivery, Message, match

EventsOf = Callable[..., list[Event]]
SECOND = 10**9
T0 = 1_700_000_000 * SECOND
START = b"info: qmail-send: pid 1: /q/queue1: ratelimit=OFF, loglock=disabled, conf split=151"


def test_one_message_from_new_to_end(events_of: EventsOf) -> None:
    """Every value of both tables, by hand; the lines are a second apart."""
    matched = match(
        events_of(
            b"new msg 7 queue1",
            b"info msg 7: bytes 177 from <ann@a.test> qp 4305 uid 555 queue1",
            b"local: ann@a.test bob@b.test 7 177 bytes queue1 opendir mode",
            b"starting delivery 3: msg 7 to local bob@b.test queue1",
            b"delivery 3: success: did_1+0+0/ queue1",
            b"end msg 7 qmail-send: queue1",
        )
    )
    assert matched.messages == (
        Message(
            queue="queue1", message_number=7, lifetime=1, sender=b"ann@a.test", qp=4305, uid=555, message_bytes=177,
            recipient_count=1, queued_ns=T0 + SECOND, ended_ns=T0 + 5 * SECOND, successes=1, failures=0, deferrals=0,
            bounce_qp=None, is_open=False, first_event=0, end_event=5,
        ),
    )  # fmt: skip
    assert matched.deliveries == (
        Delivery(
            queue="queue1", run=0, delivery_number=3, message_number=7, lifetime=1, channel="local",
            recipient=b"bob@b.test", sender=b"ann@a.test", qp=4305, uid=555, message_bytes=177, queued_ns=T0 + SECOND,
            started_ns=T0 + 3 * SECOND, ended_ns=T0 + 4 * SECOND, outcome="success", report=b"did_1+0+0/",
            is_open=False, start_event=3, end_event=4,
        ),
    )  # fmt: skip
    assert (matched.open_messages, matched.open_deliveries) == ((), ())


def test_nothing_gives_nothing() -> None:
    """Empty in, empty out."""
    assert match([]) == match([])
    assert match([]).messages == match([]).deliveries == ()


def test_a_number_used_again_is_another_message(events_of: EventsOf) -> None:
    """Numbers are inodes: the next message may get the same one at once."""
    matched = match(
        events_of(
            b"new msg 7", b"info msg 7: bytes 1 from <a@x> qp 1 uid 0", b"end msg 7",
            b"new msg 7", b"info msg 7: bytes 2 from <b@x> qp 2 uid 0", b"starting delivery 1: msg 7 to local c@x",
        )
    )  # fmt: skip
    assert [(one.lifetime, one.sender, one.is_open) for one in matched.messages] == [
        (1, b"a@x", False),
        (2, b"b@x", True),
    ]
    assert [(one.lifetime, one.sender) for one in matched.deliveries] == [(2, b"b@x")]


def test_the_same_number_in_two_queues_is_two_messages(events_of: EventsOf) -> None:
    """Lines of several queues are mixed in one log."""
    matched = match(
        events_of(
            b"new msg 7 queue1", b"new msg 7 queue2", b"info msg 7: bytes 2 from <b@x> qp 2 uid 0 queue2",
            b"info msg 7: bytes 1 from <a@x> qp 1 uid 0 queue1", b"end msg 7 qmail-send: queue1",
        )
    )  # fmt: skip
    assert [(one.queue, one.sender, one.is_open) for one in matched.messages] == [
        ("queue1", b"a@x", False),
        ("queue2", b"b@x", True),
    ]


def test_a_message_without_its_end_is_closed_by_the_next_of_its_number(events_of: EventsOf) -> None:
    """Its end was lost; it cannot still be in the queue."""
    matched = match(events_of(b"new msg 7", b"new msg 7"))
    assert [(one.lifetime, one.is_open, one.ended_ns) for one in matched.messages] == [
        (1, False, None),
        (2, True, None),
    ]


def test_a_message_older_than_the_log_is_a_row_with_nulls(events_of: EventsOf) -> None:
    """Where matchup prints 0 and ?, nothing disappears and nothing is made up."""
    matched = match(events_of(b"starting delivery 9: msg 7 to remote a@x queue1", b"delivery 9: deferral: no/ queue1"))
    (message,), (delivery,) = matched.messages, matched.deliveries
    assert (message.sender, message.qp, message.queued_ns, message.deferrals, message.is_open) == (
        None,
        None,
        None,
        1,
        True,
    )
    assert (delivery.message_number, delivery.sender, delivery.queued_ns, delivery.outcome) == (
        7,
        None,
        None,
        "deferral",
    )


def test_an_end_without_a_start_is_a_row_with_nulls(events_of: EventsOf) -> None:
    """The start is in an older file."""
    (delivery,) = match(events_of(b"delivery 9: success: ok/ queue1")).deliveries
    assert (delivery.delivery_number, delivery.message_number, delivery.channel, delivery.started_ns) == (
        9,
        None,
        None,
        None,
    )
    assert (delivery.outcome, delivery.report, delivery.is_open) == ("success", b"ok/", False)


def test_an_end_of_a_message_alone_is_a_row(events_of: EventsOf) -> None:
    """Its life began before the log."""
    (message,) = match(events_of(b"end msg 7 qmail-send: queue1")).messages
    assert (message.lifetime, message.queued_ns, message.ended_ns, message.is_open) == (1, None, T0, False)


def test_a_restart_cuts_open_deliveries_off_and_numbers_begin_anew(events_of: EventsOf) -> None:
    """Nobody will log the end of a delivery whose qmail-send is gone; its number is given out again."""
    matched = match(
        events_of(
            START, b"starting delivery 1: msg 7 to local a@x queue1",
            START, b"starting delivery 1: msg 7 to local a@x queue1",
            b"delivery 1: success: ok/ queue1",
        )
    )  # fmt: skip
    assert [(one.run, one.outcome, one.is_open) for one in matched.deliveries] == [
        (1, None, False),
        (2, "success", False),
    ]
    assert matched.messages[0].successes == 1


def test_an_exit_cuts_open_deliveries_off(events_of: EventsOf) -> None:
    """After "exiting" nothing is under way in this queue; another queue goes on."""
    matched = match(
        events_of(
            b"starting delivery 1: msg 7 to local a@x queue1",
            b"starting delivery 1: msg 8 to local a@x queue2",
            b"info: qmail-send: pid 5 queue1 exiting",
        )
    )
    assert [(one.queue, one.is_open) for one in matched.deliveries] == [("queue1", False), ("queue2", True)]
    assert [one.queue for one in matched.open_deliveries] == ["queue2"]


def test_a_queue_that_died_has_nothing_under_way(events_of: EventsOf) -> None:
    """The line of qscheduler says so when qmail-send cannot."""
    matched = match(
        events_of(
            b"starting delivery 1: msg 7 to local a@x queue1",
            b"info: qscheduler: pid 5, queue /q/queue2 died",
            b"info: qscheduler: pid 5, queue /q/queue1 started",
            b"starting delivery 2: msg 7 to local b@x queue1",
            b"info: qscheduler: pid 5, queue /q/queue1 died",
            b"starting delivery 3: msg 7 to local c@x queue1",
        )
    )
    assert [one.is_open for one in matched.deliveries] == [False, False, True]


def test_the_end_of_qscheduler_ends_everything(events_of: EventsOf) -> None:
    """The real matchup clears its deliveries at this line too."""
    matched = match(
        events_of(
            b"starting delivery 1: msg 7 to local a@x queue1",
            b"starting delivery 1: msg 8 to local a@x queue2",
            b"info: qscheduler: pid 1 exiting",
        )
    )
    assert matched.open_deliveries == ()


def test_delivery_numbers_are_each_queues_own(events_of: EventsOf) -> None:
    """1.1 and 1.2 are two deliveries, and so are two with no number of the queue but its name."""
    matched = match(
        events_of(
            b"starting delivery 1.1: msg 7 to local a@x queue1", b"starting delivery 1.2: msg 8 to local b@x queue2",
            b"delivery 1.2: failure: no/ queue2", b"delivery 1.1: success: yes/ queue1",
        )
    )  # fmt: skip
    assert [(one.recipient, one.outcome) for one in matched.deliveries] == [(b"a@x", "success"), (b"b@x", "failure")]


def test_slowq_sends_nameless_new_msg_is_taken_over_by_its_queue(events_of: EventsOf) -> None:
    """slowq-send writes "new msg N" without the queue's name and everything else with it."""
    matched = match(
        events_of(
            b"new msg 7", b"info msg 7: bytes 1 from <a@x> qp 1 uid 0 slowq", b"end msg 7 slowq-send: slowq",
            b"new msg 7", b"info msg 7: bytes 1 from <b@x> qp 2 uid 0 slowq",
        )
    )  # fmt: skip
    assert [(one.queue, one.lifetime, one.sender, one.is_open) for one in matched.messages] == [
        ("slowq", 1, b"a@x", False),
        ("slowq", 2, b"b@x", True),
    ]


def test_info_for_a_message_that_has_it_begins_another_life(events_of: EventsOf) -> None:
    """The line "new msg" between them was lost."""
    matched = match(
        events_of(b"info msg 7: bytes 1 from <a@x> qp 1 uid 0", b"info msg 7: bytes 2 from <b@x> qp 2 uid 0")
    )
    assert [(one.lifetime, one.sender, one.is_open) for one in matched.messages] == [
        (1, b"a@x", False),
        (2, b"b@x", True),
    ]


def test_info_after_lines_of_an_older_message_begins_another_life(events_of: EventsOf) -> None:
    """A message older than the log cannot get its "info msg" now: the number is used again."""
    matched = match(events_of(b"starting delivery 1: msg 7 to local a@x", b"info msg 7: bytes 2 from <b@x> qp 2 uid 0"))
    assert [(one.lifetime, one.sender) for one in matched.messages] == [(1, None), (2, b"b@x")]


def test_new_msg_alone_gives_the_time(events_of: EventsOf) -> None:
    """The log ends, or was cut, before "info msg"."""
    (message,) = match(events_of(b"new msg 7")).messages
    assert (message.queued_ns, message.sender) == (T0, None)


def test_a_bounce_is_known_by_its_qp(events_of: EventsOf) -> None:
    """The line "bounce msg" names the message and the bounce's qp, which the bounce's own "info msg" repeats."""
    matched = match(
        events_of(
            b"info msg 7: bytes 1 from <a@x> qp 1 uid 0", b"bounce msg 7 qp 99", b"end msg 7",
            b"info msg 8: bytes 1 from <> qp 99 uid 1007",
        )
    )  # fmt: skip
    assert [(one.bounce_qp, one.qp) for one in matched.messages] == [(99, 1), (None, 99)]


def test_a_mangled_report_counts_as_a_deferral(events_of: EventsOf) -> None:
    """As matchup has it: report_mangled."""
    matched = match(events_of(b"starting delivery 1: msg 7 to local a@x", b"delivery 1: report mangled, will defer"))
    assert (matched.messages[0].deferrals, matched.deliveries[0].report) == (1, b"report_mangled")


def test_what_matchup_hands_to_its_next_run_is_understood(recorded: Callable[[str], bytes]) -> None:
    """The recorded fd 5 of send-for-smtpd, then the end of one of its messages: counts go on where they were."""
    pending = recorded("logs/send-for-smtpd.matchup-pending")
    rest = (
        b"@400000006b02fa8c00000000 starting delivery 1: msg 1704474 to local defer@local.test\n"
        b"@400000006b02fa8d00000000 delivery 1: success: did_1+0+0/\n"
        b"@400000006b02fa8d00000000 end msg 1704474\n"
    )
    message = next(one for one in match(read_events(pending, rest)).messages if one.message_number == 1704474)
    assert (message.successes, message.deferrals, message.failures) == (2, 1, 1)
    assert (message.sender, message.queued_ns) == (b"ann@local.test", 1_795_357_310_171_156_500)


LINES = st.sampled_from(
    [
        b"new msg %(n)d%(q)s",
        b"info msg %(n)d: bytes 1 from <a@x> qp 1 uid 0%(q)s",
        b"starting delivery %(d)d: msg %(n)d to local a@x%(q)s",
        b"delivery %(d)d: success: ok/%(q)s",
        b"delivery %(d)d: deferral: later/%(q)s",
        b"end msg %(n)d",
        b"bounce msg %(n)d qp 3%(q)s",
        b"running",
        b"exiting",
        b"what?",
    ]
)
LOGS = st.lists(
    st.builds(
        lambda line, n, d, q: line % {b"n": n, b"d": d, b"q": q} if b"%" in line else line,
        LINES, st.integers(1, 3), st.integers(1, 4), st.sampled_from([b"", b" queue1", b" queue2"]),
    ),
    max_size=40,
)  # fmt: skip


@given(LOGS)
def test_no_line_of_any_log_disappears(lines: list[bytes]) -> None:
    """Each start and each end of a delivery is in one row, and each end of a message, however broken the order."""
    events = list(read_events(b"".join(line + b"\n" for line in lines)))
    matched = match(events)
    starts = [position for position, event in enumerate(events) if event.kind == "starting_delivery"]
    ends = [position for position, event in enumerate(events) if event.kind == "delivery"]
    done = [position for position, event in enumerate(events) if event.kind == "end_msg"]
    assert sorted(one.start_event for one in matched.deliveries if one.start_event is not None) == starts
    assert sorted(one.end_event for one in matched.deliveries if one.end_event is not None) == ends
    assert sorted(one.end_event for one in matched.messages if one.end_event is not None) == done


@given(LOGS)
def test_keys_are_unique_and_lives_do_not_overlap(lines: list[bytes]) -> None:
    """At most one life of a number is open, and lifetimes count 1, 2, 3 … in the order of the log."""
    matched = match(read_events(b"".join(line + b"\n" for line in lines)))
    lives: dict[tuple[str, int], list[Message]] = {}
    for message in matched.messages:
        lives.setdefault((message.queue, message.message_number), []).append(message)
    assert all(sorted(one.lifetime for one in group) == list(range(1, len(group) + 1)) for group in lives.values())
    assert all(sum(one.is_open for one in group) <= 1 for group in lives.values())
