"""Lesson 04, exercises about single lines: a label, how a delivery ended, and a line that lies.

Source: tai64n(8), tai64nlocal(8) (fixed 10 s); qmail-log(5); qmail-remote(8) for the texts of reports.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_choices, judge_letters, judge_text, text_of
from indimail_kit.course.lesson_02_setting import NETWORKS
from indimail_kit.course.log_lines import NS, LogWriter, draw_time_ns
from indimail_kit.course.words import draw_user
from indimail_kit.logs.grammar import parse_line
from indimail_kit.tai64 import from_tai64n, to_tai64n

# --- 04.1: a label ----------------------------------------------------------------------------------------------


def _text(unix_s: int) -> str:
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _draw_label(rng: random.Random) -> Drawn:
    unix_ns = draw_time_ns(rng)
    label, unix_s = to_tai64n(unix_ns).decode(), unix_ns // NS
    right = _text(unix_s)
    date, _blank, clock = right.partition(" ")
    traps = {
        _text(unix_s + 10): "10 s late. These labels run 10 s ahead of UTC.",
        _text(unix_s - 10): "10 s early: the 10 s were taken off twice.",
        _text(unix_s + 20): "20 s late: the 10 s were added, not taken off.",
        _text(unix_s - 17): "Here are the leap seconds of today. DJB's programs take 10 s, whatever the year.",
        _text(unix_s - 27): "27 s early: 37 leap seconds were taken off. DJB's programs take 10 s, whatever the year.",
        _text(unix_s + 5 * 3_600 + 1_800): "This is the time in India. UTC is asked for.",
        _text(unix_s + 3_600): "This is the time an hour further east. UTC is asked for.",
        clock: "The date is missing.",
        date: "The time of day is missing.",
        f"{date}T{clock}Z": "Right time, other form: a blank between date and time, no Z.",
        str(unix_s): "These are the seconds since 1970. As a date and a time, please.",
    }
    traps.pop(right, None)
    return Drawn(given={"label": label}, right=right, traps=traps)


def _otherwise_label(text: str) -> str:
    try:
        dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - only the form is looked at
    except ValueError:
        return "Date and time are wanted in this form: 2010-03-15 03:00:54."
    return "Not then. Of the first 16 digits take off 2**62 and 10, and count that many seconds from 1970 on."


LABEL: Final = Exercise(
    number="04.1",
    grade=Grade.REPEAT,
    title="a label by hand",
    goal="multilog has put this label in front of a line. When was that, in UTC? Write it as in 2010-03-15 03:00:54.",
    reason="Right. The first 16 digits are seconds, the other 8 nanoseconds; as text, labels sort by time.",
    way="tai64.from_tai64n(label.encode()) gives nanoseconds since 1970; datetime does the rest.",
    hints=(
        "Behind the @ stand 16 hexadecimal digits of seconds and 8 of nanoseconds.",
        "int(label[1:17], 16) - 2**62 - 10 are the seconds since 1970.",
        "datetime.datetime.fromtimestamp(seconds, datetime.UTC).",
    ),
    draw=_draw_label,
    solve=lambda given: _text(from_tai64n(text_of(given, "label").encode()) // NS),
    judge=partial(judge_text, _otherwise_label),
)

# --- 04.2: what happens next ------------------------------------------------------------------------------------

NEXT: Final[Mapping[str, str]] = {
    "arrived": "this recipient has the mail; nobody tries again",
    "later": "it will be tried again, and nobody is told",
    "bounced": "it is never tried again, and the sender is told",
}
"""What a learner writes -> what it means."""

_NEXT_OF: Final = {"success": "arrived", "deferral": "later", "failure": "bounced"}

REPORTS: Final = (
    ("success", "did 1+0+0\n"),
    ("success", "did 0+1+0\nqp 4711\n"),
    ("success", "{ip} accepted message.\nRemote host said: 250 ok 1795357346 qp 4242\n"),
    ("deferral", "{ip} does not like recipient.\nRemote host said: 451 4.7.1 greylisted, try again later\n"),
    ("deferral", "{ip} failed after I sent the message.\nRemote host said: 452 4.3.1 too little room for 550 mails\n"),
    ("deferral", "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"),
    ("deferral", "temporary trouble\n"),
    ("failure", "Sorry, no mailbox here by that name. (#5.1.1)\n"),
    ("failure", "{ip} does not like recipient.\nRemote host said: 550 5.1.1 no such user\nGiving up on {ip}.\n"),
    (
        "failure",
        "{ip} does not like recipient.\nRemote host said: 451 mailbox busy\nI'm not going to try again; too long.\n",
    ),
)
"""Outcome and report as qmail-lspawn and qmail-remote give them."""

_LETTERS: Final = ("A", "B", "C")


def _draw_next(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    ip = f"{rng.choice(NETWORKS)}{rng.randrange(2, 250)}"
    reports = rng.sample(REPORTS, len(_LETTERS))
    for outcome, report in reports:
        log.ends(rng.randrange(1, 900), outcome, report.format(ip=ip))
    given = dict(zip(_LETTERS, log.lines, strict=True))
    right = {letter: _NEXT_OF[outcome] for letter, (outcome, _report) in zip(_LETTERS, reports, strict=True)}
    ends = "\n".join(f"{name:<8} {meaning}" for name, meaning in NEXT.items())
    return Drawn(given={**given, "what happens": ends}, right=right)


def _outcome(given: Mapping[str, object], letter: str) -> str:
    return str(parse_line(text_of(given, letter).encode()).outcome)


def _not_next(given: Mapping[str, object], letter: str, choice: str) -> str:
    outcome = _outcome(given, letter)
    if choice == "arrived":
        return "only a success has arrived. What does the word behind the delivery's number say?"
    if choice == "bounced":
        return "the other host's words may sound final; qmail-send's own word says whether it tries again."
    if outcome == "failure":
        return "a failure is final, also where the other host had asked for another attempt: the message grew too old."
    return "nobody tries again after a success."


NEXT_STEP: Final = Exercise(
    number="04.2",
    grade=Grade.REPEAT,
    title="what happens next",
    goal="Three deliveries have ended. What happens next for each recipient? One of the three for A, B and C.",
    reason="Right, all three. One word decides, success, deferral or failure; what stands behind it is for people.",
    way="logs.parse_line(line.encode()).outcome is success, deferral or failure.",
    hints=(
        "The word behind the number of the delivery is qmail-send's. What follows is a report, for people.",
        "success: arrived. deferral: tried again. failure: the sender gets a bounce.",
        "A 4xx of the other host becomes a failure when the message is older than a week.",
    ),
    draw=_draw_next,
    solve=lambda given: {letter: _NEXT_OF[_outcome(given, letter)] for letter in _LETTERS},
    judge=lambda drawn, answer: judge_choices(NEXT, partial(_not_next, drawn.given), drawn, answer),
)

# --- 04.3: lines that lie ---------------------------------------------------------------------------------------

_SIX: Final = ("A", "B", "C", "D", "E", "F")


def _draw_forged(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    number = rng.randrange(100_000, 999_000)
    other, third = number + rng.randrange(1, 90), number - rng.randrange(1, 90)
    forged = f"{to_tai64n(log.now_ns + rng.randrange(NS)).decode()} end msg {number}"
    is_bounced = rng.random() < 0.5

    def own() -> int:
        if is_bounced:
            return log.say("bounce_msg", message_number=number, qp=rng.randrange(2_000, 9_000))
        return log.say("end_msg", message_number=number)

    writers: list[Callable[[], int]] = [
        lambda: log.queued(other, f"{forged}@example.com", rng.randrange(2_000, 9_000)),
        lambda: log.begins(rng.randrange(1, 90), third, f"x msg {number} to local bob@example.com"),
        lambda: log.ends(rng.randrange(1, 90), "failure", f"Remote host said: 550 new msg {number}\n"),
        lambda: log.say("new_msg", message_number=number),
        lambda: log.begins(rng.randrange(1, 90), number, draw_user(rng)),
        own,
    ]
    rng.shuffle(writers)
    for write in writers:
        write()
    lines = [line for line in log.lines if f"new msg {other}" not in line]
    rng.shuffle(lines)
    given: dict[str, object] = {"message": str(number), **dict(zip(_SIX, lines, strict=True))}
    return Drawn(given=given, right=frozenset(_solve_forged(given)))


def _solve_forged(given: Mapping[str, object]) -> set[str]:
    number = int(text_of(given, "message"))
    return {letter for letter in _SIX if parse_line(text_of(given, letter).encode()).message_number == number}


FORGED: Final = Exercise(
    number="04.3",
    grade=Grade.FIND_OUT,
    title="lines that lie",
    goal="grep has found these six lines for a message number. Which of them are about this message? Answer with the"
    " set of their letters.",
    reason="Right. Sender, recipient and the other host's words come from strangers, and a stranger may write a log"
    " line into them. Only what stands at its place in the line counts, from the label at its beginning on.",
    way="logs.parse_line(line.encode()).message_number, for each line.",
    hints=(
        "A line has one label, at its beginning. What stands in an address or a report is no line.",
        "new msg, info msg, starting delivery …: msg, bounce msg and end msg have the number at a fixed place.",
        "A line that ends a delivery names the delivery, and no message.",
    ),
    draw=_draw_forged,
    solve=_solve_forged,
    judge=lambda drawn, answer: judge_letters(
        _SIX,
        drawn,
        answer,
        wrong=lambda letter: f"{letter} has the number in a text that a stranger wrote: an address, or a report.",
        missing="These are about it, but one is missing. Which words may stand in front of the number?",
        is_wanted_any="Not all of them: some only look so.",
    ),
)
