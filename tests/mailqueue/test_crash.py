"""SIGKILL after every step of qmail-queue: the message is queued whole or not at all, never acknowledged but lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from indimail_kit.mailqueue import detect_layout, list_messages, read_message
from indimail_kit.mailqueue.snapshot import MessageFiles

pytestmark = pytest.mark.crash

CHILD = Path(__file__).with_name("killed_enqueue.py")

STEPS = [
    ("chdir .", "S1"),
    ("open pid", "S1"),
    ("fstat pid", "S1"),
    ("link mess", "S2"),
    ("unlink pid", "S2"),
    ("write mess", "S2"),
    ("scan mess", "S2"),
    ("open intd", "S3"),
    ("write intd", "S3"),
    ("fsync mess", "S3"),
    ("fsync intd", "S3"),
    ("fsyncdir mess", "S3"),
    ("link todo", "S4"),
    ("fsyncdir todo", "S4"),
    ("trigger lock", "S4"),
]
"""Step -> state that a kill right after it leaves. Source: INTERNALS section 3, qmail-queue.c `main()`."""

UNDOING = [
    *STEPS[:8],
    ("truncate intd", "S3"),
    ("unlink intd", "S2"),
    ("truncate mess", "S2"),
    ("unlink mess", "S1"),
]
"""The same for an envelope that ends too early: qmail-queue.c `cleanup()`."""

MESS = (
    b"Received: indimail-mta queue 4305 by host vm\n (invoked by uid 0); Sun, 22 Nov 2026 14:14:00 +0000\n"
    b"Subject: hi\n\nbody\n"
)
RECORDS = b"u0\0p4305\0Fann@local.test\0Tbob@local.test\0eX-QHPSI: clean\n\0"


def run_children(base: Path, kind: str, count: int) -> Path:
    """Run the children and return where they worked."""
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, str(CHILD), str(base), kind, str(count)], env=environ, check=True, timeout=60)
    return base


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the children with a good envelope."""
    return run_children(tmp_path_factory.mktemp("killed"), "good", len(STEPS))


@pytest.fixture(scope="module")
def killed_undoing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the children with a bad envelope."""
    return run_children(tmp_path_factory.mktemp("undoing"), "bad", len(UNDOING))


def messages(base: Path, kill_after: int) -> list[MessageFiles]:
    """Return what lies in the queue of one child."""
    layout = detect_layout(base / str(kill_after))
    return [read_message(layout, number) for number in list_messages(layout)]


def states(base: Path, kill_after: int) -> list[str]:
    """Return the states of the messages in the queue of one child."""
    return [message.state.name if message.state else "none" for message in messages(base, kill_after)]


def content(message: MessageFiles, kind: str) -> bytes:
    """Return the octets of a file that must exist."""
    file = message.file(kind)
    assert file is not None
    return file.content


def test_steps_are_those_of_qmail_queue_in_its_order(killed: Path) -> None:
    """The child that was not killed tells them all."""
    assert (killed / f"{len(STEPS)}.steps").read_text().splitlines() == [step for step, _ in STEPS]


@pytest.mark.parametrize("kill_after", range(len(STEPS)), ids=[step for step, _ in STEPS])
def test_kill_after_a_step_leaves_the_state_of_internals(killed: Path, kill_after: int) -> None:
    """S1 … S3 before todo is linked, S4 after it."""
    state = STEPS[kill_after][1]
    assert states(killed, kill_after) == ([] if state == "S1" else [state])


@pytest.mark.parametrize("kill_after", range(len(STEPS)), ids=[step for step, _ in STEPS])
def test_kill_after_a_step_leaves_files_without_anomaly(killed: Path, kill_after: int) -> None:
    """Number = inode = name, intd and todo one file, records that can be read."""
    assert [message.anomalies for message in messages(killed, kill_after)] in ([], [()])


@pytest.mark.parametrize("kill_after", range(12, len(STEPS) + 1))
def test_message_in_s4_is_whole(killed: Path, kill_after: int) -> None:
    """Every octet of mess and todo is there as soon as todo is linked."""
    (message,) = messages(killed, kill_after)
    assert (content(message, "mess"), content(message, "todo")) == (MESS, RECORDS)


def test_nobody_is_acknowledged_before_the_end(killed: Path) -> None:
    """Of all children only the one that was not killed returned success."""
    assert [path.stem for path in killed.glob("*.acknowledged")] == [str(len(STEPS))]


def test_acknowledged_message_is_queued(killed: Path) -> None:
    """S4 when success was returned."""
    assert states(killed, len(STEPS)) == ["S4"]


def test_steps_of_cleaning_up_are_those_of_qmail_queue(killed_undoing: Path) -> None:
    """Truncate and unlink intd, then mess."""
    assert (killed_undoing / f"{len(UNDOING)}.steps").read_text().splitlines() == [step for step, _ in UNDOING]


@pytest.mark.parametrize("kill_after", range(len(UNDOING)), ids=[step for step, _ in UNDOING])
def test_kill_while_cleaning_up_queues_nothing(killed_undoing: Path, kill_after: int) -> None:
    """The way back goes through the same states, and never through S4."""
    state = UNDOING[kill_after][1]
    assert states(killed_undoing, kill_after) == ([] if state == "S1" else [state])


def test_refused_message_leaves_nothing(killed_undoing: Path) -> None:
    """The child that was not killed answered 54 and left no file."""
    assert ((killed_undoing / f"{len(UNDOING)}.refused").read_text(), states(killed_undoing, len(UNDOING))) == (
        "54",
        [],
    )
