"""Work that is done ahead in other threads, and comes out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def work_ahead(works: Iterable[Callable[[], Result]], threads: int) -> Iterator[Result]:
    """Yield what the works return, in their order.

    Args:
        works: What is to be done; taken from the iterable in the caller's thread.
        threads: How many threads work at once, the caller's among them: with more than one, as many works are begun
            before the first result is asked for, and go on while the caller uses it. 1: each is done when it is due.

    Raises:
        Exception: What a work or the iterable raises, after the results of all works before it.

    Example:
        >>> list(work_ahead([lambda: 1, lambda: 2], threads=2))
        [1, 2]
    """
    if threads <= 1:
        for work in works:
            yield work()
        return
    with ThreadPoolExecutor(threads - 1, "ahead") as pool:
        begun = deque[Callable[[], Result]]()  # each the asking for a result, so that nothing else keeps it
        fault: Exception | None = None
        todo = iter(works)
        while fault is None:
            try:
                begun.append(pool.submit(next(todo)).result)
            except StopIteration:
                break
            except Exception as error:  # what came before goes out first
                fault = error
            if len(begun) > threads:
                yield begun.popleft()()
        while begun:
            yield begun.popleft()()
        if fault is not None:
            raise fault
