"""Judging what exercises have in common: a text, words one a line, a choice for each letter, a set of names.

Rule 1: each gives the sentence for a mistake, or None when the answer is right; none raises, whatever is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import cast

from indimail_kit.course.answers import as_choices, as_names, as_text, kind_of, mistake_in_text
from indimail_kit.course.exercise import Drawn


def text_of(given: Mapping[str, object], name: str) -> str:
    """Return a value that is a text."""
    return cast("str", given[name])


def judge_text(otherwise: Callable[[str], str], drawn: Drawn, answer: object) -> str | None:
    """Judge an answer that is a text; `otherwise` has the sentence for one that is no known mistake."""
    return mistake_in_text(answer, right=cast("str", drawn.right), traps=drawn.traps, otherwise=otherwise)


def first_mistake(found: Iterable[tuple[str, bool]]) -> str:
    """Return the name of the first mistake that was made, "" for none; the order says which one is told first."""
    return next((mistake for mistake, is_made in found if is_made), "")


def as_lines(words: object) -> object:
    r"""Return a list of texts as one text, a line each; anything else stays as it is.

    Example:
        >>> as_lines(["/usr/bin/clamdscan", "%s"])
        '/usr/bin/clamdscan\n%s'
    """
    if type(words) not in (list, tuple):
        return words
    texts = [as_text(word) for word in cast("list[object]", words)]
    known = [text for text in texts if text is not None]
    return "\n".join(known) if len(known) == len(texts) else words


def judge_choices(
    names: Mapping[str, str], not_this: Callable[[str, str], str], drawn: Drawn, answer: object
) -> str | None:
    """Judge one choice for each letter; the first wrong one gets a sentence.

    Args:
        names: What may be chosen, in lower case -> its meaning.
        not_this: (letter, wrong choice) -> what speaks against it.
        drawn: Its `right` is letter -> choice.
        answer: What the learner gave; whole numbers count as texts.
    """
    right = cast("dict[str, str]", drawn.right)
    letters = tuple(right)
    if type(answer) is dict:
        answer = {key: str(value) if type(value) is int else value for key, value in answer.items()}
    choices = as_choices(answer, letters)
    if choices is None:
        listed = ", ".join(letters[:-1])
        return (
            f"A dictionary with {listed} and {letters[-1]} is wanted, a choice for each; this is {kind_of(answer)}, or"
            " has others."
        )
    for letter in letters:
        choice = choices.get(letter, "")
        if choice not in names:
            return f"{letter}: take one of the names in the list."
        if choice != right[letter]:
            return f"{letter}: {not_this(letter, choice)}"
    return None


def judge_names(
    drawn: Drawn,
    answer: object,
    *,
    listed: frozenset[str],
    what: str,
    wrong: Callable[[str], str | None],
    missing: str,
    is_wanted_any: str,
) -> str | None:
    """Judge a set of names.

    Args:
        drawn: Its `right` is the set.
        answer: What the learner gave.
        listed: The names to choose from.
        what: What the names are, for a learner who gave something else.
        wrong: Gives the sentence for a name that does not belong to the right ones, or None.
        missing: Said when none is wrong but one is missing.
        is_wanted_any: Said when all are taken.
    """
    names = as_names(answer)
    if names is None:
        return f'{what} are wanted, as {{"A", "B"}}; this is {kind_of(answer)}, or not only of names.'
    right = cast("frozenset[str]", drawn.right)
    if names == right:
        return None
    if not names <= listed:
        return "There is a name that is none of the list. Take names as they stand there."
    if names == listed:
        return is_wanted_any
    sentences = (wrong(name) for name in sorted(names - right))
    return next((sentence for sentence in sentences if sentence), missing)


def judge_letters(
    letters: Iterable[str],
    drawn: Drawn,
    answer: object,
    *,
    wrong: Callable[[str], str],
    missing: str,
    is_wanted_any: str,
) -> str | None:
    """Judge a set of the letters under which things were shown; see `judge_names`."""
    return judge_names(
        drawn,
        answer,
        listed=frozenset(letters),
        what="Letters",
        wrong=wrong,
        missing=missing,
        is_wanted_any=is_wanted_any,
    )
