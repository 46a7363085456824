"""The lab's queues break no rule: before a mail, while many are on their way, and afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from indimail_kit.admin import plan_queue_repair, run_plan
from indimail_kit.admin.queue_holder import find_holder
from indimail_kit.lab import Lab
from indimail_kit.mailqueue import Violation, check_queue, open_queues


def check(lab: Lab) -> Iterator[Violation]:
    """Check all queues of a lab."""
    for layout in open_queues(lab.queue_base).layouts:
        yield from check_queue(layout, now_s=int(time.time()))


def test_lab_breaks_no_rule_before_during_and_after_delivery(lab: Lab) -> None:
    """Mails to a user, to two users and to nobody (a bounce) come and go while the check looks at the queues."""
    before = list(check(lab))
    during: list[Violation] = []
    is_over = threading.Event()
    looks = 0

    def look() -> None:
        nonlocal looks
        while not is_over.is_set():
            during.extend(check(lab))
            looks += 1

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(3):
            lab.send(body="Hello")
            lab.send(recipient="nobody@example.com", body="Hello")
    finally:
        is_over.set()
        looking.join()
    assert (before, during, list(check(lab))) == ([], [], [])
    assert looks > 0


def test_lab_that_runs_holds_its_queues(lab: Lab) -> None:
    """A repair of a queue at work is refused, step by step, and what is wrong stays as it is."""
    layout = open_queues(lab.queue_base).layouts[0]
    stranger = layout.directory / "core"
    stranger.touch()
    try:
        plan = plan_queue_repair(layout, now_s=int(time.time())).plan
        report = run_plan(plan, confirm=lambda _text: True)
        assert (find_holder(layout.directory) is not None, stranger.exists()) == (True, True)
        assert report.problem.startswith(f"qmail-send holds {layout.name}")
    finally:
        stranger.unlink()


def test_lab_that_is_stopped_lets_its_queues_be_repaired(tmp_path: Path) -> None:
    """Its directory is kept, and the queues are free again."""
    with Lab(directory=tmp_path / "lab", scanner="embedded") as lab:
        base = lab.queue_base
    layout = open_queues(base).layouts[0]
    (layout.directory / "core").touch()
    report = run_plan(plan_queue_repair(layout, now_s=int(time.time())).plan, confirm=lambda _text: True)
    assert (report.problem, len(report.done)) == ("", 1)
