"""What the grid does with qmail-queue: ways to put one message into a queue, and what each fault must lead to."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import queue_reader
from delivery_cases import House, deliver, mails
from faults import FOR_GOOD

from indimail_kit.delivery.qmail_queue import QmailQueue
from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import INDIMAIL, SAFE, QueueLayout, create_queue, enqueue

NOW_S = int(time.time())
QP = 4305
UID = os.getuid()
SPLIT = 2
MESSAGE = b"Subject: hi\n\nbody\n"
LONG_MESSAGE = MESSAGE + b"x" * 70_000 + b"\n"  # two reads, two writes
GOOD = b"Fann@example.com\0Tbob@example.com\0\0"
CUT = b"Fann@example.com\0Tbob@example.com\0"
LATER_S = 200_000
"""When qmail-send comes to clean up: more than 36 hours later (unit: s)."""

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def received() -> bytes:
    """Return the Received line as the recorded mess files have it."""
    t = time.gmtime(NOW_S)
    date = f"{WEEKDAYS[t[6]]}, {t[2]:02} {MONTHS[t[1] - 1]} {t[0]:04} {t[3]:02}:{t[4]:02}:{t[5]:02} +0000"
    return f"Received: indimail-mta queue {QP} by host vm\n (invoked by uid {UID}); {date}\n".encode()


def call_library(layout: QueueLayout, envelope: bytes, **options: object) -> int:
    """Queue in this process; return qmail-queue's exit code."""
    settings = {
        "environ": {},
        "qp": QP,
        "uid": UID,
        "host": "vm",
        "clock": lambda: NOW_S * 10**9,
        "sync": SAFE,
    } | options
    try:
        enqueue(MESSAGE, envelope, layout=layout, **settings)  # type: ignore[arg-type]
    except QueueError as error:
        return error.exit_code
    return 0


def call_program(layout: QueueLayout) -> int:
    """Be the program; its input stands on fd 0 and 1."""
    environ = {"QUEUEDIR": str(layout.directory), "CONTROLDIR": str(layout.directory.parent / "control")}
    return QmailQueue(environ=environ, qp=QP, uid=UID, host="vm", clock=lambda: NOW_S * 10**9).run()


def stand_at_input(layout: QueueLayout) -> None:
    """Put the message on fd 0 and the envelope on fd 1, and hold the trigger as qmail-send does."""
    os.open(layout.directory / "lock" / "trigger", os.O_RDONLY | os.O_NONBLOCK)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for fd, octets in ((0, LONG_MESSAGE), (1, GOOD)):
        path = layout.directory.parent / f"input{fd}"
        path.write_bytes(octets)
        os.close(fd)
        assert os.open(path, os.O_RDONLY) == fd


def take_umask(_layout: QueueLayout) -> None:
    """Take a umask that takes from the modes of new files."""
    os.umask(0o077)


@dataclass(frozen=True)
class EnqueueCase:
    """One way to call qmail-queue.

    Attributes:
        name: For the tables.
        act: Makes the call; returns its exit code.
        code: Exit code without a fault.
        message: What is queued.
        prepare: Changes the new queue before the call.
        enter: Changes the process before the call; no fault falls there.
    """

    name: str
    act: Callable[[QueueLayout], int]
    code: int = 0
    message: bytes = MESSAGE
    prepare: Callable[[QueueLayout], None] = lambda _layout: None
    enter: Callable[[QueueLayout], None] = lambda _layout: None


def give_away(layout: QueueLayout) -> None:
    """Let the queue belong to a user: root gives him the files."""
    if os.geteuid() == 0:
        os.chown(layout.directory, 65534, 65534)


def write_controls(layout: QueueLayout) -> None:
    """Write a control file that names nobody."""
    control = layout.directory.parent / "control"
    control.mkdir()
    (control / "extraqueue").write_text("# nobody\n")


CASES = {
    case.name: case
    for case in (
        EnqueueCase("enqueue", lambda layout: call_library(layout, GOOD), prepare=give_away, enter=take_umask),
        EnqueueCase("enqueue, no sync", lambda layout: call_library(layout, GOOD, sync=INDIMAIL)),
        EnqueueCase("enqueue, bad envelope", lambda layout: call_library(layout, CUT), code=54),
        EnqueueCase(
            "program qmail-queue", call_program, message=LONG_MESSAGE, prepare=write_controls, enter=stand_at_input
        ),
    )
}

CODES = {
    "stat .": 61,
    "fstat .": 61,
    "open .": 61,
    "open pid/": 70,
    "fstat pid/": 62,
    "fchmod pid/": 62,
    "fchown pid/": 62,
    "link mess/": 67,
    "unlink pid/": 83,
    "writev pid/": 53,
    "write pid/": 53,
    "open intd/": 65,
    "fchmod intd/": 62,
    "fchown intd/": 62,
    "writev intd/": 53,
    "fsync pid/": 64,
    "fsync intd/": 64,
    "open mess/": 69,
    "fsync mess/": 69,
    "open todo/": 69,
    "fsync todo/": 69,
    "link todo/": 66,
    "read input": 54,
    "open control/": 55,
    "fstat control/": (0, 55),  # the first look decides, the second only chooses how much is read at once
    "lseek control/": 55,
    "read control/": 55,
    "close control/": 55,
    # What is done for the reader's sake: a mail is not refused for it.
    "open mess": 0,
    "open todo": 0,
    "scandir ": 0,  # another directory shows the layout too
    "getdents ": 0,
    "fstat input": 0,
    "fstat /dev/null": 0,
    "close ": 0,
    "posix_fadvise ": 0,
    "open lock/trigger": 0,
    "write lock/trigger": 0,
}
"""Call that fails -> exit code. mess is still known by the name under which it was opened, in pid. Source: qmail.h,
qmail-queue.c; which call each code stands for: facts, section 1."""

UNDOING = ("ftruncate ", "unlink intd/", "unlink mess/", "unlink todo/")
"""Calls of cleaning up, which change no exit code."""

LAYOUT = re.compile(r"(scandir|getdents) .*|(open|close) (mess|todo)")
"""Looks at the layout: when all of them fail, it is not known (62)."""


def codes_of(call: str) -> tuple[int, ...]:
    """Return the exit codes that a failing call may lead to; () when the table does not know the call."""
    codes = next((codes for start, codes in CODES.items() if call.startswith(start)), ())
    return (codes,) if isinstance(codes, int) else codes


def wanted_codes(case: EnqueueCase, kind: str, fired: str, ahead: Sequence[str]) -> set[int]:
    """Return the exit codes that a fault may lead to.

    Args:
        case: What is done.
        kind: Kind of the fault.
        fired: The call that failed, or "".
        ahead: The calls of an undisturbed run from this one on.
    """
    if not fired or kind == "short" or fired.startswith(UNDOING):
        return {case.code}
    if kind == FOR_GOOD:
        codes = [62 if LAYOUT.fullmatch(call) else max(codes_of(call), default=0) for call in ahead]
        return {next(filter(None, codes), case.code)}
    return {code or case.code for code in codes_of(fired)}


def build(place: Path, case: EnqueueCase) -> House:
    """Make a house with an empty queue."""
    house = House(place, create_queue(place / "queue1", split=SPLIT))
    case.prepare(house.layout)
    return house


def judge(
    case: EnqueueCase,
    house: House,
    *,
    wanted: Collection[int],
    code: int | None,
    is_helpless: bool = False,
    head: bytes = b"",
) -> dict[str, str]:
    """Return what is wrong, and what there is to count, as name -> text.

    Args:
        case: What was done.
        house: Where.
        wanted: Exit codes that are right.
        code: Exit code that the caller saw; None when the process was killed.
        is_helpless: Whether nothing can be undone any more: `can_undo_nothing`.
        head: Pattern of the lines that qmail-queue puts on top; by default those of our clock, pid and host.
    """
    found: dict[str, str] = {}
    reading = queue_reader.read_queue(house.layout.directory, SPLIT)
    queued = [message for message in reading.messages.values() if message.state == "S4"]
    mess = re.compile((head or re.escape(received())) + re.escape(case.message))
    todo = re.compile(b"u%d\\0p[0-9]+\\0Fann@example.com\\0Tbob@example.com\\0" % UID)
    torn = [
        message.number
        for message in queued
        if not mess.fullmatch(message.files["mess"]) or not todo.fullmatch(message.files["todo"])
    ]
    if reading.faults or torn:
        found["broken"] = "; ".join([*reading.faults, *(f"{number} is not whole" for number in torn)])
    if code == 0 and (len(queued) != 1 or torn):
        found["lost"] = f"acknowledged, and {reading.states()}"
    if code and queued:
        found["refused, undoing failed" if is_helpless else "refused but queued"] = f"{code}, and {reading.states()}"
    if code is not None and code not in wanted:
        found["wrong exit code"] = f"{code} instead of {sorted(wanted)}"
    if code and reading.messages and not queued:
        found["left over"] = ", ".join(reading.states())
    deliver(house, later_s=LATER_S)
    after = queue_reader.read_queue(house.layout.directory, SPLIT)
    if after.messages or after.pid_files or after.faults:
        found["never ends"] = f"{after.states()} {after.pid_files} {after.faults}"
    came = mails(house, "bob")
    if [sum(mail.endswith(message.files["mess"]) for mail in came) for message in queued] != [1] * len(came):
        found["lost"] = f"{len(queued)} queued and {len(came)} mails"
    return found


def can_undo_nothing(kind: str, fired: str) -> bool:
    """Say whether a disk failed twice running: at the last fsync, and at the unlink that undoes the link."""
    return kind == FOR_GOOD and fired.startswith("fsync todo/")
