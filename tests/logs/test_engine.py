"""Log files -> events."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.errors import FormatError, MissingPartError
from indimail_kit.logs.engine import MAX_LINE_BYTES, log_files, read_events
from indimail_kit.logs.event import Event

LABEL = b"@400000004b9da2f03b424bb4 "
START = b"info: qmail-send: pid 1: /q/%s: ratelimit=OFF, loglock=disabled, conf split=151"


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=20), st.booleans())
def test_lines_read_are_events(lines: list[bytes], is_whole: bool) -> None:
    """Any octets: as many events as lines, each with its octets at its place."""
    octets = b"\n".join(lines) + (b"\n" if lines and is_whole else b"")
    expected = octets.split(b"\n")
    expected = expected[:-1] if expected[-1] == b"" else expected
    events = list(read_events(octets))
    assert [event.line for event in events] == expected
    assert [event.line_number for event in events] == list(range(1, len(expected) + 1))
    assert [octets[event.byte_offset : event.byte_offset + event.line_bytes] for event in events] == expected


def test_a_last_line_without_an_end_is_kept_and_marked() -> None:
    """A log that is being written ends in the middle of a line."""
    events = list(read_events(b"new msg 1\nnew ms"))
    assert [(event.kind, event.line, event.is_whole) for event in events] == [
        ("new_msg", b"new msg 1", True),
        ("unknown", b"new ms", False),
    ]


@pytest.mark.parametrize(
    ("length", "kept", "kind"),
    [
        (MAX_LINE_BYTES, MAX_LINE_BYTES, "info"),
        (MAX_LINE_BYTES + 1, MAX_LINE_BYTES, "unknown"),
        (3 * MAX_LINE_BYTES + 7, MAX_LINE_BYTES, "unknown"),
    ],
    ids=["at the limit", "one more", "much more"],
)
@pytest.mark.parametrize("end", [b"\n", b""], ids=["with an end", "without an end"])
def test_an_over_long_line_is_cut_and_its_length_is_known(length: int, kept: int, kind: str, end: bytes) -> None:
    """What was cut off might change what the line says, so it counts as unknown; the next line is at its place."""
    long = b"info: ".ljust(length, b"x")
    events = list(read_events(long + end + b"new msg 1\n" * len(end)))
    assert (events[0].kind, len(events[0].line), events[0].line_bytes, events[0].is_whole) == (
        kind,
        kept,
        length,
        bool(end),
    )
    assert [(event.kind, event.byte_offset) for event in events[1:]] == [("new_msg", length + 1)] * len(end)


def test_a_multilog_directory_is_read_oldest_first(tmp_path: Path) -> None:
    """Closed logs in the order of their labels, then current; nothing else in the directory is a log."""
    names = ["@400000004b9da2f03b424bb4.s", "@400000004b9da2f13b424bb4.u", "current", "lock", "state", "@junk.tmp"]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(b"new msg %d\n" % number)
    assert [event.message_number for event in read_events(tmp_path)] == [0, 1, 2]
    assert [path.name for path in log_files(tmp_path)] == names[:3]


def test_a_directory_without_current_is_a_log_too(tmp_path: Path) -> None:
    """An archive of closed logs."""
    (tmp_path / "@400000004b9da2f03b424bb4.s").write_bytes(b"new msg 1\n")
    assert [event.file for event in read_events(tmp_path)] == [str(tmp_path / "@400000004b9da2f03b424bb4.s")]


def test_a_directory_without_a_log_is_said_so(tmp_path: Path) -> None:
    """An empty answer would look like an idle server."""
    with pytest.raises(FormatError, match=r"expected a multilog directory"):
        list(read_events(tmp_path))


def test_every_event_knows_its_file_and_line(tmp_path: Path) -> None:
    """Numbers start anew with each file."""
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(b"new msg 1\nend msg 1\n")
    places = [
        (event.file, event.line_number, event.byte_offset)
        for event in read_events(tmp_path / "a.log", str(tmp_path / "b.log"))
    ]
    assert places == [
        (str(tmp_path / name), number, place) for name in ("a.log", "b.log") for number, place in ((1, 0), (2, 10))
    ]


def test_a_gzip_file_reads_as_what_is_in_it(
    tmp_path: Path, recorded: Callable[[str], bytes], recorded_path: Callable[[str], Path]
) -> None:
    """Offsets count decompressed octets."""
    name = "logs/send-odd-lines-queue1.tai64n.log.gz"
    octets = recorded(name)
    events = list(read_events(recorded_path(name)))
    assert b"".join(event.line + b"\n" for event in events) == octets
    assert octets[events[-1].byte_offset :] == events[-1].line + b"\n"


@pytest.mark.parametrize("cut", [0.3, 0.9], ids=["early", "late"])
def test_a_truncated_gzip_file_gives_its_lines_and_then_says_so(tmp_path: Path, cut: float) -> None:
    """What could be read has been yielded."""
    whole = gzip.compress(os.urandom(60_000).hex().encode().replace(b"0", b"\n"))
    path = tmp_path / "log.gz"
    path.write_bytes(whole[: int(len(whole) * cut)])
    seen: list[Event] = []
    with pytest.raises(FormatError, match=r"log\.gz: expected a whole gzip file"):
        seen.extend(read_events(path))
    assert seen


def test_a_file_that_only_claims_to_be_gzip_is_said_so(tmp_path: Path) -> None:
    """The name decides how it is read."""
    path = tmp_path / "log.gz"
    path.write_bytes(b"new msg 1\n")
    with pytest.raises(FormatError, match="whole gzip file"):
        list(read_events(path))


def test_a_zst_file_is_not_read_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compressed octets would be thousands of unknown lines; without its reader the sentence says what to do."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    path = tmp_path / "log.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(MissingPartError, match="zstd -d"):
        list(read_events(path))


def test_a_zst_file_reads_as_what_is_in_it(tmp_path: Path) -> None:
    """Two frames behind each other are one log, as with gzip."""
    zstandard = pytest.importorskip("zstandard", reason="needs the extra logs")
    pack = zstandard.ZstdCompressor().compress
    path = tmp_path / "log.zst"
    path.write_bytes(pack(b"new msg 1\nend m") + pack(b"sg 1\n"))
    assert [(event.kind, event.byte_offset) for event in read_events(path)] == [("new_msg", 0), ("end_msg", 10)]


@pytest.mark.parametrize("cut", [3, -1, -40_000], ids=["in the head", "one octet", "early"])
def test_a_truncated_zst_file_gives_its_lines_and_then_says_so(tmp_path: Path, cut: int) -> None:
    """What could be read has been yielded."""
    zstandard = pytest.importorskip("zstandard", reason="needs the extra logs")
    whole = zstandard.ZstdCompressor().compress(os.urandom(300_000).hex().encode().replace(b"0", b"\n"))
    path = tmp_path / "log.zst"
    path.write_bytes(whole[:cut])
    seen: list[Event] = []
    with pytest.raises(FormatError, match=r"log\.zst: expected a whole zstd file"):
        seen.extend(read_events(path))
    assert bool(seen) == (cut < 0)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    """The system's own words say which file."""
    with pytest.raises(FileNotFoundError, match="nothing here"):
        list(read_events(tmp_path / "nothing here"))


def test_reading_changes_nothing(tmp_path: Path) -> None:
    """Octets, times, mode and links of every file are as they were."""
    for name in ("@400000004b9da2f03b424bb4.s", "current"):
        (tmp_path / name).write_bytes(LABEL + b"new msg 1\n")
    before = [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) for path in log_files(tmp_path)]
    list(read_events(tmp_path))
    assert [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) for path in log_files(tmp_path)] == before


def test_a_reader_that_stops_early_leaves_no_file_open(tmp_path: Path) -> None:
    """Warnings are errors in these tests: a file left open would fail it."""
    path = tmp_path / "current"
    path.write_bytes(b"new msg 1\nnew msg 2\n")
    reader = read_events(path)
    next(reader)
    reader.close()  # type: ignore[attr-defined]  # a generator


def test_local_stamps_are_moved_by_the_offset() -> None:
    """For ClamAV's and tai64nlocal's stamps."""
    event = next(read_events(b"2010-03-15 08:30:54 new msg 1\n", utc_offset_s=19_800))
    assert event.unix_ns == 1_268_622_054 * 10**9


@pytest.mark.parametrize(
    ("lines", "runs"),
    [
        ([b"status: local 0/10 remote 0/20"], [0]),
        ([START % b"queue1", b"new msg 5 queue1", START % b"queue1", b"new msg 6 queue1"], [1, 1, 2, 2]),
        ([START % b"queue1", b"new msg 5 queue2", b"new msg 6 queue1"], [1, 0, 1]),
        ([b"running", b"new msg 5", b"exiting", b"running", b"new msg 5"], [1, 1, 1, 2, 2]),
        (
            [
                b"starting delivery 1: msg 5 to local a@b",
                b"starting delivery 2: msg 5 to local a@b",
                b"starting delivery 1: msg 6 to local a@b",
                b"delivery 1: success: ok/",
            ],
            [0, 0, 1, 1],
        ),
        (
            [START % b"queue1", b"starting delivery 1: msg 5 to local a@b queue1", b"bounce msg 5 qp 6 queue1"],
            [1, 1, 1],
        ),
        ([b"info: qscheduler: pid 1 exiting", b"/tmp/x: OK", b"what?", b"extra 5 1 1 1"], [None, None, None, None]),
        ([b"info: todo-proc: queue1: subdir=todo/1 fn=todo/1/2", b"local: a b 1 2 bytes queue1 opendir mode"], [0, 0]),
    ],
    ids=[
        "running when the log begins", "two starts", "per queue", "old words", "numbers begin anew",
        "start and first delivery", "no run", "todo-proc",
    ],
)  # fmt: skip
def test_runs_of_qmail_send_are_counted(
    events_of: Callable[..., list[Event]], lines: list[bytes], runs: list[int | None]
) -> None:
    """A start line, or delivery numbers that begin anew where plain qmail logs no start."""
    assert [event.run for event in events_of(*lines)] == runs


def test_runs_go_on_over_several_sources() -> None:
    """A rotated log is one log."""
    first, second = START % b"queue1" + b"\n", b"new msg 5 queue1\n"
    assert [event.run for event in read_events(first, second)] == [1, 1]
