"""What is said, and what happens when nobody can hear it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from indimail_kit.delivery.events import SendEvent, as_text
from indimail_kit.delivery.journal import Journal, QueueJournal, one_word
from indimail_kit.logs.grammar import parse_line
from indimail_kit.mailqueue.layout import QueueLayout

if TYPE_CHECKING:
    from tests.delivery.conftest import House


def journal_of(house: House, **options: Any) -> QueueJournal:
    """Return the journal of queue1."""
    journal = Journal(house.log, clock=house.clock, on_event=options.get("on_event", house.events.append))
    return QueueJournal(journal, QueueLayout(Path("queue1")))


def test_line_goes_to_the_log_and_to_the_watcher(house: House) -> None:
    """Same text, same time."""
    journal_of(house).say("new_msg", message_number=7, about={"qp": 42})

    assert house.lines() == ["new msg 7 queue1"]
    assert house.events == [
        SendEvent(
            unix_ns=house.clock.now_ns,
            kind="new_msg",
            queue="queue1",
            message_number=7,
            qp=42,
            line=b"new msg 7 queue1",
        )
    ]


def test_watcher_that_raises_stops_nothing(house: House) -> None:
    """Its error is kept, the line is written, the next one too."""

    def raise_it(_event: SendEvent) -> None:
        raise RuntimeError("boom")

    journal = Journal(house.log, clock=house.clock, on_event=raise_it)
    journal.warn("queue1", "one")
    journal.warn("queue1", "two")

    assert house.lines() == ["warn: qmail-send: queue1: one", "warn: qmail-send: queue1: two"]
    assert [str(error) for error in journal.watcher_errors] == ["boom", "boom"]


def test_line_that_cannot_be_written_is_counted(house: House) -> None:
    """A log that is closed (or a disk that is full) does not stop the mail."""
    house.log.close()
    journal = Journal(house.log, clock=house.clock, on_event=house.events.append)
    journal.warn("queue1", "nobody reads this")

    assert (journal.lost_lines, len(house.events)) == (1, 1)


@pytest.mark.parametrize(
    ("sender", "recipient", "line"),
    [
        pytest.param(b"a@b", b"c@d", "local: a@b c@d 7 9 bytes queue1 opendir mode", id="plain"),
        pytest.param(b"", b"c@d", "local: <> c@d 7 9 bytes queue1 opendir mode", id="bounce"),
        pytest.param(b"a@b", b"sp ace@d", "local: a@b sp ace@d 7 9 bytes queue1 opendir mode", id="raw blank"),
        pytest.param(
            b"sp ace@b", b"c@d", "local: sp_ace@b c@d 7 9 bytes queue1 opendir mode", id="blank in the sender"
        ),
    ],
)
def test_addresses_stand_in_the_line_as_recorded(house: House, sender: bytes, recipient: bytes, line: str) -> None:
    """todo-proc does not clean them; a blank in the sender would make the line unreadable, so it becomes "_"."""
    journal_of(house).say(
        "todo_recipient",
        channel="local",
        raw_sender=sender,
        raw_recipient=recipient,
        message_number=7,
        message_bytes=9,
        todo_mode="opendir",
    )

    assert house.lines() == [line]


def test_address_cannot_forge_a_line(house: House) -> None:
    """A newline in an address makes no second line."""
    journal_of(house).say(
        "todo_recipient",
        channel="local",
        raw_sender=b"a@b",
        raw_recipient=b"c@d\nend msg 7 qmail-send: queue1",
        message_number=7,
        message_bytes=9,
        todo_mode="opendir",
    )

    assert len(house.lines()) == 1
    assert parse_line(house.lines()[0].encode()).kind != "end_msg"


def test_value_that_no_line_has_room_for_is_named(house: House) -> None:
    """A line is written all the same, so that nothing disappears."""
    journal_of(house).say("new_msg", message_number=10**19)

    assert [line.startswith("warn: qmail-send: no line new_msg: ") for line in house.lines()] == [True]


def test_path_becomes_one_word() -> None:
    """Blanks and other letters in a directory would break the line."""
    assert one_word("/tmp/my läb/queue1") == b"/tmp/my_l__b/queue1"


def test_address_for_people_shows_odd_octets() -> None:
    """UTF-8 as it is, the rest as escapes."""
    assert as_text("bö\udcff".encode("utf-8", "surrogateescape")) == "bö\\xff"


def test_errors_of_watchers_are_kept_to_a_limit(house: House) -> None:
    """A watcher that always raises costs no memory without end."""

    def raise_it(_event: SendEvent) -> None:
        raise RuntimeError("boom")

    journal = Journal(house.log, clock=house.clock, on_event=raise_it)
    for _ in range(150):
        journal.warn("queue1", "again")

    assert len(journal.watcher_errors) == 100
