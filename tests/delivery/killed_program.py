"""Be the program qmail-queue in a process of its own for each case, and get a signal right after a step.

Usage: killed_program.py DIRECTORY SIGNAL COUNT. Queue DIRECTORY/SIGNAL.K is that of the process that gets the signal
after step K; the process COUNT gets none. Prints a JSON list: for each process its wait status as exit code, negative
for a signal.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from indimail_kit.delivery.qmail_queue import QmailQueue, main
from indimail_kit.mailqueue import Step, create_queue
from indimail_kit.qhpsi import scanning  # noqa: F401 - loaded once here instead of in every process

MESSAGE = b"Subject: hi\n\nbody\n"
ENVELOPE = b"Fann@local.test\0Tbob@local.test\0\0"


def feed(fd: int, octets: bytes) -> None:
    """Make a descriptor the read end of a pipe with octets."""
    reader, writer = os.pipe()
    os.write(writer, octets)
    os.close(writer)
    os.dup2(reader, fd)
    os.close(reader)


def be_signalled(queue: Path, number: int, kill_after: int) -> None:
    """Be the program; never returns."""
    steps = 0

    def on_step(_step: Step) -> None:
        nonlocal steps
        if steps == kill_after:
            os.kill(os.getpid(), number)
        steps += 1

    feed(0, MESSAGE)
    feed(1, ENVELOPE)
    environ = {"QUEUEDIR": str(queue), "CONTROLDIR": "/nonexistent", "QHPSI": "/bin/true %s", "PATH": "/bin"}
    main(QmailQueue(environ=environ, uid=0, host="vm", on_step=on_step))


def run() -> None:
    """Fork a process per step."""
    base, number, count = Path(sys.argv[1]), int(signal.Signals[sys.argv[2]]), int(sys.argv[3])
    ends = []
    for kill_after in range(count + 1):
        queue = create_queue(base / f"{sys.argv[2]}.{kill_after}", split=2).directory
        pid = os.fork()
        if pid == 0:
            be_signalled(queue, number, kill_after)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    print(json.dumps(ends))


if __name__ == "__main__":
    run()
