"""The quick look: what it takes for usual, and what it leaves to the slow one."""

from __future__ import annotations

import io
import marshal
import os
import stat
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.envelope import QueueRecords, decode_recipients, decode_records, encode_records
from indimail_kit.errors import EnvelopeError
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import layout, walk
from indimail_kit.mailqueue.columns import PIECES, Columns, Part
from indimail_kit.mailqueue.walkers import usual

NOVEMBER_S = 1_795_356_840


def test_kinds_are_those_of_the_layout() -> None:
    """The helper may not import the layout, so the names stand twice."""
    assert walk.KINDS == layout.KINDS


def test_usual_is_what_queue_fix_makes() -> None:
    """Type, mode and owner of each kind; retries may lie further ahead than other times."""
    owners = {"qmailq": (1, 9), "qmails": (2, 9)}
    told = usual(now_ns=0, owners=owners)
    assert told["mess"] == (stat.S_IFREG | 0o644, (1, 9), 300 * 10**9)
    assert told["remote"] == (stat.S_IFREG | 0o600, (2, 9), 86_400 * 10**9)
    assert usual(now_ns=0, owners={})["info"][1] is None


RECORDS = st.lists(st.sampled_from([b"Fann@example.com\0", b"Tbob@example.com\0", b"Dbob@\0", b"eX: y\n\0", b"h\0"]))
OCTETS = st.one_of(
    st.binary(max_size=40),
    RECORDS.map(b"".join),
    st.tuples(RECORDS.map(b"".join), st.binary(max_size=3)).map(b"".join),
    RECORDS.map(lambda records: b"u0\0p7\0Fann@example.com\0" + b"".join(records)),
)


@given(OCTETS)
def test_channel_that_is_usual_is_one_that_the_decoder_takes(octets: bytes) -> None:
    """Same number of recipients, none lost at the end."""
    if walk._CHANNEL.fullmatch(octets) is None:
        return
    assert octets.count(b"\0") == len(decode_recipients(octets))


@given(OCTETS)
def test_envelope_that_is_usual_is_one_that_the_decoder_takes(octets: bytes) -> None:
    """Same sender, same recipients, nothing unknown."""
    for pattern in (walk._INFO, walk._TODO):
        match = pattern.fullmatch(octets)
        if match is not None:
            records = decode_records(octets)
            assert (match[1], records.unknown) == ((records.sender or b"") + b"\0", ())
    if (match := walk._TODO.fullmatch(octets)) is not None:
        assert match[2] == b"".join(b"T%b\0" % address for address in decode_records(octets).recipients)


@given(
    st.builds(
        QueueRecords,
        uid=st.integers(0, 2**32),
        pid=st.integers(0, 2**32),
        sender=st.binary(max_size=9).filter(lambda text: b"\0" not in text),
        recipients=st.lists(st.binary(max_size=9).filter(lambda text: b"\0" not in text)).map(tuple),
        header=st.sampled_from([b"", b"X: y\n"]),
        environment_header=st.sampled_from([b"", b"Subject: hi\n"]),
    )
)
def test_envelope_that_qmail_queue_writes_is_usual(records: QueueRecords) -> None:
    """Else every message would be looked at slowly."""
    match = walk._TODO.fullmatch(encode_records(records))
    assert match is not None
    assert match[2].count(b"\0") == len(records.recipients)


def test_decoder_is_stricter_nowhere() -> None:
    """A record without its NUL is refused by both."""
    with pytest.raises(EnvelopeError):
        decode_recipients(b"Tbob@example.com")
    assert walk._CHANNEL.fullmatch(b"Tbob@example.com") is None


def test_packed_part_is_the_same_again() -> None:
    """As it goes through the pipe."""
    part = Part()
    part.columns.add(7, 5, 3, 100, 1, 2, b"ann\0", (0, b"", -1), (1, b"Tbob\0", 5), (2, b"Deve\0Tzoe\0", 6))
    part.odd, part.strays, part.unread = [8], ["mess/who"], [("info/3", "Permission denied")]
    octets = b"".join(map(marshal.dumps, part.pack()))
    stream = io.BytesIO(octets)
    again = Part.unpack(iter([marshal.load(stream) for _ in range(PIECES)]))  # noqa: S302 (our own octets)
    assert again.pack() == part.pack()
    assert len(Columns()) == 0


def test_helper_answers_with_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program of the second core, run in this process: a task on standard input, a part on standard output."""
    queue = make_queue(tmp_path / "queue1", messages=30, split=5, now_s=NOVEMBER_S).layout
    queue_fd = os.open(queue.directory, os.O_RDONLY | os.O_DIRECTORY)
    kinds = tuple(kind for kind in walk.KINDS if queue.is_split(kind))
    shape = (queue_fd, 5, kinds, usual(now_ns=NOVEMBER_S * 10**9, owners={}))
    stdin, stdout = io.BytesIO(marshal.dumps([[1, 3], *shape])), io.BytesIO()
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=stdin))
    monkeypatch.setattr("sys.stdout", types.SimpleNamespace(buffer=stdout))
    walk.main()
    os.close(queue_fd)
    stdout.seek(0)
    part = Part.unpack(iter([marshal.load(stdout) for _ in range(PIECES)]))  # noqa: S302 (our own octets)
    numbers = {path.name for index in (1, 3) for path in (queue.directory / "mess" / str(index)).iterdir()}
    assert {str(number) for number in (*part.columns.numbers, *part.odd)} == numbers


def test_directory_that_cannot_be_listed_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens, and then the disk fails: what is in it may be there all the same."""
    make_queue(tmp_path / "queue1", messages=10, split=1, now_s=NOVEMBER_S)
    queue_fd = os.open(tmp_path / "queue1", os.O_RDONLY | os.O_DIRECTORY)
    shape = (queue_fd, 1, walk.KINDS[:-1], usual(now_ns=NOVEMBER_S * 10**9, owners={}))
    with walk.Walk(*shape) as looking:
        monkeypatch.setattr(os, "scandir", failing_scandir)
        part = looking.part(0)
    os.close(queue_fd)
    assert ([path for path, _ in part.unread], len(part.columns)) == ([f"{kind}/0" for kind in walk.KINDS[:-1]], 0)


def failing_scandir(_: int) -> Iterator[os.DirEntry[str]]:
    """Fail as a broken disk does."""
    raise OSError(5, "Input/output error")


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Fail if a descriptor stays open."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a count of names)
    yield
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize("bigtodo", [True, False], ids=["split todo", "flat todo"])
def test_every_descriptor_is_closed(tmp_path: Path, descriptors: None, bigtodo: bool) -> None:
    """Six directories for each sub-directory of a queue are too many to leave open."""
    queue = make_queue(tmp_path / "queue1", messages=30, split=5, bigtodo=bigtodo, now_s=NOVEMBER_S).layout
    (queue.directory / "info" / "3").rename(tmp_path / "info3")
    queue_fd = os.open(queue.directory, os.O_RDONLY | os.O_DIRECTORY)
    kinds = tuple(kind for kind in walk.KINDS if queue.is_split(kind))
    shape = (queue_fd, 5, kinds, usual(now_ns=NOVEMBER_S * 10**9, owners={}))
    with walk.Walk(*shape) as looking:
        parts = [looking.part(number) for number in range(5)]
    os.close(queue_fd)
    assert sum(len(part.columns) + len(part.odd) for part in parts) == 30


def test_file_longer_than_the_limit_is_odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left to the slow look, which has its own limit."""
    monkeypatch.setattr(walk, "MAX_RECORDS_BYTES", 5000)
    path = tmp_path / "long"
    path.write_bytes(b"Tbob@example.com\0" * 400)
    path.chmod(0o600)
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    looking = walk.Walk(directory, 1, (), usual(now_ns=2**62, owners={}))
    assert looking._read("long", directory, "local", 1) == (None, b"")
    monkeypatch.setattr(walk, "MAX_RECORDS_BYTES", 6800)
    assert len(looking._read("long", directory, "local", 1)[1]) == 6800
    os.close(directory)
