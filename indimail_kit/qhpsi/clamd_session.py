"""Many scans over few connections: a session with several scans in flight, and a pool of them that keeps clamd busy.

Source: clamd(8), IDSESSION; the ratios are measured by tests/bench/bench_scan.py.

Note for maintainers: all is one loop in the caller's thread. Nothing runs between two answers that are fetched; what
clamd said meanwhile waits in the sockets, and is read before anybody's time is called up. Being woken costs more than
reading an answer, above all with clamd's work in the processor's caches; so while clamd has enough to do, answers are
left to gather for a moment (`gather_ns`), and are read several at a time.

Rule 1: of a path exactly one answer comes, and none is CLEAN that clamd did not call ``OK``.
Rule 2: at most `in_flight` scans a connection are open, and a message's file only while it is sent: descriptors and
memory do not grow with the number of scans.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indimail_kit.qhpsi.clamd_channel import Channel, MessagePath, Question
from indimail_kit.qhpsi.verdict import ScanAnswer

if TYPE_CHECKING:
    from indimail_kit.qhpsi.clamd_address import ClamdAddress
    from indimail_kit.qhpsi.clamd_protocol import Reply

SESSION_IN_FLIGHT: Final = 8
"""Scans that one session has open at once: enough to keep several of clamd's threads busy with one connection."""

POOL_IN_FLIGHT: Final = 2
"""Scans a connection of a pool has open at once: one that is worked on, one that waits for the thread."""

TRIES: Final = 3
"""How often a scan is asked at most whose session ends under it. Twice is too few: a connection that is opened right
after clamd refused a long stream is sometimes closed by mistake (about once in a hundred, ClamAV 1.4.6)."""

GATHER_NS: Final = 5_000_000
"""Longest that answers are left to gather (unit: ns): no answer, and no time limit, comes later than this by it."""

GATHER_LEAST_NS: Final = 100_000
"""A shorter pause is not worth a system call (unit: ns)."""


def gather_ns(gap_ns: float, *, open_count: int, connections: int) -> int:
    """Return how long to let answers gather (unit: ns); 0 = look at once.

    At most half of the scans that only wait for a thread of clamd are finished meanwhile, so none of its threads runs
    out of work. With no more than one scan a connection in flight, an answer is never waited for longer than need be.

    Args:
        gap_ns: Time from one answer to the next, on average (unit: ns).
        open_count: Scans in flight.
        connections: Sessions.

    Example:
        >>> gather_ns(300_000.0, open_count=20, connections=10), gather_ns(300_000.0, open_count=10, connections=10)
        (1500000, 0)
    """
    waiting = open_count - connections
    pause_ns = min(GATHER_NS, int(gap_ns * waiting / 2))
    return pause_ns if pause_ns >= GATHER_LEAST_NS else 0


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """One of many files, with its answer.

    Attributes:
        number: Its position among the paths that were given, from 0.
        path: The path, as it was given.
        answer: What clamd said.
    """

    number: int
    path: MessagePath
    answer: ScanAnswer


class Pool:
    """Channels that are waited for together.

    Attributes:
        channels: The sessions; each is opened when it is first needed.
        in_flight: How many scans a session has open at most; over TCP 1.
    """

    def __init__(
        self,
        address: ClamdAddress,
        *,
        connections: int,
        in_flight: int,
        timeout_s: float,
        clock_ns: Callable[[], int],
        name: Callable[[Reply], str],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        import selectors

        if connections < 1 or in_flight < 1:
            raise ValueError("at least one connection and one scan in flight")
        # One stream over StreamMaxLength ends the session for all that is in flight in it, and ClamAV 1.4.6 then
        # sometimes closes a connection that is none of it. So streams go one after the other.
        self.in_flight = in_flight if address.passes_descriptors else 1
        self._clock_ns = clock_ns
        self._pause = pause
        self._selector = selectors.DefaultSelector()
        self._check_ns = 0
        self.channels = tuple(
            Channel(address, self._selector, timeout_s=timeout_s, clock_ns=clock_ns, name=name)
            for _ in range(connections)
        )

    def close(self) -> None:
        """Close every connection; what is open ends as ERROR."""
        for channel in self.channels:
            channel.is_closed = True
            channel.end("session closed", is_lost=False)
        self._selector.close()

    def wait(self) -> None:
        """Wait until something happens, and do what it asks for; at the latest until somebody's time is up."""
        left_s = max(0.0, (self._check_ns - self._clock_ns()) / 10**9)
        for key, events in self._selector.select(left_s):
            key.data.handle(events)
        now_ns = self._clock_ns()
        if now_ns >= self._check_ns:
            for channel in self.channels:
                channel.expire(now_ns)
            deadlines = [ns for channel in self.channels if (ns := channel.deadline_ns()) is not None]
            # Later questions have later deadlines: until this moment nobody's time can be up.
            self._check_ns = min(deadlines, default=now_ns)

    def scan_many(self, paths: Iterable[MessagePath]) -> Iterator[ScannedFile]:
        """Yield the answers as they come."""
        work = _Work(paths)
        self._fill(work)
        while work.is_open:
            if not work.open_count:
                # Another thread of this session had all of it in flight when we last looked.
                self._fill(work)
            if not work.finished:
                self._gather(work)
            ready = work.collect()
            # First the next questions, then the caller: clamd works on while he looks at these.
            self._fill(work)
            yield from ready

    def _gather(self, work: _Work) -> None:
        """Wait for answers; while clamd has more to do than it can, for several at a time."""
        start_ns = self._clock_ns()
        pause_ns = gather_ns(work.gap_ns, open_count=work.open_count, connections=len(self.channels))
        if pause_ns:
            self._pause(pause_ns / 10**9)
        self.wait()
        if work.finished:
            gap_ns = (self._clock_ns() - start_ns) / len(work.finished)
            work.gap_ns += (gap_ns - work.gap_ns) / 8

    def _fill(self, work: _Work) -> None:
        """Give the sessions something to do."""
        if work.lost:
            # Asked again, each alone in its session, so that nobody else's fault can end it again.
            for channel in self.channels:
                if work.lost and not channel.open_count:
                    work.alone[channel] = work.ask_again()
                    channel.ask(work.alone[channel])
            return
        for channel in self.channels:
            if channel in work.alone and not work.alone[channel].is_answered:
                continue
            # What is finished without being open, because clamd is not there, must not pile up either.
            while channel.open_count < self.in_flight and len(work.finished) < self.in_flight:
                question = work.next()
                if question is None:
                    return
                channel.ask(question)


class _Work:
    """The paths of one caller: which are open, lost, finished.

    Attributes:
        finished: Questions with their answers.
        lost: Those whose session ended under them.
        open_count: How many were asked and not collected.
        gap_ns: Time from one answer to the next while they were waited for, on average (unit: ns); 0 at first.
        alone: Sessions that belong to one question, which was lost before.
    """

    def __init__(self, paths: Iterable[MessagePath]) -> None:
        if isinstance(paths, str | bytes | Path):
            raise TypeError("expected several paths, not one")
        self.finished: deque[tuple[Question, ScanAnswer]] = deque()
        self.lost: deque[Question] = deque()
        self.open_count = 0
        self.gap_ns = 0.0
        self.alone: dict[Channel, Question] = {}
        self._source = enumerate(paths)
        self._is_exhausted = False

    @property
    def is_open(self) -> bool:
        """Say whether an answer is still to come."""
        return not self._is_exhausted or self.open_count > 0 or bool(self.lost)

    def next(self) -> Question | None:
        """Return the next question, None when there is no path left."""
        for number, path in self._source:
            self.open_count += 1
            return Question(path, self.finished, number)
        self._is_exhausted = True
        return None

    def ask_again(self) -> Question:
        """Return a fresh question for one that was lost."""
        lost = self.lost.popleft()
        self.open_count += 1
        return Question(lost.path, self.finished, lost.number, tries=lost.tries + 1)

    def collect(self) -> list[ScannedFile]:
        """Return what is finished, but keep what was lost and may be asked again."""
        ready = []
        while self.finished:
            question, answer = self.finished.popleft()
            self.open_count -= 1
            if question.is_lost and question.tries < TRIES:
                self.lost.append(question)
            else:
                ready.append(ScannedFile(question.number, question.path, answer))
        return ready


class ClamdSession:
    """One kept connection to clamd, with several scans in flight; a context manager, and itself a `Scanner`.

    It is opened when it is first needed, and again after clamd ended it, as clamd does when it has heard nothing for
    30 seconds. Threads that share a session take turns at it; `ClamdClient` serves them better.

    Attributes:
        in_flight: Scans that are open at once at most; over TCP 1.

    Example::

        with clamd.session() as session:
            for scanned in session.scan_many(paths):
                print(scanned.path, scanned.answer.verdict)
    """

    def __init__(self, pool: Pool) -> None:
        self.in_flight = pool.in_flight
        self._pool = pool
        self._lock = threading.Lock()

    def __enter__(self) -> ClamdSession:
        """Return itself; nothing is opened yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def __call__(self, path: Path) -> ScanAnswer:
        """Scan a file."""
        return self.scan(path)

    def close(self) -> None:
        """Close the connection; what is still in flight, and what is asked later, ends as ERROR."""
        with self._lock:
            self._pool.close()

    def scan(self, path: MessagePath) -> ScanAnswer:
        """Scan a file and wait for the answer; a session that breaks meanwhile is an ERROR."""
        (channel,) = self._pool.channels
        finished: deque[tuple[Question, ScanAnswer]] = deque()
        question: Question | None = None
        while not finished:
            with self._lock:
                if question is None and channel.open_count < self.in_flight:
                    question = Question(path, finished)
                    channel.ask(question)
                elif not finished:
                    self._pool.wait()
        return finished[0][1]

    def scan_many(self, paths: Iterable[MessagePath]) -> Iterator[ScannedFile]:
        """Scan files, several at once, and yield the answers as they come; see `ClamdClient.scan_many`."""
        scans = self._pool.scan_many(paths)
        while True:
            with self._lock:
                scanned = next(scans, None)
            if scanned is None:
                return
            yield scanned
