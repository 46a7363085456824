"""Lesson 06, exercises about method: where a mail stops, and what proves that it goes again.

Source: IndiMail qmail.c, smtpd.c (replies); qmail-log(5); the path of one message.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_choices, judge_letters, text_of
from indimail_kit.course.lesson_03_places import LETTERS
from indimail_kit.course.words import NAMES

# --- 06.1: which station ----------------------------------------------------------------------------------------------

STATIONS: Final[Mapping[str, str]] = {
    "auth": "who are you?",
    "rules": "may this client do that?",
    "scan": "is it safe?",
    "queue": "is there room for it, and is it written?",
    "local": "into a mailbox here",
    "remote": "to another host",
}
"""What a learner writes -> what is asked there."""

EVIDENCE: Final[Mapping[str, tuple[str, ...]]] = {
    "auth": (
        "S: 535 authorization failure (#5.7.8)",
        "pid {pid} from 127.0.0.1 AUTH USER [{user}] status=[1] auth failure TLS=No",
    ),
    "rules": (
        "S: 553 sorry, your host has been denied (#5.7.1)",
        "S: 553 sorry, that domain isn't allowed to be relayed thru this MTA without authentication #5.7.1",
    ),
    "scan": (
        "S: 451 qq unable to run QHPSI scanner (#4.3.0)",
        "S: 554 qq message contains virus (#5.7.1)",
    ),
    "queue": (
        "S: 451 qq write error or disk full (#4.3.0)",
        "S: 451 qq trouble in home directory (#4.3.0)",
    ),
    "local": (
        "delivery {pid}: failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/",
        "delivery {pid}: deferral: Unable_to_chdir_to_maildir._(#4.2.1)/",
    ),
    "remote": (
        "delivery {pid}: deferral: CNAME_lookup_failed_temporarily._(#4.4.3)/",
        "delivery {pid}: failure: 192.0.2.7_does_not_like_recipient./Giving_up_on_192.0.2.7./",
    ),
}
"""Station -> what is seen when a mail stops there."""

_SHOWN: Final = ("A", "B", "C", "D", "E")

_NOT_THERE: Final = {
    "auth": "who fails to log in hears 535, or a line says auth failure.",
    "rules": "where a rule says no, the reply is 553, and nothing was scanned or written.",
    "scan": "a scan that says no, or that says nothing, is named in the reply.",
    "queue": "what qmail-queue cannot write it says with qq, and not a word of a virus or a scanner.",
    "local": "a mailbox of this host speaks in a line delivery …, and no other host is asked.",
    "remote": "another host, or the search for it, speaks in a line delivery …",
}
"""Station -> what would be seen if the mail had stopped there."""


def _draw_stations(rng: random.Random) -> Drawn:
    stations = rng.sample(tuple(STATIONS), len(_SHOWN))
    given: dict[str, object] = {}
    for letter, station in zip(_SHOWN, stations, strict=True):
        user = f"{rng.choice(NAMES)}{rng.randrange(10, 100)}@example.com"
        given[letter] = rng.choice(EVIDENCE[station]).format(user=user, pid=rng.randrange(1_000, 30_000))
    given["stations"] = tuple(STATIONS)
    return Drawn(given=given, right=dict(zip(_SHOWN, stations, strict=True)))


def _station_of(evidence: str) -> str:
    """Return the station that a piece of evidence speaks of."""
    words = {
        "auth": ("535", "auth failure"),
        "rules": ("553",),
        "scan": ("QHPSI", "virus"),
        "queue": ("qq write", "qq trouble in home"),
        "local": ("no_mailbox", "to_maildir"),
    }
    return next((name for name, known in words.items() if any(word in evidence for word in known)), "remote")


def _solve_stations(given: Mapping[str, object]) -> dict[str, str]:
    return {letter: _station_of(text_of(given, letter)) for letter in _SHOWN}


STATION: Final = Exercise(
    number="06.1",
    grade=Grade.REPEAT,
    title="which station",
    goal="Five mails have stopped; each left one line, a reply of the server or a line of qmail-send's log. Where did"
    " each stop? Answer with a dictionary, one of the stations for A to E.",
    reason="Right. Each station has its own words, so one line is often enough to leave five of six stations alone.",
    way="A reply comes from before the queue: 535 login, 553 rules, qq qmail-queue and its scan. A line delivery …"
    " comes from behind it.",
    hints=(
        "First: is it a reply (S:), or a line of qmail-send? That halves the way.",
        (
            "Among replies: 535 is about the login, 553 about rules; qq is qmail-queue speaking, about its scanner or"
            " its disk."
        ),
        "Among deliveries: is another host named, or looked for? If not, it was a mailbox here.",
    ),
    draw=_draw_stations,
    solve=_solve_stations,
    judge=lambda drawn, answer: judge_choices(STATIONS, lambda _letter, choice: _NOT_THERE[choice], drawn, answer),
)

# --- 06.2: what proves it ---------------------------------------------------------------------------------------------

PROOFS: Final = (
    "A new mail to {user} lies in the Maildir, in new/, with the header X-QHPSI: clean.",
    "Message {number}, sent after the repair: delivery success, then end msg {number}.",
    "{user} has answered a mail that was sent after the repair, and quotes it.",
    "A new mail to {user} was fetched by IMAP, and its Received lines are from after the repair.",
)
"""What nobody can see unless a mail has gone the whole way."""

NO_PROOFS: Final[Mapping[str, str]] = {
    "svstat: clamd: up (pid {number}) 2 seconds": "two seconds up, again and again, is how a service looks that dies at"
    " each start.",
    "The log of qmail-smtpd has had no 451 since the repair.": "perhaps nobody has tried since.",
    "The server answered 250 ok to a new mail to {user}.": "250 says queued; the way behind the queue is still to"
    " come.",
    "indimail-kit queue list shows no message.": "a server that takes no mail has an empty queue, too.",
    "{user} has not called again.": "perhaps {user} has gone home.",
    "The file that was changed looks as it should.": "the program may not have read it yet, or may read another one.",
}
"""What looks like a proof -> what it leaves open."""

_PROVE: Final = 2


def _fill(text: str, values: Mapping[str, str]) -> str:
    return text.format_map(values)


def _draw_proof(rng: random.Random) -> Drawn:
    values = {"user": f"{rng.choice(NAMES)}{rng.randrange(10, 100)}", "number": str(rng.randrange(100_000, 999_000))}
    chosen = [*rng.sample(PROOFS, _PROVE), *rng.sample(tuple(NO_PROOFS), len(LETTERS) - _PROVE)]
    rng.shuffle(chosen)
    given: dict[str, object] = {"user": values["user"], "message": values["number"]}
    given |= {letter: _fill(text, values) for letter, text in zip(LETTERS, chosen, strict=True)}
    right = frozenset(letter for letter, text in zip(LETTERS, chosen, strict=True) if text in PROOFS)
    return Drawn(given=given, right=right)


def _values(given: Mapping[str, object]) -> dict[str, str]:
    return {"user": text_of(given, "user"), "number": text_of(given, "message")}


def _solve_proof(given: Mapping[str, object]) -> set[str]:
    proofs = {_fill(text, _values(given)) for text in PROOFS}
    return {letter for letter in LETTERS if text_of(given, letter) in proofs}


def _judge_proof(drawn: Drawn, answer: object) -> str | None:
    values = _values(drawn.given)
    open_questions = {_fill(text, values): _fill(why, values) for text, why in NO_PROOFS.items()}
    return judge_letters(
        LETTERS,
        drawn,
        answer,
        wrong=lambda letter: f"{letter} proves less: {open_questions.get(text_of(drawn.given, letter), '')}",
        missing="What you have proves it, but another one does as well.",
        is_wanted_any="Not all of them: some would look the same on a server that is still broken.",
    )


PROOF: Final = Exercise(
    number="06.2",
    grade=Grade.CHANGE,
    title="what proves it",
    goal="Somebody has repaired a server that took no mail. Which of these six prove that a mail now goes the whole"
    " way? Answer with the set of their letters.",
    reason="Right: both can only be so if a mail that was sent after the repair has passed every station. The others"
    " would look the same on a server that is broken still, or broken elsewhere.",
    way="Ask of each: could I see this, too, if nothing had been repaired? If so, it proves nothing.",
    hints=(
        "Two of them prove it.",
        "Could you see it on a server that takes no mail at all? Then it is no proof.",
        "A proof speaks of one mail, sent after the repair, at the end of its way.",
    ),
    draw=_draw_proof,
    solve=_solve_proof,
    judge=_judge_proof,
)
