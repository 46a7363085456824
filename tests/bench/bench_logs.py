"""Logs: lines to joined tables, `logs matchup`, `logs report` and Parquet, against a C program that does matchup's job.

The logs are made by `makelog.c` from a seed, in the proportions of a real server: two lines in five are status lines,
75 octets a line; one queue; five queues in IndiMail's form, with todo-proc's lines; and one queue with 20,000 messages
open at once. Each way is a whole process (start, imports, machine code loaded from where it is kept); the ways take
turns, and medians and ratios to the C program of the same turn are printed, of wall time and of processor time: only
what ran side by side counts, and on a machine with neighbours only processor time. `logs report` is compared with the
C program and `zoverall.awk` behind it.
Run: python tests/bench/bench_logs.py [--lines 1000000] [--rounds 3] [--growth 100000 300000 1000000]
For a large log: make bench BENCHES=tests/bench/bench_logs.py BENCH_ARGS="--lines 10000000 --growth 100000 10000000"
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
FORMS = {"one queue": (0, 300), "five queues": (5, 300), "20,000 open": (0, 20_000)}


def join_job(path: str, threads: int) -> None:
    """The process that is measured: all lines to tables of deliveries and messages, as typed columns."""
    from indimail_kit.logs import EventBlock, join_blocks, read_blocks

    lines = rows = 0

    def counted() -> Iterator[EventBlock]:
        nonlocal lines
        for block in read_blocks(path, threads=threads):
            lines += len(block)
            yield block

    for joined in join_blocks(counted()):
        rows += len(joined.deliveries) + len(joined.messages)
    print(lines, rows)


@dataclass(frozen=True, slots=True)
class Run:
    """One process.

    Attributes:
        wall_s: Wall time (unit: s).
        cpu_s: Processor time of all its threads (unit: s).
        peak_mb: Most memory (unit: 10**6 octets).
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(command: list[str], path: Path, *, cores: int) -> Run:
    """Run a command with the log as standard input, its output thrown away."""
    allowed = os.sched_getaffinity(0)
    with path.open("rb") as log:
        os.sched_setaffinity(0, sorted(allowed)[:cores])  # the child inherits it
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdin=log, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        os.sched_setaffinity(0, allowed)
        notes = process.stderr.read().decode() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}: {notes}")
    return Run(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do the work.

    Attributes:
        command: With the log as standard input.
        cores: How many it may use.
        base: The way it is compared with.
        goal: Most wall time, as a share of that way's.
    """

    command: list[str]
    cores: int = 2
    base: str = "C program"
    goal: float | None = None


def ways(log: Path, tools: Path) -> dict[str, Way]:
    """Return what is compared."""
    python = [sys.executable, str(Path(__file__).resolve()), "--join", str(log)]
    command = [sys.executable, "-m", "indimail_kit", "logs"]
    program, awk = str(tools / "matchup"), str(HERE / "zoverall.awk")
    parquet = ["events", str(log), "--table", "deliveries", "--format", "parquet", "--output", str(tools / "rows")]
    return {
        "C program": Way([program], 1),
        "wc -l": Way(["wc", "-l"], 1),
        "tables, 1 core": Way([*python, "--threads", "1"], 1, goal=0.7),
        "tables, 2 cores": Way([*python, "--threads", "2"], goal=0.5),
        "logs matchup": Way([*command, "matchup", str(log)], goal=1.0),
        "C program | awk": Way(["/bin/sh", "-c", '"$0" | awk -f "$1"', program, awk]),
        "logs report": Way([*command, "report", str(log)], base="C program | awk", goal=0.65),
        "logs report delays": Way([*command, "report", str(log), "--view", "delays"], base="C program | awk"),
        "Parquet": Way([*command, *parquet]),
    }


def compare(log: Path, tools: Path, rounds: int) -> None:
    """Print the medians of all ways and their ratios to what they are compared with."""
    runs: dict[str, list[Run]] = {}
    for _ in range(rounds):
        for name, way in ways(log, tools).items():
            runs.setdefault(name, []).append(measure(way.command, log, cores=way.cores))
    for name, way in ways(log, tools).items():
        pairs = list(zip(runs[name], runs[way.base], strict=True))
        wall, cpu = (
            statistics.median(getattr(one, kind) / max(getattr(base, kind), 1e-9) for one, base in pairs)
            for kind in ("wall_s", "cpu_s")
        )
        goal = "" if way.goal is None else f"  goal {way.goal}"
        print(
            f"  {name:18} {statistics.median(one.wall_s for one in runs[name]):7.2f} s wall"
            f" {statistics.median(one.cpu_s for one in runs[name]):7.2f} s cpu"
            f" {max(one.peak_mb for one in runs[name]):6.0f} MB"
            f" {wall:6.2f} x wall {cpu:6.2f} x cpu of {way.base}{goal}",
            flush=True,
        )


def growth(log: Path, tools: Path, sizes: list[int]) -> None:
    """Print how processor time grows with the log (tables, one core), as R² of a straight line, and peak memory."""
    runs = []
    for size in sizes:
        make_log(tools, log, size, "one queue")
        found = ways(log, tools)
        times = [measure(found["tables, 1 core"].command, log, cores=1) for _ in range(3)]
        peaks = {name: measure(found[name].command, log, cores=2).peak_mb for name in ("logs report", "Parquet")}
        runs.append((size, min(run.cpu_s for run in times)))
        others = "".join(f", {name} {peak:.0f} MB" for name, peak in peaks.items())
        print(
            f"  {size:>10,} lines {runs[-1][1]:7.2f} s {max(run.peak_mb for run in times):5.0f} MB{others}", flush=True
        )
    r = statistics.correlation([run[0] for run in runs], [run[1] for run in runs])
    print(f"  R² {r * r:.4f}")


def make_log(tools: Path, log: Path, lines: int, form: str) -> None:
    """Write a log of about so many lines."""
    queues, open_count = FORMS[form]
    with log.open("wb") as file:
        subprocess.run([str(tools / "makelog"), str(lines), str(queues), str(open_count)], stdout=file, check=True)


def main() -> None:
    """Make the logs, compile the C program, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", type=int, nargs="*", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--forms", nargs="*", choices=list(FORMS), default=list(FORMS))
    parser.add_argument("--join", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.join:
        join_job(given.join, given.threads)
        return
    with tempfile.TemporaryDirectory() as directory:
        tools, log = Path(directory), Path(directory) / "log"
        for name in ("matchup", "makelog"):
            subprocess.run(["cc", "-O2", "-o", str(tools / name), str(HERE / f"{name}.c"), "-lm"], check=True)
        make_log(tools, log, 100_000, "one queue")
        for way in ways(log, tools).values():
            measure(way.command, log, cores=way.cores)  # machine code is made, if it was not before
        for lines in given.lines:
            for form in given.forms:
                make_log(tools, log, lines, form)
                print(f"{lines:,} lines, {form}: {log.stat().st_size / lines:.1f} octets a line", flush=True)
                compare(log, tools, given.rounds)
        if given.growth:
            print("growth")
            growth(log, tools, given.growth)


if __name__ == "__main__":
    main()
