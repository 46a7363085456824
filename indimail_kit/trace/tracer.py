"""Asks logs, queues, mailboxes and recorded sessions for one message, and puts its story together.

Rule 1: several messages that fit the question are all told, and none of them as certain.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from indimail_kit.errors import TraceError
from indimail_kit.trace.clocks import WITHIN_S, ClockName, Clocks
from indimail_kit.trace.extract import LogExtract, extract_of
from indimail_kit.trace.files import DeliveredMail, QueuedFiles, QueueFiles, read_mails
from indimail_kit.trace.index import LogIndex
from indimail_kit.trace.joins import MailJoiner, ScanJoiner
from indimail_kit.trace.recordings import RecordedMail, Recording, read_recordings
from indimail_kit.trace.records import Life, cleaned
from indimail_kit.trace.story import CONFIDENCES, Trace, iso
from indimail_kit.trace.telling import Material, tell_life
from indimail_kit.trace.telling_others import tell_files, tell_recorded, tell_refused, tell_scans, tell_unqueued
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.logs import Event, Log
    from indimail_kit.mailqueue import Queues

_S = 10**9


class Tracer:
    """Everything that may tell of a message, ready to be asked.

    Args:
        logs: Logs of qmail-send, qmail-smtpd and clamd, each one or all in one; files of one program that follow each
            other belong into one `read_log` or `logs.read`.
        queues: Queues to look at, read-only; of the same host as the logs, for a queue's name means no other host.
        mails: Maildirs, or files with a delivered mail.
        recordings: Recorded SMTP sessions, for example the lab's.
        ahead_s: Clock ("session", "scan", "mail") -> seconds that its host is ahead of qmail-send's (unit: s).

    Attributes:
        logs: The logs.
        queues: The queues, None without.
        mails: Maildirs and mails.
        ahead_s: Clock -> seconds that it is ahead (unit: s).
        has_recordings: Whether a recorded session has a mail.
        unread: Path and reason of each mail that is there and could not be read.

    The logs are cut into what can be asked when the first question comes.

    Raises:
        TraceError: A clock that nobody has; a place that is neither a mail nor a Maildir.
        OSError: A mailbox cannot be read.
    """

    def __init__(
        self,
        *,
        logs: Iterable[Log | LogExtract] = (),
        queues: Queues | None = None,
        mails: Iterable[str | os.PathLike[str]] = (),
        recordings: Iterable[Recording] = (),
        ahead_s: Mapping[ClockName, float] | None = None,
    ) -> None:
        self.logs, self.queues, self.mails = tuple(logs), queues, tuple(map(Path, mails))
        self.ahead_s = MappingProxyType(dict(ahead_s or {}))
        self._clocks = clocks = Clocks(self.ahead_s)
        by_qp: dict[int, list[DeliveredMail]] = defaultdict(list)
        unread: list[tuple[Path, str]] = []
        for mail in read_mails(self.mails, clocks, unread):
            if mail.head.qp is not None:
                by_qp[mail.head.qp].append(mail)
        self.unread = tuple(unread)
        recorded: dict[int, list[RecordedMail]] = defaultdict(list)
        for one in read_recordings(recordings, clocks):
            recorded[one.qp].append(one)
        self.has_recordings = bool(recorded)
        self._delivered, self._recorded = by_qp, recorded

    @cached_property
    def _indexes(self) -> list[LogIndex]:
        """Return the logs, cut for being asked: made with the first question, for a long log takes seconds."""
        extracts = (log if isinstance(log, LogExtract) else extract_of(log) for log in self.logs)
        return [LogIndex(one, self._clocks) for one in extracts]

    @cached_property
    def _material(self) -> Material:
        """Return everything, joined as far as it can be without a question."""
        return Material(
            indexes=self._indexes,
            scans=ScanJoiner(self._indexes),
            mails=MailJoiner(self._indexes),
            files=QueueFiles(self.queues),
            delivered=self._delivered,
            recorded=self._recorded,
            has_mailboxes=bool(self.mails),
            has_recordings=self.has_recordings,
        )

    def message(
        self,
        message_number: int,
        *,
        queue: str = "",
        lifetime: int | None = None,
        at_ns: int | None = None,
        within_s: float = WITHIN_S,
    ) -> Trace:
        """Trace a message by its number.

        Args:
            message_number: Number in the queue; used again and again, so more than one message may answer.
            queue: Name of the queue, if it is known.
            lifetime: Which life of the number, as MESSAGES counts them.
            at_ns: A time at which it was there (unit: ns since 1970).
            within_s: How far from that it may have been there (unit: s).

        Raises:
            TraceError: Nothing tells of such a message.
        """
        lives = [
            one for index in self._indexes for one in index.lives_of_number(message_number)
            if queue in ("", one.queue) and lifetime in (None, one.lifetime)
        ]  # fmt: skip
        traces = [*self._told(lives, at_ns, within_s)]
        claimed = {id(one) for life in lives for one in self._material.files_of(life)[0]}
        if lifetime is None:
            files = (one for one in self._material.files.of(queue, message_number) if id(one) not in claimed)
            traces += [tell_files(self._material, one) for one in files]
        if not traces and lifetime is None:
            found = (one for index in self._indexes for one in index.scans.of_number(message_number))
            scans = [one for one in found if queue in ("", one.queue)]
            traces = [tell_scans(scans)] if scans else []
        what = f"message {message_number}{f' in {queue}' if queue else ''}{f', life {lifetime}' if lifetime else ''}"
        return self._answer(what, traces, at_ns)

    def qp(self, qp: int, *, at_ns: int | None = None, within_s: float = WITHIN_S) -> Trace:
        """Trace a message by its long-term queue identifier: the process of qmail-queue, which is used again, too.

        Args:
            qp: As in ``250 ok … qp N``, in "info msg", and in the Received line.
            at_ns: When it was queued or refused, as ``250 ok SECOND qp N`` says it (unit: ns since 1970).
            within_s: How far from that it may have been (unit: s).

        Raises:
            TraceError: Nothing tells of such a message.
        """
        lives = [one for index in self._indexes for one in index.lives_of_qp(qp)]
        traces = [*self._told([one for one in lives if _is_at(at_ns, one.born_ns, one.born_ns, within_s)], None)]
        refused = self._material.mails.refused_as(qp)
        traces += [
            tell_refused(self._material, one) for one in refused if _is_at(at_ns, one.unix_ns, one.unix_ns, within_s)
        ]
        traces = traces or [
            *self._filed(lambda one: one.qp == qp),
            *self._heard(lambda one: one.qp == qp, at_ns, within_s),
        ]
        return self._answer(f"qp {qp}", traces, at_ns)

    def address(self, address: str, *, at_ns: int | None = None, within_s: float = WITHIN_S) -> Trace:
        """Trace the messages from or to an address.

        Args:
            address: Envelope sender or recipient; upper and lower case are the same.
            at_ns: When it was, as a person tells it (unit: ns since 1970); any time if not given.
            within_s: How far from that a message may be (unit: s).

        Raises:
            TraceError: Nothing tells of such a message.
        """
        wanted = cleaned(address)
        named = (one for index in self._indexes for one in index.lives_named(wanted))
        lives = [one for one in named if _names(wanted, one.sender, one.recipients)]
        traces = [*self._told(lives, at_ns, within_s)]
        mails = self._material.mails
        for mail in sorted(mails.named(wanted), key=lambda one: one.is_accepted):
            fits = _names(wanted, mail.sender, mail.recipients) and _is_at(at_ns, mail.unix_ns, mail.unix_ns, within_s)
            if fits and not mail.is_accepted:
                traces.append(tell_refused(self._material, mail))
            elif fits and not mails.lives_of(mail):
                traces.append(tell_unqueued(mail))
        if not traces:
            traces = [
                *self._filed(lambda one: _names(wanted, one.sender, one.recipients)),
                *self._heard(lambda one: _names(wanted, one.sender, one.recipients), at_ns, within_s),
            ]
        when = "" if at_ns is None else f", {iso(at_ns)} ± {within_s:g} s"
        return self._answer(f"{address}{when}", traces, at_ns)

    def events_at(self, file: str, line_number: int) -> list[tuple[int, Event]]:
        """Return position and octets of the lines that stand there; logs that were in memory have files without names.

        Args:
            file: Where a piece of evidence is from, "" for octets in memory.
            line_number: Its line there.
        """
        return [one for index in self._indexes for one in index.events_at(file, line_number)]

    def _told(self, lives: Iterable[Life], at_ns: int | None, within_s: float = WITHIN_S) -> Iterator[Trace]:
        """Yield the stories of the lives that were there at a time."""
        for life in lives:
            if not _is_life_at(life, at_ns, within_s):
                continue
            trace = tell_life(self._material, life)
            doubt = _doubt(life, at_ns)
            yield replace(trace, confidence="possible", reason=doubt) if doubt else trace

    def _filed(self, fits: Callable[[QueuedFiles], bool]) -> Iterator[Trace]:
        """Yield the stories of messages of which only the queue tells."""
        for queue, number in self._material.files.numbers():
            for one in self._material.files.of(queue, number):
                if fits(one):
                    yield tell_files(self._material, one)

    def _heard(self, fits: Callable[[RecordedMail], bool], at_ns: int | None, within_s: float) -> Iterator[Trace]:
        """Yield the stories of mails of which only a recorded session tells."""
        for heard in (one for found in self._material.recorded.values() for one in found if fits(one)):
            if _is_at(at_ns, heard.unix_ns, heard.unix_ns, within_s):
                yield tell_recorded(heard)

    def _answer(self, question: str, traces: Sequence[Trace], at_ns: int | None) -> Trace:
        """Return the best story, with the others that fit."""
        if not traces:
            raise TraceError(f"no evidence of {visible(question)} in {self._places()}")
        if len(traces) > 1:
            reason = f"{len(traces)} messages fit; which of them is meant, a time, queue or life would tell"
            traces = [replace(one, confidence="possible", reason=reason) for one in traces]
        ordered = sorted(traces, key=lambda one: _distance(one, at_ns))
        first, *others = (replace(one, question=question) for one in ordered)
        return replace(first, others=tuple(others))

    def _places(self) -> str:
        """Return what was looked at, in words."""
        logs = [index.name or "a log" for index in self._indexes]
        queues = [] if self._material.files.queues is None else [str(self._material.files.queues.place)]
        mails = ["the mailboxes"] if self.mails else []
        sessions = ["the sessions"] if self.has_recordings else []
        return visible(", ".join([*logs, *queues, *mails, *sessions])) or "nothing: no log, queue or mailbox was given"


def _names(wanted: str, sender: str | None, recipients: Iterable[str]) -> bool:
    """Say whether an address is sender or recipient."""
    return wanted in {cleaned(one) for one in (sender, *recipients) if one}


def _is_life_at(life: Life, at_ns: int | None, within_s: float) -> bool:
    """Say whether a life was there at a time, give or take; one without a birth in the log may have been before it."""
    if at_ns is None:
        return True
    if not life.has_birth and life.last_ns is not None and at_ns <= life.last_ns:
        before_ns = life.window_start_ns
        return before_ns is None or before_ns - within_s * _S <= at_ns
    return _is_at(at_ns, life.born_ns, None if life.is_open else life.last_ns, within_s, is_open=life.is_open)


def _doubt(life: Life, at_ns: int | None) -> str:
    """Say why it is not sure that it was this life which was there at a time; "" if it is."""
    if at_ns is None or life.born_ns is None:
        return ""
    if not life.has_birth and at_ns < life.born_ns:
        return "its birth is not in the log: it may have been another message's number then"
    if life.log.has_hole(life.queue, life.born_ns, max(at_ns, life.last_ns or at_ns)):
        return "a piece of the log is missing between its birth and its last line: another may have followed in it"
    if life.log.merged_at(life) is not None:
        return "a second message of this number begins within this lifetime, and the log does not tell them apart"
    return ""


def _is_at(
    at_ns: int | None, began_ns: int | None, ended_ns: int | None, within_s: float = WITHIN_S, *, is_open: bool = False
) -> bool:
    """Say whether something was there at a time, give or take."""
    if at_ns is None:
        return True
    if began_ns is None:
        return False
    last_ns = began_ns if ended_ns is None else ended_ns
    return began_ns - within_s * _S <= at_ns and (is_open or at_ns <= last_ns + within_s * _S)


def _distance(trace: Trace, at_ns: int | None) -> tuple[int, int]:
    """Return what stories are ordered by: nearest to a time, else the latest; the surer before the others."""
    began_ns = trace.message.began_ns or 0
    surest = min((CONFIDENCES.index(one.confidence) for one in trace.evidence), default=len(CONFIDENCES))
    return (-began_ns if at_ns is None else abs(began_ns - at_ns), surest)
