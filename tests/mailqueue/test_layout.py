"""Paths, new queues and found queues against queue-fix and recorded trees."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import layout as layout_module
from indimail_kit.mailqueue.layout import KINDS, SPLIT, QueueLayout, create_queue, detect_layout

LISTING = Path(__file__).parent.parent / "data" / "indimail" / "queue" / "mixed-queue1.list"

MODES = {
    ".": 0o750,
    "pid": 0o700,
    "mess": 0o750,
    "mess/0": 0o750,
    "mess/150": 0o750,
    "intd": 0o700,
    "intd/150": 0o700,
    "todo": 0o750,
    "todo/150": 0o750,
    "info": 0o700,
    "info/150": 0o700,
    "local": 0o700,
    "local/150": 0o700,
    "remote": 0o700,
    "remote/150": 0o700,
    "bounce": 0o700,
    "lock": 0o750,
    "lock/sendmutex": 0o600,
    "lock/tcpto": 0o644,
    "lock/trigger": 0o622,
}
"""Path -> mode. Source: queue-fix.c `check_dirs()`."""


@pytest.fixture(scope="module")
def full_queue(tmp_path_factory: pytest.TempPathFactory) -> QueueLayout:
    """Return a queue as IndiMail has it, made under a hostile umask."""
    old = os.umask(0o777)
    try:
        return create_queue(tmp_path_factory.mktemp("base", numbered=True) / "queue1")
    finally:
        os.umask(old)


def test_number_of_the_seed_lies_in_directory_16() -> None:
    """The seed's clamd line says mess/16/660188: 660188 % 151 == 16."""
    assert QueueLayout(Path("queue1")).relative("mess", 660188) == "mess/16/660188"


@pytest.mark.parametrize(
    ("kind", "has_bigtodo", "path"),
    [
        ("mess", True, "mess/137/1704474"),
        ("intd", True, "intd/137/1704474"),
        ("todo", True, "todo/137/1704474"),
        ("info", True, "info/137/1704474"),
        ("local", True, "local/137/1704474"),
        ("remote", True, "remote/137/1704474"),
        ("bounce", True, "bounce/1704474"),
        ("mess", False, "mess/137/1704474"),
        ("intd", False, "intd/1704474"),
        ("todo", False, "todo/1704474"),
        ("info", False, "info/137/1704474"),
    ],
)
def test_path_is_that_of_the_recorded_tree(kind: str, has_bigtodo: bool, path: str) -> None:
    """IndiMail splits intd and todo as well, unless BIGTODO=0; bounce never."""
    assert QueueLayout(Path("/q"), has_bigtodo=has_bigtodo).path(kind, 1704474) == Path("/q") / path


def test_name_is_that_of_the_log_lines() -> None:
    """The last part of the path."""
    assert QueueLayout(Path("/var/indimail/queue/queue7")).name == "queue7"


@pytest.mark.parametrize("number", [0, -1, 2**64, 1.0, True, "16", "../../etc/passwd", None])
def test_queue_number_cannot_leave_the_queue(number: object) -> None:
    """A path is built from inode numbers only."""
    with pytest.raises(QueueError):
        QueueLayout(Path("queue1")).path("mess", number)  # type: ignore[arg-type]  # the attack


@pytest.mark.parametrize("number", [1, 2**64 - 1])
def test_every_inode_number_has_a_path(number: int) -> None:
    """Both ends of the range."""
    assert QueueLayout(Path("queue1"), split=1).relative("mess", number) == f"mess/0/{number}"


@pytest.mark.parametrize("kind", ["pid", "lock", "..", "", "MESS"])
def test_kind_cannot_leave_the_queue(kind: str) -> None:
    """Only the kinds of INTERNALS have message files."""
    with pytest.raises(QueueError):
        QueueLayout(Path("queue1")).relative(kind, 7)


def test_split_below_one_is_refused() -> None:
    """Nothing can be divided by it."""
    with pytest.raises(QueueError):
        QueueLayout(Path("queue1"), split=0)


@pytest.mark.parametrize(("path", "mode"), MODES.items())
def test_new_queue_has_the_modes_of_queue_fix(full_queue: QueueLayout, path: str, mode: int) -> None:
    """Whatever the umask is (here 777)."""
    assert stat.S_IMODE((full_queue.directory / path).stat().st_mode) == mode


def test_new_queue_has_the_directories_of_queue_fix_and_no_others(full_queue: QueueLayout) -> None:
    """Six split kinds of 151 directories each, three flat ones, the lock files."""
    found = {str(path.relative_to(full_queue.directory)) for path in full_queue.directory.rglob("*")}
    split = {f"{kind}/{number}" for kind in KINDS[:6] for number in range(151)}
    assert found == split | set(KINDS) | {"pid", "lock", "lock/sendmutex", "lock/tcpto", "lock/trigger"}


def test_trigger_of_a_new_queue_is_a_fifo(full_queue: QueueLayout) -> None:
    """qmail-send waits on it."""
    assert (full_queue.directory / "lock" / "trigger").is_fifo()


def test_tcpto_of_a_new_queue_has_64_empty_records(full_queue: QueueLayout) -> None:
    """2048 octets here, 1024 in plain qmail."""
    assert (full_queue.directory / "lock" / "tcpto").read_bytes() == bytes(2048)


def test_new_queue_without_bigtodo_has_flat_intd_and_todo(tmp_path: Path) -> None:
    """As plain qmail."""
    create_queue(tmp_path / "q", split=3, bigtodo=False)
    assert sorted(path.name for kind in ("intd", "todo") for path in (tmp_path / "q" / kind).iterdir()) == []


def test_making_a_queue_again_changes_nothing(tmp_path: Path) -> None:
    """What is there stays as it is: mail, modes, lock files."""
    layout = create_queue(tmp_path / "q", split=3)
    (tmp_path / "q" / "mess" / "1" / "7").write_bytes(b"mail")
    (tmp_path / "q" / "lock" / "tcpto").write_bytes(b"timeouts")
    (tmp_path / "q" / "mess" / "1").chmod(0o711)
    create_queue(tmp_path / "q", split=3)
    assert (
        layout.path("mess", 7).read_bytes(),
        (tmp_path / "q" / "lock" / "tcpto").read_bytes(),
        stat.S_IMODE((tmp_path / "q" / "mess" / "1").stat().st_mode),
    ) == (b"mail", b"timeouts", 0o711)


def test_a_missing_directory_comes_back(tmp_path: Path) -> None:
    """As queue-fix repairs."""
    create_queue(tmp_path / "q", split=3)
    (tmp_path / "q" / "pid").rmdir()
    create_queue(tmp_path / "q", split=3)
    assert (tmp_path / "q" / "pid").is_dir()


def test_file_in_the_place_of_a_queue_is_an_error_of_the_queue_directory(tmp_path: Path) -> None:
    """Exit code 61, no traceback of the system."""
    (tmp_path / "q").write_text("not a queue")
    with pytest.raises(QueueError) as caught:
        create_queue(tmp_path / "q")
    assert caught.value.exit_code == 61


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_root_gives_the_files_to_the_users_of_indimail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owners are those of the recorded listing; uids as in its tar."""
    uids = {"qmailq": (1005, 1001), "qmails": (1007, 1001), "qmailr": (1006, 1001)}
    monkeypatch.setattr(layout_module, "_owners", lambda: uids)
    create_queue(tmp_path / "q", split=1)
    recorded = {
        path.removeprefix("queue1/"): uids[owner.removesuffix(":qmail")][0]
        for _, _, owner, *_, path in (line.split() for line in LISTING.read_text().splitlines())
        if "/lock/" in path
    }
    assert {path: (tmp_path / "q" / path).stat().st_uid for path in recorded} == recorded


def test_no_files_are_given_away_without_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without IndiMail the queue belongs to who made it."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("grp.getgrnam", lambda name: {}[name])
    assert layout_module._owners() == {}


def test_users_of_indimail_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """qmailq, qmails, qmailr with the group qmail."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("grp.getgrnam", lambda _name: type("Group", (), {"gr_gid": 1001}))
    monkeypatch.setattr("pwd.getpwnam", lambda name: type("User", (), {"pw_uid": 1000 + len(name)}))
    assert layout_module._owners() == {"qmailq": (1006, 1001), "qmails": (1006, 1001), "qmailr": (1006, 1001)}


def test_only_root_may_give_files_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody else keeps them."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert layout_module._owners() == {}


@pytest.mark.parametrize("missing", ["mess/3", "mess", "todo/0", "intd/4"])
def test_layout_is_found_although_a_directory_is_missing(tmp_path: Path, missing: str) -> None:
    """The other kinds have all of them, and a queue that needs repair can be looked at."""
    made = create_queue(tmp_path / "q", split=5)
    shutil.rmtree(tmp_path / "q" / missing)
    assert detect_layout(tmp_path / "q") == made


@pytest.mark.parametrize(("split", "bigtodo"), [(151, True), (23, False), (23, True), (1, False)])
def test_layout_of_a_queue_is_found_again(tmp_path: Path, split: int, bigtodo: bool) -> None:
    """Split and BIGTODO are read from the directories."""
    made = create_queue(tmp_path / "q", split=split, bigtodo=bigtodo)
    assert detect_layout(tmp_path / "q") == made


def test_found_layout_of_a_default_queue_is_that_of_indimail(full_queue: QueueLayout) -> None:
    """151 and BIGTODO."""
    assert detect_layout(full_queue.directory) == QueueLayout(full_queue.directory, SPLIT, True)


def test_missing_queue_directory_is_61(tmp_path: Path) -> None:
    """As chdir would fail."""
    with pytest.raises(QueueError) as caught:
        detect_layout(tmp_path / "nowhere")
    assert caught.value.exit_code == 61


@pytest.mark.parametrize("names", [(), ("0", "2"), ("1", "2"), ("00", "1")], ids=str)
def test_gaps_in_the_split_directories_are_not_guessed_at(tmp_path: Path, names: tuple[str, ...]) -> None:
    """A wrong split would look for every message in the wrong place."""
    for name in names:
        (tmp_path / "mess" / name).mkdir(parents=True)
    with pytest.raises(QueueError) as caught:
        detect_layout(tmp_path)
    assert caught.value.exit_code == 62


def test_recorded_tree_without_its_empty_directories_is_not_guessed_at(unpack: Callable[[str], QueueLayout]) -> None:
    """The tar files hold only the directories with mail: the split must be given."""
    with pytest.raises(QueueError):
        detect_layout(unpack("s4-queued-queue1").directory)


def test_other_names_in_mess_do_not_disturb(tmp_path: Path) -> None:
    """A stray file, a link, a directory with a name."""
    create_queue(tmp_path / "q", split=2)
    (tmp_path / "q" / "mess" / "2").write_text("a file")
    (tmp_path / "q" / "mess" / "3").symlink_to(tmp_path)
    (tmp_path / "q" / "mess" / "lost+found").mkdir()
    assert detect_layout(tmp_path / "q").split == 2


def test_finding_a_layout_never_looks_into_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening the trigger would change what qmail-send sees."""
    create_queue(tmp_path / "q", split=2)
    seen: list[str] = []
    real = os.open

    def directory_only(path: Path, flags: int, **options: int) -> int:
        seen.append(str(path))
        assert flags & os.O_DIRECTORY, "a file was opened"
        return real(path, flags, **options)

    monkeypatch.setattr(os, "open", directory_only)
    detect_layout(tmp_path / "q")
    assert seen != []
    assert [path for path in seen if "lock" in path] == []
