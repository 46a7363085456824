"""Queue messages as fast as can be and take them out again, until a file says stop; a program for test_inspector.py."""

from __future__ import annotations

import sys
from pathlib import Path

from indimail_kit.mailqueue import INDIMAIL, QueueLayout, enqueue


def main() -> None:
    """Queue, and remove what was queued ten messages ago."""
    place, stop = map(Path, sys.argv[1:])
    layout = QueueLayout(place, 7)
    waiting: list[int] = []
    count = 0
    while not stop.exists() or waiting:
        if not stop.exists():
            queued = enqueue(
                b"Subject: hi\n\nbody\n", b"Fann@example.com\0Tbob@example.com\0\0",
                layout=layout, environ={}, qp=count + 1, uid=0, host="vm", sync=INDIMAIL,
            )  # fmt: skip
            waiting.append(queued.message_number)
            count += 1
        while len(waiting) > 10 or (waiting and stop.exists()):
            number = waiting.pop(0)
            for kind in ("intd", "todo", "mess"):
                layout.path(kind, number).unlink()
    print(count)


main()
