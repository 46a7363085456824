"""Tapes of the real qmail-queue: what it tells, what is on the disk, and what the client hears."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import INDIMAIL, QMAIL, SAFE, QueueLayout, QueueState, Step, SyncPolicy, read_message
from indimail_kit.mailqueue.recorder import Recorder, record, record_enqueue
from indimail_kit.mailqueue.tape import Tape

NOVEMBER_NS = 1_795_356_840 * 10**9
ENVELOPE = b"Fann@local.test\0Tbob@local.test\0\0"
MESSAGE = b"Subject: hi\n\nbody\n"

Taping = Callable[..., Tape]


@pytest.fixture
def tape_of(queue: QueueLayout) -> Taping:
    """Return a function that records one enqueue."""

    def recorded(envelope: bytes = ENVELOPE, **options: Any) -> Tape:
        quiet: dict[str, Any] = {"qp": 4305, "uid": 0, "host": "vm", "clock": lambda: NOVEMBER_NS}
        return record_enqueue(MESSAGE, envelope, layout=queue, **(quiet | options))

    return recorded


def calls(tape: Tape) -> list[str]:
    """Return call and kind of each step."""
    return [f"{step.call} {step.path.split('/')[0]}".strip() for step in tape.steps]


def test_tape_has_the_steps_of_qmail_queue_and_the_answer(tape_of: Taping) -> None:
    """Every step that enqueue tells, in its order, then the answer."""
    assert calls(tape_of()) == [
        *("chdir .", "open pid", "fstat pid", "link mess", "unlink pid", "write mess", "open intd", "write intd"),
        *("fsync mess", "fsync intd", "fsyncdir mess", "link todo", "fsyncdir todo", "trigger lock", "exit"),
    ]


def test_states_of_the_tape_are_those_of_internals(tape_of: Taping) -> None:
    """S1, S2, S3, S4, each reached by one link or open."""
    tape = tape_of()
    reached = [tape.state(number) for number in range(len(tape) + 1)]
    assert reached == [QueueState.S1] * 4 + [QueueState.S2] * 3 + [QueueState.S3] * 5 + [QueueState.S4] * 4


def test_client_has_its_answer_only_at_the_end(tape_of: Taping) -> None:
    """No step but the answer is acknowledged."""
    tape = tape_of()
    assert [step.call for step in tape.steps if step.acknowledged] == ["exit"]


def test_message_number_is_the_inode_of_its_mess_file(tape_of: Taping, queue: QueueLayout) -> None:
    """As in a real queue, which this is."""
    tape = tape_of()
    file = tape.image(len(tape)).file(queue, "mess", tape.message_number)
    assert (
        (file.inode if file else None) == tape.message_number == read_message(queue, tape.message_number).files[0].inode
    )


def test_intd_and_todo_are_one_file_on_the_tape(tape_of: Taping, queue: QueueLayout) -> None:
    """The link count of todo is 2, as link(2) makes it."""
    tape = tape_of()
    assert tape.image(len(tape)).links(queue.relative("todo", tape.message_number)) == 2


def test_pid_and_mess_are_one_file_for_a_moment(tape_of: Taping, queue: QueueLayout) -> None:
    """Between link and unlink the message has two names."""
    tape = tape_of()
    mess = queue.relative("mess", tape.message_number)
    assert [tape.image(number).links(mess) for number in (3, 4, 5)] == [0, 2, 1]


def test_content_on_the_tape_is_that_of_the_queue(tape_of: Taping, queue: QueueLayout) -> None:
    """Octet for octet, at the step that wrote it."""
    tape = tape_of()
    number = tape.message_number
    assert tape.image(8).files[queue.relative("intd", number)].content == queue.path("todo", number).read_bytes()


@pytest.mark.parametrize(
    ("sync", "names"),
    [(SAFE, {"mess", "todo"}), (QMAIL, set()), (INDIMAIL, set())],
    ids=["safe", "qmail", "indimail"],
)
def test_only_safe_has_names_on_the_disk_when_it_answers(tape_of: Taping, sync: SyncPolicy, names: set[str]) -> None:
    """An fsync of a file brings octets to the disk, fsync of its directory the name."""
    tape = tape_of(sync=sync)
    assert {path.split("/")[0] for path in tape.durable(len(tape)).names} == names


@pytest.mark.parametrize(("sync", "files"), [(SAFE, 2), (QMAIL, 2), (INDIMAIL, 0)], ids=["safe", "qmail", "indimail"])
def test_octets_are_on_the_disk_when_fsync_was_called(tape_of: Taping, sync: SyncPolicy, files: int) -> None:
    """Message and envelope with SAFE and QMAIL; nothing as IndiMail is built."""
    tape = tape_of(sync=sync)
    assert len(tape.durable(len(tape)).octets) == files


def test_refused_message_gives_a_tape_of_cleaning_up(tape_of: Taping) -> None:
    """Its exit code, no 250, and the queue is empty again."""
    tape = tape_of(b"Fann@local.test\0Tbob@local.test\0")
    last = tape.steps[-1]
    assert (tape.exit_code, last.acknowledged, dict(last.image.files)) == (54, False, {})


def test_refused_message_goes_back_through_the_states(tape_of: Taping) -> None:
    """S3, S2, S1, and never S4."""
    tape = tape_of(b"Fann@local.test\0Tbob@local.test\0")
    assert [tape.state(number) for number in (7, 8, 9, 10, 11)] == [
        *(QueueState.S3, QueueState.S3, QueueState.S2, QueueState.S2, QueueState.S1)
    ]


def test_recording_reads_nothing_below_lock(tape_of: Taping) -> None:
    """The trigger is a FIFO that qmail-send waits for; tcpto and sendmutex are there, and on no image."""
    tape = tape_of()
    assert [path for step in tape.steps for path in step.image.files if path.startswith("lock")] == []


def test_inode_numbers_are_not_given_again_within_a_recording(queue: QueueLayout) -> None:
    """A removed file keeps its number to itself until the recording ends, so that a number is one file."""
    path = queue.directory / "pid" / "1.2.3"
    inodes = []
    recorder = Recorder(queue)
    for _ in range(20):
        path.write_bytes(b"")
        recorder(Step("open", "pid/1.2.3", 0, 0))
        inodes.append(path.stat().st_ino)
        path.unlink()
    recorder.close()
    assert len(set(inodes)) == 20


def test_any_deed_that_tells_its_steps_can_be_recorded(queue: QueueLayout, tmp_path: Path) -> None:
    """Paths in a mailbox are told with the address of its owner."""
    maildir = tmp_path / "bob"
    (maildir / "new").mkdir(parents=True)

    def deed(listener: Callable[[Step], None]) -> None:
        (maildir / "new" / "1.x").write_bytes(b"mail")
        listener(Step("link", str(maildir / "new" / "1.x"), 0, 7))

    tape = record(queue, deed, title="a delivery", mailboxes={"bob@local.test": maildir})
    (step,) = tape.steps
    assert (step.path, step.image.mailboxes[step.path].content, step.acknowledged, tape.message_number) == (
        *("bob@local.test/new/1.x", b"mail", True, 7),
    )


def test_step_outside_the_tape_is_refused(tape_of: Taping) -> None:
    """The message says which steps there are."""
    tape = tape_of()
    with pytest.raises(QueueError, match="a step between 0 and 15, not 16"):
        tape.image(16)


def test_tape_in_a_notebook_is_its_repr_in_html(tape_of: Taping) -> None:
    """Escaped, and without the octets of the mail."""
    html = tape_of()._repr_html_()
    assert ("qmail-queue takes a message" in html, "Subject" in html, "<script" in html) == (True, False, False)
