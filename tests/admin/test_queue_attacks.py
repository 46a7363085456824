"""A repair is run by root in directories that belong to others: it does nothing outside, whatever they exchange."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from indimail_kit.admin.queue_deeds import Move, MoveFiles, QueueDeed, SetMode, SetTime
from indimail_kit.admin.queue_run import QUEUE_DOERS
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import QueueLayout, create_queue

ROUNDS = 400


@pytest.fixture
def queue(tmp_path: Path) -> QueueLayout:
    """Return a queue."""
    return create_queue(tmp_path / "queue1", split=3)


@contextmanager
def restless(*steps: Callable[[], object]) -> Iterator[None]:
    """Let somebody do some steps again and again."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            for step in steps:
                step()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        is_over.set()
        worker.join()


def try_it(deed: QueueDeed) -> str:
    """Do a deed; what goes wrong is no matter here."""
    try:
        return QUEUE_DOERS[type(deed)](deed, 0)
    except OSError as error:
        return str(error)


@pytest.mark.parametrize("what", ["file", "directory"])
def test_link_that_comes_and_goes_does_not_lead_a_repair_outside(queue: QueueLayout, tmp_path: Path, what: str) -> None:
    """File or directory is exchanged for a link to somebody's file all the time; that file keeps mode and time."""
    outside = tmp_path / "outside"
    (outside / "0").mkdir(parents=True)
    secret = outside / "0" / "3"
    secret.write_text("secret")
    secret.chmod(0o600)
    os.utime(secret, (1, 1))
    path = queue.path("info", 3)
    path.write_bytes(b"Fa@b\0")
    path.chmod(0o640)
    status = path.stat()
    victim, target = (path, secret) if what == "file" else (path.parent, outside / "0")
    aside, link = victim.with_name("aside"), victim.with_name("link")
    link.symlink_to(target)
    before = secret.stat()

    def swap() -> None:
        victim.rename(aside)
        link.rename(victim)
        victim.rename(link)
        aside.rename(victim)

    outcomes = set()
    with restless(swap):
        for _ in range(ROUNDS):
            outcomes.add(try_it(SetMode(queue.directory, "info/0/3", status.st_ino, 0o640, 0o640)))
            outcomes.add(
                try_it(SetTime(queue.directory, "info/0/3", status.st_ino, status.st_mtime_ns, status.st_mtime_ns))
            )
            move = Move("info/0/3", "../queue1.held/3/info", status.st_ino, keeps_source=True)
            try_it(MoveFiles(queue.directory, 3, (move,), "hold"))
            shutil.rmtree(tmp_path / "queue1.held", ignore_errors=True)
    after = secret.stat()
    assert "" in outcomes, "not one deed was done: nothing was tested"
    assert (after.st_mode, after.st_mtime_ns, after.st_nlink, after.st_ino) == (
        before.st_mode,
        before.st_mtime_ns,
        1,
        before.st_ino,
    )


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("verb", [("check",), ("repair",), ("repair", "--apply", "--yes")], ids=" ".join)
def test_nothing_below_lock_is_opened(tmp_path: Path, verb: tuple[str, ...]) -> None:
    """Seen by strace, while all files in lock/ are wrong and are made anew."""
    faults = ("inode-differs", "wrong-mode", "unknown-file", "ossified")
    queue = make_queue(tmp_path / "queue1", messages=20, split=3, faults=faults).layout.directory
    (queue / "lock" / "trigger").chmod(0o600)
    (queue / "lock" / "sendmutex").chmod(0o666)
    os.truncate(queue / "lock" / "tcpto", 10)
    trace = tmp_path / "trace"
    options = ["strace", "-f", "-y", "-e", "trace=open,openat,openat2,creat", "-o", str(trace)]
    words = [sys.executable, "-m", "indimail_kit", "queue", *verb, "--queue", str(queue)]
    done = subprocess.run([*options, *words], capture_output=True, text=True)
    if "ptrace" in done.stderr:
        pytest.skip("needs the right to trace")
    calls = [line for line in trace.read_text(errors="replace").splitlines() if str(queue) in line]
    assert len(calls) > 20
    below = re.compile(r'/lock/|/lock>, "|"(?:[^"]*/)?(?:trigger|sendmutex|tcpto)"')
    assert [line for line in calls if below.search(line)] == []
