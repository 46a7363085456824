"""qmail-send: deliver what is in one or several queues, into one log, until told to stop.

On a real host qscheduler starts one qmail-send with its todo-proc, qmail-lspawn, qmail-rspawn and qmail-clean for each
queue. Here one thread does the work of all of them, queue after queue, a turn each; the log shows no difference.

Source: IndiMail qmail-send.c `main()`, qscheduler.c; recorded logs send-for-smtpd, send-single-queue1.

Rule 1: the queues are ours alone while we run: lock/sendmutex is held, and the trigger is read.
Rule 2: whenever the process dies, a new QmailSend on the same queues goes on: no mail is lost, one may come twice.
"""

from __future__ import annotations

import itertools
import os
import selectors
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from indimail_kit.delivery import scheduler_lines
from indimail_kit.delivery.bounce import BounceSettings
from indimail_kit.delivery.events import Deliver as Deliver
from indimail_kit.delivery.events import SendEvent as SendEvent
from indimail_kit.delivery.journal import Journal
from indimail_kit.delivery.local import LocalDelivery
from indimail_kit.delivery.lock import CANNOT_START, QueueLock
from indimail_kit.delivery.queuerun import QueueRun
from indimail_kit.delivery.repeats import LookBack, Repeat, look_back
from indimail_kit.delivery.schedule import LIFETIME_S, Channel
from indimail_kit.delivery.send_controls import MAX_CONCURRENCY, read_send_controls
from indimail_kit.delivery.settings import CONCURRENCY, SendSettings, defer_remote
from indimail_kit.errors import QueueError
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.values import SAFE, Step, SyncPolicy

_LONGEST_SLEEP_S: Final = 86400.0
"""Longest wait (unit: s). Source: qmail-send.c SLEEP_FOREVER."""

_DRAIN_OCTETS: Final = 4096


class QmailSend:
    """Delivers the mail of its queues.

    Attributes:
        queues: The queues, in order.
        journal: Where the lines go; counts lines that were lost and keeps what watchers raised.
        failure: What ended the thread, if it ended by itself; None otherwise.
        repeats: What the qmail-send before this one did that this one does again, or may; known from the start on.
        unknown_count: Recipients who waited at the start, and of whose message no log told.
    """

    def __init__(
        self,
        queues: Sequence[QueueLayout],
        *,
        local: LocalDelivery,
        log: LogWriter,
        clock: Callable[[], int] = time.time_ns,
        on_event: Callable[[SendEvent], None] | None = None,
        qident: bool = True,
        next_pid: Callable[[], int] | None = None,
        remote: Deliver | None = None,
        lifetime_s: int = LIFETIME_S,
        concurrency_local: int = CONCURRENCY,
        concurrency_remote: int = CONCURRENCY,
        held: Collection[Channel] = (),
        bounce: BounceSettings | None = None,
        sync: SyncPolicy = SAFE,
        environ: Mapping[str, str] | None = None,
        on_step: Callable[[Step], None] | None = None,
        controls: Path | None = None,
    ) -> None:
        """Say what to deliver, where and how; nothing is opened yet.

        Args:
            queues: At least one queue, each with another name.
            local: Who lives here.
            log: Gets the lines.
            clock: Gives the time (unit: ns since 1970).
            on_event: Told each line, in the thread that delivers.
            qident: Whether delivery numbers carry the queue's number and qscheduler's lines are written.
            next_pid: Gives process ids for the log and qp; a count from this process's own by default.
            remote: Delivers to other hosts, in threads; without it remote recipients are deferred.
            lifetime_s: control/queuelifetime (unit: s).
            concurrency_local: control/concurrencylocal.
            concurrency_remote: control/concurrencyremote.
            held: Channels in which nothing is started: control/holdlocal, holdremote.
            bounce: The control files about bounces; from `local.host` by default.
            sync: What must be on the disk before a step counts as done.
            environ: Environment of the qmail-queue for bounces and forwarded messages; empty by default.
            on_step: Told each step on the disk that was done.
            controls: The control directory that `reread` reads; what is given here counts until then.

        Raises:
            ValueError: No queue, or two of one name.
        """
        if not queues or len({layout.name for layout in queues}) != len(queues):
            raise ValueError("queues with different names, at least one")
        pids = itertools.count(os.getpid() + 1)
        self.queues = tuple(queues)
        self.journal = Journal(log, clock=clock, on_event=on_event)
        self.failure: Exception | None = None
        self.repeats: tuple[Repeat, ...] = ()
        self.unknown_count = 0
        self._log_path = log.path
        self._has_scheduler = qident
        self._settings = SendSettings(
            local=local,
            remote=remote or defer_remote,
            remote_threads=MAX_CONCURRENCY if remote is not None else 0,
            bounce=bounce or BounceSettings(local.host),
            clock=clock,
            next_pid=next_pid or (lambda: next(pids)),
            lifetime_s=lifetime_s,
            concurrency={"local": concurrency_local, "remote": concurrency_remote},
            held=frozenset(held),
            has_queue_number=qident,
            sync=sync,
            environ=dict(environ or {}),
            on_step=on_step,
        )
        self._locks: list[QueueLock] = []
        self._runs: tuple[QueueRun, ...] = ()
        self._scheduler_pid = 0
        self._thread: threading.Thread | None = None
        self._is_stop_wanted = threading.Event()
        self._is_hurry_wanted = threading.Event()
        self._is_reread_wanted = threading.Event()
        self._controls = controls
        self._wake_fds: tuple[int, int] | None = None
        self._wake_lock = threading.Lock()

    # -- outside -------------------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Say whether the thread is at work."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> Self:
        """Take the queues and deliver in a thread of our own.

        Raises:
            QueueError: Exit code 111: another qmail-send has one of the queues; then none is taken.
        """
        if self._thread is None:
            self._open()
            self._is_stop_wanted.clear()
            self._thread = threading.Thread(target=self._work_until_stopped, name="ik-qmail-send", daemon=True)
            self._thread.start()
        return self

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Start nothing new, wait for deliveries under way, keep the retry times, give the queues back.

        Returns:
            Whether it ended within the time; if not, it ends by itself later and the queues stay locked until then.
        """
        self._is_stop_wanted.set()
        self._wake()
        if self._thread is None:
            self._close()
            return True
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self._thread = None
        return True

    def poke(self) -> None:
        """Look into todo now, as if the trigger had been pulled."""
        for run in self._runs:
            run.todo.want()
        self._wake()

    def retry_now(self) -> None:
        """Try every waiting recipient now, as after SIGALRM."""
        self._is_hurry_wanted.set()
        self._wake()

    def reread(self) -> None:
        """Read locals, virtualdomains, concurrency and hold again, as after SIGHUP."""
        self._is_reread_wanted.set()
        self._wake()

    def run_once(self) -> int:
        """Without a thread: do all that can be done now, remote deliveries included; return the number of turns.

        Raises:
            QueueError: As `start`.
        """
        if self._thread is not None:
            raise QueueError("qmail-send runs in its thread already", exit_code=0)
        self._open()
        for run in self._runs:
            run.todo.want()
        turns = self._work()
        while any(run.is_busy for run in self._runs):
            self._wait(_LONGEST_SLEEP_S)
            turns += self._work()
        return turns

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.stop():
            abort = getattr(self._settings.remote, "abort", None)
            if abort is not None:  # no host keeps a program from ending; what was under way is deferred
                abort()
            self.stop()

    def __repr__(self) -> str:
        names = ", ".join(layout.name for layout in self.queues)
        return f"QmailSend({names}; {'running' if self.is_running else 'stopped'})"

    # -- open and close ------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Take the queues and write the lines of the start, in the order of the recorded logs."""
        if self._runs:
            return
        try:
            for layout in self.queues:
                self._locks.append(QueueLock(layout))
            self._wake_fds = _open_pipe(layout.name)
        except QueueError as error:
            self._give_back()
            name = layout.name
            self.journal.warn(name, str(error).removeprefix(f"{name}: "), is_alert=True)
            raise
        past = look_back(self.queues, local=self._settings.local, log_path=self._log_path)
        if self._has_scheduler:
            self._scheduler_pid = self._settings.next_pid()
        self._runs = tuple(
            QueueRun(layout, settings=self._settings, journal=self.journal, wake=self._wake) for layout in self.queues
        )
        if self._has_scheduler:
            scheduler_lines.say_start(self.journal, self._scheduler_pid, self._runs)
        for run in self._runs:
            run.say_start()
        for run in self._runs:
            run.load()
        for run in self._runs:
            run.todo.say_start()
        self._say_past(past)

    def _say_past(self, past: Sequence[LookBack]) -> None:
        """Say which recipients the last qmail-send may have served without a mark."""
        self.repeats = tuple(repeat for look in past for repeat in look.repeats)
        self.unknown_count = sum(look.unknown_count for look in past)
        for repeat in self.repeats:
            self.journal.warn(repeat.queue, repeat.remark, message_number=repeat.message_number)
        for layout, look in zip(self.queues, past, strict=True):
            if look.unknown_count:
                remark = (
                    f"no log tells of {look.unknown_count} recipients that wait; whether one comes twice is unknown"
                )
                self.journal.warn(layout.name, remark)

    def _close(self) -> None:
        """End the deliveries under way, write the lines of the end, give the queues back."""
        runs, self._runs = self._runs, ()
        if not runs:
            return
        if self._has_scheduler:
            scheduler_lines.say_stop(self.journal, self._scheduler_pid, runs)
        for run in runs:
            run.terminate()
        for run in runs:
            while run.is_busy:
                if not run.turn():
                    self._wait(_LONGEST_SLEEP_S)
            run.finish()
        if self._has_scheduler:
            scheduler_lines.say_exit(self.journal, self._scheduler_pid)
        self._give_back()

    def _give_back(self) -> None:
        while self._locks:
            self._locks.pop().close()
        with self._wake_lock:
            fds, self._wake_fds = self._wake_fds or (), None
        for fd in fds:
            with suppress(OSError):  # the descriptor is gone whatever the answer is
                os.close(fd)

    # -- the thread ----------------------------------------------------------------------------------------------

    def _work_until_stopped(self) -> None:
        try:
            while not self._is_stop_wanted.is_set():
                self._work()
                self._wait(self._sleep_s())
            self._close()
        except Exception as error:
            self.failure = error
            for run in self._runs:
                remark = f"oh no! {type(error).__name__}: dying..."
                self.journal.warn(run.layout.name, remark, is_alert=True)
            self._runs = ()
            self._give_back()

    def _work(self) -> int:
        """Give each queue turns until none has anything to do; return how many turns did something."""
        turns = 0
        has_done = True
        while has_done:
            if self._is_hurry_wanted.is_set():
                self._is_hurry_wanted.clear()
                for run in self._runs:
                    run.hurry()
            if self._is_reread_wanted.is_set():
                self._is_reread_wanted.clear()
                self._adopt_controls()
            has_done = False
            for lock, run in zip(self._locks, self._runs, strict=True):
                if lock.drain():
                    run.todo.want()
                if run.turn():
                    turns += 1
                    has_done = True
            if self._is_stop_wanted.is_set() and self._thread is not None:
                break
        return turns

    def _adopt_controls(self) -> None:
        """Go by the control files as they are now; what cannot be read changes nothing."""
        settings, fault = self._settings, ""
        if self._controls is not None:
            try:
                read = read_send_controls(self._controls)
            except QueueError as error:
                fault = str(error)
            else:
                local = replace(settings.local, locals=read.locals, virtual_domains=read.virtual_domains)
                settings = replace(settings, local=local, concurrency=read.concurrency, held=read.held)
                self._settings = settings
        for run in self._runs:
            run.adopt(None if fault else settings, fault)

    def _sleep_s(self) -> float:
        due_ns = min(run.next_due_s() for run in self._runs) * 10**9
        return min(max(0.0, (due_ns - self._settings.clock()) / 1e9), _LONGEST_SLEEP_S)

    def _wait(self, timeout_s: float) -> None:
        """Sleep until a trigger is pulled, somebody wakes us, or the time is over."""
        reader, _ = self._wake_fds or (-1, -1)  # there from _open to _close, and nobody waits outside of these
        with selectors.DefaultSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            for lock in self._locks:
                selector.register(lock, selectors.EVENT_READ)
            selector.select(timeout_s)
        with suppress(OSError):  # nothing more to read
            while os.read(reader, _DRAIN_OCTETS):
                pass

    def _wake(self) -> None:
        with self._wake_lock:
            if self._wake_fds is not None:
                with suppress(OSError):  # a full pipe wakes as well
                    os.write(self._wake_fds[1], b"\0")


def _open_pipe(name: str) -> tuple[int, int]:
    """Return the two ends of the pipe by which others wake the thread.

    Raises:
        QueueError: Exit code 111: the system has no descriptors left.
    """
    try:
        return os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        text = f"{name}: cannot start: unable to create a pipe: {error.strerror}"
        raise QueueError(text, exit_code=CANNOT_START) from error
