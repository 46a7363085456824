"""Looking at queues: real trees, hostile trees, living trees; and nothing changes by it."""

from __future__ import annotations

import ast
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.envelope import Recipient
from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import Queued, QueueLayout, QueueState, list_messages, read_message
from indimail_kit.mailqueue.snapshot import MAX_CONTENT_BYTES

RECORDED = Path(__file__).parent.parent / "data" / "indimail" / "queue"
TREES = [
    "s2-s3-in-progress-nqueue",
    "s4-queued-queue1",
    "s5-deferred-and-bounce-queue1",
    "mixed-queue1",
    "mixed-queue2",
]

Unpack = Callable[[str], QueueLayout]
Put = Callable[..., Queued]


def listing(name: str) -> dict[str, dict[str, int]]:
    """Return path -> size, mode, links and mtime as listed on the real machine, without the lock files."""
    rows = {}
    for line in (RECORDED / f"{name}.list").read_text(encoding="ascii").splitlines():
        mode, path = line.split()[1], line.split()[-1].partition("/")[2]
        fields = dict(re.findall(r"(\w+)=(\d+)", line))
        if not path.startswith("lock/"):
            rows[path] = {key: int(fields[key]) for key in ("size", "links", "mtime")} | {"mode": int(mode, 8)}
    return rows


def raw(name: str) -> dict[str, bytes]:
    """Return path -> octets as read on the real machine."""
    lines = (RECORDED / f"{name}.raw.txt").read_text(encoding="ascii").splitlines()
    heads = [head.removeprefix("== ").partition("/")[2] for head in lines[::2]]
    return dict(zip(heads, map(ast.literal_eval, lines[1::2]), strict=True))


def all_files(layout: QueueLayout) -> list[Any]:
    """Return every file of every message."""
    return [file for number in list_messages(layout) for file in read_message(layout, number).files]


def picture(paths: list[Path]) -> dict[Path, tuple[int, ...]]:
    """Return all of lstat that a reader might change."""
    pictures = {}
    for path in paths:
        status = path.lstat()
        times = (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)
        pictures[path] = (status.st_mode, status.st_nlink, status.st_size, status.st_ino, *times)
    return pictures


def octets(paths: list[Path]) -> dict[Path, bytes]:
    """Return the content of the regular files."""
    return {path: path.read_bytes() for path in paths if path.is_file()}


# --- real trees -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TREES)
def test_every_file_of_a_real_tree_is_seen_with_its_octets(unpack: Unpack, name: str) -> None:
    """The raw listing of the real machine is the oracle."""
    assert {file.path: file.content for file in all_files(unpack(name))} == raw(name)


@pytest.mark.parametrize("name", TREES)
def test_every_file_of_a_real_tree_has_its_size_mode_links_and_time(unpack: Unpack, name: str) -> None:
    """A tar keeps all of them, the inode numbers apart."""
    seen = {
        file.path: {"size": file.size_bytes, "links": file.links, "mtime": file.mtime_ns // 10**9, "mode": file.mode}
        for file in all_files(unpack(name))
    }
    assert seen == listing(name)


def test_three_times_of_a_file_are_those_of_before_we_looked(queue: QueueLayout, put: Put) -> None:
    """Last read, last written, last changed: each its own, and none of them moves by our looking."""
    number = put().message_number
    path = queue.path("mess", number)
    os.utime(path, ns=(1_700_000_000_000_000_000, 1_600_000_000_000_000_000))
    status = path.stat()
    for _ in range(2):
        file = read_message(queue, number).file("mess")
        assert file is not None
        assert (file.atime_ns, file.mtime_ns) == (1_700_000_000_000_000_000, 1_600_000_000_000_000_000)
        assert file.ctime_ns == status.st_ctime_ns


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("s2-s3-in-progress-nqueue", {1745435: "S2", 1745440: "S3"}),
        ("s4-queued-queue1", {1704474: "S4", 1704476: "S4"}),
        ("s5-deferred-and-bounce-queue1", {1704474: "S5", 1704476: "S5"}),
        ("mixed-queue1", {1704474: "S5", 1704477: "S5", 1704483: "S4"}),
        ("mixed-queue2", {1720859: "S5", 1720862: "S5", 1720864: "S4"}),
    ],
)
def test_messages_of_a_real_tree_are_in_the_states_that_were_recorded(
    unpack: Unpack, name: str, states: dict[int, str]
) -> None:
    """Numbers and states."""
    layout = unpack(name)
    messages = [read_message(layout, number) for number in list_messages(layout)]
    assert {message.message_number: message.state and message.state.name for message in messages} == states


@pytest.mark.parametrize("name", TREES)
def test_tree_that_was_copied_has_inodes_that_differ_from_its_names(unpack: Unpack, name: str) -> None:
    """What queue-fix repairs after a copy is the one anomaly of each message."""
    layout = unpack(name)
    for number in list_messages(layout):
        inode = layout.path("mess", number).stat().st_ino
        path = layout.relative("mess", number)
        assert read_message(layout, number).anomalies == (f"inode {inode} of {path} differs from its name",)


def test_tree_that_queue_fix_has_repaired_is_without_anomaly(unpack: Unpack) -> None:
    """Files renamed to the inode of mess, as in the recorded run of queue-fix."""
    layout = unpack("s4-queued-queue1")
    inode = layout.path("mess", 1704474).stat().st_ino
    for kind in ("mess", "intd", "todo"):
        layout.path(kind, inode).parent.mkdir(exist_ok=True)
        layout.path(kind, 1704474).rename(layout.path(kind, inode))
    assert read_message(layout, inode).anomalies == ()


def test_records_and_recipients_of_a_real_message_are_decoded(unpack: Unpack) -> None:
    """S5 with a QQEH header, a bounce, and two channels."""
    message = read_message(unpack("s5-deferred-and-bounce-queue1"), 1704476)
    assert message.records is not None
    assert (message.records.sender, message.records.header, message.local[2], message.remote[0], message.birth_ns) == (
        b"ann@local.test",
        b"eX-Extra-Head: via QQEH\n"[1:],
        Recipient(b"defer@local.test", False),
        Recipient(b"far@remote.test", True),
        1795356346 * 10**9,
    )


def test_queued_message_tells_who_queued_it(unpack: Unpack) -> None:
    """S4: uid, qp and all recipients from todo; no birth yet."""
    message = read_message(unpack("mixed-queue2"), 1720864)
    assert message.records is not None
    assert (message.records.uid, message.records.pid, message.records.recipients, message.birth_ns) == (
        0,
        6544,
        (b"log@local.test", b"alice@local.test"),
        None,
    )


def test_message_that_is_being_written_has_no_records_yet(unpack: Unpack) -> None:
    """S3: intd has 0 octets; S2: there is no intd."""
    layout = unpack("s2-s3-in-progress-nqueue")
    in_s3 = read_message(layout, 1745440).records
    assert (in_s3 and in_s3.sender, read_message(layout, 1745435).records) == (None, None)


# --- reading changes nothing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TREES)
def test_reading_changes_nothing(unpack: Unpack, name: str) -> None:
    """Names, octets, modes, links, inodes and all times of a tree stay; directories and lock files are included."""
    layout = unpack(name)
    paths = sorted(layout.directory.rglob("*"))
    octets_before = octets(paths)
    for path in paths:
        os.utime(path, ns=(0, path.lstat().st_mtime_ns))  # long not read: the system would note a read
    before = picture(paths)
    looked_at = all_files(layout)
    after = picture(paths)
    assert (len(looked_at), after, sorted(layout.directory.rglob("*")), octets(paths)) == (
        len(listing(name)),
        before,
        paths,
        octets_before,
    )


def test_nothing_below_lock_is_opened(queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader on the trigger would tell qmail-queue that qmail-send is there; a lock would stop qmail-send."""
    number = put().message_number
    opened: list[str] = []
    real = os.open

    def watching(path: str, *args: Any, **kwargs: Any) -> int:
        opened.append(str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", watching)
    assert list_messages(queue) == (number,)
    read_message(queue, number)
    assert [path for path in opened if {"lock", "sendmutex", "tcpto", "trigger"} & {*Path(path).parts}] == []


def test_files_are_opened_for_reading_only(queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never created, written, or followed."""
    number = put().message_number
    flags_seen: list[int] = []
    real = os.open

    def watching(path: str, flags: int, *args: Any, **kwargs: Any) -> int:
        flags_seen.append(flags)
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", watching)
    read_message(queue, number)
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    assert (any(flags & writing for flags in flags_seen), all(flags & os.O_CLOEXEC for flags in flags_seen)) == (
        False,
        True,
    )


def test_reader_that_does_not_own_the_files_reads_all_the_same(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O_NOATIME is refused to others than owner and root; then it goes without."""
    number = put().message_number
    real = os.open

    def strict(path: str, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & os.O_NOATIME:
            raise PermissionError(1, "Operation not permitted")
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", strict)
    assert read_message(queue, number).state is QueueState.S4


# --- odd and hostile trees ------------------------------------------------------------------------------------------


def test_message_that_is_not_there_is_s1(queue: QueueLayout) -> None:
    """It was delivered, or never existed."""
    message = read_message(queue, 660188)
    assert (message.state, message.files, message.records, message.local, message.remote, message.anomalies) == (
        QueueState.S1,
        (),
        None,
        (),
        (),
        (),
    )


@pytest.mark.parametrize("number", [0, -1, 2**64, "16", "../../../etc/passwd", "660188/../../x", True, None])
def test_queue_number_cannot_leave_the_queue(queue: QueueLayout, number: Any) -> None:
    """Refused before anything is opened."""
    with pytest.raises(QueueError):
        read_message(queue, number)


@pytest.mark.parametrize("look", [lambda layout: read_message(layout, 7), list_messages], ids=["read", "list"])
def test_missing_queue_is_61(tmp_path: Path, look: Callable[[QueueLayout], object]) -> None:
    """As chdir would fail."""
    with pytest.raises(QueueError) as caught:
        look(QueueLayout(tmp_path / "nowhere"))
    assert caught.value.exit_code == 61


def test_link_to_a_file_outside_is_shown_and_not_followed(queue: QueueLayout, put: Put, tmp_path: Path) -> None:
    """A planted info file must not show /etc/shadow to who looks as root."""
    number = put().message_number
    secret = tmp_path / "secret"
    secret.write_text("Fsecret@example.com\0")
    queue.path("info", number).symlink_to(secret)
    message = read_message(queue, number)
    info = message.file("info")
    assert info is not None
    assert (info.is_regular, info.content, message.anomalies) == (
        False,
        b"",
        (f"info/{number % 7}/{number} is not a regular file",),
    )


def test_link_in_the_place_of_a_directory_is_not_followed(queue: QueueLayout, tmp_path: Path) -> None:
    """Neither when listing nor when reading."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "7").write_text("Fsecret@example.com\0")
    (queue.directory / "info" / "0").rmdir()
    (queue.directory / "info" / "0").symlink_to(tmp_path / "elsewhere")
    message = read_message(queue, 7)
    assert (list_messages(queue), message.files, [text.split(":")[0] for text in message.anomalies]) == (
        (),
        (),
        ["info/0/7 cannot be read"],
    )


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["FIFO", "directory"])
def test_what_is_no_file_is_shown_and_not_opened(
    queue: QueueLayout, put: Put, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening a FIFO can wake or hang a program."""
    number = put().message_number
    make(queue.path("bounce", number))
    real = os.open
    opened: list[str] = []
    monkeypatch.setattr(os, "open", lambda path, *args, **kw: (opened.append(str(path)), real(path, *args, **kw))[1])
    message = read_message(queue, number)
    bounce = message.file("bounce")
    assert bounce is not None
    assert (bounce.is_regular, "bounce" in opened, f"bounce/{number} is not a regular file" in message.anomalies) == (
        False,
        False,
        True,
    )


def test_file_that_becomes_a_fifo_between_two_calls_is_not_read(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptor is looked at again; O_NONBLOCK keeps the open from hanging."""
    number = put().message_number
    todo = queue.path("todo", number)
    real = os.open

    def swapping(path: str, *args: Any, **kwargs: Any) -> int:
        if path == "todo" and not todo.is_fifo():
            todo.unlink()
            os.mkfifo(todo)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", swapping)
    file = read_message(queue, number).file("todo")
    assert file is not None
    assert (file.is_regular, file.content) == (False, b"")


def test_file_that_vanishes_between_two_calls_does_not_exist(
    queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """qmail-clean was quicker: the picture is S3, and no error."""
    number = put().message_number
    real = os.open

    def vanishing(path: str, *args: Any, **kwargs: Any) -> int:
        if path == "todo":
            queue.path("todo", number).unlink()
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", vanishing)
    message = read_message(queue, number)
    assert (message.state, message.file("todo"), message.anomalies) == (QueueState.S3, None, ())


def test_file_that_may_not_be_read_is_named(queue: QueueLayout, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rights of qmails; the other files are shown."""
    number = put().message_number
    real = os.open

    def refusing(path: str, *args: Any, **kwargs: Any) -> int:
        if path == "intd":
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refusing)
    message = read_message(queue, number)
    assert ([file.kind for file in message.files], message.anomalies) == (
        ["mess", "todo"],
        (f"intd/{number % 7}/{number} cannot be read: Permission denied",),
    )


@pytest.mark.parametrize(("extra_bytes", "is_truncated"), [(0, False), (1, True), (200_000, True)])
def test_content_is_kept_up_to_64_kib(queue: QueueLayout, put: Put, extra_bytes: int, is_truncated: bool) -> None:
    """Both sides of the limit."""
    size = put(b"").message_bytes
    mess = read_message(queue, put(b"x" * (MAX_CONTENT_BYTES - size + extra_bytes)).message_number).file("mess")
    assert mess is not None
    assert (len(mess.content), mess.is_truncated, mess.size_bytes) == (
        MAX_CONTENT_BYTES,
        is_truncated,
        MAX_CONTENT_BYTES + extra_bytes,
    )


def test_records_that_are_too_long_are_named_and_not_guessed_at(queue: QueueLayout, put: Put) -> None:
    """Half of the recipients would be a wrong answer."""
    envelope = b"Fa@b\0" + b"T" + b"x" * 1000 + b"\0"
    message = read_message(queue, put(b"", envelope + b"Tc@d\0" * 20_000 + b"\0").message_number)
    assert (message.records, message.anomalies[0].endswith("is longer than 65536 octets and was not decoded")) == (
        None,
        True,
    )


@pytest.mark.parametrize(
    ("kind", "octets", "anomaly"),
    [
        ("info", b"Fa@b", "octet 4: expected NUL behind the last record"),
        ("local", b"Xa@b\0", "octet 0: expected T or D"),
        ("remote", b"Ta@b", "octet 4: expected NUL behind the last record"),
    ],
)
def test_file_that_cannot_be_decoded_is_named(queue: QueueLayout, kind: str, octets: bytes, anomaly: str) -> None:
    """With the place of the fault; its octets are shown raw."""
    queue.path(kind, 7).write_bytes(octets)
    message = read_message(queue, 7)
    file = message.file(kind)
    assert file is not None
    assert (file.content, f"{kind}/0/7: {anomaly}" in message.anomalies) == (octets, True)


def test_record_of_an_unknown_kind_is_named(queue: QueueLayout) -> None:
    """Kept in `unknown`, and said."""
    queue.path("info", 7).write_bytes(b"Fa@b\0Xyz\0")
    message = read_message(queue, 7)
    assert message.records is not None
    assert (message.records.unknown, "info/0/7 has 1 record of an unknown kind" in message.anomalies) == (
        (b"Xyz",),
        True,
    )


def test_set_of_files_that_internals_does_not_know_has_no_state(queue: QueueLayout) -> None:
    """A broken queue is shown, not hidden."""
    queue.path("todo", 7).write_bytes(b"Fa@b\0")
    message = read_message(queue, 7)
    assert (message.state, message.anomalies) == (None, ("message 7 has todo, but no mess",))


def test_intd_that_is_not_todo_is_named(queue: QueueLayout, put: Put) -> None:
    """They are hard links of one file; a copy lost the link."""
    number = put().message_number
    octets = queue.path("todo", number).read_bytes()
    queue.path("todo", number).unlink()
    queue.path("todo", number).write_bytes(octets)
    place = f"{number % 7}/{number}"
    assert read_message(queue, number).anomalies == (f"intd/{place} and todo/{place} are not the same file",)


@pytest.mark.parametrize("name", ["x", "007", "-7", "7.tmp", "0", "9" * 21, "٧"])
def test_name_that_is_no_number_is_not_a_message(queue: QueueLayout, name: str) -> None:
    """Only what fmtqfn.c writes."""
    (queue.directory / "bounce" / name).touch()
    assert list_messages(queue) == ()


def test_number_in_the_wrong_directory_is_not_listed(queue: QueueLayout) -> None:
    """No program of qmail would find it there."""
    (queue.directory / "mess" / "1" / "7").touch()
    assert list_messages(queue) == ()


def test_messages_are_listed_in_rising_order_whatever_file_they_have(queue: QueueLayout) -> None:
    """One file of any kind is enough, and each number comes once."""
    for kind, number in (("bounce", 30), ("mess", 7), ("info", 20), ("mess", 20), ("todo", 100)):
        queue.path(kind, number).touch()
    assert list_messages(queue) == (7, 20, 30, 100)


def test_queue_without_bigtodo_is_listed(tmp_path: Path) -> None:
    """Flat todo: every number is in its place."""
    (tmp_path / "todo").mkdir()
    (tmp_path / "todo" / "1234").touch()
    assert list_messages(QueueLayout(tmp_path, has_bigtodo=False)) == (1234,)


def test_repr_of_a_file_does_not_print_the_mail(queue: QueueLayout, put: Put) -> None:
    """One line, even for 64 KiB."""
    assert "very private" not in repr(read_message(queue, put(b"very private").message_number).file("mess"))


def test_living_queue_is_read_without_errors(queue: QueueLayout, put: Put) -> None:
    """Messages come and go while we look: never an exception, never a file of another message."""
    is_over = threading.Event()

    def live() -> None:
        while not is_over.is_set():
            number = put(b"x" * 100).message_number
            for kind in ("todo", "intd", "mess"):
                queue.path(kind, number).unlink()

    living = threading.Thread(target=live)
    living.start()
    try:
        messages = [read_message(queue, number) for _ in range(150) for number in list_messages(queue)]
    finally:
        is_over.set()
        living.join()
    assert {file.path.rpartition("/")[2] for message in messages for file in message.files} <= {
        str(message.message_number) for message in messages
    }
