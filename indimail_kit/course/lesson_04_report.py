"""Lesson 04, exercises about reports: the numbers of a day, reasons that are one, somebody who guesses passwords.

Source: qmailanalog (zoverall, zdeferrals); IndiMail smtpd.c `smtp_auth()`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Final, cast

from indimail_kit.course.answers import as_number, kind_of
from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_letters, judge_text, text_of
from indimail_kit.course.lesson_02_setting import NETWORKS
from indimail_kit.course.log_lines import NS, LogWriter, draw_time_ns
from indimail_kit.course.words import NAMES, draw_user
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.matchup import match

# --- 04.7: the numbers of a day ---------------------------------------------------------------------------------

NUMBERS: Final = ("messages", "attempts", "successes", "failures", "deferrals")
"""What is counted: messages that ended; attempts that ended, and how."""

NUMBER_MISTAKES: Final = {
    "messages": "Only a message with an end msg has ended.",
    "attempts": "An attempt has ended when its line has one of the three words; a start alone is still open.",
    "successes": "Each line with the word success counts once.",
    "failures": "Each line with the word failure counts once, whatever its text says.",
    "deferrals": "Each line with the word deferral counts once: a recipient who was tried three times has three lines.",
}
"""Number -> the sentence when it is wrong."""


def _draw_numbers(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    delivery = 0
    for _message in range(rng.randrange(3, 6)):
        number, recipient = rng.randrange(100_000, 999_000), draw_user(rng)
        log.queued(number, draw_user(rng), rng.randrange(2_000, 9_000))
        for _attempt in range(rng.randrange(0, 3)):
            delivery += 1
            log.begins(delivery, number, recipient)
            log.ends(delivery, "deferral", "temporary trouble\n")
            log.wait(rng.randrange(100, 500))
        delivery += 1
        log.begins(delivery, number, recipient)
        end = rng.choice(("success", "success", "failure", "open"))
        if end != "open":
            log.ends(delivery, end, "did 1+0+0\n" if end == "success" else "Sorry, no mailbox here by that name.\n")
            log.say("end_msg", message_number=number)
    given: dict[str, object] = {"log": log.text}
    return Drawn(given=given, right=_numbers(given))


def _numbers(given: Mapping[str, object]) -> dict[str, int]:
    matched = match(read_events(text_of(given, "log").encode() + b"\n"))
    ends = Counter(one.outcome for one in matched.deliveries if one.outcome is not None)
    return {
        "messages": sum(not one.is_open for one in matched.messages),
        "attempts": ends.total(),
        "successes": ends["success"],
        "failures": ends["failure"],
        "deferrals": ends["deferral"],
    }


def _judge_numbers(drawn: Drawn, answer: object) -> str | None:
    right = cast("dict[str, int]", drawn.right)
    if type(answer) is not dict or set(answer) != set(NUMBERS):
        return f"A dictionary with {', '.join(NUMBERS)} is wanted, a number for each; this is {kind_of(answer)}."
    for name in NUMBERS:
        number = as_number(answer[name])
        if number is None:
            return f"{name}: a whole number is wanted."
        if number != right[name]:
            return f"{name}: {NUMBER_MISTAKES[name][:1].lower()}{NUMBER_MISTAKES[name][1:]}"
    return None


OVERALL: Final = Exercise(
    number="04.7",
    grade=Grade.CHANGE,
    title="the numbers of a day",
    goal="Count in this log, as zoverall does: messages that have ended, attempts that have ended, and how many of"
    " these were successes, failures and deferrals. Answer with a dictionary of five numbers.",
    reason="Right, all five. Messages, recipients and attempts are three things: who compares attempts of one server"
    " with messages of another compares nothing.",
    way="logs.read(log.encode()): deliveries.outcome.value_counts(), and the messages that are not open.",
    hints=(
        "end msg ends a message; a line with success, failure or deferral ends an attempt.",
        "What has begun and not ended is in none of the five numbers.",
        "attempts are successes, failures and deferrals together.",
    ),
    draw=_draw_numbers,
    solve=_numbers,
    judge=_judge_numbers,
)

# --- 04.8: reasons that are one ---------------------------------------------------------------------------------

_SIX: Final = ("A", "B", "C", "D", "E", "F")

REASONS: Final = (
    "Connected to {ip} but greeting failed.\nRemote host said: 421 too many connections, session {n}\n",
    "{ip} does not like recipient.\nRemote host said: 451 4.7.1 greylisted, come back in {n} seconds\n",
    "{ip} failed after I sent the message.\nRemote host said: 452 4.3.1 no room, queue id {n}\n",
    "Sorry, I wasn't able to establish an SMTP connection to {ip} within {n} seconds. (#4.4.1)\n",
)
"""Reports that differ in address and number, and have one reason each."""


def _draw_reasons(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    mine, *others = rng.sample(REASONS, 3)
    reasons = [mine] * rng.randrange(1, 4)
    reasons += [rng.choice(others) for _ in range(len(_SIX) - 1 - len(reasons))]
    rng.shuffle(reasons)
    for reason in (mine, *reasons):
        ip = f"{rng.choice(NETWORKS)}{rng.randrange(2, 250)}"
        log.ends(rng.randrange(1, 900), "deferral", reason.format(ip=ip, n=rng.randrange(10, 9_000)))
    given = dict(zip(_SIX, log.lines, strict=True))
    return Drawn(given=given, right=frozenset(_solve_reasons(given)))


def _words(line: str) -> str:
    """Return the words of a report without what has a digit in it, but for codes of three digits."""
    report = line.partition(": deferral: ")[2].replace("/", "_")
    return " ".join(word for word in report.split("_") if not any(map(str.isdigit, word)) or len(word) == 3)


def _solve_reasons(given: Mapping[str, object]) -> set[str]:
    mine = _words(text_of(given, "A")).split()[:6]
    return {letter for letter in _SIX if _words(text_of(given, letter)).split()[:6] == mine}


REASON: Final = Exercise(
    number="04.8",
    grade=Grade.FIND_OUT,
    title="reasons that are one",
    goal="Six deferrals. Which of them have the same reason as A? Answer with the set of letters, A among them.",
    reason="Right. Addresses, numbers and times make every text unique; without them a thousand lines become a handful"
    " of reasons, and the first of them is tonight's work.",
    way="Leave out addresses and numbers, and compare the words that are left.",
    hints=(
        "Two texts that differ in an address or a number only have one reason.",
        "The reply code of the other host belongs to the reason; the number of a session does not.",
        "Compare the first words, and the three digits behind said.",
    ),
    draw=_draw_reasons,
    solve=_solve_reasons,
    judge=lambda drawn, answer: judge_letters(
        _SIX,
        drawn,
        answer,
        wrong=lambda letter: f"{letter} has other words than A: something else went wrong there.",
        missing="These belong together, but one is missing. A itself counts, too.",
        is_wanted_any="Not all of them: there is more than one reason.",
    ),
)

# --- 04.9: somebody guesses -------------------------------------------------------------------------------------


def _draw_guessing(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    networks = rng.sample(NETWORKS, 3)
    guesser, forgetful, office = (f"{network}{rng.randrange(2, 250)}" for network in networks)
    quiet = f"{networks[1]}{rng.randrange(2, 250)}"
    users = [f"{name}@example.com" for name in rng.sample(NAMES, 12)]
    calls = [(guesser, user, False) for user in users[:6]]
    calls += [(forgetful, users[6], False)] * 8 + [(forgetful, users[6], True)]
    calls += [(office, user, True) for user in users[7:11]] + [(office, users[7], False), (quiet, users[11], False)]
    order = list(range(len(calls)))
    rng.shuffle(order)
    told: dict[tuple[str, str], int] = {}
    for place in order:
        ip, user, is_good = calls[place]
        # The forgetful one gets in at last.
        if ip == forgetful:
            told[ip, user] = told.get((ip, user), 0) + 1
            is_good = told[ip, user] == 9
        _session(log, ip, user, is_good=is_good)
    traps = {
        forgetful: "Many failures, but always the same user, who gets in at last: somebody who mistyped a password.",
        office: "From there several users come in, and one failed once: an office behind one address.",
        quiet: "One failure proves nothing.",
        "127.0.0.1": "This is the server's own address, and it is not in the log.",
        f"{networks[0]}1": "This address is in the same network. The log has another one.",
        f"{guesser} ": "Nearly: there is a blank behind it.",
        users[0]: "This is a user who was tried. Who tried?",
    }
    return Drawn(given={"log": log.text}, right=guesser, traps=traps)


def _session(log: LogWriter, ip: str, user: str, *, is_good: bool) -> None:
    pid = log.rng.randrange(2_000, 32_000)
    if is_good:
        log.say(
            "smtpd_accepted",
            pid=pid,
            remote_ip=ip,
            helo="client.example.net",
            smtp_sender=user,
            smtp_recipient=draw_user(log.rng),
            auth=f"{user}: AUTH CRAM-MD5",
            message_bytes=log.rng.randrange(400, 9_000),
            tls="No",
        )
    else:
        log.say("smtpd_auth_failure", pid=pid, remote_ip=ip, auth_user=user, auth_status=1, tls="No")
    log.now_ns += log.rng.randrange(5 * NS)


def _solve_guessing(given: Mapping[str, object]) -> str:
    tried: dict[str, set[str]] = {}
    for event in read_events(text_of(given, "log").encode() + b"\n"):
        if event.kind == "smtpd_auth_failure":
            fields = event.fields
            tried.setdefault(_field(fields["remote_ip"]), set()).add(_field(fields["auth_user"]))
    return max(tried, key=lambda ip: len(tried[ip]))


def _field(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _otherwise_guessing(text: str) -> str:
    return (
        "This address is not in the log." if text.count(".") == 3 else "An address is wanted, four numbers with dots."
    )


GUESSING: Final = Exercise(
    number="04.9",
    grade=Grade.FIND_OUT,
    title="somebody guesses",
    goal="Somebody tries passwords at this server. From which address?",
    reason="Right: many users, one address, never a success. The number of failures alone would have named somebody who"
    " mistyped his own password.",
    way="Group the failures by address, and count different users, not lines.",
    hints=(
        "Who fails most often? And is it always the same user?",
        "A person has one account. Who tries many?",
        "logs.read(log.encode()).events of kind smtpd_auth_failure: for each address the number of different users.",
    ),
    draw=_draw_guessing,
    solve=_solve_guessing,
    judge=partial(judge_text, _otherwise_guessing),
)
