"""Tests of scan_user.py: who the scanner is, what this user can reach, and the copy where he cannot."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from indimail_kit.qhpsi import scan_user as module
from indimail_kit.qhpsi.scan_user import NOT_ROOT, ScanUser, can_read, copy_for, scan_user

STRANGER = ScanUser("stranger", 54_321, 54_321)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another group")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that anybody may enter."""
    directory = Path(tempfile.mkdtemp(prefix="ik-test-", dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def message(place: Path) -> Path:
    """A message that anybody may read."""
    path = place / "m"
    path.write_bytes(b"hello" * 100_000)
    path.chmod(0o644)
    return path


def test_who_is_not_root_stays_who_he_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root there is nobody to become."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert scan_user(NOT_ROOT) is None
    assert scan_user(None) is None


@pytest.mark.parametrize(
    ("known", "name"),
    [({"qscand", "nobody"}, "qscand"), ({"nobody"}, "nobody"), (set(), "65534")],
    ids=["IndiMail is installed", "it is not", "not even nobody"],
)
def test_root_becomes_the_scanners_user(monkeypatch: pytest.MonkeyPatch, known: set[str], name: str) -> None:
    """qscand, else nobody, else nobody's number: never root."""

    def getpwnam(wanted: str) -> pwd.struct_passwd:
        if wanted not in known:
            raise KeyError(wanted)
        return pwd.struct_passwd((wanted, "x", 65_000, 65_001, "", "/", "/bin/false"))

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", getpwnam)

    user = scan_user()

    assert user is not None
    assert user.name == name
    assert user.uid not in (0, os.getuid())


def test_unknown_user_is_told() -> None:
    """A wrong name is no reason to take another one."""
    with pytest.raises(KeyError):
        scan_user("no-such-user")


@pytest.mark.parametrize(
    ("file_mode", "directory_mode", "expected"),
    [
        (0o644, 0o755, True),
        (0o644, 0o711, True),
        (0o644, 0o750, False),
        (0o644, 0o700, False),
        (0o644, 0o754, False),
        (0o640, 0o755, False),
        (0o600, 0o755, False),
        (0o604, 0o755, True),
    ],
)
def test_reach_is_read_from_the_modes(message: Path, file_mode: int, directory_mode: int, expected: bool) -> None:
    """The file must be readable, and every directory above it searchable, for a stranger."""
    message.chmod(file_mode)
    message.parent.chmod(directory_mode)

    assert can_read(STRANGER, message) is expected


def test_owner_s_own_bits_count(message: Path) -> None:
    """For the owner the owner's bits count, even where they are fewer than the others'."""
    message.chmod(0o044)

    assert not can_read(ScanUser("owner", message.stat().st_uid, 54_321), message)
    assert can_read(ScanUser("member", 54_321, message.stat().st_gid), message)


def test_way_through_a_link_counts_too(place: Path, message: Path) -> None:
    """A link to where the user cannot go is no way."""
    (place / "shut").mkdir(mode=0o700)
    shutil.move(message, place / "shut" / "m")
    (place / "link").symlink_to(place / "shut" / "m")

    assert not can_read(STRANGER, place / "link")


def test_what_is_gone_cannot_be_read(place: Path) -> None:
    """No file, no reach."""
    assert not can_read(STRANGER, place / "none")


def test_access_list_is_a_no(message: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modes do not tell what an access list says: a copy is made instead of a guess."""
    monkeypatch.setattr(module.os, "listxattr", lambda _path: ["system.posix_acl_access"])

    assert not can_read(STRANGER, message)


@needs_root
def test_copy_is_whole_read_only_and_gone_afterwards(message: Path) -> None:
    """The copy belongs to us and the user's group may read it; nobody else may enter."""
    with message.open("rb") as opened, copy_for(STRANGER, opened.fileno(), "660188") as copy:
        status, above = copy.stat(), copy.parent.stat()
        octets = copy.read_bytes()
        assert opened.tell() == 0

    assert octets == message.read_bytes()
    assert (copy.name, status.st_uid, status.st_gid, status.st_mode & 0o777) == ("660188", 0, STRANGER.gid, 0o440)
    assert (above.st_uid, above.st_gid, above.st_mode & 0o777) == (0, STRANGER.gid, 0o710)
    assert not copy.parent.exists()


@needs_root
def test_copy_is_gone_after_an_error(message: Path) -> None:
    """Whatever happens in the block, no mail is left in /tmp."""
    kept: list[Path] = []

    def fail() -> None:
        with message.open("rb") as opened, copy_for(STRANGER, opened.fileno(), "m") as copy:
            kept.append(copy)
            raise RuntimeError("surprise")

    with pytest.raises(RuntimeError, match="surprise"):
        fail()

    assert not kept[0].parent.exists()
