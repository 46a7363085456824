"""Every system call of enqueue and delivery × killed before and after × six errors, half writes, and a disk that dies.

What was acknowledged is delivered, what was refused is not queued, and files are always those of a state; the judge is
queue_reader.py, which knows the manuals and not the kit. In `make test` a sample is taken, always the same one.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.crash

ENQUEUE = ("enqueue", "enqueue, no sync", "enqueue, bad envelope", "program qmail-queue")
DELIVERY = ("two mailboxes", "mailbox and bounce", "double bounce", "folder and forward", "deferred, then too old")

WRONG = (
    *("lost", "refused but queued", "broken", "wrong exit code", "raised", "hung", "never ends"),
    "descriptors left",
)
"""What must not happen, not once."""

COUNTED = ("cases", "killed", "acknowledged", "refused", *WRONG, "repeated", "left over", "refused, undoing failed")

KINDS = (
    *("killed before", "killed after", "EIO", "ENOSPC", "EDQUOT", "EINTR", "EMFILE", "EACCES", "short"),
    "EIO for good",
)

EVERY_CALL = KINDS[:-2]
"""Kinds of faults that can meet any call; a half write meets only writes."""

NEEDED = {
    "enqueue": {"open pid/", "link mess/", "unlink pid/", "writev pid/", "open intd/", "fsync intd/", "link todo/"},
    "program qmail-queue": {"read input0", "read input1", "open control/", "getdents todo", "write lock/trigger"},
    "mailbox and bounce": {
        "unlink todo/",
        "fsync info/",
        "pwrite local/",
        "unlink local/",
        "unlink info/",
        "unlink mess/",
    }
    | {"write bounce/", "unlink bounce/", "link todo/", "link bob/new/", "flock lock/sendmutex"},
}
"""Case -> calls that must be among those that fail, so that the grid cannot become empty without anybody's noticing."""

REPEATING = re.compile(
    r"(killed|disk gone): (link|fsync|close|unlink|open) \w+(/\.Lists)?/(new|tmp)\b"  # in the mailbox, not yet marked
    r"|(killed|disk gone): ((open|pread|pwrite) local/|(fstat|write) log/)"
    # a bounce is queued, and bounce/N still there
    r"|(killed|disk gone): ((link|open|fsync|close) todo/|(open|write|close) lock/trigger|close (intd/|pid/|\.))"
    r"|\w+( \w+)?: unlink bounce/"
)
"""Faults after which a mail may come twice. An error of a single call does it at one place only: bounce/N cannot be
removed though the bounce is queued."""

FORWARDING = re.compile(r"[\w ]+: \w+ (mess/|intd/|pid/|todo/|\.$)")
"""A filter that keeps a copy and forwards another does both again when the copy could not be queued."""


def test_kinds_are_those_of_the_programs(run_program: Callable[..., str]) -> None:
    """The tables show every kind of fault that the programs know."""
    assert tuple(json.loads(run_program("grid.py", "kinds"))) == KINDS


Found = tuple[str, dict[str, Any]]
"""A case and what its grid found."""


@pytest.fixture(scope="module")
def grids(
    run_program: Callable[..., str],
    fast_directory: Callable[[], Path],
    crash_size: str,
    crash_counts: Callable[..., None],
) -> Iterator[Callable[[str], Found]]:
    """Return a function that runs the grid of a case once, and prints its table; at the end print one of all cases."""
    lines: list[list[object]] = []

    @cache
    def run(case: str) -> Found:
        base = fast_directory()
        result = json.loads(run_program("grid.py", base, case, crash_size))
        shutil.rmtree(base)
        seen = [name for name in COUNTED if name in WRONG or any(row.get(name) for row in result["table"].values())]
        rows = [[kind, *(result["table"][kind].get(name, 0) for name in seen)] for kind in KINDS]
        sums = ["all", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True))]
        room = "enqueue" if case in ENQUEUE else "delivery"
        title = f"faults in {room}, case {case!r}: {len(result['calls'])} system calls ({crash_size})"
        crash_counts(title, [("fault", *seen), *rows, sums])
        totals = [sum(row.get(name, 0) for row in result["table"].values()) for name in ("cases", "killed", *WRONG)]
        lines.append([room, case, len(result["calls"]), *totals])
        if result["repeats"]:
            repeats = sorted(result["repeats"].items(), key=lambda row: -row[1])
            crash_counts(f"what is repeated, case {case!r}", [("fault at", "cases"), *repeats])
        return case, result

    yield run
    heading = ["room", "case", "system calls", "faults", "killed", *WRONG]
    sums = ["all", "", *(sum(column) for column in zip(*(line[2:] for line in lines), strict=True))]  # type: ignore[arg-type]  # numbers
    crash_counts(f"all faults in enqueue and delivery ({crash_size})", [heading, *sorted(lines, key=str), sums])


@pytest.fixture(params=[*ENQUEUE, *DELIVERY])
def found(request: pytest.FixtureRequest, grids: Callable[[str], Found]) -> Found:
    """Return a case and what its grid found."""
    return grids(request.param)


def test_nothing_is_lost_broken_or_wrongly_refused(found: Found) -> None:
    """Not one acknowledged message is lost, not one refused is queued, no invariant breaks, each exit code is right."""
    _case, result = found
    wrong = [text for text in result["details"] if text.partition(":")[0] in WRONG]

    assert wrong == []
    assert sum(row.get(name, 0) for row in result["table"].values() for name in WRONG) == 0


def test_every_call_met_every_fault(found: Found, crash_size: str) -> None:
    """In the full form the counts are those of the calls; in the short form each kind was there."""
    _case, result = found
    cases = {kind: result["table"][kind].get("cases", 0) for kind in KINDS}
    least = len(result["calls"]) if crash_size == "full" else min(3, len(result["calls"]))

    assert [kind for kind in EVERY_CALL if cases[kind] < least] == []
    assert crash_size == "short" or {row.get("not fired") for row in result["table"].values()} == {1}


def test_calls_that_matter_are_among_them(found: Found) -> None:
    """The wrapper sees the calls by which a message moves."""
    case, result = found

    assert [call for call in NEEDED.get(case, ()) if not any(one.startswith(call) for one in result["calls"])] == []


def test_mail_comes_twice_only_when_its_mark_was_missing(found: Found) -> None:
    """A second copy comes only from faults between a delivery and its mark, or between a bounce and its removal."""
    case, result = found
    patterns = (REPEATING, FORWARDING) if case == "folder and forward" else (REPEATING,)
    assert [call for call in result["repeats"] if not any(pattern.match(call) for pattern in patterns)] == []
