"""qmail-queue: take a message and its envelope into the queue, whole or not at all; nothing else writes pid … todo.

Source: IndiMail indimail-mta-x/qmail-queue.c `main()`; qmail's INTERNALS section 3; recorded calls.

Order of calls: pid/PID.TIME.SEQ (O_EXCL) -> fstat gives the number -> link to mess -> unlink pid -> Received line and
body -> scan -> intd (O_EXCL) -> records -> sync -> link intd to todo -> sync the directory -> wake todo-proc.

Rule 1: success is returned only after todo/N is linked, and durable as far as the SyncPolicy says.
Rule 2: who gets the message is decided by the pure function `plan_records`; the deeds are in `transaction`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from indimail_kit.envelope import Envelope, QueueRecords, check_envelope, decode_envelope, decode_sender
from indimail_kit.errors import EnvelopeError, QueueError
from indimail_kit.exitcodes import MEMORY, READ
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.received import (
    UNKNOWN_IP,
    EnvironmentHeaders,
    InvokedFrom,
    format_received,
    is_fast_queue,
)
from indimail_kit.mailqueue.transaction import Transaction
from indimail_kit.mailqueue.values import INDIMAIL as INDIMAIL
from indimail_kit.mailqueue.values import QMAIL as QMAIL
from indimail_kit.mailqueue.values import SAFE as SAFE
from indimail_kit.mailqueue.values import Queued as Queued
from indimail_kit.mailqueue.values import QueueScan as QueueScan
from indimail_kit.mailqueue.values import QueueSettings as QueueSettings
from indimail_kit.mailqueue.values import ScanOutcome as ScanOutcome
from indimail_kit.mailqueue.values import Step as Step
from indimail_kit.mailqueue.values import SyncPolicy as SyncPolicy

ENVELOPE_PLACE: Final = "intd"
"""Path of the error for an envelope that is refused: it is read while intd is written."""

_VISIBLE: Final = bytes.maketrans(bytes((*range(32), 127)), b"_" * 33)
"""Control octets -> underscore, for addresses that are copied into a header line."""


def enqueue(
    message: bytes | Iterable[bytes],
    envelope: bytes | Envelope | Callable[[], bytes],
    *,
    layout: QueueLayout,
    environ: Mapping[str, str],
    qp: int | None = None,
    uid: int | None = None,
    invoked_from: InvokedFrom = "uid",
    host: str | None = None,
    clock: Callable[[], int] = time.time_ns,
    scan: QueueScan | None = None,
    sync: SyncPolicy = SAFE,
    settings: QueueSettings | None = None,
    peer_ip: str = UNKNOWN_IP,
    on_step: Callable[[Step], None] | None = None,
) -> Queued:
    """Queue a message as qmail-queue does.

    Args:
        message: The message as on fd 0, whole or in pieces; an OSError or EOFError of the iterable is a read error.
        envelope: The envelope as on fd 1, its value, or what reads it. It is looked at after the message was written
            and scanned; whoever calls the program writes it only when the message has been read.
        layout: The queue.
        environ: The variables of `received.format_received` are read.
        qp: Long-term queue identifier; the pid of this process by default.
        uid: User that called; the real uid of this process by default.
        invoked_from: Who called, see `received.InvokedFrom`.
        host: Name of this machine; the system's by default. The variable HOSTNAME goes before it.
        clock: Gives the time (unit: ns since 1970).
        scan: Called with the mess file before intd exists; not called with FASTQUEUE.
        sync: What must be on the disk before success is answered.
        settings: Who else gets it, and which headers are copied; what the variables say by default.
        peer_ip: Address at the other end of the socket, when `invoked_from` is "network" and TCPREMOTEIP is not set.
        on_step: Called after each step, in the calling thread.

    Raises:
        QueueError: With qmail-queue's exit code. The message is not queued, and nothing of it is left, unless the disk
            refuses that too. With exit code 69 mess and intd may stay for qmail-clean: the directory of todo could not
            be synced, and todo/N was taken back.

    Deviation:
        The sequence number of the pid file counts per process, not per message, so that threads never meet. When the
        directory of todo cannot be synced the real program empties todo/N, which todo-proc may be reading; we take the
        name back and leave what it points to. With SAFE the directory of mess is synced before the link, so that no
        power loss leaves a todo/N without its message.
    """
    qp = os.getpid() if qp is None else qp
    uid = os.getuid() if uid is None else uid
    settings = QueueSettings.from_environ(environ) if settings is None else settings
    files = Transaction(layout, clock=clock, on_step=on_step)
    try:
        files.open_queue()
        started_s = clock() // 10**9
        files.open_mess(qp=qp, started_s=started_s)
        head = format_received(
            qp=qp,
            uid=uid,
            host=os.uname().nodename if host is None else host,
            unix_s=started_s,
            environ=environ,
            invoked_from=invoked_from,
            peer_ip=peer_ip,
        )
        headers = EnvironmentHeaders(settings.envheaders)
        files.write_message(head, message, headers.feed)
        outcome = files.scan(None if is_fast_queue(environ) else scan)
        files.open_intd()
        if callable(envelope):
            envelope = files.read_envelope(envelope)
        if is_blackhole(outcome, settings):
            records = QueueRecords(uid=uid, pid=qp, sender=_read_blackhole(envelope))
            files.clean_up()
            return Queued(layout.name, 0, qp, True, records, files.message_bytes, -1)
        records = plan_records(
            envelope, uid=uid, qp=qp, outcome=outcome, settings=settings, environment_header=headers.finish()
        )
        files.write_intd(records)
        files.link_todo(sync)
        files.pull_trigger()
    except MemoryError as error:
        files.clean_up()
        raise QueueError("out of memory", exit_code=MEMORY) from error
    except EnvelopeError as error:
        files.clean_up()
        raise QueueError(f"envelope: {error}", exit_code=error.exit_code, path=ENVELOPE_PLACE) from error
    except BaseException:
        files.clean_up()
        raise
    finally:
        files.close()
    number = files.message_number
    return Queued(layout.name, number, qp, False, records, files.message_bytes, number % layout.split)


def is_blackhole(outcome: ScanOutcome, settings: QueueSettings) -> bool:
    """Say whether the message is swallowed: the scan wants it, and no quarantine keeps it."""
    return outcome.is_swallowed and not quarantine_address(outcome, settings)


def quarantine_address(outcome: ScanOutcome, settings: QueueSettings) -> str:
    """Return who gets the message instead of its recipients, or "": VIRUSFORWARD after a virus, else QUARANTINE."""
    return outcome.forward_to or settings.quarantine


def plan_records(
    envelope: bytes | Envelope,
    *,
    uid: int,
    qp: int,
    outcome: ScanOutcome,
    settings: QueueSettings,
    environment_header: bytes = b"",
) -> QueueRecords:
    """Decide what intd says: who gets the message, and which header lines go on top of it.

    Args:
        envelope: The envelope as on fd 1, or its value.
        uid: User that called.
        qp: Long-term queue identifier.
        outcome: What the scan says.
        settings: Who else gets it, who gets it instead, and the lines of QQEH.
        environment_header: Text of the ``h`` record.

    Raises:
        EnvelopeError: The envelope is refused, see `envelope.decode_envelope`.

    Source:
        qmail-queue.c `main()`, from "write the envelope" on.

    Deviation:
        Control octets of addresses become ``_`` in X-Quarantine-ID: a newline there would forge a header line.
    """
    if isinstance(envelope, Envelope):
        check_envelope(envelope)
    else:
        envelope = decode_envelope(envelope)
    recipients, header = envelope.recipients, outcome.header
    quarantine = quarantine_address(outcome, settings)
    if quarantine:
        recipients = (os.fsencode(quarantine),)
        names = b",".join((*recipients, *envelope.recipients)).translate(_VISIBLE)
        header += b"X-Quarantine-ID: %b\n" % names
    return QueueRecords(
        uid=uid,
        pid=qp,
        sender=envelope.sender,
        recipients=(*map(os.fsencode, settings.extra_recipients), *recipients),
        header=header + settings.header,
        environment_header=environment_header,
    )


def _read_blackhole(envelope: bytes | Envelope) -> bytes:
    """Return the sender of an envelope that is thrown away; the program reads on to the next NUL without looking.

    Raises:
        EnvelopeError: The sender is refused, or there is no other NUL.
    """
    if isinstance(envelope, Envelope):
        check_envelope(envelope)
        return envelope.sender
    sender, offset = decode_sender(envelope)
    if envelope.find(b"\0", offset) < 0:
        raise EnvelopeError("NUL behind the sender", exit_code=READ, offset=len(envelope))
    return sender
