"""Names and octets reach the disk on their own ways."""

from __future__ import annotations

from dataclasses import dataclass

from indimail_kit.mailqueue.durability import Durable, deeds, durable
from indimail_kit.mailqueue.image import FileImage, QueueImage

EMPTY = QueueImage({})


@dataclass(frozen=True)
class Moment:
    """A step as `durability` sees it."""

    call: str
    path: str
    image: QueueImage


def file(content: bytes = b"", inode: int = 7) -> FileImage:
    """Return a file."""
    return FileImage(inode, content, 0o644, 0)


NEW = Moment("open", "pid/1", QueueImage({"pid/1": file()}))
WRITTEN = Moment("write", "pid/1", QueueImage({"pid/1": file(b"abc")}))
SYNCED = Moment("fsync", "pid/1", WRITTEN.image)
LISTED = Moment("fsyncdir", "pid", WRITTEN.image)
LINKED = Moment("link", "mess/0/7", QueueImage({"pid/1": file(b"abc"), "mess/0/7": file(b"abc")}))
LEFT = Moment("unlink", "pid/1", QueueImage({"mess/0/7": file(b"abc")}))


def test_nothing_is_sure_without_a_sync() -> None:
    """A new file with octets may be gone after a power loss."""
    assert durable(EMPTY, [NEW, WRITTEN]) == Durable(frozenset(), {})


def test_fsync_of_a_file_brings_octets_and_no_name() -> None:
    """fsync(2) says so."""
    assert durable(EMPTY, [NEW, WRITTEN, SYNCED]) == Durable(frozenset(), {7: 3})


def test_fsync_of_a_directory_brings_names_and_no_octets() -> None:
    """The file may be there and empty."""
    assert durable(EMPTY, [NEW, WRITTEN, LISTED]) == Durable(frozenset({"pid/1"}), {})


def test_fsync_of_one_directory_does_nothing_for_another() -> None:
    """A link in mess is not brought to the disk by a sync of pid."""
    steps = [NEW, WRITTEN, LINKED, Moment("fsyncdir", "pid", LINKED.image)]
    assert durable(EMPTY, steps).names == frozenset({"pid/1"})


def test_removed_name_is_not_sure_any_more() -> None:
    """Whether its removal was synced or not."""
    assert durable(EMPTY, [NEW, WRITTEN, LISTED, LINKED, LEFT]).names == frozenset()


def test_octets_written_after_the_sync_are_not_sure() -> None:
    """Only the first three are."""
    longer = Moment("write", "pid/1", QueueImage({"pid/1": file(b"abcdef")}))
    assert durable(EMPTY, [NEW, WRITTEN, SYNCED, longer]).octets == {7: 3}


def test_what_was_there_before_the_tape_is_on_the_disk() -> None:
    """A tape of a delivery begins with a queued message."""
    assert durable(WRITTEN.image, []) == Durable(frozenset({"pid/1"}), {7: 3})


def test_ordered_journal_is_written_up_to_the_last_change_of_the_synced_file() -> None:
    """The fsync waits for the file's own names, and with them for all earlier ones, not for later ones of others."""
    other = Moment("open", "intd/0/7", QueueImage({**LEFT.image.files, "intd/0/7": file(inode=8)}))
    steps = [NEW, WRITTEN, LINKED, LEFT, other, Moment("fsync", "mess/0/7", other.image)]
    done = deeds(EMPTY, steps)
    assert [change.path for change in done.names[: done.journal_length]] == ["pid/1", "mess/0/7", "pid/1"]


def test_step_that_did_two_things_is_told_as_two() -> None:
    """The images are compared, so that nothing hides behind a name of a call."""
    done = deeds(EMPTY, [LINKED])
    assert ([(change.path, change.is_added) for change in done.names], len(done.data)) == (
        [("pid/1", True), ("mess/0/7", True)],
        1,
    )
