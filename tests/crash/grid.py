"""Every system call of one case × every fault: run as a program, prints what was found as one JSON document.

Usage: grid.py DIRECTORY CASE short|full [WORKERS], grid.py kinds, or grid.py once DIRECTORY CASE plain|wrapped.

The calls are counted in a run without fault. Then each (fault, call) is a child of its own with a house of its own; it
reports through a pipe, and what it leaves is judged by queue_reader, then delivered by qmail-send without faults and
judged again. "short" takes a sample, always the same. "once" does a case without faults, for strace or for the list of
calls.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import delivery_cases
import enqueue_cases
from delivery_cases import House
from faults import FOR_GOOD, KILLS, KINDS, SHORT, WRITES, Calls, Fault
from kernel import BEGIN, END

from indimail_kit.errors import QueueError
from indimail_kit.logs.writer import LogWriter

LIMIT_S = 20
"""How long a child may take before it counts as hanging (unit: s)."""

SHORT_CASES = 110
"""Faults of one case in the short form."""

MAX_DETAILS = 20
"""Findings of one sort that are told in full."""

CANNOT_START = 111

_NUMBER = re.compile(r"[0-9]{4,}.*")

write, list_directory = os.write, os.listdir
"""The real ones, for reports."""


def run_child(name: str, house: House, fault: Fault | None, *, is_told: bool = False) -> dict[str, Any]:
    """Do the case in a child under a fault; return what it told before it ended."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        tell = lambda **told: write(writer, json.dumps(told).encode() + b"\n")  # noqa: E731
        signal.alarm(LIMIT_S)
        try:
            be_child(name, house, fault, tell, is_told=is_told)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told: dict[str, Any] = {}
        for line in pipe:
            told |= json.loads(line)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    told["killed"] = status == -signal.SIGKILL
    told["hung"] = status == -signal.SIGALRM
    return told


def be_child(name: str, house: House, fault: Fault | None, tell: Callable[..., object], *, is_told: bool) -> None:
    """Do the case."""
    roots = (str(house.layout.directory), str(house.place))
    calls = Calls(fault, roots=roots, tell=lambda fired: tell(fired=fired), is_told=is_told)
    deed = prepare(name, house)
    calls.install()
    before = len(list_directory("/proc/self/fd"))
    calls.is_on = True
    told: dict[str, Any] = {}
    try:
        told["code"] = deed()
    except BaseException as error:
        if not (isinstance(error, QueueError) and error.exit_code == CANNOT_START):
            told["raised"] = f"{type(error).__name__}: {error}"
    calls.is_on = False
    tell(**told, leaked=len(list_directory("/proc/self/fd")) - before, names=calls.names)


def prepare(name: str, house: House) -> Callable[[], int | None]:
    """Do what comes before the faults; return the deed, which returns an exit code if it has one."""
    if name in enqueue_cases.CASES:
        enqueue_case = enqueue_cases.CASES[name]
        enqueue_case.enter(house.layout)
        return lambda: enqueue_case.act(house.layout)
    delivery_case = delivery_cases.CASES[name]
    logs = [LogWriter(house.place / "log") for _ in delivery_case.passes_s]
    return lambda: delivery_cases.act(house, delivery_case, logs)


def build(place: Path, name: str) -> House:
    """Make a house for a case."""
    place.mkdir()
    if name in enqueue_cases.CASES:
        return enqueue_cases.build(place, enqueue_cases.CASES[name])
    return delivery_cases.build(place, delivery_cases.CASES[name])


def judge(name: str, house: House, kind: str, told: dict[str, Any], ahead: Sequence[str]) -> dict[str, str]:
    """Return what is wrong with a child and with what it left."""
    fired = told.get("fired", "")
    if name in enqueue_cases.CASES:
        code = told.get("code")
        case = enqueue_cases.CASES[name]
        found = enqueue_cases.judge(
            case,
            house,
            wanted=enqueue_cases.wanted_codes(case, kind, fired, ahead),
            code=code,
            is_helpless=enqueue_cases.can_undo_nothing(kind, fired),
        )
    else:
        found = delivery_cases.judge(delivery_cases.CASES[name], house)
    found |= {key: str(told[key]) for key in ("raised", "hung") if told.get(key)}
    if told.get("leaked"):
        found["descriptors left"] = str(told["leaked"])
    return found


def try_fault(base: Path, name: str, fault: Fault | None, calls: Sequence[str] = ()) -> dict[str, Any]:
    """Build a house, do the case in it under a fault, judge, and remove the house.

    Args:
        base: Where the house is built.
        name: The case.
        fault: What happens in it; None to learn the calls.
        calls: The calls of an undisturbed run.
    """
    place = base / (f"{fault.kind}-{fault.number}".replace(" ", "-") if fault else "none")
    house = build(place, name)
    told = run_child(name, house, fault, is_told=fault is None)
    told["found"] = judge(name, house, fault.kind if fault else "", told, calls[fault.number - 1 :] if fault else ())
    shutil.rmtree(place)
    return told


def plan(calls: Sequence[str], size: str) -> list[Fault]:
    """Return the faults to try; behind the last call one more of each kind, which must not fire."""
    faults = [
        Fault(kind, number)
        for number in range(1, len(calls) + 2)
        for kind in KINDS
        if kind != SHORT or number > len(calls) or calls[number - 1].startswith(WRITES)
    ]
    if size == "full" or len(faults) <= SHORT_CASES:
        return faults
    # Every step-th of them, each kind in turn, since the number of kinds and the step have no divisor in common.
    step = len(faults) / SHORT_CASES
    return [faults[int(place * step)] for place in range(SHORT_CASES)]


def work(base: Path, name: str, faults: Sequence[Fault], calls: Sequence[str]) -> dict[str, Any]:
    """Try the faults one after the other; return counts for each kind, and details."""
    table: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    details: list[str] = []
    repeats: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for fault in faults:
        told = try_fault(base, name, fault, calls)
        row, fired, found = table[fault.kind], told.get("fired", ""), told["found"]
        if bool(fired) != (fault.number <= len(calls)):
            found["broken"] = f"the fault {'fired' if fired else 'did not fire'} at call {fault.number} of {len(calls)}"
        if not fired:
            row["not fired"] += 1
        row["cases"] += 1 if fired else 0
        row["acknowledged"] += told.get("code") == 0
        row["refused"] += bool(told.get("code"))
        row["killed"] += told["killed"]
        if told["killed"] != (fault.kind in KILLS and bool(fired)):
            found["broken"] = "killed" if told["killed"] else "survived SIGKILL"
        for sort, text in found.items():
            row[sort] += 1
            seen[sort] += 1
            if sort == "repeated":
                what = "killed" if told["killed"] else "disk gone" if fault.kind == FOR_GOOD else "error"
                repeats[f"{what}: {_NUMBER.sub('N', fired)}"] += 1
            if seen[sort] <= MAX_DETAILS:
                details.append(f"{sort}: {fault.kind} at call {fault.number} ({fired}): {text}")
    return {"table": table, "details": details, "repeats": repeats}


def share_out(base: Path, name: str, faults: Sequence[Fault], calls: Sequence[str], workers: int) -> dict[str, Any]:
    """Have several processes do the work, and add up what they found."""
    pids = []
    for worker in range(workers):
        place = base / f"worker{worker}"
        place.mkdir()
        pid = os.fork()
        if pid == 0:
            code = 1
            with suppress(KeyboardInterrupt):
                found = work(place, name, faults[worker::workers], calls)
                (base / f"{worker}.json").write_text(json.dumps(found))
                code = 0
            os._exit(code)
        pids.append(pid)
    for pid in pids:
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
            sys.exit("a worker broke off")
    table: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    details: list[str] = []
    repeats: Counter[str] = Counter()
    for worker in range(workers):
        found = json.loads((base / f"{worker}.json").read_text())
        for kind, row in found["table"].items():
            table[kind].update(row)
        details += found["details"]
        repeats.update(found["repeats"])
    return {"table": table, "details": sorted(details), "repeats": repeats}


def do_once(place: Path, name: str, way: str) -> None:
    """Do a case in this process, without faults: "wrapped", and print the calls; or "plain", between two marks."""
    told = os.dup(1)  # some cases need it
    deed = prepare(name, build(place, name))
    if way == "plain":
        os.access(BEGIN, os.F_OK)
        deed()
        os.access(END, os.F_OK)
        return
    calls = Calls(None, roots=(str(place / "queue1"), str(place)), tell=lambda _fired: None, is_told=True)
    calls.install()
    calls.is_on = True
    deed()
    calls.is_on = False
    write(told, json.dumps([" ".join(call) for call in calls.names]).encode())


def main() -> None:
    """Do one case, or tell the kinds of faults."""
    if sys.argv[1] == "kinds":
        json.dump(KINDS, sys.stdout)
        return
    if sys.argv[1] == "once":
        do_once(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
        return
    base, name, size = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    workers = int(sys.argv[4]) if len(sys.argv) > 4 else len(os.sched_getaffinity(0))
    told = try_fault(base, name, None)
    assert not told["found"], told["found"]
    calls = [" ".join(call) for call in told["names"]]
    json.dump({"calls": calls, **share_out(base, name, plan(calls, size), calls, workers)}, sys.stdout)


if __name__ == "__main__":
    main()
