"""Reading a learner's answer: whatever was written becomes a value that can be compared, or None.

Rule 1: nothing here raises, whatever comes in; only the kinds that are named are looked into.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeGuard

MAX_CHARACTERS: Final = 10_000
"""Longer texts are no answers (unit: characters)."""

MAX_NAMES: Final = 100
"""More names are no answer."""

_UNANSWERED: Final = frozenset({"", "…", "..."})

_KINDS: Final = {
    "NoneType": "nothing", "bool": "yes or no", "bytes": "octets", "dict": "a dictionary", "float": "a number",
    "frozenset": "a set", "int": "a number", "list": "a list", "set": "a set", "str": "a text", "tuple": "a tuple",
}  # fmt: skip
"""Name of a type -> what a person calls it."""


def kind_of(answer: object) -> str:
    """Say in words what kind of thing an answer is.

    Example:
        >>> kind_of([1, 2])
        'a list'
    """
    return _KINDS.get(type(answer).__name__, "something else")


def is_unanswered(answer: object) -> bool:
    """Say whether the place for the answer is still as it was.

    Example:
        >>> is_unanswered("…"), is_unanswered({"A": "…", "B": "…"}), is_unanswered("pass")
        (True, True, False)
        >>> is_unanswered({"variables/FASTQUEUE": None})  # a file to remove
        False
    """
    if type(answer) is dict:
        removes = bool(answer) and all(value is None for value in answer.values())
        return not removes and all(_is_blank(value) for value in answer.values())
    if _is_collection(answer):
        return all(_is_blank(item) for item in answer)
    return _is_blank(answer)


def _is_blank(answer: object) -> bool:
    return answer is None or answer is ... or (type(answer) is str and answer.strip() in _UNANSWERED)


def as_text(answer: object) -> str | None:
    """Return a text; octets of ASCII count as one, since base64.b64encode gives them."""
    if type(answer) is bytes and answer.isascii():
        answer = answer.decode("ascii")
    return answer if type(answer) is str and len(answer) <= MAX_CHARACTERS else None


def as_number(answer: object) -> int | None:
    """Return a whole number, also from a text of digits."""
    if type(answer) is int:
        return answer
    text = (as_text(answer) or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def as_names(answer: object) -> frozenset[str] | None:
    """Return names in upper case, from a collection or from a text with commas; None for anything else."""
    if type(answer) is str and len(answer) <= MAX_CHARACTERS:
        answer = answer.split(",")
    if not _is_collection(answer) or len(answer) > MAX_NAMES:
        return None
    texts = [as_text(item) for item in answer]
    known = [text.strip().upper() for text in texts if text is not None]
    return frozenset(known) if len(known) == len(texts) else None


def as_choices(answer: object, keys: tuple[str, ...]) -> Mapping[str, str] | None:
    """Return key -> choice in lower case, from a dictionary with these keys or a list in their order."""
    if _is_collection(answer) and type(answer) in (list, tuple) and len(answer) == len(keys):
        answer = dict(zip(keys, answer, strict=True))
    if type(answer) is not dict or len(answer) != len(keys):
        return None
    texts = {key: as_text(answer.get(key)) for key in keys}
    return {key: text.strip().lower() for key, text in texts.items() if text is not None}


def _is_collection(answer: object) -> TypeGuard[Collection[object]]:
    return type(answer) in (list, tuple, set, frozenset)


def mistake_in_text(
    answer: object, *, right: str, traps: Mapping[str, str], otherwise: Callable[[str], str]
) -> str | None:
    """Say what is wrong with a text, or None when nothing is.

    Args:
        answer: What the learner gave.
        right: The right text.
        traps: Wrong text -> the sentence for it.
        otherwise: Gives the sentence for any other wrong text.
    """
    text = as_text(answer)
    if text is None:
        return f"A text is wanted here, in quotation marks; this is {kind_of(answer)}, or it is far too long."
    if text == right:
        return None
    if text in traps:
        return traps[text]
    if text.strip() == right:
        return "Nearly: there is a blank or a line end around it. In a dialogue each of them would count."
    return traps.get(text.strip()) or otherwise(text)
