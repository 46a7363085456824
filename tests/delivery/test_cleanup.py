"""What is removed after 36 hours."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.delivery.cleanup import clean_up, is_ossified
from indimail_kit.mailqueue.layout import QueueLayout, create_queue

NOW_S = 1_795_356_840
HOURS_36 = 36 * 3600


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [pytest.param(HOURS_36, False, id="at the limit"), pytest.param(HOURS_36 + 1, True, id="a second later")],
)
def test_file_ossifies_after_36_hours(age_s: int, expected: bool) -> None:
    """INTERNALS section 6: longer than any qmail-queue lives."""
    assert is_ossified(access_s=NOW_S - age_s, now_s=NOW_S) is expected


@pytest.fixture
def queue(tmp_path: Path) -> QueueLayout:
    """Return a queue."""
    return create_queue(tmp_path / "queue1", split=3)


def put(layout: QueueLayout, name: str, *, age_s: int) -> Path:
    """Put a file of an age into the queue."""
    path = layout.directory / name
    path.touch()
    os.utime(path, (NOW_S - age_s, NOW_S - age_s))
    return path


@pytest.mark.parametrize(
    ("names", "removed"),
    [
        pytest.param(["mess/1/7"], ("mess/1/7",), id="S2"),
        pytest.param(["mess/1/7", "intd/1/7"], ("intd/1/7", "mess/1/7"), id="S3"),
        pytest.param(["mess/1/7", "intd/1/7", "todo/1/7"], (), id="S4"),
        pytest.param(["mess/1/7", "info/1/7"], (), id="S5"),
        pytest.param(["pid/5.5.1"], ("pid/5.5.1",), id="pid"),
        pytest.param(["mess/2/7", "mess/1/stray"], (), id="what is no message"),
    ],
)
def test_only_messages_that_never_came_in_are_removed(
    queue: QueueLayout, names: list[str], removed: tuple[str, ...]
) -> None:
    """Old files in S2 and S3 go, a message in S4 or S5 never does."""
    for name in names:
        put(queue, name, age_s=HOURS_36 + 1)

    assert clean_up(queue, now_s=NOW_S) == removed


def test_young_files_stay(queue: QueueLayout) -> None:
    """A qmail-queue may be at work on them."""
    put(queue, "mess/1/7", age_s=HOURS_36)
    put(queue, "pid/5.5.1", age_s=0)

    assert clean_up(queue, now_s=NOW_S) == ()


def test_removals_are_told(queue: QueueLayout) -> None:
    """Each with its step, path and number."""
    put(queue, "mess/1/7", age_s=HOURS_36 + 1)
    told: list[tuple[str, str, int]] = []

    clean_up(queue, now_s=NOW_S, tell=lambda *step: told.append(step))

    assert told == [("unlink", "mess/1/7", 7)]


def test_queue_without_pid_directory_is_cleaned_too(queue: QueueLayout) -> None:
    """One missing directory does not keep the others."""
    (queue.directory / "pid").rmdir()
    put(queue, "mess/1/7", age_s=HOURS_36 + 1)

    assert clean_up(queue, now_s=NOW_S) == ("mess/1/7",)


def test_file_that_vanishes_while_looking_is_no_trouble(queue: QueueLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its qmail-queue went on between the listing and the look."""
    monkeypatch.setattr("indimail_kit.delivery.cleanup.scan_numbers", lambda _layout, _kind: iter([("mess/1", 7)]))

    assert clean_up(queue, now_s=NOW_S) == ()


@pytest.mark.parametrize("kind", ["info", "todo"])
def test_message_whose_files_cannot_be_seen_is_kept(
    queue: QueueLayout, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A disk that answered EIO to a look at info once cost a message in S5 its mess: mail that waited was lost."""
    put(queue, "mess/1/7", age_s=HOURS_36 + 1)
    put(queue, f"{kind}/1/7", age_s=HOURS_36 + 1)
    real = os.lstat

    def lstat(path: str | Path, **options: Any) -> os.stat_result:
        if str(path).endswith(f"{kind}/1/7"):
            raise OSError(errno.EIO, "Input/output error")
        return real(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", lstat)
        removed = clean_up(queue, now_s=NOW_S)

    assert removed == ()
