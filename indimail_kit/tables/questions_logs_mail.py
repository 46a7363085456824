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

SENT_KEYS: Final = ["uid", "sender"]
"""What sums of sent mail are by."""

RECEIVED_KEYS: Final = ["channel", "recipient"]
"""What sums of received mail are by."""

SENT_OF_DELIVERIES: Final = ("outcome", "started_at", "ended_at", *SENT_KEYS)
"""Columns of DELIVERIES that these sums need."""

SENT_OF_MESSAGES: Final = (
    "sender", "message_bytes", "successes", "failures", "deferrals", "queued_at", "end_event", "is_open", "uid",
)  # fmt: skip
"""Columns of MESSAGES that these sums need."""

RECEIVED_OF_DELIVERIES: Final = (
    "outcome", "channel", "recipient", "message_bytes", "queued_at", "started_at", "ended_at",
)  # fmt: skip
"""Columns of DELIVERIES that sums of received mail need."""

_S: Final = 10**9
"""Nanoseconds of a second (unit: ns)."""


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
        quicker than a tenth of a millisecond: its 99 can say 0.00. Its doneby is the smallest delay of a whole
        percent, which is ours otherwise. Its avg goes to the end of that percent and counts equal delays once; ours
        is the mean of just the deliveries that done_by is about.
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

    shares, counts, places = places_of(len(delays), percents)
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


def places_of(total: int, percents: Sequence[float]) -> tuple[Any, Any, Any]:
    """Return the percents of so many delays, how many delays each is about, and the place of the last of these.

    Raises:
        SchemaError: A percent is out of range.
    """
    import numpy as np

    shares = np.asarray(percents, dtype="float64")
    if ((shares <= 0) | (shares > 100)).any() or np.isnan(shares).any():
        raise SchemaError(f"percents of {list(percents)}; expected numbers above 0 and up to 100")
    counts = np.ceil(total * shares / 100 - 1e-9).astype("int64")
    return shares, counts, counts - 1


def by_sender(deliveries: pd.DataFrame, messages: pd.DataFrame) -> pd.DataFrame:
    """Tell who sent how much: the table SENDERS.

    Raises:
        SchemaError: A column is missing.

    Source:
        qmailanalog zsenders.
    """
    return senders_of(sent_sums(deliveries, messages))


def by_uid(deliveries: pd.DataFrame, messages: pd.DataFrame) -> pd.DataFrame:
    """Tell which user of this host queued how much: the table UIDS.

    Raises:
        SchemaError: A column is missing.

    Source:
        qmailanalog zsuids.
    """
    return uids_of(sent_sums(deliveries, messages))


def by_recipient(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Tell who received how much, and how long attempts took: the table RECIPIENTS.

    Raises:
        SchemaError: A column is missing.

    Source:
        qmailanalog zrecipients, zrxdelay. Their "mess" is successes + failures.
    """
    return recipients_of(received_sums(deliveries))


def by_host(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Tell which domains received how much, and how long attempts took: the table HOSTS.

    Raises:
        SchemaError: A column is missing.

    Source:
        qmailanalog zrhosts. Its "mess" is successes + failures.
    """
    return hosts_of(received_sums(deliveries))


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


def sent_sums(deliveries: pd.DataFrame, messages: pd.DataFrame) -> pd.DataFrame:
    """Return what each user and sender sent, as sums that add up over pieces of a log.

    Returns:
        Columns uid and sender (in lower case), one row for each pair; the others are whole numbers.

    Raises:
        SchemaError: A column is missing.
    """
    import pandas as pd

    require(deliveries, DELIVERIES, *SENT_OF_DELIVERIES)
    require(messages, MESSAGES, *SENT_OF_MESSAGES)
    completed = _completed(messages)
    size, recipients = completed["message_bytes"].astype("int64"), _sum(completed, "successes", "failures")
    sizes: dict[str, Any] = {
        "messages": 1,
        "message_bytes": size,
        "success_bytes": size * completed["successes"],
        "recipient_bytes": size * recipients,
        "recipients": recipients,
        "attempts": recipients + completed["deferrals"],
        "xdelay_ns": 0,
    }
    ended = deliveries.loc[deliveries["outcome"].notna()]
    times: dict[str, Any] = {**dict.fromkeys(sizes, 0), "xdelay_ns": _ns(seconds(ended, "started_at", "ended_at"))}
    parts = [completed[SENT_KEYS].assign(**sizes), ended[SENT_KEYS].assign(**times)]
    both = pd.concat([part.assign(sender=mapped(part["sender"], str.lower)) for part in parts], ignore_index=True)
    return add_up([both], SENT_KEYS)


def received_sums(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Return what each recipient of a channel received, as sums that add up over pieces of a log.

    Returns:
        Columns channel and recipient (in lower case), one row for each pair; the others are whole numbers.

    Raises:
        SchemaError: A column is missing.
    """
    require(deliveries, DELIVERIES, *RECEIVED_OF_DELIVERIES)
    ended = deliveries[deliveries["outcome"].notna()]
    is_success = ended["outcome"] == "success"
    xdelay = seconds(ended, "started_at", "ended_at")
    ddelay = seconds(ended, "queued_at", "ended_at").where(is_success)
    rows = ended[["channel"]].assign(
        recipient=mapped(ended["recipient"], str.lower),
        attempts=1,
        successes=is_success.astype("int64"),
        failures=(ended["outcome"] == "failure").astype("int64"),
        deferrals=(ended["outcome"] == "deferral").astype("int64"),
        success_bytes=ended["message_bytes"].fillna(0).astype("int64").where(is_success, 0),
        xdelay_ns=_ns(xdelay),
        xdelays=xdelay.notna().astype("int64"),
        ddelay_ns=_ns(ddelay),
        ddelays=ddelay.notna().astype("int64"),
    )
    return add_up([rows], RECEIVED_KEYS)


def add_up(parts: Sequence[pd.DataFrame], keys: list[str]) -> pd.DataFrame:
    """Return the sums of pieces as the sums of the whole."""
    import pandas as pd

    whole = pd.concat(parts, ignore_index=True)
    return whole.groupby(keys, sort=False, dropna=False, observed=True).sum().reset_index()


def senders_of(sums: pd.DataFrame) -> pd.DataFrame:
    """Return the table SENDERS of the sums."""
    return shape_frame(SENDERS, _in_order(_finished(sums), "messages", "message_bytes"))


def uids_of(sums: pd.DataFrame) -> pd.DataFrame:
    """Return the table UIDS of the sums."""
    users = add_up([sums.drop(columns="sender")], ["uid"])
    return shape_frame(UIDS, _in_order(_finished(users), "messages", "message_bytes"))


def recipients_of(sums: pd.DataFrame) -> pd.DataFrame:
    """Return the table RECIPIENTS of the sums."""
    return shape_frame(RECIPIENTS, _in_order(_finished(sums), "attempts"))


def hosts_of(sums: pd.DataFrame) -> pd.DataFrame:
    """Return the table HOSTS of the sums."""
    recipients = add_up([sums.drop(columns="channel")], ["recipient"])
    recipients["host"] = mapped(recipients["recipient"], domain_of)
    recipients["recipients"] = recipients.pop("recipient").notna().astype("int64")
    return shape_frame(HOSTS, _in_order(_finished(add_up([recipients], ["host"])), "attempts"))


def _finished(sums: pd.DataFrame) -> pd.DataFrame:
    """Return sums with the times in seconds, and with means."""
    finished = sums.assign(xdelay_s=sums["xdelay_ns"] / _S)
    for name in ("xdelay", "ddelay"):
        if f"{name}s" in sums:
            counts = sums[f"{name}s"].astype("float64")
            finished[f"{name}_mean_s"] = sums[f"{name}_ns"] / _S / counts.where(counts > 0)
    return finished


def _in_order(rows: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return rows with the most first; of equal ones in the order of their words, so that the order is always one."""
    words = [name for name in ("host", "recipient", "sender", "channel", "uid") if name in rows]
    return rows.sort_values([*names, *words], ascending=[False] * len(names) + [True] * len(words))


def _ns(lengths: pd.Series[float]) -> pd.Series[int]:
    """Return lengths of time as whole nanoseconds, 0 where one is not known."""
    return (lengths.fillna(0) * _S).round().astype("int64")
