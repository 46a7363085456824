"""qmail-lspawn and qmail-rspawn."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from indimail_kit.delivery.events import Delivery, Report
from indimail_kit.delivery.spawn import Finished, Spawn

DID = Report("success", b"did 1+0+0\n")


def test_without_threads_a_delivery_is_done_when_asked_for(delivery: Callable[..., Delivery]) -> None:
    """In the order in which they came, one at a time."""
    done: list[int] = []
    spawn = Spawn(lambda wanted: done.append(wanted.delivery_number) or DID)
    spawn.start(delivery(delivery_number=1))
    spawn.start(delivery(delivery_number=2))

    assert done == []
    assert spawn.take_finished() == Finished(delivery(delivery_number=1), DID)
    assert done == [1]
    assert spawn.take_finished() == Finished(delivery(delivery_number=2), DID)
    assert spawn.take_finished() is None


def test_with_threads_deliveries_run_side_by_side(delivery: Callable[..., Delivery]) -> None:
    """Two deliveries that wait for each other both end, and each wakes the loop."""
    meeting = threading.Barrier(2, timeout=5)
    woken = threading.Semaphore(0)

    def meet(_wanted: Delivery) -> Report:
        meeting.wait()
        return DID

    spawn = Spawn(meet, threads=2, wake=woken.release)
    spawn.start(delivery(delivery_number=1))
    spawn.start(delivery(delivery_number=2))
    assert woken.acquire(timeout=5)
    assert woken.acquire(timeout=5)
    finished = [spawn.take_finished(), spawn.take_finished()]
    spawn.close()

    assert {one.delivery.delivery_number for one in finished if one} == {1, 2}


@pytest.mark.parametrize("threads", [0, 1])
def test_delivery_that_raises_has_no_report(delivery: Callable[..., Delivery], threads: int) -> None:
    """It counts as mangled; the kind of error is kept, not its text."""

    def break_off(_wanted: Delivery) -> Report:
        raise ConnectionError("the password is …")

    woken = threading.Event()
    spawn = Spawn(break_off, threads=threads, wake=woken.set)
    spawn.start(delivery())
    assert threads == 0 or woken.wait(5)

    assert spawn.take_finished() == Finished(delivery(), None, "ConnectionError")
    spawn.close()


def test_close_waits_for_what_is_under_way(delivery: Callable[..., Delivery]) -> None:
    """A delivery that has begun ends, and can still be taken."""
    gate = threading.Event()
    begun = threading.Event()

    def wait(_wanted: Delivery) -> Report:
        begun.set()
        gate.wait(5)
        return DID

    spawn = Spawn(wait, threads=1)
    spawn.start(delivery())
    begun.wait(5)
    gate.set()
    spawn.close()

    assert spawn.take_finished() == Finished(delivery(), DID)
