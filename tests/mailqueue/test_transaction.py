"""Disks that are full or read-only, missing directories, system calls that fail: the exit code, and nothing left."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import EXIT_CODES
from indimail_kit.mailqueue import (
    QMAIL,
    SAFE,
    Queued,
    QueueLayout,
    QueueState,
    Step,
    create_queue,
    list_messages,
    read_message,
    transaction,
)

Put = Callable[..., Queued]
Left = Callable[[QueueLayout], list[str]]
MountTmpfs = Callable[[str], Path]

ENVELOPE = b"Fa@b\0Tc@d\0\0"


def refused(put: Put, *args: Any, **options: Any) -> int:
    """Return the exit code of a call that must fail."""
    with pytest.raises(QueueError) as caught:
        put(*args, **options)
    return caught.value.exit_code


def fill_disk(place: Path, *, but_bytes: int) -> Path:
    """Fill a file system, leave some octets, and return the file that fills it."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            stream.truncate(stream.tell() - but_bytes)
    return filler


# --- full disks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [1, 40], ids=["whole", "in pieces"])
def test_full_disk_is_53_and_leaves_nothing(mount_tmpfs: MountTmpfs, put: Put, left: Left, pieces: int) -> None:
    """A real file system of limited size runs full in the middle of mess."""
    layout = create_queue(mount_tmpfs("size=1m") / "queue1", split=3)
    message = [b"x" * (2_000_000 // pieces)] * pieces
    exit_code = refused(put, message[0] if pieces == 1 else iter(message), layout=layout)
    assert (exit_code, left(layout)) == (53, [])


def test_disk_without_room_for_the_records_is_53_and_leaves_nothing(
    mount_tmpfs: MountTmpfs, put: Put, left: Left
) -> None:
    """The mess file takes the last page, intd finds none."""
    place = mount_tmpfs("size=1m")
    layout = create_queue(place / "queue1", split=3)
    fill_disk(place, but_bytes=4096)
    steps: list[Step] = []
    exit_code = refused(put, b"body", layout=layout, on_step=steps.append)
    assert (exit_code, left(layout), [step.path.split("/")[0] for step in steps if step.call == "open"]) == (
        53,
        [],
        ["pid", "intd"],
    )


def test_after_a_full_disk_the_next_message_is_queued(mount_tmpfs: MountTmpfs, put: Put) -> None:
    """The room that the refused message took is given back."""
    place = mount_tmpfs("size=1m")
    layout = create_queue(place / "queue1", split=3)
    refused(put, b"x" * 2_000_000, layout=layout)
    message = read_message(layout, put(b"x" * 500_000, layout=layout).message_number)
    assert (message.state, message.anomalies) == (QueueState.S4, ())


@pytest.mark.parametrize(("inodes", "exit_code"), [(0, 70), (1, 67), (2, 66)], ids=["pid", "link mess", "link todo"])
def test_disk_without_inodes_leaves_nothing(
    mount_tmpfs: MountTmpfs, put: Put, left: Left, inodes: int, exit_code: int
) -> None:
    """On tmpfs every name takes an inode: the first, second or third name cannot be made."""
    place = mount_tmpfs("size=4m,nr_inodes=200")
    layout = create_queue(place / "queue1", split=3)
    free = os.statvfs(place).f_ffree
    for number in range(free - inodes):
        (place / f"filler{number}").touch()
    assert (refused(put, layout=layout), left(layout)) == (exit_code, [])


def test_limit_on_the_size_of_files_is_53_and_leaves_nothing(queue: QueueLayout) -> None:
    """RLIMIT_FSIZE in a child: the write is cut short, then fails; works without root."""
    program = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from pathlib import Path
from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import QueueLayout, enqueue
try:
    enqueue(b"x" * 200_000, {ENVELOPE!r}, layout=QueueLayout(Path({str(queue.directory)!r}), split=7), environ={{}})
except QueueError as error:
    print(error.exit_code, list(Path({str(queue.directory)!r}).glob("[mitp]*/*/*")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.stdout, done.stderr) == ("53 []\n", "")


# --- queues that are not what they should be ------------------------------------------------------------------------


def test_missing_queue_directory_is_61(tmp_path: Path, put: Put) -> None:
    """Recorded as "QUEUEDIR missing"."""
    assert refused(put, layout=QueueLayout(tmp_path / "nowhere")) == 61


def test_file_in_the_place_of_the_queue_is_61(tmp_path: Path, put: Put) -> None:
    """Nobody can enter a file."""
    (tmp_path / "file").touch()
    assert refused(put, layout=QueueLayout(tmp_path / "file")) == 61


def test_missing_pid_directory_is_70(queue: QueueLayout, put: Put) -> None:
    """Recorded as "QUEUEDIR without pid dir"."""
    (queue.directory / "pid").rmdir()
    assert refused(put) == 70


def test_read_only_queue_is_70(mount_tmpfs: MountTmpfs, put: Put, left: Left) -> None:
    """Also for root: the file system itself is read-only."""
    place = mount_tmpfs("size=1m")
    layout = create_queue(place / "queue1", split=3)
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    assert (refused(put, layout=layout), left(layout)) == (70, [])


def replace_by_file(directory: Path) -> None:
    """Put a file in the place of an empty directory."""
    for child in directory.iterdir():
        child.rmdir()
    directory.rmdir()
    directory.touch()


@pytest.mark.parametrize(
    ("name", "exit_code"), [("pid", 70), ("mess", 67), ("intd", 65), ("todo", 66)], ids=["pid", "mess", "intd", "todo"]
)
def test_file_in_the_place_of_a_directory_leaves_nothing(
    queue: QueueLayout, put: Put, left: Left, name: str, exit_code: int
) -> None:
    """Root or not, nothing can be made below a file."""
    replace_by_file(queue.directory / name)
    assert (refused(put), left(queue)) == (exit_code, [name])


@pytest.mark.parametrize(
    ("kind", "when", "exit_code"),
    [("mess", "fstat", 67), ("intd", "write", 65), ("todo", "write", 66)],
    ids=["mess", "intd", "todo"],
)
def test_stale_file_of_the_same_number_is_never_written_over(
    queue: QueueLayout, put: Put, left: Left, kind: str, when: str, exit_code: int
) -> None:
    """A queue that was copied has names that are not its inodes; such a file stays, the new message goes."""

    def on_step(step: Step) -> None:
        if step.call == when:
            queue.path(kind, step.message_number).write_bytes(b"old mail")

    with pytest.raises(QueueError) as caught:
        put(on_step=on_step)
    (stale,) = (path for path in queue.directory.glob("[mit]*/*/*"))
    assert (caught.value.exit_code, left(queue), stale.read_bytes()) == (exit_code, [kind], b"old mail")


def test_pid_file_that_is_taken_gets_the_next_name(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process before us had our pid in this very second, and was killed."""
    monkeypatch.setattr(transaction, "_sequence", itertools.count(1))
    for sequence in range(1, 9):
        (queue.directory / "pid" / f"4305.1795356840.{sequence}").touch()
    put()
    assert len(list((queue.directory / "pid").iterdir())) == 8


def test_nine_taken_pid_files_are_70(queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many names as pidopen() tries."""
    monkeypatch.setattr(transaction, "_sequence", itertools.count(1))
    for sequence in range(1, 10):
        (queue.directory / "pid" / f"4305.1795356840.{sequence}").touch()
    assert refused(put) == 70


def test_link_in_the_place_of_intd_is_not_followed(queue: QueueLayout, put: Put, tmp_path: Path) -> None:
    """O_EXCL: a planted link cannot send the envelope elsewhere."""
    target = tmp_path / "target"

    def on_step(step: Step) -> None:
        if step.call == "write":
            queue.path("intd", step.message_number).symlink_to(target)

    assert (refused(put, on_step=on_step), target.exists()) == (65, False)


# --- system calls that fail -----------------------------------------------------------------------------------------

CALLS = [
    ("open", 61),
    ("open", 70),
    ("fstat", 62),
    ("link", 67),
    ("unlink", 83),
    ("writev", 53),
    ("open", 65),
    ("writev", 53),
    ("fsync", 64),
    ("fsync", 64),
    ("open", 69),
    ("fsync", 69),
    ("open", 69),
    ("link", 66),
]
"""System call -> exit code, in the order in which enqueue makes them, up to the link to todo."""


class Faulty:
    """Makes the n-th of the system calls of `transaction` fail; all others are real."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: int, code: int) -> None:
        self.calls: list[str] = []
        self._failing = failing
        self._code = code
        for name in sorted({name for name, _ in CALLS}):
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if len(self.calls) - 1 == self._failing:
                raise OSError(self._code, os.strerror(self._code))
            return real(*args, **kwargs)

        return call


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EACCES], ids=errno.errorcode.get)
@pytest.mark.parametrize("failing", range(len(CALLS)), ids=[f"{index}-{name}" for index, (name, _) in enumerate(CALLS)])
def test_call_that_fails_has_its_exit_code_and_leaves_nothing(
    queue: QueueLayout, put: Put, left: Left, monkeypatch: pytest.MonkeyPatch, failing: int, code: int
) -> None:
    """Every system call before the link, as in the injections of the recorded facts: refused, and not queued."""
    with monkeypatch.context() as patch:
        faulty = Faulty(patch, failing, code)
        exit_code = refused(put, sync=SAFE)
    assert (exit_code, faulty.calls[: failing + 1], left(queue)) == (
        CALLS[failing][1],
        [name for name, _ in CALLS[: failing + 1]],
        [],
    )


def test_directory_that_cannot_be_synced_after_the_link_takes_the_message_out_of_todo(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client hears 69 and comes again; a message that stayed queued would reach everybody twice."""
    with monkeypatch.context() as patch:
        Faulty(patch, len(CALLS), errno.EIO)
        exit_code = refused(put, sync=SAFE)
    (message,) = (read_message(queue, number) for number in list_messages(queue))
    assert (exit_code, message.state, message.anomalies, message.records and message.records.recipients) == (
        69,
        QueueState.S3,
        (),
        (b"bob@local.test",),
    )


def test_disk_that_refuses_that_too_leaves_the_message_whole(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice is better than a todo/N without content."""
    real = os.unlink

    def unlink(path: str, **kwargs: Any) -> None:
        if path.startswith("todo/"):
            raise OSError(errno.EROFS, "Read-only file system")
        real(path, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        Faulty(patch, len(CALLS), errno.EIO)
        exit_code = refused(put, sync=SAFE)
    (message,) = (read_message(queue, number) for number in list_messages(queue))
    assert (exit_code, message.state, message.anomalies) == (69, QueueState.S4, ())


def test_directory_that_cannot_be_closed_is_no_error(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was synced: a mail that is on the disk must not be refused, least of all with an error that nobody foresaw."""
    real = os.close

    def close(fd: int) -> None:
        real(fd)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", close)
        assert put(sync=SAFE).message_number > 0


def test_intd_that_cannot_be_removed_keeps_its_mess(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """qmail-clean finds old messages by their mess: an intd alone would stay for ever."""
    real = os.unlink

    def unlink(path: str, **kwargs: Any) -> None:
        if path.startswith("intd/"):
            raise OSError(errno.EIO, "Input/output error")
        real(path, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        exit_code = refused(put, b"", b"X")
    (message,) = (read_message(queue, number) for number in list_messages(queue))
    assert (exit_code, message.state, message.anomalies) == (79, QueueState.S3, ())


def test_trigger_that_fails_is_no_error(queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """With files synced only, the one call after the link is the trigger, whose error is ignored."""
    calls_of_directories = 3
    with monkeypatch.context() as patch:
        faulty = Faulty(patch, len(CALLS) - calls_of_directories, errno.EIO)
        assert put(sync=QMAIL).message_number > 0
    assert faulty.calls[-2:] == ["link", "open"]


def test_interrupt_that_falls_on_the_link_leaves_the_message_whole(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C right after the system call: todo/N exists, so mess and intd must stay."""
    real = os.link

    def link(source: str, target: str, **kwargs: Any) -> None:
        real(source, target, **kwargs)
        if target.startswith("todo/"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", link)
        with pytest.raises(KeyboardInterrupt):
            put()
    (message,) = (read_message(queue, number) for number in list_messages(queue))
    assert (message.state, message.anomalies) == (QueueState.S4, ())


def test_cleaning_up_goes_on_over_its_own_errors(
    queue: QueueLayout, put: Put, left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A truncate that fails keeps nothing from being removed; the first error is the one that is told."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))
        exit_code = refused(put, b"", b"X")
    assert (exit_code, left(queue)) == (79, [])


def test_name_that_cannot_be_removed_holds_no_mail(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are emptied before they are unlinked: qmail-clean finds S2 or S3 without content."""

    def unlink(path: str, **kwargs: Any) -> None:
        if path.startswith("pid/"):
            real(path, **kwargs)
        else:
            raise OSError(errno.EIO, "I/O error")

    real = os.unlink
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        exit_code = refused(put, b"secret", b"X")
    (message,) = (read_message(queue, number) for number in list_messages(queue))
    assert (exit_code, message.state, [file.size_bytes for file in message.files]) == (79, QueueState.S3, [0, 0])


def test_short_write_is_written_to_the_end(queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take less than it is given."""
    writev, write = os.writev, os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", lambda fd, pieces: writev(fd, [b"".join(pieces)[:3]]))
        patch.setattr(os, "write", lambda fd, octets: write(fd, octets[:5]))
        queued = put(b"body of a message\n")
    assert (
        queue.path("mess", queued.message_number).read_bytes().partition(b"+0000\n")[2],
        queue.path("todo", queued.message_number).read_bytes(),
    ) == (b"body of a message\n", b"u0\0p4305\0Fann@local.test\0Tbob@local.test\0")


def test_error_names_the_step_and_the_path(queue: QueueLayout, put: Put) -> None:
    """A person sees what to look at; the text of the system is there too."""
    replace_by_file(queue.directory / "intd")
    with pytest.raises(QueueError, match=r"open intd/\d/\d+: Not a directory") as caught:
        put()
    assert caught.value.path.startswith("intd/")


@pytest.mark.parametrize("exit_code", sorted({code for _, code in CALLS} | {54}))
def test_exit_codes_of_the_steps_are_temporary(exit_code: int) -> None:
    """A client must try again when the system failed."""
    assert not EXIT_CODES[exit_code].is_permanent
