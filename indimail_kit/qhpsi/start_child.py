"""Become another program that ends when the process that started it ends.

Run as ``python -I -S start_child.py OWNER_PID PROGRAM ARGUMENT…``; never imported by the room.

Source: prctl(2), PR_SET_PDEATHSIG: the signal survives execve() of a program without special rights.

Note for maintainers: Popen's preexec_fn could do the same, but runs Python between fork and exec, which may hang in a
process with threads. This file costs one start of the interpreter without site-packages (15 ms), once.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""Number of the prctl option. Source: linux/prctl.h."""


EXEC_FAILED = 75
"""Exit code when the program cannot be run, as elsewhere in this room."""


def become(owner_pid: int, argv: list[str]) -> None:
    """Ask for SIGKILL at the owner's death, then run the program in this process."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != owner_pid:
        os._exit(1)  # the owner died before the request was made
    # Python ignores SIGPIPE, and what is ignored stays so over exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execv(argv[0], argv)  # noqa: S606 - an argument vector, no shell
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode("utf-8", "backslashreplace"))
        os._exit(EXEC_FAILED)


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
