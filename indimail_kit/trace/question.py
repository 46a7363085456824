"""A question as a person types it: "660188", "qp 6543", "bob@example.com, 2026-11-22 14:12".

Rule 1: what is no question is said so; nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from indimail_kit.errors import TraceError
from indimail_kit.trace.clocks import WITHIN_S, parse_moment
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.trace.story import Trace
    from indimail_kit.trace.tracer import Tracer

MAX_CHARACTERS: Final = 1000
"""Longest question (unit: characters)."""

_WHEN: Final = re.compile(r"(.*),\s*([0-9]{4}-[0-9]{2}-[0-9]{2}[^,±]*?)\s*(?:±\s*([0-9]{1,7})\s*s)?", re.DOTALL)
_NUMBER: Final = re.compile(
    r"(?:(?:message|msg)\s+)?([1-9][0-9]{0,18})(?:\s+in\s+([A-Za-z0-9_.-]{1,64}))?(?:\s+life\s+([1-9][0-9]{0,8}))?"
)
_QP: Final = re.compile(r"qp\s*([1-9][0-9]{0,18})", re.IGNORECASE)
_EXPECTED: Final = 'a message number as in "660188", a qp as in "qp 6543", or an address; a time may follow a comma'


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: by number, by qp, or by address; one of the three is there.

    Attributes:
        message_number: Number in the queue.
        qp: Long-term queue identifier.
        address: Envelope sender or recipient.
        queue: Name of the queue, for a number.
        lifetime: Which life of the number.
        at_ns: When it was (unit: ns since 1970).
        within_s: How far from that it may have been (unit: s).
    """

    message_number: int | None = None
    qp: int | None = None
    address: str = ""
    queue: str = ""
    lifetime: int | None = None
    at_ns: int | None = None
    within_s: float = WITHIN_S

    def ask(self, tracer: Tracer) -> Trace:
        """Return what a tracer tells.

        Raises:
            TraceError: Nothing tells of such a message.
        """
        if self.qp is not None:
            return tracer.qp(self.qp, at_ns=self.at_ns, within_s=self.within_s)
        if self.message_number is None:
            return tracer.address(self.address, at_ns=self.at_ns, within_s=self.within_s)
        return tracer.message(
            self.message_number, queue=self.queue, lifetime=self.lifetime, at_ns=self.at_ns, within_s=self.within_s
        )


def parse_question(text: str) -> Question:
    """Read a question.

    Args:
        text: A number ("660188", "660188 in queue2", "660188 in queue2 life 3"), "qp 6543", or an address; then, if it
            is known when, a comma and a time, in UTC if it names no zone, and how far off that may be: "± 60 s".

    Raises:
        TraceError: It is no question.

    Example:
        >>> asked = parse_question("qp 6543, 2026-11-22T14:12 ± 60 s")
        >>> asked.qp, asked.at_ns, asked.within_s
        (6543, 1795356720000000000, 60)
    """
    asked = text.strip()
    if len(asked) > MAX_CHARACTERS:
        raise TraceError(f"a question of {len(asked):,} characters; at most {MAX_CHARACTERS:,}")
    timed = _WHEN.fullmatch(asked)
    what, when = (asked, None) if timed is None else (timed[1].strip(), timed[2])
    at_ns = None if when is None else parse_moment(when)
    within_s = WITHIN_S if timed is None or timed[3] is None else int(timed[3])
    if found := _QP.fullmatch(what):
        return Question(qp=int(found[1]), at_ns=at_ns, within_s=within_s)
    if found := _NUMBER.fullmatch(what):
        life = None if found[3] is None else int(found[3])
        return Question(
            message_number=int(found[1]), queue=found[2] or "", lifetime=life, at_ns=at_ns, within_s=within_s
        )
    if "@" not in what:
        raise TraceError(f'"{visible(asked)}" is no question: {_EXPECTED}' if asked else _EXPECTED)
    return Question(address=what, at_ns=at_ns, within_s=within_s)
