"""Queues at work, seen from outside: a real enqueue, a real inotify, and what happens where there is none."""

from __future__ import annotations

import errno
import os
import select
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import Queued, QueueLayout, QueueState, create_queue
from indimail_kit.mailqueue.image import QueueImage, take_image
from indimail_kit.mailqueue.live import LiveChange, LiveEvent, LiveQueues

inotify_simple = pytest.importorskip("inotify_simple", reason="needs the extra lab")


@pytest.fixture
def live(queue: QueueLayout) -> Iterator[LiveQueues]:
    """Return a watched queue."""
    with LiveQueues(queue) as watching:
        yield watching


def told(events: tuple[LiveEvent, ...]) -> list[tuple[str, str]]:
    """Return change and kind of each event."""
    return [(event.change.name, event.kind) for event in events]


def polled(queue: QueueLayout, **options: Any) -> LiveQueues:
    """Return a queue that is looked at."""
    return LiveQueues(queue, use_inotify=False, **options)


def test_every_step_of_qmail_queue_that_linux_tells_is_told_in_order(
    live: LiveQueues, put: Callable[..., Queued]
) -> None:
    """Seven events, from the first name in pid to the link to todo; fsync and trigger cannot be seen."""
    number = put().message_number
    events = [event for event in live.read() if event.change is not LiveChange.TIMES]
    assert told(tuple(events)) == [
        *(("APPEARED", "pid"), ("APPEARED", "mess"), ("WENT", "pid"), ("CHANGED", "mess")),
        *(("APPEARED", "intd"), ("CHANGED", "intd"), ("APPEARED", "todo")),
    ]
    assert [event.message_number for event in events] == [0, number, 0, number, number, number, number]
    assert events[-1].state is QueueState.S4


def test_nothing_happens_without_an_event(live: LiveQueues, queue: QueueLayout) -> None:
    """A look at the queue is no event: reading changes nothing."""
    take_image(queue)
    assert live.read() == ()


def test_watching_leaves_no_trace(queue: QueueLayout, put: Callable[..., Queued]) -> None:
    """Times, links and modes of every file and directory are the same before and after."""
    put()
    paths = [path for path in sorted(queue.directory.rglob("*")) if path.name != "trigger"]
    before = [path.lstat() for path in paths]
    with LiveQueues(queue) as watching:
        watching.read()
    polled(queue).read()
    assert [path.lstat() for path in paths] == before


def test_what_happens_below_lock_is_not_watched(live: LiveQueues, queue: QueueLayout) -> None:
    """Nothing of lock/ is told, so nothing of it was opened or watched."""
    (queue.directory / "lock" / "tcpto").write_bytes(bytes(2048))
    assert live.read() == ()
    assert live.watch_count == 6 * 7 + 2


def test_watch_can_be_waited_for(live: LiveQueues, put: Callable[..., Queued]) -> None:
    """With select(), as any descriptor."""
    idle = select.select([live], [], [], 0)[0]
    put()
    assert (idle, select.select([live], [], [], 0)[0]) == ([], [live])


def test_several_queues_are_watched_at_once(tmp_path: Path, put: Callable[..., Queued]) -> None:
    """Each event names its queue."""
    layouts = [create_queue(tmp_path / f"queue{number}", split=3) for number in (4, 5)]
    with LiveQueues(layouts) as watching:
        put(layout=layouts[1])
        put(layout=layouts[0])
        queues = [event.queue for event in watching.read()]
    assert list(dict.fromkeys(queues)) == ["queue5", "queue4"]


def test_overflow_is_told_and_the_present_is_right_again(
    live: LiveQueues, queue: QueueLayout, put: Callable[..., Queued]
) -> None:
    """More events than Linux keeps: the loss is said, and the message that came unseen is found by a look."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 1 << 17:
        pytest.skip("this system keeps too many events to lose some")
    path = queue.directory / "pid" / "x"
    for _ in range(limit // 2 + 1):
        path.touch()
        path.unlink()
    number = put().message_number
    events = live.read()
    place = [event.change for event in events].index(LiveChange.OVERFLOW)
    after = events[place + 1 :]
    assert [(event.kind, event.message_number, event.is_inferred) for event in after] == [
        (kind, number, True) for kind in ("mess", "intd", "todo")
    ]
    assert after[-1].state is QueueState.S4


def test_queue_goes_on_being_told_after_an_overflow(
    live: LiveQueues, queue: QueueLayout, put: Callable[..., Queued], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next message is seen step by step."""
    overflow = inotify_simple.Event(-1, int(inotify_simple.flags.Q_OVERFLOW), 0, "")
    monkeypatch.setattr(live._inotify, "read", lambda **_: [overflow])
    assert [event.change for event in live.read()] == [LiveChange.OVERFLOW]
    monkeypatch.undo()
    put()
    assert ("APPEARED", "todo") in told(live.read())


def test_removed_directory_is_told(live: LiveQueues, queue: QueueLayout) -> None:
    """What happens there is not seen any more."""
    (queue.directory / "mess" / "3").rmdir()
    events = live.read()
    assert [(event.change, event.path) for event in events] == [(LiveChange.ENDED, "mess/3")]
    assert live.watch_count == 6 * 7 + 1


def test_rename_is_a_name_that_goes_and_one_that_comes(
    live: LiveQueues, queue: QueueLayout, put: Callable[..., Queued]
) -> None:
    """As queue-fix renames a message to its inode."""
    number = put().message_number
    live.read()
    queue.path("todo", number).rename(queue.directory / "todo" / "0" / "7")
    assert told(live.read()) == [("WENT", "todo"), ("APPEARED", "todo")]


def test_directory_behind_a_link_is_not_watched(queue: QueueLayout, tmp_path: Path) -> None:
    """A symbolic link below the queue leads nowhere; the others are watched, and the reason is told."""
    (tmp_path / "elsewhere").mkdir()
    (queue.directory / "todo" / "3").rmdir()
    (queue.directory / "todo" / "3").symlink_to(tmp_path / "elsewhere")
    with LiveQueues(queue) as watching:
        (tmp_path / "elsewhere" / "3").touch()
        assert (watching.read(), watching.watch_count) == ((), 6 * 7 + 1)
        assert watching.unwatched == ("queue1/todo/3: Not a directory",)
        assert watching.text == "43 directories are watched. 1 directories cannot be looked into."


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the limit of watches is reached (fs.inotify.max_user_watches)"),
        (errno.EMFILE, "the limit of listeners is reached (fs.inotify.max_user_instances)"),
        (errno.EIO, "inotify failed: Input/output error"),
    ],
)
def test_queue_is_looked_at_when_inotify_is_at_its_limit(
    queue: QueueLayout,
    put: Callable[..., Queued],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    reason: str,
) -> None:
    """The reason is told, and the message is seen all the same."""

    def full(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(inotify_simple.INotify, "add_watch", full)
    with LiveQueues(queue) as watching:
        put()
        events = watching.read()
        assert (watching.is_polling, watching.reason, watching.fileno()) == (True, reason, -1)
    assert told(events) == [("APPEARED", "mess"), ("APPEARED", "intd"), ("APPEARED", "todo")]


def test_queue_is_looked_at_where_the_package_is_missing(queue: QueueLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to get it."""
    monkeypatch.setitem(sys.modules, "inotify_simple", None)
    assert "pip install 'indimail-kit[lab]'" in LiveQueues(queue).text


def test_look_sees_a_mark(queue: QueueLayout) -> None:
    """One octet in place: the time of the file tells it."""
    path = queue.directory / "local" / "3" / "10"
    path.write_bytes(b"Tbob@local.test\0")
    os.utime(path, ns=(0, 0))
    with polled(queue) as watching:
        path.write_bytes(b"Dbob@local.test\0")
        assert told(watching.read()) == [("CHANGED", "local")]


def test_look_waits_until_something_happens(queue: QueueLayout, put: Callable[..., Queued]) -> None:
    """Look, sleep, look: no sleep after the look that found something, and an end when the time is over."""
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 2:
            put()

    with polled(queue, sleep=sleep, poll_s=0.5) as watching:
        found = watching.read(timeout_s=5.0)
        nothing = watching.read(timeout_s=1.0)
    assert (len(found), nothing, sleeps) == (3, (), [0.5] * 4)


def test_look_survives_files_that_vanish(queue: QueueLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed, and gone before it could be looked at: its name was there."""
    (queue.directory / "pid" / "x").touch()

    def gone(*_: object, **__: object) -> None:
        raise FileNotFoundError

    watching = polled(queue)
    (queue.directory / "pid" / "y").touch()
    monkeypatch.setattr("indimail_kit.mailqueue.live.os.stat", gone)
    assert told(watching.read()) == [("APPEARED", "pid")]


def test_missing_queue_is_an_error(tmp_path: Path) -> None:
    """Exit code 61, at once, and no listener is left open."""
    with pytest.raises(QueueError, match="no queue at") as caught:
        LiveQueues(QueueLayout(tmp_path / "nowhere"))
    assert caught.value.exit_code == 61


def test_queue_that_is_taken_away_is_an_error(queue: QueueLayout) -> None:
    """The next look says which queue it was."""
    watching = polled(queue)
    shutil.rmtree(queue.directory)
    with pytest.raises(QueueError, match="no queue at"):
        watching.read()


def test_directory_without_any_queue_is_an_error(tmp_path: Path) -> None:
    """Nothing in it can be looked into."""
    with pytest.raises(QueueError, match="no readable directory"):
        polled(QueueLayout(tmp_path, split=2))


def test_empty_image_of_a_watched_queue_stays_empty(live: LiveQueues, queue: QueueLayout) -> None:
    """Watching makes no file."""
    live.read()
    assert take_image(queue) == QueueImage({})
