"""qmail-lspawn and qmail-rspawn: do deliveries, at once or in threads, and hand back how they ended.

Source: IndiMail qmail-send.c `comm_write()`, `del_dochan()`, spawn.c.

Rule 1: a delivery that raises counts as a mangled report: it is deferred, never lost.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indimail_kit.delivery.events import Deliver, Delivery, Report

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


@dataclass(frozen=True, slots=True)
class Finished:
    """A delivery that ended.

    Attributes:
        delivery: What was to be done.
        report: How it ended; None when it raised.
        error: Name of the exception's class, or "".
    """

    delivery: Delivery
    report: Report | None
    error: str = ""


class Spawn:
    """Does the deliveries of one channel of one queue.

    With no threads a delivery waits until somebody asks for a finished one, and is done then: slow, but in order. With
    threads it is done beside, and `wake` is called when it has ended.
    """

    def __init__(self, deliver: Deliver, *, threads: int = 0, wake: Callable[[], None] | None = None) -> None:
        self._deliver = deliver
        self._threads = threads
        self._wake = wake
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Delivery] = deque()
        self._finished: queue.SimpleQueue[Finished] = queue.SimpleQueue()

    @property
    def is_threaded(self) -> bool:
        """Say whether deliveries are done beside."""
        return self._threads > 0

    def start(self, delivery: Delivery) -> None:
        """Take a delivery."""
        if not self.is_threaded:
            self._waiting.append(delivery)
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # 8 ms that a queue without remote mail need not pay

            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="ik-qmail-rspawn")
        self._pool.submit(self._attempt, delivery).add_done_callback(self._take)

    def take_finished(self) -> Finished | None:
        """Return a delivery that ended, or None; without threads it is done now."""
        if self._waiting:
            return self._attempt(self._waiting.popleft())
        try:
            return self._finished.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        """End the threads; deliveries under way are waited for."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    def _take(self, future: Future[Finished]) -> None:
        self._finished.put(future.result())
        if self._wake is not None:
            self._wake()

    def _attempt(self, delivery: Delivery) -> Finished:
        try:
            return Finished(delivery, self._deliver(delivery))
        except Exception as error:
            return Finished(delivery, None, type(error).__name__)
