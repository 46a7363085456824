"""The lines of qmail-smtpd and tcpserver, cut into sessions and mails.

Rule 1: a session is a pid until its process ends, begins anew, or was silent for longer than qmail-smtpd waits.
Rule 2: sessions and mails are rows of numbers; one is made a value when a story asks for it, and is the same one then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from indimail_kit.trace.clocks import NS
from indimail_kit.trace.extract import KIND, LogExtract
from indimail_kit.trace.ordered import NO_TIME, NOTHING, Pairs, Rows, or_none, place
from indimail_kit.trace.records import Mail, Session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from indimail_kit.trace.index import LogIndex
    from indimail_kit.trace.ordered import Array

_SILENCE_NS: Final = 1300 * NS
"""A session that says nothing for longer is another one of the same pid: qmail-smtpd gives up after 1200 s
(timeoutsmtpd; unit: ns)."""

_START, _FIRST = KIND["tcpserver_start"], KIND["tcpserver_pid"]
_ENDS: Final = (KIND["tcpserver_sigchild"], KIND["tcpserver_end"])
_ACCEPTED, _REFUSED = KIND["smtpd_accepted"], KIND["smtpd_refused"]


@dataclass(slots=True)
class _Open:
    """A session while its lines are read.

    Attributes:
        row: Which one.
        end_ns: Time of its last line (unit: ns since 1970), or None.
        mail: Row of its last mail, NOTHING without.
        facts: What all lines of that mail have in common.
        recipients: Its recipients so far.
    """

    row: int
    end_ns: int | None
    mail: int = NOTHING
    facts: tuple[int, ...] = ()
    recipients: set[int] = field(default_factory=set)


class SessionTable:
    """The sessions of a log.

    Args:
        index: The log, with its clocks.
        extract: The same log.
        times: Times of its session lines by qmail-send's clock.
    """

    def __init__(self, index: LogIndex, extract: LogExtract, times: Array) -> None:
        self._index, self._extract, self._times = index, extract, times
        count = len(times)
        self._session_of = np.full(count, NOTHING, dtype=np.int32)
        self._mail_of = np.full(count, NOTHING, dtype=np.int32)
        starts: list[tuple[int, bool, int]] = []
        ends: list[int] = []
        mails: list[tuple[int, int]] = []
        self._cut(starts, ends, mails)
        self._starts, self._ends = np.array(starts, dtype=np.int64).reshape(len(ends), 3), np.array(ends, np.int64)
        table = np.array(mails, dtype=np.int64).reshape(len(mails), 2)
        order = np.argsort(table[:, 0], kind="stable")  # session by session, as people read them
        place = np.empty(len(order) + 1, dtype=np.int32)
        place[order], place[-1] = np.arange(len(order)), NOTHING
        self._mail_of = place[self._mail_of]
        self._mail_session, self._mail_line = table[order, 0], table[order, 1]
        self._lines_of_session, self._lines_of_mail = Rows(self._session_of), Rows(self._mail_of)
        self._sessions: dict[int, Session] = {}
        self._mails: dict[int, Mail] = {}
        lines = extract.session_lines
        senders, sizes = extract.texts.cleaned_of(lines["sender"][self._mail_line]), lines["bytes"][self._mail_line]
        self._pairs = Pairs(len(extract.texts), sizes)
        self._is_accepted = lines["kind"][self._mail_line] == _ACCEPTED
        mail_times = times[self._mail_line]
        self._accepted = Rows(
            self._pairs.codes(senders, sizes), mail_times, self._is_accepted & (mail_times != NO_TIME)
        )

    @staticmethod
    def has_any(extract: LogExtract) -> bool:
        """Say whether a log tells of a session, without cutting it."""
        lines = extract.session_lines
        return bool(((lines["pid"] >= 0) & (lines["kind"] != _START)).any())

    def __len__(self) -> int:
        """Return the number of sessions."""
        return len(self._ends)

    def _cut(self, starts: list[tuple[int, bool, int]], ends: list[int], mails: list[tuple[int, int]]) -> None:
        """Give each line its session and mail.

        Args:
            starts: Gets pid of each session, whether its beginning is there, and the time of its first line.
            ends: Gets the time of its last line.
            mails: Gets session and first line of each mail.
        """
        lines = self._extract.session_lines
        current: dict[int, _Open] = {}
        columns = (lines[name].tolist() for name in ("kind", "pid", "sender", "recipient", "bytes", "qp"))
        sessions_of, mails_of = self._session_of, self._mail_of
        rows = zip(self._times.tolist(), *columns, strict=True)
        for line, (told_ns, kind, pid, sender, recipient, size, qp) in enumerate(rows):
            if pid < 0 or kind == _START:
                continue
            time = None if told_ns == NO_TIME else told_ns
            session = current.get(pid)
            is_silent = session is not None and (time or 0) - (session.end_ns or 0) > _SILENCE_NS
            if session is None or is_silent or kind == _FIRST:
                session = current[pid] = _Open(len(ends), time)
                starts.append((pid, kind == _FIRST, told_ns))
                ends.append(told_ns)
            sessions_of[line] = session.row
            if time is not None:
                session.end_ns = ends[session.row] = told_ns
            if kind in (_ACCEPTED, _REFUSED):
                facts = (kind, sender, size, qp)
                if facts != session.facts or recipient in session.recipients:
                    session.mail, session.facts, session.recipients = len(mails), facts, set()
                    mails.append((session.row, line))
                session.recipients.add(recipient)
                mails_of[line] = session.mail
            if kind in _ENDS:
                del current[pid]

    def _session(self, row: int) -> Session:
        """Return a session with its mails."""
        session = self._sessions.get(row)
        if session is None:
            pid, has_start, start_ns = self._starts[row].tolist()
            positions = self._extract.session_lines["position"][self._lines_of_session.of(row)].tolist()
            session = self._sessions[row] = Session(
                pid, self._index, positions, [], bool(has_start), or_none(start_ns), or_none(int(self._ends[row]))
            )
            first, last = place(self._mail_session, row), place(self._mail_session, row, "right")
            for mail in range(first, last):
                self._mails[mail] = self._made(mail, session)
                session.mails.append(self._mails[mail])
        return session

    def _made(self, mail: int, session: Session) -> Mail:
        """Return a mail as a value."""
        lines, texts = self._extract.session_lines, self._extract.texts
        rows = self._lines_of_mail.of(mail)
        first = int(self._mail_line[mail])
        kind, sender, size, qp = (int(lines[name][first]) for name in ("kind", "sender", "bytes", "qp"))
        return Mail(
            session, kind == _ACCEPTED, texts.text(sender) or "",
            [texts.text(one) or "" for one in lines["recipient"][rows].tolist()],
            None if size < 0 else size, None if qp < 0 else qp, lines["position"][rows].tolist(),
            or_none(int(self._times[first])),
        )  # fmt: skip

    def mails(self, rows: Iterable[int]) -> list[Mail]:
        """Return mails by their rows."""
        found = []
        for row in rows:
            if row not in self._mails:
                self._session(int(self._mail_session[row]))
            found.append(self._mails[row])
        return found

    def refused(self, qp: int | None = None) -> list[Mail]:
        """Return the mails that qmail-queue did not take; those with a qp if one is given."""
        is_wanted = ~self._is_accepted
        if qp is not None:
            is_wanted &= self._extract.session_lines["qp"][self._mail_line] == qp
        return self.mails(np.flatnonzero(is_wanted).tolist())

    def accepted(self, sender: str, size: int | None, from_ns: int, to_ns: int) -> list[Mail]:
        """Return the mails that it took, of a sender and size, in the order of their times.

        Args:
            sender: As `cleaned` gives it.
            size: Size (unit: octets), or None.
            from_ns: First time (unit: ns since 1970).
            to_ns: Last time.
        """
        pair = self._pairs.code(self._extract.texts.cleaned_code(sender), size)
        return [] if pair < 0 else self.mails(self._accepted.between(pair, from_ns, to_ns).tolist())

    def named(self, address: str) -> list[Mail]:
        """Return the mails with a sender or recipient, as `cleaned` gives it, session by session."""
        code = self._extract.texts.cleaned_code(address)
        if code < 0:
            return []
        lines, cleaned_of = self._extract.session_lines, self._extract.texts.cleaned_of
        is_named = (cleaned_of(lines["sender"]) == code) | (cleaned_of(lines["recipient"]) == code)
        mails = np.unique(self._mail_of[is_named])
        return self.mails(mails[mails >= 0].tolist())
