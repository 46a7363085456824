"""Looking below a queue directory leaves it nowhere and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import QueueLayout
from indimail_kit.mailqueue.beneath import names_below, open_below, opened_queue


def test_names_are_those_of_the_directory(queue: QueueLayout) -> None:
    """In no order."""
    with opened_queue(queue) as queue_fd:
        assert sorted(names_below("mess", queue_fd)) == [str(number) for number in range(7)]


@pytest.mark.parametrize("path", ["mess/0", "mess/0/7"])
def test_link_on_the_way_is_not_followed(queue: QueueLayout, tmp_path: Path, path: str) -> None:
    """Neither as the last part of a path nor before it."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "7").write_text("secret")
    (queue.directory / "mess" / "0").rmdir()
    (queue.directory / "mess" / "0").symlink_to(tmp_path / "elsewhere")
    with opened_queue(queue) as queue_fd, pytest.raises(OSError, match=r"directory|symbolic"):
        open_below(path, queue_fd)


def test_descriptors_are_closed_again(queue: QueueLayout) -> None:
    """Also those on the way, and when something is not there."""
    before = len([*Path("/proc/self/fd").iterdir()])
    with opened_queue(queue) as queue_fd, pytest.raises(FileNotFoundError):
        names_below("mess/0/nothing", queue_fd)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_missing_queue_is_61(tmp_path: Path) -> None:
    """As chdir would fail."""
    with pytest.raises(QueueError) as caught, opened_queue(QueueLayout(tmp_path / "nowhere")):
        pass
    assert caught.value.exit_code == 61
