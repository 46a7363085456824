"""A small disk for the queues: it counts as du does, and what has no room gets qmail-queue's answer."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.lab.small_disk import SmallDisk


def test_used_is_what_du_says(tmp_path: Path) -> None:
    """Files, directories, a link that is counted once, and a symbolic link that is not followed."""
    (tmp_path / "mess" / "7").mkdir(parents=True)
    (tmp_path / "mess" / "7" / "660188").write_bytes(b"x" * 3000)
    os.link(tmp_path / "mess" / "7" / "660188", tmp_path / "again")
    (tmp_path / "away").symlink_to("/etc/passwd")
    told = subprocess.run(["du", "-sb", str(tmp_path)], capture_output=True, text=True, check=True).stdout
    assert SmallDisk(tmp_path, 0).used_bytes() == int(told.split()[0])


def test_last_octet_has_room_and_the_next_has_not(tmp_path: Path) -> None:
    """Both sides of the limit: exit code 53, write error or disk full."""
    disk = SmallDisk(tmp_path, SmallDisk(tmp_path, 0).used_bytes() + 100)
    disk.require(100)
    with pytest.raises(QueueError, match="No space left") as caught:
        disk.require(101)
    assert caught.value.exit_code == 53
