"""A log that grows, as tables."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from indimail_kit.logs import LiveLog, Log, read

RECORDED = Path(__file__).parents[1] / "data" / "indimail" / "logs"
LINES = gzip.decompress((RECORDED / "send-odd-lines-queue1.tai64n.log.gz").read_bytes()).splitlines(keepends=True)


def assert_same(one: Log, other: Log) -> None:
    """Compare all tables; a followed file keeps the name under which it was opened."""
    for table in ("events", "deliveries", "messages"):
        frames = [getattr(log, table).drop(columns="file", errors="ignore") for log in (one, other)]
        pd.testing.assert_frame_equal(*frames)


@pytest.mark.parametrize("step", [3, 40, 1000])
def test_what_came_piece_by_piece_is_the_log(step: int, tmp_path: Path) -> None:
    """A few lines, a turn of the file, half a line: in the end the tables are those of the directory."""
    current = tmp_path / "current"
    with LiveLog(tmp_path) as live:
        for begin in range(0, len(LINES), step):
            if begin in (60, 80):
                current.rename(tmp_path / "@400000006b02fa8c00000000.s")
            octets = b"".join(LINES[begin : begin + step])
            for part in (octets[:-3], octets[-3:]):
                with current.open("ab") as file:
                    file.write(part)
                assert live.update() == ()
        assert_same(live.log, read(tmp_path))
        assert len(live.log) == len(LINES)
        assert repr(live) == f"<LiveLog of {tmp_path}: {len(LINES)} lines so far>"


def test_a_line_that_was_cut_keeps_its_length_and_the_next_its_place(tmp_path: Path) -> None:
    """Of an over-long line the first 64 KiB are kept."""
    (tmp_path / "current").write_bytes(b"new msg 1\n" + b"x" * 100_000 + b"\nnew msg 2\n")
    with LiveLog(tmp_path) as live:
        live.update()
        assert_same(live.log, read(tmp_path))
        assert live.log.events["line_bytes"].tolist() == [9, 100_000, 9]


def test_from_the_end_only_what_comes_now_is_there(tmp_path: Path) -> None:
    """With its line number and octet in the file."""
    current = tmp_path / "current"
    current.write_bytes(b"new msg 1\nnew msg 2\n")
    with LiveLog(tmp_path, from_end=True) as live:
        live.update()
        assert len(live.log) == 0
        with current.open("ab") as file:
            file.write(b"new msg 3\n")
        live.update()
        (row,) = live.log.events[["message_number", "line_number", "byte_offset"]].to_numpy().tolist()
        assert row == [3, 3, 20]


def test_what_no_line_tells_is_returned(tmp_path: Path) -> None:
    """The file was emptied: said, and its lines are new ones."""
    current = tmp_path / "current"
    current.write_bytes(b"new msg 1\nnew msg 2\n")
    with LiveLog(tmp_path) as live:
        live.update()
        current.write_bytes(b"new msg 3\n")
        assert [notice.kind for notice in live.update()] == ["truncated"]
        assert live.log.events["message_number"].tolist() == [1, 2, 3]
