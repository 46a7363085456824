"""Look at the queues of a host: whole or broken, who delivers, what waits and for how long, room on the disk.

Source: indimail-mta-internals(7); IndiMail qmail-send.c, todo-proc.c (25 minutes between two looks into todo).

Rule 1: reading changes nothing, and nothing below lock/ is opened.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.admin.host_findings import Fact, Finding, Fine, Told, span_text
from indimail_kit.admin.queue_holder import find_holder
from indimail_kit.counting import counted
from indimail_kit.errors import MissingPartError, QueueError
from indimail_kit.mailqueue.beneath import opened_queue
from indimail_kit.mailqueue.check_tree import TreeCheck
from indimail_kit.mailqueue.layout import find_owners
from indimail_kit.mailqueue.queues import Queues, open_queues

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from indimail_kit.logs.log import Log
    from indimail_kit.mailqueue.layout import QueueLayout
    from indimail_kit.mailqueue.picture import Snapshot
    from indimail_kit.mailqueue.violations import Violation

LIFETIME_S: Final = 604_800
"""How long qmail-send tries without control/queuelifetime (unit: s). Source: qmail-send(8)."""

WAKE_S: Final = 120
"""Longest that a mail stays in todo while the trigger works (unit: s); ours, generous."""

STUCK_S: Final = 3600
"""Age from which a recipient counts as stuck (unit: s); ours: four attempts were in vain by then."""

_FULL: Final = 0.01
_LOW: Final = 0.10
_FULL_BYTES: Final = 2**20
_NEAR_THE_END: Final = 0.8
_SHOWN: Final = 3
_NS: Final = 10**9

_BLOCKING: Final = frozenset(
    {
        "without-mess", "todo-without-mess", "without-info", "bounce-before-info", "inode-differs", "wrong-split",
        "two-envelopes", "not-regular", "empty-mess", "no-sender", "unknown-record", "unfinished-record", "in-future",
        "missing-directory", "not-directory", "lock-file", "wrong-owner",
    }
)  # fmt: skip
"""Rules of a queue that keep mail from being delivered, or deliver it wrong; the others are untidy."""


def tell_of_queues(
    place: Path,
    *,
    now_ns: int,
    lifetime_s: int = LIFETIME_S,
    proc: Path = Path("/proc"),
    logs: Mapping[Path, Log] | None = None,
    service: Path = Path("/service"),
    births_ns: list[int] | None = None,
    split: int | None = None,
) -> Iterator[Told]:
    """Tell of the queues at a place.

    Args:
        place: A queue, or a base.
        now_ns: Time (unit: ns since 1970).
        lifetime_s: How long qmail-send tries (unit: s).
        proc: Where the process information is mounted.
        logs: Directory -> what qmail-send has logged there, to tell why mail waits.
        service: The directory of the services, for the commands that are told.
        births_ns: Gets for each queue when its newest message was preprocessed (unit: ns since 1970).
        split: Sub-directories of the split directories; what they show if not given (unit: directories).
    """
    option = f"--queue {shlex.quote(str(place))}"
    try:
        queues = open_queues(place, split)
    except QueueError as error:
        yield _not_open(place, error)
        return
    except OSError as error:
        yield Finding("queue-unreadable", "queue", str(place), f"{place}: {error.strerror}")
        return
    for name, reason in queues.refused:
        yield Finding("queue-shut", "queue", name, reason, (f"indimail-kit queue check {option}",))
    yield _configured(queues)
    pictures = []
    unheld: dict[str, int] = {}
    for layout in queues.layouts:
        try:
            pictures.append(Queues(layout.directory, (layout,)).snapshot(now_ns=now_ns))
        except (QueueError, OSError) as error:
            yield Finding("queue-unreadable", "queue", layout.name, str(error))
            continue
        yield from _broken(layout, _anomalies(layout, pictures[-1]))
        yield from _deliverer(layout, pictures[-1], proc, unheld)
    if unheld:
        count = sum(unheld.values())
        text = f"{counted(count, 'message')} in {', '.join(unheld)}, and no qmail-send holds "
        look = (f"indimail-kit service status {shlex.quote(str(service))}/qmail-send*",)
        text += "it" if len(unheld) == 1 else "them"
        yield Finding("nobody-delivers", "queue", ", ".join(unheld), text, look)
    for picture in pictures:
        yield from _waiting(picture, option)
        if births_ns is not None:
            births_ns += [max(one.columns.births) for one in picture.queues if len(one.columns)]
    yield from _stuck(pictures, option, lifetime_s, logs or {})
    yield from _strangers(queues)
    yield from _room(queues.place)


def _not_open(place: Path, error: QueueError) -> Finding:
    """Say why a place is no queue."""
    look = (f"ls -la {shlex.quote(str(place))}",)
    if isinstance(error.__cause__, PermissionError):
        return Finding("queue-unreadable", "queue", str(place), str(error), look)
    return Finding("no-queue", "queue", str(place), str(error), look)


def _configured(queues: Queues) -> Fact:
    splits = sorted({layout.split for layout in queues.layouts})
    names = ", ".join(layout.name for layout in queues.layouts)
    has_bigtodo = {layout.has_bigtodo for layout in queues.layouts}
    todo = (
        "todo split as well" if has_bigtodo == {True} else "todo not split" if has_bigtodo == {False} else "todo mixed"
    )
    text = f"{queues.place}: {names}; split {', '.join(map(str, splits))}, {todo}"
    return Fact("configured", "queue", "queues", text)


# --- whole or broken ------------------------------------------------------------------------------------------------


def _anomalies(layout: QueueLayout, picture: Snapshot) -> tuple[Violation, ...]:
    """Return what a snapshot saw, and beside it what it leaves out: the directories, pid/ and lock/."""
    with opened_queue(layout) as queue_fd:
        tree = TreeCheck(layout, queue_fd, now_s=picture.taken_ns // 10**9, owners=find_owners())
        tops = [*tree.directories(), *tree.pid_files(), *tree.lock_files()]
    return tuple({(one.path, one.rule): one for one in (*picture.anomalies, *tops)}.values())


def _broken(layout: QueueLayout, anomalies: Sequence[Violation]) -> Iterator[Told]:
    """Tell of a queue's violations, one finding a rule."""
    queue = shlex.quote(str(layout.directory))
    by_key: dict[tuple[str, str], list[Violation]] = {}
    for one in anomalies:
        by_key.setdefault((_key_of(one), one.rule), []).append(one)
    for (key, rule), found in by_key.items():
        examples = "; ".join(one.text for one in found[:_SHOWN]) + ("; …" if len(found) > _SHOWN else "")
        text = f"{rule}: {examples}" if len(found) == 1 else f"{rule}, {len(found)} times: {examples}"
        look = (f"indimail-kit queue check --queue {queue}", f"indimail-kit queue repair --queue {queue}")
        detail = "" if key in ("trigger", "queue-unreadable") else found[0].why
        yield Finding(key, "queue", layout.name, text, look, detail)
    if not anomalies:
        yield Fine("queue", f"{layout.name} whole")


def _key_of(violation: Violation) -> str:
    """Return which kind of finding a violation is."""
    if violation.path == "lock/trigger":
        return "trigger"
    if violation.rule == "unreadable":
        return "queue-unreadable"
    return "queue-broken" if violation.rule in _BLOCKING else "queue-odd"


def _strangers(queues: Queues) -> Iterator[Told]:
    """Tell of what lies in a base and is no queue; what ``queue repair`` puts beside a queue is ours."""
    known = {layout.name for layout in queues.layouts} | {name for name, _ in queues.refused}
    if queues.place == queues.layouts[0].directory:
        return  # a queue by itself, without a base
    try:
        with os.scandir(queues.place) as entries:
            strangers = [one for one in entries if one.name.removesuffix(".held").removesuffix(".found") not in known]
            names = [f"{one.name} ({one.stat(follow_symlinks=False).st_size:,} octets)" for one in strangers]
    except OSError:
        return  # that the base cannot be read was said
    if names:
        text = f"{queues.place} holds what is no queue: {', '.join(sorted(names)[:_SHOWN])}"
        look = (f"du -sh {shlex.quote(str(queues.place))}/*",)
        yield Finding("base-stranger", "queue", str(queues.place), text, look)


# --- who delivers ---------------------------------------------------------------------------------------------------


def _deliverer(layout: QueueLayout, picture: Snapshot, proc: Path, unheld: dict[str, int]) -> Iterator[Told]:
    """Tell whether a qmail-send holds a queue; `unheld` gets one that has mail and nobody who delivers it."""
    count = len(picture.messages)
    try:
        pid = find_holder(layout.directory, proc=proc)
    except MissingPartError as error:
        yield Finding("holder-unknown", "queue", layout.name, str(error))
        return
    except OSError as error:
        yield Finding("holder-unknown", "queue", layout.name, f"{error.filename}: {error.strerror}")
        return
    mail = counted(count, "message")
    if pid is None and count:
        unheld[layout.name] = count
    holder = (
        "held by nobody" if pid is None else f"held by process {pid}" if pid else "held by a process unseen from here"
    )
    yield Fact("running", "queue", layout.name, f"{mail}, {holder}")
    if pid is not None:
        yield Fine("queue", f"{layout.name} held by qmail-send")


# --- what waits -----------------------------------------------------------------------------------------------------


def _waiting(picture: Snapshot, option: str) -> Iterator[Told]:
    """Tell of mail that stays in todo."""
    from indimail_kit.tables.queue_frames import messages

    frame = messages(picture)
    name = picture.queues[0].layout.name
    todo = frame[(frame["state"] == "S4") & (frame["age_s"] > WAKE_S)]
    if todo.empty:
        return
    oldest = todo.sort_values("age_s", ascending=False).iloc[0]
    number, age = oldest["message_number"], _span(oldest["age_s"])
    text = f"{name}: {len(todo):,} accepted and not preprocessed, the oldest ({number}) for {age}"
    look = (f"indimail-kit queue show {number} {option}", f"indimail-kit queue check {option}")
    yield Finding("not-preprocessed", "queue", name, text, look)


def _stuck(pictures: Sequence[Snapshot], option: str, lifetime_s: int, logs: Mapping[Path, Log]) -> Iterator[Told]:
    """Tell for whom and why mail has been waiting long, and which of it is about to expire."""
    from indimail_kit.mailqueue.picture import Snapshot
    from indimail_kit.tables.questions_stuck import stuck

    if not pictures:
        return
    whole = Snapshot(pictures[0].taken_ns, tuple(one for picture in pictures for one in picture.queues))
    waiting = stuck(whole)
    late = waiting[(waiting["age_s"] > STUCK_S) & (waiting["channel"] != "todo")]
    if late.empty:
        yield Fine("queue", f"nobody waits longer than {span_text(STUCK_S)}")
        return
    domains = late["domain"].value_counts()
    first = ", ".join(f"{str(domain) or 'no domain'} {count:,}" for domain, count in domains.head(_SHOWN).items())
    more = f" and {len(domains) - _SHOWN} more domains" if len(domains) > _SHOWN else ""
    longest = _span(late["age_s"].max())
    many = f"{counted(len(late), 'recipient')} waiting longer than {span_text(STUCK_S)}"
    text = f"{many}, the longest {longest}: {first}{more}"
    reasons = late["reason"]
    for log in logs.values():
        said = stuck(whole, log.deliveries, log.messages)
        reasons = reasons.combine_first(said.loc[late.index, "reason"])
    known = reasons.dropna().value_counts()
    if len(known):
        why = "; ".join(f"{reason} ({count:,})" for reason, count in known.head(_SHOWN).items())
        text += f". The log says why: {why}"
    where = " ".join(f"--log {shlex.quote(str(path))}" for path in logs) or "--log …"
    yield Finding("stuck", "queue", "the queue", text, (f"indimail-kit queue stuck {option} {where}",))
    ending = late[late["age_s"] > _NEAR_THE_END * lifetime_s].drop_duplicates(["queue", "message_number"])
    if not ending.empty:
        share = f"{_NEAR_THE_END:.0%} of the queue lifetime ({span_text(lifetime_s)})"
        text = f"{counted(len(ending), 'message')} older than {share}"
        yield Finding("expires", "queue", "the queue", text, (f"indimail-kit queue list {option}",))


def _span(age_s: Any) -> str:
    return span_text(int(age_s))


# --- room -----------------------------------------------------------------------------------------------------------


def _room(place: Path) -> Iterator[Told]:
    """Tell of the file system of a queue: octets and inodes that are left."""
    try:
        status = os.statvfs(place)
    except OSError as error:
        yield Finding("queue-unreadable", "queue", str(place), f"{place}: {error.strerror}")
        return
    yield from told_of_room(
        place,
        free_bytes=status.f_bavail * status.f_frsize,
        total_bytes=status.f_blocks * status.f_frsize,
        free_inodes=status.f_favail,
        total_inodes=status.f_files,
    )


def told_of_room(
    place: Path, *, free_bytes: int, total_bytes: int, free_inodes: int, total_inodes: int
) -> Iterator[Told]:
    """Tell whether a file system has room; one that does not count its inodes says 0 of 0, and is not judged by them.

    Args:
        place: What lies on it.
        free_bytes: Room for users who are not root (unit: octets).
        total_bytes: Size (unit: octets).
        free_inodes: Inodes for users who are not root.
        total_inodes: All inodes.
    """
    look = (f"df -h {shlex.quote(str(place))}", f"df -i {shlex.quote(str(place))}")
    is_fine = True
    for what, free, total, least in (
        ("octets", free_bytes, total_bytes, _FULL_BYTES),
        ("inodes", free_inodes, total_inodes, 1),
    ):
        if not total or free > max(total * _LOW, least):
            continue
        is_fine = False
        key = "disk-full" if free <= max(total * _FULL, least) else "disk-fills"
        yield Finding(key, "queue", str(place), f"{free:,} of {total:,} {what} are free ({free / total:.1%})", look)
    yield Fact("running", "queue", "room", f"{free_bytes / 2**20:,.0f} MiB and {free_inodes:,} inodes free at {place}")
    if is_fine:
        yield Fine("queue", "room on the disk")
