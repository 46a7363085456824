"""Enqueue one message per step, and be killed (SIGKILL) right after that step; run by the crash tests as a program.

Usage: killed_enqueue.py DIRECTORY good|bad COUNT. Queue DIRECTORY/K is that of the child killed after step K; the child
COUNT is not killed. DIRECTORY/K.steps holds one line per step, DIRECTORY/K.acknowledged exists when success was
returned.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import SAFE, Step, create_queue, enqueue
from indimail_kit.mailqueue.values import NotScanned

ENVELOPES = {"good": b"Fann@local.test\0Tbob@local.test\0\0", "bad": b"Fann@local.test\0Tbob@local.test\0"}


def be_killed(base: Path, kill_after: int, envelope: bytes) -> None:
    """Enqueue and die after one step."""
    steps = 0

    def on_step(step: Step) -> None:
        nonlocal steps
        with (base / f"{kill_after}.steps").open("a") as log:
            log.write(f"{step.call} {step.path.split('/')[0]}\n")
        if steps == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1

    try:
        enqueue(
            iter([b"Subject: hi\n\n", b"body\n"]),
            envelope,
            layout=create_queue(base / str(kill_after), split=2),
            environ={},
            qp=4305,
            uid=0,
            host="vm",
            clock=lambda: 1_795_356_840 * 10**9,
            scan=lambda _path, **_: NotScanned(header=b"X-QHPSI: clean\n"),
            sync=SAFE,
            on_step=on_step,
        )
    except QueueError as error:
        (base / f"{kill_after}.refused").write_text(str(error.exit_code))
        return
    (base / f"{kill_after}.acknowledged").touch()


def main() -> None:
    """Fork a child per step."""
    base, envelope, count = Path(sys.argv[1]), ENVELOPES[sys.argv[2]], int(sys.argv[3])
    for kill_after in range(count + 1):
        pid = os.fork()
        if pid == 0:
            be_killed(base, kill_after, envelope)
            os._exit(0)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
