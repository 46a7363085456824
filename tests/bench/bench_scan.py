"""Scans a second: a clamdscan process per message, one kept session, scan_many; and clamd's own limit beside them.

All mails differ and clamd's clean cache is off, or the cache would be measured. Rounds alternate between the ways,
and medians and ratios are printed: only what was measured side by side in one run can be compared. clamd's own limit
is cores ÷ its processor time per scan, read from /proc/PID/stat in the same round. What other programs of the machine
took meanwhile (from /proc/stat) cannot go to clamd; the limit "of what was left" is without that.
Run: python tests/bench/bench_scan.py [--many 100000]
"""

from __future__ import annotations

import argparse
import base64
import itertools
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from indimail_kit.qhpsi import ClamdDaemon, ScannedFile, Verdict

TICKS = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))
TARGETS = {("session", "4 KB"): 6.0, ("session", "100 KB"): 3.5}
"""Way and size -> how many times clamdscan's rate it must have at least."""

LIMIT_TARGET = 0.9
"""What scan_many must have of clamd's own limit."""

Deed = Callable[[list[Path]], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement.

    Attributes:
        rate: Scans a second.
        of_limit: Share of clamd's own limit with all cores.
        of_left: Share of its limit with what other programs left.
    """

    rate: float
    of_limit: float
    of_left: float


def write_mails(directory: Path, size: int, count: int) -> list[Path]:
    """Write mails that all differ, with an attachment of random octets in Base64."""
    source = random.Random(size)  # noqa: S311 - contents, not secrets
    paths = []
    for number in range(count):
        head = (
            f"Received: from a by b; Sun, 22 Nov 2026 14:14:00 +0000\nFrom: a@example.com\nTo: b@example.com\n"
            f"Subject: {number}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=XX\n\n--XX\n"
            "Content-Type: text/plain\n\nhello\n--XX\nContent-Type: application/octet-stream\n"
            "Content-Transfer-Encoding: base64\n\n"
        ).encode()
        body = base64.encodebytes(source.randbytes(max(1, int((size - len(head)) * 0.74))))
        paths.append(directory / f"{size}.{number}")
        paths[-1].write_bytes(head + body + b"--XX--\n")
    return paths


def busy_s(pid: int | None) -> float:
    """Return the processor time of a process and its threads (unit: s)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_busy_s() -> float:
    """Return the processor time of the whole machine, idle and waiting left out (unit: s)."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n")[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def measure(deed: Deed, paths: list[Path], pid: int | None) -> Run:
    """Do it once."""
    ours = os.times()
    clamd_s, machine_s, start = busy_s(pid), machine_busy_s(), time.perf_counter()
    deed(paths)
    wall_s = time.perf_counter() - start
    clamd_s = busy_s(pid) - clamd_s
    ours_s = sum(os.times()[:4]) - sum(ours[:4])
    others_s = max(0.0, machine_busy_s() - machine_s - clamd_s - ours_s)
    left = max(clamd_s, CORES * wall_s - others_s)
    return Run(len(paths) / wall_s, clamd_s / (CORES * wall_s), clamd_s / left)


def require_clean(answers: Iterator[ScannedFile]) -> None:
    """Take all answers; each must be CLEAN, or the measurement means nothing."""
    for scanned in answers:
        if scanned.answer.verdict is not Verdict.CLEAN:
            raise SystemExit(f"{scanned.path}: {scanned.answer}")


def ways(daemon: ClamdDaemon) -> dict[str, Deed]:
    """Return the ways to scan, by name."""

    def clamdscan(paths: list[Path]) -> None:
        for path in paths:
            argv = ["/usr/bin/clamdscan", "-c", str(daemon.config_path), str(path), "--quiet", "--no-summary"]
            subprocess.run(argv, check=True)

    def scan_file(paths: list[Path]) -> None:
        for path in paths:
            if daemon.client.scan_file(path).verdict is not Verdict.CLEAN:
                raise SystemExit(f"{path}: not clean")

    def session(paths: list[Path]) -> None:
        with daemon.client.session() as kept:
            require_clean(kept.scan_many(paths))

    def scan_many(paths: list[Path]) -> None:
        require_clean(daemon.client.scan_many(paths))

    return {"clamdscan": clamdscan, "scan_file": scan_file, "session": session, "scan_many": scan_many}


def memory_kib() -> int:
    """Return this process's resident memory (unit: KiB)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def descriptors(pid: int | None = None) -> int:
    """Return how many descriptors a process has open; None = this one."""
    return sum(1 for _ in Path(f"/proc/{pid or 'self'}/fd").iterdir())


def compare(daemon: ClamdDaemon, directory: Path, rounds: int) -> None:
    """Print medians and ratios for each size."""
    for size, name, few, many in ((4_096, "4 KB", 60, 1_500), (100_000, "100 KB", 40, 300), (5_000_000, "5 MB", 6, 12)):
        paths = write_mails(directory, size, many)
        runs: dict[str, list[Run]] = {way: [] for way in ways(daemon)}
        for _ in range(rounds):
            for way, deed in ways(daemon).items():
                runs[way].append(measure(deed, paths[: few if way == "clamdscan" else many], daemon.pid))
        base = statistics.median(run.rate for run in runs["clamdscan"])
        print(f"\n{name}")
        for way, results in runs.items():
            rate, of_limit, of_left = (
                statistics.median(getattr(run, field) for run in results) for field in ("rate", "of_limit", "of_left")
            )
            target = f"   (target {TARGETS[way, name]:g} x)" if (way, name) in TARGETS else ""
            target = f"   (target {LIMIT_TARGET:g} of the limit)" if way == "scan_many" else target
            print(
                f"  {way:<10}{rate:8.0f}/s  {rate / base:6.2f} x clamdscan   {of_limit:5.2f} of clamd's limit, "
                f"{of_left:5.2f} of what was left{target}"
            )
        for path in paths:
            path.unlink()


def endure(daemon: ClamdDaemon, directory: Path, count: int) -> None:
    """Scan small files again and again, and print memory and descriptors before and after."""
    paths = write_mails(directory, 600, 200)
    list(daemon.client.scan_many(paths * 5))
    before = (memory_kib(), descriptors(), descriptors(daemon.pid))
    start = time.perf_counter()
    require_clean(daemon.client.scan_many(itertools.islice(itertools.cycle(paths), count)))
    after = (memory_kib(), descriptors(), descriptors(daemon.pid))
    print(f"\n{count} scans of 600 octets in one scan_many: {count / (time.perf_counter() - start):.0f}/s")
    print(f"  memory       {before[0]:7d} KiB before, {after[0]:7d} KiB after ({after[0] - before[0]:+d})")
    print(f"  descriptors  {before[1]:7d} before, {after[1]:7d} after; clamd's {before[2]} and {after[2]}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--many", type=int, default=10_000, help="scans of the endurance run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as name, ClamdDaemon(options={"DisableCache": "yes"}) as daemon:
        print(f"{daemon.version}, clean cache off, {CORES} cores, {arguments.rounds} rounds; medians")
        compare(daemon, Path(name), arguments.rounds)
        endure(daemon, Path(name), arguments.many)


if __name__ == "__main__":
    main()
