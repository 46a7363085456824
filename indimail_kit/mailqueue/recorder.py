"""Record a tape: run the real code on a real queue, and take an image of the queue after each step that it tells.

Source: qmail's INTERNALS section 3; `values.Step`.

Note for maintainers: each file that was seen is kept open until the recording ends, so that its inode number is not
given again: within a tape a number is one file.

Rule 1: what is on the tape was done by `enqueue`, or by whatever deed is recorded; nothing is played.
Rule 2: mailqueue does not know delivery; a delivery is handed over as a deed, see `delivery.record_delivery`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from indimail_kit.envelope import Envelope
from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import OK
from indimail_kit.mailqueue.enqueue import enqueue
from indimail_kit.mailqueue.image import QueueImage, take_image
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.received import InvokedFrom
from indimail_kit.mailqueue.step_text import describe_step
from indimail_kit.mailqueue.tape import EXIT, Tape, TapeStep
from indimail_kit.mailqueue.values import SAFE, QueueScan, Step, SyncPolicy

Deed = Callable[[Callable[[Step], None]], None]
"""Something that tells its steps; it is called with the listener."""


class Recorder:
    """A listener that takes an image after each step.

    Attributes:
        before: What was there when the recording began.
        steps: The steps so far.
        message_number: The first message that a step was about.
    """

    def __init__(
        self,
        layout: QueueLayout,
        *,
        mailboxes: Mapping[str, Path] | None = None,
        message_number: int = 0,
        acknowledged: bool = False,
    ) -> None:
        """Begin a recording.

        Args:
            layout: The queue; a small one, see `image.take_image`.
            mailboxes: Address -> its Maildir, for a recording that delivers.
            message_number: The message that it will be about; by default that of the first step that has one.
            acknowledged: Whether the client has its 250 already.

        Raises:
            QueueError: The queue cannot be read, or is too large.
        """
        self._layout = layout
        self._mailboxes = dict(mailboxes or {})
        self._acknowledged = acknowledged
        self._held: dict[int, int] = {}
        self.steps: list[TapeStep] = []
        self.message_number = message_number
        self.before = self._take()

    def __call__(self, step: Step) -> None:
        """Add a step that has been done."""
        self.message_number = self.message_number or step.message_number
        path = self._relative(step.path)
        image = self._take()
        has_changed = image != self._last()
        self._add(step.call, path, step.message_number, describe_step(step.call, path, has_changed=has_changed), image)

    def answer(self, text: str, *, acknowledged: bool) -> None:
        """Add the step in which the caller gets its answer."""
        self._acknowledged = acknowledged
        self._add(EXIT, "", self.message_number, text, self._take())

    def tape(self, title: str, *, exit_code: int = OK) -> Tape:
        """End the recording."""
        self.close()
        return Tape(title, self._layout, self.before, tuple(self.steps), self.message_number, exit_code)

    def close(self) -> None:
        """Let go of the files."""
        while self._held:
            os.close(self._held.popitem()[1])

    def _add(self, call: str, path: str, message_number: int, text: str, image: QueueImage) -> None:
        number = len(self.steps) + 1
        self.steps.append(TapeStep(number, call, path, message_number, text, image, self._acknowledged))

    def _last(self) -> QueueImage:
        return self.steps[-1].image if self.steps else self.before

    def _take(self) -> QueueImage:
        """Take an image, and hold each new file."""
        image = take_image(self._layout, self._mailboxes)
        for path, file in image.names.items():
            if file.inode not in self._held:
                with suppress(OSError):  # gone already: somebody else works in this queue
                    self._held[file.inode] = os.open(self._place(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return image

    def _place(self, path: str) -> Path:
        """Return where a path of an image is."""
        address, _, below = path.partition("/")
        return self._mailboxes[address] / below if address in self._mailboxes else self._layout.directory / path

    def _relative(self, path: str) -> str:
        """Return a path as images have it; a delivery tells the full paths of its mailboxes."""
        for address, directory in self._mailboxes.items():
            with suppress(ValueError):
                return f"{address}/{Path(path).relative_to(directory)}"
        return path


def record(
    layout: QueueLayout,
    deed: Deed,
    *,
    title: str = "a deed",
    mailboxes: Mapping[str, Path] | None = None,
    message_number: int = 0,
    acknowledged: bool = True,
) -> Tape:
    """Record any deed that tells its steps, for example a run of qmail-send.

    Args:
        layout: The queue; a small one, see `image.take_image`. Nobody else may work in it.
        deed: Called with the listener for its steps.
        title: What is recorded.
        mailboxes: Address -> its Maildir.
        message_number: The message that it is about; by default that of the first step that has one.
        acknowledged: Whether the client has its 250: for a delivery always.

    Raises:
        QueueError: The queue cannot be read, or is too large; and what the deed raises.
    """
    recorder = Recorder(layout, mailboxes=mailboxes, message_number=message_number, acknowledged=acknowledged)
    try:
        deed(recorder)
        return recorder.tape(title)
    finally:
        recorder.close()


def record_enqueue(
    message: bytes | Iterable[bytes],
    envelope: bytes | Envelope | Callable[[], bytes],
    *,
    layout: QueueLayout,
    sync: SyncPolicy = SAFE,
    environ: Mapping[str, str] | None = None,
    qp: int | None = None,
    uid: int | None = None,
    invoked_from: InvokedFrom = "uid",
    host: str | None = None,
    clock: Callable[[], int] = time.time_ns,
    scan: QueueScan | None = None,
    title: str = "qmail-queue takes a message",
) -> Tape:
    """Record how a message comes into the queue; it is queued in truth.

    Args:
        message: As `enqueue`.
        envelope: As `enqueue`.
        layout: The queue; a small one, see `image.take_image`. Nobody else may work in it.
        sync: What must be on the disk before success is answered.
        environ: As `enqueue`; empty by default.
        qp: As `enqueue`.
        uid: As `enqueue`.
        invoked_from: As `enqueue`.
        host: As `enqueue`.
        clock: As `enqueue`.
        scan: As `enqueue`.
        title: What is recorded.

    Returns:
        The tape; its last step is the answer. A message that is refused gives a tape too, with its exit code and the
        steps of cleaning up.

    Raises:
        QueueError: The queue cannot be read, or is too large for a tape.
    """
    recorder = Recorder(layout)
    exit_code = OK
    try:
        queued = enqueue(
            message,
            envelope,
            layout=layout,
            environ={} if environ is None else environ,
            qp=qp,
            uid=uid,
            invoked_from=invoked_from,
            host=host,
            clock=clock,
            scan=scan,
            sync=sync,
            on_step=recorder,
        )
    except QueueError as error:
        exit_code = error.exit_code
        text = f"qmail-queue answers {exit_code} ({error}): nothing is queued, and the client keeps its mail."
        recorder.answer(text, acknowledged=False)
    else:
        swallowed = "removed on purpose" if queued.is_swallowed else "queued"
        recorder.answer(f"qmail-queue answers 0: {swallowed}, and the client gets its 250.", acknowledged=True)
    finally:
        recorder.close()
    return recorder.tape(title, exit_code=exit_code)
