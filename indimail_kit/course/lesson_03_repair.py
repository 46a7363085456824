"""Lesson 03, the exercise about repair: rename a message after a copy, all of its files, and nothing else.

Source: IndiMail queue-fix.c (a name that is not the inode of mess); tools/queue-fix-copy.txt of the recorded answers.
"""

from __future__ import annotations

import random
import shlex
from collections.abc import Mapping
from typing import Final

from indimail_kit.course.answers import as_text, kind_of
from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import as_lines, first_mistake, text_of
from indimail_kit.course.lesson_02_setting import SPLIT
from indimail_kit.course.lesson_03_places import PLAIN_SPLIT, draw_number

RENAME_MISTAKES: Final = {
    "overwritten": "One file was moved onto another, which is gone now. Each new name has to be free.",
    "lost": "A file has left the queue, or lies where no program looks for it.",
    "other": "The other message was in order; its files shall stay.",
    "mess": "The message itself does not have its inode as its name yet.",
    "own inode": "A file that is not mess has the number of its own inode. The inode of mess gives all of them their"
    " name.",
    "old directory": "The new number leads to another directory, number modulo split, and a file still lies in the old"
    " one.",
    "plain split": "Those are plain qmail's directories, number modulo 23. This queue has split 151.",
    "bounce": "bounce has no sub-directories: the file lies in bounce itself.",
    "left": "mess has its name, and another file of the message has the old one still: it would belong to no message.",
}
"""Mistake -> its sentence."""

_OTHERS: Final = (("info", "remote"), ("info", "local"), ("info", "local", "remote"), ("info", "bounce"))
"""The files of a preprocessed message besides mess."""


def _relative(kind: str, number: int, split: int = SPLIT) -> str:
    return f"bounce/{number}" if kind == "bounce" else f"{kind}/{number % split}/{number}"


def _draw_rename(rng: random.Random) -> Drawn:
    number, kinds = draw_number(rng), ("mess", *rng.choice(_OTHERS))
    inode = number + rng.randrange(160, 900)
    while inode % SPLIT == number % SPLIT:
        inode += 1
    other = draw_number(rng)
    inodes = {"mess": inode} | {kind: inode + place for place, kind in enumerate(kinds[1:], start=1)}
    lines = [f"{inodes[kind]} {_relative(kind, number)}" for kind in kinds]
    lines += [f"{other} {_relative('mess', other)}", f"{other + 3} {_relative('info', other)}"]
    given = {"ls -i": "\n".join(lines), "split": str(SPLIT)}
    return Drawn(given=given, right=_solve_rename(given))


def _files(given: Mapping[str, object]) -> dict[str, int]:
    """Return the files of the task, path -> inode."""
    rows = (line.split() for line in text_of(given, "ls -i").split("\n"))
    return {path: int(inode) for inode, path in rows}


def _wrong_message(files: Mapping[str, int]) -> tuple[int, int]:
    """Return the name of the message that has to be renamed, and the inode of its mess file."""
    return next(
        (int(path.rpartition("/")[2]), inode)
        for path, inode in files.items()
        if path.startswith("mess/") and not path.endswith(f"/{inode}")
    )


def _solve_rename(given: Mapping[str, object]) -> list[str]:
    files = _files(given)
    number, inode = _wrong_message(files)
    return [f"mv {path} {_relative(path.partition('/')[0], inode)}" for path in files if path.endswith(f"/{number}")]


def _judge_rename(drawn: Drawn, answer: object) -> str | None:
    text = as_text(as_lines(answer))
    if text is None:
        return f"A list of command lines is wanted, each a text; this is {kind_of(answer)}, or not only of texts."
    before = _files(drawn.given)
    files, is_overwritten = dict(before), False
    for line in filter(None, map(str.strip, text.split("\n"))):
        try:
            words = shlex.split(line)
        except ValueError:
            return "A quote in one of the lines has no end."
        if len(words) != 3 or words[0] != "mv":
            return "Each line is mv, the old path, the new path, below the queue directory."
        _mv, old, new = words
        if old not in files:
            return "One line moves a file that is not there, or not any more. Take the paths as ls prints them."
        inode = files.pop(old)
        is_overwritten = is_overwritten or new in files
        files[new] = inode
    return RENAME_MISTAKES.get(_mistake_in_queue(before, files, is_overwritten=is_overwritten))


def _mistake_in_queue(before: Mapping[str, int], files: Mapping[str, int], *, is_overwritten: bool) -> str:
    """Return the first mistake in what is there after the commands, "" for none."""
    number, inode = _wrong_message(before)
    places = {at: path for path, at in files.items()}
    kinds = {at: path.partition("/")[0] for path, at in before.items() if path.endswith(f"/{number}")}
    others = {path: at for path, at in before.items() if at not in kinds}
    names = {at: places.get(at, "").rpartition("/")[2] for at in kinds}
    wrong = {at: kind for at, kind in kinds.items() if places.get(at) != _relative(kind, inode)}
    moved = {at: kind for at, kind in wrong.items() if names[at] == str(inode)}
    return first_mistake(
        (
            ("overwritten", is_overwritten),
            ("other", any(files.get(path) != at for path, at in others.items())),
            ("mess", names[inode] != str(inode)),
            ("own inode", any(names[at] == str(at) for at in wrong if at != inode)),
            ("bounce", any(kind == "bounce" for kind in moved.values())),
            ("plain split", any(places[at] == _relative(kind, inode, PLAIN_SPLIT) for at, kind in moved.items())),
            ("old directory", any(places[at] == f"{kind}/{number % SPLIT}/{inode}" for at, kind in moved.items())),
            ("left", any(names[at] == str(number) for at in wrong)),
            ("lost", bool(wrong)),
        )
    )


RENAME: Final = Exercise(
    number="03.11",
    grade=Grade.FIND_OUT,
    title="repair a queue",
    goal="qmail-send is stopped. This is ls -i of a restored queue, with two messages in it. Write the mv commands, a"
    " list of lines, after which qmail-send may start: as few as needed.",
    reason="Right: your commands were done on a copy of these names. mess has its inode as its name, its other files"
    " have followed it, each in the directory of the new number, and the other message lies where it lay.",
    way="The inode of mess is the new number of every file of this message; its remainder modulo split is their"
    " directory; bounce has none.",
    hints=(
        "Which of the two messages is wrong? Compare the inode of mess with its name. info never has its own.",
        "All files of a message have one name, the inode of mess. Each goes into the directory of the new number.",
        'f"mv info/{old % 151}/{old} info/{new % 151}/{new}"; bounce is not split.',
    ),
    draw=_draw_rename,
    solve=_solve_rename,
    judge=_judge_rename,
)
