"""What qmailanalog answers: the log as a whole, delays, senders, users, recipients, hosts.

Source: qmailanalog 0.70 as in indimail-mta (zoverall, zddist, zsenders, zsuids, zrecipients, zrxdelay, zrhosts);
qmail-log(5).

Rule 1: the work of a question is a few operations on whole columns; a loop in Python runs over different values at
most, never over rows.

Deviation:
    qmailanalog counts with floating point seconds since 1970, good to a quarter of a microsecond; here with whole
    nanoseconds. It never sees attempts and messages whose beginning is not in the log; here they are counted where that
    needs no beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.errors import SchemaError
from indimail_kit.tables.frames import shape_frame
from indimail_kit.tables.log_answers import DELAYS, HOSTS, RECIPIENTS, SENDERS, UIDS
from indimail_kit.tables.log_totals import totals_of_frames
from indimail_kit.tables.queue_frames import domain_of
from indimail_kit.tables.schemas import DELIVERIES, MESSAGES, require

if TYPE_CHECKING:
    import pandas as pd

PERCENTS: Final = (50.0, 75.0, 90.0, 95.0, 99.0, 100.0)
"""Shares that are asked for unless others are named (unit: %)."""

_MESSAGE: Final = ("queue", "message_number", "lifetime")


def overall(deliveries: pd.DataFrame, messages: pd.DataFrame) -> pd.DataFrame:
    """Tell how much mail there was, how it ended, and how long it took.

    Args:
        deliveries: The table DELIVERIES.
        messages: The table MESSAGES of the same log.

    Returns:
        The table OVERALL, one row.

    Raises:
        SchemaError: A column is missing.

    Source:
        qmailanalog zoverall.
    """
    return totals_of_frames(deliveries, messages).frame()


def delay_percentiles(deliveries: pd.DataFrame, *, percents: Sequence[float] = PERCENTS) -> pd.DataFrame:
    """Tell how long successful deliveries took from the message's birth to their end.

    Args:
        deliveries: The table DELIVERIES; only rows with outcome "success" and a known birth are used.
        percents: Each above 0 and up to 100; "50" asks for the faster half.

    Returns:
        The table DELAYS, a row for each percent. All NaN when no delivery succeeded.

    Raises:
        SchemaError: A column is missing, or a percent is out of range.

    Source:
        qmailanalog zddist.

    Deviation:
        zddist sorts 2e-06 s as if it were 2 s (``sort -n``), so that its upper lines are off where deliveries were
        quicker than a tenth of a millisecond; and its avg is that of the next line's deliveries.
    """
    import numpy as np

    require(deliveries, DELIVERIES, "outcome", "queued_at", "ended_at")
    successes = deliveries[deliveries["outcome"] == "success"]
    delays = np.sort(seconds(successes, "queued_at", "ended_at").dropna().to_numpy("float64"))
    return distribution(delays, percents)


def distribution(delays: Any, percents: Sequence[float]) -> pd.DataFrame:
    """Return the table DELAYS of delays that stand in their order.

    Args:
        delays: float64, shape (n,), ascending (unit: s).
        percents: Each above 0 and up to 100.

    Raises:
        SchemaError: A percent is out of range.
    """
    import numpy as np

    shares = np.asarray(percents, dtype="float64")
    if ((shares <= 0) | (shares > 100)).any() or np.isnan(shares).any():
        raise SchemaError(f"percents of {list(percents)}; expected numbers above 0 and up to 100")
    counts = np.ceil(len(delays) * shares / 100 - 1e-9).astype("int64")
    places = counts - 1
    nothing = np.full(len(shares), np.nan)
    return shape_frame(
        DELAYS,
        {
            "percent": shares,
            "done_by_s": delays[places] if len(delays) else nothing,
            "mean_s": np.cumsum(delays)[places] / counts if len(delays) else nothing,
            "deliveries": counts,
        },
    )


def by_sender(deliveries: pd.DataFrame, messages: pd.DataFrame) -> pd.DataFrame:
    """Tell who sent how much: the table SENDERS.

    Raises:
        SchemaError: A column is missing.

    Source:
        qmailanalog zsenders.
    """
    sent = _sent(deliveries, messages, ["uid", "sender"])
    return shape_frame(SENDERS, sent.sort_values(["messages", "message_bytes"], ascending=False, kind="stable"))


def by_uid(deliveries: pd.DataFrame, messages: pd.DataFrame) -> pd.DataFrame:
    """Tell which user of this host queued how much: the table UIDS.

    Raises:
        SchemaError: A column is missing.

    Source:
        qmailanalog zsuids.
    """
    sent = _sent(deliveries, messages, ["uid"])
    return shape_frame(UIDS, sent.sort_values(["messages", "message_bytes"], ascending=False, kind="stable"))


def by_recipient(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Tell who received how much, and how long attempts took: the table RECIPIENTS.

    Raises:
        SchemaError: A column is missing.

    Source:
        qmailanalog zrecipients, zrxdelay. Their "mess" is successes + failures.
    """
    received = _received(deliveries)
    grouped = _sums(received, ["channel", "recipient"])
    return shape_frame(RECIPIENTS, grouped.sort_values("attempts", ascending=False, kind="stable"))


def by_host(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Tell which domains received how much, and how long attempts took: the table HOSTS.

    Raises:
        SchemaError: A column is missing.

    Source:
        qmailanalog zrhosts. Its "mess" is successes + failures.
    """
    received = _received(deliveries)
    received["host"] = mapped(received["recipient"], domain_of)
    grouped = _sums(received, ["host"])
    names = received.groupby("host", sort=False, dropna=False)["recipient"].nunique().rename("recipients")
    hosts = grouped.merge(names.reset_index(), on="host", how="left")
    return shape_frame(HOSTS, hosts.sort_values("attempts", ascending=False, kind="stable"))


def seconds(frame: pd.DataFrame, earlier: str, later: str) -> pd.Series[float]:
    """Return the seconds between two columns of times; NaN where one is missing."""
    return (frame[later] - frame[earlier]).dt.total_seconds()


def mapped(texts: pd.Series[str], change: Any) -> pd.Series[str]:
    """Return texts, each different one changed once; null stays null."""
    import numpy as np
    import pandas as pd

    codes, names = pd.factorize(texts)
    changed = np.array([*(change(name) for name in names), None], dtype=object)
    return pd.Series(changed[codes], index=texts.index, dtype="str")


def _completed(messages: pd.DataFrame) -> pd.DataFrame:
    """Return the messages that matchup(1) prints: those whose info and end the log shows."""
    names = ("sender", "message_bytes", "successes", "failures", "deferrals", "queued_at", "end_event", "is_open")
    require(messages, MESSAGES, *names)
    return messages[messages["end_event"].notna() & messages["sender"].notna()]


def _sum(frame: pd.DataFrame, *names: str) -> pd.Series[int]:
    return frame[list(names)].sum(axis=1)


def _sent(deliveries: pd.DataFrame, messages: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return what senders sent, by keys."""
    require(deliveries, DELIVERIES, "outcome", "started_at", "ended_at", *keys)
    require(messages, MESSAGES, *keys)
    completed = _completed(messages)
    size, recipients = completed["message_bytes"].astype("int64"), _sum(completed, "successes", "failures")
    sizes: dict[str, Any] = {
        "messages": 1,
        "message_bytes": size,
        "success_bytes": size * completed["successes"],
        "recipient_bytes": size * recipients,
        "recipients": recipients,
        "attempts": recipients + completed["deferrals"],
    }
    ended = deliveries.loc[deliveries["outcome"].notna()]
    times = ended[keys].assign(xdelay_s=seconds(ended, "started_at", "ended_at"))
    parts = []
    for part in (completed[keys].assign(**sizes), times):
        lowered = part.assign(sender=mapped(part["sender"], str.lower)) if "sender" in keys else part
        parts.append(lowered.groupby(keys, sort=False, dropna=False).sum().reset_index())
    both = parts[0].merge(parts[1], on=keys, how="outer")
    numbers = [*sizes, "xdelay_s"]
    both[numbers] = both[numbers].fillna(0)
    return both


def _received(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Return the attempts that ended, with what is summed up of them."""
    names = ("outcome", "channel", "recipient", "message_bytes", "queued_at", "started_at", "ended_at")
    require(deliveries, DELIVERIES, *names)
    ended = deliveries[deliveries["outcome"].notna()]
    is_success = ended["outcome"] == "success"
    return ended[["channel"]].assign(
        recipient=mapped(ended["recipient"], str.lower),
        attempts=1,
        successes=is_success,
        failures=ended["outcome"] == "failure",
        deferrals=ended["outcome"] == "deferral",
        success_bytes=ended["message_bytes"].fillna(0).astype("int64").where(is_success, 0),
        xdelay_s=seconds(ended, "started_at", "ended_at"),
        ddelay_s=seconds(ended, "queued_at", "ended_at").where(is_success),
    )


def _sums(received: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    grouped = received.groupby(keys, sort=False, dropna=False, observed=True)
    numbers = ["attempts", "successes", "failures", "deferrals", "success_bytes", "xdelay_s"]
    means = grouped[["xdelay_s", "ddelay_s"]].mean().set_axis(["xdelay_mean_s", "ddelay_mean_s"], axis=1)
    return grouped[numbers].sum().join(means).reset_index()
