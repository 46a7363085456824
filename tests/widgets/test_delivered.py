"""A mail before and after, with the real lab: who added what, and why it lies where it lies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from indimail_kit.delivery.vfilter import parse_command
from indimail_kit.lab import Lab
from indimail_kit.lab.journey import Arrival
from indimail_kit.qhpsi import eicar
from indimail_kit.widgets.delivered import added_fields, delivered_html, rule_command, rule_sentence
from indimail_kit.widgets.delivered_view import IDLE, DeliveredView

CANARY = "private-canary-4711"
MAIL = f"From: ann@example.com\nX-QHPSI: clean\nSubject: {CANARY}\n\n{CANARY}\n".encode()


@pytest.fixture(scope="module")
def real_lab():
    """A lab with the scanner that needs nothing installed."""
    with Lab(seed=1, scanner="embedded") as running:
        yield running


@pytest.fixture(scope="module")
def arrived(real_lab):
    """The journey of a mail that forges an X-QHPSI line of its own."""
    return real_lab.send(message=MAIL)


@pytest.fixture
def arrival():
    """Give a maker of arrivals with given added lines."""

    def make(added: str) -> Arrival:
        octets = added.encode("utf-8", "surrogatepass")
        return Arrival.of(b"a", octets + b"a\n", path=added, folder=added, recipient=added, rule=None)

    return make


def test_each_added_field_has_its_author(arrived):
    """Top down: qmail-local's two, the scan's header, qmail-queue's Received, qmail-smtpd's."""
    fields = added_fields(arrived.arrival, dict(arrived.variables))

    assert [(one.text.split(":")[0], one.who) for one in fields] == [
        ("Return-Path", "qmail-local"),
        ("Delivered-To", "qmail-local"),
        ("X-QHPSI", "qmail-queue"),
        ("Received", "qmail-queue"),
        ("Received", "qmail-smtpd"),
    ]


def test_added_and_own_octets_are_the_file(arrived):
    """The added fields and the mail as it was sent are the whole file, and nothing else is in it."""
    added = "\n".join(one.text for one in added_fields(arrived.arrival)) + "\n"

    assert arrived.arrival.stored == added.encode() + MAIL


def test_a_forged_header_is_the_clients(arrived):
    """An X-QHPSI line that the client wrote is not among the added ones."""
    assert [one.text for one in added_fields(arrived.arrival) if one.text.startswith("X-QHPSI")] == ["X-QHPSI: clean"]
    assert arrived.arrival.stored.count(b"X-QHPSI: clean") == 2


def test_quarantine_and_own_header_are_known(real_lab):
    """X-Quarantine-ID and the lines of QQEH stand behind X-QHPSI, each with its reason."""
    real_lab.set_variable("QUARANTINE", "carol@example.com")
    real_lab.set_variable("QQEH", "X-Checked: by us")
    journey = real_lab.send(message=MAIL)
    for name in ("QUARANTINE", "QQEH"):
        real_lab.set_variable(name, None)

    fields = {one.text.split(":")[0]: one for one in added_fields(journey.arrival, dict(journey.variables))}
    assert (fields["X-Quarantine-ID"].text, fields["X-Checked"].why[:4], journey.arrival.recipient) == (
        "X-Quarantine-ID: carol@example.com,bob@example.com",
        "QQEH",
        "carol@example.com",
    )


def test_what_is_not_known_is_not_guessed(arrival):
    """A field of no known form is shown, with nobody's name."""
    assert [one.who for one in added_fields(arrival("X-Odd: a\n b\nReturn-Path: <>\n"))] == ["unknown", "qmail-local"]


def test_the_rule_is_told_in_words_and_as_a_command(real_lab):
    """The seed's filter, in words; and a vcfilter line that is read back as the same rule."""
    rule = real_lab.send(message=MAIL.replace(b"\n\n", b"\n\n" + eicar() + b"\n")).arrival.rule

    assert rule_sentence(rule) == (
        'Filter "virusFilter" of prefilt@example.com matched: X-QHPSI Equals "virus found", so it lies in Quarantine.'
    )
    assert replace(parse_command(rule_command(rule)).rule, filter_no=rule.filter_no) == rule


def test_no_rule_is_said(arrived):
    """The Inbox has a reason, too."""
    assert rule_sentence(arrived.arrival.rule) == "No filter matched: it lies in the Inbox."


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"reject_virus": 1, "attach": "eicar"}, "the server answered “554 qq message contains virus (#5.7.1)”"),
        ({"reject_virus": 2, "attach": "eicar"}, "the client heard 250, and the mail was thrown away"),
        ({"reject_virus": 0, "recipient": "nobody@example.com"}, "a bounce to ann@example.com"),
    ],
    ids=["refused", "swallowed", "bounced"],
)
def test_a_mail_that_is_nowhere_says_why(real_lab, order, said):
    """An empty view says what happened instead."""
    view = DeliveredView(real_lab.send(**order))
    real_lab.set_variable("REJECTVIRUS", "0")

    assert (said in view.sentence, view.added, view.facts) == (True, [], [])


def test_an_empty_view_says_what_would_fill_it():
    """No journey, no mail."""
    assert (DeliveredView().sentence, DeliveredView().static_html()) == (IDLE, "")


def test_the_mail_itself_is_in_no_state(arrived):
    """State, repr and static form have the added lines, and no word of the mail, shown or not."""
    view = DeliveredView(arrived)
    view._on_message(None, {"show": True}, [])
    saved = repr((view.get_state(), repr(view), view._repr_mimebundle_()))

    assert ("X-QHPSI: clean" in saved, CANARY in saved) == (True, False)


def test_the_mail_comes_as_a_message(arrived, monkeypatch):
    """Who asks sees it, hidden characters made visible."""
    sent = []
    monkeypatch.setattr(DeliveredView, "send", lambda _self, one, *_rest: sent.append(one))
    view = DeliveredView(arrived)
    view._on_message(None, {"show": True}, [])

    assert sent[-1] == {"mail": MAIL.decode()}


def test_the_plain_function_shows_the_mail_on_wish(arrived):
    """`delivered_html(journey, shows_mail=True)` is asked for by a person, who sees all."""
    assert (CANARY in str(delivered_html(arrived)), CANARY in str(delivered_html(arrived, shows_mail=True))) == (
        False,
        True,
    )


def test_hostile_lines_stay_text(payloads, arrived, arrival, strangers):
    """Added lines, folder, recipient and path may say anything."""
    outputs = []
    for value in payloads:
        journey = replace(arrived, arrival=arrival(f"X-Odd: {value}\n"))
        outputs.append(str(delivered_html(journey, shows_mail=True)))
        outputs.append(DeliveredView(journey).static_html())

    assert strangers("".join(outputs)) == []


def test_hidden_characters_are_seen(arrived, arrival):
    """What would steer the screen is written out before it goes to the page."""
    view = DeliveredView(replace(arrived, arrival=arrival("X-Odd: \x1b[31m\u202eabc\n")))

    assert view.added[0]["text"] == "X-Odd: \\x1b[31m<U+202E>abc"
