"""Attack: whoever reads a queue as root is raced: between listing and opening, a name becomes a link to a secret.

Source: table of threats, "Symlink/TOCTOU as root on a live queue": 10,000 swaps, 0 reads outside, 0 exceptions, the
trigger untouched.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from inotify_simple import INotify, flags

from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import check_queue, open_queues
from indimail_kit.mailqueue.layout import QueueLayout

CANARY = b"a secret of root that no reader of a queue may see"
SWAPS = {"short": 1_000, "full": 10_000}


@pytest.fixture
def queue(tmp_path: Path) -> QueueLayout:
    """Make a queue, and beside it a secret: a directory in which every name of the queue is a file with it."""
    layout = make_queue(tmp_path / "queue1", messages=12, seed=1, split=2).layout
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"F" + CANARY + b"\0T" + CANARY + b"\0")
    for path in Path(layout.directory).glob("*/*/*"):
        (outside / path.name).write_bytes(b"F" + CANARY + b"\0T" + CANARY + b"\0")
    return layout


@pytest.fixture
def lock_opens(queue: QueueLayout) -> Iterator[INotify]:
    """Watch lock/ for anybody who opens something in it."""
    with INotify(nonblocking=True) as watch:
        watch.add_watch(Path(queue.directory) / "lock", flags.OPEN | flags.ACCESS | flags.MODIFY)
        yield watch


def test_raced_reader_never_sees_anything_outside(
    queue: QueueLayout, tmp_path: Path, lock_opens: INotify, sweep_size: str
) -> None:
    """Snapshots and checks go on while everything is swapped: no exception, no octet of the secret, no lock opened."""
    argv = [sys.executable, Path(__file__).with_name("swapper.py"), queue.directory, tmp_path / "outside"]
    argv.append(str(SWAPS[sweep_size]))
    looks = leaks = 0
    with subprocess.Popen(argv) as swapper:
        while swapper.poll() is None:
            picture = open_queues(queue.directory).snapshot()
            told = repr([(row, row.recipients, row.anomalies) for row in picture.messages]) + picture._repr_html_()
            told += repr(check_queue(queue, now_s=0))
            leaks += CANARY.decode() in told
            looks += 1
    opened = [event for event in lock_opens.read(timeout=0) if event.name]  # of lock/ itself the names are listed
    print(f"{looks} looks while {SWAPS[sweep_size]} names were swapped: {leaks} leaks")

    assert (leaks, opened) == (0, [])
    assert (looks > 5, swapper.returncode) == (True, 0)
    assert len(open_queues(queue.directory).snapshot().messages) == 12
