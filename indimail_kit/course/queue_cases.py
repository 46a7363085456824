"""Messages for an exercise of lesson 03: each lies in the queue for another reason.

Source: indimail-mta-internals(7); qmail-clean.c (36 hours, by access time), qmail-send.c (retry times, bounces).
"""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from indimail_kit.course.words import draw_user
from indimail_kit.delivery.schedule import CHANNEL_SKIP, LIFETIME_S
from indimail_kit.mailqueue.states import OSSIFIED_S

_ROW: Final = re.compile(
    r"(?P<kind>[a-z]+) +(?P<number>[0-9]+) inode (?P<inode>[0-9]+)  (?P<when>[-0-9]+ [:0-9]+)  (?P<content>.*)"
)
"""A row of a listing."""

_HOUR: Final = 3_600
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a listing.

    Attributes:
        number: Name of the file.
        inode: Inode number.
        unix_s: Last change (unit: s since 1970).
        content: What stands in it.
    """

    number: int
    inode: int
    unix_s: int
    content: str


Files = Mapping[str, Line]
"""Kind -> its line."""


@dataclass(frozen=True, slots=True)
class Case:
    """One reason.

    Attributes:
        name: What a learner writes.
        meaning: What it means.
        make: Draws the files of such a message, from the time of the listing (unit: s since 1970).
        is_so: Says whether files, at a time, prove this reason; the reasons are asked in their order.
        not_this: What speaks against this reason where it is wrong.
    """

    name: str
    meaning: str
    make: Callable[[random.Random, int], Files]
    is_so: Callable[[Files, int], bool]
    not_this: str

    def story(self, rng: random.Random, now_s: int) -> str:
        """Return a listing of such a message."""
        return listing(self.make(rng, now_s))

    def is_told(self, text: str, now_s: int) -> bool:
        """Say whether a listing tells of this reason and of none before it."""
        files = read_listing(text)
        return next(case for case in CASES if case.is_so(files, now_s)) is self


def listing(files: Files) -> str:
    """Return the files as a table for a person: kind, number, inode, last change, content."""
    return "\n".join(
        f"{kind:<6} {line.number} inode {line.inode}  {_time_text(line.unix_s)}  {line.content}"
        for kind, line in files.items()
    )


def read_listing(text: str) -> Files:
    """Read what `listing` wrote."""
    matches = [_ROW.fullmatch(row) for row in text.split("\n")]
    return {
        match["kind"]: Line(int(match["number"]), int(match["inode"]), _unix_s(match["when"]), match["content"])
        for match in matches
        if match is not None
    }


def _time_text(unix_s: int) -> str:
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _unix_s(text: str) -> int:
    return int(dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=dt.UTC).timestamp())


class _Maker:
    """Draws lines of one message."""

    def __init__(self, rng: random.Random, *, is_copied: bool = False) -> None:
        self.rng = rng
        self.number = rng.randrange(100_000, 999_000)
        self.inode = self.number + rng.randrange(100, 900) if is_copied else self.number
        self.sender, self.recipient = draw_user(rng), draw_user(rng).replace("example.com", "example.org")

    def mess(self, unix_s: int) -> Line:
        return Line(self.number, self.inode, unix_s, f"{self.rng.randrange(400, 9_000)} octets")

    def file(self, unix_s: int, content: str) -> Line:
        return Line(self.number, self.inode + self.rng.randrange(1, 90), unix_s, content)

    def waiting(self, birth_s: int, next_s: int) -> dict[str, Line]:
        """Return the files of a message with one remote recipient to be tried."""
        return {
            "mess": self.mess(birth_s),
            "info": self.file(birth_s, f"F{self.sender}\\0"),
            "remote": self.file(next_s, f"T{self.recipient}\\0"),
        }


def _writing(rng: random.Random, now_s: int) -> Files:
    return {"mess": _Maker(rng).mess(now_s - rng.randrange(1, 20))}


def _killed(rng: random.Random, now_s: int) -> Files:
    maker = _Maker(rng)
    then_s = now_s - OSSIFIED_S - rng.randrange(_HOUR, 6 * _HOUR)
    return {"mess": maker.mess(then_s), "intd": maker.file(then_s, "0 octets")}


def _todo(rng: random.Random, now_s: int) -> Files:
    maker = _Maker(rng)
    then_s = now_s - rng.randrange(5 * _HOUR, 20 * _HOUR)
    envelope = maker.file(then_s, f"u555\\0p{rng.randrange(2_000, 9_000)}\\0F{maker.sender}\\0T{maker.recipient}\\0")
    return {"mess": maker.mess(then_s), "intd": envelope, "todo": envelope}


def _retry(rng: random.Random, now_s: int) -> Files:
    root = rng.randrange(60, 300)
    birth_s = now_s - root * root - rng.randrange(1, root)
    return _Maker(rng).waiting(birth_s, birth_s + (root + CHANNEL_SKIP["remote"]) ** 2)


def _old(rng: random.Random, now_s: int) -> Files:
    birth_s = now_s - LIFETIME_S - rng.randrange(_HOUR, 3 * _HOUR)
    return _Maker(rng).waiting(birth_s, now_s + rng.randrange(60, _HOUR))


def _stopped(rng: random.Random, now_s: int) -> Files:
    birth_s = now_s - rng.randrange(2 * _DAY, 4 * _DAY)
    return _Maker(rng).waiting(birth_s, now_s - rng.randrange(5 * _HOUR, 20 * _HOUR))


def _clock(rng: random.Random, now_s: int) -> Files:
    return _Maker(rng).waiting(now_s - rng.randrange(60, _HOUR), now_s + rng.randrange(200 * _DAY, 900 * _DAY))


def _bounce(rng: random.Random, now_s: int) -> Files:
    maker = _Maker(rng)
    birth_s = now_s - rng.randrange(_HOUR, 9 * _HOUR)
    return {
        "mess": maker.mess(birth_s),
        "info": maker.file(birth_s, f"F{maker.sender}\\0"),
        "bounce": maker.file(birth_s + 40, f"{maker.recipient}:\\nuser unknown\\n\\n"),
    }


def _copied(rng: random.Random, now_s: int) -> Files:
    birth_s = now_s - rng.randrange(_HOUR, 9 * _HOUR)
    return _Maker(rng, is_copied=True).waiting(birth_s, now_s - rng.randrange(60, 600))


_LATE_S: Final = 2 * _HOUR
"""So long after its time nobody tries: then qmail-send does not run (unit: s)."""

_FAR_S: Final = 30 * _DAY
"""No retry time of qmail-send lies so far ahead, since a message lives a week (unit: s)."""

CASES: Final = (
    Case(
        "copied",
        "the queue was copied: the number is no longer the inode",
        _copied,
        lambda files, _now_s: files["mess"].number != files["mess"].inode,
        "name and inode of mess are equal.",
    ),
    Case(
        "writing",
        "qmail-queue is writing it at this moment",
        _writing,
        lambda files, now_s: files.keys() <= {"mess", "intd"} and now_s - files["mess"].unix_s <= OSSIFIED_S,
        "either there are more files than qmail-queue has made by then, or mess was last changed long ago.",
    ),
    Case(
        "killed",
        "qmail-queue was killed; qmail-clean will remove it",
        _killed,
        lambda files, _now_s: files.keys() <= {"mess", "intd"},
        "it has come further than to intd, or it is younger than 36 hours.",
    ),
    Case(
        "todo",
        "todo-proc has not run for hours",
        _todo,
        lambda files, _now_s: "todo" in files,
        "there is no file in todo, so todo-proc has nothing to do with it.",
    ),
    Case(
        "bounce",
        "all recipients are done; the bounce could not be queued yet",
        _bounce,
        lambda files, _now_s: "bounce" in files and not {"local", "remote"} & files.keys(),
        "there is no bounce file, or somebody is still to be tried.",
    ),
    Case(
        "clock",
        "a wrong clock: the next attempt is far in the future",
        _clock,
        lambda files, now_s: files["remote"].unix_s - now_s > _FAR_S,
        "no time in this listing is months ahead.",
    ),
    Case(
        "old",
        "older than a week: the next attempt is the last",
        _old,
        lambda files, now_s: now_s - files["info"].unix_s > LIFETIME_S,
        "info is younger than a week, or there is none.",
    ),
    Case(
        "stopped",
        "qmail-send has not run for hours: its time is long over",
        _stopped,
        lambda files, now_s: now_s - files["remote"].unix_s > _LATE_S,
        "there is no attempt whose time is long over.",
    ),
    Case(
        "retry",
        "it was deferred and waits for its next attempt",
        _retry,
        lambda _files, _now_s: True,
        "no attempt lies before it within the next hours, or something else holds it.",
    ),
)
"""The reasons; each is asked only if none before it is so."""
