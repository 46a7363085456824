"""1,000 random messages written by the kit, octet for octet what the facts about IndiMail's queue say of each file.

What is expected is built here from the recorded forms alone: Received and X-Originating-IP, the records u p F T e h,
the files info, local and remote, and the blocks of bounce.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from indimail_kit.delivery import BounceSettings, LocalDelivery
from indimail_kit.delivery.ending import Ending
from indimail_kit.delivery.journal import Journal
from indimail_kit.delivery.preprocess import preprocess
from indimail_kit.delivery.routing import Routing
from indimail_kit.delivery.settings import SendSettings
from indimail_kit.envelope import Envelope
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue import INDIMAIL, QueueLayout, create_queue, enqueue
from indimail_kit.mailqueue.values import NotScanned, QueueSettings

pytestmark = pytest.mark.crash

COUNT = 1000
SEED = 20261127
SPLIT = 23
LOCAL = b"local.test"
COPIED = ("X-Copied", "List-Id")
"""Headers that go into the h record."""

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass
class Case:
    """One message and what is asked of qmail-queue."""

    body: bytes
    sender: bytes
    recipients: tuple[bytes, ...]
    environ: dict[str, str]
    settings: QueueSettings
    scan_header: bytes
    invoked_from: Any
    uid: int
    qp: int
    unix_s: int
    environment_header: bytes
    in_pieces: bool

    # -- what the facts say -----------------------------------------------------------------------------------

    def mess(self) -> bytes:
        """Return the mess file."""
        t = time.gmtime(self.unix_s)
        date = f"{WEEKDAYS[t[6]]}, {t[2]:02} {MONTHS[t[1] - 1]} {t[0]:04} {t[3]:02}:{t[4]:02}:{t[5]:02} +0000"
        is_hidden, ip = "HIDE_HOST" in self.environ, self.environ.get("TCPREMOTEIP")
        host = "" if is_hidden else f" by host {self.environ.get('HOSTNAME', 'vm')}\n "
        if self.invoked_from in ("alias", "bounce"):
            caller = {"alias": "by alias", "bounce": "for bounce"}[self.invoked_from]
        elif ip is not None:
            caller = f"from network{'' if is_hidden else ' ' + ip}, by uid {self.uid}"
        else:
            caller = f"by uid {self.uid}"
        lines = f"Received: indimail-mta queue {self.qp}{host}(invoked {caller}); {date}\n"
        is_known = "RELAYCLIENT" in self.environ or "TCPREMOTEINFO" in self.environ
        if self.environ.get("ORIGINIPFIELD") and ip is not None and is_known:
            lines += f"X-Originating-IP: {ip}\n"
        return lines.encode() + self.body

    def stored(self) -> tuple[bytes, ...]:
        """Return the recipients in the order in which they are stored."""
        quarantine = self.settings.quarantine.encode()
        extra = tuple(address.encode() for address in self.settings.extra_recipients)
        return (*extra, *((quarantine,) if quarantine else self.recipients))

    def end_of_records(self) -> bytes:
        """Return the e and h records."""
        header = self.scan_header
        if self.settings.quarantine:
            names = [self.settings.quarantine.encode(), *self.recipients]
            header += b"X-Quarantine-ID: " + b",".join(names) + b"\n"
        header += self.settings.header
        octets = b"e" + header + b"\0" if header else b""
        return octets + (b"h" + self.environment_header + b"\0" if self.environment_header else b"")

    def todo(self) -> bytes:
        """Return the intd and todo file."""
        recipients = b"".join(b"T" + address + b"\0" for address in self.stored())
        return b"u%d\0p%d\0F" % (self.uid, self.qp) + self.sender + b"\0" + recipients + self.end_of_records()

    def s5(self) -> dict[str, bytes]:
        """Return info, local and remote; an empty file is not there."""
        files = {"info": b"F" + self.sender + b"\0" + self.end_of_records(), "local": b"", "remote": b""}
        for address in self.stored():
            whole = address if b"@" in address else (address or b"") + b"@" + LOCAL
            kind = "local" if whole.rpartition(b"@")[2].lower() == LOCAL else "remote"
            files[kind] += b"T" + whole + b"\0"
        return {kind: octets for kind, octets in files.items() if octets}


def random_address(random: Random, *, is_plain: bool) -> bytes:
    """Return an address: here, elsewhere, or without a domain; 8-bit octets and newlines unless it is plain."""
    octets = b"abcdefghijklmnop.+-=" + (b"" if is_plain else b" \n\t\x80\xff'<>")
    name = bytes(random.choices(octets, k=random.randint(1, 30)))
    return name + random.choice((b"@" + LOCAL, b"@LOCAL.test", b"@example.com", b"@mx.example.net", b""))


def random_body(random: Random) -> tuple[bytes, bytes]:
    """Return a message and what the h record says of it."""
    header, copied = [], []
    for _ in range(random.randint(0, 6)):
        name = random.choice(("Subject", "X-Copied", "x-copied", "List-Id", "To"))
        field = f"{name}: {'v' * random.randint(0, 80)}\n" + " continued\n" * random.randint(0, 2)
        header.append(field.encode())
        if name.lower() in {copy.lower() for copy in COPIED}:
            copied.append(field.encode())
    size = random.choice((0, 1, 100, 2000, 2000, 65_536, 200_000))
    return b"".join(header) + b"\n" + random.randbytes(size), b"".join(copied)


def random_cases() -> Iterator[Case]:
    """Yield the messages, always the same ones."""
    random = Random(SEED)  # noqa: S311 (choices that can be replayed)
    for _ in range(COUNT):
        maybe = lambda share=0.3: random.random() < share  # noqa: E731
        environ = {"HOSTNAME": "mx.example.com"} if maybe() else {}
        environ |= {"HIDE_HOST": ""} if maybe() else {}
        environ |= {"TCPREMOTEIP": "192.0.2.7"} if maybe(0.5) else {}
        environ |= {"ORIGINIPFIELD": "1"} if maybe(0.5) else {}
        environ |= {random.choice(("RELAYCLIENT", "TCPREMOTEINFO")): ""} if maybe(0.5) else {}
        body, copied = random_body(random)
        is_quarantined, has_copies = maybe(0.1), maybe(0.5)
        recipients = tuple(random_address(random, is_plain=is_quarantined) for _ in range(random.randint(0, 12)))
        yield Case(
            body=body,
            sender=b"" if maybe(0.2) else random_address(random, is_plain=False),
            recipients=recipients,
            environ=environ,
            settings=QueueSettings(
                extra_recipients=("log@local.test",) if maybe(0.2) else (),
                quarantine="quarantine@example.com" if is_quarantined else "",
                envheaders=COPIED if has_copies else (),
                header=b"X-Extra: 1\n" if maybe(0.2) else b"",
            ),
            scan_header=random.choice((b"", b"X-QHPSI: clean\n", b"X-QHPSI: Virus found\n")),
            invoked_from=random.choice(("uid", "uid", "alias", "bounce")),
            uid=random.randrange(2**31),
            qp=random.randrange(1, 2**22),
            unix_s=random.randrange(2**31),
            environment_header=copied if has_copies else b"",
            in_pieces=maybe(0.5),
        )


def put(case: Case, layout: QueueLayout) -> int:
    """Have the kit queue a message; return its number."""
    message: Any = case.body
    if case.in_pieces:
        message = iter([case.body[place : place + 1000] for place in range(0, len(case.body), 1000)])
    queued = enqueue(
        message,
        Envelope(case.sender, case.recipients),
        layout=layout,
        environ=case.environ,
        qp=case.qp,
        uid=case.uid,
        invoked_from=case.invoked_from,
        host="vm",
        clock=lambda: case.unix_s * 10**9,
        scan=lambda _path, **_: NotScanned(header=case.scan_header),
        sync=INDIMAIL,
        settings=case.settings,
    )
    return queued.message_number


Written = tuple[QueueLayout, dict[int, Case], Any]
"""The queue, its messages by number, and what the independent reader says of it before anything else happens."""


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory, queue_reader: ModuleType, crash_counts: Callable[..., None]
) -> Written:
    """Return a queue with all messages in S4."""
    layout = create_queue(tmp_path_factory.mktemp("messages") / "queue1", split=SPLIT)
    cases = {put(case, layout): case for case in random_cases()}
    rows = [
        ("messages", len(cases)),
        ("recipients", sum(len(case.stored()) for case in cases.values())),
        ("octets in mess", sum(len(case.mess()) for case in cases.values())),
    ]
    crash_counts("random messages that the independent reader compared", [("what", "count"), *rows])
    return layout, cases, queue_reader.read_queue(layout.directory, SPLIT)


def test_queued_messages_are_octet_for_octet_those_of_the_facts(written: Written) -> None:
    """mess, and intd and todo as one file; number = inode = name, in the right directory, with the recorded modes."""
    _layout, cases, reading = written

    assert (reading.faults, reading.pid_files, reading.states()) == ([], [], ["S4"] * COUNT)
    assert {number: message.files for number, message in reading.messages.items()} == {
        number: {"mess": case.mess(), "intd": case.todo(), "todo": case.todo()} for number, case in cases.items()
    }


def test_preprocessed_messages_are_octet_for_octet_those_of_the_facts(
    written: Written, queue_reader: ModuleType, tmp_path: Path
) -> None:
    """info, local and remote; then every third message gets two blocks in bounce."""
    layout, cases, _s4 = written
    routing = Routing(locals={LOCAL.decode()}, default_host=LOCAL.decode())
    local = LocalDelivery(locals={LOCAL.decode()}, users={}, host=LOCAL.decode())
    settings = SendSettings(
        local=local, clock=time.time_ns, next_pid=lambda: 1, bounce=BounceSettings("mx.example.com"), sync=INDIMAIL
    )
    with LogWriter(tmp_path / "log") as log:
        ending = Ending(layout, settings=settings, journal=Journal(log, clock=time.time_ns))
        for place, (number, case) in enumerate(cases.items()):
            preprocess(layout, number, routing=routing, clock=lambda case=case: case.unix_s * 10**9, sync=INDIMAIL)
            if place % 3 == 0:
                ending.add_bounce(number, b"bob@local.test", b"no mailbox\nat all\n")
                ending.add_bounce(number, b"a\nb@example.com", b"first\n\nsecond")
    reading = queue_reader.read_queue(layout.directory, SPLIT)
    bounce = b"<bob@local.test>:\nno mailbox\nat all\n\n<a_b@example.com>:\nfirst\n/second\n\n"

    assert (reading.faults, reading.states()) == ([], ["S5"] * COUNT)
    assert {number: message.files for number, message in reading.messages.items()} == {
        number: {"mess": case.mess(), **case.s5(), **({"bounce": bounce} if place % 3 == 0 else {})}
        for place, (number, case) in enumerate(cases.items())
    }
    births = {number: int(message.statuses["info"].st_mtime) for number, message in reading.messages.items()}
    assert births == {number: case.unix_s for number, case in cases.items()}
