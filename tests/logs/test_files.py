"""Files that are cut, replaced, turned over, damaged or closed to us while a log is read."""

from __future__ import annotations

import gzip
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.errors import FormatError
from indimail_kit.logs import files
from indimail_kit.logs.blocks import RawBlock, read_raw_blocks
from indimail_kit.logs.files import Told
from indimail_kit.logs.rotation import Look, look_anyway

FIRST, SECOND, THIRD = (f"@400000004b9da2f{digit}3b424bb4.s" for digit in "012")
LINES = [b"new msg %d\n" % number for number in range(1, 4001)]


def octets_of(blocks: Iterator[RawBlock]) -> bytes:
    """Return what the blocks hold."""
    return b"".join(bytes(block.octets) for block in blocks)


def turn_over(directory: Path, name: str, *more: bytes) -> None:
    """Do what multilog does when `current` is full."""
    (directory / "current").rename(directory / name)
    (directory / "current").write_bytes(b"".join(more))


def test_a_directory_that_is_turned_over_while_it_is_read_gives_every_line_once(tmp_path: Path) -> None:
    """`current` gets its name while an older file is read; it was once skipped for the new `current`."""
    (tmp_path / FIRST).write_bytes(b"".join(LINES[:1000]))
    (tmp_path / "current").write_bytes(b"".join(LINES[1000:2000]))
    blocks = read_raw_blocks(tmp_path, block_bytes=4096)
    begin = bytes(next(blocks).octets)
    turn_over(tmp_path, SECOND, *LINES[2000:3000])
    turn_over(tmp_path, THIRD, *LINES[3000:])
    assert begin + octets_of(blocks) == b"".join(LINES)


def test_a_directory_that_is_turned_over_between_a_look_and_the_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that was `current` a moment ago has its name now, and is read under it."""
    (tmp_path / "current").write_bytes(b"".join(LINES[:1000]))
    looks: list[Look] = []

    def look_and_turn(directory: Path) -> Look:
        looks.append(look_anyway(directory))
        if len(looks) == 1:
            turn_over(directory, FIRST, *LINES[1000:])
        return looks[-1]

    monkeypatch.setattr(files, "look_anyway", look_and_turn)
    assert octets_of(read_raw_blocks(tmp_path)) == b"".join(LINES)


def test_a_closed_file_that_waits_for_its_name_is_read(tmp_path: Path) -> None:
    """After a kill in the middle: `previous` comes before `current`; what a processor left behind hinders nobody."""
    (tmp_path / FIRST).write_bytes(LINES[0])
    (tmp_path / "previous").write_bytes(LINES[1])
    (tmp_path / "current").write_bytes(LINES[2])
    assert octets_of(read_raw_blocks(tmp_path)) == b"".join(LINES[:3])
    (tmp_path / "previous").unlink()
    (tmp_path / "processed").write_bytes(b"half")
    assert octets_of(read_raw_blocks(tmp_path)) == LINES[0] + LINES[2]


def test_a_file_that_is_replaced_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    """Another file gets its name: what was opened is still the old one, whole."""
    path, other = tmp_path / "log", tmp_path / "log.new"
    path.write_bytes(b"".join(LINES))
    other.write_bytes(b"new msg 9\n" * 9)
    blocks = read_raw_blocks(path, block_bytes=4096)
    begin = bytes(next(blocks).octets)
    other.replace(path)
    assert begin + octets_of(blocks) == b"".join(LINES)


def test_a_file_that_is_cut_while_it_is_read_is_said_to_be(tmp_path: Path) -> None:
    """A rotation that empties the file in place takes lines away: how much was read is told, after the lines."""
    path = tmp_path / "log"
    path.write_bytes(b"".join(LINES))
    blocks = read_raw_blocks(path, block_bytes=4096)
    seen = [bytes(next(blocks).octets)]
    os.truncate(path, 0)
    with pytest.raises(FormatError, match=r"log: expected a file that nobody cuts while it is read; its first 4,096 "):
        seen.extend(bytes(block.octets) for block in blocks)
    assert b"".join(seen) == b"".join(LINES)[:4096]


def test_how_much_was_read_of_a_truncated_file_is_told(tmp_path: Path) -> None:
    """The number in the sentence is that of the octets that were given out."""
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(os.urandom(60_000).hex().encode().replace(b"0", b"\n"))[:-20_000])
    seen: list[bytes] = []
    with pytest.raises(FormatError, match="whole gzip file") as caught:
        seen.extend(bytes(block.octets) for block in read_raw_blocks(path))
    assert f"; {len(b''.join(seen)):,} octets of its log were read before" in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="who has no root's rights cannot drop them in a child")
@pytest.mark.parametrize("closed", ["directory", "file"])
def test_what_nobody_may_read_is_said_so(closed: str) -> None:
    """A child without root's rights: the system's own words, with the path, after what it could read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        directory = Path(folder) / "log"
        directory.mkdir()
        (directory / FIRST).write_bytes(b"".join(LINES))
        (directory / "current").write_bytes(b"secret\n")
        place = directory if closed == "directory" else directory / "current"
        place.chmod(0)
        said = without_rights(lambda: what_is_said(directory))
    count = 0 if closed == "directory" else len(b"".join(LINES))
    assert said == f"{count} [Errno 13] Permission denied: '{place}'"


def what_is_said(directory: Path) -> str:
    """Return how many octets could be read, and what was said then."""
    count = 0
    try:
        for block in read_raw_blocks(directory):
            count += len(block.octets)
    except OSError as error:
        return f"{count} {error}"
    return f"{count}"


def without_rights(call: Callable[[], str]) -> str:
    """Return what a function says in a child process that has no rights."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = "failed"
        try:
            os.setgid(65534)
            os.setuid(65534)
            said = call()
        finally:
            os.write(into, said.encode())
            os._exit(0)
    os.close(into)
    with os.fdopen(out, encoding="utf-8") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_who_wants_to_know_hears_of_every_octet_of_the_file(ending: str, tmp_path: Path) -> None:
    """Octets on the disk, compressed or not."""
    octets = b"".join(LINES)
    path = tmp_path / f"log{ending}"
    if ending == ".zst":
        octets = pytest.importorskip("zstandard", reason="needs the extra logs").ZstdCompressor().compress(octets)
    path.write_bytes(gzip.compress(octets) if ending == ".gz" else octets)
    told: list[int] = []
    assert octets_of(read_raw_blocks(Told(path, told.append))) == b"".join(LINES)
    assert sum(told) == path.stat().st_size


FLIPS = 20_000 if os.environ.get("INDIMAIL_KIT_CRASH") == "full" else 600


@pytest.mark.crash
@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_damaged_file_gives_what_can_be_read_and_a_sentence(ending: str, tmp_path: Path) -> None:
    """Octets flipped, cut out, put in, 600 times or 20,000 in `make crash`: a FormatError or a log, nothing else."""
    source = random.Random(6)  # noqa: S311 - damage, not secrets
    octets = b"".join(LINES[:300])
    if ending == ".zst":
        compressor = pytest.importorskip("zstandard", reason="needs the extra logs").ZstdCompressor(write_checksum=True)
        whole = compressor.compress(octets)
    else:
        whole = gzip.compress(octets)
    path = tmp_path / f"log{ending}"
    ends = Counter[str]()
    for _ in range(FLIPS):
        broken = bytearray(whole)
        for _ in range(source.randint(1, 3)):
            place = source.randrange(len(broken))
            broken[place : place + source.randrange(3)] = source.randbytes(source.randrange(1, 3))
        path.write_bytes(broken)
        seen, fault = b"", None
        try:
            for block in read_raw_blocks(path):
                seen += bytes(block.octets)
        except FormatError as error:
            fault = str(error)
        assert fault is None or f"; {len(seen):,} octets of its log were read before" in fault
        ends["told" if fault else "same" if seen == octets else "other"] += 1
    assert ends["told"] > 0.9 * FLIPS
    assert ends["other"] < 0.01 * FLIPS
