"""Images: a small queue as values, and back into a directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import indimail_kit.mailqueue.image as image_module
from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import Queued, QueueLayout, QueueState, create_queue, read_message
from indimail_kit.mailqueue.image import MAX_FILES, FileImage, QueueImage, take_image, write_image


def test_image_of_a_recorded_queue_holds_its_files(unpack: Callable[[str], QueueLayout]) -> None:
    """Two messages of the real qmail-queue in S4: mess, intd and todo, the last two one file."""
    layout = unpack("s4-queued-queue1")
    image = take_image(layout)
    links = [image.links(layout.relative("todo", number)) for number in image.numbers()]
    states = [image.state(layout, number) for number in image.numbers()]
    assert (image.numbers(), states, links) == ((1704474, 1704476), [QueueState.S4] * 2, [2, 2])


def test_image_is_taken_without_a_trace(queue: QueueLayout, put: Callable[..., Queued]) -> None:
    """Access and change times, sizes and links stay as they were."""
    number = put().message_number
    path = queue.path("mess", number)
    before = path.stat()
    take_image(queue)
    assert path.stat() == before


def test_lock_and_links_are_not_in_the_image(queue: QueueLayout, tmp_path: Path) -> None:
    """A symbolic link is not followed, a FIFO is not opened."""
    (tmp_path / "secret").write_bytes(b"secret")
    (queue.directory / "pid" / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(queue.directory / "pid" / "fifo")
    assert dict(take_image(queue).files) == {}


def test_image_can_be_written_and_read_again(queue: QueueLayout, put: Callable[..., Queued], tmp_path: Path) -> None:
    """The message gets the number of its new inode; contents, modes, times and links are the same."""
    number = put().message_number
    image = take_image(queue)
    copy = QueueLayout(tmp_path / "queue2", split=7)
    new_number = write_image(image, copy)[number]
    message = read_message(copy, new_number)
    again = take_image(copy)
    assert (message.state, message.anomalies) == (QueueState.S4, ())
    assert {
        path.split("/")[0]: (file.content, file.mode, file.mtime_ns, again.links(path))
        for path, file in again.files.items()
    } == {
        path.split("/")[0]: (file.content, file.mode, file.mtime_ns, image.links(path))
        for path, file in image.files.items()
    }


def test_file_without_a_message_keeps_its_number(tmp_path: Path) -> None:
    """What a power loss left of an envelope whose mess is gone."""
    layout = QueueLayout(tmp_path / "queue2", split=7)
    image = QueueImage({"todo/3/3": FileImage(9, b"x", 0o644, 5), "pid/1.2.3": FileImage(8, b"", 0o644, 5)})
    assert (write_image(image, layout), sorted(take_image(layout).files)) == ({3: 3}, ["pid/1.2.3", "todo/3/3"])


def test_image_is_never_written_over_mail(queue: QueueLayout, put: Callable[..., Queued]) -> None:
    """A queue with a message is refused before anything is written."""
    put()
    before = take_image(queue)
    with pytest.raises(QueueError, match="a queue with mail"):
        write_image(QueueImage({}), queue)
    assert take_image(queue) == before


def test_mailboxes_are_part_of_the_image(queue: QueueLayout, tmp_path: Path) -> None:
    """Their paths begin with the address, and they come back where the caller says."""
    for name in ("tmp", "new"):
        (tmp_path / "bob" / name).mkdir(parents=True)
    (tmp_path / "bob" / "new" / "1.x").write_bytes(b"mail")
    os.link(tmp_path / "bob" / "new" / "1.x", tmp_path / "bob" / "tmp" / "1.x")
    image = take_image(queue, {"bob@local.test": tmp_path / "bob"})
    write_image(image, QueueLayout(tmp_path / "queue2", split=7), {"bob@local.test": tmp_path / "again"})
    assert sorted(image.mailboxes) == ["bob@local.test/new/1.x", "bob@local.test/tmp/1.x"]
    assert (tmp_path / "again" / "new" / "1.x").samefile(tmp_path / "again" / "tmp" / "1.x")


def test_large_queue_is_refused(queue: QueueLayout) -> None:
    """An image is for a lesson; the error says how much it takes."""
    for number in range(MAX_FILES + 1):
        (queue.directory / "pid" / f"1.2.{number}").touch()
    with pytest.raises(QueueError, match="more than 1000 files"):
        take_image(queue)


def test_missing_queue_is_named(tmp_path: Path) -> None:
    """Exit code 61, as for every program that cannot enter the queue."""
    with pytest.raises(QueueError, match="no queue at") as caught:
        take_image(QueueLayout(tmp_path / "nowhere"))
    assert caught.value.exit_code == 61


def test_missing_mailbox_is_named(queue: QueueLayout, tmp_path: Path) -> None:
    """It is the mailbox, not the queue, that is not there."""
    with pytest.raises(QueueError, match="no mailbox at"):
        take_image(queue, {"bob@local.test": tmp_path / "nobody"})


def test_file_that_vanishes_between_list_and_look_is_left_out(
    queue: QueueLayout, put: Callable[..., Queued], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else removed it: the rest is in the image."""
    number = put().message_number
    real = image_module.open_below

    def open_below(path: str, *rest: int) -> int:
        if path.startswith("intd/") and path.endswith(f"/{number}"):
            queue.path("intd", number).unlink()
        return real(path, *rest)

    monkeypatch.setattr(image_module, "open_below", open_below)
    assert take_image(queue).kinds(queue, number) == {"mess", "todo"}


def test_directory_that_cannot_be_read_is_an_error(queue: QueueLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image without it would tell of mail that is gone."""
    real = image_module.open_below

    def open_below(path: str, *rest: int) -> int:
        if path == "mess/3":
            raise OSError(5, "Input/output error")
        return real(path, *rest)

    monkeypatch.setattr(image_module, "open_below", open_below)
    with pytest.raises(QueueError, match="no image of mess/3: Input/output error"):
        take_image(queue)


def test_descriptors_are_closed_again(queue: QueueLayout, put: Callable[..., Queued]) -> None:
    """Also behind an error in the middle."""
    put()
    before = len([*Path("/proc/self/fd").iterdir()])
    take_image(queue)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_image_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A name that is a directory already: exit code 53, as for a disk that fails."""
    layout = create_queue(tmp_path / "queue2", split=7)
    (layout.directory / "pid" / "1.2.3").mkdir()
    with pytest.raises(QueueError, match="no image in") as caught:
        write_image(QueueImage({"pid/1.2.3": FileImage(8, b"", 0o644, 5)}), layout)
    assert caught.value.exit_code == 53


def test_files_that_no_state_knows_have_no_state() -> None:
    """A todo without mess is no state of INTERNALS."""
    layout = QueueLayout(Path("queue1"), split=7)
    assert QueueImage({"todo/3/3": FileImage(9, b"x", 0o644, 5)}).state(layout, 3) is None


def test_name_that_is_no_number_is_no_message(queue: QueueLayout, tmp_path: Path) -> None:
    """It is kept in the image, and comes back where it was."""
    (queue.directory / "mess" / "3" / "core").write_bytes(b"x")
    image = take_image(queue)
    write_image(image, QueueLayout(tmp_path / "queue2", split=7))
    assert (image.numbers(), (tmp_path / "queue2" / "mess" / "3" / "core").read_bytes()) == ((), b"x")


def test_empty_queue_gives_an_empty_image(tmp_path: Path) -> None:
    """Nothing but directories and lock/."""
    assert take_image(create_queue(tmp_path / "queue9", split=3)) == QueueImage({})
