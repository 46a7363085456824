"""What qmail-send has to do when: for each channel the messages that wait for their next attempt, each once.

Source: IndiMail prioq.c, qmail-send.c `pqadd()`, `pqrun()`, `pqfinish()`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator


class Agenda:
    """Messages and the second at which each is due; putting a message in again replaces its time."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int]] = []
        self._due: dict[int, tuple[int, int]] = {}
        self._serial = 0

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._due)

    def put(self, message_number: int, due_s: int) -> None:
        """Remember a message; among those due in the same second the first comes first."""
        self._serial += 1
        self._due[message_number] = (due_s, self._serial)
        heapq.heappush(self._heap, (due_s, self._serial, message_number))

    def next_due_s(self) -> int | None:
        """Return when the next one is due (unit: s since 1970), None when nothing waits."""
        while self._heap:
            due_s, serial, message_number = self._heap[0]
            if self._due.get(message_number) == (due_s, serial):
                return due_s
            heapq.heappop(self._heap)  # was replaced
        return None

    def take(self, now_s: int) -> int | None:
        """Take out the message that is due first, or return None when none is due yet."""
        due_s = self.next_due_s()
        if due_s is None or due_s > now_s:
            return None
        message_number = heapq.heappop(self._heap)[2]
        del self._due[message_number]
        return message_number

    def hurry(self, now_s: int) -> None:
        """Make everything that waits due now, in the order in which it would have been."""
        for message_number, _due_s in list(self):
            self.put(message_number, now_s)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield message number and time, the next one first."""
        for message_number, (due_s, _serial) in sorted(self._due.items(), key=lambda item: item[1]):
            yield message_number, due_s
