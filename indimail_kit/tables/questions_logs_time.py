"""What happened when: how busy the channels were, what was in the queue at a moment, how much mail came, and gaps.

Rule 1: as in `questions_logs_mail`: whole columns, no loop over rows. A span without anything is a row, so that a hole
in a picture is a hole in the world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from indimail_kit.errors import SchemaError
from indimail_kit.tables.frames import shape_frame
from indimail_kit.tables.log_answers import CONCURRENCY, GAPS, QUEUE_AT, RATE
from indimail_kit.tables.log_schemas import STATUS
from indimail_kit.tables.schemas import DELIVERIES, MESSAGES, require

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, Any]

MAX_SPANS: Final = 1_000_000
"""Most spans of an answer: 11 days of seconds, 2 years of minutes."""

_S: Final = 10**9
"""Nanoseconds of a second (unit: ns)."""

_LIFE: Final = ["queue", "message_number", "lifetime"]


def concurrency(status: pd.DataFrame, *, every: str = "1min") -> pd.DataFrame:
    """Tell how many deliveries were under way at the same time, span by span, for each queue.

    A status line holds until the next one of its queue; so a mean is over time, not over lines.

    Args:
        status: The table STATUS.
        every: Length of a span as pandas writes it ("10s", "1min", "1h").

    Returns:
        The table CONCURRENCY.

    Raises:
        SchemaError: A column is missing, `every` is no length of time, or the spans are too many.
    """
    import pandas as pd

    require(status, STATUS, *STATUS.names)
    lines = status[status["time"].notna()]
    length = span_ns(every)
    parts = [_concurrency_of(part, str(queue), length) for queue, part in lines.groupby("queue", sort=True)]
    if not parts:
        parts = [pd.DataFrame({name: pd.Series(dtype="float64") for name in CONCURRENCY.names})]
        parts[0]["time"] = pd.Series(dtype="datetime64[ns, UTC]")
    return shape_frame(CONCURRENCY, pd.concat(parts))


def queue_at(messages: pd.DataFrame, deliveries: pd.DataFrame, time: object) -> pd.DataFrame:
    """Tell what was in the queue at a moment of the past, from the log alone.

    Args:
        messages: The table MESSAGES.
        deliveries: The table DELIVERIES of the same log.
        time: The moment: a time with a zone, or a text that says one ("2026-11-22 14:09:00+00:00", "…Z").

    Returns:
        The table QUEUE_AT. A message whose birth is not in the log counts as there before its end; one whose end was
        lost counts as there until its number was used again. Both are not certain.

    Raises:
        SchemaError: A column is missing, or the time is none, or has no zone.
    """
    require(messages, MESSAGES, *_LIFE, "queued_at", "ended_at", "end_event", "is_open", "recipient_count")
    require(deliveries, DELIVERIES, *_LIFE, "started_at", "ended_at", "outcome", "is_open")
    moment = moment_of(time)
    next_birth = messages.sort_values(_LIFE).groupby(_LIFE[:2], sort=False)["queued_at"].shift(-1)
    is_lost = messages["end_event"].isna() & ~messages["is_open"]
    end = messages["ended_at"].mask(is_lost, next_birth.reindex(messages.index))
    born, is_there = messages["queued_at"], ~(end <= moment)
    there = messages[(born.isna() | (born <= moment)) & is_there & ~(born.isna() & end.isna() & ~messages["is_open"])]
    counted = there.merge(_attempts_until(deliveries, moment), on=_LIFE, how="left")
    age = (moment - counted["queued_at"]).dt.total_seconds()
    is_certain = counted["queued_at"].notna() & (counted["ended_at"].notna() | counted["is_open"])
    counts = counted[["done", "deferred", "under_way"]].fillna(0)
    columns = counted.assign(age_s=age, is_certain=is_certain, **counts).assign(deferrals=counts["deferred"])
    return shape_frame(QUEUE_AT, columns.sort_values("queued_at", na_position="first", kind="stable"))


def message_rate(messages: pd.DataFrame, *, every: str = "1min") -> pd.DataFrame:
    """Tell how many messages came and ended, span by span, and how many were waiting.

    Args:
        messages: The table MESSAGES.
        every: Length of a span as pandas writes it ("10s", "1min", "1h").

    Returns:
        The table RATE, from the first birth or end to the last; messages without a birth in the log are waiting from
        the beginning.

    Raises:
        SchemaError: A column is missing, `every` is no length of time, or the spans are too many.
    """
    import numpy as np
    import pandas as pd

    require(messages, MESSAGES, "queued_at", "ended_at", "message_bytes", "is_open")
    length = span_ns(every)
    born, ended = messages["queued_at"].dropna(), messages["ended_at"].dropna()
    edges = spans_of(np.concatenate([unix_ns(born), unix_ns(ended)]), length)
    starts, rows = edges[:-1], len(edges) - 1 if len(edges) else 0
    first = starts[0] if rows else 0
    came, went = (unix_ns(born) - first) // length, (unix_ns(ended) - first) // length
    sizes = messages.loc[born.index, "message_bytes"].fillna(0).to_numpy("float64")
    queued, gone = np.bincount(came, minlength=rows), np.bincount(went, minlength=rows)
    is_older = messages["queued_at"].isna() & (messages["ended_at"].notna() | messages["is_open"])
    return shape_frame(
        RATE,
        {
            "time": pd.to_datetime(starts, unit="ns", utc=True),
            "queued": queued,
            "queued_bytes": np.bincount(came, weights=sizes, minlength=rows),
            "ended": gone,
            "waiting": np.cumsum(queued - gone) + int(is_older.sum()),
        },
    )


def gaps(frame: pd.DataFrame, *, longer_than: str = "5min", column: str = "queued_at") -> pd.DataFrame:
    """Tell when nothing came for long: a server that stood still, a line that was down, a log that is not whole.

    Args:
        frame: MESSAGES, or another table with a column of times.
        longer_than: Least length of a gap as pandas writes it ("30s", "5min").
        column: The times that are looked at; "time" for EVENTS.

    Returns:
        The table GAPS.

    Raises:
        SchemaError: The column is missing, or `longer_than` is no length of time.
    """
    import numpy as np
    import pandas as pd

    if column not in frame.columns:
        raise SchemaError(f"a table without the column {column}")
    times = np.sort(unix_ns(frame[column].dropna()))
    lengths = np.diff(times)
    places = np.flatnonzero(lengths > span_ns(longer_than))
    places = places[np.argsort(-lengths[places], kind="stable")]
    return shape_frame(
        GAPS,
        {
            "from_at": pd.to_datetime(times[places], unit="ns", utc=True),
            "to_at": pd.to_datetime(times[places + 1], unit="ns", utc=True),
            "gap_s": lengths[places] / _S,
        },
    )


def span_ns(every: str) -> int:
    """Return a length of time (unit: ns).

    Raises:
        SchemaError: The text is no length of time above 0.

    Example:
        >>> span_ns("1min")
        60000000000
    """
    import pandas as pd

    try:
        length = int(pd.Timedelta(every).value)
    except (ValueError, OverflowError, AttributeError, TypeError):
        length = 0
    if length <= 0:
        raise SchemaError(f"a length of time {every!r}; expected one as 30s, 5min or 1h")
    return length


def moment_of(time: object) -> pd.Timestamp:
    """Return a moment in UTC.

    Raises:
        SchemaError: It is none, or has no zone.
    """
    import pandas as pd

    try:
        moment = pd.Timestamp(time)  # type: ignore[arg-type]  # what is none is refused just below
    except (ValueError, TypeError, OverflowError):
        moment = pd.NaT  # type: ignore[assignment]  # has no zone, so the line below refuses it
    if moment.tzinfo is None:
        raise SchemaError(f"a moment {str(time)!r}; expected one with its zone, as 2026-11-22T14:09:00Z")
    return moment.tz_convert("UTC").as_unit("ns")


def unix_ns(times: pd.Series[pd.Timestamp]) -> Array:
    """Return times without nulls as whole numbers (unit: ns since 1970)."""
    return times.dt.tz_localize(None).to_numpy("datetime64[ns]").astype("int64")


def spans_of(times: Array, length: int) -> Array:
    """Return the edges of the spans that hold these times (unit: ns since 1970); nothing without times.

    Raises:
        SchemaError: The spans are more than MAX_SPANS.
    """
    import numpy as np

    if not len(times):
        return np.zeros(0, dtype="int64")
    first, last = int(times.min()) // length, int(times.max()) // length
    if last - first >= MAX_SPANS:
        raise SchemaError(f"{last - first + 1:,} spans of time; expected {MAX_SPANS:,} at most: take a longer one")
    return np.arange(first, last + 2, dtype="int64") * length


def _concurrency_of(lines: pd.DataFrame, queue: str, length: int) -> pd.DataFrame:
    """Return the spans of one queue."""
    import numpy as np
    import pandas as pd

    lines = lines.sort_values("time", kind="stable")
    times = unix_ns(lines["time"])
    edges = spans_of(times, length)
    starts = edges[:-1]
    columns: dict[str, Any] = {"time": pd.to_datetime(starts, unit="ns", utc=True), "queue": queue}
    rows = np.searchsorted(starts, times, side="right") - 1
    before = np.searchsorted(times, starts, side="left") - 1  # the line that holds when the span begins
    known = np.clip(starts, times[0], times[-1]), np.clip(edges[1:], times[0], times[-1])
    for channel in ("local", "remote"):
        used = lines[f"{channel}_used"].to_numpy("int64")
        area = np.concatenate([[0.0], np.cumsum(used[:-1] * (np.diff(times) / _S))])
        width = (known[1] - known[0]) / _S
        inside = np.interp(known[1] - times[0], times - times[0], area)
        inside -= np.interp(known[0] - times[0], times - times[0], area)
        carried = np.where(before >= 0, used[np.maximum(before, 0)], 0)
        peak = carried.copy()
        np.maximum.at(peak, rows, used)
        columns[f"{channel}_mean"] = np.divide(inside, width, out=carried.astype("float64"), where=width > 0)
        columns[f"{channel}_peak"] = peak
        last = np.searchsorted(times, edges[1:], side="left") - 1
        columns[f"{channel}_max"] = lines[f"{channel}_max"].to_numpy("int64")[last]
    return pd.DataFrame(columns)


def _attempts_until(deliveries: pd.DataFrame, moment: pd.Timestamp) -> pd.DataFrame:
    """Return for each message how its attempts stood at a moment."""
    known = deliveries[deliveries["lifetime"].notna()]
    is_ended = known["ended_at"] <= moment
    is_begun = (known["started_at"] <= moment) & ~is_ended & (known["is_open"] | known["ended_at"].notna())
    counts = known[_LIFE].assign(
        done=is_ended & known["outcome"].isin(["success", "failure"]),
        deferred=is_ended & (known["outcome"] == "deferral"),
        under_way=is_begun,
    )
    return (
        counts.astype({"message_number": "int64", "lifetime": "int64"}).groupby(_LIFE, sort=False).sum().reset_index()
    )
