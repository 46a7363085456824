"""The loop on one queue: retries, marks, trouble, the end. Driven through QmailSend without a thread."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from indimail_kit.delivery.events import Delivery, Report
from indimail_kit.delivery.queuerun import TOO_OLD_TEXT
from indimail_kit.delivery.schedule import LIFETIME_S, SYSTEM_FAILURE_S

if TYPE_CHECKING:
    from tests.delivery.conftest import House

DID = Report("success", b"did 1+0+0\n")
LATER = Report("deferral", b"temporary trouble\n")
NEVER = Report("failure", b"no way\n")


class Remote:
    """Answers remote deliveries from a table: recipient -> reports in turn, the last one for ever."""

    def __init__(self, **answers: list[Report]) -> None:
        self.answers = {name.encode() + b"@far.test": list(reports) for name, reports in answers.items()}
        self.tried: list[bytes] = []
        self.lock = threading.Lock()

    def __call__(self, delivery: Delivery) -> Report:
        with self.lock:
            self.tried.append(delivery.recipient)
            reports = self.answers[delivery.recipient]
            return reports.pop(0) if len(reports) > 1 else reports[0]


def kinds(house: House) -> list[str]:
    """Return the kinds of events so far, without starts and status lines."""
    return [event.kind for event in house.events if event.kind not in ("started", "status", "signal", "stopped")]


def outcomes(house: House) -> list[tuple[str, str]]:
    """Return recipient and outcome of each delivery so far."""
    return [(event.recipient, event.outcome) for event in house.events if event.kind == "delivery"]


def test_clean_message_goes_through_every_station(house: House) -> None:
    """todo, new, info, recipient, start, delivery, end; the event tells where the mail lies."""
    number = house.put(b"bob@example.com", qp=5219).message_number
    house.send().run_once()
    (done,) = [event for event in house.events if event.kind == "delivery"]

    assert kinds(house) == ["todo", "new_msg", "info_msg", "recipient", "start", "delivery", "end_msg"]
    assert (done.message_number, done.delivery_number, done.channel, done.recipient, done.sender, done.outcome) == (
        *(number, 1, "local", "bob@example.com", "ann@example.com", "success"),
    )
    assert (done.report, done.folder, done.path and done.path.read_bytes()) == (
        "did_1+0+0/",
        "Inbox",
        house.mails("bob")[0],
    )
    assert [event.qp for event in house.events if event.kind == "info_msg"] == [5219]
    assert house.left() == []


def test_message_for_nobody_just_ends(house: House) -> None:
    """An envelope without recipients is accepted by qmail-queue and ends at once."""
    house.put()
    house.send().run_once()

    assert kinds(house)[-1] == "end_msg"
    assert house.left() == []


def test_remote_recipient_stays_queued_while_there_is_no_way(house: House) -> None:
    """Deferred with a reason; S5 with a T record."""
    number = house.put(b"x@far.test").message_number
    house.send().run_once()

    assert outcomes(house) == [("x@far.test", "deferral")]
    assert any(line.endswith("deferral: CNAME_lookup_failed_temporarily._(#4.4.3)/ queue1") for line in house.lines())
    assert house.layout.path("remote", number).read_bytes() == b"Tx@far.test\0"


def test_deferred_recipient_is_tried_when_it_is_due(house: House) -> None:
    """Local: 100 s after birth, then 400 s; not a second earlier."""
    shutil.rmtree(house.users["bob@example.com"] / "tmp")
    house.put(b"bob@example.com")
    send = house.send()
    counts = []
    for seconds in (0, 99, 1, 299, 1):
        house.clock.advance(seconds)
        send.run_once()
        counts.append(len(outcomes(house)))

    assert counts == [1, 1, 2, 2, 3]


def test_mailbox_that_is_repaired_gets_its_mail(house: House) -> None:
    """A full or broken Maildir loses nothing."""
    tmp = house.users["bob@example.com"] / "tmp"
    tmp.rmdir()
    house.put(b"bob@example.com")
    send = house.send()
    send.run_once()
    tmp.mkdir()
    house.clock.advance(100)
    send.run_once()

    assert outcomes(house) == [("bob@example.com", "deferral"), ("bob@example.com", "success")]
    assert (len(house.mails("bob")), house.left()) == (1, [])


def test_only_those_who_wait_are_tried_again(house: House) -> None:
    """A recipient that is done is marked by one octet, and left in peace."""
    remote = Remote(one=[DID], two=[LATER, DID], three=[DID])
    number = house.put(b"one@far.test", b"two@far.test", b"three@far.test").message_number
    send = house.send(remote=remote)
    send.run_once()
    marked = house.layout.path("remote", number).read_bytes()
    house.clock.advance(400)
    send.run_once()

    assert marked == b"Done@far.test\0Ttwo@far.test\0Dthree@far.test\0"
    assert sorted(remote.tried) == [b"one@far.test", b"three@far.test", b"two@far.test", b"two@far.test"]
    assert house.left() == []


def test_mark_keeps_inode_and_size_of_the_file(house: House) -> None:
    """The file is never rewritten."""
    number = house.put(b"bob@example.com", b"x@far.test", b"nobody@example.com").message_number
    inodes: list[tuple[int, int]] = []
    path = house.layout.path("local", number)

    def note(step: Any) -> None:
        if step.call in ("mark", "write") and step.path.startswith("local/"):
            inodes.append((path.stat().st_ino, path.stat().st_size))

    house.send(on_step=note).run_once()

    assert len(inodes) == 3
    assert len(set(inodes)) == 1


@pytest.mark.parametrize("report", [LATER, NEVER], ids=["deferral", "failure"])
def test_recipient_that_is_too_old_fails_for_good(house: House, report: Report) -> None:
    """After the lifetime a deferral is a failure with qmail-send's sentence, and the sender is told."""
    house.put(b"old@far.test")
    send = house.send(remote=Remote(old=[LATER, report]))
    send.run_once()
    house.clock.advance(LIFETIME_S + 1)
    send.run_once()
    reports = [event.report for event in house.events if event.kind == "delivery" and event.recipient == "old@far.test"]

    sentence = TOO_OLD_TEXT.decode().replace(" ", "_").replace("\n", "/")
    assert reports[1] == ("temporary_trouble/" + sentence if report is LATER else "no_way/")
    assert (b"too long" in house.mails("ann")[0]) is (report is LATER)
    assert house.left() == []


def test_lifetime_can_be_short(house: House) -> None:
    """Queuelifetime 0: the second attempt is the last."""
    house.put(b"old@far.test")
    send = house.send(remote=Remote(old=[LATER]), lifetime_s=0)
    send.run_once()
    house.clock.advance(400)
    send.run_once()

    assert [outcome for _, outcome in outcomes(house)] == ["deferral", "failure", "success"]


def test_failed_recipient_is_told_to_the_sender(house: House) -> None:
    """Unknown user -> bounce to ann -> delivered like any mail."""
    house.put(b"nobody@example.com")
    house.send().run_once()

    assert outcomes(house) == [("nobody@example.com", "failure"), ("ann@example.com", "success")]
    assert b"<nobody@example.com>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n" in house.mails("ann")[0]
    assert [event.recipient for event in house.events if event.kind == "bounce"] == ["ann@example.com"]


def test_bounce_that_bounces_goes_to_the_postmaster(house: House) -> None:
    """A message from nobody's address: bounce, double bounce, end."""
    house.put(b"nobody@example.com", sender=b"ghost@example.com")
    house.send().run_once()

    assert outcomes(house) == [
        ("nobody@example.com", "failure"),
        ("ghost@example.com", "failure"),
        ("postmaster@example.com", "success"),
    ]
    assert house.mails("postmaster")[0].startswith(b"Return-Path: <#@[]>\n")


def test_third_bounce_is_thrown_away(house: House) -> None:
    """No postmaster either: one line, and the queue is empty."""
    del house.users["postmaster@example.com"]
    house.put(b"nobody@example.com", sender=b"ghost@example.com")
    house.send().run_once()

    assert [line.startswith("triple bounce: discarding bounce/") for line in house.lines()].count(True) == 1
    assert house.left() == []


def test_variable_return_path_names_each_recipient(house: House) -> None:
    """VERP: the sender ends in -@[]."""
    house.put(b"bob@example.com", sender=b"list-@example.com-@[]")
    house.send().run_once()

    assert house.mails("bob")[0].startswith(b"Return-Path: <list-bob=example.com@example.com>\n")


def test_delivery_that_breaks_off_is_deferred(house: House) -> None:
    """A mangled report: logged as such, with the kind of error, and tried again."""

    def break_off(_delivery: Delivery) -> Report:
        raise ConnectionResetError("secret")

    number = house.put(b"x@far.test").message_number
    house.send(remote=break_off).run_once()

    assert "delivery 1: report mangled, will defer: queue1" in house.lines()
    assert "warn: qmail-send: queue1: delivery 1 broke off: ConnectionResetError" in house.lines()
    assert house.layout.path("remote", number).read_bytes() == b"Tx@far.test\0"


def test_report_is_cut_at_its_limit(house: House) -> None:
    """A remote host cannot fill the log with one report."""
    house.put(b"big@far.test")
    house.send(remote=Remote(big=[Report("success", b"x" * 20000)])).run_once()

    assert max(len(line) for line in house.lines()) < 10100


@pytest.mark.parametrize("limit", [1, 2])
def test_no_more_deliveries_than_allowed_run_at_once(house: House, limit: int) -> None:
    """Concurrencyremote is kept, and reached."""
    running, most, gate = [0], [0], threading.Lock()
    meeting = threading.Barrier(limit, timeout=5)

    def deliver(_delivery: Delivery) -> Report:
        with gate:
            running[0] += 1
            most[0] = max(most[0], running[0])
        meeting.wait()
        with gate:
            running[0] -= 1
        return DID

    house.put(*(b"%d@far.test" % count for count in range(2 * limit)))
    house.send(remote=deliver, concurrency_remote=limit).run_once()

    assert most == [limit]
    assert house.left() == []


def test_slow_remote_host_does_not_hold_local_mail_back(house: House) -> None:
    """The mailbox gets its mail while the remote delivery is still under way."""
    seen: list[int] = []

    def slow(_delivery: Delivery) -> Report:
        delivered.wait(5)
        seen.append(len(house.mails("bob")))
        return DID

    delivered = threading.Event()
    house.put(b"slow@far.test", b"bob@example.com")

    def on_event(event: Any) -> None:
        if event.kind == "delivery" and event.channel == "local":
            delivered.set()

    house.send(remote=slow, on_event=on_event).run_once()

    assert seen == [1]


# -- broken files ------------------------------------------------------------------------------------------------


def preprocessed(house: House, *recipients: bytes) -> int:
    """Bring a message to S5 with recipients that wait, and stop; return its number."""
    number = house.put(*recipients).message_number
    shutil.move(house.users["bob@example.com"], house.directory / "aside")
    first = house.send()
    first.run_once()
    first.stop()
    shutil.move(house.directory / "aside", house.users["bob@example.com"])
    house.clock.advance(500)
    house.events.clear()
    return number


@pytest.mark.parametrize(
    ("kind", "octets", "remark"),
    [
        pytest.param("info", b"cut", "trouble opening info/", id="cut info"),
        pytest.param("info", b"", "trouble opening info/", id="empty info"),
        pytest.param("local", b"?\0", "unknown record type in local/", id="unknown record"),
        pytest.param("local", b"Tbob", "unfinished record in local/", id="cut local"),
    ],
)
def test_broken_record_is_kept_and_told_and_the_others_go_on(
    house: House, kind: str, octets: bytes, remark: str
) -> None:
    """A warning; every file of the broken message stays; another message is delivered."""
    number = preprocessed(house, b"bob@example.com")
    house.write(kind, number, octets)
    house.put(b"ann@example.com")
    house.send().run_once()

    warnings = [line for line in house.lines() if line.startswith("warn:")]
    assert [warning.startswith(f"warn: qmail-send: queue1: {remark}") for warning in warnings] == [True]
    assert house.left() == sorted(house.layout.relative(name, number) for name in ("mess", "info", "local"))
    assert len(house.mails("ann")) == 1


def test_good_records_before_a_fault_are_delivered(house: House) -> None:
    """What can be read is delivered once; the file stays with its fault."""
    number = preprocessed(house, b"bob@example.com")
    house.write("local", number, b"Tbob@example.com\0?broken\0")
    send = house.send()
    send.run_once()
    house.clock.advance(LIFETIME_S)
    send.run_once()

    assert len(house.mails("bob")) == 1
    assert house.layout.path("local", number).read_bytes() == b"Dbob@example.com\0?broken\0"


def test_broken_info_is_tried_again_and_not_too_often(house: House) -> None:
    """After 123 s; once repaired the mail is delivered."""
    number = preprocessed(house, b"bob@example.com")
    good = house.layout.path("info", number).read_bytes()
    house.write("info", number, b"cut")
    send = house.send()
    send.run_once()
    send.run_once()
    warned = sum(line.startswith("warn:") for line in house.lines())
    house.write("info", number, good)
    house.clock.advance(SYSTEM_FAILURE_S)
    send.run_once()

    assert (warned, len(house.mails("bob")), house.left()) == (1, 1, [])


@pytest.mark.parametrize("gone", [("local",), ("info",), ("info", "local", "mess")], ids="+".join)
def test_file_that_vanishes_while_waiting_is_told_and_forgotten(house: House, gone: tuple[str, ...]) -> None:
    """An administrator removed files under our hands: one warning, no loop, the others go on."""
    shutil.rmtree(house.users["bob@example.com"] / "tmp")
    number = house.put(b"bob@example.com").message_number
    send = house.send()
    send.run_once()
    for kind in gone:
        house.layout.path(kind, number).unlink()
    house.clock.advance(100)
    send.run_once()
    house.clock.advance(LIFETIME_S)
    house.put(b"ann@example.com")
    send.run_once()

    assert sum("vanished" in line for line in house.lines()) == 1
    assert len(house.mails("ann")) == 1


def test_message_that_is_gone_when_it_shall_be_delivered_is_deferred(house: House) -> None:
    """No mess file: no delivery, no bounce, no end."""
    number = preprocessed(house, b"bob@example.com")
    house.layout.path("mess", number).unlink()
    house.send().run_once()

    assert [(event.outcome, event.report) for event in house.events if event.kind == "delivery"] == [
        ("deferral", "Unable_to_read_message._(#4.3.0)/")
    ]


def test_channel_file_that_cannot_be_marked_is_told(house: House) -> None:
    """The mail is delivered; the log says that it will come twice."""
    house.put(b"mark@far.test", b"later@far.test")

    def deliver(delivery: Delivery) -> Report:
        if delivery.recipient == b"mark@far.test":
            house.layout.path("remote", delivery.message_number).write_bytes(b"changed by somebody")
        return DID if delivery.recipient == b"mark@far.test" else LATER

    house.send(remote=deliver, concurrency_remote=1).run_once()

    assert sum("trouble marking remote/" in line and "delivered twice" in line for line in house.lines()) == 1


def test_sender_that_cannot_be_told_keeps_the_recipient_waiting(
    house: House, unreadable: Callable[[Path], None]
) -> None:
    """No room for bounce/N: an alert, the record stays T, and the failure comes again later."""
    number = house.put(b"nobody@example.com").message_number
    unreadable(house.layout.path("bounce", number))
    house.send().run_once()

    assert sum("unable to append to bounce message" in line for line in house.lines()) == 1
    assert house.layout.path("local", number).read_bytes() == b"Tnobody@example.com\0"


def test_leftovers_older_than_36_hours_are_removed(house: House) -> None:
    """qmail-clean's work at the start: a mess file that nobody will ever finish."""
    import os

    path = house.write("mess", 7, b"half")
    os.utime(path, (house.clock.now_s - 129601,) * 2)
    house.send().run_once()

    assert house.left() == []


def test_directory_that_is_none_holds_its_messages_back(house: House) -> None:
    """A file where remote/N's directory should be: a warning at the start, the mail is found again after 123 s."""
    number = preprocessed(house, b"bob@example.com")
    directory = house.layout.path("remote", number).parent
    directory.rmdir()
    directory.touch()
    send = house.send()
    send.run_once()
    before = (len(house.mails("bob")), sum("unable to stat remote/" in line for line in house.lines()))
    directory.unlink()
    directory.mkdir()
    house.clock.advance(SYSTEM_FAILURE_S)
    send.run_once()

    assert before == (0, 1)
    assert (len(house.mails("bob")), house.left()) == (1, [])


def test_channel_file_that_cannot_be_removed_is_tried_again(house: House) -> None:
    """Something odd took its place: warnings, no end, another try later."""
    number = house.put(b"one@far.test").message_number
    path = house.layout.path("remote", number)

    def deliver(_delivery: Delivery) -> Report:
        path.unlink()
        path.mkdir()
        return DID

    send = house.send(remote=deliver)
    send.run_once()
    path.rmdir()
    house.clock.advance(SYSTEM_FAILURE_S)
    send.run_once()

    assert sum("unable to unlink remote/" in line for line in house.lines()) == 1
    assert house.left() == []


def test_message_whose_ending_fails_is_ended_later(house: House, unreadable: Callable[[Path], None]) -> None:
    """The bounce file cannot be read: 123 s later it is tried again, and nothing was lost."""
    number = house.put(b"no@far.test").message_number
    bounce = house.layout.path("bounce", number)
    kept: list[bytes] = []

    def spoil(step: Any) -> None:
        if step.call == "unlink" and step.path.startswith("remote/") and bounce.exists():
            kept.append(bounce.read_bytes())
            unreadable(bounce)

    send = house.send(remote=Remote(no=[NEVER]), on_step=spoil)
    send.run_once()
    before = (sum("trouble reading bounce/" in line for line in house.lines()), len(house.mails("ann")))
    bounce.unlink()
    bounce.write_bytes(kept[0])
    house.clock.advance(SYSTEM_FAILURE_S)
    send.run_once()

    assert before == (1, 0)
    assert (len(house.mails("ann")), house.left()) == (1, [])


def test_retry_time_that_cannot_be_kept_is_told(house: House) -> None:
    """The file went while the message waited: the line of qmail-send, and a normal end."""
    number = house.put(b"x@far.test").message_number
    send = house.send()
    send.run_once()
    house.layout.path("remote", number).unlink()
    send.stop()

    wanted = f"warn: qmail-send: queue1: unable to utime remote/{number % 3}/{number}; message will be retried too soon"
    assert wanted in house.lines()


def test_half_preprocessed_message_is_left_to_todo_proc(house: House) -> None:
    """Info exists and todo too: a crash in the middle; the recipients are not taken from the half-written files."""
    number = house.put(b"bob@example.com").message_number
    house.write("info", number, b"Fwrong@example.com\0")
    house.write("local", number, b"Tann@example.com\0")
    house.send().run_once()

    assert (len(house.mails("ann")), len(house.mails("bob"))) == (0, 1)
