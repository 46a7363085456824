"""Record a delivery: the real qmail-send empties a small queue, and each of its steps is on the tape.

Source: qmail's INTERNALS sections 4 to 6.

Rule 1: what is on the tape was done by `QmailSend`; the mail is in the mailboxes afterwards.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from indimail_kit.delivery.events import Deliver, SendEvent
from indimail_kit.delivery.local import LocalDelivery
from indimail_kit.delivery.routing import Routing
from indimail_kit.delivery.send import QmailSend
from indimail_kit.envelope import decode_recipients, decode_records
from indimail_kit.errors import EnvelopeError
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.recorder import record
from indimail_kit.mailqueue.tape import Tape
from indimail_kit.mailqueue.values import SAFE, Step, SyncPolicy


def record_delivery(
    layout: QueueLayout,
    *,
    local: LocalDelivery,
    sync: SyncPolicy = SAFE,
    clock: Callable[[], int] = time.time_ns,
    remote: Deliver | None = None,
    next_pid: Callable[[], int] | None = None,
    message_number: int = 0,
    title: str = "qmail-send delivers a message",
) -> Tape:
    """Record how qmail-send does all that can be done now in a queue; the mail is delivered in truth.

    Args:
        layout: The queue; a small one, see `image.take_image`. Nobody else may work in it.
        local: Who lives here; the mailboxes are on the tape too.
        sync: What must be on the disk before a step counts as done.
        clock: Gives the time (unit: ns since 1970).
        remote: Delivers to other hosts; without it remote recipients are deferred.
        next_pid: As `QmailSend`.
        message_number: The message that the tape is about; by default the first that qmail-send touches.
        title: What is recorded.

    Raises:
        QueueError: The queue cannot be read, is too large for a tape, or another qmail-send has it.

    Deviation:
        A mail that a filter forwards leaves as another message, which `crash` counts as a bounce.
    """
    outcomes: dict[bytes, str] = {}

    def note(event: SendEvent) -> None:
        if event.kind == "delivery":
            outcomes[event.recipient.lower().encode()] = event.outcome

    def deed(listener: Callable[[Step], None]) -> None:
        with tempfile.TemporaryDirectory(prefix="indimail-kit-") as directory:
            log = LogWriter(Path(directory), clock)
            send = QmailSend(
                (layout,),
                local=local,
                log=log,
                clock=clock,
                on_event=note,
                next_pid=next_pid,
                remote=remote,
                sync=sync,
                on_step=listener,
            )
            try:
                send.run_once()
            finally:
                send.stop()
                log.close()

    mailboxes = {address: maildir for address, maildir in local.users.items() if maildir.is_dir()}
    tape = record(layout, deed, title=title, mailboxes=mailboxes, message_number=message_number)
    forms = _forms(tape, local.routing)
    return replace(tape, outcomes=outcomes, forms=forms)


def _forms(tape: Tape, routing: Routing) -> dict[bytes, bytes]:
    """Return each recipient of the queue, as it is in todo, local or remote -> the address of its mailbox."""
    forms: dict[bytes, bytes] = {}
    for image in (tape.before, *(step.image for step in tape.steps)):
        for path, file in image.files.items():
            try:
                rewritten = _rewritten(path.split("/")[0], file.content, routing)
            except EnvelopeError:
                continue  # not finished: the step that writes it is still to come
            forms |= {address: routing.strip_prefix(known).lower() for address, known in rewritten.items()}
    return forms


def _rewritten(kind: str, octets: bytes, routing: Routing) -> dict[bytes, bytes]:
    """Return each recipient that a file names -> how todo-proc writes it into local or remote."""
    if kind == "todo":
        return {address: routing.rewrite(address).address for address in decode_records(octets).recipients}
    if kind in ("local", "remote"):
        return {recipient.address: recipient.address for recipient in decode_recipients(octets)}
    return {}
