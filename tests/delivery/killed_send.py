"""A qmail-send that kills itself with SIGKILL in the middle of its work; run by test_repeats in a process of its own.

Arguments: the directory of a house, the port of the second host, the time at which its clock stands (unit: ns since
1970), and the moment: "step CALL PART-OF-PATH", "event KIND", or "never" (the parent kills it).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from indimail_kit.delivery import LocalDelivery, QmailSend, Relay, RemoteDelivery, SendEvent, SmtpRoutes
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.values import Step


def main(directory: Path, port: int, now_ns: int, moment: list[str]) -> None:
    """Deliver until the moment comes."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def on_step(step: Step) -> None:
        if moment[0] == "step" and step.call == moment[1] and moment[2] in step.path:
            die()

    def on_event(event: SendEvent) -> None:
        if moment == ["event", event.kind]:
            die()

    users = {f"{user}@example.com": directory / user / "Maildir" for user in ("ann", "bob", "postmaster")}
    send = QmailSend(
        [QueueLayout(directory / "queue1", 3)],
        local=LocalDelivery(locals={"example.com"}, users=users, host="example.com"),
        log=LogWriter(directory / "log"),
        clock=lambda: now_ns,
        remote=RemoteDelivery(routes=SmtpRoutes({"": Relay("127.0.0.1", port)}), clock=lambda: now_ns),
        qident=False,
        on_step=on_step,
        on_event=on_event,
    )
    send.run_once()
    send.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
