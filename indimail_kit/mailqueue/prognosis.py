"""What becomes of the files that a crash left: who gets the mail, how often, and who does it.

It is what qmail-send, todo-proc and qmail-clean do after a restart, followed on an image instead of on a disk; the
tests run the real qmail-send of the kit on the same images.

Source: qmail's INTERNALS sections 4 to 6; IndiMail todo-proc.c `todo_do()`, qmail-send.c `pqadd()`, `pass_dochan()`,
`messdone()`, qmail-clean.c.

Rule 1: pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from indimail_kit.envelope import QueueRecords, Recipient, decode_recipients, decode_records
from indimail_kit.errors import EnvelopeError
from indimail_kit.mailqueue.image import QueueImage
from indimail_kit.mailqueue.tape import Tape
from indimail_kit.visible import visible

BOUNCE: Final = b"\0bounce"
"""Stands for the sender who is told about a failure, where a recipient is meant; no address holds a NUL."""

_NAMED: Final = re.compile(rb"^<(.*)>:$", re.MULTILINE)
"""Line with which the paragraph about a recipient begins."""

CHANNELS: Final = ("local", "remote")
"""Kinds of the files that say who still has to get the mail."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail that lies in a mailbox, or that will get there.

    Attributes:
        recipient: Who gets it; BOUNCE when it tells the sender about a failure.
        is_whole: Whether it is all that was sent.
    """

    recipient: bytes
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of one message.

    Attributes:
        arrivals: The mails that will come of it.
        is_stuck: Whether it stays in the queue for ever, or until its time is over, and cannot be delivered.
        text: What is there and who does what with it, in sentences for a person.
    """

    arrivals: tuple[Arrival, ...]
    is_stuck: bool
    text: str


@dataclass(frozen=True, slots=True)
class Originals:
    """What the files of a tape were when they were whole.

    Attributes:
        mess: Number of a message -> its octets.
        records: Number of a message -> the octets of its todo file.
        mails: Path in a mailbox -> octets of the mail.
    """

    mess: Mapping[int, bytes]
    records: Mapping[int, bytes]
    mails: Mapping[str, bytes]

    @classmethod
    def of(cls, tape: Tape) -> Originals:
        """Find the longest that each file ever was: no file of the queue shrinks, but by being given up."""
        found: dict[str, dict[int, bytes]] = {"mess": {}, "todo": {}}
        mails: dict[str, bytes] = {}
        for image in (tape.before, *(step.image for step in tape.steps)):
            for number in image.numbers():
                for kind, longest in found.items():
                    file = image.file(tape.layout, kind, number)
                    if file is not None and len(file.content) >= len(longest.get(number, b"")):
                        longest[number] = file.content
            mails |= {path: file.content for path, file in image.mailboxes.items()}
        return cls(found["mess"], found["todo"], mails)


def look_ahead(image: QueueImage, tape: Tape, message_number: int, originals: Originals) -> Outlook:
    """Tell what becomes of one message after a restart of everything.

    Args:
        image: What the crash left.
        tape: What was recorded: which recipients fail; the others will get the message.
        message_number: The message.
        originals: What its files were when they were whole.
    """
    kinds = image.kinds(tape.layout, message_number)
    octets = {kind: image.files[tape.layout.relative(kind, message_number)].content for kind in kinds}
    if "todo" in kinds:
        return _from_todo(octets, message_number, originals, tape)
    if "info" in kinds:
        return _from_info(octets, message_number, originals, tape)
    if not kinds:
        return Outlook((), False, "")
    left = f"Left is {' and '.join(f'{kind}/…/{message_number}' for kind in sorted(kinds))}."
    if "mess" in kinds and kinds <= {"mess", "intd"}:
        remark = "Without todo or info nobody looks at it; qmail-clean removes it 36 hours after its last access."
    elif kinds == {"intd"}:
        remark = "Without todo or info nobody looks at it, and qmail-clean goes by mess: it stays."
    else:
        remark = "qmail-send begins with info, and without it nobody looks at the rest."
    return Outlook((), False, f"{left} {remark}")


def _from_todo(octets: Mapping[str, bytes], number: int, originals: Originals, tape: Tape) -> Outlook:
    """Follow todo-proc."""
    records = _records(octets["todo"])
    if records is None:
        text = f"todo-proc finds todo/…/{number} and cannot read its envelope; it says so and tries again, for ever."
        return Outlook((), True, text)
    if "mess" not in octets:
        text = f"todo-proc finds todo/…/{number} without mess/…/{number}; it says so and tries again, for ever."
        return Outlook((), True, text)
    is_whole = octets["mess"] == originals.mess.get(number) and octets["todo"] == originals.records.get(number)
    arrivals = [Arrival(address, is_whole) for address in records.recipients if not tape.is_failing(address)]
    has_failure = len(arrivals) < len(records.recipients)
    if has_failure or octets.get("bounce"):
        arrivals.append(Arrival(BOUNCE, is_whole))
    again = " again: what an earlier try had written is removed" if set(octets) & {"info", *CHANNELS} else ""
    text = (
        f"todo-proc finds todo/…/{number} and preprocesses it{again}. {_mess_remark(octets['mess'], number, originals)}"
    )
    return Outlook(tuple(arrivals), False, text + _who(arrivals))


def _from_info(octets: Mapping[str, bytes], number: int, originals: Originals, tape: Tape) -> Outlook:
    """Follow qmail-send."""
    found = f"qmail-send finds info/…/{number} when it starts"
    if _records(octets["info"]) is None:
        return Outlook((), True, f"{found} and cannot read the sender; it says so and tries again, for ever.")
    waiting: list[bytes] = []
    is_readable = True
    for kind in CHANNELS:
        recipients, is_good = good_recipients(octets.get(kind, b""))
        is_readable &= is_good
        waiting += [recipient.address for recipient in recipients if not recipient.is_done]
    has_bounce = bool(octets.get("bounce")) or any(tape.is_failing(address) for address in waiting)
    if "mess" not in octets:
        is_stuck = bool(waiting) or has_bounce or not is_readable
        ending = "nobody can get it: each try ends in a deferral" if is_stuck else "nobody waits for it, so it is ended"
        return Outlook((), is_stuck, f"{found}, but mess/…/{number} is gone; {ending}.")
    is_whole = octets["mess"] == originals.mess.get(number)
    arrivals = [Arrival(address, is_whole) for address in waiting if not tape.is_failing(address)]
    if has_bounce and is_readable:
        failing = {address for address, outcome in tape.outcomes.items() if outcome == "failure"}
        told = failing - {tape.forms.get(address, address) for address in waiting}
        is_complete = told <= {name.lower() for name in _NAMED.findall(octets.get("bounce", b""))}
        arrivals.append(Arrival(BOUNCE, is_whole and is_complete))
    if not is_readable:
        return Outlook(
            tuple(arrivals), True, f"{found}, but a list of recipients is damaged; the rest is tried for ever."
        )
    if not arrivals:
        return Outlook((), False, f"{found} and that nobody waits for it, so it is ended.")
    return Outlook(
        tuple(arrivals), False, f"{found}. {_mess_remark(octets['mess'], number, originals)}{_who(arrivals)}"
    )


def _mess_remark(octets: bytes, number: int, originals: Originals) -> str:
    """Say what is wrong with a message, or nothing."""
    whole = originals.mess.get(number, b"")
    if octets == whole:
        return ""
    if len(octets) < len(whole):
        return f"Only {len(octets)} of the {len(whole)} octets of mess/…/{number} are there. "
    return f"mess/…/{number} has its length, but not its octets. "


def _who(arrivals: list[Arrival]) -> str:
    """Say who gets something."""
    names = [shown(arrival.recipient) for arrival in arrivals]
    return f"Then {', '.join(names)} will get it." if names else "Nobody is named in it."


def shown(recipient: bytes) -> str:
    """Return a recipient as a sentence has it, hostile characters written out."""
    return "the sender (as a bounce)" if recipient == BOUNCE else visible(recipient.decode("utf-8", "backslashreplace"))


def _records(octets: bytes) -> QueueRecords | None:
    """Read a todo or info file as todo-proc and qmail-send do; None where they give up."""
    try:
        records = decode_records(octets)
    except EnvelopeError:
        return None
    return None if records.sender is None or records.unknown else records


def good_recipients(octets: bytes) -> tuple[tuple[Recipient, ...], bool]:
    """Read a local or remote file as qmail-send does: the records before the first fault, and whether there is none."""
    try:
        return decode_recipients(octets), True
    except EnvelopeError:
        *good, _ = _good_prefixes(octets)
        return decode_recipients(good[-1]), False


def _good_prefixes(octets: bytes) -> Iterator[bytes]:
    """Yield the octets up to the start of each record; the last one is damaged, or the empty end of a damaged file."""
    start = 0
    yield b""
    while start < len(octets):
        end = octets.find(b"\0", start)
        if end < 0 or octets[start : start + 1] not in (b"T", b"D"):
            break
        start = end + 1
        yield octets[:start]
    yield octets
