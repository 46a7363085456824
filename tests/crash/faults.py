"""Let the n-th system call of this process fail, or die just before or just after it.

Every function of `os` and `fcntl` through which the kit reaches a disk is wrapped; files that are opened by Python's
own `open` go through `_pyio`, Python's second implementation of it, which makes each call by name. That the wrapper
sees what the kernel sees is the claim of test_strace.py.

This changes the process that it is installed in for good: it is meant for a child that was forked for one case.
"""

from __future__ import annotations

import _pyio
import builtins
import errno
import fcntl
import io
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EINTR", "EMFILE", "EACCES")
"""What a call answers instead of doing its work."""

KILLS = ("killed before", "killed after")
"""SIGKILL before the kernel sees the call, and when it has just done it."""

SHORT = "short"
"""A write that takes only half of the octets, as on a disk that is nearly full."""

FOR_GOOD = "EIO for good"
"""This call and every later one: the disk is gone."""

KINDS = (*KILLS, *ERRORS, SHORT, FOR_GOOD)
"""All kinds of faults, in the order of the tables."""

WRITES = ("write", "writev", "pwrite")
"""Calls that may do half of what they are asked."""

NAMES = (
    *("chown", "close", "fchmod", "fchown", "fdatasync", "fstat", "fsync", "ftruncate", "link", "listdir", "lseek"),
    *("lstat", "mkdir", "open", "pipe2", "posix_fadvise", "pread", "pwrite", "read", "rename", "scandir", "stat"),
    *("statvfs", "symlink", "unlink", "utime", "write", "writev"),
)
"""The functions of `os` that are wrapped."""


@dataclass(frozen=True)
class Fault:
    """What happens at which call.

    Attributes:
        kind: One of KINDS.
        number: The call, from 1.
    """

    kind: str
    number: int


class Calls:
    """The calls of this process: counts them, remembers them, and lets the chosen one fail.

    Attributes:
        names: Name and target of each call so far, as ("openat", "pid/1.2.3"); filled only while `is_told`.
        fired: Name and target of the call that failed, or "".
    """

    def __init__(
        self, fault: Fault | None, *, roots: Sequence[str], tell: Callable[[str], None], is_told: bool = False
    ) -> None:
        self.fault = fault
        self.roots = tuple(roots)
        self.tell = tell
        self.is_told = is_told
        self.is_on = False
        self.count = 0
        self.fired = ""
        self.names: list[tuple[str, str]] = []
        self._real = {name: getattr(os, name) for name in NAMES}
        self._readlink = os.readlink

    def install(self) -> None:
        """Take the place of the real functions."""
        for name in NAMES:
            if name != "scandir":
                setattr(os, name, self._wrap(name, self._real[name]))
        os.scandir = self._scandir  # type: ignore[assignment]
        fcntl.flock = self._wrap("flock", fcntl.flock)
        io.open = builtins.open = _pyio.open  # type: ignore[assignment]

    def call(self, name: str, deed: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make a call, or what the fault makes of it."""
        if not self.is_on:
            return deed(*args, **kwargs)
        if name == "stat" and args:  # one name in `os`, three calls of the system
            name = "fstat" if isinstance(args[0], int) else name if kwargs.get("follow_symlinks", True) else "lstat"
        self.count += 1
        if self.is_told:
            self.names.append((name, self._target(name, args)))
        if not self._is_hit(name):
            return deed(*args, **kwargs)
        if not self.fired:
            self.fired = f"{name} {self._target(name, args)}"
            self.tell(self.fired)
        return self._fail(name, deed, args, kwargs)

    def _is_hit(self, name: str) -> bool:
        fault = self.fault
        if fault is None or (fault.kind == SHORT and name not in WRITES):
            return False
        return self.count >= fault.number if fault.kind == FOR_GOOD else self.count == fault.number

    def _fail(self, name: str, deed: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        kind = self.fault.kind if self.fault else ""
        if kind in KILLS:
            with suppress(OSError, StopIteration):  # a file that is not there anyway, an empty directory
                if kind == "killed after":
                    deed(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == SHORT:
            return _half(deed, args)
        if name == "close":
            deed(*args, **kwargs)  # whatever it answers, the descriptor is gone
        code = getattr(errno, "EIO" if kind == FOR_GOOD else kind)
        raise OSError(code, os.strerror(code))

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: self.call(name, real, *args, **kwargs)

    def _scandir(self, path: Any = ".") -> _Entries:
        return _Entries(self, self.call("scandir", self._real["scandir"], path), path)

    def _target(self, name: str, args: tuple[Any, ...]) -> str:
        """Return what a call is about: a path below the root, or where a descriptor points."""
        wanted = args[1] if name in ("link", "rename") else args[0] if args else ""
        if isinstance(wanted, int):
            try:
                wanted = self._readlink(f"/proc/self/fd/{wanted}")
            except OSError:
                wanted = "closed"
        text = os.fsdecode(os.fspath(wanted)).removesuffix(" (deleted)")
        for root in self.roots:
            if text == root:
                return "."
            text = text.removeprefix(f"{root}/")
        return text


class _Entries:
    """The entries of a directory; reading them is a call of its own."""

    def __init__(self, calls: Calls, entries: Any, path: Any) -> None:
        self._calls, self._entries, self._path = calls, entries, path
        self._is_read = False

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self._entries.close()

    def __iter__(self) -> _Entries:
        return self

    def __next__(self) -> Any:
        if not self._is_read:
            self._is_read = True
            return self._calls.call("getdents", lambda _path: next(self._entries), self._path)
        return next(self._entries)

    def close(self) -> None:
        self._entries.close()


def _half(deed: Callable[..., Any], args: tuple[Any, ...]) -> int:
    """Write the first half of what was to be written."""
    fd, octets, *rest = args
    whole = b"".join(octets) if isinstance(octets, list) else bytes(octets)
    half = whole[: max(1, len(whole) // 2)]
    return deed(fd, [half] if isinstance(octets, list) else half, *rest)
