"""The table DELAYS of any number of deliveries in little memory: the delays wait in a file, and are looked at twice.

Rule 1: the answers are those of `questions_logs_mail.distribution`, which has all delays in memory and in order.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs import join_codes as joins
from indimail_kit.logs.kernel_codes import NO_TIME, OUTCOMES
from indimail_kit.tables.frames import shape_frame
from indimail_kit.tables.log_answers import DELAYS
from indimail_kit.tables.questions_logs_mail import places_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from indimail_kit.logs.join import JoinedBlock

    Array = np.ndarray[Any, Any]

CHUNK: Final = 65_536
"""Delays that are in memory at once, twice over."""

_DRAWERS: Final = 1024
_S: Final = 10**9


def success_delays(joined: JoinedBlock) -> Array:
    """Return how long the successful deliveries of a block took from the message's birth (unit: ns)."""
    rows = joined.deliveries
    known = (rows[:, joins.D_OUTCOME] == OUTCOMES.index("success")) & (rows[:, joins.D_QUEUED] != NO_TIME)
    known &= rows[:, joins.D_ENDED] != NO_TIME
    done = rows[known]
    delays: Array = done[:, joins.D_ENDED] - done[:, joins.D_QUEUED]
    return delays


def delays_of(parts: Iterable[Array], percents: Sequence[float]) -> pd.DataFrame:
    """Return the table DELAYS of delays that come in parts, in any order.

    The values are put into drawers, each of which holds about a thousandth of them; only the drawers in which an answer
    is are put in order.

    Args:
        parts: int64 (unit: ns).
        percents: Each above 0 and up to 100.

    Raises:
        SchemaError: A percent is out of range.
        OSError: The file that they wait in cannot be written.
    """
    import numpy as np

    with tempfile.TemporaryFile() as file:
        total = 0
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype=np.int64).data)
            total += len(part)
        shares, counts, places = places_of(total, percents)
        if not total:
            nothing = np.full(len(shares), np.nan)
            return shape_frame(
                DELAYS, {"percent": shares, "done_by_s": nothing, "mean_s": nothing, "deliveries": counts}
            )
        step = max(total // CHUNK, 1)
        sample = np.sort(np.concatenate([chunk[:: min(step, len(chunk))] for chunk in _chunks(file)]))
        edges = np.unique(sample[:: max(len(sample) // _DRAWERS, 1)])
        sizes, sums = np.zeros(len(edges) + 1, dtype=np.int64), np.zeros(len(edges) + 1)
        for chunk in _chunks(file):
            drawers = np.searchsorted(edges, chunk, side="right")
            sizes += np.bincount(drawers, minlength=len(sizes))
            sums += np.bincount(drawers, weights=chunk / _S, minlength=len(sizes))
        begins = np.cumsum(sizes) - sizes
        wanted = np.searchsorted(np.cumsum(sizes), places, side="right")
        opened: dict[int, list[Array]] = {int(drawer): [] for drawer in wanted}
        for chunk in _chunks(file):
            drawers = np.searchsorted(edges, chunk, side="right")
            for drawer, values in opened.items():
                values.append(chunk[drawers == drawer])
    ordered = {drawer: np.sort(np.concatenate(values)) / _S for drawer, values in opened.items()}
    inside = [(ordered[int(drawer)], int(place - begins[drawer])) for drawer, place in zip(wanted, places, strict=True)]
    before = (np.cumsum(sums) - sums)[wanted]
    return shape_frame(
        DELAYS,
        {
            "percent": shares,
            "done_by_s": np.array([values[at] for values, at in inside]),
            "mean_s": (before + np.array([values[: at + 1].sum() for values, at in inside])) / counts,
            "deliveries": counts,
        },
    )


def _chunks(file: Any) -> Iterator[Array]:
    """Yield what is in the file, from its beginning."""
    import numpy as np

    file.seek(0)
    while octets := file.read(8 * CHUNK):
        yield np.frombuffer(octets, dtype=np.int64)
