"""The columns of deliveries and messages while they are joined: plain numbers, because compiled code reads them.

Rule 1: -1 is null, for times NO_TIME; a span is two columns, -1, -1 is null.
Rule 2: a text is a span of the carried octets and the block's behind them, and is never copied but to be carried.
Rule 3: the first columns of an open row are those of the finished one, so that finishing is copying.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

# A delivery: attributes of `matchup.Delivery`.
D_QUEUE: Final = 0
D_RUN: Final = 1
D_NUMBER: Final = 2
D_MESSAGE: Final = 3
D_LIFETIME: Final = 4
D_CHANNEL: Final = 5
D_BYTES: Final = 6
D_QP: Final = 7
D_UID: Final = 8
D_QUEUED: Final = 9
D_STARTED: Final = 10
D_ENDED: Final = 11
D_OUTCOME: Final = 12
D_IS_OPEN: Final = 13
D_START_EVENT: Final = 14
D_END_EVENT: Final = 15
D_RECIPIENT: Final = 16
D_REPORT: Final = 18
D_SENDER: Final = 20
D_COLUMNS: Final = 22
"""Number of columns of a finished delivery."""
A_LIFE: Final = 22
"""Row of its message among the lives, -1 without a start."""
A_NEXT: Final = 23
"""The delivery of the same queue that began before it, -1 for the first since the queue's last start."""
A_COLUMNS: Final = 24
"""Number of columns of an open delivery."""

# A message: attributes of `matchup.Message`.
M_QUEUE: Final = 0
M_NUMBER: Final = 1
M_LIFETIME: Final = 2
M_BYTES: Final = 3
M_QP: Final = 4
M_UID: Final = 5
M_RECIPIENTS: Final = 6
M_QUEUED: Final = 7
M_ENDED: Final = 8
M_COUNTS: Final = 9
"""Three columns in the order of `kernel_codes.OUTCOMES`."""
M_BOUNCE_QP: Final = 12
M_IS_OPEN: Final = 13
M_FIRST_EVENT: Final = 14
M_END_EVENT: Final = 15
M_SENDER: Final = 16
M_COLUMNS: Final = 18
"""Number of columns of a finished message."""
L_FROM_NEW: Final = 18
"""Whether it began with "new msg"."""
L_HAS_INFO: Final = 19
"""Whether it has its "info msg"."""
L_ATTEMPTS: Final = 20
"""Deliveries under way; the message is finished when it is closed and has none."""
L_IS_DONE: Final = 21
"""Whether it was given out."""
L_MOVED: Final = 22
"""Where it went when the open rows moved together."""
L_COLUMNS: Final = 23
"""Number of columns of an open message."""

# A key: a message number in a queue, for ever.
K_QUEUE: Final = 0
K_NUMBER: Final = 1
K_LIFETIMES: Final = 2
"""Lives so far."""
K_LIFE: Final = 3
"""Row of the open life, or -1."""
K_COLUMNS: Final = 4

# A queue.
Q_RUN: Final = 0
"""Run of its open deliveries."""
Q_LAST: Final = 1
"""The delivery that began last, or -1; the others follow by A_NEXT."""
Q_OPEN: Final = 2
"""Deliveries under way."""
Q_COLUMNS: Final = 3

# What is counted.
LIVES: Final = 0
ATTEMPTS: Final = 1
KEYS: Final = 2
NAMELESS: Final = 3
"""Keys of the queue without a name."""
DELIVERIES: Final = 4
MESSAGES: Final = 5
COUNTS: Final = 6


class Store(NamedTuple):
    """All that the join works on; arrays when compiled, lists and octets when not.

    Attributes:
        counts: How much is used of the others.
        lives: Open messages.
        attempts: Open deliveries.
        keys: Message numbers seen.
        key_slots: Hash table of the keys; -1 is free. Its size is a power of two, at least twice the keys.
        attempt_slots: Hash table of the open deliveries.
        queues: What is known of each queue.
        carry: Texts of the rows that were open before this block.
        octets: The block; a position in it is counted behind those of `carry`.
        deliveries: Finished deliveries.
        messages: Finished messages.
    """

    counts: Any
    lives: Any
    attempts: Any
    keys: Any
    key_slots: Any
    attempt_slots: Any
    queues: Any
    carry: Any
    octets: Any
    deliveries: Any
    messages: Any
