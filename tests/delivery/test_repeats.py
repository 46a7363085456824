"""A qmail-send that is killed in the middle: the next one loses nothing, and says what it repeats."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from indimail_kit.delivery import QmailSend, Relay, RemoteDelivery, Repeat, SmtpRoutes
from indimail_kit.delivery.repeats import LookBack, look_back
from indimail_kit.lab.second_host import SecondHost
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.event import UNKNOWN
from indimail_kit.logs.matchup import match
from indimail_kit.mailqueue.layout import create_queue
from indimail_kit.tai64 import to_tai64n

if TYPE_CHECKING:
    from tests.delivery.conftest import Clock, House

PROGRAM = Path(__file__).parent / "killed_send.py"
FAR = b"far@example.org"


@pytest.fixture
def clock(clock: Clock) -> Clock:
    """Return a clock at the present: a mark in a file sets its mtime to the system's time, whatever our clock says."""
    clock.now_ns = int(time.time()) * 10**9
    return clock


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SecondHost]:
    """Run a second host."""
    second = SecondHost(tmp_path / "second" / "Maildir")
    second.start()
    yield second
    second.stop()


@pytest.fixture
def kill_at(house: House, host: SecondHost) -> Callable[..., None]:
    """Return a function that delivers in another process, which kills itself at a moment."""
    return lambda *moment: run_and_die(house, host, *moment)


@pytest.fixture
def again(house: House, host: SecondHost) -> Callable[[], QmailSend]:
    """Return a function that delivers once more, here, until nothing is left that is due."""

    def run() -> QmailSend:
        house.clock.now_ns = time.time_ns() + 10**9
        remote = RemoteDelivery(routes=SmtpRoutes({"": Relay(*host.address)}), clock=house.clock)
        send = house.send(remote=remote)
        send.run_once()
        return send

    return run


def other_process(house: House, host: SecondHost, *moment: str) -> dict[str, Any]:
    """Return the command line and the environment of a qmail-send in another process, whose clock stands too."""
    words = [house.directory, host.address[1], house.clock.now_ns, *moment]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return {"args": [sys.executable, str(PROGRAM), *map(str, words)], "env": environ}


def run_and_die(house: House, host: SecondHost, *moment: str) -> None:
    """Deliver in another process, which kills itself at a moment."""
    done = subprocess.run(**other_process(house, host, *moment), capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr


def warnings(house: House) -> list[str]:
    """Return what the log says about repeating."""
    return [line for line in house.lines() if "twice" in line]


def open_and_unknown(house: House) -> tuple[int, int, int]:
    """Return how many deliveries and messages the log leaves open, and how many lines nobody knows."""
    events = list(read_events(house.log.path))
    matched = match(events)
    unknown = [event for event in events if event.kind == UNKNOWN]
    return len(matched.open_deliveries), len(matched.open_messages), len(unknown)


# -- killed in the middle ----------------------------------------------------------------------------------------


def test_mail_in_the_mailbox_comes_twice_and_is_announced(
    house: House, kill_at: Callable[..., None], again: Callable[[], QmailSend]
) -> None:
    """Killed between the mailbox and the log: the file is the witness."""
    number = house.put(b"bob@example.com").message_number
    kill_at("step", "link", "/bob/Maildir/new/")
    before = house.mails("bob")
    path = next((house.users["bob@example.com"] / "new").iterdir())
    send = again()

    repeat = Repeat("queue1", number, "local", "bob@example.com", True, f"it lies in {path}")
    assert send.repeats == (repeat,)
    assert house.mails("bob") == before * 2
    assert warnings(house) == [
        f"warn: qmail-send: queue1: msg {number} to local bob@example.com comes twice: it lies in {path}"
    ]


def test_logged_success_without_a_mark_comes_twice(
    house: House, kill_at: Callable[..., None], again: Callable[[], QmailSend]
) -> None:
    """Killed between the log and the mark; the owner has even deleted the mail."""
    number = house.put(b"bob@example.com").message_number
    kill_at("event", "delivery")
    for path in (house.users["bob@example.com"] / "new").iterdir():
        path.unlink()

    witness = "the log says it was delivered"
    assert again().repeats == (Repeat("queue1", number, "local", "bob@example.com", True, witness),)
    assert len(house.mails("bob")) == 1


def test_remote_mail_that_was_under_way_may_come_twice(
    house: House, host: SecondHost, again: Callable[[], QmailSend]
) -> None:
    """The other host took the mail and was silent; nobody here can know, and both copies are the same mail."""
    number = house.put(FAR).message_number
    host.fall_silent(stage="message")
    with subprocess.Popen(**other_process(house, host, "never")) as process:
        assert host.wait_for_silence(30)
        process.kill()
    host.behave()
    send = again()

    witness = "it was under way when qmail-send ended"
    assert send.repeats == (Repeat("queue1", number, "remote", "far@example.org", False, witness),)
    assert warnings(house) == [
        f"warn: qmail-send: queue1: msg {number} to remote far@example.org may come twice: {witness}"
    ]
    assert [mail.octets for mail in host.mails] == [host.mails[0].octets] * 2


def test_failure_without_a_mark_may_be_told_twice(
    house: House, kill_at: Callable[..., None], again: Callable[[], QmailSend]
) -> None:
    """Killed between the log and the bounce file."""
    number = house.put(b"nobody@example.com").message_number
    kill_at("event", "delivery")

    witness = "the log says it failed, and the sender may have been told"
    assert again().repeats == (Repeat("queue1", number, "local", "nobody@example.com", True, witness),)
    assert len(house.mails("ann")) == 1


def test_bounce_that_was_queued_comes_twice(
    house: House, kill_at: Callable[..., None], again: Callable[[], QmailSend]
) -> None:
    """Killed between "bounce msg" and the removal of bounce/N."""
    number = house.put(b"nobody@example.com").message_number
    kill_at("event", "bounce")
    send = again()

    (repeat,) = (repeat for repeat in send.repeats if repeat.channel == "bounce")
    assert (repeat.message_number, repeat.is_sure) == (number, True)
    assert repeat.remark.startswith(f"msg {number} its bounce comes twice: the log says it was queued as qp ")
    assert len(house.mails("ann")) == 2


@pytest.mark.parametrize(
    "moment",
    [
        "event new_msg",
        "event start",
        "step mark local/",
        "step unlink info/",
        "step write bounce/",
        "step unlink mess/",
    ],
)
def test_nothing_is_lost_and_nothing_stays_open(
    house: House, host: SecondHost, kill_at: Callable[..., None], again: Callable[[], QmailSend], moment: str
) -> None:
    """Local, remote and failing mail; whenever it is killed, each arrives, and the log is closed in the end."""
    house.put(b"bob@example.com", b"nobody@example.com")
    house.put(FAR)
    kill_at(*moment.split())
    send = again()
    send.stop()
    again().stop()  # the bounce of the first run may have waited for its turn

    assert len(house.mails("bob")) >= 1
    assert {mail.recipients for mail in host.mails} == {("far@example.org",)}
    assert any(b"<nobody@example.com>:\n" in mail for mail in house.mails("ann"))
    assert house.left() == []
    assert open_and_unknown(house) == (0, 0, 0)


# -- what is not claimed -----------------------------------------------------------------------------------------


def test_orderly_stop_repeats_nothing(house: House, host: SecondHost, again: Callable[[], QmailSend]) -> None:
    """A deferred recipient waits; nobody served him."""
    host.say("450 later")
    house.put(FAR)
    again().stop()
    send = again()

    assert (send.repeats, send.unknown_count, warnings(house)) == ((), 0, [])


def test_without_a_log_nothing_is_claimed(
    house: House, host: SecondHost, kill_at: Callable[..., None], again: Callable[[], QmailSend]
) -> None:
    """A remote delivery was under way, and its log is gone: the recipient is counted, and the log says so."""
    house.put(FAR)
    kill_at("event", "start")
    house.log.path.write_bytes(b"")
    send = again()

    assert (send.repeats, send.unknown_count) == ((), 1)
    remark = "no log tells of 1 recipients that wait; whether one comes twice is unknown"
    assert warnings(house) == [f"warn: qmail-send: queue1: {remark}"]


def test_mailbox_is_a_witness_without_a_log(
    house: House, kill_at: Callable[..., None], again: Callable[[], QmailSend]
) -> None:
    """In a folder, read meanwhile and flagged: the octets are the same."""
    house.put(b"bob@example.com")
    kill_at("step", "link", "/bob/Maildir/new/")
    house.log.path.write_bytes(b"")
    folder = house.users["bob@example.com"] / ".Kept" / "cur"
    folder.mkdir(parents=True)
    path = next((house.users["bob@example.com"] / "new").iterdir())
    path.rename(folder / f"{path.name}:2,S")

    (repeat,) = again().repeats
    assert (repeat.is_sure, repeat.witness) == (True, f"it lies in {folder / path.name}:2,S")


def test_other_message_of_the_same_number_is_no_witness(house: House, tmp_path: Path) -> None:
    """Numbers are used again: a log of long ago tells nothing about this message."""
    number = house.put(b"bob@example.com").message_number
    send = house.send(remote=None, on_event=None)
    send.run_once()
    send.stop()
    old = house.lines()
    assert any(line.startswith("delivery 1: success") for line in old)
    path = tmp_path / "old-log"
    path.write_bytes(b"".join(line for line in house.log.path.read_bytes().splitlines(True) if b"end msg" not in line))
    house.clock.advance(3600)
    house.write("mess", number, b"Subject: another\n\n")
    house.write("info", number, b"Fann@example.com\0")
    house.write("local", number, b"Tbob@example.com\0")

    assert look_back([house.layout], local=house.local(), log_path=path) == (LookBack((), 1),)


def test_same_address_twice_is_counted(house: House, tmp_path: Path) -> None:
    """Two records of one address, one mark, two successes in the log: one comes twice."""
    number = 77
    house.write("mess", number, b"Subject: hi\n\n")
    house.write("info", number, b"Fann@example.com\0")
    house.write("local", number, b"Dbob@example.com\0Tbob@example.com\0")
    lines = [
        f"new msg {number} queue1",
        f"info msg {number}: bytes 13 from <ann@example.com> qp 5 uid 0 queue1",
        f"starting delivery 1: msg {number} to local bob@example.com queue1",
        f"starting delivery 2: msg {number} to local bob@example.com queue1",
        "delivery 1: success: did_1+0+0/ queue1",
    ]

    def looked(*more: str) -> LookBack:
        with (tmp_path / "told").open("wb") as file:
            for line in (*lines, *more):
                file.write(to_tai64n(house.clock.now_ns) + b" " + line.encode() + b"\n")
        return look_back([house.layout], local=house.local(), log_path=tmp_path / "told")[0]

    assert [repeat.is_sure for repeat in looked().repeats] == [False]
    assert [repeat.is_sure for repeat in looked("delivery 2: success: did_1+0+0/ queue1").repeats] == [True]
    assert looked("delivery 2: deferral: later/ queue1").repeats == ()


def test_damaged_files_are_left_to_the_loop(house: House, unreadable: Callable[[Path], None]) -> None:
    """An info file that is a link, a broken record, a missing log: no witness, no exception."""
    house.write("info", 7, b"broken")
    unreadable(house.layout.path("info", 8))
    house.write("info", 9, b"Fann@example.com\0")
    house.write("local", 9, b"Tbob@example.com\0Xbroken")

    assert look_back([house.layout], local=house.local(), log_path=house.directory / "none") == (LookBack((), 1),)


def test_deferred_messages_of_the_log_are_not_even_read(
    house: House, host: SecondHost, again: Callable[[], QmailSend], unreadable: Callable[[Path], None]
) -> None:
    """A queue with half a million deferred mails starts fast: nobody opens the file that cannot be read."""
    host.say("450 later")
    number = house.put(FAR).message_number
    again().stop()
    unreadable(house.layout.path("remote", number))

    assert look_back([house.layout], local=house.local(), log_path=house.log.path) == (LookBack(),)


def test_only_the_end_of_a_long_log_is_read(
    house: House, host: SecondHost, again: Callable[[], QmailSend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies before is as unknown as if it had been rotated away; half a line at the cut is no line."""
    host.say("450 later")
    house.put(FAR)
    again().stop()
    size = house.log.path.stat().st_size
    looks = []
    for limit in (size, size // 3):
        monkeypatch.setattr("indimail_kit.delivery.repeats.MAX_LOG_OCTETS", limit)
        looks.append(look_back([house.layout], local=house.local(), log_path=house.log.path)[0])

    assert looks == [LookBack(), LookBack((), 1)]


def test_several_queues_are_told_apart(house: House, host: SecondHost, again: Callable[[], QmailSend]) -> None:
    """The log of one queue is no witness for another one with the same numbers."""
    host.say("450 later")
    number = house.put(FAR).message_number
    again().stop()
    other = create_queue(house.directory / "queue2", split=3)
    for kind in ("info", "remote"):
        other.path(kind, number).write_bytes(house.layout.path(kind, number).read_bytes())

    looks = look_back([house.layout, other], local=house.local(), log_path=house.log.path)
    assert looks == (LookBack(), LookBack((), 1))


def test_empty_queue_needs_no_log(house: House) -> None:
    """The log is not even opened."""
    assert look_back([house.layout], local=house.local(), log_path=house.directory / "none") == (LookBack(),)


def test_hostile_address_stays_one_line(house: House) -> None:
    """A line end in an address cannot forge a line of the log."""
    remark = Repeat("queue1", 7, "remote", "a\nend msg 7@example.org", False, "it was under way").remark
    assert remark == "msg 7 to remote a/end_msg_7@example.org may come twice: it was under way"
