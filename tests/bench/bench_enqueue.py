"""Messages a second into a queue: in process, against a C program that starts a qmail-queue for each, and the floor.

The yardsticks are C programs of our own (enqueue.c, compiled here). The floor is what two new files per message, each
written and fsynced, cost in the same run. A disk that others use too is ten times slower a second later: so rounds are
short, every round does every way, and a ratio is the median of the ratios within the rounds. Run: python
tests/bench/bench_enqueue.py
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from indimail_kit.mailqueue import INDIMAIL, QMAIL, SAFE, QueueLayout, SyncPolicy, create_queue, enqueue

SPLIT = 23
MESSAGE = b"Subject: t\n\n" + b"x" * (2048 - 12)
ENVELOPE = b"Fann@example.com\0Tbob@example.com\0\0"

DRIVER, DRIVER_DIRECTORIES = "C: a process per message", "C: a process per message, directories too"
FLOOR = "floor: two files, two fsyncs"
QMAIL_WAY, SAFE_WAY, NO_SYNC = "enqueue(), fsync x 2", "enqueue(), directories too", "enqueue(), no fsync"
WAYS = (DRIVER, DRIVER_DIRECTORIES, FLOOR, QMAIL_WAY, SAFE_WAY, NO_SYNC)

DRIVER_GOAL = 2.0
"""How many times as fast as a process per message enqueue() with two fsyncs shall be."""

FLOOR_GOAL = 0.85
"""Share of the floor that it shall reach where an fsync costs something."""


def compile_yardstick(directory: Path) -> Path:
    """Compile enqueue.c."""
    program = directory / "enqueue"
    source = Path(__file__).with_name("enqueue.c")
    subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-o", str(program), str(source)], check=True)
    return program


def ask(program: Path, *words: str | int | Path) -> float:
    """Run the C program; return the seconds that it measured."""
    done = subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1e9


def enqueue_all(layout: QueueLayout, count: int, sync: SyncPolicy) -> float:
    """Queue messages in this process; return the seconds that it took."""
    start = time.perf_counter()
    for _ in range(count):
        enqueue(MESSAGE, ENVELOPE, layout=layout, environ={}, sync=sync)
    return time.perf_counter() - start


class Rates:
    """Messages a second of each way, round by round."""

    def __init__(self) -> None:
        self.rounds: list[dict[str, float]] = []

    def median(self, way: str) -> float:
        """Return messages a second."""
        return statistics.median(rates[way] for rates in self.rounds)

    def ratio(self, way: str, yardstick: str) -> float:
        """Return how many times as fast a way was as another in the same round."""
        return statistics.median(rates[way] / rates[yardstick] for rates in self.rounds)


def measure(base: Path, program: Path, *, rounds: int, count: int) -> Rates:
    """Measure; each way of each round has an empty queue."""
    ways: dict[str, Callable[[QueueLayout], float]] = {
        DRIVER: lambda layout: ask(program, "driver", layout.directory, 0, count),
        QMAIL_WAY: lambda layout: enqueue_all(layout, count, QMAIL),
        FLOOR: lambda layout: ask(program, "floor", layout.directory, count),
        SAFE_WAY: lambda layout: enqueue_all(layout, count, SAFE),
        DRIVER_DIRECTORIES: lambda layout: ask(program, "driver", layout.directory, 1, count),
        NO_SYNC: lambda layout: enqueue_all(layout, count, INDIMAIL),
    }
    measured = Rates()
    for number in range(rounds + 1):
        layouts = {way: create_queue(base / f"{number}-{place}", split=SPLIT) for place, way in enumerate(ways)}
        os.sync()  # what is behind us shall not be on the first fsync's bill
        rates = {way: count / run(layouts[way]) for way, run in ways.items()}
        if number:  # the first round warms up
            measured.rounds.append(rates)
        for layout in layouts.values():
            shutil.rmtree(layout.directory)
    return measured


def show(name: str, rates: Rates, *, has_floor_goal: bool) -> None:
    """Print one file system's table."""
    print(f"\n{name}")
    for way in WAYS:
        ratios = f"{rates.ratio(way, DRIVER):6.2f} x C   {rates.ratio(way, FLOOR):5.2f} of the floor"
        print(f"  {way:<44}{rates.median(way):8.0f}/s   {ratios}")
    print(f"  {QMAIL_WAY} against {DRIVER}: {_verdict(rates.ratio(QMAIL_WAY, DRIVER), DRIVER_GOAL)}")
    if rates.ratio(FLOOR, DRIVER) < DRIVER_GOAL:
        most = f"{rates.ratio(FLOOR, DRIVER):.2f} x"
        print(f"  the floor itself is only {most}: on a disk that slow or busy the fsyncs hide what a process costs")
    if has_floor_goal:
        print(f"  {QMAIL_WAY} against the floor: {_verdict(rates.ratio(QMAIL_WAY, FLOOR), FLOOR_GOAL)}")
    print(f"  the directories cost {rates.ratio(QMAIL_WAY, SAFE_WAY):.2f} x on top of two fsyncs")
    print(f"  {SAFE_WAY} against {DRIVER_DIRECTORIES}: {rates.ratio(SAFE_WAY, DRIVER_DIRECTORIES):.2f}")


def _verdict(ratio: float, goal: float) -> str:
    return f"{ratio:.2f} (goal {goal}: {'reached' if ratio >= goal else 'MISSED'})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--count", type=int, default=40, help="messages a round and way")
    parser.add_argument("--disk", type=Path, default=Path(tempfile.gettempdir()), help="a directory on a disk")
    parser.add_argument("--memory", type=Path, default=Path("/dev/shm"), help="a directory in memory")
    arguments = parser.parse_args()
    if shutil.which("gcc") is None:
        sys.exit("bench_enqueue needs gcc: the yardsticks are C programs")
    size, rounds = f"messages of {len(MESSAGE)} octets, {arguments.count} a round", f"{arguments.rounds} rounds"
    print(f"{size}, {rounds}, ways alternate; medians")
    for name, directory, has_floor_goal in (("disk", arguments.disk, True), ("memory", arguments.memory, False)):
        if not directory.is_dir():
            print(f"\n{name}: no directory {directory}")
            continue
        base = Path(tempfile.mkdtemp(prefix="ik-bench-", dir=directory))
        try:
            rates = measure(base, compile_yardstick(base), rounds=arguments.rounds, count=arguments.count)
        finally:
            shutil.rmtree(base)
        show(f"{name} ({directory})", rates, has_floor_goal=has_floor_goal)


if __name__ == "__main__":
    main()
