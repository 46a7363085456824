"""What can be wrong with a queue: one name for each broken rule, why it matters, and what happens next.

Source: indimail-mta-internals(7); IndiMail queue-fix.c (places, modes, owners); qmail-send.c, todo-proc.c and
qmail-clean.c (what each program does with such files).

Rule 1: values and words only; `check_message` and `check_queue` find, `indimail_kit.admin` repairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import BUG


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing in a queue that is not as it should be.

    Attributes:
        queue: Name of the queue.
        path: Relative to the queue directory ("mess/16/660188").
        rule: One of RULES.
        text: What it is in this case, for a person.
        message_number: The message that it belongs to; 0 when it is no message's.
    """

    queue: str
    path: str
    rule: str
    text: str
    message_number: int = 0

    def __post_init__(self) -> None:
        """Refuse a rule that nobody could look up."""
        if self.rule not in RULES:
            raise QueueError("a rule that is not in the table", exit_code=BUG)

    @property
    def why(self) -> str:
        """Return why it matters and what happens next, a sentence or two."""
        return RULES[self.rule]


RULES: Final = {
    # --- which files there are
    "without-mess": "The message itself is gone, only files about it are left. No program of qmail removes them.",
    "todo-without-mess": "An envelope without a message. todo-proc tries it again and again, and never gets further.",
    "intd-without-todo": "The envelope was preprocessed already, and intd should be gone by then. Nobody removes it "
    "before the message is through.",
    "without-info": "Nobody knows the sender any more. qmail-send finds a message by its info file, so it does not "
    "deliver this one, and qmail-clean removes mess after 36 hours.",
    "bounce-before-info": "A bounce is written for recipients that were tried, but this message was not preprocessed "
    "yet. todo-proc goes on, and the bounce then tells of recipients of another message.",
    # --- a file of a message
    "inode-differs": "qmail knows a message by the inode number of its mess file; qmail-queue may give the same name "
    "to a new message. It happens when a queue is copied or restored; queue-fix renames such files.",
    "wrong-split": "The file lies in another sub-directory than the one that its number leads to (number modulo "
    "split). No program looks for it there, so the message is not delivered.",
    "two-envelopes": "intd and todo must be two names of one file. A copy that did not keep hard links made two of it.",
    "extra-link": "The file has more names than qmail gives it. Whoever writes through the other name changes the "
    "message.",
    "not-regular": "A link, directory, FIFO or device in the place of a file. qmail does not make such things.",
    "empty-mess": "The queue has accepted this message, but its text has 0 octets: a crash lost it before it was on "
    "the disk. What would be delivered is an empty mail.",
    "no-sender": "There is no record of the sender (F), as qmail-queue and todo-proc always write one: a crash lost "
    "it before it was on the disk. The message is not delivered.",
    "unknown-record": "A record of a kind that qmail does not write. todo-proc refuses the whole message.",
    "unfinished-record": "The file ends in the middle of a record: it was cut, or not written to its end.",
    "ossified": "Older than 36 hours (by access time) and never queued: qmail-queue was killed or the machine stopped. "
    "The client was not told that it was accepted. qmail-clean removes it within a day.",
    "in-future": "A time that has not come yet: the clock was wrong, or the file was touched. The message waits until "
    "then, and its age cannot be told.",
    # --- anything in the queue
    "wrong-mode": "Other permission bits than qmail gives: either a program cannot read it, or somebody can who should "
    "not.",
    "wrong-owner": "It belongs to another user or group than qmail gives it to. The program that works on it cannot "
    "read or remove it.",
    "unknown-file": "A name that qmail does not give. No program looks at it or removes it.",
    "unknown-directory": "A directory that no queue has. No program looks into it.",
    "missing-directory": "A directory of the queue is not there. What belongs into it cannot be queued or delivered.",
    "not-directory": "Something else stands in the place of a directory of the queue.",
    "lock-file": "A file below lock/ is missing or is not what it should be. qmail-send does not start without "
    "sendmutex and trigger; without the trigger new mail waits up to 25 minutes; tcpto has 2048 octets.",
    "unreadable": "It could not be looked at, so nothing can be said about it.",
}
"""Rule -> why it matters and what happens next."""
