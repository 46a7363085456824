"""What a row of a log's tables is: its lines, and its name. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from indimail_kit.widgets.queue_words import count_text

if TYPE_CHECKING:
    from indimail_kit.widgets.log_tables import Filters, LogTables, Positions

_KEY: Final = re.compile(r"([mdru])(0|[1-9][0-9]{0,11})")
_MAX_TITLE: Final = 200


def lines_of_row(tables: LogTables, key: str, filters: Filters) -> Positions | None:
    """Return the positions of a row's lines, None where there is no such row.

    Args:
        tables: The log.
        key: "m17" is the message of row 17, "d3" a delivery, "r0" a reason, "u99" a line.
        filters: Of a reason only the deliveries that these leave.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    letter, number = match[1], int(match[2])
    most = {"m": len(tables.messages), "d": len(tables.deliveries), "r": len(tables.reasons), "u": tables.count}
    if number >= most[letter]:
        return None
    if letter == "m":
        return tables.lines_of_message(number)
    if letter == "d":
        return tables.lines_of_deliveries(np.array([number]))
    if letter == "r":
        return tables.lines_of_deliveries(tables.choose(replace(filters, reason=number)).deliveries)
    return np.array([number])


def title_of(tables: LogTables, key: str, total: int) -> str:
    """Return what a row is, and how many lines it has."""
    letter, number = key[0], int(key[1:])
    if letter == "u":
        return f"Line {number + 1:,} of the log"
    lines = count_text(total, "line")
    if letter == "r":
        reason = tables.reasons[number]
        return f"{reason.outcome}: {reason.text[:_MAX_TITLE]} · {lines}"
    one = (tables.messages if letter == "m" else tables.deliveries).iloc[number]
    what = f"Message {one['message_number']}" if letter == "m" else f"Delivery {one['delivery_number']}"
    return f"{what} {one['queue']}".strip() + f" · {lines}"
