"""Columns say what the grammar says: over recorded, written and mutated lines, compiled or not."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.logs import FORMS, KINDS, kernel_codes
from indimail_kit.logs.blocks import MAX_LINE_BYTES
from indimail_kit.logs.columns import KIND_NAMES, NUMBERS, SPANS, EventBlock
from indimail_kit.logs.engine import read_blocks, read_events
from indimail_kit.logs.labels import LABEL_KINDS
from indimail_kit.logs.speed import has_compiler

RECORDED = Path(__file__).parents[1] / "data" / "indimail"
LOGS = sorted(path for path in (RECORDED / "logs").iterdir() if ".log" in path.name) + sorted(
    (RECORDED / "clamd").glob("*.log")
)
MUTATED_LINES = 120_000 if os.environ.get("INDIMAIL_KIT_CRASH") == "full" else 6_000
WAYS = [
    pytest.param(False, id="as it is"),
    pytest.param(True, id="compiled", marks=pytest.mark.skipif(not has_compiler(), reason="needs the extra logs")),
]
ATTRIBUTES = (
    "kind", "unix_ns", "label_kind", "queue", "channel", "outcome", "program", "severity", "byte_offset", "line_bytes",
    "text_start", *NUMBERS, *SPANS,
)  # fmt: skip


def rows_of(block: EventBlock) -> Iterator[tuple[Any, ...]]:
    """Yield what the columns of a block say of each line, in the order of ATTRIBUTES."""
    columns: list[list[Any]] = [
        [KIND_NAMES[code] for code in block.kind.tolist()],
        [None if one == kernel_codes.NO_TIME else one for one in block.unix_ns.tolist()],
        [LABEL_KINDS[code] for code in block.table[:, kernel_codes.LABEL].tolist()],
        [block.queues[code] for code in block.queue.tolist()],
        block.words("channel"),
        block.words("outcome"),
        block.words("program"),
        block.words("severity"),
        block.byte_offset.tolist(),
        block.line_bytes.tolist(),
        (block.table[:, kernel_codes.TEXT] - block.table[:, kernel_codes.START]).tolist(),
    ]
    columns += [[None if one < 0 else one for one in block.numbers(name).tolist()] for name in NUMBERS]
    columns += [block.octets_of(name) for name in SPANS]
    yield from zip(*columns, strict=True)


def assert_same(*sources: bytes | Path, compiled: bool, utc_offset_s: int = 0, **options: Any) -> None:
    """Compare every attribute of every line with the grammar's."""
    events = read_events(*sources, utc_offset_s=utc_offset_s)
    count = 0
    for block in read_blocks(*sources, compiled=compiled, utc_offset_s=utc_offset_s, **options):
        for row in rows_of(block):
            event = next(events)
            said = tuple(getattr(event, name) for name in ATTRIBUTES)
            assert dict(zip(ATTRIBUTES, row, strict=True)) == dict(zip(ATTRIBUTES, said, strict=True)), event.line
            count += 1
    assert next(events, None) is None
    assert count > 0 or not any(sources)


@pytest.mark.parametrize("compiled", WAYS)
@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_every_line_of_every_recorded_log_is_as_the_grammar_says(path: Path, compiled: bool) -> None:
    """Logs of the real programs, smtpd, clamd and freshclam among them."""
    assert_same(path, compiled=compiled)


def test_most_lines_of_a_recorded_log_need_no_grammar() -> None:
    """The nine forms of the kernel make up more than nine lines in ten, whatever queue they are of."""
    blocks = list(read_blocks(RECORDED / "logs" / "qscheduler-static-3queues.tai64n.log.gz", compiled=False))
    assert sum(len(block.others) for block in blocks) < sum(len(block) for block in blocks) / 100


def test_the_kernels_kinds_are_the_grammars() -> None:
    """The numbers in compiled code stand for these names."""
    assert set(kernel_codes.KERNEL_KINDS) - {"unknown"} <= set(KINDS)
    assert set(KIND_NAMES) == {"unknown", *KINDS}
    known = {name: getattr(kernel_codes, name) for name in ("STATUS", "NEW_MSG", "INFO_MSG", "END_MSG", "EXTRA")}
    assert all(KIND_NAMES[code] == name.lower() for name, code in known.items())
    assert KIND_NAMES[kernel_codes.STARTING] == "starting_delivery"
    assert (KIND_NAMES[kernel_codes.ENDED], KIND_NAMES[kernel_codes.MANGLED]) == ("delivery", "delivery_mangled")


ODD_LINES = (
    b"",
    b" ",
    b"@",
    b"@400000004b9da2f03b424bb4",
    b"@400000004b9da2f03b424bb4 ",
    b"@400000004b9da2f0ffffffff new msg 1",
    b"@400000014b9da2f03b424bb4 new msg 1",
    b"@3fffffff4b9da2f03b424bb4 new msg 1",
    b"@40000000000000003b424bb4 new msg 1",
    b"@400000004B9da2f03b424bb4 new msg 1",
    b"@400000004b9da2f03b424bb4  new msg 1",
    b"9999999999.123456789 new msg 1",
    b"1700000000.123456 new msg 1",
    b"1700000000.12345678 new msg 1",
    b"2010-03-15 08:30:54 new msg 1",
    b"2010-03-15 08:30:54.994200500 new msg 1",
    b"2000-02-29 23:59:59.999999999 new msg 1",
    b"2100-02-29 00:00:00.000000000 new msg 1",
    b"2024-02-29 00:00:00.000000000 new msg 1",
    b"2024-04-31 00:00:00.000000000 new msg 1",
    b"2010-13-15 08:30:54.994200500 new msg 1",
    b"2010-00-15 08:30:54.994200500 new msg 1",
    b"2010-03-00 08:30:54.994200500 new msg 1",
    b"2010-03-15 24:30:54.994200500 new msg 1",
    b"2010-03-15 08:60:54.994200500 new msg 1",
    b"2010-03-15 08:30:60.994200500 new msg 1",
    b"2010-03-15 08:30:54.99420050a new msg 1",
    b"2010-03-15 08:30:54,994200500 new msg 1",
    b"2010-03-15T08:30:54.994200500 new msg 1",
    b"2010-03-15 08:30:54.994200500Z new msg 1",
    b"2010-03-15 08:30:54.994200500",
    b"2010-03-15 08:30:54.994200500 ",
    b"1969-12-31 23:59:59.999999999 new msg 1",
    b"2199-12-31 23:59:59.999999999 new msg 1",
    b"2200-01-01 00:00:00.000000000 new msg 1",
    b"9999-12-31 23:59:59.999999999 new msg 1",
    b"1.000000000 ",
    b"new msg 01",
    b"new msg 1 ",
    b"new msg 1  queue1",
    b"new msg 1 q:1",
    b"new msg 1 queue1 x",
    b"new msg -1",
    b"new msg 999999999999999999",
    b"new msg 1000000000000000000",
    b"new msg 9999999999999999999999",
    b"new msg ",
    b"end msg 1 queue1",
    b"end msg 1 slowq-send: slowq",
    b"end msg 1 qmail-send: ",
    b"end msg 1 qmail-send: a b",
    b"status: local 1/10 remote 0/20 (held)",
    b"status: local 1/10 (held) remote 0/20",
    b"status: local 1/10 remote 0/20 exitasap",
    b"status: local 1/10 remote 0/20 delayed jobs=1 slowq",
    b"status: local 1/10 remote 0/20 q exitasap",
    b"status: exiting",
    b"status: local 1/10 remote 0/20 ",
    b"starting delivery 1: msg 2 to local ",
    b"starting delivery 1: msg 2 to local  q",
    b"starting delivery 1.2.3: msg 2 to local a@b",
    b"starting delivery 1.: msg 2 to local a@b",
    b"starting delivery 1: msg 2 to remote a@b q\xff",
    b"delivery 1: success: ",
    b"delivery 1: success:  queue1",
    b"delivery 1: success:",
    b"delivery 1: report mangled, will defer: queue1",
    b"delivery 1: report mangled, will defer",
    b"delivery 1.9: deferral: a b",
    b"delivery 1: successful: x",
    b"info msg 1: bytes 2 from <> qp 3 uid 4",
    b"info msg 1: bytes 2 from  qp 3 uid 4",
    b"info msg 1: bytes 2 from < qp 3 uid 4",
    b"info msg 1: bytes 2 from <a b> qp 3 uid 4",
    b"info msg 1: bytes 2 from a<b> qp 3 uid 4 q",
    b"info msg 1: bytes 2 from <a>> qp 3 uid 4",
    b"info msg 1: bytes 2 from > qp 3 uid 4",
    b"bounce msg 1 qp 2",
    b"bounce msg 1 qp 2 queue1",
    b"bounce msg 1 qp",
    b"local: a b 1 2 bytes",
    b"local: <> <> 1 2 bytes queue1 opendir mode",
    b"remote: a b 1 2 bytes opendir mode",
    b"local: a b c 1 2 bytes queue1 mqueue mode",
    b"local: a b 1 2 bytes queue1 compat mode",
    b"local: a b 1 2 bytes  mqueue mode",
    b"local: a b 1 2 bytes 3 4 bytes",
    b"local: a 1 2 bytes",
    b"remote:  b 1 2 bytes",
    b"local: a b 1 2 bytes bytes mqueue mode",
    b"remote: a b 1 2 bytes mode mode",
    b"local deliveries resumed",
    b"info: todo-proc: q: subdir=todo/1 fn=todo/1/2",
    b"info: todo-proc: q: subdir= fn=/2",
    b"info: todo-proc: q: subdir=a fn=b",
    b"info: todo-proc: q: subdir=a fn=b/2 incorrect split",
    b"info: todo-proc: q:: subdir=a fn=b/2",
    b"info: todo-proc: pid 5: subdir=a fn=b/2",
    b"info: todo-proc: q: subdir=a fn=b>/2",
    b"info: todo-proc: q: subdir=a fn=b/c/2/",
    b"info: todo-proc: : subdir=a fn=b/2",
    b"extra 1 2 3 4",
    b"extra 1 2 3",
    b" queue1new msg 5",
    b"info: qscheduler: pid 1, queue /q/queue1 started",
    b"info: qscheduler: pid 1, queue /q/queue1 died",
    b"new msg 1 " + b"q" * 64,
    b"new msg 1 " + b"q" * 65,
    b"\xff\xfe new msg 1",
    b"new msg 1\r",
    b"new\0msg 1",
    b"@400000004b9da2f03b424bb4 starting delivery 1: msg 2 to local @400000004b9da2f03b424bb4",
)
"""Lines at the borders of the kernel's nine forms."""


@pytest.mark.parametrize("compiled", WAYS)
def test_lines_at_the_borders_of_the_forms_are_as_the_grammar_says(compiled: bool) -> None:
    """A blank more, a number too long, a flag, a stamp inside an address: with a stamp and without."""
    stamped = [b"@400000004b9da2f03b424bb4 " + line for line in ODD_LINES]
    assert_same(b"\n".join([*ODD_LINES, *stamped]), compiled=compiled)


def written_lines() -> list[bytes]:
    """Return the recorded lines, each shape once or twice, and the examples of the grammar."""
    shapes: dict[bytes, list[bytes]] = {}
    for path in LOGS:
        for event in read_events(path):
            shapes.setdefault(b"%s %d" % (event.kind.encode(), len(event.line) // 8), []).append(event.line)
    lines = [line for same in shapes.values() for line in same[:2]]
    return lines + [form.example.encode() for form in FORMS.values() if form.example]


PIECES = (b" ", b"  ", b"0", b".", b":", b"/", b"<", b">", b"@", b"1", b"\r")


def mutated(line: bytes, source: random.Random, others: list[bytes]) -> bytes:
    """Return a line with something wrong: an octet, a hole, a piece of another line, a word twice."""
    at = source.randrange(len(line) + 1)
    way = source.randrange(6)
    if way == 0:
        return line[:at] + bytes([source.randrange(256)]) + line[at + 1 :]
    if way == 1:
        return line[:at] + line[at + source.randrange(1, 5) :]
    if way == 2:
        return line[:at] + source.choice(PIECES) + line[at:]
    if way == 3:
        other = source.choice(others)
        return line[:at] + other[source.randrange(len(other) + 1) :]
    words = line.split(b" ")
    place = source.randrange(len(words))
    if way == 4:
        return b" ".join(words[:place] + words[place : place + 1] + words[place:])
    return b" ".join(words[:place] + words[place + 1 :])


@pytest.mark.crash
@pytest.mark.parametrize("compiled", WAYS)
def test_mutated_lines_are_as_the_grammar_says(compiled: bool) -> None:
    """Lines in are rows out, and nothing raises: six thousand, or 120,000 in `make crash`."""
    source = random.Random(20)  # noqa: S311 - contents, not secrets
    lines = written_lines()
    for begin in range(0, MUTATED_LINES, 20_000):
        many = (mutated(source.choice(lines), source, lines) for _ in range(begin, min(begin + 20_000, MUTATED_LINES)))
        assert_same(b"\n".join(many), compiled=compiled)


@given(st.lists(st.binary(max_size=60), max_size=12), st.integers(1, 64))
def test_any_octets_in_blocks_of_any_size_are_as_the_grammar_says(pieces: list[bytes], block_bytes: int) -> None:
    """Half lines at the ends of blocks, empty lines, lines longer than a block."""
    octets = b"\n".join(piece if number % 2 else b"new msg %d" % number for number, piece in enumerate(pieces))
    assert_same(octets, compiled=False, block_bytes=block_bytes)


@pytest.mark.parametrize("compiled", WAYS)
@pytest.mark.parametrize("block_bytes", [1000, 65_536, 1 << 22])
def test_lines_of_any_length_keep_their_place(block_bytes: int, compiled: bool) -> None:
    """Of an over-long line the first 64 KiB are kept and the length is known; the next line is at its place."""
    long = [b"info: ".ljust(size, b"x") for size in (MAX_LINE_BYTES, MAX_LINE_BYTES + 1, 300_000)]
    octets = b"new msg 1\n" + b"".join(line + b"\nnew msg 2\n" for line in long) + b"x" * 70_000
    assert_same(octets, compiled=compiled, block_bytes=block_bytes)
    blocks = list(read_blocks(octets, compiled=compiled, block_bytes=block_bytes))
    assert [line for block in blocks for line in map(block.line, range(len(block)))] == [
        line[:MAX_LINE_BYTES] for line in octets.split(b"\n")
    ]


def test_more_queues_than_the_kernel_can_name_are_read_all_the_same() -> None:
    """Their lines are the grammar's."""
    octets = b"".join(b"new msg %d queue%d\n" % (number, number) for number in range(600))
    assert_same(octets, compiled=False)


@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_read_at_once_come_in_order(recorded: Callable[[str], bytes], threads: int) -> None:
    """Queues, runs and positions are those of one block."""
    octets = recorded("logs/qscheduler-static-3queues.tai64n.log.gz")
    assert_same(octets, compiled=False, block_bytes=50_000, threads=threads)
    positions = [block.first_position for block in read_blocks(octets, block_bytes=50_000, threads=threads)]
    assert positions == sorted(set(positions))


def test_the_events_of_a_block_are_the_grammars(recorded: Callable[[str], bytes]) -> None:
    """For those who want values: each line read anew, with its run."""
    octets = recorded("logs/send-odd-lines-queue1.tai64n.log.gz")
    (block,) = read_blocks(octets)
    assert list(block.events()) == list(read_events(octets))


@pytest.mark.parametrize("compiled", WAYS)
def test_local_stamps_are_read_by_the_kernel_and_moved_by_the_offset(
    recorded: Callable[[str], bytes], compiled: bool
) -> None:
    """A log through tai64nlocal: the grammar reads no more of it than of the log itself, and says the same."""
    lines = recorded("logs/send-odd-lines-queue1.tai64n.log.gz").splitlines()
    stamps = [datetime(2024, 1, 1) + timedelta(hours=7, seconds=7 * number) for number in range(len(lines))]  # noqa: DTZ001  # local
    local = b"".join(
        f"{stamp:%Y-%m-%d %H:%M:%S}.{number:09}".encode() + line[25:] + b"\n"
        for number, (stamp, line) in enumerate(zip(stamps, lines, strict=True))
    )
    assert_same(local, compiled=compiled, utc_offset_s=19_800)
    (block,) = read_blocks(local, compiled=compiled, utc_offset_s=19_800)
    (plain,) = read_blocks(b"\n".join(lines) + b"\n", compiled=compiled)
    assert (len(block.others), list(block.events())) == (
        len(plain.others),
        list(read_events(local, utc_offset_s=19_800)),
    )
