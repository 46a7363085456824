"""Deliver one message, be killed (SIGKILL) right after step K, deliver again without being killed; run as a program.

Usage: killed_send.py DIRECTORY SCENARIO. For each step of an undisturbed run there is a child that dies after it.
Printed is one JSON document: a list of what each child left and what was there after the second run.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from indimail_kit.delivery import LocalDelivery, QmailSend, create_maildir
from indimail_kit.envelope import Envelope
from indimail_kit.errors import QueueError
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue.enqueue import enqueue
from indimail_kit.mailqueue.layout import KINDS, QueueLayout, create_queue
from indimail_kit.mailqueue.states import state_of
from indimail_kit.mailqueue.values import INDIMAIL, SAFE, Step, SyncPolicy

NOW_NS = time.time_ns()  # files carry the times of the real clock, and qmail-clean looks at them
USERS = ("ann", "bob", "carol")
SCENARIOS = {
    "delivered": (b"ann@example.com", (b"bob@example.com", b"carol@example.com")),
    "both": (b"ann@example.com", (b"bob@example.com", b"nobody@example.com")),
}


def build(base: Path, scenario: str) -> QueueLayout:
    """Make mailboxes and a queue with one message."""
    for user in USERS:
        create_maildir(base / user)
    layout = create_queue(base / "queue1", split=2)
    sender, recipients = SCENARIOS[scenario]
    envelope = Envelope(sender, recipients)
    enqueue(b"Subject: hi\n\n", envelope, layout=layout, environ={}, qp=1, clock=lambda: NOW_NS, sync=INDIMAIL)
    return layout


def deliver(
    base: Path, layout: QueueLayout, *, on_step: Callable[[Step], None] | None, sync: SyncPolicy, later_s: int = 0
) -> None:
    """Run qmail-send until nothing is left to do."""
    pids = iter(range(100, 10000))
    now_ns = NOW_NS + later_s * 10**9
    local = LocalDelivery(
        locals={"example.com"}, users={f"{user}@example.com": base / user for user in USERS}, host="example.com"
    )
    log = LogWriter(base / "log", lambda: now_ns)
    send = QmailSend(
        (layout,), local=local, log=log, clock=lambda: now_ns, next_pid=lambda: next(pids), sync=sync, on_step=on_step
    )
    send.run_once()
    send.stop()
    log.close()


def states(layout: QueueLayout) -> list[str]:
    """Return the state of each message that has a file in the queue, sorted; "broken" where the files fit no state."""
    numbers = {
        int(path.name)
        for kind in KINDS
        for path in (layout.directory / kind).rglob("*")
        if path.name.isdigit() and path.is_file()
    }
    names = []
    for number in numbers:
        kinds = {kind for kind in KINDS if layout.path(kind, number).exists()}
        try:
            names.append(state_of(kinds).name)
        except QueueError:
            names.append("broken: " + "+".join(sorted(kinds)))
    return sorted(names)


def mails(base: Path) -> dict[str, int]:
    """Return user -> new mails."""
    return {user: len(list((base / user / "new").iterdir())) for user in USERS}


def die_after(kill_after: int, base: Path, layout: QueueLayout) -> str:
    """Deliver in a child that dies after a step; return the step."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        seen = 0

        def on_step(step: Step) -> None:
            nonlocal seen
            if seen == kill_after:
                os.write(writer, f"{step.call} {step.path}".encode())
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

        deliver(base, layout, on_step=on_step, sync=SAFE)
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(reader) as pipe:
        step = pipe.read()
    return step if os.WIFSIGNALED(status) else ""


def main() -> None:
    """Kill after each step in turn until a child ends by itself."""
    base, scenario = Path(sys.argv[1]), sys.argv[2]
    results: list[dict[str, Any]] = []
    while True:
        place = base / str(len(results))
        layout = build(place, scenario)
        step = die_after(len(results), place, layout)
        if not step:
            break
        left = states(layout)
        deliver(place, layout, on_step=None, sync=INDIMAIL, later_s=200_000)
        results.append({"step": step, "left": left, "after": states(layout), "mails": mails(place)})
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
