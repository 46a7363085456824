r"""Values -> DataFrames, each in the shape that `schemas` says.

Rule 1: pandas is imported here and not before the first table is asked for.
Rule 2: octets become text in one place: UTF-8, and ``\xNN`` for what is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs.clamav_runs import FreshclamRun, Reload
from indimail_kit.logs.event import Event
from indimail_kit.logs.matchup import Delivery, Message
from indimail_kit.tables.schemas import CLAMD_RELOADS, DELIVERIES, EVENTS, FRESHCLAM_RUNS, MESSAGES, Dtype, Table

if TYPE_CHECKING:
    import pandas as pd

_NAT: Final = -(2**63)
"""The integer that numpy reads as "not a time"."""


def as_text(value: bytes | str | None) -> str | None:
    r"""Return octets as text; octets that are not UTF-8 as ``\xNN``, so that none is lost.

    Example:
        >>> as_text(b"caf\xe9")
        'caf\\xe9'
    """
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _times(cells: Sequence[int | None]) -> Any:
    import numpy as np
    import pandas as pd

    unix_ns = np.fromiter((_NAT if cell is None else cell for cell in cells), dtype="int64", count=len(cells))
    return pd.DatetimeIndex(unix_ns.view("datetime64[ns]"), tz="UTC").array


def _texts(cells: Sequence[bytes | str | None]) -> Any:
    import pandas as pd

    return pd.array([as_text(cell) for cell in cells], dtype="str")


def _column(dtype: Dtype, cells: Sequence[Any]) -> Any:
    """Return an array of a column's dtype."""
    import pandas as pd

    builder = _BUILDERS.get(dtype)
    return builder(cells) if builder else pd.array(cells, dtype=dtype)


_BUILDERS: Final[dict[Dtype, Callable[[Sequence[Any]], Any]]] = {"datetime64[ns, UTC]": _times, "str": _texts}
"""dtype -> what makes its array, where pandas cannot do it from the values as they are."""


def build_frame(table: Table, values: Iterable[object]) -> pd.DataFrame:
    """Return the values as rows of a table; index 0 … n-1."""
    import pandas as pd

    teach_pandas()
    rows = values if isinstance(values, Sequence) else tuple(values)
    columns = {
        column.name: _column(column.dtype, list(map(attrgetter(column.attribute), rows))) for column in table.columns
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(len(rows)))


def events_frame(events: Iterable[Event]) -> pd.DataFrame:
    """Return the table EVENTS, one row for each line, in the order given."""
    return build_frame(EVENTS, events)


def deliveries_frame(deliveries: Iterable[Delivery]) -> pd.DataFrame:
    """Return the table DELIVERIES, one row for each attempt, in the order given."""
    return build_frame(DELIVERIES, deliveries)


def messages_frame(messages: Iterable[Message]) -> pd.DataFrame:
    """Return the table MESSAGES, one row for each life of a message number, in the order given."""
    return build_frame(MESSAGES, messages)


def freshclam_runs_frame(runs: Iterable[FreshclamRun]) -> pd.DataFrame:
    """Return the table FRESHCLAM_RUNS, one row for each run, in the order given."""
    return build_frame(FRESHCLAM_RUNS, runs)


def clamd_reloads_frame(reloads: Iterable[Reload]) -> pd.DataFrame:
    """Return the table CLAMD_RELOADS, one row for each reload, in the order given."""
    return build_frame(CLAMD_RELOADS, reloads)


def shape_frame(table: Table, columns: Mapping[str, Any] | pd.DataFrame) -> pd.DataFrame:
    """Return columns that are computed already as a table: its order, its dtypes, index 0 … n-1.

    Args:
        table: The shape.
        columns: Name -> series or array, all of one length; what the table does not name is left out.
    """
    import pandas as pd

    teach_pandas()
    cells = {
        column.name: pd.Series(columns[column.name]).reset_index(drop=True).astype(column.dtype)
        for column in table.columns
    }
    return pd.DataFrame(cells)


def text_frame(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> pd.DataFrame:
    """Return a table of texts; index 0 … n-1."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns), dtype="str")


def teach_pandas() -> None:
    """Give DataFrames the attribute `qmail`; late, because it knows every question and so imports every module here."""
    from indimail_kit.tables.accessor import register

    register()
