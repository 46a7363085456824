"""The lessons on tape: what the real programs of the kit did, with each sync policy."""

from __future__ import annotations

import pytest

from indimail_kit.lab.tapes import TITLES, record_lesson_tapes
from indimail_kit.mailqueue.crash import CrashVerdict, crash_states
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.mailqueue.tape import Tape
from indimail_kit.mailqueue.values import SYNC_NAMES

COMES_IN, GOES_OUT, COMES_BACK = TITLES


@pytest.fixture(scope="module")
def tapes() -> dict[tuple[str, str], Tape]:
    """All the lessons."""
    return record_lesson_tapes(seed=1)


def states(tape: Tape) -> list[QueueState | None]:
    """Return the states of a tape's message in the order in which it reaches them."""
    seen = [tape.state(number) for number in range(len(tape) + 1)]
    return [state for at, state in enumerate(seen) if at == 0 or state is not seen[at - 1]]


def test_there_is_a_tape_for_each_lesson_and_policy(tapes):
    """A widget can switch without a hole."""
    assert list(tapes) == [(title, sync) for title in TITLES for sync in SYNC_NAMES]
    assert {(tape.title, tape.exit_code) for tape in tapes.values()} == {(title, 0) for title in TITLES}


@pytest.mark.parametrize("sync", SYNC_NAMES)
@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (COMES_IN, ["S1", "S2", "S3", "S4"]),
        (GOES_OUT, ["S4", "S5", "S2", "S1"]),
        (COMES_BACK, ["S4", "S5", "S2", "S1"]),
    ],
)
def test_the_message_goes_through_the_states_of_internals(tapes, title, sync, expected):
    """In: S1 to S4. Out: S4, S5, and for one step mess alone, before nothing is left."""
    assert [state.name for state in states(tapes[title, sync])] == expected


def test_the_policy_is_seen_in_the_calls(tapes):
    """Files and directories, files, nothing."""
    calls = {sync: {step.call for step in tapes[COMES_IN, sync].steps} for sync in SYNC_NAMES}

    synced = {sync: sorted(calls[sync] & {"fsync", "fsyncdir"}) for sync in SYNC_NAMES}
    assert synced == {"safe": ["fsync", "fsyncdir"], "qmail": ["fsync"], "indimail": []}


def test_a_bounce_is_on_the_tape(tapes):
    """Bob has his mail, nobody has none, ann is told; the bounce is a message of its own."""
    tape = tapes[COMES_BACK, "safe"]
    new = {path.split("/")[0] for path in tape.image(len(tape)).mailboxes if "/new/" in path}

    assert (dict(tape.outcomes)[b"nobody@example.com"], new) == ("failure", {"ann@example.com", "bob@example.com"})
    assert any(path.startswith("bounce/") for step in tape.steps for path in step.image.files)
    assert len({number for step in tape.steps for number in step.image.numbers()}) == 2


@pytest.mark.parametrize("title", TITLES)
def test_a_killed_program_loses_nothing_in_any_lesson(tapes, title):
    """With the safe policy no step of any lesson loses an acknowledged mail."""
    tape = tapes[title, "safe"]

    assert CrashVerdict.LOST not in {crash_states(tape, number, "process").worst for number in range(len(tape) + 1)}


def test_the_seed_chooses_the_mail(tapes):
    """The same seed, the same octets; another seed, another mail. Numbers are inodes and differ."""
    again, other = record_lesson_tapes(seed=1), record_lesson_tapes(seed=2)
    mails = [
        [
            file.content
            for path, file in made[COMES_IN, "safe"].steps[-1].image.files.items()
            if path.startswith("mess/")
        ]
        for made in (tapes, again, other)
    ]

    assert (mails[0] == mails[1], mails[0] == mails[2], b"Subject: Lesson 2" in mails[2][0]) == (True, False, True)
