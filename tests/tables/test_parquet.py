"""Tables out to Parquet and in again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from indimail_kit.cli import main
from indimail_kit.errors import FormatError, MissingPartError, SchemaError
from indimail_kit.logs import read
from indimail_kit.tables import parquet, schemas
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
@pytest.mark.parametrize(
    "octets", [LOG, b"starting delivery 1: msg 5 to local caf\xe9@x\nx\ndelivery 1: success: \xc3\xa9/"]
)
@pytest.mark.parametrize("name", ["events", "deliveries", "messages"])
def test_the_command_writes_the_same_rows_without_pandas(
    tmp_path: Path, name: str, octets: Path | bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, nulls, dtypes and octets that are not UTF-8; in groups of rows smaller than a piece and larger."""
    monkeypatch.setattr(parquet, "ROWS", 50)
    log = octets if isinstance(octets, Path) else tmp_path / "log"
    if isinstance(octets, bytes):
        log.write_bytes(octets)
    words = ["logs", "events", str(log), "--table", name, "--format", "parquet", "--output", str(tmp_path / "p")]
    assert CliRunner().invoke(main, words).exit_code == 0
    frame, table = getattr(read(log), name), getattr(schemas, name.upper())
    written = read_parquet(table, tmp_path / "p")
    order = {"events": None, "deliveries": ["start_event", "end_event"], "messages": ["first_event"]}[name]
    pd.testing.assert_frame_equal(
        *(one.sort_values(order, ignore_index=True) if order else one for one in (written, frame))
    )


@needs_pyarrow
def test_pandas_is_not_imported_for_parquet(tmp_path: Path) -> None:
    """It would be a quarter of the memory."""
    words = [
        "logs",
        "events",
        str(LOG),
        "--table",
        "deliveries",
        "--format",
        "parquet",
        "--output",
        str(tmp_path / "p"),
    ]
    script = (
        "import sys; from indimail_kit.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print('pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", script, *words]
    assert subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout == "False\n"


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
