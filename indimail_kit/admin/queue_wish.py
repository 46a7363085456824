"""What an administrator may wish of queues, as plans: repair what is wrong, or hold, release, throw away, expire one.

Rule 1: planning reads and changes nothing.
Rule 2: what is refused, and which queues somebody works on, is told beside the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from indimail_kit.admin.plan import Plan, join
from indimail_kit.admin.queue_holder import find_holder, holder_text
from indimail_kit.admin.queue_messages import Refusal
from indimail_kit.admin.queue_plan import plan_expire, plan_hold, plan_queue_repair, plan_release, plan_trash
from indimail_kit.admin.queue_words import summary
from indimail_kit.counting import counted
from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import MESS_FILE
from indimail_kit.mailqueue.layout import QueueLayout, find_owners

Wish = Literal["repair", "hold", "release", "trash", "expire"]
"""What may be wished; all but "repair" are about one message."""

WISHES: Final[Mapping[Wish, str]] = {
    "repair": "repair what is wrong",
    "hold": "hold a message: out of qmail's sight, until it is released",
    "release": "release a held message",
    "trash": "throw a message away: nobody is told",
    "expire": "expire a message: one more try, then a bounce",
}
"""Wish -> what it means, for a person."""

_ONE: Final[Mapping[str, Callable[[QueueLayout, int], Plan]]] = {
    "hold": plan_hold,
    "release": plan_release,
    "trash": plan_trash,
}

_LONG: Final = 5
"""Steps that a person counts at a glance (unit: steps)."""


@dataclass(frozen=True, slots=True)
class QueueWish:
    """A plan for queues, with all that is to say about it.

    Attributes:
        plan: The steps.
        layouts: The queues that it changes.
        refused: What stays as it is, and why.
    """

    plan: Plan
    layouts: tuple[QueueLayout, ...]
    refused: tuple[Refusal, ...] = ()

    @property
    def summary(self) -> str:
        """Return what a long plan comes to, to be read just before the question; "" for a short one."""
        if len(self.plan) <= _LONG:
            return ""
        lasting = sum(bool(step.cannot_undo) for step in self.plan.steps)
        said = f"{counted(lasting, 'step')} cannot be undone" if lasting else "all of it can be undone"
        return f"In all {len(self.plan)} steps: {summary(step.deed for step in self.plan.steps)}; {said}."

    def holders(self) -> list[str]:
        """Return what to say of the queues that somebody holds now; nothing is done to them.

        Raises:
            MissingPartError: It cannot be told.
        """
        found = [(one.directory, find_holder(one.directory)) for one in self.layouts]
        return [holder_text(directory, pid) for directory, pid in found if pid is not None]


def plan_repairs(layouts: Iterable[QueueLayout], *, now_s: int) -> QueueWish:
    """Plan to repair what is wrong with queues, owners included where IndiMail's users exist.

    Args:
        layouts: The queues.
        now_s: Time (unit: s since 1970).

    Raises:
        QueueError: Exit code 61: a queue cannot be opened.
    """
    owners = find_owners() or None
    repairs = [plan_queue_repair(layout, now_s=now_s, owners=owners) for layout in layouts]
    title = repairs[0].plan.title if len(repairs) == 1 else f"Repair {len(repairs)} queues"
    refused = tuple(one for repair in repairs for one in repair.refused)
    changed = tuple(repair.layout for repair in repairs if repair.plan.steps)
    return QueueWish(join(title, (repair.plan for repair in repairs)), changed, refused)


def plan_wishes(layouts: Iterable[QueueLayout], message_number: int, *, wish: str, now_s: int) -> list[QueueWish]:
    """Plan a wish for one message: a plan for each of these queues that has it.

    Args:
        layouts: The queues.
        message_number: The message.
        wish: A name in WISHES that is about one message.
        now_s: Time (unit: s since 1970).

    Raises:
        QueueError: None of them has it, or it cannot be done.
    """
    if wish not in get_args(Wish) or wish == "repair":
        raise QueueError(f"no wish {wish} for a message", exit_code=MESS_FILE)
    found: list[QueueWish] = []
    problems: list[QueueError] = []
    for layout in layouts:
        try:
            is_expire = wish == "expire"
            plan = plan_expire(layout, message_number, now_s=now_s) if is_expire else _ONE[wish](layout, message_number)
            found.append(QueueWish(plan, (layout,)))
        except QueueError as error:
            problems.append(error)
    if not found:
        raise problems[0]
    return found
