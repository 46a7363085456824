"""Which messages and deliveries of a joined block say something of a moment: more than needed, never less.

Source: `questions_logs_time.queue_at`, whose answer is the same of what is chosen here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs import join_codes as joins
from indimail_kit.logs.kernel_codes import NO_TIME

if TYPE_CHECKING:
    import numpy as np

    from indimail_kit.logs.join import JoinedBlock

    Array = np.ndarray[Any, Any]

MESSAGE_LIFE: Final = (joins.M_QUEUE, joins.M_NUMBER, joins.M_LIFETIME)
"""Columns of a message that name its life."""

DELIVERY_LIFE: Final = (joins.D_QUEUE, joins.D_MESSAGE, joins.D_LIFETIME)
"""Columns of a delivery that name its message's life."""

_FACTORS: Final = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def lives_of(rows: Array, columns: tuple[int, int, int]) -> Array:
    """Return a number for each row's life: equal for equal lives, and almost never else."""
    import numpy as np

    mixed = np.zeros(len(rows), dtype=np.uint64)
    for column, factor in zip(columns, _FACTORS, strict=True):
        mixed ^= rows[:, column].astype(np.uint64) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def lost_numbers(joined: JoinedBlock) -> Array:
    """Return the numbers of the messages whose end was lost: they are there until the number is used again."""
    rows = joined.messages
    numbers: Array = rows[(rows[:, joins.M_END_EVENT] < 0) & (rows[:, joins.M_IS_OPEN] == 0), joins.M_NUMBER]
    return numbers


def may_be_there(joined: JoinedBlock, unix_ns: int, lost: Array) -> Array:
    """Return the messages that may have been in the queue at a moment, and all lives of the numbers that were lost."""
    import numpy as np

    rows = joined.messages
    ended = rows[:, joins.M_ENDED]
    is_there = (rows[:, joins.M_QUEUED] <= unix_ns) & ~((ended != NO_TIME) & (ended <= unix_ns))
    chosen: Array = rows[is_there | np.isin(rows[:, joins.M_NUMBER], lost)]
    return chosen


def deliveries_of(joined: JoinedBlock, lives: Array) -> JoinedBlock:
    """Return the block with only the deliveries of these lives."""
    import numpy as np

    return replace(joined, deliveries=joined.deliveries[np.isin(lives_of(joined.deliveries, DELIVERY_LIFE), lives)])
