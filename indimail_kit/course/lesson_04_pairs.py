"""Lesson 04, exercises about pairs: which delivery ended, how long it took, and whose number it was.

Source: matchup(1); qmail-log(5): delivery numbers begin at 1 with each qmail-send, message numbers are inodes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from typing import Final

from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_text, text_of
from indimail_kit.course.log_lines import NS, LogWriter, draw_time_ns
from indimail_kit.course.words import NAMES
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.matchup import match

_NO_MAILBOX: Final = "Sorry, no mailbox here by that name. (#5.1.1)\n"


def _users(rng: random.Random, count: int) -> list[str]:
    return [f"{name}{rng.randrange(10, 100)}@example.com" for name in rng.sample(NAMES, count)]


def _read(given: Mapping[str, object]) -> bytes:
    return text_of(given, "log").encode() + b"\n"


def _otherwise_address(text: str) -> str:
    return "This address is not in the log." if "@" in text else "An address is wanted, with an @ in it."


# --- 04.4: whose delivery was it --------------------------------------------------------------------------------


def _draw_whose(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    numbers = rng.sample(range(100_000, 999_000), 2)
    *users, one, two = _users(rng, 8)
    first, second = users[:3], users[3:]
    failed = rng.randrange(1, 4)
    log.queued(numbers[0], one, rng.randrange(2_000, 9_000))
    for delivery, user in enumerate(first, start=1):
        log.begins(delivery, numbers[0], user)
    for delivery in rng.sample(range(1, 4), 3):
        log.ends(delivery, "success", "did 1+0+0\n")
    log.say("end_msg", message_number=numbers[0])
    log.wait(rng.randrange(40, 4_000))
    log.queued(numbers[1], two, rng.randrange(2_000, 9_000))
    for delivery, user in enumerate(second, start=1):
        log.begins(delivery, numbers[1], user)
    for delivery in rng.sample(range(1, 4), 3):
        log.ends(delivery, *(("failure", _NO_MAILBOX) if delivery == failed else ("success", "did 1+0+0\n")))
    right = second[failed - 1]
    traps = {
        first[failed - 1]: "This delivery had the same number, and was in the run before: qmail-send was started anew,"
        " and numbers begin at 1 again.",
        **{user: "That delivery succeeded, in the run before." for user in first if user != first[failed - 1]},
        **{user: "That delivery succeeded: its number has another line." for user in second if user != right},
        one: "This is who sent the first mail.",
        two: "This is who sent the mail. Who was it that could not get it?",
        right.partition("@")[0]: "The domain is missing.",
    }
    return Drawn(given={"log": log.text}, right=right, traps=traps)


def _solve_whose(given: Mapping[str, object]) -> str:
    deliveries = match(read_events(_read(given))).deliveries
    recipients = [one.recipient or b"" for one in deliveries if one.outcome == "failure"]
    return recipients[0].decode()


WHOSE: Final = Exercise(
    number="04.4",
    grade=Grade.CHANGE,
    title="whose delivery was it",
    goal="One delivery in this log has failed. For which recipient?",
    reason="Right. The line of the failure names a number only; its start names the recipient. A number counts within"
    " one run of qmail-send, so a start before the last restart is another delivery's.",
    way="logs.read(log.encode()).deliveries: a row for each attempt, paired within its run.",
    hints=(
        "Which number has the line with the word failure?",
        "Find the start with this number. There are two. What has happened between them?",
        "Numbers that begin at 1 again tell of a restart. The start that counts is the last one before the failure.",
    ),
    draw=_draw_whose,
    solve=_solve_whose,
    judge=partial(judge_text, _otherwise_address),
)

# --- 04.5: how long it took -------------------------------------------------------------------------------------


def _draw_delay(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    number, other = rng.sample(range(100_000, 999_000), 2)
    one, two, three, four = _users(rng, 4)
    waits = rng.sample(range(20, 2_000), 3)
    other_ns = log.queued(other, three, rng.randrange(2_000, 9_000))
    log.wait(waits[0])
    queued_ns = log.queued(number, one, rng.randrange(2_000, 9_000))
    began_ns = log.begins(1, number, two)
    log.begins(2, other, four)
    log.ends(1, "deferral", "temporary trouble\n")
    log.ends(2, "success", "did 1+0+0\n")
    other_end_ns = log.say("end_msg", message_number=other)
    log.wait(waits[1])
    again_ns = log.begins(3, number, two)
    log.wait(waits[2])
    ended_ns = log.ends(3, "success", "did 1+0+0\n")
    log.say("end_msg", message_number=number)
    right = str((ended_ns - queued_ns) // NS)
    wrong = {
        str((ended_ns - again_ns) // NS): "This is the second attempt alone. The recipient waited since the mail was"
        " queued.",
        str((again_ns - queued_ns) // NS): "This is until the second attempt began. It took a while, too.",
        str((began_ns - queued_ns) // NS): "This is until the first attempt began.",
        str((other_end_ns - other_ns) // NS): "This is the other message.",
        str((ended_ns - other_ns) // NS): "This begins with the other message.",
        str(int(right) + 1): "Rounded up. Whole seconds that went by are asked for.",
        f"{right} s": "The number alone, without its unit.",
        str((ended_ns - queued_ns) // 10**6): "These are milliseconds.",
    }
    wrong.pop(right, None)
    return Drawn(given={"log": log.text, "recipient": two}, right=right, traps=wrong)


def _solve_delay(given: Mapping[str, object]) -> str:
    recipient = text_of(given, "recipient").encode()
    found = [one for one in match(read_events(_read(given))).deliveries if one.recipient == recipient]
    ended_ns, queued_ns = found[-1].ended_ns or 0, found[-1].queued_ns or 0
    return str((ended_ns - queued_ns) // NS)


def _otherwise_delay(text: str) -> str:
    if not text.strip().isdigit():
        return "A number of whole seconds is wanted, in digits."
    return "Not so long. From the label of info msg to the label of the delivery that succeeded."


def _judge_delay(drawn: Drawn, answer: object) -> str | None:
    return judge_text(_otherwise_delay, drawn, str(answer) if type(answer) is int else answer)


DELAY: Final = Exercise(
    number="04.5",
    grade=Grade.CHANGE,
    title="how long it took",
    goal="How long did this recipient wait, from info msg to the end of the delivery that brought the mail? In whole"
    " seconds that had gone by.",
    reason="Right. This is matchup's delay: it counts from the birth of the message, so an attempt that was deferred"
    " counts, too, and the pause behind it.",
    way="logs.read(log.encode()).deliveries has queued and ended; the difference, rounded down.",
    hints=(
        "Two labels are needed: that of info msg of the right message, and that of the last line of its delivery.",
        "The first 16 digits of a label are seconds, in base 16; the other 8 are nanoseconds and count as well.",
        "tai64.from_tai64n gives nanoseconds for each label; subtract, then // 10**9.",
    ),
    draw=_draw_delay,
    solve=_solve_delay,
    judge=_judge_delay,
)

# --- 04.6: a number that is used again --------------------------------------------------------------------------


def _draw_reuse(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    number = rng.randrange(100_000, 999_000)
    senders = _users(rng, 7)
    bounced = rng.randrange(1, 3)
    *writers, stranger, one, two = senders
    for delivery, sender in enumerate(writers, start=1):
        is_bounced = delivery == bounced + 1
        log.queued(number, sender, rng.randrange(2_000, 9_000))
        log.begins(delivery, number, one if delivery % 2 else two)
        log.ends(delivery, *(("failure", _NO_MAILBOX) if is_bounced else ("success", "did 1+0+0\n")))
        if is_bounced:
            log.say("bounce_msg", message_number=number, qp=rng.randrange(2_000, 9_000))
        log.say("end_msg", message_number=number)
        if delivery == 2:
            log.queued(number + 7, stranger, rng.randrange(2_000, 9_000))
        log.wait(rng.randrange(1, 90))
    right = writers[bounced]
    traps = {
        **dict.fromkeys(writers, "That mail had the same number, at another time, and it arrived."),
        stranger: "That mail has another number.",
        one: "This is a recipient. A bounce goes to the one who sent.",
        two: "This is a recipient. A bounce goes to the one who sent.",
        right.partition("@")[0]: "The domain is missing.",
        str(number): "This is the number of the message. Whose mail was it then?",
    }
    traps.pop(right)
    return Drawn(given={"log": log.text}, right=right, traps=traps)


def _solve_reuse(given: Mapping[str, object]) -> str:
    messages = match(read_events(_read(given))).messages
    senders = [one.sender or b"" for one in messages if one.bounce_qp is not None]
    return senders[0].decode()


REUSE: Final = Exercise(
    number="04.6",
    grade=Grade.FIND_OUT,
    title="a number that is used again",
    goal="One mail of this log has bounced. Who sent it, and so gets the bounce?",
    reason="Right. The number is an inode, and the next mail got it at once. A line belongs to the life that is open"
    " when it is written: behind its new msg, before its end msg.",
    way="logs.read(log.encode()).messages: one row for each life of a number, with sender and bounce_qp.",
    hints=(
        "Find the line that begins with bounce msg. Its number is in many lines.",
        "Go up from there to the next new msg of this number: there this life began.",
        "info msg right behind it has the sender.",
    ),
    draw=_draw_reuse,
    solve=_solve_reuse,
    judge=partial(judge_text, _otherwise_address),
)
