"""Lesson 05, exercises about what joins evidence: keys, a qp, whose scan it was, and how sure that is.

Source: qmail-log(5); IndiMail qmail-queue.c, smtpd.c (``250 ok UNIXTIME qp PID``); decision 20 for the words.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_choices, judge_text, text_of
from indimail_kit.course.log_lines import NS, LogWriter, draw_time_ns
from indimail_kit.course.words import NAMES
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.matchup import match
from indimail_kit.tai64 import from_tai64n, to_tai64n

_NO_MAILBOX: Final = "Sorry, no mailbox here by that name. (#5.1.1)\n"


def draw_users(rng: random.Random, count: int) -> list[str]:
    """Return so many different addresses."""
    return [f"{name}{rng.randrange(10, 100)}@example.com" for name in rng.sample(NAMES, count)]


def meanings(names: Mapping[str, str]) -> str:
    """Return what may be chosen, a line each."""
    return "\n".join(f"{name:<10} {meaning}" for name, meaning in names.items())


def _otherwise_address(text: str) -> str:
    return "This address is not in the log." if "@" in text else "An address is wanted, with an @ in it."


# --- 05.1: which key does it name -------------------------------------------------------------------------------

KEYS: Final[Mapping[str, str]] = {
    "number": "the number of the message in its queue",
    "qp": "the process of qmail-queue",
    "both": "number and qp: this line joins the others",
    "neither": "nothing that belongs to the message alone",
}
"""What a learner writes -> what it means."""

WITNESSES: Final = (
    ("qp", "250 ok {second} qp {qp}"),
    ("qp", "Received: indimail-mta queue {qp} by host mx.example.com (invoked by uid 5)"),
    ("number", "/var/indimail/queue/{queue}/mess/{place}/{number}: OK"),
    ("number", "starting delivery {delivery}: msg {number} to local {user} {queue}"),
    ("number", "end msg {number} qmail-send: {queue}"),
    ("both", "info msg {number}: bytes {size} from <{user}> qp {qp} uid 5 {queue}"),
    ("neither", "delivery {delivery}: success: did_1+0+0/ {queue}"),
    (
        "neither",
        (
            "qmail-smtpd: pid {pid} from 192.0.2.7  HELO <pc> MAIL from <{user}> RCPT <{user}> AUTH <local-rcpt>"
            " Size: {size} TLS=No"
        ),
    ),
)
"""What a line names -> the line as its program writes it."""

_NOT_THE_KEY: Final[Mapping[str, str]] = {
    "number": "there is no message number in it. A delivery's number, a pid and a size are other things.",
    "qp": "no qp stands in it: the word qp, or the number behind indimail-mta queue.",
    "both": "one of the two is missing.",
    "neither": "it does name one: look for msg, for a path, for qp, and for indimail-mta queue.",
}
_QP: Final = re.compile(r"\bqp \d|mta queue \d")
_NUMBER: Final = re.compile(r"\bmsg \d|/mess/")


def _draw_keys(rng: random.Random) -> Drawn:
    values = {
        "second": rng.randrange(1_790_000_000, 1_799_000_000), "qp": rng.randrange(2_000, 30_000),
        "queue": f"queue{rng.randrange(1, 6)}", "place": rng.randrange(151), "number": rng.randrange(100_000, 999_000),
        "delivery": f"{rng.randrange(1, 90)}.{rng.randrange(1, 6)}", "user": draw_users(rng, 1)[0],
        "size": rng.randrange(400, 9_000), "pid": rng.randrange(2_000, 30_000),
    }  # fmt: skip
    shown = [rng.choice([form for key, form in WITNESSES if key == one]) for one in KEYS]
    rng.shuffle(shown)
    given: dict[str, object] = {letter: form.format(**values) for letter, form in zip("ABCD", shown, strict=True)}
    return Drawn(given={**given, "names": meanings(KEYS)}, right=_solve_keys(given))


def _solve_keys(given: Mapping[str, object]) -> dict[str, str]:
    return {letter: _key_of(text_of(given, letter)) for letter in "ABCD"}


def _key_of(line: str) -> str:
    has_qp, has_number = _QP.search(line) is not None, _NUMBER.search(line) is not None
    return "both" if has_qp and has_number else "qp" if has_qp else "number" if has_number else "neither"


KEY: Final = Exercise(
    number="05.1",
    grade=Grade.REPEAT,
    title="which key does it name",
    goal="Four lines of four witnesses. What does each name of the message: number, qp, both, or neither? Answer with a"
    " dictionary.",
    reason="Right. Only qmail-send's info msg has both: it joins what the session and the mailbox know to what clamd"
    " and the queue know.",
    way="Look for msg and for a path of mess; for the word qp, and for indimail-mta queue.",
    hints=(
        "The number is an inode: it stands behind msg, and it is the name of the file in mess.",
        "The qp is a process of qmail-queue: it stands behind the word qp, and in qmail-queue's own Received line.",
        "The pid of qmail-smtpd is another process; the number of a delivery is another number.",
    ),
    draw=_draw_keys,
    solve=_solve_keys,
    judge=partial(judge_choices, KEYS, lambda _letter, choice: _NOT_THE_KEY[choice]),
)

# --- 05.2: from the reply to the number ---------------------------------------------------------------------------


def _draw_reply(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    qp, *other_qps = rng.sample(range(2_000, 9_000), 4)
    numbers = rng.sample(range(100_000, 999_000), 5)
    users = draw_users(rng, 10)
    right = rng.randrange(1, 4)
    asked_ns = 0
    qps = [other_qps[0], other_qps[1], other_qps[2], qp, qp]
    qps[right], qps[3] = qp, qps[right]
    for place, number in enumerate(numbers):
        born_ns = log.queued(number, users[place], qps[place])
        asked_ns = born_ns if place == right else asked_ns
        log.begins(place + 1, number, users[place + 5])
        log.ends(place + 1, "success", "did 1+0+0\n")
        log.say("end_msg", message_number=number)
        log.wait(rng.randrange(2, 20) if place < 3 else rng.randrange(4_000, 9_000))
    same = [number for place, number in enumerate(numbers) if qps[place] == qp and place != right]
    mine = str(numbers[right])
    traps = {
        **{str(one): "This mail went in at about that time, by another qmail-queue." for one in numbers},
        **{str(one): "Right process id, wrong time: the system gave it to another process later." for one in same},
        str(qp): "This is the qp: the process of qmail-queue. Which message number did it make?",
        str(asked_ns // NS): "These are the seconds of the reply.",
        users[right]: "This is who sent it. Its number in the queue is asked for.",
        users[right + 5]: "This is who got it. Its number in the queue is asked for.",
        f"msg {mine}": "The number alone, without msg.",
    }
    traps.pop(mine)
    reply = f"250 ok {asked_ns // NS} qp {qp}"
    return Drawn(given={"reply": reply, "log": log.text}, right=mine, traps=traps)


def _solve_reply(given: Mapping[str, object]) -> str:
    _code, _ok, second, _qp, qp = text_of(given, "reply").split()
    messages = match(read_events(text_of(given, "log").encode() + b"\n")).messages
    found = [one for one in messages if one.qp == int(qp) and abs((one.queued_ns or 0) - int(second) * NS) < 60 * NS]
    return str(found[0].message_number)


def _otherwise_number(text: str) -> str:
    return "No message of this log has that number." if text.strip().isdigit() else "A number is wanted, in digits."


def _judge_number(drawn: Drawn, answer: object) -> str | None:
    return judge_text(_otherwise_number, drawn, str(answer) if type(answer) is int else answer)


REPLY: Final = Exercise(
    number="05.2",
    grade=Grade.REPEAT,
    title="from the reply to the number",
    goal="A client shows you what it was told when its mail was taken. Which number did the mail have in the queue?",
    reason="Right. The qp leads from the session into the log of qmail-send, and the second of the reply says which of"
    " two processes with the same id it was.",
    way='Find the info msg lines with this qp; the second behind "250 ok" is that of the right one. trace.qp does it.',
    hints=(
        "The last number of the reply stands in info msg, behind qp. Which lines have it?",
        "There are two. A process id is given again: the time decides.",
        "The first number of the reply are seconds since 1970; tai64.from_tai64n turns a label into nanoseconds.",
    ),
    draw=_draw_reply,
    solve=_solve_reply,
    judge=_judge_number,
)

# --- 05.3: whose scan was it --------------------------------------------------------------------------------------


def _draw_scan(rng: random.Random) -> Drawn:
    log = LogWriter(rng, draw_time_ns(rng))
    number = rng.randrange(100_000, 999_000)
    *senders, stranger, to, also = draw_users(rng, 6)
    scanned = rng.randrange(1, 3)
    scan_ns = 0
    for place, sender in enumerate(senders):
        if place == scanned:
            scan_ns = log.now_ns + rng.randrange(60_000_000, 400_000_000)
            log.now_ns = scan_ns + rng.randrange(2_000_000, 30_000_000)
        log.queued(number, sender, rng.randrange(2_000, 9_000))
        log.begins(place + 1, number, to if place % 2 else also)
        log.ends(place + 1, "success", "did 1+0+0\n")
        log.say("end_msg", message_number=number)
        if place == 1:
            log.queued(number + 11, stranger, rng.randrange(2_000, 9_000))
        if place + 1 != scanned:
            log.wait(rng.randrange(90, 900))
    label = to_tai64n(scan_ns).decode()
    path = f"/var/indimail/queue/queue1/mess/{number % 151}/{number}"
    right = senders[scanned]
    before = senders[scanned - 1]
    traps = {
        **dict.fromkeys(senders, "That mail had this number too, minutes before or after the scan."),
        before: "That mail had left the queue when clamd looked: a scan is a moment before new msg, not behind end"
        " msg.",
        stranger: "That mail has another number.",
        to: "This is who got a mail with this number.",
        also: "This is who got a mail with this number.",
        right.partition("@")[0]: "The domain is missing.",
        str(number): "This is the number. Whose mail had it then?",
    }
    traps.pop(right)
    return Drawn(given={"scan": f"{label} {path}: OK", "log": log.text}, right=right, traps=traps)


def _solve_scan(given: Mapping[str, object]) -> str:
    scan_ns = from_tai64n(text_of(given, "scan").split()[0].encode())
    number = int(text_of(given, "scan").partition(": ")[0].rpartition("/")[2])
    messages = match(read_events(text_of(given, "log").encode() + b"\n")).messages
    later = [one for one in messages if one.message_number == number and (one.queued_ns or 0) >= scan_ns]
    first = min(later, key=lambda one: one.queued_ns or 0)
    return (first.sender or b"").decode()


SCAN: Final = Exercise(
    number="05.3",
    grade=Grade.CHANGE,
    title="whose scan was it",
    goal="clamd has looked at a file; qmail-send's log has its number three times. Who sent the mail that was scanned?",
    reason="Right. qmail-queue has the file scanned before it links todo, so a scan stands before its own new msg: it"
    " belongs to the life that begins next, and not to the one that has ended.",
    way="The first new msg of this number behind the scan's label; labels sort as text.",
    hints=(
        "Put the scan's line among the others, by its label: labels sort as text.",
        "When is a mail scanned: before it is in the queue, or while it waits there?",
        "The next new msg of this number below the scan begins the right life; info msg has the sender.",
    ),
    draw=_draw_scan,
    solve=_solve_scan,
    judge=partial(judge_text, _otherwise_address),
)

# --- 05.4: how sure is it -----------------------------------------------------------------------------------------

SURE: Final[Mapping[str, str]] = {
    "certain": "nothing else can have had this number between",
    "likely": "the keys agree; one thing that would prove it is not there",
    "possible": "it may as well be another message's",
}
"""What a learner writes -> what it means."""

SPANS_MS: Final[Mapping[str, tuple[int, int]]] = {
    "certain": (20, 1_500), "likely": (3_000, 8_500), "possible": (40_000, 900_000),
}  # fmt: skip
"""Confidence -> how long before "new msg" the scan is (unit: ms), where nothing else is missing."""

_NOT_SO_SURE: Final[Mapping[str, str]] = {
    "certain": "too sure. How long before new msg is the scan, and what may have had the number meanwhile?",
    "likely": "look at the time between scan and new msg again: in the seed it was 73 s.",
    "possible": "not sure enough. Which other message could it have been, in so short a time?",
}


def _draw_sure(rng: random.Random) -> Drawn:
    words = list(SURE)
    rng.shuffle(words)
    given: dict[str, object] = {}
    for letter, word in zip("ABC", words, strict=True):
        given[letter] = write_case(rng, rng.randrange(*SPANS_MS[word]) * 10**6)
    return Drawn(given={**given, "names": meanings(SURE)}, right=dict(zip("ABC", words, strict=True)))


def write_case(rng: random.Random, span_ns: int) -> str:
    """Return a log: a message, and a scan of its number so long before "new msg", with the session that brought it."""
    log = LogWriter(rng, draw_time_ns(rng))
    number, size, pid = rng.randrange(100_000, 999_000), rng.randrange(400, 9_000), rng.randrange(2_000, 9_000)
    sender, first, recipient = draw_users(rng, 3)
    queue = {"queue": "queue1"}
    log.say("new_msg", message_number=number, **queue)
    log.say("info_msg", message_number=number, message_bytes=size + 7, sender=first, qp=pid - 3, uid=5, **queue)
    log.say("end_msg", message_number=number, send_program="qmail-send", **queue)
    log.wait(rng.randrange(20, 60))
    log.say("tcpserver_pid", pid=pid, remote_ip="192.0.2.7")
    scan_ns = log.say("clamd_scan_ok", scan_path=f"/var/indimail/queue/queue1/mess/{number % 151}/{number}")
    log.say_at(
        scan_ns + span_ns - 4 * 10**6, "smtpd_accepted", pid=pid, remote_ip="192.0.2.7", helo="pc", smtp_sender=sender,
        smtp_recipient=recipient, auth=f"{sender}: AUTH PLAIN", message_bytes=size, tls="No",
    )  # fmt: skip
    log.say_at(scan_ns + span_ns, "new_msg", message_number=number, **queue)
    log.say("info_msg", message_number=number, message_bytes=size, sender=sender, qp=pid + 1, uid=5, **queue)
    return log.text


def _solve_sure(given: Mapping[str, object]) -> dict[str, str]:
    return {letter: _sure_of(text_of(given, letter)) for letter in "ABC"}


def _sure_of(log: str) -> str:
    events = [*read_events(log.encode() + b"\n")]
    scan_ns = next(one.unix_ns for one in events if one.kind == "clamd_scan_ok") or 0
    born_ns = max(one.unix_ns or 0 for one in events if one.kind == "new_msg")
    return "certain" if born_ns - scan_ns <= 2 * NS else "likely" if born_ns - scan_ns <= 10 * NS else "possible"


CONFIDENCE: Final = Exercise(
    number="05.4",
    grade=Grade.FIND_OUT,
    title="how sure is it",
    goal="Three logs. In each, a number is used twice, and clamd looks at its file in between. How sure is it that the"
    " scan is the second mail's: certain, likely or possible? Answer with a dictionary.",
    reason="Right, all three. qmail-queue links todo right behind the scan, and todo-proc wakes by it: so a scan and"
    " its new msg are less than two seconds apart. The longer it is, the more may have had the number between.",
    way="The time from the scan to the second new msg: up to 2 s certain, up to 10 s likely, longer possible.",
    hints=(
        "Two labels are needed: that of the scan and that of the second new msg.",
        "What happens between them: qmail-queue links todo, and todo-proc is woken. That takes milliseconds.",
        "Two seconds are much for that, ten are very much; in a minute the number may have been another mail's.",
    ),
    draw=_draw_sure,
    solve=_solve_sure,
    judge=partial(judge_choices, SURE, lambda _letter, choice: _NOT_SO_SURE[choice]),
)
