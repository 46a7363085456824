"""What the program matchup(1) prints of a log, octet for octet, and what it hands to its next run.

Source: IndiMail matchup.c; the recorded `logs/*.matchup.gz` and `*.matchup-pending`; qmailanalog's scripts read it.

Deviation:
    matchup keys messages by their number alone and never notices a restart; here they are known by queue, lifetime and
    run, so that a log in which numbers of two queues collide gives the right rows instead of its mixture. The open
    deliveries that are handed on carry their queue's name. Lines that no recorded log has ("running", "exiting",
    "warning:") are printed as qmailanalog's description says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs import join_codes as joins
from indimail_kit.logs import kernel_codes as codes
from indimail_kit.logs.ahead import work_ahead
from indimail_kit.logs.blocks import Source
from indimail_kit.logs.columns import EventBlock
from indimail_kit.logs.engine import read_blocks
from indimail_kit.logs.event import Event
from indimail_kit.logs.join import JoinedBlock, Joiner
from indimail_kit.logs.matchup import Matched, match_joined
from indimail_kit.logs.speed import kernels
from indimail_kit.logs.text_kernel import AS_IS, QUESTION, ROW_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KERNEL: Final = "indimail_kit.logs.text_kernel"
"""Module of the kernel that writes."""

_SILENT: Final = frozenset(
    {
        "status", "new_msg", "info_msg", "starting_delivery", "delivery", "delivery_mangled", "end_msg",
        "todo_recipient", "extra", "signal", "scheduler_start", "scheduler_signal", "scheduler_exit",
    }
)  # fmt: skip
"""Kinds of lines that matchup understands, or drops, without printing them."""


def way_of(event: Event) -> int:
    """Return how matchup prints a line itself: 0 not at all, QUESTION, or AS_IS."""
    if event.kind in _SILENT or event.text in (b"running", b"exiting"):
        return 0
    if event.kind == "todo_file":
        return QUESTION if event.program != "todo-proc" else 0
    if event.kind == "scheduler_queue":
        return 0 if event.octets("queue_change") == b"started" else QUESTION
    return AS_IS if event.text.startswith((b"alert:", b"warning:")) else QUESTION


class MatchupPrinter:
    """The text of a log: `feed` each block, then `finish`, and then `pending`.

    Attributes:
        left_over: What was still open at the end.
    """

    def __init__(self) -> None:
        self._joiner = Joiner()
        self.left_over = Matched((), ())

    def feed(self, block: EventBlock) -> memoryview:
        """Return the text that the lines of a block lead to."""
        return self.work(block)()

    def work(self, block: EventBlock) -> Callable[[], memoryview]:
        """Join the lines of a block, and return what remains to be done for its text, in any thread."""
        import numpy as np

        if not block.is_whole:  # matchup never reads a last line without an end
            block = replace(block, table=block.table[:-1])
        ways = np.zeros(len(block), dtype=np.int64)
        ways[block.kind == codes.BOUNCE_MSG] = QUESTION
        for row, event in block.others.items():
            if row < len(ways):
                ways[row] = way_of(event)
        return _text_work(self._joiner.feed(block), block, ways)

    def finish(self) -> None:
        """Take what is still open."""
        self.left_over = match_joined([self._joiner.finish()])

    def pending(self) -> Iterator[bytes]:
        """Yield the lines that a next run begins with, as matchup writes them to its descriptor 5."""
        for message in self.left_over.open_messages:
            if message.sender is not None:
                begin = b"%s %%s msg %d" % (_seconds(message.queued_ns), message.message_number)
                info = b"bytes %d from <%s> qp %d uid %d" % (
                    message.message_bytes or 0, message.sender.lower(), message.qp or 0, message.uid or 0,
                )  # fmt: skip
                yield begin % b"info" + b": " + info + b"\n"
                counts = (message.message_number, message.successes, message.deferrals, message.failures)
                yield b"%s extra %d %d %d %d\n" % (_seconds(message.queued_ns), *counts)
        for delivery in self.left_over.open_deliveries:
            yield b"%s starting delivery %d: msg %d to %s %s%s\n" % (
                _seconds(delivery.started_ns), delivery.delivery_number, delivery.message_number or 0,
                (delivery.channel or "local").encode(), (delivery.recipient or b"").lower(),
                b" " + delivery.queue.encode() if delivery.queue else b"",
            )  # fmt: skip


def _seconds(unix_ns: int | None) -> bytes:
    return b"%d.%09d" % divmod(unix_ns or 0, 10**9)


def _text_work(joined: JoinedBlock, block: EventBlock, ways: NDArray[np.int64]) -> Callable[[], memoryview]:
    """Return what writes the rows that a block finished, with the lines that are printed in between."""
    import numpy as np

    rows = np.flatnonzero(ways)
    lines = block.table[rows, codes.START : codes.END + 1] + len(joined.carry)
    size = int((lines[:, 1] - lines[:, 0] + 3).sum()) + ROW_BYTES * (len(joined.deliveries) + len(joined.messages))
    for table, column in (
        (joined.deliveries, joins.D_RECIPIENT),
        (joined.deliveries, joins.D_REPORT),
        (joined.deliveries, joins.D_SENDER),
        (joined.messages, joins.M_SENDER),
    ):
        size += int((table[:, column + 1] - table[:, column]).sum())
    ways, positions = ways[rows], rows + block.first_position
    put_rows = kernels(KERNEL, compiled=block.is_compiled).put_rows
    # The room is made here and not where it is filled, as that of `engine.new_table`.
    out: Any
    arguments: tuple[Any, ...]
    if block.is_compiled:
        out = np.empty(size, dtype=np.uint8)
        carry, octets = (np.frombuffer(one, dtype=np.uint8) for one in (joined.carry, block.octets))
        arguments = joined.deliveries, joined.messages, carry, octets, lines, ways, positions
    else:
        out = bytearray(size)
        tables = joined.deliveries.tolist(), joined.messages.tolist()
        arguments = *tables, joined.carry, bytes(block.octets), *(one.tolist() for one in (lines, ways, positions))
    return lambda: memoryview(out)[: put_rows(*arguments, out)]


def matchup_text(
    *sources: Source, pending_in: Source | None = None, threads: int = 1, printer: MatchupPrinter | None = None
) -> Iterator[memoryview]:
    r"""Yield what matchup prints of logs.

    Args:
        sources: As for `read_blocks`.
        pending_in: What an earlier run left over.
        threads: As for `read_blocks`.
        printer: Where to ask for what is left over afterwards.

    Raises:
        FormatError: As `read_blocks`.
        MissingPartError: As `read_blocks`.
        OSError: As `read_blocks`.

    Example:
        >>> log = b"1.000000000 info msg 5: bytes 9 from <A@b> qp 7 uid 0\n2.500000000 end msg 5\n2.500000000 so?\n"
        >>> print(b"".join(matchup_text(log)).decode(), end="")
        m 1.000000000 2.500000000 9 0 0 0 <a@b> 7 0
        ? 2.500000000 so?
    """
    printer = printer or MatchupPrinter()
    before = () if pending_in is None else (pending_in,)
    yield from work_ahead(map(printer.work, read_blocks(*before, *sources, threads=threads)), min(threads, 2))
    printer.finish()
