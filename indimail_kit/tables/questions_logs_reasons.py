"""Why deliveries ended as they did: reasons of success, failure and deferral, each with its texts.

Source: qmailanalog zsuccesses, zfailures, zdeferrals; qmail-log(5).

Note for maintainers: most texts name an address, a time or a number that differs each time, so qmailanalog shows a
hundred lines that are one reason. Here such words are replaced by marks; what tells the reason stays: reply codes, the
codes of RFC 3463, ports, and local's counts ("did 1+0+0").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from indimail_kit.errors import SchemaError
from indimail_kit.tables.frames import shape_frame
from indimail_kit.tables.log_answers import REASONS
from indimail_kit.tables.questions_logs_mail import mapped, seconds
from indimail_kit.tables.queue_frames import domain_of
from indimail_kit.tables.schemas import DELIVERIES, require

if TYPE_CHECKING:
    import pandas as pd

OUTCOMES: Final = ("success", "failure", "deferral")
"""How a delivery may end. Source: qmail-log(5)."""

MAX_REASON: Final = 500
"""Characters of a text that make the reason; what is behind them is not compared."""

_MARKS: Final = (
    (r"<[^<> ]*>", "<address>"),
    (r"(?<![\w.@<>=+-])[\w.=+#-]{1,64}@[\w.-]{1,255}", "<address>"),
    (r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)", "<ip>"),
    (r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])", "<ip>"),
    (r"(?<![\w<-])(?![2-5]\d\d-)(?=[A-Za-z-]{0,40}\d)(?=[\d-]{0,40}[A-Za-z])[\w-]{8,}(?![\w.>-])", "<id>"),
    (r"(?<![\w.+#<-])(?<!port )(?!(?:(?<=said: )|(?<=/))[2-5]\d\d[ -])\d+(?![\w+>-]|\.\d)", "<n>"),
)
"""What differs each time -> its mark, in this order."""

_PATTERNS: Final = tuple((re.compile(pattern), mark) for pattern, mark in _MARKS)


def deferral_reasons(deliveries: pd.DataFrame, *, as_written: bool = False) -> pd.DataFrame:
    """Tell why deliveries were deferred; see `reasons`."""
    return reasons(deliveries, "deferral", as_written=as_written)


def failure_reasons(deliveries: pd.DataFrame, *, as_written: bool = False) -> pd.DataFrame:
    """Tell why deliveries failed for ever; see `reasons`."""
    return reasons(deliveries, "failure", as_written=as_written)


def success_reasons(deliveries: pd.DataFrame, *, as_written: bool = False) -> pd.DataFrame:
    """Tell how deliveries succeeded; see `reasons`."""
    return reasons(deliveries, "success", as_written=as_written)


def reasons(deliveries: pd.DataFrame, outcome: str, *, as_written: bool = False) -> pd.DataFrame:
    """Tell why deliveries ended so, the most frequent reason first.

    Args:
        deliveries: The table DELIVERIES.
        outcome: success, failure or deferral.
        as_written: Whether each different text is a row, as qmailanalog has it.

    Returns:
        The table REASONS.

    Raises:
        SchemaError: A column is missing, or the outcome is none of the three.

    Source:
        qmailanalog zsuccesses, zfailures, zdeferrals.
    """
    if outcome not in OUTCOMES:
        raise SchemaError(f"reasons of {outcome}; expected success, failure or deferral")
    names = ("outcome", "report", "queue", "message_number", "lifetime", "recipient", "started_at", "ended_at")
    require(deliveries, DELIVERIES, *names)
    ended = deliveries[deliveries["outcome"] == outcome]
    text = mapped(ended["report"], plain_text).fillna("")
    rows = ended[["queue", "message_number", "lifetime"]].assign(
        reason=text if as_written else mapped(text, normal_reason),
        text=text,
        host=mapped(ended["recipient"], domain_of),
        ended_at=ended["ended_at"],
        xdelay_s=seconds(ended, "started_at", "ended_at"),
        deliveries=1,
        message=ended.groupby(["queue", "message_number", "lifetime"], dropna=False, sort=False).ngroup(),
    )
    grouped = rows.groupby("reason", sort=False)
    table = grouped[["deliveries", "xdelay_s"]].sum()
    table["messages"] = grouped["message"].nunique()
    table["hosts"] = grouped["host"].nunique()
    table["texts"] = grouped["text"].nunique()
    table["first_at"], table["last_at"] = grouped["ended_at"].min(), grouped["ended_at"].max()
    table["example"] = grouped["text"].first()
    table = table.reset_index().sort_values(["deliveries", "xdelay_s"], ascending=False, kind="stable")
    return shape_frame(REASONS, table)


def plain_text(report: str) -> str:
    """Return a report as qmailanalog prints it: qmail-send logs a blank as ``_``.

    Example:
        >>> plain_text("no_way/")
        'no way/'
    """
    return report.replace("_", " ")


def normal_reason(text: str) -> str:
    """Return a text with marks for what differs each time: addresses, numbers, names of queue files.

    Example:
        >>> normal_reason("192.0.2.7 does not like recipient./Remote host said: 451 4.7.1 come back in 300 seconds/")
        '<ip> does not like recipient./Remote host said: 451 4.7.1 come back in <n> seconds/'
        >>> normal_reason("did 0+2+0/qp 10904/")
        'did 0+2+0/qp <n>/'
    """
    short = text[:MAX_REASON]
    for pattern, mark in _PATTERNS:
        short = pattern.sub(mark, short)
    return short
