"""What goes into and comes out of qmail-queue, as values: settings, the scan's answer, sync policy, steps, the result.

Source: IndiMail indimail-mta-x/qmail-queue.c; conf-sync.

Rule 1: values only, no I/O.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, Protocol, Self, get_args

from indimail_kit.envelope import QueueRecords
from indimail_kit.mailqueue.received import is_fast_queue


class ScanOutcome(Protocol):
    """What a scan says about the message; `qhpsi.ScanReport` has this shape."""

    @property
    def exit_code(self) -> int:
        """0 to go on, else qmail-queue's exit code (33 virus, 77 no scan, 123 crashed)."""
        ...

    @property
    def header(self) -> bytes:
        """Header lines for the ``e`` record, each with its newline."""
        ...

    @property
    def is_swallowed(self) -> bool:
        """Whether the message is removed and success is answered all the same (REJECTVIRUS=2)."""
        ...

    @property
    def forward_to(self) -> str:
        """Address that gets the message instead of its recipients (VIRUSFORWARD), or ""."""
        ...


class QueueScan(Protocol):
    """A scan between mess and intd."""

    def __call__(self, mess_path: Path, *, message_bytes: int) -> ScanOutcome:
        """Look at the finished mess file, Received line included."""
        ...


@dataclass(frozen=True, slots=True)
class NotScanned:
    """The outcome when no scan is configured: go on, without a header."""

    exit_code: int = 0
    header: bytes = b""
    is_swallowed: bool = False
    forward_to: str = ""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Who else gets every message, and which of its headers are copied.

    Attributes:
        extra_recipients: EXTRAQUEUE: recipients in front of the others.
        quarantine: QUARANTINE: who gets the message instead of its recipients, or "".
        envheaders: ENVHEADERS: names of the headers for the ``h`` record.
        header: QQEH: lines for the ``e`` record, with their newlines.
    """

    extra_recipients: tuple[str, ...] = ()
    quarantine: str = ""
    envheaders: tuple[str, ...] = ()
    header: bytes = b""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        r"""Read what stands in the variables alone; ENVHEADERS names a file, see `controls.read_settings`.

        Example:
            >>> QueueSettings.from_environ({"EXTRAQUEUE": "log@example.com", "QQEH": "X-Extra: 1"}).header
            b'X-Extra: 1\n'
            >>> QueueSettings.from_environ({"EXTRAQUEUE": "log@example.com", "FASTQUEUE": "1"}).extra_recipients
            ()
        """
        if is_fast_queue(environ):
            return cls()
        extra, lines = environ.get("EXTRAQUEUE", ""), os.fsencode(environ.get("QQEH", ""))
        return cls(
            extra_recipients=(extra,) if extra else (),
            quarantine=environ.get("QUARANTINE", ""),
            header=lines if not lines or lines.endswith(b"\n") else lines + b"\n",
        )


SyncName = Literal["safe", "qmail", "indimail"]
"""What a person may choose."""

SYNC_NAMES: Final = get_args(SyncName)
"""The names in their order: the safest first."""


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """What must be on the disk before success is answered.

    Attributes:
        files: fsync mess and intd.
        directories: fsync the directories of mess and todo, so that the names are on the disk too.
        is_data_only: Take fdatasync for the files: their times may be lost.
    """

    files: bool
    directories: bool
    is_data_only: bool = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Return what IndiMail's program does: nothing unless USE_FSYNC, USE_FDATASYNC or USE_SYNCDIR has a value."""
        return cls(
            files=bool(environ.get("USE_FSYNC") or environ.get("USE_FDATASYNC")),
            directories=bool(environ.get("USE_SYNCDIR")),
            is_data_only=bool(environ.get("USE_FDATASYNC")),
        )

    @classmethod
    def named(cls, name: SyncName, environ: Mapping[str, str]) -> SyncPolicy:
        """Return the policy of a name: ours, plain qmail's, or IndiMail's, which the variables decide.

        Example:
            >>> SyncPolicy.named("safe", {"USE_FDATASYNC": "1"})
            SyncPolicy(files=True, directories=True, is_data_only=True)
        """
        if name == "indimail":
            return cls.from_environ(environ)
        return replace(SAFE, is_data_only=bool(environ.get("USE_FDATASYNC"))) if name == "safe" else QMAIL


SAFE: Final = SyncPolicy(files=True, directories=True)
"""Survives a power loss; our default."""

QMAIL: Final = SyncPolicy(files=True, directories=False)
"""As plain qmail: files, no directories. A power loss may take names on file systems without an ordered journal."""

INDIMAIL: Final = SyncPolicy(files=False, directories=False)
"""As IndiMail is built (-DUSE_FSYNC without the variable): survives a crash of the program, not a power loss."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step that has just been done.

    Attributes:
        call: chdir, open, fstat, link, unlink, write, scan, fsync, fdatasync, fsyncdir, trigger, truncate; of
            qmail-send also mark (T to D) and utime (the time of the next attempt).
        path: File or directory, relative to the queue.
        unix_ns: When it was done (unit: ns since 1970).
        message_number: Number of the message, 0 while it has none.
    """

    call: str
    path: str
    unix_ns: int
    message_number: int


@dataclass(frozen=True, slots=True)
class Queued:
    """A message for which qmail-queue answers 0.

    Attributes:
        queue: Name of the queue.
        message_number: Number of the message = inode of its mess file; 0 when it was swallowed.
        qp: Long-term queue identifier.
        is_swallowed: Whether the message was removed on purpose (REJECTVIRUS=2).
        records: What intd and todo say; of a swallowed message what qmail-queue had read of them: uid, pid and sender.
        message_bytes: Size of the mess file, Received line included (unit: octets).
        split_directory: Sub-directory of mess; -1 when the message was swallowed.
    """

    queue: str
    message_number: int
    qp: int
    is_swallowed: bool
    records: QueueRecords
    message_bytes: int
    split_directory: int
