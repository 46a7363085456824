"""What a listener does with a CRAM exchange that he captured: try passwords, unseen, as fast as his machine can.

Source: RFC 2195 section 5 (an intruder who has challenge and response can try passwords offline).

Note for maintainers: the listener's loop is the server's own computation, `cram.digest`, once a word.

Rule 1: a word that was found is a password: it is in no repr.
"""

from __future__ import annotations

import hmac
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.auth import cram, framing
from indimail_kit.errors import MissingPartError, SaslError

WORD_COUNT: Final = 10_000
"""Words that `common_words` makes unless told otherwise."""

_STEM_TEXT: Final = """
password qwerty abc letmein dragon monkey football baseball master shadow sunshine princess welcome login admin hello
freedom whatever trustno starwars secret iloveyou superman batman michael jordan hunter ranger buster soccer hockey
killer george charlie andrew michelle jessica pepper daniel access computer internet summer winter autumn spring monday
friday january october london paris berlin india delhi mumbai cricket tiger lion eagle falcon silver golden diamond
purple orange banana apple cherry cookie coffee chocolate cheese pizza guitar music piano flower garden forest river
mountain ocean island thunder lightning matrix wizard magic merlin phoenix mercedes ferrari porsche yankees maverick
ginger maggie bailey harley cooper oliver sophie thomas robert jennifer joshua amanda ashley nicole matthew anthony
richard william samantha victoria elizabeth postmaster mail mailman server system root user guest test demo temp
changeme default office family friend lovely angel heaven peace spirit dream star moon sun
"""
_STEMS: Final = tuple(_STEM_TEXT.split())

_FIRST: Final = (
    "123456", "password", "12345678", "qwerty", "123456789", "12345", "1234", "111111", "1234567", "dragon",
    "123123", "abc123", "letmein", "monkey", "696969", "654321", "qwertyuiop", "iloveyou", "1q2w3e4r", "000000",
)  # fmt: skip
"""The very first ones that people try; they head every published list."""

_ENDINGS: Final = (
    "", "1", "12", "123", "1234", "!", "2009", "2010", "2024", "2025", "2026", "01", "007", "99", "0", "2", "69", "11",
    "21", "22", "77", "88", "00", "10", "13", "23", "3", "5", "7", "9",
)  # fmt: skip
_RARE_ENDINGS: Final = ("4", "6", "8", "!!", "1!", "2000", "2022", "2023", "55", "66")
_SHORTEST_STEM: Final = 4


@dataclass(frozen=True, slots=True)
class Guess:
    """How far a dictionary attack came.

    Attributes:
        word: The password, None as long as it was not found.
        tried: Words tried so far.
        elapsed: Time spent on trying (unit: s).
    """

    word: str | None = field(repr=False)
    tried: int
    elapsed: float

    @property
    def is_found(self) -> bool:
        """Say whether the password was found."""
        return self.word is not None

    @property
    def words_per_s(self) -> float:
        """Return the speed (unit: words/s), 0.0 before it can be told."""
        return self.tried / self.elapsed if self.elapsed > 0 else 0.0


def guesses_cram(
    challenge: bytes,
    response: bytes,
    words: Iterable[str],
    *,
    hash_name: str = "md5",
    chunk_words: int = 500,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Guess]:
    """Try words chunk by chunk, so that somebody can look on; the last value yielded is the outcome.

    Args:
        challenge: Octets with the angle brackets.
        response: Octets of the response, after Base64: user, blank, digest.
        words: What to try, in this order.
        hash_name: One of `cram.HASH_NAMES`.
        chunk_words: Words between two values.
        clock: Gives the time (unit: s).

    Raises:
        SaslError: The response has no user and digest, or the hash is none of the names.
        MissingPartError: This Python lacks the hash.
    """
    right = cram.decode_response(response).digest.encode("utf-8", "surrogateescape").lower()
    if hash_name not in cram.HASH_NAMES:
        raise SaslError(f"one of the hash names {', '.join(cram.HASH_NAMES)}")
    if not cram.is_available(hash_name):
        raise MissingPartError(f"the hash {hash_name}", "Use a Python whose OpenSSL has it.")
    tried, elapsed = 0, 0.0
    rest = iter(words)
    while chunk := tuple(itertools.islice(rest, max(chunk_words, 1))):
        start = clock()
        for count, word in enumerate(chunk, 1):
            key = framing.encode_utf8(word, expected="a word in UTF-8")
            if hmac.digest(key, challenge, hash_name).hex().encode("ascii") == right:
                yield Guess(word, tried + count, elapsed + clock() - start)
                return
        tried, elapsed = tried + len(chunk), elapsed + clock() - start
        yield Guess(None, tried, elapsed)
    if not tried:
        yield Guess(None, 0, 0.0)


def guess_cram(
    challenge: bytes,
    response: bytes,
    words: Iterable[str],
    *,
    hash_name: str = "md5",
    clock: Callable[[], float] = time.perf_counter,
) -> Guess:
    """Try words until one gives the digest; see `guesses_cram`.

    Example:
        >>> captured = b"tim b913a602c7eda7a495b4e6e7334d3890"
        >>> challenge = b"<1896.697170952@postoffice.reston.mci.net>"
        >>> guess_cram(challenge, captured, ["secret", "tanstaaftanstaaf"]).word
        'tanstaaftanstaaf'
    """
    return deque(guesses_cram(challenge, response, words, hash_name=hash_name, clock=clock), maxlen=1).pop()


def common_words(count: int = WORD_COUNT) -> tuple[str, ...]:
    """Return words as people choose them, likely ones first: known ones, then names and things with usual endings.

    A made list, so that nobody's real passwords are in the package; a listener's own has millions.

    Args:
        count: How many; fewer come when the stems give no more.

    Example:
        >>> common_words(3)
        ('123456', 'password', '12345678')
    """
    return tuple(itertools.islice(_unique(_made_words()), count))


def _unique(words: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for word in words:
        if word not in seen:
            seen.add(word)
            yield word


def _made_words() -> Iterator[str]:
    yield from _FIRST
    yield from _with_endings(_ENDINGS)
    # Beginnings: people shorten words, too ("pass", "super").
    yield from (stem[:length] for stem in _STEMS for length in range(_SHORTEST_STEM, len(stem)))
    yield from _with_endings(_RARE_ENDINGS)


def _with_endings(endings: Iterable[str]) -> Iterator[str]:
    for ending in endings:
        yield from (stem + ending for stem in _STEMS)
        yield from (stem.capitalize() + ending for stem in _STEMS)
