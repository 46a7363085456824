"""Lesson 03, exercises about time: when a message is tried again, and why one still lies there.

Source: IndiMail qmail-send.c `nextretry()`, `chanskip[]`; qmail-clean.c (36 hours); control/queuelifetime.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping
from functools import partial
from typing import Final, cast

from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_choices, judge_text, text_of
from indimail_kit.course.queue_cases import CASES
from indimail_kit.delivery.schedule import CHANNEL_SKIP, Channel, next_retry_s

# --- 03.8: the next attempt -------------------------------------------------------------------------------------


def clock_text(unix_s: int) -> str:
    """Return a time of day as people write it, in UTC."""
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).strftime("%H:%M:%S")


def _draw_retry(rng: random.Random) -> Drawn:
    channel: Channel = rng.choice(("local", "remote"))
    skip, other = CHANNEL_SKIP[channel], CHANNEL_SKIP["remote" if channel == "local" else "local"]
    # Early in a day, so that the times of a task lie on one day; never a square, so that rounding shows.
    birth_s = rng.randrange(19_000, 20_500) * 86_400 + rng.randrange(3_600, 20_000)
    root = rng.randrange(20, 100)
    now_s = birth_s + root * root + rng.randrange(1, 2 * root)
    right = clock_text(next_retry_s(birth_s=birth_s, now_s=now_s, channel=channel))
    wrong = {
        birth_s + (root + other) ** 2: "This is the step of the other channel: local 10, remote 20.",
        now_s + (root + skip) ** 2: "The square counts from birth, not from now.",
        birth_s + (root + 1 + skip) ** 2: "The root is rounded down.",
        birth_s + root * root + skip * skip: "First add, then square: the whole sum is squared.",
        now_s + skip * skip: "First the root of the age, then add the step, then square, from birth on.",
        now_s + skip: "The step is added to the root of the age, not to the time.",
        birth_s + (root + skip): "The sum is a root still. Square it.",
        now_s + (now_s - birth_s): "qmail does not double: the distance grows with the root of the age.",
    }
    given = {
        "info, last change": clock_text(birth_s),
        "this attempt begins": clock_text(now_s),
        "channel": channel,
    }
    traps = {clock_text(unix_s): sentence for unix_s, sentence in wrong.items()}
    traps.pop(right, None)
    return Drawn(given=given, right=right, traps=traps)


def _seconds(text: str) -> int:
    hours, minutes, seconds = map(int, text.split(":"))
    return hours * 3_600 + minutes * 60 + seconds


def _solve_retry(given: Mapping[str, object]) -> str:
    birth_s, now_s = (_seconds(text_of(given, name)) for name in ("info, last change", "this attempt begins"))
    return clock_text(next_retry_s(birth_s=birth_s, now_s=now_s, channel=cast("Channel", given["channel"])))


def _otherwise_retry(text: str) -> str:
    try:
        _seconds(text)
    except ValueError:
        return "A time of day is wanted, as hours, minutes and seconds: 14:02:31."
    return "Not at that time. Age in seconds, its root rounded down, plus the step of the channel, all of it squared."


RETRY: Final = Exercise(
    number="03.8",
    grade=Grade.CHANGE,
    title="the next attempt",
    goal="A delivery begins now, and it will be deferred. When is the next one? Write the time of day, as in 14:02:31.",
    reason="Right. The n-th attempt is the square of n steps after birth: a young message is tried often, an old one"
    " rarely, and nobody has to remember how often it was tried.",
    way="kit.delivery.next_retry_s(birth_s=…, now_s=…, channel=…): birth + (floor(sqrt(age)) + 10 or 20) squared.",
    hints=(
        "birth is the last change of the info file. Age: from birth to the beginning of this attempt, in seconds.",
        "math.isqrt(age) + 10 for local, + 20 for remote. Square that: so long after birth.",
        "kit.delivery.next_retry_s takes seconds; a time of day is hours * 3600 + minutes * 60 + seconds.",
    ),
    draw=_draw_retry,
    solve=_solve_retry,
    judge=partial(judge_text, _otherwise_retry),
)

# --- 03.9: why does it still lie there --------------------------------------------------------------------------

LETTERS: Final = ("A", "B", "C")

_MEANINGS: Final[Mapping[str, str]] = {case.name: case.meaning for case in CASES}


def _draw_why(rng: random.Random) -> Drawn:
    cases = rng.sample(CASES, len(LETTERS))
    now_s = rng.randrange(1_700_000_000, 1_790_000_000)
    given: dict[str, object] = {"now": dt.datetime.fromtimestamp(now_s, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")}
    given |= {letter: case.story(rng, now_s) for letter, case in zip(LETTERS, cases, strict=True)}
    given["causes"] = "\n".join(f"{name:<10} {meaning}" for name, meaning in _MEANINGS.items())
    return Drawn(given=given, right={letter: case.name for letter, case in zip(LETTERS, cases, strict=True)})


def _solve_why(given: Mapping[str, object]) -> dict[str, str]:
    now_s = int(dt.datetime.strptime(text_of(given, "now"), "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=dt.UTC).timestamp())
    return {
        letter: next(case.name for case in CASES if case.is_told(text_of(given, letter), now_s)) for letter in LETTERS
    }


WHY: Final = Exercise(
    number="03.9",
    grade=Grade.FIND_OUT,
    title="why is it still there",
    goal="Three messages that somebody misses. The listing shows kind, number and inode, last change in UTC, and what"
    " stands in the file. Why does each still lie there? One of the causes for A, B and C.",
    reason="Right, all three. Which files there are says who works on it next; their times say when; and the name says"
    " whether anybody will.",
    way="State first (which files), then who acts in that state, then the times: info is birth, local and remote are"
    " the next attempt.",
    hints=(
        "First the state: mess alone, mess with todo, or with info? Who takes the next step in it?",
        "Then the times: how old is mess without an envelope? When is the next attempt? How old is info?",
        "Compare name and inode, too. kit.mailqueue.state_of and the table of causes do the rest.",
    ),
    draw=_draw_why,
    solve=_solve_why,
    judge=lambda drawn, answer: judge_choices(
        _MEANINGS,
        lambda _letter, choice: next(case.not_this for case in CASES if case.name == choice),
        drawn,
        answer,
    ),
)
