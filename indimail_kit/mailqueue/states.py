"""Where a message stands in the queue: S1 … S5, proved by the files that exist.

Source: indimail-mta-internals(7) section 2 = qmail's INTERNALS: "Here are all possible states for a message. + means a
file exists; - means it does not exist; ? means it may or may not exist."

Note for maintainers: the allowed steps are S1 -> S2 -> S3 -> S4 (qmail-queue), S4 -> S5 (todo-proc), S5 -> S1
(qmail-send, qmail-clean), and S2, S3 -> S1 (qmail-clean, after 36 hours).
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import BUG
from indimail_kit.mailqueue.layout import KINDS


class QueueState(Enum):
    """The five states of a message; the value is what to say about it."""

    S1 = "not in the queue"
    S2 = "the message is being written"
    S3 = "the envelope is being written"
    S4 = "queued"
    S5 = "preprocessed"


PATTERNS: Final = {
    QueueState.S1: "-------",
    QueueState.S2: "+------",
    QueueState.S3: "++-----",
    QueueState.S4: "+?+???-",
    QueueState.S5: "+--+???",
}
"""State -> one character per kind, in the order of KINDS: + must exist, - must not, ? may."""

OSSIFIED_S: Final = 129600
"""Age at which qmail-clean removes a message that stayed in S2 or S3 (unit: s). Source: qmail-clean.c, qmail-send.c."""


def state_of(kinds: Collection[str]) -> QueueState:
    """Tell the state that a set of files proves.

    Args:
        kinds: Kinds of the files that exist for one message number, out of KINDS.

    Raises:
        QueueError: No state has these files: a broken queue, or a step that happened between two looks.

    Example:
        >>> state_of({"mess", "intd", "todo"}).name
        'S4'
    """
    present = frozenset(kinds)
    if present <= frozenset(KINDS):
        for state, pattern in PATTERNS.items():
            if all(
                sign == "?" or (sign == "+") == (kind in present) for kind, sign in zip(KINDS, pattern, strict=True)
            ):
                return state
    raise QueueError(f"no state has the files {sorted(present)}", exit_code=BUG)
