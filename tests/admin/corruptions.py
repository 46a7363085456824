"""Queues spoilt on purpose: each corruption has a name, what the check must find, and how it must end.

Rule 1: a corruption touches one message or one place; all else of the queue stays as it is, octet for octet.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from indimail_kit.mailqueue import KINDS, QueueLayout, read_message
from indimail_kit.mailqueue.states import OSSIFIED_S

DAY_S = 86_400
ENVELOPE = b"u0\0p1\0Fann@example.com\0Tbob@example.com\0"


@dataclass(frozen=True)
class Scene:
    """A queue that is going to be spoilt.

    Attributes:
        layout: The queue.
        numbers: Its messages.
        random: Decides which message and which details.
        now_s: The moment that the queue shows.
    """

    layout: QueueLayout
    numbers: tuple[int, ...]
    random: Random
    now_s: int

    @property
    def queue(self) -> Path:
        """Return the queue directory."""
        return self.layout.directory

    def pick(self, *kinds: str, state: str = "", count: int = 1) -> list[int]:
        """Return messages of a state that have these files."""
        fitting = []
        for number in self.numbers:
            message = read_message(self.layout, number)
            has = {file.kind for file in message.files}
            if message.state is not None and state in ("", message.state.name) and has >= set(kinds):
                fitting.append(number)
        return self.random.sample(fitting, count)

    def path(self, kind: str, number: int) -> Path:
        """Return where a file belongs."""
        return self.layout.path(kind, number)

    def own(self, number: int) -> list[Path]:
        """Return the files of a message."""
        return [path for kind in KINDS if os.path.lexists(path := self.path(kind, number))]

    def put(self, path: Path, octets: bytes, mode: int = 0o600, *, age_s: int = 60) -> None:
        """Write a file as of a while ago."""
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(octets)
        path.chmod(mode)
        os.utime(path, (self.now_s - age_s, self.now_s - age_s))


Spoil = Callable[[Scene], set[int]]
"""Spoils a queue and returns the messages that it touched."""


@dataclass(frozen=True)
class Corruption:
    """One way to spoil a queue.

    Attributes:
        spoil: Does it.
        rules: What the check must say, at least.
        is_repaired: Whether a plan repairs it; else all of it is refused with a reason.
        needs_root: Whether only root can make it.
    """

    spoil: Spoil
    rules: frozenset[str]
    is_repaired: bool = True
    needs_root: bool = False


# --- names ----------------------------------------------------------------------------------------------------------


def _renew(path: Path) -> None:
    """Give a file a new inode, all else stays: as a copy does."""
    status = path.stat()
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    os.chown(copy, status.st_uid, status.st_gid)
    copy.replace(path)


def copied(*kinds: str, state: str) -> Spoil:
    """Give files of one message new inodes."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick(*kinds, state=state)
        for kind in kinds:
            _renew(scene.path(kind, number))
        return {number}

    return spoil


def renamed(count: int) -> Spoil:
    """Give messages each other's numbers, in a ring."""

    def spoil(scene: Scene) -> set[int]:
        numbers = scene.pick("info", state="S5", count=count)
        aside = {
            (kind, number): path.rename(scene.queue / f"{number}.{kind}")
            for number in numbers
            for kind in KINDS
            if (path := scene.path(kind, number)).exists()
        }
        following = dict(zip(numbers, [*numbers[1:], numbers[0]], strict=True))
        for (kind, number), path in aside.items():
            path.rename(scene.path(kind, following[number]))
        return set(numbers)

    return spoil


def half_renamed(scene: Scene) -> set[int]:
    """Stop a repair of names somewhere on its way: new names first, old names last."""
    (number,) = scene.pick("info", state="S5")
    _renew(scene.path("mess", number))
    inode = scene.path("mess", number).stat().st_ino
    order = [kind for kind in ("mess", "local", "remote", "bounce", "info") if scene.path(kind, number).exists()]
    stop = scene.random.randrange(1, 2 * len(order))
    for kind in order[:stop]:
        os.link(scene.path(kind, number), scene.path(kind, inode))
    for kind in order[::-1][: max(stop - len(order), 0)]:
        scene.path(kind, number).unlink()
    return {number, inode}


def half_thrown_away(scene: Scene) -> set[int]:
    """Stop a move into the trash on its way."""
    (number,) = scene.pick("info", state="S5")
    (scene.queue / "trash").mkdir(mode=0o700)
    (scene.queue / "trash" / str(number)).mkdir()
    order = [kind for kind in ("mess", "local", "remote", "bounce", "info") if scene.path(kind, number).exists()]
    stop = scene.random.randrange(1, 2 * len(order) - 1)
    for kind in order[:stop]:
        os.link(scene.path(kind, number), scene.queue / "trash" / str(number) / kind)
    for kind in order[::-1][: max(stop - len(order), 0)]:
        scene.path(kind, number).unlink()
    return {number}


def mess_renamed_alone(scene: Scene) -> set[int]:
    """Let somebody rename all files to the right number but mess."""
    (number,) = scene.pick("info", state="S5")
    _renew(scene.path("mess", number))
    inode = scene.path("mess", number).stat().st_ino
    for path in scene.own(number):
        if "mess" not in path.parts:
            path.rename(scene.path(path.relative_to(scene.queue).parts[0], inode))
    return {number, inode}


def name_is_taken(scene: Scene) -> set[int]:
    """Let the number that a message should have be taken by a file of somebody else."""
    (number,) = scene.pick("info", state="S5")
    _renew(scene.path("mess", number))
    inode = scene.path("mess", number).stat().st_ino
    os.link(scene.path("mess", number), scene.path("mess", inode))
    scene.put(scene.path("info", inode), b"Fsomebody@example.com\0")
    return {number, inode}


def number_of_an_orphan(scene: Scene) -> set[int]:
    """Let an info without mess have the number that a message should have."""
    (number,) = scene.pick("info", state="S5")
    _renew(scene.path("mess", number))
    inode = scene.path("mess", number).stat().st_ino
    scene.put(scene.path("info", inode), b"Fsomebody@example.com\0")
    return {number, inode}


def number_of_a_refused_one(scene: Scene) -> set[int]:
    """Let a message that cannot be repaired have the number that another one should have."""
    refused, number = scene.pick("info", state="S5", count=2)
    free = max(scene.numbers) + 1000
    for old, new in ((number, free), (refused, number)):
        for path in scene.own(old):
            path.rename(scene.path(path.relative_to(scene.queue).parts[0], new))
    scene.path("info", number).unlink()
    scene.path("info", number).symlink_to("/etc/passwd")
    return {refused, number, free}


def two_info_beyond(scene: Scene) -> set[int]:
    """Put another info of the same number into a directory of a larger split."""
    (number,) = scene.pick("info", state="S5")
    scene.put(scene.queue / "info" / str(scene.layout.split + 4) / str(number), b"Fx@example.com\0")
    return {number}


def astray(*kinds: str, state: str, where: str) -> Spoil:
    """Put files of one message into another directory: "next", "beside", or "beyond"."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick(*kinds, state=state)
        split = scene.layout.split
        part = {"next": str((number + 1) % split), "beside": ".", "beyond": str(split + 4)}[where]
        for kind in kinds:
            target = scene.queue / kind / part / str(number)
            target.parent.mkdir(exist_ok=True)
            scene.path(kind, number).rename(target)
        return {number}

    return spoil


def twice(scene: Scene) -> set[int]:
    """Put another info of the same number into another directory."""
    (number,) = scene.pick("info", state="S5")
    scene.put(scene.queue / "info" / str((number + 1) % scene.layout.split) / str(number), b"Fx@example.com\0")
    return {number}


def twice_the_same(scene: Scene) -> set[int]:
    """Give info a second name in another directory."""
    (number,) = scene.pick("info", state="S5")
    os.link(scene.path("info", number), scene.queue / "info" / str((number + 1) % scene.layout.split) / str(number))
    return {number}


def extra_link(where: str) -> Spoil:
    """Give mess a second name."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick("info", state="S5")
        os.link(scene.path("mess", number), scene.queue / where)
        return {number}

    return spoil


# --- sets of files --------------------------------------------------------------------------------------------------


def without(*kinds: str, state: str) -> Spoil:
    """Remove files of one message."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick(*kinds, state=state)
        for kind in kinds:
            scene.path(kind, number).unlink()
        return {number}

    return spoil


def only(kind: str, octets: bytes, mode: int = 0o600) -> Spoil:
    """Put one file where no message is."""

    def spoil(scene: Scene) -> set[int]:
        number = scene.random.randrange(1, 1000)
        scene.put(scene.path(kind, number), octets, mode)
        return {number}

    return spoil


def plus(kind: str, octets: bytes, state: str, mode: int = 0o600) -> Spoil:
    """Give a message a file that it should not have."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick("mess", state=state)
        scene.put(scene.path(kind, number), octets, mode)
        return {number}

    return spoil


def unqueued(with_info: bool, change: Callable[[bytes], bytes] = lambda old: old) -> Spoil:
    """Take todo from a queued message that todo-proc had begun with."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick("intd", state="S4")
        scene.path("todo", number).unlink()
        scene.put(scene.path("intd", number), change(scene.path("intd", number).read_bytes()), 0o644)
        kind, octets = ("info", b"Fann@example.com\0") if with_info else ("local", b"Tbob@example.com\0")
        scene.put(scene.path(kind, number), octets)
        return {number}

    return spoil


def two_envelopes(scene: Scene) -> set[int]:
    """Make two files of intd and todo, as a copy without hard links does."""
    (number,) = scene.pick("intd", state="S4")
    _renew(scene.path("todo", number))
    return {number}


def ossified(state: str) -> Spoil:
    """Let a message lie unfinished for days."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick(state=state)
        old_s = scene.now_s - OSSIFIED_S - scene.random.randrange(1, 10 * DAY_S)
        for path in scene.own(number):
            os.utime(path, (old_s, old_s))
        return {number}

    return spoil


def ossified_beside_lost(scene: Scene) -> set[int]:
    """Let an old message lie in S2 that might belong to an info without mess."""
    (number,) = scene.pick("info", state="S5")
    old_s = scene.now_s - OSSIFIED_S - DAY_S
    os.utime(scene.path("mess", number), (old_s, old_s))
    touched = {number}
    for path in scene.own(number):
        if "mess" not in path.parts:
            path.rename(scene.path(path.relative_to(scene.queue).parts[0], number + 10**6))
            touched.add(number + 10**6)
    return touched


# --- content and attributes -----------------------------------------------------------------------------------------


def content(kind: str, change: Callable[[bytes], bytes], state: str) -> Spoil:
    """Change what a file says; its attributes stay."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick(kind, state=state)
        path = scene.path(kind, number)
        status = path.stat()
        path.write_bytes(change(path.read_bytes()))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        return {number}

    return spoil


def no_file(kind: str, state: str, make: Callable[[Path], object]) -> Spoil:
    """Put something that is no file in the place of a file."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick(*(() if kind == "bounce" else (kind,)), state=state)
        scene.path(kind, number).unlink(missing_ok=True)
        make(scene.path(kind, number))
        return {number}

    return spoil


def mode(kind: str, bits: int, state: str) -> Spoil:
    """Change permission bits."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick(kind, state=state)
        scene.path(kind, number).chmod(bits)
        return {number}

    return spoil


def owner(kind: str, state: str) -> Spoil:
    """Give a file to somebody else."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick(kind, state=state)
        os.chown(scene.path(kind, number), 12345, 54321)
        return {number}

    return spoil


def future(kind: str, state: str) -> Spoil:
    """Let a file be of a time that has not come."""

    def spoil(scene: Scene) -> set[int]:
        (number,) = scene.pick(kind, state=state)
        path = scene.path(kind, number)
        then_s = scene.now_s + scene.random.randrange(30, 3000) * DAY_S
        os.utime(path, (int(path.stat().st_atime), then_s))
        return {number}

    return spoil


# --- places ---------------------------------------------------------------------------------------------------------


def at(spoil: Callable[[Scene, Path], object]) -> Spoil:
    """Spoil a place that belongs to no message."""

    def spoiling(scene: Scene) -> set[int]:
        spoil(scene, scene.queue)
        return set()

    return spoiling


def _empty_part(scene: Scene, kind: str) -> Path:
    """Make one sub-directory of a kind empty by removing the messages in it, and return it."""
    part = scene.random.randrange(scene.layout.split)
    for number in [number for number in scene.numbers if number % scene.layout.split == part]:
        for path in scene.own(number):
            path.unlink()
    return scene.queue / kind / str(part)


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    """Put something else in the place of an empty directory or a file."""
    path.rmdir() if path.is_dir() else path.unlink()
    make(path)


def _drop_lock(_scene: Scene, queue: Path) -> None:
    shutil.rmtree(queue / "lock")


def _c(spoil: Spoil, *rules: str, refused: bool = False, needs_root: bool = False) -> Corruption:
    return Corruption(spoil, frozenset(rules), not refused, needs_root)


CORRUPTIONS: Mapping[str, Corruption] = {
    "mess was copied": _c(copied("mess", state="S5"), "inode-differs"),
    "queued mess was copied": _c(copied("mess", state="S4"), "inode-differs"),
    "whole message was copied": _c(copied("mess", "info", state="S5"), "inode-differs"),
    "unfinished message was copied": _c(copied("mess", state="S2"), "inode-differs"),
    "two messages have each other's number": _c(renamed(2), "inode-differs"),
    "four messages have each other's number": _c(renamed(4), "inode-differs"),
    "renaming was interrupted": _c(half_renamed, "inode-differs"),
    "all but mess was renamed": _c(mess_renamed_alone, "inode-differs", "without-mess"),
    "move into the trash was interrupted": _c(half_thrown_away),
    "number is taken by an info without mess": _c(number_of_an_orphan, "inode-differs", "without-mess"),
    "number is taken by a message that is refused": _c(
        number_of_a_refused_one, "inode-differs", "not-regular", refused=True
    ),
    "another info in a directory of a larger split": _c(
        two_info_beyond, "wrong-split", "unknown-directory", refused=True
    ),
    "todo is gone, intd is cut": _c(
        unqueued(with_info=False, change=lambda old: old[:-1]), "without-info", refused=True
    ),
    "todo is gone, intd is empty": _c(unqueued(with_info=False, change=lambda _: b""), "without-info", refused=True),
    "number is taken": _c(name_is_taken, "inode-differs", refused=True),
    "info in the next sub-directory": _c(astray("info", state="S5", where="next"), "wrong-split", "without-info"),
    "mess in the next sub-directory": _c(astray("mess", state="S5", where="next"), "wrong-split", "without-mess"),
    "message in the next sub-directory": _c(astray("mess", "info", state="S5", where="next"), "wrong-split"),
    "queued message in the next sub-directory": _c(
        astray("mess", "intd", "todo", state="S4", where="next"), "wrong-split"
    ),
    "mess beside the sub-directories": _c(astray("mess", state="S5", where="beside"), "wrong-split"),
    "message of a larger split": _c(
        astray("mess", "info", state="S5", where="beyond"), "wrong-split", "unknown-directory"
    ),
    "two info of one number": _c(twice, "wrong-split", refused=True),
    "info with two names": _c(twice_the_same, "wrong-split"),
    "mess with a name elsewhere": _c(extra_link("../elsewhere"), "extra-link", refused=True),
    "todo without mess": _c(only("todo", ENVELOPE, 0o644), "todo-without-mess"),
    "info without mess": _c(only("info", b"Fann@example.com\0"), "without-mess"),
    "intd alone": _c(only("intd", b"", 0o644), "without-mess"),
    "bounce alone": _c(only("bounce", b"<bob>:\nno\n\n"), "without-mess"),
    "mess is gone": _c(without("mess", state="S5"), "without-mess"),
    "queued mess is gone": _c(without("mess", state="S4"), "todo-without-mess"),
    "info is gone": _c(without("info", state="S5"), "without-info", refused=True),
    "intd beside info": _c(plus("intd", ENVELOPE, "S5", 0o644), "intd-without-todo"),
    "bounce before info": _c(plus("bounce", b"<bob>:\nno\n\n", "S4"), "bounce-before-info"),
    "todo is gone, info is there": _c(unqueued(with_info=True), "intd-without-todo"),
    "todo is gone, local is there": _c(unqueued(with_info=False), "without-info"),
    "intd and todo are two files": _c(two_envelopes, "two-envelopes"),
    "left behind in S2": _c(ossified("S2"), "ossified"),
    "left behind in S3": _c(ossified("S3"), "ossified"),
    "old mess, and an info without mess": _c(ossified_beside_lost, "ossified", "without-mess"),
    "mess is empty": _c(content("mess", lambda _: b"", "S5"), "empty-mess", refused=True),
    "info is empty": _c(content("info", lambda _: b"", "S5"), "no-sender", refused=True),
    "todo is empty": _c(content("todo", lambda _: b"", "S4"), "no-sender", refused=True),
    "record of an unknown kind in info": _c(
        content("info", lambda old: old + b"Zwho knows\0", "S5"), "unknown-record", refused=True
    ),
    "record of an unknown kind in todo": _c(
        content("todo", lambda old: old + b"Z\0", "S4"), "unknown-record", refused=True
    ),
    "recipient of an unknown kind": _c(
        content("remote", lambda old: b"X" + old[1:], "S5"), "unknown-record", refused=True
    ),
    "info is cut": _c(content("info", lambda old: old[:-1], "S5"), "unfinished-record", refused=True),
    "todo is cut": _c(content("todo", lambda old: old[:-3], "S4"), "unfinished-record", refused=True),
    "remote is cut": _c(content("remote", lambda old: old[:-2], "S5"), "unfinished-record", refused=True),
    "info is a link": _c(
        no_file("info", "S5", lambda path: path.symlink_to("/etc/passwd")), "not-regular", refused=True
    ),
    "remote is a FIFO": _c(no_file("remote", "S5", os.mkfifo), "not-regular", refused=True),
    "mess is a directory": _c(no_file("mess", "S5", os.mkdir), "not-regular", refused=True),
    "bounce is a directory": _c(no_file("bounce", "S5", os.mkdir), "not-regular"),
    "intd is a link": _c(no_file("intd", "S4", lambda path: path.symlink_to("todo")), "not-regular"),
    "info is readable by all": _c(mode("info", 0o666, "S5"), "wrong-mode"),
    "mess is closed": _c(mode("mess", 0, "S5"), "wrong-mode"),
    "todo is writable by all": _c(mode("todo", 0o666, "S4"), "wrong-mode"),
    "mess belongs to somebody else": _c(owner("mess", "S5"), "wrong-owner", needs_root=True),
    "todo belongs to somebody else": _c(owner("todo", "S4"), "wrong-owner", needs_root=True),
    "born in the future": _c(future("info", "S5"), "in-future"),
    "retry in the far future": _c(future("remote", "S5"), "in-future"),
    "written in the future": _c(future("mess", "S4"), "in-future"),
    "stranger among messages": _c(
        at(lambda _s, q: (q / "mess" / "3" / "core").write_bytes(b"x")), "unknown-file"
    ),
    "stranger with a hostile name": _c(
        at(lambda _s, q: (q / "mess" / "3" / "a\n'; rm -rf $HOME #\x1b[2J").write_bytes(b"x")), "unknown-file"
    ),
    "stranger in bounce": _c(at(lambda _s, q: (q / "bounce" / "0123").write_bytes(b"x")), "unknown-file"),
    "stranger at the top": _c(at(lambda _s, q: (q / "-rf").write_bytes(b"x")), "unknown-file"),
    "old queue in the queue": _c(
        at(lambda _s, q: shutil.copytree(q / "mess", q / "mess.old")), "unknown-directory"
    ),
    "stranger in pid": _c(at(lambda _s, q: (q / "pid" / "lost").mkdir()), "unknown-directory"),
    "pid file left behind": _c(at(lambda s, q: s.put(q / "pid" / "4.5.6", b"x", age_s=3 * DAY_S)), "ossified"),
    "sub-directory is gone": _c(at(lambda s, _q: _empty_part(s, "info").rmdir()), "missing-directory"),
    "pid is gone": _c(at(lambda _s, q: (q / "pid").rmdir()), "missing-directory"),
    "lock is gone": _c(at(_drop_lock), "missing-directory"),
    "file in the place of a directory": _c(
        at(lambda s, _q: _replace(_empty_part(s, "info"), Path.touch)), "not-directory"
    ),
    "link in the place of a directory": _c(
        at(lambda s, _q: _replace(_empty_part(s, "info"), lambda path: path.symlink_to("/tmp"))),
        "not-directory",
        refused=True,
    ),
    "sub-directory is open to all": _c(at(lambda _s, q: (q / "local" / "2").chmod(0o777)), "wrong-mode"),
    "queue belongs to somebody else": _c(at(lambda _s, q: os.chown(q, 1, 1)), "wrong-owner", needs_root=True),
    "trigger is gone": _c(at(lambda _s, q: (q / "lock" / "trigger").unlink()), "lock-file"),
    "trigger is a file": _c(at(lambda _s, q: _replace(q / "lock" / "trigger", Path.touch)), "lock-file"),
    "trigger is closed to senders": _c(at(lambda _s, q: (q / "lock" / "trigger").chmod(0o600)), "wrong-mode"),
    "sendmutex is gone": _c(at(lambda _s, q: (q / "lock" / "sendmutex").unlink()), "lock-file"),
    "sendmutex is a directory": _c(at(lambda _s, q: _replace(q / "lock" / "sendmutex", Path.mkdir)), "lock-file"),
    "tcpto is cut": _c(at(lambda _s, q: os.truncate(q / "lock" / "tcpto", 100)), "lock-file"),
    "tcpto belongs to somebody else": _c(
        at(lambda _s, q: os.chown(q / "lock" / "tcpto", 1, 1)), "wrong-owner", needs_root=True
    ),
}  # fmt: skip
"""Name -> corruption."""
