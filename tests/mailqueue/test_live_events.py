"""A ledger of names, and what a change of them means."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.live_events import SENTENCES, WATCHED, Ledger, LiveChange, Stamp
from indimail_kit.mailqueue.states import QueueState

LAYOUT = QueueLayout(Path("queue1"), split=7)
APPEARED, WENT, CHANGED = LiveChange.APPEARED, LiveChange.WENT, LiveChange.CHANGED


def ledger(*paths: str) -> Ledger:
    """Return a ledger of some names."""
    return Ledger(LAYOUT, dict.fromkeys(paths))


def test_state_follows_the_names() -> None:
    """S2, S3, S4 as the files of one message appear."""
    book = ledger()
    events = [book.tell(APPEARED, path, 0) for path in ("mess/3/10", "intd/3/10", "todo/3/10")]
    assert [event.state if event else None for event in events] == [QueueState.S2, QueueState.S3, QueueState.S4]


def test_what_is_known_is_not_told_twice() -> None:
    """A name that the look at the start has seen may be in inotify's queue too."""
    assert ledger("mess/3/10").tell(APPEARED, "mess/3/10", 0) is None


def test_removal_of_something_unknown_is_not_told() -> None:
    """It was gone before the look, and its event comes late."""
    assert ledger().tell(WENT, "mess/3/10", 0) is None


def test_write_to_a_pid_file_is_told_of_its_message() -> None:
    """Linux reports it under the name in pid, which is gone by then."""
    book = ledger()
    book.tell(APPEARED, "pid/1.2.3", 0)
    book.tell(APPEARED, "mess/3/10", 0)
    book.tell(WENT, "pid/1.2.3", 0)
    event = book.tell(CHANGED, "pid/1.2.3", 0)
    assert event is not None
    assert (event.path, event.message_number, event.text) == ("mess/3/10", 10, "Octets of message 10 are written.")


def test_message_is_not_guessed_when_two_begin_at_once() -> None:
    """Neither write gets a number, and the sentence says why."""
    book = ledger()
    for path in ("pid/1.2.3", "pid/4.5.6", "mess/3/10", "mess/4/11"):
        book.tell(APPEARED, path, 0)
    events = [book.tell(CHANGED, path, 0) for path in ("pid/4.5.6", "pid/1.2.3")]
    assert [(event.message_number, "not known" in event.text) for event in events if event] == [(0, True)] * 2


def test_name_left_in_pid_does_not_confuse_the_next_message() -> None:
    """A qmail-queue that was killed years ago waits for no number."""
    book = ledger("pid/old")
    for path in ("pid/1.2.3", "mess/3/10"):
        book.tell(APPEARED, path, 0)
    event = book.tell(CHANGED, "pid/1.2.3", 0)
    assert event is not None
    assert event.message_number == 10


@pytest.mark.parametrize("path", ["mess/4/10", "mess/3/core", "mess/3/0", "mess/3/18446744073709551626", "todo/x"])
def test_file_out_of_place_is_shown_without_a_number(path: str) -> None:
    """Wrong sub-directory, no number, no inode number: kept and told, never taken for a message."""
    event = ledger().tell(APPEARED, path, 0)
    assert event is not None
    assert (event.path, event.message_number, event.state, event.text) == (path, 0, None, f"{path}: a name appeared.")


def test_hostile_name_cannot_steer_the_terminal() -> None:
    """The sentence shows it with its control characters written out; the path is as it is."""
    event = ledger().tell(APPEARED, "mess/3/\x1b[2J", 0)
    assert event is not None
    assert (event.path, event.text) == ("mess/3/\x1b[2J", "mess/3/\\x1b[2J: a name appeared.")


def test_looks_are_compared_into_events_in_the_order_of_a_life() -> None:
    """Gone first, then new, then written; each says that it was found by looking."""
    book = Ledger(LAYOUT, {"todo/3/10": None, "mess/3/10": None, "local/4/11": Stamp(9, 1)})
    look = {"mess/3/10": None, "info/3/10": None, "local/3/10": None, "local/4/11": Stamp(9, 2)}
    events = list(book.compare(look, 5))
    assert [(event.change, event.path) for event in events] == [
        (WENT, "todo/3/10"),
        (APPEARED, "info/3/10"),
        (APPEARED, "local/3/10"),
        (CHANGED, "local/4/11"),
    ]
    assert all(event.is_inferred and "Found by looking" in event.text for event in events)


def test_same_look_gives_no_event() -> None:
    """Nothing happened."""
    look = {"mess/3/10": Stamp(1, 1), "pid/x": None}
    assert list(Ledger(LAYOUT, look).compare(look, 0)) == []


def test_number_is_new_again_after_its_message_has_gone() -> None:
    """Inode numbers are used again at once: the same number appears a second time."""
    book = ledger("mess/3/10")
    changes = [book.tell(change, "mess/3/10", 0) is not None for change in (WENT, APPEARED, WENT)]
    assert changes == [True, True, True]


def test_files_that_no_state_knows_have_no_state() -> None:
    """A todo without its mess."""
    event = ledger().tell(APPEARED, "todo/3/10", 0)
    assert event is not None
    assert event.state is None


def test_every_kind_that_is_watched_has_sentences() -> None:
    """For coming and for going; and each ends with a point."""
    assert {(change, kind) for change in (APPEARED, WENT) for kind in WATCHED} <= SENTENCES.keys()
    assert [text for text in SENTENCES.values() if not text.endswith(".")] == []
