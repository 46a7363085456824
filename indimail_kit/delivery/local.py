"""qmail-local for virtual users: find the mailbox, ask the filters, write the mail, say how it went.

The delivered mail is Return-Path, Delivered-To, the header lines of the e record (X-QHPSI …), the message unchanged.

Source: IndiMail qmail-lspawn.c, qmail-local.c, maildir_deliver.c; vfilter.c `myExit()`; recorded deliveries.

Rule 1: a mailbox that cannot be written is a deferral: the mail stays in the queue.
Rule 2: no program is ever run for a mail: a filter with "|program" defers, and says so.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from indimail_kit.delivery.channel import open_regular
from indimail_kit.delivery.events import Delivery, Report
from indimail_kit.delivery.maildir import create_folder, deliver_mail
from indimail_kit.delivery.routing import Routing, quote_address
from indimail_kit.delivery.vfilter import INBOX, PREFILT, FilterRule
from indimail_kit.delivery.vfilter_match import FilterDecision, decide, read_headers
from indimail_kit.errors import KitError
from indimail_kit.mailqueue.descriptors import as_file
from indimail_kit.mailqueue.values import SAFE, SyncPolicy

NO_MAILBOX: Final = Report("failure", b"Sorry, no mailbox here by that name. (#5.1.1)\n")
LOOPING: Final = Report("failure", b"This message is looping: it already has my Delivered-To line. (#5.4.6)\n")
FULL: Final = Report("failure", b"Recipient's mailbox is full, message returned to sender. (#5.2.2)\n")
NO_MAILDIR: Final = Report("deferral", b"Unable to chdir to maildir. (#4.2.1)\n")
NO_MESSAGE: Final = Report("deferral", b"Unable to read message. (#4.3.0)\n")
MAILDIR_TROUBLE: Final = Report("deferral", b"Temporary error on maildir delivery. (#4.3.0)\n")
NO_PROGRAM: Final = Report("deferral", b"A filter wants to run a program, which is not done here. (#4.3.5)\n")
NO_FORWARD: Final = Report("deferral", b"Unable to forward message. (#4.3.0)\n")
REJECTED: Final = Report("failure", b"A filter of this mailbox rejects the message. (#5.7.1)\n")
"""Reports; the first five are IndiMail's texts (qmail-local.c, qmail-lspawn.c)."""

_CHUNK_OCTETS: Final = 64 * 1024

Forward = Callable[[Iterable[bytes], bytes, bytes], int]
"""Queue a forwarded message: its pieces, its sender, its recipient -> its qp. QueueError when the queue refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDelivery:
    """Who lives here, and what their filters say.

    Attributes:
        locals: control/locals: domains whose mailboxes are here.
        users: Address in lower case -> Maildir. May change while qmail-send runs.
        filters: Address, prefilt@domain or postfilt@domain, in lower case -> rules. May change while qmail-send runs. A
            user's own rules, and postfilt, count only if the file `vfilter` is in the Maildir.
        host: Name of this machine (control/me): default host of addresses, end of the names in a Maildir.
        virtual_domains: control/virtualdomains.
        percent_hack: control/percenthack.
    """

    locals: Collection[str]
    users: Mapping[str, Path]
    filters: Mapping[str, Sequence[FilterRule]] = field(default_factory=dict)
    host: str = "localhost"
    virtual_domains: Mapping[str, str] = field(default_factory=dict)
    percent_hack: Collection[str] = ()

    @property
    def routing(self) -> Routing:
        """Return the rules that tell local from remote."""
        return Routing(
            locals=self.locals,
            virtual_domains=self.virtual_domains,
            percent_hack=self.percent_hack,
            default_host=self.host,
        )

    def deliver(
        self,
        delivery: Delivery,
        *,
        forward: Forward | None = None,
        clock: Callable[[], int] = time.time_ns,
        sync: SyncPolicy = SAFE,
        on_call: Callable[[str, str], None] | None = None,
    ) -> Report:
        """Deliver one message to one recipient; never raises for a mailbox or a message that fails.

        Args:
            delivery: What to deliver.
            forward: Queues a message for a filter that forwards; without it such a filter defers.
            clock: Gives the time (unit: ns since 1970).
            sync: Whether the mail must be on the disk before it counts as delivered.
            on_call: Told each step that was done: its name and the path.
        """
        emailid = self.routing.strip_prefix(delivery.recipient).decode("utf-8", "surrogateescape").lower()
        maildir = self.users.get(emailid)
        if maildir is None:
            return NO_MAILBOX
        head = delivery_head(delivery)
        try:
            if is_looping(delivery):
                return LOOPING
            decision = self._ask_filters(emailid, maildir, delivery, head)
        except OSError:
            return NO_MESSAGE
        rule = decision.rule
        folder = INBOX if rule is None else rule.folder
        report = Report("success", b"Mail BlackHoled\ndid 0+0+0\n")
        if folder:
            parts = _Parts((head, delivery.header), delivery.mess_path)
            report = self._write(maildir, folder, parts, clock=clock, sync=sync, on_call=on_call)
        if rule is None or report.outcome != "success":
            return report
        report = replace(report, rule=rule)
        if rule.forward_to:
            report = _forward(rule, delivery, report, forward)
        return REJECTED if rule.is_bounced and report.outcome == "success" else report

    def _ask_filters(self, emailid: str, maildir: Path, delivery: Delivery, head: bytes) -> FilterDecision:
        domain = emailid.rpartition("@")[2]
        has_vfilter = (maildir / "vfilter").exists()
        if not has_vfilter and not self.filters.get(PREFILT + domain):
            return FilterDecision(None)
        with delivery.mess_path.open("rb") as message:
            headers = read_headers(_lines(head + delivery.header, message))
        return decide(
            headers,
            emailid=emailid,
            filters=self.filters,
            has_vfilter=has_vfilter,
            has_noprefilt=(maildir / "noprefilt").exists(),
            has_nopostfilt=(maildir / "nopostfilt").exists(),
        )

    def _write(
        self,
        maildir: Path,
        folder: str,
        parts: _Parts,
        *,
        clock: Callable[[], int],
        sync: SyncPolicy,
        on_call: Callable[[str, str], None] | None,
    ) -> Report:
        if not maildir.is_dir():
            return NO_MAILDIR
        try:
            place = create_folder(maildir, folder)
            path = deliver_mail(place, parts, host=self.host, clock=clock, sync=sync, on_call=on_call)
        except _ReadError:
            return NO_MESSAGE
        except OSError as error:
            return FULL if error.errno == errno.EDQUOT else MAILDIR_TROUBLE
        return Report("success", b"did 1+0+0\n", path=path, folder=INBOX if place == maildir else folder)


def delivery_head(delivery: Delivery) -> bytes:
    r"""Return the first two lines of a delivered mail.

    Source:
        qmail-local.c: Return-Path is quoted, Delivered-To is not; a newline in an address becomes "_".
    """
    recipient = delivery.recipient.replace(b"\n", b"_")
    return b"Return-Path: <%b>\nDelivered-To: %b\n" % (quote_address(delivery.sender), recipient)


def is_looping(delivery: Delivery) -> bool:
    """Say whether the message was delivered to this recipient before: it holds our Delivered-To line.

    Raises:
        OSError: The message cannot be read.

    Source:
        qmail-local.c `bouncexf()`.
    """
    own_line = b"Delivered-To: " + delivery.recipient.replace(b"\n", b"_") + b"\n"
    with delivery.mess_path.open("rb") as message:
        for line in message:
            if line == b"\n":
                return False
            if line == own_line:
                return True
    return False


class _ReadError(Exception):
    """The message, not the mailbox, gave an error."""


class _Parts:
    """The pieces of the mail; reading them may be repeated."""

    def __init__(self, heads: Iterable[bytes], mess_path: Path) -> None:
        self.heads = tuple(heads)
        self.mess_path = mess_path

    def __iter__(self) -> Iterator[bytes]:
        yield from self.heads
        try:
            fd = open_regular(self.mess_path)
        except OSError as error:
            raise _ReadError from error
        with as_file(fd, "rb", buffering=0):
            while part := _read_part(fd):
                yield part


def _read_part(fd: int) -> bytes:
    try:
        return os.read(fd, _CHUNK_OCTETS)
    except OSError as error:
        raise _ReadError from error


def _lines(head: bytes, message: Iterable[bytes]) -> Iterator[bytes]:
    yield from head.splitlines(keepends=True)
    yield from message


def _forward(rule: FilterRule, delivery: Delivery, report: Report, forward: Forward | None) -> Report:
    """Forward the message as the rule says; the copy in a folder, if there is one, stays."""
    if rule.forward_to.startswith("|"):
        return NO_PROGRAM
    if forward is None:
        return NO_FORWARD
    own_line = b"Delivered-To: " + delivery.recipient.replace(b"\n", b"_") + b"\n"
    parts = _Parts((own_line, delivery.header), delivery.mess_path)
    try:
        qp = forward(parts, delivery.sender, rule.forward_to[1:].encode("utf-8", "surrogateescape"))
    except (KitError, OSError, _ReadError):
        return NO_FORWARD
    text = b"did %d+1+0\nqp %d\n" % (report.path is not None, qp)
    return replace(report, text=text)
