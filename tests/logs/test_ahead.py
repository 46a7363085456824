"""Work ahead: in order, no more of it than was asked for, and a fault waits for what came before it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from indimail_kit.logs.ahead import work_ahead


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_results_come_in_the_order_of_the_works(threads: int) -> None:
    """Whoever was ready first."""
    assert list(work_ahead([lambda n=n: n for n in range(20)], threads)) == list(range(20))  # type: ignore[misc]


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("place", ["work", "iterable"])
def test_a_fault_comes_after_the_results_before_it(place: str, threads: int) -> None:
    """A damaged file: what was read of it is given out first."""

    def fail() -> int:
        raise OSError("damaged")

    def works() -> Iterator[Callable[[], int]]:
        yield from (lambda: 1, lambda: 2)
        if place == "iterable":
            fail()
        yield fail

    seen: list[int] = []
    with pytest.raises(OSError, match="damaged"):
        seen.extend(work_ahead(works(), threads))
    assert seen == [1, 2]


def test_works_go_on_while_the_caller_uses_a_result() -> None:
    """The second work is done before the first result is let go; one thread would wait for ever."""
    is_done = threading.Event()
    results = work_ahead([lambda: True, is_done.set, lambda: True, lambda: True], threads=2)
    assert next(results)
    assert is_done.wait(timeout=30)
    results.close()  # type: ignore[attr-defined]  # a generator


def test_no_more_is_begun_than_was_asked_for() -> None:
    """Memory does not grow with the log when its reader is slow."""
    taken = []

    def works() -> Iterator[Callable[[], int]]:
        for number in range(100):
            taken.append(number)
            yield lambda: 0

    results = work_ahead(works(), threads=2)
    next(results)
    assert len(taken) == 3
    results.close()  # type: ignore[attr-defined]  # a generator
