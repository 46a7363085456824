"""Mailboxes."""

from __future__ import annotations

import errno
import mailbox
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from indimail_kit.delivery.maildir import (
    FOLDER_MARK,
    create_folder,
    create_maildir,
    deliver_mail,
    folder_path,
    unique_name,
)
from indimail_kit.errors import FilterError
from indimail_kit.mailqueue.values import INDIMAIL, QMAIL, SAFE, SyncPolicy

Limit = Callable[[int], AbstractContextManager[None]]

MAIL = (b"Subject: hi\n\n", b"body\n")


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    """Return an empty Maildir."""
    return create_maildir(tmp_path / "Maildir")


def deliver(place: Path, parts: object = MAIL, sync: SyncPolicy = INDIMAIL, **options: object) -> Path:
    """Deliver a mail with a clock that stands."""
    return deliver_mail(place, parts, host="vm", clock=lambda: 1_795_356_840_000_001_000, sync=sync, **options)  # type: ignore[arg-type]


def test_mail_is_found_by_another_reader(maildir: Path) -> None:
    """Python's own Maildir reader sees the mail and its folder."""
    deliver(maildir)
    deliver(create_folder(maildir, "Quarantine"))

    with_folder = mailbox.Maildir(maildir, create=False)
    assert [message["subject"] for message in with_folder] == ["hi"]
    assert with_folder.list_folders() == ["Quarantine"]
    assert [message["subject"] for message in with_folder.get_folder("Quarantine")] == ["hi"]


def test_mail_is_whole_and_for_its_owner_only(maildir: Path) -> None:
    """The octets are those given, the mode is 600, and tmp is empty again."""
    path = deliver(maildir)

    assert (path.parent, path.read_bytes()) == (maildir / "new", b"Subject: hi\n\nbody\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list((maildir / "tmp").iterdir()) == []


def test_name_says_when_and_where() -> None:
    """Second, microsecond, process, counter, host; a slash or colon in the host cannot make a path."""
    name = unique_name(unix_ns=1_795_356_840_000_001_999, pid=7, count=3, host="a/b:c")

    assert name == "1795356840.M000001P7Q3.a\\057b\\072c"


def test_names_of_one_instant_differ(maildir: Path) -> None:
    """The counter keeps two mails of one microsecond apart."""
    assert deliver(maildir) != deliver(maildir)


@pytest.mark.parametrize(
    ("sync", "expected"),
    [
        pytest.param(SAFE, ["open", "write", "fsync", "link", "fsyncdir", "unlink"], id="SAFE"),
        pytest.param(QMAIL, ["open", "write", "fsync", "link", "unlink"], id="QMAIL"),
        pytest.param(INDIMAIL, ["open", "write", "link", "unlink"], id="INDIMAIL"),
    ],
)
def test_steps_are_those_of_the_protocol(maildir: Path, sync: SyncPolicy, expected: list[str]) -> None:
    """cr.yp.to/proto/maildir: write to tmp, fsync, link to new, unlink tmp."""
    calls: list[str] = []

    deliver(maildir, sync=sync, on_call=lambda call, _path: calls.append(call))

    assert calls == expected


def test_mail_is_never_seen_half(maildir: Path) -> None:
    """New holds nothing until everything is written."""
    seen: list[int] = []

    deliver(maildir, on_call=lambda _call, _path: seen.append(len(list((maildir / "new").iterdir()))))

    assert seen == [0, 0, 1, 1]


def test_folder_is_made_as_maildir_plus_plus_says(maildir: Path) -> None:
    """A dot, tmp, new, cur and the file maildirfolder."""
    folder = create_folder(maildir, "Quarantine")

    assert folder == maildir / ".Quarantine"
    assert sorted(path.name for path in folder.iterdir()) == ["cur", FOLDER_MARK, "new", "tmp"]


@pytest.mark.parametrize("folder", ["Inbox", "inbox", "INBOX"])
def test_inbox_is_the_maildir_itself(maildir: Path, folder: str) -> None:
    """vfilter.c compares "Inbox" in any case."""
    assert folder_path(maildir, folder) == maildir


@pytest.mark.parametrize("folder", ["", ".", "..", "../x", "a/b", ".hidden", "a\0b"])
def test_folder_name_cannot_leave_the_maildir(maildir: Path, folder: str) -> None:
    """Names with a slash, or a dot in front, are refused."""
    with pytest.raises(FilterError):
        folder_path(maildir, folder)


def broken_parts() -> Iterator[bytes]:
    """Yield a piece, then fail as a disk that cannot be read."""
    yield b"half"
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize(
    ("damage", "parts"),
    [
        pytest.param(lambda maildir: (maildir / "tmp").rmdir(), MAIL, id="no tmp"),
        pytest.param(lambda maildir: (maildir / "new").rmdir(), MAIL, id="no new"),
        pytest.param(lambda _maildir: None, broken_parts(), id="message cannot be read"),
    ],
)
def test_failed_delivery_leaves_nothing(maildir: Path, damage: Callable[[Path], None], parts: object) -> None:
    """Neither tmp nor new holds a trace of a mail that could not be delivered."""
    damage(maildir)

    with pytest.raises(OSError, match=r"."):
        deliver(maildir, parts)
    assert [path for path in maildir.rglob("*") if path.is_file()] == []


def test_full_disk_leaves_nothing(maildir: Path, limited_file_size: Limit) -> None:
    """A file that cannot grow is removed again."""
    with pytest.raises(OSError, match="File too large"), limited_file_size(4):
        deliver(maildir)
    assert [path for path in maildir.rglob("*") if path.is_file()] == []


def test_taken_names_are_tried_thrice(maildir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in maildir_deliver.c; then it is a temporary error."""
    tried: list[str] = []

    def always_taken(path: Path, *_: object) -> int:
        tried.append(str(path))
        raise FileExistsError(17, "File exists")

    monkeypatch.setattr("indimail_kit.delivery.maildir.os.open", always_taken)
    with pytest.raises(FileExistsError):
        deliver(maildir)
    assert len(set(tried)) == 3


def test_mail_whose_name_cannot_be_synced_is_taken_back(maildir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is deferred and comes again: what stayed in new would be a second copy."""
    real = os.fsync

    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        real(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="Input/output error"):
            deliver(maildir, sync=SAFE)

    assert [*(maildir / "new").iterdir(), *(maildir / "tmp").iterdir()] == []


def test_folder_that_an_error_left_half_made_is_finished(maildir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without new was taken for a folder: every mail for it was deferred until it bounced."""
    real = os.mkdir

    def mkdir(path: Path, mode: int = 0o777) -> None:
        if path.name == "new":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", mkdir)
        with pytest.raises(OSError, match="No space left"):
            create_folder(maildir, "Lists")

    assert deliver(create_folder(maildir, "Lists")).parent == maildir / ".Lists" / "new"
    assert (maildir / ".Lists" / FOLDER_MARK).exists()
