"""PlanPanel: nothing is done without a plan that was read and a yes to this very plan; refused while somebody works."""

from __future__ import annotations

import fcntl
import threading

import pytest

from indimail_kit.admin.queue_wish import WISHES
from indimail_kit.errors import LabError, QueueError
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import check_queue, open_queues
from indimail_kit.widgets import PlanPanel
from indimail_kit.widgets.plan_panel import layouts_of

NOW_S = 1_900_000_000
FAULTS = ("wrong-mode", "inode-differs", "ossified")


@pytest.fixture
def demo(tmp_path):
    """Give a queue with things to repair."""
    return make_queue(tmp_path / "queue1", messages=20, seed=2, split=5, now_s=NOW_S, faults=FAULTS)


@pytest.fixture
def view(demo):
    """Give the panel of its base."""
    return PlanPanel(demo.layout.directory.parent, now_ns=lambda: NOW_S * 10**9)


def tree(layout):
    """Return every file with what a change would change."""
    found = {path: path.lstat() for path in layout.directory.parent.rglob("*")}
    return {path: (one.st_ino, one.st_nlink, one.st_mode, one.st_mtime_ns) for path, one in found.items()}


def found(layout):
    """Return the rules that the queue breaks."""
    return sorted(one.rule for one in check_queue(layout, now_s=NOW_S))


def whole(demo):
    """Return a message that is in order."""
    return next(number for number in demo.numbers if demo.layout.path("info", number).exists())


def test_plan_is_made_and_nothing_is_done(view, demo):
    """Every step stands there with its command; the queue is as it was."""
    before = tree(demo.layout)
    planned = view.make_plan()

    assert tree(demo.layout) == before
    assert all(step.text in view.panel.value.replace("&#x27;", "'") for step in planned.plan.steps)
    assert "can be undone" in view.status.sentence or "cannot be undone" in view.status.sentence


def test_after_a_yes_it_is_done_step_by_step(view, demo):
    """The queue is in order, and the panel says so and how it is taken back."""
    view.make_plan()
    view.is_yes = True
    report = view.do_plan()

    assert (report.is_done, found(demo.layout), view.status.tone) == (True, [], "ik-good")
    assert view.panel.value.count("✓ done") == len(report.done)
    assert "To take it back" in view.panel.value


@pytest.mark.parametrize("step", ["nothing", "a plan", "a yes without a plan", "a used yes"])
def test_without_a_yes_to_this_plan_nothing_is_done(view, demo, step):
    """By the function and by the button; a yes is used up by the deed."""
    if step != "nothing":
        view.is_yes = step == "a yes without a plan"
    if step in ("a plan", "a used yes"):
        view.make_plan()
    if step == "a used yes":
        view.is_yes = True
        view.do_plan()
    before = tree(demo.layout)
    view.do_button.click()
    with pytest.raises(LabError, match="nothing was done"):
        view.do_plan()

    assert (tree(demo.layout), view.do_button.disabled) == (before, True)


@pytest.mark.parametrize("change", [{"wish": "trash"}, {"message": "queue1/5"}])
def test_yes_does_not_go_over_to_another_wish(view, demo, change):
    """Whoever changes the wish has a plan to read anew."""
    view.make_plan()
    view.is_yes = True
    for name, value in change.items():
        setattr(view, name, value)

    assert (view.planned, view.is_yes, view.do_button.disabled, view.panel.value) == (None, False, True, "")


def test_new_plan_has_no_yes(view):
    """Even if it is the same."""
    view.make_plan()
    view.is_yes = True
    view.make_plan()

    assert (view.is_yes, view.do_button.disabled) == (False, True)


def test_buttons_do_the_same(view, demo):
    """Plan, tick, do."""
    view.plan_button.click()
    assert (view.do_button.disabled, view.planned is None) == (True, False)
    view.is_yes = True
    assert view.do_button.disabled is False
    view.do_button.click()

    assert (found(demo.layout), view.report.is_done) == ([], True)


def test_queue_in_use_is_refused(view, demo):
    """qmail-send holds it: that is said when planning, and nothing is done with a yes."""
    before = None
    with (demo.layout.directory / "lock" / "sendmutex").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        view.make_plan()
        said = (view.status.sentence, view.panel.value)
        view.is_yes = True
        before = tree(demo.layout)
        report = view.do_plan()
        assert tree(demo.layout) == before

    assert ("stop it first" in said[0], "! in use" in said[1]) == (True, True)
    assert (report.done, report.is_done, "stop it first" in view.status.sentence) == ((), False, True)


def test_what_changed_since_the_plan_stops_it(view, demo):
    """Each step looks again; what is left is said as not done, and a new plan can be made."""
    view.make_plan()
    for path in list(demo.layout.directory.glob("mess/*/*")):
        new = path.with_name("new")  # beside the old one, whose inode could be given again
        new.write_bytes(path.read_bytes())
        new.replace(path)
    view.is_yes = True
    report = view.do_plan()

    assert (report.is_done, view.status.tone) == (False, "ik-bad")
    assert "✕ failed" in view.panel.value
    view.make_plan()
    assert view.report is None


def test_message_is_held_and_released(view, demo):
    """Out of qmail's sight and back, each after a yes of its own."""
    number = whole(demo)
    for wish in ("hold", "release"):
        view.wish, view.message = wish, f"queue1/{number}"
        view.make_plan()
        view.is_yes = True
        view.do_plan()
        assert demo.layout.path("info", number).exists() is (wish == "release")


def test_way_back_is_a_plan_with_a_yes_of_its_own(view, demo):
    """What was held comes back; before a deed, and after one that nothing brings back, there is no such plan."""
    number = whole(demo)
    before = view.back_button.disabled
    view.wish, view.message = "hold", f"queue1/{number}"
    view.make_plan()
    view.is_yes = True
    view.do_plan()
    assert (before, view.back_button.disabled) == (True, False)
    view.back_button.click()
    planned = (view.is_yes, view.do_button.disabled, view.report, demo.layout.path("info", number).exists())
    view.is_yes = True
    view.do_plan()

    assert planned == (False, True, None, False)
    assert demo.layout.path("info", number).exists()


def test_way_back_of_nothing_is_nothing(view):
    """The button does nothing without a report."""
    view.make_plan()
    planned = view.planned
    view.plan_back()

    assert view.planned is planned


def test_what_nothing_brings_back_is_shown(view, demo):
    """In words, with a sign of its own, before the yes; the sentence counts it."""
    view.make_plan()
    steps = view.planned.plan.steps
    lasting = sum(bool(step.cannot_undo) for step in steps)

    assert view.panel.value.count("✕ cannot be undone") == lasting


@pytest.mark.parametrize("message", ["", "x", "queue1/", "queue1/0", "queue9/5", "../5", "5", "queue1/5"])
def test_what_is_no_message_is_no_plan(view, message):
    """A sentence says what is needed; nothing is guessed."""
    view.wish, view.message = "trash", message
    view.plan_button.click()

    assert (view.planned, view.status.tone, view.status.sentence[:7]) == (None, "ik-bad", "No plan")
    with pytest.raises(QueueError):
        view.make_plan()


def test_number_that_two_queues_have_is_no_plan(tmp_path, demo):
    """Which one is meant has to be said."""
    number = whole(demo)
    other = make_queue(tmp_path / "queue2", messages=4, seed=3, split=5, now_s=NOW_S)
    path = other.layout.path("mess", number)
    path.write_bytes(b"another\n")
    view = PlanPanel(tmp_path, wish="trash", message=str(number))
    view.plan_button.click()

    assert "more than one queue: queue1, queue2" in view.status.sentence
    assert layouts_of(view.queues, f"queue2/{number}")[0] == (view.queues.layout("queue2"),)


def test_only_one_thing_at_a_time(view, monkeypatch):
    """While a plan is made, no other begins."""
    go_on, began = threading.Event(), threading.Event()

    def slow(*_args, **_options):
        began.set()
        go_on.wait(10)
        raise QueueError("late", exit_code=62)

    monkeypatch.setattr("indimail_kit.widgets.plan_panel.plan_repairs", slow)
    thread = threading.Thread(target=view.plan_button.click)
    thread.start()
    began.wait(10)
    try:
        with pytest.raises(LabError, match="has not ended"):
            view.make_plan()
        assert view.do_button.disabled is True
    finally:
        go_on.set()
        thread.join()


def test_it_is_words_and_html_without_a_kernel(view, strangers):
    """Before a plan, with one, and after the deed."""
    for _step in range(2):
        assert strangers(view.static_html()) == []
        assert repr(view).startswith("PlanPanel: ")
        view.make_plan()
    view.is_yes = True
    view.do_plan()

    assert (strangers(view.static_html()), "✓ done" in view.static_html()) == ([], True)


def test_hostile_names_stay_text(tmp_path, payloads, strangers):
    """A file of a queue may be named as somebody likes."""
    demo = make_queue(tmp_path / "queue1", messages=4, split=3, now_s=NOW_S)
    for payload in payloads[:40]:
        name = payload.replace("/", "").replace("\0", "")[:60] or "x"
        (demo.layout.directory / "mess" / "0" / name).write_bytes(b"")
    view = PlanPanel(tmp_path)
    view.make_plan()
    view.is_yes = True
    view.do_plan()

    assert (strangers(view.panel.value), strangers(view.static_html())) == ([], [])
    assert all(name.isprintable() for name in (view.status.sentence, repr(view)))


def test_every_wish_is_offered(view):
    """With its words."""
    offered = dict(view._controls["wish"].options)

    assert offered == {words: name for name, words in WISHES.items()}
    assert open_queues(view.queues.place).layouts == view.queues.layouts
