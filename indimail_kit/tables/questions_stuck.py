"""Why mail is stuck: each recipient that the queue still has to reach, with what the log last said of it.

The queue knows who waits and since when, the log knows why. A number is an inode and is used again at once, so the two
are joined by queue, number and lifetime: the life in the log must have begun when `info` was written, and be of the
same size and sender.

Source: qmail-log(5); IndiMail todo-proc.c (info is written, then "new msg" and "info msg" are logged).

Rule 1: never by a number alone; where the log does not tell, it is said that no reason is known, and why not.
Rule 2: lines that are younger than the picture do not count.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from indimail_kit.logs.fields import cleaned
from indimail_kit.tables.frames import shape_frame
from indimail_kit.tables.questions_logs_mail import mapped
from indimail_kit.tables.questions_logs_reasons import normal_reason, plain_text
from indimail_kit.tables.queue_frames import messages as queue_messages
from indimail_kit.tables.queue_frames import recipients as queue_recipients
from indimail_kit.tables.queue_schemas import STUCK, STUCK_REASONS
from indimail_kit.tables.schemas import DELIVERIES, MESSAGES, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from indimail_kit.mailqueue.picture import Snapshot

BIRTH_S: Final = 5.0
"""How long after info was written its "new msg" may be logged, at most (unit: s)."""

NO_LOG: Final = "no log was given"
NOT_PREPROCESSED: Final = "not preprocessed yet: todo-proc has not taken it up"
NOT_IN_LOG: Final = "the log does not tell of this message"
ANOTHER: Final = "the log tells only of another message that had this number"
HAS_LEFT: Final = "the log says that the message has left the queue"
UNTRIED: Final = "the log shows no attempt for it yet"
UNDER_WAY: Final = "its first attempt is under way"
DONE_IN_LOG: Final = "the log says that it is done, the queue does not say so yet"
NO_BIRTH: Final = "its birth is not in the log"
OTHER_BIRTH: Final = "info and log tell two times of its birth: copied, restored, back-dated, or two clocks"
NAMELESS: Final = "the log does not name its queue"

_NS: Final = 10**9
_NAT: Final = -(2**63)
_KEY: Final = ("queue", "message_number")


class _Mail(NamedTuple):
    """A message of the queue, as far as the join needs it."""

    queue: str
    number: int
    birth_ns: int | None
    size_bytes: int | None
    sender: str | None


class _Life(NamedTuple):
    """A life of a number in the log."""

    queue: str
    lifetime: int
    born_ns: int | None
    ended_ns: int | None
    is_open: bool
    size_bytes: int | None
    sender: str | None


@dataclass(slots=True)
class _Attempts:
    """What the log says of one recipient of one life."""

    deferrals: int = 0
    last_ns: int | None = None
    report: str | None = None
    is_under_way: bool = False
    is_done: bool = False


def stuck(
    picture: Snapshot, deliveries: pd.DataFrame | None = None, messages: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Tell who still waits in the queue, and why: what the log said when the recipient was last deferred.

    Args:
        picture: A snapshot.
        deliveries: The table DELIVERIES of qmail-send's log, None without a log.
        messages: The table MESSAGES of the same log, None without a log.

    Returns:
        The table STUCK; without a log no reason is known.

    Raises:
        SchemaError: A column is missing, or one table of the log is given without the other.
    """
    mails, rows = queue_messages(picture), queue_recipients(picture)
    waiting = rows[~rows["done"]].reset_index(drop=True)
    facts = mails.set_index(list(_KEY))[["sender", "age_s"]]
    columns = waiting.join(facts, on=list(_KEY)) if len(mails) else waiting.assign(sender=None, age_s=None)
    if deliveries is None and messages is None:
        said: list[tuple[Any, ...]] = [(0, None, None, None, NO_LOG)] * len(waiting)
    else:
        said = _said(picture, mails, waiting, _given(deliveries), _given(messages))
    counts, times, reports, sures, notes = zip(*said, strict=True) if said else ((), (), (), (), ())
    return shape_frame(STUCK, columns.assign(**_columns(counts, times, reports, sures, notes)))


def stuck_reasons(waiting: pd.DataFrame) -> pd.DataFrame:
    """Tell for which reasons mail is stuck, the reason of the most recipients first.

    Args:
        waiting: The table STUCK.

    Returns:
        The table STUCK_REASONS; what is not known are rows of its own, behind the others.

    Raises:
        SchemaError: A column is missing.
    """
    require(waiting, STUCK, *STUCK.names)
    is_known = waiting["reason"].notna()
    rows = waiting.assign(
        is_known=is_known,
        likely=waiting["confidence"].eq("likely"),
        reason=waiting["reason"].where(is_known, waiting["note"]),
        message=waiting.groupby(list(_KEY), sort=False).ngroup(),
    )
    grouped = rows.groupby(["reason", "is_known"], sort=False)
    table = grouped.agg(
        recipients=("address", "size"),
        likely=("likely", "sum"),
        messages=("message", "nunique"),
        domains=("domain", "nunique"),
        oldest_age_s=("age_s", "max"),
        next_retry=("next_retry", "min"),
        last_at=("last_at", "max"),
        example=("text", "first"),
    ).reset_index()
    table = table.sort_values(["is_known", "recipients", "reason"], ascending=[False, False, True], kind="stable")
    return shape_frame(STUCK_REASONS, table)


def _given(frame: pd.DataFrame | None) -> pd.DataFrame:
    from indimail_kit.errors import SchemaError

    if frame is None:
        raise SchemaError("one table of a log without the other; expected DELIVERIES and MESSAGES")
    return frame


def _columns(
    counts: Sequence[int],
    times: Sequence[int | None],
    reports: Sequence[str | None],
    sures: Sequence[str | None],
    notes: Sequence[str],
) -> dict[str, Any]:
    import pandas as pd

    texts = mapped(pd.Series(list(reports), dtype="str"), plain_text)
    stamps = pd.Series([_NAT if one is None else one for one in times], dtype="int64")
    return {
        "deferrals": pd.Series(list(counts), dtype="int64"),
        "last_at": pd.to_datetime(stamps.mask(stamps == _NAT), unit="ns", utc=True),
        "text": texts,
        "reason": mapped(texts, normal_reason),
        "confidence": pd.Series(list(sures), dtype="str"),
        "note": pd.Series(list(notes), dtype="str"),
    }


def _said(
    picture: Snapshot, mails: pd.DataFrame, waiting: pd.DataFrame, deliveries: pd.DataFrame, messages: pd.DataFrame
) -> list[tuple[Any, ...]]:
    """Return deferrals, time, report, confidence and note of each recipient."""
    names = {one.layout.name for one in picture.queues}
    numbers = set(mails["message_number"].tolist())
    lives = _lives(messages, numbers, picture.taken_ns)
    attempts = _attempts(deliveries, numbers, picture.taken_ns)
    is_alone = len(names) == 1 and not any(queue in names for queue, _ in lives)
    joined: dict[tuple[str, int], tuple[_Life | None, str]] = {}
    for mail in _mails(mails):
        nameless = lives.get(("", mail.number), []) if is_alone else []
        joined[mail.queue, mail.number] = _join(mail, lives.get((mail.queue, mail.number), nameless), picture.taken_ns)
    rows = zip(*(waiting[name].tolist() for name in ("queue", "message_number", "channel", "address")), strict=True)
    return [
        _row(*joined[queue, number], number, channel, address, attempts) for queue, number, channel, address in rows
    ]


def _row(
    life: _Life | None,
    note: str,
    number: int,
    channel: str,
    address: str,
    attempts: Mapping[tuple[Any, ...], _Attempts],
) -> tuple[Any, ...]:
    if channel == "todo":
        return 0, None, None, None, NOT_PREPROCESSED
    if life is None:
        return 0, None, None, None, note
    own = attempts.get((life.queue, number, life.lifetime, channel, cleaned(address)), _Attempts())
    if own.is_done or own.report is None:
        why = DONE_IN_LOG if own.is_done else UNDER_WAY if own.is_under_way else UNTRIED
        return own.deferrals, None, None, None, f"{why} ({note})" if note else why
    return own.deferrals, own.last_ns, own.report, "likely" if note else "certain", note


def _join(mail: _Mail, lives: Sequence[_Life], now_ns: int) -> tuple[_Life | None, str]:
    """Return the life that a message of the queue has in the log, and what is to say about it."""
    if mail.birth_ns is None:
        return None, NOT_PREPROCESSED
    if not lives:
        return None, NOT_IN_LOG
    born = [one for one in lives if one.born_ns is not None and abs(one.born_ns - mail.birth_ns) <= BIRTH_S * _NS]
    same = next((one for one in reversed(born) if _agrees(mail, one)), None)
    if same is not None:
        if _has_ended(same, now_ns):
            return None, HAS_LEFT
        return same, "" if same.queue == mail.queue else NAMELESS
    last = lives[-1]
    if _has_ended(last, now_ns) or not _agrees(mail, last):
        return None, ANOTHER
    return last, NO_BIRTH if last.born_ns is None else OTHER_BIRTH


def _has_ended(life: _Life, now_ns: int) -> bool:
    """Say whether a life was over at the time of the picture; one whose end the log lost is over, too."""
    return life.ended_ns <= now_ns if life.ended_ns is not None else not life.is_open


def _agrees(mail: _Mail, life: _Life) -> bool:
    """Say whether size and sender are the same, as far as the log tells them."""
    is_size = life.size_bytes is None or mail.size_bytes is None or life.size_bytes == mail.size_bytes
    return is_size and (life.sender is None or mail.sender is None or cleaned(life.sender) == cleaned(mail.sender))


def _mails(mails: pd.DataFrame) -> Iterable[_Mail]:
    names = ("queue", "message_number", "birth", "size_bytes", "sender")
    return (_Mail(*cells) for cells in zip(*(_plain(mails, name) for name in names), strict=True))


def _lives(messages: pd.DataFrame, numbers: set[int], now_ns: int) -> dict[tuple[str, int], list[_Life]]:
    """Return the lives that had begun when the picture was taken, in the order of the log."""
    names = ("queue", "lifetime", "queued_at", "ended_at", "is_open", "message_bytes", "sender")
    require(messages, MESSAGES, "message_number", "first_event", *names)
    own = messages[messages["message_number"].isin(numbers)].sort_values("first_event", kind="stable")
    lives: dict[tuple[str, int], list[_Life]] = defaultdict(list)
    for number, *cells in zip(own["message_number"].tolist(), *(_plain(own, name) for name in names), strict=True):
        life = _Life(*cells)
        if life.born_ns is None or life.born_ns <= now_ns + BIRTH_S * _NS:
            lives[life.queue, number].append(life)
    return lives


def _attempts(deliveries: pd.DataFrame, numbers: set[int], now_ns: int) -> dict[tuple[Any, ...], _Attempts]:
    """Return (queue, number, lifetime, channel, recipient) -> what had happened when the picture was taken."""
    names = ("queue", "message_number", "lifetime", "channel", "recipient", "started_at", "ended_at", "outcome",
             "report", "is_open")  # fmt: skip
    require(deliveries, DELIVERIES, *names)
    own = deliveries[deliveries["message_number"].isin(numbers) & deliveries["lifetime"].notna()]
    attempts: dict[tuple[Any, ...], _Attempts] = defaultdict(_Attempts)
    for *key, recipient, started_ns, ended_ns, outcome, report, is_open in zip(
        *(_plain(own, name) for name in names), strict=True
    ):
        one = attempts[(*key, cleaned(recipient or ""))]
        if ended_ns is None or ended_ns > now_ns:
            one.is_under_way |= (is_open or ended_ns is not None) and (started_ns is None or started_ns <= now_ns)
        elif outcome != "deferral":
            one.is_done = True
        else:
            one.deferrals += 1
            one.last_ns, one.report = ended_ns, report
    return attempts


def _plain(frame: pd.DataFrame, name: str) -> list[Any]:
    """Return a column as plain values, None where there is nothing; times are ns since 1970."""
    column = frame[name]
    if str(column.dtype).startswith("datetime64"):
        return [None if value == _NAT else value for value in column.astype("int64").tolist()]
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)]
