"""Events -> deliveries and messages, as matchup(1) pairs them.

A message's number is an inode and is used again at once; a delivery's number starts at 1 with each qmail-send. So a
message is known by (queue, number, lifetime) and a delivery by (queue, run, number), and both are paired in the order
of the lines.

Source: IndiMail matchup.c `info()`, `starting()`, `delivery()`, `endmsg()`, `newmsg()`, `extra()`; qmail-log(5).

Rule 1: what begins or ends outside of the log is a row too, with nulls: nothing disappears.
Rule 2: what the log does not say stays unknown: a delivery that qmail-send's exit cut off has no outcome.

Deviation:
    matchup(1) keys messages by their number alone, prints nothing for a delivery or a message whose beginning it did
    not see, prints sender and recipient in lower case, and never notices a restart. Where both ends are in the log the
    rows are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.logs.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One life of a message number, from "new msg" to "end msg".

    Attributes:
        queue: Name of the queue, "" where the log names none.
        message_number: Number in the queue.
        lifetime: How many lives of this number in this queue the log shows up to this one, counted from 1.
        sender: Envelope sender, cleaned; b"" for a bounce; None without an "info msg" line.
        qp: Long-term queue identifier.
        uid: User id of who queued it.
        message_bytes: Size (unit: octets).
        recipient_count: Recipients that todo-proc listed; None where the log has no such lines.
        queued_ns: Time of the "info msg" line, matchup's birth (unit: ns since 1970); None if the log begins later.
        ended_ns: Time of the "end msg" line (unit: ns since 1970); None while open, or if the log lost it.
        successes: Deliveries that succeeded.
        failures: Deliveries that failed for ever.
        deferrals: Deliveries that were deferred.
        bounce_qp: Long-term queue identifier of its bounce, or None.
        is_open: Whether it is still in the queue as far as the log tells.
        first_event: Position of its first line among the events.
        end_event: Position of its "end msg" line, or None.
    """

    queue: str
    message_number: int
    lifetime: int
    sender: bytes | None
    qp: int | None
    uid: int | None
    message_bytes: int | None
    recipient_count: int | None
    queued_ns: int | None
    ended_ns: int | None
    successes: int
    failures: int
    deferrals: int
    bounce_qp: int | None
    is_open: bool
    first_event: int
    end_event: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt to deliver to one recipient, from "starting delivery" to "delivery".

    Attributes:
        queue: Name of the queue, "" where the log names none.
        run: Run of qmail-send, see `Event.run`.
        delivery_number: Number within the run.
        message_number: Number of the message; None if the log lost the start.
        lifetime: Life of that number, see `Message`; None if the log lost the start.
        channel: local or remote; None if the log lost the start.
        recipient: Envelope recipient, cleaned; None if the log lost the start.
        sender: Sender of the message, where the log says it.
        qp: The message's, where the log says it.
        uid: The message's, where the log says it.
        message_bytes: The message's, where the log says it (unit: octets).
        queued_ns: The message's birth, where the log says it (unit: ns since 1970).
        started_ns: Time of the start (unit: ns since 1970), or None.
        ended_ns: Time of the end (unit: ns since 1970), or None.
        outcome: success, failure, deferral; None while it is under way, or if qmail-send's exit cut it off.
        report: What the delivery program said; None without an end.
        is_open: Whether it is under way as far as the log tells.
        start_event: Position of the start among the events, or None.
        end_event: Position of the end among the events, or None.
    """

    queue: str
    run: int
    delivery_number: int
    message_number: int | None
    lifetime: int | None
    channel: str | None
    recipient: bytes | None
    sender: bytes | None
    qp: int | None
    uid: int | None
    message_bytes: int | None
    queued_ns: int | None
    started_ns: int | None
    ended_ns: int | None
    outcome: str | None
    report: bytes | None
    is_open: bool
    start_event: int | None
    end_event: int | None


@dataclass(frozen=True, slots=True)
class Matched:
    """What a log says of deliveries and messages.

    Attributes:
        deliveries: In the order in which they began (or, without a start, ended).
        messages: In the order of their first lines.
    """

    deliveries: tuple[Delivery, ...]
    messages: tuple[Message, ...]

    @property
    def open_deliveries(self) -> tuple[Delivery, ...]:
        """Return the deliveries under way at the end of the log."""
        return tuple(delivery for delivery in self.deliveries if delivery.is_open)

    @property
    def open_messages(self) -> tuple[Message, ...]:
        """Return the messages in the queue at the end of the log."""
        return tuple(message for message in self.messages if message.is_open)


@dataclass(slots=True)
class _Life:
    """A message while its lines come in."""

    queue: str
    message_number: int
    lifetime: int
    first_event: int
    is_from_new: bool = False
    info: Event | None = None
    queued_ns: int | None = None
    recipient_count: int | None = None
    counts: dict[str, int] = field(default_factory=lambda: {"success": 0, "failure": 0, "deferral": 0})
    bounce_qp: int | None = None
    end: Event | None = None
    end_event: int | None = None
    is_open: bool = True

    def frozen(self) -> Message:
        return Message(
            queue=self.queue,
            message_number=self.message_number,
            lifetime=self.lifetime,
            sender=self.info.sender if self.info else None,
            qp=self.info.qp if self.info else None,
            uid=self.info.uid if self.info else None,
            message_bytes=self.info.message_bytes if self.info else None,
            recipient_count=self.recipient_count,
            queued_ns=self.queued_ns,
            ended_ns=self.end.unix_ns if self.end else None,
            successes=self.counts["success"],
            failures=self.counts["failure"],
            deferrals=self.counts["deferral"],
            bounce_qp=self.bounce_qp,
            is_open=self.is_open,
            first_event=self.first_event,
            end_event=self.end_event,
        )


@dataclass(slots=True)
class _Attempt:
    """A delivery while its lines come in."""

    queue: str
    run: int
    delivery_number: int
    life: _Life | None = None
    start: Event | None = None
    start_event: int | None = None
    end: Event | None = None
    end_event: int | None = None
    is_open: bool = True

    def frozen(self) -> Delivery:
        life, start, end = self.life, self.start, self.end
        info = life.info if life else None
        return Delivery(
            queue=self.queue,
            run=self.run,
            delivery_number=self.delivery_number,
            message_number=life.message_number if life else None,
            lifetime=life.lifetime if life else None,
            channel=start.channel if start else None,
            recipient=start.recipient if start else None,
            sender=info.sender if info else None,
            qp=info.qp if info else None,
            uid=info.uid if info else None,
            message_bytes=info.message_bytes if info else None,
            queued_ns=life.queued_ns if life else None,
            started_ns=start.unix_ns if start else None,
            ended_ns=end.unix_ns if end else None,
            outcome=end.outcome if end else None,
            report=end.report if end else None,
            is_open=self.is_open,
            start_event=self.start_event,
            end_event=self.end_event,
        )


@dataclass(slots=True)
class _Matcher:
    """The state between two lines: open messages by (queue, number), open deliveries by queue and number."""

    lives: list[_Life] = field(default_factory=list)
    attempts: list[_Attempt] = field(default_factory=list)
    open_lives: dict[tuple[str, int], _Life] = field(default_factory=dict)
    open_attempts: dict[str, dict[int, _Attempt]] = field(default_factory=dict)
    lifetimes: dict[tuple[str, int], int] = field(default_factory=dict)

    def begin(self, queue: str, number: int, position: int) -> _Life:
        """Open a new life; an older one that is still open lost its end."""
        self.close(queue, number)
        lifetime = self.lifetimes[queue, number] = self.lifetimes.get((queue, number), 0) + 1
        life = _Life(queue, number, lifetime, position)
        self.open_lives[queue, number] = life
        self.lives.append(life)
        return life

    def close(self, queue: str, number: int) -> None:
        """Close a life, if it is open."""
        life = self.open_lives.pop((queue, number), None)
        if life is not None:
            life.is_open = False

    def life(self, event: Event, position: int) -> _Life:
        """Return the open life that a line is about; one whose beginning the log does not show begins here."""
        return self.known(event) or self.begin(event.queue, event.message_number or 0, position)

    def known(self, event: Event) -> _Life | None:
        """Return the open life that a line is about, or None.

        slowq-send writes "new msg" without the queue's name and every other line with it: the first line that names the
        queue takes such a life over.
        """
        queue, number = event.queue, event.message_number or 0
        nameless = self.open_lives.get(("", number)) if queue else None
        if nameless is None:
            return self.open_lives.get((queue, number))
        del self.open_lives["", number]
        self.lifetimes["", number] -= 1
        self.close(queue, number)
        nameless.queue = queue
        nameless.lifetime = self.lifetimes[queue, number] = self.lifetimes.get((queue, number), 0) + 1
        self.open_lives[queue, number] = nameless
        return nameless

    def new_msg(self, event: Event, position: int) -> None:
        life = self.begin(event.queue, event.message_number or 0, position)
        life.is_from_new = True
        life.queued_ns = event.unix_ns

    def info_msg(self, event: Event, position: int) -> None:
        life = self.known(event)
        if life is None or life.info is not None or not life.is_from_new:
            life = self.begin(event.queue, event.message_number or 0, position)
        life.info = event
        life.queued_ns = event.unix_ns

    def todo_recipient(self, event: Event, position: int) -> None:
        life = self.life(event, position)
        life.recipient_count = (life.recipient_count or 0) + 1

    def extra(self, event: Event, position: int) -> None:
        life = self.life(event, position)
        for outcome, name in _EXTRA.items():
            life.counts[outcome] = event.number(name) or 0

    def bounce_msg(self, event: Event, position: int) -> None:
        self.life(event, position).bounce_qp = event.qp

    def end_msg(self, event: Event, position: int) -> None:
        life = self.life(event, position)
        life.end, life.end_event = event, position
        self.close(life.queue, life.message_number)

    def attempts_of(self, event: Event) -> dict[int, _Attempt]:
        """Return the open deliveries of a line's queue, those of an older run cut off."""
        attempts = self.open_attempts.setdefault(event.queue, {})
        if any(attempt.run != (event.run or 0) for attempt in attempts.values()):
            _cut_off(attempts)
        return attempts

    def starting_delivery(self, event: Event, position: int) -> None:
        number = event.delivery_number or 0
        attempt = _Attempt(event.queue, event.run or 0, number, self.life(event, position), event, position)
        self.attempts_of(event)[number] = attempt
        self.attempts.append(attempt)

    def delivery(self, event: Event, position: int) -> None:
        number = event.delivery_number or 0
        attempt = self.attempts_of(event).pop(number, None)
        if attempt is None:
            attempt = _Attempt(event.queue, event.run or 0, number)
            self.attempts.append(attempt)
        attempt.end, attempt.end_event, attempt.is_open = event, position, False
        if attempt.life is not None and event.outcome is not None:
            attempt.life.counts[event.outcome] += 1

    def stopped(self, event: Event, _position: int) -> None:
        _cut_off(self.open_attempts.get(event.queue, {}))

    def scheduler_queue(self, event: Event, position: int) -> None:
        if event.octets("queue_change") != b"started":
            self.stopped(event, position)

    def scheduler_exit(self, _event: Event, _position: int) -> None:
        for attempts in self.open_attempts.values():
            _cut_off(attempts)


def _cut_off(attempts: dict[int, _Attempt]) -> None:
    """Close deliveries whose qmail-send is gone: nobody will ever log their end."""
    for attempt in attempts.values():
        attempt.is_open = False
    attempts.clear()


_EXTRA: Final = {"success": "successes", "failure": "failures", "deferral": "deferrals"}

_STEPS: Final[dict[str, Callable[[_Matcher, Event, int], None]]] = {
    "new_msg": _Matcher.new_msg,
    "info_msg": _Matcher.info_msg,
    "todo_recipient": _Matcher.todo_recipient,
    "extra": _Matcher.extra,
    "starting_delivery": _Matcher.starting_delivery,
    "delivery": _Matcher.delivery,
    "delivery_mangled": _Matcher.delivery,
    "bounce_msg": _Matcher.bounce_msg,
    "end_msg": _Matcher.end_msg,
    "send_start": _Matcher.stopped,
    "send_exit": _Matcher.stopped,
    "scheduler_queue": _Matcher.scheduler_queue,
    "scheduler_exit": _Matcher.scheduler_exit,
}
"""Kind of line -> what it changes; every other kind changes nothing."""


def match(events: Iterable[Event]) -> Matched:
    r"""Pair the lines of a log into deliveries and messages.

    Example:
        >>> from indimail_kit.logs.engine import read_events
        >>> matched = match(read_events(b"info msg 5: bytes 9 from <a@b> qp 7 uid 0\nend msg 5\n"))
        >>> [(message.message_number, message.sender, message.is_open) for message in matched.messages]
        [(5, b'a@b', False)]
    """
    matcher = _Matcher()
    for position, event in enumerate(events):
        step = _STEPS.get(event.kind)
        if step is not None:
            step(matcher, event, position)
    return Matched(
        tuple(attempt.frozen() for attempt in matcher.attempts), tuple(life.frozen() for life in matcher.lives)
    )
