"""The runs of qmail-send, counted over the rows of a block: see `engine.RunCounter`, which says it for single events.

Rule 1: as in `kernel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs.kernel_codes import DELIVERY, KIND, QUEUE, RUN, SEND_START, STARTING, TO_COUNT

if TYPE_CHECKING:
    Table = Any  # array of int64, one row a line, with the columns of `kernel_codes`


def count_runs(table: Table, runs: Any) -> None:
    """Fill the column RUN of the rows where it is TO_COUNT.

    Args:
        table: Rows of a block.
        runs: For each queue: runs that began so far, and number of the last delivery started in this run.
    """
    for index in range(len(table)):
        row = table[index]
        if row[RUN] != TO_COUNT:
            continue
        queue = row[QUEUE]
        is_starting = row[KIND] == STARTING
        if row[KIND] == SEND_START or (is_starting and row[DELIVERY] <= runs[queue, 1]):
            runs[queue, 0] += 1
            runs[queue, 1] = 0
        if is_starting:
            runs[queue, 1] = row[DELIVERY]
        row[RUN] = runs[queue, 0]


KERNELS: Final = (count_runs,)
"""What is compiled."""
