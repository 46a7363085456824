"""Lesson 06, exercises with a server: it is broken, it runs, and it is graded as it is after the repair.

Source: lab/cases.py.

Note for maintainers: the answer is the server itself. `Classroom.start_case` starts it, `Classroom.repaired` does what
the reference solution says; so `solve` has nothing to do here.

Rule 1: the lab is imported when a server is asked for; reading the exercises starts nothing.
"""

from __future__ import annotations

import random
import textwrap
from collections.abc import Mapping
from functools import partial
from typing import Final, cast

from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.errors import KitError

_SEEDS: Final = 100_000

_WIDTH: Final = 80
"""Where a complaint is broken into lines (unit: characters)."""

_NO_SERVER: Final = (
    "The server is the answer: start it with course.start_case, repair it, and give what start_case returned."
)


def drawn_case(drawn: Drawn) -> tuple[str, int]:
    """Return name and seed of the case that was drawn."""
    return cast("tuple[str, int]", drawn.right)


def _draw(names: tuple[str, ...], rng: random.Random) -> Drawn:
    """Draw one of the cases that are named, or of all where none is."""
    from indimail_kit.lab.cases import CASES, find_case

    name, seed = rng.choice(names or tuple(CASES)), rng.randrange(_SEEDS)
    case = find_case(name)
    people_say = textwrap.wrap(case.complaint.format_map(case.facts(seed)), _WIDTH)
    return Drawn(given={"people say": "\n".join(people_say), "seed": str(seed)}, right=(name, seed))


def _judge(drawn: Drawn, answer: object) -> str | None:
    from indimail_kit.lab.case_file import OpenCase

    if not isinstance(answer, OpenCase):
        return _NO_SERVER
    try:
        if (answer.case.name, answer.state.seed) != drawn_case(drawn):
            return "This is the server of another exercise, or of another learner."
        grade = answer.grade()
    except (KitError, OSError):
        return "This server has ended. Start it again with course.start_case; it is broken in the same way."
    return next((finding.text for finding in grade.findings if not finding.is_good), None)


def _unsolvable(_given: Mapping[str, object]) -> None:
    """Return nothing: what is given is no server."""


def _exercise(
    number: str, grade: Grade, title: str, names: tuple[str, ...], *, goal: str, hints: tuple[str, ...]
) -> Exercise:
    return Exercise(
        number=number,
        grade=grade,
        title=title,
        goal=goal,
        reason="Right: the server was tried just now, and does what it should. How long did it take you, and which"
        " evidence decided?",
        way="These commands repair it, one after the other.",
        hints=hints,
        draw=partial(_draw, names),
        solve=_unsolvable,
        judge=_judge,
        is_live=True,
    )


_HINTS: Final = (
    "Which station? Ask for the one piece of evidence that halves the way: the reply, or the line of the log.",
    "case.hint() knows more, each time: from where to look to what to do.",
)

NO_MAIL: Final = _exercise(
    "06.3",
    Grade.REPEAT,
    "nothing goes out",
    ("clamd-down", "qhpsi-path"),
    goal="Your server takes no mail. Start it, find the station, repair it, and let it be graded.",
    hints=(
        *_HINTS,
        "The reply is in case.log('smtpd').events, its reason in the service, or in the variables of qmail-smtpd.",
    ),
)

LOGIN: Final = _exercise(
    "06.4",
    Grade.CHANGE,
    "who may come in",
    ("no-clear-password", "password-guessing"),
    goal="Something is the matter at the door of your server. Find out what, and change as little as possible.",
    hints=(
        *_HINTS,
        (
            "tables.questions.auth_failures(case.log('smtpd').events.qmail.auth_attempts()) tells who fails, and from"
            " where."
        ),
    ),
)

ROOM: Final = _exercise(
    "06.5",
    Grade.CHANGE,
    "room and ways",
    ("disk-full", "mail-loop", "backlog", "channel-shut"),
    goal="Mail does not get to where it should. Find the station, and mind what waits in the queue.",
    hints=(*_HINTS, "What lies in case.queue_base? And which way does control/smtproutes know?"),
)

SCAN: Final = _exercise(
    "06.6",
    Grade.FIND_OUT,
    "what is clean?",
    ("qhpsi-words", "clamd-limit"),
    goal="The scanner runs, and yet something is wrong with it. A repair by which mail passes unscanned is none.",
    hints=(
        *_HINTS,
        "indimail-kit qhpsi explain reads QHPSI word by word; the log of clamd says what it did not look at.",
    ),
)

ANYTHING: Final = _exercise(
    "06.7",
    Grade.FIND_OUT,
    "anything at all",
    (),
    goal="Any server that there is. Write down your station before you look at anything but"
    " the complaint and one line.",
    hints=(*_HINTS, "The way of a mail, from the left: login, rules, scan, queue, delivery. Halve it."),
)  # fmt: skip

CASES: Final = (NO_MAIL, LOGIN, ROOM, SCAN, ANYTHING)
"""All of them."""
