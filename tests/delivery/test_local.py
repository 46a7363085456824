"""qmail-local."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from indimail_kit.delivery.events import Delivery, Report
from indimail_kit.delivery.local import (
    FULL,
    LOOPING,
    MAILDIR_TROUBLE,
    NO_FORWARD,
    NO_MAILBOX,
    NO_MAILDIR,
    NO_MESSAGE,
    NO_PROGRAM,
    REJECTED,
)
from indimail_kit.delivery.vfilter import Comparision, FilterRule, parse_command
from indimail_kit.errors import QueueError
from indimail_kit.mailqueue.values import INDIMAIL

Limit = Callable[[int], AbstractContextManager[None]]

if TYPE_CHECKING:
    from tests.delivery.conftest import House

Make = Callable[..., Delivery]

BLACKHOLED = Report("success", b"Mail BlackHoled\ndid 0+0+0\n")


def rule(destination: str = "Junk", bounce_action: str = "0", emailid: str = "prefilt@example.com") -> FilterRule:
    """Make a rule that takes every mail with "hi" in its subject."""
    return FilterRule(
        emailid=emailid,
        header_name=2,
        comparision=Comparision.CONTAINS,
        keyword="hi",
        destination=destination,
        bounce_action=bounce_action,
    )


def deliver(house: House, delivery: Delivery, **options: Any) -> Report:
    """Deliver with the house's users and filters."""
    return house.local().deliver(delivery, clock=house.clock, sync=INDIMAIL, **options)


def test_mail_gets_its_three_kinds_of_lines_on_top(house: House, delivery: Make) -> None:
    """Return-Path, Delivered-To, the e record; then the message unchanged."""
    report = deliver(house, delivery(header=b"X-QHPSI: clean\nX-More: 1\n"))

    assert (report.outcome, report.text, report.folder) == ("success", b"did 1+0+0\n", "Inbox")
    assert report.path is not None
    assert report.path.read_bytes() == (
        b"Return-Path: <ann@example.com>\nDelivered-To: bob@example.com\nX-QHPSI: clean\nX-More: 1\n"
        b"Subject: hi\n\nbody\n"
    )


def test_message_of_many_pieces_stays_as_it_is(house: House, delivery: Make) -> None:
    """Octets beyond one read, NUL and 8-bit ones included."""
    octets = b"Subject: hi\n\n" + bytes(range(256)) * 1000
    wanted = delivery()
    wanted.mess_path.write_bytes(octets)

    deliver(house, wanted)

    assert house.mails("bob")[0].endswith(octets)


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        pytest.param(b"nobody@example.com", NO_MAILBOX, id="unknown"),
        pytest.param(b"bob-ext@example.com", NO_MAILBOX, id="extension"),
        pytest.param(b"@example.com", NO_MAILBOX, id="no user"),
        pytest.param(b"b\xf6b@example.com", NO_MAILBOX, id="8-bit"),
    ],
)
def test_unknown_user_is_a_failure(house: House, delivery: Make, recipient: bytes, expected: Report) -> None:
    """IndiMail's text, as recorded."""
    assert deliver(house, delivery(recipient=recipient)) == expected
    assert expected.text == b"Sorry, no mailbox here by that name. (#5.1.1)\n"


def test_user_is_found_in_any_case(house: House, delivery: Make) -> None:
    """Addresses of users are kept in lower case."""
    assert deliver(house, delivery(recipient=b"Bob@Example.COM")).outcome == "success"


def test_virtual_user_is_found_behind_the_prefix(house: House, delivery: Make) -> None:
    """todo-proc puts the domain in front; Delivered-To keeps it, as with the real qmail-local."""
    local = house.local(locals=(), virtual_domains={"example.com": "example.com"})

    report = local.deliver(delivery(recipient=b"example.com-bob@example.com"), clock=house.clock, sync=INDIMAIL)

    assert report.outcome == "success"
    assert b"\nDelivered-To: example.com-bob@example.com\n" in house.mails("bob")[0]


def test_odd_addresses_stay_on_their_lines(house: House, delivery: Make) -> None:
    """A newline in an address cannot forge a header; a blank in the sender is quoted."""
    house.users["bob\nx-evil: 1@example.com"] = house.users["bob@example.com"]
    wanted = delivery(sender=b"sp ace\nX-Evil: 1@b.test", recipient=b"bob\nX-Evil: 1@example.com")

    deliver(house, wanted)

    assert house.mails("bob")[0].split(b"\n")[:3] == [
        b'Return-Path: <"sp ace\\_X-Evil: 1"@b.test>',
        b"Delivered-To: bob_X-Evil: 1@example.com",
        b"Subject: hi",
    ]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(b"Delivered-To: bob@example.com\nSubject: hi\n\n", LOOPING, id="was here"),
        pytest.param(b"Delivered-To: ann@example.com\nSubject: hi\n\n", None, id="was elsewhere"),
        pytest.param(b"Subject: hi\n\nDelivered-To: bob@example.com\n", None, id="only in the text"),
        pytest.param(b"Delivered-To: bob@example.com", None, id="not a whole line"),
    ],
)
def test_message_that_was_delivered_here_before_is_looping(
    house: House, delivery: Make, head: bytes, expected: Report | None
) -> None:
    """qmail-local.c bouncexf(): our own Delivered-To line in the header."""
    wanted = delivery()
    wanted.mess_path.write_bytes(head)

    assert (deliver(house, wanted) == LOOPING) == (expected is LOOPING)


def as_file(path: Path) -> None:
    """Put a file where a directory was."""
    shutil.rmtree(path)
    path.write_text("in the way")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        pytest.param(shutil.rmtree, NO_MAILDIR, id="no Maildir"),
        pytest.param(as_file, NO_MAILDIR, id="a file in its place"),
        pytest.param(lambda maildir: (maildir / "tmp").rmdir(), MAILDIR_TROUBLE, id="no tmp"),
        pytest.param(lambda maildir: as_file(maildir / "new"), MAILDIR_TROUBLE, id="new is a file"),
    ],
)
def test_maildir_that_cannot_be_written_defers(
    house: House, delivery: Make, damage: Callable[[Path], object], expected: Report
) -> None:
    """The mail stays in the queue, with qmail-local's reason."""
    damage(house.users["bob@example.com"])

    assert deliver(house, delivery()) == expected
    assert expected.outcome == "deferral"


def test_full_disk_defers(house: House, delivery: Make, limited_file_size: Limit) -> None:
    """A disk without room is temporary."""
    with limited_file_size(10):
        report = deliver(house, delivery())

    assert report == MAILDIR_TROUBLE
    assert house.mails("bob") == []


def test_full_quota_is_a_failure(house: House, delivery: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """EDQUOT is the user's own fault: maildir_deliver.c returns 5, qmail-local exits 100."""
    import errno

    def over_quota(*_: object, **__: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr("indimail_kit.delivery.maildir.os.link", over_quota)

    assert deliver(house, delivery()) == FULL


@pytest.mark.parametrize("has_filter", [False, True], ids=["plain", "with a filter"])
def test_message_that_vanished_defers(house: House, delivery: Make, has_filter: bool) -> None:
    """A mess file that cannot be read is no success and no failure."""
    house.filters.update({"prefilt@example.com": [rule()]} if has_filter else {})

    assert deliver(house, delivery(mess_path=house.directory / "gone")) == NO_MESSAGE
    assert house.mails("bob") == []


def test_message_that_breaks_off_while_copied_defers(
    house: House, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An input error in the middle is the message's, not the mailbox's, and leaves nothing."""
    wanted = delivery()
    monkeypatch.setattr("indimail_kit.delivery.local.is_looping", lambda _delivery: wanted.mess_path.unlink())

    assert deliver(house, wanted) == NO_MESSAGE
    assert house.mails("bob") == []


def test_seed_filter_puts_infected_mail_into_quarantine(house: House, delivery: Make) -> None:
    """The seed's vcfilter line, at work on the e record's header."""
    line = 'vcfilter -i -t virusFilter -c 0 -k "virus found" -f Quarantine -b 0 -h 28 prefilt@example.com'
    house.filters["prefilt@example.com"] = [parse_command(line).rule]

    infected = deliver(house, delivery(header=b"X-QHPSI: Virus found\n"))
    clean = deliver(house, delivery(header=b"X-QHPSI: clean\n"))

    assert (infected.folder, clean.folder) == ("Quarantine", "Inbox")
    assert (len(house.mails("bob", ".Quarantine")), len(house.mails("bob"))) == (1, 1)


@pytest.mark.parametrize(
    ("flag", "folder"),
    [pytest.param("", "Junk", id="prefilt"), pytest.param("noprefilt", "Inbox", id="switched off in the Maildir")],
)
def test_file_in_the_maildir_switches_prefilt_off(house: House, delivery: Make, flag: str, folder: str) -> None:
    """Maildir/noprefilt."""
    house.filters["prefilt@example.com"] = [rule()]
    (house.users["bob@example.com"] / (flag or "unrelated")).touch()

    assert deliver(house, delivery()).folder == folder


@pytest.mark.parametrize(
    ("flags", "folder"),
    [
        pytest.param((), "Inbox", id="without the file vfilter"),
        pytest.param(("vfilter",), "Mine", id="with it"),
    ],
)
def test_own_filters_need_the_file_vfilter(house: House, delivery: Make, flags: tuple[str, ...], folder: str) -> None:
    """Vcfilter makes the file with the first rule; without it neither the user's nor postfilt's rules are asked."""
    house.filters["bob@example.com"] = [rule("Mine", emailid="bob@example.com")]
    house.filters["postfilt@example.com"] = [rule("Late", emailid="postfilt@example.com")]
    for flag in flags:
        (house.users["bob@example.com"] / flag).touch()

    assert deliver(house, delivery()).folder == folder


def test_postfilt_takes_what_nobody_took(house: House, delivery: Make) -> None:
    """The last to be asked, unless Maildir/nopostfilt is there."""
    house.filters["postfilt@example.com"] = [rule("Late", emailid="postfilt@example.com")]
    (house.users["bob@example.com"] / "vfilter").touch()

    assert deliver(house, delivery()).folder == "Late"
    (house.users["bob@example.com"] / "nopostfilt").touch()
    assert deliver(house, delivery()).folder == "Inbox"


def test_no_deliver_throws_the_mail_away(house: House, delivery: Make) -> None:
    """/NoDeliver: a success without a file, and the report says which rule it was."""
    house.filters["prefilt@example.com"] = [rule("/NoDeliver")]

    assert deliver(house, delivery()) == dataclasses.replace(BLACKHOLED, rule=rule("/NoDeliver"))
    assert house.mails("bob") == []


@pytest.mark.parametrize(
    ("destination", "copies"), [pytest.param("Junk", 1, id="folder"), pytest.param("/NoDeliver", 0, id="no folder")]
)
def test_bouncing_filter_keeps_its_copy(house: House, delivery: Make, destination: str, copies: int) -> None:
    """-b 1: vfilter delivers to the folder first, then exits 100."""
    house.filters["prefilt@example.com"] = [rule(destination, "1")]

    assert deliver(house, delivery()) == REJECTED
    assert len(house.mails("bob", ".Junk")) == copies


class Forwarder:
    """Takes what a filter forwards."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, bytes, bytes]] = []

    def __call__(self, parts: Iterable[bytes], sender: bytes, recipient: bytes) -> int:
        self.taken.append((b"".join(parts), sender, recipient))
        return 4242


@pytest.mark.parametrize(
    ("destination", "bounce_action", "outcome", "text"),
    [
        pytest.param("Junk", "2&c@d.test", "success", b"did 1+1+0\nqp 4242\n", id="forward and keep"),
        pytest.param("/NoDeliver", "2&c@d.test", "success", b"did 0+1+0\nqp 4242\n", id="forward only"),
        pytest.param("Junk", "3&c@d.test", "failure", REJECTED.text, id="forward and bounce"),
    ],
)
def test_forwarding_filter_queues_the_mail_again(
    house: House, delivery: Make, destination: str, bounce_action: str, outcome: str, text: bytes
) -> None:
    """The copy carries our Delivered-To, so that a loop is noticed, and the e record."""
    house.filters["prefilt@example.com"] = [rule(destination, bounce_action)]
    forwarder = Forwarder()

    report = deliver(house, delivery(header=b"X-QHPSI: clean\n"), forward=forwarder)

    assert (report.outcome, report.text) == (outcome, text)
    copy = b"Delivered-To: bob@example.com\nX-QHPSI: clean\nSubject: hi\n\nbody\n"
    assert forwarder.taken == [(copy, b"ann@example.com", b"c@d.test")]


def refuse(_parts: Iterable[bytes], _sender: bytes, _recipient: bytes) -> int:
    """Refuse as a full queue does."""
    raise QueueError("disk full", exit_code=53)


@pytest.mark.parametrize("forward", [None, refuse], ids=["nobody forwards", "queue refuses"])
def test_filter_that_cannot_forward_defers(house: House, delivery: Make, forward: Any) -> None:
    """The mail is tried again, not lost."""
    house.filters["prefilt@example.com"] = [rule("/NoDeliver", "2&c@d.test")]

    assert deliver(house, delivery(), forward=forward) == NO_FORWARD
    assert NO_FORWARD.outcome == "deferral"


def test_filter_never_runs_a_program(house: House, delivery: Make) -> None:
    """2|program defers: a mail cannot start anything here."""
    witness = house.directory / "witness"
    house.filters["prefilt@example.com"] = [rule("/NoDeliver", f"2|touch {witness}"[:64])]

    assert deliver(house, delivery(), forward=Forwarder()) == NO_PROGRAM
    assert not witness.exists()


def test_broken_rule_lets_the_mail_through(house: House, delivery: Make) -> None:
    """A regular expression that cannot be used is no reason to hold mail back."""
    broken = FilterRule(
        emailid="prefilt@example.com",
        header_name=2,
        comparision=Comparision.REGEXP,
        keyword="(hi)\\1",
        destination="Junk",
    )
    house.filters["prefilt@example.com"] = [broken]

    assert deliver(house, delivery()).folder == "Inbox"


def test_message_that_cannot_be_read_on_defers(house: House, delivery: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens, but reading fails: an input error of the disk."""
    wanted = delivery()

    def fail(_fd: int, _octets: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("indimail_kit.delivery.local.os.read", fail)

    assert deliver(house, wanted) == NO_MESSAGE
    assert house.mails("bob") == []
