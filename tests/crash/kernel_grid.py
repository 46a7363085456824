"""The real program indimail-kit-qmail-queue under strace, which kills it at a system call or lets the call fail.

Usage: kernel_grid.py calls DIRECTORY CASE, or kernel_grid.py grid DIRECTORY short|full [WORKERS]. "calls" prints what
the kernel sees of a case of grid.py, in the words of `faults`. "grid" first runs the program unharmed to learn its
calls, then once for each (call, fault); the log tells whether the fault fell on the call that was meant.

Note for maintainers: strace delivers SIGKILL before the call is done; SIGTERM, which the program does not catch, takes
effect behind it. Without --seccomp-bpf, which delivers no signal at all.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import enqueue_cases
from delivery_cases import House
from faults import ERRORS, KILLS
from kernel import TRACED, KernelCall, between_marks, fold_directories, read_log, simplify

SHORT_STEP = 17
"""Of so many faults the short form takes one; without a divisor in common with the number of kinds: all kinds occur."""

CASE = "program qmail-queue"
KINDS = (*KILLS, *ERRORS)
SIGNALS = {"killed before": "SIGKILL", "killed after": "SIGTERM"}
ENDS = (-9, -15, 137, 143)
"""How a process and its strace end that was killed."""

PROGRAM = (sys.executable, "-c", "from indimail_kit.delivery.qmail_queue import main; main()")
HEAD = (
    rb"Received: indimail-mta queue [0-9]+ by host vm\n \(invoked by uid %d\); "
    rb"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} \+0000\n" % enqueue_cases.UID
)

ALWAYS_RETRIED = ("open ", "read ", "write ", "writev ", "fsync ")
"""Calls that Python makes again after EINTR. Source: PEP 475."""

DOES_NOT_MATTER = re.compile(r"(lseek|close|access) .*|(open|fstat|getdents) (mess|todo)")
"""Calls whose failure changes nothing: how much to read at once, a layout that another directory shows too."""


def trace(place: Path, argv: Sequence[str], *, inject: str = "", **options: Any) -> tuple[int, Path]:
    """Run a program under strace; return its end and the log."""
    log = place / "strace.log"
    tool = ["strace", "-f", "-y", "-s", "20", "-o", str(log), "-e", f"trace={TRACED}"]
    done = subprocess.run(
        [*tool, *(["-e", f"inject={inject}"] if inject else []), "--", *argv],
        stderr=subprocess.DEVNULL,
        timeout=60,
        **options,
    )
    return done.returncode, log


def tell_calls(base: Path, name: str) -> list[str]:
    """Return what the kernel sees of a case, from its beginning to its end."""
    place = base / "traced"
    grid = str(Path(__file__).with_name("grid.py"))
    code, log = trace(base, [sys.executable, grid, "once", str(place), name, "plain"], stdout=subprocess.DEVNULL)
    assert code == 0, log.read_text()[-2000:]
    return simplify(fold_directories(between_marks(read_log(log, (str(place / "queue1"), str(place))))))


def call_program(house: House, *, inject: str = "") -> tuple[int, list[KernelCall]]:
    """Call qmail-queue as a mail server does; return its end and its calls from the first control file on."""
    place = house.place
    for fd, octets in ((0, enqueue_cases.LONG_MESSAGE), (1, enqueue_cases.GOOD)):
        (place / f"input{fd}").write_bytes(octets)
    environ = os.environ | {"QUEUEDIR": str(house.layout.directory), "CONTROLDIR": str(place / "control")}
    environ |= {"HOSTNAME": "vm", "PYTHONDONTWRITEBYTECODE": "1"}
    # Somebody holds the trigger, as qmail-send does.
    trigger = os.open(house.layout.directory / "lock" / "trigger", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with (place / "input0").open("rb") as message, (place / "input1").open("rb") as envelope:
            end, log = trace(place, PROGRAM, inject=inject, env=environ, stdin=message, stdout=envelope)
    finally:
        os.close(trigger)
    calls = read_log(log, (str(house.layout.directory), str(place)))
    start = next((i for i, call in enumerate(calls) if call.text.startswith("open control/")), len(calls))
    return end, [call for call in calls[start:] if is_ours(call)]


def is_ours(call: KernelCall) -> bool:
    """Say whether a call is about the house, not about Python or the C library."""
    target = call.text.partition(" ")[2]
    return target != "" and not target.startswith(("/", "socket:", "pipe:"))


def wanted_codes(kind: str, text: str) -> set[int]:
    """Return the exit codes that a failing call of the kernel may lead to."""
    if kind == "EINTR" and text.startswith(ALWAYS_RETRIED):
        return {0}
    codes = {code or 0 for code in enqueue_cases.codes_of(text)}
    return codes | ({0} if DOES_NOT_MATTER.fullmatch(text) or kind == "EINTR" else set())


def try_fault(base: Path, kind: str, call: KernelCall, number: int) -> dict[str, str]:
    """Run the program under one fault and judge what it leaves."""
    place = base / f"{kind}-{number}".replace(" ", "-")
    place.mkdir()
    house = enqueue_cases.build(place, enqueue_cases.CASES[CASE])
    what = f"signal={SIGNALS[kind]}" if kind in SIGNALS else f"error={kind}"
    end, calls = call_program(house, inject=f"{call.syscall}:{what}:when={call.ordinal}")
    is_killed = kind in SIGNALS and end in ENDS
    found = enqueue_cases.judge(
        enqueue_cases.CASES[CASE],
        house,
        wanted=wanted_codes(kind, call.text),
        code=None if is_killed else end,
        head=HEAD,
    )
    if kind in SIGNALS:
        if not is_killed or len(calls) not in (number - 1, number):
            found["missed"] = f"{kind} at call {number}: {end} after {len(calls)}"
    elif [_plain(one.text) for one in calls if one.is_injected] != [_plain(call.text)]:
        found["missed"] = f"fell on {[one.text for one in calls if one.is_injected]}"
    found["end"] = "killed" if is_killed else "acknowledged" if end == 0 else "refused"
    shutil.rmtree(place)
    return found


def _plain(text: str) -> str:
    return re.sub(r"/[0-9].*", "/N", text)


def work(base: Path, faults: Sequence[tuple[int, str, KernelCall]]) -> dict[str, Any]:
    """Try faults one after the other."""
    table: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    details = []
    for number, kind, call in faults:
        found = try_fault(base, kind, call, number)
        table[kind]["cases"] += 1
        table[kind][found.pop("end")] += 1
        for sort, text in found.items():
            table[kind][sort] += 1
            details.append(f"{sort}: {kind} at call {number} ({call.text}): {text}")
    return {"table": table, "details": details}


def run_grid(base: Path, size: str, workers: int) -> dict[str, Any]:
    """Learn the calls, share the faults out, add up what was found."""
    (base / "unharmed").mkdir()
    house = enqueue_cases.build(base / "unharmed", enqueue_cases.CASES[CASE])
    end, calls = call_program(house)
    assert end == 0, "the unharmed program failed"
    faults = [(number, kind, call) for number, call in enumerate(calls, 1) for kind in KINDS]
    if size == "short":
        faults = faults[::SHORT_STEP]
    pids = []
    for worker in range(workers):
        place = base / f"worker{worker}"
        place.mkdir()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                (base / f"{worker}.json").write_text(json.dumps(work(place, faults[worker::workers])))
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    if any([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]):  # noqa: C419 (all of them are waited for)
        sys.exit("a worker broke off")
    table: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    details: list[str] = []
    for worker in range(workers):
        found = json.loads((base / f"{worker}.json").read_text())
        details += found["details"]
        for kind, row in found["table"].items():
            table[kind].update(row)
    return {"calls": [call.text for call in calls], "table": table, "details": sorted(details)}


def main() -> None:
    """Do what the arguments say."""
    base = Path(sys.argv[2])
    if sys.argv[1] == "calls":
        json.dump(tell_calls(base, sys.argv[3]), sys.stdout)
        return
    workers = int(sys.argv[4]) if len(sys.argv) > 4 else len(os.sched_getaffinity(0))
    json.dump(run_grid(base, sys.argv[3], workers), sys.stdout)


if __name__ == "__main__":
    main()
