"""A message of a queue is scanned by its number: on a copy, fail-closed, and the queue does not notice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from indimail_kit.admin import queue_scan as module
from indimail_kit.admin import scan_each, scan_queued
from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import QueueLayout, create_queue, open_queues
from indimail_kit.qhpsi import EmbeddedScanner, ScanAnswer, Verdict, eicar

THEN_S = 1_600_000_000


@pytest.fixture
def queue(tmp_path: Path) -> QueueLayout:
    """Return a queue."""
    return create_queue(tmp_path / "queue1", split=3)


def put(layout: QueueLayout, octets: bytes = b"Subject: hi\n\nbody\n", *, is_queued: bool = True) -> int:
    """Put a mess file into a queue, with info if it is queued, and return its number."""
    new = layout.directory / "pid" / "new"
    new.write_bytes(octets)
    number = new.stat().st_ino
    new.rename(layout.path("mess", number))
    if is_queued:
        layout.path("info", number).write_bytes(b"Fann@example.com\0")
    os.utime(layout.path("mess", number), (THEN_S, THEN_S))
    return number


def clean(path: Path) -> ScanAnswer:
    """Find nothing."""
    return ScanAnswer(Verdict.CLEAN, scanner="a test")


def picture(layout: QueueLayout) -> dict[Path, tuple[int, ...]]:
    """Return all that looking may not change."""
    found = {path: path.lstat() for path in layout.directory.rglob("*") if not path.is_dir()}
    return {
        path: (one.st_ino, one.st_nlink, one.st_mode, one.st_size, one.st_atime_ns, one.st_mtime_ns, one.st_ctime_ns)
        for path, one in found.items()
    }


@pytest.mark.parametrize(
    ("octets", "verdict"), [(b"Subject: hi\n\nbody\n", Verdict.CLEAN), (b"Subject: hi\n\n" + eicar(), Verdict.INFECTED)]
)
def test_verdict_is_the_scanners(queue: QueueLayout, octets: bytes, verdict: Verdict) -> None:
    """Of the whole message; number, path and size are told."""
    number = put(queue, octets)
    scan = scan_queued(queue, number, scanner=EmbeddedScanner())

    assert (scan.answer.verdict, scan.path, scan.size_bytes, scan.has_left) == (
        verdict, f"mess/{number % 3}/{number}", len(octets), False,
    )  # fmt: skip
    assert scan.sentence.startswith(f"{verdict.mark} {verdict.words}")


def test_queue_does_not_notice(queue: QueueLayout) -> None:
    """Every inode, link, mode, size and time is as it was, the access time too."""
    number = put(queue)
    before = picture(queue)
    scan_queued(queue, number, scanner=EmbeddedScanner())

    assert picture(queue) == before


def test_scanner_gets_a_copy_that_is_gone_afterwards(queue: QueueLayout) -> None:
    """A scanner that renames, removes or writes what it is given does nothing to the queue."""
    number = put(queue)
    seen: list[tuple[Path, int, bytes]] = []

    def spoiling(path: Path) -> ScanAnswer:
        seen.append((path, path.stat().st_mode & 0o777, path.read_bytes()))
        path.write_bytes(b"spoilt")
        return clean(path)

    scan_queued(queue, number, scanner=spoiling)
    [(path, mode, octets)] = seen

    assert (mode, octets, path.exists(), path.parent.exists()) == (0o600, b"Subject: hi\n\nbody\n", False, False)
    assert queue.directory not in path.parents
    assert queue.path("mess", number).read_bytes() == b"Subject: hi\n\nbody\n"


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), RuntimeError("no such luck")], ids=repr)
def test_scanner_failure_is_not_clean(queue: QueueLayout, fault: Exception) -> None:
    """A scanner that breaks its promise not to raise gives ERROR, and the copy is gone."""
    paths: list[Path] = []

    def failing(path: Path) -> ScanAnswer:
        paths.append(path)
        raise fault

    scan = scan_queued(queue, put(queue), scanner=failing)

    assert (scan.answer.verdict, paths[0].exists()) == (Verdict.ERROR, False)


def test_message_that_may_be_being_written_is_not_clean(queue: QueueLayout) -> None:
    """In S2 qmail-queue is still writing mess: half a mail without a virus proves nothing."""
    scan = scan_queued(queue, put(queue, is_queued=False), scanner=clean)

    assert scan.answer.verdict is Verdict.NOT_SCANNED


def test_virus_in_a_message_that_is_being_written_is_told(queue: QueueLayout) -> None:
    """What is found is found."""
    number = put(queue, b"\n" + eicar(), is_queued=False)

    assert scan_queued(queue, number, scanner=EmbeddedScanner()).answer.verdict is Verdict.INFECTED


def test_message_that_grows_meanwhile_is_not_clean(queue: QueueLayout) -> None:
    """More octets than were copied."""
    number = put(queue)

    def slow(path: Path) -> ScanAnswer:
        with queue.path("mess", number).open("ab") as file:
            file.write(b"more")
        return clean(path)

    assert scan_queued(queue, number, scanner=slow).answer.verdict is Verdict.NOT_SCANNED


def test_message_that_left_meanwhile_is_told(queue: QueueLayout) -> None:
    """The number may be another mail's by now; the verdict is of the one that was open."""
    number = put(queue)

    def slow(path: Path) -> ScanAnswer:
        queue.path("mess", number).unlink()
        return clean(path)

    scan = scan_queued(queue, number, scanner=slow)

    assert (scan.answer.verdict, scan.has_left) == (Verdict.CLEAN, True)
    assert "has left the queue" in scan.sentence


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_what_is_no_regular_file_is_not_opened(queue: QueueLayout, tmp_path: Path, kind: str) -> None:
    """A link to a secret, a FIFO that would hang us, a directory: none of them is scanned."""
    (tmp_path / "secret").write_bytes(b"secret")
    path = queue.path("mess", 5)
    {"link": lambda: path.symlink_to(tmp_path / "secret"), "fifo": lambda: os.mkfifo(path), "directory": path.mkdir}[
        kind
    ]()

    def never(_path: Path) -> ScanAnswer:
        raise AssertionError

    assert scan_queued(queue, 5, scanner=never).answer.verdict in (Verdict.NOT_SCANNED, Verdict.ERROR)


def test_too_long_a_message_is_not_scanned(queue: QueueLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than half of it."""
    monkeypatch.setattr(module, "MAX_COPY_BYTES", 10)

    assert scan_queued(queue, put(queue), scanner=clean).answer.verdict is Verdict.NOT_SCANNED


@pytest.mark.parametrize("number", [5, 2**70, 0, -1])
def test_number_that_is_no_message_is_an_error(queue: QueueLayout, number: int) -> None:
    """It is never a path out of the queue."""
    with pytest.raises(QueueError):
        scan_queued(queue, number, scanner=clean)


def test_many_are_scanned_once_each_and_one_that_has_left_is_told(queue: QueueLayout) -> None:
    """A queue is alive: what is gone is NOT SCANNED, not an error that hides the others."""
    clean_one, infected = put(queue), put(queue, b"\n" + eicar())
    messages = [("queue1", number) for number in (clean_one, infected, 5, infected)]
    scans = scan_each(open_queues(queue.directory), messages, scanner=EmbeddedScanner())

    assert [(one.message_number, one.answer.verdict, one.has_left) for one in scans] == [
        (clean_one, Verdict.CLEAN, False),
        (infected, Verdict.INFECTED, False),
        (5, Verdict.NOT_SCANNED, True),
    ]


@pytest.mark.parametrize("message", [("queue9", 5), ("queue1", 0), ("queue1", 2**70)])
def test_message_that_cannot_be_is_an_error_even_among_others(queue: QueueLayout, message: tuple[str, int]) -> None:
    """A queue that is not there, a number that no file has."""
    with pytest.raises(QueueError):
        scan_each(open_queues(queue.directory), [message], scanner=clean)


def test_hostile_signature_stays_text(queue: QueueLayout) -> None:
    """What a scanner names reaches a terminal made visible and HTML escaped."""

    def named(_path: Path) -> ScanAnswer:
        return ScanAnswer(Verdict.INFECTED, signature="<img src=x>\x1b[2J")

    scan = scan_queued(queue, put(queue), scanner=named)

    assert ("\x1b" in repr(scan), "<img" in scan._repr_html_()) == (False, False)
