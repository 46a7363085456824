"""The choice of a queue against recorded calls of qmail-multi."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue.layout import QueueLayout, create_queue
from indimail_kit.mailqueue.multi import (
    QUEUE_BASE,
    check_free_space,
    choose_queue,
    create_queues,
    find_layout,
    layout_from_environ,
)


def seeded() -> Random:
    """Return a source of choices that can be replayed."""
    return Random(1)  # noqa: S311 (a choice of queues is no secret)


def chosen(environ: dict[str, str], *, calls: int = 600) -> dict[str, int]:
    """Count the queues that are chosen."""
    random = seeded()
    names = [choose_queue(environ, random=random).name for _ in range(calls)]
    return {name: names.count(name) for name in sorted(set(names))}


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"QUEUE_COUNT": "3", "QUEUE_START": "1"}, ["queue1", "queue2", "queue3"]),
        ({"QUEUE_COUNT": "2", "QUEUE_START": "2"}, ["queue2", "queue3"]),
        ({"QUEUE_COUNT": "1", "QUEUE_START": "0"}, ["queue0"]),
        ({}, sorted(f"queue{number}" for number in range(1, 11))),
    ],
    ids=["3 from 1, recorded", "2 from 2, recorded", "one", "defaults"],
)
def test_queues_are_those_of_count_and_start(environ: dict[str, str], names: list[str]) -> None:
    """Recorded: 400 calls with 3/1 gave queue1, 2, 3; with 2/2 queue2 and 3 only."""
    assert list(chosen(environ)) == names


def test_every_queue_is_as_likely_as_every_other() -> None:
    """Recorded 112/141/147 of 400; not "seconds modulo count", which would give runs of one queue."""
    counts = chosen({"QUEUE_COUNT": "3", "QUEUE_START": "1"}, calls=6000)
    assert max(abs(count - 2000) for count in counts.values()) < 120  # 3 standard deviations are 110


def test_a_seed_fixes_the_choice() -> None:
    """The lab can be replayed."""
    one, other = seeded(), seeded()
    assert [choose_queue({}, random=one) for _ in range(20)] == [choose_queue({}, random=other) for _ in range(20)]


def test_queuedir_goes_before_everything(tmp_path: Path) -> None:
    """QUEUEDIR set: that one, and no choice."""
    environ = {"QUEUEDIR": str(tmp_path / "nqueue"), "QUEUE_BASE": "/elsewhere", "QUEUE_COUNT": "no number"}
    assert choose_queue(environ, random=seeded()) == tmp_path / "nqueue"


@pytest.mark.parametrize(
    ("environ", "base"), [({}, QUEUE_BASE), ({"QUEUE_BASE": "/srv/queue"}, Path("/srv/queue"))], ids=["default", "set"]
)
def test_base_is_queue_base_or_the_default(environ: dict[str, str], base: Path) -> None:
    """Default: /var/indimail/queue."""
    assert choose_queue(environ, random=seeded()).parent == base


def test_base_may_come_from_control_queue_base() -> None:
    """The caller has read the file."""
    assert choose_queue({}, random=seeded(), base_default=Path("/from/control")).parent == Path("/from/control")


@pytest.mark.parametrize("name", ["QUEUE_COUNT", "QUEUE_START"])
@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "1e3", "9" * 30, "٣"])
def test_number_of_queues_that_is_no_number_is_a_configuration_error(name: str, text: str) -> None:
    """Exit code 55."""
    with pytest.raises(QueueError) as caught:
        choose_queue({name: text}, random=seeded())
    assert caught.value.exit_code == 55


def test_no_queues_at_all_is_a_configuration_error() -> None:
    """The real program divides by zero."""
    with pytest.raises(QueueError) as caught:
        choose_queue({"QUEUE_COUNT": "0"}, random=seeded())
    assert caught.value.exit_code == 55


def test_new_queues_have_the_names_that_are_chosen(tmp_path: Path) -> None:
    """create_queues and choose_queue agree."""
    layouts = create_queues(tmp_path, count=2, start=3, split=2)
    environ = {"QUEUE_BASE": str(tmp_path), "QUEUE_COUNT": "2", "QUEUE_START": "3"}
    random = seeded()
    assert {choose_queue(environ, random=random) for _ in range(50)} == {layout.directory for layout in layouts}


@pytest.mark.parametrize(
    ("environ", "split", "has_bigtodo"),
    [
        ({}, 151, True),
        ({"CONFSPLIT": "23"}, 23, True),
        ({"CONFSPLIT": "151"}, 151, True),
        ({"CONFSPLIT": "152"}, 151, True),
        ({"CONFSPLIT": "500"}, 151, True),
        ({"CONFSPLIT": "x"}, 151, True),
        ({"BIGTODO": "0"}, 151, False),
        ({"BIGTODO": "1"}, 151, True),
    ],
    ids=str,
)
def test_environment_tells_qmail_queue_the_layout(environ: dict[str, str], split: int, has_bigtodo: bool) -> None:
    """CONFSPLIT can only lower the split."""
    assert layout_from_environ(Path("q"), environ) == QueueLayout(Path("q"), split, has_bigtodo)


def test_disk_with_less_than_min_free_is_full(tmp_path: Path) -> None:
    """Recorded as "qmail-multi MIN_FREE huge": 53."""
    with pytest.raises(QueueError) as caught:
        check_free_space(tmp_path, {"MIN_FREE": "99999999999999"})
    assert caught.value.exit_code == 53


@pytest.mark.parametrize("environ", [{}, {"MIN_FREE": "0"}, {"MIN_FREE": "1048576"}], ids=str)
def test_disk_with_room_is_taken(tmp_path: Path, environ: dict[str, str]) -> None:
    """Without MIN_FREE nothing is asked for."""
    assert check_free_space(tmp_path, environ) is None  # type: ignore[func-returns-value]  # it returned: that is the claim


def test_file_system_that_cannot_be_asked_is_a_configuration_error(tmp_path: Path) -> None:
    """Exit code 55."""
    with pytest.raises(QueueError) as caught:
        check_free_space(tmp_path / "nowhere", {"MIN_FREE": "1"})
    assert caught.value.exit_code == 55


def name_of(place: Any) -> str:
    """Return the name of a directory that is given by its path or by a descriptor."""
    return (Path(f"/proc/self/fd/{place}").readlink() if isinstance(place, int) else Path(place)).name


@pytest.mark.parametrize("kinds", [("mess", "info", "local", "remote"), ("todo", "intd")], ids=["split", "bigtodo"])
def test_layout_that_cannot_be_seen_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...]
) -> None:
    """A disk that answered EIO to a look at todo once had mail put, and acknowledged, where todo-proc never looks."""
    directory = create_queue(tmp_path / "queue1", split=2).directory
    real = os.scandir

    def scandir(place: Any) -> Any:
        if name_of(place) in kinds:
            raise OSError(errno.EIO, "Input/output error")
        return real(place)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        with pytest.raises(QueueError, match="Input/output error") as caught:
            find_layout(directory, {})

    assert caught.value.exit_code == 62


@pytest.mark.parametrize("kind", ["mess", "todo"])
def test_layout_that_another_directory_shows_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What mess does not say info says, what todo does not say intd."""
    made = create_queue(tmp_path / "queue1", split=2)
    real = os.scandir

    def scandir(place: Any) -> Any:
        if name_of(place) == kind:
            raise OSError(errno.EACCES, "Permission denied")
        return real(place)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        found = find_layout(made.directory, {})

    assert found == made


def test_queue_directory_that_cannot_be_looked_at_is_exit_code_61(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for a bug of ours (81)."""

    def is_dir(_path: Path) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_dir", is_dir)
        with pytest.raises(QueueError, match="Input/output error") as caught:
            find_layout(tmp_path, {})

    assert caught.value.exit_code == 61
