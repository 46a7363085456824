"""Demo queues: the same seed gives the same mail, every state is there, and the files are as the formats say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from indimail_kit.delivery.schedule import CHANNEL_SKIP
from indimail_kit.errors import LabError
from indimail_kit.lab.corpus import make_queue, plan_messages
from indimail_kit.lab.corpus_faults import FAULTS
from indimail_kit.mailqueue import QueueState, detect_layout, list_messages, read_message
from indimail_kit.mailqueue.tcpto import decode

NOVEMBER_S = 1_795_356_840
"""Sun, 22 Nov 2026 14:14:00 UTC."""


def test_same_seed_plans_the_same_messages() -> None:
    """And another seed plans others."""
    first, second, other = (list(plan_messages(50, seed=seed, now_s=NOVEMBER_S)) for seed in (7, 7, 8))
    assert (first == second, first == other) == (True, False)


def test_smallest_queue_shows_every_state() -> None:
    """A lesson about states needs no luck."""
    states = {message.state for message in plan_messages(4, seed=1, now_s=NOVEMBER_S)}
    assert states == set(QueueState) - {QueueState.S1}


def test_retries_are_on_the_quadratic_schedule_and_not_in_the_past() -> None:
    """A retry is birth + (10 n)**2 for local, birth + (20 n)**2 for remote recipients."""
    late = [
        message.birth_s
        for message in plan_messages(300, seed=2, now_s=NOVEMBER_S)
        for channel, retry_s in message.retries_s.items()
        if retry_s <= NOVEMBER_S or ((retry_s - message.birth_s) ** 0.5) % CHANNEL_SKIP[channel]
    ]
    assert late == []


@pytest.mark.parametrize(("split", "bigtodo"), [(151, True), (23, False)], ids=["IndiMail", "qmail"])
def test_files_say_what_the_plan_says(tmp_path: Path, split: int, bigtodo: bool) -> None:
    """Read back by the slow reader: numbers are inodes, states, senders, recipients, times and sizes agree."""
    made = make_queue(tmp_path / "queue1", messages=120, seed=3, split=split, bigtodo=bigtodo, now_s=NOVEMBER_S)
    plan = plan_messages(120, seed=3, now_s=NOVEMBER_S)
    seen = [read_message(made.layout, number) for number in made.numbers]
    assert (detect_layout(made.layout.directory), list_messages(made.layout)) == (
        made.layout,
        tuple(sorted(made.numbers)),
    )
    for message, planned in zip(seen, plan, strict=True):
        mess = message.file("mess")
        assert mess is not None
        assert (message.anomalies, message.state, message.local, message.remote, mess.size_bytes) == (
            (),
            planned.state,
            planned.local if planned.state is QueueState.S5 else (),
            planned.remote if planned.state is QueueState.S5 else (),
            planned.size_bytes,
        )
        assert message.birth_ns == (planned.birth_s * 10**9 if planned.state is QueueState.S5 else None)


def test_proportions_are_those_of_a_waiting_queue() -> None:
    """Nearly all is preprocessed; most have one recipient; the domains of big providers lead."""
    messages = list(plan_messages(3000, seed=4, now_s=NOVEMBER_S))
    states = Counter(message.state for message in messages)
    counts = Counter(len(message.local) + len(message.remote) for message in messages if message.retries_s)
    domains = Counter(one.address.partition(b"@")[2] for message in messages for one in message.remote)
    assert states[QueueState.S5] > 2800
    assert counts[1] > 2000
    assert domains.most_common(1)[0][0] == b"example.com"


def test_hosts_that_timed_out_are_in_tcpto(tmp_path: Path) -> None:
    """IPv4 and IPv6."""
    make_queue(tmp_path / "queue1", messages=4, split=3, now_s=NOVEMBER_S)
    records = decode((tmp_path / "queue1" / "lock" / "tcpto").read_bytes())
    assert [one.address for one in records][-2:] == ["192.0.2.13", "2001:db8::25"]


@pytest.mark.parametrize("name", FAULTS)
def test_fault_spoils_one_message(tmp_path: Path, name: str) -> None:
    """The files of that message change, all others stay as they were planned."""
    made = make_queue(tmp_path / "queue1", messages=12, split=3, seed=5, now_s=NOVEMBER_S, faults=[name])
    plan = plan_messages(12, seed=5, now_s=NOVEMBER_S)
    others = [
        (read_message(made.layout, number).state, planned.state)
        for number, planned in zip(made.numbers, plan, strict=True)
        if number != made.faults[name]
    ]
    assert len(others) == 11
    assert all(seen is planned for seen, planned in others)


def test_place_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    """A slip of the hand does not fill somebody's directory with mail."""
    (tmp_path / "letters").mkdir()
    with pytest.raises(LabError, match="not empty"):
        make_queue(tmp_path)


def test_unknown_fault_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """The text says what there is."""
    with pytest.raises(LabError, match="no fault of the name nonsense; there are inode-differs, "):
        make_queue(tmp_path / "queue1", messages=4, split=3, faults=["nonsense"])


def test_more_faults_than_messages_are_refused(tmp_path: Path) -> None:
    """One of the four messages is preprocessed."""
    with pytest.raises(LabError, match="more faults than preprocessed messages"):
        make_queue(tmp_path / "queue1", messages=4, split=3, faults=["fifo", "symlink"])
