"""Tables -> Parquet files, piece by piece, and back with the dtypes of their schema.

Rule 1: pyarrow (extra `logs`) is imported when a file is written or read.
Rule 2: a file that is not whole never has the name that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.errors import FormatError, MissingPartError
from indimail_kit.logs.kernel_codes import NO_TIME
from indimail_kit.tables.frames import as_text
from indimail_kit.tables.schemas import Table

if TYPE_CHECKING:
    import pandas as pd

    from indimail_kit.tables.log_frames import Cells


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


ROWS: Final = 16_384
"""Least rows of a row group but the last: the file's table of contents does not grow with each piece."""


def write_parquet(table: Table, frames: Iterable[pd.DataFrame], path: Path) -> int:
    """Write the frames as one file and return how many rows it has.

    Args:
        table: Their shape.
        frames: One after the other; only a row group of them is in memory.
        path: The file; one that is there is replaced when the new one is whole.

    Raises:
        MissingPartError: pyarrow is not installed.
        SchemaError: A frame has another shape.
        OSError: The file cannot be written.
    """
    pa = _pyarrow()
    schema = _arrow_schema(pa, table)

    def pieces() -> Iterator[Any]:
        for frame in frames:
            table.check(frame)
            yield pa.Table.from_pandas(frame[list(table.names)], schema, preserve_index=False)

    return _write(pa, schema, pieces(), path)


def write_parquet_cells(table: Table, pieces: Iterable[Cells], path: Path) -> int:
    """Write rows as `write_parquet` writes their frames, without making frames: pandas is not needed.

    Args:
        table: Their shape.
        pieces: Columns of `log_frames`, one piece after the other.
        path: As for `write_parquet`.

    Raises:
        MissingPartError: pyarrow is not installed.
        OSError: The file cannot be written.
    """
    pa = _pyarrow()
    schema = _arrow_schema(pa, table)
    arrow = (
        pa.Table.from_arrays(
            [_arrow_array(pa, schema.field(one.name).type, one.dtype, cells[one.name]) for one in table.columns],
            schema=schema,
        )
        for cells in pieces
    )
    return _write(pa, schema, arrow, path)


def _arrow_array(pa: Any, kind: Any, dtype: str, cells: Any) -> Any:
    """Return a column; -1 in "Int64" and NO_TIME in times are null. From buffers: `pa.array` would import pandas."""
    import numpy as np

    if dtype == "str":
        return _arrow_texts(pa, kind, cells)
    values = np.ascontiguousarray(cells)
    if dtype == "bool":
        return pa.Array.from_buffers(kind, len(values), [None, _bits(pa, values != 0)])
    null = NO_TIME if dtype == "datetime64[ns, UTC]" else -1
    is_there = None if dtype == "int64" or not (values == null).any() else _bits(pa, values != null)
    return pa.Array.from_buffers(kind, len(values), [is_there, pa.py_buffer(values)])


def _arrow_texts(pa: Any, kind: Any, cells: Sequence[bytes | str | None]) -> Any:
    import numpy as np

    texts = [cell.encode() if isinstance(cell, str) else cell for cell in cells]
    whole = b"".join([text or b"" for text in texts])
    if not whole.isascii():  # octets that are not UTF-8 become text as everywhere
        texts = [None if text is None else (as_text(text) or "").encode() for text in texts]
        whole = b"".join([text or b"" for text in texts])
    ends = np.zeros(len(texts) + 1, dtype=np.int32)
    np.cumsum([len(text or b"") for text in texts], out=ends[1:])
    is_there = _bits(pa, np.array([text is not None for text in texts], dtype=bool)) if None in texts else None
    return pa.Array.from_buffers(kind, len(texts), [is_there, pa.py_buffer(ends), pa.py_buffer(whole)])


def _bits(pa: Any, flags: Any) -> Any:
    """Return flags as Arrow has them: eight in an octet, the first one lowest."""
    import numpy as np

    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _write(pa: Any, schema: Any, pieces: Iterable[Any], path: Path) -> int:
    """Write Arrow tables as one file."""
    new = path.with_name(path.name + ".new")
    rows = written = 0
    kept: list[Any] = []
    try:
        with pa.parquet.ParquetWriter(new, schema, compression="zstd") as writer:
            for piece in pieces:
                kept.append(piece)
                rows += len(piece)
                if rows - written >= ROWS:
                    writer.write_table(pa.concat_tables(kept))
                    kept, written = [], rows
            if kept:
                writer.write_table(pa.concat_tables(kept))
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
