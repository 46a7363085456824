"""A trace of a long log: `read_log` and `Tracer`, then one question, each size in a process of its own.

Two kinds of logs: qmail-send's alone, made by `makelog.c` as for `bench_logs.py`; and a night of all programs, made by
`lab.make_logs`, in which the lines of qmail-smtpd and clamd are read by the grammar, one by one. `--as-log` reads with
`logs.read`, which keeps every line, as the notebooks do. Times are of the processor and without the imports, memory is
the most that the whole process had; the straight line is over the sizes, so give at least three.
Run: python tests/bench/bench_trace.py [--lines 30000 100000 300000] [--messages 1000 3000] [--as-log]
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent


def job(paths: list[str], address: str, *, as_log: bool) -> None:
    """The process that is measured."""
    from indimail_kit import logs, trace
    from indimail_kit.errors import TraceError

    read = logs.read if as_log else trace.read_log
    begin = time.process_time()
    read_logs = [read(path) for path in paths]
    after_read = time.process_time()
    tracer = trace.Tracer(logs=read_logs)
    with suppress(TraceError):
        tracer.message(1)  # the first question cuts the logs
    after_index = time.process_time()
    found = len(tracer.address(address).candidates)
    asked_s = time.process_time() - after_index
    # Not ru_maxrss: that is the parent's before exec, which has just made the logs.
    (peak_kib,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    peak_mb = int(peak_kib) * 1024 / 1e6
    figures = {"lines": sum(map(len, read_logs)), "read_s": after_read - begin, "index_s": after_index - after_read}
    print(json.dumps(figures | {"ask_s": asked_s, "found": found, "peak_mb": peak_mb}))


def measure(paths: list[Path], address: str, *, as_log: bool) -> tuple[int, float]:
    """Run the process, print its figures, and return lines and seconds."""
    command = [sys.executable, __file__, "--job", address, *(["--as-log"] if as_log else []), *map(str, paths)]
    one = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    spent_s = one["read_s"] + one["index_s"]
    print(
        f"  {one['lines']:>10,} lines: read {one['read_s']:.2f} s, index {one['index_s']:.2f} s,"
        f" {1e6 * spent_s / one['lines']:.2f} µs a line; one address {one['ask_s']:.2f} s, {one['found']:,} stories;"
        f" {one['peak_mb']:.0f} MB",
        flush=True,
    )
    return one["lines"], spent_s


def straightness(runs: list[tuple[int, float]]) -> None:
    """Print how well a straight line fits."""
    if len(runs) > 2:
        r = statistics.correlation([lines for lines, _ in runs], [spent_s for _, spent_s in runs])
        print(f"  R² {r * r:.4f}")


def night(directory: Path, messages: int) -> tuple[list[Path], str]:
    """Write the logs of a night, and return them with an address that occurs."""
    from indimail_kit.lab import make_logs

    day = make_logs(messages, seed=1, queues=5, max_pid=32_768)
    paths = []
    for name in ("send", "smtpd", "clamd"):
        paths.append(directory / name)
        paths[-1].write_bytes(getattr(day, name))
    return paths, str(day.mails[0].recipients[0])


def main() -> None:
    """Make the logs and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="*", default=[30_000, 100_000, 300_000])
    parser.add_argument("--messages", type=int, nargs="*", default=[1_000, 3_000])
    parser.add_argument("--as-log", action="store_true")
    parser.add_argument("--job", metavar="ADDRESS", help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        job(given.paths, given.job, as_log=given.as_log)
        return
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        make = str(directory / "makelog")
        subprocess.run(["cc", "-O2", "-o", make, str(HERE / "makelog.c"), "-lm"], check=True)
        log = directory / "log"
        runs = []
        print("qmail-send's log, five queues")
        for lines in (100_000, *given.lines):
            with log.open("wb") as file:
                subprocess.run([make, str(lines), "5", "300"], stdout=file, check=True)
            runs.append(measure([log], "user03833@mail86.example.org", as_log=given.as_log))
        straightness(runs[1:])  # the first run may have made machine code, and is no measurement
        print("a night of all programs")
        straightness([measure(*night(directory, messages), as_log=given.as_log) for messages in given.messages])


if __name__ == "__main__":
    main()
