"""A queue that is looked at while somebody works in it, and somebody else plays tricks with it.

The inspector runs under strace, which says what it really asked of the kernel. The tricks: files and directories become
symbolic links to a place outside that looks the same, FIFOs, directories; they vanish, and turn up elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import QueueLayout, list_messages, open_queues, read_message, walkers
from indimail_kit.mailqueue.check import check_queue

pytestmark = pytest.mark.crash

HERE = Path(__file__).parent

SWAPS = {"short": 300, "full": 10_000}
"""Tricks."""

LOOKS = {"short": 3, "full": 60}
"""Rounds of the inspector that must end while the tricks are played; each looks four times at all messages."""

MARK = b"outside.example"
"""As in inspector.py."""

CHANGES = (
    "creat,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,"
    "fchmodat,chown,fchown,fchownat,lchown,utimensat,utimes,utime,futimesat,truncate,ftruncate,mknod,mknodat,setxattr"
)
"""System calls that change something."""

NOVEMBER_S = 1_795_356_840

Swap = tuple[Callable[[], None], Callable[[], None], str]
"""Play a trick, take it back, and the path that is busy meanwhile."""


@dataclass
class Tricks:
    """Plays tricks with a queue, and takes each of them back some tricks later.

    Attributes:
        queue: The queue.
        outside: A copy of it in which everything holds MARK.
        random: Source of the choice.
        count: Tricks played.
    """

    queue: Path
    outside: Path
    random: Random
    count: int = 0

    def __post_init__(self) -> None:
        self.files = sorted(
            path for path in self.queue.rglob("*") if path.is_file() and path.relative_to(self.queue).parts[0] in KINDS
        )
        # A writer works in mess all the time: only files are played with there.
        self.kinds = [self.queue / kind for kind in KINDS if kind != "mess"]
        self.directories = sorted({path.parent for path in self.files if path.parent.parent in self.kinds})
        self.parking = self.queue / "trash"
        self.parking.mkdir()
        self.pending: deque[tuple[Callable[[], None], str]] = deque()

    def play(self) -> None:
        """Play one, and take back the oldest of those that are still on."""
        place = self.random.choice(self.random.choices([self.files, self.directories, self.kinds], [80, 15, 5])[0])
        if any(str(place).startswith(busy) or busy.startswith(str(place)) for _, busy in self.pending):
            self.take_back()
            return
        parked = self.parking / str(self.count)
        place.rename(parked)
        tricks = [self._link, self._link, self._fifo, self._directory, self._nothing]
        self.random.choice(tricks if place in self.files else tricks[:1])(place)
        self.pending.append((lambda: self._restore(place, parked), str(place)))
        self.count += 1
        if len(self.pending) > 6:
            self.take_back()

    def play_until(self, enough: threading.Event) -> None:
        """Play without a pause until it is enough, and leave everything as it was."""
        while not enough.is_set():
            self.play()
        while self.pending:
            self.take_back()
        self.parking.rmdir()

    def take_back(self) -> None:
        """Take the oldest one back."""
        undo, _ = self.pending.popleft()
        undo()

    def _link(self, place: Path) -> None:
        place.symlink_to(self.outside / place.relative_to(self.queue))

    def _fifo(self, place: Path) -> None:
        os.mkfifo(place)

    def _directory(self, place: Path) -> None:
        place.mkdir()

    def _nothing(self, place: Path) -> None:
        pass

    def _restore(self, place: Path, parked: Path) -> None:
        if place.is_symlink() or place.is_fifo():
            place.unlink()
        elif place.is_dir():
            place.rmdir()
        parked.rename(place)


KINDS = ("mess", "info", "local", "remote", "bounce")
"""Where tricks are played; the writer needs pid, intd and todo."""


@pytest.fixture
def queue(tmp_path: Path) -> QueueLayout:
    """Return a queue, and beside it a place outside that has the same names."""
    layout = make_queue(tmp_path / "queue1", messages=90, split=7, seed=8, now_s=NOVEMBER_S).layout
    for path in [*layout.directory.rglob("*")]:
        there = tmp_path / "outside" / path.relative_to(layout.directory)
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
        elif path.is_file():
            there.parent.mkdir(parents=True, exist_ok=True)
            letter = b"F" if "info" in there.parts else b"T"
            there.write_bytes(letter + b"somebody@" + MARK + b"\0")
    return layout


def attributes(queue: Path) -> dict[str, str]:
    """Return path -> type, mode, owner, links; of what is no directory also inode, size, mtime, atime and octets."""
    rows = {}
    for path in sorted(queue.rglob("*")):
        status = path.lstat()
        row: tuple[object, ...] = (status.st_mode, status.st_uid, status.st_gid, status.st_nlink)
        if not path.is_dir():
            row += (status.st_ino, status.st_size, status.st_mtime_ns, status.st_atime_ns)
        if path.is_file():
            fd = os.open(path, os.O_RDONLY | os.O_NOATIME)
            row += (hashlib.sha256(os.read(fd, 1 << 20)).hexdigest(),)
            os.close(fd)
        rows[str(path.relative_to(queue))] = repr(row)
    return rows


@pytest.fixture
def strace(tmp_path: Path) -> list[str]:
    """Return the words that let a program run under strace, into the file trace."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    trace = f"trace=open,openat,openat2,{CHANGES}"
    argv = ["strace", "-f", "-y", "-qq", "-s", "300", "-o", str(tmp_path / "trace"), "-e", trace]
    if subprocess.run([*argv, "true"], capture_output=True).returncode != 0:
        pytest.skip("needs the right to trace a process")
    return argv


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a program of this directory; whatever happens, it ends with the test."""
    running: list[subprocess.Popen[str]] = []

    def start(program: str, place: Path, stop: Path, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        argv = [*before, sys.executable, str(HERE / program), str(place), str(stop)]
        environ = os.environ | {"PYTHONPATH": str(HERE.parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
        running.append(process)
        return process

    yield start
    (tmp_path / "stop").touch()
    for process in running:
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()


OPEN = re.compile(
    r'openat2?\((?:AT_FDCWD|\d+)(?:<(?P<base>[^>]*)>)?, "(?P<name>[^"]*)", (?P<flags>[^)]*)\) = (?P<end>.*)'
)
RESULT = re.compile(r"\d+<(?P<path>.*)>")


def opens_of(trace: str, queue: Path) -> list[tuple[str, str, str]]:
    """Return what was opened in a queue, or below a directory of it: path that was asked for, flags, path it led to."""
    found = []
    for line in trace.splitlines():
        match = OPEN.search(line)
        if match is None:
            continue
        asked = match["name"] if match["name"].startswith("/") else f"{match['base'] or ''}/{match['name']}"
        result = RESULT.match(match["end"])
        led_to = result["path"] if result else ""
        if asked.startswith(str(queue)) or led_to.startswith(str(queue)):
            found.append((asked, match["flags"], led_to))
    return found


def test_hostile_hands_in_the_queue_get_nothing_out_of_the_inspector(
    queue: QueueLayout,
    tmp_path: Path,
    strace: list[str],
    started: Callable[..., subprocess.Popen[str]],
    crash_size: str,
    crash_counts: Callable[..., None],
) -> None:
    """No exception, no read outside of the queue, no attribute changed, nothing opened below lock/, nobody woken."""
    before = attributes(queue.directory)
    tricks = Tricks(queue.directory, tmp_path / "outside", Random(9))  # noqa: S311 (a choice, no secret)
    stop, enough = tmp_path / "stop", threading.Event()
    writer = started("queue_writer.py", queue.directory, stop)
    inspector = started("inspector.py", queue.directory, stop, tuple(strace))
    assert inspector.stdout is not None
    inspector.stdout.readline()  # it is at work
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(tricks.play_until, enough)
        for looks, _ in enumerate(inspector.stdout, 1):
            if playing.done() or (looks >= LOOKS[crash_size] and tricks.count >= SWAPS[crash_size]):
                break
        enough.set()
        playing.result()
    stop.touch()
    told, errors = inspector.communicate()
    queued, troubles = writer.communicate()
    assert (writer.returncode, troubles) == (0, "")
    counts = json.loads(told.splitlines()[-1])
    opens = opens_of((tmp_path / "trace").read_text(encoding="utf-8", errors="replace"), queue.directory)
    locked = [one for one in opens if "/lock" in one[0] + one[2]]
    strayed = [one for one in opens if one[2] and not f"{one[2]}/".startswith(f"{queue.directory}/")]
    followed = [one for one in opens if "O_NOFOLLOW" not in one[1] and one[0] != str(queue.directory)]
    changes = changes_of((tmp_path / "trace").read_text(encoding="utf-8", errors="replace"), queue.directory)
    after = attributes(queue.directory)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    crash_counts(
        "a living queue under hostile hands, inspected",
        [
            ("what", "count"),
            ("renames and swaps under the inspector", tricks.count),
            ("messages that a writer queued meanwhile", int(queued)),
            ("rounds of the inspector", counts["looks"]),
            ("rows that it saw", counts["rows"]),
            ("files and directories that it opened", len(opens)),
            ("exceptions", counts["exceptions"]),
            ("reads outside of the queue", counts["outside"] + len(strayed)),
            ("links that could have been followed", len(followed)),
            ("opens below lock/", len(locked)),
            ("system calls that change something", len(changes)),
            ("changed attributes", len(changed)),
        ],
    )
    assert (inspector.returncode, counts["exceptions"], errors) == (0, 0, "")
    assert (counts["outside"], strayed, followed, locked, changes, changed) == (0, [], [], [], [], set())
    assert len(opens) > 1000
    assert int(queued) > 0


def changes_of(trace: str, queue: Path) -> list[str]:
    """Return the calls that change something and name a path in a queue."""
    calls = tuple(f" {call}(" for call in CHANGES.split(","))
    return [line for line in trace.splitlines() if str(queue) in line and any(call in f" {line}" for call in calls)]


@pytest.mark.parametrize("processes", [1, 2])
def test_quiet_queue_is_the_same_after_every_kind_of_look(
    queue: QueueLayout, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    """Access times too, of files and directories, where the system would have set them: they are a day old."""
    paths = [queue.directory, *queue.directory.rglob("*")]
    for path in paths:
        os.utime(path, (NOVEMBER_S - 100_000, path.lstat().st_mtime))
    before = {path: all_of(path) for path in paths}
    monkeypatch.setattr(walkers, "HELP_FROM", 0)
    queues = open_queues(queue.directory)
    picture = queues.snapshot(processes=processes)
    numbers = [row.message_number for piece in queues.stream() for row in piece.messages]
    files = [read_message(queue, number) for number in list_messages(queue)]
    violations = list(check_queue(queue, now_s=NOVEMBER_S))
    assert {path: all_of(path) for path in paths} == before
    assert (len(picture.messages), len(numbers), len(files), violations) == (90, 90, 90, [])
    assert queues.count() == {"queue1": 90}


def all_of(path: Path) -> tuple[int, ...]:
    """Return all that lstat tells, device and inode included."""
    status = path.lstat()
    return (*status[:7], status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)
