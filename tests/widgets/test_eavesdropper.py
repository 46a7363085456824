"""The listener's widget, by its traits."""

from __future__ import annotations

import asyncio

import pytest

from indimail_kit.auth.mechanisms import MECHANISMS
from indimail_kit.errors import LabError, SaslError
from indimail_kit.widgets.auth_markup import listener_html
from indimail_kit.widgets.eavesdropper import Eavesdropper

CANARY = "canary-4711"


@pytest.fixture
def make_view():
    """Give a maker of views without pauses, closed at the end."""
    made = []

    def make(**options):
        made.append(Eavesdropper(pause_s=0, **options))
        return made[-1]

    yield make
    for view in made:
        view.panel.close()
        view.close()


@pytest.fixture
def sent(monkeypatch):
    """Give the list of messages that go to the browser."""
    messages = []
    monkeypatch.setattr("indimail_kit.widgets.eavesdropper.AttackPanel.send", lambda _self, one: messages.append(one))
    return messages


def test_the_seeds_password_is_found(make_view):
    """The default list has it; trait, sentence and return value say the same."""
    view = make_view()

    guess = view.attack()

    assert (guess.word, view.guess, view.panel.tried, "Found: “pass”" in view.panel.sentence) == (
        "pass",
        guess,
        guess.tried,
        True,
    )


def test_what_is_not_in_the_list_is_not_found(make_view):
    """The sentence says how many were tried."""
    view = make_view(words=["one", "two"])
    view.attack()

    assert (view.guess.word, view.panel.sentence.startswith("Not found: none of 2 words")) == (None, True)


def test_a_click_leaves_the_loop_awake(make_view):
    """The attack runs beside: the loop turns while words are tried, and the outcome comes."""

    async def click():
        view = make_view()
        view._on_message(view.panel, {"attack": True}, [])
        turns = 0
        while view.panel.busy and turns < 10_000:
            turns += 1
            await asyncio.sleep(0.001)
        return view.guess.word, turns > 1

    assert asyncio.run(click()) == ("pass", True)


def test_a_typed_password_is_nowhere_but_in_a_message(make_view, sent):
    """Attacked and found: state, repr and HTML have neither the word nor the digest; the message has it."""
    view = make_view(words=["other", CANARY])
    view._on_message(view.panel, {"secret": CANARY}, [])
    view.attack()
    digest = next(one["response"] for one in reversed(sent) if "response" in one).split(" ")[1]
    seen = repr(view.panel.get_state()) + repr(view) + view.static_html() + repr(view.guess)

    assert (view.guess.word, CANARY in seen, digest in seen, sent[-1]) == (CANARY, False, False, {"word": CANARY})


def test_an_empty_password_is_said(make_view):
    """A login without a password cannot be listened to; the view says so and stays usable."""
    view = make_view()
    view._on_message(view.panel, {"secret": ""}, [])

    assert (view.panel.sentence.startswith("There is no such login"), view.attack().word) == (True, "pass")


def test_one_attack_at_a_time(make_view):
    """A second one is refused while the first goes on."""
    view = make_view()
    view.panel.busy = True

    with pytest.raises(LabError):
        view.attack()


def test_a_broken_capture_is_said(make_view):
    """What is no response cannot be attacked: an error for Python, a sentence for the screen."""
    view = make_view(response="nothing")

    with pytest.raises(SaslError):
        view.attack()

    assert (view.panel.sentence.startswith("No attack:"), view.panel.busy) == (True, False)


def test_every_mechanism_is_in_the_table(parse):
    """The table is the mechanisms' own, no name is missing."""
    text = parse(str(listener_html())).text

    assert [name for name in MECHANISMS if name not in text] == []


def test_static_html_stays_behind_the_door(make_view, strangers, hostile_strings):
    """A hostile capture is text."""
    view = make_view(challenge="".join(hostile_strings[:400]), response=f"{hostile_strings[0]} x")

    assert strangers(view.static_html()) == []
