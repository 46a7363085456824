"""All queues at a glance: numbers, words, who holds them, and what cannot be told."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from indimail_kit.admin import look_at_queues
from indimail_kit.admin import overview as module
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import create_queue, open_queues
from indimail_kit.tables import QUEUES, messages

NOW_S = 1_795_356_840


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return a base with two queues, one of them with a fault, and one that cannot be looked at."""
    base = tmp_path / "queue"
    make_queue(base / "queue1", messages=40, split=5, seed=3, now_s=NOW_S, faults=["wrong-mode"])
    make_queue(base / "queue2", messages=4, split=5, seed=4, now_s=NOW_S)
    (base / "queue3" / "mess" / "17").mkdir(parents=True)
    return base


def look(base: Path, **options):
    """Return the overview at the moment of the queues."""
    queues = open_queues(base)
    return look_at_queues(queues, picture=queues.snapshot(now_ns=NOW_S * 10**9, processes=1), **options)


def test_numbers_are_those_of_the_messages(base: Path) -> None:
    """Each state, what is to do, the size, the oldest."""
    seen = look(base)
    frame = messages(open_queues(base).snapshot(now_ns=NOW_S * 10**9, processes=1))
    for one in seen.queues:
        own = frame[frame["queue"] == one.queue]
        states = own["state"].value_counts()
        assert (one.messages, one.waiting, one.delivering) == (len(own), states.get("S4", 0), states.get("S5", 0))
        assert one.writing + one.broken + one.waiting + one.delivering == one.messages
        assert (one.to_do, one.size_bytes) == ((own["recipients"] - own["done"]).sum(), own["size_bytes"].sum())
        assert one.oldest_age_s == own["age_s"].max()
    assert [one.anomalies for one in seen.queues] == [1, 0]


def test_it_is_a_table_and_words(base: Path) -> None:
    """A frame in its shape, a row of texts for each queue, sentences with what is wrong and left out."""
    seen = look(base)
    QUEUES.check(seen.frame())

    assert [row[0] for row in seen.rows] == ["queue1", "queue2"]
    assert {len(row) for row in seen.rows} == {len(seen.columns)}
    assert "1 thing wrong" in seen.text
    assert "queue3 cannot be looked at" in seen.text
    assert "No qmail-send is seen at work on queue1, queue2." in seen.text


def test_who_holds_a_queue_is_told(base: Path) -> None:
    """By process and name, without opening its lock."""
    with (base / "queue2" / "lock" / "sendmutex").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        held = look(base).queues[1]

    assert held.holder_pid == os.getpid()
    assert held.holder.endswith(f", pid {os.getpid()}")


def test_what_cannot_be_told_is_said(base: Path, tmp_path: Path) -> None:
    """Without /proc/locks nobody is called idle or busy."""
    seen = look(base, proc=tmp_path)

    assert [one.holder for one in seen.queues] == ["cannot be told"] * 2
    assert "It cannot be told whether qmail-send works on queue1, queue2." in seen.text
    assert "No qmail-send" not in seen.text


@pytest.mark.parametrize(
    ("pid", "words"), [(4242, "a process, pid 4242"), (-1, "runs, its process cannot be seen")], ids=["gone", "unseen"]
)
def test_holder_without_a_name_is_told_as_far_as_it_is_seen(base: Path, tmp_path: Path, pid: int, words: str) -> None:
    """A process that has just ended, or one of another user or container."""
    status = (base / "queue1" / "lock" / "sendmutex").lstat()
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text("")
    (tmp_path / "locks").write_text(f"1: FLOCK  ADVISORY  WRITE {pid} {device}:{status.st_ino} 0 EOF\n")

    assert [one.holder for one in look(base, proc=tmp_path).queues] == [words, "not running"]


def test_empty_queue_has_no_oldest_and_nothing_to_complain_of(tmp_path: Path) -> None:
    """One sentence."""
    create_queue(tmp_path / "queue1", split=5)
    seen = look(tmp_path)

    assert seen.text == "0 messages in 1 queue; 0 recipients to do."
    assert seen.rows[0][6] == "-"


def test_little_room_is_told(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few octets or few inodes left: mail will soon be refused."""
    monkeypatch.setattr(module, "LOW_INODES", 1 << 62)

    assert "queue1: little room" in look(base).text


def test_names_of_queues_stay_text(base: Path) -> None:
    """A hostile place or process name does not reach HTML or a terminal as it is."""
    place = base.rename(base.with_name("<img src=x>\x1b"))
    seen = look(place)

    assert ("\x1b" in repr(seen), "<img" in seen._repr_html_()) == (False, False)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d"), (None, "-")]
)
def test_age_is_short(seconds, text) -> None:
    """Two of a unit at least."""
    assert module.span_text(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (999_999, "999,999"), (14_999_631, "15.0 million")])
def test_count_is_short_when_it_is_large(count, text) -> None:
    """Nobody counts inodes one by one."""
    assert module.count_text(count) == text


@pytest.mark.parametrize(("octets", "text"), [(0, "0 B"), (1023, "1023 B"), (1 << 20, "1.0 MiB"), (5 << 40, "5.0 TiB")])
def test_size_has_its_unit(octets, text) -> None:
    """From octets to TiB."""
    assert module.size_text(octets) == text
