"""Events of qmail-send find the session of their mail."""

from __future__ import annotations

import pytest

from indimail_kit.delivery import SendEvent
from indimail_kit.lab.in_flight import InFlight
from indimail_kit.lab.session import SessionRecord

MAIL = ("queue1", 7)


@pytest.fixture
def record() -> SessionRecord:
    """Return the recording of the session that sent the mail."""
    return SessionRecord(1, ("127.0.0.1", 4), 0)


@pytest.fixture
def in_flight(record: SessionRecord) -> InFlight:
    """Return what knows of one mail, number 7 of queue1."""
    known = InFlight()
    known.add(*MAIL, record)
    return known


def told(record: SessionRecord) -> list[str]:
    """Return the kinds of the events that the session heard."""
    return [event.kind for _, name, event in record.events if name == "send"]


def test_events_go_to_the_session_of_the_mail(in_flight, record):
    """Another queue's message with the same number is somebody else's."""
    for queue in ("queue1", "queue2"):
        in_flight.hear(SendEvent(5, "new_msg", queue, 7))

    assert record.events == [(5, "send", SendEvent(5, "new_msg", "queue1", 7))]


def test_a_number_that_is_used_again_is_another_mail(in_flight, record):
    """After "end msg" the number belongs to nobody until a mail is queued under it."""
    for kind in ("delivery", "end_msg", "new_msg"):
        in_flight.hear(SendEvent(0, kind, *MAIL))

    assert told(record) == ["delivery", "end_msg"]


def test_a_bounce_belongs_to_the_mail_that_it_returns(in_flight, record):
    """The bounce is a message of its own, in another queue; only its qp says whose it is."""
    in_flight.hear(SendEvent(0, "bounce", *MAIL, qp=99))
    in_flight.hear(SendEvent(0, "end_msg", *MAIL))
    in_flight.hear(SendEvent(0, "info_msg", "queue2", 8, qp=98))
    in_flight.hear(SendEvent(0, "info_msg", "queue2", 9, qp=99))
    in_flight.hear(SendEvent(0, "delivery", "queue2", 9))

    assert told(record) == ["bounce", "end_msg", "info_msg", "delivery"]
