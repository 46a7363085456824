"""Enumeration: which disks a model allows behind a few steps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from indimail_kit.mailqueue.crash_images import CrashModel, possible_images
from indimail_kit.mailqueue.image import FileImage, QueueImage

EMPTY = QueueImage({})


@dataclass(frozen=True)
class Moment:
    """A step as `crash_images` sees it."""

    call: str
    path: str
    image: QueueImage


def image(**files: bytes) -> QueueImage:
    """Return an image: name -> content; each name is a file of its own, in its directory."""
    return QueueImage({f"{name}/1": FileImage(len(name), content, 0o644, 0) for name, content in files.items()})


def disks(steps: list[Moment], model: CrashModel, before: QueueImage = EMPTY) -> list[dict[str, bytes]]:
    """Return what is on each possible disk: path -> content."""
    found = possible_images(before, steps, model).images
    return [{path: file.content for path, file in one.image.files.items()} for one in found]


NEW = Moment("open", "a/1", image(a=b""))
WRITTEN = Moment("write", "a/1", image(a=b"xy"))
SECOND = Moment("open", "bb/1", image(a=b"xy", bb=b""))


def test_unordered_disk_has_any_subset_of_names() -> None:
    """The second file without the first one too."""
    synced = Moment("fsync", "a/1", WRITTEN.image)
    names = [sorted(disk) for disk in disks([NEW, WRITTEN, synced, SECOND], "unordered")]
    assert sorted(names) == [[], ["a/1"], ["a/1", "bb/1"], ["bb/1"]]


def test_ordered_journal_has_names_in_their_order() -> None:
    """Never the second without the first."""
    both = [NEW, Moment("open", "bb/1", image(a=b"", bb=b""))]
    assert [sorted(disk) for disk in disks(both, "ordered")] == [["a/1", "bb/1"], ["a/1"], []]


def test_file_may_be_empty_behind_its_name() -> None:
    """A journal with ordered data has octets or none; the unordered disk may have zeros."""
    assert disks([NEW, WRITTEN], "ordered") == [{"a/1": b"xy"}, {}, {"a/1": b""}]
    assert sorted(map(str, disks([NEW, WRITTEN], "unordered"))) == sorted(
        map(str, [{"a/1": b"xy"}, {}, {"a/1": b""}, {"a/1": b"\0\0"}])
    )


def test_mark_in_place_is_there_or_not() -> None:
    """One octet is never half written."""
    before = image(local=b"Tbob\0")
    steps = [Moment("mark", "local/1", image(local=b"Dbob\0"))]
    assert disks(steps, "unordered", before) == [{"local/1": b"Dbob\0"}, {"local/1": b"Tbob\0"}]


@pytest.mark.parametrize(("model", "lengths"), [("unordered", {0, 4608, 10000}), ("ordered", {0, 4096, 10000})])
def test_long_file_may_be_there_by_half(model: CrashModel, lengths: set[int]) -> None:
    """Up to a sector, or up to a page."""
    steps = [NEW, Moment("write", "a/1", image(a=b"x" * 10000))]
    assert {len(disk["a/1"].strip(b"\0")) for disk in disks(steps, model) if disk} == lengths


def test_emptied_file_may_be_full_still() -> None:
    """A truncation is a write like others."""
    before = image(mess=b"mail")
    steps = [Moment("truncate", "mess/1", image(mess=b""))]
    assert disks(steps, "ordered", before) == [{"mess/1": b""}, {"mess/1": b"mail"}]


def test_removed_name_may_be_back() -> None:
    """With the file that it had."""
    before = image(todo=b"F\0")
    assert disks([Moment("unlink", "todo/1", EMPTY)], "ordered", before) == [{}, {"todo/1": b"F\0"}]


def test_name_that_came_and_went_is_there_in_one_way_of_four() -> None:
    """Its removal counts only when it is on the disk; then it does not matter whether its making is."""
    found = possible_images(EMPTY, [NEW, Moment("unlink", "a/1", EMPTY)], "unordered")
    assert [(len(one.image.files), one.ways) for one in found.images] == [(0, 3), (1, 1)]


def test_synchronous_directories_leave_no_choice_of_names() -> None:
    """Only octets may be missing."""
    found = possible_images(EMPTY, [NEW, WRITTEN], "unordered", synchronous_directories=True)
    assert ([set(one.image.files) for one in found.images], found.combinations) == ([{"a/1"}] * 3, 3)


def test_limit_takes_disks_near_to_everything_and_near_to_nothing() -> None:
    """Both ends are looked at, and the rest is counted."""
    files = {"a" * count: b"x" for count in range(1, 7)}
    found = possible_images(EMPTY, [Moment("open", "", image(**files))], "unordered", limit=20)
    sizes = {len(one.image.files) for one in found.images}
    assert {0, 6} <= sizes
    assert (sum(one.ways for one in found.images) + found.left_out, found.combinations) == (6**6, 6**6)
