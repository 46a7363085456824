"""Plan for a queue: repair what the check found, or move, hold, expire one message on wish.

::

    repair = plan_queue_repair(layout, now_s=…)
    print(repair.text)                              # every step with its command; what is refused, and why
    report = run_plan(repair.plan, confirm=ask_a_person)

Source: IndiMail queue-fix.c, qmail-rm.c; qmail's INTERNALS.

Rule 1: planning reads and changes nothing; a step that finds things changed stops the plan.
Rule 2: what is refused is said with its reason, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from indimail_kit.admin.plan import Plan, step_of
from indimail_kit.admin.queue_deeds import (
    PARKING,
    Move,
    MoveFiles,
    MoveThing,
    Purpose,
    QueueDeed,
    SetTime,
    held_directory,
)
from indimail_kit.admin.queue_groups import find_groups, look_at_name
from indimail_kit.admin.queue_messages import LINK_ORDER, MessageRepair, Refusal, Repair, refusals_text
from indimail_kit.admin.queue_places import PlaceRepair
from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import MESS_FILE
from indimail_kit.mailqueue.beneath import names_below, opened_queue
from indimail_kit.mailqueue.check import check_queue
from indimail_kit.mailqueue.layout import KINDS, QueueLayout
from indimail_kit.mailqueue.snapshot import QueueFile

LIFETIME_S: Final = 604_800
"""How long a message may stay in the queue if control/queuelifetime does not say it (unit: s). Source: qmail-send.c."""


@dataclass(frozen=True, slots=True)
class QueueRepair:
    """What repairs a queue.

    Attributes:
        layout: The queue.
        plan: The steps.
        refused: What stays as it is, and why.
    """

    layout: QueueLayout
    plan: Plan
    refused: tuple[Refusal, ...]

    @property
    def text(self) -> str:
        """Return plan and refusals for a person."""
        parts = (self.plan.text if self.plan.steps or not self.refused else "", refusals_text(self.refused))
        return "\n\n".join(filter(None, parts))


def plan_queue_repair(
    layout: QueueLayout, *, now_s: int, owners: Mapping[str, tuple[int, int]] | None = None
) -> QueueRepair:
    """Plan to repair what `check_queue` finds in a queue.

    Args:
        layout: The queue.
        now_s: Time (unit: s since 1970).
        owners: User of IndiMail -> (uid, gid), see `layout.find_owners`; None leaves owners alone.

    Raises:
        QueueError: Exit code 61: the queue cannot be opened.
    """
    layout = replace(layout, directory=layout.directory.resolve())
    violations = list(check_queue(layout, now_s=now_s, owners=owners))
    strays: dict[str, list[str]] = {}  # directory -> files of messages in it that belong elsewhere
    for one in violations:
        if one.rule == "wrong-split":
            strays.setdefault(one.path.rpartition("/")[0], []).append(one.path)
    places = PlaceRepair(layout, now_s=now_s, owners=owners or {})
    deeds = places.plan(violations)
    with opened_queue(layout) as queue_fd:
        groups = find_groups(layout, queue_fd, violations)
        messages = MessageRepair(layout, now_s=now_s, owners=owners or {}, violations=violations)
        repairs = {key: messages.plan(group) for key, group in groups.items()}
        closed = {one.violation.path for one in places.refused if one.violation.rule == "not-directory"}
        names = _Names(layout, messages, repairs, queue_fd, closed=closed)
        for repair in repairs.values():
            deeds += [deed for deed in repair.deeds if not isinstance(deed, MoveFiles)]
        strangers = list(places.strangers(violations))
        deeds += [one for one in strangers if one.source not in strays]
        for repair in repairs.values():
            deeds += [deed for deed in repair.deeds if isinstance(deed, MoveFiles)]
        deeds += names.deeds()
    for repair in repairs.values():
        deeds += repair.removals
    refused = [*places.refused, *(one for repair in repairs.values() for one in repair.refused)]
    for stranger in (one for one in strangers if one.source in strays):
        moved = {move.source for deed in deeds if isinstance(deed, MoveFiles) for move in deed.moves}
        moved |= {deed.source for deed in deeds if isinstance(deed, MoveThing)}
        if all(path in moved for path in strays[stranger.source]):
            deeds.append(stranger)
        else:
            violation = next(one for one in violations if one.path == stranger.source)
            refused.append(Refusal(violation, "There is mail in it that is not repaired: see to that first."))
    return QueueRepair(layout, Plan(f"Repair {layout.directory}", tuple(map(step_of, deeds))), tuple(refused))


class _Names:
    """The order in which messages get their numbers: each only when nobody has it any more."""

    def __init__(
        self,
        layout: QueueLayout,
        messages: MessageRepair,
        repairs: Mapping[int, Repair],
        queue_fd: int,
        *,
        closed: Collection[str],
    ) -> None:
        self._layout = layout
        self._closed = closed
        self._messages = messages
        self._queue_fd = queue_fd
        self._waiting = {key: repair for key, repair in repairs.items() if repair.moves}
        self._gone = {
            move.source
            for repair in repairs.values()
            for deed in repair.deeds
            if isinstance(deed, MoveFiles)
            for move in deed.moves
        }
        self._user = {name: key for key, repair in self._waiting.items() for name in repair.group.names if name != key}
        self._deeds: list[QueueDeed] = []
        self._parked = 0

    def deeds(self) -> list[QueueDeed]:
        """Return the moves of all messages in an order that works; those that cannot be moved are refused."""
        while self._waiting:
            chain = [next(iter(self._waiting))]
            while (user := self._user.get(chain[-1])) in self._waiting and user != chain[-1]:
                if user in chain:
                    self._park(user)
                    break
                chain.append(user)
            for key in reversed(chain):
                self._move(self._waiting.pop(key))
        return self._deeds

    def _park(self, key: int) -> None:
        """Make room: the message gets a number that nobody has."""
        repair = self._waiting[key]
        kinds = {move.target.split("/")[0] for move in repair.moves}
        moves: tuple[Move, ...] = ()
        for _ in range(self._layout.split):
            number = PARKING + self._parked
            self._parked += 1
            moves = tuple(self._messages.moves_to(repair.group, number, kinds))
            if not self._shut(moves):
                break
        self._append(repair, moves)
        paths = {move.source: move.target for move in moves}
        names = {paths.get(file.path, file.path): file for file in repair.group.files}
        repair.group.files = [replace(file, path=path) for path, file in names.items()]
        repair.moves = tuple(self._messages.moves_to(repair.group, key, kinds))
        self._leave(repair)

    def _move(self, repair: Repair) -> None:
        if shut := self._shut(repair.moves):
            reason = f"It belongs into {shut}, which is not a directory: see to that first."
        elif taken := self._taken(repair):
            reason = f"{taken} is in the way, and belongs to another message."
        else:
            self._append(repair, repair.moves)
            self._leave(repair)
            return
        self._messages.refuse(repair, reason, "inode-differs", "wrong-split", "extra-link", "without-info")

    def _shut(self, moves: Iterable[Move]) -> str:
        """Return where names would have to go and cannot, since it is no directory and stays so; "" for none."""
        parents = (path for move in moves for path in (move.target.partition("/")[0], move.target.rpartition("/")[0]))
        return next((path for path in parents if path in self._closed), "")

    def _taken(self, repair: Repair) -> str:
        """Return a file of somebody else that has one of the new names, "" for none."""
        own = {file.path for file in repair.group.files}
        for path in (self._layout.relative(kind, repair.group.number) for kind in KINDS):
            if path in own or path in self._gone:
                continue
            try:
                (self._layout.directory / path).lstat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                return f"{path} ({error.strerror})"
            return path
        return ""

    def _leave(self, repair: Repair) -> None:
        """Note that the names that a message had are free."""
        for name in repair.group.names:
            self._user.pop(name, None)

    def _append(self, repair: Repair, moves: tuple[Move, ...]) -> None:
        self._gone.update(move.source for move in moves)
        purpose: Purpose = "rename" if repair.group.names - {repair.group.number} else "place"
        name = min(repair.group.names - {repair.group.number}, default=repair.group.number)
        self._deeds.append(MoveFiles(self._layout.directory, name, moves, purpose))


# --- one message, on wish -------------------------------------------------------------------------------------------


def plan_trash(layout: QueueLayout, message_number: int) -> Plan:
    """Plan to move a message into the queue's trash, as qmail-rm -r: nobody is told, and it can come back.

    Raises:
        QueueError: There is no such message, or it cannot be looked at.
    """
    return _plan_away(layout, message_number, "trash", "Throw away")


def plan_hold(layout: QueueLayout, message_number: int) -> Plan:
    """Plan to put a message beside the queue, where qmail does not see it, until `plan_release`.

    Raises:
        QueueError: There is no such message, or it cannot be looked at.
    """
    return _plan_away(layout, message_number, "hold", "Hold")


def plan_release(layout: QueueLayout, message_number: int) -> Plan:
    """Plan to bring a message back that was held; it has its number, as its mess file has its inode.

    Raises:
        QueueError: There is no such message, or a file of another one has its place.
    """
    layout = replace(layout, directory=layout.directory.resolve())
    place = f"{held_directory(layout.directory)}/{message_number}"
    with opened_queue(layout) as queue_fd:
        try:
            kinds = set(names_below(place, queue_fd)) & set(KINDS)
        except OSError:
            kinds = set()
        if not kinds:
            raise QueueError(f"no message {message_number} is held beside {layout.name}", exit_code=MESS_FILE)
        if taken := look_at_name(layout, queue_fd, message_number):
            raise QueueError(f"{taken[0].path} is in the way of message {message_number}", exit_code=MESS_FILE)
    moves = tuple(
        Move(f"{place}/{kind}", layout.relative(kind, message_number), _inode(layout, f"{place}/{kind}"))
        for kind in LINK_ORDER
        if kind in kinds
    )
    return _plan(layout, f"Release {message_number}", MoveFiles(layout.directory, message_number, moves, "release"))


def plan_expire(layout: QueueLayout, message_number: int, *, now_s: int, lifetime_s: int = LIFETIME_S) -> Plan:
    """Plan to back-date a message, as qmail-rm -X: qmail-send tries it once more, then its sender gets a bounce.

    Args:
        layout: The queue.
        message_number: The message.
        now_s: Time (unit: s since 1970).
        lifetime_s: control/queuelifetime (unit: s).

    Raises:
        QueueError: There is no such message, or it is not preprocessed yet.
    """
    layout = replace(layout, directory=layout.directory.resolve())
    info = next((file for file in _files(layout, message_number) if file.kind == "info" and file.is_regular), None)
    if info is None:
        raise QueueError(
            f"message {message_number} is not preprocessed, so it has no age: hold it or throw it away",
            exit_code=MESS_FILE,
        )
    expired_ns = (now_s - lifetime_s - 1) * 10**9
    if info.mtime_ns <= expired_ns:
        return Plan(f"Expire {message_number}", ())
    deed = SetTime(layout.directory, info.path, info.inode, expired_ns, info.mtime_ns, expires=True)
    return _plan(layout, f"Expire {message_number}", deed)


def _plan_away(layout: QueueLayout, message_number: int, purpose: Purpose, verb: str) -> Plan:
    layout = replace(layout, directory=layout.directory.resolve())
    files = _files(layout, message_number)
    odd = next((file for file in files if not file.is_regular), None)
    if odd is not None:
        raise QueueError(f"{odd.path} is no regular file: repair the queue first", exit_code=MESS_FILE)
    deed = MessageRepair(layout, now_s=0, owners={}).put_away(purpose, files, message_number)
    return _plan(layout, f"{verb} {message_number}", deed)


def _files(layout: QueueLayout, message_number: int) -> list[QueueFile]:
    """Return the files of a message."""
    with opened_queue(layout) as queue_fd:
        files = look_at_name(layout, queue_fd, message_number)
    if not files:
        raise QueueError(f"no message {message_number} in {layout.directory}", exit_code=MESS_FILE)
    return files


def _plan(layout: QueueLayout, title: str, *deeds: QueueDeed) -> Plan:
    return Plan(f"{title} in {layout.directory}", tuple(map(step_of, deeds)))


def _inode(layout: QueueLayout, path: str) -> int:
    return (layout.directory / path).lstat().st_ino
