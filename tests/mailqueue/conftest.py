"""A small queue, a way to put a message in, and file systems that can be full or read-only."""

from __future__ import annotations

import functools
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.mailqueue import INDIMAIL, Queued, QueueLayout, create_queue, enqueue

RECORDED = Path(__file__).parent.parent / "data" / "indimail" / "queue"

NOVEMBER_NS = 1_795_356_840 * 10**9
"""Sun, 22 Nov 2026 14:14:00 UTC."""


@pytest.fixture
def queue(tmp_path: Path) -> QueueLayout:
    """Return a new empty queue; 7 sub-directories make it quick to build."""
    return create_queue(tmp_path / "queue1", split=7)


@pytest.fixture
def put(queue: QueueLayout) -> Callable[..., Queued]:
    """Return enqueue() with quiet defaults: one message, one recipient, nothing synced, a clock that stands."""
    return functools.partial(
        _put, layout=queue, environ={}, qp=4305, uid=0, host="vm", clock=lambda: NOVEMBER_NS, sync=INDIMAIL
    )


def _put(
    message: Any = b"Subject: hi\n\nbody\n", envelope: Any = b"Fann@local.test\0Tbob@local.test\0\0", **options: Any
) -> Queued:
    return enqueue(message, envelope, **options)


@pytest.fixture
def left() -> Callable[[QueueLayout], list[str]]:
    """Return a function that lists the kinds of the files in a queue, pid included, without lock."""
    return lambda layout: sorted(
        path.relative_to(layout.directory).parts[0]
        for path in layout.directory.rglob("*")
        if path.is_file() and path.parent.name != "lock"
    )


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[[str], QueueLayout]:
    """Return a function that unpacks a recorded queue tree and gives its layout."""

    def unpacked(name: str) -> QueueLayout:
        with tarfile.open(RECORDED / f"{name}.tar") as archive:
            queue_name = archive.getnames()[0].split("/")[0]
            archive.extractall(tmp_path, filter="fully_trusted")  # noqa: S202 (our own recordings)
        return QueueLayout(tmp_path / queue_name)

    return unpacked


@pytest.fixture
def mount_tmpfs(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that mounts a tmpfs with given options; the test is skipped where we may not mount."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        if os.geteuid() != 0:
            pytest.skip("needs root to mount a file system of limited size")
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True)
        if done.returncode != 0:
            pytest.skip("needs the right to mount a file system of limited size")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
