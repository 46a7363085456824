"""Wishes become plans, with what is refused and who works on the queue."""

from __future__ import annotations

import fcntl

import pytest

from indimail_kit.admin.queue_wish import plan_repairs, plan_wishes
from indimail_kit.errors import QueueError
from indimail_kit.lab.corpus import DemoQueue, make_queue
from indimail_kit.mailqueue import open_queues

NOW_S = 1_900_000_000


@pytest.fixture
def demo(tmp_path) -> DemoQueue:
    """Return a queue with faults, beside one that is in order."""
    make_queue(tmp_path / "queue2", messages=4, seed=1, split=5, now_s=NOW_S)
    return make_queue(tmp_path / "queue1", messages=30, seed=2, split=5, now_s=NOW_S, faults=["ossified"] * 6)


def layouts(demo: DemoQueue):
    """Return both queues."""
    return open_queues(demo.layout.directory.parent).layouts


def test_repair_of_queues_is_one_plan(demo):
    """Only the queues that it changes count as held; a long plan is summed up."""
    wish = plan_repairs(layouts(demo), now_s=NOW_S)

    assert ([one.name for one in wish.layouts], wish.plan.title, wish.refused) == (["queue1"], "Repair 2 queues", ())
    assert wish.summary.startswith(f"In all {len(wish.plan)} steps: ")
    assert f"{len(wish.plan)} steps cannot be undone." in wish.summary


def test_who_holds_a_queue_is_told(demo):
    """Nobody, then somebody."""
    wish = plan_repairs(layouts(demo)[:1], now_s=NOW_S)
    nobody = wish.holders()
    with (demo.layout.directory / "lock" / "sendmutex").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        [said] = wish.holders()

    assert (nobody, "stop it first" in said) == ([], True)


@pytest.mark.parametrize("wish", ["hold", "trash", "expire"])
def test_wish_for_a_message_is_planned_in_the_queue_that_has_it(demo, wish):
    """And nowhere else; a short plan needs no sum."""
    number = next(one for one in demo.numbers if demo.layout.path("info", one).exists())
    [planned] = plan_wishes(layouts(demo), number, wish=wish, now_s=NOW_S)

    assert ([one.name for one in planned.layouts], planned.summary) == (["queue1"], "")
    assert str(number) in planned.plan.title


@pytest.mark.parametrize("wish", ["hold", "release", "trash", "expire", "repair", "burn"])
def test_wish_that_cannot_be_planned_is_an_error(demo, wish):
    """No such message, or no such wish."""
    with pytest.raises(QueueError):
        plan_wishes(layouts(demo), 5, wish=wish, now_s=NOW_S)


def test_all_that_can_be_undone_is_said(tmp_path):
    """When nothing lasts."""
    make_queue(tmp_path / "queue1", messages=40, seed=2, split=5, now_s=NOW_S, faults=["wrong-mode"] * 7)

    assert plan_repairs(open_queues(tmp_path).layouts, now_s=NOW_S).summary.endswith("; all of it can be undone.")
