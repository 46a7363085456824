"""Faults that nobody simulates: a full file system, a limit on the size of files, SIGKILL at any moment.

Usage: real_faults.py full|limit|killed DIRECTORY short|full. "full" mounts small file systems of its own on the
directory: it needs a mount namespace in which it may (`unshare --mount`). Prints one JSON document.
"""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import delivery_cases
import enqueue_cases
import queue_reader
from delivery_cases import House, deliver, mails
from grid import build, prepare

from indimail_kit.errors import QueueError
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue import SAFE, create_queue, enqueue

PAGE = 4096
SEED = 20261127
FULL_CODES = {0, 53, 65, 66, 67, 70}
"""How qmail-queue may end on a full disk: success, no room for octets, or none for a name."""


def run_child(deed: Callable[[], int | None]) -> dict[str, Any]:
    """Do something in a child; return its exit code, or what it raised."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        told: dict[str, Any] = {}
        try:
            told = {"code": deed()}
        except BaseException as error:
            told = {"raised": f"{type(error).__name__}: {error}"}
        os.write(writer, json.dumps(told).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    end = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return json.loads(text) if text else {"raised": f"ended with {end}"}


def judge(name: str, house: House, told: dict[str, Any], codes: set[int]) -> dict[str, str]:
    """Return what is wrong."""
    if name in enqueue_cases.CASES:
        case = enqueue_cases.CASES[name]
        found = enqueue_cases.judge(case, house, wanted={*codes, case.code}, code=told.get("code"))
    else:
        found = delivery_cases.judge(delivery_cases.CASES[name], house)
    return found | ({"raised": told["raised"]} if "raised" in told else {})


class Tally:
    """Counts and details."""

    def __init__(self) -> None:
        self.table: dict[str, Counter[str]] = {}
        self.details: list[str] = []

    def add(self, row: str, what: str, found: dict[str, str], told: dict[str, Any] | None = None) -> None:
        """Count one trial."""
        counts = self.table.setdefault(row, Counter())
        counts["cases"] += 1
        code = (told or {}).get("code")
        counts["acknowledged"] += code == 0
        counts["refused"] += bool(code)
        for sort, text in found.items():
            counts[sort] += 1
            self.details.append(f"{sort}: {row}, {what}: {text}")


# -- a full file system ---------------------------------------------------------------------------------------------


@contextmanager
def small_disk(mountpoint: Path) -> Iterator[Path]:
    """Mount a tmpfs of 1 MiB and 400 names."""
    options = "size=1m,nr_inodes=400"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(mountpoint)], check=True)
    try:
        yield mountpoint
    finally:
        subprocess.run(["umount", "-l", str(mountpoint)], check=True)


def take_room(disk: Path, free_pages: int) -> list[Path]:
    """Leave only so many pages free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(PAGE)) == PAGE:
            pass
    os.truncate(filler, max(0, filler.stat().st_size - free_pages * PAGE))
    return [filler]


def take_names(disk: Path, free_names: int) -> list[Path]:
    """Leave only so many names free."""
    fillers = []
    with suppress(OSError):
        for number in range(1000):
            path = disk / f"filler{number}"
            path.touch()
            fillers.append(path)
    for path in fillers[:free_names]:
        path.unlink()
    return fillers[free_names:]


def fill_disks(mountpoint: Path, step: int) -> Tally:
    """Try each case with 0, 1, 2 … pages or names left."""
    tally = Tally()
    ways = (("pages", take_room), ("names", take_names))
    for name in (*enqueue_cases.CASES, *delivery_cases.CASES):
        room = "enqueue" if name in enqueue_cases.CASES else "delivery"
        for what, take in ways:
            for left in range(0, 22 if (room, what) == ("enqueue", "pages") else 10, step):
                with small_disk(mountpoint) as disk:
                    house = build(disk / "house", name)
                    deed = prepare_in_child(name, house, take, left)
                    told = run_child(deed)
                    for filler in disk.glob("filler*"):
                        filler.unlink()
                    found = judge(name, house, told, FULL_CODES)
                    tally.add(f"{room}, {what} left", f"{name!r} with {left} {what} left", found, told)
    return tally


def prepare_in_child(
    name: str, house: House, take: Callable[[Path, int], list[Path]], left: int
) -> Callable[[], int | None]:
    """Return what a child does: get ready, fill the disk, do the deed."""

    def do() -> int | None:
        deed = prepare(name, house)
        take(house.place.parent, left)
        return deed()

    return do


# -- a limit on the size of files -------------------------------------------------------------------------------------


def limit_files(base: Path, step: int) -> Tally:
    """Try each case with files that may not grow beyond 0, 7, 14 … octets."""
    tally = Tally()
    for name in (*enqueue_cases.CASES, *delivery_cases.CASES):
        room = "enqueue" if name in enqueue_cases.CASES else "delivery"
        for limit in range(0, 600, 7 * step):
            house = build(base / f"limit{limit}", name)

            def do(name: str = name, house: House = house, limit: int = limit) -> int | None:
                deed = prepare(name, house)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                return deed()

            told = run_child(do)
            tally.add(room, f"{name!r} with {limit} octets a file", judge(name, house, told, {0, 53}), told)
            shutil.rmtree(house.place)
    return tally


# -- SIGKILL at any moment --------------------------------------------------------------------------------------------


def message_of(number: int) -> bytes:
    """Return a message that can be told from all others."""
    return b"Subject: number %d.\n\nbody\n" % number


def keep_enqueueing(house: House, writer: int) -> None:
    """Queue messages for ever; tell each number that was acknowledged."""
    number = 0
    while True:
        envelope = b"Fann@example.com\0Tbob@example.com\0Tnobody@example.com\0\0"
        with suppress(QueueError):
            enqueue(message_of(number), envelope, layout=house.layout, environ={}, sync=SAFE)
            os.write(writer, b"%d\n" % number)
        number += 1


def keep_sending(house: House, _writer: int) -> None:
    """Deliver what is there, once."""
    log = LogWriter(house.place / "log")
    house.send(log, later_s=0, sync=SAFE).run_once()


def kill_at_random(house: House, deed: Callable[[House, int], None], after_s: float) -> tuple[bytes, bool]:
    """Do a deed in a child that is killed after a while; return what it told, and whether it had to be killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        deed(house, writer)
        os._exit(0)
    os.close(writer)
    pidfd = os.pidfd_open(pid)
    select.select([pidfd], [], [], after_s)
    os.close(pidfd)
    os.kill(pid, signal.SIGKILL)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    return told, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def kill_trial(place: Path, random: Random, tally: Tally) -> None:
    """Kill the one that queues, then the one that delivers three times, then look who has got what."""
    place.mkdir()
    house = House(place, create_queue(place / "queue1", split=2))
    told, _ = kill_at_random(house, keep_enqueueing, random.uniform(0.001, 0.04))
    acknowledged = [int(line) for line in told.split()]
    found: dict[str, str] = {}
    reading = queue_reader.read_queue(house.layout.directory, 2)
    queued = [message for message in reading.messages.values() if message.state == "S4"]
    torn = [message.number for message in queued if not message.files["mess"].endswith(b"\n\nbody\n")]
    if reading.faults or torn:
        found["broken"] = f"{reading.faults} {torn}"
    if not len(acknowledged) <= len(queued) <= len(acknowledged) + 1:
        found["lost"] = f"{len(acknowledged)} acknowledged, {len(queued)} queued"
    counts = tally.table.setdefault("killed at random", Counter())
    for _ in range(3):
        _, is_killed = kill_at_random(house, keep_sending, random.uniform(0.001, 0.06))
        counts["qmail-send killed"] += is_killed
        reading = queue_reader.read_queue(house.layout.directory, 2)
        if reading.faults:
            found["broken"] = str(reading.faults)
    for later_s in (200_000, 400_000):
        deliver(house, later_s=later_s)
    after = queue_reader.read_queue(house.layout.directory, 2)
    if after.messages or after.pid_files or after.faults:
        found["never ends"] = f"{after.states()} {after.pid_files} {after.faults}"
    bob, ann = mails(house, "bob"), mails(house, "ann")
    copies = [sum(mail.endswith(message_of(number)) for mail in bob) for number in acknowledged]
    bounces = [sum(mail.endswith(message_of(number)) for mail in ann) for number in acknowledged]
    if 0 in copies or 0 in bounces:
        found["lost"] = f"{copies.count(0)} mails and {bounces.count(0)} bounces"
    counts["messages"] += len(acknowledged)
    counts["repeated"] += sum(count - 1 for count in (*copies, *bounces))
    tally.add("killed at random", place.name, found)
    shutil.rmtree(place)


def main() -> None:
    """Do what the arguments say."""
    what, base, is_full = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "full"
    if what == "full":
        tally = fill_disks(base, 1 if is_full else 4)
    elif what == "limit":
        tally = limit_files(base, 1 if is_full else 14)
    else:
        tally, random = Tally(), Random(SEED)  # noqa: S311 (moments that can be chosen again)
        for number in range(60 if is_full else 4):
            kill_trial(base / f"trial{number}", random, tally)
    json.dump({"table": tally.table, "details": tally.details}, sys.stdout)


if __name__ == "__main__":
    main()
