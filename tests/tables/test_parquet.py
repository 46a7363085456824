"""Tables out to Parquet and in again."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from indimail_kit.errors import FormatError, MissingPartError, SchemaError
from indimail_kit.logs import read
from indimail_kit.tables import schemas
from indimail_kit.tables.parquet import read_parquet, write_parquet

LOG = Path(__file__).parents[1] / "data" / "indimail" / "logs" / "send-odd-lines-queue1.tai64n.log.gz"
needs_pyarrow = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("pyarrow") is None, reason="needs the extra logs"
)


@needs_pyarrow
@pytest.mark.parametrize("name", ["events", "deliveries", "messages"])
def test_what_was_written_is_read_again(tmp_path: Path, name: str) -> None:
    """Rows, nulls and dtypes; in pieces, of which some are empty."""
    frame, table = getattr(read(LOG), name), getattr(schemas, name.upper())
    pieces = [frame[:0], frame[:5], frame[5:5], frame[5:]]
    assert write_parquet(table, pieces, tmp_path / "log.parquet") == len(frame)
    pd.testing.assert_frame_equal(read_parquet(table, tmp_path / "log.parquet"), frame)
    assert [path.name for path in tmp_path.iterdir()] == ["log.parquet"]


@needs_pyarrow
def test_a_file_that_is_not_finished_does_not_get_its_name(tmp_path: Path) -> None:
    """The old one stays, and nothing else."""
    path = tmp_path / "log.parquet"
    path.write_bytes(b"old")
    with pytest.raises(SchemaError):
        write_parquet(schemas.EVENTS, [pd.DataFrame({"x": [1]})], path)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("log.parquet", b"old")]


@needs_pyarrow
def test_a_file_of_another_kind_is_said_so(tmp_path: Path) -> None:
    """What, and where."""
    (tmp_path / "log.parquet").write_bytes(b"new msg 1\n")
    with pytest.raises(FormatError, match=r"log\.parquet: expected a Parquet file"):
        read_parquet(schemas.EVENTS, tmp_path / "log.parquet")


def test_without_pyarrow_the_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the extra `logs`."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPartError, match=r"indimail-kit\[logs\]"):
        write_parquet(schemas.EVENTS, [], tmp_path / "log.parquet")
