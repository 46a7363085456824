"""Look at a queue again and again, in every way that there is, until a file says stop; a program for test_inspector.py.

After each round it prints a line; at the end what it counted, as JSON.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

from indimail_kit.mailqueue import list_messages, open_queues, read_message, walkers
from indimail_kit.mailqueue.check import check_queue

MARK = b"outside.example"
"""Stands in every file outside of the queue that a link leads to."""


def look(place: Path, round_number: int) -> tuple[int, int]:
    """Look once; return the messages seen, and those that hold what stands outside only."""
    queues = open_queues(place, split=7)
    rows = list(queues.snapshot(processes=1 + round_number % 2).messages)
    for piece in queues.stream():
        rows += piece.messages
    outside = sum(
        MARK in text for row in rows for text in (row.sender or b"", *(one.address for one in row.recipients))
    )
    layout = queues.layouts[0]
    for number in list_messages(layout)[:: 1 + round_number % 5]:
        outside += sum(MARK in file.content for file in read_message(layout, number).files)
    for _ in check_queue(layout, now_s=2**31):
        pass
    return len(rows), outside


def main() -> None:
    """Look until the stop file is there."""
    place, stop = map(Path, sys.argv[1:])
    walkers.HELP_FROM = 0  # type: ignore[misc]  # a helper even for a small queue
    counts = {"looks": 0, "rows": 0, "outside": 0, "exceptions": 0}
    while not stop.exists():
        try:
            rows, outside = look(place, counts["looks"])
            counts["rows"] += rows
            counts["outside"] += outside
        except Exception:
            counts["exceptions"] += 1
            traceback.print_exc()
        counts["looks"] += 1
        print("looked", flush=True)
    print(json.dumps(counts), flush=True)


main()
