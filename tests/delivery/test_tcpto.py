"""How long a host that did not answer is left alone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from indimail_kit.delivery.tcpto import TimeoutTable, after_answer, after_timeout, is_resting
from indimail_kit.mailqueue.layout import create_queue
from indimail_kit.mailqueue.tcpto import IPV6, TimeoutRecord, decode, encode

HOST = "127.0.0.1"
NOW_S = 1_795_356_840


@pytest.fixture
def table(tmp_path: Path) -> TimeoutTable:
    """Return the table of a new queue."""
    return TimeoutTable(create_queue(tmp_path / "queue1", split=1).directory)


def path_of(tmp_path: Path) -> Path:
    """Return the file."""
    return tmp_path / "queue1" / "lock" / "tcpto"


# -- the rules ---------------------------------------------------------------------------------------------------


def test_one_timeout_is_not_enough() -> None:
    """A host rests after the second timeout only."""
    assert not is_resting([TimeoutRecord(0, HOST, 1, NOW_S)], HOST, now_s=NOW_S)
    assert is_resting([TimeoutRecord(0, HOST, 2, NOW_S)], HOST, now_s=NOW_S)


@pytest.mark.parametrize(
    ("min_backoff_s", "spread", "rest_s"),
    [(3600, 0, 3840), (3600, 31, 5824), (3600, 32, 3840), (600, 0, 840), (-600, 31, 600)],
    ids=["64 minutes", "97 minutes", "five bits count", "of a route", "exactly"],
)
def test_rest_lasts_so_long(min_backoff_s: int, spread: int, rest_s: int) -> None:
    """From 64 to 97 minutes by default; both sides of the limit."""
    record = TimeoutRecord(0, HOST, 2, NOW_S)
    answers = [
        is_resting([record], HOST, now_s=NOW_S + age_s, min_backoff_s=min_backoff_s, spread=spread)
        for age_s in (rest_s - 1, rest_s)
    ]
    assert answers == [True, False]


def test_other_hosts_do_not_rest() -> None:
    """Each host has its own record."""
    assert not is_resting([TimeoutRecord(0, HOST, 10, NOW_S)], "127.0.0.2", now_s=NOW_S)


def test_timeouts_within_two_minutes_count_once() -> None:
    """Several deliveries that time out together are one fault."""
    records = [TimeoutRecord(3, HOST, 1, NOW_S)]

    assert after_timeout(records, HOST, now_s=NOW_S + 119) is None
    assert after_timeout(records, HOST, now_s=NOW_S + 120) == TimeoutRecord(3, HOST, 2, NOW_S + 120)


def test_forgiven_host_begins_again_at_once() -> None:
    """A count of 0 has no tolerance."""
    records = [TimeoutRecord(0, HOST, 0, NOW_S)]
    assert after_timeout(records, HOST, now_s=NOW_S) == TimeoutRecord(0, HOST, 1, NOW_S)


def test_count_ends_at_ten() -> None:
    """As in the real program."""
    assert after_timeout([TimeoutRecord(0, HOST, 10, 0)], HOST, now_s=NOW_S) == TimeoutRecord(0, HOST, 10, NOW_S)


def test_time_behind_the_year_2106_wraps_as_in_the_real_one() -> None:
    """Four octets hold no more."""
    assert after_timeout([], HOST, now_s=2**32 + 7) == TimeoutRecord(0, HOST, 1, 7)


def test_new_host_takes_the_first_free_record() -> None:
    """Free is a record that was never used, or whose host has answered since."""
    records = [TimeoutRecord(0, HOST, 1, NOW_S), TimeoutRecord(1, "127.0.0.2", 0, NOW_S)]

    assert after_timeout(records, "::1", now_s=NOW_S) == TimeoutRecord(1, "::1", 1, NOW_S, IPV6)
    assert after_timeout(records[:1], "127.0.0.9", now_s=NOW_S) == TimeoutRecord(1, "127.0.0.9", 1, NOW_S)


def test_full_table_gives_up_its_oldest_record() -> None:
    """A timeout more is worth 1024 seconds."""
    records = [TimeoutRecord(0, "127.0.1.0", 2, 1000), TimeoutRecord(1, "127.0.1.1", 1, 2025)]
    newer = [TimeoutRecord(0, "127.0.1.0", 2, 1000), TimeoutRecord(1, "127.0.1.1", 1, 2023)]

    assert after_timeout(records, HOST, now_s=NOW_S, count=2) == TimeoutRecord(0, HOST, 1, NOW_S)
    assert after_timeout(newer, HOST, now_s=NOW_S, count=2) == TimeoutRecord(1, HOST, 1, NOW_S)
    assert after_timeout([], HOST, now_s=NOW_S, count=0) is None


def test_answer_forgives() -> None:
    """The count goes to 0; a host without one needs no writing."""
    assert after_answer([TimeoutRecord(4, HOST, 7, NOW_S)], HOST) == TimeoutRecord(4, HOST, 0, NOW_S)
    assert after_answer([TimeoutRecord(4, HOST, 0, NOW_S)], HOST) is None
    assert after_answer([], HOST) is None


# -- the file ----------------------------------------------------------------------------------------------------


def test_two_timeouts_in_the_file_make_a_host_rest(table: TimeoutTable, tmp_path: Path) -> None:
    """The second one, two minutes later, counts; the answer ends it."""
    table.timed_out(HOST, now_s=NOW_S)
    assert not table.is_resting(HOST, now_s=NOW_S)

    table.timed_out(HOST, now_s=NOW_S + 120)
    assert decode(path_of(tmp_path).read_bytes()) == (TimeoutRecord(0, HOST, 2, NOW_S + 120),)
    assert table.is_resting(HOST, now_s=NOW_S + 120)

    table.answered(HOST)
    assert not table.is_resting(HOST, now_s=NOW_S + 120)


def test_other_records_stay_octet_for_octet(table: TimeoutTable, tmp_path: Path) -> None:
    """Only 32 octets are written."""
    before = bytearray(encode([TimeoutRecord(0, "127.0.0.7", 3, 5), TimeoutRecord(2, "127.0.0.8", 1, 6)]))
    before[1:4] = b"\1\2\3"  # what the real program leaves there is nobody's
    path_of(tmp_path).write_bytes(before)

    table.timed_out(HOST, now_s=NOW_S)
    after = path_of(tmp_path).read_bytes()
    assert (after[:32], after[64:]) == (before[:32], before[64:])


@pytest.mark.parametrize("damage", ["missing", "link", "directory", "fifo", "broken record", "locked"])
def test_useless_table_keeps_no_mail_back(table: TimeoutTable, tmp_path: Path, damage: str) -> None:
    """Nobody rests, nothing is written, nothing is raised, and nobody waits."""
    path = path_of(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(encode([TimeoutRecord(0, HOST, 2, NOW_S)]))
    octets = encode([TimeoutRecord(0, HOST, 2, NOW_S), TimeoutRecord(1, "127.0.0.2", 1, 0)])[:33]
    path.unlink()
    deeds = {
        "missing": lambda: None,
        "link": lambda: path.symlink_to(elsewhere),
        "directory": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
        "broken record": lambda: path.write_bytes(octets[:31]),
        "locked": lambda: path.write_bytes(octets),
    }
    deeds[damage]()
    holder = os.open(tmp_path if damage != "locked" else path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)

    table.timed_out(HOST, now_s=NOW_S + 600)
    table.answered(HOST)
    assert not table.is_resting(HOST, now_s=NOW_S)
    assert decode(elsewhere.read_bytes()) == (TimeoutRecord(0, HOST, 2, NOW_S),)
    os.close(holder)
