"""Work in a thread of its own, updates where the widgets live."""

from __future__ import annotations

import asyncio
import threading

import pytest

from indimail_kit.errors import LabError
from indimail_kit.widgets.runner import Ended, run, run_beside, run_here, running_loop


def count_to_three(tell):
    """Tell three numbers and return their sum."""
    return sum(tell(number) or number for number in (1, 2, 3))


def test_run_here_shows_every_update_in_order():
    """The caller sees each update and then the result."""
    shown = []

    ended = run_here(count_to_three, shown.append)

    assert (shown, ended) == ([1, 2, 3], Ended(result=6))


def test_run_here_shows_in_the_callers_thread():
    """Widgets are changed by the thread that asked, whatever thread tells."""
    threads = set()

    run_here(count_to_three, lambda _number: threads.add(threading.get_ident()))

    assert threads == {threading.get_ident()}


def test_run_here_shows_before_the_work_is_over():
    """An update is on the screen while the work goes on: the work here waits until it is seen."""
    seen = threading.Event()

    def work(tell):
        tell("first")
        return seen.wait(10)

    assert run_here(work, lambda _update: seen.set()) == Ended(result=True)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_an_error_of_the_work_comes_back(error):
    """An error ends the run and is handed over, not lost in a thread."""

    def work(_tell):
        raise error

    assert run_here(work, print).error is error


def test_run_beside_returns_at_once_and_finishes_in_the_loop():
    """The caller's loop goes on while the work waits, and gets updates and the end in order, in its own thread."""
    told = []
    gate = threading.Event()

    def work(tell):
        gate.wait(10)
        return count_to_three(tell)

    async def scenario():
        done = asyncio.Event()

        def finish(ended):
            told.append((ended.result, threading.get_ident()))
            done.set()

        run_beside(work, told.append, finish, loop=asyncio.get_running_loop())
        told.append("went on")
        gate.set()
        await asyncio.wait_for(done.wait(), 10)

    asyncio.run(scenario())

    assert told == ["went on", 1, 2, 3, (6, threading.get_ident())]


def test_a_kernel_that_stopped_meanwhile_is_no_error():
    """When the loop is closed nobody looks any more: the thread ends quietly."""
    loop = asyncio.new_event_loop()
    loop.close()

    thread = run_beside(count_to_three, print, print, loop=loop)
    thread.join(10)

    assert not thread.is_alive()


def test_there_is_no_loop_outside_a_kernel():
    """In plain Python there is none."""
    assert running_loop() is None


def test_without_a_loop_run_has_ended_when_it_returns():
    """In a script the caller waits: update and end have come in its own thread."""
    told = []

    run(lambda: count_to_three, told.append, lambda ended: told.append((ended.result, threading.get_ident())))

    assert told == [1, 2, 3, (6, threading.get_ident())]


def test_in_a_kernel_run_leaves_the_loop_awake():
    """In a loop the caller goes on, and the end comes later."""
    told = []

    async def scenario():
        done = asyncio.Event()
        run(lambda: count_to_three, told.append, lambda _ended: done.set())
        told.append("went on")
        await asyncio.wait_for(done.wait(), 10)

    asyncio.run(scenario())

    assert told == ["went on", 1, 2, 3]


def test_work_that_failed_has_no_outcome():
    """A result is returned, the work's own error is raised, and so is the lack of both."""
    assert Ended(result=6).outcome() == 6
    with pytest.raises(ValueError, match="no"):
        Ended(error=ValueError("no")).outcome()
    with pytest.raises(LabError, match="without a result"):
        Ended().outcome()
