"""Blocks of columns -> deliveries and messages as columns, with only the open rows carried from block to block.

Rule 1: one join: `matchup.match`, `log.Log` and the command `logs matchup` all go through here.
Rule 2: one block, one answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs import join_codes as codes
from indimail_kit.logs.columns import MANGLED_REPORT, EventBlock
from indimail_kit.logs.speed import kernels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KERNEL: Final = "indimail_kit.logs.join_carry"
"""Module whose kernels join."""


_SPARE_ROWS: Final = 4096
"""Rows that may be finished, besides as many as are open, before the open ones are moved together."""


@dataclass(frozen=True, slots=True)
class JoinedBlock:
    """Deliveries and messages that were finished by the lines of a block, in the order in which they ended.

    Attributes:
        deliveries: int64, shape (deliveries, `join_codes.D_COLUMNS`).
        messages: int64, shape (messages, `join_codes.M_COLUMNS`).
        carry: Texts of older blocks; a span is a position in these and the block's octets behind them.
        octets: The block.
        queues: Code of a queue -> its name.
    """

    deliveries: NDArray[np.int64] = field(repr=False)
    messages: NDArray[np.int64] = field(repr=False)
    carry: bytes = field(repr=False)
    octets: memoryview = field(repr=False)
    queues: Sequence[str]

    def octets_of(self, rows: NDArray[np.int64], column: int) -> list[bytes | None]:
        """Return the texts of a span column of deliveries or messages; None is null."""
        texts = self.carry + bytes(self.octets) if len(rows) else b""
        return [texts[start:end] if start >= 0 else None for start, end in rows[:, column : column + 2].tolist()]

    def reports(self) -> list[bytes | None]:
        """Return the reports of the deliveries; None without an end."""
        reports = self.octets_of(self.deliveries, codes.D_REPORT)
        outcomes = self.deliveries[:, codes.D_OUTCOME].tolist()
        return [
            MANGLED_REPORT if report is None and outcome >= 0 else report
            for report, outcome in zip(reports, outcomes, strict=True)
        ]


class Joiner:
    r"""The join of a log, block by block: `feed` each block, then `finish`.

    Example:
        >>> from indimail_kit.logs.engine import read_blocks
        >>> joiner = Joiner()
        >>> (block,) = read_blocks(b"new msg 5\nend msg 5\n")
        >>> len(joiner.feed(block).messages), len(joiner.finish().messages)
        (1, 0)
    """

    def __init__(self) -> None:
        self._compiled = False  # as the first block says
        self._store: codes.Store | None = None
        self._row_limit = _SPARE_ROWS
        self._queues: Sequence[str] = ("",)

    def feed(self, block: EventBlock) -> JoinedBlock:
        """Take in the lines of a block and return what was finished by them."""
        if self._store is None:
            self._compiled = block.is_compiled
        self._queues = block.queues
        kernel = kernels(KERNEL, compiled=self._compiled)
        store, has_new_slots = self._prepared(len(block), block.octets)
        table = block.table if self._compiled else block.table.tolist()
        addition = self._octets(len(block.octets))
        carry_bytes = kernel.take_in(store, table, block.first_position, has_new_slots, addition)
        joined = self._taken(store, block.octets)
        store = store._replace(carry=self._joined_octets(store.carry, addition[:carry_bytes]))
        if int(store.counts[codes.LIVES] + store.counts[codes.ATTEMPTS]) > self._row_limit:
            carry = self._octets(len(store.carry))
            store = store._replace(carry=carry[: kernel.move_together(store, carry)])
            self._row_limit = 2 * int(store.counts[codes.LIVES] + store.counts[codes.ATTEMPTS]) + _SPARE_ROWS
        self._store = store
        return joined

    def finish(self) -> JoinedBlock:
        """Return what is still open; the joiner is empty then."""
        kernel = kernels(KERNEL, compiled=self._compiled)
        store, _ = self._prepared(0, memoryview(b""))
        kernel.give_rest(store)
        self._store = None
        return self._taken(store, memoryview(b""))

    def _joined_octets(self, octets: Any, addition: Any) -> Any:
        if not self._compiled:
            return octets + bytes(addition)
        import numpy as np

        return np.concatenate((octets, addition))

    def _octets(self, size: int) -> Any:
        if not self._compiled:
            return bytearray(size)
        import numpy as np

        return np.empty(size, dtype=np.uint8)

    def _grid(self, rows: int, columns: int, old: Any = None, used: int = 0) -> Any:
        """Return room for rows, the first of which are the old ones."""
        if old is not None and rows <= len(old):
            return old
        rows += rows // 4  # so that growing is rare
        if not self._compiled:
            kept = old[:used] if old is not None else []
            return kept + [[-1] * columns for _ in range(rows - used)]
        import numpy as np

        grid = np.full((rows, columns), -1, dtype=np.int64)
        if old is not None:
            grid[:used] = old[:used]
        return grid

    def __getstate__(self) -> dict[str, Any]:
        """Return the open rows and nothing else, so that a joiner goes to another process between two blocks."""
        store = self._store
        if store is not None:
            counts = store.counts
            store = store._replace(
                lives=store.lives[: counts[codes.LIVES]], attempts=store.attempts[: counts[codes.ATTEMPTS]],
                keys=store.keys[: counts[codes.KEYS]], key_slots=store.key_slots[:0],
                attempt_slots=store.attempt_slots[:0], octets=store.octets[:0], deliveries=store.deliveries[:0],
                messages=store.messages[:0],
            )  # fmt: skip
        return {**self.__dict__, "_store": store, "_queues": list(self._queues)}

    def _slots(self, count: int, old: Any = None) -> Any:
        """Return an empty hash table with room for so many rows."""
        if self._compiled and old is not None and len(old) >= 2 * count:
            old.fill(-1)
            return old
        size = 1 << max(4, (2 * count).bit_length())
        if not self._compiled:
            return [-1] * size
        import numpy as np

        return np.full(size, -1, dtype=np.int64)

    def _prepared(self, lines: int, octets: memoryview) -> tuple[codes.Store, int]:
        """Return the store with room for a block, and 1 if its hash table of keys is new and empty, else 0."""
        import numpy as np

        old = self._store
        counts = old.counts if old else [0] * codes.COUNTS
        if self._compiled and not old:
            counts = np.zeros(codes.COUNTS, dtype=np.int64)
        lives, attempts, keys = (int(counts[index]) + lines for index in (codes.LIVES, codes.ATTEMPTS, codes.KEYS))
        is_full = old is None or len(old.key_slots) < 2 * keys
        store = codes.Store(
            counts=counts,
            lives=self._grid(lives, codes.L_COLUMNS, old and old.lives, counts[codes.LIVES]),
            attempts=self._grid(attempts, codes.A_COLUMNS, old and old.attempts, counts[codes.ATTEMPTS]),
            keys=self._grid(keys, codes.K_COLUMNS, old and old.keys, counts[codes.KEYS]),
            key_slots=self._slots(2 * keys) if is_full else old.key_slots,  # type: ignore[union-attr]  # is_full
            attempt_slots=self._slots(attempts, old and old.attempt_slots),
            queues=self._grid(len(self._queues), codes.Q_COLUMNS, old and old.queues, len(old.queues) if old else 0),
            carry=old.carry if old else (self._octets(0) if self._compiled else b""),
            octets=np.frombuffer(octets, dtype=np.uint8) if self._compiled else bytes(octets),
            deliveries=self._grid(attempts, codes.D_COLUMNS, old and old.deliveries),
            messages=self._grid(lives, codes.M_COLUMNS, old and old.messages),
        )
        for row in store.queues[len(old.queues) if old else 0 :]:
            row[codes.Q_OPEN] = 0
        return store, int(is_full)

    def _taken(self, store: codes.Store, octets: memoryview) -> JoinedBlock:
        """Return what was finished, and make room."""
        import numpy as np

        deliveries, messages = int(store.counts[codes.DELIVERIES]), int(store.counts[codes.MESSAGES])
        store.counts[codes.DELIVERIES] = store.counts[codes.MESSAGES] = 0
        return JoinedBlock(
            np.array(store.deliveries[:deliveries], dtype=np.int64).reshape(deliveries, codes.D_COLUMNS),
            np.array(store.messages[:messages], dtype=np.int64).reshape(messages, codes.M_COLUMNS),
            bytes(store.carry),
            octets,
            self._queues,
        )


def join_blocks(blocks: Iterable[EventBlock]) -> Iterator[JoinedBlock]:
    """Yield the deliveries and messages of a log, in the order in which they ended; the open ones come last."""
    joiner = Joiner()
    for block in blocks:
        yield joiner.feed(block)
    yield joiner.finish()
