"""Columns of the log engine -> DataFrames in the shapes of `schemas`.

Rule 1: the same tables as `frames` makes of single values, cell for cell; a test compares them.
Rule 2: numbers go over as arrays; only text is made cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs import join_codes as joins
from indimail_kit.logs import kernel_codes as codes
from indimail_kit.logs.blocks import MAX_LINE_BYTES
from indimail_kit.logs.columns import KIND_NAMES, NUMBERS, SPANS, EventBlock
from indimail_kit.logs.join import JoinedBlock
from indimail_kit.logs.labels import LABEL_KINDS
from indimail_kit.tables.frames import as_text, teach_pandas
from indimail_kit.tables.schemas import DELIVERIES, EVENTS, MESSAGES, Table

if TYPE_CHECKING:
    import pandas as pd

_WORDS: Final = ("program", "severity", "channel", "outcome")
_OF_OTHERS: Final = ("remote_ip", "path", "signature")
"""Columns that only lines of the grammar's fill."""

_D_NUMBERS: Final = {
    "run": joins.D_RUN, "delivery_number": joins.D_NUMBER, "message_number": joins.D_MESSAGE,
    "lifetime": joins.D_LIFETIME, "message_bytes": joins.D_BYTES, "qp": joins.D_QP, "uid": joins.D_UID,
    "queued_at": joins.D_QUEUED, "started_at": joins.D_STARTED, "ended_at": joins.D_ENDED, "is_open": joins.D_IS_OPEN,
    "start_event": joins.D_START_EVENT, "end_event": joins.D_END_EVENT,
}  # fmt: skip
_M_NUMBERS: Final = {
    "message_number": joins.M_NUMBER, "lifetime": joins.M_LIFETIME, "message_bytes": joins.M_BYTES, "qp": joins.M_QP,
    "uid": joins.M_UID, "recipient_count": joins.M_RECIPIENTS, "queued_at": joins.M_QUEUED, "ended_at": joins.M_ENDED,
    "successes": joins.M_COUNTS, "failures": joins.M_COUNTS + 1, "deferrals": joins.M_COUNTS + 2,
    "bounce_qp": joins.M_BOUNCE_QP, "is_open": joins.M_IS_OPEN, "first_event": joins.M_FIRST_EVENT,
    "end_event": joins.M_END_EVENT,
}  # fmt: skip

Cells = dict[str, Any]
"""Column -> its cells: an array of numbers, or a list of octets and text."""


def _array(dtype: str, cells: Any) -> Any:
    """Return an array of a column's dtype; -1 (or NO_TIME) in a column of numbers is null."""
    import numpy as np
    import pandas as pd

    if dtype == "str":
        return pd.array([as_text(cell) for cell in cells], dtype="str")
    if dtype == "datetime64[ns, UTC]":
        return pd.DatetimeIndex(np.ascontiguousarray(cells).view("datetime64[ns]"), tz="UTC").array
    if dtype == "Int64":
        return pd.arrays.IntegerArray(np.array(cells, dtype=np.int64), np.asarray(cells) < 0)
    return np.asarray(cells).astype(dtype)


def _frame(table: Table, cells: Cells, rows: int) -> pd.DataFrame:
    import pandas as pd

    teach_pandas()
    columns = {one.name: _array(one.dtype, cells[one.name]) for one in table.columns if one.name in cells}
    return pd.DataFrame(columns, index=pd.RangeIndex(rows))


def _together(blocks: Sequence[Cells]) -> Cells:
    """Return the cells of several blocks as one."""
    import numpy as np

    names = blocks[0] if blocks else {}
    return {
        name: [cell for block in blocks for cell in block[name]]
        if isinstance(names[name], list)
        else np.concatenate([block[name] for block in blocks])
        for name in names
    }


def event_cells(block: EventBlock) -> Cells:
    """Return the columns of EVENTS of a block, as the engine has them."""
    import numpy as np

    octets = bytes(block.octets)
    spans = block.table[:, [codes.START, codes.TEXT, codes.END]].tolist()
    cells: Cells = {
        "time": block.unix_ns,
        "kind": [KIND_NAMES[code] for code in block.kind.tolist()],
        "queue": [block.queues[code] for code in block.queue.tolist()],
        "text": [octets[text : min(end, start + MAX_LINE_BYTES)] for start, text, end in spans],
        "label_kind": [LABEL_KINDS[code] for code in block.table[:, codes.LABEL].tolist()],
        "file": [block.file] * len(block),
        "line_number": np.arange(len(block)) + block.first_line_number,
        "byte_offset": block.byte_offset,
        "line_bytes": block.line_bytes,
        "is_whole": np.arange(len(block)) < len(block) - (not block.is_whole),
    }
    cells |= {name: block.words(name) for name in _WORDS}
    cells |= {name: block.octets_of(name) for name in SPANS}
    cells |= {name: block.numbers(name) for name in NUMBERS}
    for name in _OF_OTHERS:
        cells[name] = [None] * len(block)
        for row, event in block.others.items():
            cells[name][row] = getattr(event, name)
    return cells


def event_columns_frame(blocks: Iterable[EventBlock]) -> pd.DataFrame:
    """Return the table EVENTS of blocks of a log, one row for each line, in their order."""
    from indimail_kit.tables.frames import events_frame

    cells = [event_cells(block) for block in blocks if len(block)]
    if not cells:
        return events_frame(())
    return _frame(EVENTS, _together(cells), sum(len(one["kind"]) for one in cells))


def delivery_cells(joined: JoinedBlock, names: Sequence[str] = DELIVERIES.names) -> Cells:
    """Return columns of DELIVERIES of a block, in the order in which the attempts ended; only these are made."""
    rows = joined.deliveries

    def words(column: int, known: Sequence[str]) -> list[str | None]:
        return [known[code] if code >= 0 else None for code in rows[:, column].tolist()]

    makers: dict[str, Callable[[], Any]] = {
        "queue": lambda: words(joins.D_QUEUE, joined.queues),
        "channel": lambda: words(joins.D_CHANNEL, codes.CHANNELS),
        "outcome": lambda: words(joins.D_OUTCOME, codes.OUTCOMES),
        "recipient": lambda: joined.octets_of(rows, joins.D_RECIPIENT),
        "sender": lambda: joined.octets_of(rows, joins.D_SENDER),
        "report": joined.reports,
    }
    return {name: makers[name]() if name in makers else rows[:, _D_NUMBERS[name]] for name in names}


def message_cells(joined: JoinedBlock, names: Sequence[str] = MESSAGES.names) -> Cells:
    """Return columns of MESSAGES of a block, in the order in which they ended; only these are made."""
    rows = joined.messages
    makers: dict[str, Callable[[], Any]] = {
        "queue": lambda: [joined.queues[code] for code in rows[:, joins.M_QUEUE].tolist()],
        "sender": lambda: joined.octets_of(rows, joins.M_SENDER),
    }
    return {name: makers[name]() if name in makers else rows[:, _M_NUMBERS[name]] for name in names}


def _sorted(cells: Cells, keys: Any) -> Cells:
    """Return the cells in the order of the keys."""
    import numpy as np

    order = np.argsort(keys, kind="stable")
    places = order.tolist()
    return {
        name: [column[place] for place in places] if isinstance(column, list) else column[order]
        for name, column in cells.items()
    }


def delivery_columns_frame(joined: Iterable[JoinedBlock]) -> pd.DataFrame:
    """Return the table DELIVERIES of what was joined, in the order in which the attempts began."""
    import numpy as np

    from indimail_kit.tables.frames import deliveries_frame

    cells = [delivery_cells(block) for block in joined if len(block.deliveries)]
    if not cells:
        return deliveries_frame(())
    together = _together(cells)
    began = np.where(together["start_event"] >= 0, together["start_event"], together["end_event"])
    return _frame(DELIVERIES, _sorted(together, began), len(began))


def message_columns_frame(joined: Iterable[JoinedBlock]) -> pd.DataFrame:
    """Return the table MESSAGES of what was joined, in the order of the messages' first lines."""
    from indimail_kit.tables.frames import messages_frame

    cells = [message_cells(block) for block in joined if len(block.messages)]
    if not cells:
        return messages_frame(())
    together = _together(cells)
    return _frame(MESSAGES, _sorted(together, together["first_event"]), len(together["first_event"]))


def frame_of_cells(table: Table, pieces: Sequence[Cells]) -> pd.DataFrame:
    """Return pieces as one frame with the columns that they have, in the order of the pieces.

    Args:
        table: DELIVERIES or MESSAGES.
        pieces: At least one; all with the same columns.
    """
    cells = _together(pieces)
    return _frame(table, cells, len(next(iter(cells.values()))))
