"""What the grid does with qmail-send: messages on their way, and who must have heard of each of them in the end."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path

import queue_reader

from indimail_kit.delivery import LocalDelivery, QmailSend, create_maildir
from indimail_kit.delivery.bounce import BounceSettings
from indimail_kit.delivery.vfilter import Comparision, FilterRule
from indimail_kit.envelope import Envelope
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue import INDIMAIL, SAFE, QueueLayout, SyncPolicy, create_queue, enqueue

NOW_NS = time.time_ns()  # files carry the times of the real clock, and qmail-clean looks at them
SPLIT = 1
SUBJECT = 2
"""Number of the header Subject for vcfilter."""
USERS = ("ann", "bob", "carol", "postmaster")
BODY = b"Subject: hi\n\nthe body of the message\n"
LIFETIME_S = 604_800


@dataclass
class House:
    """Mailboxes, a queue and a log in one directory."""

    place: Path
    layout: QueueLayout
    filters: dict[str, list[FilterRule]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for user in USERS:
            create_maildir(self.place / user)

    def local(self) -> LocalDelivery:
        """Return who lives here."""
        users = {f"{user}@example.com": self.place / user for user in USERS}
        return LocalDelivery(locals={"example.com"}, users=users, filters=self.filters, host="example.com")

    def send(self, log: LogWriter, *, later_s: int, sync: SyncPolicy) -> QmailSend:
        """Return a qmail-send whose clock stands still."""
        now_ns = NOW_NS + later_s * 10**9
        pids = itertools.count(100)
        return QmailSend(
            (self.layout,),
            local=self.local(),
            log=log,
            clock=lambda: now_ns,
            next_pid=lambda: next(pids),
            sync=sync,
            bounce=BounceSettings("example.com"),
            lifetime_s=LIFETIME_S,
        )


def deliver(house: House, *, later_s: int) -> None:
    """Run qmail-send until nothing is left to do, without faults and without syncing."""
    log = LogWriter(house.place / "log")
    send = house.send(log, later_s=later_s, sync=INDIMAIL)
    send.run_once()
    send.stop()
    log.close()


def mails(house: House, user: str) -> list[bytes]:
    """Return the new mails of a user, in every folder."""
    places = [house.place / user, *(path for path in (house.place / user).glob(".*") if path.is_dir())]
    return [path.read_bytes() for place in places for path in sorted((place / "new").glob("*"))]


@dataclass(frozen=True)
class DeliveryCase:
    """One message on its way.

    Attributes:
        name: For the tables.
        sender: Envelope sender.
        recipients: Envelope recipients.
        passes_s: When qmail-send is started under faults, behind the enqueueing (unit: s).
        forwards: Recipient -> to whom his filter forwards.
        folder: Folder of carol's filter, or "".
    """

    name: str
    sender: bytes
    recipients: tuple[bytes, ...]
    passes_s: tuple[int, ...] = (0,)
    forwards: dict[bytes, bytes] = field(default_factory=dict)
    folder: str = ""

    @property
    def heirs(self) -> tuple[bytes, ...]:
        """Return everybody who must get the message or be the subject of a bounce."""
        return (*self.recipients, *self.forwards.values())


CASES = {
    case.name: case
    for case in (
        DeliveryCase("two mailboxes", b"ann@example.com", (b"bob@example.com", b"carol@example.com")),
        DeliveryCase("mailbox and bounce", b"ann@example.com", (b"bob@example.com", b"nobody@example.com")),
        DeliveryCase("double bounce", b"", (b"nobody@example.com",)),
        DeliveryCase(
            "folder and forward",
            b"ann@example.com",
            (b"carol@example.com",),
            forwards={b"carol@example.com": b"bob@example.com"},
            folder="Lists",
        ),
        DeliveryCase(
            "deferred, then too old",
            b"ann@example.com",
            (b"bob@example.com", b"far@example.net"),
            passes_s=(0, LIFETIME_S + 100_000),
        ),
    )
}


def build(place: Path, case: DeliveryCase) -> House:
    """Make a house with one message in its queue."""
    house = House(place, create_queue(place / "queue1", split=SPLIT))
    for recipient, target in case.forwards.items():
        address = recipient.decode()
        rule = FilterRule(
            emailid=address,
            filter_no=1,
            filter_name="lists",
            header_name=SUBJECT,
            comparision=Comparision.EQUALS,
            keyword="hi",
            destination=case.folder,
            bounce_action=f"2&{target.decode()}",
        )
        house.filters[address] = [rule]
        (place / address.partition("@")[0] / "vfilter").touch()
    enqueue(
        BODY,
        Envelope(case.sender, case.recipients),
        layout=house.layout,
        environ={},
        qp=1,
        host="vm",
        clock=lambda: NOW_NS,
        sync=INDIMAIL,
    )
    return house


def act(house: House, case: DeliveryCase, logs: list[LogWriter]) -> None:
    """Run qmail-send at each of the times."""
    for later_s, log in zip(case.passes_s, logs, strict=True):
        send = house.send(log, later_s=later_s, sync=SAFE)
        try:
            send.run_once()
        finally:
            send.stop()


def judge(case: DeliveryCase, house: House) -> dict[str, str]:
    """Return what is wrong, and what there is to count, as name -> text."""
    found: dict[str, str] = {}
    reading = queue_reader.read_queue(house.layout.directory, SPLIT)
    if reading.faults:
        found["broken"] = "; ".join(reading.faults)
    # Late enough for everything that a fault put off, and for what is too old by then: where the fault put off
    # todo-proc, the lifetime begins now.
    for later_s in (200_000, 300_000 + LIFETIME_S):
        deliver(house, later_s=case.passes_s[-1] + later_s)
        after = queue_reader.read_queue(house.layout.directory, SPLIT)
        if not after.messages:
            break
    if after.messages or after.pid_files or after.faults:
        found["never ends"] = f"{after.states()} {after.pid_files} {after.faults}"
    boxes = {user: mails(house, user) for user in USERS}
    torn = [user for user, box in boxes.items() for mail in box if not mail.endswith(BODY)]
    if torn:
        found["broken"] = f"half a mail for {torn}"
    copies = {heir: count_copies(case, boxes, heir) for heir in case.heirs}
    excused = {target for recipient, target in case.forwards.items() if copies[recipient][1]}
    unheard = [heir for heir, (own, told) in copies.items() if not own and not told and heir not in excused]
    if unheard and not is_thrown_away(case, house):
        found["lost"] = f"nobody heard of {unheard}"
    if any(own > 1 or told > 1 or (own and told) for own, told in copies.values()):
        found["repeated"] = str(copies)
    return found


def count_copies(case: DeliveryCase, boxes: dict[str, list[bytes]], recipient: bytes) -> tuple[int, int]:
    """Return how often a recipient has the message, and how often somebody was told that he has not."""
    user, _, domain = recipient.decode().partition("@")
    own = [
        mail for mail in boxes.get(user, []) if domain == "example.com" and b"Hi. This is the qmail-send" not in mail
    ]
    sender = case.sender.decode().partition("@")[0]
    bounces = [mail for mail in boxes.get(sender, []) if b"\n<%b>:\n" % recipient in mail]
    told = [mail for mail in boxes["postmaster"] if b"\n<%b>:\n" % recipient in mail]
    # The bounce itself could not be delivered: the postmaster reads that, and in it the bounce.
    return len(own), len(bounces) + len(told)


def is_thrown_away(case: DeliveryCase, house: House) -> bool:
    """Say whether the log tells of a triple bounce, which qmail throws away."""
    return not case.sender and b"triple bounce: discarding" in (house.place / "log" / "current").read_bytes()
