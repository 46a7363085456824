"""Answers are read without a failure, whatever a learner writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.course.answers import (
    MAX_CHARACTERS,
    MAX_NAMES,
    as_choices,
    as_names,
    as_number,
    as_text,
    is_unanswered,
    kind_of,
    mistake_in_text,
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda children: (
        st.lists(children)
        | st.lists(children).map(tuple)
        | st.dictionaries(st.text(), children)
        | st.sets(st.text())
        | st.frozensets(st.integers())
    ),
    max_leaves=8,
)


@given(ANYTHING)
def test_every_answer_is_read(answer):
    """Each reader gives a value of its kind or None, and no exception."""
    assert isinstance(kind_of(answer), str)
    assert isinstance(is_unanswered(answer), bool)
    assert isinstance(as_text(answer), (str, type(None)))
    assert isinstance(as_number(answer), (int, type(None)))
    assert isinstance(as_names(answer), (frozenset, type(None)))
    assert isinstance(as_choices(answer, ("A", "B")), (dict, type(None)))


@pytest.mark.parametrize(
    "answer",
    [None, ..., "", "…", " … ", "...", [], set(), ["…"], {"…"}, {"A": "…", "B": None}, {}],
    ids=repr,
)
def test_a_place_left_empty_is_no_answer(answer):
    """The start cells run unanswered."""
    assert is_unanswered(answer) is True


@pytest.mark.parametrize("answer", [0, False, "x", b"", ["…", "x"], {"A": "…", "B": "newline"}, [[]], 0.0], ids=repr)
def test_anything_else_is_an_answer(answer):
    """Half an answer is one, too: it gets a sentence."""
    assert is_unanswered(answer) is False


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("cGFzcw==", "cGFzcw=="),
        (b"cGFzcw==", "cGFzcw=="),
        (b"\xff", None),
        (1, None),
        ("x" * MAX_CHARACTERS, "x" * MAX_CHARACTERS),
        ("x" * (MAX_CHARACTERS + 1), None),
    ],
    ids=["text", "octets of b64encode", "other octets", "number", "longest", "too long"],
)
def test_a_text_may_be_octets_of_ascii(answer, text):
    """base64.b64encode gives octets, and they are what was asked for."""
    assert as_text(answer) == text


@pytest.mark.parametrize(
    ("answer", "number"),
    [(7, 7), (" 7 ", 7), (b"7", 7), ("seven", None), ("٧", None), (7.0, None), (True, None), ("9" * 21, None)],
    ids=repr,
)
def test_a_number_may_be_digits(answer, number):
    """Digits that were cut out of a text count."""
    assert as_number(answer) == number


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ({"plain", "LOGIN"}, {"PLAIN", "LOGIN"}),
        ("plain, login", {"PLAIN", "LOGIN"}),
        (["PLAIN", "PLAIN"], {"PLAIN"}),
        (("PLAIN",), {"PLAIN"}),
        (["PLAIN", 1], None),
        ({"PLAIN": True}, None),
        (["X"] * MAX_NAMES, {"X"}),
        (["X"] * (MAX_NAMES + 1), None),
    ],
    ids=["set", "commas", "twice", "tuple", "a number among them", "dictionary", "most", "too many"],
)
def test_names_come_in_any_collection(answer, names):
    """Capitals and order make no difference."""
    assert as_names(answer) == names


@pytest.mark.parametrize(
    ("answer", "choices"),
    [
        ({"A": "X", "B": " y "}, {"A": "x", "B": "y"}),
        (["x", "y"], {"A": "x", "B": "y"}),
        ({"A": "x", "B": 1}, {"A": "x"}),
        ({"A": "x"}, None),
        ({"x", "y"}, None),
        (["x"], None),
        ("xy", None),
    ],
    ids=["dictionary", "list", "one is no text", "one is missing", "a set has no order", "short list", "text"],
)
def test_choices_come_by_key_or_in_order(answer, choices):
    """What is no choice at all is told apart from a wrong one."""
    assert as_choices(answer, ("A", "B")) == choices


@pytest.mark.parametrize(
    ("answer", "beginning"),
    [("right", None), ("trap", "T"), (" trap\n", "T"), ("right\n", "Nearly"), ("other", "other!"), (3, "A text")],
    ids=["right", "trap", "trap with blanks", "right with a line end", "another", "a number"],
)
def test_each_wrong_text_has_its_sentence(answer, beginning):
    """Known mistakes first, then blanks, then whatever is said of another text."""
    said = mistake_in_text(answer, right="right", traps={"trap": "T"}, otherwise="{}!".format)

    assert (said is None, (said or "").startswith(beginning or "")) == (beginning is None, True)
