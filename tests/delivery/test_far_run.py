"""qmail-send with another host: bounces in both directions, and a long run whose log leaves nothing open."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from indimail_kit.delivery import BounceSettings, QmailSend, Relay, RemoteDelivery, SmtpRoutes
from indimail_kit.delivery.schedule import LIFETIME_S, attempt_ages_s
from indimail_kit.lab.second_host import SecondHost
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.event import UNKNOWN
from indimail_kit.logs.matchup import match

if TYPE_CHECKING:
    from tests.delivery.conftest import House

ANN = b"ann@example.com"
BOB = b"bob@example.com"
FAR = b"far@example.org"
GHOST = b"ghost@example.org"
DOWN = b"x@down.example"
NO_GHOST = "550 5.1.1 sorry, nobody of that name"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SecondHost]:
    """Run a second host."""
    second = SecondHost(tmp_path / "second" / "Maildir")
    second.start()
    yield second
    second.stop()


@pytest.fixture
def send(house: House, host: SecondHost) -> Callable[..., QmailSend]:
    """Return a function that makes a qmail-send; mail for down.example goes to a port where nobody listens."""

    def make(**options: Any) -> QmailSend:
        routes = SmtpRoutes({"example.org": Relay(*host.address), "down.example": Relay("127.0.0.2", 9)})
        return house.send(remote=RemoteDelivery(routes=routes, clock=house.clock, spread=0), **options)

    return make


def reports(house: House, outcome: str) -> list[str]:
    """Return the reports of the deliveries that ended so."""
    return [event.report for event in house.events if (event.kind, event.outcome) == ("delivery", outcome)]


# -- bounces -----------------------------------------------------------------------------------------------------


def test_bounce_quotes_the_other_host(house: House, host: SecondHost, send: Callable[..., QmailSend]) -> None:
    """The paragraph about the recipient holds the whole report."""
    host.say(NO_GHOST, recipient="ghost@example.org")
    house.put(GHOST)
    send().run_once()

    paragraph = (
        b"<ghost@example.org>:\nFrom: <ann@example.com> RCPT: <ghost@example.org> 127.0.0.1 does not like recipient.\n"
        b"Remote host said: 550 5.1.1 sorry, nobody of that name\nGiving up on 127.0.0.1.\n\n"
    )
    assert paragraph in house.mails("ann")[0]
    assert house.left() == []


def test_hosts_words_cannot_end_their_paragraph(house: House, host: SecondHost, send: Callable[..., QmailSend]) -> None:
    """A program that reads QSBMF is not deceived, and no second recipient is made up."""
    host.say("550 no --- Below this line <x@example.com>:", recipient="ghost@example.org")
    house.put(GHOST)
    send().run_once()

    body = house.mails("ann")[0].partition(b"\n\n")[2]
    paragraphs = body.split(b"\n\n")
    assert [paragraph[:20] for paragraph in paragraphs[1:3]] == [b"<ghost@example.org>:", b"--- The message foll"]


def test_bounce_leaves_for_a_sender_elsewhere(house: House, host: SecondHost, send: Callable[..., QmailSend]) -> None:
    """Nobody here has the mailbox: far@example.org gets the bounce, with the null sender."""
    house.put(b"nobody@example.com", sender=FAR)
    send().run_once()

    (bounce,) = host.mails
    assert (bounce.sender, bounce.recipients) == ("", ("far@example.org",))
    assert b"\r\n<nobody@example.com>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n" in bounce.octets


def test_bounce_that_is_refused_goes_to_the_postmaster(
    house: House, host: SecondHost, send: Callable[..., QmailSend]
) -> None:
    """Double bounce: from #@[], with both hosts' words in it."""
    host.say(NO_GHOST, recipient="ghost@example.org")
    house.put(b"nobody@example.com", sender=GHOST)
    send().run_once()

    (double,) = house.mails("postmaster")
    assert double.startswith(b"Return-Path: <#@[]>\n")
    assert b"<ghost@example.org>:\nFrom: <> RCPT: <ghost@example.org> 127.0.0.1 does not like recipient.\n" in double
    assert b"<nobody@example.com>:\nSorry, no mailbox here" in double
    assert host.mails == []


def test_double_bounce_that_is_refused_is_thrown_away(
    house: House, host: SecondHost, send: Callable[..., QmailSend]
) -> None:
    """Triple bounce: postmaster lives over there and is refused too; the log says so, and nothing is left."""
    host.say(NO_GHOST)
    house.put(b"nobody@example.com", sender=GHOST)
    send(bounce=BounceSettings("example.com", double_bounce_to="postmaster@example.org")).run_once()

    senders = [event.sender for event in house.events if event.kind == "info_msg"]
    assert senders == ["ghost@example.org", "", "#@[]"]
    assert sum(line.startswith("triple bounce: discarding bounce/") for line in house.lines()) == 1
    assert [house.mails(user) for user in ("ann", "postmaster")] == [[], []]
    assert house.left() == []


def test_double_bounce_leaves_with_its_own_sender(
    house: House, host: SecondHost, send: Callable[..., QmailSend]
) -> None:
    """A postmaster elsewhere gets it from #@[]."""
    house.put(b"nobody@example.com", sender=b"")
    send(bounce=BounceSettings("example.com", double_bounce_to="postmaster@example.org")).run_once()

    assert [(mail.sender, mail.recipients) for mail in host.mails] == [("#@[]", ("postmaster@example.org",))]


# -- time --------------------------------------------------------------------------------------------------------


def run_until_old(house: House, sender: QmailSend) -> list[int]:
    """Let time pass from attempt to attempt until the queue is empty; return the ages of the message (unit: s)."""
    birth_s = house.clock.now_s
    ages_s: list[int] = []
    while house.left():
        before = len(house.events)
        sender.run_once()
        if any(event.kind == "start" and event.channel == "remote" for event in house.events[before:]):
            ages_s.append(house.clock.now_s - birth_s)
        if house.left():
            house.clock.now_ns = min(run.next_due_s() for run in sender._runs) * 10**9
    return ages_s


def test_remote_recipient_is_tried_by_the_quadratic_schedule_until_he_is_too_old(
    house: House, host: SecondHost, send: Callable[..., QmailSend]
) -> None:
    """0, 400, 1600, 3600 … seconds after birth; the attempt after a week is the last, and the sender hears why."""
    host.say("450 4.3.2 try later")
    house.put(FAR)
    ages_s = run_until_old(house, send())

    assert ages_s == list(attempt_ages_s("remote"))
    assert ages_s[-2] <= LIFETIME_S < ages_s[-1]
    assert len(reports(house, "deferral")) == len(ages_s) - 1
    assert b"450 4.3.2 try later\nGiving up on 127.0.0.1.\nI'm not going to try again; this" in house.mails("ann")[0]


def test_host_that_is_down_rests_between_the_attempts(
    house: House, host: SecondHost, send: Callable[..., QmailSend]
) -> None:
    """Refused at 0 and 400 s; at 1600 and 3600 s nobody knocks, and the report names no address."""
    host.refuse_connections()
    house.put(FAR)
    sender = send()
    for age_s in (0, 400, 1600, 3600, 6400):
        house.clock.advance(age_s - (house.clock.now_s - 1_795_356_840))
        sender.run_once()

    tried = ["_to_127.0.0.1_port_" in report for report in reports(house, "deferral")]
    assert tried == [True, True, False, False, True]


def test_two_queues_have_their_own_tables(house: House, host: SecondHost, send: Callable[..., QmailSend]) -> None:
    """Each lock/tcpto belongs to its queue, as on a real host."""
    from indimail_kit.mailqueue.layout import create_queue

    host.refuse_connections()
    other = create_queue(house.directory / "queue2", split=3)
    house.put(FAR)
    sender = send()
    sender.run_once()

    tables = [(layout.directory / "lock" / "tcpto").read_bytes() for layout in (house.layout, other)]
    assert [any(table) for table in tables] == [True, False]


# -- a long run --------------------------------------------------------------------------------------------------


def test_long_mixed_run_leaves_nothing_open_and_nothing_unknown(
    house: House, host: SecondHost, send: Callable[..., QmailSend]
) -> None:
    """Sixty messages, four kinds of ends, eight restarts, ten days: by the rules of matchup(1) every life has an end.

    Successes here and there, deferrals that end well (greylisting), deferrals that end by age (a host that is down),
    failures here and there, bounces, double bounces and triple bounces.
    """
    rng = random.Random(7)  # noqa: S311 - the same run each time
    host.say(NO_GHOST, recipient="ghost@example.org")
    recipients = [BOB, FAR, GHOST, DOWN, b"nobody@example.com", b"grey@example.org"]
    senders = [ANN, FAR, GHOST, b"", b"#@[]"]
    queued = 0
    sender = send()
    for day in range(80):
        if queued < 60:
            host.say("451 4.7.1 greylisted", recipient="grey@example.org", times=1)
            for _ in range(rng.randint(1, 3)):
                house.put(*rng.sample(recipients, rng.randint(1, 4)), sender=rng.choice(senders))
                queued += 1
        sender.run_once()
        house.clock.advance(rng.choice([60, 3600, 6 * 3600]))
        if day % 10 == 9:
            sender.stop()
            sender = send()
    for _ in range(4):
        house.clock.advance(5 * 86400)
        sender.run_once()
    sender.stop()

    events = list(read_events(house.log.path))
    matched = match(events)
    assert [event.line for event in events if event.kind == UNKNOWN] == []
    assert (matched.open_deliveries, matched.open_messages, house.left()) == ((), (), [])
    assert [delivery for delivery in matched.deliveries if delivery.outcome is None] == []
    ends = Counter((delivery.channel, delivery.outcome) for delivery in matched.deliveries)
    kinds = {(channel, outcome) for channel in ("local", "remote") for outcome in ("success", "failure")}
    assert kinds | {("remote", "deferral")} <= set(ends)
    assert len(matched.messages) > queued >= 60
    ranks = Counter(line.partition(" ")[0] for line in house.lines() if "bounce: discarding" in line)
    assert ranks["triple"] > 0
    assert sum("too_long" in report for report in reports(house, "failure")) > 0
    assert (
        len(house.mails("bob")) + len(house.mails("ann")) + len(house.mails("postmaster")) == ends["local", "success"]
    )
    assert len(host.mails) == ends["remote", "success"]


def test_silent_host_cannot_keep_a_program_from_ending(
    house: House, host: SecondHost, send: Callable[..., QmailSend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of the with block the host is hung up on; the mail is in the queue, and the queue is free."""
    host.fall_silent(stage="data")
    house.put(FAR)
    sender = send()
    monkeypatch.setattr(sender, "stop", lambda: QmailSend.stop(sender, 0.2))
    with sender:
        assert host.wait_for_silence(10)
    while not QmailSend.stop(sender, 10):
        pass

    (report,) = reports(house, "deferral")
    assert report.endswith("Connected_to_127.0.0.1_but_connection_died._(#4.4.2)/")
    assert [path.partition("/")[0] for path in house.left()] == ["info", "mess", "remote"]
