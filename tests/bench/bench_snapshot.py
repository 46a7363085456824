"""A snapshot of a big queue into DataFrames, beside a C program that reads the same files and prints them.

The yardstick is qread.c, compiled here: message by message it asks, opens and reads as qmail-qread does. Both sides
take turns in one run, on a queue of the lab (split 151) in memory, all warm; a ratio is the median of the rounds'.
Goals on two cores: DataFrames of messages and recipients in at most 1.0 of the reader's time (pandas imported before),
a count in at most 0.85, at most 1.2 KB of memory a message, growth linear, the first row of `queue list` in a second.
Run: python tests/bench/bench_snapshot.py [--messages 100000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import open_queues
from indimail_kit.tables import messages, recipients

HERE = Path(__file__).parent

GROWTH = 5
"""The small queue of the growth has this part of the messages."""

KIB = 1024

MEMORY_PROGRAM = """
import sys
from pathlib import Path
import pandas
from indimail_kit.mailqueue import open_queues, walkers
from indimail_kit.tables import messages, recipients
big, small, told = sys.argv[1:]
warm = open_queues(small).snapshot(processes=1)
messages(warm), recipients(warm)
peak = lambda status: int(status.split("VmHWM:")[1].split()[0])
start = peak(Path("/proc/self/status").read_text())
walkers._PROGRAM += f"open({told!r}, 'a').write(open('/proc/self/status').read())"
picture = open_queues(big).snapshot()
frames = messages(picture), recipients(picture)
helpers = [peak(status) for status in Path(told).read_text().split("Name:")[1:]] if Path(told).exists() else []
print(peak(Path("/proc/self/status").read_text()) - start, sum(helpers), len(frames[0]))
"""
"""Prints growth of our memory, peak of the helpers' (unit: KiB), and the messages; a small queue warms up first."""


def compile_reader(place: Path) -> Path:
    """Compile qread.c."""
    program = place / "qread"
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", program, HERE / "qread.c"], check=True)
    return program


def frames(place: Path, processes: int | None = None) -> None:
    """Look at a queue and make both tables."""
    picture = open_queues(place).snapshot(processes=processes)
    messages(picture)
    recipients(picture)


def timed(deed: Callable[[], object]) -> tuple[float, float]:
    """Return wall time and processor time of a deed, its processes included (unit: s)."""
    cpu = [sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    begin = time.perf_counter()
    deed()
    wall = time.perf_counter() - begin
    after = [sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return wall, sum(after) - sum(cpu)


def take_turns(deeds: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return name -> times of each round; one round before them warms everything up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in deeds}
    for number in range(rounds + 1):
        for name, deed in deeds.items():
            one = timed(deed)
            if number:
                times[name].append(one)
    return times


def first_row(place: Path) -> tuple[float, float]:
    """Return when the first row of `queue list` is there, and when the last one, Python's start included (unit: s)."""
    argv = [sys.executable, "-m", "indimail_kit", "queue", "list", "--queue", str(place)]
    begin = time.perf_counter()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        assert program.stdout is not None
        program.stdout.readline()  # the head
        program.stdout.readline()
        first = time.perf_counter() - begin
        for _ in program.stdout:
            pass
    return first, time.perf_counter() - begin


def memory(place: Path, small: Path) -> tuple[float, float]:
    """Return the growth of our memory and the peak of the helpers' for each message (unit: octets)."""
    argv = [sys.executable, "-c", MEMORY_PROGRAM, place, small, place.parent.parent / "told"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    own, helper, count = map(int, done.stdout.split())
    return own * KIB / count, helper * KIB / count


def verdict(value: float, limit: float) -> str:
    """Return a value beside its goal."""
    return f"{value:.2f} ({'within' if value <= limit else 'OVER'} {limit:g})"


def main() -> None:
    """Make the queues, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments, _ = parser.parse_known_args()
    memory_disk = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="bench-snapshot-", dir=memory_disk if memory_disk.is_dir() else None))
    try:
        measure(place, arguments.messages, arguments.rounds)
    finally:
        shutil.rmtree(place)


def measure(place: Path, count: int, rounds: int) -> None:
    """Measure on queues below a place."""
    big, small = place / "big" / "queue1", place / "small" / "queue1"
    begin = time.perf_counter()
    for queue, size in ((big, count), (small, count // GROWTH)):
        make_queue(queue, messages=size, seed=1)
    made_s = time.perf_counter() - begin
    reader = compile_reader(place)
    load = os.getloadavg()[0]
    with (place / "printed").open("wb") as printed:

        def read(*words: str) -> None:
            printed.seek(0)
            subprocess.run([reader, big, "151", *words], stdout=printed, check=True)

        times = take_turns(
            {
                "C reader, prints": read,
                "C, count": lambda: read("count"),
                "snapshot + DataFrames": lambda: frames(big),
                "the same on one core": lambda: frames(big, 1),
                "snapshot": lambda: open_queues(big).snapshot(),
                "count": lambda: open_queues(big).count(),
                f"snapshot + DataFrames, 1/{GROWTH}": lambda: frames(small),
            },
            rounds,
        )
    print(f"{count:,} messages, split 151, below {place.parent}, made in {made_s:.0f} s")
    print(f"{os.cpu_count()} cores; load of others when we began: {load:.1f} (the more, the less are wall times worth)")
    for name, rows in times.items():
        walls, cpus = zip(*rows, strict=True)
        print(f"  {name:<32} {statistics.median(walls):7.3f} s wall  {statistics.median(cpus):7.3f} s cpu")

    def ratio(name: str, other: str, part: int = 0) -> float:
        return statistics.median(one[part] / two[part] for one, two in zip(times[name], times[other], strict=True))

    print(f"DataFrames / C reader, wall:     {verdict(ratio('snapshot + DataFrames', 'C reader, prints'), 1.0)}")
    print(f"  the same, processor time:      {ratio('snapshot + DataFrames', 'C reader, prints', 1):.2f}")
    print(f"  on one core, wall:             {ratio('the same on one core', 'C reader, prints'):.2f}")
    print(f"count / C reader, wall:          {verdict(ratio('count', 'C reader, prints'), 0.85)}")
    print(
        f"  count / C count, wall:         {ratio('count', 'C, count'):.2f} (the program's start included on its side)"
    )
    own, helper = memory(big, small)
    print(f"memory a message, octets:        {verdict(own + helper, 1229)}, {helper:.0f} of them the helper's")
    growth = ratio("snapshot + DataFrames", f"snapshot + DataFrames, 1/{GROWTH}")
    print(f"growth with {GROWTH} times the messages: {growth:.2f} (linear: {GROWTH})")
    first, last = first_row(big)
    print(f"first row of `queue list`:       {verdict(first, 1.0)} s; the last after {last:.1f} s")


if __name__ == "__main__":
    main()
