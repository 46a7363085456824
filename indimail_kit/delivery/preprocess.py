"""todo-proc: S4 -> S5. Split one queued message's envelope into info, local and remote, then take it out of todo.

Order of steps: read todo -> stat mess -> remove old local, remote, info -> write info, local, remote -> fsync -> remove
intd -> remove todo. Until the last step the message is in S4 and everything can be done again.

Source: IndiMail todo-proc.c `todo_do()`, qmail-clean.c; qmail's INTERNALS section 4.

Rule 1: who is local is decided by the pure function `plan_preprocessing`; `preprocess` does the deeds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from indimail_kit.delivery.channel import read_whole
from indimail_kit.delivery.maildir import sync_directory
from indimail_kit.delivery.routing import Route, Routing
from indimail_kit.envelope import QueueRecords, decode_records, encode_recipients, encode_records
from indimail_kit.errors import EnvelopeError, QueueError
from indimail_kit.exitcodes import ENVELOPE, READ, UNLINK_INTD, WRITE
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.values import SAFE, Step, SyncPolicy

_T = TypeVar("_T")

FILE_MODE: Final = 0o600
"""Mode of info, local and remote files. Source: recorded queue trees."""

_WRITTEN: Final = ("info", "local", "remote")
"""Kinds in the order of writing."""


@dataclass(frozen=True, slots=True)
class Preprocessed:
    """What todo-proc makes of an envelope.

    Attributes:
        records: The envelope as it was in todo.
        routes: Channel and rewritten address of each recipient, in the order of the envelope.
        message_bytes: Size of the mess file (unit: octets), 0 before it was looked at.
    """

    records: QueueRecords
    routes: tuple[Route, ...]
    message_bytes: int = 0

    def file(self, kind: str) -> bytes:
        """Return the octets of the info, local or remote file; empty when there shall be none."""
        if kind == "info":
            records = self.records
            return encode_records(
                QueueRecords(
                    sender=records.sender, header=records.header, environment_header=records.environment_header
                )
            )
        return encode_recipients(route.address for route in self.routes if route.channel == kind)


def plan_preprocessing(octets: bytes, *, routing: Routing) -> Preprocessed:
    """Read the envelope in todo and route its recipients.

    Raises:
        EnvelopeError: It has no sender, an unknown record, or an unfinished one.
    """
    records = decode_records(octets)
    if records.unknown:
        raise EnvelopeError("records u, p, F, T, e and h", exit_code=ENVELOPE)
    if records.sender is None:
        raise EnvelopeError("a sender", exit_code=ENVELOPE)
    return Preprocessed(records, tuple(routing.rewrite(address) for address in records.recipients))


def preprocess(
    layout: QueueLayout,
    message_number: int,
    *,
    routing: Routing,
    clock: Callable[[], int],
    sync: SyncPolicy = SAFE,
    on_step: Callable[[Step], None] | None = None,
) -> Preprocessed:
    """Take one message from S4 to S5.

    Args:
        layout: The queue.
        message_number: The message; todo/N exists.
        routing: Tells local from remote.
        clock: Gives the birth of the message: the mtime of info (unit: ns since 1970).
        sync: What must be on the disk before todo/N is removed.
        on_step: Told each step that was done.

    Raises:
        QueueError: A step failed; the message is in S4 still. Its text is what the log says.
    """
    files = _Files(layout, message_number, clock=clock, on_step=on_step)
    octets = files.attempt("open", "todo", READ, lambda: read_whole(layout.path("todo", message_number)))
    try:
        plan = plan_preprocessing(octets, routing=routing)
    except EnvelopeError as error:
        path = layout.relative("todo", message_number)
        raise QueueError(f"unknown record type in {path}: {error}", exit_code=error.exit_code, path=path) from error
    status = files.attempt(
        "unable to stat", "mess", READ, lambda: layout.path("mess", message_number).stat(follow_symlinks=False)
    )
    for kind in ("local", "remote", "info"):
        files.remove(kind, WRITE)
    for kind in _WRITTEN:
        files.write(kind, plan.file(kind), sync=sync)
    if sync.directories:
        files.sync_directories()
    files.remove("intd", UNLINK_INTD)
    files.remove("todo", UNLINK_INTD)
    return Preprocessed(plan.records, plan.routes, status.st_size)


class _Files:
    """The deeds on the files of one message, each with its text for the log and its step."""

    def __init__(
        self,
        layout: QueueLayout,
        message_number: int,
        *,
        clock: Callable[[], int],
        on_step: Callable[[Step], None] | None,
    ) -> None:
        self.layout = layout
        self.message_number = message_number
        self.clock = clock
        self.on_step = on_step
        self.written: list[str] = []

    def attempt(self, what: str, kind: str, exit_code: int, deed: Callable[[], _T]) -> _T:
        path = self.layout.relative(kind, self.message_number)
        try:
            return deed()
        except OSError as error:
            raise QueueError(f"{what} {path}: {error.strerror}", exit_code=exit_code, path=path) from error

    def tell(self, call: str, path: str) -> None:
        if self.on_step is not None:
            self.on_step(Step(call, path, self.clock(), self.message_number))

    def remove(self, kind: str, exit_code: int) -> None:
        path = self.layout.path(kind, self.message_number)
        self.attempt("unable to unlink", kind, exit_code, lambda: path.unlink(missing_ok=True))
        self.tell("unlink", self.layout.relative(kind, self.message_number))

    def write(self, kind: str, octets: bytes, *, sync: SyncPolicy) -> None:
        """Write a new file, unless it would be empty."""
        if not octets:
            return
        name = self.layout.relative(kind, self.message_number)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        path = self.layout.path(kind, self.message_number)
        fd = self.attempt("unable to create", kind, WRITE, lambda: os.open(path, flags, FILE_MODE))
        try:
            self.tell("open", name)
            self.attempt("trouble writing to", kind, WRITE, lambda: _write_all(fd, octets))
            now_ns = self.clock()
            self.attempt("trouble writing to", kind, WRITE, lambda: os.utime(fd, ns=(now_ns, now_ns)))
            self.tell("write", name)
            if sync.files:
                self.attempt("trouble fsyncing", kind, WRITE, lambda: os.fsync(fd))
                self.tell("fsync", name)
        finally:
            self.attempt("trouble writing to", kind, WRITE, lambda: os.close(fd))
        self.written.append(kind)

    def sync_directories(self) -> None:
        for kind in self.written:
            parent = self.layout.parent(kind, self.message_number)
            sync = partial(sync_directory, self.layout.directory / parent)
            self.attempt("trouble fsyncing the directory of", kind, WRITE, sync)
            self.tell("fsyncdir", parent)


def _write_all(fd: int, octets: bytes) -> None:
    while octets:
        octets = octets[os.write(fd, octets) :]
