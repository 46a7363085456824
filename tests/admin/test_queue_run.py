"""Deeds to a queue look again before they do anything, and may be interrupted at any system call."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from indimail_kit.admin import queue_plan, run_plan
from indimail_kit.admin.plan import Plan, inverse_of, step_of
from indimail_kit.admin.queue_deeds import (
    MakeDirectory,
    MakeLockFile,
    Move,
    MoveFiles,
    MoveThing,
    Purpose,
    QueueDeed,
    RemoveDirectory,
    RemoveFiles,
    RemoveLockFile,
    SetMode,
    SetOwner,
    SetTime,
)
from indimail_kit.admin.queue_messages import LINK_ORDER
from indimail_kit.admin.queue_run import QUEUE_DOERS
from indimail_kit.admin.queue_words import summary
from indimail_kit.delivery.lock import QueueLock
from indimail_kit.mailqueue import (
    KINDS,
    QueueLayout,
    QueueState,
    check_queue,
    create_queue,
    list_messages,
    read_message,
)

NOW_S = 1_795_356_840
OLD_S = NOW_S - 10 * 86_400


@pytest.fixture
def queue(tmp_path: Path) -> QueueLayout:
    """Return a queue."""
    return create_queue(tmp_path / "queue1", split=3)


def put(layout: QueueLayout, kind: str, number: int, octets: bytes = b"x", at_s: int = NOW_S - 60) -> int:
    """Write a file of a message and return its inode."""
    path = layout.path(kind, number)
    path.write_bytes(octets)
    path.chmod(0o644 if kind in ("mess", "intd", "todo") else 0o600)
    os.utime(path, (at_s, at_s))
    return path.stat().st_ino


def put_message(layout: QueueLayout, *, is_queued: bool = False, name: int | None = None) -> int:
    """Write a message in S5 (S4 if it is only queued), under its number or another name; return the number."""
    pid = layout.directory / "pid" / "new"
    pid.write_bytes(b"Subject: hi\n\n")
    pid.chmod(0o644)
    os.utime(pid, (NOW_S - 60, NOW_S - 60))
    number = pid.stat().st_ino
    name = number if name is None else name
    pid.rename(layout.path("mess", name))
    if is_queued:
        put(layout, "intd", name, b"u0\0p1\0Fa@b\0Tc@d\0")
        os.link(layout.path("intd", name), layout.path("todo", name))
    else:
        put(layout, "info", name, b"Fa@b\0")
        put(layout, "local", name, b"Tc@d\0")
        put(layout, "remote", name, b"Te@f\0")
        put(layout, "bounce", name, b"<x>:\nno\n\n")
    return number


def do(deed: QueueDeed) -> str:
    """Do one deed and return what was wrong."""
    return QUEUE_DOERS[type(deed)](deed, 0)


def files(layout: QueueLayout) -> dict[str, int]:
    """Return path -> inode of all files in and beside a queue."""
    base = layout.directory.parent
    return {str(path.relative_to(base)): path.lstat().st_ino for path in base.rglob("*") if not path.is_dir()}


# --- interrupted ----------------------------------------------------------------------------------------------------


class KilledError(OSError):
    """The machine stops here."""


def kill_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let the n-th link or unlink be the last system call that works."""
    calls = iter(range(count))

    def wrapping(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if next(calls, None) is None:
                raise KilledError(5, "killed")
            return real(*args, **kwargs)

        return wrapped

    for name in ("link", "unlink"):
        monkeypatch.setattr(os, name, wrapping(getattr(os, name)))


def is_known_whole(layout: QueueLayout, kinds: set[str]) -> bool:
    """Say whether one number at least has all files of a message, and qmail knows it by them."""
    messages = [read_message(layout, number) for number in list_messages(layout)]
    good = (QueueState.S4, QueueState.S5)
    return any(one.state in good and {file.kind for file in one.files} == kinds for one in messages)


@pytest.mark.parametrize("is_queued", [False, True], ids=["S5", "S4"])
@pytest.mark.parametrize("count", range(11))
def test_renaming_may_be_interrupted_anywhere(
    queue: QueueLayout, monkeypatch: pytest.MonkeyPatch, count: int, is_queued: bool
) -> None:
    """The message is whole under one number at every moment, and the next plan goes on to the end."""
    number = put_message(queue, is_queued=is_queued, name=660188)
    kinds = {file.kind for file in read_message(queue, 660188).files}
    inodes = {read_message(queue, 660188).file(kind).inode for kind in kinds}  # type: ignore[union-attr]
    with monkeypatch.context() as patch:
        kill_after(patch, count)
        plan = queue_plan.plan_queue_repair(queue, now_s=NOW_S).plan
        run_plan(plan, confirm=lambda _text: True)
    assert is_known_whole(queue, kinds)

    again = run_plan(queue_plan.plan_queue_repair(queue, now_s=NOW_S).plan, confirm=lambda _text: True)
    assert (again.problem, list(check_queue(queue, now_s=NOW_S))) == ("", [])
    assert {file.inode for file in read_message(queue, number).files} == inodes


@pytest.mark.parametrize("count", range(11))
@pytest.mark.parametrize("make", [queue_plan.plan_trash, queue_plan.plan_hold], ids=["trash", "hold"])
def test_move_out_of_the_queue_may_be_interrupted_anywhere(
    queue: QueueLayout, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Plan], count: int
) -> None:
    """The check's plan takes it back or ends it: the message is whole in the queue, or whole outside of it."""
    number = put_message(queue)
    inodes = {file.inode for file in read_message(queue, number).files}
    with monkeypatch.context() as patch:
        kill_after(patch, count)
        run_plan(make(queue, number), confirm=lambda _text: True)
    run_plan(queue_plan.plan_queue_repair(queue, now_s=NOW_S).plan, confirm=lambda _text: True)
    inside = {file.inode for file in read_message(queue, number).files}
    outside = {inode for path, inode in files(queue).items() if path.endswith(tuple(f"/{number}/{k}" for k in KINDS))}
    assert inodes in (inside, outside)


def test_failure_in_the_middle_takes_back_what_was_done(queue: QueueLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full at the third name: the queue is as before, and the error is said."""
    number = put_message(queue)
    before = files(queue)
    real, calls = os.link, iter(range(2))

    def full(*args: Any, **kwargs: Any) -> None:
        if next(calls, None) is None:
            raise OSError(28, "No space left on device")
        real(*args, **kwargs)

    monkeypatch.setattr(os, "link", full)
    report = run_plan(queue_plan.plan_hold(queue, number), confirm=lambda _text: True)
    assert (report.problem, files(queue)) == ("No space left on device", before)


# --- things that have changed ---------------------------------------------------------------------------------------


def deeds(layout: QueueLayout, number: int) -> dict[str, QueueDeed]:
    """Return one deed of each kind about a message in S5, as a plan would have it."""
    queue = layout.directory
    message = read_message(layout, number)
    info = message.file("info")
    assert info is not None
    moves = tuple(Move(f.path, f"../queue1.held/{number}/{f.kind}", f.inode) for f in message.files)
    return {
        "move": MoveFiles(queue, number, moves, "hold"),
        "thing": MoveThing(queue, info.path, "../queue1.found/info", info.inode),
        "remove": RemoveFiles(queue, ((info.path, info.inode),), 0, NOW_S),
        "mode": SetMode(queue, info.path, info.inode, 0o640, 0o600),
        "owner": SetOwner(queue, info.path, info.inode, (1, 1), (info.uid, info.gid)),
        "time": SetTime(queue, info.path, info.inode, OLD_S * 10**9, info.mtime_ns),
    }


@pytest.mark.parametrize("kind", ["move", "thing", "remove", "mode", "owner", "time"])
@pytest.mark.parametrize("change", ["gone", "exchanged", "linked"])
def test_deed_stops_where_the_file_is_not_the_one_that_was_seen(
    queue: QueueLayout, tmp_path: Path, kind: str, change: str
) -> None:
    """Gone, another file of the same name, or a link to elsewhere: nothing is done to it."""
    number = put_message(queue)
    deed = deeds(queue, number)[kind]
    info = queue.path("info", number)
    kept = tmp_path / "kept"
    info.rename(kept)
    {"gone": lambda: None, "exchanged": lambda: shutil.copy2(kept, info), "linked": lambda: info.symlink_to(kept)}[
        change
    ]()
    before, status = files(queue), kept.stat()
    problem = do(deed)
    assert "is gone; the plan saw" in problem or "is another file; the plan saw" in problem
    assert (files(queue), kept.stat()) == (before, status)


@pytest.mark.parametrize(
    ("kind", "change", "problem"),
    [
        ("mode", lambda path: path.chmod(0o604), "has another mode than planned: 604"),
        ("time", lambda path: os.utime(path, (1, 1)), "was written since the plan was made"),
        ("remove", lambda path: os.utime(path, (NOW_S, 1)), "was touched since the plan was made"),
    ],
)
def test_deed_stops_where_an_attribute_has_changed(
    queue: QueueLayout, kind: str, change: Callable[[Path], object], problem: str
) -> None:
    """What somebody else did meanwhile counts."""
    number = put_message(queue)
    deed = deeds(queue, number)[kind]
    change(queue.path("info", number))
    assert do(deed).endswith(problem)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_owner_that_has_changed_stops_the_deed(queue: QueueLayout) -> None:
    """Somebody was quicker."""
    number = put_message(queue)
    deed = deeds(queue, number)["owner"]
    os.chown(queue.path("info", number), 7, 7)
    assert do(deed).endswith("belongs to somebody else than planned: 7:7")


def test_nothing_is_overwritten(queue: QueueLayout) -> None:
    """A file that has come to the target meanwhile stays, and so does the one that should go there."""
    number = put_message(queue)
    inode = queue.path("mess", number).stat().st_ino
    put(queue, "mess", 3)
    before = files(queue)
    move = Move(queue.relative("mess", number), "mess/0/3", inode)
    assert (
        do(MoveFiles(queue.directory, number, (move,), "rename")) == "mess/0/3 is there already; nothing is overwritten"
    )
    assert do(MoveThing(queue.directory, move.source, "mess/0/3", inode)).endswith("nothing is overwritten")
    assert files(queue) == before


def test_directory_is_not_moved_as_a_file_of_a_message(queue: QueueLayout) -> None:
    """Its names cannot be doubled."""
    inode = (queue.directory / "mess" / "0").stat().st_ino
    move = Move("mess/0", "mess/9", inode)
    assert do(MoveFiles(queue.directory, 1, (move,), "rename")) == "mess/0 is no regular file any more"


def test_link_on_the_way_stops_the_deed(queue: QueueLayout, tmp_path: Path) -> None:
    """A directory that becomes a link between plan and deed leads nowhere."""
    number = put_message(queue)
    deed = deeds(queue, number)["mode"]
    part = queue.directory / "info" / str(number % 3)
    part.rename(tmp_path / "elsewhere")
    part.symlink_to(tmp_path / "elsewhere")
    report = run_plan(Plan("x", (step_of(deed),)), confirm=lambda _text: True)
    assert ("Not a directory" in report.problem, (tmp_path / "elsewhere" / str(number)).stat().st_mode & 0o777) == (
        True,
        0o600,
    )


def test_message_that_was_queued_meanwhile_is_not_removed(queue: QueueLayout) -> None:
    """qmail-queue was slow, not dead."""
    number = put(queue, "mess", 5, at_s=OLD_S)
    deed = RemoveFiles(queue.directory, (("mess/2/5", number),), 5, NOW_S - 129_600)
    put(queue, "todo", 5)
    assert (do(deed), queue.path("mess", 5).exists()) == ("todo/2/5 is there: the message is queued", True)


@pytest.mark.parametrize("kind", ["move", "thing", "remove", "mode", "owner", "time", "directory", "lock"])
def test_nothing_is_done_while_somebody_holds_the_queue(queue: QueueLayout, kind: str) -> None:
    """Each deed looks for itself: qmail-send may have started since the yes."""
    number = put_message(queue)
    more: dict[str, QueueDeed] = {
        "directory": MakeDirectory(queue.directory, "trash", 0o700),
        "lock": MakeLockFile(queue.directory, "trigger"),
    }
    deed = (deeds(queue, number) | more)[kind]
    before = files(queue)
    lock = QueueLock(queue)
    try:
        problem = do(deed)
    finally:
        lock.close()
    assert (problem.startswith("qmail-send holds queue1"), files(queue)) == (True, before)


# --- one by one -----------------------------------------------------------------------------------------------------


def test_directory_gets_its_mode_whatever_the_umask(queue: QueueLayout) -> None:
    """As queue-fix makes it; taken back only when it is empty."""
    (queue.directory / "info" / "1").rmdir()
    deed = MakeDirectory(queue.directory, "info/1", 0o750)
    old = os.umask(0o077)
    try:
        problem = do(deed)
    finally:
        os.umask(old)
    assert (problem, (queue.directory / "info" / "1").stat().st_mode & 0o777) == ("", 0o750)
    (queue.directory / "info" / "1" / "4").touch()
    with pytest.raises(OSError, match="not empty"):
        do(RemoveDirectory(queue.directory, "info/1", 0o750))


def test_directory_that_is_there_is_not_made(queue: QueueLayout) -> None:
    """Somebody else has made it."""
    assert do(MakeDirectory(queue.directory, "info/1", 0o700)).startswith("info/1 is there already")


@pytest.mark.parametrize("name", ["sendmutex", "tcpto", "trigger"])
def test_lock_file_is_made_as_queue_fix_makes_it(queue: QueueLayout, name: str) -> None:
    """Type, size and mode are those of a new queue; nothing is left beside it."""
    path = queue.directory / "lock" / name
    before = path.stat()
    path.unlink()
    assert do(MakeLockFile(queue.directory, name)) == ""
    after = path.stat()
    assert (after.st_mode, after.st_size) == (before.st_mode, before.st_size)
    assert list((queue.directory.parent / "queue1.found").iterdir()) == []


def test_lock_file_that_is_there_is_not_made(queue: QueueLayout) -> None:
    """Nothing is overwritten."""
    assert do(MakeLockFile(queue.directory, "trigger")).startswith("lock/trigger is there already")


def test_only_a_lock_file_of_the_right_kind_is_taken_away(queue: QueueLayout) -> None:
    """What somebody else put there stays."""
    deed = RemoveLockFile(queue.directory, "trigger")
    assert do(deed) == ""
    (queue.directory / "lock" / "trigger").mkdir()
    assert do(deed) == "lock/trigger is not what was made"


def test_who_is_not_root_keeps_what_he_makes(queue: QueueLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """No chown is tried."""
    number = put_message(queue)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "chown", lambda *_args, **_more: pytest.fail("not for us"))
    assert do(deeds(queue, number)["move"]) == ""


def test_file_that_is_exchanged_at_the_last_moment_is_not_changed(
    queue: QueueLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the deed the descriptor decides."""
    number = put_message(queue)
    deed = deeds(queue, number)["mode"]
    info = queue.path("info", number)
    real, calls = os.stat, []

    def exchanging(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        status = real(path, *args, **kwargs)
        if path == str(number) and not calls:
            calls.append(path)
            shutil.copy2(info, info.with_name("copy"))
            info.with_name("copy").replace(info)
        return status

    monkeypatch.setattr(os, "stat", exchanging)
    assert "is another file; the plan saw" in do(deed)
    assert info.stat().st_mode & 0o777 == 0o600


def test_file_that_is_exchanged_at_the_link_is_left_alone(queue: QueueLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new name turns out to be another file: it goes again, and so do the others."""
    number = put_message(queue)
    deed = deeds(queue, number)["move"]
    info = queue.path("info", number)
    real = os.link

    def exchanging(old: str, new: str, **more: Any) -> None:
        if new == "info":
            shutil.copy2(info, info.with_name("copy"))
            info.with_name("copy").replace(info)
        real(old, new, **more)

    monkeypatch.setattr(os, "link", exchanging)
    names = set(files(queue))
    assert do(deed).endswith("was exchanged at this moment")
    assert set(files(queue)) == names


def test_time_is_set_with_the_access_time_kept(queue: QueueLayout) -> None:
    """qmail-clean tells the age by it."""
    number = put_message(queue)
    before = queue.path("info", number).stat().st_atime_ns
    assert do(deeds(queue, number)["time"]) == ""
    after = queue.path("info", number).stat()
    assert (after.st_atime_ns, after.st_mtime_ns) == (before, OLD_S * 10**9)


def test_removal_has_no_way_back_and_all_else_has_one(queue: QueueLayout) -> None:
    """The inverse of the inverse is the deed."""
    number = put_message(queue)
    more: tuple[QueueDeed, ...] = (
        MakeDirectory(queue.directory, "trash", 0o700),
        RemoveDirectory(queue.directory, "trash", 0o700),
        MakeLockFile(queue.directory, "tcpto"),
        RemoveLockFile(queue.directory, "tcpto"),
    )
    for deed in (*deeds(queue, number).values(), *more):
        inverse = inverse_of(deed)
        if isinstance(deed, RemoveFiles):
            assert inverse is None
        else:
            assert inverse is not None
            assert inverse_of(inverse) == deed


def test_every_kind_of_deed_has_words(queue: QueueLayout) -> None:
    """A command that starts in the queue, and a sentence."""
    number = put_message(queue)
    plain = [step_of(deed) for deed in deeds(queue, number).values()]
    assert all(step.command.startswith(f"cd {queue.directory} && ") and step.text.endswith(".") for step in plain)


def test_every_purpose_and_kind_of_deed_is_summed_up(queue: QueueLayout) -> None:
    """A new one needs its word."""
    purposes = [MoveFiles(queue.directory, 1, (), purpose) for purpose in get_args(Purpose)]
    others = [kind for kind in QUEUE_DOERS if kind is not MoveFiles]
    values = [object.__new__(kind) for kind in others]
    assert summary([*purposes, *values]).count(" × ") == len(purposes) + len(others)


def test_each_kind_of_file_has_its_place_in_the_order_of_new_names() -> None:
    """Mess first; what makes a message known to qmail last."""
    assert (sorted(LINK_ORDER), LINK_ORDER[0], set(LINK_ORDER[-2:])) == (sorted(KINDS), "mess", {"info", "todo"})
