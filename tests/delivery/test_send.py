"""qmail-send as a whole: its lines beside recorded ones, its thread, its locks, its restarts."""

from __future__ import annotations

import errno
import gzip
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from indimail_kit.delivery.events import Delivery, Report, SendEvent
from indimail_kit.delivery.schedule import LIFETIME_S
from indimail_kit.errors import QueueError
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.event import UNKNOWN
from indimail_kit.logs.matchup import match
from indimail_kit.mailqueue.layout import create_queue
from indimail_kit.mailqueue.multi import create_queues
from indimail_kit.mailqueue.snapshot import read_message
from indimail_kit.mailqueue.states import QueueState

if TYPE_CHECKING:
    from tests.delivery.conftest import House

LOGS = Path(__file__).parent.parent / "data" / "indimail" / "logs"
WAIT_S = 10.0
"""Longest wait for another thread (unit: s)."""


def recorded_lines(name: str) -> list[str]:
    """Return the lines of a recorded log without their labels."""
    text = gzip.decompress((LOGS / f"{name}.tai64n.log.gz").read_bytes()).decode()
    return [line[26:] for line in text.splitlines()]


def recorded_story(name: str, first: str, last: str) -> list[str]:
    """Return the lines from the first one that is `first` up to the next one that is `last`."""
    lines = recorded_lines(name)
    start = lines.index(first)
    return lines[start : lines.index(last, start) + 1]


def shape(lines: list[str]) -> list[str]:
    """Replace what differs from machine to machine: inode, split directory, size, pids, uid, directory."""
    patterns = (
        (r"todo/\d+", "todo/S"),
        (r"\b\d{6,}\b", "N"),
        (r"bytes \d+", "bytes B"),
        (r" \d+ bytes", " B bytes"),
        (r"\b(pid|qp|to|uid) \d+\b", r"\1 P"),
        (r"(/[!-~]+)?/queue(?=\d)", "DIR/queue"),
        (r"conf split=\d+", "conf split=S"),
    )
    shaped = []
    for line in lines:
        for pattern, text in patterns:
            line = re.sub(pattern, text, line)
        shaped.append(line)
    return shaped


# -- letter for letter -------------------------------------------------------------------------------------------


def far_report(delivery: Delivery) -> Report:
    """Answer as the recorded qmail-remote did."""
    accepted = b"From: <%b> RCPT: <%b> 127.0.0.1 accepted message - Protocol SMTP.\n"
    said = b"Remote host said: 250 2.0.0 ok 1700000001 qp 4242\n"
    return Report("success", accepted % (delivery.sender, delivery.recipient) + said)


def no_way_home(house: House) -> dict[str, Any]:
    """Return options for the recorded host: local.test, whose user "fail" always fails."""
    return {"local": house.local(locals={"local.test", "mx1.indikit.test"}, host="mx1.indikit.test")}


def test_message_from_smtp_leaves_the_recorded_lines(house: House) -> None:
    """send-for-smtpd: one remote and one local recipient under qscheduler, from todo to end, each line in its place."""
    layout = create_queue(house.directory / "queue3", split=3)
    house.users["alice@local.test"] = house.users["bob@example.com"]
    gate = threading.Event()

    def remote(delivery: Delivery) -> Report:
        gate.wait(WAIT_S)
        return far_report(delivery)

    def on_event(event: SendEvent) -> None:
        if event.kind == "delivery":
            gate.set()

    house.put(b"y1@other.test", b"alice@local.test", sender=b"test@local.test", layout=layout)
    send = house.send(layout, remote=remote, qident=True, on_event=on_event, **no_way_home(house))
    send.run_once()
    ours = house.lines()

    theirs = recorded_story(
        "send-for-smtpd",
        "info: todo-proc: queue3: subdir=todo/139 fn=todo/139/1737243",
        "end msg 1737243 qmail-send: queue3",
    )
    assert shape(ours[ours.index(next(line for line in ours if "subdir" in line)) :]) == shape(theirs)


def test_bounce_leaves_the_recorded_lines(house: House) -> None:
    """send-single-queue1: failure, bounce msg, end msg; then the double bounce's own lines up to its first delivery."""
    failed = recorded_story(
        "send-single-queue1",
        "starting delivery 19: msg 1704480 to local fail@local.test queue1",
        "end msg 1704480 qmail-send: queue1",
    )
    bounced = recorded_story(
        "send-single-queue1",
        "info: todo-proc: queue1: subdir=todo/149 fn=todo/149/1704486",
        "starting delivery 21: msg 1704486 to local postmaster@mx1.indikit.test queue1",
    )
    theirs = shape([*failed, *(line for line in bounced if "1704486" in line)])
    theirs = [line.replace("delivery 19", "delivery 1").replace("delivery 21", "delivery 2") for line in theirs]
    theirs = [line.replace("remote 2/20", "remote 0/20") for line in theirs]  # others were under way there

    house.put(b"fail@local.test", sender=b"")
    house.send(**no_way_home(house)).run_once()
    ours = house.lines()
    ours = ours[ours.index(next(line for line in ours if line.startswith("starting"))) :]

    reason = "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/"
    assert shape(ours)[: len(theirs)] == [line.replace("no_way/", reason) for line in theirs]


@pytest.mark.parametrize("qident", [True, False], ids=["three queues under qscheduler", "one queue by hand"])
def test_start_and_stop_leave_the_recorded_lines(house: House, qident: bool) -> None:
    """Start-up: scheduler, queues, qmail-send, status, todo-proc; stop: TERM, quit, exiting. Interleaving apart."""
    base = house.directory / "base"
    layouts = create_queues(base, count=3, split=3) if qident else (house.layout,)
    send = house.send(*layouts, qident=qident)
    send.run_once()
    send.stop()

    if qident:
        lines = recorded_lines("send-for-smtpd")
        theirs = [*lines[:13], *lines[-14:]]
    else:
        lines = recorded_lines("send-single-queue1")
        theirs = [*lines[:3], *lines[-3:]]
    assert shape(house.lines())[: 13 if qident else 3] == shape(theirs)[: 13 if qident else 3]
    assert sorted(shape(house.lines())) == sorted(shape(theirs))


def test_stopping_with_deliveries_under_way_says_so(house: House) -> None:
    """Status lines end with "exitasap" until the last delivery has ended; nothing new is started."""
    begun, gate = threading.Event(), threading.Event()

    def slow(delivery: Delivery) -> Report:
        begun.set()
        gate.wait(WAIT_S)
        return far_report(delivery)

    house.put(b"one@far.test")
    send = house.send(remote=slow).start()
    assert begun.wait(WAIT_S)
    is_over = send.stop(timeout_s=0.01)
    house.put(b"bob@example.com")
    gate.set()

    assert (is_over, send.stop()) == (False, True)
    assert "status: local 0/20 remote 0/20 queue1 exitasap" in house.lines()
    assert house.lines()[-1].endswith(" queue1 exiting")
    assert house.mails("bob") == []


def test_log_reads_back_without_a_rest(house: House) -> None:
    """Every line is known, every delivery and message is closed, and the counts are right."""
    for count in range(3):
        house.put(b"bob@example.com", b"nobody@example.com", b"far%d@far.test" % count)
    send = house.send(remote=far_report)
    send.run_once()
    send.stop()

    events = list(read_events(house.log.path))
    matched = match(events)
    assert [event for event in events if event.kind == UNKNOWN] == []
    assert (matched.open_deliveries, matched.open_messages) == ((), ())
    assert len(matched.messages) == 6
    assert [(one.successes, one.failures) for one in matched.messages if one.sender] == [(2, 1)] * 3
    assert all(one.ended_ns is not None and one.queued_ns is not None for one in matched.messages)


# -- the thread --------------------------------------------------------------------------------------------------


def waiter(house: House, kind: str, count: int = 1) -> tuple[Callable[[SendEvent], None], threading.Event]:
    """Return a watcher, and what it sets after so many events of a kind."""
    done = threading.Event()
    seen: list[SendEvent] = []

    def on_event(event: SendEvent) -> None:
        house.events.append(event)
        seen.extend([event] if event.kind == kind else [])
        if len(seen) == count:
            done.set()

    return on_event, done


def test_trigger_wakes_the_thread(house: House) -> None:
    """A mail that enters the queue is delivered at once, without a poke."""
    on_event, done = waiter(house, "end_msg")
    with house.send(on_event=on_event) as send:
        house.put(b"bob@example.com")
        assert done.wait(WAIT_S)
        assert send.is_running

    assert len(house.mails("bob")) == 1
    assert not send.is_running


def test_poke_looks_into_todo(house: House) -> None:
    """For a message whose trigger was pulled before we listened."""
    on_event, done = waiter(house, "end_msg")
    send = house.send(on_event=on_event).start()
    trigger = house.layout.directory / "lock" / "trigger"
    hidden = trigger.rename(trigger.with_name("hidden"))
    house.put(b"bob@example.com")
    hidden.rename(trigger)
    send.poke()

    assert done.wait(WAIT_S)
    send.stop()


def test_retry_now_tries_everything(house: House) -> None:
    """As svc -a: SIGALRM's line, then a delivery that was not due yet."""
    house.put(b"x@far.test")
    on_event, done = waiter(house, "delivery", 2)
    send = house.send(on_event=on_event).start()
    send.retry_now()
    while not done.wait(0.01):
        send.retry_now()
    send.stop()

    assert any(re.fullmatch(r"alert: qmail-send: pid \d+ got ALRM: queue1", line) for line in house.lines())


def test_mail_in_several_queues_is_delivered_into_one_log(house: House) -> None:
    """Delivery numbers count per queue and carry its number."""
    layouts = create_queues(house.directory / "base", count=3, split=3)
    on_event, done = waiter(house, "end_msg", 6)
    with house.send(*layouts, qident=True, on_event=on_event):
        for layout in (*layouts, *layouts):
            house.put(b"bob@example.com", layout=layout)
        assert done.wait(WAIT_S)

    numbers = sorted(re.findall(r"^starting delivery (\S+):", "\n".join(house.lines()), re.MULTILINE))
    assert numbers == ["1.1", "1.2", "1.3", "2.1", "2.2", "2.3"]
    assert len(house.mails("bob")) == 6


def test_many_mails_from_several_threads_all_arrive(house: House) -> None:
    """Nothing is lost between the trigger and the look into todo."""
    on_event, done = waiter(house, "end_msg", 60)
    with house.send(on_event=on_event):
        threads = [
            threading.Thread(target=lambda: [house.put(b"bob@example.com", qp=1) for _ in range(15)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert done.wait(WAIT_S)

    assert len(house.mails("bob")) == 60
    assert house.left() == []


def test_thread_that_breaks_down_says_so_and_gives_the_queue_back(house: House) -> None:
    """An error of ours is kept, told in the log, and the lock is free for the next one."""

    def broken_pids() -> int:
        raise RuntimeError("no more pids")

    house.put(b"nobody@example.com")
    pids = iter(range(100, 102))
    send = house.send(next_pid=lambda: next(pids, None) or broken_pids()).start()
    send._thread.join(WAIT_S)  # type: ignore[union-attr]

    assert (str(send.failure), send.is_running) == ("no more pids", False)
    assert any("dying..." in line for line in house.lines())
    assert house.send().run_once() > 0


# -- alone with the queue ----------------------------------------------------------------------------------------


def test_second_qmail_send_on_a_queue_is_refused(house: House) -> None:
    """QueueError 111 and an alert in the log; the first one goes on."""
    house.send().run_once()

    with pytest.raises(QueueError, match="instance already running") as caught:
        house.send().start()
    assert caught.value.exit_code == 111
    assert house.lines()[-1] == "alert: qmail-send: queue1: cannot start: instance already running"


def test_refused_start_takes_no_queue_at_all(house: House) -> None:
    """The other queues stay free."""
    other = create_queue(house.directory / "queue2", split=3)
    house.send().run_once()

    with pytest.raises(QueueError):
        house.send(other, house.layout).start()
    assert house.send(other).run_once() >= 0


def test_stopped_queue_can_be_taken_again(house: House) -> None:
    """By the same object, or by another one."""
    send = house.send()
    send.run_once()
    send.stop()
    send.stop()
    house.put(b"bob@example.com")
    house.send().run_once()

    assert len(house.mails("bob")) == 1


def test_run_once_beside_the_thread_is_refused(house: House) -> None:
    """Two loops on one queue would deliver twice."""
    with house.send() as send, pytest.raises(QueueError):
        send.run_once()


@pytest.mark.parametrize("names", [(), ("queue1", "queue1")], ids=["none", "one name twice"])
def test_queues_must_have_different_names(house: House, names: tuple[str, ...]) -> None:
    """The log could not tell them apart."""
    layouts = [create_queue(house.directory / f"base{place}" / name, split=3) for place, name in enumerate(names)]

    with pytest.raises(ValueError, match="different names"):
        type(house.send())(layouts, local=house.local(), log=house.log)


def test_send_tells_what_it_is(house: House) -> None:
    """One line, without addresses or paths."""
    assert repr(house.send()) == "QmailSend(queue1; stopped)"


# -- restarts ----------------------------------------------------------------------------------------------------


def test_retry_times_outlive_a_stop(house: House) -> None:
    """The mtimes of local and remote are birth+100 and birth+400, as recorded; a new qmail-send keeps them."""
    (house.users["bob@example.com"] / "tmp").rmdir()
    number = house.put(b"bob@example.com", b"x@far.test").message_number
    birth_s = house.clock.now_s
    first = house.send()
    first.run_once()
    first.stop()
    mtimes = {kind: house.layout.path(kind, number).stat().st_mtime - birth_s for kind in ("info", "local", "remote")}
    second = house.send()
    counts = []
    for seconds in (0, 99, 1, 299, 1):
        house.clock.advance(seconds)
        second.run_once()
        counts.append(sum(event.kind == "delivery" for event in house.events))

    assert mtimes == {"info": 0, "local": 100, "remote": 400}
    assert counts == [2, 2, 3, 3, 5]


def test_lifetime_counts_from_the_birth_across_restarts(house: House) -> None:
    """A restart makes no message younger."""
    house.put(b"x@far.test")
    first = house.send()
    first.run_once()
    first.stop()
    house.clock.advance(LIFETIME_S + 1)
    house.send().run_once()

    assert len(house.mails("ann")) == 1
    assert house.left() == []


@pytest.mark.parametrize("state", ["S4", "S5"])
def test_message_that_lies_in_the_queue_is_found_at_the_start(house: House, state: str) -> None:
    """Nobody needs to pull the trigger for what was there before."""
    number = house.put(b"bob@example.com").message_number
    if state == "S5":
        shelf = house.users.pop("bob@example.com")
        house.users["bob@example.com"] = house.directory / "nowhere"
        first = house.send()
        first.run_once()
        first.stop()
        house.users["bob@example.com"] = shelf
        house.clock.advance(1000)
    found = read_message(house.layout, number).state
    house.send().run_once()

    assert (found, read_message(house.layout, number).state) == (QueueState[state], QueueState.S1)
    assert len(house.mails("bob")) == 1


def test_starting_twice_is_starting_once(house: House) -> None:
    """The second call changes nothing."""
    send = house.send()

    assert send.start() is send.start()
    assert sum("ratelimit=OFF" in line for line in house.lines()) == 1


def test_system_without_descriptors_is_no_start(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 111 with a reason, as for every start that fails, and the queue is free again."""

    def pipe2(_flags: int) -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pipe2", pipe2)
        with pytest.raises(QueueError, match="unable to create a pipe: Too many open files") as caught:
            house.send().run_once()

    assert caught.value.exit_code == 111
    house.put(b"bob@example.com")
    house.send().run_once()
    assert len(house.mails("bob")) == 1
