"""Hold a queue as qmail-send holds it: the lock on lock/sendmutex, and the reading end of lock/trigger.

Source: IndiMail qmail-send.c `main()` ("instance already running"), trigger.c; qmail's INTERNALS, "Further notes".

Note for maintainers: DJB's programs close and reopen the trigger to empty it. Here a writing end stays open as well, so
that the reading end never sees an end of file, and the trigger is emptied by reading it.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from typing import Final

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue.layout import QueueLayout

CANNOT_START: Final = 111
"""Exit code of a qmail-send that cannot start. Source: qmail-send.c `main()`."""

_MUTEX: Final = "lock/sendmutex"
_TRIGGER: Final = "lock/trigger"
_DRAIN_OCTETS: Final = 4096


class QueueLock:
    """A queue that is ours until `close`."""

    def __init__(self, layout: QueueLayout) -> None:
        """Take the queue.

        Raises:
            QueueError: Exit code 111: another qmail-send has it, or lock/ is not as it should be.
        """
        self._fds: list[int] = []
        self._layout = layout
        try:
            self._take_mutex()
            self._trigger = self._open_trigger()
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the reading end of the trigger."""
        return self._trigger

    def drain(self) -> bool:
        """Empty the trigger; say whether it had been pulled. An error says no: todo is looked into anyway."""
        was_pulled = False
        with suppress(OSError):
            while os.read(self._trigger, _DRAIN_OCTETS):
                was_pulled = True
        return was_pulled

    def close(self) -> None:
        """Give the queue back."""
        while self._fds:
            with suppress(OSError):  # the descriptor is gone whatever the answer is
                os.close(self._fds.pop())

    def _take_mutex(self) -> None:
        fd = self._open(_MUTEX, os.O_WRONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise QueueError(
                f"{self._layout.name}: cannot start: instance already running", exit_code=CANNOT_START, path=_MUTEX
            ) from error

    def _open_trigger(self) -> int:
        reader = self._open(_TRIGGER, os.O_RDONLY)
        try:
            is_pipe = stat.S_ISFIFO(os.fstat(reader).st_mode)
        except OSError as error:
            text = f"{self._layout.name}: cannot start: unable to stat {_TRIGGER}: {error.strerror}"
            raise QueueError(text, exit_code=CANNOT_START, path=_TRIGGER) from error
        if not is_pipe:
            text = f"{self._layout.name}: cannot start: {_TRIGGER} is no named pipe"
            raise QueueError(text, exit_code=CANNOT_START, path=_TRIGGER)
        self._open(_TRIGGER, os.O_WRONLY)
        return reader

    def _open(self, name: str, mode: int) -> int:
        try:
            fd = os.open(self._layout.directory / name, mode | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            text = f"{self._layout.name}: cannot start: unable to open {name}: {error.strerror}"
            raise QueueError(text, exit_code=CANNOT_START, path=name) from error
        self._fds.append(fd)
        return fd
