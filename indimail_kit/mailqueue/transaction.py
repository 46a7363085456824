"""The system calls of one qmail-queue, in order, and how they are undone.

Source: IndiMail indimail-mta-x/qmail-queue.c `main()`, `pidopen()`, `cleanup()`, triggerpull.c; qmail's INTERNALS
section 3.

Rule 1: a system call that fails is a QueueError with the exit code of its step; nobody else looks at errno.
Rule 2: before the link to todo `clean_up` removes everything; after it nothing, since todo-proc may already be at work.
    Only a directory of todo that cannot be synced undoes the link itself, and leaves the rest to qmail-clean.
Rule 3: a step is told after it is done and noted, so that an error of the listener is cleaned up like any other.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from indimail_kit.envelope import QueueRecords, encode_records
from indimail_kit.errors import KitError, QueueError
from indimail_kit.exitcodes import (
    CHDIR,
    FSYNC,
    INTD_FILE,
    LINK_MESS,
    LINK_TODO,
    MESS_FILE,
    OK,
    PID_FILE,
    QHPSI,
    READ,
    SYNCDIR,
    UNLINK_PID,
    WRITE,
)
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.values import NotScanned, QueueScan, ScanOutcome, Step, SyncPolicy

_FILE_MODE: Final = 0o644
"""Mode of mess, intd and todo, whatever the umask is. Source: qmail-queue.c, umask(033) and open_excl()."""

_PID_TRIES: Final = 9
"""Names tried for the pid file. Source: qmail-queue.c `pidopen()`."""

_BLOCK_BYTES: Final = 1 << 16
"""Octets that are collected of a message in pieces before they are written (unit: octets)."""

_BLOCK_PIECES: Final = 256
"""Pieces that are collected before they are written; below the system's limit for writev (IOV_MAX, 1024)."""

_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_ROOT: Final = (0, 0)
"""Owner and group that files of root have anyway."""

_TRIGGER: Final = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC

_sequence = itertools.count(1)
_sequence_lock = threading.Lock()


class Transaction:
    """The files of one message on their way into the queue.

    Attributes:
        layout: The queue.
        message_number: Number of the message, 0 while it has none.
        message_bytes: Octets written to mess so far.
    """

    __slots__ = (
        "_clock",
        "_intd_fd",
        "_intd_path",
        "_is_linked",
        "_mess_fd",
        "_mess_path",
        "_mode",
        "_on_step",
        "_owner",
        "_pid_path",
        "_queue_fd",
        "_todo_fd",
        "layout",
        "message_bytes",
        "message_number",
    )

    def __init__(
        self, layout: QueueLayout, *, clock: Callable[[], int], on_step: Callable[[Step], None] | None
    ) -> None:
        self.layout = layout
        self.message_number = 0
        self.message_bytes = 0
        self._clock = clock
        self._on_step = on_step
        self._queue_fd = self._mess_fd = self._intd_fd = self._todo_fd = -1
        self._pid_path = self._mess_path = self._intd_path = ""
        self._mode = _FILE_MODE
        self._owner: tuple[int, int] = _ROOT
        self._is_linked = False

    def open_queue(self) -> None:
        """Enter the queue directory (exit code 61)."""
        self._queue_fd = _do("chdir", ".", CHDIR, os.open, self.layout.directory, _DIRECTORY)
        if os.geteuid() == 0:
            # The real program runs under the user that the queue belongs to; root gives the files to that user.
            status = _do("fstat", ".", CHDIR, os.stat, self._queue_fd)
            self._owner = (status.st_uid, status.st_gid)
        self._tell("chdir", ".")

    def open_mess(self, *, qp: int, started_s: int) -> None:
        """Make the mess file: pid file, its inode number, link, unlink (exit codes 70, 62, 67, 83)."""
        at = self._queue_fd
        self._pid_path = self._open_pid_file(qp, started_s)
        self._tell("open", self._pid_path)
        status = _do("fstat", self._pid_path, MESS_FILE, os.fstat, self._mess_fd)
        self.message_number = status.st_ino
        self._mode = status.st_mode & 0o777
        self._settle(self._mess_fd, self._pid_path)
        self._tell("fstat", self._pid_path)
        path = f"{self.layout.parent('mess', self.message_number)}/{self.message_number}"
        _do("link", path, LINK_MESS, os.link, self._pid_path, path, src_dir_fd=at, dst_dir_fd=at)
        self._mess_path = path
        self._tell("link", path)
        pid_path = self._pid_path
        _do("unlink", pid_path, UNLINK_PID, os.unlink, pid_path, dir_fd=at)
        self._pid_path = ""
        self._tell("unlink", pid_path)

    def write_message(self, head: bytes, message: bytes | Iterable[bytes], watch: Callable[[bytes], None]) -> None:
        """Write Received line and body to mess (exit codes 53; 54 when the message cannot be read).

        Args:
            head: Lines to put on top.
            message: The body, whole or in pieces.
            watch: Called with each piece of the body.
        """
        if isinstance(message, (bytes, bytearray, memoryview)):
            watch(bytes(message))
            self._write_mess([head, bytes(message)])
            return
        pieces, waiting_bytes = [head], len(head)
        iterator = iter(message)
        while (piece := self._read(iterator)) is not None:
            watch(piece)
            pieces.append(piece)
            waiting_bytes += len(piece)
            if waiting_bytes >= _BLOCK_BYTES or len(pieces) >= _BLOCK_PIECES:
                self._write_mess(pieces)
                pieces, waiting_bytes = [], 0
        if pieces:
            self._write_mess(pieces)

    def scan(self, scan: QueueScan | None) -> ScanOutcome:
        """Have the mess file looked at (the scan's exit code; 77 when it could not be done)."""
        if scan is None:
            return NotScanned()
        try:
            outcome = scan(self.layout.directory / self._mess_path, message_bytes=self.message_bytes)
        except (KitError, OSError) as error:
            raise QueueError(f"no scan of {self._mess_path}", exit_code=QHPSI, path=self._mess_path) from error
        self._tell("scan", self._mess_path)
        if outcome.exit_code != OK:
            raise QueueError("a message that the scan refused", exit_code=outcome.exit_code, path=self._mess_path)
        return outcome

    def open_intd(self) -> None:
        """Make the intd file (exit code 65)."""
        path = f"{self.layout.parent('intd', self.message_number)}/{self.message_number}"
        self._intd_fd = _do("open", path, INTD_FILE, os.open, path, _NEW_FILE, _FILE_MODE, dir_fd=self._queue_fd)
        self._intd_path = path
        self._settle(self._intd_fd, path)
        self._tell("open", path)

    def read_envelope(self, read: Callable[[], bytes]) -> bytes:
        """Have the envelope read (exit code 54)."""
        return _do("read", self._intd_path, READ, read)  # type: ignore[no-any-return]  # what `read` returns

    def write_intd(self, records: QueueRecords) -> None:
        """Write the records to intd (exit code 53)."""
        _write(self._intd_fd, self._intd_path, [encode_records(records)])
        self._tell("write", self._intd_path)

    def link_todo(self, sync: SyncPolicy) -> None:
        """Sync, link intd to todo (exit codes 64, 69, 66), sync its directory (69): from the link on it is queued."""
        if sync.files:
            _start_writing(self._intd_fd)
            call, deed = ("fdatasync", os.fdatasync) if sync.is_data_only else ("fsync", os.fsync)
            for fd, path in ((self._mess_fd, self._mess_path), (self._intd_fd, self._intd_path)):
                _do(call, path, FSYNC, deed, fd)
                self._tell(call, path)
        if sync.directories:
            # Before the link: a power loss must not leave a todo/N whose mess/N is gone.
            self._sync_directory(self.layout.parent("mess", self.message_number))
        parent = self.layout.parent("todo", self.message_number)
        path = f"{parent}/{self.message_number}"
        if sync.directories:
            # Before the link too: where it cannot even be opened, there is nothing to undo.
            self._todo_fd = self._open_directory(parent)
        self._is_linked = True  # first: an interrupt that falls on the link must not clean up a queued message
        try:
            at = self._queue_fd
            _do("link", path, LINK_TODO, os.link, self._intd_path, path, src_dir_fd=at, dst_dir_fd=at)
        except QueueError:
            self._is_linked = False
            raise
        self._tell("link", path)
        if sync.directories:
            try:
                _do("fsyncdir", parent, SYNCDIR, os.fsync, self._todo_fd)
            except QueueError:
                # mess and intd stay, for qmail-clean: if todo-proc has read todo/N already, it goes on to S5 with them.
                self._unlink(path)
                raise
            self._tell("fsyncdir", parent)

    def pull_trigger(self) -> None:
        """Wake todo-proc. It finds the message without that too, only later; so an error is no error."""
        with contextlib.suppress(OSError):
            fd = os.open("lock/trigger", _TRIGGER, dir_fd=self._queue_fd)
            try:
                os.write(fd, b"\0")
            finally:
                os.close(fd)
        self._tell("trigger", "lock/trigger")

    def clean_up(self) -> None:
        """Remove what was made, unless it is queued: truncate and unlink intd, then mess, then the pid file."""
        if self._is_linked:
            return
        self._empty(self._intd_fd, self._intd_path)
        is_gone = self._unlink(self._intd_path)
        self._empty(self._mess_fd, self._mess_path)
        if is_gone:  # qmail-clean finds what is old by its mess: an intd alone would stay for ever
            self._unlink(self._mess_path)
        self._unlink(self._pid_path)
        self._intd_path = self._mess_path = self._pid_path = ""

    def close(self) -> None:
        """Close the files; what had to be durable is durable by now."""
        for fd in (self._todo_fd, self._intd_fd, self._mess_fd, self._queue_fd):
            if fd >= 0:
                with contextlib.suppress(OSError):
                    os.close(fd)
        self._todo_fd = self._intd_fd = self._mess_fd = self._queue_fd = -1

    def _open_pid_file(self, qp: int, started_s: int) -> str:
        """Make pid/PID.TIME.SEQ under a name that nobody has, and return it."""
        for _ in range(_PID_TRIES):
            with _sequence_lock:
                sequence = next(_sequence)
            path = f"pid/{qp}.{started_s}.{sequence}"
            try:
                self._mess_fd = os.open(path, _NEW_FILE, _FILE_MODE, dir_fd=self._queue_fd)
            except FileExistsError:
                continue
            except OSError as error:
                raise QueueError(f"open {path}: {error.strerror}", exit_code=PID_FILE, path=path) from error
            return path
        raise QueueError("no free name for the pid file", exit_code=PID_FILE, path="pid")

    def _settle(self, fd: int, path: str) -> None:
        """Give a new file its mode when the umask took some of it, and its owner when root made it."""
        if self._mode != _FILE_MODE:
            _do("fchmod", path, MESS_FILE, os.fchmod, fd, _FILE_MODE)
        if self._owner != _ROOT:
            _do("fchown", path, MESS_FILE, os.fchown, fd, *self._owner)

    def _read(self, iterator: Iterator[bytes]) -> bytes | None:
        """Return the next piece of the message, None at its end."""
        try:
            return next(iterator, None)
        except (OSError, EOFError) as error:
            raise QueueError(
                "a message that cannot be read to its end", exit_code=READ, path=self._mess_path
            ) from error

    def _write_mess(self, pieces: list[bytes]) -> None:
        """Write pieces to mess."""
        self.message_bytes += _write(self._mess_fd, self._mess_path, pieces)
        self._tell("write", self._mess_path)

    def _open_directory(self, path: str) -> int:
        """Open a directory of the queue to sync it."""
        return _do("fsyncdir", path, SYNCDIR, os.open, path, _DIRECTORY, dir_fd=self._queue_fd)  # type: ignore[no-any-return]  # what os.open returns

    def _sync_directory(self, path: str) -> None:
        """Put the names in a directory on the disk."""
        fd = self._open_directory(path)
        try:
            _do("fsyncdir", path, SYNCDIR, os.fsync, fd)
        finally:
            with contextlib.suppress(OSError):  # what had to be on the disk is there, or the error is on its way
                os.close(fd)
        self._tell("fsyncdir", path)

    def _empty(self, fd: int, path: str) -> None:
        """Cut a file to nothing, so that a name that stays behind by an error holds no mail."""
        if path and fd >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, 0)
                self._tell_quietly("truncate", path)

    def _unlink(self, path: str) -> bool:
        """Remove a name after an error; say whether it is gone. Without a path there is nothing to remove."""
        if path:
            try:
                os.unlink(path, dir_fd=self._queue_fd)
            except FileNotFoundError:
                return True
            except OSError:
                return False
            self._tell_quietly("unlink", path)
        return True

    def _tell(self, call: str, path: str) -> None:
        """Tell the listener about a step that has been done."""
        if self._on_step is not None:
            self._on_step(Step(call, path, self._clock(), self.message_number))

    def _tell_quietly(self, call: str, path: str) -> None:
        """Tell the listener while cleaning up: the first error is on its way already, and the cleaning goes on."""
        with contextlib.suppress(Exception):
            self._tell(call, path)


def _do(call: str, path: str, exit_code: int, deed: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Make one system call; an OSError becomes the QueueError of its step."""
    try:
        return deed(*args, **kwargs)
    except OSError as error:
        raise QueueError(f"{call} {path}: {error.strerror}", exit_code=exit_code, path=path) from error


def _write(fd: int, path: str, pieces: list[bytes]) -> int:
    """Write all the pieces and return their size (unit: octets); exit code 53."""
    total = sum(map(len, pieces))
    written = _do("write", path, WRITE, os.writev, fd, pieces)
    if written < total:  # a disk that fills up, a limit on the size of files
        rest = memoryview(b"".join(pieces))[written:]
        while rest:
            rest = rest[_do("write", path, WRITE, os.write, fd, rest) :]
    return total


def _start_writing(fd: int) -> None:
    """Have the system begin to write a small file that will be synced behind another one.

    On ext4 the journal's commit for the first fsync then serves both, which makes a message some 10 to 20 % cheaper. It
    is a hint: what is on the disk is decided by the fsync that follows.
    """
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
