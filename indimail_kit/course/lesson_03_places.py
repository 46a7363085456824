"""Lesson 03, exercises about places: the path of a message, a queue that was copied, which queues get the mail.

Source: IndiMail fmtqfn.c (number modulo split), queue-fix.c (names after a copy), getqueue.c; the seed's 660188.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final, cast

from indimail_kit.course.answers import as_text, kind_of
from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import first_mistake, judge_letters, judge_text, text_of
from indimail_kit.course.lesson_02_setting import SPLIT
from indimail_kit.errors import QueueError
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.multi import choose_queue

PLAIN_SPLIT: Final = 23
"""conf-split of plain qmail: how many directories share the mess files."""

BASES: Final = ("/var/indimail/queue", "/srv/mail/queue", "/home/mail/queue")
"""Where queues lie."""


def draw_number(rng: random.Random) -> int:
    """Return a message number whose directory differs for 151 and 23, and from what a division gives."""
    while True:
        number = rng.randrange(100_000, 999_000)
        if len({number % SPLIT, number % PLAIN_SPLIT, number // SPLIT, (number + 1) % SPLIT}) == 4:
            return number


# --- 03.1: the path of a message --------------------------------------------------------------------------------


def _draw_place(rng: random.Random) -> Drawn:
    number, queue, base = draw_number(rng), f"queue{rng.randrange(1, 10)}", rng.choice(BASES)
    right = _place(base, queue, number)
    folder = number % SPLIT
    plain = f"{base}/{queue}/mess/{number % PLAIN_SPLIT}/{number}"
    traps = {
        plain: "This is plain qmail's place, number modulo 23. This queue has split 151.",
        f"{base}/{queue}/mess/{number // SPLIT}/{number}": "This is the quotient. The remainder names the directory.",
        f"{base}/{queue}/mess/{folder + 1}/{number}": "One too high: remainders count from 0, and so do directories.",
        f"{base}/{queue}/mess/{number}": "mess is split: between mess and the number stands a directory.",
        f"{base}/mess/{folder}/{number}": "The base holds several queues. Which one is it?",
        f"{queue}/mess/{folder}/{number}": "The whole path is wanted, from the root of the file system.",
        f"mess/{folder}/{number}": "This is the path below the queue, as the scanner gets it. The whole one is wanted.",
        f"{base}/{queue}/todo/{folder}/{number}": "In todo lies the envelope. The message itself is asked for.",
        f"{base}/{queue}/info/{folder}/{number}": "In info lies the sender. The message itself is asked for.",
        f"{base}/{queue}/mess/{folder}": "This is the directory. The file in it has the number as its name.",
    }
    given = {"base": base, "log line": f"new msg {number} {queue}", "split": str(SPLIT)}
    return Drawn(given=given, right=right, traps=traps)


def _place(base: str, queue: str, number: int) -> str:
    return str(QueueLayout(Path(base) / queue, SPLIT).path("mess", number))


def _otherwise_place(text: str) -> str:
    if "/mess/" not in text:
        return "A message lies below mess, in its queue."
    return "Not this file. Base, queue, mess, number modulo split, number: with a slash between them."


def _solve_place(given: Mapping[str, object]) -> str:
    *_words, number, queue = text_of(given, "log line").split()
    return _place(text_of(given, "base"), queue, int(number))


PLACE: Final = Exercise(
    number="03.1",
    grade=Grade.REPEAT,
    title="the place of a message",
    goal="qmail-send has written this line. Where does the text of this message lie? Write the whole path.",
    reason="Right. From a number in a log to the file is one division, and no index is needed: neither for you nor for"
    " the programs.",
    way="mailqueue.QueueLayout(base / queue, split).path('mess', number): the sub-directory is number modulo split.",
    hints=(
        "The line ends with the name of the queue; before it stands the number.",
        "number % split is the remainder of the division: the name of the sub-directory of mess.",
        "base, queue, mess, remainder, number: put a slash between each two of them.",
    ),
    draw=_draw_place,
    solve=_solve_place,
    judge=partial(judge_text, _otherwise_place),
)

# --- 03.2: a queue that was copied ------------------------------------------------------------------------------

LETTERS: Final = ("A", "B", "C", "D", "E", "F")

_LINES: Final = ("right", "right", "right", "renumbered", "renumbered", "moved")
"""What the six files are: as they should be, with another inode than their name, in another directory."""


def _draw_copied(rng: random.Random) -> Drawn:
    kinds = list(_LINES)
    rng.shuffle(kinds)
    given: dict[str, object] = {}
    for letter, kind in zip(LETTERS, kinds, strict=True):
        number = draw_number(rng)
        folder = number % SPLIT
        inode = number + rng.randrange(1, 900) if kind == "renumbered" else number
        if kind == "moved":
            folder = number % PLAIN_SPLIT
        given[letter] = f"{inode} mess/{folder}/{number}"
    given["split"] = str(SPLIT)
    right = frozenset(letter for letter, kind in zip(LETTERS, kinds, strict=True) if kind != "right")
    return Drawn(given=given, right=right)


def _fault(line: str, split: int) -> str:
    """Say what is wrong with a line of ``ls -i``: "inode", "directory" or nothing."""
    inode, path = line.split()
    _mess, folder, name = path.split("/")
    if inode != name:
        return "inode"
    return "" if int(folder) == int(name) % split else "directory"


def _solve_copied(given: Mapping[str, object]) -> set[str]:
    split = int(text_of(given, "split"))
    return {letter for letter in LETTERS if _fault(text_of(given, letter), split)}


def _judge_copied(drawn: Drawn, answer: object) -> str | None:
    return judge_letters(
        LETTERS,
        drawn,
        answer,
        wrong=lambda letter: f"{letter} is in order: name and inode are equal, and the remainder fits.",
        missing="These are wrong, but one is missing. Look at inode and name, and at the directory, of each.",
        is_wanted_any="Not all of them: at least one is as qmail-queue made it.",
    )


COPIED: Final = Exercise(
    number="03.2",
    grade=Grade.CHANGE,
    title="a queue that was copied",
    goal="Somebody has restored a queue from a backup; this is ls -i of six of its messages. Which of them have to be"
    " renamed before qmail-send may start? Answer with the set of their letters.",
    reason="Right. A copy gets a new inode and keeps its old name. qmail-queue could give that name to a new mail at"
    " any moment; and in another directory nobody looks for it.",
    way="The first number of a line has to be the last one of its path, and its remainder modulo split the directory.",
    hints=(
        "ls -i prints the inode, then the path. What does qmail call a message by?",
        "Two things can be wrong: inode and name differ; or name modulo split is another directory.",
        "Three of the six have to be renamed.",
    ),
    draw=_draw_copied,
    solve=_solve_copied,
    judge=_judge_copied,
)

# --- 03.5: which queues get the mail ----------------------------------------------------------------------------

VARIABLES: Final = ("QUEUEDIR", "QUEUE_BASE", "QUEUE_START", "QUEUE_COUNT")

_CALLS: Final = 400
"""Choices that are made for each check: each of nine queues is missed by chance once in 10**20."""

QUEUE_MISTAKES: Final = {
    "one": "QUEUEDIR goes before all others, so every mail goes into one queue.",
    "base": "These queues lie elsewhere. The base is in QUEUE_BASE, without the name of a queue.",
    "last": "QUEUE_COUNT is how many there are, not the number of the last one.",
    "start": "The first of them is another one: QUEUE_START is its number.",
    "few": "One of the wanted queues never gets mail.",
    "many": "A queue that is not wanted gets mail, too.",
}
"""Mistake -> its sentence."""


def _draw_queues(rng: random.Random) -> Drawn:
    start, count = rng.randrange(2, 9), rng.randrange(2, 6)
    base = rng.choice(BASES[1:])
    wanted = [f"{base}/queue{number}" for number in range(start, start + count)]
    return Drawn(given={"queues": "\n".join(wanted)}, right=_variables(wanted))


def _variables(wanted: list[str]) -> dict[str, str]:
    base, _slash, first = wanted[0].rpartition("/")
    return {"QUEUE_BASE": base, "QUEUE_START": first.removeprefix("queue"), "QUEUE_COUNT": str(len(wanted))}


def _judge_queues(drawn: Drawn, answer: object) -> str | None:
    if type(answer) is not dict or not answer:
        return f"A dictionary is wanted, variable -> value; this is {kind_of(answer)}."
    given = cast("dict[object, object]", answer)
    texts = {name: str(value) if type(value) is int else as_text(value) for name, value in given.items()}
    environ = {name: value for name, value in texts.items() if type(name) is str and value is not None}
    if len(environ) < len(given) or not environ.keys() <= set(VARIABLES):
        return f"Take these names, with a text for each that you need: {', '.join(VARIABLES)}."
    rng = random.Random(1)  # noqa: S311 - the same choices at each check
    try:
        found = {str(choose_queue(environ, random=rng)) for _call in range(_CALLS)}
    except QueueError as error:
        return f"qmail-queue refuses this: {error}."
    return QUEUE_MISTAKES.get(_mistake_in_queues(text_of(drawn.given, "queues").split("\n"), environ, found))


def _mistake_in_queues(wanted: list[str], environ: Mapping[str, str], found: set[str]) -> str:
    right, count = _variables(wanted), environ.get("QUEUE_COUNT", "")
    last = str(int(right["QUEUE_START"]) + len(wanted) - 1)
    return first_mistake(
        (
            ("one", "QUEUEDIR" in environ),
            ("base", environ.get("QUEUE_BASE") != right["QUEUE_BASE"]),
            ("start", environ.get("QUEUE_START", "1") != right["QUEUE_START"]),
            ("last", found != set(wanted) and count == last),
            ("few", bool(set(wanted) - found)),
            ("many", bool(found - set(wanted))),
        )
    )


QUEUES: Final = Exercise(
    number="03.5",
    grade=Grade.CHANGE,
    title="which queues get the mail",
    goal="New mail shall go into these queues, into each of them and into no other. Write the variables of the service"
    " as a dictionary.",
    reason="Right: qmail-queue was asked 400 times with your variables; every one of these queues got mail, and no"
    " other. It chooses at random, so they fill up evenly.",
    way="QUEUE_BASE is the directory above, QUEUE_START the number of the first queue, QUEUE_COUNT how many there are.",
    hints=(
        "One variable says where they lie, one with which number they begin, one how many there are.",
        "qmail-queue chooses among QUEUE_COUNT numbers from QUEUE_START on. Without them it is 10 from 1 on.",
        "mailqueue.choose_queue(variables, random=random.Random()) tells where one mail would go.",
    ),
    draw=_draw_queues,
    solve=lambda given: _variables(text_of(given, "queues").split("\n")),
    judge=_judge_queues,
)
