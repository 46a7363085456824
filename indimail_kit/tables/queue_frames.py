r"""Snapshots of queues -> DataFrames, each in the shape that `queue_schemas` says.

Note for maintainers: a hundred thousand messages are a quarter of a million texts. Octets are cut with numpy and
decoded in one piece; NUL parts them, which no UTF-8 sequence holds, so each text is what `frames.as_text` would give.

Rule 1: pandas and numpy are imported here and not before the first table is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.delivery.schedule import CHANNEL_SKIP
from indimail_kit.mailqueue.columns import BOUNCING, HAS_SENDER, UNSAID, Columns
from indimail_kit.tables.frames import as_text
from indimail_kit.tables.queue_schemas import QUEUE_ANOMALIES, QUEUE_MESSAGES, QUEUE_RECIPIENTS
from indimail_kit.tables.schemas import Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from indimail_kit.mailqueue.picture import QueuePicture, Snapshot

    Array = np.ndarray[Any, Any]

_S: Final = 10**9
"""Nanoseconds of a second (unit: ns)."""

_STATE_NAMES: Final = {2: "S2", 3: "S3", 4: "S4", 5: "S5"}


def messages(picture: Snapshot) -> pd.DataFrame:
    """Return the table QUEUE_MESSAGES, one row for each message of a snapshot."""
    parts = [_message_columns(one, picture.taken_ns) for one in picture.queues]
    return _frame(QUEUE_MESSAGES, parts)


def recipients(picture: Snapshot) -> pd.DataFrame:
    """Return the table QUEUE_RECIPIENTS, one row for each recipient of each message of a snapshot."""
    parts = [_recipient_columns(one, picture.taken_ns) for one in picture.queues]
    return _frame(QUEUE_RECIPIENTS, parts)


def anomalies(picture: Snapshot) -> pd.DataFrame:
    """Return the table QUEUE_ANOMALIES, one row for each rule that a file breaks."""
    import numpy as np

    found = picture.anomalies
    numbers = np.array([one.message_number for one in found], dtype="int64")
    columns = {
        name: _objects([getattr(one, name) for one in found]) for name in ("queue", "path", "rule", "text", "why")
    }
    for name in ("path", "text"):  # a file name may hold what is no UTF-8
        columns[name] = _objects([as_text(text.encode("utf-8", "surrogateescape")) for text in columns[name]])
    return _frame(QUEUE_ANOMALIES, [columns | {"message_number": (numbers, numbers == 0)}])


def _message_columns(one: QueuePicture, now_ns: int) -> dict[str, Any]:
    """Return name -> values of the messages of one queue."""
    import numpy as np

    columns = one.columns
    numbers, births, arrivals, sizes = map(_int64, (columns.numbers, columns.births, columns.arrivals, columns.sizes))
    flags, states = _int8(columns.flags), _int8(columns.states)
    since = np.where(births != UNSAID, births, arrivals)
    is_local_to_do, is_remote_to_do = (_to_do(columns, channel) for channel in ("local", "remote"))
    retries = np.stack(
        [
            np.where(to_do > 0, _int64(getattr(columns, f"{channel}_retries")), _NEVER)
            for channel, to_do in (("local", is_local_to_do), ("remote", is_remote_to_do))
        ]
    ).min(axis=0)
    counts = sum(_int32(getattr(columns, f"{channel}_counts")) for channel in ("todo", "local", "remote"))
    open_counts = _int32(columns.todo_counts) + is_local_to_do + is_remote_to_do
    senders = _objects(_texts(columns.senders))
    senders[flags & HAS_SENDER == 0] = None
    names = np.array([None, None, *_STATE_NAMES.values()], dtype=object)
    return {
        "queue": np.full(len(columns), one.layout.name, dtype=object),
        "message_number": numbers,
        "state": names[states],
        "split_directory": numbers % one.layout.split,
        "size_bytes": (sizes, sizes == UNSAID),
        "sender": senders,
        "birth": births,
        "age_s": ((now_ns - np.where(since == UNSAID, now_ns, since)) // _S, since == UNSAID),
        "bouncing": (flags & BOUNCING).astype(bool),
        "recipients": counts,
        "done": counts - open_counts,
        "next_retry": np.where(retries == _NEVER, UNSAID, retries),
        "anomalies": _anomaly_counts(one, numbers),
    }


_NEVER: Final = 2**63 - 1
"""Stands for no retry while the earliest is looked for."""


def _recipient_columns(one: QueuePicture, now_ns: int) -> dict[str, Any]:
    """Return name -> values of the recipients of one queue, in the order of the messages.

    One column after the other, so that few of them are there twice at any time.
    """
    import numpy as np

    columns = one.columns
    counts = [_int32(getattr(columns, f"{channel}_counts")) for channel in CHANNELS]
    codes = np.repeat(np.arange(len(CHANNELS), dtype="int8"), [int(count.sum()) for count in counts])
    index = np.concatenate([np.repeat(np.arange(len(columns), dtype="int32"), count) for count in counts])
    order = np.argsort(index, kind="stable")
    index, codes = index[order], codes[order]
    records = [getattr(columns, f"{channel}_records") for channel in CHANNELS]
    done = np.concatenate([_first_letters(octets) == ord("D") for octets in records])[order]
    addresses = _objects([text for octets in records for text in _texts(_without_letters(octets))])[order]
    unsaid = np.full(len(columns), UNSAID)
    by_channel = np.stack([unsaid, _int64(columns.local_retries), _int64(columns.remote_retries)])
    retries = np.where(done, UNSAID, by_channel[codes, index])
    domains: dict[str, str] = {}
    return {
        "queue": np.full(len(order), one.layout.name, dtype=object),
        "message_number": _int64(columns.numbers)[index],
        "channel": np.array(CHANNELS, dtype=object)[codes],
        "address": addresses,
        "domain": _objects([domains.setdefault(name, name) for name in map(domain_of, addresses)]),
        "done": done,
        "next_retry": retries,
        "following_retry": _following(codes, _int64(columns.births)[index], retries, now_ns),
    }


CHANNELS: Final = ("todo", "local", "remote")
"""Channels in the order of a message's recipients."""

_SKIPS: Final = (0, CHANNEL_SKIP["local"], CHANNEL_SKIP["remote"])
"""Step of the retries in the order of CHANNELS; todo has none."""


def domain_of(address: str) -> str:
    """Return what follows the last @ in lower case, "" without one.

    Example:
        >>> domain_of("Bob@Example.COM"), domain_of("postmaster")
        ('example.com', '')
    """
    at = address.rfind("@")
    return address[at + 1 :].lower() if at >= 0 else ""


def _following(codes: Array, births: Array, retries: Array, now_ns: int) -> Array:
    """Return when the retry after the next one comes, UNSAID where there is no next one.

    Source:
        qmail-send.c `nextretry()`, as `delivery.schedule.next_retry_s`.
    """
    import numpy as np

    is_unsaid = (retries == UNSAID) | (births == UNSAID)
    births_s = births // _S
    ages_s = np.maximum(retries, now_ns) // _S - births_s
    ages_s[is_unsaid] = 0
    roots = np.sqrt(np.maximum(ages_s, 0)).astype("int64") + np.array(_SKIPS)[codes]
    return np.where(is_unsaid, UNSAID, (births_s + roots * roots) * _S)


def _to_do(columns: Columns, channel: str) -> Array:
    """Return for each message the number of recipients of a channel that wait."""
    import numpy as np

    counts = _int32(getattr(columns, f"{channel}_counts"))
    is_done = _first_letters(getattr(columns, f"{channel}_records")) == ord("D")
    index = np.repeat(np.arange(len(counts)), counts)
    return np.bincount(index[~is_done], minlength=len(counts))


def _first_letters(records: bytearray) -> Array:
    """Return the letter of each record."""
    import numpy as np

    octets = np.frombuffer(bytes(records), dtype=np.uint8)
    return octets[_starts(octets)]


def _starts(octets: Array) -> Array:
    """Return where each text starts in octets that are parted by NUL."""
    import numpy as np

    ends = np.flatnonzero(octets == 0)
    return np.concatenate((np.zeros(min(1, len(ends)), dtype="int64"), ends[:-1] + 1))


def _without_letters(records: bytearray) -> bytes:
    """Return the records without their letters, each with its NUL."""
    import numpy as np

    octets = np.frombuffer(bytes(records), dtype=np.uint8)
    is_text = np.ones(len(octets), dtype=bool)
    is_text[_starts(octets)] = False
    return octets[is_text].tobytes()


def _texts(octets: bytes | bytearray) -> list[str]:
    """Return the texts that are parted by NUL."""
    texts = (as_text(bytes(octets)) or "").split("\0")
    texts.pop()
    return texts


def _anomaly_counts(one: QueuePicture, numbers: Array) -> Array:
    """Return for each message the number of rules that it breaks."""
    import numpy as np

    counts: dict[int, int] = {}
    for anomaly in one.anomalies:
        counts[anomaly.message_number] = counts.get(anomaly.message_number, 0) + 1
    counts.pop(0, None)
    if not counts:
        return np.zeros(len(numbers), dtype="int64")
    return np.fromiter((counts.get(number, 0) for number in numbers.tolist()), dtype="int64", count=len(numbers))


def _int64(column: Sequence[int]) -> Array:
    return _copied(column, "int64")


def _int32(column: Sequence[int]) -> Array:
    return _copied(column, "int32")


def _int8(column: Sequence[int]) -> Array:
    return _copied(column, "int8")


def _copied(column: Any, dtype: str) -> Array:
    """Return a column as an array of its own: one that shares memory would forbid the column to grow."""
    import numpy as np

    return np.frombuffer(column, dtype=dtype).copy()


def _objects(texts: Iterable[str | None]) -> Array:
    """Return texts as an array of objects."""
    import numpy as np

    texts = list(texts)
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def _frame(table: Table, parts: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return the parts of queues, one below the other, with the dtypes of a table; index 0 … n-1.

    The parts are used up: what is in the table need not be there twice.
    """
    import pandas as pd

    columns = {one.name: _column(one.dtype, [part.pop(one.name) for part in parts]) for one in table.columns}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(next(iter(columns.values())))), copy=False)


def _column(dtype: str, parts: Sequence[Any]) -> Any:
    """Return an array of a dtype; Int64 has values and a mask, times are nanoseconds."""
    import pandas as pd

    if dtype == "Int64":
        values, masks = ([part[index] for part in parts] for index in (0, 1))
        return pd.arrays.IntegerArray(_joined(values, "int64"), _joined(masks, "bool"))
    if dtype == "str":
        return pd.array(_joined(parts, "object"), dtype="str", copy=False)
    if dtype.startswith("datetime64"):
        return pd.DatetimeIndex(_joined(parts, "int64").view("datetime64[ns]"), tz="UTC").array
    return _joined(parts, dtype)


def _joined(parts: Sequence[Array], dtype: str) -> Array:
    """Return arrays one behind the other."""
    import numpy as np

    return parts[0].astype(dtype, copy=False) if len(parts) == 1 else np.concatenate([np.empty(0, dtype), *parts])
