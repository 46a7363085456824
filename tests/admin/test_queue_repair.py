"""Spoilt queues: each corruption is found, and repaired by a plan or refused with a reason; all else is untouched."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from indimail_kit.admin import run_plan
from indimail_kit.admin.queue_plan import QueueRepair, plan_queue_repair
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import QueueLayout, check_queue

NOW_S = 1_795_356_840


def _load(name: str) -> ModuleType:
    """Load a module that stands beside this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


corruptions = _load("corruptions")
ONCE = [(name, 1) for name in corruptions.CORRUPTIONS]
AGAIN = [pytest.param((name, seed), marks=pytest.mark.slow) for name in corruptions.CORRUPTIONS for seed in (2, 3)]

File = tuple[int, int, int, int, int, int, bytes]


def picture(layout: QueueLayout) -> dict[str, File]:
    """Return what must stay of each file: inode, mode, owner, links, time, octets."""
    files = {}
    for path in layout.directory.rglob("*"):
        status = path.lstat()
        if path.is_file() and not path.is_symlink():
            relative = str(path.relative_to(layout.directory))
            identity = (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_nlink)
            files[relative] = (*identity, status.st_mtime_ns, path.read_bytes())
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # reading it made it look alive
    return files


def owners_of(layout: QueueLayout) -> dict[str, tuple[int, int]]:
    """Return owners as they are, as if this machine had IndiMail's users."""
    status = layout.directory.stat()
    return dict.fromkeys(("qmailq", "qmails", "qmailr"), (status.st_uid, status.st_gid))


class Spoilt:
    """A queue that was spoilt, what was there before, and what shall come of it."""

    def __init__(self, directory: Path, name: str, seed: int) -> None:
        self.corruption = corruptions.CORRUPTIONS[name]
        if self.corruption.needs_root and os.geteuid() != 0:
            pytest.skip("needs root to give files away")
        made = make_queue(directory / "queue1", messages=60, seed=seed, split=7, now_s=NOW_S)
        self.layout = made.layout
        self.owners = owners_of(made.layout)
        self.before = picture(self.layout)
        scene = corruptions.Scene(self.layout, made.numbers, Random(f"{name}{seed}"), NOW_S)  # noqa: S311 (no secret)
        self.touched = self.corruption.spoil(scene)
        self.spoilt = picture(self.layout)
        self.untouched = {path: file for path, file in self.before.items() if self.spoilt.get(path) == file}

    def check(self) -> list[Any]:
        """Return the violations."""
        return list(check_queue(self.layout, now_s=NOW_S, owners=self.owners))

    def plan(self) -> QueueRepair:
        """Return the repair."""
        return plan_queue_repair(self.layout, now_s=NOW_S, owners=self.owners)


@pytest.fixture(scope="module")
def outcomes(crash_counts: Callable[..., None]) -> Iterator[Counter[str]]:
    """Return what to count in; it is printed behind pytest's report."""
    counted: Counter[str] = Counter()
    yield counted
    rows = [(what, counted[what]) for what in ("made", "found", "repaired", "refused with a reason", "others touched")]
    title = f"{len(corruptions.CORRUPTIONS)} kinds of corruption of a queue, each with several seeds"
    crash_counts(title, [("what", "count"), *rows])


@pytest.fixture
def spoilt(request: pytest.FixtureRequest, tmp_path: Path) -> Spoilt:
    """Return a spoilt queue."""
    return Spoilt(tmp_path, *request.param)


def name_of(case: tuple[str, int]) -> str:
    """Return what to call a case."""
    return f"{case[0]}, seed {case[1]}"


def test_there_are_sixty_corruptions() -> None:
    """At least; each several times, with other seeds."""
    assert len(corruptions.CORRUPTIONS) >= 60


@pytest.mark.crash
@pytest.mark.parametrize("spoilt", [*ONCE, *AGAIN], indirect=True, ids=name_of)
def test_corruption_is_found_and_repaired_or_refused(spoilt: Spoilt, outcomes: Counter[str]) -> None:
    """Found; afterwards the check is silent, or says only what was refused; nobody else is touched."""
    found = spoilt.check()
    outcomes["made"] += 1
    outcomes["found"] += bool(found)
    assert found, "nothing was found"
    assert spoilt.corruption.rules <= {one.rule for one in found}

    repair = spoilt.plan()
    assert picture(spoilt.layout) == spoilt.spoilt, "planning changed something"
    report = run_plan(repair.plan, confirm=lambda _text: True)
    assert (report.problem, report.not_done) == ("", ())

    left = {(one.rule, one.path) for one in spoilt.check()}
    assert left == {(one.violation.rule, one.violation.path) for one in repair.refused}
    assert (left == set()) == spoilt.corruption.is_repaired
    assert all(len(one.reason) > 20 for one in repair.refused)
    outcomes["refused with a reason" if left else "repaired"] += 1

    after = picture(spoilt.layout)
    changed = {path for path, file in spoilt.untouched.items() if after.get(path) != file}
    strange = {path for path in changed if int(path.rpartition("/")[2]) not in spoilt.touched}
    outcomes["others touched"] += bool(strange)
    assert strange == set()


@pytest.mark.parametrize("spoilt", ONCE, indirect=True, ids=name_of)
def test_nothing_is_lost_unsaid_and_all_else_can_be_taken_back(spoilt: Spoilt) -> None:
    """Every file is in the queue or beside it, or a step said that it is gone; the way back gives the queue again."""
    repair = spoilt.plan()
    report = run_plan(repair.plan, confirm=lambda _text: True)
    said = {path for step in repair.plan.steps if step.cannot_undo for path, _ in getattr(step.deed, "files", ())}
    everywhere = {path.lstat().st_ino for path in spoilt.layout.directory.parent.rglob("*")}
    assert {path for path, file in spoilt.spoilt.items() if file[0] not in everywhere} == said

    back = run_plan(report.undo_plan(), confirm=lambda _text: True)
    assert back.problem == ""
    assert picture(spoilt.layout) == {path: file for path, file in spoilt.spoilt.items() if path not in said}


@pytest.mark.crash
@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 60))])
def test_many_corruptions_at_once_end_in_a_queue_of_refusals(tmp_path: Path, seed: int) -> None:
    """Each plan runs to its end and loses nothing unsaid; after a few of them only what is refused is left."""
    made = make_queue(tmp_path / "queue1", messages=120, seed=seed, split=7, now_s=NOW_S)
    random, owners = Random(seed), owners_of(made.layout)  # noqa: S311 (no secret)
    scene = corruptions.Scene(made.layout, made.numbers, random, NOW_S)
    for name in random.sample(sorted(corruptions.CORRUPTIONS), 12):
        with contextlib.suppress(OSError, ValueError):  # two of them do not fit together
            if os.geteuid() == 0 or not corruptions.CORRUPTIONS[name].needs_root:
                corruptions.CORRUPTIONS[name].spoil(scene)
    for _ in range(3):
        repair = plan_queue_repair(made.layout, now_s=NOW_S, owners=owners)
        before = {path.lstat().st_ino for path in tmp_path.rglob("*") if not path.is_dir()}
        report = run_plan(repair.plan, confirm=lambda _text: True)
        said = {inode for step in repair.plan.steps for _, inode in getattr(step.deed, "files", ())}
        assert report.problem == ""
        assert before - {path.lstat().st_ino for path in tmp_path.rglob("*")} <= said
    left = {(one.rule, one.path) for one in check_queue(made.layout, now_s=NOW_S, owners=owners)}
    assert len(repair.plan) == 0
    assert left == {(one.violation.rule, one.violation.path) for one in repair.refused}
