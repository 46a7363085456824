"""The stories of what is no life in a log of qmail-send: refused, lost on the way, seen in one place only.

Rule 1: pure: everything was read before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from indimail_kit.trace.files import QueuedFiles
from indimail_kit.trace.joins import MAIL_ALONE_NS, Link
from indimail_kit.trace.recordings import RecordedMail
from indimail_kit.trace.records import Mail, Scan
from indimail_kit.trace.story import Trace, TracedMessage
from indimail_kit.trace.telling import Draft, Material, add_files, add_recorded, tell_header, tell_mail


def tell_refused(material: Material, mail: Mail) -> Trace:
    """Tell the story of a mail that qmail-queue did not take."""
    story = Draft()
    tell_mail(Link(mail, "certain", f"the line names qp {mail.qp}"), story)
    scans = material.scans.of_refused(mail, material.mails.refused)
    _add_scans(scans, story)
    if not scans:
        story.gaps.append("scan: no evidence of one that found something within this session")
    story.gaps.append("queue: it was never queued: its number is not told anywhere")
    return story.trace(_of_mail(mail))


def tell_unqueued(mail: Mail) -> Trace:
    """Tell the story of a mail that was accepted, and of which qmail-send's log has nothing."""
    story = Draft()
    tell_mail(Link(mail, "certain", "the line names sender and recipient"), story)
    story.gaps.append('queue: no evidence: no "new msg" of this sender, size and recipient at that time')
    return story.trace(_of_mail(mail))


def tell_files(material: Material, files: QueuedFiles) -> Trace:
    """Tell the story of a message of which only the queue tells."""
    story = Draft()
    add_files(files, "certain", "its file has this number now", story)
    scans = [
        one for index in material.indexes for one in index.scans.of_number(files.files.message_number)
        if one.queue == files.files.queue
    ]  # fmt: skip
    mess = files.files.file("mess")
    near = [one for one in scans if mess is not None and abs((one.unix_ns or 0) - mess.mtime_ns) <= MAIL_ALONE_NS]
    _add_scans([Link(one, "possible", "same queue and number, at the time of the file") for one in near[-1:]], story)
    story.gaps.append("queue: no log of qmail-send that was given tells of it")
    tell_header([files.head], story, is_missing=material.scans.has_scans and not near)
    birth_ns = files.files.birth_ns
    return story.trace(
        TracedMessage(
            queue=files.files.queue, message_number=files.files.message_number, qp=files.qp, sender=files.sender,
            recipients=files.recipients, message_bytes=None if mess is None else mess.size_bytes,
            began_ns=birth_ns if birth_ns is not None else None if mess is None else mess.mtime_ns,
        )
    )  # fmt: skip


def tell_scans(scans: Sequence[Scan]) -> Trace:
    """Tell of scans of a number that nothing else tells of."""
    story = Draft()
    _add_scans([Link(one, "possible", "same number; nothing tells whose it was then") for one in scans], story)
    story.gaps.append("queue: no log of qmail-send that was given tells of it, and no queue")
    first = scans[0]
    queue = first.queue if len({one.queue for one in scans}) == 1 else ""
    return story.trace(TracedMessage(queue=queue, message_number=first.message_number, began_ns=first.unix_ns))


def _add_scans(scans: Iterable[Link[Scan]], story: Draft) -> None:
    for link in scans:
        story.line("scan", link.one.log, link.one.position, link.confidence, link.reason)


def _of_mail(mail: Mail) -> TracedMessage:
    """Return the message of a mail that is not in a queue."""
    return TracedMessage(
        qp=mail.qp, sender=mail.sender, recipients=tuple(mail.recipients), message_bytes=mail.message_bytes,
        began_ns=mail.unix_ns, ended_ns=None if mail.is_accepted else mail.unix_ns,
    )  # fmt: skip


def tell_recorded(heard: RecordedMail) -> Trace:
    """Tell the story of a mail that only a recorded session tells of."""
    story = Draft()
    add_recorded(heard, "certain", f"the reply names qp {heard.qp}", story)
    story.gaps.append("queue: no evidence: no log of qmail-send that was given names its qp at that time")
    return story.trace(
        TracedMessage(qp=heard.qp, sender=heard.sender, recipients=heard.recipients, began_ns=heard.unix_ns)
    )
