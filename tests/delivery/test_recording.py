"""Tapes of the real qmail-send, and the real qmail-send on what a crash left: it agrees with each verdict."""

from __future__ import annotations

import itertools
import random
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from indimail_kit.delivery import LocalDelivery, QmailSend, Report, create_maildir, record_delivery
from indimail_kit.envelope import Envelope
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue.crash import CRASH_MODELS, CrashModel, CrashState, CrashVerdict, crash_counts, crash_states
from indimail_kit.mailqueue.enqueue import enqueue
from indimail_kit.mailqueue.image import take_image, write_image
from indimail_kit.mailqueue.layout import KINDS, QueueLayout, create_queue
from indimail_kit.mailqueue.live import LiveChange, LiveQueues
from indimail_kit.mailqueue.recorder import record_enqueue
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.mailqueue.tape import Tape
from indimail_kit.mailqueue.values import INDIMAIL, QMAIL, SAFE, SyncPolicy

T = TypeVar("T")

NOW_NS = time.time_ns()  # files carry the times of the real clock, and qmail-send goes by them
LATER_NS = NOW_NS + 1000 * 10**9
USERS = ("ann", "bob", "carol")
MESSAGE = b"Subject: hi\n\nbody\n"
SPLIT = 2

SCENARIOS = {
    "delivered": (b"bob@example.com", b"carol@example.com"),
    "bounced": (b"nobody@example.com",),
    "both": (b"bob@example.com", b"nobody@example.com"),
    "rewritten": (b"bob", b"virtual@example.org"),
}
"""Scenario -> recipients; ann is the sender and gets the bounces; nobody has no mailbox."""


def clock() -> int:
    """Return a time that stands still."""
    return NOW_NS


def local_in(base: Path) -> LocalDelivery:
    """Return who lives in a directory; their mailboxes are made."""
    users = {f"{user}@example.com": create_maildir(base / user) for user in USERS}
    users["virtual@example.org"] = create_maildir(base / "virtual")
    return LocalDelivery(
        locals={"example.com"}, users=users, host="example.com", virtual_domains={"example.org": "example"}
    )


def record_scenario(base: Path, scenario: str, sync: SyncPolicy) -> Tape:
    """Queue a message and record its delivery."""
    layout = create_queue(base / "queue1", split=SPLIT)
    envelope = Envelope(b"ann@example.com", SCENARIOS[scenario])
    enqueue(MESSAGE, envelope, layout=layout, environ={}, qp=1, uid=0, host="vm", clock=clock, sync=INDIMAIL)
    pids = itertools.count(100)
    return record_delivery(layout, local=local_in(base), sync=sync, clock=clock, next_pid=lambda: next(pids))


def run_qmail_send(base: Path, state: CrashState, tape: Tape) -> QueueLayout:
    """Put what a crash left into a directory, and run the real qmail-send on it."""
    shutil.rmtree(base, ignore_errors=True)
    layout, local = QueueLayout(base / "queue1", split=tape.layout.split), local_in(base)
    write_image(state.image, layout, local.users)
    log = LogWriter(base / "log", clock)
    pids = itertools.count(5000)
    send = QmailSend(
        (layout,), local=local, log=log, clock=lambda: LATER_NS, next_pid=lambda: next(pids), sync=INDIMAIL
    )
    send.run_once()
    send.stop()
    log.close()
    return layout


def reality(base: Path, state: CrashState, tape: Tape, recipients: tuple[bytes, ...], *, acknowledged: bool) -> str:
    """Run qmail-send on what a crash left, and name what it came to, from the files alone."""
    layout = run_qmail_send(base, state, tape)
    whole, damaged = 0, 0
    copies: dict[str, int] = {}
    for user in (*USERS, "virtual"):
        for path in (base / user / "new").iterdir():
            octets = path.read_bytes()
            is_bounce = b"Hi. This is the" in octets
            is_whole = b"<nobody@example.com>:\n" in octets if is_bounce else octets.endswith(b"\n" + MESSAGE)
            whole, damaged = whole + is_whole, damaged + (not is_whole)
            copies[user] = copies.get(user, 0) + is_whole
    names = [recipient.decode().partition("@")[0] for recipient in recipients]
    wanted = {"ann" if name == "nobody" else name for name in names}
    if acknowledged:
        if any(not copies.get(user) for user in wanted):
            return "LOST"
        return "DUPLICATE" if whole > len(wanted) else "KEPT"
    stands = [path for path in take_image(layout).files if path.split("/")[0] in ("todo", "info")]
    if damaged or stands:
        return "BROKEN"
    return "DUPLICATE" if whole else "GONE"


@pytest.fixture
def disagreements(tmp_path: Path) -> Callable[..., list[tuple[int, str, str, str]]]:
    """Return a function that runs qmail-send on crash states and lists those whose verdict was another."""

    def compared(
        tape: Tape, recipients: tuple[bytes, ...], model: CrashModel, *, steps: int = 1000, each: int = 1000
    ) -> list[tuple[int, str, str, str]]:
        choice = random.Random(1)  # noqa: S311 (a sample, no secret)
        found = [
            (number, state)
            for number in sample(range(len(tape) + 1), steps, choice)
            for state in sample(crash_states(tape, number, model), each, choice)
        ]
        return [
            (number, state.verdict.name, real, state.text)
            for number, state in found
            if (real := reality(tmp_path / "again", state, tape, recipients, acknowledged=tape.acknowledged(number)))
            != state.verdict.name
        ]

    return compared


def sample(values: Sequence[T], most: int, choice: random.Random) -> list[T]:
    """Return some of the values, or all when they are few."""
    return choice.sample(values, min(most, len(values)))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_real_qmail_send_agrees_wherever_a_delivery_is_killed(
    tmp_path: Path, scenario: str, disagreements: Callable[..., list[object]]
) -> None:
    """Every state of the process model: once is kept, twice is duplicate, never is lost."""
    tape = record_scenario(tmp_path, scenario, SAFE)
    assert disagreements(tape, SCENARIOS[scenario], "process") == []


@pytest.mark.crash
@pytest.mark.parametrize("model", ["ordered", "unordered"])
@pytest.mark.parametrize("sync", [SAFE, QMAIL, INDIMAIL], ids=["safe", "qmail", "indimail"])
def test_real_qmail_send_agrees_after_power_losses(
    tmp_path: Path,
    model: CrashModel,
    sync: SyncPolicy,
    disagreements: Callable[..., list[object]],
    crash_size: str,
) -> None:
    """A seeded sample of the disks that are possible behind the steps of a delivery and a bounce."""
    tape = record_scenario(tmp_path, "both", sync)
    some = {"short": {"steps": 10, "each": 3}, "full": {"each": 6}}[crash_size]
    assert disagreements(tape, SCENARIOS["both"], model, **some) == []


@pytest.mark.parametrize("model", CRASH_MODELS)
@pytest.mark.parametrize("sync", [SAFE, QMAIL, INDIMAIL], ids=["safe", "qmail", "indimail"])
def test_real_qmail_send_agrees_wherever_an_enqueue_crashes(
    tmp_path: Path, model: CrashModel, sync: SyncPolicy, disagreements: Callable[..., list[object]]
) -> None:
    """Behind every step: the one state of the process model, three of the others."""
    recipients = (b"bob@example.com", b"carol@example.com")
    layout = create_queue(tmp_path / "queue1", split=SPLIT)
    envelope = Envelope(b"ann@example.com", recipients)
    tape = record_enqueue(MESSAGE, envelope, layout=layout, sync=sync, qp=4305, uid=0, host="vm", clock=clock)
    assert disagreements(tape, recipients, model, each=3) == []


@pytest.mark.parametrize("model", CRASH_MODELS)
@pytest.mark.parametrize("scenario", ["both", "bounced"])
def test_safe_loses_no_mail_and_no_bounce_at_any_step(tmp_path: Path, scenario: str, model: CrashModel) -> None:
    """Every combination of what was not synced is looked at."""
    rows = crash_counts(record_scenario(tmp_path, scenario, SAFE), model)
    assert [(row.number, row.call, row.path) for row in rows if row.counts[CrashVerdict.LOST] or row.left_out] == []


def test_tape_of_a_delivery_ends_in_the_mailbox(tmp_path: Path) -> None:
    """The queue is empty, and the mail has one name, in new."""
    tape = record_scenario(tmp_path, "delivered", SAFE)
    last = tape.image(len(tape))
    assert (dict(last.files), sorted({path.rpartition("/")[0] for path in last.mailboxes})) == (
        {},
        ["bob@example.com/new", "carol@example.com/new"],
    )


def test_states_of_a_delivery_are_those_of_internals(tmp_path: Path) -> None:
    """S4, S5, S2, S1: preprocessed, tried, ended."""
    tape = record_scenario(tmp_path, "delivered", SAFE)
    states = [tape.state(number) for number in range(len(tape) + 1)]
    assert [state for state, _ in itertools.groupby(states)] == [
        *(QueueState.S4, QueueState.S5, QueueState.S2, QueueState.S1),
    ]


def test_every_step_of_a_delivery_has_its_sentence(tmp_path: Path) -> None:
    """No step is told in its bare form only."""
    tape = record_scenario(tmp_path, "both", SAFE)
    assert [step for step in tape.steps if step.text == f"{step.call} {step.path}"] == []


def test_mark_changes_one_octet_of_the_tape(tmp_path: Path) -> None:
    """T becomes D, in place, in the same file."""
    tape = record_scenario(tmp_path, "delivered", SAFE)
    number = next(step.number for step in tape.steps if step.call == "mark")
    path = tape.steps[number - 1].path
    before, after = tape.image(number - 1).files[path], tape.image(number).files[path]
    changed = [(old, new) for old, new in zip(before.content, after.content, strict=True) if old != new]
    assert (changed, before.inode) == ([(ord("T"), ord("D"))], after.inode)


def test_deferred_recipient_leaves_a_time_on_the_tape(tmp_path: Path) -> None:
    """Nobody gives a way to other hosts: remote waits, and qmail-send keeps its next attempt when it stops."""
    layout = create_queue(tmp_path / "queue1", split=SPLIT)
    envelope = Envelope(b"ann@example.com", (b"dan@example.net",))
    enqueue(MESSAGE, envelope, layout=layout, environ={}, qp=1, clock=clock, sync=INDIMAIL)
    tape = record_delivery(layout, local=local_in(tmp_path), clock=clock)
    last = tape.steps[-1]
    assert (last.call, last.image.files[last.path].mtime_ns) == ("utime", (NOW_NS // 10**9 + 400) * 10**9)
    assert (dict(tape.outcomes), crash_states(tape, len(tape), "process").worst) == (
        {b"dan@example.net": "deferral"},
        CrashVerdict.KEPT,
    )


@pytest.mark.parametrize("model", CRASH_MODELS)
def test_mail_that_another_host_took_is_not_lost(tmp_path: Path, model: CrashModel) -> None:
    """It was told as lost, since it is in no mailbox here. It comes a second time where the mark was lost, no worse."""
    layout = create_queue(tmp_path / "queue1", split=SPLIT)
    envelope = Envelope(b"ann@example.com", (b"bob@example.com", b"dan@example.net"))
    enqueue(MESSAGE, envelope, layout=layout, environ={}, qp=1, clock=clock, sync=INDIMAIL)
    took = Report("success", b"250 ok\n")
    tape = record_delivery(layout, local=local_in(tmp_path), sync=SAFE, clock=clock, remote=lambda _delivery: took)
    verdicts = {crash_states(tape, number, model).worst for number in range(len(tape) + 1)}

    assert verdicts == {CrashVerdict.KEPT, CrashVerdict.DUPLICATE}
    assert "Another host has taken the mail for dan@example.net." in crash_states(tape, len(tape), model)[0].text


def test_message_before_the_tape_is_not_judged(tmp_path: Path) -> None:
    """A tape is about one message; another that waits in the queue for remote does not count as a copy."""
    layout = create_queue(tmp_path / "queue1", split=SPLIT)
    for recipient in (b"dan@example.net", b"bob@example.com"):
        envelope = Envelope(b"ann@example.com", (recipient,))
        number = enqueue(MESSAGE, envelope, layout=layout, environ={}, qp=1, clock=clock, sync=INDIMAIL).message_number
    tape = record_delivery(layout, local=local_in(tmp_path), clock=clock, message_number=number)
    verdicts = {crash_states(tape, step, "process").worst for step in range(len(tape) + 1)}
    assert verdicts == {CrashVerdict.KEPT, CrashVerdict.DUPLICATE}


def test_kinds_on_a_tape_are_those_of_the_queue(tmp_path: Path) -> None:
    """No file of the queue is of a kind that INTERNALS does not know, but pid."""
    tape = record_scenario(tmp_path, "both", QMAIL)
    kinds = {path.split("/")[0] for step in tape.steps for path in step.image.files}
    assert kinds == {*KINDS, "pid"} - {"remote"}


def test_every_step_that_linux_tells_is_seen_live_in_order(tmp_path: Path) -> None:
    """A delivery with a bounce, on tape and watched from outside: names and octets change in the same order."""
    pytest.importorskip("inotify_simple", reason="needs the extra lab")
    layout = create_queue(tmp_path / "queue1", split=SPLIT)
    with LiveQueues(layout) as live:
        envelope = Envelope(b"ann@example.com", SCENARIOS["both"])
        queued = record_enqueue(MESSAGE, envelope, layout=layout, clock=clock)
        delivered = record_delivery(layout, local=local_in(tmp_path), clock=clock)
        events = [event for event in live.read() if event.change is not LiveChange.TIMES]
    seen = [(event.change, event.path) for event in events]
    wanted = [change for tape in (queued, delivered) for change in changes_on(tape)]
    assert seen == wanted


def changes_on(tape: Tape) -> list[tuple[LiveChange, str]]:
    """Return the names that came and went on a tape, and the files that were written, in order."""
    found = []
    old = tape.before.files
    for step in tape.steps:
        new = step.image.files
        found += [(LiveChange.APPEARED, path) for path in new if path not in old]
        found += [(LiveChange.WENT, path) for path in old if path not in new]
        has_octets = [path for path, file in new.items() if file.content != (old[path].content if path in old else b"")]
        linked = {file.inode for path, file in old.items() if file.content}
        found += [(LiveChange.CHANGED, path) for path in has_octets if path in old or new[path].inode not in linked]
        old = new
    return found
