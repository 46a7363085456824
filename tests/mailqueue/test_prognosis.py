"""What becomes of files that a crash left: todo-proc, qmail-send and qmail-clean, followed on an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.mailqueue.image import FileImage, QueueImage
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.prognosis import BOUNCE, Arrival, Originals, Outlook, good_recipients, look_ahead
from indimail_kit.mailqueue.tape import Tape

LAYOUT = QueueLayout(Path("queue1"), split=7)
NUMBER = 10
MAIL, TODO, INFO = b"mail\n", b"u0\0p1\0Fann@x\0Tbob@x\0Tnobody@x\0", b"Fann@x\0"
BOB, TOLD = Arrival(b"bob@x"), Arrival(BOUNCE)
ABOUT = b"<nobody@x>:\nno mailbox\n\n"


def image(**files: bytes) -> QueueImage:
    """Return an image of one message: kind -> octets."""
    return QueueImage(
        {
            LAYOUT.relative(kind, NUMBER): FileImage(inode, octets, 0o644, 0)
            for inode, (kind, octets) in enumerate(files.items(), 1)
        }
    )


WHOLE = image(mess=MAIL, todo=TODO)
TAPE = Tape("a tape", LAYOUT, WHOLE, (), NUMBER, outcomes={b"bob@x": "success", b"nobody@x": "failure"})


def outlook(**files: bytes) -> Outlook:
    """Return what becomes of the files of one message."""
    return look_ahead(image(**files), TAPE, NUMBER, Originals.of(TAPE))


@pytest.mark.parametrize(
    ("files", "arrivals"),
    [
        ({}, ()),
        ({"mess": MAIL, "todo": TODO}, (BOB, TOLD)),
        ({"mess": b"ma", "todo": TODO}, (Arrival(b"bob@x", False), Arrival(BOUNCE, False))),
        ({"mess": MAIL, "todo": TODO, "info": INFO, "local": b"T"}, (BOB, TOLD)),
        ({"mess": MAIL, "todo": b"Fann@x\0Tbob@x\0"}, (Arrival(b"bob@x", False),)),
        ({"mess": MAIL, "info": INFO, "local": b"Tbob@x\0Tnobody@x\0"}, (BOB, TOLD)),
        ({"mess": MAIL, "info": INFO, "local": b"Dbob@x\0Tnobody@x\0"}, (TOLD,)),
        ({"mess": MAIL, "info": INFO, "bounce": ABOUT}, (TOLD,)),
        ({"mess": MAIL, "info": INFO, "bounce": b"\0" * 9}, (Arrival(BOUNCE, False),)),
        ({"mess": MAIL, "info": INFO, "bounce": b""}, ()),
        ({"mess": MAIL, "info": INFO}, ()),
        ({"mess": MAIL, "intd": TODO}, ()),
        ({"mess": b"\0" * 5, "info": INFO, "remote": b"Tbob@x\0"}, (Arrival(b"bob@x", False),)),
    ],
    ids=[
        *("nothing", "todo", "cut message", "todo again", "cut envelope", "both wait", "one waits", "bounce"),
        *("bounce of zeros", "empty bounce", "nobody waits", "no todo", "message of zeros"),
    ],
)
def test_whoever_is_named_gets_what_is_there(files: dict[str, bytes], arrivals: tuple[Arrival, ...]) -> None:
    """Recipients of todo, or those that are T; the sender for a failure that somebody noted or will see again."""
    found = outlook(**files)
    assert (found.arrivals, found.is_stuck) == (arrivals, False)


@pytest.mark.parametrize(
    ("files", "part"),
    [
        ({"mess": MAIL, "todo": b""}, "cannot read its envelope"),
        ({"mess": MAIL, "todo": bytes(20)}, "cannot read its envelope"),
        ({"todo": TODO}, "without mess/…/10"),
        ({"mess": MAIL, "info": b""}, "cannot read the sender"),
        ({"mess": MAIL, "info": b"Fann@x"}, "cannot read the sender"),
        ({"info": INFO, "local": b"Tbob@x\0"}, "each try ends in a deferral"),
        ({"info": INFO, "bounce": ABOUT}, "each try ends in a deferral"),
    ],
)
def test_damaged_message_stays_for_ever(files: dict[str, bytes], part: str) -> None:
    """Nobody gets it, and the log fills; the sentence says why."""
    found = outlook(**files)
    assert (found.arrivals, found.is_stuck, part in found.text) == ((), True, True)


def test_damaged_list_of_recipients_is_read_up_to_its_fault() -> None:
    """The good records before it are tried, again and again."""
    found = outlook(mess=MAIL, info=INFO, local=b"Tbob@x\0Tnobo")
    assert (found.arrivals, found.is_stuck) == ((BOB,), True)


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"mess": MAIL}, "Left is mess/…/10. Without todo or info nobody looks at it; qmail-clean removes it 36 hours"),
        ({"intd": TODO}, "Left is intd/…/10. Without todo or info nobody looks at it, and qmail-clean goes by mess"),
        ({"mess": MAIL, "local": b"T"}, "Left is local/…/10 and mess/…/10. qmail-send begins with info"),
        ({"info": INFO}, "qmail-send finds info/…/10 when it starts, but mess/…/10 is gone; nobody waits for it"),
        ({"mess": b"ma", "todo": TODO}, "todo-proc finds todo/…/10 and preprocesses it. Only 2 of the 5 octets"),
        ({"mess": bytes(5), "todo": TODO}, "todo-proc finds todo/…/10 and preprocesses it. mess/…/10 has its length,"),
        ({"mess": MAIL, "todo": TODO, "info": b""}, "todo-proc finds todo/…/10 and preprocesses it again: what an"),
        ({"mess": MAIL, "info": INFO}, "qmail-send finds info/…/10 when it starts and that nobody waits for it"),
    ],
)
def test_sentence_says_what_is_left_and_who_does_what(files: dict[str, bytes], text: str) -> None:
    """For a person who sees these files."""
    assert outlook(**files).text.startswith(text)


def test_bounce_that_forgets_a_failure_is_not_whole() -> None:
    """Both are done, and the notes tell of one: the sender is never told of the other."""
    tape = Tape("a tape", LAYOUT, WHOLE, (), NUMBER, outcomes={b"nobody@x": "failure", b"stranger@x": "failure"})
    left = image(mess=MAIL, info=INFO, bounce=ABOUT)
    assert look_ahead(left, tape, NUMBER, Originals.of(tape)).arrivals == (Arrival(BOUNCE, False),)


def test_hostile_recipient_is_told_in_visible_form() -> None:
    """Control characters of an address do not reach the screen."""
    found = outlook(mess=MAIL, info=INFO, local=b"T\x1b[2Jbob@x\0")
    assert "\x1b" not in found.text


@pytest.mark.parametrize(
    ("octets", "addresses", "is_good"),
    [
        (b"", [], True),
        (b"Ta\0Db\0", [b"a", b"b"], True),
        (b"Ta\0Db", [b"a"], False),
        (b"Ta\0Xb\0Tc\0", [b"a"], False),
        (bytes(3), [], False),
    ],
)
def test_records_before_the_first_fault_are_good(octets: bytes, addresses: list[bytes], is_good: bool) -> None:
    """As qmail-send reads local and remote."""
    recipients, found = good_recipients(octets)
    assert ([recipient.address for recipient in recipients], found) == (addresses, is_good)
