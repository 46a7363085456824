"""Puts the evidence of one message together: what is its own, how sure that is, and what is missing.

Source: qmail-log(5); IndiMail qmail-send.c, todo-proc.c, smtpd.c; facts, log formats and the 27 s of header dates.

Rule 1: pure: everything was read before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.trace.clocks import DATE_ERROR_NS, LEAP_SECONDS, NS, header_delay
from indimail_kit.trace.files import DeliveredMail, Head, QueuedFiles, QueueFiles
from indimail_kit.trace.index import LogIndex
from indimail_kit.trace.joins import MAIL_ALONE_NS, TODO_SCAN_NS, Link, MailJoiner, ScanJoiner
from indimail_kit.trace.recordings import RecordedMail
from indimail_kit.trace.records import Life, Mail, cleaned
from indimail_kit.trace.story import Confidence, Evidence, Source, Trace, TracedMessage, how_sure, weakest

_OWN: Final = "a line of this number within its lifetime"
_NO_SESSION: Final = "session: no evidence: no log of qmail-smtpd and no recorded session was given"


@dataclass(frozen=True, slots=True)
class Material:
    """All that was read.

    Attributes:
        indexes: The logs.
        scans: Finds scans.
        mails: Finds mails of SMTP sessions.
        files: The queues.
        delivered: qp -> mails in mailboxes.
        recorded: qp -> mails of recorded sessions.
        has_mailboxes: Whether mailboxes were given.
        has_recordings: Whether a recorded session has a mail.
    """

    indexes: Sequence[LogIndex]
    scans: ScanJoiner
    mails: MailJoiner
    files: QueueFiles
    delivered: Mapping[int, Sequence[DeliveredMail]]
    recorded: Mapping[int, Sequence[RecordedMail]]
    has_mailboxes: bool
    has_recordings: bool

    def files_of(self, life: Life) -> tuple[list[QueuedFiles], list[QueuedFiles]]:
        """Return what is in the queue under a life's number: the message itself, and another one."""
        found = self.files.of(life.queue, life.message_number)
        return [one for one in found if _is_its(one, life)], [one for one in found if not _is_its(one, life)]


@dataclass(slots=True)
class Draft:
    """A story while it is put together.

    Attributes:
        evidence: In any order.
        gaps: What is missing.
    """

    evidence: list[Evidence] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)

    def line(self, source: Source, index: LogIndex, position: int, confidence: Confidence, reason: str) -> None:
        """Add a line of a log."""
        line = index.line(position)
        self.add(source, line.unix_ns, line.text, confidence, reason, file=line.file, line_number=line.line_number)

    def add(
        self, source: Source, unix_ns: int | None, text: str, confidence: Confidence, reason: str, *, file: str = "",
        line_number: int = 0,
    ) -> None:  # fmt: skip
        """Add anything."""
        self.evidence.append(
            Evidence(
                source=source, unix_ns=unix_ns, text=text, file=file, line_number=line_number, confidence=confidence,
                reason=reason,
            )
        )  # fmt: skip

    def trace(self, message: TracedMessage) -> Trace:
        """Return the story, as sure as its weakest link."""
        confidence, reason = how_sure(self.evidence, self.gaps)
        return Trace(
            question="", message=message, confidence=confidence, reason=reason,
            evidence=tuple(sorted(self.evidence, key=_order)), gaps=tuple(self.gaps),
        )  # fmt: skip


def _order(one: Evidence) -> tuple[bool, int, str, int]:
    """Return what evidence is ordered by: what has no time stands at the end, a session at the beginning."""
    is_timeless = one.unix_ns is None and one.source != "session"  # a dialogue may be copied without times
    return is_timeless, one.unix_ns or 0, one.file, one.line_number


def tell_life(material: Material, life: Life) -> Trace:
    """Tell the story of a life of a message number."""
    story = Draft()
    is_bounce = _tell_queue_and_bounces(material, life, story)
    links = [] if is_bounce else material.mails.of(life)
    if not is_bounce:
        _tell_session(material, life, links, story)
    link = links[0] if len(links) == 1 else None
    _tell_deliveries(life, story)
    heads = [*_tell_files(material, life, story), *_tell_mails(material, life, story)]
    has_virus_header = any(head.qhpsi not in (None, "", "clean") for head in heads)
    scans, gaps = material.scans.of(life, link, has_virus_header=has_virus_header)
    for scan in scans:
        story.line("scan", scan.one.log, scan.one.position, scan.confidence, scan.reason)
    story.gaps += gaps
    tell_header(heads, story, is_missing=material.scans.has_scans and not scans)
    recipients = life.recipients or (set(link.one.recipients) if link is not None else set())
    return story.trace(
        TracedMessage(
            queue=life.queue, message_number=life.message_number, lifetime=life.lifetime, qp=life.qp,
            sender=life.sender, recipients=tuple(sorted(recipients)), message_bytes=life.message_bytes,
            began_ns=life.born_ns, ended_ns=life.ended_ns,
        )
    )  # fmt: skip


def _tell_session(material: Material, life: Life, links: Sequence[Link[Mail]], story: Draft) -> None:
    """Tell of the SMTP session, or why there is none."""
    is_recorded = False
    for heard in material.recorded.get(life.qp or -1, ()):
        delay_ns = (life.born_ns or 0) - heard.unix_ns
        if life.born_ns is None or not -MAIL_ALONE_NS <= delay_ns <= TODO_SCAN_NS:
            continue
        is_same = cleaned(heard.sender) == cleaned(life.sender or "")
        confidence: Confidence = "certain" if is_same and abs(delay_ns) <= MAIL_ALONE_NS else "likely"
        reason = f"the reply names qp {life.qp}, at that time" + ("" if is_same else "; the sender differs")
        is_recorded = True
        add_recorded(heard, confidence, reason, story)
    for link in links:
        tell_mail(link, story)
    if links or is_recorded:
        return
    if not material.mails.has_sessions:
        if not material.has_recordings:
            story.gaps.append(_NO_SESSION)
    elif life.sender is None or life.born_ns is None:
        story.gaps.append('session: cannot be joined: the log has no "info msg" line of it')
    else:
        story.gaps.append(
            "session: no evidence: qmail-smtpd's log has no mail of this sender, size and recipient at that time;"
            " it may have come another way, as from a local program"
            + (' or as a bounce whose "bounce msg" line is lost' if life.sender == "" else "")
        )


def add_recorded(heard: RecordedMail, confidence: Confidence, reason: str, story: Draft) -> None:
    """Add the dialogue of a recorded session up to the reply that accepts the mail."""
    *before, reply = heard.lines
    for line in before:
        story.add("session", line.unix_ns, line.text, confidence, reason)
    story.add("session", heard.unix_ns, reply.text, confidence, reason)


def tell_mail(link: Link[Mail], story: Draft) -> None:
    """Tell of a mail of an SMTP session, and of the session around it."""
    mail, session = link.one, link.one.session
    others = {position for one in session.mails if one is not mail for position in one.lines}
    around: Confidence = "certain" if session.has_start else "likely"
    why = "same session" if session.has_start else "same pid; the beginning of the session is not in the log"
    for position in session.lines:
        if position in mail.lines:
            story.line("session", session.log, position, link.confidence, link.reason)
        elif position not in others:
            story.line("session", session.log, position, weakest((link.confidence, around)), f"{why}; {link.reason}")


def _tell_queue(life: Life, story: Draft) -> None:
    """Tell the lines of the message itself."""
    index, merged = life.log, life.log.merged_at(life)
    for position in index.lines_of(life):
        line = index.line(position)
        confidence, reason = _doubt(life, line.unix_ns, position, merged)
        source: Source = "bounce" if line.kind == "bounce_msg" else "queue"
        story.line(source, index, position, confidence, reason)
    if not life.has_birth:
        story.gaps.append('queue: no evidence of its birth: the log has neither "new msg" nor "info msg"')
    if life.end_event is None and not life.is_open:
        story.gaps.append('queue: the log lost its end: the number begins anew without "end msg"')
    if merged is not None:
        story.gaps.append("queue: the log lost an end: a second message of this number begins within this lifetime")


def _doubt(life: Life, unix_ns: int | None, position: int, merged: int | None) -> tuple[Confidence, str]:
    """Return how sure it is that a line within a lifetime is the message's.

    Args:
        life: The message.
        unix_ns: Time of the line (unit: ns since 1970).
        position: Its position.
        merged: Position at which another message begins within the lifetime, or None.
    """
    if merged is not None and position >= merged:
        return "possible", "another message of this number may have begun before it"
    is_known = unix_ns is not None and life.born_ns is not None
    if is_known and life.log.has_hole(life.queue, life.born_ns or 0, unix_ns or 0):
        return "likely", "a piece of qmail-send's log is missing before it, in which the number may have begun anew"
    return "certain", _OWN


def _tell_deliveries(life: Life, story: Draft) -> None:
    """Tell the deliveries, and who was not tried."""
    merged = life.log.merged_at(life)
    # todo-proc logs an address as it is, qmail-send cleans it.
    listed = {cleaned(one): one for one in sorted(life.listed)}
    for row in life.deliveries:
        for position, unix_ns in ((row.start_event, row.started_at), (row.end_event, row.ended_at)):
            if position is None:
                continue
            confidence, reason = _doubt(life, unix_ns, position, merged)
            if reason == _OWN:
                reason = f"delivery {row.delivery_number} of this qmail-send, begun within the lifetime"
            if life.recipient_count is not None and cleaned(row.recipient or "") not in listed:
                confidence, reason = weakest((confidence, "likely")), "todo-proc's lines do not list this recipient"
            story.line("delivery", life.log, position, confidence, reason)
        if row.outcome is None:
            ended = "is under way at the end of the log" if row.is_open else "has no end in the log"
            story.gaps.append(f"delivery: the one to {row.recipient} {ended}")
    tried = {cleaned(one.recipient or "") for one in life.deliveries}
    for address, recipient in listed.items():
        if address not in tried:
            story.gaps.append(f"delivery: no evidence of one to {recipient}")
    if not listed and not tried:
        story.gaps.append("delivery: no evidence of any")


def _tell_queue_and_bounces(material: Material, life: Life, story: Draft) -> bool:
    """Tell the lines of the message itself, of its bounce, and of the message whose bounce it is, if it is one."""
    _tell_queue(life, story)
    parents = [
        one for index in material.indexes for one in index.lives_of_bounce(life.qp or -1) if _near(one, life)
    ]  # fmt: skip
    for parent in parents:
        confidence: Confidence = "certain" if len(parents) == 1 and life.sender == "" else "possible"
        for position in parent.log.lines_of(parent):
            line = parent.log.line(position)
            if line.kind == "bounce_msg" and f" qp {life.qp} " in f"{line.text} ":
                reason = f"qp {life.qp} at that time: it is the bounce of message {parent.message_number}"
                story.line("bounce", parent.log, position, confidence, reason)
    if life.bounce_qp is None:
        return bool(parents)
    bounces = [
        one for index in material.indexes for one in index.lives_of_qp(life.bounce_qp) if _near(life, one)
    ]  # fmt: skip
    for bounce in bounces:
        sure: Confidence = "certain" if len(bounces) == 1 and bounce.sender == "" else "possible"
        sure = weakest((sure, *(one.confidence for one in story.evidence if one.source == "bounce")))
        reason = f"qp {life.bounce_qp} at that time: its bounce, message {bounce.message_number} in {bounce.queue}"
        story.line("bounce", bounce.log, bounce.first_event, sure, reason)
    if not bounces:
        story.gaps.append(f"bounce: no evidence of its bounce, qp {life.bounce_qp}, in the queue")
    return bool(parents)


def _near(parent: Life, bounce: Life) -> bool:
    """Say whether a bounce was preprocessed when its message ended."""
    ended_ns = parent.ended_ns if parent.ended_ns is not None else parent.last_ns
    if ended_ns is None or bounce.born_ns is None:
        return False
    return -MAIL_ALONE_NS <= bounce.born_ns - ended_ns <= TODO_SCAN_NS


def _is_its(files: QueuedFiles, life: Life) -> bool:
    """Say whether files in the queue may be those of a life: by qp, or by the time of birth where nothing names it."""
    if files.qp is not None and life.qp is not None:
        is_in_time = files.head.date_ns is None or life.born_ns is None or _delay(files.head, life.born_ns) is not None
        return files.qp == life.qp and is_in_time
    birth_ns = files.files.birth_ns
    return birth_ns is not None and life.born_ns is not None and abs(birth_ns - life.born_ns) <= DATE_ERROR_NS


def _delay(head: Head, born_ns: int) -> str | None:
    """Return how a Received date and a birth fit, in words; None if they do not."""
    if head.date_ns is None:
        return ""
    delay_ns, is_early = header_delay(head.date_ns, born_ns)
    if not -DATE_ERROR_NS <= delay_ns <= TODO_SCAN_NS + LEAP_SECONDS * NS:
        return None
    return f"; its date is {LEAP_SECONDS} s early, as with IndiMail's leapsecs.dat" if is_early else ""


def _tell_files(material: Material, life: Life, story: Draft) -> Iterator[Head]:
    """Tell of the files in the queue, and yield the top of mess."""
    own, others = material.files_of(life)
    for files in own:
        has_key = files.qp is not None and files.qp == life.qp
        confidence: Confidence = "certain" if has_key and life.is_open else "likely"
        reason = f"same number, and qp {files.qp}" if has_key else "same number, born at the same second"
        reason += "" if life.is_open else "; yet the log ended it"
        add_files(files, confidence, reason + (_delay(files.head, life.born_ns or 0) or ""), story)
        yield files.head
    for files in others:
        qp = "" if files.qp is None else f", qp {files.qp}"
        story.gaps.append(f"queue: what is in {files.files.queue} under this number now is another message{qp}")
    if life.is_open and material.files.queues is not None and not own:
        story.gaps.append("queue: open at the end of the log, and not in the queue now")


def add_files(files: QueuedFiles, confidence: Confidence, reason: str, story: Draft) -> None:
    """Add the files of a message."""
    for file in files.files.files:
        text = f"{files.files.queue}/{file.path}: {file.size_bytes} octets"
        text += f"; {files.head.received}" if file.kind == "mess" and files.head.received else ""
        is_retry = file.kind in ("local", "remote")
        time_ns = None if is_retry else file.mtime_ns  # the mtime of a channel is the next retry
        story.add("queue", time_ns, text, confidence, reason, file=str(files.directory / file.path))


def _tell_mails(material: Material, life: Life, story: Draft) -> Iterator[Head]:
    """Tell of the delivered mails, and yield their tops."""
    found = False
    for mail in material.delivered.get(life.qp or -1, ()):
        delay = None if life.born_ns is None else _delay(mail.head, life.born_ns)
        if delay is None:
            continue
        found = True
        is_listed = cleaned(mail.head.delivered_to) in {cleaned(one) for one in life.recipients}
        confidence: Confidence = "certain" if is_listed and mail.head.date_ns is not None else "likely"
        reason = f"its topmost Received line names qp {life.qp}, at that time{delay}"
        reason += "" if is_listed else "; Delivered-To is no recipient of the log"
        text = f"Delivered-To: {mail.head.delivered_to}; {mail.head.received}"
        story.add("mail", mail.unix_ns, text, confidence, reason, file=str(mail.path))
        yield mail.head
    has_success = any(one.channel == "local" and one.outcome == "success" for one in life.deliveries)
    if material.has_mailboxes and has_success and not found:
        story.gaps.append("mail: no evidence in the mailboxes: no mail whose topmost Received line names its qp")


def tell_header(heads: Iterable[Head], story: Draft, *, is_missing: bool) -> None:
    """Tell of X-QHPSI: that a scan was, whoever has its log.

    Args:
        heads: Tops of the message's mess and mails.
        story: Gets what they tell.
        is_missing: Whether a scanner's log is there that does not tell of it.
    """
    words = sorted({one.qhpsi for one in heads if one.qhpsi is not None})
    for word in words:
        story.add("scan", None, f"X-QHPSI: {word}", "certain", "qmail-queue put it above its own Received line")
    if words and is_missing:
        story.gaps.append("scan: X-QHPSI tells of one, the scanner's log does not")
