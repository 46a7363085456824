"""Deliveries and messages as values: what `join` pairs, as matchup(1) does, one object a row.

Source: IndiMail matchup.c; qmail-log(5); the pairing itself is in `join_kernel`.

Rule 1: what begins or ends outside of the log is a row too, with nulls: nothing disappears.
Rule 2: what the log does not say stays unknown: a delivery that qmail-send's exit cut off has no outcome.
Rule 3: a delivery tells of its message what the log had told when the delivery ended.

Deviation:
    matchup(1) keys messages by their number alone, prints nothing for a delivery or a message whose beginning it did
    not see, prints sender and recipient in lower case, and never notices a restart. Where both ends are in the log the
    rows are the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from indimail_kit.logs import join_codes as codes
from indimail_kit.logs.columns import block_of
from indimail_kit.logs.event import Event
from indimail_kit.logs.join import JoinedBlock, join_blocks
from indimail_kit.logs.kernel_codes import CHANNELS, NO_TIME, OUTCOMES


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


def _number(value: int) -> int | None:
    return None if value < 0 else value


def _time(value: int) -> int | None:
    return None if value == NO_TIME else value


def deliveries_of(joined: JoinedBlock) -> list[Delivery]:
    """Return the deliveries as values, in the order of the rows."""
    recipients = joined.octets_of(joined.deliveries, codes.D_RECIPIENT)
    senders = joined.octets_of(joined.deliveries, codes.D_SENDER)
    rows = zip(joined.deliveries.tolist(), recipients, senders, joined.reports(), strict=True)
    return [
        Delivery(
            queue=joined.queues[row[codes.D_QUEUE]],
            run=row[codes.D_RUN],
            delivery_number=row[codes.D_NUMBER],
            message_number=_number(row[codes.D_MESSAGE]),
            lifetime=_number(row[codes.D_LIFETIME]),
            channel=CHANNELS[row[codes.D_CHANNEL]] if row[codes.D_CHANNEL] >= 0 else None,
            recipient=recipient,
            sender=sender,
            qp=_number(row[codes.D_QP]),
            uid=_number(row[codes.D_UID]),
            message_bytes=_number(row[codes.D_BYTES]),
            queued_ns=_time(row[codes.D_QUEUED]),
            started_ns=_time(row[codes.D_STARTED]),
            ended_ns=_time(row[codes.D_ENDED]),
            outcome=OUTCOMES[row[codes.D_OUTCOME]] if row[codes.D_OUTCOME] >= 0 else None,
            report=report,
            is_open=row[codes.D_IS_OPEN] == 1,
            start_event=_number(row[codes.D_START_EVENT]),
            end_event=_number(row[codes.D_END_EVENT]),
        )
        for row, recipient, sender, report in rows
    ]


def messages_of(joined: JoinedBlock) -> list[Message]:
    """Return the messages as values, in the order of the rows."""
    senders = joined.octets_of(joined.messages, codes.M_SENDER)
    return [
        Message(
            queue=joined.queues[row[codes.M_QUEUE]],
            message_number=row[codes.M_NUMBER],
            lifetime=row[codes.M_LIFETIME],
            sender=sender,
            qp=_number(row[codes.M_QP]),
            uid=_number(row[codes.M_UID]),
            message_bytes=_number(row[codes.M_BYTES]),
            recipient_count=_number(row[codes.M_RECIPIENTS]),
            queued_ns=_time(row[codes.M_QUEUED]),
            ended_ns=_time(row[codes.M_ENDED]),
            successes=row[codes.M_COUNTS],
            failures=row[codes.M_COUNTS + 1],
            deferrals=row[codes.M_COUNTS + 2],
            bounce_qp=_number(row[codes.M_BOUNCE_QP]),
            is_open=row[codes.M_IS_OPEN] == 1,
            first_event=row[codes.M_FIRST_EVENT],
            end_event=_number(row[codes.M_END_EVENT]),
        )
        for row, sender in zip(joined.messages.tolist(), senders, strict=True)
    ]


def match_joined(joined: Iterable[JoinedBlock]) -> Matched:
    """Return what was joined as values, in the order in which it began."""
    deliveries: list[Delivery] = []
    messages: list[Message] = []
    for block in joined:
        deliveries.extend(deliveries_of(block))
        messages.extend(messages_of(block))
    deliveries.sort(key=_began)
    messages.sort(key=lambda message: message.first_event)
    return Matched(tuple(deliveries), tuple(messages))


def _began(delivery: Delivery) -> int:
    return delivery.start_event if delivery.start_event is not None else delivery.end_event or 0


def match(events: Iterable[Event]) -> Matched:
    r"""Pair the lines of a log into deliveries and messages.

    Example:
        >>> from indimail_kit.logs.engine import read_events
        >>> matched = match(read_events(b"info msg 5: bytes 9 from <a@b> qp 7 uid 0\nend msg 5\n"))
        >>> [(message.message_number, message.sender, message.is_open) for message in matched.messages]
        [(5, b'a@b', False)]
    """
    return match_joined(join_blocks([block_of(events)]))
