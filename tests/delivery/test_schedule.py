"""When qmail-send tries again."""

from __future__ import annotations

from itertools import islice
from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.schedule import LIFETIME_S, Channel, attempt_ages_s, is_too_old, next_retry_s

CHANNELS = st.sampled_from(["local", "remote"])
SECONDS = st.integers(0, 2**33)


@pytest.mark.parametrize(
    ("channel", "ages"),
    [
        pytest.param("local", [0, 100, 400, 900, 1600, 2500, 3600], id="local"),
        pytest.param("remote", [0, 400, 1600, 3600, 6400, 10000, 14400], id="remote"),
    ],
)
def test_attempts_follow_the_published_schedule(channel: Channel, ages: list[int]) -> None:
    """Life with qmail, appendix E, prints these ages; the real queue held birth+100 and birth+400."""
    assert list(islice(attempt_ages_s(channel), 7)) == ages


@given(birth_s=SECONDS, age_s=st.integers(0, 2**31), channel=CHANNELS)
def test_wait_grows_with_the_square_root_of_the_age(birth_s: int, age_s: int, channel: Channel) -> None:
    """The age at the next attempt is the square of the root of today's age plus 10 or 20."""
    next_age_s = next_retry_s(birth_s=birth_s, now_s=birth_s + age_s, channel=channel) - birth_s

    assert next_age_s > age_s
    assert isqrt(next_age_s) ** 2 == next_age_s
    assert isqrt(next_age_s) - isqrt(age_s) == {"local": 10, "remote": 20}[channel]


def test_birth_in_the_future_counts_as_now() -> None:
    """A clock that was set back does not stop the mail."""
    assert next_retry_s(birth_s=1000, now_s=10, channel="local") == 1100


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [pytest.param(LIFETIME_S, False, id="at the limit"), pytest.param(LIFETIME_S + 1, True, id="a second later")],
)
def test_message_is_too_old_after_its_lifetime(age_s: int, expected: bool) -> None:
    """qmail-send.c compares with ">"."""
    assert is_too_old(birth_s=50, now_s=50 + age_s) is expected


def test_last_attempt_is_the_first_one_after_the_lifetime() -> None:
    """The row of attempts ends with the one that makes a failure of a deferral."""
    ages = list(attempt_ages_s("remote", lifetime_s=5000))

    assert ages == [0, 400, 1600, 3600, 6400]
