"""The table of states against INTERNALS and recorded queues."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue.layout import KINDS
from indimail_kit.mailqueue.states import PATTERNS, QueueState, state_of

RECORDED = Path(__file__).parent.parent / "data" / "indimail" / "queue"
ALL_SETS = [frozenset(kinds) for size in range(len(KINDS) + 1) for kinds in itertools.combinations(KINDS, size)]

INTERNALS = {
    "S1": "-mess -intd -todo -info -local -remote -bounce",
    "S2": "+mess -intd -todo -info -local -remote -bounce",
    "S3": "+mess +intd -todo -info -local -remote -bounce",
    "S4": "+mess ?intd +todo ?info ?local ?remote -bounce",
    "S5": "+mess -intd -todo +info ?local ?remote ?bounce",
}
"""Section 2 of INTERNALS, as printed there."""

RECORDED_STATES = {
    ("s2-s3-in-progress-nqueue", 1745435): "S2",
    ("s2-s3-in-progress-nqueue", 1745440): "S3",
    ("s4-queued-queue1", 1704474): "S4",
    ("s4-queued-queue1", 1704476): "S4",
    ("s5-deferred-and-bounce-queue1", 1704474): "S5",
    ("s5-deferred-and-bounce-queue1", 1704476): "S5",
    ("mixed-queue1", 1704474): "S5",
    ("mixed-queue1", 1704483): "S4",
    ("mixed-queue2", 1720859): "S5",
    ("mixed-queue2", 1720864): "S4",
}
"""(listing, message number) -> state, told by the one who recorded them (README, facts)."""


@pytest.mark.parametrize("name", INTERNALS)
def test_pattern_is_that_of_internals(name: str) -> None:
    """The table can be laid beside the manual."""
    assert (
        " ".join(sign + kind for sign, kind in zip(PATTERNS[QueueState[name]], KINDS, strict=True)) == INTERNALS[name]
    )


@pytest.mark.parametrize("kinds", ALL_SETS, ids=lambda kinds: "+".join(sorted(kinds)) or "nothing")
def test_no_set_of_files_is_in_two_states(kinds: frozenset[str]) -> None:
    """The five patterns exclude each other, over all 128 sets."""
    fitting = [
        state
        for state, pattern in PATTERNS.items()
        if all(sign == "?" or (sign == "+") == (kind in kinds) for kind, sign in zip(KINDS, pattern, strict=True))
    ]
    assert len(fitting) <= 1


def test_a_set_that_internals_does_not_know_is_refused() -> None:
    """A todo file without mess: a broken queue."""
    with pytest.raises(QueueError, match=r"no state has the files \['todo'\]"):
        state_of({"todo"})


def test_there_are_27_good_sets_of_files() -> None:
    """S1, S2, S3 one each, S4 2*2*2*2, S5 2*2*2; the other sets are refused."""
    states = []
    for kinds in ALL_SETS:
        try:
            states.append(state_of(kinds).name)
        except QueueError:
            states.append("refused")
    assert {name: states.count(name) for name in states} == {
        "S1": 1,
        "S2": 1,
        "S3": 1,
        "S4": 16,
        "S5": 8,
        "refused": 101,
    }


def test_a_kind_that_no_queue_has_is_refused() -> None:
    """A misspelt kind does not become a state."""
    with pytest.raises(QueueError):
        state_of({"mess", "pid"})


@pytest.mark.parametrize(("place", "state"), RECORDED_STATES.items(), ids=str)
def test_recorded_message_is_in_the_state_in_which_it_was_recorded(place: tuple[str, int], state: str) -> None:
    """Kinds come from the listing of the real tree."""
    listing, number = place
    kinds = re.findall(
        rf" \w*queue\d*/(\w+)/(?:\d+/)?{number}$", (RECORDED / f"{listing}.list").read_text(), re.MULTILINE
    )
    assert state_of(kinds).name == state


@pytest.mark.parametrize(
    "kinds", [["mess", "mess"], ("mess",), {"mess"}, {"mess": 1}.keys()], ids=lambda k: type(k).__name__
)
def test_any_collection_of_kinds_will_do(kinds: list[str]) -> None:
    """List, tuple, set, view."""
    assert state_of(kinds) is QueueState.S2
