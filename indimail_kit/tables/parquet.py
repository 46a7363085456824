"""Tables -> Parquet files, piece by piece, and back with the dtypes of their schema.

Rule 1: pyarrow (extra `logs`) is imported when a file is written or read.
Rule 2: a file that is not whole never has the name that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indimail_kit.errors import FormatError, MissingPartError
from indimail_kit.tables.schemas import Table

if TYPE_CHECKING:
    import pandas as pd


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise MissingPartError("pyarrow", "Install it: pip install 'indimail-kit[logs]'.") from None
    return pa


def _arrow_schema(pa: Any, table: Table) -> Any:
    types = {
        "str": pa.string(),
        "int64": pa.int64(),
        "Int64": pa.int64(),
        "bool": pa.bool_(),
        "datetime64[ns, UTC]": pa.timestamp("ns", tz="UTC"),
    }
    return pa.schema([pa.field(column.name, types[column.dtype]) for column in table.columns])


def write_parquet(table: Table, frames: Iterable[pd.DataFrame], path: Path) -> int:
    """Write the frames as one file and return how many rows it has; each frame is a row group.

    Args:
        table: Their shape.
        frames: One after the other; only one is in memory.
        path: The file; one that is there is replaced when the new one is whole.

    Raises:
        MissingPartError: pyarrow is not installed.
        SchemaError: A frame has another shape.
        OSError: The file cannot be written.
    """
    pa = _pyarrow()
    schema = _arrow_schema(pa, table)
    new = path.with_name(path.name + ".new")
    rows = 0
    try:
        with pa.parquet.ParquetWriter(new, schema, compression="zstd") as writer:
            for frame in frames:
                table.check(frame)
                rows += len(frame)
                writer.write_table(pa.Table.from_pandas(frame[list(table.names)], schema, preserve_index=False))
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return rows


def read_parquet(table: Table, path: Path) -> pd.DataFrame:
    """Return a file that `write_parquet` wrote, with the dtypes of its table.

    Raises:
        MissingPartError: pyarrow is not installed.
        FormatError: It is no Parquet file, or lacks a column of the table.
        OSError: The file cannot be read.
    """
    pa = _pyarrow()
    try:
        with path.open("rb") as file:
            frame: pd.DataFrame = pa.parquet.read_table(file, columns=list(table.names)).to_pandas()
    except pa.ArrowException:
        raise FormatError("a Parquet file", source=str(path)) from None
    missing = [name for name in table.names if name not in frame.columns]
    if missing:
        raise FormatError(f"a Parquet file with the column {missing[0]}", source=str(path))
    return frame.astype(dict(table.dtypes))
