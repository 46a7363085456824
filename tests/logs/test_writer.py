"""The file that multilog writes."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from indimail_kit.logs.writer import LogWriter, tail_lines

SEED_NS = 1_268_622_054_994_200_500


def test_a_line_has_the_seeds_label_and_text(tmp_path: Path) -> None:
    """The seed's first log line, octet for octet."""
    with LogWriter(tmp_path) as log:
        written = log.write(b"new msg 660188", SEED_NS)
    assert written == (tmp_path / "current").read_bytes() == b"@400000004b9da2f03b424bb4 new msg 660188\n"


def test_the_clock_stamps_a_line_without_a_time(tmp_path: Path) -> None:
    """The clock is a parameter."""
    with LogWriter(tmp_path, clock=lambda: SEED_NS) as log:
        log.write(b"new msg 660188")
        assert log.tail(1) == (b"@400000004b9da2f03b424bb4 new msg 660188",)


def test_the_file_can_be_read_by_everybody(tmp_path: Path) -> None:
    """Mode 644 whatever the umask is."""
    with LogWriter(tmp_path / "log" / "deep") as log:
        assert stat.S_IMODE(log.path.stat().st_mode) == 0o644


def test_a_second_writer_goes_on_behind_the_first(tmp_path: Path) -> None:
    """A restart loses nothing."""
    for number in (1, 2):
        with LogWriter(tmp_path, clock=lambda: SEED_NS) as log:
            log.write(b"new msg %d" % number)
    assert [line[26:] for line in tail_lines(tmp_path / "current", 9)] == [b"new msg 1", b"new msg 2"]


def test_a_line_cannot_forge_another_line(tmp_path: Path) -> None:
    """A line end inside becomes a slash, as in qmail-send's addresses."""
    with LogWriter(tmp_path, clock=lambda: SEED_NS) as log:
        log.write(b"local: a@b\n@400000004b9da2f03b424bb4 end msg 1 c@d")
    assert (tmp_path / "current").read_bytes().count(b"\n") == 1


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    """Each line is one write."""
    with LogWriter(tmp_path) as log:
        threads = [
            threading.Thread(
                target=lambda letter: [log.write(letter * 400) for _ in range(100)], args=(bytes([97 + n]),)
            )
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    texts = [line[26:] for line in tail_lines(tmp_path / "current", 10_000)]
    assert sorted(texts) == [bytes([97 + n]) * 400 for n in range(8) for _ in range(100)]


def test_a_closed_log_says_so(tmp_path: Path) -> None:
    """Closing twice is no fault; writing afterwards is."""
    log = LogWriter(tmp_path)
    log.close()
    log.close()
    with pytest.raises(ValueError, match="closed"):
        log.write(b"new msg 1")


FULL_DISK = """
import pathlib, resource, signal, sys
from indimail_kit.logs.writer import LogWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
log = LogWriter(pathlib.Path(sys.argv[1]), clock=lambda: 0)
log.write(b"first")
for text in (b"x" * 200, b"last"):
    try:
        log.write(text)
    except OSError as error:
        print(error.strerror)
"""


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """What cannot be written whole is not there at all, and the next line stands alone."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, check=True, timeout=30)
    assert done.stdout == b"File too large\n"
    assert [line[26:] for line in tail_lines(tmp_path / "current", 9)] == [b"first", b"last"]


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    """A log directory that others may write to cannot lead the log elsewhere."""
    (tmp_path / "current").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        LogWriter(tmp_path)


@pytest.mark.parametrize(
    ("octets", "count", "lines"),
    [
        (b"", 3, ()),
        (b"a\nb\nc\n", 2, (b"b", b"c")),
        (b"a\nb\nc\n", 9, (b"a", b"b", b"c")),
        (b"a\nb\nhalf", 2, (b"b", b"half")),
        (b"a\n\n\n", 2, (b"", b"")),
        (b"a\nb\n", 0, ()),
        (b"x" * 200_000 + b"\n" + b"y" * 70_000 + b"\n", 1, (b"y" * 70_000,)),
    ],
    ids=["empty", "some", "all", "half a line", "empty lines", "none", "longer than a block"],
)
def test_tail_gives_the_last_lines(tmp_path: Path, octets: bytes, count: int, lines: tuple[bytes, ...]) -> None:
    """Oldest first, without their ends."""
    path = tmp_path / "current"
    path.write_bytes(octets)
    assert tail_lines(path, count) == lines


def test_the_repr_names_the_file(tmp_path: Path) -> None:
    """One line for a person."""
    with LogWriter(tmp_path) as log:
        assert repr(log) == f"LogWriter('{tmp_path}/current')"
