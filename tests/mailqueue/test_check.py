"""A walk through a queue: a healthy one breaks no rule, also while it lives; each fault is found; nothing changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import Queued, QueueLayout, Violation, check_queue, create_queue
from indimail_kit.mailqueue import check_tree as tree_module
from indimail_kit.mailqueue.beneath import opened_queue

Put = Callable[..., Queued]
Unpack = Callable[[str], QueueLayout]

NOW_S = 1_795_360_000
DAY_S = 86_400
OWNERS = {"qmailq": (201, 200), "qmails": (202, 200), "qmailr": (203, 200)}


def check(layout: QueueLayout, now_s: int | None = None, **options: Any) -> list[tuple[str, str]]:
    """Return rule and path of what is broken; the files of the tests are of today, whenever that is."""
    now_s = max(int(path.lstat().st_atime) for path in layout.directory.rglob("*")) if now_s is None else now_s
    return [(one.rule, one.path) for one in check_queue(layout, now_s=now_s, **options)]


def opened_path(fd: int) -> Path:
    """Return what a descriptor belongs to."""
    return Path(f"/proc/self/fd/{fd}").readlink()


def preprocessed(layout: QueueLayout, number: int) -> None:
    """Turn a message of the fixture `put` into S5, in the order of todo-proc."""
    for kind, octets in (("info", b"Fann@local.test\0"), ("local", b"Tbob@local.test\0")):
        fd = os.open(layout.path(kind, number), os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, octets)
        os.close(fd)
    layout.path("intd", number).unlink()
    layout.path("todo", number).unlink()


# --- healthy queues -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "bigtodo"), [(151, True), (23, False), (1, True)])
def test_new_queue_breaks_no_rule(tmp_path: Path, split: int, bigtodo: bool) -> None:
    """IndiMail's and plain qmail's."""
    assert check(create_queue(tmp_path / "queue1", split=split, bigtodo=bigtodo)) == []


def test_queue_with_mail_breaks_no_rule(queue: QueueLayout, put: Put) -> None:
    """Queued, preprocessed, and being written."""
    put()
    preprocessed(queue, put().message_number)
    queue.path("intd", put().message_number).unlink()
    assert check(queue) == []


@pytest.mark.parametrize(
    "name", ["s4-queued-queue1", "s5-deferred-and-bounce-queue1", "mixed-queue1", "s2-s3-in-progress-nqueue"]
)
def test_messages_of_a_real_tree_break_only_the_rule_that_a_copy_breaks(unpack: Unpack, name: str) -> None:
    """Unpacked from a tar, every mess has another inode; what queue-fix repairs is all that is said of messages."""
    layout = unpack(name)
    found = {one.rule for one in check_queue(layout, now_s=NOW_S) if one.message_number}
    assert found == {"inode-differs"}


def test_living_queue_breaks_no_rule(queue: QueueLayout, put: Put) -> None:
    """Messages come, are preprocessed and go while we look."""
    is_over = threading.Event()

    def live() -> None:
        while not is_over.is_set():
            number = put().message_number
            preprocessed(queue, number)
            for kind in ("local", "info", "mess"):
                queue.path(kind, number).unlink()

    living = threading.Thread(target=live)
    living.start()
    try:
        looks = [one for _ in range(150) for one in check_queue(queue, now_s=2 * NOW_S)]
        found = [one for one in looks if one.rule != "ossified"]  # by that clock all is old
    finally:
        is_over.set()
        living.join()
    assert found == []


def test_memories_of_other_programs_are_theirs(queue: QueueLayout) -> None:
    """trash/ and ratelimit/ may be there, with whatever is in them."""
    for name in ("trash", "ratelimit"):
        (queue.directory / name).mkdir()
        (queue.directory / name / "example.com").touch()
    assert check(queue) == []


def test_tcpto_of_plain_qmail_is_half_as_large(tmp_path: Path) -> None:
    """1024 octets are right there, and wrong in IndiMail's queue."""
    plain, own = (
        create_queue(tmp_path / name, split=3, bigtodo=bigtodo) for name, bigtodo in (("p", False), ("i", True))
    )
    for layout in (plain, own):
        (layout.directory / "lock" / "tcpto").write_bytes(bytes(1024))
    assert (check(plain), check(own)) == ([], [("lock-file", "lock/tcpto")])


# --- faults ---------------------------------------------------------------------------------------------------------


def place(path: Path, octets: bytes = b"x") -> None:
    """Put a file somewhere; its directory may be missing."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(octets)


FAULTS: dict[str, tuple[Callable[[Path], object], list[tuple[str, str]]]] = {
    "directory missing": (lambda q: (q / "info" / "3").rmdir(), [("missing-directory", "info/3")]),
    "pid missing": (lambda q: (q / "pid").rmdir(), [("missing-directory", "pid")]),
    "link in the place of a directory": (
        lambda q: ((q / "mess" / "3").rmdir(), (q / "mess" / "3").symlink_to("2")),
        [("not-directory", "mess/3")],
    ),
    "directory readable by all": (lambda q: (q / "info" / "3").chmod(0o755), [("wrong-mode", "info/3")]),
    "queue readable by all": (lambda q: q.chmod(0o755), [("wrong-mode", ".")]),
    "directory that no queue has": (lambda q: (q / "old").mkdir(), [("unknown-directory", "old")]),
    "sub-directory beyond the split": (lambda q: (q / "mess" / "7").mkdir(), [("unknown-directory", "mess/7")]),
    "file at the top": (lambda q: place(q / "core"), [("unknown-file", "core")]),
    "file among directories": (lambda q: place(q / "info" / ".info.swp"), [("unknown-file", "info/.info.swp")]),
    "file among messages": (lambda q: place(q / "mess" / "3" / "3.bak"), [("unknown-file", "mess/3/3.bak")]),
    "number with a zero in front": (lambda q: place(q / "bounce" / "007"), [("unknown-file", "bounce/007")]),
    "number beyond 64 bits": (lambda q: place(q / "bounce" / str(2**64)), [("unknown-file", f"bounce/{2**64}")]),
    "directory among messages": (lambda q: (q / "mess" / "3" / "x").mkdir(), [("unknown-directory", "mess/3/x")]),
    "stranger in pid": (lambda q: place(q / "pid" / "x"), [("unknown-file", "pid/x")]),
    "link in pid": (lambda q: (q / "pid" / "1.2.3").symlink_to("x"), [("unknown-file", "pid/1.2.3")]),
    "young pid file": (lambda q: place(q / "pid" / "4305.1795356840.1"), []),
    "old pid file": (
        lambda q: (place(q / "pid" / "4.5.6"), os.utime(q / "pid" / "4.5.6", (0, 0))),
        [("ossified", "pid/4.5.6")],
    ),
    "mess in another sub-directory": (lambda q: place(q / "mess" / "1" / "7"), [("wrong-split", "mess/1/7")]),
    "mess beside the sub-directories": (lambda q: place(q / "mess" / "660188"), [("wrong-split", "mess/660188")]),
    "mess of a larger split": (
        lambda q: place(q / "mess" / "16" / "660188"),
        [("unknown-directory", "mess/16"), ("wrong-split", "mess/16/660188")],
    ),
    "no trigger": (lambda q: (q / "lock" / "trigger").unlink(), [("lock-file", "lock/trigger")]),
    "trigger is a file": (
        lambda q: ((q / "lock" / "trigger").unlink(), place(q / "lock" / "trigger")),
        [("lock-file", "lock/trigger")],
    ),
    "trigger closed to senders": (lambda q: (q / "lock" / "trigger").chmod(0o600), [("wrong-mode", "lock/trigger")]),
    "no sendmutex": (lambda q: (q / "lock" / "sendmutex").unlink(), [("lock-file", "lock/sendmutex")]),
    "tcpto cut": (lambda q: os.truncate(q / "lock" / "tcpto", 100), [("lock-file", "lock/tcpto")]),
    "no lock": (
        lambda q: ([path.unlink() for path in (q / "lock").iterdir()], (q / "lock").rmdir()),
        [("missing-directory", "lock")],
    ),
    "bounce alone": (
        lambda q: place(q / "bounce" / "7"),
        [("without-mess", "bounce/7"), ("wrong-mode", "bounce/7")],
    ),
    "directory in the place of a bounce": (
        lambda q: (q / "bounce" / "7").mkdir(),
        [("without-mess", "bounce/7"), ("not-regular", "bounce/7")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found(queue: QueueLayout, name: str) -> None:
    """It, and nothing else."""
    spoil, expected = FAULTS[name]
    now_s = int((queue.directory / "lock").stat().st_mtime)
    spoil(queue.directory)
    assert check(queue, now_s) == expected


def test_fault_names_its_queue_and_message(queue: QueueLayout) -> None:
    """And says where the file should be."""
    place(queue.directory / "mess" / "1" / "660188")
    text = "mess/1/660188 belongs into mess/4 (660188 modulo 7 = 4)"
    assert list(check_queue(queue, now_s=NOW_S)) == [Violation("queue1", "mess/1/660188", "wrong-split", text, 660188)]


def test_everything_belongs_to_somebody_else(queue: QueueLayout) -> None:
    """Each directory and lock file is named, where IndiMail's users are known."""
    found = check(queue, owners=OWNERS)
    assert ({rule for rule, _ in found}, len(found)) == ({"wrong-owner"}, 1 + 9 + 6 * 7 + 3)


def test_one_fault_does_not_hide_the_others(queue: QueueLayout, put: Put) -> None:
    """Faults of three kinds at once."""
    number = put().message_number
    queue.path("mess", number).chmod(0o600)
    place(queue.directory / "bounce" / "x")
    (queue.directory / "local" / "0").rmdir()
    assert check(queue) == [
        ("missing-directory", "local/0"),
        ("unknown-file", "bounce/x"),
        ("wrong-mode", f"mess/{number % 7}/{number}"),
    ]


@pytest.mark.parametrize("what", ["info", "bounce", "pid", "."])
def test_directory_that_may_not_be_read_is_said(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Without the rights of qmails a part is not seen: silence would be a lie."""
    put()
    real = os.listdir

    def refusing(fd: int) -> list[str]:
        if opened_path(fd) == queue.directory / what:
            raise PermissionError(13, "Permission denied")
        return real(fd)

    monkeypatch.setattr(os, "listdir", refusing)
    assert set(check(queue)) == {("unreadable", what)}


def test_envelope_that_may_not_be_read_is_said(queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what the others would mean without it is not guessed."""
    number = put().message_number
    real = os.open

    def refusing(path: str, *args: Any, **kwargs: Any) -> int:
        if path in ("intd", "todo"):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refusing)
    assert set(check(queue)) == {
        *(("unreadable", kind) for kind in ("intd", "todo")),
        *(("unreadable", f"{kind}/{part}") for kind in ("intd", "todo") for part in range(7)),
        *(("unreadable", f"{kind}/{number % 7}/{number}") for kind in ("intd", "todo")),
    }


def test_place_that_cannot_be_looked_at_is_said(queue: QueueLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory without the right to enter it."""
    real = os.stat

    def refusing(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if path == "lock/trigger":
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(tree_module.os, "stat", refusing)
    assert ("unreadable", "lock/trigger") in check(queue, NOW_S)


def test_directory_that_cannot_be_looked_at_is_not_called_missing(
    queue: QueueLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right to enter mess its parts were told as missing, beside as unreadable; they may well be there."""
    real = os.stat

    def refusing(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if str(path).startswith("mess/"):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(tree_module.os, "stat", refusing)
    found = check(queue, NOW_S)
    assert ("unreadable", "mess/0") in found
    assert [rule for rule, _path in found if rule == "missing-directory"] == []


def test_what_vanishes_between_two_calls_is_not_said(queue: QueueLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was listed and is gone, a directory that could not be read and is gone."""

    def refusing(_path: str, _queue_fd: int) -> list[str]:
        raise PermissionError(13, "Permission denied")

    with opened_queue(queue) as queue_fd:
        tree = tree_module.TreeCheck(queue, queue_fd, now_s=NOW_S, owners={})
        assert list(tree.stranger("mess/0/core")) == []
        monkeypatch.setattr(tree_module, "names_below", refusing)
        assert list(tree.names("mess/99")) == []


def test_message_that_changes_at_each_look_is_being_worked_on(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what two looks see alike is said."""
    number = put().message_number
    queue.path("todo", number).unlink()
    info = queue.path("info", number)
    real = os.stat

    def restless(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if path == f"info/{number % 7}/{number}":
            place(info, info.read_bytes() + b"x" if info.exists() else b"x")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", restless)
    assert check(queue, NOW_S) == []


def test_long_list_of_recipients_is_read_to_its_end(queue: QueueLayout, put: Put) -> None:
    """A mailing list of 20,000 is healthy, however long its envelope is."""
    put(b"", b"Fa@b\0" + b"Tc@d\0" * 20_000 + b"\0")
    assert check(queue) == []


def test_missing_queue_is_61(tmp_path: Path) -> None:
    """As chdir would fail."""
    with pytest.raises(QueueError) as caught:
        list(check_queue(QueueLayout(tmp_path / "nowhere"), now_s=NOW_S))
    assert caught.value.exit_code == 61


# --- reading changes nothing ----------------------------------------------------------------------------------------


def test_checking_changes_nothing_and_opens_nothing_below_lock(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of lstat stays, access times too; mail and bounces stay closed as well."""
    preprocessed(queue, put().message_number)
    put()
    place(queue.directory / "mess" / "1" / "7")
    paths = sorted(queue.directory.rglob("*"))
    for path in paths:
        os.utime(path, ns=(10**9, path.lstat().st_mtime_ns))
    before = [tuple(path.lstat()) for path in paths]
    opened: list[str] = []
    real = os.open

    def watching(path: Any, *args: Any, **kwargs: Any) -> int:
        fd = real(path, *args, **kwargs)
        opened.append("/" + str(opened_path(fd).relative_to(queue.directory)))
        return fd

    monkeypatch.setattr(os, "open", watching)
    assert len(list(check_queue(queue, now_s=NOW_S))) > 0
    assert [tuple(path.lstat()) for path in paths] == before
    assert [path for path in opened if path.startswith("/lock")] == []
    assert [path for path in opened if path.startswith("/mess/") and path.count("/") > 2] == []
