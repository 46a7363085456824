"""todo-proc's share of the loop."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from indimail_kit.delivery.bounce import BounceSettings
from indimail_kit.delivery.journal import Journal
from indimail_kit.delivery.schedule import SYSTEM_FAILURE_S, TODO_SCAN_S
from indimail_kit.delivery.settings import SendSettings
from indimail_kit.delivery.todo import TodoProc
from indimail_kit.mailqueue.values import INDIMAIL

if TYPE_CHECKING:
    from tests.delivery.conftest import House


@pytest.fixture
def todo_proc(house: House) -> TodoProc:
    """Return the todo-proc of the house's queue."""
    pids = itertools.count(4848)
    settings = SendSettings(
        local=house.local(),
        clock=house.clock,
        next_pid=lambda: next(pids),
        bounce=BounceSettings("example.com"),
        sync=INDIMAIL,
    )
    journal = Journal(house.log, clock=house.clock, on_event=house.events.append)
    return TodoProc(house.layout, settings=settings, journal=journal)


def look(house: House, todo_proc: TodoProc) -> list[int]:
    """Let todo-proc work until it has nothing to do; return what it preprocessed."""
    done = []
    while todo_proc.is_due(house.clock.now_s):
        step = todo_proc.step(house.clock.now_s)
        done += [step[0]] if step is not None else []
    return done


def test_lines_of_a_new_message_are_those_of_todo_proc(house: House, todo_proc: TodoProc) -> None:
    """subdir, new msg, info msg, one line a recipient in the order of the envelope."""
    queued = house.put(b"x@far.test", b"bob@example.com", qp=5219)
    number, size = queued.message_number, queued.message_bytes

    assert look(house, todo_proc) == [number]
    assert house.lines() == [
        f"info: todo-proc: queue1: subdir=todo/{number % 3} fn=todo/{number % 3}/{number}",
        f"new msg {number} queue1",
        f"info msg {number}: bytes {size} from <ann@example.com> qp 5219 uid 0 queue1",
        f"remote: ann@example.com x@far.test {number} {size} bytes queue1 opendir mode",
        f"local: ann@example.com bob@example.com {number} {size} bytes queue1 opendir mode",
    ]


def test_start_line_is_that_of_todo_proc(house: House, todo_proc: TodoProc) -> None:
    """As recorded, with this queue's directory and split."""
    todo_proc.say_start()

    assert house.lines() == [
        f"info: todo-proc: pid 4848: {house.layout.directory}: conf split=3, todo chunk size=1, bigtodo=yes"
    ]


def test_todo_is_looked_into_when_the_time_comes(house: House, todo_proc: TodoProc) -> None:
    """A message whose trigger was lost waits 25 minutes at most."""
    look(house, todo_proc)
    number = house.put(b"bob@example.com").message_number
    house.clock.advance(TODO_SCAN_S - 1)
    before = look(house, todo_proc)
    house.clock.advance(1)

    assert (before, look(house, todo_proc)) == ([], [number])


BROKEN: list[tuple[str, Callable[[Path], object], str]] = [
    ("todo", lambda path: path.write_bytes(b"u0\0p1\0Fa@b\0?\0"), "unknown record type in todo/"),
    ("todo", lambda path: path.write_bytes(b""), "unknown record type in todo/"),
    ("mess", lambda path: path.unlink(), "unable to stat mess/"),
]


@pytest.mark.parametrize(("kind", "damage", "remark"), BROKEN, ids=["unknown record", "empty", "no mess"])
def test_broken_message_is_kept_and_told_and_the_others_go_on(
    house: House, todo_proc: TodoProc, kind: str, damage: Callable[[Path], object], remark: str
) -> None:
    """One warning, nothing removed from todo, the next message is preprocessed."""
    broken, good = (house.put(b"bob@example.com").message_number for _ in range(2))
    damage(house.layout.path(kind, broken))

    done = look(house, todo_proc)

    assert done == [good]
    assert [line.startswith(f"warn: todo-proc: queue1: {remark}") for line in house.lines() if "warn" in line] == [True]
    assert house.layout.path("todo", broken).exists()


def test_broken_message_cannot_fill_the_log(house: House, todo_proc: TodoProc) -> None:
    """It is left alone for 123 s however often the trigger is pulled, and then tried again."""
    number = house.put(b"bob@example.com").message_number
    house.write("todo", number, b"?")
    for _ in range(5):
        todo_proc.want()
        look(house, todo_proc)
    at_first = sum("warn" in line for line in house.lines())
    house.clock.advance(SYSTEM_FAILURE_S)
    look(house, todo_proc)

    assert (at_first, sum("warn" in line for line in house.lines())) == (1, 2)


def test_repaired_message_goes_on_at_once(house: House, todo_proc: TodoProc) -> None:
    """A changed todo file is a new try: the number may belong to another message by now."""
    number = house.put(b"bob@example.com").message_number
    good = house.layout.path("todo", number).read_bytes()
    house.write("todo", number, b"?")
    look(house, todo_proc)
    house.clock.advance(1)
    house.write("todo", number, good)
    todo_proc.want()

    assert look(house, todo_proc) == [number]


def test_file_in_the_wrong_sub_directory_is_told(house: House, todo_proc: TodoProc) -> None:
    """todo-proc.c: "incorrect split"; the message is left for queue-fix."""
    number = house.put(b"bob@example.com").message_number
    wrong = house.layout.directory / "todo" / str((number + 1) % 3) / str(number)
    house.layout.path("todo", number).rename(wrong)

    assert look(house, todo_proc) == []
    assert house.lines() == [
        f"warn: todo-proc: queue1: subdir=todo/{(number + 1) % 3} fn=todo/{number % 3}/{number} incorrect split"
    ]
    assert wrong.exists()


def test_todo_that_vanishes_after_the_listing_is_told(house: House, todo_proc: TodoProc) -> None:
    """Somebody removed it between the look and the opening: a warning, no stop."""
    numbers = sorted([house.put(b"bob@example.com").message_number for _ in range(2)], key=lambda n: (n % 3, n))
    first = todo_proc.step(house.clock.now_s)
    for number in numbers[1:]:
        house.layout.path("todo", number).unlink()

    assert first is not None
    assert look(house, todo_proc) == []


def test_directory_that_cannot_be_listed_is_an_alert(house: House, todo_proc: TodoProc) -> None:
    """The others are looked into all the same."""
    number = house.put(b"bob@example.com").message_number
    other = (number + 1) % 3
    (house.layout.directory / "todo" / str(other)).rmdir()

    assert look(house, todo_proc) == [number]
    assert house.lines()[-1 if other > number % 3 else 0] == (
        f"alert: qmail-send: queue1: unable to opendir todo/{other}; will try again later"
    )
