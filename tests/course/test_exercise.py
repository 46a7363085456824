"""Learners and their values."""

from __future__ import annotations

import pytest

from indimail_kit.course.exercise import learner_named


@pytest.mark.parametrize("name", ["ANN", " ann ", "Ａｎｎ"])
def test_the_same_name_is_the_same_learner(name):
    """Capitals, blanks and forms of Unicode make no difference."""
    assert learner_named(name).seed == learner_named("ann").seed


def test_seeds_are_the_same_on_every_machine():
    """The first 8 octets of SHA-256 of the name: RFC 6234's empty string begins with e3b0c44298fc1c14."""
    assert learner_named("").seed == 0xE3B0C44298FC1C14


def test_a_name_of_lone_surrogates_is_a_name():
    """Whatever a notebook passes."""
    assert learner_named("\ud800").name == "\ud800"
