"""local and remote files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.channel import ChannelFile, Mark, decode_marks, mark_done, read_whole
from indimail_kit.envelope import decode_recipients
from indimail_kit.errors import FormatError

ADDRESSES = st.lists(st.tuples(st.booleans(), st.binary(max_size=12).map(lambda a: a.replace(b"\0", b""))), max_size=5)


def test_recorded_file_is_read(recorded: Callable[[str], dict[str, bytes]]) -> None:
    """Three recipients of a real local file are done, one is not."""
    file = decode_marks(recorded("s5-deferred-and-bounce-queue1")["local/137/1704474"])

    assert [mark.is_done for mark in file.marks] == [True, True, False, True]
    assert file.marks[2].address == b"defer@local.test"


@given(addresses=ADDRESSES)
def test_positions_lead_to_the_letters(addresses: list[tuple[bool, bytes]]) -> None:
    """Each mark's position holds its T or D, and the addresses are those of the envelope's decoder."""
    octets = b"".join((b"D" if is_done else b"T") + address + b"\0" for is_done, address in addresses)
    marks = decode_marks(octets).marks

    assert [octets[mark.position : mark.position + 1] == b"D" for mark in marks] == [done for done, _ in addresses]
    assert [(m.address, m.is_done) for m in marks] == [(r.address, r.is_done) for r in decode_recipients(octets)]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(b"", ChannelFile(()), id="empty"),
        pytest.param(b"Ta\0Xb\0Tc\0", ChannelFile((Mark(b"a", False, 0),), "unknown record type"), id="unknown letter"),
        pytest.param(b"Ta\0\0", ChannelFile((Mark(b"a", False, 0),), "unknown record type"), id="empty record"),
        pytest.param(b"Ta\0Tb", ChannelFile((Mark(b"a", False, 0),), "unfinished record"), id="cut"),
    ],
)
def test_records_before_a_fault_are_kept(octets: bytes, expected: ChannelFile) -> None:
    """What is good in a broken file is still delivered, and the fault is named."""
    assert decode_marks(octets) == expected


@given(octets=st.binary(max_size=60))
def test_hostile_file_gives_marks(octets: bytes) -> None:
    """Any octets are read; a file without a fault is its marks again."""
    file = decode_marks(octets)
    written = b"".join((b"D" if mark.is_done else b"T") + mark.address + b"\0" for mark in file.marks)

    assert octets.startswith(written)
    assert bool(file.fault) == (written != octets)


def test_mark_changes_one_octet_in_place(tmp_path: Path) -> None:
    """Inode, size and every other octet stay."""
    path = tmp_path / "local"
    path.write_bytes(b"Ta@b\0Tc@d\0")
    before = path.stat()

    mark_done(path, 5)

    assert path.read_bytes() == b"Ta@b\0Dc@d\0"
    assert (path.stat().st_ino, path.stat().st_size) == (before.st_ino, before.st_size)


def test_mark_refuses_a_place_without_a_letter(tmp_path: Path) -> None:
    """A file that somebody changed is not damaged further."""
    path = tmp_path / "local"
    path.write_bytes(b"Ta@b\0")

    with pytest.raises(FormatError):
        mark_done(path, 2)
    assert path.read_bytes() == b"Ta@b\0"


def test_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    """A link in the queue cannot lead a mark or a reader elsewhere."""
    target = tmp_path / "elsewhere"
    target.write_bytes(b"Ta@b\0")
    link = tmp_path / "local"
    link.symlink_to(target)

    with pytest.raises(OSError, match=r"symbolic links|Too many levels"):
        mark_done(link, 0)
    with pytest.raises(OSError, match=r"symbolic links|Too many levels"):
        read_whole(link)
    assert target.read_bytes() == b"Ta@b\0"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """Neither a directory nor a pipe is read, and no descriptor stays open."""
    path = tmp_path / "local"
    make(path)
    before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(OSError, match="Not a regular file"):
        read_whole(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
