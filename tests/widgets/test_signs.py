"""The signs: word, mark and outline for each state."""

from __future__ import annotations

import pytest

from indimail_kit.cli.output import SIGNS
from indimail_kit.lab.journey import STATION_KEYS, StationState
from indimail_kit.qhpsi.verdict import Verdict
from indimail_kit.widgets.html import style_classes
from indimail_kit.widgets.signs import NUMBERS, STATES, VERDICTS, sign_of_words, verdict_sign


@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        ("CLEAN", "CLEAN ✓"),
        ("INFECTED", "INFECTED ✕"),
        ("NOT_SCANNED", "NOT SCANNED ?"),
        ("ERROR", "ERROR !"),
        ("", "no scan –"),
    ],
)
def test_a_verdict_has_word_and_mark(verdict, shown):
    """LOOK: CLEAN ✓, INFECTED ✕, NOT SCANNED ?, ERROR !, always with the word."""
    assert str(verdict_sign(verdict)) == shown


@pytest.mark.parametrize("word", ["clean", "OK", "CLEAN ", "<b>"])
def test_an_unknown_verdict_is_never_clean(word):
    """A word that is no verdict is shown as ERROR."""
    assert verdict_sign(word) is VERDICTS["ERROR"]


def test_every_verdict_has_a_sign():
    """The scanner's enum and the table of signs have the same members."""
    assert set(VERDICTS) == {verdict.name for verdict in Verdict}


@pytest.mark.parametrize("verdict", Verdict)
def test_a_stations_words_have_the_verdicts_sign(verdict):
    """What the scan station says in words is found again; other words are no verdict's."""
    assert (sign_of_words(verdict.words), sign_of_words("235")) == (VERDICTS[verdict.name], None)


def test_every_state_has_a_sign():
    """The stations' enum and the table of signs have the same members."""
    assert set(STATES) == set(StationState)


@pytest.mark.parametrize("signs", [VERDICTS, STATES], ids=["verdicts", "states"])
def test_signs_differ_without_colour(signs):
    """Within a family no two signs share word or mark, so colour is never needed."""
    assert len({sign.word for sign in signs.values()}) == len({sign.mark for sign in signs.values()}) == len(signs)


def test_every_sign_is_drawn():
    """Each class of a sign is in the style sheet."""
    assert {sign.cls for sign in (*VERDICTS.values(), *STATES.values())} <= style_classes()


def test_every_station_has_a_number():
    """One number for each station."""
    assert len(NUMBERS) == len(STATION_KEYS)


def test_a_terminal_has_the_same_marks():
    """The command line draws a verdict as the widgets do, without loading them."""
    assert {name: sign.mark for name, sign in VERDICTS.items()} == SIGNS
