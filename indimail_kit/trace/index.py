"""A log, to be asked by message, by session and by scan.

Rule 1: built on what `extract` took of the engine's columns, so that it does not matter how a log was read.
Rule 2: all times are those of qmail-send's host: what another clock is ahead is taken off here.
Rule 3: what is asked for seldom is put in order when it is first asked for; a life, session or scan is made a value
when a story needs it, and is the same one then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from indimail_kit.logs.kernel_codes import CHANNELS, OUTCOMES
from indimail_kit.trace.clocks import NS, ClockName, Clocks
from indimail_kit.trace.extract import KIND, SESSION_KINDS, LogExtract
from indimail_kit.trace.ordered import NO_TIME, NOTHING, Pairs, Rows, or_none, place
from indimail_kit.trace.records import Attempt, Key, Life, Line, cleaned
from indimail_kit.trace.scans import ScanTable
from indimail_kit.trace.sessions import SessionTable

if TYPE_CHECKING:
    from indimail_kit.logs import Event
    from indimail_kit.trace.ordered import Array

HOLE_STARTS: Final = 4
"""Deliveries in a row whose start is not in the log: so many are no single lost lines, a piece of the log is missing
(unit: deliveries)."""

_TODO_NS: Final = 5 * NS
"""Longest time from todo-proc's line about the todo file to the next line of the same message (unit: ns)."""

_STARTING, _TODO_FILE, _TODO_RECIPIENT = KIND["starting_delivery"], KIND["todo_file"], KIND["todo_recipient"]
_BIRTHS: Final = (KIND["new_msg"], KIND["info_msg"])


class LogIndex:
    """One log, to be asked by message, session and scan.

    Attributes:
        name: What was read.
        send_start_ns: Time of the first line of qmail-send (unit: ns since 1970), None without one.
    """

    def __init__(self, extract: LogExtract, clocks: Clocks) -> None:
        self._extract, self._clocks = extract, clocks
        self.name, self.send_start_ns = extract.name, extract.send_start_ns
        self._queues = {name: code for code, name in enumerate(extract.queues)}
        self._lives: dict[int, Life] = {}
        messages, lines = extract.messages, extract.lines
        at = np.searchsorted(lines["position"], messages["first_event"])  # each life begins with a line of its number
        self._first_kind, self._first_time = lines["kind"][at], lines["time"][at]
        is_queued = messages["queued"] != NO_TIME
        self._has_birth = is_queued | np.isin(self._first_kind, _BIRTHS)
        self._born = np.where(is_queued, messages["queued"], self._first_time).astype(np.int64)
        self._pairs = Pairs(len(extract.queues), lines["number"])
        self._keys = self._pairs.codes(messages["queue"], messages["number"])
        keys = self._pairs.codes(lines["queue"], lines["number"])
        order = np.argsort(keys, kind="stable")
        self._line_position, self._line_kind = lines["position"][order], lines["kind"][order]
        self._line_time = lines["time"][order]
        self._from = np.searchsorted(keys[order], self._keys)
        self._to = np.searchsorted(keys[order], self._keys, "right")
        self._previous, self._following = _neighbours(self._keys, messages["first_event"])
        lives = self._life_of = self._lives_of_deliveries().astype(np.int32)
        self._attempts = Rows(lives)
        self._last = np.maximum(self._born, messages["ended"])
        for name in ("started", "ended"):
            np.maximum.at(self._last, lives[lives >= 0], extract.deliveries[name][lives >= 0])
        self._sender, self._bytes = messages["sender"], messages["bytes"]
        self._fill()

    def _lives_of_deliveries(self) -> Array:
        """Return the life of each delivery, NOTHING without."""
        found, messages = self._extract.deliveries, self._extract.messages
        if not len(self._keys):
            return np.full(len(found["number"]), NOTHING)
        most = int(messages["lifetime"].max()) + 1
        lives = self._keys * most + messages["lifetime"]
        own = self._pairs.codes(found["queue"], found["number"])
        wanted = np.where((own >= 0) & (found["lifetime"] < most), own * most + found["lifetime"], NOTHING)
        order = np.argsort(lives, kind="stable")
        at = order[np.minimum(np.searchsorted(lives, wanted, sorter=order), len(lives) - 1)]
        return np.where(lives[at] == wanted, at, NOTHING)

    def _fill(self) -> None:
        """Fill sender and size where "info msg" is lost, from the lines of todo-proc."""
        lost = np.flatnonzero((self._sender < 0) | (self._bytes < 0)).tolist()
        if not lost or not len(self._extract.todo["position"]):
            return
        self._sender, self._bytes = self._sender.copy(), self._bytes.astype(np.int64)
        todo, texts = self._extract.todo, self._extract.texts
        for row in lost:
            for at in self._todo_of(self._drawn(row)):
                if self._bytes[row] < 0:
                    self._bytes[row] = todo["bytes"][at]
                sender = texts.text(int(todo["sender"][at]))
                if self._sender[row] < 0 and sender is not None:
                    self._sender[row] = texts.codes_of([sender.removeprefix("<>").encode()])[0]

    def line(self, position: int) -> Line:
        """Return a line."""
        line = self._extract.line(position)
        clock: ClockName | None = (
            "session" if line.kind.startswith(SESSION_KINDS) else "scan" if line.kind.startswith("clamd") else None
        )
        if clock is None:
            return line
        return Line(self._clocks.told(clock, line.unix_ns), line.kind, line.text, line.file, line.line_number)

    def events_at(self, file: str, line_number: int) -> Iterator[tuple[int, Event]]:
        """Yield position and octets of a line of a file."""
        for position in self._extract.positions_of(file, line_number):
            yield position, self._extract.event(position)

    def _told(self, clock: ClockName, times: Array) -> Array:
        """Return times of a clock as qmail-send's host would tell them."""
        ahead_ns = -(self._clocks.told(clock, 0) or 0)
        return np.where(times == NO_TIME, NO_TIME, times.astype(np.int64) - ahead_ns)

    def life(self, row: int) -> Life:
        """Return a life."""
        life = self._lives.get(row)
        if life is None:
            life = self._lives[row] = self._drawn(row)
            todo, text = self._extract.todo, self._extract.texts.text
            life.listed.update(text(int(todo["recipient"][at])) or "" for at in self._todo_of(life))
            life.deliveries.extend(map(self._attempt, self._attempts.of(row).tolist()))
        return life

    def _drawn(self, row: int) -> Life:
        """Return a life without recipients and deliveries."""
        one: dict[str, Any] = {name: int(column[row]) for name, column in self._extract.messages.items()}
        known = {name: None if one[name] < 0 else one[name] for name in _NULLABLE}
        size = int(self._bytes[row])
        return Life(
            row, self._extract.queues[one["queue"]], one["number"], one["lifetime"], self, known["qp"],
            self._extract.texts.text(int(self._sender[row])), None if size < 0 else size, known["recipient_count"],
            or_none(int(self._born[row])), bool(self._has_birth[row]), or_none(one["ended"]),
            or_none(int(self._last[row])), one["is_open"] == 1, one["first_event"], known["end_event"],
            known["bounce_qp"],
        )  # fmt: skip

    def _attempt(self, row: int) -> Attempt:
        """Return a delivery."""
        one = {name: int(column[row]) for name, column in self._extract.deliveries.items()}
        return Attempt(
            one["delivery_number"], _word(CHANNELS, one["channel"]), self._extract.texts.text(one["recipient"]),
            _word(OUTCOMES, one["outcome"]), one["is_open"] == 1, or_none(one["started"]), or_none(one["ended"]),
            one["start_event"], None if one["end_event"] < 0 else one["end_event"],
        )  # fmt: skip

    def previous_of(self, life: Life) -> Life | None:
        """Return the life before, of the same number in the same queue."""
        row = int(self._previous[life.row])
        return None if row < 0 else self.life(row)

    def _lines_of(self, life: Life) -> list[tuple[int, int]]:
        """Return position and kind of a life's lines; its todo file's line first."""
        low, high = int(self._from[life.row]), int(self._to[life.row])
        positions, kinds = self._line_position[low:high], self._line_kind[low:high]
        first = place(positions, life.first_event)
        found: list[tuple[int, int]] = []
        if first and self._is_todo_of(low + first - 1, life):
            found.append((int(positions[first - 1]), _TODO_FILE))
        if positions[first : first + 1].tolist() != [life.first_event]:  # slowq-send's "new msg" names no queue
            found.append((life.first_event, int(self._first_kind[life.row])))
        if life.end_event is not None:
            last = place(positions, life.end_event, "right")
        else:
            last = self._next_start(life, positions, kinds)
        own = zip(positions[first:last].tolist(), kinds[first:last].tolist(), strict=True)
        return found + [one for one in own if one[1] != _STARTING]

    def _is_todo_of(self, line: int, life: Life) -> bool:
        """Say whether the line before a life's first is that of its todo file."""
        then_ns, first_ns = int(self._line_time[line]), int(self._first_time[life.row])
        is_soon = NO_TIME in (then_ns, first_ns) or first_ns - then_ns <= _TODO_NS
        return is_soon and bool(self._line_kind[line] == _TODO_FILE)

    def _next_start(self, life: Life, positions: Array, kinds: Array) -> int:
        """Return where among the lines of its number a life without an end is over."""
        following = int(self._following[life.row])
        if following < 0:
            return len(positions)
        at = place(positions, following)
        is_its_todo = at > 0 and positions[at - 1] > life.first_event and kinds[at - 1] == _TODO_FILE
        return at - 1 if is_its_todo else at

    def _todo_of(self, life: Life) -> list[int]:
        """Return the rows of what todo-proc says of a life's recipients."""
        todo = self._extract.todo["position"]
        return [place(todo, position) for position, kind in self._lines_of(life) if kind == _TODO_RECIPIENT]

    def lines_of(self, life: Life) -> Iterator[int]:
        """Yield the positions of a life's own lines, those of its deliveries apart; its todo file's line first."""
        return (position for position, _ in self._lines_of(life))

    def merged_at(self, life: Life) -> int | None:
        """Return the position at which another message begins within a life, because the log lost ends and beginnings.

        A second todo file shows it; and a line of todo-proc that names another sender or size than "info msg" shows
        that the life was two from its first line on.
        """
        lines = self._lines_of(life)
        todo = self._extract.todo
        for position, kind in lines:
            if kind == _TODO_RECIPIENT and not self._agrees(life, place(todo["position"], position)):
                return lines[0][0]
            if kind == _TODO_FILE and position > life.first_event:
                return position
        return None

    def _agrees(self, life: Life, at: int) -> bool:
        """Say whether what todo-proc says of a recipient names sender and size of a life."""
        todo = self._extract.todo
        size, sender = int(todo["bytes"][at]), self._extract.texts.text(int(todo["sender"][at]))
        is_same_sender = (
            life.sender is None or sender is None or cleaned(sender.removeprefix("<>")) == cleaned(life.sender)
        )
        return is_same_sender and (size < 0 or size == life.message_bytes)

    def lives(self, rows: Iterable[int]) -> list[Life]:
        """Return lives by their rows."""
        return [self.life(row) for row in rows]

    def lives_of_number(self, message_number: int) -> list[Life]:
        """Return the lives of a number, in every queue, in the order of their first lines."""
        return self.lives(np.flatnonzero(self._extract.messages["number"] == message_number).tolist())

    def lives_named(self, address: str) -> list[Life]:
        """Return the lives that may have an address, as `cleaned` gives it, as sender or recipient."""
        extract, code = self._extract, self._extract.texts.cleaned_code(address)
        if code < 0:
            return []
        cleaned_of = extract.texts.cleaned_of
        tried = self._life_of[cleaned_of(extract.deliveries["recipient"]) == code]
        todo = extract.todo["position"][cleaned_of(extract.todo["recipient"]) == code]
        lines = np.searchsorted(extract.lines["position"], todo)
        keys = self._pairs.codes(extract.lines["queue"][lines], extract.lines["number"][lines])
        listed = [self._lives_at(key, at) for key, at in zip(keys.tolist(), todo.tolist(), strict=True)]
        rows = np.unique(np.concatenate((np.flatnonzero(cleaned_of(self._sender) == code), tried, *listed)))
        return self.lives(rows[rows >= 0].tolist())

    def _lives_at(self, key: int, position: int) -> Array:
        """Return the lives of a number that a line may be of; where "new msg" names no queue it may be two."""
        rows = self._starts.between(key, 0, position)
        ends, following = self._extract.messages["end_event"][rows], self._following[rows]
        return rows[np.where(ends >= 0, ends >= position, (following < 0) | (following > position))]

    def lives_of_qp(self, qp: int) -> list[Life]:
        """Return the lives that have a qp."""
        return self.lives(self._by_qp.of(qp).tolist())

    def lives_of_bounce(self, qp: int) -> list[Life]:
        """Return the lives whose bounce has a qp."""
        return self.lives(self._by_bounce.of(qp).tolist())

    def lives_of_sender(self, sender: str, size: int | None, from_ns: int, to_ns: int) -> list[Life]:
        """Return the lives of a sender, as `cleaned` gives it, and of a size, by their births in a time."""
        pairs, rows = self._by_sender
        pair = pairs.code(self._extract.texts.cleaned_code(sender), size)
        return [] if pair < 0 else self.lives(rows.between(pair, from_ns, to_ns).tolist())

    @cached_property
    def _by_qp(self) -> Rows:
        return Rows(self._extract.messages["qp"])

    @cached_property
    def _by_bounce(self) -> Rows:
        return Rows(self._extract.messages["bounce_qp"])

    @cached_property
    def _starts(self) -> Rows:
        return Rows(self._keys, self._extract.messages["first_event"].astype(np.int64))

    @cached_property
    def _by_sender(self) -> tuple[Pairs, Rows]:
        pairs = Pairs(len(self._extract.texts), self._bytes)
        codes = pairs.codes(self._extract.texts.cleaned_of(self._sender), self._bytes)
        return pairs, Rows(codes, self._born, self._born != NO_TIME)

    @cached_property
    def births(self) -> Rows:
        """Return the births by queue and number, see `key_codes`, in the order of their times."""
        return Rows(self._keys, self._born, self._has_birth & (self._born != NO_TIME))

    def births_of(self, key: Key) -> list[int]:
        """Return when messages of a number were born, in order (unit: ns since 1970)."""
        pair = self._pairs.code(self._queues.get(key[0], NOTHING), key[1])
        found: list[int] = [] if pair < 0 else self.births.times_of(pair).tolist()
        return found

    def key_codes(self, queues: Iterable[str], codes: Array, numbers: Array) -> Any:
        """Return the number of queue and message number in this log for those of any log.

        Args:
            queues: Code -> name of a queue, there.
            codes: The queues.
            numbers: The message numbers.
        """
        own = np.array([*(self._queues.get(name, NOTHING) for name in queues), NOTHING])
        return self._pairs.codes(own[codes], numbers)

    @cached_property
    def sessions(self) -> SessionTable:
        """Return the sessions."""
        times = self._told("session", self._extract.session_lines["time"])
        return SessionTable(self, self._extract, times)

    @property
    def has_sessions(self) -> bool:
        """Say whether the log tells of sessions; they need not be cut for it."""
        return SessionTable.has_any(self._extract)

    @cached_property
    def scans(self) -> ScanTable:
        """Return the scans."""
        return ScanTable(self, self._extract, self._told("scan", self._extract.scans["time"]))

    @cached_property
    def _holes(self) -> dict[int, Array]:
        """Return queue -> when a delivery began before which many in a row have no start, in order of time."""
        found = self._extract.deliveries
        rows = np.flatnonzero(found["started"] != NO_TIME)
        rows = rows[np.argsort(found["queue"][rows], kind="stable")]
        queues, runs, numbers = (found[name][rows].astype(np.int64) for name in ("queue", "run", "delivery_number"))
        is_next = np.append(False, queues[1:] == queues[:-1])[: len(rows)]
        last_runs, last_numbers = np.roll(runs, 1), np.roll(numbers, 1)
        first = np.where(runs > 0, 1, numbers)  # the log may begin within a run
        expected = np.where(is_next, np.where(runs == last_runs, last_numbers + 1, 1), first)
        is_hole = (numbers < expected) | (numbers >= expected + HOLE_STARTS)
        times = found["started"][rows]
        return {code: np.sort(times[is_hole & (queues == code)]) for code in np.unique(queues[is_hole]).tolist()}

    def has_hole(self, queue: str, from_ns: int, to_ns: int) -> bool:
        """Say whether a piece of qmail-send's log of this queue may be missing in a time, found at its end."""
        times = self._holes.get(self._queues.get(queue, NOTHING))
        if times is None:
            return False
        return place(times, from_ns, "right") < place(times, to_ns, "right")


_NULLABLE: Final = ("qp", "recipient_count", "end_event", "bounce_qp")
"""Columns of lives in which -1 is null."""


def _word(words: tuple[str, ...], code: int) -> str | None:
    return words[code] if code >= 0 else None


def _neighbours(keys: Array, first_events: Array) -> tuple[Any, Any]:
    """Return for each life the row of the one before of the same number, and the first line of the next; or NOTHING."""
    order = np.argsort(keys, kind="stable")
    is_same = keys[order[1:]] == keys[order[:-1]]
    previous, following = np.full(len(keys), NOTHING, dtype=np.int32), np.full(len(keys), NOTHING)
    previous[order[1:][is_same]] = order[:-1][is_same]
    following[order[:-1][is_same]] = first_events[order[1:][is_same]]
    return previous, following
