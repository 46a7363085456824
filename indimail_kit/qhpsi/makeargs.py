"""A QHPSI string -> words -> argument vector, as qmail-queue makes them; pure.

Source: IndiMail libqmail base/makeargs.c, indimail-mta-x/qmail-queue.c `qhpsiprog()`.

Note for maintainers: makeargs is no shell. White space parts words; a quote (either kind closes it) counts only at
the start of a word and what follows the closing quote is dropped; a backslash is an ordinary character. A word that
begins with ``$`` is looked up under *everything that is left of the string* as its name, so ``$VAR`` works as the
last word only; in front of others it is not found, and a name that is not found ends the list without a word.

Rule 1: what runs is an argument vector; text from a message never gets near a shell.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from indimail_kit.qhpsi.config import PLUGIN_PREFIX

PLACE: Final = "%s"
"""A later word that begins so is replaced, whole, by the file name."""

_WHITE_SPACE: Final = " \t\n\v\f\r"
"""isspace() in the C locale."""

QUOTES: Final = "\"'"
"""Either one opens, either one closes."""

_NEXT_WORD: Final = re.compile(rf"[{_WHITE_SPACE}]*")
_WORD_END: Final = re.compile(rf"[^{_WHITE_SPACE}]*")
_CLOSING: Final = re.compile(f"[{QUOTES}]")


class WordForm(enum.Enum):
    """How a word was written."""

    PLAIN = "as it stands"
    QUOTED = "between quotes"
    VARIABLE = "the value of a variable"
    MISSING = "a variable that is not set: the list ends here"


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a QHPSI string.

    Attributes:
        written: As it stands in the string; for a variable, all that was taken as its name.
        value: What the program gets.
        form: How it was written.
        dropped: What followed a closing quote and is lost.
    """

    written: str
    value: str
    form: WordForm
    dropped: str = ""


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Return where a pattern that always matches ends."""
    match = pattern.match(text, position)
    return match.end() if match else position


def read_words(text: str, environ: Mapping[str, str]) -> Iterator[Word]:
    """Give the words of a command as makeargs() finds them, each with how it was written.

    Args:
        text: The value of QHPSI.
        environ: Where ``$VAR`` is looked up.

    Source:
        IndiMail libqmail base/makeargs.c, revision 2.12.
    """
    position = 0
    while (start := _skip(_NEXT_WORD, text, position)) < len(text):
        position = _skip(_WORD_END, text, start)
        if text[start] == "$":
            value = environ.get(text[start + 1 :])
            if value is None:
                yield Word(text[start:], "", WordForm.MISSING)
                return
            yield Word(text[start:], value, WordForm.VARIABLE)
            continue
        closing = _CLOSING.search(text, start + 1) if text[start] in QUOTES else None
        if closing is None:
            yield Word(text[start:position], text[start:position], WordForm.PLAIN)
            continue
        position = _skip(_WORD_END, text, closing.end())
        value = text[start + 1 : closing.start()]
        yield Word(text[start : closing.end()], value, WordForm.QUOTED, text[closing.end() : position])


def split_words(text: str, environ: Mapping[str, str]) -> list[str]:
    """Split a command as makeargs() does.

    Args:
        text: The value of QHPSI.
        environ: Where ``$VAR`` is looked up.

    Example:
        >>> split_words('scan "a b"c %s $HOME', {"HOME": "/root"})
        ['scan', 'a b', '%s', '/root']
        >>> split_words("scan $HOME %s", {"HOME": "/root"})
        ['scan']
    """
    return [word.value for word in read_words(text, environ) if word.form is not WordForm.MISSING]


def build_argv(text: str, file_name: str, environ: Mapping[str, str]) -> list[str]:
    """Make the argument vector that qmail-queue hands to qhpsi.

    Args:
        text: The value of QHPSI.
        file_name: The message, as the scanner shall see it.
        environ: Where ``$VAR`` is looked up.

    Returns:
        The vector; [] when the string holds no program. Several words without ``%s`` get no file name: the scanner's
        exit code counts all the same.

    Source:
        IndiMail qmail-queue.c `qhpsiprog()`.

    Example:
        >>> build_argv("/usr/bin/clamdscan %s --quiet --no-summary", "mess/16/660188", {})
        ['/usr/bin/clamdscan', 'mess/16/660188', '--quiet', '--no-summary']
        >>> build_argv("plugin: a.so b.so", "mess/16/660188", {})
        ['plugin:mess/16/660188', 'a.so', 'b.so']
    """
    if text.startswith(PLUGIN_PREFIX):
        return [PLUGIN_PREFIX + file_name, *split_words(text.removeprefix(PLUGIN_PREFIX), environ)]
    words = split_words(text, environ)
    if len(words) == 1:
        return [words[0], file_name]
    return words[:1] + [file_name if word.startswith(PLACE) else word for word in words[1:]]
