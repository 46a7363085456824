"""The listener's dictionary attack."""

from __future__ import annotations

import hashlib
import hmac
import itertools

import pytest

from indimail_kit.auth.eavesdrop import WORD_COUNT, Guess, common_words, guess_cram, guesses_cram
from indimail_kit.errors import SaslError

RFC_CHALLENGE = b"<1896.697170952@postoffice.reston.mci.net>"
RFC_RESPONSE = b"tim b913a602c7eda7a495b4e6e7334d3890"
SEED_CHALLENGE = b"<20137.1267585100@indimail.org>"
SEED_RESPONSE = b"postmaster@example.com cee8397ab123a0d4f3a7fddbb9cb8719"


def steps():
    """Return a clock that goes one second a look."""
    return itertools.count().__next__


@pytest.mark.parametrize(
    ("challenge", "response", "passwd"),
    [(RFC_CHALLENGE, RFC_RESPONSE, "tanstaaftanstaaf"), (SEED_CHALLENGE, SEED_RESPONSE, "pass")],
    ids=["RFC 2195", "the seed"],
)
def test_the_known_password_is_found(challenge, response, passwd):
    """The RFC's and the seed's exchange give up their passwords, at the word's place in the list."""
    guess = guess_cram(challenge, response, ["secret", passwd, "later"])

    assert (guess.word, guess.tried, guess.is_found) == (passwd, 2, True)


@pytest.mark.parametrize("words", [(), ("",), ("secret", "pas", "past", "PASS")], ids=["none", "empty", "near"])
def test_a_word_that_is_not_there_is_not_found(words):
    """Every word is tried, none fits."""
    guess = guess_cram(SEED_CHALLENGE, SEED_RESPONSE, words)

    assert (guess.word, guess.tried) == (None, len(words))


@pytest.mark.parametrize("name", ["sha1", "sha256", "sha512"])
def test_other_hashes_can_be_guessed_as_well(name):
    """A longer hash does not help a short password."""
    digest = hmac.new(b"pass", SEED_CHALLENGE, getattr(hashlib, name)).hexdigest()

    assert guess_cram(SEED_CHALLENGE, f"ann {digest}".encode(), ["pass"], hash_name=name).word == "pass"


def test_the_listener_is_shown_progress():
    """One value a chunk, with words so far and time so far; the time between two chunks does not count."""
    guesses = list(guesses_cram(SEED_CHALLENGE, SEED_RESPONSE, ["a", "b", "c"], chunk_words=2, clock=steps()))

    assert guesses == [Guess(None, 2, 1), Guess(None, 3, 2)]


def test_speed_is_words_through_time():
    """500 words in 2 s are 250 a second; before there is time there is no speed."""
    assert (Guess(None, 500, 2.0).words_per_s, Guess(None, 0, 0.0).words_per_s) == (250.0, 0.0)


def test_the_found_word_is_not_in_the_repr():
    """A word that was found is somebody's password."""
    assert "pass" not in repr(guess_cram(SEED_CHALLENGE, SEED_RESPONSE, ["pass"]))


@pytest.mark.parametrize("response", [b"", b"tim", b"tim ", b"\0 x"], ids=["empty", "no digest", "blank", "NUL"])
def test_what_is_no_response_is_refused(response):
    """Without user and digest there is nothing to compare with."""
    with pytest.raises(SaslError):
        guess_cram(RFC_CHALLENGE, response, ["x"])


def test_an_unknown_hash_is_refused():
    """Only the hashes of the CRAM family are tried."""
    with pytest.raises(SaslError, match="hash names"):
        guess_cram(RFC_CHALLENGE, RFC_RESPONSE, ["x"], hash_name="crc32")


def test_the_list_has_ten_thousand_different_words():
    """As many as promised, each once, the same at each call, and the seed's password is one of them."""
    words = common_words()

    assert (len(words), len(set(words)), words == common_words(), "pass" in words) == (
        WORD_COUNT,
        WORD_COUNT,
        True,
        True,
    )


@pytest.mark.parametrize("count", [0, 1, 20, 9_999])
def test_a_shorter_list_is_the_beginning(count):
    """Likely words come first, whatever the length."""
    assert common_words(count) == common_words()[:count]
