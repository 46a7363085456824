"""Which scan and which SMTP mail is a message's: joined by keys and time, with how sure it is and why.

Rule 1: never by the number alone: a number is an inode and is used again at once. A scan is joined by (queue, number)
within the time in which the number can have been the message's; a mail of a session by sender, size, recipients and
time, and only if nobody else has a claim on it.
Rule 2: in doubt less sure. What may be another message's is told as possible or as a gap, never left out in silence.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from indimail_kit.trace.clocks import JITTER_NS, MIN_SCANS, NS, measure_ahead_s
from indimail_kit.trace.index import LogIndex
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


class ScanJoiner:
    """Finds the scans of messages.

    Attributes:
        has_scans: Whether any log tells of scans.
        doubt: What is wrong with the clocks, as a sentence; "" if nothing is seen.
        most: How sure a scan is at most with these clocks.
    """

    def __init__(self, indexes: Sequence[LogIndex]) -> None:
        self._by_number: dict[int, list[Scan]] = defaultdict(list)
        self._nameless: list[Scan] = []
        self._births: dict[Key, list[int]] = defaultdict(list)
        for index in indexes:
            for scan in index.scans:
                if scan.message_number is not None and scan.unix_ns is not None:
                    self._by_number[scan.message_number].append(scan)
                elif scan.unix_ns is not None:
                    self._nameless.append(scan)
            for life in index.lives:
                if life.has_birth and life.born_ns is not None:
                    self._births[life.key].append(life.born_ns)
        for found in (*self._by_number.values(), self._nameless):
            found.sort(key=_time_of)
        for times in self._births.values():
            times.sort()
        self.has_scans = bool(self._by_number or self._nameless)
        self.most, self.doubt = self._judge_clocks()

    def _judge_clocks(self) -> tuple[Confidence, str]:
        """Say what is wrong when most scans are not followed by their message, or all of them long after."""
        times = [time for births in self._births.values() for time in births]
        first_ns, last_ns = min(times, default=0), max(times, default=0)
        pairs: list[tuple[Key, int]] = [
            ((scan.queue, number), _time_of(scan))
            for number, scans in self._by_number.items()
            for scan in scans
            if scan.kind == "clamd_scan_ok" and (scan.queue, number) in self._births
        ]
        told = [pair for pair in pairs if first_ns <= pair[1] <= last_ns]
        gaps = sorted(gap for key, unix_ns in told if (gap := self._gap(key, unix_ns)) is not None)
        if len(told) >= MIN_SCANS and 2 * len(gaps) < len(told):
            ahead_s = measure_ahead_s(pairs, self._births)
            hint = (
                "" if ahead_s is None else f"; the scanner's clock seems to be {ahead_s:+.0f} s ahead of what was told"
            )
            found = f"of {len(told)} scans only {len(gaps)} are followed by their message"
            return "possible", f"{found}: the clocks differ{hint}"
        least_ns = gaps[len(gaps) // 20] if len(gaps) >= MANY_SCANS else 0
        if least_ns > JITTER_NS:
            hint = f"the scanner's clock may be {-least_ns / NS:+.1f} s ahead of what was told"
            return "likely", f'hardly a scan is less than {_span(least_ns)} before "new msg": {hint}'
        return "certain", ""

    def _gap(self, key: Key, unix_ns: int) -> int | None:
        """Return how long after a time a message of this number is preprocessed, None if not soon (unit: ns)."""
        births = self._births.get(key, [])
        at = bisect_left(births, unix_ns - JITTER_NS)
        is_soon = at < len(births) and births[at] <= unix_ns + SCAN_LIKELY_NS
        return births[at] - unix_ns if is_soon else None

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
        found = sorted(
            (one for scans in self._by_number.values() for one in scans if self._may_be_refused(one, mail)),
            key=_time_of,
        )
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
        births = self._births.get(key, [])
        return bisect_right(births, to_ns) - bisect_left(births, from_ns)

    def _is_queued(self, key: Key, unix_ns: int) -> bool:
        """Say whether a message of this number was preprocessed so soon that the scan must be its own."""
        births = self._births.get(key, [])
        at = bisect_left(births, unix_ns - JITTER_NS)
        return at < len(births) and births[at] <= unix_ns + JITTER_NS


class MailJoiner:
    """Finds the SMTP mails of messages.

    Attributes:
        refused: The mails that qmail-queue did not take.
        accepted: The mails that it took.
    """

    def __init__(self, indexes: Sequence[LogIndex]) -> None:
        mails = [mail for index in indexes for session in index.sessions for mail in session.mails]
        self.refused = [one for one in mails if not one.is_accepted]
        self.accepted = [one for one in mails if one.is_accepted]
        self.has_sessions = any(index.sessions for index in indexes)
        self._mails: dict[tuple[str, int | None], list[Mail]] = defaultdict(list)
        self._lives: dict[tuple[str, int | None], list[Life]] = defaultdict(list)
        self._recipients: dict[int, frozenset[str]] = {}
        for mail in self.accepted:
            if mail.unix_ns is not None:
                self._mails[cleaned(mail.sender), mail.message_bytes].append(mail)
        for index in indexes:
            for life in index.lives:
                if life.born_ns is not None and life.sender is not None:
                    self._lives[cleaned(life.sender), life.message_bytes].append(life)
        for found in self._mails.values():
            found.sort(key=_mail_time)
        for lives in self._lives.values():
            lives.sort(key=_born)

    def of(self, life: Life) -> list[Link[Mail]]:
        """Return the mail of a message; several when it may be any of them."""
        if life.sender is None or life.born_ns is None:
            return []
        mails = self._mails.get((cleaned(life.sender), life.message_bytes), [])
        start = bisect_left(mails, life.born_ns - TODO_SCAN_NS, key=_mail_time)
        end = bisect_right(mails, life.born_ns + MAIL_ALONE_NS, key=_mail_time)
        found = [one for one in mails[start:end] if self._overlap(life, one)]
        near = [one for one in found if abs(life.born_ns - _mail_time(one)) <= MAIL_ALONE_NS]
        if len(near or found) == 1:
            mail = (near or found)[0]
            return [Link(mail, *self._judge(life, mail))]
        reason = f"same sender, size and recipient, and so have {len(near or found) - 1} others at that time"
        return [Link(one, "possible", reason) for one in near or found]

    def lives_of(self, mail: Mail) -> list[Life]:
        """Return the messages that may be a mail's."""
        time_ns = _mail_time(mail)
        lives = self._lives.get((cleaned(mail.sender), mail.message_bytes), [])
        start = bisect_left(lives, time_ns - MAIL_ALONE_NS, key=_born)
        end = bisect_right(lives, time_ns + TODO_SCAN_NS, key=_born)
        return [one for one in lives[start:end] if self._overlap(one, mail)]

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
    end_ns = _mail_time(mail)
    start_ns = mail.session.start_ns if mail.session.has_start and mail.session.start_ns is not None else None
    begin_ns = end_ns - MAIL_ALONE_NS if start_ns is None else start_ns
    return begin_ns - JITTER_NS <= _latest(scan) and _time_of(scan) <= end_ns + JITTER_NS


def _span(span_ns: int) -> str:
    """Return a length of time in words."""
    return f"{span_ns / NS:.0f} s" if abs(span_ns) >= 10 * NS else f"{span_ns / 10**6:.0f} ms"
