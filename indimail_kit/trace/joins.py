"""Which scan and which SMTP mail is a message's: joined by keys and time, with how sure it is and why.

Rule 1: never by the number alone: a number is an inode and is used again at once. A scan is joined by (queue, number)
within the time in which the number can have been the message's; a mail of a session by sender, size, recipients and
time, and only if nobody else has a claim on it.
Rule 2: in doubt less sure. What may be another message's is told as possible or as a gap, never left out in silence.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final, Generic, TypeVar

import numpy as np

from indimail_kit.trace.clocks import JITTER_NS, MIN_SCANS, NS, measure_ahead_s
from indimail_kit.trace.index import LogIndex
from indimail_kit.trace.ordered import NO_TIME
from indimail_kit.trace.records import Key, Life, Mail, Scan, cleaned
from indimail_kit.trace.story import Confidence, iso, weakest

SCAN_CERTAIN_NS: Final = 2 * NS
"""Longest time from the scan to "new msg" that leaves no room for doubt: qmail-queue links todo right behind the scan,
and todo-proc is woken by it (unit: ns)."""

SCAN_LIKELY_NS: Final = 10 * NS
"""The same for likely: a busy todo-proc (unit: ns)."""

TODO_SCAN_NS: Final = 1500 * NS
"""Longest that a message waits for todo-proc when its trigger was lost (unit: ns). Source: qmail-send.c SLEEP_TODO."""

MANY_SCANS: Final = 20
"""Fewer scans than these do not show what the shortest time to "new msg" is (unit: scans)."""

MAIL_CERTAIN_NS: Final = 5 * NS
"""Longest time between qmail-smtpd's line and "new msg" for certain (unit: ns)."""

MAIL_ALONE_NS: Final = 60 * NS
"""No other mail that could be meant within this time, for certain (unit: ns)."""


_NEVER: Final = 2**63 - 1
"""A time that never comes (unit: ns since 1970)."""

T = TypeVar("T")
"""Whatever is linked."""


@dataclass(frozen=True)
class Link(Generic[T]):
    """Something that is a message's, and how sure that is.

    Attributes:
        one: What it is.
        confidence: How sure.
        reason: Why, as a phrase.
    """

    one: T
    confidence: Confidence
    reason: str


class _ScansByNumber:
    """The scans of each number, of all logs, in the order of their times; those without a time are left out."""

    def __init__(self, indexes: Sequence[LogIndex]) -> None:
        self._indexes = indexes
        self._found: dict[int, list[Scan]] = {}

    def get(self, message_number: int, _default: Iterable[Scan] = ()) -> list[Scan]:
        """Return the scans of a number."""
        found = self._found.get(message_number)
        if found is None:
            scans = (one for index in self._indexes for one in index.scans.of_number(message_number))
            found = sorted((one for one in scans if one.unix_ns is not None), key=_time_of)
            self._found[message_number] = found
        return found


class ScanJoiner:
    """Finds the scans of messages.

    Attributes:
        has_scans: Whether any log tells of scans.
        doubt: What is wrong with the clocks, as a sentence; "" if nothing is seen.
        most: How sure a scan is at most with these clocks.
    """

    def __init__(self, indexes: Sequence[LogIndex]) -> None:
        self._indexes = indexes
        self._by_number = _ScansByNumber(indexes)
        self.has_scans = any(index.scans.has_times for index in indexes)
        self.most, self.doubt = self._judge_clocks()

    def _judge_clocks(self) -> tuple[Confidence, str]:
        """Say what is wrong when most scans are not followed by their message, or all of them long after."""
        spans = [span for index in self._indexes if (span := index.births.span) is not None]
        first_ns, last_ns = min((one for one, _ in spans), default=0), max((one for _, one in spans), default=0)
        told, gaps = 0, np.empty(0, dtype=np.int64)
        for one in self._indexes:
            queues, codes, numbers, times = one.scans.clean()
            known = np.zeros(len(times), dtype=np.bool_)
            births = np.full(len(times), _NEVER)
            for index in self._indexes:
                keys = index.key_codes(queues, codes, numbers)
                known |= index.births.has(keys)
                found = index.births.first_times(keys, times - JITTER_NS)
                births = np.minimum(births, np.where(found == NO_TIME, _NEVER, found))
            known &= (times >= first_ns) & (times <= last_ns)
            told += int(np.count_nonzero(known))
            gaps = np.append(gaps, (births - times)[known & (births <= times + SCAN_LIKELY_NS)])
        if told >= MIN_SCANS and 2 * len(gaps) < told:
            ahead_s = self._measured_ahead_s()
            hint = (
                "" if ahead_s is None else f"; the scanner's clock seems to be {ahead_s:+.0f} s ahead of what was told"
            )
            found_text = f"of {told} scans only {len(gaps)} are followed by their message"
            return "possible", f"{found_text}: the clocks differ{hint}"
        least_ns = int(np.sort(gaps)[len(gaps) // 20]) if len(gaps) >= MANY_SCANS else 0
        if least_ns > JITTER_NS:
            hint = f"the scanner's clock may be {-least_ns / NS:+.1f} s ahead of what was told"
            return "likely", f'hardly a scan is less than {_span(least_ns)} before "new msg": {hint}'
        return "certain", ""

    def _measured_ahead_s(self) -> float | None:
        """Return how far the scanner's clock seems to be ahead (unit: s)."""
        pairs: list[tuple[Key, int]] = []
        for index in self._indexes:
            queues, *columns = index.scans.clean()
            rows = zip(*(column.tolist() for column in columns), strict=True)
            pairs += [((queues[code], number), unix_ns) for code, number, unix_ns in rows]
        return measure_ahead_s(pairs, {key: self._births(key) for key, _ in pairs})

    def _births(self, key: Key) -> list[int]:
        """Return when messages of a number were preprocessed, in order (unit: ns since 1970)."""
        found = [index.births_of(key) for index in self._indexes]
        return found[0] if len(found) == 1 else sorted(chain.from_iterable(found))

    def of(
        self, life: Life, mail: Link[Mail] | None, *, has_virus_header: bool = False
    ) -> tuple[list[Link[Scan]], list[str]]:
        """Return the scan of a message, none or one, and what is to be said of others.

        Args:
            life: The message.
            mail: Its mail of an SMTP session, if that is known.
            has_virus_header: Whether its own X-QHPSI tells of a virus.
        """
        scans = [one for one in self._by_number.get(life.message_number, ()) if life.queue in ("", one.queue)]
        if life.born_ns is None:
            return [], [_cannot(f"the log has no time of message {life.message_number}")]
        end = bisect_right(scans, life.born_ns + JITTER_NS, key=_time_of)
        start_ns = _window_start(life)
        start = 0 if start_ns is None else bisect_right(scans, start_ns, key=_latest)
        inside = [one for one in scans[start:end] if life.born_ns - _time_of(one) <= TODO_SCAN_NS]
        if not inside:
            return [], [self._nothing(life, scans[:end], scans[end:])]
        scan = inside[-1]
        link = Link(scan, *self._judge(life, scan, inside, mail, has_virus_header=has_virus_header))
        earlier = [
            f"scan: the one at {iso(one.unix_ns)} has the same number ({_VERDICTS[one.kind]}), yet a later one follows:"
            " a mail that was refused or given up"
            for one in inside[:-1]
        ]
        return [link], [*earlier, *([f"scan: {self.doubt}"] if self.doubt else [])]

    def _judge(
        self, life: Life, scan: Scan, inside: Sequence[Scan], mail: Link[Mail] | None, *, has_virus_header: bool
    ) -> tuple[Confidence, str]:
        """Return how sure it is that the last scan of a number before a message is the message's, and why."""
        born_ns, unix_ns = life.born_ns or 0, _time_of(scan)
        before_ns = born_ns - unix_ns
        after_ns = life.window_start_ns if life.window_start_ns is not None else life.log.send_start_ns
        doubts: list[tuple[Confidence, str]] = []
        if before_ns > SCAN_LIKELY_NS:
            doubts.append(("possible", "the number may have been another message's then"))
        elif before_ns > SCAN_CERTAIN_NS:
            doubts.append(("likely", "longer than qmail-queue needs from the scan to todo"))
        if self.doubt:
            doubts.append((self.most, "the clocks seem to differ"))
        if not life.queue:
            doubts.append(("likely", "the log of qmail-send does not name the queue"))
        if not life.has_birth:
            doubts.append(("possible", "its birth is not in the log"))
        if after_ns is None or _latest(scan) <= after_ns:
            known = life.window_start_ns is not None
            doubts.append(("likely", "the number was still another message's" if known else "the log begins later"))
        elif life.log.has_hole(life.queue, after_ns, born_ns):
            doubts.append(("likely", "a piece of qmail-send's log is missing before it"))
        if scan.is_coarse and self._births_between(life.key, unix_ns, unix_ns + NS + SCAN_CERTAIN_NS) > 1:
            doubts.append(("likely", "its stamp is a whole second, in which two messages had the number"))
        is_told = has_virus_header and scan.kind == "clamd_scan_found"
        if scan.kind != "clamd_scan_ok" and not is_told:
            doubts.append(("likely", "such a mail may have been refused, and the number used again"))
        if any(_time_of(one) > born_ns - SCAN_CERTAIN_NS for one in inside[:-1]):
            doubts.append(("likely", "more than one scan of the number in that time"))
        if mail is not None and mail.confidence != "possible" and not _is_within(scan, mail.one):
            doubts.append(("likely", "not within its SMTP session"))
        queue = "same queue and number" if life.queue else "same number"
        reason = f'{queue}, {_span(before_ns)} before "new msg"'
        if not doubts:
            return "certain", f"{reason}, and nothing else had the number in between"
        return weakest(level for level, _ in doubts), f"{reason}; " + "; ".join(text for _, text in doubts)

    def _nothing(self, life: Life, earlier: Sequence[Scan], later: Sequence[Scan]) -> str:
        """Say that there is no scan, and whose the nearest ones are."""
        if not self.has_scans:
            return "scan: no evidence: no log of a scanner was given"
        text = f"scan: no evidence: the scanner's log has nothing for {life.message_number} in this lifetime"
        if earlier:
            text += f" (the one at {iso(earlier[-1].unix_ns)} belongs to an earlier message)"
        elif later:
            text += f" (the one at {iso(later[0].unix_ns)} belongs to a later message)"
        return text + (f"; {self.doubt}" if self.doubt else "")

    def of_refused(self, mail: Mail, rivals: Iterable[Mail]) -> list[Link[Scan]]:
        """Return the scans that may be of a mail that was refused: its number is told nowhere, so by time alone."""
        if mail.unix_ns is None:
            return []
        begin_ns = _beginning(mail) - JITTER_NS
        scans = (one for index in self._indexes for one in index.scans.bad(begin_ns, mail.unix_ns + JITTER_NS))
        found = sorted((one for one in scans if self._may_be_refused(one, mail)), key=_time_of)
        others = [one for one in rivals if one is not mail]
        if len(found) == 1 and not any(_is_within(found[0], one) for one in others):
            reason = "the only file within this session in which something was found; no key that both lines have"
            return [Link(found[0], "likely", reason)]
        return [Link(one, "possible", "within this session, and so are others") for one in found]

    def _may_be_refused(self, scan: Scan, mail: Mail) -> bool:
        """Say whether a scan lies in a session and nothing with its number was queued behind it."""
        key = (scan.queue, scan.message_number or 0)
        is_bad = scan.kind != "clamd_scan_ok"
        return is_bad and _is_within(scan, mail) and not self._is_queued(key, _time_of(scan))

    def _births_between(self, key: Key, from_ns: int, to_ns: int) -> int:
        """Count the messages of a number that were preprocessed in a time."""
        births = self._births(key)
        return bisect_right(births, to_ns) - bisect_left(births, from_ns)

    def _is_queued(self, key: Key, unix_ns: int) -> bool:
        """Say whether a message of this number was preprocessed so soon that the scan must be its own."""
        births = self._births(key)
        at = bisect_left(births, unix_ns - JITTER_NS)
        return at < len(births) and births[at] <= unix_ns + JITTER_NS


class MailJoiner:
    """Finds the SMTP mails of messages.

    Attributes:
        has_sessions: Whether any log tells of sessions.
    """

    def __init__(self, indexes: Sequence[LogIndex]) -> None:
        self._indexes = indexes
        self.has_sessions = any(index.has_sessions for index in indexes)
        self._recipients: dict[int, frozenset[str]] = {}

    @cached_property
    def refused(self) -> list[Mail]:
        """Return the mails that qmail-queue did not take."""
        return [mail for index in self._indexes for mail in index.sessions.refused()]

    def refused_as(self, qp: int) -> list[Mail]:
        """Return the mails with a qp that qmail-queue did not take."""
        return [mail for index in self._indexes for mail in index.sessions.refused(qp)]

    def named(self, address: str) -> list[Mail]:
        """Return the mails that may have an address, as `cleaned` gives it, as sender or recipient."""
        return [mail for index in self._indexes for mail in index.sessions.named(address)]

    def of(self, life: Life) -> list[Link[Mail]]:
        """Return the mail of a message; several when it may be any of them."""
        if life.sender is None or life.born_ns is None:
            return []
        wanted = cleaned(life.sender), life.message_bytes, life.born_ns - TODO_SCAN_NS, life.born_ns + MAIL_ALONE_NS
        mails = (one for index in self._indexes for one in index.sessions.accepted(*wanted))
        found = sorted((one for one in mails if self._overlap(life, one)), key=_mail_time)
        near = [one for one in found if abs(life.born_ns - _mail_time(one)) <= MAIL_ALONE_NS]
        if len(near or found) == 1:
            mail = (near or found)[0]
            return [Link(mail, *self._judge(life, mail))]
        reason = f"same sender, size and recipient, and so have {len(near or found) - 1} others at that time"
        return [Link(one, "possible", reason) for one in near or found]

    def lives_of(self, mail: Mail) -> list[Life]:
        """Return the messages that may be a mail's."""
        time_ns = _mail_time(mail)
        wanted = cleaned(mail.sender), mail.message_bytes, time_ns - MAIL_ALONE_NS, time_ns + TODO_SCAN_NS
        lives = (one for index in self._indexes for one in index.lives_of_sender(*wanted))
        return sorted((one for one in lives if self._overlap(one, mail)), key=_born)

    def _judge(self, life: Life, mail: Mail) -> tuple[Confidence, str]:
        """Return how sure it is that the only mail that fits is the message's, and why."""
        time_ns, born_ns = _mail_time(mail), _born(life)
        rivals = [
            one
            for one in self.lives_of(mail)
            if one is not life and -MAIL_CERTAIN_NS <= _born(one) - time_ns <= MAIL_ALONE_NS
        ]
        reason = f'same sender, size and recipients, {_span(born_ns - time_ns)} before "new msg"'
        if rivals:
            return "possible", f"{reason}; so has message {rivals[0].message_number}"
        if abs(born_ns - time_ns) > MAIL_CERTAIN_NS:
            return "likely", f"{reason}: longer than todo-proc needs"
        if self._overlap(life, mail) == 1:
            return "likely", f"{reason}; not all recipients agree"
        if life.log.has_hole(life.queue, born_ns - MAIL_ALONE_NS, born_ns):
            return "likely", f"{reason}; a piece of qmail-send's log is missing before it"
        return "certain", f"{reason}, and nothing else fits"

    def _overlap(self, life: Life, mail: Mail) -> int:
        """Return how far recipients agree: 2 all of the shorter list, 1 some, 0 none."""
        theirs, ours = self._cleaned(mail, mail.recipients), self._cleaned(life, life.recipients)
        if not ours:
            return 1
        # A virtual domain puts a name in front: user@example.com becomes example.com-user@example.com.
        agree = sum(one in ours or any(other.endswith(f"-{one}") for other in ours) for one in theirs)
        return 2 if agree >= min(len(theirs), len(ours)) else 1 if agree else 0

    def _cleaned(self, owner: object, recipients: Iterable[str]) -> frozenset[str]:
        """Return recipients in the form in which they can be compared, made once."""
        found = self._recipients.get(id(owner))
        if found is None:
            found = self._recipients[id(owner)] = frozenset(map(cleaned, recipients))
        return found


_VERDICTS: Final = {
    "clamd_scan_ok": "nothing found",
    "clamd_scan_found": "a signature found",
    "clamd_scan_error": "not scanned",
}


def _cannot(why: str) -> str:
    return f"scan: cannot be joined: {why}"


def _time_of(scan: Scan) -> int:
    return scan.unix_ns or 0


def _latest(scan: Scan) -> int:
    """Return when it was at the latest: a stamp of whole seconds is up to a second early."""
    return _time_of(scan) + (NS - 1 if scan.is_coarse else 0)


def _mail_time(mail: Mail) -> int:
    return mail.unix_ns or 0


def _born(life: Life) -> int:
    return life.born_ns or 0


def _window_start(life: Life) -> int | None:
    """Return the time behind which a scan of the number cannot be the message's before; None if it is not known."""
    previous = life.previous
    if previous is None or previous.last_ns is None:
        return None
    # Lines of two logs change places within JITTER_NS, yet a scan is before its own message's birth.
    born_ns = previous.born_ns if previous.has_birth and previous.born_ns is not None else previous.last_ns
    return max(born_ns, previous.last_ns - JITTER_NS)


def _is_within(scan: Scan, mail: Mail) -> bool:
    """Say whether a scan lies between the beginning of a session and the line about one of its mails."""
    return _beginning(mail) - JITTER_NS <= _latest(scan) and _time_of(scan) <= _mail_time(mail) + JITTER_NS


def _beginning(mail: Mail) -> int:
    """Return when the session of a mail began, or may have begun (unit: ns since 1970)."""
    start_ns = mail.session.start_ns if mail.session.has_start and mail.session.start_ns is not None else None
    return _mail_time(mail) - MAIL_ALONE_NS if start_ns is None else start_ns


def _span(span_ns: int) -> str:
    """Return a length of time in words."""
    return f"{span_ns / NS:.0f} s" if abs(span_ns) >= 10 * NS else f"{span_ns / 10**6:.0f} ms"
