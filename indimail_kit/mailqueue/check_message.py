"""The invariants of one message, as tables over the files that exist and what is in them; pure.

Source: indimail-mta-internals(7) section 2; IndiMail fmtqfn.c, qmail-queue.c, todo-proc.c, qmail-send.c `nextretry`.

Note for maintainers: of the 2^7 sets of files 27 are states of INTERNALS. The other 101 are decided by `SET_RULES`, the
first row that fits; a test walks through all of them.

Rule 1: no I/O and no clock: what is looked at and when it is now are arguments.
Rule 2: a message in S2 or S3 is being written by somebody, unless it is older than 36 hours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from math import isqrt
from typing import TYPE_CHECKING, Final

from indimail_kit.counting import counted
from indimail_kit.envelope import decode_recipients, decode_records
from indimail_kit.errors import EnvelopeError, QueueError
from indimail_kit.exitcodes import BUG
from indimail_kit.mailqueue.layout import FILE_MODES, KINDS, OWNERS, QueueLayout
from indimail_kit.mailqueue.states import OSSIFIED_S, QueueState, state_of
from indimail_kit.mailqueue.violations import Violation

if TYPE_CHECKING:
    from indimail_kit.mailqueue.snapshot import MessageFiles, QueueFile

SET_RULES: Final = (
    ("-?+????", "todo-without-mess", "todo"),
    ("-??????", "without-mess", ""),
    ("+?+???+", "bounce-before-info", "bounce"),
    ("++-+???", "intd-without-todo", "intd"),
    ("+?--???", "without-info", ""),
)
"""Files in the order of KINDS (+ must exist, - must not, ? may) -> broken rule and the kind to show ("": the first)."""

CLOCK_SLACK_S: Final = 300
"""How far a clock may be behind before a time counts as in the future (unit: s). Ours: five minutes."""

RETRY_SLACK_S: Final = 86_400
"""How far a retry may lie behind the one of the schedule (unit: s). Ours: a day."""

_QUEUED: Final = (QueueState.S4, QueueState.S5)


def check_kinds(kinds: Collection[str]) -> tuple[QueueState | None, str, str]:
    """Decide a set of files.

    Args:
        kinds: Kinds of the files that exist for one message number, out of KINDS.

    Returns:
        The state, "" and ""; or None, the broken rule, and the kind of file that shows it.

    Raises:
        QueueError: A kind that no queue has.

    Example:
        >>> check_kinds({"mess", "info", "intd"})
        (None, 'intd-without-todo', 'intd')
    """
    return _decide(frozenset(kinds))


@cache
def _decide(kinds: frozenset[str]) -> tuple[QueueState | None, str, str]:
    """Return the same for one of the 128 sets; an error is not kept."""
    try:
        return state_of(kinds), "", ""
    except QueueError:
        if not kinds <= frozenset(KINDS):
            raise
    for pattern, rule, shown in SET_RULES:
        if all(sign == "?" or (sign == "+") == (kind in kinds) for kind, sign in zip(KINDS, pattern, strict=True)):
            return None, rule, shown or next(kind for kind in KINDS if kind in kinds and kind != "mess")
    raise QueueError(f"no rule for the files {sorted(kinds)}", exit_code=BUG)  # pragma: no cover  # rows are complete


def check_message(
    layout: QueueLayout,
    files: MessageFiles,
    *,
    now_s: int | None,
    owners: Mapping[str, tuple[int, int]] | None = None,
) -> tuple[Violation, ...]:
    """Tell which rules the files of one message break.

    Args:
        layout: The queue.
        files: What `read_message` saw.
        now_s: Time (unit: s since 1970); None leaves out the rules about time.
        owners: User of IndiMail -> (uid, gid), see `layout.find_owners`; None leaves out the rule about owners.

    Returns:
        The violations; none for a message that is not there.
    """
    found = [*_unread(files), *_set_of_files(files), *_each_file(files, owners), *_envelopes(files)]
    if now_s is not None:
        found += _times(files, now_s)
    return tuple(Violation(layout.name, path, rule, text, files.message_number) for path, rule, text in found)


_Found = Iterator[tuple[str, str, str]]
"""Path, rule, text."""


def _unread(files: MessageFiles) -> _Found:
    """Yield the files that exist and could not be looked at."""
    for path, reason in files.unread:
        yield path, "unreadable", f"{path} cannot be read: {reason}"


def _set_of_files(files: MessageFiles) -> _Found:
    """Yield the rule that the set of files breaks; nothing when a file that could not be seen may be the reason."""
    kinds = {file.kind for file in files.files}
    state, rule, shown = check_kinds(kinds)
    if state is not None or files.unread:
        return
    lacks = {"without-mess": "mess", "todo-without-mess": "mess", "intd-without-todo": "todo", "without-info": "info"}
    has = " and ".join(filter(None, (", ".join(sorted(kinds - {shown}, key=KINDS.index)), shown)))
    but = f", but no {lacks[rule]}" if rule in lacks else " before it was preprocessed"
    yield _path(files, shown), rule, f"message {files.message_number} has {has}{but}"


def _each_file(files: MessageFiles, owners: Mapping[str, tuple[int, int]] | None) -> _Found:
    """Yield what is odd about each file, apart from its content."""
    for file in files.files:
        if not file.is_regular:
            yield file.path, "not-regular", f"{file.path} is not a regular file"
            continue
        if file.kind == "mess" and file.inode != files.message_number:
            yield file.path, "inode-differs", f"inode {file.inode} of {file.path} differs from its name"
        if file.links > _allowed_links(files, file):
            yield file.path, "extra-link", f"{file.path} has {file.links} names, {_allowed_links(files, file)} expected"
        if file.mode != FILE_MODES[file.kind]:
            yield file.path, "wrong-mode", f"{file.path} has mode {file.mode:o}, not {FILE_MODES[file.kind]:o}"
        yield from _owner(file, owners)
    intd, todo = files.file("intd"), files.file("todo")
    if intd is not None and todo is not None and intd.inode != todo.inode:
        yield intd.path, "two-envelopes", f"{intd.path} and {todo.path} are not the same file"


def _owner(file: QueueFile, owners: Mapping[str, tuple[int, int]] | None) -> _Found:
    """Yield an owner that is not the one of queue-fix."""
    user = OWNERS[file.kind]
    if owners and user in owners and (file.uid, file.gid) != owners[user]:
        uid, gid = owners[user]
        text = f"{file.path} belongs to {file.uid}:{file.gid}, not to {user}:qmail ({uid}:{gid})"
        yield file.path, "wrong-owner", text


def _allowed_links(files: MessageFiles, file: QueueFile) -> int:
    """Return how many names a file may have: intd and todo are two names of one file, as pid and mess are for a while.

    As long as a message is being written, or something could not be seen, a second name is nothing to wonder about.
    """
    if file.kind in ("intd", "todo") and (files.unread or files.file("todo") is None or files.file("intd") is not None):
        return 2
    return 2 if file.kind == "mess" and files.state is QueueState.S2 else 1


def _envelopes(files: MessageFiles) -> _Found:
    """Yield what the records of todo, info, local and remote break, and a message that is empty."""
    is_queued = files.state in _QUEUED
    mess = files.file("mess")
    if is_queued and mess is not None and mess.is_regular and mess.size_bytes == 0:
        yield mess.path, "empty-mess", f"{mess.path} is empty, and the message is {files.state and files.state.value}"
    # todo-proc writes info, local and remote anew as long as there is a todo: until then they may be half written.
    counting = ("info", "local", "remote") if files.file("todo") is None else ("todo",)
    for file in files.files:
        if file.kind not in counting or not file.is_regular:
            continue
        if file.is_truncated:
            seen = len(file.content)
            yield file.path, "unreadable", f"{file.path} is longer than {seen} octets and was not decoded"
            continue
        try:
            yield from _records(file) if file.kind in ("todo", "info") else _recipients(file)
        except EnvelopeError as error:
            rule = "unfinished-record" if error.exit_code == _CUT else "unknown-record"
            yield file.path, rule, f"{file.path}: {error}"


_CUT: Final = 54
"""Exit code of an `EnvelopeError` for octets that end too early. Source: qmail.h; see `envelope`."""


def _records(file: QueueFile) -> _Found:
    """Yield what the records of an envelope break."""
    records = decode_records(file.content)
    if records.unknown:
        yield (
            file.path,
            "unknown-record",
            f"{file.path} has {counted(len(records.unknown), 'record')} of an unknown kind",
        )
    if records.sender is None:
        yield file.path, "no-sender", f"{file.path} has no sender ({file.size_bytes} octets)"


def _recipients(file: QueueFile) -> _Found:
    """Raise for a file of recipients that cannot be decoded; an empty one has none."""
    decode_recipients(file.content)
    yield from ()


def _times(files: MessageFiles, now_s: int) -> _Found:
    """Yield times that cannot be, and messages that nobody writes any more."""
    if files.state in (QueueState.S2, QueueState.S3):
        mess = files.file("mess")
        if mess is not None and now_s > mess.atime_ns // 10**9 + OSSIFIED_S:
            hours = (now_s - mess.atime_ns // 10**9) // 3600
            text = f"{mess.path}: for {hours} hours {files.state.value}, and nobody does it any more"
            yield mess.path, "ossified", text
    birth_s = (files.birth_ns or 0) // 10**9
    retry_s = now_s + 40 * isqrt(max(now_s - birth_s, 0)) + 400 + RETRY_SLACK_S if birth_s else now_s + RETRY_SLACK_S
    for file in files.files:
        latest_s = retry_s if file.kind in ("local", "remote") else now_s + CLOCK_SLACK_S
        if file.is_regular and file.mtime_ns // 10**9 > latest_s:
            ahead = _span(file.mtime_ns // 10**9 - now_s)
            what = "its next retry is" if file.kind in ("local", "remote") else "it was written"
            yield file.path, "in-future", f"{file.path}: {what} {ahead} in the future"


def _span(seconds: int) -> str:
    """Return a length of time for a person."""
    length, sign = next(
        (row for row in ((86_400, "days"), (3600, "hours"), (60, "minutes")) if seconds >= 2 * row[0]), (1, "s")
    )
    return f"{seconds // length} {sign}"


def _path(files: MessageFiles, kind: str) -> str:
    """Return the path of a file that exists."""
    return next(file.path for file in files.files if file.kind == kind)
