"""A log that is followed while it is written and turned over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from indimail_kit.errors import FormatError
from indimail_kit.logs import follow
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.event import Event
from indimail_kit.logs.follow import Follower, Notice, Position
from indimail_kit.logs.matchup import match
from indimail_kit.logs.rotation import look
from indimail_kit.tai64 import to_tai64n

MULTILOG = shutil.which("multilog")
needs_multilog = pytest.mark.skipif(MULTILOG is None, reason="daemontools is not installed")

NS = 10**9


def stamped(*texts: bytes, second: int = 0) -> bytes:
    """Return lines as multilog writes them, one a second."""
    return b"".join(
        b"%b %b\n" % (to_tai64n((1_700_000_000 + second + index) * NS), text) for index, text in enumerate(texts)
    )


def name_of(second: int, end: str = "s") -> str:
    """Return the name that a closed file gets at a second."""
    return f"{to_tai64n((1_700_000_000 + second) * NS).decode()}.{end}"


def lines(items: Iterator[Event | Notice]) -> list[bytes]:
    """Return the texts of events, and the kinds of notices in angle brackets."""
    return [item.text if isinstance(item, Event) else b"<%b>" % item.kind.encode() for item in items]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a directory with a log of two lines."""
    (tmp_path / "current").write_bytes(stamped(b"new msg 1", b"end msg 1"))
    return tmp_path


def turn_over(log: Path, second: int) -> None:
    """Close `current` as multilog does, and begin a new one."""
    (log / "current").rename(log / "previous")
    (log / "current").touch()
    os.link(log / "previous", log / name_of(second))
    (log / "previous").unlink()


def append(log: Path, octets: bytes) -> None:
    """Write to the end of `current`."""
    with (log / "current").open("ab") as file:
        file.write(octets)


def test_only_what_is_new_comes_at_the_next_look(log: Path) -> None:
    """Lines come once; a line without its end waits for it."""
    with Follower(log) as follower:
        assert lines(follower.poll()) == [b"new msg 1", b"end msg 1"]
        append(log, stamped(b"new msg 2", second=2) + b"half a li")
        assert lines(follower.poll()) == [b"new msg 2"]
        append(log, b"ne\n")
        assert lines(follower.poll()) == [b"half a line"]
        assert lines(follower.poll()) == []


def test_a_turned_over_file_is_read_to_its_end_first(log: Path) -> None:
    """Lines that were written between the last look and the rename are not lost, nor those of whole files since."""
    with Follower(log) as follower:
        list(follower.poll())
        for number in (2, 3, 4):
            append(log, stamped(b"new msg %d" % number, second=number))
            turn_over(log, number * 10)
        append(log, stamped(b"new msg 5", second=50))
        assert lines(follower.poll()) == [b"new msg 2", b"new msg 3", b"new msg 4", b"new msg 5"]


@pytest.mark.parametrize("step", ["renamed", "no current yet", "two names", "named"])
def test_each_moment_of_turning_over_is_understood(log: Path, step: str) -> None:
    """Multilog renames, begins a new file, links the last name, takes the old one away: look behind every step."""
    follower = Follower(log)
    list(follower.poll())
    append(log, stamped(b"last", second=9))
    (log / "current").rename(log / "previous")
    if step != "no current yet":
        (log / "current").write_bytes(stamped(b"first", second=11))
    if step in ("two names", "named"):
        os.link(log / "previous", log / name_of(10))
    if step == "named":
        (log / "previous").unlink()
    assert lines(follower.poll()) == [b"last", *([b"first"] if step != "no current yet" else [])]
    (log / "current").touch()
    append(log, stamped(b"then", second=12))
    assert lines(follower.poll()) == [b"then"]
    follower.close()


def test_a_file_ends_in_the_middle_of_a_line(log: Path) -> None:
    """A multilog that was killed: the half line is given out as it is, and marked."""
    with Follower(log) as follower:
        list(follower.poll())
        append(log, b"half")
        assert lines(follower.poll()) == []
        (log / "current").rename(log / name_of(10, "u"))
        (log / "current").write_bytes(stamped(b"new msg 2", second=11))
        first, second = follower.poll()
        assert isinstance(first, Event)
        assert isinstance(second, Event)
        assert (first.line, first.is_whole) == (b"half", False)
        assert (second.text, second.is_whole, second.line_number) == (b"new msg 2", True, 1)


def test_what_a_processor_made_of_a_read_file_is_not_read_again(log: Path) -> None:
    """The processor's file has another inode; here even the time of its lines is gone."""
    (log / name_of(-5)).write_bytes(stamped(b"old", second=-9))
    with Follower(log) as follower:
        assert lines(follower.poll()) == [b"old", b"new msg 1", b"end msg 1"]
        (log / "current").rename(log / "previous")
        append(log, stamped(b"new msg 2", second=10))
        (log / "processed").write_bytes(b"summary\n")
        assert lines(follower.poll()) == [b"new msg 2"]
        (log / "previous").unlink()
        assert lines(follower.poll()) == []
        (log / "processed").rename(log / name_of(12))
        assert lines(follower.poll()) == []
        (log / "current").unlink()
        (log / name_of(20)).write_bytes(b"summary\n")
        (log / name_of(30)).write_bytes(b"summary of what we never saw\n")
        append(log, stamped(b"new msg 3", second=31))
        assert lines(follower.poll()) == [b"summary of what we never saw", b"new msg 3"]


def test_a_processors_file_without_a_name_is_waited_for(log: Path) -> None:
    """For a moment the original is gone already: who would go on to `current` would miss what is in it."""
    (log / name_of(-5)).write_bytes(stamped(b"old", second=-9))
    (log / "processed").write_bytes(stamped(b"between", second=-4))
    with Follower(log) as follower:
        assert lines(follower.poll()) == []
        (log / "processed").rename(log / name_of(-2))
        assert lines(follower.poll()) == [b"old", b"between", b"new msg 1", b"end msg 1"]


def test_lines_of_a_clock_that_stands_still_are_not_lost(log: Path) -> None:
    """The next file begins with the stamp that the last line had; our own file is gone."""
    with Follower(log) as follower:
        list(follower.poll())
        (log / "current").unlink()
        (log / name_of(90)).write_bytes(stamped(b"the same second", second=1))
        append(log, stamped(b"new msg 2", second=91))
        assert lines(follower.poll()) == [b"<gap>", b"the same second", b"new msg 2"]


def test_files_that_were_removed_unread_are_said(log: Path) -> None:
    """Multilog keeps only so many files: who comes too late hears it."""
    with Follower(log) as follower:
        list(follower.poll())
        (log / "current").unlink()
        (log / name_of(90)).write_bytes(stamped(b"new msg 90", second=80))
        append(log, stamped(b"new msg 91", second=91))
        assert lines(follower.poll()) == [b"<gap>", b"new msg 90", b"new msg 91"]


def test_a_file_that_became_shorter_is_read_from_its_beginning(log: Path) -> None:
    """Somebody emptied it: said, and gone on."""
    with Follower(log) as follower:
        list(follower.poll())
        (log / "current").write_bytes(b"new msg 7\n")
        assert lines(follower.poll()) == [b"<truncated>", b"new msg 7"]


def test_who_stops_in_the_middle_goes_on_with_the_next_line(log: Path) -> None:
    """A generator that is left early loses nothing."""
    with Follower(log) as follower:
        assert isinstance(next(follower.poll()), Event)
        assert lines(follower.poll()) == [b"end msg 1"]


@pytest.mark.parametrize("is_turned_over", [False, True], ids=["same file", "turned over meanwhile"])
def test_a_saved_position_goes_on_there(
    log: Path, tmp_path_factory: pytest.TempPathFactory, is_turned_over: bool
) -> None:
    """Behind each line it can be stopped, its position saved, and gone on by another process."""
    where = tmp_path_factory.mktemp("where") / "position"
    seen = []
    for number in range(2, 6):
        append(log, stamped(b"new msg %d" % number, second=number))
        if is_turned_over:
            turn_over(log, number * 10)
    for _ in range(6):
        with Follower(log, position=Position.load(where)) as follower:
            seen += lines(iter([next(follower.poll())]))
            assert follower.position is not None
            follower.position.save(where)
    assert seen == [b"new msg 1", b"end msg 1", b"new msg 2", b"new msg 3", b"new msg 4", b"new msg 5"]
    assert lines(Follower(log, position=Position.load(where)).poll()) == []


def test_a_position_in_a_file_that_is_gone_is_said(log: Path) -> None:
    """An inode that is used again is not taken for the old file."""
    follower = Follower(log)
    next(follower.poll())
    follower.close()
    (log / "current").write_bytes(stamped(b"another log", second=99))
    with Follower(log, position=follower.position) as again:
        assert lines(again.poll()) == [b"<lost>", b"another log"]


def test_from_the_end_only_new_lines_come(log: Path) -> None:
    """For a person who looks at what happens now; a half line comes whole."""
    append(log, b"half")
    with Follower(log, from_end=True) as follower:
        assert lines(follower.poll()) == []
        append(log, b" a line\n")
        (event,) = follower.poll()
        assert isinstance(event, Event)
        assert (event.text, event.line_number) == (b"half a line", 3)


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """Multilog has made the directory and nothing else."""
    with Follower(tmp_path) as follower:
        assert lines(follower.poll()) == []
        assert follower.position is None
        append(tmp_path, b"new msg 1\n")
        assert lines(follower.poll()) == [b"new msg 1"]


def test_an_over_long_line_is_cut_as_the_engine_cuts_it(log: Path) -> None:
    """Memory does not grow with a line; the events equal the engine's."""
    append(log, b"x" * 700_000 + b"\nnew msg 2\n")
    with Follower(log) as follower:
        assert list(follower.poll()) == list(read_events(log))


@pytest.mark.parametrize(
    "octets",
    [b"", b"[]", b"{}", b"null", b"\xff", b'{"inode": 1}', b"[" * 100_000],
    ids=["empty", "list", "no fields", "null", "not UTF-8", "one field", "deep"],
)
def test_a_position_that_is_something_else_is_said_so(tmp_path: Path, octets: bytes) -> None:
    """Where to go on is not guessed."""
    (tmp_path / "position").write_bytes(octets)
    with pytest.raises(FormatError, match="position: expected a position in a log"):
        Position.load(tmp_path / "position")


@pytest.mark.parametrize("field", ["inode", "offset", "line_number", "unix_ns", "head", "runs", "after", "is_done"])
def test_a_position_with_a_wrong_value_is_said_so(log: Path, tmp_path: Path, field: str) -> None:
    """Every field is looked at."""
    import json
    from dataclasses import asdict

    with Follower(log) as follower:
        next(follower.poll())
        assert follower.position is not None
        values = asdict(follower.position)
    assert Position.from_json(json.dumps(values)) == Position(**values)
    with pytest.raises(FormatError):
        Position.from_json(json.dumps({**values, field: 1.5}))


def _write(process: subprocess.Popen[bytes], count: int, begin: int = 0) -> threading.Thread:
    """Start a thread that logs lines as fast as they are taken."""

    def work() -> None:
        assert process.stdin is not None
        for number in range(begin, begin + count):
            process.stdin.write(b"new msg %d\n" % number)
        process.stdin.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def _multilog(*script: str) -> subprocess.Popen[bytes]:
    assert MULTILOG is not None
    return subprocess.Popen([MULTILOG, *script], stdin=subprocess.PIPE)


@needs_multilog
@pytest.mark.parametrize("processor", [[], ["!cat"], ["!sed 's/^@[0-9a-f]* //'"]], ids=["plain", "cat", "no stamps"])
def test_the_real_multilog_turns_over_fast_and_every_line_comes_once(tmp_path: Path, processor: list[str]) -> None:
    """Files of some forty lines; the follower is stopped and resumed all the time while they are written."""
    count = 1_500 if processor else 6_000
    process = _multilog("t", "s4096", "n100000", *processor, str(tmp_path / "log"))
    writer = _write(process, count)
    position: Position | None = None
    seen: list[Event | Notice] = []
    while True:
        is_over = process.poll() is not None
        with Follower(tmp_path / "log", position=position) as follower:
            try:
                for _ in range(3):
                    seen += follower.poll()
            except FileNotFoundError:
                assert not seen  # multilog has not made its directory yet
            position = follower.position
        if is_over:
            break
    writer.join()
    numbers = [item.message_number for item in seen if isinstance(item, Event)]
    if processor:  # between two followers a file may be replaced, and then it is said
        assert numbers == sorted(set(numbers))
        assert len(numbers) == count or any(isinstance(item, Notice) for item in seen)
    else:
        assert numbers == list(range(count))
        assert len(numbers) == len(seen)


def test_a_file_of_another_turn_with_the_same_inode_is_not_taken_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between look and opening `current` was turned over twice, and the newest file got the inode that was seen.

    This is how 240 lines were passed over in silence on a busy machine.
    """
    current = tmp_path / "current"
    current.write_bytes(b"new msg 1\n")
    with Follower(tmp_path) as follower:
        assert [item.message_number for item in follower.poll() if isinstance(item, Event)] == [1]
        for number in (2, 3, 4):
            current.rename(tmp_path / f"@400000006b02fa8c0000000{number}.s")
            current.write_bytes(b"new msg %d\n" % number)
        now = look(tmp_path)
        assert now is not None
        then = replace(now, named=now.named[:1])  # as it was after the first turn, but for the inode of `current`
        looks = [then]
        monkeypatch.setattr(follow, "look", lambda directory: looks.pop() if looks else look(directory))
        assert [item.message_number for item in follower.poll() if isinstance(item, Event)] == [2, 3, 4]


@needs_multilog
@pytest.mark.parametrize("processor", [[], ["!cat"]], ids=["plain", "cat"])
def test_one_follower_beside_the_real_multilog_misses_nothing(tmp_path: Path, processor: list[str]) -> None:
    """It keeps its file open, so that a processor cannot take it away."""
    count = 1_500 if processor else 6_000
    (tmp_path / "log").mkdir()
    process = _multilog("t", "s4096", "n100000", *processor, str(tmp_path / "log"))
    writer = _write(process, count)
    seen: list[Event | Notice] = []
    with Follower(tmp_path / "log") as follower:
        while process.poll() is None:
            seen += follower.poll()
        seen += follower.poll()
    writer.join()
    assert [item.message_number for item in seen if isinstance(item, Event)] == list(range(count))
    assert len(seen) == count


@needs_multilog
@pytest.mark.parametrize("processor", [[], ["!cat"], ["!sed 's/^@[0-9a-f]* //'"]], ids=["plain", "cat", "no stamps"])
def test_what_the_real_multilog_removes_too_early_is_always_said(tmp_path: Path, processor: list[str]) -> None:
    """It keeps two files only: wherever numbers are missing or come again, a notice stands before them."""
    log = tmp_path / "log"
    log.mkdir()
    process = _multilog("t", "s4096", "n2", *processor, str(log))
    writer = _write(process, 500 if processor else 4_000)
    seen: list[Event | Notice] = []
    with Follower(log) as follower:
        while process.poll() is None:
            seen += follower.poll()
        seen += follower.poll()
    writer.join()
    unsaid = [
        (before.message_number, after.message_number)
        for before, after in pairwise(seen)
        if isinstance(before, Event) and isinstance(after, Event)
        if after.message_number != (before.message_number or 0) + 1
    ]
    assert unsaid == []


@needs_multilog
def test_a_killed_multilog_leaves_a_file_that_is_read_too(tmp_path: Path) -> None:
    """At its next start `current` becomes `@….u`."""
    log = tmp_path / "log"
    log.mkdir()
    process = _multilog("t", "s4096", "n100", str(log))
    assert process.stdin is not None
    process.stdin.write(b"new msg 0\n")
    process.stdin.flush()
    seen: list[Event | Notice] = []
    with Follower(log) as follower:
        while not seen:
            seen += follower.poll()
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process = _multilog("t", "s4096", "n100", str(log))
        _write(process, 3, 1).join()
        process.wait()
        seen += follower.poll()
    assert [path.suffix for path in log.iterdir() if path.name.startswith("@")] == [".u"]
    assert [item.message_number for item in seen if isinstance(item, Event)] == [0, 1, 2, 3]


def test_the_tables_are_those_of_the_engine(tmp_path: Path, recorded_path: object, recorded: object) -> None:
    """A recorded log that grows by odd pieces and is turned over gives the same deliveries and messages."""
    octets = recorded("logs/qscheduler-static-3queues.tai64n.log.gz")  # type: ignore[operator]  # a fixture
    followed: list[Event] = []
    (tmp_path / "current").touch()
    with Follower(tmp_path) as follower:
        for piece in range(0, len(octets), 7_001):
            append(tmp_path, octets[piece : piece + 7_001])
            if piece % 3 == 0 and octets[: piece + 7_001].endswith(b"\n"):
                turn_over(tmp_path, piece)
            followed += (item for item in follower.poll() if isinstance(item, Event))
    assert match(followed) == match(read_events(octets))
