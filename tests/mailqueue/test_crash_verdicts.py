"""Crash here: the disks that are possible behind each step of the real qmail-queue, and what becomes of the mail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import INDIMAIL, QMAIL, SAFE, QueueLayout, QueueState, SyncPolicy
from indimail_kit.mailqueue.crash import CRASH_MODELS, CrashModel, CrashVerdict, crash_counts, crash_states
from indimail_kit.mailqueue.recorder import record_enqueue
from indimail_kit.mailqueue.tape import Tape

Taping = Callable[..., Tape]


@pytest.fixture
def tape_of(queue: QueueLayout) -> Taping:
    """Return a function that records one enqueue."""

    def recorded(sync: SyncPolicy = SAFE, envelope: bytes = b"Fann@local.test\0Tbob@local.test\0\0") -> Tape:
        quiet: dict[str, Any] = {"qp": 4305, "uid": 0, "host": "vm", "clock": lambda: 1_795_356_840 * 10**9}
        return record_enqueue(b"Subject: hi\n\nbody\n", envelope, layout=queue, sync=sync, **quiet)

    return recorded


def lost_of_all(tape: Tape, model: CrashModel, **options: Any) -> tuple[int, int]:
    """Return how many combinations lose the mail when it was acknowledged, and how many there are."""
    found = crash_states(tape, len(tape), model, **options)
    return found.counts[CrashVerdict.LOST], found.combinations


@pytest.mark.parametrize(
    ("model", "options", "lost"),
    [
        ("unordered", {}, (24, 32)),
        ("ordered", {}, (1, 2)),
        ("unordered", {"synchronous_directories": True}, (0, 1)),
        ("ordered", {"synchronous_directories": True}, (0, 1)),
        ("process", {}, (0, 1)),
    ],
    ids=["unordered", "ordered", "unordered-dirsync", "ordered-dirsync", "process"],
)
def test_plain_qmail_loses_what_was_counted_for_it(
    tape_of: Taping, model: CrashModel, options: dict[str, Any], lost: tuple[int, int]
) -> None:
    """Five directory operations are not synced: 24 of 32 combinations lose the mail; in a journal's order, 1 of 2."""
    assert lost_of_all(tape_of(QMAIL), model, **options) == lost


@pytest.mark.parametrize("model", CRASH_MODELS)
def test_safe_loses_nothing_at_any_step(tape_of: Taping, model: CrashModel) -> None:
    """Whatever the disk does, what was acknowledged is kept."""
    rows = crash_counts(tape_of(SAFE), model)
    assert sum(row.counts[CrashVerdict.LOST] + row.left_out for row in rows) == 0


@pytest.mark.parametrize("model", CRASH_MODELS)
def test_safe_never_leaves_something_broken(tape_of: Taping, model: CrashModel) -> None:
    """No todo/N whose message or envelope is missing or cut: mess is synced, by name too, before the link."""
    rows = crash_counts(tape_of(SAFE), model)
    assert sum(row.counts[CrashVerdict.BROKEN] for row in rows) == 0


def test_indimail_as_built_keeps_the_mail_when_only_the_program_dies(tape_of: Taping) -> None:
    """Nothing is synced, and nothing need be: the system lives on."""
    assert lost_of_all(tape_of(INDIMAIL), "process") == (0, 1)


@pytest.mark.parametrize(("model", "lost"), [("ordered", (23, 24)), ("unordered", (280, 288))])
def test_indimail_as_built_loses_most_in_a_power_loss(
    tape_of: Taping, model: CrashModel, lost: tuple[int, int]
) -> None:
    """Ordered: one of six lengths of the journal (five names) and one of four of the two files' octets is whole."""
    assert lost_of_all(tape_of(INDIMAIL), model) == lost


def test_kill_of_the_program_is_one_state_at_each_step(tape_of: Taping) -> None:
    """The state that is there: the tape itself."""
    tape = tape_of()
    found = [crash_states(tape, number, "process")[0].image for number in range(len(tape) + 1)]
    assert found == [tape.image(number) for number in range(len(tape) + 1)]


def test_verdicts_of_a_killed_program_in_order(tape_of: Taping) -> None:
    """Gone until todo is linked; then queued without an answer, so it comes twice; kept after the answer."""
    rows = crash_counts(tape_of(), "process")
    verdicts = [next(verdict.name for verdict, count in row.counts.items() if count) for row in rows]
    assert verdicts == ["GONE"] * 11 + ["DUPLICATE"] * 3 + ["KEPT"]


def test_first_state_is_that_on_which_everything_is(tape_of: Taping) -> None:
    """For a switch that shows one disk before the others."""
    tape = tape_of(QMAIL)
    assert [crash_states(tape, len(tape), model)[0].image for model in CRASH_MODELS] == [tape.image(len(tape))] * 3


def test_ways_add_up_to_the_combinations(tape_of: Taping) -> None:
    """16 different disks stand for 32 combinations: a name in pid that came and went is there in one of four."""
    tape = tape_of(QMAIL)
    found = crash_states(tape, len(tape), "unordered")
    assert (len(found), sum(state.ways for state in found), found.combinations) == (16, 32, 32)


def test_text_says_what_is_left_and_who_does_what(tape_of: Taping) -> None:
    """The plain qmail's todo without its mess, for a person."""
    tape = tape_of(QMAIL)
    number = tape.message_number
    texts = {state.text for state in crash_states(tape, len(tape), "unordered") if state.state is None}
    assert (
        f"todo-proc finds todo/…/{number} without mess/…/{number}; it says so and tries again, for ever. "
        "The client has its 250 and has forgotten the mail."
    ) in texts


def test_text_of_a_waiting_client_says_that_it_sends_again(tape_of: Taping) -> None:
    """Why nothing is lost before the answer."""
    state = crash_states(tape_of(), 6, "process")[0]
    assert (state.state, state.verdict) == (QueueState.S2, CrashVerdict.GONE)
    assert state.text.endswith("The client has no answer, keeps its mail and sends it again.")


def test_message_whose_octets_did_not_reach_the_disk_is_lost(tape_of: Taping) -> None:
    """Its name is there, it is queued, and bob gets an empty mail: the worst of IndiMail as built."""
    tape = tape_of(INDIMAIL)
    empty = [
        state
        for state in crash_states(tape, len(tape), "ordered")
        if state.state is QueueState.S4 and "Only 0 of the" in state.text
    ]
    assert {state.verdict for state in empty} == {CrashVerdict.LOST}


def test_refused_message_is_never_queued_by_a_crash(tape_of: Taping) -> None:
    """Neither while it is written nor while it is taken back."""
    tape = tape_of(SAFE, b"Fann@local.test\0Tbob@local.test\0")
    rows = crash_counts(tape, "unordered")
    assert {verdict for row in rows for verdict, count in row.counts.items() if count} == {CrashVerdict.GONE}


def test_limit_is_said(tape_of: Taping) -> None:
    """What was not looked at is counted, and the sentence tells it."""
    tape = tape_of(INDIMAIL)
    found = crash_states(tape, len(tape), "unordered", limit=10)
    looked_at = sum(state.ways for state in found)
    assert (len(found) <= 10, found.left_out > 0, looked_at + found.left_out, found.combinations) == (
        True,
        True,
        288,
        288,
    )
    assert found.text.endswith(f"{found.left_out} more were not looked at.")


def test_names_that_decide_nothing_are_the_first_to_be_left_aside(tape_of: Taping) -> None:
    """With a limit of 36 the count is still exact: pid and intd stand for both."""
    tape = tape_of(INDIMAIL)
    whole, pruned = (crash_states(tape, len(tape), "unordered", limit=limit) for limit in (4096, 36))
    assert (pruned.left_out, pruned.counts, len(pruned) < len(whole)) == (0, whole.counts, True)


def test_worst_verdict_is_told(tape_of: Taping) -> None:
    """For a badge."""
    tape = tape_of(QMAIL)
    assert [crash_states(tape, len(tape), model).worst.name for model in CRASH_MODELS] == ["KEPT", "LOST", "LOST"]


def test_step_that_is_not_on_the_tape_is_refused(tape_of: Taping) -> None:
    """The error says which there are."""
    with pytest.raises(QueueError, match="a step between 0 and 15, not -1"):
        crash_states(tape_of(), -1, "process")


def test_crash_before_the_first_step_leaves_the_queue_as_it_was(tape_of: Taping) -> None:
    """Step 0."""
    assert [crash_states(tape_of(), 0, model).text for model in CRASH_MODELS] == ["1 possible: 1 gone."] * 3
