"""Who holds a queue is seen in /proc, and lock/sendmutex is never opened for it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indimail_kit.admin.queue_holder import find_holder, holder_text
from indimail_kit.errors import MissingPartError
from indimail_kit.mailqueue import QueueLayout, create_queue

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
{call}(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def queue(tmp_path: Path) -> QueueLayout:
    """Return a queue."""
    return create_queue(tmp_path / "queue1", split=1)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Return a made-up /proc with one mount and no locks."""
    directory = tmp_path / "proc"
    (directory / "self").mkdir(parents=True)
    (directory / "self" / "mountinfo").write_text("22 1 fe:0 / / rw - ext4 /dev/vda rw\n")
    (directory / "locks").write_text("")
    return directory


def held_by(queue: QueueLayout, call: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds a queue."""
    mutex = str(queue.directory / "lock" / "sendmutex")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD.format(call=call), mutex], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        child.communicate("")


@pytest.mark.parametrize("call", ["fcntl.flock", "fcntl.lockf"])
def test_process_that_holds_the_queue_is_found(queue: QueueLayout, call: str) -> None:
    """By either kind of lock: qmail uses the one that the system has."""
    for child in held_by(queue, call):
        assert find_holder(queue.directory) == child.pid
    assert find_holder(queue.directory) is None


def test_sendmutex_that_was_removed_is_still_seen_in_the_hands_of_its_process(queue: QueueLayout) -> None:
    """Somebody removed the file under a running qmail-send."""
    for child in held_by(queue, "fcntl.flock"):
        (queue.directory / "lock" / "sendmutex").unlink()
        assert find_holder(queue.directory) == child.pid
    assert find_holder(queue.directory) is None


def test_sendmutex_is_not_opened(queue: QueueLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing below the queue is."""
    opened: list[str] = []
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *rest, **more: (opened.append(str(path)), real(path, *rest, **more))[1]
    )
    find_holder(queue.directory)
    assert [path for path in opened if str(queue.directory) in path] == []


def lock_line(
    queue: QueueLayout, *, device: str = "", pid: str = "4711", kind: str = "FLOCK ", prefix: str = ""
) -> str:
    """Return a line of /proc/locks about a queue."""
    status = (queue.directory / "lock" / "sendmutex").stat()
    device = device or f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    return f"1: {prefix}{kind} ADVISORY  WRITE {pid} {device}:{status.st_ino} 0 EOF\n"


def mounted(queue: QueueLayout, proc: Path) -> None:
    """Let the queue's file system be among the mounts."""
    device = (queue.directory / "lock" / "sendmutex").stat().st_dev
    (proc / "self" / "mountinfo").write_text(f"22 1 {os.major(device)}:{os.minor(device)} / / rw - ext4 /dev/vda rw\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({}, 4711),
        ({"kind": "POSIX "}, 4711),
        ({"kind": "OFDLCK", "pid": "-1"}, 0),
        ({"prefix": "-> "}, None),
        ({"device": "ff:ff"}, None),
        ({"kind": "LEASE "}, None),
    ],
    ids=["flock", "lockf", "lock of a file", "waiting", "same inode of another disk", "lease"],
)
def test_line_of_proc_locks_is_read(queue: QueueLayout, proc: Path, line: dict[str, str], expected: int | None) -> None:
    """A lock that is held on the very file; not one that is waited for, and not one elsewhere."""
    mounted(queue, proc)
    (proc / "locks").write_text(lock_line(queue, **line))
    assert find_holder(queue.directory, proc=proc) == expected


def test_where_the_device_is_not_told_the_inode_is_enough(queue: QueueLayout, proc: Path) -> None:
    """A btrfs: better one refusal too many."""
    (proc / "locks").write_text(lock_line(queue, device="ff:ff"))
    assert find_holder(queue.directory, proc=proc) == 4711


def test_without_proc_nothing_can_be_told(queue: QueueLayout, tmp_path: Path) -> None:
    """A clear error, and no guess."""
    with pytest.raises(MissingPartError, match="locks is missing"):
        find_holder(queue.directory, proc=tmp_path / "nowhere")


def test_directory_in_the_place_of_sendmutex_is_held_by_nobody(queue: QueueLayout) -> None:
    """It can be repaired."""
    (queue.directory / "lock" / "sendmutex").unlink()
    (queue.directory / "lock" / "sendmutex").mkdir()
    assert find_holder(queue.directory) is None


def test_text_names_queue_and_process() -> None:
    """And what to do."""
    assert holder_text(Path("/q/queue1"), 4711) == (
        "qmail-send holds queue1 (process 4711 has lock/sendmutex): stop it first, for example with svc -d"
    )
    assert "cannot be seen" in holder_text(Path("/q/queue1"), 0)


def test_our_own_lock_counts(queue: QueueLayout) -> None:
    """The kit's qmail-send in this very process."""
    with (queue.directory / "lock" / "sendmutex").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert find_holder(queue.directory) == os.getpid()
