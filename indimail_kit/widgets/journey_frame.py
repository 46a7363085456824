"""The table of journeys as a DataFrame: the values beside JourneyView."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pandas as pd

from indimail_kit.lab.journey import Journey

JOURNEYS: Final = {
    "time": "datetime64[ns, UTC]",  # when it was sent
    "sender": "str",
    "recipient": "str",
    "mechanism": "str",  # "" for none
    "smtp_reply": "str",  # the reply that decided
    "verdict": "str",  # CLEAN | INFECTED | NOT_SCANNED | ERROR, "" for no scan
    "signature": "str",  # "" for none
    "header": "str",  # "X-QHPSI: …", "" for none
    "queue": "str",  # "" when nothing was queued
    "message_number": "int64",  # 0 when nothing was queued
    "qp": "int64",  # 0 when nothing was queued
    "delivered_to": "str",  # "" for nowhere
    "folder": "str",  # "" for none
    "elapsed_ms": "float64",  # unit: ms
}
"""Columns and dtypes of the table of journeys; one row a mail."""


def journeys_frame(journeys: Iterable[Journey]) -> pd.DataFrame:
    """Return the journeys as a table, shape (n, 14), oldest first, index 0..n-1; JOURNEYS says the dtypes."""
    rows = [
        (pd.Timestamp(journey.unix_ns, tz="UTC"), *(getattr(journey, name) for name in list(JOURNEYS)[1:]))
        for journey in journeys
    ]
    return pd.DataFrame(rows, columns=list(JOURNEYS)).astype(JOURNEYS)
