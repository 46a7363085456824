"""Messages that are files: queues and mailboxes as the real programs left them, and tops that a sender invented."""

from __future__ import annotations

import os
import re
import tarfile
from pathlib import Path

import pytest

from indimail_kit import logs, trace
from indimail_kit.errors import TraceError
from indimail_kit.mailqueue import QueueLayout, Queues
from indimail_kit.trace.clocks import NS, header_delay, parse_date
from indimail_kit.trace.files import read_head

DATA = Path(__file__).parents[1] / "data" / "indimail"


@pytest.fixture(scope="module")
def log():
    """qmail-send's log of the day on which queues and mailboxes were recorded, and clamd's."""
    return logs.read(DATA / "logs" / "send-for-smtpd.tai64n.log.gz", DATA / "clamd" / "clamd.log")


@pytest.fixture
def queues(tmp_path):
    """Return a function that unpacks a recorded queue."""

    def unpacked(name: str) -> Queues:
        with tarfile.open(DATA / "queue" / f"{name}.tar") as archive:
            archive.extractall(tmp_path, filter="fully_trusted")  # noqa: S202 (our own recordings)
        directory = tmp_path / name.rpartition("-")[2]
        return Queues(directory, (QueueLayout(directory),))

    return unpacked


def test_files_in_the_queue_are_joined_by_number_and_qp(log, queues):
    """1704474 was used twice that day: the files are the second message's, whose qp their Received line names."""
    told = trace.message(1704474, logs=[log], queues=queues("mixed-queue1"), lifetime=2)
    files = [one for one in told.evidence if one.line_number == 0]

    assert [(one.text.split(": ")[0], one.confidence) for one in files] == [
        ("queue1/bounce/1704474", "certain"),
        ("queue1/info/137/1704474", "certain"),
        ("queue1/mess/137/1704474", "certain"),
        ("queue1/local/137/1704474", "certain"),
    ]
    assert {one.reason for one in files} == {
        "same number, and qp 6500; its date is 27 s early, as with IndiMail's leapsecs.dat"
    }


def test_files_of_another_message_are_a_gap_and_a_story_of_their_own(log, queues):
    """The queue of a quarter of an hour before: the same number, another qp."""
    told = trace.message(1704474, logs=[log], queues=queues("s5-deferred-and-bounce-queue1"))

    assert [one.message.qp for one in told.candidates] == [6500, 5225, 4305]
    assert "queue: what is in queue1 under this number now is another message, qp 4305" in told.gaps
    assert "queue: open at the end of the log, and not in the queue now" in told.gaps


def test_a_message_of_which_only_the_queue_tells_is_found(queues):
    """By number, by qp and by address; without a log."""
    tracer = trace.Tracer(queues=queues("s4-queued-queue1"))
    stories = [tracer.message(1704476), tracer.qp(4306)]

    assert {(one.message.qp, one.message.sender, one.confidence) for one in stories} == {
        (4306, "ann@local.test", "likely")
    }
    assert len(tracer.address("alice@local.test").candidates) == 2


def test_a_delivered_mail_is_joined_by_qp_and_date(log):
    """Its topmost Received line names the qp; the date is 27 s before "new msg", and that is no doubt."""
    (mail,) = trace.qp(5726, logs=[log], mails=[DATA / "qhpsi" / "delivered" / "local-1.eml"]).of("mail")

    assert (mail.confidence, mail.text.split(";")[0], "27 s early" in mail.reason) == (
        "certain",
        "Delivered-To: alice@local.test",
        True,
    )


def test_the_header_of_a_delivered_mail_makes_a_found_virus_certain(log):
    """A file in which something was found may have been refused; X-QHPSI says that this one was not."""
    mail = DATA / "qhpsi" / "delivered" / "local-2.eml"
    confidences = [
        [one.confidence for one in trace.qp(5734, logs=[log], mails=mails).of("scan")] for mails in ([], [mail])
    ]

    assert confidences == [["likely"], ["certain", "certain"]]


def test_a_maildir_is_read_with_its_folders_and_stays_as_it_was(log, tmp_path):
    """new, cur and .Quarantine; a link is not followed, and no time changes."""
    content = (DATA / "qhpsi" / "delivered" / "local-1.eml").read_bytes()
    for place in ("new/a", "cur/b:2,S", ".Quarantine/cur/c"):
        path = tmp_path / "Maildir" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "Maildir" / "new" / "link").symlink_to(DATA / "qhpsi" / "delivered" / "local-1.eml")
    (tmp_path / "Maildir" / "new").mkdir(exist_ok=True)
    paths = [*tmp_path.rglob("*")]
    before = {path: (os.lstat(path).st_atime_ns, os.lstat(path).st_mtime_ns) for path in paths}

    tracer = trace.Tracer(logs=[log], mails=[tmp_path / "Maildir"])
    told = tracer.qp(5726)

    after = {path: (os.lstat(path).st_atime_ns, os.lstat(path).st_mtime_ns) for path in before}
    assert sorted(Path(one.file).name for one in told.of("mail")) == ["a", "b:2,S", "c"]
    assert after == before
    assert tracer.unread == ((tmp_path / "Maildir" / "new" / "link", "a link, which is not followed"),)


def test_what_is_no_mail_is_left_out_and_said(tmp_path):
    """A directory and a FIFO where mails should be: neither hangs the tracer, and neither disappears."""
    (tmp_path / "new" / "directory").mkdir(parents=True)
    os.mkfifo(tmp_path / "new" / "fifo")

    assert [(path.name, reason) for path, reason in trace.Tracer(mails=[tmp_path]).unread] == [
        ("directory", "no regular file"),
        ("fifo", "no regular file"),
    ]


def test_no_mail_in_the_mailbox_is_a_gap(log, tmp_path):
    """The log tells of a success, and nothing has arrived."""
    (tmp_path / "new").mkdir()

    assert "mail: no evidence in the mailboxes: no mail whose topmost Received line names its qp" in (
        trace.qp(5726, logs=[log], mails=[tmp_path]).gaps
    )


def test_a_place_that_is_no_maildir_is_refused(tmp_path):
    """Clear words instead of an empty answer."""
    with pytest.raises(TraceError, match="neither a mail nor a Maildir"):
        trace.Tracer(mails=[tmp_path])


OURS = b"Received: indimail-mta queue 7 by host vm\n (invoked by uid 0); Sun, 22 Nov 2026 14:14:00 +0000\n"


@pytest.mark.parametrize(
    ("octets", "qp", "qhpsi"),
    [
        (OURS, 7, None),
        (b"Return-Path: <a@b>\nX-QHPSI: clean\n" + OURS, 7, "clean"),
        (b"X-QHPSI: clean\r\n" + OURS.replace(b"\n", b"\r\n"), 7, "clean"),
        (OURS + b"X-QHPSI: clean\n", 7, None),
        (b"Received: from elsewhere; today\n" + OURS, None, None),
        (b"Subject: no header of ours\n\n" + OURS, None, None),
        (b"Received: indimail-mta queue seven (invoked by uid 0); today\n", None, None),
        (b"", None, None),
        (b"\xff\x00\n" * 10, None, None),
    ],
    ids=[
        "ours",
        "headers above",
        "CR LF",
        "X-QHPSI below",
        "ours below",
        "in the body",
        "no number",
        "empty",
        "octets",
    ],
)
def test_only_what_stands_on_top_is_believed(octets, qp, qhpsi):
    """Whatever is below the topmost Received line may be the sender's invention."""
    head = read_head(octets)

    assert (head.qp, head.qhpsi) == (qp, qhpsi)


@pytest.mark.parametrize(
    ("delay_s", "answer_s", "is_early"),
    [(0, 0, False), (24, 24, False), (25, -2, True), (27, 0, True), (29, 2, True), (30, 30, False), (-27, -27, False)],
)
def test_the_27_seconds_are_known_on_both_sides_of_their_limits(delay_s, answer_s, is_early):
    """A date is a whole second, so two seconds more or less are taken for the quirk."""
    assert header_delay(0, delay_s * NS) == (answer_s * NS, is_early)


@pytest.mark.parametrize("text", ["", "today", "Sun, 99 Nov 2026 14:14:00 +0000", "\x00", "Sun, 22 Nov 99999999 1:1:1"])
def test_what_is_no_date_is_none(text):
    """Never an exception out of a header."""
    assert parse_date(text) is None


TREES = (
    "mixed-queue1",
    "mixed-queue2",
    "s2-s3-in-progress-nqueue",
    "s4-queued-queue1",
    "s5-deferred-and-bounce-queue1",
)


@pytest.mark.parametrize("name", TREES)
def test_each_message_of_a_recorded_queue_has_one_story_with_its_files(name, log, queues):
    """Whoever had its number before in the log: the files belong to the story with the qp of their own mess."""
    opened = queues(name)
    tracer = trace.Tracer(logs=[log], queues=opened)
    written = {
        int(path.name): re.search(rb"indimail-mta queue (\d+) by", path.read_bytes())
        for path in opened.layouts[0].directory.glob("mess/*/*")
    }
    expected = {number: None if found is None else int(found[1]) for number, found in written.items()}

    stories = {number: tracer.message(number).candidates for number in written}
    owners = {
        number: [one.message.qp for one in told if any("/mess/" in piece.file for piece in one.evidence)]
        for number, told in stories.items()
    }
    assert (owners, len(written) > 1) == ({number: [qp] for number, qp in expected.items()}, True)
    assert {one.alone().confidence for told in stories.values() for one in told} == {"likely"}


@pytest.mark.parametrize(
    ("with_clamd", "gaps"),
    [
        (False, ("scan: no evidence: no log of a scanner was given",)),
        (
            True,
            (
                "scan: no evidence: the scanner's log has nothing for 7 in this lifetime",
                "scan: X-QHPSI tells of one, the scanner's log does not",
            ),
        ),
    ],
)
def test_a_scan_that_only_the_header_tells_of_leaves_the_gap_of_the_log(with_clamd, gaps, tmp_path):
    """A scanner's log that is not there cannot be blamed for not telling; one that is there can."""
    lines = [
        b"new msg 7 queue1",
        b"info msg 7: bytes 9 from <a@b.c> qp 6500 uid 0 queue1",
        b"end msg 7 qmail-send: queue1",
    ]
    scans = [b"/var/indimail/queue/queue1/mess/9/9: OK"] if with_clamd else []
    octets = b"".join(b"@400000006b01a2f03b424bb4 %b\n" % line for line in (*scans, *lines))
    when = logs.read(octets).events["time"].iloc[0].strftime("%d %b %Y %H:%M:%S +0000").encode()
    mail = tmp_path / "mail"
    top = b"X-QHPSI: clean\nReceived: indimail-mta queue 6500 by host x\n  (invoked by uid 0); %b\n\nbody\n" % when
    mail.write_bytes(b"Delivered-To: d@e.f\n" + top)

    told = trace.message(7, logs=[logs.read(octets)], mails=[mail])

    assert [gap for gap in told.gaps if gap.startswith("scan")] == list(gaps)
    assert [one.text for one in told.of("scan")] == ["X-QHPSI: clean"]
