"""Opening without a trace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.mailqueue.quiet import entries_of, open_quietly

LONG_AGO_S = 1_000_000_000


def test_access_time_of_our_file_stays_when_it_is_read(tmp_path: Path) -> None:
    """A day old, so that the system would set it."""
    path = tmp_path / "file"
    path.write_bytes(b"text")
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    fd = open_quietly(path, os.O_RDONLY)
    assert (os.read(fd, 9), path.stat().st_atime) == (b"text", LONG_AGO_S)
    os.close(fd)


def test_access_time_of_our_directory_stays_when_it_is_listed(tmp_path: Path) -> None:
    """And each entry can be asked what it is."""
    (tmp_path / "directory").mkdir()
    os.utime(tmp_path, (LONG_AGO_S, LONG_AGO_S))
    with entries_of(tmp_path) as entries:
        assert [(entry.name, entry.is_dir()) for entry in entries] == [("directory", True)]
    assert tmp_path.stat().st_atime == LONG_AGO_S


def test_file_of_somebody_else_is_opened_as_everybody_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its access time cannot be kept then."""
    (tmp_path / "file").write_bytes(b"text")
    real_open = os.open

    def open_as_a_guest(path: Any, flags: int, **options: Any) -> int:
        if flags & os.O_NOATIME:
            raise PermissionError(1, "Operation not permitted")
        return real_open(path, flags, **options)

    monkeypatch.setattr(os, "open", open_as_a_guest)
    fd = open_quietly(tmp_path / "file", os.O_RDONLY)
    assert os.read(fd, 9) == b"text"
    os.close(fd)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """Also when the entries are not taken to their end."""
    (tmp_path / "file").write_bytes(b"")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a count of names)
    with entries_of(tmp_path):
        pass
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
