"""Lesson 05, exercises about answers: a question that fits one message, what a story proves, and a complaint.

Source: decision 20; qmail-log(5); qmail-local(8) for ``did a+b+c``.
"""

from __future__ import annotations

import datetime as dt
import functools
import random
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from indimail_kit.course.answers import as_number, kind_of
from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_letters, judge_text, text_of
from indimail_kit.course.lesson_05_joins import draw_users, meanings
from indimail_kit.course.log_lines import NS, LogWriter, draw_time_ns
from indimail_kit.errors import TraceError
from indimail_kit.logs import read
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.matchup import match
from indimail_kit.trace import Evidence, Trace, TracedMessage, parse_question

if TYPE_CHECKING:
    from indimail_kit.trace import Confidence, Tracer
    from indimail_kit.trace.story import Source

# --- 05.7: a question that fits one message -----------------------------------------------------------------------


def _moment(unix_ns: int) -> str:
    return dt.datetime.fromtimestamp(unix_ns // NS, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _draw_question(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    number = rng.randrange(100_000, 999_000)
    *senders, to = draw_users(rng, 5)
    qps = rng.sample(range(2_000, 9_000), 2)
    births = []
    for place, sender in enumerate(senders):
        births.append(log.queued(number, sender, qps[place // 2]))
        log.begins(place + 1, number, to)
        log.ends(place + 1, "success", "did 1+0+0\n")
        log.say("end_msg", message_number=number)
        log.wait(rng.randrange(70, 110))
    wanted = rng.randrange(1, 3)
    when = _moment(births[wanted])
    some = "Several messages fit this still: the process id, too, was given twice here. A time would tell."
    traps = {
        str(number): "Four messages had this number. Add when it was.",
        f"{number}, {when}": "Several fit still: a time alone means give or take 300 s. Say how far off it may be.",
        f"qp {qps[0]}": some,
        f"qp {qps[1]}": some,
        to: "Four messages went to this address.",
        f"{number}, {_moment(births[0])} ± 20 s": "This fits one message: the first one, which is not meant.",
        f"{number}, {_moment(births[3])} ± 20 s": "This fits one message: the last one, which is not meant.",
        "…, 2010-03-15": "Before the comma stands what is asked for: a number, qp N, or an address.",
    }
    right = f"{number}, {when} ± 20 s"
    given = {"number": str(number), "sender": senders[wanted], "log": log.text}
    return Drawn(given=given, right=right, traps=traps)


def _solve_question(given: Mapping[str, object]) -> str:
    messages = match(read_events(text_of(given, "log").encode() + b"\n")).messages
    sender = text_of(given, "sender").encode()
    born_ns = next(one.queued_ns or 0 for one in messages if one.sender == sender)
    return f"{text_of(given, 'number')}, {_moment(born_ns)} ± 20 s"


@functools.lru_cache(maxsize=8)
def _tracer_of(log: str) -> Tracer:
    from indimail_kit.trace import Tracer  # with it comes numpy

    return Tracer(logs=[read(log.encode() + b"\n")])


def _judge_question(drawn: Drawn, answer: object) -> str | None:
    said = judge_text(lambda _text: "", drawn, answer)
    return said if said != "" else _asked(drawn, str(answer))


def _asked(drawn: Drawn, text: str) -> str | None:
    """Judge a question by its answer: exactly one message, and the right one."""
    try:
        found = parse_question(text).ask(_tracer_of(text_of(drawn.given, "log")))
    except TraceError as error:
        is_none = str(error).startswith("no evidence")
        return "Nothing fits this question." if is_none else "This is no question that can be asked; see the examples."
    if found.others:
        return f"{len(found.candidates)} messages fit this question. Which of them is meant?"
    if found.message.sender != drawn.given["sender"]:
        return "This question fits one message, and it is another sender's."
    return None


ASK: Final = Exercise(
    number="05.7",
    grade=Grade.CHANGE,
    title="a question that fits one message",
    goal="Somebody asks about this number; the mail of this sender is meant. Write the question for TraceView that"
    " exactly this one message fits, by the number and a time, as in: 660188, 2010-03-15 03:00:54 ± 20 s",
    reason="Right: one message fits. Whoever asks with a time, and with how far off it may be, gets a story instead of"
    " a list.",
    way="The second of the right info msg, and ± a few seconds: parse_question(…).ask(tracer) has no others then.",
    hints=(
        "Find the info msg with this sender, and read its label.",
        "The number, a comma, the time in UTC. The lives stand close together: give or take 300 s is too much here.",
        "A life may be named, too: 660188 life 2. TraceView, tried on this log, shows how many fit.",
    ),
    draw=_draw_question,
    solve=_solve_question,
    judge=_judge_question,
)

# --- 05.8: what a story proves ------------------------------------------------------------------------------------

_LETTERS: Final = ("A", "B", "C", "D", "E", "F")

CLAIMS: Final[Mapping[str, str]] = {
    "queued": "qmail-queue took the mail.",
    "mailbox": "The mail was put into the mailbox.",
    "again": "The recipient was not reached so far, and is tried again.",
    "scanned": "clamd looked at this mail.",
    "login": "Whoever sent it had logged in.",
    "unscanned": "Nobody looked for a virus.",
    "read": "The recipient has read it.",
    "by hand": "It did not come over SMTP.",
}
"""Name -> what somebody says about a mail."""

_NOT_PROVED: Final[Mapping[str, str]] = {
    "mailbox": "Is there a success with did_1?",
    "again": "Is there a deferral?",
    "scanned": "Is there a scan, and is it more than possible?",
    "login": "Is there a session, and does it name an AUTH?",
    "unscanned": "That nothing tells of a scan is no proof that there was none: the log may be elsewhere.",
    "read": "No log of a mail server tells of that.",
    "by hand": "That no session is told of is no proof that there was none: its log may be elsewhere.",
}


@functools.cache
def _case_of(seed: int) -> tuple[str, frozenset[str]]:
    """Return a story as the command shows it, and the names of the claims that it proves."""
    rng = random.Random(seed)  # noqa: S311 - the same again on wish
    number, pid = rng.randrange(100_000, 999_000), rng.randrange(2_000, 9_000)
    sender, recipient = draw_users(rng, 2)
    is_there, has_scan, has_session = (rng.random() < 0.5 for _ in range(3))
    scan: Confidence = rng.choice(("certain", "possible"))
    own = "a line of this number within its lifetime"
    lines: list[tuple[Source, str, Confidence, str]] = []
    if has_scan:
        why = (
            own if scan == "certain" else 'same number, 74 s before "new msg"; it may have been another message\'s then'
        )
        lines.append(("scan", f"/var/indimail/queue/queue1/mess/{number % 151}/{number}: OK", scan, why))
    if has_session:
        text = f"qmail-smtpd: pid {pid} from 192.0.2.7  HELO <pc> MAIL from <{sender}> RCPT <{recipient}>"
        lines.append(("session", f"{text} AUTH <{sender}: AUTH PLAIN> Size: 900 TLS=No", "certain", own))
    lines += [
        ("queue", f"new msg {number}", "certain", own),
        ("queue", f"info msg {number}: bytes 900 from <{sender}> qp {pid + 1} uid 5", "certain", own),
        ("delivery", f"starting delivery 3: msg {number} to local {recipient}", "certain", own),
    ]
    end = "success: did_1+0+0/" if is_there else "deferral: Temporary_error_on_maildir_delivery._(#4.3.0)/"
    lines.append(("delivery", f"delivery 3: {end}", "certain", own))
    now_ns = draw_time_ns(rng)
    evidence = tuple(
        Evidence(source=source, unix_ns=now_ns + place * 31 * 10**6, text=text, file="", line_number=0, confidence=sure,
                 reason=why)
        for place, (source, text, sure, why) in enumerate(lines)
    )  # fmt: skip
    gaps = [] if has_session else ["session: no evidence: no log of qmail-smtpd and no recorded session was given"]
    gaps += [] if has_scan else ["scan: no evidence: no scanner's log was given"]
    message = TracedMessage(
        queue="queue1", message_number=number, lifetime=1, qp=pid + 1, sender=sender, recipients=(recipient,)
    )
    trace = Trace(
        question=f"message {number}", message=message, confidence="likely", reason="see below", evidence=evidence,
        gaps=tuple(gaps),
    ).alone()  # fmt: skip
    proved = {"queued", "mailbox" if is_there else "again"}
    proved |= {"scanned"} if has_scan and scan == "certain" else set()
    proved |= {"login"} if has_session else set()
    return "\n".join(line[2:] if line.startswith("  ") else line for line in trace.lines()), frozenset(proved)


def _draw_proof(rng: random.Random) -> Drawn:
    story, proved = _case_of(rng.randrange(1 << 30))
    claims = ["queued", rng.choice(["mailbox", "again"]), "scanned", "login"]
    claims += rng.sample(["unscanned", "read", "by hand"], 2)
    rng.shuffle(claims)
    given: dict[str, object] = {"story": story}
    given |= {letter: CLAIMS[claim] for letter, claim in zip(_LETTERS, claims, strict=True)}
    right = {letter for letter, claim in zip(_LETTERS, claims, strict=True) if claim in proved}
    return Drawn(given=given, right=frozenset(right))


def _solve_proof(given: Mapping[str, object]) -> set[str]:
    story = text_of(given, "story")
    proved = {CLAIMS["queued"]}
    proved |= {CLAIMS["mailbox"]} if "success: did_1" in story else {CLAIMS["again"]}
    proved |= {CLAIMS["scanned"]} if "scan      ●" in story else set()
    proved |= {CLAIMS["login"]} if ": AUTH PLAIN>" in story else set()
    return {letter for letter in _LETTERS if given[letter] in proved}


def _wrong_claim(given: Mapping[str, object], letter: str) -> str:
    names = {text: name for name, text in CLAIMS.items()}
    return f"{letter} is not proved. {_NOT_PROVED.get(names[text_of(given, letter)], '')}"


def _judge_proof(drawn: Drawn, answer: object) -> str | None:
    return judge_letters(
        _LETTERS,
        drawn,
        answer,
        wrong=partial(_wrong_claim, drawn.given),
        missing="None of these is wrong, and one is missing.",
        is_wanted_any="Not all of them: two at least say more than any log can.",
    )


PROOF: Final = Exercise(
    number="05.8",
    grade=Grade.FIND_OUT,
    title="what a story proves",
    goal="A story, and six things that somebody says about it. Which of them does the story prove? Answer with the set"
    " of letters.",
    reason="Right. Evidence proves what it says. A gap says that nothing tells of a thing; it never says that the thing"
    " was not.",
    way="Look for the line that proves each sentence; where there is none, or a possible one only, it is not proved.",
    hints=(
        "For each sentence look for its line. Which station would it be from?",
        "A line that is possible only may be another message's: it proves nothing about this one.",
        "A gap proves neither that a thing was, nor that it was not.",
    ),
    draw=_draw_proof,
    solve=_solve_proof,
    judge=_judge_proof,
)

# --- 05.9: a complaint --------------------------------------------------------------------------------------------

FATES: Final[Mapping[str, str]] = {
    "arrived": "it is in the mailbox",
    "forwarded": "it went on to another address, as a message of its own",
    "waits": "it was not delivered so far, and is tried again",
    "bounced": "it came back, and the sender was told",
}
"""What a learner writes -> what it means."""

_REPORTS: Final = {
    "arrived": ("success", "did 1+0+0\n"),
    "forwarded": ("success", "did 0+1+0\nqp {qp}\n"),
    "waits": ("deferral", "Temporary error on maildir delivery. (#4.3.0)\n"),
    "bounced": ("failure", "Sorry, no mailbox here by that name. (#5.1.1)\n"),
}
_NOT_THIS_FATE: Final = {
    "arrived": "a mail is in a mailbox when did_1 stands in its success.",
    "forwarded": "a mail that was forwarded has did_0+1 and a new qp in its success.",
    "waits": "a mail waits when its last delivery is a deferral, and it has no end msg.",
    "bounced": "a mail has bounced when its delivery is a failure, and a bounce msg follows.",
}


def _draw_complaint(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    ann, bob, carl = draw_users(rng, 3)
    fates = [rng.choice(list(FATES)) for _ in range(5)]
    pairs = [(ann, bob), (carl, bob), (ann, bob), (ann, carl), (ann, bob)]
    numbers = rng.sample(range(100_000, 999_000), 5)
    births = []
    for place, ((sender, recipient), fate, number) in enumerate(zip(pairs, fates, numbers, strict=True), start=1):
        births.append(log.queued(number, sender, rng.randrange(2_000, 9_000)))
        log.begins(place, number, recipient)
        outcome, report = _REPORTS[fate]
        log.ends(place, outcome, report.format(qp=rng.randrange(2_000, 9_000)))
        if fate == "bounced":
            log.say("bounce_msg", message_number=number, qp=rng.randrange(2_000, 9_000))
        if fate != "waits":
            log.say("end_msg", message_number=number)
        log.wait(rng.randrange(3_000, 5_000) if place in (1, 4) else rng.randrange(5, 40))
    about = _moment(births[2] - births[2] % (600 * NS))
    told = f"{bob} says: the mail that {ann} sent me after {about} UTC, within an hour, never came"
    right = {"number": numbers[2], "fate": fates[2]}
    given: dict[str, object] = {
        "complaint": told, "sender": ann, "recipient": bob, "after": about, "log": log.text, "fates": meanings(FATES),
    }  # fmt: skip
    return Drawn(given=given, right=right)


def _solve_complaint(given: Mapping[str, object]) -> dict[str, object]:
    matched = match(read_events(text_of(given, "log").encode() + b"\n"))
    after = dt.datetime.fromisoformat(text_of(given, "after")).replace(tzinfo=dt.UTC).timestamp()
    recipient, sender = (text_of(given, name).encode() for name in ("recipient", "sender"))
    found = [
        one for one in matched.deliveries
        if one.recipient == recipient and one.sender == sender and 0 <= (one.queued_ns or 0) / NS - after < 3600
    ]  # fmt: skip
    report = (found[-1].report or b"").decode()
    success = "arrived" if report.startswith("did_1") else "forwarded"
    fate = {"success": success, "deferral": "waits", "failure": "bounced"}[str(found[-1].outcome)]
    return {"number": found[-1].message_number, "fate": fate}


def _judge_complaint(drawn: Drawn, answer: object) -> str | None:
    right = cast("dict[str, object]", drawn.right)
    if type(answer) is not dict or set(answer) != {"number", "fate"}:
        return f"A dictionary with number and fate is wanted; this is {kind_of(answer)}, or it has others."
    number = as_number(answer["number"])
    if number is None:
        return "number: a message number is wanted, in digits."
    if number != right["number"]:
        return "number: not this one. Sender, recipient and hour have to fit, all three."
    fate = answer["fate"].strip().lower() if type(answer["fate"]) is str else ""
    if fate not in FATES:
        return "fate: take one of the names in the list."
    return None if fate == right["fate"] else f"fate: {_NOT_THIS_FATE[fate]}"


COMPLAINT: Final = Exercise(
    number="05.9",
    grade=Grade.FIND_OUT,
    title="a complaint",
    goal="Find the mail that is meant, and say what became of it. Answer with a dictionary: its number, and its fate,"
    " one of the four.",
    reason="Right. Sender, recipient and hour find the message; its last delivery says what became of it. That is an"
    " answer that somebody can do something with.",
    way="trace.address(recipient, at_ns=…) finds it; the last delivery has the outcome, and did a+b+c the rest.",
    hints=(
        "Which info msg lines have this sender, and are of that hour? The hour begins at the time in the complaint.",
        "Of those, which has a starting delivery to this recipient? Its delivery number leads to its end.",
        "success with did_1: mailbox. success with did_0+1: forwarded. deferral: waits. failure: bounced.",
    ),
    draw=_draw_complaint,
    solve=_solve_complaint,
    judge=_judge_complaint,
)
