"""Logs: lines to joined tables, and the command `logs matchup`, against a C program that does matchup's job.

The logs are made here from a seed, in the proportions of a real server: two lines in five are status lines, 75 octets a
line; one queue; five queues in IndiMail's form, with todo-proc's lines; and one queue with 20,000 messages open at
once. Each way is a whole process (start, imports, compiled kernels loaded from numba's cache); the ways take turns, and
medians and ratios to the C program of the same turn are printed: only what ran side by side counts.
Run: python tests/bench/bench_logs.py [--lines 1000000] [--rounds 3] [--growth 100000 300000 1000000]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
GOALS = {"1 core": 0.7, "2 cores": 0.5}
STRETCH = 0.3
START_S = 1_700_000_000
SUCCESS = ("did_1+0+0/", "192.0.2.%d_accepted_message./Remote_host_said:_250_2.0.0_ok_1268600000_qp_%d/")
DEFERRAL = (
    "CNAME_lookup_failed_temporarily._(#4.4.3)/",
    "192.0.2.%d_does_not_like_recipient./Remote_host_said:_451_4.7.1_Greylisted/Giving_up_on_192.0.2.%d./",
)
FAILURE = ("Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/",)


@dataclass(slots=True)
class Mail:
    """A message that is open while a log is made."""

    number: int
    queue: int
    left: list[tuple[str, str]]
    under_way: int = 0


class LogMaker:
    """Lines of qmail-send, from a seed."""

    def __init__(self, *, queues: int, open_count: int, seed: int = 6) -> None:
        self.random = random.Random(seed)  # noqa: S311 - contents, not secrets
        self.queues = queues
        self.open_count = open_count
        self.now_ns = START_S * 10**9
        self.free: list[int] = []
        self.next_number = 660_188
        self.qp = 3000
        self.deliveries = [0] * max(queues, 1)
        self.waiting: list[Mail] = []
        self.under_way: list[tuple[Mail, int, str, str]] = []
        self.used: Counter[tuple[int, str]] = Counter()

    def line(self, text: str) -> str:
        self.now_ns += self.random.randrange(1, 4_000_000)
        return f"@{(1 << 62) + 10 + self.now_ns // 10**9:016x}{self.now_ns % 10**9:08x} {text}\n"

    def suffix(self, queue: int) -> str:
        return f" queue{queue + 1}" if self.queues else ""

    def status(self, queue: int) -> str:
        local, remote = self.used[queue, "local"], self.used[queue, "remote"]
        return self.line(f"status: local {local}/10 remote {remote}/20{self.suffix(queue)}")

    def arrive(self) -> Iterator[str]:
        draw = self.random.random()
        count = 1 if draw < 0.8 else self.random.randrange(2, 6) if draw < 0.96 else self.random.randrange(6, 51)
        number = self.free.pop() if self.free else self.next_number
        self.next_number += number == self.next_number
        queue = self.random.randrange(self.queues) if self.queues else 0
        left = []
        for _ in range(count):
            channel = "local" if self.random.random() < 0.6 else "remote"
            host = "example.com" if channel == "local" else f"mx{self.random.randrange(400)}.example.net"
            left.append((channel, f"user{self.random.randrange(20_000):05}@{host}"))
        self.qp = self.qp + self.random.randrange(1, 9) if self.qp < 4_000_000 else 300
        suffix, size = self.suffix(queue), int(self.random.lognormvariate(8.5, 1.3)) + 200
        sender = f"user{self.random.randrange(20_000):05}@mail{self.random.randrange(400)}.example.org"
        if self.queues:
            place = f"todo/{number % 151}"
            yield self.line(f"info: todo-proc: queue{queue + 1}: subdir={place} fn={place}/{number}")
        yield self.line(f"new msg {number}{suffix}")
        yield self.line(f"info msg {number}: bytes {size} from <{sender}> qp {self.qp} uid 555{suffix}")
        if self.queues:
            for channel, recipient in left:
                yield self.line(f"{channel}: {sender} {recipient} {number} {size} bytes{suffix} opendir mode")
        self.waiting.append(Mail(number, queue, left))

    def start(self) -> Iterator[str]:
        place = self.random.randrange(len(self.waiting))
        mail = self.waiting[place]
        channel, recipient = mail.left.pop()
        if not mail.left:
            self.waiting[place] = self.waiting[-1]
            self.waiting.pop()
        mail.under_way += 1
        self.deliveries[mail.queue] += 1
        number = self.deliveries[mail.queue]
        self.under_way.append((mail, number, channel, recipient))
        self.used[mail.queue, channel] += 1
        dotted = f"{number}.{mail.queue + 1}" if self.queues else str(number)
        yield self.line(
            f"starting delivery {dotted}: msg {mail.number} to {channel} {recipient}{self.suffix(mail.queue)}"
        )
        yield self.status(mail.queue)

    def end(self) -> Iterator[str]:
        mail, number, channel, recipient = self.under_way.pop(self.random.randrange(len(self.under_way)))
        mail.under_way -= 1
        self.used[mail.queue, channel] -= 1
        draw = self.random.random()
        outcome = "deferral" if draw < 0.12 else "failure" if draw < 0.15 else "success"
        texts = {"deferral": DEFERRAL, "failure": FAILURE, "success": SUCCESS}[outcome]
        report = texts[len(texts) > 1 and channel == "remote"].replace("%d", str(self.random.randrange(1, 255)))
        dotted = f"{number}.{mail.queue + 1}" if self.queues else str(number)
        yield self.line(f"delivery {dotted}: {outcome}: {report}{self.suffix(mail.queue)}")
        yield self.status(mail.queue)
        if outcome == "deferral":
            if not mail.left:
                self.waiting.append(mail)
            mail.left.append((channel, recipient))
        elif not mail.left and not mail.under_way:
            program = f" qmail-send:{self.suffix(mail.queue)}" if self.queues else ""
            yield self.line(f"end msg {mail.number}{program}")
            self.free.append(mail.number)

    def lines(self, count: int) -> Iterator[str]:
        """Yield about so many lines."""
        made = 0
        while made < count:
            if len(self.waiting) < max(self.open_count, 1):
                step = self.arrive()
            elif len(self.under_way) < 15 or self.random.random() < 0.5:
                step = self.start()
            else:
                step = self.end()
            for line in step:
                yield line
                made += 1


def make_log(path: Path, lines: int, *, queues: int, open_count: int) -> None:
    """Write a log of about so many lines."""
    with path.open("w", encoding="ascii", buffering=1 << 20) as file:
        file.writelines(LogMaker(queues=queues, open_count=open_count).lines(lines))


def join_job(path: str, threads: int) -> None:
    """The process that is measured: all lines to tables of deliveries and messages, as typed columns."""
    from indimail_kit.logs import join_blocks, read_blocks

    lines = rows = 0

    def counted() -> Iterator[object]:
        nonlocal lines
        for block in read_blocks(path, threads=threads):
            lines += len(block)
            yield block

    for joined in join_blocks(counted()):  # type: ignore[arg-type]
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
        process = subprocess.Popen(command, stdin=log, stdout=subprocess.DEVNULL)
        os.sched_setaffinity(0, allowed)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Run(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def ways(path: Path, program: Path) -> dict[str, tuple[list[str], int]]:
    """Return what is compared: name -> command, cores."""
    python = [sys.executable, str(Path(__file__).resolve()), "--join", str(path)]
    command = [sys.executable, "-m", "indimail_kit", "logs"]
    return {
        "C program": ([str(program)], 1),
        "wc -l": (["wc", "-l"], 1),
        "tables, 1 core": ([*python, "--threads", "1"], 1),
        "tables, 2 cores": ([*python, "--threads", "2"], 2),
        "logs matchup": ([*command, "matchup", str(path)], 2),
    }


def compare(path: Path, program: Path, rounds: int) -> None:
    """Print the medians of all ways and their ratios to the C program."""
    runs: dict[str, list[Run]] = {}
    for _ in range(rounds):
        for name, (command, cores) in ways(path, program).items():
            runs.setdefault(name, []).append(measure(command, path, cores=cores))
    for name, many in runs.items():
        ratios = [one.wall_s / base.wall_s for one, base in zip(many, runs["C program"], strict=True)]
        goal = next((f"  goal {value}" for end, value in GOALS.items() if name.endswith(end)), "")
        print(
            f"  {name:16} {statistics.median(one.wall_s for one in many):7.2f} s wall"
            f" {statistics.median(one.cpu_s for one in many):7.2f} s cpu"
            f" {max(one.peak_mb for one in many):6.0f} MB  {statistics.median(ratios):6.2f} x C{goal}"
        )


def growth(path: Path, sizes: list[int]) -> None:
    """Print how time grows with the log (tables, one core), as R² of a straight line, and memory."""
    runs = []
    for size in sizes:
        make_log(path, size, queues=0, open_count=300)
        command = ways(path, Path())["tables, 1 core"][0]
        times = [measure(command, path, cores=1) for _ in range(3)]
        runs.append((size, min(run.wall_s for run in times), max(run.peak_mb for run in times)))
        print(f"  {size:>10,} lines {runs[-1][1]:7.2f} s {runs[-1][2]:5.0f} MB")
    r = statistics.correlation([run[0] for run in runs], [run[1] for run in runs])
    print(f"  R² {r * r:.4f}")


def main() -> None:
    """Make the logs, compile the C program, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", type=int, nargs="*", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--forms", nargs="*", default=["one queue", "five queues", "20,000 open"])
    parser.add_argument("--join", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.join:
        join_job(given.join, given.threads)
        return
    with tempfile.TemporaryDirectory() as directory:
        program, path = Path(directory) / "matchup", Path(directory) / "log"
        subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / "matchup.c")], check=True)
        forms = {"one queue": (0, 300), "five queues": (5, 300), "20,000 open": (0, 20_000)}
        make_log(path, 100_000, queues=0, open_count=300)
        for command, cores in ways(path, program).values():
            measure(command, path, cores=cores)  # numba's cache is filled
        for lines in given.lines:
            for form in given.forms:
                queues, open_count = forms[form]
                make_log(path, lines, queues=queues, open_count=open_count)
                print(f"{lines:,} lines, {form}: {path.stat().st_size / lines:.1f} octets a line", flush=True)
                compare(path, program, given.rounds)
        if given.growth:
            print("growth")
            growth(path, given.growth)


if __name__ == "__main__":
    main()
