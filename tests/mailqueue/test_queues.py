"""Which queues there are at a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import QueueLayout, create_queue, open_queues
from indimail_kit.mailqueue.queues import default_place


def test_queues_of_a_base_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """queue10 stands behind queue2, slowq and nqueue at the end; other directories are none."""
    for name in ("queue10", "nqueue", "queue2", "slowq", "queue1", "queue01", "backup"):
        create_queue(tmp_path / name, split=2)
    (tmp_path / "queue3").mkdir()
    queues = open_queues(tmp_path)
    assert [layout.name for layout in queues.layouts] == ["queue1", "queue2", "queue10", "slowq", "nqueue"]


def test_one_queue_is_opened_by_its_directory(tmp_path: Path) -> None:
    """Split and bigtodo are seen from its directories."""
    create_queue(tmp_path / "queue1", split=5, bigtodo=False)
    assert open_queues(str(tmp_path / "queue1")).layouts == (QueueLayout(tmp_path / "queue1", 5, has_bigtodo=False),)


@pytest.mark.parametrize("bigtodo", [True, False], ids=["bigtodo", "flat"])
def test_split_that_a_person_gives_wins(tmp_path: Path, bigtodo: bool) -> None:
    """A damaged queue cannot always be read from its directories."""
    create_queue(tmp_path / "queue1", split=5, bigtodo=bigtodo)
    (tmp_path / "queue1" / "mess" / "3").rmdir()
    assert open_queues(tmp_path, split=5).layouts == (QueueLayout(tmp_path / "queue1", 5, has_bigtodo=bigtodo),)


@pytest.mark.parametrize("place", [".", "nothing"], ids=["an empty directory", "no directory"])
def test_place_without_a_queue_is_refused(tmp_path: Path, place: str) -> None:
    """The text names the place."""
    with pytest.raises(QueueError, match=f"no queue at {tmp_path}") as caught:
        open_queues(tmp_path / place)
    assert caught.value.exit_code == 61


def test_queue_is_found_by_its_name(tmp_path: Path) -> None:
    """And a name that is none is refused."""
    queues = open_queues(create_queue(tmp_path / "queue1", split=2).directory)
    assert queues.layout("queue1").split == 2
    with pytest.raises(QueueError, match="no queue queue2"):
        queues.layout("queue2")


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({}, "/var/indimail/queue"),
        ({"QUEUE_BASE": "/queues"}, "/queues"),
        ({"QUEUE_BASE": "/queues", "QUEUEDIR": "/queues/queue3"}, "/queues/queue3"),
    ],
    ids=["nothing set", "QUEUE_BASE", "QUEUEDIR first"],
)
def test_default_place_is_that_of_the_environment(environ: dict[str, str], place: str) -> None:
    """QUEUEDIR, then QUEUE_BASE, then IndiMail's own."""
    assert default_place(environ) == Path(place)
