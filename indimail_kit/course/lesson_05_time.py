"""Lesson 05, exercises about times that differ: a clock of another host, and dates in headers.

Source: `trace.clocks`; IndiMail libqmail datetime_tai() with leapsecs.dat; RFC 5322 section 3.3.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping
from email.utils import format_datetime
from functools import partial
from typing import Final

from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_choices, judge_text, text_of
from indimail_kit.course.lesson_05_joins import draw_users, meanings
from indimail_kit.course.log_lines import NS, LogWriter, draw_time_ns
from indimail_kit.logs.engine import read_events
from indimail_kit.tai64 import from_tai64n, to_tai64n
from indimail_kit.trace.clocks import LEAP_SECONDS, header_delay, measure_ahead_s, parse_date

_MESSAGES: Final = 6

# --- 05.5: how far ahead is the scanner's clock -------------------------------------------------------------------


def _draw_clock(rng: random.Random) -> Drawn:
    ahead_s = rng.choice((-1, 1)) * rng.randrange(65, 240)
    send = LogWriter(rng, draw_time_ns(rng))
    clamd = LogWriter(rng, 0)
    for number in rng.sample(range(100_000, 999_000), _MESSAGES):
        path = f"/var/indimail/queue/queue1/mess/{number % 151}/{number}"
        scan_ns = send.now_ns + rng.randrange(20_000_000, 60_000_000)
        clamd.say_at(scan_ns + ahead_s * NS, "clamd_scan_ok", scan_path=path)
        born_ns = scan_ns + rng.randrange(20_000_000, 300_000_000)
        send.say_at(born_ns, "new_msg", message_number=number, queue="queue1")
        send.wait(rng.randrange(30, 400))
    right = str(ahead_s)
    traps = {
        str(-ahead_s): "The sign is the other way round: a clock that is ahead writes later times.",
        str(ahead_s + 1): "One second too many. A scan is a moment before new msg, so the nearest whole second is it.",
        str(ahead_s - 1): "One second too few. A scan is a moment before new msg, so the nearest whole second is it.",
        str(ahead_s * 1000): "These are milliseconds.",
        f"{right} s": "The number alone, without its unit.",
        "0": "The clocks do differ: lay the line of a number in one log beside its line in the other.",
        str(ahead_s + 10): "10 s off: both logs have TAI64N labels, so nothing is to be taken off.",
    }
    return Drawn(given={"qmail-send": send.text, "clamd": clamd.text}, right=right, traps=traps)


def _solve_clock(given: Mapping[str, object]) -> str:
    births = {
        ("queue1", one.message_number or 0): [one.unix_ns or 0]
        for one in read_events(text_of(given, "qmail-send").encode() + b"\n") if one.kind == "new_msg"
    }  # fmt: skip
    scans = [
        (("queue1", int(line.partition(": ")[0].rpartition("/")[2])), from_tai64n(line.split()[0].encode()))
        for line in text_of(given, "clamd").split("\n")
    ]
    return f"{measure_ahead_s(scans, births) or 0:.0f}"


def _otherwise_clock(text: str) -> str:
    if not text.strip().lstrip("+-").isdigit():
        return "A number of whole seconds is wanted, with a minus if the clock is behind."
    return "Not so far. Take one number, and subtract the label of its new msg from the label of its scan."


def _judge_clock(drawn: Drawn, answer: object) -> str | None:
    text = str(answer) if type(answer) is int else answer
    return judge_text(_otherwise_clock, drawn, text.removeprefix("+") if type(text) is str else text)


CLOCK: Final = Exercise(
    number="05.5",
    grade=Grade.CHANGE,
    title="the clock of another host",
    goal="clamd runs on a host of its own, whose clock differs. By how many seconds is it ahead of qmail-send's? A"
    " whole number, with a minus if it is behind.",
    reason="Right. A clock that is off is off for all lines alike, so the commonest difference is the offset. Tell it"
    ' to the tracer: ahead_s={"scan": …}; untold, it notices and calls nothing certain.',
    way="trace.clocks.measure_ahead_s does it: for each number the label of the scan minus that of new msg.",
    hints=(
        "Find a number that both logs name, and lay the two labels side by side.",
        "The first 16 digits of a label are seconds; int(label[1:17], 16) makes a number of them.",
        "A scan is some tenths of a second before its new msg. What is left over is the clock.",
    ),
    draw=_draw_clock,
    solve=_solve_clock,
    judge=_judge_clock,
)

# --- 05.6: why the times differ -----------------------------------------------------------------------------------

WHY: Final[Mapping[str, str]] = {
    "leap": "the date takes off leap seconds that the clock never had",
    "zone": "the same moment, written in another zone",
    "late": "todo-proc was not woken, and looked when it looks anyway",
    "other": "another message: the process id was given again",
}
"""What a learner writes -> what it means."""

_INDIA: Final = dt.timezone(dt.timedelta(hours=5, minutes=30))
_LATE_S: Final = (200, 1_400)
_OTHER_S: Final = (8_000, 40_000)
_NOT_WHY: Final[Mapping[str, str]] = {
    "leap": "leap seconds make 27 s, never anything else.",
    "zone": "write both times in UTC. Are they the same moment then?",
    "late": "todo-proc looks every 25 minutes without being woken; no mail waits longer for it, and 27 s exactly would"
    " be a strange chance.",
    "other": "the two can be of one message: take the zone into account, and 25 minutes for todo-proc.",
}


def _draw_why(rng: random.Random) -> Drawn:
    words = list(WHY)
    rng.shuffle(words)
    given: dict[str, object] = {}
    for letter, word in zip("ABCD", words, strict=True):
        qp = rng.randrange(2_000, 30_000)
        date_ns = draw_time_ns(rng) // NS * NS
        zone = _INDIA if word == "zone" else dt.UTC
        delay_s = {"leap": LEAP_SECONDS, "zone": 0, "late": rng.randrange(*_LATE_S), "other": rng.randrange(*_OTHER_S)}
        date = format_datetime(dt.datetime.fromtimestamp(date_ns // NS, zone))
        born_ns = date_ns + delay_s[word] * NS + rng.randrange(50_000_000, 900_000_000)
        head = f"Received: indimail-mta queue {qp} by host mx.example.com\n  (invoked by uid 5); {date}"
        number, sender = rng.randrange(100_000, 999_000), draw_users(rng, 1)[0]
        info = f"info msg {number}: bytes {rng.randrange(400, 9_000)} from <{sender}> qp {qp} uid 5"
        told = dt.datetime.fromtimestamp(born_ns // NS, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
        given[letter] = f"{head}\n{to_tai64n(born_ns).decode()} {info}\nthat label is {told} UTC"
    return Drawn(given={**given, "names": meanings(WHY)}, right=dict(zip("ABCD", words, strict=True)))


def _solve_why(given: Mapping[str, object]) -> dict[str, str]:
    return {letter: _why(text_of(given, letter)) for letter in "ABCD"}


def _why(text: str) -> str:
    _head, comment, info, _told = text.split("\n")
    born_ns = from_tai64n(info.split()[0].encode())
    delay_ns, is_early = header_delay(parse_date(comment.partition("; ")[2]) or 0, born_ns)
    if is_early:
        return "leap"
    return "zone" if delay_ns < 2 * NS else "late" if delay_ns < 1_500 * NS else "other"


DATES: Final = Exercise(
    number="05.6",
    grade=Grade.FIND_OUT,
    title="why the times differ",
    goal="Four Received lines, each with a line of qmail-send that has the same qp. Why do the two times differ: leap,"
    " zone, late or other? Answer with a dictionary.",
    reason="Right, all four. 27 s are the leap-second file of IndiMail; a zone is no difference at all; up to 25"
    " minutes is a trigger that was lost; hours mean that the process id was given again.",
    way="Both in UTC, then subtract: 27 s leap, nothing zone, up to 1500 s late, more other.",
    hints=(
        "Write both times in UTC. +0530 means: take five and a half hours off.",
        "Then subtract. One of the four differences is a number that you have met in the lesson.",
        "todo-proc looks by itself every 1500 s. What is longer ago is no wait.",
    ),
    draw=_draw_why,
    solve=_solve_why,
    judge=partial(judge_choices, WHY, lambda _letter, choice: _NOT_WHY[choice]),
)
