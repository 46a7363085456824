"""A server that plays a day for `demo_logs`: sessions come, mails are scanned, queued, tried, bounced; it writes lines.

Source: the recorded logs; IndiMail qmail-send.c (concurrency, retry times, bounces), smtpd.c, clamd's log.

Note for maintainers: one heap of things to happen; each may write lines and put more on the heap. A queue starts a
delivery when its channel has room, else the delivery waits. At the restart a queue starts nothing until what flies has
landed, as qmail-send does at TERM.

Rule 1: nothing here reads a clock or a disk.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from indimail_kit.delivery.schedule import CHANNELS, Channel, next_retry_s
from indimail_kit.lab.demo_world import (
    LOCAL_DOMAIN,
    NS,
    Mail,
    channel_of,
    draw_end,
    draw_recipients,
    draw_sender,
    is_office,
)
from indimail_kit.logs.grammar import format_line
from indimail_kit.logs.template import GivenValue
from indimail_kit.mailqueue.layout import SPLIT

_MS: Final = 10**6
_LIMITS: Final[dict[Channel, int]] = {"local": 10, "remote": 20}
_RESTART_S: Final = 15 * 3_600
_VIRUS_CHANCE: Final = 0.02
_UID: Final = 555
FIRST_PID: Final = 2_000
"""The first process of the day."""

_NAMELESS: Final = ("send_start", "todo_start")
"""Forms that have the queue's directory in place of its name."""

_HOST: Final = "mx.example.com"


@dataclass(slots=True)
class _Queue:
    """One queue and its qmail-send.

    Attributes:
        name: Name of the queue.
        number: Its number, for delivery numbers.
        pid: Process of qmail-send.
        free: Message numbers that were used and are free, the last one first to be used again.
        flying: Channel -> deliveries under way.
        waiting: Deliveries that wait for room or for the restart.
        delivery_number: Number of the last delivery of this run.
        is_stopping: Whether qmail-send was told to stop.
        lives: Message number -> lives so far.
    """

    name: str
    number: int
    pid: int
    free: list[int]
    flying: dict[Channel, int] = field(default_factory=lambda: dict.fromkeys(CHANNELS, 0))
    waiting: deque[tuple[Mail, str]] = field(default_factory=deque)
    delivery_number: int = 0
    is_stopping: bool = False
    lives: dict[int, int] = field(default_factory=dict)


class DemoServer:
    """Plays the day.

    Attributes:
        send_lines: Lines of qmail-send: time (unit: ns since 1970) and text.
        smtpd_lines: Lines of tcpserver and qmail-smtpd.
        clamd_lines: Lines of clamd.
        mails: Every mail, bounces included, in the order in which they got their numbers.
    """

    def __init__(
        self,
        random: Random,
        *,
        queues: int,
        start_ns: int,
        max_pid: int | None = None,
        numbers: Mapping[int, int] | None = None,
        is_silent: bool = False,
    ) -> None:
        """Prepare a day.

        Args:
            random: Source of randomness.
            queues: Number of queues.
            start_ns: When the day begins (unit: ns since 1970).
            max_pid: Largest process id; None without one.
            numbers: Place among the mails -> its message number; the others get made-up ones.
            is_silent: Whether no line is written; what happens is the same.
        """
        self._is_silent = is_silent
        self.send_lines: list[tuple[int, bytes]] = []
        self.smtpd_lines: list[tuple[int, bytes]] = []
        self.clamd_lines: list[tuple[int, bytes]] = []
        self.mails: list[Mail] = []
        self._random = random
        self._numbers = numbers or {}
        self._start_ns = start_ns
        self._now_ns = start_ns
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._pids = itertools.count(FIRST_PID)
        self._max_pid = max_pid
        self._sessions: set[int] = set()
        self._connections = 0
        self._queues = [
            _Queue(f"queue{number}", number, self._pid(), [660_188 + 2_000 * number]) for number in range(1, queues + 1)
        ]
        for queue in self._queues:
            self._at(start_ns, partial(self._start, queue))
            self._at(start_ns + _RESTART_S * NS, partial(self._stop, queue))

    def expect_mail(self, unix_ns: int, client: str) -> None:
        """Let a client come with a mail."""
        self._at(unix_ns, lambda: self._session(client))

    def expect_guess(self, unix_ns: int, client: str) -> None:
        """Let somebody try a password."""
        self._at(unix_ns, lambda: self._guess(client))

    def run(self, *, until_ns: int) -> None:
        """Play until then; what is in the queue stays there."""
        while self._heap and self._heap[0][0] < until_ns:
            unix_ns, _order, deed = heapq.heappop(self._heap)
            self._now_ns = max(self._now_ns, unix_ns)  # a deed may have taken a moment: time never goes back
            deed()

    # --- sessions ---------------------------------------------------------------------------------------------------

    def _session(self, client: str) -> None:
        random = self._random
        sender, recipients = draw_sender(random, client), draw_recipients(random, client)
        pid = self._connect(client)
        queue = random.choice(self._queues)
        mail = Mail(sender, recipients, client, pid, self._pid(), queue.name, self._number(queue), self._size())
        mail.is_infected = not is_office(client) and random.random() < _VIRUS_CHANCE
        self.mails.append(mail)
        self._at(self._now_ns + random.randrange(30, 400) * _MS, lambda: self._scan(queue, mail))

    def _scan(self, queue: _Queue, mail: Mail) -> None:
        mail.scanned_ns = self._now_ns
        path = f"/var/indimail/queue/{queue.name}/mess/{mail.message_number % SPLIT}/{mail.message_number}"
        if mail.is_infected:
            self._say(self.clamd_lines, "clamd_scan_found", scan_path=path, signature="Eicar-Test-Signature")
        else:
            self._say(self.clamd_lines, "clamd_scan_ok", scan_path=path)
        self._pass(1, 9)
        for recipient in mail.recipients:
            self._say_envelope(mail, recipient)
        if mail.is_infected:
            queue.free.append(mail.message_number)
        else:
            self._at(self._now_ns + self._random.randrange(1, 9) * _MS, lambda: self._queued(queue, mail))
        self._disconnect(mail.session_pid)

    def _say_envelope(self, mail: Mail, recipient: str) -> None:
        auth = f"{mail.sender}: AUTH CRAM-MD5" if is_office(mail.client) else "local-rcpt"
        about: dict[str, GivenValue] = {
            "pid": mail.session_pid,
            "remote_ip": mail.client,
            "helo": f"[{mail.client}]",
            "smtp_sender": mail.sender,
            "smtp_recipient": recipient,
            "auth": auth,
            "message_bytes": mail.message_bytes,
            "tls": "No",
        }
        if mail.is_infected:
            text = "qq message contains virus (#5.7.1)"
            self._say(self.smtpd_lines, "smtpd_refused", **about, reply_text=text, permanence="permanent", qp=mail.qp)
        else:
            self._say(self.smtpd_lines, "smtpd_accepted", **about)

    def _guess(self, client: str) -> None:
        pid = self._connect(client)
        self._at(self._now_ns + self._random.randrange(100, 900) * _MS, lambda: self._guessed(client, pid))

    def _guessed(self, client: str, pid: int) -> None:
        user = f"user{self._random.randrange(200)}@{LOCAL_DOMAIN}"
        self._say(
            self.smtpd_lines, "smtpd_auth_failure", pid=pid, remote_ip=client, auth_user=user, auth_status=1, tls="No"
        )
        self._disconnect(pid)

    def _connect(self, client: str) -> int:
        pid = self._pid()
        self._sessions.add(pid)
        port = 20_000 + self._random.randrange(40_000)
        self._connections += 1
        self._say(self.smtpd_lines, "tcpserver_pid", pid=pid, remote_ip=client)
        self._say(
            self.smtpd_lines, "tcpserver_ok", pid=pid, local_host=_HOST, local_ip="192.0.2.1", local_port=25,
            remote_host="", remote_ip=client, remote_port=port, max_per_ip=20,
        )  # fmt: skip
        self._say(
            self.smtpd_lines, "tcpserver_session", connections=self._connections, connection_limit=200,
            encryption="un-encrypted", pid=pid, remote_ip=client,
        )  # fmt: skip
        return pid

    def _disconnect(self, pid: int) -> None:
        self._pass(1, 30)
        self._connections -= 1
        self._sessions.discard(pid)
        self._say(self.smtpd_lines, "tcpserver_sigchild", connections=self._connections, connection_limit=200, pid=pid)

    def _pid(self) -> int:
        """Return the next process id; behind the largest one it begins again, and a running session keeps its own."""
        while True:
            pid = next(self._pids)
            if self._max_pid is not None:
                pid = FIRST_PID + (pid - FIRST_PID) % (self._max_pid - FIRST_PID + 1)
            if pid not in self._sessions:
                return pid

    def _size(self) -> int:
        return int(self._random.lognormvariate(8.5, 1.2)) + 300

    def _number(self, queue: _Queue) -> int:
        """Return the number of a mail that is about to be added to `mails`: the given one, else a made-up one."""
        made_up = self._made_up_number(queue)
        return self._numbers.get(len(self.mails), made_up)

    def _made_up_number(self, queue: _Queue) -> int:
        """Return the number of the last file that is gone, as file systems do, else a new one."""
        if len(queue.free) > 1 or (queue.free and self._random.random() < 0.9):
            number = queue.free.pop()
            if not queue.free:
                queue.free.append(number + 1)
            return number
        queue.free[0] += 1
        return queue.free[0] - 1

    # --- qmail-send ---------------------------------------------------------------------------------------------------

    def _queued(self, queue: _Queue, mail: Mail) -> None:
        mail.queued_ns = self._now_ns
        number, size = mail.message_number, mail.message_bytes
        queue.lives[number] = mail.lifetime = queue.lives.get(number, 0) + 1
        folder = f"todo/{number % SPLIT}"
        self._send(
            "todo_file", queue, severity="info", todo_program="todo-proc", message_number=number,
            subdirectory=folder, directory=folder, wrong_split=False,
        )  # fmt: skip
        self._send("new_msg", queue, message_number=number)
        self._send(
            "info_msg", queue, message_number=number, message_bytes=size, sender=mail.sender, qp=mail.qp, uid=_UID
        )
        for recipient in mail.recipients:
            self._send(
                "todo_recipient", queue, channel=channel_of(recipient), raw_sender=mail.sender or "<>",
                raw_recipient=recipient, message_number=number, message_bytes=size, todo_mode="opendir",
            )  # fmt: skip
        for recipient in mail.recipients:
            self._try(queue, mail, recipient)

    def _try(self, queue: _Queue, mail: Mail, recipient: str) -> None:
        channel = channel_of(recipient)
        if queue.is_stopping or queue.flying[channel] >= _LIMITS[channel]:
            queue.waiting.append((mail, recipient))
            return
        queue.delivery_number += 1
        queue.flying[channel] += 1
        number = queue.delivery_number
        self._pass(0, 2)
        self._send(
            "starting_delivery", queue, delivery_number=number, queue_number=queue.number,
            message_number=mail.message_number, channel=channel, recipient=recipient,
        )  # fmt: skip
        self._say_status(queue)
        took_ms = self._random.randrange(5, 60) if channel == "local" else self._random.randrange(150, 6_000)
        self._at(self._now_ns + took_ms * _MS, lambda: self._landed(queue, mail, recipient, number))

    def _landed(self, queue: _Queue, mail: Mail, recipient: str, number: int) -> None:
        channel = channel_of(recipient)
        unix_s = self._now_ns // NS
        second = unix_s - self._start_ns // NS
        outcome, report = draw_end(self._random, mail, recipient, second=second, unix_s=unix_s)
        mail.outcomes[recipient] = outcome
        mail.attempts += 1
        queue.flying[channel] -= 1
        self._send("delivery", queue, delivery_number=number, queue_number=queue.number, outcome=outcome, report=report)
        self._say_status(queue)
        if outcome == "deferral":
            due_s = next_retry_s(birth_s=mail.queued_ns // NS, now_s=self._now_ns // NS, channel=channel)
            self._at(max(due_s * NS, self._now_ns + NS), lambda: self._try(queue, mail, recipient))
        elif len(mail.outcomes) == len(mail.recipients) and "deferral" not in mail.outcomes.values():
            self._end_message(queue, mail)
        self._go_on(queue)

    def _end_message(self, queue: _Queue, mail: Mail) -> None:
        if "failure" in mail.outcomes.values() and mail.sender:
            mail.bounce_qp = self._pid()
            self._pass(1, 20)
            self._send("bounce_msg", queue, message_number=mail.message_number, qp=mail.bounce_qp)
            bounce = Mail(
                "", (mail.sender,), "", 0, mail.bounce_qp, queue.name, self._number(queue), mail.message_bytes + 400
            )
            self.mails.append(bounce)
            self._at(self._now_ns + self._random.randrange(1, 30) * _MS, lambda: self._queued(queue, bounce))
        self._send("end_msg", queue, message_number=mail.message_number, send_program="qmail-send")
        mail.ended_ns = self._now_ns
        queue.free.append(mail.message_number)

    def _go_on(self, queue: _Queue) -> None:
        """Start what waits for room; or end, when told so and nothing flies any more."""
        if queue.is_stopping:
            if not any(queue.flying.values()):
                self._send("send_exit", queue, severity="info", send_program="qmail-send", pid=queue.pid)
                self._at(self._now_ns + 3 * NS, lambda: self._start(queue))
            return
        for _ in range(len(queue.waiting)):
            mail, recipient = queue.waiting.popleft()
            self._try(queue, mail, recipient)

    def _start(self, queue: _Queue) -> None:
        queue.pid, queue.delivery_number, queue.is_stopping = self._pid(), 0, False
        directory = f"/var/indimail/queue/{queue.name}"
        about: dict[str, GivenValue] = {"severity": "info", "queue_directory": directory, "split": SPLIT}
        self._send(
            "send_start", queue, **about, send_program="qmail-send", pid=queue.pid, ratelimit="OFF",
            loglock="disabled",
        )  # fmt: skip
        self._say_status(queue)
        self._send("todo_start", queue, **about, todo_program="todo-proc", pid=self._pid(), chunk=1, bigtodo="yes")
        self._go_on(queue)

    def _stop(self, queue: _Queue) -> None:
        queue.is_stopping = True
        self._send("signal", queue, severity="alert", program="qmail-send", pid=queue.pid, signal="TERM")
        self._go_on(queue)

    def _say_status(self, queue: _Queue) -> None:
        self._send(
            "status", queue, local_used=queue.flying["local"], local_max=_LIMITS["local"],
            remote_used=queue.flying["remote"], remote_max=_LIMITS["remote"], exitasap=queue.is_stopping,
        )  # fmt: skip

    # --- lines and time -----------------------------------------------------------------------------------------------

    def _send(self, form: str, queue: _Queue, **fields: GivenValue) -> None:
        self._say(
            self.send_lines, form, **fields, **({} if form in ("send_start", "todo_start") else {"queue": queue.name})
        )

    def _say(self, lines: list[tuple[int, bytes]], form: str, **fields: GivenValue) -> None:
        if not self._is_silent:
            lines.append((self._now_ns, format_line(form, **fields)))

    def _pass(self, at_least_ms: int, at_most_ms: int) -> None:
        """Let a moment go by before the next line; what is to happen meanwhile happens after it."""
        self._now_ns += self._random.randrange(at_least_ms * _MS, at_most_ms * _MS + 1)

    def _at(self, unix_ns: int, deed: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (unix_ns, next(self._order), deed))
