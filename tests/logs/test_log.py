"""A log that was read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from indimail_kit.logs.log import read

LOG = b"@400000004b9da2f03b424bb4 new msg 660188\nwhat is this?\n@400000004b9da2f1091fa3d4 end msg 660188\n"


def test_the_tables_are_made_of_the_events() -> None:
    """Three tables behind three names."""
    log = read(LOG)
    assert list(log.events["kind"]) == ["new_msg", "unknown", "end_msg"]
    assert list(log.messages["message_number"]) == [660188]
    assert list(log.deliveries.index) == []


def test_a_table_is_made_once() -> None:
    """Asking again costs nothing."""
    log = read(LOG)
    assert log.events is log.events
    assert log.matched is log.matched


def test_unknown_lines_are_counted_and_kept() -> None:
    """A dashboard can show how much is not understood, with the lines."""
    log = read(LOG)
    assert (len(log), log.kinds["unknown"]) == (3, 1)
    assert [event.line for event in log.unknown] == [b"what is this?"]


def test_the_repr_is_one_line(tmp_path: Path) -> None:
    """What was read, and how much of it is understood."""
    path = tmp_path / "current"
    path.write_bytes(LOG)
    assert repr(read(path)) == f"<Log of {path}: 3 lines, 1 of them unknown>"
    assert repr(read(LOG, LOG)) == "<Log of octets, octets: 6 lines, 2 of them unknown>"
    assert repr(read()) == "<Log: 0 lines, 0 of them unknown>"


def test_log_text_is_escaped_in_html(tmp_path: Path) -> None:
    """A file name is text, whatever it looks like."""
    path = tmp_path / "<img src=x onerror=alert(1)>"
    path.write_bytes(b"")
    assert "<img" not in read(path)._repr_html_()
    assert "&lt;img" in read(path)._repr_html_()


def test_pandas_is_not_imported_before_a_table_is_asked_for() -> None:
    """The room of the logs works where pandas is not wanted."""
    program = (
        "import sys; from indimail_kit.logs import read; log = read(b'new msg 1'); log.matched\n"
        "assert 'pandas' not in sys.modules ; log.events; assert 'pandas' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_whole_directory_is_one_log(tmp_path: Path, recorded: Callable[[str], bytes]) -> None:
    """A recorded log cut in two by multilog gives the same messages as in one piece."""
    octets = recorded("logs/send-single-queue1.tai64n.log.gz")
    cut = octets.index(b"\n", len(octets) // 2) + 1
    (tmp_path / "@400000006b02f70000000000.s").write_bytes(octets[:cut])
    (tmp_path / "current").write_bytes(octets[cut:])
    assert read(tmp_path).matched == read(octets).matched
