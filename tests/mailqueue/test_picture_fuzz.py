"""Whatever somebody does to a queue: the quick look and the slow one agree, and neither fails.

The mutations are seeded: octets at random, files of another message's name, links, FIFOs, directories, modes, times.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import QueueLayout, list_messages, open_queues, read_message
from indimail_kit.mailqueue.check import check_queue
from indimail_kit.mailqueue.layout import KINDS, find_owners
from indimail_kit.tables import anomalies, messages, qshape, recipients

NOVEMBER_S = 1_795_356_840

OCTETS = (b"", b"\0", b"F\0", b"T\0", b"Tbob@x", b"Dann@\0T\0", b"Fann\0Fbob\0", b"u1\0p2\0Fann\0Tbob\0", b"X" * 5000)
"""What may stand in a file that was spoilt."""

SEEDS = 8
"""Queues to spoil; sixty passed when this was written."""

TREE_RULES = ("missing-directory", "not-directory", "lock-file")
"""Rules about what a snapshot does not look at."""


def scribble(path: Path, random: Random) -> None:
    """Write other octets, or the old ones with one changed."""
    octets = path.read_bytes() if random.random() < 0.5 else b""
    if octets:
        place = random.randrange(len(octets))
        path.write_bytes(octets[:place] + bytes([random.randrange(256)]) + octets[place + 1 :])
    else:
        path.write_bytes(random.choice(OCTETS))


def remove(path: Path, _: Random) -> None:
    """Take the file away."""
    path.unlink()


def link_elsewhere(path: Path, _: Random) -> None:
    """Make a symbolic link of it."""
    path.unlink()
    path.symlink_to("/etc/hostname")


def make_fifo(path: Path, _: Random) -> None:
    """Make a FIFO of it."""
    path.unlink()
    os.mkfifo(path)


def make_directory(path: Path, _: Random) -> None:
    """Make a directory of it."""
    path.unlink()
    path.mkdir()


def change_mode(path: Path, random: Random) -> None:
    """Give it other permissions, set-user-id perhaps."""
    path.chmod(random.choice((0o600, 0o644, 0o666, 0o4755)))


def change_times(path: Path, random: Random) -> None:
    """Give it times from long ago to far ahead."""
    moment = NOVEMBER_S + random.choice((-(10**9), -200_000, -1, 0, 299, 301, 86_401, 10**7))
    os.utime(path, (moment, moment))


def give_second_name(path: Path, random: Random) -> None:
    """Link it to the name of another number."""
    target = path.with_name(str(random.choice((7, 8, int(path.name) + 1, int(path.name) + 5))))
    if not target.exists():
        os.link(path, target)


def move_to_another_kind(path: Path, random: Random) -> None:
    """Rename it into another directory."""
    place = path.parents[1] if path.parent.name.isdigit() else path.parent
    other = place.parent / random.choice(KINDS)
    target = other / path.name if other.name == "bounce" else other / str(random.randrange(5)) / path.name
    if target.parent.is_dir() and not os.path.lexists(target):
        path.rename(target)


MUTATIONS: tuple[Callable[[Path, Random], None], ...] = (
    scribble,
    scribble,
    scribble,
    remove,
    link_elsewhere,
    make_fifo,
    make_directory,
    change_mode,
    change_times,
    give_second_name,
    move_to_another_kind,
)


def mutate(layout: QueueLayout, random: Random, count: int) -> None:
    """Spoil a queue, one file after the other."""
    for _ in range(count):
        files = sorted(
            path
            for kind in KINDS
            for path in (layout.directory / kind).rglob("*")
            if path.is_file() and not path.is_symlink() and path.name.isdigit()
        )
        random.choice(MUTATIONS)(random.choice(files), random)


@pytest.mark.parametrize("bigtodo", [True, False], ids=["split todo", "flat todo"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_both_readers_say_the_same_of_a_spoilt_queue(tmp_path: Path, seed: int, bigtodo: bool) -> None:
    """Messages, states, sizes, senders, bounces, number of recipients; and what is wrong, rule by rule."""
    random = Random(seed)  # noqa: S311 (a choice, no secret)
    made = make_queue(tmp_path / "queue1", messages=40, split=5, seed=seed, bigtodo=bigtodo, now_s=NOVEMBER_S)
    mutate(made.layout, random, 60)
    picture = open_queues(tmp_path, split=5).snapshot(now_ns=NOVEMBER_S * 10**9, processes=1)
    expected = {}
    for number in list_messages(made.layout):
        files = read_message(made.layout, number)
        mess, is_queued = files.file("mess"), files.file("todo") is not None and files.records is not None
        named = files.records.recipients if is_queued and files.records else (*files.local, *files.remote)
        sender = files.records.sender if files.records is not None else None
        bouncing = files.file("bounce") is not None
        expected[number] = (files.state, mess and mess.size_bytes, sender, bouncing, len(named))
    seen = {
        row.message_number: (row.state, row.size_bytes, row.sender, row.is_bouncing, len(row.recipients))
        for row in picture.messages
    }
    wrong = set(check_queue(made.layout, now_s=NOVEMBER_S, owners=find_owners()))
    assert seen == expected
    assert {one for one in wrong if one.rule not in TREE_RULES} == set(picture.anomalies)
    assert len(messages(picture)) == len(expected)
    assert len(recipients(picture)) == sum(row[-1] for row in expected.values())
    assert len(anomalies(picture)) == len(picture.anomalies)
    assert qshape(picture)["total"].sum() <= len(recipients(picture))
