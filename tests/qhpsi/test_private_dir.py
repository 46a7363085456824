"""Tests of private_dir.py."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from indimail_kit.qhpsi.private_dir import PrivateHoldings, make_private_directory, sweep


def test_directory_is_private_and_held(tmp_path: Path) -> None:
    """Mode 700, and nobody's sweep removes it while the lock is held."""
    directory, lock = make_private_directory("ik-x-", parent=tmp_path)
    try:
        swept = sweep("ik-x-", parent=tmp_path)
    finally:
        os.close(lock)

    assert swept == ()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert directory.name.startswith("ik-x-")


def test_directory_of_a_dead_owner_is_removed_by_the_next(tmp_path: Path) -> None:
    """Once the lock is free, making another directory clears up."""
    first, lock = make_private_directory("ik-x-", parent=tmp_path)
    (first / "db").mkdir()
    (first / "db" / "file").write_bytes(b"x")
    os.close(lock)

    second, lock = make_private_directory("ik-x-", parent=tmp_path)
    os.close(lock)

    assert list(tmp_path.iterdir()) == [second]


def test_owner_that_is_killed_over_its_clearing_up_leaves_what_the_next_one_removes(tmp_path: Path) -> None:
    """The lock goes last: a kernel that was killed while a big directory was removed left it there for ever."""
    holdings = PrivateHoldings(os.getpid())
    holdings.directory, holdings.lock = make_private_directory("ik-x-", parent=tmp_path)
    (holdings.directory / "server").mkdir()
    (holdings.directory / "a-file").write_bytes(b"x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            holdings.give_back_directory()
    os.close(holdings.lock)

    assert sweep("ik-x-", parent=tmp_path) == (holdings.directory,)
    assert list(tmp_path.iterdir()) == []


def interrupted(*_args: object, **_options: object) -> None:
    """Stand for a removal that was killed."""
    raise KeyboardInterrupt


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """Other names, directories without a lock, and links are left alone, with what they lead to."""
    for name in ("ik-y-1", "ik-x-without-lock", "elsewhere"):
        (tmp_path / name).mkdir()
    for name in ("ik-y-1", "elsewhere"):
        (tmp_path / name / "owner.lock").touch()
    (tmp_path / "ik-x-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "ik-x-file").touch()
    before = sorted(tmp_path.rglob("*"))

    assert sweep("ik-x-", parent=tmp_path) == ()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_callers_directory_stays(tmp_path: Path) -> None:
    """Only a directory that was made here is removed; one of the caller's is left with all that is in it."""
    holdings = PrivateHoldings(os.getpid())
    given = holdings.settle_in(tmp_path, prefix="ik-test-")
    holdings.give_back_directory()
    made = holdings.settle_in(None, prefix="ik-test-")
    was_there = made.is_dir()
    holdings.give_back_directory()

    assert (given, given.is_dir()) == (tmp_path, True)
    assert (was_there, made.exists()) == (True, False)
