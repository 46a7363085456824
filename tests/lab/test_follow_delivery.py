"""What one delivery means for the last stations of a mail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from indimail_kit.delivery import SendEvent
from indimail_kit.lab.follow_delivery import delivered
from indimail_kit.lab.journey import Journey, RawBlock, StationState

JOURNEY = Journey(case="", sender="alice@example.com", recipient="bob@example.com", mechanism="")


def an_event(outcome: str, path: Path | None = None, folder: str = "") -> SendEvent:
    """Return the end of a delivery to bob."""
    return SendEvent(
        0, "delivery", "queue1", 7, delivery_number=3, recipient="bob@example.com", outcome=outcome,
        report="did_1+0+0/", path=path, folder=folder,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "states", "is_over"),
    [
        ("success", [("send", StationState.DONE), ("inbox", StationState.SKIPPED)], False),
        ("failure", [("send", StationState.FAILED), ("inbox", StationState.WORKING)], False),
        ("deferral", [("send", StationState.FAILED), ("inbox", StationState.WAITING)], True),
    ],
)
def test_only_a_deferral_ends_the_journey_before_qmail_send_does(outcome, states, is_over):
    """A mail that no folder has: thrown away, bounced, or kept for later."""
    told = delivered(an_event(outcome), JOURNEY, b"", is_bounce=False)

    assert ([(key, state) for key, state, _ in told.stations], told.is_over) == (states, is_over)


def test_a_stored_mail_is_compared_with_what_was_sent(tmp_path):
    """The journey names the folder, and keeps the mail before and after."""
    mail = tmp_path / "1"
    mail.write_bytes(b"Delivered-To: bob@example.com\nSubject: a\n\nb\n")
    told = delivered(an_event("success", mail, "Junk"), JOURNEY, b"Subject: a\r\n\r\nb\r\n", is_bounce=False)

    assert told.journey.delivered_to == "bob@example.com Junk"
    assert (told.journey.arrival.is_unchanged, told.journey.arrival.added_bytes) == (True, 30)


def test_a_mail_that_was_fetched_meanwhile_is_said_to_be_unreadable(tmp_path):
    """A client took the file away before it could be shown: the station says so, and nothing is compared."""
    told = delivered(an_event("success", tmp_path / "gone"), JOURNEY, b"", is_bounce=False)
    _, (_, state, inbox) = told.stations

    assert (state, told.journey.arrival) == (StationState.DONE, None)
    assert inbox["raw"][0].text == "not readable: No such file or directory"


def test_a_bounce_is_no_delivery_of_the_mail(tmp_path):
    """The bounce lies in the sender's Inbox; the mail itself was delivered nowhere."""
    told = delivered(an_event("success", tmp_path / "bounce", "Inbox"), JOURNEY, b"", is_bounce=True)

    assert [(key, changes["summary"]) for key, _, changes in told.stations] == [("inbox", "bounced")]
    assert told.journey == JOURNEY


def test_a_mail_that_left_is_with_the_other_host():
    """No folder here has it, and nobody threw it away: the last station shows what the other host has."""
    far = (RawBlock("the SMTP dialogue with mx.example.org", "S: 220 hi"),)
    event = replace(an_event("success"), channel="remote", recipient="far@example.org")
    told = delivered(event, JOURNEY, b"", is_bounce=False, far=far)

    assert told.journey.delivered_to == "host of example.org"
    assert [(key, state) for key, state, _ in told.stations] == [
        ("send", StationState.DONE),
        ("inbox", StationState.DONE),
    ]
    assert told.stations[-1][2]["raw"] == far


@pytest.mark.parametrize("outcome", ["failure", "deferral"])
def test_the_other_hosts_words_are_shown_when_it_refuses(outcome):
    """For good or for now: the dialogue is behind the last station."""
    far = (RawBlock("the SMTP dialogue with mx.example.org", "S: 450 later"),)
    told = delivered(replace(an_event(outcome), channel="remote"), JOURNEY, b"", is_bounce=False, far=far)

    assert told.stations[-1][2]["raw"] == far
