"""Tests of mess_file.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from indimail_kit.qhpsi.mess_file import NotAFileError, describe, open_message


def test_descriptor_is_read_only_and_closed_afterwards(tmp_path: Path) -> None:
    """The descriptor can be read, not written, and is gone after the block."""
    path = tmp_path / "m"
    path.write_bytes(b"hello")

    with open_message(path) as (descriptor, size_bytes):
        octets = os.read(descriptor, 10)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(descriptor, b"x")

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert (octets, size_bytes) == (b"hello", 5)


def test_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    """A FIFO without a writer does not hold the scan up."""
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(NotAFileError, match="not a regular file"), open_message(tmp_path / "fifo"):
        pass


@pytest.mark.parametrize("name", ["/dev/zero", "/"])
def test_devices_and_directories_are_refused(name: str) -> None:
    """Only a regular file is a message."""
    with pytest.raises(NotAFileError, match="not a regular file"), open_message(name):
        pass


def test_reason_does_not_repeat_the_path(tmp_path: Path) -> None:
    """The text of a failed call is the system's, without the path."""
    with pytest.raises(FileNotFoundError) as caught, open_message(tmp_path / "none"):
        pass

    assert describe(caught.value) == "No such file or directory"
