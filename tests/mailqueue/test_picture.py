"""A snapshot: the quick look and the slow one agree, on one core and on more; what is wrong hides nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.errors import FormatError, QueueError
from indimail_kit.lab.corpus import DemoQueue, make_queue
from indimail_kit.lab.corpus_faults import FAULTS
from indimail_kit.mailqueue import QueueLayout, QueueState, list_messages, open_queues, read_message
from indimail_kit.mailqueue import walkers as walkers_module
from indimail_kit.mailqueue.check import check_queue
from indimail_kit.mailqueue.layout import find_owners
from indimail_kit.mailqueue.picture import Snapshot, take_picture
from indimail_kit.mailqueue.rows import MessageRow, RecipientRow
from indimail_kit.mailqueue.tcpto import TimeoutRecord, encode

NOVEMBER_S = 1_795_356_840
"""Sun, 22 Nov 2026 14:14:00 UTC."""

DIRECTORY_RULES = ("missing-directory", "not-directory", "lock-file")
"""What `check_queue` looks at and a snapshot does not."""

MakeQueue = Callable[..., DemoQueue]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[MakeQueue]:
    """Return a function that makes a demo queue."""

    def make(**options: Any) -> DemoQueue:
        return make_queue(tmp_path / "queue1", **{"messages": 90, "seed": 6, "split": 7, "now_s": NOVEMBER_S} | options)

    return make


@pytest.fixture
def eager_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a helper start for the smallest queue."""
    monkeypatch.setattr(walkers_module, "HELP_FROM", 0)


def snapshot(queue: DemoQueue, *, processes: int = 1) -> Snapshot:
    """Look at a demo queue at its moment."""
    return open_queues(queue.layout.directory).snapshot(now_ns=NOVEMBER_S * 10**9, processes=processes)


def slow_row(layout: QueueLayout, number: int) -> tuple[object, ...]:
    """Return what the slow reader says of a message, in the order of `quick_row`."""
    files = read_message(layout, number)
    mess, info = files.file("mess"), files.file("info")
    recipients = [
        RecipientRow(channel, one.address, one.is_done, file.mtime_ns)  # type: ignore[arg-type]  # a literal
        for channel, addressees in (("local", files.local), ("remote", files.remote))
        for one in addressees
        if (file := files.file(channel)) is not None
    ]
    if files.file("todo") is not None and files.records is not None:
        recipients = [RecipientRow("todo", address, False, None) for address in files.records.recipients]
    return (
        files.state,
        mess and mess.size_bytes,
        files.records and files.records.sender,
        info and info.mtime_ns,
        files.file("bounce") is not None,
        tuple(recipients),
    )


def quick_row(row: MessageRow) -> tuple[object, ...]:
    """Return what the snapshot says of a message."""
    return (row.state, row.size_bytes, row.sender, row.birth_ns, row.is_bouncing, row.recipients)


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize(("split", "bigtodo"), [(151, True), (23, False), (1, True)], ids=["IndiMail", "qmail", "one"])
def test_quick_look_sees_what_the_slow_one_sees(
    made: MakeQueue, eager_helpers: None, split: int, bigtodo: bool, processes: int
) -> None:
    """Every message of a queue with every fault, whichever process looks at it."""
    queue = made(split=split, bigtodo=bigtodo, messages=90, faults=FAULTS)
    numbers = list_messages(queue.layout)
    seen = {row.message_number: quick_row(row) for row in snapshot(queue, processes=processes).messages}
    assert len(seen) == len(numbers) >= 88
    assert seen == {number: slow_row(queue.layout, number) for number in numbers}


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(("split", "bigtodo"), [(151, True), (23, False)], ids=["IndiMail", "qmail"])
def test_anomalies_are_those_of_the_whole_check(
    made: MakeQueue, eager_helpers: None, split: int, bigtodo: bool, processes: int
) -> None:
    """Nothing odd is taken for usual, and nothing is said twice; a healthy queue has none."""
    queue = made(split=split, bigtodo=bigtodo, faults=FAULTS)
    (queue.layout.directory / "bounce" / "who").write_bytes(b"")
    (queue.layout.directory / "info" / "9999").mkdir()
    (queue.layout.directory / "info" / "9999" / "4711").write_bytes(b"Fann@example.com\0")
    (queue.layout.directory / "mess" / "9223372036854775807").write_bytes(b"")
    expected = check_queue(queue.layout, now_s=NOVEMBER_S, owners=find_owners())
    seen = snapshot(queue, processes=processes).anomalies
    assert sorted(seen, key=str) == sorted((one for one in expected if one.rule not in DIRECTORY_RULES), key=str)
    assert len({one.rule for one in seen}) >= 10


def test_healthy_queue_has_no_anomaly(made: MakeQueue) -> None:
    """Messages that are being written, tcpto and ratelimit included."""
    assert snapshot(made()).anomalies == ()


def test_anomaly_stands_at_its_message(made: MakeQueue) -> None:
    """The row says what is wrong with it, and no other row does."""
    queue = made(faults=["time-in-the-future"])
    wrong = {
        row.message_number: [one.rule for one in row.anomalies] for row in snapshot(queue).messages if row.anomalies
    }
    assert wrong == {queue.faults["time-in-the-future"]: ["in-future"]}


@pytest.mark.parametrize(
    "program", ["raise SystemExit(1)", "import os; os.kill(os.getpid(), 9)", "import nothing_like_it"]
)
def test_share_of_a_helper_that_fails_is_looked_at_here(
    made: MakeQueue, eager_helpers: None, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """It costs time, no message."""
    queue = made()
    monkeypatch.setattr(walkers_module, "_PROGRAM", program)
    assert len(snapshot(queue, processes=3).messages) == 90


def test_rows_are_in_the_same_order_on_one_core_and_on_four(made: MakeQueue, eager_helpers: None) -> None:
    """Sub-directory by sub-directory; what had to be looked at slowly at the end."""
    queue = made()
    one, four = (snapshot(queue, processes=count).messages for count in (1, 4))
    assert list(one) == list(four)


def test_message_with_a_thousand_recipients_is_read_to_its_end(made: MakeQueue) -> None:
    """A mailing list's file is longer than one read."""
    queue = made(messages=40)
    (row, *_) = [row for row in snapshot(queue).messages if row.state is QueueState.S5 and row.recipients]
    path = queue.layout.path(row.recipients[0].channel, row.message_number)
    times = path.stat().st_mtime_ns
    path.write_bytes(b"".join(b"Tuser%05d@example.com\0" % number for number in range(1000)))
    os.utime(path, ns=(times, times))
    (again,) = [one for one in snapshot(queue).messages if one.message_number == row.message_number]
    addresses = [one.address for one in again.recipients if one.channel == row.recipients[0].channel]
    assert (len(addresses), addresses[-1], again.anomalies) == (1000, b"user00999@example.com", ())


def test_directory_that_is_a_link_is_not_followed_and_said_once(made: MakeQueue, tmp_path: Path) -> None:
    """Its messages are rows all the same, and nothing is guessed about what may lie behind the link."""
    queue = made()
    info = queue.layout.directory / "info"
    (info / "3").rename(tmp_path / "elsewhere")
    (info / "3").symlink_to(tmp_path / "elsewhere")
    picture = snapshot(queue)
    assert [(one.path, one.rule) for one in picture.anomalies] == [("info/3", "unreadable")]
    assert len(picture.messages) == 90


def test_kind_that_is_a_link_is_not_followed_and_said_once(made: MakeQueue, tmp_path: Path) -> None:
    """The same one floor higher."""
    queue = made()
    remote = queue.layout.directory / "remote"
    remote.rename(tmp_path / "elsewhere")
    remote.symlink_to(tmp_path / "elsewhere")
    picture = snapshot(queue)
    assert [(one.path, one.rule) for one in picture.anomalies] == [("remote", "unreadable")]
    assert len(picture.messages) == 90
    assert all(one.channel != "remote" for row in picture.messages for one in row.recipients)


def test_message_that_vanishes_between_listing_and_look_was_not_there(
    made: MakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a row nor an anomaly."""
    queue = made(messages=30)
    victim = next(row.message_number for row in snapshot(queue).messages if row.state is QueueState.S5)
    real_stat = os.stat

    def stat_and_remove(path: Any, **options: Any) -> os.stat_result:
        if path == str(victim):
            for kind in ("info", "local", "remote", "bounce", "mess"):
                queue.layout.path(kind, victim).unlink(missing_ok=True)
        return real_stat(path, **options)

    monkeypatch.setattr(os, "stat", stat_and_remove)
    picture = snapshot(queue)
    assert (len(picture.messages), picture.anomalies) == (29, ())


def test_file_of_somebody_else_is_read_although_its_access_time_cannot_be_kept(
    made: MakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O_NOATIME is for owners; without it the file is opened as everybody may."""
    queue = made(messages=30)
    real_open = os.open

    def open_as_a_guest(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if flags & os.O_NOATIME:
            raise PermissionError(1, "Operation not permitted")
        return real_open(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", open_as_a_guest)
    picture = snapshot(queue)
    assert (len(picture.messages), picture.anomalies) == (30, ())


# --- what lies beside the messages ------------------------------------------------------------------------------------


def test_rate_limits_are_read(made: MakeQueue) -> None:
    """With the name of their queue."""
    limits = snapshot(made(messages=4)).ratelimits
    assert [(queue, limit.domain, limit.rate, limit.count) for queue, limit in limits] == [
        ("queue1", "example.com", "3/60", 1),
        ("queue1", "example.net", "3/60", 2),
    ]


def test_rate_limit_that_cannot_be_read_hides_no_other(made: MakeQueue) -> None:
    """A FIFO, a link, and octets that are none."""
    queue = made(messages=4)
    limits = queue.layout.directory / "ratelimit"
    os.mkfifo(limits / "a-fifo")
    (limits / "b-link").symlink_to("/etc/hostname")
    (limits / "c-lines").write_bytes(b"3/60\n1\n")
    picture = snapshot(queue)
    assert [(one.path, one.rule) for one in picture.anomalies] == [
        ("ratelimit/a-fifo", "unreadable"),
        ("ratelimit/b-link", "unreadable"),
        ("ratelimit/c-lines", "unreadable"),
    ]
    assert len(picture.ratelimits) == 2


def test_tcpto_is_read_only_when_it_is_named(made: MakeQueue) -> None:
    """It lies below lock/, where nothing is opened unasked."""
    queue = made(messages=4)
    queues = open_queues(queue.layout.directory)
    path = queue.layout.directory / "lock" / "tcpto"
    assert queues.snapshot(now_ns=0).tcpto == ()
    assert [host.address for host in queues.snapshot(now_ns=0, tcpto_paths=[path]).tcpto][:1] == ["192.0.2.10"]


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_tcpto_that_is_no_file_is_refused(made: MakeQueue, tmp_path: Path, kind: str) -> None:
    """No wait for a writer, and no way to elsewhere."""
    queue = made(messages=4)
    path = tmp_path / "tcpto"
    os.mkfifo(path) if kind == "fifo" else path.symlink_to("/etc/hostname")
    with pytest.raises((FormatError, OSError), match=r"regular file|symbolic links"):
        open_queues(queue.layout.directory).snapshot(tcpto_paths=[path])


def test_copy_of_a_tcpto_is_read(made: MakeQueue, tmp_path: Path) -> None:
    """Recorded data, for example."""
    (tmp_path / "tcpto").write_bytes(encode([TimeoutRecord(0, "192.0.2.1", 1, 1)]))
    queues = open_queues(made(messages=4).layout.directory)
    assert queues.snapshot(tcpto_paths=[tmp_path / "tcpto"]).tcpto == (TimeoutRecord(0, "192.0.2.1", 1, 1),)


# --- the whole --------------------------------------------------------------------------------------------------------


def test_snapshot_of_a_base_has_the_messages_of_every_queue(tmp_path: Path) -> None:
    """Queue by queue; an index counts through all of them."""
    for name, messages in (("queue1", 5), ("queue2", 6), ("slowq", 4)):
        make_queue(tmp_path / name, messages=messages, split=3, now_s=NOVEMBER_S)
    picture = open_queues(tmp_path).snapshot(now_ns=NOVEMBER_S * 10**9)
    assert [row.queue for row in picture.messages] == ["queue1"] * 5 + ["queue2"] * 6 + ["slowq"] * 4
    assert (picture.messages[5], picture.messages[-1], len(picture.messages[3:7])) == (
        list(picture.messages)[5],
        list(picture.messages)[14],
        4,
    )
    assert repr(picture) == "<Snapshot: 15 messages (queue1: 5, queue2: 6, slowq: 4), 0 anomalies>"
    assert "15 messages" in picture._repr_html_()
    with pytest.raises(IndexError):
        picture.messages[15]


def test_hostile_name_of_a_queue_is_escaped_in_html(tmp_path: Path) -> None:
    """Queues, snapshot and message are shown in notebooks."""
    make_queue(tmp_path / "<b>", messages=4, split=1, now_s=NOVEMBER_S)
    queues = open_queues(tmp_path / "<b>")
    picture = queues.snapshot(now_ns=NOVEMBER_S * 10**9)
    shown = [queues._repr_html_(), picture._repr_html_(), picture.messages[0]._repr_html_()]
    assert ["<b>" in html for html in shown] == [False, False, False]
    assert all("&lt;b&gt;" in html for html in shown)
    assert repr(picture.messages) == "<4 messages in 1 queue>"


def test_stream_gives_the_same_rows_and_anomalies_in_pieces(made: MakeQueue) -> None:
    """One piece for each sub-directory, and one for what lies beside them."""
    queue = made(faults=["fifo", "ossified", "unknown-file"])
    (queue.layout.directory / "mess" / "who").write_bytes(b"")
    pieces = list(open_queues(queue.layout.directory).stream(now_ns=NOVEMBER_S * 10**9))
    whole = snapshot(queue)
    assert len(pieces) == 7 + 1
    assert sorted((row for piece in pieces for row in piece.messages), key=str) == sorted(whole.messages, key=str)
    assert sorted((one for piece in pieces for one in piece.anomalies), key=str) == sorted(whole.anomalies, key=str)


def test_count_is_that_of_the_names_in_mess(made: MakeQueue) -> None:
    """A missing directory counts nothing."""
    queue = made(messages=50, split=3)
    mess = queue.layout.directory / "mess" / "1"
    in_one = len(list(mess.iterdir()))
    queues = open_queues(queue.layout.directory)
    assert queues.count() == {"queue1": 50}
    mess.rename(queue.layout.directory / "pid" / "elsewhere")
    assert queues.count() == {"queue1": 50 - in_one}


def test_queue_that_is_gone_is_said(made: MakeQueue, tmp_path: Path) -> None:
    """Between open_queues and the look."""
    queue = made(messages=4)
    queue.layout.directory.rename(tmp_path / "elsewhere")
    with pytest.raises(QueueError, match="no queue at"):
        take_picture(queue.layout, now_ns=0)
