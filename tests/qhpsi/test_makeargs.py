"""Tests of makeargs.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.qhpsi.makeargs import WordForm, build_argv, read_words, split_words

ANSWERS = json.loads(
    (Path(__file__).parents[1] / "data/indimail/qhpsi/makeargs-answers.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", ANSWERS["cases"], ids=lambda case: repr(case["text"]))
def test_words_are_those_of_the_real_makeargs(case: dict[str, object]) -> None:
    """240 strings, split by libqmail's own function: the words are the same."""
    assert split_words(str(case["text"]), ANSWERS["environment"]) == case["words"]


@given(text=st.text(alphabet="ab%s$\"'\\ \t\n;|&`()é"), name=st.text("ab", max_size=2))
def test_splitting_invents_nothing(text: str, name: str) -> None:
    """Every word is a piece of the string or the value of a variable; nothing is executed or expanded."""
    words = split_words(text, {name: "VALUE"})

    assert all(word in text or word == "VALUE" for word in words)


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("/usr/bin/clamdscan %s --quiet --no-summary", ["/usr/bin/clamdscan", "mess/1/2", "--quiet", "--no-summary"]),
        ("scan", ["scan", "mess/1/2"]),
        ("scan -x", ["scan", "-x"]),
        ("scan %s %s", ["scan", "mess/1/2", "mess/1/2"]),
        ("scan %sfoo", ["scan", "mess/1/2"]),
        ("scan file=%s", ["scan", "file=%s"]),
        ('scan "%s"', ["scan", "mess/1/2"]),
        ("%s", ["%s", "mess/1/2"]),
        ("%s %s", ["%s", "mess/1/2"]),
        ("scan $UNSET %s", ["scan", "mess/1/2"]),
        ("scan -x $PERCENT", ["scan", "-x", "mess/1/2"]),
        ("", []),
        (" \t", []),
        ("$UNSET", []),
        ("plugin: a.so b.so", ["plugin:mess/1/2", "a.so", "b.so"]),
        ("plugin:a.so", ["plugin:mess/1/2", "a.so"]),
        ("plugin:", ["plugin:mess/1/2"]),
        ("plugin: $PLUGINS", ["plugin:mess/1/2", "a.so b.so"]),
    ],
)
def test_file_name_takes_the_place_of_percent_s(text: str, argv: list[str]) -> None:
    """The rules of qhpsiprog(): a word that begins with %s is replaced, a single word gets the name behind it."""
    assert build_argv(text, "mess/1/2", {"PERCENT": "%s", "PLUGINS": "a.so b.so"}) == argv


def test_at_least_200_strings_were_recorded() -> None:
    """The answers are those of the compiled C function, and different ones."""
    assert len({case["text"] for case in ANSWERS["cases"]}) >= 200
    assert "compiled with gcc" in ANSWERS["source"]


def test_each_word_tells_how_it_was_written() -> None:
    """A teacher can show what became of each piece of the string."""
    words = list(read_words("scan 'a b'c -x %s $LAST", {"LAST": "z"}))

    assert [(word.written, word.value, word.form, word.dropped) for word in words] == [
        ("scan", "scan", WordForm.PLAIN, ""),
        ("'a b'", "a b", WordForm.QUOTED, "c"),
        ("-x", "-x", WordForm.PLAIN, ""),
        ("%s", "%s", WordForm.PLAIN, ""),
        ("$LAST", "z", WordForm.VARIABLE, ""),
    ]


def test_word_that_ends_the_list_is_shown() -> None:
    """What a variable in the middle swallows is not hidden."""
    *_, last = read_words("scan $HOME %s", {"HOME": "/root"})

    assert (last.written, last.form) == ("$HOME %s", WordForm.MISSING)
