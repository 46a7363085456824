"""Start a program and end it with all that it started, when told to or when the owner is gone.

Run as ``python -I -S guard_child.py OWNER_PID PROGRAM ARGUMENT…``; never imported by the room.

Source: prctl(2), PR_SET_CHILD_SUBREAPER; pidfd_open(2); proc(5), /proc/PID/stat.

Note for maintainers: a death signal (qhpsi/start_child.py) reaches one process and is not inherited. svscan starts
supervise, supervise starts run, and none of them ends because another one does. So this process is their subreaper:
whoever loses his parent becomes its child, and is ended here. It knows of its owner's end by a pidfd, which neither a
fork of the owner nor the end of a thread of his can deceive.

Rule 1: only children of this process are signalled; while they are not reaped, their numbers are theirs.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
"""Number of the prctl option. Source: linux/prctl.h."""

ORDERLY_S = 3.0
"""How long a process may take to end after SIGTERM, before SIGKILL (unit: s)."""

_START = os.path.join(os.path.dirname(__file__), os.pardir, "qhpsi", "start_child.py")  # noqa: PTH118, PTH120 - quick
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def guard(owner_pid: int, argv: list[str]) -> int:
    """Run a program until it ends, until a signal says so, or until the owner is gone; then end everything."""
    import ctypes

    try:
        owner = os.pidfd_open(owner_pid)
    except OSError:
        return 1
    if os.getppid() != owner_pid:
        return 1  # the owner died before he could be watched
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    awake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    for number in (*_ENDING, signal.SIGCHLD):
        signal.signal(number, lambda _number, _frame: None)
    # The program itself ends with us even when we are killed, and so starts nothing more.
    words = [sys.executable, "-I", "-S", _START, str(os.getpid()), *argv]
    program = os.posix_spawn(words[0], words, os.environ)
    _wait(owner, awake, program)
    _end_all()
    return 0


def _wait(owner: int, awake: int, program: int) -> None:
    """Return when the owner is gone, a signal asks for the end, or the program has ended."""
    poll = select.poll()
    for descriptor in (owner, awake):
        poll.register(descriptor, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if owner in ready:
            return
        asked = set(os.read(awake, 512))
        if asked.intersection(_ENDING) or program in _reap():
            return


def _reap() -> set[int]:
    """Reap the children that have ended, and return their numbers."""
    gone: set[int] = set()
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return gone
        if pid == 0:
            return gone
        gone.add(pid)


def _end_all() -> None:
    """End every child, and the children that they leave to us, until there is none."""
    told: set[int] = set()
    deadline = time.monotonic() + ORDERLY_S
    while True:
        _reap()
        living = _children()
        if not living:
            return
        is_late = time.monotonic() > deadline
        for pid in living:
            if is_late:
                os.kill(pid, signal.SIGKILL)
            elif pid not in told:
                os.kill(pid, signal.SIGTERM)
                os.kill(pid, signal.SIGCONT)  # one that is paused would not hear the first
        told |= living
        time.sleep(0.01)


def _children() -> set[int]:
    """Return the numbers of our children; /proc/self/task/TID/children is not on every kernel."""
    mine = str(os.getpid()).encode("ascii")
    found = set()
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are enough
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - no pathlib: this starts quickly
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            if len(fields) > 1 and fields[1] == mine:
                found.add(int(name))
    return found


if __name__ == "__main__":
    sys.exit(guard(int(sys.argv[1]), sys.argv[2:]))
