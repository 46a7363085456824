"""qmail-send on one queue: take messages from todo, try each recipient when it is due, mark, retry, end.

`turn` does a little of everything that can be done now and says whether it did anything; whoever calls it decides when
to wait. One turn is one round of qmail-send's main loop: finished deliveries, one message from todo, one recipient of
each channel, one message to end.

Source: IndiMail qmail-send.c (jobs, passes, deliveries, priority queues, main loop), todo-proc.c.

Rule 1: what is on the disk is the truth: after a restart everything is found again from info, local, remote and todo.
Rule 2: a file that cannot be read, written or understood is named in the log and tried again later; the others go on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from indimail_kit.delivery.agenda import Agenda
from indimail_kit.delivery.channel import Mark, decode_marks, mark_done, read_whole
from indimail_kit.delivery.cleanup import CLEANUP_S, clean_up
from indimail_kit.delivery.ending import Ending, read_info
from indimail_kit.delivery.events import REPORT_MAX_OCTETS, Delivery, Report, as_text
from indimail_kit.delivery.jobs import Job, Lane
from indimail_kit.delivery.journal import Journal, QueueJournal, one_word
from indimail_kit.delivery.routing import sender_for
from indimail_kit.delivery.scan import scan_numbers
from indimail_kit.delivery.schedule import CHANNELS, SYSTEM_FAILURE_S, Channel, is_too_old, next_retry_s
from indimail_kit.delivery.settings import SendSettings
from indimail_kit.delivery.spawn import Finished, Spawn
from indimail_kit.delivery.todo import TodoProc
from indimail_kit.errors import FormatError
from indimail_kit.logs.fields import logsafe
from indimail_kit.mailqueue.layout import QueueLayout

TOO_OLD_TEXT: Final = b"I'm not going to try again; this message has been in the queue too long.\n"
"""Added to a deferral that counts as a failure. Source: qmail-send.c `del_dochan()`."""


class QueueRun:
    """One queue between start and stop.

    Attributes:
        layout: The queue.
        pid: Process id of this qmail-send in the log.
        todo: Its todo-proc.
        is_stopping: Whether nothing new is started.
    """

    def __init__(
        self, layout: QueueLayout, *, settings: SendSettings, journal: Journal, wake: Callable[[], None]
    ) -> None:
        self.layout = layout
        self.pid = settings.next_pid()
        self._settings = settings
        self.todo = TodoProc(layout, settings=settings, journal=journal)
        self._journal = QueueJournal(journal, layout)
        self._ending = Ending(layout, settings=settings, journal=journal)
        self._routing = settings.local.routing
        digits = layout.name[len(layout.name.rstrip("0123456789")) :]
        self._queue_number = int(digits) if digits and settings.has_queue_number else None
        self._lanes: dict[Channel, Lane] = {
            "local": Lane(Agenda(), Spawn(self._deliver_local)),
            "remote": Lane(Agenda(), Spawn(settings.remote, threads=settings.remote_threads, wake=wake)),
        }
        self._done = Agenda()
        self._failed = Agenda()
        self._next_delivery_number = 1
        self._next_cleanup_s = 0
        self.is_stopping = False

    # -- start and stop ------------------------------------------------------------------------------------------

    def say_start(self) -> None:
        """Write the line with which qmail-send begins."""
        self._journal.say(
            "send_start",
            severity="info",
            send_program="qmail-send",
            pid=self.pid,
            queue_directory=one_word(str(self.layout.directory)),
            ratelimit="OFF",
            loglock="disabled",
            split=self.layout.split,
            has_queue=False,
        )

    def load(self) -> None:
        """Find the messages that were preprocessed before, and write the first status line."""
        for _directory, message_number in scan_numbers(self.layout, "info", on_trouble=self._journal.cannot_list):
            self._add(message_number)
        self._say_status()

    def hurry(self) -> None:
        """Try everything now, as after SIGALRM."""
        self._journal.say("signal", severity="alert", program="qmail-send", pid=self.pid, signal="ALRM")
        for lane in self._lanes.values():
            lane.agenda.hurry(self._settings.now_s())

    def adopt(self, settings: SendSettings | None, fault: str = "") -> None:
        """Go by other settings, as after SIGHUP; None: they could not be read, and why.

        Source:
            qmail-send.c `reread()`, `regetcontrols()`.
        """
        self._journal.say("signal", severity="alert", program="qmail-send", pid=self.pid, signal="HUP")
        if settings is None:
            self._journal.warn(f"unable to reread controls: {fault}")
            return
        before, self._settings = self._settings, settings
        self._routing = settings.local.routing
        self.todo.adopt(settings)
        self._ending.adopt(settings)
        for channel in CHANNELS:
            if (channel in settings.held) is not (channel in before.held):
                form_name = "deliveries_held" if channel in settings.held else "deliveries_resumed"
                self._journal.say(form_name, channel=channel, has_queue=False)
        self._say_status()

    def terminate(self) -> None:
        """Start nothing new, as after SIGTERM; deliveries under way still end."""
        self.is_stopping = True
        self._journal.say("signal", severity="alert", program="qmail-send", pid=self.pid, signal="TERM")

    def finish(self) -> None:
        """Keep the times of the next attempts as mtimes and write the last lines."""
        self.todo.say_quit()
        for channel, lane in self._lanes.items():
            lane.spawn.close()
            for message_number, due_s in lane.agenda:
                try:
                    os.utime(self.layout.path(channel, message_number), (due_s, due_s), follow_symlinks=False)
                except OSError:
                    self._journal.warn("unable to utime {}; message will be retried too soon", channel, message_number)
                else:
                    self._settings.tell_step("utime", self.layout.relative(channel, message_number), message_number)
        self._journal.say("send_exit", severity="info", send_program="qmail-send", pid=self.pid)

    # -- the loop ------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Say whether deliveries are under way."""
        return any(lane.flying for lane in self._lanes.values())

    def turn(self) -> bool:
        """Do what can be done now; say whether anything was."""
        now_s = self._settings.now_s()
        has_done = self._collect(is_idle=False)
        if not self.is_stopping:
            if self.todo.is_due(now_s):
                has_done = True
                new = self.todo.step(now_s)
                if new is not None:
                    self._schedule(new[0], {route.channel: now_s for route in new[1].routes})
            for channel in CHANNELS:
                has_done |= self._pass_step(channel, now_s)
            has_done |= self._agenda_step(now_s)
        return has_done or self._collect(is_idle=True)

    def next_due_s(self) -> int:
        """Return when there will be something to do if nobody pulls the trigger (unit: s since 1970)."""
        times = [self._done.next_due_s(), self._failed.next_due_s(), self.todo.next_due_s, self._next_cleanup_s]
        held = self._settings.held
        times += [
            lane.agenda.next_due_s()
            for channel, lane in self._lanes.items()
            if lane.reading is None and channel not in held
        ]
        return min(time for time in times if time is not None)

    def _agenda_step(self, now_s: int) -> bool:
        has_done = False
        message_number = self._failed.take(now_s)
        if message_number is not None:
            self._add(message_number)
            has_done = True
        message_number = self._done.take(now_s)
        if message_number is not None:
            if not self._ending.end(message_number):
                self._done.put(message_number, now_s + SYSTEM_FAILURE_S)
            has_done = True
        if now_s >= self._next_cleanup_s:
            self._next_cleanup_s = now_s + CLEANUP_S
            clean_up(self.layout, now_s=now_s, tell=self._settings.tell_step)
        return has_done

    def _add(self, message_number: int) -> None:
        """Put a preprocessed message on the agenda (qmail-send.c `pqadd()`)."""
        kind = "info"
        found: dict[str, int] = {}
        try:
            for kind in ("info", "todo", *CHANNELS):
                with suppress(FileNotFoundError):
                    found[kind] = os.lstat(self.layout.path(kind, message_number)).st_mtime_ns // 10**9
        except OSError:
            self._journal.warn("unable to stat {}; will try again later", kind, message_number)
            self._failed.put(message_number, self._settings.now_s() + SYSTEM_FAILURE_S)
            return
        if "info" not in found or "todo" in found:
            return  # gone, or a crash in the middle of preprocessing: todo-proc does it again
        self._schedule(message_number, {channel: found[channel] for channel in CHANNELS if channel in found})

    def _schedule(self, message_number: int, due_s: dict[Channel, int]) -> None:
        for channel, time_s in due_s.items():
            self._lanes[channel].agenda.put(message_number, time_s)
        if not due_s:
            self._done.put(message_number, self._settings.now_s())

    # -- passes --------------------------------------------------------------------------------------------------

    def _pass_step(self, channel: Channel, now_s: int) -> bool:
        """Read one record of the message at hand and start its delivery (qmail-send.c `pass_dochan()`)."""
        if channel in self._settings.held:
            return False
        lane = self._lanes[channel]
        if lane.reading is None:
            message_number = lane.agenda.take(now_s)
            if message_number is None:
                return False
            lane.reading = self._open_job(channel, message_number, now_s)
            if lane.reading is None:
                return True
        if len(lane.flying) >= self._settings.concurrency[channel]:
            return False
        job = lane.reading
        mark = next(job.marks, None)
        if mark is None:
            lane.reading = None
            job.has_hit_end = not job.fault
            if job.fault:
                self._journal.warn(f"{job.fault} in {{}}!", channel, job.message_number)
            self._release(job)
        elif not mark.is_done:
            self._start(job, mark)
        return True

    def _open_job(self, channel: Channel, message_number: int, now_s: int) -> Job | None:
        kind: str = channel
        try:
            file = decode_marks(read_whole(self.layout.path(channel, message_number)))
            kind = "info"
            records, birth_s = read_info(self.layout, message_number)
        except FileNotFoundError:
            self._journal.warn("{} vanished; somebody else removed it", kind, message_number)
            self._end_if_done(message_number)
            return None
        except (OSError, FormatError):
            self._journal.warn("trouble opening {}; will try again later", kind, message_number)
            self._lanes[channel].agenda.put(message_number, now_s + SYSTEM_FAILURE_S)
            return None
        retry_s = next_retry_s(birth_s=birth_s, now_s=now_s, channel=channel)
        is_last = is_too_old(birth_s=birth_s, now_s=now_s, lifetime_s=self._settings.lifetime_s)
        return Job(message_number, channel, records, retry_s, is_last, iter(file.marks), file.fault)

    def _release(self, job: Job) -> None:
        """Let go of a job; after its last delivery, remove the channel's file or wait (qmail-send.c `job_close()`)."""
        job.references -= 1
        if job.references:
            return
        number = job.message_number
        if not job.has_hit_end or job.todo_count:
            self._lanes[job.channel].agenda.put(number, job.retry_s)
            return
        try:
            self.layout.path(job.channel, number).unlink(missing_ok=True)
        except OSError:
            self._journal.warn("unable to unlink {}; will try again later", job.channel, number)
            self._lanes[job.channel].agenda.put(number, self._settings.now_s() + SYSTEM_FAILURE_S)
            return
        self._settings.tell_step("unlink", self.layout.relative(job.channel, number), number)
        self._end_if_done(number)

    def _end_if_done(self, message_number: int) -> None:
        if not any(os.path.lexists(self.layout.path(channel, message_number)) for channel in CHANNELS):
            self._done.put(message_number, self._settings.now_s())

    # -- deliveries ----------------------------------------------------------------------------------------------

    def _start(self, job: Job, mark: Mark) -> None:
        lane = self._lanes[job.channel]
        number = self._next_delivery_number
        self._next_delivery_number += 1
        job.references += 1
        job.todo_count += 1
        lane.flying[number] = (job, mark)
        self._journal.say(
            "starting_delivery",
            delivery_number=number,
            queue_number=self._queue_number,
            message_number=job.message_number,
            channel=job.channel,
            recipient=mark.address,
            about=self._about(job, mark, number),
        )
        self._say_status()
        lane.spawn.start(
            Delivery(
                queue=self.layout.name,
                message_number=job.message_number,
                delivery_number=number,
                channel=job.channel,
                sender=sender_for(job.records.sender or b"", mark.address),
                recipient=mark.address,
                header=job.records.header,
                environment_header=job.records.environment_header,
                mess_path=self.layout.path("mess", job.message_number),
                queue_directory=self.layout.directory,
            )
        )

    def _collect(self, *, is_idle: bool) -> bool:
        """Take a finished delivery of each channel; one of those done only when asked for, if nothing else is to do."""
        has_done = False
        for lane in self._lanes.values():
            if lane.flying and (is_idle or lane.spawn.is_threaded):
                finished = lane.spawn.take_finished()
                if finished is not None:
                    self._finish_delivery(lane, finished)
                    has_done = True
                    if is_idle:
                        return True
        return has_done

    def _finish_delivery(self, lane: Lane, finished: Finished) -> None:
        """Log how a delivery ended, mark its record, and go on with its job (qmail-send.c `del_dochan()`)."""
        number = finished.delivery.delivery_number
        job, mark = lane.flying.pop(number)
        about = self._about(job, mark, number)
        if finished.report is None:
            about["outcome"] = "deferral"
            self._journal.say("delivery_mangled", delivery_number=number, queue_number=self._queue_number, about=about)
            self._journal.warn(f"delivery {number} broke off: {finished.error}", **about)
        else:
            self._record(job, mark, number, self._settle(job, finished.report), about)
        self._release(job)
        self._say_status()

    def _settle(self, job: Job, report: Report) -> Report:
        """Return the report that counts: a deferral of a message that is too old is a failure."""
        text = report.text[:REPORT_MAX_OCTETS]
        if report.outcome == "deferral" and job.is_last:
            return Report("failure", text + TOO_OLD_TEXT)
        return Report(report.outcome, text, report.path, report.folder, report.rule)

    def _record(self, job: Job, mark: Mark, number: int, report: Report, about: dict[str, Any]) -> None:
        about |= {"outcome": report.outcome, "report": as_text(logsafe(report.text))}
        self._journal.say(
            "delivery",
            delivery_number=number,
            queue_number=self._queue_number,
            outcome=report.outcome,
            report=report.text,
            about=about | {"path": report.path, "folder": report.folder, "rule": report.rule},
        )
        if report.outcome == "deferral":
            return
        if report.outcome == "failure" and not self._ending.add_bounce(job.message_number, mark.address, report.text):
            return  # the sender could not be told: the record stays T and is tried again
        try:
            mark_done(self.layout.path(job.channel, job.message_number), mark.position)
        except (OSError, FormatError):
            self._journal.warn("trouble marking {}; message will be delivered twice!", job.channel, job.message_number)
        job.todo_count -= 1
        relative = self.layout.relative(job.channel, job.message_number)
        self._settings.tell_step("mark", relative, job.message_number)

    def _about(self, job: Job, mark: Mark, number: int) -> dict[str, Any]:
        return {
            "message_number": job.message_number,
            "delivery_number": number,
            "channel": job.channel,
            "recipient": as_text(self._routing.strip_prefix(mark.address)),
            "sender": as_text(job.records.sender or b""),
        }

    def _say_status(self) -> None:
        fields: dict[str, Any] = {"exitasap": self.is_stopping}
        for channel, lane in self._lanes.items():
            fields |= {f"{channel}_used": len(lane.flying), f"{channel}_max": self._settings.concurrency[channel]}
            fields[f"{channel}_held"] = channel in self._settings.held
        self._journal.say("status", **fields)

    def _deliver_local(self, delivery: Delivery) -> Report:
        settings = self._settings
        return settings.local.deliver(
            delivery,
            forward=partial(self._ending.enqueue, is_bounce=False),
            clock=settings.clock,
            sync=settings.sync,
            on_call=self._on_call(delivery),
        )

    def _on_call(self, delivery: Delivery) -> Callable[[str, str], None]:
        return lambda call, path: self._settings.tell_step(call, path, delivery.message_number)
