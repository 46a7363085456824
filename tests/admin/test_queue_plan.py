"""Plans for queues: they agree with queue-fix, put names in an order that works, and say what they will do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from indimail_kit.admin import (
    plan_expire,
    plan_hold,
    plan_queue_repair,
    plan_release,
    plan_trash,
    queue_words,
    run_plan,
)
from indimail_kit.admin.plan import Plan, step_of
from indimail_kit.admin.queue_deeds import MoveFiles, MoveThing, SetTime
from indimail_kit.admin.queue_places import PlaceRepair
from indimail_kit.admin.queue_words import quoted
from indimail_kit.errors import QueueError
from indimail_kit.lab.corpus import DemoQueue, make_queue
from indimail_kit.mailqueue import QueueLayout, Violation, check_queue, detect_layout, list_messages, read_message
from indimail_kit.mailqueue.layout import KINDS

RECORDED = Path(__file__).parent.parent / "data" / "indimail"
RENAMING = re.compile(r"Renaming \[\S+/queue9/(\S+)\] to \[\S+/queue9/(\S+)\]")
NOW_S = 1_795_360_000


@pytest.fixture
def made(tmp_path: Path) -> DemoQueue:
    """Return a healthy queue."""
    return make_queue(tmp_path / "queue1", messages=30, split=7, now_s=NOW_S)


def yes(plan: Plan) -> None:
    """Do a plan; all of it must work."""
    report = run_plan(plan, confirm=lambda _text: True)
    assert (report.problem, report.not_done) == ("", ())


def contents(layout: QueueLayout) -> dict[tuple[str, bytes], int]:
    """Return (kind, octets) -> mtime of all files of messages."""
    return {
        (file.kind, file.content): file.mtime_ns
        for number in list_messages(layout)
        for file in read_message(layout, number).files
    }


# --- queue-fix ------------------------------------------------------------------------------------------------------


def recorded_runs() -> list[list[tuple[str, str]]]:
    """Return the names that the real queue-fix changed in each of its three runs."""
    text = (RECORDED / "tools" / "queue-fix-copy.txt").read_text(encoding="ascii")
    return [RENAMING.findall(run) for run in text.split("$ queue-fix")[1:]]


def test_new_names_are_those_of_queue_fix() -> None:
    """Each recorded name, old and new, is where our layout puts it; the new number is the inode of mess."""
    layout = QueueLayout(Path("queue9"))
    for old, new in recorded_runs()[0]:
        kind = old.split("/")[0]
        assert old == layout.relative(kind, int(old.rpartition("/")[2]))
        assert new == layout.relative(kind, int(new.rpartition("/")[2]))


def test_after_a_copy_the_same_files_get_new_names_as_with_queue_fix(tmp_path: Path) -> None:
    """The recorded queue unpacked: every file that is there is renamed to the inode of its mess, as queue-fix does."""
    with tarfile.open(RECORDED / "queue" / "mixed-queue1.tar") as archive:
        archive.extractall(tmp_path, filter="fully_trusted")  # noqa: S202 (our own recording)
    layout = QueueLayout((tmp_path / "queue1").resolve())
    expected = {
        (layout.relative(kind, number), layout.relative(kind, layout.path("mess", number).stat().st_ino))
        for number in list_messages(layout)
        for kind in KINDS
        if layout.path(kind, number).exists()
    }
    plan = plan_queue_repair(layout, now_s=NOW_S).plan
    moves = [step.deed.moves for step in plan.steps if isinstance(step.deed, MoveFiles)]
    assert {(move.source, move.target) for one in moves for move in one} == expected
    assert {kind for run in recorded_runs()[:2] for old, _ in run for kind in [old.split("/")[0]]} == set(KINDS)


def test_second_run_has_nothing_to_do(tmp_path: Path, made: DemoQueue) -> None:
    """As the third recorded run of queue-fix; every message has its octets and times."""
    subprocess.run(["cp", "-a", made.layout.directory, tmp_path / "queue9"], check=True)
    layout = detect_layout(tmp_path / "queue9")
    before = contents(layout)
    yes(plan_queue_repair(layout, now_s=NOW_S).plan)
    assert (len(plan_queue_repair(layout, now_s=NOW_S).plan), recorded_runs()[2]) == (0, [])
    assert contents(layout) == before


# --- orders ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 20])
def test_numbers_that_go_round_are_untied(made: DemoQueue, count: int) -> None:
    """One message makes room for a moment; every message ends under the inode of its mess."""
    layout = made.layout
    numbers = [number for number in list_messages(layout) if layout.path("info", number).exists()][:count]
    before = contents(layout)
    for number in numbers:
        for kind in KINDS:
            if layout.path(kind, number).exists():
                layout.path(kind, number).rename(layout.directory / f"{number}.{kind}")
    for number, other in zip(numbers, [*numbers[1:], numbers[0]], strict=True):
        for kind in KINDS:
            if (layout.directory / f"{number}.{kind}").exists():
                (layout.directory / f"{number}.{kind}").rename(layout.path(kind, other))
    plan = plan_queue_repair(layout, now_s=NOW_S).plan
    yes(plan)
    assert (len(plan), "for a while, to make room" in plan.steps[0].text) == (count + 1, True)
    assert (list(check_queue(layout, now_s=NOW_S)), contents(layout)) == ([], before)


def test_chain_of_numbers_begins_at_its_end(made: DemoQueue) -> None:
    """Twelve messages, each with the number of the next one: none has to make room."""
    layout = made.layout
    numbers = [number for number in list_messages(layout) if layout.path("info", number).exists()][:12]
    free = max(numbers) + 10**6
    for number, other in zip(numbers[::-1], [free, *numbers[:0:-1]], strict=True):
        for kind in KINDS:
            if layout.path(kind, number).exists():
                layout.path(kind, number).rename(layout.path(kind, other))
    plan = plan_queue_repair(layout, now_s=NOW_S).plan
    yes(plan)
    assert (len(plan), list(check_queue(layout, now_s=NOW_S))) == (12, [])


@pytest.mark.parametrize("errno", [13, 20], ids=["closed", "not a directory"])
def test_place_of_a_new_name_that_cannot_be_looked_at(
    made: DemoQueue, monkeypatch: pytest.MonkeyPatch, errno: int
) -> None:
    """What nobody may see could be a file, so the name is not taken; in what is no directory there is none."""
    number = preprocessed(made)
    for kind in KINDS:
        if made.layout.path(kind, number).exists():
            made.layout.path(kind, number).rename(made.layout.path(kind, 660188))
    real = Path.lstat

    def refusing(path: Path) -> os.stat_result:
        if path == made.layout.path("bounce", number):
            raise OSError(errno, os.strerror(errno)) if errno == 13 else NotADirectoryError(errno, os.strerror(errno))
        return real(path)

    monkeypatch.setattr(Path, "lstat", refusing)
    repair = plan_queue_repair(made.layout, now_s=NOW_S)
    assert (len(repair.plan), [one.reason for one in repair.refused]) == (
        (0, [f"bounce/{number} (Permission denied) is in the way, and belongs to another message."])
        if errno == 13
        else (1, [])
    )


def test_attributes_are_set_before_names_change(made: DemoQueue) -> None:
    """The steps name each file by the name that it has at that moment."""
    number = next(number for number in list_messages(made.layout) if made.layout.path("info", number).exists())
    for kind in KINDS:
        if made.layout.path(kind, number).exists():
            made.layout.path(kind, number).rename(made.layout.path(kind, 660188))
    made.layout.path("info", 660188).chmod(0o644)
    plan = plan_queue_repair(made.layout, now_s=NOW_S).plan
    assert [type(step.deed).__name__ for step in plan.steps] == ["SetMode", "MoveFiles"]
    yes(plan)


def test_queue_behind_a_symbolic_link_is_repaired_where_it_is(tmp_path: Path, made: DemoQueue) -> None:
    """Administrators put queues on other disks; what is put aside stays on the same disk."""
    (tmp_path / "base").mkdir()
    link = tmp_path / "base" / "queue1"
    link.symlink_to(made.layout.directory)
    (made.layout.directory / "core").touch()
    yes(plan_queue_repair(detect_layout(link), now_s=NOW_S).plan)
    assert (tmp_path / "queue1.found" / "core").exists()


def test_second_stranger_of_a_name_gets_another_one(made: DemoQueue) -> None:
    """What was put aside before is not overwritten."""
    for _ in range(2):
        (made.layout.directory / "core").touch()
        yes(plan_queue_repair(made.layout, now_s=NOW_S).plan)
    found = made.layout.directory.parent / "queue1.found"
    assert sorted(path.name for path in found.iterdir()) == ["core", "core.2"]


def test_file_with_a_name_that_nobody_knows_keeps_its_mode(made: DemoQueue, tmp_path: Path) -> None:
    """Whose file that is, is not known: changing it could change something outside."""
    number = next(number for number in list_messages(made.layout) if made.layout.path("info", number).exists())
    os.link(made.layout.path("info", number), tmp_path / "elsewhere")
    made.layout.path("info", number).chmod(0o666)
    repair = plan_queue_repair(made.layout, now_s=NOW_S)
    assert (len(repair.plan), {one.violation.rule for one in repair.refused}) == (0, {"extra-link", "wrong-mode"})


def test_unreadable_message_is_refused(made: DemoQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is planned for what could not be seen."""
    number = next(number for number in list_messages(made.layout) if made.layout.path("info", number).exists())
    real = os.stat

    def refusing(path: object, *args: object, **kwargs: object) -> os.stat_result:
        if path == made.layout.relative("info", number):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)  # type: ignore[call-overload]  # passed on as it came

    monkeypatch.setattr(os, "stat", refusing)
    repair = plan_queue_repair(made.layout, now_s=NOW_S)
    assert (len(repair.plan), "as root or as the owner" in repair.text) == (0, True)


def test_text_has_plan_and_refusals(tmp_path: Path) -> None:
    """Each reason once."""
    layout = make_queue(
        tmp_path / "queue1", messages=30, split=7, now_s=NOW_S, faults=("wrong-mode", "cut-record")
    ).layout
    text = plan_queue_repair(layout, now_s=NOW_S).text
    assert text.startswith(f"Repair {layout.directory}:\n  1. cd ")
    assert "\n\nNot repaired:\n  - queue1: info/" in text
    shutil.rmtree(layout.directory)
    make_queue(tmp_path / "queue1", messages=5, split=7, now_s=NOW_S)
    assert plan_queue_repair(layout, now_s=NOW_S).text.endswith("nothing to do, it is so already.")


def test_lock_file_with_two_faults_is_made_anew_once(made: DemoQueue) -> None:
    """The old one goes aside, a new one comes."""
    tcpto = made.layout.directory / "lock" / "tcpto"
    os.truncate(tcpto, 7)
    tcpto.chmod(0o600)
    plan = plan_queue_repair(made.layout, now_s=NOW_S).plan
    assert [type(step.deed).__name__ for step in plan.steps] == ["MoveThing", "MakeLockFile"]
    yes(plan)


def test_message_of_which_a_half_is_elsewhere_is_refused(made: DemoQueue) -> None:
    """Info is gone, mess has a second name in the trash: neither the queue nor the trash has all of it."""
    number = preprocessed(made)
    (made.layout.directory / "trash" / str(number)).mkdir(parents=True)
    os.link(made.layout.path("mess", number), made.layout.directory / "trash" / str(number) / "mess")
    made.layout.path("info", number).unlink()
    repair = plan_queue_repair(made.layout, now_s=NOW_S)
    assert (len(repair.plan), {one.violation.rule for one in repair.refused}) == (0, {"extra-link", "without-info"})


@pytest.mark.parametrize("rule", ["wrong-mode", "not-directory", "unknown-file", "ossified"])
def test_what_is_gone_by_now_is_refused(made: DemoQueue, rule: str) -> None:
    """It vanished between check and plan: run the check again."""
    places = PlaceRepair(made.layout, now_s=NOW_S, owners={})
    violation = Violation("queue1", "pid/1.2.3", rule, "text")
    assert [*places.plan([violation]), *places.strangers([violation])] == []
    assert [(one.violation, one.reason) for one in places.refused] == [
        (violation, "It is gone by now: run the check again.")
    ]


@pytest.mark.parametrize("path", ["lock/trigger", "info/3"])
def test_place_that_cannot_be_looked_at_is_refused(made: DemoQueue, path: str) -> None:
    """Neither made anew nor guessed about."""
    places = PlaceRepair(made.layout, now_s=NOW_S, owners={})
    assert places.plan([Violation("queue1", path, "unreadable", "text")]) == []
    assert [one.reason.startswith("It must be readable first") for one in places.refused] == [True]


def test_message_is_not_moved_into_what_is_no_directory(made: DemoQueue, tmp_path: Path) -> None:
    """A plan once began to rename a message into a directory in whose place a symbolic link stood, and broke off."""
    number, layout = preprocessed(made), made.layout
    mess = layout.path("mess", number)
    copies = [mess.with_name(f"copy{count}") for count in range(8)]  # held together, so that their inodes differ
    for copy in copies:
        shutil.copyfile(mess, copy)
        copy.chmod(0o644)
    chosen = next(copy for copy in copies if copy.stat().st_ino % layout.split != number % layout.split)
    chosen.replace(mess)
    for copy in set(copies) - {chosen}:
        copy.unlink()
    inode = mess.stat().st_ino
    place = layout.directory / layout.parent("info", inode)
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    repair = plan_queue_repair(layout, now_s=NOW_S)
    yes(repair.plan)

    reasons = [one.reason for one in repair.refused if one.violation.rule == "inode-differs"]
    assert reasons == [f"It belongs into {layout.parent('info', inode)}, which is not a directory: see to that first."]
    assert mess.exists()


# --- one message ----------------------------------------------------------------------------------------------------


def preprocessed(made: DemoQueue) -> int:
    """Return a message in S5."""
    return next(number for number in made.numbers if made.layout.path("info", number).exists())


def test_trash_is_in_the_queue_and_has_the_rights_of_qmail_rm(made: DemoQueue) -> None:
    """A directory for each message; the queue is sound without it."""
    number = preprocessed(made)
    kinds = {file.kind for file in read_message(made.layout, number).files}
    yes(plan_trash(made.layout, number))
    trash = made.layout.directory / "trash"
    assert (trash.stat().st_mode & 0o777, {path.name for path in (trash / str(number)).iterdir()}) == (0o700, kinds)
    assert list(check_queue(made.layout, now_s=NOW_S)) == []


def test_held_message_comes_back_as_it_was(made: DemoQueue) -> None:
    """Same inodes, so the same number; nothing is left beside the queue."""
    number = preprocessed(made)
    before = read_message(made.layout, number).files
    yes(plan_hold(made.layout, number))
    assert read_message(made.layout, number).files == ()
    yes(plan_release(made.layout, number))
    after = read_message(made.layout, number).files
    assert [(f.path, f.inode, f.mtime_ns, f.content) for f in after] == [
        (f.path, f.inode, f.mtime_ns, f.content) for f in before
    ]
    assert list((made.layout.directory.parent / "queue1.held").iterdir()) == []


def test_expired_message_is_older_than_its_lifetime(made: DemoQueue) -> None:
    """By one second, so that qmail-send gives it up at its next try; once is enough."""
    number = preprocessed(made)
    (step,) = plan_expire(made.layout, number, now_s=NOW_S, lifetime_s=3600).steps
    yes(Plan("x", (step,)))
    assert made.layout.path("info", number).stat().st_mtime == NOW_S - 3601
    assert len(plan_expire(made.layout, number, now_s=NOW_S, lifetime_s=3600)) == 0


def test_message_that_is_not_preprocessed_cannot_expire(made: DemoQueue) -> None:
    """It has no info, so no birth."""
    number = next(number for number in made.numbers if made.layout.path("todo", number).exists())
    with pytest.raises(QueueError, match="not preprocessed"):
        plan_expire(made.layout, number, now_s=NOW_S)


@pytest.mark.parametrize("plan", [plan_trash, plan_hold, plan_release], ids=["trash", "hold", "release"])
def test_message_that_is_not_there_has_no_plan(made: DemoQueue, plan: object) -> None:
    """Nothing in the queue, nothing held."""
    with pytest.raises(QueueError, match="no message 4711000"):
        plan(made.layout, 4_711_000)  # type: ignore[operator]  # all take a queue and a number


def test_release_does_not_push_anybody_out(made: DemoQueue) -> None:
    """A file of the same number has come meanwhile."""
    number = preprocessed(made)
    yes(plan_hold(made.layout, number))
    made.layout.path("info", number).touch()
    with pytest.raises(QueueError, match="is in the way"):
        plan_release(made.layout, number)


def test_message_that_cannot_be_read_is_not_held(made: DemoQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a message would be left behind."""
    number = preprocessed(made)
    real = os.stat

    def refusing(path: object, *args: object, **kwargs: object) -> os.stat_result:
        if path == made.layout.relative("info", number):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)  # type: ignore[call-overload]  # passed on as it came

    monkeypatch.setattr(os, "stat", refusing)
    with pytest.raises(QueueError, match="cannot be read: Permission denied"):
        plan_hold(made.layout, number)


def test_what_is_no_file_is_not_held(made: DemoQueue) -> None:
    """First the repair."""
    number = preprocessed(made)
    made.layout.path("intd", number).symlink_to("/etc/passwd")
    with pytest.raises(QueueError, match="no regular file"):
        plan_hold(made.layout, number)


# --- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["core", "a b", "-rf", "a\n'; touch hacked #", "\x1b[2J", "$HOME", "tab\t\\", "ü\udcff"]
)
def test_command_for_a_hostile_name_does_what_it_says(tmp_path: Path, name: str) -> None:
    """A command that is copied into a shell moves this file and does nothing else."""
    queue = tmp_path / "queue1"
    queue.mkdir()
    (queue / name).touch()
    deed = MoveThing(queue, name, f"../queue1.found/{name}", (queue / name).stat().st_ino)
    done = subprocess.run(["bash", "-c", step_of(deed).command], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert os.listdir(tmp_path / "queue1.found") == [name]  # noqa: PTH208 (names as they are)
    assert sorted(os.listdir(tmp_path)) == ["queue1", "queue1.found"]  # noqa: PTH208 (names as they are)


def test_name_does_not_look_like_a_line_of_the_plan(made: DemoQueue) -> None:
    """A newline in a file's name would write steps that nobody planned, or hide those that are."""
    name = "core\n  2. rm -rf $HOME\n     Nothing of it is deleted."
    (made.layout.directory / name).write_bytes(b"")
    (made.layout.directory / "mess" / "0" / name).symlink_to("/")
    repair = plan_queue_repair(made.layout, now_s=NOW_S)
    assert [line for line in repair.text.splitlines() if line.startswith(("  2. rm", "     Nothing"))] == []
    for stranger in (made.layout.directory / name, made.layout.directory / "mess" / "0" / name):
        stranger.unlink()
    report = run_plan(repair.plan, confirm=lambda _text: True)
    assert ("core\\x0a  2. rm" in report.problem, "\n" in report.problem) == (True, False)


def test_commands_of_a_plan_do_what_the_plan_does(tmp_path: Path) -> None:
    """Typed into a shell they repair the queue as well."""
    faults = ("inode-differs", "wrong-split", "unknown-file", "wrong-mode", "time-in-the-future", "info-without-mess")
    layout = make_queue(tmp_path / "queue1", messages=40, split=7, now_s=NOW_S, faults=faults).layout
    (layout.directory / "local" / "9").touch()
    (layout.directory / "lock" / "trigger").unlink()
    (layout.directory / "lock" / "tcpto").unlink()
    (layout.directory / "pid").rmdir()
    for step in plan_queue_repair(layout, now_s=NOW_S).plan.steps:
        subprocess.run(["bash", "-c", step.command], check=True)
    assert list(check_queue(layout, now_s=NOW_S)) == []


def test_time_beyond_the_calendar_is_shown_as_a_second() -> None:
    """A file of the year 300,000 is possible."""
    deed = SetTime(Path("/q"), "info/0/7", 7, 0, 2**62 * 10**9)
    assert f"second {2**62}" in step_of(deed).text


def test_plain_path_needs_no_quotes() -> None:
    """Most commands read well."""
    assert (quoted("mess/16/660188"), queue_words.quoted("../queue1.found")) == ("mess/16/660188", "../queue1.found")
