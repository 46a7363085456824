"""Run one program that is not trusted: no shell, no open descriptors, a time limit, bounded output.

Source: subprocess (Python), setsid(2), pidfd_open(2), waitid(2), prctl(2), prlimit(2).

What it may not: become root again through a setuid program (PR_SET_NO_NEW_PRIVS), leave a core file with the mail in
it (RLIMIT_CORE), outlive its time. Memory and files are not limited: scanners need much of both, and a limit that
stops one half way looks like a verdict to some.

Rule 1: the child is reaped last. While it is a zombie its process group cannot belong to strangers, so killing the
group is safe.
Rule 2: output above OUTPUT_LIMIT is read and dropped: a chatty scanner neither fills memory nor blocks on its pipe.

Note for maintainers: subprocess and selectors are imported when a program is run: they are half of the room's loading
time. A grandchild that makes its own session escapes the group. Keeping that in as well needs a cgroup.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indimail_kit import sigchld
from indimail_kit.qhpsi.scan_user import ScanUser

if TYPE_CHECKING:
    import subprocess

OUTPUT_LIMIT: Final = 65_536
"""How much of a child's output is kept (unit: octets)."""

UMASK: Final = 0o033
"""The scanner's umask under qmail-queue. Source: recorded run of IndiMail's qhpsi."""

EXEC_FAILED: Final = 75
"""What qhpsi answers when it cannot start the program. Source: IndiMail qhpsi.c."""


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended.

    Attributes:
        exit_code: Its exit code; 75 when it could not be started; None when a signal or the time limit ended it.
        signal_number: Signal that ended it, 0 for none.
        output: What it wrote to standard output and standard error, cut at OUTPUT_LIMIT.
        problem: Why there is no exit code of its own, or "".
    """

    exit_code: int | None
    signal_number: int = 0
    output: bytes = field(default=b"", repr=False)
    problem: str = ""


def _identity(user: ScanUser | None) -> dict[str, Any]:
    """Return Popen's arguments for another user, without supplementary groups."""
    return {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": []}


def _as(user: ScanUser | None) -> str:
    """Say as whom: a program that we can run may be out of another user's reach."""
    return "" if user is None else f" as user {user.name}"


_PR_SET_NO_NEW_PRIVS: Final = 38
"""Number of the prctl option. Source: linux/prctl.h."""


def _start(argv: Sequence[str], options: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    """Start a program that gets no new privileges, now or later.

    The promise holds for one thread and what it starts, and cannot be taken back: hence a thread of its own.
    """
    import ctypes
    import subprocess
    import threading

    started: list[subprocess.Popen[bytes] | Exception] = []

    def start() -> None:
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        try:
            started.append(subprocess.Popen(list(argv), **options))
        except Exception as error:  # carried to the caller's thread
            started.append(error)

    thread = threading.Thread(target=start, name="scanner start")
    thread.start()
    thread.join()
    if isinstance(started[0], Exception):
        raise started[0]
    return started[0]


def _forbid_core_files(process_id: int) -> None:
    """See to it that a crash leaves no copy of the mail."""
    import resource

    with contextlib.suppress(ProcessLookupError, PermissionError):
        resource.prlimit(process_id, resource.RLIMIT_CORE, (0, 0))


def run_child(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    timeout_s: float,
    executable: str | None = None,
    cwd: Path | None = None,
    user: ScanUser | None = None,
    stdin: int | None = None,
    clock_ns: Callable[[], int] = time.monotonic_ns,
) -> ChildEnd:
    """Run a program to its end, or to the end of its time.

    Args:
        argv: Argument vector; argv[0] is looked up in the PATH of `environ` unless it holds a slash.
        environ: The whole environment of the child.
        timeout_s: Time limit (unit: s).
        executable: File to run instead of argv[0].
        cwd: Working directory.
        user: User to become; needs root.
        stdin: Descriptor that becomes its standard input; None = nothing to read.
        clock_ns: Monotonic clock (unit: ns).
    """
    import subprocess

    if sigchld.is_ignored():
        return ChildEnd(exit_code=EXEC_FAILED, problem=f"{argv[0]} not started: {sigchld.UNSEEN}")
    deadline_ns = clock_ns() + int(timeout_s * 10**9)
    try:
        child = _start(
            argv,
            {
                "executable": executable,
                "stdin": subprocess.DEVNULL if stdin is None else stdin,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.STDOUT,
                "env": dict(environ),
                "cwd": cwd,
                "umask": UMASK,
                "process_group": 0,
                **_identity(user),
            },
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return ChildEnd(exit_code=EXEC_FAILED, problem=f"{argv[0]} could not be started{_as(user)}: {text}")
    with child:
        _forbid_core_files(child.pid)
        try:
            output, is_timed_out = _watch(child, deadline_ns, clock_ns)
        except ChildProcessError:
            return ChildEnd(exit_code=None, problem=f"{argv[0]}: {sigchld.UNSEEN}")
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
    if is_timed_out:
        return ChildEnd(exit_code=None, output=output, problem=f"no answer within {timeout_s:g} s; killed")
    if child.returncode < 0:
        return ChildEnd(exit_code=None, signal_number=-child.returncode, output=output)
    return ChildEnd(exit_code=child.returncode, output=output)


def _watch(child: subprocess.Popen[bytes], deadline_ns: int, clock_ns: Callable[[], int]) -> tuple[bytes, bool]:
    """Collect output until the child has ended (it stays a zombie) or its time is up."""
    import selectors

    if child.stdout is None:  # pragma: no cover - Popen was given PIPE
        return b"", False
    kept = bytearray()
    pipe = child.stdout.fileno()
    os.set_blocking(pipe, False)
    try:
        end = os.pidfd_open(child.pid)
    except ProcessLookupError as error:  # ended, and its end was taken from us
        raise ChildProcessError(*error.args) from error
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(end, selectors.EVENT_READ)
            selector.register(pipe, selectors.EVENT_READ)
            while (left_ns := deadline_ns - clock_ns()) > 0:
                ready = {key.fd for key, _ in selector.select(left_ns / 10**9)}
                if pipe in ready and not _drain(pipe, kept):
                    selector.unregister(pipe)
                if end in ready:
                    os.waitid(os.P_PIDFD, end, os.WEXITED | os.WNOWAIT)  # there is an end to be seen, or an error
                    _drain(pipe, kept)
                    return bytes(kept), False
    finally:
        os.close(end)
    return bytes(kept), True


def _drain(pipe: int, kept: bytearray) -> bool:
    """Read what one pipe holds now, at most 16 times 64 KiB; False at its end."""
    for _ in range(16):
        try:
            octets = os.read(pipe, OUTPUT_LIMIT)
        except BlockingIOError:
            return True
        if not octets:
            return False
        kept += octets[: OUTPUT_LIMIT - len(kept)]
    return True
