"""A tape: one enqueue or one delivery, step by step, with all that the queue holds after each step.

Source: qmail's INTERNALS sections 2 to 5.

Rule 1: values only. `recorder` makes tapes from the real code, `crash` asks what a crash behind a step leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import BUG
from indimail_kit.mailqueue import durability
from indimail_kit.mailqueue.durability import Durable as Durable
from indimail_kit.mailqueue.image import FileImage as FileImage
from indimail_kit.mailqueue.image import QueueImage as QueueImage
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.wiring import html_of

EXIT: Final = "exit"
"""Call of the step in which the caller gets its answer."""


@dataclass(frozen=True, slots=True)
class TapeStep:
    """One step that has been done, and what is there after it.

    Attributes:
        number: 1, 2, … in the tape.
        call: As `values.Step`; "exit" when the caller gets its answer.
        path: File or directory relative to the queue; that of a mailbox begins with its address; "" for "exit".
        message_number: Number of the message that the step is about, 0 while it has none.
        text: One sentence for a person.
        image: What is there after it.
        acknowledged: Whether the client has its 250.
    """

    number: int
    call: str
    path: str
    message_number: int
    text: str
    image: QueueImage = field(repr=False)
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class Tape:
    """The steps of one enqueue or delivery.

    Attributes:
        title: What was recorded.
        layout: The queue.
        before: What was there before the first step; all of it counts as on the disk.
        steps: The steps, in order.
        message_number: The message that it is about; 0 when it never got a number.
        exit_code: qmail-queue's answer, 0 for a delivery.
        outcomes: Address of a mailbox, or recipient -> "success", "failure" or "deferral" in this recording; who was
            not tried is missing.
        forms: Recipient as in todo, local or remote -> the address that he has in `outcomes` and among the mailboxes,
            where that is another.
    """

    title: str
    layout: QueueLayout
    before: QueueImage = field(repr=False)
    steps: tuple[TapeStep, ...] = field(repr=False)
    message_number: int
    exit_code: int = 0
    outcomes: Mapping[bytes, str] = field(default_factory=dict, repr=False)
    forms: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.steps)

    def _repr_html_(self) -> str:
        """Return the repr, escaped; for a notebook."""
        return html_of(self)

    def is_failing(self, recipient: bytes) -> bool:
        """Say whether the delivery to a recipient fails for good, so that the sender is told."""
        return self.outcomes.get(self.forms.get(recipient, recipient)) == "failure"

    def is_delivered(self, recipient: bytes) -> bool:
        """Say whether the delivery to a recipient succeeds."""
        return self.outcomes.get(self.forms.get(recipient, recipient)) == "success"

    def image(self, number: int) -> QueueImage:
        """Return what is there after a step; 0 is before the first.

        Raises:
            QueueError: No such step.
        """
        return self.steps[self._checked(number) - 1].image if number else self.before

    def acknowledged(self, number: int) -> bool:
        """Say whether the client has its 250 after a step; 0 is before the first.

        Raises:
            QueueError: No such step.
        """
        if self._checked(number) == 0:
            return bool(self.steps) and self.steps[0].acknowledged and self.steps[0].call != EXIT
        return self.steps[number - 1].acknowledged

    def state(self, number: int, message_number: int | None = None) -> QueueState | None:
        """Return the state of the message after a step; None when no state has its files.

        Args:
            number: The step; 0 is before the first.
            message_number: Another message of the tape, for example a bounce.

        Raises:
            QueueError: No such step.
        """
        wanted = self.message_number if message_number is None else message_number
        return self.image(number).state(self.layout, wanted) if wanted else QueueState.S1

    def durable(self, number: int) -> Durable:
        """Return what is on the disk for sure after a step, on every file system.

        Raises:
            QueueError: No such step.
        """
        return durability.durable(self.before, self.steps[: self._checked(number)])

    def _checked(self, number: int) -> int:
        """Return the number of a step, or raise."""
        if not 0 <= number <= len(self.steps):
            raise QueueError(f"a step between 0 and {len(self.steps)}, not {number}", exit_code=BUG)
        return number
