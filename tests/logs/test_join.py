"""The join over blocks: what is open is carried, whatever the blocks, compiled or not. Its rules: test_matchup."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indimail_kit.logs.engine import read_blocks, read_events
from indimail_kit.logs.join import Joiner, join_blocks
from indimail_kit.logs.matchup import Matched, match, match_joined
from indimail_kit.logs.speed import has_compiler

RECORDED = Path(__file__).parents[1] / "data" / "indimail" / "logs"
SEND_LOGS = sorted(path for path in RECORDED.glob("*.log.gz"))
WAYS = [
    pytest.param(False, id="as it is"),
    pytest.param(True, id="compiled", marks=pytest.mark.skipif(not has_compiler(), reason="needs the extra logs")),
]
LINES = st.sampled_from(
    [
        b"new msg %(n)d%(q)s",
        b"info msg %(n)d: bytes 1 from <a%(n)d@x> qp 1 uid 0%(q)s",
        b"local: a@x b@x %(n)d 1 bytes%(q)s",
        b"starting delivery %(d)d: msg %(n)d to local b%(d)d@x%(q)s",
        b"delivery %(d)d: success: ok/%(q)s",
        b"delivery %(d)d: report mangled, will defer:%(q)s",
        b"delivery %(d)d: deferral: later/%(q)s",
        b"end msg %(n)d",
        b"end msg %(n)d qmail-send: queue1",
        b"bounce msg %(n)d qp 3%(q)s",
        b"extra %(n)d 1 2 3",
        b"running",
        b"info: qmail-send: pid 5 queue1 exiting",
        b"info: qscheduler: pid 1 exiting",
        b"info: qscheduler: pid 1, queue /q/queue2 died",
        b"what?",
    ]
)
LOGS = st.lists(
    st.builds(
        lambda line, n, d, q: line % {b"n": n, b"d": d, b"q": q} if b"%" in line else line,
        LINES, st.integers(1, 3), st.integers(1, 4), st.sampled_from([b"", b" queue1", b" queue2"]),
    ),
    max_size=40,
)  # fmt: skip


def joined(source: bytes | Path, *, compiled: bool, block_bytes: int = 1 << 20) -> Matched:
    """Return what the join says, as values."""
    return match_joined(join_blocks(read_blocks(source, compiled=compiled, block_bytes=block_bytes)))


@pytest.mark.parametrize("compiled", WAYS)
@pytest.mark.parametrize("block_bytes", [1 << 20, 4000, 100])
@pytest.mark.parametrize("path", SEND_LOGS, ids=lambda path: path.name)
def test_blocks_of_any_size_give_the_same_rows(path: Path, block_bytes: int, compiled: bool) -> None:
    """Open messages and deliveries are carried with their texts."""
    assert joined(path, compiled=compiled, block_bytes=block_bytes) == match(read_events(path))


@settings(max_examples=300)
@given(LOGS, st.integers(1, 80))
def test_broken_logs_give_the_same_rows_in_blocks_of_any_size(lines: list[bytes], block_bytes: int) -> None:
    """Numbers used again, restarts, lost starts and ends, nameless lives that a queue takes over."""
    octets = b"\n".join(lines)
    assert joined(octets, compiled=False, block_bytes=block_bytes) == match(read_events(octets))


@pytest.mark.skipif(not has_compiler(), reason="needs the extra logs")
@settings(max_examples=300)
@given(LOGS)
def test_compiled_and_not_the_join_says_the_same(lines: list[bytes]) -> None:
    """One text of the kernels, two ways to run it."""
    octets = b"\n".join(lines)
    assert joined(octets, compiled=True) == joined(octets, compiled=False)


@pytest.mark.parametrize("compiled", WAYS)
def test_rows_are_given_out_when_they_end(compiled: bool) -> None:
    """A reader of a stream need not wait for the end of the log, and memory holds what is open."""
    blocks = read_blocks(
        b"new msg 5\nstarting delivery 1: msg 5 to local a@x\ndelivery 1: success: ok/\nend msg 5\nnew msg 6\n",
        compiled=compiled, block_bytes=70,
    )  # fmt: skip
    joiner = Joiner()
    done = [joiner.feed(block) for block in blocks]
    assert sum(len(one.deliveries) + len(one.messages) for one in done) == 2
    rest = joiner.finish()
    assert (len(rest.deliveries), len(rest.messages)) == (0, 1)


@pytest.mark.parametrize("compiled", WAYS)
def test_a_long_text_is_kept_once_however_many_rows_have_it(compiled: bool) -> None:
    """A hostile log: 200 deliveries of a sender of 60,000 octets, all cut off at once, in a later block."""
    lines = [b"new msg 5", b"info msg 5: bytes 1 from <%s> qp 1 uid 0" % (b"x" * 60_000)]
    lines += [b"starting delivery %d: msg 5 to local a%d@x" % (number, number) for number in range(1, 201)]
    octets = b"\n".join([*lines, b"exiting", b"end msg 5", b""])
    answers = list(join_blocks(read_blocks(octets, compiled=compiled, block_bytes=5000)))
    assert max(len(one.carry) for one in answers) < 70_000
    matched = match_joined(answers)
    assert [one.recipient for one in matched.deliveries] == [b"a%d@x" % number for number in range(1, 201)]
    assert {(one.sender, one.is_open) for one in matched.deliveries} == {(b"x" * 60_000, False)}
    assert len(matched.messages) == 1


@pytest.mark.parametrize("compiled", WAYS)
def test_a_message_that_ends_before_its_delivery_waits_for_it(compiled: bool) -> None:
    """Its counts are not whole before; qmail-send never does so, a mixed log may."""
    matched = joined(
        b"new msg 5\nstarting delivery 1: msg 5 to local a@x\nend msg 5\nnew msg 6\ndelivery 1: failure: no/\n",
        compiled=compiled, block_bytes=60,
    )  # fmt: skip
    assert [(one.message_number, one.failures, one.is_open) for one in matched.messages] == [
        (5, 1, False),
        (6, 0, True),
    ]


def test_a_delivery_knows_of_its_message_what_was_said_before_it_ended() -> None:
    """So a row can be given out at once, and does not depend on where blocks end."""
    octets = (
        b"new msg 5\nstarting delivery 1: msg 5 to local a@x\n"
        b"delivery 1: success: ok/\ninfo msg 5: bytes 1 from <a@x> qp 1 uid 0\n"
    )
    (delivery,) = joined(octets, compiled=False).deliveries
    assert (delivery.sender, delivery.lifetime) == (None, 1)


def test_nothing_gives_nothing(events_of: Callable[..., list[object]]) -> None:
    """No block, an empty answer."""
    assert match_joined(join_blocks(())) == Matched((), ())
