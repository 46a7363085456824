"""A message of a queue, opened: as values, as HTML, and the header of its mail."""

from __future__ import annotations

import os
import re
import shlex
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from indimail_kit.cli import main
from indimail_kit.envelope import QueueRecords, Recipient
from indimail_kit.lab.corpus import make_queue
from indimail_kit.lab.corpus_faults import FAULTS
from indimail_kit.mailqueue import QueueLayout, QueueState, list_messages, read_message
from indimail_kit.mailqueue.layout import KINDS
from indimail_kit.mailqueue.violations import RULES, Violation
from indimail_kit.widgets import queue_message_html
from indimail_kit.widgets.queue_bytes import RECORD_KINDS, octets_html, records_of
from indimail_kit.widgets.queue_markup import (
    MAX_ADDRESSES,
    MAX_VIOLATIONS,
    message_facts,
    message_html,
    message_sentence,
    show_command,
    violations_html,
)
from indimail_kit.widgets.queue_message import MAX_HEADER_BYTES, is_same_mail, mail_header, open_message
from indimail_kit.widgets.queue_words import (
    STATE_MARKS,
    age_text,
    count_text,
    local_text,
    mode_html,
    moment_html,
    moment_text,
    size_text,
)

RECORDED = Path(__file__).parent.parent / "data" / "indimail" / "queue"

NOW_S = int(time.time())
"""Access times are those of the disk, so the demo's moment has to be the real one."""

NOW_NS = NOW_S * 10**9


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Give a queue with one message of each fault."""
    return make_queue(tmp_path_factory.mktemp("base") / "queue1", messages=60, seed=5, now_s=NOW_S, faults=FAULTS)


def opened_of(demo, state):
    """Return the first whole message in a state."""
    messages = (open_message(demo.layout, number, now_ns=NOW_NS) for number in demo.numbers)
    return next(one for one in messages if one.files.state is state and not one.violations)


def with_mess(opened, octets, **changes):
    """Return the files of a message whose mess file holds these octets."""
    mess = replace(opened.files.file("mess"), content=octets, **({"size_bytes": len(octets)} | changes))
    return replace(opened.files, files=(mess,))


@pytest.mark.parametrize("state", [QueueState.S2, QueueState.S3, QueueState.S4, QueueState.S5])
def test_an_opened_message_shows_every_file_of_ls(demo, state, parse):
    """Inode, links, mode and size of each file as the system tells them; what is not there is said."""
    opened = opened_of(demo, state)
    shown = parse(str(message_html(opened)))

    for kind in KINDS:
        path = demo.layout.path(kind, opened.files.message_number)
        row = next(line for line in re.findall(rf"{kind}/.*?(?={'|'.join(KINDS)}|$)", shown.text, re.DOTALL))
        if not path.exists():
            assert "not there" in row
            continue
        status = path.stat()
        seen = [
            str(status.st_ino),
            f"links {status.st_nlink}",
            f"{status.st_mode & 0o777:04o}",
            f"{status.st_size:,} B",
        ]
        assert [one for one in seen if one not in row] == []


def test_three_times_are_in_utc_with_the_local_time_on_hover(demo, parse, monkeypatch):
    """Written, read, changed; a person's own time zone is one hover away."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        opened = opened_of(demo, QueueState.S5)
        info = replace(opened.files.file("info"), mtime_ns=0, atime_ns=86_400 * 10**9, ctime_ns=3600 * 10**9)
        shown = parse(str(message_html(replace(opened, files=replace(opened.files, files=(info,))))))
    finally:
        monkeypatch.undo()
        time.tzset()
    times = [has for name, has in shown.elements if name == "time"]

    assert [one["datetime"] for one in times] == [
        "1970-01-01T00:00:00Z",
        "1970-01-02T00:00:00Z",
        "1970-01-01T01:00:00Z",
    ]
    assert times[0]["title"] == "1970-01-01 00:00:00 UTC, here 1970-01-01 09:00:00 JST"


def test_each_violation_is_a_badge_with_its_reason(demo, parse):
    """What check_message finds is there with the rule's explanation, which unfolds."""
    found = set()
    for number in demo.faults.values():
        opened = open_message(demo.layout, number, now_ns=NOW_NS)
        text = parse(str(message_html(opened))).text
        for one in opened.violations:
            found.add(one.rule)
            assert (f"⚠ {one.rule}" in text, one.text in text, RULES[one.rule] in text) == (True, True, True)

    assert {"inode-differs", "ossified", "todo-without-mess", "unknown-record", "not-regular"} <= found


def test_what_the_whole_queue_knows_of_a_message_is_shown_once(demo):
    """A file in another directory is seen by a look at the whole queue only; what both see is not doubled."""
    number = demo.faults["inode-differs"]
    own = open_message(demo.layout, number, now_ns=NOW_NS).violations
    elsewhere = Violation("queue1", f"info/0/{number}", "wrong-split", "it lies elsewhere", number)

    both = open_message(demo.layout, number, now_ns=NOW_NS, known=(elsewhere, *own)).violations

    assert both == (elsewhere, *own)


def test_a_message_that_has_left_says_so(demo):
    """No error: it has no file, and that is said."""
    opened = open_message(demo.layout, 1, now_ns=NOW_NS)

    assert (opened.is_there, message_sentence(opened)) == (False, "1 is not in queue1: it has no file there.")


def test_sentence_tells_state_files_and_what_is_wrong(demo):
    """One sentence for a screen reader and for a repr."""
    number = demo.faults["ossified"]

    assert message_sentence(open_message(demo.layout, number, now_ns=NOW_NS)) == (
        f"{number} in queue1: S2, the message is being written; 1 file, 1 thing wrong with it."
    )


def test_facts_are_those_of_the_records(demo):
    """Sender, recipients with what is done, birth with age, size, qp."""
    opened = opened_of(demo, QueueState.S5)
    records = QueueRecords(uid=7, pid=4305, sender=b"")
    files = replace(
        opened.files,
        records=records,
        local=(Recipient(b"ann@local.test", True),),
        remote=(Recipient(b"b@\xff", False),),
    )
    facts = dict(message_facts(replace(opened, files=files)))

    assert (facts["sender"], facts["recipients"], facts["qp, uid"]) == (
        "(empty: a bounce)",
        "ann@local.test (done), b@\udcff",
        "4305, 7",
    )
    assert facts["next try, remote"] == f"{moment_text(files.file('remote').mtime_ns)} UTC, as last written"
    assert "next try, local" not in facts
    birth = demo.layout.path("info", files.message_number).stat().st_mtime
    assert facts["since"].endswith(f" UTC, {age_text(NOW_S - birth)}")


def test_many_recipients_and_violations_are_cut_with_a_number(demo, parse):
    """A mailing list's message and a broken queue do not fill the screen."""
    opened = opened_of(demo, QueueState.S5)
    people = tuple(Recipient(b"u%d@example.com" % count, False) for count in range(MAX_ADDRESSES + 992))
    facts = dict(message_facts(replace(opened, files=replace(opened.files, local=people, remote=()))))
    many = [Violation("queue1", "mess/x", "unknown-file", "a stray", 0)] * (MAX_VIOLATIONS + 1_234)

    assert facts["recipients"].endswith(" … and 992 more")
    assert "… and 1,234 more: indimail-kit queue check" in parse(str(violations_html(many))).text


def test_the_command_shows_the_same_message(demo):
    """What the button copies is understood by a shell and by our own command line."""
    number = demo.faults["ossified"]
    command = show_command(number, Path("/var/in di'mail/queue1"))

    assert shlex.split(command) == ["indimail-kit", "queue", "show", str(number), "--queue", "/var/in di'mail/queue1"]
    words = shlex.split(show_command(number, demo.layout.directory))[1:]
    if "show" in main.commands["queue"].commands:  # type: ignore[attr-defined]
        assert str(number) in CliRunner().invoke(main, words).output


def test_hostile_text_stays_text(demo, hostile_strings, strangers):
    """Addresses, paths, texts of violations and names of owners are shown, not done."""
    opened = opened_of(demo, QueueState.S5)
    shown = []
    for text in hostile_strings[::16]:
        octets = text.encode("utf-8", "surrogatepass")
        records = QueueRecords(sender=octets, recipients=(octets,))
        mess = replace(opened.files.file("mess"), path=text)
        files = replace(opened.files, queue=text, files=(mess,), records=records, local=(Recipient(octets, False),))
        wrong = (Violation(text, text, "unknown-file", text, 7),)
        changed = replace(opened, files=files, violations=wrong, owners=((mess.uid, text),))
        shown.append(str(message_html(changed, note=text, has_buttons=True)))
        shown.append(str(violations_html(wrong)))

    assert [found for at in range(0, len(shown), 50) if (found := strangers("".join(shown[at : at + 50])))] == []


# --- queues of the real machine ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tree", sorted(path.stem for path in RECORDED.glob("*.tar")))
def test_every_octet_of_a_real_record_is_shown(tree, tmp_path, parse, strangers):
    """Each record of each message of the recorded queues stands on the page, octet by octet, with its field."""
    with tarfile.open(RECORDED / f"{tree}.tar") as archive:
        archive.extractall(tmp_path, filter="fully_trusted")  # noqa: S202 (our own recordings)
    layout = QueueLayout(next(tmp_path.iterdir()))
    missing = []
    for number in list_messages(layout):
        shown = str(queue_message_html(layout, number, now_ns=NOW_NS))
        text = parse(shown).text
        assert strangers(shown) == []
        for kind in RECORD_KINDS:
            file = read_message(layout, number).file(kind)
            records = records_of(kind, file.content) if file is not None else ()
            missing += [
                one for one in records if one.letter == "?" or parse(str(octets_html(one.octets[1:]))).text not in text
            ]

    assert missing == []


# --- is it still the same mail? ---------------------------------------------------------------------------------------


@pytest.fixture
def queue(tmp_path):
    """Give an empty queue with one mess file."""
    layout = make_queue(tmp_path / "queue2", messages=0, now_s=NOW_S).layout
    layout.path("mess", 7).write_bytes(b"From: ann\n\nhi\n")
    return layout


def test_a_message_that_moves_on_is_the_same_mail(queue):
    """New files around it, and a text that grows while it is being written, change nothing."""
    before = read_message(queue, 7)
    queue.path("info", 7).write_bytes(b"Fann\0")
    with queue.path("mess", 7).open("ab") as mess:
        mess.write(b"more\n")

    assert is_same_mail(before, read_message(queue, 7)) is True


def test_a_number_that_is_used_again_is_another_mail(queue):
    """Same number, other mail: its time differs, and so may its inode."""
    before = read_message(queue, 7)
    mess = queue.path("mess", 7)
    mess.write_bytes(b"x\n")
    os.utime(mess, ns=(0, before.file("mess").mtime_ns + 1))

    assert is_same_mail(before, read_message(queue, 7)) is False


def test_a_mess_that_is_gone_or_new_is_another_mail(queue):
    """Without its mess a message is not what it was; two looks without one say nothing else."""
    before = read_message(queue, 7)
    queue.path("mess", 7).unlink()
    after = read_message(queue, 7)

    assert (is_same_mail(before, after), is_same_mail(after, before), is_same_mail(after, after)) == (
        False,
        False,
        True,
    )


# --- the header of the mail -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "header", "note"),
    [
        (b"A: b\nC: d\n\nbody\n", "A: b\nC: d\n", "The header: 10 of 16 octets. The body is not shown."),
        (b"A: b\r\n\r\nbody", "A: b\r\n", "The header: 6 of 12 octets. The body is not shown."),
        (b"\nbody", "", "The header: 0 of 5 octets. The body is not shown."),
        (b"A: b\n", "A: b\n", "No empty line ends the header: the mail has no body, or is still being written."),
        (b"S: \xff\n\n", "S: \udcff\n", "The header: 5 of 6 octets. The body is not shown."),
        (
            b"A: " + b"b" * 20_000 + b"\n\nbody",
            "A: " + "b" * (MAX_HEADER_BYTES - 3),
            f"The first {MAX_HEADER_BYTES:,} octets; the header goes on.",
        ),
    ],
)
def test_header_ends_at_the_first_empty_line(demo, octets, header, note):
    """The body of a mail is never among it, and every cut is said."""
    assert mail_header(with_mess(opened_of(demo, QueueState.S5), octets)) == (header, note)


def test_a_header_longer_than_was_read_goes_on(demo):
    """64 KiB without an empty line."""
    files = with_mess(opened_of(demo, QueueState.S5), b"A: b\n", is_truncated=True, size_bytes=99_999)

    assert mail_header(files) == ("A: b\n", "The first 5 octets; the header goes on.")


def test_a_message_without_mess_has_no_header(demo):
    """Both kinds of nothing have their sentence."""
    opened = opened_of(demo, QueueState.S5)
    odd = with_mess(opened, b"", is_regular=False)

    assert (mail_header(replace(opened.files, files=()))[1], mail_header(odd)[1]) == (
        "There is no mess file, so there is no mail.",
        "mess is no regular file, so it was not opened.",
    )


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_s", "text"),
    [
        (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3599, "59 min"), (3600, "1 h"),
        (5400, "1 h 30 min"),
        (76_800, "21 h 20 min"), (1477, "24 min"), (86_400, "1 d"), (129_600, "1 d 12 h"), (864_000 + 7200, "10 d"),
        (-90, "in 1 min 30 s"),
    ],
)  # fmt: skip
def test_ages_have_their_units(age_s, text):
    """At most two units, and only where the finer one matters."""
    assert age_text(age_s) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(0, "0 B"), (9_999, "9,999 B"), (10_240, "10 KiB"), (50 * 1024**2, "50 MiB")]
)
def test_sizes_have_their_unit(size_bytes, text):
    """Octets as long as they can be read."""
    assert size_text(size_bytes) == text


def test_counts_have_their_noun():
    """One message, two messages, a thousand of them with a comma."""
    assert [count_text(count, "message") for count in (1, 0, 1234)] == ["1 message", "0 messages", "1,234 messages"]


@pytest.mark.parametrize("unix_ns", [2**63 - 1, -(2**63), 10**24])
def test_a_time_that_no_calendar_has_is_still_shown(unix_ns, parse):
    """A file can be touched to any time; the view stays whole."""
    shown = parse(str(moment_html(unix_ns)))

    assert shown.text == moment_text(unix_ns)
    assert local_text(unix_ns)


def test_mode_is_octal_with_the_letters_of_ls_on_hover(parse):
    """0644 for whoever sets it, rw-r--r-- for whoever reads it."""
    shown = [parse(str(mode_html(0o644, is_regular=is_regular))) for is_regular in (True, False)]

    assert [(one.text, one.elements[0][1]["title"]) for one in shown] == [
        ("0644", "-rw-r--r--"),
        ("0644", "no regular file"),
    ]


def test_every_state_has_a_mark_of_its_own():
    """Colour is never the only sign."""
    assert len(set(STATE_MARKS.values())) == len(QueueState) + 1


def test_an_opened_message_is_of_its_queue(tmp_path):
    """Queue and number together name a message."""
    layout = make_queue(tmp_path / "queue7", messages=1, now_s=NOW_S).layout
    number = next(iter(layout.directory.glob("mess/*/*"))).name

    assert open_message(QueueLayout(layout.directory), int(number), now_ns=NOW_NS).key == f"queue7/{number}"
