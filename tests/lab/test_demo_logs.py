"""A day from a seed: every line is known, and what the log says is what happened."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from indimail_kit.errors import LabError
from indimail_kit.lab.demo_logs import DAY_START_S, LOG_DIRECTORIES, make_logs
from indimail_kit.lab.demo_world import Mail, draw_end, draw_recipients, draw_sender
from indimail_kit.logs import read
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.matchup import match

NS = 10**9


@pytest.fixture(scope="module")
def day():
    """A day of 250 mails over three queues."""
    return make_logs(250, seed=3)


@pytest.fixture(scope="module")
def matched(day):
    """Its deliveries and messages."""
    return match(read_events(day.send))


@pytest.mark.parametrize("name", LOG_DIRECTORIES)
def test_every_line_is_one_that_the_programs_write(day, name):
    """Nothing is unknown to the grammar, in none of the three logs."""
    assert [event.line for event in read_events(getattr(day, name)) if event.kind == "unknown"] == []


@pytest.mark.parametrize("name", LOG_DIRECTORIES)
def test_lines_are_in_the_order_of_time(day, name):
    """As multilog writes them: labels never go back."""
    times = [event.unix_ns for event in read_events(getattr(day, name))]

    assert (times, times[0] >= DAY_START_S * NS, times[-1] < (DAY_START_S + 2 * 86_400) * NS) == (
        sorted(times),
        True,
        True,
    )


def test_the_messages_of_the_log_are_the_mails(day, matched):
    """Queue, number, life, sender, qp and both ends of each message, by the rules of matchup."""
    told = {
        (one.queue, one.message_number, one.lifetime): (one.sender, one.qp, one.queued_ns, one.ended_ns or 0)
        for one in matched.messages
    }
    true = {
        (one.queue, one.message_number, one.lifetime): (one.sender.encode(), one.qp, one.queued_ns, one.ended_ns)
        for one in day.mails
        if one.queued_ns
    }

    assert told == true


def test_the_deliveries_of_the_log_are_the_attempts(day, matched):
    """As many attempts for each message, and every one of them has an end."""
    told = Counter((one.queue, one.message_number, one.lifetime) for one in matched.deliveries)
    true = {(one.queue, one.message_number, one.lifetime): one.attempts for one in day.mails if one.attempts}

    assert (dict(told), [one for one in matched.deliveries if one.outcome is None]) == (true, [])


def test_numbers_are_used_again_and_again(day):
    """The trap of the seed text: the same number, many lives."""
    assert max(one.lifetime for one in day.mails) > 10


def test_a_virus_is_refused_and_never_queued(day):
    """Its scan says FOUND, its session 554; there is no new msg."""
    infected = [one for one in day.mails if one.is_infected]
    found = [event for event in read_events(day.clamd) if event.kind == "clamd_scan_found"]
    refused = {event.fields["qp"] for event in read_events(day.smtpd) if event.kind == "smtpd_refused"}

    assert (len(found), refused, [one.queued_ns for one in infected if one.queued_ns]) == (
        len(infected),
        {one.qp for one in infected},
        [],
    )


def test_there_is_a_restart_at_three_in_each_queue(day):
    """TERM, exit, start; delivery numbers begin at 1 again."""
    kinds = Counter((event.kind, event.queue) for event in read_events(day.send))
    starts = [
        event.delivery_number
        for event in read_events(day.send)
        if event.kind == "starting_delivery" and event.queue == "queue1"
    ]

    assert ([kinds["send_exit", f"queue{number}"] for number in (1, 2, 3)], starts.count(1)) == ([1, 1, 1], 2)


def test_somebody_guesses_passwords_at_night(day):
    """From one address, many users, between two and three."""
    failures = [event for event in read_events(day.smtpd) if event.kind == "smtpd_auth_failure"]
    hours = {(event.unix_ns // NS - DAY_START_S) // 3600 for event in failures}

    assert ({event.fields["remote_ip"] for event in failures}, hours) == ({day.guesser.encode()}, {2})


def test_the_same_seed_gives_the_same_day():
    """And another seed another one."""
    assert (make_logs(20, seed=1), make_logs(20, seed=1) == make_logs(20, seed=2)) == (make_logs(20, seed=1), False)


def test_one_message_and_one_queue_are_a_day_too():
    """The smallest day."""
    day = make_logs(1, queues=1)

    assert {one.queue for one in day.mails} == {"queue1"}


@pytest.mark.parametrize(("messages", "queues"), [(0, 1), (1, 0), (10**7, 1), (1, 100)])
def test_a_day_that_cannot_be_made_is_refused(messages, queues):
    """Both sides of each limit are told in one sentence."""
    with pytest.raises(LabError, match="between 1 and 1000000 messages"):
        make_logs(messages, queues=queues)


def test_the_logs_are_written_as_multilog_has_them(day, tmp_path):
    """A directory each, with `current` in it; `logs.read` takes the directory."""
    places = day.write(tmp_path)

    assert {name: (place / "current").read_bytes() for name, place in places.items()} == {
        name: getattr(day, name) for name in LOG_DIRECTORIES
    }
    assert len(read(places["send"])) == day.send.count(b"\n")


def test_a_log_that_is_there_stays(day, tmp_path):
    """Nothing is overwritten."""
    day.write(tmp_path)
    with pytest.raises(LabError, match="already"):
        day.write(tmp_path)


MAIL = Mail("user1@example.com", ("user2@grey.example.org",), "192.0.2.10", 1, 2, "queue1", 3, 400)


@pytest.mark.parametrize(
    ("recipient", "second", "outcome"),
    [
        ("user1@example.com", 0, "success"),
        ("user40@example.com", 0, "failure"),
        ("user2@grey.example.org", 0, "deferral"),
        ("user2@down.example.net", 10 * 3600, "deferral"),
    ],
)
def test_hosts_answer_as_the_story_says(recipient, second, outcome):
    """Mailboxes here, no mailbox, greylisting at the first attempt, a host that is down from nine to one."""
    ended, report = draw_end(Random(1), MAIL, recipient, second=second, unix_s=DAY_START_S)  # noqa: S311

    assert (ended, report.endswith("\n")) == (outcome, True)


@pytest.mark.parametrize(("client", "domain"), [("192.0.2.10", "example.com"), ("198.51.100.7", "example.")])
def test_the_office_writes_from_here(client, domain):
    """Who is logged in writes with an address of this server; strangers write to it."""
    random = Random(2)  # noqa: S311
    sender, recipients = draw_sender(random, client), draw_recipients(random, client)

    assert (domain in sender, len(set(recipients)) == len(recipients)) == (True, True)


def test_process_ids_begin_again_and_no_running_session_loses_its_own():
    """As on a real system: a pid, and so a qp, is used again."""
    day = make_logs(900, seed=1, max_pid=2_400)
    pids = Counter(one.qp for one in day.mails)
    open_sessions: set[int] = set()
    twice: list[int] = []
    for event in read_events(day.smtpd):
        if event.kind == "tcpserver_pid":
            twice += [event.pid] if event.pid in open_sessions else []
            open_sessions.add(event.pid)
        elif event.kind == "tcpserver_sigchild":
            open_sessions.remove(event.pid)

    assert (max(pids.values()) > 1, max(pids) <= 2_400, twice) == (True, True, [])


def test_too_few_process_ids_are_refused():
    """A day needs some for its open sessions."""
    with pytest.raises(LabError, match="largest process id of 2200 or more"):
        make_logs(5, max_pid=2_199)
